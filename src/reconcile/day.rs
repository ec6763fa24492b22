//! One facility, some days: read BPJS's lists gently, compare, adopt what is certain, keep the report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::compare::{Adoptable, Class, Compared, Entry, Row, RowKey, compare};
use crate::catalogue::{Catalogue, Kind, LookUp, Operation, fill};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::protocol::sign::Stamp;
use crate::queue::transition::Event;
use crate::queue::{BootId, Delivery, State, SubmissionId};
use crate::remote::Remote;
use crate::secret::Private;
use crate::store::{Act, Acted, AuditEntry, Base, JournalRow, ReconciliationRow, SharedStore, StoreError};

/// A read that fails is asked again in this many passes; reads change nothing at BPJS.
const PASSES: usize = 3;
/// Reads at once: a reconciliation must not crowd out the sending.
const READS_AT_ONCE: usize = 2;
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
    /// References that the SIM believes to have handed in, if it sent a list.
    pub sim: Option<Vec<String>>,
    /// Who asked.
    pub actor: String,
}

type Pool = BTreeMap<String, BTreeSet<String>>;
type ReadKey = (String, Vec<(String, String)>);

/// What was read of BPJS.
#[derive(Default)]
struct Theirs {
    rows: BTreeMap<RowKey, Value>,
    done: BTreeSet<ReadKey>,
    failed: BTreeMap<ReadKey, String>,
}

impl std::fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reconciler(…)")
    }
}

impl Reconciler {
    /// Reconciles and keeps the report; returns it as JSON (`docs/cli.md`).
    ///
    /// # Errors
    /// [`StoreError`]; what BPJS does not answer is in the report (`complete` is then false).
    pub async fn run(&self, order: Order) -> Result<Value, StoreError> {
        let started_at = self.clock.now();
        let id = SubmissionId::new(started_at, &self.chance.ten()).to_string();
        let mut entries = self.entries(&order).await?;
        let theirs = self.read_all(&order, &entries).await;
        let mut adopted = BTreeSet::new();
        let mut compared = self.compare(&entries, &theirs).await?;
        for _ in 0..ADOPTION_ROUNDS {
            let news = self.adopt_all(&order, &entries, &compared).await?;
            if news.is_empty() {
                break;
            }
            adopted.extend(news);
            entries = self.entries(&order).await?;
            compared = self.compare(&entries, &theirs).await?;
        }
        let report = self.report(&id, &order, started_at, &entries, &theirs, &compared, &adopted).await?;
        self.keep(&id, &order, started_at, &report).await?;
        Ok(report)
    }

    // ---- our side -----------------------------------------------------------------------------------------------

    async fn entries(&self, order: &Order) -> Result<Vec<Entry>, StoreError> {
        let journal = self.store.journal(&order.facility, order.from, order.to).await?;
        let mut entries: Vec<Entry> = journal.iter().filter_map(|row| self.entry(row)).collect();
        lay_edits_over(&self.catalogue, &mut entries);
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
        let scope = operation.id_scope.iter().map(|field| text(payload.get(field)?)).collect();
        let reference = format!("{}/{}", row.reference, row.delivery.entry_ref);
        Some(Entry { delivery: row.delivery.clone(), payload, scope, reference })
    }

    // ---- their side ---------------------------------------------------------------------------------------------

    /// Reads every list that the days, and what they bring up, lead to: registrations of the day → patients → visits →
    /// their children; activities → participants.
    async fn read_all(&self, order: &Order, entries: &[Entry]) -> Theirs {
        let mut pool = self.seeds(order, entries);
        let mut theirs = Theirs::default();
        for pass in 0..PASSES {
            while let Some(reads) = self.pending(&pool, &theirs) {
                let answers: Vec<_> = futures_util::stream::iter(reads)
                    .map(|key| self.read(order.facility.clone(), key))
                    .buffer_unordered(READS_AT_ONCE)
                    .collect()
                    .await;
                for (key, answer) in answers {
                    if let Some(operation) = self.catalogue.operation(&key.0) {
                        take(order, operation, key.1, answer, &mut pool, &mut theirs);
                    }
                }
            }
            if theirs.failed.is_empty() || pass + 1 == PASSES {
                break;
            }
            theirs.failed.clear();
        }
        theirs
    }

    fn readable(&self) -> impl Iterator<Item = (&Operation, &LookUp)> {
        self.catalogue.operations().filter_map(|operation| Some((operation, operation.look_up.as_ref()?)))
    }

    fn seeds(&self, order: &Order, entries: &[Entry]) -> Pool {
        let mut pool = Pool::new();
        for day in order.from.series(jiff::Span::new().days(1)).take_while(|day| *day <= order.to) {
            for (operation, plan) in self.readable() {
                let date = operation.date_field.as_ref();
                for field in plan.args.values().filter(|field| Some(*field) == date) {
                    pool.entry(field.clone()).or_default().insert(wire_date(day));
                }
            }
        }
        for entry in entries {
            let Some(plan) = self.catalogue.operation(&entry.delivery.operation).and_then(|o| o.look_up.as_ref())
            else {
                continue;
            };
            for field in plan.args.values() {
                if let Some(value) = entry.payload.get(field).and_then(text) {
                    pool.entry(field.clone()).or_default().insert(value);
                }
            }
        }
        pool
    }

