//! Whom the SIM knows, and who wants to be known: record numbers by card, registrations.

use jiff::Timestamp;
use serde_json::Value;

use super::Tx;
use super::db::{OptionalExtension, Row, params};
use super::questions::{Where, one_more, page};
use super::rows::{Millis, Word, millis};
use crate::secret::Private;
use crate::store::antrean::{KnownPatient, NewRegistration, Registered, Registration, RegistrationState};
use crate::store::{Page, StoreError};

const REGISTRATION: &str = "seq, id, facility, state, body, answer, asked_at, updated_at";

impl Tx<'_> {
    pub(super) fn put_patients(self, facility: &str, patients: &[KnownPatient]) -> Result<(), StoreError> {
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

    pub(super) fn register(self, new: &NewRegistration) -> Result<Registered, StoreError> {
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

    pub(super) fn answer_registration(
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

    pub(super) fn registrations(
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
        let rows = statement.query_map(&filter.values, |row| Ok(self.registration_of(row)))?;
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
