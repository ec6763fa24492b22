//! The judgement: from facts to a traffic light, a verdict and a list of checks. Pure.
//!
//! Rules (the figures are the constants below): a task without a beat for [`STALL`] is a stall; something due for
//! [`BACKLOG_DEGRADED`] on a free lane is a backlog; an unfinished entry less than [`DEADLINE_NEAR`] before its late
//! date, or past it, is a deadline in danger.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::live::{InboundSeen, Snapshot, is_off};
use super::nodes;
use super::text;
use crate::store::Verdict;
use crate::words::words;

/// A task that must beat and did not for this long has stalled (unless it was registered with another limit): a stall
/// shows within a minute.
pub const STALL: Duration = Duration::from_secs(45);
/// Below so many free bytes (and below a quarter of what is kept free) nothing can be recorded any more: down.
pub const DISK_DOWN: u64 = 512 * 1024;
/// Due for longer on a free lane: degraded.
pub const BACKLOG_DEGRADED: Duration = Duration::from_mins(5);
/// Due for longer on a free lane: down.
pub const BACKLOG_DOWN: Duration = Duration::from_mins(30);
/// A late date nearer than this is in danger.
pub const DEADLINE_NEAR: Duration = Duration::from_mins(30);

words! {
    /// How well something is.
    Level {
        /// It works.
        Ok = "ok",
        /// It works in part.
        Degraded = "degraded",
        /// It does not work.
        Down = "down",
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `store`, `vault`, `clock`, `workers`, `backlog`, `deadline`, `unreadable` where entries are damaged, `credentials.<facility>.<service>`,
    /// `circuit.<facility>.<service>`, `disk`, `outage`, `nodes` and `owner.<facility>` where several nodes share the
    /// database, `antrean_inbound` where Mobile JKN is listened to.
    pub name: String,
    /// How well it is.
    pub status: Level,
    /// Since when, if it is known.
    pub since: Option<Timestamp>,
    /// What was seen, in Indonesian, without personal data.
    pub detail: String,
}

/// The whole judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The worst of the checks.
    pub status: Level,
    /// Whose fault it is.
    pub verdict: Verdict,
    /// Everything looked at, always in the same order.
    pub checks: Vec<Check>,
}

/// A lane: one service of one facility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// Since when BPJS refuses the credentials, if it does.
    pub refused_since: Option<Timestamp>,
    /// Since when the circuit is open, if it is.
    pub open_since: Option<Timestamp>,
    /// Whether its facility or everything is paused.
    pub paused: bool,
    /// The oldest instant at which something of this lane became due and was not taken, if that is long ago.
    pub due: Option<Timestamp>,
}

impl Lane {
    /// Whether nothing known keeps it from sending.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        !self.paused && self.refused_since.is_none() && self.open_since.is_none()
    }
}

/// An open outage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOutage {
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// First evidence.
    pub since: Timestamp,
    /// The layer that failed.
    pub cause: String,
    /// Whose fault.
    pub verdict: Verdict,
}

/// Everything the judgement rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What the process knows by itself.
    pub live: Snapshot,
    /// A stable code of why the store did not answer, if it did not.
    pub store_fault: Option<String>,
    /// What makes the database less durable than it must be.
    pub store_concerns: Vec<String>,
    /// Every lane, configured or known to the store.
    pub lanes: Vec<Lane>,
    /// Outages without an end.
    pub outages: Vec<OpenOutage>,
    /// Nearest late date of an unfinished entry that has not passed.
    pub nearest_late: Option<Timestamp>,
    /// Unfinished entries that are late.
    pub late: i64,
    /// Entries whose row or payload is damaged.
    pub unreadable: i64,
    /// What will be late at the present rate.
    pub outlook: Vec<Outlook>,
    /// Bookings for today, cancelled ones too, where Mobile JKN is listened to.
    pub bookings: i64,
}

