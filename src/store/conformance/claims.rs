//! Leases, attempts, crashes and last dates.

use super::desk::*;
use crate::contract::Deadline;
use crate::queue::transition::Event;
use crate::queue::{Finding, Purpose, State};
use crate::secret::Private;
use crate::store::NewEntry;

pub(crate) async fn the_attempts_row_is_there_before_claim_returns(desk: &Desk) {
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    let claimed = desk.claim_only(id, 5).await;
    assert_eq!((claimed.purpose, claimed.attempt), (Purpose::Send, 1));
    let attempts = desk.store.attempts(id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].started_at, attempts[0].ended_at, attempts[0].credential_version), (at(5), None, 3));
    let delivery = desk.get(id).await;
    assert_eq!((delivery.progress.state, delivery.progress.attempts), (State::Sending, 1));
    assert_eq!(delivery.progress.lease.map(|lease| (lease.token, lease.until)), Some((claimed.token, at(65))));
    assert_eq!(claimed.delivery, delivery);
}

pub(crate) async fn what_is_leased_is_not_leased_again(desk: &Desk) {
    for number in 0..5 {
        desk.accept_one(&format!("r{number}"), DAFTAR, &format!("000990000000{number}")).await;
    }
    let claims = (0..10).map(|_| desk.claim(1));
    let leased: usize = futures_util::future::join_all(claims).await.iter().map(Vec::len).sum();
    assert_eq!(leased, 5);
    assert!(desk.claim(10_000).await.is_empty(), "a lease that ran out is reclaimed, not taken over");
}

pub(crate) async fn the_nearest_target_goes_first(desk: &Desk) {
    let mut wanted = Vec::new();
    for (number, target) in [(1, 300), (2, 100), (3, 200)] {
        let mut entry = desk.entry("a", DAFTAR);
        entry.no_kartu = Some(Private::new(format!("000990000000{number}")));
        entry.deadline = Deadline { target: Some(at(target)), ..Deadline::default() };
        wanted.push((target, desk.accept(&format!("r{number}"), vec![entry]).await[0]));
    }
    wanted.sort_unstable();
    let mut ask = desk.ask(1);
    ask.limit = 2;
    let first: Vec<_> = desk.store.claim(ask).await.unwrap().iter().map(|claimed| claimed.delivery.id).collect();
    assert_eq!(first, [wanted[0].1, wanted[1].1]);
    desk.claim_only(wanted[2].1, 2).await;
}

pub(crate) async fn what_can_still_be_in_time_goes_before_a_backlog_and_that_in_the_order_of_its_dates(desk: &Desk) {
    let hour = 3_600;
    let mut ids = Vec::new();
    // Late date and target; the backlog was accepted first, its newest day before its oldest.
    let dates = [
        (Some(-24 * hour), -30 * hour),
        (Some(-48 * hour), -60 * hour),
        (Some(-48 * hour), -61 * hour),
        (None, -90 * hour),
        (Some(9 * hour), 2),
        (Some(8 * hour), 5),
        (Some(8 * hour), 1),
    ];
    for (number, (late, target)) in dates.into_iter().enumerate() {
        let mut entry = desk.entry("a", DAFTAR);
        entry.no_kartu = Some(Private::new(format!("000990000000{number}")));
        entry.deadline = Deadline { target: Some(at(target)), late: late.map(at), ..Deadline::default() };
        ids.push(desk.accept(&format!("r{number}"), vec![entry]).await[0]);
    }
    let wanted = [6, 5, 4, 3, 2, 1, 0].map(|number: usize| ids[number]);
    let load = desk.store.load(at(0), 10).await.unwrap();
    let foreseen: Vec<_> = load[0].queue.iter().map(|row| row.id).collect();
    assert_eq!(foreseen, wanted, "the forecast reckons with the order in which they go");
    let mut order = Vec::new();
    for (limit, now) in [(1, 1), (3, 2), (9, 3)] {
        let mut ask = desk.ask(now);
        ask.limit = limit;
        order.extend(desk.store.claim(ask).await.unwrap().iter().map(|claimed| claimed.delivery.id));
    }
    assert_eq!(order, wanted);
}

