//! Control letters and admission orders (SPRI).
//!
//! Job: `RencanaKontrol/*`, the forms of 2025 too. Invariants: a letter hangs on a SEP, an order on a member; nothing
//! says that a second letter is refused, so it is not. Neighbours: `form_prb` checks the form, `sep` names the letter
//! in `skdp.noSurat`. What it does not do: choose a day on which the doctor is there.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::people::{self, Person};
use super::{
    Record, Sep, at, day_in_path, day_of, form_prb, inside, listed, next_number, no_data, or_empty, or_null, range,
    record, reference, required, sep, sep_view, wrong,
};
use crate::simulator::routes::Call;
use crate::simulator::world::{Done, Moment, Outcome, Refusal, World};

/// The field of a record that says what it is: `1` an admission order, `2` a control letter.
const KIND: &str = "jnsKontrol";

fn check(order: &Value) -> Result<Date, Refusal> {
    required(order, "kodeDokter")?;
    let clinic = required(order, "poliKontrol")?;
    reference::clinic(&clinic).ok_or_else(|| wrong("poliKontrol"))?;
    if order.get("formPRB").is_some_and(|form| !form.is_null()) {
        form_prb::check(&order["formPRB"])?;
    }
    day_of(order, "tglRencanaKontrol")
}

fn answer(id: &str, number: &str, content: &Value, person: &Person) -> Value {
    let mut shown = json!({ id: number, "tglRencanaKontrol": or_empty(content, "tglRencanaKontrol"),
        "namaDokter": reference::specialist(&or_empty(content, "kodeDokter")), "noKartu": person.card,
        "nama": person.name, "kelamin": if person.sex == "P" { "Perempuan" } else { "Laki-laki" },
        "tglLahir": person.birthday(), "namaDiagnosa": null });
    if let Some(form) = content.get("formPRB").filter(|form| !form.is_null()) {
        shown["formPRB"] = form_prb::shown(Some(form));
    }
    shown
}

fn write_down(world: &mut World, call: &Call<'_>, (ppk, card, kind): (&str, &str, &str), order: &Value) -> Outcome {
    let planned = check(order)?;
    let person = people::known(world, card)?;
    if planned < call.at.today {
        return Err(wrong("tglRencanaKontrol"));
    }
    let number = next_number(world, ppk, call.at.today, 'K');
    let mut made = record(world, &call.at, call.at.today, order);
    made.content["noKartu"] = json!(card);
    made.content[KIND] = json!(kind);
    let id = if kind == "1" { "noSPRI" } else { "noSuratKontrol" };
    let shown = answer(id, &number, &made.content, &person);
    world.vclaim.letters.insert(number, made);
    Ok(Done::Created(shown))
}

/// `POST RencanaKontrol/insert`.
pub(crate) fn insert(world: &mut World, call: &Call<'_>) -> Outcome {
    let order = inside(call.body, "")?;
    let of = sep::open(world, &required(order, "noSEP")?)?;
    let (ppk, card) = (of.ppk.clone(), of.card.clone());
    write_down(world, call, (&ppk, &card, "2"), order)
}

/// `POST RencanaKontrol/v2/Insert`: the form must be there.
pub(crate) fn insert_v2(world: &mut World, call: &Call<'_>) -> Outcome {
    form_required(call)?;
    insert(world, call)
}

fn form_required(call: &Call<'_>) -> Result<(), Refusal> {
    let form = inside(call.body, "")?.get("formPRB");
    if form.is_some_and(Value::is_object) { Ok(()) } else { Err(wrong("formPRB")) }
}

/// `POST RencanaKontrol/InsertSPRI`.
pub(crate) fn insert_order(world: &mut World, call: &Call<'_>) -> Outcome {
    let order = inside(call.body, "")?;
    let (ppk, card) = (world.facility.clone(), required(order, "noKartu")?);
    write_down(world, call, (&ppk, &card, "1"), order)
}

fn amend(world: &mut World, call: &Call<'_>, (id, kind): (&str, &str)) -> Outcome {
    let change = inside(call.body, "")?;
    let number = required(change, id)?;
    let made = world.vclaim.letters.get(&number).ok_or_else(no_data)?;
    if at(&made.content, KIND).as_deref() != Some(kind) {
        return Err(no_data());
    }
    let mut whole = made.clone();
    whole.amend(change);
    check(&whole.content)?;
    let person = people::known(world, &or_empty(&whole.content, "noKartu"))?;
    let shown = answer(id, &number, &whole.content, &person);
    world.vclaim.letters.insert(number, whole);
    Ok(Done::Changed(shown))
}

