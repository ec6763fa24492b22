//! Accepting, listing, replaying.

use super::desk::*;
use crate::queue::State;
use crate::queue::transition::Event;
use crate::secret::Private;
use crate::store::{Acceptance, DeliveryFilter, NewEntry, NewSubmission, StoreError};

fn row(acceptance: &Acceptance) -> (&'static str, String) {
    match acceptance {
        Acceptance::New(row) => ("new", row.id.to_string()),
        Acceptance::Same(row) => ("same", row.id.to_string()),
        Acceptance::Conflict(row) => ("conflict", row.id.to_string()),
    }
}

pub(crate) async fn promise_10_the_same_body_again_is_the_same_submission(desk: &Desk) {
    let first = desk.submission("r", vec![desk.entry("a", DAFTAR)]);
    let again = NewSubmission { id: desk.submission("x", vec![]).id, ..first.clone() };
    let (_, id) = row(&desk.store.accept(first).await.unwrap());
    assert_eq!(row(&desk.store.accept(again).await.unwrap()), ("same", id));
    assert_eq!(desk.store.deliveries(DeliveryFilter { limit: 10, ..Default::default() }).await.unwrap().items.len(), 1);
}

pub(crate) async fn promise_10_another_body_under_the_same_reference_is_a_conflict(desk: &Desk) {
    let first = desk.submission("r", vec![desk.entry("a", DAFTAR)]);
    let (_, id) = row(&desk.store.accept(first).await.unwrap());
    let mut other = desk.submission("r", vec![desk.entry("a", DAFTAR)]);
    other.canonical = Private::new("lain".to_owned());
    assert_eq!(row(&desk.store.accept(other).await.unwrap()), ("conflict", id));
}

pub(crate) async fn promise_10_duplicates_that_arrive_together_answer_as_the_first_did(desk: &Desk) {
    let one = desk.submission("r", vec![desk.entry("a", DAFTAR), desk.entry("b", OBAT)]);
    let mut calls = Vec::new();
    for number in 0..40 {
        let mut copy = NewSubmission { id: desk.submission("x", vec![]).id, ..one.clone() };
        copy.entries.iter_mut().for_each(|entry| entry.id = desk.id());
        if number % 4 == 3 {
            copy.canonical = Private::new("lain".to_owned());
        }
        let store = desk.store.clone();
        calls.push(async move { store.accept(copy).await.unwrap() });
    }
    let answers: Vec<_> = futures_util::future::join_all(calls).await.iter().map(row).collect();
    let count = |word| answers.iter().filter(|(said, _)| *said == word).count();
    // Whose body came first is nobody's promise where several write at once: the others of it are the same, the rest conflict.
    let said = (count("new"), count("same"), count("conflict"));
    assert!(said == (1, 29, 10) || said == (1, 9, 30), "{said:?}");
    assert!(answers.iter().all(|(_, id)| *id == answers[0].1), "all name the first");
    assert_eq!(desk.store.deliveries(DeliveryFilter { limit: 10, ..Default::default() }).await.unwrap().items.len(), 2);
    desk.check_tally().await;
}

/// PostgreSQL cannot keep it; so nobody does, and nothing of such a submission stays.
pub(crate) async fn promise_10_a_name_with_nul_in_it_is_refused_whole(desk: &Desk) {
    let refs = desk.submission("r\0", vec![desk.entry("a", DAFTAR)]);
    let names = desk.submission("r", vec![desk.entry("a", DAFTAR), desk.entry("b\0", OBAT)]);
    for new in [refs, names] {
        let refused = desk.store.accept(new).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Database(why) if why.contains("NUL")), "{refused:?}");
    }
    assert!(desk.store.submissions(&[], None, None, None, 10).await.unwrap().items.is_empty());
    assert!(desk.store.deliveries(DeliveryFilter { limit: 10, ..Default::default() }).await.unwrap().items.is_empty());
    desk.check_tally().await;
    desk.accept("r", vec![desk.entry("a", DAFTAR)]).await;
}

/// The second entry has the first one's name: the schema refuses it in the middle of the submission.
fn half_bad(desk: &Desk, reference: &str) -> NewSubmission {
    desk.submission(reference, vec![desk.entry("a", DAFTAR), desk.entry("a", OBAT)])
}

pub(crate) async fn promise_10_a_submission_is_accepted_whole_or_not_at_all(desk: &Desk) {
    desk.store.accept(half_bad(desk, "r")).await.unwrap_err();
    let unknown_parent = NewEntry { after: vec![desk.id()], ..desk.entry("b", OBAT) };
    desk.store.accept(desk.submission("s", vec![desk.entry("a", DAFTAR), unknown_parent])).await.unwrap_err();
    let all = || DeliveryFilter { limit: 10, ..Default::default() };
    assert!(desk.store.deliveries(all()).await.unwrap().items.is_empty());
    assert!(desk.store.submissions(&[], None, None, None, 10).await.unwrap().items.is_empty());
    desk.check_tally().await;
    desk.accept("r", vec![desk.entry("a", DAFTAR)]).await;
}

