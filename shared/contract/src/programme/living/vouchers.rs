//! Vouchers, and what they are given for beside tiers: `[[rewards]]` and `[[topups]]`.

use loyalty_domain::redeem as rewards;
use loyalty_domain::topup as topups;
use loyalty_domain::voucher as vouchers;
use serde::{Deserialize, Serialize};

use super::super::numbers::Exact;
use super::{Context, DAYS_MAX, LIST_MAX};

const HOLD_MINUTES_MAX: u32 = 7 * 24 * 60;

/// A voucher, wherever one is named: exactly one of `percent`, `amount`, `gift`, `game_turns` and `combo`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Voucher {
    pub id: Option<String>,
    pub name: Option<String>,
    pub percent: Option<u32>,
    /// The most a percentage takes off, major units.
    pub max_amount: Option<Exact>,
    /// Major units.
    pub amount: Option<Exact>,
    pub gift: Option<String>,
    pub game_turns: Option<u32>,
    pub combo: Option<String>,
    pub valid_days: u32,
    /// Major units.
    pub min_order: Option<Exact>,
}

impl Default for Voucher {
    fn default() -> Self {
        Self {
            id: None,
            name: None,
            percent: None,
            max_amount: None,
            amount: None,
            gift: None,
            game_turns: None,
            combo: None,
            valid_days: 30,
            min_order: None,
        }
    }
}

/// What may be said of vouchers as a whole.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vouchers {
    /// A voucher can be used again when the order that used it is cancelled or returned.
    pub return_on_cancel: bool,
}

impl Default for Vouchers {
    fn default() -> Self {
        Self { return_on_cancel: true }
    }
}

/// What may be said of redemptions as a whole.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redemption {
    pub hold_minutes: u32,
}

impl Default for Redemption {
    fn default() -> Self {
        Self { hold_minutes: 30 }
    }
}

/// One `[[rewards]]`: a voucher for `points`, or money off an order by steps.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reward {
    pub id: Option<String>,
    pub name: Option<String>,
    /// What a voucher costs, or one step of a discount.
    pub points: i64,
    pub voucher: Option<Voucher>,
    /// What one step takes off an order, major units.
    pub amount_off: Option<Exact>,
    pub min_points: Option<i64>,
    pub max_points: Option<i64>,
    /// Major units.
    pub min_order: Option<Exact>,
    pub max_percent: Option<u32>,
}

/// One `[[topups]]`: from this amount on, this is added (B2–B4).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topup {
    /// Major units.
    pub amount: Option<Exact>,
    /// Major units.
    pub money: Option<Exact>,
    pub voucher: Option<Voucher>,
}

