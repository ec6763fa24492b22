//! The state diagram as one function.
//!
//! ```text
//!            claim              accepted
//! waiting ──────────▶ sending ─────────────▶ delivered
//!   ▲  ▲                 │ no answer, 5xx,       ▲
//!   │  │ not sent,       │ unreadable, crash     │ found (adopted)
//!   │  └─ credentials ◀──┤                       │
//!   │                    ▼                       │
//!   └──── absent ──── unanswered ────────────────┤
//!                        │ cannot be told        │ resolve, reconcile
//!                        ▼                       │
//!        refused · held · expired · cancelled ───┘   (a person: retry, release, amend, resolve, cancel)
//! ```

use std::time::Duration;

use jiff::Timestamp;

use sha2::{Digest, Sha256};

use super::crash;
use super::delivery::{BootId, Delivery, Doubt, HeldCode, How, Lease, Progress, Purpose, Question, State, Why};
use super::gate::{Gate, Turn};
use super::outcome::{Finding, Outcome, Suspicion};
use super::reasons::{held_texts, owned_by, unread, why_of};
use super::schedule;
use crate::catalogue::{Refusal, RemoteIds, Who};
use crate::secret::Private;

/// A look-up that began longer ago than this no longer allows a send (promise 1).
pub const FRESH: Duration = Duration::from_secs(30);
/// The same fault this often, absent each time, while others pass: a person must look (promise 8).
pub const FAULTS_BEFORE_HELD: u8 = 5;
/// BPJS says *duplicate*, the look-up says *absent*: after this many contradictions a person must look.
pub const CONTRADICTIONS_BEFORE_HELD: u8 = 5;

/// What kind of write an operation is, as far as recovery is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recovery {
    /// Ask BPJS whether it is there; `unique` if BPJS itself refuses a second copy.
    LookUp {
        /// Whether BPJS keeps it unique.
        unique: bool,
    },
    /// Doing it twice does no harm (an edit); the history does not echo it.
    RepeatSafe,
    /// Like `RepeatSafe`, and *not found* after an unanswered attempt means that it has succeeded (a delete).
    RepeatUntilGone,
    /// Like `RepeatSafe`, and *already there* means that it has succeeded (an add that BPJS keeps once, and no list shows).
    RepeatUntilThere,
}

/// What the decision depends on besides the delivery.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How the operation recovers.
    pub recovery: Recovery,
    /// How long after an attempt ended *absent* may be believed.
    pub settle: Duration,
    /// This run of the process.
    pub boot: BootId,
    /// A number in 0..1 for the jitter.
    pub chance: f64,
    /// Whether other entries of the same service passed lately.
    pub others_pass: bool,
}

/// What happened to a delivery.
#[derive(Clone, Debug)]
pub enum Event {
    /// A worker took it.
    Claimed(Lease),
    /// Its attempt ended.
    Ended(Outcome),
    /// Its look-up ended.
    Looked {
        /// What it found.
        finding: Finding,
        /// When it began.
        begun: Timestamp,
    },
    /// Its holder is dead.
    LeaseLost,
    /// The process died, or the attempt panicked, while it was worked on.
    Crashed,
    /// Its payload cannot be opened, so that nothing can be sent or looked up.
    Unreadable,
    /// Its neighbours changed.
    Gated(Gate),
    /// A person wants it tried again.
    Retry,
    /// It comes from the network and waits for the puskesmas.
    AwaitApproval,
    /// A person stops it.
    Hold {
        /// The person's reason.
        reason: String,
    },
    /// A person lets it go again.
    Release,
    /// A person withdraws it.
    Cancel {
        /// The person's reason.
        reason: String,
    },
    /// A person or the reconciliation knows its id at BPJS.
    Adopt {
        /// Ids at BPJS.
        ids: Private<RemoteIds>,
    },
    /// A person knows that BPJS does not have it.
    DeclareAbsent,
    /// A person replaced its payload.
    Amend,
    /// Its last date has passed.
    Expire,
    /// The store was restored or the program upgraded: look before sending (promise 13).
    Distrust,
}

