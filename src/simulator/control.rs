//! The control plane under `/_sim`: what a test or a drill does to the mirror world.
//!
//! Job: show what landed and what was asked; script faults, outages, the clock, the password; write past the web
//! service as Mobile JKN and staff do. Invariant: it is reachable whatever the services suffer. Neighbours: it calls
//! `Simulator` and `world`. What it does not do: authenticate; the simulator listens where only its owner reaches it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::faults::{Fault, Outage};
use super::routes::Call;
use super::rules::Rules;
use super::server::Connection;
use super::world::{Done, Origin, Outcome, World};
use super::{Simulator, services, vclaim};
use crate::catalogue::Service;
use crate::secret::Password;

/// What exists, for people who open `/_sim` in a browser.
const INDEX: &[(&str, &str)] = &[
    ("GET /_sim/credentials", "what to sign and log in with; POST {\"refuse\": true} refuses every login"),
    ("POST /_sim/reset", "back to the beginning"),
    ("GET /_sim/faults", "faults in force; POST one or a list, DELETE all"),
    ("GET /_sim/rules", "switches in force; POST the ones to change"),
    ("POST /_sim/down", "{\"mode\": \"refuse|http_503|hang\", \"for_ms\": …, \"service\": \"vclaim\" or none for all}"),
    ("POST /_sim/up", "ends every outage, or {\"service\": …}"),
    ("POST /_sim/clock", "{\"skew_seconds\": …}"),
    ("POST /_sim/password", "{\"password\": …}: the old one is refused from now on"),
    ("GET /_sim/ledger", "everything that landed"),
    ("GET /_sim/requests", "counts per operation and outcome, the last requests"),
    ("POST /_sim/peserta", "{\"noKartu\": …, fields to change, \"unknown\": true, \"skrining\": false}"),
    ("POST /_sim/lock", "{\"noKunjungan\": …, \"billed\": true, \"served_by_hospital\": true}"),
    ("POST /_sim/pendaftaran", "a registration made by Mobile JKN"),
    ("POST /_sim/kunjungan", "typed into P-Care by staff; likewise tindakan, obat, mcu, kegiatan, peserta-kegiatan"),
    ("POST /_sim/staff", "{\"service\", \"method\", \"path\", \"body\"}: any operation by staff, past the web service"),
    ("POST /_sim/sep", "a SEP of any hospital: the inside of t_sep"),
    ("POST /_sim/rujukan", "a referral of another facility: noKartu, tglRujukan, ppkPerujuk, asalRujukan 1|2, …"),
    ("POST /_sim/rujukan-internal", "an internal referral: noSep, tglRujukanInternal, kdPoliTuj, kdDokter"),
    ("POST /_sim/sidik-jari", "a verified fingerprint: noKartu, tanggal"),
];

/// The routes under `/_sim`.
pub(super) fn router() -> Router<Simulator> {
    let written = [
        ("/_sim/kunjungan", "kunjungan/v1"),
        ("/_sim/tindakan", "tindakan"),
        ("/_sim/obat", "obat/kunjungan"),
        ("/_sim/mcu", "MCU"),
        ("/_sim/kegiatan", "kelompok/kegiatan"),
        ("/_sim/peserta-kegiatan", "kelompok/peserta"),
    ];
    let mut router = Router::new()
        .route("/_sim", get(index))
        .route("/_sim/credentials", get(credentials).post(set_credentials))
        .route("/_sim/reset", post(reset))
        .route("/_sim/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/_sim/rules", get(rules).post(set_rules))
        .route("/_sim/down", post(down))
        .route("/_sim/up", post(up))
        .route("/_sim/clock", post(clock))
        .route("/_sim/password", post(password))
        .route("/_sim/ledger", get(|State(simulator): State<Simulator>| async move { Json(simulator.ledger()) }))
        .route("/_sim/requests", get(|State(simulator): State<Simulator>| async move { Json(simulator.requests()) }))
        .route("/_sim/peserta", post(member))
        .route("/_sim/lock", post(lock))
        .route("/_sim/staff", post(staff))
        .route("/_sim/sep", post(sep))
        .route("/_sim/rujukan", post(lays(vclaim::control::referral)))
        .route("/_sim/rujukan-internal", post(lays(vclaim::control::internal)))
        .route("/_sim/sidik-jari", post(lays(vclaim::control::finger)))
        .route(
            "/_sim/pendaftaran",
            post(|State(simulator): State<Simulator>, Json(body): Json<Value>| async move {
                simulator.write(Origin::MobileJkn, (Service::Pcare, "POST", "pendaftaran"), &body)
            }),
        );
    for (at, path) in written {
        router = router.route(
            at,
            post(move |State(simulator): State<Simulator>, Json(body): Json<Value>| async move {
                simulator.write(Origin::Staff, (Service::Pcare, "POST", path), &body)
            }),
        );
    }
    router.route_layer(from_fn(spare))
}

