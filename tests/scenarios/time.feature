Feature: Tiers and points over time
  A tier is held for a cycle of 365 days and then has to have been earned again (T8–T13); points are good until the end of
  the month a year after they were earned (X39).

  Scenario: SD4 · a cycle without enough points costs one level, and redeemable points stay
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

  Scenario: SD14 · points are good until the end of the month a year later
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
