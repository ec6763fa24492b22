//! What waits takes room on the disk and not in memory: however long BPJS is away, the process is not killed for it.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bridge::{Bridge, FACILITY, Setup, card, daftar, kunjungan, submission, yesterday};

/// Patients of a submission, each with a registration and a visit: with all their texts it is about 230 KB, below the
/// 256 KiB that a body may have.
const PATIENTS: u32 = 18;
/// Letters of a text: the most that a field takes.
const TEXT: usize = 2_000;
/// Long texts of a visit, besides the one of the registration.
const TEXTS: [&str; 5] = ["keluhan", "anamnesa", "terapiObat", "terapiNonObat", "bmhp"];
/// Submissions before the first look: 324 entries. They are as large as the later ones, so that whatever the process
/// takes once and keeps (its heap for the largest request, SQLite's pages) is there already.
const BEFORE: u32 = 9;
/// Submissions after it: 4 032 entries. All of them are fewer than the 200 requests that a client may make at once.
const AFTER: u32 = 112;
/// KiB by which the process may have grown after the later ones, which are over 24 MiB of JSON.
///
/// Whoever kept the content of what waits in memory, however tightly packed, would grow by all of that, which is twice
/// the bound, and as parsed JSON by more. What may grow all the same does not depend on how much waits: SQLite keeps up
/// to 2 MB of pages for each connection, and of the one that writes and the four that read not all need have filled
/// theirs at the first look; and the heap keeps holes between what a request of 230 KB needs for a moment.
const MAY_GROW: u64 = 12 * 1024;
/// How long it may take to come to rest; over at once where it does not grow.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body as large as may be, of patients of its own.
fn large_submission(number: u32) -> Value {
    let (day, text) = (yesterday(), "x".repeat(TEXT));
    let mut entries = Vec::new();
    for patient in 0..PATIENTS {
        let card = card(number * PATIENTS + patient);
        let (mut first, mut then) = (daftar(&card, day), kunjungan(&card, day));
        let name = format!("daftar-{patient}");
        first["ref"] = json!(name);
        first["payload"]["keluhan"] = json!(text);
        then["ref"] = json!(format!("kunjungan-{patient}"));
        then["after"] = json!([name]);
        for field in TEXTS {
            then["payload"][field] = json!(text);
        }
        entries.extend([first, then]);
    }
    submission(&format!("s{number}"), &entries)
}

/// Hands these in, one after the other; how many KiB they are, and the last one's id.
fn hand_in(bridge: &Bridge, numbers: std::ops::Range<u32>) -> (u64, String) {
    let (mut bytes, mut last) = (0, String::new());
    for number in numbers {
        let body = large_submission(number);
        bytes += body.to_string().len() as u64;
        last = bridge.submit(&body);
    }
    (bytes / 1024, last)
}

/// KiB of memory of the daemon's own, in the machine or swapped out. What it has mapped of files is not counted: the
/// system takes that back whenever it wants to.
fn own_memory(bridge: &Bridge) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", bridge.pid())).unwrap();
    let of = |name: &str| -> u64 {
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
    };
    of("RssAnon:") + of("VmSwap:")
}

/// The least of a second's readings: what a look-around needs for a moment goes by.
fn at_rest(bridge: &Bridge) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(100));
        least = least.min(own_memory(bridge));
    }
    least
}

#[test]
fn four_thousand_entries_more_that_wait_take_no_more_memory_than_three_hundred() {
    let mut bridge = Bridge::stopped(&Setup::default());
    // One heap for all threads: with several it would be chance which of them has served a large request before the
    // first look, and which one does only after it.
    bridge.env.push(("MALLOC_ARENA_MAX".to_owned(), "1".to_owned()));
    bridge.start();
    bridge.pause(FACILITY, true);
    let (first, _) = hand_in(&bridge, 0..BEFORE);
    let before = at_rest(&bridge);
    let (more, last) = hand_in(&bridge, BEFORE..BEFORE + AFTER);
    assert!(more > MAY_GROW * 3 / 2, "the bound says nothing about {more} KiB");
    // What was handed in is not kept anywhere else: it waits, all of it, and comes to rest below the bound.
    let (limit, began) = (before + MAY_GROW, Instant::now());
    let mut after = at_rest(&bridge);
    while after > limit && began.elapsed() < PATIENCE {
        after = at_rest(&bridge);
    }
    println!("{before} KiB with {first} KiB waiting, {after} KiB with {more} KiB more");
    assert!(after <= limit, "{before} KiB with {first} KiB waiting, {after} KiB with {more} KiB more");
    let entries = bridge.entries(&last);
    assert_eq!(entries.len(), 2 * PATIENTS as usize);
    assert!(entries.values().all(|one| one["state"] == "waiting"), "{entries:#?}");
    assert_eq!(bridge.writes(), 0, "nothing was sent meanwhile");
}
