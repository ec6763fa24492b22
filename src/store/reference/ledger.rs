//! The small tables: pauses, lanes, circuits, outages, plans, reconciliations, days, settlements, duties, the log.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::state::{Attempt, Entry, State};
use crate::audit;
use crate::contract::{Done, Event};
use crate::queue::State as Stand;
use crate::secret::Private;
use crate::store::{
    AuditEntry, DayChange, DayRow, LaneStop, OutageChange, OutageEffect, OutagePlan, OutageRow, PauseRow,
    ReconciliationRow, Settlement, StoreError,
};

fn count(rows: impl Iterator) -> i64 {
    i64::try_from(rows.count()).unwrap_or(i64::MAX)
}

impl State {
    // ---- the security log ---------------------------------------------------------------------------------------

    pub(super) fn add_log(&mut self, line: &AuditEntry) {
        let previous = self.log.values().next_back().map_or_else(audit::genesis, |head| head.hash.clone());
        let mut entry = audit::Entry {
            seq: self.log.next(),
            at: line.at,
            actor: line.actor.clone(),
            action: line.action.clone(),
            object: line.object.clone(),
            detail: line.detail.clone(),
            hash: String::new(),
        };
        entry.hash = audit::link(&previous, &entry);
        self.log.add(entry);
    }

    fn say(&mut self, at: Timestamp, actor: &str, action: &str, object: String, detail: String) {
        self.add_log(&AuditEntry { at, actor: actor.to_owned(), action: action.to_owned(), object, detail });
    }

    // ---- pauses and lanes ---------------------------------------------------------------------------------------

    /// Paused again, it stays paused since the first time.
    pub(super) fn set_pause(&mut self, facility: &str, pause: Option<PauseRow>, audit: &AuditEntry) {
        let key = facility.to_owned();
        match pause {
            Some(pause) => {
                let since = self.pauses.get(&key).map_or(pause.since, |there| there.since);
                self.pauses.put(key.clone(), PauseRow { facility: key, since, ..pause });
            }
            None => drop(self.pauses.remove(&key)),
        }
        self.add_log(audit);
    }

    /// Stopped again, it stays stopped since the first time, and for the newest credentials that were refused.
    pub(super) fn set_lane_stop(&mut self, facility: &str, service: &str, stop: Option<LaneStop>) {
        let key = (facility.to_owned(), service.to_owned());
        let Some(stop) = stop else {
            self.stops.remove(&key);
            return;
        };
        let there = self.stops.get(&key);
        let since = there.map_or(stop.since, |there| there.since);
        let version = there.map_or(stop.credential_version, |there| there.credential_version);
        let credential_version = version.max(stop.credential_version);
        let (facility, service) = key.clone();
        self.stops.put(key, LaneStop { facility, service, since, credential_version, ..stop });
    }

    // ---- outages ------------------------------------------------------------------------------------------------

    pub(super) fn change_outage(&mut self, change: &OutageChange) -> Result<OutageRow, StoreError> {
        let id = match change {
            OutageChange::Open { facility, service, cause, verdict, evidence, at, actor } => {
                let row = OutageRow {
                    id: self.outages.next(),
                    facility: facility.clone(),
                    service: service.clone(),
                    opened_at: *at,
                    closed_at: None,
                    cause: cause.clone(),
                    verdict: *verdict,
                    evidence: evidence.clone(),
                    opened_by: actor.clone(),
                    closed_by: None,
                    accepted: 0,
                    affected: 0,
                    late: 0,
                    class: None,
                };
                self.open_outage(row)
            }
            OutageChange::Evidence { id, evidence } => {
                self.outages.change(id, |row| row.evidence = evidence.clone());
                *id
            }
            OutageChange::Close { id, at, actor } => {
                self.close_outage(*id, *at, actor);
                *id
            }
            OutageChange::Classify { id, class, actor } => {
                self.outages.change(id, |row| row.class = Some((*class, actor.clone())));
                *id
            }
        };
        self.outages.get(&id).cloned().ok_or_else(|| StoreError::Database(format!("no outage {id}")))
    }

    /// One is open per service: a second opening answers the first.
    fn open_outage(&mut self, row: OutageRow) -> i64 {
        let same = |there: &&OutageRow| {
            there.facility == row.facility && there.service == row.service && there.closed_at.is_none()
        };
        if let Some(open) = self.outages.values().find(same) {
            return open.id;
        }
        let (id, at, actor, cause) = (row.id, row.opened_at, row.opened_by.clone(), row.cause.clone());
        self.outages.put(id, row);
        self.say(at, &actor, "outage.open", id.to_string(), cause);
        id
    }

