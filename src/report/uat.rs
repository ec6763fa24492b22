//! The minutes of an acceptance test (Lampiran X angka 3 huruf b butir 1, angka 4 huruf b butir 2): what was tried against
//! which system, how each case went, when, and what shows it.

use jiff::Timestamp;

use super::frame::{Frame, Period};
use super::paper::{Cell, Column, Fact, Paper, Part, Section, Table};
use crate::words::words;

words! {
    /// How a case went.
    Verdict {
        /// As expected.
        Passed = "passed",
        /// Otherwise.
        Failed = "failed",
        /// Not tried here; the row says why.
        NotRun = "not_run",
    }
}

impl Verdict {
    /// For people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Passed => "lulus",
            Self::Failed => "GAGAL",
            Self::NotRun => "belum diuji",
        }
    }
}

/// One case and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number in the checklist.
    pub id: String,
    /// Clause or wire fact it stands on.
    pub source: String,
    /// What is tried.
    pub title: String,
    /// What should happen.
    pub expected: String,
    /// Whether acceptance depends on it.
    pub mandatory: bool,
    /// How it went.
    pub verdict: Verdict,
    /// When it was over.
    pub at: Option<Timestamp>,
    /// What was seen, without personal data.
    pub seen: String,
    /// Ids under which it can be looked up.
    pub evidence: Vec<String>,
}

/// A whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it was run against.
    pub target: String,
    /// This program with its version.
    pub program: String,
    /// Beginning and end.
    pub span: (Timestamp, Timestamp),
    /// In the order of the checklist.
    pub rows: Vec<Row>,
}

impl Run {
    /// Whether every mandatory case passed.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.rows.iter().all(|row| !row.mandatory || row.verdict == Verdict::Passed)
    }

    fn count(&self, verdict: Verdict, mandatory: bool) -> Cell {
        Cell::count(self.rows.iter().filter(|row| row.verdict == verdict && row.mandatory == mandatory).count())
    }
}

/// The document of a run.
#[must_use]
pub fn minutes(frame: &Frame, run: &Run) -> Paper {
    let period = Period { from: frame.date(run.span.0), to: frame.date(run.span.1) };
    let verdict = if run.is_accepted() {
        "Seluruh kasus wajib lulus."
    } else {
        "BELUM DITERIMA: ada kasus wajib yang gagal atau belum diuji; lihat bagian 3."
    };
    let sections = vec![
        Section::new(
            "1. Pelaksanaan",
            vec![Part::Facts(vec![
                Fact::new("Diuji terhadap", Cell::text(run.target.clone())),
                Fact::new("Sistem yang diuji", Cell::text(run.program.clone())),
                Fact::new("Mulai", Cell::Text(frame.instant(run.span.0))),
                Fact::new("Selesai", Cell::Text(frame.instant(run.span.1))),
            ])],
        ),
        Section::new("2. Hasil", vec![Part::text(verdict), Part::Table(totals(run))]),
        Section::new("3. Kasus uji", vec![Part::Table(cases(frame, run))]),
        Section::new("4. Yang diharapkan dari tiap kasus", vec![Part::Table(expectations(run))]),
        Section::new(
            "5. Catatan para pihak",
            vec![Part::Facts(vec![
                Fact::new("Catatan PIHAK KESATU", Cell::Blank),
                Fact::new("Catatan PIHAK KEDUA", Cell::Blank),
            ])],
        ),
    ];
    Paper {
        kind: "uat",
        title: "Berita Acara User Acceptance Test".to_owned(),
        subtitle: vec!["Lampiran X angka 3 huruf b butir 1 dan angka 4 huruf b butir 2".to_owned()],
        facts: frame.facts(period).into_iter().chain(frame.parties()).collect(),
        sections,
        signatures: frame.both(),
        footer: frame.footer(),
        made: frame.now,
        wide: true,
    }
}

