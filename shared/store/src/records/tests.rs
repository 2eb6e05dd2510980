//! Rows stay under 1 KB, the size of one write unit, with ids as long as shops really have; and they are read back as
//! they were written.

use loyalty_domain::campaign::{ParticipationNote, ParticipationState};
use loyalty_domain::criteria::CycleSums;
use loyalty_domain::ids::TierId;
use loyalty_domain::item_rules::{Effect, ItemRule, PinnedRules, Several};
use loyalty_domain::ledger::{Entry, EntryKind, Explanation, Reason};
use loyalty_domain::lots::{Expiry, Lot, Lots};
use loyalty_domain::member::{Member, Profile};
use loyalty_domain::money::Currency;
use loyalty_domain::order::{Credit, Order, OrderFacts, OrderStatus, Owner, PaymentStatus, Terms, TermsAmount};
use loyalty_domain::points::{Legs, Ratio};
use loyalty_domain::programme::{EarnWhen, NegativeBalance, Programme, RefundRule, ReversalRules, Tier, Tiers};
use loyalty_domain::time::Instant;

use super::{decode_entry, decode_member, decode_order, encode_entry, encode_member, encode_order};
use crate::item::size;

const WRITE_UNIT_BYTES: usize = 1024;

const MEMBER_ID: &str = "m_mqnvnqzgplencyw4wnacqowt52";
const ORDER_ID: &str = "woocommerce:gid-6238791237984-1001";
const VERSION: &str = "cnv-retail-by-tier@6f1c22d09ab7e3f4";

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn facts() -> OrderFacts {
    OrderFacts {
        wallet_minor: 0,
        updated_at: at("2026-11-23T01:15:27.250Z"),
        status: OrderStatus::Delivered,
        payment: PaymentStatus::PartiallyRefunded,
        refunded_minor: 1_234_567,
        refunded_lines_minor: Some(1_234_567),
        due_minor: 123_456_789,
        shipping_minor: 123_456,
        items_minor: Some(123_456_789),
        currency: Currency::VND,
        placed_at: at("2026-11-20T01:15:27.250Z"),
    }
}

fn base() -> Terms {
    Terms {
        programme_version: VERSION.into(),
        currency: Currency::VND,
        tier: "diamond".into(),
        amount: TermsAmount::Earned {
            rate: Ratio::new(1, 10_000).unwrap(),
            redeemable_multiplier: Ratio::new(3, 2).unwrap(),
            qualifying_multiplier: Ratio::ONE,
            basis: Default::default(),
            earn_when: Default::default(),
            round: Default::default(),
            round_stage: Default::default(),
        },
        reversal: ReversalRules::default(),
        rules: PinnedRules::default(),
        expiry: Expiry::On("2027-11-30".parse().unwrap()),
        cycle_start: "2026-11-23".parse().unwrap(),
    }
}

fn welcome() -> Terms {
    Terms {
        amount: TermsAmount::Fixed { legs: Legs::new(100, 0), pending_until: None },
        reversal: ReversalRules { no_recredit_after_cancel: true, ..ReversalRules::default() },
        ..base()
    }
}

fn credited(rule: &str, terms: Terms, posted: i64, seq: u64) -> Credit {
    let mut credit = Credit::new(rule.into(), terms);
    (credit.posted, credit.last_credit_seq, credit.generation) = (Legs::new(posted, posted), seq, 1);
    credit.in_cycle.qualifying = posted;
    credit
}

fn order() -> Order {
    Order {
        owner: Some(Owner { member_id: MEMBER_ID.into(), named_at: at("2026-11-23T01:15:27.250Z") }),
        credits: vec![credited("welcome", welcome(), 100, 1), credited("base", base(), 18_333, 2)],
        spent_minor: 122_098_766,
        counted: true,
        ..Order::unseen(ORDER_ID.into(), facts())
    }
}

