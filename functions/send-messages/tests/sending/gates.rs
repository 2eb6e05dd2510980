//! What is true when a message is sent decides whether it is (C4, X35, X50).

use std::collections::BTreeMap;

use loyalty_domain::campaign::{Participation, ParticipationState};
use loyalty_domain::ids::RuleId;
use loyalty_domain::sending::MessageKind;
use loyalty_domain::voucher::{Grant, Offer, VoucherState, Worth};
use loyalty_messaging::Template;
use serde_json::{Value, json};

use crate::support::{NOON, PHONE, Shop, instant, message, programme};

#[tokio::test]
async fn promotion_waits_for_the_morning_and_goes_out_then() {
    for (at, sent) in [
        ("2026-11-25T05:59:59+07:00", false),
        ("2026-11-25T06:00:00+07:00", true),
        ("2026-11-25T21:59:59+07:00", true),
        ("2026-11-25T22:00:00+07:00", false),
    ] {
        let shop = Shop::new().await;
        let member = shop.member(PHONE).await;
        shop.set(at);
        let row = shop.sends(&member, Template::BirthdayVouchers, "2026").await;
        assert_eq!(row["state"] == "sent", sent, "{at}: {row}");
        if sent {
            continue;
        }
        let morning = if at.contains("T05") { "2026-11-25T06:05:00+07:00" } else { "2026-11-26T06:05:00+07:00" };
        assert_eq!(
            (&row["reason"], instant(row["send_after"].as_str().unwrap())),
            (&json!("quiet_hours"), instant(morning))
        );
        assert!(shop.queued().is_empty());
        shop.due(morning).await;
        assert_eq!(shop.row(row["message_id"].as_str().unwrap())["state"], "sent");
        assert_eq!(shop.taken().len(), 1);
    }
}

#[tokio::test]
async fn care_and_transactions_know_no_night() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.set("2026-11-25T23:30:00+07:00");
    assert_eq!(shop.sends(&member, Template::OrderPointsCredited, "1").await["state"], "sent");
    assert_eq!(shop.sends(&member, Template::TierKept, "1").await["state"], "sent");
}

#[tokio::test]
async fn a_week_has_so_many_promotions_and_no_more() {
    let shop = Shop::with(&programme("[messages]\npromotional_per_week = 2\n")).await;
    let member = shop.member(PHONE).await;
    for (about, state) in [("2026", "sent"), ("2027", "sent"), ("2028", "skipped")] {
        assert_eq!(shop.sends(&member, Template::BirthdayVouchers, about).await["state"], state, "{about}");
    }
    shop.set("2026-11-30T08:00:00+07:00");
    assert_eq!(shop.sends(&member, Template::BirthdayVouchers, "2029").await["state"], "sent");
    let contact = &shop.engine.rows("contacts")[0];
    assert_eq!((&contact["promotional_week"], &contact["promotional_sent"]), (&json!("2026-11-30"), &json!(1)));
}

#[tokio::test]
async fn what_is_tried_twice_counts_once() {
    let shop = Shop::with(&programme("[messages]\npromotional_per_week = 1\n")).await;
    let member = shop.member(PHONE).await;
    shop.provider.script([crate::provider::Act::Code(-100)]);
    let row = shop.sends(&member, Template::BirthdayVouchers, "2026").await;
    assert_eq!(row["state"], "pending");
    shop.work_off().await;
    assert_eq!(shop.row(row["message_id"].as_str().unwrap())["state"], "sent");
    assert_eq!(shop.engine.rows("contacts")[0]["promotional_sent"], 1);
}

