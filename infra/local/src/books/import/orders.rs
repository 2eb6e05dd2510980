//! `import orders`: what a shop sold before these books.
//!
//! No point moves, nobody is told, and no campaign sees it: what it is for is that a later word about one of these orders
//! is compared with what was known of it.

use std::path::PathBuf;

use loyalty_contract::sheet::{Cells, Header, HeaderError, read_order};
use loyalty_domain::order::OrderSnapshot;
use loyalty_store::StoreError;

use super::{ImportArgs, Sheet, Target};

/// What to import.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportOrdersArgs {
    /// A CSV file with a header: order_id, placed_at, status, payment_status, amount_due, phone or customer_id; and, where
    /// there is any, updated_at, shipping_fee, refunded, currency, name; or their Vietnamese names. Separated by commas,
    /// semicolons or tabs; UTF-8
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub how: ImportArgs,
}

/// Orders of a file.
pub struct Orders;

impl Sheet for Orders {
    const NAME: &'static str = "orders";
    type Row = OrderSnapshot;

    fn header(titles: &[String]) -> Result<Header, HeaderError> {
        Header::of_orders(titles.iter().map(String::as_str))
    }

    fn read(&mut self, _line: u64, cells: &Cells<'_>, target: &Target) -> Result<Option<OrderSnapshot>, String> {
        let programme = target.programme();
        let order = read_order(cells, target.source, programme.currency, programme.zone);
        Ok(Some(order.map_err(|problem| problem.to_string())?.into_snapshot(&target.key)))
    }

    async fn write(target: &Target, snapshot: OrderSnapshot) -> Result<bool, StoreError> {
        target.books.bring_order(target.programme(), &snapshot, target.mode, target.now).await
    }
}
