//! An estimate of performance-based capitation (KBK).
//!
//! Invariant: what only BPJS knows is asked for; without it a figure is missing, not guessed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::frame::{Frame, Period};
use super::journal::{Entry, Journal, Visit};
use super::paper::{Bar, Cell, Chart, Column, Fact, Paper, Part, Section, Table};
use super::reckon::{Ratio, given, mean, rating, score};
use crate::contract::figures::{Indicator, Kbk};

/// What only BPJS (or a person) knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Registered participants of the facility.
    pub registered: Option<i64>,
    /// Diagnoses that first-level facilities must treat (144 nonspesialistik), ICD-10.
    pub nonspecialist: Vec<String>,
    /// Participants with DM.
    pub dm: Option<i64>,
    /// Of them under control.
    pub dm_controlled: Option<i64>,
    /// Participants with hypertension.
    pub ht: Option<i64>,
    /// Of them under control.
    pub ht_controlled: Option<i64>,
}

/// An indicator as reckoned.
struct Reckoned<'a> {
    name: &'static str,
    unit: &'static str,
    indicator: &'a Indicator,
    how: String,
    value: Option<Ratio>,
}

/// The estimate of a month; without figures in the profile it says so.
#[must_use]
pub fn estimate(frame: &Frame, period: Period, journal: &Journal<'_>, rules: Option<&Kbk>, asked: &Asked) -> Paper {
    let sections = match rules {
        Some(rules) => reckoned(frame, period, journal, rules, asked),
        None => {
            vec![Section::new("", vec![Part::text("Perjanjian yang dipasang tidak memuat angka KBK ([kbk]).")])]
        }
    };
    Paper {
        kind: "kbk",
        title: "Perkiraan Kapitasi Berbasis Kinerja (KBK)".to_owned(),
        subtitle: vec![
            period.words(),
            "Perkiraan dari data yang dijembatani; penetapan oleh BPJS Kesehatan".to_owned(),
        ],
        facts: frame.facts(period),
        sections,
        signatures: Vec::new(),
        footer: frame.footer(),
        made: frame.now,
        wide: false,
    }
}

fn reckoned(frame: &Frame, period: Period, journal: &Journal<'_>, rules: &Kbk, asked: &Asked) -> Vec<Section> {
    let all = [contact(frame, journal, rules, asked), referral(journal, rules, asked), prolanis(rules, asked)];
    let row = |one: &Reckoned<'_>| {
        let rate = one.value.map(|value| rating(one.indicator, value));
        let shown = |value: Ratio| {
            if one.unit == "%" { Cell::Percent(value.milli()) } else { Cell::Milli(value.milli()) }
        };
        vec![
            Cell::text(one.name),
            Cell::Text(one.how.clone()),
            one.value.map_or_else(|| Cell::text("data kurang"), shown),
            Cell::text(one.indicator.target.clone()),
            Cell::Whole(one.indicator.weight.into()),
            Cell::maybe(rate, Cell::Whole),
            Cell::maybe(rate, |rate| Cell::Milli(score(&[(one.indicator, rate)]))),
        ]
    };
    let bound = |least: bool| {
        let rate =
            |one: &Reckoned<'_>| one.value.map_or(if least { 1 } else { 4 }, |value| rating(one.indicator, value));
        let parts: Vec<(&Indicator, i64)> = all.iter().map(|one| (one.indicator, rate(one))).collect();
        score(&parts)
    };
    let share = |score: i64| given(&rules.pay, Ratio { over: score, under: 1 });
    let (least, most) = (bound(true), bound(false));
    let result = if least == most {
        vec![
            Fact::new("Nilai", Cell::Milli(least)),
            Fact::new("Kapitasi dibayar", Cell::maybe(share(least), |percent| Cell::Percent(percent * 1000))),
        ]
    } else {
        let maybe = |score| Cell::maybe(share(score), |percent| Cell::Percent(percent * 1000));
        vec![
            Fact::new("Nilai paling rendah (yang kurang dianggap 1)", Cell::Milli(least)),
            Fact::new("Nilai paling tinggi (yang kurang dianggap 4)", Cell::Milli(most)),
            Fact::new("Kapitasi paling rendah", maybe(least)),
            Fact::new("Kapitasi paling tinggi", maybe(most)),
        ]
    };
    let columns = vec![
        Column::words("Indikator", 4),
        Column::words("Dihitung dari", 9),
        Column::figures("Capaian", 3),
        Column::words("Target", 5),
        Column::figures("Bobot (%)", 2),
        Column::figures("Rating", 2),
        Column::figures("Nilai", 2),
    ];
    vec![
        Section::new(
            "1. Indikator",
            vec![Part::Table(Table {
                name: "Indikator",
                columns,
                rows: all.iter().map(row).collect(),
                totals: Vec::new(),
            })],
        ),
        Section::new("2. Hasil", vec![Part::Facts(result), Part::text(format!("Dasar: {}.", rules.clause))]),
        Section::new("3. Peserta yang kontak, hari demi hari", by_day(frame, period, journal)),
        Section::new("Keterangan", vec![Part::Paragraph(note(journal))]),
    ]
}

