//! LPK: the form by which a hospital claims a stay or a visit.
//!
//! Job: `LPK/*`. Invariant: one form per SEP, whose number it answers to. Neighbours: `monitoring` lists claims by it.
//! What it does not do: money.

use serde_json::{Value, json};

use super::{
    Sep, at, code_and_name, day_in_path, day_of, inside, no, no_data, or_empty, or_null, people, record, reference,
    required, sep, wrong,
};
use crate::simulator::routes::Call;
use crate::simulator::texts;
use crate::simulator::world::{Done, Outcome, Refusal, World};

fn check(form: &Value) -> Result<jiff::civil::Date, Refusal> {
    let from = day_of(form, "tglMasuk")?;
    if day_of(form, "tglKeluar")? < from {
        return Err(wrong("tglKeluar"));
    }
    for field in ["caraKeluar", "kondisiPulang", "kelasRawat"] {
        let code = at(form, &format!("perawatan.{field}"));
        if code.is_some_and(|code| reference::claim_name(field, &code).is_none()) {
            return Err(wrong(&format!("perawatan.{field}")));
        }
    }
    let diagnoses = form.get("diagnosa").and_then(Value::as_array).filter(|rows| !rows.is_empty());
    let known = |row: &Value| at(row, "kode").is_some_and(|code| reference::diagnosis(&code).is_some());
    if diagnoses.is_some_and(|rows| rows.iter().all(known)) { Ok(from) } else { Err(wrong("diagnosa")) }
}

/// `POST LPK/insert`: answers the bare number of the SEP.
pub(crate) fn insert(world: &mut World, call: &Call<'_>) -> Outcome {
    let form = inside(call.body, "t_lpk")?;
    let day = check(form)?;
    let number = required(form, "noSep")?.to_ascii_uppercase();
    sep::open(world, &number)?;
    if world.vclaim.lpk.contains_key(&number) {
        return Err(no(&format!("{} {number}", texts::LPK_EXISTS)));
    }
    let made = record(world, &call.at, day, form);
    world.vclaim.lpk.insert(number.clone(), made);
    Ok(Done::Created(Value::String(number)))
}

/// `PUT LPK/update`: answers the bare number of the SEP.
pub(crate) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let change = inside(call.body, "t_lpk")?;
    let number = required(change, "noSep")?.to_ascii_uppercase();
    let made = world.vclaim.lpk.get_mut(&number).ok_or_else(no_data)?;
    let mut whole = made.clone();
    whole.amend(change);
    whole.day = check(&whole.content)?;
    *made = whole;
    Ok(Done::Changed(Value::String(number)))
}

/// `DELETE LPK/delete`: answers the bare number of the SEP.
pub(crate) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let number = required(inside(call.body, "t_lpk")?, "noSep")?.to_ascii_uppercase();
    world.vclaim.lpk.remove(&number).map(|_| Done::Changed(Value::String(number))).ok_or_else(no_data)
}

fn named(content: &Value, field: &str) -> Value {
    let code = or_empty(content, &format!("perawatan.{field}"));
    json!({ "kode": code, "nama": reference::claim_name(field, &code) })
}

fn row(world: &World, number: &str, sep: &Sep, content: &Value) -> Value {
    let doctor = or_empty(content, "DPJP");
    let diagnoses = content["diagnosa"].as_array().into_iter().flatten().map(|row| {
        let code = or_empty(row, "kode");
        let name = reference::diagnosis(&code).unwrap_or_default();
        json!({ "level": or_empty(row, "level"), "list": code_and_name(&code, &name) })
    });
    let procedures = content["procedure"].as_array().into_iter().flatten().map(|row| {
        let code = or_empty(row, "kode");
        json!({ "list": code_and_name(&code, reference::claim_name("procedure", &code).unwrap_or_default()) })
    });
    let person = people::person(world, &sep.card);
    json!({
        "DPJP": { "dokter": code_and_name(&doctor, &reference::specialist(&doctor)) },
        "diagnosa": { "list": diagnoses.collect::<Vec<_>>() }, "jnsPelayanan": if sep.inpatient { "1" } else { "2" },
        "noSep": number,
        "perawatan": { "caraKeluar": named(content, "caraKeluar"), "kelasRawat": named(content, "kelasRawat"),
            "kondisiPulang": named(content, "kondisiPulang"), "ruangRawat": named(content, "ruangRawat"),
            "spesialistik": named(content, "spesialistik") },
        "peserta": person.map(|person| json!({ "kelamin": person.sex, "nama": person.name, "noKartu": person.card,
            "noMR": or_empty(&sep.record.content, "noMR"), "tglLahir": person.birthday() })),
        "poli": { "eksekutif": "0", "poli": { "kode": or_null(content, "poli.poli") } },
        "procedure": { "list": procedures.collect::<Vec<_>>() }, "rencanaTL": content["rencanaTL"],
        "tglKeluar": or_empty(content, "tglKeluar"), "tglMasuk": or_empty(content, "tglMasuk"),
    })
}

/// `GET LPK/TglMasuk/{tgl}/JnsPelayanan/{1|2}`.
pub(crate) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let day = day_in_path(call.p(0))?;
    let made = world.vclaim.lpk.iter().filter(|(_, made)| made.shows(&call.at) && made.day == day);
    let rows: Vec<Value> = made
        .filter_map(|(number, made)| Some((number, world.vclaim.seps.get(number)?, made)))
        .filter(|(_, sep, _)| call.p(1) == if sep.inpatient { "1" } else { "2" })
        .map(|(number, sep, made)| row(world, number, sep, &made.content))
        .collect();
    if rows.is_empty() { Err(no_data()) } else { Ok(Done::Found(json!({ "lpk": { "list": rows } }))) }
}
