//! A commit that the disk refuses is never told as a success.
//!
//! The test starts itself again as a child whose files may not grow beyond a limit, which fails writes as a full disk
//! does, wherever in a commit the limit happens to strike.

use std::process::Command;

use super::*;
use crate::chance::Chance;
use crate::store::conformance::desk::{DAFTAR, OBAT};

/// Names the database for the child.
const DATABASE: &str = "JEMBATAN_TEST_FULL_DATABASE";

/// The child's part; without the variable it has nothing to do.
#[tokio::test]
async fn child_works_until_the_disk_is_full() {
    let Some(path) = std::env::var_os(DATABASE) else { return };
    let store = match SqliteStore::open(settings(Path::new(&path))) {
        Ok((store, _)) => store,
        Err(error) => return println!("told: not opened {error:?}"),
    };
    let fatal = store.fatal();
    let desk = Desk { chance: Chance::system(), ..Desk::new(Arc::new(store)) };
    for number in 0..100_000 {
        let group = (0..3).map(|member| {
            let reference = format!("r{number}-{member}");
            let new = desk.submission(&reference, vec![desk.entry("a", DAFTAR), desk.entry("b", OBAT)]);
            let store = Arc::clone(&desk.store);
            async move { (reference, store.accept(new).await) }
        });
        let mut failed = false;
        for (reference, answer) in futures_util::future::join_all(group).await {
            match answer {
                Ok(_) => println!("told: accepted {reference}"),
                Err(error) => {
                    failed = true;
                    println!("told: failed {error:?}");
                }
            }
        }
        if failed {
            let again = desk.store.accept(desk.submission("after", vec![desk.entry("a", DAFTAR)])).await;
            println!("told: then {:?} fatal {}", again.map(|_| ()), fatal.borrow().is_some());
            return;
        }
    }
}

/// What the child tells when its files may have `blocks` KiB each.
fn run_with_limit(path: &Path, blocks: u64) -> Vec<String> {
    let script = format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact \
         store::sqlite::tests::full::child_works_until_the_disk_is_full --nocapture"
    );
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).arg(std::env::current_exe().unwrap()).env(DATABASE, path);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    // The first line may follow the harness's "test … " on the same line.
    said.lines().filter_map(|line| Some(line.split_once("told: ")?.1.to_owned())).collect()
}

#[test]
fn promise_10_a_commit_that_the_disk_refuses_is_unknown_and_what_was_accepted_survives() {
    let mut survived = 0;
    for blocks in [380, 411, 777, 1300, 2600, 4000] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jembatan.db");
        let said = run_with_limit(&path, blocks);
        let failed: Vec<&String> = said.iter().filter(|line| line.starts_with("failed ")).collect();
        assert!(!failed.is_empty(), "the limit of {blocks} struck nothing: {:?}", said.last());
        for line in failed {
            let honest = ["failed Unknown", "failed Full", "failed Closed"].iter().any(|word| line.starts_with(word));
            assert!(honest, "{blocks}: {line}");
        }
        let then = said.iter().find(|line| line.starts_with("then ")).unwrap();
        assert!(then.contains("Err(") && then.contains("fatal true"), "after a failed commit nothing is taken: {then}");
        let (store, _) = open(&path);
        drop(store);
        let connection = Connection::open(&path).unwrap();
        let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        for reference in said.iter().filter_map(|line| line.strip_prefix("accepted ")) {
            let sql = "SELECT count(*) FROM submission s JOIN delivery d ON d.submission = s.id WHERE s.ref = ?1";
            let entries: i64 = connection.query_row(sql, [reference], |row| row.get(0)).unwrap();
            assert_eq!(entries, 2, "{blocks}: {reference} is lost");
            survived += 1;
        }
    }
    // How many fit before the limit strikes depends on when the log was last moved into the file.
    assert!(survived >= 10, "{survived}");
}
