Feature: What a shop may choose otherwise
  Every choice has a decided default; here the other value is chosen.

  Scenario: X18 · a cancelled order gives its participation back, and who was exhausted goes on
    Given the programme "cnv-miniapp" where
      """
      [[campaigns]]
      id = "fast-promotion"
      name = "Thăng hạng nhanh"
      restore_quota_on_reversal = true
      """
    When order old of 0907000001 is delivered and paid: due 10000
    And it is 2026-11-30 08:30
    And order A of 0907000001 is delivered and paid: due 20000
    And order B of 0907000001 is delivered and paid: due 20000
    Then 0907000001 has used 2 of 2 participations in fast-promotion, exhausted
    When order A is cancelled
    Then 0907000001 has 180 redeemable and 180 qualifying points and is Member
    And 0907000001 has used 1 of 2 participations in fast-promotion, active
    When the same comes again
    Then 0907000001 has used 1 of 2 participations in fast-promotion, active
    When order C of 0907000001 is delivered and paid: due 20000
    Then 0907000001 has 350 redeemable and 350 qualifying points and is Member
    And 0907000001 has used 2 of 2 participations in fast-promotion, exhausted
    When order A is delivered and paid
    Then 0907000001 has 370 redeemable and 370 qualifying points and is Member

  Scenario: X18, X28 · an order that comes back uses a participation again
    Given the programme "cnv-miniapp" where
      """
      [[campaigns]]
      id = "fast-promotion"
      name = "Thăng hạng nhanh"
      restore_quota_on_reversal = true
      """
    When order old of 0907000002 is delivered and paid: due 10000
    And it is 2026-11-30 08:30
    And order A of 0907000002 is delivered and paid: due 20000
    And order A is cancelled
    Then 0907000002 has used 0 of 2 participations in fast-promotion, active
    When order A is delivered and paid
    Then 0907000002 has 180 redeemable and 180 qualifying points and is Member
    And 0907000002 has used 1 of 2 participations in fast-promotion, active

  Scenario: X19 · who falls back to Member goes on with what is left
    Given the programme "cnv-retail" where
      """
      [[campaigns]]
      id = "fast-promotion"
      name = "Thăng hạng nhanh"
      reopen_on_demotion = true
      """
    When order old of 0907000003 is delivered and paid: due 5000
    And it is 2026-11-30 08:30
    And order A of 0907000003 is delivered and paid: due 600000
    Then 0907000003 has 210 redeemable and 210 qualifying points and is Silver
    And 0907000003 has used 1 of 2 participations in fast-promotion, completed
    When order A is cancelled
    Then 0907000003 has 0 redeemable and 0 qualifying points and is Member
    And 0907000003 has used 1 of 2 participations in fast-promotion, active
    When order B of 0907000003 is placed: due 600000
    Then 0907000003 has 150 redeemable and 150 qualifying points and is Member
    And 0907000003 has used 2 of 2 participations in fast-promotion, exhausted

  Scenario: X19 · who buys, cancels and buys again has one voucher of the tier, and keeps none without it
    Given the programme "cnv-retail" where
      """
      campaigns = []
      """
    When order A of 0907000013 is delivered and paid: due 2000000
    Then of the vouchers "Quà lên hạng: túi vải hoặc móc khoá" 0907000013 has 1 issued, 0 used and 0 voided
    When order A is cancelled
    Then 0907000013 has 0 redeemable and 0 qualifying points and is Member
    And of the vouchers "Quà lên hạng: túi vải hoặc móc khoá" 0907000013 has 0 issued, 0 used and 1 voided
    When order B of 0907000013 is delivered and paid: due 2000000
    Then of the vouchers "Quà lên hạng: túi vải hoặc móc khoá" 0907000013 has 1 issued, 0 used and 1 voided
    When 0907000013 uses the voucher "Quà lên hạng: túi vải hoặc móc khoá"
    And order B is cancelled
    And order C of 0907000013 is delivered and paid: due 2000000
    Then 0907000013 has 200 redeemable and 200 qualifying points and is Silver
    And of the vouchers "Quà lên hạng: túi vải hoặc móc khoá" 0907000013 has 0 issued, 1 used and 1 voided

  Scenario: X21 · a raise of a later cycle goes with its order, and nothing else of that cycle's does
    Given the programme "cnv-retail" where
      """
      campaigns = []
      """
    When order A of 0907000004 is delivered and paid: due 1000000
    And it is 2027-11-24 09:00
    Then 0907000004 has 100 redeemable and 0 qualifying points and is Member
    When order A is delivered and paid: due 1500000
    And order B of 0907000004 is delivered and paid: due 800000
    Then 0907000004 has 230 redeemable and 130 qualifying points and is Member
    When order A is cancelled
    Then 0907000004 has 80 redeemable and 80 qualifying points and is Member

  Scenario: X21 · or the current cycle pays for all of it
    Given the programme "cnv-retail" where
      """
      campaigns = []
      [reversal]
      late_reversal_tier = "debit_current"
      """
    When order A of 0907000005 is delivered and paid: due 1000000
    And it is 2027-11-24 09:00
    And order B of 0907000005 is delivered and paid: due 1800000
    And order A is cancelled
    Then 0907000005 has 180 redeemable and 80 qualifying points and is Member
