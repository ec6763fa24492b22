//! How P-Care shows visits again: the history of a card and the referral letter.
//!
//! Job: the rows of `kunjungan/peserta` and the object of `kunjungan/rujukan`. Invariant: newest first, no `noUrut`,
//! most fields of the member null, as in the catalogue's samples. Neighbours: `visit` keeps what is shown here.
//! What it does not do: change anything.

use serde_json::{Value, json};

use super::registration::card_refusal;
use super::{Done, Moment, Outcome, Refusal, Visit, World, counted, dmy, echo, reference, text};

fn diagnosis(content: &Value, field: &str) -> Value {
    match text(content, field).and_then(|code| reference::diagnosis(&code)) {
        Some((code, name, primary)) => json!({ "kdDiag": code, "nmDiag": name, "nonSpesialis": primary }),
        None => json!({ "kdDiag": null, "nmDiag": null, "nonSpesialis": false }),
    }
}

fn clinic(code: Option<&str>) -> Value {
    let found = code.and_then(reference::clinic);
    json!({ "kdPoli": code, "nmPoli": found.map(|(_, name, _)| name),
    "poliSakit": found.is_none_or(|(.., sick)| sick) })
}

fn coded(content: &Value, field: &str, codes: (&str, &str), name: fn(&str) -> Option<&'static str>) -> Value {
    let code = text(content, field);
    json!({ codes.0: code, codes.1: code.as_deref().and_then(name) })
}

