//! Steps of the queue: accepting, claiming, ending, acting, time, the gateway's keys.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::world::{CARDS, CLIENTS, Difference, World};
use crate::catalogue::{Refusal, RemoteIds, Who};
use crate::contract::Deadline;
use crate::queue::transition::Event;
use crate::queue::{DeliveryId, Finding, Mark, Outcome, Purpose, State, SubmissionId, Suspicion};
use crate::secret::Private;
use crate::store::*;

type Done = Result<(), Difference>;
/// Operation, scope and id at BPJS.
type Key = (String, Vec<String>, String);

/// Operations with their services: each kind of recovery, with and without uniqueness, and a delete.
const OPERATIONS: [(&str, &str); 6] = [
    ("pcare.pendaftaran.add", "pcare"),
    ("pcare.kunjungan.add", "pcare"),
    ("pcare.obat.add", "pcare"),
    ("pcare.kunjungan.edit", "pcare"),
    ("pcare.pendaftaran.delete", "pcare"),
    ("vclaim.sep.pengajuan", "vclaim"),
];

fn key(world: &World) -> Key {
    let operation = world.one_of(&["pcare.pendaftaran.add", "pcare.obat.add"]).to_owned();
    let scope = if world.once_in(3) { vec!["21-11-2026".to_owned()] } else { Vec::new() };
    (operation, scope, format!("A{}", world.below(6)))
}

fn refusal(world: &World) -> Refusal {
    Refusal {
        code: 400 + i64::try_from(world.below(3)).unwrap(),
        message: Private::new(format!("kata BPJS {}", world.below(2))),
        rule: world.one_of(&["precondition", "duplicate"]).to_owned(),
        meaning: "artinya".to_owned(),
        who: Who::Registration,
        next: "lalu".to_owned(),
    }
}

fn ids(world: &World) -> Private<RemoteIds> {
    let name = world.one_of(&["noUrut", "noKunjungan", "kdObatSK"]);
    Private::new(RemoteIds::from([(name.to_owned(), format!("A{}", world.below(6)))]))
}

fn entry(world: &World, number: usize, facility: &str, before: &[NewEntry]) -> NewEntry {
    let (operation, service) = OPERATIONS[world.below(OPERATIONS.len())];
    let card = world.one_of(&CARDS);
    let (poli, date) = (world.one_of(&["001", "002"]), world.one_of(&["20-11-2026", "21-11-2026"]));
    let natural = [card, poli, date].map(str::to_owned).to_vec();
    let known: Vec<DeliveryId> =
        world.deliveries.iter().filter(|(_, place)| place == facility).map(|(id, _)| *id).collect();
    let id = DeliveryId::new(world.now(), &world.chance.ten());
    let mut after: Vec<DeliveryId> = Vec::new();
    if world.once_in(2) {
        after.extend(before.last().map(|entry| entry.id));
    }
    if world.once_in(3) {
        after.extend(world.some(&known));
    }
    if world.once_in(60) {
        after.push(DeliveryId::new(world.now(), &world.chance.ten()));
    }
    let soon = |of, seconds| world.once_in(of).then(|| world.around(seconds));
    let service_date = (!world.once_in(8)).then(|| world.day());
    NewEntry {
        id: if world.once_in(80) { known.first().copied().unwrap_or(id) } else { id },
        position: number,
        entry_ref: if world.once_in(60) { "e0".to_owned() } else { format!("e{number}") },
        operation: operation.to_owned(),
        service: service.to_owned(),
        payload: Private::new(json!({ "noKartu": card, "kdPoli": poli, "tglDaftar": date, "n": world.step })),
        occurred_at: soon(3, 3600),
        service_date,
        deadline: Deadline {
            rule: "entry.immediate".to_owned(),
            target: soon(2, 7200),
            late: soon(2, 7200),
            last: soon(4, 7200),
        },
        due_at: if world.once_in(4) { world.around(300) } else { world.now() },
        no_kartu: (!world.once_in(3)).then(|| Private::new(card.to_owned())),
        about: world.once_in(4).then(|| key(world)),
        natural_key: world.once_in(2).then(|| Private::new(natural)),
        mark: world.once_in(5).then_some(Mark::Telekonsultasi),
        after,
    }
}

