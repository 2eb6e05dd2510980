//! `package`: the functions as the files that Lambda takes, and running them from there.
//!
//! A package is a zip with one executable named `bootstrap`. It tells neither when nor where it was made: the same
//! sources, toolchain and lock file give the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Cursor, Write};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::cli::serve::workspace;
use crate::error::{Context, Result, StackError};
use crate::functions::build::{PROFILE, build_for_deployment};
use crate::progress;
use crate::template::Template;

/// The executable that Lambda's `provided` runtimes start.
pub const EXECUTABLE: &str = "bootstrap";
/// One round of zopfli: more take minutes for next to nothing.
const LEVEL: i64 = 10;
/// A package larger than this takes longer to load at a cold start than the product allows itself.
const BYTES_MAX: usize = 4_000_000;

/// What to package.
#[derive(Debug, Clone, clap::Args)]
pub struct PackageArgs {
    /// Where the packages are put [default: target/packages in the workspace]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The processor they are for; any but `native` is built by cargo-lambda
    #[arg(long, value_enum, default_value_t = Processor::Arm64)]
    pub processor: Processor,
}

/// What the packages run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Processor {
    /// What the template deploys
    Arm64,
    X86_64,
    /// This machine, with its own C library: to try the packages here, not to deploy them
    Native,
}

/// Builds and packages every function of the template.
///
/// # Errors
/// When a function does not build, or its package is larger than 4 MB.
pub fn run(args: &PackageArgs) -> Result<ExitCode> {
    let workspace = workspace();
    let binaries = Template::binaries(&workspace.join("infra/template.yaml"))?;
    let executables = match args.processor {
        Processor::Native => build_for_deployment(&workspace, &binaries)?,
        Processor::Arm64 => cargo_lambda(&workspace, &binaries, "--arm64")?,
        Processor::X86_64 => cargo_lambda(&workspace, &binaries, "--x86-64")?,
    };
    let out = args.out.clone().unwrap_or_else(|| workspace.join("target/packages"));
    std::fs::create_dir_all(&out).context(|| format!("cannot make the directory {}", out.display()))?;
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["package", "bytes", "SHA-256"]);
    let mut too_large = Vec::new();
    for (binary, package) in packages(executables)? {
        let file = out.join(format!("{binary}.zip"));
        std::fs::write(&file, &package).context(|| format!("cannot write {}", file.display()))?;
        let digest = hex::encode(Sha256::digest(&package));
        table.add_row([file.display().to_string(), package.len().to_string(), digest]);
        if package.len() > BYTES_MAX {
            too_large.push(binary);
        }
    }
    table.column_mut(1).into_iter().for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    println!("{table}");
    if too_large.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(StackError::new(format!("larger than {BYTES_MAX} bytes: {}", too_large.join(", "))))
}

/// The packages of all executables, made side by side: each takes most of a minute.
fn packages(executables: BTreeMap<String, PathBuf>) -> Result<Vec<(String, Vec<u8>)>> {
    let bar = progress::bar("package", Some(executables.len() as u64), "{bar:30} {pos} of {len} packages  {elapsed}");
    bar.tick();
    let one = |(binary, executable): (String, PathBuf)| {
        let packaged = package(&executable);
        bar.inc(1);
        packaged.map(|package| (binary, package))
    };
    let packages = std::thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> = executables.into_iter().map(|each| scope.spawn(move || one(each))).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ended.collect::<Result<Vec<_>>>()
    });
    bar.finish_and_clear();
    packages
}

/// The package of one executable.
///
/// # Errors
/// When the executable cannot be read.
pub fn package(executable: &Path) -> Result<Vec<u8>> {
    let about = || format!("cannot package {}", executable.display());
    let program = std::fs::read(executable).context(about)?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(EXECUTABLE, options).context(about)?;
    zip.write_all(&program).context(about)?;
    Ok(zip.finish().context(about)?.into_inner())
}

