//! Where two stores once parted (`differential`): what one of them did by accident is a promise here, or a defect that is
//! gone.

use std::collections::BTreeMap;

use jiff::civil::Time;
use serde_json::json;

use super::desk::*;
use crate::contract::Deadline;
use crate::queue::transition::Event;
use crate::queue::{Outcome, State};
use crate::secret::Private;
use crate::store::antrean::{Session, antrean_id};
use crate::store::*;

/// What comes back by itself once its prerequisite is there was never approved by anybody.
pub(crate) async fn promise_6_an_entry_of_the_network_waits_for_approval_whatever_its_prerequisite_does(desk: &Desk) {
    let parent = desk.accept("r", vec![desk.entry("a", DAFTAR)]).await[0];
    desk.send_only(parent, refused(), 1).await;
    let child = NewEntry { after: vec![parent], ..desk.entry("a", KUNJUNGAN) };
    let other = NewEntry { after: vec![parent], ..desk.entry("b", KUNJUNGAN) };
    let (child_id, other_id) = (child.id, other.id);
    let network = NewSubmission { approval: true, ..desk.submission("s", vec![child, other]) };
    desk.store.accept(network).await.unwrap();
    assert_eq!(desk.stand(child_id).await, (State::Held, "approval".to_owned()));
    assert_eq!(desk.act(other_id, Event::Release, 2).await.progress.state, State::Held);
    assert_eq!(
        desk.stand(other_id).await,
        (State::Held, "prerequisite".to_owned()),
        "approved, it waits for the parent"
    );
    desk.act(parent, Event::Adopt { ids: ids("noUrut", "A1") }, 3).await;
    assert_eq!(desk.stand(child_id).await, (State::Held, "approval".to_owned()));
    assert_eq!(desk.state(other_id).await, State::Waiting);
    assert_eq!(desk.act(child_id, Event::Release, 4).await.progress.state, State::Waiting);
}

pub(crate) async fn promise_6_a_held_entry_names_the_prerequisite_that_stands_in_its_way_now(desk: &Desk) {
    let first = desk.accept_one("r", DAFTAR, CARD).await;
    let second = desk.accept_one("s", DAFTAR, "0009900000001").await;
    let child = NewEntry { after: vec![first, second], ..desk.entry("a", KUNJUNGAN) };
    let child = desk.accept("t", vec![child]).await[0];
    for claimed in desk.claim(1).await {
        desk.end(&claimed, refused(), 1).await;
    }
    let named = async || desk.get(child).await.progress.why.map(|why| why.message.into_inner());
    assert_eq!(named().await, Some(first.to_string()));
    desk.act(first, Event::Adopt { ids: ids("noUrut", "A1") }, 2).await;
    assert_eq!(desk.stand(child).await, (State::Held, "prerequisite".to_owned()));
    assert_eq!(named().await, Some(second.to_string()), "not the one that is at BPJS by now");
    desk.check_tally().await;
}

pub(crate) async fn an_entry_of_which_nothing_new_is_known_is_not_touched(desk: &Desk) {
    let parent = desk.accept_one("r", DAFTAR, "0009900000001").await;
    desk.act(parent, Event::Adopt { ids: ids("noUrut", "A1") }, 1).await;
    let ahead = NewEntry { due_at: at(86_400), ..desk.entry("besok", DAFTAR) };
    let ahead = desk.accept("s", vec![ahead]).await[0];
    // An edit may be repeated, so an adopted parent is no question for it.
    let child = NewEntry { after: vec![parent], ..desk.entry("a", EDIT) };
    let child = desk.accept("t", vec![child]).await[0];
    let before = desk.get(child).await;
    desk.act(ahead, cancel(), 9).await;
    assert_eq!(desk.get(child).await, before, "judged anew, with the same verdict");
}

pub(crate) async fn what_a_method_answers_is_what_is_read_afterwards(desk: &Desk) {
    let id = desk.accept_one("r", EDIT, CARD).await;
    let looked = desk.accept_one("s", DAFTAR, "0009900000001").await;
    for now in [1, 100] {
        for claimed in desk.claim(now).await {
            assert_eq!(claimed.delivery, desk.get(claimed.delivery.id).await);
            let mut recorded = desk.recorded(&claimed, Event::Ended(Outcome::NotSent { why: "tcp".into() }), now);
            recorded.base.chance = 0.123_456_7;
            let answered = desk.store.record(recorded).await.unwrap().unwrap();
            assert_eq!(answered, desk.get(claimed.delivery.id).await);
        }
    }
    for id in [id, looked] {
        assert_eq!(desk.act(id, hold(), 300).await, desk.get(id).await);
    }
}