/// `PUT RencanaKontrol/Update`.
pub(crate) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    amend(world, call, ("noSuratKontrol", "2"))
}

/// `PUT RencanaKontrol/v2/Update`: the form must be there.
pub(crate) fn update_v2(world: &mut World, call: &Call<'_>) -> Outcome {
    form_required(call)?;
    update(world, call)
}

/// `PUT RencanaKontrol/UpdateSPRI`.
pub(crate) fn update_order(world: &mut World, call: &Call<'_>) -> Outcome {
    amend(world, call, ("noSPRI", "1"))
}

/// `DELETE RencanaKontrol/Delete`: letters and orders alike; answers null.
pub(crate) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let number = required(inside(call.body, "t_suratkontrol")?, "noSuratKontrol")?;
    world.vclaim.letters.remove(&number).map(|_| Done::Changed(Value::Null)).ok_or_else(no_data)
}

/// A SEP as the page of a control letter shows it.
fn sep_card(world: &World, at_moment: &Moment, number: &str, sep: &Sep) -> Value {
    let content = &sep.record.content;
    let person = people::person(world, &sep.card);
    let (kd_home, nm_home) = person.as_ref().map(Person::home).unwrap_or_default();
    let from = or_empty(content, "rujukan.ppkRujukan");
    let clinic = reference::clinic(&sep.poli).map(|name| format!("{} - {name}", sep.poli)).unwrap_or_default();
    let person = person.filter(|_| sep.record.shows(at_moment));
    json!({ "noSep": number, "tglSep": sep.record.day.to_string(), "jnsPelayanan": sep_view::care(sep.inpatient),
        "poli": clinic, "diagnosa": sep_view::diagnosis_line(content),
        "peserta": person.map(|person| json!({ "noKartu": person.card, "nama": person.name,
            "tglLahir": person.birthday(), "kelamin": person.sex, "hakKelas": "-" })),
        "provUmum": { "kdProvider": kd_home, "nmProvider": nm_home },
        "provPerujuk": { "kdProviderPerujuk": from, "nmProviderPerujuk": reference::facility(&world.facility, &from),
            "asalRujukan": or_null(content, "rujukan.asalRujukan"), "noRujukan": or_null(content, "rujukan.noRujukan"),
            "tglRujukan": or_null(content, "rujukan.tglRujukan") } })
}

/// `GET RencanaKontrol/nosep/{noSep}`.
pub(crate) fn for_sep(world: &mut World, call: &Call<'_>) -> Outcome {
    let (number, sep) = sep_view::shown(world, &call.at, call.p(0))?;
    Ok(Done::Found(sep_card(world, &call.at, number, sep)))
}

/// `GET RencanaKontrol/noSuratKontrol/{no}`: an order has no SEP.
pub(crate) fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let made = world.vclaim.letters.get(call.p(0)).filter(|made| made.shows(&call.at)).ok_or_else(no_data)?;
    let content = &made.content;
    let (clinic, doctor) = (or_empty(content, "poliKontrol"), or_empty(content, "kodeDokter"));
    let of = world.vclaim.seps.get_key_value(&or_empty(content, "noSEP").to_ascii_uppercase());
    let name = reference::specialist(&doctor);
    let order = at(content, KIND).as_deref() == Some("1");
    Ok(Done::Found(json!({
        "noSuratKontrol": call.p(0), "tglRencanaKontrol": or_empty(content, "tglRencanaKontrol"),
        "tglTerbit": made.day.to_string(), KIND: or_empty(content, KIND), "poliTujuan": clinic,
        "namaPoliTujuan": reference::clinic(&clinic), "kodeDokter": doctor, "namaDokter": name, "flagKontrol": "False",
        "kodeDokterPembuat": doctor, "namaDokterPembuat": name,
        "namaJnsKontrol": if order { "SPRI" } else { "Kontrol" },
        "sep": of.map(|(number, sep)| sep_card(world, &call.at, number, sep)),
        "formPRB": form_prb::shown(content.get("formPRB").filter(|form| !form.is_null())),
    })))
}

