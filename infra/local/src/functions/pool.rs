//! One function: its waiting invocations, its processes, and who is working on what.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use super::InvokeError;
use super::process::{self, Watchdog};

/// Outcome of an invocation: the function's payload.
pub type Invoked = std::result::Result<Bytes, InvokeError>;

/// What a function's processes are started with.
#[derive(Debug, Clone)]
pub struct Launch {
    pub binary: String,
    pub executable: PathBuf,
    pub environment: BTreeMap<String, String>,
    /// Address of the Runtime API without the instance at the end; with its scheme, because the
    /// client takes a path only after one.
    pub runtime_api: String,
    pub timeout_seconds: u32,
    /// Processes that may run at once.
    pub instances_max: u32,
}

/// What a function has done since the stack started.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct FunctionCounts {
    pub invocations: u64,
    pub errors: u64,
    pub timeouts: u64,
    pub crashes: u64,
    pub instances: u64,
    /// Time spent in the function, in milliseconds.
    pub busy_ms: u64,
}

/// An invocation on its way to a process.
pub struct Invocation {
    pub request_id: String,
    pub payload: Bytes,
    reply: oneshot::Sender<Invoked>,
}

struct InFlight {
    request_id: String,
    started: Instant,
    reply: oneshot::Sender<Invoked>,
    timer: AbortHandle,
}

#[derive(Default)]
struct Instance {
    polled: bool,
    in_flight: Option<InFlight>,
    kill: Arc<Notify>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Invocation>,
    instances: BTreeMap<u32, Instance>,
    next_instance: u32,
    stopping: bool,
    counts: FunctionCounts,
}

/// A function and its processes.
pub struct Pool {
    pub launch: Launch,
    watchdog: Arc<Watchdog>,
    state: Mutex<State>,
    arrived: Notify,
    emptied: Notify,
}

impl Pool {
    /// A function without processes; [`Self::warm`] or the first invocation starts one.
    pub fn new(launch: Launch, watchdog: Arc<Watchdog>) -> Arc<Self> {
        Arc::new(Self { launch, watchdog, state: Mutex::default(), arrived: Notify::new(), emptied: Notify::new() })
    }

    /// Starts the first process, so that the first invocation finds it ready.
    pub fn warm(self: &Arc<Self>) {
        let mut state = self.state.lock().expect("not poisoned");
        if state.instances.is_empty() {
            self.start_instance(&mut state);
        }
    }

    /// Runs the function on a payload and waits for its answer.
    pub async fn invoke(self: &Arc<Self>, payload: Bytes) -> Invoked {
        let (reply, answer) = oneshot::channel();
        {
            let mut state = self.state.lock().expect("not poisoned");
            if state.stopping {
                return Err(InvokeError::Stopping);
            }
            state.counts.invocations += 1;
            state.waiting.push_back(Invocation { request_id: crate::queue::message_id(), payload, reply });
            // One that has just answered is about to poll again, and one that starts will poll.
            let free = state.instances.values().filter(|one| one.in_flight.is_none()).count();
            let room = state.instances.len() < self.launch.instances_max as usize;
            if state.waiting.len() > free && room {
                self.start_instance(&mut state);
            }
        }
        self.arrived.notify_one();
        answer.await.unwrap_or(Err(InvokeError::Stopping))
    }

    /// What the function has done.
    pub fn counts(&self) -> FunctionCounts {
        let state = self.state.lock().expect("not poisoned");
        FunctionCounts { instances: state.instances.len() as u64, ..state.counts.clone() }
    }

    /// Whether no invocation waits or runs.
    pub fn is_idle(&self) -> bool {
        let state = self.state.lock().expect("not poisoned");
        state.waiting.is_empty() && state.instances.values().all(|one| one.in_flight.is_none())
    }

