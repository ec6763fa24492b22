//! Accepting, claiming, recording, and what people, time and crashes do to deliveries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::state::{Attempt, ChangeRow, Changed, Entry, RemoteKey, State, Submission};
use crate::catalogue::{Kind, Operation, Refusal, Who, at};
use crate::contract::Circumstance;
use crate::queue::gate::{Gate, Neighbour, judge};
use crate::queue::transition::{Event, Illegal, Policy, Recovery, next_step, transition};
use crate::queue::{
    BootId, Delivery, DeliveryId, Finding, Lease, Outcome, Progress, Purpose, State as Stand, Turn, crash,
};
use crate::secret::Private;
use crate::store::{
    Acceptance, Act, Acted, AttemptEnd, Base, Blamed, ClaimAsk, Claimed, Given, NewEntry, NewSubmission, OutageRow,
    Recorded, Redate, Refused, StoreError, SubmissionRow, circumstances,
};

/// Operation, scope and value of an id at BPJS, as callers name it.
type Named = (String, Vec<String>, String);

fn wrong(what: &str) -> StoreError {
    StoreError::Database(what.to_owned())
}

const fn may_be_claimed(progress: &Progress) -> bool {
    matches!(progress.state, Stand::Waiting | Stand::Unanswered)
        && progress.blocked.is_none()
        && progress.lease.is_none()
}

impl State {
    // ---- accepting ----------------------------------------------------------------------------------------------

    pub(super) fn accept(&mut self, new: &NewSubmission) -> Result<Acceptance, StoreError> {
        let texts = [&new.client, &new.facility, &new.reference].into_iter();
        let mut texts = texts.chain(new.entries.iter().flat_map(|entry| [&entry.entry_ref, &entry.operation]));
        if texts.any(|text| text.contains('\0')) {
            return Err(wrong("a text with NUL in it"));
        }
        let same_key = |kept: &&Submission| {
            kept.row.client == new.client && kept.row.facility == new.facility && kept.row.reference == new.reference
        };
        if let Some(kept) = self.submissions.values().find(same_key) {
            let row = kept.row.clone();
            let same = kept.canonical == *new.canonical.expose();
            return Ok(if same { Acceptance::Same(row) } else { Acceptance::Conflict(row) });
        }
        if self.submissions.values().any(|kept| kept.row.id == new.id) {
            return Err(wrong("the id of a submission twice"));
        }
        let row = SubmissionRow {
            id: new.id,
            seq: self.submissions.next(),
            client: new.client.clone(),
            facility: new.facility.clone(),
            reference: new.reference.clone(),
            accepted_at: new.accepted_at,
            warnings: new.warnings.clone(),
        };
        let patient = new.patient.as_ref().map(|patient| patient.expose().clone());
        self.submissions.add(Submission { row: row.clone(), canonical: new.canonical.expose().clone(), patient });
        let mut names = BTreeSet::new();
        for entry in &new.entries {
            if !names.insert(&entry.entry_ref) {
                return Err(wrong("the name of an entry twice"));
            }
            self.add(new, entry)?;
        }
        Ok(Acceptance::New(row))
    }

