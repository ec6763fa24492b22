//! Two stores in step, and what a walk remembers of what it did.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::shown::{Names, Shown};
use crate::chance::Chance;
use crate::queue::{BootId, DeliveryId};
use crate::store::conformance::desk::at;
use crate::store::{AuditEntry, Base, Claimed, NewSubmission, Store};

/// Where a store comes from.
#[async_trait]
pub(crate) trait Backend: Send {
    /// Opens the store: a new one the first time, later the same again. Nobody holds it meanwhile.
    async fn open(&mut self) -> Arc<dyn Store>;
}

/// One of the two stores.
pub(super) struct Side {
    backend: Box<dyn Backend>,
    store: Option<Arc<dyn Store>>,
    names: Names,
}

/// The two stores answered differently.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) what: String,
    left: Value,
    right: Value,
}

impl Difference {
    /// The places that differ, a line each.
    pub(super) fn told(&self) -> String {
        let mut lines = Vec::new();
        compare("", &self.left, &self.right, &mut lines);
        let more = lines.len().saturating_sub(12);
        lines.truncate(12);
        let mut told = format!("{}\n", self.what);
        for line in lines {
            let _ = writeln!(told, "    {line}");
        }
        if more > 0 {
            let _ = writeln!(told, "    and {more} more");
        }
        told
    }
}

fn compare(path: &str, left: &Value, right: &Value, lines: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let at = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                compare(&format!("{path}.{key}"), &at(a), &at(b), lines);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{at}]"), a, b, lines);
            }
        }
        (a, b) if a != b => lines.push(format!("{path}: {a} | {b}")),
        _ => {}
    }
}

/// What a walk knows.
pub(super) struct World {
    sides: [Side; 2],
    /// The draws of the present step.
    pub(super) chance: Chance,
    pub(super) step: usize,
    /// Milliseconds since the walk began.
    now: i64,
    pub(super) boot: u8,
    pub(super) log: Vec<String>,
    /// What was met: answers and states, for the sweep's coverage.
    pub(super) seen: BTreeSet<String>,
    pub(super) submissions: Vec<NewSubmission>,
    /// With facility.
    pub(super) deliveries: Vec<(DeliveryId, String)>,
    /// Attempts that were not ended, as each store gave them.
    pub(super) open: Vec<[Claimed; 2]>,
    /// Provisional numbers, as each store gave them.
    pub(super) numbers: Vec<[String; 2]>,
    /// Numbers of outages and plans, as each store gave them.
    pub(super) outages: Vec<[i64; 2]>,
    pub(super) plans: Vec<[i64; 2]>,
    pub(super) reconciliations: Vec<String>,
    pub(super) bookings: Vec<String>,
    pub(super) registrations: Vec<String>,
    /// Ids at BPJS that somebody was to own.
    pub(super) keys: Vec<(String, Vec<String>, String)>,
    /// Whether rows of one age were kept.
    pub(super) ties: bool,
}

pub(super) const FACILITIES: [&str; 2] = ["0114A026", "0114A027"];
pub(super) const CARDS: [&str; 3] = ["0009900000001", "0009900000002", "0009900000003"];
pub(super) const CLIENTS: [&str; 2] = ["sim", "bidan"];

impl World {
    pub(super) async fn new(backends: [Box<dyn Backend>; 2]) -> Self {
        let side = |backend| Side { backend, store: None, names: Names::default() };
        let mut sides = backends.map(side);
        for side in &mut sides {
            side.store = Some(side.backend.open().await);
        }
        Self {
            sides,
            chance: Chance::seeded(0),
            step: 0,
            now: 0,
            boot: 1,
            log: Vec::new(),
            seen: BTreeSet::new(),
            submissions: Vec::new(),
            deliveries: Vec::new(),
            open: Vec::new(),
            numbers: Vec::new(),
            outages: Vec::new(),
            plans: Vec::new(),
            reconciliations: Vec::new(),
            bookings: Vec::new(),
            registrations: Vec::new(),
            keys: Vec::new(),
            ties: false,
        }
    }

    /// Asks both, and compares.
    pub(super) async fn both<T: Shown>(
        &mut self,
        what: &str,
        call: impl AsyncFn(&dyn Store, usize) -> T,
    ) -> Result<[T; 2], Difference> {
        self.both_as(what, |shown| shown, call).await
    }

    /// As [`World::both`], where the answers themselves are of no use any more.
    pub(super) async fn same<T: Shown>(
        &mut self,
        what: &str,
        call: impl AsyncFn(&dyn Store, usize) -> T,
    ) -> Result<(), Difference> {
        self.both(what, call).await.map(drop)
    }

