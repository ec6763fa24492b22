//! Visits: one per registration, checked as strictly as the sources say.
//!
//! Job: add, edit and delete of `kunjungan`. Invariants: a visit needs its registration and marks it as served;
//! deleting the visit sets the registration free and drops what hangs on the visit; a locked visit stays as it is.
//! Neighbours: `history` shows visits, `children` hangs things on them. What it does not do: clinical judgement.

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::registration::card_refusal;
use super::{Done, Moment, Origin, Outcome, Refusal, RegistrationKey, Visit, World, date, number, reference, text};
use crate::simulator::texts;

/// The vital signs and what is still believed; a sick visit outside these is refused.
const VITALS: &[(&str, f64, f64)] = &[
    ("sistole", 40.0, 300.0),
    ("diastole", 20.0, 200.0),
    ("beratBadan", 0.1, 400.0),
    ("tinggiBadan", 1.0, 260.0),
    ("respRate", 1.0, 120.0),
    ("heartRate", 1.0, 300.0),
];

/// A referral as the body carries it.
struct Referral<'a> {
    body: &'a Value,
    special: Option<&'a Value>,
    sub: Option<&'a Value>,
}

fn not_in_reference(field: &str) -> Refusal {
    Refusal::array(field, texts::NOT_IN_REFERENCE)
}

fn object<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    value.get(field).filter(|value| value.is_object())
}

/// The referral of a visit that ends with one; without it the service meets a null.
fn referral(body: &Value) -> Result<Option<Referral<'_>>, Refusal> {
    if text(body, "kdStatusPulang").as_deref() != Some("4") {
        return Ok(None);
    }
    let found = object(body, "rujukLanjut").filter(|found| text(found, "kdppk").is_some());
    let found = found.ok_or_else(|| Refusal::plain(500, texts::NULL_REFERENCE))?;
    let (special, sub) = (object(found, "khusus"), object(found, "subSpesialis"));
    if special.is_none() && sub.is_none() {
        return Err(Refusal::plain(500, texts::NULL_REFERENCE));
    }
    Ok(Some(Referral { body: found, special, sub }))
}

fn check_codes(body: &Value) -> Result<(), Refusal> {
    type Known = fn(&str) -> bool;
    let required: [(&str, Known); 4] = [
        ("kdSadar", |code| reference::consciousness(code).is_some()),
        ("kdStatusPulang", |code| reference::discharge(code).is_some()),
        ("kdDokter", |code| reference::doctor(code).is_some()),
        ("kdDiag1", |code| reference::diagnosis(code).is_some()),
    ];
    let optional: [(&str, Known); 7] = [
        ("kdDiag2", |code| reference::diagnosis(code).is_some()),
        ("kdDiag3", |code| reference::diagnosis(code).is_some()),
        ("kdPoliRujukInternal", |code| reference::clinic(code).is_some()),
        ("kdPrognosa", reference::prognosis_known),
        ("alergiMakan", |code| reference::allergy_known("01", code)),
        ("alergiUdara", |code| reference::allergy_known("02", code)),
        ("alergiObat", |code| reference::allergy_known("03", code)),
    ];
    let missing = required.iter().find(|(field, known)| text(body, field).is_none_or(|code| !known(&code)));
    let wrong = optional.iter().find(|(field, known)| text(body, field).is_some_and(|code| !known(&code)));
    missing.or(wrong).map_or(Ok(()), |(field, _)| Err(not_in_reference(field)))
}

fn check_vitals(body: &Value) -> Result<(), Refusal> {
    let implausible = |(field, least, most): &&(&str, f64, f64)| {
        number(body, field).is_none_or(|value| !(*least..=*most).contains(&value))
    };
    if let Some((field, ..)) = VITALS.iter().find(implausible) {
        return Err(Refusal::array(field, texts::VITALS));
    }
    let warm = text(body, "suhu").is_none() || number(body, "suhu").is_some_and(|suhu| (25.0..=45.0).contains(&suhu));
    if warm { Ok(()) } else { Err(Refusal::array("suhu", texts::VITALS)) }
}

