//! Writes: a call becomes a submission with one entry, and is answered as BPJS did.
//!
//! Job: find out whether the call repeats an earlier one, hand it in, mend it or refuse it, wait for the outcome. Invariants:
//! the key is (client, operation, natural key or body, generation), so that a repeated call is the same entry; the
//! generation rises when a delete or cancel was delivered or the entry was cancelled; another body never replaces one that may be under way. Neighbours: `intake`
//! accepts, `store` knows where a key stands, [`super::outcome`] words the answer. What it does not do: send.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Call;
use super::answer::{Content, Reply, Voice};
use super::numbers::{self, Number};
use super::outcome::{is_open, reply_of, store_down};
use super::same::{self, Key};
use crate::catalogue::Kind;
use crate::http::problem::full;
use crate::intake::{self, Fault, IntakeError, Origin};
use crate::queue::transition::{Event, Illegal};
use crate::queue::{Delivery, DeliveryId, State};
use crate::secret::Private;
use crate::store::{Act, Acted, AuditEntry, Refused, Standing, StandingAsk};
use crate::vault::Role;

/// How often a key is looked at again when another call of the same key was faster.
const ROUNDS: usize = 4;
/// Longest sleep between two looks at the circuit.
const GLANCE: std::time::Duration = std::time::Duration::from_millis(250);
/// The name of the only entry of a gateway submission.
const ENTRY: &str = "ws";

/// The content of a write.
struct Written {
    /// What a repeat is told by.
    key: Key,
    /// To be handed in: BPJS's numbers where they are known, open where they are not.
    payload: Value,
    /// Entries it comes after.
    after: Vec<String>,
}

/// What a call turns out to be.
enum Meaning {
    /// A new entry of this generation.
    New(u32),
    /// The same call again.
    Repeat(Box<Delivery>),
    /// Another body for an entry that BPJS refused.
    Amend(Box<Delivery>),
    /// Another body for an entry that is under way, or at BPJS already.
    Conflict(Box<Delivery>),
}

pub(super) async fn answer(call: Call<'_>) -> Reply {
    match hand_in(&call).await {
        Ok(id) => match until_told(&call, id).await {
            Ok(delivery) => {
                failpoint!(await "gateway.answer");
                reply_of(&call, &delivery).await
            }
            Err(reply) => reply,
        },
        Err(reply) => reply,
    }
}

/// The delivery that this call is, accepted now or earlier.
async fn hand_in(call: &Call<'_>) -> Result<DeliveryId, Reply> {
    if (call.app.free)().is_some_and(|free| free < call.app.min_free) {
        return Err(Reply::own(503, full().detail).after(60));
    }
    let content = read(call).await?;
    let natural = intake::natural_key(call.operation, &content.payload);
    for _ in 0..ROUNDS {
        let ask = StandingAsk {
            client: call.caller.name.clone(),
            facility: call.facility.clone(),
            operation: call.operation.name.clone(),
            key: content.key.parts.clone(),
            natural: natural.clone(),
        };
        let standing = call.app.store.standing(ask).await.map_err(|error| store_down(&error))?;
        match meaning(call, &content, &standing).await? {
            Meaning::New(generation) => {
                let reference = format!("{}-{generation}", standing.reference);
                if let Some(id) = accept(call, &content, &reference).await? {
                    failpoint!(await "gateway.accepted");
                    return Ok(id);
                }
            }
            Meaning::Repeat(delivery) => return repeat(call, &delivery).await,
            Meaning::Amend(delivery) => return amend(call, &delivery, &content).await,
            Meaning::Conflict(delivery) => return Err(conflict(call, &delivery)),
        }
    }
    Err(Reply::own(409, "Panggilan dengan kunci yang sama sedang diproses; ulangi sebentar lagi.").after(1))
}

// ---- what was sent ---------------------------------------------------------------------------------------------------

async fn read(call: &Call<'_>) -> Result<Written, Reply> {
    let mut raw = call.operation.unwrap_body(call.body.expose().clone());
    if raw.is_null() {
        raw = json!({});
    }
    if let Some(map) = raw.as_object_mut() {
        for (name, value) in call.params.iter().filter(|(name, _)| call.operation.field(name).is_some()) {
            map.insert(name.clone(), Value::String(value.clone()));
        }
    }
    let found = numbers::find(call).await?;
    let after = prerequisites(call, &raw, &found)?;
    let mut payload = raw.clone();
    numbers::put_real(&mut payload, &found);
    numbers::leave_open(&mut payload, &found);
    let key = same::key(call, &raw, &payload, &found).await?;
    Ok(Written { key, payload, after })
}

