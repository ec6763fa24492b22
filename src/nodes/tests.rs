//! Ownership: even, whole, quiet once it is even, and never two holders.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::nodes::turn as decide;

const TERM: Duration = Duration::from_secs(15);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

/// The database as far as ownership goes, with the same conditions as the statements of the backend.
#[derive(Debug, Clone)]
struct World {
    now: Timestamp,
    nodes: Vec<(NodeRow, u32)>,
    owners: Vec<OwnerRow>,
    moves: usize,
}

impl World {
    fn new() -> Self {
        Self { now: at(0), nodes: Vec::new(), owners: Vec::new(), moves: 0 }
    }

    fn facilities(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("0114A{n:03}")).collect()
    }

    fn boot(&self, name: &str) -> String {
        let start = self.nodes.iter().find(|(node, _)| node.name == name).map_or(0, |(_, start)| *start);
        format!("{name}-{start}")
    }

    fn start(&mut self, name: &str) {
        match self.nodes.iter_mut().find(|(node, _)| node.name == name) {
            Some((_, start)) => *start += 1,
            None => {
                let node = NodeRow {
                    name: name.to_owned(),
                    schema: 1,
                    program: "0.1.0".to_owned(),
                    seen_at: self.now,
                    until: self.now,
                    skew: SignedDuration::ZERO,
                };
                self.nodes.push((node, 1));
                self.nodes.sort_by(|one, other| one.0.name.cmp(&other.0.name));
            }
        }
    }

    fn view(&self, name: &str) -> Nodes {
        Nodes {
            now: self.now,
            me: name.to_owned(),
            boot: self.boot(name),
            nodes: self.nodes.iter().map(|(node, _)| node.clone()).collect(),
            owners: self.owners.clone(),
        }
    }

    /// One turn of a node: renew, decide, carry out.
    fn turn(&mut self, name: &str, facilities: &[String]) -> usize {
        let (now, boot) = (self.now, self.boot(name));
        for (node, _) in &mut self.nodes {
            if node.name == name {
                (node.seen_at, node.until) = (now, now + TERM);
            }
        }
        for row in &mut self.owners {
            if row.boot == boot && row.node.as_deref() == Some(name) && row.until > now {
                row.until = now + TERM;
            }
        }
        let steps = decide(&self.view(name), facilities);
        for step in &steps {
            self.carry_out(name, &boot, step);
        }
        steps.len()
    }

    fn carry_out(&mut self, name: &str, boot: &str, step: &OwnerChange) {
        let now = self.now;
        match step {
            OwnerChange::Take { facility } => {
                if !self.owners.iter().any(|row| row.facility == *facility) {
                    self.owners.push(OwnerRow {
                        facility: facility.clone(),
                        node: None,
                        boot: String::new(),
                        token: 0,
                        until: now,
                        since: now,
                        leaving: false,
                        busy: false,
                    });
                }
                let row = self.owners.iter_mut().find(|row| row.facility == *facility).unwrap();
                if row.node.is_none() || row.until <= now || row.node.as_deref() == Some(name) {
                    self.moves += 1;
                    (row.node, row.boot) = (Some(name.to_owned()), boot.to_owned());
                    (row.until, row.since, row.leaving) = (now + TERM, now, false);
                    row.token += 1;
                }
            }
            OwnerChange::GiveUp { facility } => {
                if let Some(row) = self.owners.iter_mut().find(|row| row.facility == *facility && row.boot == boot) {
                    row.leaving = true;
                }
            }
            OwnerChange::Free { facility } => {
                if let Some(row) = self.owners.iter_mut().find(|row| row.facility == *facility && row.boot == boot) {
                    assert!(row.leaving && !row.busy, "freed what is in use");
                    (row.node, row.leaving) = (None, false);
                }
            }
        }
    }

    /// Everybody's turn, `rounds` times, two seconds apart.
    fn rounds(&mut self, names: &[&str], facilities: &[String], rounds: usize) {
        for _ in 0..rounds {
            self.now += Duration::from_secs(2);
            for name in names {
                self.turn(name, facilities);
            }
        }
    }

    fn counts(&self, names: &[&str]) -> Vec<usize> {
        let held = |name: &str| {
            let mine = |row: &&OwnerRow| row.until > self.now && row.node.as_deref() == Some(name) && !row.leaving;
            self.owners.iter().filter(mine).count()
        };
        names.iter().map(|name| held(name)).collect()
    }
}

