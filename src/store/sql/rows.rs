//! From rows to values and back: one list of columns, one reader, one writer.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;

use super::Tx;
use super::db::{FromSql, OptionalExtension, Row, ToSql, ValueRef, params, unfit};
use crate::catalogue::{RemoteIds, Who};
use crate::contract::Deadline;
use crate::queue::{
    Blocked, BlockedKind, BootId, Delivery, DeliveryId, Doubt, How, Lease, Mark, Progress, Purpose, Question, State,
    SubmissionId, Turn, Why,
};
use crate::secret::Private;
use crate::store::antrean::{BookingState, Origin, RegistrationState};
use crate::store::{OutageClass, Settled, StoreError, Verdict};

/// The columns that make a delivery, in the order [`Tx::delivery_of`] reads them.
pub(super) const DELIVERY: &str = "seq, id, submission, entry_ref, facility, operation, lane, occurred_at, \
    service_date, accepted_at, rule, target, late, last, state, how, revision, due_at, blocked_kind, blocked_id, \
    marked, question, doubt_since, absent, absent_begun, absent_boot, attempts, stumbles, faults, fault, crashes, lease_token, \
    lease_until, lease_purpose, why_code, why_who, why_meaning, why_next, why_message, remote, past_last, updated_at, mark, turn, opens";

/// A text column that must parse.
pub(super) struct Parsed<T>(pub(super) T);

impl<T: FromStr> FromSql for Parsed<T> {
    fn column_result(value: ValueRef<'_>) -> Result<Self, StoreError> {
        value.as_str()?.parse().map(Parsed).map_err(|_| unfit("what its text should say"))
    }
}

/// A column with one of our words.
pub(super) struct Word<T>(pub(super) T);

macro_rules! words_from_sql {
    ($($name:ident),*) => {$(
        impl FromSql for Word<$name> {
            fn column_result(value: ValueRef<'_>) -> Result<Self, StoreError> {
                $name::of_word(value.as_str()?).map(Word).ok_or_else(|| unfit("one of our words"))
            }
        }
    )*};
}
words_from_sql!(
    State,
    How,
    Question,
    Purpose,
    Who,
    BlockedKind,
    Mark,
    Settled,
    OutageClass,
    Verdict,
    BookingState,
    Origin,
    RegistrationState
);

/// A column with milliseconds since 1970.
pub(super) struct Millis(pub(super) Timestamp);

impl FromSql for Millis {
    fn column_result(value: ValueRef<'_>) -> Result<Self, StoreError> {
        Timestamp::from_millisecond(value.as_i64()?).map(Millis).map_err(|_| unfit("an instant"))
    }
}

/// An instant as the database keeps it.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

fn word<T>(word: Word<T>) -> T {
    word.0
}

