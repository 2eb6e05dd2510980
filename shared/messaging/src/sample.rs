//! Messages as examples: what a shop looks at before its programme goes live, and what limits are measured with.

use loyalty_domain::programme::{Programme, Tier};

use crate::compose::{LIST_ITEMS_MAX, shown};
use crate::template::{Presence, Template, Value, ValueKind, Variable, Variables};

/// Who reads the examples.
pub const SAMPLE_NAME: &str = "Nguyễn Thị Lan";
/// Of a voucher, as long as they are.
const CODE: &str = "ABCD2345WXYZ";
/// As long as the numbers that shop systems count orders with; a shop may have longer ones, which nobody can know here.
const LONGEST_ORDER: &str = "10000000000000000001";

/// How much an example has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Only what every message of the template has.
    Least,
    /// Everything it may have, even what no single message has at once.
    Everything,
}

/// The variables of an example, with the tiers of a programme.
pub fn sample(template: Template, programme: &Programme, extent: Extent) -> Variables {
    let wanted = template.variables().filter(|one| extent == Extent::Everything || one.presence == Presence::Always);
    wanted.map(|variable| (variable.name.to_owned(), example(variable, programme))).collect()
}

/// As [`sample`], with figures and numbers of orders as long as a shop will see, and all vouchers that come at once.
pub fn longest(template: Template, programme: &Programme) -> Variables {
    let mut variables = sample(template, programme, Extent::Everything);
    for variable in template.variables() {
        let figure = match variable.kind {
            ValueKind::Points => Value::Number(9_999_999),
            ValueKind::Count => Value::Number(999),
            ValueKind::Money => money(programme, 999_999_999),
            // The month with the longest name.
            ValueKind::Date => Value::Text("2027-09-30".to_owned()),
            ValueKind::Text if variable.name == "order" => Value::Text(LONGEST_ORDER.to_owned()),
            ValueKind::List if variable.name == "vouchers" => match longest_vouchers(template, programme) {
                Some(vouchers) => Value::List(vouchers),
                None => continue,
            },
            ValueKind::Text | ValueKind::List | ValueKind::Cause => continue,
        };
        variables.insert(variable.name.to_owned(), figure);
    }
    variables
}

/// The vouchers that the tier with most to say gives at once by a message; none, where no tier gives any.
fn longest_vouchers(template: Template, programme: &Programme) -> Option<Vec<String>> {
    let given = programme.tiers.as_slice().iter().map(|tier| match template {
        Template::TierReached => &tier.on_reaching,
        Template::BirthdayVouchers => &tier.birthday,
        Template::MonthlyVouchers => &tier.monthly,
        _ => &[][..],
    });
    let shown = given.map(|offers| offers.iter().map(|offer| shown(&offer.name, CODE)).collect::<Vec<_>>());
    shown.filter(|vouchers| !vouchers.is_empty()).max_by_key(|vouchers| vouchers.join("; ").chars().count())
}

/// Whether a part of a value would say something else than the whole: figures, dates, codes and numbers of orders.
pub fn is_exact(variable: Variable) -> bool {
    match variable.kind {
        ValueKind::Points | ValueKind::Count | ValueKind::Money | ValueKind::Date => true,
        ValueKind::Text => matches!(variable.name, "code" | "order"),
        // Each with its code.
        ValueKind::List => variable.name == "vouchers",
        ValueKind::Cause => false,
    }
}

fn example(variable: Variable, programme: &Programme) -> Value {
    let tiers = programme.tiers.as_slice();
    let held = tiers.get(1).or(tiers.first());
    let next = tiers.get(2).or(tiers.last());
    let name = |tier: Option<&Tier>| tier.map_or_else(|| "Member".to_owned(), |tier| tier.name.clone());
    match variable.kind {
        ValueKind::Points => Value::Number(match variable.name {
            "balance" => 1_362,
            "points" => 1_150,
            "points_to_next_tier" => 338,
            _ => 150,
        }),
        ValueKind::Count => Value::Number(2),
        ValueKind::Money => money(programme, 3_380_000),
        ValueKind::Date => Value::Text("2027-11-30".to_owned()),
        ValueKind::Cause => Value::Text("order_cancelled".to_owned()),
        ValueKind::Text => Value::Text(match variable.name {
            "order" => "DH-1001".to_owned(),
            "next_tier" => name(next),
            "top_tier" => name(tiers.last()),
            "tier_before" => name(tiers.first()),
            "campaign" => programme.campaigns.first().map_or("Lên hạng nhanh", |one| &one.name).to_owned(),
            "behaviour" => programme.behaviours.first().map_or("Đánh giá", |one| &one.name).to_owned(),
            "voucher" => "Giảm 10%".to_owned(),
            "code" => CODE.to_owned(),
            _ => name(held),
        }),
        ValueKind::List => Value::List(match variable.name {
            "benefits" => benefits(held),
            "next_tier_benefits" => benefits(next),
            _ => vec![shown("Giảm 10%", CODE), shown("Tặng 50.000đ", "EFGH6723STUV")],
        }),
    }
}

fn benefits(tier: Option<&Tier>) -> Vec<String> {
    let named: Vec<_> = tier.into_iter().flat_map(|tier| &tier.benefits).take(LIST_ITEMS_MAX).cloned().collect();
    if named.is_empty() { vec!["Voucher sinh nhật 10%".to_owned()] } else { named }
}

/// Minor units of the programme's currency.
fn money(programme: &Programme, amount_minor: i64) -> Value {
    Value::Money { amount_minor, currency: programme.currency.code().to_owned() }
}