#[test]
fn one_node_takes_everything_at_once() {
    let (mut world, facilities) = (World::new(), World::facilities(6));
    world.start("a");
    world.rounds(&["a"], &facilities, 1);
    assert_eq!(world.counts(&["a"]), [6]);
    assert_eq!(world.turn("a", &facilities), 0, "and then rests");
}

#[test]
fn a_second_node_gets_its_half_only_when_nothing_is_in_flight() {
    let (mut world, facilities) = (World::new(), World::facilities(2));
    world.start("a");
    world.rounds(&["a"], &facilities, 1);
    world.owners.iter_mut().for_each(|row| row.busy = true);
    world.start("b");
    world.rounds(&["b", "a"], &facilities, 5);
    assert_eq!((world.counts(&["a", "b"]), world.moves), (vec![1, 0], 2), "given up, not freed while busy");
    world.owners.iter_mut().for_each(|row| row.busy = false);
    world.rounds(&["b", "a"], &facilities, 2);
    assert_eq!(world.counts(&["a", "b"]), [1, 1]);
    assert_eq!(world.moves, 3, "one facility moved, once");
}

#[test]
fn what_is_even_does_not_move_and_a_dead_node_s_moves_after_its_term() {
    let (mut world, facilities) = (World::new(), World::facilities(7));
    for name in ["a", "b", "c"] {
        world.start(name);
    }
    world.rounds(&["a", "b", "c"], &facilities, 8);
    let mut even = world.counts(&["a", "b", "c"]);
    even.sort_unstable();
    assert_eq!(even, [2, 2, 3]);
    let moves = world.moves;
    world.rounds(&["a", "b", "c"], &facilities, 20);
    assert_eq!(world.moves, moves, "nothing moves without a cause");
    world.rounds(&["a", "b"], &facilities, 6);
    assert_eq!(world.moves, moves, "the silent node's term has not run out");
    world.rounds(&["a", "b"], &facilities, 6);
    let mut even = world.counts(&["a", "b"]);
    even.sort_unstable();
    assert_eq!(even, [3, 4]);
    assert!(world.moves <= moves + 3, "only what the dead node had moved");
}

#[test]
fn a_process_that_starts_again_under_its_name_takes_its_own_back_at_once_and_the_old_one_holds_nothing() {
    let (mut world, facilities) = (World::new(), World::facilities(4));
    world.start("a");
    world.start("b");
    world.rounds(&["a", "b"], &facilities, 6);
    let old = world.view("a");
    let held: Vec<String> = old.owners.iter().filter(|row| old.is_mine(row)).map(|row| row.facility.clone()).collect();
    world.start("a");
    world.rounds(&["a", "b"], &facilities, 1);
    let new = world.view("a");
    assert_eq!(held.len(), 2);
    assert!(held.iter().all(|one| new.owners.iter().any(|row| row.facility == *one && new.is_mine(row))));
    let stale = Nodes { boot: old.boot, ..new };
    assert!(!stale.owners.iter().any(|row| stale.is_mine(row)));
}

#[test]
fn a_node_with_a_wrong_clock_owns_nothing_unless_all_are_wrong() {
    let (mut world, facilities) = (World::new(), World::facilities(4));
    world.start("a");
    world.start("b");
    world.nodes[0].0.skew = SignedDuration::from_secs(-9);
    world.rounds(&["a", "b"], &facilities, 4);
    assert_eq!(world.counts(&["a", "b"]), [0, 4]);
    world.nodes[1].0.skew = SignedDuration::from_secs(30);
    world.rounds(&["a", "b"], &facilities, 8);
    assert_eq!(world.counts(&["a", "b"]), [2, 2], "somebody must send");
    world.nodes[0].0.skew = SignedDuration::ZERO;
    world.rounds(&["a", "b"], &facilities, 8);
    assert_eq!(world.counts(&["a", "b"]), [4, 0]);
}

