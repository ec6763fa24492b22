//! What comes after what: names resolved, cycles found, one order.

use std::collections::{BTreeSet, VecDeque};

use super::Fault;
use super::body::SubmissionBody;
use crate::store::Prerequisite;

/// Something an entry comes after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// The entry at this place of the same submission.
    Own(usize),
    /// A delivery accepted earlier.
    Earlier(Prerequisite),
}

/// A name in `after`, as far as it can be told without the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// The entry at this place of the same submission.
    Own(usize),
    /// `(submission ref, entry ref)`, for the store to find.
    Earlier(String, String),
    /// Neither.
    Unknown,
}

/// What `name` means in `body`: an entry of it, or `"<submission ref>/<entry ref>"`.
pub(super) fn meaning(body: &SubmissionBody, name: &str) -> Name {
    let own = |entry_ref: &str| body.entries.iter().position(|entry| entry.reference == entry_ref);
    if let Some(place) = own(name) {
        return Name::Own(place);
    }
    // Entry refs have no slash, so the last one divides.
    match name.rsplit_once('/') {
        Some((reference, entry_ref)) if reference == body.reference => own(entry_ref).map_or(Name::Unknown, Name::Own),
        Some((reference, entry_ref)) => Name::Earlier(reference.to_owned(), entry_ref.to_owned()),
        None => Name::Unknown,
    }
}

/// The fault of a name that means nothing.
pub(super) fn unknown(entry: usize, place: usize) -> Fault {
    Fault::new(
        format!("/entries/{entry}/after/{place}"),
        "tidak ada entri bernama demikian; pakai ref entri dalam kiriman ini, atau \"<ref kiriman>/<ref entri>\" dari kiriman terdahulu",
    )
}

/// The order of acceptance: each entry after those it depends on, otherwise as handed in (Kahn, always the first one
/// that is free).
///
/// # Errors
/// A fault for every entry that lies on or behind a cycle, naming one cycle.
pub(super) fn order(body: &SubmissionBody, before: &[Vec<Before>]) -> Result<Vec<usize>, Vec<Fault>> {
    let mut waits: Vec<BTreeSet<usize>> = before.iter().map(|list| list.iter().filter_map(own).collect()).collect();
    let mut order = Vec::with_capacity(before.len());
    let mut open: BTreeSet<usize> = (0..before.len()).collect();
    while let Some(free) = open.iter().copied().find(|&i| waits.get(i).is_some_and(BTreeSet::is_empty)) {
        open.remove(&free);
        order.push(free);
        for list in &mut waits {
            list.remove(&free);
        }
    }
    if open.is_empty() {
        return Ok(order);
    }
    let cycle = cycle_text(body, &waits, &open);
    let detail = format!("membentuk lingkaran: {cycle}; hapus salah satu");
    Err(open.into_iter().map(|i| Fault::new(format!("/entries/{i}/after"), detail.clone())).collect())
}

const fn own(before: &Before) -> Option<usize> {
    match before {
        Before::Own(place) => Some(*place),
        Before::Earlier(_) => None,
    }
}

/// Walks from any open entry along what it waits for until it comes back to an entry seen before.
fn cycle_text(body: &SubmissionBody, waits: &[BTreeSet<usize>], open: &BTreeSet<usize>) -> String {
    let mut path: Vec<usize> = Vec::new();
    let mut next = open.first().copied();
    while let Some(at) = next {
        if let Some(start) = path.iter().position(|&seen| seen == at) {
            path.drain(..start);
            path.push(at);
            break;
        }
        path.push(at);
        next = waits.get(at).and_then(|list| list.first()).copied();
    }
    let names: Vec<&str> = path.iter().filter_map(|&i| body.entries.get(i)).map(|e| e.reference.as_str()).collect();
    names.join(" → ")
}

/// Everything that comes before the entry at `place`, directly or along `after`, nearest first.
pub(super) fn closure(before: &[Vec<Before>], place: usize) -> Vec<&Before> {
    let mut seen = BTreeSet::from([place]);
    let mut queue: VecDeque<&Before> = before.get(place).into_iter().flatten().collect();
    let mut found = Vec::new();
    while let Some(next) = queue.pop_front() {
        match next {
            Before::Own(other) if seen.insert(*other) => {
                queue.extend(before.get(*other).into_iter().flatten());
                found.push(next);
            }
            Before::Own(_) => {}
            Before::Earlier(_) => found.push(next),
        }
    }
    found
}
