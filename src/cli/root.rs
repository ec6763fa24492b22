//! The command tree, and what each end means as an exit code.
//!
//! Job: parse, prepare the console, run one command. Invariants: exit codes are a contract (`docs/cli.md`): 0 done, 1 it
//! did not work, 2 the arguments are wrong, 3 the daemon does not answer, 4 the result needs a person. Neighbours: one
//! file per command. What it does not do: the work.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::api::Api;
use super::{
    Console, Language, audit, books, catalogue, check, client, demo, keep, obligations, outage, pause, queue,
    reconcile, report, serve, simulate, status, store, uat, vault,
};
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors};
use crate::telemetry::{self, Format};
use crate::vault::{KeyAccess, VaultError};

/// Where the configuration is unless `--config` says otherwise.
pub const CONFIG: &str = "/etc/jembatan/jembatan.toml";

/// Jembatan antara SIM puskesmas dan BPJS Kesehatan: tidak ada yang hilang, tidak ada yang ganda.
#[derive(Debug, Parser)]
#[command(name = "jembatan", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// Berkas konfigurasi (configuration file)
    #[arg(long, global = true, value_name = "BERKAS", default_value = CONFIG)]
    pub config: PathBuf,
    /// Bahasa: id atau en (language)
    #[arg(long, global = true, value_name = "BAHASA", value_parser = ["id", "en"])]
    pub lang: Option<String>,
    /// Perintah.
    #[command(subcommand)]
    pub command: Command,
}

/// Perintah.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Percobaan satu hari puskesmas dengan simulator, dalam satu menit (a day of a puskesmas, in a minute)
    Demo(demo::DemoArgs),
    /// Menjalankan jembatan (the daemon)
    Serve,
    /// Menjalankan simulator BPJS (the BPJS simulator)
    Simulate(simulate::SimulateArgs),
    /// Uji penerimaan (UAT) terhadap simulator atau server pengembangan BPJS, dengan berita acaranya (acceptance test)
    Uat(uat::UatArgs),
    /// Rahasia: kunci, kredensial BPJS (secrets)
    Vault(vault::VaultArgs),
    /// Klien SIM, gateway dan operator (who may talk to the bridge)
    Client(client::ClientArgs),
    /// Memeriksa semuanya, juga saat jembatan mati: apa yang salah, di pihak siapa, apa langkahnya (doctor)
    Check(check::CheckArgs),
    /// Katalog operasi BPJS: daftar dan rincian, juga saat jembatan mati (the operations, without the daemon)
    Catalogue(catalogue::CatalogueArgs),
    /// Keadaan dalam satu layar (one screen)
    Status(status::StatusArgs),
    /// Pengantaran: melihat dan menindak (deliveries)
    Queue(queue::QueueArgs),
    /// Menjeda pengiriman; entri tetap diterima (pause sending)
    Pause(pause::PauseArgs),
    /// Melanjutkan pengiriman (resume sending)
    Resume(pause::PauseArgs),
    /// Gangguan (outages)
    Outage(outage::OutageArgs),
    /// Data simpanan untuk gangguan: referensi dan kepesertaan (kept reads)
    Keep(keep::KeepArgs),
    /// Basis data: pindah dari SQLite ke PostgreSQL (the database)
    Store(store::StoreArgs),
    /// Kalender kewajiban perjanjian (calendar of obligations)
    Obligations(obligations::ObligationsArgs),
    /// Membandingkan dengan BPJS (compare with BPJS)
    Reconcile(reconcile::ReconcileArgs),
    /// Dokumen: berita acara, laporan, klaim, KBK (documents)
    Report(report::ReportArgs),
    /// Klaim nonkapitasi, entri demi entri (non-capitation claims)
    Claims(books::ClaimsArgs),
    /// Entri jejaring dalam satu bulan, per klien (what the network handed in)
    Network(books::MonthArgs),
    /// Buku catatan telekonsultasi satu bulan (log book of telekonsultasi)
    Telekonsultasi(books::MonthArgs),
    /// Log keamanan dan rantainya (security log)
    Audit(audit::AuditArgs),
}

/// Why a command did not work; each has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Keys, secrets, clients.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The daemon does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// It ran, and its result needs a person.
    #[error("{0}")]
    NeedsPerson(String),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl CliError {
    /// The exit code (`docs/cli.md`).
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Vault(_) | Self::Other(_) => 1,
            Self::Unreachable(_) => 3,
            Self::NeedsPerson(_) => 4,
        }
    }

    fn text(&self, language: Language) -> String {
        match (self, language) {
            (Self::Config(errors), Language::Indonesian) => errors.indonesian(),
            (Self::Vault(error), Language::Indonesian) => error.indonesian(),
            (Self::Other(error), _) => format!("{error:#}"),
            (other, _) => other.to_string(),
        }
    }
}

