//! The documents on a small month: what is counted, what is left out, and equal figures in all forms.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::frame::Period;
use super::frame::tests::frame;
use super::journal::Journal;
use super::paper::{Cell, Fact, Paper, Part};
use super::render::Form;
use super::{claims, deadlines, kbk, network, outage, prolanis, telekonsultasi, visits};
use crate::contract::figures::Kbk;
use crate::contract::{Contracts, Deadline, Holidays, Profile};
use crate::queue::{Delivery, DeliveryId, How, Mark, Progress, State, SubmissionId, Turn};
use crate::secret::Private;
use crate::store::{JournalRow, OutageClass, OutageEffect, OutagePlan, OutageRow, Verdict};

const CARD: &str = "0009900000000";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn delivery(seq: i64, operation: &str) -> Delivery {
    let now = at("2026-11-20T02:00:00Z");
    let bytes: [u8; 10] = std::array::from_fn(|_| u8::try_from(seq).unwrap());
    Delivery {
        id: DeliveryId::new(now, &bytes),
        seq,
        submission: SubmissionId::new(now, &bytes),
        entry_ref: "e".into(),
        facility: "0114A026".into(),
        operation: operation.into(),
        lane: Private::new(String::new()),
        occurred_at: None,
        service_date: Some(Date::constant(2026, 11, 20)),
        mark: None,
        accepted_at: now,
        turn: Turn::taken(now, now, &[], None),
        deadline: Deadline::default(),
        progress: Progress::accepted(now, now, None),
    }
}

/// A row of 20 November unless told, delivered in time.
fn row(seq: i64, operation: &str, payload: Value, ids: &[(&str, &str)]) -> JournalRow {
    let mut delivery = delivery(seq, operation);
    delivery.deadline = Deadline {
        rule: "entry.immediate".into(),
        target: Some(at("2026-11-20T02:15:00Z")),
        late: Some(at("2026-11-20T15:59:59.999Z")),
        last: None,
    };
    delivery.progress.state = State::Delivered;
    delivery.progress.how = Some(How::Accepted);
    delivery.progress.updated_at = at("2026-11-20T02:10:00Z");
    let ids: BTreeMap<String, String> = ids.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect();
    delivery.progress.remote = Private::new(ids.into_iter().collect());
    JournalRow {
        delivery,
        payload: Private::new(payload),
        reference: format!("r{seq}"),
        client: "sim".into(),
        patient: Some(Private::new(json!({ "nama": "=Peserta; Contoh" }))),
        given: Vec::new(),
    }
}

fn registration(seq: i64, card: &str, care: &str) -> JournalRow {
    let payload = json!({
        "noKartu": card, "tglDaftar": "20-11-2026", "kdPoli": "001", "kdTkp": care, "kdProviderPeserta": "0114A026",
    });
    row(seq, "pcare.pendaftaran.add", payload, &[("noUrut", &format!("A{seq}"))])
}

fn visit(seq: i64, card: &str, out: &str, diagnosis: &str) -> JournalRow {
    let payload = json!({
        "noKartu": card, "tglDaftar": "20-11-2026", "kdPoli": "001", "kdStatusPulang": out, "tglPulang": "23-11-2026",
        "kdDiag1": diagnosis, "kdDiag2": null, "kdTacc": -1,
    });
    row(seq, "pcare.kunjungan.add", payload, &[("noKunjungan", &format!("K{seq}"))])
}

fn claim(seq: i64, visit: &str, code: &str, cost: i64) -> JournalRow {
    let payload = json!({ "kdTindakanSK": 0, "noKunjungan": visit, "kdTindakan": code, "biaya": cost });
    let mut row = row(seq, "pcare.tindakan.add", payload, &[("kdTindakanSK", &format!("T{seq}"))]);
    row.delivery.deadline.rule = "claim.entry".into();
    row
}

/// A client's row.
fn by(client: &str, mut row: JournalRow) -> JournalRow {
    row.client = client.into();
    row
}

fn contracts() -> Contracts {
    Contracts::new(Profile::shipped_bontang().unwrap(), None, Holidays::shipped().unwrap())
}

