//! What must hold when a run is over: BPJS has what was delivered exactly once, the feed tells all of it, and a
//! reconciliation shows every copy that a broken assumption made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hub::Hub;
use super::model::{Broken, Model, RowName, rows_of};
use super::people::family_of;
use super::run::Bench;
use super::store::on_the_spot;
use crate::queue::State;
use crate::reconcile::day::Order;
use crate::simulator::world::Origin;

pub(super) async fn check(bench: &Arc<Bench>) {
    let hub = &bench.hub;
    let shown = reconcile(bench).await;
    feed(bench);
    exactly_once(hub, &shown);
}

/// Reconciles every day of the run; the ids that BPJS has and the bridge does not own.
async fn reconcile(bench: &Arc<Bench>) -> BTreeSet<(usize, String, String)> {
    let hub = &bench.hub;
    let mut shown = BTreeSet::new();
    let Some(process) = bench.ready() else { return shown };
    // Also days of which the store knows nothing: what a restored backup forgot was at BPJS all the same.
    let days: BTreeSet<(usize, jiff::civil::Date)> = {
        let model = hub.model();
        let planned = model.plan.entries.iter().map(|planned| (planned.facility, planned.day));
        let all = model.plan.entries.iter().zip(&model.entries);
        let known = all.filter_map(|(planned, entry)| Some((planned.facility, entry.last.as_ref()?.service_date?)));
        planned.chain(known).collect()
    };
    for (site, day) in days {
        let facility = hub.sites[site].code.to_owned();
        let order = Order { facility, from: day, to: day, sim: None, actor: "petugas".to_owned() };
        let reconciler = Arc::clone(&process.reconciler);
        let report = process.ask(async move { reconciler.run(order).await }).await;
        let Some(Ok(report)) = report else {
            hub.broken("reconciliation shows copies", "a reconciliation in calm weather failed".to_owned());
            continue;
        };
        if report["complete"] == serde_json::json!(false) {
            hub.broken("reconciliation shows copies", format!("not everything was read: {}", report["unread"]));
        }
        for item in report["items"].as_array().into_iter().flatten().filter(|item| item["class"] == "only_bpjs") {
            let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
            hub.event("reconciliation: only at BPJS", site, 0);
            shown.insert((site, family_of(&text("operation")).to_owned(), text("id")));
        }
        let adopted = report["adopted"].as_u64().unwrap_or(0);
        if adopted > 0 {
            hub.event("reconciliation: adopted", site, adopted);
        }
    }
    shown
}

/// Every change to a final state is in the feed, in order, and the feed can be read from the beginning.
fn feed(bench: &Arc<Bench>) {
    let hub = &bench.hub;
    let Some(process) = bench.ready() else { return };
    let facilities: Vec<String> = hub.sites.iter().map(|site| site.code.to_owned()).collect();
    let (mut cursor, mut told) = (0, Vec::new());
    loop {
        let page = on_the_spot(process.below.changes(&facilities, cursor, 200)).unwrap_or_default();
        let Some(last) = page.last().map(|change| change.cursor) else { break };
        if last <= cursor {
            return hub.broken("changes feed complete", format!("the cursor goes from {cursor} to {last}"));
        }
        cursor = last;
        told.extend(page.iter().map(|change| change.delivery.id));
    }
    let mut told_times: BTreeMap<_, usize> = BTreeMap::new();
    told.iter().for_each(|id| *told_times.entry(*id).or_default() += 1);
    let model = hub.model();
    let missing = model.entries.iter().enumerate().find(|(_, entry)| {
        let last = entry.last.as_ref().filter(|_| !entry.forgotten);
        last.is_some_and(|last| last.progress.state.is_final() && !told_times.contains_key(&last.id))
    });
    let missing = missing.map(|(place, _)| place);
    drop(model);
    if let Some(place) = missing {
        hub.broken("changes feed complete", format!("entry {place} is final and not in the feed"));
    }
}

/// What our side made at BPJS and is there now.
fn alive(hub: &Hub) -> BTreeMap<RowName, Option<String>> {
    let mut alive = BTreeMap::new();
    for (site, simulator) in hub.bpjs.iter().enumerate() {
        simulator.look(|world| {
            for (family, id, mark, origin) in rows_of(world) {
                if origin == Origin::WebService {
                    alive.insert((site, family, id), mark);
                }
            }
        });
    }
    alive
}

