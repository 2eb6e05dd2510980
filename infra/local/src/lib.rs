//! The whole product on one machine: the functions as they are deployed, wired as
//! `infra/template.yaml` says, over an embedded DynamoDB, queues on a file, a bus and a clock.
//!
//! Never knows anything about loyalty: points are decided in the functions alone.

pub mod books;
pub mod bus;
pub mod check_programme;
pub mod cli;
pub mod clock;
pub mod cost;
pub mod data_dir;
pub mod demo;
pub mod engine;
pub mod error;
pub mod functions;
pub mod gateway;
pub mod local_api;
pub mod measure;
pub mod messages;
pub mod package;
pub mod problem;
pub mod processes;
pub mod progress;
pub mod queue;
pub mod sample;
pub mod schedule;
pub mod secrets;
pub mod services;
pub mod sources;
pub mod stack;
pub mod tables;
pub mod template;
pub mod verify;
pub mod zalo;

pub use error::{Result, StackError};
pub use stack::{Data, Options, Stack};
