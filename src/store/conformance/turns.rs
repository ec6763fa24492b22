//! Turns in a patient's lane: who was dated ahead, what was served before, clocks that go back, who comes back.

use super::desk::*;
use crate::queue::transition::Event;
use crate::queue::{Delivery, DeliveryId, Finding, Outcome, Purpose, State};
use crate::secret::Private;
use crate::store::{NewEntry, NewSubmission};

/// The beginning of the 22nd, seen from the desk.
const TOMORROW: i64 = 86_400;

/// Dated `days` ahead, so that it waits until then.
fn ahead(desk: &Desk, name: &str, days: i8) -> NewEntry {
    let due_at = at(TOMORROW * i64::from(days));
    NewEntry { service_date: Some(day(21 + days)), due_at, ..desk.entry(name, DAFTAR) }
}

/// Accepts one entry `seconds` after the beginning, due then unless it waits for its day.
async fn accept_at(desk: &Desk, reference: &str, seconds: i64, entry: NewEntry) -> DeliveryId {
    let (id, due_at) = (entry.id, entry.due_at.max(at(seconds)));
    let submission = desk.submission(reference, vec![NewEntry { due_at, ..entry }]);
    desk.store.accept(NewSubmission { accepted_at: at(seconds), ..submission }).await.unwrap();
    id
}

fn done() -> Outcome {
    accepted("noUrut", "A1")
}

fn not_sent() -> Outcome {
    Outcome::NotSent { why: "tcp".to_owned() }
}

/// A day served before but handed in after: only what was ahead of its day when it was accepted is passed.
pub(crate) async fn promise_4_what_was_served_yesterday_waits_for_what_was_accepted_before(desk: &Desk) {
    let dated = |name: &str, on| NewEntry { service_date: Some(day(on)), ..desk.entry(name, DAFTAR) };
    let ids = desk.accept("r", vec![dated("hari-ini", 21), dated("kemarin", 20)]).await;
    let after = desk.accept("s", vec![dated("sepekan-lalu", 14)]).await[0];
    assert_eq!(desk.blocked(ids[1]).await, Some(("order", ids[0])));
    assert_eq!(desk.blocked(after).await, Some(("order", ids[0])));
    desk.send_only(ids[0], no_answer(), 1).await;
    assert!(desk.claim(2).await.is_empty(), "nobody goes while it is not known");
    let looking = desk.claim_only(ids[0], 100).await;
    desk.look(&looking, Finding::Absent, 100).await;
    desk.send_only(ids[0], done(), 101).await;
    desk.send_only(ids[1], done(), 102).await;
    desk.claim_only(after, 103).await;
}

/// What is accepted before its day begins goes before it, and it waits for that even once it is due.
pub(crate) async fn promise_4_an_entry_ahead_of_its_day_waits_for_what_was_accepted_before_that(desk: &Desk) {
    let ahead = desk.accept("r", vec![ahead(desk, "besok", 1)]).await[0];
    let today = accept_at(desk, "s", 10, desk.entry("a", DAFTAR)).await;
    assert_eq!((desk.blocked(ahead).await, desk.blocked(today).await), (Some(("order", today)), None));
    desk.send_only(today, no_answer(), TOMORROW - 1).await;
    let looking = desk.claim_only(today, TOMORROW + 60).await;
    assert_eq!(looking.purpose, Purpose::LookUp);
    desk.look(&looking, Finding::Found { ids: ids("noUrut", "A1"), differs: vec![] }, TOMORROW + 60).await;
    assert_eq!(desk.blocked(ahead).await, None);
    desk.send_only(ahead, done(), TOMORROW + 61).await;
}

