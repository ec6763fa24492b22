//! The stores on SQLite and on PostgreSQL, each beside the reference store.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use crate::catalogue::Catalogue;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::tests::{server, settings};
use crate::store::reference::ReferenceStore;
use crate::store::sqlite::{Settings, SqliteStore};
use crate::store::{Sealer, Store, StoreError};

struct OnSqlite {
    path: PathBuf,
    catalogue: Arc<Catalogue>,
    _folder: tempfile::TempDir,
}

#[async_trait]
impl Backend for OnSqlite {
    async fn open(&mut self) -> Arc<dyn Store> {
        let began = std::time::Instant::now();
        loop {
            let (sealer, catalogue) = (Sealer::new(&[7; 32], &[8; 32]), self.catalogue.clone());
            match SqliteStore::open(Settings { path: self.path.clone(), sealer, catalogue }) {
                // A reader that was just given up may still be closing.
                Err(StoreError::Busy(_)) if began.elapsed().as_secs() < 10 => tokio::task::yield_now().await,
                opened => return Arc::new(opened.unwrap().0),
            }
        }
    }
}

struct InMemory {
    store: Option<Arc<ReferenceStore>>,
    catalogue: Arc<Catalogue>,
}

#[async_trait]
impl Backend for InMemory {
    async fn open(&mut self) -> Arc<dyn Store> {
        let kept = self.store.take().and_then(|store| store.lose_power());
        let next = kept.map_or_else(|| ReferenceStore::new(self.catalogue.clone()), ReferenceStore::from_snapshot);
        let store = Arc::new(next);
        self.store = Some(store.clone());
        store
    }
}

fn in_memory(catalogue: &Arc<Catalogue>) -> Box<dyn Backend> {
    Box::new(InMemory { store: None, catalogue: catalogue.clone() })
}

/// In memory where the machine has such a place: nothing here is about disks.
fn on_sqlite(catalogue: &Arc<Catalogue>) -> Box<dyn Backend> {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (path, catalogue) = (folder.path().join("jembatan.db"), catalogue.clone());
    Box::new(OnSqlite { path, catalogue, _folder: folder })
}

struct OnPostgres(server::Database);

#[async_trait]
impl Backend for OnPostgres {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open(settings(&self.0.url())).await.unwrap().0)
    }
}

/// Which seeds: of some shards one, or the one asked for.
fn seeds(shard: u64, shards: u64, usual: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("JEMBATAN_WALK") {
        Some(seed) => [seed].into_iter().filter(|_| shard == 0).collect(),
        None => (0..number("JEMBATAN_WALKS").unwrap_or(usual)).filter(|seed| seed % shards == shard).collect(),
    }
}

/// Answers and states without which a sweep shows nothing.
const MUST_SEE: &[&str] = &[
    "accept: new",
    "accept: same",
    "accept: conflict",
    "accept: error: database",
    "record: some",
    "record: nothing",
    "record: error: database",
    "reclaim: some",
    "expire: some",
    "redate: some",
    "retire: some",
    "state: waiting",
    "state: sending",
    "state: delivered",
    "state: unanswered",
    "state: refused",
    "state: held",
    "state: expired",
    "state: cancelled",
    "how: accepted",
    "how: already_there",
    "how: adopted",
    "why: owned",
    "why: prerequisite",
    "why: approval",
    "why: ambiguous",
    "blocked: order",
    "blocked: prerequisite",
    "question: adopted_parent",
    "standing: some",
    "provisional: some",
    "outage: some",
    "outage: error: database",
    "plan: error: database",
    "withdraw: some",
    "settle: error: database",
    "reconcile: error: database",
    "event: error: database",
    "keep rows: error: database",
    "prune: some",
    "book: new",
    "book: repeat",
    "book: refused",
    "book: error: database",
    "sessions: error: database",
    "move booking: done",
    "move booking: not",
    "call: done",
    "call: no queue",
    "register: some",
    "answer registration: some",
    "answer registration: nothing",
    "retire antrean: some",
];

async fn sweep(pair: Pair<'_>, seeds: &[u64]) {
    let mut seen = BTreeSet::new();
    for &seed in seeds {
        match compare(pair, seed).await {
            Ok(met) => seen.extend(met),
            Err(told) => panic!("{told}"),
        }
    }
    let missing: Vec<_> = MUST_SEE.iter().filter(|must| !seen.contains(**must)).collect();
    assert!(seeds.len() < 50 || missing.is_empty(), "{} walks never met {missing:?}", seeds.len());
}

async fn sweep_sqlite(shard: u64) {
    let catalogue = Arc::new(Catalogue::shipped().unwrap());
    sweep(&|| [on_sqlite(&catalogue), in_memory(&catalogue)], &seeds(shard, 4, 200)).await;
}

async fn sweep_postgres(shard: u64) {
    let catalogue = Arc::new(Catalogue::shipped().unwrap());
    let on_postgres = || Box::new(OnPostgres(server::database()));
    sweep(&|| [on_postgres(), in_memory(&catalogue)], &seeds(shard, 2, 24)).await;
}

macro_rules! shards {
    ($($name:ident = $sweep:ident($shard:literal)),*) => {$(
        #[tokio::test]
        async fn $name() {
            $sweep($shard).await;
        }
    )*};
}
shards!(
    sqlite_and_the_reference_answer_alike_in_walks_of_the_first_quarter = sweep_sqlite(0),
    sqlite_and_the_reference_answer_alike_in_walks_of_the_second_quarter = sweep_sqlite(1),
    sqlite_and_the_reference_answer_alike_in_walks_of_the_third_quarter = sweep_sqlite(2),
    sqlite_and_the_reference_answer_alike_in_walks_of_the_last_quarter = sweep_sqlite(3),
    postgresql_and_the_reference_answer_alike_in_walks_of_even_seeds = sweep_postgres(0),
    postgresql_and_the_reference_answer_alike_in_walks_of_odd_seeds = sweep_postgres(1)
);
