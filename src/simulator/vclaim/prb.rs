//! PRB: patients with a chronic disease who go back to primary care, with their drugs.
//!
//! Job: `PRB/*` and `prbpotensi`. Invariants: a letter hangs on a SEP; its number is digits, as the catalogue's samples.
//! Neighbours: `reference` names programmes and drugs. What it does not do: dispense.

use serde_json::{Value, json};

use super::people::{self, Person};
use super::{
    Record, at, code_and_name, inside, listed, no_data, or_empty, range, record, reference, required, sep, wrong,
};
use crate::simulator::routes::Call;
use crate::simulator::world::{Done, Outcome, Refusal, World};

/// The first number given.
const FIRST: u64 = 9_118_924;

fn drugs(order: &Value) -> Result<&Vec<Value>, Refusal> {
    let drugs = order.get("obat").and_then(Value::as_array).filter(|drugs| !drugs.is_empty());
    let drugs = drugs.ok_or_else(|| wrong("obat"))?;
    let field = ["kdObat", "signa1", "signa2", "jmlObat"];
    let missing = drugs.iter().flat_map(|drug| field.iter().filter(move |field| at(drug, field).is_none())).next();
    missing.map_or(Ok(drugs), |field| Err(wrong(&format!("obat.{field}"))))
}

fn check(order: &Value) -> Result<(), Refusal> {
    for field in ["alamat", "email", "kodeDPJP"] {
        required(order, field)?;
    }
    if !required(order, "user")?.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("user"));
    }
    drugs(order).map(|_| ())
}

fn programme(content: &Value) -> (String, String) {
    let code = or_empty(content, "programPRB");
    let known = reference::programme(&code);
    known.map_or((code, String::new()), |(code, name)| (code.to_owned(), name.to_owned()))
}

fn doctor(content: &Value) -> Value {
    let code = or_empty(content, "kodeDPJP");
    code_and_name(&code, &reference::specialist(&code))
}

fn member(content: &Value, person: &Person, whole: bool) -> Value {
    let (kd_home, nm_home) = person.home();
    let mut shown = json!({ "alamat": or_empty(content, "alamat"), "email": or_empty(content, "email"),
        "nama": person.name, "noKartu": person.card, "noTelepon": person.phone() });
    if whole {
        shown["asalFaskes"] = code_and_name(&kd_home, &nm_home);
        shown["kelamin"] = json!(person.sex);
        shown["tglLahir"] = person.birthday();
    }
    shown
}

/// What inserts and updates answer: `signa` in words.
fn answer(number: &str, made: &Record, person: &Person) -> Value {
    let content = &made.content;
    let drugs = content["obat"].as_array().into_iter().flatten().map(|drug| {
        json!({ "jmlObat": or_empty(drug, "jmlObat"), "nmObat": reference::prb_drug(&or_empty(drug, "kdObat")),
            "signa": format!("{} x {}", or_empty(drug, "signa1"), or_empty(drug, "signa2")) })
    });
    json!({ "DPJP": doctor(content), "keterangan": or_empty(content, "keterangan"), "noSRB": number,
        "obat": { "list": drugs.collect::<Vec<_>>() }, "peserta": member(content, person, true),
        "programPRB": programme(content).1, "saran": or_empty(content, "saran"), "tglSRB": made.day.to_string() })
}

/// `POST PRB/insert`.
pub(crate) fn insert(world: &mut World, call: &Call<'_>) -> Outcome {
    let order = inside(call.body, "t_prb")?;
    check(order)?;
    let code = required(order, "programPRB")?;
    reference::programme(&code).ok_or_else(|| wrong("programPRB"))?;
    let card = required(order, "noKartu")?;
    if sep::open(world, &required(order, "noSep")?)?.card != card {
        return Err(wrong("noKartu"));
    }
    let person = people::known(world, &card)?;
    let number = (FIRST + world.next("vclaim prb")).to_string();
    let made = record(world, &call.at, call.at.today, order);
    let shown = answer(&number, &made, &person);
    world.vclaim.prb.insert(number, made);
    Ok(Done::Created(shown))
}

/// The letter of a number and a SEP.
fn letter<'a>(world: &'a World, number: &str, sep: &str) -> Result<&'a Record, Refusal> {
    let made = world.vclaim.prb.get(number).ok_or_else(no_data)?;
    if or_empty(&made.content, "noSep").eq_ignore_ascii_case(sep) { Ok(made) } else { Err(no_data()) }
}

