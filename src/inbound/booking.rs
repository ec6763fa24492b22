//! A number is taken, a number is given back.

use serde_json::{Map, Value, json};

use super::answer::{self, Answer};
use super::fields::{Body, hours};
use super::{App, Caller};
use crate::config::UnknownPatient;
use crate::secret::Private;
use crate::store::antrean::{BookAsk, Booked, BookingState, NoNumber, Origin, Place, Withdrawn, antrean_id};

/// Longest telephone number, its signs included.
const PHONE_MAX: usize = 20;

pub(super) async fn book(app: &App, caller: &Caller<'_>, body: &Body, v2_path: bool) -> Result<Answer, Answer> {
    // Both forms come on one path: the newer names doctor and hours.
    let v2 = v2_path || body.has("kodedokter") || body.has("jampraktek");
    let ask = read(app, caller, body, v2)?;
    if !(app.parts.has_room)() {
        return Err(Answer::unavailable());
    }
    match app.parts.store.book(ask).await? {
        Booked::New(place) => Ok(Answer::ok(given(&place, v2))),
        Booked::Repeat(_) => Err(Answer::fail(answer::TWICE)),
        Booked::Refused(why) => Err(refused(why, app.parts.settings.unknown_patient)),
    }
}

fn read(app: &App, caller: &Caller<'_>, body: &Body, v2: bool) -> Result<BookAsk, Answer> {
    let card = body.card()?;
    let nik = body.nik()?;
    let poli = body.poli()?;
    let day = body.day(app, caller)?;
    let (doctor, session_hours) = if v2 { (Some(doctor(body)?), Some(session_hours(body)?)) } else { (None, None) };
    let phone = body.text("nohp");
    let phone_like = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ' | '(' | ')');
    if phone.len() > PHONE_MAX || !phone.chars().all(phone_like) {
        return Err(Answer::fail(answer::PHONE_FORM));
    }
    if !body.is_tidy() {
        return Err(Answer::fail(answer::COMPLAINT_FORM));
    }
    let mut person = Map::new();
    let fields = [
        ("nomorkartu", card.expose().clone()),
        ("nik", nik),
        ("norm", body.text("norm")),
        ("nohp", phone),
        ("keluhan", body.text("keluhan")),
    ];
    person.extend(
        fields.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), text.into())),
    );
    let now = app.parts.clock.now();
    Ok(BookAsk {
        id: antrean_id(now, &app.parts.chance.ten()),
        facility: caller.facility.code.clone(),
        day,
        poli,
        doctor,
        hours: session_hours,
        card: Some(card),
        reference: None,
        origin: Origin::MobileJkn,
        person: Private::new(Value::Object(person)),
        known_only: app.parts.settings.unknown_patient != UnknownPatient::Accept,
        now,
        local: now.to_zoned(caller.facility.timezone.clone()).datetime(),
    })
}

fn doctor(body: &Body) -> Result<i64, Answer> {
    let text = body.text("kodedokter");
    if text.is_empty() || text == "0" {
        return Err(Answer::fail(answer::DOCTOR_EMPTY));
    }
    text.parse().map_err(|_| Answer::fail(answer::DOCTOR_UNKNOWN))
}

fn session_hours(body: &Body) -> Result<String, Answer> {
    let text = hours(&body.text("jampraktek"));
    if text.is_empty() { Err(Answer::fail(answer::HOURS_EMPTY)) } else { Ok(text) }
}

/// As the catalogue prints it: the number is a text in the first form and a number in the second.
fn given(place: &Place, v2: bool) -> Value {
    let booking = &place.booking;
    let number = if v2 { json!(booking.number) } else { json!(booking.number.to_string()) };
    json!({
        "nomorantrean": booking.label,
        "angkaantrean": number,
        "namapoli": booking.poli_name,
        "sisaantrean": place.ahead.to_string(),
        "antreanpanggil": place.called.as_deref().unwrap_or(answer::NOBODY),
        "keterangan": if place.remark.is_empty() { answer::REMINDER } else { place.remark.as_str() },
    })
}

fn refused(why: NoNumber, unknown: UnknownPatient) -> Answer {
    match why {
        NoNumber::PoliUnknown => Answer::fail(answer::POLI_UNKNOWN),
        NoNumber::Closed => Answer::fail(answer::CLOSED),
        NoNumber::ClosedAt(poli, time) => Answer::closed_at(&poli, time),
        NoNumber::DoctorUnknown => Answer::fail(answer::DOCTOR_UNKNOWN),
        NoNumber::HoursUnknown => Answer::fail(answer::HOURS_UNKNOWN),
        NoNumber::Full => Answer::fail(answer::FULL),
        NoNumber::Past => Answer::fail(answer::DATE_PAST),
        NoNumber::PatientRefused(why) => Answer::fail(why.into_inner()),
        NoNumber::PatientUnknown => match unknown {
            UnknownPatient::New => Answer::new_patient(),
            UnknownPatient::Refuse | UnknownPatient::Accept => Answer::fail(answer::STRANGER),
        },
    }
}

pub(super) async fn cancel(app: &App, caller: &Caller<'_>, body: &Body) -> Result<Answer, Answer> {
    let (card, poli, day) = (body.card()?, body.poli()?, body.day(app, caller)?);
    if !body.is_tidy() {
        return Err(Answer::fail(answer::TOO_LONG));
    }
    let reason = Some(body.text("keterangan")).filter(|text| !text.is_empty()).map(Private::new);
    let code = &caller.facility.code;
    let done = app.parts.store.withdraw(code, card, &poli, day, reason, app.parts.clock.now()).await?;
    match done {
        Withdrawn::Done(_) => Ok(Answer::done()),
        Withdrawn::None => Err(Answer::fail(answer::NOT_FOUND)),
        Withdrawn::Already => Err(Answer::fail(answer::ALREADY_CANCELLED)),
        Withdrawn::Not(BookingState::Served) => Err(Answer::fail(answer::SERVED)),
        Withdrawn::Not(
            BookingState::Booked | BookingState::Called | BookingState::Absent | BookingState::Cancelled,
        ) => Err(Answer::fail(answer::NOT_CANCELLABLE)),
    }
}
