//! One claimed delivery: fill its payload, send or look up, record.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use serde_json::Value;

use super::Push;
use crate::catalogue::{Filled, NotFilled, Operation, Refusal, RemoteIds, Who, at, fill};
use crate::observe::Seen;
use crate::protocol::sign::Stamp;
use crate::queue::transition::Event;
use crate::queue::{Delivery, Outcome, Purpose, State};
use crate::remote::{Evidence, Lane};
use crate::secret::Private;
use crate::store::{AttemptEnd, Claimed, Given, Recorded, StoreError};

/// How often a full disk is asked for room.
const ROOM: Duration = Duration::from_secs(1);
/// How often a database that is away is asked whether it is back.
const BACK: Duration = Duration::from_millis(250);

/// How an attempt ended, before it is recorded.
pub(super) struct Ended {
    pub(super) event: Event,
    pub(super) end: AttemptEnd,
    pub(super) evidence: Evidence,
}

impl Push {
    /// Carries one claimed delivery through its attempt, and lives on if that panics: it is counted as a crash.
    pub(super) async fn survive(&self, lane: &Lane, claimed: Claimed, begin_by: Timestamp) {
        let (id, token, attempt) = (claimed.delivery.id, claimed.token, claimed.attempt);
        if AssertUnwindSafe(self.attempt(lane, claimed, begin_by)).catch_unwind().await.is_ok() {
            return;
        }
        tracing::error!(delivery.id = %id, attempt, "the attempt panicked");
        let now = self.clock.now();
        let end = AttemptEnd { outcome: "panicked".to_owned(), ..AttemptEnd::default() };
        let recorded = Recorded { id, token, attempt, event: Event::Crashed, now, base: self.base(lane, now), end };
        match self.store.record(recorded).await {
            Ok(after) if after.as_ref().is_some_and(|after| after.progress.state == State::Held) => {
                tracing::error!(delivery.id = %id, "set aside: its attempt panicked three times");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, delivery.id = %id, "end not recorded"),
        }
    }

    /// Carries one claimed delivery through its attempt. After `begin_by` nothing is sent: the lease could then run out
    /// while the request is under way, and another node would look the entry up too early.
    pub(super) async fn attempt(&self, lane: &Lane, claimed: Claimed, begin_by: Timestamp) {
        let ended = self.ended(lane, &claimed, begin_by).await;
        let now = self.clock.now();
        lane.heard(ended.evidence, now);
        if matches!(ended.event, Event::Ended(Outcome::Accepted(_))) {
            lane.passed(now);
        }
        self.report(&claimed, &ended);
        let recorded = Recorded {
            id: claimed.delivery.id,
            token: claimed.token,
            attempt: claimed.attempt,
            event: ended.event,
            now,
            base: self.base(lane, now),
            end: ended.end,
        };
        let kept = self.recorded(&claimed, recorded).await;
        failpoint!(await "record.committed");
        match kept {
            Ok(Some(_)) => {}
            // Or an earlier try's COMMIT happened after all.
            Ok(None) => tracing::warn!(delivery.id = %claimed.delivery.id, "lease lost before the end was recorded"),
            // The row still says `sending`: the lease runs out and the entry is looked up.
            Err(error) => tracing::error!(%error, delivery.id = %claimed.delivery.id, "end not recorded"),
        }
    }

    /// Records the end; while the disk is full or the database away again and again until the lease runs out, because what
    /// BPJS said is known here and nowhere else. It may be repeated: a lease's token is good for one end, so a COMMIT that
    /// happened although its answer was lost leaves nothing for the next try.
    async fn recorded(&self, claimed: &Claimed, recorded: Recorded) -> Result<Option<Delivery>, StoreError> {
        let until = claimed.delivery.progress.lease.map(|lease| lease.until);
        loop {
            let error = match self.store.record(recorded.clone()).await {
                Err(error) => error,
                known => return known,
            };
            let wait = match &error {
                StoreError::Full(_) => ROOM,
                StoreError::Unavailable(_) | StoreError::Unknown(_) => BACK,
                _ => return Err(error),
            };
            // A store that is not to be believed any more ends the process.
            if self.store.fatal().borrow().is_some() || until.is_none_or(|until| self.clock.now() + wait >= until) {
                return Err(error);
            }
            tracing::warn!(%error, delivery.id = %claimed.delivery.id, "end not recorded yet");
            self.clock.sleep(wait).await;
        }
    }