impl Tx<'_> {
    pub(super) fn delivery(self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let sql = format!("SELECT {DELIVERY} FROM delivery WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_row([id.to_string()], |row| Ok(self.delivery_of(row))).optional()?;
        found.transpose()
    }

    /// Reads several deliveries with a WHERE clause of ours.
    pub(super) fn select(self, rest: &str, values: &[&dyn ToSql]) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!("SELECT {DELIVERY} FROM delivery {rest}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(values, |row| Ok(self.delivery_of(row)))?;
        rows.map(|row| row?).collect()
    }

    pub(super) fn delivery_of(self, row: &Row<'_>) -> Result<Delivery, StoreError> {
        let id: DeliveryId = row.get::<_, Parsed<_>>("id")?.0;
        let facility: String = row.get("facility")?;
        let progress = self.progress_of(row, id, &facility)?;
        Ok(Delivery {
            id,
            seq: row.get("seq")?,
            submission: row.get::<_, Parsed<SubmissionId>>("submission")?.0,
            entry_ref: row.get("entry_ref")?,
            operation: row.get("operation")?,
            lane: Private::new(row.get("lane")?),
            occurred_at: row.get::<_, Option<Millis>>("occurred_at")?.map(|at| at.0),
            service_date: row.get::<_, Option<Parsed<Date>>>("service_date")?.map(|day| day.0),
            mark: row.get::<_, Option<Word<Mark>>>("mark")?.map(word),
            accepted_at: row.get::<_, Millis>("accepted_at")?.0,
            turn: Turn {
                opens: row.get::<_, Option<Millis>>("opens")?.map(|at| at.0),
                at: row.get::<_, Millis>("turn")?.0,
            },
            deadline: Deadline {
                rule: row.get("rule")?,
                target: row.get::<_, Option<Millis>>("target")?.map(|at| at.0),
                late: row.get::<_, Option<Millis>>("late")?.map(|at| at.0),
                last: row.get::<_, Option<Millis>>("last")?.map(|at| at.0),
            },
            facility,
            progress,
        })
    }

    fn progress_of(self, row: &Row<'_>, id: DeliveryId, facility: &str) -> Result<Progress, StoreError> {
        let at = |name: &str| row.get::<_, Option<Millis>>(name).map(|at| at.map(|at| at.0));
        let kind = row.get::<_, Option<Word<BlockedKind>>>("blocked_kind")?.map(word);
        let blocker = row.get::<_, Option<Parsed<DeliveryId>>>("blocked_id")?.map(|id| id.0);
        let token: Option<i64> = row.get("lease_token")?;
        let purpose = row.get::<_, Option<Word<Purpose>>>("lease_purpose")?.map(word);
        let lease = match (token, at("lease_until")?, purpose) {
            (Some(token), Some(until), Some(purpose)) => Some(Lease { token, until, purpose }),
            (Some(_) | None, Some(_) | None, Some(_) | None) => None,
        };
        Ok(Progress {
            state: word(row.get("state")?),
            how: row.get::<_, Option<Word<How>>>("how")?.map(word),
            revision: row.get("revision")?,
            due_at: row.get::<_, Millis>("due_at")?.0,
            blocked: kind.zip(blocker).map(|(kind, id)| Blocked { kind, id }),
            doubt: Doubt {
                marked: row.get("marked")?,
                question: row.get::<_, Option<Word<Question>>>("question")?.map(word),
                since: at("doubt_since")?,
                absent: row.get("absent")?,
                absent_begun: at("absent_begun")?,
                absent_boot: row.get::<_, Option<Parsed<BootId>>>("absent_boot")?.map(|boot| boot.0),
            },
            past_last: row.get("past_last")?,
            attempts: row.get("attempts")?,
            stumbles: row.get("stumbles")?,
            faults: row.get("faults")?,
            fault: row.get("fault")?,
            crashes: row.get("crashes")?,
            lease,
            why: self.why_of(row, id, facility)?,
            remote: Private::new(self.remote_of(row, id, facility)?),
            updated_at: row.get::<_, Millis>("updated_at")?.0,
        })
    }

    fn why_of(self, row: &Row<'_>, id: DeliveryId, facility: &str) -> Result<Option<Why>, StoreError> {
        let Some(code) = row.get::<_, Option<String>>("why_code")? else { return Ok(None) };
        let message = self.unseal::<String>(facility, "why", &id.to_string(), row.get("why_message")?)?;
        Ok(Some(Why {
            code,
            message: Private::new(message.unwrap_or_default()),
            meaning: row.get::<_, Option<String>>("why_meaning")?.unwrap_or_default(),
            who: row.get::<_, Option<Word<Who>>>("why_who")?.map_or(Who::It, word),
            next: row.get::<_, Option<String>>("why_next")?.unwrap_or_default(),
        }))
    }

    fn remote_of(self, row: &Row<'_>, id: DeliveryId, facility: &str) -> Result<RemoteIds, StoreError> {
        let ids = self.unseal::<RemoteIds>(facility, "remote", &id.to_string(), row.get("remote")?)?;
        Ok(ids.unwrap_or_default())
    }

    /// Opens a sealed column, if it is there.
    pub(super) fn unseal<T: serde::de::DeserializeOwned>(
        self,
        facility: &str,
        column: &str,
        row: &str,
        sealed: Option<Vec<u8>>,
    ) -> Result<Option<T>, StoreError> {
        let opened = sealed.map(|sealed| self.shared.sealer.open(facility, column, row, &sealed));
        Ok(opened.transpose()?)
    }

    /// Seals a column.
    pub(super) fn seal<T: serde::Serialize>(
        self,
        facility: &str,
        column: &str,
        row: &str,
        value: &T,
    ) -> Result<Vec<u8>, StoreError> {
        Ok(self.shared.sealer.seal(facility, column, row, value)?)
    }

    /// Writes what changed, if the row is still at the revision that was read. This is the only UPDATE of a state.
    pub(super) fn update(self, delivery: &Delivery, next: &Progress) -> Result<(), StoreError> {
        let id = delivery.id.to_string();
        let (doubt, why) = (&next.doubt, next.why.as_ref());
        let message = why.map(|why| self.seal(&delivery.facility, "why", &id, why.message.expose())).transpose()?;
        let remote = (!next.remote.expose().is_empty())
            .then(|| self.seal(&delivery.facility, "remote", &id, next.remote.expose()))
            .transpose()?;
        let mut statement = self.connection.prepare_cached(
            "UPDATE delivery SET state = ?3, how = ?4, revision = ?5, due_at = ?6, blocked_kind = ?7, blocked_id = ?8, \
             marked = ?9, question = ?10, doubt_since = ?11, absent = ?12, absent_begun = ?13, absent_boot = ?14, \
             attempts = ?15, stumbles = ?16, faults = ?17, fault = ?18, lease_token = ?19, lease_until = ?20, \
             lease_purpose = ?21, why_code = ?22, why_who = ?23, why_meaning = ?24, why_next = ?25, \
             why_message = ?26, remote = ?27, updated_at = ?28, past_last = ?29, \
             crashes = ?30 WHERE id = ?1 AND revision = ?2",
        )?;
        let changed = statement.execute(params![
            id,
            delivery.progress.revision,
            next.state.word(),
            next.how.map(How::word),
            next.revision,
            millis(next.due_at),
            next.blocked.map(|blocked| blocked.kind.word()),
            next.blocked.map(|blocked| blocked.id.to_string()),
            doubt.marked,
            doubt.question.map(Question::word),
            doubt.since.map(millis),
            doubt.absent,
            doubt.absent_begun.map(millis),
            doubt.absent_boot.map(|boot| boot.to_string()),
            next.attempts,
            next.stumbles,
            next.faults,
            next.fault,
            next.lease.map(|lease| lease.token),
            next.lease.map(|lease| millis(lease.until)),
            next.lease.map(|lease| lease.purpose.word()),
            why.map(|why| &why.code),
            why.map(|why| why.who.word()),
            why.map(|why| &why.meaning),
            why.map(|why| &why.next),
            message,
            remote,
            millis(next.updated_at),
            next.past_last,
            next.crashes,
        ])?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Database(format!("delivery {id} changed meanwhile"))) }
    }

    /// Its payload was destroyed; the state is not touched.
    pub(super) fn mark_retired(self, id: &String) -> Result<(), StoreError> {
        self.connection.prepare_cached("UPDATE delivery SET retired = 1 WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    /// Late and last as a clause moved them; the state is not touched.
    pub(super) fn move_dates(self, delivery: &Delivery, deadline: &Deadline) -> Result<(), StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("UPDATE delivery SET late = ?3, last = ?4 WHERE id = ?1 AND revision = ?2")?;
        let id = delivery.id.to_string();
        let (late, last) = (deadline.late.map(millis), deadline.last.map(millis));
        let changed = statement.execute(params![id, delivery.progress.revision, late, last])?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Database(format!("delivery {id} changed meanwhile"))) }
    }
}
