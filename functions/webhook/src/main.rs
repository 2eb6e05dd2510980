//! The shops' door, as a Lambda function. Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use loyalty_runtime::secrets::{self, Renewed};
use webhook::{Config, Queue, handle};

#[tokio::main]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let config = &Renewed::start(async || Config::read(&secrets::environment().await?)).await?;
    let queue = &Queue::new(&loyalty_runtime::aws::sdk_config().await, config.get().await.queues.clone());
    let answer = |event: LambdaEvent<_>| async move { handle(&config.get().await.door, queue, event.payload).await };
    lambda_runtime::run(service_fn(answer)).await
}