pub(crate) async fn promise_1_a_stale_token_records_nothing(desk: &Desk) {
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    let claimed = desk.claim_only(id, 0).await;
    assert_eq!(desk.store.reclaim(at(61), false, desk.base()).await.unwrap(), 1);
    let before = desk.get(id).await;
    let late = desk.recorded(&claimed, Event::Ended(accepted("noUrut", "A1")), 62);
    assert!(desk.store.record(late).await.unwrap().is_none());
    let looking = desk.claim_only(id, 200).await;
    assert_ne!(looking.token, claimed.token);
    let late = desk.recorded(&claimed, Event::Ended(refused()), 201);
    assert!(desk.store.record(late).await.unwrap().is_none(), "the token of the send is not the look-up's");
    desk.look(&looking, Finding::Found { ids: ids("noUrut", "A1"), differs: vec![] }, 202).await;
    let after = desk.get(id).await;
    assert_eq!((before.progress.state, after.progress.state), (State::Unanswered, State::Delivered));
    let twice = desk.recorded(&looking, Event::Looked { finding: Finding::Absent, begun: at(202) }, 203);
    assert!(desk.store.record(twice).await.unwrap().is_none());
    assert_eq!(desk.get(id).await, after);
}

pub(crate) async fn promise_1_a_crash_puts_what_was_sending_in_doubt(desk: &Desk) {
    let sent = desk.accept_one("r", DAFTAR, CARD).await;
    let edit = desk.accept_one("s", EDIT, "0009900000001").await;
    assert_eq!(desk.claim(0).await.len(), 2);
    assert_eq!(desk.store.reclaim(at(1), true, desk.base()).await.unwrap(), 2);
    let delivery = desk.get(sent).await;
    assert_eq!((delivery.progress.state, delivery.progress.doubt.marked), (State::Unanswered, true));
    assert_eq!(desk.store.attempts(sent).await.unwrap()[0].end.outcome, "lost");
    let repeated = desk.get(edit).await;
    assert_eq!((repeated.progress.state, repeated.progress.doubt.marked), (State::Waiting, true));
    let looking = desk.claim(200).await;
    assert_eq!(looking.iter().map(|c| c.purpose).collect::<Vec<_>>(), [Purpose::LookUp, Purpose::Send]);
    desk.check_tally().await;
}

pub(crate) async fn only_leases_that_ran_out_are_reclaimed_while_running(desk: &Desk) {
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    desk.claim_only(id, 0).await;
    assert_eq!(desk.store.reclaim(at(59), false, desk.base()).await.unwrap(), 0);
    assert_eq!(desk.state(id).await, State::Sending);
    assert_eq!(desk.store.reclaim(at(61), false, desk.base()).await.unwrap(), 1);
}

fn until(last: i64) -> Deadline {
    Deadline { last: Some(at(last)), ..Deadline::default() }
}

pub(crate) async fn promise_9_what_passed_its_last_date_expires_and_can_be_retried_once_and_for_all(desk: &Desk) {
    let overdue = NewEntry { deadline: until(100), ..desk.entry("a", DAFTAR) };
    let child = NewEntry { after: vec![overdue.id], ..desk.entry("b", KUNJUNGAN) };
    let ids = desk.accept("r", vec![overdue, child]).await;
    assert_eq!(desk.store.expire(at(100), 10, desk.base()).await.unwrap(), 0);
    assert_eq!(desk.store.expire(at(101), 10, desk.base()).await.unwrap(), 1);
    assert_eq!(desk.stand(ids[0]).await, (State::Expired, "expired".to_owned()));
    assert_eq!(desk.stand(ids[1]).await, (State::Held, "prerequisite".to_owned()));
    desk.act(ids[0], Event::Retry, 200).await;
    assert_eq!(desk.state(ids[1]).await, State::Waiting);
    assert_eq!(desk.store.expire(at(300), 10, desk.base()).await.unwrap(), 0, "a person wanted it");
    desk.send_only(ids[0], accepted("noUrut", "A1"), 301).await;
    desk.check_tally().await;
}

