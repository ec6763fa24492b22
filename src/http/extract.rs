//! What comes in: bodies read strictly and in time, query parameters by name, ids from paths.

use std::str::FromStr;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::App;
use super::guard::too_slow;
use super::problem::{Kind, Problem};
use crate::intake::{Fault, json};
use crate::secret::Private;

/// A JSON body: declared as such, within the limits of size, time and depth, no key twice.
#[derive(Debug)]
pub(super) struct Body(pub(super) Private<Value>);

impl FromRequest<Arc<App>> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        check_media_type(request.headers())?;
        let declared =
            request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if declared.is_some_and(|length: usize| length > app.body_limit) {
            return Err(too_large(app.body_limit));
        }
        let read = to_bytes(request.into_body(), app.body_limit);
        let bytes = tokio::time::timeout(app.read_timeout, read).await.map_err(|_| too_slow())?;
        // The only other error is a connection that broke, where nobody reads the answer.
        let bytes = bytes.map_err(|_| too_large(app.body_limit))?;
        Ok(Self(Private::new(json::read(&bytes)?)))
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (essence, parameter) = given.split_once(';').map_or((given, ""), |(essence, rest)| (essence, rest.trim()));
    let plain = parameter.is_empty() || parameter.replace('"', "").eq_ignore_ascii_case("charset=utf-8");
    let encoded = headers.contains_key(header::CONTENT_ENCODING);
    if essence.trim().eq_ignore_ascii_case("application/json") && plain && !encoded {
        return Ok(());
    }
    Err(Problem::new(Kind::MediaType, "Kirim isi sebagai 'Content-Type: application/json' (UTF-8, tanpa kompresi)."))
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        Kind::TooLarge,
        format!("Isi permintaan paling besar {} KiB; bagilah menjadi beberapa permintaan.", limit / 1024),
    )
}

/// The members of a body that is an object, each taken once; what is left over is unknown.
pub(super) struct Fields {
    map: Map<String, Value>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl Fields {
    /// # Errors
    /// 422 unless the body is an object.
    pub(super) fn of(body: Body) -> Result<Self, Problem> {
        match body.0.into_inner() {
            Value::Object(map) => Ok(Self { map, known: Vec::new(), faults: Vec::new() }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(Problem::invalid(vec![Fault::new("", "isi permintaan harus berupa objek JSON")]))
            }
        }
    }

    /// A member, unless absent or null.
    pub(super) fn value(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    /// A text of 1 to `longest` characters without control characters.
    pub(super) fn text(&mut self, name: &'static str, longest: usize) -> Option<String> {
        let value = self.value(name)?;
        let fits =
            |text: &&str| (1..=longest).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control);
        let text = value.as_str().filter(fits).map(|text| text.trim().to_owned());
        if text.is_none() {
            self.fault(name, format!("harus teks 1 sampai {longest} huruf tanpa karakter kendali"));
        }
        text
    }

    /// A text that must be there; empty (with a fault noted) if it is not.
    pub(super) fn required(&mut self, name: &'static str, longest: usize) -> String {
        let faults = self.faults.len();
        let text = self.text(name, longest);
        if text.is_none() && self.faults.len() == faults {
            self.fault(name, format!("wajib diisi: teks 1 sampai {longest} huruf"));
        }
        text.unwrap_or_default()
    }

    /// Why somebody does something; it goes into the security log.
    pub(super) fn reason(&mut self) -> String {
        self.required("reason", 500)
    }

    /// A member read by `parse`.
    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.fault(name, format!("harus {wanted}"));
        }
        parsed
    }

    /// Notes a fault of a member.
    pub(super) fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.faults.push(Fault::new(json::step(name), detail));
    }

    /// # Errors
    /// 422 with every fault, unknown members included.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        let known = self.known.join(", ");
        let unknown =
            self.map.keys().map(|name| Fault::new(json::step(name), format!("tidak dikenal; yang ada: {known}")));
        self.faults.extend(unknown);
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid(self.faults)) }
    }
}

/// Query parameters, each taken once; what is left over is unknown.
#[derive(Debug)]
pub(super) struct Params {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = query.map_err(|_| Problem::query("", "tidak terbaca"))?;
        Ok(Self { pairs, known: Vec::new() })
    }
}

impl Params {
    /// A parameter as text; empty counts as absent.
    ///
    /// # Errors
    /// 400 if it stands twice.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        self.known.push(name);
        let (mut own, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pairs).into_iter().partition(|(n, _)| n == name);
        self.pairs = rest;
        let value = own.pop().map(|(_, value)| value);
        if own.is_empty() {
            Ok(value.filter(|value| !value.is_empty()))
        } else {
            Err(Problem::query(name, "tertulis dua kali"))
        }
    }

    /// A parameter read by `parse`.
    ///
    /// # Errors
    /// 400 if it cannot be read.
    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        match self.text(name)? {
            None => Ok(None),
            Some(text) => parse(&text).map(Some).ok_or_else(|| Problem::query(name, format!("harus {wanted}"))),
        }
    }

    /// `after=CURSOR`.
    ///
    /// # Errors
    /// 400 if it is none of ours.
    pub(super) fn cursor(&mut self) -> Result<Option<i64>, Problem> {
        let parse = |text: &str| text.parse().ok().filter(|cursor| *cursor >= 0);
        self.parsed("after", "kursor dari jawaban sebelumnya (\"next\" atau \"cursor\")", parse)
    }

    /// `limit`: 100 unless told, 1000 at most.
    ///
    /// # Errors
    /// 400 if it is no number.
    pub(super) fn limit(&mut self) -> Result<usize, Problem> {
        let limit = self.parsed("limit", "bilangan bulat", |text| text.parse::<u64>().ok())?;
        Ok(limit.map_or(100, |limit| usize::try_from(limit.clamp(1, 1000)).unwrap_or(1000)))
    }

    /// # Errors
    /// 400 if a parameter is unknown.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let known = if self.known.is_empty() { "tidak ada".to_owned() } else { self.known.join(", ") };
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
                Err(Problem::query(&name, format!("tidak dikenal; yang ada: {known}")))
            }
        }
    }
}

/// An id in a path; what is no id names nothing.
///
/// # Errors
/// 404.
pub(super) fn id<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}
