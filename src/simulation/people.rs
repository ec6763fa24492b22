//! The information systems that hand in, and the person in charge.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tower::ServiceExt as _;

use super::dice::Dice;
use super::hub::Hub;
use super::model::rows_of;
use super::run::Bench;
use crate::catalogue::RemoteIds;
use crate::intake::{self, IntakeError, Origin};
use crate::queue::transition::Event;
use crate::queue::{Delivery, HeldCode, State};
use crate::secret::Private;
use crate::store::{Act, AuditEntry, DeliveryFilter};

const CLIENT: &str = "sim-poli";

/// One chain of submissions: each is handed in until it is promised, then the next.
pub(super) async fn hand_in(bench: Arc<Bench>, chain: usize) {
    let dice = bench.hub.dice(&format!("sim {chain}"));
    let mine: Vec<usize> = {
        let model = bench.hub.model();
        let all = model.plan.submissions.iter().enumerate();
        all.filter(|(_, one)| one.chain == chain).map(|(number, _)| number).collect()
    };
    for number in mine {
        let (at, body) = {
            let model = bench.hub.model();
            (model.plan.submissions[number].at, model.plan.submissions[number].body.clone())
        };
        tokio::time::sleep_until(bench.began + at).await;
        bench.awake();
        let body = match intake::read(&body) {
            Ok(body) => body,
            Err(faults) => return bench.hub.broken("the plan itself", format!("{number}: {faults:?}")),
        };
        while !submit(&bench, number, body.clone(), &dice).await {
            tokio::time::sleep(dice.spread(Duration::from_millis(300), Duration::from_secs(20))).await;
        }
    }
}

/// Whether the SIM holds a 202 afterwards.
async fn submit(bench: &Arc<Bench>, number: usize, body: intake::SubmissionBody, dice: &Dice) -> bool {
    let hub = &bench.hub;
    let Some(process) = bench.ready() else { return false };
    let (intake, was_behind) = (process.intake.clone(), hub.is_days_behind());
    let answer = process.ask(async move { intake.submit(CLIENT, Origin::Own, body).await }).await;
    drop(process);
    match answer {
        None => {
            hub.event("the SIM was cut off", number, 0);
            false
        }
        Some(Err(IntakeError::Store(_))) => false,
        // It comes after something that the backup does not hold.
        Some(Err(IntakeError::Invalid(_))) if hub.model().restored => {
            hub.model().set_aside(number);
            let entries = hub.model().plan.submissions[number].entries.clone();
            entries.into_iter().for_each(|place| hub.model().entries[place].forgotten = true);
            true
        }
        // What has just happened lies more than a day ahead of a clock that is set back: later, then.
        Some(Err(IntakeError::Invalid(faults)))
            if (was_behind || hub.is_days_behind())
                && !faults.is_empty()
                && faults.iter().all(|fault| fault.pointer.ends_with("/occurred_at")) =>
        {
            hub.event("refused by a clock set back", number, 0);
            false
        }
        Some(Err(error)) => {
            hub.broken("the plan itself", format!("submission {number}: {error:?}"));
            true
        }
        Some(Ok(_)) if hub.faulty() && dice.strikes(hub.options.lost_accepts) => {
            hub.event("202 lost", number, 0);
            false
        }
        Some(Ok(accepted)) => {
            hub.event("202", number, u64::from(accepted.fresh));
            for delivery in &accepted.deliveries {
                let place = hub.model().place(delivery.id);
                match place {
                    Some(place) => hub.model().entries[place].promised = true,
                    None => hub.broken("202 is kept", format!("submission {number}: an entry nobody knows")),
                }
            }
            true
        }
    }
}

