//! What a backlog costs: `cargo bench --bench backlog`, or `-- WAITING FINISHED` for other sizes than a million and none.
//!
//! Two stores on disk, one with ten thousand entries waiting and one with a million (and the finished ones asked for); the
//! same work through the store's own API in turns, five rounds. Prints the median and 99th percentile in both and their
//! ratios. Goals: medians at most 1.15 times the small store's, 99th percentiles 1.5, a hundred acceptances at once 1.5,
//! fifty due ids in 20 µs. Then the same once more with the machine's page cache dropped (as root), and the sizes.
//!
//! The many rows are laid by SQL (`tests/data/many-*.sql`), what is worked on is accepted by the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jembatan::catalogue::{Catalogue, RemoteIds};
use jembatan::chance::Chance;
use jembatan::contract::Deadline;
use jembatan::queue::transition::Event;
use jembatan::queue::{BootId, DeliveryId, Outcome, State, SubmissionId};
use jembatan::secret::Private;
use jembatan::store::sqlite::{Settings, SqliteStore};
use jembatan::store::{
    AttemptEnd, Base, ClaimAsk, Claimed, DeliveryFilter, NewEntry, NewSubmission, Recorded, Sealer, Store as _,
};
use jiff::{SignedDuration, Timestamp};

type Failed = Box<dyn std::error::Error + Send + Sync>;

const FACILITY: &str = "0114A026";
const ROUNDS: usize = 5;
/// Single operations in a round.
const TURNS: usize = 200;
/// Acceptances at once, and deliveries of one claim.
const HEAP: usize = 100;
const SMALL: i64 = 10_000;

fn start() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_795_222_800)
}

struct Place {
    path: PathBuf,
    store: SqliteStore,
    chance: Chance,
    next: u64,
    times: BTreeMap<&'static str, Vec<Duration>>,
    peek: rusqlite::Connection,
}

fn open(path: &Path) -> Result<SqliteStore, Failed> {
    let sealer = Sealer::new(&[7; 32], &[8; 32]);
    let settings = Settings { path: path.to_owned(), sealer, catalogue: Arc::new(Catalogue::shipped()?) };
    Ok(SqliteStore::open(settings)?.0)
}

