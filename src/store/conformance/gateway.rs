//! Keys of gateway writes, what was released, provisional numbers.

use serde_json::json;

use super::desk::*;
use crate::queue::transition::Event;
use crate::queue::{Delivery, DeliveryId};
use crate::secret::Private;
use crate::store::{AttemptEnd, NewEntry, NumberForm, Recorded, Standing, StandingAsk};

const DELETE: &str = "pcare.pendaftaran.delete";
const FORM: NumberForm = NumberForm { prefix: "SEMENTARA-", tail: 9 };
const KEY: [&str; 3] = [CARD, "001", "21-11-2026"];

fn values(values: &[&str]) -> Private<Vec<String>> {
    Private::new(values.iter().map(|value| (*value).to_owned()).collect())
}

fn asked(operation: &str, key: &[&str]) -> StandingAsk {
    let (client, facility) = ("sim".to_owned(), FACILITY.to_owned());
    StandingAsk { client, facility, operation: operation.to_owned(), key: values(key), natural: None }
}

async fn standing(desk: &Desk, ask: StandingAsk) -> Standing {
    desk.store.standing(ask).await.unwrap()
}

/// An entry of the key, accepted as the gateway does.
async fn called(desk: &Desk, ask: &StandingAsk, entry: NewEntry) -> DeliveryId {
    let standing = standing(desk, ask.clone()).await;
    let reference = format!("{}-{}", standing.reference, standing.generation + 1);
    desk.accept(&reference, vec![entry]).await[0]
}

/// Ends what is due with an end of its own.
async fn delivered(desk: &Desk, id: DeliveryId, end: AttemptEnd) -> Delivery {
    let claimed = desk.claim_only(id, 1).await;
    let event = Event::Ended(accepted("noUrut", "A1"));
    let recorded = Recorded { end, ..desk.recorded(&claimed, event, 2) };
    desk.store.record(recorded).await.unwrap().expect("lease held")
}

fn owned(id: &str) -> Key {
    (DAFTAR.to_owned(), vec!["lingkup".to_owned()], id.to_owned())
}

pub(crate) async fn a_key_that_nobody_used_has_no_generation(desk: &Desk) {
    let found = standing(desk, asked(DAFTAR, &KEY)).await;
    assert_eq!((found.generation, found.latest, found.released, found.superseded), (0, None, false, false));
    assert!(found.reference.starts_with("ws-") && !found.reference.contains(CARD), "a hash: {}", found.reference);
}

pub(crate) async fn a_key_stands_where_its_newest_submission_stands(desk: &Desk) {
    let ask = asked(DAFTAR, &KEY);
    for generation in 1..=11 {
        let id = called(desk, &ask, desk.entry("ws", DAFTAR)).await;
        let found = standing(desk, ask.clone()).await;
        assert_eq!((found.generation, found.latest.map(|latest| latest.id)), (generation, Some(id)));
    }
}

pub(crate) async fn a_key_belongs_to_one_client_facility_and_operation(desk: &Desk) {
    called(desk, &asked(DAFTAR, &KEY), desk.entry("ws", DAFTAR)).await;
    let other_client = StandingAsk { client: "lain".to_owned(), ..asked(DAFTAR, &KEY) };
    let other_facility = StandingAsk { facility: "0114A027".to_owned(), ..asked(DAFTAR, &KEY) };
    for ask in [other_client, other_facility, asked(KUNJUNGAN, &KEY), asked(DAFTAR, &KEY[..2])] {
        assert_eq!(standing(desk, ask).await.generation, 0);
    }
}

pub(crate) async fn what_came_in_another_way_is_found_by_its_natural_key(desk: &Desk) {
    let entry = NewEntry { natural_key: Some(values(&KEY)), ..desk.entry("a", DAFTAR) };
    let id = desk.accept("dari-api", vec![entry]).await[0];
    let ask = StandingAsk { natural: Some(values(&KEY)), ..asked(DAFTAR, &KEY) };
    let found = standing(desk, ask.clone()).await;
    assert_eq!((found.generation, found.latest.map(|latest| latest.id)), (0, Some(id)));
    let other = StandingAsk { client: "lain".to_owned(), ..ask };
    assert!(standing(desk, other).await.latest.is_none(), "another client's is another entry");
    assert!(standing(desk, asked(DAFTAR, &KEY)).await.latest.is_none(), "only where it is asked for");
}

pub(crate) async fn a_delivered_delete_releases_what_its_id_frees(desk: &Desk) {
    let ask = asked(DAFTAR, &KEY);
    let add = called(desk, &ask, desk.entry("ws", DAFTAR)).await;
    delivered(desk, add, AttemptEnd { owns: Some(owned("A1")), ..AttemptEnd::default() }).await;
    assert!(!standing(desk, ask.clone()).await.released);
    let delete = desk.accept("hapus", vec![desk.entry("a", DELETE)]).await[0];
    delivered(desk, delete, AttemptEnd { frees: Some(owned("A1")), ..AttemptEnd::default() }).await;
    assert!(standing(desk, ask.clone()).await.released);
    called(desk, &ask, desk.entry("ws", DAFTAR)).await;
    let found = standing(desk, ask).await;
    assert_eq!((found.generation, found.released), (2, false), "the next generation stands for itself");
}

