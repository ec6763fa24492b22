//! What hangs on a visit: treatments, drugs, examinations.
//!
//! Job: `tindakan`, `obat/kunjungan` and `MCU`. Invariants: each needs an existing visit; BPJS has no uniqueness here,
//! so the same again is a second copy unless `Rules::refuse_same_children` says otherwise. Neighbours: `visit` drops
//! them with the visit. What it does not do: stock or tariffs.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Child, ChildKind, Done, Moment, Outcome, Refusal, World, counted, date, echo, number, reference, text};
use crate::simulator::texts;

/// The fields of an examination that are numbers, 0 where nothing was measured.
const MEASURED: &[&str] = &[
    "tekananDarahSistole",
    "tekananDarahDiastole",
    "darahRutinHemo",
    "darahRutinLeu",
    "darahRutinErit",
    "darahRutinLaju",
    "darahRutinHema",
    "darahRutinTrom",
    "lemakDarahHDL",
    "lemakDarahLDL",
    "lemakDarahChol",
    "lemakDarahTrigli",
    "gulaDarahSewaktu",
    "gulaDarahPuasa",
    "gulaDarahPostPrandial",
    "gulaDarahHbA1c",
    "fungsiHatiSGOT",
    "fungsiHatiSGPT",
    "fungsiHatiGamma",
    "fungsiHatiProtKual",
    "fungsiHatiAlbumin",
    "fungsiGinjalCrea",
    "fungsiGinjalUreum",
    "fungsiGinjalAsam",
    "fungsiJantungABI",
];
const WRITTEN: &[&str] =
    &["radiologiFoto", "fungsiJantungEKG", "fungsiJantungEcho", "funduskopi", "pemeriksaanLain", "keterangan"];

impl ChildKind {
    const fn id_field(self) -> &'static str {
        match self {
            Self::Treatment => "kdTindakanSK",
            Self::Drug => "kdObatSK",
            Self::Examination => "kdMCU",
        }
    }
}

fn row(number: &str, child: &Child) -> Value {
    match child.kind {
        ChildKind::Treatment => treatment_row(number, child),
        ChildKind::Drug => drug_row(child),
        ChildKind::Examination => examination_row(number, child),
    }
}

fn treatment_row(visit: &str, child: &Child) -> Value {
    let code = text(&child.content, "kdTindakan").unwrap_or_default();
    json!({ "kdTindakanSK": child.id, "noKunjungan": visit, "kdTindakan": code,
    "nmTindakan": reference::treatment(&code),
        "biaya": echo(&child.content, "biaya", json!(0)), "keterangan": echo(&child.content, "keterangan", Value::Null),
        "hasil": echo(&child.content, "hasil", json!(0)) })
}

fn drug_row(child: &Child) -> Value {
    let content = &child.content;
    let code = text(content, "kdObat").unwrap_or_default();
    let name = text(content, "nmObatNonDPHO").or_else(|| reference::drug(&code));
    let often = number(content, "signa1").unwrap_or(0.0) * number(content, "signa2").unwrap_or(0.0);
    let days = if often > 0.0 { (number(content, "jmlObat").unwrap_or(0.0) / often).floor() } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "a number of days, floored")]
    let days = days as i64;
    json!({ "kdObatSK": child.id, "kdRacikan": content["kdRacikan"], "obat": { "kdObat": code, "nmObat": name,
    "sedia": 0 },
        "signa1": echo(content, "signa1", json!(0)), "signa2": echo(content, "signa2", json!(0)),
        "jmlObat": echo(content, "jmlObat", json!(0)),
        "jmlHari": days, "kekuatan": 0, "jmlPermintaan": echo(content, "jmlPermintaan", json!(0)),
        "jmlObatRacikan": 0 })
}

fn examination_row(visit: &str, child: &Child) -> Value {
    // The catalogue's sample shows the provider in small letters.
    let provider = text(&child.content, "kdProvider").map(|code| code.to_lowercase());
    let mut row = json!({ "kdMCU": child.id, "noKunjungan": visit, "kdProvider": provider,
        "tglPelayanan": echo(&child.content, "tglPelayanan", Value::Null) });
    for field in MEASURED {
        row[*field] = echo(&child.content, field, json!(0));
    }
    for field in WRITTEN {
        row[*field] = echo(&child.content, field, Value::Null);
    }
    row
}

fn refused(field: &str) -> Refusal {
    Refusal::object(field, texts::NOT_IN_REFERENCE)
}

impl World {
    fn visit_named(&self, body: &Value) -> Result<String, Refusal> {
        text(body, "noKunjungan")
            .filter(|number| self.visits.contains_key(number))
            .ok_or_else(|| refused("noKunjungan"))
    }

