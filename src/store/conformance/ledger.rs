//! The small tables and the totals.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::desk::*;
use crate::contract::{Deadline, Done, Event, Trigger};
use crate::secret::Private;
use crate::store::{CircuitRow, NewEntry, NewSubmission, OutageChange, OutageRow, ReconciliationRow, Verdict};

fn open(seconds: i64) -> OutageChange {
    OutageChange::Open {
        facility: FACILITY.to_owned(),
        service: "pcare".to_owned(),
        cause: "tcp".to_owned(),
        verdict: Verdict::Bpjs,
        evidence: json!({ "probe": "refused" }),
        at: at(seconds),
        actor: "jembatan".to_owned(),
    }
}

pub(crate) async fn one_outage_is_open_per_service_and_closing_counts(desk: &Desk) {
    let before = desk.accept_one("r", DAFTAR, CARD).await;
    let row = desk.store.change_outage(open(10)).await.unwrap();
    assert_eq!(desk.store.change_outage(open(11)).await.unwrap(), row, "the open one is the answer");
    let late = Deadline { late: Some(at(50)), ..Deadline::default() };
    let entry = NewEntry { deadline: late, ..desk.entry("a", DAFTAR) };
    let during = NewSubmission { accepted_at: at(20), ..desk.submission("s", vec![entry]) };
    desk.store.accept(during).await.unwrap();
    let evidence = OutageChange::Evidence { id: row.id, evidence: json!({ "probe": "timeout" }) };
    assert_eq!(desk.store.change_outage(evidence).await.unwrap().evidence["probe"], "timeout");
    let close = |seconds| OutageChange::Close { id: row.id, at: at(seconds), actor: "jembatan".to_owned() };
    let closed = desk.store.change_outage(close(100)).await.unwrap();
    assert_eq!((closed.accepted, closed.affected, closed.late), (1, 2, 1));
    assert_eq!((closed.closed_at, closed.closed_by.as_deref()), (Some(at(100)), Some("jembatan")));
    assert_eq!(desk.store.change_outage(close(200)).await.unwrap(), closed, "closed once");
    let next = desk.store.change_outage(open(300)).await.unwrap();
    assert_ne!(next.id, row.id);
    let listed: Vec<i64> = desk.store.outages(10).await.unwrap().iter().map(|outage| outage.id).collect();
    assert_eq!(listed, [next.id, row.id]);
    let bare = |outage: OutageRow| OutageRow { evidence: Value::Null, ..outage };
    let expected = [bare(next), bare(closed)];
    assert_eq!(desk.store.outage_spans(10).await.unwrap(), expected, "the same without their evidence");
    assert_eq!(desk.store.outage_spans(1).await.unwrap(), expected[..1]);
    let log: Vec<String> = desk.store.audit(0, 10).await.unwrap().into_iter().map(|line| line.action).collect();
    assert_eq!(log, ["outage.open", "outage.close", "outage.open"]);
    desk.claim_only(before, 400).await;
}

pub(crate) async fn an_outage_that_is_not_there_is_an_error(desk: &Desk) {
    desk.store.change_outage(OutageChange::Close { id: 7, at: at(1), actor: "x".into() }).await.unwrap_err();
    desk.store.change_outage(OutageChange::Evidence { id: 7, evidence: json!({}) }).await.unwrap_err();
    assert!(desk.store.outages(10).await.unwrap().is_empty());
}

pub(crate) async fn reconciliations_keep_their_reports(desk: &Desk) {
    let row = |id: &str, seconds| ReconciliationRow {
        id: id.to_owned(),
        facility: FACILITY.to_owned(),
        from: day(20),
        to: day(21),
        started_at: at(seconds),
        finished_at: at(seconds + 1),
        counts: BTreeMap::from([("equal".to_owned(), 3)]),
        report: Some(Private::new(json!({ "items": [CARD] }))),
    };
    desk.store.put_reconciliation(row("a", 1)).await.unwrap();
    desk.store.put_reconciliation(row("b", 2)).await.unwrap();
    desk.store.put_reconciliation(row("b", 3)).await.unwrap_err();
    let listed = desk.store.reconciliations(Some(FACILITY), 10).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert!(listed.iter().all(|row| row.report.is_none()), "lists come without reports");
    let whole = desk.store.reconciliation("a").await.unwrap().unwrap();
    assert_eq!((whole.counts["equal"], whole.report), (3, row("a", 1).report));
    assert!(desk.store.reconciliations(Some("X"), 10).await.unwrap().is_empty());
    assert!(desk.store.reconciliation("c").await.unwrap().is_none());
}

pub(crate) async fn circuits_and_pauses_are_remembered(desk: &Desk) {
    let row = |open| CircuitRow { facility: FACILITY.to_owned(), service: "pcare".to_owned(), open, since: at(5) };
    desk.store.set_circuit(row(true)).await.unwrap();
    desk.store.set_circuit(row(false)).await.unwrap();
    assert_eq!(desk.store.circuits().await.unwrap(), [row(false)]);
    assert!(desk.store.pauses().await.unwrap().is_empty());
}

