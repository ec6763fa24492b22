//! Which node sends for which facility. Pure.
//!
//! Job: from the rows that all nodes see ([`Nodes`]) to the steps that this node takes now ([`turn`]). Every node decides
//! for itself alone; each step is a conditional change in the database, so that two nodes that decide at once do no harm.
//! Invariants: nobody takes what another holds; what a node holds moves only when the node is gone, when its clock is
//! wrong, or when another has too little; it is freed only after nothing is in flight; who has enough moves nothing.
//! Neighbours: `store` keeps the rows and checks them again inside every claim's transaction, so a mistake here costs
//! evenness, never a second sender; `daemon::nodes` carries the steps out. What it does not do: read a clock, talk to
//! anybody.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

use crate::store::{NodeRow, Nodes, OwnerChange, OwnerRow};

/// A node whose clock is further than this from the database's sends nothing while another node's is right: settle,
/// due instants and dates are reckoned by nodes' clocks.
pub const SKEW_MAX: SignedDuration = SignedDuration::from_secs(2);

/// Of a facility's rate, the part that stays for the direct reads of the nodes that do not own it.
pub const READERS_SHARE: f64 = 0.25;

/// How far apart two clocks are at the least, if the other one read `theirs` some time between `before` and `after`.
/// Positive: ours is fast.
#[must_use]
pub fn skew(before: jiff::Timestamp, theirs: jiff::Timestamp, after: jiff::Timestamp) -> SignedDuration {
    let (early, late) = (before.duration_since(theirs), after.duration_since(theirs));
    if early.is_positive() {
        early
    } else if late.is_negative() {
        late
    } else {
        SignedDuration::ZERO
    }
}

/// Nodes that may own: alive, and with a right clock; if no clock is right, all that are alive.
#[must_use]
pub fn fit(view: &Nodes) -> Vec<&NodeRow> {
    let live: Vec<&NodeRow> = view.nodes.iter().filter(|node| view.is_live(node)).collect();
    let right: Vec<&NodeRow> = live.iter().copied().filter(|node| node.skew.abs() <= SKEW_MAX).collect();
    if right.is_empty() { live } else { right }
}

/// Whether this node does the chores that one node is enough for: the first of the fit ones.
#[must_use]
pub fn leads(view: &Nodes) -> bool {
    fit(view).first().is_none_or(|first| first.name == view.me)
}

/// The part of a facility's rate that this node may use, so that all nodes together stay within it.
#[must_use]
pub fn share(view: &Nodes, facility: &str) -> f64 {
    let others = view.nodes.iter().filter(|node| view.is_live(node) && node.name != view.me).count();
    if others == 0 {
        return 1.0;
    }
    let mine = view.owners.iter().any(|row| row.facility == facility && view.is_mine(row));
    if mine { 1.0 - READERS_SHARE } else { READERS_SHARE / f64::from(u32::try_from(others).unwrap_or(u32::MAX)) }
}

/// What this node does now. `facilities` are those of its configuration.
#[must_use]
pub fn turn(view: &Nodes, facilities: &[String]) -> Vec<OwnerChange> {
    let mine: Vec<&OwnerRow> = view.owners.iter().filter(|row| view.is_mine(row)).collect();
    let free = mine.iter().filter(|row| row.leaving && !row.busy);
    let mut steps: Vec<OwnerChange> = free.map(|row| OwnerChange::Free { facility: row.facility.clone() }).collect();
    let staying: Vec<&OwnerRow> = mine.into_iter().filter(|row| !row.leaving).collect();
    let fit = fit(view);
    if !fit.iter().any(|node| node.name == view.me) {
        steps.extend(staying.iter().map(|row| OwnerChange::GiveUp { facility: row.facility.clone() }));
        return steps;
    }
    let table = Table::of(view, &fit, facilities);
    steps.extend(table.surplus(view, &staying));
    steps.extend(table.wanted(view, &staying, facilities));
    steps
}