fn entry() -> Entry {
    Entry {
        member_id: MEMBER_ID.into(),
        seq: 123_456,
        kind: EntryKind::Reversal,
        legs: Legs::new(-18_333, -12_222),
        balance_after: Legs::new(-12_345, 123_456),
        lots: vec![Lot { expiry: base().expiry, points: -18_333 }],
        written_off: Legs::ZERO,
        tier_before: TierId::new("diamond"),
        tier_after: TierId::new("silver"),
        order_id: Some(ORDER_ID.into()),
        rule: "base".into(),
        reason: Reason::OrderNoLongerEarns,
        reverses: Some(123_455),
        request_id: None,
        note: None,
        wallet: None,
        opened: None,
        merge: None,
        participations: vec![ParticipationNote {
            campaign: "fast-promotion".into(),
            granted: 2,
            used: 1,
            state: ParticipationState::Completed,
        }],
        explanation: Some(Explanation {
            imported: None,
            terms: base(),
            facts: facts(),
            matched: Vec::new(),
            deserves: Legs::new(18_333, 12_222),
            cycle_start: base().cycle_start,
        }),
        programme_version: VERSION.into(),
        occurred_at: at("2026-11-23T01:15:27.250Z"),
        recorded_at: at("2026-11-23T01:15:34.250Z"),
    }
}

fn member() -> Member {
    let month = |month: u32| Lot {
        expiry: Expiry::On(chrono::NaiveDate::from_ymd_opt(2027 + month as i32 / 12, month % 12 + 1, 28).unwrap()),
        points: 12_345,
    };
    Member {
        member_id: MEMBER_ID.into(),
        last_seq: 123_456,
        activated_at: at("2026-11-23T01:15:27.250Z"),
        as_of: at("2027-11-23T01:15:27.250Z"),
        balance: Legs::new(13 * 12_345, 123_456),
        lots: Lots::from_rows((0..13).map(month)).unwrap(),
        pending_points: 100,
        spent_minor: 1_234_567_890,
        orders_count: 123_456,
        tier: "diamond".into(),
        tier_since: at("2026-12-23T01:15:27.250Z"),
        month_tier: Some("gold".into()),
        tier_floor: "diamond".into(),
        lost_tier: None,
        tier_asked: Some(1_800),
        tier_told_at: None,
        cycle_start: "2026-11-23".parse().unwrap(),
        cycle: CycleSums { spent_minor: 234_567_890, orders: 3_456, ..CycleSums::default() },
        review_on: "2027-11-23".parse().unwrap(),
        in_grace: false,
        noticed_to: "2026-11-23".parse().unwrap(),
        expiring_told_to: Some("2026-11-30".parse().unwrap()),
        risk_told_for: Some("2027-11-23".parse().unwrap()),
        active_campaigns: vec!["fast-promotion".into()],
        waits_for: vec!["fast-promotion".into()],
        last_ordered_at: Some(at("2027-11-22T01:15:27.250Z")),
        first_ordered_at: None,
        holds: Vec::new(),
        wallet_minor: 0,
        first_order: Some(ORDER_ID.into()),
        welcome: None,
        erased_at: Some("2026-11-20T08:00:00Z".parse().unwrap()),
        merged: None,
        merged_from: Vec::new(),
        profile_told_at: None,
        profile: Profile {
            name: Some("Công Tằng Tôn Nữ Thị Phương Thảo Nguyên".to_owned()),
            phone: Some("84901234567".to_owned()),
            email: Some("phuongthao@example.com.vn".to_owned()),
            birthday: "1990-05-20".parse().ok(),
        },
    }
}

fn programme() -> Programme {
    let tiers = Tiers::new(vec![Tier::new("member".into(), "Member", 0, Ratio::ONE)]).unwrap();
    let rate = Ratio::new(1, 10_000).unwrap();
    Programme::new(VERSION.into(), Currency::VND, chrono_tz::Asia::Ho_Chi_Minh, rate, tiers)
}

fn check_size(what: &str, bytes: usize) {
    assert!(bytes <= WRITE_UNIT_BYTES, "{what} takes {bytes} bytes: more than one write unit");
}

#[test]
fn a_member_with_thirteen_lots_and_a_long_name_fits_one_write_unit() {
    check_size("the member", size(&encode_member(&member(), 123_456, &programme())));
}

#[test]
fn an_order_with_two_credits_fits_one_write_unit() {
    check_size("the order", size(&encode_order(&order(), 12)));
}

