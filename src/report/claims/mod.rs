//! Non-capitation claims of a month: by claimant and code, against the agreement's tariffs, with filing date, expected
//! payment and penalty, what has not arrived, what is near its last date, and which visits lack a procedure.
//!
//! Job: print a [`Book`]. Invariants: no tariff is guessed; the sums of the claimants are the whole; every date and limit
//! comes from the agreement of the day of service. What it does not do: decide what is owed.

pub mod book;

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::frame::{Frame, day as words_of_day};
use super::journal::Journal;
use super::paper::{Cell, Column, Fact, Paper, Part, Section, Signature, Table};
use super::reckon::{days_late, penalty};
use crate::contract::{Contracts, Profile, RuleKind, Unit, uncertain_words};
use crate::queue::State;
pub use book::{Book, Claimant, Earned, Input, Line, Missing, Network, Share, Shelf, What};

/// What only people know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Day on which the file was complete.
    pub claimed: Option<Date>,
    /// Day of payment.
    pub paid: Option<Date>,
    /// Rupiah that BPJS approved, if that is not the sum of the entries.
    pub amount: Option<i64>,
}

/// The document of a period; `older` are entries of other days that may be near their last date.
#[must_use]
pub fn claims(input: &Input<'_>, journal: &Journal<'_>, older: &Journal<'_>, asked: &Asked) -> Paper {
    let (frame, book) = (input.frame, Book::new(input, journal, older));
    let done: Vec<&Line<'_>> = book.of(Shelf::Entered).filter(|line| line.within).collect();
    let sum = Sum::of(&done);
    let mut facts = frame.facts(input.period);
    facts.push(Fact::new("Bagian", Cell::Text(part_of(input.share))));
    facts.push(Fact::new("Jumlah entri klaim yang sampai di BPJS Kesehatan", Cell::Whole(sum.count)));
    facts.push(Fact::new("Jumlah biaya menurut entri", Cell::Money(sum.cost)));
    facts.push(Fact::new("Jumlah menurut tarif perjanjian", Cell::Money(sum.tariff)));
    let own = |wanted: bool| -> Vec<&Line<'_>> {
        done.iter().filter(|line| (line.claimant == Claimant::Facility) == wanted).copied().collect()
    };
    let open: Vec<&Line<'_>> =
        book.lines.iter().filter(|line| line.within && !line.shelves.contains(&Shelf::Entered)).collect();
    let near: Vec<&Line<'_>> = book.of(Shelf::Near).collect();
    let sections = vec![
        Section::new("1. Per penagih", vec![Part::Table(by_claimant(&done))]),
        Section::new("2. Per kode", by_code(&done)),
        Section::new("3. Pengajuan", filing(&done)),
        Section::new("4. Pembayaran dan denda", payments(input, asked, &done)),
        Section::new("5. Rincian puskesmas", details(input, "Rincian", &own(true))),
        Section::new("6. Rincian bidan dan jejaring yang menagih sendiri", details(input, "Jejaring", &own(false))),
        Section::new("7. Belum sampai di BPJS Kesehatan", details(input, "Belum sampai", &open)),
        Section::new("8. Mendekati atau melewati kedaluwarsa", details(input, "Kedaluwarsa", &near)),
        Section::new("9. Kunjungan tanpa tindakan", missing(input, &book.missing)),
        Section::new("Catatan", notes(input, journal, &book).into_iter().map(Part::Paragraph).collect()),
    ];
    Paper {
        kind: "claims",
        title: "Klaim Nonkapitasi".to_owned(),
        subtitle: vec![input.period.words()],
        facts,
        sections,
        signatures: signatures(frame, input.share),
        footer: frame.footer(),
        made: frame.now,
        wide: true,
    }
}

fn part_of(share: &Share) -> String {
    match share {
        Share::All => "semua penagih".to_owned(),
        Share::Facility => "puskesmas".to_owned(),
        Share::Network => "bidan dan jejaring yang menagih sendiri".to_owned(),
        Share::Client(name) => format!("klien jejaring {name}"),
    }
}

fn signatures(frame: &Frame, share: &Share) -> Vec<Signature> {
    let Share::Client(name) = share else { return frame.claimants() };
    let own = Signature { role: "Penagih".to_owned(), party: name.clone(), under: "Nama / SIP".to_owned() };
    std::iter::once(own).chain(frame.head_signs()).collect()
}

/// Entries, rupiah as entered, rupiah by the tariffs known, entries without a tariff.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    count: i64,
    cost: i64,
    tariff: i64,
    unknown: i64,
}

