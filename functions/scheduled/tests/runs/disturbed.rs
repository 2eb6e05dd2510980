//! F21 and F13: a run that is killed, comes twice or overlaps itself leaves what an undisturbed one leaves.

use std::sync::Arc;

use loyalty_domain::voucher::{Grant, Offer, Worth};
use loyalty_store::engine::Fault;
use serde_json::json;

use crate::campaign::{MONDAY, members};
use crate::support::{Everything, RETAIL, Shop, instant};

/// Requests of the longest run here, many times over.
const REQUESTS_MAX: u64 = 1_000;
const SEEDS: u64 = 20;

/// A run, and a shop for which it has something to do.
#[derive(Clone, Copy, Debug)]
enum Run {
    /// Three members to enrol and to invite.
    Weekly,
    /// Points that expire or will soon, a tier to review, birthdays, and vouchers to remind of or to write off.
    Daily,
    /// Three who have lost Silver to enrol, which no daily run has written, and one who has always been Member; each may be
    /// invited once.
    Fallen,
    /// The programme is another: nobody was addressed before, and one of them has enough for Silver now.
    Changed,
}

const YEAR_ON: &str = "2027-12-01T00:05:00+07:00";

impl Run {
    const ALL: [Self; 4] = [Self::Weekly, Self::Fallen, Self::Daily, Self::Changed];

    fn event(self) -> (&'static str, &'static str) {
        match self {
            Self::Weekly | Self::Fallen | Self::Changed => ("weekly-campaign", MONDAY),
            Self::Daily => ("daily", YEAR_ON),
        }
    }

    async fn shop(self) -> Arc<Shop> {
        let gift = "birthday = [{ id = \"gift\", name = \"Quà\", gift = \"Khăn\" }]\n";
        let programme = RETAIL.replace("id = \"member\"\n", &format!("id = \"member\"\n{gift}"));
        let shop = Shop::new(&match self {
            Self::Changed => changed(),
            Self::Fallen => {
                RETAIL.replace("days = 365", "days = 40").replace("max_credits", "max_messages = 1\nmax_credits")
            }
            _ => programme,
        });
        shop.knows_its_programme().await;
        let phones = if let Self::Fallen = self { fallen(&shop).await } else { members(&shop, [3, 0]).await };
        if let Self::Changed = self {
            shop.order("enough", &phones[2], 140, "2026-11-21T03:00:00Z", json!({})).await;
        }
        if let Self::Daily = self {
            for (phone, day) in phones.iter().zip(20..) {
                let (at, born) =
                    (format!("2026-12-{day}T03:00:00Z"), json!({"phone": phone, "birthday": "1990-12-01"}));
                shop.order(&format!("more-{phone}"), phone, 100 * (day - 19), &at, json!({"customer": born})).await;
            }
            let member_id = shop.member_id(&phones[0]);
            for (number, valid_days) in [(1, 20), (2, 30), (3, 40)] {
                let offer = Offer {
                    id: "welcome".into(),
                    name: "Voucher".to_owned(),
                    worth: Worth::Percent { percent: 10, most_minor: None },
                    valid_days,
                    order_min_minor: 0,
                };
                let (given, at) = ("2027-11-06".parse().unwrap(), instant("2027-11-06T03:00:00Z"));
                let grant = Grant::new(&member_id, &format!("tier/{number}"), &offer, given);
                let grant = grant.for_tier(&"member".into(), Some(25));
                shop.scheduled.books.give_voucher(&grant, at).await.unwrap();
            }
        }
        Arc::new(shop)
    }

    async fn undisturbed(self) -> Everything {
        let shop = self.shop().await;
        let (schedule, at) = self.event();
        shop.run(schedule, at).await;
        shop.prove();
        let rows = shop.everything();
        let told: Vec<_> = shop.told().into_keys().collect();
        match self {
            Self::Weekly => assert_eq!(told, ["campaign_invitation"]),
            Self::Fallen => {
                assert_eq!((told, shop.rows("participations").len()), (vec!["campaign_invitation".to_owned()], 4));
                assert!(shop.rows("participations").iter().all(|row| row["messages"] == 1));
            }
            Self::Changed => {
                assert_eq!((told, shop.rows("participations").len()), (vec!["campaign_invitation".to_owned()], 2));
                assert_eq!(shop.rows("members").iter().filter(|row| row["tier"] == "silver").count(), 1);
            }
            Self::Daily => {
                assert_eq!(told, ["birthday_vouchers", "points_expiring", "voucher_reminder"]);
                assert_eq!(shop.rows("points-history").iter().filter(|row| row["kind"] == "expiration").count(), 3);
                assert_eq!(shop.rows("points-history").iter().filter(|row| row["kind"] == "reset").count(), 3);
            }
        }
        rows
    }
}

