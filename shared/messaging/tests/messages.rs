//! What members read, in both languages, from the entries that made it; and the faults a message file may not have.

use chrono::TimeDelta;
use loyalty_contract::events::{Kind, Why};
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::ids::{OrderId, RuleId};
use loyalty_domain::ledger::{Entry, EntryKind, Reason};
use loyalty_domain::lots::{Expiry, Lot};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::Programme;
use loyalty_messaging::{
    Catalogue, LIST_ITEMS_MAX, Language, Message, Presence, RenderError, Template, Value, messages_of, render, text,
};

const VIETNAMESE: &str = include_str!("../messages/vi.toml");
const PROGRAMME: &str = include_str!("../../../infra/programmes/cnv-retail.toml");

fn programme() -> Programme {
    let file = ProgrammeFile::parse(PROGRAMME).unwrap();
    file.at("2026-11-23T01:15:00Z".parse().unwrap()).programme.clone()
}

/// An order of a Silver member that brought 150 points; 362 and 362 after it.
fn accrual() -> Entry {
    Entry {
        member_id: "m_4f0c2d9e8b7a6153".into(),
        seq: 7,
        kind: EntryKind::Accrual,
        legs: Legs::new(1_150, 150),
        balance_after: Legs::new(1_362, 362),
        lots: vec![Lot { expiry: Expiry::On("2027-11-30".parse().unwrap()), points: 1_150 }],
        written_off: Legs::ZERO,
        tier_before: "silver".into(),
        tier_after: "silver".into(),
        order_id: Some(OrderId::from("standard:DH-1001")),
        rule: RuleId::base(),
        reason: Reason::OrderEarned,
        reverses: None,
        request_id: None,
        note: None,
        wallet: None,
        opened: None,
        merge: None,
        participations: Vec::new(),
        explanation: None,
        programme_version: "cnv-retail@6f1c".into(),
        occurred_at: "2026-11-23T01:15:00Z".parse().unwrap(),
        recorded_at: "2026-11-23T01:15:07Z".parse().unwrap(),
    }
}

/// The order of [`accrual`], cancelled after 1.000 of its points were spent.
fn reversal(reason: Reason) -> Entry {
    Entry {
        seq: 9,
        kind: EntryKind::Reversal,
        legs: Legs::new(-1_150, -150),
        balance_after: Legs::new(-788, 62),
        lots: Vec::new(),
        tier_after: "member".into(),
        reason,
        reverses: Some(7),
        ..accrual()
    }
}

fn welcome() -> Entry {
    Entry {
        seq: 1,
        kind: EntryKind::Welcome,
        legs: Legs::new(100, 0),
        balance_after: Legs::new(100, 0),
        lots: vec![Lot { expiry: Expiry::On("2027-11-30".parse().unwrap()), points: 100 }],
        tier_before: "member".into(),
        tier_after: "member".into(),
        rule: RuleId::welcome(),
        reason: Reason::WelcomePoints,
        ..accrual()
    }
}

fn message_of(entry: &Entry, programme: &Programme) -> Option<Message> {
    messages_of(&[entry], |_| programme).next().map(|(_, message)| message)
}

fn message(entry: &Entry) -> Message {
    message_of(entry, &programme()).expect("the entry makes a message")
}

/// The message of an entry, as read in a language.
fn check(entry: &Entry, language: Language, expected: &str) {
    let message = message(entry);
    assert_eq!(render(language, message.template, &message.variables).unwrap(), expected);
}

