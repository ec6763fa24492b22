//! What a SIM hands in: the shipped day, and single entries of invented patients, as JSON of the API.

use jembatan::clock::Clock;
use jembatan::simulator::faults::{Fault, Kind};
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::bridge::FACILITY;

/// The shipped day.
const DAY: &str = include_str!("../../src/cli/demo/hari-puskesmas.jsonl");

/// BPJS's day before today.
pub(crate) fn yesterday() -> Date {
    let zone = jiff::tz::TimeZone::get("Asia/Jakarta").unwrap();
    Clock::system().now().to_zoned(zone).date().checked_sub(1.day()).unwrap()
}

/// A day as BPJS writes it.
pub(crate) fn wire(day: Date) -> String {
    format!("{:02}-{:02}-{:04}", day.day(), day.month(), day.year())
}

/// The shipped day as if `day` were the service day.
pub(crate) fn shipped_day(day: Date) -> Vec<Value> {
    let next = day.checked_add(1.day()).unwrap();
    let dated = DAY.replace("{tgl}", &wire(day)).replace("{hari}", &day.to_string()).replace("{besok}", &wire(next));
    dated.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The n-th invented card.
pub(crate) fn card(n: u32) -> String {
    format!("00099{:08}", 50_000_000 + n)
}

/// A registration.
pub(crate) fn daftar(card: &str, day: Date) -> Value {
    json!({ "ref": "daftar", "operation": "pcare.pendaftaran.add",
        "payload": { "kdProviderPeserta": FACILITY, "tglDaftar": wire(day), "noKartu": card, "kdPoli": "001",
            "keluhan": "demam", "kunjSakit": true, "kdTkp": "10" } })
}

/// The content of a visit.
pub(crate) fn visit(card: &str, day: Date) -> Value {
    json!({ "noKunjungan": null, "noKartu": card, "tglDaftar": wire(day), "kdPoli": "001", "keluhan": "demam",
        "kdSadar": "01", "sistole": 120, "diastole": 80, "beratBadan": 60, "tinggiBadan": 160, "respRate": 18,
        "heartRate": 80, "lingkarPerut": 80, "kdStatusPulang": "3", "tglPulang": wire(day), "kdDokter": "001",
        "kdDiag1": "J06.9", "kdDiag2": null, "kdDiag3": null, "kdPoliRujukInternal": null, "kdTacc": -1,
        "alasanTacc": null, "anamnesa": "demam", "alergiMakan": "00", "alergiUdara": "00", "alergiObat": "00",
        "kdPrognosa": "01", "terapiObat": "resep", "terapiNonObat": "istirahat", "bmhp": "-", "suhu": "37,2" })
}

/// A visit after its registration.
pub(crate) fn kunjungan(card: &str, day: Date) -> Value {
    json!({ "ref": "kunjungan", "operation": "pcare.kunjungan.add", "after": ["daftar"], "payload": visit(card, day) })
}

/// The content of a drug.
pub(crate) fn drug(code: &str, amount: u32) -> Value {
    json!({ "kdObatSK": 0, "noKunjungan": null, "racikan": false, "kdRacikan": null, "obatDPHO": true,
        "kdObat": code, "signa1": 3, "signa2": 1, "jmlObat": amount, "jmlPermintaan": amount, "nmObatNonDPHO": "" })
}

/// A drug after its visit.
pub(crate) fn obat(name: &str, code: &str, amount: u32) -> Value {
    json!({ "ref": name, "operation": "pcare.obat.add", "after": ["kunjungan"], "payload": drug(code, amount) })
}

/// A submission of these entries.
pub(crate) fn submission(reference: &str, entries: &[Value]) -> Value {
    json!({ "facility": FACILITY, "ref": reference, "entries": entries })
}

/// Registration, visit and one drug of a patient.
pub(crate) fn whole_visit(reference: &str, card: &str, day: Date) -> Value {
    submission(reference, &[daftar(card, day), kunjungan(card, day), obat("obat", "130103595", 10)])
}

/// A fault that strikes `on`, only for this card.
pub(crate) fn fault_of_card(on: &str, kind: Kind, card: &str) -> Fault {
    let mut fault = Fault::new(on, kind);
    fault.card = Some(card.to_owned());
    fault
}
