//! Who killed the process: an entry that does it three times is set aside for a person, and nobody else is.
//!
//! A panic is caught and recorded; a stack overflow, an abort, the kernel's OOM killer are not, and a bridge that starts
//! again and claims the same entry again never gets further. So the start after a crash counts it against every entry
//! that was in flight ([`super::transition::Event::Crashed`]): a *suspect*. Suspects are then tried one at a time, and
//! not in the first seconds of a run ([`QUIET`]), so that a process which dies of something else accuses nobody again.
//! An entry reaches [`CRASHES_BEFORE_HELD`] only if the process died three times in a row while it was in flight, at the
//! second and third time as the only suspect, without one recorded end of a send in between. A SIGKILL by hand and
//! the OOM killer look like a crash from here: the reason that a held entry shows says what to do then.
//!
//! The claim itself may kill (its transaction is then as if it had never been): the store says of each entry that it opens
//! it, to a file beside the database that outlives the process ([`crate::store::Trail`]), and whoever stands there after a
//! crash is counted too, without being opened ([`super::transition::Event::CrashedAtClaim`]).
//!
//! What clears it: a recorded end of a send, *delivered* however it came about, a person's `retry`, `release`, `amend` or
//! `resolve`. A look-up that comes to no finding does not: an entry whose send kills the process is looked up after every
//! crash. A clean stop and a machine that went down (a power cut) count for nothing; `daemon` tells them apart.

use std::time::Duration;

use jiff::Timestamp;

use super::delivery::{BootId, Progress};

/// Crashes after which an entry is held.
pub const CRASHES_BEFORE_HELD: u8 = 3;
/// How long a run must have lasted before a suspect is tried.
pub const QUIET: Duration = Duration::from_secs(3);

/// Counts one more; whether that is enough to set the entry aside.
pub(super) fn count(progress: &mut Progress) -> bool {
    progress.crashes = progress.crashes.saturating_add(1);
    progress.crashes >= CRASHES_BEFORE_HELD
}

/// Whether the process died while it worked on this, and nothing has cleared it since.
#[must_use]
pub const fn is_suspect(progress: &Progress) -> bool {
    progress.crashes > 0
}

/// Whether this run has lasted long enough to try a suspect. A clock that was set back makes it wait no longer.
#[must_use]
pub fn may_try(boot: BootId, now: Timestamp) -> bool {
    now >= boot.begun() + QUIET || now < boot.begun()
}
