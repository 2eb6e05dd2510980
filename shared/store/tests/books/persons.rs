//! The person behind members who join one another: how they are reached, and that who was forgotten stays so.

use loyalty_domain::decision::{Decision, Outcome};
use loyalty_domain::member::Profile;
use loyalty_store::{Concerns, Loaded, ZaloKey};

use crate::merge::{by, merged};
use crate::support::{AN, BINH, Shop, at, check, order, programme};

#[tokio::test]
async fn who_is_reached_how_moves_and_the_newest_wish_holds() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    shop.one(by(BINH, order("2"))).await;
    let user = ZaloKey::new("z_binh");
    shop.books.follow(&user, true, at(5)).await.unwrap();
    shop.books.link(&user, "zalo-7", &BINH.into(), at(10)).await.unwrap();
    let kind = loyalty_domain::sending::MessageKind::Promotional;
    shop.books.wish(&AN.into(), &[(kind, true)].into(), at(20)).await.unwrap();
    shop.books.wish(&BINH.into(), &[(kind, false)].into(), at(30)).await.unwrap();
    merged(&shop, BINH, AN, at(200)).await;
    let an = shop.books.contact(&AN.into()).await.unwrap().row;
    assert_eq!((an.zalo_user_id.as_deref(), an.follows_oa), (Some("zalo-7"), Some(true)));
    assert!(!an.wishes[&kind].allowed);
    shop.books.wish(&BINH.into(), &[(kind, true)].into(), at(250)).await.unwrap();
    assert!(shop.books.contact(&AN.into()).await.unwrap().row.wishes[&kind].allowed, "said under the old number");
    assert_eq!(shop.books.contact(&BINH.into()).await.unwrap().row.zalo_user_id, None);
    // What the account says next reaches who goes on; a link to the old number too.
    shop.books.follow(&user, false, at(300)).await.unwrap();
    assert_eq!(shop.books.contact(&AN.into()).await.unwrap().row.follows_oa, Some(false));
    shop.books.link(&ZaloKey::new("z_other"), "zalo-8", &BINH.into(), at(400)).await.unwrap();
    assert_eq!(shop.books.contact(&AN.into()).await.unwrap().row.zalo_user_id.as_deref(), Some("zalo-8"));
}

/// Who a member is at the account, with the day they were forgotten and the day the other was linked.
async fn linked_after_merge(erased: i64, linked: i64) -> Option<String> {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    shop.one(by(BINH, order("2"))).await;
    let user = ZaloKey::new("z_binh");
    shop.books.link(&user, "zalo-7", &BINH.into(), at(linked)).await.unwrap();
    shop.books.erase_member(&shop.programme, &AN.into(), at(erased)).await.unwrap();
    merged(&shop, BINH, AN, at(200)).await;
    // Said before, and delivered late.
    shop.books.link(&user, "zalo-7", &BINH.into(), at(linked)).await.unwrap();
    check(&shop);
    shop.books.contact(&AN.into()).await.unwrap().row.zalo_user_id
}

#[tokio::test]
async fn a_merge_gives_who_was_forgotten_no_user_of_before() {
    assert_eq!(linked_after_merge(100, 50).await, None);
    assert_eq!(linked_after_merge(100, 150).await.as_deref(), Some("zalo-7"));
}

#[tokio::test]
async fn what_was_said_of_who_joined_before_they_were_forgotten_stays_forgotten() {
    let shop = Shop::new(programme());
    shop.one(by(BINH, order("2"))).await;
    let user = ZaloKey::new("z_binh");
    shop.books.erase_member(&shop.programme, &BINH.into(), at(100)).await.unwrap();
    // Who goes on has begun after that.
    let mut an = order("1");
    (an.profile, an.facts.placed_at) = (Profile::default(), at(110));
    shop.one(an).await;
    merged(&shop, BINH, AN, at(200)).await;
    assert!(!shop.books.link(&user, "zalo-7", &BINH.into(), at(50)).await.unwrap(), "a link of before");
    let told = |said_at| {
        let name = Profile { name: Some("Bình".to_owned()), ..Profile::default() };
        move |loaded: Loaded| {
            let mut member = loaded.member.expect("a member");
            member.tell(name.clone(), at(said_at), at(300));
            Ok(((), Decision { member: Some(member), ..Decision::nothing(Outcome::Posted) }))
        }
    };
    let concerns = Concerns::member(BINH.into());
    shop.books.command(&shop.programme, &concerns, at(300), told(50)).await.unwrap();
    assert_eq!(shop.member(AN).await.profile, Profile::default());
    shop.books.command(&shop.programme, &concerns, at(300), told(250)).await.unwrap();
    assert_eq!(shop.member(AN).await.profile.name.as_deref(), Some("Bình"));
    check(&shop);
}

#[tokio::test]
async fn who_is_forgotten_is_so_where_a_merge_was_killed_half_way() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    shop.one(by(BINH, order("2"))).await;
    shop.books.link(&ZaloKey::new("z_binh"), "zalo-7", &BINH.into(), at(50)).await.unwrap();
    let (from, into) = (BINH.into(), AN.into());
    let asked = loyalty_domain::request::Asked { request_id: "r_merge".into(), fingerprint: String::new() };
    shop.books.merge_members(&shop.programme, (&from, &into), &asked, at(200)).await.unwrap();
    shop.books.erase_member(&shop.programme, &into, at(300)).await.unwrap();
    assert_eq!(shop.books.contact(&from).await.unwrap().row.zalo_user_id, None);
    shop.books.merge_contacts(&from, &into).await.unwrap();
    assert_eq!(shop.books.contact(&into).await.unwrap().row.zalo_user_id, None);
    check(&shop);
}
