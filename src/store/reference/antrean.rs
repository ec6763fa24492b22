//! The facility's queue of patients: sessions, numbers, bookings, registrations.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::questions::{among, page};
use super::state::{ChangeRow, Changed, SessionKey, State};
use crate::secret::Private;
use crate::store::antrean::{
    BookAsk, Booked, Booking, BookingCount, BookingFilter, BookingState, CallAsk, CallDone, KnownPatient, MoveAsk,
    Moved, NewRegistration, NoNumber, Place, Queue, Registered, Registration, RegistrationState, Session, Withdrawn,
    choose, may_move,
};
use crate::store::{Page, StoreError};

fn key_of(session: &Session) -> SessionKey {
    (session.facility.clone(), session.day, session.poli.clone(), session.doctor, session.hours.clone())
}

fn session_of(booking: &Booking) -> SessionKey {
    (booking.facility.clone(), booking.day, booking.poli.clone(), booking.doctor, booking.hours.clone())
}

impl State {
    // ---- sessions -----------------------------------------------------------------------------------------------

    pub(super) fn set_sessions(
        &mut self,
        facility: &str,
        days: &[Date],
        sessions: &[Session],
    ) -> Result<i64, StoreError> {
        let old = self.sessions.clone();
        self.sessions.retain(|(place, day, ..), _| place != facility || !days.contains(day));
        for session in sessions {
            let session = Session { facility: facility.to_owned(), ..session.clone() };
            let key = key_of(&session);
            if self.sessions.has(&key) || session.quota < 0 {
                return Err(StoreError::Database("a session twice, or a negative quota".to_owned()));
            }
            let called = old.get(&key).and_then(|(_, called)| called.clone());
            self.sessions.put(key, (session, called));
        }
        let mut orphans = 0;
        for day in days {
            let left = self.bookings.values().map(|(booking, _)| booking).filter(|booking| {
                let expected =
                    matches!(booking.state, BookingState::Booked | BookingState::Called | BookingState::Absent);
                booking.facility == facility
                    && booking.day == *day
                    && expected
                    && !self.sessions.has(&session_of(booking))
            });
            orphans += i64::try_from(left.count()).unwrap_or(i64::MAX);
        }
        Ok(orphans)
    }

    pub(super) fn queues(&self, facility: &str, poli: Option<&str>, from: Date, to: Date) -> Vec<Queue> {
        let wanted = self.sessions.values().filter(|(session, _)| {
            session.facility == facility
                && poli.is_none_or(|poli| session.poli == poli)
                && from <= session.day
                && session.day <= to
        });
        let count = |session: &Session, fits: fn(BookingState) -> bool| {
            let own = self.bookings.values().filter(|(one, _)| session_of(one) == key_of(session) && fits(one.state));
            i64::try_from(own.count()).unwrap_or(i64::MAX)
        };
        let mut queues: Vec<Queue> = wanted
            .map(|(session, called)| Queue {
                session: session.clone(),
                total: count(session, |state| state != BookingState::Cancelled),
                waiting: count(session, |state| state == BookingState::Booked),
                called: called.clone(),
            })
            .collect();
        queues.sort_by(|a, b| {
            let order = |queue: &Queue| {
                let session = &queue.session;
                (session.day, session.poli.clone(), session.hours.clone(), session.doctor)
            };
            order(a).cmp(&order(b))
        });
        queues
    }

    pub(super) fn poli_known(&self, facility: &str, poli: &str) -> bool {
        self.sessions.values().any(|(session, _)| session.facility == facility && session.poli == poli)
    }

    // ---- numbers ------------------------------------------------------------------------------------------------

    pub(super) fn book(&mut self, ask: &BookAsk) -> Result<Booked, StoreError> {
        let card = ask.card.as_ref().map(|card| card.expose().clone());
        if let Some(there) = self.booked_before(ask, card.as_ref()) {
            return Ok(Booked::Repeat(Box::new(self.place_of(there))));
        }
        let queues = self.queues(&ask.facility, Some(&ask.poli), ask.day, ask.day);
        let session = match choose(&queues, ask, self.poli_known(&ask.facility, &ask.poli)) {
            Ok(queue) => queue.session.clone(),
            Err(why) => return Ok(Booked::Refused(why)),
        };
        let patient = card.as_ref().map(|card| (ask.facility.clone(), card.clone()));
        let norm = patient.as_ref().and_then(|patient| self.patients.get(patient)).cloned();
        if let Some(card) = &card
            && norm.is_none()
            && ask.known_only
            && let Some(why) = self.stranger(&ask.facility, card)
        {
            return Ok(Booked::Refused(why));
        }
        if self.bookings.values().any(|(one, _)| one.id == ask.id) {
            return Err(StoreError::Database("the id of a booking twice".to_owned()));
        }
        let booking = self.new_booking(ask, &session, norm);
        let number = self.bookings.add((booking.clone(), card));
        self.changes.add(ChangeRow { facility: ask.facility.clone(), at: ask.now, what: Changed::Booking(number) });
        Ok(Booked::New(Box::new(self.place_of(booking))))
    }