pub(crate) async fn events_are_numbered_kept_and_logged(desk: &Desk) {
    let event = |seconds, until| Event {
        id: 0,
        kind: Trigger::VendorChange,
        facility: "*".to_owned(),
        at: at(seconds),
        until,
        remark: "vendor baru".to_owned(),
        actor: "kepala".to_owned(),
        recorded_at: at(5),
    };
    let first = desk.store.record_event(event(900, None)).await.unwrap();
    let second = desk.store.record_event(event(100, Some(at(200)))).await.unwrap();
    assert!(second.id > first.id && first.id > 0);
    assert_eq!(desk.store.events().await.unwrap(), [first.clone(), second]);
    desk.store.record_event(event(100, Some(at(99)))).await.unwrap_err();
    assert_eq!(desk.store.events().await.unwrap().len(), 2, "ends before it begins");
    let log = desk.store.audit(0, 10).await.unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!((log[0].action.as_str(), log[0].object.clone()), ("obligation.event", first.id.to_string()));
}

pub(crate) async fn a_duty_is_marked_done_once(desk: &Desk) {
    let done = |seconds, actor: &str| Done {
        id: "claim.submit~2026-10~0114A026".to_owned(),
        at: at(seconds),
        actor: actor.to_owned(),
        remark: "diajukan".to_owned(),
    };
    let first = desk.store.mark_done(done(5, "a")).await.unwrap();
    assert_eq!(first, done(5, "a"));
    assert_eq!(desk.store.mark_done(done(9, "b")).await.unwrap(), first, "the first mark stays");
    assert_eq!(desk.store.marks().await.unwrap(), [first]);
    let log: Vec<String> = desk.store.audit(0, 10).await.unwrap().into_iter().map(|line| line.action).collect();
    assert_eq!(log, ["obligation.done"]);
}

pub(crate) async fn totals_name_the_oldest_and_the_nearest(desk: &Desk) {
    let empty = desk.store.totals(at(0)).await.unwrap();
    assert_eq!((empty.oldest_unfinished, empty.oldest_due, empty.nearest_deadline, empty.late), (None, None, None, 0));
    for (number, late) in [(1, 100), (2, 300), (3, 500)] {
        let mut entry = desk.entry("a", DAFTAR);
        entry.no_kartu = Some(Private::new(format!("000990000000{number}")));
        entry.deadline = Deadline { late: Some(at(late)), ..Deadline::default() };
        entry.due_at = at(number);
        let new = NewSubmission { accepted_at: at(number), ..desk.submission(&format!("r{number}"), vec![entry]) };
        desk.store.accept(new).await.unwrap();
    }
    let totals = desk.store.totals(at(200)).await.unwrap();
    assert_eq!((totals.oldest_unfinished, totals.oldest_due), (Some(at(1)), Some(at(1))));
    assert_eq!((totals.nearest_deadline, totals.late), (Some(at(300)), 1));
    for claimed in desk.claim(200).await {
        desk.end(&claimed, accepted("noUrut", "A1"), 201).await;
    }
    let done = desk.store.totals(at(202)).await.unwrap();
    assert_eq!((done.oldest_unfinished, done.oldest_due, done.nearest_deadline, done.late), (None, None, None, 0));
}

pub(crate) async fn a_lanes_load_is_its_queue_in_dispatch_order_and_what_was_delivered_lately(desk: &Desk) {
    assert!(desk.store.load(at(0), 10).await.unwrap().is_empty());
    for (number, late) in [(1, 500), (2, 300), (3, 400)] {
        let mut entry = desk.entry("a", DAFTAR);
        entry.no_kartu = Some(Private::new(format!("000990000000{number}")));
        entry.deadline = Deadline { late: Some(at(late)), ..Deadline::default() };
        entry.due_at = at(number);
        let new = NewSubmission { accepted_at: at(number), ..desk.submission(&format!("r{number}"), vec![entry]) };
        desk.store.accept(new).await.unwrap();
    }
    let before = desk.store.load(at(0), 2).await.unwrap();
    let dates: Vec<_> = before[0].queue.iter().map(|row| (row.rank, row.late, row.due_at)).collect();
    let wanted = [(at(2), Some(at(300)), at(2)), (at(3), Some(at(400)), at(3))];
    assert_eq!((before.len(), before[0].delivered, dates), (1, 0, wanted.to_vec()), "the nearest date first");
    assert_eq!((before[0].facility.as_str(), before[0].service.as_str()), (FACILITY, "pcare"));
    for (number, claimed) in desk.claim(200).await.iter().take(2).enumerate() {
        desk.end(claimed, accepted("noUrut", &format!("A{number}")), 201).await;
    }
    let after = desk.store.load(at(150), 10).await.unwrap();
    assert_eq!((after[0].delivered, after[0].queue.len()), (2, 1));
    assert_eq!(desk.store.load(at(250), 10).await.unwrap()[0].delivered, 0, "only what is recent counts");
}

pub(crate) async fn a_commit_that_changes_something_wakes_and_an_empty_claim_does_not(desk: &Desk) {
    let mut wakes = desk.store.wake_ups();
    let mut quiet = 0;
    // A wake-up too many (a listener that has just connected) costs nothing; one for every claim would never end.
    for _ in 0..20 {
        wakes.mark_unchanged();
        assert!(desk.claim(1).await.is_empty());
        // The second commit is over when its answer is here, so the first one's wake-up would be seen.
        assert!(desk.claim(1).await.is_empty());
        quiet += i32::from(!wakes.has_changed().unwrap());
    }
    assert!(quiet >= 15, "{quiet} of 20 claims that found nothing woke nobody");
    wakes.mark_unchanged();
    desk.accept_one("r", DAFTAR, CARD).await;
    wakes.changed().await.unwrap();
}
