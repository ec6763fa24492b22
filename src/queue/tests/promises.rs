//! The promises of the interface, as far as the queue decides them.

use super::*;

const UNIQUE: Recovery = Recovery::LookUp { unique: true };
const NOT_UNIQUE: Recovery = Recovery::LookUp { unique: false };

fn unanswered(recovery: Recovery) -> (Delivery, Policy) {
    let (mut delivery, policy) = (fresh(), policy(recovery));
    send(&mut delivery, no_answer(), start(), &policy);
    assert_eq!(delivery.progress.state, State::Unanswered);
    (delivery, policy)
}

fn state(delivery: &Delivery) -> State {
    delivery.progress.state
}

fn why(delivery: &Delivery) -> &str {
    delivery.progress.why.as_ref().map_or("", |why| why.code.as_str())
}

#[test]
fn promise_1_an_attempt_of_unknown_outcome_is_looked_up_not_before_settle() {
    for outcome in [no_answer(), Outcome::Unavailable { status: 503 }, Outcome::Unreadable { why: "html".into() }] {
        let (mut delivery, policy) = (fresh(), policy(UNIQUE));
        send(&mut delivery, outcome, start(), &policy);
        assert!(delivery.progress.doubt.marked);
        assert_eq!(delivery.progress.due_at, after(60));
        look(&mut delivery, Finding::Absent, after(59), &policy);
        assert_eq!((state(&delivery), delivery.progress.due_at), (State::Unanswered, after(60)));
        look(&mut delivery, Finding::Absent, after(60), &policy);
        assert_eq!(state(&delivery), State::Waiting);
        assert!(delivery.progress.doubt.marked, "absent does not clear the mark");
    }
}

#[test]
fn promise_1_a_crash_while_sending_is_an_attempt_of_unknown_outcome() {
    let (mut delivery, policy) = (fresh(), policy(UNIQUE));
    claim(&mut delivery, start(), &policy);
    apply(&mut delivery, &Event::LeaseLost, after(90), &policy);
    assert_eq!(state(&delivery), State::Unanswered);
    assert_eq!(delivery.progress.doubt.since, Some(after(90)));
    assert_eq!(next_step(&delivery.progress, after(500), &policy), Purpose::LookUp);
}

#[test]
fn promise_1_absent_allows_a_send_for_thirty_seconds_only() {
    let (mut delivery, policy) = unanswered(UNIQUE);
    look(&mut delivery, Finding::Absent, after(60), &policy);
    assert_eq!(next_step(&delivery.progress, after(90), &policy), Purpose::Send);
    assert_eq!(next_step(&delivery.progress, after(91), &policy), Purpose::LookUp);
    look(&mut delivery, Finding::Absent, after(91), &policy);
    assert_eq!(next_step(&delivery.progress, after(121), &policy), Purpose::Send);
}

#[test]
fn promise_1_the_thirty_seconds_count_from_the_beginning_of_the_look_up() {
    let (mut delivery, policy) = unanswered(UNIQUE);
    claim(&mut delivery, after(60), &policy);
    apply(&mut delivery, &Event::Looked { finding: Finding::Absent, begun: after(60) }, after(89), &policy);
    assert_eq!(next_step(&delivery.progress, after(90), &policy), Purpose::Send);
    assert_eq!(next_step(&delivery.progress, after(91), &policy), Purpose::LookUp);
}

#[test]
fn promise_1_absent_is_not_believed_by_another_run() {
    let (mut delivery, before) = unanswered(NOT_UNIQUE);
    look(&mut delivery, Finding::Absent, after(60), &before);
    look(&mut delivery, Finding::Absent, after(180), &before);
    assert_eq!(next_step(&delivery.progress, after(181), &before), Purpose::Send);
    let restarted = Policy { boot: boot(2), ..before };
    assert_eq!(next_step(&delivery.progress, after(181), &restarted), Purpose::LookUp);
    look(&mut delivery, Finding::Absent, after(182), &restarted);
    assert_eq!(delivery.progress.doubt.absent, 1, "counting starts anew");
    assert_eq!(next_step(&delivery.progress, after(183), &restarted), Purpose::LookUp);
    look(&mut delivery, Finding::Absent, after(183), &restarted);
    assert_eq!(next_step(&delivery.progress, after(184), &restarted), Purpose::Send);
}

