//! What is checked after every step of the store.

use std::time::Duration;

use super::hub::Hub;
use super::store::{Moment, Watched, on_the_spot};
use crate::audit;
use crate::catalogue::Operation;
use crate::queue::transition::Event;
use crate::queue::{Delivery, DeliveryId, Finding, How, Outcome, Purpose, State};
use crate::store::{Acceptance, Act, Acted, Claimed, NewSubmission, Recorded, Store, StoreError, SubmissionRow};

/// By so much the clock may be ahead of BPJS's and still be called right.
const A_MINUTE: Duration = Duration::from_secs(61);

/// The submission of the plan that a reference names.
fn number_of(reference: &str) -> Option<usize> {
    reference.strip_prefix('r')?.parse().ok()
}

pub(super) fn accepted(own: &Watched, new: &NewSubmission, accepted: &Acceptance) {
    let row = match accepted {
        Acceptance::New(row) => {
            own.hub.event("accepted", number_of(&row.reference).unwrap_or(0), 1);
            row
        }
        Acceptance::Same(row) => {
            own.hub.event("handed in again", number_of(&row.reference).unwrap_or(0), 0);
            row
        }
        Acceptance::Conflict(_) => {
            return own.hub.broken("idempotency", format!("{} conflicts with itself", new.reference));
        }
    };
    know(own.below.as_ref(), &own.hub, row);
}

/// Takes a submission's deliveries into the model.
pub(super) fn know(store: &dyn Store, hub: &Hub, row: &SubmissionRow) {
    let Some(number) = number_of(&row.reference) else { return };
    let Ok(deliveries) = on_the_spot(store.deliveries_of(row.id)) else { return };
    hub.model().submissions.insert(number, row.id);
    for delivery in &deliveries {
        let place = {
            let model = hub.model();
            let entries = &model.plan.submissions[number].entries;
            entries.iter().copied().find(|&place| model.plan.entries[place].name == delivery.entry_ref)
        };
        if let Some(place) = place {
            see(hub, place, delivery);
        }
    }
}

/// A delivery as the store has it.
pub(super) fn see(hub: &Hub, place: usize, now: &Delivery) {
    let before = hub.model().entries[place].last.clone();
    let seen = hub.model().see(place, now, &hub.bpjs);
    match seen {
        Ok(None) => return,
        Ok(Some(state)) => {
            hub.event(state.word(), place, 0);
            if state == State::Expired && now.deadline.last.is_none_or(|last| last > hub.true_time() + A_MINUTE) {
                hub.broken(
                    "nothing expires early",
                    format!("entry {place} at {}: {:?}", hub.true_time(), now.deadline),
                );
            }
            if let Some(how) = now.progress.how {
                let what = match how {
                    How::Accepted => "delivered: accepted",
                    How::AlreadyThere => "delivered: already there",
                    How::Adopted => "delivered: adopted",
                };
                hub.event(what, place, 0);
            }
            if state == State::Held {
                let why = now.progress.why.as_ref().map_or("", |why| why.code.as_str());
                let held = ["ambiguous", "prerequisite", "operator", "reproducible_fault"];
                let what = held.iter().position(|code| *code == why);
                let what = what.map(|at| {
                    ["held: ambiguous", "held: prerequisite", "held: operator", "held: reproducible fault"][at]
                });
                hub.event(what.unwrap_or("held: other"), place, 0);
            }
        }
        Err((checker, saw)) => hub.broken(checker, saw),
    }
    let lost = before.as_ref().is_some_and(|before| {
        before.progress.lease.is_some_and(|lease| lease.purpose == Purpose::Send) && now.progress.lease.is_none()
    });
    let anew = before.is_some_and(|before| before.progress.doubt.since != now.progress.doubt.since);
    let mut model = hub.model();
    let entry = &mut model.entries[place];
    if lost && anew && now.progress.doubt.marked {
        (entry.sending, entry.doubt, entry.absent) = (None, Some(entry.ended.unwrap_or_else(|| hub.millis())), 0);
    }
    if now.progress.state == State::Delivered {
        (entry.sending, entry.doubt) = (None, None);
    }
}

