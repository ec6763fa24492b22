//! Small things that must go on: the vault and the clients are looked at, the disk is measured, old payloads and kept reads
//! go, and a failed store ends the process.

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::config::StoreUrl;
use crate::observe::Seen;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// How often old payloads are looked for, in looks.
const RETIRE_EVERY: u32 = 600;
/// How often what is kept of reads is counted for health and metrics, in looks.
const COUNT_EVERY: u32 = 60;
/// Payloads destroyed in one transaction.
const RETIRE_BATCH: usize = 500;

/// Free bytes on the disk of `path`'s folder.
#[must_use]
pub fn free_bytes(path: &Path) -> Option<u64> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Looks until the shutdown; cancels `failed` when the store cannot go on.
pub(super) async fn run(shared: Shared, failed: CancellationToken) {
    let mut fatal = shared.store.fatal();
    let mut looks = 0_u32;
    while !shared.stop.is_cancelled() {
        (shared.observe)(Seen::Beat("housekeeping"));
        failpoint!(await "loop.housekeeping");
        look(&shared);
        if looks.is_multiple_of(RETIRE_EVERY) && shared.ours.leads() {
            retire(&shared).await;
            prune(&shared).await;
        }
        if looks.is_multiple_of(COUNT_EVERY) {
            count(&shared).await;
            shared.last_run.goes_on();
        }
        looks = looks.wrapping_add(1);
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
            failure = fatal.wait_for(Option::is_some) => {
                let why = failure.ok().and_then(|why| why.clone()).unwrap_or_default();
                tracing::error!(why, "a commit failed, its outcome is unknown: stop, reopen, look up");
                shared.live.store(Some("commit_unknown"), shared.parts.clock.now());
                failed.cancel();
                return;
            }
        }
    }
}

fn look(shared: &Shared) {
    let now = shared.parts.clock.now();
    let vault = shared.vault.reload_if_changed().and_then(|_| shared.vault.check());
    if let Err(error) = &vault {
        tracing::warn!(%error, "the vault cannot be read; the last good content stays in use");
    }
    shared.live.vault(vault.err().map(|_| "unreadable"), now);
    if let Err(error) = shared.clients.reload_if_changed() {
        tracing::warn!(%error, "the clients cannot be read; the last good list stays in use");
    }
    if let StoreUrl::Sqlite(path) = &shared.config.store.url
        && let Some(free) = free_bytes(path)
    {
        shared.live.disk_free(free, now);
    }
}

/// Payloads of delivered entries go after their time; keys and ids stay (promise 11).
async fn retire(shared: &Shared) {
    let age = Duration::from_secs(u64::from(shared.config.retention.payload_days) * 86_400);
    let Ok(before) = shared.parts.clock.now().checked_sub(age) else { return };
    match shared.store.retire(before, RETIRE_BATCH).await {
        Ok(0) => {}
        Ok(gone) => tracing::info!(gone, "payloads past their retention were destroyed"),
        Err(error) => tracing::warn!(%error, "old payloads not looked for"),
    }
    match shared.store.retire_antrean(before, RETIRE_BATCH).await {
        Ok(0) => {}
        Ok(gone) => tracing::info!(gone, "bookings past their retention were stripped of persons"),
        Err(error) => tracing::warn!(%error, "old bookings not looked for"),
    }
}

/// What is kept for outages goes by its age and its amount.
async fn prune(shared: &Shared) {
    match shared.keep.prune(shared.parts.clock.now()).await {
        Ok(0) => {}
        Ok(gone) => tracing::info!(gone, "kept reads past their retention were let go"),
        Err(error) => tracing::warn!(%error, "kept reads not looked through"),
    }
}

/// Health, status page and metrics show how old kept references are.
async fn count(shared: &Shared) {
    match shared.store.kept_totals().await {
        Ok(totals) => shared.live.kept(totals),
        Err(error) => tracing::warn!(%error, "kept reads not counted"),
    }
}
