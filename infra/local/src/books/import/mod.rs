//! `import`: what a shop has from before these books, from a CSV file into them.
//!
//! Each row is one write of its own and is written once, however often the file comes: run it again after a failure, or
//! with the rejects corrected. Nothing is told to anybody.

mod file;
pub mod members;
pub mod orders;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant as Stopwatch;

use indicatif::ProgressBar;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::Source;
use loyalty_contract::refusal::refusal;
use loyalty_contract::sheet::{Cells, Header, HeaderError};
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;
use loyalty_store::{Books, Mode, StoreError};
use tokio::task::JoinSet;

use self::file::{Line, Lines, Rejects};
use super::{BooksArgs, check_key};
use crate::clock::{instant, machine_ms, parse_instant};
use crate::error::{Context, Result, StackError};
use crate::progress;
use crate::tables::client;

/// Rows that are looked up together.
const ROWS_AT_ONCE: usize = 100;
/// Writes under way at once, at most.
const PARALLEL_MAX: u16 = 256;

/// How a file is imported.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportArgs {
    /// Check every row and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where rows that cannot be taken are written, with their reasons [default: FILE with .rejects.csv]
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// A column of the file that is not imported; any other that no column of ours is called is refused
    #[arg(long, value_name = "COLUMN")]
    pub leave_out: Vec<String>,
    /// The shop whose orders and customer ids these are
    #[arg(long, value_name = "SOURCE", default_value = "standard", value_parser = source)]
    pub source: Source,
    /// The instant of the import, milliseconds since 1970 or RFC 3339: members are opened at it, and orders taken for
    /// credited under the programme in force then [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub at: Option<i64>,
    /// Writes under way at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=i64::from(PARALLEL_MAX)))]
    pub parallel: u16,
    #[command(flatten)]
    pub books: BooksArgs,
}

fn source(name: &str) -> std::result::Result<Source, String> {
    let known = || Source::ALL.map(Source::as_str).join(", ");
    Source::ALL.into_iter().find(|source| source.as_str() == name).ok_or_else(|| format!("one of {}", known()))
}

/// What the rows of a file are.
pub trait Sheet {
    /// As the user calls them.
    const NAME: &'static str;
    type Row: Send + 'static;

    /// The columns by their titles.
    fn header(titles: &[String]) -> std::result::Result<Header, HeaderError>;

    /// A row; `None` where the same stands there before, and where it cannot be taken, why.
    fn read(&mut self, line: u64, cells: &Cells<'_>, target: &Target)
    -> std::result::Result<Option<Self::Row>, String>;

    /// Looks in the books for what is to be known of rows before they are written.
    fn look(
        &self,
        _books: &Books,
        _rows: &mut [(Line, Self::Row)],
    ) -> impl Future<Output = std::result::Result<(), StoreError>> {
        async { Ok(()) }
    }

    /// Writes a row: `false` when it had been written before.
    fn write(target: &Target, row: Self::Row) -> impl Future<Output = std::result::Result<bool, StoreError>> + Send;
}

/// What rows are read for and written into.
pub struct Target {
    pub books: Books,
    pub key: MemberKey,
    pub source: Source,
    pub mode: Mode,
    pub now: Instant,
    programmes: ProgrammeFile,
}

impl Target {
    pub fn programme(&self) -> &Programme {
        &self.programmes.at(self.now).programme
    }
}

/// What has come of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rows that are new in the books.
    pub new: u64,
    /// Rows that had been imported before, or stand in the file twice.
    pub known: u64,
    pub rejected: u64,
}

