//! The thread that owns the queue file, and the handle others talk to it through.
//!
//! Everything that arrives while one commit is on its way to the disk shares the next commit, so
//! throughput does not depend on how long a commit takes. No caller hears of a change before it
//! is committed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Lying, Outgoing, QueueCounts, Receipt, Received, retry_wait_ms, sql};
use crate::clock::Clock;
use crate::error::{Context, Result, StackError};
use crate::template::Queue;

/// Jobs that may share one commit.
const GROUP_MAX: usize = 1_000;
/// How long the thread sleeps when nothing is due; a job wakes it at once.
const IDLE: Duration = Duration::from_secs(3_600);
/// Messages listed in one answer.
const LIST_MAX: u32 = 10_000;

type Reply = Box<dyn FnOnce() + Send>;
type Job = Box<dyn FnOnce(&mut Work) -> rusqlite::Result<Reply> + Send>;

enum Command {
    Job(Job),
    Wait(Waiter),
    /// Nobody receives any more.
    Close,
    /// Time moved, or the thread should look again.
    Wake,
    Stop,
}

struct Waiter {
    queue: String,
    messages_max: u32,
    visibility_ms: i64,
    reply: oneshot::Sender<Vec<Received>>,
}

/// Handle to the queues; cheap to clone.
#[derive(Clone)]
pub struct QueueStore {
    commands: mpsc::Sender<Command>,
    clock: Arc<Clock>,
    counts: Arc<Mutex<BTreeMap<String, QueueCounts>>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl QueueStore {
    /// Opens (or makes) the queue file. What was in flight when the last stack died is visible.
    pub fn open(file: &Path, clock: Arc<Clock>) -> Result<Self> {
        let connection = open_file(file).context(|| format!("cannot open the queue file {}", file.display()))?;
        let counts = Arc::new(Mutex::new(BTreeMap::new()));
        let (commands, inbox) = mpsc::channel();
        let thread = {
            let counts = Arc::clone(&counts);
            let clock = Arc::clone(&clock);
            let (opened, ready) = mpsc::channel();
            let thread = std::thread::Builder::new()
                .name("queues".to_owned())
                .spawn(move || match Work::new(connection, clock, counts) {
                    Ok(work) => {
                        let _ = opened.send(Ok(()));
                        work.run(&inbox);
                    }
                    Err(error) => {
                        let _ = opened.send(Err(error));
                    }
                })
                .context(|| "cannot start the thread of the queues".to_owned())?;
            ready
                .recv()
                .map_err(|_| StackError::new("the thread of the queues ended"))?
                .context(|| format!("cannot use the queue file {}", file.display()))?;
            thread
        };
        Ok(Self { commands, clock, counts, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Declares queues; unknown ones are refused by every other call.
    pub async fn declare(&self, queues: Vec<Queue>) -> Result<()> {
        self.job(move |work| {
            let mut counts = work.counts.lock().expect("not poisoned");
            for queue in queues {
                counts.entry(queue.name.clone()).or_default();
                work.queues.insert(queue.name.clone(), queue);
            }
            Ok(())
        })
        .await
    }

    /// Puts messages into a queue; returns their ids once they are on disk.
    pub async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Result<Vec<String>> {
        let queue = queue.to_owned();
        let now = self.clock.now_ms();
        self.job(move |work| work.send(&queue, &messages, now)).await
    }

    /// Takes up to `messages_max` visible messages, waiting until there is at least one.
    pub async fn receive(&self, queue: &str, messages_max: u32, visibility_seconds: u32) -> Result<Vec<Received>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.commands.send(Command::Wait(Waiter {
            queue: queue.to_owned(),
            messages_max,
            visibility_ms: i64::from(visibility_seconds) * 1_000,
            reply,
        }));
        answer.await.map_err(|_| gone())
    }

    /// [`Self::receive`] that answers at once, perhaps with nothing.
    pub async fn receive_now(&self, queue: &str, messages_max: u32, visibility_seconds: u32) -> Result<Vec<Received>> {
        let queue = queue.to_owned();
        let visibility_ms = i64::from(visibility_seconds) * 1_000;
        self.job(move |work| work.take(&queue, messages_max, visibility_ms)).await
    }

    /// Ends a batch: `done` are deleted, `failed` come back after a short wait, or go to the
    /// dead-letter queue when they have been received often enough.
    pub async fn settle(&self, queue: &str, done: Vec<Receipt>, failed: Vec<Receipt>) -> Result<()> {
        let queue = queue.to_owned();
        self.job(move |work| {
            for receipt in done {
                work.delete(&queue, receipt)?;
            }
            for receipt in failed {
                work.fail(&queue, receipt)?;
            }
            Ok(())
        })
        .await
    }

    /// Deletes one message; whether the receipt still counted.
    pub async fn delete(&self, queue: &str, receipt: Receipt) -> Result<bool> {
        let queue = queue.to_owned();
        self.job(move |work| work.delete(&queue, receipt)).await
    }

    /// Changes when a message in flight becomes visible again.
    pub async fn change_visibility(&self, receipt: Receipt, seconds: u32) -> Result<bool> {
        let visible_ms = self.clock.now_ms() + i64::from(seconds) * 1_000;
        self.job(move |work| sql::extend(&work.connection, receipt, visible_ms)).await
    }

    /// The messages lying in a queue, oldest first.
    pub async fn list(&self, queue: &str) -> Result<Vec<Lying>> {
        let queue = queue.to_owned();
        self.job(move |work| {
            let lying = sql::lying(&work.connection, &queue, LIST_MAX)?;
            Ok(lying.into_iter().map(|(_, message)| message).collect())
        })
        .await
    }

    /// Moves messages between queues: those of `message_ids`, or all when it is empty.
    /// Returns how many.
    pub async fn move_messages(&self, from: &str, to: &str, message_ids: Vec<String>) -> Result<u64> {
        let (from, to) = (from.to_owned(), to.to_owned());
        let now = self.clock.now_ms();
        self.job(move |work| {
            let mut moved = 0;
            for (row, message) in sql::lying(&work.connection, &from, LIST_MAX)? {
                if message_ids.is_empty() || message_ids.contains(&message.message_id) {
                    sql::send_anew(&work.connection, row, &to, now)?;
                    moved += 1;
                }
            }
            work.count(&from, |counts| counts.present -= moved);
            work.count(&to, |counts| counts.present += moved);
            work.due_at(&to, now);
            Ok(moved)
        })
        .await
    }

    /// Deletes the named messages of a queue, whoever holds them.
    pub async fn remove(&self, queue: &str, message_ids: Vec<String>) -> Result<()> {
        let queue = queue.to_owned();
        self.job(move |work| {
            for (row, message) in sql::lying(&work.connection, &queue, LIST_MAX)? {
                if message_ids.contains(&message.message_id) {
                    sql::remove_row(&work.connection, row)?;
                    work.count(&queue, |counts| counts.present -= 1);
                }
            }
            Ok(())
        })
        .await
    }

    /// How many messages of a queue are delayed, and how many are in flight.
    pub async fn delayed_and_in_flight(&self, queue: &str) -> Result<(u64, u64)> {
        let queue = queue.to_owned();
        let now = self.clock.now_ms();
        self.job(move |work| sql::delayed(&work.connection, &queue, now)).await
    }

    /// The latest moment up to `limit_ms` at which a message of these queues becomes visible.
    pub async fn last_visible_until(&self, queues: Vec<String>, limit_ms: i64) -> Result<Option<i64>> {
        self.job(move |work| {
            let mut last = None;
            for queue in queues {
                last = last.max(sql::last_visible_until(&work.connection, &queue, limit_ms)?);
            }
            Ok(last)
        })
        .await
    }

    /// A small fact kept with the queues.
    pub async fn fact(&self, name: &str) -> Result<Option<String>> {
        let name = name.to_owned();
        self.job(move |work| sql::fact(&work.connection, &name)).await
    }

    /// Keeps a small fact; returns once it is on disk.
    pub async fn set_fact(&self, name: &str, value: String) -> Result<()> {
        let name = name.to_owned();
        self.job(move |work| sql::set_fact(&work.connection, &name, &value)).await
    }

    /// What has gone through each queue, by name.
    pub fn counts(&self) -> BTreeMap<String, QueueCounts> {
        self.counts.lock().expect("not poisoned").clone()
    }

    /// Messages in a queue, in whatever state; `None` for an unknown queue.
    pub fn present(&self, queue: &str) -> Option<u64> {
        let counts = self.counts.lock().expect("not poisoned");
        counts.get(queue).map(|counts| counts.present)
    }

    /// Tells the thread that the clock was moved.
    pub fn wake(&self) {
        let _ = self.commands.send(Command::Wake);
    }

    /// Ends every wait for messages; what was received can still be settled.
    pub fn close(&self) {
        let _ = self.commands.send(Command::Close);
    }

    /// Commits what has arrived and closes the file.
    pub fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
        if let Some(thread) = self.thread.lock().expect("not poisoned").take() {
            let _ = thread.join();
        }
    }

    async fn job<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Work) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |work| {
            let value = run(work)?;
            Ok(Box::new(move || {
                let _ = reply.send(value);
            }))
        });
        let _ = self.commands.send(Command::Job(job));
        answer.await.map_err(|_| gone())
    }
}