/// `PUT PRB/Update`.
pub(crate) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let change = inside(call.body, "t_prb")?;
    let number = required(change, "noSrb")?;
    let mut whole = letter(world, &number, &required(change, "noSep")?)?.clone();
    whole.amend(change);
    check(&whole.content)?;
    let person = people::known(world, &or_empty(&whole.content, "noKartu"))?;
    let shown = answer(&number, &whole, &person);
    world.vclaim.prb.insert(number, whole);
    Ok(Done::Changed(shown))
}

/// `DELETE PRB/Delete`: answers the bare number.
pub(crate) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let order = inside(call.body, "t_prb")?;
    let number = required(order, "noSrb")?;
    letter(world, &number, &required(order, "noSep")?)?;
    world.vclaim.prb.remove(&number);
    Ok(Done::Changed(Value::String(number)))
}

fn row(world: &World, number: &str, made: &Record, whole: bool) -> Value {
    let content = &made.content;
    let (code, name) = programme(content);
    let person = people::person(world, &or_empty(content, "noKartu"));
    let mut shown = json!({ "DPJP": doctor(content), "noSEP": or_empty(content, "noSep"), "noSRB": number,
        "peserta": person.map(|person| member(content, &person, whole)), "programPRB": code_and_name(&code, &name),
        "keterangan": or_empty(content, "keterangan"), "saran": or_empty(content, "saran"),
        "tglSRB": made.day.to_string() });
    if whole {
        let drugs = content["obat"].as_array().into_iter().flatten().map(|drug| {
            let code = or_empty(drug, "kdObat");
            json!({ "jmlObat": or_empty(drug, "jmlObat"), "kdObat": code, "nmObat": reference::prb_drug(&code),
                "signa1": or_empty(drug, "signa1"), "signa2": or_empty(drug, "signa2") })
        });
        shown["obat"] = json!({ "obat": drugs.collect::<Vec<_>>() });
    }
    shown
}

/// `GET prb/{noSrb}/nosep/{noSep}`.
pub(crate) fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let made = letter(world, call.p(0), call.p(1))?;
    if !made.shows(&call.at) {
        return Err(no_data());
    }
    Ok(Done::Found(json!({ "prb": row(world, call.p(0), made, true) })))
}

/// `GET prb/tglMulai/{}/tglAkhir/{}`.
pub(crate) fn of_days(world: &mut World, call: &Call<'_>) -> Outcome {
    let range = range(world, call.p(0), call.p(1))?;
    let made = world.vclaim.prb.iter().filter(|(_, made)| made.shows(&call.at) && range.contains(&made.day));
    let rows: Vec<Value> = made.map(|(number, made)| row(world, number, made, false)).collect();
    if rows.is_empty() { Err(no_data()) } else { Ok(Done::Found(json!({ "prb": { "list": rows } }))) }
}

/// `GET prbpotensi/tahun/{}/bulan/{}`: SEPs of the month whose diagnosis is one of a programme.
pub(crate) fn potential(world: &mut World, call: &Call<'_>) -> Outcome {
    let (year, month) = (call.p(0).parse::<i16>().ok(), call.p(1).parse::<i8>().ok());
    let seps = world.vclaim.seps.iter().filter(|(_, sep)| sep.record.shows(&call.at) && !sep.inpatient);
    let of_month = seps.filter(|(_, sep)| {
        let day = sep.record.day;
        Some(day.year()) == year && Some(day.month()) == month
    });
    let rows = of_month.filter_map(|(number, sep)| {
        let diagnosis = or_empty(&sep.record.content, "diagAwal");
        let programme = match diagnosis.get(..3)? {
            "E10" | "E11" => "01",
            "I10" | "I11" => "02",
            "J45" => "03",
            "I63" | "I64" => "07",
            "G40" => "08",
            _ => return None,
        };
        let day = sep.record.day;
        Some(json!({ "NamaPeserta": people::person(world, &sep.card).map(|person| person.name),
            "NomorKartu": sep.card, "NOSEP": number,
            "TanggalPelayanan": format!("{:02}/{:02}/{:04}", day.day(), day.month(), day.year()),
            "DiagnosaPotensiPRB": format!("{diagnosis} - {}", reference::diagnosis(&diagnosis).unwrap_or_default()),
            "KategoriPenyakitPRB": reference::programme(programme).map(|(_, name)| name) }))
    });
    listed("list", rows.collect())
}
