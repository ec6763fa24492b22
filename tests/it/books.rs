//! The month's books of a puskesmas with a midwife: what she hands in waits, is approved in bulk, is claimed apart; claims,
//! network report, log book and Prolanis come out in every form with the same figures, read back by other programs.

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::bridge::{Bridge, FACILITY, PATIENCE, card, daftar, kunjungan, submission, yesterday};
use crate::papers::{read_back, run};

fn visit(card: &str, day: Date, diagnosis: &str) -> Value {
    let mut entry = kunjungan(card, day);
    entry["payload"]["kdDiag1"] = json!(diagnosis);
    entry
}

fn procedure(code: &str, cost: i64) -> Value {
    json!({ "ref": "tindakan", "operation": "pcare.tindakan.add", "after": ["kunjungan"],
        "payload": { "kdTindakanSK": 0, "noKunjungan": null, "kdTindakan": code, "biaya": cost, "keterangan": null, "hasil": 0 } })
}

/// Hands in what a clinic of the network has, and what the puskesmas has itself.
fn hand_in(bridge: &Bridge, day: Date) {
    let added =
        ["client", "add", "bidan-sari", "--facility", FACILITY, "--role", "network", "--kind", "bidan", "--json"];
    let added: Value = serde_json::from_str(&bridge.cli(&added, "")).unwrap();
    let midwife = added["token"].as_str().unwrap();
    let (own, theirs) = (card(1), card(2));
    let injection = [daftar(&theirs, day), visit(&theirs, day, "Z30.4"), procedure("01006", 20_000)];
    let taken = bridge.call_as(midwife, "POST", "/v1/submissions", Some(&submission("b-1", &injection)));
    assert_eq!(taken.status, 200, "held is final: {taken:?}");
    let mut far = daftar(&own, day);
    far["mark"] = json!("telekonsultasi");
    far["occurred_at"] = json!(format!("{day}T09:05:00+08:00"));
    let mut consultation = submission("s-1", &[far, visit(&own, day, "I10"), procedure("05001", 15_000)]);
    consultation["patient"] = json!({ "nama": "=SITI \"CONTOH\"" });
    bridge.submit(&consultation);
    // An antenatal visit that nobody entered a procedure for.
    bridge.submit(&submission("s-2", &[daftar(&card(3), day), visit(&card(3), day, "Z34.9")]));
}

fn settled(bridge: &Bridge, count: usize) {
    bridge.until("everything is at BPJS", PATIENCE, || {
        let rows = bridge.deliveries();
        let done = rows.iter().filter(|row| row["state"] == "delivered").count();
        (rows.len() == count && done == count).then_some(())
    });
}

/// Rows and totals of a table of the JSON form.
fn table(paper: &Value, name: &str) -> Vec<Value> {
    let parts = paper["sections"].as_array().unwrap().iter().flat_map(|section| section["parts"].as_array().unwrap());
    let found = parts.map(|part| &part["table"]).find(|table| table["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no table {name}: {paper:#}"));
    let rows = |key: &str| found[key].as_array().unwrap().clone();
    [rows("rows"), rows("totals")].concat()
}

/// Every form of a document, read back; answers the JSON.
fn in_every_form(bridge: &Bridge, kind: &str, month: &str, shown: &[&str]) -> Value {
    let path = |form: &str| bridge.home().join(format!("{kind}.{form}")).to_str().unwrap().to_owned();
    for form in ["html", "pdf", "xlsx", "csv", "json"] {
        let args = ["report", kind, "--facility", FACILITY, "--month", month, "--format", form, "--out"];
        bridge.cli(&[args.as_slice(), &[path(form).as_str()]].concat(), "");
    }
    let paper: Value = serde_json::from_slice(&std::fs::read(path("json")).unwrap()).unwrap();
    let back = read_back(bridge.home(), kind);
    assert_eq!(back["xlsx"]["formulas"], 0);
    let parts = paper["sections"].as_array().unwrap().iter().flat_map(|section| section["parts"].as_array().unwrap());
    let mut tables = 0;
    for name in parts.filter_map(|part| part["table"]["name"].as_str()) {
        tables += 1;
        let sheet = back["xlsx"]["sheets"][name]["rows"].as_array().unwrap_or_else(|| panic!("{kind} {name}"));
        for (given, read) in table(&paper, name).iter().zip(&sheet[1..]) {
            for (given, read) in given.as_array().unwrap().iter().zip(read.as_array().unwrap()) {
                let same = match (given, read) {
                    (Value::String(text), Value::String(read)) => read.starts_with(text.as_str()),
                    (Value::String(text), Value::Null) => text.is_empty(),
                    (given, read) => given.as_f64() == read.as_f64(),
                };
                assert!(same, "{kind} {name}: {given} became {read}");
            }
        }
        assert_eq!(sheet.len() - 1, table(&paper, name).len(), "{kind} {name}");
        let lines = back["csv"].as_array().unwrap();
        for row in table(&paper, name) {
            let numbers: Vec<String> =
                row.as_array().unwrap().iter().filter(|cell| cell.is_i64()).map(Value::to_string).collect();
            let has = |line: &Value| numbers.iter().all(|number| line.as_array().unwrap().contains(&json!(number)));
            assert!(lines.iter().any(has), "{kind} {name}: {row} is not in the CSV");
        }
    }
    assert!(tables > 0, "{kind}: {paper:#}");
    let printed = run("pdftotext", &["-layout", &path("pdf"), "-"]);
    let page = std::fs::read_to_string(path("html")).unwrap().replace("&quot;", "\"").replace("&#34;", "\"");
    for words in shown {
        assert!(printed.contains(words) && page.contains(words), "{kind}: {words}\n{printed}");
    }
    paper
}