/// Imports, and prints what came of it.
///
/// # Errors
/// When the file or the tables cannot be read, or the tables not be written.
pub async fn run<S: Sheet>(sheet: S, file: &Path, args: &ImportArgs) -> Result<ExitCode> {
    let begun = Stopwatch::now();
    let Imported { new, known, rejected } = import(sheet, file, args).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let rate = (new + known + rejected) as f64 / seconds.max(0.001);
    let done = if args.dry_run { "would be imported" } else { "imported" };
    println!(
        "{new} {} {done}, {known} were there already, {rejected} rejected, in {seconds:.1} s ({rate:.0} rows/s)",
        S::NAME
    );
    if rejected > 0 {
        let rejects = rejects_of(file, args);
        println!("rejected rows and their reasons: {}; correct them there and import that file", rejects.display());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn rejects_of(file: &Path, args: &ImportArgs) -> PathBuf {
    args.rejects.clone().unwrap_or_else(|| file.with_extension("rejects.csv"))
}

/// Imports every row that can be, and writes the others down.
///
/// # Errors
/// As [`run`]. What was written until then stays, and the same command goes on from there.
pub async fn import<S: Sheet>(sheet: S, file: &Path, args: &ImportArgs) -> Result<Imported> {
    let rejects = rejects_of(file, args);
    if rejects == file {
        return Err(StackError::new("the rejects would overwrite the file: name another one with --rejects"));
    }
    let key = args.books.member_key()?;
    let programmes = args.books.programmes()?;
    let client = client(&args.books.tables).await;
    check_key(&client, &args.books.tables, &key).await?;
    let lines = Lines::open(file, S::header)?;
    for name in &lines.header.derived {
        eprintln!("the column {name:?} is not imported: it follows from others");
    }
    // What is misspelt would be imported as if it were not there.
    let unknown: Vec<_> = lines.header.unknown.iter().filter(|name| !args.leave_out.contains(name)).collect();
    if !unknown.is_empty() {
        return Err(StackError::new(format!(
            "cannot use {}: no column of {} is called {}; rename what is meant, and leave out what is not: --leave-out {:?}",
            file.display(),
            S::NAME,
            unknown.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "),
            unknown[0]
        )));
    }
    let target = Target {
        books: Books::new(client, &args.books.tables.table_prefix),
        key,
        source: args.source,
        mode: if args.dry_run { Mode::Try } else { Mode::Write },
        now: instant(args.at.unwrap_or_else(machine_ms)),
        programmes,
    };
    let import = Import {
        sheet,
        target: Arc::new(target),
        parallel: usize::from(args.parallel),
        rejects: Rejects::new(rejects, &lines.titles),
        bar: progress::bar("import", Some(lines.bytes), "{bar:30} {percent:>3} %  {msg}  {elapsed}, {eta} left"),
        under_way: JoinSet::new(),
        imported: Imported::default(),
    };
    import.all(lines).await
}

type Done = (Line, std::result::Result<bool, StoreError>);

struct Import<S> {
    sheet: S,
    target: Arc<Target>,
    parallel: usize,
    rejects: Rejects,
    bar: ProgressBar,
    under_way: JoinSet<Done>,
    imported: Imported,
}

impl<S: Sheet> Import<S> {
    async fn all(mut self, mut lines: Lines) -> Result<Imported> {
        while !lines.ended() {
            let mut rows = Vec::with_capacity(ROWS_AT_ONCE);
            while rows.len() < ROWS_AT_ONCE {
                let Some(line) = lines.next()? else { break };
                let cells = lines.cells(&line);
                match cells.and_then(|cells| self.sheet.read(line.number, &cells, &self.target)) {
                    Ok(Some(row)) => rows.push((line, row)),
                    Ok(None) => self.imported.known += 1,
                    Err(reason) => self.reject(&line, &reason)?,
                }
            }
            self.bar.set_position(lines.position());
            self.sheet.look(&self.target.books, &mut rows).await.context(unavailable)?;
            for (line, row) in rows {
                while self.under_way.len() >= self.parallel {
                    self.settle().await?;
                }
                let target = Arc::clone(&self.target);
                self.under_way.spawn(async move { (line, S::write(&target, row).await) });
            }
        }
        while !self.under_way.is_empty() {
            self.settle().await?;
        }
        self.rejects.finish()?;
        self.bar.finish_and_clear();
        Ok(self.imported)
    }

    /// Waits for one of the writes under way.
    async fn settle(&mut self) -> Result<()> {
        let Some(done) = self.under_way.join_next().await else { return Ok(()) };
        let (line, written) = done.context(|| "an import of a row broke off".to_owned())?;
        match written {
            Ok(true) => self.imported.new += 1,
            Ok(false) => self.imported.known += 1,
            Err(StoreError::Rejected(rejection)) => {
                let reason = refusal(self.target.programme(), &rejection).detail;
                self.reject(&line, &reason)?;
            }
            Err(error) => return Err(error).context(unavailable),
        }
        let Imported { new, known, rejected } = self.imported;
        self.bar.set_message(format!("{new} imported, {known} were there, {rejected} rejected"));
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
