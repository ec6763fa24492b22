//! This process among the nodes that share its database: says that it lives, takes and gives up facilities, tells its
//! lanes what is theirs.
//!
//! Job: a turn every sixth of `node.term` ([`crate::nodes`] decides, the store carries out), and what follows from it for
//! lanes, rates and chores. Invariants: a lane is this process's only while the last answer of the database says so and
//! its term has not passed on this machine's own running clock; a process that was replaced under its name stops. What
//! it does not do: guard the claims (the store does, in their transaction).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::nodes;
use crate::observe::Seen;
use crate::remote::Lane;
use crate::store::{NodeTurn, Nodes, OwnerChange, StoreError};

/// What this process may do by itself, for the tasks that ask.
#[derive(Debug)]
pub(super) struct Ours {
    alone: bool,
    facilities: Mutex<BTreeSet<String>>,
    leads: AtomicBool,
}

impl Ours {
    /// Alone: everything. Among others: nothing until the first turn.
    pub(super) const fn new(alone: bool) -> Self {
        Self { alone, facilities: Mutex::new(BTreeSet::new()), leads: AtomicBool::new(alone) }
    }

    /// Whether this process sends for the facility.
    pub(super) fn owns(&self, facility: &str) -> bool {
        self.alone || self.facilities.lock().unwrap_or_else(PoisonError::into_inner).contains(facility)
    }

    /// Whether this process does what one of all is enough for.
    pub(super) fn leads(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    fn set(&self, facilities: BTreeSet<String>, leads: bool) {
        *self.facilities.lock().unwrap_or_else(PoisonError::into_inner) = facilities;
        self.leads.store(leads, Ordering::Release);
    }
}

/// The loop's memory.
struct Standing {
    lanes: Vec<Arc<Lane>>,
    facilities: Vec<String>,
    skew: SignedDuration,
    /// The beginning of the last turn that the database answered: until a term later what it said holds.
    answered: Option<Instant>,
}

/// Takes turns until the shutdown; cancels `failed` when another process has this node's name.
pub(super) async fn run(shared: Shared, lanes: Vec<Arc<Lane>>, failed: CancellationToken) {
    let pace = nodes::pace(shared.config.node.term);
    let facilities = shared.config.facilities.iter().map(|one| one.code.clone()).collect();
    let mut standing = Standing { lanes, facilities, skew: SignedDuration::ZERO, answered: None };
    // Whoever sent until now had the owner's part: this process begins as a reader.
    standing.facilities.iter().for_each(|one| shared.remote.share(one, nodes::READERS_SHARE));
    while !shared.stop.is_cancelled() {
        (shared.observe)(Seen::Beat("nodes"));
        match standing.turn(&shared).await {
            Ok(()) => {}
            Err(StoreError::Replaced(why)) => {
                tracing::error!(why, "replaced under this node's name: this process stops");
                standing.hold(&shared, None);
                failed.cancel();
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "no turn among the nodes");
                let term = shared.config.node.term;
                if standing.answered.is_none_or(|at| at.elapsed() >= term) {
                    standing.hold(&shared, None);
                }
            }
        }
        tokio::select! { () = shared.stop.cancelled() => {} () = tokio::time::sleep(pace) => {} }
    }
    // Nothing new begins; what is in flight ends, and then the facilities are free (`Running::stop`).
    standing.hold(&shared, None);
}

impl Standing {
    async fn turn(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let (began, before) = (Instant::now(), shared.parts.clock.now());
        let turn = NodeTurn { term: shared.config.node.term, skew: self.skew };
        let mut view = shared.store.stand(turn.clone()).await?;
        self.skew = nodes::skew(before, view.now, shared.parts.clock.now());
        self.answered = Some(began);
        let mut changed = false;
        for step in nodes::turn(&view, &self.facilities) {
            if let OwnerChange::Free { facility } = &step {
                // Before another may take it.
                shared.remote.share(facility, nodes::READERS_SHARE);
            }
            let done = shared.store.change_owner(step.clone(), turn.clone()).await?;
            tracing::info!(?step, done, "facilities are shared out");
            changed |= done;
        }
        if changed {
            view = shared.store.stand(turn).await?;
        }
        self.follow(shared, &view).await?;
        self.hold(shared, Some(&view));
        Ok(())
    }

    /// Where another node sends, its record of the circuit counts.
    async fn follow(&self, shared: &Shared, view: &Nodes) -> Result<(), StoreError> {
        let others =
            |lane: &&Arc<Lane>| !view.owners.iter().any(|row| row.facility == lane.facility && view.is_mine(row));
        if !self.lanes.iter().any(|lane| others(&lane)) {
            return Ok(());
        }
        let open: BTreeMap<(String, String), bool> =
            shared.store.circuits().await?.into_iter().map(|row| ((row.facility, row.service), row.open)).collect();
        for lane in self.lanes.iter().filter(others) {
            let open = open.get(&(lane.facility.clone(), lane.service.word().to_owned())).copied().unwrap_or(false);
            lane.follow(open, shared.parts.clock.now());
        }
        Ok(())
    }

    /// Tells lanes, rates, tasks and faces how things stand; `None`: nothing is ours.
    fn hold(&self, shared: &Shared, view: Option<&Nodes>) {
        let now = shared.parts.clock.now();
        let mine: BTreeSet<String> = view
            .iter()
            .flat_map(|view| view.owners.iter().filter(|row| view.is_mine(row) && !row.leaving))
            .map(|row| row.facility.clone())
            .collect();
        // The rate first: a lane that is ours sends at once.
        for one in &self.facilities {
            shared.remote.share(one, view.map_or(nodes::READERS_SHARE, |view| nodes::share(view, one)));
        }
        for lane in &self.lanes {
            lane.set_ours(mine.contains(&lane.facility), now);
        }
        if let Some(view) = view {
            shared.live.nodes(view.clone());
        }
        shared.ours.set(mine, view.is_some_and(nodes::leads));
    }
}

/// The name of this machine, where the configuration gives the node none.
pub(super) fn host_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    let name: String =
        host.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')).take(63).collect();
    if name.is_empty() { "node".to_owned() } else { name }
}
