//! Every misfortune that the simulator knows, on every kind of write: each entry ends exactly once at BPJS, or in a
//! named state for a person with BPJS's words.

use std::collections::BTreeMap;

use jembatan::simulator::faults::{Fault, Kind};
use serde_json::{Value, json};

use crate::bridge::{Bridge, Setup, card, daftar, drug, fault_of_card, kunjungan, submission, whole_visit, yesterday};
use crate::day::exactly_once;

/// How an add ends that met this kind once.
enum End {
    /// Delivered by itself.
    Delivered,
    /// A person must act; this rule of the answer table says why.
    Refused(&'static str),
    /// The service says who we are not: stops the lane, tested with promise 7.
    Lane,
    /// Says a duplicate where none is: believed only when it is found.
    Contradiction,
}

const fn end_of(kind: Kind) -> End {
    match kind {
        Kind::LandThenTimeout
        | Kind::TimeoutBeforeLand
        | Kind::DelayedVisibility
        | Kind::Html500
        | Kind::Html503
        | Kind::Html200
        | Kind::EmptyBody
        | Kind::TruncatedBase64
        | Kind::WrongTimestampSeal
        | Kind::NullReference500
        | Kind::Reset
        | Kind::LandThenReset
        | Kind::Slow
        | Kind::Skew
        | Kind::DoubleEncoded
        | Kind::CrlfNames
        | Kind::ObjectForArray
        | Kind::CodeAsText => End::Delivered,
        // P-Care's way of saying that it found nothing to go by.
        Kind::NoContent204Empty => End::Refused("no_content"),
        Kind::UnauthorizedScreening => End::Refused("skrining"),
        Kind::PreconditionObject | Kind::PreconditionArray => End::Refused("reference"),
        Kind::FailedDependency424 => End::Refused("master_data"),
        Kind::Locked428 => End::Refused("locked"),
        Kind::UnauthorizedCredentials | Kind::NotRegistered404 => End::Lane,
        Kind::UnauthorizedDuplicate => End::Contradiction,
    }
}

fn once(on: &str, kind: Kind, card: Option<&str>) -> Fault {
    let mut fault = card.map_or_else(|| Fault::new(on, kind), |card| fault_of_card(on, kind, card));
    fault.count = Some(1);
    fault.ms = Some(match kind {
        Kind::LandThenTimeout | Kind::TimeoutBeforeLand => 20_000,
        Kind::DelayedVisibility | Kind::Slow => 300,
        _ => 100,
    });
    fault.seconds = (kind == Kind::Skew).then_some(90);
    fault
}

fn says(entry: &Value, kind: Kind) {
    let (state, code) = (entry["state"].as_str().unwrap_or(""), entry["why"]["code"].as_str().unwrap_or(""));
    match end_of(kind) {
        End::Delivered | End::Lane | End::Contradiction => {
            assert_eq!(state, "delivered", "{kind:?}: {entry:#}");
        }
        End::Refused(rule) => {
            assert_eq!((state, code), ("refused", rule), "{kind:?}: {entry:#}");
            assert!(entry["why"]["message"].as_str().is_some_and(|words| words.len() > 5), "{entry:#}");
            assert!(entry["why"]["next"].as_str().is_some_and(|next| !next.is_empty()), "{entry:#}");
        }
    }
}

fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| !matches!(end_of(*kind), End::Lane | End::Contradiction))
}

/// All kinds at once, one patient each, on registrations and on visits.
#[test]
fn every_fault_on_a_registration_or_a_visit_ends_once_or_named() {
    let bridge = Bridge::with(&Setup { settle_ms: 500, ..Setup::default() });
    let mut handed = BTreeMap::new();
    for (n, kind) in (0..).zip(kinds()) {
        for (place, on) in (0..).zip(["pcare.pendaftaran.add", "pcare.kunjungan.add"]) {
            let card = card(n * 2 + place);
            bridge.fault(once(on, kind, Some(&card)));
            let name = format!("{kind:?}-{place}");
            handed.insert(name.clone(), (kind, place, whole_visit(&name, &card, yesterday())));
        }
    }
    let bodies: Vec<Value> = handed.values().map(|(.., body)| body.clone()).collect();
    let answers = bridge.submit_all(&bodies, 4);
    for ((kind, place, _), answer) in handed.values().zip(answers) {
        let id = answer.expect("an answer").body["id"].as_str().unwrap_or_default().to_owned();
        let done = bridge.finished(&id);
        says(&done[if *place == 0 { "daftar" } else { "kunjungan" }], *kind);
    }
    exactly_once(&bridge, &bridge.deliveries());
}

