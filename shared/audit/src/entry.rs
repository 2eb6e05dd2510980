//! Reads one entry of the history and proves what it says of itself: each kind moves what its kind moves, for a reason of
//! its kind.

use chrono::{DateTime, NaiveDate, Utc};

use crate::Row;
use crate::facts::Facts;
use crate::fields::{
    Legs, Lot, Read, count, day, instant, legs, legs_if_any, legs_of, list, lots, map, map_if_any, number, text,
    text_if_any,
};
use crate::imported::Imported;
use crate::item_rules;
use crate::merges::{self, Note};
use crate::opening::Opened;
use crate::participations::{Noted, State};
use crate::terms::Terms;
use crate::value::Value;

/// What kind of movement an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Accrual,
    Bonus,
    Welcome,
    Behaviour,
    Reversal,
    Redemption,
    Restoration,
    Expiration,
    Reset,
    Adjustment,
    Topup,
    Payment,
    /// The tier changed, and nothing else.
    Tier,
    /// Where a member stood before these books.
    Opening,
    /// Another member joined this one.
    MergeIn,
    /// The member joined another one.
    MergeOut,
}

/// One row of the history, read.
pub(crate) struct Entry<'a> {
    pub member_id: &'a str,
    pub seq: u64,
    pub kind: Kind,
    pub reason: &'a str,
    pub legs: Legs,
    pub balance_after: Legs,
    pub lots: Vec<Lot>,
    pub written_off: Legs,
    pub tier_before: &'a str,
    pub tier_after: &'a str,
    pub rule: &'a str,
    pub order_id: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub reverses: Option<u64>,
    pub wallet: Option<Wallet>,
    pub opened: Option<Opened>,
    pub merge: Option<Note>,
    pub notes: Vec<(&'a str, Noted)>,
    pub explained: Option<Explained<'a>>,
    pub occurred_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    has_operator: bool,
}

/// How the wallet moved, and what it then held: minor units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wallet {
    pub moved_minor: i128,
    pub after_minor: i128,
}

/// The figures an order's entry was computed from.
pub(crate) struct Explained<'a> {
    pub terms: Terms<'a>,
    pub facts: Facts<'a>,
    /// What the items cost that each rule of the terms is about.
    pub matched: Vec<i128>,
    pub deserves: Legs,
    /// What an opening holds for the order.
    pub imported: Option<Imported>,
    /// The cycle that its qualifying points are of (X21).
    pub cycle_start: NaiveDate,
}

impl<'a> Entry<'a> {
    pub fn read(row: &'a Row) -> Read<Self> {
        let kind = kind(text(row, "kind")?)?;
        let order_id = text_if_any(row, "order_id")?;
        let of_an_order = matches!(kind, Kind::Accrual | Kind::Bonus)
            || (matches!(kind, Kind::Reversal | Kind::Welcome) && order_id.is_some());
        let explained = if of_an_order || row.contains_key("terms") { Some(Explained::read(row)?) } else { None };
        if explained.is_some() != order_id.is_some() && !matches!(kind, Kind::Tier | Kind::Payment) {
            return Err("`order_id`, `terms` and `facts` go together".to_owned());
        }
        let note = map_if_any(row, "note")?;
        if let Some(note) = note {
            text(note, "operator")?;
            text(note, "text")?;
            if note.contains_key("subject") {
                text(note, "subject")?;
            }
        }
        text(row, "programme_version")?;
        let recorded_at = instant(row, "recorded_at")?;
        Ok(Self {
            member_id: text(row, "member_id")?,
            seq: u64::try_from(count(row, "seq", 1)?).map_err(|_| "`seq` does not fit".to_owned())?,
            kind,
            reason: text(row, "reason")?,
            legs: legs_of(row)?,
            balance_after: legs(row, "balance_after")?,
            lots: lots(row, "lots")?,
            written_off: legs_if_any(row, "written_off")?.unwrap_or_default(),
            tier_before: text(row, "tier_before")?,
            tier_after: text(row, "tier_after")?,
            rule: text(row, "rule")?,
            order_id,
            request_id: text_if_any(row, "request_id")?,
            reverses: match row.get("reverses") {
                None => None,
                Some(_) => u64::try_from(number(row, "reverses")?).ok(),
            },
            wallet: map_if_any(row, "wallet")?.map(Wallet::read).transpose()?,
            opened: map_if_any(row, "opened")?.map(|opened| Opened::read(opened, recorded_at)).transpose()?,
            merge: map_if_any(row, "merge")?.map(Note::read).transpose()?,
            notes: notes(row)?,
            explained,
            occurred_at: instant(row, "occurred_at")?,
            recorded_at,
            has_operator: note.is_some(),
        })
    }

