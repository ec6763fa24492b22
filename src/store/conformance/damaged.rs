//! Damage: what of a row cannot be opened any more is held, listed and counted, and keeps nobody else from going on. A
//! backend runs these with its own way to damage a row.

use super::desk::*;
use crate::queue::transition::Event;
use crate::queue::{DeliveryId, Purpose, State};
use crate::store::{DeliveryFilter, NewEntry, StoreError};

/// Sets a column (`table.column`) of a delivery's row to what no key opens, or to this text.
pub(crate) trait Ruin {
    async fn ruin(&self, column: &str, id: DeliveryId, text: Option<&str>);
}

async fn codes(desk: &Desk) -> Vec<(DeliveryId, String)> {
    let all = DeliveryFilter { limit: 100, ..DeliveryFilter::default() };
    let rows = desk.store.deliveries(all).await.unwrap().items;
    rows.into_iter().map(|row| (row.id, row.progress.why.map(|why| why.code).unwrap_or_default())).collect()
}

async fn unreadable(desk: &Desk) -> i64 {
    desk.store.totals(at(0)).await.unwrap().unreadable
}

const HELD: State = State::Held;

/// The delivery's own row, its payload, a date: each alone.
pub(crate) async fn what_is_due_and_damaged_is_held_listed_and_counted(desk: &Desk, ruin: &impl Ruin) {
    let mut spoilt = Vec::new();
    for (number, (column, text)) in
        [("delivery.remote", None), ("entry_body.original", None), ("delivery.service_date", Some("rusak"))]
            .into_iter()
            .enumerate()
    {
        let id = desk.accept_one(&format!("r{number}"), DAFTAR, &format!("000990000001{number}")).await;
        ruin.ruin(column, id, text).await;
        spoilt.push(id);
    }
    let sound = desk.accept_one("s", DAFTAR, "0009900000009").await;
    // Before anybody has met them: nothing is missing from a listing.
    let listed = codes(desk).await;
    let ids: Vec<DeliveryId> = listed.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [spoilt[0], spoilt[1], spoilt[2], sound]);
    assert_eq!(listed[0].1, "unreadable");
    desk.claim_only(sound, 1).await;
    for id in &spoilt {
        assert_eq!(desk.stand(*id).await, (HELD, "unreadable".to_owned()));
        assert!(desk.store.attempts(*id).await.unwrap().is_empty(), "nothing is half claimed");
    }
    assert_eq!(unreadable(desk).await, 3);
    assert!(desk.claim(1000).await.is_empty(), "never sent");
    // The day's journal, which the reconciliation counts; the damaged date is no day any more.
    let journal = desk.store.journal(FACILITY, day(21), day(21)).await.unwrap();
    assert_eq!(journal.iter().map(|row| row.delivery.id).collect::<Vec<_>>(), [spoilt[0], spoilt[1], sound]);
    // The SIM hears of each.
    assert_eq!(desk.store.changes(&[], 0, 10).await.unwrap().len(), 3);
    desk.check_tally().await;
    // A person withdraws it once the SIM has handed it in again.
    desk.act(spoilt[0], cancel(), 2000).await;
    assert_eq!((desk.state(spoilt[0]).await, unreadable(desk).await), (State::Cancelled, 2));
}

pub(crate) async fn what_is_damaged_while_it_is_sent_is_held_in_doubt(desk: &Desk, ruin: &impl Ruin) {
    let [lost, crashed] =
        [desk.accept_one("a", DAFTAR, CARD).await, desk.accept_one("b", DAFTAR, "0009900000001").await];
    assert_eq!(desk.claim(1).await.len(), 2);
    ruin.ruin("delivery.remote", lost, None).await;
    assert_eq!(desk.store.reclaim(at(2), true, desk.base()).await.unwrap(), 2, "a start is not kept from starting");
    assert_eq!(desk.stand(lost).await, (HELD, "unreadable".to_owned()));
    assert!(desk.get(lost).await.progress.doubt.marked, "it may be at BPJS");
    assert_eq!(desk.store.attempts(lost).await.unwrap()[0].end.outcome, "lost");
    desk.claim_only(crashed, 100).await;
    ruin.ruin("delivery.remote", crashed, None).await;
    assert_eq!(desk.store.blame(at(101), desk.base()).await.unwrap().suspects, 1);
    assert_eq!(desk.stand(crashed).await, (HELD, "unreadable".to_owned()));
    // What BPJS said at one attempt is gone, that there was one is not.
    ruin.ruin("attempt.detail", lost, None).await;
    assert_eq!(desk.store.attempts(lost).await.unwrap().len(), 1);
    // A person's retry looks first.
    desk.act(lost, Event::Retry, 200).await;
    assert_eq!(desk.state(lost).await, State::Unanswered);
    let looking = desk.claim(1000).await;
    assert_eq!(looking.iter().map(|one| (one.delivery.id, one.purpose)).collect::<Vec<_>>(), [(lost, Purpose::LookUp)]);
    desk.check_tally().await;
}

pub(crate) async fn a_damaged_row_keeps_no_neighbour_from_moving(desk: &Desk, ruin: &impl Ruin) {
    // One patient, in order: the first delivered, the second damaged while it waits, the third behind it.
    let first = desk.accept_one("a", DAFTAR, CARD).await;
    let second = desk.accept_one("b", DAFTAR, CARD).await;
    let third = desk.accept_one("c", DAFTAR, CARD).await;
    ruin.ruin("delivery.remote", second, None).await;
    desk.send_only(first, accepted("noUrut", "A1"), 1).await;
    assert!(desk.claim(2).await.is_empty());
    assert_eq!(desk.stand(second).await, (HELD, "unreadable".to_owned()));
    desk.claim_only(third, 3).await;
    desk.store.distrust(at(4), desk.base()).await.unwrap();
    desk.check_tally().await;
}

pub(crate) async fn of_what_is_delivered_and_damaged_the_children_are_held(desk: &Desk, ruin: &impl Ruin) {
    let parent = desk.accept_one("a", DAFTAR, CARD).await;
    desk.send_only(parent, accepted("noUrut", "A1"), 1).await;
    ruin.ruin("delivery.remote", parent, None).await;
    assert_eq!(desk.stand(parent).await, (State::Delivered, "unreadable".to_owned()), "shown, and still delivered");
    let child = NewEntry { after: vec![parent], ..desk.entry("k", KUNJUNGAN) };
    let child = desk.accept("b", vec![child]).await[0];
    assert!(desk.claim(2).await.is_empty(), "without the ids nothing is sent");
    assert_eq!(desk.stand(child).await, (HELD, "unreadable".to_owned()));
    assert_eq!(desk.store.changes(&[], 0, 10).await.unwrap().len(), 2);
    assert_eq!(desk.store.journal(FACILITY, day(21), day(21)).await.unwrap().len(), 2);
    let opened = desk.store.entry_body(child).await;
    assert!(!matches!(opened, Err(StoreError::Unreadable(_))), "its own payload is sound");
}

/// Calls `$run!` with the name of every case.
macro_rules! for_every_damage {
    ($run:ident) => {
        $run! {
            what_is_due_and_damaged_is_held_listed_and_counted,
            what_is_damaged_while_it_is_sent_is_held_in_doubt,
            a_damaged_row_keeps_no_neighbour_from_moving,
            of_what_is_delivered_and_damaged_the_children_are_held,
        }
    };
}
pub(crate) use for_every_damage;