/// A midwife, a pharmacy, and one that nobody described.
fn the_network() -> claims::Network {
    [("bidan-sari", Some("bidan")), ("bidan-tuti", Some("bidan")), ("apotek-1", Some("apotek")), ("lain", None)]
        .map(|(name, kind)| (name.to_owned(), kind.map(str::to_owned)))
        .into()
}

/// The claims of a month.
struct Sides {
    frame: super::frame::Frame,
    contracts: Contracts,
    network: claims::Network,
    filed: BTreeSet<String>,
    share: claims::Share,
    period: Period,
}

impl Sides {
    fn november() -> Self {
        Self {
            frame: frame(),
            contracts: contracts(),
            network: the_network(),
            filed: BTreeSet::new(),
            share: claims::Share::All,
            period: november(),
        }
    }

    fn input(&self) -> claims::Input<'_> {
        claims::Input {
            frame: &self.frame,
            period: self.period,
            contracts: &self.contracts,
            network: &self.network,
            filed: &self.filed,
            share: &self.share,
        }
    }

    fn paper(&self, rows: &[JournalRow], older: &[JournalRow], asked: &claims::Asked) -> Paper {
        claims::claims(&self.input(), &Journal::new(rows), &Journal::new(older), asked)
    }
}

/// Two outpatients (one referred), one inpatient, one visit without registration, three claims of which one is deleted
/// and one changed, one that waits.
fn month() -> Vec<JournalRow> {
    let mut waiting = claim(12, "K4", "01003", 20_000);
    waiting.delivery.progress.state = State::Waiting;
    let mut late = visit(6, "0009900000003", "3", "J06.9");
    late.delivery.progress.updated_at = at("2026-11-21T02:00:00Z");
    let mut cancelled = visit(14, CARD, "3", "I10");
    cancelled.delivery.progress.state = State::Cancelled;
    vec![
        registration(1, CARD, "10"),
        registration(2, "0009900000001", "10"),
        registration(3, "0009900000002", "20"),
        visit(4, CARD, "4", "J06.9"),
        visit(5, "0009900000001", "3", "I10"),
        late,
        visit(7, "0009900000002", "3", "A91"),
        claim(8, "K7", "01001", 190_000),
        claim(9, "K7", "01001", 190_000),
        claim(10, "K5", "01002", 5_000),
        row(11, "pcare.tindakan.delete", json!({ "kdTindakanSK": "T9", "noKunjungan": "K7" }), &[]),
        waiting,
        row(13, "pcare.tindakan.edit", json!({ "kdTindakanSK": "T10", "kdTindakan": "01002", "biaya": 55_000 }), &[]),
        cancelled,
    ]
}

/// Two midwives, a pharmacy, one of no kind; one waits for approval, one was taken back, one is late, two by distance.
fn network_month() -> Vec<JournalRow> {
    let mut waiting = by("bidan-sari", claim(44, "K41", "01006", 20_000));
    waiting.delivery.progress.state = State::Held;
    waiting.delivery.progress.why = Some(crate::queue::Why {
        code: "approval".into(),
        message: Private::new(String::new()),
        meaning: String::new(),
        who: crate::catalogue::Who::Registration,
        next: String::new(),
    });
    let mut taken = by("bidan-tuti", claim(45, "K41", "01006", 20_000));
    taken.delivery.progress.state = State::Cancelled;
    let mut late = by("bidan-tuti", claim(46, "K41", "99999", 7_000));
    late.delivery.progress.updated_at = at("2026-11-21T02:00:00Z");
    let mut far = registration(47, "0009900000010", "10");
    (far.delivery.mark, far.delivery.occurred_at) = (Some(Mark::Telekonsultasi), Some(at("2026-11-20T01:05:00Z")));
    let mut near = registration(48, "0009900000011", "10");
    near.delivery.mark = Some(Mark::Telekonsultasi);
    vec![
        by("bidan-sari", registration(40, "0009900000009", "10")),
        by("bidan-sari", visit(41, "0009900000009", "3", "Z34.9")),
        by("bidan-sari", claim(42, "K41", "01006", 20_000)),
        by("apotek-1", claim(43, "K41", "01006", 20_000)),
        waiting,
        taken,
        late,
        far,
        near,
        visit(49, "0009900000010", "3", "I10"),
        by("lain", claim(50, "K41", "01006", 15_000)),
    ]
}

