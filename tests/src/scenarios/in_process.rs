//! Plays scenarios in process: the webhook reader and the domain, the books in memory.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, TimeZone, Utc, Weekday};
use loyalty_contract::events::{BusEvent, Direction, ParticipationWord, TierChanged, Why};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::Source;
use loyalty_contract::webhook::event::ShopEvent;
use loyalty_contract::webhook::{self, settings::SourceSettings};
use loyalty_domain::campaign::{Participation, enrol, gone_on};
use loyalty_domain::daily::run_day;
use loyalty_domain::decision::{Decision, Verdict};
use loyalty_domain::ids::{MemberId, OrderId, RuleId, TierId, VoucherId};
use loyalty_domain::ledger::{Entry, EntryKind};
use loyalty_domain::member::Member;
use loyalty_domain::order::{Order, OrderSnapshot};
use loyalty_domain::outside::{Told, follow};
use loyalty_domain::programme::{NotifyTier, Programme};
use loyalty_domain::reconcile::{OrderRows, member_of, reconcile_order};
use loyalty_domain::redeem::{Redemption, redeem};
use loyalty_domain::request::Asked;
use loyalty_domain::standing::next_of_member;
use loyalty_domain::topup::top_up;
use loyalty_domain::voucher::{Grant, Voucher, VoucherState};
use loyalty_domain::welcome::welcome;
use loyalty_messaging::{Message, invitation, messages_of, notice, tier_lowered, tier_reached, voucher_reminder};

use super::{Movement, Player, Standing};

