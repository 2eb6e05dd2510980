Feature: Deliveries come twice, late and in the wrong order
  What an order has earned follows from the set of its snapshots, not from how they arrive (I5). The newest counts;
  at the same instant the one further along does.

  Scenario: the same delivery five times
    Given the programme "cnv-retail"
    When order A of 0903000001 is delivered and paid: due 500000
    And the same comes again
    And the same comes again under a new id
    And the same comes again
    And the same comes again under a new id
    Then the history of 0903000001 is
      | accrual | 50 | 50 |
    And 0903000001 has 1 order and has spent 500000

  Scenario: SD11, X27 · the cancellation overtakes the delivery
    Given the programme "cnv-retail"
    When order A of 0903000002 is cancelled: due 500000
    And its delivery of an hour earlier, paid, arrives after that
    Then 0903000002 has 0 redeemable and 0 qualifying points and is Member
    And the history of 0903000002 is empty

  Scenario: SD12, X28 · cancelled, then delivered again
    Given the programme "cnv-retail"
    When order A of 0903000003 is delivered and paid: due 500000
    And order A is cancelled
    And order A is delivered and paid
    Then 0903000003 has 50 redeemable and 50 qualifying points and is Member
    And the history of 0903000003 is
      | accrual  | 50  | 50  |
      | reversal | -50 | -50 |
      | accrual  | 50  | 50  |

  Scenario: X28 · unless the shop says that cancelled is cancelled
    Given the programme "cnv-retail" where
      """
      [reversal]
      recredit_after_cancel = false
      """
    When order A of 0903000004 is delivered and paid: due 500000
    And order A is cancelled
    And order A is delivered and paid
    Then 0903000004 has 0 redeemable and 0 qualifying points and is Member

  Scenario: X29 · an old snapshot after a new one changes nothing
    Given the programme "cnv-retail"
    When order A of 0903000005 is placed: due 500000
    And order A is delivered and paid
    And what came first comes again
    Then 0903000005 has 50 redeemable and 50 qualifying points and is Member
