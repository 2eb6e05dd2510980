//! Starting, watching and killing the processes of functions.
//!
//! A function's process never outlives the stack, not even when the stack is killed: an idle one
//! ends when its long poll breaks, and a busy one is killed by the watchdog, a shell that reads
//! process ids from a pipe and kills them when the pipe closes.

use std::io::Write;
use std::process::Stdio;
use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::Notify;

use super::pool::Launch;
use crate::error::{Context, Result};

/// Reads `+ pid` and `- pid` lines; at the end of input it kills what is left.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
pids=' '
while read -r sign pid; do
  case $sign in
    +) pids="$pids$pid " ;;
    -) case $pids in *" $pid "*) pids="${pids%% $pid *} ${pids#* $pid }" ;; esac ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
"#;

/// Kills what is left of the functions when this process is gone.
#[derive(Debug)]
pub struct Watchdog {
    pipe: Mutex<std::process::ChildStdin>,
}

impl Watchdog {
    /// Starts the watchdog.
    pub fn start() -> Result<Self> {
        use std::os::unix::process::CommandExt;
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "thang-hang-watchdog"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its own group: a Ctrl-C in the terminal must not end it before the stack.
            .process_group(0)
            .spawn()
            .context(|| "cannot start /bin/sh, which watches over the functions".to_owned())?;
        let pipe = child.stdin.take().expect("stdin is piped");
        // It ends by itself when the pipe closes; someone has to collect its exit status.
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || child.wait())
            .context(|| "cannot start a thread".to_owned())?;
        Ok(Self { pipe: Mutex::new(pipe) })
    }

    fn note(&self, sign: char, pid: u32) {
        let mut pipe = self.pipe.lock().expect("not poisoned");
        if let Err(error) = writeln!(pipe, "{sign} {pid}") {
            tracing::warn!(%error, "the watchdog is gone: functions may outlive a killed stack");
        }
    }
}

/// Runs one process until it ends or `kill` is notified; how it ended, in words.
pub async fn run(launch: &Launch, number: u32, watchdog: &Watchdog, kill: &Notify) -> String {
    let mut command = Command::new(&launch.executable);
    command
        .env_clear()
        .envs(inherited())
        .envs(&launch.environment)
        .env("AWS_LAMBDA_RUNTIME_API", format!("{}/{number}", launch.runtime_api))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return format!("cannot run {}: {error}", launch.executable.display()),
    };
    let pid = child.id();
    if let Some(pid) = pid {
        watchdog.note('+', pid);
    }
    forward(&launch.binary, child.stdout.take());
    forward(&launch.binary, child.stderr.take());
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.notified() => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    if let Some(pid) = pid {
        watchdog.note('-', pid);
    }
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Lambda gives a function a clean environment; only what a process needs to run is passed on.
fn inherited() -> impl Iterator<Item = (String, String)> {
    ["PATH", "HOME", "TMPDIR", "LANG", "TZ", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
}

/// Copies a function's output into the stack's log, line by line.
fn forward(function: &str, output: Option<impl AsyncRead + Unpin + Send + 'static>) {
    let Some(output) = output else { return };
    let function = function.to_owned();
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            eprintln!("{function:>13} | {line}");
        }
    });
}
