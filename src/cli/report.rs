//! `jembatan report`: documents.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use serde_json::Value;

use super::Language;
use super::api::Api;
use super::root::CliError;
use super::words::text;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::report::reconciliation::Reconciliation;
use crate::report::render;

/// Arguments of `jembatan report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Dokumen yang mana.
    #[command(subcommand)]
    pub command: ReportCommand,
}

/// Dokumen (documents).
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Berita acara rekonsiliasi (minutes of a reconciliation, to sign)
    Reconciliation(ReconciliationArgs),
}

/// Which reconciliation, in which form.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").args(["id", "facility"]).required(true)))]
pub struct ReconciliationArgs {
    /// Nomor rekonsiliasi (its id)
    #[arg(long, value_name = "NOMOR")]
    pub id: Option<String>,
    /// Kode faskes; dipakai rekonsiliasi terbaru untuk hari-hari itu (the newest of these days)
    #[arg(long, value_name = "KODE", requires = "from")]
    pub facility: Option<String>,
    /// Hari pertama (first day)
    #[arg(long, value_name = "TANGGAL", requires = "to")]
    pub from: Option<Date>,
    /// Hari terakhir (last day)
    #[arg(long, value_name = "TANGGAL", requires = "from")]
    pub to: Option<Date>,
    /// Bentuk (format)
    #[arg(long, value_enum, default_value_t = Form::Html)]
    pub format: Form,
    /// Berkas tujuan; tanpa ini ke keluaran baku (file)
    #[arg(long, value_name = "BERKAS")]
    pub out: Option<PathBuf>,
}

/// Forms of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Untuk dicetak (A4)
    Html,
    /// Tabel untuk Excel
    Csv,
    /// Untuk program
    Json,
}

/// Writes a document.
///
/// # Errors
/// There is no such reconciliation, or the file cannot be written.
pub fn run(args: &ReportArgs, api: &Api, config: &Config, language: Language) -> Result<(), CliError> {
    let ReportCommand::Reconciliation(args) = &args.command;
    let id = match &args.id {
        Some(id) => id.clone(),
        None => newest(args, api, language)?,
    };
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(CliError::Other(anyhow!("--id {id}")));
    }
    let stored = api.get(&format!("/v1/reconciliations/{id}"), &[])?;
    let facility = text(&stored, "facility").to_owned();
    let outages = api.get("/v1/outages", &[("facility", &facility), ("limit", "1000")])?;
    let name = config.facility(&facility).map_or(facility.as_str(), |facility| facility.name.as_str());
    let catalogue = Catalogue::shipped().context("catalogue")?;
    let title =
        |name: &str| catalogue.operation(name).map_or_else(|| name.to_owned(), |operation| operation.title.clone());
    let outages = outages["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let report = Reconciliation::read(&stored, outages, name, title).context("report")?;
    let bytes = match args.format {
        Form::Html => render::html::reconciliation(&report).context("HTML")?,
        Form::Csv => render::csv::reconciliation(&report),
        Form::Json => render::json::document(&report).context("JSON")?,
    };
    write_out(args.out.as_deref(), &bytes)
}

/// The newest reconciliation of exactly these days.
fn newest(args: &ReconciliationArgs, api: &Api, language: Language) -> Result<String, CliError> {
    let (facility, from, to) = (args.facility.as_deref().unwrap_or_default(), day(args.from), day(args.to));
    let page = api.get("/v1/reconciliations", &[("facility", facility), ("limit", "1000")])?;
    let fits = |row: &&Value| text(row, "from") == from && text(row, "to") == to;
    let found = page["items"].as_array().into_iter().flatten().find(fits).map(|row| text(row, "id").to_owned());
    found.ok_or_else(|| {
        let why = language
            .pick("belum ada rekonsiliasi untuk hari itu; jalankan dulu", "no reconciliation of these days; first run");
        CliError::Other(anyhow!("{why}: jembatan reconcile --facility {facility} --from {from} --to {to}"))
    })
}

fn day(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

/// To a file that only its owner reads, or to standard output.
pub(super) fn write_out(path: Option<&Path>, bytes: &[u8]) -> Result<(), CliError> {
    let Some(path) = path else {
        return Ok(std::io::stdout().lock().write_all(bytes).context("stdout")?);
    };
    let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.with_context(|| path.display().to_string())?;
    eprintln!("{}", path.display());
    Ok(())
}