/// What the person in charge would do about one entry.
fn decide(bench: &Bench, place: usize, delivery: &Delivery, dice: &Dice) -> Option<Act> {
    let hub = &bench.hub;
    let why = delivery.progress.why.as_ref().map_or("", |why| why.code.as_str());
    let (tries, faulty) = {
        let mut model = hub.model();
        let faulty = model.plan.entries[place].faulty;
        let entry = &mut model.entries[place];
        entry.tries = entry.tries.saturating_add(1);
        (entry.tries, faulty)
    };
    let cancel = || Event::Cancel { reason: "tidak jadi".to_owned() };
    match delivery.progress.state {
        State::Refused if faulty && tries < 8 => Some(amended(bench, place, delivery)),
        State::Refused if tries > 3 => Some(act(bench, delivery, "cancel", cancel())),
        State::Refused => Some(act(bench, delivery, "retry", Event::Retry)),
        State::Held if why == HeldCode::Ambiguous.word() => resolved(bench, place, delivery, tries),
        State::Held if why == HeldCode::Prerequisite.word() => None,
        State::Held => Some(act(bench, delivery, "release", Event::Release)),
        State::Expired if dice.strikes(500) => Some(act(bench, delivery, "retry", Event::Retry)),
        State::Expired | State::Waiting | State::Sending | State::Delivered | State::Unanswered | State::Cancelled => {
            None
        }
    }
}

fn act(bench: &Bench, delivery: &Delivery, word: &str, event: Event) -> Act {
    let now = bench.hub.clock.now();
    let audit = AuditEntry {
        at: now,
        actor: "petugas".to_owned(),
        action: format!("delivery.{word}"),
        object: delivery.id.to_string(),
        detail: "uji".to_owned(),
    };
    let base = bench.ready().map(|process| process.base());
    let base = base.unwrap_or(crate::store::Base {
        boot: crate::queue::BootId::new(now, &[0; 10]),
        settle: Some(bench.hub.options.settle),
        chance: 0.5,
        others_pass: false,
    });
    Act { id: delivery.id, event, payload: None, owns: None, now, base, audit }
}

fn amended(bench: &Bench, place: usize, delivery: &Delivery) -> Act {
    let mut payload = bench.hub.model().plan.entries[place].payload.clone();
    payload["kunjSakit"] = json!(true);
    let mut act = act(bench, delivery, "amend", Event::Amend);
    act.payload = Some(Private::new(payload));
    act
}

/// A person looks at BPJS's screen, once everything that was on its way must have arrived, and says what is there.
fn resolved(bench: &Bench, place: usize, delivery: &Delivery, tries: u8) -> Option<Act> {
    let hub = &bench.hub;
    let model = hub.model();
    let settle = u64::try_from(hub.options.settle.as_millis()).unwrap_or(0);
    let patience = if hub.options.broken { 20 * settle } else { 2 * settle };
    if model.entries[place].doubt.is_some_and(|doubt| hub.millis() < doubt + patience)
        || model.entries[place].sending.is_some()
    {
        return None;
    }
    let planned = &model.plan.entries[place];
    let mark = planned.mark.clone()?;
    let owned: Vec<_> = model.with_mark(&mark).iter().filter_map(|&twin| model.row_id(twin)).collect();
    let found = hub.bpjs[planned.facility].look(|world| {
        rows_of(world).find(|(family, id, own, _)| {
            own.as_deref() == Some(&mark)
                && family_of(planned.operation) == *family
                && !owned.contains(&(*family, id.clone()))
        })
    });
    let Some((family, id, _, _)) = found else {
        drop(model);
        // An entry in doubt cannot be withdrawn: somebody has to say that it is not there.
        let withdraws = tries > 6 && !delivery.progress.doubt.marked;
        let event = if withdraws { Event::Cancel { reason: "ganda".to_owned() } } else { Event::DeclareAbsent };
        return Some(act(bench, delivery, "resolve", event));
    };
    let own = id.rsplit(' ').next().unwrap_or_default().to_owned();
    let parent = planned.after.first().copied();
    let visit = parent.and_then(|parent| model.remote(parent, "noKunjungan"));
    let scope = match family {
        "pendaftaran" => {
            let mut parts = id.split(' ');
            let (day, poli, card) = (parts.next(), parts.next(), parts.next());
            [card, poli, day].into_iter().flatten().map(str::to_owned).collect()
        }
        "tindakan" | "obat" | "mcu" => visit.iter().cloned().collect(),
        "peserta" => id.split(' ').take(1).map(str::to_owned).collect(),
        _unscoped => Vec::new(),
    };
    let name = match family {
        "pendaftaran" => "noUrut",
        "kunjungan" => "noKunjungan",
        "tindakan" => "kdTindakanSK",
        "obat" => "kdObatSK",
        "mcu" => "kdMCU",
        "kegiatan" => "eduId",
        _peserta => "noKartu",
    };
    let mut ids = RemoteIds::new();
    ids.insert(name.to_owned(), own.clone());
    if let Some(visit) = visit {
        ids.entry("noKunjungan".to_owned()).or_insert(visit);
    }
    if family == "peserta" {
        ids.insert("eduId".to_owned(), scope.first().cloned().unwrap_or_default());
    }
    let operation = planned.operation;
    drop(model);
    let mut act = act(bench, delivery, "resolve", Event::Adopt { ids: Private::new(ids) });
    let family = hub.catalogue.operation(operation).map(crate::catalogue::Operation::family);
    act.owns = Some((family.unwrap_or_else(|| operation.to_owned()), scope, own));
    Some(act)
}

