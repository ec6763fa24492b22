//! From the store and the board to [`Facts`].
//!
//! Job: ask the store the few questions that health, metrics and the status page rest on, each within a time limit, so
//! that a store that hangs turns the light red instead of hanging the face. What it does not do: judge.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::judge::{BACKLOG_DEGRADED, Facts, Lane, OpenOutage, Outlook};
use super::live::Live;
use crate::config::Facility;
use crate::contract::forecast::{Drain, LOOKED_AT, Queued, WINDOW, forecast};
use crate::store::antrean::BookingCount;
use crate::store::{CircuitRow, LaneLoad, LaneStop, OutageRow, PauseRow, QueuedRow, Store, StoreError, Totals};

/// How long the store may take for all questions together.
const PATIENCE: Duration = Duration::from_secs(2);
/// Outages read: the newest; open ones are among them, and the page shows a few.
const OUTAGES: usize = 50;

/// What the store said.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Counts and instants.
    pub totals: Totals,
    /// What is paused.
    pub pauses: Vec<PauseRow>,
    /// Lanes stopped by their credentials.
    pub stops: Vec<LaneStop>,
    /// Circuits known.
    pub circuits: Vec<CircuitRow>,
    /// Outages, newest first.
    pub outages: Vec<OutageRow>,
    /// Bookings of today by facility and state, where Mobile JKN is listened to.
    pub bookings: Vec<BookingCount>,
    /// What a forecast needs, by lane.
    pub load: Vec<LaneLoad>,
    /// Earliest due instant by facility and service, where something has been due for long on a free lane.
    pub due: BTreeMap<(String, String), Timestamp>,
}

/// The lanes that the configuration names: (facility, service word).
#[must_use]
pub fn lanes_of(facilities: &[Facility]) -> Vec<(String, String)> {
    let mut lanes = Vec::new();
    for facility in facilities {
        let services = [
            ("pcare", &facility.pcare),
            ("vclaim", &facility.vclaim),
            ("antrean_fktp", &facility.antrean_fktp),
            ("icare", &facility.icare),
        ];
        let given = services.into_iter().filter(|(_, config)| config.is_some());
        lanes.extend(given.map(|(service, _)| (facility.code.clone(), service.to_owned())));
    }
    lanes
}

/// Asks the store and copies the board. A store that fails or does not answer in time leaves its rows empty and its
/// code in [`Facts::store_fault`].
pub async fn gather(store: &dyn Store, live: &Live, lanes: &[(String, String)], now: Timestamp) -> (Facts, Rows) {
    let places = live.snapshot().inbound.map(|seen| seen.places).unwrap_or_default();
    let days = places.into_iter().map(|(code, zone)| (code, now.to_zoned(zone).date())).collect();
    let (rows, mut store_fault) = match tokio::time::timeout(PATIENCE, ask(store, lanes, days, now)).await {
        Ok(Ok(rows)) => (rows, None),
        Ok(Err(error)) => (Rows::default(), Some(code(&error).to_owned())),
        Err(_elapsed) => (Rows::default(), Some("timeout".to_owned())),
    };
    if store.fatal().borrow().is_some() {
        store_fault = Some("unknown".to_owned());
    }
    let facts = Facts {
        live: live.snapshot(),
        store_fault,
        store_concerns: store.concerns(),
        lanes: join(lanes, &rows),
        outages: open_outages(&rows),
        nearest_late: rows.totals.nearest_deadline,
        late: rows.totals.late,
        unreadable: rows.totals.unreadable,
        outlook: outlook(&rows, now),
        bookings: rows.bookings.iter().map(|row| row.count).sum(),
    };
    (facts, rows)
}

