//! Makes a failing scenario small enough to read.

use super::mutant::Mutant;
use super::play;
use super::scenario::{Event, Fault, Scenario, What};

/// Leaves out events, then faults, as long as the scenario still fails; then tells it.
pub fn smallest(mut scenario: Scenario, mutant: Option<Mutant>) -> Scenario {
    let fails = |scenario: &Scenario| play(scenario, mutant).is_err();
    let mut at = 0;
    let mut dropped = true;
    while dropped {
        dropped = false;
        at = 0;
        while at < scenario.events.len() {
            let mut fewer = scenario.clone();
            fewer.events.remove(at);
            if fails(&fewer) {
                scenario = fewer;
                dropped = true;
            } else {
                at += 1;
            }
        }
    }
    while at > 0 {
        at -= 1;
        let mut calmer = scenario.clone();
        calmer.events[at].fault = Fault::None;
        if fails(&calmer) {
            scenario = calmer.clone();
        }
        calmer = scenario.clone();
        calmer.events[at].lag = [0; 4];
        if fails(&calmer) {
            scenario = calmer.clone();
        }
        calmer = scenario.clone();
        calmer.events[at].hold = 0;
        if fails(&calmer) {
            scenario = calmer;
        }
    }
    let mut fewer = scenario.clone();
    while fewer.programmes.len() > 1 {
        fewer.programmes.pop();
        if fails(&fewer) {
            scenario = fewer.clone();
        }
    }
    scenario
}

/// The scenario in words, one line for each event.
pub fn told(scenario: &Scenario) -> String {
    let mut lines = Vec::new();
    for (from, programme) in &scenario.programmes {
        lines.push(format!("from {from}: {programme:?}"));
    }
    lines.extend(scenario.events.iter().map(|event| line(scenario, event)));
    lines.join("\n")
}

/// One event in words.
pub fn line(scenario: &Scenario, event: &Event) -> String {
    let what = match event.what {
        What::Order(at) => {
            let snapshot = &scenario.snapshots[at];
            format!("{} of {:?}: {:?}", snapshot.order_id, snapshot.member_id, snapshot.facts)
        }
        other => format!("{other:?}"),
    };
    format!("{} {what} [{:?}, lag {:?}, hold {}]", event.now, event.fault, event.lag, event.hold)
}
