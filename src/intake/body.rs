//! The body of a submission: from JSON to typed fields, with every fault named at once.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Fault;
use super::json::{canonical, step};
use crate::queue::Mark;
use crate::secret::Private;

/// Most entries in one submission.
pub const ENTRIES_MAX: usize = 100;
/// Longest name of a submission or entry, in characters.
pub const REF_MAX: usize = 200;
/// Most names in one `after`.
pub const AFTER_MAX: usize = 100;

/// A submission whose shape is right; what it says is not checked yet.
#[derive(Debug, Clone)]
pub struct SubmissionBody {
    /// kdProvider.
    pub facility: String,
    /// The client's name for it.
    pub reference: String,
    /// What the bridge itself needs of the patient.
    pub patient: Option<Private<Value>>,
    /// The patient's card from `patient`.
    pub no_kartu: Option<Private<String>>,
    /// One or more.
    pub entries: Vec<Entry>,
    /// The whole body as canonical JSON.
    pub canonical: Private<String>,
}

/// One entry whose shape is right.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name within the submission.
    pub reference: String,
    /// Name of the operation, not looked up yet.
    pub operation: String,
    /// When the service happened.
    pub occurred_at: Option<Timestamp>,
    /// Names it comes after, not resolved yet.
    pub after: Vec<String>,
    /// The SIM's own mark.
    pub mark: Option<Mark>,
    /// The payload, not checked yet.
    pub payload: Private<Value>,
}

/// Reads the shape of a submission.
///
/// # Errors
/// Every fault, with its JSON Pointer.
pub fn read(body: &Value) -> Result<SubmissionBody, Vec<Fault>> {
    let mut faults = Vec::new();
    let Some(map) = body.as_object() else {
        return Err(vec![Fault::new("", "isi permintaan harus berupa objek JSON")]);
    };
    only(map, "", &["facility", "ref", "patient", "entries"], &mut faults);
    let facility = name(map, "", "facility", &mut faults);
    let reference = name(map, "", "ref", &mut faults);
    let patient = map.get("patient").filter(|value| !value.is_null());
    if let Some(patient) = patient {
        check_patient(patient, &mut faults);
    }
    let entries = read_entries(map.get("entries"), &mut faults);
    #[cfg(feature = "failpoints")]
    entries.iter().for_each(|entry| crate::failpoint::poisoned_at_the_door(&entry.reference));
    match (facility, reference) {
        (Some(facility), Some(reference)) if faults.is_empty() => Ok(SubmissionBody {
            facility,
            reference,
            patient: patient.map(|patient| Private::new(patient.clone())),
            no_kartu: patient.and_then(|p| p.get("noKartu")?.as_str()).map(|card| Private::new(card.to_owned())),
            entries,
            canonical: Private::new(canonical(body)),
        }),
        _ => Err(faults),
    }
}

fn read_entries(entries: Option<&Value>, faults: &mut Vec<Fault>) -> Vec<Entry> {
    let Some(list) = entries.and_then(Value::as_array) else {
        faults.push(Fault::new("/entries", "wajib diisi: daftar 1 sampai 100 entri"));
        return Vec::new();
    };
    if list.is_empty() || list.len() > ENTRIES_MAX {
        let detail =
            format!("berisi {} entri; harus 1 sampai {ENTRIES_MAX}, bagilah menjadi beberapa kiriman", list.len());
        faults.push(Fault::new("/entries", detail));
        return Vec::new();
    }
    let read: Vec<Entry> =
        list.iter().enumerate().filter_map(|(i, entry)| read_entry(entry, &format!("/entries/{i}"), faults)).collect();
    for (i, entry) in list.iter().enumerate() {
        let own = entry.get("ref").and_then(Value::as_str);
        let twice = own.is_some() && list.iter().take(i).any(|other| other.get("ref").and_then(Value::as_str) == own);
        if twice {
            faults.push(Fault::new(format!("/entries/{i}/ref"), "sudah dipakai entri lain dalam kiriman ini"));
        }
    }
    read
}

