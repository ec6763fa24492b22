//! The SIM's side of the facility's queue (Antrean FKTP): schedule and quota, numbers at the counter, the number being
//! called, known patients, registrations of new ones.

use std::sync::Arc;

use axum::extract::{Path, State as AppState};
use axum::{Extension, Json};
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::App;
use super::antrean_rows::{normal_hours, patients, sessions};
use super::auth::Caller;
use super::deliveries::zone;
use super::extract::{Body, Fields, Params};
use super::problem::{Kind, Problem, full};
use super::view;
use crate::intake::Fault;
use crate::secret::Private;
use crate::store::antrean::{
    BookAsk, Booked, Booking, BookingFilter, BookingState, CallAsk, CallDone, MoveAsk, Moved, NoNumber, Origin, Queue,
    Registration, RegistrationState, antrean_id,
};

/// Most days of one schedule.
const DAYS_MAX: i32 = 62;

/// A facility that is served and that the caller speaks for.
fn own(app: &App, caller: &Caller, facility: &str) -> Result<(), Problem> {
    caller.require(facility)?;
    app.facility(facility).map(|_| ()).ok_or_else(Problem::not_found)
}

fn day(fields: &mut Fields, name: &'static str) -> Option<Date> {
    fields.parsed(name, "tanggal yyyy-mm-dd", |value| value.as_str()?.parse().ok())
}

// ---- schedule ---------------------------------------------------------------------------------------------------

pub(super) async fn set_schedule(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let facility = fields.required("facility", 20);
    let (from, to) = (day(&mut fields, "from"), day(&mut fields, "to"));
    let weekday = |value: &Value| value.as_i64().filter(|day| (1..=7).contains(day));
    let all = |value: &Value| value.as_array()?.iter().map(weekday).collect::<Option<Vec<i64>>>();
    let weekdays = fields.parsed("days", "daftar hari 1 (Senin) sampai 7 (Minggu)", all);
    let rows = fields.value("jadwal");
    let Some(from) = from else {
        fields.fault("from", "wajib diisi: tanggal yyyy-mm-dd");
        return Err(fields.finish().err().unwrap_or_else(Problem::not_found));
    };
    let to = to.unwrap_or(from);
    if to < from || (to - from).get_days() >= DAYS_MAX {
        fields.fault("to", format!("harus pada atau sesudah \"from\", paling banyak {DAYS_MAX} hari"));
    }
    fields.finish()?;
    own(&app, &caller, &facility)?;
    let wanted = |day: &Date| {
        weekdays.as_ref().is_none_or(|days| days.contains(&i64::from(day.weekday().to_monday_one_offset())))
    };
    let days: Vec<Date> = from.series(1.day()).take_while(|day| *day <= to).filter(wanted).collect();
    let sessions = sessions(&facility, &days, rows.unwrap_or(Value::Null)).map_err(Problem::invalid)?;
    let count = sessions.len();
    let orphans = app.store.set_sessions(&facility, days, sessions).await?;
    Ok(Json(json!({ "jadwal": count, "tanpa_jadwal": orphans })))
}

pub(super) async fn schedule(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?.ok_or_else(|| Problem::query("facility", "wajib diisi"))?;
    let poli = params.text("kodepoli")?;
    let (from, to) = days(&app, &mut params, &facility)?;
    params.finish()?;
    own(&app, &caller, &facility)?;
    let queues = app.store.queues(&facility, poli.as_deref(), from, to).await?;
    Ok(Json(view::page(queues.iter().map(queue_json).collect(), None)))
}

/// `from` and `to`; today at the facility unless told.
fn days(app: &App, params: &mut Params, facility: &str) -> Result<(Date, Date), Problem> {
    let wanted = "tanggal yyyy-mm-dd";
    let from = params.parsed("from", wanted, |text| text.parse::<Date>().ok())?;
    let to = params.parsed("to", wanted, |text| text.parse::<Date>().ok())?;
    let from = from.unwrap_or_else(|| app.clock.now().to_zoned(zone(app, facility)).date());
    Ok((from, to.unwrap_or(from)))
}