#[tokio::test]
async fn who_opted_out_of_a_kind_gets_none_of_it() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    let now = shop.now();
    let promotional = |allowed| BTreeMap::from([(MessageKind::Promotional, allowed)]);
    assert!(shop.books().wish(&member, &promotional(false), now).await.unwrap());
    let row = shop.sends(&member, Template::BirthdayVouchers, "2026").await;
    assert_eq!((&row["state"], &row["reason"]), (&json!("skipped"), &json!("opted_out")));
    assert_eq!(shop.sends(&member, Template::TierKept, "1").await["state"], "sent");
    // An older wish changes nothing; a newer one does.
    let before = now - chrono::TimeDelta::seconds(1);
    assert!(!shop.books().wish(&member, &promotional(true), before).await.unwrap());
    assert!(!shop.books().wish(&member, &promotional(true), now).await.unwrap(), "of one instant the refusal stays");
    let after = now + chrono::TimeDelta::seconds(1);
    let all = MessageKind::ALL.map(|kind| (kind, true));
    assert!(shop.books().wish(&member, &BTreeMap::from(all), after).await.unwrap());
    assert_eq!(shop.sends(&member, Template::BirthdayVouchers, "2027").await["state"], "sent");
}

#[tokio::test]
async fn what_is_paused_is_kept_and_sent_afterwards() {
    for (pause, change) in
        [("[messages]\npaused = true\n", "[changes.messages]\npaused = false"), ("", "paused = false")]
    {
        let head = if pause.is_empty() { "paused = true\n" } else { "" };
        let text =
            programme(&format!("{pause}\n[[changes]]\neffective_from = \"2026-11-25T15:00:00+07:00\"\n{change}\n"));
        // Members come of orders, which wait as well.
        let mut shop = Shop::new().await;
        let member = shop.member(PHONE).await;
        let first = crate::provider::refresh_token(0);
        shop.sender = shop.another(&format!("{head}{text}"), &first);
        let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
        assert_eq!((&row["state"], &row["reason"]), (&json!("pending"), &json!("paused")), "{pause}");
        shop.due("2026-11-25T12:05:00+07:00").await;
        assert_eq!(shop.taken(), []);
        shop.due("2026-11-25T18:05:00+07:00").await;
        assert_eq!(shop.row(row["message_id"].as_str().unwrap())["state"], "sent");
    }
}

#[tokio::test]
async fn a_used_voucher_is_not_reminded_of() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    let day = "2026-11-01".parse().unwrap();
    let offer = Offer {
        id: RuleId::new("silver-10"),
        name: "Giảm 10%".to_owned(),
        worth: Worth::Percent { percent: 10, most_minor: None },
        valid_days: 60,
        order_min_minor: 0,
    };
    let grant = Grant::new(&member, "tier/3", &offer, day);
    shop.books().give_voucher(&grant, shop.now()).await.unwrap();
    let voucher_id = shop.books().voucher_of(&grant, shop.now()).voucher_id;
    let row = shop.sends(&member, Template::VoucherReminder, voucher_id.as_str()).await;
    assert_eq!(row["state"], "sent");

    // The same again, kept while it was night and the voucher used by morning.
    shop.set("2026-11-25T22:30:00+07:00");
    let other = Grant::new(&member, "tier/4", &offer, day);
    shop.books().give_voucher(&other, shop.now()).await.unwrap();
    let voucher_id = shop.books().voucher_of(&other, shop.now()).voucher_id;
    let row = shop.sends(&member, Template::VoucherReminder, voucher_id.as_str()).await;
    assert_eq!(row["reason"], "quiet_hours");
    let used = |mut voucher: loyalty_domain::voucher::Voucher| {
        voucher.state = VoucherState::Used;
        voucher.used_at = Some(instant(NOON));
        Ok::<_, ()>(voucher)
    };
    shop.books().change_voucher(&voucher_id, used).await.unwrap();
    shop.due("2026-11-26T06:05:00+07:00").await;
    let row = shop.row(row["message_id"].as_str().unwrap());
    assert_eq!((&row["state"], &row["reason"]), (&json!("skipped"), &json!("voucher_gone")));
    let unknown = shop.sends(&member, Template::VoucherReminder, "v_none").await;
    assert_eq!(unknown["reason"], "voucher_gone");
}

