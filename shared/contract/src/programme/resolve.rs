//! From the sections of a file to the exact programme, or every problem in them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use loyalty_domain::criteria::Criterion;
use loyalty_domain::ids::{ProgrammeVersion, RuleId, TierId};
use loyalty_domain::money::Currency;
use loyalty_domain::points::Ratio;
use loyalty_domain::programme as domain;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use toml::Table;

use super::file::{self, CycleModel, ExpiryModel, LateReversalTier, Mechanism, MultiplierMode};
use super::living::{self, Context};
use super::numbers::Exact;
use super::{Problem, Version, section};
use crate::queue::Source;
use crate::webhook::settings::SourceSettings;

const MONTHS_MAX: u32 = 120;
const DAYS_MAX: u32 = 3660;
const QUARTERS_MAX: u32 = 4;
/// Points in smaller parts would lie in more lots than a member's row is meant for.
const PERCENT_MIN: u32 = 10;
const SETTLE_SECONDS_MAX: u32 = 900;
const TIERS_MAX: usize = 20;
const THRESHOLD_MAX: i64 = 1_000_000_000_000;
const WELCOME_MAX: u32 = 1_000_000;
/// How deep alternatives of a tier's rules may be nested.
const CRITERIA_DEPTH_MAX: usize = 4;
/// How many hexadecimal digits of the content hash stand in a programme version.
const HASH_DIGITS: usize = 12;

/// Everything in a version that decides about points, as its hash sees it.
#[derive(Serialize)]
struct Content {
    head: file::Head,
    earning: file::Earning,
    reversal: file::Reversal,
    welcome: file::Welcome,
    expiry: file::Expiry,
    cycle: file::Cycle,
    review: living::Review,
    notices: living::Notices,
    redemption: living::Redemption,
    vouchers: living::Vouchers,
    tiers: Vec<file::Tier>,
    earning_rules: Vec<living::EarningRule>,
    campaigns: Vec<living::Campaign>,
    rewards: Vec<living::Reward>,
    behaviours: Vec<living::Behaviour>,
    topups: Vec<living::Topup>,
}

pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { path: path.into(), message: message.into() });
    }

    pub fn require(&mut self, holds: bool, path: &str, message: &str) {
        if !holds {
            self.add(path, message);
        }
    }
}

/// Resolves one whole version.
pub fn version(mut table: Table, effective_from: DateTime<Utc>) -> Result<Version, Vec<Problem>> {
    let mut found = Problems(Vec::new());
    let sources = sources(section::table(&mut table, "sources", "", &mut found.0), &mut found.0);
    let mut part = |key: &str| section::table(&mut table, key, "", &mut found.0);
    let (earning, reversal, welcome, expiry, cycle) =
        (part("earning"), part("reversal"), part("welcome"), part("expiry"), part("cycle"));
    let (review, notices, redemption, vouchers) =
        (part("review"), part("notices"), part("redemption"), part("vouchers"));
    let (messages, zalo) = (part("messages"), part("zalo"));
    let mut messaging = super::messages::messaging(messages, zalo, &mut found.0);
    let tiers = sections(&mut table, "tiers", &mut found.0);
    let earning_rules = sections(&mut table, "earning_rules", &mut found.0);
    let campaigns = sections(&mut table, "campaigns", &mut found.0);
    let rewards = sections(&mut table, "rewards", &mut found.0);
    let behaviours = sections(&mut table, "behaviours", &mut found.0);
    let topups = sections(&mut table, "topups", &mut found.0);
    let content = Content {
        earning: section::read(earning, "earning", &mut found.0),
        reversal: section::read(reversal, "reversal", &mut found.0),
        welcome: section::read(welcome, "welcome", &mut found.0),
        expiry: section::read(expiry, "expiry", &mut found.0),
        cycle: section::read(cycle, "cycle", &mut found.0),
        review: section::read(review, "review", &mut found.0),
        notices: section::read(notices, "notices", &mut found.0),
        redemption: section::read(redemption, "redemption", &mut found.0),
        vouchers: section::read(vouchers, "vouchers", &mut found.0),
        tiers,
        earning_rules,
        campaigns,
        rewards,
        behaviours,
        topups,
        head: section::read(table, "", &mut found.0),
    };
    let programme = programme(&content, &mut found);
    let average_order_minor = average_order(&content, &programme, &mut found);
    let programme = programme.map(|programme| domain::Programme { average_order_minor, ..programme });
    if !found.0.is_empty() {
        return Err(found.0);
    }
    let by_tier = content.earning.mechanism == Mechanism::ByTier;
    let Content { head, campaigns, .. } = content;
    for campaign in campaigns {
        let Some(id) = campaign.id else { continue };
        if !campaign.pictures.is_empty() {
            messaging.campaign_pictures.insert(id.clone(), campaign.pictures);
        }
        if !campaign.texts.is_empty() {
            messaging.campaign_texts.insert(id, campaign.texts);
        }
    }
    let name = head.name.unwrap_or_default();
    let settle_seconds = head.settle_seconds;
    // Without a problem every part is there.
    let programme = programme.ok_or_else(Vec::new)?;
    Ok(Version { effective_from, programme, name, settle_seconds, average_order_minor, by_tier, sources, messaging })
}

