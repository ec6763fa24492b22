//! Claims, the network, telekonsultasi and Prolanis; what lies at the edges of a period.

use super::*;
use crate::report::claims::{Asked, Book, Claimant, Shelf};

fn whole() -> Vec<JournalRow> {
    let mut rows = month();
    rows.extend(network_month());
    rows
}

fn money(cell: &Cell) -> i64 {
    if let Cell::Money(rupiah) = cell { *rupiah } else { panic!("{cell:?}") }
}

fn notes(paper: &Paper) -> String {
    let parts = paper.sections.iter().flat_map(|section| &section.parts);
    let text = parts.filter_map(|part| if let Part::Paragraph(text) = part { Some(text.as_str()) } else { None });
    text.collect::<Vec<_>>().join("\n")
}

#[test]
fn claims_leave_out_the_deleted_and_show_the_changed_amount() {
    let paper = Sides::november().paper(&month(), &[], &asked());
    assert_eq!(fact(&paper, "Jumlah biaya"), Cell::Money(245_000));
    assert_eq!(fact(&paper, "Paling lambat dibayar"), Cell::Day(Date::constant(2026, 12, 1)));
    assert_eq!(fact(&paper, "Hari terlambat"), Cell::Whole(10));
    // 10 × 12 % ÷ 365 × 245.000 = 805,48
    assert_eq!(fact(&paper, "Denda"), Cell::Money(805));
    assert_eq!(rows(&paper, "Belum sampai").len(), 1);
    let approved = Asked { amount: Some(73_000_000), ..asked() };
    assert_eq!(fact(&Sides::november().paper(&month(), &[], &approved), "Denda"), Cell::Money(240_000));
}

#[test]
fn without_the_day_of_the_claim_neither_payment_nor_penalty_is_shown() {
    let paper = Sides::november().paper(&month(), &[], &Asked::default());
    let said = serde_json::to_string(&paper).unwrap();
    assert!(said.contains("--claimed") && !said.contains("Denda\""), "{said}");
}

#[test]
fn a_printed_date_that_rests_on_an_uncertain_holiday_says_so() {
    let mut row = claim(12, "K4", "01006", 20_000);
    row.delivery.service_date = Some(Date::constant(2024, 3, 20));
    let sides = Sides { period: Period::month("2024-03").unwrap(), ..Sides::november() };
    let said =
        notes(&sides.paper(&[row], &[], &Asked { claimed: Some(Date::constant(2024, 4, 1)), ..Asked::default() }));
    let doubts: Vec<&str> = said.lines().filter(|line| line.contains("belum dicocokkan dengan SKB")).collect();
    assert_eq!(doubts.len(), 2, "{said}");
    assert!(
        doubts[0].starts_with("Paling lambat diajukan 16 April 2024") && doubts[0].contains("2024-04-10"),
        "{doubts:?}"
    );
    assert!(doubts[1].starts_with("Paling lambat dibayar") && doubts[1].contains("2024-04-08"), "{doubts:?}");
    let sure = notes(&Sides::november().paper(&month(), &[], &asked()));
    assert!(!sure.contains("belum dicocokkan dengan SKB"), "{sure}");
}

#[test]
fn an_unknown_code_has_no_tariff_and_is_said() {
    let (rows_, sides) = (whole(), Sides::november());
    let paper = sides.paper(&rows_, &[], &asked());
    let codes = rows(&paper, "Per kode");
    let of = |code: &str| codes.iter().find(|row| row[1] == Cell::text(code)).unwrap_or_else(|| panic!("{codes:?}"));
    assert_eq!(
        (&of("99999")[2], &of("99999")[3], &of("99999")[7]),
        (&Cell::text("tanpa tarif"), &Cell::Empty, &Cell::Whole(1))
    );
    // Three at 20.000, one of them entered as 15.000.
    assert_eq!((&of("01006")[5], &of("01006")[6]), (&Cell::Money(55_000), &Cell::Money(60_000)));
    let journal = Journal::new(&rows_);
    let book = Book::new(&sides.input(), &journal, &Journal::new(&[]));
    assert!(book.of(Shelf::Untariffed).all(|line| line.amount().is_none() && line.code != "01006"));
    let below = book.lines.iter().find(|line| line.entry.row.client == "lain").unwrap();
    assert_eq!((below.entry.cost(), below.amount()), (15_000, Some(20_000)));
}

