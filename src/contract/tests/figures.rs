use super::*;

#[test]
fn every_shipped_profile_is_read_and_config_knows_its_name() {
    for (name, text) in SHIPPED {
        let profile = read::parse(Path::new(name), text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(format!("{}.toml", profile.id), *name);
        assert!(profile.money.tariffs.iter().all(|tariff| !tariff.clause.is_empty() && tariff.amount > 0), "{name}");
        assert!(Profile::is_shipped(Path::new(name)));
        assert!(include_str!("../../config/read.rs").contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn other_places_say_what_differs_and_cite_whom_they_inherit_from() {
    let lawang = Profile::load_or_shipped(Path::new("empat-lawang-2020.toml")).unwrap();
    let amount = |profile: &Profile, id: &str| {
        profile.money.tariffs.iter().find(|tariff| tariff.id == id).map(|tariff| tariff.amount)
    };
    assert_eq!((amount(&lawang, "gdp"), amount(&bontang(), "gdp")), (Some(10_000), Some(20_000)));
    assert_eq!(amount(&lawang, "anc.midwife"), None, "what the regulation does not have is dropped");
    assert_eq!(lawang.rule("entry.immediate").unwrap().clause.split(':').next(), Some("616/KTR/VIII-01/1223"));
    assert_eq!(lawang.rule("claim.submit").unwrap().clause.split(' ').next(), Some("Perbup"));
    let pekalongan = Profile::load_or_shipped(Path::new("pekalongan-2021.toml")).unwrap();
    let RuleKind::Within { count, unit, .. } = pekalongan.rule("fm.notice").unwrap().kind else { panic!() };
    assert_eq!((count, unit), (7, Unit::WorkingDay));
    assert_eq!(pekalongan.to, date(2025, 12, 31));
}

#[test]
fn a_base_lends_neither_name_nor_term_and_is_not_based_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let parsed = |text: &str| read::parse(&path, text);
    let keys = |text: &str| -> Vec<String> {
        parsed(text).unwrap_err().problems.into_iter().map(|problem| problem.key).collect()
    };
    assert_eq!(keys("based_on = \"bontang-2024.toml\""), ["id", "title", "number", "from", "to"]);
    let own = "id = \"a\"\ntitle = \"b\"\nnumber = \"c\"\nfrom = \"2025-01-01\"\nto = \"2025-12-31\"\n";
    assert_eq!(parsed(&format!("{own}based_on = \"bontang-2024.toml\"")).unwrap().rules.len(), bontang().rules.len());
    let nested = parsed(&format!("{own}based_on = \"pekalongan-2021.toml\"")).unwrap_err();
    assert_eq!(nested.problems[0].fault, ProfileFault::Nested);
    assert!(parsed(&format!("{own}based_on = \"no-such.toml\"")).unwrap_err().to_string().contains("no-such.toml"));
    let unknown = format!("{own}based_on = \"bontang-2024.toml\"\ncolour = \"red\"");
    assert_eq!(keys(&unknown), ["colour"]);
}

#[test]
fn a_tariff_with_an_unknown_key_or_a_rule_that_names_none_is_refused() {
    let text = format!(
        "{BONTANG}\n[[tariff]]\nid = \"x\"\ntext = \"t\"\namount = 1\nunit = \"u\"\nclause = \"c\"\nprice = 2\n"
    )
    .replace("month = \"kbk.month\"", "month = \"no.such\"");
    let error = read::parse(Path::new("p.toml"), &text).unwrap_err();
    let keys: Vec<&str> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["rule[entry.immediate].month", "tariff[x]"]);
    assert!(error.to_string().contains("price"), "{error}");
}

#[test]
fn ratings_have_neither_holes_nor_two_answers_at_their_borders() {
    let kbk = bontang().money.kbk.unwrap();
    let table: &[(&str, f64, u8)] = &[
        ("ak", 0.0, 1),
        ("ak", 140.0, 1),
        ("ak", 140.01, 2),
        ("ak", 145.0, 2),
        ("ak", 145.01, 3),
        ("ak", 149.99, 3),
        ("ak", 150.0, 4),
        ("ak", 900.0, 4),
        ("rrns", 0.0, 4),
        ("rrns", 2.0, 4),
        ("rrns", 2.01, 3),
        ("rrns", 2.5, 3),
        ("rrns", 2.51, 2),
        ("rrns", 3.0, 2),
        ("rrns", 3.01, 1),
        ("rppt", 2.99, 1),
        ("rppt", 3.0, 2),
        ("rppt", 3.99, 2),
        ("rppt", 4.0, 3),
        ("rppt", 4.99, 3),
        ("rppt", 5.0, 4),
    ];
    for (indicator, value, rating) in table {
        assert_eq!(kbk.rating(indicator, *value), Some(*rating), "{indicator} {value}");
        let own = kbk.indicator.iter().find(|own| own.id == *indicator).unwrap();
        assert_eq!(own.rating.iter().filter(|row| row.fits(*value)).count(), 1, "{indicator} {value}");
    }
    assert_eq!(kbk.indicator.iter().map(|own| u32::from(own.weight)).sum::<u32>(), 100);
}

#[test]
fn a_score_is_the_weighted_rating_and_pays_its_part() {
    let kbk = bontang().money.kbk.unwrap();
    let full = kbk.score(&[("ak", 160.0), ("rrns", 1.0), ("rppt", 6.0)]).unwrap();
    assert_eq!((full, kbk.percent(full)), (4.0, Some(100)));
    // 40 % × 1 + 50 % × 4 + 10 % × 2 = 2.6
    let partly = kbk.score(&[("ak", 100.0), ("rrns", 2.0), ("rppt", 3.0)]).unwrap();
    assert_eq!((partly, kbk.percent(partly)), (2.6, Some(90)));
    assert_eq!((kbk.percent(3.99), kbk.percent(3.0), kbk.percent(1.0)), (Some(95), Some(95), Some(85)));
    assert_eq!(kbk.score(&[("ak", 100.0)]), None);
}

#[test]
fn a_late_payment_costs_twelve_percent_a_year_by_the_day() {
    let penalty = bontang().money.penalty.unwrap();
    // 10 × 12 % ÷ 365 × 10 000 000 = 32 876.71
    assert_eq!(penalty.due(10_000_000, 10), 32_877);
    assert_eq!(penalty.due(36_500, 1), 12);
    assert_eq!(penalty.due(10_000_000, 0), 0);
    assert_eq!(penalty.due(10_000_000, 365), 1_200_000);
}

#[test]
fn capitation_lies_between_floor_and_ceiling() {
    let capitation = bontang().money.capitation.unwrap();
    assert!(capitation.rate.iter().all(|row| (capitation.floor..=capitation.ceiling).contains(&row.amount)));
    let rate = |doctor: &str, dentist| {
        capitation.rate.iter().find(|row| row.doctor == doctor && row.dentist == dentist).map(|row| row.amount)
    };
    assert_eq!((rate("<= 1:5000", true), rate("none", false)), (Some(7_000), Some(3_600)));
    assert_eq!(capitation.risk.len(), 4);
}

#[test]
fn a_code_earns_the_tariff_of_its_row_and_no_other_code_earns_any() {
    let money = bontang().money;
    let (tariff, times) = money.of_procedure("01006").unwrap();
    assert_eq!((tariff.id.as_str(), tariff.amount, times), ("injection", 20_000, Times::Once));
    assert!(money.of_procedure("01").is_none(), "that is a code of activities");
    assert_eq!(money.of_activity("01").map(|(tariff, _)| tariff.amount), Some(590_000));
    assert!(money.of_procedure("").is_none() && money.of_procedure("010").is_none());
    let lawang = Profile::load_or_shipped(Path::new("empat-lawang-2020.toml")).unwrap().money;
    assert_eq!(lawang.of_procedure("01006").map(|(tariff, _)| tariff.amount), Some(15_000), "its own amount");
    assert!(lawang.of_activity("01").is_none(), "it has no such tariff");
    let inherited = &lawang.claims.as_ref().unwrap().claimants_clause;
    assert!(inherited.starts_with("616/KTR/VIII-01/1223: "), "{inherited}");
}

#[test]
fn a_code_that_names_no_tariff_or_stands_twice_is_refused() {
    let row =
        |id: &str, tariff: &str| format!("\n[[procedure]]\nid = \"{id}\"\ntariff = \"{tariff}\"\nclause = \"c\"\n");
    let text = format!("{BONTANG}{}{}", row("02001", "no.such"), row("01006", "iud"));
    let error = read::parse(Path::new("p.toml"), &text).unwrap_err();
    let keys: Vec<&str> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["procedure[01006]", "procedure[02001].tariff"]);
    assert_eq!(error.problems[1].fault, ProfileFault::NoSuchTariff);
    assert!(error.indonesian().contains("tidak menunjuk [[tariff]] yang ada"));
}

#[test]
fn a_visit_is_expected_to_have_a_procedure_where_every_condition_holds() {
    let rule = |id: &str| bontang().money.expected.into_iter().find(|rule| rule.id == id).unwrap();
    let seen =
        |codes: &[&str]| Seen { diagnoses: codes.iter().map(|&code| code.to_owned()).collect(), ..Seen::default() };
    assert!(rule("anc").fits(&seen(&["I10", "Z349"])) && rule("anc").fits(&seen(&["z35.1"])));
    assert!(!rule("anc").fits(&seen(&["Z33"])) && !rule("anc").fits(&Seen::default()));
    assert!(rule("ritp").fits(&Seen { care: Some("20".to_owned()), ..Seen::default() }));
    assert!(!rule("ritp").fits(&Seen { care: Some("10".to_owned()), ..Seen::default() }));
    assert!(rule("mcu").fits(&Seen { with: vec!["pcare.mcu".to_owned()], ..Seen::default() }));
    let mut both = rule("anc");
    both.poli = vec!["003".to_owned()];
    assert!(!both.fits(&seen(&["Z34"])), "the polyclinic is not that one");
    assert!(both.fits(&Seen { poli: Some("003".to_owned()), ..seen(&["Z34"]) }));
    (both.poli, both.diagnosis) = (Vec::new(), Vec::new());
    assert!(!both.fits(&seen(&["Z34"])), "a row without conditions fits nothing");
}