/// The tables of a list, each read into its section.
fn sections<T: DeserializeOwned + Default>(table: &mut Table, key: &str, problems: &mut Vec<Problem>) -> Vec<T> {
    let tables = section::tables(table, key, problems);
    let read = |(at, one)| section::read(one, &format!("{key}[{at}]"), problems);
    tables.into_iter().enumerate().map(read).collect()
}

/// Lower-case letters, digits and hyphens.
pub fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn sources(table: Table, problems: &mut Vec<Problem>) -> BTreeMap<Source, SourceSettings> {
    let mut all = BTreeMap::new();
    for (name, value) in table {
        let path = format!("sources.{name}");
        let Some(source) = Source::from_name(&name) else {
            let known = Source::ALL.map(Source::as_str).join(", ");
            problems.push(Problem { path, message: format!("unknown source; known are {known}") });
            continue;
        };
        match value {
            toml::Value::Table(settings) => {
                all.insert(source, section::read(settings, &path, problems));
            }
            _ => problems.push(Problem { message: format!("write it as a table: [{path}]"), path }),
        }
    }
    all
}

fn programme(content: &Content, found: &mut Problems) -> Option<domain::Programme> {
    let head = &content.head;
    let version = version_of(content, found);
    let known = Currency::from_code(&head.currency);
    found.require(known.is_some(), "currency", "not an ISO 4217 currency code like VND");
    // So that the amounts of the other sections are not wrong as well.
    let currency = known.unwrap_or(Currency::VND);
    let zone: Option<chrono_tz::Tz> = head.time_zone.parse().ok();
    found.require(zone.is_some(), "time_zone", "not an IANA time zone like Asia/Ho_Chi_Minh");
    found.require(head.settle_seconds <= SETTLE_SECONDS_MAX, "settle_seconds", "at most 900 (X29 recommends 5 to 10)");
    found.require(
        head.name.as_ref().is_some_and(|name| !name.trim().is_empty()),
        "name",
        "missing: the programme's name as customers know it",
    );
    let earning = earning(content, currency, found);
    let reversal = reversal(&content.reversal, found);
    let welcome = welcome(&content.welcome, found);
    let expiry = expiry(&content.expiry, found);
    let cycle = cycle(&content.cycle, found);
    let tiers = tiers(content, currency, found);
    let review = living::review(&content.review, found);
    let notices = living::notices(&content.notices, found);
    let ids: Vec<TierId> = content.tiers.iter().filter_map(|tier| tier.id.as_deref()).map(TierId::new).collect();
    let mut context = Context { currency, tiers: &ids, found };
    let mut seen = Vec::new();
    let item_rules = context.item_rules(&content.earning_rules, &mut seen);
    let campaigns = context.campaigns(&content.campaigns, &mut seen);
    let behaviours = context.behaviours(&content.behaviours, &mut seen);
    let rewards = context.rewards(&content.rewards, &mut seen);
    let topups = context.topups(&content.topups);
    let hold_minutes = context.hold_minutes(&content.redemption);
    Some(domain::Programme {
        version: version?,
        currency,
        zone: zone?,
        earning: earning?,
        reversal: reversal?,
        welcome,
        expiry,
        cycle,
        reversal_demotes: content.reversal.reversal_demotes.into(),
        tiers: tiers?,
        tier_authority: head.tier_authority.into(),
        vouchers_return: content.vouchers.return_on_cancel,
        paused: head.paused,
        review,
        notices,
        average_order_minor: None,
        item_rules,
        several_rules: content.earning.several_rules.into(),
        campaigns,
        rewards,
        hold_minutes,
        behaviours,
        topups,
        earlier: None,
    })
}

