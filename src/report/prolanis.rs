//! Prolanis: the month's group activities with their participants, tariff and last date (three months after the activity).
//!
//! Invariants: every activity that stands is in the first table once, every participant in the second once; limits come
//! from the agreement's file. What it does not do: know who is under control.

use std::collections::BTreeMap;

use super::claims::{Book, Input, Line, What};
use super::journal::{Entry, Journal};
use super::paper::{Cell, Column, Fact, Paper, Part, Section, Table};
use crate::contract::GroupSize;

/// An activity with the cards of those who came.
struct Meeting<'a, 'b> {
    line: &'b Line<'a>,
    cards: Vec<String>,
}

/// Who took part in which activity, and until when each can be claimed.
#[must_use]
pub fn participation(input: &Input<'_>, journal: &Journal<'_>) -> Paper {
    let (frame, none) = (input.frame, Journal::new(&[]));
    let book = Book::new(input, journal, &none);
    let meetings = meetings(&book, journal);
    let heads = meetings.iter().map(|meeting| meeting.cards.len()).sum();
    let mut facts = frame.facts(input.period);
    facts.push(Fact::new("Jumlah kegiatan", Cell::count(meetings.len())));
    facts.push(Fact::new("Jumlah kehadiran", Cell::count(heads)));
    let sections = vec![
        Section::new("1. Kegiatan", activities(input, &meetings)),
        Section::new("2. Daftar hadir", vec![Part::Table(present(&meetings))]),
        Section::new("Keterangan", notes(input, journal, &meetings).into_iter().map(Part::Paragraph).collect()),
    ];
    Paper {
        kind: "prolanis",
        title: "Daftar Peserta Kegiatan Prolanis".to_owned(),
        subtitle: vec![input.period.words()],
        facts,
        sections,
        signatures: frame.head_signs(),
        footer: frame.footer(),
        made: frame.now,
        wide: true,
    }
}

/// An activity that has no number yet is known by the submission it came with.
fn key(entry: &Entry<'_>) -> String {
    entry.text("eduId").unwrap_or_else(|| entry.row.delivery.submission.to_string())
}

fn meetings<'a, 'b>(book: &'b Book<'a>, journal: &Journal<'_>) -> Vec<Meeting<'a, 'b>> {
    let mut present: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in journal.entries("pcare.kelompok.peserta") {
        if let Some(card) = entry.text("noKartu") {
            present.entry(key(&entry)).or_default().push(card);
        }
    }
    let activities = book.lines.iter().filter(|line| line.within && line.what == What::Activity);
    let meeting = |line: &'b Line<'a>| {
        let mut cards = present.get(&key(&line.entry)).cloned().unwrap_or_default();
        cards.sort();
        Meeting { line, cards }
    };
    activities.map(meeting).collect()
}

fn limits<'a>(line: &'a Line<'_>) -> Option<&'a GroupSize> {
    line.profile.money.claims.as_ref()?.group.as_ref()
}

