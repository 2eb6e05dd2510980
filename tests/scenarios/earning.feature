Feature: Orders earn points
  An order earns when it is delivered and paid (P11): the amount due without shipping, at the programme's rate (P2, P3),
  rounded down once, at the end (X31). Qualifying points decide the tier and are never multiplied (P7, X2).

  Scenario: SD1 · the Mini App programme multiplies redeemable points by tier
    Given the programme "cnv-miniapp"
    When order A of 0901000001 is delivered and paid: due 530000, shipping 30000
    Then 0901000001 has 500 redeemable and 500 qualifying points and is Member
    # 500 + 500 = Silver from now on; the order that promotes still earns as Member (P9, X17).
    When order B of 0901000001 is delivered and paid: due 530000, shipping 30000
    Then 0901000001 has 1000 redeemable and 1000 qualifying points and is Silver
    When order C of 0901000001 is delivered and paid: due 530000, shipping 30000
    Then order C earned 600 redeemable and 500 qualifying points
    When order D of 0901000001 is delivered and paid: due 530000, shipping 30000
    Then order D earned 600 redeemable and 500 qualifying points
    And 0901000001 has 2200 redeemable and 2000 qualifying points and is Gold
    When order E of 0901000001 is delivered and paid: due 530000, shipping 30000
    Then order E earned 650 redeemable and 500 qualifying points
    When order F of 0901000001 is delivered and paid: due 530000, shipping 30000
    And order G of 0901000001 is delivered and paid: due 530000, shipping 30000
    Then order G earned 750 redeemable and 500 qualifying points

  Scenario Outline: SD2, X31 · a fraction is dropped once, at the end
    Given the programme "cnv-miniapp"
    And 0901000002 has spent <spent> before
    When order A of 0901000002 is delivered and paid: due 129900
    Then order A earned <redeemable> redeemable and 129 qualifying points

    Examples:
      | spent   | redeemable |
      | 0       | 129        |
      | 1000000 | 155        |
      | 2000000 | 168        |
      | 3000000 | 194        |

  Scenario Outline: SD3, X1, X2 · mechanism 2 adds 0,2, 0,3 and 0,5 to redeemable points
    Given the programme "cnv-retail-by-tier"
    And 0901000003 has spent <spent> before
    When order A of 0901000003 is delivered and paid: due 500000
    Then order A earned <redeemable> redeemable and 50 qualifying points

    Examples:
      | spent    | redeemable |
      | 0        | 50         |
      | 2000000  | 60         |
      | 7000000  | 65         |
      | 18000000 | 75         |

  Scenario: P11, X10 · nothing is credited before the order is delivered and paid
    Given the programme "cnv-retail"
    When order A of 0901000004 is placed: due 530000, shipping 30000
    Then 0901000004 has 0 redeemable and 0 qualifying points and is Member
    And 0901000004 has 1 order and has spent 0
    When order A is delivered but not paid
    Then 0901000004 has 0 redeemable and 0 qualifying points and is Member
    When order A is delivered and paid
    Then 0901000004 has 50 redeemable and 50 qualifying points and is Member
    And 0901000004 has 1 order and has spent 500000

  Scenario: X30 · paying with points or the wallet does not reduce what an order earns
    Given the programme "cnv-retail"
    When order A of 0901000005 is delivered and paid: due 500000, paid with points 100000, paid with wallet 50000
    Then 0901000005 has 50 redeemable and 50 qualifying points and is Member

  Scenario: P10, X10 · a shop may credit on delivery alone
    Given the programme "cnv-retail" where
      """
      [earning]
      earn_when = "delivered"
      """
    When order A of 0901000006 is delivered but not paid: due 500000
    Then 0901000006 has 50 redeemable and 50 qualifying points and is Member

  Scenario: X31 · a shop may round half a point up
    Given the programme "cnv-retail" where
      """
      [earning]
      round = "half_up"
      """
    When order A of 0901000007 is delivered and paid: due 15000
    Then 0901000007 has 2 redeemable and 2 qualifying points and is Member

  Scenario: an order raised after delivery earns the difference, by the terms it began with
    Given the programme "cnv-retail"
    When order A of 0901000008 is delivered and paid: due 500000
    And order A is delivered and paid: due 620000
    Then 0901000008 has 62 redeemable and 62 qualifying points and is Member
    And the history of 0901000008 is
      | accrual | 50 | 50 |
      | accrual | 12 | 12 |

  Scenario: the card tells the way to the next tier (D1, D2)
    Given the programme "cnv-retail"
    When order A of 0901000009 is delivered and paid: due 2120000
    Then 0901000009 has 212 redeemable and 212 qualifying points and is Silver
    And 0901000009 needs 488 points and 4880000 more to be Gold
