//! The words and columns of the command line: one place for this face, both languages.
//!
//! Job: states, sides, outcomes, causes, spans, instants and tables as text. Pure. What it does not do: decide.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Language;
use crate::contract::zone_label;

/// A text of an object, empty if there is none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A delivery's state.
pub(super) fn state(word: &str, language: Language) -> &str {
    let (indonesian, english) = match word {
        "waiting" => ("menunggu", "waiting"),
        "sending" => ("dikirim", "sending"),
        "delivered" => ("sampai", "delivered"),
        "unanswered" => ("diperiksa", "unanswered"),
        "refused" => ("ditolak", "refused"),
        "held" => ("ditahan", "held"),
        "expired" => ("kedaluwarsa", "expired"),
        "cancelled" => ("dibatalkan", "cancelled"),
        other => (other, other),
    };
    match language {
        Language::Indonesian => indonesian,
        Language::English => english,
    }
}

/// Whose fault or whose turn.
pub(super) fn side(word: &str, language: Language) -> &str {
    match (word, language) {
        ("none", _) => "-",
        ("us", Language::Indonesian) => "kita",
        ("network", Language::Indonesian) => "jaringan",
        ("us", Language::English) => "us",
        ("network", Language::English) => "network",
        ("bpjs", _) => "BPJS",
        ("sim", _) => "SIM",
        (other, _) => other,
    }
}

/// Who must act.
pub(super) fn who(word: &str, language: Language) -> &str {
    match (word, language) {
        ("registration", Language::Indonesian) => "pendaftaran",
        ("doctor", Language::Indonesian) => "dokter / poli",
        ("it", Language::Indonesian) => "petugas TI",
        ("it", Language::English) => "IT",
        ("bpjs", _) => "BPJS",
        (other, _) => other,
    }
}

/// A service.
pub(super) fn service(word: &str) -> &str {
    match word {
        "pcare" => "P-Care",
        "vclaim" => "V-Claim",
        "antrean_fktp" => "Antrean FKTP",
        "icare" => "i-Care",
        other => other,
    }
}

/// The layer that failed.
pub(super) fn cause(word: &str, language: Language) -> &str {
    let (indonesian, english) = match word {
        "dns" => ("nama server tidak ditemukan (DNS)", "name not found (DNS)"),
        "tcp" => ("server tidak terhubung (TCP)", "no connection (TCP)"),
        "tls" => ("sambungan aman gagal (TLS)", "secure connection failed (TLS)"),
        "http" => ("server BPJS tidak menjawab, atau menjawab galat", "BPJS's server does not answer, or with errors"),
        "business" => ("aplikasi BPJS menjawab galat", "BPJS's application answers with errors"),
        "manual" => ("dicatat petugas", "recorded by a person"),
        "maintenance" => ("pemeliharaan yang diumumkan", "announced maintenance"),
        other => (other, other),
    };
    match language {
        Language::Indonesian => indonesian,
        Language::English => english,
    }
}

/// How an attempt or a look-up ended.
pub(super) fn outcome(word: &str, language: Language) -> &str {
    let (indonesian, english) = match word {
        "accepted" => ("diterima BPJS", "accepted by BPJS"),
        "already_there" => ("sudah ada di BPJS", "already at BPJS"),
        "not_found" => ("tidak dikenal BPJS", "unknown to BPJS"),
        "refused" => ("ditolak BPJS", "refused by BPJS"),
        "not_authorised" => ("kredensial ditolak", "credentials refused"),
        "rate_limited" => ("BPJS minta menunggu", "BPJS asks for patience"),
        "fault" => ("galat aplikasi BPJS, mungkin tersimpan", "fault of BPJS's program, may have landed"),
        "unavailable" => ("layanan BPJS galat, mungkin tersimpan", "service unavailable, may have landed"),
        "not_sent" => ("tidak terkirim", "not sent"),
        "no_answer" => ("tanpa jawaban, mungkin tersimpan", "no answer, may have landed"),
        "unreadable" => ("jawaban tidak terbaca, mungkin tersimpan", "answer unreadable, may have landed"),
        "found" => ("ditemukan di BPJS", "found at BPJS"),
        "absent" => ("tidak ada di BPJS", "not at BPJS"),
        "owned" => ("milik entri lain", "belongs to another entry"),
        "ambiguous" => ("tidak dapat dipastikan", "cannot be told"),
        "lost" => ("program berhenti, hasilnya tidak diketahui", "the program ended, outcome unknown"),
        "crashed" => ("program mati mendadak", "the program crashed"),
        "panicked" => ("galat dalam program", "a fault in the program"),
        "failed" => ("pencarian gagal", "look-up failed"),
        "" => ("belum selesai", "not ended"),
        other => (other, other),
    };
    match language {
        Language::Indonesian => indonesian,
        Language::English => english,
    }
}