/// An event that this state does not allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Illegal {
    /// The outcome of an attempt is unknown: only a look-up or `resolve` moves it on.
    #[error("outcome unknown: look up or resolve first")]
    InDoubt,
    /// It is being worked on this very moment.
    #[error("being sent right now")]
    Busy,
    /// The state does not know this event.
    #[error("not possible in state {0}")]
    State(State),
}

/// What comes next for a claimable delivery.
#[must_use]
pub fn next_step(progress: &Progress, now: Timestamp, policy: &Policy) -> Purpose {
    let Recovery::LookUp { unique } = policy.recovery else { return Purpose::Send };
    if progress.state == State::Unanswered {
        return Purpose::LookUp;
    }
    let doubt = &progress.doubt;
    if !doubt.marked && doubt.question.is_none() {
        return Purpose::Send;
    }
    let fresh = doubt.absent_boot == Some(policy.boot)
        && doubt.absent_begun.is_some_and(|begun| now <= begun + FRESH)
        && doubt.absent >= absents_needed(doubt, unique);
    if fresh { Purpose::Send } else { Purpose::LookUp }
}

/// What `event` makes of `delivery` at `now`.
///
/// # Errors
/// [`Illegal`] if the state does not allow the event; the delivery is then unchanged.
pub fn transition(delivery: &Delivery, event: &Event, now: Timestamp, policy: &Policy) -> Result<Progress, Illegal> {
    let old = &delivery.progress;
    let mut next = Progress { revision: old.revision + 1, updated_at: now, ..old.clone() };
    match event {
        Event::Claimed(lease) => claimed(&mut next, *lease, now, policy)?,
        Event::Ended(outcome) => {
            require(old.state == State::Sending, old)?;
            next.lease = None;
            next.crashes = 0;
            ended(&mut next, outcome, now, policy);
        }
        Event::Looked { finding, begun } => {
            require(old.lease.is_some_and(|lease| lease.purpose == Purpose::LookUp), old)?;
            next.lease = None;
            looked(&mut next, finding, *begun, now, policy);
        }
        Event::LeaseLost => lease_lost(&mut next, now, policy)?,
        Event::Crashed => crashed(&mut next, now, policy)?,
        Event::Unreadable => {
            require(!old.state.is_final() && old.lease.is_none(), old)?;
            held(&mut next, HeldCode::Unreadable, Private::new(String::new()));
        }
        Event::Gated(gate) => gated(&mut next, *gate, delivery.turn, now, policy)?,
        Event::Retry | Event::Release => try_again(&mut next, event, delivery.turn, now, policy)?,
        Event::AwaitApproval => {
            require(old.state == State::Waiting && old.lease.is_none() && !old.doubt.marked, old)?;
            held(&mut next, HeldCode::Approval, Private::new(String::new()));
        }
        Event::Hold { reason } => hold(&mut next, reason)?,
        Event::Cancel { reason } => cancel(&mut next, reason)?,
        Event::Adopt { ids } => adopt(&mut next, ids)?,
        Event::DeclareAbsent => declare_absent(&mut next, now, policy)?,
        Event::Amend => amend(&mut next, delivery.turn, now)?,
        Event::Expire => expire(&mut next, now, policy)?,
        Event::Distrust => distrust(&mut next, now)?,
    }
    Ok(next)
}

fn require(holds: bool, progress: &Progress) -> Result<(), Illegal> {
    if holds { Ok(()) } else { Err(Illegal::State(progress.state)) }
}

const fn absents_needed(doubt: &Doubt, unique: bool) -> u8 {
    if doubt.marked && !unique { 2 } else { 1 }
}

