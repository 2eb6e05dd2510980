//! How many of everything a month of orders asks for.

use loyalty_metrics::Metric;
use loyalty_store::Consumed;
use loyalty_store::units::{
    CREDITED, DUPLICATE, ENROLLED, FIRST_SIGHT, INDEXED, LOOKED_AT, MESSAGE_KEPT, MESSAGE_SENT, NEWER_VERSION, REVERSED,
};
use serde_json::Value;

use super::prices::{Price, Prices};

const DAYS: f64 = 30.0;
const HOURS: f64 = 730.0;
/// A proof's metric is written in one hour of the day, and asked money for by the hour.
const NIGHTLY_HOURS: f64 = DAYS;
const TIERS: f64 = 4.0;
const GB: f64 = 1_000_000_000.0;
const KB: f64 = 1_000.0;
/// A read unit is 4 KB, and the proof's first reading costs half of it.
const PROOF_BYTES_OF_A_UNIT: f64 = 2.0 * 4_096.0;

// Of a shop.
const DELIVERIES: f64 = 3.0;
const DUPLICATES: f64 = 0.05;
const CANCELS: f64 = 0.03;
const MEMBERS: f64 = 3.0;
const AUDIENCE: f64 = 0.7;
const ENROLLED_SHARE: f64 = 0.05;
const WEEKS: f64 = 30.0 / 7.0;
const CARDS: f64 = 1.0;

// Of AWS: milliseconds that a function runs for one thing, and what an invocation logs.
const WEBHOOK_MS: f64 = 15.0;
const ORDER_MS: f64 = 25.0;
const ENTRY_MS: f64 = 30.0;
const SEND_MS: f64 = 250.0;
const CARD_MS: f64 = 10.0;
const LOGGED_BYTES: f64 = 1_200.0;
const LOG_DAYS: f64 = 30.0;
/// What an order leaves behind: its row, its entry, its message and its share of members and participations.
const KEPT_BYTES: f64 = 3_200.0;
/// How fast the proof reads, on two processors, and the memory it keeps for an order.
const PROOF_BYTES_A_SECOND: f64 = 20_000_000.0;
const PROOF_KB_OF_AN_ORDER: f64 = 4.0;
/// An event source asks a queue that is empty fifteen times a minute.
const POLLS_A_MINUTE: f64 = 15.0;
/// Sent, received and deleted.
const REQUESTS_OF_A_MESSAGE: f64 = 3.0;

/// What a shop does in a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shop {
    pub orders: u64,
    pub months_kept: u32,
}

impl Shop {
    pub const ASSUMED: [&str; 7] = [
        "an order is told three times (placed, on its way, delivered) and each telling is an invocation of its own; 5 in 100 \
         tellings come twice, 3 in 100 orders are cancelled",
        "each credited order brings one message and one event of the bus, and is looked at on one card",
        "three members for each order of a month, 7 in 10 of whom a weekly campaign looks at; it enrols 5 in 100 of the members \
         a month",
        "milliseconds at 256 MB: webhook 15, an order 25, an entry 30, a message with its call to Zalo 250, a card 10; the \
         proof reads 20 MB a second (none measured on AWS)",
        "the proof runs every night while 4 KB for each order fit into its memory, and else once a month from a machine, which \
         is not in it",
        "1.2 KB of log for each invocation, kept for 30 days; 3.2 KB of rows for each order",
        "every queue is asked 15 times a minute while it is empty",
    ];

    pub fn of(orders: u64, months_kept: u32) -> Self {
        Self { orders, months_kept }
    }
}

/// What the template deploys, whatever is ordered.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    pub alarms: f64,
    pub secrets: f64,
    /// Those that a function is fed from.
    pub queues: f64,
    pub filters: f64,
    pub proof_gb: f64,
    pub function_gb: f64,
}

impl Stack {
    pub fn of(document: &Value) -> Self {
        let resources: Vec<&Value> =
            document["Resources"].as_object().into_iter().flat_map(|all| all.values()).collect();
        let count = |kind: &str| resources.iter().filter(|resource| resource["Type"] == kind).count() as f64;
        let sources = resources.iter().filter_map(|resource| resource["Properties"]["Events"].as_object());
        let queues = sources.flat_map(|events| events.values()).filter(|event| event["Type"] == "SQS").count();
        let mb = |value: &Value| value.as_f64().unwrap_or_default();
        Self {
            alarms: count("AWS::CloudWatch::Alarm"),
            secrets: count("AWS::SecretsManager::Secret"),
            queues: queues as f64,
            filters: count("AWS::Logs::MetricFilter"),
            proof_gb: mb(&document["Parameters"]["VerifyMemory"]["Default"]) / 1_024.0,
            function_gb: mb(&document["Globals"]["Function"]["MemorySize"]) / 1_024.0,
        }
    }

