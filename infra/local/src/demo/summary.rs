//! What the demo shows in the end: the two sheets, the figures, and the arithmetic they are held against.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use loyalty_audit::{Row, Table as Books, Value};
use loyalty_messaging::Language;
use serde_json::Value as Json;

use super::story::Story;
use crate::error::Result;
use crate::tables::{TablesArgs, scan};

/// The tiers of the presets, lowest first.
const TIERS: [&str; 4] = ["member", "silver", "gold", "diamond"];

/// Rows shown of each sheet.
const ROWS_SHOWN: usize = 8;

/// The two sheets.
#[derive(Default)]
pub struct Sheets {
    members: Vec<Row>,
    history: Vec<Row>,
    participations: Vec<Row>,
    vouchers: Vec<Row>,
}

impl Sheets {
    /// The qualifying points that the orders themselves have settled at: without what campaigns gave and reviews took,
    /// and without what a reversal no longer took because its cycle was over (X21).
    pub fn points_of_orders(&self) -> i64 {
        let own = self.history.iter().filter(|row| text(row, "rule") == "base");
        own.map(|row| number(row, "qualifying") - written_off(row)).sum()
    }
}

/// Reads both sheets.
///
/// # Errors
/// When the tables cannot be read.
pub async fn read(client: &Client, args: &TablesArgs) -> Result<Sheets> {
    let mut sheets = Sheets::default();
    scan(client, args, Books::Members, |row| sheets.members.push(row)).await?;
    scan(client, args, Books::PointsHistory, |row| sheets.history.push(row)).await?;
    scan(client, args, Books::Participations, |row| sheets.participations.push(row)).await?;
    scan(client, args, Books::Vouchers, |row| sheets.vouchers.push(row)).await?;
    sheets.members.sort_by_key(|row| std::cmp::Reverse(number(row, "qualifying_points")));
    sheets.history.sort_by_key(|row| (text(row, "recorded_at"), text(row, "member_id"), number(row, "seq")));
    Ok(sheets)
}

/// The first rows of each sheet.
pub fn print_sheets(sheets: &Sheets) {
    println!("\nBảng Thông tin tích điểm (members): the {ROWS_SHOWN} with the most qualifying points");
    let columns =
        ["member_id", "name", "tier", "redeemable_points", "qualifying_points", "spent_minor", "orders_count"];
    println!("{}", sheet(sheets.members.iter().take(ROWS_SHOWN), &columns));
    println!("\nBảng Lịch sử tích điểm (points-history): the last {ROWS_SHOWN} movements");
    let columns = ["recorded_at", "member_id", "seq", "kind", "order_id", "redeemable", "qualifying", "reason"];
    println!("{}", sheet(sheets.history.iter().rev().take(ROWS_SHOWN), &columns));
}