/// `id@hash`: what the file says, not how it is written, so comments and order do not change it.
fn version_of(content: &Content, found: &mut Problems) -> Option<ProgrammeVersion> {
    let id = content.head.id.as_deref().unwrap_or_default();
    let fits = id.len() <= 40 && is_id(id);
    found.require(fits, "id", "1 to 40 lower-case letters, digits and hyphens, like \"cnv-retail\"");
    let text = serde_json::to_vec(content).unwrap_or_default();
    let hash = hex::encode(Sha256::digest(text));
    fits.then(|| ProgrammeVersion::new(format!("{id}@{}", &hash[..HASH_DIGITS])))
}

fn earning(content: &Content, currency: Currency, found: &mut Problems) -> Option<domain::Earning> {
    let section = &content.earning;
    let Some(price) = section.vnd_per_point.filter(|price| price.0.numerator > 0) else {
        found.add("earning.vnd_per_point", "say how much has to be spent for one point: an amount above 0 (X3)");
        return None;
    };
    let per_minor = u64::try_from(currency.minor_per_major()).ok()?;
    let rate = price.0.numerator.checked_mul(per_minor).and_then(|below| Ratio::new(price.0.denominator.get(), below));
    found.require(rate.is_some(), "earning.vnd_per_point", "too large");
    Some(domain::Earning {
        rate: rate?,
        basis: section.basis.into(),
        earn_when: section.earn_when.into(),
        tier_multiplier: section.tier_multiplier.into(),
        round: section.round.into(),
        round_stage: section.round_stage.into(),
    })
}

fn reversal(section: &file::Reversal, found: &mut Problems) -> Option<domain::ReversalRules> {
    let negative_balance = file::negative_balance(&section.negative_balance);
    found.require(
        negative_balance.is_some(),
        "reversal.negative_balance",
        "one of \"allow\", \"clamp\", \"pending_only\", \"limit(50)\" (X22)",
    );
    Some(domain::ReversalRules {
        requires_paid: section.reverse_requires_paid,
        refund: section.refund.into(),
        negative_balance: negative_balance?,
        reverse_expired: section.reverse_expired,
        no_recredit_after_cancel: !section.recredit_after_cancel,
        late_debits_current: section.late_reversal_tier == LateReversalTier::DebitCurrent,
        restores_participation: false,
    })
}

fn welcome(section: &file::Welcome, found: &mut Problems) -> Option<domain::Welcome> {
    found.require(section.points <= WELCOME_MAX, "welcome.points", "at most 1000000");
    (section.points > 0).then(|| domain::Welcome {
        points: section.points,
        when: section.when.into(),
        regrant: section.regrant,
    })
}

fn expiry(section: &file::Expiry, found: &mut Problems) -> domain::ExpiryRule {
    found.require((1..=MONTHS_MAX).contains(&section.months), "expiry.months", "1 to 120");
    found.require((1..=QUARTERS_MAX).contains(&section.quarters_to_live), "expiry.quarters_to_live", "1 to 4 (X38)");
    if let Some(percent) = section.percent {
        found.require((PERCENT_MIN..=100).contains(&percent), "expiry.percent", "10 to 100 (X38)");
        let fits = section.model == ExpiryModel::Quarters && section.quarters_to_live == 1;
        found.require(fits, "expiry.percent", "only with model = \"quarters\", and instead of quarters_to_live (X38)");
    }
    match section.model {
        ExpiryModel::Never => domain::ExpiryRule::Never,
        ExpiryModel::Months => domain::ExpiryRule::Months { months: section.months, round_to: section.round_to.into() },
        ExpiryModel::Quarters => match section.percent {
            Some(percent) => domain::ExpiryRule::QuarterParts { percent },
            None => domain::ExpiryRule::Quarters { quarters: section.quarters_to_live },
        },
    }
}

