//! Two stores in step: random walks of every method of the trait, each answer compared.
//!
//! Job: show that a store means by every method what the reference store means. A seed gives a walk; each of its steps
//! draws from the seed and its own place, so a failing walk is made shorter by leaving steps out. Invariants: after some
//! steps every question is asked of both; ids, instants and arguments are the same on both sides, numbers that a store
//! gives out itself (places, tokens, cursors, hashes) are compared by the order in which they were met. Neighbours:
//! `reference` is one side, a real store the other; `conformance` has a case for whatever was found here. What it does
//! not do: threads (the conformance suite calls concurrently), power cuts.
//!
//! Again: `JEMBATAN_WALK=seed cargo test --locked --lib differential::` (`just differ SEED`); longer:
//! `JEMBATAN_WALKS=10000`.

mod antrean_steps;
mod dump;
mod queue_steps;
mod shown;
mod small_steps;
#[cfg(test)]
mod tests;
mod world;

use std::collections::BTreeSet;

use self::world::{Difference, World};
use crate::chance::Chance;

pub(crate) use self::world::Backend;

/// Makes both sides of a walk.
pub(crate) type Pair<'p> = &'p (dyn Fn() -> [Box<dyn Backend>; 2] + Sync);

/// Steps of a walk, and after how many every question is asked.
const STEPS: usize = 90;
const DUMP: usize = 15;
/// Walks at most that shortening may take.
const TRIES: usize = 150;

/// A walk on which the two stores parted.
struct Parted {
    step: usize,
    difference: Difference,
    log: Vec<String>,
}

/// One step: what it does is drawn. Some walks see more of patients' queues, some more of the small tables.
async fn step(world: &mut World, seed: u64) -> Result<(), Difference> {
    world.pass_time();
    let draw = match (world.below(2), seed / 4 % 4) {
        (0, 1) => 99,
        (0, 2) => 70 + world.below(17),
        _ => world.below(100),
    };
    match draw {
        0..13 => queue_steps::accept(world).await,
        13..15 => queue_steps::accept_again(world).await,
        15..18 => queue_steps::gateway_write(world).await,
        18 => queue_steps::provisional(world).await,
        19..33 => queue_steps::claim(world).await,
        33..55 => queue_steps::end(world).await,
        55..64 => queue_steps::act(world).await,
        64..70 => queue_steps::time_and_crashes(world).await,
        70..73 => small_steps::lanes(world).await,
        73..77 => small_steps::outages(world).await,
        77 => small_steps::plans(world).await,
        78..81 => small_steps::reconciliations(world).await,
        81..83 => small_steps::duties(world).await,
        83..87 => small_steps::keep(world).await,
        _ => antrean_steps::antrean(world).await,
    }
}

/// Walks these steps of a seed.
async fn walk(pair: Pair<'_>, seed: u64, steps: &[usize]) -> Result<BTreeSet<String>, Box<Parted>> {
    let mut world = World::new(pair()).await;
    for (walked, &number) in steps.iter().enumerate() {
        world.step = number;
        world.chance = Chance::seeded(seed.wrapping_mul(1_000_003).wrapping_add(u64::try_from(number).unwrap_or(0)));
        let last = walked + 1 == steps.len();
        let mut done = step(&mut world, seed).await;
        if done.is_ok() && (number % DUMP == DUMP - 1 || last) {
            done = dump::dump(&mut world).await;
        }
        if let Err(difference) = done {
            return Err(Box::new(Parted { step: number, difference, log: world.log }));
        }
    }
    Ok(world.seen)
}

/// Leaves out whatever is not needed to part: everything behind, then halves, quarters … of what is left.
async fn shortest(pair: Pair<'_>, seed: u64, first: Box<Parted>) -> (Vec<usize>, Box<Parted>) {
    let mut steps: Vec<usize> = (0..=first.step).collect();
    let mut best = first;
    let (mut size, mut tries) = (steps.len() / 2, 0);
    while size > 0 && tries < TRIES {
        let mut from = 0;
        while from < steps.len() && tries < TRIES {
            tries += 1;
            let kept = steps.iter().enumerate().filter(|(at, _)| *at < from || *at >= from + size);
            let fewer: Vec<usize> = kept.map(|(_, step)| *step).collect();
            match walk(pair, seed, &fewer).await {
                Err(parted) => {
                    steps = fewer.into_iter().filter(|step| *step <= parted.step).collect();
                    best = parted;
                }
                Ok(_) => from += size,
            }
        }
        size = if size == 1 && tries < TRIES && steps.len() > 1 { 0 } else { size / 2 };
    }
    (steps, best)
}

/// Walks a seed whole; where the stores part, the shortest way there is told.
pub(crate) async fn compare(pair: Pair<'_>, seed: u64) -> Result<BTreeSet<String>, String> {
    let steps: Vec<usize> = (0..STEPS).collect();
    match walk(pair, seed, &steps).await {
        Ok(seen) => Ok(seen),
        Err(first) => {
            let (steps, parted) = shortest(pair, seed, first).await;
            Err(format!(
                "seed {seed}: the two stores part after {} steps\n{}\n  in {}again: just differ {seed}\n",
                steps.len(),
                parted.log.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"),
                parted.difference.told(),
            ))
        }
    }
}