pub(crate) async fn promise_4_an_entry_whose_day_has_begun_is_passed_no_more(desk: &Desk) {
    let ahead = desk.accept("r", vec![ahead(desk, "besok", 1)]).await[0];
    let same_day = NewEntry { service_date: Some(day(22)), ..desk.entry("a", DAFTAR) };
    let day_before = desk.entry("a", DAFTAR);
    let same_day = accept_at(desk, "s", TOMORROW, same_day).await;
    let day_before = accept_at(desk, "t", TOMORROW + 5, day_before).await;
    for waits in [same_day, day_before] {
        assert_eq!(desk.blocked(waits).await, Some(("order", ahead)));
    }
    let claimed = desk.claim_only(ahead, TOMORROW + 6).await;
    desk.end(&claimed, not_sent(), TOMORROW + 7).await;
    assert!(desk.claim(TOMORROW + 7).await.is_empty(), "it waits again and keeps its turn");
    desk.send_only(ahead, done(), TOMORROW + 100).await;
    desk.send_only(same_day, done(), TOMORROW + 101).await;
    desk.claim_only(day_before, TOMORROW + 102).await;
}

pub(crate) async fn promise_4_of_two_ahead_the_nearer_day_goes_first(desk: &Desk) {
    let ids = desk.accept("r", vec![ahead(desk, "lusa", 2), ahead(desk, "besok", 1), ahead(desk, "besok-2", 1)]).await;
    assert_eq!(desk.blocked(ids[0]).await, Some(("order", ids[1])));
    assert_eq!(desk.blocked(ids[2]).await, Some(("order", ids[1])));
    desk.send_only(ids[1], done(), TOMORROW).await;
    desk.send_only(ids[2], refused(), TOMORROW + 1).await;
    assert!(desk.claim(2 * TOMORROW - 1).await.is_empty());
    desk.claim_only(ids[0], 2 * TOMORROW).await;
}

/// Children have no day of their own; they hold nobody up while the entry they come after waits for its day.
pub(crate) async fn promise_4_what_comes_after_an_entry_ahead_of_its_day_is_passed_like_it(desk: &Desk) {
    let parent = ahead(desk, "besok", 1);
    let child = NewEntry { after: vec![parent.id], ..desk.entry("kunjungan", KUNJUNGAN) };
    let elsewhere = NewEntry {
        after: vec![parent.id],
        no_kartu: Some(Private::new("0009900000001".to_owned())),
        ..desk.entry("anak", KUNJUNGAN)
    };
    let ids = desk.accept("r", vec![parent, child, elsewhere]).await;
    let today = desk.accept("s", vec![desk.entry("a", DAFTAR)]).await[0];
    let other = desk.accept_one("t", DAFTAR, "0009900000001").await;
    assert_eq!((desk.blocked(today).await, desk.blocked(other).await), (None, None));
    for claimed in desk.claim(1).await {
        assert!([today, other].contains(&claimed.delivery.id));
        desk.end(&claimed, done(), 1).await;
    }
    desk.send_only(ids[0], done(), TOMORROW).await;
    for claimed in desk.claim(TOMORROW + 1).await {
        assert!(ids[1..].contains(&claimed.delivery.id));
        desk.end(&claimed, accepted("noKunjungan", claimed.delivery.entry_ref.as_str()), TOMORROW + 2).await;
    }
    assert_eq!((desk.state(ids[1]).await, desk.state(ids[2]).await), (State::Delivered, State::Delivered));
}

/// A person sets it going in the last minute of the day before: it still waits for its day (promise 9).
pub(crate) async fn promise_9_a_retry_just_before_its_day_does_not_send_an_entry_early(desk: &Desk) {
    let id = desk.accept("r", vec![ahead(desk, "besok", 1)]).await[0];
    for (event, now) in [(hold(), 1), (Event::Release, TOMORROW - 30), (Event::Retry, TOMORROW - 20)] {
        desk.act(id, event, now).await;
    }
    desk.act(id, Event::Amend, TOMORROW - 10).await;
    assert!(desk.claim(TOMORROW - 1).await.is_empty());
    desk.claim_only(id, TOMORROW).await;
}

