//! Lists that the SIM sends about its queue: sessions and known patients, every fault named at once. Pure.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time};
use serde_json::{Map, Value};

use crate::intake::Fault;
use crate::secret::Private;
use crate::store::antrean::{KnownPatient, Session};

/// Most sessions of one day.
const SESSIONS_MAX: usize = 200;
/// Most patients in one call.
const PATIENTS_MAX: usize = 1000;

/// One object of a list, member by member.
struct Row<'f> {
    map: Map<String, Value>,
    at: String,
    faults: &'f mut Vec<Fault>,
}

impl Row<'_> {
    fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.faults.push(Fault::new(format!("{}/{name}", self.at), detail));
    }

    fn take<T>(&mut self, name: &str, wanted: &str, parse: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.map.shift_remove(name).filter(|value| !value.is_null())?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.fault(name, format!("harus {wanted}"));
        }
        parsed
    }

    fn need<T>(&mut self, name: &str, wanted: &str, parse: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        if self.map.get(name).is_none_or(Value::is_null) {
            self.map.shift_remove(name);
            self.fault(name, format!("wajib diisi: {wanted}"));
            return None;
        }
        self.take(name, wanted, parse)
    }

    fn finish(mut self) {
        let unknown: Vec<String> = self.map.keys().take(20).cloned().collect();
        for name in unknown {
            let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            self.fault(&name, "tidak dikenal");
        }
    }
}

fn list(value: Value, name: &str, most: usize) -> Result<Vec<Value>, Vec<Fault>> {
    match value {
        Value::Array(items) if items.len() <= most => Ok(items),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err(vec![Fault::new(format!("/{name}"), format!("harus daftar, paling banyak {most} butir"))])
        }
    }
}

fn text(longest: usize) -> impl Fn(&Value) -> Option<String> {
    move |value| {
        let text = value.as_str()?.trim();
        let fits = (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned())
    }
}

fn code(value: &Value) -> Option<String> {
    text(10)(value).filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two = |text: &str| if text.len() == 2 { text.parse::<i8>().ok() } else { None };
    Time::new(two(hour)?, two(minute)?, 0, 0).ok()
}

/// `08:00 - 12:00` without blanks, with its two times.
pub(super) fn hours(text: &str) -> Option<(String, Time, Time)> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (from, to) = plain.split_once('-')?;
    let (from, to) = (clock(from)?, clock(to)?);
    (from < to).then_some((plain, from, to))
}

/// `08:00 - 12:00` without blanks.
pub(super) fn normal_hours(text: &str) -> Option<String> {
    hours(text).map(|(plain, _, _)| plain)
}

/// A prefix that keeps numbers apart: one that ended in a digit would make `A1` + `2` and `A` + `12` the same.
fn prefix(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = text.len() <= 8 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (fits && !text.ends_with(|c: char| c.is_ascii_digit())).then(|| text.to_owned())
}

/// A for poli 001, B for 002 and so on; other codes stand for themselves.
fn usual_prefix(poli: &str) -> String {
    let letter = poli.parse::<u8>().ok().filter(|number| (1..=26).contains(number)).map(|number| b'A' + number - 1);
    letter.map_or_else(|| format!("{poli}-"), |letter| char::from(letter).to_string())
}

/// The sessions of every day of `days`.
pub(super) fn sessions(facility: &str, days: &[Date], value: Value) -> Result<Vec<Session>, Vec<Fault>> {
    let items = list(value, "jadwal", SESSIONS_MAX)?;
    let (mut faults, mut seen, mut sessions) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        let at = format!("/jadwal/{index}");
        let Value::Object(map) = item else {
            faults.push(Fault::new(at, "harus objek"));
            continue;
        };
        let Some(session) = session(facility, Row { map, at: at.clone(), faults: &mut faults }) else { continue };
        if !seen.insert((session.poli.clone(), session.doctor, session.hours.clone())) {
            faults.push(Fault::new(at, "poli, dokter dan jam praktek yang sama tertulis dua kali"));
            continue;
        }
        sessions.extend(days.iter().map(|day| Session { day: *day, ..session.clone() }));
    }
    if faults.is_empty() { Ok(sessions) } else { Err(faults) }
}

