//! What the loops tell whoever watches: health and metrics.
//!
//! Job: one small vocabulary, so that stages need not know `status`. Neighbours: `push` and `reconcile` speak, `daemon`
//! connects the listener. What it does not do: keep anything.

use std::sync::Arc;

/// What observers are told.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// A loop turned.
    Beat(&'a str),
    /// An attempt ended.
    Attempt {
        /// Catalogue operation.
        operation: &'a str,
        /// Word of the outcome or finding.
        outcome: &'a str,
    },
    /// Mobile JKN was answered.
    Inbound {
        /// A word of ours for the route.
        route: &'a str,
        /// kdProvider; empty while nobody proved who calls.
        facility: &'a str,
        /// The code in the answer's `metadata`.
        code: i64,
    },
    /// BPJS's `Date` was compared with our clock.
    Skew {
        /// kdProvider.
        facility: &'a str,
        /// Ours minus theirs, seconds.
        seconds: i64,
    },
}

/// Where observers listen.
pub type Observe = Arc<dyn Fn(Seen<'_>) + Send + Sync>;