pub(super) fn family_of(operation: &str) -> &'static str {
    match operation {
        "pcare.pendaftaran.add" => "pendaftaran",
        "pcare.kunjungan.add" => "kunjungan",
        "pcare.tindakan.add" => "tindakan",
        "pcare.obat.add" => "obat",
        "pcare.mcu.add" => "mcu",
        "pcare.kelompok.kegiatan.add" => "kegiatan",
        "pcare.kelompok.peserta.add" => "peserta",
        _change => "",
    }
}

/// The person in charge: looks at what is in their hands from time to time.
pub(super) async fn in_charge(bench: Arc<Bench>) {
    let dice = bench.hub.dice("person");
    loop {
        let wait = if bench.hub.faulty() {
            dice.spread(Duration::from_secs(10), Duration::from_mins(30))
        } else {
            // Where entries wait for another day, nobody looks every moment.
            Duration::from_secs(4).max((bench.idle() / 10).min(Duration::from_mins(10)))
        };
        tokio::time::sleep(wait).await;
        let Some(process) = bench.ready() else { continue };
        resume(&bench, &process).await;
        for state in [State::Refused, State::Held, State::Expired] {
            let filter = DeliveryFilter { state: Some(state), limit: 100, ..DeliveryFilter::default() };
            let store = Arc::clone(&process.store);
            let Some(Ok(page)) = process.ask(async move { store.deliveries(filter).await }).await else { break };
            for delivery in page.items {
                let place = bench.hub.model().place(delivery.id);
                let Some(place) = place else { continue };
                // Somebody who looks away leaves it for the next time.
                if bench.hub.faulty() && dice.strikes(400) {
                    continue;
                }
                let Some(act) = decide(&bench, place, &delivery, &dice) else { continue };
                let store = Arc::clone(&process.store);
                if process.ask(async move { store.act(act).await }).await.is_none() {
                    break;
                }
            }
        }
        if bench.hub.faulty() && dice.strikes(150) {
            meddle(&bench, &process, &dice).await;
        }
    }
}

/// Lets sending go on after a restored backup.
async fn resume(bench: &Arc<Bench>, process: &Arc<super::process::Process>) {
    let store = Arc::clone(&process.store);
    let Some(Ok(pauses)) = process.ask(async move { store.pauses().await }).await else { return };
    for pause in pauses {
        let audit = AuditEntry {
            at: bench.hub.clock.now(),
            actor: "petugas".to_owned(),
            action: "resume".to_owned(),
            object: pause.facility.clone(),
            detail: "diperiksa".to_owned(),
        };
        let store = Arc::clone(&process.store);
        let _answer = process.ask(async move { store.set_pause(&pause.facility, None, audit).await }).await;
    }
}

