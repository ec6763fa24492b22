//! One request of a simulated service, from the first byte to the last.
//!
//! Job: outage, route, fault, door, world, seal, in this order. Invariants: an operation is done in one step under the
//! lock, before anything waits, so a client that gives up changes nothing; every answer carries `Date` of the service's
//! clock. Neighbours: `routes`, `gate`, `faults`, `protocol`. What it does not do: decide what is true (`world`).

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::faults::{Fault, Kind, Seen};
use super::routes::Call;
use super::rules::Rules;
use super::server::Connection;
use super::services::{self, Found, Success};
use super::world::{Done, Origin, Refusal};
use super::{DownMode, Simulator, gate, texts};
use crate::catalogue::Service;
use crate::protocol::envelope::{self, Dialect};
use crate::protocol::seal::seal;
use crate::protocol::sign::Stamp;
use crate::secret::{ConsId, SecretKey};

/// The largest body taken, in bytes.
const LARGEST_BODY: usize = 4 << 20;
/// How long a held connection is held unless the fault says.
const HOLD: Duration = Duration::from_secs(60);

/// What a service means to answer, before it becomes bytes.
struct Reply {
    service: Service,
    code: i64,
    message: String,
    /// None: the envelope has no `response` at all.
    response: Option<Value>,
    /// The timestamp that seals `response`; none: the answer stays plain.
    stamp: Option<Stamp>,
}

/// What becomes of a request.
enum Answer {
    Reply(Box<Reply>),
    /// The reply, later.
    Late(Box<Reply>, Duration),
    Html(StatusCode, &'static str),
    Bare(StatusCode),
    /// Nothing, then the connection is cut.
    Hold(Duration),
    Reset,
}

/// A refusal in the envelope of the service; never sealed.
fn refused(service: Service, refusal: Refusal) -> Answer {
    let Refusal { code, message, response } = refusal;
    Answer::Reply(Box::new(Reply { service, code, message, response: Some(response), stamp: None }))
}

impl Reply {
    fn done(found: &Found, done: Done, stamp: Stamp) -> Self {
        let Success { code, message, response, sealed } = found.success(done);
        let empty = response.as_ref().is_none_or(|value| value.is_null() || *value == json!(""));
        let stamp = (sealed && !empty).then_some(stamp);
        Self { service: found.service, code, message: message.to_owned(), response, stamp }
    }

    fn status(&self, rules: &Rules) -> StatusCode {
        let status = match self.code {
            50_000 => 400,
            204 if !rules.no_content_empty => 200,
            // Only P-Care's HTTP status follows the code; elsewhere 1, 201 and 208 come with HTTP 200.
            code if code < 400 && self.service != Service::Pcare => 200,
            code => u16::try_from(code).unwrap_or(500),
        };
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Answers everything that is not the control plane.
pub(super) async fn handle(State(simulator): State<Simulator>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let connection = parts.extensions.get::<Arc<Connection>>().cloned();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return simulator.dress(html_page(StatusCode::PAYLOAD_TOO_LARGE, REQUEST_ERROR));
    };
    let service = services::below(parts.uri.path()).map(|(service, _)| service);
    if let Some(down) = simulator.is_down(service) {
        simulator.log("*", "down");
        match down.mode {
            DownMode::Refuse => return cut(connection).await,
            DownMode::Http503 => return simulator.dress(html_page(StatusCode::SERVICE_UNAVAILABLE, GATEWAY_ERROR)),
            DownMode::Hang => {
                simulator.until_up(service, down.until).await;
                return cut(connection).await;
            }
        }
    }
    let (answer, rendering) = simulator.decide(&parts, &body);
    let response = match answer {
        Answer::Reply(reply) => rendering.bytes(*reply),
        Answer::Late(reply, wait) => {
            simulator.0.clock.sleep(wait).await;
            rendering.bytes(*reply)
        }
        Answer::Html(status, page) => html_page(status, page),
        Answer::Bare(status) => bare(status),
        Answer::Hold(wait) => {
            simulator.0.clock.sleep(wait).await;
            return cut(connection).await;
        }
        Answer::Reset => return cut(connection).await,
    };
    dated(response, rendering.now)
}

/// Cuts the connection under the request; where nobody can, answers 502.
async fn cut(connection: Option<Arc<Connection>>) -> Response {
    if let Some(connection) = connection {
        connection.kill();
        std::future::pending::<()>().await;
    }
    bare(StatusCode::BAD_GATEWAY)
}

/// What the bytes of a reply depend on.
struct Rendering {
    now: Timestamp,
    rules: Rules,
    twist: Option<Kind>,
    cons_id: ConsId,
    secret_key: SecretKey,
}

/// Sets `Date`; hyper would write the machine's.
fn dated(mut response: Response, now: Timestamp) -> Response {
    let shown = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok();
    if let Some(value) = shown.and_then(|shown| HeaderValue::try_from(shown).ok()) {
        response.headers_mut().insert(header::DATE, value);
    }
    response
}

impl Simulator {
    fn dress(&self, response: Response) -> Response {
        let now = self.state().service_now(&self.0.clock, SignedDuration::ZERO);
        dated(response, now)
    }

