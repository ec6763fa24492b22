//! Buckets: how often somebody may do something.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Buckets kept at most; full ones are forgotten first, then all: memory has an end.
const MOST: usize = 10_000;

/// One bucket of `burst` tokens for each key, filled by `per_second`.
pub(super) struct Buckets<K> {
    per_second: f64,
    burst: f64,
    levels: Mutex<HashMap<K, (f64, Timestamp)>>,
}

impl<K: Eq + Hash> Buckets<K> {
    pub(super) fn new(per_second: f64, burst: f64) -> Self {
        Self { per_second, burst, levels: Mutex::default() }
    }

    fn level(&self, (level, at): (f64, Timestamp), now: Timestamp) -> f64 {
        let passed = now.duration_since(at).as_secs_f64().max(0.0);
        passed.mul_add(self.per_second, level).min(self.burst)
    }

    /// Takes one token; `false` if there is none.
    pub(super) fn take(&self, key: K, now: Timestamp) -> bool {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if levels.len() >= MOST {
            levels.retain(|_, level| self.level(*level, now) < self.burst);
            if levels.len() >= MOST {
                levels.clear();
            }
        }
        let before = levels.get(&key).map_or(self.burst, |level| self.level(*level, now));
        let enough = before >= 1.0;
        levels.insert(key, (if enough { before - 1.0 } else { before }, now));
        enough
    }

    /// Gives a token back that was taken in vain.
    pub(super) fn give_back(&self, key: K, now: Timestamp) {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(level) = levels.get_mut(&key) {
            *level = ((self.level(*level, now) + 1.0).min(self.burst), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_empty_bucket_fills_again_belongs_to_one_key_and_takes_back() {
        let buckets = Buckets::new(1.0, 2.0);
        let start = Timestamp::UNIX_EPOCH;
        assert!(buckets.take("a", start) && buckets.take("a", start) && !buckets.take("a", start));
        assert!(buckets.take("b", start));
        buckets.give_back("a", start);
        assert!(buckets.take("a", start) && !buckets.take("a", start));
        assert!(buckets.take("a", start + Duration::from_secs(1)));
    }

    #[test]
    fn memory_has_an_end() {
        let buckets = Buckets::new(1.0, 2.0);
        for key in 0..3 * MOST {
            buckets.take(key, Timestamp::UNIX_EPOCH);
        }
        assert!(buckets.levels.lock().unwrap().len() <= MOST);
    }
}
