//! The envelope around every answer: `metaData` with code and message, and `response`.
//!
//! Job: read any dialect of it, write each of them. Invariants: reading is bounded and never guesses: what is not an
//! envelope is named. Neighbours: `remote` reads, `simulator` and `http/gateway` write. What it does not do: say what a
//! code means; P-Care's 201 is success, everybody else's is an error (`remote::classify`).

use std::fmt;

use serde_json::{Map, Value, json};

use super::json::{self, JsonFault, Limits};
use super::seal::{self, Unreadable};
use super::sign::Stamp;
use crate::secret::{ConsId, SecretKey};

/// One answer, taken out of its wrapping. `Debug` shows the code and the kind of body only: the rest is personal.
#[derive(Clone, PartialEq)]
pub struct Envelope {
    /// `metaData.code`; its meaning depends on the service.
    pub code: i64,
    /// Whether the code came as text (V-Claim, Apotek, eRM) or as a number.
    pub code_is_text: bool,
    /// `metaData.message`, word for word; empty if there was none.
    pub message: String,
    /// `response`.
    pub response: Body,
}

/// What `response` held.
#[derive(Clone, PartialEq)]
pub enum Body {
    /// The field is missing (Antrean FKTP writes).
    Absent,
    /// `null` (errors, edits, deletes).
    Null,
    /// `""` or blanks (P-Care's delete of a pendaftaran).
    Empty,
    /// A non-empty text. It may be sealed, or plain words of an error.
    Sealed(String),
    /// Any other JSON, not sealed (412 with field errors, Aplicares).
    Plain(Value),
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("code", &self.code).field("response", &self.response).finish_non_exhaustive()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Null => "Null",
            Self::Empty => "Empty",
            Self::Sealed(_) => "Sealed(…)",
            Self::Plain(_) => "Plain(…)",
        })
    }
}

/// Why an HTTP body is not an envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAnEnvelope {
    /// Nothing, or blanks only.
    #[error("the body is empty")]
    Empty,
    /// A page for browsers: a front end or an application server speaks, not the service.
    #[error("the body is HTML or XML")]
    Html,
    /// Neither HTML nor JSON, or cut off.
    #[error("the body is not JSON")]
    NotJson,
    /// Larger than the limits allow.
    #[error("the body is larger than allowed")]
    TooLarge,
    /// Nested deeper than the limits allow.
    #[error("the body is nested deeper than allowed")]
    TooDeep,
    /// JSON without `metaData`, or `metaData` without a code.
    #[error("the body has no metaData with a code")]
    NoMetaData,
    /// `metaData.code` is neither a whole number nor the text of one.
    #[error("metaData.code is not a number")]
    CodeNotNumeric,
}

impl From<JsonFault> for NotAnEnvelope {
    fn from(fault: JsonFault) -> Self {
        match fault {
            JsonFault::NotJson => Self::NotJson,
            JsonFault::TooLarge => Self::TooLarge,
            JsonFault::TooDeep => Self::TooDeep,
        }
    }
}

/// Reads an HTTP answer as an envelope, whatever the dialect: `metaData` and its fields in any letter case, the code as
/// a number or as text.
///
/// HTTP 204 forbids a body, so an empty one there is read as the envelope it stands for: code 204, no message.
///
/// # Errors
/// [`NotAnEnvelope`] names what the body is instead.
pub fn read(status: u16, body: &[u8], limits: &Limits) -> Result<Envelope, NotAnEnvelope> {
    let body = json::without_mark(body);
    match body.trim_ascii().first() {
        None if status == 204 => {
            return Ok(Envelope { code: 204, code_is_text: false, message: String::new(), response: Body::Absent });
        }
        None => return Err(NotAnEnvelope::Empty),
        Some(b'<') => return Err(NotAnEnvelope::Html),
        Some(_) => {}
    }
    let Value::Object(mut outer) = json::parse(body, limits)? else { return Err(NotAnEnvelope::NoMetaData) };
    let Some(Value::Object(mut meta)) = take(&mut outer, "metaData") else { return Err(NotAnEnvelope::NoMetaData) };
    let code = take(&mut meta, "code").ok_or(NotAnEnvelope::NoMetaData)?;
    let message = match take(&mut meta, "message") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    Ok(Envelope {
        code: number(&code).ok_or(NotAnEnvelope::CodeNotNumeric)?,
        code_is_text: code.is_string(),
        message,
        response: body_of(take(&mut outer, "response")),
    })
}

