//! `jembatan outage`: outage episodes, and those a person opens or closes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Language;
use super::api::Api;
use super::report::write_out;
use super::root::CliError;
use super::words::{cause, local, service, side, table, text};
use crate::report::render::csv;

/// Arguments of `jembatan outage`.
#[derive(Debug, Args)]
pub struct OutageArgs {
    /// Apa yang dikerjakan.
    #[command(subcommand)]
    pub command: OutageCommand,
}

/// Gangguan (outages).
#[derive(Debug, Subcommand)]
pub enum OutageCommand {
    /// Daftar gangguan, terbaru dulu (list, newest first)
    List {
        /// Kode faskes (facility code)
        #[arg(long, value_name = "KODE")]
        facility: Option<String>,
        /// Paling banyak sekian baris (at most)
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Satu gangguan dengan buktinya (one outage with its evidence)
    Show {
        /// Nomor gangguan (number)
        #[arg(value_name = "NOMOR")]
        id: i64,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Membuka gangguan secara manual, misalnya listrik padam (open by hand)
    Open {
        /// Kode faskes (facility code)
        #[arg(long, value_name = "KODE")]
        facility: String,
        /// Layanan: pcare, vclaim, antrean_fktp, icare (service)
        #[arg(long, value_name = "LAYANAN", default_value = "pcare")]
        service: String,
        /// Pihak: none, us, network, bpjs (whose fault)
        #[arg(long, value_name = "PIHAK")]
        verdict: Option<String>,
        /// Alasan, misalnya nomor pengumuman BPJS (reason)
        #[arg(long, value_name = "TEKS")]
        reason: String,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Menutup gangguan (close)
    Close {
        /// Nomor gangguan (number)
        #[arg(value_name = "NOMOR")]
        id: i64,
        /// Alasan (reason)
        #[arg(long, value_name = "TEKS")]
        reason: String,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Menulis semua gangguan ke berkas (export)
    Export {
        /// Kode faskes (facility code)
        #[arg(long, value_name = "KODE")]
        facility: Option<String>,
        /// Bentuk (format)
        #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
        format: ExportFormat,
        /// Berkas tujuan; tanpa ini ke keluaran baku (file)
        #[arg(long, value_name = "BERKAS")]
        out: Option<PathBuf>,
    },
}

/// Forms of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Tabel untuk Excel
    Csv,
    /// JSON
    Json,
}

/// Runs one outage command.
///
/// # Errors
/// What the daemon answers.
pub fn run(args: &OutageArgs, api: &Api, language: Language) -> Result<(), CliError> {
    let (answer, json) = match &args.command {
        OutageCommand::List { facility, limit, json } => {
            let items = all(api, facility.as_deref(), *limit)?;
            return list(&items, *json, language);
        }
        OutageCommand::Export { facility, format, out } => {
            let items = all(api, facility.as_deref(), 1000)?;
            return write_out(out.as_deref(), &export(&items, *format));
        }
        OutageCommand::Show { id, json } => (api.get(&format!("/v1/outages/{id}"), &[])?, *json),
        OutageCommand::Open { facility, service, verdict, reason, json } => {
            let body = json!({ "facility": facility, "service": service, "verdict": verdict, "reason": reason });
            (api.post("/v1/outages", &body)?, *json)
        }
        OutageCommand::Close { id, reason, json } => {
            (api.post(&format!("/v1/outages/{id}/close"), &json!({ "reason": reason }))?, *json)
        }
    };
    if json {
        say!("{answer}");
    } else {
        say!("{}", details(&answer, language));
    }
    Ok(())
}

fn all(api: &Api, facility: Option<&str>, limit: usize) -> Result<Vec<Value>, CliError> {
    let limit = limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(facility.map(|code| ("facility", code)));
    Ok(api.get("/v1/outages", &query)?["items"].as_array().cloned().unwrap_or_default())
}

fn list(items: &[Value], json: bool, language: Language) -> Result<(), CliError> {
    if json {
        say!("{}", json!({ "items": items, "next": null }));
        return Ok(());
    }
    if items.is_empty() {
        eprintln!("{}", language.pick("Belum pernah ada gangguan.", "No outage on record."));
        return Ok(());
    }
    let head = match language {
        Language::Indonesian => {
            ["NO", "FASKES", "LAYANAN", "MULAI", "SELESAI", "PIHAK", "SEBAB", "DITERIMA", "TERLAMBAT"]
        }
        Language::English => ["NO", "FACILITY", "SERVICE", "BEGAN", "ENDED", "FAULT", "CAUSE", "ACCEPTED", "LATE"],
    };
    let row = |outage: &Value| {
        let ended = outage["closed_at"].as_str().map_or_else(|| language.pick("masih", "open").to_owned(), local);
        vec![
            outage["id"].to_string(),
            text(outage, "facility").to_owned(),
            service(text(outage, "service")).to_owned(),
            local(text(outage, "opened_at")),
            ended,
            side(text(outage, "verdict"), language).to_owned(),
            cause(text(outage, "cause"), language).to_owned(),
            outage["accepted"].to_string(),
            outage["late"].to_string(),
        ]
    };
    say!("{}", table(&head, &items.iter().map(row).collect::<Vec<_>>()));
    Ok(())
}

fn details(outage: &Value, language: Language) -> String {
    let pick = |indonesian, english| language.pick(indonesian, english);
    let ended = outage["closed_at"].as_str().map_or_else(|| pick("masih berlangsung", "still open").to_owned(), local);
    let closed_by = outage["closed_by"].as_str().map(|who| format!(" · {who}")).unwrap_or_default();
    let touched = format!(
        "{} {}, {} {}, {} {}",
        outage["accepted"],
        pick("diterima", "accepted"),
        outage["affected"],
        pick("belum selesai", "unfinished"),
        outage["late"],
        pick("terlambat", "late")
    );
    let lines = [
        (
            pick("Gangguan", "Outage"),
            format!("#{} · {} · {}", outage["id"], text(outage, "facility"), service(text(outage, "service"))),
        ),
        (pick("Mulai", "Began"), format!("{} · {}", local(text(outage, "opened_at")), text(outage, "opened_by"))),
        (pick("Selesai", "Ended"), format!("{ended}{closed_by}")),
        (pick("Pihak", "Fault"), side(text(outage, "verdict"), language).to_owned()),
        (pick("Sebab", "Cause"), cause(text(outage, "cause"), language).to_owned()),
        (pick("Entri", "Entries"), touched),
        (pick("Bukti", "Evidence"), outage["evidence"].to_string()),
    ];
    lines.iter().map(|(label, value)| format!("{label:<9} {value}")).collect::<Vec<_>>().join("\n")
}

fn export(items: &[Value], format: ExportFormat) -> Vec<u8> {
    match format {
        ExportFormat::Json => format!("{:#}\n", json!({ "items": items })).into_bytes(),
        ExportFormat::Csv => {
            let names = [
                "id",
                "facility",
                "service",
                "opened_at",
                "closed_at",
                "verdict",
                "cause",
                "accepted",
                "affected",
                "late",
                "opened_by",
                "closed_by",
            ];
            let cell = |value: &Value| {
                value
                    .as_str()
                    .map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
            };
            let rows = items.iter().map(|item| names.iter().map(|name| cell(&item[*name])).collect());
            csv::sheet(&names, rows)
        }
    }
}