    fn check_child(&self, kind: ChildKind, body: &Value) -> Result<(), Refusal> {
        match kind {
            ChildKind::Treatment => {
                let known = text(body, "kdTindakan").is_some_and(|code| reference::treatment(&code).is_some());
                if known { Ok(()) } else { Err(refused("kdTindakan")) }
            }
            ChildKind::Drug => {
                let listed = body.get("obatDPHO").and_then(Value::as_bool).unwrap_or(true);
                let known = text(body, "kdObat").is_some_and(|code| reference::drug(&code).is_some());
                let named = text(body, "nmObatNonDPHO").is_some();
                if (listed && known) || (!listed && named) { Ok(()) } else { Err(refused("kdObat")) }
            }
            ChildKind::Examination => {
                let provider = text(body, "kdProvider").map(|code| code.to_ascii_uppercase());
                if provider.is_none_or(|code| reference::provider(&self.facility, &code).is_none()) {
                    return Err(refused("kdProvider"));
                }
                let day = text(body, "tglPelayanan").and_then(|text| date(&text));
                day.map(|_| ()).ok_or_else(|| Refusal::object("tglPelayanan", texts::DATE_FORMAT))
            }
        }
    }

    /// `POST tindakan`, `POST obat/kunjungan`, `POST MCU`.
    pub(crate) fn add_child(&mut self, at: &Moment, kind: ChildKind, body: &Value) -> Outcome {
        let visit = self.visit_named(body)?;
        self.check_child(kind, body)?;
        let refuse_same = self.rules.refuse_same_children;
        let open = self.open_visit(at, &visit)?;
        if refuse_same && open.children.iter().any(|child| child.kind == kind && child.sent == *body) {
            return Err(Refusal::object(kind.id_field(), texts::SAME_AGAIN));
        }
        let mut content = body.clone();
        let compound = (kind == ChildKind::Drug).then(|| self.name_drug(&visit, &mut content));
        let id = self.next(kind.id_field());
        let child = Child { kind, id, sent: body.clone(), content, visible_from: at.visible_from, origin: at.origin };
        if let Some(found) = self.visits.get_mut(&visit) {
            found.children.push(child);
        }
        let own = json!({ "field": kind.id_field(), "message": id.to_string() });
        Ok(Done::Created(match compound {
            Some(compound) => json!([own, { "field": "kdRacikan", "message": compound }]),
            None => own,
        }))
    }

    /// Gives a compound its code (`R.01`…, `N` for a single drug) and a drug outside the list its own.
    fn name_drug(&mut self, visit: &str, content: &mut Value) -> String {
        let compound = content.get("racikan").and_then(Value::as_bool).unwrap_or(false);
        let code = match text(content, "kdRacikan").filter(|_| compound) {
            Some(code) => code,
            None if compound => format!("R.{:02}", self.next(&format!("kdRacikan {visit}"))),
            None => "N".to_owned(),
        };
        content["kdRacikan"] = json!(code);
        if content.get("obatDPHO").and_then(Value::as_bool) == Some(false) {
            content["kdObat"] = json!(format!("NDPHO.{:02}", self.next("NDPHO")));
        }
        code
    }

    fn child(&mut self, at: &Moment, visit: &str, kind: ChildKind, id: u64) -> Result<&mut Child, Refusal> {
        let visit = self.open_visit(at, visit)?;
        visit.children.iter_mut().find(|child| child.kind == kind && child.id == id).ok_or_else(Refusal::nothing)
    }

    /// `PUT tindakan`, `PUT MCU`.
    pub(crate) fn edit_child(&mut self, at: &Moment, kind: ChildKind, body: &Value) -> Outcome {
        let visit = self.visit_named(body)?;
        self.check_child(kind, body)?;
        let id = text(body, kind.id_field()).and_then(|id| id.parse().ok()).unwrap_or(0);
        let child = self.child(at, &visit, kind, id)?;
        (child.sent, child.content) = (body.clone(), body.clone());
        Ok(Done::Changed(match kind {
            ChildKind::Treatment => json!({ "field": kind.id_field(), "message": id.to_string() }),
            ChildKind::Drug | ChildKind::Examination => Value::Null,
        }))
    }

    /// `DELETE …/{id}/kunjungan/{noKunjungan}`.
    pub(crate) fn delete_child(&mut self, at: &Moment, kind: ChildKind, id: &str, visit: &str) -> Outcome {
        let id = id.parse().map_err(|_| Refusal::nothing())?;
        self.child(at, visit, kind, id)?;
        self.open_visit(at, visit)?.children.retain(|child| (child.kind, child.id) != (kind, id));
        Ok(Done::Changed(Value::Null))
    }

    fn shown(&self, visit: &str, kind: ChildKind, now: Timestamp) -> Vec<Value> {
        let children = self.visits.get(visit).into_iter().flat_map(|found| &found.children);
        children
            .filter(|child| child.kind == kind && child.visible_from <= now)
            .map(|child| row(visit, child))
            .collect()
    }

    /// `GET …/kunjungan/{noKunjungan}`.
    pub(crate) fn children(&self, at: &Moment, kind: ChildKind, visit: &str) -> Outcome {
        counted(self.shown(visit, kind, at.now))
    }
}