fn queue_json(queue: &Queue) -> Value {
    let session = &queue.session;
    json!({
        "facility": session.facility,
        "tanggal": session.day.to_string(),
        "kodepoli": session.poli,
        "namapoli": session.poli_name,
        "kodedokter": session.doctor,
        "namadokter": session.doctor_name,
        "jampraktek": session.hours,
        "kuota": session.quota,
        "buka": session.opens.map(|time| time.strftime("%H:%M").to_string()),
        "tutup": session.closes.strftime("%H:%M").to_string(),
        "awalan": session.prefix,
        "keterangan": session.remark,
        "total": queue.total,
        "sisa": queue.waiting,
        "dipanggil": queue.called,
    })
}

// ---- numbers ----------------------------------------------------------------------------------------------------

/// A number at the counter, from the same sequence that Mobile JKN's patients draw from.
pub(super) async fn book(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    if (app.free)().is_some_and(|free| free < app.min_free) {
        return Err(full());
    }
    let mut fields = Fields::of(body)?;
    let facility = fields.required("facility", 20);
    let poli = fields.required("kodepoli", 10);
    let day = day(&mut fields, "tanggalperiksa");
    let doctor = fields.parsed("kodedokter", "bilangan bulat", Value::as_i64);
    let at = fields.parsed("jampraktek", "jam seperti 08:00-12:00", |value| normal_hours(value.as_str()?));
    let reference = fields.text("ref", 200);
    let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let card = fields.text("nomorkartu", 13).filter(|text| digits(text, 13));
    let mut person = Map::new();
    for name in ["nik", "norm", "nohp", "nama", "keluhan"] {
        person.extend(fields.text(name, 500).map(|text| (name.to_owned(), Value::from(text))));
    }
    if let Some(card) = &card {
        person.insert("nomorkartu".to_owned(), card.clone().into());
    }
    if card.is_none() && reference.is_none() {
        fields.fault("nomorkartu", "wajib 13 angka; tanpa kartu, isi \"ref\" agar pengulangan dikenali");
    }
    if day.is_none() {
        fields.fault("tanggalperiksa", "wajib diisi: tanggal yyyy-mm-dd");
    }
    fields.finish()?;
    own(&app, &caller, &facility)?;
    let now = app.clock.now();
    let ask = BookAsk {
        id: antrean_id(now, &app.chance.ten()),
        day: day.ok_or_else(Problem::not_found)?,
        poli,
        doctor,
        hours: at,
        card: card.map(Private::new),
        reference,
        origin: Origin::Sim,
        person: Private::new(Value::Object(person)),
        known_only: false,
        now,
        local: now.to_zoned(zone(&app, &facility)).datetime(),
        facility,
    };
    match app.store.book(ask).await? {
        Booked::New(place) | Booked::Repeat(place) => {
            let mut value = booking_json(&app, &place.booking);
            value["sisaantrean"] = place.ahead.into();
            value["antreanpanggil"] = json!(place.called);
            Ok(Json(value))
        }
        Booked::Refused(why) => Err(refused(&why)),
    }
}

fn refused(why: &NoNumber) -> Problem {
    let (code, detail) = match why {
        NoNumber::PoliUnknown => ("poli", "Poli ini belum pernah punya jadwal; kirim PUT /v1/antrean/jadwal dahulu."),
        NoNumber::Closed | NoNumber::ClosedAt(..) => {
            ("closed", "Tidak ada jadwal yang buka untuk poli dan tanggal ini.")
        }
        NoNumber::DoctorUnknown => ("doctor", "Dokter ini tidak berjadwal di poli dan tanggal ini."),
        NoNumber::HoursUnknown => ("hours", "Dokter ini tidak berjadwal pada jam praktek ini."),
        NoNumber::Full => ("full", "Kuota habis; tambah kuota lewat PUT /v1/antrean/jadwal."),
        NoNumber::Past => ("past", "Tanggal periksa sudah lewat."),
        NoNumber::PatientUnknown | NoNumber::PatientRefused(_) => ("patient", "Pasien belum dikenal."),
    };
    Problem::new(Kind::State, detail).with("state", code)
}