fn prolanis_month() -> Vec<JournalRow> {
    let activity =
        json!({ "clubId": 7, "tglPelayanan": "20-11-2026", "kdKegiatan": "01", "kdKelompok": "02", "biaya": 590_000 });
    let mut meeting = row(60, "pcare.kelompok.kegiatan.add", activity, &[("eduId", "E1")]);
    meeting.delivery.deadline.rule = "prolanis.entry".into();
    let came = |seq: i64| {
        let card = format!("00099000001{seq}");
        row(seq, "pcare.kelompok.peserta.add", json!({ "eduId": "E1", "noKartu": card }), &[])
    };
    std::iter::once(meeting).chain((61..77).map(came)).collect()
}

fn asked() -> claims::Asked {
    claims::Asked {
        claimed: Some(Date::constant(2026, 11, 10)),
        paid: Some(Date::constant(2026, 12, 11)),
        amount: None,
    }
}

fn november() -> Period {
    Period::month("2026-11").unwrap()
}

fn fact(paper: &Paper, name: &str) -> Cell {
    let parts = paper.sections.iter().flat_map(|section| &section.parts);
    let inside = parts.flat_map(|part| match part {
        Part::Facts(facts) => facts.as_slice(),
        Part::Paragraph(_) | Part::Table(_) | Part::Chart(_) => &[],
    });
    let found = paper.facts.iter().chain(inside).find(|fact: &&Fact| fact.name.starts_with(name));
    found.unwrap_or_else(|| panic!("no fact {name}")).value.clone()
}

fn rows<'a>(paper: &'a Paper, table: &str) -> &'a [Vec<Cell>] {
    &paper.tables().find(|one| one.name == table).unwrap().rows
}

#[test]
fn the_outpatient_form_counts_visits_and_referrals_and_says_what_it_leaves_out() {
    let month = month();
    let paper = visits::form(&frame(), november(), visits::Care::Rjtp, &Journal::new(&month));
    assert_eq!(fact(&paper, "Total Peserta yang berkunjung"), Cell::Whole(2));
    assert_eq!(fact(&paper, "Total Peserta yang dirujuk"), Cell::Whole(1));
    let first = &rows(&paper, "Pelayanan")[0];
    assert_eq!(first[2], Cell::text(CARD));
    assert_eq!(first[3], Cell::text("=Peserta; Contoh"));
    assert_eq!(first[5], Cell::text("Ya"));
    let said = serde_json::to_string(&paper).unwrap();
    assert!(said.contains("1 kunjungan dalam periode ini tidak dicantumkan"), "{said}");
    assert_eq!(paper.subtitle[1], "BULAN NOVEMBER TAHUN 2026");
}

#[test]
fn the_inpatient_form_has_the_length_of_stay() {
    let month = month();
    let paper = visits::form(&frame(), november(), visits::Care::Ritp, &Journal::new(&month));
    let rows = rows(&paper, "Pelayanan");
    assert_eq!((rows.len(), &rows[0][5]), (1, &Cell::Whole(3)));
}

#[test]
fn a_delivered_edit_of_a_visit_is_what_the_form_shows() {
    let mut month = month();
    let edit = json!({ "noKunjungan": "K5", "noKartu": "0009900000001", "kdStatusPulang": "4", "kdDiag1": "I11" });
    month.push(row(20, "pcare.kunjungan.edit", edit, &[]));
    let paper = visits::form(&frame(), november(), visits::Care::Rjtp, &Journal::new(&month));
    assert_eq!(fact(&paper, "Total Peserta yang dirujuk"), Cell::Whole(2));
    assert_eq!(rows(&paper, "Pelayanan")[1][4], Cell::text("I11"));
}

