//! What a customer's phone would have shown: their messages, in the words that are sent.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use comfy_table::{ContentArrangement, Table, presets};
use loyalty_audit::Table as Books;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::ids::{MemberId, RuleId};
use loyalty_messaging::{Template, Variables, Worded, language_of, wording};
use loyalty_store::{Books as Store, Consistency, Outgoing};

use super::summary::{grouped, text};
use crate::error::{Context, Result};
use crate::tables::{TablesArgs, scan};

/// Messages that are shown, one of each sort.
const SHOWN_MAX: usize = 6;
/// Characters beside each other on a phone.
const PHONE_CHARS: u16 = 66;

/// Prints how many messages there are of each sort, and the newest of each to the customer who was told most sorts.
///
/// # Errors
/// When the tables cannot be read.
pub async fn print(client: &Client, tables: &TablesArgs, programmes: &ProgrammeFile) -> Result<()> {
    let mut sorts: BTreeMap<String, i64> = BTreeMap::new();
    // By member, and then by sort: when the newest was made, and its id.
    let mut newest: BTreeMap<String, BTreeMap<String, (String, String)>> = BTreeMap::new();
    scan(client, tables, Books::Messages, |row| {
        let sort = text(&row, "template");
        *sorts.entry(sort.clone()).or_default() += 1;
        let known = newest.entry(text(&row, "member_id")).or_default().entry(sort).or_default();
        *known = std::cmp::max(std::mem::take(known), (text(&row, "created_at"), text(&row, "message_id")));
    })
    .await?;
    let sorts: Vec<String> = sorts.iter().map(|(sort, count)| format!("{sort} {}", grouped(*count))).collect();
    println!("Messages     {}", sorts.join(" · "));
    let Some((member_id, told)) = newest.iter().rev().max_by_key(|(_, sorts)| sorts.len()) else { return Ok(()) };
    let store = Store::new(client.clone(), &tables.table_prefix);
    let read = || "cannot read a message".to_owned();
    let stored = store.member(&MemberId::new(member_id.as_str()), Consistency::Strong).await.context(read)?;
    let name = stored.and_then(|stored| stored.row.profile.name).unwrap_or_else(|| member_id.clone());
    println!("\nThe phone of {name}, the newest of {} sorts of messages", told.len());
    let mut ids: Vec<&(String, String)> = told.values().collect();
    ids.sort();
    for (_, id) in ids.iter().skip(ids.len().saturating_sub(SHOWN_MAX)) {
        if let Some(message) = store.outgoing(id).await.context(read)? {
            print_bubble(&message, programmes)?;
        }
    }
    Ok(())
}

fn print_bubble(message: &Outgoing, programmes: &ProgrammeFile) -> Result<()> {
    let version = programmes.at(message.created_at);
    let variables: Variables = message.variables().context(|| "cannot read a message".to_owned())?;
    let Some(template) = Template::from_name(&message.template) else { return Ok(()) };
    let campaign = message.campaign.as_ref().map(RuleId::as_str);
    let worded = Worded { template, campaign, language: language_of(version), variables: &variables };
    let said = wording(version, worded).context(|| "a message cannot be worded".to_owned())?;
    let at = message.created_at.with_timezone(&version.programme.zone).format("%d/%m/%Y %H:%M");
    let mut bubble = Table::new();
    bubble.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    bubble.set_width(PHONE_CHARS).set_header([format!("{at} · {}", message.template)]).add_row([said]);
    println!("{bubble}");
    Ok(())
}
