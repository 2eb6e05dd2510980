//! The guides of `infra/guides`, tried line by line: what stands in a block `sh` is run as a reader would run it, and what
//! a line `#>` says must be in what the command above it printed.
//!
//! `cargo run -- …` is this build; a stack that a guide starts has ports and a directory of its own and lets orders settle
//! at once. Blocks `sh aws` need an account and are not run.

use std::path::Path;
use std::process::{Command, Stdio};

use thang_hang::cli::serve::workspace;

/// Stands before every guide. `next` waits until whatever the last command caused is done.
const PRELUDE: &str = r#"
cargo() {
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
  [ $# -eq 0 ] || shift
  case "${1:-}" in
    ''|-*) start "$@" ;;
    *) "$PRODUCT" "$@" ;;
  esac
}
start() {
  stop
  "$PRODUCT" --port "$PORT" --dynamodb-port "$DYNAMODB_PORT" --settle-seconds 0 "$@" > stack.log 2>&1 &
  stack=$!
  for _ in $(seq 600); do
    curl -sf "http://127.0.0.1:$PORT/_local/health" > health && return
    kill -0 $stack || { cat stack.log; return 1; }
    sleep 0.5
  done
  return 1
}
stop() { [ -z "${stack:-}" ] || { kill -INT $stack; wait $stack || true; stack=; }; }
next() { [ -z "${stack:-}" ] || curl -sf -X POST "http://127.0.0.1:$PORT/_local/drain" > drained; }
trap stop EXIT
"#;

/// A command and what it must print.
struct Step {
    command: String,
    says: Vec<String>,
}

fn steps(guide: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut inside, mut goes_on) = (false, false);
    for line in guide.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            inside = !inside && kind == "sh";
            continue;
        }
        match (inside, line.strip_prefix("#> ")) {
            (true, Some(said)) => steps.last_mut().expect("a command above").says.push(said.to_owned()),
            (true, None) if goes_on => {
                let command = &mut steps.last_mut().expect("a line above").command;
                *command = format!("{command}\n{line}");
            }
            (true, None) if !line.trim().is_empty() => {
                steps.push(Step { command: line.to_owned(), says: Vec::new() });
            }
            _ => continue,
        }
        goes_on = line.ends_with('\\');
    }
    steps
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// Runs all steps in one shell, which keeps their variables; answers what each printed.
fn run(guide: &str, steps: &[Step]) {
    let place = tempfile::tempdir().expect("a directory");
    let (port, dynamodb_port) = (free_port(), free_port());
    let here = |command: &str| {
        command
            .replace("127.0.0.1:3000", &format!("127.0.0.1:{port}"))
            .replace("127.0.0.1:8000", &format!("127.0.0.1:{dynamodb_port}"))
    };
    let mut script = PRELUDE.to_owned();
    for (number, step) in steps.iter().enumerate() {
        // A command that says what a refusal looks like may fail: its words are compared.
        let may_fail = if step.says.is_empty() { "exit 1" } else { "true" };
        script += &format!("{{ {}\n}} > said-{number} 2>&1 || {may_fail}\nnext\n", here(&step.command));
    }
    let programmes = place.path().join("infra/programmes");
    std::fs::create_dir_all(&programmes).expect("a directory");
    for preset in std::fs::read_dir(workspace().join("infra/programmes")).expect("presets") {
        let preset = preset.expect("a preset");
        std::fs::copy(preset.path(), programmes.join(preset.file_name())).expect("a copy");
    }
    let ran = Command::new("bash")
        .args(["-c", &script])
        .current_dir(place.path())
        .env("PRODUCT", env!("CARGO_BIN_EXE_thang-hang"))
        .envs([("PORT", port.to_string()), ("DYNAMODB_PORT", dynamodb_port.to_string())])
        .env("LOYALTY_DATA", place.path().join(".local"))
        .envs([("LOYALTY_URL", format!("http://127.0.0.1:{port}"))])
        .envs([("LOYALTY_ENDPOINT_URL", format!("http://127.0.0.1:{dynamodb_port}"))])
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let said = |number: usize| {
        std::fs::read_to_string(place.path().join(format!("said-{number}"))).unwrap_or_else(|_| "(not reached)".into())
    };
    let log = std::fs::read_to_string(place.path().join("stack.log")).unwrap_or_default();
    for (number, step) in steps.iter().enumerate() {
        for says in &step.says {
            let said = said(number);
            assert!(said.contains(&here(says)), "{guide}: after\n{}\nexpected {says} in\n{said}\n{log}", step.command);
        }
    }
    let last = (0..steps.len()).rev().find(|number| said(*number) != "(not reached)").unwrap_or_default();
    assert!(ran.status.success(), "{guide}: {}\n{}\n{log}", steps[last].command, said(last));
}

#[tokio::test]
async fn every_line_of_every_guide_does_what_it_says() {
    let _turn = crate::TURN.lock().await;
    let mut guides: Vec<_> = std::fs::read_dir(workspace().join("infra/guides"))
        .expect("guides")
        .map(|guide| guide.expect("a guide").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    guides.sort();
    assert!(!guides.is_empty());
    for guide in guides {
        let name = guide.file_name().map(Path::new).expect("a name").display().to_string();
        let steps = steps(&std::fs::read_to_string(&guide).expect("readable"));
        assert!(steps.iter().any(|step| !step.says.is_empty()), "{name} proves nothing");
        run(&name, &steps);
    }
}

#[test]
fn a_guide_that_says_what_is_not_so_fails() {
    let steps = steps("Read:\n```sh\necho one \\\n  two\n#> one two\nfalse || echo three\n#> four\n```\n");
    assert_eq!(steps.len(), 2);
    assert!(std::panic::catch_unwind(|| run("wrong", &steps[1..])).is_err());
    run("right", &steps[..1]);
}