    async fn ended(&self, lane: &Lane, claimed: &Claimed, begin_by: Timestamp) -> Ended {
        #[cfg(feature = "failpoints")]
        crate::failpoint::poisoned(&claimed.delivery.entry_ref);
        let Some(operation) = self.catalogue.operation(&claimed.delivery.operation) else {
            return Ended::refused(unknown_operation(&claimed.delivery.operation));
        };
        let filled = match filled(operation, claimed) {
            Ok(filled) => filled,
            Err(open) => return Ended::refused(not_filled(&open)),
        };
        match claimed.purpose {
            Purpose::Send => {
                failpoint!(await "send.before");
                if self.clock.now() > begin_by {
                    return Ended::too_late();
                }
                let ended = self.send(lane, claimed, operation, &filled).await;
                failpoint!(await "send.answered");
                ended
            }
            Purpose::LookUp => {
                failpoint!(await "lookup.before");
                let ended = self.look_up(lane, claimed, operation, &filled.payload).await;
                failpoint!(await "lookup.answered");
                ended
            }
        }
    }

    fn report(&self, claimed: &Claimed, ended: &Ended) {
        let operation = &claimed.delivery.operation;
        (self.observe)(Seen::Attempt { operation, outcome: &ended.end.outcome });
        tracing::info!(
            delivery.id = %claimed.delivery.id,
            facility = %claimed.delivery.facility,
            operation = %operation,
            attempt = claimed.attempt,
            purpose = claimed.purpose.word(),
            outcome = %ended.end.outcome,
            code = ended.end.code,
            status = ended.end.status,
            "attempt ended"
        );
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp::at(self.clock.now())
    }
}

impl Ended {
    /// The process stood still (stopped, suspended, starved) between claim and send.
    fn too_late() -> Self {
        let outcome = Outcome::NotSent { why: "lease".to_owned() };
        let end = AttemptEnd {
            outcome: outcome.word().to_owned(),
            detail: Private::new("lease".to_owned()),
            ..AttemptEnd::default()
        };
        Self { event: Event::Ended(outcome), end, evidence: Evidence::Nothing }
    }

    fn refused(refusal: Refusal) -> Self {
        let outcome = Outcome::Refused(refusal);
        let end = AttemptEnd { outcome: outcome.word().to_owned(), ..AttemptEnd::default() };
        Self { event: Event::Ended(outcome), end, evidence: Evidence::Nothing }
    }
}

fn filled(operation: &Operation, claimed: &Claimed) -> Result<Filled, NotFilled> {
    fill(operation, claimed.payload.expose(), |from, id| given_id(&claimed.given, from, id))
}

fn given_id(given: &[Given], from: &str, id: &str) -> Option<String> {
    given.iter().filter(|given| given.operation == from).find_map(|given| given.ids.expose().get(id).cloned())
}

fn not_filled(open: &NotFilled) -> Refusal {
    Refusal {
        code: 0,
        message: Private::new(open.to_string()),
        rule: "not_filled".to_owned(),
        meaning: format!("Isian {} kosong dan tidak diberikan oleh entri yang mendahuluinya.", open.field),
        who: Who::It,
        next: format!("Isi {} dengan 'amend'.", open.field),
    }
}

fn unknown_operation(name: &str) -> Refusal {
    Refusal {
        code: 0,
        message: Private::new(name.to_owned()),
        rule: "unknown_operation".to_owned(),
        meaning: "Operasi ini tidak ada dalam katalog jembatan yang berjalan.".to_owned(),
        who: Who::It,
        next: "Pasang kembali katalog atau versi jembatan yang mengenalnya, lalu 'retry'.".to_owned(),
    }
}

/// Values of the fields within which an id is unique, as text.
pub(super) fn scope_of(operation: &Operation, payload: &Value) -> Vec<String> {
    operation.id_scope.iter().map(|field| text(payload, field).unwrap_or_default()).collect()
}

/// The `(operation, scope, id)` that a delivered add owns.
pub(super) fn owns(operation: &Operation, payload: &Value, ids: &RemoteIds) -> Option<(String, Vec<String>, String)> {
    let id = match (operation.gives.first(), &operation.own_id) {
        (Some(name), _) => ids.get(name).cloned(),
        (None, Some(field)) => text(payload, field),
        (None, None) => None,
    }?;
    operation.look_up.as_ref()?;
    Some((operation.family(), scope_of(operation, payload), id))
}

pub(super) fn text(payload: &Value, field: &str) -> Option<String> {
    match at(payload, field)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