/// What a lane will not manage at its present rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// kdProvider.
    pub facility: String,
    /// Unfinished entries that will miss their late date.
    pub at_risk: i64,
    /// The nearest date that will be missed.
    pub first: Option<Timestamp>,
}

/// Judges.
#[must_use]
pub fn judge(facts: &Facts, now: Timestamp) -> Report {
    let mut checks = vec![store(facts), vault(facts), clock(facts), workers(facts, now), backlog(facts, now)];
    checks.push(deadline(facts, now));
    checks.extend(unreadable(facts));
    checks.extend(facts.lanes.iter().map(credentials));
    checks.extend(facts.lanes.iter().map(circuit));
    checks.push(disk(facts));
    checks.push(outage(facts));
    checks.extend(references(facts, now));
    checks.extend(nodes::checks(facts.live.nodes.as_ref(), &facilities(facts)));
    checks.extend(facts.live.inbound.as_ref().map(|seen| antrean_inbound(seen, facts.bookings, now)));
    let status = checks.iter().map(|check| check.status).max().unwrap_or(Level::Ok);
    Report { status, verdict: verdict(facts, &checks), checks }
}

/// The facilities that have a lane.
fn facilities(facts: &Facts) -> Vec<String> {
    let mut all: Vec<String> = facts.lanes.iter().map(|lane| lane.facility.clone()).collect();
    all.dedup();
    all
}

fn check(name: &str, status: Level, since: Option<Timestamp>, detail: impl Into<String>) -> Check {
    Check { name: name.to_owned(), status, since, detail: detail.into() }
}

fn store(facts: &Facts) -> Check {
    match (&facts.store_fault, &facts.live.store.fault) {
        (Some(code), _) => check("store", Level::Down, None, text::store_fault(code)),
        (None, Some(code)) => check("store", Level::Down, Some(facts.live.store.since), text::store_fault(code)),
        (None, None) if !facts.store_concerns.is_empty() => {
            check("store", Level::Degraded, None, text::store_concerns(&facts.store_concerns))
        }
        (None, None) => check("store", Level::Ok, None, "Basis data menjawab."),
    }
}

/// Accepting goes on without the vault, sending does not.
fn vault(facts: &Facts) -> Check {
    match &facts.live.vault.fault {
        Some(code) => check("vault", Level::Degraded, Some(facts.live.vault.since), text::vault_fault(code)),
        None => check("vault", Level::Ok, None, "Rahasia terbaca."),
    }
}

fn clock(facts: &Facts) -> Check {
    let worst = facts.live.clocks.iter().max_by_key(|reading| reading.skew.unsigned_abs());
    match worst {
        Some(worst) if is_off(worst.skew) => {
            check("clock", Level::Degraded, Some(worst.since), text::clock_off(worst.skew))
        }
        Some(worst) if facts.live.clocks.iter().any(|reading| reading.confirmed) => {
            check("clock", Level::Ok, None, format!("Selisih dengan BPJS {} detik.", worst.skew.abs()))
        }
        Some(_) | None => {
            check("clock", Level::Ok, None, "Belum dipastikan sejak menyala: belum ada yang dikedaluwarsakan.")
        }
    }
}

/// The watchdog counts beats with its own clock; the beats' instants tell the same without it, should it have died.
fn workers(facts: &Facts, now: Timestamp) -> Check {
    let mut stopped: Vec<(&str, Timestamp)> =
        facts.live.stalled.iter().map(|stalled| (stalled.task.as_str(), stalled.last)).collect();
    for (task, beat) in &facts.live.beats {
        if (beat.gone || older(beat.at, now, beat.limit)) && !stopped.iter().any(|(known, _)| known == task) {
            stopped.push((task, beat.at));
        }
    }
    let Some(since) = stopped.iter().map(|(_, last)| *last).min() else {
        return check("workers", Level::Ok, None, format!("{} pekerja berdetak.", facts.live.beats.len()));
    };
    let names: Vec<String> = stopped.iter().map(|(task, _)| text::task(task)).collect();
    let todo = "Proses memulai ulang dirinya bila tidak pulih; bila berulang: journalctl -u jembatan, lalu systemctl restart jembatan.";
    check("workers", Level::Down, Some(since), format!("Berhenti: {}. {todo}", names.join(", ")))
}