    /// Reads that the pool allows and that were not made yet; `None` when there are none.
    fn pending(&self, pool: &Pool, theirs: &Theirs) -> Option<Vec<ReadKey>> {
        let mut reads = Vec::new();
        for (operation, plan) in self.readable() {
            // Every plan so far takes one argument; one with more would need their combinations.
            let Some((name, field)) = plan.args.iter().next() else { continue };
            let keys = pool.get(field).into_iter().flatten();
            let keys = keys.map(|value| (operation.name.clone(), vec![(name.clone(), value.clone())]));
            reads.extend(keys.filter(|key| !theirs.done.contains(key) && !theirs.failed.contains_key(key)));
        }
        (!reads.is_empty()).then_some(reads)
    }

    /// One read, with its key so that answers may come in any order.
    async fn read(&self, facility: String, key: ReadKey) -> (ReadKey, Result<Vec<Value>, String>) {
        let Some((operation, plan)) = self.readable().find(|(operation, _)| operation.name == key.0) else {
            return (key, Ok(Vec::new()));
        };
        self.remote.admit(&facility, operation.service).await;
        let stamp = Stamp::at(self.clock.now());
        let read = self.remote.read(&facility, &plan.read, &key.1, stamp).await;
        let answer = match read {
            Ok(rows) if rows.is_complete() => Ok(rows.rows),
            Ok(_) => Err("list incomplete".to_owned()),
            Err(failure) => Err(failure.why),
        };
        (key, answer)
    }

    // ---- compare and adopt --------------------------------------------------------------------------------------

    async fn compare(&self, entries: &[Entry], theirs: &Theirs) -> Result<Compared, StoreError> {
        let rows = self.owned(entries, theirs).await?;
        let now = self.clock.now();
        let moving = |delivery: &Delivery| {
            let operation = self.catalogue.operation(&delivery.operation);
            let settle = self.settle.or_else(|| operation.map(Operation::settle)).unwrap_or_default();
            let progress = &delivery.progress;
            progress.lease.is_some()
                || progress.state == State::Sending
                || progress.doubt.since.is_some_and(|since| !progress.state.is_final() && now < since + settle)
        };
        let unread = |entry: &Entry| {
            theirs.failed.keys().any(|(operation, args)| {
                *operation == entry.delivery.operation
                    && args.iter().all(|(_, value)| {
                        entry
                            .payload
                            .as_object()
                            .is_some_and(|map| map.values().any(|v| text(v).as_ref() == Some(value)))
                    })
            })
        };
        Ok(compare(&self.catalogue, entries, &rows, moving, unread))
    }

    /// The rows with their owners.
    async fn owned(&self, entries: &[Entry], theirs: &Theirs) -> Result<Vec<Row>, StoreError> {
        let Some(facility) = entries.first().map(|entry| entry.delivery.facility.clone()) else {
            return Ok(theirs
                .rows
                .iter()
                .map(|(key, value)| Row { key: key.clone(), value: value.clone(), owner: None })
                .collect());
        };
        let mut scopes: BTreeMap<(&String, &Vec<String>), Vec<(&String, &Value)>> = BTreeMap::new();
        for ((operation, scope, id), value) in &theirs.rows {
            scopes.entry((operation, scope)).or_default().push((id, value));
        }
        let mut rows = Vec::with_capacity(theirs.rows.len());
        for ((operation, scope), group) in scopes {
            let ids: Vec<String> = group.iter().map(|(id, _)| (*id).clone()).collect();
            let owners = self.store.owners(&facility, operation, scope, &ids).await?;
            for ((id, value), owner) in group.into_iter().zip(owners) {
                rows.push(Row { key: (operation.clone(), scope.clone(), id.clone()), value: value.clone(), owner });
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
                if let Some(value) = entry.payload.get(&need.field).and_then(text) {
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
        let mut items: Vec<Value> =
            compared.items.iter().filter_map(|item| line(item, entries, adopted, now)).collect();
        let missing = only_sim(order, entries);
        counts.insert(Class::OnlySim.word().to_owned(), i64::try_from(missing.len()).unwrap_or(i64::MAX));
        items.extend(missing.iter().map(|reference| json!({ "class": Class::OnlySim.word(), "ref": reference })));
        let late = entries.iter().filter(|entry| entry.delivery.is_late(now)).count();
        counts.insert("late".to_owned(), i64::try_from(late).unwrap_or(i64::MAX));
        let checkpoint =
            self.store.audit(0, 1_000_000).await?.last().map(|entry| json!({ "seq": entry.seq, "hash": entry.hash }));
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
            "journal": by_operation(entries.iter().map(|entry| entry.delivery.operation.as_str())),
            "bpjs": by_operation(theirs.rows.keys().map(|(operation, _, _)| operation.as_str())),
            "adopted": adopted.len(),
            "counts": counts,
            "items": items,
            "checkpoint": checkpoint,
        }))
    }

