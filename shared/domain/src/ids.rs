//! Identifiers. Each is its own type, so that one can never stand where another belongs.

use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

id!(
    /// A member, as a keyed hash of who they are: it says nothing about the person (X43).
    MemberId
);
id!(
    /// An order as `source:id`, unique over all shops that feed one installation.
    OrderId
);
id!(
    /// A tier of the programme: `member`, `silver` … (T1, T6).
    TierId
);
id!(
    /// What made points move: `base`, `welcome`, the id of a campaign, a behaviour or a reward.
    RuleId
);
id!(
    /// A command that came with an idempotency key: the same key of the same member is the same request.
    RequestId
);
id!(
    /// A voucher's row, derived from its code without telling it.
    VoucherId
);
id!(
    /// The programme and the hash of its content: `cnv-retail@6f1c…`. Stands on every entry.
    ProgrammeVersion
);

impl OrderId {
    /// Stands for the first order of a member who was there before these books: there was one, or there is none to be
    /// welcomed for (X26). No shop's order is called this: those are `source:id`.
    pub fn opening() -> Self {
        Self::new("opening")
    }
}

impl RuleId {
    /// The order's own points (P2, P3).
    pub fn base() -> Self {
        Self::new("base")
    }

    /// Welcome points (P14).
    pub fn welcome() -> Self {
        Self::new("welcome")
    }
}