    fn add(&mut self, new: &NewSubmission, entry: &NewEntry) -> Result<(), StoreError> {
        let number = self.entries.next();
        if self.numbers.has(&entry.id) {
            return Err(wrong("the id of a delivery twice"));
        }
        let lane = self.lane(&new.facility, entry);
        let known = |id: &DeliveryId| self.numbers.get(id).copied().ok_or_else(|| wrong("comes after nothing known"));
        let after = entry.after.iter().map(known).collect::<Result<BTreeSet<i64>, _>>()?;
        let turn = self.turn(new, entry, &after, &lane);
        let delivery = Delivery {
            id: entry.id,
            seq: number,
            submission: new.id,
            entry_ref: entry.entry_ref.clone(),
            facility: new.facility.clone(),
            operation: entry.operation.clone(),
            lane: Private::new(lane.clone()),
            occurred_at: entry.occurred_at,
            service_date: entry.service_date,
            mark: entry.mark,
            accepted_at: new.accepted_at,
            turn,
            deadline: entry.deadline.clone(),
            progress: Progress::accepted(new.accepted_at, entry.due_at, None),
        };
        for &parent in &after {
            let mut children = self.children.get(&parent).cloned().unwrap_or_default();
            children.push(number);
            self.children.put(parent, children);
        }
        let mut in_lane = self.lanes.get(&lane).cloned().unwrap_or_default();
        in_lane.push(number);
        self.lanes.put(lane, in_lane);
        self.numbers.put(entry.id, number);
        self.entries.add(Entry {
            delivery,
            service: entry.service.clone(),
            position: entry.position,
            natural_key: entry.natural_key.as_ref().map(|values| values.expose().clone()),
            after: after.into_iter().collect(),
            original: Some(entry.payload.expose().clone()),
            amended: None,
            attempts: Vec::new(),
            released: false,
        });
        let base = Base { boot: BootId::new(new.accepted_at, &[0; 10]), settle: None, chance: 0.0, others_pass: false };
        if new.approval {
            self.must(number, &Event::AwaitApproval, new.accepted_at, &base)
        } else {
            self.judge_one(number, new.accepted_at, &base)?;
            self.judge_around(number, new.accepted_at, &base)
        }
    }

    /// Its turn: after what it comes after, and after everything of its lane that was not ahead of its day.
    fn turn(&self, new: &NewSubmission, entry: &NewEntry, after: &BTreeSet<i64>, lane: &str) -> Turn {
        let turn_of = |number: &i64| self.entries.get(number).map(|entry| entry.delivery.turn);
        let before: Vec<Turn> = after.iter().filter_map(turn_of).collect();
        let in_lane = self.lanes.get(&lane.to_owned()).into_iter().flatten().filter_map(turn_of);
        let last = in_lane.filter(|turn| turn.opens.is_none()).map(|turn| turn.at).max();
        Turn::taken(new.accepted_at, entry.due_at, &before, last)
    }

    /// What the entry is ordered by: its patient, else what it comes after, else what it is about, else itself.
    fn lane(&self, facility: &str, entry: &NewEntry) -> String {
        let lane_of = |id: &DeliveryId| self.entry(*id).map(|other| other.delivery.lane.expose().clone());
        let own = || format!("{facility} self {}", entry.id);
        if let Some(card) = &entry.no_kartu {
            format!("{facility} noKartu {}", card.expose())
        } else if let Some(parent) = entry.after.first() {
            lane_of(parent).unwrap_or_else(own)
        } else if let Some((operation, scope, id)) = &entry.about {
            let owner = self.owner(facility, operation, scope, id);
            owner.and_then(|owner| lane_of(&owner)).unwrap_or_else(|| format!("{facility} {operation} {id}"))
        } else {
            own()
        }
    }

    pub(super) fn entry(&self, id: DeliveryId) -> Option<&Entry> {
        self.numbers.get(&id).and_then(|number| self.entries.get(number))
    }

    pub(super) fn owner(&self, facility: &str, operation: &str, scope: &[String], id: &str) -> Option<DeliveryId> {
        self.owners.get(&remote_key(facility, operation, scope, id)).copied()
    }

    // ---- one step, and what follows from it ---------------------------------------------------------------------

    pub(super) fn policy(&self, operation: &str, base: &Base) -> Result<Policy, StoreError> {
        let unknown = || StoreError::Unreadable(format!("operation {operation} is not in the catalogue"));
        let operation = self.catalogue.operation(operation).ok_or_else(unknown)?;
        Ok(Policy {
            recovery: recovery(operation),
            settle: base.settle.unwrap_or_else(|| operation.settle()),
            boot: base.boot,
            chance: base.chance,
            others_pass: base.others_pass,
        })
    }