/// A booking as the SIM sees it.
pub(super) fn booking_json(app: &App, booking: &Booking) -> Value {
    let zone = zone(app, &booking.facility);
    json!({
        "id": booking.id,
        "facility": booking.facility,
        "state": booking.state.word(),
        "origin": booking.origin.word(),
        "ref": booking.reference,
        "tanggalperiksa": booking.day.to_string(),
        "kodepoli": booking.poli,
        "namapoli": booking.poli_name,
        "kodedokter": booking.doctor,
        "namadokter": booking.doctor_name,
        "jampraktek": booking.hours,
        "nomorantrean": booking.label,
        "angkaantrean": booking.number,
        "person": booking.person.as_ref().map(Private::expose),
        "reason": booking.reason.as_ref().map(Private::expose),
        "booked_at": view::instant(booking.booked_at, &zone),
        "updated_at": view::instant(booking.updated_at, &zone),
    })
}

pub(super) async fn list(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    let wanted = "tanggal yyyy-mm-dd";
    let from = params.parsed("from", wanted, |text| text.parse::<Date>().ok())?;
    let to = params.parsed("to", wanted, |text| text.parse::<Date>().ok())?;
    let states: Vec<&str> = BookingState::ALL.iter().map(|state| state.word()).collect();
    let filter = BookingFilter {
        facilities: caller.scope(facility.as_deref())?,
        days: from.map(|from| (from, to.unwrap_or(from))),
        poli: params.text("kodepoli")?,
        state: params.parsed("state", &states.join(", "), BookingState::of_word)?,
        after: params.cursor()?,
        limit: params.limit()?,
    };
    params.finish()?;
    let page = app.store.bookings(filter).await?;
    Ok(Json(view::page(page.items.iter().map(|one| booking_json(&app, one)).collect(), page.next)))
}

/// A booking that the caller may see; what it may not see does not exist for it.
async fn find(app: &App, caller: &Caller, id: &str) -> Result<Booking, Problem> {
    let found = app.store.booking(id).await?.filter(|booking| caller.may_use(&booking.facility));
    found.ok_or_else(Problem::not_found)
}

pub(super) async fn show(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    Ok(Json(booking_json(&app, &find(&app, &caller, &id).await?)))
}

pub(super) async fn set_state(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let states: Vec<&str> = BookingState::ALL.iter().map(|state| state.word()).collect();
    let wanted = format!("salah satu dari {}", states.join(", "));
    let to = fields.parsed("state", &wanted, |value| BookingState::of_word(value.as_str()?));
    let reason = fields.text("reason", 500).map(Private::new);
    if to == Some(BookingState::Cancelled) && reason.is_none() {
        fields.fault("reason", "wajib diisi untuk pembatalan");
    }
    fields.finish()?;
    let to = to.ok_or_else(|| Problem::invalid(vec![Fault::new("/state", format!("harus {wanted}"))]))?;
    find(&app, &caller, &id).await?;
    match app.store.move_booking(MoveAsk { id, to, reason, now: app.clock.now() }).await? {
        Moved::Done(booking) => Ok(Json(booking_json(&app, &booking))),
        Moved::None => Err(Problem::not_found()),
        Moved::Not(state) => Err(not_from(state)),
    }
}

fn not_from(state: BookingState) -> Problem {
    let detail = format!("Antrean ini sudah \"{state}\" dan tidak dapat berpindah ke sana.");
    Problem::new(Kind::State, detail).with("state", state.word())
}

