//! What the traffic light says to a person: the word, the side, since when, what happens meanwhile, what to do.
//!
//! Job: one [`Headline`] from a report; the table below is the only place for these sentences. Pure. Invariant: nothing
//! here depends on who reads, so the headline may be shown without a login.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::judge::{Check, Level, Report};
use super::text;
use crate::queue::State;
use crate::store::Verdict;

/// The traffic light in words, all Indonesian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    /// `BERJALAN`, `TERGANGGU` or `BERHENTI`.
    pub word: String,
    /// Whose side.
    pub side: String,
    /// Since when.
    pub since: Timestamp,
    /// What the bridge does meanwhile.
    pub meanwhile: String,
    /// What to do next.
    pub next: String,
}

/// The headline. `paused`: since when some sending is paused; `started`: when the process began.
pub(super) fn headline(report: &Report, paused: Option<Timestamp>, started: Timestamp) -> Headline {
    let wrong: Vec<&Check> = report.checks.iter().filter(|check| check.status > Level::Ok).collect();
    let all = wrong.iter().filter_map(|check| check.since).min();
    let since = subject(&wrong).and_then(|(name, _, _)| {
        wrong.iter().filter(|check| check.name.starts_with(name)).filter_map(|check| check.since).min()
    });
    let (meanwhile, next) = sentences(&wrong, report.verdict, paused.is_some());
    Headline {
        word: word(report.status).to_owned(),
        side: side(report).to_owned(),
        since: since.or(all).or(paused).unwrap_or(started),
        meanwhile: meanwhile.to_owned(),
        next: next.to_owned(),
    }
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Ok => "BERJALAN",
        Level::Degraded => "TERGANGGU",
        Level::Down => "BERHENTI",
    }
}

fn side(report: &Report) -> &'static str {
    let open = report.checks.iter().any(|check| check.status > Level::Ok && check.name.starts_with("circuit."));
    match (report.status, report.verdict) {
        (Level::Degraded, Verdict::None) if open => "sedang diperiksa",
        (_, verdict) => text::side(verdict),
    }
}

/// (what goes on meanwhile, what to do), for the first thing that is wrong in this order.
const SENTENCES: [(&str, &str, &str); 8] = [
    (
        "store",
        "Entri baru tidak dapat diterima. Entri yang sudah diterima tetap tersimpan.",
        "Hubungi petugas TI sekarang: jalankan «jembatan check», lalu mulai ulang layanan. SIM mengirim ulang sendiri.",
    ),
    (
        "workers",
        "Entri tetap diterima dan disimpan, tetapi belum dikirim.",
        "Petugas TI: mulai ulang layanan jembatan. Tidak ada yang perlu dientri ulang.",
    ),
    (
        "disk",
        "Entri baru ditolak sementara; yang sudah diterima tetap dikirim.",
        "Petugas TI: kosongkan ruang disk. Setelah itu entri diterima lagi dengan sendirinya.",
    ),
    (
        "vault",
        "Entri tetap diterima dan disimpan, tetapi belum dikirim.",
        "Petugas TI: jalankan «jembatan check» untuk memeriksa kunci dan brankas rahasia.",
    ),
    (
        "credentials.",
        "Entri tetap diterima. BPJS menolak kredensial sebuah layanan: entrinya menunggu dan tidak hilang.",
        "Petugas TI: perbarui kredensial dengan «jembatan vault put». Pengiriman lanjut sendiri.",
    ),
    (
        "clock",
        "Entri tetap diterima; BPJS dapat menolak selama jam server salah.",
        "Petugas TI: samakan jam server (NTP). Pengiriman lanjut sendiri.",
    ),
    (
        "backlog",
        "Entri tetap diterima, tetapi pengiriman tersendat.",
        "Petugas TI: jalankan «jembatan check» dan lihat log layanan.",
    ),
    (
        "unreadable",
        "Entri lain tetap diterima dan dikirim. Ada entri yang rusak di basis data: ia ditahan dan tidak dikirim.",
        "Petugas TI: «jembatan queue list --why unreadable», lalu periksa disk dan cadangan.",
    ),
];

const CUT_OFF: &str = "Entri tetap diterima dan disimpan. Jembatan terus mencoba, lalu mengirim semuanya sesuai urutan begitu tersambung.";

/// What the headline is about, where it is ours to put right.
fn subject(wrong: &[&Check]) -> Option<&'static (&'static str, &'static str, &'static str)> {
    SENTENCES.iter().find(|(name, _, _)| wrong.iter().any(|check| check.name.starts_with(name)))
}

fn sentences(wrong: &[&Check], verdict: Verdict, paused: bool) -> (&'static str, &'static str) {
    if let Some((_, meanwhile, next)) = subject(wrong) {
        return (meanwhile, next);
    }
    let cut_off = wrong.iter().any(|check| check.name == "outage" || check.name.starts_with("circuit."));
    match (cut_off, verdict) {
        (true, Verdict::Network) => (
            CUT_OFF,
            "Tetap layani pasien dan entri seperti biasa. Periksa modem atau kabel, lalu hubungi penyedia internet.",
        ),
        (true, Verdict::Us) => (CUT_OFF, "Tetap entri seperti biasa. Petugas TI: jalankan «jembatan check»."),
        (true, Verdict::Bpjs | Verdict::None) => {
            (CUT_OFF, "Tetap layani pasien dan entri seperti biasa. Tidak ada yang perlu dientri ulang di P-Care.")
        }
        (false, _) if !wrong.is_empty() => (
            "Entri diterima dan dikirim; yang terdekat batasnya didahulukan.",
            "Ada entri terlambat atau hampir terlambat: masuk untuk melihat apa yang menahannya.",
        ),
        (false, _) if paused => (
            "Entri tetap diterima dan disimpan; sebagian pengiriman dijeda oleh petugas.",
            "Bila jeda sudah tidak perlu, petugas menjalankan «jembatan resume».",
        ),
        (false, _) => ("Entri diterima dan dikirim ke BPJS seperti biasa.", "Tidak ada yang perlu dilakukan."),
    }
}

/// What a state means where no reason was recorded.
pub(super) fn meaning(state: State) -> String {
    match state {
        State::Expired => "Batas terakhir menurut perjanjian sudah lewat; entri masuk laporan manual.".to_owned(),
        State::Waiting
        | State::Sending
        | State::Delivered
        | State::Unanswered
        | State::Refused
        | State::Held
        | State::Cancelled => format!("Entri {}.", text::state(state)),
    }
}

/// What to do in a state where no next step was recorded.
pub(super) fn next(state: State) -> String {
    format!("Lihat dengan «jembatan queue list --state {}».", state.word())
}
