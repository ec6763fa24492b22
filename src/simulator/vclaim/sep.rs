//! SEP: made, changed, closed and taken back.
//!
//! Job: insert, update, delete and discharge (2.0 and 1.1). Invariants: the two rules of the module, whose refusals
//! carry the number in the way at their end; a refusal changes nothing. Neighbours: `sep_view` shows SEPs, `request`
//! knows approvals. What it does not do: claims.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::people::{self, Person};
use super::{
    Sep, at, day_of, inside, next_number, no, no_data, or_empty, record, reference, required, sep_view, wrong,
};
use crate::simulator::routes::Call;
use crate::simulator::rules::Fingerprint;
use crate::simulator::texts;
use crate::simulator::world::{Done, Moment, Origin, Outcome, Refusal, World};

/// What a new SEP is about.
struct Wanted {
    person: Person,
    day: Date,
    ppk: String,
    inpatient: bool,
    poli: String,
}

fn read(world: &World, sep: &Value) -> Result<Wanted, Refusal> {
    let person = people::known(world, &required(sep, "noKartu")?)?;
    let day = day_of(sep, "tglSep")?;
    let ppk = required(sep, "ppkPelayanan")?;
    if ppk.len() != 8 || !ppk.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(wrong("ppkPelayanan"));
    }
    let inpatient = match required(sep, "jnsPelayanan")?.as_str() {
        "1" => true,
        "2" => false,
        _ => return Err(wrong("jnsPelayanan")),
    };
    check_codes(sep)?;
    let poli = if inpatient { String::new() } else { required(sep, "poli.tujuan")?.to_ascii_uppercase() };
    if !inpatient {
        reference::clinic(&poli).ok_or_else(|| wrong("poli.tujuan"))?;
    }
    Ok(Wanted { person, day, ppk, inpatient, poli })
}

/// Codes that have a list, and the three fields that must be empty for a normal visit.
fn check_codes(sep: &Value) -> Result<(), Refusal> {
    let one_of: [(&str, &[&str]); 6] = [
        ("tujuanKunj", &["0", "1", "2"]),
        ("flagProcedure", &["0", "1"]),
        ("rujukan.asalRujukan", &["1", "2"]),
        ("jaminan.lakaLantas", &["0", "1", "2", "3"]),
        ("assesmentPel", &["1", "2", "3", "4", "5"]),
        ("klsRawat.klsRawatNaik", &["1", "2", "3", "4", "5", "6", "7", "8"]),
    ];
    let odd = one_of.iter().find(|(field, known)| at(sep, field).is_some_and(|code| !known.contains(&code.as_str())));
    if let Some((field, _)) = odd {
        return Err(wrong(field));
    }
    if at(sep, "kdPenunjang")
        .is_some_and(|code| code.parse::<u8>().is_ok_and(|n| n > 12) || code.parse::<u8>().is_err())
    {
        return Err(wrong("kdPenunjang"));
    }
    if at(sep, "tujuanKunj").as_deref() == Some("0")
        && let Some(filled) = ["flagProcedure", "kdPenunjang"].iter().find(|field| at(sep, field).is_some())
    {
        return Err(wrong(filled));
    }
    let diagnosis = required(sep, "diagAwal")?;
    reference::diagnosis(&diagnosis).map(|_| ()).ok_or_else(|| wrong("diagAwal"))
}

/// Day, fingerprint and referral: what is asked of the web service but not of what the control plane lays down.
fn check_right(world: &World, at: &Moment, sep: &Value, wanted: &Wanted) -> Result<(), Refusal> {
    let rules = &world.rules.vclaim;
    if wanted.day > at.today {
        return Err(no(texts::SEP_FUTURE));
    }
    if at.origin != Origin::WebService {
        return Ok(());
    }
    if !wanted.person.active {
        return Err(no(texts::MEMBER_INACTIVE));
    }
    let kind = if wanted.inpatient { "1" } else { "2" };
    let approved = |what: &str| world.vclaim.approved(&wanted.person.card, wanted.day, kind, what);
    let back = at.today.since(wanted.day).map(|span| span.get_days()).unwrap_or_default();
    let too_far = rules.backdate_days.is_some_and(|most| i64::from(back) > i64::from(most));
    if too_far && !approved("1") {
        return Err(no(texts::SEP_BACKDATE));
    }
    let seen = world.vclaim.fingers.contains(&(wanted.day, wanted.person.card.clone()));
    if !wanted.inpatient && !seen && !approved("2") {
        match rules.fingerprint {
            Fingerprint::Off => {}
            Fingerprint::Verification => return Err(no(texts::NO_FINGERPRINT)),
            Fingerprint::Enrollment => return Err(no(texts::NO_ENROLLMENT)),
        }
    }
    match super::at(sep, "rujukan.noRujukan") {
        Some(number) if rules.known_referrals_only && !super::referral::exists(world, &number) => {
            Err(no(texts::NO_REFERRAL))
        }
        Some(_) | None => Ok(()),
    }
}

