//! Every situation × every event × every kind of operation: what is allowed, and what must hold afterwards.

use super::*;

/// What holds of every progress that the store may write; the schema's CHECK constraints say the same.
pub(super) fn check_progress(p: &Progress) {
    assert_eq!(p.state == State::Delivered, p.how.is_some(), "delivered says how");
    assert!(p.state != State::Delivered || p.doubt == Doubt::default(), "delivered clears the doubt");
    assert!(!(p.doubt.marked && matches!(p.state, State::Cancelled | State::Expired)), "{} in doubt", p.state);
    assert!(p.state != State::Unanswered || p.doubt.question.is_some(), "unanswered knows its question");
    assert!(p.blocked.is_none() || p.state == State::Waiting, "{} blocked", p.state);
    assert!(p.blocked.is_none() || p.lease.is_none(), "blocked and leased");
    let stopped = matches!(p.state, State::Refused | State::Held | State::Expired | State::Cancelled);
    assert!(!stopped || p.why.is_some(), "{} without why", p.state);
    let send_lease = p.lease.is_some_and(|lease| lease.purpose == Purpose::Send);
    assert_eq!(send_lease, p.state == State::Sending, "a send lease means sending");
    assert!(p.lease.is_none() || !p.state.is_final(), "a final state is not leased");
}

/// What holds between one progress and the next.
pub(super) fn check_step(old: &Progress, event: &Event, new: &Progress, policy: &Policy) {
    check_progress(new);
    assert_eq!(new.revision, old.revision + 1, "the revision rises by one");
    assert!(new.attempts >= old.attempts, "attempts never fall");
    let sent = matches!(event, Event::Claimed(lease) if lease.purpose == Purpose::Send);
    assert_eq!(new.attempts, old.attempts + u32::from(sent), "a send is an attempt, nothing else is");
    if old.doubt.marked && !new.doubt.marked {
        let declared = matches!(event, Event::DeclareAbsent) && !matches!(policy.recovery, Recovery::LookUp { .. });
        // What BPJS refused, or five faults left absent each time, was looked for: withdrawing it leaves no doubt.
        let withdrawn = matches!(event, Event::Cancel { .. }) && matches!(old.state, State::Refused | State::Held);
        assert!(new.state == State::Delivered || declared || withdrawn, "{event:?} cleared the mark in {}", new.state);
    }
    if let Some(Why { code, meaning, next, .. }) = &new.why {
        assert!(!code.is_empty() && !meaning.is_empty() && !next.is_empty());
    }
    if new.state == State::Expired && old.state != State::Expired {
        assert_eq!((old.state, old.doubt.marked), (State::Waiting, false), "only what was never in doubt expires");
    }
    if old.state == State::Unanswered {
        assert!(!matches!(event, Event::Expire | Event::Cancel { .. } | Event::Amend), "{event:?} while unanswered");
    }
}

fn every_pair(mut check: impl FnMut(&str, &Delivery, &Event, &Policy)) -> usize {
    let mut pairs = 0;
    for (_, recovery) in RECOVERIES {
        for others_pass in [true, false] {
            let policy = Policy { others_pass, ..policy(recovery) };
            for (name, delivery) in situations() {
                for (_, event) in events() {
                    check(name, &delivery, &event, &policy);
                    pairs += 1;
                }
            }
        }
    }
    pairs
}

#[test]
fn words_and_values_agree() {
    for state in State::ALL {
        assert_eq!(State::of_word(state.word()), Some(*state));
    }
    for code in HeldCode::ALL {
        assert_eq!(HeldCode::of_word(code.word()), Some(*code));
    }
}

#[test]
fn every_situation_of_the_table_is_one_the_store_could_hold() {
    for (name, delivery) in situations() {
        check_progress(&delivery.progress);
        assert!(name.starts_with(delivery.progress.state.word()), "{name}");
    }
    for state in State::ALL {
        assert!(situations().iter().any(|(_, d)| d.progress.state == *state), "{state} has no row");
    }
}

