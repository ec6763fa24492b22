//! A bucket of tokens per client, so that a loop gone wild in one SIM does not starve the others.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::problem::{Kind, Problem};

/// How many requests a client may make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// In the long run.
    pub per_second: f64,
    /// At once.
    pub burst: f64,
}

/// Fifty a second, two hundred at once: a puskesmas's day in a minute.
pub const RATE: Rate = Rate { per_second: 50.0, burst: 200.0 };

/// The buckets of all clients. Only authenticated names have one, so there are few.
#[derive(Debug)]
pub struct Rates {
    rate: Rate,
    buckets: Mutex<HashMap<String, (f64, Timestamp)>>,
}

impl Default for Rates {
    fn default() -> Self {
        Self::new(RATE)
    }
}

impl Rates {
    /// Full buckets of this size.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes one token of `client`.
    pub(super) fn take(&self, client: &str, now: Timestamp) -> Result<(), Problem> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (level, at) = buckets.get(client).copied().unwrap_or((self.rate.burst, now));
        let passed = now.duration_since(at).as_secs_f64().max(0.0);
        let level = passed.mul_add(self.rate.per_second, level).min(self.rate.burst);
        let enough = level >= 1.0;
        buckets.insert(client.to_owned(), (if enough { level - 1.0 } else { level }, now));
        if enough {
            return Ok(());
        }
        Err(Problem::new(Kind::TooMany, "Terlalu banyak permintaan dari klien ini; tunggu sebentar.").after(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_empty_bucket_fills_again_and_belongs_to_one_client() {
        let rates = Rates::new(Rate { per_second: 1.0, burst: 2.0 });
        let start = Timestamp::UNIX_EPOCH;
        assert!(rates.take("a", start).is_ok() && rates.take("a", start).is_ok());
        let refused = rates.take("a", start).unwrap_err();
        assert_eq!((refused.kind, refused.retry_after), (Kind::TooMany, Some(1)));
        assert!(rates.take("b", start).is_ok());
        assert!(rates.take("a", start + Duration::from_secs(1)).is_ok());
        assert!(rates.take("a", start + Duration::from_secs(1)).is_err());
    }
}
