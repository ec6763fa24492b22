//! A large store costs what a small one costs: the steps that SQLite takes are counted, not the time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::SignedDuration;

use super::super::connection::steps;
use super::*;
use crate::contract::Deadline;
use crate::queue::{DeliveryId, State};
use crate::secret::Private;
use crate::store::conformance::desk::{CARD, DAFTAR, FACILITY, OBAT, accepted, at, day, hold};
use crate::store::{DeliveryFilter, NewEntry, NewSubmission, OutageChange, Store, Verdict};

const WAITING: &str = include_str!("../../../../tests/data/many-waiting.sql");
const FINISHED: &str = include_str!("../../../../tests/data/many-finished.sql");
/// Between two acceptances of the rows that are only there: the same in every store, so that a day is as full in each.
const STEP: i64 = 10 * 60 * 1000;
/// Bytes by which one opening may read more than another: sixteen pages.
const SPARE: u64 = 16 * 4096;

/// Bytes that this thread has read so far, as the system counts them. SQLite reads a page when it first needs it, on
/// the thread that asks: what opening reads is what it walks.
fn bytes_read() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    told.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

fn many(sql: &str, first: i64, count: i64) -> String {
    let now = at(0).as_millisecond().to_string();
    let (first_text, count_text, last) = (first.to_string(), count.to_string(), (first + count).to_string());
    // Noise in sealed columns would not open; here nobody weighs the file.
    sql.replace("randomblob(80)", "NULL")
        .replace("randomblob(120)", "NULL")
        .replace("randomblob(700)", "NULL")
        .replace("{FIRST}", &first_text)
        .replace("{COUNT}", &count_text)
        .replace("{LAST}", &last)
        .replace("{STEP}", &STEP.to_string())
        .replace("{NOW}", &now)
}

/// A store with so many rows besides what a test does in it.
struct Large {
    _folder: tempfile::TempDir,
    path: PathBuf,
    store: Arc<SqliteStore>,
    desk: Desk,
    /// Bytes that were read to open it with these rows in it.
    opening: u64,
}

impl Large {
    fn new(waiting: i64, finished: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jembatan.db");
        drop(open(&path));
        let connection = Connection::open(&path).unwrap();
        let sql = [many(FINISHED, 0, finished), many(WAITING, 0, waiting)].concat();
        connection.execute_batch(&format!("PRAGMA foreign_keys=ON; BEGIN; {sql} COMMIT;")).unwrap();
        let broken: i64 =
            connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        assert_eq!(broken, 0, "the rows belong together");
        drop(connection);
        let before = bytes_read();
        let (store, opened) = open(&path);
        let opening = bytes_read() - before;
        assert!(!opened.fresh && !opened.restored);
        let store = Arc::new(store);
        Self { _folder: folder, path, desk: Desk::new(Arc::clone(&store) as Arc<dyn Store>), store, opening }
    }

    /// An entry of its own patient whose date is the nearest of all.
    async fn accept(&self, reference: &str) -> DeliveryId {
        let card = format!("00099{:08}", self.desk.chance.bits() % 100_000_000);
        let mut entry = NewEntry { no_kartu: Some(Private::new(card)), ..self.desk.entry("a", DAFTAR) };
        entry.deadline = Deadline { late: Some(at(900)), target: Some(at(600)), ..entry.deadline };
        self.desk.accept(reference, vec![entry]).await[0]
    }

    async fn claim_one(&self, now: i64) -> crate::store::Claimed {
        let mut ask = self.desk.ask(now);
        ask.limit = 1;
        self.store.claim(ask).await.unwrap().remove(0)
    }

    /// The steps of everything since the last call.
    fn steps(&self) -> i64 {
        steps::of(&self.path).values().sum()
    }
}

fn filter(change: impl FnOnce(&mut DeliveryFilter)) -> DeliveryFilter {
    let mut filter = DeliveryFilter { limit: 100, ..DeliveryFilter::default() };
    change(&mut filter);
    filter
}

