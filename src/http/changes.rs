//! The changes feed: what became final, and what happened in the facility's queue, from the beginning if wanted.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as AppState;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::auth::Caller;
use super::deliveries::{Owned, shown, zone};
use super::extract::Params;
use super::problem::Problem;
use super::view::{self, Around};
use super::{App, antrean};
use crate::store::StoreError;
use crate::store::antrean::{FeedItem, FeedKinds, FeedRow};
use crate::vault::Role;

/// Longest `wait`, in seconds.
const WAIT_MAX: u64 = 60;
/// How many pages of foreign rows are skipped in one go; the answer then moves the cursor on without a row.
const SKIP_PAGES: usize = 20;

/// Clients that know only deliveries get only them; who wants more says so.
fn kinds(params: &mut Params, caller: &Caller) -> Result<FeedKinds, Problem> {
    let known = |text: &str| {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let fits = words.iter().all(|word| matches!(*word, "delivery" | "antrean"));
        fits.then(|| FeedKinds { deliveries: words.contains(&"delivery"), antrean: words.contains(&"antrean") })
    };
    let kinds = params.parsed("kinds", "delivery, antrean atau keduanya dengan koma", known)?;
    let kinds = kinds.unwrap_or(FeedKinds { deliveries: true, antrean: false });
    if kinds.antrean && !matches!(caller.role, Role::Sim | Role::Operator) {
        return Err(Problem::forbidden("Antrean pasien hanya untuk SIM faskes dan petugasnya."));
    }
    Ok(kinds)
}

pub(super) async fn feed(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    let facilities = caller.scope(facility.as_deref())?;
    let kinds = kinds(&mut params, &caller)?;
    let (after, limit) = (params.cursor()?.unwrap_or(0), params.limit()?);
    let wait = params.parsed("wait", "bilangan detik", |text| text.parse::<u64>().ok())?.unwrap_or(0);
    params.finish()?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait.min(WAIT_MAX));
    let mut wake_ups = app.store.wake_ups();
    let mut cursor = after;
    loop {
        // Marked before reading: a commit in between wakes the next round.
        wake_ups.borrow_and_update();
        let (changes, last, more) = own_changes(&app, &caller, &facilities, kinds, cursor, limit).await?;
        cursor = last;
        let over = more || tokio::time::Instant::now() >= deadline || app.closing.is_cancelled();
        if !changes.is_empty() || over {
            return answer(&app, &changes, cursor).await;
        }
        tokio::select! {
            woken = wake_ups.changed() => if woken.is_err() { return answer(&app, &changes, cursor).await },
            () = tokio::time::sleep_until(deadline) => {}
            () = app.closing.cancelled() => {}
        }
    }
}

/// The next changes that the caller may see, the cursor behind the last row looked at, and whether rows are left
/// although none was found.
async fn own_changes(
    app: &App,
    caller: &Caller,
    facilities: &[String],
    kinds: FeedKinds,
    mut cursor: i64,
    limit: usize,
) -> Result<(Vec<FeedRow>, i64, bool), StoreError> {
    let (mut own, mut owned) = (Vec::new(), Owned::default());
    for _ in 0..SKIP_PAGES {
        let rows = app.store.feed(facilities, kinds, cursor, limit).await?;
        let full = rows.len() >= limit;
        for row in rows {
            cursor = row.cursor;
            let is_own = match &row.what {
                FeedItem::Delivery(delivery) => owned.is_own(app, caller, delivery.submission).await?,
                // The queue belongs to the facility, not to the client that asks.
                FeedItem::Booking(_) | FeedItem::Registration(_) => true,
            };
            if is_own {
                own.push(row);
            }
        }
        if !own.is_empty() || !full {
            return Ok((own, cursor, false));
        }
    }
    Ok((own, cursor, true))
}

async fn answer(app: &App, changes: &[FeedRow], cursor: i64) -> Result<Json<Value>, Problem> {
    let around = Around::read(app.store.as_ref(), app.clock.now()).await?;
    let items = changes.iter().map(|change| {
        let (facility, kind, content) = match &change.what {
            FeedItem::Delivery(one) => (&one.facility, "delivery", shown(app, one, &around)),
            FeedItem::Booking(one) => (&one.facility, "antrean", antrean::booking_json(app, one)),
            FeedItem::Registration(one) => (&one.facility, "peserta", antrean::registration_json(app, one)),
        };
        let at = view::instant(change.at, &zone(app, facility));
        let mut row = json!({ "cursor": change.cursor.to_string(), "at": at, "kind": kind });
        row[kind] = content;
        row
    });
    Ok(Json(view::page(items.collect(), Some(cursor))))
}