fn claimed(next: &mut Progress, lease: Lease, now: Timestamp, policy: &Policy) -> Result<(), Illegal> {
    if next.lease.is_some() {
        return Err(Illegal::Busy);
    }
    if lease.purpose == Purpose::Send && next_step(next, now, policy) != Purpose::Send {
        return Err(Illegal::InDoubt);
    }
    match (next.state, lease.purpose) {
        (State::Waiting, Purpose::Send) if next.blocked.is_none() => {
            next.state = State::Sending;
            next.attempts += 1;
        }
        (State::Waiting, Purpose::LookUp) if next.blocked.is_none() => {}
        (State::Unanswered, Purpose::LookUp) => {}
        (state, _) => return Err(Illegal::State(state)),
    }
    next.lease = Some(lease);
    Ok(())
}

fn ended(next: &mut Progress, outcome: &Outcome, now: Timestamp, policy: &Policy) {
    match outcome {
        Outcome::Accepted(ids) => deliver(next, How::Accepted, ids),
        Outcome::AlreadyThere(refusal) => match policy.recovery {
            Recovery::LookUp { .. } => {
                next.state = State::Unanswered;
                next.due_at = now;
                next.stumbles = 0;
                next.doubt.question = Some(Question::Duplicate);
                forget_absent(&mut next.doubt);
                next.why = Some(why_of(refusal));
            }
            Recovery::RepeatUntilThere => deliver(next, How::AlreadyThere, &Private::new(RemoteIds::new())),
            Recovery::RepeatSafe | Recovery::RepeatUntilGone => refuse(next, refusal),
        },
        Outcome::AcceptedUnread { why } => accepted_unread(next, why, now, policy),
        Outcome::NotFound(_) if policy.recovery == Recovery::RepeatUntilGone && next.doubt.marked => {
            deliver(next, How::AlreadyThere, &Private::new(RemoteIds::new()));
        }
        Outcome::NotFound(refusal) | Outcome::Refused(refusal) => refuse(next, refusal),
        Outcome::NotAuthorised(refusal, suspicion) => {
            wait_again(next, now, policy);
            next.why = match suspicion {
                Suspicion::Credentials | Suspicion::Unknown | Suspicion::Clock => Some(why_of(refusal)),
            };
        }
        Outcome::RateLimited { until } => {
            wait_again(next, now, policy);
            next.due_at = until.map_or(next.due_at, |until| until.max(now));
        }
        Outcome::NotSent { .. } => wait_again(next, now, policy),
        Outcome::Fault(refusal) => {
            count_fault(next, &format!("{}:{}", refusal.code, refusal.message.expose()));
            next.why = Some(why_of(refusal));
            doubt(next, now, policy);
        }
        Outcome::Unreadable { why } => {
            count_fault(next, &format!("unreadable:{why}"));
            doubt(next, now, policy);
        }
        Outcome::Unavailable { status } => {
            count_fault(next, &format!("status:{status}"));
            doubt(next, now, policy);
        }
        Outcome::NoAnswer { .. } => doubt(next, now, policy),
    }
}

fn deliver(next: &mut Progress, how: How, ids: &Private<RemoteIds>) {
    next.state = State::Delivered;
    next.how = Some(how);
    next.doubt = Doubt::default();
    next.blocked = None;
    next.why = None;
    next.faults = 0;
    next.fault = None;
    next.crashes = 0;
    next.stumbles = 0;
    let mut remote = next.remote.expose().clone();
    remote.extend(ids.expose().iter().map(|(name, id)| (name.clone(), id.clone())));
    next.remote = Private::new(remote);
}

fn refuse(next: &mut Progress, refusal: &Refusal) {
    next.state = State::Refused;
    next.why = Some(why_of(refusal));
}

/// BPJS has it and we do not know under which id: it is looked for at once. A look-up that finds nothing contradicts
/// BPJS's own word, so it never leads to another send.
fn accepted_unread(next: &mut Progress, why: &str, now: Timestamp, policy: &Policy) {
    let Recovery::LookUp { .. } = policy.recovery else {
        return deliver(next, How::Accepted, &Private::new(RemoteIds::new()));
    };
    next.doubt = Doubt { marked: true, question: Some(Question::Duplicate), since: Some(now), ..Doubt::default() };
    next.state = State::Unanswered;
    next.stumbles = 0;
    next.due_at = now;
    next.why = Some(unread(why));
}

