//! Referrals: from P-Care, from other hospitals, and those a hospital makes.
//!
//! Job: `Rujukan/*`. Invariants: a P-Care visit of this world that ended with a referral is a referral here under the
//! same number; a hospital's own go to its list of outgoing ones. Neighbours: `sep` asks whether a number exists;
//! the P-Care world keeps the visits. What it does not do: choose a hospital.

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    Record, at, code_and_name, day_of, inside, listed, next_number, no, no_data, or_empty, people, range, record,
    reference, required, sep, wrong,
};
use crate::simulator::routes::Call;
use crate::simulator::texts;
use crate::simulator::world::{self, Done, Moment, Outcome, Refusal, World, reference as pcare};

/// How long a referral holds, in days (catalogue samples: 90).
const HOLDS: i64 = 90;

/// A referral in the terms that both origins have.
struct Letter {
    number: String,
    card: String,
    day: Date,
    from: String,
    poli: String,
    diagnosis: String,
    complaint: String,
    inpatient: bool,
}

/// Whether a referral of that number exists, from whomever.
pub(crate) fn exists(world: &World, number: &str) -> bool {
    world.visits.contains_key(number)
        || world.vclaim.incoming.contains_key(number)
        || world.vclaim.outgoing.contains_key(number)
}

/// The referrals that P-Care visits of this world made.
fn from_visits<'a>(world: &'a World, at: &'a Moment) -> impl Iterator<Item = Letter> + 'a {
    let visits = world.visits.iter().filter(|(_, visit)| visit.visible_from <= at.now);
    visits.filter_map(|(number, visit)| {
        let referral = visit.content.get("rujukLanjut")?;
        if world::text(&visit.content, "kdStatusPulang").as_deref() != Some("4") {
            return None;
        }
        let sub = super::at(referral, "subSpesialis.kdSubSpesialis1");
        let (day, _, card) = &visit.registration;
        Some(Letter {
            number: number.clone(),
            card: card.clone(),
            day: *day,
            from: visit.provider.clone(),
            poli: sub.and_then(|sub| pcare::hospital_clinic(&sub)).map_or("INT", |(code, _)| code).to_owned(),
            diagnosis: or_empty(&visit.content, "kdDiag1"),
            complaint: or_empty(&visit.content, "keluhan"),
            inpatient: false,
        })
    })
}

/// The referrals of records: `hospital` says of which level.
fn from_records<'a>(world: &'a World, at: &'a Moment, hospital: bool) -> impl Iterator<Item = Letter> + 'a {
    let laid = world.vclaim.incoming.iter();
    let laid =
        laid.filter(move |(_, one)| (super::at(&one.content, "asalRujukan").as_deref() == Some("2")) == hospital);
    let own = world.vclaim.outgoing.iter().filter(move |_| hospital);
    laid.chain(own).filter(|(_, one)| one.shows(at)).map(|(number, one)| Letter {
        number: number.clone(),
        card: or_empty(&one.content, "noKartu"),
        day: one.day,
        from: super::at(&one.content, "ppkPerujuk").unwrap_or_else(|| number.chars().take(8).collect()),
        poli: or_empty(&one.content, "poliRujukan"),
        diagnosis: or_empty(&one.content, "diagRujukan"),
        complaint: or_empty(&one.content, "catatan"),
        inpatient: super::at(&one.content, "jnsPelayanan").as_deref() == Some("1"),
    })
}

fn letters(world: &World, at: &Moment, hospital: bool) -> Vec<Letter> {
    let visits = from_visits(world, at).filter(|_| !hospital);
    let mut all: Vec<_> = visits.chain(from_records(world, at, hospital)).collect();
    all.sort_by_key(|letter| std::cmp::Reverse((letter.day, letter.number.clone())));
    all
}

fn shown(world: &World, at: &Moment, letter: &Letter) -> Value {
    let person = people::person(world, &letter.card);
    let code = pcare::dotted_code(&letter.diagnosis);
    json!({
        "diagnosa": code_and_name(&code, &reference::diagnosis(&letter.diagnosis).unwrap_or_default()),
        "keluhan": letter.complaint, "noKunjungan": letter.number,
        "pelayanan": code_and_name(
            if letter.inpatient { "1" } else { "2" },
            if letter.inpatient { "Rawat Inap" } else { "Rawat Jalan" }
        ),
        "peserta": person.map(|person| person.whole(letter.day, at.today)),
        "poliRujukan": code_and_name(&letter.poli, &reference::clinic(&letter.poli).unwrap_or_default()),
        "provPerujuk": code_and_name(&letter.from, &reference::facility(&world.facility, &letter.from)),
        "tglKunjungan": letter.day.to_string(),
    })
}

