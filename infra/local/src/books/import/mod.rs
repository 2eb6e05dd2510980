//! `import members`: a shop's existing members, from a CSV file into the books.
//!
//! Each row is one transaction of its own and is written once, however often the file comes: run it again after a
//! failure, or with the rejects corrected. Nothing is told to anybody.

mod file;
pub mod orders;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant as Stopwatch;

use indicatif::{ProgressBar, ProgressStyle};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::Source;
use loyalty_contract::refusal::refusal;
use loyalty_contract::sheet::{Brought, Header, read_opening};
use loyalty_store::{Books, Mode, StoreError};
use tokio::task::JoinSet;

use self::file::{Line, Lines, Rejects};
use super::{BooksArgs, check_key};
use crate::clock::{instant, machine_ms, parse_instant};
use crate::error::{Context, Result, StackError};
use crate::tables::client;

/// Rows that are looked up together.
const ROWS_AT_ONCE: usize = 100;
/// Transactions under way at once, at most.
const PARALLEL_MAX: u16 = 256;

/// What to import.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportMembersArgs {
    /// A CSV file with a header: phone (or customer_id, or member_id), name, email, birthday, tier, tier_since,
    /// redeemable_points, points_expire_on or lots (2027-01-31:50;never:10), qualifying_points, spent, orders_count,
    /// cycle_spent, cycle_orders, wallet, last_ordered_on, joined_on; or the Vietnamese names that `export members
    /// --headers vi` writes. Separated by commas, semicolons or tabs; UTF-8
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Check every row and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where rows that cannot be taken are written, with their reasons [default: FILE with .rejects.csv]
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// The shop whose customer ids `customer_id` are
    #[arg(long, value_name = "SOURCE", default_value = "standard", value_parser = source)]
    pub source: Source,
    /// The instant the members are opened at, milliseconds since 1970 or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub at: Option<i64>,
    /// Transactions under way at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=i64::from(PARALLEL_MAX)))]
    pub parallel: u16,
    #[command(flatten)]
    pub books: BooksArgs,
}

fn source(name: &str) -> std::result::Result<Source, String> {
    let known = || Source::ALL.map(Source::as_str).join(", ");
    Source::ALL.into_iter().find(|source| source.as_str() == name).ok_or_else(|| format!("one of {}", known()))
}

/// What has come of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Members who are new in the books.
    pub opened: u64,
    /// Rows that had been imported before, or stand in the file twice.
    pub known: u64,
    pub rejected: u64,
}

