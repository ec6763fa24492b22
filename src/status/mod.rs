//! Is it working, whose fault is it, how long have I got, what must I do.
//!
//! Job: health, metrics, the status page and the watchdog, all from the same facts. Invariants: no personal data, no
//! submission's reference and no text from outside leaves here without a login; the judgement ([`judge()`]) is pure; the
//! watchdog needs neither tokio nor the store. Neighbours: reads `store`, is told the rest through [`Live`]; `daemon`
//! mounts [`router()`]; `cli` prints [`StatusView`]. What it does not do: change anything.

mod advice;
mod gather;
pub mod judge;
mod live;
mod metrics;
pub mod nodes;
mod page;
mod router;
mod session;
pub mod systemd;
mod text;
mod view;
pub mod watchdog;

pub use advice::Headline;
pub use gather::{Rows, gather, lanes_of};
pub use judge::{Check, Facts, Level, Report, judge};
pub use live::{Beat, ClockReading, Fact, Live, Snapshot, Stalled};
pub use router::{StatusState, router};
pub use session::{Authenticate, Visitor};
pub use view::{AttentionView, CountView, DutyView, LaneView, OutageView, PauseView, Scope, StatusView, TimeView};
