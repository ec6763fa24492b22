//! Pauses: sending stops, accepting goes on (promise 15).

use std::sync::Arc;

use axum::extract::State as AppState;
use axum::{Extension, Json};
use serde_json::Value;

use super::App;
use super::auth::Caller;
use super::deliveries::zone;
use super::extract::{Body, Fields, Params};
use super::problem::Problem;
use super::view;
use crate::store::{AuditEntry, PauseRow};

/// All sending.
const EVERYTHING: &str = "*";

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    Ok(Json(listing(&app, &caller).await?))
}

pub(super) async fn pause(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    set(&app, &caller, body, true).await
}

pub(super) async fn resume(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    set(&app, &caller, body, false).await
}

async fn set(app: &App, caller: &Caller, body: Body, pauses: bool) -> Result<Json<Value>, Problem> {
    let mut fields = Fields::of(body)?;
    let (facility, reason) = (fields.required("facility", 20), fields.reason());
    let known = facility.is_empty() || facility == EVERYTHING || app.facility(&facility).is_some();
    if !known && caller.may_use(&facility) {
        fields.fault("facility", "faskes ini tidak dikonfigurasi; pakai kodenya, atau * untuk semua");
    }
    fields.finish()?;
    // Only who speaks for all facilities may stop all of them.
    caller.require(&facility)?;
    let at = app.clock.now();
    let action = if pauses { "pause" } else { "resume" };
    let audit = AuditEntry {
        at,
        actor: caller.name.clone(),
        action: action.to_owned(),
        object: facility.clone(),
        detail: reason.clone(),
    };
    let row = PauseRow { facility: facility.clone(), reason, actor: caller.name.clone(), since: at };
    app.store.set_pause(&facility, pauses.then_some(row), audit).await?;
    Ok(Json(listing(app, caller).await?))
}

async fn listing(app: &App, caller: &Caller) -> Result<Value, Problem> {
    let rows = app.store.pauses().await?;
    let own = rows.iter().filter(|row| row.facility == EVERYTHING || caller.may_use(&row.facility));
    Ok(view::page(own.map(|row| view::pause(row, &zone(app, &row.facility))).collect(), None))
}
