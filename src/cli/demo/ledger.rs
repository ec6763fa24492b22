//! What the demo says at the end: the bridge's figures beside BPJS's own ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::stage::Stage;
use crate::cli::Language;
use crate::cli::bench::LISTS;

/// The figures.
pub(super) struct Report {
    handed: usize,
    entries: usize,
    states: BTreeMap<String, i64>,
    how: BTreeMap<String, i64>,
    attempts: i64,
    look_ups: i64,
    counts: BTreeMap<String, i64>,
    ledger: BTreeMap<String, usize>,
    expected: BTreeMap<String, usize>,
    outages: Vec<(String, String)>,
}

impl Report {
    pub(super) async fn of(stage: &Stage, handed: usize, entries: usize, reconciled: &Value) -> anyhow::Result<Self> {
        let deliveries = stage.deliveries().await?;
        let (mut states, mut how, mut expected) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut attempts = 0;
        for one in &deliveries {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            *states.entry(text("state")).or_default() += 1;
            attempts += one["attempts"].as_i64().unwrap_or_default();
            if one["state"] == "delivered" {
                *how.entry(text("how")).or_default() += 1;
                *expected.entry(text("operation")).or_default() += 1;
            }
        }
        let ledger = stage.ledger().await?;
        let look_ups = stage.look_ups().await?;
        let counted = LISTS
            .iter()
            .map(|(list, operation)| ((*operation).to_owned(), ledger[*list].as_array().map_or(0, Vec::len)));
        let outages = stage.outages().await?;
        let outages = outages.iter().map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            (text("cause"), format!("{} – {}", clock_time(&text("opened_at")), clock_time(&text("closed_at"))))
        });
        let counts = serde_json::from_value(reconciled["counts"].clone()).unwrap_or_default();
        Ok(Self {
            handed,
            entries,
            states,
            how,
            attempts,
            look_ups,
            counts,
            ledger: counted.collect(),
            expected,
            outages: outages.collect(),
        })
    }

    /// Whether every entry handed in is at BPJS, once.
    pub(super) fn is_exact(&self) -> bool {
        let delivered = self.states.get("delivered").copied().unwrap_or_default();
        let all = usize::try_from(delivered).is_ok_and(|delivered| delivered == self.entries);
        let same = LISTS.iter().all(|(_, operation)| {
            self.ledger.get(*operation).copied().unwrap_or_default()
                == self.expected.get(*operation).copied().unwrap_or_default()
        });
        let class = |name: &str| self.counts.get(name).copied().unwrap_or_default();
        let agree = usize::try_from(class("equal")).is_ok_and(|equal| equal == self.entries)
            && class("only_here") + class("only_bpjs") + class("differs") + class("unanswered") == 0;
        all && same && agree
    }

    pub(super) fn print(&self, language: Language, took: Duration) {
        self.print_reconciliation(language);
        self.print_ledger(language);
        self.print_summary(language, took);
        let verdict = if self.is_exact() {
            language.pick("✓ BPJS memiliki setiap entri tepat satu kali.", "✓ BPJS holds each entry exactly once.")
        } else {
            language
                .pick("✗ Ada entri yang tidak tepat satu kali di BPJS.", "✗ Some entry is not at BPJS exactly once.")
        };
        println!("\n{verdict}");
    }

    fn print_reconciliation(&self, language: Language) {
        println!("\n{}", language.pick("Rekonsiliasi hari itu", "Reconciliation of the day"));
        let class = |name: &str| self.counts.get(name).copied().unwrap_or_default();
        let classes = [
            ("equal", "sama di kedua sisi", "equal on both sides"),
            ("differs", "isi berbeda", "content differs"),
            ("only_here", "hanya di jembatan", "only at the bridge"),
            ("only_bpjs", "hanya di BPJS", "only at BPJS"),
            ("unanswered", "belum terjawab", "unanswered"),
        ];
        for (name, indonesian, english) in classes {
            println!("  {:<24}{:>6}", language.pick(indonesian, english), class(name));
        }
    }

    fn print_ledger(&self, language: Language) {
        let title = "Buku BPJS (simulator): di jembatan / di BPJS";
        println!("\n{}", language.pick(title, "BPJS's ledger (simulator): at the bridge / at BPJS"));
        for (list, operation) in LISTS {
            let ours = self.expected.get(*operation).copied().unwrap_or_default();
            let theirs = self.ledger.get(*operation).copied().unwrap_or_default();
            let sign = if ours == theirs { "=" } else { "≠" };
            println!("  {:<24}{ours:>6} / {theirs:<6}{sign}", list.replace('_', " "));
        }
        for (cause, span) in &self.outages {
            println!("\n{} {span} ({cause})", language.pick("Gangguan tercatat:", "Outage on record:"));
        }
    }

    fn print_summary(&self, language: Language, took: Duration) {
        let how = |name: &str| self.how.get(name).copied().unwrap_or_default().to_string();
        let lines = [
            ("kiriman diserahkan", "submissions handed in", self.handed.to_string()),
            ("entri di dalamnya", "entries in them", self.entries.to_string()),
            ("percobaan kirim", "attempts to send", self.attempts.to_string()),
            ("diterima BPJS langsung", "accepted at once", how("accepted")),
            ("pencarian di BPJS", "look-ups at BPJS", self.look_ups.to_string()),
            ("ditemukan dan diadopsi", "found there and adopted", how("adopted")),
            ("sudah ada di BPJS", "already there", how("already_there")),
            ("lama", "took", format!("{:.1} s", took.as_secs_f64())),
        ];
        println!("\n{}", language.pick("Ringkasan", "Summary"));
        for (indonesian, english, value) in lines {
            println!("  {:<24}{value:>6}", language.pick(indonesian, english));
        }
    }
}

/// `2026-11-21T08:12:00+08:00` → `08:12:00`.
fn clock_time(instant: &str) -> &str {
    instant.get(11..19).unwrap_or("…")
}