fn submission(world: &World, reference: String) -> NewSubmission {
    let facility = world.facility();
    let mut entries: Vec<NewEntry> = Vec::new();
    for number in 0..=world.below(4) {
        entries.push(entry(world, number, &facility, &entries));
    }
    if world.once_in(4) {
        let last = entries.len() - 1;
        entries.iter_mut().for_each(|entry| entry.position = last - entry.position);
    }
    NewSubmission {
        id: SubmissionId::new(world.now(), &world.chance.ten()),
        client: world.one_of(&CLIENTS).to_owned(),
        facility,
        canonical: Private::new(format!("isi {reference}")),
        reference,
        patient: world.once_in(2).then(|| Private::new(json!({ "nama": "SITI CONTOH", "n": world.step }))),
        accepted_at: world.now(),
        warnings: if world.once_in(4) { vec!["jam di depan".to_owned()] } else { Vec::new() },
        approval: world.once_in(8),
        entries,
    }
}

async fn accepted(world: &mut World, new: [NewSubmission; 2]) -> Done {
    let answers = world.both("accept", async |store, side| store.accept(new[side].clone()).await).await?;
    if let Ok(Acceptance::New(_)) = &answers[0] {
        let facility = &new[0].facility;
        world.deliveries.extend(new[0].entries.iter().map(|entry| (entry.id, facility.clone())));
        // What the gateway wrote has another name in each store.
        if new[0].reference == new[1].reference {
            world.submissions.push(new[0].clone());
        }
    }
    Ok(())
}

pub(super) async fn accept(world: &mut World) -> Done {
    let new = submission(world, format!("r{}", world.step));
    let told: Vec<String> =
        new.entries.iter().map(|entry| format!("{}={}", entry.entry_ref, entry.operation)).collect();
    world.tell(format!("accept {} approval={} {}", new.facility, new.approval, told.join(" ")));
    accepted(world, [new.clone(), new]).await
}

/// The same again, the same with another body, or another submission with the same id.
pub(super) async fn accept_again(world: &mut World) -> Done {
    let Some(mut new) = world.some(&world.submissions) else { return Ok(()) };
    match world.below(4) {
        0 => new.canonical = Private::new("lain".to_owned()),
        1 => new.reference = format!("lain {}", world.step),
        2 => {
            new.id = SubmissionId::new(world.now(), &world.chance.ten());
            new.client = world.one_of(&CLIENTS).to_owned();
            for entry in &mut new.entries {
                entry.id = DeliveryId::new(world.now(), &world.chance.ten());
                entry.after.clear();
            }
        }
        _ => {}
    }
    world.tell(format!("accept again {}", new.reference));
    accepted(world, [new.clone(), new]).await
}

/// A write through the gateway: its reference is made of the key as each store tells it.
pub(super) async fn gateway_write(world: &mut World) -> Done {
    let mut new = submission(world, String::new());
    new.entries.truncate(1);
    let operation = new.entries[0].operation.clone();
    let ask = StandingAsk {
        client: new.client.clone(),
        facility: new.facility.clone(),
        operation,
        key: Private::new(vec![format!("kunci {}", world.below(4))]),
        natural: new.entries[0].natural_key.clone(),
    };
    world.tell(format!("gateway {} {}", ask.operation, ask.key.expose()[0]));
    let standings = world.both("standing", async |store, _| store.standing(ask.clone()).await).await?;
    if world.once_in(3) {
        return Ok(());
    }
    let new = standings.map(|standing| {
        let standing = standing.unwrap();
        let reference = format!("{}-{}", standing.reference, standing.generation + 1);
        NewSubmission { canonical: Private::new(format!("isi {}", world.step)), reference, ..new.clone() }
    });
    accepted(world, new).await
}

pub(super) async fn provisional(world: &mut World) -> Done {
    let Some((id, facility)) = world.some(&world.deliveries) else { return Ok(()) };
    let client = world.one_of(&CLIENTS);
    let form = |prefix| NumberForm { prefix, tail: 9 };
    let mut wanted = vec![("noKunjungan".to_owned(), form("SEMENTARA-"))];
    if world.once_in(2) {
        wanted.push(("noUrut".to_owned(), form("~")));
    }
    world.tell(format!("provisional numbers of {id}"));
    let named = |list: serde_json::Value| list.as_array().map_or(0, Vec::len).into();
    let numbers = world
        .both_as("provisional_ids", named, async |store, _| store.provisional_ids(client, id, wanted.clone()).await)
        .await?;
    let [left, right] = numbers.map(|numbers| numbers.unwrap_or_default());
    world.numbers.extend(left.into_iter().zip(right).map(|((_, left), (_, right))| [left, right]));
    let Some(number) = world.some(&world.numbers) else { return Ok(()) };
    world.same("provisional", async |store, side| store.provisional(client, &facility, &number[side]).await).await?;
    Ok(())
}

