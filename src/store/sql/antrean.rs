//! The facility's queue of patients: sessions, numbers, bookings.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use serde_json::Value;

use super::Tx;
use super::db::{OptionalExtension, Row, ToSql, params};
use super::questions::{Where, one_more, page};
use super::rows::{Millis, Parsed, Word, millis};
use crate::queue::DeliveryId;
use crate::secret::Private;
use crate::store::antrean::{
    BookAsk, Booked, Booking, BookingCount, BookingFilter, BookingState, CallAsk, CallDone, FeedItem, FeedKinds,
    FeedRow, MoveAsk, Moved, NoNumber, Place, Queue, Session, Withdrawn, choose, may_move,
};
use crate::store::{Page, StoreError};

const BOOKING: &str = "seq, id, facility, day, poli, poli_name, doctor, doctor_name, hours, ref, number, label, \
                       origin, state, person, reason, booked_at, updated_at";

fn time_of(text: &str) -> Result<Time, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable("time of a session".to_owned()))
}

impl Tx<'_> {
    /// The keyed hash under which a card of a facility is found again.
    pub(super) fn antrean_card(self, facility: &str, card: &Private<String>) -> String {
        self.shared.sealer.index("antrean.card", &[facility, card.expose()])
    }

    // ---- sessions -----------------------------------------------------------------------------------------------

    pub(super) fn set_sessions(self, facility: &str, days: &[Date], sessions: &[Session]) -> Result<i64, StoreError> {
        let mut called = Vec::new();
        for day in days {
            let day = day.to_string();
            let mut old = self.connection.prepare_cached(
                "SELECT poli, doctor, hours, called FROM antrean_session WHERE facility = ?1 AND day = ?2 AND called IS NOT NULL",
            )?;
            let rows = old.query_map(params![facility, day], |row| {
                Ok((
                    day.clone(),
                    row.get::<_, String>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, String>(3)?,
                ))
            })?;
            called.extend(rows.collect::<Result<Vec<_>, _>>()?);
            self.connection
                .prepare_cached("DELETE FROM antrean_session WHERE facility = ?1 AND day = ?2")?
                .execute(params![facility, day])?;
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO antrean_session (facility, day, poli, doctor, hours, poli_name, doctor_name, quota, opens, \
             closes, prefix, remark) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        for session in sessions {
            insert.execute(params![
                facility,
                session.day.to_string(),
                session.poli,
                session.doctor,
                session.hours,
                session.poli_name,
                session.doctor_name,
                session.quota,
                session.opens.map(|time| time.to_string()),
                session.closes.to_string(),
                session.prefix,
                session.remark,
            ])?;
        }
        for (day, poli, doctor, hours, label) in called {
            self.show_called(facility, &day, &poli, doctor, &hours, &label)?;
        }
        let mut orphans = 0;
        for day in days {
            orphans += self
                .connection
                .prepare_cached(
                    "SELECT count(*) FROM antrean_booking b WHERE b.facility = ?1 AND b.day = ?2 \
                     AND b.state IN ('booked', 'called', 'absent') AND NOT EXISTS (SELECT 1 FROM antrean_session s \
                     WHERE s.facility = b.facility AND s.day = b.day AND s.poli = b.poli AND s.doctor = b.doctor \
                     AND s.hours = b.hours)",
                )?
                .query_row(params![facility, day.to_string()], |row| row.get::<_, i64>(0))?;
        }
        Ok(orphans)
    }

    fn show_called(
        self,
        facility: &str,
        day: &str,
        poli: &str,
        doctor: i64,
        hours: &str,
        label: &str,
    ) -> Result<usize, StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE antrean_session SET called = ?6 \
                 WHERE facility = ?1 AND day = ?2 AND poli = ?3 AND doctor = ?4 AND hours = ?5",
            )?
            .execute(params![facility, day, poli, doctor, hours, label])
    }

    pub(super) fn queues(
        self,
        facility: &str,
        poli: Option<&str>,
        from: Date,
        to: Date,
    ) -> Result<Vec<Queue>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT s.*, \
             (SELECT count(*) FROM antrean_booking b WHERE b.facility = s.facility AND b.day = s.day AND b.poli = s.poli \
              AND b.doctor = s.doctor AND b.hours = s.hours AND b.state <> 'cancelled') AS total, \
             (SELECT count(*) FROM antrean_booking b WHERE b.facility = s.facility AND b.day = s.day AND b.poli = s.poli \
              AND b.doctor = s.doctor AND b.hours = s.hours AND b.state = 'booked') AS waiting \
             FROM antrean_session s WHERE s.facility = ?1 AND (?2 IS NULL OR s.poli = ?2) AND s.day BETWEEN ?3 AND ?4 \
             ORDER BY s.day, s.poli, s.hours, s.doctor",
        )?;
        let values = params![facility, poli, from.to_string(), to.to_string()];
        let rows = statement.query_map(values, |row| Ok(queue_of(row)))?;
        rows.map(|row| row?).collect()
    }

    pub(super) fn poli_known(self, facility: &str, poli: &str) -> Result<bool, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM antrean_session WHERE facility = ?1 AND poli = ?2)")?;
        Ok(statement.query_row([facility, poli], |row| row.get(0))?)
    }

    // ---- numbers ------------------------------------------------------------------------------------------------

    pub(super) fn book(self, ask: &BookAsk) -> Result<Booked, StoreError> {
        let card = ask.card.as_ref().map(|card| self.antrean_card(&ask.facility, card));
        if let Some(there) = self.booked_before(ask, card.as_deref())? {
            return Ok(Booked::Repeat(Box::new(self.place_of(there)?)));
        }
        let queues = self.queues(&ask.facility, Some(&ask.poli), ask.day, ask.day)?;
        let known = !queues.is_empty() || self.poli_known(&ask.facility, &ask.poli)?;
        let session = match choose(&queues, ask, known) {
            Ok(queue) => &queue.session,
            Err(why) => return Ok(Booked::Refused(why)),
        };
        let mut norm = None;
        if let Some(card) = &card {
            norm = self.norm(&ask.facility, card)?;
            if norm.is_none()
                && ask.known_only
                && let Some(why) = self.stranger(&ask.facility, card)?
            {
                return Ok(Booked::Refused(why));
            }
        }
        let number = self.next_number(session)?;
        self.insert_booking(ask, session, card.as_deref(), norm, number)?;
        self.antrean_change("booking", &ask.id, &ask.facility, ask.now)?;
        let booking = self.booking(&ask.id)?.ok_or_else(|| StoreError::Unreadable("booking".to_owned()))?;
        Ok(Booked::New(Box::new(self.place_of(booking)?)))
    }

    fn booked_before(self, ask: &BookAsk, card: Option<&str>) -> Result<Option<Booking>, StoreError> {
        if let Some(reference) = &ask.reference {
            let by_reference = self.select_booking("facility = ?1 AND ref = ?2", &[&ask.facility, reference])?;
            if by_reference.is_some() {
                return Ok(by_reference);
            }
        }
        let Some(card) = card else { return Ok(None) };
        self.select_booking(
            "facility = ?1 AND card = ?2 AND poli = ?3 AND day = ?4 AND state <> 'cancelled'",
            &[&ask.facility, &card, &ask.poli, &ask.day.to_string()],
        )
    }

    /// Why a card that the SIM does not know gets no number; `None` while its registration waits.
    fn stranger(self, facility: &str, card: &str) -> Result<Option<NoNumber>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, state, answer FROM antrean_registration WHERE facility = ?1 AND card = ?2 \
             ORDER BY seq DESC LIMIT 1",
        )?;
        let found = statement
            .query_row([facility, card], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<Vec<u8>>>(2)?))
            })
            .optional()?;
        Ok(match found {
            Some((_, state, _)) if state == "waiting" => None,
            Some((id, state, answer)) if state == "refused" => {
                let said = self.unseal::<String>(facility, "registration.answer", &id, answer)?;
                Some(NoNumber::PatientRefused(Private::new(said.unwrap_or_default())))
            }
            Some(_) | None => Some(NoNumber::PatientUnknown),
        })
    }

    fn norm(self, facility: &str, card: &str) -> Result<Option<String>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT norm FROM antrean_patient WHERE facility = ?1 AND card = ?2")?;
        let sealed = statement.query_row([facility, card], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        self.unseal(facility, "norm", card, sealed)
    }

    fn next_number(self, session: &Session) -> Result<i64, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "INSERT INTO antrean_counter (facility, day, poli, prefix, last) VALUES (?1, ?2, ?3, ?4, 1) \
                 ON CONFLICT (facility, day, poli, prefix) DO UPDATE SET last = antrean_counter.last + 1 \
                 RETURNING last",
            )?
            .query_row(params![session.facility, session.day.to_string(), session.poli, session.prefix], |row| {
                row.get(0)
            })?)
    }

    fn insert_booking(
        self,
        ask: &BookAsk,
        session: &Session,
        card: Option<&str>,
        norm: Option<String>,
        number: i64,
    ) -> Result<(), StoreError> {
        let mut person = ask.person.expose().clone();
        if let (Some(norm), Some(map)) = (norm, person.as_object_mut()) {
            map.insert("norm".to_owned(), norm.into());
        }
        let person = self.seal(&ask.facility, "booking.person", &ask.id, &person)?;
        self.connection
            .prepare_cached(
                "INSERT INTO antrean_booking (id, facility, day, poli, poli_name, doctor, doctor_name, hours, card, ref, \
                 number, label, origin, state, person, booked_at, updated_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'booked', ?14, ?15, ?15)",
            )?
            .execute(params![
                ask.id,
                ask.facility,
                ask.day.to_string(),
                session.poli,
                session.poli_name,
                session.doctor,
                session.doctor_name,
                session.hours,
                card,
                ask.reference,
                number,
                format!("{}{number}", session.prefix),
                ask.origin.word(),
                person,
                millis(ask.now),
            ])?;
        Ok(())
    }

    pub(super) fn antrean_change(self, kind: &str, id: &str, facility: &str, at: Timestamp) -> Result<(), StoreError> {
        let sql = match kind {
            "booking" => "INSERT INTO change (booking, facility, at) VALUES (?1, ?2, ?3)",
            _registration => "INSERT INTO change (registration, facility, at) VALUES (?1, ?2, ?3)",
        };
        self.connection.prepare_cached(sql)?.execute(params![id, facility, millis(at)])?;
        Ok(())
    }

    // ---- places and changes of state ----------------------------------------------------------------------------

    fn place_of(self, booking: Booking) -> Result<Place, StoreError> {
        let queue = [&booking.facility, &booking.poli, &booking.hours];
        let day = booking.day.to_string();
        let ahead = match booking.state {
            BookingState::Booked => self
                .connection
                .prepare_cached(
                    "SELECT count(*) FROM antrean_booking WHERE facility = ?1 AND poli = ?2 AND hours = ?3 AND day = ?4 \
                     AND doctor = ?5 AND state = 'booked' AND seq < ?6",
                )?
                .query_row(params![queue[0], queue[1], queue[2], day, booking.doctor, booking.seq], |row| row.get(0))?,
            BookingState::Called | BookingState::Served | BookingState::Absent | BookingState::Cancelled => 0,
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT called, remark FROM antrean_session WHERE facility = ?1 AND poli = ?2 AND hours = ?3 AND day = ?4 \
             AND doctor = ?5",
        )?;
        let values = params![queue[0], queue[1], queue[2], day, booking.doctor];
        let shown = statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (called, remark) = shown.unwrap_or_default();
        Ok(Place { booking, ahead, called, remark })
    }

    pub(super) fn place(
        self,
        facility: &str,
        card: &Private<String>,
        poli: &str,
        day: Date,
    ) -> Result<Option<Place>, StoreError> {
        let found = self.select_booking(
            "facility = ?1 AND card = ?2 AND poli = ?3 AND day = ?4 AND state <> 'cancelled'",
            &[&facility, &self.antrean_card(facility, card), &poli, &day.to_string()],
        )?;
        found.map(|booking| self.place_of(booking)).transpose()
    }

    pub(super) fn withdraw(
        self,
        facility: &str,
        card: &Private<String>,
        poli: &str,
        day: Date,
        reason: Option<&Private<String>>,
        now: Timestamp,
    ) -> Result<Withdrawn, StoreError> {
        let newest = self.select_booking(
            "facility = ?1 AND card = ?2 AND poli = ?3 AND day = ?4 ORDER BY seq DESC LIMIT 1",
            &[&facility, &self.antrean_card(facility, card), &poli, &day.to_string()],
        )?;
        let Some(booking) = newest else { return Ok(Withdrawn::None) };
        match booking.state {
            BookingState::Booked => {}
            BookingState::Cancelled => return Ok(Withdrawn::Already),
            state @ (BookingState::Called | BookingState::Served | BookingState::Absent) => {
                return Ok(Withdrawn::Not(state));
            }
        }
        let moved = self.set_booking_state(booking, BookingState::Cancelled, reason, now)?;
        Ok(Withdrawn::Done(Box::new(moved)))
    }

    pub(super) fn move_booking(self, ask: &MoveAsk) -> Result<Moved, StoreError> {
        let Some(booking) = self.booking(&ask.id)? else { return Ok(Moved::None) };
        if !may_move(booking.state, ask.to) {
            return Ok(Moved::Not(booking.state));
        }
        if booking.state == ask.to {
            return Ok(Moved::Done(Box::new(booking)));
        }
        let moved = self.set_booking_state(booking, ask.to, ask.reason.as_ref(), ask.now)?;
        Ok(Moved::Done(Box::new(moved)))
    }

    fn set_booking_state(
        self,
        booking: Booking,
        to: BookingState,
        reason: Option<&Private<String>>,
        now: Timestamp,
    ) -> Result<Booking, StoreError> {
        let sealed = reason
            .map(|reason| self.seal(&booking.facility, "booking.reason", &booking.id, reason.expose()))
            .transpose()?;
        self.connection
            .prepare_cached(
                "UPDATE antrean_booking SET state = ?2, reason = coalesce(?3, reason), updated_at = ?4 WHERE id = ?1",
            )?
            .execute(params![booking.id, to.word(), sealed, millis(now)])?;
        self.antrean_change("booking", &booking.id, &booking.facility, now)?;
        let reason = reason.cloned().or(booking.reason);
        Ok(Booking { state: to, reason, updated_at: now, ..booking })
    }

    pub(super) fn call_number(self, ask: &CallAsk) -> Result<CallDone, StoreError> {
        let day = ask.day.to_string();
        let found = self.select_booking(
            "facility = ?1 AND day = ?2 AND poli = ?3 AND label = ?4",
            &[&ask.facility, &day, &ask.poli, &ask.label],
        )?;
        if let Some(booking) = found {
            if !may_move(booking.state, BookingState::Called) {
                return Ok(CallDone::Not(booking.state));
            }
            self.show_called(&ask.facility, &day, &ask.poli, booking.doctor, &booking.hours, &ask.label)?;
            let booking = if booking.state == BookingState::Called {
                booking
            } else {
                self.set_booking_state(booking, BookingState::Called, None, ask.now)?
            };
            return Ok(CallDone::Done(Some(Box::new(booking))));
        }
        // A number that the counter gave by itself: it is shown all the same.
        let queues = self.queues(&ask.facility, Some(&ask.poli), ask.day, ask.day)?;
        let fits = |queue: &&Queue| {
            ask.doctor.is_none_or(|doctor| doctor == queue.session.doctor)
                && ask.hours.as_ref().is_none_or(|hours| *hours == queue.session.hours)
        };
        let mut fitting = queues.iter().filter(fits);
        let (Some(queue), None) = (fitting.next(), fitting.next()) else { return Ok(CallDone::NoQueue) };
        self.show_called(&ask.facility, &day, &ask.poli, queue.session.doctor, &queue.session.hours, &ask.label)?;
        Ok(CallDone::Done(None))
    }

    // ---- questions ----------------------------------------------------------------------------------------------

    fn select_booking(self, rest: &str, values: &[&dyn ToSql]) -> Result<Option<Booking>, StoreError> {
        let sql = format!("SELECT {BOOKING} FROM antrean_booking WHERE {rest}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_row(values, |row| Ok(self.booking_of(row))).optional()?;
        found.transpose()
    }

    pub(super) fn booking(self, id: &str) -> Result<Option<Booking>, StoreError> {
        self.select_booking("id = ?1", &[&id])
    }

    pub(super) fn bookings(self, asked: &BookingFilter) -> Result<Page<Booking>, StoreError> {
        let mut filter = Where::default();
        filter.one_of("facility", &asked.facilities);
        if let Some((from, to)) = asked.days {
            filter.and("day >= ?", from.to_string());
            filter.and("day <= ?", to.to_string());
        }
        if let Some(poli) = &asked.poli {
            filter.and("poli = ?", poli.clone());
        }
        if let Some(state) = asked.state {
            filter.and("state = ?", state.word().to_owned());
        }
        if let Some(after) = asked.after {
            filter.and("seq > ?", after);
        }
        let sql = format!("SELECT {BOOKING} FROM antrean_booking {} ORDER BY seq LIMIT ?", filter.sql());
        filter.values.push(one_more(asked.limit).into());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(&filter.values, |row| Ok(self.booking_of(row)))?;
        let items = rows.map(|row| row?).collect::<Result<Vec<_>, StoreError>>()?;
        Ok(page(items, asked.limit, |booking| booking.seq))
    }

    fn booking_of(self, row: &Row<'_>) -> Result<Booking, StoreError> {
        let (id, facility): (String, String) = (row.get("id")?, row.get("facility")?);
        let person = self.unseal::<Value>(&facility, "booking.person", &id, row.get("person")?)?;
        let reason = self.unseal::<String>(&facility, "booking.reason", &id, row.get("reason")?)?;
        Ok(Booking {
            seq: row.get("seq")?,
            day: row.get::<_, Parsed<Date>>("day")?.0,
            poli: row.get("poli")?,
            poli_name: row.get("poli_name")?,
            doctor: row.get("doctor")?,
            doctor_name: row.get("doctor_name")?,
            hours: row.get("hours")?,
            reference: row.get("ref")?,
            number: row.get("number")?,
            label: row.get("label")?,
            origin: row.get::<_, Word<_>>("origin")?.0,
            state: row.get::<_, Word<_>>("state")?.0,
            person: person.map(Private::new),
            reason: reason.map(Private::new),
            booked_at: row.get::<_, Millis>("booked_at")?.0,
            updated_at: row.get::<_, Millis>("updated_at")?.0,
            id,
            facility,
        })
    }

    pub(super) fn feed(
        self,
        facilities: &[String],
        kinds: FeedKinds,
        cursor: i64,
        limit: usize,
    ) -> Result<Vec<FeedRow>, StoreError> {
        let mut filter = Where::default();
        let clause = match (kinds.deliveries, kinds.antrean) {
            (true, true) => "cursor > ?",
            (true, false) => "delivery IS NOT NULL AND cursor > ?",
            (false, true) => "delivery IS NULL AND cursor > ?",
            (false, false) => return Ok(Vec::new()),
        };
        filter.and(clause, cursor);
        filter.one_of("facility", facilities);
        let sql = format!(
            "SELECT cursor, delivery, booking, registration, at FROM change {} ORDER BY cursor LIMIT ?",
            filter.sql()
        );
        filter.values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(&filter.values, |row| {
            let delivery = row.get::<_, Option<Parsed<DeliveryId>>>(1)?.map(|id| id.0);
            let names = (delivery, row.get::<_, Option<String>>(2)?, row.get::<_, Option<String>>(3)?);
            Ok((row.get::<_, i64>(0)?, names, row.get::<_, Millis>(4)?.0))
        })?;
        let mut feed = Vec::new();
        for row in rows {
            let (cursor, names, at) = row?;
            let what = match names {
                (Some(id), _, _) => self.delivery(id)?.map(|one| FeedItem::Delivery(Box::new(one))),
                (None, Some(id), _) => self.booking(&id)?.map(|one| FeedItem::Booking(Box::new(one))),
                (None, None, Some(id)) => self.registration(&id)?.map(|one| FeedItem::Registration(Box::new(one))),
                (None, None, None) => None,
            };
            feed.extend(what.map(|what| FeedRow { cursor, at, what }));
        }
        Ok(feed)
    }

    pub(super) fn booking_counts(self, days: &[(String, Date)]) -> Result<Vec<BookingCount>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT state, count(*) FROM antrean_booking WHERE facility = ?1 AND day = ?2 GROUP BY state ORDER BY state",
        )?;
        let mut counts = Vec::new();
        for (facility, day) in days {
            let rows = statement.query_map(params![facility, day.to_string()], |row| {
                Ok(BookingCount { facility: facility.clone(), state: row.get::<_, Word<_>>(0)?.0, count: row.get(1)? })
            })?;
            for row in rows {
                counts.push(row?);
            }
        }
        Ok(counts)
    }

    pub(super) fn retire_antrean(self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let day = before.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        let bookings = self
            .connection
            .prepare_cached(
                "UPDATE antrean_booking SET person = NULL, reason = NULL, card = NULL WHERE seq IN \
                 (SELECT seq FROM antrean_booking WHERE day < ?1 AND person IS NOT NULL LIMIT ?2)",
            )?
            .execute(params![day, limit])?;
        let registrations = self
            .connection
            .prepare_cached(
                "UPDATE antrean_registration SET body = NULL, answer = NULL, card = NULL WHERE seq IN \
                 (SELECT seq FROM antrean_registration WHERE updated_at < ?1 \
                 AND body IS NOT NULL LIMIT ?2)",
            )?
            .execute(params![millis(before), limit])?;
        Ok(bookings + registrations)
    }
}

fn queue_of(row: &Row<'_>) -> Result<Queue, StoreError> {
    let (opens, closes): (Option<String>, String) = (row.get("opens")?, row.get("closes")?);
    Ok(Queue {
        session: Session {
            facility: row.get("facility")?,
            day: row.get::<_, Parsed<Date>>("day")?.0,
            poli: row.get("poli")?,
            poli_name: row.get("poli_name")?,
            doctor: row.get("doctor")?,
            doctor_name: row.get("doctor_name")?,
            hours: row.get("hours")?,
            quota: row.get("quota")?,
            opens: opens.as_deref().map(time_of).transpose()?,
            closes: time_of(&closes)?,
            prefix: row.get("prefix")?,
            remark: row.get("remark")?,
        },
        total: row.get("total")?,
        waiting: row.get("waiting")?,
        called: row.get("called")?,
    })
}
