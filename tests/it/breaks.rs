//! The deliberate breaks of `tests/breaks` still fit the program: `tests/break` shows that each of them is caught.

use std::path::{Path, PathBuf};
use std::process::Command;

fn patches() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/breaks");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|kind| kind == "patch"));
    found.sort();
    found
}

#[test]
fn every_break_says_what_it_breaks_and_who_catches_it() {
    assert!(patches().len() >= 10, "ten breaks at least");
    for path in patches() {
        let text = std::fs::read_to_string(&path).unwrap();
        for head in ["Breaks: ", "Store: ", "Caught by: "] {
            let said = text.lines().find_map(|line| line.strip_prefix(head));
            assert!(said.is_some_and(|said| !said.trim().is_empty()), "{}: {head}", path.display());
        }
    }
}

#[test]
fn every_break_still_applies() {
    for path in patches() {
        let tried = Command::new("git")
            .args(["apply", "--check"])
            .arg(&path)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&tried.stderr);
        assert!(tried.status.success(), "{}: make it anew for the code as it is: {said}", path.display());
    }
}