fn read_entry(entry: &Value, at: &str, faults: &mut Vec<Fault>) -> Option<Entry> {
    let Some(map) = entry.as_object() else {
        faults.push(Fault::new(at, "entri harus berupa objek JSON"));
        return None;
    };
    only(map, at, &["ref", "operation", "occurred_at", "after", "mark", "payload"], faults);
    let reference = name(map, at, "ref", faults);
    if reference.as_ref().is_some_and(|reference| reference.contains('/')) {
        // "<submission ref>/<entry ref>" must have one reading only.
        faults.push(Fault::new(format!("{at}/ref"), "nama entri tidak boleh memuat garis miring (/)"));
    }
    let operation = name(map, at, "operation", faults);
    let occurred_at = read_instant(map.get("occurred_at"), at, faults);
    let after = read_after(map.get("after"), at, faults);
    let mark = read_mark(map.get("mark"), at, faults);
    let payload = map.get("payload").filter(|payload| payload.is_object());
    if payload.is_none() {
        faults.push(Fault::new(format!("{at}/payload"), "wajib diisi: objek JSON menurut skema operasinya"));
    }
    Some(Entry {
        reference: reference?,
        operation: operation?,
        occurred_at,
        after,
        payload: Private::new(payload?.clone()),
        mark,
    })
}

fn read_instant(value: Option<&Value>, at: &str, faults: &mut Vec<Fault>) -> Option<Timestamp> {
    let value = value.filter(|value| !value.is_null())?;
    let instant = value.as_str().and_then(|text| text.parse().ok());
    if instant.is_none() {
        let detail = "harus waktu RFC 3339 dengan zona, mis. 2026-11-21T08:12:00+08:00";
        faults.push(Fault::new(format!("{at}/occurred_at"), detail));
    }
    instant
}

/// A word of ours; it goes into the books and is never sent.
fn read_mark(mark: Option<&Value>, at: &str, faults: &mut Vec<Fault>) -> Option<Mark> {
    let mark = mark.filter(|mark| !mark.is_null())?;
    let known = mark.as_str().and_then(Mark::of_word);
    if known.is_none() {
        let words: Vec<&str> = Mark::ALL.iter().map(|mark| mark.word()).collect();
        faults.push(Fault::new(format!("{at}/mark"), format!("harus salah satu dari {}", words.join(", "))));
    }
    known
}

fn read_after(value: Option<&Value>, at: &str, faults: &mut Vec<Fault>) -> Vec<String> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Vec::new() };
    let Some(list) = value.as_array().filter(|list| list.len() <= AFTER_MAX) else {
        let detail = format!("harus daftar nama entri, paling banyak {AFTER_MAX}");
        faults.push(Fault::new(format!("{at}/after"), detail));
        return Vec::new();
    };
    let mut names = Vec::new();
    for (k, item) in list.iter().enumerate() {
        match item.as_str() {
            Some(name) if !names.iter().any(|other| other == name) => names.push(name.to_owned()),
            Some(_) => {}
            None => faults.push(Fault::new(format!("{at}/after/{k}"), "harus nama entri berupa teks")),
        }
    }
    names
}

fn check_patient(patient: &Value, faults: &mut Vec<Fault>) {
    let Some(map) = patient.as_object() else {
        faults.push(Fault::new("/patient", "harus objek JSON dengan noKartu, nik, nama"));
        return;
    };
    only(map, "/patient", &["noKartu", "nik", "nama"], faults);
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut check = |field: &str, fits: &dyn Fn(&str) -> bool, wanted: &str| {
        let value = map.get(field).filter(|value| !value.is_null());
        if value.is_some_and(|value| !value.as_str().is_some_and(fits)) {
            faults.push(Fault::new(format!("/patient/{field}"), format!("harus {wanted}")));
        }
    };
    check("noKartu", &|text| digits(text, 13), "teks 13 angka");
    check("nik", &|text| digits(text, 16), "teks 16 angka (bukan bilangan: angkanya akan hilang)");
    let nama = |text: &str| (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    check("nama", &nama, "teks 1 sampai 200 huruf tanpa karakter kendali");
}

/// A required text of 1 to [`REF_MAX`] characters without control characters.
fn name(map: &Map<String, Value>, at: &str, field: &str, faults: &mut Vec<Fault>) -> Option<String> {
    let fits = |text: &&str| (1..=REF_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let text = map.get(field).and_then(Value::as_str).filter(fits);
    if text.is_none() {
        let detail = format!("wajib diisi: teks 1 sampai {REF_MAX} huruf tanpa karakter kendali");
        faults.push(Fault::new(format!("{at}/{field}"), detail));
    }
    text.map(str::to_owned)
}

/// Names every field that is none of `known`.
fn only(map: &Map<String, Value>, at: &str, known: &[&str], faults: &mut Vec<Fault>) {
    for field in map.keys().filter(|field| !known.contains(&field.as_str())) {
        let detail = format!("tidak dikenal; yang ada: {}", known.join(", "));
        faults.push(Fault::new(format!("{at}{}", step(field)), detail));
    }
}