fn cycle(section: &file::Cycle, found: &mut Problems) -> domain::Cycle {
    found.require((1..=DAYS_MAX).contains(&section.days), "cycle.days", "1 to 3660 (T8 recommends 365)");
    found.require((1..=MONTHS_MAX).contains(&section.months), "cycle.months", "1 to 120");
    match section.model {
        CycleModel::RollingDays => domain::Cycle::RollingDays(section.days),
        CycleModel::AnniversaryMonths => domain::Cycle::AnniversaryMonths(section.months),
        CycleModel::CalendarYear => domain::Cycle::CalendarYear,
    }
}

fn tiers(content: &Content, currency: Currency, found: &mut Problems) -> Option<domain::Tiers> {
    let sections = &content.tiers;
    found.require(!sections.is_empty(), "tiers", "missing: at least one [[tiers]], the first at threshold 0 (T1)");
    found.require(sections.len() <= TIERS_MAX, "tiers", "more than 20 tiers");
    let by_rules = sections.iter().any(|section| section.enter.is_some());
    let behaviours: Vec<&str> = content.behaviours.iter().filter_map(|behaviour| behaviour.id.as_deref()).collect();
    let mut tiers: Vec<domain::Tier> = Vec::new();
    for (at, section) in sections.iter().enumerate() {
        let path = |key: &str| format!("tiers[{at}].{key}");
        let id = section.id.clone().unwrap_or_default();
        found.require(
            is_id(&id),
            &path("id"),
            "missing or not of lower-case letters, digits and hyphens, like \"silver\"",
        );
        let taken = |word: &str| tiers.iter().any(|tier| tier.is_called(word));
        found.require(!taken(&id), &path("id"), "there is a tier of this id, name or alias above (X37)");
        let name = section.name.clone().unwrap_or_default();
        found.require(!name.trim().is_empty(), &path("name"), "missing: the name customers see");
        found.require(
            name.trim().is_empty() || !taken(&name),
            &path("name"),
            "another tier's word: shops name a tier by id, name or alias (X37)",
        );
        let threshold = section.threshold.unwrap_or(if at == 0 || by_rules { 0 } else { -1 });
        found.require(
            (0..=THRESHOLD_MAX).contains(&threshold),
            &path("threshold"),
            "missing, or below 0: qualifying points",
        );
        found.require(at > 0 || threshold == 0, &path("threshold"), "the first tier is everybody's: 0");
        let rises = tiers.last().is_none_or(|below| below.threshold < threshold);
        let points = [section.threshold, section.keep_threshold, section.reenter_threshold];
        let no_points = at == 0 || !by_rules || points.iter().all(Option::is_none);
        found.require(no_points, &path("threshold"), "tiers are by rules here: say `points` in `enter` (T17)");
        found.require(rises || by_rules, &path("threshold"), "must be above the tier before it");
        let multiplier = multiplier(content, section, &path("multiplier"), found).unwrap_or(Ratio::ONE);
        let mut or_threshold = |points: Option<i64>, key: &str| {
            let fits = points.is_none_or(|points| (0..=THRESHOLD_MAX).contains(&points));
            found.require(fits, &path(key), "0 or more qualifying points");
            points.unwrap_or(threshold)
        };
        let keep = or_threshold(section.keep_threshold, "keep_threshold");
        let reenter = or_threshold(section.reenter_threshold, "reenter_threshold");
        let mut criteria = |key: &str, section: &Option<file::Criteria>| {
            let section = section.as_ref()?;
            let rules = Rules { currency, behaviours: &behaviours };
            rules.criterion(section, &path(key), CRITERIA_DEPTH_MAX, found)
        };
        let enter = criteria("enter", &section.enter);
        let (keep_rule, reenter_rule) = (criteria("keep", &section.keep), criteria("reenter", &section.reenter));
        let (keeps, comes_back) = (section.keep.is_some(), section.reenter.is_some());
        if at == 0 {
            let plain = section.enter.is_none() && !keeps && !comes_back;
            found.require(plain, &path("enter"), "the first tier is everybody's: it asks for nothing");
        } else {
            let missing = by_rules && section.enter.is_none();
            found.require(!missing, &path("enter"), "missing: either every tier is by rules or none is (T16, T17)");
            let alone = section.enter.is_none() && (keeps || comes_back);
            found.require(by_rules || !alone, &path("enter"), "missing: keep and reenter go with enter (T17)");
        }
        let rules = enter.map(|enter| domain::TierRules {
            keep: keep_rule.unwrap_or_else(|| enter.clone()),
            reenter: reenter_rule.unwrap_or_else(|| enter.clone()),
            enter,
        });
        for alias in &section.aliases {
            found.require(
                !alias.trim().is_empty() && !taken(alias),
                &path("aliases"),
                "empty, or another tier's (X37)",
            );
        }
        let mut context = Context { currency, tiers: &[], found };
        tiers.push(domain::Tier {
            id: TierId::new(id),
            name,
            threshold,
            keep,
            reenter,
            rules,
            aliases: section.aliases.clone(),
            multiplier,
            benefits: section.benefits.clone(),
            on_reaching: context.vouchers(&section.on_reaching, &path("on_reaching")),
            monthly: context.vouchers(&section.monthly, &path("monthly")),
            birthday: context.vouchers(&section.birthday, &path("birthday")),
        });
    }
    domain::Tiers::new(tiers).ok()
}

