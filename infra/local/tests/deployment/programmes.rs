//! Programmes go live in a layer of their own, and only those without a problem.

use std::path::Path;
use std::process::{Command, Output};

use crate::{document, workspace};

/// Makes the layer as `sam build` does: from a copy of the directory, into `artifacts`.
fn build(source: &Path, artifacts: &Path) -> Option<Output> {
    Command::new("make")
        .args(["--no-print-directory", "build-Programmes"])
        .current_dir(source)
        .env("ARTIFACTS_DIR", artifacts)
        .env("PRODUCT", env!("CARGO_BIN_EXE_thang-hang"))
        .env("TEMPLATE", workspace().join("infra/template.yaml"))
        .output()
        .ok()
}

#[test]
fn a_programme_with_a_problem_or_without_a_name_fails_the_build_of_the_layer() {
    let layer = &document()["Resources"]["Programmes"];
    assert_eq!(layer["Metadata"]["BuildMethod"], "makefile", "sam build makes it by the makefile");
    assert_eq!(layer["Properties"]["ContentUri"], "programmes");
    let (source, artifacts) = (tempfile::tempdir().expect("a place"), tempfile::tempdir().expect("a place"));
    let presets: Vec<_> = std::fs::read_dir(workspace().join("infra/programmes"))
        .expect("presets")
        .map(|file| file.expect("a file").path())
        .collect();
    for file in &presets {
        std::fs::copy(file, source.path().join(file.file_name().expect("a name"))).expect("a copy");
    }
    let Some(built) = build(source.path(), artifacts.path()) else {
        eprintln!("SKIPPED: there is no make here, by which sam builds the layer of programmes");
        return;
    };
    assert!(built.status.success(), "{built:?}");
    let laid = std::fs::read_dir(artifacts.path()).expect("a layer").count();
    assert_eq!(laid, presets.len() - 1, "every programme and not the makefile");

    let broken = std::fs::read_to_string(source.path().join("cnv-retail.toml")).expect("a preset");
    std::fs::write(source.path().join("my-shop.toml"), broken.replace("vnd_per_point", "vnd_per_pont"))
        .expect("written");
    let built = build(source.path(), artifacts.path()).expect("make is here");
    assert!(!built.status.success(), "{built:?}");
    assert!(String::from_utf8_lossy(&built.stdout).contains("vnd_per_pont"), "it says what is wrong: {built:?}");
    assert!(!artifacts.path().join("my-shop.toml").exists());

    // The parameter takes the names of files and no other: neither a file that it does not list, nor a name without one.
    let refuses = |file: &str| {
        let built = build(source.path(), artifacts.path()).expect("make is here");
        assert!(!built.status.success(), "{file}: {built:?}");
        let says = String::from_utf8_lossy(&built.stdout);
        assert!(says.contains("AllowedValues of the parameter Programme"), "{file}: {says}");
    };
    std::fs::write(source.path().join("my-shop.toml"), broken).expect("written");
    refuses("my-shop.toml");
    std::fs::remove_file(source.path().join("my-shop.toml")).expect("gone");
    std::fs::remove_file(source.path().join("panda-rules.toml")).expect("gone");
    refuses("panda-rules.toml");
}
