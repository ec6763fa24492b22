//! The evaluation of a disturbance (Lampiran X angka 6 huruf a sampai d): application, database and infrastructure of both
//! sides, the evidence, and what the contingency plan did.

use serde_json::Value;

use super::frame::{Frame, Period};
use super::paper::{Cell, Column, Fact, Paper, Part, Section, Table};
use super::reconciliation::service;
use crate::store::{OutageClass, OutageEffect, OutagePlan, OutageRow, Verdict};

/// The document of one outage, with what became of the entries it touched and the announcement that covers it.
#[must_use]
pub fn evaluation(frame: &Frame, row: &OutageRow, effect: OutageEffect, announced: Option<&OutagePlan>) -> Paper {
    let from = frame.date(row.opened_at);
    let period = Period { from, to: row.closed_at.map_or_else(|| frame.date(frame.now), |at| frame.date(at)) };
    let sections = vec![
        Section::new("1. Gangguan", vec![Part::Facts(facts(frame, row, announced))]),
        Section::new(
            "2. Evaluasi per lapisan (Lampiran X angka 6 huruf c)",
            vec![
                Part::text(
                    "Kolom PIHAK KEDUA memuat apa yang dilihat jembatan dari sisinya. Kolom PIHAK KESATU diisi oleh BPJS \
                     Kesehatan.",
                ),
                Part::Table(layers(row)),
            ],
        ),
        Section::new("3. Bukti", vec![Part::Table(evidence(frame, row))]),
        Section::new("4. Pelaksanaan rencana kontingensi (angka 6 huruf b)", plan(frame, row, effect)),
        Section::new(
            "5. Tindak lanjut",
            vec![Part::Facts(vec![
                Fact::new("Perbaikan PIHAK KESATU", Cell::Blank),
                Fact::new("Perbaikan PIHAK KEDUA", Cell::Blank),
                Fact::new("Rekonsiliasi (angka 6 huruf d)", Cell::Blank),
            ])],
        ),
    ];
    Paper {
        kind: "outage",
        title: format!("Evaluasi Gangguan Nomor {}", row.id),
        subtitle: vec!["Lampiran X angka 6".to_owned()],
        facts: frame.facts(period).into_iter().chain(frame.parties()).collect(),
        sections,
        signatures: frame.both(),
        footer: frame.footer(),
        made: frame.now,
        wide: false,
    }
}

fn facts(frame: &Frame, row: &OutageRow, announced: Option<&OutagePlan>) -> Vec<Fact> {
    let open = || Cell::text("masih berlangsung");
    let seconds = row.closed_at.unwrap_or(frame.now).as_second() - row.opened_at.as_second();
    vec![
        Fact::new("Layanan", Cell::text(service(&row.service))),
        Fact::new("Mulai", Cell::Text(frame.instant(row.opened_at))),
        Fact::new("Selesai", row.closed_at.map_or_else(open, |at| Cell::Text(frame.instant(at)))),
        Fact::new("Lama", Cell::Text(span(seconds.max(0)))),
        Fact::new("Pihak penyebab", Cell::text(side(row.verdict))),
        Fact::new("Alasan", Cell::text(super::reconciliation::cause(&row.cause))),
        Fact::new("Diumumkan sebelumnya", announced.map_or_else(|| Cell::text("tidak"), |plan| said(frame, plan))),
        Fact::new("Penggolongan", classified(row)),
        Fact::new("Catatan petugas", Cell::text(row.evidence["reason"].as_str().unwrap_or("–"))),
        Fact::new("Dibuka oleh", Cell::Text(row.opened_by.clone())),
        Fact::new("Ditutup oleh", Cell::maybe(row.closed_by.clone(), Cell::Text)),
        Fact::new("Entri diterima selama gangguan", Cell::Whole(row.accepted)),
        Fact::new("Entri yang tertunda", Cell::Whole(row.affected)),
        Fact::new("Entri yang menjadi terlambat", Cell::Whole(row.late)),
    ]
}

