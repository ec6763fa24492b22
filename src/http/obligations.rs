//! The calendar of obligations: what the agreement asks for and by when, marks, and the events that date it.

use std::sync::Arc;

use axum::extract::{Path, State as AppState};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::App;
use super::auth::Caller;
use super::deliveries::zone;
use super::extract::{Body, Fields, Params};
use super::problem::{Kind, Problem};
use super::view;
use crate::contract::{Done, Event, Obligation, Trigger, ics};
use crate::store::OutageRow;

/// The agreement as a whole.
const WHOLE: &str = "*";
/// Duties, and what could not be dated.
type Duties = (Vec<Obligation>, Vec<String>);
/// How far back an outage is looked for.
const OUTAGES: usize = 100_000;

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    params.finish()?;
    let (duties, unreadable) = visible(&app, &caller, facility.as_deref()).await?;
    let items = duties.iter().map(|duty| view::obligation(duty, &zone_of(&app, &duty.facility))).collect();
    let mut page = view::page(items, None);
    let today = app.clock.now().to_zoned(zone_of(&app, WHOLE)).date();
    let mut warnings = app.contracts.warnings(today);
    warnings.extend(unreadable);
    page["warnings"] = warnings.into();
    Ok(Json(page))
}

pub(super) async fn calendar(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Response, Problem> {
    let facility = params.text("facility")?;
    params.finish()?;
    let (duties, _) = visible(&app, &caller, facility.as_deref()).await?;
    let text = ics::calendar(&duties, app.clock.now());
    Ok(([(header::CONTENT_TYPE, ics::CONTENT_TYPE)], text).into_response())
}

pub(super) async fn done(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let remark = fields.reason();
    fields.finish()?;
    let (duties, _) = all(&app).await?;
    let duty = duties.into_iter().find(|duty| duty.id == id).ok_or_else(Problem::not_found)?;
    require(&app, &caller, &duty.facility)?;
    if duty.due.is_none() {
        let detail = "Kewajiban ini menunggu peristiwanya: catat dahulu lewat POST /v1/obligations/events.";
        return Err(Problem::new(Kind::State, detail));
    }
    app.store.mark_done(Done { id: id.clone(), at: app.clock.now(), actor: caller.name.clone(), remark }).await?;
    let (duties, _) = all(&app).await?;
    let duty = duties.iter().find(|duty| duty.id == id).ok_or_else(Problem::not_found)?;
    Ok(Json(view::obligation(duty, &zone_of(&app, &duty.facility))))
}

pub(super) async fn record(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let kinds: Vec<&str> = Trigger::ALL.iter().filter(|kind| kind.is_recorded()).map(|kind| kind.word()).collect();
    let known = |value: &Value| Trigger::of_word(value.as_str()?).filter(|kind| kind.is_recorded());
    let wanted = format!("salah satu dari {}", kinds.join(", "));
    let given = fields.value("kind");
    let kind = given.as_ref().and_then(known);
    if kind.is_none() {
        fields.fault("kind", format!("harus {wanted}"));
    }
    let facility = fields.text("facility", 20).unwrap_or_else(|| WHOLE.to_owned());
    let zone = zone_of(&app, &facility);
    let when = "tanggal 2026-12-31 atau waktu 2026-12-31T08:00:00+08:00";
    let at = fields.parsed("at", when, |value| instant(value.as_str()?, &zone));
    let until = fields.parsed("until", when, |value| instant(value.as_str()?, &zone));
    let outage = fields.parsed("outage", "nomor gangguan", Value::as_i64);
    let remark = fields.reason();
    if at.is_none() && outage.is_none() {
        fields.fault("at", format!("wajib diisi: {when}; atau sebutkan \"outage\""));
    }
    if at.zip(until).is_some_and(|(at, until)| until < at) {
        fields.fault("until", "mendahului \"at\"");
    }
    fields.finish()?;
    let outage = match outage {
        Some(id) => Some(outage_of(&app, &caller, id).await?),
        None => None,
    };
    let event = Event {
        id: 0,
        kind: kind.ok_or_else(Problem::not_found)?,
        facility: outage.as_ref().map_or(facility, |row| row.facility.clone()),
        at: at.or_else(|| outage.as_ref().map(|row| row.opened_at)).ok_or_else(Problem::not_found)?,
        until: until.or_else(|| outage.as_ref().and_then(|row| row.closed_at)),
        remark,
        actor: caller.name.clone(),
        recorded_at: app.clock.now(),
    };
    require(&app, &caller, &event.facility)?;
    let event = app.store.record_event(event).await?;
    app.redate().await?;
    Ok(Json(view::event(&event, &zone_of(&app, &event.facility))))
}

pub(super) async fn events(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let events = app.store.events().await?;
    let own = events.iter().filter(|event| event.facility == WHOLE || caller.may_use(&event.facility));
    Ok(Json(view::page(own.map(|event| view::event(event, &zone_of(&app, &event.facility))).collect(), None)))
}

async fn outage_of(app: &App, caller: &Caller, id: i64) -> Result<OutageRow, Problem> {
    let rows = app.store.outages(OUTAGES).await?;
    let row = rows.into_iter().find(|row| row.id == id && caller.may_use(&row.facility));
    row.ok_or_else(Problem::not_found)
}

/// A duty of the agreement is marked by who speaks for every facility under it.
fn require(app: &App, caller: &Caller, facility: &str) -> Result<(), Problem> {
    if facility != WHOLE {
        app.facility(facility).ok_or_else(Problem::not_found)?;
        return caller.require(facility);
    }
    app.facilities.iter().try_for_each(|facility| caller.require(&facility.code))
}

/// The duties that the caller may see, and what could not be dated.
async fn visible(app: &App, caller: &Caller, facility: Option<&str>) -> Result<Duties, Problem> {
    let scope = caller.scope(facility)?;
    let (mut duties, unreadable) = all(app).await?;
    duties.retain(|duty| scope.is_empty() || duty.facility == WHOLE || scope.contains(&duty.facility));
    Ok((duties, unreadable))
}

async fn all(app: &App) -> Result<Duties, Problem> {
    let (events, done) = (app.store.events().await?, app.store.marks().await?);
    Ok(app.calendar.duties(&events, &done, app.clock.now()))
}

/// The agreement's own zone is its first facility's.
fn zone_of(app: &App, facility: &str) -> TimeZone {
    match app.facilities.first() {
        Some(first) if facility == WHOLE => first.timezone.clone(),
        Some(_) | None => zone(app, facility),
    }
}

/// An instant, or the first instant of a day.
fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let day = || text.parse::<Date>().ok()?.to_zoned(zone.clone()).ok().map(|start| start.timestamp());
    if text.len() == 10 { day() } else { text.parse().ok() }
}
