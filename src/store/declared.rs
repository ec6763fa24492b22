//! What was declared that may move dates, and the dates it moves.
//!
//! Job: force majeure and announced maintenance out of events, classified outages and plans; the function by which
//! stored dates are reckoned anew. What it does not do: decide that a clause moves anything (`contract`).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::outage::{OutageClass, OutagePlan, OutageRow};
use crate::contract::{Circumstance, Contracts, Deadline, Event, ServiceTime, Trigger};
use crate::queue::Delivery;

/// The dates of a delivery under what was declared for its facility; `None`: they stay.
pub type Redate = Arc<dyn Fn(&Delivery, &[Circumstance], Timestamp) -> Option<Deadline> + Send + Sync>;

/// What was declared for a facility. An event that is recorded again with the same beginning replaces the earlier one: so
/// what had no end gets one.
#[must_use]
pub fn circumstances(
    facility: &str,
    events: &[Event],
    outages: &[OutageRow],
    plans: &[OutagePlan],
) -> Vec<Circumstance> {
    let here = |place: &str| place == "*" || place == facility;
    let mut declared: BTreeMap<(Trigger, &str, Timestamp), Option<Timestamp>> = BTreeMap::new();
    for event in events.iter().filter(|event| here(&event.facility)) {
        if matches!(event.kind, Trigger::ForceMajeure | Trigger::Maintenance) {
            declared.insert((event.kind, &event.facility, event.at), event.until);
        }
    }
    let told = declared.into_iter().map(|((kind, _, from), to)| Circumstance { kind, from, to });
    let disasters = outages.iter().filter(|row| here(&row.facility));
    let disasters = disasters.filter(|row| matches!(row.class, Some((OutageClass::ForceMajeure, _))));
    let disasters =
        disasters.map(|row| Circumstance { kind: Trigger::ForceMajeure, from: row.opened_at, to: row.closed_at });
    let announced = plans.iter().filter(|plan| here(&plan.facility));
    let announced =
        announced.map(|plan| Circumstance { kind: Trigger::Maintenance, from: plan.from, to: Some(plan.to) });
    told.chain(disasters).chain(announced).collect()
}

/// Reckons dates anew by the agreements; `None` if no clause of theirs moves any. A date never becomes earlier: what was
/// declared and is withdrawn again, or got an earlier end, takes nothing back that somebody was told, and lets nothing
/// expire that was promised its time. What is sent does not wait for its date anyway.
#[must_use]
pub fn redating(contracts: &Arc<Contracts>, zones: BTreeMap<String, TimeZone>) -> Option<Redate> {
    if !contracts.move_dates() {
        return None;
    }
    let contracts = Arc::clone(contracts);
    Some(Arc::new(move |delivery: &Delivery, declared: &[Circumstance], now: Timestamp| {
        let service = ServiceTime {
            occurred_at: delivery.occurred_at,
            service_date: delivery.service_date?,
            accepted_at: delivery.accepted_at,
            zone: zones.get(&delivery.facility)?.clone(),
        };
        let dated = contracts.explain(&delivery.deadline.rule, &service, declared, now);
        let deadline = never_earlier(&delivery.deadline, dated.deadline);
        (!dated.moved.is_empty() && deadline != delivery.deadline).then_some(deadline)
    }))
}

/// The dates as they stand where others are reckoned anew: each the later one.
#[must_use]
pub fn never_earlier(known: &Deadline, reckoned: Deadline) -> Deadline {
    // What had no date gets none: an agreement that was replaced meanwhile is not this entry's.
    let later = |known: Option<Timestamp>, reckoned: Option<Timestamp>| {
        known.map(|known| reckoned.map_or(known, |new| new.max(known)))
    };
    Deadline { late: later(known.late, reckoned.late), last: later(known.last, reckoned.last), ..reckoned }
}