fn wait_again(next: &mut Progress, now: Timestamp, policy: &Policy) {
    next.state = State::Waiting;
    next.stumbles += 1;
    next.due_at = schedule::next(now, next.stumbles, policy.chance);
}

/// The attempt may have landed: mark it, and look before anything else happens.
fn doubt(next: &mut Progress, now: Timestamp, policy: &Policy) {
    next.doubt = Doubt { marked: true, question: Some(Question::OwnAttempt), since: Some(now), ..Doubt::default() };
    match policy.recovery {
        Recovery::LookUp { .. } => {
            next.state = State::Unanswered;
            next.stumbles = 0;
            next.due_at = now + policy.settle;
        }
        Recovery::RepeatSafe | Recovery::RepeatUntilGone | Recovery::RepeatUntilThere => {
            wait_again(next, now, policy);
            hold_reproducible(next, policy);
        }
    }
}

/// Faults are compared by a digest: BPJS's words may name a patient.
fn count_fault(next: &mut Progress, fault: &str) {
    let fault: String = Sha256::digest(fault.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    if next.fault.as_ref() == Some(&fault) {
        next.faults = next.faults.saturating_add(1);
    } else {
        next.faults = 1;
        next.fault = Some(fault);
    }
}

fn hold_reproducible(next: &mut Progress, policy: &Policy) {
    if next.faults >= FAULTS_BEFORE_HELD && policy.others_pass {
        let words = next.why.as_ref().map_or_else(|| Private::new(String::new()), |why| why.message.clone());
        held(next, HeldCode::ReproducibleFault, words);
    }
}

fn forget_absent(doubt: &mut Doubt) {
    doubt.absent = 0;
    doubt.absent_begun = None;
    doubt.absent_boot = None;
}

fn looked(next: &mut Progress, finding: &Finding, begun: Timestamp, now: Timestamp, policy: &Policy) {
    match finding {
        Finding::Found { ids, .. } => {
            let how = if next.doubt.marked { How::Adopted } else { How::AlreadyThere };
            deliver(next, how, ids);
        }
        Finding::Absent => absent(next, begun, now, policy),
        Finding::Owned { owner } => {
            next.state = State::Refused;
            next.why = Some(owned_by(*owner));
        }
        Finding::Foreign(refusal) => {
            // What BPJS called a duplicate is not ours: another try may send, unless an attempt of ours is in doubt.
            next.doubt.question = next.doubt.marked.then_some(Question::OwnAttempt);
            refuse(next, refusal);
        }
        Finding::Ambiguous { detail } => {
            if next.doubt.question == Some(Question::Operator) && declared(&next.doubt) {
                absent(next, begun, now, policy);
            } else {
                held(next, HeldCode::Ambiguous, Private::new(detail.clone()));
            }
        }
        Finding::Failed { .. } => {
            next.stumbles += 1;
            next.due_at = schedule::next(now, next.stumbles, policy.chance);
        }
    }
}

/// A person declared the entry absent: kept as a doubt without a beginning, so that a look-up still precedes the send
/// but can no longer send it back to the person.
const fn declared(doubt: &Doubt) -> bool {
    doubt.marked && doubt.since.is_none()
}

fn absent(next: &mut Progress, begun: Timestamp, now: Timestamp, policy: &Policy) {
    if next.doubt.question == Some(Question::Duplicate) {
        contradiction(next, now, policy);
        return;
    }
    let unique = matches!(policy.recovery, Recovery::LookUp { unique: true });
    let doubt = &mut next.doubt;
    if doubt.absent_boot != Some(policy.boot) {
        forget_absent(doubt);
    }
    // An answer from before the settle time says nothing; it is asked again then.
    let since = doubt.since.filter(|_| doubt.marked);
    let believable = since.is_none_or(|since| begun >= since + policy.settle);
    if !believable {
        next.due_at = since.map_or(now, |since| since + policy.settle);
        return;
    }
    let second_at = since.map(|since| since + policy.settle * 3);
    let counts = doubt.absent == 0 || second_at.is_none_or(|at| begun >= at);
    doubt.absent_begun = Some(begun);
    doubt.absent_boot = Some(policy.boot);
    doubt.absent = if counts { doubt.absent.saturating_add(1) } else { doubt.absent };
    let needed = if since.is_some() { absents_needed(doubt, unique) } else { 1 };
    next.stumbles = 0;
    if doubt.absent < needed {
        next.due_at = second_at.map_or(now, |at| at.max(now));
        return;
    }
    next.doubt.absent = next.doubt.absent.max(absents_needed(&next.doubt, unique));
    next.state = State::Waiting;
    next.due_at = now;
    hold_reproducible(next, policy);
}

/// BPJS said *duplicate* but shows nothing: believe it later, and after a few times ask a person. Look-ups that failed
/// do not count: an outage is no contradiction.
fn contradiction(next: &mut Progress, now: Timestamp, policy: &Policy) {
    if next.doubt.absent_boot != Some(policy.boot) {
        forget_absent(&mut next.doubt);
    }
    next.doubt.absent = next.doubt.absent.saturating_add(1);
    next.doubt.absent_boot = Some(policy.boot);
    if next.doubt.absent >= CONTRADICTIONS_BEFORE_HELD {
        let words = next.why.as_ref().map_or_else(|| Private::new(String::new()), |why| why.message.clone());
        held(next, HeldCode::Ambiguous, words);
    } else {
        let tries = u32::from(next.doubt.absent);
        next.due_at = schedule::next(now, tries, policy.chance).max(now + policy.settle / 4);
    }
}

fn lease_lost(next: &mut Progress, now: Timestamp, policy: &Policy) -> Result<(), Illegal> {
    let Some(lease) = next.lease.take() else { return Err(Illegal::State(next.state)) };
    match lease.purpose {
        Purpose::Send => doubt(next, now, policy),
        Purpose::LookUp => {
            forget_absent(&mut next.doubt);
            next.stumbles += 1;
            next.due_at = schedule::next(now, next.stumbles, policy.chance);
        }
    }
    Ok(())
}

/// As a lost lease, and it is counted: who did it three times is set aside. What may be at BPJS stays in doubt.
fn crashed(next: &mut Progress, now: Timestamp, policy: &Policy) -> Result<(), Illegal> {
    lease_lost(next, now, policy)?;
    if crash::count(next) {
        held(next, HeldCode::Crashed, Private::new(String::new()));
    }
    Ok(())
}

fn gated(next: &mut Progress, gate: Gate, turn: Turn, now: Timestamp, policy: &Policy) -> Result<(), Illegal> {
    let waits = next.state == State::Waiting && next.lease.is_none();
    let was_held =
        next.state == State::Held && next.why.as_ref().is_some_and(|why| why.code == HeldCode::Prerequisite.word());
    require(waits || was_held, next)?;
    match gate {
        Gate::Open { adopted } => {
            let unknown = adopted && policy.recovery == Recovery::LookUp { unique: false };
            if unknown && !next.doubt.marked && next.doubt.question.is_none() {
                next.doubt.question = Some(Question::AdoptedParent);
            }
            next.blocked = None;
        }
        Gate::Wait(blocked) => next.blocked = Some(blocked),
        Gate::Failed(id) => {
            held(next, HeldCode::Prerequisite, Private::new(id.to_string()));
            return Ok(());
        }
    }
    if was_held {
        next.state = State::Waiting;
        next.why = None;
        due_soon(next, turn, now);
    }
    Ok(())
}

fn try_again(next: &mut Progress, event: &Event, turn: Turn, now: Timestamp, policy: &Policy) -> Result<(), Illegal> {
    let released = matches!(event, Event::Release);
    match next.state {
        State::Held => {}
        State::Waiting | State::Unanswered | State::Refused | State::Expired if !released => {}
        State::Sending => return Err(Illegal::Busy),
        state @ (State::Waiting
        | State::Unanswered
        | State::Refused
        | State::Expired
        | State::Delivered
        | State::Cancelled) => return Err(Illegal::State(state)),
    }
    if next.lease.is_some() {
        return Err(Illegal::Busy);
    }
    let looks = matches!(policy.recovery, Recovery::LookUp { .. });
    let cannot_tell = next.why.as_ref().is_some_and(|why| why.code == HeldCode::Ambiguous.word());
    (next.faults, next.crashes) = (0, 0);
    next.stumbles = 0;
    next.past_last |= next.state == State::Expired;
    match next.doubt.since {
        Some(since) => next.due_at = now.max(since + policy.settle),
        None => due_soon(next, turn, now),
    }
    if looks && (next.doubt.marked || cannot_tell || next.state == State::Unanswered) {
        next.state = State::Unanswered;
        next.blocked = None;
        if next.doubt.question.is_none() {
            next.doubt.question = Some(Question::Operator);
        }
        forget_absent(&mut next.doubt);
    } else {
        next.state = State::Waiting;
    }
    // The words of a duplicate may name the number to look for.
    if next.state != State::Unanswered || next.doubt.question != Some(Question::Duplicate) {
        next.why = None;
    }
    Ok(())
}

/// Now instead of after a backoff, but never before its day (promise 9).
fn due_soon(next: &mut Progress, turn: Turn, now: Timestamp) {
    if next.due_at <= now + schedule::LONGEST {
        next.due_at = turn.opens.map_or(now, |opens| opens.max(now));
    }
}

fn hold(next: &mut Progress, reason: &str) -> Result<(), Illegal> {
    match next.state {
        State::Waiting | State::Unanswered | State::Held if next.lease.is_none() => {
            held(next, HeldCode::Operator, Private::new(reason.to_owned()));
            Ok(())
        }
        State::Sending | State::Waiting | State::Unanswered | State::Held => Err(Illegal::Busy),
        state @ (State::Delivered | State::Refused | State::Expired | State::Cancelled) => Err(Illegal::State(state)),
    }
}

fn cancel(next: &mut Progress, reason: &str) -> Result<(), Illegal> {
    undoubted(next)?;
    match next.state {
        State::Waiting | State::Held | State::Refused | State::Expired => {
            next.state = State::Cancelled;
            next.blocked = None;
            if next.doubt.marked {
                // It was found absent, and nothing will be sent any more.
                next.doubt = Doubt::default();
            }
            next.why = Some(Why {
                code: "cancelled".to_owned(),
                message: Private::new(reason.to_owned()),
                meaning: "Dibatalkan sebelum dikirim.".to_owned(),
                who: Who::It,
                next: "Tidak ada; bila keliru, serahkan entri baru.".to_owned(),
            });
            Ok(())
        }
        state @ (State::Sending | State::Unanswered | State::Delivered | State::Cancelled) => {
            Err(Illegal::State(state))
        }
    }
}

fn undoubted(next: &Progress) -> Result<(), Illegal> {
    if next.state == State::Sending || next.lease.is_some() {
        Err(Illegal::Busy)
    } else if next.state == State::Unanswered || (next.doubt.marked && !is_known_absent(next)) {
        Err(Illegal::InDoubt)
    } else {
        Ok(())
    }
}

/// Whether a marked delivery was found absent and then ended in a person's hands: a marked one is sent only after it was
/// looked for, so a refusal that follows, or the fifth fault that was looked up, leaves nothing unknown. The mark stays:
/// whatever the person sends next is looked for first.
fn is_known_absent(next: &Progress) -> bool {
    let held_for = |code: HeldCode| next.why.as_ref().is_some_and(|why| why.code == code.word());
    match next.state {
        State::Refused => true,
        State::Held => held_for(HeldCode::ReproducibleFault) && next.doubt.absent > 0,
        State::Waiting | State::Sending | State::Delivered | State::Unanswered | State::Expired | State::Cancelled => {
            false
        }
    }
}

fn adopt(next: &mut Progress, ids: &Private<RemoteIds>) -> Result<(), Illegal> {
    if next.lease.is_some() {
        return Err(Illegal::Busy);
    }
    match next.state {
        State::Waiting | State::Unanswered | State::Held | State::Refused | State::Expired => {
            deliver(next, How::Adopted, ids);
            Ok(())
        }
        state @ (State::Sending | State::Delivered | State::Cancelled) => Err(Illegal::State(state)),
    }
}

fn declare_absent(next: &mut Progress, now: Timestamp, policy: &Policy) -> Result<(), Illegal> {
    if next.lease.is_some() {
        return Err(Illegal::Busy);
    }
    let unsure = next.doubt.marked
        || next.state == State::Unanswered
        || next.why.as_ref().is_some_and(|why| why.code == HeldCode::Ambiguous.word());
    require(unsure && !matches!(next.state, State::Delivered | State::Cancelled), next)?;
    next.doubt = Doubt { marked: true, question: Some(Question::Operator), ..Doubt::default() };
    next.state = State::Waiting;
    next.due_at = now;
    (next.faults, next.crashes) = (0, 0);
    next.stumbles = 0;
    next.why = None;
    let Recovery::LookUp { .. } = policy.recovery else {
        next.doubt = Doubt::default();
        return Ok(());
    };
    Ok(())
}

fn amend(next: &mut Progress, turn: Turn, now: Timestamp) -> Result<(), Illegal> {
    // A person's word that BPJS does not have it ends the doubt for an amendment; the look-up before the send stays.
    if !declared(&next.doubt) || next.lease.is_some() {
        undoubted(next)?;
    }
    match next.state {
        State::Waiting | State::Held | State::Refused | State::Expired => {
            next.past_last |= next.state == State::Expired;
            next.state = State::Waiting;
            due_soon(next, turn, now);
            next.why = None;
            (next.faults, next.crashes) = (0, 0);
            next.fault = None;
            next.stumbles = 0;
            Ok(())
        }
        state @ (State::Sending | State::Unanswered | State::Delivered | State::Cancelled) => {
            Err(Illegal::State(state))
        }
    }
}

fn expire(next: &mut Progress, now: Timestamp, policy: &Policy) -> Result<(), Illegal> {
    require(next.state == State::Waiting && next.lease.is_none() && !next.past_last, next)?;
    if next.doubt.marked {
        // Promise 9: what might be at BPJS is looked up first, however late it is. What cannot be looked up is repeated
        // until BPJS answers.
        let Recovery::LookUp { .. } = policy.recovery else { return Err(Illegal::InDoubt) };
        next.state = State::Unanswered;
        next.blocked = None;
        next.due_at = now;
        return Ok(());
    }
    next.state = State::Expired;
    next.blocked = None;
    next.why = Some(Why {
        code: "expired".to_owned(),
        message: Private::new(String::new()),
        meaning: "Tanggal terakhir menurut kontrak sudah lewat sebelum entri sampai di BPJS.".to_owned(),
        who: Who::Registration,
        next: "Masukkan ke laporan manual; bila BPJS masih menerimanya, coba lagi dengan sengaja (retry).".to_owned(),
    });
    Ok(())
}

/// What was refused, held or expired in the restored copy may have been sent since, so it looks first as well once a
/// person or its prerequisite sets it going.
fn distrust(next: &mut Progress, now: Timestamp) -> Result<(), Illegal> {
    require(!matches!(next.state, State::Sending | State::Delivered | State::Cancelled), next)?;
    forget_absent(&mut next.doubt);
    if next.doubt.question.is_none() {
        next.doubt.question = Some(Question::Operator);
    }
    if !next.state.is_final() {
        next.due_at = next.due_at.max(now);
    }
    Ok(())
}

fn held(next: &mut Progress, code: HeldCode, message: Private<String>) {
    next.state = State::Held;
    next.blocked = None;
    let (meaning, who, todo) = held_texts(code);
    next.why = Some(Why { code: code.word().to_owned(), message, meaning: meaning.into(), who, next: todo.into() });
}