fn operation(hub: &Hub, place: usize) -> Option<&Operation> {
    let name = hub.model().plan.entries[place].operation;
    hub.catalogue.operation(name)
}

pub(super) fn claimed(own: &Watched, claimed: &[Claimed]) {
    for one in claimed {
        let hub = &own.hub;
        let Some(place) = hub.model().place(one.delivery.id) else {
            hub.broken("202 is kept", "a delivery nobody handed in was claimed".to_owned());
            continue;
        };
        match one.purpose {
            Purpose::LookUp => {
                hub.event("claimed to look up", place, 0);
                let other = hub.model().in_hand(place);
                if let Some(other) = other {
                    hub.broken("order per patient", format!("{place} is looked up while {other} is in hand"));
                }
                see(hub, place, &one.delivery);
                let at = hub.millis();
                hub.model().entries[place].look_begun = at;
            }
            Purpose::Send => {
                hub.event("claimed to send", place, 0);
                may_be_sent(own, place, one);
                see(hub, place, &one.delivery);
                let mut model = hub.model();
                (model.entries[place].sending, model.entries[place].ended) = (Some(one.attempt), None);
                // What BPJS denied to an earlier attempt counts no more.
                model.forget_denial(place);
                drop(model);
                own.life.moment(Moment::Claimed);
            }
        }
    }
    if !claimed.is_empty() {
        own.hub.claimed.notify_waiters();
    }
}

/// Everything that must hold at the moment an entry is claimed to be sent.
fn may_be_sent(own: &Watched, place: usize, one: &Claimed) {
    let hub = &own.hub;
    let attempts = on_the_spot(own.below.attempts(one.delivery.id)).unwrap_or_default();
    if !attempts.iter().any(|row| row.number == one.attempt && row.ended_at.is_none()) {
        hub.broken("no attempt without a record", format!("entry {place} was claimed without a row of its attempt"));
    }
    let model = hub.model();
    let planned = &model.plan.entries[place];
    let open = planned.after.iter().find(|&&parent| model.state(parent) != Some(State::Delivered));
    let late = model.out_of_turn(place);
    let entry = &model.entries[place];
    let shown =
        |at: usize| format!("{at} {} after {:?}", model.plan.entries[at].operation, model.plan.entries[at].after);
    let (own_words, late_words) = (shown(place), late.map(shown));
    let looks = hub.catalogue.operation(planned.operation).is_some_and(|operation| operation.look_up.is_some());
    let unlooked = (looks && entry.doubt.is_some() && !entry.declared).then_some(entry.absent);
    let needed = if hub.catalogue.operation(planned.operation).is_some_and(Operation::is_unique) { 1 } else { 2 };
    let (open, doubt) = (open.copied(), entry.doubt);
    drop(model);
    if let Some(parent) = open {
        hub.broken("children after parents", format!("entry {place} goes before {parent}"));
    }
    if let Some(earlier) = late_words {
        hub.broken("order per patient", format!("{own_words} goes before {earlier}"));
    }
    if let Some(absent) =
        unlooked.filter(|absent| *absent < needed && hub.options.policy == super::options::Policy::Real)
    {
        let saw = format!("entry {place} in doubt since {doubt:?} ms goes again after {absent} of {needed} look-ups");
        hub.broken("look before sending again", saw);
    }
    if doubt.is_some() && looks {
        hub.event("sent again after look-ups", place, 0);
    }
}

/// Whether the answer that was just recorded was delivered twice; asked once.
pub(super) fn is_answered_twice(own: &Watched, id: DeliveryId) -> bool {
    let mut model = own.hub.model();
    let place = model.place(id);
    place.is_some_and(|place| std::mem::take(&mut model.entries[place].twice))
}

/// The second delivery of an answer ends nothing.
pub(super) fn recorded_again(own: &Watched, id: DeliveryId, second: &Result<Option<Delivery>, StoreError>) {
    let place = own.hub.model().place(id).unwrap_or_default();
    match second {
        Ok(Some(_)) => own.hub.broken("only the holder records", format!("entry {place}: one answer ended it twice")),
        Ok(None) => own.hub.event("the second answer ended nothing", place, 0),
        Err(_the_disk_failed) => {}
    }
}

