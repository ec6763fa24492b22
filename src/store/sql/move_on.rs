//! Moving deliveries on: every event goes through `queue::transition`, and what it means for others follows at once.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::LOOK_FIRST;
use super::Tx;
use super::db::{OptionalExtension, Row, params};
use super::rows::{Parsed, Word, millis};
use crate::catalogue::{Kind, Operation};
use crate::queue::gate::{Gate, Neighbour, judge};
use crate::queue::transition::{Event, Illegal, Policy, Recovery, transition};
use crate::queue::{Delivery, DeliveryId, Finding, How, Outcome, Progress, State, is_damaged};
use crate::store::{Act, Acted, AttemptEnd, Base, Blamed, Recorded, Refused, StoreError};

/// An id at BPJS: operation that made it, scope, value.
type RemoteKey = (String, Vec<String>, String);

/// Who is to be judged anew, in order of turns: nobody waits for a later one that is not under way.
type Pending = BTreeMap<(i64, i64), DeliveryId>;

/// States in which an entry may be sent yet.
const DISTRUSTED: [State; 5] = [State::Waiting, State::Unanswered, State::Held, State::Refused, State::Expired];
/// What of a lane has its turn before a delivery, whose turn is `?2` and number `?3`.
const BEFORE: &str = "(turn, seq) < (?2, ?3)";
/// What of a lane has its turn after it.
const AFTER: &str = "(turn, seq) > (?2, ?3)";
/// Deliveries in memory at a time where all of a state are walked.
const SOME: i64 = 500;

/// Where a walk through the deliveries of several states stands.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct Walk {
    state: usize,
    seq: i64,
}

