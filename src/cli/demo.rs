//! `jembatan demo`: the newcomer's command. One day of a puskesmas through an outage, in under a minute.
//!
//! Job: a temporary directory, the simulator and the daemon in one process, the shipped day handed in over the real API,
//! five per cent of every write landing without an answer, an outage in the middle, progress on the screen, and at the
//! end the reconciliation and BPJS's own ledger. Invariants: nothing is faked: what it prints it asked for over HTTP.
//! What it does not do: touch the machine's configuration or data.

mod day;
mod ledger;
mod stage;

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use super::Language;
use super::root::{CliError, log_with};
use crate::telemetry::Format;
use stage::Stage;

/// Arguments of `jembatan demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Selesai sendiri; kode keluar 0 hanya bila BPJS memiliki setiap entri tepat satu kali (end by itself)
    #[arg(long)]
    pub exit: bool,
    /// Simpan direktori sementara dan cetak tempatnya (keep the temporary directory)
    #[arg(long)]
    pub keep: bool,
}

/// Submissions handed in at once.
const HANDS: usize = 4;
/// When the outage begins, counted in submissions handed in.
const OUTAGE_AFTER: usize = 60;
/// How long the outage lasts.
const OUTAGE: Duration = Duration::from_secs(10);
/// A day that is not through by then has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the demo.
///
/// # Errors
/// With `--exit`, also if an entry is not at BPJS exactly once.
pub fn run(args: &DemoArgs, language: Language) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("tokio")?;
    runtime.block_on(async {
        let stage = Stage::set(args.keep).await?;
        // Quiet unless somebody wants to see: the progress is the story here.
        if std::env::var_os(crate::telemetry::LEVEL_VARIABLE).is_some() {
            log_with(Format::Auto);
        }
        let result = play(&stage, args, language).await;
        stage.strike().await;
        result
    })
}

async fn play(stage: &Stage, args: &DemoArgs, language: Language) -> Result<(), CliError> {
    let say = |indonesian: &str, english: &str| println!("{}", language.pick(indonesian, english));
    let began = Instant::now();
    println!(
        "{}",
        language.pick(
            "jembatan demo — satu hari puskesmas menuju BPJS (simulator)",
            "jembatan demo: a day of a puskesmas on its way to BPJS (simulator)"
        )
    );
    println!("  {}  {}", language.pick("halaman status:", "status page:"), stage.url("/"));
    println!("  {}  {}", language.pick("simulator BPJS:", "BPJS simulator:"), stage.simulator_url("/_sim"));
    let day = day::submissions(&stage.yesterday);
    let entries: usize = day.iter().map(|one| one["entries"].as_array().map_or(0, Vec::len)).sum();
    println!("  {} {} / {} entri\n", language.pick("kiriman:", "submissions:"), day.len(), entries);
    say(
        "SIM menyerahkan entri; 5 % jawaban BPJS hilang setelah diproses; lalu BPJS putus 10 detik.",
        "The SIM hands entries in; 5 % of BPJS's answers are lost after processing; then BPJS is gone for 10 s.",
    );
    let handed = hand_in(stage, day, began, language).await?;
    let through = settle(stage, entries, began, language).await?;
    println!();
    let reconciled = stage.reconcile().await?;
    let report = ledger::Report::of(stage, handed, entries, &reconciled).await?;
    report.print(language, began.elapsed());
    if args.exit {
        return verdict(&report, through);
    }
    println!("\n{} {}", language.pick("Halaman status:", "Status page:"), stage.url("/"));
    println!("{}", language.pick("  token untuk masuk (hanya demo ini):", "  token to log in (this demo only):"));
    println!("  {}", stage.viewer_token());
    say("Ctrl-C untuk selesai.", "Ctrl-C to end.");
    tokio::signal::ctrl_c().await.context("Ctrl-C")?;
    Ok(())
}

fn verdict(report: &ledger::Report, through: bool) -> Result<(), CliError> {
    if report.is_exact() && through {
        return Ok(());
    }
    Err(CliError::NeedsPerson("ada entri yang tidak tepat satu kali di BPJS".to_owned()))
}

/// Hands the day in over the API, a few submissions at once; the outage begins in the middle.
async fn hand_in(stage: &Stage, day: Vec<Value>, began: Instant, language: Language) -> Result<usize, CliError> {
    use futures_util::StreamExt as _;
    let (total, mut accepted) = (day.len(), 0);
    let mut answers = futures_util::stream::iter(day.into_iter().map(|one| stage.submit(one))).buffer_unordered(HANDS);
    while let Some(answer) = answers.next().await {
        answer?;
        accepted += 1;
        if accepted == OUTAGE_AFTER {
            stage.outage(OUTAGE);
        }
        progress(stage, began, &format!("{accepted}/{total}"), language).await;
    }
    Ok(accepted)
}

/// Waits until every entry is final.
async fn settle(stage: &Stage, entries: usize, began: Instant, language: Language) -> Result<bool, CliError> {
    loop {
        let counts = stage.counts().await?;
        let done: i64 = counts.iter().filter(|(state, _)| state.is_final()).map(|(_, count)| count).sum();
        progress(stage, began, "200/200", language).await;
        if usize::try_from(done).is_ok_and(|done| done >= entries) {
            return Ok(true);
        }
        if began.elapsed() > PATIENCE {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// One line that is written over on a terminal, and printed once a second elsewhere.
async fn progress(stage: &Stage, began: Instant, intake: &str, language: Language) {
    let Ok(counts) = stage.counts().await else { return };
    let of = |word: &str| counts.iter().filter(|(state, _)| state.word() == word).map(|(_, count)| count).sum::<i64>();
    let light = stage.light(language).await;
    let words = language.pick(
        "kiriman · sampai · menunggu · dikirim · diperiksa · ditolak",
        "submissions · delivered · waiting · sending · looked up · refused",
    );
    let figures = [
        intake.to_owned(),
        of("delivered").to_string(),
        of("waiting").to_string(),
        of("sending").to_string(),
        of("unanswered").to_string(),
        (of("refused") + of("held")).to_string(),
    ];
    let parts: Vec<String> =
        words.split(" · ").zip(figures).map(|(word, figure)| format!("{word} {figure:>3}")).collect();
    let line = format!("  [{:>5.1} s] {light:<10} {}", began.elapsed().as_secs_f64(), parts.join(" · "));
    if std::io::stdout().is_terminal() {
        use std::io::Write as _;
        print!("\r{line}\x1b[K");
        drop(std::io::stdout().flush());
    } else if stage.is_new_second(began.elapsed()) {
        println!("{line}");
    }
}
