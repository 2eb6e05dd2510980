//! Reads the product's tables through the AWS SDK, wherever they are: this machine's stack or any DynamoDB.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use loyalty_audit::{Row, Table};

use crate::error::{Context, Result};

/// Where the tables are.
#[derive(Clone, Debug, clap::Args)]
pub struct TablesArgs {
    /// The DynamoDB endpoint: the local stack's by default; leave the address empty ("") for AWS itself
    #[arg(long, env = "LOYALTY_ENDPOINT_URL", value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub endpoint_url: String,
    /// The AWS region; needed for AWS itself only, and then taken from the environment unless given
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// What the tables' names begin with: `loyalty-` here, the stack's name and a hyphen in the cloud
    #[arg(long, value_name = "PREFIX", default_value = "loyalty-")]
    pub table_prefix: String,
}

/// A client for the given place. A loopback endpoint needs neither region nor credentials.
pub async fn client(args: &TablesArgs) -> Client {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = &args.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let local = is_loopback(&args.endpoint_url);
    let http = if args.endpoint_url.starts_with("http://") {
        Builder::new().build_http()
    } else {
        Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
    };
    loader = loader.http_client(http);
    if !args.endpoint_url.is_empty() {
        loader = loader.endpoint_url(&args.endpoint_url);
    }
    if local {
        let region = args.region.clone().unwrap_or_else(|| "local".to_owned());
        loader = loader
            .region(Region::new(region))
            .credentials_provider(Credentials::new("local", "local", None, None, "loopback"));
    }
    Client::new(&loader.load().await)
}

fn is_loopback(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or_default();
    ["127.", "localhost", "[::1]"].iter().any(|loopback| host.starts_with(loopback))
}

/// Reads every row of a table, page by page.
///
/// # Errors
/// When the endpoint cannot be reached or the table is not there.
pub async fn scan(client: &Client, args: &TablesArgs, table: Table, each: impl FnMut(Row)) -> Result<()> {
    let read = loyalty_verify::scan(client, &args.table_prefix, table, each).await;
    read.context(|| cannot_read(&format!("{}{}", args.table_prefix, table.name()), args))
}

/// That a table cannot be read, and what to look at.
pub(crate) fn cannot_read(name: &str, args: &TablesArgs) -> String {
    let place = if args.endpoint_url.is_empty() { "AWS" } else { &args.endpoint_url };
    format!(
        "cannot read the table {name} at {place}: is the stack running (`cargo run`), and are --endpoint-url, --region \
         and --table-prefix right?"
    )
}
