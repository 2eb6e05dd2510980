//! Between a scenario and what the function meets: a programme file, messages of the queue, and the books read back.
//!
//! The function knows members by a keyed hash of their phone, a scenario by their number. What is read back carries the
//! scenario's names again, so it can be judged and compared as if it had never left the simulation.

use std::collections::{BTreeMap, HashMap};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::Phone;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::{CanonicalOrder, Customer, QueueMessage, Source};
use loyalty_domain::ids::{MemberId, OrderId};
use loyalty_domain::ledger::Entry;
use loyalty_domain::member::Member;
use loyalty_domain::order::{Order, OrderSnapshot};
use loyalty_domain::points::Ratio;
use loyalty_domain::programme::{Cycle, ExpiryRule, NegativeBalance, Programme, TierMultiplier};
use loyalty_domain::time::Instant;
use loyalty_store::engine::Engine;
use loyalty_store::{Books, Consistency, StoreError, Stored};
use loyalty_tests::rows::snake_case;
use loyalty_tests::sim::scenario::{MEMBERS_MAX, Scenario, member, phone};
use order_changed::OrderChanged;
use serde_json::{Value, json};

const KEY: &str = "an installation's key of 32 bytes";
/// Stands behind no order of a scenario: extreme amounts are theirs alone.
pub const HOSTILE: u8 = MEMBERS_MAX;

/// The function as it runs, on the engine, with the scenario's programme read from a file. The scenario's versions then
/// have the names that the file gives them.
pub fn function(engine: &Engine, scenario: &mut Scenario) -> OrderChanged {
    let programmes = file(&scenario.programmes);
    for ((_, drawn), read) in scenario.programmes.iter_mut().zip(programmes.versions()) {
        drawn.version = read.programme.version.clone();
        // Which has been held against the file in its own turn.
        drawn.earlier.clone_from(&read.programme.earlier);
        assert_eq!(*drawn, read.programme, "the file says something else");
    }
    OrderChanged { books: engine.books(), programmes, key: key() }
}

fn key() -> MemberKey {
    MemberKey::new(KEY).expect("long enough")
}

fn file(versions: &[(Instant, Programme)]) -> ProgrammeFile {
    let mut changes = versions.iter().map(|(from, programme)| {
        let mut change = version(programme);
        change["effective_from"] = json!(from.to_rfc3339());
        change
    });
    let mut all = changes.next().expect("a first version");
    all.as_object_mut().expect("an object").remove("effective_from");
    all["changes"] = changes.collect();
    let text = toml::to_string(&all).expect("it can be written as TOML");
    ProgrammeFile::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

/// A programme as its shop would write it.
fn version(programme: &Programme) -> Value {
    let Programme { earning, reversal, tiers, .. } = programme;
    let by_tier = tiers.as_slice().iter().any(|tier| tier.multiplier != Ratio::ONE);
    let tiers = tiers.as_slice().iter().map(|tier| {
        let mut written = json!({"id": tier.id.as_str(), "name": tier.name, "threshold": tier.threshold});
        if by_tier {
            written["multiplier"] = json!(fraction(tier.multiplier));
        }
        written
    });
    let negative_balance = match reversal.negative_balance {
        NegativeBalance::Limit(points) => format!("limit({points})"),
        policy => snake_case(policy),
    };
    let welcome = programme
        .welcome
        .map(|welcome| json!({"points": welcome.points, "when": snake_case(welcome.when), "regrant": welcome.regrant}));
    let Cycle::RollingDays(days) = programme.cycle else { panic!("scenarios have rolling cycles") };
    json!({
        "id": "drawn",
        "name": "Drawn",
        "earning": {
            "vnd_per_point": format!("{}/{}", earning.rate.denominator, earning.rate.numerator),
            "mechanism": if by_tier { "by_tier" } else { "fixed" },
            "multiplier_mode": "absolute",
            "tier_multiplier": match earning.tier_multiplier {
                TierMultiplier::RedeemableOnly => "none",
                TierMultiplier::Both => "same",
            },
            "basis": snake_case(earning.basis),
            "earn_when": snake_case(earning.earn_when),
            "round": snake_case(earning.round),
            "round_stage": snake_case(earning.round_stage),
        },
        "reversal": {
            "reverse_requires_paid": reversal.requires_paid,
            "refund": snake_case(reversal.refund),
            "negative_balance": negative_balance,
            "reverse_expired": reversal.reverse_expired,
            "late_reversal_tier": if reversal.late_debits_current { "debit_current" } else { "ignore" },
            "reversal_demotes": snake_case(programme.reversal_demotes),
            "recredit_after_cancel": !reversal.no_recredit_after_cancel,
        },
        "welcome": welcome.unwrap_or(json!({"points": 0})),
        "expiry": match programme.expiry {
            ExpiryRule::Never => json!({"model": "never"}),
            ExpiryRule::Quarters { quarters } => json!({"model": "quarters", "quarters_to_live": quarters}),
            ExpiryRule::QuarterParts { percent } => json!({"model": "quarters", "percent": percent}),
            ExpiryRule::Months { months, round_to } => {
                json!({"model": "months", "months": months, "round_to": snake_case(round_to)})
            }
        },
        "cycle": {"model": "rolling_days", "days": days},
        "tiers": tiers.collect::<Vec<_>>(),
    })
}

fn fraction(ratio: Ratio) -> String {
    format!("{}/{}", ratio.numerator, ratio.denominator)
}

/// What the door puts on the queue for a snapshot.
pub fn body(snapshot: &OrderSnapshot) -> String {
    let OrderSnapshot { order_id, facts, member_id, .. } = snapshot;
    let order = CanonicalOrder {
        source: Source::Standard,
        order_id: order_id.as_str().strip_prefix("standard:").expect("an order of the standard source").to_owned(),
        placed_at: facts.placed_at,
        updated_at: facts.updated_at,
        status: facts.status,
        payment_status: facts.payment,
        currency: facts.currency,
        due_minor: facts.due_minor,
        shipping_minor: facts.shipping_minor,
        refunded_minor: facts.refunded_minor,
        refunded_lines_minor: facts.refunded_lines_minor,
        items_minor: facts.items_minor,
        items: Vec::new(),
        paid_with_points_minor: 0,
        paid_with_wallet_minor: 0,
        customer: Customer { phone: member_id.as_ref().map(phone_of), ..Customer::default() },
        discount_codes: Vec::new(),
        store: None,
    };
    serde_json::to_string(&QueueMessage::Order { order: Box::new(order) }).expect("a message is JSON")
}

fn phone_of(member_id: &MemberId) -> Phone {
    let number = (0..=HOSTILE).find(|number| member(*number) == *member_id).expect("a member of the scenario");
    Phone::try_from(format!("8490000000{number}")).expect("a phone")
}

/// Messages as Lambda hands them over.
pub fn batch<'a>(messages: impl Iterator<Item = (&'a str, &'a str, Instant)>) -> SqsEvent {
    let mut batch = SqsEvent::default();
    batch.records = messages
        .map(|(id, body, sent)| {
            let mut message = SqsMessage::default();
            message.message_id = Some(id.to_owned());
            message.body = Some(body.to_owned());
            message.attributes.insert("SentTimestamp".to_owned(), sent.timestamp_millis().to_string());
            message
        })
        .collect();
    batch
}

