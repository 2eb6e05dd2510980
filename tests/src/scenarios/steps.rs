//! What each sentence of a scenario means.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDateTime, TimeZone, Utc};
use gherkin::Step;
use loyalty_contract::programme::{ProgrammeFile, lint};
use regex_lite::{Captures, Regex};
use serde_json::json;

use super::{Movement, Player};

/// Every scenario begins on this Monday morning, local time of the programme.
const BEGINS: &str = "2026-11-23T08:00:00+07:00";

/// An order as its shop has it.
#[derive(Clone, Debug)]
struct ShopOrder {
    phone: Option<String>,
    status: &'static str,
    payment: &'static str,
    due: i64,
    shipping: i64,
    refunded: i64,
    lines: Vec<ShopLine>,
    paid_with_points: i64,
    paid_with_wallet: i64,
    placed_at: DateTime<Utc>,
}

/// One line of an order, at its price.
#[derive(Clone, Debug)]
struct ShopLine {
    sku: String,
    amount: i64,
    returned: bool,
}

/// One scenario being played.
pub struct Stage<P> {
    player: Option<P>,
    programme: Option<ProgrammeFile>,
    now: DateTime<Utc>,
    orders: BTreeMap<String, ShopOrder>,
    /// Webhook ids and bodies, as they were sent.
    sent: Vec<(String, String)>,
}

impl<P: Player> Stage<P> {
    pub fn new() -> Self {
        let now = BEGINS.parse().expect("an instant");
        Self { player: None, programme: None, now, orders: BTreeMap::new(), sent: Vec::new() }
    }

    /// Plays one step.
    ///
    /// # Errors
    /// Why it does not hold, or that it is not understood.
    pub async fn play(&mut self, step: &Step) -> Result<(), String> {
        self.now += Duration::minutes(1);
        let text = step.value.trim();
        if let Some(found) = read(r#"^the programme "([a-z-]+)"( where)?$"#, text) {
            let programme = programme(&found[1], step.docstring.as_deref().unwrap_or_default())?;
            self.programme = Some(ProgrammeFile::parse(&programme).map_err(|problems| format!("{problems:?}"))?);
            self.player = Some(P::start(&programme, self.now).await);
            return Ok(());
        }
        if self.happens(text, step).await? || self.holds(text, step).await? || self.is_said(text, step).await? {
            return Ok(());
        }
        Err("this sentence is not understood".into())
    }

    pub async fn end(self) {
        if let Some(player) = self.player {
            player.end().await;
        }
    }