#[test]
fn promise_1_without_uniqueness_two_absents_are_needed_at_settle_and_three_settle() {
    let (mut delivery, policy) = unanswered(NOT_UNIQUE);
    look(&mut delivery, Finding::Absent, after(60), &policy);
    assert_eq!((state(&delivery), delivery.progress.due_at), (State::Unanswered, after(180)));
    look(&mut delivery, Finding::Absent, after(100), &policy);
    assert_eq!(delivery.progress.doubt.absent, 1, "between the two it says nothing new");
    assert_eq!(state(&delivery), State::Unanswered);
    look(&mut delivery, Finding::Absent, after(180), &policy);
    assert_eq!((state(&delivery), delivery.progress.doubt.absent), (State::Waiting, 2));
    assert_eq!(next_step(&delivery.progress, after(180), &policy), Purpose::Send);
}

#[test]
fn promise_1_a_failed_look_up_decides_nothing() {
    let (mut delivery, policy) = unanswered(UNIQUE);
    for tries in 1..20 {
        let now = after(60 * tries);
        look(&mut delivery, Finding::Failed { why: "503".into() }, now, &policy);
        assert_eq!(state(&delivery), State::Unanswered);
        assert!(delivery.progress.due_at > now && delivery.progress.due_at <= now + schedule::LONGEST);
    }
}

#[test]
fn promise_1_in_doubt_cancel_and_amend_are_refused_and_retry_and_release_look_up() {
    let (delivery, policy) = unanswered(UNIQUE);
    for event in [Event::Cancel { reason: String::new() }, Event::Amend] {
        assert_eq!(transition(&delivery, &event, after(1), &policy), Err(Illegal::InDoubt));
    }
    let mut held = delivery.clone();
    apply(&mut held, &Event::Hold { reason: "tunggu".into() }, after(1), &policy);
    for event in [Event::Cancel { reason: String::new() }, Event::Amend] {
        assert_eq!(transition(&held, &event, after(1), &policy), Err(Illegal::InDoubt));
    }
    for (from, event) in [(&delivery, Event::Retry), (&held, Event::Retry), (&held, Event::Release)] {
        let mut moved = from.clone();
        apply(&mut moved, &event, after(2), &policy);
        assert_eq!((state(&moved), moved.progress.due_at), (State::Unanswered, after(60)));
        assert_eq!(next_step(&moved.progress, after(900), &policy), Purpose::LookUp);
    }
}

#[test]
fn promise_1_a_blocked_entry_in_doubt_can_be_asked_for_again() {
    let blocked = Some(Blocked { kind: BlockedKind::Order, id: other(1) });
    let mut delivery = with(|p| (p.doubt, p.blocked) = (own_doubt(), blocked));
    apply(&mut delivery, &Event::Retry, after(1), &policy(UNIQUE));
    assert_eq!((state(&delivery), delivery.progress.blocked), (State::Unanswered, None));
}

#[test]
fn promise_1_a_person_may_say_where_it_is_or_that_it_is_not() {
    let (delivery, policy) = unanswered(UNIQUE);
    let mut adopted = delivery.clone();
    apply(&mut adopted, &Event::Adopt { ids: ids() }, after(5), &policy);
    assert_eq!((state(&adopted), adopted.progress.how), (State::Delivered, Some(How::Adopted)));
    let mut absent = delivery;
    apply(&mut absent, &Event::DeclareAbsent, after(5), &policy);
    assert!(absent.progress.doubt.marked);
    look(&mut absent, Finding::Ambiguous { detail: "dua".into() }, after(6), &policy);
    assert_eq!(state(&absent), State::Waiting, "the person has decided what the look-up cannot");
    assert_eq!(claim(&mut absent, after(7), &policy), Purpose::Send);
}