#[test]
fn midwives_are_claimed_apart_and_the_parts_are_the_whole() {
    let (rows_, mut sides) = (whole(), Sides::november());
    let total = |share: claims::Share, sides: &mut Sides| {
        sides.share = share;
        let paper = sides.paper(&rows_, &[], &asked());
        let claimants = rows(&paper, "Per penagih");
        let names: Vec<String> = claimants.iter().map(|row| row[0].shown()).collect();
        let sum: i64 = claimants.iter().map(|row| money(&row[2])).sum();
        assert_eq!(Cell::Money(sum), fact(&paper, "Jumlah biaya"), "the paper's own total");
        (names, sum)
    };
    let all = total(claims::Share::All, &mut sides);
    let facility = total(claims::Share::Facility, &mut sides);
    let network = total(claims::Share::Network, &mut sides);
    let sari = total(claims::Share::Client("bidan-sari".into()), &mut sides);
    let tuti = total(claims::Share::Client("bidan-tuti".into()), &mut sides);
    assert_eq!(all.0, ["puskesmas", "bidan-sari", "bidan-tuti"]);
    // 245.000 of its own, 20.000 of the pharmacy, 15.000 of whom nobody described.
    assert_eq!((facility.1, sari.1, tuti.1), (280_000, 20_000, 7_000));
    assert_eq!((network.1, all.1), (sari.1 + tuti.1, facility.1 + network.1));
    sides.share = claims::Share::All;
    let said = notes(&sides.paper(&rows_, &[], &asked()));
    assert!(said.contains("apotek-1, lain"), "{said}");
}

#[test]
fn the_filing_date_moves_off_a_holiday_and_says_why() {
    let mut sides = Sides::november();
    sides.period = Period::month("2024-02").unwrap();
    sides.frame.now = at("2024-03-05T02:00:00Z");
    let mut own = claim(8, "K7", "01006", 20_000);
    own.delivery.service_date = Some(Date::constant(2024, 2, 29));
    let paper = sides.paper(&[own], &[], &asked());
    let filing = &rows(&paper, "Pengajuan")[0];
    assert_eq!(filing[3], Cell::Day(Date::constant(2024, 3, 13)), "docs/tanggal.md");
    assert!(filing[4].shown().contains("10 Maret 2024"), "{filing:?}");
    assert_eq!(rows(&paper, "Rincian")[0][9], Cell::Day(Date::constant(2024, 8, 29)));
}

#[test]
fn an_older_claim_near_its_last_date_is_pointed_out_unless_its_month_was_filed() {
    let mut sides = Sides::november();
    // The paper is made on 5 December: services of 4 June expired on 4 December, of 4 July have 30 days.
    let aged = |seq: i64, day: Date| {
        let mut row = claim(seq, "K7", "01006", 20_000);
        row.delivery.service_date = Some(day);
        row
    };
    let older = [
        aged(70, Date::constant(2026, 6, 4)),
        aged(71, Date::constant(2026, 7, 4)),
        aged(72, Date::constant(2026, 7, 5)),
    ];
    let near = |sides: &Sides| -> Vec<(Cell, Cell)> {
        let paper = sides.paper(&month(), &older, &asked());
        let found = paper.tables().find(|table| table.name == "Kedaluwarsa");
        found.map_or_else(Vec::new, |table| table.rows.iter().map(|row| (row[9].clone(), row[10].clone())).collect())
    };
    let day = |month, day| Cell::Day(Date::constant(if month == 1 { 2027 } else { 2026 }, month, day));
    assert_eq!(near(&sides), [(day(12, 4), Cell::Whole(-1)), (day(1, 4), Cell::Whole(30))]);
    sides.filed.insert("2026-07".to_owned());
    assert_eq!(near(&sides), [(day(12, 4), Cell::Whole(-1))]);
}

#[test]
fn what_a_visit_should_have_is_what_the_profile_says() {
    let (rows_, mut sides) = (whole(), Sides::november());
    let journal = Journal::new(&rows_);
    let missing = |sides: &Sides| -> Vec<(String, String)> {
        let book = Book::new(&sides.input(), &journal, &Journal::new(&[]));
        let one = |one: &claims::Missing<'_>| (one.why.id.clone(), one.visit.entry.text("noKunjungan").unwrap());
        book.missing.iter().map(one).collect()
    };
    assert_eq!(missing(&sides), [], "the inpatient and the antenatal visit have theirs");
    let mut bare: Vec<JournalRow> = rows_.clone();
    bare.retain(|row| !row.delivery.operation.starts_with("pcare.tindakan"));
    let laboratory = row(90, "pcare.mcu.add", json!({ "noKunjungan": "K5" }), &[("kdMCU", "9")]);
    bare.push(laboratory);
    let journal = Journal::new(&bare);
    let book = Book::new(&sides.input(), &journal, &Journal::new(&[]));
    let found: Vec<(&str, String, Claimant)> = book
        .missing
        .iter()
        .map(|one| (one.why.id.as_str(), one.visit.entry.text("noKunjungan").unwrap(), one.claimant.clone()))
        .collect();
    let sari = Claimant::Network("bidan-sari".into());
    let own = Claimant::Facility;
    assert_eq!(found, [("mcu", "K5".into(), own.clone()), ("ritp", "K7".into(), own), ("anc", "K41".into(), sari)]);
    assert_eq!(book.missing[1].last, Some(Date::constant(2027, 5, 20)));
    // The rules are data: without them nothing is expected.
    let mut profile = Profile::shipped_bontang().unwrap();
    profile.money.expected.clear();
    sides.contracts = Contracts::new(profile, None, Holidays::shipped().unwrap());
    assert!(Book::new(&sides.input(), &journal, &Journal::new(&[])).missing.is_empty());
}

