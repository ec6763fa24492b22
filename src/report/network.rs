//! The monthly report of the network (jejaring): what each client handed in, what the puskesmas approved or refused, what
//! arrived (Pasal 5 ayat 4–6; Lampiran II, II.1.d–g).
//!
//! Invariants: handed in = approved + waiting + refused; approved = delivered + not yet; no patient stands in it. What it
//! does not do: approve (`queue release`).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::claims::Network;
use super::frame::{Frame, Period};
use super::paper::{Cell, Column, Fact, Paper, Part, Section, Table};
use crate::queue::{Delivery, State};
use crate::store::JournalRow;

/// Why an entry waits for the puskesmas.
const APPROVAL: &str = "approval";

/// Entries by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Handed in.
    pub entries: i64,
    /// Wait for the puskesmas.
    pub waiting: i64,
    /// Withdrawn: the puskesmas did not approve them, or took them back before they were sent.
    pub refused: i64,
    /// At BPJS.
    pub delivered: i64,
    /// Past their late date, whether they arrived or not.
    pub late: i64,
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, delivery: &Delivery, now: Timestamp) {
        self.entries += 1;
        self.late += i64::from(delivery.is_late(now));
        match delivery.progress.state {
            State::Delivered => self.delivered += 1,
            State::Cancelled => self.refused += 1,
            State::Held if waits(delivery) => self.waiting += 1,
            State::Held | State::Waiting | State::Sending | State::Unanswered | State::Refused | State::Expired => {}
        }
    }

    /// Released by the puskesmas.
    #[must_use]
    pub const fn approved(self) -> i64 {
        self.entries - self.waiting - self.refused
    }

    /// Approved and not at BPJS yet.
    #[must_use]
    pub const fn unfinished(self) -> i64 {
        self.approved() - self.delivered
    }

    fn plus(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            waiting: self.waiting + other.waiting,
            refused: self.refused + other.refused,
            delivered: self.delivered + other.delivered,
            late: self.late + other.late,
        }
    }

    fn cells(self) -> Vec<Cell> {
        let counts =
            [self.entries, self.approved(), self.waiting, self.refused, self.delivered, self.unfinished(), self.late];
        counts.into_iter().map(Cell::Whole).collect()
    }
}

fn waits(delivery: &Delivery) -> bool {
    delivery.progress.state == State::Held && delivery.progress.why.as_ref().is_some_and(|why| why.code == APPROVAL)
}

/// Tallies by client and operation.
#[must_use]
pub fn tallies(rows: &[JournalRow], network: &Network, now: Timestamp) -> BTreeMap<(String, String), Tally> {
    let mut tallies: BTreeMap<(String, String), Tally> = BTreeMap::new();
    for row in rows.iter().filter(|row| network.contains_key(&row.client)) {
        let key = (row.client.clone(), row.delivery.operation.clone());
        tallies.entry(key).or_default().add(&row.delivery, now);
    }
    tallies
}

/// The report of a period; `title` names an operation.
#[must_use]
pub fn monthly(
    frame: &Frame,
    period: Period,
    rows: &[JournalRow],
    network: &Network,
    title: impl Fn(&str) -> String,
) -> Paper {
    let tallies = tallies(rows, network, frame.now);
    let mut clients: BTreeMap<&str, Tally> = BTreeMap::new();
    for ((client, _), tally) in &tallies {
        let sum = clients.entry(client).or_default();
        *sum = sum.plus(*tally);
    }
    let all = clients.values().fold(Tally::default(), |sum, tally| sum.plus(*tally));
    let kind = |client: &str| Cell::text(network.get(client).cloned().flatten().unwrap_or_default());
    let lead = |cells: Vec<Cell>, tally: Tally| cells.into_iter().chain(tally.cells()).collect::<Vec<_>>();
    let by_client = clients.iter().map(|(client, tally)| lead(vec![Cell::text(*client), kind(client)], *tally));
    let by_operation = tallies.iter().map(|((client, operation), tally)| {
        lead(vec![Cell::text(client.clone()), Cell::Text(title(operation))], *tally)
    });
    let total = vec![lead(vec![Cell::text("Jumlah"), Cell::Empty], all)];
    let table = |name, second, rows: Vec<Vec<Cell>>| {
        let totals = total.clone();
        Part::Table(Table { name, columns: columns(second), rows, totals })
    };
    let mut facts = frame.facts(period);
    facts.push(Fact::new("Keadaan pada", Cell::Text(frame.instant(frame.now))));
    facts.push(Fact::new("Klien jejaring yang menyerahkan entri", Cell::count(clients.len())));
    Paper {
        kind: "network",
        title: "Laporan Bulanan Jejaring".to_owned(),
        subtitle: vec![period.words()],
        facts,
        sections: vec![
            Section::new("1. Per klien", vec![table("Per klien", "Jenis", by_client.collect())]),
            Section::new("2. Per klien dan jenis entri", vec![table("Per entri", "Entri", by_operation.collect())]),
            Section::new("3. Menunggu persetujuan puskesmas", waiting(frame, rows, network, &title)),
            Section::new("Keterangan", vec![Part::text(METHOD)]),
        ],
        signatures: frame.head_signs(),
        footer: frame.footer(),
        made: frame.now,
        wide: true,
    }
}

const METHOD: &str = "Dihitung pada hari pelayanan, menurut klien yang menyerahkan. Diserahkan = disetujui + menunggu persetujuan + \
    dibatalkan puskesmas. Disetujui = sampai di BPJS Kesehatan + belum sampai. Terlambat: melewati batas menurut perjanjian, \
    sampai atau belum. Entri jejaring dikirim hanya sesudah puskesmas menyetujui, dan puskesmas memeriksa berkasnya (Pasal 5 \
    ayat 4–6; Lampiran II, II.1.d–g). Menyetujui: jembatan queue release --why approval.";

fn columns(second: &str) -> Vec<Column> {
    let mut columns = vec![Column::words("Klien", 5), Column::words(second, 6)];
    let counts = [
        "Diserahkan",
        "Disetujui",
        "Menunggu persetujuan",
        "Dibatalkan puskesmas",
        "Sampai di BPJS",
        "Belum sampai",
        "Terlambat",
    ];
    columns.extend(counts.iter().map(|title| Column::figures(title, 3)));
    columns
}

fn waiting(frame: &Frame, rows: &[JournalRow], network: &Network, title: &impl Fn(&str) -> String) -> Vec<Part> {
    let waiting = rows.iter().filter(|row| network.contains_key(&row.client) && waits(&row.delivery));
    let line = |(at, row): (usize, &JournalRow)| {
        vec![
            Cell::count(at + 1),
            Cell::maybe(row.delivery.service_date, Cell::Day),
            Cell::text(row.client.clone()),
            Cell::Text(title(&row.delivery.operation)),
            Cell::text(format!("{}/{}", row.reference, row.delivery.entry_ref)),
            Cell::Text(frame.instant(row.delivery.accepted_at)),
            Cell::maybe(row.delivery.deadline.last.map(|at| frame.date(at)), Cell::Day),
        ]
    };
    let rows: Vec<Vec<Cell>> = waiting.enumerate().map(line).collect();
    if rows.is_empty() {
        return vec![Part::text("Tidak ada.")];
    }
    let columns = vec![
        Column::figures("No", 1),
        Column::words("Tanggal", 3),
        Column::words("Klien", 4),
        Column::words("Entri", 5),
        Column::words("Kiriman", 6),
        Column::words("Diserahkan", 6),
        Column::words("Kedaluwarsa", 3),
    ];
    vec![Part::Table(Table { name: "Menunggu", columns, rows, totals: Vec::new() })]
}
