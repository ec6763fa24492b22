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
use super::reconcile::month;
use super::root::CliError;
use super::words::text;

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
    /// Evaluasi gangguan, Lampiran X angka 6 (evaluation of an outage)
    Outage(OutageReportArgs),
    /// Lampiran IV: laporan pelayanan rawat jalan (outpatient form)
    Rjtp(PeriodArgs),
    /// Lampiran V: laporan pelayanan rawat inap dengan LOS (inpatient form)
    Ritp(PeriodArgs),
    /// Ketepatan waktu entri per hari dan per bulan (timeliness)
    Deadlines(PeriodArgs),
    /// Klaim nonkapitasi: umur, kedaluwarsa, pembayaran, denda (non-capitation claims)
    Claims(ClaimsArgs),
    /// Perkiraan kapitasi berbasis kinerja (estimate of performance-based capitation)
    Kbk(KbkArgs),
    /// Kegiatan kelompok Prolanis dan daftar pesertanya (Prolanis activities and participants)
    Prolanis(PeriodArgs),
    /// Laporan bulanan jejaring per klien (monthly report of the network)
    Network(PeriodArgs),
    /// Buku catatan telekonsultasi (log book of telekonsultasi)
    Telekonsultasi(PeriodArgs),
}

/// Form and file.
#[derive(Debug, Args)]
pub struct OutArgs {
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
    /// PDF/A (A4)
    Pdf,
    /// Buku kerja Excel
    Xlsx,
    /// Tabel untuk Excel
    Csv,
    /// Untuk program
    Json,
}

/// Which reconciliation, in which form.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("which").args(["id", "facility"]).required(true)),
    group(ArgGroup::new("days").args(["month", "from"]))
)]
pub struct ReconciliationArgs {
    /// Nomor rekonsiliasi (its id)
    #[arg(long, value_name = "NOMOR")]
    pub id: Option<String>,
    /// Kode faskes; dipakai rekonsiliasi terbaru untuk hari-hari itu (the newest of these days)
    #[arg(long, value_name = "KODE", requires = "days")]
    pub facility: Option<String>,
    /// Bulan (month)
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    pub month: Option<Date>,
    /// Hari pertama (first day)
    #[arg(long, value_name = "TANGGAL", requires = "to")]
    pub from: Option<Date>,
    /// Hari terakhir (last day)
    #[arg(long, value_name = "TANGGAL", requires = "from")]
    pub to: Option<Date>,
    /// Bentuk dan berkas.
    #[command(flatten)]
    pub out: OutArgs,
}

/// Which outage, in which form.
#[derive(Debug, Args)]
pub struct OutageReportArgs {
    /// Nomor gangguan (its number)
    #[arg(long, value_name = "NOMOR")]
    pub id: i64,
    /// Bentuk dan berkas.
    #[command(flatten)]
    pub out: OutArgs,
}

/// Which facility and days, in which form.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("days").args(["month", "from"]).required(true)))]
pub struct PeriodArgs {
    /// Kode faskes (facility code)
    #[arg(long, value_name = "KODE")]
    pub facility: String,
    /// Bulan (month)
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Option<String>,
    /// Hari pertama (first day)
    #[arg(long, value_name = "TANGGAL", requires = "to")]
    pub from: Option<Date>,
    /// Hari terakhir (last day)
    #[arg(long, value_name = "TANGGAL", requires = "from")]
    pub to: Option<Date>,
    /// Bentuk dan berkas.
    #[command(flatten)]
    pub out: OutArgs,
}

/// Claims, and what only people know of them.
#[derive(Debug, Args)]
pub struct ClaimsArgs {
    /// Faskes, hari, bentuk.
    #[command(flatten)]
    pub period: PeriodArgs,
    /// Tanggal berkas klaim lengkap (day the file was complete)
    #[arg(long, value_name = "TANGGAL")]
    pub claimed: Option<Date>,
    /// Tanggal dibayar; tanpa ini dihitung sampai hari ini (day of payment)
    #[arg(long, value_name = "TANGGAL")]
    pub paid: Option<Date>,
    /// Nilai klaim yang disetujui BPJS, rupiah; tanpa ini jumlah biaya menurut entri (approved amount)
    #[arg(long, value_name = "RUPIAH")]
    pub amount: Option<u32>,
    /// Klaim siapa (whose claims)
    #[command(flatten)]
    pub share: ShareArgs,
}

/// Whose claims.
#[derive(Debug, Args)]
pub struct ShareArgs {
    /// Bagian penagih: puskesmas sendiri, atau bidan dan jejaring yang menagih sendiri (part)
    #[arg(long, value_enum, value_name = "BAGIAN", conflicts_with = "client")]
    pub part: Option<SharePart>,
    /// Hanya klaim satu klien jejaring (one client of the network)
    #[arg(long, value_name = "NAMA")]
    pub client: Option<String>,
}

/// Parts of the claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SharePart {
    /// Semua (everybody's)
    All,
    /// Puskesmas sendiri (the facility's own)
    Facility,
    /// Bidan dan jejaring yang menagih sendiri (the network's)
    Network,
}

impl ShareArgs {
    /// As query parameters.
    pub(super) fn query(&self) -> Query {
        let word = |part: SharePart| part.to_possible_value().map(|value| value.get_name().to_owned());
        let part = self.part.and_then(word).map(|part| ("part", part));
        part.into_iter().chain(self.client.clone().map(|name| ("client", name))).collect()
    }
}

