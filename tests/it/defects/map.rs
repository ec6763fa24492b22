//! The map itself: every defect has a test of its name, and what `docs/defects.md` names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of the list of defects found in other bridges.
const DEFECTS: usize = 24;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

/// Names of test functions: those that stand right under a `#[test]` of some kind.
fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests/it"), &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            // The store's suite is run by each backend, from a list of its functions.
            let is_case = line.starts_with("pub(crate) async fn ")
                && file.components().any(|part| part.as_os_str() == "conformance");
            let is_test = matches!(line, "#[test]" | "#[tokio::test]");
            let function = match (is_case, is_test) {
                (true, _) => Some(line),
                (false, true) => lines.by_ref().find(|line| !line.starts_with("#[") && !line.starts_with("//")),
                (false, false) => continue,
            };
            let name = function.and_then(|line| line.split("fn ").nth(1)).and_then(|rest| rest.split('(').next());
            names.extend(name.map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_defect_has_a_test_of_its_name() {
    let tests = tests();
    assert!(tests.len() > 800, "{} tests found", tests.len());
    let missing: Vec<usize> = (1..=DEFECTS)
        .filter(|number| !tests.iter().any(|name| name.starts_with(&format!("defect_{number:02}_"))))
        .collect();
    assert!(missing.is_empty(), "no test is named after {missing:?}");
}

#[test]
fn the_page_has_every_defect_and_names_only_tests_that_exist() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/defects.md")).unwrap();
    let tests = tests();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #")).collect();
    for number in 1..=DEFECTS {
        let row = rows.iter().find(|row| row.starts_with(&format!("| {number} |")));
        let row = row.unwrap_or_else(|| panic!("no row for defect {number}"));
        assert!(row.contains(&format!("`defect_{number:02}_")), "row {number} names no test of its number: {row}");
    }
    assert_eq!(rows.len(), DEFECTS);
    for name in page.split('`').skip(1).step_by(2).filter(|name| name.contains("::") || name.starts_with("defect_")) {
        let last = name.rsplit("::").next().unwrap_or_default().trim_end_matches('…');
        assert!(tests.iter().any(|test| test.starts_with(last)), "{name} is named and not there");
    }
}