/// What was announced, when and for when.
fn said(frame: &Frame, plan: &OutagePlan) -> Cell {
    Cell::Text(format!(
        "ya, dicatat {} untuk {} sampai {}: {}",
        frame.instant(plan.announced_at),
        frame.instant(plan.from),
        frame.instant(plan.to),
        plan.reason
    ))
}

/// What a person made of it under Pasal 19, by whom and why.
fn classified(row: &OutageRow) -> Cell {
    row.class.as_ref().map_or_else(
        || Cell::text("belum digolongkan"),
        |(class, by)| {
            let title = match class {
                OutageClass::Ordinary => "gangguan biasa",
                OutageClass::ForceMajeure => "keadaan kahar (Pasal 19)",
            };
            Cell::Text(format!("{title}, oleh {by}"))
        },
    )
}

fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let part = |count: i64, unit: &str| (count > 0).then(|| format!("{count} {unit}"));
    let parts: Vec<String> =
        [part(days, "hari"), part(hours, "jam"), part(minutes, "menit"), part(seconds % 60, "detik")]
            .into_iter()
            .flatten()
            .collect();
    if parts.is_empty() { "kurang dari 1 detik".to_owned() } else { parts.join(" ") }
}

const fn side(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::None => "belum ditentukan",
        Verdict::Us => "PIHAK KEDUA (faskes)",
        Verdict::Network => "jaringan di antara kedua pihak",
        Verdict::Bpjs => "PIHAK KESATU (BPJS Kesehatan)",
    }
}

const STEPS: [(&str, &str); 5] = [
    ("dns", "nama server (DNS)"),
    ("tcp", "sambungan (TCP)"),
    ("tls", "sambungan aman (TLS)"),
    ("http", "jawaban server (HTTP)"),
    ("business", "jawaban aplikasi"),
];

/// How often a step passed and failed.
fn tally(row: &OutageRow, step: &str) -> (usize, usize) {
    let checks = probes(row).filter_map(|probe| probe["checks"].as_array()).flatten();
    let mine = checks.filter(|check| check["step"] == step).map(|check| check["status"].as_str().unwrap_or_default());
    mine.fold((0, 0), |(good, bad), status| match status {
        "ok" => (good + 1, bad),
        "fail" => (good, bad + 1),
        _ => (good, bad),
    })
}

fn probes(row: &OutageRow) -> impl Iterator<Item = &Value> {
    row.evidence.as_array().into_iter().flatten().filter(|probe| probe.is_object())
}

fn seen(row: &OutageRow, steps: &[&str]) -> String {
    let lines = STEPS.iter().filter(|(word, _)| steps.contains(word)).filter_map(|(word, name)| {
        let (good, bad) = tally(row, word);
        (good + bad > 0).then(|| format!("{name}: {good} kali lolos, {bad} kali gagal"))
    });
    let text = lines.collect::<Vec<_>>().join("; ");
    if text.is_empty() { "tidak ada bukti tercatat".to_owned() } else { text }
}

fn layers(row: &OutageRow) -> Table {
    let ours = [
        (
            "Aplikasi",
            format!("Jembatan tetap menerima entri ({} entri).", row.accepted),
            seen(row, &["business", "http"]),
        ),
        (
            "Basis data",
            if row.accepted > 0 {
                format!("Penyimpanan jembatan berjalan: {} entri tersimpan selama gangguan.", row.accepted)
            } else {
                "Tidak ada entri yang diterima selama gangguan.".to_owned()
            },
            "tidak terlihat dari luar".to_owned(),
        ),
        (
            "Infrastruktur",
            "Jaringan PIHAK KEDUA: lihat hasil pemeriksaan di samping.".to_owned(),
            seen(row, &["dns", "tcp", "tls"]),
        ),
    ];
    let line = |(layer, own, outside): (&str, String, String)| {
        vec![Cell::text(layer), Cell::Text(own), Cell::Text(outside), Cell::Blank]
    };
    Table {
        name: "Lapisan",
        columns: vec![
            Column::words("Lapisan", 3),
            Column::words("PIHAK KEDUA: keadaan sendiri", 7),
            Column::words("PIHAK KEDUA: yang terlihat dari luar", 7),
            Column::words("PIHAK KESATU (diisi BPJS Kesehatan)", 8),
        ],
        rows: ours.into_iter().map(line).collect(),
        totals: Vec::new(),
    }
}

