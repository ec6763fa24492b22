//! Accepting: a submission whole or not at all.

use super::Tx;
use super::db::{OptionalExtension, Row, params};
use super::rows::{Millis, Parsed, millis};
use crate::queue::gate::Gate;
use crate::queue::transition::Event;
use crate::queue::{BootId, Delivery, DeliveryId, Mark, Progress, Turn};
use crate::secret::Private;
use crate::store::{Acceptance, Base, NewEntry, NewSubmission, Prerequisite, StoreError, SubmissionRow};

impl Tx<'_> {
    pub(super) fn accept(self, new: &NewSubmission) -> Result<Acceptance, StoreError> {
        let body = self.shared.sealer.index("body", &[new.canonical.expose()]);
        if let Some((row, kept)) = self.submission_by_key(&new.client, &new.facility, &new.reference)? {
            return Ok(if kept == body { Acceptance::Same(row) } else { Acceptance::Conflict(row) });
        }
        let row = self.insert_submission(new, &body)?;
        for entry in &new.entries {
            self.insert_entry(new, entry)?;
        }
        failpoint!("accept.written");
        Ok(Acceptance::New(row))
    }

    fn submission_by_key(
        self,
        client: &str,
        facility: &str,
        reference: &str,
    ) -> Result<Option<(SubmissionRow, String)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, id, client, facility, ref, accepted_at, warnings, body FROM submission \
             WHERE client = ?1 AND facility = ?2 AND ref = ?3",
        )?;
        let found = statement.query_row([client, facility, reference], |row| {
            Ok((Self::submission_of(row)?, row.get::<_, String>("body")?))
        });
        found.optional()
    }

    fn insert_submission(self, new: &NewSubmission, body: &str) -> Result<SubmissionRow, StoreError> {
        let id = new.id.to_string();
        let patient = new
            .patient
            .as_ref()
            .map(|patient| self.seal(&new.facility, "patient", &id, patient.expose()))
            .transpose()?;
        let warnings = serde_json::to_string(&new.warnings).unwrap_or_else(|_| "[]".to_owned());
        let seq = self
            .connection
            .prepare_cached(
                "INSERT INTO submission (id, client, facility, ref, body, patient, accepted_at, warnings) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING seq",
            )?
            .query_row(
                params![id, new.client, new.facility, new.reference, body, patient, millis(new.accepted_at), warnings],
                |row| row.get(0),
            )?;
        Ok(SubmissionRow {
            id: new.id,
            seq,
            client: new.client.clone(),
            facility: new.facility.clone(),
            reference: new.reference.clone(),
            accepted_at: new.accepted_at,
            warnings: new.warnings.clone(),
        })
    }

    fn insert_entry(self, new: &NewSubmission, entry: &NewEntry) -> Result<(), StoreError> {
        let lane = self.lane(&new.facility, entry)?;
        let turn = self.turn(new, entry, &lane)?;
        let progress = Progress::accepted(new.accepted_at, entry.due_at, None);
        let mut delivery = Delivery {
            id: entry.id,
            seq: 0,
            submission: new.id,
            entry_ref: entry.entry_ref.clone(),
            facility: new.facility.clone(),
            operation: entry.operation.clone(),
            lane: Private::new(lane),
            occurred_at: entry.occurred_at,
            service_date: entry.service_date,
            mark: entry.mark,
            accepted_at: new.accepted_at,
            turn,
            deadline: entry.deadline.clone(),
            progress,
        };
        delivery.seq = self.insert_delivery(&delivery, entry)?;
        self.insert_body(&delivery, entry)?;
        for parent in &entry.after {
            self.connection
                .prepare_cached("INSERT INTO prerequisite (child, parent) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute([entry.id.to_string(), parent.to_string()])?;
        }
        self.tally(&delivery, 1)?;
        self.first_gate(&delivery, new)
    }

    /// The gate of a new delivery; an open one without adopted parents is what the row says already.
    fn first_gate(self, delivery: &Delivery, new: &NewSubmission) -> Result<(), StoreError> {
        // Acceptance needs neither this run's name nor chance: gates do not look at them.
        let base = Base { boot: BootId::new(new.accepted_at, &[0; 10]), settle: None, chance: 0.0, others_pass: false };
        let gate = self.gate(delivery)?;
        let event = match gate {
            // Also where a prerequisite failed: what comes back by itself would go out unapproved.
            Gate::Wait(_) | Gate::Open { .. } | Gate::Failed(_) if new.approval => Some(Event::AwaitApproval),
            Gate::Open { adopted: false } => None,
            gate @ (Gate::Open { adopted: true } | Gate::Wait(_) | Gate::Failed(_)) => Some(Event::Gated(gate)),
        };
        if let Some(event) = event {
            let moved = self.apply(delivery, &event, new.accepted_at, &base)?;
            moved.map_err(|illegal| StoreError::Database(format!("{}: {illegal}", delivery.id)))?;
        }
        self.judge_after(delivery, new.accepted_at, &base)
    }

    /// Its turn in `lane`: after what it comes after, and after everything of the lane that was not ahead of its day.
    fn turn(self, new: &NewSubmission, entry: &NewEntry, lane: &str) -> Result<Turn, StoreError> {
        let turn_of = |row: &Row<'_>| {
            let opens = row.get::<_, Option<Millis>>(1)?.map(|at| at.0);
            Ok(Turn { opens, at: row.get::<_, Millis>(0)?.0 })
        };
        let mut before = Vec::new();
        for parent in &entry.after {
            let mut statement = self.connection.prepare_cached("SELECT turn, opens FROM delivery WHERE id = ?1")?;
            before.extend(statement.query_row([parent.to_string()], turn_of).optional()?);
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT turn FROM delivery WHERE lane = ?1 AND opens IS NULL ORDER BY turn DESC LIMIT 1")?;
        let last = statement.query_row([lane], |row| row.get::<_, Millis>(0)).optional()?;
        Ok(Turn::taken(new.accepted_at, entry.due_at, &before, last.map(|at| at.0)))
    }

    fn insert_delivery(self, delivery: &Delivery, entry: &NewEntry) -> Result<i64, StoreError> {
        let natural_key = entry.natural_key.as_ref();
        let natural_key =
            natural_key.map(|values| self.natural_key(&delivery.facility, &delivery.operation, values.expose()));
        let rank = delivery.deadline.target.unwrap_or(delivery.accepted_at);
        let values = params![
            delivery.id.to_string(),
            delivery.submission.to_string(),
            i64::try_from(entry.position).unwrap_or(i64::MAX),
            delivery.entry_ref,
            delivery.facility,
            entry.service,
            delivery.operation,
            delivery.lane.expose(),
            natural_key,
            delivery.occurred_at.map(millis),
            delivery.service_date.map(|day| day.to_string()),
            millis(delivery.accepted_at),
            delivery.deadline.rule,
            delivery.deadline.target.map(millis),
            delivery.deadline.late.map(millis),
            delivery.deadline.last.map(millis),
            millis(rank),
            millis(delivery.progress.due_at),
            delivery.mark.map(Mark::word),
            millis(delivery.turn.at),
            delivery.turn.opens.map(millis),
        ];
        Ok(self
            .connection
            .prepare_cached(
                "INSERT INTO delivery (id, submission, position, entry_ref, facility, service, operation, lane, \
                 natural_key, occurred_at, service_date, accepted_at, rule, target, late, last, rank, state, revision, \
                 due_at, marked, absent, attempts, stumbles, faults, updated_at, mark, turn, opens) VALUES (?1, ?2, ?3, ?4, \
                 ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 'waiting', 0, ?18, 0, 0, 0, 0, 0, ?12, ?19, \
                 ?20, ?21) RETURNING seq",
            )?
            .query_row(values, |row| row.get(0))?)
    }

    fn insert_body(self, delivery: &Delivery, entry: &NewEntry) -> Result<(), StoreError> {
        let id = delivery.id.to_string();
        let sealed = self.seal(&delivery.facility, "original", &id, entry.payload.expose())?;
        self.connection
            .prepare_cached("INSERT INTO entry_body (delivery, original) VALUES (?1, ?2)")?
            .execute(params![id, sealed])?;
        Ok(())
    }

    /// What the entry is ordered by: its patient, else what it comes after, else what it is about, else itself.
    fn lane(self, facility: &str, entry: &NewEntry) -> Result<String, StoreError> {
        let hash = |kind: &str, what: &str| self.shared.sealer.index("lane", &[facility, kind, what]);
        if let Some(card) = &entry.no_kartu {
            return Ok(hash("noKartu", card.expose()));
        }
        if let Some(parent) = entry.after.first() {
            return self.lane_of(*parent).map(|lane| lane.unwrap_or_else(|| hash("self", &entry.id.to_string())));
        }
        let Some((operation, scope, id)) = &entry.about else {
            return Ok(hash("self", &entry.id.to_string()));
        };
        let owner = self.owner(facility, operation, scope, id)?;
        let inherited = owner.map(|owner| self.lane_of(owner)).transpose()?.flatten();
        Ok(inherited.unwrap_or_else(|| hash(operation, id)))
    }

    fn lane_of(self, id: DeliveryId) -> Result<Option<String>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT lane FROM delivery WHERE id = ?1")?;
        statement.query_row([id.to_string()], |row| row.get(0)).optional()
    }

    pub(super) fn find_entry(self, key: &[String; 4]) -> Result<Option<Prerequisite>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT d.id, d.operation, d.service_date FROM delivery d JOIN submission s ON s.id = d.submission \
             WHERE s.client = ?1 AND s.facility = ?2 AND s.ref = ?3 AND d.entry_ref = ?4",
        )?;
        let found = statement.query_row(params![key[0], key[1], key[2], key[3]], |row| {
            Ok(Prerequisite {
                id: row.get::<_, Parsed<_>>(0)?.0,
                operation: row.get(1)?,
                service_date: row.get::<_, Option<Parsed<_>>>(2)?.map(|day| day.0),
            })
        });
        found.optional()
    }
}
