//! `jembatan keep`: what is kept of reads for outages.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Language;
use super::api::Api;
use super::root::CliError;
use super::words::{local, service, table, text};

/// Arguments of `jembatan keep`.
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// Apa yang dikerjakan.
    #[command(subcommand)]
    pub command: KeepCommand,
}

/// Data simpanan untuk gangguan (kept reads).
#[derive(Debug, Subcommand)]
pub enum KeepCommand {
    /// Daftar referensi simpanan dan umurnya (list, with ages)
    List {
        /// Kode faskes (facility code)
        #[arg(long, value_name = "KODE")]
        facility: Option<String>,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Mengambil ulang referensi satu faskes dari BPJS (fetch anew)
    Refresh(FacilityArgs),
    /// Menghapus semua data simpanan satu faskes, juga kepesertaan (wipe)
    Clear(FacilityArgs),
}

/// Which facility, and why.
#[derive(Debug, Args)]
pub struct FacilityArgs {
    /// Kode faskes (facility code)
    #[arg(long, value_name = "KODE")]
    pub facility: String,
    /// Alasan, masuk log keamanan (reason)
    #[arg(long, value_name = "TEKS")]
    pub reason: String,
    /// Sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

/// Runs one of them.
///
/// # Errors
/// What the daemon answers.
pub fn run(args: &KeepArgs, api: &Api, language: Language) -> Result<(), CliError> {
    match &args.command {
        KeepCommand::List { facility, json } => {
            let query: Vec<_> = facility.iter().map(|code| ("facility", code.as_str())).collect();
            list(&api.get("/v1/kept", &query)?, *json, language);
        }
        KeepCommand::Refresh(args) => {
            let answer = api.post("/v1/kept/refresh", &body(args))?;
            let words = if answer["fetches"] == true {
                language.pick(
                    "Referensi diambil ulang begitu jalur ke BPJS longgar; lihat 'jembatan keep list'.",
                    "References are fetched anew as soon as the lane has room; see 'jembatan keep list'.",
                )
            } else {
                language.pick(
                    "Pengambilan di muka dimatikan ([keep] refresh, [gateway] enabled): tidak ada yang diambil.",
                    "Fetching ahead is off ([keep] refresh, [gateway] enabled): nothing is fetched.",
                )
            };
            tell(&answer, args.json, words);
        }
        KeepCommand::Clear(args) => {
            let answer = api.delete("/v1/kept", &body(args))?;
            let gone = &answer["gone"];
            let words = match language {
                Language::Indonesian => format!("{gone} baris dan kepesertaan simpanan dihapus."),
                Language::English => format!("{gone} kept rows and standings deleted."),
            };
            tell(&answer, args.json, &words);
        }
    }
    Ok(())
}

fn body(args: &FacilityArgs) -> Value {
    json!({ "facility": args.facility, "reason": args.reason })
}

fn tell(answer: &Value, json: bool, words: &str) {
    if json {
        say!("{answer}");
    } else {
        say!("{words}");
    }
}

fn list(answer: &Value, json: bool, language: Language) {
    if json {
        say!("{answer}");
        return;
    }
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let members = answer["eligibility"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() && members.is_empty() {
        say!("{}", language.pick("Belum ada data simpanan.", "Nothing is kept yet."));
        return;
    }
    let head = match language {
        Language::Indonesian => ["FASKES", "OPERASI", "ARGUMEN", "BARIS", "LENGKAP", "TERTUA", "TERBARU"],
        Language::English => ["FACILITY", "OPERATION", "ARGUMENTS", "ROWS", "COMPLETE", "OLDEST", "NEWEST"],
    };
    let when = |item: &Value, name: &str| item[name].as_str().map_or_else(|| "-".to_owned(), local);
    let row = |item: &Value| {
        vec![
            text(item, "facility").to_owned(),
            text(item, "operation").to_owned(),
            text(item, "arguments").to_owned(),
            item["rows"].to_string(),
            format!("{}/{}", item["complete"], item["searches"]),
            when(item, "oldest_complete"),
            when(item, "newest"),
        ]
    };
    say!("{}", table(&head, &items.iter().map(row).collect::<Vec<_>>()));
    for one in members {
        let (facility, count) = (text(one, "facility"), &one["members"]);
        let kind = service(text(one, "service"));
        match language {
            Language::Indonesian => say!("{facility} · {kind}: kepesertaan {count} orang tersimpan"),
            Language::English => say!("{facility} · {kind}: standing of {count} members kept"),
        }
    }
}