/// Takes the value whose key is `name` in any letter case.
fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    map.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.take())
}

fn number(code: &Value) -> Option<i64> {
    match code {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
    }
}

fn body_of(response: Option<Value>) -> Body {
    match response {
        None => Body::Absent,
        Some(Value::Null) => Body::Null,
        Some(Value::String(text)) if text.trim().is_empty() => Body::Empty,
        Some(Value::String(text)) => Body::Sealed(text),
        Some(other) => Body::Plain(other),
    }
}

impl Envelope {
    /// The response in the clear: null when there is none, plain JSON as it is, a text opened with the credentials and
    /// the stamp of the request.
    ///
    /// # Errors
    /// [`Unreadable`]; a text that was never sealed is an error too: the caller knows by the code whether to expect one.
    pub fn open_response(
        &self,
        cons: &ConsId,
        secret: &SecretKey,
        stamp: Stamp,
        limits: &Limits,
    ) -> Result<Value, Unreadable> {
        match &self.response {
            Body::Absent | Body::Null | Body::Empty => Ok(Value::Null),
            Body::Plain(value) => Ok(value.clone()),
            Body::Sealed(text) => seal::open(cons, secret, stamp, text, limits),
        }
    }

    /// As [`Envelope::open_response`], but a text that does not open is given back as it is: for answers whose code says
    /// error, where plain words are usual.
    ///
    /// # Errors
    /// [`Unreadable::TooLarge`] and [`Unreadable::TooDeep`] only.
    pub fn response_or_text(
        &self,
        cons: &ConsId,
        secret: &SecretKey,
        stamp: Stamp,
        limits: &Limits,
    ) -> Result<Value, Unreadable> {
        match (self.open_response(cons, secret, stamp, limits), &self.response) {
            (Err(Unreadable::Sealed), Body::Sealed(text)) => Ok(Value::String(text.clone())),
            (opened, _) => opened,
        }
    }
}

/// How a service spells the key of its metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetaKey {
    /// `metaData`: P-Care, V-Claim, i-Care, Apotek.
    Camel,
    /// `metadata`: both Antrean services, Aplicares, eRM.
    Lower,
}

/// How a service writes its envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dialect {
    /// The key of the metadata.
    pub key: MetaKey,
    /// Whether the code is written as text.
    pub code_as_text: bool,
}

impl Dialect {
    /// P-Care and i-Care: `metaData`, number.
    pub const PCARE: Self = Self { key: MetaKey::Camel, code_as_text: false };
    /// V-Claim: `metaData`, text.
    pub const VCLAIM: Self = Self { key: MetaKey::Camel, code_as_text: true };
    /// Antrean FKTP and RS: `metadata`, number.
    pub const ANTREAN: Self = Self { key: MetaKey::Lower, code_as_text: false };

    fn meta(self, code: i64, message: &str) -> (&'static str, Value) {
        let name = match self.key {
            MetaKey::Camel => "metaData",
            MetaKey::Lower => "metadata",
        };
        let code = if self.code_as_text { Value::String(code.to_string()) } else { Value::from(code) };
        (name, json!({ "message": message, "code": code }))
    }
}

/// Writes an envelope: `response` first, then the metadata, as in the catalogue's samples.
#[must_use]
pub fn write(dialect: &Dialect, code: i64, message: &str, response: Value) -> Vec<u8> {
    let (name, meta) = dialect.meta(code, message);
    json!({ "response": response, name: meta }).to_string().into_bytes()
}

/// Writes an envelope without `response`, as Antrean FKTP answers its writes.
#[must_use]
pub fn write_without_response(dialect: &Dialect, code: i64, message: &str) -> Vec<u8> {
    let (name, meta) = dialect.meta(code, message);
    json!({ name: meta }).to_string().into_bytes()
}

#[cfg(test)]
mod tests;
