//! The Indonesian words of health, status page and `status`: one place for this face.
//!
//! Job: spans, sizes, instants, states, causes in words. Pure. What it does not do: decide.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::catalogue::Who;
use crate::contract::{month_name, zone_label};
use crate::queue::State;
use crate::store::Verdict;

/// A span in the two units that matter: `2 jam 5 menit`. Negative spans are shown as nothing left.
#[must_use]
pub(super) fn span(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |first: i64, a: &str, second: i64, b: &str| match second {
        0 => format!("{first} {a}"),
        _more => format!("{first} {a} {second} {b}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} detik"),
        (0, 0, minutes) => format!("{minutes} menit"),
        (0, hours, minutes) => two(hours, "jam", minutes, "menit"),
        (days, hours, _) => two(days, "hari", hours, "jam"),
    }
}

/// Bytes as people write them, `1,5 GB` (powers of 1024, comma as in Indonesia).
#[must_use]
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10)];
    let fitting = UNITS.iter().find(|(_, shift)| bytes >> shift > 0);
    let Some((unit, shift)) = fitting else { return format!("{bytes} B") };
    let tenths = (bytes >> (shift - 10)).saturating_mul(10) >> 10;
    format!("{},{} {unit}", tenths / 10, tenths % 10)
}

/// `21 November 2026 08.12 WITA`.
#[must_use]
pub(super) fn instant(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    let month = month_name(local.date());
    let (day, year, hour, minute) = (local.day(), local.year(), local.hour(), local.minute());
    format!("{day} {month} {year} {hour:02}.{minute:02} {}", zone_label(zone))
}

/// What people call a service.
#[must_use]
pub(super) fn service(word: &str) -> &str {
    match word {
        "pcare" => "P-Care",
        "vclaim" => "V-Claim",
        "antrean_fktp" => "Antrean FKTP",
        "icare" => "i-Care",
        other => other,
    }
}

/// A task of the daemon in words, with its name as the log has it: `pengiriman P-Care 0114A026 (push.0114A026.pcare)`.
#[must_use]
pub(super) fn task(name: &str) -> String {
    let mut parts = name.splitn(3, '.');
    let (kind, facility, of) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let what = match (kind, facility) {
        ("push", _) => "pengiriman",
        ("outages", _) => "pengawas gangguan",
        ("prefetch", _) => "pengambil referensi",
        ("reconcile", Some("leases")) => "pengawas kiriman yang tertinggal",
        ("reconcile", Some("overdue")) => "pengawas tenggat",
        ("reconcile", Some("schedule")) => "rekonsiliasi terjadwal",
        ("store", _) => "penulis basis data",
        ("housekeeping", _) => "urusan rutin",
        ("api", _) => "pintu API",
        ("antrean_inbound", _) => "pintu Mobile JKN",
        _other => return name.to_owned(),
    };
    match (facility, of) {
        (Some(facility), Some(of)) => format!("{what} {} {facility} ({name})", service(of)),
        (Some(_) | None, _) => format!("{what} ({name})"),
    }
}

/// What people call a state.
#[must_use]
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Waiting => "menunggu",
        State::Sending => "sedang dikirim",
        State::Delivered => "sampai di BPJS",
        State::Unanswered => "belum terjawab",
        State::Refused => "ditolak BPJS",
        State::Held => "ditahan",
        State::Expired => "kedaluwarsa",
        State::Cancelled => "dibatalkan",
    }
}

/// Whose side.
#[must_use]
pub(super) const fn side(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::None => "tidak ada gangguan",
        Verdict::Us => "kita",
        Verdict::Network => "jaringan",
        Verdict::Bpjs => "BPJS",
    }
}

/// Who must act.
#[must_use]
pub(super) const fn who(who: Who) -> &'static str {
    match who {
        Who::Registration => "pendaftaran",
        Who::Doctor => "dokter / poli",
        Who::It => "petugas TI",
        Who::Bpjs => "BPJS",
    }
}

