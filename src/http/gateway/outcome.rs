//! What a client is told about an entry: BPJS's own answer where there is one, a receipt while there is none.
//!
//! Job: from a delivery as it stands to a [`Reply`]. Invariants: an entry is called done only when it is `delivered`;
//! BPJS's code and words are given word for word; a receipt carries the same provisional numbers every time. What it
//! does not do: change the delivery ([`super::write`]).

use std::sync::Arc;

use serde_json::json;

use super::answer::{Content, Reply, Source, Voice};
use super::{App, Call, numbers, shape};
use crate::catalogue::Operation;
use crate::http::problem::full;
use crate::http::view::{self, Around};
use crate::queue::{BlockedKind, Delivery, Purpose, State};
use crate::remote::Lane;
use crate::remote::circuit;
use crate::store::{AttemptRecord, StoreError};

/// Accepted by the bridge, not yet at BPJS.
const RECEIPT: i64 = 202;

/// The store does not answer: nothing is known to be accepted.
pub(super) fn store_down(error: &StoreError) -> Reply {
    match error {
        StoreError::Full(_) => Reply::own(503, full().detail).after(60),
        StoreError::Unknown(_)
        | StoreError::Closed
        | StoreError::Busy(_)
        | StoreError::Unavailable(_)
        | StoreError::Replaced(_) => Reply::own(
            503,
            "Penyimpanan jembatan sedang tidak tersedia dan hasilnya belum pasti. Kirim ulang permintaan yang sama.",
        )
        .after(5),
        StoreError::Unreadable(_) | StoreError::Newer { .. } | StoreError::Moved(_) | StoreError::Database(_) => {
            tracing::error!(%error, "store");
            Reply::own(500, "Penyimpanan jembatan tidak terbaca. Jalankan 'jembatan check' pada server jembatan.")
        }
    }
}

/// Whether BPJS is known to be away: a probe failed too.
pub(super) fn is_open(lane: &Arc<Lane>) -> bool {
    match lane.circuit() {
        circuit::State::Open { .. } => true,
        circuit::State::Closed | circuit::State::Suspect { .. } => false,
    }
}

/// What the client is told about a delivery as it stands.
pub(super) async fn reply_of(call: &Call<'_>, delivery: &Delivery) -> Reply {
    let told = match delivery.progress.state {
        State::Delivered => delivered(call, delivery).await,
        State::Refused => refused(call, delivery).await,
        State::Expired | State::Cancelled => Ok(stopped(call, delivery)),
        State::Waiting | State::Sending | State::Unanswered | State::Held => receipt(call, delivery).await,
    };
    told.unwrap_or_else(|error| store_down(&error)).about(delivery.id)
}

/// The answer to the last send, if it ended so.
async fn said(app: &App, delivery: &Delivery, outcomes: &[&str]) -> Result<Option<Reply>, StoreError> {
    let attempts = app.store.attempts(delivery.id).await?;
    let last = attempts.into_iter().rfind(|attempt| attempt.purpose == Purpose::Send);
    Ok(last.filter(|last| outcomes.contains(&last.end.outcome.as_str())).and_then(|last| word_for_word(&last)))
}

fn word_for_word(attempt: &AttemptRecord) -> Option<Reply> {
    let answer = attempt.end.answer.as_ref()?.expose();
    let content = match (answer.get("response").cloned(), answer["sealed"] == true) {
        (None, _) => Content::Absent,
        (Some(value), true) => Content::Sealed(value),
        (Some(value), false) => Content::Plain(value),
    };
    let message = answer["message"].as_str().unwrap_or_default();
    let reply = Reply::own(attempt.end.code?, message).with(content);
    Some(Reply { status: attempt.end.status, source: Source::Bpjs, ..reply })
}

async fn delivered(call: &Call<'_>, delivery: &Delivery) -> Result<Reply, StoreError> {
    if let Some(reply) = said(call.app, delivery, &["accepted"]).await? {
        return Ok(reply);
    }
    // BPJS has it, but its answer was lost: what it would have said, with the ids that a look-up found.
    let remote = delivery.progress.remote.expose();
    let given = call.operation.gives.iter().chain(&call.operation.gives_also);
    let ids: Vec<(String, String)> = given.filter_map(|name| Some((name.clone(), remote.get(name)?.clone()))).collect();
    let (code, message) = shape::success(call.operation);
    Ok(Reply::own(code, message).with(shape::ids(call.operation, &ids)))
}