    /// One event on one delivery, and the judgement of everything behind it.
    fn apply(
        &mut self,
        number: i64,
        event: &Event,
        now: Timestamp,
        base: &Base,
    ) -> Result<Result<(), Illegal>, StoreError> {
        let Some(entry) = self.entries.get(&number) else { return Err(wrong("no such entry")) };
        let policy = self.policy(&entry.delivery.operation, base)?;
        let next = match transition(&entry.delivery, event, now, &policy) {
            Ok(next) => next,
            Err(illegal) => return Ok(Err(illegal)),
        };
        self.put_progress(number, next, now);
        self.judge_around(number, now, base)?;
        Ok(Ok(()))
    }

    fn must(&mut self, number: i64, event: &Event, now: Timestamp, base: &Base) -> Result<(), StoreError> {
        self.apply(number, event, now, base)?.map_err(|illegal| wrong(&illegal.to_string()))
    }

    /// Writes a delivery's progress, with a row in the feed where it became final.
    fn put_progress(&mut self, number: i64, next: Progress, now: Timestamp) {
        let Some(entry) = self.entries.get(&number) else { return };
        let facility = entry.delivery.facility.clone();
        if entry.delivery.progress.state != next.state && next.state.is_final() {
            self.changes.add(ChangeRow { facility, at: now, what: Changed::Delivery(number) });
        }
        self.entries.change(&number, |entry| entry.delivery.progress = next);
    }

    /// Judges whatever comes after it and its whole lane: those before it wait while it is under way. A judgement sets
    /// nobody under way, so from there on only what is behind can change, and one pass in order of turns finds everybody
    /// once, with everything before settled.
    fn judge_around(&mut self, number: i64, now: Timestamp, base: &Base) -> Result<(), StoreError> {
        let mut pending = self.near(number, |_| true);
        while let Some((_, next)) = pending.pop_first() {
            if self.judge_one(next, now, base)? {
                let turn = self.turn_of(next);
                pending.extend(self.near(next, |other| Some(other) > turn));
            }
        }
        Ok(())
    }

    fn turn_of(&self, number: i64) -> Option<(Timestamp, i64)> {
        self.entries.get(&number).map(|entry| (entry.delivery.turn.at, number))
    }

    /// The others of its lane, and what comes after it.
    fn near(&self, number: i64, fits: impl Fn((Timestamp, i64)) -> bool) -> BTreeSet<(Timestamp, i64)> {
        let lane = self.entries.get(&number).and_then(|entry| self.lanes.get(entry.delivery.lane.expose()));
        let all = lane.into_iter().chain(self.children.get(&number)).flatten().filter(|other| **other != number);
        all.filter_map(|other| self.turn_of(*other)).filter(|turn| fits(*turn)).collect()
    }

    /// Judges one delivery and, if that changed it, everything behind it.
    fn judge(&mut self, number: i64, now: Timestamp, base: &Base) -> Result<(), StoreError> {
        if self.judge_one(number, now, base)? { self.judge_around(number, now, base) } else { Ok(()) }
    }

    /// Applies what the gate says, where it says something new; whether it did.
    fn judge_one(&mut self, number: i64, now: Timestamp, base: &Base) -> Result<bool, StoreError> {
        let Some(entry) = self.entries.get(&number) else { return Ok(false) };
        let delivery = &entry.delivery;
        let policy = self.policy(&delivery.operation, base)?;
        let old = &delivery.progress;
        let Ok(next) = transition(delivery, &Event::Gated(self.gate(entry)), now, &policy) else { return Ok(false) };
        if (Progress { revision: old.revision, updated_at: old.updated_at, ..next.clone() }) == *old {
            return Ok(false);
        }
        self.put_progress(number, next, now);
        Ok(true)
    }

    fn gate(&self, entry: &Entry) -> Gate {
        let neighbour = |parent: &Delivery| Neighbour {
            id: parent.id,
            state: parent.progress.state,
            how: parent.progress.how,
            why: parent.progress.why.as_ref().map(|why| why.code.clone()),
        };
        let parents = entry.after.iter().filter_map(|parent| self.entries.get(parent));
        let parents: Vec<Neighbour> = parents.map(|parent| neighbour(&parent.delivery)).collect();
        let own = &entry.delivery;
        let lane = self.lanes.get(own.lane.expose()).into_iter().flatten();
        let others = lane.filter(|number| **number != own.seq).filter_map(|number| self.entries.get(number));
        let unfinished = others.map(|other| &other.delivery).filter(|other| !other.progress.state.is_final());
        let turn = |delivery: &Delivery| (delivery.turn.at, delivery.seq);
        let in_the_way = unfinished.filter(|other| turn(other) < turn(own) || other.progress.is_under_way());
        judge(&parents, in_the_way.min_by_key(|other| turn(other)).map(|other| other.id))
    }