#[test]
fn d2_an_order_that_earned_tells_what_it_brought_and_what_is_ahead() {
    check(
        &accrual(),
        Language::Vietnamese,
        "🎉 Cảm ơn bạn đã mua sắm! Đơn hàng DH-1001 vừa mang về cho bạn:
• 1.150 điểm tích lũy để đổi quà và ưu đãi
• 150 điểm xét hạng
Số điểm tích lũy vừa cộng dùng được đến hết ngày 30/11/2027.
Số dư điểm tích lũy của bạn: 1.362 điểm.
Bạn đang ở hạng Silver.
Quyền lợi của bạn: Mã giảm giá nhỏ mỗi tháng; Quà nhẹ hoặc voucher khi lên hạng; Voucher sinh nhật 5–10%.
🌟 Chỉ cần thêm 338 điểm xét hạng nữa là bạn lên hạng Gold.
Mua sắm thêm khoảng 3.380.000đ là đủ.
Lên hạng Gold, bạn sẽ có: Mã giảm giá 10–15% mỗi tháng; Voucher 10% hoặc 50.000–100.000đ khi lên hạng; \
         Voucher sinh nhật 10–15% và quà nhỏ.",
    );
    check(
        &accrual(),
        Language::English,
        "🎉 Thank you for shopping with us! Order DH-1001 has just brought you:
• 1,150 points to spend on rewards
• 150 points towards your tier
The points to spend are good until the end of 30 November 2027.
Your balance: 1,362 points to spend.
Your tier is Silver.
Your benefits: Mã giảm giá nhỏ mỗi tháng; Quà nhẹ hoặc voucher khi lên hạng; Voucher sinh nhật 5–10%.
🌟 Only 338 points more towards your tier and you reach Gold.
Shopping for about 3,380,000 VND will do it.
At Gold you will enjoy: Mã giảm giá 10–15% mỗi tháng; Voucher 10% hoặc 50.000–100.000đ khi lên hạng; \
         Voucher sinh nhật 10–15% và quà nhỏ.",
    );
}

#[test]
fn at_the_top_there_is_nothing_more_to_reach() {
    let entry = Entry {
        balance_after: Legs::new(1_362, 1_800),
        tier_after: "diamond".into(),
        legs: Legs::new(1, 0),
        lots: Vec::new(),
        ..accrual()
    };
    check(
        &entry,
        Language::Vietnamese,
        "🎉 Cảm ơn bạn đã mua sắm! Đơn hàng DH-1001 vừa mang về cho bạn:
• 1 điểm tích lũy để đổi quà và ưu đãi
Số dư điểm tích lũy của bạn: 1.362 điểm.
Bạn đang ở hạng Diamond.
Quyền lợi của bạn: Combo VIP và giảm sâu mỗi tháng, ưu tiên xử lý đơn; 1 lượt mini game hoặc voucher VIP khi lên \
         hạng; Combo VIP sinh nhật: quà và voucher 15%.
👑 Diamond là hạng cao nhất của chương trình. Cảm ơn bạn đã luôn đồng hành!",
    );
    let english = render(Language::English, Template::OrderPointsCredited, &message(&entry).variables).unwrap();
    assert!(english.contains("• 1 point to spend on rewards\n"), "{english}");
    assert!(english.ends_with("👑 Diamond is our highest tier. Thank you for staying with us!"), "{english}");
}

#[test]
fn r9_a_cancelled_order_says_why_and_what_is_left() {
    check(
        &reversal(Reason::OrderCancelled),
        Language::Vietnamese,
        "Chào bạn, đơn hàng DH-1001 đã được hủy. Số điểm đã cộng trước đó được điều chỉnh như sau:
• Trừ 1.150 điểm tích lũy
• Trừ 150 điểm xét hạng
Số dư điểm tích lũy của bạn: 0 điểm.
Bạn tạm thời còn thiếu 788 điểm; điểm của những đơn tiếp theo sẽ tự động bù, bạn không cần làm gì thêm.
Trước khi điều chỉnh, bạn ở hạng Silver.
Bạn đang ở hạng Member.
Quyền lợi của bạn: Ưu đãi chung của cửa hàng; Voucher 5% trong tháng sinh nhật.
🌟 Chỉ cần thêm 138 điểm xét hạng nữa là bạn lên hạng Silver.
Mua sắm thêm khoảng 1.380.000đ là đủ.
Lên hạng Silver, bạn sẽ có: Mã giảm giá nhỏ mỗi tháng; Quà nhẹ hoặc voucher khi lên hạng; Voucher sinh nhật 5–10%.
Rất mong được phục vụ bạn ở đơn hàng tiếp theo!",
    );
    check(
        &reversal(Reason::OrderCancelled),
        Language::English,
        "Hello, order DH-1001 was cancelled. The points it had brought you have been adjusted:
• 1,150 points to spend deducted
• 150 points towards your tier deducted
Your balance: 0 points to spend.
You are 788 points short for now; your next orders make up for it by themselves, and you need not do anything.
Before the adjustment your tier was Silver.
Your tier is Member.
Your benefits: Ưu đãi chung của cửa hàng; Voucher 5% trong tháng sinh nhật.
🌟 Only 138 points more towards your tier and you reach Silver.
Shopping for about 1,380,000 VND will do it.
At Silver you will enjoy: Mã giảm giá nhỏ mỗi tháng; Quà nhẹ hoặc voucher khi lên hạng; Voucher sinh nhật 5–10%.
We look forward to your next order!",
    );
}

