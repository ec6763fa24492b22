//! `jembatan obligations`: the calendar of what the agreement asks for.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Language;
use super::api::Api;
use super::report::write_out;
use super::root::CliError;
use super::words::{local, short, table, text};
use crate::report::render::csv;

/// Columns of the CSV.
const COLUMNS: &[&str] = &["id", "facility", "due", "remind_from", "state", "title", "clause", "note", "uncertain"];

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
    /// Menjelaskan satu kewajiban: dasar, tanggal, apa yang menggesernya (explain one)
    Explain {
        /// Id dari daftar (id of the listing)
        #[arg(value_name = "ID")]
        id: String,
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
        ObligationsCommand::Explain { id, json } => {
            let page = api.get("/v1/obligations", &[])?;
            let found = page["items"].as_array().and_then(|items| items.iter().find(|duty| duty["id"] == id.as_str()));
            let duty =
                found.ok_or_else(|| anyhow!("{id}: {}", language.pick("tidak ada dalam daftar", "not listed")))?;
            if *json {
                say!("{duty}");
            } else {
                explain(duty, language);
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
        let doubt = if duty["uncertain"].is_null() { "" } else { " *" };
        let due = duty["due"].as_str().map_or_else(|| "-".to_owned(), |due| local(due) + doubt);
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
    if items.iter().any(|duty| !duty["uncertain"].is_null()) {
        say!("{}", language.pick(UNCERTAIN.0, UNCERTAIN.1));
    }
    for warning in page["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        say!("! {warning}");
    }
}

/// One duty in full.
fn explain(duty: &Value, language: Language) {
    let when = |name: &str| duty[name].as_str().map(local);
    let own = |name: &str| duty[name].as_str().map(str::to_owned);
    let done = duty["done"].as_object().map(|_| {
        let done = &duty["done"];
        format!("{} · {} · {}", local(text(done, "at")), text(done, "actor"), text(done, "reason"))
    });
    let lines = [
        (language.pick("Kewajiban", "Duty"), own("title")),
        (language.pick("Dasar", "Clause"), own("clause")),
        (language.pick("Perjanjian", "Agreement"), own("profile")),
        (language.pick("Faskes", "Facility"), own("facility")),
        (language.pick("Keadaan", "State"), Some(state(text(duty, "state"), language).to_owned())),
        (language.pick("Tenggat", "Due"), when("due")),
        (language.pick("Diingatkan", "Reminded"), when("remind_from")),
        (language.pick("Keterangan", "Note"), own("note")),
        (language.pick("Belum pasti", "Uncertain"), own("uncertain")),
        (language.pick("Lebih ketat", "Stricter"), own("stricter")),
        (language.pick("Selesai", "Done"), done),
    ];
    for (label, value) in lines.into_iter().filter_map(|(label, value)| Some((label, value?))) {
        say!("{label:<12} {value}");
    }
}

/// Below a listing in which a date is marked with `*`: Indonesian and English.
pub(super) const UNCERTAIN: (&str, &str) = (
    "* bergantung pada hari libur yang belum dicocokkan dengan SKB: cocokkan hari-libur.toml",
    "* rests on a holiday that was not compared with the decree: compare hari-libur.toml",
);

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
