//! Many seeds: from where, how many, on which stores, and what they came to together.
//!
//! `JEMBATAN_FROM` and `JEMBATAN_SEEDS` choose them, `JEMBATAN_STORE=sqlite|reference|both` the store, `JEMBATAN_SIZE=long`
//! how much a seed is, `JEMBATAN_THREADS` how many run side by side (each run is one thread's).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::options::{Backing, Options, Size};
use super::run::{Outcome, run};

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

/// A short seed that takes longer is named.
const SLOW: Duration = Duration::from_secs(10);

/// From so many seeds on a sweep must have met all of [`SOMETIMES`].
const MANY: u64 = 500;

const SOMETIMES: [&str; 71] = [
    "202 lost",
    "absent",
    "accepted",
    "already_there",
    "ambiguous",
    "amended",
    "answer came too late",
    "backup put back",
    "BPJS down",
    "cancelled by a person",
    "claimed to look up",
    "clock ahead",
    "clock behind",
    "commit done and called failed",
    "commit of unknown outcome",
    "copy shown by reconciliation",
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
    "outage classified",
    "password changed",
    "power cut between two writes",
    "rate_limited",
    "recorded too late",
    "redated",
    "refused",
    "request lost after giving up",
    "retried by a person",
    "sent again after look-ups",
    "stalled until another held it",
    "the SIM was cut off",
    "the second answer ended nothing",
    "unavailable",
    "unreadable",
    "weather: everything vanishes",
    "weather: no names",
    "weather: no way",
    "weather: too many requests",
];

/// What twice as many seeds must have met besides.
const RARELY: [&str; 1] = ["expired"];

pub(super) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

pub(super) fn word(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// The store that a seed is run on: of both, two thirds on SQLite.
pub(super) fn backing(seed: u64) -> Backing {
    match word("JEMBATAN_STORE").as_str() {
        "reference" => Backing::Reference,
        "both" if (seed / 6) % 3 == 2 => Backing::Reference,
        _sqlite => Backing::Sqlite,
    }
}

pub(super) fn size() -> Size {
    if word("JEMBATAN_SIZE") == "long" { Size::Long } else { Size::Short }
}

/// The command that shows a run again.
pub(super) fn again(options: &Options) -> String {
    let store = match options.backing {
        Backing::Sqlite => "sqlite",
        Backing::Reference => "reference",
    };
    let size = match options.size {
        Size::Short => "short",
        Size::Long => "long",
    };
    format!(
        "JEMBATAN_STORE={store} JEMBATAN_SIZE={size} JEMBATAN_SEED={} \
         cargo test --locked --features failpoints --lib simulation::tests::one_seed -- --exact --nocapture",
        options.seed
    )
}

/// A broken promise as it is told: what, in which world, after what, and how to see it again.
pub(super) fn told(options: &Options, outcome: &Outcome) -> Option<String> {
    let (checker, saw) = outcome.broken.as_ref()?;
    let (seed, tail, again) = (options.seed, &outcome.tail, again(options));
    Some(format!("seed {seed} breaks \"{checker}\": {saw}\n\n{options}\n\n{tail}\nsee it again: {again}"))
}

/// Runs a seed; a panic of the run itself is a broken promise too.
pub(super) fn one(options: Options) -> Outcome {
    let caught = catch_unwind(AssertUnwindSafe(|| run(options, false)));
    caught.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        Outcome { broken: Some(("nothing panics", words.unwrap_or_default())), ..Outcome::default() }
    })
}

/// What many runs came to.
#[derive(Default)]
pub(super) struct Sum {
    seeds: u64,
    steps: u64,
    entries: usize,
    kills: u64,
    copies: usize,
    time: Duration,
    pub(super) reached: BTreeMap<&'static str, u64>,
    broken: BTreeMap<&'static str, Vec<(u64, String, String)>>,
    /// The first broken promise, in full.
    first: Option<String>,
}

impl Sum {
    pub(super) fn add(&mut self, options: &Options, outcome: Outcome) {
        let told = told(options, &outcome);
        if let Some(told) = told {
            self.first.get_or_insert(told);
        }
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
            self.broken.entry(checker).or_default().push((options.seed, again(options), saw));
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// Which promises were broken, by which seeds.
    pub(super) fn damage(&self) -> String {
        let mut told = self.first.clone().unwrap_or_default();
        for (checker, all) in &self.broken {
            let _ = write!(told, "\nBROKEN {checker}: {} seeds", all.len());
            for (seed, again, saw) in all.iter().take(6) {
                let _ = write!(
                    told,
                    "\n    {seed}: {}\n    see it again: {again}",
                    saw.chars().take(500).collect::<String>()
                );
            }
        }
        told
    }

    /// What so many seeds should have met and did not.
    pub(super) fn missed(&self) -> Vec<&'static str> {
        let wanted: &[&str] = match self.seeds {
            MANY.. => &SOMETIMES,
            25.. => &ALWAYS,
            _few => &[],
        };
        let rarely: &[&str] = if self.seeds >= 2 * MANY { &RARELY } else { &[] };
        wanted.iter().chain(rarely).copied().filter(|what| !self.reached.contains_key(what)).collect()
    }

    fn faults(&self) -> u64 {
        let faulty = |what: &str| {
            ["net: ", "weather: ", "BPJS down", "killed", "clock ", "disk", "power cut", "commit of", "password ch"]
                .iter()
                .any(|start| what.starts_with(start))
        };
        self.reached.iter().filter(|(what, _)| faulty(what)).map(|(_, count)| count).sum()
    }

    pub(super) fn line(&self, took: Duration) -> String {
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

/// Runs seeds side by side until all are done, or, with `until_broken`, until one breaks a promise.
pub(super) fn many(from: u64, count: u64, store: fn(u64) -> Backing, size: Size, until_broken: bool) -> Sum {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = number("JEMBATAN_THREADS").unwrap_or_else(|| u64::try_from(cores).unwrap_or(1));
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let enough = until_broken && sum.lock().unwrap_or_else(PoisonError::into_inner).is_broken();
            if number >= count || enough {
                return;
            }
            let options = Options::of(from + number, store(from + number), size);
            let begun = Instant::now();
            let outcome = one(options.clone());
            if begun.elapsed() > SLOW && size == Size::Short {
                println!("slow, {:?}: {}", begun.elapsed(), again(&options));
            }
            // At once: a sweep may be long, and what ends it early must not take the finding with it.
            if let Some((checker, saw)) = &outcome.broken {
                println!("broken: {checker}: {saw}\nsee it again: {}", again(&options));
            }
            sum.lock().unwrap_or_else(PoisonError::into_inner).add(&options, outcome);
        }
    };
    std::thread::scope(|scope| (0..threads.min(count)).for_each(|_| drop(scope.spawn(work))));
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}