#[test]
fn r9_what_one_decision_takes_back_of_an_order_is_told_once() {
    let base = reversal(Reason::OrderCancelled);
    let after = Legs::new(base.balance_after.redeemable.0 - 150, base.balance_after.qualifying.0 - 150);
    let bonus = Entry {
        seq: base.seq + 1,
        rule: RuleId::new("fast-promotion"),
        legs: Legs::new(-150, -150),
        tier_before: base.tier_after.clone(),
        balance_after: after,
        ..base.clone()
    };
    let later = Entry { seq: bonus.seq + 1, recorded_at: bonus.recorded_at + TimeDelta::seconds(1), ..bonus.clone() };
    let programme = programme();
    for entries in [[&base, &bonus, &later], [&bonus, &base, &later]] {
        let told: Vec<_> = messages_of(&entries, |_| &programme).map(|(_, message)| message).collect();
        assert_eq!(told.len(), 2);
        let points = |name: &str| told[0].variables.get(name).cloned();
        assert_eq!(told[0].seq, Some(bonus.seq));
        assert_eq!(points("points"), Some(Value::Number(-base.legs.redeemable.0 + 150)));
        assert_eq!(points("balance"), Some(Value::Number(after.redeemable.0.max(0))));
        assert_eq!(told[1].seq, Some(later.seq));
    }
}

#[test]
fn r9_every_reversal_names_its_own_cause() {
    for (reason, vietnamese, english) in [
        (Reason::OrderReturned, "đã được trả lại.", "was returned."),
        (Reason::OrderPartlyReturned, "đã được trả lại một phần.", "was partly returned."),
        (Reason::OrderRefunded, "đã được hoàn tiền.", "was refunded."),
        (Reason::OrderAmountLowered, "có giá trị thanh toán thấp hơn trước.", "now comes to a lower amount."),
        (Reason::OrderNoLongerEarns, "không còn đủ điều kiện tích điểm.", "no longer qualifies for points."),
        (
            Reason::FirstOrderUndone,
            "là đơn đầu tiên của bạn nhưng không hoàn tất.",
            "was your first one and was not completed.",
        ),
    ] {
        let message = message(&reversal(reason));
        let said = render(Language::Vietnamese, message.template, &message.variables).unwrap();
        assert!(said.starts_with(&format!("Chào bạn, đơn hàng DH-1001 {vietnamese} ")), "{said}");
        let said = render(Language::English, message.template, &message.variables).unwrap();
        assert!(said.starts_with(&format!("Hello, order DH-1001 {english} ")), "{said}");
    }
}