/// Runs everything that daily work does; the steps of each.
async fn daily_work(large: &Large) -> BTreeMap<&'static str, i64> {
    let (store, desk) = (&large.store, &large.desk);
    let here = [FACILITY.to_owned()];
    let mut taken = BTreeMap::new();
    // What the store does once, not for each entry, is not counted.
    large.accept("pertama").await;
    large.steps();
    macro_rules! count {
        ($name:literal, $work:expr) => {{
            let done = $work;
            taken.insert($name, large.steps());
            done
        }};
    }
    count!("accept", large.accept("kedua").await);
    let claimed = count!("claim", large.claim_one(1).await);
    count!("record", desk.end(&claimed, accepted("noUrut", "A1"), 2).await);
    let held = large.accept("ketiga").await;
    large.steps();
    count!("act", desk.act(held, hold(), 3).await);
    count!("next_due", store.next_due(FACILITY, "pcare").await.unwrap());
    // Before the backlog was late: what is late is counted one by one, up to a bound (see below).
    count!("totals", store.totals(at(-400 * 86_400)).await.unwrap());
    count!("load", store.load(at(-300), 100).await.unwrap());
    count!("reclaim", store.reclaim(at(5), false, desk.base()).await.unwrap());
    count!("expire", store.expire(at(5), 200, desk.base()).await.unwrap());
    count!("retire", store.retire(at(-86_400), 500).await.unwrap());
    count!("redate", store.redate(at(5), Arc::new(|_, _, _| None)).await.unwrap());
    count!("changes of one", store.changes(&here, 0, 100).await.unwrap());
    count!("changes of all", store.changes(&[], 0, 100).await.unwrap());
    count!("deliveries", store.deliveries(filter(|_| {})).await.unwrap());
    count!("deliveries held", store.deliveries(filter(|one| one.state = Some(State::Held))).await.unwrap());
    let waiting = filter(|one| (one.state, one.facilities) = (Some(State::Waiting), here.to_vec()));
    count!("deliveries waiting here", store.deliveries(waiting).await.unwrap());
    count!("submissions here", store.submissions(&here, None, None, None, 100).await.unwrap());
    count!("submissions held", store.submissions(&here, None, Some(State::Held), None, 100).await.unwrap());
    count!("submission by name", store.submissions(&here, Some("ketiga"), None, None, 100).await.unwrap());
    count!("journal", store.journal(FACILITY, day(20), day(20)).await.unwrap());
    count!("clients", store.client_counts(FACILITY, day(19), day(20)).await.unwrap());
    let opened = OutageChange::Open {
        facility: FACILITY.to_owned(),
        service: "pcare".to_owned(),
        cause: "tcp".to_owned(),
        verdict: Verdict::Bpjs,
        evidence: serde_json::Value::Null,
        at: at(1),
        actor: "jembatan".to_owned(),
    };
    let outage = count!("outage opens", store.change_outage(opened).await.unwrap());
    let closing = OutageChange::Close { id: outage.id, at: at(600), actor: "jembatan".to_owned() };
    let outage = count!("outage closes", store.change_outage(closing).await.unwrap());
    count!("outage told", store.outage_effect(outage.id, at(700)).await.unwrap());
    starting(large, &mut taken).await;
    taken
}

/// What the daemon asks of a store that it has just opened (`daemon::start`), each time with one entry in flight: after
/// the machine went down, and after the process crashed.
async fn starting(large: &Large, taken: &mut BTreeMap<&'static str, i64>) {
    let (store, desk) = (&large.store, &large.desk);
    large.claim_one(4).await;
    large.steps();
    let lost = store.reclaim(at(5), true, desk.base()).await.unwrap();
    taken.insert("reclaim at a start", large.steps());
    large.accept("keempat").await;
    large.claim_one(6).await;
    large.steps();
    let blamed = store.blame(at(7), desk.base()).await.unwrap();
    taken.insert("blame at a start", large.steps());
    assert_eq!((lost, blamed.suspects), (1, 1));
}

#[tokio::test]
async fn daily_work_takes_the_same_steps_in_a_hundred_thousand_entries_as_in_five_thousand() {
    let small = daily_work(&Large::new(1_000, 4_000)).await;
    let large = daily_work(&Large::new(9_000, 91_000)).await;
    let grown: Vec<_> = small.iter().filter(|(name, steps)| large[*name] > *steps * 5 / 4 + 300).collect();
    assert!(grown.is_empty(), "steps in the small store: {grown:?}\nin the large one: {large:#?}");
    assert!(small.values().all(|steps| *steps > 0), "everything was counted: {small:?}");
    println!("steps with 5 000 and with 100 000 entries:");
    small.iter().for_each(|(name, steps)| println!("{name:>24} {steps:>8} {:>8}", large[name]));
}

/// How long a start takes must not depend on how much waits: after an outage everybody waits for it.
#[tokio::test]
async fn opening_reads_no_more_of_thirty_thousand_entries_than_of_two_thousand() {
    let (small, large) = (Large::new(500, 1_500), Large::new(6_000, 24_000));
    let (few, many) = (small.opening, large.opening);
    println!("read to open: {few} bytes with 2 000 entries, {many} with 30 000");
    assert!(few > 0 && many <= few + SPARE, "{few} bytes were read with 2 000 entries, {many} with 30 000");
    // A walk would be seen: the shortest way to count the entries reads far more than what is allowed.
    let connection = Connection::open(&large.path).unwrap();
    let before = bytes_read();
    let count: i64 = connection.query_row("SELECT count(*) FROM delivery", [], |row| row.get(0)).unwrap();
    let walk = bytes_read() - before;
    assert_eq!(count, 30_000);
    assert!(walk > many + SPARE, "{walk} bytes for a walk, {many} for the opening");
}