    fn close_outage(&mut self, id: i64, at: Timestamp, actor: &str) {
        let Some(row) = self.outages.get(&id).filter(|row| row.closed_at.is_none()) else { return };
        let opened = row.opened_at;
        let here = |entry: &&Entry| entry.delivery.facility == row.facility && entry.service == row.service;
        let is_open = |entry: &Entry| !entry.delivery.progress.state.is_final();
        let within = |instant: Timestamp| opened <= instant && instant <= at;
        let accepted = count(self.entries.values().filter(here).filter(|entry| within(entry.delivery.accepted_at)));
        let affected = count(self.entries.values().filter(here).filter(|entry| {
            let progress = &entry.delivery.progress;
            let moved_since = progress.updated_at >= opened && progress.state != Stand::Cancelled;
            entry.delivery.accepted_at <= at && (is_open(entry) || moved_since)
        }));
        let late = count(self.entries.values().filter(here).filter(|entry| {
            let passed = entry.delivery.deadline.late.filter(|late| within(*late));
            passed.is_some_and(|late| is_open(entry) || entry.delivery.progress.updated_at > late)
        }));
        self.outages.change(&id, |row| {
            (row.closed_at, row.closed_by) = (Some(at), Some(actor.to_owned()));
            (row.accepted, row.affected, row.late) = (accepted, affected, late);
        });
        self.say(at, actor, "outage.close", id.to_string(), String::new());
    }