pub(super) fn recorded(own: &Watched, of: &Recorded, after: Option<&Delivery>) {
    let hub = &own.hub;
    let Some(place) = hub.model().place(of.id) else { return };
    let Some(after) = after else {
        return hub.event("recorded too late", place, 0);
    };
    let holder = hub.model().entries[place].last.as_ref().and_then(|last| last.progress.lease);
    if holder.is_none_or(|lease| lease.token != of.token) {
        hub.broken("only the holder records", format!("entry {place}: the end of an attempt that had lost its lease"));
    }
    // However late it is recorded, it ended when the sender had its answer or gave up.
    let at = hub.model().entries[place].ended.unwrap_or_else(|| hub.millis());
    match &of.event {
        Event::Ended(outcome) => {
            hub.event(outcome.word(), place, 0);
            let unknown = matches!(
                outcome,
                Outcome::NoAnswer { .. }
                    | Outcome::Unreadable { .. }
                    | Outcome::Unavailable { .. }
                    | Outcome::Fault(_)
                    | Outcome::AcceptedUnread { .. }
            );
            let mut model = hub.model();
            let entry = &mut model.entries[place];
            entry.sending = None;
            if unknown {
                (entry.doubt, entry.absent, entry.declared) = (Some(at), 0, false);
            }
        }
        Event::Looked { finding, .. } => {
            hub.event(finding.word(), place, 1);
            if matches!(finding, Finding::Absent) {
                count_absent(hub, place);
                own.life.moment(Moment::Absent);
            }
        }
        _other => {}
    }
    see(hub, place, after);
    refresh_chain(own.below.as_ref(), hub, place);
}

/// A look-up found nothing: it counts from settle on, the second from three times settle, in true time but for steps of the
/// clock that are too small to be noticed.
fn count_absent(hub: &Hub, place: usize) {
    let Some(operation) = operation(hub, place) else { return };
    let unique = operation.is_unique();
    let spare = 2 * hub.options.store_delay + 50;
    let settle = u64::try_from(hub.options.settle.as_millis()).unwrap_or(0);
    let mut model = hub.model();
    let entry = &mut model.entries[place];
    let Some(doubt) = entry.doubt else { return };
    let age = (entry.look_begun + spare + hub.crept_since(doubt)).saturating_sub(doubt);
    let counts = if entry.absent == 0 || unique { age >= settle } else { age >= 3 * settle };
    if counts {
        entry.absent = entry.absent.saturating_add(1);
    }
}

pub(super) fn acted(own: &Watched, of: &Act, acted: &Acted) {
    let hub = &own.hub;
    let head = on_the_spot(own.below.audit_head()).ok().flatten();
    let known = hub.model().audit.0;
    match acted {
        Acted::Done(delivery) => {
            let named = head.as_ref().is_some_and(|head| {
                head.seq > known && head.object == of.id.to_string() && head.action == of.audit.action
            });
            if !named {
                hub.broken("audit and queue agree", format!("{} was done and is not in the log", of.audit.action));
            }
            let place = hub.model().place(of.id);
            if let Some(place) = place {
                match &of.event {
                    Event::Adopt { .. } => hub.event("adopted by somebody", place, 0),
                    Event::DeclareAbsent => {
                        hub.event("declared absent", place, 0);
                        hub.model().entries[place].declared = true;
                    }
                    Event::Amend => hub.event("amended", place, 0),
                    Event::Cancel { .. } => hub.event("cancelled by a person", place, 0),
                    Event::Retry => hub.event("retried by a person", place, 0),
                    _other => hub.event("moved by a person", place, 0),
                }
                see(hub, place, delivery);
                refresh_chain(own.below.as_ref(), hub, place);
            }
        }
        Acted::Refused(..) => {
            hub.event("act refused", 0, 0);
            let rows = on_the_spot(own.below.audit(known, 500)).unwrap_or_default();
            if rows.iter().any(|row| row.object == of.id.to_string() && row.at == of.audit.at) {
                hub.broken("audit and queue agree", "a refused act is in the log".to_owned());
            }
        }
        Acted::Unknown => hub.broken("202 is kept", format!("delivery {} is gone", of.id)),
    }
    chain(own.below.as_ref(), hub);
}

