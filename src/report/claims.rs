//! Non-capitation claims of a month: what was entered, how old it is, when it expires and is paid, and the penalty.
//!
//! Invariant: no tariff is guessed; amounts are those entered as `biaya`, grouped by `kdTindakan`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::frame::{Frame, Period};
use super::journal::{Entry, Journal};
use super::paper::{Cell, Column, Fact, Paper, Part, Section, Table};
use super::reckon::{days_late, penalty, working_days_after};
use crate::contract::{Profile, RuleKind, Unit};

/// Days before the last date from which a claim is pointed out.
const NEAR: i64 = 30;

/// What only people know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Day on which the file was complete.
    pub claimed: Option<Date>,
    /// Day of payment.
    pub paid: Option<Date>,
    /// Days that are no working days.
    pub holidays: Vec<Date>,
}

struct Line<'a> {
    entry: Entry<'a>,
    code: String,
    what: &'static str,
    last: Option<Date>,
}

/// The document of a period.
#[must_use]
pub fn claims(frame: &Frame, period: Period, journal: &Journal<'_>, profile: &Profile, asked: &Asked) -> Paper {
    let lines = lines(frame, journal);
    let (done, open): (Vec<&Line<'_>>, Vec<&Line<'_>>) = lines.iter().partition(|line| line.entry.delivered());
    let today = frame.date(frame.now);
    let near = |line: &&&Line<'_>| left(line, today).is_some_and(|left| left <= NEAR);
    let close: Vec<&Line<'_>> = done.iter().chain(&open).filter(near).copied().collect();
    let sum = done.iter().map(|line| line.entry.cost()).sum();
    let mut facts = frame.facts(period);
    facts.push(Fact::new("Jumlah entri klaim yang sampai di BPJS Kesehatan", Cell::count(done.len())));
    facts.push(Fact::new("Jumlah biaya menurut entri", Cell::Money(sum)));
    let title = |text: &str| format!("{text} ({NEAR} hari atau kurang)");
    let sections = vec![
        Section::new("1. Per kode", vec![Part::Table(by_code(&done))]),
        Section::new("2. Pembayaran dan denda", payment(profile, asked, sum, today)),
        Section::new("3. Rincian", vec![Part::Table(details("Rincian", &done, today))]),
        Section::new("4. Belum sampai di BPJS Kesehatan", listed(&open, "Belum sampai", today)),
        Section::new(title("5. Mendekati atau melewati kedaluwarsa"), listed(&close, "Kedaluwarsa", today)),
        Section::new("6. Kunjungan yang perlu diperiksa", missing(journal)),
    ];
    Paper {
        kind: "claims",
        title: "Klaim Nonkapitasi".to_owned(),
        subtitle: vec![period.words()],
        facts,
        sections,
        signatures: frame.claimants(),
        footer: frame.footer(),
        made: frame.now,
        wide: true,
    }
}

fn lines<'a>(frame: &Frame, journal: &Journal<'a>) -> Vec<Line<'a>> {
    let line = |what: &'static str, code: &'static str| {
        move |entry: Entry<'a>| {
            let last = entry.row.delivery.deadline.last.map(|at| frame.date(at));
            Line { code: entry.text(code).unwrap_or_default(), entry, what, last }
        }
    };
    let procedures = journal.entries("pcare.tindakan").into_iter().map(line("Tindakan", "kdTindakan"));
    let groups = journal.entries("pcare.kelompok.kegiatan").into_iter().map(line("Kegiatan Prolanis", "kdKegiatan"));
    procedures.chain(groups).collect()
}

fn left(line: &Line<'_>, today: Date) -> Option<i64> {
    Some(i64::from(line.last?.since(today).ok()?.get_days()))
}

fn by_code(lines: &[&Line<'_>]) -> Table {
    let mut groups: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
    for line in lines {
        let group = groups.entry((line.what, &line.code)).or_default();
        *group = (group.0 + 1, group.1 + line.entry.cost());
    }
    let row = |((what, code), (count, sum)): (&(&str, &str), &(i64, i64))| {
        vec![Cell::text(*what), Cell::text(*code), Cell::Whole(*count), Cell::Money(*sum)]
    };
    let (count, sum) = groups.values().fold((0, 0), |all, group| (all.0 + group.0, all.1 + group.1));
    Table {
        name: "Per kode",
        columns: vec![
            Column::words("Jenis", 5),
            Column::words("Kode", 4),
            Column::figures("Jumlah", 3),
            Column::figures("Biaya", 4),
        ],
        rows: groups.iter().map(row).collect(),
        totals: vec![vec![Cell::text("Jumlah"), Cell::Empty, Cell::Whole(count), Cell::Money(sum)]],
    }
}

fn details(name: &'static str, lines: &[&Line<'_>], today: Date) -> Table {
    let row = |(at, line): (usize, &&Line<'_>)| {
        let entry = &line.entry;
        let day = entry.day().or_else(|| entry.text("tglPelayanan").as_deref().and_then(super::journal::day));
        let age = day.and_then(|day| today.since(day).ok()).map(|span| Cell::Whole(span.get_days().into()));
        vec![
            Cell::count(at + 1),
            Cell::maybe(day, Cell::Day),
            Cell::text(line.what),
            Cell::text(line.code.clone()),
            Cell::maybe(entry.text("noKunjungan").or_else(|| entry.text("eduId")), Cell::Text),
            Cell::Money(entry.cost()),
            age.unwrap_or(Cell::Empty),
            Cell::maybe(line.last, Cell::Day),
            Cell::maybe(left(line, today), Cell::Whole),
        ]
    };
    let sum = lines.iter().map(|line| line.entry.cost()).sum();
    let mut total = vec![Cell::Empty; 9];
    if let Some(first) = total.get_mut(2) {
        *first = Cell::text("Jumlah");
    }
    if let Some(cost) = total.get_mut(5) {
        *cost = Cell::Money(sum);
    }
    Table {
        name,
        columns: vec![
            Column::figures("No", 2),
            Column::words("Tanggal", 4),
            Column::words("Jenis", 5),
            Column::words("Kode", 3),
            Column::words("No. kunjungan / kegiatan", 7),
            Column::figures("Biaya", 4),
            Column::figures("Umur (hari)", 3),
            Column::words("Kedaluwarsa", 4),
            Column::figures("Sisa (hari)", 3),
        ],
        rows: lines.iter().enumerate().map(row).collect(),
        totals: vec![total],
    }
}