    /// The newest outages as `read` copies them: their evidence is large.
    pub(super) fn outages(&self, limit: usize, read: fn(&OutageRow) -> OutageRow) -> Vec<OutageRow> {
        let mut rows: Vec<&OutageRow> = self.outages.values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.opened_at, row.id)));
        rows.into_iter().take(limit).map(read).collect()
    }

    pub(super) fn plan_outage(&mut self, plan: &OutagePlan, audit: &AuditEntry) -> Result<OutagePlan, StoreError> {
        if plan.to <= plan.from {
            return Err(StoreError::Database("a plan ends after it begins".to_owned()));
        }
        let plan = OutagePlan { id: self.plans.next(), ..plan.clone() };
        self.plans.put(plan.id, (plan.clone(), false));
        self.add_log(&AuditEntry { object: plan.id.to_string(), ..audit.clone() });
        Ok(plan)
    }

    pub(super) fn withdraw_plan(&mut self, id: i64, audit: &AuditEntry) -> Option<OutagePlan> {
        let (plan, _) = self.plans.get(&id).filter(|(_, withdrawn)| !withdrawn)?.clone();
        self.plans.put(id, (plan.clone(), true));
        self.add_log(audit);
        Some(plan)
    }

    pub(super) fn outage_plans(&self, since: Timestamp) -> Vec<OutagePlan> {
        let open = self.plans.values().filter(|(plan, withdrawn)| !withdrawn && plan.to >= since);
        let mut plans: Vec<OutagePlan> = open.map(|(plan, _)| plan.clone()).collect();
        plans.sort_by_key(|plan| (plan.from, plan.id));
        plans
    }

    /// Touched: accepted while it lasted, or within the day before and not yet through when it began.
    pub(super) fn outage_effect(&self, id: i64, now: Timestamp) -> Option<OutageEffect> {
        let outage = self.outages.get(&id)?;
        let (opened, closed) = (outage.opened_at, outage.closed_at);
        let is_open = |entry: &Entry| !entry.delivery.progress.state.is_final();
        let tried_since = |attempt: &Attempt| attempt.ended_at.unwrap_or(now) >= opened;
        let touched = |entry: &&Entry| {
            let accepted = entry.delivery.accepted_at;
            let not_through = is_open(entry) || entry.attempts.iter().any(tried_since);
            entry.delivery.facility == outage.facility
                && entry.service == outage.service
                && accepted <= closed.unwrap_or(now)
                && (accepted >= opened || (accepted >= opened - SignedDuration::from_hours(24) && not_through))
        };
        let touched: Vec<&Entry> = self.entries.values().filter(touched).collect();
        // The first end of a try that began after the outage.
        let after = |entry: &&Entry| {
            let tries =
                entry.attempts.iter().filter(|attempt| closed.is_some_and(|closed| attempt.started_at >= closed));
            tries.filter_map(|attempt| attempt.ended_at).min()
        };
        let unfinished = count(touched.iter().filter(|entry| is_open(entry)));
        let last = touched.iter().filter_map(after).max();
        Some(OutageEffect {
            accepted: count(touched.iter().filter(|entry| entry.delivery.accepted_at >= opened)),
            delayed: count(touched.iter().filter_map(after)),
            late: count(touched.iter().filter(|entry| entry.delivery.is_late(now))),
            unfinished,
            drained_at: closed.zip(last).map(|(closed, last)| last.max(closed)).filter(|_| unfinished == 0),
        })
    }

    // ---- reconciliations ----------------------------------------------------------------------------------------

    pub(super) fn put_reconciliation(&mut self, row: &ReconciliationRow) -> Result<(), StoreError> {
        if self.reconciliations.has(&row.id) {
            return Err(StoreError::Database("a reconciliation twice".to_owned()));
        }
        let report = row.report.clone().unwrap_or_else(|| Private::new(Value::Null));
        self.reconciliations.put(row.id.clone(), ReconciliationRow { report: Some(report), ..row.clone() });
        Ok(())
    }

    pub(super) fn reconciliations(&self, facility: Option<&str>, limit: usize) -> Vec<ReconciliationRow> {
        let here = |row: &&ReconciliationRow| facility.is_none_or(|facility| row.facility == facility);
        let rows = self.reconciliations.values().filter(here);
        let mut rows: Vec<_> = rows.map(|row| ReconciliationRow { report: None, ..row.clone() }).collect();
        rows.sort_by(|a, b| (b.started_at, &b.id).cmp(&(a.started_at, &a.id)));
        rows.truncate(limit);
        rows
    }

    pub(super) fn settle(&mut self, row: &Settlement) -> Result<(), StoreError> {
        if !self.reconciliations.has(&row.reconciliation) {
            return Err(StoreError::Database("a settlement of no reconciliation".to_owned()));
        }
        self.settlements.add(row.clone());
        let object = format!("{}/{}", row.reconciliation, row.item);
        self.say(row.at, &row.actor, "reconciliation.settle", object, row.how.word().to_owned());
        Ok(())
    }

    /// Wanted anew, a day counts as not done only if it was done before that wish.
    pub(super) fn change_days(&mut self, change: &DayChange) {
        match change {
            DayChange::Want { facility, run, days, cause, at } => {
                for &day in days {
                    let key = (facility.clone(), run.clone(), day);
                    let stays = |there: &DayRow| there.done.is_none() || there.wanted_at >= *at;
                    if self.days.get(&key).is_some_and(stays) {
                        continue;
                    }
                    let (facility, run, cause) = (facility.clone(), run.clone(), cause.clone());
                    let row = DayRow { facility, run, day, cause, wanted_at: *at, done: None, report: None };
                    self.days.put(key, row);
                }
            }
            DayChange::Done { facility, run, day, at, id, report } => {
                self.days.change(&(facility.clone(), run.clone(), *day), |row| {
                    (row.done, row.report) = (Some((*at, id.clone())), report.clone());
                });
            }
            DayChange::Forget { facility, run } => {
                self.days.retain(|(place, of, _), _| place != facility || of != run);
            }
        }
    }

    pub(super) fn days(&self, run: &str) -> Vec<DayRow> {
        self.days.values().filter(|row| row.run == run).cloned().collect()
    }

    // ---- duties -------------------------------------------------------------------------------------------------

    pub(super) fn record_event(&mut self, event: &Event) -> Result<Event, StoreError> {
        if event.until.is_some_and(|until| until < event.at) {
            return Err(StoreError::Database("an event ends before it begins".to_owned()));
        }
        let event = Event { id: self.events.next(), ..event.clone() };
        self.events.put(event.id, event.clone());
        let detail = format!("{} {}: {}", event.kind, event.facility, event.remark);
        self.say(event.recorded_at, &event.actor, "obligation.event", event.id.to_string(), detail);
        Ok(event)
    }

    pub(super) fn mark_done(&mut self, done: &Done) -> Done {
        if let Some(there) = self.marks.get(&done.id) {
            return there.clone();
        }
        self.marks.put(done.id.clone(), done.clone());
        self.say(done.at, &done.actor, "obligation.done", done.id.clone(), done.remark.clone());
        done.clone()
    }
}
