//! Messages to people, as a Lambda function. Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use loyalty_runtime::secrets::Renewed;
use send_messages::SendMessages;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let messages = &Renewed::start(SendMessages::from_environment).await?;
    let answer =
        |event: LambdaEvent<_>| async move { Ok::<_, Error>(messages.get().await.answer(event.payload).await?) };
    lambda_runtime::run(service_fn(answer)).await
}