/// The class of a reconciliation's item.
pub(super) fn class(word: &str, language: Language) -> &str {
    let (indonesian, english) = match word {
        "equal" => ("sama", "equal"),
        "differs" => ("isi berbeda", "content differs"),
        "only_sim" => ("hanya di SIM", "only in the SIM"),
        "only_here" => ("hanya di jembatan", "only here"),
        "only_bpjs" => ("hanya di BPJS", "only at BPJS"),
        "unanswered" => ("belum terjawab", "unanswered"),
        "late" => ("terlambat", "late"),
        other => (other, other),
    };
    match language {
        Language::Indonesian => indonesian,
        Language::English => english,
    }
}

/// `2 jam 5 menit`.
pub(super) fn span(span: SignedDuration, language: Language) -> String {
    let seconds = span.as_secs().max(0);
    let unit = |indonesian, english| language.pick(indonesian, english);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} {}", unit("detik", "s")),
        (0, 0, minutes) => format!("{minutes} {}", unit("menit", "min")),
        (0, hours, minutes) => format!("{hours} {} {minutes} {}", unit("jam", "h"), unit("menit", "min")),
        (days, hours, _) => format!("{days} {} {hours} {}", unit("hari", "d"), unit("jam", "h")),
    }
}

/// `2026-11-21 08:12 WITA`.
pub(super) fn instant(at: Timestamp, zone: &TimeZone) -> String {
    format!("{} {}", at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M"), zone_label(zone))
}

/// An instant of the API, which carries the facility's offset: `2026-11-21 08:12:40`.
pub(super) fn local(text: &str) -> String {
    let (day, time) = (text.get(..10).unwrap_or(text), text.get(11..19).unwrap_or_default());
    format!("{day} {time}").trim_end().to_owned()
}

/// At most `longest` characters, on one line.
pub(super) fn short(text: &str, longest: usize) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if flat.chars().count() <= longest {
        return flat;
    }
    let cut: String = flat.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// Rows under a head, columns as wide as needed, numbers to the right, nothing after the last column.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or_default()
    };
    let numeric = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column)).peekable();
        cells.peek().is_some() && cells.all(|cell| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let columns: Vec<(usize, bool)> = (0..head.len()).map(|column| (width(column), numeric(column))).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells
            .iter()
            .zip(&columns)
            .map(|(cell, (width, right))| if *right { format!("{cell:>width$}") } else { format!("{cell:<width$}") });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(head.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_has_nothing_after_its_last_column() {
        let rows = vec![
            vec!["a".to_owned(), "7".to_owned(), "x".to_owned()],
            vec!["longer".to_owned(), "12".to_owned(), String::new()],
        ];
        assert_eq!(table(&["name", "n", "why"], &rows), "name     n  why\na        7  x\nlonger  12");
    }

    #[test]
    fn long_and_broken_lines_are_cut_to_one() {
        assert_eq!(short("a\nb", 10), "a b");
        assert_eq!(short("abcdef", 4), "abc…");
    }
}
