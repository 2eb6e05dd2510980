//! What the tests share: programmes built by hand, rows written as the tables hold them, and the simulation.
//!
//! Nothing here is part of the product, and nothing here may be imported by it.

pub mod book;
pub mod build;
pub mod rows;
pub mod scenarios;
pub mod sim;
