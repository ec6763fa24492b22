//! Days added up to one report: one comparison a day, resumable, one per facility at a time; then the SIM's list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::compare::{Class, Entry};
use super::day::{Order, Reconciler};
use super::sim::{self, Found, SimLine};
use crate::secret::Private;
use crate::store::{DayChange, DayRow, StoreError};

/// How long the days of a broken run are believed.
const FRESH: Duration = Duration::from_hours(24);
/// Members of a day's report that are added up.
const SUMS: [&str; 6] = ["moving", "withdrawn", "cancelled", "unread_entries", "elsewhere", "adopted"];
/// Members whose own members are added up.
const TABLES: [&str; 4] = ["counts", "journal", "bpjs", "incomparable"];
/// Members whose elements are put one after another.
const LISTS: [&str; 2] = ["unread", "items"];

/// Whose turn it is, per facility, and whether whoever has it gets on.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    places: Places,
    steps: Arc<AtomicU64>,
}

type Places = Arc<Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>>;

impl Turns {
    /// How many steps were made so far, by all: a reconciliation that stands still makes none.
    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// A read, or a part of the work on rows, has ended.
    pub(super) fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    fn of(&self, facility: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(facility.to_owned()).or_default())
    }
}

impl Reconciler {
    /// Reconciles and keeps the report; returns it as JSON (`docs/cli.md`). A facility's second reconciliation waits for
    /// the first. A period is compared day by day; days that were done before a crash are not done again.
    ///
    /// # Errors
    /// [`StoreError`]; what BPJS does not answer is in the report (`complete` is then false).
    pub async fn run(&self, order: Order) -> Result<Value, StoreError> {
        let turn = self.turns.of(&order.facility);
        let _mine = turn.lock().await;
        self.turns.step();
        let (started_at, id) = (self.clock.now(), self.new_id());
        let mut report =
            if order.from == order.to { self.compared(&id, &order).await? } else { self.period(&id, &order).await? };
        if let Some(lines) = &order.sim {
            let entries = self.entries(&order).await?;
            self.add_sim(&order, lines, &entries, &mut report).await?;
        }
        number(&mut report);
        report["id"] = json!(id);
        report["started_at"] = json!(started_at.to_string());
        report["finished_at"] = json!(self.clock.now().to_string());
        self.keep(&id, &order, started_at, &report).await?;
        if order.from != order.to {
            self.store.change_days(DayChange::Forget { facility: order.facility.clone(), run: run_of(&order) }).await?;
        }
        Ok(report)
    }

    async fn period(&self, id: &str, order: &Order) -> Result<Value, StoreError> {
        let (facility, run, at) = (order.facility.clone(), run_of(order), self.clock.now());
        let days: Vec<Date> = order.from.series(1.day()).take_while(|day| *day <= order.to).collect();
        let want = DayChange::Want { facility, run: run.clone(), days: days.clone(), cause: "period".to_owned(), at };
        // Days that an earlier, broken run has done lately stay done.
        let before = self.store.days(&run).await?;
        let fresh = |row: &DayRow| row.done.as_ref().is_some_and(|(done, _)| *done + FRESH >= at);
        let done = before.into_iter().filter(|row| row.facility == order.facility && fresh(row));
        let mut done: BTreeMap<Date, Value> =
            done.filter_map(|row| Some((row.day, row.report?.into_inner()))).collect();
        if done.is_empty() {
            self.store.change_days(want).await?;
        }
        let mut sum = Value::Null;
        for day in days {
            let report = match done.remove(&day) {
                Some(report) => report,
                None => self.one_of(&run, order, day).await?,
            };
            add(&mut sum, report, day);
        }
        sum["id"] = json!(id);
        sum["from"] = json!(order.from.to_string());
        sum["to"] = json!(order.to.to_string());
        Ok(sum)
    }

    async fn one_of(&self, run: &str, order: &Order, day: Date) -> Result<Value, StoreError> {
        let id = self.new_id();
        let one = Order { from: day, to: day, sim: None, ..order.clone() };
        let report = self.compared(&id, &one).await?;
        if report["complete"] == json!(true) {
            let done = DayChange::Done {
                facility: order.facility.clone(),
                run: run.to_owned(),
                day,
                at: self.clock.now(),
                id,
                report: Some(Private::new(report.clone())),
            };
            self.store.change_days(done).await?;
        }
        Ok(report)
    }