    /// It was posted because a day had come, not because somebody asked: it counts from that day on, however late it was
    /// posted.
    pub fn fell_due(&self) -> bool {
        matches!(self.kind, Kind::Reset | Kind::Expiration) || self.lapsed() || self.raised_by_time()
    }

    /// A redemption that was not confirmed in time.
    pub fn lapsed(&self) -> bool {
        self.kind == Kind::Restoration && self.reason == LAPSED
    }

    /// A tier that nobody did anything for when it was reached (T7, T18).
    fn raised_by_time(&self) -> bool {
        self.kind == Kind::Tier && BY_TIME.contains(&self.rule)
    }

    /// It takes back what an order had brought: points, or a tier by rules.
    pub fn takes_back(&self) -> bool {
        self.kind == Kind::Reversal || self.reason == TIER_UNDONE
    }

    /// From when on it counts.
    pub fn counts_from(&self) -> DateTime<Utc> {
        if self.fell_due() { self.occurred_at } else { self.recorded_at }
    }

    /// Each kind moves points one way, and only some kinds may move none.
    pub fn prove(&self, wrong: &mut Vec<String>) {
        let (legs, written_off) = (self.legs, self.written_off);
        let right = match self.kind {
            Kind::Accrual | Kind::Bonus | Kind::Behaviour => !legs.any_below_zero(),
            Kind::Welcome | Kind::Restoration => legs.redeemable >= 0 && legs.qualifying == 0,
            Kind::Reversal => !legs.any_above_zero(),
            Kind::Redemption | Kind::Expiration => legs.redeemable < 0 && legs.qualifying == 0,
            Kind::Reset => legs.redeemable <= 0 && self.balance_after.qualifying == 0,
            Kind::Adjustment => legs.any_below_zero() != legs.any_above_zero(),
            Kind::Topup | Kind::Payment | Kind::Tier => legs == Legs::ZERO,
            Kind::Opening => legs.qualifying >= 0,
            Kind::MergeIn | Kind::MergeOut => true,
        };
        if !right {
            wrong.push(format!("moves {legs}, which its kind does not"));
        }
        // Only a reversal writes anything off, and only what an order gets uses that up again.
        let right = match self.kind {
            Kind::Reversal => !written_off.any_below_zero(),
            Kind::Accrual | Kind::Bonus | Kind::Welcome => !written_off.any_above_zero(),
            _ => written_off == Legs::ZERO,
        };
        if !right {
            wrong.push(format!("writes off {written_off}, which its kind does not"));
        }
        // A review that decides about a tier says so even where no point is left to take (T9, T10).
        let moves_more = matches!(
            self.kind,
            Kind::Topup | Kind::Payment | Kind::Tier | Kind::Opening | Kind::MergeIn | Kind::MergeOut
        );
        let may_be_empty = moves_more || (self.kind == Kind::Reset && self.reason != CYCLE_ENDED);
        if legs == Legs::ZERO && written_off == Legs::ZERO && !may_be_empty {
            wrong.push("moves nothing".to_owned());
        }
        self.prove_reason(wrong);
        self.prove_origin(wrong);
        Opened::prove(self, wrong);
        merges::prove(self, wrong);
    }

    fn prove_reason(&self, wrong: &mut Vec<String>) {
        if !reasons(self.kind).contains(&self.reason) {
            wrong.push(format!("has the reason {:?}, which its kind does not", self.reason));
        }
        let moves_tier = self.tier_before != self.tier_after;
        if self.kind == Kind::Reset && self.reason != "tier_missed" && moves_tier {
            wrong.push("loses a tier that its reason keeps".to_owned());
        }
        if self.kind == Kind::Tier && !moves_tier {
            wrong.push("changes no tier".to_owned());
        }
        if self.raised_by_time() && (self.reason != "tier_reached" || self.order_id.is_some()) {
            wrong.push("has a cause beside the time at which it fell due".to_owned());
        }
    }