/// What the row of a delivered add lacks.
fn misses(model: &Model, place: usize, name: &RowName, there: Option<&Option<String>>) -> Option<Broken> {
    let Some(mark) = there else {
        return Some(("nothing lost", format!("entry {place} says it is {name:?}, which is not there")));
    };
    let wanted = last_word(model, place).filter(|wanted| wanted != mark)?;
    Some(("edits arrive", format!("{name:?} of {place} holds {mark:?}, wanted {wanted:?}")))
}

/// The mark that the row of an add must have: its last delivered edit's, or its own; nothing where an edit of it may have
/// arrived that the bridge does not call delivered.
fn last_word(model: &Model, place: usize) -> Option<Option<String>> {
    let mut last = place;
    for (at, planned) in model.plan.entries.iter().enumerate() {
        if !planned.operation.ends_with(".edit") || planned.after.last() != Some(&place) {
            continue;
        }
        match model.state(at) {
            Some(State::Delivered) => last = at,
            _other if model.entries[at].sent > 0 => return None,
            _never_sent => {}
        }
    }
    Some(model.plan.entries[last].mark.clone())
}

/// What is at BPJS now, by mark, against what the bridge says.
fn exactly_once(hub: &Hub, shown: &BTreeSet<(usize, String, String)>) {
    let alive = alive(hub);
    let model = hub.model();
    let mut owned: BTreeMap<RowName, usize> = BTreeMap::new();
    let mut broken = Vec::new();
    let deleted: BTreeSet<usize> = (0..model.entries.len())
        .filter(|&place| {
            model.plan.entries[place].operation.ends_with(".delete") && model.state(place) == Some(State::Delivered)
        })
        .flat_map(|place| model.plan.entries[place].after.iter().rev().take(1).copied().collect::<Vec<_>>())
        .collect();
    // What a restored backup says of entries is not what BPJS has: only the copies must be shown.
    let known = if model.restored { 0 } else { model.entries.len() };
    for place in 0..known {
        let planned = &model.plan.entries[place];
        if !planned.operation.ends_with(".add") || model.entries[place].forgotten {
            continue;
        }
        let parent_gone = planned.after.first().is_some_and(|parent| deleted.contains(parent));
        match model.state(place) {
            Some(State::Delivered) if !deleted.contains(&place) && !parent_gone => {
                let Some((family, id)) = model.row_id(place) else {
                    broken.push(("ids right", format!("entry {place} was delivered without an id")));
                    continue;
                };
                let name = (planned.facility, family, id);
                broken.extend(misses(&model, place, &name, alive.get(&name)));
                if let Some(other) = owned.insert(name.clone(), place) {
                    broken.push(("one id, one owner", format!("{name:?} belongs to {other} and {place}")));
                }
            }
            Some(State::Delivered) => {}
            Some(state) => {
                let mark = planned.mark.clone().unwrap_or_default();
                let twins = model.with_mark(&mark).len();
                let landed = model.landed.get(&mark).copied().unwrap_or(0);
                if landed > 0 && twins == 1 && matches!(state, State::Cancelled | State::Expired) {
                    broken.push(("nothing lost", format!("entry {place} is {state} and at BPJS all the same")));
                }
            }
            None => broken.push(("202 is kept", format!("entry {place} was never taken"))),
        }
    }
    if model.restored {
        owned = (0..model.entries.len())
            .filter_map(|place| {
                let (family, id) = model.row_id(place)?;
                Some(((model.plan.entries[place].facility, family, id), place))
            })
            .collect();
    }
    for name in alive.keys().filter(|name| !owned.contains_key(*name)) {
        let (site, family, id) = name;
        let own = id.rsplit(' ').next().unwrap_or(id).to_owned();
        if !shown.contains(&(*site, (*family).to_owned(), own)) {
            broken.push(("reconciliation shows copies", format!("{name:?} belongs to nobody and is not shown")));
        } else {
            hub.event("copy shown by reconciliation", *site, 0);
        }
        if !hub.options.broken && !model.restored && !model.is_denied(name) {
            broken.push(("never twice", format!("{name:?} belongs to nobody")));
        }
    }
    drop(model);
    for (checker, saw) in broken {
        hub.broken(checker, saw);
    }
}
