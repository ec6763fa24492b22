//! Prerequisites.

use super::desk::*;
use crate::queue::transition::Event;
use crate::queue::{DeliveryId, Finding, How, Purpose, State};
use crate::secret::Private;
use crate::store::NewEntry;

/// Registration, visit, drug: each after the one before.
async fn visit(desk: &Desk) -> [DeliveryId; 3] {
    let daftar = desk.entry("daftar", DAFTAR);
    let kunjungan = NewEntry { after: vec![daftar.id], ..desk.entry("kunjungan", KUNJUNGAN) };
    let obat = NewEntry { after: vec![kunjungan.id], ..desk.entry("obat", OBAT) };
    let ids = desk.accept("r", vec![daftar, kunjungan, obat]).await;
    [ids[0], ids[1], ids[2]]
}

fn held() -> (State, String) {
    (State::Held, "prerequisite".to_owned())
}

pub(crate) async fn promise_6_children_wait_and_know_for_what(desk: &Desk) {
    let [daftar, kunjungan, obat] = visit(desk).await;
    assert_eq!(desk.blocked(kunjungan).await, Some(("prerequisite", daftar)));
    assert_eq!(desk.blocked(obat).await, Some(("prerequisite", kunjungan)));
    desk.send_only(daftar, accepted("noUrut", "A1"), 1).await;
    assert_eq!(desk.blocked(kunjungan).await, None);
    desk.send_only(kunjungan, accepted("noKunjungan", "V1"), 2).await;
    desk.send_only(obat, accepted("kdObatSK", "1"), 3).await;
    desk.check_tally().await;
}

pub(crate) async fn promise_6_a_refusal_holds_children_and_grandchildren(desk: &Desk) {
    let [daftar, kunjungan, obat] = visit(desk).await;
    desk.send_only(daftar, refused(), 1).await;
    assert_eq!((desk.stand(kunjungan).await, desk.stand(obat).await), (held(), held()));
    let feed = desk.store.changes(&[], 0, 10).await.unwrap();
    assert_eq!(feed.iter().map(|c| c.delivery.id).collect::<Vec<_>>(), [daftar, kunjungan, obat]);
    desk.check_tally().await;
    assert!(desk.claim(9999).await.is_empty());
    // A person may not jump the queue: let go, it is held again.
    assert_eq!(desk.act(obat, Event::Release, 5).await.progress.state, State::Held);
    assert_eq!(desk.stand(obat).await, held());
}

pub(crate) async fn promise_6_delivered_after_all_they_go_back_by_themselves(desk: &Desk) {
    let [daftar, kunjungan, obat] = visit(desk).await;
    desk.send_only(daftar, refused(), 1).await;
    desk.act(daftar, Event::Amend, 2).await;
    assert_eq!(desk.blocked(kunjungan).await, Some(("prerequisite", daftar)));
    desk.send_only(daftar, accepted("noUrut", "A1"), 3).await;
    desk.send_only(kunjungan, refused(), 4).await;
    assert_eq!(desk.stand(obat).await, held());
    desk.act(kunjungan, Event::Adopt { ids: ids("noKunjungan", "V1") }, 5).await;
    assert_eq!(desk.state(obat).await, State::Waiting);
    let claimed = desk.claim_only(obat, 6).await;
    assert_eq!(claimed.given[0].ids.expose()["noKunjungan"], "V1");
    desk.check_tally().await;
}

pub(crate) async fn promise_6_a_parent_that_a_person_holds_no_longer_fails_its_children(desk: &Desk) {
    let [daftar, kunjungan, obat] = visit(desk).await;
    desk.send_only(daftar, refused(), 1).await;
    assert_eq!(desk.stand(obat).await, held());
    desk.act(kunjungan, hold(), 2).await;
    assert_eq!(desk.blocked(obat).await, Some(("prerequisite", kunjungan)));
    desk.act(kunjungan, Event::Release, 3).await;
    assert_eq!((desk.stand(kunjungan).await, desk.stand(obat).await), (held(), held()));
}

pub(crate) async fn promise_6_a_child_accepted_after_the_refusal_is_held_at_once(desk: &Desk) {
    let parent = desk.accept("r", vec![desk.entry("a", DAFTAR)]).await[0];
    desk.send_only(parent, refused(), 1).await;
    let child = NewEntry { after: vec![parent], ..desk.entry("a", KUNJUNGAN) };
    let child = desk.accept("s", vec![child]).await[0];
    assert_eq!(desk.stand(child).await, held());
    desk.act(parent, cancel(), 2).await;
    assert_eq!(desk.stand(child).await, held());
    desk.check_tally().await;
}

pub(crate) async fn promise_3_an_adopted_parent_makes_children_look_first(desk: &Desk) {
    let [daftar, kunjungan, obat] = visit(desk).await;
    desk.send_only(daftar, accepted("noUrut", "A1"), 1).await;
    desk.send_only(kunjungan, no_answer(), 2).await;
    let looking = desk.claim_only(kunjungan, 100).await;
    let found = desk.look(&looking, Finding::Found { ids: ids("noKunjungan", "V1"), differs: vec![] }, 100).await;
    assert_eq!(found.progress.how, Some(How::Adopted));
    let claimed = desk.claim_only(obat, 101).await;
    assert_eq!(claimed.purpose, Purpose::LookUp);
    desk.look(&claimed, Finding::Absent, 101).await;
    assert_eq!(desk.claim_only(obat, 102).await.purpose, Purpose::Send);
    // One accepted later finds its parent adopted already.
    let late = NewEntry {
        after: vec![kunjungan],
        no_kartu: Some(Private::new("0009900000007".to_owned())),
        ..desk.entry("a", OBAT)
    };
    let late = desk.accept("s", vec![late]).await[0];
    assert_eq!(desk.claim_only(late, 103).await.purpose, Purpose::LookUp);
}

pub(crate) async fn promise_3_a_parent_adopted_while_its_child_was_held_is_not_forgotten(desk: &Desk) {
    let [daftar, kunjungan, obat] = visit(desk).await;
    desk.act(obat, hold(), 0).await;
    desk.send_only(daftar, accepted("noUrut", "A1"), 1).await;
    desk.act(kunjungan, Event::Adopt { ids: ids("noKunjungan", "V1") }, 2).await;
    desk.act(obat, Event::Release, 3).await;
    assert_eq!(desk.claim_only(obat, 4).await.purpose, Purpose::LookUp);
}

pub(crate) async fn a_chain_of_a_thousand_is_held_and_let_go(desk: &Desk) {
    let mut entries: Vec<NewEntry> = Vec::new();
    for number in 0..1000 {
        let mut entry = desk.entry(&format!("e{number}"), EDIT);
        entry.no_kartu = Some(Private::new(format!("{number:013}")));
        entry.after = entries.last().map(|before| before.id).into_iter().collect();
        entries.push(entry);
    }
    let chain = desk.accept("r", entries).await;
    desk.send_only(chain[0], refused(), 1).await;
    assert_eq!(desk.stand(chain[999]).await, held());
    desk.act(chain[0], Event::Adopt { ids: ids("x", "1") }, 2).await;
    assert_eq!(desk.blocked(chain[999]).await, Some(("prerequisite", chain[998])));
    desk.claim_only(chain[1], 3).await;
    desk.check_tally().await;
}
