//! `jembatan reconcile`: compare with BPJS, adopt what is certain, say what is left.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{ArgGroup, Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Language;
use super::api::Api;
use super::queue::read_text;
use super::root::CliError;
use super::words::{class, short, state, table, text};
use crate::clock::Clock;
use crate::report::reconciliation::CLASSES;

/// Arguments of `jembatan reconcile`.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("days").args(["date", "from", "month"]).required(true)),
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct ReconcileArgs {
    /// Menyelesaikan perbedaan (settling)
    #[command(subcommand)]
    pub command: Option<ReconcileCommand>,
    /// Kode faskes (facility code)
    #[arg(long, value_name = "KODE", required = true)]
    pub facility: Option<String>,
    /// Satu hari, TTTT-BB-HH (one day)
    #[arg(long, value_name = "TANGGAL")]
    pub date: Option<Date>,
    /// Hari pertama (first day)
    #[arg(long, value_name = "TANGGAL", requires = "to")]
    pub from: Option<Date>,
    /// Hari terakhir (last day)
    #[arg(long, value_name = "TANGGAL", requires = "from")]
    pub to: Option<Date>,
    /// Satu bulan, TTTT-BB; hari yang belum tiba dilewati (one month)
    #[arg(long, value_name = "BULAN", value_parser = month)]
    pub month: Option<Date>,
    /// Daftar dari SIM: larik JSON, atau CSV ref, entry, operation, noKartu, tglDaftar; - untuk masukan baku (the SIM's list)
    #[arg(long, value_name = "BERKAS")]
    pub sim: Option<PathBuf>,
    /// Sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

/// What is done with a reconciliation that was made.
#[derive(Debug, Subcommand)]
pub enum ReconcileCommand {
    /// Menyelesaikan satu perbedaan, dengan nama dan alasan (settle one difference)
    Settle {
        /// Nomor rekonsiliasi (id)
        #[arg(value_name = "NOMOR")]
        id: String,
        /// Nomor perbedaan di dalamnya (item)
        #[arg(value_name = "N")]
        n: u64,
        /// Cara: adopted, entered, cancelled, corrected, accepted, other (how)
        #[arg(long, value_name = "CARA", value_parser = ["adopted", "entered", "cancelled", "corrected", "accepted", "other"])]
        how: String,
        /// Untuk adopted: nomor dari BPJS, misalnya kdObatSK=123 (ids at BPJS)
        #[arg(long = "remote", value_name = "NAMA=NOMOR", value_parser = pair)]
        remote: Vec<(String, String)>,
        /// Alasan (reason)
        #[arg(long, value_name = "TEKS")]
        reason: String,
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
}

/// The first day of a month.
pub(super) fn month(text: &str) -> Result<Date, String> {
    format!("{text}-01").parse().map_err(|_| "TTTT-BB, misalnya 2026-11 (YYYY-MM)".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let found = text.split_once('=').filter(|(name, id)| !name.is_empty() && !id.is_empty());
    found.map(|(name, id)| (name.to_owned(), id.to_owned())).ok_or_else(|| "NAMA=NOMOR".to_owned())
}

/// Reconciles.
///
/// # Errors
/// What the daemon answers; [`CliError::NeedsPerson`] if something differs or could not be read.
pub fn run(args: &ReconcileArgs, api: &Api, language: Language) -> Result<(), CliError> {
    if let Some(ReconcileCommand::Settle { id, n, how, remote, reason, json }) = &args.command {
        let mut body = json!({ "how": how, "reason": reason });
        if !remote.is_empty() {
            body["remote"] = remote.iter().map(|(name, id)| (name.clone(), Value::from(id.clone()))).collect();
        }
        let item = api.post(&format!("/v1/reconciliations/{id}/items/{n}/settle"), &body)?;
        if *json {
            say!("{item}");
        } else {
            say!("{n}: {} · {reason}", settled(how, language));
        }
        return Ok(());
    }
    let mut body = json!({ "facility": args.facility });
    // The last day of a month that is not over is today; the zone of this machine is near enough for that.
    let today = Clock::system().now().to_zoned(TimeZone::system()).date();
    let month = args.month.map(|first| (first, first.last_of_month().min(today.max(first))));
    let (from, to) = (args.from.or(month.map(|days| days.0)), args.to.or(month.map(|days| days.1)));
    for (name, day) in [("date", args.date), ("from", from), ("to", to)] {
        if let Some(day) = day {
            body[name] = day.to_string().into();
        }
    }
    if let Some(path) = &args.sim {
        body["sim"] = sim_list(path)?;
    }
    let report = api.post_patiently("/v1/reconciliations", &body)?;
    if args.json {
        say!("{report}");
    } else {
        say!("{}", render(&report, language).trim_end());
    }
    let open = open(&report);
    if open == 0 && report["complete"] != false {
        return Ok(());
    }
    let text = match language {
        Language::Indonesian => format!("{open} perbedaan perlu dilihat orang"),
        Language::English => format!("{open} differences need a person"),
    };
    Err(CliError::NeedsPerson(text))
}

/// What is neither equal nor merely late.
fn open(report: &Value) -> i64 {
    let differs = CLASSES.iter().filter(|class| **class != "equal");
    differs.map(|class| report["counts"][*class].as_i64().unwrap_or(0)).sum()
}

fn sim_list(path: &Path) -> Result<Value, CliError> {
    let text = read_text(path)?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('[') {
        let value: Value = serde_json::from_str(text).with_context(|| path.display().to_string())?;
        let fits = |item: &Value| item.is_string() || item["ref"].is_string();
        if !value.as_array().is_some_and(|list| list.iter().all(fits)) {
            return Err(CliError::Other(anyhow!("{}: [\"ref\", …] / [{{\"ref\": …}}, …]", path.display())));
        }
        return Ok(value);
    }
    Ok(text.into())
}

fn render(report: &Value, language: Language) -> String {
    let pick = |indonesian, english| language.pick(indonesian, english);
    let days = if report["from"] == report["to"] {
        text(report, "from").to_owned()
    } else {
        format!("{} – {}", text(report, "from"), text(report, "to"))
    };
    let mut out = format!("{} {} · {days}\n", pick("Rekonsiliasi", "Reconciliation"), text(report, "facility"));
    out.push_str(&format!("{:<18} {}\n", pick("nomor", "id"), text(report, "id")));
    for word in CLASSES.iter().chain(["late"].iter()) {
        out.push_str(&format!("{:<18} {:>6}\n", class(word, language), report["counts"][*word].as_i64().unwrap_or(0)));
    }
    out.push_str(&format!(
        "{:<18} {:>6}\n",
        pick("diakui sekarang", "adopted now"),
        report["adopted"].as_i64().unwrap_or(0)
    ));
    if let Some(moving) = report["moving"].as_i64().filter(|count| *count > 0) {
        out.push_str(&format!(
            "{moving} {}\n",
            pick("entri sedang dikirim, tidak ikut dibandingkan", "entries are moving and were left out")
        ));
    }
    let unlisted: Vec<String> = report["incomparable"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, count)| format!("{name} ({count})"))
        .collect();
    if !unlisted.is_empty() {
        let words =
            pick("Tidak dapat dibandingkan, BPJS tidak menyediakan daftar", "Cannot be compared, BPJS has no list");
        out.push_str(&format!("{words}: {}\n", unlisted.join(", ")));
    }
    if report["complete"] == false {
        let unread = report["unread"].as_array().into_iter().flatten();
        let mut lists: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
        unread.for_each(|read| *lists.entry(text(read, "operation")).or_default() += 1);
        let names: Vec<String> = lists.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        let words = pick("Tidak lengkap, BPJS tidak menjawab untuk", "Incomplete, BPJS did not answer for");
        out.push_str(&format!("{words}: {}\n", names.join(", ")));
    }
    let rows: Vec<Vec<String>> =
        report["items"].as_array().into_iter().flatten().map(|item| row(item, language)).collect();
    if !rows.is_empty() {
        let head = match language {
            Language::Indonesian => ["N", "GOLONGAN", "OPERASI", "REF", "KEADAAN", "NOMOR BPJS", "KETERANGAN"],
            Language::English => ["N", "CLASS", "OPERATION", "REF", "STATE", "BPJS ID", "REMARK"],
        };
        out.push_str(&format!("\n{}\n", table(&head, &rows)));
    }
    out
}

fn row(item: &Value, language: Language) -> Vec<String> {
    let fields: Vec<&str> = item["fields"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let remark = if item["adopted"] == true {
        language.pick("ditemukan di BPJS, nomornya diakui", "found at BPJS, its id adopted").to_owned()
    } else if fields.is_empty() {
        let why = text(&item["why"], "meaning");
        if why.is_empty() { plain(text(item, "class"), language).to_owned() } else { why.to_owned() }
    } else {
        fields.join(", ")
    };
    vec![
        item["n"].as_i64().map(|n| n.to_string()).unwrap_or_default(),
        class(text(item, "class"), language).to_owned(),
        text(item, "operation").to_owned(),
        text(item, "ref").to_owned(),
        state(text(item, "state"), language).to_owned(),
        text(item, "id").to_owned(),
        short(&remark, 70),
    ]
}

/// How a difference was settled.
fn settled(how: &str, language: Language) -> &str {
    let (indonesian, english) = match how {
        "adopted" => ("nomor BPJS diakui", "BPJS's id adopted"),
        "entered" => ("dientri di P-Care", "entered in P-Care"),
        "cancelled" => ("dibatalkan", "cancelled"),
        "corrected" => ("dibetulkan", "corrected"),
        "accepted" => ("diterima apa adanya", "accepted as it is"),
        other => (other, other),
    };
    match language {
        Language::Indonesian => indonesian,
        Language::English => english,
    }
}

/// What a class means where nothing more is known.
fn plain(class: &str, language: Language) -> &str {
    let (indonesian, english) = match class {
        "only_sim" => ("SIM mencatatnya, jembatan belum menerimanya", "the SIM has it, the bridge never got it"),
        "only_here" => ("ada di jembatan, belum ada di BPJS", "the bridge has it, BPJS does not"),
        "only_bpjs" => {
            ("dientri langsung di P-Care, atau oleh aplikasi lain", "typed into P-Care, or by another program")
        }
        "unanswered" => ("sudah dikirim, hasilnya belum diketahui", "sent, outcome unknown"),
        _ => ("", ""),
    };
    match language {
        Language::Indonesian => indonesian,
        Language::English => english,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_entries_alone_need_nobody_and_every_difference_does() {
        let mut report = json!({ "counts": { "equal": 5, "late": 3, "differs": 0 } });
        assert_eq!(open(&report), 0);
        report["counts"]["only_bpjs"] = 2.into();
        report["counts"]["only_sim"] = 1.into();
        assert_eq!(open(&report), 3);
    }
}
