//! Programmes go live in a layer of their own, and only those without a problem.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;
use thang_hang::template::{Locality, Template};

use crate::{document, events, with, workspace};

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
fn a_programme_that_has_a_problem_or_is_not_listed_fails_the_build_of_the_layer() {
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

    let preset = std::fs::read_to_string(source.path().join("cnv-retail.toml")).expect("a preset");
    std::fs::write(source.path().join("my-shop.toml"), preset.replace("vnd_per_point", "vnd_per_pont"))
        .expect("written");
    let built = build(source.path(), artifacts.path()).expect("make is here");
    assert!(!built.status.success(), "{built:?}");
    assert!(String::from_utf8_lossy(&built.stdout).contains("vnd_per_pont"), "it says what is wrong: {built:?}");
    assert!(!artifacts.path().join("my-shop.toml").exists());

    // The template lists the files and nothing else, each with its time zone and its settle delay.
    let refused = || {
        let built = build(source.path(), artifacts.path()).expect("make is here");
        assert!(!built.status.success(), "{built:?}");
        String::from_utf8_lossy(&built.stdout).into_owned()
    };
    let write = |name: &str, text: &str| std::fs::write(source.path().join(name), text).expect("written");
    write("my-shop.toml", &preset);
    let says = refused();
    assert!(says.contains("Mappings must list"), "{says}");
    assert!(
        says.contains("    my-shop: {TimeZone: Asia/Ho_Chi_Minh, SettleSeconds: \"7\"}\n"),
        "the line to write: {says}"
    );
    std::fs::remove_file(source.path().join("my-shop.toml")).expect("gone");
    for (was, is, line) in [
        ("Asia/Ho_Chi_Minh", "Asia/Tokyo", "cnv-retail: {TimeZone: Asia/Tokyo, SettleSeconds: \"7\"}"),
        ("settle_seconds = 7", "settle_seconds = 9", "cnv-retail: {TimeZone: Asia/Ho_Chi_Minh, SettleSeconds: \"9\"}"),
    ] {
        write("cnv-retail.toml", &preset.replace(was, is));
        let says = refused();
        assert!(says.contains(&format!("    {line}\n")), "{says}");
    }
    std::fs::remove_file(source.path().join("cnv-retail.toml")).expect("gone");
    assert!(!refused().contains("cnv-retail:"), "a name without a file");
}

/// Every schedule runs in the programme's time zone (X7), and orders settle for as long as it says (P15), wherever the
/// programme comes from.
#[test]
fn schedules_and_the_delay_of_orders_are_the_programmes() {
    let mine = json!({"TimeZone": "Asia/Tokyo", "SettleSeconds": "9"});
    let document = with(&document(), "/Mappings/Programmes/my-shop", mine);
    let schedules = events(&document, "ScheduleV2").len();
    let of = |mapped: &[(&str, &str)], programme: &str| {
        let locality = Locality {
            parameters: BTreeMap::from([("Programme".to_owned(), programme.to_owned())]),
            mapped: mapped.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            stack_name: "loyalty".to_owned(),
            services_url: "http://127.0.0.1:1".to_owned(),
        };
        let template = Template::of(document.clone(), locality).expect("understood");
        let orders = template.queues.iter().find(|queue| queue.name == "loyalty-Orders").expect("a queue");
        let zones: Vec<_> = template.schedules.iter().map(|schedule| schedule.time_zone.clone()).collect();
        (zones, orders.delay_seconds)
    };
    let all = |zone: &str| vec![zone.to_owned(); schedules];
    assert!(schedules > 0);
    assert_eq!(of(&[], "cnv-retail"), (all("Asia/Ho_Chi_Minh"), 7));
    assert_eq!(of(&[], "my-shop"), (all("Asia/Tokyo"), 9), "in the cloud, by the mapping");
    let file = [("TimeZone", "Europe/Paris"), ("SettleSeconds", "0")];
    assert_eq!(of(&file, "cnv-retail"), (all("Europe/Paris"), 0), "here, by the file");
}