#[test]
fn an_entry_fits_one_write_unit() {
    check_size("the entry", size(&encode_entry(&entry())));
}

#[test]
fn rows_are_read_as_they_were_written() {
    let read = decode_member(encode_member(&member(), 7, &programme())).unwrap();
    assert_eq!((read.row, read.revision), (member(), 7));
    let read = decode_order(encode_order(&order(), 8)).unwrap();
    assert_eq!((read.row, read.revision), (order(), 8));
    assert_eq!(decode_entry(encode_entry(&entry())).unwrap(), entry());
}

/// Nothing that differs from the defaults is lost with them.
#[test]
fn terms_other_than_the_defaults_are_kept() {
    let mut order = order();
    order.pending_points = 100;
    order.ever_undone = true;
    order.credits[0].terms.amount =
        TermsAmount::Fixed { legs: Legs::new(100, 0), pending_until: Some(EarnWhen::Delivered) };
    let credit = &mut order.credits[1];
    credit.first_expiry = Expiry::On("2027-01-31".parse().unwrap());
    credit.in_cycle.qualifying += 7;
    credit.released = true;
    credit.written_off = Legs::new(3, 4);
    credit.expired_written_off = 2;
    credit.terms.expiry = Expiry::Never;
    credit.terms.reversal = ReversalRules {
        requires_paid: true,
        refund: RefundRule::LineExact,
        negative_balance: NegativeBalance::Limit(50),
        reverse_expired: true,
        no_recredit_after_cancel: true,
        late_debits_current: true,
        restores_participation: true,
    };
    credit.terms.amount = TermsAmount::Earned {
        rate: Ratio::new(1, 1000).unwrap(),
        redeemable_multiplier: Ratio::new(6, 5).unwrap(),
        qualifying_multiplier: Ratio::new(6, 5).unwrap(),
        basis: loyalty_domain::programme::Basis::Items,
        earn_when: EarnWhen::Placed,
        round: loyalty_domain::points::Rounding::HalfUp,
        round_stage: loyalty_domain::programme::RoundStage::BaseThenEnd,
    };
    let rule = |effect| ItemRule {
        id: "shirts".into(),
        skus: vec!["A1".to_owned()],
        categories: vec!["shirts".to_owned()],
        order_min_minor: 500_000,
        effect,
    };
    credit.terms.rules = PinnedRules {
        several: Several::Best,
        rules: vec![
            rule(Effect::Multiply { factor: Ratio::new(3, 2).unwrap(), qualifying_too: true }),
            rule(Effect::Exclude),
            rule(Effect::Add { legs: Legs::new(5, 0) }),
        ],
    };
    order.items = vec![loyalty_domain::item_rules::Item {
        sku: Some("A1".to_owned()),
        category: None,
        minor: 7,
        returned_minor: 3,
    }];
    (order.wallet_minor, order.facts.wallet_minor) = (9, 9);
    order.vouchers = vec!["v_1".into()];
    assert_eq!(decode_order(encode_order(&order, 1)).unwrap().row, order);
    let mut entry = entry();
    entry.explanation.as_mut().unwrap().matched = vec![500_000, 300_000];
    assert_eq!(decode_entry(encode_entry(&entry)).unwrap(), entry);
}

#[test]
fn what_was_done_in_a_cycle_is_kept() {
    let mut member = member();
    member.cycle.behaviours = [("combo".into(), 2), ("review".into(), 1)].into();
    (member.lost_tier, member.tier_told_at) = (Some("gold".into()), Some(at("2026-12-23T01:15:27.250Z")));
    member.welcome = Some(Box::new(credited("welcome", welcome(), 100, 1)));
    assert_eq!(decode_member(encode_member(&member, 1, &programme())).unwrap().row, member);
}

#[test]
fn a_row_that_makes_no_sense_is_not_read() {
    let broken = |name: &str| {
        let mut item = encode_order(&order(), 1);
        item.remove(name);
        decode_order(item).is_err()
    };
    for name in ["order_id", "revision", "named_at", "member_id", "facts", "credits", "counted"] {
        assert!(broken(name), "{name}");
    }
}
