//! A document before it has a form: what every renderer is given, and all that it is given.
//!
//! Job: titles, facts, paragraphs, tables of typed cells, charts and signatures. Invariant: a figure stands in a cell
//! with its type, so that all forms show the same one. What it does not do: query, reckon, lay out.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Serialize, Serializer};

/// A document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paper {
    /// Which document, e.g. `reconciliation`; also the stem of its file name.
    pub kind: &'static str,
    /// Its title.
    pub title: String,
    /// Lines below the title.
    pub subtitle: Vec<String>,
    /// Facility, period and the like.
    pub facts: Vec<Fact>,
    /// Its body.
    pub sections: Vec<Section>,
    /// Who signs, left to right; empty: nobody.
    pub signatures: Vec<Signature>,
    /// Small print: who made it when, and the journal's checkpoint.
    pub footer: Vec<String>,
    /// When it was made.
    pub made: Timestamp,
    /// Whether its tables want the page on its side.
    pub wide: bool,
}

/// A name and its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// What.
    pub name: String,
    /// How much, or which.
    pub value: Cell,
}

/// A part of the body with its heading.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Empty: none.
    pub heading: String,
    /// In reading order.
    pub parts: Vec<Part>,
}

/// What a section is made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Running text.
    Paragraph(String),
    /// Names and values.
    Facts(Vec<Fact>),
    /// A table.
    Table(Table),
    /// A picture of figures that also stand in a table.
    Chart(Chart),
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Short name: of its worksheet.
    pub name: &'static str,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each as long as the columns.
    pub rows: Vec<Vec<Cell>>,
    /// Rows below a line.
    pub totals: Vec<Vec<Cell>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Its heading.
    pub title: String,
    /// Its share of the width.
    pub weight: u16,
    /// Whether figures stand in it.
    pub figures: bool,
}

/// A typed value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Room for a pen.
    Blank,
    /// Words, never a formula.
    Text(String),
    /// A count.
    Whole(i64),
    /// Rupiah.
    Money(i64),
    /// A day.
    Day(Date),
    /// A number in thousandths.
    Milli(i64),
    /// A percentage in thousandths of a percent.
    Percent(i64),
}

/// Bars, each of one or more pieces on top of each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chart {
    /// Its title.
    pub title: String,
    /// What each piece is.
    pub legend: Vec<String>,
    /// Left to right.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// Below it.
    pub label: String,
    /// Its pieces from the bottom, in the order of the legend; negative ones count as zero.
    pub pieces: Vec<i64>,
}

/// A place to sign.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Signature {
    /// PIHAK KESATU and the like.
    pub role: String,
    /// For whom.
    pub party: String,
    /// What to write below the line.
    pub under: String,
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty | Self::Blank => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Whole(number) | Self::Money(number) => serializer.serialize_i64(*number),
            Self::Day(day) => serializer.collect_str(day),
            Self::Milli(milli) | Self::Percent(milli) => serializer.serialize_f64(thousandths(*milli)),
        }
    }
}

/// Thousandths as a floating number: exact enough to be read back.
#[must_use]
pub fn thousandths(milli: i64) -> f64 {
    // 15 digits are more than any figure here has.
    milli.to_string().parse::<f64>().unwrap_or(0.0) / 1000.0
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A count.
    #[must_use]
    pub fn count(count: usize) -> Self {
        Self::Whole(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// A value that may be missing.
    #[must_use]
    pub fn maybe<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Empty, cell)
    }

    /// As people read it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Empty | Self::Blank => String::new(),
            Self::Text(text) => text.clone(),
            Self::Whole(number) => grouped(*number),
            Self::Money(rupiah) => format!("Rp{}", grouped(*rupiah)),
            Self::Day(day) => format!("{:02}-{:02}-{}", day.day(), day.month(), day.year()),
            Self::Milli(milli) => decimal(*milli),
            Self::Percent(milli) => format!("{}%", decimal(*milli)),
        }
    }

    /// Whether it is set to the right.
    #[must_use]
    pub const fn is_figure(&self) -> bool {
        match self {
            Self::Whole(_) | Self::Money(_) | Self::Milli(_) | Self::Percent(_) => true,
            Self::Empty | Self::Blank | Self::Text(_) | Self::Day(_) => false,
        }
    }
}

/// `1234567` as `1.234.567`.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('.');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

/// Thousandths with a decimal comma, without needless zeros.
fn decimal(milli: i64) -> String {
    let (whole, rest) = (milli.unsigned_abs() / 1000, milli.unsigned_abs() % 1000);
    let sign = if milli < 0 { "-" } else { "" };
    let whole = grouped(i64::try_from(whole).unwrap_or(i64::MAX));
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole},{}", format!("{rest:03}").trim_end_matches('0'))
}