fn sheet<'a>(rows: impl Iterator<Item = &'a Row>, columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().copied());
    for row in rows {
        table.add_row(columns.iter().map(|column| shown(row, column)));
    }
    for (at, column) in columns.iter().enumerate() {
        let figures = ["redeemable", "qualifying", "spent", "orders_count", "seq"];
        if figures.iter().any(|figure| column.starts_with(figure))
            && let Some(column) = table.column_mut(at)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Tiers, points, speed and what it cost.
pub fn print_figures(sheets: &Sheets, story: &Story, took: Duration, before: &Json, after: &Json) {
    let mut tiers: BTreeMap<(i64, String), usize> = BTreeMap::new();
    for member in &sheets.members {
        let order = TIERS.iter().position(|tier| *tier == text(member, "tier"));
        *tiers.entry((order.map_or(i64::MAX, |at| at as i64), text(member, "tier"))).or_default() += 1;
    }
    let tiers: Vec<String> =
        tiers.into_iter().map(|((_, tier), count)| format!("{tier} {}", grouped(count as i64))).collect();
    let sum = |wanted: fn(i64) -> bool, kinds: &[&str]| -> i64 {
        let of = sheets.history.iter().filter(|row| kinds.contains(&text(row, "kind").as_str()));
        of.map(|row| number(row, "redeemable")).filter(|points| wanted(*points)).sum()
    };
    let seconds = took.as_secs_f64();
    println!("\nTiers        {}", tiers.join(" · "));
    println!(
        "Points       {} issued, {} taken back, {} expired, {} outstanding",
        grouped(sum(|points| points > 0, &["accrual", "bonus", "welcome"])),
        grouped(-sum(|points| points < 0, &["reversal"])),
        grouped(-sum(|points| points < 0, &["expiration"])),
        grouped(sheets.members.iter().map(|row| number(row, "redeemable_points")).sum()),
    );
    print_programme(sheets);
    println!(
        "Speed        {} webhooks of {} orders in {seconds:.1} s: {:.0} webhooks/s, {:.0} orders/s",
        grouped(story.deliveries.len() as i64),
        grouped(story.orders as i64),
        story.deliveries.len() as f64 / seconds,
        story.orders as f64 / seconds,
    );
    print_cost(story, before, after);
}

/// What the programme did beside points: its campaign, its reviews, its vouchers.
fn print_programme(sheets: &Sheets) {
    let of = |rows: &[Row], name: &str, word: &str| {
        let rows = rows.iter().filter(|row| text(row, name) == word).count();
        grouped(i64::try_from(rows).unwrap_or(i64::MAX))
    };
    let states = ["active", "completed", "exhausted"];
    let states = states.map(|state| format!("{} {state}", of(&sheets.participations, "state", state)));
    println!("Campaign     fast-promotion: {}; {} bonuses", states.join(", "), of(&sheets.history, "kind", "bonus"));
    let reasons = [("tier_kept", "kept"), ("tier_missed", "lowered"), ("cycle_ended", "begun again")];
    let reviews = reasons.map(|(reason, done)| format!("{} {done}", of(&sheets.history, "reason", reason)));
    let given = i64::try_from(sheets.vouchers.len()).unwrap_or(i64::MAX);
    println!("Year         tiers {}; {} vouchers given", reviews.join(", "), grouped(given));
    print_reset(&sheets.history);
}

/// What the end of their cycles did to the members it came to: the tiers they held on its last day and since, and the
/// qualifying points that are gone (T8–T12).
fn print_reset(history: &[Row]) {
    let resets: Vec<&Row> = history.iter().filter(|row| text(row, "kind") == "reset").collect();
    let days = || resets.iter().map(|row| text(row, "occurred_at")).filter_map(|at| at.get(..10).map(str::to_owned));
    let (Some(first), Some(last)) = (days().min(), days().max()) else { return };
    let mix = |name: &str| {
        let tiers = TIERS.map(|tier| (tier, resets.iter().filter(|row| text(row, name) == tier).count()));
        let held = tiers.into_iter().filter(|(_, count)| *count > 0);
        held.map(|(tier, count)| format!("{tier} {}", grouped(count as i64))).collect::<Vec<_>>().join(" · ")
    };
    let gone: i64 = resets.iter().map(|row| -number(row, "qualifying")).sum();
    println!("Reset        {} cycles of 365 days ended from {first} to {last}", grouped(resets.len() as i64));
    println!("             before: {}", mix("tier_before"));
    println!("             after:  {}; {} qualifying points begin again at 0", mix("tier_after"), grouped(gone));
}

/// DynamoDB requests and capacity units by function, for each order.
fn print_cost(story: &Story, before: &Json, after: &Json) {
    let count = |stats: &Json, function: &str, figure: &str| -> f64 {
        let operations = stats["dynamodb"][function].as_object();
        operations.into_iter().flatten().filter_map(|(_, usage)| usage[figure].as_f64()).sum()
    };
    println!("DynamoDB     for each order, with all its webhooks:");
    for function in after["dynamodb"].as_object().into_iter().flatten().map(|(function, _)| function) {
        let each = |figure| (count(after, function, figure) - count(before, function, figure)) / story.orders as f64;
        let requests = each("requests");
        if after["functions"].get(function).is_some() && requests > 0.0 {
            println!(
                "             {function:<14} {requests:>6.2} requests {:>6.2} read units {:>6.2} write units",
                each("read_units"),
                each("write_units")
            );
        }
    }
}

/// Holds the books against what the purchases must come to: the points of the goods each order is worth in the end,
/// rounded down order by order. Returns whether they agree.
pub fn print_arithmetic(sheets: &Sheets, story: &Story) -> bool {
    let (actual, expected) = (sheets.points_of_orders(), story.points_in_the_end());
    let verdict = if expected == actual { "as computed" } else { "NOT what was computed" };
    println!(
        "arithmetic: {} qualifying points of orders in the books, {} computed: {verdict}",
        grouped(actual),
        grouped(expected)
    );
    expected == actual
}

fn written_off(row: &Row) -> i64 {
    match row.get("written_off") {
        Some(Value::M(legs)) => number(legs, "qualifying"),
        _ => 0,
    }
}

pub(super) fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Value::S(text) | Value::N(text)) => text.to_string(),
        _ => String::new(),
    }
}

fn number(row: &Row, name: &str) -> i64 {
    text(row, name).parse().unwrap_or(0)
}

fn shown(row: &Row, name: &str) -> String {
    let value = text(row, name);
    match name {
        "member_id" => value.chars().take(10).chain(['…']).collect(),
        "recorded_at" => value.chars().take(16).map(|letter| if letter == 'T' { ' ' } else { letter }).collect(),
        "spent_minor" => grouped(number(row, name)),
        _ => value,
    }
}

/// Thousands as Vietnamese readers write them: 1.234.567.
pub(super) fn grouped(figure: i64) -> String {
    Language::Vietnamese.number(figure)
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1_000, -1_234_567].map(grouped), ["0", "999", "1.000", "-1.234.567"]);
    }
}
