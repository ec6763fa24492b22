//! Prolanis: activities of a club and who took part.
//!
//! Job: `kelompok/kegiatan` and `kelompok/peserta`. Invariants: an activity needs a known club; `eduId` is `YYMM` and
//! seven digits; the same activity again is a second one, the same participant again is refused. Neighbours:
//! `reference` has the clubs. What it does not do: reimbursement.

use serde_json::{Value, json};

use super::registration::card_refusal;
use super::{Activity, Done, Moment, Outcome, Participant, Refusal, World, counted, date, dmy, echo, reference, text};
use crate::simulator::texts;

fn refused(field: &str) -> Refusal {
    Refusal::object(field, texts::NOT_IN_REFERENCE)
}

fn club_of(body: &Value) -> Option<Value> {
    text(body, "clubId").and_then(|id| id.parse().ok()).and_then(reference::club)
}

fn activity_row(id: &str, found: &Activity) -> Value {
    let content = &found.content;
    let kind = text(content, "kdKegiatan").unwrap_or_default();
    let group = text(content, "kdKelompok").unwrap_or_default();
    json!({
        "eduId": id, "clubProl": club_of(content), "tglPelayanan": dmy(found.date),
        "kegiatan": { "nama": reference::activity(&kind), "kode": kind },
        "kelompok": { "nama": reference::programme(&group), "kode": group },
        "materi": echo(content, "materi", json!("")), "pembicara": echo(content, "pembicara", json!("")),
        "lokasi": echo(content, "lokasi", json!("")), "keterangan": echo(content, "keterangan", json!("")),
        "biaya": echo(content, "biaya", json!(0)),
    })
}

impl World {
    /// `POST kelompok/kegiatan`; with a known `eduId` it changes that activity.
    pub(crate) fn add_activity(&mut self, at: &Moment, body: &Value) -> Outcome {
        let day = text(body, "tglPelayanan").and_then(|text| date(&text));
        let day = day.ok_or_else(|| Refusal::object("tglPelayanan", texts::DATE_FORMAT))?;
        if club_of(body).is_none() {
            return Err(refused("clubId"));
        }
        if text(body, "kdKegiatan").is_none_or(|code| reference::activity(&code).is_none()) {
            return Err(refused("kdKegiatan"));
        }
        if text(body, "kdKelompok").is_none_or(|code| reference::programme(&code).is_none()) {
            return Err(refused("kdKelompok"));
        }
        let created = |id: &str| Ok(Done::Created(json!({ "field": "eduId", "message": id })));
        if let Some(id) = text(body, "eduId") {
            let found = self.activities.get_mut(&id).ok_or_else(|| refused("eduId"))?;
            (found.content, found.date) = (body.clone(), day);
            return created(&id);
        }
        self.check_same_activity(body)?;
        let month = format!("{:02}{:02}", day.year().rem_euclid(100), day.month());
        let id = format!("{month}{:07}", self.next(&format!("eduId {month}")));
        let activity = Activity {
            date: day,
            content: body.clone(),
            participants: Vec::new(),
            visible_from: at.visible_from,
            origin: at.origin,
        };
        self.activities.insert(id.clone(), activity);
        created(&id)
    }

    fn check_same_activity(&self, body: &Value) -> Result<(), Refusal> {
        let same = self.rules.refuse_same_children && self.activities.values().any(|found| found.content == *body);
        if same { Err(Refusal::object("eduId", texts::SAME_AGAIN)) } else { Ok(()) }
    }

    /// `POST kelompok/peserta`.
    pub(crate) fn add_participant(&mut self, at: &Moment, body: &Value) -> Outcome {
        let card = text(body, "noKartu");
        if let Some(why) = card_refusal(self, card.as_deref()) {
            return Err(Refusal::object("noKartu", why));
        }
        let no_kartu = card.unwrap_or_default();
        let id = text(body, "eduId").unwrap_or_default();
        let activity = self.activities.get_mut(&id).ok_or_else(|| refused("eduId"))?;
        if activity.participants.iter().any(|there| there.no_kartu == no_kartu) {
            return Err(Refusal::object("noKartu", texts::SAME_AGAIN));
        }
        activity.participants.push(Participant { no_kartu, visible_from: at.visible_from, origin: at.origin });
        Ok(Done::Created(Value::Null))
    }

    /// `GET kelompok/kegiatan/{dd-mm-yyyy}`: the activities of that month.
    pub(crate) fn activities_of(&self, at: &Moment, month: &str) -> Outcome {
        let month = date(month).ok_or_else(|| Refusal::object("bulan", texts::DATE_FORMAT))?.first_of_month();
        let shown = |found: &&Activity| found.date.first_of_month() == month && found.visible_from <= at.now;
        counted(
            self.activities
                .iter()
                .filter(|(_, found)| shown(found))
                .map(|(id, found)| activity_row(id, found))
                .collect(),
        )
    }

    /// `GET kelompok/peserta/{eduId}`.
    pub(crate) fn participants(&self, at: &Moment, id: &str) -> Outcome {
        let found = self.activities.get(id).ok_or_else(Refusal::nothing)?;
        let shown = found.participants.iter().filter(|there| there.visible_from <= at.now);
        counted(shown.map(|there| json!({ "eduId": id, "peserta": self.member(&there.no_kartu) })).collect())
    }

    /// `DELETE kelompok/kegiatan/{eduId}`: with its participants.
    pub(crate) fn delete_activity(&mut self, id: &str) -> Outcome {
        self.activities.remove(id).map(|_| Done::Changed(Value::Null)).ok_or_else(Refusal::nothing)
    }

    /// `DELETE kelompok/peserta/{eduId}/{noKartu}`.
    pub(crate) fn delete_participant(&mut self, id: &str, card: &str) -> Outcome {
        let activity = self.activities.get_mut(id).ok_or_else(Refusal::nothing)?;
        let place =
            activity.participants.iter().position(|there| there.no_kartu == card).ok_or_else(Refusal::nothing)?;
        activity.participants.remove(place);
        Ok(Done::Changed(Value::Null))
    }
}
