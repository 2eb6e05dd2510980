//! The scenario files, in process. The local stack plays the same files with the real binaries.

use loyalty_tests::scenarios::{InProcess, play_all};

#[tokio::test]
async fn every_scenario_holds_in_process() {
    play_all::<InProcess>().await;
}