fn lay(path: &Path, sql: &str, count: i64) -> Result<(), Failed> {
    let connection = rusqlite::Connection::open(path)?;
    connection.execute_batch("PRAGMA synchronous=OFF; PRAGMA cache_size=-262144; PRAGMA wal_autocheckpoint=20000;")?;
    let step = 250_000;
    for first in (0..count).step_by(250_000) {
        let some = step.min(count - first);
        let sql = sql
            .replace("{FIRST}", &first.to_string())
            .replace("{COUNT}", &some.to_string())
            .replace("{LAST}", &count.to_string())
            .replace("{STEP}", &(30 * 86_400_000 / count.max(1)).max(1).to_string())
            .replace("{NOW}", &start().as_millisecond().to_string());
        connection.execute_batch(&format!("BEGIN; {sql} COMMIT;"))?;
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

impl Place {
    fn new(folder: &Path, name: &str, waiting: i64, finished: i64) -> Result<Self, Failed> {
        let (path, began) = (folder.join(name), Instant::now());
        drop(open(&path)?);
        lay(&path, include_str!("../tests/data/many-finished.sql"), finished)?;
        lay(&path, include_str!("../tests/data/many-waiting.sql"), waiting)?;
        let size = std::fs::metadata(&path)?.len() as f64 / 1e9;
        println!(
            "{name}: {waiting} waiting, {finished} finished laid in {:.0} s, {size:.2} GB",
            began.elapsed().as_secs_f64()
        );
        Self::at(&path)
    }

    fn at(path: &Path) -> Result<Self, Failed> {
        let store = open(path)?;
        let peek = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Self { path: path.to_owned(), store, chance: Chance::system(), next: 0, times: BTreeMap::new(), peek })
    }

    fn base(&self) -> Base {
        Base { boot: BootId::new(start(), &[1; 10]), settle: None, chance: 0.5, others_pass: true }
    }

    /// One entry of a patient of its own, whose date is the nearest of all.
    fn submission(&mut self) -> NewSubmission {
        self.next += 1;
        let now = start() + SignedDuration::from_millis(self.next as i64);
        let card = format!("00099{:08}", self.next);
        let payload = serde_json::json!({ "kdProviderPeserta": FACILITY, "tglDaftar": "21-11-2026", "noKartu": card,
            "kdPoli": "001", "keluhan": "demam sejak tiga hari, batuk, pilek, nyeri telan", "kunjSakit": true,
            "sistole": 120, "diastole": 80, "beratBadan": 60, "tinggiBadan": 160, "respRate": 18, "kdTkp": "10" });
        let entry = NewEntry {
            id: DeliveryId::new(now, &self.chance.ten()),
            position: 0,
            entry_ref: "daftar".to_owned(),
            operation: "pcare.pendaftaran.add".to_owned(),
            service: "pcare".to_owned(),
            payload: Private::new(payload),
            occurred_at: Some(now),
            service_date: Some(jiff::civil::date(2026, 11, 21)),
            deadline: Deadline {
                rule: "entry.immediate".to_owned(),
                target: Some(start() + SignedDuration::from_hours(1)),
                late: Some(start() + SignedDuration::from_hours(2)),
                last: None,
            },
            due_at: start(),
            no_kartu: Some(Private::new(card.clone())),
            about: None,
            natural_key: Some(Private::new(vec![card, "21-11-2026".to_owned(), "001".to_owned()])),
            mark: None,
            after: Vec::new(),
        };
        NewSubmission {
            id: SubmissionId::new(now, &self.chance.ten()),
            client: "sim".to_owned(),
            facility: FACILITY.to_owned(),
            reference: format!("reg-2026-11-21-{}", self.next),
            canonical: Private::new(format!("{{\"ref\":{}}}", self.next)),
            patient: None,
            accepted_at: now,
            warnings: Vec::new(),
            approval: false,
            entries: vec![entry],
        }
    }

    fn ask(&self, limit: usize) -> ClaimAsk {
        let now = start() + SignedDuration::from_mins(30);
        ClaimAsk {
            facility: FACILITY.to_owned(),
            service: "pcare".to_owned(),
            limit,
            now,
            lease_until: now + SignedDuration::from_mins(1),
            credential_version: 1,
            base: self.base(),
        }
    }

    fn ended(&self, claimed: &Claimed) -> Recorded {
        let ids = RemoteIds::from([("noUrut".to_owned(), claimed.token.to_string())]);
        Recorded {
            id: claimed.delivery.id,
            token: claimed.token,
            attempt: claimed.attempt,
            event: Event::Ended(Outcome::Accepted(Private::new(ids))),
            now: start() + SignedDuration::from_mins(30),
            base: self.base(),
            end: AttemptEnd { outcome: "accepted".to_owned(), ..AttemptEnd::default() },
        }
    }

    fn note(&mut self, name: &'static str, began: Instant) {
        self.times.entry(name).or_default().push(began.elapsed());
    }

    /// Every kind of work, `turns` times.
    async fn work(&mut self, turns: usize) -> Result<(), Failed> {
        for _ in 0..turns {
            let new = self.submission();
            let began = Instant::now();
            self.store.accept(new).await?;
            self.note("accept 1", began);
        }
        for _ in 0..turns {
            let began = Instant::now();
            self.store.next_due(FACILITY, "pcare").await?;
            self.note("next due", began);
            let began = Instant::now();
            self.peek()?;
            self.note("50 due ids", began);
        }
        for _ in 0..turns {
            let ask = self.ask(1);
            let began = Instant::now();
            let claimed = self.store.claim(ask).await?;
            self.note("claim 1", began);
            let recorded = self.ended(claimed.first().ok_or("nothing was due")?);
            let began = Instant::now();
            self.store.record(recorded).await?;
            self.note("complete 1", began);
        }
        for _ in 0..turns / 20 {
            let some: Vec<_> = (0..HEAP).map(|_| self.submission()).collect();
            let began = Instant::now();
            let done = join_all(some.into_iter().map(|new| self.store.accept(new))).await;
            self.note("accept 100", began);
            done.into_iter().collect::<Result<Vec<_>, _>>()?;
            let ask = self.ask(HEAP);
            let began = Instant::now();
            let claimed = self.store.claim(ask).await?;
            self.note("claim 100", began);
            let all: Vec<_> = claimed.iter().map(|claimed| self.ended(claimed)).collect();
            join_all(all.into_iter().map(|recorded| self.store.record(recorded))).await;
        }
        for _ in 0..turns / 4 {
            let began = Instant::now();
            self.store.totals(start()).await?;
            self.note("totals", began);
            let filter = DeliveryFilter { state: Some(State::Waiting), limit: 100, ..DeliveryFilter::default() };
            let began = Instant::now();
            self.store.deliveries(filter).await?;
            self.note("list 100 waiting", began);
            let began = Instant::now();
            self.store.changes(&[FACILITY.to_owned()], 0, 100).await?;
            self.note("changes 100", began);
            let began = Instant::now();
            self.store.load(start(), 1_000).await?;
            self.note("load 1000", began);
        }
        Ok(())
    }

    fn peek(&self) -> Result<usize, Failed> {
        let mut statement = self.peek.prepare_cached(
            "SELECT id FROM delivery WHERE facility = ?1 AND service = 'pcare' AND state IN ('waiting', 'unanswered') \
             AND blocked_kind IS NULL AND lease_token IS NULL AND due_at + 0 <= ?2 AND late >= ?2 \
             ORDER BY late, rank, seq LIMIT 50",
        )?;
        let now = start().as_millisecond() + 60_000;
        let found = statement.query_map((FACILITY, now), |row| row.get::<_, String>(0))?;
        Ok(found.collect::<Result<Vec<_>, _>>()?.len())
    }
}

fn at(times: &mut [Duration], part: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * part / 100).min(times.len() - 1)]
}

