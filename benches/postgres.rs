//! The store on PostgreSQL beside graphile-worker: `cargo bench --bench postgres`, or `-- ENTRIES` for another number than 2000.
//!
//! A server of its own on the disk of `$TMPDIR`, which waits for that disk at every commit. In each of five rounds, one
//! after the other: 8 KiB written in place with fdatasync (the raw limit); entries claimed, sent to nobody and recorded
//! through the store's own API, every claim and every end a commit of its own, in ten lanes of four hands; the same with
//! one lane; and graphile-worker with ten jobs at a time, as it comes and with its batches. Prints the medians and the
//! worst round. Goals: three times graphile-worker as it comes, twice the raw limit; the store has no batched ends to hold
//! against the peer's batches, whose figure is printed all the same. What an entry costs here and not there: its patient's
//! order, its attempt's row, counts, the feed, the owner of BPJS's id; all sealed.
//!
//! The peer is found through `NODE_PATH` (`npm install graphile-worker@0.17.3`); without it only the store is measured.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use jembatan::catalogue::{Catalogue, RemoteIds};
use jembatan::chance::Chance;
use jembatan::contract::Deadline;
use jembatan::queue::transition::Event;
use jembatan::queue::{BootId, DeliveryId, Outcome, SubmissionId};
use jembatan::secret::Private;
use jembatan::store::postgres::{PostgresStore, Settings};
use jembatan::store::{
    AttemptEnd, Base, ClaimAsk, Claimed, NewEntry, NewSubmission, Recorded, Sealer, Store as _, StoreError,
};
use jiff::{SignedDuration, Timestamp};

#[expect(dead_code, unreachable_pub, clippy::expect_used, clippy::panic, reason = "shared with the tests")]
#[path = "../tests/postgres/server.rs"]
mod server;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const ROUNDS: usize = 5;
/// Facilities, each with a lane of its own, and attempts in flight in each: what the daemon has unless told otherwise.
const LANES: usize = 10;
const HANDS: usize = 4;
/// A server that loses nothing.
const DURABLE: &[&str] =
    &["fsync=on", "full_page_writes=on", "synchronous_commit=on", "max_wal_size=4GB", "shared_buffers=256MB"];

fn start() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_795_222_800)
}

fn base() -> Base {
    Base { boot: BootId::new(start(), &[1; 10]), settle: None, chance: 0.5, others_pass: true }
}

fn facility(lane: usize) -> String {
    format!("0114A{lane:03}")
}

/// One registration of a patient of its own.
fn submission(chance: &Chance, facility: String, number: usize) -> NewSubmission {
    let card = format!("00099{number:08}");
    let payload = serde_json::json!({ "kdProviderPeserta": facility, "tglDaftar": "21-11-2026", "noKartu": card,
        "kdPoli": "001", "keluhan": "demam sejak tiga hari, batuk, pilek, nyeri telan", "kunjSakit": true,
        "sistole": 120, "diastole": 80, "beratBadan": 60, "tinggiBadan": 160, "respRate": 18, "kdTkp": "10" });
    let entry = NewEntry {
        id: DeliveryId::new(start(), &chance.ten()),
        position: 0,
        entry_ref: "daftar".to_owned(),
        operation: "pcare.pendaftaran.add".to_owned(),
        service: "pcare".to_owned(),
        payload: Private::new(payload),
        occurred_at: Some(start()),
        service_date: Some(jiff::civil::date(2026, 11, 21)),
        deadline: Deadline { rule: "entry.immediate".to_owned(), ..Deadline::default() },
        due_at: start(),
        no_kartu: Some(Private::new(card.clone())),
        about: None,
        natural_key: Some(Private::new(vec![card, "21-11-2026".to_owned(), "001".to_owned()])),
        mark: None,
        after: Vec::new(),
    };
    NewSubmission {
        id: SubmissionId::new(start(), &chance.ten()),
        client: "sim".to_owned(),
        facility,
        reference: format!("reg-{number}"),
        canonical: Private::new(format!("{{\"ref\":{number}}}")),
        patient: None,
        accepted_at: start(),
        warnings: Vec::new(),
        approval: false,
        entries: vec![entry],
    }
}

fn ask(facility: String) -> ClaimAsk {
    let now = start() + SignedDuration::from_mins(30);
    let lease_until = now + SignedDuration::from_mins(1);
    let (service, limit) = ("pcare".to_owned(), HANDS);
    ClaimAsk { facility, service, limit, now, lease_until, credential_version: 1, base: base() }
}

