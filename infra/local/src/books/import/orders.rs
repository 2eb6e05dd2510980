//! `import orders`: what a shop sold before these books, from a CSV file.
//!
//! Each row is one write and is written once, however often the file comes. No point moves, nobody is told, and no campaign
//! sees it: what it is for is that a later word about one of these orders is compared with what was known of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant as Stopwatch;

use indicatif::ProgressBar;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::Source;
use loyalty_contract::refusal::refusal;
use loyalty_contract::sheet::{Header, read_order};
use loyalty_domain::order::OrderSnapshot;
use loyalty_store::{Books, Mode, StoreError};
use tokio::task::JoinSet;

use super::file::{Line, Lines, Rejects};
use super::{BooksArgs, Imported, PARALLEL_MAX, bar, check_key, source, unavailable};
use crate::clock::{instant, machine_ms, parse_instant};
use crate::error::{Context, Result, StackError};
use crate::tables::client;

/// What to import.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportOrdersArgs {
    /// A CSV file with a header: order_id, placed_at, status, payment_status, amount_due, phone or customer_id; and, where
    /// there is any, updated_at, shipping_fee, refunded, currency, name; or their Vietnamese names. Separated by commas,
    /// semicolons or tabs; UTF-8
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Check every row and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where rows that cannot be taken are written, with their reasons [default: FILE with .rejects.csv]
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// The shop whose orders and customer ids these are
    #[arg(long, value_name = "SOURCE", default_value = "standard", value_parser = source)]
    pub source: Source,
    /// Under which programme orders are taken for credited: the one in force at this instant [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub at: Option<i64>,
    /// Writes under way at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=i64::from(PARALLEL_MAX)))]
    pub parallel: u16,
    #[command(flatten)]
    pub books: BooksArgs,
}

/// Imports, and prints what came of it.
///
/// # Errors
/// When the file or the tables cannot be read, or the tables not be written.
pub async fn run(args: &ImportOrdersArgs) -> Result<ExitCode> {
    let begun = Stopwatch::now();
    let Imported { opened: new, known, rejected } = import(args).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let rate = (new + known + rejected) as f64 / seconds.max(0.001);
    let done = if args.dry_run { "would be imported" } else { "imported" };
    println!(
        "{new} orders {done}, {known} were there already, {rejected} rejected, in {seconds:.1} s ({rate:.0} rows/s)"
    );
    if rejected > 0 {
        let rejects = rejects_of(args);
        println!("rejected rows and their reasons: {}; correct them there and import that file", rejects.display());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn rejects_of(args: &ImportOrdersArgs) -> PathBuf {
    args.rejects.clone().unwrap_or_else(|| args.file.with_extension("rejects.csv"))
}

struct Shared {
    books: Books,
    programmes: ProgrammeFile,
    mode: Mode,
    at_ms: i64,
}

type Done = (Line, std::result::Result<bool, StoreError>);

struct Import {
    context: Arc<Shared>,
    key: MemberKey,
    source: Source,
    rejects: Rejects,
    bar: ProgressBar,
    imported: Imported,
}

/// Imports every row that can be, and writes the others down.
///
/// # Errors
/// As [`run`]. What was written until then stays, and the same command goes on from there.
pub async fn import(args: &ImportOrdersArgs) -> Result<Imported> {
    let rejects = rejects_of(args);
    if rejects == args.file {
        return Err(StackError::new("the rejects would overwrite the file: name another one with --rejects"));
    }
    let key = args.books.member_key()?;
    let programmes = args.books.programmes()?;
    let client = client(&args.books.tables).await;
    check_key(&client, &args.books.tables, &key).await?;
    let mut lines = Lines::open(&args.file, |titles| Header::of_orders(titles.iter().map(String::as_str)))?;
    for name in &lines.header.left_out {
        eprintln!("the column {name:?} is not imported: no column of orders is called that");
    }
    let mode = if args.dry_run { Mode::Try } else { Mode::Write };
    let books = Books::new(client, &args.books.tables.table_prefix);
    let context = Shared { books, programmes, mode, at_ms: args.at.unwrap_or_else(machine_ms) };
    let mut import = Import {
        context: Arc::new(context),
        key,
        source: args.source,
        rejects: Rejects::new(rejects, &lines.titles),
        bar: bar(lines.bytes),
        imported: Imported::default(),
    };
    let mut under_way: JoinSet<Done> = JoinSet::new();
    while let Some(line) = lines.next()? {
        import.bar.set_position(lines.position());
        let Some(snapshot) = import.read(&lines, &line)? else { continue };
        while under_way.len() >= usize::from(args.parallel) {
            if let Some(done) = under_way.join_next().await {
                import.settle(done)?;
            }
        }
        let context = Arc::clone(&import.context);
        under_way.spawn(async move {
            let now = instant(context.at_ms);
            let programme = &context.programmes.at(now).programme;
            let brought = context.books.bring_order(programme, &snapshot, context.mode, now).await;
            (line, brought)
        });
    }
    while let Some(done) = under_way.join_next().await {
        import.settle(done)?;
    }
    import.rejects.finish()?;
    import.bar.finish_and_clear();
    Ok(import.imported)
}

impl Import {
    /// The order of a line; `None` where it is rejected.
    fn read(&mut self, lines: &Lines, line: &Line) -> Result<Option<OrderSnapshot>> {
        let programme = &self.context.programmes.at(instant(self.context.at_ms)).programme;
        let read = lines.cells(line).and_then(|cells| {
            let order = read_order(&cells, self.source, programme.currency, programme.zone);
            order.map_err(|problem| problem.to_string())
        });
        match read {
            Ok(order) => Ok(Some(order.into_snapshot(&self.key))),
            Err(reason) => {
                self.reject(line, &reason)?;
                Ok(None)
            }
        }
    }

    fn settle(&mut self, done: std::result::Result<Done, tokio::task::JoinError>) -> Result<()> {
        let (line, brought) = done.context(|| "an import of a row broke off".to_owned())?;
        match brought {
            Ok(true) => self.imported.opened += 1,
            Ok(false) => self.imported.known += 1,
            Err(StoreError::Rejected(rejection)) => {
                let programme = &self.context.programmes.at(instant(self.context.at_ms)).programme;
                let reason = refusal(programme, &rejection).detail;
                self.reject(&line, &reason)?;
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