    // ---- claiming and recording ---------------------------------------------------------------------------------

    pub(super) fn claim(&mut self, ask: &ClaimAsk) -> Result<Vec<Claimed>, StoreError> {
        let paused = ["*", &ask.facility].iter().any(|place| self.pauses.has(&(*place).to_owned()));
        let stop = self.stops.get(&(ask.facility.clone(), ask.service.clone()));
        if paused || stop.is_some_and(|stop| stop.credential_version >= ask.credential_version) {
            return Ok(Vec::new());
        }
        let here = |entry: &&Entry| entry.delivery.facility == ask.facility && entry.service == ask.service;
        let is_due =
            |entry: &&Entry| may_be_claimed(&entry.delivery.progress) && entry.delivery.progress.due_at <= ask.now;
        let due = self.entries.values().filter(here).filter(is_due);
        let crashes = |entry: &Entry| entry.delivery.progress.crashes;
        // Suspects go by rank alone.
        let turn_of = |entry: &Entry| match crashes(entry) {
            0 => turn(&entry.delivery, ask.now),
            _ => (0, None, rank(&entry.delivery)),
        };
        let in_order: BTreeSet<_> = due.map(|entry| (crashes(entry), turn_of(entry), entry.delivery.seq)).collect();
        let (in_order, limit) = match self.suspect(&in_order, ask) {
            Some(number) => (vec![number], 1),
            None => {
                (in_order.iter().filter(|(crashes, ..)| *crashes == 0).map(|(.., number)| *number).collect(), ask.limit)
            }
        };
        let mut claimed = Vec::new();
        for number in in_order {
            if claimed.len() >= limit {
                break;
            }
            claimed.extend(self.lease(number, ask)?);
        }
        Ok(claimed)
    }

    /// The least suspected, unless another suspect is in flight or the run is too young to try one: it goes alone.
    fn suspect<T>(&self, in_order: &BTreeSet<(u8, T, i64)>, ask: &ClaimAsk) -> Option<i64> {
        let flies =
            |entry: &Entry| crash::is_suspect(&entry.delivery.progress) && entry.delivery.progress.lease.is_some();
        let may_try = crash::may_try(ask.base.boot, ask.now) && ask.limit > 0 && !self.entries.values().any(flies);
        in_order.iter().find(|(crashes, ..)| *crashes > 0).filter(|_| may_try).map(|(.., number)| *number)
    }

    /// Whether another of its lane is in hand: a look-up then could find that one's row.
    fn is_lane_in_hand(&self, own: &Delivery) -> bool {
        let lane = self.lanes.get(own.lane.expose()).into_iter().flatten();
        let mut others = lane.filter(|number| **number != own.seq).filter_map(|number| self.entries.get(number));
        others.any(|other| other.delivery.progress.lease.is_some())
    }

