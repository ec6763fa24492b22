//! A large store costs what a small one costs: the pages that PostgreSQL touches are counted, not the time.

use std::collections::BTreeMap;

use super::*;
use crate::contract::Deadline;
use crate::queue::{DeliveryId, State};
use crate::store::conformance::desk::{CARD, DAFTAR, FACILITY, accepted, at, day, hold};
use crate::store::{DeliveryFilter, NewEntry, OutageChange, Store, Verdict};

const MANY: &str = include_str!("../../../../tests/data/many-on-postgresql.sql");
/// Takes every table but those that have a row a node, a row a version or a few rows by name; until the transaction
/// ends nobody else reads or writes a row of them.
const TAKE_WHAT_GROWS: &str = "BEGIN; DO $$ BEGIN EXECUTE (SELECT 'LOCK TABLE ' || \
    string_agg(quote_ident(tablename), ', ') || ' IN ACCESS EXCLUSIVE MODE' FROM pg_tables WHERE schemaname = 'public' \
    AND tablename NOT IN ('meta', 'migration', 'node')); END $$";
/// How many of the tables that grow most this session has.
const TAKEN: &str = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND granted \
    AND mode = 'AccessExclusiveLock' AND relation IN ('delivery'::regclass, 'submission'::regclass, \
    'entry_body'::regclass, 'attempt'::regclass, 'change'::regclass)";
/// Longest wait for an opening that waits for nobody.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// Between two acceptances of the rows that are only there: the same in every store, so that a day is as full in each.
const STEP: i64 = 10 * 60 * 1000;

/// Pages of a listing: a hundred rows of one facility in six are found among six hundred, and a row costs its own page and
/// one of the index.
const LISTED: u64 = 1200;

/// Fills a database, and lets PostgreSQL look at it.
pub(super) fn fill(database: &server::Database, waiting: i64, finished: i64) {
    let sql = MANY
        .replace("{WAITING}", &waiting.to_string())
        .replace("{FINISHED}", &finished.to_string())
        .replace("{STEP}", &STEP.to_string())
        .replace("{NOW}", &at(0).as_millisecond().to_string());
    database.run(&[&sql, "VACUUM (ANALYZE)"]);
}

/// A store with so many rows besides what a test does in it.
struct Large {
    store: Arc<PostgresStore>,
    desk: Desk,
    _database: server::Database,
}

impl Large {
    async fn new(waiting: i64, finished: i64) -> Self {
        let database = server::database();
        let store = Arc::new(open(&database.url()).await.0);
        fill(&database, waiting, finished);
        Self { desk: Desk::new(Arc::clone(&store) as Arc<dyn Store>), store, _database: database }
    }

    /// An entry of its own patient whose date is the nearest of all.
    async fn accept(&self, reference: &str) -> DeliveryId {
        let card = format!("00099{:08}", self.desk.chance.bits() % 100_000_000);
        let mut entry = NewEntry { no_kartu: Some(Private::new(card)), ..self.desk.entry("a", DAFTAR) };
        entry.deadline = Deadline { late: Some(at(900)), target: Some(at(600)), ..entry.deadline };
        self.desk.accept(reference, vec![entry]).await[0]
    }

    /// The pages that were touched since the last call.
    fn pages(&self) -> u64 {
        self.store.shared.texts.pages.take()
    }
}

fn filter(change: impl FnOnce(&mut DeliveryFilter)) -> DeliveryFilter {
    let mut filter = DeliveryFilter { limit: 100, ..DeliveryFilter::default() };
    change(&mut filter);
    filter
}

macro_rules! count {
    ($taken:ident, $large:ident, $name:literal, $work:expr) => {{
        let done = $work;
        $taken.insert($name, $large.pages());
        done
    }};
}

/// Runs what daily work does; the pages of each.
async fn daily_work(large: &Large) -> BTreeMap<&'static str, u64> {
    let (store, desk) = (&large.store, &large.desk);
    let mut taken = BTreeMap::new();
    large.accept("pertama").await;
    large.pages();
    count!(taken, large, "accept", large.accept("kedua").await);
    let mut ask = desk.ask(1);
    ask.limit = 1;
    let claimed = count!(taken, large, "claim", store.claim(ask).await.unwrap().remove(0));
    count!(taken, large, "record", desk.end(&claimed, accepted("noUrut", "A1"), 2).await);
    let held = large.accept("ketiga").await;
    large.pages();
    count!(taken, large, "act", desk.act(held, hold(), 3).await);
    count!(taken, large, "next_due", store.next_due(FACILITY, "pcare").await.unwrap());
    count!(taken, large, "totals", store.totals(at(-400 * 86_400)).await.unwrap());
    count!(taken, large, "load", store.load(at(-300), 100).await.unwrap());
    count!(taken, large, "reclaim", store.reclaim(at(5), false, desk.base()).await.unwrap());
    count!(taken, large, "expire", store.expire(at(5), 200, desk.base()).await.unwrap());
    count!(taken, large, "retire", store.retire(at(-86_400), 500).await.unwrap());
    count!(taken, large, "redate", store.redate(at(5), Arc::new(|_, _, _| None)).await.unwrap());
    outages(large, &mut taken).await;
    questions(large, &mut taken).await;
    starting(large, &mut taken).await;
    taken
}

