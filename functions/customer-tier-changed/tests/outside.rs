//! Tiers that the shop's own system tells on the bus (X47).

use aws_lambda_events::eventbridge::EventBridgeEvent;
use customer_tier_changed::{CustomerTierChanged, TierError};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_messaging::Outbox;
use loyalty_store::engine::{Engine, Fault};
use serde_json::{Value, json};

const PROGRAMME: &str = include_str!("../../../infra/programmes/cnv-retail.toml");
const PHONE: &str = "0901234567";
const TIME: &str = "2026-11-23T01:15:07Z";

struct Shop {
    engine: Engine,
    function: CustomerTierChanged,
}

impl Shop {
    fn new(head: &str) -> Self {
        let engine = Engine::new();
        let programmes = ProgrammeFile::parse(&format!("{head}{PROGRAMME}")).unwrap_or_else(|all| panic!("{all:?}"));
        let key = MemberKey::new("an installation's key of 32 bytes").unwrap();
        let outbox = Outbox::new(engine.client(), "loyalty-");
        let function = CustomerTierChanged { books: engine.books(), programmes, key, outbox };
        Self { engine, function }
    }

    fn told() -> Self {
        Self::new("tier_authority = \"outside\"\n")
    }

    fn member_id(&self) -> String {
        self.function.key.by_phone(&normalise(PHONE).unwrap()).to_string()
    }

    async fn send(&self, source: &str, kind: &str, detail: Value) -> Result<(), TierError> {
        let event = json!({"version": "0", "id": "e", "source": source, "detail-type": kind, "time": TIME,
            "detail": detail});
        let event: EventBridgeEvent<Value> = serde_json::from_value(event).unwrap();
        self.function.answer(event).await
    }

    async fn tell(&self, detail: Value) -> Result<(), TierError> {
        self.send("my-crm", "CustomerTierChanged", detail).await
    }

    fn everything(&self) -> Vec<Vec<Value>> {
        ["members", "points-history"].map(|table| self.engine.rows(table)).to_vec()
    }
}

#[tokio::test]
async fn the_shops_word_is_followed_once_and_in_its_order() {
    let shop = Shop::told();
    let gold = json!({"phone": PHONE, "tier": "Gold", "changed_at": "2026-11-23T01:00:00Z"});
    shop.tell(gold.clone()).await.unwrap();
    let [members, entries] = &shop.everything()[..] else { panic!("two tables") };
    assert_eq!((&members[0]["member_id"], &members[0]["tier"]), (&json!(shop.member_id()), &json!("gold")));
    assert_eq!(members[0]["phone"], "84901234567", "whoever is new is registered");
    assert_eq!((&entries[0]["kind"], &entries[0]["recorded_at"]), (&json!("tier"), &json!(TIME)));

    let rows = shop.everything();
    shop.tell(gold).await.unwrap();
    shop.tell(json!({"phone": PHONE, "tier": "silver", "changed_at": "2026-11-22T01:00:00Z"})).await.unwrap();
    assert_eq!(shop.everything(), rows, "twice, and an older word");
    shop.tell(json!({"member_id": shop.member_id(), "tier": "silver"})).await.unwrap();
    assert_eq!(shop.engine.rows("members")[0]["tier"], "silver");
}

/// X47: the reason is in the log, and the event does not come again.
#[tokio::test]
async fn where_the_engine_decides_nothing_changes() {
    let shop = Shop::new("");
    shop.tell(json!({"phone": PHONE, "tier": "gold"})).await.unwrap();
    assert!(shop.everything().iter().all(Vec::is_empty));
}

/// X37: what cannot be followed is kept for a person, and no error repeats what was sent.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_followed_fails_and_names_nobody() {
    let shop = Shop::told();
    let cases = [
        ("my-crm", "CustomerTierChanged", json!({"phone": PHONE, "tier": "0901234567"}), "gold"),
        ("my-crm", "CustomerTierChanged", json!({"phone": "0901234567x9", "tier": "gold"}), "phone"),
        ("my-crm", "CustomerTierChanged", json!({"tier": "gold"}), "member_id"),
        ("my-crm", "CustomerTierChanged", json!({"phone": PHONE}), "CustomerTierChanged"),
        ("my-crm", "CustomerTierChanged", json!({"phone": PHONE, "tier": {"0901234567": 1}}), "CustomerTierChanged"),
        ("my-crm", "CustomerTierChanged", json!({"phone": PHONE, "tier": "gold", "changed_at": "0901234567"}), "read"),
        ("my-crm", "CustomerTierChanged", json!({"member_id": "m_0901234567", "tier": "gold"}), "nobody"),
        ("my-crm", "TierChanged", json!({"phone": PHONE, "tier": "gold"}), "my-crm"),
        ("loyalty", "CustomerTierChanged", json!({"phone": PHONE, "tier": "gold"}), "CustomerTierChanged"),
    ];
    for (source, kind, detail, says) in cases {
        let error = shop.send(source, kind, detail.clone()).await.expect_err("an error");
        let said = format!("{error} {error:?} {}", loyalty_runtime::chain(&error));
        assert!(said.contains(says) && !said.contains("901234567"), "{detail}: {said}");
    }
    assert!(shop.engine.rows("members").is_empty());
    shop.engine.inject(|_| Fault::RequestLost);
    let gold = json!({"phone": PHONE, "tier": "gold"});
    assert!(matches!(shop.tell(gold.clone()).await, Err(TierError::Books(_))));
    shop.engine.heal();
    shop.tell(gold).await.unwrap();
}