fn totals(run: &Run) -> Table {
    let row = |title: &str, mandatory| {
        let of = |verdict| run.count(verdict, mandatory);
        vec![Cell::text(title), of(Verdict::Passed), of(Verdict::Failed), of(Verdict::NotRun)]
    };
    Table {
        name: "Hasil",
        columns: vec![
            Column::words("Kasus", 4),
            Column::figures("Lulus", 2),
            Column::figures("Gagal", 2),
            Column::figures("Belum diuji", 2),
        ],
        rows: vec![row("wajib", true), row("tambahan", false)],
        totals: Vec::new(),
    }
}

fn cases(frame: &Frame, run: &Run) -> Table {
    let rows = run.rows.iter().map(|row| {
        vec![
            Cell::text(row.id.clone()),
            Cell::text(row.title.clone()),
            Cell::text(if row.mandatory { "wajib" } else { "tambahan" }),
            Cell::text(row.verdict.title()),
            Cell::maybe(row.at, |at| Cell::Text(frame.instant(at))),
            Cell::text(row.seen.clone()),
            Cell::Text(row.evidence.join(", ")),
        ]
    });
    Table {
        name: "Kasus",
        columns: vec![
            Column::words("Nomor", 3),
            Column::words("Kasus uji", 7),
            Column::words("Sifat", 3),
            Column::words("Hasil", 3),
            Column::words("Waktu", 5),
            Column::words("Yang terlihat", 7),
            Column::words("Bukti", 9),
        ],
        rows: rows.collect(),
        totals: Vec::new(),
    }
}

fn expectations(run: &Run) -> Table {
    let rows = run
        .rows
        .iter()
        .map(|row| vec![Cell::text(row.id.clone()), Cell::text(row.expected.clone()), Cell::text(row.source.clone())]);
    Table {
        name: "Harapan",
        columns: vec![
            Column::words("Nomor", 2),
            Column::words("Yang diharapkan", 10),
            Column::words("Pasal atau sumber", 6),
        ],
        rows: rows.collect(),
        totals: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::tests::frame;
    use super::*;

    fn row(verdict: Verdict, mandatory: bool) -> Row {
        Row {
            id: "UAT-01".into(),
            source: "Lampiran X, 3.b.1".into(),
            title: "Tanda tangan".into(),
            expected: "diterima".into(),
            mandatory,
            verdict,
            at: None,
            seen: "diterima".into(),
            evidence: vec!["kiriman 1".into()],
        }
    }

    fn run(rows: Vec<Row>) -> Run {
        let span = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        Run { target: "simulator".into(), program: "jembatan".into(), span, rows }
    }

    #[test]
    fn only_mandatory_cases_decide_and_untried_ones_have_not_passed() {
        assert!(run(vec![row(Verdict::Passed, true), row(Verdict::Failed, false)]).is_accepted());
        assert!(!run(vec![row(Verdict::Passed, true), row(Verdict::Failed, true)]).is_accepted());
        assert!(!run(vec![row(Verdict::NotRun, true)]).is_accepted());
    }

    #[test]
    fn the_minutes_count_what_they_list_and_both_sides_sign() {
        let run = run(vec![row(Verdict::Passed, true), row(Verdict::Failed, true), row(Verdict::NotRun, false)]);
        let paper = minutes(&frame(), &run);
        let tables: Vec<&Table> = paper.tables().collect();
        assert_eq!(tables[0].rows[0][1..], [Cell::Whole(1), Cell::Whole(1), Cell::Whole(0)]);
        assert_eq!(tables[0].rows[1][1..], [Cell::Whole(0), Cell::Whole(0), Cell::Whole(1)]);
        assert_eq!((tables[1].rows.len(), tables[1].rows[1][3].clone()), (3, Cell::text("GAGAL")));
        assert_eq!(paper.signatures.len(), 2);
        assert!(
            paper.sections[1]
                .parts
                .iter()
                .any(|part| matches!(part, Part::Paragraph(text) if text.starts_with("BELUM")))
        );
    }
}
