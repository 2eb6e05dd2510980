//! Starting a stack for a person: options, what is printed, Ctrl-C.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::clock::parse_instant;
use crate::error::{Context, Result};
use crate::package;
use crate::stack::{Data, Options, Stack};
use crate::zalo::{DEVELOPMENT, Zalo};

/// Options of the local stack.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Port of the HTTP API; 0 takes any free one
    #[arg(long, default_value_t = 3000, value_name = "N")]
    pub port: u16,
    /// Port of DynamoDB; 0 takes any free one
    #[arg(long, default_value_t = 8000, value_name = "N")]
    pub dynamodb_port: u16,
    /// Port of SQS and EventBridge; 0 takes any free one
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub services_port: u16,
    /// Where the data is kept between starts [default: .local in the workspace]
    #[arg(long, env = "LOYALTY_DATA", value_name = "DIR", conflicts_with = "ephemeral")]
    pub data: Option<PathBuf>,
    /// Keep nothing: the data goes when the stack stops
    #[arg(long)]
    pub ephemeral: bool,
    /// The loyalty programme [default: the cnv-retail preset]
    #[arg(long, value_name = "FILE")]
    pub programme: Option<PathBuf>,
    /// Run the functions from their packages, as `package --processor native` makes them, instead of building them
    #[arg(long, value_name = "DIR")]
    pub packages: Option<PathBuf>,
    /// Begins the name of every table
    #[arg(long, default_value = "loyalty-", value_name = "TEXT")]
    pub table_prefix: String,
    /// How long an order settles before it is credited; 0 is allowed here [default: the
    /// programme's, 7]
    #[arg(long, value_name = "N")]
    pub settle_seconds: Option<u32>,
    /// Start the clock at an instant, such as 2026-11-23T08:00:00+07:00; it then runs on
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub clock: Option<i64>,
}

impl ServeArgs {
    /// The options of a stack in a workspace.
    pub fn options(&self, workspace: &Path) -> Options {
        let data = if self.ephemeral {
            Data::Ephemeral
        } else {
            let default = || workspace.join(".local");
            Data::Directory(self.data.clone().unwrap_or_else(default))
        };
        let mut options = Options::ephemeral(workspace);
        options.port = self.port;
        options.dynamodb_port = self.dynamodb_port;
        options.services_port = self.services_port;
        options.data = data;
        options.table_prefix.clone_from(&self.table_prefix);
        options.settle_seconds = self.settle_seconds;
        options.clock_ms = self.clock;
        if let Some(programme) = &self.programme {
            options.programme.clone_from(programme);
        }
        options
    }
}

/// The workspace: the nearest directory above the current one with the template in it, else the
/// one this program was built in.
pub fn workspace() -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::current_dir()
        .ok()
        .and_then(|here| here.ancestors().find(|above| above.join("infra/template.yaml").is_file()).map(Path::to_owned))
        .or_else(|| built_in.canonicalize().ok())
        .unwrap_or(built_in)
}

/// Runs a stack until Ctrl-C (or SIGTERM).
pub async fn serve(args: &ServeArgs) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context(|| "cannot listen for signals".to_owned())?;
    let mut options = args.options(&workspace());
    options.zalo = Zalo::from_lookup(|name| std::env::var(name).ok())?;
    let unpacked = tempfile::tempdir().context(|| "cannot make a temporary directory".to_owned())?;
    if let Some(packages) = &args.packages {
        options.executables = package::unpack(packages, unpacked.path())?;
    }
    let starting = Stack::start(options);
    let stack = tokio::select! {
        stack = starting => stack?,
        _ = tokio::signal::ctrl_c() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    announce(&stack);
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    eprintln!("\nStopping …");
    stack.stop().await;
    Ok(())
}

/// The application whose Official Account is used.
fn account(running: &crate::stack::Running) -> &str {
    match &running.options.zalo {
        Zalo::Own(variables) => variables.get("ZALO_APP_ID").map_or("", String::as_str),
        Zalo::StandIn => DEVELOPMENT.app_id,
    }
}

fn announce(stack: &Stack) {
    let running = stack.running();
    let url = running.url();
    let kept = match running.options.data {
        Data::Directory(_) => "kept between starts",
        Data::Ephemeral => "deleted at the end",
    };
    println!("Thăng Hạng is running. Ctrl-C stops it.\n");
    println!("  HTTP API    {url}");
    println!("  DynamoDB    {}   (tables {}…)", running.dynamodb_url(), running.options.table_prefix);
    println!("  SQS, bus    http://{}", running.services);
    match &running.zalo {
        Some(stand_in) => {
            println!("  Zalo        http://{}   (a stand-in; /_zalo/messages shows what was sent)", stand_in.address)
        }
        None => println!("  Zalo        the account of application {}", account(running)),
    }
    println!("  Data        {}   ({kept})", stack.data().path().display());
    println!("  Programme   {}", running.options.programme.display());
    println!(
        "  Clock       {}   (an order settles {} s before it is credited)",
        crate::clock::iso(running.clock.now_ms()),
        running.settle_seconds
    );
    if !running.secrets.defaults.is_empty() {
        println!("\nDevelopment webhook secrets (public; set the variable to use your own):");
        for secret in &running.secrets.defaults {
            println!("  {:<29} {}", secret.variable, secret.value);
        }
    }
    println!("\nTry it: a signed order of 530.000đ, then the member's card once it has settled.");
    println!("  curl -s {url}/_local/sample-order | curl -s -K -");
    println!("  curl -s '{url}/members?phone=0901234567'\n");
}