/// Only what nothing else explains: lanes that are paused, stopped or cut off have checks of their own.
fn backlog(facts: &Facts, now: Timestamp) -> Check {
    let oldest =
        facts.lanes.iter().filter(|lane| lane.is_free()).filter_map(|lane| lane.due).filter(|due| *due <= now).min();
    let level = match oldest {
        Some(due) if older(due, now, BACKLOG_DOWN) => Level::Down,
        Some(due) if older(due, now, BACKLOG_DEGRADED) => Level::Degraded,
        Some(_) | None => Level::Ok,
    };
    let paused = if facts.lanes.iter().any(|lane| lane.paused) { " Sebagian pengiriman dijeda." } else { "" };
    let detail = match oldest {
        Some(due) => format!("Entri siap kirim menunggu {}.{paused}", text::span(now.duration_since(due))),
        None => format!("Tidak ada antrean tertahan.{paused}"),
    };
    check("backlog", level, oldest.filter(|_| level > Level::Ok), detail)
}

fn deadline(facts: &Facts, now: Timestamp) -> Check {
    let left = facts.nearest_late.map(|late| late.duration_since(now));
    let near = left.is_some_and(|left| left < SignedDuration::from_secs(DEADLINE_NEAR.as_secs().cast_signed()));
    let level = if facts.late > 0 || near { Level::Degraded } else { Level::Ok };
    let late = if facts.late > 0 { format!("{} entri terlambat. ", facts.late) } else { String::new() };
    let at_risk: i64 = facts.outlook.iter().map(|lane| lane.at_risk).sum();
    let risk =
        if at_risk > 0 { format!(" Menurut laju sekarang {at_risk} entri akan terlambat.") } else { String::new() };
    let detail = match left {
        Some(left) => format!("{late}Batas terdekat {} lagi.{risk}", text::span(left)),
        None => format!("{late}Tidak ada entri yang dikejar batas."),
    };
    check("deadline", level, None, detail)
}

/// Damaged entries are held, never sent and never silent; nothing is said where there are none.
fn unreadable(facts: &Facts) -> Option<Check> {
    let count = facts.unreadable;
    let detail = || {
        format!(
            "{count} entri rusak di basis data dan tidak dikirim. Lihat: jembatan queue list --why unreadable; periksa disk, \
             pulihkan dari cadangan, atau serahkan ulang dari SIM lalu 'jembatan queue cancel'."
        )
    };
    (count > 0).then(|| check("unreadable", Level::Degraded, None, detail()))
}

fn credentials(lane: &Lane) -> Check {
    let name = format!("credentials.{}.{}", lane.facility, lane.service);
    match lane.refused_since {
        Some(since) => check(
            &name,
            Level::Degraded,
            Some(since),
            "BPJS menolak kredensial: jembatan vault put, lalu lanjut sendiri.",
        ),
        None => check(&name, Level::Ok, None, "Tidak ditolak."),
    }
}

fn circuit(lane: &Lane) -> Check {
    let name = format!("circuit.{}.{}", lane.facility, lane.service);
    match lane.open_since {
        Some(since) => check(&name, Level::Degraded, Some(since), "Sambungan terputus: dicoba terus, entri menunggu."),
        None => check(&name, Level::Ok, None, "Terhubung."),
    }
}