/// What the daemon asks of a store that it has just opened (`daemon::start`), each time with one entry in flight: after
/// the machine went down, and after the process crashed.
async fn starting(large: &Large, taken: &mut BTreeMap<&'static str, u64>) {
    let (store, desk) = (&large.store, &large.desk);
    let one = |now| crate::store::ClaimAsk { limit: 1, ..desk.ask(now) };
    assert_eq!(store.claim(one(4)).await.unwrap().len(), 1);
    large.pages();
    let lost = count!(taken, large, "reclaim at a start", store.reclaim(at(5), true, desk.base()).await.unwrap());
    large.accept("keempat").await;
    assert_eq!(store.claim(one(6)).await.unwrap().len(), 1);
    large.pages();
    let blamed = count!(taken, large, "blame at a start", store.blame(at(7), desk.base()).await.unwrap());
    assert_eq!((lost, blamed.suspects), (1, 1));
}

async fn questions(large: &Large, taken: &mut BTreeMap<&'static str, u64>) {
    let (store, here) = (&large.store, [FACILITY.to_owned()]);
    count!(taken, large, "changes of one", store.changes(&here, 0, 100).await.unwrap());
    count!(taken, large, "changes of all", store.changes(&[], 0, 100).await.unwrap());
    count!(taken, large, "deliveries", store.deliveries(filter(|_| {})).await.unwrap());
    let held = filter(|one| one.state = Some(State::Held));
    count!(taken, large, "deliveries held", store.deliveries(held).await.unwrap());
    let waiting = filter(|one| (one.state, one.facilities) = (Some(State::Waiting), here.to_vec()));
    count!(taken, large, "deliveries waiting here", store.deliveries(waiting).await.unwrap());
    count!(taken, large, "submissions here", store.submissions(&here, None, None, None, 100).await.unwrap());
    let held = Some(State::Held);
    count!(taken, large, "submissions held", store.submissions(&here, None, held, None, 100).await.unwrap());
    let name = Some("ketiga");
    count!(taken, large, "submission by name", store.submissions(&here, name, None, None, 100).await.unwrap());
    count!(taken, large, "journal", store.journal(FACILITY, day(20), day(20)).await.unwrap());
    count!(taken, large, "clients", store.client_counts(FACILITY, day(19), day(20)).await.unwrap());
    let card = Private::new(CARD.to_owned());
    let patient = store.journal_of_patient(FACILITY, &card, day(1), day(21), &["*"]).await.unwrap();
    count!(taken, large, "journal of a patient", patient);
}

async fn outages(large: &Large, taken: &mut BTreeMap<&'static str, u64>) {
    let store = &large.store;
    let opened = OutageChange::Open {
        facility: FACILITY.to_owned(),
        service: "pcare".to_owned(),
        cause: "tcp".to_owned(),
        verdict: Verdict::Bpjs,
        evidence: serde_json::Value::Null,
        at: at(1),
        actor: "jembatan".to_owned(),
    };
    let outage = count!(taken, large, "outage opens", store.change_outage(opened).await.unwrap());
    let closing = OutageChange::Close { id: outage.id, at: at(600), actor: "jembatan".to_owned() };
    let outage = count!(taken, large, "outage closes", store.change_outage(closing).await.unwrap());
    count!(taken, large, "outage told", store.outage_effect(outage.id, at(700)).await.unwrap());
}

#[tokio::test]
async fn daily_work_touches_the_same_pages_in_a_hundred_thousand_entries_as_in_five_thousand() {
    let small = daily_work(&Large::new(1_000, 4_000).await).await;
    let large = daily_work(&Large::new(9_000, 91_000).await).await;
    println!("pages touched with 5 000 and with 100 000 entries:");
    small.iter().for_each(|(name, pages)| println!("{name:>24} {pages:>8} {:>8}", large[name]));
    // A tree one level higher costs a page a look-up; a small table is walked where rows of a large one are looked up one by
    // one, which a page of a listing may cost.
    let grown: Vec<_> = small.iter().filter(|(name, pages)| large[*name] > (*pages * 3 / 2 + 40).max(LISTED)).collect();
    assert!(grown.is_empty(), "pages in the small store: {grown:?}\nin the large one: {large:#?}");
    let unseen: Vec<_> = small.iter().filter(|(_, pages)| **pages == 0).collect();
    assert!(unseen.is_empty(), "everything was counted: {unseen:?}");
}

/// How long a start takes must not depend on how much waits. What opening asks of the server goes past the session
/// whose pages are counted, so more is shown: it asks nothing of the tables that grow, or it would wait here and be
/// refused in the end.
#[tokio::test]
async fn opening_asks_nothing_of_the_tables_that_grow() {
    let database = server::database();
    drop(open(&database.url()).await);
    let (holder, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    holder.batch_execute(TAKE_WHAT_GROWS).await.unwrap();
    let taken: i64 = holder.query_one(TAKEN, &[]).await.unwrap().get(0);
    assert_eq!(taken, 5, "they are there, and taken");
    // As a node, as the daemon does: it enters its name, and looks at the schema once more.
    let settings = Settings { node: Some("satu".to_owned()), ..settings(&database.url()) };
    let opened = tokio::time::timeout(PATIENCE, PostgresStore::open(settings)).await;
    let (store, opened) = opened.expect("opening waits for a table that grows").unwrap();
    assert!(!opened.fresh && !opened.restored);
    drop(store);
    holder.batch_execute("ROLLBACK").await.unwrap();
}
