//! Lampiran IV (Laporan Pelayanan RJTP) and Lampiran V (RITP, with LOS).

use super::frame::{Frame, Period};
use super::journal::{Journal, Visit};
use super::paper::{Cell, Column, Fact, Paper, Part, Section, Table};

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Outpatient: `kdTkp` 10.
    Rjtp,
    /// Inpatient: `kdTkp` 20.
    Ritp,
}

impl Care {
    const fn code(self) -> &'static str {
        match self {
            Self::Rjtp => "10",
            Self::Ritp => "20",
        }
    }
}

/// The form of a period.
#[must_use]
pub fn form(frame: &Frame, period: Period, care: Care, journal: &Journal<'_>) -> Paper {
    let all: Vec<Visit<'_>> =
        journal.visits().into_iter().filter(|visit| visit.day().is_none_or(|day| period.has(day))).collect();
    let mine: Vec<&Visit<'_>> = all.iter().filter(|visit| visit.care().as_deref() == Some(care.code())).collect();
    // Without its content a visit cannot be told from the other form's.
    let retired = all.iter().filter(|visit| visit.entry.retired() || registration_retired(visit)).count();
    let unknown = all
        .iter()
        .filter(|visit| visit.care().is_none() && !visit.entry.retired() && !registration_retired(visit))
        .count();
    let (kind, title, annex) = match care {
        Care::Rjtp => ("rjtp", "Laporan Pelayanan RJTP", "Lampiran IV"),
        Care::Ritp => ("ritp", "Laporan Pelayanan RITP", "Lampiran V"),
    };
    let mut facts = frame.facts(period);
    facts.insert(2, Fact::new("Alamat", Cell::Blank));
    let mut parts = vec![Part::Table(table(care, &mine)), Part::Facts(totals(&mine))];
    parts.extend(notes(period, care, &mine, (unknown, retired)).into_iter().map(Part::Paragraph));
    let month = format!("BULAN {}", period.words().to_uppercase().replace(' ', " TAHUN "));
    let whole = period.from.first_of_month() == period.from && period.to == period.from.last_of_month();
    Paper {
        kind,
        title: title.to_owned(),
        subtitle: vec![annex.to_owned(), if whole { month } else { period.words() }],
        facts,
        sections: vec![Section::new("", parts)],
        signatures: frame.head_signs(),
        footer: frame.footer(),
        made: frame.now,
        wide: true,
    }
}

fn table(care: Care, visits: &[&Visit<'_>]) -> Table {
    let mut columns = vec![
        Column::figures("NO", 2),
        Column::words("TANGGAL", 4),
        Column::words("NO KARTU PESERTA", 6),
        Column::words("NAMA PESERTA", 9),
        Column::words("DIAGNOSA", 6),
        Column::words("DI RUJUK", 3),
        Column::words("TANDA TANGAN PESERTA", 7),
    ];
    if care == Care::Ritp {
        columns.insert(5, Column::figures("LOS", 2));
    }
    let row = |(at, visit): (usize, &&Visit<'_>)| {
        let codes = ["kdDiag1", "kdDiag2", "kdDiag3"].iter().filter_map(|name| visit.entry.text(name));
        let mut cells = vec![
            Cell::count(at + 1),
            Cell::maybe(visit.day(), Cell::Day),
            Cell::maybe(visit.entry.text("noKartu"), Cell::Text),
            Cell::maybe(visit.name(), Cell::Text),
            Cell::Text(codes.collect::<Vec<_>>().join(", ")),
            if visit.referred() { Cell::text("Ya") } else { Cell::Empty },
            Cell::Blank,
        ];
        if care == Care::Ritp {
            cells.insert(5, Cell::maybe(visit.stay(), Cell::Whole));
        }
        cells
    };
    Table { name: "Pelayanan", columns, rows: visits.iter().enumerate().map(row).collect(), totals: Vec::new() }
}

fn totals(visits: &[&Visit<'_>]) -> Vec<Fact> {
    let count = |keep: &dyn Fn(&Visit<'_>) -> bool| Cell::count(visits.iter().filter(|visit| keep(visit)).count());
    vec![
        Fact::new("Total Peserta yang berkunjung", Cell::count(visits.len())),
        Fact::new("Total Peserta yang dirujuk", count(&|visit| visit.referred())),
        Fact::new("Sudah sampai di BPJS Kesehatan", count(&|visit| visit.entry.delivered())),
    ]
}

fn registration_retired(visit: &Visit<'_>) -> bool {
    visit.registration.as_ref().is_some_and(super::journal::Entry::retired)
}

/// What the form leaves out or cannot tell, each with its count.
fn notes(period: Period, care: Care, visits: &[&Visit<'_>], (unknown, retired): (usize, usize)) -> Vec<String> {
    let mut notes = Vec::new();
    if unknown > 0 {
        notes.push(format!(
            "{unknown} kunjungan dalam periode ini tidak dicantumkan: pendaftarannya tidak ada dalam jurnal, sehingga \
             jenis pelayanannya (kdTkp) tidak diketahui."
        ));
    }
    if retired > 0 {
        notes.push(format!(
            "{retired} kunjungan tanpa isi tidak dicantumkan: isinya sudah dihapus menurut aturan retensi, sehingga jenis \
             pelayanannya tidak diketahui."
        ));
    }
    let open = visits.iter().filter(|visit| !visit.entry.delivered()).count();
    if open > 0 {
        notes.push(format!("{open} kunjungan di atas belum sampai di BPJS Kesehatan."));
    }
    if care == Care::Ritp {
        notes.extend(stays(period, visits));
    }
    if visits.iter().any(|visit| visit.name().is_none()) {
        notes.push("Nama kosong: SIM tidak menyertakan patient.nama.".to_owned());
    }
    notes
}

/// Stays that cross the end of the period, and those whose length cannot be told.
fn stays(period: Period, visits: &[&Visit<'_>]) -> Vec<String> {
    let mut notes = vec![
        "Dicantumkan pada bulan masuk; LOS = tanggal pulang dikurangi tanggal masuk, paling sedikit 1 hari.".to_owned(),
    ];
    let count = |keep: &dyn Fn(&Visit<'_>) -> bool| visits.iter().filter(|visit| keep(visit)).count();
    let beyond = count(&|visit| visit.left().is_some_and(|out| out > period.to));
    if beyond > 0 {
        notes.push(format!(
            "{beyond} pasien pulang sesudah akhir periode: LOS-nya dihitung utuh di sini dan tidak diulang bulan berikutnya."
        ));
    }
    let inside = count(&|visit| visit.left().is_none());
    if inside > 0 {
        notes.push(format!("{inside} pasien tanpa tanggal pulang: LOS kosong."));
    }
    let backwards = count(&|visit| visit.left().is_some() && visit.stay().is_none());
    if backwards > 0 {
        notes.push(format!("{backwards} kunjungan dengan tanggal pulang sebelum tanggal masuk: LOS kosong; periksa."));
    }
    notes
}