fn table(small: &mut Place, large: &mut Place) {
    println!(
        "{:>18} {:>12} {:>12} {:>12} {:>12} {:>7} {:>7}",
        "", "small p50", "p99", "large p50", "p99", "p50", "p99"
    );
    let names: Vec<&'static str> = small.times.keys().copied().collect();
    for name in names {
        let (Some(one), Some(other)) = (small.times.get_mut(name), large.times.get_mut(name)) else { continue };
        let (a, b) = ((at(one, 50), at(one, 99)), (at(other, 50), at(other, 99)));
        let ratio = |large: Duration, small: Duration| large.as_secs_f64() / small.as_secs_f64();
        println!(
            "{name:>18} {:>12.1?} {:>12.1?} {:>12.1?} {:>12.1?} {:>7.2} {:>7.2}",
            a.0,
            a.1,
            b.0,
            b.1,
            ratio(b.0, a.0),
            ratio(b.1, a.1)
        );
    }
}

/// The same with nothing of the files in memory, where the system lets us.
async fn cold(path: &Path) -> Result<Option<Place>, Failed> {
    drop(std::process::Command::new("sync").status());
    if std::fs::write("/proc/sys/vm/drop_caches", "3").is_err() {
        return Ok(None);
    }
    let began = Instant::now();
    let mut place = Place::at(path)?;
    place.note("open", began);
    place.next = 1_000_000_000;
    place.work(20).await?;
    Ok(Some(place))
}

async fn measure(waiting: i64, finished: i64) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut small = Place::new(folder.path(), "kecil.db", SMALL, 0)?;
    let mut large = Place::new(folder.path(), "besar.db", waiting, finished)?;
    for place in [&mut small, &mut large] {
        place.work(TURNS / 2).await?;
        place.times.clear();
    }
    for _ in 0..ROUNDS {
        small.work(TURNS).await?;
        large.work(TURNS).await?;
    }
    println!("warm, {ROUNDS} rounds in turns:");
    table(&mut small, &mut large);
    let paths = [small.path.clone(), large.path.clone()];
    drop((small, large));
    let (small, large) = (cold(&paths[0]).await?, cold(&paths[1]).await?);
    if let (Some(mut small), Some(mut large)) = (small, large) {
        println!("page cache dropped, 20 of each:");
        table(&mut small, &mut large);
    }
    Ok(())
}

fn main() -> Result<(), Failed> {
    let mut numbers = std::env::args().filter_map(|one| one.parse().ok());
    let (waiting, finished) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(0));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(measure(waiting, finished))
}