/// The books in memory.
pub struct InProcess {
    programme: ProgrammeFile,
    key: MemberKey,
    members: BTreeMap<MemberId, Member>,
    orders: BTreeMap<OrderId, Order>,
    history: BTreeMap<MemberId, Vec<Entry>>,
    participations: BTreeMap<(RuleId, MemberId), Participation>,
    /// The vouchers given, by their grants.
    vouchers: BTreeMap<String, Voucher>,
    /// The messages written, by their ids.
    messages: BTreeMap<String, Message>,
    /// What a pause has kept.
    kept: Vec<String>,
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
        self.go_on(member_id, due);
        if !weekly {
            let day = run_day(&programme, self.members[member_id].clone(), due).expect("nothing is refused here");
            let told = day.decision.member.clone();
            let vouchers: Vec<Voucher> = day.decision.grants.iter().map(|grant| issued(grant.clone(), due)).collect();
            for about in &day.notices {
                let member = told.as_ref().expect("who is told something is written");
                let given = vouchers.iter().filter(|voucher| voucher.grant.valid_from == about.on);
                let given: Vec<Voucher> = given.cloned().collect();
                self.tell(notice(member, about, &given, &programme, due));
            }
            self.write(day.decision);
            return self.remind(&programme, member_id, due);
        }
        for campaign in &programme.campaigns {
            let member = self.members[member_id].clone();
            let known = self.participations.get(&(campaign.id.clone(), member_id.clone())).cloned();
            let active = known.clone();
            let enrolment = enrol(&programme, campaign, member, known, 0, due).expect("nothing is refused here");
            if let Some(invited) = enrolment.invitation {
                self.tell(invitation(&invited, &programme, due));
            }
            self.write(enrolment.decision.ending(&programme, active.as_slice()));
        }
    }

    /// Decides what waited for campaigns that have gone on, before anything else is about the member (X50).
    fn go_on(&mut self, member_id: &MemberId, now: DateTime<Utc>) {
        let Some(member) = self.members.get(member_id) else { return };
        for (campaign, at) in gone_on(&self.programme.at(now).programme, member, now) {
            for order_id in self.participations[&(campaign, member_id.clone())].waiting.clone() {
                let again = OrderSnapshot::again(&self.orders[&order_id]);
                self.decide(again, at);
            }
        }
    }

    /// The member of a phone, and what waited for them decided.
    fn taken_up(&mut self, phone: &str, now: DateTime<Utc>) -> Member {
        let member_id = self.member(phone).expect("a member").member_id.clone();
        self.go_on(&member_id, now);
        self.members[&member_id].clone()
    }

    fn tell(&mut self, message: Message) {
        self.messages.insert(message.message_id.clone(), message);
    }

    fn give(&mut self, grant: Grant, now: DateTime<Utc>) -> Voucher {
        let voucher = issued(grant, now);
        self.vouchers.entry(voucher.grant.grant_id.clone()).or_insert(voucher).clone()
    }

    /// What a new tier brings, and its message (S1).
    fn tier_changed(&mut self, programme: &Programme, changed: &TierChanged) {
        let upgrade = changed.direction == Direction::Upgrade;
        let tells = match programme.notices.tier_changed {
            NotifyTier::None => false,
            NotifyTier::Both => changed.reason != Why::TierMissed,
            NotifyTier::Upgrade => upgrade,
        };
        let (member_id, tier) = (MemberId::new(changed.member_id.as_str()), TierId::new(changed.tier_after.as_str()));
        let (reached, today) = (changed.held_since(), programme.day(changed.recorded_at));
        let grants = Grant::of_tier(programme, (&member_id, changed.seq), &tier, reached, today);
        let mut vouchers = Vec::new();
        for grant in grants.into_iter().filter(|_| upgrade) {
            let since = self.members[&member_id].cycle_start;
            if self
                .vouchers
                .values()
                .any(|voucher| voucher.grant.member_id == member_id && voucher.stands_for(&grant, since))
            {
                continue;
            }
            vouchers.push(self.give(grant, changed.recorded_at));
        }
        if changed.direction == Direction::Downgrade && !matches!(changed.reason, Why::TierMissed | Why::TierTold) {
            let held = &self.members[&member_id].tier;
            let theirs = self.vouchers.values_mut().filter(|voucher| voucher.grant.member_id == member_id);
            for voucher in theirs.filter(|voucher| voucher.is_above(&programme.tiers, held)) {
                *voucher = voucher.clone().voided().unwrap_or_else(|_| voucher.clone());
            }
        }
        if !tells {
            return;
        }
        let (member, before) = (self.members[&member_id].clone(), TierId::new(changed.tier_before.as_str()));
        self.tell(match changed.direction {
            Direction::Downgrade => tier_lowered(&member, changed.seq, &before, programme, changed.recorded_at),
            _ => tier_reached(&member, changed.seq, &vouchers, programme, changed.recorded_at),
        });
    }

    /// Reminds of vouchers that are still unused, where their tier is still held (X35).
    fn remind(&mut self, programme: &Programme, member_id: &MemberId, now: DateTime<Utc>) {
        let today = programme.day(now);
        let member = self.members[member_id].clone();
        let rank = |tier: &TierId| programme.tiers.rank(tier);
        let mut reminders = Vec::new();
        for voucher in self.vouchers.values_mut().filter(|voucher| voucher.grant.member_id == *member_id) {
            let due = voucher.grant.remind_on.is_some_and(|day| day <= today);
            if due && !voucher.reminded && voucher.state_on(today) == VoucherState::Issued {
                voucher.reminded = true;
                let held = voucher.grant.tier.as_ref().is_none_or(|asked| rank(&member.tier) >= rank(asked));
                reminders.extend(held.then(|| voucher_reminder(&member, voucher, programme, now)));
            }
        }
        reminders.into_iter().for_each(|message| self.tell(message));
    }

    fn decide(&mut self, snapshot: OrderSnapshot, now: DateTime<Utc>) {
        let owner = self.orders.get(&snapshot.order_id).and_then(|order| order.owner.clone());
        let concerned = snapshot.member_id.clone().into_iter().chain(owner.map(|owner| owner.member_id));
        concerned.filter(|_| !snapshot.again).for_each(|member_id| self.go_on(&member_id, now));
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
        for grant in decision.grants {
            self.give(grant, self.now);
        }
        let entries: Vec<&Entry> = decision.entries.iter().collect();
        let told = messages_of(&entries, |entry| &self.programme.at(entry.recorded_at).programme);
        let told: Vec<_> = told.map(|(_, message)| (message.message_id.clone(), message)).collect();
        self.messages.extend(told);
        let programmes = self.programme.clone();
        let tiers = |entry: &Entry| &programmes.at(entry.recorded_at).programme.tiers;
        for (_, event) in BusEvent::of_entries(&entries, tiers) {
            if let BusEvent::TierChanged(changed) = event {
                self.tier_changed(&programmes.at(changed.recorded_at).programme, &changed);
            }
        }
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
            vouchers: BTreeMap::new(),
            messages: BTreeMap::new(),
            kept: Vec::new(),
            now,
        }
    }

    async fn deliver(&mut self, _webhook_id: &str, body: &str, now: DateTime<Utc>) {
        self.pass(now);
        if self.programme.at(now).programme.paused {
            return self.kept.push(body.to_owned());
        }
        let settings = SourceSettings::default();
        let delivery = webhook::parse(Source::Standard, None, body.as_bytes(), &settings, now).expect("a good body");
        for order in delivery.orders {
            let snapshot = order.into_snapshot(&self.key);
            self.decide(snapshot, now);
        }
    }

    async fn take_up(&mut self, now: DateTime<Utc>) {
        assert!(!self.kept.is_empty(), "nothing was kept");
        for body in std::mem::take(&mut self.kept) {
            self.deliver("", &body, now).await;
        }
    }

    async fn offer(&mut self, _webhook_id: &str, body: &str, now: DateTime<Utc>) -> bool {
        self.pass(now);
        let settings = SourceSettings::default();
        let Ok(delivery) = webhook::parse(Source::Standard, None, body.as_bytes(), &settings, now) else {
            return false;
        };
        let programme = self.programme.at(now).programme.clone();
        match delivery.event {
            None => true,
            Some(event) if event.possible(&programme).is_err() => false,
            Some(ShopEvent::TierChanged { customer, tier, changed_at }) => {
                let member_id = customer.member_id(Source::Standard, &self.key).expect("somebody");
                self.go_on(&member_id, now);
                let known = self.members.get(&member_id).cloned();
                let member = known.or_else(|| Member::registered(&programme, member_id, now)).expect("tiers");
                let told = Told { tier, changed_at };
                self.write(follow(&programme, member, &told, now).expect("nothing is refused here"));
                true
            }
            Some(ShopEvent::Registered { customer, said_at }) => {
                let member_id = customer.member_id(Source::Standard, &self.key).expect("somebody");
                self.go_on(&member_id, now);
                let known = self.members.get(&member_id).cloned();
                let mut member = known.or_else(|| Member::registered(&programme, member_id, now)).expect("tiers");
                let entries = welcome(&programme, &mut member, said_at, now).expect("nothing is refused here");
                self.write(Decision::posted(member, entries));
                true
            }
            Some(event) => panic!("no scenario reports a {}", event.kind()),
        }
    }

    async fn spend(&mut self, phone: &str, points: i64, now: DateTime<Utc>) -> bool {
        self.pass(now);
        let member = self.taken_up(phone, now);
        let asked = asked(&member, now);
        let redemption = Redemption { asked, reward: None, points: Some(points), order_minor: None, hold: false };
        let redeemed = redeem(&self.programme.at(now).programme, member, None, redemption, now);
        redeemed.map(|(_, decision)| self.write(decision)).is_ok()
    }

    async fn top_up(&mut self, phone: &str, amount: i64, now: DateTime<Utc>) {
        self.pass(now);
        let member = self.taken_up(phone, now);
        let asked = asked(&member, now);
        let topped = top_up(&self.programme.at(now).programme, member, None, asked, amount, now);
        self.write(topped.expect("nothing is refused here").1);
    }

    async fn vouchers(&mut self, phone: &str, now: DateTime<Utc>) -> Vec<(String, String)> {
        self.pass(now);
        let today = self.programme.at(now).programme.day(now);
        let member = self.member(phone).map(|member| member.member_id.clone());
        let given = self.vouchers.values().filter(|voucher| Some(&voucher.grant.member_id) == member.as_ref());
        let shown = |voucher: &Voucher| {
            (voucher.grant.offer.name.clone(), format!("{:?}", voucher.state_on(today)).to_lowercase())
        };
        given.map(shown).collect()
    }

    async fn use_voucher(&mut self, phone: &str, name: &str, now: DateTime<Utc>) {
        self.pass(now);
        let member_id = self.member(phone).expect("a member").member_id.clone();
        let today = self.programme.at(now).programme.day(now);
        let mut vouchers = self.vouchers.values_mut();
        let fits = |voucher: &&mut Voucher| {
            let issued = voucher.state_on(today) == VoucherState::Issued;
            issued && voucher.grant.member_id == member_id && voucher.grant.offer.name == name
        };
        let voucher = vouchers.find(fits).expect("the voucher");
        *voucher = voucher.clone().used(None, None, today, now).expect("it can be used");
    }

    async fn told(&mut self, phone: &str, now: DateTime<Utc>) -> Vec<String> {
        self.pass(now);
        let member_id = &self.member(phone).expect("a member").member_id;
        let told = self.messages.values().filter(|message| message.member_id == *member_id);
        told.map(|message| message.template.name().to_owned()).collect()
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

/// A voucher that nobody has used yet.
fn issued(grant: Grant, issued_at: DateTime<Utc>) -> Voucher {
    Voucher {
        voucher_id: VoucherId::new(grant.grant_id.as_str()),
        code: grant.grant_id.clone(),
        grant,
        state: VoucherState::Issued,
        issued_at,
        used_at: None,
        used_for: None,
        reminded: false,
    }
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
