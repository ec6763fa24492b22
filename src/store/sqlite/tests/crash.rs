//! Killed at any instant: what was acknowledged is there, and nothing is there by half.
//!
//! The test starts itself again as a child that works on a store and tells on standard output what was acknowledged;
//! after a random number of lines the child is killed. Every round goes on with the same files.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::chance::Chance;
use crate::queue::transition::Event;
use crate::secret::Private;
use crate::store::NewEntry;
use crate::store::conformance::desk::{self, DAFTAR, KUNJUNGAN, OBAT, accepted, no_answer};

/// Names the database for the child.
const DATABASE: &str = "JEMBATAN_TEST_CRASH_DATABASE";
/// Entries of every submission of the child.
const ENTRIES: i64 = 3;
const KILLS: usize = 32;
/// Rounds end here even on a slow machine.
const LONGEST: Duration = Duration::from_secs(35);

fn told(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

async fn submit_forever(desk: Arc<Desk>, name: String) {
    for number in 0..100_000 {
        let card = Some(Private::new(format!("{:013}", desk.chance.bits() % 50)));
        let daftar = NewEntry { no_kartu: card.clone(), ..desk.entry("daftar", DAFTAR) };
        let visit = NewEntry { no_kartu: card.clone(), after: vec![daftar.id], ..desk.entry("kunjungan", KUNJUNGAN) };
        let drug = NewEntry { no_kartu: card, after: vec![visit.id], ..desk.entry("obat", OBAT) };
        let reference = format!("{name}-{number}");
        desk.accept(&reference, vec![daftar, visit, drug]).await;
        told(&format!("accepted {reference}"));
    }
}

async fn carry_forever(desk: Arc<Desk>) {
    for round in 0..100_000_i64 {
        let now = round * 100;
        let mut ask = desk.ask(now);
        ask.limit = 5;
        for claimed in desk.store.claim(ask).await.unwrap() {
            let event = match (claimed.purpose, desk.chance.bits() % 4) {
                (crate::queue::Purpose::LookUp, _) => {
                    Event::Looked { finding: crate::queue::Finding::Absent, begun: desk::at(now) }
                }
                (crate::queue::Purpose::Send, 0) => Event::Ended(no_answer()),
                (crate::queue::Purpose::Send, _) => Event::Ended(accepted("x", &claimed.token.to_string())),
            };
            let done = desk.store.record(desk.recorded(&claimed, event, now)).await.unwrap().unwrap();
            if done.progress.how.is_some() {
                told(&format!("delivered {}", done.id));
            }
        }
    }
}

/// The child's part; without the variable it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_works_until_it_is_killed() {
    let Some(path) = std::env::var_os(DATABASE) else { return };
    let (store, opened) = open(Path::new(&path));
    assert!(!opened.restored && !opened.upgraded, "{opened:?}");
    told("opened");
    let desk = Arc::new(Desk { chance: Chance::system(), ..Desk::new(Arc::new(store)) });
    desk.store.reclaim(desk::at(0), true, desk.base()).await.unwrap();
    let name = format!("{:x}", desk.chance.bits());
    let work = (0..4).map(|task| tokio::spawn(submit_forever(Arc::clone(&desk), format!("{name}-{task}"))));
    let work: Vec<_> = work.collect();
    carry_forever(Arc::clone(&desk)).await;
    drop(work);
}

fn start_child(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "store::sqlite::tests::crash::child_works_until_it_is_killed", "--nocapture"]);
    command.env(DATABASE, path).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills the child after `lines` lines; everything it told before it died.
fn kill_after(mut child: Child, lines: usize) -> Vec<String> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = Vec::new();
    for _ in 0..lines {
        let mut line = String::new();
        if out.read_line(&mut line).unwrap() == 0 {
            break;
        }
        said.push(line);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // A line that was cut off by the kill was not told.
    said.extend(out.lines().map_while(Result::ok).map(|line| line + "\n"));
    said.retain(|line| line.ends_with('\n'));
    said
}

fn numbers(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn check_files(path: &Path) -> Connection {
    drop(open(path));
    let connection = Connection::open(path).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let half = format!(
        "SELECT count(*) FROM submission s WHERE {ENTRIES} <> (SELECT count(*) FROM delivery d \
         JOIN entry_body b ON b.delivery = d.id WHERE d.submission = s.id)"
    );
    assert_eq!(numbers(&connection, &half), 0, "half a submission");
    let edges = "SELECT (SELECT count(*) FROM prerequisite) * 3 - (SELECT count(*) FROM delivery) * 2";
    assert_eq!(numbers(&connection, edges), 0, "half a submission's order");
    let uncounted = "SELECT count(*) FROM (SELECT facility, service, state, coalesce(how, '') AS how, count(*) AS n \
                     FROM delivery GROUP BY 1, 2, 3, 4 EXCEPT SELECT * FROM tally WHERE count > 0)";
    assert_eq!(numbers(&connection, uncounted), 0, "the tally is off");
    let unaccounted = "SELECT count(*) FROM delivery d WHERE d.lease_token IS NOT NULL AND NOT EXISTS \
                       (SELECT 1 FROM attempt a WHERE a.token = d.lease_token AND a.ended_at IS NULL)";
    assert_eq!(numbers(&connection, unaccounted), 0, "a lease without its attempt");
    connection
}

fn check_told(connection: &Connection, said: &[String]) -> usize {
    let exists = |sql: &str, value: &str| connection.query_row(sql, [value], |row| row.get::<_, bool>(0)).unwrap();
    let mut checked = 0;
    for line in said {
        match line.trim_end().split_once(' ') {
            Some(("accepted", reference)) => {
                assert!(
                    exists("SELECT EXISTS (SELECT 1 FROM submission WHERE ref = ?1)", reference),
                    "{reference} lost"
                );
                checked += 1;
            }
            Some(("delivered", id)) => {
                let sql = "SELECT EXISTS (SELECT 1 FROM delivery WHERE id = ?1 AND state = 'delivered')";
                assert!(exists(sql, id), "{id} lost");
                checked += 1;
            }
            Some(_) | None => {}
        }
    }
    checked
}

#[test]
fn promise_10_killed_at_any_instant_nothing_acknowledged_is_lost_and_nothing_is_half() {
    let folder = tempfile::tempdir().unwrap();
    let (path, chance, began) = (folder.path().join("jembatan.db"), Chance::system(), Instant::now());
    let (mut told, mut kills) = (0, 0);
    while kills < KILLS && began.elapsed() < LONGEST {
        // Every fourth dies while it starts.
        let lines = if kills % 4 == 0 { 0 } else { usize::try_from(chance.bits() % 120).unwrap() };
        let said = kill_after(start_child(&path), lines);
        told += check_told(&check_files(&path), &said);
        kills += 1;
    }
    assert!(told > 200, "{told} lines in {kills} kills");
    assert!(kills >= 30, "{kills} kills in {:?}", began.elapsed());
}
