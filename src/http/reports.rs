//! Documents: made of the store's rows on request, in the form asked for; every making is in the security log.

use std::str::FromStr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State as AppState};
use axum::http::{HeaderName, header};
use jiff::civil::Date;

use super::auth::Caller;
use super::deliveries::zone;
use super::extract::Params;
use super::problem::{Kind as Fault, Problem};
use super::{App, books, view};
use crate::contract::figures::Kbk;
use crate::report::frame::{Frame, Parties, Period};
use crate::report::journal::Journal;
use crate::report::paper::Paper;
use crate::report::reconciliation::Reconciliation;
use crate::report::render::Form;
use crate::report::{claims, deadlines, kbk, minutes, network, outage, prolanis, telekonsultasi, visits};
use crate::store::{AuditEntry, ReconciliationRow};

/// Most days of one document.
const DAYS_MAX: i32 = 366;
/// How far back outages are looked for.
const OUTAGES: usize = 100_000;
/// Documents there are.
const KINDS: [&str; 10] =
    ["reconciliation", "outage", "rjtp", "ritp", "deadlines", "claims", "kbk", "prolanis", "network", "telekonsultasi"];

type File = ([(HeaderName, String); 3], Vec<u8>);

/// What stands in the query.
struct Asked {
    facility: Option<String>,
    id: Option<String>,
    period: Option<Period>,
    form: Form,
    claims: claims::Asked,
    share: claims::Share,
    kbk: kbk::Asked,
}

pub(super) async fn make(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(kind): Path<String>,
    params: Params,
) -> Result<File, Problem> {
    if !KINDS.contains(&kind.as_str()) {
        return Err(Problem::new(Fault::NotFound, format!("Dokumen tidak dikenal; yang ada: {}", KINDS.join(", "))));
    }
    let asked = read(params)?;
    let form = asked.form;
    let paper = match kind.as_str() {
        "reconciliation" => reconciliation(&app, &caller, &asked).await?,
        "outage" => evaluation(&app, &caller, &asked).await?,
        other => of_journal(&app, &caller, other, asked).await?,
    };
    let name = format!("{kind}.{form}");
    // Typesetting is work for the processor, not for the tasks that answer others.
    let made = tokio::task::spawn_blocking(move || form.render(&paper)).await;
    let bytes = match made {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(Problem::new(Fault::Internal, format!("dokumen tidak jadi: {error}"))),
        Err(_) => return Err(Problem::new(Fault::Internal, "dokumen tidak jadi")),
    };
    let headers = [
        (header::CONTENT_TYPE, form.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, bytes))
}

// ---- the query ----------------------------------------------------------------------------------------------------

fn read(mut params: Params) -> Result<Asked, Problem> {
    let facility = params.text("facility")?;
    let id = params.text("id")?;
    let month = params.parsed("month", "bulan YYYY-MM", Period::month)?;
    let from = day(&mut params, "from")?;
    let to = day(&mut params, "to")?;
    let forms = "salah satu dari html, pdf, xlsx, csv, json";
    let form = params.parsed("format", forms, Form::of_word)?.unwrap_or(Form::Html);
    let claimed = day(&mut params, "claimed")?;
    let paid = day(&mut params, "paid")?;
    let amount = count(&mut params, "amount")?;
    let share = books::share(&mut params)?;
    let list = |text: &str| Some(text.split(',').map(|code| code.trim().to_owned()).collect::<Vec<_>>());
    let nonspecialist = params.parsed("nonspecialist", "kode ICD-10 dipisah koma", list)?.unwrap_or_default();
    let asked = Asked {
        facility,
        id,
        period: period(month, from, to)?,
        form,
        claims: claims::Asked { claimed, paid, amount },
        share,
        kbk: kbk::Asked {
            registered: count(&mut params, "registered")?,
            nonspecialist,
            dm: count(&mut params, "dm")?,
            dm_controlled: count(&mut params, "dm_controlled")?,
            ht: count(&mut params, "ht")?,
            ht_controlled: count(&mut params, "ht_controlled")?,
        },
    };
    params.finish()?;
    Ok(asked)
}

fn day(params: &mut Params, name: &'static str) -> Result<Option<Date>, Problem> {
    params.parsed(name, "tanggal YYYY-MM-DD", |text| Date::from_str(text).ok())
}

fn count(params: &mut Params, name: &'static str) -> Result<Option<i64>, Problem> {
    // A registered population is never larger than the country's.
    let fits = |count: &i64| (0..=1_000_000_000).contains(count);
    params.parsed(name, "bilangan bulat, 0 atau lebih", |text| text.parse().ok().filter(fits))
}

/// A month, or a first and a last day.
fn period(month: Option<Period>, from: Option<Date>, to: Option<Date>) -> Result<Option<Period>, Problem> {
    let period = match (month, from, to) {
        (None, None, None) => return Ok(None),
        (Some(month), None, None) => month,
        (None, Some(from), Some(to)) => Period { from, to },
        (_, _, _) => return Err(Problem::query("month", "isi month, atau from dan to")),
    };
    let days = period.to.since(period.from).map_or(i32::MAX, |span| span.get_days());
    if (0..DAYS_MAX).contains(&days) {
        Ok(Some(period))
    } else {
        Err(Problem::query("to", "harus 0 sampai 365 hari sesudah from"))
    }
}

// ---- the documents ------------------------------------------------------------------------------------------------

