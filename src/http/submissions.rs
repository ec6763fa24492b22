//! Submissions: handing in, waiting for the outcome, looking.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State as AppState};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde_json::Value;

use super::App;
use super::auth::Caller;
use super::deliveries::{shown, states, zone};
use super::extract::{Body, Params, id};
use super::problem::{Kind, Problem, full};
use super::view::{self, Around};
use crate::intake::{self, Accepted, Origin};
use crate::queue::{Delivery, State, SubmissionId};
use crate::store::{StoreError, SubmissionRow};
use crate::vault::Role;

/// Longest `Prefer: wait`, in seconds.
const WAIT_MAX: u64 = 120;
/// How many pages of foreign rows are skipped before an answer goes out with fewer rows than asked for.
const SKIP_PAGES: usize = 20;

pub(super) async fn submit(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    params: Params,
    body: Body,
) -> Result<Response, Problem> {
    params.finish()?;
    if (app.free)().is_some_and(|free| free < app.min_free) {
        return Err(full());
    }
    let body = intake::read(body.0.expose()).map_err(Problem::invalid)?;
    caller.require(&body.facility)?;
    let origin = if caller.role == Role::Network { Origin::Network } else { Origin::Own };
    let wait = preferred_wait(&headers);
    // On its own task: a client that hangs up must not stop it half-way.
    let (intake, client) = (Arc::clone(&app.intake), caller.name.clone());
    let task = tokio::spawn(async move { intake.submit(&client, origin, body).await });
    let Ok(accepted) = task.await else {
        return Err(Problem::new(Kind::Internal, "Kiriman tidak selesai diproses. Kirim ulang isi yang sama."));
    };
    let Accepted { submission, deliveries, .. } = accepted?;
    let deliveries = match wait {
        Some(seconds) => until_final(&app, submission.id, deliveries, Duration::from_secs(seconds)).await?,
        None => deliveries,
    };
    let done = deliveries.iter().all(|delivery| delivery.progress.state.is_final());
    let status = if done { StatusCode::OK } else { StatusCode::ACCEPTED };
    let around = Around::read(app.store.as_ref(), app.clock.now()).await?;
    let mut response = (status, Json(shown_submission(&app, &submission, &deliveries, &around))).into_response();
    if let Some(value) = wait.and_then(|seconds| HeaderValue::from_str(&format!("wait={seconds}")).ok()) {
        response.headers_mut().insert(HeaderName::from_static("preference-applied"), value);
    }
    failpoint!(await "accept.answer");
    Ok(response)
}

pub(super) async fn show(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(text): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let row = app.store.submission(id(&text)?).await?.filter(|row| may_see(&caller, row));
    let row = row.ok_or_else(Problem::not_found)?;
    let deliveries = app.store.deliveries_of(row.id).await?;
    let around = Around::read(app.store.as_ref(), app.clock.now()).await?;
    Ok(Json(shown_submission(&app, &row, &deliveries, &around)))
}

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    let facilities = caller.scope(facility.as_deref())?;
    let reference = params.text("ref")?;
    let state = params.parsed("state", &states(), State::of_word)?;
    let (mut after, limit) = (params.cursor()?, params.limit()?);
    params.finish()?;
    let around = Around::read(app.store.as_ref(), app.clock.now()).await?;
    let mut items = Vec::new();
    for _ in 0..SKIP_PAGES {
        let page = app.store.submissions(&facilities, reference.as_deref(), state, after, limit - items.len()).await?;
        for row in page.items.iter().filter(|row| may_see(&caller, row)) {
            let deliveries = app.store.deliveries_of(row.id).await?;
            items.push(shown_submission(&app, row, &deliveries, &around));
        }
        after = page.next;
        if after.is_none() || items.len() >= limit {
            break;
        }
    }
    Ok(Json(view::page(items, after)))
}

fn may_see(caller: &Caller, row: &SubmissionRow) -> bool {
    caller.may_use(&row.facility) && (!caller.sees_only_own() || row.client == caller.name)
}

fn shown_submission(app: &App, row: &SubmissionRow, deliveries: &[Delivery], around: &Around) -> Value {
    let deliveries = deliveries.iter().map(|delivery| shown(app, delivery, around)).collect();
    view::submission(row, deliveries, &zone(app, &row.facility))
}

/// Seconds of `Prefer: wait=N` (RFC 7240), at most [`WAIT_MAX`]; what cannot be read is ignored, as the RFC wants.
fn preferred_wait(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    let seconds = preferences.find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("wait").then(|| value.parse::<u64>().ok()).flatten()
    })?;
    Some(seconds.min(WAIT_MAX))
}

/// Waits until everything is final, the time is over or the process stops; returns the deliveries as they stand then.
async fn until_final(
    app: &App,
    id: SubmissionId,
    deliveries: Vec<Delivery>,
    patience: Duration,
) -> Result<Vec<Delivery>, StoreError> {
    let (mut deliveries, mut wake_ups) = (deliveries, app.store.wake_ups());
    let deadline = tokio::time::Instant::now() + patience;
    let mut over = false;
    while !over && !deliveries.iter().all(|delivery| delivery.progress.state.is_final()) {
        // Marked before reading: a commit in between wakes the next round.
        wake_ups.borrow_and_update();
        deliveries = app.store.deliveries_of(id).await?;
        if deliveries.iter().all(|delivery| delivery.progress.state.is_final()) {
            break;
        }
        over = tokio::select! {
            woken = wake_ups.changed() => woken.is_err(),
            () = tokio::time::sleep_until(deadline) => true,
            () = app.closing.cancelled() => true,
        };
    }
    Ok(deliveries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_read_as_rfc_7240_writes_it_and_capped() {
        let wait = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static(text));
            preferred_wait(&headers)
        };
        assert_eq!(wait("wait=10"), Some(10));
        assert_eq!(wait("respond-async, wait=\"7\"; foo=bar"), Some(7));
        assert_eq!(wait("Wait = 100000"), Some(WAIT_MAX));
        assert_eq!((wait("wait=soon"), wait("respond-async")), (None, None));
    }
}