    /// The next invocation for a process; waits for as long as there is none.
    pub async fn next(self: &Arc<Self>, instance: u32) -> Option<(String, Bytes)> {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if let Some(taken) = self.take(instance)? {
                return Some(taken);
            }
            arrived.await;
        }
    }

    /// `None`: the process is not ours any more. `Some(None)`: nothing is waiting.
    fn take(self: &Arc<Self>, instance: u32) -> Option<Option<(String, Bytes)>> {
        let mut state = self.state.lock().expect("not poisoned");
        let state = &mut *state;
        let one = state.instances.get_mut(&instance)?;
        one.polled = true;
        let Some(invocation) = state.waiting.pop_front() else {
            return Some(None);
        };
        let pool = Arc::clone(self);
        let request_id = invocation.request_id.clone();
        let timeout = Duration::from_secs(u64::from(self.launch.timeout_seconds));
        let timer = tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            pool.time_out(instance, &request_id);
        });
        one.in_flight = Some(InFlight {
            request_id: invocation.request_id.clone(),
            started: Instant::now(),
            reply: invocation.reply,
            timer: timer.abort_handle(),
        });
        Some(Some((invocation.request_id, invocation.payload)))
    }

    /// A process answered; whether the invocation was still its own.
    pub fn complete(&self, instance: u32, request_id: &str, outcome: Invoked) -> bool {
        let mut state = self.state.lock().expect("not poisoned");
        let state = &mut *state;
        let Some(one) = state.instances.get_mut(&instance) else {
            return false;
        };
        let Some(in_flight) = one.in_flight.take_if(|in_flight| in_flight.request_id == request_id) else {
            return false;
        };
        in_flight.timer.abort();
        state.counts.errors += u64::from(outcome.is_err());
        state.counts.busy_ms += elapsed_ms(in_flight.started);
        let _ = in_flight.reply.send(outcome);
        true
    }

    fn time_out(&self, instance: u32, request_id: &str) {
        let mut state = self.state.lock().expect("not poisoned");
        let state = &mut *state;
        let Some(one) = state.instances.get_mut(&instance) else {
            return;
        };
        let Some(in_flight) = one.in_flight.take_if(|in_flight| in_flight.request_id == request_id) else {
            return;
        };
        one.kill.notify_one();
        state.counts.timeouts += 1;
        state.counts.busy_ms += elapsed_ms(in_flight.started);
        let _ = in_flight.reply.send(Err(InvokeError::TimedOut(self.launch.timeout_seconds)));
    }

    fn start_instance(self: &Arc<Self>, state: &mut State) {
        if state.stopping {
            return;
        }
        let number = state.next_instance;
        state.next_instance += 1;
        let instance = Instance::default();
        let kill = Arc::clone(&instance.kill);
        state.instances.insert(number, instance);
        let pool = Arc::clone(self);
        tokio::spawn(async move { pool.supervise(number, kill).await });
    }

    /// Runs one process to its end and sees to what it leaves behind.
    async fn supervise(self: Arc<Self>, number: u32, kill: Arc<Notify>) {
        let end = process::run(&self.launch, number, &self.watchdog, &kill).await;
        let restart = self.ended(number, &end);
        if let Some(wait) = restart {
            tracing::warn!(function = self.launch.binary, end, "process ended; starting another");
            tokio::time::sleep(wait).await;
            self.warm();
        }
        self.emptied.notify_one();
    }

    /// Fails what the process was working on; how long to wait before starting another, if at all.
    fn ended(&self, number: u32, end: &str) -> Option<Duration> {
        let mut state = self.state.lock().expect("not poisoned");
        let state = &mut *state;
        let one = state.instances.remove(&number)?;
        if let Some(in_flight) = one.in_flight {
            in_flight.timer.abort();
            let _ = in_flight.reply.send(Err(InvokeError::Crashed(end.to_owned())));
        }
        // A process that never came up would leave everything waiting: fail it, as Lambda does.
        if !one.polled && state.instances.is_empty() {
            for invocation in state.waiting.drain(..) {
                let _ = invocation.reply.send(Err(InvokeError::Crashed(end.to_owned())));
            }
        }
        if state.stopping {
            return None;
        }
        state.counts.crashes += 1;
        if !state.instances.is_empty() && state.waiting.is_empty() {
            return None;
        }
        Some(if one.polled { RESTART_WAIT } else { BROKEN_WAIT })
    }

    /// Fails what waits, kills every process and waits until they are gone.
    pub async fn stop(&self) {
        {
            let mut state = self.state.lock().expect("not poisoned");
            state.stopping = true;
            for invocation in state.waiting.drain(..) {
                let _ = invocation.reply.send(Err(InvokeError::Stopping));
            }
            for one in state.instances.values() {
                one.kill.notify_one();
            }
        }
        while !self.state.lock().expect("not poisoned").instances.is_empty() {
            self.emptied.notified().await;
        }
    }
}

/// Wait before a process that had been working is replaced.
const RESTART_WAIT: Duration = Duration::from_millis(50);
/// Wait before a process that never came up is tried again.
const BROKEN_WAIT: Duration = Duration::from_secs(2);

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