#[test]
fn a_month_with_a_midwife_is_approved_claimed_apart_and_printed_alike_in_every_form() {
    let bridge = Bridge::up();
    let day = yesterday();
    let month = day.to_string()[..7].to_owned();
    hand_in(&bridge, day);
    let of_month = ["--facility", FACILITY, "--month", month.as_str()];
    let cli = |command: &[&str], rest: &[&str]| bridge.cli(&[command, of_month.as_slice(), rest].concat(), "");
    let network = |rest: &[&str]| cli(&["network"], rest);
    let waiting: Value = serde_json::from_str(&network(&["--json"])).unwrap();
    let one = &waiting["items"][0];
    assert_eq!((&one["client"], &one["kind"]), (&json!("bidan-sari"), &json!("bidan")), "{waiting}");
    assert_eq!((&one["entries"], &one["waiting_for_approval"], &one["approved"]), (&json!(3), &json!(3), &json!(0)));
    assert!(network(&[]).contains("queue release --state held --why approval"));
    let release = ["queue", "release", "--state", "held", "--why", "approval", "--facility", FACILITY];
    bridge.cli(&[release.as_slice(), &["--reason", "berkas diperiksa"]].concat(), "");
    settled(&bridge, 8);
    let approved: Value = serde_json::from_str(&network(&["--json"])).unwrap();
    assert_eq!((&approved["items"][0]["approved"], &approved["items"][0]["delivered"]), (&json!(3), &json!(3)));

    let claims = in_every_form(&bridge, "claims", &month, &["Rp35.000", "Rp20.000", "tanpa tarif", "bidan-sari"]);
    let parts = table(&claims, "Per penagih");
    assert_eq!(parts[0], json!(["puskesmas", 1, 15_000, null, 1]));
    assert_eq!(parts[1], json!(["bidan-sari", 1, 20_000, 20_000, 0]));
    assert_eq!(parts[2], json!(["Jumlah", 2, 35_000, 20_000, 1]));
    let missing = table(&claims, "Tanpa tindakan");
    assert_eq!((missing.len(), &missing[0][5]), (1, &json!("Z34.9")));
    let hers = ["--client", "bidan-sari", "--format", "json"];
    let hers: Value = serde_json::from_str(&cli(&["report", "claims"], &hers)).unwrap();
    assert_eq!(table(&hers, "Per penagih"), [parts[1].clone(), json!(["Jumlah", 1, 20_000, 20_000, 0])]);

    let list = |rest: &[&str]| cli(&["claims", "list"], rest);
    let all: Value = serde_json::from_str(&list(&["--json"])).unwrap();
    let counts = json!({ "entered": 2, "open": 0, "stopped": 0, "near": 0, "untariffed": 1, "missing": 1 });
    assert_eq!((&all["counts"], all["items"].as_array().unwrap().len()), (&counts, 3));
    let lacking: Value = serde_json::from_str(&list(&["--section", "missing", "--json"])).unwrap();
    assert_eq!(
        (&lacking["items"][0]["ref"], &lacking["items"][0]["missing"]["rule"]),
        (&json!("s-2/kunjungan"), &json!("anc"))
    );
    assert!(list(&[]).contains("ANC (Z34, Z35) tanpa tindakan"), "{}", list(&[]));

    in_every_form(&bridge, "network", &month, &["bidan-sari", "Laporan Bulanan Jejaring"]);
    let book = in_every_form(&bridge, "telekonsultasi", &month, &["=SITI \"CONTOH\"", "09.05", "I10"]);
    assert_eq!(table(&book, "Telekonsultasi").len(), 1);
    let told = cli(&["telekonsultasi"], &[]);
    assert!(told.contains("s-1/daftar") && !told.contains(&card(1)), "{told}");
}
