//! Owned ids, people's acts, and the security log.

use super::desk::*;
use crate::audit;
use crate::queue::transition::{Event, Illegal};
use crate::queue::{Delivery, DeliveryId, Finding, State};
use crate::secret::Private;
use crate::store::{Acted, NewEntry, Refused};

fn owned(operation: &str, id: &str) -> Key {
    (operation.to_owned(), vec!["21-11-2026".to_owned()], id.to_owned())
}

/// Sends the one that is due; BPJS gives it `id`.
async fn deliver(desk: &Desk, delivery: DeliveryId, id: &str, now: i64) -> Delivery {
    let claimed = desk.claim_only(delivery, now).await;
    let mut recorded = desk.recorded(&claimed, Event::Ended(accepted("noUrut", id)), now);
    recorded.end.owns = Some(owned(&claimed.delivery.operation, id));
    desk.store.record(recorded).await.unwrap().unwrap()
}

async fn owners(desk: &Desk, operation: &str, wanted: &[&str]) -> Vec<Option<DeliveryId>> {
    let (operation, scope, _) = owned(operation, "");
    let wanted: Vec<String> = wanted.iter().map(|&id| id.to_owned()).collect();
    desk.store.owners(FACILITY, &operation, &scope, &wanted).await.unwrap()
}

pub(crate) async fn promise_2_a_newcomer_to_an_owned_id_is_refused_naming_the_owner(desk: &Desk) {
    let first = desk.accept_one("r", DAFTAR, CARD).await;
    deliver(desk, first, "A1", 1).await;
    let second = desk.accept_one("s", DAFTAR, CARD).await;
    let newcomer = deliver(desk, second, "A1", 2).await;
    let why = newcomer.progress.why.unwrap();
    assert_eq!((newcomer.progress.state, why.code.as_str()), (State::Refused, "owned"));
    assert!(why.next.contains(&first.to_string()));
    let third = desk.accept_one("t", DAFTAR, CARD).await;
    desk.send_only(third, no_answer(), 3).await;
    let looking = desk.claim_only(third, 100).await;
    let event = Event::Looked { finding: Finding::Found { ids: ids("noUrut", "A1"), differs: vec![] }, begun: at(100) };
    let mut recorded = desk.recorded(&looking, event, 101);
    recorded.end.owns = Some(owned(DAFTAR, "A1"));
    let looked = desk.store.record(recorded).await.unwrap().unwrap();
    assert_eq!(looked.progress.state, State::Refused);
    assert_eq!(owners(desk, DAFTAR, &["A1", "A2"]).await, [Some(first), None]);
    desk.check_tally().await;
}

pub(crate) async fn promise_2_a_person_cannot_adopt_an_owned_id(desk: &Desk) {
    let first = desk.accept_one("r", DAFTAR, CARD).await;
    deliver(desk, first, "A1", 1).await;
    let second = desk.accept_one("s", DAFTAR, CARD).await;
    let mut act = desk.doing(second, Event::Adopt { ids: ids("noUrut", "A1") }, 2);
    act.owns = Some(owned(DAFTAR, "A1"));
    match desk.store.act(act.clone()).await.unwrap() {
        Acted::Refused(delivery, Refused::Owned(owner)) => {
            assert_eq!((delivery.progress.state, owner), (State::Waiting, first));
        }
        other => panic!("{other:?}"),
    }
    act.owns = Some(owned(DAFTAR, "A2"));
    assert!(matches!(desk.store.act(act).await.unwrap(), Acted::Done(_)));
    assert_eq!(owners(desk, DAFTAR, &["A2"]).await, [Some(second)]);
}

pub(crate) async fn promise_2_a_delete_sets_the_id_free(desk: &Desk) {
    let first = desk.accept_one("r", DAFTAR, CARD).await;
    deliver(desk, first, "A1", 1).await;
    let delete = desk.accept_one("s", "pcare.pendaftaran.delete", CARD).await;
    let claimed = desk.claim_only(delete, 2).await;
    let mut no = desk.recorded(&claimed, Event::Ended(refused()), 2);
    no.end.frees = Some(owned(DAFTAR, "A1"));
    desk.store.record(no).await.unwrap().unwrap();
    assert_eq!(owners(desk, DAFTAR, &["A1"]).await, [Some(first)], "a refused delete frees nothing");
    desk.act(delete, Event::Retry, 3).await;
    let claimed = desk.claim_only(delete, 3).await;
    let mut done = desk.recorded(&claimed, Event::Ended(accepted("noUrut", "A1")), 3);
    done.end.frees = Some(owned(DAFTAR, "A1"));
    desk.store.record(done).await.unwrap().unwrap();
    assert_eq!(owners(desk, DAFTAR, &["A1"]).await, [None]);
    let again = desk.accept_one("t", DAFTAR, CARD).await;
    assert_eq!(deliver(desk, again, "A1", 4).await.progress.state, State::Delivered);
}

pub(crate) async fn promise_2_a_copy_taken_meanwhile_is_counted_again(desk: &Desk) {
    let first = desk.accept_one("r", OBAT, CARD).await;
    deliver(desk, first, "7", 1).await;
    let second = desk.accept_one("s", OBAT, CARD).await;
    desk.send_only(second, no_answer(), 2).await;
    let looking = desk.claim_only(second, 100).await;
    let event =
        Event::Looked { finding: Finding::Found { ids: ids("kdObatSK", "7"), differs: vec![] }, begun: at(100) };
    let mut recorded = desk.recorded(&looking, event, 101);
    recorded.end.owns = Some(owned(OBAT, "7"));
    let looked = desk.store.record(recorded).await.unwrap().unwrap();
    assert_eq!(looked.progress.state, State::Unanswered, "the same drug twice is lawful: ask again");
}

