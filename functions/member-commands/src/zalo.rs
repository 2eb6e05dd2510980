//! What the official account at Zalo told the webhook's door: who follows, who did something, whose phone is whose, what
//! arrived.
//!
//! None of it says anything of points, so it does not wait for a programme that is paused. Each event carries its own time
//! and the newest word wins: duplicates and disorder change nothing.

use loyalty_contract::webhook::ParseError;
use loyalty_contract::zalo::{FromZalo, ZaloEvent, parse};
use loyalty_domain::time::Instant;
use loyalty_store::{StoreError, ZaloKey};

use crate::MemberCommands;

/// Why an event is not done. It comes again.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    #[error("the event of the official account cannot be read")]
    Unreadable(#[from] ParseError),
    #[error("the books cannot be read or written")]
    Books(#[from] StoreError),
}

impl MemberCommands {
    /// Keeps what an event tells.
    pub(crate) async fn keep_zalo(&self, told: FromZalo, now: Instant) -> Result<(), NotKept> {
        let event = match told {
            FromZalo::Event(event) => event,
            FromZalo::Unread { body } => match parse(body.as_bytes(), now)? {
                Some(event) => event,
                None => return Ok(()),
            },
        };
        let kind = event.kind();
        let new = match event {
            ZaloEvent::Follow { user_id, follows, at } => {
                self.books.follow(&self.zalo_user(&user_id), follows, at).await?
            }
            ZaloEvent::Interacted { user_id, at } => self.books.interacted(&self.zalo_user(&user_id), at).await?,
            ZaloEvent::Submitted { user_id, phone, at } => {
                let user = self.zalo_user(&user_id);
                let linked = self.books.link(&user, &user_id, &self.key.by_phone(&phone), at).await?;
                self.books.interacted(&user, at).await? || linked
            }
            ZaloEvent::Received { keys, at } => {
                let mut new = false;
                for key in keys {
                    new |= self.books.delivered(&key, at).await?;
                }
                new
            }
        };
        tracing::info!(kind, new, "an event of the official account is kept");
        Ok(())
    }

    fn zalo_user(&self, user_id: &str) -> ZaloKey {
        ZaloKey::new(self.key.zalo_user(user_id))
    }
}
