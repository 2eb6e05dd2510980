//! What a programme file may say, and how it is told what is wrong with it.

use loyalty_domain::criteria::Criterion;
use loyalty_domain::points::Ratio;
use loyalty_domain::programme::NegativeBalance;

use super::*;

const SMALL: &str = r#"
id = "shop"
name = "Shop"
[earning]
vnd_per_point = 10000
[[tiers]]
id = "member"
name = "Member"
threshold = 0
[[tiers]]
id = "silver"
name = "Silver"
threshold = 200
"#;

fn preset(name: &str) -> String {
    let path = format!("{}/../../infra/programmes/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn problems(text: &str) -> Vec<String> {
    ProgrammeFile::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

fn paths(text: &str) -> Vec<String> {
    ProgrammeFile::parse(text).unwrap_err().into_iter().map(|problem| problem.path).collect()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn one_mistake_is_one_problem() {
    let shop = preset("cnv-retail").replace("currency = \"VND\"", "currency = \"VN\"");
    assert_eq!(paths(&shop), ["currency"]);
    assert_eq!(paths(&SMALL.replace("threshold = 200", "threshold = -5")), ["tiers[1].threshold"]);
    let free = problems(&SMALL.replace("vnd_per_point = 10000", "vnd_per_point = 0"));
    assert_eq!(free, ["earning.vnd_per_point: say how much has to be spent for one point: an amount above 0 (X3)"]);
}

#[test]
fn every_preset_is_what_the_contract_says() {
    type Preset = (&'static str, (u64, u64), [(u64, u64); 3], [i64; 3]);
    let expected: [Preset; 6] = [
        ("cnv-retail", (1, 10_000), [(1, 1); 3], [200, 700, 1_800]),
        ("cnv-retail-by-tier", (1, 10_000), [(12, 10), (13, 10), (15, 10)], [200, 700, 1_800]),
        ("cnv-retail-high-aov", (1, 10_000), [(1, 1); 3], [5_000, 15_000, 35_000]),
        ("cnv-miniapp", (1, 1_000), [(12, 10), (13, 10), (15, 10)], [1_000, 2_000, 3_000]),
        ("panda-points", (1, 10_000), [(1, 1); 3], [200, 700, 1_800]),
        ("panda-rules", (1, 10_000), [(1, 1); 3], [0; 3]),
    ];
    for (name, rate, multipliers, thresholds) in expected {
        let file = ProgrammeFile::parse(&preset(name)).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let version = file.at(at("2026-01-01T00:00:00Z"));
        let programme = &version.programme;
        assert!(programme.version.as_str().starts_with(&format!("{name}@")), "{name}");
        assert_eq!(programme.earning.rate, Ratio::new(rate.0, rate.1).unwrap(), "{name}");
        assert_eq!(programme.welcome, None, "{name}");
        assert_eq!(version.settle_seconds, 7, "{name}");
        let tiers = programme.tiers.as_slice();
        let ids: Vec<_> = tiers.iter().map(|tier| tier.id.as_str()).collect();
        assert_eq!(ids, ["member", "silver", "gold", "diamond"], "{name}");
        for (at, tier) in tiers.iter().skip(1).enumerate() {
            assert_eq!(tier.threshold, thresholds[at], "{name}");
            assert_eq!(tier.rules.is_some(), name == "panda-rules", "{name}");
            assert!(!tier.birthday.is_empty() && !tier.on_reaching.is_empty(), "{name}: B1, N2");
            assert_eq!(tier.multiplier, Ratio::new(multipliers[at].0, multipliers[at].1).unwrap(), "{name}");
        }
    }
}

#[test]
fn left_out_choices_are_the_decided_ones() {
    let short = ProgrammeFile::parse(SMALL).unwrap();
    let long = ProgrammeFile::parse(&preset("cnv-retail")).unwrap();
    let (short, long) = (&short.versions()[0].programme, &long.versions()[0].programme);
    assert_eq!((short.earning, short.reversal), (long.earning, long.reversal));
    assert_eq!((short.expiry, short.cycle, short.reversal_demotes), (long.expiry, long.cycle, long.reversal_demotes));
}

#[test]
fn every_problem_is_reported_with_its_path() {
    let text = r#"
        colour = "red"
        settle_seconds = "soon"
        [earning]
        vnd_per_point = 0
        round = "down"
        bonus = 3
        [reversal]
        negative_balance = "sometimes"
        [expiry]
        months = 0
        [sources.myshop]
        [[tiers]]
        id = "member"
        name = "Member"
        threshold = 5
        [[tiers]]
        id = "member"
        threshold = 5
        multiplier = 1.2
    "#;
    let expected = [
        "colour",
        "earning.bonus",
        "earning.round",
        "earning.vnd_per_point",
        "expiry.months",
        "id",
        "name",
        "reversal.negative_balance",
        "settle_seconds",
        "sources.myshop",
        "tiers[0].threshold",
        "tiers[1].id",
        "tiers[1].multiplier",
        "tiers[1].name",
        "tiers[1].threshold",
    ];
    assert_eq!(paths(text), expected);
}

#[test]
fn unknown_keys_are_refused_everywhere() {
    for (line, path) in [("[earning]", "earning.extra"), ("[[tiers]]", "tiers[0].extra"), ("id = \"shop\"", "extra")] {
        let text = SMALL.replacen(line, &format!("{line}\nextra = 1"), 1);
        assert_eq!(paths(&text), [path]);
    }
}

/// X37: a shop's word for a tier means one tier.
#[test]
fn no_two_tiers_are_called_alike() {
    let shop = preset("cnv-retail");
    let with = |line: &str, instead: &str| {
        assert!(shop.contains(line), "{line}");
        paths(&shop.replace(line, instead))
    };
    assert_eq!(with("name = \"Gold\"", "name = \"SILVER\""), ["tiers[2].name"]);
    assert_eq!(with("name = \"Gold\"", "name = \"Gold\"\naliases = [\"silver\"]"), ["tiers[2].aliases"]);
    assert_eq!(with("name = \"Silver\"", "name = \"Silver\"\naliases = [\"Gold\"]"), ["tiers[2].id", "tiers[2].name"]);
}

#[test]
fn a_file_that_is_not_toml_says_where() {
    let problems = problems("id = \"shop\"\nname =");
    assert!(problems[0].contains("line 2"), "{problems:?}");
}

#[test]
fn a_later_version_changes_only_what_it_says() {
    let text =
        format!("{SMALL}\n[[changes]]\neffective_from = \"2027-01-01\"\n[changes.earning]\nvnd_per_point = 20000\n");
    let file = ProgrammeFile::parse(&text).unwrap();
    // Midnight of the programme's zone, not UTC's.
    let before = &file.at(at("2026-12-31T16:59:59Z")).programme;
    let after = &file.at(at("2026-12-31T17:00:00Z")).programme;
    assert_eq!(before.earning.rate, Ratio::new(1, 10_000).unwrap());
    assert_eq!(after.earning.rate, Ratio::new(1, 20_000).unwrap());
    assert_eq!(before.tiers, after.tiers);
    assert_ne!(before.version, after.version);
}

#[test]
fn later_versions_are_checked_too() {
    let change = |body: &str| format!("{SMALL}\n[[changes]]\n{body}");
    assert_eq!(paths(&change("paused = true")), ["changes[0].effective_from"]);
    assert_eq!(
        paths(&change("effective_from = \"2027-01-01\"\n[changes.earning]\nvnd_per_point = \"cheap\"")),
        ["changes[0].earning.vnd_per_point"]
    );
    let backwards = change("effective_from = \"2027-01-01\"\n[[changes]]\neffective_from = \"2026-01-01\"");
    assert_eq!(paths(&backwards), ["changes[1].effective_from"]);
    assert_eq!(paths(&change("effective_from = \"2027-01-01\"\ncurrency = \"USD\"")), ["changes[0].currency"]);
    let moved = "effective_from = \"2027-01-01\"\ntime_zone = \"Asia/Tokyo\"";
    assert_eq!(paths(&change(moved)), ["changes[0].time_zone"]);
    assert_eq!(paths(&change("effective_from = \"2027-01-01\"\nsettle_seconds = 5")), ["changes[0].settle_seconds"]);
}

#[test]
fn the_version_is_a_hash_of_what_the_file_says_not_how() {
    let version = |text: &str| ProgrammeFile::parse(text).unwrap().versions()[0].programme.version.clone();
    assert_eq!(version(SMALL), version(&format!("# a comment\n{SMALL}")));
    assert_eq!(version(SMALL), version(&SMALL.replace("10000", "\"10000\"")));
    assert_ne!(version(SMALL), version(&SMALL.replace("10000", "10001")));
    assert_ne!(version(SMALL), version(&SMALL.replace("= 200", "= 201")));
}

#[test]
fn x1_additive_and_absolute_multipliers() {
    let text = |mode: &str, value: &str| {
        SMALL
            .replace("[earning]", &format!("[earning]\nmechanism = \"by_tier\"\nmultiplier_mode = \"{mode}\""))
            .replace("threshold = 200", &format!("threshold = 200\nmultiplier = {value}"))
    };
    let silver =
        |text: &str| ProgrammeFile::parse(text).unwrap().versions()[0].programme.tiers.as_slice()[1].multiplier;
    assert_eq!(silver(&text("additive", "0.2")), Ratio::new(6, 5).unwrap());
    assert_eq!(silver(&text("absolute", "1.2")), Ratio::new(6, 5).unwrap());
    assert_eq!(silver(&text("absolute", "\"12/10\"")), Ratio::new(6, 5).unwrap());
    assert_eq!(paths(&text("absolute", "0")), ["tiers[1].multiplier"]);
    assert_eq!(paths(&text("absolute", "-1.5")), ["tiers[1].multiplier"]);
}

#[test]
fn x22_every_policy_for_negative_balances() {
    let policy = |word: &str| {
        let text = format!("{SMALL}\n[reversal]\nnegative_balance = \"{word}\"");
        ProgrammeFile::parse(&text).map(|file| file.versions()[0].programme.reversal.negative_balance)
    };
    assert_eq!(policy("allow"), Ok(NegativeBalance::Allow));
    assert_eq!(policy("clamp"), Ok(NegativeBalance::Clamp));
    assert_eq!(policy("pending_only"), Ok(NegativeBalance::PendingOnly));
    assert_eq!(policy("limit(50)"), Ok(NegativeBalance::Limit(50)));
    assert!(policy("limit(-1)").is_err());
}

#[test]
fn a_currency_with_decimals_prices_a_point_in_its_minor_units() {
    let text = SMALL
        .replace("id = \"shop\"", "id = \"shop\"\ncurrency = \"USD\"")
        .replace("vnd_per_point = 10000", "amount_per_point = 0.5");
    let file = ProgrammeFile::parse(&text).unwrap();
    assert_eq!(file.versions()[0].programme.earning.rate, Ratio::new(1, 50).unwrap());
}

#[test]
fn x4_how_many_orders_each_tier_takes() {
    let orders = |name: &str| {
        let file = ProgrammeFile::parse(&preset(name)).unwrap();
        let version = &file.versions()[0];
        let (ways, warnings) = lint(version, version.average_order_minor);
        (ways.iter().map(|way| way.orders.unwrap()).collect::<Vec<_>>(), warnings.len())
    };
    assert_eq!(orders("cnv-retail"), (vec![10, 35, 90], 0));
    assert_eq!(orders("cnv-retail-high-aov"), (vec![100, 300, 700], 3));
    assert_eq!(orders("cnv-miniapp"), (vec![5, 10, 15], 0));
}

#[test]
fn a_budget_for_nobody_is_warned_of() {
    let warned = |budget: &str| {
        let text =
            preset("cnv-retail").replace("max_credits = 2\n", &format!("max_credits = 2\nbudget_points = {budget}\n"));
        let file = ProgrammeFile::parse(&text).unwrap();
        let (_, warnings) = lint(&file.versions()[0], None);
        warnings.iter().any(|warning| warning.path == "campaigns.budget_points")
    };
    assert_eq!(["299", "300"].map(warned), [true, false]);
}

#[test]
fn p7_tiers_that_all_earn_alike_are_warned_of() {
    let warned = |text: &str| {
        let file = ProgrammeFile::parse(text).unwrap();
        let (_, warnings) = lint(&file.versions()[0], None);
        warnings.iter().any(|warning| warning.path == "earning.mechanism")
    };
    let by_tier = SMALL.replace("[earning]", "[earning]\nmechanism = \"by_tier\"");
    assert!(warned(&by_tier));
    assert!(warned(&by_tier.replace("threshold = 200", "threshold = 200\nmultiplier = 0")));
    assert!(!warned(&by_tier.replace("threshold = 200", "threshold = 200\nmultiplier = 0.2")));
    assert!(!warned(SMALL));
}

#[test]
fn rules_of_tiers_are_read_and_every_mistake_is_named() {
    let tiers = |tiers: &str| {
        let head = "id = \"rules\"\nname = \"Rules\"\n[earning]\nvnd_per_point = 10000\n\
                    [[behaviours]]\nid = \"combo\"\nname = \"Combo\"\npoints = 1\n\
                    [[tiers]]\nid = \"member\"\nname = \"Member\"\n";
        ProgrammeFile::parse(&format!("{head}{tiers}"))
    };
    let silver = "[[tiers]]\nid = \"silver\"\nname = \"Silver\"\n";
    let read = tiers(&format!(
        "{silver}enter = {{ spend = 2000000, any = [{{ orders = 5 }}, {{ behaviours = {{ combo = 2 }} }}] }}\n\
         keep = {{ orders = 1 }}\naliases = [\"Bạc\"]\n"
    ));
    let tier = read.unwrap().versions()[0].programme.tiers.called("bạc").unwrap().clone();
    let rules = tier.rules.unwrap();
    let combo = Criterion::Behaviour { rule: "combo".into(), times: 2 };
    let any = Criterion::Any(vec![Criterion::Orders { count: 5 }, combo]);
    assert_eq!(rules.enter, Criterion::All(vec![Criterion::Spent { minor: 2_000_000 }, any]));
    assert_eq!((rules.keep, &rules.reenter), (Criterion::Orders { count: 1 }, &rules.enter));

    let problems =
        |text: &str| -> Vec<String> { tiers(text).unwrap_err().into_iter().map(|problem| problem.path).collect() };
    assert_eq!(problems(&format!("{silver}enter = {{}}\n")), ["tiers[1].enter"]);
    assert_eq!(problems(&format!("{silver}enter = {{ spend = 0 }}\n")), ["tiers[1].enter.spend"]);
    assert_eq!(
        problems(&format!("{silver}enter = {{ any = [{{ orders = 0 }}] }}\n")),
        ["tiers[1].enter.any[0].orders"]
    );
    let unknown = "enter = { behaviours = { dance = 1 } }\n";
    assert_eq!(problems(&format!("{silver}{unknown}")), ["tiers[1].enter.behaviours"]);
    let both = "threshold = 200\nenter = { orders = 5 }\n";
    assert_eq!(problems(&format!("{silver}{both}")), ["tiers[1].threshold"]);
    let gold = "[[tiers]]\nid = \"gold\"\nname = \"Gold\"\n";
    assert_eq!(problems(&format!("{silver}enter = {{ orders = 5 }}\n{gold}")), ["tiers[2].enter"]);
    assert_eq!(problems("enter = { orders = 1 }\n"), ["tiers[0].enter"]);
    assert_eq!(problems(&format!("{silver}threshold = 9\nkeep = {{ orders = 1 }}\n")), ["tiers[1].enter"]);
}