    async fn keep(
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
        self.store.put_reconciliation(row).await
    }
}

/// Puts a read's rows where they belong and lets them open the way to further reads.
fn take(
    order: &Order,
    operation: &Operation,
    args: Vec<(String, String)>,
    answer: Result<Vec<Value>, String>,
    pool: &mut Pool,
    theirs: &mut Theirs,
) {
    let key = (operation.name.clone(), args.clone());
    let rows = match answer {
        Ok(rows) => rows,
        Err(why) => {
            theirs.failed.insert(key, why);
            return;
        }
    };
    theirs.done.insert(key);
    let Some(plan) = &operation.look_up else { return };
    for row in rows.into_iter().filter(|row| belongs(order, operation, plan, row)) {
        for (path, field) in plan.key.iter().chain(plan.ids.iter().map(|(id, path)| (path, id))) {
            if let Some(value) = at(&row, path).and_then(text) {
                pool.entry(field.clone()).or_default().insert(value);
            }
        }
        if let Some(row_key) = row_key(operation, plan, &args, &row) {
            theirs.rows.insert(row_key, row);
        }
    }
}

/// Whether a row is of this facility and these days: a history shows other places and other days too.
fn belongs(order: &Order, operation: &Operation, plan: &LookUp, row: &Value) -> bool {
    plan.key.iter().all(|(path, field)| {
        let theirs = at(row, path).and_then(text).unwrap_or_default();
        if field == "@facility" {
            theirs.eq_ignore_ascii_case(&order.facility)
        } else if Some(field) == operation.date_field.as_ref() {
            crate::catalogue::read_date(&theirs).is_some_and(|day| day >= order.from && day <= order.to)
        } else {
            true
        }
    })
}

fn row_key(operation: &Operation, plan: &LookUp, args: &[(String, String)], row: &Value) -> Option<RowKey> {
    let scope: Option<Vec<String>> = operation
        .id_scope
        .iter()
        .map(|field| {
            let asked = plan
                .args
                .iter()
                .find(|(_, own)| *own == field)
                .and_then(|(name, _)| args.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone()));
            let shown =
                plan.key.iter().find(|(_, own)| *own == field).and_then(|(path, _)| at(row, path).and_then(text));
            shown.or(asked)
        })
        .collect();
    let name = operation.gives.first().or(operation.own_id.as_ref())?;
    let id = at(row, plan.ids.get(name)?).and_then(text)?;
    Some((operation.name.clone(), scope?, id))
}

/// BPJS shows a visit as it stands after its delivered edits.
fn lay_edits_over(catalogue: &Catalogue, entries: &mut [Entry]) {
    let edits: Vec<(String, Value)> = entries
        .iter()
        .filter(|entry| entry.delivery.progress.state == State::Delivered)
        .filter(|entry| catalogue.operation(&entry.delivery.operation).is_some_and(|o| o.kind == Kind::Edit))
        .map(|entry| (entry.delivery.operation.replace(".edit", ".add"), entry.payload.clone()))
        .collect();
    for (operation, edit) in edits {
        let Some(made) = catalogue.operation(&operation) else { continue };
        let Some(id) = made.gives.first() else { continue };
        let wanted = edit.get(id).and_then(text);
        let same = |entry: &&mut Entry| {
            entry.delivery.operation == operation && entry.delivery.progress.remote.expose().get(id) == wanted.as_ref()
        };
        if let Some(entry) = entries.iter_mut().find(same)
            && let (Some(base), Some(over)) = (entry.payload.as_object_mut(), edit.as_object())
        {
            base.extend(over.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }
}

/// A line of the report; equal entries that were simply delivered are counted, not listed.
fn line(
    item: &super::compare::Item,
    entries: &[Entry],
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
        "id": item.id,
        "fields": item.fields,
        "adopted": adopted,
        "late": entry.is_some_and(|entry| entry.delivery.is_late(now)),
        "why": why.map(|why| json!({ "code": why.code, "message": why.message.expose(), "meaning": why.meaning, "who": why.who.word(), "next": why.next })),
    }))
}

fn only_sim(order: &Order, entries: &[Entry]) -> Vec<String> {
    let known: BTreeSet<&str> = entries
        .iter()
        .flat_map(|entry| [Some(entry.reference.as_str()), entry.reference.split('/').next()])
        .flatten()
        .collect();
    order.sim.iter().flatten().filter(|reference| !known.contains(reference.as_str())).cloned().collect()
}

fn by_operation<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, i64> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}

fn at<'v>(row: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(row, |value, name| value.get(name))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn wire_date(day: Date) -> String {
    format!("{:02}-{:02}-{:04}", day.day(), day.month(), day.year())
}
