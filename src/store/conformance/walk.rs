//! A random day: accepting, sending, failing, people's acts, crashes and last dates in any order.

use std::collections::{HashMap, HashSet};

use super::desk::*;
use crate::chance::Chance;
use crate::contract::Deadline;
use crate::queue::transition::Event;
use crate::queue::{BlockedKind, Delivery, DeliveryId, Finding, HeldCode, Outcome, Purpose, State};
use crate::secret::Private;
use crate::store::{Claimed, DeliveryFilter, NewEntry};

/// The walk's own memory: what comes after what.
#[derive(Default)]
pub(crate) struct Memory {
    parents: HashMap<DeliveryId, Vec<DeliveryId>>,
    pub(crate) ids: Vec<DeliveryId>,
}

pub(crate) fn below(desk: &Desk, limit: usize) -> usize {
    usize::try_from(desk.chance.bits() % u64::try_from(limit).unwrap()).unwrap()
}

pub(crate) async fn accept_some(desk: &Desk, memory: &mut Memory, number: i64) {
    let card = Some(Private::new(format!("{:013}", below(desk, 4))));
    let mut entries: Vec<NewEntry> = Vec::new();
    for (place, operation) in [DAFTAR, KUNJUNGAN, OBAT, EDIT].into_iter().enumerate() {
        let mut entry = NewEntry { no_kartu: card.clone(), ..desk.entry(&place.to_string(), operation) };
        entry.after = match (below(desk, 4), entries.last(), memory.ids.last()) {
            (0, _, Some(older)) => vec![*older],
            (1, _, _) => vec![],
            (_, Some(before), _) => vec![before.id],
            (_, None, _) => vec![],
        };
        let last = (below(desk, 3) == 0).then(|| at(number * 50 + 400));
        entry.deadline = Deadline { last, ..Deadline::default() };
        memory.parents.insert(entry.id, entry.after.clone());
        entries.push(entry);
    }
    memory.ids.extend(desk.accept(&format!("r{number}"), entries).await);
}

pub(crate) async fn end_one(desk: &Desk, claimed: &Claimed, now: i64) {
    if claimed.purpose == Purpose::LookUp {
        let finding = match below(desk, 5) {
            0 => Finding::Found { ids: ids("x", "1"), differs: vec![] },
            1 => Finding::Ambiguous { detail: "dua".into() },
            2 => Finding::Failed { why: "503".into() },
            _ => Finding::Absent,
        };
        desk.look(claimed, finding, now).await;
        return;
    }
    let outcome = match below(desk, 7) {
        0 => refused(),
        1 => no_answer(),
        2 => Outcome::AlreadyThere(refusal("duplicate")),
        3 => Outcome::NotSent { why: "tcp".into() },
        _ => accepted("x", "1"),
    };
    desk.end(claimed, outcome, now).await;
}

async fn all(desk: &Desk) -> HashMap<DeliveryId, Delivery> {
    let filter = DeliveryFilter { limit: 100_000, ..DeliveryFilter::default() };
    let items = desk.store.deliveries(filter).await.unwrap().items;
    items.into_iter().map(|delivery| (delivery.id, delivery)).collect()
}

/// Whether something of the same patient, accepted before, is unfinished.
fn overtakes(delivery: &Delivery, rows: &HashMap<DeliveryId, Delivery>) -> bool {
    rows.values().any(|d| d.lane == delivery.lane && d.seq < delivery.seq && !d.progress.state.is_final())
}

fn check(rows: &HashMap<DeliveryId, Delivery>, memory: &Memory, claimed: &[Claimed]) {
    for claim in claimed.iter().filter(|claim| claim.purpose == Purpose::Send) {
        let parents = &memory.parents[&claim.delivery.id];
        assert!(parents.iter().all(|parent| rows[parent].progress.state == State::Delivered), "sent before its parent");
        assert!(!overtakes(&claim.delivery, rows), "{} overtook in its lane", claim.delivery.seq);
    }
    let mut in_hand = HashSet::new();
    for delivery in rows.values() {
        let progress = &delivery.progress;
        let one_of_its_lane = progress.lease.is_none() || in_hand.insert(delivery.lane.expose());
        assert!(one_of_its_lane, "{} is in hand together with another of its patient", delivery.seq);
        let why = progress.why.as_ref().map(|why| why.code.as_str());
        let failed = memory.parents[&delivery.id].iter().any(|parent| {
            let parent = &rows[parent].progress;
            let why = parent.why.as_ref().map(|why| why.code.as_str());
            matches!(parent.state, State::Refused | State::Expired | State::Cancelled)
                || (parent.state == State::Held && why == Some(HeldCode::Prerequisite.word()))
        });
        if progress.state == State::Held && why == Some(HeldCode::Prerequisite.word()) {
            assert!(failed, "{} is held for nothing", delivery.seq);
        }
        if progress.state == State::Waiting && progress.lease.is_none() {
            assert!(!failed, "{} waits for a parent that failed", delivery.seq);
        }
        if let Some(blocked) = progress.blocked {
            let blocker = &rows[&blocked.id].progress.state;
            let stands = match blocked.kind {
                BlockedKind::Prerequisite => *blocker != State::Delivered,
                _ => !blocker.is_final(),
            };
            assert!(stands, "{} is blocked by one that is {blocker}: it would wait for ever", delivery.seq);
        }
    }
}

pub(crate) async fn whatever_happens_order_prerequisites_and_counts_hold(desk: &Desk) {
    // A seed that found a defect once.
    let desk = &Desk { chance: Chance::seeded(2), ..Desk::new(desk.store.clone()) };
    let mut memory = Memory::default();
    let mut open: Vec<Claimed> = Vec::new();
    for number in 0..150 {
        let now = number * 50;
        if number % 4 == 0 && number < 100 {
            accept_some(desk, &mut memory, number).await;
        }
        let claimed = desk.claim(now).await;
        check(&all(desk).await, &memory, &claimed);
        open.extend(claimed);
        while below(desk, 4) != 0 && !open.is_empty() {
            let claimed = open.swap_remove(below(desk, open.len()));
            end_one(desk, &claimed, now).await;
        }
        let id = memory.ids[below(desk, memory.ids.len())];
        let event = match below(desk, 9) {
            0 => Event::Retry,
            1 => cancel(),
            2 => hold(),
            3 => Event::Amend,
            4 => Event::DeclareAbsent,
            5 => Event::Release,
            6 => Event::Adopt { ids: ids("x", "2") },
            _ => Event::Expire,
        };
        drop(desk.store.act(desk.doing(id, event, now)).await.unwrap());
        match below(desk, 12) {
            0 => {
                desk.store.reclaim(at(now), true, desk.base()).await.unwrap();
                open.clear();
            }
            1 => drop(desk.store.expire(at(now), 10, desk.base()).await.unwrap()),
            2 => drop(desk.store.distrust(at(now), desk.base()).await.unwrap()),
            _ => {}
        }
        check(&all(desk).await, &memory, &[]);
        desk.check_tally().await;
    }
    assert!(all(desk).await.values().filter(|d| d.progress.state == State::Delivered).count() > 10);
}
