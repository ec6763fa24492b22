//! Deliveries: listing and looking.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, State as AppState};
use axum::{Extension, Json};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::App;
use super::auth::Caller;
use super::extract::{Params, id};
use super::forecast;
use super::problem::Problem;
use super::view::{self, Around};
use crate::contract::ServiceTime;
use crate::queue::{Delivery, State, SubmissionId};
use crate::store::{DeliveryFilter, StoreError, SubmissionRow, circumstances, never_earlier};

/// How many pages of foreign rows are skipped before an answer goes out with fewer rows than asked for.
const SKIP_PAGES: usize = 20;
/// Outages read for what was declared: the newest.
const OUTAGES: usize = 10_000;

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let now = app.clock.now();
    let facility = params.text("facility")?;
    let filter = DeliveryFilter {
        state: params.parsed("state", &states(), State::of_word)?,
        operation: params.text("operation")?,
        why: params.text("why")?,
        late: params.parsed("late", "true atau false", |text| text.parse().ok())?.map(|late: bool| (late, now)),
        after: params.cursor()?,
        limit: params.limit()?,
        facilities: caller.scope(facility.as_deref())?,
    };
    params.finish()?;
    let foretold = filter.late.is_some().then(|| filter.facilities.clone());
    let (rows, next) = visible(&app, &caller, filter).await?;
    let around = Around::read(app.store.as_ref(), now).await?;
    let mut page = view::page(rows.iter().map(|row| shown(&app, row, &around)).collect(), next);
    if let Some(scope) = foretold {
        page["forecast"] = forecast::summary(&app, &scope, &around).await?;
    }
    Ok(Json(page))
}

pub(super) async fn show(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(text): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let delivery = find(&app, &caller, &text).await?;
    let around = Around::read(app.store.as_ref(), app.clock.now()).await?;
    let zone = zone(&app, &delivery.facility);
    let attempts = app.store.attempts(delivery.id).await?;
    let body = app.store.entry_body(delivery.id).await?;
    let dates = dates(&app, &delivery, &zone).await?;
    let mut value = shown(&app, &delivery, &around);
    if let Some(map) = value.as_object_mut() {
        map.insert("dates".to_owned(), dates);
        map.insert("timeline".to_owned(), attempts.iter().map(|attempt| view::attempt(attempt, &zone)).collect());
        let payload = body.as_ref().map(|body| body.current.expose().clone());
        let amended = body.as_ref().filter(|body| body.original != body.current);
        map.insert("payload".to_owned(), payload.unwrap_or_default());
        map.insert("original".to_owned(), json!(amended.map(|body| body.original.expose())));
    }
    Ok(Json(value))
}

/// What the agreement says about this entry; force majeure and maintenance count where its clauses say so.
async fn dates(app: &App, delivery: &Delivery, zone: &TimeZone) -> Result<Value, Problem> {
    let Some(service_date) = delivery.service_date else { return Ok(Value::Null) };
    let service = ServiceTime {
        occurred_at: delivery.occurred_at,
        service_date,
        accepted_at: delivery.accepted_at,
        zone: zone.clone(),
    };
    let events = app.store.events().await?;
    let (outages, plans) = (app.store.outages(OUTAGES).await?, app.store.outage_plans(Timestamp::UNIX_EPOCH).await?);
    let declared = circumstances(&delivery.facility, &events, &outages, &plans);
    let mut dated = app.contracts.explain(&delivery.deadline.rule, &service, &declared, app.clock.now());
    // As stored: a date that was moved stays, also when what moved it was withdrawn.
    let stands = never_earlier(&delivery.deadline, dated.deadline.clone());
    let later = stands.late.zip(dated.deadline.late).map(|(stands, reckoned)| stands.duration_since(reckoned));
    dated.warn = dated.warn.map(|warn| later.and_then(|later| warn.checked_add(later).ok()).unwrap_or(warn));
    dated.deadline = stands;
    Ok(view::dates(&dated, zone))
}

/// The words of all states, for messages.
pub(super) fn states() -> String {
    State::ALL.iter().map(|state| state.word()).collect::<Vec<_>>().join(", ")
}

/// A delivery that the caller may see; what it may not see does not exist for it.
pub(super) async fn find(app: &App, caller: &Caller, text: &str) -> Result<Delivery, Problem> {
    let delivery = app.store.delivery(id(text)?).await?.ok_or_else(Problem::not_found)?;
    let own = Owned::default().is_own(app, caller, delivery.submission).await?;
    if own && caller.may_use(&delivery.facility) { Ok(delivery) } else { Err(Problem::not_found()) }
}

/// A page of what the caller may see.
pub(super) async fn visible(
    app: &App,
    caller: &Caller,
    mut filter: DeliveryFilter,
) -> Result<(Vec<Delivery>, Option<i64>), StoreError> {
    let (wanted, mut rows, mut owned) = (filter.limit, Vec::new(), Owned::default());
    for _ in 0..SKIP_PAGES {
        filter.limit = wanted - rows.len();
        let page = app.store.deliveries(filter.clone()).await?;
        for delivery in page.items {
            if owned.is_own(app, caller, delivery.submission).await? {
                rows.push(delivery);
            }
        }
        filter.after = page.next;
        if filter.after.is_none() || rows.len() >= wanted {
            break;
        }
    }
    Ok((rows, filter.after))
}

/// Remembers, within one request, which submissions are the caller's.
#[derive(Debug, Default)]
pub(super) struct Owned(HashMap<SubmissionId, bool>);

impl Owned {
    /// Whether the caller may see this submission as far as clients are concerned.
    pub(super) async fn is_own(&mut self, app: &App, caller: &Caller, id: SubmissionId) -> Result<bool, StoreError> {
        if !caller.sees_only_own() {
            return Ok(true);
        }
        if let Some(known) = self.0.get(&id) {
            return Ok(*known);
        }
        let own = app.store.submission(id).await?.is_some_and(|row: SubmissionRow| row.client == caller.name);
        self.0.insert(id, own);
        Ok(own)
    }
}

/// The zone of a facility; one that is no longer configured shows UTC.
pub(super) fn zone(app: &App, facility: &str) -> TimeZone {
    app.facility(facility).map_or(TimeZone::UTC, |facility| facility.timezone.clone())
}

/// A delivery as JSON.
pub(super) fn shown(app: &App, delivery: &Delivery, around: &Around) -> Value {
    let service = app.catalogue.operation(&delivery.operation).map_or("", |operation| operation.service.word());
    view::delivery(delivery, service, &zone(app, &delivery.facility), around)
}
