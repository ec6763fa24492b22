//! The state diagram: every situation × every event, the promises, random walks, and the table in `docs/queue.md`.
//!
//! Job: builders that the files below share. A *situation* is a delivery's whole progress, a little finer than its state
//! (in doubt or not, leased or not). Neighbours: [`document`] renders what [`table`] walks.

mod crash;
mod document;
mod promises;
mod properties;
mod table;

use std::time::Duration;

use jiff::Timestamp;

use super::gate::Gate;
use super::transition::{Event, Illegal, Policy, Recovery, next_step, transition};
use super::*;
use crate::catalogue::{Refusal, RemoteIds, Who};
use crate::secret::Private;

/// Settle time of every policy here.
const SETTLE: Duration = Duration::from_secs(60);

/// How operations recover, with the word used in the table.
const RECOVERIES: [(&str, Recovery); 5] = [
    ("unique", Recovery::LookUp { unique: true }),
    ("not unique", Recovery::LookUp { unique: false }),
    ("repeat safe", Recovery::RepeatSafe),
    ("repeat until gone", Recovery::RepeatUntilGone),
    ("repeat until there", Recovery::RepeatUntilThere),
];

fn start() -> Timestamp {
    "2026-11-21T01:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    start() + jiff::SignedDuration::from_secs(seconds)
}

fn boot(number: u8) -> BootId {
    BootId::new(start(), &[number; 10])
}

fn other(number: u8) -> DeliveryId {
    DeliveryId::new(start(), &[number; 10])
}

fn policy(recovery: Recovery) -> Policy {
    Policy { recovery, settle: SETTLE, boot: boot(1), chance: 1.0, others_pass: true }
}

fn fresh() -> Delivery {
    Delivery {
        id: other(0),
        seq: 7,
        submission: SubmissionId::new(start(), &[0; 10]),
        entry_ref: "obat-1".to_owned(),
        facility: "0114A026".to_owned(),
        operation: "pcare.obat.add".to_owned(),
        lane: Private::new("lane".to_owned()),
        occurred_at: None,
        service_date: None,
        mark: None,
        accepted_at: start(),
        turn: Turn::taken(start(), start(), &[], None),
        deadline: Deadline::default(),
        progress: Progress::accepted(start(), start(), None),
    }
}

fn with(change: impl FnOnce(&mut Progress)) -> Delivery {
    let mut delivery = fresh();
    change(&mut delivery.progress);
    delivery
}

fn refusal(code: i64, rule: &str) -> Refusal {
    Refusal {
        code,
        message: Private::new("kata BPJS".to_owned()),
        rule: rule.to_owned(),
        meaning: "artinya".to_owned(),
        who: Who::Registration,
        next: "lalu".to_owned(),
    }
}

fn ids() -> Private<RemoteIds> {
    Private::new(RemoteIds::from([("kdObatSK".to_owned(), "81".to_owned())]))
}

fn lease(purpose: Purpose) -> Lease {
    Lease { token: 5, until: after(60), purpose }
}

fn held(code: HeldCode) -> Why {
    Why {
        code: code.word().to_owned(),
        message: Private::new(String::new()),
        meaning: "artinya".to_owned(),
        who: Who::It,
        next: "lalu".to_owned(),
    }
}

/// Marked by an attempt that ended at `start()`.
fn own_doubt() -> Doubt {
    Doubt { marked: true, question: Some(Question::OwnAttempt), since: Some(start()), ..Doubt::default() }
}

fn stopped(state: State, code: &str) -> impl FnOnce(&mut Progress) {
    move |p| {
        p.state = state;
        p.why = Some(Why { code: code.to_owned(), ..held(HeldCode::Operator) });
    }
}

fn delivered() -> Delivery {
    with(|p| {
        p.state = State::Delivered;
        p.how = Some(How::Accepted);
    })
}