    fn log(&self, operation: &str, outcome: &str) {
        let at = self.0.clock.now();
        self.state().log(at, operation, outcome);
    }

    /// Waits until the outage ends, by its time or by hand.
    async fn until_up(&self, service: Option<Service>, until: Option<Timestamp>) {
        let mut down = self.0.down.subscribe();
        let lifted = async { down.wait_for(|down| down.of(service).is_none()).await.map(|_| ()) };
        match until {
            None => drop(lifted.await),
            Some(until) => {
                let left = Duration::try_from(until.duration_since(self.0.clock.now())).unwrap_or_default();
                tokio::select! { biased; () = self.0.clock.sleep(left) => {}, _ = lifted => {} }
            }
        }
    }

    /// Does what the request asks, as far as the fault that strikes it lets it.
    fn decide(&self, parts: &Parts, body: &Bytes) -> (Answer, Rendering) {
        let full_path = parts.uri.path();
        let method = parts.method.as_str();
        let below = services::below(full_path);
        let found = below.and_then(|(service, path)| services::find(service, method, path, &self.0.generic));
        let text = std::str::from_utf8(body).unwrap_or_default();
        let mut state = self.state();
        let fault = found.as_ref().and_then(|found| {
            let path = below.map_or("", |(_, path)| path);
            let write = found.is_write();
            state.faults.strike(&Seen { method, operation: found.name(), write, path, full_path, body: text })
        });
        let off = fault.as_ref().filter(|fault| fault.kind == Kind::Skew).and_then(|fault| fault.seconds).unwrap_or(0);
        let now = state.service_now(&self.0.clock, SignedDuration::from_secs(off));
        let operation = found.as_ref().map_or("unknown", Found::name).to_owned();
        let answer = match &found {
            None => Answer::Html(StatusCode::NOT_FOUND, NOT_FOUND),
            Some(found) => {
                let mut perform = || perform(&mut state, parts, text, found, now, fault.as_ref());
                match &fault {
                    None => perform().unwrap_or_else(|answer| answer),
                    Some(fault) => spoil(fault, found.service, &mut perform),
                }
            }
        };
        let outcome = answer.outcome(&state.world.rules);
        state.log(self.0.clock.now(), &operation, &outcome);
        tracing::debug!(operation, outcome, fault = ?fault.as_ref().map(|fault| fault.kind), "simulated");
        let rendering = Rendering {
            now,
            rules: state.world.rules.clone(),
            twist: fault.map(|fault| fault.kind),
            cons_id: state.credentials.cons_id.clone(),
            secret_key: state.credentials.secret_key.clone(),
        };
        (answer, rendering)
    }
}

/// The door, the body, the world. The error is an answer that is no envelope.
fn perform(
    state: &mut super::State,
    parts: &Parts,
    body: &str,
    found: &Found,
    now: Timestamp,
    fault: Option<&Fault>,
) -> Result<Answer, Answer> {
    let service = found.service;
    let held = (&state.credentials, &state.world.rules);
    let entered = gate::enter(held, (service, found.needs_login()), &parts.headers, now);
    let stamp = entered.map_err(|refusal| refused(service, refusal))?;
    if state.refuse_credentials {
        return Err(refused(service, bad_credentials(found, &state.world.rules)));
    }
    let body = read_body(parts, body, found, &state.world.rules)?;
    let hidden = fault.filter(|fault| fault.kind == Kind::DelayedVisibility).and_then(|fault| fault.ms).unwrap_or(0);
    let at = state.moment(now, Origin::WebService, Duration::from_millis(hidden));
    let outcome = found.perform(&mut state.world, &Call { at, params: found.params.clone(), body: &body });
    outcome
        .map(|done| Answer::Reply(Box::new(Reply::done(found, done, stamp))))
        .map_err(|refusal| refused(service, refusal))
}

/// The refusal of credentials that were good until now.
fn bad_credentials(found: &Found, rules: &Rules) -> Refusal {
    if found.needs_login() {
        return Refusal::plain(401, texts::BAD_LOGIN);
    }
    if rules.refuse_with_words {
        Refusal::plain(201, texts::SIGNATURE)
    } else {
        Refusal::plain(401, texts::UNAUTHORIZED)
    }
}

fn read_body(parts: &Parts, body: &str, found: &Found, rules: &Rules) -> Result<Value, Answer> {
    if !found.has_body() {
        return Ok(Value::Null);
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let jvalue = || refused(found.service, Refusal::plain(500, texts::JVALUE));
    if rules.strict_content_type && !services::takes(found.service, kind) {
        return Err(jvalue());
    }
    let value: Value = serde_json::from_str(body).map_err(|_| Answer::Html(StatusCode::BAD_REQUEST, REQUEST_ERROR))?;
    if value.is_object() { Ok(value) } else { Err(jvalue()) }
}

/// What a fault makes of a request.
fn spoil(fault: &Fault, service: Service, perform: &mut dyn FnMut() -> Result<Answer, Answer>) -> Answer {
    let wait = fault.ms.map_or(HOLD, Duration::from_millis);
    let mut performed = || perform().unwrap_or_else(|answer| answer);
    let done = fault.operation_lands().then(&mut performed);
    let canned = |refusal| refused(service, refusal);
    match fault.kind {
        Kind::LandThenTimeout | Kind::TimeoutBeforeLand => Answer::Hold(wait),
        Kind::LandThenReset | Kind::Reset => Answer::Reset,
        Kind::Html500 => Answer::Html(StatusCode::INTERNAL_SERVER_ERROR, SERVER_ERROR),
        Kind::Html503 => Answer::Html(StatusCode::SERVICE_UNAVAILABLE, GATEWAY_ERROR),
        Kind::Html200 => Answer::Html(StatusCode::OK, MAINTENANCE),
        Kind::EmptyBody => Answer::Bare(StatusCode::OK),
        Kind::NoContent204Empty => Answer::Bare(StatusCode::NO_CONTENT),
        Kind::UnauthorizedDuplicate => canned(Refusal::plain(401, texts::DUPLICATE)),
        Kind::UnauthorizedScreening => canned(Refusal::plain(401, texts::SCREENING)),
        Kind::UnauthorizedCredentials => canned(Refusal::plain(401, texts::BAD_LOGIN)),
        Kind::NotRegistered404 => canned(Refusal::plain(404, texts::NOT_REGISTERED)),
        Kind::PreconditionObject => canned(Refusal::object("kdPoli", texts::NOT_IN_REFERENCE)),
        Kind::PreconditionArray => canned(Refusal::array("kdDiag1", texts::NOT_IN_REFERENCE)),
        Kind::FailedDependency424 => canned(Refusal::plain(424, texts::FAILED_DEPENDENCY)),
        Kind::Locked428 => canned(Refusal::plain(428, texts::SERVED_BY_HOSPITAL)),
        Kind::NullReference500 => canned(Refusal::plain(500, texts::NULL_REFERENCE)),
        Kind::Slow => match done.unwrap_or_else(performed) {
            Answer::Reply(reply) => Answer::Late(reply, wait),
            other => other,
        },
        Kind::DelayedVisibility
        | Kind::Skew
        | Kind::TruncatedBase64
        | Kind::WrongTimestampSeal
        | Kind::DoubleEncoded
        | Kind::CrlfNames
        | Kind::ObjectForArray
        | Kind::CodeAsText => done.unwrap_or_else(performed),
    }
}

impl Answer {
    /// The word `/_sim/requests` counts by: the HTTP status, `held` or `reset`.
    fn outcome(&self, rules: &Rules) -> String {
        match self {
            Self::Reply(reply) | Self::Late(reply, _) => reply.status(rules).as_str().to_owned(),
            Self::Html(status, _) | Self::Bare(status) => status.as_str().to_owned(),
            Self::Hold(_) => "held".to_owned(),
            Self::Reset => "reset".to_owned(),
        }
    }
}

impl Rendering {
    /// The envelope, sealed where it carries data, with the twist of the fault.
    fn bytes(&self, reply: Reply) -> Response {
        let status = reply.status(&self.rules);
        if status == StatusCode::NO_CONTENT {
            return bare(status);
        }
        let Reply { service, code, message, response, stamp } = reply;
        let response = match (response, stamp) {
            (Some(response), Some(stamp)) => Some(Value::String(self.seal(twisted(response, self.twist), stamp))),
            (response, _) => response,
        };
        let usual = services::dialect(service);
        let switched = service == Service::Pcare && self.rules.code_as_text;
        let as_text = usual.code_as_text || switched || self.twist == Some(Kind::CodeAsText);
        let dialect = Dialect { code_as_text: as_text, ..usual };
        let bytes = match response {
            Some(response) => envelope::write(&dialect, code, &message, response),
            None => envelope::write_without_response(&dialect, code, &message),
        };
        let mut answer = Response::new(Body::from(bytes));
        *answer.status_mut() = status;
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        answer
    }

    fn seal(&self, response: Value, stamp: Stamp) -> String {
        let text = response.to_string();
        let text = if self.twist == Some(Kind::DoubleEncoded) { json!(text).to_string() } else { text };
        let late = i64::from(self.twist == Some(Kind::WrongTimestampSeal));
        let stamp = Stamp::from_seconds(stamp.seconds().saturating_add(late));
        let mut sealed = seal(&self.cons_id, &self.secret_key, stamp, &text);
        if self.twist == Some(Kind::TruncatedBase64) {
            // Three characters past a whole group of four: no decoder may take that for complete.
            sealed.truncate(sealed.len() / 8 * 4 + 3);
        }
        sealed
    }
}

fn twisted(mut response: Value, twist: Option<Kind>) -> Value {
    match twist {
        Some(Kind::CrlfNames) => {
            end_names(&mut response);
            response
        }
        Some(Kind::ObjectForArray) => match response {
            Value::Array(mut items) if !items.is_empty() => items.swap_remove(0),
            Value::Object(object) if object.contains_key("field") => json!([object]),
            other => other,
        },
        _ => response,
    }
}

/// Ends every name (`nm…`, `nama`) with the line break that BPJS's own data carry.
fn end_names(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(end_names),
        Value::Object(fields) => {
            for (field, value) in fields {
                match value {
                    Value::String(text) if field.starts_with("nm") || field == "nama" => text.push_str("\r\n"),
                    _ => end_names(value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn html_page(status: StatusCode, page: &'static str) -> Response {
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

const REQUEST_ERROR: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><!DOCTYPE html>\
    <html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title>Request Error</title></head><body><div id=\"content\">\
    <p class=\"heading1\">Request Error</p><p>The server encountered an error processing the request. \
    See server logs for more details.</p></div></body></html>";
const SERVER_ERROR: &str = "<!DOCTYPE html><html><head><title>Runtime Error</title></head><body>\
    <h1>Server Error in '/' Application.</h1><h2><i>Runtime Error</i></h2></body></html>";
const GATEWAY_ERROR: &str = "<html><head><title>503 Service Temporarily Unavailable</title></head>\
    <body><center><h1>503 Service Temporarily Unavailable</h1></center></body></html>";
const MAINTENANCE: &str = "<!DOCTYPE html><html><head><title>Pemeliharaan Sistem</title></head>\
    <body><p>Mohon maaf, sistem sedang dalam pemeliharaan.</p></body></html>";
const NOT_FOUND: &str = "<!DOCTYPE html><html><head><title>404 - File or directory not found.</title></head>\
    <body><h1>Server Error</h1><h2>404 - File or directory not found.</h2></body></html>";