/// Three whose review was due on the day before the run, and one who is Member.
async fn fallen(shop: &Shop) -> Vec<String> {
    let phones = shop.neighbours("03", 4);
    for (number, phone) in phones.iter().enumerate() {
        let points = if number < 3 { 250 } else { 10 };
        shop.order(&format!("first-{phone}"), phone, points, "2026-09-03T03:00:00Z", json!({})).await;
    }
    phones
}

/// A programme that gets its campaign, and a lower threshold, on the day before the run.
fn changed() -> String {
    let (head, campaign) = RETAIL.split_once("[[campaigns]]").expect("the preset has a campaign");
    let (campaign, rest) = campaign.split_once("\n# What earns").expect("behaviours follow it");
    format!(
        "{head}\n# What earns{rest}\n[[changes]]\neffective_from = \"2026-11-22\"\n[[changes.campaigns]]{campaign}\n\
         [[changes.tiers]]\nid = \"member\"\nname = \"Member\"\nthreshold = 0\n\
         [[changes.tiers]]\nid = \"silver\"\nname = \"Silver\"\nthreshold = 150\n"
    )
}

/// Whatever request is the last one, answered or not: before a page's work, between two of its members, between a member
/// and their message, and before the next page is queued.
async fn kill_anywhere(run: Run) {
    let (undisturbed, (schedule, at)) = (run.undisturbed().await, run.event());
    for requests in 0..REQUESTS_MAX {
        let mut died = false;
        for last in [Fault::RequestLost, Fault::ResponseLost] {
            let shop = run.shop().await;
            shop.dies_after(requests, last);
            let fired = shop.fire(schedule, at).await;
            while fired && shop.work().await == Some(true) {}
            died |= shop.revived();
            // A schedule that was not answered fires again; a page that was not is still in the queue.
            assert!(fired || shop.fire(schedule, at).await);
            shop.work_off().await;
            shop.check(&undisturbed, &format!("{run:?} killed at request {requests}, which met {last:?}"));
        }
        if !died {
            assert!(requests > 20, "{run:?} was killed at {requests} places");
            return;
        }
    }
    panic!("{run:?} has no end");
}

#[tokio::test(start_paused = true)]
async fn a_weekly_run_killed_anywhere_goes_on_where_it_was() {
    kill_anywhere(Run::Weekly).await;
}

#[tokio::test(start_paused = true)]
async fn a_weekly_run_that_comes_before_a_late_daily_one_killed_anywhere_goes_on_where_it_was() {
    kill_anywhere(Run::Fallen).await;
}

#[tokio::test(start_paused = true)]
async fn a_daily_run_killed_anywhere_goes_on_where_it_was() {
    kill_anywhere(Run::Daily).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_after_a_change_of_the_programme_killed_anywhere_goes_on_where_it_was() {
    kill_anywhere(Run::Changed).await;
}

#[tokio::test]
async fn a_run_that_comes_twice_changes_nothing() {
    for run in Run::ALL {
        let (undisturbed, (schedule, at)) = (run.undisturbed().await, run.event());
        let shop = run.shop().await;
        shop.run(schedule, at).await;
        shop.run(schedule, at).await;
        shop.check(&undisturbed, &format!("{run:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn runs_that_overlap_leave_what_one_leaves() {
    for run in Run::ALL {
        let (undisturbed, (schedule, at)) = (run.undisturbed().await, run.event());
        for seed in 0..SEEDS {
            let shop = run.shop().await;
            shop.overlapping(schedule, at, seed).await;
            shop.check(&undisturbed, &format!("{run:?}, seed {seed}"));
        }
    }
}
