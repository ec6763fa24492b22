//! What is kept of reads for outages: looking, fetching anew, letting go.

use std::sync::Arc;

use axum::extract::State as AppState;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::App;
use super::auth::Caller;
use super::deliveries::zone;
use super::extract::{Body, Fields, Params};
use super::problem::Problem;
use super::view;
use crate::store::{AuditEntry, ListSummary};

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    params.finish()?;
    let own = caller.scope(facility.as_deref())?;
    let seen = |code: &str| own.is_empty() || own.iter().any(|own| own == code);
    let lists = app.keep.lists(facility.as_deref()).await?;
    let items = lists.iter().filter(|list| seen(&list.list.facility)).map(|list| shown(&app, list)).collect();
    let totals = app.store.kept_totals().await?;
    let members = totals
        .iter()
        .filter(|one| seen(&one.facility) && one.members > 0)
        .map(|one| json!({ "facility": one.facility, "service": one.service, "members": one.members }));
    let mut page = view::page(items, None);
    page["eligibility"] = members.collect();
    Ok(Json(page))
}

/// A list by its operation and arguments; words that were searched for are counted, not shown: a SIM may have sent anything.
fn shown(app: &App, list: &ListSummary) -> Value {
    let zone = zone(app, &list.list.facility);
    let whole: Vec<_> = list.terms.iter().filter(|term| term.complete).collect();
    let oldest = whole.iter().map(|term| term.begun_at).min();
    let newest = list.terms.iter().map(|term| term.as_of).max();
    let at = |at: Option<jiff::Timestamp>| at.map(|at| view::instant(at, &zone));
    json!({
        "facility": list.list.facility,
        "service": list.service,
        "operation": list.list.operation,
        "arguments": list.list.scope.expose(),
        "rows": list.rows,
        "searches": list.terms.len(),
        "complete": whole.len(),
        "oldest_complete": at(oldest),
        "newest": at(newest),
    })
}

pub(super) async fn refresh(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let (facility, audit) = wanted(&app, &caller, body, "keep.refresh")?;
    app.keep.refresh(&facility, audit.at);
    app.store.log(audit).await?;
    Ok(Json(json!({ "facility": facility, "fetches": app.keep.fetches_ahead() })))
}

pub(super) async fn clear(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let (facility, audit) = wanted(&app, &caller, body, "keep.clear")?;
    let gone = app.keep.clear(&facility, audit).await?;
    Ok(Json(json!({ "facility": facility, "gone": gone })))
}

fn wanted(app: &App, caller: &Caller, body: Body, action: &str) -> Result<(String, AuditEntry), Problem> {
    let mut fields = Fields::of(body)?;
    let (facility, reason) = (fields.required("facility", 20), fields.reason());
    fields.finish()?;
    caller.require(&facility)?;
    app.facility(&facility).ok_or_else(Problem::not_found)?;
    let audit = AuditEntry {
        at: app.clock.now(),
        actor: caller.name.clone(),
        action: action.to_owned(),
        object: facility.clone(),
        detail: reason,
    };
    Ok((facility, audit))
}
