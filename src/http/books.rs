//! The books that the contract wants: what the network handed in each month, the log book of telekonsultasi, and the rows
//! that claims are made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State as AppState;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::App;
use super::auth::Caller;
use super::deliveries::zone;
use super::extract::Params;
use super::problem::{Kind, Problem};
use super::view;
use crate::contract::{Offset, RuleKind};
use crate::queue::Mark;
use crate::report::claims::{Input, Network, Share};
use crate::report::frame::{Frame, Period};
use crate::report::network;
use crate::store::JournalRow;
use crate::vault::Role;

/// Which month of which facility.
pub(super) struct Month {
    pub(super) facility: String,
    pub(super) word: String,
    pub(super) from: Date,
    pub(super) to: Date,
}

impl Month {
    pub(super) fn read(app: &App, caller: &Caller, params: &mut Params) -> Result<Self, Problem> {
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

/// Clients of the network with their kinds. Of a name that was given twice the last one counts.
pub(super) fn network_kinds(app: &App) -> Result<Network, Problem> {
    let unreadable = |_| Problem::new(Kind::Internal, "Daftar klien tidak terbaca; periksa brankas.");
    let listed = app.clients.list().map_err(unreadable)?;
    let last: BTreeMap<String, (Role, Option<String>)> = listed
        .into_iter()
        .map(|client| (client.name, (client.role, client.kind.map(|kind| kind.to_string()))))
        .collect();
    let network = last.into_iter().filter(|(_, (role, _))| *role == Role::Network);
    Ok(network.map(|(name, (_, kind))| (name, kind)).collect())
}

/// The journal of a period as it stands today: with the edits, deletes and procedures that were handed in later.
pub(super) async fn journal(app: &App, facility: &str, period: Period) -> Result<Vec<JournalRow>, Problem> {
    let mut rows = app.store.journal(facility, period.from, period.to).await?;
    let (from, to) = (period.to.saturating_add(1.day()), today(app, facility).saturating_add(1.day()));
    if from <= to {
        rows.extend(app.store.journal_of(facility, from, to, &["*.edit", "*.delete", "pcare.tindakan.add"]).await?);
    }
    Ok(rows)
}

fn today(app: &App, facility: &str) -> Date {
    app.clock.now().to_zoned(zone(app, facility)).date()
}

/// `part` and `client`: whose claims.
pub(super) fn share(params: &mut Params) -> Result<Share, Problem> {
    let part = params.parsed("part", "all, facility, atau network", |text| match text {
        "all" => Some(Share::All),
        "facility" => Some(Share::Facility),
        "network" => Some(Share::Network),
        _unknown => None,
    })?;
    match (part, params.text("client")?) {
        (None, Some(client)) => Ok(Share::Client(client)),
        (Some(_), Some(_)) => Err(Problem::query("client", "tidak bersama part")),
        (part, None) => Ok(part.unwrap_or_default()),
    }
}

/// What the book of claims needs besides the journal of its period.
pub(super) struct Sides {
    network: Network,
    filed: BTreeSet<String>,
    share: Share,
    period: Period,
    /// Claims of other days that may be near their last date.
    pub(super) older: Vec<JournalRow>,
}

impl Sides {
    pub(super) async fn of(app: &App, frame: &Frame, period: Period, share: Share) -> Result<Self, Problem> {
        let marks = app.store.marks().await?;
        let own = format!("~{}", frame.facility);
        let months = marks.iter().filter_map(|mark| mark.id.strip_prefix("claim.submit~")?.strip_suffix(&own));
        let filed = months.map(str::to_owned).collect();
        let today = frame.date(frame.now);
        let from = today.saturating_sub(longest(app).saturating_add(1).months());
        // Up to now, so that later edits and deletes count; what lies in the period the book takes from its own journal.
        let older = app.store.journal_of(&frame.facility, from, today.saturating_add(1.day()), &CLAIMS).await?;
        Ok(Self { network: network_kinds(app)?, filed, share, period, older })
    }

    pub(super) fn input<'a>(&'a self, app: &'a App, frame: &'a Frame) -> Input<'a> {
        Input {
            frame,
            period: self.period,
            contracts: &app.contracts,
            network: &self.network,
            filed: &self.filed,
            share: &self.share,
        }
    }
}

/// Operations whose entries are claims.
const CLAIMS: [&str; 2] = ["pcare.tindakan.*", "pcare.kelompok.kegiatan.*"];

/// The most months after which an entry of the agreements can no longer be filed.
fn longest(app: &App) -> i32 {
    let rules = app.contracts.profiles().flat_map(|profile| &profile.rules);
    let months = rules.filter_map(|rule| match &rule.kind {
        RuleKind::Entry { last: Some(Offset::Months(months)), .. } => Some(i32::from(*months)),
        RuleKind::Entry { .. }
        | RuleKind::Monthly { .. }
        | RuleKind::Within { .. }
        | RuleKind::Yearly { .. }
        | RuleKind::Limit { .. }
        | RuleKind::Duty => None,
    });
    months.max().unwrap_or(0)
}

pub(super) async fn network(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let month = Month::read(&app, &caller, &mut params)?;
    params.finish()?;
    let kinds = network_kinds(&app)?;
    let rows = app.store.journal(&month.facility, month.from, month.to).await?;
    let mut clients: BTreeMap<String, Value> = BTreeMap::new();
    for ((name, operation), tally) in network::tallies(&rows, &kinds, app.clock.now()) {
        let client = clients.entry(name.clone()).or_insert_with(|| {
            let kind = kinds.get(&name).cloned().flatten();
            json!({ "client": name, "kind": kind, "entries": 0, "approved": 0, "waiting_for_approval": 0, "cancelled": 0,
                "delivered": 0, "unfinished": 0, "late": 0, "operations": {} })
        });
        let counts = [
            ("entries", tally.entries),
            ("approved", tally.approved()),
            ("waiting_for_approval", tally.waiting),
            ("cancelled", tally.refused),
            ("delivered", tally.delivered),
            ("unfinished", tally.unfinished()),
            ("late", tally.late),
        ];
        for (name, count) in counts {
            client[name] = json!(client[name].as_i64().unwrap_or(0) + count);
        }
        client["operations"][operation] = json!(tally.entries);
    }
    let items: Vec<Value> = clients.into_values().collect();
    Ok(Json(json!({ "facility": month.facility, "month": month.word, "items": items, "next": null })))
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