/// How the number of participants with a contact grew: a picture, and its figures.
fn by_day(frame: &Frame, period: Period, journal: &Journal<'_>) -> Vec<Part> {
    let mut first: BTreeMap<String, Date> = BTreeMap::new();
    for (card, day) in contacts(frame, journal) {
        let known = first.entry(card).or_insert(day);
        *known = day.min(*known);
    }
    let mut all = 0;
    let days: Vec<(Date, i64, i64)> = period
        .days()
        .map(|day| {
            let new = i64::try_from(first.values().filter(|own| **own == day).count()).unwrap_or(i64::MAX);
            all += new;
            (day, new, all)
        })
        .collect();
    let bar = |(day, new, all): &(Date, i64, i64)| Bar { label: day.day().to_string(), pieces: vec![all - new, *new] };
    let chart = Chart {
        title: "Peserta terdaftar yang sudah kontak sampai hari itu".to_owned(),
        legend: vec!["sudah kontak sebelumnya".to_owned(), "kontak pertama pada hari itu".to_owned()],
        bars: days.iter().map(bar).collect(),
    };
    let shown = days.iter().filter(|(_, new, _)| *new > 0);
    let row = |(day, new, all): &(Date, i64, i64)| vec![Cell::Day(*day), Cell::Whole(*new), Cell::Whole(*all)];
    let table = Table {
        name: "Kontak per hari",
        columns: vec![
            Column::words("Tanggal", 4),
            Column::figures("Kontak pertama dalam periode ini", 5),
            Column::figures("Sampai hari itu", 5),
        ],
        rows: shown.map(row).collect(),
        totals: Vec::new(),
    };
    vec![Part::Chart(chart), Part::Table(table)]
}

const NOTE: &str = "Angka peserta terdaftar, daftar diagnosa nonspesialistik, dan peserta DM/HT hanya diketahui BPJS Kesehatan: \
    diminta sebagai masukan dan tidak diperkirakan. Hanya entri yang sudah sampai di BPJS Kesehatan lewat jembatan yang \
    dihitung; yang dientri langsung di P-Care tidak terlihat di sini.";

/// The contacts of participants registered here: delivered registrations, with their days.
fn contacts(frame: &Frame, journal: &Journal<'_>) -> Vec<(String, Date)> {
    let own = |entry: &Entry<'_>| {
        entry.delivered() && entry.text("kdProviderPeserta").as_deref() == Some(frame.facility.as_str())
    };
    let entries = journal.entries("pcare.pendaftaran");
    entries.iter().filter(|entry| own(entry)).filter_map(|entry| Some((entry.text("noKartu")?, entry.day()?))).collect()
}

