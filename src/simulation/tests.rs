//! Sweeps over seeds.

use super::options::{Backing, Options, Size};
use super::run::run;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn backing() -> Backing {
    if std::env::var("JEMBATAN_STORE").is_ok_and(|word| word == "sqlite") { Backing::Sqlite } else { Backing::Reference }
}

fn one(seed: u64, backing: Backing, size: Size) -> super::run::Outcome {
    let options = Options::of(seed, backing, size);
    let outcome = run(options.clone(), false);
    if let Some((checker, saw)) = &outcome.broken {
        panic!(
            "seed {seed} breaks \"{checker}\": {saw}\n\n{options}\n\n{}\nsee it again: just simulate {seed}",
            outcome.tail
        );
    }
    outcome
}

#[test]
fn one_seed() {
    let seed = number("JEMBATAN_SEED").unwrap_or(1);
    let outcome = one(seed, backing(), Size::Short);
    println!("{:?}\n{} steps, {} entries, {:?} virtual", outcome.reached, outcome.steps, outcome.entries, outcome.virtual_time);
}

#[test]
fn explore() {
    let (from, count) = (number("JEMBATAN_FROM").unwrap_or(1), number("JEMBATAN_SEEDS").unwrap_or(50));
    let begun = std::time::Instant::now();
    let (mut steps, mut entries, mut kills, mut time) = (0, 0, 0, std::time::Duration::ZERO);
    let mut failures = std::collections::BTreeMap::new();
    let mut reached = std::collections::BTreeMap::new();
    for seed in from..from + count {
        let one = std::time::Instant::now();
        let outcome = run(Options::of(seed, backing(), Size::Short), false);
        if one.elapsed().as_millis() > 1500 {
            println!("slow {seed} {:?} {} steps {:?}", one.elapsed(), outcome.steps, outcome.virtual_time);
        }
        steps += outcome.steps;
        entries += outcome.entries;
        kills += outcome.kills;
        time += outcome.virtual_time;
        for (what, count) in outcome.reached {
            *reached.entry(what).or_insert(0) += count;
        }
        if let Some((checker, saw)) = outcome.broken {
            failures.entry(checker).or_insert_with(Vec::new).push((seed, saw));
        }
    }
    println!("{reached:#?}");
    for (checker, all) in &failures {
        println!("{checker}: {} seeds", all.len());
        for (seed, saw) in all.iter().take(4) {
            println!("   {seed}: {}", saw.chars().take(400).collect::<String>());
        }
    }
    println!("{count} seeds, {steps} steps, {entries} entries, {kills} deaths, {} virtual days, {:?}", time.as_secs() / 86400, begun.elapsed());
}
