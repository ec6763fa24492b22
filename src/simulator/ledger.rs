//! What the control plane shows of a world: everything that landed, and what was asked.
//!
//! Job: documents for tests and drills that count copies. Invariant: the ledger shows hidden records too, since they
//! have landed. Neighbours: `control` serves both. What it does not do: stand in for the services' own reads.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::State;
use super::generic::Item;
use super::vclaim::Record;
use super::world::{ChildKind, World, dmy};

fn children(world: &World, kind: ChildKind) -> Vec<Value> {
    let all = world.visits.iter().flat_map(|(number, visit)| visit.children.iter().map(move |child| (number, child)));
    let mut of_kind: Vec<_> = all.filter(|(_, child)| child.kind == kind).collect();
    of_kind.sort_by_key(|(_, child)| child.id);
    of_kind
        .into_iter()
        .map(|(number, child)| {
            json!({ "id": child.id.to_string(), "noKunjungan": number, "origin": child.origin.as_str(),
            "content": child.content })
        })
        .collect()
}

/// Everything that landed, in the order it did.
pub(super) fn of(world: &World) -> Value {
    let mut registrations: Vec<_> = world.registrations.iter().collect();
    registrations.sort_by_key(|(_, found)| found.seq);
    let mut visits: Vec<_> = world.visits.iter().collect();
    visits.sort_by_key(|(_, found)| found.seq);
    let registrations = registrations.into_iter().map(|((day, poli, card), found)| {
        json!({ "noUrut": found.no_urut, "noKartu": card, "kdPoli": poli, "tglDaftar": dmy(*day),
        "noKunjungan": found.visit,
            "origin": found.origin.as_str(), "content": found.content })
    });
    let visits = visits.into_iter().map(|(number, found)| {
        let (day, poli, card) = &found.registration;
        json!({ "noKunjungan": number, "noKartu": card, "kdPoli": poli, "tglDaftar": dmy(*day),
        "kdProvider": found.provider,
            "billed": found.billed, "served_by_hospital": found.served_by_hospital, "origin": found.origin.as_str(),
            "content": found.content })
    });
    let activities = world.activities.iter();
    let activities =
        activities.map(|(id, found)| json!({ "eduId": id, "origin": found.origin.as_str(), "content": found.content }));
    let participants = world.activities.iter().flat_map(|(id, found)| {
        let rows = found.participants.iter();
        rows.map(move |there| json!({ "eduId": id, "noKartu": there.no_kartu, "origin": there.origin.as_str() }))
    });
    json!({
        "pendaftaran": registrations.collect::<Vec<_>>(),
        "kunjungan": visits.collect::<Vec<_>>(),
        "tindakan": children(world, ChildKind::Treatment),
        "obat": children(world, ChildKind::Drug),
        "mcu": children(world, ChildKind::Examination),
        "kegiatan": activities.collect::<Vec<_>>(),
        "peserta_kegiatan": participants.collect::<Vec<_>>(),
        "sep": seps(world),
        "rujukan": records(&world.vclaim.outgoing, "noRujukan"),
        "rujukan_khusus": records(&world.vclaim.special, "idRujukan"),
        "surat_kontrol": records(&world.vclaim.letters, "noSuratKontrol"),
        "prb": records(&world.vclaim.prb, "noSRB"),
        "lpk": records(&world.vclaim.lpk, "noSep"),
        "pengajuan_sep": requests_for_seps(world),
        "antrean": queue(world),
        "lain": world.generic.values().flatten().map(Item::shown).collect::<Vec<_>>(),
    })
}

fn in_order<'a>(rows: impl Iterator<Item = (u64, Value)> + 'a) -> Vec<Value> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(seq, _)| *seq);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn seps(world: &World) -> Vec<Value> {
    in_order(world.vclaim.seps.iter().map(|(number, sep)| {
        let record = &sep.record;
        let row = json!({ "noSep": number, "noKartu": sep.card, "tglSep": record.day.to_string(),
            "ppkPelayanan": sep.ppk, "jnsPelayanan": if sep.inpatient { "1" } else { "2" }, "poli": sep.poli,
            "pulang": sep.discharge, "origin": record.origin.as_str(), "content": record.content });
        (record.seq, row)
    }))
}

fn records(records: &BTreeMap<String, Record>, id: &str) -> Vec<Value> {
    in_order(records.iter().map(|(number, record)| {
        let row = json!({ id: number, "origin": record.origin.as_str(), "content": record.content });
        (record.seq, row)
    }))
}

fn requests_for_seps(world: &World) -> Vec<Value> {
    in_order(world.vclaim.requests.iter().map(|((card, day, care, kind), asked)| {
        let row = json!({ "noKartu": card, "tglSep": day.to_string(), "jnsPelayanan": care, "jnsPengajuan": kind,
            "disetujui": asked.approved, "origin": asked.record.origin.as_str(), "content": asked.record.content });
        (asked.record.seq, row)
    }))
}

fn queue(world: &World) -> Vec<Value> {
    let places = world.antrean.places.values().chain(&world.antrean.without_card);
    in_order(places.map(|place| {
        let row = json!({ "dipanggil": place.called, "panggilan": place.calls, "batal": place.cancelled,
            "origin": place.origin.as_str(), "content": place.content });
        (place.seq, row)
    }))
}

/// Counts per operation and outcome, and the last requests without paths or bodies.
pub(super) fn requests(state: &State) -> Value {
    let counts = state.counts.iter();
    let counts = counts
        .map(|((operation, outcome), count)| json!({ "operation": operation, "outcome": outcome, "count": count }));
    let last = state.last.iter().skip(state.last.len().saturating_sub(super::SHOWN));
    let last = last.map(|one| json!({ "at": one.at.to_string(), "operation": one.operation, "outcome": one.outcome }));
    json!({ "counts": counts.collect::<Vec<_>>(), "last": last.collect::<Vec<_>>() })
}
