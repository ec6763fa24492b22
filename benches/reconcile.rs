//! How long the pure comparison of a reconciliation takes: `cargo bench --bench reconcile`.
//!
//! Prints the time and the entries a second for 10 000 entries: all delivered, all typed in by staff meanwhile (each must
//! be found among rows that nobody owns), and a mixture. The goal is under two seconds each.

use std::time::Instant;

use jembatan::catalogue::{Catalogue, RemoteIds};
use jembatan::contract::Deadline;
use jembatan::queue::{Delivery, DeliveryId, How, Progress, State, SubmissionId};
use jembatan::reconcile::compare::{Entry, Row, compare};
use jembatan::secret::Private;
use jiff::Timestamp;
use serde_json::json;

const ENTRIES: u32 = 10_000;
const OPERATION: &str = "pcare.pendaftaran.add";
const DAY: &str = "21-11-2026";

fn main() {
    let catalogue = Catalogue::shipped().unwrap_or_else(|error| unreachable(&error.to_string()));
    println!("{:<28} {:>8} {:>12} {:>12}", "case", "entries", "time", "entries/s");
    for (name, delivered) in [("all delivered", 100), ("all typed in by staff", 0), ("half and half", 50)] {
        let entries: Vec<Entry> = (0..ENTRIES).map(|n| entry(n, n % 100 < delivered)).collect();
        let rows: Vec<Row> = (0..ENTRIES).rev().map(|n| row(n, n % 100 < delivered)).collect();
        let began = Instant::now();
        let compared = compare(&catalogue, &entries, &rows, |_| false, |_| false);
        let took = began.elapsed();
        let found = compared.items.len() + compared.adoptable.len();
        assert_eq!(found, entries.len(), "every entry found its row");
        let rate = f64::from(ENTRIES) / took.as_secs_f64();
        println!("{name:<28} {ENTRIES:>8} {took:>12.2?} {rate:>12.0}");
    }
}

fn unreachable(error: &str) -> ! {
    eprintln!("{error}");
    std::process::exit(1)
}

fn id(n: u32) -> DeliveryId {
    let mut bytes = [0; 10];
    bytes[6..].copy_from_slice(&n.to_be_bytes());
    DeliveryId::new(Timestamp::UNIX_EPOCH, &bytes)
}

fn card(n: u32) -> String {
    format!("{:013}", 9_900_000_000_u64 + u64::from(n))
}

fn entry(n: u32, delivered: bool) -> Entry {
    let at = Timestamp::UNIX_EPOCH;
    let mut progress = Progress::accepted(at, at, None);
    if delivered {
        progress.state = State::Delivered;
        progress.how = Some(How::Accepted);
        progress.remote = Private::new(RemoteIds::from([("noUrut".to_owned(), n.to_string())]));
    }
    let delivery = Delivery {
        id: id(n),
        seq: i64::from(n),
        submission: SubmissionId::new(at, &[0; 10]),
        entry_ref: "daftar".to_owned(),
        facility: "0114A026".to_owned(),
        operation: OPERATION.to_owned(),
        lane: Private::new(String::new()),
        occurred_at: None,
        service_date: None,
        mark: None,
        accepted_at: at,
        turn: jembatan::queue::Turn::taken(at, at, &[], None),
        deadline: Deadline::default(),
        progress,
    };
    let payload = json!({ "noKartu": card(n), "kdPoli": "001", "tglDaftar": DAY, "keluhan": "batuk", "kunjSakit": true,
        "kdTkp": "10" });
    Entry { delivery, payload, scope: Some(vec![DAY.to_owned()]), reference: format!("r{n}/daftar"), released: false }
}

fn row(n: u32, delivered: bool) -> Row {
    let value = json!({ "noUrut": n.to_string(), "tgldaftar": DAY, "peserta": { "noKartu": card(n) },
        "poli": { "kdPoli": "001" }, "keluhan": "batuk", "kunjSakit": true, "tkp": { "kdTkp": "10" } });
    Row { key: (OPERATION.to_owned(), vec![DAY.to_owned()], n.to_string()), value, owner: delivered.then(|| id(n)) }
}
