Feature: What was credited is taken back exactly
  Cancelled or returned means the points go, no more and no less than were given (R1, R3, X12).

  Scenario: SD7 · a cancelled order gives back what it got, of both kinds
    Given the programme "cnv-miniapp"
    When order A of 0902000001 is delivered and paid: due 530000, shipping 30000
    And order A is cancelled
    Then 0902000001 has 0 redeemable and 0 qualifying points and is Member
    And 0902000001 has 0 orders and has spent 0
    And the history of 0902000001 is
      | accrual  | 500  | 500  |
      | reversal | -500 | -500 |

  Scenario: R1 · a returned order too, whatever its payment
    Given the programme "cnv-retail"
    When order A of 0902000002 is delivered and paid: due 500000
    And order A is returned
    Then 0902000002 has 0 redeemable and 0 qualifying points and is Member

  Scenario: SD13, X24 · five partial returns add up exactly
    Given the programme "cnv-retail"
    When order A of 0902000003 is delivered and paid: due 95000
    Then 0902000003 has 9 redeemable and 9 qualifying points and is Member
    When 19000 of order A is given back
    And 38000 of order A is given back
    And 57000 of order A is given back
    And 76000 of order A is given back
    And 95000 of order A is given back
    Then the history of 0902000003 is
      | accrual  | 9  | 9  |
      | reversal | -2 | -2 |
      | reversal | -2 | -2 |
      | reversal | -2 | -2 |
      | reversal | -2 | -2 |
      | reversal | -1 | -1 |

  Scenario: OL18 · half the order back, half the points back
    Given the programme "cnv-retail" where
      """
      [earning]
      vnd_per_point = "4/7"
      """
    When order A of 0902000004 is delivered and paid: due 40
    Then 0902000004 has 70 redeemable and 70 qualifying points and is Member
    When 20 of order A is given back
    Then 0902000004 has 35 redeemable and 35 qualifying points and is Member

  Scenario: SM1, X12 · the rule is doubled between order and refund
    Given the programme "cnv-retail" where
      """
      campaigns = []
      [[changes]]
      effective_from = "2026-12-01"
      [changes.earning]
      vnd_per_point = 5000
      """
    When order A of 0902000005 is delivered and paid: due 500000
    Then 0902000005 has 50 redeemable and 50 qualifying points and is Member
    When it is 2026-12-02 09:00
    And order A is cancelled
    Then the history of 0902000005 is
      | accrual  | 50  | 50  |
      | reversal | -50 | -50 |
    When order B of 0902000005 is delivered and paid: due 500000
    Then order B earned 100 redeemable and 100 qualifying points

  Scenario: SD8, SD9 · an order that promotes is cancelled: the tier follows at once (R5, X20)
    Given the programme "cnv-retail"
    When order A of 0902000006 is delivered and paid: due 2100000
    Then 0902000006 has 210 redeemable and 210 qualifying points and is Silver
    When order A is cancelled
    Then 0902000006 has 0 redeemable and 0 qualifying points and is Member

  Scenario: EN1 · the tier is the highest whose threshold is reached
    Given the programme "cnv-retail"
    When order A of 0902000007 is delivered and paid: due 18500000
    Then 0902000007 has 1850 redeemable and 1850 qualifying points and is Diamond

  Scenario: X11 · a shop may insist on the literal "cancelled and paid"
    Given the programme "cnv-retail" where
      """
      [earning]
      earn_when = "delivered"
      [reversal]
      reverse_requires_paid = true
      """
    When order A of 0902000008 is delivered but not paid: due 500000
    And order A is cancelled
    Then 0902000008 has 50 redeemable and 50 qualifying points and is Member

  Scenario: shipping money given back takes no points
    Given the programme "cnv-retail"
    When order A of 0902000009 is delivered and paid: due 530000, shipping 30000
    And 0 of order A is given back
    Then 0902000009 has 50 redeemable and 50 qualifying points and is Member

  Scenario: every point can be explained
    Given the programme "cnv-retail"
    When order A of 0902000010 is delivered and paid: due 500000
    Then the last entry of 0902000010 names order A, the rule "base" and the programme "cnv-retail"
