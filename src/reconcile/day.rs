//! One facility, one day: read BPJS's lists gently, compare, adopt what is certain, report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::compare::{Adoptable, Class, Compared, Entry, Item, Row, RowKey, compare, lay_edits_over};
use super::period::Turns;
use super::sim::SimLine;
use super::theirs::{Theirs, arguments_of, text};
use crate::catalogue::{Catalogue, Kind, Operation, at, fill};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::queue::transition::Event;
use crate::queue::{BootId, Delivery, State, SubmissionId};
use crate::remote::Remote;
use crate::secret::Private;
use crate::store::{Act, Acted, AuditEntry, Base, JournalRow, ReconciliationRow, SharedStore, StoreError};

/// Adoption of a visit opens the way to its children, so the comparison is made anew at most this often.
const ADOPTION_ROUNDS: usize = 4;

/// Everything a reconciliation needs.
pub struct Reconciler {
    /// The journal.
    pub store: SharedStore,
    /// BPJS.
    pub remote: Remote,
    /// The operations.
    pub catalogue: Arc<Catalogue>,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub chance: Chance,
    /// This run.
    pub boot: BootId,
    /// Replaces every catalogue value of settle, if set.
    pub settle: Option<Duration>,
    /// One reconciliation per facility at a time, whoever asks.
    pub turns: Turns,
}

/// What to reconcile.
#[derive(Debug, Clone)]
pub struct Order {
    /// kdProvider.
    pub facility: String,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// What the SIM believes to have handed in, if it sent a list.
    pub sim: Option<Vec<SimLine>>,
    /// Who asked.
    pub actor: String,
}

impl std::fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reconciler(…)")
    }
}

impl Reconciler {
    /// Compares the days of `order` in one go and adopts what is certain; the report is not kept yet.
    pub(super) async fn compared(&self, id: &str, order: &Order) -> Result<Value, StoreError> {
        let started_at = self.clock.now();
        let mut entries = self.entries(order).await?;
        let theirs = self.read_all(order, &entries).await;
        let mut adopted = BTreeSet::new();
        let mut compared = self.compare(&order.facility, &mut entries, &theirs).await?;
        for _ in 0..ADOPTION_ROUNDS {
            if compared.adoptable.is_empty() {
                break;
            }
            // A worker may be faster with one of them: the comparison is then made anew all the same.
            adopted.extend(self.adopt_all(order, &entries, &compared).await?);
            entries = self.entries(order).await?;
            compared = self.compare(&order.facility, &mut entries, &theirs).await?;
        }
        // What still could not be adopted is in a worker's hands: left out, but counted.
        compared.moving += compared.adoptable.len();
        self.report(id, order, started_at, &entries, &theirs, &compared, &adopted).await
    }

    pub(super) fn new_id(&self) -> String {
        SubmissionId::new(self.clock.now(), &self.chance.ten()).to_string()
    }

    // ---- our side -----------------------------------------------------------------------------------------------

    pub(super) async fn entries(&self, order: &Order) -> Result<Vec<Entry>, StoreError> {
        let journal = self.store.journal(&order.facility, order.from, order.to).await?;
        let mut entries: Vec<Entry> = journal.iter().filter_map(|row| self.entry(row)).collect();
        let own = entries.len();
        // BPJS shows the present: an edit made days later has changed what this day's entry made.
        let later = self.store.later_edits(&order.facility, order.to).await?;
        entries.extend(later.iter().filter_map(|row| self.entry(row)));
        lay_edits_over(&self.catalogue, &mut entries);
        entries.truncate(own);
        Ok(entries)
    }

    fn entry(&self, row: &JournalRow) -> Option<Entry> {
        let operation = self.catalogue.operation(&row.delivery.operation)?;
        let remote = row.delivery.progress.remote.expose();
        let given = |from: &str, id: &str| {
            let theirs = row.given.iter().find(|given| given.operation == from);
            theirs.and_then(|given| given.ids.expose().get(id)).or_else(|| remote.get(id)).cloned()
        };
        let payload =
            fill(operation, row.payload.expose(), given).map_or_else(|_| row.payload.expose().clone(), |f| f.payload);
        let scope = operation.id_scope.iter().map(|field| text(at(&payload, field)?)).collect();
        let reference = format!("{}/{}", row.reference, row.delivery.entry_ref);
        Some(Entry { delivery: row.delivery.clone(), payload, scope, reference, released: false })
    }

    // ---- compare and adopt --------------------------------------------------------------------------------------

