//! Who crashed the process three times is set aside; who merely was there is not.

use super::super::crash::{CRASHES_BEFORE_HELD, QUIET, may_try};
use super::*;

const UNIQUE: Recovery = Recovery::LookUp { unique: true };

fn crash(delivery: &mut Delivery, now: Timestamp, policy: &Policy) {
    apply(delivery, &Event::Crashed, now, policy);
}

/// Claims for whatever comes next, and the process dies.
fn claim_and_crash(delivery: &mut Delivery, now: Timestamp, policy: &Policy) -> Purpose {
    let purpose = claim(delivery, now, policy);
    crash(delivery, now, policy);
    purpose
}

fn code(delivery: &Delivery) -> &str {
    delivery.progress.why.as_ref().map_or("", |why| why.code.as_str())
}

#[test]
fn the_third_crash_in_a_row_holds_it_and_it_stays_in_doubt() {
    for (name, recovery) in RECOVERIES {
        let (mut delivery, policy) = (fresh(), policy(recovery));
        let mut now = start();
        for crashes in 1..=CRASHES_BEFORE_HELD {
            assert_ne!(delivery.progress.state, State::Held, "{name}: held after {}", crashes - 1);
            claim_and_crash(&mut delivery, now, &policy);
            now += jiff::SignedDuration::from_secs(600);
        }
        assert_eq!((delivery.progress.state, code(&delivery)), (State::Held, "crashed"), "{name}");
        assert!(delivery.progress.doubt.marked, "{name}: its send may have landed");
        let cancelled = transition(&delivery, &Event::Cancel { reason: "batal".into() }, now, &policy);
        assert_eq!(cancelled, Err(Illegal::InDoubt), "{name}");
    }
}

#[test]
fn a_send_that_kills_is_looked_up_in_between_and_still_counted() {
    let (mut delivery, policy) = (fresh(), policy(UNIQUE));
    let mut now = start();
    for _ in 0..2 {
        assert_eq!(claim_and_crash(&mut delivery, now, &policy), Purpose::Send);
        now += jiff::SignedDuration::from_secs(61);
        look(&mut delivery, Finding::Absent, now, &policy);
        assert_eq!(delivery.progress.state, State::Waiting);
    }
    claim_and_crash(&mut delivery, now, &policy);
    assert_eq!(code(&delivery), "crashed");
}

#[test]
fn a_recorded_end_of_a_send_clears_the_suspicion_and_so_does_being_found() {
    for outcome in outcomes() {
        let (mut delivery, policy) = (fresh(), policy(Recovery::RepeatSafe));
        claim_and_crash(&mut delivery, start(), &policy);
        claim_and_crash(&mut delivery, after(600), &policy);
        send(&mut delivery, outcome.1, after(1200), &policy);
        assert_eq!(delivery.progress.crashes, 0, "{}", outcome.0);
    }
    let (mut delivery, policy) = (fresh(), policy(UNIQUE));
    claim_and_crash(&mut delivery, start(), &policy);
    look(&mut delivery, findings().swap_remove(0).1, after(61), &policy);
    assert_eq!((delivery.progress.state, delivery.progress.crashes), (State::Delivered, 0));
}

#[test]
fn a_lost_lease_and_a_power_cut_count_for_nothing() {
    let (mut delivery, policy) = (fresh(), policy(Recovery::RepeatSafe));
    for n in 0..20 {
        claim(&mut delivery, after(n * 600), &policy);
        apply(&mut delivery, &Event::LeaseLost, after(n * 600 + 90), &policy);
    }
    assert_eq!((delivery.progress.state, delivery.progress.crashes), (State::Waiting, 0));
}

#[test]
fn a_person_who_sets_it_going_begins_the_count_anew() {
    for event in [Event::Retry, Event::Release, Event::DeclareAbsent] {
        let (mut delivery, policy) = (fresh(), policy(UNIQUE));
        let mut now = start();
        for _ in 0..3 {
            claim_and_crash(&mut delivery, now, &policy);
            now += jiff::SignedDuration::from_secs(600);
        }
        apply(&mut delivery, &event, now, &policy);
        assert_eq!(delivery.progress.crashes, 0, "{event:?}");
        assert_eq!(
            claim_and_crash(&mut delivery, now, &policy),
            Purpose::LookUp,
            "what may be there is looked for first"
        );
        assert_ne!(delivery.progress.state, State::Held, "{event:?}: one crash is not three");
    }
}

#[test]
fn a_suspect_waits_until_the_run_has_lasted_and_no_longer_when_the_clock_is_set_back() {
    let boot = BootId::new(start(), &[3; 10]);
    assert_eq!(boot.begun(), start());
    assert!(!may_try(boot, start()) && !may_try(boot, start() + QUIET - Duration::from_millis(1)));
    assert!(may_try(boot, start() + QUIET) && may_try(boot, after(-3600)));
}
