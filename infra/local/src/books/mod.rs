//! Commands that read and write the books themselves, wherever they are: this machine's stack or any DynamoDB.
//!
//! They decide nothing: rows go through the domain and the store as everything else does.

pub mod erase;
pub mod export;
pub mod import;
pub mod merge;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::Client;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::programme::ProgrammeFile;

use crate::cli::serve::workspace;
use crate::error::{Context, Result, StackError};
use crate::tables::TablesArgs;

/// The variable that holds the key of member ids where no data directory does.
const MEMBER_ID_KEY: &str = "MEMBER_ID_KEY";

/// Members looked at to see whether the key is theirs.
const MEMBERS_LOOKED_AT: i32 = 200;

/// What writes members besides tables: the programme they are written under, and the key their ids are made with.
#[derive(Clone, Debug, clap::Args)]
pub struct BooksArgs {
    #[command(flatten)]
    pub tables: TablesArgs,
    /// The loyalty programme that the stack runs [default: the cnv-retail preset]
    #[arg(long, value_name = "FILE")]
    pub programme: Option<PathBuf>,
    /// The stack's data directory, which holds the key of member ids; the variable MEMBER_ID_KEY goes before it
    /// [default: .local in the workspace]
    #[arg(long, env = "LOYALTY_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl BooksArgs {
    /// Reads the programme file.
    ///
    /// # Errors
    /// When it cannot be read or does not hold a programme.
    pub fn programmes(&self) -> Result<ProgrammeFile> {
        let preset = || workspace().join("infra/programmes/cnv-retail.toml");
        let file = self.programme.clone().unwrap_or_else(preset);
        let text =
            std::fs::read_to_string(&file).context(|| format!("cannot read the programme {}", file.display()))?;
        ProgrammeFile::parse(&text).map_err(|problems| {
            let shown = file.display();
            StackError::new(format!("{shown} has {} problems: see `check-programme {shown}`", problems.len()))
        })
    }

    /// The key of member ids, from the environment or the data directory.
    ///
    /// # Errors
    /// When there is none, or it is too short.
    pub fn member_key(&self) -> Result<MemberKey> {
        let given = std::env::var(MEMBER_ID_KEY).ok().filter(|key| !key.is_empty());
        let directory = || self.data.clone().unwrap_or_else(|| workspace().join(".local"));
        let key = given.map_or_else(|| key_of(&directory()), Ok)?;
        MemberKey::new(&key).context(|| format!("the key of member ids cannot be used; is {MEMBER_ID_KEY} right?"))
    }
}

fn key_of(directory: &Path) -> Result<String> {
    let file = directory.join("member-id-key");
    let key = std::fs::read_to_string(&file).context(|| {
        format!(
            "cannot read the key of member ids, {}: start the stack once (`cargo run`), name its directory with --data, \
             or set {MEMBER_ID_KEY}",
            file.display()
        )
    })?;
    Ok(key.trim().to_owned())
}

/// Refuses a key that the tables were not written with: members written under it would be found by nobody.
///
/// # Errors
/// When none of the members that are there has the id that the key gives their phone number.
pub async fn check_key(client: &Client, args: &TablesArgs, key: &MemberKey) -> Result<()> {
    let name = format!("{}members", args.table_prefix);
    let page = client.scan().table_name(&name).limit(MEMBERS_LOOKED_AT).projection_expression("member_id, phone");
    let page = page.send().await.context(|| crate::tables::cannot_read(&name, args))?;
    let mut of_another_key = false;
    for item in page.items.unwrap_or_default() {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        let (Some(member_id), Some(phone)) = (text("member_id"), text("phone")) else { continue };
        let Ok(phone) = normalise(&format!("+{phone}")) else { continue };
        if key.by_phone(&phone).as_str() == member_id {
            return Ok(());
        }
        of_another_key = true;
    }
    if of_another_key {
        return Err(StackError::new(format!(
            "the members in {name} have ids of another key: name the stack's directory with --data, or set {MEMBER_ID_KEY}"
        )));
    }
    Ok(())
}

/// Asks on the terminal whether to go on.
fn confirmed(what: &str) -> Result<bool> {
    let about = || "cannot ask: say --yes".to_owned();
    print!("{what}? Type yes: ");
    std::io::stdout().flush().context(about)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context(about)?;
    Ok(answer.trim() == "yes")
}
