//! What a run leaves behind: the hash of its events, the last of them, how often each interesting thing was reached, and
//! the first broken promise.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

/// Events shown when a run fails.
const SHOWN: usize = 250;

/// One event: virtual milliseconds, what, and two numbers that say of what.
type Event = (u64, &'static str, u64, u64);

#[derive(Debug, Default)]
pub(super) struct Notes {
    hash: u64,
    pub(super) steps: u64,
    last: VecDeque<Event>,
    pub(super) reached: BTreeMap<&'static str, u64>,
    pub(super) broken: Option<(&'static str, String)>,
    /// The whole of it, for a comparison of two runs.
    pub(super) whole: Option<Vec<Event>>,
}

impl Notes {
    pub(super) fn new(whole: bool) -> Self {
        Self { whole: whole.then(Vec::new), ..Self::default() }
    }

    pub(super) fn event(&mut self, at: u64, what: &'static str, a: u64, b: u64) {
        for part in [at, a, b] {
            self.hash = (self.hash.rotate_left(5) ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        for byte in what.bytes() {
            self.hash = (self.hash.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        self.steps += 1;
        *self.reached.entry(what).or_default() += 1;
        if let Some(whole) = &mut self.whole {
            whole.push((at, what, a, b));
        }
        self.last.push_back((at, what, a, b));
        if self.last.len() > SHOWN {
            self.last.pop_front();
        }
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// The last events, one a line.
    pub(super) fn tail(&self) -> String {
        let mut shown = String::new();
        for (at, what, a, b) in &self.last {
            let (seconds, millis) = (at / 1000, at % 1000);
            let _ = writeln!(shown, "{seconds:>9}.{millis:03}  {what}  {a} {b}");
        }
        shown
    }
}
