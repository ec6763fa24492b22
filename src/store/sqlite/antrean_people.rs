//! Whom the SIM knows, and who wants to be known: record numbers by card, registrations; and the port itself.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};
use serde_json::Value;

use super::questions::{Where, one_more, page};
use super::rows::{Millis, Word, millis};
use super::{SqliteStore, Tx};
use crate::secret::Private;
use crate::store::antrean::{
    AntreanStore, BookAsk, Booked, Booking, BookingCount, BookingFilter, CallAsk, CallDone, FeedKinds, FeedRow,
    KnownPatient, MoveAsk, Moved, NewRegistration, Place, Queue, Registered, Registration, RegistrationState, Session,
    Withdrawn,
};
use crate::store::{Page, StoreError};

const REGISTRATION: &str = "seq, id, facility, state, body, answer, asked_at, updated_at";

impl Tx<'_> {
    fn put_patients(self, facility: &str, patients: &[KnownPatient]) -> Result<(), StoreError> {
        for (card, norm) in patients {
            let card = self.antrean_card(facility, card);
            match norm {
                Some(norm) => self.put_patient(facility, &card, norm)?,
                None => drop(
                    self.connection
                        .prepare_cached("DELETE FROM antrean_patient WHERE facility = ?1 AND card = ?2")?
                        .execute([facility, &card])?,
                ),
            }
        }
        Ok(())
    }

    fn put_patient(self, facility: &str, card: &str, norm: &Private<String>) -> Result<(), StoreError> {
        let sealed = self.seal(facility, "norm", card, norm.expose())?;
        self.connection
            .prepare_cached(
                "INSERT INTO antrean_patient (facility, card, norm) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (facility, card) DO UPDATE SET norm = excluded.norm",
            )?
            .execute(params![facility, card, sealed])?;
        Ok(())
    }

    fn register(self, new: &NewRegistration) -> Result<Registered, StoreError> {
        let card = self.antrean_card(&new.facility, &new.card);
        let known: bool = self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM antrean_patient WHERE facility = ?1 AND card = ?2)")?
            .query_row([&new.facility, &card], |row| row.get(0))?;
        if known {
            return Ok(Registered::Known);
        }
        let mut waiting = self.connection.prepare_cached(
            "SELECT id FROM antrean_registration WHERE facility = ?1 AND card = ?2 AND state = 'waiting'",
        )?;
        let there: Option<String> = waiting.query_row([&new.facility, &card], |row| row.get(0)).optional()?;
        let id = there.as_ref().unwrap_or(&new.id);
        let body = self.seal(&new.facility, "registration.body", id, new.body.expose())?;
        match &there {
            Some(id) => {
                // The same again, word for word, is no news for the SIM.
                let before = self.registration(id)?.and_then(|row| row.body);
                if before.as_ref() == Some(&new.body) {
                    return Ok(Registered::Again);
                }
                self.connection
                    .prepare_cached("UPDATE antrean_registration SET body = ?2, updated_at = ?3 WHERE id = ?1")?
                    .execute(params![id, body, millis(new.now)])?
            }
            None => self
                .connection
                .prepare_cached(
                    "INSERT INTO antrean_registration (id, facility, card, state, body, asked_at, updated_at) \
                     VALUES (?1, ?2, ?3, 'waiting', ?4, ?5, ?5)",
                )?
                .execute(params![id, new.facility, card, body, millis(new.now)])?,
        };
        self.antrean_change("registration", id, &new.facility, new.now)?;
        Ok(if there.is_some() { Registered::Again } else { Registered::New })
    }

    fn answer_registration(
        self,
        id: &str,
        answer: &Result<Private<String>, Private<String>>,
        now: Timestamp,
    ) -> Result<Option<Registration>, StoreError> {
        let Some(row) = self.registration(id)? else { return Ok(None) };
        let mut statement = self.connection.prepare_cached("SELECT card FROM antrean_registration WHERE id = ?1")?;
        let Some(card) = statement.query_row([id], |row| row.get::<_, Option<String>>(0))? else { return Ok(None) };
        let (state, text) = match answer {
            Ok(norm) => {
                self.put_patient(&row.facility, &card, norm)?;
                (RegistrationState::Accepted, norm)
            }
            Err(why) => (RegistrationState::Refused, why),
        };
        let sealed = self.seal(&row.facility, "registration.answer", id, text.expose())?;
        self.connection
            .prepare_cached("UPDATE antrean_registration SET state = ?2, answer = ?3, updated_at = ?4 WHERE id = ?1")?
            .execute(params![id, state.word(), sealed, millis(now)])?;
        self.antrean_change("registration", id, &row.facility, now)?;
        Ok(Some(Registration { state, answer: Some(text.clone()), updated_at: now, ..row }))
    }

    pub(super) fn registration(self, id: &str) -> Result<Option<Registration>, StoreError> {
        let sql = format!("SELECT {REGISTRATION} FROM antrean_registration WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_row([id], |row| Ok(self.registration_of(row))).optional()?;
        found.transpose()
    }

    fn registrations(
        self,
        facilities: &[String],
        state: Option<RegistrationState>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page<Registration>, StoreError> {
        let mut filter = Where::default();
        filter.one_of("facility", facilities);
        if let Some(state) = state {
            filter.and("state = ?", state.word().to_owned());
        }
        if let Some(after) = after {
            filter.and("seq > ?", after);
        }
        let sql = format!("SELECT {REGISTRATION} FROM antrean_registration {} ORDER BY seq LIMIT ?", filter.sql());
        filter.values.push(one_more(limit).into());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(filter.values), |row| Ok(self.registration_of(row)))?;
        let items = rows.map(|row| row?).collect::<Result<Vec<_>, StoreError>>()?;
        Ok(page(items, limit, |row| row.seq))
    }

    fn registration_of(self, row: &Row<'_>) -> Result<Registration, StoreError> {
        let (id, facility): (String, String) = (row.get("id")?, row.get("facility")?);
        let body = self.unseal::<Value>(&facility, "registration.body", &id, row.get("body")?)?;
        let answer = self.unseal::<String>(&facility, "registration.answer", &id, row.get("answer")?)?;
        Ok(Registration {
            seq: row.get("seq")?,
            state: row.get::<_, Word<_>>("state")?.0,
            body: body.map(Private::new),
            answer: answer.map(Private::new),
            asked_at: row.get::<_, Millis>("asked_at")?.0,
            updated_at: row.get::<_, Millis>("updated_at")?.0,
            id,
            facility,
        })
    }
}