pub(super) async fn claim(world: &mut World) -> Done {
    let ask = ClaimAsk {
        facility: world.facility(),
        service: if world.once_in(4) { "vclaim" } else { "pcare" }.to_owned(),
        limit: if world.once_in(3) { 1 + world.below(3) } else { 50 },
        now: world.now(),
        lease_until: world.now() + Duration::from_secs(60),
        credential_version: 3 + i64::from(world.once_in(4)),
        base: world.base(),
    };
    world.tell(format!("claim {} {} at most {}", ask.facility, ask.service, ask.limit));
    let [left, right] = world.both("claim", async |store, _| store.claim(ask.clone()).await).await?;
    let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
    world.open.extend(left.into_iter().zip(right).map(|(left, right)| [left, right]));
    Ok(())
}

fn outcome(world: &World) -> Outcome {
    match world.below(16) {
        0 => Outcome::AcceptedUnread { why: "terpotong".to_owned() },
        1 => Outcome::AlreadyThere(refusal(world)),
        2 => Outcome::NotFound(refusal(world)),
        3 | 4 => Outcome::Refused(refusal(world)),
        5 => Outcome::NotAuthorised(refusal(world), Suspicion::Unknown),
        6 => Outcome::RateLimited { until: world.once_in(2).then(|| world.around(30)) },
        7 => Outcome::Fault(refusal(world)),
        8 => Outcome::Unavailable { status: 503 },
        9 => Outcome::NotSent { why: "tcp".to_owned() },
        10 | 11 => Outcome::NoAnswer { after: Duration::from_secs(30) },
        12 => Outcome::Unreadable { why: "html".to_owned() },
        _ => Outcome::Accepted(ids(world)),
    }
}

fn finding(world: &World) -> Finding {
    match world.below(9) {
        0 | 1 => Finding::Found { ids: ids(world), differs: Vec::new() },
        2 => Finding::Owned { owner: world.deliveries[world.below(world.deliveries.len())].0 },
        3 => Finding::Foreign(refusal(world)),
        4 => Finding::Ambiguous { detail: "dua".to_owned() },
        5 => Finding::Failed { why: "503".to_owned() },
        _ => Finding::Absent,
    }
}

/// Ends an attempt: mostly one that is open, now and then one that was ended or taken away already.
pub(super) async fn end(world: &mut World) -> Done {
    if world.open.is_empty() {
        return claim(world).await;
    }
    let place = world.below(world.open.len());
    let claimed = if world.once_in(10) { world.open[place].clone() } else { world.open.swap_remove(place) };
    let looks = (claimed[0].purpose == Purpose::LookUp) != world.once_in(50);
    let event = if looks {
        let begun = world.now() - Duration::from_secs(u64::try_from(world.below(20)).unwrap());
        Event::Looked { finding: finding(world), begun }
    } else {
        let deletes = claimed[0].delivery.operation.ends_with(".delete") && world.once_in(2);
        Event::Ended(if deletes { Outcome::Accepted(ids(world)) } else { outcome(world) })
    };
    let word = match &event {
        Event::Ended(outcome) => outcome.word(),
        Event::Looked { finding, .. } => finding.word(),
        _ => "",
    };
    let end = AttemptEnd {
        outcome: word.to_owned(),
        status: world.once_in(2).then_some(200),
        code: world.once_in(2).then_some(412),
        stamp: world.once_in(2).then_some(1_795_222_800),
        credential_version: world.once_in(5).then_some(9),
        detail: Private::new(if world.once_in(2) { "kata".to_owned() } else { String::new() }),
        answer: world.once_in(2).then(|| Private::new(json!({ "message": word, "n": world.step }))),
        owns: world.once_in(2).then(|| key(world)),
        // A delete mostly deletes what is there.
        frees: (claimed[0].delivery.operation.ends_with(".delete") && !world.once_in(4))
            .then(|| world.some(&world.keys).unwrap_or_else(|| key(world))),
    };
    let (now, base) = (world.now(), world.base());
    world.tell(format!("end {} {word} owns {:?} frees {:?}", claimed[0].delivery.id, end.owns, end.frees));
    world.seen.insert(format!("end: {word}"));
    let recorded = claimed.map(|claimed| Recorded {
        id: claimed.delivery.id,
        token: claimed.token,
        attempt: claimed.attempt,
        event: event.clone(),
        now,
        base,
        end: end.clone(),
    });
    let answers = world.both("record", async |store, side| store.record(recorded[side].clone()).await).await?;
    if let Ok(Some(delivery)) = &answers[0]
        && delivery.progress.state == State::Delivered
    {
        world.keys.extend(end.owns);
    }
    Ok(())
}

