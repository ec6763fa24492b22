//! `jembatan serve`: the daemon, until a signal or a failed store ends it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::root::CliError;
use crate::config::Config;
use crate::daemon::{self, GiveUp, Parts, Running};
use crate::status::systemd;

/// Exit code of a daemon that ended itself because a task stood still and did not recover (`docs/cli.md`).
pub const STALLED: u8 = 5;

/// Runs the daemon in the foreground.
///
/// # Errors
/// It does not start, or its store failed (the supervisor then starts it again).
pub fn run(config: &Config, path: &Path) -> Result<(), CliError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().context("tokio")?;
    let certs = path.parent().map(|folder| folder.join("certs"));
    // From the watchdog's thread: neither the runtime nor the store may be needed, they may be what stands still.
    let give_up: GiveUp = Arc::new(|| std::process::exit(i32::from(STALLED)));
    let parts = Parts { certs, give_up: Some(give_up), ..Parts::default() };
    runtime.block_on(async {
        let running = daemon::start(config.clone(), parts).await.context("jembatan tidak dapat mulai")?;
        // Nobody listens where no service manager runs.
        drop(systemd::ready());
        let failed = until_stopped(&running).await?;
        drop(systemd::stopping(Duration::from_secs(30)));
        running.stop().await;
        if failed {
            return Err(CliError::Other(anyhow::anyhow!(
                "bagian yang harus ada gagal (lihat log); mulai lagi, lalu yang meragukan diperiksa"
            )));
        }
        Ok(())
    })
}

/// Waits for SIGTERM, SIGINT or a failed store; `true` for the last.
async fn until_stopped(running: &Running) -> Result<bool, CliError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    Ok(tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        () = running.failed() => true,
    })
}
