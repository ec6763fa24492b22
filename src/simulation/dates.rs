//! Where a clause moves dates: people who declare what moves them, say when it ended, and take back what was announced.

use std::sync::Arc;
use std::time::Duration;

use super::dice::Dice;
use super::process::Process;
use super::run::Bench;
use crate::contract::{Event, Trigger};
use crate::store::{AuditEntry, OutageChange, OutageClass, OutagePlan, Verdict};

/// What was declared so far and may still be changed.
#[derive(Default)]
struct Declared {
    events: Vec<Event>,
    plans: Vec<i64>,
}

/// Declares something from time to time, and reckons the dates anew as the faces do.
pub(super) async fn declare(bench: Arc<Bench>) {
    let dice = bench.hub.dice("declared");
    let mut declared = Declared::default();
    while bench.hub.faulty() {
        tokio::time::sleep(dice.spread(Duration::from_secs(1), bench.hub.options.span / 2)).await;
        let Some(process) = bench.ready() else { continue };
        match dice.below(5) {
            0 => disaster(&bench, &process, &dice, &mut declared).await,
            1 => ends(&bench, &process, &dice, &mut declared).await,
            2 => announce(&bench, &process, &dice, &mut declared).await,
            3 => withdraw(&bench, &process, &dice, &mut declared).await,
            _ => classify(&bench, &process, &dice).await,
        }
        let Some(redate) = process.redate.clone() else { continue };
        let (store, now) = (Arc::clone(&process.store), bench.hub.clock.now());
        let _moved = process.ask(async move { store.redate(now, redate).await }).await;
    }
}

fn somewhere(bench: &Bench, dice: &Dice) -> String {
    let site = dice.place(bench.hub.sites.len());
    if dice.strikes(300) { "*".to_owned() } else { bench.hub.sites[site].code.to_owned() }
}

/// Up to six hours.
fn some_time(dice: &Dice) -> Duration {
    dice.spread(Duration::from_secs(1), Duration::from_hours(6))
}

async fn disaster(bench: &Bench, process: &Process, dice: &Dice, declared: &mut Declared) {
    let now = bench.hub.clock.now();
    let event = Event {
        id: 0,
        kind: Trigger::ForceMajeure,
        facility: somewhere(bench, dice),
        at: now - some_time(dice),
        // What lasts moves the dates at every look: seldom, because a run is to take a moment.
        until: dice.strikes(850).then(|| now + some_time(dice)),
        remark: "banjir".to_owned(),
        actor: "petugas".to_owned(),
        recorded_at: now,
    };
    record(process, event, declared).await;
}

/// The same event with an end, or with another one.
async fn ends(bench: &Bench, process: &Process, dice: &Dice, declared: &mut Declared) {
    if declared.events.is_empty() {
        return;
    }
    let mut event = declared.events[dice.place(declared.events.len())].clone();
    let now = bench.hub.clock.now();
    (event.id, event.until, event.recorded_at) = (0, Some(now.max(event.at)), now);
    record(process, event, declared).await;
}

async fn record(process: &Process, event: Event, declared: &mut Declared) {
    let (store, new) = (Arc::clone(&process.store), event.clone());
    if let Some(Ok(_kept)) = process.ask(async move { store.record_event(new).await }).await {
        declared.events.push(event);
    }
}

fn audit(bench: &Bench, action: &str) -> AuditEntry {
    AuditEntry {
        at: bench.hub.clock.now(),
        actor: "petugas".to_owned(),
        action: action.to_owned(),
        object: String::new(),
        detail: "uji".to_owned(),
    }
}

async fn announce(bench: &Bench, process: &Process, dice: &Dice, declared: &mut Declared) {
    let now = bench.hub.clock.now();
    let plan = OutagePlan {
        id: 0,
        facility: somewhere(bench, dice),
        from: now - some_time(dice),
        to: now + some_time(dice),
        verdict: Verdict::Bpjs,
        reason: "pemeliharaan".to_owned(),
        actor: "petugas".to_owned(),
        announced_at: now,
    };
    let (store, audit) = (Arc::clone(&process.store), audit(bench, "outage.plan"));
    if let Some(Ok(kept)) = process.ask(async move { store.plan_outage(plan, audit).await }).await {
        declared.plans.push(kept.id);
    }
}

async fn withdraw(bench: &Bench, process: &Process, dice: &Dice, declared: &mut Declared) {
    if declared.plans.is_empty() {
        return;
    }
    let id = declared.plans[dice.place(declared.plans.len())];
    let (store, audit) = (Arc::clone(&process.store), audit(bench, "outage.withdraw"));
    let _known = process.ask(async move { store.withdraw_plan(id, audit).await }).await;
}

/// An outage that was a disaster, or was none after all.
async fn classify(bench: &Bench, process: &Process, dice: &Dice) {
    let store = Arc::clone(&process.store);
    let Some(Ok(outages)) = process.ask(async move { store.outages(10).await }).await else { return };
    if outages.is_empty() {
        return;
    }
    let id = outages[dice.place(outages.len())].id;
    let class = if dice.strikes(600) { OutageClass::ForceMajeure } else { OutageClass::ALL[0] };
    let (store, actor) = (Arc::clone(&process.store), "petugas: uji".to_owned());
    let change = OutageChange::Classify { id, class, actor };
    let _classified = process.ask(async move { store.change_outage(change).await }).await;
    bench.hub.event("outage classified", 0, 0);
}