pub(super) async fn act(world: &mut World) -> Done {
    let reason = || "alasan".to_owned();
    let (event, name) = match world.below(10) {
        0 | 1 => (Event::Retry, "retry"),
        2 => (Event::Hold { reason: reason() }, "hold"),
        3 | 4 => (Event::Release, "release"),
        5 => (Event::Cancel { reason: reason() }, "cancel"),
        6 => (Event::Adopt { ids: ids(world) }, "adopt"),
        7 => (Event::DeclareAbsent, "declare absent"),
        8 => (Event::Amend, "amend"),
        _ => (Event::Expire, "expire"),
    };
    let known = world.some(&world.deliveries).map(|(id, _)| id);
    let unknown = DeliveryId::new(world.now(), &world.chance.ten());
    let id = known.filter(|_| !world.once_in(30)).unwrap_or(unknown);
    let act = Act {
        id,
        payload: (name == "amend" && !world.once_in(4)).then(|| Private::new(json!({ "diubah": world.step }))),
        owns: (name == "adopt" && !world.once_in(4)).then(|| key(world)),
        event,
        now: world.now(),
        base: world.base(),
        audit: world.audit(&format!("delivery.{name}"), id.to_string()),
    };
    world.tell(format!("{name} {id} owns {:?}", act.owns));
    world.same(&format!("act {name}"), async |store, _| store.act(act.clone()).await).await?;
    Ok(())
}

pub(super) async fn time_and_crashes(world: &mut World) -> Done {
    let (now, base) = (world.now(), world.base());
    match world.below(12) {
        0..3 => {
            if world.once_in(4) {
                world.tell("blame".to_owned());
                world.same("blame", async |store, _| store.blame(now, base).await).await?;
            }
            if world.once_in(4) {
                let ids: Vec<DeliveryId> = world.some(&world.deliveries).into_iter().map(|(id, _)| id).collect();
                world.tell(format!("blame opened {ids:?}"));
                world.same("blame opened", async |store, _| store.blame_opened(ids.clone(), now, base).await).await?;
            }
            let all = world.once_in(3);
            world.tell(format!("reclaim all={all}"));
            world.same("reclaim", async |store, _| store.reclaim(now, all, base).await).await?;
        }
        3..6 => {
            let limit = if world.once_in(3) { 1 } else { 50 };
            world.tell(format!("expire at most {limit}"));
            world.same("expire", async |store, _| store.expire(now, limit, base).await).await?;
        }
        6..8 => {
            world.tell("redate".to_owned());
            world.same("redate", async |store, _| store.redate(now, by_what_was_declared()).await).await?;
        }
        8 if world.once_in(3) => {
            world.tell("distrust".to_owned());
            world.same("distrust", async |store, _| store.distrust(now, base).await).await?;
        }
        9 => {
            let before = now - Duration::from_secs(600);
            world.tell(format!("retire before {before}"));
            world.same("retire", async |store, _| store.retire(before, 1000).await).await?;
        }
        10 => {
            world.tell("reopen".to_owned());
            world.reopen().await;
        }
        _ => {}
    }
    Ok(())
}

/// New dates that depend on everything that was declared, and on its order.
fn by_what_was_declared() -> Redate {
    Arc::new(|delivery, declared, now| {
        let mut hours = 0;
        for (place, one) in declared.iter().enumerate() {
            let length = one.to.unwrap_or(now).duration_since(one.from).as_secs();
            hours += (i64::try_from(place).unwrap() + 1) * (length.rem_euclid(7) + 1);
        }
        let late = Some(delivery.accepted_at + jiff::SignedDuration::from_hours(hours));
        let last = delivery.deadline.last.map(|last| last + Duration::from_secs(60));
        (late != delivery.deadline.late).then(|| Deadline { late, last, ..delivery.deadline.clone() })
    })
}
