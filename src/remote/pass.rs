//! Passing a client's own call through, for the gateway.
//!
//! Job: one request of an operation under the facility's real credentials, and what the service said, opened. Invariants:
//! one request, never repeated; the path may not leave the operation's service; nothing of path, body or answer is
//! logged or kept here (an answer may be a login link). Neighbours: `http::gateway` calls and seals the answer again for
//! its client. What it does not do: the rate ([`Remote::admit`] before the stamp is taken), the circuit (whoever has the
//! lane tells it [`Passed::evidence`] or [`ReadFailure::evidence`]), writes that must not be lost (submissions).

use std::time::Duration;

use serde_json::{Value, json};

use super::classify::{self, Heard, Said};
use super::client::{Call, Evidence, Exchange, Remote, Unready, keeps_its_shape};
use super::read::ReadFailure;
use super::transport::TransportError;
use crate::catalogue::Operation;
use crate::protocol::envelope::Body;
use crate::protocol::seal::Packed;
use crate::protocol::sign::Stamp;
use crate::queue::{Outcome, Suspicion};
use crate::secret::Private;

/// An answer in the service's envelope, in the clear. Headers are BPJS's own business and do not come along.
#[derive(Clone, PartialEq, Debug)]
pub struct Passed {
    /// HTTP status.
    pub status: u16,
    /// `metaData.code`.
    pub code: i64,
    /// `metaData.message`, word for word.
    pub message: Private<String>,
    /// Whether status and code both say success in this service.
    pub success: bool,
    /// `response`.
    pub response: Private<Answer>,
    /// The same, packed, if it came sealed and opened: to be sealed for a client without packing anew.
    pub packed: Option<Packed>,
    /// What a refusal of access is about; the lane may have to stop.
    pub not_authorised: Option<Suspicion>,
    /// What it says about the service, for the circuit.
    pub evidence: Evidence,
    /// Version of the credentials it was signed with.
    pub credential_version: u64,
    /// This machine's clock minus BPJS's `Date`, seconds; positive: ours is ahead.
    pub skew_seconds: Option<i64>,
    /// From before the request to the end of the answer.
    pub took: Duration,
}

/// What stood in `response`. Personal, so it travels in [`Private`].
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The field was missing (Antrean FKTP's writes).
    Absent,
    /// It came in the clear: null, the empty text, words of an error, plain JSON.
    Plain(Value),
    /// It came sealed and was opened.
    Sealed(Value),
    /// A text that did not open and should have: as it stood.
    Shut(String),
}

impl Answer {
    /// The value, whichever way it came; null where there is none.
    #[must_use]
    pub fn value(&self) -> Value {
        match self {
            Self::Absent => Value::Null,
            Self::Plain(value) | Self::Sealed(value) => value.clone(),
            Self::Shut(text) => Value::String(text.clone()),
        }
    }
}

impl Remote {
    /// Passes one call of `operation` through: `path` below the base URL as the client spelt its parameters,
    /// percent-encoded, with its query; `body` as the client wrote it. Whatever the service says in its envelope comes
    /// back, also a no.
    ///
    /// # Errors
    /// [`ReadFailure`] if nothing came back that the service said, or the path would leave the service. Its `outcome`
    /// tells what is certain: only [`Outcome::NotSent`] means that BPJS got nothing.
    pub async fn pass(
        &self,
        facility: &str,
        operation: &Operation,
        path: &str,
        body: Option<Private<String>>,
        stamp: Stamp,
    ) -> Result<Passed, ReadFailure> {
        if !keeps_its_shape(path) {
            return Err(ReadFailure::unready(&Unready::Path("path".to_owned())));
        }
        let path = path.trim_start_matches('/');
        let dialect = operation.dialect();
        let kind = operation.content_type.as_ref().or_else(|| dialect.body_types.first()).unwrap_or(&dialect.bare_type);
        let body = body.map(|text| (kind.as_str(), text.into_inner()));
        let call = Call { facility, operation, path, body, stamp, timeout: self.0.timeout };
        let exchange = self.0.call(call).await.map_err(|unready| ReadFailure::unready(&unready))?;
        self.passed(operation, exchange)
    }

    fn passed(&self, operation: &Operation, exchange: Exchange) -> Result<Passed, ReadFailure> {
        let outcome = classify::outcome(&self.0.catalogue, operation, &exchange.heard, exchange.took);
        let Exchange { heard, version, skew_seconds, took } = exchange;
        let Ok(Heard::Envelope(said)) = heard else { return Err(ReadFailure::of(outcome)) };
        let not_authorised = match outcome {
            Outcome::NotAuthorised(_, suspicion) => Some(suspicion),
            Outcome::Accepted(_)
            | Outcome::AcceptedUnread { .. }
            | Outcome::AlreadyThere(_)
            | Outcome::NotFound(_)
            | Outcome::Refused(_)
            | Outcome::RateLimited { .. }
            | Outcome::Fault(_)
            | Outcome::Unavailable { .. }
            | Outcome::NotSent { .. }
            | Outcome::NoAnswer { .. }
            | Outcome::Unreadable { .. } => None,
        };
        let Said { status, code, message, success, response, raw, packed, .. } = *said;
        let response = answer(raw.into_inner(), response.into_inner().ok());
        Ok(Passed {
            status,
            code,
            message,
            success,
            packed: packed.filter(|_| matches!(response, Answer::Sealed(_))),
            response: Private::new(response),
            not_authorised,
            // An envelope came: the service is there, whatever could be made of its content.
            evidence: Evidence::Alive,
            credential_version: version,
            skew_seconds,
            took,
        })
    }
}

/// Largest answer that is kept with an attempt, as JSON.
const KEPT_MAX: usize = 64 * 1024;

/// What a write was answered, for whoever asks again: `{"message", "response", "sealed"}`.
pub(super) fn kept(heard: &Result<Heard, TransportError>) -> Option<Private<Value>> {
    let Ok(Heard::Envelope(said)) = heard else { return None };
    let response = answer(said.raw.expose().clone(), said.response.expose().as_ref().ok().cloned());
    let mut kept = json!({ "message": said.message.expose(), "sealed": matches!(response, Answer::Sealed(_)) });
    if response != Answer::Absent {
        kept["response"] = response.value();
    }
    (kept.to_string().len() <= KEPT_MAX).then(|| Private::new(kept))
}

fn answer(raw: Body, opened: Option<Value>) -> Answer {
    match (raw, opened) {
        (Body::Absent, _) => Answer::Absent,
        (Body::Null, _) => Answer::Plain(Value::Null),
        (Body::Empty, _) => Answer::Plain(Value::String(String::new())),
        (Body::Plain(value), _) => Answer::Plain(value),
        (Body::Sealed(text), None) => Answer::Shut(text),
        (Body::Sealed(text), Some(Value::String(same))) if same == text => Answer::Plain(Value::String(same)),
        (Body::Sealed(_), Some(value)) => Answer::Sealed(value),
    }
}

#[cfg(test)]
mod tests;