fn gone() -> StackError {
    StackError::new("the queue file could not be written, or the stack is stopping")
}

fn open_file(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A delivery that was answered with 202 survives power loss too; commits are shared, so the
    // price is one disk flush per group.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(sql::SCHEMA)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// What only the thread touches.
struct Work {
    connection: Connection,
    clock: Arc<Clock>,
    queues: HashMap<String, Queue>,
    counts: Arc<Mutex<BTreeMap<String, QueueCounts>>>,
    waiters: HashMap<String, VecDeque<Waiter>>,
    /// Nothing of a queue is visible before this moment; absent when the queue is empty.
    due_ms: HashMap<String, i64>,
    closed: bool,
}

impl Work {
    fn new(
        connection: Connection,
        clock: Arc<Clock>,
        counts: Arc<Mutex<BTreeMap<String, QueueCounts>>>,
    ) -> rusqlite::Result<Self> {
        sql::release_all(&connection)?;
        let mut due_ms = HashMap::new();
        for (queue, present) in sql::counts(&connection)? {
            if let Some(due) = sql::next_visible(&connection, &queue)? {
                due_ms.insert(queue.clone(), due);
            }
            let mut counts = counts.lock().expect("not poisoned");
            counts.entry(queue).or_default().present = present;
        }
        Ok(Self { connection, clock, queues: HashMap::new(), counts, waiters: HashMap::new(), due_ms, closed: false })
    }

    fn run(mut self, inbox: &mpsc::Receiver<Command>) {
        loop {
            let first = match inbox.recv_timeout(self.sleep()) {
                Ok(command) => command,
                Err(mpsc::RecvTimeoutError::Timeout) => Command::Wake,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            let mut stopping = false;
            let mut jobs = Vec::new();
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Job(job) => jobs.push(job),
                    // A dropped waiter hears that there is nothing to wait for.
                    Command::Wait(_) if self.closed => {}
                    Command::Close => {
                        self.closed = true;
                        self.waiters.clear();
                    }
                    Command::Wait(waiter) => {
                        let queue = waiter.queue.clone();
                        self.waiters.entry(queue).or_default().push_back(waiter);
                    }
                    Command::Wake => {}
                    Command::Stop => stopping = true,
                }
                next = if jobs.len() < GROUP_MAX && !stopping { inbox.try_recv().ok() } else { None };
            }
            match self.group(jobs) {
                Ok(replies) => replies.into_iter().for_each(|reply| reply()),
                // Every caller of the group hears that its reply was dropped.
                Err(error) => {
                    tracing::error!(%error, "the queue file could not be written");
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
            }
            if stopping {
                return;
            }
        }
    }

    /// Runs jobs, then serves whoever waits, in one transaction.
    fn group(&mut self, jobs: Vec<Job>) -> rusqlite::Result<Vec<Reply>> {
        let mut replies = Vec::with_capacity(jobs.len());
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for job in jobs {
            replies.push(job(self)?);
        }
        self.serve_waiters(&mut replies)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(replies)
    }

    fn serve_waiters(&mut self, replies: &mut Vec<Reply>) -> rusqlite::Result<()> {
        let now = self.clock.now_ms();
        let due: Vec<String> = self
            .waiters
            .iter()
            .filter(|(queue, waiters)| !waiters.is_empty() && self.due_ms.get(*queue).is_some_and(|due| *due <= now))
            .map(|(queue, _)| queue.clone())
            .collect();
        for queue in due {
            while let Some(waiter) = self.waiters.get_mut(&queue).and_then(VecDeque::pop_front) {
                if waiter.reply.is_closed() {
                    continue;
                }
                let messages = self.take(&queue, waiter.messages_max, waiter.visibility_ms)?;
                if messages.is_empty() {
                    self.waiters.entry(queue).or_default().push_front(waiter);
                    break;
                }
                replies.push(Box::new(move || {
                    let _ = waiter.reply.send(messages);
                }));
            }
        }
        Ok(())
    }

    /// Until the next message becomes visible that somebody waits for.
    fn sleep(&self) -> Duration {
        let now = self.clock.now_ms();
        self.waiters
            .iter()
            .filter(|(_, waiters)| !waiters.is_empty())
            .filter_map(|(queue, _)| self.due_ms.get(queue))
            .min()
            .map_or(IDLE, |due| Duration::from_millis(u64::try_from(due - now).unwrap_or(0)).min(IDLE))
    }

    fn send(&mut self, queue: &str, messages: &[Outgoing], now_ms: i64) -> rusqlite::Result<Vec<String>> {
        let delay = self.queues.get(queue).map_or(0, |queue| queue.delay_seconds);
        let mut ids = Vec::with_capacity(messages.len());
        for message in messages {
            let id = message_id();
            let delay_ms = i64::from(message.delay_seconds.unwrap_or(delay)) * 1_000;
            sql::insert(&self.connection, queue, &id, &message.body, now_ms, now_ms + delay_ms)?;
            self.due_at(queue, now_ms + delay_ms);
            ids.push(id);
        }
        let sent = messages.len() as u64;
        self.count(queue, |counts| {
            counts.sent += sent;
            counts.present += sent;
        });
        Ok(ids)
    }

    fn take(&mut self, queue: &str, messages_max: u32, visibility_ms: i64) -> rusqlite::Result<Vec<Received>> {
        let now = self.clock.now_ms();
        let mut taken = Vec::new();
        for mut message in sql::visible(&self.connection, queue, now, messages_max)? {
            if self.exhausted(queue, message.receives) {
                self.bury(queue, message.receipt.row)?;
                continue;
            }
            message.receives += 1;
            message.receipt.receive = message.receives;
            if message.first_received_ms == 0 {
                message.first_received_ms = now;
            }
            sql::take(&self.connection, &message, now + visibility_ms)?;
            taken.push(message);
        }
        match sql::next_visible(&self.connection, queue)? {
            Some(due) => self.due_ms.insert(queue.to_owned(), due),
            None => self.due_ms.remove(queue),
        };
        let received = taken.len() as u64;
        self.count(queue, |counts| counts.received += received);
        Ok(taken)
    }

    fn delete(&mut self, queue: &str, receipt: Receipt) -> rusqlite::Result<bool> {
        let deleted = sql::delete(&self.connection, receipt)?;
        if deleted {
            self.count(queue, |counts| {
                counts.deleted += 1;
                counts.present -= 1;
            });
        }
        Ok(deleted)
    }

    fn fail(&mut self, queue: &str, receipt: Receipt) -> rusqlite::Result<()> {
        let visible_ms = self.clock.now_ms() + retry_wait_ms(receipt.receive);
        if !sql::put_back(&self.connection, receipt, visible_ms)? {
            return Ok(());
        }
        if self.exhausted(queue, receipt.receive) {
            return self.bury(queue, receipt.row);
        }
        self.due_at(queue, visible_ms);
        Ok(())
    }

    fn exhausted(&self, queue: &str, receives: u32) -> bool {
        self.queues
            .get(queue)
            .and_then(|queue| queue.redrive.as_ref())
            .is_some_and(|redrive| receives >= redrive.receives_max)
    }

    fn bury(&mut self, queue: &str, row: i64) -> rusqlite::Result<()> {
        let Some(target) =
            self.queues.get(queue).and_then(|queue| queue.redrive.as_ref()).map(|redrive| redrive.queue.clone())
        else {
            return Ok(());
        };
        let now = self.clock.now_ms();
        sql::move_to(&self.connection, row, &target, now)?;
        self.due_at(&target, now);
        self.count(queue, |counts| {
            counts.dead += 1;
            counts.present -= 1;
        });
        self.count(&target, |counts| counts.present += 1);
        Ok(())
    }

    fn due_at(&mut self, queue: &str, visible_ms: i64) {
        let due = self.due_ms.entry(queue.to_owned()).or_insert(visible_ms);
        *due = visible_ms.min(*due);
    }

    fn count(&self, queue: &str, change: impl FnOnce(&mut QueueCounts)) {
        let mut counts = self.counts.lock().expect("not poisoned");
        change(counts.entry(queue.to_owned()).or_default());
    }
}

/// A random id in the shape of a UUID.
pub fn message_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
