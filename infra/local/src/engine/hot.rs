//! The operations functions use on every order, called without a second HTTP hop.
//!
//! Never changes what is answered: capacity is always measured, and left out of the answer when
//! it was not asked for. Anything unusual is left to the engine's own server.

use std::sync::Mutex;
use std::time::Instant;

use dynoxide::actions::batch_get_item::BatchGetItemRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::query::QueryRequest;
use dynoxide::actions::transact_write_items::TransactWriteItemsRequest;
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::types::ConsumedCapacity;
use dynoxide::{Database, DynoxideError};
use serde::de::DeserializeOwned;

use super::tokens::{Token, Tokens};

/// An answer with the units it cost.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub units: f64,
}

/// Runs one operation with its capacity measured.
macro_rules! measured {
    ($database:expr, $method:ident, $request:expr) => {{
        let mut request = $request;
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
                // What was done is never left to be done again, so this cannot be `None`.
                let body = serde_json::to_vec(&response).unwrap_or_default();
                Some(Answer { status: 200, body, units })
            }
            Err(error) => refused(&error),
        }
    }};
}

/// A transaction: its client token is looked after here, in [`Tokens`].
fn transact(database: &Database, tokens: &Mutex<Tokens>, body: &[u8]) -> Option<Answer> {
    let request: TransactWriteItemsRequest = read(body)?;
    // A token the engine would refuse is the engine's to refuse.
    let Some(token) = request.client_request_token.clone().filter(|token| token.len() <= TOKEN_LENGTH_MAX) else {
        return measured!(database, transact_write_items, request);
    };
    let now = Instant::now();
    let mut tokens = tokens.lock().expect("not poisoned");
    match tokens.look_up(&token, body, now) {
        Token::Done(body) => return Some(Answer { status: 200, body, units: 0.0 }),
        Token::Other => return refused(&DynoxideError::IdempotentParameterMismatchException(MISMATCH.to_owned())),
        Token::New => {}
    }
    let request = TransactWriteItemsRequest { client_request_token: None, ..request };
    let answer = measured!(database, transact_write_items, request)?;
    if answer.status == 200 {
        tokens.keep(token, body, &answer.body, now);
    }
    Some(answer)
}

/// DynamoDB's limit of a token.
const TOKEN_LENGTH_MAX: usize = 36;
const MISMATCH: &str = "The request was rejected because the ClientRequestToken was used before with other parameters.";

/// Runs one operation; `None` leaves it to the engine's own server, nothing having been done.
pub fn answer(database: &Database, tokens: &Mutex<Tokens>, operation: &str, body: &[u8]) -> Option<Answer> {
    match operation {
        "TransactWriteItems" => transact(database, tokens, body),
        "BatchGetItem" => measured!(database, batch_get_item, read::<BatchGetItemRequest>(body)?),
        "GetItem" => measured!(database, get_item, read::<GetItemRequest>(body)?),
        "Query" => measured!(database, query, read::<QueryRequest>(body)?),
        "PutItem" => measured!(database, put_item, read::<PutItemRequest>(body)?),
        "UpdateItem" => measured!(database, update_item, read::<UpdateItemRequest>(body)?),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
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