#[test]
fn every_entry_is_in_exactly_one_column_of_timeliness() {
    let month = month();
    let paper = deadlines::timeliness(&frame(), november(), &Journal::new(&month));
    let total = &paper.tables().next().unwrap().totals[0];
    let numbers: Vec<i64> =
        total.iter().filter_map(|cell| if let Cell::Whole(number) = cell { Some(*number) } else { None }).collect();
    // 14 rows without the cancelled one: one late, one open and late.
    assert_eq!(numbers, [13, 11, 0, 1, 0, 1, 0]);
    assert_eq!(numbers[1..].iter().sum::<i64>(), numbers[0]);
    assert_eq!(rows(&paper, "Per hari").len(), 1);
}

#[test]
fn the_estimate_asks_for_what_only_bpjs_knows_and_shows_the_range() {
    let (month, profile) = (month(), Profile::shipped_bontang().unwrap());
    let kbk = Kbk::of(&profile.money.kbk.unwrap()).unwrap();
    let journal = Journal::new(&month);
    let without = kbk::estimate(&frame(), november(), &journal, Some(&kbk), &kbk::Asked::default());
    assert_eq!(fact(&without, "Nilai paling rendah"), Cell::Milli(1_000));
    assert_eq!(fact(&without, "Nilai paling tinggi"), Cell::Milli(4_000));
    let asked = kbk::Asked {
        registered: Some(20),
        nonspecialist: vec!["J069".into()],
        dm: Some(100),
        dm_controlled: Some(6),
        ht: Some(150),
        ht_controlled: Some(9),
    };
    let paper = kbk::estimate(&frame(), november(), &journal, Some(&kbk), &asked);
    let rows = rows(&paper, "Indikator");
    // 3 of 20: 150 per mille, rating 4; 1 of 1 referrals: 100 %, rating 1; 6 %: rating 4.
    assert_eq!((&rows[0][2], &rows[0][5]), (&Cell::Milli(150_000), &Cell::Whole(4)));
    assert_eq!((&rows[1][2], &rows[1][5]), (&Cell::Percent(100_000), &Cell::Whole(1)));
    // 40 % × 4 + 50 % × 1 + 10 % × 4
    assert_eq!(fact(&paper, "Nilai"), Cell::Milli(2_500));
    assert_eq!(fact(&paper, "Kapitasi dibayar"), Cell::Percent(90_000));
}

#[test]
fn prolanis_lists_each_participant_of_each_activity() {
    let activity =
        json!({ "clubId": 7, "tglPelayanan": "20-11-2026", "kdKegiatan": "01", "kdKelompok": "02", "biaya": 0 });
    let month = [
        row(1, "pcare.kelompok.kegiatan.add", activity, &[("eduId", "E1")]),
        row(2, "pcare.kelompok.peserta.add", json!({ "eduId": "E1", "noKartu": CARD }), &[]),
        row(3, "pcare.kelompok.peserta.add", json!({ "eduId": "E1", "noKartu": "0009900000001" }), &[]),
        row(4, "pcare.kelompok.peserta.delete", json!({ "eduId": "E1", "noKartu": CARD }), &[]),
    ];
    let paper = prolanis::participation(&Sides::november().input(), &Journal::new(&month));
    let rows = rows(&paper, "Peserta");
    assert_eq!((rows.len(), &rows[0][3], &rows[0][5]), (1, &Cell::text("senam"), &Cell::text("0009900000001")));
}

fn disturbed() -> OutageRow {
    let probe = json!({ "at": "2026-11-20T01:00:00Z", "checks": [
        { "step": "dns", "status": "ok", "detail": null, "ms": 3 }, { "step": "tcp", "status": "fail", "detail": "timed out", "ms": 5000 },
        { "step": "http", "status": "skipped", "detail": null, "ms": 0 } ] });
    OutageRow {
        id: 3,
        facility: "0114A026".into(),
        service: "pcare".into(),
        opened_at: at("2026-11-20T01:00:00Z"),
        closed_at: Some(at("2026-11-20T03:30:05Z")),
        cause: "tcp".into(),
        verdict: Verdict::Bpjs,
        evidence: json!([probe]),
        opened_by: "jembatan".into(),
        closed_by: Some("jembatan: probe lolos".into()),
        accepted: 40,
        affected: 38,
        late: 2,
        class: None,
    }
}