/// The two rules of SEP. The messages are quoted by several clients; their last 19 characters are the number.
fn refuse_taken(world: &World, wanted: &Wanted) -> Result<(), Refusal> {
    let card = &wanted.person.card;
    let of_card = || world.vclaim.seps.iter().filter(|(_, sep)| sep.card == *card);
    let place = |ppk: &str| reference::facility(&world.facility, ppk);
    if let Some((number, open)) = of_card().find(|(_, sep)| sep.inpatient && sep.discharge.is_none()) {
        let day = open.record.day;
        return Err(no(&format!(
            "3.1.Peserta NoKa {card} telah mendapat Pelayanan R.Inap pada tgl. {:02}/{:02}/{:04} dan belum dipulangkan \
             di {} Dgn No.SEP {number}",
            day.day(),
            day.month(),
            day.year(),
            place(&open.ppk)
        )));
    }
    let same = of_card().find(|(_, sep)| {
        !sep.inpatient && !wanted.inpatient && sep.record.day == wanted.day && sep.poli == wanted.poli
    });
    same.map_or(Ok(()), |(number, sep)| {
        Err(no(&format!(
            "1.Peserta NoKa {card} telah mendapat Pelayanan R.Jalan di Poli {} pada hari yg sama di {} Dgn No.SEP {number}",
            sep.poli,
            place(&sep.ppk)
        )))
    })
}

/// `POST SEP/2.0/insert` and `POST SEP/1.1/insert`.
pub(crate) fn insert(world: &mut World, call: &Call<'_>) -> Outcome {
    let sep = inside(call.body, "t_sep")?;
    let wanted = read(world, sep)?;
    check_right(world, &call.at, sep, &wanted)?;
    refuse_taken(world, &wanted)?;
    let number = next_number(world, &wanted.ppk, wanted.day, 'V');
    let Wanted { person, day, ppk, inpatient, poli } = wanted;
    let made = Sep {
        record: record(world, &call.at, day, sep),
        card: person.card.clone(),
        ppk,
        inpatient,
        poli,
        discharge: None,
    };
    let shown = sep_view::made(&number, &made, &person);
    world.vclaim.seps.insert(number, made);
    Ok(Done::Created(json!({ "sep": shown })))
}

/// The SEP of that number, in any case of letters, which a write may change.
pub(crate) fn open<'a>(world: &'a mut World, number: &str) -> Result<&'a mut Sep, Refusal> {
    world.vclaim.seps.get_mut(&number.to_ascii_uppercase()).ok_or_else(no_data)
}

/// `PUT SEP/2.0/update` and `PUT SEP/1.1/Update`: answers the bare number.
pub(crate) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let change = inside(call.body, "t_sep")?;
    let number = required(change, "noSep")?;
    let mut whole = open(world, &number)?.record.content.clone();
    for (field, value) in change.as_object().into_iter().flatten().filter(|(field, _)| *field != "noSep") {
        whole[field] = value.clone();
    }
    check_codes(&whole)?;
    let sep = open(world, &number)?;
    if !sep.inpatient {
        sep.poli = or_empty(&whole, "poli.tujuan").to_ascii_uppercase();
    }
    sep.record.content = whole;
    Ok(Done::Changed(Value::String(number)))
}

/// `DELETE SEP/2.0/delete`: answers the bare number, never sealed (wire facts §2.4).
pub(crate) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    removed(world, call).map(Done::Plain)
}

/// `DELETE SEP/Delete`: as above, but sealed: the exception is known of the form of 2.0 alone, and clients open this one.
pub(crate) fn delete_old(world: &mut World, call: &Call<'_>) -> Outcome {
    removed(world, call).map(Done::Changed)
}

fn removed(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let number = required(inside(call.body, "t_sep")?, "noSep")?;
    let removed = world.vclaim.seps.remove(&number.to_ascii_uppercase());
    removed.map(|_| Value::String(number)).ok_or_else(no_data)
}

/// `PUT SEP/2.0/updtglplg`.
pub(crate) fn discharge(world: &mut World, call: &Call<'_>) -> Outcome {
    let order = inside(call.body, "t_sep")?;
    let number = required(order, "noSep")?;
    let status = required(order, "statusPulang")?;
    if !matches!(status.as_str(), "1" | "3" | "4" | "5") {
        return Err(wrong("statusPulang"));
    }
    let died = [at(order, "noSuratMeninggal").is_some(), at(order, "tglMeninggal").is_some()];
    if died.contains(&(status != "4")) {
        return Err(wrong("noSuratMeninggal"));
    }
    leave(world, &number, "tglPulang", order)
}

/// `PUT Sep/updtglplg`, the form of before 2.0.
pub(crate) fn discharge_old(world: &mut World, call: &Call<'_>) -> Outcome {
    let order = inside(call.body, "t_sep")?;
    let number = required(order, "noSep")?;
    leave(world, &number, "tglPlg", order)
}

fn leave(world: &mut World, number: &str, field: &str, order: &Value) -> Outcome {
    let day = day_of(order, field)?;
    let sep = open(world, number)?;
    if day < sep.record.day {
        return Err(wrong(field));
    }
    let mut order = order.clone();
    order["tglPulang"] = Value::String(day.to_string());
    sep.discharge = Some(order);
    Ok(Done::Changed(Value::String(number.to_owned())))
}
