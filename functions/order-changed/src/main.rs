//! The order queue's consumer, as a Lambda function. Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use loyalty_runtime::metrics;
use order_changed::OrderChanged;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let orders = &OrderChanged::from_environment().await?;
    let answer = |event: LambdaEvent<_>| async move {
        let answer = orders.answer(event.payload).await;
        metrics::flush();
        Ok::<_, Error>(answer)
    };
    lambda_runtime::run(service_fn(answer)).await
}
