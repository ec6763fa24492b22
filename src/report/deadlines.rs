//! Timeliness: how many entries of each day reached BPJS in time (Pasal 4 ayat 4 huruf n).

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::frame::{Frame, Period};
use super::journal::Journal;
use super::paper::{Bar, Cell, Chart, Column, Fact, Paper, Part, Section, Table};
use super::reckon::Ratio;
use crate::queue::{Delivery, State};

/// How many, by what became of them. Every entry that was not withdrawn is in exactly one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    in_time: i64,
    past_target: i64,
    late: i64,
    open: i64,
    open_late: i64,
    undated: i64,
}

impl Tally {
    fn add(&mut self, delivery: &Delivery, now: Timestamp) {
        let (done, limits) = (delivery.progress.state == State::Delivered, &delivery.deadline);
        let past = |at: Option<Timestamp>| at.is_some_and(|at| delivery.progress.updated_at > at);
        let slot = match (done, delivery.is_late(now)) {
            (true, true) => &mut self.late,
            (true, false) if limits.target.is_none() && limits.late.is_none() => &mut self.undated,
            (true, false) if past(limits.target) => &mut self.past_target,
            (true, false) => &mut self.in_time,
            (false, true) => &mut self.open_late,
            (false, false) => &mut self.open,
        };
        *slot += 1;
    }

    const fn all(self) -> i64 {
        self.in_time + self.past_target + self.late + self.open + self.open_late + self.undated
    }

    fn plus(self, other: Self) -> Self {
        Self {
            in_time: self.in_time + other.in_time,
            past_target: self.past_target + other.past_target,
            late: self.late + other.late,
            open: self.open + other.open,
            open_late: self.open_late + other.open_late,
            undated: self.undated + other.undated,
        }
    }

    fn cells(self) -> Vec<Cell> {
        let share = Ratio::of(self.in_time, self.all() - self.undated, 100);
        let counts = [self.all(), self.in_time, self.past_target, self.late, self.open, self.open_late, self.undated];
        let mut cells: Vec<Cell> = counts.into_iter().map(Cell::Whole).collect();
        cells.push(Cell::maybe(share, |share| Cell::Percent(share.milli())));
        cells
    }
}

/// The document of a period.
#[must_use]
pub fn timeliness(frame: &Frame, period: Period, journal: &Journal<'_>) -> Paper {
    let mut days: BTreeMap<Date, Tally> = period.days().map(|day| (day, Tally::default())).collect();
    let rows = journal.rows().iter().filter(|row| row.delivery.progress.state != State::Cancelled);
    for row in rows {
        if let Some(tally) = row.delivery.service_date.and_then(|day| days.get_mut(&day)) {
            tally.add(&row.delivery, frame.now);
        }
    }
    let all = days.values().fold(Tally::default(), |sum, day| sum.plus(*day));
    let mut facts = frame.facts(period);
    facts.push(Fact::new("Keadaan pada", Cell::Text(frame.instant(frame.now))));
    Paper {
        kind: "deadlines",
        title: "Ketepatan Waktu Entri".to_owned(),
        subtitle: vec![period.words()],
        facts,
        sections: vec![
            Section::new("1. Grafik", vec![Part::Chart(chart(&days))]),
            Section::new("2. Per bulan", vec![Part::Table(table("Per bulan", "Bulan", &months(&days), all))]),
            Section::new("3. Per hari", vec![Part::Table(table("Per hari", "Hari pelayanan", &rows_of(&days), all))]),
            Section::new("Cara menghitung", vec![Part::text(METHOD)]),
        ],
        signatures: Vec::new(),
        footer: frame.footer(),
        made: frame.now,
        wide: true,
    }
}

const METHOD: &str = "Setiap entri yang tidak dibatalkan dihitung satu kali pada hari pelayanannya. Tepat: sampai di BPJS \
    Kesehatan tidak melewati sasaran menurut perjanjian. Lewat sasaran: sesudah sasaran tetapi belum terlambat. Terlambat: \
    sesudah batas. Belum sampai: menunggu, diperiksa, ditahan, ditolak atau kedaluwarsa. Tanpa batas: perjanjian tidak \
    memberi batas. Entri yang ditemukan sudah ada di BPJS dihitung pada saat ditemukan. Persentase tepat dihitung terhadap \
    semua entri yang mempunyai batas.";

fn rows_of(days: &BTreeMap<Date, Tally>) -> Vec<(Cell, Tally)> {
    days.iter().filter(|(_, tally)| tally.all() > 0).map(|(day, tally)| (Cell::Day(*day), *tally)).collect()
}

fn months(days: &BTreeMap<Date, Tally>) -> Vec<(Cell, Tally)> {
    let mut months: BTreeMap<Date, Tally> = BTreeMap::new();
    for (day, tally) in days {
        let month = months.entry(day.first_of_month()).or_default();
        *month = month.plus(*tally);
    }
    let name = |day: Date| Cell::Text(Period { from: day, to: day.last_of_month() }.words());
    months.into_iter().map(|(day, tally)| (name(day), tally)).collect()
}

fn table(name: &'static str, first: &str, rows: &[(Cell, Tally)], all: Tally) -> Table {
    let mut columns = vec![Column::words(first, 4)];
    let titles = [
        "Entri",
        "Tepat",
        "Lewat sasaran",
        "Terlambat",
        "Belum sampai, belum terlambat",
        "Belum sampai, terlambat",
        "Tanpa batas",
        "Tepat",
    ];
    columns.extend(titles.iter().map(|title| Column::figures(title, 3)));
    let line = |first: Cell, tally: Tally| std::iter::once(first).chain(tally.cells()).collect();
    Table {
        name,
        columns,
        rows: rows.iter().map(|(first, tally)| line(first.clone(), *tally)).collect(),
        totals: vec![line(Cell::text("Jumlah"), all)],
    }
}

fn chart(days: &BTreeMap<Date, Tally>) -> Chart {
    let bar = |(day, tally): (&Date, &Tally)| Bar {
        label: day.day().to_string(),
        pieces: vec![tally.in_time, tally.past_target, tally.late + tally.open_late, tally.open + tally.undated],
    };
    Chart {
        title: "Entri per hari pelayanan".to_owned(),
        legend: ["tepat", "lewat sasaran", "terlambat", "belum sampai atau tanpa batas"].map(str::to_owned).to_vec(),
        bars: days.iter().map(bar).collect(),
    }
}
