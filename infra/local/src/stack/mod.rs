//! The whole product on this machine, started and stopped as one.
//!
//! Everything it runs comes from the template. Never binds anything but loopback.

mod options;
mod running;
mod start;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use options::{Data, Options};
pub use running::{Drained, Invocation, Running};

use crate::data_dir::DataDir;
use crate::error::Result;

/// A running stack. Dropping it without [`Stack::stop`] kills its processes all the same.
pub struct Stack {
    running: Arc<Running>,
    stopping: watch::Sender<bool>,
    servers: JoinSet<()>,
    workers: JoinSet<()>,
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

    /// Ends every process and closes the files. Work under way is done again at the next start.
    pub async fn stop(mut self) {
        let _ = self.stopping.send(true);
        let finish = async { while self.servers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, finish).await;
        self.servers.abort_all();
        self.workers.abort_all();
        for pool in self.running.functions.values() {
            pool.stop().await;
        }
        let (store, engine) = (self.running.store.clone(), self.running.engine.clone());
        let _ = tokio::task::spawn_blocking(move || {
            store.stop();
            engine.stop();
        })
        .await;
    }
}

/// How long requests under way may take to finish at a stop.
const GRACE: std::time::Duration = std::time::Duration::from_millis(500);