pub(crate) async fn a_delivered_delete_releases_what_its_natural_key_names(desk: &Desk) {
    let payload = || Private::new(json!({ "noKartu": CARD, "kdPoli": "001", "tglDaftar": "21-11-2026" }));
    let ask = asked(DAFTAR, &KEY);
    let entry = NewEntry { natural_key: Some(values(&KEY)), payload: payload(), ..desk.entry("ws", DAFTAR) };
    let add = called(desk, &ask, entry).await;
    // Its id was never owned (the answer had none that could be read).
    delivered(desk, add, AttemptEnd::default()).await;
    let elsewhere = Private::new(json!({ "noKartu": CARD, "kdPoli": "002", "tglDaftar": "21-11-2026" }));
    for (reference, payload, releases) in [("a", elsewhere, false), ("b", payload(), true)] {
        let entry = NewEntry { payload, ..desk.entry("a", DELETE) };
        let delete = desk.accept(reference, vec![entry]).await[0];
        delivered(desk, delete, AttemptEnd { frees: Some(owned("X")), ..AttemptEnd::default() }).await;
        assert_eq!(standing(desk, ask.clone()).await.released, releases, "{reference}");
    }
}

pub(crate) async fn a_delete_that_was_not_delivered_releases_nothing(desk: &Desk) {
    let ask = asked(DAFTAR, &KEY);
    let add = called(desk, &ask, desk.entry("ws", DAFTAR)).await;
    delivered(desk, add, AttemptEnd { owns: Some(owned("A1")), ..AttemptEnd::default() }).await;
    let delete = desk.accept("hapus", vec![desk.entry("a", DELETE)]).await[0];
    let claimed = desk.claim_only(delete, 1).await;
    let end = AttemptEnd { frees: Some(owned("A1")), ..AttemptEnd::default() };
    let recorded = Recorded { end, ..desk.recorded(&claimed, Event::Ended(refused()), 2) };
    desk.store.record(recorded).await.unwrap().expect("lease held");
    assert!(!standing(desk, ask).await.released);
}

pub(crate) async fn a_later_edit_and_a_later_add_supersede(desk: &Desk) {
    let (one, two) = (asked(EDIT, &["isi satu"]), asked(EDIT, &["isi dua"]));
    called(desk, &one, desk.entry("ws", EDIT)).await;
    assert!(!standing(desk, one.clone()).await.superseded);
    called(desk, &two, desk.entry("ws", EDIT)).await;
    assert!(standing(desk, one).await.superseded, "another edit came between");
    assert!(!standing(desk, two).await.superseded);
    let gone = asked(DELETE, &["hapus"]);
    called(desk, &gone, desk.entry("ws", DELETE)).await;
    assert!(!standing(desk, gone.clone()).await.superseded);
    called(desk, &asked(DAFTAR, &KEY), desk.entry("ws", DAFTAR)).await;
    assert!(standing(desk, gone).await.superseded, "there is something to delete again");
    let add = asked(DAFTAR, &KEY);
    called(desk, &asked(DAFTAR, &["lain"]), desk.entry("ws", DAFTAR)).await;
    assert!(!standing(desk, add).await.superseded, "adds of one patient are not each other's");
}

pub(crate) async fn provisional_numbers_are_the_same_every_time_and_nobody_elses(desk: &Desk) {
    let id = desk.accept("r", vec![desk.entry("ws", KUNJUNGAN)]).await[0];
    let wanted = || vec![("noKunjungan".to_owned(), FORM), ("lain".to_owned(), NumberForm { prefix: "~", tail: 4 })];
    let first = desk.store.provisional_ids("sim", id, wanted()).await.unwrap();
    assert_eq!(first, desk.store.provisional_ids("sim", id, wanted()).await.unwrap());
    let [(name, number), (_, short)] = &first[..] else { panic!("{first:?}") };
    assert_eq!((name.as_str(), number.len(), short.len()), ("noKunjungan", 19, 5));
    let found = desk.store.provisional("sim", FACILITY, number).await.unwrap().expect("it is known");
    assert_eq!((found.name.as_str(), found.delivery.id, found.reference.as_str()), ("noKunjungan", id, "r/ws"));
    for (client, facility) in [("lain", FACILITY), ("sim", "0114A027")] {
        assert!(desk.store.provisional(client, facility, number).await.unwrap().is_none());
    }
    assert!(desk.store.provisional("sim", FACILITY, "SEMENTARA-000000000").await.unwrap().is_none());
}

pub(crate) async fn provisional_numbers_that_collide_are_told_apart(desk: &Desk) {
    // One letter: among sixteen, some must have been tried again.
    let mut all = std::collections::BTreeSet::new();
    for n in 0..16 {
        let id = desk.accept(&format!("r{n}"), vec![desk.entry("ws", KUNJUNGAN)]).await[0];
        let wanted = vec![("noKunjungan".to_owned(), NumberForm { prefix: "~", tail: 1 })];
        let numbers = desk.store.provisional_ids("sim", id, wanted).await.unwrap();
        all.insert(numbers[0].1.clone());
        let found = desk.store.provisional("sim", FACILITY, &numbers[0].1).await.unwrap().expect("it is known");
        assert_eq!(found.delivery.id, id);
    }
    assert_eq!(all.len(), 16);
}

pub(crate) async fn an_attempt_keeps_what_it_was_answered_until_it_is_retired(desk: &Desk) {
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    let answer = json!({ "message": "CREATED", "response": { "field": "noUrut", "message": "A1" }, "sealed": true });
    let end = AttemptEnd { answer: Some(Private::new(answer.clone())), ..AttemptEnd::default() };
    delivered(desk, id, end).await;
    let kept = desk.store.attempts(id).await.unwrap();
    assert_eq!(kept[0].end.answer.as_ref().map(|kept| kept.expose().clone()), Some(answer));
    desk.store.retire(at(10), 10).await.unwrap();
    assert_eq!(desk.store.attempts(id).await.unwrap()[0].end.answer, None);
}