/// Drugs have no uniqueness at BPJS: one kind after the other, two equal drugs each, the first of them struck.
fn on_drugs(kinds: &[Kind], first: u32) {
    let bridge = Bridge::with(&Setup { settle_ms: 250, timeout_ms: 600, ..Setup::default() });
    let mut expected = 0;
    for (n, kind) in (first..).zip(kinds) {
        let card = card(n);
        let drugs = ["obat-1", "obat-2"].map(|name| {
            json!({ "ref": name, "operation": "pcare.obat.add", "after": ["kunjungan"],
                "payload": drug("130103595", 10) })
        });
        bridge.simulator.clear_faults();
        bridge.fault(once("pcare.obat.add", *kind, None));
        let entries = [&[daftar(&card, yesterday()), kunjungan(&card, yesterday())][..], &drugs].concat();
        let id = bridge.submit(&submission(&format!("{kind:?}"), &entries));
        let done = bridge.finished(&id);
        // Which of the two is struck is the bridge's order: the first.
        says(&done["obat-1"], *kind);
        assert_eq!(done["obat-2"]["state"], "delivered", "{kind:?}: {done:#?}");
        expected +=
            done.values().filter(|one| one["operation"] == "pcare.obat.add" && one["state"] == "delivered").count();
        assert_eq!(bridge.ledger("obat").len(), expected, "{kind:?}: {done:#?}");
    }
    exactly_once(&bridge, &bridge.deliveries());
}

#[test]
fn every_fault_on_a_drug_ends_once_or_named_first_half() {
    let all: Vec<Kind> = kinds().collect();
    on_drugs(&all[..all.len() / 2], 100);
}

#[test]
fn every_fault_on_a_drug_ends_once_or_named_second_half() {
    let all: Vec<Kind> = kinds().collect();
    on_drugs(&all[all.len() / 2..], 200);
}

/// A fault on the look-up itself says nothing about the entry.
#[test]
fn a_look_up_that_fails_in_any_way_is_asked_again_and_never_read_as_absent() {
    let bridge = Bridge::with(&Setup { settle_ms: 250, timeout_ms: 600, ..Setup::default() });
    let unreadable = [
        Kind::TimeoutBeforeLand,
        Kind::Html500,
        Kind::Html503,
        Kind::Html200,
        Kind::EmptyBody,
        Kind::TruncatedBase64,
        Kind::WrongTimestampSeal,
        Kind::NullReference500,
        Kind::Reset,
    ];
    let mut bodies = Vec::new();
    for (n, kind) in (0..).zip(unreadable) {
        let card = card(n);
        bridge.fault(fault_of_card("pcare.kunjungan.add", Kind::LandThenReset, &card).times(1));
        bridge.fault(once("pcare.kunjungan.riwayat", kind, Some(&card)));
        bodies.push(submission(&format!("{kind:?}"), &[daftar(&card, yesterday()), kunjungan(&card, yesterday())]));
    }
    for (answer, kind) in bridge.submit_all(&bodies, 4).into_iter().zip(unreadable) {
        let id = answer.expect("an answer").body["id"].as_str().unwrap_or_default().to_owned();
        let visit = bridge.finished(&id)["kunjungan"].clone();
        assert_eq!((&visit["state"], &visit["how"]), (&json!("delivered"), &json!("adopted")), "{kind:?} {visit:#}");
        let attempts = bridge.attempts(&visit);
        let sends = attempts.iter().filter(|one| one["purpose"] == "send").count();
        let absent = attempts.iter().filter(|one| one["outcome"] == "absent").count();
        assert_eq!((sends, absent), (1, 0), "{kind:?} {attempts:#?}");
    }
    exactly_once(&bridge, &bridge.deliveries());
}

/// BPJS says that it has the entry, and shows nothing: believed by nobody, decided by a person.
#[test]
fn a_duplicate_that_nobody_finds_is_held_as_ambiguous_and_a_person_decides() {
    let bridge = Bridge::with(&Setup { settle_ms: 100, ..Setup::default() });
    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::UnauthorizedDuplicate).times(1));
    let id = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    let held = bridge.entry_in(&id, "daftar", "held");
    assert_eq!(held["why"]["code"], "ambiguous", "{held:#}");
    let answer = bridge.act(&held, "resolve", &json!({ "verdict": "absent" }));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(bridge.finished(&id)["daftar"]["state"], "delivered");
    assert_eq!(bridge.ledger("pendaftaran").len(), 1);
}
