//! The only source of chance for decisions: ids, jitter, tokens of leases.
//!
//! Job: hand out random bytes from the system, or a repeatable stream for tests and the simulation. Neighbours: every
//! stage holds a [`Chance`]. What it does not do: keys and nonces (`vault`, `store::Sealer` ask the system themselves).

use std::sync::{Arc, Mutex, PoisonError};

/// A handle on chance.
#[derive(Clone, Debug)]
pub struct Chance(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// State of a SplitMix64 generator: small, fast, good enough for ids and jitter.
    Seeded(Arc<Mutex<u64>>),
}

impl Chance {
    /// The system's.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The same stream for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(seed))))
    }

    /// Sixty-four random bits.
    #[must_use]
    pub fn bits(&self) -> u64 {
        match &self.0 {
            // Without the system's chance ids would collide; a process that cannot have it gets zeros only where a
            // unique constraint would then refuse the second use.
            Source::System => getrandom::u64().unwrap_or_default(),
            Source::Seeded(state) => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut z = *state;
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                z ^ (z >> 31)
            }
        }
    }

    /// Ten random bytes, as an id needs.
    #[must_use]
    pub fn ten(&self) -> [u8; 10] {
        let (a, b) = (self.bits().to_be_bytes(), self.bits().to_be_bytes());
        [a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], b[0], b[1]]
    }

    /// A number in 0..1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub fn fraction(&self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_stream() {
        let (a, b) = (Chance::seeded(7), Chance::seeded(7));
        assert_eq!([a.bits(), a.bits()], [b.bits(), b.bits()]);
        assert!((0.0..1.0).contains(&a.fraction()));
    }
}