#[test]
fn the_rate_is_shared_and_never_exceeded() {
    let (mut world, facilities) = (World::new(), World::facilities(3));
    for name in ["a", "b", "c"] {
        world.start(name);
    }
    world.turn("a", &facilities);
    assert!((share(&world.view("a"), &facilities[0]) - 1.0).abs() < 1e-9, "alone it has the whole rate");
    world.rounds(&["a", "b", "c"], &facilities, 8);
    for facility in &facilities {
        let sum: f64 = ["a", "b", "c"].iter().map(|name| share(&world.view(name), facility)).sum();
        assert!(sum <= 1.0 + 1e-9 && sum > 0.99, "{sum}");
    }
}

#[test]
fn the_clock_s_error_is_the_least_that_explains_what_was_seen() {
    let seen = |before, theirs, after| skew(at(before), at(theirs), at(after)).as_secs();
    assert_eq!(seen(0, 3, 10), 0, "a slow answer is no wrong clock");
    assert_eq!(seen(10, 3, 11), 7);
    assert_eq!(seen(0, 9, 2), -7);
}

#[derive(Debug, Clone)]
enum Happening {
    Turn(usize),
    Stop(usize),
    Start(usize),
    Later(u64),
    Busy(usize, bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (0..4_usize).prop_map(Happening::Turn),
        1 => (0..4_usize).prop_map(Happening::Stop),
        1 => (0..4_usize).prop_map(Happening::Start),
        3 => (1..9_u64).prop_map(Happening::Later),
        2 => ((0..9_usize), any::<bool>()).prop_map(|(n, busy)| Happening::Busy(n, busy)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happened: a holder loses what it holds only by itself or after its term; and once nothing happens any
    /// more, every facility has an owner that lives, evenly.
    #[test]
    fn whatever_happens_it_becomes_whole_and_even(count in 1..9_usize, story in prop::collection::vec(happening(), 0..80)) {
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        let (mut world, facilities) = (World::new(), World::facilities(count));
        let mut up = [false; 4];
        for one in story {
            let before = world.clone();
            let mut actor = None;
            match one {
                Happening::Start(n) => { world.start(NAMES[n]); up[n] = true; }
                Happening::Stop(n) => up[n] = false,
                Happening::Later(seconds) => world.now += Duration::from_secs(seconds),
                Happening::Turn(n) if up[n] => { world.turn(NAMES[n], &facilities); actor = Some(NAMES[n]); }
                Happening::Turn(_) => {}
                Happening::Busy(n, busy) => if let Some(row) = world.owners.get_mut(n) { row.busy = busy },
            }
            for (old, new) in before.owners.iter().zip(&world.owners) {
                let held = old.node.is_some() && old.until > before.now;
                if held && old.node != new.node {
                    prop_assert!(old.node.as_deref() == actor && new.node.is_none() && !old.busy, "{old:?} {new:?}");
                }
                prop_assert!(new.token >= old.token);
            }
        }
        if !up.contains(&true) { world.start("a"); up[0] = true; }
        world.owners.iter_mut().for_each(|row| row.busy = false);
        let live: Vec<&str> = NAMES.iter().zip(up).filter(|(_, up)| *up).map(|(name, _)| *name).collect();
        world.rounds(&live, &facilities, 40);
        let counts = world.counts(&live);
        prop_assert_eq!(counts.iter().sum::<usize>(), count);
        let (least, most) = (count / live.len(), count.div_ceil(live.len()));
        prop_assert!(counts.iter().all(|one| (least..=most).contains(one)), "{:?}", counts);
        let moves = world.moves;
        world.rounds(&live, &facilities, 10);
        prop_assert_eq!(world.moves, moves);
    }
}
