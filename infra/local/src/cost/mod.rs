//! `cost`: what the stack costs a month, from what its parts ask of AWS and a dated list of prices.
//!
//! What DynamoDB is asked for is what the tests of the store assert from its own answers; how many alarms, secrets, queues
//! and metrics there are, the template says. How long functions run and how much they log is assumed, and said so. Nothing
//! free is taken off, and a bill depends on what a shop does: this is for deciding whether it is cents or a salary.

mod model;
mod prices;

use std::path::PathBuf;
use std::process::ExitCode;

use comfy_table::{CellAlignment, Table, presets};
use loyalty_messaging::Language;

pub use model::{Line, Shop, Stack, month};
pub use prices::{Price, Prices};

use crate::cli::serve::workspace;
use crate::error::{Context, Result, StackError};

/// What to compute.
#[derive(Clone, Debug, clap::Args)]
pub struct CostArgs {
    /// Orders a month; several times for several columns
    #[arg(
        long,
        value_name = "N",
        default_values_t = [10_000, 1_000_000, 100_000_000],
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub orders: Vec<u64>,
    /// The prices, TOML [default: infra/prices.toml, for ap-southeast-1]
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// Months of orders that are kept in the tables by then
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub months_kept: u32,
}

/// Prints a table of what each service costs.
///
/// # Errors
/// When the prices or the template cannot be read.
pub fn run(args: &CostArgs) -> Result<ExitCode> {
    let file = args.prices.clone().unwrap_or_else(|| workspace().join("infra/prices.toml"));
    let shown = file.display();
    let text = std::fs::read_to_string(&file).context(|| format!("cannot read the prices {shown}"))?;
    let prices: Prices = toml::from_str(&text).context(|| format!("the prices {shown} cannot be understood"))?;
    if let Some((name, _)) = prices.all().into_iter().find(|(_, price)| !price.possible()) {
        return Err(StackError::new(format!("the prices {shown}: {name} is no price: usd from 0, per from 1")));
    }
    let template = workspace().join("infra/template.yaml");
    let about = || format!("cannot read the template {}", template.display());
    let document = crate::template::document(&std::fs::read_to_string(&template).context(about)?)?;
    let stack = Stack::of(&document);
    let shops: Vec<_> = args.orders.iter().map(|orders| Shop::of(*orders, args.months_kept)).collect();
    print(&prices, &stack, &shops);
    Ok(ExitCode::SUCCESS)
}

fn print(prices: &Prices, stack: &Stack, shops: &[Shop]) {
    let months: Vec<Vec<Line>> = shops.iter().map(|shop| month(prices, stack, shop)).collect();
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let header = shops.iter().map(|shop| format!("{} orders", thousands(shop.orders)));
    table.set_header(std::iter::once("USD a month".to_owned()).chain(header));
    let Some(first) = months.first() else { return };
    for (at, line) in first.iter().enumerate() {
        let mark = if line.sourced { "" } else { " *" };
        let figures = months.iter().map(|month| dollars(month[at].usd));
        table.add_row(std::iter::once(format!("{}{mark}", line.what)).chain(figures));
    }
    let totals: Vec<f64> = months.iter().map(|month| month.iter().map(|line| line.usd).sum()).collect();
    table.add_row(std::iter::once("all of it".to_owned()).chain(totals.iter().copied().map(dollars)));
    let per_order = totals.iter().zip(shops).map(|(usd, shop)| format!("{:.5}", usd / shop.orders as f64));
    table.add_row(std::iter::once("for one order".to_owned()).chain(per_order));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    println!(
        "Region {}; list prices, nothing free taken off. * rests on a price without a public source:",
        prices.region
    );
    for (name, price) in prices.all().into_iter().filter(|(_, price)| price.source.is_none()) {
        println!("  {name}: {} for {} {}; {}", price.usd, thousands(price.per), price.unit, price.note);
    }
    println!("Assumed of a shop and of AWS:");
    for assumed in Shop::ASSUMED {
        println!("  {assumed}");
    }
    println!("Not in it: Zalo's own prices, transfer out of AWS, taxes.");
}

fn dollars(usd: f64) -> String {
    if usd < 100.0 { format!("{usd:.2}") } else { thousands(usd.round() as u64) }
}

fn thousands(number: u64) -> String {
    Language::English.number(i64::try_from(number).unwrap_or(i64::MAX))
}
