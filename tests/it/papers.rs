//! Documents read back by programs that did not write them: openpyxl (PyPI), pdftotext (Debian's poppler-utils), Python's
//! csv. The same figures must stand in every form, and no words may become a formula.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside a test function")]

use std::path::Path;
use std::process::Command;

use jembatan::report::paper::{Cell, Column, Fact, Paper, Part, Section, Table};
use jembatan::report::render::Form;
use jiff::civil::Date;
use serde_json::{Value, json};

const ROWS: i64 = 90;

fn paper() -> Paper {
    let row = |n: i64| {
        vec![
            Cell::Whole(n),
            Cell::Day(Date::constant(2026, 11, 20)),
            Cell::text("=HYPERLINK(\"http://contoh.invalid\")"),
            Cell::Money(n * 1_003),
        ]
    };
    let sum = (1..=ROWS).sum::<i64>() * 1_003;
    let columns = vec![
        Column::figures("No", 1),
        Column::words("Tanggal", 2),
        Column::words("Nama", 5),
        Column::figures("Biaya", 3),
    ];
    let table = Table {
        name: "Rincian",
        columns,
        rows: (1..=ROWS).map(row).collect(),
        totals: vec![vec![Cell::Empty, Cell::Empty, Cell::text("Jumlah"), Cell::Money(sum)]],
    };
    Paper {
        kind: "uji",
        title: "Dokumen uji".to_owned(),
        subtitle: vec!["November 2026".to_owned()],
        facts: vec![Fact::new("Jumlah biaya", Cell::Money(sum)), Fact::new("Catatan", Cell::text("@SUM(A1:A9)"))],
        sections: vec![Section::new("1. Rincian", vec![Part::text("+62 adalah teks"), Part::Table(table)])],
        signatures: Vec::new(),
        footer: vec!["Cap jurnal 12:abababababababab".to_owned()],
        made: "2026-11-21T00:00:00Z".parse().unwrap(),
        wide: false,
    }
}

pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Sheets and lines of `<stem>.xlsx` and `<stem>.csv` as openpyxl and Python's csv read them.
pub(crate) fn read_back(folder: &Path, stem: &str) -> Value {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let python = path("venv/bin/python");
    if !Path::new(&python).exists() {
        run("python3", &["-m", "venv", &path("venv")]);
        run(&python, &["-m", "pip", "install", "-q", "--disable-pip-version-check", "openpyxl"]);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/read_papers.py");
    serde_json::from_str(&run(&python, &[script, &path(&format!("{stem}.xlsx")), &path(&format!("{stem}.csv"))]))
        .unwrap()
}

#[test]
fn independent_programs_read_the_same_figures_from_every_form() {
    let (folder, paper) = (tempfile::tempdir().unwrap(), paper());
    for form in Form::ALL {
        std::fs::write(folder.path().join(format!("uji.{form}")), form.render(&paper).unwrap()).unwrap();
    }
    let sum = 4_107_285_i64;
    let back = read_back(folder.path(), "uji");
    let sheet = &back["xlsx"]["sheets"]["Rincian"];
    let rows = sheet["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 92);
    let added: i64 = rows[1..91].iter().map(|row| row[3].as_i64().unwrap()).sum();
    assert_eq!((added, rows[91][3].as_i64()), (sum, Some(sum)));
    assert_eq!(rows[1][1], "2026-11-20 00:00:00", "a day is a date, not words");
    assert_eq!((&sheet["frozen"], &sheet["paper"], &sheet["repeat"]), (&json!("A2"), &json!(9), &json!("$1:$1")));
    assert_eq!(back["xlsx"]["formulas"], 0);
    assert_eq!(rows[1][2], "=HYPERLINK(\"http://contoh.invalid\")");

    let lines = back["csv"].as_array().unwrap();
    let head = lines.iter().position(|line| line[0] == "No").unwrap();
    let money = |line: &Value| line[3].as_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(lines[head + 1..head + 91].iter().map(money).sum::<i64>(), sum);
    assert_eq!(money(&lines[head + 91]), sum);
    for cell in lines.iter().flat_map(|line| line.as_array().unwrap()) {
        assert!(!cell.as_str().unwrap().starts_with(['=', '+', '-', '@']), "{cell}");
    }

    let path = folder.path().join("uji.pdf");
    let text = run("pdftotext", &["-layout", path.to_str().unwrap(), "-"]);
    assert_eq!(text.matches("Rp4.107.285").count(), 2, "{text}");
    assert!(text.matches("Tanggal").count() >= 2 && text.contains("Halaman 2 dari"), "{text}");
    let shown = |line: &str| line.rsplit("Rp").next().and_then(|tail| tail.trim().replace('.', "").parse::<i64>().ok());
    let printed: i64 = text.lines().filter(|line| line.contains("HYPERLINK")).filter_map(shown).sum();
    assert_eq!(printed, sum);

    let page = std::fs::read_to_string(folder.path().join("uji.html")).unwrap();
    assert_eq!(page.matches("Rp4.107.285").count(), 2);
    let json: Value = serde_json::from_slice(&std::fs::read(folder.path().join("uji.json")).unwrap()).unwrap();
    assert_eq!(json["sections"][0]["parts"][1]["table"]["totals"][0][3], sum);
}