/// Marks the connection so that an outage spares it, and reads any body as JSON, so that a bare `curl -d` will do.
async fn spare(mut request: Request, next: Next) -> Response {
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(connection) = request.extensions().get::<Arc<Connection>>() {
        connection.is_control();
    }
    next.run(request).await
}

fn refused(why: &str) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": why }))).into_response()
}

async fn index() -> Json<Value> {
    let list: Map<String, Value> = INDEX.iter().map(|(what, does)| ((*what).to_owned(), json!(does))).collect();
    Json(Value::Object(list))
}

async fn credentials(State(simulator): State<Simulator>) -> Json<Value> {
    Json(simulator.credentials().to_json())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefuseOrder {
    refuse: bool,
}

async fn set_credentials(State(simulator): State<Simulator>, Json(order): Json<RefuseOrder>) -> StatusCode {
    simulator.refuse_credentials(order.refuse);
    StatusCode::NO_CONTENT
}

async fn reset(State(simulator): State<Simulator>) -> StatusCode {
    simulator.reset();
    StatusCode::NO_CONTENT
}

async fn faults(State(simulator): State<Simulator>) -> Json<Value> {
    let state = simulator.state();
    let list = state.faults.list().into_iter();
    Json(list.map(|(fault, met, struck)| json!({ "fault": fault, "met": met, "struck": struck })).collect())
}

/// Takes one fault or a list.
async fn add_faults(State(simulator): State<Simulator>, Json(body): Json<Value>) -> Response {
    let list = if body.is_array() { body } else { json!([body]) };
    let read = serde_json::from_value::<Vec<Fault>>(list).map_err(|error| error.to_string());
    match read.and_then(|faults| simulator.add_faults(faults)) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => refused(&why),
    }
}

async fn clear_faults(State(simulator): State<Simulator>) -> StatusCode {
    simulator.clear_faults();
    StatusCode::NO_CONTENT
}

async fn rules(State(simulator): State<Simulator>) -> Json<Rules> {
    Json(simulator.state().world.rules.clone())
}