async fn ask(
    store: &dyn Store,
    lanes: &[(String, String)],
    days: Vec<(String, Date)>,
    now: Timestamp,
) -> Result<Rows, StoreError> {
    let mut rows = Rows {
        totals: store.totals(now).await?,
        pauses: store.pauses().await?,
        stops: store.lane_stops().await?,
        circuits: store.circuits().await?,
        outages: store.outages(OUTAGES).await?,
        due: BTreeMap::new(),
        bookings: if days.is_empty() { Vec::new() } else { store.booking_counts(days).await? },
        load: store.load(now - WINDOW, LOOKED_AT).await?,
    };
    // One question per lane is too many for a host of a thousand facilities, and only an old due instant matters.
    let old = |due: Timestamp| now - BACKLOG_DEGRADED > due;
    if rows.totals.oldest_due.is_some_and(old) {
        for lane in join(lanes, &rows).into_iter().filter(Lane::is_free) {
            if let Some(due) = store.next_due(&lane.facility, &lane.service).await? {
                rows.due.insert((lane.facility, lane.service), due);
            }
        }
    }
    Ok(rows)
}

/// What will be late if every lane goes on as it did in the last minutes.
fn outlook(rows: &Rows, now: Timestamp) -> Vec<Outlook> {
    let lane = |load: &LaneLoad| {
        let mine = |facility: &str, service: &str| facility == load.facility && service == load.service;
        let open = rows.circuits.iter().filter(|row| row.open && mine(&row.facility, &row.service));
        let refused = rows.stops.iter().filter(|row| mine(&row.facility, &row.service));
        let paused = rows.pauses.iter().filter(|row| row.facility == load.facility || row.facility == "*");
        let stopped = open.map(|row| row.since).chain(refused.map(|row| row.since)).chain(paused.map(|row| row.since));
        let queue: Vec<Queued> = load.queue.iter().map(QueuedRow::queued).collect();
        let seen = forecast(&queue, Drain::of(load.delivered, WINDOW, stopped.min()), now);
        let at_risk = i64::try_from(seen.at_risk()).unwrap_or(i64::MAX);
        Outlook { facility: load.facility.clone(), at_risk, first: seen.first() }
    };
    rows.load.iter().map(lane).collect()
}

/// Configured lanes and those that only the store knows (a service that was taken out of the configuration), by name.
fn join(lanes: &[(String, String)], rows: &Rows) -> Vec<Lane> {
    let mut names: BTreeSet<(&str, &str)> = lanes.iter().map(|(f, s)| (f.as_str(), s.as_str())).collect();
    names.extend(rows.stops.iter().map(|stop| (stop.facility.as_str(), stop.service.as_str())));
    names.extend(rows.circuits.iter().map(|row| (row.facility.as_str(), row.service.as_str())));
    let lane = |(facility, service): (&str, &str)| {
        let stop = rows.stops.iter().find(|stop| stop.facility == facility && stop.service == service);
        let open = rows.circuits.iter().find(|row| row.open && row.facility == facility && row.service == service);
        Lane {
            refused_since: stop.map(|stop| stop.since),
            open_since: open.map(|row| row.since),
            paused: rows.pauses.iter().any(|pause| pause.facility == "*" || pause.facility == facility),
            due: rows.due.get(&(facility.to_owned(), service.to_owned())).copied(),
            facility: facility.to_owned(),
            service: service.to_owned(),
        }
    };
    names.into_iter().map(lane).collect()
}

fn open_outages(rows: &Rows) -> Vec<OpenOutage> {
    let open = rows.outages.iter().filter(|outage| outage.closed_at.is_none());
    open.map(|outage| OpenOutage {
        facility: outage.facility.clone(),
        service: outage.service.clone(),
        since: outage.opened_at,
        cause: outage.cause.clone(),
        verdict: outage.verdict,
    })
    .collect()
}

/// A stable code for the face; the database's own words go to the log, not to the network.
const fn code(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unknown(_) => "unknown",
        StoreError::Full(_) => "full",
        StoreError::Unreadable(_) => "unreadable",
        StoreError::Newer { .. } => "newer",
        StoreError::Busy(_) => "busy",
        StoreError::Moved(_) => "moved",
        StoreError::Replaced(_) => "replaced",
        StoreError::Unavailable(_) => "unavailable",
        StoreError::Database(_) => "database",
        StoreError::Closed => "closed",
    }
}
