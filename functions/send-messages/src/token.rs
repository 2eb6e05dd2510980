//! The access token, refreshed by one of all who need it.
//!
//! A refresh token works once, so whoever refreshes first takes a lease on the row, and the new pair is in the table
//! before anybody uses it. Whoever was killed in between leaves a lease that lapses: then it is not known whether the
//! token was used up. It is tried once more, because a pair that was never stored cannot be lost twice; after that the
//! row says that a human is needed, and nothing calls again until they put a new token in place.
//!
//! What one process writes there, a pause above all, holds for every other within seconds.

use chrono::TimeDelta;
use loyalty_domain::time::Instant;
use loyalty_runtime::clock::{Clock, ClockError};
use loyalty_store::{Books, Lease, Sender, StoreError, Stored};
use loyalty_zalo::{Class, Refused, Tokens, Zalo};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

/// The row of `senders`.
pub const SENDER: &str = "zalo";
/// A refresh must be done by then: its call takes at most ten seconds, and the writes around it less.
pub const LEASE_SECONDS: i64 = 30;
/// A token is not used in its last minute: a call under way must not outlive it.
const MARGIN_SECONDS: i64 = 60;
/// Refreshes of unknown outcome in a row before a human is needed.
const DOUBTS_MAX: u32 = 2;
/// How long nothing is sent by an account that a human has to look at; then one message tries.
pub const PAUSE_MINUTES: i64 = 60;
/// How long the row is believed once it is read: so much later than here a pause holds in another process. It costs one
/// read for each such while in which a process sends, at most 720 an hour, however many messages that are.
pub const BELIEVED_SECONDS: i64 = 5;
/// How long this process leaves a token server alone that could not refresh.
const QUIET_SECONDS: i64 = 15;
/// After so long without a refresh a human has to look.
const BUSY_MINUTES_MAX: i64 = 60;
/// What the alarm of the deployed stack looks for in the log, in a field `alarm`.
pub const ALARM: &str = "zalo-paused";
const POLL_MS: u64 = 100;
/// How often somebody else's refresh is looked for, and how often the new pair is written.
const POLLS_MAX: u32 = 50;
const STORES_MAX: u32 = 5;

