//! Order per patient, pauses and stopped lanes.

use super::desk::*;
use crate::queue::transition::Event;
use crate::queue::{Finding, Outcome, Purpose};
use crate::secret::Private;
use crate::store::{AuditEntry, LaneStop, NewEntry, PauseRow};

pub(crate) async fn promise_4_a_patient_is_served_in_order(desk: &Desk) {
    let first = desk.accept("r", vec![desk.entry("a", DAFTAR), desk.entry("b", DAFTAR)]).await;
    let third = desk.accept("s", vec![desk.entry("a", DAFTAR)]).await[0];
    assert_eq!(desk.blocked(first[1]).await, Some(("order", first[0])));
    assert_eq!(desk.blocked(third).await, Some(("order", first[0])));
    let claimed = desk.claim_only(first[0], 0).await;
    assert!(desk.claim(1).await.is_empty(), "one unfinished write at a time");
    desk.end(&claimed, no_answer(), 2).await;
    assert!(desk.claim(3).await.is_empty(), "unanswered keeps its place");
    let looking = desk.claim_only(first[0], 100).await;
    desk.look(&looking, Finding::Found { ids: ids("noUrut", "A1"), differs: vec![] }, 100).await;
    desk.send_only(first[1], refused(), 101).await;
    desk.send_only(third, accepted("noUrut", "A2"), 102).await;
}

pub(crate) async fn promise_4_no_item_blocks_another_patient(desk: &Desk) {
    let poison = desk.accept_one("poison", DAFTAR, "0009900000099").await;
    for number in 10..60 {
        desk.accept_one(&format!("r{number}"), DAFTAR, &format!("00099000000{number}")).await;
    }
    let (mut delivered, mut now) = (0, 0);
    for _ in 0..4 {
        for claimed in desk.claim(now).await {
            let outcome = if claimed.delivery.id == poison { no_answer() } else { accepted("noUrut", "A1") };
            if claimed.purpose == Purpose::LookUp {
                desk.look(&claimed, Finding::Failed { why: "503".into() }, now).await;
            } else {
                delivered += usize::from(desk.end(&claimed, outcome, now).await.progress.how.is_some());
            }
        }
        now += 100;
    }
    assert_eq!(delivered, 50);
}

pub(crate) async fn promise_4_an_entry_for_tomorrow_does_not_block_todays(desk: &Desk) {
    let tomorrow = NewEntry { service_date: Some(day(22)), due_at: at(86_400), ..desk.entry("a", DAFTAR) };
    let ahead = desk.accept("r", vec![tomorrow]).await[0];
    let today = desk.accept("s", vec![desk.entry("a", DAFTAR)]).await[0];
    assert_eq!(desk.blocked(today).await, None);
    desk.send_only(today, accepted("noUrut", "A1"), 1).await;
    assert!(desk.claim(86_399).await.is_empty());
    desk.claim_only(ahead, 86_400).await;
}

pub(crate) async fn promise_4_order_is_inherited_along_after(desk: &Desk) {
    let visit = desk.entry("kunjungan", KUNJUNGAN);
    let bare = |name: &str, after| NewEntry { no_kartu: None, after: vec![after], ..desk.entry(name, OBAT) };
    let drug = bare("obat", visit.id);
    let other = bare("obat-2", visit.id);
    let lanes = desk.accept("r", vec![visit, drug, other]).await;
    desk.send_only(lanes[0], accepted("noKunjungan", "V1"), 1).await;
    let claimed = desk.claim_only(lanes[1], 2).await;
    assert_eq!(claimed.given.len(), 1);
    assert_eq!(claimed.given[0].ids.expose()["noKunjungan"], "V1");
    assert_eq!(desk.blocked(lanes[2]).await, Some(("order", lanes[1])));
    let lane = desk.get(lanes[0]).await.lane;
    assert!(desk.get(lanes[1]).await.lane == lane && desk.get(lanes[2]).await.lane == lane);
}