fn one(world: &World, call: &Call<'_>, hospital: bool, fits: impl Fn(&Letter) -> bool) -> Outcome {
    let found = letters(world, &call.at, hospital).into_iter().find(fits).ok_or_else(|| no(texts::NO_REFERRAL))?;
    let level = if hospital { "2" } else { "1" };
    Ok(Done::Found(json!({ "asalFaskes": level, "rujukan": shown(world, &call.at, &found) })))
}

fn many(world: &World, call: &Call<'_>, hospital: bool) -> Outcome {
    people::known(world, call.p(0))?;
    let of_card = letters(world, &call.at, hospital).into_iter().filter(|letter| letter.card == call.p(0));
    let rows: Vec<_> = of_card.map(|letter| shown(world, &call.at, &letter)).collect();
    if rows.is_empty() { Err(no(texts::NO_REFERRAL)) } else { Ok(Done::Found(json!({ "rujukan": rows }))) }
}

/// `GET Rujukan/{noRujukan}`: from primary care.
pub(crate) fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    one(world, call, false, |letter| letter.number == call.p(0))
}

/// `GET Rujukan/RS/{noRujukan}`: from a hospital.
pub(crate) fn get_hospital(world: &mut World, call: &Call<'_>) -> Outcome {
    one(world, call, true, |letter| letter.number == call.p(0))
}

/// `GET Rujukan/Peserta/{noKartu}`: the latest from primary care.
pub(crate) fn latest(world: &mut World, call: &Call<'_>) -> Outcome {
    people::known(world, call.p(0))?;
    one(world, call, false, |letter| letter.card == call.p(0))
}

/// `GET Rujukan/RS/Peserta/{noKartu}`: the latest from a hospital.
pub(crate) fn latest_hospital(world: &mut World, call: &Call<'_>) -> Outcome {
    people::known(world, call.p(0))?;
    one(world, call, true, |letter| letter.card == call.p(0))
}

/// `GET Rujukan/List/Peserta/{noKartu}`.
pub(crate) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    many(world, call, false)
}

/// `GET Rujukan/RS/List/Peserta/{noKartu}`.
pub(crate) fn list_hospital(world: &mut World, call: &Call<'_>) -> Outcome {
    many(world, call, true)
}

/// `GET Rujukan/JumlahSEP/{1|2}/{noRujukan}`.
pub(crate) fn seps(world: &mut World, call: &Call<'_>) -> Outcome {
    let under = world.vclaim.seps.values().filter(|sep| sep.record.shows(&call.at));
    let count = under.filter(|sep| at(&sep.record.content, "rujukan.noRujukan").as_deref() == Some(call.p(1))).count();
    Ok(Done::Found(json!({ "jumlahSEP": count.to_string() })))
}

/// What a referral of a hospital may say.
fn check(order: &Value) -> Result<Date, Refusal> {
    let day = day_of(order, "tglRujukan")?;
    let kind = required(order, "tipeRujukan")?;
    if !matches!(kind.as_str(), "0" | "1" | "2") {
        return Err(wrong("tipeRujukan"));
    }
    let clinic = at(order, "poliRujukan");
    if (kind == "2") != clinic.is_none() || clinic.is_some_and(|clinic| reference::clinic(&clinic).is_none()) {
        return Err(wrong("poliRujukan"));
    }
    if at(order, "tglRencanaKunjungan").is_some() && day_of(order, "tglRencanaKunjungan")? < day {
        return Err(wrong("tglRencanaKunjungan"));
    }
    required(order, "ppkDirujuk")?;
    let diagnosis = required(order, "diagRujukan")?;
    reference::diagnosis(&diagnosis).ok_or_else(|| wrong("diagRujukan"))?;
    Ok(day)
}