fn row(world: &World, number: &str, made: &Record) -> Value {
    let content = &made.content;
    let (clinic, doctor, card) =
        (or_empty(content, "poliKontrol"), or_empty(content, "kodeDokter"), or_empty(content, "noKartu"));
    let of = or_empty(content, "noSEP");
    let sep = world.vclaim.seps.get(&of.to_ascii_uppercase());
    let used = world.vclaim.seps.values().any(|sep| or_empty(&sep.record.content, "skdp.noSurat") == number);
    let order = at(content, KIND).as_deref() == Some("1");
    json!({ "noSuratKontrol": number, "jnsPelayanan": sep_view::care(sep.map_or(order, |sep| sep.inpatient)),
        KIND: or_empty(content, KIND), "namaJnsKontrol": if order { "SPRI" } else { "Surat Kontrol" },
        "tglRencanaKontrol": or_empty(content, "tglRencanaKontrol"), "tglTerbitKontrol": made.day.to_string(),
        "noSepAsalKontrol": sep.map(|_| &of), "poliAsal": sep.map(|sep| &sep.poli),
        "namaPoliAsal": sep.and_then(|sep| reference::clinic(&sep.poli)), "poliTujuan": clinic,
        "namaPoliTujuan": reference::clinic(&clinic), "tglSEP": sep.map(|sep| sep.record.day.to_string()),
        "kodeDokter": doctor, "namaDokter": reference::specialist(&doctor), "noKartu": card,
        "nama": people::person(world, &card).map(|person| person.name), "terbitSEP": if used { "Sudah" } else { "Belum" } })
}

/// The day that the filter means: 1 the day of entry, 2 the planned day.
fn day(made: &Record, filter: &str) -> Option<Date> {
    match filter {
        "1" => Some(made.day),
        "2" => at(&made.content, "tglRencanaKontrol").and_then(|day| super::ymd(&day)),
        _ => None,
    }
}

fn rows(world: &World, call: &Call<'_>, fits: impl Fn(&Record) -> bool) -> Vec<Value> {
    let shown = world.vclaim.letters.iter().filter(|(_, made)| made.shows(&call.at) && fits(made));
    shown.map(|(number, made)| row(world, number, made)).collect()
}

/// `GET RencanaKontrol/ListRencanaKontrol/Bulan/{01}/Tahun/{}/Nokartu/{}/filter/{1|2}`.
pub(crate) fn of_card(world: &mut World, call: &Call<'_>) -> Outcome {
    let (month, year) = (call.p(0).parse::<i8>().ok(), call.p(1).parse::<i16>().ok());
    let of_month = |made: &Record| {
        let day = day(made, call.p(3));
        day.map(Date::month) == month && day.map(Date::year) == year
    };
    listed("list", rows(world, call, |made| or_empty(&made.content, "noKartu") == call.p(2) && of_month(made)))
}

/// `GET RencanaKontrol/ListRencanaKontrol/tglAwal/{}/tglAkhir/{}/filter/{1|2}`: without `terbitSEP`, as printed.
pub(crate) fn of_days(world: &mut World, call: &Call<'_>) -> Outcome {
    let range = range(world, call.p(0), call.p(1))?;
    let mut found = rows(world, call, |made| day(made, call.p(2)).is_some_and(|day| range.contains(&day)));
    for row in &mut found {
        let fields = row.as_object_mut();
        fields.map(|fields| fields.shift_remove("terbitSEP"));
    }
    listed("list", found)
}

/// `GET RencanaKontrol/ListSpesialistik/JnsKontrol/{1|2}/nomor/{}/TglRencanaKontrol/{}`: a decimal point here.
pub(crate) fn clinics(world: &mut World, call: &Call<'_>) -> Outcome {
    let planned = day_in_path(call.p(2))?;
    match call.p(0) {
        "1" => drop(people::known(world, call.p(1))?),
        "2" => drop(sep_view::shown(world, &call.at, call.p(1))?),
        _ => return Err(wrong("JnsKontrol")),
    }
    let taken = |clinic: &str| {
        let letters = world.vclaim.letters.values();
        letters
            .filter(|made| or_empty(&made.content, "poliKontrol") == clinic && day(made, "2") == Some(planned))
            .count()
    };
    let rows = reference::CLINICS.iter().map(|(code, name)| {
        json!({ "kodePoli": code, "namaPoli": name, "kapasitas": "24",
            "jmlRencanaKontroldanRujukan": taken(code).to_string(), "persentase": "0.00" })
    });
    listed("list", rows.collect())
}

/// `GET RencanaKontrol/JadwalPraktekDokter/JnsKontrol/{}/KdPoli/{}/TglRencanaKontrol/{}`.
pub(crate) fn doctors(_: &mut World, call: &Call<'_>) -> Outcome {
    day_in_path(call.p(2))?;
    let rows = reference::specialists_of(call.p(1)).into_iter().map(|(code, name)| {
        json!({ "kodeDokter": code, "namaDokter": name, "jadwalPraktek": "16:00 - 18:00", "kapasitas": "12" })
    });
    listed("list", rows.collect())
}