fn touched() -> OutageEffect {
    let drained_at = Some(at("2026-11-20T03:41:00Z"));
    OutageEffect { accepted: 40, delayed: 38, late: 2, unfinished: 0, drained_at }
}

#[test]
fn the_evaluation_names_the_announcement_the_class_and_when_the_queue_was_empty() {
    let mut row = disturbed();
    row.class = Some((OutageClass::ForceMajeure, "petugas: banjir".into()));
    let plan = OutagePlan {
        id: 1,
        facility: "0114A026".into(),
        from: at("2026-11-20T00:00:00Z"),
        to: at("2026-11-20T04:00:00Z"),
        verdict: Verdict::Bpjs,
        reason: "surat 7".into(),
        actor: "petugas".into(),
        announced_at: at("2026-11-18T00:00:00Z"),
    };
    let paper = outage::evaluation(&frame(), &row, touched(), Some(&plan));
    let page = String::from_utf8(Form::Html.render(&paper).unwrap()).unwrap();
    for wanted in
        ["keadaan kahar (Pasal 19), oleh petugas: banjir", "surat 7", "20 November 2026 11.41 WITA", "waktu habis"]
    {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    let plain = outage::evaluation(&frame(), &disturbed(), OutageEffect::default(), None);
    assert_eq!(
        (fact(&plain, "Penggolongan"), fact(&plain, "Diumumkan")),
        (Cell::text("belum digolongkan"), Cell::text("tidak"))
    );
}

#[test]
fn the_evaluation_names_layers_duration_and_entries() {
    let paper = outage::evaluation(&frame(), &disturbed(), touched(), None);
    assert_eq!(fact(&paper, "Lama"), Cell::text("2 jam 30 menit 5 detik"));
    assert_eq!(fact(&paper, "Entri diterima"), Cell::Whole(40));
    assert_eq!((rows(&paper, "Lapisan").len(), rows(&paper, "Bukti").len()), (3, 2));
    assert!(rows(&paper, "Lapisan").iter().all(|row| row[3] == Cell::Blank));
    assert_eq!(paper.signatures.len(), 2);
}

/// Every document of this month.
fn papers() -> Vec<Paper> {
    let (mut month, profile, frame) = (month(), Profile::shipped_bontang().unwrap(), frame());
    month.extend(network_month());
    month.extend(prolanis_month());
    let (sides, none) = (Sides::november(), Journal::new(&[]));
    let journal = Journal::new(&month);
    let rules = Kbk::of(&profile.money.kbk.clone().unwrap()).unwrap();
    vec![
        super::minutes::minutes(&frame, &super::reconciliation::tests::sample()),
        outage::evaluation(&frame, &disturbed(), touched(), None),
        visits::form(&frame, november(), visits::Care::Rjtp, &journal),
        visits::form(&frame, november(), visits::Care::Ritp, &journal),
        deadlines::timeliness(&frame, november(), &journal),
        claims::claims(&sides.input(), &journal, &none, &asked()),
        kbk::estimate(&frame, november(), &journal, Some(&rules), &kbk::Asked::default()),
        prolanis::participation(&sides.input(), &journal),
        network::monthly(&frame, november(), &month, &the_network(), |name| name.to_owned()),
        telekonsultasi::book(&frame, november(), &journal),
    ]
}

mod claiming;

#[test]
fn every_document_comes_out_in_every_form_with_rows_as_long_as_their_heads() {
    for paper in papers() {
        for table in paper.tables() {
            let wide = table.columns.len();
            assert!(
                table.rows.iter().chain(&table.totals).all(|row| row.len() == wide),
                "{} {}",
                paper.kind,
                table.name
            );
        }
        for form in Form::ALL {
            let bytes = form.render(&paper).unwrap();
            assert!(bytes.len() > 300, "{} {form}", paper.kind);
            if let Some(folder) = std::env::var_os("JEMBATAN_PAPERS") {
                let name = format!("{}.{form}", paper.kind);
                std::fs::write(std::path::Path::new(&folder).join(name), bytes).unwrap();
            }
        }
    }
}
