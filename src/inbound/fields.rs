//! Bodies and parameters: read within their limits, then one field at a time in the order of the known sentences.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header;
use jiff::civil::Date;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::answer::{self, Answer};
use super::{App, Caller};
use crate::intake::json;
use crate::secret::Private;

/// Most members of a body: the largest known has 18.
const MEMBERS_MAX: usize = 40;
/// Longest code of a poli.
const POLI_MAX: usize = 10;
/// Longest text of a field.
pub(super) const TEXT_MAX: usize = 500;

/// A body: an object of plain values. No Content-Type is asked for, since PUT comes without one.
pub(super) async fn body(app: &App, request: Request) -> Result<Body, Answer> {
    let limits = &app.parts.settings.limits;
    let most = usize::try_from(limits.body).unwrap_or(usize::MAX);
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > most) {
        return Err(Answer::too_large());
    }
    let read = to_bytes(request.into_body(), most);
    let bytes = tokio::time::timeout(limits.read_timeout, read).await.map_err(|_| Answer::too_slow())?;
    let bytes = bytes.map_err(|_| Answer::too_large())?;
    // Some servers put a byte order mark before their JSON.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let Ok(Value::Object(map)) = json::read(bytes) else { return Err(Answer::fail(answer::NOT_JSON)) };
    let plain = |value: &Value| !value.is_object() && !value.is_array();
    if map.len() > MEMBERS_MAX || !map.values().all(plain) {
        return Err(Answer::fail(answer::NOT_JSON));
    }
    Ok(Body(Private::new(map)))
}

/// The members of a body.
pub(super) struct Body(Private<Map<String, Value>>);

impl Body {
    /// Whether the member is there, whatever it holds.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.expose().contains_key(name)
    }

    /// A member as text without blanks around it; a number is taken for its digits, absent and null for empty.
    pub(super) fn text(&self, name: &str) -> String {
        match self.0.expose().get(name) {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
        }
    }

    /// Everything as it came.
    pub(super) fn whole(&self) -> Value {
        Value::Object(self.0.expose().clone())
    }

    /// Whether no text is longer than allowed or has control characters in it.
    pub(super) fn is_tidy(&self) -> bool {
        let fits = |text: &str| text.chars().count() <= TEXT_MAX && !text.chars().any(char::is_control);
        self.0.expose().values().all(|value| value.as_str().is_none_or(fits))
    }

    pub(super) fn card(&self) -> Result<Private<String>, Answer> {
        card(&self.text("nomorkartu"))
    }

    pub(super) fn poli(&self) -> Result<String, Answer> {
        poli(&self.text("kodepoli"))
    }

    pub(super) fn day(&self, app: &App, caller: &Caller<'_>) -> Result<Date, Answer> {
        day(app, caller, &self.text("tanggalperiksa"))
    }

    pub(super) fn nik(&self) -> Result<String, Answer> {
        digits(&self.text("nik"), 16, [answer::NIK_EMPTY, answer::NIK_LENGTH, answer::NIK_FORM])
    }
}

/// A parameter of a path as it was meant.
pub(super) fn parameter(text: &str) -> Result<String, Answer> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| Answer::no_path())?;
    if decoded.chars().any(char::is_control) {
        return Err(Answer::no_path());
    }
    Ok(decoded.trim().to_owned())
}

/// Exactly `length` digits.
fn digits(text: &str, length: usize, [empty, wrong_length, form]: [&str; 3]) -> Result<String, Answer> {
    if text.is_empty() {
        Err(Answer::fail(empty))
    } else if text.chars().count() != length {
        Err(Answer::fail(wrong_length))
    } else if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        Err(Answer::fail(form))
    } else {
        Ok(text.to_owned())
    }
}

/// The number of a card.
pub(super) fn card(text: &str) -> Result<Private<String>, Answer> {
    digits(text, 13, [answer::CARD_EMPTY, answer::CARD_LENGTH, answer::CARD_FORM]).map(Private::new)
}

/// The code of a poli; one that cannot be is unknown.
pub(super) fn poli(text: &str) -> Result<String, Answer> {
    if text.is_empty() {
        return Err(Answer::fail(answer::POLI_EMPTY));
    }
    let fits = text.len() <= POLI_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits { Ok(text.to_owned()) } else { Err(Answer::fail(answer::POLI_UNKNOWN)) }
}

/// `yyyy-mm-dd`.
pub(super) fn civil(text: &str) -> Option<Date> {
    let shape = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    text.parse().ok().filter(|_| shape)
}

/// The day of the visit: today at the facility or later.
pub(super) fn day(app: &App, caller: &Caller<'_>, text: &str) -> Result<Date, Answer> {
    if text.is_empty() {
        return Err(Answer::fail(answer::DATE_EMPTY));
    }
    let day = civil(text).ok_or_else(|| Answer::fail(answer::DATE_FORM))?;
    if day < app.today(caller.facility) { Err(Answer::fail(answer::DATE_PAST)) } else { Ok(day) }
}

/// `jampraktek` without blanks: one source prints `08:00 - 12:00`.
pub(super) fn hours(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}
