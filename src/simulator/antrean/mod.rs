//! Antrean FKTP, outbound: what a facility tells BPJS about its queue.
//!
//! Job: clinics and doctors of a day, and the three writes `add`, `panggil`, `batal`. Invariants: an antrean is one per
//! card, clinic and day while it is not cancelled; nothing can be read back, as in the catalogue. Neighbours: clinics
//! and doctors are those of the P-Care world. What it does not do: the service that Mobile JKN calls (`mobile_jkn`
//! plays the caller of that).

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use serde_json::{Value, json};

use super::routes::{Call, Route, route};
use super::texts;
use super::vclaim::{no, required, wrong, ymd};
use super::world::{Done, Origin, Outcome, Refusal, World, reference, text};

/// An antrean and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) seq: u64,
    pub(crate) content: Value,
    pub(crate) origin: Origin,
    /// The last `status` of `panggil`: 1 present, 2 absent.
    pub(crate) called: Option<i64>,
    /// How often it was called.
    pub(crate) calls: u32,
    /// Why it was cancelled.
    pub(crate) cancelled: Option<String>,
}

/// Card, clinic, day.
pub(crate) type Key = (String, String, Date);

/// Everything Antrean FKTP keeps. Those without a card cannot be addressed again and are only kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    pub(crate) places: BTreeMap<Key, Place>,
    pub(crate) without_card: Vec<Place>,
}

/// Every operation of Antrean FKTP.
pub(crate) const ANTREAN: &[Route] = &[
    route("GET", "ref/poli/tanggal/{}", "antrean_fktp.ref.poli", clinics),
    route("GET", "ref/dokter/kodepoli/{}/tanggal/{}", "antrean_fktp.ref.dokter", doctors),
    route("POST", "antrean/add", "antrean_fktp.antrean.add", add),
    route("POST", "antrean/panggil", "antrean_fktp.antrean.panggil", call_in),
    route("POST", "antrean/batal", "antrean_fktp.antrean.batal", cancel),
];

/// The shifts of every working day.
const SHIFTS: &[(&str, u32)] = &[("08:00-12:00", 60), ("13:00-15:00", 30)];

fn open_day(world: &World, day: &str) -> Result<Date, Refusal> {
    let rules = &world.rules.antrean;
    let day = ymd(day).ok_or_else(|| wrong("tanggal"))?;
    let closed = day.weekday() == Weekday::Sunday || rules.holidays.iter().any(|holiday| ymd(holiday) == Some(day));
    if closed { Err(no(&rules.no_schedule_text)) } else { Ok(day) }
}

fn listed(world: &World, rows: Vec<Value>) -> Outcome {
    let rows = Value::Array(rows);
    Ok(Done::Found(if world.rules.antrean.bare_array { rows } else { json!({ "list": rows }) }))
}

/// `GET ref/poli/tanggal/{tgl}`.
fn clinics(world: &mut World, call: &Call<'_>) -> Outcome {
    open_day(world, call.p(0))?;
    let rows = reference::clinics().into_iter().map(|row| {
        let name = row["nmPoli"].as_str().unwrap_or_default().to_uppercase();
        json!({ "namapoli": format!("POLI {name}"), "kodepoli": row["kdPoli"] })
    });
    listed(world, rows.collect())
}

/// `GET ref/dokter/kodepoli/{kode}/tanggal/{tgl}`: one row per doctor and shift.
fn doctors(world: &mut World, call: &Call<'_>) -> Outcome {
    reference::clinic(call.p(0)).ok_or_else(|| no(texts::ANTREAN_CLINIC))?;
    open_day(world, call.p(1))?;
    let rows = reference::doctors().into_iter().flat_map(|row| {
        let code = row["kdDokter"].as_str().and_then(|code| code.parse::<u64>().ok());
        SHIFTS.iter().map(move |(hours, places)| {
            json!({ "namadokter": row["nmDokter"], "kodedokter": code, "jampraktek": hours, "kapasitas": places })
        })
    });
    listed(world, rows.collect())
}

fn key(body: &Value) -> Result<Key, Refusal> {
    let day = required(body, "tanggalperiksa").and_then(|day| ymd(&day).ok_or_else(|| wrong("tanggalperiksa")))?;
    Ok((text(body, "nomorkartu").unwrap_or_default(), required(body, "kodepoli")?, day))
}

/// `POST antrean/add`. `nomorkartu` is empty for a patient without JKN.
fn add(world: &mut World, call: &Call<'_>) -> Outcome {
    let body = call.body;
    let (card, clinic, day) = key(body)?;
    for field in ["nik", "nohp", "namadokter", "jampraktek", "nomorantrean"] {
        required(body, field)?;
    }
    for field in ["kodedokter", "angkaantrean"] {
        body.get(field).and_then(Value::as_i64).ok_or_else(|| wrong(field))?;
    }
    reference::clinic(&clinic).ok_or_else(|| no(texts::ANTREAN_CLINIC))?;
    if !card.is_empty() {
        super::vclaim::people::known(world, &card)?;
    }
    if world.rules.antrean.quota_full {
        return Err(no(texts::QUOTA_FULL));
    }
    open_day(world, &day.to_string())?;
    let place = Place {
        seq: world.next("seq"),
        content: body.clone(),
        origin: call.at.origin,
        called: None,
        calls: 0,
        cancelled: None,
    };
    if card.is_empty() {
        world.antrean.without_card.push(place);
        return Ok(Done::Silent);
    }
    let key = (card, clinic, day);
    if world.antrean.places.get(&key).is_some_and(|there| there.cancelled.is_none()) {
        let rules = &world.rules.antrean;
        return match rules.duplicate_code {
            200 => Ok(Done::Silent),
            code => Err(Refusal::plain(i64::from(code), &rules.duplicate_text)),
        };
    }
    world.antrean.places.insert(key, place);
    Ok(Done::Silent)
}

/// The antrean that a call or a cancellation names.
fn place<'a>(world: &'a mut World, body: &Value) -> Result<&'a mut Place, Refusal> {
    let key = key(body)?;
    world.antrean.places.get_mut(&key).ok_or_else(|| no(texts::ANTREAN_UNKNOWN))
}

/// `POST antrean/panggil`: may be repeated. `waktu` is milliseconds since 1970.
fn call_in(world: &mut World, call: &Call<'_>) -> Outcome {
    let number = |field: &str| call.body.get(field).and_then(Value::as_i64).ok_or_else(|| wrong(field));
    let status = number("status")?;
    if !matches!(status, 1 | 2) {
        return Err(wrong("status"));
    }
    // Seconds instead of milliseconds are the usual mistake: before 2001 nobody called anybody.
    if number("waktu")? < 1_000_000_000_000 {
        return Err(wrong("waktu"));
    }
    let place = place(world, call.body)?;
    if place.cancelled.is_some() {
        return Err(no(texts::ANTREAN_UNKNOWN));
    }
    (place.called, place.calls) = (Some(status), place.calls + 1);
    Ok(Done::Silent)
}

/// `POST antrean/batal`: may be repeated.
fn cancel(world: &mut World, call: &Call<'_>) -> Outcome {
    let reason = required(call.body, "alasan")?;
    place(world, call.body)?.cancelled = Some(reason);
    Ok(Done::Silent)
}