#[test]
fn days_of_stay_earn_a_daily_tariff_where_the_profile_says_so() {
    let mut sides = Sides::november();
    let mut profile = Profile::shipped_bontang().unwrap();
    let mut daily = profile.money.procedures[0].clone();
    (daily.id, daily.tariff, daily.times) = ("01001".into(), "inpatient.day".into(), crate::contract::Times::Stay);
    profile.money.procedures.push(daily);
    sides.contracts = Contracts::new(profile, None, Holidays::shipped().unwrap());
    let mut rows_ = month();
    rows_.push(claim(80, "K99", "01001", 190_000));
    let journal = Journal::new(&rows_);
    let book = Book::new(&sides.input(), &journal, &Journal::new(&[]));
    let of = |visit: &str| {
        let own = |line: &&claims::Line<'_>| line.entry.text("noKunjungan").as_deref() == Some(visit);
        book.lines.iter().find(own).unwrap().amount()
    };
    assert_eq!((of("K7"), of("K99")), (Some(570_000), None), "20 to 23 November; a visit nobody knows");
}

#[test]
fn a_period_over_a_change_of_agreement_is_paid_by_both() {
    let mut sides = Sides::november();
    let mut next = Profile::shipped_bontang().unwrap();
    (next.id, next.title, next.from, next.to) =
        ("bontang-2027".into(), "PKS 2027".into(), Date::constant(2026, 11, 20), Date::constant(2027, 12, 31));
    next.money.penalty.as_mut().unwrap().percent = 2;
    next.money.tariffs.iter_mut().find(|tariff| tariff.id == "injection").unwrap().amount = 25_000;
    sides.contracts = Contracts::new(Profile::shipped_bontang().unwrap(), Some(next), Holidays::shipped().unwrap());
    let mut before = claim(8, "K7", "01006", 36_500_000);
    before.delivery.service_date = Some(Date::constant(2026, 11, 19));
    let paper = sides.paper(&[before, claim(9, "K7", "01006", 36_500_000)], &[], &asked());
    let penalties: Vec<i64> = paper
        .sections
        .iter()
        .flat_map(|section| &section.parts)
        .filter_map(|part| if let Part::Facts(facts) = part { Some(facts) } else { None })
        .flat_map(|facts| facts.iter().filter(|fact| fact.name == "Denda").map(|fact| money(&fact.value)))
        .collect();
    // 10 × 12 % ÷ 365 × 36.500.000, and twice as much.
    assert_eq!(penalties, [120_000, 240_000]);
    assert_eq!(fact(&paper, "Jumlah menurut tarif"), Cell::Money(45_000));
    assert!(notes(&paper).contains("bontang-2024, bontang-2027"));
}

#[test]
fn the_network_report_accounts_for_every_entry_of_every_client() {
    let rows_ = whole();
    let paper = network::monthly(&frame(), november(), &rows_, &the_network(), str::to_owned);
    let table = paper.tables().find(|table| table.name == "Per klien").unwrap();
    let counts = |row: &[Cell]| -> Vec<i64> {
        row.iter().filter_map(|cell| if let Cell::Whole(count) = cell { Some(*count) } else { None }).collect()
    };
    let of = |name: &str| counts(table.rows.iter().find(|row| row[0] == Cell::text(name)).unwrap());
    // Handed in, approved, waiting, taken back, delivered, unfinished, late.
    assert_eq!(of("bidan-sari"), [4, 3, 1, 0, 3, 0, 1]);
    assert_eq!(of("bidan-tuti"), [2, 1, 0, 1, 1, 0, 1]);
    assert_eq!(of("apotek-1"), [1, 1, 0, 0, 1, 0, 0]);
    let all = counts(&table.totals[0]);
    assert_eq!(all, [8, 6, 1, 1, 6, 0, 2]);
    for row in table.rows.iter().chain(&table.totals) {
        let row = counts(row);
        assert_eq!((row[0], row[1]), (row[1] + row[2] + row[3], row[4] + row[5]));
    }
    let by_entry = paper.tables().find(|table| table.name == "Per entri").unwrap();
    assert_eq!(by_entry.rows.iter().map(|row| counts(row)[0]).sum::<i64>(), 8);
    assert_eq!(rows(&paper, "Menunggu").len(), 1);
    assert!(!serde_json::to_string(&paper).unwrap().contains("00099"), "no card");
}

