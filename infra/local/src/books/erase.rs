//! `erase`: the person behind a member is forgotten, the books stay, and `verify` goes on proving them.

use std::process::ExitCode;

use loyalty_contract::phone::normalise;
use loyalty_contract::sheet::member_id;
use loyalty_store::{Books, Consistency};

use super::{BooksArgs, check_key, confirmed};
use crate::clock::{instant, machine_ms, parse_instant};
use crate::error::{Context, Result, StackError};
use crate::tables::client;

/// Whom to erase.
#[derive(Clone, Debug, clap::Args)]
pub struct EraseArgs {
    /// The member's id
    #[arg(value_name = "MEMBER", required_unless_present = "phone", conflicts_with = "phone")]
    pub member: Option<String>,
    /// Or the member's phone number, in any usual spelling
    #[arg(long, value_name = "PHONE")]
    pub phone: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// The instant of the erasure: orders placed until then tell nothing of the person any more [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub at: Option<i64>,
    #[command(flatten)]
    pub books: BooksArgs,
}

/// Asks, erases, and says what came of it.
///
/// # Errors
/// When nobody is named or found, or the books cannot be read or written.
pub async fn run(args: &EraseArgs) -> Result<ExitCode> {
    let about = || "the books cannot be read or written now; the same command can be given again".to_owned();
    let client = client(&args.books.tables).await;
    let id = match (&args.member, &args.phone) {
        (Some(id), _) => member_id(id).context(|| "cannot erase anybody".to_owned())?,
        (None, Some(phone)) => {
            let key = args.books.member_key()?;
            check_key(&client, &args.books.tables, &key).await?;
            let phone = normalise(phone).context(|| "--phone cannot be read".to_owned())?;
            key.by_phone(&phone)
        }
        (None, None) => return Err(StackError::new("name a member, or a phone number with --phone")),
    };
    let programmes = args.books.programmes()?;
    let now = instant(args.at.unwrap_or_else(machine_ms));
    let books = Books::new(client, &args.books.tables.table_prefix);
    let stored = books.member_now(&id, Consistency::Strong).await.context(about)?;
    let person = stored.as_ref().map_or(&id, |stored| &stored.row.member_id).clone();
    if person != id {
        println!("{id} has joined {person}, who is the person now.");
    }
    let id = person;
    let nobody = || StackError::new(format!("there is no member {id}"));
    let contact = books.contact(&id).await.context(about)?.row;
    if stored.is_none() && contact.zalo_user_id.is_none() {
        return Err(nobody());
    }
    if !args.yes {
        match &stored {
            Some(stored) => {
                let (tier, points) = (&stored.row.tier, stored.row.redeemable_points());
                println!("{id}: tier {tier}, {points} points, {} entries. These stay.", stored.row.last_seq);
            }
            None => println!("{id}: known at Zalo, without an entry."),
        }
        println!("The name, phone number, e-mail address, birthday and user at Zalo will be gone for good.");
        if !confirmed("Erase")? {
            println!("Nothing was changed.");
            return Ok(ExitCode::FAILURE);
        }
    }
    let erased = books.erase_member(&programmes.at(now).programme, &id, now).await.context(about)?;
    match erased.ok_or_else(nobody)? {
        true => println!("{id} is erased."),
        false => println!("{id} was erased before."),
    }
    Ok(ExitCode::SUCCESS)
}