fn evidence(frame: &Frame, row: &OutageRow) -> Table {
    let lines = probes(row).flat_map(|probe| {
        let at = probe["at"].as_str().and_then(|text| text.parse().ok()).map(|at| frame.instant(at));
        let when = at.unwrap_or_default();
        let checks = probe["checks"].as_array().cloned().unwrap_or_default();
        checks.into_iter().filter(|check| check["status"] != "skipped").map(move |check| {
            let word = check["step"].as_str().unwrap_or_default();
            let name = STEPS.iter().find(|(step, _)| *step == word).map_or(word, |(_, name)| *name).to_owned();
            let good = check["status"] == "ok";
            vec![
                Cell::Text(when.clone()),
                Cell::Text(name),
                Cell::text(if good { "lolos" } else { "gagal" }),
                Cell::Text(heard(check["detail"].as_str().unwrap_or_default())),
                Cell::maybe(check["ms"].as_i64(), Cell::Whole),
            ]
        })
    });
    Table {
        name: "Bukti",
        columns: vec![
            Column::words("Waktu", 6),
            Column::words("Pemeriksaan", 5),
            Column::words("Hasil", 2),
            Column::words("Keterangan", 7),
            Column::figures("ms", 2),
        ],
        rows: lines.collect(),
        totals: Vec::new(),
    }
}

/// What a probe met, for people; its own words stay where nobody has others.
fn heard(detail: &str) -> String {
    const WORDS: [(&str, &str); 10] = [
        ("no_answer", "tidak ada jawaban"),
        ("unavailable", "layanan tidak tersedia"),
        ("unreadable", "jawaban tidak terbaca"),
        ("not_sent", "tidak terkirim"),
        ("fault", "galat pada aplikasi"),
        ("refused", "sambungan ditolak"),
        ("timed out", "waktu habis"),
        ("reset", "sambungan diputus"),
        ("closed", "sambungan ditutup"),
        ("unreachable", "tidak terjangkau"),
    ];
    let (word, rest) = detail.split_once(": ").map_or((detail, None), |(word, rest)| (word, Some(rest)));
    let known = WORDS.iter().find(|(own, _)| *own == word).map(|(_, title)| *title);
    match (known, rest) {
        (Some(title), Some(rest)) => format!("{title} ({})", rest.replace(" ms", " milidetik")),
        (Some(title), None) => title.to_owned(),
        (None, _) => detail.to_owned(),
    }
}

fn plan(frame: &Frame, row: &OutageRow, effect: OutageEffect) -> Vec<Part> {
    let mut parts = vec![Part::Paragraph(format!(
        "Selama gangguan jembatan terus menerima entri dari SIM ({} entri), menyimpannya sebelum menjawab, dan memberi tanda \
         terima. Pengiriman ditahan; sambungan diperiksa berkala dan pengiriman dilanjutkan sendiri setelah pemeriksaan lolos. \
         Entri yang jawabannya tidak sampai dicari dahulu di BPJS Kesehatan sebelum dikirim lagi.",
        row.accepted
    ))];
    parts.push(Part::Paragraph(match (row.closed_at, effect.drained_at) {
        (None, _) => format!("Gangguan masih berlangsung; {} entri menunggu.", effect.unfinished),
        (Some(_), Some(drained)) => format!(
            "{} entri baru dapat dikirim setelah gangguan; antreannya selesai pada {}.",
            effect.delayed,
            frame.instant(drained)
        ),
        (Some(_), None) if effect.unfinished > 0 => format!(
            "{} entri baru dikirim setelah gangguan, {} masih dalam antrean.",
            effect.delayed, effect.unfinished
        ),
        (Some(_), None) => "Tidak ada entri yang tertunda karena gangguan ini.".to_owned(),
    }));
    parts.push(Part::text(if row.late > 0 {
        format!("{} entri menjadi terlambat karena gangguan ini.", row.late)
    } else {
        "Tidak ada entri yang tercatat menjadi terlambat karena gangguan ini.".to_owned()
    }));
    parts
}
