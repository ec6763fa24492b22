//! `formPRB` of the control letters of December 2025: which figures a disease has, and between which bounds.
//!
//! Job: the 36 fields, and whether a form keeps to them. Source: the field map of the `@ssecd/jkn` client (`Surkon V2`),
//! the only public one. Invariant: a field that the disease does not have must be null. Neighbours: `letter` checks with
//! it. What it does not do: medicine.

use serde_json::{Map, Value};

use super::{no, reference, wrong};
use crate::simulator::texts;
use crate::simulator::world::{Refusal, text};

/// Field, diseases that have it, least and most.
const FIELDS: &[(&str, &[&str], f64, f64)] = &[
    ("HBA1C", &["01"], 0.1, 15.0),
    ("GDP", &["01", "07"], 10.0, 500.0),
    ("GD2JPP", &["01"], 10.0, 500.0),
    ("eGFR", &["01", "02"], 5.0, 150.0),
    ("TD_Sistolik", &["01", "07"], 20.0, 200.0),
    ("TD_Diastolik", &["01", "07"], 20.0, 200.0),
    ("LDL", &["01", "07"], 20.0, 500.0),
    ("Rata_TD_Sistolik", &["02", "04"], 20.0, 200.0),
    ("Rata_TD_Diastolik", &["02", "04"], 20.0, 200.0),
    ("JantungKoroner", &["02"], 0.0, 1.0),
    ("Stroke", &["02"], 0.0, 1.0),
    ("VaskularPerifer", &["02"], 0.0, 1.0),
    ("Aritmia", &["02", "04"], 0.0, 1.0),
    ("AtrialFibrilasi", &["02"], 0.0, 1.0),
    ("NadiIstirahat", &["04"], 20.0, 200.0),
    ("SesakNapas3Bulan", &["04"], 0.0, 1.0),
    ("NyeriDada3Bulan", &["04"], 0.0, 1.0),
    ("SesakNapasAktivitas", &["04"], 0.0, 1.0),
    ("NyeriDadaAktivitas", &["04"], 0.0, 1.0),
    ("Terkontrol", &["03"], 0.0, 1.0),
    ("Gejala2xMinggu", &["03"], 0.0, 1.0),
    ("BangunMalam", &["03"], 0.0, 1.0),
    ("KeterbatasanFisik", &["03"], 0.0, 1.0),
    ("FungsiParu", &["03"], 0.0, 100.0),
    ("SkorMMRC", &["05"], 0.0, 40.0),
    ("Eksaserbasi1Tahun", &["05"], 0.0, 1.0),
    ("MampuAktivitas", &["05"], 0.0, 1.0),
    ("Epileptik6Bulan", &["08"], 0.0, 1.0),
    ("EfekSampingOAB", &["08"], 0.0, 1.0),
    ("HamilMenyusui", &["08"], 0.0, 1.0),
    ("Remisi", &["06"], 0.0, 100.0),
    ("TerapiRumatan", &["06"], 0.0, 1.0),
    ("Usia", &["06"], 1.0, 100.0),
    ("AsamUrat", &["07"], 0.1, 20.0),
    ("RemisiSLE", &["09"], 0.0, 100.0),
    ("Hamil", &["09"], 0.0, 1.0),
];

/// Checks a form.
///
/// # Errors
/// The first field that is unknown, no number, out of its bounds, or not one of this disease.
pub(crate) fn check(form: &Value) -> Result<(), Refusal> {
    let disease = text(form, "kdStatusPRB").ok_or_else(|| wrong("formPRB.kdStatusPRB"))?;
    reference::programme(&disease).ok_or_else(|| wrong("formPRB.kdStatusPRB"))?;
    let data = form.get("data").and_then(Value::as_object).ok_or_else(|| wrong("formPRB.data"))?;
    for (field, value) in data.iter().filter(|(_, value)| !value.is_null()) {
        let known = FIELDS.iter().find(|(name, ..)| name == field);
        let fits = known.zip(value.as_f64()).is_some_and(|((_, diseases, least, most), value)| {
            diseases.contains(&disease.as_str()) && (*least..=*most).contains(&value)
        });
        if !fits {
            return Err(no(&format!("{}{field}", texts::FORM_PRB)));
        }
    }
    Ok(())
}

/// The form as reads show it: every field, null where nothing was said.
pub(crate) fn shown(form: Option<&Value>) -> Value {
    let said = |field: &str| form.and_then(|form| form.get("data")?.get(field)).cloned().unwrap_or_default();
    let data: Map<String, Value> = FIELDS.iter().map(|(field, ..)| ((*field).to_owned(), said(field))).collect();
    let disease = form.and_then(|form| form.get("kdStatusPRB")).cloned().unwrap_or_default();
    serde_json::json!({ "kdStatusPRB": disease, "data": data })
}
