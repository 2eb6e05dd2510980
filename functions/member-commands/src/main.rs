//! Commands of tills, the Mini App, operators and the shop's back end, and the queue of events, as a Lambda function.
//! Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use loyalty_runtime::secrets::Renewed;
use member_commands::MemberCommands;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let commands = &Renewed::start(MemberCommands::from_environment).await?;
    let answer =
        |event: LambdaEvent<_>| async move { Ok::<_, Error>(commands.get().await.invoke(event.payload).await?) };
    lambda_runtime::run(service_fn(answer)).await
}