#[test]
fn the_log_book_has_one_line_a_contact_and_leaves_room_for_what_nobody_said() {
    let mut rows_ = whole();
    rows_.iter_mut().filter(|row| row.delivery.seq == 48).for_each(|row| row.patient = None);
    let paper = telekonsultasi::book(&frame(), november(), &Journal::new(&rows_));
    let lines = rows(&paper, "Telekonsultasi");
    assert_eq!(lines.len(), 2);
    let first = lines.iter().find(|line| line[3] == Cell::text("0009900000010")).unwrap();
    assert_eq!((&first[2], &first[7], &first[8]), (&Cell::text("09.05"), &Cell::text("I10"), &Cell::text("sudah")));
    let second = lines.iter().find(|line| line[3] == Cell::text("0009900000011")).unwrap();
    assert_eq!((&second[2], &second[4], &second[5]), (&Cell::Blank, &Cell::Blank, &Cell::Blank));
    let said = notes(&paper);
    assert!(said.contains("patient.nama") && said.contains("occurred_at") && said.contains("1 kontak baru"), "{said}");
    assert!(said.contains("dua arah"));
}

#[test]
fn an_activity_shows_its_participants_against_the_limits_and_its_last_date() {
    let mut month = prolanis_month();
    let paper = prolanis::participation(&Sides::november().input(), &Journal::new(&month));
    let one = &rows(&paper, "Kegiatan")[0];
    assert_eq!((&one[5], &one[6], &one[7]), (&Cell::Whole(16), &Cell::Money(590_000), &Cell::Money(590_000)));
    assert_eq!((&one[8], &one[10]), (&Cell::Day(Date::constant(2027, 2, 20)), &Cell::text("")));
    month.truncate(4);
    let paper = prolanis::participation(&Sides::november().input(), &Journal::new(&month));
    assert_eq!(rows(&paper, "Kegiatan")[0][10], Cell::text("kurang dari 15 peserta"));
    assert!(notes(&paper).contains("15 sampai 30"));
}

#[test]
fn what_lies_at_the_edge_of_a_period_is_counted_and_said() {
    let mut rows_ = month();
    // Leaves in December; has not left; left before coming; content destroyed.
    for (seq, out) in [(30, "02-12-2026"), (31, ""), (32, "01-11-2026")] {
        let card = format!("00099000002{seq}");
        rows_.push(registration(seq, &card, "20"));
        let mut stay = visit(seq + 3, &card, "3", "A91");
        let mut payload = stay.payload.expose().clone();
        payload["tglPulang"] = json!(out);
        stay.payload = Private::new(payload);
        rows_.push(stay);
    }
    let mut retired = visit(36, CARD, "3", "I10");
    retired.payload = Private::new(Value::Null);
    let mut spent = claim(37, "K7", "01006", 20_000);
    spent.payload = Private::new(Value::Null);
    rows_.extend([retired, spent]);
    let journal = Journal::new(&rows_);
    let paper = visits::form(&frame(), november(), visits::Care::Ritp, &journal);
    let said = notes(&paper);
    for words in [
        "1 pasien pulang sesudah akhir periode",
        "1 pasien tanpa tanggal pulang",
        "1 kunjungan dengan tanggal pulang sebelum",
        "1 kunjungan tanpa isi tidak dicantumkan",
        "1 kunjungan dalam periode ini tidak dicantumkan: pendaftarannya",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let mut stays: Vec<Cell> = rows(&paper, "Pelayanan").iter().map(|row| row[5].clone()).collect();
    stays.sort_by_key(Cell::shown);
    assert_eq!(stays, [Cell::Empty, Cell::Empty, Cell::Whole(12), Cell::Whole(3)]);
    assert!(!notes(&visits::form(&frame(), november(), visits::Care::Rjtp, &journal)).contains("pulang sesudah"));
    let sides = Sides::november();
    assert!(notes(&sides.paper(&rows_, &[], &asked())).contains("1 entri klaim tanpa isi"));
    let rules = Kbk::of(&contracts().of(november().from).money.kbk.clone().unwrap()).unwrap();
    let estimate = kbk::estimate(&frame(), november(), &journal, Some(&rules), &kbk::Asked::default());
    assert!(notes(&estimate).contains("1 pendaftaran atau kunjungan tanpa isi"), "{}", notes(&estimate));
}
