//! Outage episodes: what the probes saw, and those a person opens or closes.

use std::sync::Arc;

use axum::extract::{Path, State as AppState};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::App;
use super::auth::Caller;
use super::deliveries::zone;
use super::evaluation;
use super::extract::{Body, Fields, Params, id};
use super::problem::Problem;
use super::view;
use crate::catalogue::Service;
use crate::store::{AuditEntry, OutageChange, OutageClass, OutagePlan, OutageRow, Verdict};

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
    let (zone, now) = (zone(&app, &row.facility), app.clock.now());
    let mut shown = view::outage(&row, &zone);
    let effect = app.store.outage_effect(row.id, now).await?.unwrap_or_default();
    let plans = app.store.outage_plans(row.opened_at).await?;
    let plan = plans.iter().find(|plan| plan.covers(&row.facility, row.opened_at));
    shown["evaluation"] = evaluation::of(&row, effect, plan, &zone);
    Ok(Json(shown))
}

pub(super) async fn classify(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(text): Path<String>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let reason = fields.reason();
    let words: Vec<&str> = OutageClass::ALL.iter().map(|class| class.word()).collect();
    let words = format!("salah satu dari {}", words.join(", "));
    let class = fields.parsed("class", &words, |value| OutageClass::of_word(value.as_str()?));
    let Some(class) = class else {
        fields.fault("class", format!("wajib diisi: {words}"));
        return Err(fields.finish().err().unwrap_or_else(Problem::not_found));
    };
    fields.finish()?;
    let row = find(&app, &caller, &text).await?;
    let actor = format!("{}: {reason}", caller.name);
    let row = app.store.change_outage(OutageChange::Classify { id: row.id, class, actor }).await?;
    log(&app, &caller, "outage.classify", row.id, format!("{}: {reason}", class.word())).await?;
    app.redate().await?;
    Ok(Json(view::outage(&row, &zone(&app, &row.facility))))
}

pub(super) async fn plans(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    params.finish()?;
    let own = caller.scope(facility.as_deref())?;
    let rows = app.store.outage_plans(app.clock.now()).await?;
    let rows = rows.iter().filter(|row| row.facility == "*" || own.is_empty() || own.contains(&row.facility));
    Ok(Json(view::page(rows.map(|row| view::plan(row, &zone(&app, &row.facility))).collect(), None)))
}

pub(super) async fn plan(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let (facility, reason) = (fields.required("facility", 20), fields.reason());
    let mut instant = |name| {
        let found =
            fields.parsed(name, "waktu RFC 3339 dengan zona", |value| value.as_str()?.parse::<Timestamp>().ok());
        if found.is_none() {
            fields.fault(name, "wajib diisi: waktu RFC 3339 dengan zona");
        }
        found
    };
    let (from, to) = (instant("from"), instant("to"));
    let words = "none, us, network, bpjs";
    let verdict = fields.parsed("verdict", words, |value| Verdict::of_word(value.as_str()?)).unwrap_or(Verdict::Bpjs);
    if from.zip(to).is_some_and(|(from, to)| to <= from) {
        fields.fault("to", "harus sesudah from");
    }
    fields.finish()?;
    caller.require(&facility)?;
    app.facility(&facility).ok_or_else(Problem::not_found)?;
    let (Some(from), Some(to)) = (from, to) else { return Err(Problem::not_found()) };
    let (actor, announced_at) = (caller.name.clone(), app.clock.now());
    let audit = AuditEntry {
        at: announced_at,
        actor: actor.clone(),
        action: "outage.plan".to_owned(),
        object: String::new(),
        detail: reason.clone(),
    };
    let plan = OutagePlan { id: 0, facility, from, to, verdict, reason, actor, announced_at };
    let row = app.store.plan_outage(plan, audit).await?;
    app.redate().await?;
    Ok(Json(view::plan(&row, &zone(&app, &row.facility))))
}

/// The maintenance does not take place: it names no outage any more.
pub(super) async fn withdraw(
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
    let wanted: i64 = id(&text)?;
    let plans = app.store.outage_plans(Timestamp::MIN).await?;
    let plan = plans.into_iter().find(|plan| plan.id == wanted).ok_or_else(Problem::not_found)?;
    caller.require(&plan.facility)?;
    let audit = AuditEntry {
        at: app.clock.now(),
        actor: caller.name.clone(),
        action: "outage.withdraw".to_owned(),
        object: wanted.to_string(),
        detail: reason,
    };
    let row = app.store.withdraw_plan(wanted, audit).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(view::plan(&row, &zone(&app, &row.facility))))
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
