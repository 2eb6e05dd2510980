Feature: Tiers and points over time
  A tier is held for a cycle of 365 days and then has to have been earned again (T8–T13); points are good until the end of
  the month a year after they were earned (X39).

  Scenario: SD4, X5, X6 · a cycle without enough points costs one level, and redeemable points stay
    Given the programme "cnv-miniapp"
    When order A of 0906000001 is delivered and paid: due 2500000
    Then 0906000001 has 2500 redeemable and 2500 qualifying points and is Gold
    When it is 2027-11-22 12:00
    Then 0906000001 has 2500 redeemable and 2500 qualifying points and is Gold
    When it is 2027-11-23 12:00
    Then 0906000001 has 2500 redeemable and 0 qualifying points and is Gold
    When it is 2027-11-24 12:00
    And order B of 0906000001 is delivered and paid: due 300000
    And it is 2028-11-22 12:00
    Then 0906000001 has 390 redeemable and 0 qualifying points and is Silver

  Scenario: SD14, X39 · points are good until the end of the month a year later
    Given the programme "cnv-retail"
    When order A of 0906000002 is delivered and paid: due 1000000
    And it is 2027-11-30 23:00
    Then 0906000002 has 100 redeemable and 0 qualifying points and is Member
    When it is 2027-12-01 00:30
    Then 0906000002 has 0 redeemable and 0 qualifying points and is Member
    And the history of 0906000002 is
      | accrual    | 100  | 100  |
      | reset      | 0    | -100 |
      | expiration | -100 | 0    |

  Scenario: SD15, X38, X41 · points of one quarter go at the end of the next
    Given the programme "cnv-retail" where
      """
      [expiry]
      model = "quarters"
      """
    When it is 2027-02-10 10:00
    And order A of 0906000003 is delivered and paid: due 1000000
    And it is 2027-06-30 23:00
    Then 0906000003 has 100 redeemable and 100 qualifying points and is Member
    When it is 2027-07-01 00:30
    Then 0906000003 has 0 redeemable and 100 qualifying points and is Member

  Scenario: VO1, X39 · a month after 25 January and after the 31st
    Given the programme "cnv-retail" where
      """
      [expiry]
      months = 1
      round_to = "day"
      """
    When it is 2027-01-25 10:00
    And order A of 0906000004 is delivered and paid: due 100000
    And it is 2027-01-31 10:00
    And order B of 0906000004 is delivered and paid: due 200000
    And it is 2027-02-25 23:00
    Then 0906000004 has 30 redeemable and 30 qualifying points and is Member
    When it is 2027-02-26 00:30
    Then 0906000004 has 20 redeemable and 30 qualifying points and is Member
    When it is 2027-02-28 23:00
    Then 0906000004 has 20 redeemable and 30 qualifying points and is Member
    When it is 2027-03-01 00:30
    Then 0906000004 has 0 redeemable and 30 qualifying points and is Member

  Scenario: T14, X42 · a calendar year ends at midnight of the programme and may take redeemable points too
    Given the programme "cnv-retail" where
      """
      [cycle]
      model = "calendar_year"
      [review]
      reset_reward_points = true
      """
    When order A of 0906000005 is delivered and paid: due 1000000
    And it is 2026-12-31 23:30
    Then 0906000005 has 100 redeemable and 100 qualifying points and is Member
    When it is 2027-01-01 00:30
    Then 0906000005 has 0 redeemable and 0 qualifying points and is Member
    # What the new year took is not taken again (X23).
    When order A is cancelled
    Then 0906000005 has 0 redeemable and 0 qualifying points and is Member

  Scenario: X6 · a missed cycle may cost every tier the points do not reach
    Given the programme "cnv-retail" where
      """
      [cycle]
      days = 30
      [review]
      downgrade = "balance_based"
      """
    When order A of 0906000006 is delivered and paid: due 20000000
    Then 0906000006 has 2000 redeemable and 2000 qualifying points and is Diamond
    When it is 2026-12-24 10:00
    And order B of 0906000006 is delivered and paid: due 3000000
    And it is 2027-01-23 10:00
    Then 0906000006 has 2300 redeemable and 0 qualifying points and is Silver

  Scenario: X9 · a promotion may give the new tier a whole cycle
    Given the programme "cnv-retail" where
      """
      campaigns = []
      [cycle]
      days = 30
      [review]
      anchor = "tier_start"
      """
    When order A of 0906000007 is delivered and paid: due 100000
    And it is 2026-12-20 10:00
    And order B of 0906000007 is delivered and paid: due 2000000
    And it is 2027-01-10 10:00
    Then 0906000007 has 210 redeemable and 210 qualifying points and is Silver
    When it is 2027-01-20 10:00
    Then 0906000007 has 210 redeemable and 0 qualifying points and is Silver
    When it is 2027-02-19 10:00
    Then 0906000007 has 210 redeemable and 0 qualifying points and is Member
