//! The nightly proof, as a Lambda function. Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use verify::Verify;

// Pages are read while others are proved: with more than one processor, at once.
#[tokio::main]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let verify = &Verify::from_environment().await?;
    let answer =
        |event: LambdaEvent<Value>| async move { Ok::<_, Error>(verify.answer(event.context.deadline()).await?) };
    lambda_runtime::run(service_fn(answer)).await
}