async fn refused(call: &Call<'_>, delivery: &Delivery) -> Result<Reply, StoreError> {
    if let Some(reply) = said(call.app, delivery, &["refused", "already_there", "not_found"]).await? {
        return Ok(reply);
    }
    Ok(stopped(call, delivery))
}

/// Stopped by the bridge itself, in its own words.
fn stopped(call: &Call<'_>, delivery: &Delivery) -> Reply {
    let why = delivery.progress.why.as_ref();
    let words = why.map_or_else(String::new, |why| format!("{} {}", why.meaning, why.next));
    Reply::own(Voice::of_operation(call.operation).invalid(), format!("Tidak dikirim ke BPJS: {words}"))
}

async fn receipt(call: &Call<'_>, delivery: &Delivery) -> Result<Reply, StoreError> {
    let app = call.app;
    let Some(operation) = app.catalogue.operation(&delivery.operation) else {
        return Ok(Reply::own(500, "Operasi entri ini tidak ada lagi dalam katalog jembatan."));
    };
    let body = app.store.entry_body(delivery.id).await?;
    let payload = body.map(|body| body.current.into_inner()).unwrap_or_default();
    let wanted = numbers::wanted(operation, &payload);
    let numbers = app.store.provisional_ids(&call.caller.name, delivery.id, wanted).await?;
    let around = Around::read(app.store.as_ref(), app.clock.now()).await?;
    let reason = reason(app, operation, delivery, &around);
    let referral = numbers.iter().any(|(_, value)| value.starts_with("BUKANRUJUKAN"));
    let note = if referral { " Nomor sementara ini BUKAN nomor rujukan dan bukan surat rujukan." } else { "" };
    let message = format!("Diterima jembatan, belum ada di BPJS: {reason}{note}");
    let about = json!({
        "pengantaran": delivery.id.to_string(),
        "operasi": delivery.operation,
        "keadaan": delivery.progress.state.word(),
        "sebab": reason,
        "nomor_sementara": !numbers.is_empty(),
    });
    Ok(Reply::own(RECEIPT, message).with(shape::receipt(operation, &numbers, about)))
}

/// The receipt of an entry that a read asks for by its provisional number.
pub(super) async fn receipt_of(call: &Call<'_>, delivery: &Delivery) -> Reply {
    match delivery.progress.state {
        State::Refused | State::Expired | State::Cancelled => {
            let state = delivery.progress.state;
            let words = format!(
                "Nomor sementara ini tidak menjadi nomor BPJS: entrinya {state} (pengantaran {}).",
                delivery.id
            );
            Reply::own(404, words).about(delivery.id)
        }
        State::Waiting | State::Sending | State::Unanswered | State::Held | State::Delivered => {
            receipt(call, delivery).await.unwrap_or_else(|error| store_down(&error)).about(delivery.id)
        }
    }
}

/// Why it is not at BPJS yet, in a few words.
fn reason(app: &App, operation: &Operation, delivery: &Delivery, around: &Around) -> String {
    let progress = &delivery.progress;
    let word = operation.service.word();
    match progress.state {
        State::Unanswered => "BPJS tidak menjawab; dicari dahulu di BPJS agar tidak ganda.".to_owned(),
        State::Sending => "sedang dikirim.".to_owned(),
        State::Held => {
            progress.why.as_ref().map_or_else(|| "ditahan.".to_owned(), |why| format!("{} {}", why.meaning, why.next))
        }
        State::Waiting | State::Delivered | State::Refused | State::Expired | State::Cancelled => {
            let zone = app.facility(&delivery.facility).map_or(jiff::tz::TimeZone::UTC, |own| own.timezone.clone());
            let blocked = view::blocked_by(delivery, word, &zone, around);
            let kind = blocked["kind"].as_str().and_then(BlockedKind::of_word);
            let detail = blocked["detail"].as_str().unwrap_or_default();
            match kind {
                Some(BlockedKind::Prerequisite) => "menunggu entri yang mendahuluinya.".to_owned(),
                Some(BlockedKind::Order) => "menunggu giliran peserta ini.".to_owned(),
                Some(BlockedKind::Lane) => "pengiriman sedang dijeda petugas.".to_owned(),
                Some(BlockedKind::Credentials) => detail.to_owned() + ".",
                Some(BlockedKind::Circuit) => "BPJS sedang tidak terjangkau.".to_owned(),
                Some(BlockedKind::Time) => format!("menunggu sampai {detail}."),
                None => "menunggu pengiriman.".to_owned(),
            }
        }
    }
}