/// `POST Rujukan/2.0/insert` and `POST Rujukan/insert`: note the capital of `AsalRujukan`.
pub(crate) fn insert(world: &mut World, call: &Call<'_>) -> Outcome {
    let order = inside(call.body, "t_rujukan")?;
    let day = check(order)?;
    let of = sep::open(world, &required(order, "noSep")?)?;
    let (card, ppk, mr) = (of.card.clone(), of.ppk.clone(), or_empty(&of.record.content, "noMR"));
    let number = next_number(world, &ppk, day, 'B');
    let mut made = record(world, &call.at, day, order);
    made.content["noKartu"] = json!(card);
    made.content["ppkPerujuk"] = json!(ppk);
    let diagnosis = or_empty(order, "diagRujukan");
    let clinic = or_empty(order, "poliRujukan");
    let to = or_empty(order, "ppkDirujuk");
    let excerpt = people::known(world, &card)?.excerpt(&mr);
    let planned = at(order, "tglRencanaKunjungan").unwrap_or_else(|| day.to_string());
    let shown = json!({
        "AsalRujukan": code_and_name(&ppk, &reference::facility(&world.facility, &ppk)),
        "diagnosa": code_and_name(&diagnosis, &reference::diagnosis(&diagnosis).unwrap_or_default()),
        "noRujukan": number, "peserta": excerpt,
        "poliTujuan": code_and_name(&clinic, &reference::clinic(&clinic).unwrap_or_default()),
        "tglBerlakuKunjungan": day.saturating_add(HOLDS.days()).to_string(), "tglRencanaKunjungan": planned,
        "tglRujukan": day.to_string(),
        "tujuanRujukan": code_and_name(&to, &reference::facility(&world.facility, &to)),
    });
    world.vclaim.outgoing.insert(number, made);
    Ok(Done::Created(json!({ "rujukan": shown })))
}

/// `PUT Rujukan/2.0/Update` and `PUT Rujukan/update`: answers the bare number.
pub(crate) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let change = inside(call.body, "t_rujukan")?;
    let number = required(change, "noRujukan")?;
    let made = world.vclaim.outgoing.get_mut(&number).ok_or_else(no_data)?;
    let mut whole = made.clone();
    whole.amend(change);
    whole.day = check(&whole.content)?;
    *made = whole;
    Ok(Done::Changed(Value::String(number)))
}

/// `DELETE Rujukan/delete`: answers the bare number.
pub(crate) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let number = required(inside(call.body, "t_rujukan")?, "noRujukan")?;
    world.vclaim.outgoing.remove(&number).map(|_| Done::Changed(Value::String(number))).ok_or_else(no_data)
}

fn kind_name(kind: &str) -> &'static str {
    match kind {
        "0" => "Rujukan Penuh",
        "1" => "Rujukan Partial",
        _ => "Rujuk Balik",
    }
}

fn outgoing_row(world: &World, number: &str, made: &Record) -> Value {
    let content = &made.content;
    let card = or_empty(content, "noKartu");
    let to = or_empty(content, "ppkDirujuk");
    json!({ "noRujukan": number, "tglRujukan": made.day.to_string(), "jnsPelayanan": or_empty(content, "jnsPelayanan"),
        "noSep": or_empty(content, "noSep"), "noKartu": card,
        "nama": people::person(world, &card).map(|person| person.name), "ppkDirujuk": to,
        "namaPpkDirujuk": reference::facility(&world.facility, &to) })
}

/// `GET Rujukan/Keluar/List/tglMulai/{tgl}/tglAkhir/{tgl}`.
pub(crate) fn outgoing(world: &mut World, call: &Call<'_>) -> Outcome {
    let range = range(world, call.p(0), call.p(1))?;
    let made = world.vclaim.outgoing.iter().filter(|(_, made)| made.shows(&call.at) && range.contains(&made.day));
    listed("list", made.map(|(number, made)| outgoing_row(world, number, made)).collect())
}

