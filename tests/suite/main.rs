//! All tests of the books in one binary.

mod engine;
mod exhaustive;
mod golden;
mod late;
mod living;
mod properties;
mod scenarios;
mod seeds;
mod simulation;
mod tampering;
