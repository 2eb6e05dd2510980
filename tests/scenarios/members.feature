Feature: Who a member is
  A phone in any usual spelling is the same member; an order that names nobody waits (X43).

  Scenario: one person, many spellings
    Given the programme "cnv-retail"
    When order A of 0904000001 is delivered and paid: due 100000
    And order B of +84904000001 is delivered and paid: due 100000
    And order C of 84 904 000 001 is delivered and paid: due 100000
    Then 0904000001 has 30 redeemable and 30 qualifying points and is Member
    And 0904000001 has 3 orders and has spent 300000

  Scenario: X43 · an order without a customer waits until one is named
    Given the programme "cnv-retail"
    When order A of nobody is delivered and paid: due 500000
    Then 0904000002 is not a member
    When order A is of 0904000002
    Then 0904000002 has 50 redeemable and 50 qualifying points and is Member

  Scenario: F23 · a credited order stays with the member it was credited to
    Given the programme "cnv-retail"
    When order A of 0904000003 is delivered and paid: due 500000
    And order A is of 0904000004
    And order A is cancelled
    Then 0904000003 has 0 redeemable and 0 qualifying points and is Member
    And 0904000004 is not a member

  Scenario: an order that was not credited yet follows a corrected phone number
    Given the programme "cnv-retail"
    When order A of 0904000005 is placed: due 500000
    And order A is of 0904000006
    And order A is delivered and paid
    Then 0904000006 has 50 redeemable and 50 qualifying points and is Member
    And 0904000005 has 0 orders and has spent 0

  Rule: Welcome points (P14, R6, X25, X26)

  Scenario: SD10 · welcome points go with the first order, once
    Given the programme "cnv-retail" where
      """
      [welcome]
      points = 100
      """
    When order A of 0904000007 is placed: due 500000
    Then 0904000007 has 100 redeemable and 0 qualifying points and is Member
    When order A is cancelled
    And the same comes again
    Then 0904000007 has 0 redeemable and 0 qualifying points and is Member
    And the history of 0904000007 is
      | welcome  | 100  | 0 |
      | reversal | -100 | 0 |

  Scenario: X25 · they may wait for the first delivery
    Given the programme "cnv-retail" where
      """
      [welcome]
      points = 100
      when = "pending_until_first_delivery"
      """
    When order A of 0904000008 is placed: due 500000
    Then 0904000008 has 0 redeemable and 0 qualifying points and is Member
    And 0904000008 has 100 pending points
    When order A is delivered and paid
    Then 0904000008 has 150 redeemable and 50 qualifying points and is Member
    And 0904000008 has 0 pending points

  Scenario: X26 · only the first order carries them
    Given the programme "cnv-retail" where
      """
      [welcome]
      points = 100
      """
    When order A of 0904000009 is placed: due 500000
    And order B of 0904000009 is placed: due 500000
    And order B is cancelled
    Then 0904000009 has 100 redeemable and 0 qualifying points and is Member
