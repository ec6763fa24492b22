//! How little of a small server the daemon takes: `cargo bench --bench footprint`.
//!
//! The real binary on an empty store: memory at rest, size, time from exec to the first 200; memory while it drains ten
//! thousand entries to the simulator; then, with a million waiting (`-- 1000000`, else fifty thousand), killed by SIGKILL
//! while it accepts, the time from exec to the first 200 and its memory. Beside it an idle node. Goals: 12 MiB idle,
//! 32 MiB while draining, 20 MB, 15 ms empty, 100 ms after the kill.

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::*;

const STARTS: usize = 15;
const DRAINED: u64 = 10_000;
/// Entries of one submission while a store is filled.
const HEAP: u64 = 100;

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Hands in `entries` entries, a hundred a submission, on four connections. Cards and references begin at `from`.
fn fill(home: &Home, from: u64, entries: u64) -> Result<Duration, Failed> {
    let (began, day) = (Instant::now(), today());
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..4_u64)
            .map(|own| {
                let day = &day;
                scope.spawn(move || -> Result<(), Failed> {
                    let mut stream = TcpStream::connect(home.address)?;
                    let mut buffer = Vec::new();
                    for heap in (0..entries / HEAP).filter(|heap| heap % 4 == own) {
                        let first = from + heap * HEAP;
                        let cards: Vec<u64> = (first..first + HEAP).collect();
                        let token = &home.tokens[usize::try_from(heap).unwrap_or(0) % home.tokens.len()];
                        let request = registration(home.address, token, &format!("isi-{first}"), &cards, day);
                        stream.write_all(request.as_bytes())?;
                        let (status, body) = answer(&mut stream, &mut buffer)?;
                        if status != 202 {
                            return Err(format!("{status}: {body}").into());
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        hands.into_iter().try_for_each(|hand| hand.join().unwrap_or_else(|_| Err("a hand panicked".into())))
    })?;
    Ok(began.elapsed())
}

fn idle() -> Result<(), Failed> {
    let home = Home::new("", "http://127.0.0.1:9", 1)?;
    let (mut starts, mut rest) = (Vec::new(), (0, 0));
    for turn in 0..STARTS {
        let (running, took) = home.serve(home.daemon())?;
        // The first creates the database.
        if turn > 0 {
            starts.push(took.as_secs_f64() * 1e3);
        }
        if turn + 1 == STARTS {
            std::thread::sleep(Duration::from_secs(5));
            rest = memory(running.0.id())?;
        }
    }
    let worst = starts.iter().copied().fold(0.0, f64::max);
    let size = std::fs::metadata(binary())?.len();
    println!("idle RSS {:.1} MiB, of it anonymous {:.1} MiB", mib(rest.0), mib(rest.1));
    println!("binary {:.1} MB", size as f64 / 1e6);
    println!(
        "exec to first 200, empty store: {:.1} ms median of {} (worst {worst:.1})",
        median(&mut starts),
        STARTS - 1
    );
    let node = Command::new("node").args(["-e", "require('http').createServer(()=>{}).listen(0)"]).spawn();
    if let Ok(node) = node {
        let node = Running(node);
        std::thread::sleep(Duration::from_secs(2));
        println!("beside it an idle node with a bare http server: {:.1} MiB", mib(memory(node.0.id())?.0));
    }
    Ok(())
}

fn drain() -> Result<(), Failed> {
    let mut child = Command::new(binary())
        .args(["simulate", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let first = lines.next().ok_or("the simulator said nothing")??;
    let simulator = Running(child);
    let address = first.split("http://").nth(1).and_then(|rest| rest.split('/').next()).ok_or("no address")?.to_owned();
    let remote = "rate_per_second = 0\nconcurrency = 8";
    let home = Home::new(remote, &format!("http://{address}"), CLIENTS)?;
    let (running, _) = home.serve(home.daemon())?;
    home.run(&["pause", "--reason", "pengukuran"], "")?;
    fill(&home, 1, DRAINED)?;
    home.run(&["resume", "--reason", "pengukuran"], "")?;
    let (began, mut most) = (Instant::now(), 0);
    loop {
        most = most.max(memory(running.0.id())?.0);
        // As the operator: a client sees only what it handed in.
        let listed: Value =
            serde_json::from_str(&home.run(&["queue", "list", "--state", "waiting", "--limit", "1", "--json"], "")?)?;
        if listed["items"].as_array().is_some_and(Vec::is_empty) && listed["next"].is_null() {
            break;
        }
        if began.elapsed() > Duration::from_secs(240) {
            return Err("it does not drain".into());
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    let rate = DRAINED as f64 / began.elapsed().as_secs_f64();
    println!("RSS at most while {DRAINED} entries drain: {:.1} MiB ({rate:.0} entries/s, no rate limit)", mib(most));
    drop(simulator);
    Ok(())
}

fn killed(waiting: u64) -> Result<(), Failed> {
    let home = Home::new("", "http://127.0.0.1:9", CLIENTS)?;
    let (mut running, _) = home.serve(home.daemon())?;
    fill(&home, 1, 1000)?;
    let small = memory(running.0.id())?.0;
    let took = fill(&home, 1001, waiting - 1000)?;
    let large = memory(running.0.id())?.0;
    println!(
        "filled with {waiting} waiting entries in {:.0} s over HTTP; RSS {:.1} MiB, with 1 000 it was {:.1} MiB",
        took.as_secs_f64(),
        mib(large),
        mib(small)
    );
    let (mut starts, mut logs) = (Vec::new(), Vec::new());
    for turn in 0..5_u64 {
        // While it accepts: the log then holds what no checkpoint has moved yet.
        std::thread::scope(|scope| {
            let hand = scope.spawn(|| fill(&home, waiting + 1 + turn * 1_000_000, 1_000_000));
            std::thread::sleep(Duration::from_millis(1500));
            let killed = running.0.kill();
            drop(hand.join());
            killed
        })?;
        running.0.wait()?;
        logs.push(std::fs::metadata(home.path().join("jembatan.db-wal")).map_or(0, |meta| meta.len()));
        let (next, took) = home.serve(home.daemon())?;
        starts.push(took.as_secs_f64() * 1e3);
        running = next;
    }
    std::thread::sleep(Duration::from_secs(5));
    let size = std::fs::metadata(home.path().join("jembatan.db"))?.len();
    let worst = starts.iter().copied().fold(0.0, f64::max);
    println!(
        "killed while accepting, {:.2} GB, log of {} MB: exec to first 200 {:.0} ms median of 5 (worst {worst:.0}); RSS then {:.1} MiB",
        size as f64 / 1e9,
        logs.iter().max().unwrap_or(&0) / 1_000_000,
        median(&mut starts),
        mib(memory(running.0.id())?.0)
    );
    Ok(())
}

fn main() -> Result<(), Failed> {
    let waiting = std::env::args().find_map(|one| one.parse().ok()).unwrap_or(50_000);
    println!("{}; binary {}", machine(), binary().display());
    idle()?;
    drain()?;
    killed(waiting)
}