fn disk(facts: &Facts) -> Check {
    let live = &facts.live;
    match live.disk_free {
        Some(free) if free < DISK_DOWN.min(live.min_free / 4) => {
            let detail = format!(
                "Disk penuh, sisa {}: entri baru ditolak dan pengiriman berhenti, sebab hasilnya tidak dapat dicatat. \
                 Kosongkan disk; sesudah itu semuanya berjalan lagi dengan sendirinya.",
                text::bytes(free)
            );
            check("disk", Level::Down, live.disk_low_since, detail)
        }
        Some(free) if free < live.min_free => {
            let detail = format!("Sisa {}: entri baru ditolak sampai ada ruang.", text::bytes(free));
            check("disk", Level::Degraded, live.disk_low_since, detail)
        }
        Some(free) => check("disk", Level::Ok, None, format!("Sisa {}.", text::bytes(free))),
        None => check("disk", Level::Ok, None, "Belum diukur."),
    }
}

/// Kept references are a help in an outage, so their age is told and never a fault; nothing is said where none are kept.
fn references(facts: &Facts, now: Timestamp) -> Option<Check> {
    let kept = &facts.live.kept;
    let lists: u64 = kept.iter().map(|one| one.lists).sum();
    if lists == 0 {
        return None;
    }
    let oldest = kept.iter().filter_map(|one| one.oldest).min();
    let age = |at: Timestamp| text::span(now.duration_since(at));
    let whole = oldest.map_or_else(|| "belum ada yang lengkap".to_owned(), |at| format!("yang tertua {}", age(at)));
    Some(check("references", Level::Ok, oldest, format!("{lists} daftar referensi tersimpan, {whole}.")))
}

fn outage(facts: &Facts) -> Check {
    let Some(first) = facts.outages.iter().min_by_key(|outage| outage.since) else {
        return check("outage", Level::Ok, None, "Tidak ada gangguan.");
    };
    let more = match facts.outages.len() {
        1 => String::new(),
        count => format!(" ({count} gangguan terbuka)"),
    };
    let detail = format!("{} {}: {}{more}.", text::service(&first.service), first.facility, text::cause(&first.cause));
    check("outage", Level::Degraded, Some(first.since), detail)
}

/// Nobody calling is no fault: it may be Sunday.
fn antrean_inbound(seen: &InboundSeen, bookings: i64, now: Timestamp) -> Check {
    let last = match seen.last.values().max() {
        Some(last) => format!("panggilan terakhir Mobile JKN {} lalu", text::span(now.duration_since(*last))),
        None => "belum ada panggilan Mobile JKN sejak menyala".to_owned(),
    };
    match &seen.listening.fault {
        None => {
            check("antrean_inbound", Level::Ok, None, format!("Mendengarkan; {last}; {bookings} antrean hari ini."))
        }
        Some(_) => {
            let detail = format!("Tidak mendengarkan: mulai ulang layanan; {last}.");
            check("antrean_inbound", Level::Degraded, Some(seen.listening.since), detail)
        }
    }
}

/// Ours comes first, because only that can be put right here; then the network, because while it is down nobody can
/// blame BPJS. An open circuit alone accuses nobody: the outage's probes do.
fn verdict(facts: &Facts, checks: &[Check]) -> Verdict {
    let ours = |check: &Check| {
        let name = check.name.as_str();
        check.status > Level::Ok
            && (matches!(
                name,
                "store"
                    | "vault"
                    | "clock"
                    | "workers"
                    | "backlog"
                    | "unreadable"
                    | "disk"
                    | "antrean_inbound"
                    | "nodes"
            ) || name.starts_with("credentials.")
                || name.starts_with("owner."))
    };
    let blames = |verdict| facts.outages.iter().any(|outage| outage.verdict == verdict);
    if checks.iter().any(ours) || blames(Verdict::Us) {
        Verdict::Us
    } else if blames(Verdict::Network) {
        Verdict::Network
    } else if blames(Verdict::Bpjs) {
        Verdict::Bpjs
    } else {
        Verdict::None
    }
}

fn older(since: Timestamp, now: Timestamp, than: Duration) -> bool {
    Duration::try_from(now.duration_since(since)).is_ok_and(|age| age > than)
}

#[cfg(test)]
mod tests;