pub(crate) async fn promise_10_a_bad_neighbour_in_a_group_takes_nobody_with_it(desk: &Desk) {
    let mut calls = Vec::new();
    for number in 0..60 {
        let reference = format!("r{number}");
        let new = if number % 3 == 1 {
            half_bad(desk, &reference)
        } else {
            desk.submission(&reference, vec![desk.entry("a", DAFTAR), desk.entry("b", OBAT)])
        };
        let store = desk.store.clone();
        calls.push(async move { store.accept(new).await });
    }
    let answers = futures_util::future::join_all(calls).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_ok(), number % 3 != 1, "{number}: {answer:?}");
    }
    assert_eq!(
        desk.store.deliveries(DeliveryFilter { limit: 1000, ..Default::default() }).await.unwrap().items.len(),
        80
    );
    desk.check_tally().await;
    assert!(desk.store.fatal().borrow().is_none());
}

pub(crate) async fn the_same_reference_of_another_client_or_facility_is_another_submission(desk: &Desk) {
    desk.accept("r", vec![desk.entry("a", DAFTAR)]).await;
    let mut client = desk.submission("r", vec![desk.entry("a", DAFTAR)]);
    client.client = "sim-lain".to_owned();
    let mut facility = desk.submission("r", vec![desk.entry("a", DAFTAR)]);
    facility.facility = "0114A027".to_owned();
    for other in [client, facility] {
        assert_eq!(row(&desk.store.accept(other).await.unwrap()).0, "new");
    }
}

pub(crate) async fn an_entry_is_found_by_its_references(desk: &Desk) {
    let [id] = desk.accept("r", vec![desk.entry("kunjungan", KUNJUNGAN)]).await[..] else { panic!() };
    let found = desk.store.find_entry("sim", FACILITY, "r", "kunjungan").await.unwrap().unwrap();
    assert_eq!((found.id, found.operation.as_str(), found.service_date), (id, KUNJUNGAN, Some(day(21))));
    for key in [["x", FACILITY, "r", "kunjungan"], ["sim", "X", "r", "kunjungan"], ["sim", FACILITY, "r", "x"]] {
        assert_eq!(desk.store.find_entry(key[0], key[1], key[2], key[3]).await.unwrap(), None);
    }
}

pub(crate) async fn promise_11_the_changes_feed_can_be_replayed_from_zero(desk: &Desk) {
    let a = desk.accept_one("a", DAFTAR, CARD).await;
    let b = desk.accept_one("b", DAFTAR, "0009900000001").await;
    assert!(desk.store.changes(&[], 0, 10).await.unwrap().is_empty(), "nothing is final yet");
    for claimed in desk.claim(0).await {
        let outcome = if claimed.delivery.id == a { refused() } else { accepted("noUrut", "A1") };
        desk.end(&claimed, outcome, 1).await;
    }
    desk.act(a, Event::Retry, 2).await;
    desk.send_only(a, accepted("noUrut", "A2"), 3).await;
    let feed = desk.store.changes(&[], 0, 10).await.unwrap();
    assert_eq!(feed.iter().map(|change| change.delivery.id).collect::<Vec<_>>(), [a, b, a]);
    assert!(feed.is_sorted_by(|x, y| x.cursor < y.cursor));
    assert_eq!((feed[0].at, feed[2].at), (at(1), at(3)));
    let rest = desk.store.changes(&[FACILITY.to_owned()], feed[0].cursor, 1).await.unwrap();
    assert_eq!(rest.iter().map(|change| change.cursor).collect::<Vec<_>>(), [feed[1].cursor]);
    assert!(desk.store.changes(&["X".to_owned()], 0, 10).await.unwrap().is_empty());
    let again = desk.store.changes(&[], 0, 10).await.unwrap();
    assert_eq!(again.len(), 3, "reading takes nothing away");
}

