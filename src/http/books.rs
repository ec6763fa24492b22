//! The books that the contract wants: what the network handed in each month, and the log book of telekonsultasi.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State as AppState;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::App;
use super::auth::Caller;
use super::deliveries::zone;
use super::extract::Params;
use super::problem::{Kind, Problem};
use super::view;
use crate::queue::{Mark, State};
use crate::store::JournalRow;
use crate::vault::Role;

/// Which month of which facility.
struct Month {
    facility: String,
    word: String,
    from: Date,
    to: Date,
}

impl Month {
    fn read(app: &App, caller: &Caller, params: &mut Params) -> Result<Self, Problem> {
        let missing = |name: &str| Problem::query(name, "wajib diisi");
        let facility = params.text("facility")?.ok_or_else(|| missing("facility"))?;
        let parse = |text: &str| Some((text.to_owned(), format!("{text}-01").parse::<Date>().ok()?));
        let month = params.parsed("month", "bulan YYYY-MM", parse)?;
        let (word, from) = month.ok_or_else(|| missing("month"))?;
        caller.require(&facility)?;
        app.facility(&facility).ok_or_else(Problem::not_found)?;
        Ok(Self { facility, word, from, to: from.last_of_month() })
    }
}

pub(super) async fn network(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let month = Month::read(&app, &caller, &mut params)?;
    params.finish()?;
    let unreadable = |_| Problem::new(Kind::Internal, "Daftar klien tidak terbaca; periksa brankas.");
    let listed = app.clients.list().map_err(unreadable)?;
    let roles: BTreeMap<String, Role> = listed.into_iter().map(|client| (client.name, client.role)).collect();
    let counts = app.store.client_counts(&month.facility, month.from, month.to).await?;
    let mut clients: BTreeMap<String, Value> = BTreeMap::new();
    for row in counts.iter().filter(|row| roles.get(&row.client) == Some(&Role::Network)) {
        let client = clients.entry(row.client.clone()).or_insert_with(|| {
            json!({ "client": row.client, "entries": 0, "delivered": 0, "waiting_for_approval": 0, "cancelled": 0,
                "unfinished": 0, "operations": {} })
        });
        let mut add = |name: &str| client[name] = json!(client[name].as_i64().unwrap_or(0) + row.count);
        add("entries");
        match row.state {
            State::Delivered => add("delivered"),
            State::Cancelled => add("cancelled"),
            State::Held if row.why.as_deref() == Some("approval") => add("waiting_for_approval"),
            State::Held | State::Waiting | State::Sending | State::Unanswered | State::Refused | State::Expired => {
                add("unfinished");
            }
        }
        let before = client["operations"][&row.operation].as_i64().unwrap_or(0);
        client["operations"][&row.operation] = json!(before + row.count);
    }
    Ok(Json(
        json!({ "facility": month.facility, "month": month.word, "items": clients.into_values().collect::<Vec<_>>(), "next": null }),
    ))
}

pub(super) async fn telekonsultasi(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Response, Problem> {
    let month = Month::read(&app, &caller, &mut params)?;
    let csv = params.parsed("format", "json atau csv", |text| match text {
        "json" => Some(false),
        "csv" => Some(true),
        _unknown => None,
    })?;
    params.finish()?;
    let rows = app.store.marked(&month.facility, Mark::Telekonsultasi, month.from, month.to).await?;
    let zone = zone(&app, &month.facility);
    let lines: Vec<Value> = rows.iter().map(|row| line(row, &zone)).collect();
    if csv != Some(true) {
        let body = json!({ "facility": month.facility, "month": month.word, "items": lines, "next": null });
        return Ok(Json(body).into_response());
    }
    let head = [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((head, csv_of(&lines)).into_response())
}

fn line(row: &JournalRow, zone: &jiff::tz::TimeZone) -> Value {
    let (delivery, payload) = (&row.delivery, row.payload.expose());
    json!({
        "date": delivery.service_date.map(|day| day.to_string()),
        "occurred_at": delivery.occurred_at.map(|at| view::instant(at, zone)),
        "ref": format!("{}/{}", row.reference, delivery.entry_ref),
        "operation": delivery.operation,
        "noKartu": payload["noKartu"],
        "keluhan": payload["keluhan"],
        "state": delivery.progress.state.word(),
        "noKunjungan": delivery.progress.remote.expose().get("noKunjungan"),
        "delivery": delivery.id.to_string(),
    })
}

/// Semicolons and a byte order mark: what spreadsheets of the region open. A cell that would be a formula is made a text.
fn csv_of(lines: &[Value]) -> String {
    const COLUMNS: [&str; 8] =
        ["date", "occurred_at", "ref", "operation", "noKartu", "keluhan", "state", "noKunjungan"];
    let cell = |value: &Value| {
        let text = value.as_str().map_or_else(String::new, str::to_owned);
        let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        format!("\"{}{}\"", if risky { "'" } else { "" }, text.replace('"', "\"\""))
    };
    let mut csv = format!("\u{feff}{}\r\n", COLUMNS.join(";"));
    for line in lines {
        let cells: Vec<String> = COLUMNS.iter().map(|name| cell(&line[name])).collect();
        csv.push_str(&format!("{}\r\n", cells.join(";")));
    }
    csv
}
