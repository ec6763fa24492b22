//! Which attempts of a lane are in flight, and until when each must have landed.
//!
//! Every attempt has time limits of its own, below its lease. One that outlives its lease hangs in a place that has none:
//! the lane's loop still turns, but the slot is lost, so the loop stops beating and the watchdog tells. What it does not
//! do: end the attempt (its lease runs out by itself, and the entry is looked up).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// The attempts in flight, by a number of their own.
#[derive(Debug, Clone, Default)]
pub(super) struct Flights(Arc<Mutex<(u64, BTreeMap<u64, Timestamp>)>>);

/// One of them; it has landed when this is dropped, however it ended.
#[derive(Debug)]
pub(super) struct Flight {
    flights: Flights,
    number: u64,
}

impl Flights {
    /// One more, whose lease runs until then.
    pub(super) fn board(&self, until: Timestamp) -> Flight {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 = all.0.wrapping_add(1);
        let number = all.0;
        all.1.insert(number, until);
        Flight { flights: self.clone(), number }
    }

    /// Whether none has outlived its lease.
    pub(super) fn all_in_time(&self, now: Timestamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.values().all(|until| now <= *until)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_outlives_its_lease_is_seen_until_it_lands() {
        let (flights, now) = (Flights::default(), Timestamp::UNIX_EPOCH);
        let later = |seconds| now + jiff::SignedDuration::from_secs(seconds);
        assert!(flights.all_in_time(now));
        let hung = flights.board(later(65));
        let quick = flights.board(later(70));
        drop(quick);
        assert!(flights.all_in_time(later(65)) && !flights.all_in_time(later(66)));
        drop(hung);
        assert!(flights.all_in_time(later(1000)));
    }
}
