//! The comparison itself: journal against BPJS's rows. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::theirs::text;
use crate::catalogue::{Candidate, Catalogue, Kind, Operation, RemoteIds, at, candidates, differing};
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
    /// It was delivered, and a delivered delete of any day has set its id free since: BPJS need not have it.
    pub released: bool,
}

impl Entry {
    /// The reference of its submission; entries' own names have no slash.
    #[must_use]
    pub fn submission(&self) -> &str {
        self.reference.rsplit_once('/').map_or(self.reference.as_str(), |(submission, _)| submission)
    }
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
    /// Rows that nobody owns and that are about the same thing, with other content: a person may recognise the entry.
    pub near: Vec<RowKey>,
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

/// The comparison's result. Every add of the journal is in exactly one of: an item with its entry, `adoptable`, `moving`,
/// `withdrawn`, `cancelled`, `unread`, `incomparable`; every row is an item's, an adoptable's, taken by a moving entry, or `elsewhere`.
#[derive(Debug, Default)]
pub struct Compared {
    /// Every entry and row that counts: entries in order of acceptance, then rows that nobody has.
    pub items: Vec<Item>,
    /// Entries that are at BPJS without our knowing, beyond doubt.
    pub adoptable: Vec<Adoptable>,
    /// Entries that are moving right now and were left out.
    pub moving: usize,
    /// Rows that moving entries explain.
    pub moving_rows: usize,
    /// Entries delivered, and deleted since.
    pub withdrawn: usize,
    /// Entries cancelled before they were sent.
    pub cancelled: usize,
    /// Entries of which nothing can be said because BPJS's list was not read.
    pub unread: usize,
    /// Rows owned by entries of other days.
    pub elsewhere: usize,
    /// Entries, by operation, that no list of BPJS shows: nothing is said of them.
    pub incomparable: BTreeMap<String, usize>,
}

/// Compares. `moving` says of a delivery that it must be left out (being sent, younger than settle, or changed since
/// BPJS's lists were read); `unread` that the read which would show an entry failed.
#[must_use]
pub fn compare(
    catalogue: &Catalogue,
    entries: &[Entry],
    rows: &[Row],
    moving: impl Fn(&Delivery) -> bool,
    unread: impl Fn(&Entry) -> bool,
) -> Compared {
    let mut work = Work::new(catalogue, entries, rows);
    work.unlisted();
    // Owned rows first, so that an undelivered twin cannot take them.
    work.delivered(&moving, &unread);
    work.undelivered(&moving, &unread);
    work.left_over();
    work.out.items.sort_by_key(|item| (item.entry.is_none(), item.entry));
    work.out.adoptable.sort_by_key(|adoptable| adoptable.entry);
    work.out
}

/// BPJS shows a thing as it stands after its delivered edits: lays them over the payload of the add, in order.
pub fn lay_edits_over(catalogue: &Catalogue, entries: &mut [Entry]) {
    let made_by = |edit: &Entry| {
        let operation = catalogue.operation(&edit.delivery.operation)?;
        let is_edit = operation.kind == Kind::Edit && edit.delivery.progress.state == State::Delivered;
        let made = catalogue.operation(&edit.delivery.operation.replace(".edit", ".add"))?;
        // An id means something only within its scope: the same number in another visit is another thing.
        let scope: Option<Vec<String>> = made.id_scope.iter().map(|field| text(at(&edit.payload, field)?)).collect();
        let id = at(&edit.payload, made.gives.first()?).and_then(text)?;
        is_edit.then_some((made.family(), scope?, id))
    };
    let edits: Vec<(RowKey, Value)> =
        entries.iter().filter_map(|edit| Some((made_by(edit)?, edit.payload.clone()))).collect();
    let mut adds: HashMap<RowKey, usize> = HashMap::new();
    for (at, entry) in entries.iter().enumerate().filter(|_| !edits.is_empty()) {
        let Some(operation) = catalogue.operation(&entry.delivery.operation) else { continue };
        let made = operation.gives.first();
        let id = made.and_then(|name| entry.delivery.progress.remote.expose().get(name));
        if let (Some(id), Some(scope)) = (id, &entry.scope) {
            adds.insert((operation.family(), scope.clone(), id.clone()), at);
        }
    }
    for (key, edit) in edits {
        let base = adds.get(&key).and_then(|at| entries.get_mut(*at)).and_then(|entry| entry.payload.as_object_mut());
        if let (Some(base), Some(over)) = (base, edit.as_object()) {
            base.extend(over.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }
}

/// Where rows that may be an entry are looked for: operation, scope, and the patient where rows show one. Without the
/// patient a busy day would be compared each with each.
type Shelf = (String, Vec<String>, String);

struct Work<'a> {
    catalogue: &'a Catalogue,
    entries: &'a [Entry],
    rows: &'a [Row],
    owned: HashMap<DeliveryId, Vec<usize>>,
    free: HashMap<Shelf, Vec<usize>>,
    taken: BTreeSet<usize>,
    out: Compared,
}

/// Who may take a row first: what is being sent now, then what may have landed unseen, then what was never sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Moving,
    InDoubt,
    NeverSent,
}

impl<'a> Work<'a> {
    fn new(catalogue: &'a Catalogue, entries: &'a [Entry], rows: &'a [Row]) -> Self {
        let (mut owned, mut free): (HashMap<_, Vec<usize>>, HashMap<_, Vec<usize>>) = (HashMap::new(), HashMap::new());
        for (place, row) in rows.iter().enumerate() {
            if let Some(owner) = row.owner {
                owned.entry(owner).or_default().push(place);
                continue;
            }
            let patient = catalogue.operation(&row.key.0).and_then(|operation| {
                let path = patient_path(operation)?;
                at(&row.value, path).and_then(text)
            });
            let shelf = (row.key.0.clone(), row.key.1.clone(), trimmed(patient));
            free.entry(shelf).or_default().push(place);
        }
        Self { catalogue, entries, rows, owned, free, taken: BTreeSet::new(), out: Compared::default() }
    }

