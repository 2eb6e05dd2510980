//! All tests of the books in one binary.

mod exhaustive;
mod golden;
mod late;
mod properties;
mod scenarios;
mod simulation;
mod tampering;
