//! `jembatan queue`: deliveries, one by one or by filter.
//!
//! Job: list, show with the timeline in words, and a person's acts. Invariants: listings show meanings, not BPJS's words
//! (they may name a patient); an act always has a reason. Neighbours: the API's `/v1/deliveries`. What it does not do:
//! decide what is allowed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::Language;
use super::api::Api;
use super::root::CliError;
use super::words::{local, outcome, short, state, table, text, who};

/// Arguments of `jembatan queue`.
#[derive(Debug, Args)]
pub struct QueueArgs {
    /// Apa yang dikerjakan.
    #[command(subcommand)]
    pub command: QueueCommand,
}

/// Pengantaran: melihat dan menindak (deliveries).
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Daftar pengantaran (list)
    List {
        /// Saringan.
        #[command(flatten)]
        filter: Filter,
        /// Paling banyak sekian baris (at most)
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Satu pengantaran dengan riwayat percobaannya (one delivery with its attempts)
    Show {
        /// Id pengantaran (delivery id)
        #[arg(value_name = "ID")]
        id: String,
        /// Hanya isi entri sebagai JSON; memuat data pribadi (only the payload)
        #[arg(long, conflicts_with = "json")]
        payload: bool,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Coba lagi; selama hasilnya belum diketahui: cari lagi di BPJS (try again)
    Retry(ActArgs),
    /// Tahan (hold)
    Hold(ActArgs),
    /// Lepaskan (release)
    Release(ActArgs),
    /// Batalkan sebelum dikirim (cancel)
    Cancel(ActArgs),
    /// Putuskan: ada di BPJS dengan nomor ini, atau tidak ada (declare it adopted or absent)
    Resolve {
        /// Id pengantaran (delivery id)
        #[arg(value_name = "ID")]
        id: String,
        /// Putusan (verdict)
        #[arg(long, value_enum)]
        verdict: Resolution,
        /// Nomor dari BPJS, misalnya noKunjungan=0114A0261126Y000001; boleh diulang (an id assigned by BPJS)
        #[arg(long = "id", value_name = "NAMA=NOMOR")]
        ids: Vec<String>,
        /// Alasan, masuk log keamanan (reason)
        #[arg(long, value_name = "TEKS")]
        reason: String,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Perbaiki isi entri yang ditolak (mend the payload)
    Amend {
        /// Id pengantaran (delivery id)
        #[arg(value_name = "ID")]
        id: String,
        /// Berkas JSON dengan isi yang benar, atau - untuk masukan baku (the payload)
        #[arg(long, value_name = "BERKAS")]
        payload: PathBuf,
        /// Alasan, masuk log keamanan (reason)
        #[arg(long, value_name = "TEKS")]
        reason: String,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
}

/// Which deliveries.
#[derive(Debug, Args)]
pub struct Filter {
    /// Keadaan: waiting, sending, delivered, unanswered, refused, held, expired, cancelled (state)
    #[arg(long, value_name = "KEADAAN")]
    pub state: Option<String>,
    /// Kode faskes (facility code)
    #[arg(long, value_name = "KODE")]
    pub facility: Option<String>,
    /// Operasi, misalnya pcare.obat.add (operation)
    #[arg(long, value_name = "NAMA")]
    pub operation: Option<String>,
    /// Hanya yang lewat batasnya (only late ones)
    #[arg(long)]
    pub late: bool,
}

/// What is done to which deliveries.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").args(["ids", "state", "facility", "operation", "late"]).required(true).multiple(true)))]
pub struct ActArgs {
    /// Id pengantaran; tanpa id: semua yang kena saringan (delivery ids; without: by filter)
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Saringan.
    #[command(flatten)]
    pub filter: Filter,
    /// Alasan, masuk log keamanan (reason)
    #[arg(long, value_name = "TEKS")]
    pub reason: String,
    /// Hanya tunjukkan yang akan kena (only show)
    #[arg(long)]
    pub dry_run: bool,
    /// Sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

/// What a person found at BPJS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Resolution {
    /// Ada di BPJS: pakai nomornya (it is there)
    Adopt,
    /// Tidak ada di BPJS: kirim lagi (it is not there)
    Absent,
}

/// Runs one queue command.
///
/// # Errors
/// What the daemon answers; [`CliError::NeedsPerson`] if it refused some of several.
pub fn run(args: &QueueArgs, api: &Api, language: Language) -> Result<(), CliError> {
    match &args.command {
        QueueCommand::List { filter, limit, json } => list(api, filter, *limit, *json, language),
        QueueCommand::Show { id, payload, json } => show(api, id, *payload, *json, language),
        QueueCommand::Retry(act) => many(api, "retry", act, language),
        QueueCommand::Hold(act) => many(api, "hold", act, language),
        QueueCommand::Release(act) => many(api, "release", act, language),
        QueueCommand::Cancel(act) => many(api, "cancel", act, language),
        QueueCommand::Resolve { id, verdict, ids, reason, json } => {
            resolve(api, id, *verdict, ids, reason, *json, language)
        }
        QueueCommand::Amend { id, payload, reason, json } => {
            let body = json!({ "payload": read_payload(payload)?, "reason": reason });
            one(&api.post(&format!("/v1/deliveries/{}/amend", segment(id)?), &body)?, *json, language)
        }
    }
}

impl Filter {
    fn query(&self) -> Vec<(&str, &str)> {
        let pairs = [("state", &self.state), ("facility", &self.facility), ("operation", &self.operation)];
        let mut query: Vec<(&str, &str)> =
            pairs.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
        if self.late {
            query.push(("late", "true"));
        }
        query
    }
}

/// An id is part of a path: it has no other shape than ids have.
fn segment(id: &str) -> Result<&str, CliError> {
    let fits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if fits { Ok(id) } else { Err(CliError::Other(anyhow!("id: {id:?}"))) }
}

fn list(api: &Api, filter: &Filter, limit: usize, json: bool, language: Language) -> Result<(), CliError> {
    let (items, next) = api.all("/v1/deliveries", &filter.query(), limit)?;
    if json {
        say!("{}", json!({ "items": items, "next": next }));
        return Ok(());
    }
    if items.is_empty() {
        eprintln!("{}", language.pick("Tidak ada.", "None."));
        return Ok(());
    }
    let head = match language {
        Language::Indonesian => ["ID", "FASKES", "OPERASI", "REF", "KEADAAN", "BATAS", "KETERANGAN"],
        Language::English => ["ID", "FACILITY", "OPERATION", "REF", "STATE", "LIMIT", "REMARK"],
    };
    let rows: Vec<Vec<String>> = items.iter().map(|item| row(item, language)).collect();
    say!("{}", table(&head, &rows));
    if next.is_some() {
        let more = language.pick("Masih ada lagi: --limit N, atau saring.", "There are more: --limit N, or filter.");
        eprintln!("{more}");
    }
    Ok(())
}

fn row(item: &Value, language: Language) -> Vec<String> {
    let late = if item["late"] == true { language.pick(" TERLAMBAT", " LATE") } else { "" };
    let limit = local(text(&item["deadline"], "late"));
    vec![
        text(item, "id").to_owned(),
        text(item, "facility").to_owned(),
        text(item, "operation").to_owned(),
        text(item, "ref").to_owned(),
        state(text(item, "state"), language).to_owned(),
        format!("{}{late}", limit.get(..16).unwrap_or("-")),
        short(&remark(item, language), 70),
    ]
}

/// Why a delivery is where it is, without BPJS's words.
fn remark(item: &Value, language: Language) -> String {
    let (why, blocked) = (&item["why"], &item["blocked_by"]);
    if let Some(detail) = blocked["detail"].as_str() {
        return match blocked["kind"].as_str() {
            Some("time") => format!("{} {}", language.pick("tidak sebelum", "not before"), local(detail)),
            Some(_) | None => detail.to_owned(),
        };
    }
    if let Some(id) = blocked["id"].as_str() {
        return format!("{} {id}", language.pick("menunggu", "waits for"));
    }
    if item["state"] == "delivered" {
        let ids = item["remote"].as_object().into_iter().flatten();
        return ids
            .map(|(name, id)| format!("{name} {}", id.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    text(why, "meaning").to_owned()
}

fn show(api: &Api, id: &str, payload: bool, json: bool, language: Language) -> Result<(), CliError> {
    let item = api.get(&format!("/v1/deliveries/{}", segment(id)?), &[])?;
    if payload {
        say!("{:#}", item["payload"]);
    } else if json {
        say!("{item}");
    } else {
        say!("{}", details(&item, language));
    }
    Ok(())
}

fn details(item: &Value, language: Language) -> String {
    let pick = |indonesian, english| language.pick(indonesian, english);
    let (why, deadline) = (&item["why"], &item["deadline"]);
    let how = match text(item, "how") {
        "accepted" => pick(" (diterima langsung)", " (accepted)"),
        "already_there" => pick(" (sudah ada di BPJS)", " (was there already)"),
        "adopted" => pick(" (ditemukan dan diakui)", " (found and adopted)"),
        _ => "",
    };
    let late = if item["late"] == true { pick(" · TERLAMBAT", " · LATE") } else { "" };
    let mut lines = vec![
        (pick("Id", "Id"), text(item, "id").to_owned()),
        (
            pick("Entri", "Entry"),
            format!("{} · {} · {}", text(item, "ref"), text(item, "operation"), text(item, "facility")),
        ),
        (pick("Kiriman", "Submission"), text(item, "submission").to_owned()),
        (pick("Keadaan", "State"), format!("{}{how}{late}", state(text(item, "state"), language))),
        (pick("Keterangan", "Remark"), remark(item, language)),
    ];
    if why.is_object() {
        lines.push((pick("Kata BPJS", "BPJS says"), text(why, "message").to_owned()));
        lines.push((pick("Langkah", "Next"), format!("{} ({})", text(why, "next"), who(text(why, "who"), language))));
    }
    let dates =
        [("target", pick("target", "target")), ("late", pick("terlambat", "late")), ("last", pick("terakhir", "last"))];
    let dates = dates.iter().filter(|(name, _)| deadline[*name].is_string());
    let dates: Vec<String> = dates.map(|(name, label)| format!("{label} {}", local(text(deadline, name)))).collect();
    lines.push((pick("Batas", "Limits"), dates.join(" · ")));
    let mut out: String = lines
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| format!("{label:<11} {}\n", short(value, 400)))
        .collect();
    out.push_str(&timeline(item, language));
    out
}

fn timeline(item: &Value, language: Language) -> String {
    let attempts = item["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
    if attempts.is_empty() {
        return language.pick("Belum pernah dicoba.", "Not tried yet.").to_owned();
    }
    let rows: Vec<Vec<String>> = attempts
        .iter()
        .map(|attempt| {
            let purpose = match text(attempt, "purpose") {
                "send" => language.pick("kirim", "send"),
                _ => language.pick("cari di BPJS", "look up"),
            };
            let code = attempt["code"].as_i64().map_or_else(|| "-".to_owned(), |code| code.to_string());
            vec![
                attempt["n"].to_string(),
                local(text(attempt, "started_at")),
                purpose.to_owned(),
                code,
                outcome(text(attempt, "outcome"), language).to_owned(),
                short(text(attempt, "detail"), 60),
            ]
        })
        .collect();
    let head = match language {
        Language::Indonesian => ["NO", "MULAI", "PERCOBAAN", "KODE", "HASIL", "KETERANGAN"],
        Language::English => ["NO", "BEGAN", "ATTEMPT", "CODE", "OUTCOME", "REMARK"],
    };
    format!("\n{}", table(&head, &rows))
}

fn many(api: &Api, action: &str, act: &ActArgs, language: Language) -> Result<(), CliError> {
    let mut filter = Map::new();
    if !act.ids.is_empty() {
        filter.insert("ids".to_owned(), json!(act.ids));
    }
    for (name, value) in act.filter.query() {
        let value = if name == "late" { Value::Bool(true) } else { value.into() };
        filter.insert(name.to_owned(), value);
    }
    let body = json!({ "action": action, "filter": filter, "reason": act.reason, "dry_run": act.dry_run });
    let done = api.post("/v1/deliveries/actions", &body)?;
    let items = |name: &str| done[name].as_array().cloned().unwrap_or_default();
    let refused = items("refused");
    if act.json {
        say!("{done}");
    } else {
        for item in items("items") {
            say!("{}  {}", text(&item, "id"), state(text(&item, "state"), language));
        }
        for item in &refused {
            eprintln!("{}  {}", text(item, "id"), text(item, "detail"));
        }
        let (indonesian, english) =
            if act.dry_run { ("akan kena", "would be touched") } else { ("dikerjakan", "done") };
        eprintln!("{} {}", items("items").len(), language.pick(indonesian, english));
        if done["more"] == true {
            eprintln!(
                "{}",
                language.pick("Masih ada lagi: ulangi perintah ini.", "There are more: repeat the command.")
            );
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    let text = language.pick("tidak dapat dikerjakan, lihat alasannya di atas", "could not be done, see above");
    Err(CliError::NeedsPerson(format!("{} {text}", refused.len())))
}

fn resolve(
    api: &Api,
    id: &str,
    verdict: Resolution,
    ids: &[String],
    reason: &str,
    json: bool,
    language: Language,
) -> Result<(), CliError> {
    let mut body = match verdict {
        Resolution::Adopt => json!({ "verdict": "adopt", "reason": reason }),
        Resolution::Absent => json!({ "verdict": "absent", "reason": reason }),
    };
    let mut remote = Map::new();
    for pair in ids {
        let (name, value) = pair.split_once('=').ok_or_else(|| anyhow!("--id {pair}: NAMA=NOMOR"))?;
        remote.insert(name.to_owned(), value.into());
    }
    if !remote.is_empty() {
        body["remote"] = Value::Object(remote);
    }
    one(&api.post(&format!("/v1/deliveries/{}/resolve", segment(id)?), &body)?, json, language)
}

fn one(item: &Value, json: bool, language: Language) -> Result<(), CliError> {
    if json {
        say!("{item}");
    } else {
        say!("{}  {}", text(item, "id"), state(text(item, "state"), language));
    }
    Ok(())
}

fn read_payload(path: &Path) -> Result<Value, CliError> {
    let text = read_text(path)?;
    Ok(serde_json::from_str(&text).with_context(|| path.display().to_string())?)
}

/// A file, or standard input for `-`.
pub(super) fn read_text(path: &Path) -> Result<String, CliError> {
    if path == Path::new("-") {
        return Ok(std::io::read_to_string(std::io::stdin()).context("stdin")?);
    }
    Ok(std::fs::read_to_string(path).with_context(|| path.display().to_string())?)
}
