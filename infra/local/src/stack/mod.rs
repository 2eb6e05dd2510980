//! The whole product on this machine, started and stopped as one.
//!
//! Everything it runs comes from the template. Never binds anything but loopback.

mod options;
mod running;
mod start;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use options::{Data, Options, default_programme, read_programme};
pub use running::{Drained, Invocation, Running};

use crate::data_dir::DataDir;
use crate::error::Result;

/// A running stack. Dropping it without [`Stack::stop`] kills its processes all the same.
pub struct Stack {
    running: Arc<Running>,
    stopping: watch::Sender<bool>,
    /// The HTTP door.
    servers: JoinSet<()>,
    /// Readers of queues.
    consumers: JoinSet<()>,
    /// Followers of streams, the clock.
    workers: JoinSet<()>,
    /// What the functions talk to.
    services: JoinSet<()>,
    data: DataDir,
}

impl Stack {
    /// Builds what it needs and starts everything; ready when it returns.
    ///
    /// # Errors
    /// Says what to do: a taken port, a data directory in use, a template or a programme that
    /// cannot be read, functions that do not build.
    pub async fn start(options: Options) -> Result<Self> {
        start::start(options).await
    }

    /// Handles to counters, events, the clock and the addresses.
    pub fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// The data directory.
    pub fn data(&self) -> &DataDir {
        &self.data
    }

    /// Lets what is under way finish for a moment, ends every process and closes the files. What did
    /// not finish is done again at the next start.
    pub async fn stop(mut self) {
        let _ = self.stopping.send(true);
        // The batches under way are settled and no new ones begun: a batch that is cut off has
        // used up one of its attempts.
        self.running.store.close();
        finish(&mut self.servers).await;
        finish(&mut self.consumers).await;
        self.workers.abort_all();
        for pool in self.running.functions.values() {
            pool.stop().await;
        }
        // Functions first: without the Runtime API they would complain about its absence.
        self.services.abort_all();
        let (store, engine) = (self.running.store.clone(), self.running.engine.clone());
        let _ = tokio::task::spawn_blocking(move || {
            store.stop();
            engine.stop();
        })
        .await;
    }
}

async fn finish(tasks: &mut JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, all).await;
    tasks.abort_all();
}

/// How long requests and batches under way may take to finish at a stop.
const GRACE: std::time::Duration = std::time::Duration::from_millis(500);
