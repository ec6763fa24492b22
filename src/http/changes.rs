//! The changes feed: what became final, from the beginning if wanted.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as AppState;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::App;
use super::auth::Caller;
use super::deliveries::{Owned, shown, zone};
use super::extract::Params;
use super::problem::Problem;
use super::view::{self, Around};
use crate::store::{Change, StoreError};

/// Longest `wait`, in seconds.
const WAIT_MAX: u64 = 60;
/// How many pages of foreign rows are skipped in one go; the answer then moves the cursor on without a row.
const SKIP_PAGES: usize = 20;

pub(super) async fn feed(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    let facilities = caller.scope(facility.as_deref())?;
    let (after, limit) = (params.cursor()?.unwrap_or(0), params.limit()?);
    let wait = params.parsed("wait", "bilangan detik", |text| text.parse::<u64>().ok())?.unwrap_or(0);
    params.finish()?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait.min(WAIT_MAX));
    let mut wake_ups = app.store.wake_ups();
    let mut cursor = after;
    loop {
        // Marked before reading: a commit in between wakes the next round.
        wake_ups.borrow_and_update();
        let (changes, last, more) = own_changes(&app, &caller, &facilities, cursor, limit).await?;
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
    mut cursor: i64,
    limit: usize,
) -> Result<(Vec<Change>, i64, bool), StoreError> {
    let (mut own, mut owned) = (Vec::new(), Owned::default());
    for _ in 0..SKIP_PAGES {
        let rows = app.store.changes(facilities, cursor, limit).await?;
        let full = rows.len() >= limit;
        for row in rows {
            cursor = row.cursor;
            if owned.is_own(app, caller, row.delivery.submission).await? {
                own.push(row);
            }
        }
        if !own.is_empty() || !full {
            return Ok((own, cursor, false));
        }
    }
    Ok((own, cursor, true))
}

async fn answer(app: &App, changes: &[Change], cursor: i64) -> Result<Json<Value>, Problem> {
    let around = Around::read(app.store.as_ref(), app.clock.now()).await?;
    let items = changes.iter().map(|change| {
        json!({
            "cursor": change.cursor.to_string(),
            "at": view::instant(change.at, &zone(app, &change.delivery.facility)),
            "delivery": shown(app, &change.delivery, &around),
        })
    });
    Ok(Json(view::page(items.collect(), Some(cursor))))
}
