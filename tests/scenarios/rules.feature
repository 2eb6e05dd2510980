Feature: Tiers by rules
  A tier may follow from what a member does within a cycle, and not from points: how much they spend, how often they order,
  how long they have belonged (T17, T18). Points are earned all the same.

  Scenario: T17 · spending reaches a tier, and an order that is undone counts no more
    Given the programme "panda-rules"
    When order A of 0907000001 is delivered and paid: due 1500000
    Then 0907000001 has 150 redeemable and 150 qualifying points and is Thành viên
    When order B of 0907000001 is delivered and paid: due 500000
    Then 0907000001 has 200 redeemable and 200 qualifying points and is Bạc
    When order B is cancelled
    Then 0907000001 has 150 redeemable and 150 qualifying points and is Thành viên
    And the history of 0907000001 is
      | accrual  | 150 | 150 |
      | accrual  | 50  | 50  |
      | tier     | 0   | 0   |
      | reversal | -50 | -50 |
      | tier     | 0   | 0   |

  Scenario: T17 · many small orders reach it too, even such as bring no point
    Given the programme "panda-rules"
    When order A of 0907000002 is delivered and paid: due 9000
    And order B of 0907000002 is delivered and paid: due 9000
    And order C of 0907000002 is delivered and paid: due 9000
    And order D of 0907000002 is delivered and paid: due 9000
    Then 0907000002 has 0 redeemable and 0 qualifying points and is Thành viên
    When order E of 0907000002 is delivered and paid: due 9000
    Then 0907000002 has 0 redeemable and 0 qualifying points and is Bạc

  Scenario: T17 · two conditions at once: gold takes 7.000.000đ and five orders
    Given the programme "panda-rules"
    When order A of 0907000003 is delivered and paid: due 9000000
    Then 0907000003 has 900 redeemable and 900 qualifying points and is Bạc
    When order B of 0907000003 is delivered and paid: due 10000
    And order C of 0907000003 is delivered and paid: due 10000
    And order D of 0907000003 is delivered and paid: due 10000
    And order E of 0907000003 is delivered and paid: due 10000
    Then 0907000003 has 904 redeemable and 904 qualifying points and is Vàng

  Scenario: T18 · the length of a membership is met by time alone
    Given the programme "panda-rules" where
      """
      [[tiers]]
      id = "member"
      name = "Thành viên"
      [[tiers]]
      id = "silver"
      name = "Bạc"
      enter = { member_days = 10, orders = 1 }
      """
    When order A of 0907000004 is delivered and paid: due 100000
    And it is 2026-12-02 23:00
    Then 0907000004 has 10 redeemable and 10 qualifying points and is Thành viên
    When it is 2026-12-03 12:00
    Then 0907000004 has 10 redeemable and 10 qualifying points and is Bạc