#[tokio::test]
async fn a_filter_without_an_index_costs_a_page_no_more_than_its_window_and_finds_everything() {
    let large = Large::new(2_000, 28_000);
    for number in 0..3 {
        large.desk.accept_one(&format!("obat-{number}"), OBAT, CARD).await;
    }
    let (mut asked, mut found, mut pages) = (filter(|one| one.operation = Some(OBAT.to_owned())), 0, 0);
    large.steps();
    let mut most = 0;
    loop {
        let page = large.store.deliveries(asked.clone()).await.unwrap();
        most = most.max(large.steps());
        (found, pages) = (found + page.items.len(), pages + 1);
        match page.next {
            Some(next) => asked.after = Some(next),
            None => break,
        }
    }
    assert_eq!((found, pages), (3, 4), "30 003 rows in windows of 10 000");
    assert!(most < 1_500_000, "{most} steps for one page");
}

#[tokio::test]
async fn late_entries_are_counted_up_to_a_bound() {
    let large = Large::new(66_000, 10);
    large.steps();
    let totals = large.store.totals(at(5)).await.unwrap();
    assert_eq!(totals.late, 6 * 10_000, "of each of six lanes");
    assert!(large.steps() < 6 * 10_000 * 12);
}

#[tokio::test]
async fn distrust_and_dates_go_through_a_large_store_a_few_hundred_at_a_time() {
    let large = Large::new(1_700, 10);
    assert_eq!(large.store.distrust(at(1), large.desk.base()).await.unwrap(), 1_700);
    let asked = filter(|one| (one.state, one.limit) = (Some(State::Waiting), 2_000));
    let all = large.store.deliveries(asked).await.unwrap().items;
    assert_eq!(all.len(), 1_700);
    assert!(all.iter().all(|one| one.progress.doubt.question.is_some()), "each looks before it is sent");
}

/// Waits until the file is smaller than `bytes`.
fn shrinks_below(path: &Path, bytes: u64) -> u64 {
    let began = std::time::Instant::now();
    loop {
        let size = std::fs::metadata(path).unwrap().len();
        if size < bytes || began.elapsed().as_secs() > 60 {
            return size;
        }
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn the_file_becomes_smaller_after_the_retention() {
    let large = Large::new(10, 10);
    let text = "batuk berdahak ".repeat(4_000);
    for number in 0..400 {
        let mut entry = large.desk.entry("a", DAFTAR);
        entry.no_kartu = Some(Private::new(format!("00099{number:08}")));
        entry.payload = Private::new(serde_json::json!({ "keluhan": text }));
        entry.deadline = Deadline { late: Some(at(900)), ..entry.deadline };
        let new = NewSubmission { patient: None, ..large.desk.submission(&format!("r{number}"), vec![entry]) };
        large.store.accept(new).await.unwrap();
    }
    let mut ask = large.desk.ask(1);
    ask.limit = 400;
    for claimed in large.store.claim(ask).await.unwrap() {
        large.desk.end(&claimed, accepted("noUrut", &claimed.delivery.id.to_string()), 2).await;
    }
    // The log goes into the file when the store is idle; only then is its size what it is.
    let full = 400 * u64::try_from(text.len()).unwrap();
    let began = std::time::Instant::now();
    while std::fs::metadata(&large.path).unwrap().len() < full && began.elapsed().as_secs() < 60 {
        std::thread::yield_now();
    }
    let before = std::fs::metadata(&large.path).unwrap().len();
    assert!(before >= full, "{before} bytes with the payloads in");
    let after_all = at(0) + SignedDuration::from_hours(24);
    assert_eq!(large.store.retire(after_all, 1_000).await.unwrap(), 400);
    assert_eq!(large.store.retire(after_all, 1_000).await.unwrap(), 0, "nothing is looked at twice");
    let after = shrinks_below(&large.path, before / 2);
    assert!(after < before / 2, "{before} bytes became {after}");
    // What must be remembered is still there (promise 11).
    let again = large.desk.submission("r7", vec![large.desk.entry("a", DAFTAR)]);
    let answered = large.store.accept(again).await.unwrap();
    assert!(matches!(answered, crate::store::Acceptance::Same(_) | crate::store::Acceptance::Conflict(_)));
    let delivered = large.store.deliveries(filter(|one| one.state = Some(State::Delivered))).await.unwrap();
    assert_eq!(delivered.items.len(), 100);
}