    async fn compare(&self, facility: &str, entries: &mut [Entry], theirs: &Theirs) -> Result<Compared, StoreError> {
        let rows = self.owned(facility, theirs).await?;
        self.mark_released(facility, entries, &rows).await?;
        let now = self.clock.now();
        let moving = |delivery: &Delivery| {
            let operation = self.catalogue.operation(&delivery.operation);
            let settle = self.settle.or_else(|| operation.map(Operation::settle)).unwrap_or_default();
            let progress = &delivery.progress;
            progress.lease.is_some()
                || progress.state == State::Sending
                || progress.state == State::Delivered && progress.updated_at >= theirs.began
                || progress.doubt.since.is_some_and(|since| !progress.state.is_final() && now < since + settle)
        };
        // The very read that would show the entry, not any read with a similar argument.
        let unread = |entry: &Entry| {
            let operation = self.catalogue.operation(&entry.delivery.operation);
            let plan = operation.and_then(|operation| operation.look_up.as_ref());
            let args = operation.zip(plan).and_then(|(operation, plan)| arguments_of(operation, plan, entry));
            args.is_some_and(|args| theirs.failed.contains_key(&(entry.delivery.operation.clone(), args)))
        };
        Ok(compare(&self.catalogue, entries, &rows, moving, unread))
    }

    /// A delivered delete sets the id free, whatever day it was made on: the store knows who owns what.
    async fn mark_released(&self, facility: &str, entries: &mut [Entry], rows: &[Row]) -> Result<(), StoreError> {
        let shown: BTreeSet<_> = rows.iter().filter_map(|row| row.owner).collect();
        for entry in entries {
            let (delivery, operation) = (&entry.delivery, self.catalogue.operation(&entry.delivery.operation));
            let Some(operation) = operation.filter(|operation| operation.kind == Kind::Add) else { continue };
            if delivery.progress.state != State::Delivered || shown.contains(&delivery.id) {
                continue;
            }
            let name = operation.gives.first().or(operation.own_id.as_ref());
            let id = name.and_then(|name| {
                let given = delivery.progress.remote.expose().get(name).cloned();
                given.or_else(|| at(&entry.payload, name).and_then(text))
            });
            let (Some(id), Some(scope)) = (id, &entry.scope) else { continue };
            let owner = self.store.owners(facility, &operation.family(), scope, &[id]).await?;
            entry.released = owner.first().copied().flatten() != Some(delivery.id);
        }
        Ok(())
    }

    /// The rows with their owners.
    async fn owned(&self, facility: &str, theirs: &Theirs) -> Result<Vec<Row>, StoreError> {
        let mut rows: Vec<Row> = theirs
            .rows
            .iter()
            .map(|(key, value)| Row { key: key.clone(), value: value.clone(), owner: None })
            .collect();
        // Sorted by key: one question per operation and scope.
        for group in rows.chunk_by_mut(|a, b| (&a.key.0, &a.key.1) == (&b.key.0, &b.key.1)) {
            let ids: Vec<String> = group.iter().map(|row| row.key.2.clone()).collect();
            let Some((operation, scope, _)) = group.first().map(|row| row.key.clone()) else { continue };
            let owners = self.store.owners(facility, &operation, &scope, &ids).await?;
            for (row, owner) in group.iter_mut().zip(owners) {
                row.owner = owner;
            }
        }
        Ok(rows)
    }

    /// Adopts what is certain; returns the entries' references.
    async fn adopt_all(
        &self,
        order: &Order,
        entries: &[Entry],
        compared: &Compared,
    ) -> Result<Vec<String>, StoreError> {
        let mut adopted = Vec::new();
        for adoptable in &compared.adoptable {
            let Some(entry) = entries.get(adoptable.entry) else { continue };
            if self.adopt(order, entry, adoptable).await? {
                adopted.push(entry.reference.clone());
            }
        }
        Ok(adopted)
    }