    /// Given and When.
    async fn happens(&mut self, text: &str, step: &Step) -> Result<bool, String> {
        if let Some(found) = read(r"^it is (\d{4}-\d\d-\d\d \d\d:\d\d)$", text) {
            let local =
                NaiveDateTime::parse_from_str(&found[1], "%Y-%m-%d %H:%M").map_err(|error| error.to_string())?;
            self.now = chrono_tz::Asia::Ho_Chi_Minh.from_local_datetime(&local).unwrap().to_utc();
        } else if let Some(found) = read(r"^(\S+) has spent (\d+) before$", text) {
            if &found[2] != "0" {
                let order = self.order("before", Some(&found[1]), number(&found[2])?);
                (order.status, order.payment) = ("delivered", "paid");
                self.report("before", self.now).await?;
            }
        } else if let Some(found) = read(r"^order (\w+) of ([+\d ]+|nobody) is ([a-z ]+): due (\d+)(.*)$", text) {
            let phone = (&found[2] != "nobody").then_some(&found[2]);
            self.order(&found[1], phone, number(&found[4])?);
            self.terms(&found[1], &found[5])?;
            self.becomes(&found[1], &found[3])?;
            self.report(&found[1], self.now).await?;
        } else if let Some(found) = read(r"^order (\w+) of (\d+), with these lines, is ([a-z ]+): due (\d+)(.*)$", text)
        {
            self.order(&found[1], Some(&found[2]), number(&found[4])?).lines = lines(step)?;
            self.terms(&found[1], &found[5])?;
            self.becomes(&found[1], &found[3])?;
            self.report(&found[1], self.now).await?;
        } else if let Some(found) = read(r"^the (\w+) of order (\w+) comes back and (\d+) is given back$", text) {
            let refunded = number(&found[3])?;
            let order = self.known(&found[2])?;
            (order.refunded, order.payment) = (refunded, "partially_refunded");
            let line = order.lines.iter_mut().find(|line| line.sku == found[1]).ok_or("there is no such line")?;
            line.returned = true;
            self.report(&found[2], self.now).await?;
        } else if let Some(found) = read(r#"^(\d+) uses the voucher "(.+)"$"#, text) {
            let now = self.now;
            self.player()?.use_voucher(&found[1], &found[2], now).await;
        } else if text == "what the pause has kept is taken up" {
            let now = self.now;
            self.player()?.take_up(now).await;
        } else if let Some(found) = read(r"^the shop's own system says that (\d+) is (\S+)$", text) {
            same(self.tell_tier(&found[1], &found[2]).await?, true)?;
        } else if let Some(found) = read(r"^order (\w+) is of (\d+)$", text) {
            self.known(&found[1])?.phone = Some(found[2].to_owned());
            self.report(&found[1], self.now).await?;
        } else if let Some(found) = read(r"^order (\w+) is ([a-z ]+)(?:: due (\d+))?$", text) {
            if let Some(due) = found.get(3) {
                self.known(&found[1])?.due = number(due.as_str())?;
            }
            self.becomes(&found[1], &found[2])?;
            self.report(&found[1], self.now).await?;
        } else if let Some(found) = read(r"^(\d+) of order (\w+) is given back$", text) {
            let refunded = number(&found[1])?;
            let order = self.known(&found[2])?;
            (order.refunded, order.payment) = (refunded, "partially_refunded");
            self.report(&found[2], self.now).await?;
        } else if text == "its delivery of an hour earlier, paid, arrives after that" {
            let name = self.orders.keys().last().cloned().ok_or("no order yet")?;
            self.becomes(&name, "delivered and paid")?;
            self.report(&name, self.now - Duration::hours(1)).await?;
        } else if let Some(found) = read(r"^the same comes again( under a new id)?$", text) {
            let (id, body) = self.sent.last().cloned().ok_or("nothing was sent yet")?;
            let id = if found.get(1).is_some() { format!("{id}-{}", self.sent.len()) } else { id };
            self.deliver(id, body).await?;
        } else if let Some(found) = read(r"^(\d+) spends (\d+) points$", text) {
            let (points, now) = (number(&found[2])?, self.now);
            same(self.player()?.spend(&found[1], points, now).await, true)?;
        } else if let Some(found) = read(r"^(\d+) pays (\d+) into the wallet$", text) {
            let (amount, now) = (number(&found[2])?, self.now);
            self.player()?.top_up(&found[1], amount, now).await;
        } else if text == "what came first comes again" {
            let (id, body) = self.sent.first().cloned().ok_or("nothing was sent yet")?;
            self.deliver(id, body).await?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Then.
    async fn holds(&mut self, text: &str, step: &Step) -> Result<bool, String> {
        if let Some(found) = read(r"^(\d+) has (-?\d+) redeemable and (-?\d+) qualifying points and is (.+)$", text) {
            let standing = self.standing(&found[1]).await?;
            let actual = (standing.redeemable, standing.qualifying, standing.tier);
            same(actual, (number(&found[2])?, number(&found[3])?, found[4].to_owned()))?;
        } else if let Some(found) = read(r"^(\d+) has (\d+) orders? and has spent (\d+)$", text) {
            let standing = self.standing(&found[1]).await?;
            same((standing.orders, standing.spent), (number(&found[2])?, number(&found[3])?))?;
        } else if let Some(found) = read(r"^(\d+) has (\d+) pending points$", text) {
            same(self.standing(&found[1]).await?.pending, number(&found[2])?)?;
        } else if let Some(found) = read(r"^(\d+) needs (\d+) points and (\d+) more to be (.+)$", text) {
            let next = self.standing(&found[1]).await?.next;
            same(next, Some((found[4].to_owned(), number(&found[2])?, number(&found[3])?)))?;
        } else if let Some(found) = read(r"^(\d+) has used (\d+) of (\d+) participations in ([a-z-]+), (.+)$", text) {
            let expected = (found[4].to_owned(), number(&found[2])?, number(&found[3])?, found[5].to_owned());
            same(self.standing(&found[1]).await?.participations, vec![expected])?;
        } else if let Some(found) = read(r"^(\d+) takes part in no campaign$", text) {
            same(self.standing(&found[1]).await?.participations, Vec::new())?;
        } else if let Some(found) = read(r"^(\d+) cannot spend (\d+) points$", text) {
            let (points, now) = (number(&found[2])?, self.now);
            same(self.player()?.spend(&found[1], points, now).await, false)?;
        } else if let Some(found) = read(r"^(\d+) has (\d+) in the wallet$", text) {
            same(self.standing(&found[1]).await?.wallet, number(&found[2])?)?;
        } else if let Some(found) = read(r#"^(\d+) has the voucher "(.+)"$"#, text) {
            let now = self.now;
            let vouchers = self.player()?.vouchers(&found[1], now).await;
            same(vouchers.iter().any(|(name, _)| *name == found[2]), true)?;
        } else if let Some(found) =
            read(r#"^of the vouchers "(.+)" (\d+) has (\d+) issued, (\d+) used and (\d+) voided$"#, text)
        {
            let now = self.now;
            let mut vouchers = self.player()?.vouchers(&found[2], now).await;
            vouchers.retain(|(name, _)| *name == found[1]);
            let count = |state| vouchers.iter().filter(|(_, known)| known == state).count().to_string();
            let counts = ["issued", "used", "voided"].map(count);
            same(counts, [3, 4, 5].map(|at| found[at].to_owned()))?;
        } else if let Some(found) = read(r#"^an order of (\d+) with the status "(\w+)" is refused$"#, text) {
            self.order("refused", Some(&found[1]), 100_000).status = "delivered";
            let body = self
                .body("refused", self.now)?
                .replace(r#""status":"delivered""#, &format!(r#""status":"{}""#, &found[2]));
            let now = self.now;
            same(self.player()?.offer("msg-refused", &body, now).await, false)?;
        } else if let Some(found) = read(r"^(\d+) registers$", text) {
            let now = self.now;
            let data = json!({"customer": {"phone": &found[1]}});
            let body = json!({"type": "customer.registered", "timestamp": now, "data": data});
            let webhook_id = format!("registered-{}", now.timestamp());
            same(self.player()?.offer(&webhook_id, &body.to_string(), now).await, true)?;
        } else if let Some(found) = read(r"^(\d+) is not a member$", text) {
            let now = self.now;
            same(self.player()?.standing(&found[1], now).await, None)?;
        } else if let Some(found) = read(r"^order (\w+) earned (\d+) redeemable and (\d+) qualifying points$", text) {
            let phone = self.known(&found[1])?.phone.clone().ok_or("the order is nobody's")?;
            let order_id = format!("standard:{}", &found[1]);
            let history = self.history(&phone).await?;
            let earned = history.iter().rev().find(|entry| entry.order_id.as_ref() == Some(&order_id));
            let earned = earned.ok_or("nothing was posted for it")?;
            same((earned.redeemable, earned.qualifying), (number(&found[2])?, number(&found[3])?))?;
        } else if let Some(found) = read(r"^the history of (\d+) is( empty)?$", text) {
            let rows = step.table.as_ref().map(|table| table.rows.clone()).unwrap_or_default();
            let history = self.history(&found[1]).await?;
            let history: Vec<Vec<String>> = history.into_iter().map(row).collect();
            same(history, rows)?;
        } else if let Some(found) =
            read(r#"^the last entry of (\d+) names order (\w+), the rule "(.+)" and the programme "(.+)"$"#, text)
        {
            let last = self.history(&found[1]).await?.pop().ok_or("there is no entry")?;
            same(last.order_id, Some(format!("standard:{}", &found[2])))?;
            same(last.rule, found[3].to_owned())?;
            same(last.programme_version.split('@').next().map(str::to_owned), Some(found[4].to_owned()))?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Then: messages, refusals, and what a shop is told of its programme before it goes live.
    async fn is_said(&mut self, text: &str, step: &Step) -> Result<bool, String> {
        if let Some(found) = read(r#"^(\d+) was told "(\w+)" (\d+) times?$"#, text) {
            let now = self.now;
            let told = self.player()?.told(&found[1], now).await;
            let times = told.iter().filter(|template| **template == found[2]).count();
            same((times, &told), (usize::try_from(number(&found[3])?).map_err(|error| error.to_string())?, &told))?;
        } else if let Some(found) = read(r"^that the shop's own system says that (\d+) is (\S+) is refused$", text) {
            same(self.tell_tier(&found[1], &found[2]).await?, false)?;
        } else if let Some(found) = read(r#"^the programme "([a-z-]+)" is refused for (\S+) where$"#, text) {
            let programme = programme(&found[1], step.docstring.as_deref().unwrap_or_default())?;
            let problems = ProgrammeFile::parse(&programme).err().unwrap_or_default();
            let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
            same(paths, vec![&found[2]])?;
        } else if let Some(found) = read(r"^at (\d+) an order it takes$", text) {
            let rows = step.table.as_ref().map(|table| table.rows.clone()).unwrap_or_default();
            let (ways, _) = lint(self.version()?, Some(number(&found[1])?));
            let orders = |orders: Option<i64>| orders.map_or_else(|| "none".to_owned(), |orders| orders.to_string());
            let ways: Vec<Vec<String>> =
                ways.into_iter().map(|way| vec![orders(way.orders), format!("orders to be {}", way.tier)]).collect();
            same(ways, rows)?;
        } else if let Some(found) = read(r"^at (\d+) an order its check warns of (\w+)$", text) {
            let (_, warnings) = lint(self.version()?, Some(number(&found[1])?));
            let warned = warnings.iter().any(|warning| warning.path == "tiers" && warning.message.contains(&found[2]));
            same((warned, &warnings), (true, &warnings))?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn version(&self) -> Result<&loyalty_contract::programme::Version, String> {
        let programme = self.programme.as_ref().ok_or("begin with: Given the programme \"…\"")?;
        Ok(programme.at(self.now))
    }

    /// Whether the door takes it.
    async fn tell_tier(&mut self, phone: &str, tier: &str) -> Result<bool, String> {
        let now = self.now;
        let data = json!({"customer": {"phone": phone}, "tier": tier, "changed_at": now});
        let body = json!({"type": "customer.tier_changed", "timestamp": now, "data": data});
        Ok(self.player()?.offer(&format!("tier-{}", now.timestamp()), &body.to_string(), now).await)
    }

    fn order(&mut self, name: &str, phone: Option<&str>, due: i64) -> &mut ShopOrder {
        let new = ShopOrder {
            phone: phone.map(str::to_owned),
            status: "pending",
            payment: "unpaid",
            due,
            shipping: 0,
            refunded: 0,
            lines: Vec::new(),
            paid_with_points: 0,
            paid_with_wallet: 0,
            placed_at: self.now,
        };
        self.orders.insert(name.to_owned(), new);
        self.orders.get_mut(name).expect("just inserted")
    }

    fn known(&mut self, name: &str) -> Result<&mut ShopOrder, String> {
        self.orders.get_mut(name).ok_or_else(|| format!("order {name} was not placed in this scenario"))
    }

    /// ", shipping 30000, paid with points 1000, placed days ago 7"
    fn terms(&mut self, name: &str, text: &str) -> Result<(), String> {
        for term in text.split(',').map(str::trim).filter(|term| !term.is_empty()) {
            let (what, amount) = term.rsplit_once(' ').ok_or("an amount is missing")?;
            let amount = number(amount)?;
            let order = self.known(name)?;
            match what {
                "shipping" => order.shipping = amount,
                "paid with points" => order.paid_with_points = amount,
                "paid with wallet" => order.paid_with_wallet = amount,
                "placed days ago" => order.placed_at -= chrono::TimeDelta::days(amount),
                _ => return Err(format!("{what:?} is not understood")),
            }
        }
        Ok(())
    }

    fn becomes(&mut self, name: &str, state: &str) -> Result<(), String> {
        let order = self.known(name)?;
        (order.status, order.payment) = match state {
            "placed" => ("pending", "unpaid"),
            "confirmed" => ("confirmed", "unpaid"),
            "on its way" => ("shipping", "unpaid"),
            "delivered and paid" => ("delivered", "paid"),
            "delivered and refunded" => ("delivered", "refunded"),
            "delivered but not paid" => ("delivered", "unpaid"),
            "cancelled" => ("cancelled", order.payment),
            "returned" => ("returned", order.payment),
            _ => return Err(format!("{state:?} is no state of an order")),
        };
        Ok(())
    }

    async fn report(&mut self, name: &str, updated_at: DateTime<Utc>) -> Result<(), String> {
        let body = self.body(name, updated_at)?;
        self.deliver(format!("msg-{}", self.sent.len()), body).await
    }

    /// The whole order as its shop reports it.
    fn body(&mut self, name: &str, updated_at: DateTime<Utc>) -> Result<String, String> {
        let order = self.known(name)?.clone();
        let line = |line: &ShopLine| {
            let returned = if line.returned { line.amount } else { 0 };
            json!({"sku": line.sku, "amount": line.amount.to_string(), "returned": returned.to_string()})
        };
        let items: Vec<_> = order.lines.iter().map(line).collect();
        let customer = order.phone.map(|phone| json!({"phone": phone, "name": "Chị Lan"}));
        let body = json!({
            "type": "order.changed",
            "timestamp": updated_at,
            "data": {
                "order_id": name,
                "placed_at": order.placed_at,
                "updated_at": updated_at,
                "status": order.status,
                "payment_status": order.payment,
                "amount_due": order.due.to_string(),
                "shipping_fee": order.shipping.to_string(),
                "refunded": order.refunded.to_string(),
                "currency": "VND",
                "customer": customer,
                "items": items,
                "paid_with_points": order.paid_with_points.to_string(),
                "paid_with_wallet": order.paid_with_wallet.to_string(),
            },
        });
        Ok(body.to_string())
    }

    async fn deliver(&mut self, id: String, body: String) -> Result<(), String> {
        let now = self.now;
        self.player()?.deliver(&id, &body, now).await;
        self.sent.push((id, body));
        Ok(())
    }

    fn player(&mut self) -> Result<&mut P, String> {
        self.player.as_mut().ok_or_else(|| "begin with: Given the programme \"…\"".to_owned())
    }

    async fn standing(&mut self, phone: &str) -> Result<super::Standing, String> {
        let now = self.now;
        self.player()?.standing(phone, now).await.ok_or_else(|| "there is no such member".to_owned())
    }

    async fn history(&mut self, phone: &str) -> Result<Vec<Movement>, String> {
        let now = self.now;
        Ok(self.player()?.history(phone, now).await)
    }
}

/// A preset, with what the scenario says on top.
fn programme(preset: &str, on_top: &str) -> Result<String, String> {
    let path = format!("{}/../infra/programmes/{preset}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).map_err(|error| format!("no preset {preset}: {error}"))?;
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    merge(&mut table, on_top.parse().map_err(|error: toml::de::Error| error.to_string())?);
    toml::to_string(&table).map_err(|error| error.to_string())
}

fn merge(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// A table of SKUs and amounts.
fn lines(step: &Step) -> Result<Vec<ShopLine>, String> {
    let rows = step.table.as_ref().map(|table| table.rows.as_slice()).unwrap_or_default();
    let line = |row: &Vec<String>| match row.as_slice() {
        [sku, amount] => Ok(ShopLine { sku: sku.clone(), amount: number(amount)?, returned: false }),
        _ => Err("a line is a SKU and an amount".to_owned()),
    };
    rows.iter().map(line).collect()
}

fn read<'t>(pattern: &str, text: &'t str) -> Option<Captures<'t>> {
    Regex::new(pattern).expect("a pattern of ours").captures(text)
}

fn number(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| format!("{text:?} is not a whole number"))
}

fn row(entry: Movement) -> Vec<String> {
    vec![entry.kind, entry.redeemable.to_string(), entry.qualifying.to_string()]
}

fn same<T: PartialEq + std::fmt::Debug>(actual: T, expected: T) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("it is {actual:?}, not {expected:?}")) }
}