/// Holds, releases or withdraws something for reasons of their own.
async fn meddle(bench: &Arc<Bench>, process: &Arc<super::process::Process>, dice: &Dice) {
    let waiting = |hub: &Hub| {
        let model = hub.model();
        let waits = |place: &usize| model.state(*place).is_some_and(|state| !state.is_final());
        let places: Vec<usize> = (0..model.entries.len()).filter(waits).collect();
        (!places.is_empty()).then(|| places[dice.place(places.len())])
    };
    let Some(place) = waiting(&bench.hub) else { return };
    let last = bench.hub.model().entries[place].last.clone();
    let Some(last) = last else { return };
    let (word, event) = match dice.below(4) {
        0 => ("hold", Event::Hold { reason: "diperiksa dulu".to_owned() }),
        1 => ("retry", Event::Retry),
        2 => ("cancel", Event::Cancel { reason: "tidak jadi".to_owned() }),
        _ => ("release", Event::Release),
    };
    let act = act(bench, &last, word, event);
    let store = Arc::clone(&process.store);
    let _answer = process.ask(async move { store.act(act).await }).await;
}

/// A visit that staff has open: mostly one of which the bridge has not everything there yet, where the two can be mixed up.
fn visit_of_staff(bench: &Bench, dice: &Dice) -> Option<(usize, String)> {
    let model = bench.hub.model();
    let all = model.plan.entries.iter().enumerate();
    let made = all.filter(|(_, planned)| planned.operation == "pcare.kunjungan.add");
    let made: Vec<usize> =
        made.map(|(place, _)| place).filter(|&place| model.remote(place, "noKunjungan").is_some()).collect();
    let unfinished = |parent: &usize| {
        let mut all = model.plan.entries.iter().enumerate();
        all.any(|(place, planned)| {
            planned.after.contains(parent) && model.state(place).is_some_and(|state| !state.is_final())
        })
    };
    let open: Vec<usize> = made.iter().copied().filter(unfinished).collect();
    let among = if open.is_empty() || dice.strikes(200) { &made } else { &open };
    let place = *among.get(dice.place(among.len()))?;
    Some((model.plan.entries[place].facility, model.remote(place, "noKunjungan")?))
}

/// Staff at the P-Care application: types treatments and drugs of its own into visits that the bridge made.
pub(super) async fn staff(bench: Arc<Bench>) {
    let dice = bench.hub.dice("staff");
    while bench.hub.faulty() {
        tokio::time::sleep(dice.spread(Duration::from_millis(500), Duration::from_mins(20))).await;
        let Some((site, visit)) = visit_of_staff(&bench, &dice) else { continue };
        let (path, body) = if dice.strikes(500) {
            let body = json!({ "kdTindakanSK": 0, "noKunjungan": visit, "kdTindakan": "01010", "biaya": 0,
                "keterangan": "staf", "hasil": 0 });
            ("tindakan", body)
        } else {
            let body = json!({ "kdObatSK": 0, "noKunjungan": visit, "racikan": false, "kdRacikan": null,
                "obatDPHO": true, "kdObat": "130103595", "signa1": 2, "signa2": 2, "jmlObat": 4, "jmlPermintaan": 4,
                "nmObatNonDPHO": "" });
            ("obat/kunjungan", body)
        };
        let order = json!({ "method": "POST", "path": path, "body": body }).to_string();
        let request = axum::http::Request::post("/_sim/staff").body(axum::body::Body::from(order));
        let answer = bench.hub.routers[site].clone().oneshot(request.expect("a request")).await;
        let typed = answer.is_ok_and(|answer| answer.status().is_success());
        bench.hub.event(if typed { "staff typed" } else { "staff was refused" }, site, 0);
        bench.hub.absorb(site);
    }
}
