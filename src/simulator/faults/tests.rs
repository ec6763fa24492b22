use super::*;

fn seen<'a>(method: &'a str, operation: &'a str, path: &'a str) -> Seen<'a> {
    Seen { method, operation, write: method != "GET", path, full_path: path, body: "{\"noKartu\":\"0009900000001\"}" }
}

const ADD_DRUG: Seen<'static> = Seen {
    method: "POST",
    operation: "pcare.obat.add",
    write: true,
    path: "/obat/kunjungan",
    full_path: "/pcare-rest/obat/kunjungan",
    body: "",
};

fn strikes(fault: Fault, request: &Seen<'_>) -> bool {
    Faults::new(1, vec![fault]).strike(request).is_some()
}

#[test]
fn a_fault_strikes_what_its_matcher_names_and_nothing_else() {
    let read = seen("GET", "pcare.obat.list", "/obat/kunjungan/1");
    for on in [
        "*",
        "write",
        "pcare",
        "pcare.obat",
        "pcare.obat.add",
        "POST obat",
        "POST obat/kunjungan",
        "* OBAT/{x}",
        "POST /pcare-rest/obat",
    ] {
        assert!(strikes(Fault::new(on, Kind::Reset), &ADD_DRUG), "{on} strikes");
    }
    for on in [
        "read",
        "pcare.ob",
        "pcare.obat.add.x",
        "PUT obat",
        "POST tindakan",
        "POST obat/kunjungan/v1",
        "POST /vclaim-rest/obat",
    ] {
        assert!(!strikes(Fault::new(on, Kind::Reset), &ADD_DRUG), "{on} leaves alone");
    }
    assert!(strikes(Fault::new("read", Kind::Reset), &read));
    assert!(!strikes(Fault::new("write", Kind::Reset), &read));
}

#[test]
fn a_fault_for_one_card_leaves_the_others_alone() {
    let fault = Fault { card: Some("0009900000001".to_owned()), ..Fault::new("*", Kind::Html500) };
    assert!(strikes(fault.clone(), &seen("POST", "pcare.pendaftaran.add", "/pendaftaran")));
    assert!(!strikes(fault, &ADD_DRUG));
}

#[test]
fn skip_nth_and_count_decide_which_requests_are_struck() {
    let pattern = |fault: Fault| {
        let mut faults = Faults::new(1, vec![fault]);
        (0..5).map(|_| if faults.strike(&ADD_DRUG).is_some() { 'x' } else { '.' }).collect::<String>()
    };
    assert_eq!(pattern(Fault::new("*", Kind::Reset).times(2)), "xx...");
    assert_eq!(pattern(Fault { skip: 3, ..Fault::new("*", Kind::Reset) }), "...xx");
    assert_eq!(pattern(Fault { nth: Some(2), ..Fault::new("*", Kind::Reset) }), ".x...");
    assert_eq!(pattern(Fault { skip: 1, ..Fault::new("*", Kind::Reset).times(1) }), ".x...");
}

#[test]
fn the_same_seed_strikes_the_same_requests() {
    let run = |seed| {
        let mut faults = Faults::new(seed, vec![Fault { probability: Some(0.3), ..Fault::new("*", Kind::Reset) }]);
        (0..400).map(|_| faults.strike(&ADD_DRUG).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    let struck = run(7).into_iter().filter(|struck| *struck).count();
    assert!((80..=160).contains(&struck), "about three in ten of 400, not {struck}");
}

#[test]
fn a_script_reads_the_same_from_toml_and_json() {
    let toml =
        "[rules]\nno_content_empty = true\n[[fault]]\non = \"POST obat\"\nkind = \"slow\"\nms = 1500\ncount = 2\n";
    let json = r#"{"rules":{"no_content_empty":true},"fault":[{"on":"POST obat","kind":"slow","ms":1500,"count":2}]}"#;
    let script = Script::read(toml).unwrap();
    assert_eq!(script, Script::read(json).unwrap());
    assert!(script.rules.no_content_empty);
    assert_eq!(script.fault, vec![Fault::new("POST obat", Kind::Slow).lasting(1500).times(2)]);
}

#[test]
fn a_script_that_cannot_be_meant_is_refused() {
    for wrong in [
        "[[fault]]\non = \"*\"\nkind = \"slow\"\n",
        "[[fault]]\non = \"*\"\nkind = \"skew\"\n",
        "[[fault]]\non = \" \"\nkind = \"reset\"\n",
        "[[fault]]\non = \"*\"\nkind = \"reset\"\nprobability = 1.5\n",
        "[[fault]]\non = \"*\"\nkind = \"explode\"\n",
        "[[fault]]\non = \"*\"\nkind = \"reset\"\ntimes = 3\n",
        "[[fault]]\non = \"pcare.obatt\"\nkind = \"reset\"\n",
        "[[fault]]\non = \"PATCH obat\"\nkind = \"reset\"\n",
        "[rules]\nunheard_of = true\n",
    ] {
        assert!(Script::read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_kind_is_spelled_as_the_manual_does() {
    let manual = include_str!("../../../docs/simulator.md");
    for kind in Kind::ALL {
        let spelled = serde_json::to_value(kind).unwrap();
        let spelled = spelled.as_str().unwrap();
        assert!(manual.contains(&format!("`{spelled}`")), "{spelled} is missing in docs/simulator.md");
    }
    let distinct: std::collections::HashSet<Kind> = Kind::ALL.into_iter().collect();
    assert_eq!(distinct.len(), Kind::ALL.len());
}