#[test]
fn promise_1_a_look_up_finds_what_a_person_overlooked() {
    let (mut delivery, policy) = unanswered(NOT_UNIQUE);
    apply(&mut delivery, &Event::DeclareAbsent, after(5), &policy);
    look(&mut delivery, Finding::Found { ids: ids(), differs: vec![] }, after(6), &policy);
    assert_eq!((state(&delivery), delivery.progress.how), (State::Delivered, Some(How::Adopted)));
}

#[test]
fn promise_1_what_a_person_declared_absent_may_be_amended_and_is_looked_up_before_the_send() {
    let (mut delivery, policy) = unanswered(UNIQUE);
    apply(&mut delivery, &Event::DeclareAbsent, after(5), &policy);
    apply(&mut delivery, &Event::Amend, after(6), &policy);
    assert!(delivery.progress.doubt.marked);
    look(&mut delivery, Finding::Absent, after(7), &policy);
    send(&mut delivery, no_answer(), after(8), &policy);
    assert_eq!(transition(&delivery, &Event::Amend, after(9), &policy), Err(Illegal::InDoubt), "a new doubt");
}

#[test]
fn promise_1_said_to_be_there_is_looked_up_and_never_sent_on_absent() {
    let (mut delivery, policy) = (fresh(), policy(UNIQUE));
    send(&mut delivery, Outcome::AlreadyThere(refusal(401, "duplicate")), start(), &policy);
    assert_eq!(state(&delivery), State::Unanswered);
    let mut found = delivery.clone();
    look(&mut found, Finding::Found { ids: ids(), differs: vec![] }, after(1), &policy);
    assert_eq!(found.progress.how, Some(How::AlreadyThere));
    for contradiction in 1..=5 {
        assert_eq!(state(&delivery), State::Unanswered, "after {contradiction}");
        look(&mut delivery, Finding::Absent, after(60 * contradiction), &policy);
    }
    assert_eq!((state(&delivery), why(&delivery)), (State::Held, "ambiguous"));
}

#[test]
fn an_outage_during_the_look_up_of_a_duplicate_is_no_contradiction() {
    let (mut delivery, policy) = (fresh(), policy(UNIQUE));
    send(&mut delivery, Outcome::AlreadyThere(refusal(401, "duplicate")), start(), &policy);
    for tries in 1..=10 {
        look(&mut delivery, Finding::Failed { why: "503".into() }, after(tries * 60), &policy);
    }
    look(&mut delivery, Finding::Absent, after(700), &policy);
    assert_eq!(state(&delivery), State::Unanswered, "one absent is one contradiction");
}

#[test]
fn promise_2_an_entry_that_another_delivery_owns_is_refused_naming_it() {
    let (mut delivery, policy) = unanswered(UNIQUE);
    look(&mut delivery, Finding::Owned { owner: other(9) }, after(60), &policy);
    assert_eq!((state(&delivery), why(&delivery)), (State::Refused, "owned"));
    let why = delivery.progress.why.unwrap();
    assert_eq!(*why.message.expose(), other(9).to_string());
    assert!(why.next.contains(&other(9).to_string()));
}

#[test]
fn promise_3_children_of_an_adopted_parent_are_looked_up_before_their_first_send() {
    for (recovery, wanted) in [(NOT_UNIQUE, Purpose::LookUp), (UNIQUE, Purpose::Send)] {
        let (mut delivery, policy) = (fresh(), policy(recovery));
        apply(&mut delivery, &Event::Gated(Gate::Open { adopted: true }), start(), &policy);
        assert_eq!(next_step(&delivery.progress, start(), &policy), wanted);
    }
    let (mut delivery, policy) = (fresh(), policy(NOT_UNIQUE));
    apply(&mut delivery, &Event::Gated(Gate::Open { adopted: true }), start(), &policy);
    look(&mut delivery, Finding::Absent, after(1), &policy);
    assert_eq!(
        next_step(&delivery.progress, after(2), &policy),
        Purpose::Send,
        "nothing was sent: one absent is enough"
    );
    send(&mut delivery, Outcome::Accepted(ids()), after(2), &policy);
    assert_eq!(delivery.progress.how, Some(How::Accepted));
}