/// Parses `arguments`, runs the command, returns the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // One TLS provider for the whole process; a second start in one process finds it there.
    drop(rustls::crypto::ring::default_provider().install_default());
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Clap prints help to standard output and mistakes to standard error.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let language = language(cli.lang.as_deref(), std::env::var("LANG").ok().as_deref());
    match run(&cli, language) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jembatan: {}", error.text(language));
            ExitCode::from(error.code())
        }
    }
}

/// Indonesian unless somebody asks for English.
fn language(asked: Option<&str>, environment: Option<&str>) -> Language {
    match (asked, environment) {
        (Some("en"), _) => Language::English,
        (None, Some(lang)) if lang.starts_with("en") => Language::English,
        (Some(_) | None, _) => Language::Indonesian,
    }
}

fn run(cli: &Cli, language: Language) -> Result<(), CliError> {
    match &cli.command {
        Command::Demo(args) => demo::run(args, language),
        Command::Serve => {
            log_with(Format::Auto);
            serve::run(&load(cli)?, &cli.config)
        }
        Command::Simulate(args) => simulate::run(args, language),
        Command::Uat(args) => uat::run(args, &cli.config, || load(cli), language),
        Command::Vault(args) => {
            let config = load(cli)?;
            with_console(language, |console| {
                vault::run(args, &config.vault, KeyAccess::of_process(), Clock::system().now(), console)
            })
        }
        Command::Client(args) => {
            let config = load(cli)?;
            with_console(language, |console| {
                client::run(args, &config.vault, KeyAccess::of_process(), Clock::system().now(), console)
            })
        }
        Command::Check(args) => check::run(args, &cli.config, load(cli), language),
        Command::Catalogue(args) => catalogue::run(args, &cli.config, language),
        Command::Store(args) => store::run(args, &load(cli)?, language),
        Command::Status(_)
        | Command::Queue(_)
        | Command::Obligations(_)
        | Command::Pause(_)
        | Command::Resume(_)
        | Command::Outage(_)
        | Command::Keep(_)
        | Command::Reconcile(_)
        | Command::Report(_)
        | Command::Claims(_)
        | Command::Network(_)
        | Command::Telekonsultasi(_)
        | Command::Audit(_) => ask(cli, language),
    }
}

/// The commands that go through the daemon's API.
fn ask(cli: &Cli, language: Language) -> Result<(), CliError> {
    let config = load(cli)?;
    let api = Api::of(&config, KeyAccess::of_process(), language)?;
    match &cli.command {
        Command::Status(args) => status::run(args, &api, &config, language),
        Command::Queue(args) => queue::run(args, &api, language),
        Command::Pause(args) => pause::run(args, true, &api, language),
        Command::Resume(args) => pause::run(args, false, &api, language),
        Command::Outage(args) => outage::run(args, &api, language),
        Command::Keep(args) => keep::run(args, &api, language),
        Command::Reconcile(args) => reconcile::run(args, &api, language),
        Command::Report(args) => report::run(args, &api, language),
        Command::Claims(args) => books::claims(args, &api, language),
        Command::Network(args) => books::network(args, &api, language),
        Command::Telekonsultasi(args) => books::telekonsultasi(args, &api, language),
        Command::Obligations(args) => obligations::run(args, &api, language),
        Command::Audit(args) => audit::run(args, &api, language),
        Command::Demo(_)
        | Command::Serve
        | Command::Simulate(_)
        | Command::Uat(_)
        | Command::Vault(_)
        | Command::Client(_)
        | Command::Catalogue(_)
        | Command::Store(_)
        | Command::Check(_) => Ok(()),
    }
}

/// The configuration with the environment over it.
///
/// # Errors
/// Every mistake at once.
pub fn load(cli: &Cli) -> Result<Config, ConfigErrors> {
    Config::load(&cli.config, std::env::vars())
}

/// Runs `act` on standard input and output.
fn with_console(
    language: Language,
    act: impl FnOnce(&mut Console<'_>) -> Result<(), VaultError>,
) -> Result<(), CliError> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let input_is_terminal = stdin.is_terminal();
    let mut console = Console {
        input: &mut stdin.lock(),
        input_is_terminal,
        output: &mut stdout.lock(),
        errors: &mut stderr.lock(),
        language,
    };
    Ok(act(&mut console)?)
}

/// Starts logging; a second start in one process is left alone.
pub(super) fn log_with(format: Format) {
    let level = std::env::var(telemetry::LEVEL_VARIABLE).ok();
    drop(telemetry::init(format, level.as_deref(), std::io::stderr().is_terminal()));
}
