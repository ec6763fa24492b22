//! The evaluation of an outage (Lampiran X angka 6 huruf b–c) in plain Indonesian: which layer, whose side and why, what
//! became of the entries, what the contingency plan did. Pure.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::view;
use crate::store::{OutageEffect, OutagePlan, OutageRow, Verdict};

/// The layers in the order in which a probe tries them.
const LAYERS: [(&str, &str); 5] = [
    ("dns", "nama server (DNS)"),
    ("tcp", "sambungan (TCP)"),
    ("tls", "sambungan aman (TLS)"),
    ("http", "server web (HTTP)"),
    ("business", "aplikasi BPJS"),
];

/// The evaluation as JSON.
#[must_use]
pub(super) fn of(row: &OutageRow, effect: OutageEffect, plan: Option<&OutagePlan>, zone: &TimeZone) -> Value {
    json!({
        "layers": layers(row),
        "reasons": reasons(row, plan),
        "plan": plan.map(|plan| view::plan(plan, zone)),
        "entries": {
            "accepted": effect.accepted, "delayed": effect.delayed, "late": effect.late, "unfinished": effect.unfinished,
        },
        "drained_at": effect.drained_at.map(|at| view::instant(at, zone)),
        "contingency": contingency(row, effect),
    })
}

/// Per layer: how often the probes found it well and how often not.
fn layers(row: &OutageRow) -> Vec<Value> {
    let probes = row.evidence.as_array().map_or(&[][..], Vec::as_slice);
    let layer = |(word, title): &(&str, &str)| {
        let checks = probes.iter().flat_map(|probe| probe["checks"].as_array().into_iter().flatten());
        let own: Vec<&Value> = checks.filter(|check| check["step"] == *word && check["status"] != "skipped").collect();
        let passed = own.iter().filter(|check| check["status"] == "ok").count();
        json!({ "layer": word, "title": title, "checked": own.len(), "passed": passed, "failed": own.len() - passed })
    };
    LAYERS.iter().map(layer).collect()
}

fn reasons(row: &OutageRow, plan: Option<&OutagePlan>) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(plan) = plan {
        reasons.push(format!("Pemeliharaan sudah diumumkan: {}.", plan.reason));
    }
    let layer = match row.cause.as_str() {
        "dns" => "Nama server tidak ditemukan, sebelum BPJS sempat dihubungi.",
        "tcp" => "Server tidak menerima sambungan.",
        "tls" => "Sambungan aman tidak terbentuk.",
        "http" => "Sambungan baik, tetapi server web BPJS tidak menjawab, atau menjawab galat.",
        "business" => "Server web baik, tetapi aplikasi BPJS menjawab galat pada bacaan yang tidak mengubah apa-apa.",
        "manual" => "Dicatat petugas, bukan hasil pemeriksaan.",
        _ => "",
    };
    if !layer.is_empty() {
        reasons.push(layer.to_owned());
    }
    reasons.push(
        match row.verdict {
            Verdict::None => "Pihaknya belum ditentukan.",
            Verdict::Us => "Penyebabnya di pihak faskes: server, jam, atau kredensial kita.",
            Verdict::Network => "Penyebabnya jaringan di antara kedua pihak.",
            Verdict::Bpjs => "Penyebabnya di pihak BPJS Kesehatan.",
        }
        .to_owned(),
    );
    if let Some((class, by)) = &row.class {
        reasons.push(format!("Digolongkan {} oleh {by}.", class.word()));
    }
    reasons
}

/// What the contingency plan did meanwhile.
fn contingency(row: &OutageRow, effect: OutageEffect) -> Vec<String> {
    let mut lines = vec![
        format!("{} entri tetap diterima dan disimpan selama gangguan.", effect.accepted),
        format!("Pengiriman ditahan; {} entri baru dikirim setelah gangguan.", effect.delayed),
    ];
    match (row.closed_at, effect.drained_at) {
        (None, _) => lines.push("Gangguan masih berlangsung.".to_owned()),
        (Some(closed), Some(drained)) => {
            let minutes = (drained.duration_since(closed).as_secs() + 59) / 60;
            lines.push(format!("Antrean selesai dikirim {minutes} menit setelah gangguan berakhir."));
        }
        (Some(_), None) if effect.unfinished > 0 => {
            lines.push(format!("{} entri masih dalam antrean.", effect.unfinished));
        }
        (Some(_), None) => {}
    }
    lines
}
