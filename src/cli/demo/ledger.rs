//! What the demo says at the end: the bridge's figures beside BPJS's own ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::stage::Stage;
use crate::cli::Language;

/// The figures.
pub(super) struct Report {
    handed: usize,
    entries: usize,
    states: BTreeMap<String, i64>,
    how: BTreeMap<String, i64>,
    attempts: i64,
    lost: i64,
    counts: BTreeMap<String, i64>,
    ledger: BTreeMap<String, usize>,
    expected: BTreeMap<String, usize>,
    outages: Vec<(String, String)>,
}

/// The ledger's lists and the operations that fill them.
const LISTS: &[(&str, &str)] = &[
    ("pendaftaran", "pcare.pendaftaran.add"),
    ("kunjungan", "pcare.kunjungan.add"),
    ("tindakan", "pcare.tindakan.add"),
    ("obat", "pcare.obat.add"),
    ("mcu", "pcare.mcu.add"),
    ("kegiatan", "pcare.kelompok.kegiatan.add"),
    ("peserta_kegiatan", "pcare.kelompok.peserta.add"),
];

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
        let counted = LISTS
            .iter()
            .map(|(list, operation)| ((*operation).to_owned(), ledger[*list].as_array().map_or(0, Vec::len)));
        let outages = stage.outages().await?;
        let outages = outages.iter().map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            (text("cause"), format!("{} – {}", clock_time(&text("opened_at")), clock_time(&text("closed_at"))))
        });
        let counts = serde_json::from_value(reconciled["counts"].clone()).unwrap_or_default();
        let lost = reconciled["adopted"].as_i64().unwrap_or_default() + how.get("adopted").copied().unwrap_or_default();
        Ok(Self {
            handed,
            entries,
            states,
            how,
            attempts,
            lost,
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
        let say = |indonesian: &str, english: &str| language.pick(indonesian, english).to_owned();
        let how = |name: &str| self.how.get(name).copied().unwrap_or_default();
        println!("{}", say("\nRekonsiliasi hari itu:", "\nReconciliation of the day:"));
        for (class, count) in &self.counts {
            println!("  {class:<12} {count:>5}");
        }
        println!(
            "{}",
            say(
                "\nBuku BPJS (simulator) menurut jenis — di jembatan / di BPJS:",
                "\nBPJS's ledger (simulator) by kind: at the bridge / at BPJS:"
            )
        );
        for (list, operation) in LISTS {
            let (ours, theirs) = (
                self.expected.get(*operation).copied().unwrap_or_default(),
                self.ledger.get(*operation).copied().unwrap_or_default(),
            );
            println!("  {list:<18} {ours:>5} / {theirs:>5}  {}", if ours == theirs { "=" } else { "BEDA" });
        }
        for (cause, span) in &self.outages {
            println!("\n{} {span} ({cause})", say("Gangguan tercatat:", "Outage on record:"));
        }
        println!("\n{}", say("Ringkasan", "Summary"));
        println!(
            "  {} {} / {}",
            say("diserahkan (kiriman / entri):", "handed in (submissions / entries):"),
            self.handed,
            self.entries
        );
        println!("  {} {}", say("percobaan kirim:", "attempts to send:"), self.attempts);
        println!("  {} {}", say("diterima BPJS langsung:", "accepted at once:"), how("accepted"));
        println!(
            "  {} {}",
            say("jawaban hilang, dicari di BPJS, diakui nomornya:", "answer lost, looked up, adopted:"),
            self.lost
        );
        println!("  {} {}", say("sudah ada di BPJS:", "already there:"), how("already_there"));
        println!("  {} {:.1} s", say("lama:", "took:"), took.as_secs_f64());
        let verdict = if self.is_exact() {
            say("✓ BPJS memiliki setiap entri tepat satu kali.", "✓ BPJS holds each entry exactly once.")
        } else {
            say("✗ Ada entri yang tidak tepat satu kali di BPJS.", "✗ Some entry is not at BPJS exactly once.")
        };
        println!("\n{verdict}");
    }
}

/// `2026-11-21T08:12:00+08:00` → `08:12:00`.
fn clock_time(instant: &str) -> &str {
    instant.get(11..19).unwrap_or("…")
}
