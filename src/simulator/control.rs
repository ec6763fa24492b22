//! The control plane under `/_sim`: what a test or a drill does to the mirror world.
//!
//! Job: show what landed and what was asked; script faults, outages, the clock, the password; write past the web
//! service as Mobile JKN and staff do. Invariant: it is reachable whatever the services suffer. Neighbours: it calls
//! `Simulator` and `world`. What it does not do: authenticate; the simulator listens where only its owner reaches it.

use std::sync::Arc;
use std::time::Duration;

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
use super::rules::Rules;
use super::server::Connection;
use super::world::{Done, Origin, Outcome};
use super::{Simulator, routes};
use crate::secret::Password;

/// What exists, for people who open `/_sim` in a browser.
const INDEX: &[(&str, &str)] = &[
    ("GET /_sim/credentials", "what to sign and log in with; POST {\"refuse\": true} refuses every login"),
    ("POST /_sim/reset", "back to the beginning"),
    ("GET /_sim/faults", "faults in force; POST one or a list, DELETE all"),
    ("GET /_sim/rules", "switches in force; POST the ones to change"),
    ("POST /_sim/down", "{\"mode\": \"refuse|http_503|hang\", \"for_ms\": …}"),
    ("POST /_sim/up", "ends the outage"),
    ("POST /_sim/clock", "{\"skew_seconds\": …}"),
    ("POST /_sim/password", "{\"password\": …}: the old one is refused from now on"),
    ("GET /_sim/ledger", "everything that landed"),
    ("GET /_sim/requests", "counts per operation and outcome, the last requests"),
    ("POST /_sim/peserta", "{\"noKartu\": …, fields to change, \"unknown\": true, \"skrining\": false}"),
    ("POST /_sim/lock", "{\"noKunjungan\": …, \"billed\": true, \"served_by_hospital\": true}"),
    ("POST /_sim/pendaftaran", "a registration made by Mobile JKN"),
    ("POST /_sim/kunjungan", "typed into P-Care by staff; likewise tindakan, obat, mcu, kegiatan, peserta-kegiatan"),
    ("POST /_sim/staff", "{\"method\", \"path\", \"body\"}: any P-Care operation by staff"),
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
        .route(
            "/_sim/pendaftaran",
            post(|State(simulator): State<Simulator>, Json(body): Json<Value>| async move {
                simulator.write(Origin::MobileJkn, "POST", "pendaftaran", &body)
            }),
        );
    for (at, path) in written {
        router = router.route(
            at,
            post(move |State(simulator): State<Simulator>, Json(body): Json<Value>| async move {
                simulator.write(Origin::Staff, "POST", path, &body)
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
    for (field, value) in change {
        merged[field] = value;
    }
    match serde_json::from_value(merged) {
        Ok(rules) => {
            state.world.rules = rules;
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refused(&error.to_string()),
    }
}

async fn down(State(simulator): State<Simulator>, Json(order): Json<Outage>) -> StatusCode {
    simulator.down(order.mode, order.for_ms.map(Duration::from_millis));
    StatusCode::NO_CONTENT
}

async fn up(State(simulator): State<Simulator>) -> StatusCode {
    simulator.up();
    StatusCode::NO_CONTENT
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StaffOrder {
    method: String,
    path: String,
    #[serde(default)]
    body: Value,
}

async fn staff(State(simulator): State<Simulator>, Json(order): Json<StaffOrder>) -> Response {
    simulator.write(Origin::Staff, &order.method, &order.path, &order.body)
}

impl Simulator {
    /// Does an operation past the web service: no signature, no fault, no outage.
    fn write(&self, origin: Origin, method: &str, path: &str, body: &Value) -> Response {
        let Some((route, params)) = routes::find(method, path) else { return refused("no such operation") };
        let mut state = self.state();
        let now = state.service_now(&self.0.clock, SignedDuration::ZERO);
        let at = state.moment(now, origin, Duration::ZERO);
        let outcome = (route.handler)(&mut state.world, &routes::Call { at, params, body });
        shown(outcome)
    }
}

/// The outcome in the open: `{ "code", "message", "response" }`.
fn shown(outcome: Outcome) -> Response {
    let (code, message, response) = match outcome {
        Ok(Done::Found(value) | Done::Changed(value)) => (200, super::texts::OK.to_owned(), value),
        Ok(Done::Created(value)) => (201, super::texts::CREATED.to_owned(), value),
        Err(refusal) => (refusal.code, refusal.message, refusal.response),
    };
    let status = if code < 300 && code != 204 { StatusCode::OK } else { StatusCode::CONFLICT };
    (status, Json(json!({ "code": code, "message": message, "response": response }))).into_response()
}
