//! Outage episodes: what the probes saw, and those a person opens or closes.

use std::sync::Arc;

use axum::extract::{Path, State as AppState};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::App;
use super::auth::Caller;
use super::deliveries::zone;
use super::extract::{Body, Fields, Params, id};
use super::problem::Problem;
use super::view;
use crate::catalogue::Service;
use crate::store::{AuditEntry, OutageChange, OutageRow, Verdict};

/// How far back a single episode is looked for.
const ALL: usize = 100_000;

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    let limit = params.limit()?;
    params.finish()?;
    let own = caller.scope(facility.as_deref())?;
    let rows = app.store.outages(ALL).await?;
    let rows = rows.iter().filter(|row| own.is_empty() || own.contains(&row.facility)).take(limit);
    Ok(Json(view::page(rows.map(|row| view::outage(row, &zone(&app, &row.facility))).collect(), None)))
}

pub(super) async fn show(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(text): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let row = find(&app, &caller, &text).await?;
    Ok(Json(view::outage(&row, &zone(&app, &row.facility))))
}

pub(super) async fn open(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let (facility, reason) = (fields.required("facility", 20), fields.reason());
    let service = fields.required("service", 20);
    if Service::of_word(&service).is_none() {
        let words: Vec<&str> = Service::ALL.iter().map(|service| service.word()).collect();
        fields.fault("service", format!("harus salah satu dari {}", words.join(", ")));
    }
    let words = "none, us, network, bpjs";
    let verdict = fields.parsed("verdict", words, |value| Verdict::of_word(value.as_str()?)).unwrap_or_default();
    fields.finish()?;
    caller.require(&facility)?;
    app.facility(&facility).ok_or_else(Problem::not_found)?;
    let at = app.clock.now();
    let change = OutageChange::Open {
        facility,
        service,
        cause: "manual".to_owned(),
        verdict,
        evidence: json!({ "reason": reason }),
        at,
        actor: caller.name.clone(),
    };
    let row = app.store.change_outage(change).await?;
    log(&app, &caller, "outage.open", row.id, reason).await?;
    Ok(Json(view::outage(&row, &zone(&app, &row.facility))))
}

pub(super) async fn close(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(text): Path<String>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let reason = fields.reason();
    fields.finish()?;
    let row = find(&app, &caller, &text).await?;
    if row.closed_at.is_some() {
        return Ok(Json(view::outage(&row, &zone(&app, &row.facility))));
    }
    let actor = format!("{}: {reason}", caller.name);
    let row = app.store.change_outage(OutageChange::Close { id: row.id, at: app.clock.now(), actor }).await?;
    log(&app, &caller, "outage.close", row.id, reason).await?;
    Ok(Json(view::outage(&row, &zone(&app, &row.facility))))
}

async fn find(app: &App, caller: &Caller, text: &str) -> Result<OutageRow, Problem> {
    let wanted: i64 = id(text)?;
    let rows = app.store.outages(ALL).await?;
    let row = rows.into_iter().find(|row| row.id == wanted && caller.may_use(&row.facility));
    row.ok_or_else(Problem::not_found)
}

async fn log(app: &App, caller: &Caller, action: &str, id: i64, detail: String) -> Result<(), Problem> {
    let (at, actor) = (app.clock.now(), caller.name.clone());
    let entry = AuditEntry { at, actor, action: action.to_owned(), object: id.to_string(), detail };
    Ok(app.store.log(entry).await?)
}
