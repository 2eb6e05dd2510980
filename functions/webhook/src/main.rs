//! The shops' door, as a Lambda function. Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use webhook::{Config, Queue, handle, start_tracing};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_tracing();
    let config = Config::from_env()?;
    let queue = Queue::connect(&config.queues).await;
    let (door, queue) = (&config.door, &queue);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| handle(door, queue, event.payload))).await
}