/// X19: nobody is congratulated on a tier that they have lost while the message waited.
#[tokio::test]
async fn a_tier_that_is_lost_meanwhile_is_not_congratulated_on() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    let mut reached = message(&member, Template::TierReached, "2", shop.now());
    for (tier, state, reason) in [("Member", "sent", Value::Null), ("Silver", "skipped", json!("tier_gone"))] {
        reached.variables.insert("tier".to_owned(), loyalty_messaging::Value::Text(tier.to_owned()));
        reached.message_id = format!("{member}:{tier}:tier_reached");
        shop.outbox().put(std::slice::from_ref(&reached)).await.unwrap();
        assert_eq!(shop.stream(&[&reached.message_id]).await, Vec::<Value>::new());
        let row = shop.row(&reached.message_id);
        assert_eq!((&row["state"], &row["reason"]), (&json!(state), &reason), "{tier}");
    }
}

#[tokio::test]
async fn a_stopped_campaign_says_no_more() {
    for (state, sent) in [
        (Some(ParticipationState::Active), true),
        (Some(ParticipationState::Completed), false),
        (Some(ParticipationState::Exhausted), false),
        (None, false),
    ] {
        let shop = Shop::new().await;
        let member = shop.member(PHONE).await;
        if let Some(state) = state {
            participate(&shop, &member, state).await;
        }
        let row = shop.sends(&member, Template::CampaignInvitation, "fast-promotion:2026-11-23").await;
        assert_eq!(row["state"], if sent { "sent" } else { "skipped" }, "{state:?}");
        assert_eq!(row["reason"], if sent { Value::Null } else { json!("campaign_stopped") });
    }
}

#[tokio::test]
async fn a_campaign_and_a_programme_speak_in_their_own_words() {
    let own = "texts.campaign_invitation.vi = [\"{campaign}: thêm {bonus_points}!\", \"Lên {next_tier}.\"]";
    let programme = programme("[messages.texts.tier_kept]\nvi = [\"Giữ hạng {tier} nhé.\"]")
        .replace("id = \"fast-promotion\"", &format!("id = \"fast-promotion\"\n{own}"))
        .replace("{ campaign = \"campaign\" }", "{ text = \"text\" }");
    let shop = Shop::with(&programme).await;
    let member = shop.member(PHONE).await;
    participate(&shop, &member, ParticipationState::Active).await;
    let invited = shop.sends(&member, Template::CampaignInvitation, "fast-promotion:2026-11-23").await;
    let kept = shop.sends(&member, Template::TierKept, "7").await;
    assert_eq!((&invited["campaign"], &kept["campaign"]), (&json!("fast-promotion"), &Value::Null));
    let said: Vec<_> = shop.taken().into_iter().map(|(_, body)| body["template_data"]["text"].clone()).collect();
    assert_eq!(said, ["Lên Bạc: thêm 150 điểm!", "Giữ hạng Bạc nhé."]);
}

/// Puts a participation as the books would.
async fn participate(shop: &Shop, member: &loyalty_domain::ids::MemberId, state: ParticipationState) {
    use loyalty_domain::decision::{Decision, Outcome};
    let campaign = RuleId::new("fast-promotion");
    let programme = &shop.sender.programmes.at(shop.now()).programme;
    let concerns = shop.books().look(vec![member.clone()], Some(&campaign)).await.unwrap().remove(0);
    let decide = |rows: loyalty_store::Loaded| {
        let participation = Participation {
            campaign: campaign.clone(),
            member_id: member.clone(),
            granted: 2,
            state,
            enrolled_at: shop.now(),
            orders: Vec::new(),
            waiting: Vec::new(),
            reserved_points: 0,
            messages: 0,
            invited_on: None,
        };
        let nothing = Decision::nothing(Outcome::Posted);
        Ok(((), Decision { member: rows.member, participations: vec![participation], ..nothing }))
    };
    shop.books().command(programme, &concerns, shop.now(), decide).await.unwrap();
}