    /// What somebody asked for names the request; what an operator did names them; money moves by top-ups and by orders (B2).
    fn prove_origin(&self, wrong: &mut Vec<String>) {
        let asked = self.kind.is_asked_for() || self.kind == Kind::Restoration;
        if self.request_id.is_some() != asked {
            wrong.push("names a request where none asked, or none where one did".to_owned());
        }
        if self.has_operator != (self.kind == Kind::Adjustment) {
            wrong.push("an adjustment, and nothing else, says who did it and why".to_owned());
        }
        match (self.kind, self.wallet) {
            (Kind::Topup | Kind::Opening, Some(wallet)) if wallet.moved_minor > 0 => {}
            (Kind::MergeIn | Kind::MergeOut, Some(wallet)) if wallet.moved_minor != 0 => {}
            (Kind::Topup, _) => wrong.push("tops nothing up".to_owned()),
            (Kind::Payment, Some(wallet)) if self.order_id.is_some() => {
                let spent = self.reason == "wallet_spent";
                if wallet.moved_minor == 0 || spent != (wallet.moved_minor < 0) {
                    wrong.push("moves the wallet another way than its reason says".to_owned());
                }
            }
            (Kind::Payment, _) => wrong.push("pays nothing".to_owned()),
            (_, Some(_)) => wrong.push("moves the wallet, which its kind does not".to_owned()),
            (_, None) => {}
        }
        if self.kind == Kind::Redemption && self.balance_after.redeemable < 0 {
            wrong.push("spends points that were not there".to_owned());
        }
    }
}

impl Kind {
    /// A command asked for it, and its row of `requests` says what became of it.
    pub fn is_asked_for(self) -> bool {
        matches!(
            self,
            Self::Redemption | Self::Adjustment | Self::Behaviour | Self::Topup | Self::Opening | Self::MergeIn
        )
    }
}

impl Wallet {
    fn read(row: &Row) -> Read<Self> {
        Ok(Self { moved_minor: number(row, "moved_minor")?, after_minor: number(row, "after_minor")? })
    }
}

impl<'a> Explained<'a> {
    fn read(row: &'a Row) -> Read<Self> {
        let terms = Terms::read(map(row, "terms")?)?;
        let cycle_start = if row.contains_key("cycle_start") { day(row, "cycle_start")? } else { terms.cycle_start };
        Ok(Self {
            terms,
            cycle_start,
            facts: Facts::read(map(row, "facts")?)?,
            matched: item_rules::matched(row)?,
            deserves: legs(row, "deserves")?,
            imported: map_if_any(row, "imported")?.map(Imported::read).transpose()?,
        })
    }
}

fn notes(row: &Row) -> Read<Vec<(&str, Noted)>> {
    list(row, "participations")?.iter().map(note).collect()
}

fn note(value: &Value) -> Read<(&str, Noted)> {
    let Value::M(note) = value else { return Err("`participations` is not a list of notes".to_owned()) };
    let (granted, used) = (count(note, "granted", 1)?, count(note, "used", 0)?);
    Ok((text(note, "campaign")?, Noted { granted, used, state: State::read(text(note, "state")?)? }))
}

/// The membership was long enough, or a version of the programme asks less.
const BY_TIME: [&str; 2] = ["tier-membership", "tier-programme"];
const LAPSED: &str = "hold_lapsed";
const CYCLE_ENDED: &str = "cycle_ended";
const TIER_UNDONE: &str = "tier_undone";

fn reasons(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Accrual => &["order_earned", "order_earned_again", "order_amount_raised"],
        Kind::Bonus => &["campaign_bonus", "order_earned_again", "order_amount_raised"],
        Kind::Welcome => &["welcome_points"],
        Kind::Behaviour => &["behaviour_rewarded"],
        Kind::Reversal => &[
            "order_cancelled",
            "order_returned",
            "order_refunded",
            "order_partly_returned",
            "order_amount_lowered",
            "order_no_longer_earns",
            "first_order_undone",
        ],
        Kind::Redemption => &["points_spent"],
        Kind::Restoration => &["redemption_undone", LAPSED],
        Kind::Expiration => &["points_expired"],
        Kind::Reset => &["tier_kept", "tier_missed", CYCLE_ENDED],
        Kind::Adjustment => &["adjusted_by_operator"],
        Kind::Topup => &["wallet_topped_up"],
        Kind::Payment => &["wallet_spent", "wallet_returned"],
        Kind::Tier => &["tier_reached", TIER_UNDONE, "tier_told"],
        Kind::Opening => &["opening_balance"],
        Kind::MergeIn | Kind::MergeOut => &["members_merged"],
    }
}

fn kind(word: &str) -> Read<Kind> {
    Ok(match word {
        "accrual" => Kind::Accrual,
        "bonus" => Kind::Bonus,
        "welcome" => Kind::Welcome,
        "behaviour" => Kind::Behaviour,
        "reversal" => Kind::Reversal,
        "redemption" => Kind::Redemption,
        "restoration" => Kind::Restoration,
        "expiration" => Kind::Expiration,
        "reset" => Kind::Reset,
        "adjustment" => Kind::Adjustment,
        "topup" => Kind::Topup,
        "payment" => Kind::Payment,
        "tier" => Kind::Tier,
        "opening" => Kind::Opening,
        "merge_in" => Kind::MergeIn,
        "merge_out" => Kind::MergeOut,
        _ => return Err(format!("`kind` is {word:?}")),
    })
}
