//! The weekly run of a campaign (C2, C4): who is enrolled, who is written to, and what it may promise.

use std::sync::Arc;

use loyalty_contract::programme::ProgrammeFile;
use serde_json::json;

use crate::support::{RETAIL, Shop};

const BEFORE: &str = "2026-11-20T03:00:00Z";
pub const MONDAY: &str = "2026-11-23T08:00:00+07:00";
const NEXT_MONDAY: &str = "2026-11-30T08:00:00+07:00";

/// So many members of one shard and of another, who have ordered once.
pub async fn members(shop: &Shop, [of_one, of_other]: [usize; 2]) -> Vec<String> {
    let phones = [shop.neighbours("03", of_one), shop.neighbours("11", of_other)].concat();
    for phone in &phones {
        shop.order(&format!("old-{phone}"), phone, 10, BEFORE, json!({})).await;
    }
    phones
}

#[tokio::test]
async fn c2_members_with_an_order_are_enrolled_and_written_to_every_week() {
    let shop = Shop::new(&RETAIL);
    let phones = members(&shop, [5, 2]).await;
    shop.order("big", "84911111111", 200, BEFORE, json!({})).await;
    shop.run("weekly-campaign", MONDAY).await;
    let enrolled = shop.rows("participations");
    assert_eq!(enrolled.len(), phones.len(), "and nobody of Silver (C1)");
    assert!(enrolled.iter().all(|row| (&row["granted"], &row["remaining"]) == (&json!(2), &json!(2))));
    assert_eq!(shop.told_of("campaign_invitation"), vec!["fast-promotion:2026-11-23"; 7]);

    // Promoted, and nothing more is said; the others hear once a week.
    shop.order("promoting", &phones[0], 200, "2026-11-24T03:00:00Z", json!({})).await;
    shop.run("weekly-campaign", NEXT_MONDAY).await;
    assert_eq!(shop.rows("participations").len(), phones.len());
    let told = shop.told_of("campaign_invitation");
    assert_eq!(told.iter().filter(|about| about.ends_with("2026-11-30")).count(), 6, "{told:?}");
}

#[tokio::test]
async fn a_run_that_finds_nobody_queues_nothing() {
    let shop = Shop::new(&RETAIL);
    for schedule in ["weekly-campaign", "daily", "yearly"] {
        assert!(shop.fire(schedule, MONDAY).await);
        assert_eq!(shop.wire.world().pages.len(), 0, "{schedule}");
    }
    members(&shop, [5, 2]).await;
    assert!(shop.fire("weekly-campaign", MONDAY).await);
    assert_eq!(shop.wire.world().pages.len(), 2, "a page for each shard with somebody in it");
    assert!(shop.fire("daily", MONDAY).await);
    assert_eq!(shop.wire.world().pages.len(), 2, "nothing is due for them");
}

/// Each enrolled member may cost 300 points, so 1,000 are enough for three, however many runs decide at once.
#[tokio::test(start_paused = true)]
async fn a_budget_is_never_exceeded_by_runs_that_overlap() {
    let programme = RETAIL.replace("max_credits = 2\n", "max_credits = 2\nbudget_points = 1000\n");
    for seed in 0..20 {
        let shop = Arc::new(Shop::new(&programme));
        members(&shop, [5, 2]).await;
        shop.overlapping("weekly-campaign", MONDAY, seed).await;
        let rows = shop.rows("participations");
        let (budget, enrolled): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["member_id"] == "(budget)");
        assert_eq!((budget[0]["reserved_points"].as_i64(), enrolled.len()), (Some(900), 3), "seed {seed}");
        assert_eq!(shop.told_of("campaign_invitation").len(), 3, "seed {seed}");
    }
}

/// C1, T8: no daily run has come since their review, so the rows of who lost Silver by it still say Silver. They are enrolled
/// on Monday all the same, once; who keeps it is not.
#[tokio::test]
async fn c1_who_has_fallen_back_is_enrolled_though_no_daily_run_has_come() {
    let programme = RETAIL.replace("days = 365", "days = 40");
    for (page_max, known) in [(50, true), (1, true), (1, false)] {
        let mut shop = Shop::new(&programme);
        shop.scheduled.page_max = page_max;
        if known {
            shop.knows_its_programme().await;
        }
        let fallen = shop.neighbours("03", 4);
        for phone in &fallen {
            shop.order(&format!("first-{phone}"), phone, 250, "2026-09-03T03:00:00Z", json!({})).await;
        }
        shop.order("more", &fallen[3], 250, "2026-10-20T03:00:00Z", json!({})).await;
        shop.order("small", &shop.neighbours("11", 1)[0], 10, BEFORE, json!({})).await;
        for _ in 0..2 {
            shop.run("weekly-campaign", MONDAY).await;
            assert_eq!(shop.rows("participations").len(), 4, "pages of {page_max}");
            assert_eq!(shop.told_of("campaign_invitation").len(), 4);
        }
        shop.prove();
    }
}

