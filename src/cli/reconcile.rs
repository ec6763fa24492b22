//! `jembatan reconcile`: compare with BPJS, adopt what is certain, say what is left.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{ArgGroup, Args};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::Language;
use super::api::Api;
use super::queue::read_text;
use super::root::CliError;
use super::words::{class, short, state, table, text};
use crate::report::reconciliation::CLASSES;

/// Arguments of `jembatan reconcile`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("days").args(["date", "from"]).required(true)))]
pub struct ReconcileArgs {
    /// Kode faskes (facility code)
    #[arg(long, value_name = "KODE")]
    pub facility: String,
    /// Satu hari, TTTT-BB-HH (one day)
    #[arg(long, value_name = "TANGGAL")]
    pub date: Option<Date>,
    /// Hari pertama (first day)
    #[arg(long, value_name = "TANGGAL", requires = "to")]
    pub from: Option<Date>,
    /// Hari terakhir (last day)
    #[arg(long, value_name = "TANGGAL", requires = "from")]
    pub to: Option<Date>,
    /// Daftar ref dari SIM: larik JSON, atau satu ref per baris; - untuk masukan baku (the SIM's own list)
    #[arg(long, value_name = "BERKAS")]
    pub sim: Option<PathBuf>,
    /// Sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

/// Reconciles.
///
/// # Errors
/// What the daemon answers; [`CliError::NeedsPerson`] if something differs or could not be read.
pub fn run(args: &ReconcileArgs, api: &Api, language: Language) -> Result<(), CliError> {
    let mut body = json!({ "facility": args.facility });
    for (name, day) in [("date", args.date), ("from", args.from), ("to", args.to)] {
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
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().into())
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
    if report["complete"] == false {
        let unread = report["unread"].as_array().into_iter().flatten();
        let names: Vec<&str> = unread.map(|read| text(read, "operation")).collect();
        let words = pick("Tidak lengkap, BPJS tidak menjawab untuk", "Incomplete, BPJS did not answer for");
        out.push_str(&format!("{words}: {}\n", names.join(", ")));
    }
    let rows: Vec<Vec<String>> =
        report["items"].as_array().into_iter().flatten().map(|item| row(item, language)).collect();
    if !rows.is_empty() {
        let head = match language {
            Language::Indonesian => ["GOLONGAN", "OPERASI", "REF", "KEADAAN", "NOMOR BPJS", "KETERANGAN"],
            Language::English => ["CLASS", "OPERATION", "REF", "STATE", "BPJS ID", "REMARK"],
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
        class(text(item, "class"), language).to_owned(),
        text(item, "operation").to_owned(),
        text(item, "ref").to_owned(),
        state(text(item, "state"), language).to_owned(),
        text(item, "id").to_owned(),
        short(&remark, 70),
    ]
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