impl Sum {
    fn add(&mut self, line: &Line<'_>) {
        self.count += 1;
        self.cost = self.cost.saturating_add(line.entry.cost());
        self.tariff = self.tariff.saturating_add(line.amount().unwrap_or(0));
        self.unknown += i64::from(line.amount().is_none());
    }

    fn of(lines: &[&Line<'_>]) -> Self {
        let mut sum = Self::default();
        lines.iter().for_each(|line| sum.add(line));
        sum
    }

    fn cells(self) -> [Cell; 4] {
        // Nothing known is not nothing owed.
        let tariff = if self.unknown == self.count && self.count > 0 { Cell::Empty } else { Cell::Money(self.tariff) };
        [Cell::Whole(self.count), Cell::Money(self.cost), tariff, Cell::Whole(self.unknown)]
    }
}

/// Columns of [`Sum::cells`].
fn sums() -> [Column; 4] {
    [
        Column::figures("Entri", 2),
        Column::figures("Biaya menurut entri", 4),
        Column::figures("Menurut tarif", 4),
        Column::figures("Tanpa tarif", 2),
    ]
}

fn claimant_words(claimant: &Claimant) -> String {
    match claimant {
        Claimant::Facility => "puskesmas".to_owned(),
        Claimant::Network(name) => name.clone(),
    }
}

fn by_claimant(lines: &[&Line<'_>]) -> Table {
    let mut groups: BTreeMap<&Claimant, Sum> = BTreeMap::new();
    lines.iter().for_each(|line| groups.entry(&line.claimant).or_default().add(line));
    let row = |first: Cell, sum: Sum| std::iter::once(first).chain(sum.cells()).collect();
    let mut columns = vec![Column::words("Penagih", 6)];
    columns.extend(sums());
    Table {
        name: "Per penagih",
        columns,
        rows: groups.iter().map(|(claimant, sum)| row(Cell::Text(claimant_words(claimant)), *sum)).collect(),
        totals: vec![row(Cell::text("Jumlah"), Sum::of(lines))],
    }
}

fn by_code(lines: &[&Line<'_>]) -> Vec<Part> {
    let mut groups: BTreeMap<(What, &str, &str), (&Line<'_>, Sum)> = BTreeMap::new();
    for line in lines {
        let key = (line.what, line.code.as_str(), line.profile.id.as_str());
        groups.entry(key).or_insert_with(|| (*line, Sum::default())).1.add(line);
    }
    let row = |(line, sum): &(&Line<'_>, Sum)| {
        let (item, each) = match line.earned {
            Earned::Unknown => (Cell::text("tanpa tarif"), Cell::Empty),
            Earned::NoStay(tariff) | Earned::Known { tariff, .. } => {
                let most = if tariff.most { "paling banyak, " } else { "" };
                let words = format!("{} ({most}per {}; {})", tariff.text, tariff.unit, tariff.clause);
                (Cell::Text(words), Cell::Money(tariff.amount.into()))
            }
        };
        let mut cells = vec![Cell::text(line.what.word()), Cell::text(line.code.clone()), item, each];
        cells.extend(sum.cells());
        cells
    };
    let mut columns = vec![Column::words("Jenis", 3), Column::words("Kode", 2), Column::words("Tarif perjanjian", 9)];
    columns.push(Column::figures("Tarif", 3));
    columns.extend(sums());
    let mut total = vec![Cell::text("Jumlah"), Cell::Empty, Cell::Empty, Cell::Empty];
    total.extend(Sum::of(lines).cells());
    let rows = groups.values().map(row).collect();
    vec![Part::Table(Table { name: "Per kode", columns, rows, totals: vec![total] })]
}

/// By month of service: by when it is filed.
fn filing(lines: &[&Line<'_>]) -> Vec<Part> {
    let mut groups: BTreeMap<Date, (&Line<'_>, Sum)> = BTreeMap::new();
    for line in lines {
        if let Some(month) = line.day.map(Date::first_of_month) {
            groups.entry(month).or_insert_with(|| (*line, Sum::default())).1.add(line);
        }
    }
    let row = |(month, (line, sum)): (&Date, &(&Line<'_>, Sum))| {
        let shifted = line.due.as_ref().and_then(|due| due.shifted.as_ref());
        let moved = shifted.map(|(named, why)| format!("bergeser dari {}: {why}", words_of_day(*named)));
        let month = super::frame::Period { from: *month, to: month.last_of_month() }.words();
        vec![
            Cell::Text(month),
            Cell::Whole(sum.count),
            Cell::Money(sum.cost),
            Cell::maybe(line.due.as_ref(), |due| Cell::Day(due.due)),
            Cell::Text(
                [moved, line.filed.then(|| "sudah ditandai diajukan".to_owned())]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
            Cell::maybe(line.due.as_ref(), |due| Cell::text(due.clause.clone())),
        ]
    };
    if groups.is_empty() {
        return vec![Part::text("Tidak ada.")];
    }
    let columns = vec![
        Column::words("Bulan pelayanan", 4),
        Column::figures("Entri", 2),
        Column::figures("Biaya menurut entri", 4),
        Column::words("Paling lambat diajukan", 4),
        Column::words("Keterangan", 6),
        Column::words("Dasar", 6),
    ];
    let rows = groups.iter().map(row).collect();
    let mut parts = vec![Part::Table(Table { name: "Pengajuan", columns, rows, totals: Vec::new() })];
    let dues = groups.values().filter_map(|(line, _)| line.due.as_ref());
    parts.extend(dues.filter_map(|due| doubt("Paling lambat diajukan", due.due, &due.uncertain)));
    parts
}

// ---- payment ------------------------------------------------------------------------------------------------------

/// For each agreement of the period: until when it pays, and what lateness costs.
fn payments(input: &Input<'_>, asked: &Asked, lines: &[&Line<'_>]) -> Vec<Part> {
    let mut sums: Vec<(&Profile, i64)> = input
        .contracts
        .profiles()
        .filter(|profile| input.period.days().any(|day| input.contracts.of(day).id == profile.id))
        .map(|profile| (profile, 0))
        .collect();
    for line in lines {
        if let Some((_, sum)) = sums.iter_mut().find(|(profile, _)| profile.id == line.profile.id) {
            *sum = sum.saturating_add(line.entry.cost());
        }
    }
    let several = sums.len() > 1;
    let mut parts = Vec::new();
    for (profile, sum) in sums {
        if several {
            parts.push(Part::text(format!("Perjanjian {} ({}):", profile.title, profile.number)));
        }
        let sum = asked.amount.filter(|_| !several).unwrap_or(sum);
        parts.extend(payment(input, profile, asked, sum));
    }
    if several && asked.amount.is_some() {
        parts.push(Part::text(
            "Nilai yang disetujui (--amount) tidak dipakai: periode ini memuat dua perjanjian; buat dokumen untuk tiap bagian.",
        ));
    }
    parts
}

fn payment(input: &Input<'_>, profile: &Profile, asked: &Asked, sum: i64) -> Vec<Part> {
    let rule = profile.rule("claim.pay");
    let Some((count, clause)) = rule.and_then(|rule| match &rule.kind {
        RuleKind::Within { count, unit: Unit::WorkingDay, .. } => Some((*count, &rule.clause)),
        RuleKind::Within { .. }
        | RuleKind::Entry { .. }
        | RuleKind::Monthly { .. }
        | RuleKind::Yearly { .. }
        | RuleKind::Limit { .. }
        | RuleKind::Duty => None,
    }) else {
        return vec![Part::text("Perjanjian yang dipasang tidak memuat tenggat bayar (aturan claim.pay).")];
    };
    let Some(claimed) = asked.claimed else {
        return vec![Part::text(format!(
            "Tanggal berkas lengkap belum diberikan (--claimed), sehingga tanggal bayar ({count} hari kerja sesudahnya, \
             {clause}) dan denda tidak dihitung."
        ))];
    };
    let holidays = input.contracts.holidays();
    let due = profile.working.after(claimed, count, holidays);
    let late = days_late(due, asked.paid.unwrap_or_else(|| input.frame.date(input.frame.now)));
    let basis = if asked.amount.is_some() { "yang disetujui" } else { "menurut entri" };
    let mut facts = vec![
        Fact::new("Berkas lengkap", Cell::Day(claimed)),
        Fact::new(format!("Paling lambat dibayar ({count} hari kerja)"), Cell::Day(due)),
        Fact::new("Dibayar", asked.paid.map_or_else(|| Cell::text("belum"), Cell::Day)),
        Fact::new("Hari terlambat (hari kalender)", Cell::Whole(late)),
        Fact::new(format!("Nilai klaim {basis}"), Cell::Money(sum)),
    ];
    let mut parts = Vec::new();
    match &profile.money.penalty {
        Some(rule) => {
            facts.push(Fact::new("Denda", Cell::Money(penalty(late, sum, rule))));
            parts.push(Part::text(format!(
                "Denda = hari terlambat × ({}% × {}) ÷ {} × nilai klaim, dibulatkan ke rupiah terdekat ({}). Tidak ada denda \
                 bila kelambatan disebabkan faskes atau bank. Batas bayar: {clause}.",
                rule.percent, rule.months, rule.year_days, rule.clause
            )));
        }
        None => parts.push(Part::text("Rumus denda tidak ada dalam perjanjian yang dipasang ([penalty]).")),
    }
    let passed = profile.working.uncertain(claimed.saturating_add(1.day()), due, holidays);
    parts.extend(doubt("Paling lambat dibayar", due, &passed));
    parts.extend(free_days(input.contracts, profile, claimed, due).map(Part::Paragraph));
    parts.insert(0, Part::Facts(facts));
    parts
}

/// That a date rests on holidays nobody compared with the decree.
fn doubt(what: &str, date: Date, days: &[Date]) -> Option<Part> {
    uncertain_words(days).map(|words| Part::text(format!("{what} {}: {words}.", words_of_day(date))))
}

/// Which holidays were left out between two days, and of which years none are known.
fn free_days(contracts: &Contracts, profile: &Profile, from: Date, to: Date) -> Option<String> {
    let holidays = contracts.holidays();
    let mut days = Vec::new();
    for day in (super::frame::Period { from, to }).days().skip(1) {
        let named = holidays.on(day).next().filter(|_| profile.working.free(day, holidays).is_some());
        days.extend(named.map(|holiday| {
            let doubt = if holiday.certain { "" } else { ", belum dicocokkan dengan keputusannya" };
            format!("{} ({}{doubt})", words_of_day(day), holiday.name)
        }));
    }
    let unknown: BTreeSet<i16> = [from.year(), to.year()].into_iter().filter(|year| !holidays.knows(*year)).collect();
    let years = unknown.iter().map(|year| {
        format!("Hari libur tahun {year} tidak ada dalam hari-libur.toml: hanya akhir pekan yang dihitung.")
    });
    let left_out = (!days.is_empty()).then(|| format!("Bukan hari kerja: {}.", days.join(", ")));
    let words: Vec<String> = left_out.into_iter().chain(years).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

// ---- lists --------------------------------------------------------------------------------------------------------

fn details(input: &Input<'_>, name: &'static str, lines: &[&Line<'_>]) -> Vec<Part> {
    if lines.is_empty() {
        return vec![Part::text("Tidak ada.")];
    }
    let today = input.frame.date(input.frame.now);
    let row = |(at, line): (usize, &&Line<'_>)| {
        let entry = &line.entry;
        let age = line.day.and_then(|day| today.since(day).ok()).map(|span| i64::from(span.get_days()));
        vec![
            Cell::count(at + 1),
            Cell::maybe(line.day, Cell::Day),
            Cell::text(line.what.word()),
            Cell::text(line.code.clone()),
            Cell::Text(claimant_words(&line.claimant)),
            Cell::maybe(entry.text("noKunjungan").or_else(|| entry.text("eduId")), Cell::Text),
            Cell::Money(entry.cost()),
            Cell::maybe(line.amount(), Cell::Money),
            Cell::maybe(age, Cell::Whole),
            Cell::maybe(line.last, Cell::Day),
            Cell::maybe(input.left(line.last), Cell::Whole),
            Cell::Text(remarks(line)),
        ]
    };
    let sum = Sum::of(lines);
    let mut total = vec![Cell::Empty; 12];
    for (at, cell) in [(2, Cell::text("Jumlah")), (6, Cell::Money(sum.cost)), (7, Cell::Money(sum.tariff))] {
        if let Some(place) = total.get_mut(at) {
            *place = cell;
        }
    }
    let table = Table {
        name,
        columns: vec![
            Column::figures("No", 2),
            Column::words("Tanggal", 4),
            Column::words("Jenis", 3),
            Column::words("Kode", 3),
            Column::words("Penagih", 4),
            Column::words("No. kunjungan / kegiatan", 7),
            Column::figures("Biaya", 4),
            Column::figures("Tarif", 4),
            Column::figures("Umur (hari)", 2),
            Column::words("Kedaluwarsa", 4),
            Column::figures("Sisa (hari)", 2),
            Column::words("Catatan", 5),
        ],
        rows: lines.iter().enumerate().map(row).collect(),
        totals: vec![total],
    };
    vec![Part::Table(table)]
}

/// What a person should see of a line: its state unless it arrived, and how its cost lies to the tariff.
fn remarks(line: &Line<'_>) -> String {
    let progress = &line.entry.row.delivery.progress;
    let state = match progress.state {
        State::Delivered => None,
        State::Waiting => Some("menunggu"),
        State::Sending => Some("dikirim"),
        State::Unanswered => Some("diperiksa"),
        State::Refused => Some("ditolak"),
        State::Held => Some("ditahan"),
        State::Expired => Some("kedaluwarsa"),
        State::Cancelled => Some("dibatalkan"),
    };
    let tariff = match line.earned {
        Earned::Unknown => Some("tanpa tarif"),
        Earned::NoStay(_) => Some("lama rawat tidak diketahui"),
        Earned::Known { tariff, .. } => {
            let (cost, amount) = (line.entry.cost(), line.amount().unwrap_or(0));
            if cost > amount {
                Some("biaya di atas tarif")
            } else if cost < amount && !tariff.most {
                Some("biaya di bawah tarif")
            } else {
                None
            }
        }
    };
    let older = (!line.within).then_some("di luar periode");
    [state, tariff, older].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn missing(input: &Input<'_>, missing: &[Missing<'_>]) -> Vec<Part> {
    if missing.is_empty() {
        return vec![Part::text("Tidak ada kunjungan yang seharusnya mempunyai tindakan tetapi tanpa tindakan.")];
    }
    let row = |one: &Missing<'_>| {
        vec![
            Cell::maybe(one.visit.day(), Cell::Day),
            Cell::maybe(one.visit.entry.text("noKunjungan"), Cell::Text),
            Cell::text(format!("{}/{}", one.visit.entry.row.reference, one.visit.entry.row.delivery.entry_ref)),
            Cell::Text(claimant_words(&one.claimant)),
            Cell::maybe(one.visit.entry.text("kdPoli"), Cell::Text),
            Cell::maybe(one.visit.entry.text("kdDiag1"), Cell::Text),
            Cell::text(one.why.text.clone()),
            Cell::maybe(one.last, Cell::Day),
            Cell::maybe(input.left(one.last), Cell::Whole),
        ]
    };
    let columns = vec![
        Column::words("Tanggal", 3),
        Column::words("No. kunjungan", 5),
        Column::words("Kiriman", 5),
        Column::words("Penagih", 3),
        Column::words("Poli", 2),
        Column::words("Diagnosa", 2),
        Column::words("Sebab", 6),
        Column::words("Kedaluwarsa", 3),
        Column::figures("Sisa (hari)", 2),
    ];
    let rows = missing.iter().map(row).collect();
    vec![
        Part::text(
            "Kunjungan berikut menurut aturan perjanjian ([[expect]]) seharusnya mempunyai entri tindakan; periksa.",
        ),
        Part::Table(Table { name: "Tanpa tindakan", columns, rows, totals: Vec::new() }),
    ]
}

fn notes(input: &Input<'_>, journal: &Journal<'_>, book: &Book<'_>) -> Vec<String> {
    let mut notes = vec![
        "Biaya adalah isian «biaya» pada entri; tarif menurut perjanjian hanya untuk kode yang dikenal berkasnya ([[procedure]], \
         [[activity]]): kode lain tanpa tarif, tidak ditebak. Perubahan dan penghapusan sesudah periode ini ikut diperhitungkan."
            .to_owned(),
    ];
    for profile in input.contracts.profiles() {
        if let Some(claims) = &profile.money.claims {
            let own = input.period.days().any(|day| input.contracts.of(day).id == profile.id);
            notes.extend(own.then(|| {
                format!(
                    "{}: mendekati kedaluwarsa sejak {} hari sebelumnya ({}). Yang menagih sendiri: {} ({}).",
                    profile.id,
                    claims.near_days,
                    claims.clause,
                    claims.claimants.join(", "),
                    claims.claimants_clause
                )
            }));
        }
    }
    if !book.counted_here.is_empty() {
        let names = book.counted_here.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        notes.push(format!(
            "Dihitung pada puskesmas, karena jenis kliennya tidak menagih sendiri atau tidak disebut (client add --kind): {names}."
        ));
    }
    let straddling: Vec<&str> = input
        .contracts
        .profiles()
        .filter(|profile| input.period.days().any(|day| input.contracts.of(day).id == profile.id))
        .map(|profile| profile.id.as_str())
        .collect();
    if straddling.len() > 1 {
        notes.push(format!(
            "Periode ini memuat lebih dari satu perjanjian ({}): tiap entri menurut perjanjian pada hari pelayanannya.",
            straddling.join(", ")
        ));
    }
    let retired = journal.retired(&["pcare.tindakan", "pcare.kelompok.kegiatan"]);
    if retired > 0 {
        notes.push(format!(
            "{retired} entri klaim tanpa isi: isinya sudah dihapus menurut aturan retensi; kode dan biayanya tidak dihitung."
        ));
    }
    notes
}