fn check_referral(body: &Value, referral: &Referral<'_>, day: Date) -> Result<(), Refusal> {
    let planned = text(referral.body, "tglEstRujuk").and_then(|text| date(&text));
    if planned.is_none_or(|planned| planned < day) {
        return Err(Refusal::array("tglEstRujuk", texts::REFERRAL_DATE));
    }
    if text(referral.body, "kdppk").is_none_or(|code| reference::hospital(&code).is_none()) {
        return Err(not_in_reference("kdppk"));
    }
    if let Some(special) = referral.special
        && text(special, "kdKhusus").is_none_or(|code| reference::special_condition(&code).is_none())
    {
        return Err(not_in_reference("kdKhusus"));
    }
    let Some(sub) = referral.sub else { return Ok(()) };
    if text(sub, "kdSubSpesialis1").is_none_or(|code| reference::hospital_clinic(&code).is_none()) {
        return Err(not_in_reference("kdSubSpesialis1"));
    }
    if text(sub, "kdSarana").is_some_and(|code| !reference::means_known(&code)) {
        return Err(not_in_reference("kdSarana"));
    }
    check_tacc(body)
}

/// A diagnosis of primary care is referred only with a reason; a reason must fit its code.
fn check_tacc(body: &Value) -> Result<(), Refusal> {
    let code = text(body, "kdTacc").unwrap_or_default();
    if matches!(code.as_str(), "1" | "2" | "3" | "4") {
        let reason = text(body, "alasanTacc").unwrap_or_default();
        let fits = reference::tacc_reason_fits(&code, &reason);
        return if fits { Ok(()) } else { Err(Refusal::array("alasanTacc", texts::TACC_REASON)) };
    }
    let primary =
        text(body, "kdDiag1").and_then(|code| reference::diagnosis(&code)).is_some_and(|(.., primary)| primary);
    if primary { Err(Refusal::array("kdTacc", texts::TACC_REQUIRED)) } else { Ok(()) }
}

/// Everything about a visit that does not depend on what is there already.
fn check_content(body: &Value, day: Date, sick: bool) -> Result<(), Refusal> {
    let referral = referral(body)?;
    check_codes(body)?;
    let special = referral.as_ref().is_some_and(|referral| referral.special.is_some());
    if sick && !special {
        check_vitals(body)?;
    }
    let discharged = text(body, "tglPulang").and_then(|text| date(&text));
    if !special && discharged.is_none_or(|discharged| discharged < day) {
        return Err(Refusal::array("tglPulang", texts::DISCHARGE_DATE));
    }
    referral.map_or(Ok(()), |referral| check_referral(body, &referral, day))
}

impl World {
    /// `POST kunjungan/v1` (and the old `kunjungan`).
    pub(crate) fn add_visit(&mut self, at: &Moment, body: &Value) -> Outcome {
        self.check_shape(body)?;
        let elsewhere = self.elsewhere(at, body);
        let key = self.visit_registration(at, body, elsewhere.is_some())?;
        if self.registrations.get(&key).is_some_and(|found| found.visit.is_some()) {
            return Err(Refusal::array("noKartu", texts::DUPLICATE));
        }
        let sick = reference::clinic(&key.1).is_none_or(|(.., sick)| sick);
        check_content(body, key.0, sick)?;
        let provider = elsewhere.unwrap_or_else(|| self.facility.clone());
        let month = format!("{:02}{:02}", key.0.month(), key.0.year().rem_euclid(100));
        let number = self.next(&format!("noKunjungan {provider}{month}"));
        let no_kunjungan = format!("{provider}{month}Y{number:06}");
        if let Some(registration) = self.registrations.get_mut(&key) {
            registration.visit = Some(no_kunjungan.clone());
        }
        self.visits_of.entry(key.2.clone()).or_default().push(no_kunjungan.clone());
        let visit = Visit {
            seq: self.next("seq"),
            registration: key,
            provider,
            content: body.clone(),
            children: Vec::new(),
            visible_from: at.visible_from,
            origin: at.origin,
            served_by_hospital: false,
            billed: false,
        };
        self.visits.insert(no_kunjungan.clone(), visit);
        Ok(Done::Created(json!([{ "field": "noKunjungan", "message": no_kunjungan }])))
    }

    /// The other provider a staff entry names: such a visit needs no registration here.
    fn elsewhere(&self, at: &Moment, body: &Value) -> Option<String> {
        let provider = text(body, "kdProvider").filter(|code| *code != self.facility)?;
        match at.origin {
            Origin::Staff => Some(provider),
            Origin::WebService | Origin::MobileJkn => None,
        }
    }

    fn check_shape(&self, body: &Value) -> Result<(), Refusal> {
        let null = body.get("rujukLanjut").is_some_and(Value::is_null);
        if null && self.rules.strict_null_referral { Err(Refusal::plain(500, texts::JVALUE)) } else { Ok(()) }
    }