pub(crate) async fn promise_2_the_same_number_in_another_scope_is_another_id(desk: &Desk) {
    let first = desk.accept_one("r", DAFTAR, CARD).await;
    deliver(desk, first, "A1", 1).await;
    let one = ["A1".to_owned()];
    let ask = async |facility, operation, scope: &[String]| {
        desk.store.owners(facility, operation, scope, &one).await.unwrap()[0]
    };
    let scope = ["21-11-2026".to_owned()];
    assert_eq!(ask(FACILITY, DAFTAR, &scope).await, Some(first));
    assert_eq!(ask("0114A027", DAFTAR, &scope).await, None);
    assert_eq!(ask(FACILITY, KUNJUNGAN, &scope).await, None);
    assert_eq!(ask(FACILITY, DAFTAR, &["22-11-2026".to_owned()]).await, None);
}

pub(crate) async fn acts_that_the_state_refuses_change_nothing_and_log_nothing(desk: &Desk) {
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    desk.send_only(id, no_answer(), 1).await;
    let before = desk.get(id).await;
    for event in [cancel(), Event::Amend] {
        match desk.store.act(desk.doing(id, event, 2)).await.unwrap() {
            Acted::Refused(delivery, Refused::Illegal(Illegal::InDoubt)) => assert_eq!(*delivery, before),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(desk.get(id).await, before);
    assert!(desk.store.audit(0, 10).await.unwrap().is_empty());
    assert!(desk.store.changes(&[], 0, 10).await.unwrap().is_empty());
}

pub(crate) async fn every_act_is_in_the_log_and_the_chain_verifies(desk: &Desk) {
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    for (now, event) in [hold(), Event::Release, Event::Retry, cancel()].into_iter().enumerate() {
        desk.act(id, event, i64::try_from(now).unwrap()).await;
    }
    let lines = desk.store.audit(0, 100).await.unwrap();
    assert_eq!(lines.len(), 4);
    audit::verify(&audit::genesis(), 1, &lines).unwrap();
    let rest = desk.store.audit(2, 100).await.unwrap();
    audit::verify(&lines[1].hash, 3, &rest).unwrap();
    // Concurrent lines keep one chain.
    let mut calls = Vec::new();
    for number in 0..30 {
        let line = desk.doing(id, Event::Retry, number).audit;
        calls.push(desk.store.log(line));
    }
    futures_util::future::join_all(calls).await.into_iter().for_each(|done| done.unwrap());
    let lines = desk.store.audit(0, 100).await.unwrap();
    assert_eq!(lines.len(), 34);
    audit::verify(&audit::genesis(), 1, &lines).unwrap();
}

pub(crate) async fn an_act_on_nothing_is_unknown(desk: &Desk) {
    assert!(matches!(desk.store.act(desk.doing(desk.id(), Event::Retry, 1)).await.unwrap(), Acted::Unknown));
    assert!(desk.store.delivery(desk.id()).await.unwrap().is_none());
    assert!(desk.store.entry_body(desk.id()).await.unwrap().is_none());
    assert!(desk.store.attempts(desk.id()).await.unwrap().is_empty());
}

pub(crate) async fn the_tally_equals_the_count_after_a_days_work(desk: &Desk) {
    let mut every = Vec::new();
    for number in 0..30 {
        let card = Some(Private::new(format!("{number:013}")));
        let daftar = NewEntry { no_kartu: card.clone(), ..desk.entry("a", DAFTAR) };
        let obat = NewEntry { no_kartu: card, after: vec![daftar.id], ..desk.entry("b", OBAT) };
        every.extend(desk.accept(&format!("r{number}"), vec![daftar, obat]).await);
    }
    for round in 0..12 {
        let now = round * 100;
        for claimed in desk.claim(now).await {
            let looks = claimed.purpose == crate::queue::Purpose::LookUp;
            match (desk.chance.bits() % 5, looks) {
                (0, true) => {
                    drop(desk.look(&claimed, Finding::Found { ids: ids("x", "1"), differs: vec![] }, now).await)
                }
                (1, true) => drop(desk.look(&claimed, Finding::Ambiguous { detail: "dua".into() }, now).await),
                (_, true) => drop(desk.look(&claimed, Finding::Absent, now).await),
                (0, false) => drop(desk.end(&claimed, refused(), now).await),
                (1 | 2, false) => drop(desk.end(&claimed, no_answer(), now).await),
                (_, false) => drop(desk.end(&claimed, accepted("x", "1"), now).await),
            }
        }
        let id = every[usize::try_from(desk.chance.bits() % 60).unwrap()];
        for event in [Event::Retry, cancel(), hold(), Event::Amend, Event::DeclareAbsent] {
            if desk.chance.bits().is_multiple_of(3) {
                drop(desk.store.act(desk.doing(id, event, now)).await.unwrap());
            }
        }
        desk.store.reclaim(at(now + 1), true, desk.base()).await.unwrap();
        desk.check_tally().await;
    }
}
