//! How fast entries are accepted, against what the disk gives: `cargo bench --bench accept`.
//!
//! The real binary during an outage of BPJS, on disks whose every sync takes 0, 2 and 10 ms longer. Each round measures the raw
//! limit (4 KiB overwritten in place, then fdatasync) beside the database, then one client, then a hundred, each waiting
//! for its 202 before the next. Goals: one client at 0.65 of the raw limit on the fast disk, 0.92 at 2 ms and 0.97 at
//! 10 ms, with at most 1.02 syncs an entry; a hundred clients at 10, 40 and 46 entries a raw sync. `-- 7` for seven rounds.

mod common;

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::common::*;

const DISKS: [u64; 3] = [0, 2, 10];
/// One measurement of a round.
const LENGTH: Duration = Duration::from_millis(1500);
const MANY: usize = 100;

/// Every card and reference of a run is a new one.
struct Work {
    address: SocketAddr,
    tokens: Vec<String>,
    next: AtomicU64,
    day: String,
}

impl Work {
    fn request(&self) -> String {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let token = &self.tokens[usize::try_from(n).unwrap_or(0) % self.tokens.len()];
        registration(self.address, token, &format!("reg-{n}"), &[n], &self.day)
    }
}

/// Figures of one measurement.
struct Figures {
    per_second: f64,
    p99: Duration,
    syncs: f64,
}

fn figures(mut took: Vec<Duration>, length: Duration, syncs: u64) -> Result<Figures, Failed> {
    took.sort_unstable();
    let p99 = *took.get(took.len() * 99 / 100).ok_or("nothing was accepted")?;
    let entries = took.len() as f64;
    Ok(Figures { per_second: entries / length.as_secs_f64(), p99, syncs: syncs as f64 / entries })
}

fn one(work: &Work) -> Result<Vec<Duration>, Failed> {
    let mut stream = TcpStream::connect(work.address)?;
    stream.set_nodelay(true)?;
    let (began, mut took, mut buffer) = (Instant::now(), Vec::new(), Vec::new());
    while began.elapsed() < LENGTH {
        let request = work.request();
        let sent = Instant::now();
        stream.write_all(request.as_bytes())?;
        let (status, body) = answer(&mut stream, &mut buffer)?;
        took.push(sent.elapsed());
        if status != 202 {
            return Err(format!("{status}: {body}").into());
        }
    }
    Ok(took)
}

fn many(work: &Arc<Work>) -> Result<Vec<Duration>, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let began = Instant::now();
        let hands: Vec<_> = (0..MANY).map(|_| tokio::spawn(hand(Arc::clone(work), began))).collect();
        let mut took = Vec::new();
        for hand in hands {
            took.extend(hand.await??);
        }
        Ok(took)
    })
}

async fn hand(work: Arc<Work>, began: Instant) -> Result<Vec<Duration>, Failed> {
    let mut stream = tokio::net::TcpStream::connect(work.address).await?;
    stream.set_nodelay(true)?;
    let (mut took, mut buffer) = (Vec::new(), Vec::with_capacity(8192));
    while began.elapsed() < LENGTH {
        let request = work.request();
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        buffer.clear();
        let whole = loop {
            if let Some(whole) = complete(&buffer)? {
                break whole;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err("the connection was cut".into());
            }
        };
        took.push(sent.elapsed());
        if whole.status != 202 {
            return Err(format!("{}: {}", whole.status, String::from_utf8_lossy(&buffer)).into());
        }
    }
    Ok(took)
}

/// One disk's rounds so far.
#[derive(Default)]
struct Rounds {
    raw: Vec<f64>,
    one: Vec<f64>,
    one_rate: Vec<f64>,
    syncs: Vec<f64>,
    many: Vec<f64>,
    many_rate: Vec<f64>,
    tail: Vec<f64>,
}

struct Place {
    wait: Duration,
    home: Home,
    running: Running,
    work: Arc<Work>,
    rounds: Rounds,
}

fn open(disk: &SlowDisk, millis: u64) -> Result<Place, Failed> {
    let wait = Duration::from_millis(millis);
    let home = Home::new("", "http://127.0.0.1:9", CLIENTS)?;
    let mut command = home.daemon();
    disk.under(&mut command, home.path(), wait, &format!("daemon-{millis}"));
    let (running, _) = home.serve(command)?;
    let work = Work { address: home.address, tokens: home.tokens.clone(), next: AtomicU64::new(1), day: today() };
    // BPJS is away (nobody listens there): after the first try nothing is sent any more.
    one(&work)?;
    std::thread::sleep(Duration::from_secs(1));
    Ok(Place { wait, home, running, work: Arc::new(work), rounds: Rounds::default() })
}

fn round(disk: &SlowDisk, place: &mut Place) -> Result<(), Failed> {
    let name = format!("daemon-{}", place.wait.as_millis());
    let raw = raw(place.home.path(), disk, place.wait, Duration::from_millis(1000))?;
    let measure = |work: &dyn Fn() -> Result<Vec<Duration>, Failed>| {
        let before = disk.syncs(&name);
        let began = Instant::now();
        let took = work()?;
        figures(took, began.elapsed(), disk.syncs(&name) - before)
    };
    let work = Arc::clone(&place.work);
    let single = measure(&|| one(&work))?;
    let hundred = measure(&|| many(&work))?;
    let rounds = &mut place.rounds;
    rounds.raw.push(raw.per_second);
    rounds.one.push(single.per_second / raw.per_second);
    rounds.one_rate.push(single.per_second);
    rounds.syncs.push(single.syncs);
    rounds.many.push(hundred.per_second / raw.per_second);
    rounds.many_rate.push(hundred.per_second);
    rounds.tail.push(hundred.p99.as_secs_f64() / raw.p50.as_secs_f64());
    Ok(())
}

fn main() -> Result<(), Failed> {
    if raw_child()? {
        return Ok(());
    }
    let rounds = std::env::args().find_map(|one| one.parse().ok()).unwrap_or(5);
    let disk = SlowDisk::build()?;
    println!("{}; {rounds} rounds in turns, medians (worst)", machine());
    let mut places = DISKS.iter().map(|millis| open(&disk, *millis)).collect::<Result<Vec<_>, _>>()?;
    for _ in 0..rounds {
        places.iter_mut().try_for_each(|place| round(&disk, place))?;
    }
    println!(
        "{:>6} {:>9} | {:>9} {:>14} {:>12} | {:>9} {:>14} {:>16}",
        "disk", "raw/s", "1 client", "of raw", "syncs/entry", "100", "rows/raw sync", "p99 of raw p50"
    );
    for place in &mut places {
        let one = |values: &mut Vec<f64>| median(values);
        let low = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let seen = &mut place.rounds;
        println!(
            "{:>3} ms {:>9.0} | {:>9.0} {:>7.2} ({:.2}) {:>5.3} ({:.3}) | {:>9.0} {:>7.1} ({:.1}) {:>8.1} ({:.1})",
            place.wait.as_millis(),
            one(&mut seen.raw),
            one(&mut seen.one_rate),
            one(&mut seen.one),
            low(&seen.one),
            one(&mut seen.syncs),
            high(&seen.syncs),
            one(&mut seen.many_rate),
            one(&mut seen.many),
            low(&seen.many),
            one(&mut seen.tail),
            high(&seen.tail),
        );
    }
    let entries: u64 = places.iter().map(|place| place.work.next.load(Ordering::Relaxed) - 1).sum();
    println!("{entries} entries accepted; binary {}", binary().display());
    drop(places.iter().map(|place| place.running.0.id()).collect::<Vec<_>>());
    Ok(())
}
