//! The bus's tier events, as a Lambda function. Everything it does is in the library, where it is tested.

use customer_tier_changed::CustomerTierChanged;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let tiers = &CustomerTierChanged::from_environment().await?;
    let answer = |event: LambdaEvent<_>| async move { Ok::<_, Error>(tiers.answer(event.payload).await?) };
    lambda_runtime::run(service_fn(answer)).await
}
