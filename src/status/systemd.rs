//! Words to the service manager: ready, stopping, still alive. Without `NOTIFY_SOCKET` nothing happens.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

/// Tells the service manager that the service is up (`READY=1`).
///
/// # Errors
/// The socket does not take it; the service may go on.
pub fn ready() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Ready])
}

/// Tells it that the service ends and may take up to `grace` for it (`STOPPING=1`, `EXTEND_TIMEOUT_USEC`).
///
/// # Errors
/// As [`ready`].
pub fn stopping(grace: Duration) -> io::Result<()> {
    let micros = u32::try_from(grace.as_micros()).unwrap_or(u32::MAX);
    sd_notify::notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)])
}

/// Feeds its watchdog (`WATCHDOG=1`); only [`super::watchdog`] does, and only while every task beats.
///
/// # Errors
/// As [`ready`].
pub fn watchdog() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Watchdog])
}

/// Puts a line into what `systemctl status` shows (`STATUS=`).
///
/// # Errors
/// As [`ready`].
pub fn status(line: &str) -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Status(line)])
}

/// How often it wants to be fed, halved to be on the safe side; `None` if it does not watch this process.
#[must_use]
pub fn feeding_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}