#[test]
fn p14_welcome_points_are_a_first_gift() {
    check(
        &welcome(),
        Language::Vietnamese,
        "👋 Chào mừng bạn đến với chương trình khách hàng thân thiết!
Món quà đầu tiên dành cho bạn: 100 điểm tích lũy để đổi quà và ưu đãi.
Bạn dùng được đến hết ngày 30/11/2027.
Số dư điểm tích lũy của bạn: 100 điểm.
Bạn đang ở hạng Member.
Quyền lợi của bạn: Ưu đãi chung của cửa hàng; Voucher 5% trong tháng sinh nhật.
🌟 Chỉ cần thêm 200 điểm xét hạng nữa là bạn lên hạng Silver.
Mua sắm thêm khoảng 2.000.000đ là đủ.
Lên hạng Silver, bạn sẽ có: Mã giảm giá nhỏ mỗi tháng; Quà nhẹ hoặc voucher khi lên hạng; Voucher sinh nhật 5–10%.",
    );
}

#[test]
fn only_points_that_an_order_or_the_welcome_moved_make_a_message() {
    for kind in [EntryKind::Redemption, EntryKind::Restoration, EntryKind::Expiration] {
        assert_eq!(message_of(&Entry { kind, ..accrual() }, &programme()), None);
    }
    let written_off = Entry { legs: Legs::ZERO, written_off: Legs::new(150, 0), ..reversal(Reason::OrderCancelled) };
    assert_eq!(message_of(&written_off, &programme()), None);
}

#[test]
fn where_a_member_stood_before_these_books_is_no_news() {
    let opening = Entry { kind: EntryKind::Opening, reason: Reason::OpeningBalance, order_id: None, ..accrual() };
    assert_eq!(message_of(&opening, &programme()), None);
}

#[test]
fn the_same_entry_makes_the_same_message() {
    assert_eq!(message(&accrual()), message(&accrual()));
    assert_eq!(message(&accrual()).message_id, "m_4f0c2d9e8b7a6153:7:order_points_credited");
}

#[test]
fn the_way_to_the_next_tier_is_its_threshold_less_what_is_there() {
    let ahead = |tier: &str, qualifying: i64| {
        let entry = Entry { tier_after: tier.into(), balance_after: Legs::new(0, qualifying), ..accrual() };
        let variables = message(&entry).variables;
        (variables.get("points_to_next_tier").cloned(), variables.get("spend_to_next_tier").cloned())
    };
    let expected = |points: i64| {
        let spend = Value::Money { amount_minor: points * 10_000, currency: "VND".to_owned() };
        (Some(Value::Number(points)), Some(spend))
    };
    assert_eq!(ahead("member", 0), expected(200));
    assert_eq!(ahead("member", 199), expected(1));
    assert_eq!(ahead("silver", 200), expected(500));
    assert_eq!(ahead("gold", -5), expected(1_805));
    assert_eq!(ahead("diamond", 1_800), (None, None));
    // A tier that this programme does not have leads nowhere, and a threshold already reached is no goal.
    assert_eq!(ahead("platinum", 0), (None, None));
    assert_eq!(ahead("member", 200), (None, None));
}

#[test]
fn a_message_names_few_benefits() {
    let mut programme = programme();
    let mut tiers = programme.tiers.as_slice().to_vec();
    for tier in &mut tiers {
        tier.benefits = (0..100).map(|at| format!("benefit {at}")).collect();
    }
    programme.tiers = loyalty_domain::programme::Tiers::new(tiers).unwrap();
    let message = message_of(&accrual(), &programme).unwrap();
    for list in ["benefits", "next_tier_benefits"] {
        assert!(matches!(&message.variables[list], Value::List(items) if items.len() == LIST_ITEMS_MAX));
    }
}

#[test]
fn variables_are_read_from_a_row_as_they_were_written() {
    for entry in [accrual(), reversal(Reason::OrderReturned), welcome()] {
        let variables = message(&entry).variables;
        let row = serde_json::to_value(&variables).unwrap();
        assert_eq!(serde_json::from_value::<loyalty_messaging::Variables>(row).unwrap(), variables);
    }
}

