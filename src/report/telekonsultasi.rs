//! The log book of telekonsultasi (Lampiran I, II.5): every two-way contact by distance, from entries the SIM marks so.
//!
//! Invariants: one line a contact, whether its registration, its visit or both bear the mark; what the SIM did not give is
//! left for the pen. What it does not do: tell two-way contacts from broadcasts (a person ticks that).

use std::collections::BTreeSet;

use super::frame::{Frame, Period};
use super::journal::{Entry, Journal};
use super::paper::{Cell, Column, Fact, Paper, Part, Section, Table};
use crate::queue::{DeliveryId, Mark, State};

/// A contact: its registration, its visit, or both.
struct Contact<'a> {
    registration: Option<Entry<'a>>,
    visit: Option<Entry<'a>>,
}

impl<'a> Contact<'a> {
    fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.visit.iter().chain(&self.registration)
    }

    /// The first that says it, the visit before the registration.
    fn text(&self, name: &str) -> Option<String> {
        self.entries().find_map(|entry| entry.text(name))
    }

    fn name(&self) -> Option<String> {
        self.entries().find_map(Entry::name)
    }

    fn delivered(&self) -> bool {
        self.entries().all(Entry::delivered)
    }

    fn retired(&self) -> bool {
        self.entries().any(Entry::retired)
    }
}

/// The log book of a period.
#[must_use]
pub fn book(frame: &Frame, period: Period, journal: &Journal<'_>) -> Paper {
    let contacts = contacts(journal);
    let done = contacts.iter().filter(|contact| contact.delivered()).count();
    let mut facts = frame.facts(period);
    facts.push(Fact::new("Jumlah kontak", Cell::count(contacts.len())));
    facts.push(Fact::new("Sudah sampai di BPJS Kesehatan", Cell::count(done)));
    let mut parts = if contacts.is_empty() {
        vec![Part::text("Tidak ada entri bertanda telekonsultasi dalam periode ini.")]
    } else {
        vec![Part::Table(table(frame, &contacts))]
    };
    parts.extend(notes(journal, &contacts).into_iter().map(Part::Paragraph));
    Paper {
        kind: "telekonsultasi",
        title: "Buku Catatan Telekonsultasi".to_owned(),
        subtitle: vec!["Lampiran I, II.5".to_owned(), period.words()],
        facts,
        sections: vec![Section::new("", parts)],
        signatures: frame.head_signs(),
        footer: frame.footer(),
        made: frame.now,
        wide: true,
    }
}

fn marked(entry: &Entry<'_>) -> bool {
    match entry.row.delivery.mark {
        Some(Mark::Telekonsultasi) => true,
        None => false,
    }
}

fn contacts<'a>(journal: &Journal<'a>) -> Vec<Contact<'a>> {
    let mut with_visit: BTreeSet<DeliveryId> = BTreeSet::new();
    let mut contacts = Vec::new();
    for visit in journal.visits() {
        with_visit.extend(visit.registration.as_ref().map(|entry| entry.row.delivery.id));
        if marked(&visit.entry) || visit.registration.as_ref().is_some_and(marked) {
            contacts.push(Contact { registration: visit.registration, visit: Some(visit.entry) });
        }
    }
    let alone = |entry: &Entry<'a>| marked(entry) && !with_visit.contains(&entry.row.delivery.id);
    let alone = journal.entries("pcare.pendaftaran").into_iter().filter(alone);
    contacts.extend(alone.map(|entry| Contact { registration: Some(entry), visit: None }));
    let key = |contact: &Contact<'_>| {
        let first = contact.registration.as_ref().or(contact.visit.as_ref());
        first.map(|entry| (entry.day(), entry.row.delivery.occurred_at, entry.row.delivery.seq))
    };
    contacts.sort_by_key(key);
    contacts
}