    /// As [`World::both_as`], where the answers themselves are of no use any more.
    pub(super) async fn same_as<T: Shown>(
        &mut self,
        what: &str,
        view: fn(Value) -> Value,
        call: impl AsyncFn(&dyn Store, usize) -> T,
    ) -> Result<(), Difference> {
        self.both_as(what, view, call).await.map(drop)
    }

    /// As [`World::both`], with a change of what is compared.
    pub(super) async fn both_as<T: Shown>(
        &mut self,
        what: &str,
        view: fn(Value) -> Value,
        call: impl AsyncFn(&dyn Store, usize) -> T,
    ) -> Result<[T; 2], Difference> {
        let mut answers = Vec::new();
        let mut told = Vec::new();
        for (number, side) in self.sides.iter_mut().enumerate() {
            let store = side.store.clone().expect("an open store");
            let answer = call(&*store, number).await;
            told.push(view(answer.show(&mut side.names)));
            answers.push(answer);
        }
        let [left, right] = <[Value; 2]>::try_from(told).expect("two");
        self.see(what, &left);
        if left != right {
            return Err(Difference { what: what.to_owned(), left, right });
        }
        let Ok(answers) = <[T; 2]>::try_from(answers) else { unreachable!("two") };
        Ok(answers)
    }

    /// Notes which kind of answer there was.
    fn see(&mut self, what: &str, answer: &Value) {
        let what = what.split(':').next().unwrap_or(what);
        let kind = match answer {
            Value::Array(parts) => match parts.first() {
                Some(Value::String(tag)) if tag.len() < 40 => tag.clone(),
                Some(_) => "some".to_owned(),
                None => "nothing".to_owned(),
            },
            Value::String(text) if text.starts_with("error") => text.clone(),
            Value::String(text) if text == "0" => "nothing".to_owned(),
            Value::Null => "nothing".to_owned(),
            _ => "some".to_owned(),
        };
        self.seen.insert(format!("{what}: {kind}"));
    }

    /// Both processes end and start again.
    pub(super) async fn reopen(&mut self) {
        for side in &mut self.sides {
            side.store = None;
            side.store = Some(side.backend.open().await);
        }
        self.boot = self.boot.wrapping_add(1);
    }

    // ---- draws --------------------------------------------------------------------------------------------------

    pub(super) fn below(&self, limit: usize) -> usize {
        usize::try_from(self.chance.bits() % u64::try_from(limit).unwrap()).unwrap()
    }

    /// One in `of`.
    pub(super) fn once_in(&self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub(super) fn one_of<'a, T: ?Sized>(&self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    pub(super) fn some<T: Clone>(&self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(all[self.below(all.len())].clone()) }
    }

    pub(super) fn now(&self) -> Timestamp {
        at(0) + Duration::from_millis(u64::try_from(self.now).unwrap())
    }

    /// Some instant around the present, up to `seconds` away, in whole milliseconds.
    pub(super) fn around(&self, seconds: i64) -> Timestamp {
        let by = i64::try_from(self.below(usize::try_from(seconds * 2000).unwrap())).unwrap() - seconds * 1000;
        self.now() + jiff::SignedDuration::from_millis(by)
    }

    pub(super) fn pass_time(&mut self) {
        let by = match self.below(40) {
            0 => 86_400_000,
            1..4 => 3_600_000,
            _ => self.below(40_000),
        };
        self.now += 1 + i64::try_from(by).unwrap();
    }

    pub(super) fn day(&self) -> Date {
        jiff::civil::date(2026, 11, i8::try_from(19 + self.below(6)).unwrap())
    }

    pub(super) fn facility(&self) -> String {
        FACILITIES[usize::from(self.once_in(4))].to_owned()
    }

    pub(super) fn base(&self) -> Base {
        let boot = BootId::new(at(0), &[self.boot; 10]);
        let settle = (!self.once_in(4)).then(|| Duration::from_secs(60));
        Base { boot, settle, chance: self.chance.fraction(), others_pass: self.once_in(2) }
    }

    pub(super) fn audit(&self, action: &str, object: String) -> AuditEntry {
        let (actor, detail) = ("petugas".to_owned(), format!("langkah {}", self.step));
        AuditEntry { at: self.now(), actor, action: action.to_owned(), object, detail }
    }

    pub(super) fn tell(&mut self, what: String) {
        self.log.push(format!("{:4} {} {what}", self.step, self.now()));
    }
}
