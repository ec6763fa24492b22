//! `jembatan serve`: the daemon, until a signal or a failed store ends it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::root::CliError;
use crate::config::Config;
use crate::daemon::{self, GiveUp, Parts, Running, StartError};
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
        let running = daemon::start(config.clone(), parts).await.map_err(|error| not_started(&error))?;
        // Nobody listens where no service manager runs.
        drop(systemd::ready());
        let failed = until_stopped(&running).await?;
        drop(systemd::stopping(Duration::from_secs(30)));
        let why = running.failure();
        running.stop().await;
        if failed {
            let why = why.unwrap_or_else(|| "lihat log".to_owned());
            return Err(CliError::Other(anyhow::anyhow!(
                "bagian yang harus ada gagal ({why}); mulai lagi, lalu yang meragukan diperiksa.{}",
                remedy(&why)
            )));
        }
        Ok(())
    })
}

fn not_started(error: &StartError) -> CliError {
    let said = error.to_string();
    CliError::Other(anyhow::anyhow!("jembatan tidak dapat mulai: {said}.{}", remedy(&said)))
}

/// What a person does about a disk that refuses, told by the words of the system and of SQLite.
fn remedy(said: &str) -> &'static str {
    let said = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["no space left", "disk is full", "disk full", "quota"]) {
        " Disk penuh: kosongkan ruang (jangan menghapus berkas jembatan); layanan mulai lagi dengan sendirinya."
    } else if has(&["read-only", "readonly"]) {
        " Disk hanya dapat dibaca: periksa (dmesg, mount), pasang lagi untuk ditulis; layanan mulai lagi dengan sendirinya."
    } else if has(&["i/o error", "input/output error"]) {
        " Disk gagal membaca atau menulis: periksa (dmesg, smartctl) dan siapkan cadangan; layanan mulai lagi dengan sendirinya."
    } else {
        ""
    }
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