/// Code of a hospital, its name, code and name of its clinic.
type Hospital = (String, Option<&'static str>, Option<(&'static str, &'static str)>);

/// Where the visit was referred to.
fn referred(content: &Value) -> Option<Hospital> {
    let referral = content.get("rujukLanjut").filter(|_| text(content, "kdStatusPulang").as_deref() == Some("4"))?;
    let hospital = text(referral, "kdppk")?;
    let sub = referral.get("subSpesialis").and_then(|sub| text(sub, "kdSubSpesialis1"));
    let name = reference::hospital(&hospital);
    Some((hospital, name, sub.and_then(|sub| reference::hospital_clinic(&sub))))
}

impl World {
    fn history_row(&self, number: &str, visit: &Visit) -> Value {
        let (day, kd_poli, card) = &visit.registration;
        let content = &visit.content;
        let day = dmy(*day);
        let registration = self.registrations.get(&visit.registration).map(|found| &found.content);
        let tkp = registration.and_then(|found| text(found, "kdTkp")).unwrap_or_else(|| "10".to_owned());
        let number_of = |field: &str| echo(content, field, json!(0));
        let (hospital, at_hospital) = match referred(content) {
            Some((code, name, sub)) => (
                json!({ "kdProvider": code, "nmProvider": name }),
                json!({ "kdPoli": sub.map(|(kd, _)| kd), "nmPoli": sub.map(|(_, nm)| nm), "poliSakit": true }),
            ),
            None => (json!({ "kdProvider": "", "nmProvider": null }), clinic(None)),
        };
        json!({
            "noKunjungan": number, "tglKunjungan": day,
            "providerPelayanan": { "kdProvider": visit.provider,
            "nmProvider": reference::provider(&self.facility, &visit.provider) },
            "peserta": history_member(card), "poli": clinic(Some(kd_poli)),
            "progProlanis": { "kdProgram": "", "nmProgram": "" }, "keluhan": echo(content, "keluhan", json!("")),
            "diagnosa1": diagnosis(content, "kdDiag1"), "diagnosa2": diagnosis(content, "kdDiag2"),
            "diagnosa3": diagnosis(content, "kdDiag3"),
            "kesadaran": coded(content, "kdSadar", ("kdSadar", "nmSadar"), reference::consciousness),
            "sistole": number_of("sistole"), "diastole": number_of("diastole"), "beratBadan": number_of("beratBadan"),
            "tinggiBadan": number_of("tinggiBadan"), "respRate": number_of("respRate"),
            "heartRate": number_of("heartRate"),
            "catatan": "", "rujukBalik": 0, "providerAsalRujuk": { "kdProvider": "", "nmProvider": null },
            "providerRujukLanjut": hospital, "pemFisikLain": "",
            "dokter": coded(content, "kdDokter", ("kdDokter", "nmDokter"), reference::doctor),
            "statusPulang": coded(content, "kdStatusPulang", ("kdStatusPulang",
            "nmStatusPulang"), reference::discharge),
            "tkp": { "kdTkp": tkp, "nmTkp": reference::care_kind(&tkp) },
            "poliRujukInternal": clinic(text(content, "kdPoliRujukInternal").as_deref()),
            "poliRujukLanjut": at_hospital, "tglPulang": echo(content, "tglPulang", json!(day)),
        })
    }

    /// `GET kunjungan/peserta/{noKartu}`: newest first, visits elsewhere included.
    pub(crate) fn history(&self, at: &Moment, card: &str) -> Outcome {
        if let Some(why) = card_refusal(self, Some(card)) {
            return Err(Refusal::array("noKartu", why));
        }
        let numbers = self.visits_of.get(card).into_iter().flatten();
        let mut visits: Vec<_> = numbers.filter_map(|number| self.visits.get_key_value(number)).collect();
        visits.retain(|(_, visit)| visit.visible_from <= at.now);
        visits.sort_by_key(|(_, visit)| std::cmp::Reverse((visit.registration.0, visit.seq)));
        counted(visits.into_iter().map(|(number, visit)| self.history_row(number, visit)).collect())
    }

    /// `GET kunjungan/rujukan/{noKunjungan}`: the letter of a visit that ended with a referral.
    pub(crate) fn referral_letter(&self, at: &Moment, number: &str) -> Outcome {
        let visit =
            self.visits.get(number).filter(|visit| visit.visible_from <= at.now).ok_or_else(Refusal::nothing)?;
        let (hospital, hospital_name, sub) = referred(&visit.content).ok_or_else(Refusal::nothing)?;
        let content = &visit.content;
        let (day, kd_poli, card) = &visit.registration;
        let member = self.member(card).unwrap_or_default();
        let letter = |field: &str| {
            let found = text(content, field).and_then(|code| reference::diagnosis(&code));
            found.map_or(
                Value::Null,
                |(code, name, _)| json!({ "kdDiag": reference::dotted_code(&code), "nmDiag": name }),
            )
        };
        let tacc = match text(content, "kdTacc").as_deref() {
            Some("1") => Some("Time"),
            Some("2") => Some("Age"),
            Some("3") => Some("Complication"),
            Some("4") => Some("Comorbidity"),
            _ => None,
        };
        let own = reference::clinic(kd_poli).map(|(_, name, _)| (kd_poli.as_str(), name));
        let (poli, poli_name) = sub.or(own).unzip();
        Ok(Done::Found(json!({
            "noRujukan": number,
            "ppk": facility_card(&visit.provider, reference::provider(&self.facility, &visit.provider)),
            "tglKunjungan": dmy(*day), "poli": { "kdPoli": poli, "nmPoli": poli_name },
            "nokaPst": card, "nmPst": member["nama"], "tglLahir": member["tglLahir"], "pisa": "1",
            "ketPisa": "Peserta", "sex": member["sex"],
            "diag1": letter("kdDiag1"), "diag2": letter("kdDiag2"), "diag3": letter("kdDiag3"), "catatan": "",
            "dokter": coded(content, "kdDokter", ("kdDokter", "nmDokter"), reference::doctor),
            "tacc": { "nmTacc": tacc, "alasanTacc": tacc.map(|_| echo(content, "alasanTacc", Value::Null)) },
            "infoDenda": "",
            "ppkRujuk": { "kdPPK": hospital, "nmPPK": hospital_name },
            "tglEstRujuk": content["rujukLanjut"]["tglEstRujuk"],
        })))
    }
}

fn history_member(card: &str) -> Value {
    json!({ "noKartu": card, "nama": null, "hubunganKeluarga": "Peserta", "sex": null, "tglLahir": null,
    "tglMulaiAktif": null,
        "tglAkhirBerlaku": null, "kdPpkPst": null, "kdPpkGigi": null, "jnsKelas": null, "jnsPeserta": null,
        "golDarah": null,
        "noHP": null, "noKTP": null, "asuransi": null })
}

fn facility_card(code: &str, name: Option<&str>) -> Value {
    let region = json!({ "kdKR": "04", "nmKR": "REGIONAL   IV - CONTOH", "alamat": null, "telp": null, "fax": null });
    let town = json!({ "kdProp": null, "kdDati": "0114", "nmDati": "KOTA CONTOH" });
    let office = json!({ "kdKC": "0901", "nmKC": "KOTA CONTOH", "alamat": null, "telp": null, "fax": null,
    "dati": town, "kdKR": region });
    json!({ "kdPPK": code, "nmPPK": name, "alamat": null, "kc": office })
}