/// Unpacks the packages of a directory, and says where each function's executable is then.
///
/// # Errors
/// When there is none, or one does not hold an executable.
pub fn unpack(packages: &Path, to: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let about = || format!("cannot read the packages in {}", packages.display());
    let mut executables = BTreeMap::new();
    for entry in std::fs::read_dir(packages).context(about)? {
        let file = entry.context(about)?.path();
        let (Some(name), Some("zip")) = (file.file_stem(), file.extension().and_then(|it| it.to_str())) else {
            continue;
        };
        let name = name.to_string_lossy().into_owned();
        let executable = to.join(&name).join(EXECUTABLE);
        unpack_one(&file, &executable)?;
        executables.insert(name, executable);
    }
    if executables.is_empty() {
        return Err(StackError::new(format!(
            "there is no package in {}; `cargo run -- package --processor native --out {0}` makes them",
            packages.display()
        )));
    }
    Ok(executables)
}

fn unpack_one(file: &Path, executable: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let about = || format!("cannot unpack {}", file.display());
    let mut zip = ZipArchive::new(File::open(file).context(about)?).context(about)?;
    let mut program = zip.by_name(EXECUTABLE).context(about)?;
    std::fs::create_dir_all(executable.parent().unwrap_or(Path::new("/"))).context(about)?;
    let mut to = File::options().write(true).create_new(true).mode(0o755).open(executable).context(about)?;
    io::copy(&mut program, &mut to).context(about)?;
    Ok(())
}

/// Builds with cargo-lambda, whose linker binds to a C library that Lambda has.
fn cargo_lambda(workspace: &Path, binaries: &[String], processor: &str) -> Result<BTreeMap<String, PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command.current_dir(workspace).args(["lambda", "build", "--locked", "--profile", PROFILE, processor]);
    command.stdin(Stdio::null());
    for binary in binaries {
        command.args(["--package", binary, "--bin", binary]);
    }
    let status = command.status().context(|| "cannot run cargo; is it on the PATH?".to_owned())?;
    if !status.success() {
        return Err(StackError::new(
            "cargo-lambda did not build the functions; its messages are above. It is installed by `pip install \
             cargo-lambda`; for arm64, `rustup target add aarch64-unknown-linux-gnu` adds what the compiler needs. \
             `--processor native` builds for this machine without it",
        ));
    }
    let built = |binary: &String| (binary.clone(), workspace.join("target/lambda").join(binary).join(EXECUTABLE));
    Ok(binaries.iter().map(built).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_executable_makes_the_same_package_wherever_it_lies() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        std::fs::write(&one, "#!/bin/sh\n").unwrap();
        std::fs::write(&other, "#!/bin/sh\n").unwrap();
        let package = super::package(&one).unwrap();
        assert_eq!(package, super::package(&other).unwrap());
    }

    #[test]
    fn what_is_packaged_is_unpacked_as_it_was_and_can_be_executed() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("webhook");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::write(directory.path().join("webhook.zip"), super::package(&program).unwrap()).unwrap();
        let unpacked = unpack(directory.path(), &directory.path().join("to")).unwrap();
        let executable = &unpacked["webhook"];
        assert_eq!(std::fs::read(executable).unwrap(), std::fs::read(&program).unwrap());
        assert_eq!(std::fs::metadata(executable).unwrap().permissions().mode() & 0o777, 0o755);
        let file = directory.path().join("webhook.zip");
        let zip = ZipArchive::new(File::open(file).unwrap()).unwrap();
        assert_eq!(zip.file_names().map(|name| name.unwrap().into_owned()).collect::<Vec<_>>(), ["bootstrap"]);
    }

    #[test]
    fn a_directory_without_packages_says_how_to_make_them() {
        let directory = tempfile::tempdir().unwrap();
        let refused = unpack(directory.path(), &directory.path().join("to")).unwrap_err();
        assert!(refused.to_string().contains("package --processor native"), "{refused}");
    }
}
