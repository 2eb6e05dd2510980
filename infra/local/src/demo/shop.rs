//! The shop of the demo: signs its webhooks and posts them, as fast as they are taken.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::story::Delivery;
use crate::error::{Context, Result, StackError};
use crate::sample::sign;

/// Webhooks under way at once.
const AT_ONCE: usize = 32;
/// A stack may need that long to work off a day.
const PATIENCE: Duration = Duration::from_secs(300);
/// The day the data begins.
const FIRST_PURCHASE: NaiveDate = NaiveDate::from_ymd_opt(1997, 1, 1).unwrap();

/// A shop and the stack it reports to.
pub struct Shop {
    http: reqwest::Client,
    url: String,
    secret: String,
    health: Value,
}

impl Shop {
    /// Finds the stack.
    ///
    /// # Errors
    /// When nothing answers there, or something else does.
    pub async fn open(url: &str, secret: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().context(|| "no HTTP client".to_owned())?;
        let mut shop =
            Self { http, url: url.trim_end_matches('/').to_owned(), secret: secret.to_owned(), health: Value::Null };
        shop.health = shop.ask(shop.http.get(format!("{}/_local/health", shop.url))).await?;
        Ok(shop)
    }

    pub fn dynamodb_url(&self) -> &str {
        self.health["dynamodb"].as_str().unwrap_or_default()
    }

    pub fn table_prefix(&self) -> &str {
        self.health["table_prefix"].as_str().unwrap_or_default()
    }

    /// The programme that the stack runs.
    pub fn programme(&self) -> &Path {
        Path::new(self.health["programme"].as_str().unwrap_or_default())
    }

    /// A stack whose clock is past 1997 gets the same purchases, that much later.
    pub fn days_since_the_first_purchase(&self) -> u64 {
        let clock = self.health["clock"].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
        let days = clock.map_or(0, |clock| (clock.date_naive() - FIRST_PURCHASE).num_days() + 1);
        u64::try_from(days).unwrap_or(0)
    }

    /// Everything the stack counts.
    ///
    /// # Errors
    /// When the stack does not answer.
    pub async fn stats(&self) -> Result<Value> {
        self.ask(self.http.get(format!("{}/_local/stats", self.url))).await
    }

    /// Moves the stack's clock to the beginning of a day.
    ///
    /// # Errors
    /// When the stack does not work off what is due until then.
    pub async fn advance(&self, day: NaiveDate) -> Result<()> {
        let to = day.and_time(NaiveTime::MIN).and_utc();
        self.ask(self.http.post(format!("{}/_local/advance", self.url)).json(&json!({"to": to}))).await.map(drop)
    }

    /// Fires a schedule as if it were due now, and waits until its pages are worked off.
    ///
    /// # Errors
    /// When the stack does not work them off.
    pub async fn fire(&self, schedule: &str) -> Result<()> {
        let run = json!({"name": schedule, "at": self.clock().await?});
        self.ask(self.http.post(format!("{}/_local/invoke", self.url)).json(&run)).await?;
        self.settle().await
    }

    /// Waits until everything posted is in the books.
    ///
    /// # Errors
    /// When the stack does not work it off.
    pub async fn settle(&self) -> Result<()> {
        let now: DateTime<Utc> = self.clock().await?;
        let settled = now + chrono::Duration::minutes(1);
        self.ask(self.http.post(format!("{}/_local/advance", self.url)).json(&json!({"to": settled}))).await.map(drop)
    }

    /// Posts webhooks, signed at the stack's time.
    ///
    /// # Errors
    /// When one of them is refused.
    pub async fn post(&self, deliveries: &[Delivery], bar: &ProgressBar) -> Result<()> {
        let timestamp = self.clock().await?.timestamp();
        let at_once = Arc::new(Semaphore::new(AT_ONCE));
        let mut posts = JoinSet::new();
        for delivery in deliveries {
            let signed =
                sign(delivery.body.clone(), delivery.webhook_id.clone(), timestamp, &self.secret).ok_or_else(|| {
                    StackError::new("WEBHOOK_SECRET_STANDARD is not a Standard Webhooks secret (whsec_…)")
                })?;
            let request = self
                .http
                .post(format!("{}/webhooks/standard", self.url))
                .header("content-type", "application/json")
                .header("webhook-id", signed.webhook_id)
                .header("webhook-timestamp", signed.timestamp)
                .header("webhook-signature", signed.signature)
                .body(signed.body);
            let place = Arc::clone(&at_once).acquire_owned().await;
            posts.spawn(async move {
                let answer = request.send().await;
                drop(place);
                answer
            });
        }
        while let Some(answer) = posts.join_next().await {
            let answer = answer.context(|| "a post was lost".to_owned())?;
            let answer = answer.context(|| format!("the stack at {} does not answer", self.url))?;
            if !answer.status().is_success() {
                let status = answer.status();
                let body = answer.text().await.unwrap_or_default();
                return Err(StackError::new(format!("a webhook was refused with {status}: {body}")));
            }
            bar.inc(1);
        }
        Ok(())
    }

    async fn clock(&self) -> Result<DateTime<Utc>> {
        let health = self.ask(self.http.get(format!("{}/_local/health", self.url))).await?;
        let clock = health["clock"].as_str().and_then(|text| text.parse().ok());
        clock.ok_or_else(|| StackError::new("the stack does not tell its time"))
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let answer =
            request.send().await.context(|| format!("no stack answers at {}; start one with `cargo run`", self.url))?;
        let status = answer.status();
        let body: Value = answer.json().await.context(|| format!("what answers at {} is no local stack", self.url))?;
        if status.is_success() {
            return Ok(body);
        }
        Err(StackError::new(format!("the stack refused: {}", body["detail"].as_str().unwrap_or_default())))
    }
}