impl Tx<'_> {
    /// Applies one event, then whatever it means for the delivery's lane and its dependents.
    pub(super) fn apply(
        self,
        delivery: &Delivery,
        event: &Event,
        now: Timestamp,
        base: &Base,
    ) -> Result<Result<Delivery, Illegal>, StoreError> {
        let moved = match self.step(delivery, event, now, base)? {
            Ok(moved) => moved,
            Err(illegal) => return Ok(Err(illegal)),
        };
        self.cascade(delivery, &moved, now, base)?;
        Ok(Ok(moved))
    }

    /// One delivery's transition with its UPDATE, its counts and its line in the feed.
    fn step(
        self,
        delivery: &Delivery,
        event: &Event,
        now: Timestamp,
        base: &Base,
    ) -> Result<Result<Delivery, Illegal>, StoreError> {
        let policy = self.policy(&delivery.operation, base)?;
        let next = match transition(delivery, event, now, &policy) {
            Ok(next) => next,
            Err(illegal) => return Ok(Err(illegal)),
        };
        self.update(delivery, &next)?;
        let moved = Delivery { progress: next, ..delivery.clone() };
        if delivery.progress.state != moved.progress.state {
            self.tally(delivery, -1)?;
            self.tally(&moved, 1)?;
            if moved.progress.state.is_final() {
                self.connection
                    .prepare_cached("INSERT INTO change (delivery, facility, at) VALUES (?1, ?2, ?3)")?
                    .execute(params![moved.id.to_string(), moved.facility, millis(now)])?;
            }
        }
        Ok(Ok(moved))
    }

    pub(super) fn policy(self, operation: &str, base: &Base) -> Result<Policy, StoreError> {
        let unknown = || StoreError::Unreadable(format!("operation {operation} is not in the catalogue"));
        let operation = self.shared.catalogue.operation(operation).ok_or_else(unknown)?;
        Ok(Policy {
            recovery: recovery(operation),
            settle: base.settle.unwrap_or_else(|| operation.settle()),
            boot: base.boot,
            chance: base.chance,
            others_pass: base.others_pass,
        })
    }

    pub(super) fn tally(self, delivery: &Delivery, by: i64) -> Result<(), StoreError> {
        let known = self.shared.catalogue.operation(&delivery.operation).map(|operation| operation.service.word());
        // An operation that an earlier program knew: its name begins with its service.
        let service = known.or_else(|| delivery.operation.split('.').next()).unwrap_or_default();
        let how = delivery.progress.how.map_or("", How::word);
        self.connection
            .prepare_cached(
                "INSERT INTO tally (facility, service, state, how, count) VALUES \
                 (?1, ?2, ?3, ?4, CASE WHEN ?5 > 0 THEN ?5 ELSE 0 END) \
                 ON CONFLICT (facility, service, state, how) DO UPDATE SET count = tally.count + ?5",
            )?
            .execute(params![delivery.facility, service, delivery.progress.state.word(), how, by])?;
        Ok(())
    }

    // ---- gates --------------------------------------------------------------------------------------------------

    /// Judges anew whoever depends on what moved, in order of their turns, until nothing moves any more. A list instead of
    /// recursion: a long chain must not exhaust the writer's stack.
    fn cascade(self, old: &Delivery, new: &Delivery, now: Timestamp, base: &Base) -> Result<(), StoreError> {
        let mut pending = Pending::new();
        self.dependents(old, new, &mut pending)?;
        self.judge_all(pending, now, base)
    }

    /// Judges those of the lane anew whose turn comes after that of a new delivery: they were ahead of their day when they
    /// were accepted, and it goes before them.
    pub(super) fn judge_after(self, new: &Delivery, now: Timestamp, base: &Base) -> Result<(), StoreError> {
        let mut pending = Pending::new();
        self.in_lane(AFTER, new, &mut pending)?;
        self.judge_all(pending, now, base)
    }

    fn judge_all(self, mut pending: Pending, now: Timestamp, base: &Base) -> Result<(), StoreError> {
        while let Some((_, id)) = pending.pop_first() {
            // An earlier step of the same cascade may have moved it.
            let Some(before) = self.delivery(id)? else { continue };
            if let Some(after) = self.judge_anew(&before, now, base)? {
                self.dependents(&before, &after, &mut pending)?;
            }
        }
        Ok(())
    }

    /// Whose gate may say something else after this move: what comes after it; where it became final or unfinished also
    /// what waits behind it in its lane, and where it is or was under way what waits before it.
    fn dependents(self, old: &Delivery, new: &Delivery, pending: &mut Pending) -> Result<(), StoreError> {
        let (before, after) = (&old.progress, &new.progress);
        if before.state.is_final() != after.state.is_final() {
            self.in_lane(AFTER, new, pending)?;
        }
        if before.is_under_way() != after.is_under_way() {
            self.in_lane(BEFORE, new, pending)?;
        }
        // Held for another reason than before is another answer to the gate.
        let code = |progress: &Progress| progress.why.as_ref().map(|why| why.code.clone());
        if before.state == after.state && (after.state != State::Held || code(before) == code(after)) {
            return Ok(());
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT d.turn, d.seq, d.id FROM prerequisite p JOIN delivery d ON d.id = p.child WHERE p.parent = ?1 \
             AND d.lease_token IS NULL \
             AND (d.state = 'waiting' OR (d.state = 'held' AND d.why_code = 'prerequisite'))",
        )?;
        for row in statement.query_map([new.id.to_string()], pending_of)? {
            pending.extend([row?]);
        }
        Ok(())
    }

    /// What waits in a delivery's lane on one side of it.
    fn in_lane(self, side: &str, of: &Delivery, pending: &mut Pending) -> Result<(), StoreError> {
        // By the index of the lane's unfinished: with the plain comparison a database may walk all that wait instead.
        let sql = format!(
            "SELECT turn, seq, id FROM delivery WHERE lane = ?1 AND {side} \
             AND state IN ('waiting', 'sending', 'unanswered') AND state || '' = 'waiting' AND lease_token IS NULL"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let values = params![of.lane.expose(), millis(of.turn.at), of.seq];
        for row in statement.query_map(values, pending_of)? {
            pending.extend([row?]);
        }
        Ok(())
    }

    /// Judges one delivery anew, with everything that follows.
    pub(super) fn regate(self, id: DeliveryId, now: Timestamp, base: &Base) -> Result<(), StoreError> {
        let Some(before) = self.delivery(id)? else { return Ok(()) };
        match self.judge_anew(&before, now, base)? {
            Some(after) => self.cascade(&before, &after, now, base),
            None => Ok(()),
        }
    }

    /// Applies the gate's verdict where it differs from what the row says.
    fn judge_anew(self, delivery: &Delivery, now: Timestamp, base: &Base) -> Result<Option<Delivery>, StoreError> {
        let gate = self.gate(delivery)?;
        let progress = &delivery.progress;
        let held = progress.state == State::Held;
        let unchanged = match gate {
            // A parent adopted while this one was held leaves a question to ask (promise 3).
            Gate::Open { adopted } => {
                let operation = self.shared.catalogue.operation(&delivery.operation);
                let asks = operation.is_some_and(|own| recovery(own) == Recovery::LookUp { unique: false });
                let known = !adopted || !asks || progress.doubt.marked || progress.doubt.question.is_some();
                !held && progress.blocked.is_none() && known
            }
            Gate::Wait(blocked) => !held && progress.blocked == Some(blocked),
            Gate::Failed(id) => {
                let named = progress.why.as_ref().is_some_and(|why| *why.message.expose() == id.to_string());
                held && named
            }
        };
        if unchanged || progress.lease.is_some() {
            return Ok(None);
        }
        // A state that does not allow it (a person was faster) is left alone.
        Ok(self.step(delivery, &Event::Gated(gate), now, base)?.ok())
    }

    /// What stands in the way of a delivery.
    pub(super) fn gate(self, delivery: &Delivery) -> Result<Gate, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, state, how, why_code FROM delivery \
             WHERE id IN (SELECT parent FROM prerequisite WHERE child = ?1) ORDER BY seq",
        )?;
        let neighbours = statement.query_map([delivery.id.to_string()], |row| {
            Ok(Neighbour {
                id: row.get::<_, Parsed<_>>(0)?.0,
                state: row.get::<_, Word<State>>(1)?.0,
                how: row.get::<_, Option<Word<How>>>(2)?.map(|how| how.0),
                why: row.get(3)?,
            })
        })?;
        let neighbours = neighbours.collect::<Result<Vec<_>, _>>()?;
        Ok(judge(&neighbours, self.earlier(delivery)?))
    }

    /// The first unfinished delivery of the lane before this one. Where there is none, one behind it that is under way: it
    /// went while this one was not in its way, and is waited for.
    fn earlier(self, delivery: &Delivery) -> Result<Option<DeliveryId>, StoreError> {
        let under_way = format!("{AFTER} AND (state <> 'waiting' OR lease_token IS NOT NULL)");
        for which in [BEFORE, &under_way] {
            let sql = format!(
                "SELECT id FROM delivery WHERE lane = ?1 AND {which} AND state IN ('waiting', 'sending', 'unanswered') \
                 ORDER BY turn, seq LIMIT 1"
            );
            let mut statement = self.connection.prepare_cached(&sql)?;
            let values = params![delivery.lane.expose(), millis(delivery.turn.at), delivery.seq];
            let found = statement.query_row(values, |row| Ok(row.get::<_, Parsed<DeliveryId>>(0)?.0)).optional()?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    // ---- the ends of attempts -----------------------------------------------------------------------------------

    pub(super) fn record(self, recorded: &Recorded) -> Result<Option<Delivery>, StoreError> {
        let Some(delivery) = self.delivery(recorded.id)? else { return Ok(None) };
        if delivery.progress.lease.is_none_or(|lease| lease.token != recorded.token) {
            return Ok(None);
        }
        let event = self.respect_owner(&delivery, &recorded.event, recorded.end.owns.as_ref())?;
        self.end_attempt(&delivery, recorded.token, &recorded.end, recorded.now)?;
        let moved = self.apply(&delivery, &event, recorded.now, &recorded.base)?;
        let moved = moved.map_err(|illegal| StoreError::Database(format!("{}: {illegal}", recorded.id)))?;
        if moved.progress.state == State::Delivered {
            self.own(&moved, recorded.end.owns.as_ref())?;
            self.release(&moved, recorded.end.frees.as_ref())?;
            self.free(&moved.facility, recorded.end.frees.as_ref())?;
        }
        failpoint!("record.written");
        if moved.progress.state == State::Waiting {
            // While it was leased, what it waits behind may have come back.
            self.regate(moved.id, recorded.now, &recorded.base)?;
            return self.delivery(moved.id);
        }
        Ok(Some(moved))
    }

    /// Promise 2: who would own an owned id is refused, naming the owner.
    fn respect_owner(self, delivery: &Delivery, event: &Event, owns: Option<&RemoteKey>) -> Result<Event, StoreError> {
        let Some((operation, scope, id)) = owns else { return Ok(event.clone()) };
        let owner = self.owner(&delivery.facility, operation, scope, id)?.filter(|owner| *owner != delivery.id);
        let unique = self.shared.catalogue.operation(&delivery.operation).is_none_or(Operation::is_unique);
        Ok(match (owner, event) {
            (Some(owner), Event::Looked { begun, .. }) if unique => {
                Event::Looked { finding: Finding::Owned { owner }, begun: *begun }
            }
            // Copies are lawful here, and this one was taken between the look-up and now: count the free ones again.
            (Some(_), Event::Looked { begun, .. }) => {
                Event::Looked { finding: Finding::Failed { why: "owned meanwhile".to_owned() }, begun: *begun }
            }
            (Some(owner), Event::Ended(Outcome::Accepted(_))) => {
                tracing::warn!(delivery.id = %delivery.id, %owner, "BPJS gave an id that another delivery owns");
                Event::Ended(Outcome::Refused(owned_refusal(owner)))
            }
            (Some(_) | None, event) => event.clone(),
        })
    }

    fn end_attempt(self, delivery: &Delivery, token: i64, end: &AttemptEnd, now: Timestamp) -> Result<(), StoreError> {
        let detail = (!end.detail.expose().is_empty())
            .then(|| self.seal(&delivery.facility, "attempt", &token.to_string(), end.detail.expose()))
            .transpose()?;
        let answer = end.answer.as_ref();
        let answer = answer
            .map(|answer| self.seal(&delivery.facility, "answer", &token.to_string(), answer.expose()))
            .transpose()?;
        self.connection
            .prepare_cached(
                "UPDATE attempt SET ended_at = ?2, outcome = ?3, status = ?4, code = ?5, stamp = ?6, detail = ?7, \
                 credential_version = coalesce(?8, credential_version), answer = ?9 \
                 WHERE token = ?1 AND ended_at IS NULL",
            )?
            .execute(params![
                token,
                millis(now),
                end.outcome,
                end.status,
                end.code,
                end.stamp,
                detail,
                end.credential_version,
                answer
            ])?;
        Ok(())
    }

    fn own(self, delivery: &Delivery, owns: Option<&RemoteKey>) -> Result<(), StoreError> {
        let Some((operation, scope, id)) = owns else { return Ok(()) };
        let key = self.remote_key(&delivery.facility, operation, scope, id);
        self.connection
            .prepare_cached("INSERT INTO remote_id (key, owner) VALUES (?1, ?2) ON CONFLICT (key) DO NOTHING")?
            .execute(params![key, delivery.id.to_string()])?;
        Ok(())
    }

    fn free(self, facility: &str, frees: Option<&RemoteKey>) -> Result<(), StoreError> {
        let Some((operation, scope, id)) = frees else { return Ok(()) };
        let key = self.remote_key(facility, operation, scope, id);
        self.connection.prepare_cached("DELETE FROM remote_id WHERE key = ?1")?.execute([key])?;
        Ok(())
    }

    pub(super) fn remote_key(self, facility: &str, operation: &str, scope: &[String], id: &str) -> String {
        let mut parts = vec![facility, operation, id];
        parts.extend(scope.iter().map(String::as_str));
        self.shared.sealer.index("remote", &parts)
    }

    pub(super) fn owner(
        self,
        facility: &str,
        operation: &str,
        scope: &[String],
        id: &str,
    ) -> Result<Option<DeliveryId>, StoreError> {
        let key = self.remote_key(facility, operation, scope, id);
        let mut statement = self.connection.prepare_cached("SELECT owner FROM remote_id WHERE key = ?1")?;
        statement.query_row([key], |row| Ok(row.get::<_, Parsed<DeliveryId>>(0)?.0)).optional()
    }

    // ---- people, time and crashes -------------------------------------------------------------------------------

    pub(super) fn act(self, act: &Act) -> Result<Acted, StoreError> {
        let Some(delivery) = self.delivery(act.id)? else { return Ok(Acted::Unknown) };
        if let Some((operation, scope, id)) = &act.owns {
            let owner = self.owner(&delivery.facility, operation, scope, id)?;
            if let Some(owner) = owner.filter(|owner| *owner != act.id) {
                return Ok(Acted::Refused(Box::new(delivery), Refused::Owned(owner)));
            }
        }
        let moved = match self.apply(&delivery, &act.event, act.now, &act.base)? {
            Ok(moved) => moved,
            Err(illegal) => return Ok(Acted::Refused(Box::new(delivery), Refused::Illegal(illegal))),
        };
        if let Some(payload) = &act.payload {
            let sealed = self.seal(&delivery.facility, "current", &act.id.to_string(), payload.expose())?;
            self.connection
                .prepare_cached("UPDATE entry_body SET current = ?2 WHERE delivery = ?1")?
                .execute(params![act.id.to_string(), sealed])?;
        }
        if moved.progress.state == State::Delivered {
            self.own(&moved, act.owns.as_ref())?;
        }
        self.log(&act.audit)?;
        failpoint!("act.written");
        // Coming back from a final state it may find its lane or its prerequisites in the way.
        if moved.progress.state == State::Waiting {
            self.regate(moved.id, act.now, &act.base)?;
        }
        Ok(self.delivery(act.id)?.map_or(Acted::Unknown, |delivery| Acted::Done(Box::new(delivery))))
    }

    pub(super) fn is_any_lost(self, now: Timestamp, all: bool) -> Result<bool, StoreError> {
        let before = if all { i64::MAX } else { millis(now) };
        let sql = "SELECT EXISTS (SELECT 1 FROM delivery WHERE lease_token IS NOT NULL AND lease_until < ?1)";
        Ok(self.connection.prepare_cached(sql)?.query_row([before], |row| row.get(0))?)
    }

    pub(super) fn is_any_overdue(self, now: Timestamp) -> Result<bool, StoreError> {
        // Mark by mark, as the index has them: each is one step.
        let sql = "SELECT EXISTS (SELECT 1 FROM delivery WHERE state = 'waiting' AND marked = 0 AND last IS NOT NULL \
                   AND last < ?1 AND lease_token IS NULL AND past_last = 0) OR EXISTS (SELECT 1 FROM delivery \
                   WHERE state = 'waiting' AND marked = 1 AND last IS NOT NULL AND last < ?1 AND lease_token IS NULL \
                   AND past_last = 0)";
        Ok(self.connection.prepare_cached(sql)?.query_row([millis(now)], |row| row.get(0))?)
    }

    pub(super) fn reclaim(self, now: Timestamp, all: bool, base: &Base) -> Result<usize, StoreError> {
        let before = if all { i64::MAX } else { millis(now) };
        // Ordered here: asked for in order of acceptance, a database would rather walk all entries than sort a few.
        let mut lost = self.select("WHERE lease_token IS NOT NULL AND lease_until < ?1", &[&before])?;
        lost.sort_unstable_by_key(|delivery| delivery.seq);
        self.lose_all(&lost, now, base)
    }

    /// Puts deliveries whose lease is lost into doubt.
    pub(super) fn lose_all(self, lost: &[Delivery], now: Timestamp, base: &Base) -> Result<usize, StoreError> {
        for delivery in lost {
            self.lose(delivery, "lost", &Event::LeaseLost, now, base)?;
        }
        failpoint!("reclaim.written");
        Ok(lost.len())
    }

    pub(super) fn blame(self, now: Timestamp, base: &Base) -> Result<Blamed, StoreError> {
        // As in `reclaim`: the leased are few, and sorted here.
        let mut suspects = self.select("WHERE lease_token IS NOT NULL AND lease_until < ?1", &[&i64::MAX])?;
        suspects.sort_unstable_by_key(|delivery| delivery.seq);
        self.blame_these(&suspects, now, base)
    }

    /// Counts a crash against these deliveries.
    pub(super) fn blame_these(self, suspects: &[Delivery], now: Timestamp, base: &Base) -> Result<Blamed, StoreError> {
        let mut blamed = Blamed { suspects: suspects.len(), held: Vec::new() };
        for delivery in suspects {
            self.lose(delivery, "crashed", &Event::Crashed, now, base)?;
            let after = self.delivery(delivery.id)?;
            blamed.held.extend(after.filter(|after| after.progress.state == State::Held).map(|after| after.id));
        }
        Ok(blamed)
    }

    /// Counts a crash against one that a claim was about to open, without opening it.
    pub(super) fn blame_opened(self, id: DeliveryId, now: Timestamp, base: &Base) -> Result<Blamed, StoreError> {
        let delivery = match self.unopened(id) {
            Ok(Some(delivery)) => delivery,
            Ok(None) | Err(StoreError::Unreadable(_)) => return Ok(Blamed::default()),
            Err(error) => return Err(error),
        };
        Ok(match self.apply(&delivery, &Event::CrashedAtClaim, now, base)? {
            Err(_final_or_held_by_somebody) => Blamed::default(),
            Ok(after) => {
                let held = (after.progress.state == State::Held).then_some(id);
                Blamed { suspects: 1, held: held.into_iter().collect() }
            }
        })
    }

    /// Ends the attempt of a holder that is gone, and moves its delivery on.
    fn lose(
        self,
        delivery: &Delivery,
        how: &str,
        event: &Event,
        now: Timestamp,
        base: &Base,
    ) -> Result<(), StoreError> {
        if let Some(lease) = delivery.progress.lease {
            let end = AttemptEnd { outcome: how.to_owned(), ..AttemptEnd::default() };
            self.end_attempt(delivery, lease.token, &end, now)?;
        }
        let moved = self.apply(delivery, event, now, base)?;
        let moved = moved.map_err(|illegal| StoreError::Database(format!("{}: {illegal}", delivery.id)))?;
        if is_damaged(&delivery.progress) && !moved.progress.state.is_final() {
            // Whatever the doubt says, what is damaged is a person's first.
            drop(self.apply(&moved, &Event::Unreadable, now, base)?);
            return self.forget_remote(delivery.id);
        }
        self.regate(delivery.id, now, base)
    }

    pub(super) fn expire(self, now: Timestamp, limit: usize, base: &Base) -> Result<usize, StoreError> {
        let mut overdue = Vec::new();
        // What is in doubt goes last: some of it can only be looked up, and stays.
        for marked in [false, true] {
            let left = i64::try_from(limit.saturating_sub(overdue.len())).unwrap_or(i64::MAX);
            overdue.extend(self.select(
                "WHERE state = 'waiting' AND last IS NOT NULL AND past_last = 0 AND marked = ?1 AND last < ?2 \
                 AND lease_token IS NULL ORDER BY last, seq LIMIT ?3",
                params![marked, millis(now), left],
            )?);
        }
        let mut moved = 0;
        for delivery in &overdue {
            // A cascade of an earlier one may have moved it already.
            let Some(delivery) = self.delivery(delivery.id)? else { continue };
            moved += usize::from(self.apply(&delivery, &Event::Expire, now, base)?.is_ok());
        }
        failpoint!("expire.written");
        Ok(moved)
    }

    pub(super) fn retire(self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut over: Vec<(String, String)> = Vec::new();
        for state in [State::Delivered, State::Cancelled] {
            let left = i64::try_from(limit.saturating_sub(over.len())).unwrap_or(i64::MAX);
            let mut statement = self.connection.prepare_cached(
                "SELECT id, submission FROM delivery WHERE state IN ('delivered', 'cancelled') AND retired = 0 \
                 AND state = ?1 AND updated_at < ?2 ORDER BY updated_at LIMIT ?3",
            )?;
            let rows = statement
                .query_map(params![state.word(), millis(before), left], |row| Ok((row.get(0)?, row.get(1)?)))?;
            over.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        for (id, submission) in &over {
            self.retire_one(id, submission)?;
            failpoint!("retire.written");
        }
        Ok(over.len())
    }

    /// The payload goes with its row, and BPJS's words, which may name a patient; the submission's patient with the last
    /// of its entries.
    fn retire_one(self, id: &String, submission: &String) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM entry_body WHERE delivery = ?1",
            "UPDATE attempt SET detail = NULL, answer = NULL WHERE delivery = ?1 \
             AND (detail IS NOT NULL OR answer IS NOT NULL)",
        ] {
            self.connection.prepare_cached(sql)?.execute([id])?;
        }
        self.mark_retired(id)?;
        self.connection
            .prepare_cached(
                "UPDATE submission SET patient = NULL WHERE id = ?1 AND patient IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM delivery WHERE submission = ?1 AND retired = 0)",
            )?
            .execute([submission])?;
        Ok(())
    }

    /// Makes some of what may be sent look first, from a place on, and says where to go on; once there is nothing left,
    /// the store is trusted again.
    pub(in crate::store) fn distrust(
        self,
        from: Walk,
        now: Timestamp,
        base: &Base,
    ) -> Result<(usize, Option<Walk>), StoreError> {
        let Some((some, next)) = self.some_of(&DISTRUSTED, from)? else {
            self.connection.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([LOOK_FIRST])?;
            return Ok((0, None));
        };
        let mut moved = 0;
        for delivery in some.iter().filter(|delivery| delivery.progress.lease.is_none()) {
            moved += usize::from(self.apply(delivery, &Event::Distrust, now, base)?.is_ok());
        }
        failpoint!("distrust.written");
        Ok((moved, Some(next)))
    }

    /// Some deliveries in one of `states` from a place on, in order of acceptance state by state; `None` past the last.
    pub(super) fn some_of(self, states: &[State], from: Walk) -> Result<Option<(Vec<Delivery>, Walk)>, StoreError> {
        let Some(state) = states.get(from.state) else { return Ok(None) };
        let some =
            self.select("WHERE state = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3", params![state.word(), from.seq, SOME])?;
        let next = match some.last() {
            Some(last) => Walk { seq: last.seq, ..from },
            None => Walk { state: from.state + 1, seq: 0 },
        };
        Ok(Some((some, next)))
    }
}

fn pending_of(row: &Row<'_>) -> Result<((i64, i64), DeliveryId), StoreError> {
    Ok(((row.get(0)?, row.get(1)?), row.get::<_, Parsed<DeliveryId>>(2)?.0))
}

fn owned_refusal(owner: DeliveryId) -> crate::catalogue::Refusal {
    crate::catalogue::Refusal {
        code: 0,
        message: crate::secret::Private::new(owner.to_string()),
        rule: "owned".to_owned(),
        meaning: "Nomor yang diberikan BPJS sudah dimiliki pengantaran lain dari jembatan ini.".to_owned(),
        who: crate::catalogue::Who::Registration,
        next: format!("Bandingkan dengan pengantaran {owner} di aplikasi BPJS."),
    }
}

/// How an operation recovers from an unknown outcome, as the catalogue says.
pub(super) fn recovery(operation: &Operation) -> Recovery {
    match (&operation.look_up, operation.kind) {
        (Some(plan), _) => Recovery::LookUp { unique: plan.unique },
        (None, Kind::Delete) => Recovery::RepeatUntilGone,
        (None, Kind::Add) => Recovery::RepeatUntilThere,
        (None, Kind::Edit | Kind::Read) => Recovery::RepeatSafe,
    }
}
