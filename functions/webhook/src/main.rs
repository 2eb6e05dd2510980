//! The shops' door, as a Lambda function. Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use loyalty_runtime::config::Environment;
use webhook::{Config, Queue, handle};

#[tokio::main]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let config = Config::read(&Environment::of_process())?;
    let queue = Queue::new(&loyalty_runtime::aws::sdk_config().await, config.queues);
    let (door, queue) = (&config.door, &queue);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| handle(door, queue, event.payload))).await
}
