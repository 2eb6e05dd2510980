//! What is counted. Alone in its process: a function counts for one invocation at a time.

#[expect(dead_code, reason = "one test needs a part of it")]
#[path = "runs/support.rs"]
mod support;

use loyalty_runtime::metrics::{self, Metric};
use serde_json::json;
use support::{RETAIL, Shop};

#[tokio::test]
async fn a_member_is_counted_when_a_campaign_enrols_them_and_never_again() {
    // Where invitations are counted, the second one changes the participation, and enrols nobody.
    let counting = RETAIL.replace("max_credits = 2\n", "max_credits = 2\nmax_messages = 3\n");
    assert_ne!(counting, *RETAIL);
    for programme in [RETAIL.as_str(), &counting] {
        let shop = Shop::new(programme);
        for phone in shop.neighbours("03", 3) {
            shop.order(&format!("old-{phone}"), &phone, 10, "2026-11-20T03:00:00Z", json!({})).await;
        }
        metrics::take();
        for (monday, enrolled) in [("2026-11-23T08:00:00+07:00", 3), ("2026-11-30T08:00:00+07:00", 0)] {
            shop.run("weekly-campaign", monday).await;
            assert_eq!(metrics::take().of(Metric::CampaignEnrolled), enrolled, "{monday}");
        }
        assert_eq!(shop.told_of("campaign_invitation").len(), 6);
    }
}