pub(crate) async fn promise_4_order_is_inherited_from_the_visit(desk: &Desk) {
    let key: Key = (KUNJUNGAN.to_owned(), vec![], "0114A0261126Y000001".to_owned());
    let visit = desk.accept("r", vec![desk.entry("a", KUNJUNGAN)]).await[0];
    let claimed = desk.claim_only(visit, 1).await;
    let mut recorded = desk.recorded(&claimed, Event::Ended(accepted("noKunjungan", &key.2)), 1);
    recorded.end.owns = Some(key.clone());
    desk.store.record(recorded).await.unwrap().unwrap();
    let about = |name: &str, key: &Key| NewEntry { no_kartu: None, about: Some(key.clone()), ..desk.entry(name, EDIT) };
    let unknown: Key = (KUNJUNGAN.to_owned(), vec![], "0114A0261126Y000009".to_owned());
    let edits = desk.accept("s", vec![about("a", &key), about("b", &unknown), about("c", &unknown)]).await;
    assert_eq!(desk.get(edits[0]).await.lane, desk.get(visit).await.lane);
    assert_ne!(desk.get(edits[1]).await.lane, desk.get(visit).await.lane);
    assert_eq!(desk.blocked(edits[2]).await, Some(("order", edits[1])), "a visit of others orders its edits too");
}

pub(crate) async fn promise_4_what_comes_back_goes_first_again(desk: &Desk) {
    let both = desk.accept("r", vec![desk.entry("a", DAFTAR), desk.entry("b", DAFTAR)]).await;
    desk.send_only(both[0], refused(), 1).await;
    assert_eq!(desk.blocked(both[1]).await, None);
    desk.act(both[0], Event::Amend, 2).await;
    assert_eq!(desk.blocked(both[1]).await, Some(("order", both[0])));
    desk.act(both[0], cancel(), 3).await;
    assert_eq!(desk.blocked(both[1]).await, None);
}

pub(crate) async fn promise_4_what_came_back_during_a_look_up_still_goes_first(desk: &Desk) {
    let both = desk.accept("r", vec![desk.entry("a", DAFTAR), desk.entry("b", DAFTAR)]).await;
    desk.send_only(both[0], refused(), 1).await;
    desk.send_only(both[1], no_answer(), 2).await;
    let looking = desk.claim_only(both[1], 100).await;
    desk.act(both[0], Event::Amend, 100).await;
    let after = desk.look(&looking, Finding::Absent, 101).await;
    assert_eq!(after.progress.blocked.map(|blocked| blocked.id), Some(both[0]));
    desk.claim_only(both[0], 102).await;
}

pub(crate) async fn promise_7_refused_credentials_stop_the_lane_until_a_newer_version(desk: &Desk) {
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    let stop = |version| LaneStop {
        facility: FACILITY.to_owned(),
        service: "pcare".to_owned(),
        message: Private::new("password salah".to_owned()),
        since: at(1),
        credential_version: version,
    };
    desk.store.set_lane_stop(FACILITY, "pcare", Some(stop(3))).await.unwrap();
    assert_eq!(desk.store.lane_stops().await.unwrap(), [stop(3)]);
    assert!(desk.claim(2).await.is_empty());
    let mut newer = desk.ask(2);
    newer.credential_version = 4;
    let claimed = desk.store.claim(newer).await.unwrap();
    assert_eq!(claimed.len(), 1);
    desk.end(&claimed[0], Outcome::NotSent { why: "tcp".into() }, 3).await;
    desk.store.set_lane_stop(FACILITY, "pcare", Some(stop(4))).await.unwrap();
    assert_eq!(desk.store.lane_stops().await.unwrap()[0].credential_version, 4);
    desk.store.set_lane_stop(FACILITY, "pcare", None).await.unwrap();
    desk.claim_only(id, 10).await;
}

pub(crate) async fn promise_15_a_pause_stops_sending_and_not_accepting(desk: &Desk) {
    let audit = |action: &str| AuditEntry {
        at: at(0),
        actor: "operator".to_owned(),
        action: action.to_owned(),
        object: FACILITY.to_owned(),
        detail: "pemeliharaan".to_owned(),
    };
    for facility in [FACILITY, "*"] {
        let pause = PauseRow {
            facility: facility.to_owned(),
            reason: "pemeliharaan".to_owned(),
            actor: "operator".to_owned(),
            since: at(0),
        };
        desk.store.set_pause(facility, Some(pause.clone()), audit("pause")).await.unwrap();
        assert_eq!(desk.store.pauses().await.unwrap(), [pause]);
        let id = desk.accept_one(facility, DAFTAR, CARD).await;
        assert!(desk.claim(1).await.is_empty());
        desk.store.set_pause(facility, None, audit("resume")).await.unwrap();
        desk.send_only(id, accepted("noUrut", "A1"), 2).await;
    }
    let lines = desk.store.audit(0, 10).await.unwrap();
    assert_eq!(lines.iter().map(|l| l.action.as_str()).collect::<Vec<_>>(), ["pause", "resume", "pause", "resume"]);
}