fn remarks(meeting: &Meeting<'_, '_>) -> String {
    let heads = meeting.cards.len();
    let few = limits(meeting.line).filter(|group| heads < usize::from(group.least));
    let many = limits(meeting.line).filter(|group| heads > usize::from(group.most));
    let words = [
        (!meeting.line.entry.delivered()).then(|| "belum sampai di BPJS".to_owned()),
        few.map(|group| format!("kurang dari {} peserta", group.least)),
        many.map(|group| format!("lebih dari {} peserta", group.most)),
        meeting.line.amount().is_none().then(|| "tanpa tarif".to_owned()),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn activities(input: &Input<'_>, meetings: &[Meeting<'_, '_>]) -> Vec<Part> {
    if meetings.is_empty() {
        return vec![Part::text("Tidak ada kegiatan kelompok dalam periode ini.")];
    }
    let row = |meeting: &Meeting<'_, '_>| {
        let entry = &meeting.line.entry;
        vec![
            Cell::maybe(meeting.line.day, Cell::Day),
            Cell::maybe(entry.text("eduId"), Cell::Text),
            Cell::maybe(entry.text("clubId"), Cell::Text),
            Cell::text(activity(entry.text("kdKegiatan").as_deref())),
            Cell::text(group(entry.text("kdKelompok").as_deref())),
            Cell::count(meeting.cards.len()),
            Cell::Money(entry.cost()),
            Cell::maybe(meeting.line.amount(), Cell::Money),
            Cell::maybe(meeting.line.last, Cell::Day),
            Cell::maybe(input.left(meeting.line.last), Cell::Whole),
            Cell::Text(remarks(meeting)),
        ]
    };
    let heads: usize = meetings.iter().map(|meeting| meeting.cards.len()).sum();
    let mut total = vec![Cell::Empty; 11];
    let cost = meetings.iter().map(|meeting| meeting.line.entry.cost()).sum();
    for (at, cell) in [(0, Cell::text("Jumlah")), (5, Cell::count(heads)), (6, Cell::Money(cost))] {
        if let Some(place) = total.get_mut(at) {
            *place = cell;
        }
    }
    let columns = vec![
        Column::words("Tanggal", 4),
        Column::words("No. kegiatan", 4),
        Column::words("Klub", 2),
        Column::words("Kegiatan", 4),
        Column::words("Kelompok", 4),
        Column::figures("Peserta", 3),
        Column::figures("Biaya", 4),
        Column::figures("Tarif paling banyak", 4),
        Column::words("Kedaluwarsa", 4),
        Column::figures("Sisa (hari)", 2),
        Column::words("Catatan", 5),
    ];
    vec![Part::Table(Table {
        name: "Kegiatan",
        columns,
        rows: meetings.iter().map(row).collect(),
        totals: vec![total],
    })]
}

fn present(meetings: &[Meeting<'_, '_>]) -> Table {
    let mut rows = Vec::new();
    for meeting in meetings {
        let entry = &meeting.line.entry;
        let line = |card: Cell| {
            vec![
                Cell::maybe(meeting.line.day, Cell::Day),
                Cell::maybe(entry.text("eduId"), Cell::Text),
                Cell::maybe(entry.text("clubId"), Cell::Text),
                Cell::text(activity(entry.text("kdKegiatan").as_deref())),
                Cell::text(group(entry.text("kdKelompok").as_deref())),
                card,
                Cell::Blank,
            ]
        };
        if meeting.cards.is_empty() {
            rows.push(line(Cell::text("belum ada peserta")));
        }
        rows.extend(meeting.cards.iter().map(|card| line(Cell::Text(card.clone()))));
    }
    let columns = vec![
        Column::words("Tanggal", 3),
        Column::words("No. kegiatan", 4),
        Column::words("Klub", 2),
        Column::words("Kegiatan", 4),
        Column::words("Kelompok", 3),
        Column::words("No. kartu peserta", 5),
        Column::words("Tanda tangan", 4),
    ];
    Table { name: "Peserta", columns, rows, totals: Vec::new() }
}

fn notes(input: &Input<'_>, journal: &Journal<'_>, meetings: &[Meeting<'_, '_>]) -> Vec<String> {
    let mut notes = Vec::new();
    let profile = input.contracts.of(input.period.from);
    notes.extend(profile.rule("prolanis.expiry").map(|rule| format!("{} ({})", rule.text, rule.clause)));
    if let Some(group) = profile.money.claims.as_ref().and_then(|claims| claims.group.as_ref()) {
        notes.push(format!("Peserta per kegiatan: {} sampai {} orang ({}).", group.least, group.most, group.clause));
    }
    if meetings.iter().any(|meeting| meeting.line.amount().is_some()) {
        notes.push(
            "P-Care tidak membedakan kegiatan luring dan daring: tarif yang ditunjukkan adalah tarif luring."
                .to_owned(),
        );
    }
    let retired = journal.retired(&["pcare.kelompok.kegiatan", "pcare.kelompok.peserta"]);
    if retired > 0 {
        notes.push(format!("{retired} kegiatan atau peserta tanpa isi: isinya sudah dihapus menurut aturan retensi."));
    }
    notes
}

fn activity(code: Option<&str>) -> &str {
    match code {
        Some("01") => "senam",
        Some("10") => "penyuluhan",
        Some("11") => "penyuluhan dan senam",
        other => other.unwrap_or_default(),
    }
}

fn group(code: Option<&str>) -> &str {
    match code {
        Some("01") => "DM",
        Some("02") => "hipertensi",
        other => other.unwrap_or_default(),
    }
}
