//! The nodes that share a database, as the faces show them: two kinds of checks and one listing. Pure.
//!
//! Rules: a node that is silent longer than its term is gone (its facilities move, so it is *degraded*, not *down*); a
//! facility without an owner for longer than [`UNOWNED`] is *down*, because nothing of it is sent; a node whose clock is
//! too far from the database's sends nothing. Says nothing where a process is alone on its database.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::judge::{Check, Level};
use super::text;
use crate::store::{NodeRow, Nodes, OwnerRow};

/// A facility may be without an owner so long while it moves.
pub const UNOWNED: Duration = Duration::from_mins(1);
/// What `crate::nodes` calls a wrong clock, in seconds.
const CLOCK_OFF: i64 = 2;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Whether it is the one that answers.
    pub answers: bool,
    /// Whether it lives.
    pub live: bool,
    /// Its last turn, by the database's clock.
    pub seen_at: Timestamp,
    /// Its program's version.
    pub program: String,
    /// How far its clock is from the database's, in seconds; positive: fast.
    pub skew_seconds: i64,
    /// Facilities it sends for.
    pub facilities: Vec<String>,
}

/// Every node and what it owns.
#[must_use]
pub fn views(nodes: Option<&Nodes>) -> Vec<NodeView> {
    let Some(all) = nodes else { return Vec::new() };
    let owns = |node: &NodeRow| {
        let its = all.owners.iter().filter(|row| all.holds(row) && row.node.as_deref() == Some(node.name.as_str()));
        its.map(|row| row.facility.clone()).collect()
    };
    let view = |node: &NodeRow| NodeView {
        name: node.name.clone(),
        answers: node.name == all.me,
        live: all.is_live(node),
        seen_at: node.seen_at,
        program: node.program.clone(),
        skew_seconds: node.skew.as_secs(),
        facilities: owns(node),
    };
    all.nodes.iter().map(view).collect()
}

/// The checks: `nodes`, and `owner.<facility>` for each facility.
#[must_use]
pub fn checks(nodes: Option<&Nodes>, facilities: &[String]) -> Vec<Check> {
    let Some(all) = nodes else { return Vec::new() };
    let mut checks = vec![themselves(all)];
    checks.extend(facilities.iter().map(|facility| owner(all, facility)));
    checks
}

fn themselves(all: &Nodes) -> Check {
    let live = all.nodes.iter().filter(|node| all.is_live(node)).count();
    let gone: Vec<&NodeRow> = all.nodes.iter().filter(|node| !all.is_live(node)).collect();
    let off: Vec<&NodeRow> =
        all.nodes.iter().filter(|node| all.is_live(node) && node.skew.as_secs().abs() > CLOCK_OFF).collect();
    let mut detail = format!("Simpul {} menjawab; {live} hidup.", all.me);
    for node in &off {
        let seconds = node.skew.as_secs();
        detail.push_str(&format!(" Jam simpul {} selisih {seconds} detik dari basis data: betulkan NTP.", node.name));
    }
    for node in &gone {
        let silent = text::span(all.now.duration_since(node.seen_at));
        detail.push_str(&format!(" Simpul {} tidak terlihat {silent}: periksa mesinnya.", node.name));
    }
    let level = if gone.is_empty() && off.is_empty() { Level::Ok } else { Level::Degraded };
    let since = gone.iter().map(|node| node.seen_at).min();
    Check { name: "nodes".to_owned(), status: level, since, detail }
}

fn owner(all: &Nodes, facility: &str) -> Check {
    let name = format!("owner.{facility}");
    let row = all.owners.iter().find(|row| row.facility == facility);
    let holder = row.filter(|row| all.holds(row)).and_then(|row| Some((row, row.node.as_deref()?)));
    if let Some((row, node)) = holder {
        let leaving = if row.leaving { ", sedang berpindah" } else { "" };
        let detail = format!("Dikirim oleh simpul {node}{leaving}.");
        return Check { name, status: Level::Ok, since: Some(row.since), detail };
    }
    let since = row.map(last_held);
    let long = since.is_some_and(|at| all.now - UNOWNED > at);
    let (status, detail) = if long {
        (Level::Down, "Tidak ada simpul yang mengirim untuk faskes ini.")
    } else {
        (Level::Degraded, "Sedang berpindah simpul.")
    };
    Check { name, status, since, detail: detail.to_owned() }
}

/// Until when somebody held what nobody holds.
fn last_held(row: &OwnerRow) -> Timestamp {
    row.until
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    fn node(name: &str, until: i64, skew: i64) -> NodeRow {
        NodeRow {
            name: name.to_owned(),
            schema: 1,
            program: "0.1.0".to_owned(),
            seen_at: at(until - 15),
            until: at(until),
            skew: SignedDuration::from_secs(skew),
        }
    }

    fn owned(facility: &str, node: Option<&str>, until: i64) -> OwnerRow {
        OwnerRow {
            facility: facility.to_owned(),
            node: node.map(str::to_owned),
            boot: "x".to_owned(),
            token: 1,
            until: at(until),
            since: at(-100),
            leaving: false,
            busy: false,
        }
    }

    fn all(nodes: Vec<NodeRow>, owners: Vec<OwnerRow>) -> Nodes {
        Nodes { now: at(0), me: "a".to_owned(), boot: "x".to_owned(), nodes, owners }
    }

    #[test]
    fn alone_nothing_is_said() {
        assert!(checks(None, &["0114A026".to_owned()]).is_empty() && views(None).is_empty());
    }

    #[test]
    fn each_facility_says_who_sends_for_it() {
        let owners = vec![owned("0114A026", Some("b"), 9), owned("0114A027", None, -10), owned("0114A028", None, -90)];
        let all = all(vec![node("a", 12, 0), node("b", 9, 0)], owners);
        let facilities = ["0114A026", "0114A027", "0114A028", "0114A029"].map(str::to_owned);
        let seen = checks(Some(&all), &facilities);
        let levels: Vec<Level> = seen.iter().map(|one| one.status).collect();
        assert_eq!(levels, [Level::Ok, Level::Ok, Level::Degraded, Level::Down, Level::Degraded]);
        assert_eq!(seen[1].detail, "Dikirim oleh simpul b.");
        assert_eq!(views(Some(&all))[1].facilities, ["0114A026"]);
    }

    #[test]
    fn a_silent_node_and_a_wrong_clock_are_named() {
        let seen = checks(Some(&all(vec![node("a", 12, 0), node("b", -5, 0), node("c", 9, -7)], Vec::new())), &[]);
        assert_eq!(seen[0].status, Level::Degraded);
        assert!(seen[0].detail.contains("Simpul b tidak terlihat") && seen[0].detail.contains("Jam simpul c"));
        let well = checks(Some(&all(vec![node("a", 12, 2), node("b", 9, -2)], Vec::new())), &[]);
        assert_eq!(well[0].status, Level::Ok);
    }
}