impl Fact {
    /// A name and its value.
    pub fn new(name: impl Into<String>, value: Cell) -> Self {
        Self { name: name.into(), value }
    }
}

impl Column {
    /// A column of words.
    #[must_use]
    pub fn words(title: &str, weight: u16) -> Self {
        Self { title: title.to_owned(), weight, figures: false }
    }

    /// A column of figures.
    #[must_use]
    pub fn figures(title: &str, weight: u16) -> Self {
        Self { title: title.to_owned(), weight, figures: true }
    }
}

impl Table {
    /// How wide each column is, in percent, rounded down.
    #[must_use]
    pub fn shares(&self) -> Vec<u32> {
        let all: u32 = self.columns.iter().map(|column| u32::from(column.weight)).sum();
        self.columns.iter().map(|column| u32::from(column.weight) * 100 / all.max(1)).collect()
    }
}

impl Section {
    /// A section with its parts.
    pub fn new(heading: impl Into<String>, parts: Vec<Part>) -> Self {
        Self { heading: heading.into(), parts }
    }
}

impl Part {
    /// Running text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Paragraph(text.into())
    }
}

impl Paper {
    /// Every table in reading order.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.sections.iter().flat_map(|section| &section.parts).filter_map(|part| match part {
            Part::Table(table) => Some(table),
            Part::Paragraph(_) | Part::Facts(_) | Part::Chart(_) => None,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A paper with one of everything.
    pub(in crate::report) fn sample(rows: i64) -> Paper {
        let row = |n: i64| {
            vec![
                Cell::Whole(n),
                Cell::Day(Date::constant(2026, 11, 20)),
                Cell::text(format!("=HYPERLINK(\"x\") <b>Peserta</b> {n} dengan nama yang panjang sekali")),
                Cell::Money(n * 1000),
                Cell::Percent(2_500),
            ]
        };
        let table = Table {
            name: "Rincian",
            columns: vec![
                Column::figures("No", 1),
                Column::words("Tanggal", 2),
                Column::words("Nama", 5),
                Column::figures("Biaya", 3),
                Column::figures("Bagian", 2),
            ],
            rows: (1..=rows).map(row).collect(),
            totals: vec![vec![
                Cell::Empty,
                Cell::Empty,
                Cell::text("Jumlah"),
                Cell::Money((1..=rows).sum::<i64>() * 1000),
                Cell::Empty,
            ]],
        };
        let chart = Chart {
            title: "Ketepatan waktu".into(),
            legend: vec!["tepat".into(), "<terlambat>".into()],
            bars: vec![Bar { label: "1".into(), pieces: vec![3, 1] }, Bar { label: "2".into(), pieces: vec![5, 0] }],
        };
        Paper {
            kind: "sample",
            title: "Contoh <dokumen>".into(),
            subtitle: vec!["November 2026".into()],
            facts: vec![Fact::new("Faskes", Cell::text("PKM Contoh")), Fact::new("PIC", Cell::Blank)],
            sections: vec![
                Section::new("1. Uraian", vec![Part::text("Teks & angka."), Part::Chart(chart)]),
                Section::new(
                    "2. Rincian",
                    vec![Part::Facts(vec![Fact::new("Jumlah baris", Cell::Whole(rows))]), Part::Table(table)],
                ),
            ],
            signatures: vec![
                Signature { role: "PIHAK KESATU".into(), party: "BPJS Kesehatan".into(), under: "Nama / NPP".into() },
                Signature { role: "PIHAK KEDUA".into(), party: "PKM Contoh".into(), under: "Nama / NIP".into() },
            ],
            footer: vec!["Cap jurnal 12:abab".into()],
            made: Timestamp::UNIX_EPOCH,
            wide: false,
        }
    }

    #[test]
    fn figures_are_shown_as_indonesians_write_them() {
        assert_eq!(Cell::Whole(-1_234_567).shown(), "-1.234.567");
        assert_eq!(Cell::Money(190_000).shown(), "Rp190.000");
        assert_eq!(Cell::Percent(2_500).shown(), "2,5%");
        assert_eq!(Cell::Milli(148_148).shown(), "148,148");
        assert_eq!(Cell::Milli(-1_000).shown(), "-1");
        assert_eq!(Cell::Day(Date::constant(2026, 2, 3)).shown(), "03-02-2026");
    }

    #[test]
    fn the_widths_of_columns_are_their_shares_and_never_more_than_the_page() {
        let paper = sample(1);
        let table = paper.tables().next().unwrap();
        assert_eq!(table.shares(), [7, 15, 38, 23, 15]);
    }

    #[test]
    fn cells_are_typed_in_json_too() {
        let cells = [Cell::Blank, Cell::text("a"), Cell::Money(5), Cell::Milli(1_500)];
        assert_eq!(serde_json::to_string(&cells).unwrap(), r#"[null,"a",5,1.5]"#);
    }
}