    fn new_booking(&mut self, ask: &BookAsk, session: &Session, norm: Option<String>) -> Booking {
        let counter = (ask.facility.clone(), ask.day, session.poli.clone(), session.prefix.clone());
        let number = self.counters.get(&counter).copied().unwrap_or(0) + 1;
        self.counters.put(counter, number);
        let mut person = ask.person.expose().clone();
        if let (Some(norm), Some(map)) = (norm, person.as_object_mut()) {
            map.insert("norm".to_owned(), norm.into());
        }
        Booking {
            seq: self.bookings.next(),
            id: ask.id.clone(),
            facility: ask.facility.clone(),
            day: ask.day,
            poli: session.poli.clone(),
            poli_name: session.poli_name.clone(),
            doctor: session.doctor,
            doctor_name: session.doctor_name.clone(),
            hours: session.hours.clone(),
            reference: ask.reference.clone(),
            number,
            label: format!("{}{number}", session.prefix),
            origin: ask.origin,
            state: BookingState::Booked,
            person: Some(Private::new(person)),
            reason: None,
            booked_at: ask.now,
            updated_at: ask.now,
        }
    }

    fn booked_before(&self, ask: &BookAsk, card: Option<&String>) -> Option<Booking> {
        let here = || self.bookings.values().filter(|(one, _)| one.facility == ask.facility);
        let by_reference = here().find(|(one, _)| ask.reference.is_some() && one.reference == ask.reference);
        let same_card = |(one, own): &&(Booking, Option<String>)| {
            own.is_some()
                && own.as_ref() == card
                && one.poli == ask.poli
                && one.day == ask.day
                && one.state != BookingState::Cancelled
        };
        by_reference.or_else(|| here().find(same_card)).map(|(one, _)| one.clone())
    }

    /// Why a card that the SIM does not know gets no number; `None` while its registration waits.
    fn stranger(&self, facility: &str, card: &str) -> Option<NoNumber> {
        let own =
            |(row, own): &&(Registration, Option<String>)| row.facility == facility && own.as_deref() == Some(card);
        let newest = self.registrations.values().rfind(own).map(|(row, _)| row);
        match newest.map(|row| (row.state, row.answer.clone())) {
            Some((RegistrationState::Waiting, _)) => None,
            Some((RegistrationState::Refused, why)) => Some(NoNumber::PatientRefused(why.unwrap_or_default())),
            Some((RegistrationState::Accepted, _)) | None => Some(NoNumber::PatientUnknown),
        }
    }

    fn place_of(&self, booking: Booking) -> Place {
        let before = self.bookings.values().map(|(one, _)| one).filter(|one| {
            session_of(one) == session_of(&booking) && one.state == BookingState::Booked && one.seq < booking.seq
        });
        let waits = booking.state == BookingState::Booked;
        let ahead = if waits { i64::try_from(before.count()).unwrap_or(i64::MAX) } else { 0 };
        let shown = self.sessions.get(&session_of(&booking));
        let (called, remark) =
            shown.map(|(session, called)| (called.clone(), session.remark.clone())).unwrap_or_default();
        Place { booking, ahead, called, remark }
    }

