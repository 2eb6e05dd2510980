Feature: What was decided where the playbooks disagree
  One scenario for each decision that no other file tells already. decided.feature goes on: what else was decided, and every
  other value that a shop may choose.

  Scenario: X1, X3 · ×0,2 is an addition, at 10.000đ a point
    Given the programme "cnv-retail-by-tier"
    When order A of 0908000001 is delivered and paid: due 2000000
    And order B of 0908000001 is delivered and paid: due 500000
    Then order B earned 60 redeemable and 50 qualifying points

  Scenario: X1 · unless the shop means ×0,2 literally
    Given the programme "cnv-retail-by-tier" where
      """
      [earning]
      multiplier_mode = "absolute"

      [[tiers]]
      id = "member"
      name = "Member"
      threshold = 0
      multiplier = 1

      [[tiers]]
      id = "silver"
      name = "Silver"
      threshold = 200
      multiplier = "0.2"
      """
    When order A of 0908000002 is delivered and paid: due 2000000
    And order B of 0908000002 is delivered and paid: due 500000
    Then order B earned 10 redeemable and 50 qualifying points

  Scenario: X2 · a shop may multiply qualifying points too
    Given the programme "cnv-retail-by-tier" where
      """
      [earning]
      tier_multiplier = "same"
      """
    When order A of 0908000003 is delivered and paid: due 2000000
    And order B of 0908000003 is delivered and paid: due 500000
    Then order B earned 60 redeemable and 60 qualifying points

  Scenario: X7 · 365 days end a day before the year does when 29 February lies between
    Given the programme "cnv-retail"
    When it is 2027-03-01 09:00
    And order A of 0908000004 is delivered and paid: due 2500000
    And it is 2028-02-28 23:00
    Then 0908000004 has 250 redeemable and 250 qualifying points and is Silver
    When it is 2028-02-29 00:30
    Then 0908000004 has 250 redeemable and 0 qualifying points and is Silver

  Scenario: X7 · twelve months end on the same day of the year
    Given the programme "cnv-retail" where
      """
      [cycle]
      model = "anniversary_months"
      months = 12
      """
    When it is 2027-03-01 09:00
    And order A of 0908000005 is delivered and paid: due 2500000
    And it is 2028-02-29 23:00
    Then 0908000005 has 250 redeemable and 250 qualifying points and is Silver
    When it is 2028-03-01 00:30
    Then 0908000005 has 250 redeemable and 0 qualifying points and is Silver

  Scenario: X8 · a review decides and begins the new cycle in one step, once
    Given the programme "cnv-miniapp"
    When order A of 0908000006 is delivered and paid: due 2500000
    And it is 2027-11-23 00:30
    And it is 2027-11-23 12:00
    Then the history of 0908000006 is
      | accrual | 2500 | 2500  |
      | reset   | 0    | -2500 |

  Scenario: X15 · an order that moves through its states uses one participation
    Given the programme "cnv-miniapp"
    When order old of 0908000007 is delivered and paid: due 10000
    And it is 2026-11-30 08:30
    And order A of 0908000007 is placed: due 20000
    And order A is confirmed
    And order A is on its way
    And order A is delivered but not paid
    And order A is delivered and paid
    Then 0908000007 has 180 redeemable and 180 qualifying points and is Member
    And 0908000007 has used 1 of 2 participations in fast-promotion, active

  Scenario: X16 · a shop may pay for orders of before the enrolment
    Given the programme "cnv-miniapp" where
      """
      [[campaigns]]
      id = "fast-promotion"
      name = "Thăng hạng nhanh"
      count_orders = "any"
      """
    When order old of 0908000008 is placed: due 10000
    And it is 2026-11-30 08:30
    And order old is delivered and paid
    Then 0908000008 has 160 redeemable and 160 qualifying points and is Member

  Scenario: X17 · the order that promotes still brings its bonus
    Given the programme "cnv-retail"
    When order old of 0908000009 is delivered and paid: due 10000
    And it is 2026-11-30 08:30
    And order A of 0908000009 is delivered and paid: due 2000000
    Then 0908000009 has 351 redeemable and 351 qualifying points and is Silver
    And 0908000009 has used 1 of 2 participations in fast-promotion, completed

  Scenario: X17 · unless the shop looks at the tier after the order
    Given the programme "cnv-retail" where
      """
      [[campaigns]]
      id = "fast-promotion"
      name = "Thăng hạng nhanh"
      tier_snapshot = "after"
      """
    When order old of 0908000010 is delivered and paid: due 10000
    And it is 2026-11-30 08:30
    And order A of 0908000010 is delivered and paid: due 2000000
    Then 0908000010 has 201 redeemable and 201 qualifying points and is Silver

  Scenario: X20, X21 · a tier carried over from an earlier cycle stays when its order is cancelled
    Given the programme "cnv-retail"
    When order A of 0908000011 is delivered and paid: due 2000000
    And it is 2027-11-24 09:00
    And order A is cancelled
    Then 0908000011 has 0 redeemable and 0 qualifying points and is Silver

  Scenario: X20 · how far a reversal may take a tier is the shop's choice
    Given the programme "cnv-retail" where
      """
      [reversal]
      reversal_demotes = "never"
      """
    When order A of 0908000012 is delivered and paid: due 2000000
    And order A is cancelled
    Then 0908000012 has 0 redeemable and 0 qualifying points and is Silver

  Scenario: ST9, X22 · points that were spent are owed, and the next order pays
    Given the programme "cnv-retail"
    When order A of 0908000013 is delivered and paid: due 1500000
    And 0908000013 spends 100 points
    And order A is cancelled
    Then 0908000013 has 0 redeemable and 0 qualifying points and is Member
    And the history of 0908000013 is
      | accrual    | 150  | 150  |
      | redemption | -100 | 0    |
      | reversal   | -150 | -150 |
    And 0908000013 cannot spend 1 points
    When order B of 0908000013 is delivered and paid: due 1200000
    Then 0908000013 has 20 redeemable and 120 qualifying points and is Member

  Scenario: ST9, X22 · or the shop lets them go
    Given the programme "cnv-retail" where
      """
      [reversal]
      negative_balance = "clamp"
      """
    When order A of 0908000014 is delivered and paid: due 1500000
    And 0908000014 spends 100 points
    And order A is cancelled
    Then the history of 0908000014 is
      | accrual    | 150  | 150  |
      | redemption | -100 | 0    |
      | reversal   | -50  | -150 |

  Scenario: X23 · what had expired is not taken twice, what was spent before is still owed
    Given the programme "cnv-retail"
    When order A of 0908000015 is delivered and paid: due 1000000
    And 0908000015 spends 40 points
    And it is 2027-12-02 09:00
    And order A is cancelled
    Then the history of 0908000015 is
      | accrual    | 100 | 100  |
      | redemption | -40 | 0    |
      | reset      | 0   | -100 |
      | expiration | -60 | 0    |
      | reversal   | -40 | 0    |

  Scenario: X24 · parts given back never sum to more than the order earned
    Given the programme "cnv-retail"
    When order A of 0908000016 is delivered and paid: due 95000
    And 47500 of order A is given back
    Then 0908000016 has 4 redeemable and 4 qualifying points and is Member
    When 95000 of order A is given back
    Then 0908000016 has 0 redeemable and 0 qualifying points and is Member

  Scenario: X38 · a shop may let points of a quarter live for two
    Given the programme "cnv-retail" where
      """
      campaigns = []

      [expiry]
      model = "quarters"
      quarters_to_live = 2
      """
    When order A of 0908000017 is delivered and paid: due 1000000
    And it is 2027-06-30 23:00
    Then 0908000017 has 100 redeemable and 100 qualifying points and is Member
    When it is 2027-07-01 00:30
    Then 0908000017 has 0 redeemable and 100 qualifying points and is Member

  Scenario Outline: X39 · the last valid day may be rounded to the end of the month or the quarter
    Given the programme "cnv-retail" where
      """
      campaigns = []

      [expiry]
      months = 1
      round_to = "<rounded>"
      """
    When it is 2026-12-10 10:00
    And order A of 0908000018 is delivered and paid: due 1000000
    And it is <last day> 23:00
    Then 0908000018 has 100 redeemable and 100 qualifying points and is Member
    When it is <next day> 00:30
    Then 0908000018 has 0 redeemable and 100 qualifying points and is Member

    Examples:
      | rounded     | last day   | next day   |
      | day         | 2027-01-10 | 2027-01-11 |
      | month_end   | 2027-01-31 | 2027-02-01 |
      | quarter_end | 2027-03-31 | 2027-04-01 |

  Scenario: ST2, X40, X41 · the points that expire first are spent first, and qualifying points stay
    Given the programme "cnv-retail" where
      """
      campaigns = []

      [expiry]
      months = 1
      round_to = "day"
      """
    When order A of 0908000019 is delivered and paid: due 1000000
    And it is 2026-12-10 09:00
    And order B of 0908000019 is delivered and paid: due 500000
    And 0908000019 spends 120 points
    And it is 2026-12-24 00:30
    Then 0908000019 has 30 redeemable and 150 qualifying points and is Member
    When it is 2027-01-11 00:30
    Then 0908000019 has 0 redeemable and 150 qualifying points and is Member

  Scenario: X44 · spent is without shipping and what was given back, of orders that deserve points; orders are those not cancelled or returned
    Given the programme "cnv-retail"
    When order A of 0908000020 is delivered and paid: due 530000, shipping 30000
    And order B of 0908000020 is placed: due 100000
    Then 0908000020 has 2 orders and has spent 500000
    When 200000 of order A is given back
    Then 0908000020 has 2 orders and has spent 300000
    When order A is delivered and refunded
    Then 0908000020 has 2 orders and has spent 0
    And 0908000020 has 0 redeemable and 0 qualifying points and is Member
    When order A is cancelled
    Then 0908000020 has 1 order and has spent 0

  Scenario: X49 · a word for a status that nobody knows is refused and leaves nothing behind
    Given the programme "cnv-retail"
    Then an order of 0908000021 with the status "teleported" is refused
    And 0908000021 is not a member

  Scenario: SD16 · three million in the wallet bring what their step says
    Given the programme "cnv-retail"
    When order A of 0908000022 is delivered and paid: due 100000
    And 0908000022 pays 3000000 into the wallet
    Then 0908000022 has 3100000 in the wallet

  Scenario Outline: SD16 · or a voucher, or a turn of the mini-game
    Given the programme "cnv-retail" where
      """
      [[topups]]
      amount = 3000000
      voucher = { id = "topup-voucher", name = "<voucher>", <worth> }
      """
    When order A of 0908000023 is delivered and paid: due 100000
    And 0908000023 pays 3000000 into the wallet
    Then 0908000023 has 3000000 in the wallet
    And 0908000023 has the voucher "<voucher>"

    Examples:
      | voucher         | worth          |
      | Voucher 10%     | percent = 10   |
      | 1 lượt minigame | game_turns = 1 |