    /// Leases one; none if it may no longer be claimed, because of another one claimed with it.
    fn lease(&mut self, number: i64, ask: &ClaimAsk) -> Result<Option<Claimed>, StoreError> {
        let Some(entry) = self.entries.get(&number) else { return Ok(None) };
        let Some(payload) = entry.payload().cloned() else { return Ok(None) };
        let (progress, given) = (&entry.delivery.progress, self.given(entry));
        let purpose = next_step(progress, ask.now, &self.policy(&entry.delivery.operation, &ask.base)?);
        if purpose == Purpose::LookUp && self.is_lane_in_hand(&entry.delivery) {
            return Ok(None);
        }
        let lease = Lease { token: self.tokens + 1, until: ask.lease_until, purpose };
        if !may_be_claimed(progress) || self.apply(number, &Event::Claimed(lease), ask.now, &ask.base)?.is_err() {
            return Ok(None);
        }
        self.tokens += 1;
        let attempt = Attempt {
            token: lease.token,
            purpose,
            started_at: ask.now,
            ended_at: None,
            credential_version: ask.credential_version,
            end: AttemptEnd::default(),
        };
        self.entries.change(&number, |entry| entry.attempts.push(attempt));
        let Some(entry) = self.entries.get(&number) else { return Ok(None) };
        Ok(Some(Claimed {
            delivery: entry.delivery.clone(),
            purpose,
            token: lease.token,
            attempt: i64::try_from(entry.attempts.len()).unwrap_or(i64::MAX),
            payload: Private::new(payload),
            given,
        }))
    }

    /// Ids of what it comes after, the newest first.
    pub(super) fn given(&self, entry: &Entry) -> Vec<Given> {
        let parents = entry.after.iter().rev().filter_map(|parent| self.entries.get(parent));
        let given =
            |parent: &Delivery| Given { operation: parent.operation.clone(), ids: parent.progress.remote.clone() };
        parents.map(|parent| given(&parent.delivery)).collect()
    }

    pub(super) fn record(&mut self, recorded: &Recorded) -> Result<Option<Delivery>, StoreError> {
        let Some(entry) = self.entry(recorded.id) else { return Ok(None) };
        let (number, facility) = (entry.delivery.seq, entry.delivery.facility.clone());
        if entry.delivery.progress.lease.is_none_or(|lease| lease.token != recorded.token) {
            return Ok(None);
        }
        let event = self.without_stealing(&entry.delivery, &recorded.event, recorded.end.owns.as_ref());
        self.end_attempt(number, recorded.token, &recorded.end, recorded.now);
        self.must(number, &event, recorded.now, &recorded.base)?;
        let state = self.entries.get(&number).map(|entry| entry.delivery.progress.state);
        if state == Some(Stand::Delivered) {
            self.own(recorded.id, &facility, recorded.end.owns.as_ref());
            self.release(number, recorded.end.frees.as_ref());
            if let Some((operation, scope, id)) = &recorded.end.frees {
                self.owners.remove(&remote_key(&facility, operation, scope, id));
            }
        }
        if state == Some(Stand::Waiting) {
            self.judge(number, recorded.now, &recorded.base)?;
        }
        Ok(self.entries.get(&number).map(|entry| entry.delivery.clone()))
    }

    /// Promise 2: an id that another delivery owns is not taken. Who was told it by BPJS is refused, who found it looks
    /// again where copies are lawful and is refused where they are not.
    fn without_stealing(&self, delivery: &Delivery, event: &Event, owns: Option<&Named>) -> Event {
        let owner = owns.and_then(|(operation, scope, id)| self.owner(&delivery.facility, operation, scope, id));
        let Some(owner) = owner.filter(|owner| *owner != delivery.id) else { return event.clone() };
        let unique = self.catalogue.operation(&delivery.operation).is_none_or(Operation::is_unique);
        match event {
            Event::Looked { begun, .. } if unique => Event::Looked { finding: Finding::Owned { owner }, begun: *begun },
            Event::Looked { begun, .. } => {
                Event::Looked { finding: Finding::Failed { why: "owned meanwhile".to_owned() }, begun: *begun }
            }
            Event::Ended(Outcome::Accepted(_)) => Event::Ended(Outcome::Refused(owned(owner))),
            other => other.clone(),
        }
    }

    fn end_attempt(&mut self, number: i64, token: i64, end: &AttemptEnd, now: Timestamp) {
        self.entries.change(&number, |entry| {
            let open = entry.attempts.iter_mut().filter(|attempt| attempt.ended_at.is_none());
            for attempt in open.filter(|attempt| attempt.token == token) {
                attempt.ended_at = Some(now);
                attempt.credential_version = end.credential_version.unwrap_or(attempt.credential_version);
                // What is owned, freed and signed with otherwise stands elsewhere.
                attempt.end = AttemptEnd { credential_version: None, owns: None, frees: None, ..end.clone() };
            }
        });
    }