    /// The bookings of a card in a poli on a day, oldest first.
    fn of_card<'a>(
        &'a self,
        facility: &'a str,
        card: &'a str,
        poli: &'a str,
        day: Date,
    ) -> impl DoubleEndedIterator<Item = &'a Booking> {
        let own = self.bookings.values().filter(move |(one, own)| {
            one.facility == facility && own.as_deref() == Some(card) && one.poli == poli && one.day == day
        });
        own.map(|(one, _)| one)
    }

    pub(super) fn place(&self, facility: &str, card: &str, poli: &str, day: Date) -> Option<Place> {
        let mut own = self.of_card(facility, card, poli, day);
        own.find(|one| one.state != BookingState::Cancelled).map(|one| self.place_of(one.clone()))
    }

    pub(super) fn withdraw(
        &mut self,
        facility: &str,
        card: &str,
        poli: &str,
        day: Date,
        reason: Option<&Private<String>>,
        now: Timestamp,
    ) -> Withdrawn {
        let newest = self.of_card(facility, card, poli, day).next_back();
        let Some((number, state)) = newest.map(|one| (one.seq, one.state)) else { return Withdrawn::None };
        match state {
            BookingState::Booked => self
                .set_booking(number, BookingState::Cancelled, reason, now)
                .map_or(Withdrawn::None, |one| Withdrawn::Done(Box::new(one))),
            BookingState::Cancelled => Withdrawn::Already,
            BookingState::Called | BookingState::Served | BookingState::Absent => Withdrawn::Not(state),
        }
    }

    pub(super) fn move_booking(&mut self, ask: &MoveAsk) -> Moved {
        let Some(booking) = self.booking(&ask.id) else { return Moved::None };
        if !may_move(booking.state, ask.to) {
            return Moved::Not(booking.state);
        }
        if booking.state == ask.to {
            return Moved::Done(Box::new(booking));
        }
        let moved = self.set_booking(booking.seq, ask.to, ask.reason.as_ref(), ask.now);
        moved.map_or(Moved::None, |one| Moved::Done(Box::new(one)))
    }

    fn set_booking(
        &mut self,
        number: i64,
        to: BookingState,
        reason: Option<&Private<String>>,
        now: Timestamp,
    ) -> Option<Booking> {
        self.bookings.change(&number, |(one, _)| {
            (one.state, one.updated_at) = (to, now);
            one.reason = reason.cloned().or(one.reason.take());
        });
        let booking = self.bookings.get(&number).map(|(one, _)| one.clone())?;
        let facility = booking.facility.clone();
        self.changes.add(ChangeRow { facility, at: now, what: Changed::Booking(number) });
        Some(booking)
    }

    pub(super) fn call_number(&mut self, ask: &CallAsk) -> CallDone {
        let is_it = |one: &&Booking| {
            one.facility == ask.facility && one.day == ask.day && one.poli == ask.poli && one.label == ask.label
        };
        let found = self.bookings.values().map(|(one, _)| one).find(is_it).cloned();
        let Some(booking) = found else { return self.call_foreign(ask) };
        if !may_move(booking.state, BookingState::Called) {
            return CallDone::Not(booking.state);
        }
        self.sessions.change(&session_of(&booking), |(_, called)| *called = Some(ask.label.clone()));
        if booking.state == BookingState::Called {
            return CallDone::Done(Some(Box::new(booking)));
        }
        CallDone::Done(self.set_booking(booking.seq, BookingState::Called, None, ask.now).map(Box::new))
    }

    /// A number that the counter gave by itself: it is shown all the same, if it is clear in which queue.
    fn call_foreign(&mut self, ask: &CallAsk) -> CallDone {
        let queues = self.queues(&ask.facility, Some(&ask.poli), ask.day, ask.day);
        let fitting: Vec<&Queue> = queues
            .iter()
            .filter(|queue| ask.doctor.is_none_or(|doctor| doctor == queue.session.doctor))
            .filter(|queue| ask.hours.as_ref().is_none_or(|hours| *hours == queue.session.hours))
            .collect();
        let [only] = fitting[..] else { return CallDone::NoQueue };
        self.sessions.change(&key_of(&only.session), |(_, called)| *called = Some(ask.label.clone()));
        CallDone::Done(None)
    }

    pub(super) fn booking(&self, id: &str) -> Option<Booking> {
        self.bookings.values().map(|(one, _)| one).find(|one| one.id == id).cloned()
    }

    pub(super) fn bookings(&self, asked: &BookingFilter) -> Page<Booking> {
        let wanted = self.bookings.values().map(|(one, _)| one).filter(|one| {
            among(&asked.facilities, &one.facility)
                && asked.days.is_none_or(|(from, to)| from <= one.day && one.day <= to)
                && asked.poli.as_ref().is_none_or(|poli| one.poli == *poli)
                && asked.state.is_none_or(|state| one.state == state)
        });
        page(wanted.cloned(), |one| one.seq, asked.after, asked.limit)
    }

    pub(super) fn booking_counts(&self, days: &[(String, Date)]) -> Vec<BookingCount> {
        let mut counts = Vec::new();
        let mut states = BookingState::ALL.to_vec();
        states.sort_by_key(|state| state.word());
        for (facility, day) in days {
            for &state in &states {
                let own = self.bookings.values().map(|(one, _)| one);
                let own = own.filter(|one| one.facility == *facility && one.day == *day && one.state == state);
                let count = i64::try_from(own.count()).unwrap_or(i64::MAX);
                counts.extend((count > 0).then(|| BookingCount { facility: facility.clone(), state, count }));
            }
        }
        counts
    }

    // ---- patients -----------------------------------------------------------------------------------------------

    pub(super) fn put_patients(&mut self, facility: &str, patients: &[KnownPatient]) {
        for (card, norm) in patients {
            let key = (facility.to_owned(), card.expose().clone());
            match norm {
                Some(norm) => self.patients.put(key, norm.expose().clone()),
                None => drop(self.patients.remove(&key)),
            }
        }
    }

    pub(super) fn register(&mut self, new: &NewRegistration) -> Result<Registered, StoreError> {
        let card = new.card.expose();
        if self.patients.has(&(new.facility.clone(), card.clone())) {
            return Ok(Registered::Known);
        }
        let waits = |(row, own): &&(Registration, Option<String>)| {
            row.facility == new.facility && own.as_ref() == Some(card) && row.state == RegistrationState::Waiting
        };
        let there = self.registrations.values().find(waits).map(|(row, _)| (row.seq, row.body.clone()));
        let (number, done) = match there {
            // The same again, word for word, is no news for the SIM.
            Some((_, body)) if body.as_ref() == Some(&new.body) => return Ok(Registered::Again),
            Some((number, _)) => {
                self.registrations.change(&number, |(row, _)| {
                    (row.body, row.updated_at) = (Some(new.body.clone()), new.now);
                });
                (number, Registered::Again)
            }
            None => {
                if self.registrations.values().any(|(row, _)| row.id == new.id) {
                    return Err(StoreError::Database("the id of a registration twice".to_owned()));
                }
                let row = Registration {
                    seq: self.registrations.next(),
                    id: new.id.clone(),
                    facility: new.facility.clone(),
                    state: RegistrationState::Waiting,
                    body: Some(new.body.clone()),
                    answer: None,
                    asked_at: new.now,
                    updated_at: new.now,
                };
                (self.registrations.add((row, Some(card.clone()))), Registered::New)
            }
        };
        self.changes.add(ChangeRow {
            facility: new.facility.clone(),
            at: new.now,
            what: Changed::Registration(number),
        });
        Ok(done)
    }

    pub(super) fn answer_registration(
        &mut self,
        id: &str,
        answer: &Result<Private<String>, Private<String>>,
        now: Timestamp,
    ) -> Option<Registration> {
        let (row, card) = self.registrations.values().find(|(row, _)| row.id == id)?.clone();
        let (number, patient) = (row.seq, (row.facility.clone(), card?));
        let (state, text) = match answer {
            Ok(norm) => {
                self.patients.put(patient, norm.expose().clone());
                (RegistrationState::Accepted, norm.clone())
            }
            Err(why) => (RegistrationState::Refused, why.clone()),
        };
        self.registrations.change(&number, |(row, _)| {
            (row.state, row.answer, row.updated_at) = (state, Some(text), now);
        });
        self.changes.add(ChangeRow { facility: row.facility, at: now, what: Changed::Registration(number) });
        self.registration(id)
    }

    pub(super) fn registration(&self, id: &str) -> Option<Registration> {
        self.registrations.values().find(|(row, _)| row.id == id).map(|(row, _)| row.clone())
    }

    pub(super) fn registrations(
        &self,
        facilities: &[String],
        state: Option<RegistrationState>,
        after: Option<i64>,
        limit: usize,
    ) -> Page<Registration> {
        let wanted = self.registrations.values().map(|(row, _)| row);
        let wanted =
            wanted.filter(|row| among(facilities, &row.facility) && state.is_none_or(|state| row.state == state));
        page(wanted.cloned(), |row| row.seq, after, limit)
    }

    pub(super) fn retire_antrean(&mut self, before: Timestamp, limit: usize) -> usize {
        let day = before.to_zoned(TimeZone::UTC).date();
        let bookings = self.bookings.iter().filter(|(_, (one, _))| one.day < day && one.person.is_some());
        let bookings: Vec<i64> = bookings.map(|(number, _)| *number).take(limit).collect();
        let rows = self.registrations.iter().filter(|(_, (row, _))| row.updated_at < before && row.body.is_some());
        let rows: Vec<i64> = rows.map(|(number, _)| *number).take(limit).collect();
        for number in &bookings {
            self.bookings.change(number, |(one, card)| (one.person, one.reason, *card) = (None, None, None));
        }
        for number in &rows {
            self.registrations.change(number, |(row, card)| (row.body, row.answer, *card) = (None, None, None));
        }
        bookings.len() + rows.len()
    }
}
