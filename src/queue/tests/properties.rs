//! Random walks: whatever happens in whatever order, the promises hold at every step.

use proptest::prelude::*;

use super::table::{check_progress, check_step};
use super::transition::FRESH;
use super::*;

/// One random step: which event, how much later, in which run, and whether others pass.
#[derive(Clone, Debug)]
struct Step {
    event: usize,
    later: i64,
    restart: bool,
    others_pass: bool,
    chance: f64,
}

fn step() -> impl Strategy<Value = Step> {
    (0..events().len() + 20, prop_oneof![0_i64..3, 0_i64..100, 50_i64..400], 0_u8..20, any::<bool>(), 0.0..1.0_f64)
        .prop_map(|(event, later, restart, others_pass, chance)| Step {
            event,
            later,
            restart: restart == 0,
            others_pass,
            chance,
        })
}

/// What the walk itself remembers of BPJS and of the look-ups, independently of the code under test.
#[derive(Default)]
struct Witness {
    /// When look-ups of this run since the last doubt said absent.
    absents: Vec<Timestamp>,
    /// When the last attempt of unknown outcome ended, if a person has not decided since.
    doubt_since: Option<Timestamp>,
}

impl Witness {
    fn allows_send(&self, delivery: &Delivery, now: Timestamp, recovery: Recovery) -> bool {
        let Recovery::LookUp { unique } = recovery else { return true };
        if !delivery.progress.doubt.marked {
            return true;
        }
        let fresh = self.absents.last().is_some_and(|begun| now <= *begun + FRESH);
        let Some(since) = self.doubt_since else { return fresh };
        let settled = self.absents.iter().filter(|begun| **begun >= since + SETTLE).count();
        let twice = settled >= 2 && self.absents.iter().any(|begun| *begun >= since + SETTLE * 3);
        fresh && if unique { settled >= 1 } else { twice }
    }

    fn note(&mut self, old: &Progress, event: &Event, new: &Progress, now: Timestamp) {
        match event {
            Event::Looked { finding: Finding::Absent, begun } => self.absents.push(*begun),
            // Declared absent by a person: the look-up's "cannot be told" no longer stands in the way.
            Event::Looked { finding: Finding::Ambiguous { .. }, begun } if new.state != State::Held => {
                self.absents.push(*begun);
            }
            Event::DeclareAbsent => *self = Self::default(),
            Event::Distrust => self.absents.clear(),
            Event::Retry | Event::Release if new.state == State::Unanswered => self.absents.clear(),
            Event::Claimed(_)
            | Event::Ended(_)
            | Event::Looked { .. }
            | Event::LeaseLost
            | Event::Crashed
            | Event::CrashedAtClaim
            | Event::Unreadable
            | Event::Gated(_)
            | Event::Retry
            | Event::Release
            | Event::AwaitApproval
            | Event::Hold { .. }
            | Event::Cancel { .. }
            | Event::Adopt { .. }
            | Event::Amend
            | Event::Expire => {}
        }
        let unknown = old.state == State::Sending && new.doubt.marked && new.doubt.since == Some(now);
        if unknown {
            *self = Self { absents: Vec::new(), doubt_since: Some(now) };
        }
    }
}

fn chosen(step: &Step, delivery: &Delivery, now: Timestamp, policy: &Policy) -> Event {
    let mut all = events();
    if step.event < all.len() {
        return match all.swap_remove(step.event).1 {
            Event::Looked { finding, .. } => Event::Looked { finding, begun: now },
            Event::Claimed(_) => Event::Claimed(lease(next_step(&delivery.progress, now, policy))),
            other => other,
        };
    }
    // Walk on more often than at random: claim what can be claimed, end what is claimed.
    match delivery.progress.lease.map(|lease| lease.purpose) {
        None => Event::Claimed(lease(next_step(&delivery.progress, now, policy))),
        Some(Purpose::LookUp) if step.event.is_multiple_of(3) => {
            Event::Looked { finding: findings().swap_remove(3).1, begun: now }
        }
        Some(Purpose::LookUp) => Event::Looked { finding: Finding::Absent, begun: now },
        Some(Purpose::Send) => Event::Ended(outcomes().swap_remove(7 + step.event % 6).1),
    }
}

fn walk(recovery: Recovery, steps: &[Step]) {
    let (mut delivery, mut now, mut run) = (fresh(), start(), 1);
    let (mut witness, mut taken) = (Witness::default(), 0);
    for step in steps {
        now += jiff::SignedDuration::from_secs(step.later);
        if step.restart {
            run += 1;
            witness.absents.clear();
        }
        let policy = Policy { boot: boot(run), others_pass: step.others_pass, chance: step.chance, ..policy(recovery) };
        let event = chosen(step, &delivery, now, &policy);
        let Ok(next) = transition(&delivery, &event, now, &policy) else { continue };
        check_step(&delivery.progress, &event, &next, &policy);
        if next.state == State::Sending && delivery.progress.state != State::Sending {
            assert!(witness.allows_send(&delivery, now, recovery), "sent without a look-up: {:?}", delivery.progress);
        }
        if matches!(event, Event::Cancel { .. }) {
            let looked_for = matches!(delivery.progress.state, State::Refused | State::Held);
            assert!(!delivery.progress.doubt.marked || looked_for);
        }
        witness.note(&delivery.progress, &event, &next, now);
        delivery.progress = next;
        taken += 1;
    }
    check_progress(&delivery.progress);
    assert_eq!(delivery.progress.revision, taken);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_promises_hold(kind in 0_usize..RECOVERIES.len(), steps in proptest::collection::vec(step(), 1..120)) {
        let (_, recovery) = RECOVERIES[kind];
        walk(recovery, &steps);
    }

    #[test]
    fn an_entry_left_to_the_machine_ends_delivered_once_bpjs_answers(
        kind in 0_usize..RECOVERIES.len(),
        faults in proptest::collection::vec(7_usize..13, 0..12),
    ) {
        let (_, recovery) = RECOVERIES[kind];
        let policy = Policy { others_pass: false, ..policy(recovery) };
        let (mut delivery, mut now, mut faults) = (fresh(), start(), faults.into_iter());
        for _ in 0..100 {
            if delivery.progress.state == State::Delivered {
                break;
            }
            now = now.max(delivery.progress.due_at);
            match claim(&mut delivery, now, &policy) {
                Purpose::LookUp => apply(&mut delivery, &Event::Looked { finding: Finding::Absent, begun: now }, now, &policy),
                Purpose::Send => {
                    let outcome = faults.next().map_or(Outcome::Accepted(ids()), |at| outcomes().swap_remove(at).1);
                    apply(&mut delivery, &Event::Ended(outcome), now, &policy);
                }
            }
        }
        prop_assert_eq!(delivery.progress.state, State::Delivered);
    }
}