/// What must be at BPJS first: the entries whose numbers are not known yet. Only the fields that the catalogue lets a
/// prerequisite fill may hold such a number.
fn prerequisites(call: &Call<'_>, raw: &Value, found: &[Number]) -> Result<Vec<String>, Reply> {
    let mut after = Vec::new();
    for number in found.iter().filter(|number| number.real.is_none()) {
        let (owner, value) = (&number.owner, &number.value);
        let fits = |place: &String| {
            call.operation.needs.iter().any(|need| {
                need.field == *place && need.id == owner.name && need.from.contains(&owner.delivery.operation)
            })
        };
        if let Some(place) = numbers::places(raw, value).into_iter().find(|place| !fits(place)) {
            let words = format!(
                "{place}: nomor sementara {value} belum menjadi nomor BPJS dan tidak dapat dipakai di isian ini; \
                 tunggu sampai entrinya ada di BPJS (pengantaran {})",
                owner.delivery.id
            );
            return Err(invalid(call, &[Fault::new(place, words)]));
        }
        if !after.contains(&owner.reference) {
            after.push(owner.reference.clone());
        }
    }
    Ok(after)
}

// ---- what it is ------------------------------------------------------------------------------------------------------

async fn meaning(call: &Call<'_>, content: &Written, standing: &Standing) -> Result<Meaning, Reply> {
    let next = standing.generation + 1;
    let Some(latest) = standing.latest.clone().map(Box::new) else { return Ok(Meaning::New(next)) };
    let state = latest.progress.state;
    if standing.released || standing.superseded || state == State::Cancelled {
        return Ok(Meaning::New(next));
    }
    if !content.key.is_natural {
        // Held means that a person has not decided yet.
        let over = state.is_final() && state != State::Held;
        let until = latest.progress.updated_at.saturating_add(call.gateway.config.repeat_window);
        let long_ago = over && until.is_ok_and(|until| until <= call.app.clock.now());
        return Ok(if long_ago { Meaning::New(next) } else { Meaning::Repeat(latest) });
    }
    let kept = call.app.store.entry_body(latest.id).await.map_err(|error| store_down(&error))?;
    // A payload that was destroyed with its time cannot differ any more.
    let same = kept.is_none_or(|kept| {
        let says = |kept: &Value| same::says_the_same(&content.key, &content.payload, kept);
        // What was mended on the way is still the answer to the first body; what was refused is judged as it stands.
        says(kept.current.expose()) || (state != State::Refused && says(kept.original.expose()))
    });
    Ok(match (same, state) {
        (true, _) => Meaning::Repeat(latest),
        (false, State::Refused) => Meaning::Amend(latest),
        (false, _) => Meaning::Conflict(latest),
    })
}

/// Hands the entry in; `None` if another call took the name meanwhile.
async fn accept(call: &Call<'_>, content: &Written, reference: &str) -> Result<Option<DeliveryId>, Reply> {
    let body = json!({
        "facility": call.facility,
        "ref": reference,
        "entries": [{
            "ref": ENTRY,
            "operation": call.operation.name,
            "after": content.after,
            "payload": content.payload,
        }],
    });
    let body = intake::read(&body).map_err(|faults| invalid(call, &faults))?;
    let origin = if call.caller.role == Role::Network { Origin::Network } else { Origin::Own };
    let (intake, client) = (Arc::clone(&call.app.intake), call.caller.name.clone());
    // On its own task: a client that hangs up must not stop it half-way.
    let task = tokio::spawn(async move { intake.submit(&client, origin, body).await });
    let Ok(accepted) = task.await else {
        return Err(Reply::own(500, "Panggilan tidak selesai diproses. Kirim ulang isi yang sama."));
    };
    match accepted {
        Ok(accepted) if accepted.fresh => Ok(accepted.deliveries.first().map(|delivery| delivery.id)),
        Ok(_) | Err(IntakeError::Conflict(_)) => Ok(None),
        Err(IntakeError::Invalid(faults)) => Err(invalid(call, &faults)),
        Err(IntakeError::Store(error)) => Err(store_down(&error)),
    }
}

/// The same call again. What BPJS refused is tried again, as it would be without the bridge: the reason may be gone.
async fn repeat(call: &Call<'_>, delivery: &Delivery) -> Result<DeliveryId, Reply> {
    if delivery.progress.state == State::Refused {
        act(call, delivery, Event::Retry, None).await?;
    }
    Ok(delivery.id)
}

async fn amend(call: &Call<'_>, delivery: &Delivery, content: &Written) -> Result<DeliveryId, Reply> {
    let faults = intake::payload_faults(call.operation, &content.payload, "");
    if !faults.is_empty() {
        return Err(invalid(call, &faults));
    }
    act(call, delivery, Event::Amend, Some(Private::new(content.payload.clone()))).await?;
    Ok(delivery.id)
}

