//! Registrations: unique per card, clinic and day; `Baru`, then `Sudah dilayani`.
//!
//! Job: the four operations of `pendaftaran`. Invariant: a refusal changes nothing. Neighbours: `visit` marks a
//! registration as served and sets it free again. What it does not do: edit (P-Care has no such operation).

use jiff::civil::Date;
use jiff::{Span, Timestamp, ToSpan};
use serde_json::{Value, json};

use super::people::without;
use super::{Done, Moment, Outcome, Refusal, Registration, RegistrationKey, World, date, dmy, echo, reference, text};
use crate::simulator::texts;

const VITALS: &[&str] = &["sistole", "diastole", "beratBadan", "tinggiBadan", "respRate", "heartRate"];

impl Registration {
    const fn status(&self) -> &'static str {
        if self.visit.is_some() { "Sudah dilayani" } else { "Baru" }
    }
}

/// Thirteen digits of somebody who exists.
pub(crate) fn card_refusal(world: &World, card: Option<&str>) -> Option<&'static str> {
    let shaped = card.is_some_and(|card| card.len() == 13 && card.bytes().all(|b| b.is_ascii_digit()));
    if !shaped {
        return Some(texts::CARD_FORMAT);
    }
    card.and_then(|card| world.member(card)).is_none().then_some(texts::NO_SUCH_MEMBER)
}

impl World {
    /// `POST pendaftaran`.
    pub(crate) fn register(&mut self, at: &Moment, body: &Value) -> Outcome {
        let key = self.check_registration(at, body)?;
        let (day, kd_poli, _) = key.clone();
        let letter = reference::clinic(&kd_poli).map_or('A', |(letter, ..)| letter);
        let no_urut = format!("{letter}{}", self.next(&format!("noUrut {day} {kd_poli}")));
        let registration = Registration {
            seq: self.next("seq"),
            no_urut: no_urut.clone(),
            content: body.clone(),
            visit: None,
            visible_from: at.visible_from,
            origin: at.origin,
        };
        self.registrations.insert(key, registration);
        Ok(Done::Created(json!({ "field": "noUrut", "message": no_urut })))
    }

    fn check_registration(&self, at: &Moment, body: &Value) -> Result<RegistrationKey, Refusal> {
        let provider = text(body, "kdProviderPeserta");
        if provider.is_none_or(|code| reference::provider(&self.facility, &code).is_none()) {
            return Err(Refusal::object("kdProviderPeserta", texts::NOT_IN_REFERENCE));
        }
        let day = self.registration_day(at, body)?;
        let card = text(body, "noKartu");
        if let Some(why) = card_refusal(self, card.as_deref()) {
            return Err(Refusal::object("noKartu", why));
        }
        let card = card.unwrap_or_default();
        let kd_poli = self.registration_clinic(body)?;
        if text(body, "kdTkp").is_none_or(|code| reference::care_kind(&code).is_none()) {
            return Err(Refusal::object("kdTkp", texts::NOT_IN_REFERENCE));
        }
        self.check_member(&card)?;
        let key = (day, kd_poli, card);
        if self.registrations.contains_key(&key) {
            return Err(Refusal::plain(401, texts::DUPLICATE));
        }
        Ok(key)
    }

    fn registration_day(&self, at: &Moment, body: &Value) -> Result<Date, Refusal> {
        let refuse = |why| Refusal::object("tglDaftar", why);
        let day = text(body, "tglDaftar").and_then(|text| date(&text)).ok_or_else(|| refuse(texts::DATE_FORMAT))?;
        let earliest = self.rules.backdate_days.map(|days| at.today.saturating_sub(i64::from(days).days()));
        if day > at.today {
            Err(refuse(texts::FUTURE))
        } else if earliest.is_some_and(|earliest| day < earliest) {
            Err(refuse(texts::TOO_OLD))
        } else {
            Ok(day)
        }
    }

    fn registration_clinic(&self, body: &Value) -> Result<String, Refusal> {
        let code = text(body, "kdPoli").ok_or_else(|| Refusal::object("kdPoli", texts::POLI_MISSING))?;
        let Some((_, _, sick)) = reference::clinic(&code) else {
            return Err(if self.rules.unknown_poli_is_500 {
                Refusal::plain(500, texts::POLI_NOT_IN_REFERENCE_500)
            } else {
                Refusal::object("kdPoli", texts::NOT_IN_REFERENCE)
            });
        };
        if body.get("kunjSakit").and_then(Value::as_bool) != Some(sick) {
            return Err(Refusal::object("kunjSakit", texts::SICK_MISMATCH));
        }
        Ok(code)
    }

    fn check_member(&self, card: &str) -> Result<(), Refusal> {
        let active = self.member(card).is_some_and(|member| member["aktif"] == json!(true));
        if self.rules.refuse_inactive && !active {
            return Err(Refusal::object("noKartu", texts::INACTIVE));
        }
        if !self.screened(card) {
            return Err(Refusal::plain(401, texts::SCREENING));
        }
        Ok(())
    }

