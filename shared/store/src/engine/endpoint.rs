//! The engine behind the faults, when it is another process: any implementation of DynamoDB's API at an address.
//!
//! A request goes out with the bytes, headers and signature the SDK gave it. It is carried by a runtime of its own, on
//! real time, so that tests whose clock stands still can wait for it: tokio keeps a paused clock still while a blocking
//! task runs.

use std::future::Future;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TableStatus,
};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::TABLES;

/// How long a table may take to be made.
const TABLE_WAIT_MAX: Duration = Duration::from_secs(120);
/// Pages of a scan: far more than any test writes.
const PAGES_MAX: usize = 1_000;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});
static MADE: AtomicU32 = AtomicU32::new(0);

/// Tables of its own at an address; they are deleted when it is dropped.
pub(super) struct Endpoint {
    pub url: String,
    pub prefix: String,
    pub http: SharedHttpClient,
    client: Client,
}

impl Endpoint {
    pub fn new(url: &str) -> Self {
        // Nobody else's tables, not those of another run nor of another test of this one.
        let prefix = format!("test-{:016x}-{}-", fastrand::u64(..), MADE.fetch_add(1, Ordering::Relaxed));
        let http = Builder::new().build_http();
        let client = Client::from_conf(super::config().http_client(http.clone()).endpoint_url(url).build());
        let endpoint = Self { url: url.to_owned(), prefix, http, client };
        endpoint.wait_for(async {
            for table in TABLES {
                endpoint.make(table).await;
            }
        });
        endpoint
    }

    async fn make(&self, (table, partition_key): (&str, &str)) {
        let name = format!("{}{table}", self.prefix);
        let mut request = self
            .client
            .create_table()
            .table_name(&name)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute(partition_key, ScalarAttributeType::S))
            .key_schema(key(partition_key, KeyType::Hash));
        let mut named = vec![partition_key];
        if let Some((name, kind)) = super::sort_key(table) {
            named.push(name);
            request = request
                .attribute_definitions(attribute(name, ScalarAttributeType::from(kind)))
                .key_schema(key(name, KeyType::Range));
        }
        for (name, hash, range, projection) in super::indexes(table) {
            for name in [*hash, *range] {
                if !named.contains(&name) {
                    named.push(name);
                    request = request.attribute_definitions(attribute(name, ScalarAttributeType::S));
                }
            }
            let projection = Projection::builder().projection_type(ProjectionType::from(*projection)).build();
            let index = GlobalSecondaryIndex::builder()
                .index_name(*name)
                .key_schema(key(hash, KeyType::Hash))
                .key_schema(key(range, KeyType::Range))
                .projection(projection);
            request = request.global_secondary_indexes(index.build().expect("name, keys and projection are set"));
        }
        let made = request.send().await.expect("a new table");
        let status = made.table_description.and_then(|table| table.table_status);
        if status != Some(TableStatus::Active) {
            let wait = self.client.wait_until_table_exists().table_name(name).wait(TABLE_WAIT_MAX);
            wait.await.expect("the table is made in time");
        }
    }

    /// All rows of a table as plain JSON.
    pub fn rows(&self, table: &str) -> Vec<Value> {
        let scan = self.client.scan().table_name(format!("{}{table}", self.prefix)).consistent_read(true);
        self.wait_for(async {
            let mut rows = Vec::new();
            let mut pages = scan.into_paginator().send();
            for _ in 0..PAGES_MAX {
                let Some(page) = pages.next().await else { return rows };
                let items = page.expect("a known table").items.unwrap_or_default().into_iter();
                rows.extend(items.map(|item| serde_dynamo::from_item(item).expect("a row is plain data")));
            }
            panic!("more than {PAGES_MAX} pages");
        })
    }

    /// Callers may be inside a runtime, where nothing may block on another one.
    fn wait_for<T: Send>(&self, done: impl Future<Output = T> + Send) -> T {
        std::thread::scope(|threads| threads.spawn(|| RUNTIME.block_on(done)).join().expect("the endpoint answers"))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.wait_for(async {
            for (table, _) in TABLES {
                // A table that stays is in nobody's way.
                let _ = self.client.delete_table().table_name(format!("{}{table}", self.prefix)).send().await;
            }
        });
    }
}

/// Sends a request as it is; the status and the body of its answer.
pub(super) async fn send(wire: SharedHttpConnector, request: HttpRequest) -> Result<(u16, String), ConnectorError> {
    let sent = tokio::task::spawn_blocking(move || {
        RUNTIME.block_on(async move {
            let answer = wire.call(request).await?;
            let status = answer.status().as_u16();
            let body = ByteStream::new(answer.into_body()).collect().await;
            let body = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        })
    });
    sent.await.map_err(|error| ConnectorError::other(error.into(), None))?
}

fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().expect("name and type are set")
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("name and type are set")
}