/// Changes the switches that the body names.
async fn set_rules(State(simulator): State<Simulator>, Json(change): Json<Map<String, Value>>) -> Response {
    let mut state = simulator.state();
    let mut merged = json!(state.world.rules);
    merge(&mut merged, change);
    match serde_json::from_value(merged) {
        Ok(rules) => {
            state.world.rules = rules;
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refused(&error.to_string()),
    }
}

/// Puts the fields of `change` into `rules`, those of a service's own switches one by one.
fn merge(rules: &mut Value, change: Map<String, Value>) {
    for (field, value) in change {
        match (rules.get_mut(&field), value) {
            (Some(inner @ Value::Object(_)), Value::Object(change)) => merge(inner, change),
            (_, value) => rules[field] = value,
        }
    }
}

async fn down(State(simulator): State<Simulator>, Json(order): Json<Outage>) -> StatusCode {
    let duration = order.for_ms.map(Duration::from_millis);
    match order.service {
        None => simulator.down(order.mode, duration),
        Some(service) => simulator.down_service(service, order.mode, duration),
    }
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpOrder {
    service: Option<Service>,
}

/// Ends every outage, or that of the service that the body names.
async fn up(State(simulator): State<Simulator>, body: Bytes) -> Response {
    let read: Result<Option<UpOrder>, _> = if body.is_empty() { Ok(None) } else { serde_json::from_slice(&body) };
    match read.map(|order| order.and_then(|order| order.service)) {
        Ok(None) => simulator.up(),
        Ok(Some(service)) => simulator.up_service(service),
        Err(error) => return refused(&error.to_string()),
    }
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockOrder {
    skew_seconds: i64,
}

async fn clock(State(simulator): State<Simulator>, Json(order): Json<ClockOrder>) -> StatusCode {
    simulator.set_skew(order.skew_seconds);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordOrder {
    password: String,
}

async fn password(State(simulator): State<Simulator>, Json(order): Json<PasswordOrder>) -> StatusCode {
    simulator.set_password(Password::new(order.password));
    StatusCode::NO_CONTENT
}

async fn member(State(simulator): State<Simulator>, Json(mut change): Json<Map<String, Value>>) -> Response {
    let Some(Value::String(card)) = change.remove("noKartu") else { return refused("noKartu is missing") };
    simulator.state().world.change_member(&card, &change);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockOrder {
    #[serde(rename = "noKunjungan")]
    no_kunjungan: String,
    #[serde(default)]
    billed: bool,
    #[serde(default)]
    served_by_hospital: bool,
}

async fn lock(State(simulator): State<Simulator>, Json(order): Json<LockOrder>) -> Response {
    let found = simulator.state().world.lock_visit(&order.no_kunjungan, order.billed, order.served_by_hospital);
    if found { StatusCode::NO_CONTENT.into_response() } else { refused("no such visit") }
}

/// A SEP of any hospital; the body is the inside of `t_sep`, or the whole as V-Claim takes it.
async fn sep(State(simulator): State<Simulator>, Json(body): Json<Value>) -> Response {
    let whole = if body.get("request").is_some() { body } else { json!({ "request": { "t_sep": body } }) };
    simulator.write(Origin::Staff, (Service::Vclaim, "POST", "SEP/2.0/insert"), &whole)
}

type Laying = fn(&mut World, &Call<'_>) -> Outcome;

/// A handler that lays something down past the services.
fn lays(how: Laying) -> impl Fn(State<Simulator>, Json<Value>) -> std::future::Ready<Response> + Clone {
    move |State(simulator): State<Simulator>, Json(body): Json<Value>| {
        std::future::ready(simulator.lay_down(Origin::Staff, &body, how))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StaffOrder {
    #[serde(default = "pcare")]
    service: Service,
    method: String,
    path: String,
    #[serde(default)]
    body: Value,
}

const fn pcare() -> Service {
    Service::Pcare
}

async fn staff(State(simulator): State<Simulator>, Json(order): Json<StaffOrder>) -> Response {
    simulator.write(Origin::Staff, (order.service, &order.method, &order.path), &order.body)
}

impl Simulator {
    /// Does an operation past the web service: no signature, no fault, no outage.
    fn write(&self, origin: Origin, (service, method, path): (Service, &str, &str), body: &Value) -> Response {
        let Some(found) = services::find(service, method, path, &self.0.generic) else {
            return refused("no such operation");
        };
        self.lay_down(origin, body, |world, call| {
            found.perform(world, &Call { params: found.params.clone(), at: call.at, body: call.body })
        })
    }

    /// Does something in the world past every service.
    fn lay_down(&self, origin: Origin, body: &Value, how: impl FnOnce(&mut World, &Call<'_>) -> Outcome) -> Response {
        let mut state = self.state();
        let now = state.service_now(&self.0.clock, SignedDuration::ZERO);
        let at = state.moment(now, origin, Duration::ZERO);
        shown(how(&mut state.world, &Call { at, params: Vec::new(), body }))
    }
}

/// The outcome in the open: `{ "code", "message", "response" }`.
fn shown(outcome: Outcome) -> Response {
    let done = outcome.is_ok();
    let (code, message, response) = match outcome {
        Ok(Done::Found(value) | Done::Changed(value) | Done::Plain(value)) => (200, super::texts::OK.to_owned(), value),
        Ok(Done::Created(value)) => (201, super::texts::CREATED.to_owned(), value),
        Ok(Done::Silent) => (200, super::texts::OK.to_owned(), Value::Null),
        Err(refusal) => (refusal.code, refusal.message, refusal.response),
    };
    let status = if done { StatusCode::OK } else { StatusCode::CONFLICT };
    (status, Json(json!({ "code": code, "message": message, "response": response }))).into_response()
}