#[test]
fn promise_3_a_child_found_at_bpjs_was_already_there() {
    let (mut delivery, policy) = (fresh(), policy(NOT_UNIQUE));
    apply(&mut delivery, &Event::Gated(Gate::Open { adopted: true }), start(), &policy);
    look(&mut delivery, Finding::Found { ids: ids(), differs: vec![] }, after(1), &policy);
    assert_eq!((state(&delivery), delivery.progress.how), (State::Delivered, Some(How::AlreadyThere)));
}

#[test]
fn promise_5_a_repeat_safe_write_is_repeated_and_never_looked_up() {
    for recovery in [Recovery::RepeatSafe, Recovery::RepeatUntilGone, Recovery::RepeatUntilThere] {
        let (mut delivery, policy) = (fresh(), Policy { others_pass: false, ..policy(recovery) });
        for tries in 1..=9 {
            send(&mut delivery, no_answer(), after(tries * 60), &policy);
            assert_eq!((state(&delivery), delivery.progress.doubt.marked), (State::Waiting, true));
        }
        assert_eq!(delivery.progress.attempts, 9);
        send(&mut delivery, Outcome::Accepted(ids()), after(900), &policy);
        assert!(!delivery.progress.doubt.marked);
    }
}

#[test]
fn promise_5_a_delete_that_finds_nothing_after_an_unanswered_attempt_has_succeeded() {
    let gone = || Outcome::NotFound(refusal(412, "gone"));
    let (mut delivery, policy) = (fresh(), policy(Recovery::RepeatUntilGone));
    let mut first = delivery.clone();
    send(&mut first, gone(), start(), &policy);
    assert_eq!(state(&first), State::Refused, "the first answer is a no");
    send(&mut delivery, no_answer(), start(), &policy);
    send(&mut delivery, gone(), after(60), &policy);
    assert_eq!((state(&delivery), delivery.progress.how), (State::Delivered, Some(How::AlreadyThere)));
}

#[test]
fn promise_5_an_addition_without_a_read_is_repeated_until_bpjs_says_that_it_is_there() {
    let duplicate = || Outcome::AlreadyThere(refusal(208, "duplicate"));
    for lost_first in [true, false] {
        let (mut delivery, policy) = (fresh(), policy(Recovery::RepeatUntilThere));
        if lost_first {
            send(&mut delivery, no_answer(), start(), &policy);
        }
        send(&mut delivery, duplicate(), after(60), &policy);
        assert_eq!((state(&delivery), delivery.progress.how), (State::Delivered, Some(How::AlreadyThere)));
    }
    let (mut edit, policy) = (fresh(), policy(Recovery::RepeatSafe));
    send(&mut edit, duplicate(), start(), &policy);
    assert_eq!(state(&edit), State::Refused, "an edit that meets another entry has not been done");
}

#[test]
fn promise_1_a_yes_whose_ids_cannot_be_read_is_looked_for_at_once_and_never_sent_again() {
    let unread = || Outcome::AcceptedUnread { why: "does not open".to_owned() };
    for recovery in [UNIQUE, NOT_UNIQUE] {
        let (mut delivery, policy) = (fresh(), policy(recovery));
        send(&mut delivery, unread(), start(), &policy);
        assert_eq!((state(&delivery), delivery.progress.due_at), (State::Unanswered, start()));
        let mut found = delivery.clone();
        look(&mut found, Finding::Found { ids: ids(), differs: vec![] }, after(1), &policy);
        assert_eq!((state(&found), found.progress.how), (State::Delivered, Some(How::Adopted)));
        for round in 1..=5 {
            assert_eq!(state(&delivery), State::Unanswered, "absent contradicts BPJS's own word");
            look(&mut delivery, Finding::Absent, after(round * 600), &policy);
        }
        assert_eq!((state(&delivery), why(&delivery)), (State::Held, "ambiguous"));
        assert_eq!(delivery.progress.attempts, 1);
    }
    for recovery in [Recovery::RepeatSafe, Recovery::RepeatUntilThere, Recovery::RepeatUntilGone] {
        let (mut delivery, policy) = (fresh(), policy(recovery));
        send(&mut delivery, unread(), start(), &policy);
        assert_eq!(state(&delivery), State::Delivered, "no id is needed of it");
    }
}