fn table(frame: &Frame, contacts: &[Contact<'_>]) -> Table {
    let row = |(at, contact): (usize, &Contact<'_>)| {
        let occurred = contact.entries().find_map(|entry| entry.row.delivery.occurred_at);
        let local = occurred.map(|at| at.to_zoned(frame.zone.clone()));
        let hour = local.map(|local| Cell::Text(format!("{:02}.{:02}", local.hour(), local.minute())));
        let codes = ["kdDiag1", "kdDiag2", "kdDiag3"].iter().filter_map(|name| contact.text(name));
        let state = if contact.delivered() { "sudah" } else { state(contact) };
        vec![
            Cell::count(at + 1),
            Cell::maybe(contact.entries().find_map(Entry::day), Cell::Day),
            hour.unwrap_or(Cell::Blank),
            Cell::maybe(contact.text("noKartu"), Cell::Text),
            contact.name().map_or(Cell::Blank, Cell::Text),
            contact.text("kdDokter").map_or(Cell::Blank, Cell::Text),
            Cell::maybe(contact.text("keluhan"), Cell::Text),
            Cell::Text(codes.collect::<Vec<_>>().join(", ")),
            Cell::text(state),
            Cell::Blank,
        ]
    };
    Table {
        name: "Telekonsultasi",
        columns: vec![
            Column::figures("No", 1),
            Column::words("Tanggal", 3),
            Column::words("Jam", 2),
            Column::words("No. kartu peserta", 4),
            Column::words("Nama peserta", 6),
            Column::words("Dokter (kode)", 3),
            Column::words("Keluhan", 7),
            Column::words("Diagnosa", 3),
            Column::words("Dientri di P-Care", 3),
            Column::words("Dua arah (paraf)", 3),
        ],
        rows: contacts.iter().enumerate().map(row).collect(),
        totals: Vec::new(),
    }
}

fn state(contact: &Contact<'_>) -> &'static str {
    let open = contact.entries().find(|entry| !entry.delivered()).map(|entry| entry.row.delivery.progress.state);
    match open {
        Some(State::Waiting) => "menunggu",
        Some(State::Sending) => "dikirim",
        Some(State::Unanswered) => "diperiksa",
        Some(State::Refused) => "ditolak",
        Some(State::Held) => "ditahan",
        Some(State::Expired) => "kedaluwarsa",
        Some(State::Cancelled | State::Delivered) | None => "",
    }
}

fn notes(journal: &Journal<'_>, contacts: &[Contact<'_>]) -> Vec<String> {
    let mut notes = vec![
        "Setiap kontak dientri di P-Care dan dicatat dalam buku ini. Hanya kontak dua arah yang dihitung; siaran (broadcast) \
         tidak. Kolom paraf diisi oleh yang melayani."
            .to_owned(),
    ];
    if contacts.iter().any(|contact| contact.name().is_none()) {
        notes.push("Nama kosong: SIM tidak menyertakan patient.nama.".to_owned());
    }
    if contacts.iter().any(|contact| contact.entries().all(|entry| entry.row.delivery.occurred_at.is_none())) {
        notes.push("Jam kosong: SIM tidak menyertakan occurred_at.".to_owned());
    }
    let alone = contacts.iter().filter(|contact| contact.visit.is_none()).count();
    if alone > 0 {
        notes
            .push(format!("{alone} kontak baru mempunyai pendaftaran: dokter dan diagnosanya belum ada dalam jurnal."));
    }
    let retired = contacts.iter().filter(|contact| contact.retired()).count();
    if retired > 0 {
        notes.push(format!("{retired} kontak tanpa isi: isinya sudah dihapus menurut aturan retensi."));
    }
    let main = ["pcare.pendaftaran.", "pcare.kunjungan."];
    let others = journal.rows().iter().filter(|row| {
        let delivery = &row.delivery;
        let stands = delivery.progress.state != State::Cancelled;
        delivery.mark.is_some() && stands && !main.iter().any(|stem| delivery.operation.starts_with(stem))
    });
    let others = others.count();
    if others > 0 {
        notes.push(format!(
            "{others} entri lain yang bertanda (obat, tindakan, dan lainnya) tidak mendapat baris sendiri."
        ));
    }
    notes
}