/// Imports, and prints what came of it.
///
/// # Errors
/// When the file or the tables cannot be read, or the tables not be written.
pub async fn run(args: &ImportMembersArgs) -> Result<ExitCode> {
    let begun = Stopwatch::now();
    let imported = import(args).await?;
    let Imported { opened, known, rejected } = imported;
    let seconds = begun.elapsed().as_secs_f64();
    let rate = (opened + known + rejected) as f64 / seconds.max(0.001);
    let done = if args.dry_run { "would be imported" } else { "imported" };
    println!(
        "{opened} members {done}, {known} were there already, {rejected} rejected, in {seconds:.1} s ({rate:.0} rows/s)"
    );
    if rejected > 0 {
        println!(
            "rejected rows and their reasons: {}; correct them there and import that file",
            rejects_of(args).display()
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn rejects_of(args: &ImportMembersArgs) -> PathBuf {
    args.rejects.clone().unwrap_or_else(|| args.file.with_extension("rejects.csv"))
}

/// Imports every row that can be, and writes the others down.
///
/// # Errors
/// As [`run`]. What was written until then stays, and the same command goes on from there.
pub async fn import(args: &ImportMembersArgs) -> Result<Imported> {
    let rejects = rejects_of(args);
    if rejects == args.file {
        return Err(StackError::new("the rejects would overwrite the file: name another one with --rejects"));
    }
    let key = args.books.member_key()?;
    let programmes = args.books.programmes()?;
    let client = client(&args.books.tables).await;
    check_key(&client, &args.books.tables, &key).await?;
    let lines = Lines::open(&args.file, |titles| Header::of_members(titles.iter().map(String::as_str)))?;
    for name in &lines.header.left_out {
        eprintln!("the column {name:?} is not imported: no column of members is called that");
    }
    let mut import = Import {
        args,
        key,
        context: Arc::new(Shared {
            books: Books::new(client, &args.books.tables.table_prefix),
            programmes,
            mode: if args.dry_run { Mode::Try } else { Mode::Write },
            at_ms: args.at.unwrap_or_else(machine_ms),
        }),
        rejects: Rejects::new(rejects, &lines.titles),
        bar: bar(lines.bytes),
        seen: HashMap::new(),
        under_way: JoinSet::new(),
        imported: Imported::default(),
    };
    import.all(lines).await?;
    Ok(import.imported)
}

/// What every transaction needs.
struct Shared {
    books: Books,
    programmes: ProgrammeFile,
    mode: Mode,
    at_ms: i64,
}

struct Import<'a> {
    args: &'a ImportMembersArgs,
    key: MemberKey,
    context: Arc<Shared>,
    rejects: Rejects,
    bar: ProgressBar,
    /// The line and the figures of every member in the file: two rows of one member would race for which is true.
    seen: HashMap<String, (u64, String)>,
    under_way: JoinSet<(Line, std::result::Result<bool, StoreError>)>,
    imported: Imported,
}

impl Import<'_> {
    async fn all(&mut self, mut lines: Lines) -> Result<()> {
        loop {
            let mut rows = Vec::with_capacity(ROWS_AT_ONCE);
            while rows.len() < ROWS_AT_ONCE {
                let Some(line) = lines.next()? else { break };
                rows.extend(self.read(&lines, line)?);
            }
            self.bar.set_position(lines.position());
            if rows.is_empty() && lines.ended() {
                break;
            }
            self.write(rows).await?;
        }
        while let Some(done) = self.under_way.join_next().await {
            self.settle(done)?;
        }
        self.rejects.finish()?;
        self.bar.finish_and_clear();
        Ok(())
    }

    /// The member of a line; `None` where it is rejected or stands there a second time.
    fn read(&mut self, lines: &Lines, line: Line) -> Result<Option<(Line, Brought)>> {
        let programme = &self.context.programmes.at(instant(self.context.at_ms)).programme;
        let brought = lines.cells(&line).and_then(|cells| {
            read_opening(&cells, self.args.source, &self.key, programme.currency).map_err(|problem| problem.to_string())
        });
        let brought = match brought {
            Ok(brought) => brought,
            Err(reason) => {
                self.reject(&line, &reason)?;
                return Ok(None);
            }
        };
        let figures = brought.opening.asked.fingerprint.clone();
        match self.seen.entry(brought.member_id.to_string()) {
            Entry::Vacant(vacant) => {
                vacant.insert((line.number, figures));
                Ok(Some((line, brought)))
            }
            Entry::Occupied(first) if first.get().1 == figures => {
                self.imported.known += 1;
                Ok(None)
            }
            Entry::Occupied(first) => {
                let reason = format!("line {} has the same member with other figures", first.get().0);
                self.reject(&line, &reason)?;
                Ok(None)
            }
        }
    }

    async fn write(&mut self, rows: Vec<(Line, Brought)>) -> Result<()> {
        let ids: Vec<_> = rows.iter().map(|(_, brought)| brought.member_id.clone()).collect();
        let known = self.context.books.known_members(&ids).await.context(unavailable)?;
        for (line, brought) in rows {
            while self.under_way.len() >= usize::from(self.args.parallel) {
                if let Some(done) = self.under_way.join_next().await {
                    self.settle(done)?;
                }
            }
            let new_here = !known.contains(&brought.member_id);
            let context = Arc::clone(&self.context);
            self.under_way.spawn(async move {
                let now = instant(context.at_ms);
                let programme = &context.programmes.at(now).programme;
                let Brought { member_id, opening } = &brought;
                let opened =
                    context.books.open_member(programme, member_id, opening, new_here, context.mode, now).await;
                (line, opened)
            });
        }
        Ok(())
    }

    fn settle(
        &mut self,
        done: std::result::Result<(Line, std::result::Result<bool, StoreError>), tokio::task::JoinError>,
    ) -> Result<()> {
        let (line, opened) = done.context(|| "an import of a row broke off".to_owned())?;
        match opened {
            Ok(true) => self.imported.opened += 1,
            Ok(false) => self.imported.known += 1,
            Err(StoreError::Rejected(rejection)) => {
                let programme = &self.context.programmes.at(instant(self.context.at_ms)).programme;
                self.reject(&line, &refusal(programme, &rejection).detail)?;
            }
            Err(error) => return Err(error).context(unavailable),
        }
        let Imported { opened, known, rejected } = self.imported;
        self.bar.set_message(format!("{opened} imported, {known} were there, {rejected} rejected"));
        Ok(())
    }

    fn reject(&mut self, line: &Line, reason: &str) -> Result<()> {
        self.imported.rejected += 1;
        self.rejects.add(line, reason)
    }
}

fn unavailable() -> String {
    "the books cannot be read or written now; what was imported stays, and the same command goes on from there"
        .to_owned()
}

fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  {elapsed}, {eta} left") {
        bar.set_style(style);
    }
    bar
}