    async fn adopt(&self, order: &Order, entry: &Entry, adoptable: &Adoptable) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut ids = adoptable.ids.clone();
        if let Some(operation) = self.catalogue.operation(&entry.delivery.operation) {
            for need in &operation.needs {
                if let Some(value) = at(&entry.payload, &need.field).and_then(text) {
                    ids.entry(need.id.clone()).or_insert(value);
                }
            }
        }
        let act = Act {
            id: entry.delivery.id,
            event: Event::Adopt { ids: Private::new(ids) },
            payload: None,
            owns: Some(adoptable.key.clone()),
            now,
            base: Base { boot: self.boot, settle: self.settle, chance: self.chance.fraction(), others_pass: true },
            audit: AuditEntry {
                at: now,
                actor: order.actor.clone(),
                action: "delivery.adopt".to_owned(),
                object: entry.delivery.id.to_string(),
                detail: "rekonsiliasi".to_owned(),
            },
        };
        // A worker that was faster leaves it refused here, which is fine: the next comparison sees it.
        Ok(matches!(self.store.act(act).await?, Acted::Done(_)))
    }

    // ---- the report ---------------------------------------------------------------------------------------------

    #[expect(clippy::too_many_arguments, reason = "the parts of one report, each named where it is made")]
    async fn report(
        &self,
        id: &str,
        order: &Order,
        started_at: jiff::Timestamp,
        entries: &[Entry],
        theirs: &Theirs,
        compared: &Compared,
        adopted: &BTreeSet<String>,
    ) -> Result<Value, StoreError> {
        let now = self.clock.now();
        let mut counts: BTreeMap<String, i64> = Class::ALL.iter().map(|class| (class.word().to_owned(), 0)).collect();
        for item in &compared.items {
            *counts.entry(item.class.word().to_owned()).or_default() += 1;
        }
        let items: Vec<Value> =
            compared.items.iter().filter_map(|item| self.line(item, entries, theirs, adopted, now)).collect();
        let late = entries.iter().filter(|entry| entry.delivery.is_late(now)).count();
        counts.insert("late".to_owned(), i64::try_from(late).unwrap_or(i64::MAX));
        let checkpoint = self.store.audit_head().await?.map(|entry| json!({ "seq": entry.seq, "hash": entry.hash }));
        Ok(json!({
            "id": id,
            "facility": order.facility,
            "from": order.from.to_string(),
            "to": order.to.to_string(),
            "started_at": started_at.to_string(),
            "finished_at": now.to_string(),
            "actor": order.actor,
            "complete": theirs.failed.is_empty(),
            "unread": theirs.failed.iter().map(|((operation, _), why)| json!({ "operation": operation, "why": why })).collect::<Vec<_>>(),
            "moving": compared.moving,
            "withdrawn": compared.withdrawn,
            "cancelled": compared.cancelled,
            "unread_entries": compared.unread,
            "elsewhere": compared.elsewhere,
            "incomparable": compared.incomparable,
            "journal": by_operation(entries.iter().map(|entry| entry.delivery.operation.as_str())),
            "bpjs": by_operation(theirs.rows.keys().map(|(operation, _, _)| operation.as_str())),
            "adopted": adopted.len(),
            "counts": counts,
            "items": items,
            "checkpoint": checkpoint,
        }))
    }

    /// A line of the report; equal entries that were simply delivered are counted, not listed.
    fn line(
        &self,
        item: &Item,
        entries: &[Entry],
        theirs: &Theirs,
        adopted: &BTreeSet<String>,
        now: jiff::Timestamp,
    ) -> Option<Value> {
        let entry = item.entry.and_then(|at| entries.get(at));
        let adopted = entry.is_some_and(|entry| adopted.contains(&entry.reference));
        if item.class == Class::Equal && !adopted {
            return None;
        }
        let progress = entry.map(|entry| &entry.delivery.progress);
        let why = progress.and_then(|progress| progress.why.as_ref());
        Some(json!({
            "class": item.class.word(),
            "operation": item.operation,
            "delivery": entry.map(|entry| entry.delivery.id.to_string()),
            "ref": entry.map(|entry| &entry.reference),
            "state": progress.map(|progress| progress.state.word()),
            "how": progress.and_then(|progress| progress.how).map(crate::queue::How::word),
            "id": item.key.as_ref().map(|key| &key.2),
            "key": item.key.as_ref().and_then(|key| self.key_fields(key, theirs)),
            "fields": item.fields,
            "near": item.near.iter().map(|key| json!({ "id": key.2, "key": self.key_fields(key, theirs) })).collect::<Vec<_>>(),
            "adopted": adopted,
            "late": entry.is_some_and(|entry| entry.delivery.is_late(now)),
            "why": why.map(|why| json!({
                "code": why.code, "message": why.message.expose(), "meaning": why.meaning,
                "who": why.who.word(), "next": why.next,
            })),
        }))
    }

    /// What tells a person which row it is: the fields of its natural key as BPJS shows them, and its scope.
    fn key_fields(&self, key: &RowKey, theirs: &Theirs) -> Option<Value> {
        let (operation, row) = (self.catalogue.operation(&key.0)?, theirs.rows.get(key)?);
        let plan = operation.look_up.as_ref()?;
        let shown = plan.key.iter().filter(|(_, field)| !field.starts_with(['@', '=']));
        let mut fields: serde_json::Map<String, Value> =
            shown.filter_map(|(path, field)| Some((field.clone(), json!(at(row, path).and_then(text)?)))).collect();
        for (field, value) in operation.id_scope.iter().zip(&key.1) {
            fields.entry(field.clone()).or_insert_with(|| json!(value));
        }
        Some(Value::Object(fields))
    }

    pub(super) async fn keep(
        &self,
        id: &str,
        order: &Order,
        started_at: jiff::Timestamp,
        report: &Value,
    ) -> Result<(), StoreError> {
        let counts = report.get("counts").cloned().unwrap_or_default();
        let row = ReconciliationRow {
            id: id.to_owned(),
            facility: order.facility.clone(),
            from: order.from,
            to: order.to,
            started_at,
            finished_at: self.clock.now(),
            counts: serde_json::from_value(counts).unwrap_or_default(),
            report: Some(Private::new(report.clone())),
        };
        failpoint!(await "reconciliation.before");
        self.store.put_reconciliation(row).await
    }
}

fn by_operation<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, i64> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}