/// Why there is no token now.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    #[error("another is refreshing the token, or it cannot be refreshed right now")]
    Busy,
    #[error("sending is paused until {0}")]
    Paused(Instant),
    #[error("a human is needed: {0}")]
    Stopped(String),
    #[error("the tokens cannot be read or written")]
    Books(#[from] StoreError),
    #[error("the time is not known")]
    Clock(#[from] ClockError),
}

/// What keeps the token. One for a process.
pub struct TokenKeeper {
    books: Books,
    zalo: Zalo,
    clock: Clock,
    /// The configured refresh token, the first of its line.
    first: String,
    /// The lock is also the queue of this process.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// What was last read or written, and until when nobody here reads it again.
    sender: Option<Sender>,
    believed_until: Option<Instant>,
    /// Until when nobody here asks for a refresh again.
    quiet_until: Option<Instant>,
}

impl Known {
    fn believe(&mut self, sender: Sender, now: Instant) {
        self.sender = Some(sender);
        self.believed_until = Some(now + TimeDelta::seconds(BELIEVED_SECONDS));
    }
}

enum Step {
    Use(Sender),
    /// The lease is ours, under this revision.
    Refresh(Sender, u64),
    Wait,
}

impl TokenKeeper {
    pub fn new(books: Books, zalo: Zalo, clock: Clock, first: String) -> Self {
        Self { books, zalo, clock, first, known: Mutex::default() }
    }

    fn seed(&self) -> String {
        hex::encode(&Sha256::digest(&self.first)[..8])
    }

    /// A token to call with; not `refused`, which the provider has just turned down.
    ///
    /// # Errors
    /// [`NoToken`].
    pub async fn token(&self, refused: Option<&str>) -> Result<String, NoToken> {
        let mut known = self.known.lock().await;
        let now = self.clock.now().await?;
        match known.sender.as_ref().and_then(|sender| Some((sender, usable(sender, refused, now)?))) {
            Some((sender, token)) if known.believed_until.is_some_and(|until| until > now) => {
                return paused(sender, now).map_or(Ok(token), Err);
            }
            // The row is read again, and nothing asked of the token server.
            Some(_) => {}
            None if known.quiet_until.is_some_and(|until| until > now) => return Err(NoToken::Busy),
            None => {}
        }
        for _ in 0..POLLS_MAX {
            let now = self.clock.now().await?;
            let sender = match self.step(refused, now).await? {
                Step::Use(sender) => sender,
                Step::Refresh(sender, revision) => match self.refresh(sender, revision).await {
                    Err(NoToken::Busy) => {
                        known.quiet_until = Some(now + TimeDelta::seconds(QUIET_SECONDS));
                        return Err(NoToken::Busy);
                    }
                    refreshed => refreshed?,
                },
                Step::Wait => {
                    tokio::time::sleep(std::time::Duration::from_millis(POLL_MS)).await;
                    continue;
                }
            };
            let waits = paused(&sender, now);
            let token = sender.access_token.clone().unwrap_or_default();
            known.believe(sender, now);
            return waits.map_or(Ok(token), Err);
        }
        Err(NoToken::Busy)
    }

    /// Looks at the row, and takes the lease where it is time to.
    async fn step(&self, refused: Option<&str>, now: Instant) -> Result<Step, NoToken> {
        let Stored { row: mut sender, revision } = match self.books.sender(SENDER).await? {
            Some(stored) if stored.row.stopped.is_none() || stored.row.seed == self.seed() => stored,
            // A human has put a new token in place of the one that no longer works.
            Some(Stored { revision, .. }) => {
                Stored { row: Sender::seeded(SENDER, &self.first, &self.seed()), revision }
            }
            None => Stored { row: Sender::seeded(SENDER, &self.first, &self.seed()), revision: 0 },
        };
        if let Some(reason) = sender.stopped {
            return Err(NoToken::Stopped(reason));
        }
        if usable(&sender, refused, now).is_some() {
            return Ok(Step::Use(sender));
        }
        if let Some(error) = paused(&sender, now) {
            return Err(error);
        }
        match sender.lease.take() {
            Some(lease) if lease.until > now => return Ok(Step::Wait),
            Some(_) => {
                sender.doubts += 1;
                tracing::warn!(doubts = sender.doubts, "whoever refreshed the token was stopped before it was stored");
            }
            None => {}
        }
        if sender.doubts >= DOUBTS_MAX {
            // Where that was not written, the row is another now.
            self.stop(sender, revision, "it is not known whether the refresh token was used up").await?;
            return Ok(Step::Wait);
        }
        let until = now + TimeDelta::seconds(LEASE_SECONDS);
        sender.lease = Some(Lease { holder: format!("{:016x}", fastrand::u64(..)), until });
        let taken = self.books.put_sender(&sender, revision).await?;
        Ok(if taken { Step::Refresh(sender, revision + 1) } else { Step::Wait })
    }

    /// Calls with the lease in hand, and stores what comes before it is used.
    async fn refresh(&self, mut sender: Sender, revision: u64) -> Result<Sender, NoToken> {
        let spent = sender.refresh_token.clone();
        let refreshed = self.zalo.refresh(&spent).await;
        let now = self.clock.now().await?;
        let lease = sender.lease.take();
        match refreshed {
            Ok(Tokens { access_token, refresh_token, lasts }) => {
                (sender.doubts, sender.busy_since) = (0, None);
                (sender.access_token, sender.refresh_token) = (Some(access_token), refresh_token);
                sender.expires_at = Some(now + lasts);
                self.store(&mut sender, revision, lease, &spent).await?;
                tracing::info!(lasts_seconds = lasts.num_seconds(), "the token is refreshed");
                Ok(sender)
            }
            // The refresh token was not looked at.
            Err(Refused::NotSent | Refused::Code { class: Class::Passing, .. }) => {
                let since = *sender.busy_since.get_or_insert(now);
                let human = now - since >= TimeDelta::minutes(BUSY_MINUTES_MAX);
                if human {
                    let reason = format!("no token could be refreshed since {since}");
                    sender.busy_since = None;
                    pause(&mut sender, &reason, now);
                }
                self.store(&mut sender, revision, lease, &spent).await?;
                Err(sender.paused_until.filter(|_| human).map_or(NoToken::Busy, NoToken::Paused))
            }
            Err(Refused::Lost) => {
                sender.doubts += 1;
                tracing::warn!(doubts = sender.doubts, "the answer to a refresh was lost");
                self.store(&mut sender, revision, lease, &spent).await?;
                Err(NoToken::Busy)
            }
            Err(Refused::Code { number, .. }) => {
                let reason = format!("the refresh token was refused with {number}");
                // Where the row is another now, it was refused because somebody else has used it.
                let stopped = self.stop(sender, revision, &reason).await?;
                Err(if stopped { NoToken::Stopped(reason) } else { NoToken::Busy })
            }
        }
    }

    /// Writes what must not be lost, as often as there is hope. Whoever pauses the account meanwhile writes the row too:
    /// their pause is kept. So is a new pair where somebody took the lease for lapsed: what they hold is `spent`.
    async fn store(
        &self,
        sender: &mut Sender,
        mut revision: u64,
        lease: Option<Lease>,
        spent: &str,
    ) -> Result<(), NoToken> {
        let new_pair = sender.refresh_token != spent;
        let mut last = NoToken::Busy;
        for _ in 0..STORES_MAX {
            match self.books.put_sender(sender, revision).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => last = error.into(),
            }
            match self.books.sender(SENDER).await {
                // The answer to the write was lost, or nothing is lost with it.
                Ok(Some(Stored { row, .. })) if new_pair && row.refresh_token == sender.refresh_token => return Ok(()),
                Ok(Some(Stored { row, .. })) if !new_pair && row.lease != lease => return Err(NoToken::Busy),
                Ok(Some(stored)) if stored.row.refresh_token == spent => {
                    (sender.paused_until, sender.paused_reason) = (stored.row.paused_until, stored.row.paused_reason);
                    revision = stored.revision;
                }
                Ok(_) => break,
                Err(error) => last = error.into(),
            }
            tokio::time::sleep(std::time::Duration::from_millis(POLL_MS)).await;
        }
        if new_pair {
            tracing::error!("a new pair of tokens could not be stored");
        } else {
            tracing::warn!("what came of a refresh could not be stored");
        }
        Err(last)
    }

    /// Sending ends until a human puts a new token in place; `false` when the row is another by now.
    async fn stop(&self, mut sender: Sender, revision: u64, reason: &str) -> Result<bool, NoToken> {
        (sender.lease, sender.stopped) = (None, Some(reason.to_owned()));
        let stopped = self.books.put_sender(&sender, revision).await?;
        if stopped {
            tracing::error!(
                reason,
                alarm = ALARM,
                "sending by Zalo has stopped: put a new ZALO_REFRESH_TOKEN in place"
            );
        }
        Ok(stopped)
    }

    /// Nothing is sent for an hour: the provider says that a human has to look. The answer is until when.
    ///
    /// # Errors
    /// [`NoToken`] when that cannot be written.
    pub async fn pause(&self, reason: &str) -> Result<Instant, NoToken> {
        let mut known = self.known.lock().await;
        let now = self.clock.now().await?;
        for _ in 0..STORES_MAX {
            let Some(Stored { row: mut sender, revision }) = self.books.sender(SENDER).await? else { break };
            pause(&mut sender, reason, now);
            if self.books.put_sender(&sender, revision).await? {
                known.believe(sender, now);
                break;
            }
        }
        Ok(now + TimeDelta::minutes(PAUSE_MINUTES))
    }
}

/// An hour's pause, and the alarm that goes with it.
fn pause(sender: &mut Sender, reason: &str, now: Instant) {
    let until = now + TimeDelta::minutes(PAUSE_MINUTES);
    tracing::error!(reason, %until, alarm = ALARM, "sending by Zalo is paused: a human has to look");
    (sender.paused_until, sender.paused_reason) = (Some(until), Some(reason.to_owned()));
}

fn usable(sender: &Sender, refused: Option<&str>, now: Instant) -> Option<String> {
    let lasts = sender.expires_at.is_some_and(|end| end > now + TimeDelta::seconds(MARGIN_SECONDS));
    sender.access_token.clone().filter(|token| lasts && refused != Some(token.as_str()))
}

fn paused(sender: &Sender, now: Instant) -> Option<NoToken> {
    sender.paused_until.filter(|until| *until > now).map(NoToken::Paused)
}