    fn own(&mut self, id: DeliveryId, facility: &str, owns: Option<&Named>) {
        if let Some((operation, scope, value)) = owns {
            let key = remote_key(facility, operation, scope, value);
            if !self.owners.has(&key) {
                self.owners.put(key, id);
            }
        }
    }

    /// A delivered delete releases the add it took away: the owner of the id it frees, else the newest delivered entry
    /// before it with the natural key that its payload names.
    fn release(&mut self, number: i64, frees: Option<&Named>) {
        let Some(entry) = self.entries.get(&number) else { return };
        let facility = entry.delivery.facility.clone();
        let Some(operation) = self.catalogue.operation(&entry.delivery.operation) else { return };
        let made = operation.releases.as_ref().and_then(|name| self.catalogue.operation(name));
        let Some(made) = made.filter(|_| operation.kind == Kind::Delete) else { return };
        let owner = frees.and_then(|(operation, scope, id)| self.owner(&facility, operation, scope, id));
        let released = owner.and_then(|owner| self.numbers.get(&owner).copied()).or_else(|| {
            let key = natural_values(entry, made)?;
            let same = |other: &&Entry| {
                other.delivery.facility == facility
                    && other.delivery.operation == made.name
                    && other.natural_key.as_ref() == Some(&key)
                    && other.delivery.progress.state == Stand::Delivered
                    && other.delivery.seq < number
            };
            self.entries.values().rfind(same).map(|other| other.delivery.seq)
        });
        if let Some(released) = released {
            self.entries.change(&released, |entry| entry.released = true);
        }
    }

    // ---- people, crashes, time ----------------------------------------------------------------------------------

    pub(super) fn act(&mut self, act: &Act) -> Result<Acted, StoreError> {
        let Some(entry) = self.entry(act.id) else { return Ok(Acted::Unknown) };
        let (before, number) = (entry.delivery.clone(), entry.delivery.seq);
        let refused = |why| Ok(Acted::Refused(Box::new(before.clone()), why));
        if let Some((operation, scope, id)) = &act.owns
            && let Some(owner) = self.owner(&before.facility, operation, scope, id)
            && owner != act.id
        {
            return refused(Refused::Owned(owner));
        }
        if let Err(illegal) = self.apply(number, &act.event, act.now, &act.base)? {
            return refused(Refused::Illegal(illegal));
        }
        if let Some(payload) = &act.payload {
            self.entries.change(&number, |entry| entry.amended = Some(payload.expose().clone()));
        }
        let state = self.entries.get(&number).map(|entry| entry.delivery.progress.state);
        if state == Some(Stand::Delivered) {
            self.own(act.id, &before.facility, act.owns.as_ref());
        }
        self.add_log(&act.audit);
        if state == Some(Stand::Waiting) {
            self.judge(number, act.now, &act.base)?;
        }
        Ok(self.entries.get(&number).map_or(Acted::Unknown, |entry| Acted::Done(Box::new(entry.delivery.clone()))))
    }

    fn numbers_of(&self, fits: impl Fn(&Delivery) -> bool) -> Vec<i64> {
        let rows = self.entries.values().map(|entry| &entry.delivery);
        rows.filter(|delivery| fits(delivery)).map(|delivery| delivery.seq).collect()
    }

    pub(super) fn reclaim(&mut self, now: Timestamp, all: bool, base: &Base) -> Result<usize, StoreError> {
        let lost = self.numbers_of(|delivery| delivery.progress.lease.is_some_and(|lease| all || lease.until < now));
        for &number in &lost {
            self.lose(number, "lost", &Event::LeaseLost, now, base)?;
        }
        Ok(lost.len())
    }

    pub(super) fn blame(&mut self, now: Timestamp, base: &Base) -> Result<Blamed, StoreError> {
        let suspects = self.numbers_of(|delivery| delivery.progress.lease.is_some());
        let mut blamed = Blamed { suspects: suspects.len(), held: Vec::new() };
        for &number in &suspects {
            self.lose(number, "crashed", &Event::Crashed, now, base)?;
            let after = self.entries.get(&number).map(|entry| &entry.delivery);
            blamed.held.extend(after.filter(|after| after.progress.state == Stand::Held).map(|after| after.id));
        }
        Ok(blamed)
    }

