//! The schedules and their pages, as a Lambda function. Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use scheduled::Scheduled;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let scheduled = &Scheduled::from_environment().await?;
    let answer = |event: LambdaEvent<_>| async move { Ok::<_, Error>(scheduled.answer(event.payload).await?) };
    lambda_runtime::run(service_fn(answer)).await
}
