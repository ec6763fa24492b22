//! The third side: what the SIM believes to have handed in. Pure.
//!
//! Job: read the list (JSON or CSV), match its lines with the journal, by reference first, then by patient and day.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use serde_json::{Value, json};

use super::compare::Entry;
use super::theirs::text;
use crate::catalogue::{Catalogue, at, read_date};

/// Most lines of one list.
pub const LINES_MAX: usize = 100_000;
/// Columns of a CSV list, in this order where it has no header.
const COLUMNS: [&str; 5] = ["ref", "entry", "operation", "noKartu", "tglDaftar"];
/// What a line without an operation is about.
const USUAL: &str = "pcare.pendaftaran.add";

/// A line of the SIM's list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SimLine {
    /// Reference of the submission, or `submission/entry`.
    pub reference: String,
    /// Name of the entry within it.
    pub entry: Option<String>,
    /// Operation.
    pub operation: Option<String>,
    /// Card number.
    pub no_kartu: Option<String>,
    /// Day of service.
    pub day: Option<Date>,
}

/// What is wrong with a list: JSON Pointer within it, and why, in Indonesian.
pub type SimFault = (String, String);

/// How a line found its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// By its reference: indices of entries.
    Reference(Vec<usize>),
    /// By patient, day and operation.
    Key(usize),
    /// Not at all.
    Nothing,
}

/// Reads a list: a JSON array of references or objects, or CSV as one text.
///
/// # Errors
/// The first hundred faults.
pub fn read(list: &Value) -> Result<Vec<SimLine>, Vec<SimFault>> {
    let lines: Vec<Result<SimLine, SimFault>> = match list {
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| of_json(at, item)).collect(),
        Value::String(csv) => of_csv(csv),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(vec![(String::new(), "harus larik JSON, atau teks CSV".to_owned())]);
        }
    };
    if lines.len() > LINES_MAX {
        return Err(vec![(String::new(), format!("paling banyak {LINES_MAX} baris"))]);
    }
    let faults: Vec<SimFault> = lines.iter().filter_map(|line| line.as_ref().err().cloned()).take(100).collect();
    if faults.is_empty() { Ok(lines.into_iter().flatten().collect()) } else { Err(faults) }
}

fn of_json(at: usize, item: &Value) -> Result<SimLine, SimFault> {
    if let Some(reference) = item.as_str() {
        return line(at, &|name| (name == "ref").then(|| reference.to_owned()));
    }
    let Some(map) = item.as_object() else {
        return Err((format!("/{at}"), "harus ref, atau objek dengan ref".to_owned()));
    };
    if let Some(name) = map.keys().find(|name| !COLUMNS.contains(&name.as_str())) {
        return Err((format!("/{at}/{name}"), format!("tidak dikenal; yang ada: {}", COLUMNS.join(", "))));
    }
    line(at, &|name| map.get(name).and_then(text))
}

fn of_csv(csv: &str) -> Vec<Result<SimLine, SimFault>> {
    let rows = csv.trim_start_matches('\u{feff}').lines().filter(|row| !row.trim().is_empty());
    let mut rows = rows.map(cells).peekable();
    let is_header = |row: &Vec<String>| row.iter().any(|cell| cell.eq_ignore_ascii_case("ref"));
    let usual = || COLUMNS.iter().map(|&name| name.to_owned()).collect();
    let header: Vec<String> = rows.next_if(is_header).unwrap_or_else(usual);
    let column = |name: &str| header.iter().position(|own| own.eq_ignore_ascii_case(name));
    rows.enumerate().map(|(at, row)| line(at, &|name| column(name).and_then(|place| row.get(place)).cloned())).collect()
}

/// The cells of a CSV row: commas or semicolons between them, quotes doubled inside quotes.
fn cells(row: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = row.trim_end_matches('\r').chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' | ';' if !quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            other => cell.push(other),
        }
    }
    cells.push(cell.trim().to_owned());
    cells
}