    /// What it costs a day without a single order, of what AWS counts by the month: alarms and secrets, nothing free taken
    /// off.
    pub fn fixed_a_day(&self, prices: &Prices) -> f64 {
        (prices.alarm.of(self.alarms) + prices.secret.of(self.secrets)) / DAYS
    }
}

/// What one service costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub what: &'static str,
    pub usd: f64,
    /// All of its prices have a public source.
    pub sourced: bool,
}

fn line(what: &'static str, parts: &[(&Price, f64)]) -> Line {
    let usd = parts.iter().map(|(price, units)| price.of(*units)).sum();
    Line { what, usd, sourced: parts.iter().all(|(price, _)| price.source.is_some()) }
}

/// What the tables are asked for one order, with its share of everything that goes with it.
pub fn of_an_order() -> Consumed {
    let told = FIRST_SIGHT + NEWER_VERSION + CREDITED + DUPLICATE * (DELIVERIES * DUPLICATES);
    // Every second cancel takes a member's last points, or brings a credit that is their first.
    let undone = (REVERSED + INDEXED) * CANCELS;
    let message = MESSAGE_KEPT + MESSAGE_SENT;
    let campaign = LOOKED_AT * (MEMBERS * AUDIENCE * WEEKS) + (ENROLLED + message) * (MEMBERS * ENROLLED_SHARE);
    let card = Consumed { requests: 1, read_units: 1.0, write_units: 0.0 } * CARDS;
    told + undone + message + campaign + card
}

