//! Messages to people, as a Lambda function. Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use loyalty_runtime::metrics;
use loyalty_runtime::secrets::Renewed;
use send_messages::SendMessages;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let messages = &Renewed::start(SendMessages::from_environment).await?;
    let answer = |event: LambdaEvent<_>| async move {
        let answer = messages.get().await.answer(event.payload).await;
        metrics::flush();
        Ok::<_, Error>(answer?)
    };
    lambda_runtime::run(service_fn(answer)).await
}
