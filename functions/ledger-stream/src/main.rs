//! The consumer of the ledger's stream, as a Lambda function. Everything it does is in the library, where it is tested.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger_stream::LedgerStream;
use loyalty_runtime::metrics;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    loyalty_runtime::start_tracing();
    let ledger = &LedgerStream::from_environment().await?;
    let answer = |event: LambdaEvent<_>| async move {
        let answer = ledger.answer(event.payload).await;
        metrics::flush();
        Ok::<_, Error>(answer)
    };
    lambda_runtime::run(service_fn(answer)).await
}