/// Applies an event of this client; one that another call of the same client was faster with is no fault.
async fn act(call: &Call<'_>, delivery: &Delivery, event: Event, payload: Option<Private<Value>>) -> Result<(), Reply> {
    let now = call.app.clock.now();
    let word = if payload.is_some() { "amend" } else { "retry" };
    let audit = AuditEntry {
        at: now,
        actor: call.caller.name.clone(),
        action: format!("delivery.{word}"),
        object: delivery.id.to_string(),
        detail: "panggilan gateway".to_owned(),
    };
    let mends = payload.is_some();
    let act = Act { id: delivery.id, event, payload, owns: None, now, base: call.app.base(), audit };
    let store = Arc::clone(&call.app.store);
    let Ok(acted) = tokio::spawn(async move { store.act(act).await }).await else {
        return Err(Reply::own(500, "Panggilan tidak selesai diproses. Kirim ulang isi yang sama."));
    };
    match acted.map_err(|error| store_down(&error))? {
        Acted::Done(_) => Ok(()),
        // A retry that is not possible any more was done by somebody else: the entry tells where it stands.
        Acted::Refused(_, Refused::Illegal(Illegal::Busy | Illegal::State(_) | Illegal::InDoubt)) if !mends => Ok(()),
        Acted::Refused(latest, Refused::Illegal(_) | Refused::Owned(_)) => Err(conflict(call, &latest)),
        Acted::Unknown => Err(Reply::own(500, "Entri ini tidak ada lagi di jembatan.")),
    }
}

// ---- answers of the bridge's own -------------------------------------------------------------------------------------

fn conflict(call: &Call<'_>, delivery: &Delivery) -> Reply {
    let (state, id) = (delivery.progress.state, delivery.id);
    let remedy = match state {
        State::Delivered => match call.operation.kind {
            Kind::Add => "sudah di-entri di BPJS dengan isi lain: pakai operasi ubah, atau hapus dahulu",
            Kind::Edit | Kind::Delete | Kind::Read => "sudah dilaksanakan di BPJS dengan isi lain",
        },
        State::Held => "sedang menunggu keputusan petugas dengan isi lain: selesaikan di halaman jembatan",
        State::Expired => "lewat tanggal terakhir dengan isi lain: mintalah petugas menyelesaikannya",
        State::Waiting | State::Sending | State::Unanswered | State::Refused | State::Cancelled => {
            "sedang dalam perjalanan ke BPJS dengan isi lain: tunggu hasilnya, lalu ubah"
        }
    };
    let words = format!(
        "Entri dengan kunci yang sama {remedy} (pengantaran {id}, keadaan {state}). Isi baru ini tidak disimpan."
    );
    Reply::own(409, words).about(id)
}

/// Fields at fault, in the form in which the service itself names them.
fn invalid(call: &Call<'_>, faults: &[Fault]) -> Reply {
    let voice = Voice::of_operation(call.operation);
    let field = |fault: &Fault| {
        let pointer = fault.pointer.trim_start_matches("/entries/0").trim_start_matches("/payload");
        pointer.trim_start_matches('/').replace('/', ".")
    };
    if voice.invalid() == 412 {
        let rows = faults.iter().map(|fault| json!({ "field": field(fault), "message": fault.detail }));
        return Reply::own(412, "PRECONDITION_FAILED").with(Content::Plain(rows.collect()));
    }
    let words: Vec<String> = faults.iter().map(|fault| format!("{}: {}", field(fault), fault.detail)).collect();
    Reply::own(voice.invalid(), words.join("; "))
}

// ---- waiting ---------------------------------------------------------------------------------------------------------

/// Waits until there is something to tell: the outcome, or that it will take longer than `gateway.wait`.
async fn until_told(call: &Call<'_>, id: DeliveryId) -> Result<Delivery, Reply> {
    let (app, gateway) = (call.app, call.gateway);
    let lane = gateway.lane(&call.facility, call.operation.service);
    let mut wake_ups = app.store.wake_ups();
    let begun = app.clock.now();
    let until = begun.saturating_add(gateway.config.wait).unwrap_or(begun);
    let deadline = tokio::time::Instant::now() + gateway.config.wait;
    loop {
        // Marked before reading: a commit in between wakes the next round.
        wake_ups.borrow_and_update();
        let found = app.store.delivery(id).await.map_err(|error| store_down(&error))?;
        let Some(delivery) = found else { return Err(Reply::own(500, "Entri ini tidak ada lagi di jembatan.")) };
        let progress = &delivery.progress;
        let at_work = progress.state == State::Sending || progress.lease.is_some();
        let later = !at_work && (progress.due_at > until || lane.is_some_and(is_open));
        if progress.state.is_final() || later || tokio::time::Instant::now() >= deadline {
            return Ok(delivery);
        }
        if !at_work && is_stopped(call).await.map_err(|error| store_down(&error))? {
            return Ok(delivery);
        }
        let glance = (tokio::time::Instant::now() + GLANCE).min(deadline);
        tokio::select! {
            _ = wake_ups.changed() => {}
            () = tokio::time::sleep_until(glance) => {}
            () = app.closing.cancelled() => return Ok(delivery),
        }
    }
}

/// Whether a person or refused credentials hold the whole lane.
async fn is_stopped(call: &Call<'_>) -> Result<bool, crate::store::StoreError> {
    let (facility, word) = (&call.facility, call.operation.service.word());
    let paused = call.app.store.pauses().await?.iter().any(|row| row.facility == "*" || row.facility == *facility);
    let stopped = || async {
        let stops = call.app.store.lane_stops().await?;
        Ok::<bool, crate::store::StoreError>(stops.iter().any(|row| row.facility == *facility && row.service == word))
    };
    Ok(paused || stopped().await?)
}
