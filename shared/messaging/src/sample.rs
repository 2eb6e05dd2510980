//! Messages as examples: what a shop looks at before its programme goes live, and what limits are measured with.

use loyalty_domain::programme::{Programme, Tier};

use crate::compose::LIST_ITEMS_MAX;
use crate::template::{Presence, Template, Value, ValueKind, Variable, Variables};

/// Who reads the examples.
pub const SAMPLE_NAME: &str = "Nguyễn Thị Lan";
/// Of a voucher, as long as they are.
const CODE: &str = "ABCD2345WXYZ";

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

/// As [`sample`], with figures as large as a shop will see.
pub fn longest(template: Template, programme: &Programme) -> Variables {
    let mut variables = sample(template, programme, Extent::Everything);
    for variable in template.variables() {
        let figure = match variable.kind {
            ValueKind::Points => Value::Number(9_999_999),
            ValueKind::Count => Value::Number(999),
            ValueKind::Money => money(programme, 999_999_999),
            // The month with the longest name.
            ValueKind::Date => Value::Text("2027-09-30".to_owned()),
            ValueKind::Text | ValueKind::List | ValueKind::Cause => continue,
        };
        variables.insert(variable.name.to_owned(), figure);
    }
    variables
}

/// Whether a part of a value would say something else than the whole: figures, dates and codes.
pub fn is_exact(variable: Variable) -> bool {
    match variable.kind {
        ValueKind::Points | ValueKind::Count | ValueKind::Money | ValueKind::Date => true,
        ValueKind::Text => variable.name == "code",
        ValueKind::List | ValueKind::Cause => false,
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
            _ => vec![format!("Giảm 10% ({CODE})"), "Tặng 50.000đ (EFGH6723STUV)".to_owned()],
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
