//! `merge`: two members turn out to be one person, and one of them goes on with everything.

use std::process::ExitCode;

use aws_sdk_dynamodb::Client;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::refusal::refusal;
use loyalty_contract::sheet::member_id;
use loyalty_domain::ids::MemberId;
use loyalty_domain::member::Member;
use loyalty_domain::programme::Programme;
use loyalty_domain::request::Asked;
use loyalty_store::{Books, Consistency, Merging, StoreError};

use super::{BooksArgs, check_key, confirmed};
use crate::clock::{instant, machine_ms, parse_instant};
use crate::error::{Context, Result, StackError};
use crate::tables::client;

/// Whom to merge.
#[derive(Clone, Debug, clap::Args)]
pub struct MergeArgs {
    /// The member who goes on: an id, or a phone number in any usual spelling
    #[arg(value_name = "INTO")]
    pub into: String,
    /// The member who joins them
    #[arg(value_name = "FROM")]
    pub from: String,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// The instant of the merge [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub at: Option<i64>,
    #[command(flatten)]
    pub books: BooksArgs,
}

fn unavailable() -> String {
    "the books cannot be read or written now; the same command goes on where this one stopped".to_owned()
}

/// Asks, merges, and says what came of it. Given again, it does what is missing and nothing twice.
///
/// # Errors
/// When somebody is not known, the two cannot be merged, or the books cannot be read or written.
pub async fn run(args: &MergeArgs) -> Result<ExitCode> {
    let client = client(&args.books.tables).await;
    let key = args.books.member_key()?;
    check_key(&client, &args.books.tables, &key).await?;
    let (into, from) = (named(&args.into, &key)?, named(&args.from, &key)?);
    let programmes = args.books.programmes()?;
    let now = instant(args.at.unwrap_or_else(machine_ms));
    let programme = &programmes.at(now).programme;
    if !args.yes && !agreed(client.clone(), args, (&into, &from), programme).await? {
        println!("Nothing was changed.");
        return Ok(ExitCode::FAILURE);
    }
    let books = Books::new(client, &args.books.tables.table_prefix);
    match merge(&books, programme, &key, (&into, &from), now).await? {
        Merging::Done(_) => println!("{from} has joined {into}."),
        Merging::Before(_) => println!("{from} had joined {into} before."),
        Merging::Unknown(member_id) => return Err(nobody(&member_id)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Merges one member into another: the ledger first, then how they are reached.
///
/// # Errors
/// As [`run`].
pub async fn merge(
    books: &Books,
    programme: &Programme,
    key: &MemberKey,
    (into, from): (&MemberId, &MemberId),
    now: loyalty_domain::time::Instant,
) -> Result<Merging> {
    // The key of the request follows from the two, so that the same merge is the same request.
    let asked = Asked { request_id: key.request_id("merge", into, from.as_str()), fingerprint: from.to_string() };
    let merging = match books.merge_members(programme, (from, into), &asked, now).await {
        Err(StoreError::Rejected(rejection)) => return Err(StackError::new(refusal(programme, &rejection).detail)),
        merging => merging.context(unavailable)?,
    };
    if !matches!(merging, Merging::Unknown(_)) {
        books.merge_contacts(from, into).await.context(unavailable)?;
    }
    Ok(merging)
}

fn named(text: &str, key: &MemberKey) -> Result<MemberId> {
    if text.starts_with("m_") {
        return member_id(text).context(|| "cannot merge".to_owned());
    }
    let phone = normalise(text).context(|| "INTO and FROM are members' ids or phone numbers".to_owned())?;
    Ok(key.by_phone(&phone))
}

fn nobody(member_id: &MemberId) -> StackError {
    StackError::new(format!("there is no member {member_id}"))
}

/// Shows both and asks. The tier of who joins is not carried over, so a higher one is pointed out.
async fn agreed(
    client: Client,
    args: &MergeArgs,
    (into, from): (&MemberId, &MemberId),
    programme: &Programme,
) -> Result<bool> {
    let books = Books::new(client, &args.books.tables.table_prefix);
    let mut shown = Vec::new();
    for (member_id, what) in [(into, "goes on"), (from, "joins")] {
        let stored = books.member(member_id, Consistency::Strong).await.context(unavailable)?;
        let member = stored.ok_or_else(|| nobody(member_id))?.row;
        println!("{member_id} {what}: {}", standing(&member));
        shown.push(programme.tiers.rank(&member.tier));
    }
    if shown[1] > shown[0] {
        println!("Who joins holds the higher tier, which is not carried over: merge the other way round to keep it.");
    }
    println!("All points, the wallet and the orders will be those of {into}. This cannot be undone.");
    confirmed("Merge")
}

fn standing(member: &Member) -> String {
    let Member { tier, balance, orders_count, last_seq, .. } = member;
    format!(
        "tier {tier}, {} points, {} qualifying, {orders_count} orders, {last_seq} entries",
        balance.redeemable.0, balance.qualifying.0
    )
}