/// What the criteria of tiers refer to.
struct Rules<'a> {
    currency: Currency,
    behaviours: &'a [&'a str],
}

impl Rules<'_> {
    /// Everything that is named, and one of `any`.
    fn criterion(&self, section: &file::Criteria, path: &str, depth: usize, found: &mut Problems) -> Option<Criterion> {
        let key = |key: &str| format!("{path}.{key}");
        let mut all = Vec::new();
        if let Some(Exact(spend)) = section.spend {
            let minor = spend.of(self.currency.minor_per_major(), Default::default()).unwrap_or(0);
            found.require(minor > 0, &key("spend"), "an amount above 0");
            all.push(Criterion::Spent { minor });
        }
        let mut above_zero = |value: Option<i64>, name: &str| {
            let fits = value.is_none_or(|value| (1..=THRESHOLD_MAX).contains(&value));
            found.require(fits, &key(name), "a whole number above 0");
            value
        };
        let orders = above_zero(section.orders, "orders").map(|count| Criterion::Orders { count });
        let points = above_zero(section.points, "points").map(|points| Criterion::Points { points });
        let days = above_zero(section.member_days.map(i64::from), "member_days");
        let days = days.and(section.member_days).map(|days| Criterion::MemberDays { days });
        all.extend(orders.into_iter().chain(points).chain(days));
        for (behaviour, times) in &section.behaviours {
            let known = self.behaviours.contains(&behaviour.as_str());
            found.require(known && *times > 0, &key("behaviours"), "names [[behaviours]], each a number above 0");
            all.push(Criterion::Behaviour { rule: RuleId::new(behaviour.as_str()), times: *times });
        }
        if !section.any.is_empty() && depth == 0 {
            found.add(key("any"), "nested too deep");
        } else if !section.any.is_empty() {
            let one = |(at, one)| self.criterion(one, &format!("{path}.any[{at}]"), depth - 1, found);
            let any = section.any.iter().enumerate().filter_map(one).collect();
            all.push(Criterion::Any(any));
        }
        found.require(!all.is_empty(), path, "asks for nothing: name spend, orders, points, member_days or behaviours");
        match all.len() {
            0 | 1 => all.pop(),
            _ => Some(Criterion::All(all)),
        }
    }
}

/// The absolute factor: "+0,2" is ×1,2 (X1). Mechanism 1 has none (P6, P8).
fn multiplier(content: &Content, tier: &file::Tier, path: &str, found: &mut Problems) -> Option<Ratio> {
    let Exact(written) = tier.multiplier?;
    if content.earning.mechanism == Mechanism::Fixed {
        found.add(
            path,
            "everybody earns alike with earning.mechanism = \"fixed\"; use \"by_tier\" or leave it out (P8)",
        );
        return None;
    }
    let factor = match content.earning.multiplier_mode {
        MultiplierMode::Additive => written.plus_one(),
        MultiplierMode::Absolute => Some(written),
    };
    found.require(factor.is_some_and(|factor| factor.numerator > 0), path, "a factor above 0 is needed");
    factor
}

fn average_order(content: &Content, programme: &Option<domain::Programme>, found: &mut Problems) -> Option<i64> {
    let Exact(value) = content.head.average_order_value?;
    let minor = value.of(programme.as_ref()?.currency.minor_per_major(), Default::default()).ok();
    found.require(minor.is_some_and(|minor| minor > 0), "average_order_value", "an amount above 0");
    minor
}