/// What the estimate rests on, with what it leaves out.
fn note(journal: &Journal<'_>) -> String {
    let stems = ["pcare.pendaftaran", "pcare.kunjungan"];
    let open = stems.iter().flat_map(|stem| journal.entries(stem)).filter(|entry| !entry.delivered()).count();
    let mut words = NOTE.to_owned();
    if open > 0 {
        words.push_str(&format!(
            " {open} pendaftaran atau kunjungan belum sampai di BPJS Kesehatan dan tidak dihitung."
        ));
    }
    let retired = journal.retired(&stems);
    if retired > 0 {
        words.push_str(&format!(
            " {retired} pendaftaran atau kunjungan tanpa isi (dihapus menurut aturan retensi) tidak dapat dihitung: \
             perkiraan ini kurang lengkap."
        ));
    }
    words
}

/// Distinct participants registered here with a contact: a delivered registration of the month.
fn contact<'a>(frame: &Frame, journal: &Journal<'_>, rules: &'a Kbk, asked: &Asked) -> Reckoned<'a> {
    let seen: BTreeSet<String> = contacts(frame, journal).into_iter().map(|(card, _)| card).collect();
    let count = i64::try_from(seen.len()).unwrap_or(i64::MAX);
    let whole = asked.registered.map_or_else(|| "? (--registered)".to_owned(), |whole| Cell::Whole(whole).shown());
    Reckoned {
        name: "Angka Kontak (‰)",
        unit: "‰",
        indicator: &rules.contact,
        how: format!("{} peserta terdaftar yang kontak ÷ {whole} peserta terdaftar", Cell::Whole(count).shown()),
        value: asked.registered.and_then(|whole| Ratio::of(count, whole, 1000)),
    }
}

fn referral<'a>(journal: &Journal<'_>, rules: &'a Kbk, asked: &Asked) -> Reckoned<'a> {
    let visits = journal.visits();
    let referred: Vec<&Visit<'_>> = visits.iter().filter(|visit| visit.entry.delivered() && visit.referred()).collect();
    let plain = |code: &str| code.replace('.', "").to_uppercase();
    let list: BTreeSet<String> = asked.nonspecialist.iter().map(|code| plain(code)).collect();
    let wrong = |visit: &&&Visit<'_>| {
        // -1: without TACC.
        let without = visit.entry.text("kdTacc").is_none_or(|code| code == "-1");
        without && visit.entry.text("kdDiag1").is_some_and(|code| list.contains(&plain(&code)))
    };
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (part, whole) = (count(referred.iter().filter(wrong).count()), count(referred.len()));
    let shown = if list.is_empty() { "? (--nonspecialist)".to_owned() } else { Cell::Whole(part).shown() };
    Reckoned {
        name: "Rujukan nonspesialistik (RRNS)",
        unit: "%",
        indicator: &rules.referral,
        how: format!("{shown} rujukan nonspesialistik tanpa TACC ÷ {} rujukan", Cell::Whole(whole).shown()),
        value: if list.is_empty() { None } else { Ratio::of(part, whole, 100) },
    }
}

fn prolanis<'a>(rules: &'a Kbk, asked: &Asked) -> Reckoned<'a> {
    let part = |controlled: Option<i64>, all: Option<i64>| Ratio::of(controlled?, all?, 100);
    let (dm, ht) = (part(asked.dm_controlled, asked.dm), part(asked.ht_controlled, asked.ht));
    let shown = |value: Option<i64>| value.map_or_else(|| "?".to_owned(), |value| Cell::Whole(value).shown());
    Reckoned {
        name: "Prolanis terkendali (RPPT)",
        unit: "%",
        indicator: &rules.prolanis,
        how: format!(
            "({} ÷ {} DM + {} ÷ {} HT) ÷ 2; masukan --dm-controlled, --dm, --ht-controlled, --ht",
            shown(asked.dm_controlled),
            shown(asked.dm),
            shown(asked.ht_controlled),
            shown(asked.ht)
        ),
        value: dm.zip(ht).map(|(dm, ht)| mean(dm, ht)),
    }
}
