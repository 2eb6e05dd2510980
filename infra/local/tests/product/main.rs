//! The product as it is deployed, through the local stack: the real binaries, signed webhooks, the member API.

mod kills;
mod scenarios;
