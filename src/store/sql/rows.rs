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

/// Where a column stands in [`DELIVERY`]. Known when the program is built: a row has dozens, and a database asked for them
/// by name compares every name with every other.
const fn place(name: &str) -> usize {
    let (list, name) = (DELIVERY.as_bytes(), name.as_bytes());
    let (mut at, mut number) = (0, 0);
    loop {
        assert!(at < list.len(), "no such column in DELIVERY");
        let mut same = 0;
        while same < name.len() && at + same < list.len() && list[at + same] == name[same] {
            same += 1;
        }
        if same == name.len() && (at + same == list.len() || list[at + same] == b',') {
            return number;
        }
        while at < list.len() && list[at] != b',' {
            at += 1;
        }
        // Past the comma and the space behind it.
        at += 2;
        number += 1;
    }
}

/// The number of a column of [`DELIVERY`]; a name that is not there is an error of the compiler's.
macro_rules! column {
    ($name:literal) => {
        const { place($name) }
    };
}

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

/// How much of a row is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// All of it; what does not open or parse is an error.
    Whole,
    /// What is not sealed; what does not parse and may be absent is absent.
    Plain,
}

impl Reading {
    fn some<T>(self, column: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
        match (self, column) {
            (Self::Plain, Err(StoreError::Unreadable(_))) => Ok(None),
            (Self::Whole | Self::Plain, column) => column,
        }
    }
}

