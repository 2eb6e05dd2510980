//! Schedules and the clock.

use thang_hang::clock::{iso, parse_instant};

use crate::fixture::Fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn advancing_fires_every_schedule_on_the_way_in_order() {
    let sunday = parse_instant("2026-11-22T12:00:00+07:00").unwrap();
    let fixture = Fixture::start_with(|options| {
        options.clock_ms = Some(sunday);
        options.settle_seconds = Some(7);
    })
    .await;
    let running = fixture.stack.running();
    fixture.send(&["ok before"]).await;
    let to = parse_instant("2026-11-24T12:00:00+07:00").unwrap();
    let fired = running.advance(to).await.unwrap();
    let fired: Vec<(&str, &str)> = fired.iter().map(|fired| (fired.schedule.as_str(), fired.at.as_str())).collect();
    assert_eq!(
        fired,
        [("daily", "2026-11-22T17:05:00Z"), ("weekly", "2026-11-23T01:00:00Z"), ("daily", "2026-11-23T17:05:00Z"),]
    );
    let times: Vec<String> =
        fixture.seen("nightly").iter().map(|saw| saw["event"]["time"].as_str().unwrap().to_owned()).collect();
    assert_eq!(times, ["2026-11-22T17:05:00Z", "2026-11-23T01:00:00Z", "2026-11-23T17:05:00Z"]);
    assert_eq!(fixture.orders("worker"), ["ok before"], "drained before the first schedule");
    assert!(running.clock.now_ms() >= to);
    assert!(running.clock.now_ms() < to + 60_000, "{}", iso(running.clock.now_ms()));
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedules_run_in_the_time_zone_of_the_programme() {
    let directory = tempfile::tempdir().unwrap();
    let programme = directory.path().join("tokyo.toml");
    let sunday = parse_instant("2026-11-22T12:00:00+07:00").unwrap();
    let fixture = Fixture::start_with(|options| {
        let preset = std::fs::read_to_string(&options.programme).unwrap();
        std::fs::write(&programme, preset.replace("Asia/Ho_Chi_Minh", "Asia/Tokyo")).unwrap();
        options.programme.clone_from(&programme);
        options.clock_ms = Some(sunday);
    })
    .await;
    let monday_noon = parse_instant("2026-11-23T12:00:00+09:00").unwrap();
    let fired = fixture.stack.running().advance(monday_noon).await.unwrap();
    let fired: Vec<(&str, &str)> = fired.iter().map(|fired| (fired.schedule.as_str(), fired.at.as_str())).collect();
    assert_eq!(fired, [("daily", "2026-11-22T15:05:00Z"), ("weekly", "2026-11-22T23:00:00Z")]);
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_can_be_run_by_hand_at_any_time() {
    let fixture = Fixture::start().await;
    let at = parse_instant("2026-11-23T08:00:00+07:00").unwrap();
    let running = fixture.stack.running();
    let ran = running.invoke("weekly", at, None).await.unwrap();
    assert_eq!((ran.function.as_str(), ran.error), ("nightly", None));
    assert_eq!(fixture.seen("nightly")[0]["event"]["time"], "2026-11-23T01:00:00Z");
    let unknown = running.invoke("monthly", at, None).await.unwrap_err().to_string();
    assert!(unknown.contains("weekly"), "{unknown}");
    fixture.stack.stop().await;
}