#[test]
fn promise_2_what_is_somebody_elses_is_refused_and_may_be_tried_again() {
    let foreign = || Finding::Foreign(refusal(0, "foreign"));
    let (mut delivery, policy) = (fresh(), policy(UNIQUE));
    send(&mut delivery, Outcome::AlreadyThere(refusal(201, "duplicate")), start(), &policy);
    look(&mut delivery, foreign(), after(1), &policy);
    assert_eq!((state(&delivery), why(&delivery)), (State::Refused, "foreign"));
    apply(&mut delivery, &Event::Retry, after(2), &policy);
    assert_eq!(next_step(&delivery.progress, after(2), &policy), Purpose::Send, "nothing of ours was ever in doubt");
    let (mut lost, policy) = unanswered(UNIQUE);
    look(&mut lost, foreign(), after(60), &policy);
    apply(&mut lost, &Event::Retry, after(61), &policy);
    assert_eq!((state(&lost), next_step(&lost.progress, after(61), &policy)), (State::Unanswered, Purpose::LookUp));
}

#[test]
fn promise_6_a_failed_prerequisite_holds_and_its_delivery_lets_go_by_itself() {
    let (mut delivery, policy) = (fresh(), policy(UNIQUE));
    apply(&mut delivery, &Event::Gated(Gate::Failed(other(2))), start(), &policy);
    assert_eq!((state(&delivery), why(&delivery)), (State::Held, "prerequisite"));
    assert_eq!(*delivery.progress.why.as_ref().unwrap().message.expose(), other(2).to_string());
    let mut waits = delivery.clone();
    let blocked = Blocked { kind: BlockedKind::Prerequisite, id: other(2) };
    apply(&mut waits, &Event::Gated(Gate::Wait(blocked)), after(1), &policy);
    assert_eq!((state(&waits), waits.progress.blocked), (State::Waiting, Some(blocked)));
    apply(&mut delivery, &Event::Gated(Gate::Open { adopted: false }), after(2), &policy);
    assert_eq!((state(&delivery), delivery.progress.due_at), (State::Waiting, after(2)));
    assert!(delivery.progress.why.is_none());
}

#[test]
fn promise_6_a_prerequisite_that_waits_for_a_person_does_not_hold_its_children() {
    let neighbour = |state, why: Option<&str>| gate::Neighbour {
        id: other(1),
        state,
        how: (state == State::Delivered).then_some(How::Accepted),
        why: why.map(str::to_owned),
    };
    let wait = Gate::Wait(Blocked { kind: BlockedKind::Prerequisite, id: other(1) });
    for (state, why, verdict) in [
        (State::Waiting, None, wait),
        (State::Sending, None, wait),
        (State::Unanswered, None, wait),
        (State::Held, Some("ambiguous"), wait),
        (State::Held, Some("operator"), wait),
        (State::Held, Some("approval"), wait),
        (State::Held, Some("reproducible_fault"), wait),
        (State::Held, Some("prerequisite"), Gate::Failed(other(1))),
        (State::Refused, Some("precondition"), Gate::Failed(other(1))),
        (State::Expired, Some("expired"), Gate::Failed(other(1))),
        (State::Cancelled, Some("cancelled"), Gate::Failed(other(1))),
        (State::Delivered, None, Gate::Open { adopted: false }),
    ] {
        assert_eq!(gate::judge(&[neighbour(state, why)], None), verdict, "{state} {why:?}");
        // A failed one decides even behind an open one; the lane comes last.
        let both =
            [neighbour(State::Waiting, None), gate::Neighbour { id: other(2), ..neighbour(State::Refused, None) }];
        assert_eq!(gate::judge(&both, Some(other(5))), Gate::Failed(other(2)));
    }
    let order = Gate::Wait(Blocked { kind: BlockedKind::Order, id: other(5) });
    assert_eq!(gate::judge(&[neighbour(State::Delivered, None)], Some(other(5))), order);
    let adopted = gate::Neighbour { how: Some(How::Adopted), ..neighbour(State::Delivered, None) };
    assert_eq!(gate::judge(&[adopted], None), Gate::Open { adopted: true });
}