pub(crate) async fn lists_page_in_order_of_acceptance(desk: &Desk) {
    let mut wanted = Vec::new();
    for number in 0..7 {
        wanted.extend(desk.accept(&format!("r{number}"), vec![desk.entry("a", DAFTAR), desk.entry("b", OBAT)]).await);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let filter = DeliveryFilter { after, limit: 4, ..Default::default() };
        let page = desk.store.deliveries(filter).await.unwrap();
        assert!(page.items.len() <= 4);
        seen.extend(page.items.iter().map(|delivery| delivery.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, wanted);
    let exact = DeliveryFilter { limit: 14, ..Default::default() };
    assert_eq!(desk.store.deliveries(exact).await.unwrap().next, None, "a full last page has no next");
    let first = desk.store.submissions(&[], None, None, None, 3).await.unwrap();
    let rest = desk.store.submissions(&[], None, None, first.next, 10).await.unwrap();
    let names: Vec<_> = first.items.iter().chain(&rest.items).map(|row| row.reference.clone()).collect();
    assert_eq!(names, ["r0", "r1", "r2", "r3", "r4", "r5", "r6"]);
    assert_eq!(first.items[0].warnings, ["jam di depan"]);
    let of_first = desk.store.deliveries_of(first.items[0].id).await.unwrap();
    assert_eq!(of_first.iter().map(|d| d.entry_ref.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

pub(crate) async fn the_filters_agree_with_the_deliveries_themselves(desk: &Desk) {
    let late = |seconds| crate::contract::Deadline { late: Some(at(seconds)), ..Default::default() };
    for number in 0..6 {
        let mut entry = desk.entry("a", if number % 2 == 0 { DAFTAR } else { OBAT });
        entry.no_kartu = Some(Private::new(format!("000990000000{number}")));
        entry.deadline = if number == 5 { Default::default() } else { late(i64::from(number) * 100) };
        desk.accept(&format!("r{number}"), vec![entry]).await;
    }
    for (number, claimed) in desk.claim(10).await.iter().enumerate() {
        match number {
            0 => drop(desk.end(claimed, accepted("noUrut", "A1"), 150).await),
            1 => drop(desk.end(claimed, refused(), 20).await),
            _ => drop(desk.end(claimed, Outcome::NotSent { why: "tcp".into() }, 20).await),
        }
    }
    let every = desk.store.deliveries(DeliveryFilter { limit: 100, ..Default::default() }).await.unwrap().items;
    let ids = |items: &[crate::queue::Delivery]| items.iter().map(|d| d.id).collect::<Vec<_>>();
    for now in [at(50), at(250), at(1000)] {
        for wanted in [true, false] {
            let filter = DeliveryFilter { late: Some((wanted, now)), limit: 100, ..Default::default() };
            let right: Vec<_> = every.iter().filter(|d| d.is_late(now) == wanted).map(|d| d.id).collect();
            assert_eq!(ids(&desk.store.deliveries(filter).await.unwrap().items), right, "{wanted} at {now}");
        }
    }
    for state in State::ALL {
        let filter = DeliveryFilter { state: Some(*state), limit: 100, ..Default::default() };
        let right: Vec<_> = every.iter().filter(|d| d.progress.state == *state).map(|d| d.id).collect();
        assert_eq!(ids(&desk.store.deliveries(filter).await.unwrap().items), right, "{state}");
        let submissions = desk.store.submissions(&[], None, Some(*state), None, 100).await.unwrap().items.len();
        assert_eq!(submissions, right.len(), "{state}");
    }
    let filter = DeliveryFilter { operation: Some(OBAT.to_owned()), limit: 100, ..Default::default() };
    assert_eq!(desk.store.deliveries(filter).await.unwrap().items.len(), 3);
    let filter = DeliveryFilter { facilities: vec!["X".to_owned()], limit: 100, ..Default::default() };
    assert!(desk.store.deliveries(filter).await.unwrap().items.is_empty());
}

use crate::queue::Outcome;

pub(crate) async fn promise_6_amend_keeps_the_original_body_for_idempotency(desk: &Desk) {
    let new = desk.submission("r", vec![desk.entry("a", DAFTAR)]);
    let id = new.entries[0].id;
    desk.store.accept(new.clone()).await.unwrap();
    desk.send_only(id, refused(), 1).await;
    let mut amend = desk.doing(id, Event::Amend, 2);
    amend.payload = Some(Private::new(serde_json::json!({ "keluhan": "lain" })));
    desk.store.act(amend).await.unwrap();
    let body = desk.store.entry_body(id).await.unwrap().unwrap();
    assert_eq!(body.original, new.entries[0].payload);
    assert_eq!(body.current.expose()["keluhan"], "lain");
    assert_eq!(row(&desk.store.accept(new).await.unwrap()).0, "same");
    assert_eq!(desk.claim_only(id, 3).await.payload.expose()["keluhan"], "lain", "the amended one is sent");
}

pub(crate) async fn the_journal_has_the_days_asked_for_and_only_them(desk: &Desk) {
    for number in [19, 20, 21, 22] {
        let entry = NewEntry { service_date: Some(day(number)), ..desk.entry("a", KUNJUNGAN) };
        desk.accept(&format!("r{number}"), vec![entry]).await;
    }
    let rows = desk.store.journal(FACILITY, day(20), day(21)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.reference.as_str()).collect::<Vec<_>>(), ["r20", "r21"]);
    assert_eq!(rows[0].payload.expose()["noKartu"], CARD);
    assert!(desk.store.journal("X", day(1), day(30)).await.unwrap().is_empty());
}
