//! Builds the functions with cargo, in the profile the stack itself was built with.
//!
//! Cargo's own output is shown, so a first build does not look like a hang.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Context, Result, StackError};

/// The profile of what is deployed.
pub const PROFILE: &str = "lambda";

/// Builds the binaries, each in the package of its name, and says where each one is.
///
/// # Errors
/// When cargo cannot be run or fails; its output has then been shown.
pub fn build(workspace: &Path, binaries: &[String]) -> Result<BTreeMap<String, PathBuf>> {
    // Selected along, not built: cargo unites the features of what is selected, and the stack
    // has them all, so nothing that was compiled for it is compiled again.
    let along = ["--package", env!("CARGO_PKG_NAME")];
    let release: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
    cargo_build(workspace, binaries, &[&along, release].concat())
}

/// Builds the binaries as they are deployed, for this machine.
///
/// # Errors
/// As [`build`].
pub fn build_for_deployment(workspace: &Path, binaries: &[String]) -> Result<BTreeMap<String, PathBuf>> {
    cargo_build(workspace, binaries, &["--locked", "--profile", PROFILE])
}

fn cargo_build(workspace: &Path, binaries: &[String], more: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
    if binaries.is_empty() {
        return Ok(BTreeMap::new());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .current_dir(workspace)
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    // What `cargo run` tells the stack about itself would look like a change to build scripts that
    // watch these variables, and be answered with a rebuild at every start.
    for (name, _) in std::env::vars_os() {
        let about_us = |prefix: &str| name.to_str().is_some_and(|name| name.starts_with(prefix));
        if about_us("CARGO_PKG_") || about_us("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    for binary in binaries {
        command.args(["--package", binary, "--bin", binary]);
    }
    let output = command
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .context(|| "cannot run cargo to build the functions; is it on the PATH?".to_owned())?;
    if !output.status.success() {
        return Err(StackError::new(format!(
            "the functions did not build (cargo ended with {}); its messages are above",
            output.status
        )));
    }
    let built = executables(&String::from_utf8_lossy(&output.stdout));
    binaries
        .iter()
        .map(|binary| match built.get(binary) {
            Some(path) => Ok((binary.clone(), path.clone())),
            None => Err(StackError::new(format!("cargo built no binary “{binary}”, which the template names"))),
        })
        .collect()
}

/// The executables cargo reports, by the name of their target.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            let path = message["executable"].as_str()?;
            Some((name, PathBuf::from(path)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_read_from_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"webhook"},"executable":"/t/debug/webhook"}"#,
            "\nnot json\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let built = executables(messages);
        assert_eq!(built.len(), 1);
        assert_eq!(built["webhook"], PathBuf::from("/t/debug/webhook"));
    }
}
