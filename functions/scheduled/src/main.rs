//! The schedules and their pages, as a Lambda function. Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use loyalty_runtime::metrics;
use scheduled::Scheduled;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let scheduled = &Scheduled::from_environment().await?;
    let answer = |event: LambdaEvent<_>| async move {
        let answer = scheduled.answer(event.payload).await;
        metrics::flush();
        Ok::<_, Error>(answer?)
    };
    lambda_runtime::run(service_fn(answer)).await
}