pub(super) fn logged(own: &Watched, action: &str) {
    let what = if action == "resume" { "resumed" } else { "paused" };
    own.hub.event(what, 0, 0);
    chain(own.below.as_ref(), &own.hub);
}

/// The security log's chain from where it was verified last.
pub(super) fn chain(store: &dyn Store, hub: &Hub) {
    let (mut seq, mut hash) = hub.model().audit.clone();
    loop {
        let rows = on_the_spot(store.audit(seq, 500)).unwrap_or_default();
        let Some(last) = rows.last().map(|row| row.seq) else { break };
        match audit::verify(&hash, seq + 1, &rows) {
            Ok(end) => (seq, hash) = (last, end),
            Err(at) => return hub.broken("audit chain", format!("breaks at {at}")),
        }
    }
    hub.model().audit = (seq, hash);
}

/// Something moved without naming what: everything is looked at.
pub(super) fn moved(own: &Watched, what: &'static str, count: usize) {
    if count > 0 {
        own.hub.event(what, count, 0);
        let sending = sent_with_lease(&own.hub);
        refresh_all(own.below.as_ref(), &own.hub);
        doubt_lost(&own.hub, &sending);
    }
}

/// Entries whose send holds a lease.
fn sent_with_lease(hub: &Hub) -> Vec<usize> {
    let model = hub.model();
    let sends = |last: &Delivery| last.progress.lease.is_some_and(|lease| lease.purpose == Purpose::Send);
    let all = model.entries.iter().enumerate();
    all.filter(|(_, entry)| entry.last.as_ref().is_some_and(sends)).map(|(place, _)| place).collect()
}

/// Whoever lost the lease of a send may be at BPJS, whatever the bridge makes of it.
fn doubt_lost(hub: &Hub, sending: &[usize]) {
    let at = hub.millis();
    let mut model = hub.model();
    for &place in sending {
        let entry = &mut model.entries[place];
        if entry.last.as_ref().is_some_and(|last| last.progress.lease.is_none()) {
            let at = entry.ended.unwrap_or(at);
            (entry.sending, entry.doubt, entry.absent, entry.declared) = (None, Some(at), 0, false);
        }
    }
}

/// What hangs together with an entry may have moved with it.
fn refresh_chain(store: &dyn Store, hub: &Hub, place: usize) {
    let ids: Vec<_> = {
        let model = hub.model();
        let chain = model.plan.submissions[model.plan.entries[place].submission].chain;
        let of = |number: &usize| model.plan.submissions[*number].chain == chain;
        model.submissions.iter().filter(|(number, _)| of(number)).map(|(number, id)| (*number, *id)).collect()
    };
    ids.into_iter().for_each(|(number, id)| refresh(store, hub, number, id));
}

pub(super) fn refresh_all(store: &dyn Store, hub: &Hub) {
    let ids: Vec<_> = hub.model().submissions.iter().map(|(number, id)| (*number, *id)).collect();
    ids.into_iter().for_each(|(number, id)| refresh(store, hub, number, id));
}

fn refresh(store: &dyn Store, hub: &Hub, number: usize, id: crate::queue::SubmissionId) {
    let Ok(deliveries) = on_the_spot(store.deliveries_of(id)) else { return };
    let count = hub.model().plan.submissions[number].entries.len();
    if deliveries.is_empty() && hub.model().restored {
        hub.event("forgotten by the backup", number, 0);
        return hub.model().set_aside(number);
    }
    if deliveries.len() != count {
        return hub.broken("202 is kept", format!("submission {number} has {} of {count} entries", deliveries.len()));
    }
    for delivery in &deliveries {
        let place = hub.model().place(delivery.id);
        match place {
            Some(place) => see(hub, place, delivery),
            None => hub.broken("202 is kept", format!("submission {number} has an entry nobody handed in")),
        }
    }
}
