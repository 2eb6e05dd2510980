//! Plays scenarios in process: the webhook reader and the domain, the books in memory.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, TimeZone, Utc, Weekday};
use loyalty_contract::events::ParticipationWord;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::Source;
use loyalty_contract::webhook::{self, settings::SourceSettings};
use loyalty_domain::campaign::{Participation, enrol};
use loyalty_domain::daily::run_day;
use loyalty_domain::decision::{Decision, Verdict};
use loyalty_domain::ids::{MemberId, OrderId, RuleId};
use loyalty_domain::ledger::{Entry, EntryKind};
use loyalty_domain::member::Member;
use loyalty_domain::order::{Order, OrderSnapshot};
use loyalty_domain::reconcile::{OrderRows, member_of, reconcile_order};
use loyalty_domain::redeem::{Redemption, redeem};
use loyalty_domain::request::Asked;
use loyalty_domain::standing::next_of_member;
use loyalty_domain::topup::top_up;

use super::{Movement, Player, Standing};

/// The books in memory.
pub struct InProcess {
    programme: ProgrammeFile,
    key: MemberKey,
    members: BTreeMap<MemberId, Member>,
    orders: BTreeMap<OrderId, Order>,
    history: BTreeMap<MemberId, Vec<Entry>>,
    participations: BTreeMap<(RuleId, MemberId), Participation>,
    /// Names of the vouchers given.
    vouchers: Vec<(MemberId, String)>,
    /// Until when the schedules have run.
    now: DateTime<Utc>,
}

/// Monday of the weekly campaign, and the daily run, as the template has them.
const WEEKLY: &str = "08:00:00";
const DAILY: &str = "00:05:00";

impl InProcess {
    fn member(&self, phone: &str) -> Option<&Member> {
        self.members.get(&self.key.by_phone(&normalise(phone).expect("a phone")))
    }

    /// Runs every schedule that is due until an instant, in order.
    fn pass(&mut self, now: DateTime<Utc>) {
        let zone = self.programme.at(now).programme.zone;
        let mut day = self.now.with_timezone(&zone).date_naive();
        let last = now.with_timezone(&zone).date_naive();
        while day <= last {
            for (time, weekly) in [(DAILY, false), (WEEKLY, true)] {
                let local = day.and_time(time.parse().expect("a time"));
                let due = zone.from_local_datetime(&local).unwrap().to_utc();
                let fires = !weekly || day.weekday() == Weekday::Mon;
                if fires && due > self.now && due <= now {
                    let members: Vec<MemberId> = self.members.keys().cloned().collect();
                    members.into_iter().for_each(|member_id| self.run(&member_id, weekly, due));
                }
            }
            day = day.succ_opt().expect("the calendar goes on");
        }
        self.now = self.now.max(now);
    }

    fn run(&mut self, member_id: &MemberId, weekly: bool, due: DateTime<Utc>) {
        let programme = self.programme.at(due).programme.clone();
        if !weekly {
            let day = run_day(&programme, self.members[member_id].clone(), due).expect("nothing is refused here");
            return self.write(day.decision);
        }
        for campaign in &programme.campaigns {
            let member = self.members[member_id].clone();
            let known = self.participations.get(&(campaign.id.clone(), member_id.clone())).cloned();
            let enrolment = enrol(&programme, campaign, member, known, 0, due).expect("nothing is refused here");
            self.write(enrolment.decision);
        }
    }

    fn decide(&mut self, snapshot: OrderSnapshot, now: DateTime<Utc>) {
        let order = self.orders.get(&snapshot.order_id).cloned();
        let member = member_of(order.as_ref(), &snapshot).and_then(|id| self.members.get(id)).cloned();
        let mut rows = OrderRows { order, member, ..OrderRows::default() };
        let programme = &self.programme.at(now).programme;
        let decision = loop {
            match reconcile_order(programme, rows.clone(), snapshot.clone(), now).expect("nothing is refused here") {
                Verdict::Decided(decision) => break decision,
                Verdict::NeedsMember(id) => rows.left_member = self.members.get(&id).cloned(),
                Verdict::NeedsVouchers { .. } => rows.vouchers = Some(Vec::new()),
                Verdict::NeedsParticipations(id, campaigns) => {
                    let of = |campaign: &RuleId| self.participations.get(&(campaign.clone(), id.clone())).cloned();
                    rows.participations = Some(campaigns.iter().filter_map(of).collect());
                }
                Verdict::NeedsHistory(id) => rows.history = self.history.get(&id).map(Vec::as_slice),
            }
        };
        self.write(decision);
    }

    fn write(&mut self, decision: Decision) {
        for member in decision.member.into_iter().chain(decision.left_member) {
            self.members.insert(member.member_id.clone(), member);
        }
        if let Some(order) = decision.order {
            self.orders.insert(order.order_id.clone(), order);
        }
        for participation in decision.participations {
            let key = (participation.campaign.clone(), participation.member_id.clone());
            self.participations.insert(key, participation);
        }
        let given = decision.grants.into_iter().map(|grant| (grant.member_id, grant.offer.name));
        self.vouchers.extend(given);
        for entry in decision.entries {
            self.history.entry(entry.member_id.clone()).or_default().push(entry);
        }
    }
}

