//! What the books ask of DynamoDB for what a shop does: requests and capacity units, as DynamoDB charges them.
//!
//! The tests assert each of these from what DynamoDB says it consumed, and the command that computes a shop's costs adds
//! them up; so neither can say anything else than the other.

use crate::Consumed;

const fn units(requests: u64, read_units: f64, write_units: f64) -> Consumed {
    Consumed { requests, read_units, write_units }
}

/// An order credited with one entry, however many came before it.
pub const CREDITED: Consumed = units(2, 1.0, 6.0);
/// Each entry more, in the same transaction.
pub const FURTHER_ENTRY: Consumed = units(0, 0.0, 2.0);
/// The first sight of an order that has not earned.
pub const FIRST_SIGHT: Consumed = units(2, 1.0, 4.0);
/// A newer version of an order that moves no points.
pub const NEWER_VERSION: Consumed = units(2, 1.0, 1.0);
/// The same version again, or an older one.
pub const DUPLICATE: Consumed = units(1, 1.0, 0.0);
/// An order undone: what it was credited, and a look for the vouchers that were used for it.
pub const REVERSED: Consumed = units(3, 1.5, 6.0);
/// A member enters an index, or leaves it.
pub const INDEXED: Consumed = units(0, 0.0, 1.0);
/// A member enrolled by a campaign's run, beside their message and their page.
pub const ENROLLED: Consumed = units(1, 1.0, 4.0);
/// A member whom a run looks at and has nothing to do for.
pub const LOOKED_AT: Consumed = units(0, 1.0, 0.0);
/// A message kept until it is sent.
pub const MESSAGE_KEPT: Consumed = units(1, 0.0, 1.0);
/// A message sent to a member: what is true now is read, it is claimed, and what came of it is written down.
pub const MESSAGE_SENT: Consumed = units(5, 3.0, 3.0);
