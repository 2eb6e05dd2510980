//! A queue and the handlers at it: at least once, in no order, and whoever does not answer in time is not waited for.
//!
//! One thread and a paused clock: which handler is next follows from how long each request takes, and that from the
//! seed, so a schedule plays the same every time.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use loyalty_domain::time;
use order_changed::OrderChanged;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, sleep, timeout};

use super::faults::{Trace, Weather};
use super::wire;

/// Messages in one batch, as the template sets it.
const BATCH_MAX: usize = 10;
/// How long a message that was handed out stays hidden.
const HIDDEN: Duration = Duration::from_millis(1_500);
/// How often a message is delivered in bad weather; then it waits until it is over.
const RECEIVES_MAX: u32 = 6;
/// How far ahead of the oldest message one is delivered (F4).
const AHEAD_MAX: usize = 20;
/// Handlers that work at the same time at most (F6, F7).
const HANDLERS_MAX: usize = 3;

/// A message of the queue.
pub struct Message {
    pub id: String,
    pub body: String,
    pub sent: time::Instant,
    /// It may be refused for ever, and then it ends in the dead letters; any other message never does.
    pub refusable: bool,
}

struct State {
    draw: ChaCha8Rng,
    visible_at: Vec<Instant>,
    receives: Vec<u32>,
    acknowledged: Vec<bool>,
}

pub struct Queue<'a> {
    function: &'a OrderChanged,
    messages: Vec<Message>,
    state: RefCell<State>,
    trace: Trace,
}

impl<'a> Queue<'a> {
    pub fn new(function: &'a OrderChanged, messages: Vec<Message>, seed: u64, trace: Trace) -> Self {
        let state = RefCell::new(State {
            draw: ChaCha8Rng::seed_from_u64(seed),
            visible_at: vec![Instant::now(); messages.len()],
            receives: vec![0; messages.len()],
            acknowledged: vec![false; messages.len()],
        });
        Self { function, messages, state, trace }
    }

    /// Delivers until every message is acknowledged or was delivered often enough.
    pub async fn deliver(&self, weather: Weather) {
        let handlers = self.state.borrow_mut().draw.random_range(1..=HANDLERS_MAX);
        let handler = |number| async move {
            if number < handlers {
                self.handle(number, weather).await;
            }
        };
        tokio::join!(handler(0), handler(1), handler(2));
    }

    async fn handle(&self, handler: usize, weather: Weather) {
        while let Some(batch) = self.receive(handler).await {
            let taken = Instant::now();
            let event = wire::batch(batch.iter().map(|at| self.wired(*at)));
            let killed_after = self.killed_after(weather);
            // A handler that is killed stops at whatever request it has on its way (F13).
            let Ok(answer) = timeout(killed_after, self.function.answer(event)).await else {
                self.trace.note(|| format!("handler {handler} is killed"));
                continue;
            };
            let failed = answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
            // A zombie answers to nobody (F14).
            if taken.elapsed() < HIDDEN {
                self.acknowledge(handler, &batch, &failed);
            } else {
                self.trace.note(|| format!("handler {handler} is too late"));
            }
        }
    }

    fn wired(&self, at: usize) -> (&str, &str, time::Instant) {
        let Message { id, body, sent, .. } = &self.messages[at];
        (id, body, *sent)
    }

    fn killed_after(&self, weather: Weather) -> Duration {
        let draw = &mut self.state.borrow_mut().draw;
        let killed = draw.random_ratio(1, weather.one_in);
        if killed { Duration::from_millis(draw.random_range(0..150)) } else { Duration::MAX }
    }

    /// Some messages that are there, in any order. `None` when there will be no more.
    async fn receive(&self, handler: usize) -> Option<Vec<usize>> {
        loop {
            let batch = {
                let State { draw, visible_at, receives, acknowledged } = &mut *self.state.borrow_mut();
                let mut open = (0..self.messages.len()).filter(|at| !acknowledged[*at] && receives[*at] < RECEIVES_MAX);
                let visible = |at: &usize| visible_at[*at] <= Instant::now();
                open.clone().next()?;
                let mut batch: Vec<_> = open.by_ref().filter(visible).take(AHEAD_MAX).collect();
                batch.shuffle(draw);
                batch.truncate(draw.random_range(1..=BATCH_MAX));
                for at in &batch {
                    receives[*at] += 1;
                    visible_at[*at] = Instant::now() + HIDDEN;
                }
                batch
            };
            if batch.is_empty() {
                sleep(HIDDEN / 10).await;
            } else {
                self.trace.note(|| format!("handler {handler} takes {}", self.names(&batch)));
                return Some(batch);
            }
        }
    }

    fn acknowledge(&self, handler: usize, batch: &[usize], failed: &HashSet<String>) {
        let State { draw, visible_at, acknowledged, .. } = &mut *self.state.borrow_mut();
        let (given_back, done): (Vec<_>, Vec<_>) =
            batch.iter().partition(|at| failed.contains(&self.messages[**at].id));
        for at in &given_back {
            visible_at[*at] = Instant::now() + Duration::from_millis(draw.random_range(0..500));
        }
        for at in &done {
            // A queue may forget that a message was deleted (F1).
            acknowledged[*at] |= !draw.random_ratio(1, 20);
        }
        self.trace.note(|| format!("handler {handler} is done and gives back {}", self.names(&given_back)));
    }

    /// Delivers what was never acknowledged, one batch after another and without faults.
    ///
    /// # Errors
    /// When a good message is given back: it would end in the dead letters.
    pub async fn deliver_rest(&self) -> Result<(), String> {
        let open = |at: &usize| !self.state.borrow().acknowledged[*at];
        self.deliver_in_peace((0..self.messages.len()).filter(open).collect()).await
    }

    /// Delivers everything once more (F5).
    ///
    /// # Errors
    /// When a good message is given back.
    pub async fn deliver_again(&self) -> Result<(), String> {
        self.deliver_in_peace((0..self.messages.len()).collect()).await
    }

    async fn deliver_in_peace(&self, mut open: Vec<usize>) -> Result<(), String> {
        open.shuffle(&mut self.state.borrow_mut().draw);
        while !open.is_empty() {
            let size = self.state.borrow_mut().draw.random_range(1..=BATCH_MAX).min(open.len());
            let batch: Vec<_> = open.drain(..size).collect();
            self.trace.note(|| format!("in peace: {}", self.names(&batch)));
            let answer = self.function.answer(wire::batch(batch.iter().map(|at| self.wired(*at)))).await;
            for failure in answer.batch_item_failures {
                let refusable =
                    self.messages.iter().any(|known| known.id == failure.item_identifier && known.refusable);
                if !refusable {
                    return Err(format!("{} is given back although there is no fault", failure.item_identifier));
                }
            }
        }
        Ok(())
    }

    fn names(&self, messages: &[usize]) -> String {
        messages.iter().map(|at| self.messages[*at].id.as_str()).collect::<Vec<_>>().join(" ")
    }
}