fn session(facility: &str, mut row: Row<'_>) -> Option<Session> {
    let time = |value: &Value| clock(value.as_str()?);
    let poli = row.need("kodepoli", "kode poli P-Care, huruf dan angka", code);
    let poli_name = row.need("namapoli", "teks 1 sampai 100 huruf", text(100));
    let doctor = row.need("kodedokter", "bilangan bulat", |value| value.as_i64().filter(|code| *code > 0));
    let doctor_name = row.need("namadokter", "teks 1 sampai 100 huruf", text(100));
    let at = row.need("jampraktek", "jam seperti 08:00-12:00", |value| hours(value.as_str()?));
    let quota =
        row.need("kuota", "bilangan 0 sampai 9999", |value| value.as_i64().filter(|quota| (0..=9999).contains(quota)));
    let opens = row.take("buka", "jam seperti 07:30", time);
    let closes = row.take("tutup", "jam seperti 11:30", time);
    let prefix = row.take("awalan", "paling banyak 8 huruf, angka atau -, tidak berakhir angka", prefix);
    let remark = row.take("keterangan", "teks sampai 200 huruf", text(200));
    row.finish();
    let (poli, (hours, _, end)) = (poli?, at?);
    Some(Session {
        facility: facility.to_owned(),
        day: Date::default(),
        prefix: prefix.unwrap_or_else(|| usual_prefix(&poli)),
        poli,
        poli_name: poli_name?,
        doctor: doctor?,
        doctor_name: doctor_name?,
        hours,
        quota: quota?,
        opens,
        closes: closes.unwrap_or(end),
        remark: remark.unwrap_or_default(),
    })
}

/// Cards with their record numbers; null forgets the card.
pub(super) fn patients(value: Value) -> Result<Vec<KnownPatient>, Vec<Fault>> {
    let items = list(value, "pasien", PATIENTS_MAX)?;
    let (mut faults, mut patients) = (Vec::new(), Vec::new());
    let digits = |value: &Value| {
        let text = value.as_str()?;
        (text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
    };
    for (index, item) in items.into_iter().enumerate() {
        let at = format!("/pasien/{index}");
        let Value::Object(map) = item else {
            faults.push(Fault::new(at, "harus objek"));
            continue;
        };
        let mut row = Row { map, at, faults: &mut faults };
        if !row.map.contains_key("norm") {
            row.fault("norm", "wajib diisi: nomor rekam medis, atau null untuk melupakan kartu ini");
        }
        let card = row.need("nomorkartu", "13 angka", digits);
        let norm = row.take("norm", "teks 1 sampai 50 huruf", text(50));
        row.map.shift_remove("norm");
        row.finish();
        patients.extend(card.map(|card| (Private::new(card), norm.map(Private::new))));
    }
    if faults.is_empty() { Ok(patients) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row() -> Value {
        json!({ "kodepoli": "001", "namapoli": "Poli Umum", "kodedokter": 12345, "namadokter": "dr. Contoh",
                "jampraktek": "08:00 - 12:00", "kuota": 30 })
    }

    #[test]
    fn a_session_has_its_hours_without_blanks_and_the_usual_prefix_and_end() {
        let days = [jiff::civil::date(2026, 11, 23), jiff::civil::date(2026, 11, 24)];
        let made = sessions("0114A026", &days, json!([row()])).unwrap();
        assert_eq!(made.iter().map(|session| session.day).collect::<Vec<_>>(), days);
        let first = &made[0];
        assert_eq!((first.hours.as_str(), first.prefix.as_str()), ("08:00-12:00", "A"));
        assert_eq!(first.closes, Time::constant(12, 0, 0, 0));
        assert_eq!(usual_prefix("026"), "Z");
        assert_eq!(usual_prefix("ANA"), "ANA-");
        assert_eq!(usual_prefix("999"), "999-");
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let mut bad = row();
        bad["jampraktek"] = "12:00-08:00".into();
        bad["awalan"] = "A1".into();
        bad["asing"] = 1.into();
        bad.as_object_mut().unwrap().shift_remove("kuota");
        let faults = sessions("0114A026", &[], json!([row(), row(), bad, 7])).unwrap_err();
        let places: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        let wanted = [
            "/jadwal/1",
            "/jadwal/2/jampraktek",
            "/jadwal/2/kuota",
            "/jadwal/2/awalan",
            "/jadwal/2/asing",
            "/jadwal/3",
        ];
        assert_eq!(places, wanted);
    }

    #[test]
    fn a_patient_is_a_card_and_a_number_and_null_must_be_said() {
        let made = patients(json!([{ "nomorkartu": "0009900000001", "norm": "RM-1" },
                                   { "nomorkartu": "0009900000002", "norm": null }]))
        .unwrap();
        assert_eq!(made[0].1.as_ref().map(|norm| norm.expose().as_str()), Some("RM-1"));
        assert_eq!(made[1].1, None);
        assert!(patients(json!([{ "nomorkartu": "0009900000001" }])).is_err());
        assert!(patients(json!([{ "nomorkartu": "123", "norm": "1" }])).is_err());
    }
}