impl Player for InProcess {
    async fn start(programme: &str, now: DateTime<Utc>) -> Self {
        Self {
            programme: ProgrammeFile::parse(programme).expect("a programme without problems"),
            key: MemberKey::new("a key of thirty-two bytes and more").expect("long enough"),
            members: BTreeMap::new(),
            orders: BTreeMap::new(),
            history: BTreeMap::new(),
            participations: BTreeMap::new(),
            vouchers: Vec::new(),
            now,
        }
    }

    async fn deliver(&mut self, _webhook_id: &str, body: &str, now: DateTime<Utc>) {
        self.pass(now);
        let settings = SourceSettings::default();
        let delivery = webhook::parse(Source::Standard, None, body.as_bytes(), &settings, now).expect("a good body");
        for order in delivery.orders {
            let snapshot = order.into_snapshot(&self.key);
            self.decide(snapshot, now);
        }
    }

    async fn offer(&mut self, _webhook_id: &str, body: &str, now: DateTime<Utc>) -> bool {
        webhook::parse(Source::Standard, None, body.as_bytes(), &SourceSettings::default(), now).is_ok()
    }

    async fn spend(&mut self, phone: &str, points: i64, now: DateTime<Utc>) -> bool {
        self.pass(now);
        let member = self.member(phone).expect("a member").clone();
        let asked = asked(&member, now);
        let redemption = Redemption { asked, reward: None, points: Some(points), order_minor: None, hold: false };
        let redeemed = redeem(&self.programme.at(now).programme, member, None, redemption, now);
        redeemed.map(|(_, decision)| self.write(decision)).is_ok()
    }

    async fn top_up(&mut self, phone: &str, amount: i64, now: DateTime<Utc>) {
        self.pass(now);
        let member = self.member(phone).expect("a member").clone();
        let asked = asked(&member, now);
        let topped = top_up(&self.programme.at(now).programme, member, None, asked, amount, now);
        self.write(topped.expect("nothing is refused here").1);
    }

    async fn vouchers(&mut self, phone: &str, now: DateTime<Utc>) -> Vec<String> {
        self.pass(now);
        let member = self.member(phone).map(|member| member.member_id.clone());
        let given = self.vouchers.iter().filter(|(owner, _)| Some(owner) == member.as_ref());
        given.map(|(_, name)| name.clone()).collect()
    }

    async fn standing(&mut self, phone: &str, now: DateTime<Utc>) -> Option<Standing> {
        self.pass(now);
        let programme = &self.programme.at(now).programme;
        let member = self.member(phone)?;
        let participations = self.participations.values().filter(|row| row.member_id == member.member_id);
        let next = next_of_member(programme, member);
        Some(Standing {
            redeemable: member.redeemable_points(),
            qualifying: member.balance.qualifying.0,
            pending: member.pending_points,
            tier: programme.tiers.get(&member.tier)?.name.clone(),
            orders: member.orders_count,
            spent: member.spent_minor,
            next: next
                .map(|next| (next.tier.name.clone(), next.missing.points, next.spend_needed_minor.expect("in range"))),
            participations: participations.map(part).collect(),
            wallet: member.wallet_minor,
        })
    }

    async fn history(&mut self, phone: &str, now: DateTime<Utc>) -> Vec<Movement> {
        self.pass(now);
        let entries = self.member(phone).and_then(|member| self.history.get(&member.member_id));
        entries.into_iter().flatten().map(movement).collect()
    }

    async fn end(self) {}
}

/// A command of a member, made at an instant.
fn asked(member: &Member, now: DateTime<Utc>) -> Asked {
    let request_id = format!("{}/{}", member.member_id, now.timestamp());
    Asked { request_id: request_id.as_str().into(), fingerprint: String::new() }
}

fn part(participation: &Participation) -> (String, i64, i64, String) {
    let state = ParticipationWord::from(participation.state).word();
    let (used, granted) = (i64::from(participation.used()), i64::from(participation.granted));
    (participation.campaign.to_string(), used, granted, state.to_owned())
}

fn movement(entry: &Entry) -> Movement {
    let kind = match entry.kind {
        EntryKind::Accrual => "accrual",
        EntryKind::Bonus => "bonus",
        EntryKind::Welcome => "welcome",
        EntryKind::Behaviour => "behaviour",
        EntryKind::Reversal => "reversal",
        EntryKind::Redemption => "redemption",
        EntryKind::Restoration => "restoration",
        EntryKind::Expiration => "expiration",
        EntryKind::Reset => "reset",
        EntryKind::Adjustment => "adjustment",
        EntryKind::Topup => "topup",
        EntryKind::Payment => "payment",
        EntryKind::Tier => "tier",
        EntryKind::Opening => "opening",
        EntryKind::MergeIn => "merge_in",
        EntryKind::MergeOut => "merge_out",
    };
    Movement {
        kind: kind.to_owned(),
        redeemable: entry.legs.redeemable.0,
        qualifying: entry.legs.qualifying.0,
        order_id: entry.order_id.as_ref().map(ToString::to_string),
        rule: entry.rule.to_string(),
        programme_version: entry.programme_version.to_string(),
    }
}
