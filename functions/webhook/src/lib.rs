//! The door through which shops say what became of an order, and what else there is to know, and Zalo who follows and
//! what arrived: decode, verify, parse, queue, answer.
//!
//! It answers 2xx only when everything of the delivery lies in a queue, and it decides nothing about points. The raw
//! body is verified before a byte of it is parsed; a delivery that is not believed leaves nothing behind. No log line
//! carries a body, a phone, a name, an e-mail address or a secret.

mod answer;
mod config;
mod door;
mod keys;
mod queue;
mod request;
#[cfg(test)]
mod tests;
mod zalo;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_runtime::Error;

pub use config::{Config, Queues};
pub use door::{Door, Verdict};
pub use queue::{EventBody, Queue};
pub use zalo::ZaloKey;

/// One request of the HTTP API.
///
/// # Errors
/// Never: whatever goes wrong is an answer the shop can act on.
pub async fn handle(
    door: &Door,
    queue: &Queue,
    event: ApiGatewayV2httpRequest,
) -> Result<ApiGatewayV2httpResponse, Error> {
    let answer = match door.receive(&request::Request::of(&event)) {
        Verdict::Answer(answer) => answer,
        Verdict::Queue { source, orders, quarantined, event, then } => {
            let events = usize::from(event.is_some());
            match queue.send(&orders, &quarantined, event).await {
                Ok(()) => {
                    tracing::info!(source, orders = orders.len(), quarantined = quarantined.len(), events, "queued");
                    then
                }
                Err(error) => {
                    let error = loyalty_runtime::chain(&error);
                    tracing::error!(source, orders = orders.len(), events, error, "not queued");
                    answer::not_queued()
                }
            }
        }
    };
    Ok(answer.into_response())
}
