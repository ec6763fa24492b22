//! BPJS's side: the lists that some days, and what they bring up, lead to.
//!
//! Registrations of the day lead to patients, patients to visits, visits to their children, activities to participants.
//! Which list leads where stands in the catalogue: the fields of a plan's key and ids are arguments of other plans.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use jiff::civil::Date;
use serde_json::Value;

use super::compare::{Entry, RowKey};
use super::day::{Order, Reconciler};
use crate::catalogue::{Arg, LookUp, Operation, at};
use crate::protocol::sign::Stamp;

/// A read that fails is asked again in this many passes; reads change nothing at BPJS.
const PASSES: usize = 3;
/// Reads at once: a reconciliation must not crowd out the sending.
const READS_AT_ONCE: usize = 2;

type Pool = BTreeMap<String, BTreeSet<String>>;
pub(super) type ReadKey = (String, Vec<(String, String)>);

/// What was read of BPJS.
#[derive(Default)]
pub(super) struct Theirs {
    /// When the first list was asked for.
    pub(super) began: jiff::Timestamp,
    pub(super) rows: BTreeMap<RowKey, Value>,
    done: BTreeSet<ReadKey>,
    pub(super) failed: BTreeMap<ReadKey, String>,
}

impl Reconciler {
    /// Reads every list that the days, and what they bring up, lead to: registrations of the day → patients → visits →
    /// their children; activities → participants.
    pub(super) async fn read_all(&self, order: &Order, entries: &[Entry]) -> Theirs {
        let mut pool = self.seeds(order, entries);
        let mut theirs = Theirs { began: self.clock.now(), ..Theirs::default() };
        for pass in 0..PASSES {
            while let Some(reads) = self.pending(order, entries, &pool, &theirs) {
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

    /// The additions that can be looked up at this facility's services, with their plans.
    fn readable(&self, facility: &str) -> impl Iterator<Item = (&Operation, &LookUp)> {
        let served = |operation: &&Operation| self.remote.serves(facility, operation.service);
        self.catalogue
            .operations()
            .filter(served)
            .filter_map(|operation| Some((operation, operation.look_up.as_ref()?)))
    }

    fn seeds(&self, order: &Order, entries: &[Entry]) -> Pool {
        let mut pool = Pool::new();
        for day in order.from.series(jiff::Span::new().days(1)).take_while(|day| *day <= order.to) {
            for (operation, plan) in self.readable(&order.facility) {
                let date = operation.date_field.as_ref();
                let kind = date.and_then(|date| operation.field(date)).map(|field| field.kind);
                let fields = plan.args.values().filter_map(Arg::field).filter(|field| Some(*field) == date);
                for (field, kind) in fields.zip(kind) {
                    pool.entry(field.clone()).or_default().insert(kind.write_day(day));
                }
            }
        }
        for entry in entries {
            let Some(plan) = self.catalogue.operation(&entry.delivery.operation).and_then(|o| o.look_up.as_ref())
            else {
                continue;
            };
            for field in plan.args.values().filter_map(Arg::field) {
                if let Some(value) = at(&entry.payload, field).and_then(text) {
                    pool.entry(field.clone()).or_default().insert(value);
                }
            }
        }
        pool
    }

    /// Reads that the pool allows and that were not made yet; `None` when there are none. A plan with one argument is
    /// read for every value the pool has; one with more (V-Claim's) for what our own entries ask.
    fn pending(&self, order: &Order, entries: &[Entry], pool: &Pool, theirs: &Theirs) -> Option<Vec<ReadKey>> {
        let mut reads = BTreeSet::new();
        for (operation, plan) in self.readable(&order.facility) {
            let mut args = plan.args.iter();
            if let (Some((name, Arg::Field(field))), None) = (args.next(), args.next()) {
                let values = pool.get(field).into_iter().flatten();
                reads.extend(values.map(|value| (operation.name.clone(), vec![(name.clone(), value.clone())])));
                continue;
            }
            // A whole day where the day says all (V-Claim's visits): what others typed in shows too.
            if plan.unique && operation.family() == operation.name {
                reads.extend(of_days(order, operation, plan).into_iter().map(|args| (operation.name.clone(), args)));
            }
            let own = entries.iter().filter(|entry| entry.delivery.operation == operation.name);
            let asked = own.filter_map(|entry| arguments_of(operation, plan, entry));
            reads.extend(asked.map(|args| (operation.name.clone(), args)));
        }
        reads.retain(|key| !theirs.done.contains(key) && !theirs.failed.contains_key(key));
        (!reads.is_empty()).then(|| reads.into_iter().collect())
    }

    /// One read, with its key so that answers may come in any order.
    async fn read(&self, facility: String, key: ReadKey) -> (ReadKey, Result<Vec<Value>, String>) {
        let Some((operation, plan)) = self.readable(&facility).find(|(operation, _)| operation.name == key.0) else {
            return (key, Ok(Vec::new()));
        };
        self.remote.admit(&facility, operation.service).await;
        self.turns.step();
        let stamp = Stamp::at(self.clock.now());
        let read = self.remote.read(&facility, &plan.read, &key.1, stamp).await;
        let answer = match read {
            Ok(rows) if rows.is_complete() => Ok(rows.rows),
            Ok(_) => Err("list incomplete".to_owned()),
            Err(failure) => Err(failure.why),
        };
        self.turns.step();
        (key, answer)
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
            let kind = operation.field(field).map(|field| field.kind);
            kind.and_then(|kind| kind.day(&theirs)).is_some_and(|day| day >= order.from && day <= order.to)
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
                .find(|(_, own)| own.field() == Some(field))
                .and_then(|(name, _)| args.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone()));
            let shown =
                plan.key.iter().find(|(_, own)| *own == field).and_then(|(path, _)| at(row, path).and_then(text));
            shown.or(asked)
        })
        .collect();
    let name = operation.gives.first().or(operation.own_id.as_ref())?;
    let id = at(row, plan.ids.get(name)?).and_then(text)?;
    Some((operation.family(), scope?, id))
}

/// The reads that show whole days, where a plan's arguments follow from the day, or are of a short list of values.
fn of_days(order: &Order, operation: &Operation, plan: &LookUp) -> Vec<Vec<(String, String)>> {
    let days = order.from.series(jiff::Span::new().days(1)).take_while(|day| *day <= order.to);
    let of_day = |day: Date| {
        let mut sets = vec![Vec::new()];
        for (name, arg) in &plan.args {
            let values = values_on(operation, arg, day)?;
            let longer = |set: &Vec<(String, String)>| {
                let set = set.clone();
                values.iter().map(move |value| [set.clone(), vec![(name.clone(), value.clone())]].concat()).collect()
            };
            sets = sets.iter().flat_map::<Vec<_>, _>(longer).collect();
        }
        Some(sets)
    };
    days.filter_map(of_day).flatten().collect()
}

fn values_on(operation: &Operation, arg: &Arg, day: Date) -> Option<Vec<String>> {
    let is_day = |field: &String| Some(field) == operation.date_field.as_ref();
    match arg {
        Arg::Literal(text) => Some(vec![text.clone()]),
        Arg::Field(name) => {
            let field = operation.field(name)?;
            let values = if is_day(name) { vec![field.kind.write_day(day)] } else { field.values.clone() };
            (!values.is_empty()).then_some(values)
        }
        Arg::Month(Some(name)) if is_day(name) => Some(vec![format!("{:02}", day.month())]),
        Arg::MonthPlain(Some(name)) if is_day(name) => Some(vec![day.month().to_string()]),
        Arg::Year(Some(name)) if is_day(name) => Some(vec![format!("{:04}", day.year())]),
        Arg::Month(_) | Arg::MonthPlain(_) | Arg::Year(_) | Arg::Today(_) => None,
    }
}

/// The arguments of the very read that would show an entry; `@today` is the entry's own day: what it made is listed there.
pub(super) fn arguments_of(operation: &Operation, plan: &LookUp, entry: &Entry) -> Option<Vec<(String, String)>> {
    plan.arguments(operation, &entry.payload, entry.delivery.service_date?)
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