/// A month's bill, service by service.
pub fn month(prices: &Prices, stack: &Stack, shop: &Shop) -> Vec<Line> {
    let orders = shop.orders as f64;
    let tables = of_an_order();
    let deliveries = DELIVERIES * (1.0 + DUPLICATES) + CANCELS;
    let entries = 1.0 + CANCELS;
    let messages = 1.0 + MEMBERS * ENROLLED_SHARE;
    let milliseconds = deliveries * (WEBHOOK_MS + ORDER_MS) + entries * ENTRY_MS + messages * SEND_MS + CARDS * CARD_MS;
    let invocations = 2.0 * deliveries + entries + messages + CARDS;
    let kept = orders * f64::from(shop.months_kept) * KEPT_BYTES;
    let fits = orders * f64::from(shop.months_kept) * PROOF_KB_OF_AN_ORDER <= stack.proof_gb * 1_024.0 * 1_024.0;
    let (proofs, by_function) = if fits { (DAYS, DAYS) } else { (1.0, 0.0) };
    let proof_seconds = by_function * kept / PROOF_BYTES_A_SECOND;
    let logged = orders * invocations * LOGGED_BYTES / GB;
    let metrics = (Metric::ALL.len() - 3) as f64 + stack.filters + (2.0 + TIERS) * NIGHTLY_HOURS / HOURS;
    let polls = stack.queues * POLLS_A_MINUTE * 60.0 * HOURS;
    let gb_seconds = orders * milliseconds / KB * stack.function_gb;
    vec![
        line("DynamoDB: writes", &[(&prices.dynamodb_write, orders * tables.write_units)]),
        line("DynamoDB: reads", &[(&prices.dynamodb_read, orders * tables.read_units)]),
        line(
            "DynamoDB: storage and point-in-time recovery",
            &[(&prices.dynamodb_storage, kept / GB), (&prices.dynamodb_backup, kept / GB)],
        ),
        line("Lambda", &[(&prices.lambda_gb_second, gb_seconds), (&prices.lambda_request, orders * invocations)]),
        line(
            "the proof of the books",
            &[
                (&prices.dynamodb_read, proofs * kept / PROOF_BYTES_OF_A_UNIT),
                (&prices.lambda_gb_second, proof_seconds * stack.proof_gb),
            ],
        ),
        line("HTTP API", &[(&prices.http_request, orders * (deliveries + CARDS))]),
        line("SQS", &[(&prices.sqs_request, orders * deliveries * REQUESTS_OF_A_MESSAGE + polls)]),
        line("EventBridge", &[(&prices.bus_event, orders * entries)]),
        line("logs", &[(&prices.log_ingest, logged), (&prices.log_storage, logged * LOG_DAYS / DAYS)]),
        line("metrics", &[(&prices.metric, metrics)]),
        line("alarms", &[(&prices.alarm, stack.alarms)]),
        line("secrets", &[(&prices.secret, stack.secrets)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices() -> Prices {
        toml::from_str(include_str!("../../../prices.toml")).expect("the prices")
    }

    fn stack() -> Stack {
        let document = crate::template::document(include_str!("../../../template.yaml")).expect("the template");
        Stack::of(&document)
    }

    fn all(shop: Shop) -> f64 {
        month(&prices(), &stack(), &shop).iter().map(|line| line.usd).sum()
    }

    #[test]
    fn a_price_has_a_day_and_a_source_or_says_where_to_look() {
        let prices = prices();
        for (name, price) in prices.all() {
            assert!(price.usd > 0.0 && price.per > 0 && !price.unit.is_empty(), "{name}");
            match (&price.read, &price.source) {
                (Some(read), Some(source)) => {
                    assert!(read.parse::<chrono::NaiveDate>().is_ok(), "{name}: {read}");
                    assert!(source.starts_with("https://"), "{name}: {source}");
                }
                (None, None) => assert!(price.note.contains("aws.amazon.com"), "{name} says nowhere to look"),
                _ => panic!("{name} has a day and no source, or a source and no day"),
            }
        }
    }

    /// By hand: a million orders, told three times, are 4 + 1 + 6 write units each; a message is one more, and so on.
    #[test]
    fn an_order_costs_what_its_parts_do() {
        let tables = of_an_order();
        let writes = 11.0 + 0.03 * 7.0 + (1.0 + MESSAGE_SENT.write_units) * 1.15 + 0.15 * 4.0;
        assert!((tables.write_units - writes).abs() < 1e-9, "{tables:?}, {writes}");
        let reads = 3.0 + 0.15 + 0.03 * 1.5 + MESSAGE_SENT.read_units * 1.15 + 2.1 * 30.0 / 7.0 + 0.15 + 1.0;
        assert!((tables.read_units - reads).abs() < 1e-9, "{tables:?}, {reads}");
        let lines = month(&prices(), &stack(), &Shop::of(1_000_000, 12));
        assert!((lines[0].usd - writes * prices().dynamodb_write.usd).abs() < 1e-6, "{:?}", lines[0]);
    }

    #[test]
    fn more_orders_cost_more_in_all_and_less_each_and_none_cost_what_is_fixed() {
        let (few, many) = (all(Shop::of(10_000, 12)), all(Shop::of(1_000_000, 12)));
        assert!(few < many && few / 10_000.0 > many / 1_000_000.0, "{few} {many}");
        let none = all(Shop::of(0, 12));
        let stack = stack();
        let fixed = prices().alarm.of(stack.alarms) + prices().secret.of(stack.secrets);
        assert!(none > fixed && none < fixed + 10.0, "{none} {fixed}");
    }

    #[test]
    fn the_readme_says_what_it_comes_to() {
        let totals = [10_000, 1_000_000, 100_000_000].map(|orders| super::super::dollars(all(Shop::of(orders, 12))));
        let row = format!("| **all of it** | **{}** | **{}** | **{}** |", totals[0], totals[1], totals[2]);
        assert!(include_str!("../../../../README.md").contains(&row), "the README lacks {row}");
    }

    /// 3,008 MB hold about 770 thousand orders of 4 KB.
    #[test]
    fn a_proof_that_does_not_fit_is_not_made_by_the_function() {
        let proof = |orders| {
            let month = month(&prices(), &stack(), &Shop::of(orders, 1));
            month.into_iter().find(|line| line.what == "the proof of the books").expect("a line").usd
        };
        assert!(proof(760_000) > 20.0 * proof(780_000), "{} {}", proof(760_000), proof(780_000));
    }

    /// The template counts, so that one more alarm costs one more.
    #[test]
    fn what_is_deployed_is_what_is_charged() {
        let stack = stack();
        assert_eq!((stack.secrets, stack.queues, stack.function_gb), (4.0, 4.0, 0.25));
        let more = Stack { alarms: stack.alarms + 1.0, ..stack.clone() };
        let of = |stack: &Stack| month(&prices(), stack, &Shop::of(1, 1)).iter().map(|line| line.usd).sum::<f64>();
        assert!((of(&more) - of(&stack) - prices().alarm.usd).abs() < 1e-9);
    }
}