    /// The registrations of a day that reads show, in the order they were made.
    fn of_day(&self, day: Date, now: Timestamp) -> Vec<(&RegistrationKey, &Registration)> {
        let from = (day, String::new(), String::new());
        let until = (day.saturating_add(Span::new().days(1)), String::new(), String::new());
        let mut found: Vec<_> = self.registrations.range(from..until).filter(|(_, r)| r.visible_from <= now).collect();
        found.sort_by_key(|(_, registration)| registration.seq);
        found
    }

    /// `GET pendaftaran/tglDaftar/{tgl}/{start}/{limit}`.
    pub(crate) fn registrations_of(&self, at: &Moment, day: &str, start: &str, limit: &str) -> Outcome {
        let day = date(day).ok_or_else(|| Refusal::object("tglDaftar", texts::DATE_FORMAT))?;
        self.page_of(self.of_day(day, at.now), start, limit, |(key, found)| self.sparse(key, found))
    }

    /// `GET pendaftaran/noUrut/{noUrut}/tglDaftar/{tgl}`.
    pub(crate) fn registration(&self, at: &Moment, no_urut: &str, day: &str) -> Outcome {
        let day = date(day).ok_or_else(|| Refusal::object("tglDaftar", texts::DATE_FORMAT))?;
        let found = self.of_day(day, at.now).into_iter().find(|(_, r)| r.no_urut.eq_ignore_ascii_case(no_urut));
        found.map(|(key, found)| Done::Found(self.full(key, found))).ok_or_else(Refusal::nothing)
    }

    /// `DELETE pendaftaran/peserta/{noKartu}/tglDaftar/{tgl}/noUrut/{noUrut}/kdPoli/{kdPoli}`: only while `Baru`.
    pub(crate) fn unregister(&mut self, card: &str, day: &str, no_urut: &str, kd_poli: &str) -> Outcome {
        let day = date(day).ok_or_else(|| Refusal::object("tglDaftar", texts::DATE_FORMAT))?;
        let key = (day, kd_poli.to_owned(), card.to_owned());
        let found = self.registrations.get(&key).filter(|r| r.no_urut.eq_ignore_ascii_case(no_urut));
        let Some(found) = found else { return Err(Refusal::nothing()) };
        if found.visit.is_some() {
            return Err(Refusal::object("noUrut", texts::ALREADY_SERVED));
        }
        self.registrations.remove(&key);
        Ok(Done::Changed(json!("")))
    }

    fn vitals(row: &mut Value, content: &Value) {
        for field in VITALS {
            row[*field] = echo(content, field, json!(0));
        }
        let code = text(content, "kdTkp").unwrap_or_default();
        row["tkp"] = json!({ "kdTkp": code, "nmTkp": reference::care_kind(&code) });
    }

    /// The variant of the day's list: a sparse member, `poliSakit` and `kunjSakit`, no provider.
    fn sparse(&self, key: &RegistrationKey, found: &Registration) -> Value {
        let (day, kd_poli, card) = key;
        let (member, clinic) = (self.member(card).unwrap_or_default(), reference::clinic(kd_poli));
        let mut row = json!({
            "noUrut": found.no_urut, "tgldaftar": dmy(*day), "providerPelayanan": null,
            "peserta": { "noKartu": card, "nama": member["nama"], "hubunganKeluarga": null, "sex": member["sex"],
                "tglLahir": member["tglLahir"], "tglMulaiAktif": null, "tglAkhirBerlaku": null, "kdProviderPst": null,
                "kdProviderGigi": null, "jnsKelas": null, "jnsPeserta": null, "golDarah": null, "noHP": null,
                "noKTP": null, "aktif": false, "ketAktif": null, "asuransi": null },
            "poli": { "kdPoli": kd_poli, "nmPoli": clinic.map(|(_, nm, _)| nm),
            "poliSakit": clinic.is_some_and(|(.., sick)| sick) },
            "keluhan": echo(&found.content, "keluhan", json!("")), "kunjSakit": echo(&found.content,
            "kunjSakit", json!(true)),
            "status": found.status(),
        });
        Self::vitals(&mut row, &found.content);
        row
    }

    /// The variant of one registration: the whole member and the provider, no `kunjSakit`, no `poliSakit`.
    fn full(&self, key: &RegistrationKey, found: &Registration) -> Value {
        let (day, kd_poli, card) = key;
        let member = without(self.member(card).unwrap_or_default(), &["pstProl", "pstPrb", "tunggakan"]);
        let mut row = json!({
            "noUrut": found.no_urut, "tgldaftar": dmy(*day),
            "providerPelayanan": { "kdProvider": self.facility,
            "nmProvider": reference::provider(&self.facility, &self.facility) },
            "peserta": member,
            "poli": { "kdPoli": kd_poli, "nmPoli": reference::clinic(kd_poli).map(|(_, nm, _)| nm) },
            "keluhan": echo(&found.content, "keluhan", json!("")), "status": found.status(),
        });
        Self::vitals(&mut row, &found.content);
        row
    }
}