    pub(super) fn blame_opened(
        &mut self,
        ids: &[DeliveryId],
        now: Timestamp,
        base: &Base,
    ) -> Result<Blamed, StoreError> {
        let mut blamed = Blamed::default();
        for id in ids {
            let Some(&number) = self.numbers.get(id) else { continue };
            if self.apply(number, &Event::CrashedAtClaim, now, base)?.is_err() {
                continue;
            }
            blamed.suspects += 1;
            blamed
                .held
                .extend(self.entry(*id).filter(|after| after.delivery.progress.state == Stand::Held).map(|_| *id));
        }
        Ok(blamed)
    }

    fn lose(&mut self, number: i64, how: &str, event: &Event, now: Timestamp, base: &Base) -> Result<(), StoreError> {
        let lease = self.entries.get(&number).and_then(|entry| entry.delivery.progress.lease);
        let end = AttemptEnd { outcome: how.to_owned(), ..AttemptEnd::default() };
        self.end_attempt(number, lease.map_or(0, |lease| lease.token), &end, now);
        self.must(number, event, now, base)?;
        self.judge(number, now, base)
    }

    pub(super) fn expire(&mut self, now: Timestamp, limit: usize, base: &Base) -> Result<usize, StoreError> {
        let mut overdue = self.numbers_of(|delivery| {
            let progress = &delivery.progress;
            let passed = delivery.deadline.last.is_some_and(|last| last < now);
            passed && progress.state == Stand::Waiting && progress.lease.is_none() && !progress.past_last
        });
        let order = |number: &i64| {
            let delivery = self.entries.get(number).map(|entry| &entry.delivery);
            delivery.map(|delivery| (delivery.progress.doubt.marked, delivery.deadline.last, delivery.seq))
        };
        overdue.sort_by_key(order);
        let mut moved = 0;
        for number in overdue.into_iter().take(limit) {
            moved += usize::from(self.apply(number, &Event::Expire, now, base)?.is_ok());
        }
        Ok(moved)
    }

    pub(super) fn redate(&mut self, now: Timestamp, redate: &Redate) -> usize {
        let events: Vec<_> = self.events.values().cloned().collect();
        let (outages, plans) = (self.outages(usize::MAX, OutageRow::bare), self.outage_plans(Timestamp::UNIX_EPOCH));
        let mut declared: BTreeMap<String, Arc<Vec<Circumstance>>> = BTreeMap::new();
        let open = self.numbers_of(|delivery| {
            delivery.service_date.is_some()
                && !matches!(delivery.progress.state, Stand::Delivered | Stand::Expired | Stand::Cancelled)
        });
        let mut moved = 0;
        for number in open {
            let Some(entry) = self.entries.get(&number) else { continue };
            let facility = &entry.delivery.facility;
            let here = declared
                .entry(facility.clone())
                .or_insert_with(|| Arc::new(circumstances(facility, &events, &outages, &plans)));
            let dated = if here.is_empty() { None } else { redate(&entry.delivery, here, now) };
            if let Some(dated) = dated {
                moved += 1;
                self.entries.change(&number, |entry| {
                    let own = &mut entry.delivery.deadline;
                    (own.late, own.last) = (dated.late, dated.last);
                });
            }
        }
        moved
    }

    pub(super) fn distrust(&mut self, now: Timestamp, base: &Base) -> Result<usize, StoreError> {
        let mut moved = 0;
        for number in self.numbers_of(|delivery| delivery.progress.lease.is_none()) {
            moved += usize::from(self.apply(number, &Event::Distrust, now, base)?.is_ok());
        }
        Ok(moved)
    }