#[test]
fn variables_that_do_not_fit_are_refused() {
    let good = message(&accrual()).variables;
    let render = |variables| render(Language::Vietnamese, Template::OrderPointsCredited, &variables);
    let with = |name: &str, value| {
        let mut variables = good.clone();
        variables.insert(name.to_owned(), value);
        variables
    };
    let template = "order_points_credited";
    for variable in Template::OrderPointsCredited.variables().filter(|known| known.presence == Presence::Always) {
        let mut variables = good.clone();
        variables.remove(variable.name);
        assert_eq!(render(variables), Err(RenderError::Missing { template, variable: variable.name.to_owned() }));
    }
    let unknown = render(with("name", Value::Text("Lan".to_owned())));
    assert_eq!(unknown, Err(RenderError::Unknown { template, variable: "name".to_owned() }));
    for (name, value) in [
        ("balance", Value::Number(-1)),
        ("balance", Value::Text("362".to_owned())),
        ("expires_on", Value::Text("soon".to_owned())),
        ("spend_to_next_tier", Value::Money { amount_minor: 1, currency: "đồng".to_owned() }),
    ] {
        assert!(matches!(render(with(name, value)), Err(RenderError::WrongType { .. })), "{name}");
    }
}

#[test]
fn what_a_value_says_is_not_read_as_a_variable() {
    let entry = Entry { order_id: Some(OrderId::from("standard:{balance}")), ..accrual() };
    let message = message(&entry);
    let said = render(Language::Vietnamese, message.template, &message.variables).unwrap();
    assert!(said.contains("Đơn hàng {balance} vừa"), "{said}");
}

#[test]
fn every_word_of_the_ledger_has_a_text_in_both_languages() {
    for language in Language::ALL {
        for word in Kind::ALL.iter().map(|kind| kind.word()).chain(Why::ALL.iter().map(|why| why.word())) {
            assert!(text(language, word).is_some(), "{word}");
        }
    }
    assert_eq!(text(Language::Vietnamese, "order_cancelled"), Some("Trừ điểm vì đơn hàng đã hủy"));
    assert_eq!(text(Language::English, "accrual"), Some("Points earned"));
    assert_eq!(text(Language::Vietnamese, "order_points_credited"), None);
}

/// The Vietnamese file with one thing changed has exactly the faults named.
fn check_faults(from: &str, to: &str, expected: &[&str]) {
    assert!(VIETNAMESE.contains(from), "{from}");
    let faults = Catalogue::parse(Language::Vietnamese, &VIETNAMESE.replacen(from, to, 1)).unwrap_err();
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, expected);
}

#[test]
fn a_file_that_does_not_fit_the_code_is_refused() {
    check_faults("accrual = ", "accruals = ", &["kinds.accrual: is missing", "kinds.accruals: is not known"]);
    check_faults("\"Đổi điểm\"", "\" \"", &["kinds.redemption: is empty"]);
    check_faults("points_spent = ", "x = ", &["reasons.points_spent: is missing", "reasons.x: is not known"]);
    check_faults(
        "[templates.welcome_points_credited]",
        "[templates.welcome]",
        &["templates.welcome: is not known", "templates.welcome_points_credited: is missing"],
    );
    check_faults(
        "{qualifying_points} xét hạng\",\n  \"Số điểm",
        "{qualifying} xét hạng\",\n  \"Số điểm",
        &[
            "templates.order_points_credited: no line uses `{qualifying_points}`",
            "templates.order_points_credited: there is no variable `qualifying`: • {qualifying} xét hạng",
        ],
    );
    check_faults(
        "Rất mong",
        "}Rất mong",
        &["templates.cancelled_order_points_deducted: a brace without its other half: \
           }Rất mong được phục vụ bạn ở đơn hàng tiếp theo!"],
    );
    check_faults(
        "  \"@standing\",\n  \"Rất mong",
        "  \"@standing\",\n  \"@thanks\",\n  \"Rất mong",
        &["templates.cancelled_order_points_deducted: there is no part `thanks`"],
    );
    check_faults("[parts]\n", "[parts]\nthanks = []\n", &["parts.thanks: no template uses it"]);
}
