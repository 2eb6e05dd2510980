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
    /// The DynamoDB endpoint [default: http://127.0.0.1:8000, the local stack's; with --region AWS itself, which an empty
    /// address names too]
    #[arg(
        long,
        env = "LOYALTY_ENDPOINT_URL",
        value_name = "URL",
        value_parser = endpoint,
        default_value = "http://127.0.0.1:8000",
        default_value_if("region", clap::builder::ArgPredicate::IsPresent, ""),
        hide_default_value = true
    )]
    pub endpoint_url: String,
    /// The AWS region of the tables; without an --endpoint-url they are then looked for at AWS
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

/// An address that can be called, or none for AWS.
fn endpoint(text: &str) -> std::result::Result<String, String> {
    let url = reqwest::Url::parse(text).ok();
    let called = url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if text.is_empty() || called {
        Ok(text.to_owned())
    } else {
        Err("an address such as http://127.0.0.1:8000, or empty for AWS itself".to_owned())
    }
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
    if args.endpoint_url.is_empty() {
        return format!(
            "cannot read the table {name} at AWS: are the credentials, --region and --table-prefix right? The stack of this \
             machine is read without --region"
        );
    }
    format!(
        "cannot read the table {name} at {}: is the stack running (`cargo run`), and are --endpoint-url, --region and \
         --table-prefix right?",
        args.endpoint_url
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        tables: TablesArgs,
    }

    #[test]
    fn a_region_means_aws_and_an_address_means_what_it_says() {
        let endpoint = |args: &[&str]| {
            let parsed = Command::try_parse_from(["verify"].iter().chain(args));
            parsed.map(|command| command.tables.endpoint_url).map_err(|error| error.to_string())
        };
        assert_eq!(endpoint(&[]).unwrap(), "http://127.0.0.1:8000");
        assert_eq!(endpoint(&["--region", "ap-southeast-1"]).unwrap(), "");
        let local = "http://127.0.0.1:9000";
        assert_eq!(endpoint(&["--region", "local", "--endpoint-url", local]).unwrap(), local);
        assert_eq!(endpoint(&["--endpoint-url", ""]).unwrap(), "");
        for wrong in ["127.0.0.1:8000", "not a url", "http://", "ftp://a"] {
            assert!(endpoint(&["--endpoint-url", wrong]).unwrap_err().contains("an address such as"), "{wrong}");
        }
    }
}
