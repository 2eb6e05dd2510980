//! What Linux says of the functions' processes. They are children of the stack's.

use std::path::PathBuf;

use crate::package::EXECUTABLE;

/// A process of a function.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: u32,
    proc: PathBuf,
}

/// The kernel counts CPU time in hundredths of a second for user space, on every architecture Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The children of this process that run one of the binaries. Empty where there is no `/proc`.
pub fn children(binaries: &[&str]) -> Vec<Process> {
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let proc = entry.path();
        let Some((name, fields)) = stat(&proc) else { continue };
        let pid = entry.file_name().to_string_lossy().parse();
        if let Ok(pid) = pid
            && fields.get(1) == Some(&own)
            && binaries.contains(&unpacked(&proc, name).as_str())
        {
            found.push(Process { pid, proc });
        }
    }
    found
}

impl Process {
    /// CPU time used so far, in user space and in the kernel, seconds.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let (_, fields) = stat(&self.proc)?;
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
    }

    /// The most memory it ever held, MiB.
    pub fn resident_mib_max(&self) -> Option<f64> {
        let status = std::fs::read_to_string(self.proc.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib / 1024.0)
    }
}

/// What a process runs: the executables of packages all have one name, and each a directory of its own.
fn unpacked(proc: &std::path::Path, name: String) -> String {
    let executable = (name == EXECUTABLE).then(|| std::fs::read_link(proc.join("exe")).ok()).flatten();
    let directory = executable.as_deref().and_then(std::path::Path::parent).and_then(std::path::Path::file_name);
    directory.map_or(name, |directory| directory.to_string_lossy().into_owned())
}

/// The name, and the fields after it: state, parent …
fn stat(proc: &std::path::Path) -> Option<(String, Vec<String>)> {
    let stat = std::fs::read_to_string(proc.join("stat")).ok()?;
    let (head, tail) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    Some((name.to_owned(), tail.split(' ').map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unpacked_function_is_known_by_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let executable = directory.path().join("some-function").join(EXECUTABLE);
        std::fs::create_dir(executable.parent().unwrap()).unwrap();
        std::fs::copy("/bin/sleep", &executable).unwrap();
        let mut child = std::process::Command::new(&executable).arg("60").spawn().unwrap();
        let found = children(&["some-function"]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found.iter().map(|process| process.pid).collect::<Vec<_>>(), [child.id()]);
    }
}
