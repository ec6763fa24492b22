//! Answering as the service does: its envelope, its codes, its seal.
//!
//! Job: from a code, words and a value to the bytes a client of that service reads. Invariants: what is sealed is sealed
//! for the client's own local credentials and its own timestamp; an answer to somebody unknown is never sealed. What it
//! does not do: decide what to answer.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

use crate::catalogue::{self, Catalogue, CodeType, EnvelopeKey, Operation, Service};
use crate::protocol::envelope::{self, Dialect, MetaKey};
use crate::protocol::seal::{self, Packed};
use crate::protocol::sign::Stamp;
use crate::queue::DeliveryId;
use crate::vault::GatewayCredentials;

/// Who speaks in an answer: `bpjs`, `cache` or `jembatan`.
const SOURCE: HeaderName = HeaderName::from_static("x-jembatan-source");
/// Since when a kept answer is known.
const AS_OF: HeaderName = HeaderName::from_static("x-jembatan-as-of");
/// What must be known along with a kept answer.
const NOTICE: HeaderName = HeaderName::from_static("x-jembatan-notice");
/// The delivery an answer is about.
const DELIVERY: HeaderName = HeaderName::from_static("x-jembatan-delivery");

/// How one operation (or a whole service, where the operation is unknown) speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice {
    /// The service.
    pub(super) service: Service,
    /// Whether `X-authorization` is wanted.
    pub(super) authorization: bool,
    dialect: Dialect,
    sealed: bool,
}

impl Voice {
    /// The voice of a service.
    pub(super) fn of(catalogue: &Catalogue, service: Service) -> Self {
        catalogue.dialect(service).map_or_else(
            || Self { service, authorization: true, dialect: Dialect::PCARE, sealed: true },
            |dialect| Self::speaking(service, dialect),
        )
    }

    /// The voice of an operation.
    pub(super) fn of_operation(operation: &Operation) -> Self {
        Self::speaking(operation.service, operation.dialect())
    }

    fn speaking(service: Service, dialect: &catalogue::Dialect) -> Self {
        let key = match dialect.envelope {
            EnvelopeKey::MetaData => MetaKey::Camel,
            EnvelopeKey::Metadata => MetaKey::Lower,
        };
        let code_as_text = dialect.code == CodeType::String;
        let written = Dialect { key, code_as_text };
        Self { service, authorization: dialect.authorization, dialect: written, sealed: dialect.sealed }
    }

    /// The code with which this service refuses an entry for its content.
    pub(super) const fn invalid(self) -> i64 {
        match self.service {
            Service::Pcare => 412,
            Service::Vclaim | Service::AntreanFktp | Service::Icare => 201,
        }
    }

    /// HTTP status of a code: P-Care's status is its code (wire facts §3.2); the others give business results with HTTP
    /// 200 and everything in the envelope.
    const fn status(self, code: i64) -> u16 {
        match (self.service, code) {
            (_, 50_000) => 400,
            (Service::Vclaim | Service::AntreanFktp | Service::Icare, ..=399) => 200,
            (_, 200..=599) => code as u16,
            (_, _) => 500,
        }
    }
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// BPJS said it, now or when the entry was sent.
    Bpjs,
    /// BPJS said it earlier, and it was kept.
    Cache,
    /// The bridge says it.
    Bridge,
}

/// What stands in `response`.
#[derive(Clone, PartialEq)]
pub(super) enum Content {
    /// Nothing: the field is left out.
    Absent,
    /// As it is.
    Plain(Value),
    /// Sealed for a client that signs, as it is for one that bears a token.
    Sealed(Value),
    /// As [`Content::Sealed`], with BPJS's own packing of it.
    Packed(Value, Packed),
}

/// How the client reads.
#[derive(Debug, Clone)]
pub(super) enum Secrecy {
    /// With a bearer token: in the clear.
    Plain,
    /// With a signature: sealed for it.
    Sealed(Box<GatewayCredentials>, Stamp),
}

/// An answer before it has a form.
#[derive(Clone)]
pub(super) struct Reply {
    /// HTTP status, where BPJS gave one.
    pub(super) status: Option<u16>,
    /// `metaData.code`.
    pub(super) code: i64,
    /// `metaData.message`.
    pub(super) message: String,
    /// `response`.
    pub(super) content: Box<Content>,
    /// Who says it.
    pub(super) source: Source,
    /// What it is about.
    pub(super) delivery: Option<DeliveryId>,
    /// Seconds after which to ask again.
    pub(super) retry_after: Option<u64>,
    /// Of a kept answer: since when it is known (RFC 3339).
    pub(super) as_of: Option<String>,
    /// Of a kept answer: what must be known along with it.
    pub(super) notice: Option<&'static str>,
}

impl Reply {
    /// The bridge's own words, without data.
    pub(super) fn own(code: i64, message: impl Into<String>) -> Self {
        Self {
            status: None,
            code,
            message: message.into(),
            content: Box::new(Content::Plain(Value::Null)),
            source: Source::Bridge,
            delivery: None,
            retry_after: None,
            as_of: None,
            notice: None,
        }
    }

    /// With data.
    pub(super) fn with(mut self, content: Content) -> Self {
        self.content = Box::new(content);
        self
    }

    /// About a delivery.
    pub(super) fn about(mut self, delivery: DeliveryId) -> Self {
        self.delivery = Some(delivery);
        self
    }

    /// To be asked again after so many seconds.
    pub(super) fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The bytes.
    pub(super) fn render(self, voice: Voice, secrecy: &Secrecy) -> Response {
        let status = self.status.unwrap_or_else(|| voice.status(self.code));
        let bytes = match written(*self.content, voice, secrecy) {
            Some(value) => envelope::write(&voice.dialect, self.code, &self.message, value),
            None => envelope::write_without_response(&voice.dialect, self.code, &self.message),
        };
        let mut response = Response::new(if status == 204 { Body::empty() } else { Body::from(bytes) });
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        let source = match self.source {
            Source::Bpjs => "bpjs",
            Source::Cache => "cache",
            Source::Bridge => "jembatan",
        };
        headers.insert(SOURCE, HeaderValue::from_static(source));
        if let Some(id) = self.delivery.and_then(|id| HeaderValue::try_from(id.to_string()).ok()) {
            headers.insert(DELIVERY, id);
        }
        if let Some(as_of) = self.as_of.and_then(|as_of| HeaderValue::try_from(as_of).ok()) {
            headers.insert(AS_OF, as_of);
        }
        if let Some(notice) = self.notice {
            headers.insert(NOTICE, HeaderValue::from_static(notice));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

fn written(content: Content, voice: Voice, secrecy: &Secrecy) -> Option<Value> {
    match (content, secrecy) {
        (Content::Absent, _) => None,
        (Content::Plain(value), _) | (Content::Sealed(value) | Content::Packed(value, _), Secrecy::Plain) => {
            Some(value)
        }
        // Nothing is nothing: BPJS does not seal it either.
        (Content::Sealed(value @ Value::Null) | Content::Packed(value @ Value::Null, _), _) => Some(value),
        (Content::Sealed(value) | Content::Packed(value, _), Secrecy::Sealed(..)) if !voice.sealed => Some(value),
        (Content::Packed(_, packed), Secrecy::Sealed(keys, stamp)) => {
            Some(seal::seal_packed(&keys.cons_id, &keys.secret_key, *stamp, &packed).into())
        }
        (Content::Sealed(value), Secrecy::Sealed(keys, stamp)) => {
            Some(seal::seal(&keys.cons_id, &keys.secret_key, *stamp, &value.to_string()).into())
        }
    }
}
