//! A stack of its own process, so that the tests can kill it. Never part of the product.
//!
//! Arguments: template, data directory, function binary, log file. Prints its HTTP address.

use std::path::{Path, PathBuf};

use thang_hang::{Data, Options, Stack};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("four arguments");
    let (template, data, function, log) = (next(), next(), next(), next());
    let mut options = Options::ephemeral(Path::new("."));
    options.template = PathBuf::from(template);
    options.data = Data::Directory(PathBuf::from(data));
    options.settle_seconds = Some(0);
    for name in ["worker", "follower", "web", "listener", "nightly"] {
        options.executables.insert(name.to_owned(), PathBuf::from(&function));
    }
    options.environment.insert("FIXTURE_LOG".to_owned(), log);
    let stack = Stack::start(options).await.expect("the stack starts");
    println!("{}", stack.running().url());
    println!("{}", stack.running().dynamodb_url());
    std::future::pending::<()>().await;
}