/// The clock was ahead and is set back: the order of acceptance holds, and nobody waits in a circle.
pub(crate) async fn promise_4_a_clock_that_was_set_back_lets_nobody_pass_and_locks_nobody(desk: &Desk) {
    let early = accept_at(desk, "r", 60, NewEntry { due_at: at(95), ..desk.entry("a", DAFTAR) }).await;
    let first = accept_at(desk, "s", 100, desk.entry("a", DAFTAR)).await;
    let second = accept_at(desk, "t", 90, desk.entry("a", DAFTAR)).await;
    let third = accept_at(desk, "u", 91, NewEntry { due_at: at(99), ..desk.entry("a", DAFTAR) }).await;
    assert_eq!(desk.blocked(second).await, Some(("order", early)));
    for (id, now) in [(early, 110), (first, 111), (second, 112), (third, 113)] {
        desk.send_only(id, done(), now).await;
    }
}

/// One that was set going again waits for a later one that went meanwhile: its look-up would find rows of both.
pub(crate) async fn promise_4_what_comes_back_waits_for_what_is_under_way(desk: &Desk) {
    let ids = desk.accept("r", vec![desk.entry("a", OBAT), desk.entry("b", OBAT)]).await;
    desk.send_only(ids[0], refused(), 1).await;
    let later = desk.claim_only(ids[1], 2).await;
    desk.act(ids[0], Event::Retry, 3).await;
    assert_eq!(desk.blocked(ids[0]).await, Some(("order", ids[1])));
    assert!(desk.claim(4).await.is_empty(), "two of one patient at once");
    desk.end(&later, no_answer(), 5).await;
    assert!(desk.claim(6).await.is_empty(), "it may have landed");
    for (now, finding) in [(70, Finding::Absent), (190, Finding::Absent)] {
        assert_eq!(desk.blocked(ids[0]).await, Some(("order", ids[1])));
        let looking = desk.claim_only(ids[1], now).await;
        assert!(desk.claim(now).await.is_empty());
        desk.look(&looking, finding, now).await;
    }
    assert_eq!(desk.blocked(ids[1]).await, Some(("order", ids[0])), "it is not there: in order again");
    desk.send_only(ids[0], accepted("kdObatSK", "1"), 191).await;
    let looking = desk.claim_only(ids[1], 300).await;
    assert_eq!(looking.purpose, Purpose::LookUp, "the verdict is old by now");
}

/// What was set aside in doubt is looked up again at a person's word, but not while a neighbour is being sent.
pub(crate) async fn promise_4_a_look_up_waits_while_another_of_the_patient_is_in_hand(desk: &Desk) {
    let ids = desk.accept("r", vec![desk.entry("a", OBAT), desk.entry("b", OBAT), desk.entry("c", OBAT)]).await;
    desk.send_only(ids[0], no_answer(), 1).await;
    desk.act(ids[0], hold(), 2).await;
    let sending = desk.claim_only(ids[1], 3).await;
    assert_eq!(desk.act(ids[0], Event::Retry, 100).await.progress.state, State::Unanswered);
    assert!(desk.claim(101).await.is_empty(), "its look-up would find the other's row, which nobody owns yet");
    desk.end(&sending, accepted("kdObatSK", "1"), 102).await;
    assert_eq!(desk.claim_only(ids[0], 103).await.purpose, Purpose::LookUp);
    assert_eq!(desk.blocked(ids[2]).await, Some(("order", ids[0])));
}

/// Turns are taken once: whatever happens to an entry, it keeps its own.
pub(crate) async fn promise_4_a_turn_is_kept(desk: &Desk) {
    let ids = desk.accept("r", vec![desk.entry("a", DAFTAR), ahead(desk, "besok", 1)]).await;
    let turns = async || [desk.get(ids[0]).await, desk.get(ids[1]).await].map(|Delivery { turn, .. }| turn);
    let taken = turns().await;
    assert_eq!((taken[0].opens, taken[0].at), (None, at(0)));
    assert_eq!((taken[1].opens, taken[1].at), (Some(at(TOMORROW)), at(TOMORROW)));
    desk.send_only(ids[0], refused(), 1).await;
    desk.act(ids[0], Event::Amend, 2).await;
    desk.act(ids[1], hold(), 3).await;
    desk.act(ids[1], Event::Retry, 4).await;
    assert_eq!(turns().await, taken);
}