    /// Payloads, BPJS's words and patients of what was settled before `before`, the oldest first.
    pub(super) fn retire(&mut self, before: Timestamp, limit: usize) -> usize {
        let is_old = |delivery: &Delivery| {
            let progress = &delivery.progress;
            matches!(progress.state, Stand::Delivered | Stand::Cancelled) && progress.updated_at < before
        };
        let old = self.numbers_of(is_old);
        let has = |number: &i64, what: fn(&Entry) -> bool| self.entries.get(number).is_some_and(what);
        let bodies: Vec<i64> =
            old.iter().copied().filter(|one| has(one, |e| e.original.is_some())).take(limit).collect();
        let told = |attempt: &Attempt| !attempt.end.detail.expose().is_empty() || attempt.end.answer.is_some();
        let words = old.iter().filter_map(|number| self.entries.get(number)).flat_map(|entry| &entry.attempts);
        let words: BTreeSet<i64> =
            words.filter(|attempt| told(attempt)).map(|attempt| attempt.token).take(limit).collect();
        let finished = |submission: &Submission| {
            let mut own = self.entries.values().filter(|entry| entry.delivery.submission == submission.row.id);
            submission.row.accepted_at < before && own.all(|entry| is_old(&entry.delivery))
        };
        let named = self.submissions.iter().filter(|(_, row)| row.patient.is_some() && finished(row));
        let named: Vec<i64> = named.map(|(number, _)| *number).take(limit).collect();
        for number in &bodies {
            self.entries.change(number, |entry| (entry.original, entry.amended) = (None, None));
        }
        for number in old.iter().filter(|_| !words.is_empty()) {
            self.entries.change(number, |entry| {
                for attempt in entry.attempts.iter_mut().filter(|attempt| words.contains(&attempt.token)) {
                    (attempt.end.detail, attempt.end.answer) = (Private::default(), None);
                }
            });
        }
        for number in &named {
            self.submissions.change(number, |submission| submission.patient = None);
        }
        bodies.len()
    }
}

impl Entry {
    /// The payload as it stands.
    pub(super) fn payload(&self) -> Option<&Value> {
        self.original.as_ref().map(|original| self.amended.as_ref().unwrap_or(original))
    }
}

fn remote_key(facility: &str, operation: &str, scope: &[String], id: &str) -> RemoteKey {
    (facility.to_owned(), operation.to_owned(), scope.to_vec(), id.to_owned())
}

/// Whose turn it is: what can still be in time by its date, what has none, what is late by its date; then by rank.
pub(super) fn turn(delivery: &Delivery, now: Timestamp) -> (u8, Option<Timestamp>, Timestamp) {
    let late = delivery.deadline.late;
    let class = late.map_or(1, |late| if late >= now { 0 } else { 2 });
    (class, late, rank(delivery))
}

/// The target, or the acceptance where there is none.
pub(super) fn rank(delivery: &Delivery) -> Timestamp {
    delivery.deadline.target.unwrap_or(delivery.accepted_at)
}

fn recovery(operation: &Operation) -> Recovery {
    if let Some(plan) = &operation.look_up {
        return Recovery::LookUp { unique: plan.unique };
    }
    match operation.kind {
        Kind::Add => Recovery::RepeatUntilThere,
        Kind::Delete => Recovery::RepeatUntilGone,
        Kind::Edit | Kind::Read => Recovery::RepeatSafe,
    }
}

fn owned(owner: DeliveryId) -> Refusal {
    Refusal {
        code: 0,
        message: Private::new(owner.to_string()),
        rule: "owned".to_owned(),
        meaning: "nomor ini milik pengantaran lain".to_owned(),
        who: Who::Registration,
        next: format!("bandingkan dengan {owner}"),
    }
}

/// The natural key of `made`, as the payload (or the filled ids) of a delete of it names it.
fn natural_values(delete: &Entry, made: &Operation) -> Option<Vec<String>> {
    let value = |field: &String| {
        let handed_in = delete.payload().and_then(|payload| at(payload, field)).and_then(|value| match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        handed_in.or_else(|| delete.delivery.progress.remote.expose().get(field).cloned())
    };
    if made.natural_key.is_empty() { None } else { made.natural_key.iter().map(value).collect() }
}