    fn visit_registration(&self, at: &Moment, body: &Value, elsewhere: bool) -> Result<RegistrationKey, Refusal> {
        let day = text(body, "tglDaftar").and_then(|text| date(&text));
        let day = day.ok_or_else(|| Refusal::array("tglDaftar", texts::DATE_FORMAT))?;
        if day > at.today {
            return Err(Refusal::array("tglDaftar", texts::FUTURE));
        }
        let card = text(body, "noKartu");
        if let Some(why) = card_refusal(self, card.as_deref()) {
            return Err(Refusal::array("noKartu", why));
        }
        let card = card.unwrap_or_default();
        let Some(kd_poli) = text(body, "kdPoli") else {
            return self.any_registration(day, &card).ok_or_else(|| Refusal::array("noKartu", texts::NO_REGISTRATION));
        };
        if reference::clinic(&kd_poli).is_none() {
            return Err(not_in_reference("kdPoli"));
        }
        let key = (day, kd_poli, card);
        if elsewhere || self.registrations.contains_key(&key) {
            return Ok(key);
        }
        Err(Refusal::array("noKartu", texts::NO_REGISTRATION))
    }

    /// A special referral names no clinic: the card's registration of the day, rather one not yet served.
    fn any_registration(&self, day: Date, card: &str) -> Option<RegistrationKey> {
        let from = (day, String::new(), String::new());
        let of_card =
            self.registrations.range(from..).take_while(|((on, ..), _)| *on == day).filter(|((_, _, c), _)| c == card);
        of_card.min_by_key(|(_, found)| (found.visit.is_some(), found.seq)).map(|(key, _)| key.clone())
    }

    /// A visit that may still be changed.
    pub(crate) fn open_visit(&mut self, at: &Moment, no_kunjungan: &str) -> Result<&mut Visit, Refusal> {
        let visit = self.visits.get_mut(no_kunjungan).ok_or_else(Refusal::nothing)?;
        if visit.served_by_hospital {
            return Err(Refusal::plain(428, texts::SERVED_BY_HOSPITAL));
        }
        if visit.billed || visit.registration.0.saturating_add(3.months()) < at.today {
            return Err(Refusal::array("noKunjungan", texts::LOCKED));
        }
        Ok(visit)
    }

    /// `PUT kunjungan/v1`: the fields of the body replace those of the visit.
    pub(crate) fn edit_visit(&mut self, at: &Moment, body: &Value) -> Outcome {
        self.check_shape(body)?;
        let wanted = text(body, "noKunjungan").unwrap_or_default();
        let visit = self.open_visit(at, &wanted)?;
        let (day, kd_poli, card) = visit.registration.clone();
        if text(body, "noKartu").is_some_and(|named| named != card) {
            return Err(not_in_reference("noKartu"));
        }
        let mut content = visit.content.clone();
        for (field, value) in body.as_object().into_iter().flatten() {
            content[field] = value.clone();
        }
        check_content(&content, day, reference::clinic(&kd_poli).is_none_or(|(.., sick)| sick))?;
        visit.content = content;
        Ok(Done::Changed(Value::Null))
    }

    /// `DELETE kunjungan/{noKunjungan}`: the registration is `Baru` again.
    pub(crate) fn delete_visit(&mut self, at: &Moment, no_kunjungan: &str) -> Outcome {
        let keep = self.rules.keep_visits_with_children;
        let visit = self.open_visit(at, no_kunjungan)?;
        if keep && !visit.children.is_empty() {
            return Err(Refusal::array("noKunjungan", texts::HAS_CHILDREN));
        }
        let key = visit.registration.clone();
        self.visits.remove(no_kunjungan);
        if let Some(numbers) = self.visits_of.get_mut(&key.2) {
            numbers.retain(|number| number != no_kunjungan);
        }
        if let Some(registration) =
            self.registrations.get_mut(&key).filter(|r| r.visit.as_deref() == Some(no_kunjungan))
        {
            registration.visit = None;
        }
        Ok(Done::Changed(Value::Null))
    }

    /// Locks a visit: billed, or its referral used by the hospital. False where there is no such visit.
    pub(crate) fn lock_visit(&mut self, no_kunjungan: &str, billed: bool, served_by_hospital: bool) -> bool {
        self.visits
            .get_mut(no_kunjungan)
            .map(|visit| (visit.billed, visit.served_by_hospital) = (billed, served_by_hospital))
            .is_some()
    }
}