    fn adds(&self) -> impl Iterator<Item = (usize, &'a Entry, &'a Operation)> + use<'a> {
        let (entries, catalogue) = (self.entries, self.catalogue);
        entries.iter().enumerate().filter_map(|(at, entry)| {
            let operation = catalogue.operation(&entry.delivery.operation)?;
            (operation.kind == Kind::Add && operation.is_listed()).then_some((at, entry, operation))
        })
    }

    /// Antrean, LPK, requests for a SEP: BPJS has no list of them, and silence is not absence.
    fn unlisted(&mut self) {
        for entry in self.entries {
            let operation = self.catalogue.operation(&entry.delivery.operation);
            let cancelled = entry.delivery.progress.state == State::Cancelled;
            if operation.is_some_and(|operation| operation.kind == Kind::Add && !operation.is_listed()) && !cancelled {
                *self.out.incomparable.entry(entry.delivery.operation.clone()).or_default() += 1;
            }
        }
    }

    fn delivered(&mut self, moving: &impl Fn(&Delivery) -> bool, unread: &impl Fn(&Entry) -> bool) {
        for (at, entry, operation) in self.adds() {
            if entry.delivery.progress.state != State::Delivered {
                continue;
            }
            if let Some(row) = self.own(entry) {
                self.taken.insert(row);
                let facility = &entry.delivery.facility;
                let fields = differing(operation, &entry.payload, facility, &self.rows[row].value);
                let class = if fields.is_empty() { Class::Equal } else { Class::Differs };
                self.item(class, at, Some(row), fields, Vec::new());
            } else if entry.released {
                self.out.withdrawn += 1;
            } else if moving(&entry.delivery) {
                self.out.moving += 1;
            } else if unread(entry) {
                self.out.unread += 1;
            } else {
                let near = self.near(operation, entry);
                self.item(Class::OnlyHere, at, None, Vec::new(), near);
            }
        }
    }

