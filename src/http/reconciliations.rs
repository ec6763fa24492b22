//! Reconciliations: asking for one, and reading those that were made.

use std::sync::Arc;

use axum::extract::{Path, State as AppState};
use axum::{Extension, Json};
use jiff::civil::Date;
use serde_json::Value;

use super::auth::Caller;
use super::deliveries::zone;
use super::extract::{Body, Fields, Params};
use super::problem::{Kind, Problem};
use super::{App, ReconcileFault, ReconcileRequest, view};
use crate::intake::Fault;
use crate::secret::Private;

/// Most days in one reconciliation: a month and its edges.
const DAYS_MAX: i32 = 62;

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    let limit = params.limit()?;
    params.finish()?;
    let own = caller.scope(facility.as_deref())?;
    let mut rows = match own.as_slice() {
        [] => app.store.reconciliations(None, limit).await?,
        several => {
            let mut rows = Vec::new();
            for facility in several {
                rows.extend(app.store.reconciliations(Some(facility), limit).await?);
            }
            rows
        }
    };
    rows.sort_by_key(|row| std::cmp::Reverse(row.started_at));
    rows.truncate(limit);
    let items = rows.into_iter().map(|mut row| {
        row.report = None;
        view::reconciliation(&row, &zone(&app, &row.facility))
    });
    Ok(Json(view::page(items.collect(), None)))
}

pub(super) async fn show(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let row = app.store.reconciliation(&id).await?.filter(|row| caller.may_use(&row.facility));
    let row = row.ok_or_else(Problem::not_found)?;
    let settlements = app.store.settlements(&row.id).await?;
    let zone = zone(&app, &row.facility);
    Ok(Json(view::settled(view::reconciliation(&row, &zone), &settlements, &zone)))
}

pub(super) async fn run(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let facility = fields.required("facility", 20);
    let mut day = |name| fields.parsed(name, "tanggal YYYY-MM-DD", |value| value.as_str()?.parse::<Date>().ok());
    let (date, from, to) = (day("date"), day("from"), day("to"));
    let sim = fields.value("sim").map(Private::new);
    fields.finish()?;
    let (from, to) = days(date, from, to)?;
    caller.require(&facility)?;
    if app.facility(&facility).is_none() {
        return Err(Problem::invalid(vec![Fault::new("/facility", "faskes ini tidak dikonfigurasi; periksa kodenya")]));
    }
    let request = ReconcileRequest { facility, from, to, sim, actor: caller.name };
    // On its own task: what it adopts must not depend on whether the client still listens.
    let done = tokio::spawn((app.reconciler)(request)).await;
    match done {
        Ok(Ok(report)) => Ok(Json(report)),
        Ok(Err(ReconcileFault::Unavailable(detail))) => Err(Problem::new(Kind::Unavailable, detail).after(30)),
        Ok(Err(ReconcileFault::Refused(detail))) => Err(Problem::new(Kind::State, detail)),
        Ok(Err(ReconcileFault::Invalid(faults))) => {
            let faults = faults.into_iter().map(|(at, detail)| Fault::new(format!("/sim{at}"), detail));
            Err(Problem::invalid(faults.collect()))
        }
        Ok(Err(ReconcileFault::Failed(detail))) => Err(Problem::new(Kind::Internal, detail)),
        Err(_) => Err(Problem::new(Kind::Internal, "Rekonsiliasi berhenti di tengah jalan; ulangi.")),
    }
}

/// Either one day or a first and a last one.
fn days(date: Option<Date>, from: Option<Date>, to: Option<Date>) -> Result<(Date, Date), Problem> {
    let fault = |pointer: &str, detail: &str| Problem::invalid(vec![Fault::new(pointer, detail)]);
    let (from, to) = match (date, from, to) {
        (Some(date), None, None) => (date, date),
        (None, Some(from), Some(to)) => (from, to),
        (Some(_) | None, _, _) => return Err(fault("", "isi date, atau from dan to")),
    };
    if to < from {
        return Err(fault("/to", "lebih awal daripada from"));
    }
    let length = to.since(from).map_or(i32::MAX, |span| span.get_days());
    if length > DAYS_MAX {
        return Err(fault("/to", "paling banyak 62 hari; bagilah menjadi beberapa rekonsiliasi"));
    }
    Ok((from, to))
}
