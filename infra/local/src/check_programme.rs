//! `check-programme`: everything that is wrong with a programme file, and what its owner should know before it goes live.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use comfy_table::{CellAlignment, Table, presets};
use loyalty_contract::programme::{OrdersToTier, ProgrammeFile, Version, lint};
use loyalty_messaging::{Template, faults};

use crate::error::{Context, Result, StackError};

/// What to check.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// The programme file, TOML; `infra/programmes` holds the presets
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What an average order is worth, in the programme's currency: tells how many orders each tier takes
    #[arg(long, value_name = "AMOUNT")]
    pub average_order: Option<i64>,
}

/// Prints every problem with its path, or the programme's versions and warnings.
///
/// # Errors
/// When the file cannot be read.
pub fn run(args: &CheckArgs) -> Result<ExitCode> {
    let shown = args.file.display();
    let text = std::fs::read_to_string(&args.file).context(|| format!("cannot read the programme file {shown}"))?;
    let file = match ProgrammeFile::parse(&text) {
        Ok(file) => file,
        Err(problems) => {
            for problem in &problems {
                println!("{problem}");
            }
            return Ok(refused(&args.file, problems.len()));
        }
    };
    let mut problems = 0;
    for version in file.versions() {
        describe(version, args.average_order)?;
        let faults = faults(version);
        problems += faults.len();
        for fault in &faults {
            println!("  {fault}");
        }
    }
    if problems > 0 {
        return Ok(refused(&args.file, problems));
    }
    println!("schedules run in {}, orders settle for {} s", file.zone(), file.settle_seconds());
    println!("{shown}: good to go live");
    Ok(ExitCode::SUCCESS)
}

fn refused(file: &Path, problems: usize) -> ExitCode {
    let found = if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") };
    println!("{}: {found}; it cannot go live", file.display());
    ExitCode::FAILURE
}

fn describe(version: &Version, average_order: Option<i64>) -> Result<()> {
    let programme = &version.programme;
    let since = match version.effective_from {
        first if first == chrono::DateTime::<chrono::Utc>::MIN_UTC => "from the beginning".to_owned(),
        later => format!("from {}", later.with_timezone(&programme.zone).to_rfc3339()),
    };
    println!("{} ({}), {since}", version.name, programme.version);
    let given = match average_order {
        Some(major) if major <= 0 => return Err(StackError::new("--average-order must be above 0")),
        Some(major) => major.checked_mul(programme.currency.minor_per_major()),
        None => version.average_order_minor,
    };
    let (ways, warnings) = lint(version, given);
    match given {
        Some(minor) => println!("{}", ways_table(version, minor, &ways)),
        None => println!("  say --average-order AMOUNT to see how many orders each tier takes"),
    }
    for warning in &warnings {
        println!("  warning: {}: {}", warning.path, warning.message);
    }
    let (zalo, all) = (version.messaging.zalo.len(), Template::ALL.len());
    println!("  messages: {zalo} of {all} have a template at Zalo; `messages preview` shows them");
    Ok(())
}

fn ways_table(version: &Version, average_minor: i64, ways: &[OrdersToTier]) -> Table {
    let currency = version.programme.currency;
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(vec![
        "tier".to_owned(),
        "qualifying points".to_owned(),
        format!("spend ({currency})"),
        format!("orders of {}", currency.decimal(average_minor)),
    ]);
    let by_rules = version.programme.tiers.by_rules();
    let never = if by_rules { "more than orders" } else { "never" };
    for way in ways {
        table.add_row(vec![
            way.tier.clone(),
            if by_rules { "by rules".to_owned() } else { way.threshold.to_string() },
            way.orders.map_or("–".to_owned(), |_| currency.decimal(way.spend_minor)),
            way.orders.map_or(never.to_owned(), |orders| orders.to_string()),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
