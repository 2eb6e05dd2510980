Feature: What else was decided, and what a shop may choose instead
  The decisions that the other files do not tell, each with the values that a shop may choose. Which way a message takes, and
  that sending may be paused (X36, X50), is proved beside the messages; an order's settle delay (X29) beside the queue.

  Rule: Thresholds and tiers

    Scenario: X4, X5 · three sets of thresholds, and what they ask of a shop's customers
      Given the programme "cnv-retail"
      Then at 200000 an order it takes
        | 10 | orders to be Silver  |
        | 35 | orders to be Gold    |
        | 90 | orders to be Diamond |
      Given the programme "cnv-miniapp"
      Then at 500000 an order it takes
        | 2 | orders to be Silver  |
        | 4 | orders to be Gold    |
        | 6 | orders to be Diamond |

    Scenario: X4 · the literal thresholds for large orders are far away at 10.000đ a point, and a check says so
      Given the programme "cnv-retail-high-aov"
      Then at 500000 an order it takes
        | 100 | orders to be Silver  |
        | 300 | orders to be Gold    |
        | 700 | orders to be Diamond |
      And at 500000 an order its check warns of Silver
      And at 500000 an order its check warns of Diamond

    Scenario Outline: X6 · a missed cycle costs no tier, all of them, or none yet
      Given the programme "cnv-retail" where
        """
        campaigns = []
        [cycle]
        days = 30
        [review]
        <review>
        """
      When order A of 0909000001 is delivered and paid: due 20000000
      And it is 2026-12-24 10:00
      And order B of 0909000001 is delivered and paid: due 3000000
      And it is 2027-01-23 10:00
      Then 0909000001 has 2300 redeemable and <points> qualifying points and is <tier>

      Examples:
        | review               | points | tier    |
        | downgrade = "none"   | 0      | Diamond |
        | downgrade = "to_base" | 0     | Member  |
        | grace_days = 10      | 300    | Diamond |

    Scenario: X6 · within the days of grace the tier can still be earned; after them it goes down one level
      Given the programme "cnv-retail" where
        """
        campaigns = []
        [cycle]
        days = 30
        [review]
        grace_days = 10
        """
      When order A of 0909000002 is delivered and paid: due 20000000
      And it is 2026-12-24 10:00
      And order B of 0909000002 is delivered and paid: due 3000000
      And it is 2027-01-31 23:00
      Then 0909000002 has 2300 redeemable and 300 qualifying points and is Diamond
      When it is 2027-02-01 12:00
      Then 0909000002 has 2300 redeemable and 0 qualifying points and is Gold

    Scenario: X7, X9 · a promotion begins no new cycle: it ends a year after the member was first seen
      Given the programme "cnv-retail" where
        """
        campaigns = []
        """
      When order A of 0909000003 is delivered and paid: due 100000
      And it is 2027-06-01 10:00
      And order B of 0909000003 is delivered and paid: due 2000000
      And it is 2027-11-22 23:00
      Then 0909000003 has 210 redeemable and 210 qualifying points and is Silver
      When it is 2027-11-23 00:30
      Then 0909000003 has 210 redeemable and 0 qualifying points and is Silver
      When it is 2028-11-22 12:00
      Then 0909000003 has 0 redeemable and 0 qualifying points and is Member

    Scenario: X7, X42 · a calendar year ends and the redeemable points stay
      Given the programme "cnv-retail" where
        """
        [cycle]
        model = "calendar_year"
        """
      When order A of 0909000004 is delivered and paid: due 1000000
      And it is 2027-01-01 00:30
      Then 0909000004 has 100 redeemable and 0 qualifying points and is Member

    Scenario Outline: X20 · in a new cycle a reversal takes no carried tier, unless the shop goes by the balance
      Given the programme "cnv-retail" where
        """
        campaigns = []
        [reversal]
        reversal_demotes = "<choice>"
        """
      When order A of 0909000005 is delivered and paid: due 2000000
      And it is 2027-11-24 09:00
      And order B of 0909000005 is delivered and paid: due 500000
      And order B is cancelled
      Then 0909000005 has 200 redeemable and 0 qualifying points and is <tier>

      Examples:
        | choice     | tier   |
        | to_floor   | Silver |
        | by_balance | Member |

    Scenario: X37, X47 · where the shop's own system decides tiers it is followed, by any name a tier has
      Given the programme "cnv-retail" where
        """
        tier_authority = "outside"
        """
      When order A of 0909000006 is delivered and paid: due 3000000
      Then 0909000006 has 300 redeemable and 300 qualifying points and is Member
      When the shop's own system says that 0909000006 is Platinum
      Then 0909000006 has 300 redeemable and 300 qualifying points and is Diamond
      And that the shop's own system says that 0909000006 is Emerald is refused
      And 0909000006 has 300 redeemable and 300 qualifying points and is Diamond

    Scenario: X47 · otherwise its word is refused
      Given the programme "cnv-retail"
      When order A of 0909000007 is delivered and paid: due 100000
      Then that the shop's own system says that 0909000007 is Diamond is refused
      And 0909000007 has 10 redeemable and 10 qualifying points and is Member

  Rule: What orders earn

    Scenario: X10 · a shop may credit an order that is only placed
      Given the programme "cnv-retail" where
        """
        [earning]
        earn_when = "placed"
        """
      When order A of 0909000008 is placed: due 500000
      Then 0909000008 has 50 redeemable and 50 qualifying points and is Member

    Scenario Outline: X30 · what an order earns by: due without shipping, all that is paid, or its lines
      Given the programme "cnv-retail" where
        """
        [earning]
        basis = "<basis>"
        """
      When order A of 0909000009, with these lines, is delivered and paid: due 530000, shipping 30000
        | shirt | 400000 |
        | cap   | 200000 |
      Then order A earned <points> redeemable and <points> qualifying points

      Examples:
        | basis              | points |
        | due_minus_shipping | 50     |
        | paid               | 53     |
        | items              | 60     |

    Scenario: X31 · a shop may round every fraction up
      Given the programme "cnv-retail" where
        """
        [earning]
        round = "ceil"
        """
      When order A of 0909000010 is delivered and paid: due 11000
      Then order A earned 2 redeemable and 2 qualifying points

    Scenario: X31 · or drop it before the tier multiplies, too
      Given the programme "cnv-miniapp" where
        """
        [earning]
        round_stage = "base_then_end"
        """
      And 0909000011 has spent 1000000 before
      When order A of 0909000011 is delivered and paid: due 129900
      Then order A earned 154 redeemable and 129 qualifying points

    Scenario: X25 · who registers is welcomed then, and it goes when their first order does
      Given the programme "cnv-retail" where
        """
        [welcome]
        points = 100
        """
      When 0909000093 registers
      Then 0909000093 has 100 redeemable and 0 qualifying points and is Member
      When 0909000093 registers
      Then 0909000093 has 100 redeemable and 0 qualifying points and is Member
      When order A of 0909000093 is placed: due 500000
      Then the history of 0909000093 is
        | welcome | 100 | 0 |
      When order A is cancelled
      Then 0909000093 has 0 redeemable and 0 qualifying points and is Member
      When order B of 0909000093 is placed: due 500000
      Then 0909000093 has 0 redeemable and 0 qualifying points and is Member

    Scenario: X25 · who registers may have to wait for their first delivery
      Given the programme "cnv-retail" where
        """
        [welcome]
        points = 100
        when = "pending_until_first_delivery"
        """
      When 0909000094 registers
      Then 0909000094 has 0 redeemable and 0 qualifying points and is Member
      And 0909000094 has 100 pending points
      When order A of 0909000094 is delivered and paid: due 500000
      Then 0909000094 has 150 redeemable and 50 qualifying points and is Member
      And 0909000094 has 0 pending points

    Scenario: X25 · welcome points may be given again when the first order comes back
      Given the programme "cnv-retail" where
        """
        [welcome]
        points = 100
        regrant = true
        """
      When order A of 0909000012 is placed: due 500000
      And order A is cancelled
      Then 0909000012 has 0 redeemable and 0 qualifying points and is Member
      When order A is confirmed
      Then 0909000012 has 100 redeemable and 0 qualifying points and is Member

  Rule: What is taken back

    Scenario: X11 · ordering, taking the bonus and cancelling unpaid leaves nothing
      Given the programme "cnv-retail"
      When order old of 0909000013 is delivered and paid: due 100000
      And it is 2026-11-30 08:30
      And order A of 0909000013 is placed: due 300000
      Then 0909000013 has 160 redeemable and 160 qualifying points and is Member
      When order A is cancelled
      Then 0909000013 has 10 redeemable and 10 qualifying points and is Member
      When order B of 0909000013 is placed: due 300000
      And order B is cancelled
      And order C of 0909000013 is placed: due 300000
      Then 0909000013 has 10 redeemable and 10 qualifying points and is Member
      And 0909000013 has used 2 of 2 participations in fast-promotion, exhausted

    Scenario: X22 · a shop may take back only what was not credited yet
      Given the programme "cnv-retail" where
        """
        [reversal]
        negative_balance = "pending_only"
        """
      When order A of 0909000014 is delivered and paid: due 500000
      And order A is cancelled
      Then the history of 0909000014 is
        | accrual  | 50 | 50  |
        | reversal | 0  | -50 |

    Scenario: X22 · or let a member owe so much and no more
      Given the programme "cnv-retail" where
        """
        [reversal]
        negative_balance = "limit(30)"
        """
      When order A of 0909000015 is delivered and paid: due 1500000
      And 0909000015 spends 140 points
      And order A is cancelled
      Then the history of 0909000015 is
        | accrual    | 150  | 150  |
        | redemption | -140 | 0    |
        | reversal   | -40  | -150 |
      When order B of 0909000015 is delivered and paid: due 1200000
      Then 0909000015 has 90 redeemable and 120 qualifying points and is Member

    Scenario: X23 · a shop may take expired points back once more
      Given the programme "cnv-retail" where
        """
        campaigns = []
        [reversal]
        reverse_expired = true
        """
      When order A of 0909000016 is delivered and paid: due 1000000
      And it is 2027-12-02 09:00
      And order A is cancelled
      And order B of 0909000016 is delivered and paid: due 1500000
      Then 0909000016 has 50 redeemable and 150 qualifying points and is Member
      And the history of 0909000016 is
        | accrual    | 100  | 100  |
        | reset      | 0    | -100 |
        | expiration | -100 | 0    |
        | reversal   | -100 | 0    |
        | accrual    | 150  | 150  |

    Scenario Outline: X24 · a return takes what was given back, or the price of what came back
      Given the programme "cnv-retail" where
        """
        [reversal]
        refund = "<choice>"
        """
      When order A of 0909000017, with these lines, is delivered and paid: due 95000
        | shirt | 60000 |
        | cap   | 40000 |
      Then order A earned 9 redeemable and 9 qualifying points
      When the cap of order A comes back and 35000 is given back
      Then 0909000017 has <points> redeemable and <points> qualifying points and is Member

      Examples:
        | choice         | points |
        | amount_prorata | 6      |
        | line_exact     | 5      |

  Rule: The campaign

    Scenario Outline: X14 · weekly messages use no participation, and a shop may limit them
      Given the programme "cnv-retail" where
        """
        [[campaigns]]
        id = "fast-promotion"
        name = "Thăng hạng nhanh"
        <limit>
        """
      When order old of 0909000018 is delivered and paid: due 100000
      And it is 2026-11-30 08:30
      Then 0909000018 was told "campaign_invitation" 1 time
      When it is 2026-12-07 08:30
      And it is 2026-12-14 08:30
      Then 0909000018 was told "campaign_invitation" <times> times
      And 0909000018 has used 0 of 2 participations in fast-promotion, active

      Examples:
        | limit            | times |
        |                  | 3     |
        | max_messages = 2 | 2     |

    Scenario: X33 · a shop may invite only members who are one usual order away from the next tier
      Given the programme "cnv-retail" where
        """
        [[campaigns]]
        id = "fast-promotion"
        name = "Thăng hạng nhanh"
        near_tier_only = true
        """
      When order far of 0909000019 is delivered and paid: due 100000
      And order near of 0909000020 is delivered and paid: due 1500000
      And it is 2026-11-30 08:30
      Then 0909000019 takes part in no campaign
      And 0909000020 has used 0 of 2 participations in fast-promotion, active

  Rule: Messages

    Scenario: X32 · points credited and points taken back have each their own message
      Given the programme "cnv-retail"
      When order A of 0909000021 is delivered and paid: due 500000
      Then 0909000021 was told "order_points_credited" 1 time
      And 0909000021 was told "cancelled_order_points_deducted" 0 times
      When order A is cancelled
      Then 0909000021 was told "order_points_credited" 1 time
      And 0909000021 was told "cancelled_order_points_deducted" 1 time

    Scenario Outline: X34 · a new tier is told when it is higher, or whenever it changes, or never, and brings its voucher all the same
      Given the programme "cnv-retail" where
        """
        campaigns = []
        [notices]
        tier_changed = "<choice>"
        """
      When order A of 0909000022 is delivered and paid: due 2000000
      And order A is cancelled
      Then 0909000022 has 0 redeemable and 0 qualifying points and is Member
      And 0909000022 was told "tier_reached" <reached> times
      And 0909000022 was told "tier_lowered" <lowered> times
      And 0909000022 has the voucher "Quà lên hạng: túi vải hoặc móc khoá"

      Examples:
        | choice  | reached | lowered |
        | upgrade | 1       | 0       |
        | both    | 1       | 1       |
        | none    | 0       | 0       |

    Scenario: X35 · the voucher of a tier is reminded of once after 25 days
      Given the programme "cnv-retail" where
        """
        campaigns = []
        """
      When order A of 0909000023 is delivered and paid: due 2000000
      Then 0909000023 has the voucher "Quà lên hạng: túi vải hoặc móc khoá"
      When it is 2026-12-17 12:00
      Then 0909000023 was told "voucher_reminder" 0 times
      When it is 2026-12-18 12:00
      And it is 2026-12-19 12:00
      Then 0909000023 was told "voucher_reminder" 1 time

    Scenario: X35 · not when it has been used
      Given the programme "cnv-retail" where
        """
        campaigns = []
        """
      When order A of 0909000024 is delivered and paid: due 2000000
      And it is 2026-12-01 12:00
      And 0909000024 uses the voucher "Quà lên hạng: túi vải hoặc móc khoá"
      And it is 2026-12-19 12:00
      Then 0909000024 was told "voucher_reminder" 0 times

    Scenario: X35 · and not when the tier is held no more
      Given the programme "cnv-retail" where
        """
        campaigns = []
        """
      When order A of 0909000025 is delivered and paid: due 2000000
      And order A is cancelled
      And it is 2026-12-19 12:00
      Then 0909000025 has the voucher "Quà lên hạng: túi vải hoặc móc khoá"
      And 0909000025 was told "voucher_reminder" 0 times

    Scenario: X35 · a shop may remind sooner
      Given the programme "cnv-retail" where
        """
        campaigns = []
        [notices]
        voucher_reminder_days = 7
        """
      When order A of 0909000026 is delivered and paid: due 2000000
      And it is 2026-11-30 12:00
      Then 0909000026 was told "voucher_reminder" 1 time

  Rule: Expiry and the order of use

    Scenario: X38 · or a part of a quarter's points goes at the end of each quarter after it
      Given the programme "cnv-retail" where
        """
        campaigns = []

        [expiry]
        model = "quarters"
        percent = 25
        """
      When it is 2027-02-10 10:00
      And order A of 0909000027 is delivered and paid: due 1030000
      And it is 2027-06-30 23:00
      Then 0909000027 has 103 redeemable and 103 qualifying points and is Member
      When it is 2027-07-01 00:30
      Then 0909000027 has 78 redeemable and 103 qualifying points and is Member
      When it is 2027-10-01 00:30
      Then 0909000027 has 52 redeemable and 103 qualifying points and is Member
      When it is 2028-01-01 00:30
      Then 0909000027 has 26 redeemable and 103 qualifying points and is Member
      When it is 2028-04-01 00:30
      Then 0909000027 has 0 redeemable and 0 qualifying points and is Member
      And the history of 0909000027 is
        | accrual    | 103 | 103  |
        | expiration | -25 | 0    |
        | expiration | -26 | 0    |
        | expiration | -26 | 0    |
        | reset      | 0   | -103 |
        | expiration | -26 | 0    |

    Scenario: X23, X38 · a cancel takes the parts that are still there
      Given the programme "cnv-retail" where
        """
        campaigns = []

        [expiry]
        model = "quarters"
        percent = 50
        """
      When it is 2027-02-10 10:00
      And order A of 0909000028 is delivered and paid: due 1000000
      And it is 2027-07-01 12:00
      Then 0909000028 has 50 redeemable and 100 qualifying points and is Member
      When order A is cancelled
      Then 0909000028 has 0 redeemable and 0 qualifying points and is Member
      And the history of 0909000028 is
        | accrual    | 100 | 100  |
        | expiration | -50 | 0    |
        | reversal   | -50 | -100 |

    Scenario: X38 · what a part may be is checked
      Then the programme "cnv-retail" is refused for expiry.percent where
        """
        [expiry]
        model = "quarters"
        percent = 5
        """
      And the programme "cnv-retail" is refused for expiry.percent where
        """
        [expiry]
        model = "quarters"
        quarters_to_live = 2
        percent = 50
        """
      And the programme "cnv-retail" is refused for expiry.percent where
        """
        [expiry]
        months = 12
        percent = 50
        """

    Scenario: X39 · the last valid day may be rounded to the end of the year
      Given the programme "cnv-retail" where
        """
        campaigns = []

        [expiry]
        months = 1
        round_to = "year_end"
        """
      When it is 2026-12-10 10:00
      And order A of 0909000029 is delivered and paid: due 1000000
      And it is 2027-12-31 23:00
      Then 0909000029 has 100 redeemable and 0 qualifying points and is Member
      When it is 2028-01-01 00:30
      Then 0909000029 has 0 redeemable and 0 qualifying points and is Member

    Scenario: X40 · points that never expire are spent last
      Given the programme "cnv-retail" where
        """
        campaigns = []

        [expiry]
        model = "never"

        [[changes]]
        effective_from = "2026-12-01"
        [changes.expiry]
        model = "months"
        months = 1
        round_to = "day"
        """
      When order A of 0909000030 is delivered and paid: due 1000000
      And it is 2026-12-02 09:00
      And order B of 0909000030 is delivered and paid: due 500000
      And 0909000030 spends 50 points
      And it is 2027-01-03 00:30
      Then 0909000030 has 100 redeemable and 150 qualifying points and is Member

  Rule: Deliveries and pauses

    Scenario: X45 · webhooks carry the whole order; that it be asked for again is refused
      Then the programme "cnv-retail" is refused for sources.shopify.refetch where
        """
        [sources.shopify]
        refetch = true
        """

    Scenario: X50 · while a programme is paused deliveries are kept, and decided when it goes on
      Given the programme "cnv-retail" where
        """
        campaigns = []

        [[changes]]
        effective_from = "2026-11-23T09:00:00+07:00"
        paused = true

        [[changes]]
        effective_from = "2026-11-25"
        paused = false
        """
      When order A of 0909000031 is delivered and paid: due 500000
      And it is 2026-11-23 10:00
      And order A is cancelled
      And order B of 0909000031 is delivered and paid: due 200000
      Then 0909000031 has 50 redeemable and 50 qualifying points and is Member
      When it is 2026-11-25 08:00
      And what the pause has kept is taken up
      Then 0909000031 has 20 redeemable and 20 qualifying points and is Member

    Scenario: X50 · a paused campaign enrols, invites and credits nobody; orders that come meanwhile get their bonus when it goes on
      Given the programme "cnv-retail" where
        """
        [[changes]]
        effective_from = "2026-12-01"
        [[changes.campaigns]]
        id = "fast-promotion"
        name = "Thăng hạng nhanh"
        paused = true

        [[changes]]
        effective_from = "2026-12-10"
        [[changes.campaigns]]
        id = "fast-promotion"
        name = "Thăng hạng nhanh"
        """
      When order old of 0909000032 is delivered and paid: due 100000
      And it is 2026-11-30 08:30
      And it is 2026-12-02 09:00
      And order A of 0909000032 is placed: due 300000
      And order B of 0909000032 is placed: due 300000
      And order B is cancelled
      And order C of 0909000033 is delivered and paid: due 100000
      And it is 2026-12-09 23:00
      Then 0909000032 has 10 redeemable and 10 qualifying points and is Member
      And 0909000032 has used 0 of 2 participations in fast-promotion, active
      And 0909000032 was told "campaign_invitation" 1 time
      And 0909000033 takes part in no campaign
      When it is 2026-12-10 08:00
      Then 0909000032 has 160 redeemable and 160 qualifying points and is Member
      And 0909000032 has used 1 of 2 participations in fast-promotion, active
      When it is 2026-12-14 08:30
      Then the history of 0909000032 is
        | accrual | 10  | 10  |
        | bonus   | 150 | 150 |
      And 0909000032 was told "campaign_invitation" 2 times

    Scenario: X50 · a campaign goes on with its orders first, whoever comes before the daily run
      Given the programme "cnv-retail" where
        """
        [[changes]]
        effective_from = "2026-12-01"
        [[changes.campaigns]]
        id = "fast-promotion"
        name = "Thăng hạng nhanh"
        paused = true

        [[changes]]
        effective_from = "2026-12-10"
        [[changes.campaigns]]
        id = "fast-promotion"
        name = "Thăng hạng nhanh"
        """
      When order old of 0909000035 is delivered and paid: due 100000
      And it is 2026-11-30 08:30
      And it is 2026-12-02 09:00
      And order A of 0909000035 is placed: due 300000
      And it is 2026-12-10 00:02
      And order B of 0909000035 is delivered and paid: due 2000000
      Then the history of 0909000035 is
        | accrual | 10  | 10  |
        | bonus   | 150 | 150 |
        | accrual | 200 | 200 |
        | bonus   | 150 | 150 |
      And 0909000035 has 510 redeemable and 510 qualifying points and is Silver
      And 0909000035 has used 2 of 2 participations in fast-promotion, completed

    Scenario: X50 · an order of a pause that is cancelled when the campaign has gone on gives its bonus back
      Given the programme "cnv-retail" where
        """
        [[changes]]
        effective_from = "2026-12-01"
        [[changes.campaigns]]
        id = "fast-promotion"
        name = "Thăng hạng nhanh"
        paused = true

        [[changes]]
        effective_from = "2026-12-10"
        [[changes.campaigns]]
        id = "fast-promotion"
        name = "Thăng hạng nhanh"
        """
      When order old of 0909000036 is delivered and paid: due 100000
      And it is 2026-11-30 08:30
      And it is 2026-12-02 09:00
      And order A of 0909000036 is placed: due 300000
      And it is 2026-12-10 00:02
      And order A is cancelled
      Then the history of 0909000036 is
        | accrual  | 10   | 10   |
        | bonus    | 150  | 150  |
        | reversal | -150 | -150 |
      And 0909000036 has used 1 of 2 participations in fast-promotion, active