#[test]
fn promise_7_refused_credentials_leave_the_entry_waiting_however_often() {
    let (mut delivery, policy) = (fresh(), policy(UNIQUE));
    for tries in 1..=50 {
        let no = refusal(401, "login");
        send(&mut delivery, Outcome::NotAuthorised(no, Suspicion::Credentials), after(tries * 60), &policy);
        assert_eq!((state(&delivery), delivery.progress.doubt.marked), (State::Waiting, false));
        assert!(delivery.progress.due_at <= after(tries * 60) + schedule::LONGEST);
    }
}

/// Sent, answered with a fault, absent a settle time later; the next round follows within the look-up's 30 s.
fn one_fault(delivery: &mut Delivery, code: i64, round: i64, policy: &Policy) {
    let outcome = Outcome::Fault(refusal(code, "server_fault"));
    send(delivery, outcome, after(round * 61), policy);
    look(delivery, Finding::Absent, after(round * 61 + 60), policy);
}

#[test]
fn promise_8_the_same_fault_five_times_absent_each_time_while_others_pass_is_held() {
    let (mut delivery, policy) = (fresh(), policy(UNIQUE));
    for round in 0..4 {
        one_fault(&mut delivery, 500, round, &policy);
        assert_eq!(state(&delivery), State::Waiting, "round {round}");
    }
    one_fault(&mut delivery, 500, 4, &policy);
    assert_eq!((state(&delivery), why(&delivery)), (State::Held, "reproducible_fault"));
    assert_eq!(*delivery.progress.why.as_ref().unwrap().message.expose(), "kata BPJS");
}

#[test]
fn promise_8_in_an_outage_no_fault_is_the_entrys() {
    let (mut delivery, policy) = (fresh(), Policy { others_pass: false, ..policy(UNIQUE) });
    for round in 0..20 {
        one_fault(&mut delivery, 500, round, &policy);
        assert_eq!(state(&delivery), State::Waiting, "round {round}");
    }
}

#[test]
fn promise_8_another_fault_starts_the_count_anew() {
    let (mut delivery, policy) = (fresh(), policy(UNIQUE));
    for round in 0..12 {
        one_fault(&mut delivery, 500 + round % 2, round, &policy);
    }
    assert_eq!(state(&delivery), State::Waiting);
}

#[test]
fn promise_9_unanswered_never_expires_and_what_is_in_doubt_is_looked_up_instead() {
    let (delivery, policy) = unanswered(UNIQUE);
    assert_eq!(transition(&delivery, &Event::Expire, after(9_999), &policy), Err(Illegal::State(State::Unanswered)));
    let blocked = Some(Blocked { kind: BlockedKind::Order, id: other(1) });
    let mut marked = with(|p| (p.doubt, p.blocked) = (own_doubt(), blocked));
    apply(&mut marked, &Event::Expire, after(9_999), &policy);
    assert_eq!((state(&marked), marked.progress.blocked), (State::Unanswered, None));
}

#[test]
fn promise_9_an_edit_in_doubt_does_not_expire_into_a_state_nobody_can_leave() {
    for recovery in [Recovery::RepeatSafe, Recovery::RepeatUntilGone, Recovery::RepeatUntilThere] {
        let (mut delivery, policy) = (fresh(), policy(recovery));
        send(&mut delivery, no_answer(), start(), &policy);
        assert_eq!(transition(&delivery, &Event::Expire, after(9_999), &policy), Err(Illegal::InDoubt));
    }
}

#[test]
fn promise_9_an_entry_dated_ahead_keeps_waiting_whoever_sets_it_going() {
    let tomorrow = after(86_400);
    let policy = policy(UNIQUE);
    let ahead = |state: State, code: &str| {
        let code = code.to_owned();
        with(move |p| {
            p.due_at = tomorrow;
            if state != State::Waiting {
                stopped(state, &code)(p);
            }
        })
    };
    for (mut delivery, event) in [
        (ahead(State::Held, "prerequisite"), Event::Gated(Gate::Open { adopted: false })),
        (ahead(State::Held, "operator"), Event::Release),
        (ahead(State::Waiting, ""), Event::Retry),
        (ahead(State::Waiting, ""), Event::Amend),
        (ahead(State::Waiting, ""), Event::Distrust),
    ] {
        apply(&mut delivery, &event, start(), &policy);
        assert_eq!((state(&delivery), delivery.progress.due_at), (State::Waiting, tomorrow), "{event:?}");
    }
}

