//! `jembatan obligations`: the calendar of what the agreement asks for.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Language;
use super::api::Api;
use super::report::write_out;
use super::root::CliError;
use super::words::{local, short, table, text};
use crate::report::render::csv;

/// Columns of the CSV.
const COLUMNS: &[&str] = &["id", "facility", "due", "remind_from", "state", "title", "clause", "note"];

/// Arguments of `jembatan obligations`.
#[derive(Debug, Args)]
pub struct ObligationsArgs {
    /// Apa yang dikerjakan.
    #[command(subcommand)]
    pub command: ObligationsCommand,
}

/// Kalender kewajiban perjanjian (calendar of obligations).
#[derive(Debug, Subcommand)]
pub enum ObligationsCommand {
    /// Daftar kewajiban menurut tanggalnya (list, by date)
    List {
        /// Kode faskes (facility code)
        #[arg(long, value_name = "KODE")]
        facility: Option<String>,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Menandai kewajiban selesai (mark as done)
    Done {
        /// Id dari daftar (id of the listing)
        #[arg(value_name = "ID")]
        id: String,
        /// Keterangan, masuk log keamanan (remark)
        #[arg(long, value_name = "TEKS")]
        reason: String,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Mencatat peristiwa yang menentukan tanggal, misalnya `vendor_change` (record an event)
    Event {
        /// Jenis peristiwa (kind)
        #[arg(value_name = "JENIS")]
        kind: String,
        /// Tanggal atau waktu; tidak perlu bila --outage diberi (day or instant)
        #[arg(long, value_name = "WAKTU")]
        at: Option<String>,
        /// Sampai kapan (until)
        #[arg(long, value_name = "WAKTU")]
        until: Option<String>,
        /// Nomor gangguan yang dinyatakan keadaan kahar (outage number)
        #[arg(long, value_name = "NOMOR")]
        outage: Option<i64>,
        /// Kode faskes; tanpa ini seluruh perjanjian (facility code)
        #[arg(long, value_name = "KODE")]
        facility: Option<String>,
        /// Keterangan, masuk log keamanan (remark)
        #[arg(long, value_name = "TEKS")]
        reason: String,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Menulis kalender (export)
    Export {
        /// Bentuk (format)
        #[arg(long, value_enum, default_value_t = CalendarFormat::Ics)]
        format: CalendarFormat,
        /// Kode faskes (facility code)
        #[arg(long, value_name = "KODE")]
        facility: Option<String>,
        /// Berkas tujuan; tanpa ini ke keluaran baku (file)
        #[arg(long, value_name = "BERKAS")]
        out: Option<PathBuf>,
    },
}

/// Shapes of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CalendarFormat {
    /// iCalendar.
    Ics,
    /// JSON.
    Json,
    /// Comma-separated.
    Csv,
}

/// Runs one obligations command.
///
/// # Errors
/// What the daemon answers.
pub fn run(args: &ObligationsArgs, api: &Api, language: Language) -> Result<(), CliError> {
    match &args.command {
        ObligationsCommand::List { facility, json } => {
            let page = api.get("/v1/obligations", &query(facility.as_deref()))?;
            if *json {
                say!("{page}");
            } else {
                list(&page, language);
            }
        }
        ObligationsCommand::Done { id, reason, json } => {
            let duty = api.post(&format!("/v1/obligations/{id}/done"), &json!({ "reason": reason }))?;
            if *json {
                say!("{duty}");
            } else {
                say!("{}: {}", text(&duty, "id"), state(text(&duty, "state"), language));
            }
        }
        ObligationsCommand::Event { kind, at, until, outage, facility, reason, json } => {
            let given = json!({
                "kind": kind, "at": at, "until": until, "outage": outage, "facility": facility, "reason": reason
            });
            let event = api.post("/v1/obligations/events", &given)?;
            if *json {
                say!("{event}");
            } else {
                say!("{} {} {}", event["id"], text(&event, "kind"), local(text(&event, "at")));
            }
        }
        ObligationsCommand::Export { format, facility, out } => {
            write_out(out.as_deref(), &export(api, *format, facility.as_deref())?)?;
        }
    }
    Ok(())
}

fn query(facility: Option<&str>) -> Vec<(&'static str, &str)> {
    facility.map(|code| ("facility", code)).into_iter().collect()
}

fn list(page: &Value, language: Language) {
    let head = match language {
        Language::Indonesian => ["TENGGAT", "KEADAAN", "FASKES", "KEWAJIBAN", "ID"],
        Language::English => ["DUE", "STATE", "FACILITY", "DUTY", "ID"],
    };
    let row = |duty: &Value| {
        let due = duty["due"].as_str().map_or_else(|| "-".to_owned(), local);
        vec![
            due,
            state(text(duty, "state"), language).to_owned(),
            text(duty, "facility").to_owned(),
            short(text(duty, "title"), 60),
            text(duty, "id").to_owned(),
        ]
    };
    let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    say!("{}", table(&head, &items.iter().map(row).collect::<Vec<_>>()));
    for warning in page["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        say!("! {warning}");
    }
}

fn state(word: &str, language: Language) -> &str {
    match word {
        "done" => language.pick("selesai", "done"),
        "remind" => language.pick("segera", "due soon"),
        "open" => language.pick("nanti", "open"),
        "overdue" => language.pick("TERLAMBAT", "OVERDUE"),
        other => other,
    }
}

fn export(api: &Api, format: CalendarFormat, facility: Option<&str>) -> Result<Vec<u8>, CliError> {
    let asked = query(facility);
    if format == CalendarFormat::Ics {
        return Ok(api.text("/v1/obligations.ics", &asked)?.into_bytes());
    }
    let page = api.get("/v1/obligations", &asked)?;
    let items = page["items"].as_array().cloned().unwrap_or_default();
    if format == CalendarFormat::Json {
        return Ok(format!("{}\n", Value::from(items)).into_bytes());
    }
    Ok(csv_of(&items))
}

fn csv_of(items: &[Value]) -> Vec<u8> {
    let row = |duty: &Value| COLUMNS.iter().map(|name| text(duty, name).to_owned()).collect::<Vec<_>>();
    csv::sheet(COLUMNS, items.iter().map(row))
}
