//! One shop for all tests: 10.000đ is one point, silver from 200 points, points live 12 months.

use std::sync::Arc;

use loyalty_audit::{Audit, Report, Table, Value};
use loyalty_domain::decision::Outcome;
use loyalty_domain::ids::MemberId;
use loyalty_domain::member::{Member, Profile};
use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderFacts, OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_domain::points::Ratio;
use loyalty_domain::programme::{Programme, Tier, Tiers, Welcome, WelcomeWhen};
use loyalty_domain::time::Instant;
use loyalty_store::engine::{Call, Engine, Fault};
use loyalty_store::{Applied, Books, Consistency, Consumed, OrderEvent, StoreError};

pub const AN: &str = "m_an";
pub const BINH: &str = "m_binh";

/// So many seconds after the shop opened.
pub fn at(seconds: i64) -> Instant {
    "2026-11-23T01:00:00Z".parse::<Instant>().unwrap() + chrono::TimeDelta::seconds(seconds)
}

pub fn programme() -> Programme {
    let tier = |id: &str, name: &str, threshold| Tier::new(id.into(), name, threshold, Ratio::ONE);
    let tiers = Tiers::new(vec![tier("member", "Member", 0), tier("silver", "Silver", 200)]).unwrap();
    let rate = Ratio::new(1, 10_000).unwrap();
    let version = "cnv-retail@0123456789abcdef".into();
    Programme::new(version, Currency::VND, chrono_tz::Asia::Ho_Chi_Minh, rate, tiers)
}

pub fn with_welcome() -> Programme {
    Programme { welcome: Some(Welcome { points: 100, when: WelcomeWhen::Immediate, regrant: false }), ..programme() }
}

/// A delivered and paid order of 500.000đ, 50 points, by An, at its first version.
pub fn order(id: &str) -> OrderSnapshot {
    OrderSnapshot {
        order_id: format!("standard:{id}").as_str().into(),
        facts: OrderFacts {
            updated_at: at(0),
            status: OrderStatus::Delivered,
            payment: PaymentStatus::Paid,
            refunded_minor: 0,
            refunded_lines_minor: None,
            due_minor: 530_000,
            shipping_minor: 30_000,
            items_minor: None,
            currency: Currency::VND,
            placed_at: at(-60),
            wallet_minor: 0,
        },
        member_id: Some(AN.into()),
        items: Vec::new(),
        vouchers: Vec::new(),
        again: false,
        profile: Profile {
            name: Some("Nguyễn Văn An".to_owned()),
            phone: Some("84901234567".to_owned()),
            ..Profile::default()
        },
    }
}

/// The same at a later version, in another state.
pub fn version(id: &str, seconds: i64, status: OrderStatus) -> OrderSnapshot {
    let mut snapshot = order(id);
    snapshot.facts.updated_at = at(seconds);
    snapshot.facts.status = status;
    snapshot
}

pub struct Shop {
    pub engine: Engine,
    pub books: Books,
    pub programme: Arc<Programme>,
}

impl Shop {
    pub fn new(programme: Programme) -> Self {
        Self::over(crate::second_engine::chosen(), programme)
    }

    pub fn over(engine: Engine, programme: Programme) -> Self {
        Self { books: engine.books(), engine, programme: Arc::new(programme) }
    }

    /// Applies snapshots as one batch, each decided at its own version.
    pub async fn apply(&self, snapshots: Vec<OrderSnapshot>) -> Vec<Result<Applied, StoreError>> {
        self.apply_with(&self.books, snapshots).await
    }

    /// The same, by another handler.
    pub async fn apply_with(&self, books: &Books, snapshots: Vec<OrderSnapshot>) -> Vec<Result<Applied, StoreError>> {
        let event = |snapshot: OrderSnapshot| OrderEvent { now: snapshot.facts.updated_at, snapshot };
        books.apply_orders(|_| self.programme.clone(), snapshots.into_iter().map(event).collect()).await
    }

    /// Applies one snapshot, which must go through.
    pub async fn one(&self, snapshot: OrderSnapshot) -> Outcome {
        self.apply(vec![snapshot]).await.remove(0).expect("it goes through").outcome
    }

    /// What applying a batch, all of which must go through, consumes.
    pub async fn cost(&self, snapshots: Vec<OrderSnapshot>) -> Consumed {
        let before = self.books.consumed();
        for result in self.apply(snapshots).await {
            result.expect("it goes through");
        }
        self.books.consumed() - before
    }

    pub async fn member(&self, member_id: &str) -> Member {
        let stored = self.books.member(&MemberId::from(member_id), Consistency::Strong).await.unwrap();
        stored.expect("a member").row
    }

    pub async fn check_balance(&self, member_id: &str, points: i64) {
        let member = self.member(member_id).await;
        assert_eq!((member.balance.redeemable.0, member.balance.qualifying.0), (points, points));
        let history = self.books.whole_history(&MemberId::from(member_id)).await.unwrap();
        let sum: i64 = history.iter().map(|entry| entry.legs.redeemable.0).sum();
        assert_eq!(sum, points, "the entries add up to the balance");
        let seqs: Vec<_> = history.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=member.last_seq).collect::<Vec<_>>(), "seq has no gaps");
    }

    /// The `n`-th request of the kind, and only it, meets the fault.
    pub fn nth(&self, operation: &'static str, n: usize, fault: Fault) {
        let mut seen = 0;
        self.engine.inject(move |call: &Call<'_>| {
            if call.operation != operation {
                return Fault::None;
            }
            seen += 1;
            if seen == n { fault } else { Fault::None }
        });
    }

    /// Every request of the kind meets the fault.
    pub fn always(&self, operation: &'static str, fault: Fault) {
        self.engine.inject(move |call: &Call<'_>| if call.operation == operation { fault } else { Fault::None });
    }
}

/// What the verifier says of the rows, any of which may be changed first: then with the digest that they should have.
pub fn audit(shop: &Shop, change: impl Fn(Table, &mut serde_json::Value)) -> Report {
    let mut audit = Audit::new();
    let tables = [Table::Members, Table::PointsHistory, Table::Orders, Table::Participations, Table::Requests];
    for table in tables {
        let mut rows = shop.engine.rows(table.name());
        rows.sort_by_key(|row| row["seq"].as_u64());
        for mut row in rows {
            let before = row.clone();
            change(table, &mut row);
            let read = |row: serde_json::Value| Value::from(row).into_row().expect("a row");
            if row != before {
                row["digest"] = serde_json::json!(loyalty_audit::digest_of(&read(row.clone())));
            }
            audit.row(table, &read(row));
        }
    }
    audit.finish()
}

/// Nothing is wrong with the rows.
pub fn check(shop: &Shop) {
    let report = audit(shop, |_, _| {});
    assert!(report.clean(), "{:#?}", report.findings);
}