/// Performance, and what only BPJS knows.
#[derive(Debug, Args)]
pub struct KbkArgs {
    /// Faskes, hari, bentuk.
    #[command(flatten)]
    pub period: PeriodArgs,
    /// Jumlah peserta terdaftar menurut BPJS Kesehatan (registered participants)
    #[arg(long, value_name = "N")]
    pub registered: Option<u32>,
    /// Diagnosa nonspesialistik, ICD-10; boleh berulang atau dipisah koma (non-specialistic diagnoses)
    #[arg(long, value_name = "KODE", value_delimiter = ',')]
    pub nonspecialist: Vec<String>,
    /// Jumlah peserta DM (participants with DM)
    #[arg(long, value_name = "N")]
    pub dm: Option<u32>,
    /// Di antaranya terkendali (of them controlled)
    #[arg(long, value_name = "N")]
    pub dm_controlled: Option<u32>,
    /// Jumlah peserta hipertensi (participants with hypertension)
    #[arg(long, value_name = "N")]
    pub ht: Option<u32>,
    /// Di antaranya terkendali (of them controlled)
    #[arg(long, value_name = "N")]
    pub ht_controlled: Option<u32>,
}

/// Query parameters.
pub(super) type Query = Vec<(&'static str, String)>;

impl PeriodArgs {
    fn query(&self) -> Query {
        let mut query = vec![("facility", self.facility.clone())];
        query.extend(self.month.clone().map(|month| ("month", month)));
        query.extend(self.from.map(|day| ("from", day.to_string())));
        query.extend(self.to.map(|day| ("to", day.to_string())));
        query
    }
}

impl ClaimsArgs {
    fn query(&self) -> Query {
        let mut query = self.period.query();
        query.extend(self.claimed.map(|day| ("claimed", day.to_string())));
        query.extend(self.paid.map(|day| ("paid", day.to_string())));
        query.extend(self.amount.map(|amount| ("amount", amount.to_string())));
        query.extend(self.share.query());
        query
    }
}

impl KbkArgs {
    fn query(&self) -> Query {
        let mut query = self.period.query();
        let counts = [
            ("registered", self.registered),
            ("dm", self.dm),
            ("dm_controlled", self.dm_controlled),
            ("ht", self.ht),
            ("ht_controlled", self.ht_controlled),
        ];
        query.extend(counts.into_iter().filter_map(|(name, count)| Some((name, count?.to_string()))));
        if !self.nonspecialist.is_empty() {
            query.push(("nonspecialist", self.nonspecialist.join(",")));
        }
        query
    }
}

/// Writes a document.
///
/// # Errors
/// There is nothing to make it of, or the file cannot be written.
pub fn run(args: &ReportArgs, api: &Api, language: Language) -> Result<(), CliError> {
    let (kind, mut query, out) = match &args.command {
        ReportCommand::Reconciliation(args) => ("reconciliation", vec![("id", which(args, api, language)?)], &args.out),
        ReportCommand::Outage(args) => ("outage", vec![("id", args.id.to_string())], &args.out),
        ReportCommand::Rjtp(args) => ("rjtp", args.query(), &args.out),
        ReportCommand::Ritp(args) => ("ritp", args.query(), &args.out),
        ReportCommand::Deadlines(args) => ("deadlines", args.query(), &args.out),
        ReportCommand::Claims(args) => ("claims", args.query(), &args.period.out),
        ReportCommand::Kbk(args) => ("kbk", args.query(), &args.period.out),
        ReportCommand::Prolanis(args) => ("prolanis", args.query(), &args.out),
        ReportCommand::Network(args) => ("network", args.query(), &args.out),
        ReportCommand::Telekonsultasi(args) => ("telekonsultasi", args.query(), &args.out),
    };
    let format = out.format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    query.push(("format", format));
    let pairs: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let bytes = api.file(&format!("/v1/reports/{kind}"), &pairs)?;
    write_out(out.out.as_deref(), &bytes)
}

fn which(args: &ReconciliationArgs, api: &Api, language: Language) -> Result<String, CliError> {
    match &args.id {
        Some(id) => Ok(id.clone()),
        None => newest(args, api, language),
    }
}

/// The newest reconciliation of exactly these days.
fn newest(args: &ReconciliationArgs, api: &Api, language: Language) -> Result<String, CliError> {
    let facility = args.facility.as_deref().unwrap_or_default();
    let (from, to) = (args.from.or(args.month), args.to.or(args.month.map(Date::last_of_month)));
    let (from, to) = (day(from), day(to));
    let page = api.get("/v1/reconciliations", &[("facility", facility), ("limit", "1000")])?;
    // A month that is not over was reconciled up to some day of it: the latest of those, and of that day the newest.
    let fits = |row: &&Value| {
        let until = text(row, "to");
        text(row, "from") == from
            && (until == to || args.month.is_some() && (from.as_str()..=to.as_str()).contains(&until))
    };
    let rows = page["items"].as_array().into_iter().flatten().filter(fits);
    // Of equals the last is taken; the newest comes first.
    let found = rows.rev().max_by_key(|row| text(row, "to")).map(|row| text(row, "id").to_owned());
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
