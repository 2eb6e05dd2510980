//! Whether a message may be sent now, later or never: kinds, consent, frequency and the hours of rest.
//!
//! What a message says was decided when its entry was posted; whether it still should reach anybody is decided when it
//! is sent, on what is true then (X36). Nothing here knows a provider's codes or templates.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike};

use crate::time::{Instant, Tz, day_in, plus_days, week_start};

/// What a message is to its reader, and so which tag its template has with the provider (N9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// Tag 1: confirms an order, a payment or the like. Which messages are, a programme says, as its templates were approved.
    Transactional,
    /// Tag 2: looks after points, tiers and benefits the member has.
    Care,
    /// Tag 3: invites to buy.
    Promotional,
}

impl MessageKind {
    pub const ALL: [Self; 3] = [Self::Transactional, Self::Care, Self::Promotional];

    /// The word in programme files and rows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Transactional => "transactional",
            Self::Care => "care",
            Self::Promotional => "promotional",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A way to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// A message of the official account to a follower.
    ZaloOa,
    /// A template to the phone number, whoever follows.
    ZaloPhone,
    /// The shop's own system, which takes it from there.
    Webhook,
}

impl Channel {
    pub const ALL: [Self; 3] = [Self::ZaloOa, Self::ZaloPhone, Self::Webhook];

    /// The word in programme files and rows.
    pub fn word(self) -> &'static str {
        match self {
            Self::ZaloOa => "zalo_oa",
            Self::ZaloPhone => "zalo_phone",
            Self::Webhook => "webhook",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.word() == word)
    }
}

/// What a shop chose about sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Nothing is sent; what is pending stays so until sending goes on (X50).
    pub paused: bool,
    /// Promotional messages of one member within one ISO week, Monday to Sunday in the programme's time zone.
    pub promotional_per_week: u32,
    /// The channels of each kind, tried in this order; a kind that is missing has [`Channel::ALL`].
    pub channels: BTreeMap<MessageKind, Vec<Channel>>,
    /// Templates by name that are of another kind than they usually are.
    pub kinds: BTreeMap<String, MessageKind>,
    /// Kinds that are sent once more when it is not known whether the first attempt arrived (F18).
    pub resend_unknown: BTreeSet<MessageKind>,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            paused: false,
            promotional_per_week: 3,
            channels: BTreeMap::new(),
            kinds: BTreeMap::new(),
            resend_unknown: BTreeSet::from([MessageKind::Transactional, MessageKind::Care]),
        }
    }
}

impl Sending {
    /// The kind of a template that usually is of `usual`.
    pub fn kind(&self, template: &str, usual: MessageKind) -> MessageKind {
        self.kinds.get(template).copied().unwrap_or(usual)
    }

    /// The channels of a kind, in their order.
    pub fn channels(&self, kind: MessageKind) -> &[Channel] {
        self.channels.get(&kind).map_or(&Channel::ALL, Vec::as_slice)
    }
}

/// What is known of a member's wishes, and of what they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// Kinds the member does not want.
    pub opted_out: BTreeSet<MessageKind>,
    /// The Monday of the week of the last promotional message, and how many there were in that week.
    pub promotional: Option<(NaiveDate, u32)>,
}

/// Whether a message goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// Not before this instant.
    Later(Instant),
    Never(Skip),
}

/// Why a message is not sent at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// The member does not want messages of this kind.
    OptedOut,
    /// The member had as many promotional messages this week as the programme allows.
    WeeklyLimit,
    /// The campaign is over for the member, or altogether (C4).
    CampaignStopped,
    /// The voucher is used, expired or void, or its tier is no longer held (X35).
    VoucherGone,
    /// The tier that was reached is no longer held: the order behind it was undone meanwhile (X19).
    TierGone,
    /// No channel leads to the member.
    NoChannel,
    /// There is no such member any more.
    NoMember,
}

impl Skip {
    /// The word on the message's row.
    pub fn word(self) -> &'static str {
        match self {
            Self::OptedOut => "opted_out",
            Self::WeeklyLimit => "weekly_limit",
            Self::CampaignStopped => "campaign_stopped",
            Self::VoucherGone => "voucher_gone",
            Self::TierGone => "tier_gone",
            Self::NoChannel => "no_channel",
            Self::NoMember => "no_member",
        }
    }
}

/// Promotional messages go out from this hour, inclusive, to [`REST_FROM_HOUR`], exclusive: 06:00:00 to 21:59:59.
pub const REST_UNTIL_HOUR: u32 = 6;
pub const REST_FROM_HOUR: u32 = 22;
/// Minutes after the end of the rest when what waited goes out.
const AFTER_REST_MINUTES: u32 = 5;

/// Decides about one message at the moment it would be sent. Wishes come before hours: what nobody wants never waits.
pub fn gate(sending: &Sending, zone: Tz, kind: MessageKind, consent: &Consent, now: Instant) -> Gate {
    if consent.opted_out.contains(&kind) {
        return Gate::Never(Skip::OptedOut);
    }
    if kind != MessageKind::Promotional {
        return Gate::Open;
    }
    if sent_this_week(zone, consent, now) >= sending.promotional_per_week {
        return Gate::Never(Skip::WeeklyLimit);
    }
    if at_rest(zone, now) { Gate::Later(next_morning(zone, now)) } else { Gate::Open }
}

