//! Sweeps over seeds; `sweep` says what the environment chooses.

use std::process::Command;
use std::time::{Duration, Instant};

use super::options::{Backing, Options, Policy, Size};
use super::run::run;
use super::sweep::{Sum, backing, many, number, one, size, told, word};

/// Seeds of a sweep among the unit tests: a debug build takes about a second for one. `just simulate-many` runs thousands.
const SEEDS: u64 = 4;

fn sweep(backing: fn(u64) -> Backing, shard: u64) {
    let begun = Instant::now();
    let sum = many(shard * 1_000_000 + 1, SEEDS, backing, Size::Short, false);
    println!("{}", sum.line(begun.elapsed()));
    assert!(!sum.is_broken(), "{}", sum.damage());
}

#[test]
fn promises_hold_on_sqlite_in_the_first_sweep() {
    sweep(|_| Backing::Sqlite, 0);
}

#[test]
fn promises_hold_on_sqlite_in_the_second_sweep() {
    sweep(|_| Backing::Sqlite, 1);
}

#[test]
fn promises_hold_on_the_reference_store() {
    sweep(|_| Backing::Reference, 2);
}

#[test]
fn a_seed_gives_the_same_run_twice() {
    for (seed, backing) in [3, 5, 13].into_iter().flat_map(|seed| [(seed, Backing::Sqlite), (seed, Backing::Reference)])
    {
        let [first, second] = [(), ()].map(|()| run(Options::of(seed, backing, Size::Short), true));
        if first.hash != second.hash {
            let (first, second) = (first.whole.unwrap_or_default(), second.whole.unwrap_or_default());
            let at = first.iter().zip(&second).position(|(a, b)| a != b).unwrap_or(first.len().min(second.len()));
            let near = |events: &[(u64, &str, u64, u64)]| {
                format!("{:?}", events.iter().skip(at.saturating_sub(3)).take(6).collect::<Vec<_>>())
            };
            panic!("seed {seed} on {backing:?} differs from event {at} on:\n{}\n{}", near(&first), near(&second));
        }
    }
}

/// Nothing but lost answers and rows shown late: a seed takes a moment.
fn late_rows(seed: u64) -> Options {
    let mut options = Options::of(seed, Backing::Reference, Size::Short);
    options.broken = false;
    (options.hidden, options.network, options.patients) = (900, 350, 6);
    (options.episodes, options.kills, options.disk, options.steps, options.mood) = (0, 0, 0, 0, 0);
    (options.restore, options.staff, options.moves, options.lost_accepts) = (false, false, false, 0);
    (options.span, options.settle) = (Duration::from_secs(60), Duration::from_secs(10));
    options.request_timeout = Duration::from_secs(1);
    options
}

/// The control: a bridge that believes a look-up at once makes copies where answers are lost and rows are shown late. If
/// this run shows none, the simulation proves nothing.
#[test]
fn a_bridge_that_does_not_wait_for_settle_makes_copies() {
    let naive = |seed| run(Options { policy: Policy::Naive, ..late_rows(seed) }, false);
    let found = (1..=20).find(|&seed| naive(seed).broken.is_some_and(|(checker, _)| checker == "never twice"));
    println!("the first copy came with seed {found:?}");
    let seed = found.expect("twenty seeds of a naive bridge made no copy");
    // What is told of it is enough to see it again.
    let options = Options { policy: Policy::Naive, ..late_rows(seed) };
    let told = told(&options, &run(options.clone(), false)).unwrap_or_default();
    let again = format!("JEMBATAN_STORE=reference JEMBATAN_SIZE=short JEMBATAN_SEED={seed} cargo test ");
    assert!(told.contains(&again) && told.contains("settle") && told.contains("BROKEN"), "{told}");
}

/// The stated assumption broken on purpose: BPJS shows what it has only long after settle. Copies are made, and each is in
/// the reconciliation's report (the checker "reconciliation shows copies"); nothing else breaks.
#[test]
fn what_is_shown_long_after_settle_makes_copies_and_the_reconciliation_shows_each() {
    let mut copies = 0;
    for seed in 1..=20 {
        let outcome = run(Options { broken: true, ..late_rows(seed) }, false);
        assert!(outcome.broken.is_none(), "seed {seed}: {:?}\n{}", outcome.broken, outcome.tail);
        copies += outcome.copies;
    }
    println!("{copies} copies in twenty seeds");
    assert!(copies > 0, "twenty seeds made no copy");
}

/// What a map's order or an address decides would differ between two processes.
#[test]
fn a_seed_gives_the_same_run_in_another_process() {
    for (seed, store) in [(7, Backing::Sqlite), (8, Backing::Reference)] {
        let here = format!("hash {:016x}", run(Options::of(seed, store, Size::Short), false).hash);
        let name = if store == Backing::Sqlite { "sqlite" } else { "reference" };
        let there = Command::new(std::env::current_exe().unwrap())
            .args(["simulation::tests::one_seed", "--exact", "--nocapture"])
            .env("JEMBATAN_SEED", seed.to_string())
            .env("JEMBATAN_STORE", name)
            .env("JEMBATAN_SIZE", "short")
            .output();
        let said = String::from_utf8_lossy(&there.unwrap().stdout).into_owned();
        assert!(said.contains(&here), "seed {seed} on {name}: {here} here, there\n{said}");
    }
}

/// `just simulate SEED`; with `JEMBATAN_EVENTS` every event of the run, to hold two of them against each other.
#[test]
fn one_seed() {
    let seed = number("JEMBATAN_SEED").unwrap_or(1);
    let options = Options::of(seed, backing(seed), size());
    if !word("JEMBATAN_EVENTS").is_empty() {
        run(options.clone(), true).whole.unwrap_or_default().iter().for_each(|event| println!("{event:?}"));
    }
    println!("{options}");
    let begun = Instant::now();
    let outcome = one(options.clone());
    assert!(outcome.broken.is_none(), "{}", told(&options, &outcome).unwrap_or_default());
    println!("hash {:016x}", outcome.hash);
    let mut sum = Sum::default();
    sum.add(&options, outcome);
    println!("{:#?}\n{}", sum.reached, sum.line(begun.elapsed()));
}

/// `just simulate-many N`: goes on after a broken promise and lists them at the end.
#[test]
fn many_seeds() {
    let (from, count) = (number("JEMBATAN_FROM").unwrap_or(1), number("JEMBATAN_SEEDS").unwrap_or(2));
    let begun = Instant::now();
    let sum = many(from, count, backing, size(), !word("JEMBATAN_UNTIL_BROKEN").is_empty());
    println!("{:#?}\n{}", sum.reached, sum.line(begun.elapsed()));
    assert!(!sum.is_broken(), "{}", sum.damage());
    let missed = sum.missed();
    assert!(missed.is_empty(), "never reached in {count} seeds: {missed:?}");
}
