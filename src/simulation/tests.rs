//! Sweeps over seeds. `JEMBATAN_SEED` runs one seed, `JEMBATAN_SEEDS` and `JEMBATAN_FROM` choose how many and from where,
//! `JEMBATAN_STORE=sqlite|reference` on which store, `JEMBATAN_SIZE=long` how much a seed is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::options::{Backing, Options, Policy, Size};
use super::run::{Outcome, run};

/// Seeds of a sweep in CI, unless `JEMBATAN_SEEDS` says otherwise.
const SEEDS: u64 = 4;

/// What any sweep must have met at least once: a fault that never strikes proves nothing.
const ALWAYS: [&str; 9] = [
    "202 lost",
    "absent",
    "claimed to look up",
    "delivered: accepted",
    "delivered: adopted",
    "found",
    "net: answer lost",
    "no_answer",
    "process gone",
];

/// From so many seeds on a sweep must have met all of [`SOMETIMES`].
const MANY: u64 = 500;

const SOMETIMES: [&str; 58] = [
    "202 lost",
    "absent",
    "accepted",
    "already_there",
    "ambiguous",
    "amended",
    "answer came too late",
    "BPJS down",
    "cancelled by a person",
    "claimed to look up",
    "clock ahead",
    "clock behind",
    "commit of unknown outcome",
    "declared absent",
    "delivered: accepted",
    "delivered: adopted",
    "delivered: already there",
    "disk full",
    "failed",
    "fault",
    "found",
    "handed in again",
    "held: ambiguous",
    "held: operator",
    "held: prerequisite",
    "killed after a commit",
    "killed after sending",
    "killed at a time",
    "killed before a commit",
    "killed before sending",
    "landed after giving up",
    "lane goes on",
    "lane stopped",
    "leases lost",
    "net: HTML",
    "net: answer cut short",
    "net: answer delivered twice",
    "net: answer lost",
    "net: delayed beyond the timeout",
    "net: garbled answer",
    "net: no connection",
    "net: no name",
    "net: request lost",
    "net: reset after landing",
    "net: reset before landing",
    "net: too many requests",
    "no_answer",
    "not_authorised",
    "not_sent",
    "password changed",
    "rate_limited",
    "refused",
    "request lost after giving up",
    "retried by a person",
    "sent again after look-ups",
    "the SIM was cut off",
    "unavailable",
    "unreadable",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn word(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn backing() -> Backing {
    if word("JEMBATAN_STORE") == "reference" { Backing::Reference } else { Backing::Sqlite }
}

fn size() -> Size {
    if word("JEMBATAN_SIZE") == "long" { Size::Long } else { Size::Short }
}

/// What many runs came to.
#[derive(Default)]
struct Sum {
    seeds: u64,
    steps: u64,
    entries: usize,
    kills: u64,
    copies: usize,
    time: Duration,
    reached: BTreeMap<&'static str, u64>,
    broken: BTreeMap<&'static str, Vec<(u64, String)>>,
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.entries += outcome.entries;
        self.kills += outcome.kills;
        self.copies += outcome.copies;
        self.time += outcome.virtual_time;
        for (what, count) in outcome.reached {
            *self.reached.entry(what).or_default() += count;
        }
        if let Some((checker, saw)) = outcome.broken {
            self.broken.entry(checker).or_default().push((seed, saw));
        }
    }

    fn faults(&self) -> u64 {
        let faulty = |what: &str| {
            ["net: ", "weather: ", "BPJS down", "killed", "clock ", "disk", "power cut", "commit of", "password ch"]
                .iter()
                .any(|start| what.starts_with(start))
        };
        self.reached.iter().filter(|(what, _)| faulty(what)).map(|(_, count)| count).sum()
    }

    fn line(&self, took: Duration) -> String {
        format!(
            "{} seeds, {} steps, {} entries, {} deaths, {} faults, {} copies, {:.1} virtual days in {:.1} s ({:.0} x real time)",
            self.seeds,
            self.steps,
            self.entries,
            self.kills,
            self.faults(),
            self.copies,
            self.time.as_secs_f64() / 86_400.0,
            took.as_secs_f64(),
            self.time.as_secs_f64() / took.as_secs_f64().max(0.001),
        )
    }
}

fn checked(options: Options) -> Outcome {
    let (seed, backing) = (options.seed, options.backing);
    let outcome = run(options.clone(), false);
    if let Some((checker, saw)) = &outcome.broken {
        let tail = &outcome.tail;
        panic!(
            "seed {seed} breaks \"{checker}\": {saw}\n\n{options}\n\n{tail}\nsee it again: just simulate {seed} ({backing:?})"
        );
    }
    outcome
}

fn sweep(backing: Backing, shard: u64) {
    let (begun, seeds) = (Instant::now(), number("JEMBATAN_SEEDS").unwrap_or(SEEDS));
    let mut sum = Sum::default();
    for seed in (1..=seeds).map(|n| shard * 1_000_000 + n) {
        sum.add(seed, checked(Options::of(seed, backing, Size::Short)));
    }
    println!("{}", sum.line(begun.elapsed()));
    let wanted: &[&str] = match seeds {
        MANY.. => &SOMETIMES,
        25.. => &ALWAYS,
        _few => &[],
    };
    let missed: Vec<&&str> = wanted.iter().filter(|what| !sum.reached.contains_key(**what)).collect();
    assert!(missed.is_empty(), "never reached in {seeds} seeds: {missed:?}");
}

#[test]
fn promises_hold_on_sqlite_in_the_first_sweep() {
    sweep(Backing::Sqlite, 0);
}

#[test]
fn promises_hold_on_sqlite_in_the_second_sweep() {
    sweep(Backing::Sqlite, 1);
}

#[test]
fn promises_hold_on_the_reference_store() {
    sweep(Backing::Reference, 2);
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

/// The control: a bridge that believes a look-up at once makes copies where answers are lost and rows are shown late. If
/// this run shows none, the simulation proves nothing.
#[test]
fn a_bridge_that_does_not_wait_for_settle_makes_copies() {
    let naive = |seed| {
        let mut options = Options::of(seed, Backing::Reference, Size::Short);
        (options.policy, options.broken) = (Policy::Naive, false);
        (options.hidden, options.network, options.patients) = (900, 350, 6);
        // Nothing but lost answers and rows shown late: a seed takes a moment.
        (options.episodes, options.kills, options.disk, options.steps, options.mood) = (0, 0, 0, 0, 0);
        (options.restore, options.staff, options.lost_accepts) = (false, false, 0);
        (options.span, options.settle) = (Duration::from_secs(60), Duration::from_secs(10));
        options.request_timeout = Duration::from_secs(1);
        run(options, false)
    };
    let found = (1..=20).find(|&seed| naive(seed).broken.is_some_and(|(checker, _)| checker == "never twice"));
    println!("the first copy came with seed {found:?}");
    assert!(found.is_some(), "twenty seeds of a naive bridge made no copy");
}

/// `just simulate SEED`.
#[test]
fn one_seed() {
    let seed = number("JEMBATAN_SEED").unwrap_or(1);
    let options = Options::of(seed, backing(), size());
    println!("{options}");
    let begun = Instant::now();
    let outcome = checked(options);
    let mut sum = Sum::default();
    sum.add(seed, outcome);
    println!("{:#?}\n{}", sum.reached, sum.line(begun.elapsed()));
}

/// `just simulate-many N`: goes on after a broken promise and lists them at the end.
#[test]
fn many_seeds() {
    let (from, count) = (number("JEMBATAN_FROM").unwrap_or(1), number("JEMBATAN_SEEDS").unwrap_or(2));
    let begun = Instant::now();
    let mut sum = Sum::default();
    for seed in from..from + count {
        let one = Instant::now();
        let outcome = run(Options::of(seed, backing(), size()), false);
        if one.elapsed() > Duration::from_secs(5) && size() == Size::Short {
            println!("slow: seed {seed}, {:?}, {} steps, {:?}", one.elapsed(), outcome.steps, outcome.virtual_time);
        }
        sum.add(seed, outcome);
        if !word("JEMBATAN_UNTIL_BROKEN").is_empty() && !sum.broken.is_empty() {
            break;
        }
    }
    println!("{:#?}", sum.reached);
    for (checker, all) in &sum.broken {
        println!("BROKEN {checker}: {} seeds", all.len());
        all.iter()
            .take(6)
            .for_each(|(seed, saw)| println!("    {seed}: {}", saw.chars().take(500).collect::<String>()));
    }
    println!("{}", sum.line(begun.elapsed()));
    assert!(sum.broken.is_empty(), "promises broken");
}