    fn undelivered(&mut self, moving: &impl Fn(&Delivery) -> bool, unread: &impl Fn(&Entry) -> bool) {
        let mut waiting: Vec<(Turn, usize, &Entry, &Operation)> = Vec::new();
        for (at, entry, operation) in self.adds() {
            match entry.delivery.progress.state {
                State::Delivered => {}
                State::Cancelled => self.out.cancelled += 1,
                State::Waiting | State::Sending | State::Unanswered | State::Refused | State::Held | State::Expired => {
                    waiting.push((turn(entry, moving), at, entry, operation));
                }
            }
        }
        waiting.sort_by_key(|(turn, at, _, _)| (*turn, *at));
        for (turn, at, entry, operation) in waiting {
            if let Some(row) = self.own(entry) {
                // Delivered between our two looks.
                self.taken.insert(row);
                self.out.moving_rows += 1;
                self.out.moving += 1;
                continue;
            }
            let found = self.look(operation, entry).into_iter().find(|(_, found)| found.same);
            if turn == Turn::Moving {
                // Its row, if it is there already, is not a stranger's.
                self.out.moving_rows += usize::from(found.is_some());
                self.taken.extend(found.map(|(row, _)| row));
                self.out.moving += 1;
            } else if let Some((row, found)) = found.filter(|_| !needs_confirmation(operation)) {
                self.taken.insert(row);
                let key = self.rows[row].key.clone();
                self.out.adoptable.push(Adoptable { entry: at, key, ids: found.ids });
            } else if unread(entry) {
                self.out.unread += 1;
            } else {
                let unanswered = entry.delivery.progress.state == State::Unanswered;
                let class = if unanswered { Class::Unanswered } else { Class::OnlyHere };
                let near = self.near(operation, entry);
                self.item(class, at, None, Vec::new(), near);
            }
        }
    }

    fn own(&self, entry: &Entry) -> Option<usize> {
        let rows = self.owned.get(&entry.delivery.id)?;
        let family = self.catalogue.operation(&entry.delivery.operation)?.family();
        rows.iter().copied().find(|row| self.rows[*row].key.0 == family)
    }

    /// Rows that nobody has and that are about the same thing as the entry.
    fn look(&self, operation: &Operation, entry: &Entry) -> Vec<(usize, Candidate)> {
        let Some(scope) = &entry.scope else { return Vec::new() };
        let patient = patient_path(operation).and(operation.patient_field.as_ref());
        let patient = patient.and_then(|field| at(&entry.payload, field)).and_then(text);
        let shelf = (operation.family(), scope.clone(), trimmed(patient));
        let rows = self.free.get(&shelf).into_iter().flatten().filter(|row| !self.taken.contains(row));
        rows.flat_map(|row| {
            let value = std::slice::from_ref(&self.rows[*row].value);
            let found = candidates(operation, &entry.payload, &entry.delivery.facility, value);
            found.into_iter().map(|candidate| (*row, candidate))
        })
        .collect()
    }

    fn near(&self, operation: &Operation, entry: &Entry) -> Vec<RowKey> {
        self.look(operation, entry).into_iter().map(|(row, _)| self.rows[row].key.clone()).collect()
    }

    fn left_over(&mut self) {
        for (at, row) in self.rows.iter().enumerate() {
            if self.taken.contains(&at) {
                continue;
            }
            if row.owner.is_some() {
                self.out.elsewhere += 1;
                continue;
            }
            let (operation, key) = (row.key.0.clone(), Some(row.key.clone()));
            let (fields, near) = (Vec::new(), Vec::new());
            self.out.items.push(Item { class: Class::OnlyBpjs, operation, entry: None, key, fields, near });
        }
    }

    fn item(&mut self, class: Class, entry: usize, row: Option<usize>, fields: Vec<String>, near: Vec<RowKey>) {
        let operation = self.entries[entry].delivery.operation.clone();
        let key = row.map(|row| self.rows[row].key.clone());
        self.out.items.push(Item { class, operation, entry: Some(entry), key, fields, near });
    }
}

/// A list that shows too little to be certain: the queue's own look-up reads each by its number before it adopts.
fn needs_confirmation(operation: &Operation) -> bool {
    operation.look_up.as_ref().is_some_and(|plan| plan.confirm.is_some())
}

fn turn(entry: &Entry, moving: &impl Fn(&Delivery) -> bool) -> Turn {
    if moving(&entry.delivery) {
        Turn::Moving
    } else if entry.delivery.progress.doubt.marked {
        Turn::InDoubt
    } else {
        Turn::NeverSent
    }
}

/// The path at which rows of an operation show the patient, if that is part of their key.
fn patient_path(operation: &Operation) -> Option<&String> {
    let (plan, field) = (operation.look_up.as_ref()?, operation.patient_field.as_ref()?);
    plan.key.iter().find(|(_, own)| *own == field).map(|(path, _)| path)
}

fn trimmed(text: Option<String>) -> String {
    text.map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