/// `GET Rujukan/Keluar/{noRujukan}`.
pub(crate) fn outgoing_one(world: &mut World, call: &Call<'_>) -> Outcome {
    let made = world.vclaim.outgoing.get(call.p(0)).filter(|made| made.shows(&call.at)).ok_or_else(no_data)?;
    let content = &made.content;
    let mut row = outgoing_row(world, call.p(0), made);
    let of = world.vclaim.seps.get(&or_empty(content, "noSep").to_ascii_uppercase());
    let person = people::person(world, &or_empty(content, "noKartu"));
    let (diagnosis, clinic, kind) =
        (or_empty(content, "diagRujukan"), or_empty(content, "poliRujukan"), or_empty(content, "tipeRujukan"));
    let more = json!({
        "kelasRawat": person.as_ref().map(|person| person.class.clone()),
        "kelamin": person.as_ref().map(|person| person.sex.clone()),
        "tglLahir": person.map(|person| person.birthday()), "tglSep": of.map(|sep| sep.record.day.to_string()),
        "tglRencanaKunjungan": at(content, "tglRencanaKunjungan"), "catatan": or_empty(content, "catatan"),
        "diagRujukan": diagnosis, "namaDiagRujukan": reference::diagnosis(&diagnosis), "tipeRujukan": kind,
        "namaTipeRujukan": kind_name(&kind), "poliRujukan": clinic, "namaPoliRujukan": reference::clinic(&clinic),
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        row[field] = value.clone();
    }
    Ok(Done::Found(json!({ "rujukan": row })))
}

/// `POST Rujukan/Khusus/insert`: no `request` around it, as printed.
pub(crate) fn insert_special(world: &mut World, call: &Call<'_>) -> Outcome {
    let number = required(call.body, "noRujukan")?;
    let listed = call.body.get("diagnosa").and_then(Value::as_array).is_some_and(|rows| !rows.is_empty());
    if !listed {
        return Err(wrong("diagnosa"));
    }
    let of = letters(world, &call.at, false).into_iter().chain(letters(world, &call.at, true));
    let card = of.into_iter().find(|letter| letter.number == number).map(|letter| letter.card);
    let id = (98_865 + world.next("vclaim khusus")).to_string();
    let mut made = record(world, &call.at, call.at.today, call.body);
    made.content["noKartu"] = json!(card);
    let until = call.at.today.saturating_add(HOLDS.days()).to_string();
    world.vclaim.special.insert(id.clone(), made);
    Ok(Done::Created(json!({ "rujukan": { "idrujukan": id, "norujukan": number, "nokapst": card,
        "nmpst": card.as_deref().and_then(|card| people::person(world, card)).map(|person| person.name),
        "diagppk": special_diagnosis(call.body), "tglrujukan_awal": call.at.today.to_string(),
        "tglrujukan_berakhir": until } })))
}

/// The primary diagnosis of `[{"kode": "P;N18"}, …]`.
fn special_diagnosis(content: &Value) -> Option<String> {
    let code = content["diagnosa"].get(0).and_then(|first| world::text(first, "kode"))?;
    Some(code.split_once(';').map_or(code.clone(), |(_, plain)| plain.to_owned()))
}

/// `POST Rujukan/Khusus/delete`, by id and number.
pub(crate) fn delete_special(world: &mut World, call: &Call<'_>) -> Outcome {
    let order = inside(call.body, "t_rujukan")?;
    let (id, number) = (required(order, "idRujukan")?, required(order, "noRujukan")?);
    let same = world.vclaim.special.get(&id).is_some_and(|made| or_empty(&made.content, "noRujukan") == number);
    if !same {
        return Err(no_data());
    }
    world.vclaim.special.remove(&id);
    Ok(Done::Changed(Value::String(number)))
}

/// `GET Rujukan/Khusus/List/Bulan/{bulan}/Tahun/{tahun}`.
pub(crate) fn special(world: &mut World, call: &Call<'_>) -> Outcome {
    let (month, year) = (call.p(0).parse::<i8>().ok(), call.p(1).parse::<i16>().ok());
    let of_month =
        world.vclaim.special.iter().filter(|(_, made)| {
            made.shows(&call.at) && Some(made.day.month()) == month && Some(made.day.year()) == year
        });
    let rows = of_month.map(|(id, made)| {
        let card = at(&made.content, "noKartu");
        json!({ "idrujukan": id, "norujukan": or_empty(&made.content, "noRujukan"), "nokapst": card,
            "nmpst": card.as_deref().and_then(|card| people::person(world, card)).map(|person| person.name),
            "diagppk": special_diagnosis(&made.content), "tglrujukan_awal": made.day.to_string(),
            "tglrujukan_berakhir": made.day.saturating_add(HOLDS.days()).to_string() })
    });
    listed("rujukan", rows.collect())
}
