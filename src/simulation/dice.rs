//! Chance of one run: everything that is drawn comes from the seed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::chance::Chance;

/// A stream of draws; streams of different names are independent, so that one part's draws do not move another's.
#[derive(Debug)]
pub(super) struct Dice(Mutex<Chance>);

impl Dice {
    pub(super) fn new(seed: u64, name: &str) -> Self {
        let mut mixed = seed ^ 0x51_7c_c1_b7_27_22_0a_95;
        for byte in name.bytes() {
            mixed = mixed.rotate_left(5) ^ u64::from(byte);
            mixed = Chance::seeded(mixed).bits();
        }
        Self(Mutex::new(Chance::seeded(mixed)))
    }

    pub(super) fn bits(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bits()
    }

    /// 0 to `count` - 1.
    pub(super) fn below(&self, count: u64) -> u64 {
        self.bits() % count.max(1)
    }

    /// A place in a list of `length`.
    pub(super) fn place(&self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap_or(1))).unwrap_or(0)
    }

    /// From `least` to `most`, both possible.
    pub(super) fn between(&self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// Whether something with this chance, in thousandths, happens.
    pub(super) fn strikes(&self, thousandths: u64) -> bool {
        thousandths > 0 && self.below(1000) < thousandths
    }

    pub(super) fn pick<T: Copy>(&self, list: &[T]) -> T {
        list[self.place(list.len())]
    }

    pub(super) fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }

    /// A wait whose length is spread over its orders of magnitude.
    pub(super) fn spread(&self, least: Duration, most: Duration) -> Duration {
        let (mut low, high) = (least.max(Duration::from_millis(1)), most);
        while low * 4 < high && self.strikes(600) {
            low *= 4;
        }
        let top = (low * 4).min(high).max(low);
        let (low, top) = (low.as_millis(), top.as_millis());
        self.millis(u64::try_from(low).unwrap_or(0), u64::try_from(top).unwrap_or(u64::MAX))
    }
}
