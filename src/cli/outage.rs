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
    /// Mencatat pemeliharaan yang diumumkan di muka (announced maintenance)
    Plan {
        /// Kode faskes (facility code)
        #[arg(long, value_name = "KODE")]
        facility: String,
        /// Mulai, RFC 3339, misalnya 2026-11-28T22:00:00+08:00 (from)
        #[arg(long, value_name = "WAKTU")]
        from: String,
        /// Selesai, RFC 3339 (to)
        #[arg(long, value_name = "WAKTU")]
        to: String,
        /// Pihak yang memelihara: us, network, bpjs (whose maintenance)
        #[arg(long, value_name = "PIHAK")]
        verdict: Option<String>,
        /// Alasan, misalnya nomor pengumuman BPJS (reason)
        #[arg(long, value_name = "TEKS")]
        reason: String,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Daftar pemeliharaan yang diumumkan dan belum lewat (announced maintenance still ahead)
    Plans {
        /// Kode faskes (facility code)
        #[arg(long, value_name = "KODE")]
        facility: Option<String>,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Menarik kembali pemeliharaan yang diumumkan (withdraw)
    Withdraw {
        /// Nomor pemeliharaan (number)
        #[arg(value_name = "NOMOR")]
        id: i64,
        /// Alasan, misalnya nomor pengumuman BPJS (reason)
        #[arg(long, value_name = "TEKS")]
        reason: String,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Menggolongkan gangguan: ordinary atau force_majeure, keadaan kahar (classify)
    Classify {
        /// Nomor gangguan (number)
        #[arg(value_name = "NOMOR")]
        id: i64,
        /// Golongan (class)
        #[arg(value_name = "GOLONGAN", value_parser = ["ordinary", "force_majeure"])]
        class: String,
        /// Alasan, misalnya nomor surat pejabat (reason)
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
        OutageCommand::Plan { facility, from, to, verdict, reason, json } => {
            let body = json!({ "facility": facility, "from": from, "to": to, "verdict": verdict, "reason": reason });
            planned(&api.post("/v1/outages/plans", &body)?, *json);
            return Ok(());
        }
        OutageCommand::Plans { facility, json } => return plans(api, facility.as_deref(), *json, language),
        OutageCommand::Withdraw { id, reason, json } => {
            planned(&api.post(&format!("/v1/outages/plans/{id}/withdraw"), &json!({ "reason": reason }))?, *json);
            return Ok(());
        }
        OutageCommand::Classify { id, class, reason, json } => {
            let body = json!({ "class": class, "reason": reason });
            (api.post(&format!("/v1/outages/{id}/classify"), &body)?, *json)
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

/// One announcement on one line.
fn planned(plan: &Value, json: bool) {
    if json {
        say!("{plan}");
    } else {
        let (from, to) = (local(text(plan, "from")), local(text(plan, "to")));
        say!("#{} · {from} – {to} · {}", plan["id"], text(plan, "reason"));
    }
}

fn plans(api: &Api, facility: Option<&str>, json: bool, language: Language) -> Result<(), CliError> {
    let query: Vec<(&str, &str)> = facility.map(|code| ("facility", code)).into_iter().collect();
    let page = api.get("/v1/outages/plans", &query)?;
    if json {
        say!("{page}");
        return Ok(());
    }
    let items = page["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        eprintln!("{}", language.pick("Tidak ada pemeliharaan yang diumumkan.", "No maintenance is announced."));
        return Ok(());
    }
    let head = match language {
        Language::Indonesian => ["NO", "FASKES", "MULAI", "SELESAI", "PIHAK", "ALASAN"],
        Language::English => ["NO", "FACILITY", "FROM", "TO", "WHOSE", "REASON"],
    };
    let row = |plan: &Value| {
        vec![
            plan["id"].to_string(),
            text(plan, "facility").to_owned(),
            local(text(plan, "from")),
            local(text(plan, "to")),
            side(text(plan, "verdict"), language).to_owned(),
            text(plan, "reason").to_owned(),
        ]
    };
    say!("{}", table(&head, &items.iter().map(row).collect::<Vec<_>>()));
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
    let evaluation = &outage["evaluation"];
    let said =
        ["reasons", "contingency"].into_iter().flat_map(|name| evaluation[name].as_array().into_iter().flatten());
    let said = said.filter_map(Value::as_str).map(|line| format!("- {line}"));
    let lines = lines.iter().map(|(label, value)| format!("{label:<9} {value}"));
    lines.chain(said).collect::<Vec<_>>().join("\n")
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