pub(crate) async fn promise_9_an_edit_in_doubt_past_its_last_date_stops_nobody(desk: &Desk) {
    let edit = NewEntry { deadline: until(100), ..desk.entry("a", EDIT) };
    let edit = desk.accept("r", vec![edit]).await[0];
    desk.send_only(edit, no_answer(), 1).await;
    desk.store.expire(at(200), 10, desk.base()).await.unwrap();
    let other = desk.accept_one("s", DAFTAR, "0009900000001").await;
    let claimed = desk.claim(201).await;
    assert_eq!(claimed.iter().map(|c| c.delivery.id).collect::<Vec<_>>(), [edit, other]);
    assert!(claimed.iter().all(|claimed| claimed.purpose == Purpose::Send));
}

pub(crate) async fn promise_9_a_blocked_entry_in_doubt_can_pass_its_last_date(desk: &Desk) {
    let first = desk.accept("r", vec![desk.entry("a", DAFTAR)]).await[0];
    desk.send_only(first, refused(), 1).await;
    let second = NewEntry { deadline: until(500), ..desk.entry("a", KUNJUNGAN) };
    let second = desk.accept("s", vec![second]).await[0];
    desk.send_only(second, no_answer(), 2).await;
    let looking = desk.claim_only(second, 100).await;
    desk.look(&looking, Finding::Absent, 100).await;
    desk.act(first, Event::Retry, 101).await;
    assert_eq!(desk.blocked(second).await, Some(("order", first)));
    assert_eq!(desk.store.expire(at(501), 10, desk.base()).await.unwrap(), 1);
    assert_eq!(desk.state(second).await, State::Unanswered);
}

pub(crate) async fn promise_13_distrust_makes_everything_look_first(desk: &Desk) {
    let waiting = desk.accept_one("r", DAFTAR, CARD).await;
    let refused_one = desk.accept_one("s", DAFTAR, "0009900000001").await;
    let held = desk.accept_one("t", DAFTAR, "0009900000002").await;
    desk.act(held, hold(), 0).await;
    for claimed in desk.claim(1).await {
        let outcome = if claimed.delivery.id == waiting { Outcome::NotSent { why: "tcp".into() } } else { refused() };
        desk.end(&claimed, outcome, 1).await;
    }
    assert_eq!(desk.store.distrust(at(2), desk.base()).await.unwrap(), 3);
    desk.act(refused_one, Event::Retry, 3).await;
    desk.act(held, Event::Release, 3).await;
    let claimed = desk.claim(100).await;
    assert_eq!(claimed.len(), 3);
    assert!(claimed.iter().all(|claimed| claimed.purpose == Purpose::LookUp));
}

use crate::queue::Outcome;

pub(crate) async fn next_due_is_the_earliest_that_may_be_claimed(desk: &Desk) {
    assert_eq!(desk.store.next_due(FACILITY, "pcare").await.unwrap(), None);
    let later = NewEntry { due_at: at(500), ..desk.entry("a", DAFTAR) };
    let blocked = NewEntry { after: vec![later.id], due_at: at(10), ..desk.entry("b", KUNJUNGAN) };
    desk.accept("r", vec![later, blocked]).await;
    assert_eq!(desk.store.next_due(FACILITY, "pcare").await.unwrap(), Some(at(500)));
    assert_eq!(desk.store.next_due("X", "pcare").await.unwrap(), None);
    assert!(desk.claim(499).await.is_empty());
    assert_eq!(desk.claim(500).await.len(), 1);
    assert_eq!(desk.store.next_due(FACILITY, "pcare").await.unwrap(), None, "leased is not due");
}

pub(crate) async fn an_attempt_keeps_its_credentials_stamp_and_words(desk: &Desk) {
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    let claimed = desk.claim_only(id, 0).await;
    let mut recorded = desk.recorded(&claimed, Event::Ended(refused()), 7);
    recorded.end.stamp = Some(1_795_222_800);
    recorded.end.status = Some(412);
    recorded.end.code = Some(412);
    recorded.end.detail = Private::new("kata BPJS".to_owned());
    desk.store.record(recorded).await.unwrap().unwrap();
    let attempts = desk.store.attempts(id).await.unwrap();
    let [attempt] = &attempts[..] else { panic!("{attempts:?}") };
    assert_eq!(
        (attempt.ended_at, attempt.end.stamp, attempt.end.status),
        (Some(at(7)), Some(1_795_222_800), Some(412))
    );
    assert_eq!((attempt.end.detail.expose().as_str(), attempt.credential_version), ("kata BPJS", 3));
}
