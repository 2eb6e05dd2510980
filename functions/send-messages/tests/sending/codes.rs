//! Every error that Zalo documents, once, against the message that meets it.

use loyalty_messaging::Template;
use loyalty_zalo::{CODES, Class};
use serde_json::json;

use crate::provider::Act;
use crate::support::{PHONE, Shop, instant, programme};

/// Without the shop's own system: Zalo's word is the last.
async fn zalo_only() -> Shop {
    let mut shop = Shop::with(&programme("[messages.channels]\ncare = [\"zalo_phone\"]\n")).await;
    shop.sender.shop = None;
    shop
}

#[tokio::test]
async fn every_code_does_what_its_class_asks() {
    for (code, class) in CODES {
        let shop = zalo_only().await;
        let member = shop.member(PHONE).await;
        shop.provider.script([Act::Code(code)]);
        let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
        let id = row["message_id"].as_str().unwrap().to_owned();
        let (state, after) = (row["state"].as_str().unwrap(), row["send_after"].as_str().unwrap_or("-"));
        let expected = match class {
            // The token is refreshed and the call made once more.
            Class::Token => ("sent", "-"),
            Class::Passing => ("pending", "2026-11-25T05:00:15Z"),
            Class::NextDay | Class::NextMorning => ("pending", "2026-11-25T23:05:00Z"),
            Class::Recipient => ("failed", "-"),
            Class::Human => ("pending", "2026-11-25T06:00:00Z"),
        };
        assert_eq!((state, after), expected, "{code}");
        let refreshes = shop.provider.world().refreshes;
        assert_eq!(refreshes, if class == Class::Token { 2 } else { 1 }, "{code}");
        if state == "pending" {
            assert_eq!(row["code"], json!(code));
        }
        match class {
            // A human has one hour, and then one message tries.
            Class::Passing | Class::Human => shop.work_off().await,
            Class::NextDay | Class::NextMorning => shop.due("2026-11-26T06:05:00+07:00").await,
            Class::Token | Class::Recipient => {}
        }
        let ends = if class == Class::Recipient { "failed" } else { "sent" };
        if class == Class::Recipient {
            assert_eq!(shop.row(&id)["code"], json!(code), "which refusal it was stays");
        }
        assert_eq!(shop.row(&id)["state"], ends, "{code}");
        assert_eq!(shop.taken().len(), usize::from(ends == "sent"), "{code}");
        assert_eq!(shop.findings(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_refused_way_falls_back_to_the_next() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.follower(&member).await;
    shop.pass(1);
    shop.provider.script([Act::Code(-213), Act::Code(-118)]);
    let row = shop.sends(&member, Template::TierKept, "1").await;
    assert_eq!((&row["state"], &row["channel"]), (&json!("sent"), &json!("webhook")));
    assert_eq!(row["exhausted"], json!(["zalo_oa", "zalo_phone"]));
    // What Zalo said is kept: the next message does not ask again.
    assert_eq!(shop.books().contact(&member).await.unwrap().row.follows_oa, Some(false));
    shop.sends(&member, Template::TierKept, "2").await;
    assert_eq!(shop.taken()[0].0, "/message/template");
}

#[tokio::test]
async fn while_a_human_is_needed_nothing_is_called() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.provider.script([Act::Code(-219)]);
    shop.sends(&member, Template::OrderPointsCredited, "1").await;
    let row = shop.sends(&member, Template::OrderPointsCredited, "2").await;
    assert_eq!((&row["state"], &row["reason"]), (&json!("pending"), &json!("sender_paused")));
    assert_eq!(shop.provider.world().calls, 1);
    let sender = &shop.engine.rows("senders")[0];
    assert_eq!(sender["paused_reason"], "Zalo refused with -219");
    // The queue looks for both when the hour is over, however many wait for it.
    assert_eq!(shop.queued().len(), 1);
    shop.work_off().await;
    assert_eq!((shop.taken().len(), shop.now()), (2, instant("2026-11-25T13:00:00+07:00")));
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_asked_for_by_one_message_a_day() {
    // Zalo says with the last message that none is left, or refuses the one after it.
    for (act, state) in [(Act::Take, "sent"), (Act::Code(-144), "pending")] {
        let shop = zalo_only().await;
        let member = shop.member(PHONE).await;
        shop.provider.script([act]);
        shop.provider.world().quota_left = Some(0);
        assert_eq!(shop.sends(&member, Template::OrderPointsCredited, "1").await["state"], state);
        let row = shop.sends(&member, Template::OrderPointsCredited, "2").await;
        assert_eq!((&row["state"], &row["reason"]), (&json!("pending"), &json!("daily_quota")));
        assert_eq!((&row["send_after"], row.get("attempt")), (&json!("2026-11-25T23:05:00Z"), None), "no claim");
        assert_eq!(shop.provider.world().calls, 1);
        // Followers have a quota of their own.
        shop.follower(&member).await;
        assert_eq!(shop.sends(&member, Template::BirthdayVouchers, "2026").await["channel"], "zalo_oa");
        shop.provider.world().quota_left = None;
        shop.due("2026-11-26T06:05:00+07:00").await;
        assert_eq!(shop.taken().len(), 3, "{act:?}: both, and the follower's");
        assert_eq!(shop.findings(), Vec::<String>::new());
    }
}

/// Nobody refused it: it begins anew every morning for a week, and is not given up before.
#[tokio::test]
async fn what_does_not_pass_is_tried_on_every_morning_of_a_week() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.provider.script([Act::Code(-100); 100]);
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    let row = |shop: &Shop| shop.row(row["message_id"].as_str().unwrap());
    shop.work_off().await;
    for day in 26..33 {
        let waits = row(&shop);
        assert_eq!(
            (&waits["state"], &waits["reason"], &waits["code"]),
            (&json!("pending"), &json!("no_answer"), &json!(-100))
        );
        assert_eq!((&waits["attempt"], waits.get("exhausted")), (&json!(0), None));
        let day = match day {
            31.. => format!("12-{:02}", day - 30),
            day => format!("11-{day}"),
        };
        shop.due(&format!("2026-{day}T06:05:00+07:00")).await;
        shop.work_off().await;
    }
    let failed = row(&shop);
    assert_eq!((&failed["state"], &failed["reason"]), (&json!("failed"), &json!("no_answer")));
    assert_eq!((&failed["code"], &failed["begun_anew"]), (&json!(-100), &json!(7)));
    assert_eq!(shop.findings(), Vec::<String>::new());
}

#[tokio::test]
async fn what_could_not_be_told_for_long_is_told_the_next_morning() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.provider.script([Act::Status(503); 8]);
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    assert_eq!(row["code"], 503);
    shop.work_off().await;
    assert!(shop.taken().is_empty());
    shop.due("2026-11-26T06:05:00+07:00").await;
    shop.work_off().await;
    let row = shop.row(row["message_id"].as_str().unwrap());
    assert_eq!((&row["state"], shop.taken().len()), (&json!("sent"), 1), "{row}");
}

/// The rate holds up and refuses nothing: whoever waits for it is not taken for one who gets no answer.
#[tokio::test]
async fn whom_the_rate_holds_up_goes_out_when_it_allows() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.provider.script([Act::Code(-32); 20]);
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    shop.work_off().await;
    let row = shop.row(row["message_id"].as_str().unwrap());
    assert_eq!((&row["state"], shop.taken().len(), row.get("begun_anew")), (&json!("sent"), 1, None), "{row}");
}

#[tokio::test]
async fn an_unknown_code_harms_nobody_else() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.provider.script([Act::Code(-98_765)]);
    assert_eq!(shop.sends(&member, Template::OrderPointsCredited, "1").await["state"], "failed");
    assert_eq!(shop.sends(&member, Template::OrderPointsCredited, "2").await["state"], "sent");
}