pub(super) async fn call(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let facility = fields.required("facility", 20);
    let poli = fields.required("kodepoli", 10);
    let label = fields.required("nomorantrean", 30);
    let day = day(&mut fields, "tanggalperiksa");
    let doctor = fields.parsed("kodedokter", "bilangan bulat", Value::as_i64);
    let at = fields.parsed("jampraktek", "jam seperti 08:00-12:00", |value| normal_hours(value.as_str()?));
    fields.finish()?;
    own(&app, &caller, &facility)?;
    let now = app.clock.now();
    let day = day.unwrap_or_else(|| now.to_zoned(zone(&app, &facility)).date());
    let ask = CallAsk { facility: facility.clone(), day, poli: poli.clone(), doctor, hours: at, label, now };
    match app.store.call_number(ask).await? {
        CallDone::Done(booking) => {
            let queues = app.store.queues(&facility, Some(&poli), day, day).await?;
            let queues: Vec<Value> = queues.iter().map(queue_json).collect();
            Ok(Json(json!({ "antrean": booking.map(|one| booking_json(&app, &one)), "jadwal": queues })))
        }
        CallDone::NoQueue => Err(Problem::new(
            Kind::State,
            "Nomor ini tidak dikenal dan jadwalnya tidak tunggal; sebutkan kodedokter dan jampraktek.",
        )),
        CallDone::Not(state) => Err(not_from(state)),
    }
}

// ---- patients ---------------------------------------------------------------------------------------------------

pub(super) async fn put_patients(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let facility = fields.required("facility", 20);
    let rows = fields.value("pasien").unwrap_or(Value::Null);
    fields.finish()?;
    own(&app, &caller, &facility)?;
    let patients = patients(rows).map_err(Problem::invalid)?;
    let count = patients.len();
    app.store.put_patients(&facility, patients).await?;
    Ok(Json(json!({ "pasien": count })))
}

/// A registration as the SIM sees it.
pub(super) fn registration_json(app: &App, one: &Registration) -> Value {
    let zone = zone(app, &one.facility);
    let answer = one.answer.as_ref().map(Private::expose);
    let (norm, reason) = match one.state {
        RegistrationState::Waiting | RegistrationState::Accepted => (answer, None),
        RegistrationState::Refused => (None, answer),
    };
    json!({
        "id": one.id,
        "facility": one.facility,
        "state": one.state.word(),
        "peserta": one.body.as_ref().map(Private::expose),
        "norm": norm,
        "reason": reason,
        "asked_at": view::instant(one.asked_at, &zone),
        "updated_at": view::instant(one.updated_at, &zone),
    })
}

pub(super) async fn registrations(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let facility = params.text("facility")?;
    let scope = caller.scope(facility.as_deref())?;
    let state = params.parsed("state", "waiting, accepted atau refused", RegistrationState::of_word)?;
    let (after, limit) = (params.cursor()?, params.limit()?);
    params.finish()?;
    let page = app.store.registrations(&scope, state, after, limit).await?;
    Ok(Json(view::page(page.items.iter().map(|one| registration_json(&app, one)).collect(), page.next)))
}

/// The SIM's answer: a record number, or why not.
pub(super) async fn answer_registration(
    AppState(app): AppState<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    params: Params,
    body: Body,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut fields = Fields::of(body)?;
    let (norm, reason) = (fields.text("norm", 50), fields.text("reason", 200));
    let answer = match (norm, reason) {
        (Some(norm), None) => Some(Ok(Private::new(norm))),
        (None, Some(reason)) => Some(Err(Private::new(reason))),
        (Some(_), Some(_)) | (None, None) => {
            fields.fault("norm", "isi salah satu: \"norm\" bila diterima, \"reason\" bila ditolak");
            None
        }
    };
    fields.finish()?;
    let answer = answer.ok_or_else(Problem::not_found)?;
    let known = app.store.registration(&id).await?.filter(|one| caller.may_use(&one.facility));
    known.ok_or_else(Problem::not_found)?;
    let done = app.store.answer_registration(&id, answer, app.clock.now()).await?;
    Ok(Json(registration_json(&app, &done.ok_or_else(Problem::not_found)?)))
}
