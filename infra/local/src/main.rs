//! The command line of Thăng Hạng on one machine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use thang_hang::books::erase::{self, EraseArgs};
use thang_hang::books::export::{self, ExportArgs};
use thang_hang::books::import;
use thang_hang::books::import::members::{ImportMembersArgs, Members};
use thang_hang::books::import::orders::{ImportOrdersArgs, Orders};
use thang_hang::books::merge::{self, MergeArgs};
use thang_hang::check_programme::{self, CheckArgs};
use thang_hang::cli;
use thang_hang::cli::serve::ServeArgs;
use thang_hang::cost::{self, CostArgs};
use thang_hang::demo::{self, DemoArgs};
use thang_hang::error::{Context, Result};
use thang_hang::measure::{self, MeasureArgs};
use thang_hang::messages::{self, PreviewArgs};
use thang_hang::package::{self, PackageArgs};
use thang_hang::tables::TablesArgs;
use thang_hang::verify;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

/// Thăng Hạng: a loyalty engine for shops, on one machine.
///
/// Without a subcommand it starts the whole product here: an embedded DynamoDB, the Lambda
/// functions as they are deployed, the HTTP API and the schedules. It prints where each thing
/// listens and a line to try.
#[derive(Debug, Parser)]
#[command(name = "thang-hang", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show or replay what a running stack gave up on
    DeadLetters {
        #[command(subcommand)]
        action: DeadLetters,
    },
    /// Run a schedule (or a function) of a running stack now
    Invoke {
        /// A schedule, such as weekly-campaign, or a function
        name: String,
        /// The time the run takes as now [default: the stack's clock]
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// A file with the JSON payload, for a function
        #[arg(long, value_name = "FILE")]
        payload: Option<PathBuf>,
        #[command(flatten)]
        target: Target,
    },
    /// Check a programme file: every problem with its path, and how many orders each tier takes
    CheckProgramme(CheckArgs),
    /// Prove the ledger: every member from their history, every order from its entries
    Verify(TablesArgs),
    /// Bring along what a shop has: existing members, and what they ordered
    Import {
        #[command(subcommand)]
        what: Import,
    },
    /// Write one of the two sheets to a file: where members stand, or every movement of points
    Export(ExportArgs),
    /// What members are told
    Messages {
        #[command(subcommand)]
        what: Messages,
    },
    /// Forget the person behind a member; the books stay as they are
    Erase(EraseArgs),
    /// Two members are one person: the second joins the first, with points, wallet and orders
    Merge(MergeArgs),
    /// Real purchases of a year and a half, end to end, in about a minute
    Demo(DemoArgs),
    /// What the stack costs a month at some volumes of orders, from asserted units and dated prices
    Cost(CostArgs),
    /// Build the functions as they are deployed, each a zip file
    Package(PackageArgs),
    /// Measure the built functions on this machine, against their budget
    Measure(MeasureArgs),
    /// Move the clock of a running stack; every schedule on the way fires in order
    Advance {
        /// Where to, such as 2026-11-30T08:00:00+07:00
        to: String,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Subcommand)]
enum Import {
    /// Existing members from a CSV file: points, tier and spending so far, one opening entry each; nobody is told
    Members(ImportMembersArgs),
    /// Orders from before, from a CSV file: kept, so that later words about them move only what changes
    Orders(ImportOrdersArgs),
}

#[derive(Debug, Subcommand)]
enum Messages {
    /// Show every message with sample data, in each language, and what its template at Zalo is filled with
    Preview(PreviewArgs),
}

#[derive(Debug, Subcommand)]
enum DeadLetters {
    /// List every dead letter with its content
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Send dead letters back to where they failed
    Replay {
        /// Only this one, by its id [default: all]
        #[arg(value_name = "MESSAGE_ID")]
        message_id: Option<String>,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, clap::Args)]
struct Target {
    /// Where the stack's HTTP API listens
    #[arg(long, env = "LOYALTY_URL", default_value = "http://127.0.0.1:3000", value_name = "URL")]
    url: String,
}

/// What a shell says of a program that wrote to who no longer reads, as `head` does not: 128 and the signal's number.
const READER_GONE: i32 = 128 + 13;

/// Ends without a word when nobody reads what is printed any more. Every other panic is told as always.
fn end_with_the_reader() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let gone = |said: &str| said.starts_with("failed printing to stdout: Broken pipe");
        if panic.payload_as_str().is_some_and(gone) {
            std::process::exit(READER_GONE);
        }
        told(panic);
    }));
}

#[tokio::main]
async fn main() -> ExitCode {
    end_with_the_reader();
    let cli = Cli::parse();
    // As in the functions: below debug, libraries write whole bodies.
    tracing_subscriber::registry()
        .with(EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn,thang_hang=info".into()))
        .with(LevelFilter::DEBUG)
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .init();
    match run(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", error.report());
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode> {
    let done = match cli.command {
        None => cli::serve::serve(&cli.serve).await,
        Some(Command::DeadLetters { action }) => match action {
            DeadLetters::List { target } => cli::list_dead_letters(&target.url).await,
            DeadLetters::Replay { message_id, target } => {
                cli::replay_dead_letters(&target.url, message_id.as_deref()).await
            }
        },
        Some(Command::Invoke { name, at, payload, target }) => {
            let payload = payload.map(read_payload).transpose()?;
            cli::invoke(&target.url, &name, at.as_deref(), payload).await
        }
        Some(Command::Advance { to, target }) => cli::advance(&target.url, &to).await,
        Some(Command::CheckProgramme(args)) => return check_programme::run(&args),
        Some(Command::Verify(args)) => return verify::run(&args).await,
        Some(Command::Import { what: Import::Members(args) }) => {
            return import::run(Members::default(), &args.file, &args.how).await;
        }
        Some(Command::Messages { what: Messages::Preview(args) }) => return messages::run(&args),
        Some(Command::Import { what: Import::Orders(args) }) => {
            return import::run(Orders, &args.file, &args.how).await;
        }
        Some(Command::Export(args)) => return export::run(&args).await,
        Some(Command::Merge(args)) => return merge::run(&args).await,
        Some(Command::Erase(args)) => return erase::run(&args).await,
        Some(Command::Cost(args)) => return cost::run(&args),
        Some(Command::Package(args)) => return package::run(&args),
        Some(Command::Measure(args)) => return measure::run(&args).await,
        Some(Command::Demo(args)) => return demo::run(&args).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn read_payload(file: PathBuf) -> Result<serde_json::Value> {
    let about = || format!("cannot read the payload {}", file.display());
    let text = std::fs::read_to_string(&file).context(about)?;
    serde_json::from_str(&text).context(about)
}