#[test]
fn every_pair_keeps_the_invariants_or_is_refused_without_effect() {
    let pairs = every_pair(|_, delivery, event, policy| {
        let before = delivery.clone();
        if let Ok(next) = transition(delivery, event, after(120), policy) {
            check_step(&delivery.progress, event, &next, policy);
            assert_eq!(next.updated_at, after(120));
        }
        assert_eq!(*delivery, before);
    });
    assert!(pairs > 5_000, "{pairs}");
}

#[test]
fn what_is_due_can_always_be_claimed_for_its_next_step() {
    every_pair(|name, delivery, event, policy| {
        // A repeat-safe operation is never unanswered: no event below leads there.
        let unreachable =
            |p: &Progress| p.state == State::Unanswered && !matches!(policy.recovery, Recovery::LookUp { .. });
        if unreachable(&delivery.progress) {
            return;
        }
        let Ok(next) = transition(delivery, event, after(120), policy) else { return };
        assert!(!unreachable(&next), "{event:?} leads {name} of {:?} to unanswered", policy.recovery);
        let claimable = !next.state.is_final() && next.lease.is_none() && next.blocked.is_none();
        let after_event = Delivery { progress: next, ..delivery.clone() };
        if claimable {
            let mut claimed = after_event;
            claim(&mut claimed, after(120), policy);
        }
    });
}

#[test]
fn nobody_touches_what_is_being_sent_or_looked_up() {
    every_pair(|name, delivery, event, policy| {
        let by_hand = matches!(
            event,
            Event::Retry
                | Event::AwaitApproval
                | Event::Hold { .. }
                | Event::Release
                | Event::Cancel { .. }
                | Event::Adopt { .. }
                | Event::DeclareAbsent
                | Event::Amend
                | Event::Expire
                | Event::CrashedAtClaim
                | Event::Unreadable
                | Event::Gated(_)
                | Event::Claimed(_)
        );
        if by_hand && delivery.progress.lease.is_some() {
            let refused = transition(delivery, event, after(120), policy);
            assert!(refused.is_err(), "{event:?} moved {name}");
        }
    });
}

#[test]
fn a_final_state_moves_only_by_a_person_its_prerequisite_or_the_reconciliation() {
    every_pair(|name, delivery, event, policy| {
        if !delivery.progress.state.is_final() {
            return;
        }
        let by_machine = matches!(
            event,
            Event::Claimed(_)
                | Event::Ended(_)
                | Event::Looked { .. }
                | Event::LeaseLost
                | Event::Crashed
                | Event::Expire
        );
        let moved = transition(delivery, event, after(120), policy);
        assert!(!by_machine || moved.is_err(), "{event:?} moved {name}");
        let ends = matches!(delivery.progress.state, State::Delivered | State::Cancelled);
        assert!(!ends || moved.is_err(), "{event:?} moved {name}");
    });
}

#[test]
fn an_open_circuit_or_a_refused_login_never_makes_an_entry_final() {
    for (_, recovery) in RECOVERIES {
        let policy = Policy { others_pass: false, ..policy(recovery) };
        for (name, outcome) in outcomes() {
            let patience = matches!(
                outcome,
                Outcome::NotAuthorised(..)
                    | Outcome::RateLimited { .. }
                    | Outcome::NotSent { .. }
                    | Outcome::Fault(_)
                    | Outcome::Unavailable { .. }
                    | Outcome::NoAnswer { .. }
                    | Outcome::Unreadable { .. }
            );
            let sending = with(|p| (p.state, p.lease, p.faults) = (State::Sending, Some(lease(Purpose::Send)), 200));
            let next = transition(&sending, &Event::Ended(outcome), after(1), &policy).unwrap();
            assert!(!patience || !next.state.is_final(), "{name}");
        }
    }
}
