//! `import members`: a shop's existing members and where they stand.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use loyalty_contract::sheet::{Brought, Cells, Header, HeaderError, read_opening};
use loyalty_domain::sending::MessageKind;
use loyalty_domain::time::Instant;
use loyalty_store::{Books, Mode, StoreError};

use super::file::Line;
use super::{ImportArgs, Sheet, Target};

/// What to import.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportMembersArgs {
    /// A CSV file with a header: phone (or customer_id, or member_id), name, email, birthday, tier, tier_since,
    /// redeemable_points, points_expire_on or lots (2027-01-31:50;never:10), qualifying_points, spent, orders_count,
    /// cycle_spent, cycle_orders, wallet, last_ordered_on, joined_on, opted_out; or the Vietnamese names that `export
    /// members --headers vi` writes. Separated by commas, semicolons or tabs; UTF-8
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub how: ImportArgs,
}

/// Members of a file.
#[derive(Default)]
pub struct Members {
    /// The line of each, and what it says: two rows of one member would race for which is true.
    seen: HashMap<String, (u64, Says)>,
}

/// The figures of a row, and which messages it refuses.
type Says = (String, Vec<MessageKind>);

/// A member, and whether the books know nobody by that id.
pub struct Row {
    brought: Brought,
    new_here: bool,
}

impl Sheet for Members {
    const NAME: &'static str = "members";
    type Row = Row;

    fn header(titles: &[String]) -> Result<Header, HeaderError> {
        Header::of_members(titles.iter().map(String::as_str))
    }

    fn read(&mut self, line: u64, cells: &Cells<'_>, target: &Target) -> Result<Option<Row>, String> {
        let brought = read_opening(cells, target.source, &target.key, target.programme().currency);
        let brought = brought.map_err(|problem| problem.to_string())?;
        let says = (brought.opening.asked.fingerprint.clone(), brought.opted_out.clone());
        match self.seen.entry(brought.member_id.to_string()) {
            Entry::Vacant(vacant) => {
                vacant.insert((line, says));
                Ok(Some(Row { brought, new_here: true }))
            }
            Entry::Occupied(first) if first.get().1 == says => Ok(None),
            Entry::Occupied(first) => Err(format!("line {} has the same member with other figures", first.get().0)),
        }
    }

    async fn look(&self, books: &Books, rows: &mut [(Line, Row)]) -> Result<(), StoreError> {
        let ids: Vec<_> = rows.iter().map(|(_, row)| row.brought.member_id.clone()).collect();
        let known = books.known_members(&ids).await?;
        rows.iter_mut().for_each(|(_, row)| row.new_here = !known.contains(&row.brought.member_id));
        Ok(())
    }

    async fn write(target: &Target, row: Row) -> Result<bool, StoreError> {
        let Row { brought: Brought { member_id, opening, opted_out }, new_here } = row;
        let programme = target.programme();
        let opened =
            target.books.open_member(programme, &member_id, &opening, new_here, target.mode, target.now).await?;
        // Only what a row that is taken says. Of before all that anybody says here, however often the file comes: a wish
        // that is known already stays.
        if !opted_out.is_empty() && target.mode == Mode::Write {
            let refused = opted_out.into_iter().map(|kind| (kind, false)).collect();
            target.books.wish(&member_id, &refused, Instant::UNIX_EPOCH).await?;
        }
        Ok(opened)
    }
}
