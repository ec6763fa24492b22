//! `jembatan serve`: the daemon, until a signal or a failed store ends it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::root::CliError;
use crate::config::Config;
use crate::daemon::{self, Parts, Running};
use crate::status::systemd;

/// Runs the daemon in the foreground.
///
/// # Errors
/// It does not start, or its store failed (the supervisor then starts it again).
pub fn run(config: &Config, path: &Path) -> Result<(), CliError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().context("tokio")?;
    let parts = Parts { certs: path.parent().map(|folder| folder.join("certs")), ..Parts::default() };
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
