//! `verify`: proves the ledger over the tables.

use std::process::ExitCode;

use aws_sdk_dynamodb::Client;
use indicatif::{ProgressBar, ProgressStyle};
use loyalty_audit::{Audit, Report, Table};

use crate::error::Result;
use crate::tables::{TablesArgs, client, scan};

/// How many findings are printed; all of them are counted.
const FINDINGS_SHOWN: usize = 100;

/// How many rows are proved together: enough to share among processors, few enough to be near them still.
const ROWS_AT_ONCE: usize = 256;

/// Proves the books and prints what is broken.
///
/// # Errors
/// When the tables cannot be read.
pub async fn run(args: &TablesArgs) -> Result<ExitCode> {
    let report = prove(&client(args).await, args).await?;
    print(&report);
    Ok(if report.clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads all tables and holds them against each other. A row that looks broken is read again with everything else: books
/// that move while they are read are no finding.
///
/// # Errors
/// When the tables cannot be read.
pub async fn prove(client: &Client, args: &TablesArgs) -> Result<Report> {
    let first = read(client, args).await?;
    if first.clean() {
        return Ok(first);
    }
    Ok(first.confirmed_by(read(client, args).await?))
}

async fn read(client: &Client, args: &TablesArgs) -> Result<Report> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}: {pos} rows") {
        bar.set_style(style);
    }
    let mut audit = Audit::new();
    let mut rows = Vec::with_capacity(ROWS_AT_ONCE);
    for table in Table::ALL {
        bar.set_message(format!("reading {}", table.name()));
        scan(client, args, table, |row| {
            rows.push((table, row));
            bar.inc(1);
            if rows.len() == ROWS_AT_ONCE {
                audit.rows(&rows);
                rows.clear();
            }
        })
        .await?;
    }
    audit.rows(&rows);
    bar.finish_and_clear();
    Ok(audit.finish())
}

/// Prints the counts, then the verdict.
pub fn print(report: &Report) {
    let counts = &report.counts;
    println!(
        "read {} members, {} entries of the ledger, {} orders, {} participations, {} requests, {} vouchers, {} messages",
        counts.members,
        counts.entries,
        counts.orders,
        counts.participations,
        counts.requests,
        counts.vouchers,
        counts.messages
    );
    if report.clean() {
        println!("verified: every member follows from their history, every order from its entries");
        return;
    }
    for finding in report.findings.iter().take(FINDINGS_SHOWN) {
        println!("  {finding}");
    }
    let found = report.findings.len() as u64 + report.left_out;
    if found > FINDINGS_SHOWN as u64 {
        println!("  … and {} more", found - FINDINGS_SHOWN as u64);
    }
    println!("BROKEN: {found} findings");
}