/// Says of a delivery that its row is damaged, where no person has to do with it yet; elsewhere the reason it has stands.
fn damaged(mut delivery: Delivery) -> Delivery {
    if matches!(delivery.progress.state, State::Waiting | State::Sending | State::Unanswered | State::Delivered) {
        delivery.progress.why = Some(Why::unreadable_row());
    }
    delivery
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

    /// The delivery as far as it can be told without opening anything that is sealed: for a start that follows a crash.
    pub(super) fn unopened(self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let sql = format!("SELECT {DELIVERY} FROM delivery WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_row([id.to_string()], |row| Ok(self.read(row, Reading::Plain))).optional()?;
        found.transpose()
    }

    /// A row that is damaged is read as far as it goes and says so: it must neither vanish from a listing nor keep its
    /// neighbours from being read.
    pub(super) fn delivery_of(self, row: &Row<'_>) -> Result<Delivery, StoreError> {
        match self.read(row, Reading::Whole) {
            Err(StoreError::Unreadable(why)) => {
                let delivery = damaged(self.read(row, Reading::Plain)?);
                tracing::error!(delivery.id = %delivery.id, why, "row unreadable in part");
                Ok(delivery)
            }
            read => read,
        }
    }

    fn read(self, row: &Row<'_>, reading: Reading) -> Result<Delivery, StoreError> {
        let id: DeliveryId = row.get::<_, Parsed<_>>(column!("id"))?.0;
        let facility: String = row.get(column!("facility"))?;
        let progress = self.progress_of(row, id, &facility, reading)?;
        Ok(Delivery {
            id,
            seq: row.get(column!("seq"))?,
            submission: row.get::<_, Parsed<SubmissionId>>(column!("submission"))?.0,
            entry_ref: row.get(column!("entry_ref"))?,
            operation: row.get(column!("operation"))?,
            lane: Private::new(row.get(column!("lane"))?),
            occurred_at: row.get::<_, Option<Millis>>(column!("occurred_at"))?.map(|at| at.0),
            service_date: reading.some(row.get::<_, Option<Parsed<Date>>>(column!("service_date")))?.map(|day| day.0),
            mark: reading.some(row.get::<_, Option<Word<Mark>>>(column!("mark")))?.map(word),
            accepted_at: row.get::<_, Millis>(column!("accepted_at"))?.0,
            turn: Turn {
                opens: row.get::<_, Option<Millis>>(column!("opens"))?.map(|at| at.0),
                at: row.get::<_, Millis>(column!("turn"))?.0,
            },
            deadline: Deadline {
                rule: row.get(column!("rule"))?,
                target: row.get::<_, Option<Millis>>(column!("target"))?.map(|at| at.0),
                late: row.get::<_, Option<Millis>>(column!("late"))?.map(|at| at.0),
                last: row.get::<_, Option<Millis>>(column!("last"))?.map(|at| at.0),
            },
            facility,
            progress,
        })
    }

    fn progress_of(
        self,
        row: &Row<'_>,
        id: DeliveryId,
        facility: &str,
        reading: Reading,
    ) -> Result<Progress, StoreError> {
        let at = |place: usize| row.get::<_, Option<Millis>>(place).map(|at| at.map(|at| at.0));
        let kind = reading.some(row.get::<_, Option<Word<BlockedKind>>>(column!("blocked_kind")))?.map(word);
        let blocker = reading.some(row.get::<_, Option<Parsed<DeliveryId>>>(column!("blocked_id")))?.map(|id| id.0);
        let token: Option<i64> = row.get(column!("lease_token"))?;
        let purpose = row.get::<_, Option<Word<Purpose>>>(column!("lease_purpose"))?.map(word);
        let lease = match (token, at(column!("lease_until"))?, purpose) {
            (Some(token), Some(until), Some(purpose)) => Some(Lease { token, until, purpose }),
            (Some(_) | None, Some(_) | None, Some(_) | None) => None,
        };
        Ok(Progress {
            state: word(row.get(column!("state"))?),
            how: row.get::<_, Option<Word<How>>>(column!("how"))?.map(word),
            revision: row.get(column!("revision"))?,
            due_at: row.get::<_, Millis>(column!("due_at"))?.0,
            blocked: kind.zip(blocker).map(|(kind, id)| Blocked { kind, id }),
            doubt: Doubt {
                marked: row.get(column!("marked"))?,
                question: reading.some(row.get::<_, Option<Word<Question>>>(column!("question")))?.map(word),
                since: at(column!("doubt_since"))?,
                absent: row.get(column!("absent"))?,
                absent_begun: at(column!("absent_begun"))?,
                absent_boot: reading
                    .some(row.get::<_, Option<Parsed<BootId>>>(column!("absent_boot")))?
                    .map(|boot| boot.0),
            },
            past_last: row.get(column!("past_last"))?,
            attempts: row.get(column!("attempts"))?,
            stumbles: row.get(column!("stumbles"))?,
            faults: row.get(column!("faults"))?,
            fault: row.get(column!("fault"))?,
            crashes: row.get(column!("crashes"))?,
            lease,
            why: self.why_of(row, id, facility, reading)?,
            remote: Private::new(self.remote_of(row, id, facility, reading)?),
            updated_at: row.get::<_, Millis>(column!("updated_at"))?.0,
        })
    }

    fn why_of(
        self,
        row: &Row<'_>,
        id: DeliveryId,
        facility: &str,
        reading: Reading,
    ) -> Result<Option<Why>, StoreError> {
        let Some(code) = row.get::<_, Option<String>>(column!("why_code"))? else { return Ok(None) };
        let message = match reading {
            Reading::Whole => {
                self.unseal::<String>(facility, "why", &id.to_string(), row.get(column!("why_message"))?)?
            }
            Reading::Plain => None,
        };
        Ok(Some(Why {
            code,
            message: Private::new(message.unwrap_or_default()),
            meaning: row.get::<_, Option<String>>(column!("why_meaning"))?.unwrap_or_default(),
            who: reading.some(row.get::<_, Option<Word<Who>>>(column!("why_who")))?.map_or(Who::It, word),
            next: row.get::<_, Option<String>>(column!("why_next"))?.unwrap_or_default(),
        }))
    }

    fn remote_of(
        self,
        row: &Row<'_>,
        id: DeliveryId,
        facility: &str,
        reading: Reading,
    ) -> Result<RemoteIds, StoreError> {
        let ids = match reading {
            Reading::Whole => {
                self.unseal::<RemoteIds>(facility, "remote", &id.to_string(), row.get(column!("remote"))?)?
            }
            Reading::Plain => None,
        };
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

    /// Writes what changed, if the row is still at the revision that was read. This is the only UPDATE of a state. A sealed
    /// column that did not change is not touched: it may not have been opened ([`Tx::unopened`]).
    pub(super) fn update(self, delivery: &Delivery, next: &Progress) -> Result<(), StoreError> {
        let id = delivery.id.to_string();
        let (doubt, why) = (&next.doubt, next.why.as_ref());
        let (why_changed, remote_changed) =
            (next.why != delivery.progress.why, next.remote.expose() != delivery.progress.remote.expose());
        let message = why.filter(|_| why_changed);
        let message = message.map(|why| self.seal(&delivery.facility, "why", &id, why.message.expose())).transpose()?;
        let remote = (remote_changed && !next.remote.expose().is_empty())
            .then(|| self.seal(&delivery.facility, "remote", &id, next.remote.expose()))
            .transpose()?;
        let mut statement = self.connection.prepare_cached(
            "UPDATE delivery SET state = ?3, how = ?4, revision = ?5, due_at = ?6, blocked_kind = ?7, blocked_id = ?8, \
             marked = ?9, question = ?10, doubt_since = ?11, absent = ?12, absent_begun = ?13, absent_boot = ?14, \
             attempts = ?15, stumbles = ?16, faults = ?17, fault = ?18, lease_token = ?19, lease_until = ?20, \
             lease_purpose = ?21, why_code = ?22, why_who = ?23, why_meaning = ?24, why_next = ?25, \
             why_message = CASE WHEN ?31 = 1 THEN ?26 ELSE why_message END, \
             remote = CASE WHEN ?32 = 1 THEN ?27 ELSE remote END, updated_at = ?28, past_last = ?29, \
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
            why_changed,
            remote_changed,
        ])?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Database(format!("delivery {id} changed meanwhile"))) }
    }

    /// What it has of remote ids opens under no key and is let go; an unfinished entry has none of BPJS's. The state is not
    /// touched.
    pub(super) fn forget_remote(self, id: DeliveryId) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached("UPDATE delivery SET remote = NULL WHERE id = ?1")?;
        statement.execute([id.to_string()]).map(|_| ())
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
