Feature: Fast promotion from Member to Silver
  Every Monday at 08:00 members who have ordered are enrolled, and their next two orders bring a bonus of 150 points of
  both kinds (S0: C1–C8). Promotion or the second order ends it for good.

  Scenario: SD5, X15 · one order on its way brings its bonus once
    Given the programme "cnv-retail"
    When order old of 0905000001 is delivered and paid: due 100000
    Then 0905000001 takes part in no campaign
    When it is 2026-11-30 08:30
    Then 0905000001 has used 0 of 2 participations in fast-promotion, active
    When order A of 0905000001 is placed: due 300000
    And order A is confirmed
    And order A is on its way
    And order A is delivered and paid
    And the same comes again
    Then the history of 0905000001 is
      | accrual | 10  | 10  |
      | bonus   | 150 | 150 |
      | accrual | 30  | 30  |
    And 0905000001 has used 1 of 2 participations in fast-promotion, active

  Scenario: SD6 · the second order uses up the last participation
    Given the programme "cnv-miniapp"
    When order old of 0905000002 is delivered and paid: due 10000
    And it is 2026-11-30 08:30
    And order A of 0905000002 is delivered and paid: due 20000
    And order B of 0905000002 is delivered and paid: due 20000
    And order C of 0905000002 is delivered and paid: due 20000
    Then 0905000002 has used 2 of 2 participations in fast-promotion, exhausted
    And 0905000002 has 370 redeemable and 370 qualifying points and is Member

  Scenario: SD7 · what a cancelled order got is taken back, bonus and all
    Given the programme "cnv-miniapp"
    When order old of 0905000003 is delivered and paid: due 10000
    And it is 2026-11-30 08:30
    And order A of 0905000003 is delivered and paid: due 20000
    And order A is cancelled
    Then 0905000003 has 10 redeemable and 10 qualifying points and is Member
    And 0905000003 has used 1 of 2 participations in fast-promotion, active

  Scenario: SD8, SD9 · promotion completes it, and a cancel takes the tier back
    Given the programme "cnv-retail"
    When order old of 0905000004 is delivered and paid: due 5000
    And it is 2026-11-30 08:30
    And order A of 0905000004 is placed: due 600000
    Then 0905000004 has 150 redeemable and 150 qualifying points and is Member
    When order A is delivered and paid
    Then 0905000004 has 210 redeemable and 210 qualifying points and is Silver
    And 0905000004 has used 1 of 2 participations in fast-promotion, completed
    When order A is cancelled
    Then 0905000004 has 0 redeemable and 0 qualifying points and is Member
    And 0905000004 has used 1 of 2 participations in fast-promotion, completed
    When order B of 0905000004 is placed: due 600000
    Then 0905000004 has 0 redeemable and 0 qualifying points and is Member

  Scenario: T7, X17 · an order whose bonus carries on to Gold has made a Gold, and was never a Silver's
    Given the programme "cnv-retail"
    When order old of 0905000014 is delivered and paid: due 5000
    And it is 2026-11-30 08:30
    And order A of 0905000014 is delivered and paid: due 6000000
    Then 0905000014 has 750 redeemable and 750 qualifying points and is Gold
    And 0905000014 was told "tier_reached" 1 time
    And 0905000014 has the voucher "Voucher lên hạng 10%"
    And of the vouchers "Quà lên hạng: túi vải hoặc móc khoá" 0905000014 has 0 issued, 0 used and 0 voided

  Scenario: X16 · the order that made the member eligible is not paid
    Given the programme "cnv-retail"
    When order old of 0905000005 is placed: due 100000
    And it is 2026-11-30 08:30
    And order old is delivered and paid
    Then the history of 0905000005 is
      | accrual | 10 | 10 |
    And 0905000005 has used 0 of 2 participations in fast-promotion, active

  Scenario: X13, X14 · one participation, and a bonus of redeemable points alone
    Given the programme "cnv-retail" where
      """
      [[campaigns]]
      id = "fast-promotion"
      name = "Thăng hạng nhanh"
      max_credits = 1
      bonus_points = 100
      bonus_legs = "redeemable"
      """
    When order old of 0905000006 is delivered and paid: due 100000
    And it is 2026-11-30 08:30
    And order A of 0905000006 is placed: due 300000
    Then 0905000006 has 110 redeemable and 10 qualifying points and is Member
    And 0905000006 has used 1 of 1 participations in fast-promotion, exhausted
    When order B of 0905000006 is placed: due 300000
    Then 0905000006 has 110 redeemable and 10 qualifying points and is Member

  Scenario: X10 · a bonus may wait until its order is delivered and paid
    Given the programme "cnv-retail" where
      """
      [[campaigns]]
      id = "fast-promotion"
      name = "Thăng hạng nhanh"
      bonus_when = "earned"
      """
    When order old of 0905000007 is delivered and paid: due 100000
    And it is 2026-11-30 08:30
    And order A of 0905000007 is placed: due 300000
    Then 0905000007 has 10 redeemable and 10 qualifying points and is Member
    And 0905000007 has used 0 of 2 participations in fast-promotion, active
    When order A is delivered and paid
    Then 0905000007 has 190 redeemable and 190 qualifying points and is Member

  Scenario: X46 · an order that comes back brings its bonus back, and uses no second participation
    Given the programme "cnv-miniapp"
    When order old of 0905000008 is delivered and paid: due 10000
    And it is 2026-11-30 08:30
    And order A of 0905000008 is delivered and paid: due 20000
    And order A is cancelled
    And order A is delivered and paid
    Then 0905000008 has 180 redeemable and 180 qualifying points and is Member
    And 0905000008 has used 1 of 2 participations in fast-promotion, active

  Scenario: X48 · exhausted stays exhausted when the member is promoted later
    Given the programme "cnv-miniapp"
    When order old of 0905000009 is delivered and paid: due 10000
    And it is 2026-11-30 08:30
    And order A of 0905000009 is delivered and paid: due 20000
    And order B of 0905000009 is delivered and paid: due 20000
    And order C of 0905000009 is delivered and paid: due 900000
    Then 0905000009 has 1250 redeemable and 1250 qualifying points and is Silver
    And 0905000009 has used 2 of 2 participations in fast-promotion, exhausted

  Scenario: C1 · a campaign may address those who have not bought for a while
    Given the programme "cnv-retail" where
      """
      [[campaigns]]
      id = "fast-promotion"
      name = "Thăng hạng nhanh"
      not_bought_for_days = 14
      """
    When order old of 0905000015 is delivered and paid: due 100000
    And it is 2026-11-28 10:00
    And order new of 0905000016 is delivered and paid: due 100000
    And it is 2026-12-07 08:30
    Then 0905000015 has used 0 of 2 participations in fast-promotion, active
    And 0905000016 takes part in no campaign

  Scenario: C1 · a campaign may address those who buy less often than they used to, however late their orders were reported
    Given the programme "cnv-retail" where
      """
      [[campaigns]]
      id = "fast-promotion"
      name = "Thăng hạng nhanh"
      buying_less_often = true
      """
    When it is 2026-11-24 10:00
    And order a1 of 0905000017 is delivered and paid: due 100000
    And it is 2026-12-01 10:00
    And order a2 of 0905000017 is delivered and paid: due 100000
    And it is 2026-12-08 10:00
    And order a3 of 0905000017 is delivered and paid: due 100000
    And it is 2026-12-22 10:00
    And order b1 of 0905000018 is delivered and paid: due 100000, placed days ago 29
    And order b2 of 0905000018 is delivered and paid: due 100000, placed days ago 22
    And order b3 of 0905000018 is delivered and paid: due 100000, placed days ago 15
    And order b4 of 0905000018 is delivered and paid: due 100000, placed days ago 8
    And it is 2026-12-28 08:30
    Then 0905000017 has used 0 of 2 participations in fast-promotion, active
    And 0905000018 takes part in no campaign
