//! Who gets a number, and which way a booking may go. Pure.

use jiff::Timestamp;

use super::{BookAsk, BookingState, NoNumber, Origin, Queue};

/// A time-ordered id (UUIDv7) from the instant and ten bytes of chance.
#[must_use]
pub fn antrean_id(at: Timestamp, chance: &[u8; 10]) -> String {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, chance).into_uuid().to_string()
}

/// The queue that gives the number, of all `queues` of the poli on that day; or why none does. Where the patient did not
/// say which doctor, the first queue that still gives numbers does. Pure.
///
/// # Errors
/// Why no number is given.
pub fn choose<'q>(queues: &'q [Queue], ask: &BookAsk, poli_known: bool) -> Result<&'q Queue, NoNumber> {
    if ask.day < ask.local.date() {
        return Err(NoNumber::Past);
    }
    if queues.is_empty() {
        return Err(if poli_known { NoNumber::Closed } else { NoNumber::PoliUnknown });
    }
    let of_doctor = |queue: &&Queue| ask.doctor.is_none_or(|doctor| doctor == queue.session.doctor);
    if !queues.iter().any(|queue| of_doctor(&queue)) {
        return Err(NoNumber::DoctorUnknown);
    }
    let at_hours = |queue: &&Queue| ask.hours.as_ref().is_none_or(|hours| *hours == queue.session.hours);
    let wanted = queues.iter().filter(of_doctor).filter(at_hours);
    let mut why = NoNumber::HoursUnknown;
    for queue in wanted {
        match obstacle(queue, ask) {
            None => return Ok(queue),
            Some(obstacle) => why = obstacle,
        }
    }
    Err(why)
}

fn obstacle(queue: &Queue, ask: &BookAsk) -> Option<NoNumber> {
    let session = &queue.session;
    // The counter may still take somebody in; who books from home may not.
    let timed = ask.day == ask.local.date() && ask.origin == Origin::MobileJkn;
    if timed && session.opens.is_some_and(|opens| ask.local.time() < opens) {
        return Some(NoNumber::Closed);
    }
    if timed && ask.local.time() > session.closes {
        return Some(NoNumber::ClosedAt(session.poli_name.clone(), session.closes));
    }
    (queue.total >= session.quota).then_some(NoNumber::Full)
}

/// Whether the SIM may move a booking from one state to another.
#[must_use]
pub const fn may_move(from: BookingState, to: BookingState) -> bool {
    use BookingState::{Absent, Booked, Called, Cancelled, Served};
    match (from, to) {
        (Booked | Called | Absent, Booked | Called | Served | Absent | Cancelled)
        | (Served, Served | Called)
        | (Cancelled, Cancelled) => true,
        (Served, Booked | Absent | Cancelled) | (Cancelled, Booked | Called | Served | Absent) => false,
    }
}