fn ended(claimed: &Claimed) -> Recorded {
    let ids = RemoteIds::from([("noUrut".to_owned(), claimed.token.to_string())]);
    Recorded {
        id: claimed.delivery.id,
        token: claimed.token,
        attempt: claimed.attempt,
        event: Event::Ended(Outcome::Accepted(Private::new(ids))),
        now: start() + SignedDuration::from_mins(30),
        base: base(),
        end: AttemptEnd { outcome: "accepted".to_owned(), ..AttemptEnd::default() },
    }
}

/// Claims and ends what a lane has, as the push loop does but for BPJS.
async fn drain(store: &PostgresStore, facility: String) -> Result<usize, StoreError> {
    let mut done = 0;
    loop {
        let claimed = store.claim(ask(facility.clone())).await?;
        if claimed.is_empty() {
            return Ok(done);
        }
        try_join_all(claimed.iter().map(|one| store.record(ended(one)))).await?;
        done += claimed.len();
    }
}

/// Entries a second through so many lanes, on a database of its own.
async fn ours(server: &server::Server, lanes: usize, entries: usize) -> Result<f64, Failed> {
    let database = server.database();
    let sealer = Sealer::new(&[7; 32], &[8; 32]);
    let catalogue = Arc::new(Catalogue::shipped()?);
    let url = Private::new(database.url());
    let store = PostgresStore::open(Settings { url, password: None, node: None, sealer, catalogue }).await?.0;
    let chance = Chance::system();
    for heap in (0..entries).collect::<Vec<_>>().chunks(100) {
        let accepted = heap.iter().map(|number| store.accept(submission(&chance, facility(number % lanes), *number)));
        join_all(accepted).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    let began = Instant::now();
    let done = try_join_all((0..lanes).map(|lane| drain(&store, facility(lane)))).await?;
    let rate = entries as f64 / began.elapsed().as_secs_f64();
    if done.iter().sum::<usize>() != entries {
        return Err("not every entry was carried".into());
    }
    Ok(rate)
}

/// The peer, on a database of its own; nothing where it is not installed.
fn peer(server: &server::Server, jobs: usize, mode: &str) -> Option<f64> {
    let database = server.database();
    let url = database.url();
    let (host, name) = url.split_once('@')?.1.rsplit_once('/')?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/graphile.js");
    let output = Command::new("node")
        .arg(script)
        .args([&jobs.to_string(), mode])
        .envs([("PGHOST", host.replace("%2F", "/").as_str()), ("PGUSER", "postgres"), ("PGDATABASE", name)])
        .output()
        .ok()?;
    if !output.status.success() {
        eprintln!("no peer: {}", String::from_utf8_lossy(&output.stderr).lines().take(4).collect::<Vec<_>>().join(" "));
    }
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Writes of 8 KiB in place a second, each with fdatasync.
fn raw(folder: &Path) -> Result<f64, Failed> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).truncate(false).read(true).write(true).open(folder.join("raw.bin"))?;
    let block = [0x5a_u8; 8192];
    (0..256).try_for_each(|n| file.write_all_at(&block, n * 8192))?;
    file.sync_all()?;
    let (began, mut count) = (Instant::now(), 0_u64);
    while began.elapsed() < Duration::from_secs(1) {
        file.write_all_at(&block, count % 256 * 8192)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> Result<(), Failed> {
    let entries = std::env::args().filter_map(|one| one.parse().ok()).next().unwrap_or(2_000);
    let server = server::Server::start_with(&[], DURABLE);
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rounds: Vec<[f64; 5]> = Vec::new();
    for round in 0..ROUNDS {
        let limit = raw(folder.path())?;
        let lanes = runtime.block_on(ours(&server, LANES, entries))?;
        let plain = peer(&server, entries, "default").unwrap_or(f64::NAN);
        let one = runtime.block_on(ours(&server, 1, entries / 4))?;
        let batched = peer(&server, entries * 4, "batched").unwrap_or(f64::NAN);
        println!(
            "round {round}: raw {limit:.0}, {LANES} lanes {lanes:.0}, one lane {one:.0}, graphile-worker {plain:.0}, \
             batched {batched:.0} a second"
        );
        rounds.push([limit, lanes, one, plain, batched]);
    }
    let ratio = |name: &str, over: usize, under: usize| {
        let all: Vec<f64> = rounds.iter().map(|round| round[over] / round[under]).collect();
        let worst = all.iter().copied().fold(f64::INFINITY, f64::min);
        println!("{name}: {:.2}, worst round {worst:.2}", median(all));
    };
    ratio("ten lanes ÷ graphile-worker as it comes", 1, 3);
    ratio("ten lanes ÷ graphile-worker batched", 1, 4);
    ratio("ten lanes ÷ raw", 1, 0);
    ratio("one lane ÷ raw", 2, 0);
    ratio("graphile-worker as it comes ÷ raw", 3, 0);
    Ok(())
}
