//! The comparison itself: journal against BPJS's rows. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::catalogue::{Catalogue, Kind, Operation, RemoteIds, candidates, differing};
use crate::queue::{Delivery, DeliveryId, State};
use crate::words::words;

words! {
    /// The class of one entry or row.
    Class {
        /// Both sides have it, with equal content.
        Equal = "equal",
        /// Both sides have it, some fields differ.
        Differs = "differs",
        /// Only the SIM believes to have handed it in.
        OnlySim = "only_sim",
        /// Only the bridge's journal has it.
        OnlyHere = "only_here",
        /// Only BPJS has it: typed into P-Care directly, or made by another application.
        OnlyBpjs = "only_bpjs",
        /// Sent, outcome unknown.
        Unanswered = "unanswered",
    }
}

/// Where a row stands at BPJS: operation that makes such rows, scope, primary id.
pub type RowKey = (String, Vec<String>, String);

/// A row of BPJS.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its key.
    pub key: RowKey,
    /// The row as read.
    pub value: Value,
    /// The delivery that owns it.
    pub owner: Option<DeliveryId>,
}

/// An entry of the journal.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The delivery.
    pub delivery: Delivery,
    /// Its payload, filled from its prerequisites as far as they are known, with later delivered edits laid over it.
    pub payload: Value,
    /// Values of its scope, if all are known.
    pub scope: Option<Vec<String>>,
    /// `submission ref/entry ref`.
    pub reference: String,
}

/// One line of the result.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its class.
    pub class: Class,
    /// Operation.
    pub operation: String,
    /// The entry, if the journal has it.
    pub entry: Option<usize>,
    /// The row, if BPJS has it.
    pub key: Option<RowKey>,
    /// Fields that differ (wire names).
    pub fields: Vec<String>,
}

/// What an adoption needs.
#[derive(Debug, Clone)]
pub struct Adoptable {
    /// Index of the entry.
    pub entry: usize,
    /// The row's key.
    pub key: RowKey,
    /// Its ids at BPJS.
    pub ids: RemoteIds,
}

/// The comparison's result.
#[derive(Debug, Default)]
pub struct Compared {
    /// Every entry and row that counts.
    pub items: Vec<Item>,
    /// Entries that are at BPJS without our knowing, beyond doubt.
    pub adoptable: Vec<Adoptable>,
    /// Entries that are moving right now and were left out.
    pub moving: usize,
}

/// Compares. `moving` says of a delivery that it must be left out (being sent, or younger than settle); `unread` that the
/// read which would show an entry failed.
#[must_use]
pub fn compare(
    catalogue: &Catalogue,
    entries: &[Entry],
    rows: &[Row],
    moving: impl Fn(&Delivery) -> bool,
    unread: impl Fn(&Entry) -> bool,
) -> Compared {
    let mut work =
        Work { catalogue, entries, rows, index: BTreeMap::new(), taken: BTreeSet::new(), out: Compared::default() };
    for (at, row) in rows.iter().enumerate() {
        work.index.entry((row.key.0.as_str(), row.key.1.as_slice())).or_default().push(at);
    }
    // Owned rows first, so that an undelivered twin cannot take them.
    work.delivered(&unread);
    work.undelivered(&moving, &unread);
    work.left_over();
    work.out
}

struct Work<'a> {
    catalogue: &'a Catalogue,
    entries: &'a [Entry],
    rows: &'a [Row],
    index: BTreeMap<(&'a str, &'a [String]), Vec<usize>>,
    taken: BTreeSet<usize>,
    out: Compared,
}