#[test]
fn an_expired_entry_retried_on_purpose_does_not_expire_a_second_time() {
    for event in [Event::Retry, Event::Amend] {
        let (mut delivery, policy) = (fresh(), policy(UNIQUE));
        apply(&mut delivery, &Event::Expire, after(10), &policy);
        assert_eq!((state(&delivery), why(&delivery)), (State::Expired, "expired"));
        apply(&mut delivery, &event, after(20), &policy);
        assert_eq!(
            transition(&delivery, &Event::Expire, after(21), &policy),
            Err(Illegal::State(State::Waiting)),
            "{event:?}"
        );
        send(&mut delivery, Outcome::Accepted(ids()), after(22), &policy);
    }
}

#[test]
fn promise_13_a_distrusted_entry_looks_before_it_sends_whatever_it_was_in() {
    let policy = policy(UNIQUE);
    for (name, delivery) in situations() {
        let mut delivery = delivery;
        let leased_or_over =
            delivery.progress.lease.is_some() || matches!(delivery.progress.state, State::Delivered | State::Cancelled);
        if leased_or_over {
            continue;
        }
        apply(&mut delivery, &Event::Distrust, after(200), &policy);
        let set_going = match (state(&delivery), why(&delivery)) {
            (State::Held, "prerequisite") => Some(Event::Gated(Gate::Open { adopted: false })),
            (State::Held | State::Refused | State::Expired, _) => Some(Event::Retry),
            (_, _) => None,
        };
        if let Some(event) = set_going {
            apply(&mut delivery, &event, after(201), &policy);
        }
        assert_eq!(next_step(&delivery.progress, after(202), &policy), Purpose::LookUp, "{name}");
    }
}

#[test]
fn waits_double_up_to_a_minute_and_never_overflow() {
    let mut last = Duration::ZERO;
    for stumbles in 1..200 {
        let wait = schedule::wait(stumbles, 1.0);
        assert!(wait >= last && wait <= schedule::LONGEST);
        assert_eq!(schedule::wait(stumbles, 0.0) * 2, wait, "the jitter takes half at most");
        last = wait;
    }
    assert_eq!(schedule::wait(1, 1.0), schedule::FIRST);
    assert_eq!(last, schedule::LONGEST);
}

#[test]
fn a_late_entry_is_late_wherever_it_stands_but_not_when_withdrawn() {
    let mut delivery = fresh();
    delivery.deadline.late = Some(after(100));
    assert!(!delivery.is_late(after(100)) && delivery.is_late(after(101)));
    delivery.progress.updated_at = after(90);
    delivery.progress.state = State::Delivered;
    assert!(!delivery.is_late(after(500)), "it was there in time");
    delivery.progress.state = State::Cancelled;
    assert!(!delivery.is_late(after(500)));
}

#[test]
fn promise_5_what_no_list_shows_is_repeated_until_bpjs_says_that_it_is_there() {
    let there = || Outcome::AlreadyThere(refusal(201, "duplicate"));
    let (mut first, policy) = (fresh(), policy(Recovery::RepeatUntilThere));
    let mut unanswered = first.clone();
    send(&mut first, there(), start(), &policy);
    send(&mut unanswered, no_answer(), start(), &policy);
    assert_eq!((state(&unanswered), unanswered.progress.doubt.marked), (State::Waiting, true));
    send(&mut unanswered, there(), after(60), &policy);
    for delivery in [first, unanswered] {
        assert_eq!((state(&delivery), delivery.progress.how), (State::Delivered, Some(How::AlreadyThere)));
        assert!(!delivery.progress.doubt.marked);
    }
    let (mut edit, policy) = (fresh(), Policy { recovery: Recovery::RepeatSafe, ..policy });
    send(&mut edit, there(), start(), &policy);
    assert_eq!(state(&edit), State::Refused, "an edit has nothing to be there already");
}
