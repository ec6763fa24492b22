//! Settling the differences of a reconciliation, one by one, on record.

use std::sync::Arc;

use axum::extract::{Path, State as AppState};
use axum::{Extension, Json};
use serde_json::Value;

use super::App;
use super::actions;
use super::auth::Caller;
use super::deliveries::zone;
use super::extract::{Body, Fields, Params};
use super::problem::{Kind, Problem};
use super::view;
use crate::intake::Fault;
use crate::secret::Private;
use crate::store::{Settled, Settlement};

pub(super) async fn settle(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((id, n)): Path<(String, String)>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let reason = fields.reason();
    let words: Vec<&str> = Settled::ALL.iter().map(|how| how.word()).collect();
    let words = format!("salah satu dari {}", words.join(", "));
    let how = fields.parsed("how", &words, |value| Settled::of_word(value.as_str()?));
    if how.is_none() {
        fields.fault("how", format!("wajib diisi: {words}"));
    }
    let remote = fields.parsed("remote", "objek JSON berisi nomor dari BPJS", |value| value.as_object().cloned());
    if remote.is_some() && how.is_some_and(|how| how != Settled::Adopted) {
        fields.fault("remote", "hanya untuk how adopted");
    }
    fields.finish()?;
    let how = how.unwrap_or(Settled::Other);
    let row = app.store.reconciliation(&id).await?.filter(|row| caller.may_use(&row.facility));
    let row = row.ok_or_else(Problem::not_found)?;
    let wanted: i64 = super::extract::id(&n)?;
    let zone = zone(&app, &row.facility);
    let report = view::reconciliation(&row, &zone);
    let item = numbered(&report, wanted).ok_or_else(Problem::not_found)?;
    if how == Settled::Adopted {
        adopt(&app, &caller, &item, remote, &reason).await?;
    }
    let (actor, at) = (caller.name.clone(), app.clock.now());
    let settled =
        Settlement { reconciliation: row.id.clone(), item: wanted, how, reason: Private::new(reason), actor, at };
    app.store.settle(settled).await?;
    let settlements = app.store.settlements(&row.id).await?;
    let report = view::settled(report, &settlements, &zone);
    Ok(Json(numbered(&report, wanted).unwrap_or_default()))
}

fn numbered(report: &Value, n: i64) -> Option<Value> {
    report["items"].as_array()?.iter().find(|item| item["n"].as_i64() == Some(n)).cloned()
}

/// With a person's consent what was not certain is adopted, through the same transition as everything else.
async fn adopt(
    app: &Arc<App>,
    caller: &Caller,
    item: &Value,
    remote: Option<serde_json::Map<String, Value>>,
    reason: &str,
) -> Result<(), Problem> {
    if item["adopted"] == true {
        return Ok(());
    }
    let Some(delivery) = item["delivery"].as_str() else {
        return Err(Problem::new(Kind::State, "Perbedaan ini tidak punya entri di jembatan; pakai how lain."));
    };
    let Some(mut remote) = remote else {
        let detail = "wajib diisi untuk adopted: nomor dari BPJS, lihat 'near' pada perbedaan ini atau P-Care";
        return Err(Problem::invalid(vec![Fault::new("/remote", detail)]));
    };
    // The row that was chosen says what its id is unique within.
    let chosen = item["near"].as_array().into_iter().flatten().find(|near| remote.values().any(|id| *id == near["id"]));
    let operation = app.catalogue.operation(item["operation"].as_str().unwrap_or_default());
    for field in operation.map_or(&[][..], |operation| operation.id_scope.as_slice()) {
        let value = chosen.map(|near| near["key"][field].clone()).filter(|value| !value.is_null());
        if let Some(value) = value {
            remote.entry(field.clone()).or_insert(value);
        }
    }
    actions::adopt(app, caller, delivery, &remote, reason.to_owned()).await
}