/// How many facilities each node has and should have.
struct Table<'v> {
    counts: BTreeMap<&'v str, usize>,
    least: usize,
    most: usize,
    /// What nobody holds for good.
    unheld: usize,
}

impl<'v> Table<'v> {
    fn of(view: &'v Nodes, fit: &[&'v NodeRow], facilities: &[String]) -> Self {
        let mut counts: BTreeMap<&str, usize> = fit.iter().map(|node| (node.name.as_str(), 0)).collect();
        let mut held = 0;
        for row in
            view.owners.iter().filter(|row| view.holds(row) && !row.leaving && facilities.contains(&row.facility))
        {
            held += 1;
            if let Some(count) = row.node.as_deref().and_then(|node| counts.get_mut(node)) {
                *count += 1;
            }
        }
        let (nodes, all) = (fit.len().max(1), facilities.len());
        Self { counts, least: all / nodes, most: all.div_ceil(nodes), unheld: all.saturating_sub(held) }
    }

    /// How many facilities the others lack.
    fn lacking(&self, me: &str) -> usize {
        let others = self.counts.iter().filter(|(name, _)| **name != me);
        others.map(|(_, count)| self.least.saturating_sub(*count)).sum()
    }

    /// What this node gives up: what is beyond its most; and, if somebody lacks one that is not on its way, one of the
    /// node that has the most. What has nothing in flight goes first.
    fn surplus(&self, view: &Nodes, staying: &[&OwnerRow]) -> Vec<OwnerChange> {
        let beyond = staying.len().saturating_sub(self.most);
        let richest = self.counts.iter().max_by_key(|(name, count)| (**count, std::cmp::Reverse(**name)));
        let rich = richest.is_some_and(|(name, _)| *name == view.me) && staying.len() > self.least;
        let one = usize::from(rich && self.lacking(&view.me) > self.unheld);
        let mut order: Vec<&&OwnerRow> = staying.iter().collect();
        order.sort_by_key(|row| (row.busy, std::cmp::Reverse(row.facility.as_str())));
        let given = order.into_iter().take(beyond.max(one));
        given.map(|row| OwnerChange::GiveUp { facility: row.facility.clone() }).collect()
    }

    /// What this node takes: up to its least whatever is free, beyond that only what no other node lacks. Each node begins
    /// elsewhere, so that two seldom reach for the same.
    fn wanted(&self, view: &Nodes, staying: &[&OwnerRow], facilities: &[String]) -> Vec<OwnerChange> {
        let is_held =
            |facility: &String| view.owners.iter().any(|row| row.facility == *facility && is_anothers(view, row));
        let is_mine = |facility: &String| view.owners.iter().any(|row| row.facility == *facility && view.is_mine(row));
        let mut free: Vec<&String> = facilities.iter().filter(|one| !is_held(one) && !is_mine(one)).collect();
        free.sort_by_key(|facility| (mix(&view.me, facility), facility.as_str()));
        let to_spare = free.len().saturating_sub(self.lacking(&view.me));
        let to_least = self.least.saturating_sub(staying.len());
        let room = self.most.saturating_sub(staying.len());
        let taken = free.into_iter().take(to_least.max(room.min(to_spare)));
        taken.map(|facility| OwnerChange::Take { facility: facility.clone() }).collect()
    }
}

/// Held by another process; what an earlier process of this node's name held is this node's to take.
fn is_anothers(view: &Nodes, row: &OwnerRow) -> bool {
    view.holds(row) && row.node.as_deref() != Some(view.me.as_str())
}

/// FNV-1a of both names: any mixing will do, it only has to be the same everywhere.
fn mix(node: &str, facility: &str) -> u64 {
    let bytes = node.bytes().chain([0]).chain(facility.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// How often a node takes its turn: often enough that a lost answer or two cost it nothing.
#[must_use]
pub fn pace(term: Duration) -> Duration {
    (term / 6).clamp(Duration::from_millis(200), Duration::from_secs(5))
}

#[cfg(test)]
mod tests;