/// The books under the scenario's names.
pub struct Reader {
    books: Books,
    /// The scenario's member by the function's.
    members: HashMap<MemberId, MemberId>,
}

impl Reader {
    pub fn new(engine: &Engine) -> Self {
        let key = key();
        let named = |number| (key.by_phone(&phone_of(&member(number))), member(number));
        Self { books: engine.books(), members: (0..=HOSTILE).map(named).collect() }
    }

    /// All members of a scenario that have a row.
    pub async fn members(&self) -> Result<BTreeMap<MemberId, Stored<Member>>, StoreError> {
        let mut members = BTreeMap::new();
        for number in 0..HOSTILE {
            if let Some(stored) = self.member(&member(number)).await? {
                members.insert(member(number), stored);
            }
        }
        Ok(members)
    }

    pub async fn member(&self, named: &MemberId) -> Result<Option<Stored<Member>>, StoreError> {
        let stored = self.books.member(self.hashed(named), Consistency::Strong).await?;
        Ok(stored.map(|mut stored| {
            let known = &mut stored.row.profile.phone;
            if known.as_ref().is_some_and(|known| *known == phone_of(named).digits()) {
                *known = Some(phone(named));
            }
            stored.row.member_id = named.clone();
            stored
        }))
    }

    pub async fn order(&self, order_id: &OrderId) -> Result<Option<Stored<Order>>, StoreError> {
        let mut stored = self.books.order(order_id, Consistency::Strong).await?;
        if let Some(owner) = stored.as_mut().and_then(|stored| stored.row.owner.as_mut()) {
            owner.member_id = self.named(&owner.member_id);
        }
        Ok(stored)
    }

    pub async fn history(&self, named: &MemberId) -> Result<Vec<Entry>, StoreError> {
        let mut entries = self.books.whole_history(self.hashed(named)).await?;
        entries.iter_mut().for_each(|entry| entry.member_id = self.named(&entry.member_id));
        Ok(entries)
    }

    fn named(&self, hashed: &MemberId) -> MemberId {
        self.members.get(hashed).unwrap_or(hashed).clone()
    }

    fn hashed(&self, named: &MemberId) -> &MemberId {
        let found = self.members.iter().find(|(_, scenarios)| *scenarios == named);
        found.map(|(hashed, _)| hashed).expect("a member of the scenario")
    }
}