#[async_trait]
impl AntreanStore for SqliteStore {
    async fn set_sessions(&self, facility: &str, days: Vec<Date>, sessions: Vec<Session>) -> Result<i64, StoreError> {
        let facility = facility.to_owned();
        self.write(move |tx| tx.set_sessions(&facility, &days, &sessions)).await
    }

    async fn queues(&self, facility: &str, poli: Option<&str>, from: Date, to: Date) -> Result<Vec<Queue>, StoreError> {
        let (facility, poli) = (facility.to_owned(), poli.map(str::to_owned));
        self.read(move |tx| tx.queues(&facility, poli.as_deref(), from, to)).await
    }

    async fn poli_known(&self, facility: &str, poli: &str) -> Result<bool, StoreError> {
        let (facility, poli) = (facility.to_owned(), poli.to_owned());
        self.read(move |tx| tx.poli_known(&facility, &poli)).await
    }

    async fn book(&self, ask: BookAsk) -> Result<Booked, StoreError> {
        self.write(move |tx| tx.book(&ask)).await
    }

    async fn place(
        &self,
        facility: &str,
        card: Private<String>,
        poli: &str,
        day: Date,
    ) -> Result<Option<Place>, StoreError> {
        let (facility, poli) = (facility.to_owned(), poli.to_owned());
        self.read(move |tx| tx.place(&facility, &card, &poli, day)).await
    }

    async fn withdraw(
        &self,
        facility: &str,
        card: Private<String>,
        poli: &str,
        day: Date,
        reason: Option<Private<String>>,
        now: Timestamp,
    ) -> Result<Withdrawn, StoreError> {
        let (facility, poli) = (facility.to_owned(), poli.to_owned());
        self.write(move |tx| tx.withdraw(&facility, &card, &poli, day, reason.as_ref(), now)).await
    }

    async fn move_booking(&self, ask: MoveAsk) -> Result<Moved, StoreError> {
        self.write(move |tx| tx.move_booking(&ask)).await
    }

    async fn call_number(&self, ask: CallAsk) -> Result<CallDone, StoreError> {
        self.write(move |tx| tx.call_number(&ask)).await
    }

    async fn booking(&self, id: &str) -> Result<Option<Booking>, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| tx.booking(&id)).await
    }

    async fn bookings(&self, filter: BookingFilter) -> Result<Page<Booking>, StoreError> {
        self.read(move |tx| tx.bookings(&filter)).await
    }

    async fn put_patients(&self, facility: &str, patients: Vec<KnownPatient>) -> Result<(), StoreError> {
        let facility = facility.to_owned();
        self.write(move |tx| tx.put_patients(&facility, &patients)).await
    }

    async fn register(&self, new: NewRegistration) -> Result<Registered, StoreError> {
        self.write(move |tx| tx.register(&new)).await
    }

    async fn answer_registration(
        &self,
        id: &str,
        answer: Result<Private<String>, Private<String>>,
        now: Timestamp,
    ) -> Result<Option<Registration>, StoreError> {
        let id = id.to_owned();
        self.write(move |tx| tx.answer_registration(&id, &answer, now)).await
    }

    async fn registration(&self, id: &str) -> Result<Option<Registration>, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| tx.registration(&id)).await
    }

    async fn registrations(
        &self,
        facilities: &[String],
        state: Option<RegistrationState>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page<Registration>, StoreError> {
        let facilities = facilities.to_vec();
        self.read(move |tx| tx.registrations(&facilities, state, after, limit)).await
    }

    async fn feed(
        &self,
        facilities: &[String],
        kinds: FeedKinds,
        cursor: i64,
        limit: usize,
    ) -> Result<Vec<FeedRow>, StoreError> {
        let facilities = facilities.to_vec();
        self.read(move |tx| tx.feed(&facilities, kinds, cursor, limit)).await
    }

    async fn booking_counts(&self, days: Vec<(String, Date)>) -> Result<Vec<BookingCount>, StoreError> {
        self.read(move |tx| tx.booking_counts(&days)).await
    }

    async fn retire_antrean(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.write(move |tx| tx.retire_antrean(before, limit)).await
    }
}