impl Context<'_> {
    pub fn vouchers(&mut self, sections: &[Voucher], path: &str) -> Vec<vouchers::Offer> {
        self.found.require(sections.len() <= LIST_MAX, path, "at most 50");
        let mut seen = Vec::new();
        let offer = |(at, section)| self.voucher(section, &format!("{path}[{at}]"), &mut seen);
        sections.iter().enumerate().map(offer).collect()
    }

    fn voucher(&mut self, section: &Voucher, path: &str, seen: &mut Vec<String>) -> vouchers::Offer {
        let key = |key: &str| format!("{path}.{key}");
        let amount = section.amount.map(|amount| self.minor(Some(amount), &key("amount")));
        let most = section.max_amount.map(|most| self.minor(Some(most), &key("max_amount")));
        let worths: Vec<vouchers::Worth> = [
            section.percent.map(|percent| vouchers::Worth::Percent { percent, most_minor: most }),
            amount.map(|minor| vouchers::Worth::Amount { minor }),
            section.gift.clone().map(|what| vouchers::Worth::Gift { what }),
            section.game_turns.map(|turns| vouchers::Worth::GameTurn { turns }),
            section.combo.clone().map(|what| vouchers::Worth::Combo { what }),
        ]
        .into_iter()
        .flatten()
        .collect();
        let one = worths.len() == 1;
        self.found.require(one, path, "exactly one of percent, amount, gift, game_turns and combo");
        let percent = section.percent.is_none_or(|percent| (1..=100).contains(&percent));
        self.found.require(percent, &key("percent"), "1 to 100");
        self.found.require(amount.is_none_or(|minor| minor > 0), &key("amount"), "above 0");
        self.found.require(section.game_turns.is_none_or(|turns| turns > 0), &key("game_turns"), "above 0");
        self.found.require((1..=DAYS_MAX).contains(&section.valid_days), &key("valid_days"), "1 to 3660");
        vouchers::Offer {
            id: self.id(&section.id, path, seen),
            name: self.name(&section.name, path),
            worth: worths.into_iter().next().unwrap_or(vouchers::Worth::Gift { what: String::new() }),
            valid_days: section.valid_days,
            order_min_minor: self.minor(section.min_order, &key("min_order")),
        }
    }

    pub fn rewards(&mut self, sections: &[Reward], seen: &mut Vec<String>) -> Vec<rewards::Reward> {
        self.found.require(sections.len() <= LIST_MAX, "rewards", "at most 50");
        sections.iter().enumerate().map(|(at, section)| self.reward(section, at, seen)).collect()
    }

    fn reward(&mut self, section: &Reward, at: usize, seen: &mut Vec<String>) -> rewards::Reward {
        let path = format!("rewards[{at}]");
        let key = |key: &str| format!("{path}.{key}");
        self.found.require(section.points > 0, &key("points"), "above 0");
        let points = self.points(section.points, &key("points"));
        let kind = match (&section.voucher, section.amount_off) {
            (Some(voucher), None) => {
                let offer = self.voucher(voucher, &key("voucher"), &mut Vec::new());
                rewards::RewardKind::Voucher { points, offer }
            }
            (None, Some(amount)) => {
                let step_minor = self.minor(Some(amount), &key("amount_off"));
                self.found.require(step_minor > 0, &key("amount_off"), "above 0");
                let order_percent_max = section.max_percent.unwrap_or(100);
                self.found.require((1..=100).contains(&order_percent_max), &key("max_percent"), "1 to 100");
                rewards::RewardKind::Discount(rewards::Discount {
                    step_points: points,
                    step_minor,
                    points_min: section.min_points.unwrap_or(points),
                    points_max: section.max_points,
                    order_min_minor: self.minor(section.min_order, &key("min_order")),
                    order_percent_max,
                })
            }
            _ => {
                self.found.add(path.clone(), "either a voucher, or amount_off for money off an order");
                rewards::RewardKind::Discount(rewards::Discount {
                    step_points: 1,
                    step_minor: 1,
                    points_min: 1,
                    points_max: None,
                    order_min_minor: 0,
                    order_percent_max: 100,
                })
            }
        };
        rewards::Reward { id: self.id(&section.id, &path, seen), name: self.name(&section.name, &path), kind }
    }

    pub fn topups(&mut self, sections: &[Topup]) -> Vec<topups::TopupStep> {
        self.found.require(sections.len() <= LIST_MAX, "topups", "at most 50");
        let mut steps: Vec<topups::TopupStep> = Vec::new();
        for (at, section) in sections.iter().enumerate() {
            let path = format!("topups[{at}]");
            let amount_minor = self.minor(section.amount, &format!("{path}.amount"));
            let rises = steps.last().map_or(0, |step| step.amount_minor) < amount_minor;
            self.found.require(rises, &format!("{path}.amount"), "above 0, and above the step before it");
            let brings = match (section.money, &section.voucher) {
                (Some(money), None) => {
                    topups::Brings::Money { minor: self.minor(Some(money), &format!("{path}.money")) }
                }
                (None, Some(voucher)) => {
                    topups::Brings::Voucher(self.voucher(voucher, &format!("{path}.voucher"), &mut Vec::new()))
                }
                _ => {
                    self.found.add(path, "either money or a voucher");
                    topups::Brings::Money { minor: 0 }
                }
            };
            steps.push(topups::TopupStep { amount_minor, brings });
        }
        steps
    }

    pub fn hold_minutes(&mut self, section: &Redemption) -> u32 {
        let fits = (1..=HOLD_MINUTES_MAX).contains(&section.hold_minutes);
        self.found.require(fits, "redemption.hold_minutes", "1 to 10080, a week");
        section.hold_minutes
    }
}
