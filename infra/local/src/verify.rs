//! `verify`: proves the ledger over the tables.

use std::process::ExitCode;

use aws_sdk_dynamodb::Client;
use indicatif::ProgressBar;
use loyalty_audit::{Report, Table};
use loyalty_verify::{READINGS_MAX, Watch};

use crate::error::{Context, Result};
use crate::progress;
use crate::tables::{TablesArgs, cannot_read, client};

/// How many findings are printed; all of them are counted.
const FINDINGS_SHOWN: usize = 100;

/// Proves the books and prints what is broken.
///
/// # Errors
/// When the tables cannot be read.
pub async fn run(args: &TablesArgs) -> Result<ExitCode> {
    let report = prove(&client(args).await, args).await?;
    print(&report);
    Ok(if report.clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads all tables and holds them against each other.
///
/// # Errors
/// When the tables cannot be read.
pub async fn prove(client: &Client, args: &TablesArgs) -> Result<Report> {
    let bar = progress::bar("verify", None, "{spinner} {msg}: {pos} rows");
    let proved = loyalty_verify::prove(client, &args.table_prefix, &mut Progress(bar.clone())).await;
    bar.finish_and_clear();
    proved.or_else(|error| {
        let about = cannot_read(&error.table, args);
        Err(error).context(|| about)
    })
}

struct Progress(ProgressBar);

impl Watch for Progress {
    fn rows(&mut self, table: Table, rows: usize) {
        self.0.set_message(format!("reading {}", table.name()));
        self.0.inc(rows as u64);
    }
}

/// Prints the counts, then the verdict.
pub fn print(report: &Report) {
    let counts = &report.counts;
    println!(
        "read {} members, {} entries of the ledger, {} orders, {} participations, {} requests, {} vouchers, {} messages, \
         {} contacts, {} users of Zalo",
        counts.members,
        counts.entries,
        counts.orders,
        counts.participations,
        counts.requests,
        counts.vouchers,
        counts.messages,
        counts.contacts,
        counts.zalo_users
    );
    if !report.unproved.is_empty() {
        let named: Vec<&str> = report.unproved.iter().take(FINDINGS_SHOWN).map(String::as_str).collect();
        println!(
            "NOT PROVED: {} members, because their rows were written during each of {READINGS_MAX} readings; verify again \
             when they are at rest: {}",
            report.unproved.len(),
            named.join(" ")
        );
    }
    if report.clean() {
        let whom = if report.unproved.is_empty() { "every member" } else { "every other member" };
        println!("verified: {whom} follows from their history, every order from its entries");
        return;
    }
    for finding in report.findings.iter().take(FINDINGS_SHOWN) {
        println!("  {finding}");
    }
    let found = report.found();
    if found > FINDINGS_SHOWN as u64 {
        println!("  … and {} more", found - FINDINGS_SHOWN as u64);
    }
    println!("BROKEN: {found} findings");
}