    async fn add_sim(
        &self,
        order: &Order,
        lines: &[SimLine],
        entries: &[Entry],
        report: &mut Value,
    ) -> Result<(), StoreError> {
        let found = sim::matched(&self.catalogue, lines, entries);
        let (mut matched, mut other_days, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        let mut known: BTreeSet<usize> = BTreeSet::new();
        for (line, found) in lines.iter().zip(found) {
            let (by, places) = match found {
                Found::Reference(places) => ("ref", places),
                Found::Key(place) => ("key", vec![place]),
                Found::Nothing if self.on_another_day(order, line).await? => {
                    other_days.push(sim::shown(line));
                    continue;
                }
                Found::Nothing => {
                    missing.push(line);
                    continue;
                }
            };
            known.extend(&places);
            let deliveries: Vec<String> =
                places.iter().filter_map(|at| entries.get(*at)).map(|entry| entry.delivery.id.to_string()).collect();
            let mut line = sim::shown(line);
            line["by"] = json!(by);
            line["deliveries"] = json!(deliveries);
            matched.push(line);
        }
        let items: Vec<Value> = missing.iter().map(|line| self.only_sim(line, report)).collect();
        report["counts"][Class::OnlySim.word()] = json!(items.len());
        report["sim"] = json!({
            "lines": lines.len(), "matched": matched, "other_days": other_days,
            "not_in_sim": entries.len().saturating_sub(known.len()),
        });
        if let Some(list) = report["items"].as_array_mut() {
            list.extend(items);
        }
        Ok(())
    }

    /// Handed in, but dated on a day that is not compared.
    async fn on_another_day(&self, order: &Order, line: &SimLine) -> Result<bool, StoreError> {
        let facility = std::slice::from_ref(&order.facility);
        let reference = line.reference.as_str();
        let whole = reference.rsplit_once('/').map_or(reference, |(submission, _)| submission);
        for reference in [reference, whole] {
            let page = self.store.submissions(facility, Some(reference), None, None, 20).await?;
            for submission in page.items {
                let entry = line.entry.as_deref().or_else(|| Some(line.reference.rsplit_once('/')?.1));
                let deliveries = self.store.deliveries_of(submission.id).await?;
                let fits = |name: &str| deliveries.iter().any(|delivery| delivery.entry_ref == name);
                if submission.reference == line.reference && line.entry.is_none() || entry.is_some_and(fits) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A line that the journal has not; with BPJS's id where BPJS has it all the same.
    fn only_sim(&self, line: &SimLine, report: &Value) -> Value {
        let operation = line.operation.clone().unwrap_or_default();
        let day = line.day.map(|day| day.to_string()).unwrap_or_default();
        let is_theirs = |item: &&Value| {
            let shown = item["key"]["tglDaftar"].as_str().and_then(crate::catalogue::read_date);
            item["class"] == Class::OnlyBpjs.word()
                && (operation.is_empty() || item["operation"] == operation.as_str())
                && line.no_kartu.is_some()
                && item["key"]["noKartu"].as_str() == line.no_kartu.as_deref()
                && shown.is_some_and(|shown| shown.to_string() == day)
        };
        let theirs = report["items"].as_array().into_iter().flatten().find(is_theirs);
        json!({
            "class": Class::OnlySim.word(), "ref": line.reference, "entry": line.entry, "operation": operation,
            "id": theirs.map(|item| item["id"].clone()), "key": sim::shown(line),
        })
    }
}

/// Names a period in the table of days.
fn run_of(order: &Order) -> String {
    format!("{}..{}", order.from, order.to)
}

/// Every item has a number that stays.
fn number(report: &mut Value) {
    for (n, item) in report["items"].as_array_mut().into_iter().flatten().enumerate() {
        item["n"] = json!(n + 1);
    }
}

/// Adds a day's report to the sum (null: nothing yet).
fn add(sum: &mut Value, mut day: Value, date: Date) {
    for item in day["items"].as_array_mut().into_iter().flatten() {
        item["day"] = json!(date.to_string());
    }
    let line = json!({ "day": date.to_string(), "complete": day["complete"], "counts": day["counts"] });
    if sum.is_null() {
        *sum = day;
        sum["days"] = json!([line]);
        return;
    }
    for name in SUMS {
        sum[name] = json!(sum[name].as_i64().unwrap_or(0) + day[name].as_i64().unwrap_or(0));
    }
    for name in TABLES {
        let mut table: Map<String, Value> = sum[name].as_object().cloned().unwrap_or_default();
        for (key, count) in day[name].as_object().into_iter().flatten() {
            let before = table.get(key).and_then(Value::as_i64).unwrap_or(0);
            table.insert(key.clone(), json!(before + count.as_i64().unwrap_or(0)));
        }
        sum[name] = Value::Object(table);
    }
    for name in LISTS {
        if let (Some(all), Some(more)) = (sum[name].as_array_mut(), day[name].as_array()) {
            all.extend(more.iter().cloned());
        }
    }
    sum["complete"] = json!(sum["complete"] == json!(true) && day["complete"] == json!(true));
    sum["checkpoint"] = day["checkpoint"].take();
    if let Some(days) = sum["days"].as_array_mut() {
        days.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_add_up_and_items_keep_their_day_and_number() {
        let day = |equal: i64, complete: bool| {
            json!({ "complete": complete, "counts": { "equal": equal, "late": 1 }, "journal": { "a": equal },
                "bpjs": {}, "unread": [], "items": [{ "class": "differs" }], "moving": 1, "adopted": 2 })
        };
        let mut sum = Value::Null;
        add(&mut sum, day(3, true), jiff::civil::date(2026, 11, 20));
        add(&mut sum, day(4, false), jiff::civil::date(2026, 11, 21));
        number(&mut sum);
        assert_eq!(
            (&sum["counts"]["equal"], &sum["counts"]["late"], &sum["journal"]["a"]),
            (&json!(7), &json!(2), &json!(7))
        );
        assert_eq!((&sum["moving"], &sum["adopted"], &sum["complete"]), (&json!(2), &json!(4), &json!(false)));
        let numbers: Vec<_> =
            sum["items"].as_array().unwrap().iter().map(|item| (item["n"].clone(), item["day"].clone())).collect();
        assert_eq!(numbers, [(json!(1), json!("2026-11-20")), (json!(2), json!("2026-11-21"))]);
        assert_eq!(sum["days"].as_array().unwrap().len(), 2);
    }
}
