//! DynamoDB on this machine: the dynoxide engine on a file, behind an endpoint that counts.
//!
//! The engine has its own thread with a single-threaded runtime, because SQLite runs on the thread
//! that calls it. Never keeps data in memory only: without the index that [`streams`] adds to the
//! file, every write to a table with a stream would scan all earlier records.

mod hot;
mod server;
pub mod streams;
mod tokens;
mod usage;

use std::collections::{BTreeSet, HashMap};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use dynoxide::Database;
use rusqlite::Connection;
use tokio::sync::{mpsc as async_mpsc, oneshot, watch};

pub use usage::{Asked, Usage, UsageByCaller};

use crate::error::{Context, Result, StackError};
use crate::template::Table;

type Job = Box<dyn FnOnce(&Database, &Connection) + Send>;

/// Handle to the engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    address: SocketAddr,
    jobs: async_mpsc::UnboundedSender<Job>,
    usage: Arc<usage::Book>,
    writes: Arc<HashMap<String, watch::Sender<u64>>>,
    thread: Arc<Mutex<Option<Thread>>>,
}

/// The engine's thread and how it is told to end.
struct Thread {
    stop: oneshot::Sender<()>,
    handle: JoinHandle<()>,
}

impl Engine {
    /// Opens (or makes) the database file, creates missing tables and serves on the listener.
    pub fn start(file: &Path, listener: TcpListener, tables: &[Table]) -> Result<Self> {
        let address = listener.local_addr().context(|| "the DynamoDB port has no address".to_owned())?;
        let (jobs, inbox) = async_mpsc::unbounded_channel();
        let usage = Arc::new(usage::Book::default());
        let writes: Arc<HashMap<String, watch::Sender<u64>>> = Arc::new(
            tables
                .iter()
                .filter(|table| table.create.get("StreamSpecification").is_some())
                .map(|table| (table.name.clone(), watch::Sender::new(0)))
                .collect(),
        );
        let (stop, stopped) = oneshot::channel();
        let (opened, ready) = mpsc::channel();
        let server = server::Parts { listener, usage: Arc::clone(&usage), writes: Arc::clone(&writes) };
        let (file, tables) = (file.to_owned(), tables.to_vec());
        let thread = std::thread::Builder::new()
            .name("dynamodb".to_owned())
            .spawn(move || match open(&file, &tables) {
                Ok((database, connection)) => {
                    let _ = opened.send(Ok(()));
                    server::run(server, database, connection, inbox, stopped);
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            })
            .context(|| "cannot start the thread of the DynamoDB engine".to_owned())?;
        ready.recv().map_err(|_| StackError::new("the DynamoDB engine ended while it started"))??;
        Ok(Self { address, jobs, usage, writes, thread: Arc::new(Mutex::new(Some(Thread { stop, handle: thread }))) })
    }

    /// Base address of the endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What each caller has asked of the tables since the stack started.
    pub fn usage(&self) -> UsageByCaller {
        self.usage.snapshot()
    }

    /// From now on requests are looked into for what they ask of the tables.
    pub fn keep_asked(&self) {
        self.usage.keep_asked();
    }

    /// What was asked since [`Self::keep_asked`].
    pub fn asked(&self) -> BTreeSet<Asked> {
        self.usage.asked()
    }

    /// A signal that rises after every write that may have reached the table's stream.
    pub fn writes_to(&self, table: &str) -> Option<watch::Receiver<u64>> {
        self.writes.get(table).map(watch::Sender::subscribe)
    }

    /// Runs on the engine's thread, between requests, over a second connection to its file.
    pub async fn with_file<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let _ = self.jobs.send(Box::new(move |_, connection| {
            let _ = reply.send(run(connection));
        }));
        answer
            .await
            .map_err(|_| StackError::new("the DynamoDB engine has stopped"))?
            .context(|| "cannot read the stream records".to_owned())
    }

    /// Finishes the requests under way and closes the file.
    pub fn stop(&self) {
        if let Some(thread) = self.thread.lock().expect("not poisoned").take() {
            let _ = thread.stop.send(());
            let _ = thread.handle.join();
        }
    }
}

fn open(file: &Path, tables: &[Table]) -> Result<(Database, Connection)> {
    let path = file.to_str().ok_or_else(|| StackError::new(format!("{} is not valid UTF-8", file.display())))?;
    let database = Database::new(path).context(|| format!("cannot open the database file {}", file.display()))?;
    for table in tables {
        create(&database, table, file)?;
    }
    let connection = Connection::open(file)
        .and_then(|connection| {
            streams::prepare(&connection)?;
            Ok(connection)
        })
        .context(|| format!("cannot open the database file {}", file.display()))?;
    Ok((database, connection))
}

fn create(database: &Database, table: &Table, file: &Path) -> Result<()> {
    let name = &table.name;
    let about = || format!("cannot create the table {name}");
    if let Some(existing) = database.get_table_metadata(name).context(about)? {
        let wanted: Vec<dynoxide::types::KeySchemaElement> =
            serde_json::from_value(table.create["KeySchema"].clone()).context(about)?;
        let found: Vec<dynoxide::types::KeySchemaElement> =
            serde_json::from_str(&existing.key_schema).context(about)?;
        let streams = table.create.get("StreamSpecification").is_some();
        if !same_keys(&wanted, &found) || streams != existing.stream_enabled {
            return Err(StackError::new(format!(
                "the table {name} in {} was made by another template: its keys or its stream differ. \
                 Start with another --data directory, or move this one away",
                file.display()
            )));
        }
        return Ok(());
    }
    let request = serde_json::from_value(table.create.clone()).context(about)?;
    database.create_table(request).context(about)?;
    if let Some(attribute) = &table.time_to_live {
        let request = serde_json::json!({
            "TableName": name,
            "TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": true},
        });
        let request = serde_json::from_value(request).context(about)?;
        database.update_time_to_live(request).context(about)?;
    }
    Ok(())
}

fn same_keys(wanted: &[dynoxide::types::KeySchemaElement], found: &[dynoxide::types::KeySchemaElement]) -> bool {
    let text = |keys: &[dynoxide::types::KeySchemaElement]| serde_json::to_value(keys).ok();
    text(wanted) == text(found)
}