/// Every situation of the table.
fn situations() -> Vec<(&'static str, Delivery)> {
    let blocked = Some(Blocked { kind: BlockedKind::Order, id: other(1) });
    let look_up = Some(lease(Purpose::LookUp));
    let mut all = vec![
        ("waiting", fresh()),
        ("waiting, blocked", with(|p| p.blocked = blocked)),
        ("waiting, in doubt", with(|p| p.doubt = own_doubt())),
        ("waiting, in doubt, blocked", with(|p| (p.doubt, p.blocked) = (own_doubt(), blocked))),
        ("waiting, looked up now", with(|p| (p.doubt, p.lease) = (own_doubt(), look_up))),
        ("waiting, parent adopted", with(|p| p.doubt.question = Some(Question::AdoptedParent))),
        ("waiting, past its last date on purpose", with(|p| p.past_last = true)),
        ("sending", with(|p| (p.state, p.lease) = (State::Sending, Some(lease(Purpose::Send))))),
        (
            "sending, in doubt",
            with(|p| (p.state, p.lease, p.doubt) = (State::Sending, Some(lease(Purpose::Send)), own_doubt())),
        ),
        (
            "sending, crashed twice",
            with(|p| (p.state, p.lease, p.crashes) = (State::Sending, Some(lease(Purpose::Send)), 2)),
        ),
        ("delivered", delivered()),
    ];
    all.extend(unanswered_situations());
    all.extend(stopped_situations());
    all
}

fn unanswered_situations() -> Vec<(&'static str, Delivery)> {
    let duplicate = Doubt { question: Some(Question::Duplicate), ..Doubt::default() };
    let look_up = Some(lease(Purpose::LookUp));
    vec![
        ("unanswered", with(|p| (p.state, p.doubt) = (State::Unanswered, own_doubt()))),
        (
            "unanswered, looked up now",
            with(|p| (p.state, p.doubt, p.lease) = (State::Unanswered, own_doubt(), look_up)),
        ),
        ("unanswered, said to be there", with(|p| (p.state, p.doubt) = (State::Unanswered, duplicate))),
    ]
}

fn stopped_situations() -> Vec<(&'static str, Delivery)> {
    let declared = Doubt { marked: true, question: Some(Question::Operator), ..Doubt::default() };
    let doubtful =
        |delivery: Delivery, doubt: Doubt| Delivery { progress: Progress { doubt, ..delivery.progress }, ..delivery };
    let refused = || with(stopped(State::Refused, "precondition"));
    let mut all = vec![
        ("refused", refused()),
        ("refused, in doubt", doubtful(refused(), own_doubt())),
        ("refused, declared absent", doubtful(refused(), declared)),
    ];
    for code in HeldCode::ALL {
        let name = match code {
            HeldCode::Ambiguous => "held (ambiguous)",
            HeldCode::Prerequisite => "held (prerequisite)",
            HeldCode::Operator => "held (operator)",
            HeldCode::Approval => "held (approval)",
            HeldCode::ReproducibleFault => "held (reproducible_fault)",
            HeldCode::Crashed => "held (crashed)",
            HeldCode::Unreadable => "held (unreadable)",
        };
        all.push((name, with(stopped(State::Held, code.word()))));
    }
    all.push(("held (operator), in doubt", doubtful(with(stopped(State::Held, "operator")), own_doubt())));
    all.push(("expired", with(stopped(State::Expired, "expired"))));
    all.push(("cancelled", with(stopped(State::Cancelled, "cancelled"))));
    all
}

/// Every event of the table, a settle time after the doubt began.
fn events() -> Vec<(&'static str, Event)> {
    let mut all = vec![
        ("claimed to send", Event::Claimed(lease(Purpose::Send))),
        ("claimed to look up", Event::Claimed(lease(Purpose::LookUp))),
    ];
    all.extend(outcomes().into_iter().map(|(name, outcome)| (name, Event::Ended(outcome))));
    all.extend(findings().into_iter().map(|(name, finding)| (name, Event::Looked { finding, begun: after(60) })));
    let wait = Gate::Wait(Blocked { kind: BlockedKind::Prerequisite, id: other(2) });
    all.extend([
        ("lease lost", Event::LeaseLost),
        ("crashed", Event::Crashed),
        ("payload unreadable", Event::Unreadable),
        ("gate open", Event::Gated(Gate::Open { adopted: false })),
        ("gate open, parent adopted", Event::Gated(Gate::Open { adopted: true })),
        ("gate: wait", Event::Gated(wait)),
        ("gate: parent failed", Event::Gated(Gate::Failed(other(2)))),
        ("retry", Event::Retry),
        ("await approval", Event::AwaitApproval),
        ("hold", Event::Hold { reason: "ditahan".to_owned() }),
        ("release", Event::Release),
        ("cancel", Event::Cancel { reason: "batal".to_owned() }),
        ("adopt", Event::Adopt { ids: ids() }),
        ("declare absent", Event::DeclareAbsent),
        ("amend", Event::Amend),
        ("last date passed", Event::Expire),
        ("restored or upgraded", Event::Distrust),
    ]);
    all
}

