//! What earns beside an order's amount: `[[earning_rules]]` about items and whole orders, and `[[behaviours]]`.

use chrono::{NaiveTime, Weekday};
use loyalty_domain::behaviour as behaviours;
use loyalty_domain::item_rules::{Effect, ItemRule, OfferedRule, When};
use loyalty_domain::points::Legs;
use serde::{Deserialize, Serialize};

use super::super::numbers::Exact;
use super::{Context, LIST_MAX};

/// SKUs and categories of one rule: they stand on every order that it concerns.
const NAMED_MAX: usize = 50;

/// One `[[earning_rules]]`: exactly one of `multiply`, `exclude` and `add_points`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EarningRule {
    pub id: Option<String>,
    pub name: Option<String>,
    /// Items it is about; the whole order when both are empty.
    pub skus: Vec<String>,
    pub categories: Vec<String>,
    /// The amount of these items counts so many times.
    pub multiply: Option<Exact>,
    /// `multiply` reaches qualifying points too (X2).
    pub multiply_qualifying: bool,
    pub exclude: bool,
    pub add_points: i64,
    pub add_qualifying_points: i64,
    /// The smallest amount that earns, major units.
    pub min_order: Option<Exact>,
    pub first_order: bool,
    pub starts_at: Option<String>,
    pub ends_at: Option<String>,
    /// `mon` to `sun`; any day when empty.
    pub weekdays: Vec<String>,
    /// Times of day like `22:00`; a day ends at `24:00` or `00:00`.
    pub from_hour: Option<String>,
    pub until_hour: Option<String>,
}

/// One `[[behaviours]]` (P17). A limit that is left out is none.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    pub id: Option<String>,
    pub name: Option<String>,
    pub points: i64,
    pub qualifying_points: i64,
    /// What the other side of a referral gets.
    pub friend_points: i64,
    pub friend_qualifying_points: i64,
    pub max_per_day: Option<u32>,
    pub max_per_week: Option<u32>,
    pub max_per_month: Option<u32>,
    pub max_ever: Option<u32>,
}

impl Context<'_> {
    pub fn item_rules(&mut self, sections: &[EarningRule], seen: &mut Vec<String>) -> Vec<OfferedRule> {
        self.found.require(sections.len() <= LIST_MAX, "earning_rules", "at most 50");
        sections.iter().enumerate().map(|(at, section)| self.item_rule(section, at, seen)).collect()
    }

    fn item_rule(&mut self, section: &EarningRule, at: usize, seen: &mut Vec<String>) -> OfferedRule {
        let path = format!("earning_rules[{at}]");
        let key = |key: &str| format!("{path}.{key}");
        let id = self.id(&section.id, &path, seen);
        self.name(&section.name, &path);
        let adds = section.add_points != 0 || section.add_qualifying_points != 0;
        let effects = [section.multiply.is_some(), section.exclude, adds].into_iter().filter(|says| *says).count();
        self.found.require(effects == 1, &path, "exactly one of multiply, exclude and add_points");
        let legs = Legs::new(
            self.points(section.add_points, &key("add_points")),
            self.points(section.add_qualifying_points, &key("add_qualifying_points")),
        );
        let effect = match section.multiply {
            Some(Exact(factor)) => Effect::Multiply { factor, qualifying_too: section.multiply_qualifying },
            None if section.exclude => Effect::Exclude,
            None => Effect::Add { legs },
        };
        let listed = section.skus.len() + section.categories.len();
        self.found.require(
            listed <= NAMED_MAX,
            &key("skus"),
            "at most 50 SKUs and categories: name categories instead",
        );
        let when = When {
            first_order: section.first_order,
            from: self.instant(&section.starts_at, &key("starts_at")),
            until: self.instant(&section.ends_at, &key("ends_at")),
            weekdays: section.weekdays.iter().filter_map(|day| self.weekday(day, &key("weekdays"))).collect(),
            hours: self.hours(section, &path),
        };
        let (skus, categories) = (section.skus.clone(), section.categories.clone());
        let order_min_minor = self.minor(section.min_order, &key("min_order"));
        OfferedRule { rule: ItemRule { id, skus, categories, order_min_minor, effect }, when }
    }

    fn weekday(&mut self, text: &str, path: &str) -> Option<Weekday> {
        let day = text.parse().ok();
        self.found.require(day.is_some(), path, "days like \"mon\", \"sat\"");
        day
    }

    fn hours(&mut self, section: &EarningRule, path: &str) -> Option<(NaiveTime, NaiveTime)> {
        let time = |text: &Option<String>| match text.as_deref()? {
            "24:00" => Some(NaiveTime::MIN),
            text => NaiveTime::parse_from_str(text, "%H:%M").ok(),
        };
        let (from, until) = (time(&section.from_hour), time(&section.until_hour));
        let read = from.is_some() == section.from_hour.is_some() && until.is_some() == section.until_hour.is_some();
        let both = section.from_hour.is_some() == section.until_hour.is_some();
        self.found.require(read && both, &format!("{path}.from_hour"), "both from_hour and until_hour, like \"22:00\"");
        from.zip(until)
    }

    pub fn behaviours(&mut self, sections: &[Behaviour], seen: &mut Vec<String>) -> Vec<behaviours::Behaviour> {
        self.found.require(sections.len() <= LIST_MAX, "behaviours", "at most 50");
        let mut all = Vec::new();
        for (at, section) in sections.iter().enumerate() {
            let path = format!("behaviours[{at}]");
            let key = |key: &str| format!("{path}.{key}");
            let legs = Legs::new(
                self.points(section.points, &key("points")),
                self.points(section.qualifying_points, &key("qualifying_points")),
            );
            self.found.require(!legs.is_zero(), &key("points"), "missing: what it earns");
            let friend = Legs::new(
                self.points(section.friend_points, &key("friend_points")),
                self.points(section.friend_qualifying_points, &key("friend_qualifying_points")),
            );
            let limits = [
                ("max_per_day", section.max_per_day, behaviours::Per::Day),
                ("max_per_week", section.max_per_week, behaviours::Per::Week),
                ("max_per_month", section.max_per_month, behaviours::Per::Month),
                ("max_ever", section.max_ever, behaviours::Per::Ever),
            ];
            for (name, times, _) in limits {
                self.found.require(times != Some(0), &key(name), "above 0; left out, there is no limit");
            }
            let limits =
                limits.into_iter().filter_map(|(_, times, per)| Some(behaviours::Limit { times: times?, per }));
            all.push(behaviours::Behaviour {
                id: self.id(&section.id, &path, seen),
                name: self.name(&section.name, &path),
                legs,
                other_side: (!friend.is_zero()).then_some(friend),
                limits: limits.collect(),
            });
        }
        all
    }
}
