//! How long the queue is, and how many are before a patient.

use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::fields::{card, day, parameter, poli};
use super::{App, Caller};
use crate::config::{EmptyStatus, StatusForm};
use crate::store::antrean::Queue;

pub(super) async fn status(
    app: &App,
    caller: &Caller<'_>,
    poli_text: &str,
    day_text: &str,
    v2_path: bool,
) -> Result<Answer, Answer> {
    let poli = poli(&parameter(poli_text)?)?;
    let day = day(app, caller, &parameter(day_text)?)?;
    let (store, code) = (&app.parts.store, &caller.facility.code);
    let queues = store.queues(code, Some(&poli), day, day).await?;
    if queues.is_empty() {
        let known = store.poli_known(code, &poli).await?;
        return Err(Answer::fail(if known { answer::CLOSED } else { answer::POLI_UNKNOWN }));
    }
    if queues.iter().all(|queue| queue.total == 0) {
        match app.parts.settings.empty_status {
            EmptyStatus::Zeros => {}
            EmptyStatus::Success => return Ok(Answer::nobody_yet(day, true)),
            EmptyStatus::Failure => return Err(Answer::nobody_yet(day, false)),
        }
    }
    let v2 = v2_path || app.parts.settings.status_form == StatusForm::V2;
    Ok(Answer::ok(if v2 { queues.iter().map(per_doctor).collect() } else { whole_poli(&queues) }))
}

/// The mix of texts and numbers is the catalogue's.
fn per_doctor(queue: &Queue) -> Value {
    let session = &queue.session;
    json!({
        "namapoli": session.poli_name,
        "totalantrean": queue.total.to_string(),
        "sisaantrean": queue.waiting,
        "antreanpanggil": queue.called.as_deref().unwrap_or(answer::NOBODY),
        "keterangan": session.remark,
        "kodedokter": session.doctor,
        "namadokter": session.doctor_name,
        "jampraktek": session.hours,
    })
}

fn whole_poli(queues: &[Queue]) -> Value {
    let total: i64 = queues.iter().map(|queue| queue.total).sum();
    let waiting: i64 = queues.iter().map(|queue| queue.waiting).sum();
    let called = queues.iter().rev().find_map(|queue| queue.called.as_deref());
    let first = queues.first().map(|queue| &queue.session);
    json!({
        "namapoli": first.map(|session| session.poli_name.as_str()).unwrap_or_default(),
        "totalantrean": total.to_string(),
        "sisaantrean": waiting.to_string(),
        "antreanpanggil": called.unwrap_or(answer::NOBODY),
        "keterangan": first.map(|session| session.remark.as_str()).unwrap_or_default(),
    })
}

pub(super) async fn rest(
    app: &App,
    caller: &Caller<'_>,
    card_text: &str,
    poli_text: &str,
    day_text: &str,
) -> Result<Answer, Answer> {
    let card = card(&parameter(card_text)?)?;
    let poli = poli(&parameter(poli_text)?)?;
    let day = day(app, caller, &parameter(day_text)?)?;
    let (store, code) = (&app.parts.store, &caller.facility.code);
    let Some(place) = store.place(code, card, &poli, day).await? else {
        let known = store.poli_known(code, &poli).await?;
        return Err(Answer::fail(if known { answer::NOT_FOUND } else { answer::POLI_UNKNOWN }));
    };
    Ok(Answer::ok(json!({
        "nomorantrean": place.booking.label,
        "namapoli": place.booking.poli_name,
        "sisaantrean": place.ahead.to_string(),
        "antreanpanggil": place.called.as_deref().unwrap_or(answer::NOBODY),
        "keterangan": place.remark,
    })))
}