pub(crate) async fn a_patients_journal_takes_the_patterns_of_the_journal(desk: &Desk) {
    desk.accept("r", vec![desk.entry("a", DAFTAR), desk.entry("b", EDIT), desk.entry("c", OBAT)]).await;
    let card = Private::new(CARD.to_owned());
    for patterns in [["*"].as_slice(), &["*.edit"], &["pcare.*.add", "pcare.obat.*"], &["pcare.obat"], &[]] {
        let names = |rows: Vec<JournalRow>| rows.into_iter().map(|row| row.delivery.entry_ref).collect::<Vec<_>>();
        let all = desk.store.journal_of(FACILITY, day(20), day(22), patterns).await.unwrap();
        let own = desk.store.journal_of_patient(FACILITY, &card, day(20), day(22), patterns).await.unwrap();
        assert_eq!(names(all), names(own), "{patterns:?}: all entries are this patient's");
    }
}

pub(crate) async fn what_was_refused_before_it_was_delivered_counts_once_in_the_load(desk: &Desk) {
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    desk.send_only(id, refused(), 1).await;
    desk.act(id, Event::Retry, 2).await;
    desk.send_only(id, accepted("noUrut", "A1"), 3).await;
    desk.accept_one("s", DAFTAR, CARD).await;
    assert_eq!(desk.store.load(at(0), 10).await.unwrap()[0].delivered, 1);
}

pub(crate) async fn what_is_overdue_expires_in_order_of_its_last_date(desk: &Desk) {
    let mut wanted = Vec::new();
    for (number, last) in [(1, 300), (2, 100), (3, 200), (4, 100)] {
        let mut entry = desk.entry("a", DAFTAR);
        entry.no_kartu = Some(Private::new(format!("000990000000{number}")));
        entry.deadline = Deadline { last: Some(at(last)), ..Deadline::default() };
        wanted.push((last, number, desk.accept(&format!("r{number}"), vec![entry]).await[0]));
    }
    wanted.sort_unstable();
    for (_, _, id) in &wanted {
        assert_eq!(desk.store.expire(at(400), 1, desk.base()).await.unwrap(), 1);
        assert_eq!(desk.state(*id).await, State::Expired);
    }
    assert_eq!(desk.store.expire(at(400), 1, desk.base()).await.unwrap(), 0);
}

