//! `jembatan pause` and `jembatan resume`: sending stops and goes on; accepting goes on anyway.

use clap::Args;
use serde_json::{Value, json};

use super::Language;
use super::api::Api;
use super::root::CliError;
use super::words::{local, table, text};

/// Arguments of `jembatan pause` and `jembatan resume`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// Kode faskes; tanpa ini semuanya (facility code; without: everything)
    #[arg(long, value_name = "KODE")]
    pub facility: Option<String>,
    /// Alasan, masuk log keamanan (reason)
    #[arg(long, value_name = "TEKS")]
    pub reason: String,
    /// Sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

/// Pauses (`true`) or resumes.
///
/// # Errors
/// What the daemon answers.
pub fn run(args: &PauseArgs, pauses: bool, api: &Api, language: Language) -> Result<(), CliError> {
    let facility = args.facility.as_deref().unwrap_or("*");
    let body = json!({ "facility": facility, "reason": args.reason });
    let mut now = if pauses { api.post("/v1/pauses", &body)? } else { api.delete("/v1/pauses", &body)? };
    if !pauses && args.facility.is_none() {
        // Without a facility everything goes on, also what was paused facility by facility.
        let left = now["items"].as_array().cloned().unwrap_or_default();
        for pause in &left {
            let body = json!({ "facility": text(pause, "facility"), "reason": args.reason });
            now = api.delete("/v1/pauses", &body)?;
        }
    }
    if args.json {
        say!("{now}");
        return Ok(());
    }
    let items = now["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        say!("{}", language.pick("Tidak ada yang dijeda; semuanya dikirim.", "Nothing is paused; everything is sent."));
        return Ok(());
    }
    say!("{}", language.pick("Dijeda (entri tetap diterima):", "Paused (entries are still accepted):"));
    say!("{}", listing(items, language));
    Ok(())
}

fn listing(items: &[Value], language: Language) -> String {
    let head = match language {
        Language::Indonesian => ["FASKES", "SEJAK", "OLEH", "ALASAN"],
        Language::English => ["FACILITY", "SINCE", "BY", "REASON"],
    };
    let row = |pause: &Value| {
        let facility = if pause["facility"] == "*" { language.pick("semua", "all") } else { text(pause, "facility") };
        vec![
            facility.to_owned(),
            local(text(pause, "since")),
            text(pause, "actor").to_owned(),
            text(pause, "reason").to_owned(),
        ]
    };
    table(&head, &items.iter().map(row).collect::<Vec<_>>())
}