impl<'a> Work<'a> {
    fn adds(&self) -> impl Iterator<Item = (usize, &'a Entry, &'a Operation)> + use<'a> {
        let (entries, catalogue) = (self.entries, self.catalogue);
        entries.iter().enumerate().filter_map(|(at, entry)| {
            let operation = catalogue.operation(&entry.delivery.operation)?;
            (operation.kind == Kind::Add).then_some((at, entry, operation))
        })
    }

    fn delivered(&mut self, unread: &impl Fn(&Entry) -> bool) {
        for (at, entry, operation) in self.adds() {
            if entry.delivery.progress.state != State::Delivered {
                continue;
            }
            let row = self.rows_of(entry).into_iter().find(|row| self.rows[*row].owner == Some(entry.delivery.id));
            if let Some(row) = row {
                self.taken.insert(row);
                let facility = &entry.delivery.facility;
                let fields = differing(operation, &entry.payload, facility, &self.rows[row].value);
                let class = if fields.is_empty() { Class::Equal } else { Class::Differs };
                self.item(class, at, Some(row), fields);
            } else if !unread(entry) && self.still_owns(entry) {
                self.item(Class::OnlyHere, at, None, Vec::new());
            }
        }
    }

    /// A delivered entry whose id was set free by a delivered delete is no longer expected at BPJS.
    fn still_owns(&self, entry: &Entry) -> bool {
        let made = |other: &&Entry| {
            let operation = self.catalogue.operation(&other.delivery.operation);
            let ids = other.delivery.progress.remote.expose();
            other.delivery.progress.state == State::Delivered
                && operation.is_some_and(|operation| operation.releases.as_ref() == Some(&entry.delivery.operation))
                && entry.delivery.progress.remote.expose().iter().any(|(name, id)| {
                    ids.get(name) == Some(id) || other.payload.get(name).and_then(Value::as_str) == Some(id)
                })
        };
        !self.entries.iter().any(|other| made(&other))
    }

    fn undelivered(&mut self, moving: &impl Fn(&Delivery) -> bool, unread: &impl Fn(&Entry) -> bool) {
        for (at, entry, operation) in self.adds() {
            match entry.delivery.progress.state {
                State::Delivered | State::Cancelled => continue,
                State::Waiting | State::Sending | State::Unanswered | State::Refused | State::Held | State::Expired => {
                }
            }
            let free: Vec<usize> = self
                .rows_of(entry)
                .into_iter()
                .filter(|row| !self.taken.contains(row) && self.rows[*row].owner.is_none())
                .collect();
            let found = free.iter().find_map(|row| self.same(operation, entry, *row).map(|ids| (*row, ids)));
            if moving(&entry.delivery) {
                // Its row, if it is there already, is not a stranger's.
                self.taken.extend(found.map(|(row, _)| row));
                self.out.moving += 1;
            } else if let Some((row, ids)) = found {
                self.taken.insert(row);
                let key = self.rows[row].key.clone();
                self.out.adoptable.push(Adoptable { entry: at, key, ids });
            } else if !unread(entry) {
                let class = match entry.delivery.progress.state {
                    State::Unanswered => Class::Unanswered,
                    State::Waiting
                    | State::Sending
                    | State::Delivered
                    | State::Refused
                    | State::Held
                    | State::Expired
                    | State::Cancelled => Class::OnlyHere,
                };
                self.item(class, at, None, Vec::new());
            }
        }
    }

    fn rows_of(&self, entry: &Entry) -> Vec<usize> {
        let scope = entry.scope.as_deref();
        let found = scope.and_then(|scope| self.index.get(&(entry.delivery.operation.as_str(), scope)));
        found.cloned().unwrap_or_default()
    }

    fn same(&self, operation: &Operation, entry: &Entry, row: usize) -> Option<RemoteIds> {
        let value = std::slice::from_ref(&self.rows[row].value);
        let found = candidates(operation, &entry.payload, &entry.delivery.facility, value);
        found.into_iter().find(|candidate| candidate.same).map(|candidate| candidate.ids)
    }

    fn left_over(&mut self) {
        for (at, row) in self.rows.iter().enumerate() {
            if !self.taken.contains(&at) && row.owner.is_none() {
                let (operation, key) = (row.key.0.clone(), Some(row.key.clone()));
                self.out.items.push(Item { class: Class::OnlyBpjs, operation, entry: None, key, fields: Vec::new() });
            }
        }
    }

    fn item(&mut self, class: Class, entry: usize, row: Option<usize>, fields: Vec<String>) {
        let operation = self.entries[entry].delivery.operation.clone();
        let key = row.map(|row| self.rows[row].key.clone());
        self.out.items.push(Item { class, operation, entry: Some(entry), key, fields });
    }
}