pub(crate) async fn reconciliations_that_began_together_are_listed_by_name(desk: &Desk) {
    let row = |id: &str| ReconciliationRow {
        id: id.to_owned(),
        facility: FACILITY.to_owned(),
        from: day(20),
        to: day(20),
        started_at: at(1),
        finished_at: at(2),
        counts: BTreeMap::new(),
        report: None,
    };
    for id in ["b", "c", "a"] {
        desk.store.put_reconciliation(row(id)).await.unwrap();
    }
    for facility in [None, Some(FACILITY)] {
        let listed = desk.store.reconciliations(facility, 2).await.unwrap();
        assert_eq!(listed.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    }
}

pub(crate) async fn promise_15_paused_or_stopped_again_it_is_so_since_the_first_time(desk: &Desk) {
    let audit = || desk.doing(desk.id(), Event::Retry, 0).audit;
    for seconds in [5, 9] {
        let (reason, actor) = (format!("alasan {seconds}"), "petugas".to_owned());
        let pause = PauseRow { facility: FACILITY.to_owned(), reason, actor, since: at(seconds) };
        desk.store.set_pause(FACILITY, Some(pause), audit()).await.unwrap();
    }
    let pauses = desk.store.pauses().await.unwrap();
    assert_eq!((pauses[0].since, pauses[0].reason.as_str()), (at(5), "alasan 9"));
    for (seconds, credential_version) in [(5, 4), (9, 3)] {
        let stop = LaneStop {
            facility: FACILITY.to_owned(),
            service: "pcare".to_owned(),
            message: Private::new(format!("kata {seconds}")),
            since: at(seconds),
            credential_version,
        };
        desk.store.set_lane_stop(FACILITY, "pcare", Some(stop)).await.unwrap();
    }
    let stops = desk.store.lane_stops().await.unwrap();
    assert_eq!((stops[0].since, stops[0].credential_version), (at(5), 4), "the newest credentials that were refused");
    assert_eq!(stops[0].message.expose(), "kata 9");
}

pub(crate) async fn promise_10_what_is_there_already_or_cannot_be_is_refused_whole(desk: &Desk) {
    let first = desk.submission("r", vec![desk.entry("a", DAFTAR)]);
    desk.store.accept(first.clone()).await.unwrap();
    let same_id = NewSubmission { id: first.id, ..desk.submission("s", vec![desk.entry("a", DAFTAR)]) };
    desk.store.accept(same_id).await.unwrap_err();
    let known = NewEntry { id: first.entries[0].id, ..desk.entry("b", OBAT) };
    desk.store.accept(desk.submission("t", vec![desk.entry("a", DAFTAR), known])).await.unwrap_err();
    let all = DeliveryFilter { limit: 10, ..DeliveryFilter::default() };
    assert_eq!(desk.store.deliveries(all).await.unwrap().items.len(), 1);
    let plan = OutagePlan {
        id: 0,
        facility: FACILITY.to_owned(),
        from: at(100),
        to: at(100),
        verdict: Verdict::Bpjs,
        reason: "pengumuman".to_owned(),
        actor: "petugas".to_owned(),
        announced_at: at(0),
    };
    let audit = desk.doing(desk.id(), Event::Retry, 0).audit;
    desk.store.plan_outage(plan, audit).await.unwrap_err();
    assert!(desk.store.outage_plans(at(0)).await.unwrap().is_empty());
    assert!(desk.store.audit(0, 10).await.unwrap().is_empty(), "what did not happen is not in the log");
    desk.check_tally().await;
}

pub(crate) async fn a_kept_list_is_not_called_complete_that_is_not_whole(desk: &Desk) {
    let list = ListName {
        facility: FACILITY.to_owned(),
        operation: "pcare.dokter.list".to_owned(),
        scope: Private::new(String::new()),
    };
    let term = |upto| TermRow {
        words: Private::new(String::new()),
        upto,
        count: Some(5),
        complete: true,
        begun_at: at(0),
        as_of: at(0),
    };
    let rows = |upto| NewRows {
        list: list.clone(),
        service: "pcare".to_owned(),
        frame: Private::new(json!({})),
        term: term(upto),
        rows: vec![NewRow { key: Private::new("k".to_owned()), place: 0, body: Private::new("{}".to_owned()) }],
        beyond: None,
        at: at(0),
    };
    desk.store.keep_rows(rows(4)).await.unwrap_err();
    assert!(desk.store.kept_list(&list).await.unwrap().is_none(), "nothing of it is kept");
    desk.store.keep_rows(rows(5)).await.unwrap();
    assert_eq!(desk.store.kept_list(&list).await.unwrap().unwrap().terms, [term(5)]);
    let nobody = MemberName { facility: FACILITY.to_owned(), family: "pcare:".to_owned(), card: None, nik: None };
    let kept = KeptMember { body: Private::new(json!({})), as_of: at(0) };
    desk.store.keep_member(nobody.clone(), Some(kept)).await.unwrap_err();
    desk.store.keep_member(nobody, None).await.unwrap();
}

pub(crate) async fn a_schedule_with_a_session_twice_changes_nothing(desk: &Desk) {
    let session = |quota| Session {
        facility: FACILITY.to_owned(),
        day: day(23),
        poli: "001".to_owned(),
        poli_name: "Poli Umum".to_owned(),
        doctor: 1,
        doctor_name: "dr. 1".to_owned(),
        hours: "08:00-12:00".to_owned(),
        quota,
        opens: None,
        closes: Time::constant(11, 0, 0, 0),
        prefix: "A".to_owned(),
        remark: antrean_id(at(0), &[0; 10]),
    };
    let set = |sessions| desk.store.set_sessions(FACILITY, vec![day(23)], sessions);
    set(vec![session(5)]).await.unwrap();
    set(vec![session(7), session(8)]).await.unwrap_err();
    set(vec![session(-1)]).await.unwrap_err();
    let queues = desk.store.queues(FACILITY, None, day(23), day(23)).await.unwrap();
    assert_eq!(queues.iter().map(|queue| queue.session.quota).collect::<Vec<_>>(), [5]);
}