/// X50: what came while the campaign was paused is decided by the first daily run after it goes on, which enrols and invites
/// nobody; the weekly run finds what no daily run has done.
#[tokio::test]
async fn x50_orders_of_a_pause_are_credited_when_the_campaign_goes_on() {
    let campaign = "[[changes.campaigns]]\nid = \"fast-promotion\"\nname = \"Thăng hạng nhanh\"\n";
    let programme = format!(
        "{}\n[[changes]]\neffective_from = \"2026-11-24\"\n{campaign}paused = true\n\
         [[changes]]\neffective_from = \"2026-11-26\"\n{campaign}",
        include_str!("../../../../infra/programmes/cnv-retail.toml"),
    );
    for (schedule, at) in [("daily", "2026-11-26T00:05:00+07:00"), ("weekly-campaign", NEXT_MONDAY)] {
        let shop = Shop::new(&programme);
        let phones = members(&shop, [3, 1]).await;
        shop.run("weekly-campaign", MONDAY).await;
        let invited = shop.told_of("campaign_invitation").len();
        shop.order("paused", &phones[0], 20, "2026-11-24T03:00:00Z", json!({})).await;
        shop.order("late", "84922222222", 20, "2026-11-24T03:00:00Z", json!({})).await;
        let bonuses = |shop: &Shop| shop.rows("points-history").iter().filter(|row| row["kind"] == "bonus").count();
        shop.run("daily", "2026-11-25T00:05:00+07:00").await;
        assert_eq!(bonuses(&shop), 0);
        for _ in 0..2 {
            shop.run(schedule, at).await;
            assert_eq!(bonuses(&shop), 1, "{schedule}");
        }
        let enrolled = shop.rows("participations");
        let used: Vec<_> = enrolled.iter().filter(|row| row["used"] == 1).collect();
        assert_eq!((used.len(), &used[0]["waiting"]), (1, &serde_json::Value::Null));
        let again = if schedule == "daily" { 0 } else { phones.len() + 1 };
        assert_eq!(enrolled.len(), phones.len() + usize::from(schedule != "daily"));
        assert_eq!(shop.told_of("campaign_invitation").len(), invited + again, "{schedule}");
    }
}

/// X50 as a shop does it: the line is taken out of the file again before any daily run has seen it there.
#[tokio::test]
async fn x50_a_pause_that_no_run_has_seen_ends_with_the_next_daily_run() {
    let paused = RETAIL.replace("id = \"fast-promotion\"\n", "id = \"fast-promotion\"\npaused = true\n");
    let mut shop = Shop::new(&RETAIL);
    let phones = members(&shop, [3, 1]).await;
    shop.run("weekly-campaign", MONDAY).await;
    let programmes = |text: &str| Arc::new(ProgrammeFile::parse(text).unwrap());
    shop.scheduled.programmes = programmes(&paused);
    shop.order("paused", &phones[0], 20, "2026-11-24T03:00:00Z", json!({})).await;
    shop.scheduled.programmes = programmes(&RETAIL);
    let bonuses = |shop: &Shop| shop.rows("points-history").iter().filter(|row| row["kind"] == "bonus").count();
    assert_eq!(bonuses(&shop), 0);
    shop.run("daily", "2026-11-25T00:05:00+07:00").await;
    assert_eq!(bonuses(&shop), 1);
    // Done is done: the next days look for nobody.
    assert!(shop.fire("daily", "2026-11-26T00:05:00+07:00").await);
    assert_eq!(shop.wire.world().pages.len(), 0);
}

/// C1, C12: a campaign that is switched on later finds who was there before it, though nothing has happened to them since.
#[tokio::test]
async fn c12_a_campaign_that_is_switched_on_finds_those_who_were_there_before() {
    for daily_first in [false, true] {
        let mut shop = Shop::new(
            &RETAIL
                .replace("id = \"fast-promotion\"\n", "id = \"fast-promotion\"\ntiers = [\"gold\"]\n")
                .replace("tiers = [\"member\"]\n", ""),
        );
        let phones = members(&shop, [5, 2]).await;
        shop.run("daily", "2026-11-21T00:05:00+07:00").await;
        shop.run("weekly-campaign", MONDAY).await;
        assert_eq!(shop.rows("participations").len(), 0);
        shop.scheduled.programmes = Arc::new(ProgrammeFile::parse(&RETAIL).unwrap());
        if daily_first {
            shop.run("daily", "2026-11-24T00:05:00+07:00").await;
        }
        for _ in 0..2 {
            shop.run("weekly-campaign", NEXT_MONDAY).await;
            assert_eq!(shop.rows("participations").len(), phones.len());
            assert_eq!(shop.told_of("campaign_invitation").len(), phones.len());
        }
        shop.prove();
    }
}

/// C4, X19: who is raised because a tier asks less now has been promoted, and their campaign is over.
#[tokio::test]
async fn c4_a_raise_by_a_run_ends_the_participation() {
    let mut shop = Shop::new(&RETAIL);
    shop.order("old", "84911111111", 150, BEFORE, json!({})).await;
    shop.run("weekly-campaign", MONDAY).await;
    assert_eq!(shop.rows("participations")[0]["state"], "active");
    let lower = RETAIL.replace("threshold = 200", "threshold = 100");
    shop.scheduled.programmes = Arc::new(ProgrammeFile::parse(&lower).unwrap());
    shop.run("daily", "2026-11-24T00:05:00+07:00").await;
    assert_eq!(shop.rows("members")[0]["tier"], "silver");
    assert_eq!(shop.rows("participations")[0]["state"], "completed");
    shop.prove();
}
