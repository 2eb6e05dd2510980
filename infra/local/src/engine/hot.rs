//! The operations functions use on every order, called without a second HTTP hop.
//!
//! Never changes what is answered: capacity is always measured, and left out of the answer when
//! it was not asked for. Anything unusual is left to the engine's own server.

use dynoxide::actions::batch_get_item::BatchGetItemRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::query::QueryRequest;
use dynoxide::actions::transact_write_items::TransactWriteItemsRequest;
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::types::ConsumedCapacity;
use dynoxide::{Database, DynoxideError};

/// An answer with the units it cost.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub units: f64,
}

/// Runs one operation with its capacity measured.
macro_rules! measured {
    ($database:expr, $method:ident, $request:ty, $body:expr) => {{
        let Ok(mut request) = serde_json::from_slice::<$request>($body) else {
            return None;
        };
        let asked = request.return_consumed_capacity.as_deref().is_some_and(|level| level != "NONE");
        if !asked {
            request.return_consumed_capacity = Some("TOTAL".to_owned());
        }
        match $database.$method(request) {
            Ok(mut response) => {
                let units = response.consumed_capacity.units();
                if !asked {
                    response.consumed_capacity = None;
                }
                serde_json::to_vec(&response).ok().map(|body| Answer { status: 200, body, units })
            }
            Err(error) => refused(&error),
        }
    }};
}

/// Runs one operation; `None` leaves it to the engine's own server, nothing having been done.
pub fn answer(database: &Database, operation: &str, body: &[u8]) -> Option<Answer> {
    match operation {
        "TransactWriteItems" => measured!(database, transact_write_items, TransactWriteItemsRequest, body),
        "BatchGetItem" => measured!(database, batch_get_item, BatchGetItemRequest, body),
        "GetItem" => measured!(database, get_item, GetItemRequest, body),
        "Query" => measured!(database, query, QueryRequest, body),
        "PutItem" => measured!(database, put_item, PutItemRequest, body),
        "UpdateItem" => measured!(database, update_item, UpdateItemRequest, body),
        _ => None,
    }
}

/// Outcomes of conditions are answered here; refusals of the request itself are worded by the
/// engine's own server.
fn refused(error: &DynoxideError) -> Option<Answer> {
    match error {
        DynoxideError::TransactionCanceledException(..)
        | DynoxideError::ConditionalCheckFailedException(..)
        | DynoxideError::IdempotentParameterMismatchException(_) => {
            Some(Answer { status: error.status_code(), body: error.to_json().into_bytes(), units: 0.0 })
        }
        _ => None,
    }
}

trait Units {
    fn units(&self) -> f64;
}

impl Units for Option<ConsumedCapacity> {
    fn units(&self) -> f64 {
        self.as_ref().map_or(0.0, |capacity| capacity.capacity_units)
    }
}

impl Units for Option<Vec<ConsumedCapacity>> {
    fn units(&self) -> f64 {
        self.iter().flatten().map(|capacity| capacity.capacity_units).sum()
    }
}
