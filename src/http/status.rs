//! The screen of the person in charge: the same view as the status page, as JSON.

use std::sync::Arc;

use axum::extract::State as AppState;
use axum::{Extension, Json};
use serde_json::Value;

use super::App;
use super::auth::Caller;
use super::extract::Params;
use super::problem::Problem;

pub(super) async fn show(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    params.finish()?;
    let scope = caller.scope(facility.as_deref())?;
    Ok(Json((app.status)(scope).await))
}