fn listed(lines: &[&Line<'_>], name: &'static str, today: Date) -> Vec<Part> {
    if lines.is_empty() { vec![Part::text("Tidak ada.")] } else { vec![Part::Table(details(name, lines, today))] }
}

fn payment(profile: &Profile, asked: &Asked, sum: i64, today: Date) -> Vec<Part> {
    let days = match profile.rule("claim.pay").map(|rule| &rule.kind) {
        Some(RuleKind::Within { count, unit: Unit::WorkingDay, .. }) => *count,
        Some(_) | None => {
            return vec![Part::text("Perjanjian yang dipasang tidak memuat tenggat bayar (aturan claim.pay).")];
        }
    };
    let Some(claimed) = asked.claimed else {
        return vec![Part::text(format!(
            "Tanggal berkas lengkap belum diberikan (--claimed), sehingga tanggal bayar ({days} hari kerja sesudahnya) dan \
             denda tidak dihitung."
        ))];
    };
    let Some(due) = working_days_after(claimed, days, &asked.holidays) else {
        return vec![Part::text("Tanggal berkas lengkap di luar penanggalan.")];
    };
    let until = asked.paid.unwrap_or(today);
    let late = days_late(due, until);
    let mut facts = vec![
        Fact::new("Berkas lengkap", Cell::Day(claimed)),
        Fact::new(format!("Paling lambat dibayar ({days} hari kerja)"), Cell::Day(due)),
        Fact::new("Dibayar", asked.paid.map_or_else(|| Cell::text("belum"), Cell::Day)),
        Fact::new("Hari terlambat (hari kalender)", Cell::Whole(late)),
        Fact::new("Nilai klaim menurut entri", Cell::Money(sum)),
    ];
    let mut parts = Vec::new();
    match &profile.money.penalty {
        Some(rule) => {
            facts.push(Fact::new("Denda", Cell::Money(penalty(late, sum, rule))));
            parts.push(Part::text(format!(
                "Denda = hari terlambat × ({}% × 12) ÷ {} × nilai klaim, dibulatkan ke rupiah terdekat ({}). Tidak ada denda \
                 bila kelambatan disebabkan faskes atau bank. Hari kerja: Senin sampai Jumat{}.",
                rule.percent,
                rule.year_days,
                rule.clause,
                if asked.holidays.is_empty() { "; hari libur tidak diberikan (--holiday)" } else { " tanpa hari libur yang diberikan" }
            )));
        }
        None => parts.push(Part::text("Rumus denda tidak ada dalam perjanjian yang dipasang ([penalty]).")),
    }
    parts.insert(0, Part::Facts(facts));
    parts
}

/// Inpatient visits, and visits with a laboratory record, that have no procedure.
fn missing(journal: &Journal<'_>) -> Vec<Part> {
    let number = |entry: &Entry<'_>| entry.text("noKunjungan");
    let of = |stem: &str| journal.entries(stem).iter().filter_map(number).collect::<BTreeSet<_>>();
    let (procedures, laboratory) = (of("pcare.tindakan"), of("pcare.mcu"));
    let rows: Vec<Vec<Cell>> = journal
        .visits()
        .iter()
        .filter_map(|visit| {
            let id = number(&visit.entry)?;
            let why = match (visit.care().as_deref() == Some("20"), laboratory.contains(&id)) {
                (true, _) => "rawat inap tanpa tindakan",
                (false, true) => "MCU tanpa tindakan",
                (false, false) => return None,
            };
            let cells = vec![
                Cell::maybe(visit.day(), Cell::Day),
                Cell::text(id.clone()),
                Cell::maybe(visit.entry.text("kdDiag1"), Cell::Text),
                Cell::text(why),
            ];
            (!procedures.contains(&id)).then_some(cells)
        })
        .collect();
    if rows.is_empty() {
        return vec![Part::text("Tidak ada kunjungan rawat inap atau ber-MCU yang tanpa tindakan.")];
    }
    let columns = vec![
        Column::words("Tanggal", 3),
        Column::words("No. kunjungan", 5),
        Column::words("Diagnosa", 3),
        Column::words("Sebab", 6),
    ];
    vec![
        Part::text(
            "Kunjungan berikut tidak mempunyai entri tindakan dalam jurnal; periksa apakah ada yang dapat diklaim.",
        ),
        Part::Table(Table { name: "Tanpa tindakan", columns, rows, totals: Vec::new() }),
    ]
}
