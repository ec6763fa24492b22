//! `jembatan audit`: the security log's chain, verified and exported.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Language;
use super::api::Api;
use super::outage::ExportFormat;
use super::report::write_out;
use super::root::CliError;
use super::words::text;
use crate::audit::{self, Entry};
use crate::report::render::csv;

/// Arguments of `jembatan audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Apa yang dikerjakan.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// Log keamanan (security log).
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Menghitung ulang rantai hash dari catatan pertama (recompute the chain)
    Verify {
        /// Cocokkan dengan cap pada berita acara, misalnya 120:9f3c… (compare with a printed checkpoint)
        #[arg(long, value_name = "NOMOR:HASH")]
        checkpoint: Option<String>,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Menulis seluruh log (export)
    Export {
        /// Bentuk (format)
        #[arg(long, value_enum, default_value_t = ExportFormat::Json)]
        format: ExportFormat,
        /// Berkas tujuan; tanpa ini ke keluaran baku (file)
        #[arg(long, value_name = "BERKAS")]
        out: Option<PathBuf>,
    },
}

/// Runs one audit command.
///
/// # Errors
/// What the daemon answers; [`CliError::NeedsPerson`] if the chain is broken.
pub fn run(args: &AuditArgs, api: &Api, language: Language) -> Result<(), CliError> {
    let (items, _) = api.all("/v1/audit", &[], usize::MAX)?;
    match &args.command {
        AuditCommand::Export { format, out } => write_out(out.as_deref(), &export(&items, *format)),
        AuditCommand::Verify { checkpoint, json } => {
            let entries = items.iter().map(entry).collect::<Option<Vec<_>>>();
            let entries = entries.ok_or_else(|| anyhow!("log: JSON"))?;
            let judged = verify(&entries, checkpoint.as_deref().map(read_checkpoint).transpose()?);
            say(&entries, judged, *json, language)
        }
    }
}

/// The number of the first entry that does not fit.
fn verify(entries: &[Entry], checkpoint: Option<(i64, String)>) -> Result<(), i64> {
    audit::verify(&audit::genesis(), 1, entries)?;
    match checkpoint {
        None => Ok(()),
        Some((seq, hash)) => {
            let same = |entry: &Entry| entry.seq == seq && entry.hash.starts_with(&hash);
            if entries.iter().any(same) { Ok(()) } else { Err(seq) }
        }
    }
}

fn say(entries: &[Entry], judged: Result<(), i64>, json: bool, language: Language) -> Result<(), CliError> {
    let last = entries.last();
    if json {
        let (head, broken) = (last.map(|entry| json!({ "seq": entry.seq, "hash": entry.hash })), judged.err());
        say!(
            "{}",
            json!({ "ok": broken.is_none(), "entries": entries.len(), "first_broken": broken, "checkpoint": head })
        );
    } else if let (Ok(()), Some(last)) = (judged, last) {
        let words = language.pick("catatan, rantai utuh. Cap", "entries, the chain is whole. Checkpoint");
        say!("{} {words} {}:{}", entries.len(), last.seq, last.hash);
    } else if judged.is_ok() {
        say!("{}", language.pick("Log masih kosong.", "The log is empty."));
    }
    judged.map_err(|seq| {
        CliError::NeedsPerson(match language {
            Language::Indonesian => {
                format!("rantai putus pada catatan {seq}: log diubah atau tidak lengkap. Amankan basis data dan cadangannya.")
            }
            Language::English => {
                format!("the chain breaks at entry {seq}: altered or incomplete. Secure the database and its backups.")
            }
        })
    })
}

fn read_checkpoint(text: &str) -> Result<(i64, String), CliError> {
    let parsed = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.to_lowercase())));
    let fits = |(_, hash): &(i64, String)| hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(parsed.filter(fits).ok_or_else(|| anyhow!("--checkpoint {text}: NOMOR:HASH"))?)
}

/// An entry as the API shows it.
pub(super) fn entry(value: &Value) -> Option<Entry> {
    Some(Entry {
        seq: value["seq"].as_i64()?,
        at: value["at"].as_str()?.parse().ok()?,
        actor: value["actor"].as_str()?.to_owned(),
        action: value["action"].as_str()?.to_owned(),
        object: value["object"].as_str()?.to_owned(),
        detail: value["detail"].as_str()?.to_owned(),
        hash: value["hash"].as_str()?.to_owned(),
    })
}

fn export(items: &[Value], format: ExportFormat) -> Vec<u8> {
    match format {
        ExportFormat::Json => format!("{:#}\n", json!({ "items": items })).into_bytes(),
        ExportFormat::Csv => {
            let names = ["seq", "at", "actor", "action", "object", "detail", "hash"];
            let cell = |item: &Value, name: &str| match name {
                "seq" => item["seq"].to_string(),
                other => text(item, other).to_owned(),
            };
            let rows = items.iter().map(|item| names.iter().map(|name| cell(item, name)).collect());
            csv::sheet(&names, rows)
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn chain(count: i64) -> Vec<Entry> {
        let mut previous = audit::genesis();
        (1..=count)
            .map(|seq| {
                let mut entry = Entry {
                    seq,
                    at: Timestamp::UNIX_EPOCH,
                    actor: "operator".into(),
                    action: "pause".into(),
                    object: "*".into(),
                    detail: String::new(),
                    hash: String::new(),
                };
                entry.hash = audit::link(&previous, &entry);
                previous.clone_from(&entry.hash);
                entry
            })
            .collect()
    }

    #[test]
    fn a_cut_tail_is_found_only_with_a_printed_checkpoint() {
        let mut entries = chain(4);
        let printed = (4, entries[3].hash[..16].to_owned());
        assert_eq!(verify(&entries, Some(printed.clone())), Ok(()));
        entries.pop();
        assert_eq!(verify(&entries, None), Ok(()));
        assert_eq!(verify(&entries, Some(printed)), Err(4));
    }

    #[test]
    fn an_altered_entry_is_named() {
        let mut entries = chain(4);
        entries[1].detail = "lain".into();
        assert_eq!(verify(&entries, None), Err(2));
    }
}