/// The layer that failed in an outage.
#[must_use]
pub(super) fn cause(word: &str) -> &'static str {
    match word {
        "dns" => "nama server BPJS tidak ditemukan (DNS)",
        "tcp" => "server BPJS tidak dapat dihubungi (TCP)",
        "tls" => "sambungan aman gagal (TLS)",
        "http" => "server BPJS tidak menjawab, atau menjawab galat",
        "business" => "aplikasi BPJS menjawab galat",
        "manual" => "dicatat oleh petugas",
        _other => "sebab belum jelas",
    }
}

/// What a fault of the store means and what to do.
#[must_use]
pub(super) fn store_concerns(concerns: &[String]) -> String {
    format!("Basis data dapat kehilangan yang sudah diterima bila listrik padam: {}.", concerns.join(", "))
}

pub(super) fn store_fault(code: &str) -> String {
    let meaning = match code {
        "timeout" => "Basis data tidak menjawab.",
        "full" => "Disk penuh: kosongkan ruang.",
        "unknown" | "commit_unknown" => "Penyimpanan terakhir tidak pasti: layanan harus dimulai ulang.",
        "busy" => "Basis data dipakai proses lain.",
        "unavailable" => "Basis data tidak terjangkau atau sedang sibuk; dicoba terus.",
        "newer" => "Basis data dari versi yang lebih baru: pasang program yang lebih baru.",
        _other => "Basis data gagal.",
    };
    format!("{meaning} Kode: {}.", plain(code))
}

/// What a fault of the vault means.
#[must_use]
pub(super) fn vault_fault(code: &str) -> String {
    format!("Rahasia tidak terbaca, pengiriman berhenti: jalankan jembatan check. Kode: {}.", plain(code))
}

/// Our clock is off.
#[must_use]
pub(super) fn clock_off(skew: i64) -> String {
    let direction = if skew > 0 { "lebih cepat" } else { "lebih lambat" };
    format!("Jam server ini {direction} {} detik dari BPJS: samakan jam (NTP).", skew.unsigned_abs())
}

/// Texts of ours with every run of 10 digits or more blotted out, should a card number or NIK have slipped in.
#[must_use]
pub(super) fn without_numbers(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(std::iter::once(' ')) {
        if c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        clean.push_str(if run.len() >= 10 { "…" } else { &run });
        run.clear();
        clean.push(c);
    }
    clean.pop();
    clean
}

/// Codes are ours; should another text ever come this way, it is not shown.
fn plain(code: &str) -> &str {
    let ours = code.len() <= 32 && code.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if ours { code } else { "lain" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_the_two_units_that_matter() {
        let said = |seconds| span(SignedDuration::from_secs(seconds));
        assert_eq!(said(-5), "0 detik");
        assert_eq!(said(59), "59 detik");
        assert_eq!(said(60), "1 menit");
        assert_eq!(said(7200), "2 jam");
        assert_eq!(said(7500), "2 jam 5 menit");
        assert_eq!(said(90_000), "1 hari 1 jam");
    }

    #[test]
    fn sizes_and_instants_are_written_as_in_indonesia() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1,5 KB");
        assert_eq!(bytes(200 << 20), "200,0 MB");
        assert_eq!(bytes(u64::MAX), "16777215,9 TB");
        let at: Timestamp = "2026-08-17T02:05:00Z".parse().unwrap();
        assert_eq!(instant(at, &TimeZone::get("Asia/Jayapura").unwrap()), "17 Agustus 2026 11.05 WIT");
    }

    #[test]
    fn long_numbers_are_blotted_out_and_short_ones_stay() {
        assert_eq!(without_numbers("kartu 0009900000000, kode 412"), "kartu …, kode 412");
        assert_eq!(without_numbers("6474010101900001"), "…");
        assert_eq!(without_numbers(""), "");
    }
}
