//! All tests of the books in one binary.

mod campaigns;
mod engine;
mod exhaustive;
mod golden;
mod item_rules;
mod late;
mod living;
mod options;
mod paying;
mod properties;
mod rule_tiers;
mod scenarios;
mod seeds;
mod simulation;
mod tampering;