impl App {
    pub(super) async fn frame(&self, facility: &str, caller: &Caller) -> Result<Frame, Problem> {
        let head = self.store.audit_head().await?;
        let own = self.facility(facility).map(|known| known.party.clone()).unwrap_or_default();
        Ok(Frame {
            facility: facility.to_owned(),
            facility_name: self.facility(facility).map_or(facility, |known| &known.name).to_owned(),
            zone: zone(self, facility),
            now: self.clock.now(),
            actor: caller.name.clone(),
            checkpoint: head.map(|entry| (entry.seq, entry.hash)),
            parties: Parties { own, ..self.parties.as_ref().clone() },
        })
    }

    async fn note(&self, caller: &Caller, kind: &str, object: &str, detail: String) -> Result<(), Problem> {
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: caller.name.clone(),
            action: format!("report.{kind}"),
            object: object.to_owned(),
            detail,
        };
        Ok(self.store.log(entry).await?)
    }
}

async fn reconciliation(app: &App, caller: &Caller, asked: &Asked) -> Result<Paper, Problem> {
    let row = stored(app, caller, asked).await?;
    let frame = app.frame(&row.facility, caller).await?;
    let zone = zone(app, &row.facility);
    let settlements = app.store.settlements(&row.id).await?;
    let report = view::settled(view::reconciliation(&row, &zone), &settlements, &zone);
    let outages: Vec<_> = app.store.outages(OUTAGES).await?.iter().map(|row| view::outage(row, &zone)).collect();
    let title = |name: &str| app.catalogue.operation(name).map_or_else(|| name.to_owned(), |known| known.title.clone());
    let report = Reconciliation::read(&report, &outages, &frame.facility_name, title)
        .map_err(|error| Problem::new(Fault::Internal, error.to_string()))?;
    app.note(caller, "reconciliation", &row.facility, format!("{} {}", row.id, asked.form)).await?;
    Ok(minutes::minutes(&frame, &report))
}

/// By its id, or the newest of exactly these days.
async fn stored(app: &App, caller: &Caller, asked: &Asked) -> Result<ReconciliationRow, Problem> {
    let id = match (&asked.id, &asked.facility, asked.period) {
        (Some(id), _, _) => id.clone(),
        (None, Some(facility), Some(period)) => {
            caller.require(facility)?;
            let all = app.store.reconciliations(Some(facility), 1000).await?;
            let newest = all.into_iter().find(|row| row.from == period.from && row.to == period.to);
            newest.ok_or_else(Problem::not_found)?.id
        }
        (None, _, _) => return Err(Problem::query("id", "wajib, atau facility dengan from dan to")),
    };
    let row = app.store.reconciliation(&id).await?.filter(|row| caller.may_use(&row.facility));
    row.ok_or_else(Problem::not_found)
}

async fn evaluation(app: &App, caller: &Caller, asked: &Asked) -> Result<Paper, Problem> {
    let id: Option<i64> = asked.id.as_deref().and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| Problem::query("id", "wajib: nomor gangguan"))?;
    let row = app.store.outages(OUTAGES).await?.into_iter().find(|row| row.id == id && caller.may_use(&row.facility));
    let row = row.ok_or_else(Problem::not_found)?;
    let frame = app.frame(&row.facility, caller).await?;
    app.note(caller, "outage", &row.facility, format!("{id} {}", asked.form)).await?;
    let effect = app.store.outage_effect(id, frame.now).await?.unwrap_or_default();
    let plans = app.store.outage_plans(row.opened_at).await?;
    let plan = plans.iter().find(|plan| plan.covers(&row.facility, row.opened_at));
    Ok(outage::evaluation(&frame, &row, effect, plan))
}

async fn of_journal(app: &App, caller: &Caller, kind: &str, asked: Asked) -> Result<Paper, Problem> {
    let facility = asked.facility.ok_or_else(|| Problem::query("facility", "wajib"))?;
    let period = asked.period.ok_or_else(|| Problem::query("month", "wajib, atau from dan to"))?;
    caller.require(&facility)?;
    if app.facility(&facility).is_none() {
        return Err(Problem::query("facility", "faskes ini tidak dikonfigurasi; periksa kodenya"));
    }
    let frame = app.frame(&facility, caller).await?;
    let rows = books::journal(app, &facility, period).await?;
    let journal = Journal::new(&rows);
    let paper = match kind {
        "rjtp" => visits::form(&frame, period, visits::Care::Rjtp, &journal),
        "ritp" => visits::form(&frame, period, visits::Care::Ritp, &journal),
        "deadlines" => deadlines::timeliness(&frame, period, &journal),
        "claims" | "prolanis" => {
            let sides = books::Sides::of(app, &frame, period, asked.share).await?;
            let (input, older) = (sides.input(app, &frame), Journal::new(&sides.older));
            match kind {
                "claims" => claims::claims(&input, &journal, &older, &asked.claims),
                _ => prolanis::participation(&input, &journal),
            }
        }
        "kbk" => {
            let rules = app.contracts.of(period.from).money.kbk.as_ref().and_then(Kbk::of);
            kbk::estimate(&frame, period, &journal, rules.as_ref(), &asked.kbk)
        }
        "network" => {
            let of =
                |name: &str| app.catalogue.operation(name).map_or_else(|| name.to_owned(), |own| own.title.clone());
            network::monthly(&frame, period, &rows, &books::network_kinds(app)?, of)
        }
        _ => telekonsultasi::book(&frame, period, &journal),
    };
    app.note(caller, kind, &facility, format!("{} {} {}", period.from, period.to, asked.form)).await?;
    Ok(paper)
}
