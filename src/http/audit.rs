//! The security log, for whoever verifies or exports its chain.

use std::sync::Arc;

use axum::extract::State as AppState;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::App;
use super::auth::Caller;
use super::extract::Params;
use super::problem::Problem;
use super::view;
use crate::audit::Entry;

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let after = params.cursor()?.unwrap_or(0);
    let limit = params.limit()?;
    params.finish()?;
    // A chain has no holes to hide a facility in: it is shown whole or not at all.
    if !app.facilities.iter().all(|facility| caller.may_use(&facility.code)) {
        return Err(Problem::forbidden(
            "Log keamanan memuat semua faskes; mintalah operator yang berhak atas semuanya.",
        ));
    }
    let entries = app.store.audit(after, limit).await?;
    let next = entries.last().map(|entry| entry.seq).filter(|_| entries.len() == limit);
    Ok(Json(view::page(entries.iter().map(shown).collect(), next)))
}

/// An entry as its hash was made of it: the instant in UTC.
fn shown(entry: &Entry) -> Value {
    json!({
        "seq": entry.seq, "at": entry.at.to_string(), "actor": entry.actor, "action": entry.action,
        "object": entry.object, "detail": entry.detail, "hash": entry.hash,
    })
}