/// The week of an instant, by its Monday, and how many promotional messages were sent in it, one more included.
pub fn one_more(zone: Tz, consent: &Consent, now: Instant) -> (NaiveDate, u32) {
    (week_start(day_in(zone, now)), sent_this_week(zone, consent, now).saturating_add(1))
}

fn sent_this_week(zone: Tz, consent: &Consent, now: Instant) -> u32 {
    let week = week_start(day_in(zone, now));
    consent.promotional.filter(|(counted, _)| *counted == week).map_or(0, |(_, sent)| sent)
}

/// Whether promotional messages wait at this instant.
pub fn at_rest(zone: Tz, now: Instant) -> bool {
    let hour = now.with_timezone(&zone).hour();
    !(REST_UNTIL_HOUR..REST_FROM_HOUR).contains(&hour)
}

/// The first 06:05 of the programme's time zone after an instant.
pub fn next_morning(zone: Tz, now: Instant) -> Instant {
    let today = day_in(zone, now);
    let morning = morning_of(zone, today);
    if now < morning { morning } else { morning_of(zone, plus_days(today, 1)) }
}

/// 06:05 of the day after an instant's: when a provider counts by the day, that day is over by then.
pub fn next_day(zone: Tz, now: Instant) -> Instant {
    morning_of(zone, plus_days(day_in(zone, now), 1))
}

fn morning_of(zone: Tz, day: NaiveDate) -> Instant {
    let at = NaiveTime::from_hms_opt(REST_UNTIL_HOUR, AFTER_REST_MINUTES, 0).unwrap_or(NaiveTime::MIN);
    let local = day.and_time(at);
    zone.from_local_datetime(&local).earliest().map_or_else(|| local.and_utc(), |at| at.to_utc())
}

/// The longest pause before a message is tried again after a passing failure.
const BACKOFF_SECONDS_MAX: i64 = 900;
const BACKOFF_SECONDS_FIRST: i64 = 15;

/// How long to wait after attempt `attempt` (1 for the first) failed for a reason that passes: 15 s, then twice as long
/// each time, at most 15 minutes.
pub fn backoff(attempt: u32) -> TimeDelta {
    let doublings = attempt.saturating_sub(1).min(10);
    let seconds = BACKOFF_SECONDS_FIRST.saturating_mul(1_i64.checked_shl(doublings).unwrap_or(i64::MAX));
    TimeDelta::seconds(seconds.min(BACKOFF_SECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = chrono_tz::Asia::Ho_Chi_Minh;

    fn at(text: &str) -> Instant {
        format!("{text}+07:00").parse().unwrap()
    }

    fn promotional(now: &str, consent: &Consent) -> Gate {
        gate(&Sending::default(), ZONE, MessageKind::Promotional, consent, at(now))
    }

    #[test]
    fn promotion_keeps_the_hours_of_rest() {
        let nobody = Consent::default();
        let morning = Gate::Later(at("2026-11-23T06:05:00"));
        assert_eq!(promotional("2026-11-23T05:59:59", &nobody), morning);
        assert_eq!(promotional("2026-11-23T06:00:00", &nobody), Gate::Open);
        assert_eq!(promotional("2026-11-22T21:59:59", &nobody), Gate::Open);
        assert_eq!(promotional("2026-11-22T22:00:00", &nobody), morning);
        assert_eq!(promotional("2026-11-22T23:59:59", &nobody), morning);
        let care = gate(&Sending::default(), ZONE, MessageKind::Care, &nobody, at("2026-11-22T22:00:00"));
        assert_eq!(care, Gate::Open);
    }

    #[test]
    fn a_week_has_its_number_and_begins_on_monday() {
        let full = Consent { promotional: Some(("2026-11-23".parse().unwrap(), 3)), ..Consent::default() };
        assert_eq!(promotional("2026-11-29T12:00:00", &full), Gate::Never(Skip::WeeklyLimit));
        assert_eq!(promotional("2026-11-30T12:00:00", &full), Gate::Open);
        assert_eq!(one_more(ZONE, &full, at("2026-11-30T12:00:00")), ("2026-11-30".parse().unwrap(), 1));
        assert_eq!(one_more(ZONE, &full, at("2026-11-29T12:00:00")), ("2026-11-23".parse().unwrap(), 4));
        let room = Consent { promotional: Some(("2026-11-23".parse().unwrap(), 2)), ..Consent::default() };
        assert_eq!(promotional("2026-11-29T12:00:00", &room), Gate::Open);
    }

    #[test]
    fn what_nobody_wants_never_waits() {
        let out = Consent { opted_out: BTreeSet::from([MessageKind::Promotional]), ..Consent::default() };
        assert_eq!(promotional("2026-11-22T23:00:00", &out), Gate::Never(Skip::OptedOut));
        let care = gate(&Sending::default(), ZONE, MessageKind::Care, &out, at("2026-11-22T12:00:00"));
        assert_eq!(care, Gate::Open);
    }

    #[test]
    fn the_next_day_is_never_today() {
        assert_eq!(next_day(ZONE, at("2026-11-23T00:01:00")), at("2026-11-24T06:05:00"));
        assert_eq!(next_morning(ZONE, at("2026-11-23T06:05:00")), at("2026-11-24T06:05:00"));
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        assert_eq!(backoff(1), TimeDelta::seconds(15));
        assert_eq!(backoff(3), TimeDelta::seconds(60));
        assert_eq!(backoff(u32::MAX), TimeDelta::seconds(900));
    }
}