fn line(at: usize, value: &dyn Fn(&str) -> Option<String>) -> Result<SimLine, SimFault> {
    let value = |name: &str| value(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let fault = |name: &str, detail: &str| (format!("/{at}/{name}"), detail.to_owned());
    let reference = value("ref").ok_or_else(|| fault("ref", "wajib diisi"))?;
    let day = value("tglDaftar").map(|day| {
        let read = read_date(&day).or_else(|| day.parse().ok());
        read.ok_or_else(|| fault("tglDaftar", "harus tanggal DD-MM-YYYY atau YYYY-MM-DD"))
    });
    let (entry, operation, no_kartu) = (value("entry"), value("operation"), value("noKartu"));
    Ok(SimLine { reference, entry, operation, no_kartu, day: day.transpose()? })
}

type Key = (String, String, Date);

/// Matches every line, in order. An entry found by its reference is nobody else's by key.
#[must_use]
pub fn matched(catalogue: &Catalogue, lines: &[SimLine], entries: &[Entry]) -> Vec<Found> {
    let mut whole: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut exact: HashMap<&str, usize> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        whole.entry(entry.submission()).or_default().push(at);
        exact.insert(&entry.reference, at);
    }
    let by_reference = |line: &SimLine| -> Vec<usize> {
        if let Some(entry) = &line.entry {
            return exact.get(format!("{}/{entry}", line.reference).as_str()).copied().into_iter().collect();
        }
        let one = exact.get(line.reference.as_str()).map(|at| vec![*at]);
        let found = one.or_else(|| whole.get(line.reference.as_str()).cloned()).unwrap_or_default();
        let fits = |at: &usize| line.operation.as_ref().is_none_or(|name| entries[*at].delivery.operation == *name);
        found.into_iter().filter(fits).collect()
    };
    let mut found: Vec<Found> = lines.iter().map(|line| Found::Reference(by_reference(line))).collect();
    let mut used: HashSet<usize> = HashSet::new();
    for one in &found {
        if let Found::Reference(places) = one {
            used.extend(places);
        }
    }
    let mut keys: HashMap<Key, Vec<usize>> = HashMap::new();
    for (at, entry) in entries.iter().enumerate().rev().filter(|(at, _)| !used.contains(at)) {
        if let Some(key) = key_of(catalogue, entry) {
            keys.entry(key).or_default().push(at);
        }
    }
    for (one, line) in found.iter_mut().zip(lines) {
        if *one == Found::Reference(Vec::new()) {
            let at = key(line).and_then(|key| keys.get_mut(&key)?.pop());
            *one = at.map_or(Found::Nothing, Found::Key);
        }
    }
    found
}

fn key_of(catalogue: &Catalogue, entry: &Entry) -> Option<Key> {
    let operation = catalogue.operation(&entry.delivery.operation)?;
    let field = |name: &Option<String>| at(&entry.payload, name.as_ref()?).and_then(text);
    Some((operation.name.clone(), field(&operation.patient_field)?, read_date(&field(&operation.date_field)?)?))
}

fn key(line: &SimLine) -> Option<Key> {
    Some((line.operation.clone().unwrap_or_else(|| USUAL.to_owned()), line.no_kartu.clone()?, line.day?))
}

/// A line as the report keeps it.
#[must_use]
pub fn shown(line: &SimLine) -> Value {
    json!({
        "ref": line.reference, "entry": line.entry, "operation": line.operation, "noKartu": line.no_kartu,
        "tglDaftar": line.day.map(|day| day.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_csv_lists_are_read_alike() {
        let json = json!([{ "ref": "r1", "entry": "daftar", "noKartu": "0009900000001", "tglDaftar": "21-11-2026" }]);
        let csv = json!("\u{feff}ref;noKartu;tglDaftar;entry\r\n\"r1\";0009900000001;2026-11-21;daftar\r\n\r\n");
        assert_eq!(read(&json), read(&csv));
        let line = &read(&json).unwrap()[0];
        assert_eq!((line.entry.as_deref(), line.day), (Some("daftar"), Some(jiff::civil::date(2026, 11, 21))));
    }

    #[test]
    fn bare_references_are_a_list_too() {
        let line = |text: &str| SimLine { reference: text.to_owned(), ..SimLine::default() };
        assert_eq!(read(&json!(["a", "b/c"])).unwrap(), [line("a"), line("b/c")]);
        assert_eq!(read(&json!("a\nb/c\n")).unwrap(), [line("a"), line("b/c")]);
        assert_eq!(cells("\"a,\"\"b\"\"\", c"), ["a,\"b\"", "c"]);
    }

    #[test]
    fn every_fault_names_its_line() {
        let faults = read(&json!([{ "entry": "x" }, 7, { "ref": "a", "tglDaftar": "besok" }, { "ref": "a", "x": 1 }]));
        let places: Vec<String> = faults.unwrap_err().into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, ["/0/ref", "/1", "/2/tglDaftar", "/3/x"]);
        read(&json!({})).unwrap_err();
    }
}
