//! The forecast: which entries will miss which date if every lane goes on as it did in the last minutes.
//!
//! The page is of one moment: what was delivered meanwhile is gone from the next one. Its cursor is a place in the
//! dispatch order, so that entries neither repeat nor fall out between pages.

use std::sync::Arc;

use axum::extract::State as AppState;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::App;
use super::auth::Caller;
use super::deliveries::{Owned, shown, zone};
use super::extract::Params;
use super::problem::Problem;
use super::view::{self, Around};
use crate::contract::forecast::{Drain, Forecast, LOOKED_AT, Miss, Queued, WINDOW, forecast};
use crate::store::{LaneLoad, QueuedRow, StoreError};

/// A place in the dispatch order, `LATE.RANK.SEQ`.
type Place = (i64, i64, i64);

/// One lane foretold.
struct Lane {
    load: LaneLoad,
    drain: Drain,
    seen: Forecast,
}

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    let after = params.parsed("after", "kursor dari jawaban sebelumnya (\"next\")", place)?;
    let limit = params.limit()?;
    let scope = caller.scope(facility.as_deref())?;
    params.finish()?;
    let now = app.clock.now();
    let around = Around::read(app.store.as_ref(), now).await?;
    let (lanes, capped) = foretell(&app, &scope, &around).await?;
    let mut misses: Vec<(&QueuedRow, &Miss)> = lanes.iter().flat_map(of_lane).collect();
    misses.sort_by_key(|(row, _)| spot(row));
    let (mut items, mut next, mut owned) = (Vec::new(), None, Owned::default());
    let mut last = None;
    for (row, miss) in misses.into_iter().filter(|(row, _)| after.is_none_or(|after| spot(row) > after)) {
        if items.len() >= limit {
            next = last;
            break;
        }
        last = Some(spot(row));
        let Some(delivery) = app.store.delivery(row.id).await? else { continue };
        if owned.is_own(&app, &caller, delivery.submission).await? {
            let mut item = shown(&app, &delivery, &around);
            item["forecast"] = missed(miss, &app, &delivery.facility);
            items.push(item);
        }
    }
    Ok(Json(json!({
        "lanes": lanes.iter().map(|lane| lane_view(&app, lane)).collect::<Vec<_>>(),
        "items": items,
        "next": next.map(|(late, rank, seq)| format!("{late}.{rank}.{seq}")),
        "capped": capped,
    })))
}

/// What a listing of late entries says of those that will be: counts of all clients' entries, without any of them.
pub(super) async fn summary(app: &App, scope: &[String], around: &Around) -> Result<Value, Problem> {
    let (lanes, _) = foretell(app, scope, around).await?;
    let zone = zone(app, scope.first().map_or("", String::as_str));
    let zone = if scope.is_empty() { app.facilities.first().map_or(zone, |one| one.timezone.clone()) } else { zone };
    let nearest = lanes.iter().filter_map(|lane| lane.seen.nearest).min();
    let first = lanes.iter().filter_map(|lane| lane.seen.first()).min();
    Ok(json!({
        "nearest": nearest.map(|at| view::instant(at, &zone)),
        "at_risk": lanes.iter().map(|lane| lane.seen.at_risk()).sum::<usize>(),
        "first_at_risk": first.map(|at| view::instant(at, &zone)),
    }))
}

async fn foretell(app: &App, scope: &[String], around: &Around) -> Result<(Vec<Lane>, bool), StoreError> {
    let load = app.store.load(around.now - WINDOW, LOOKED_AT).await?;
    let capped = load.iter().map(|lane| lane.queue.len()).sum::<usize>() >= LOOKED_AT;
    let visible = load.into_iter().filter(|lane| scope.is_empty() || scope.contains(&lane.facility));
    let lane = |load: LaneLoad| {
        let drain = Drain::of(load.delivered, WINDOW, around.stopped_since(&load.facility, &load.service));
        let queue: Vec<Queued> = load.queue.iter().map(QueuedRow::queued).collect();
        Lane { seen: forecast(&queue, drain, around.now), load, drain }
    };
    Ok((visible.map(lane).collect(), capped))
}

fn of_lane(lane: &Lane) -> impl Iterator<Item = (&QueuedRow, &Miss)> {
    lane.seen.misses.iter().filter_map(|miss| Some((lane.load.queue.get(miss.place)?, miss)))
}

fn spot(row: &QueuedRow) -> Place {
    (row.late.map_or(i64::MAX, Timestamp::as_millisecond), row.rank.as_millisecond(), row.seq)
}

fn place(text: &str) -> Option<Place> {
    let (late, rest) = text.split_once('.')?;
    let (rank, seq) = rest.split_once('.')?;
    Some((late.parse().ok()?, rank.parse().ok()?, seq.parse().ok()?))
}

fn lane_view(app: &App, lane: &Lane) -> Value {
    let zone = zone(app, &lane.load.facility);
    let at = |at: Option<Timestamp>| at.map(|at| view::instant(at, &zone));
    json!({
        "facility": lane.load.facility,
        "service": lane.load.service,
        "unfinished": lane.load.queue.len(),
        "per_minute": lane.drain.per_minute,
        "stopped_since": at(lane.drain.stopped_since),
        "late": lane.seen.late,
        "nearest": at(lane.seen.nearest),
        "at_risk": lane.seen.at_risk(),
        "first_at_risk": at(lane.seen.first()),
        "empty_at": at(lane.seen.empty_at),
    })
}

fn missed(miss: &Miss, app: &App, facility: &str) -> Value {
    let zone = zone(app, facility);
    json!({
        "misses": view::instant(miss.late, &zone),
        "expected": miss.done.map(|done| view::instant(done, &zone)),
        "by_seconds": miss.done.map(|done| done.duration_since(miss.late).as_secs()),
    })
}