fn outcomes() -> Vec<(&'static str, Outcome)> {
    let no = || refusal(412, "precondition");
    vec![
        ("ended: accepted", Outcome::Accepted(ids())),
        ("ended: already there", Outcome::AlreadyThere(refusal(401, "duplicate"))),
        ("ended: not found", Outcome::NotFound(refusal(412, "gone"))),
        ("ended: refused", Outcome::Refused(no())),
        ("ended: credentials", Outcome::NotAuthorised(refusal(401, "login"), Suspicion::Credentials)),
        ("ended: clock", Outcome::NotAuthorised(refusal(401, "service_expired"), Suspicion::Clock)),
        ("ended: unknown 401", Outcome::NotAuthorised(refusal(401, "unknown_401"), Suspicion::Unknown)),
        ("ended: rate limited", Outcome::RateLimited { until: Some(after(600)) }),
        ("ended: not sent", Outcome::NotSent { why: "tcp".to_owned() }),
        ("ended: fault", Outcome::Fault(refusal(500, "server_fault"))),
        ("ended: unavailable", Outcome::Unavailable { status: 503 }),
        ("ended: no answer", Outcome::NoAnswer { after: Duration::from_secs(30) }),
        ("ended: unreadable", Outcome::Unreadable { why: "bukan JSON".to_owned() }),
        ("ended: accepted, ids unreadable", Outcome::AcceptedUnread { why: "tersegel".to_owned() }),
    ]
}

fn findings() -> Vec<(&'static str, Finding)> {
    vec![
        ("looked up: found", Finding::Found { ids: ids(), differs: Vec::new() }),
        ("looked up: absent", Finding::Absent),
        ("looked up: owned by another", Finding::Owned { owner: other(3) }),
        ("looked up: cannot be told", Finding::Ambiguous { detail: "dua calon".to_owned() }),
        ("looked up: somebody else's", Finding::Foreign(refusal(0, "foreign"))),
        ("looked up: failed", Finding::Failed { why: "503".to_owned() }),
    ]
}

/// Applies an event that must be legal.
fn apply(delivery: &mut Delivery, event: &Event, now: Timestamp, policy: &Policy) {
    let next = transition(delivery, event, now, policy);
    delivery.progress = next.unwrap_or_else(|illegal| panic!("{event:?} in {}: {illegal}", delivery.progress.state));
}

/// Claims for what comes next, and returns it.
fn claim(delivery: &mut Delivery, now: Timestamp, policy: &Policy) -> Purpose {
    let purpose = next_step(&delivery.progress, now, policy);
    apply(delivery, &Event::Claimed(lease(purpose)), now, policy);
    purpose
}

fn look(delivery: &mut Delivery, finding: Finding, now: Timestamp, policy: &Policy) {
    assert_eq!(claim(delivery, now, policy), Purpose::LookUp);
    apply(delivery, &Event::Looked { finding, begun: now }, now, policy);
}

fn send(delivery: &mut Delivery, outcome: Outcome, now: Timestamp, policy: &Policy) {
    assert_eq!(claim(delivery, now, policy), Purpose::Send);
    apply(delivery, &Event::Ended(outcome), now, policy);
}

fn no_answer() -> Outcome {
    Outcome::NoAnswer { after: Duration::from_secs(30) }
}
