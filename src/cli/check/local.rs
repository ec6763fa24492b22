//! What can be told on this machine: credentials, clients, the agreement, disk, database, the daemon.

use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Finding, Whose};
use crate::catalogue::{Catalogue, Service};
use crate::cli::Language;
use crate::cli::words::{state, text};
use crate::config::{Config, Facility, StoreUrl};
use crate::contract::Contracts;
use crate::daemon::certificates::Watched;
use crate::daemon::free_bytes;
use crate::store::sqlite::inspect;
use crate::vault::{Clients, Role, Vault, VaultError};

/// A token that ends sooner than this is worth a word.
const TOKEN_ENDS: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The services that a facility is configured for.
pub(super) fn services(facility: &Facility) -> Vec<Service> {
    let configured = [
        (Service::Pcare, facility.pcare.is_some()),
        (Service::Vclaim, facility.vclaim.is_some()),
        (Service::AntreanFktp, facility.antrean_fktp.is_some()),
        (Service::Icare, facility.icare.is_some()),
    ];
    configured.into_iter().filter_map(|(service, is)| is.then_some(service)).collect()
}

/// The vault does not open.
pub(super) fn vault_fault(error: &VaultError, language: Language) -> Finding {
    let detail = match language {
        Language::Indonesian => error.indonesian(),
        Language::English => error.to_string(),
    };
    let next = language.pick(
        "baru pertama kali: jembatan vault init; jika tidak: kembalikan berkas dan kuncinya dari cadangan",
        "for the first time: jembatan vault init; otherwise restore the file and its key",
    );
    Finding::fail("vault", Whose::Us, detail, next)
}

/// Whether everything that calls are signed with is there.
pub(super) fn credentials(config: &Config, vault: &Vault, language: Language) -> Vec<Finding> {
    let mut findings = Vec::new();
    for facility in &config.facilities {
        for service in services(facility) {
            let code = &facility.code;
            let found = match service {
                Service::Pcare => vault.pcare(code).map(|set| set.version),
                Service::Vclaim => vault.vclaim(code).map(|set| set.version),
                Service::AntreanFktp => vault.antrean_fktp(code).map(|set| set.version),
                Service::Icare => vault.icare(code).map(|set| set.version),
            };
            let finding = match found {
                Ok(version) => {
                    let words = language.pick("lengkap, versi", "complete, version");
                    Finding::ok("credentials", format!("{words} {version}"))
                }
                Err(VaultError::Missing { names, .. }) => {
                    let words = language.pick("belum ada:", "missing:");
                    let next = names.iter().map(|name| format!("jembatan vault put --facility {code} {name}"));
                    let next = next.collect::<Vec<_>>().join("; ");
                    Finding::fail("credentials", Whose::Us, format!("{words} {}", names.join(", ")), next)
                }
                Err(error) => Finding { name: "credentials", ..vault_fault(&error, language) },
            };
            findings.push(finding.of(code, Some(service.word())));
        }
    }
    findings
}

/// The catalogue with its overrides, and whether it can be used.
pub(super) fn catalogue(config: &Config, language: Language) -> (Finding, bool) {
    match Catalogue::with_overrides(config.catalogue.dir.as_deref()) {
        Ok(catalogue) => {
            let words = language.pick("operasi", "operations");
            let mut detail = format!("{} {words}", catalogue.operations().count());
            for change in catalogue.changes() {
                let (how, place) = (super::super::catalogue::changed(change.how, language), &change.table);
                detail.push_str(&format!("; {} {how} ({place}:{})", change.operation, change.line));
            }
            (Finding::ok("catalogue", detail), true)
        }
        Err(error) => {
            let next = language.pick(
                "perbaiki berkas dan baris itu, atau hapus [catalogue] dir dari konfigurasi",
                "mend that file and line, or take [catalogue] dir out of the configuration",
            );
            (Finding::fail("catalogue", Whose::Us, error.to_string(), next), false)
        }
    }
}

/// Whether a SIM may hand entries in.
pub(super) fn clients(config: &Config, now: Timestamp, language: Language) -> Vec<Finding> {
    let list = match Clients::open(&config.vault.path).and_then(|clients| clients.list()) {
        Ok(list) => list,
        Err(error) => return vec![Finding { name: "clients", ..vault_fault(&error, language) }],
    };
    let valid: Vec<_> = list.iter().filter(|client| client.revoked_at.is_none() && client.expires_at > now).collect();
    let hands_in = |facility: &str| {
        valid.iter().any(|client| {
            let may = match client.role {
                Role::Sim | Role::Network => true,
                Role::Operator | Role::Viewer | Role::MobileJkn => false,
            };
            may && client.facilities.iter().any(|code| code == facility)
        })
    };
    let mut findings = Vec::new();
    for facility in config.facilities.iter().filter(|facility| !hands_in(&facility.code)) {
        let code = &facility.code;
        let detail = language.pick("belum ada SIM yang boleh menyerahkan entri", "no SIM may hand entries in");
        let next = format!("jembatan client add sim --facility {code}");
        findings.push(Finding::warn("clients", Whose::Sim, detail, next).of(code, None));
    }
    for client in valid.iter().filter(|client| client.expires_at.duration_since(now) < TOKEN_ENDS) {
        let words = language.pick("token segera berakhir:", "token ends soon:");
        let detail = format!("{words} {} ({:.0})", client.name, client.expires_at);
        let next =
            language.pick("buat klien baru, ganti tokennya pada SIM", "add a new client, change the SIM's token");
        findings.push(Finding::warn("clients", Whose::Sim, detail, next));
    }
    if findings.is_empty() {
        let words = language.pick("berlaku", "valid");
        findings.push(Finding::ok("clients", format!("{} {words}", valid.len())));
    }
    findings
}

/// The profile of the agreement.
pub(super) fn profile(config: &Config, now: Timestamp, language: Language) -> Finding {
    let today = now.to_zoned(TimeZone::UTC).date();
    match Contracts::load(&config.contract.profile, config.contract.next.as_deref()) {
        Err(error) => {
            let detail = match language {
                Language::Indonesian => error.indonesian(),
                Language::English => error.to_string(),
            };
            let next =
                language.pick("perbaiki berkas profil (contract.profile)", "mend the profile (contract.profile)");
            Finding::fail("profile", Whose::Us, detail, next)
        }
        Ok(contracts) if contracts.of(today).is_past_term(today) => {
            let profile = contracts.of(today);
            let words = language.pick("sudah lewat masa berlakunya, tetap dipakai:", "past its term, still applied:");
            let next = language.pick(
                "tetap dapat dipakai; pasang profil perjanjian yang baru bila sudah ditandatangani",
                "goes on; install the profile of the new agreement once it is signed",
            );
            Finding::warn("profile", Whose::Us, format!("{words} {} ({})", profile.id, profile.to), next)
        }
        Ok(contracts) => {
            let profile = contracts.of(today);
            let words = language.pick("sampai", "until");
            Finding::ok("profile", format!("{} {words} {}", profile.id, profile.to))
        }
    }
}

/// Holidays that are missing, or that nobody compared with the decree: dates rest on them.
pub(super) fn holidays(config: &Config, now: Timestamp, language: Language) -> Vec<Finding> {
    let today = now.to_zoned(TimeZone::UTC).date();
    // A profile that cannot be read is a finding of its own.
    let Ok(contracts) = Contracts::load(&config.contract.profile, config.contract.next.as_deref()) else {
        return Vec::new();
    };
    let next = language.pick(
        "salin hari-libur.toml ke samping berkas perjanjian, lengkapi dan cocokkan dengan SKB tiga menteri",
        "put hari-libur.toml beside the profile, complete it and compare it with the ministers' decree",
    );
    let warnings = contracts.holiday_warnings(today);
    if warnings.is_empty() {
        return vec![Finding::ok("holidays", today.year().to_string())];
    }
    warnings.into_iter().map(|warning| Finding::warn("holidays", Whose::Us, warning, next)).collect()
}

/// So long before its end a certificate is pointed out.
const CERTIFICATE_NEAR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The TLS certificates that the bridge serves or trusts beside the system's.
pub(super) fn certificates(config: &Config, path: &Path, now: Timestamp, language: Language) -> Vec<Finding> {
    let folder = path.parent().unwrap_or(Path::new("")).join("certs");
    let seen = Watched::new(config, Some(folder)).now();
    let renew = language.pick(
        "pasang sertifikat baru, lalu systemctl restart jembatan",
        "install a new certificate, then systemctl restart jembatan",
    );
    let unread = |why: String| Finding::fail("certificates", Whose::Us, why, renew);
    let mut findings: Vec<Finding> = seen.unreadable.into_iter().map(unread).collect();
    for one in seen.found {
        let left = one.not_after.duration_since(now);
        let detail = format!("{} {} {}", one.name, language.pick("sampai", "until"), one.not_after);
        findings.push(if left.is_negative() {
            let words = language.pick("sudah berakhir", "has run out");
            Finding::fail("certificates", Whose::Us, format!("{detail}: {words}"), renew)
        } else if left < CERTIFICATE_NEAR {
            let words = language.pick("hari lagi", "days left");
            Finding::warn("certificates", Whose::Us, format!("{detail}: {} {words}", left.as_hours() / 24), renew)
        } else {
            Finding::ok("certificates", detail)
        });
    }
    findings
}

/// Room for new entries.
pub(super) fn disk(config: &Config, language: Language) -> Finding {
    const MIB: u64 = 1024 * 1024;
    let StoreUrl::Sqlite(path) = &config.store.url else { return Finding::skipped("disk", "postgres") };
    let Some(free) = free_bytes(path) else {
        let detail = language.pick("folder basis data tidak terbaca", "the database's folder cannot be read");
        let next = language.pick("buat foldernya, atau perbaiki haknya", "make the folder, or mend its rights");
        return Finding::fail("disk", Whose::Us, format!("{detail}: {}", path.display()), next);
    };
    let words = language.pick("sisa", "free");
    let detail = format!("{words} {} MiB", free / MIB);
    if free >= config.store.min_free {
        return Finding::ok("disk", detail);
    }
    let limit = language.pick("batas", "limit");
    let next =
        language.pick("kosongkan ruang disk; entri baru sedang ditolak", "free some space; new entries are refused");
    Finding::fail("disk", Whose::Us, format!("{detail} ({limit} {} MiB)", config.store.min_free / MIB), next)
}

/// The database from outside, and whether a daemon holds it.
pub(super) fn database(config: &Config, language: Language) -> (Finding, bool) {
    let StoreUrl::Sqlite(path) = &config.store.url else {
        // Whether it can be reached shows in the daemon: a second door to the rows is not opened for a look.
        return (Finding::skipped("database", "postgres"), false);
    };
    let place = path.display();
    match inspect(path) {
        Err(error) => {
            let next =
                language.pick("kembalikan dari cadangan, atau perbaiki haknya", "restore a backup, or mend its rights");
            (Finding::fail("database", Whose::Us, error.to_string(), next), false)
        }
        Ok(None) => {
            let words =
                language.pick("belum ada; dibuat saat pertama kali menyala", "not there yet; made at the first start");
            (Finding::ok("database", format!("{place}: {words}")), false)
        }
        Ok(Some(seen)) if seen.schema.is_some_and(|schema| schema > seen.known) => {
            let schema = seen.schema.unwrap_or_default();
            let words = language.pick("skema lebih baru dari program ini", "schema newer than this program");
            let next = language.pick("pasang program yang lebih baru", "install the newer program");
            (Finding::fail("database", Whose::Us, format!("{words}: {schema} > {}", seen.known), next), seen.in_use)
        }
        Ok(Some(seen)) => {
            let used = if seen.in_use { language.pick("; dipakai daemon", "; in use by the daemon") } else { "" };
            (Finding::ok("database", format!("{place}{used}")), seen.in_use)
        }
    }
}

/// Whether the daemon answers, and what its entries wait for.
pub(super) fn daemon(screen: Option<&Value>, in_use: bool, language: Language) -> Vec<Finding> {
    let Some(screen) = screen else {
        let next = "systemctl restart jembatan; journalctl -u jembatan";
        let finding = if in_use {
            let detail = language.pick("menyala tetapi tidak menjawab", "is up but does not answer");
            Finding::fail("daemon", Whose::Us, detail, next)
        } else {
            let detail = language.pick("tidak menyala", "not running");
            Finding::warn("daemon", Whose::Us, detail, "systemctl start jembatan")
        };
        return vec![finding];
    };
    let word = match text(&screen["report"], "status") {
        "ok" => language.pick("berjalan", "running"),
        _ => language.pick("menyala, terganggu: lihat jembatan status", "up, degraded: see jembatan status"),
    };
    let mut findings = vec![Finding::ok("daemon", word)];
    if text(&screen["report"], "status") == "down" {
        let next = text(&screen["headline"], "next");
        findings[0] = Finding::fail("daemon", Whose::Us, text(&screen["headline"], "meanwhile"), next);
    }
    for item in screen["attention"].as_array().into_iter().flatten() {
        let whose = match text(item, "who") {
            "registration" | "doctor" => Whose::Sim,
            "bpjs" => Whose::Bpjs,
            _ => Whose::Us,
        };
        let detail = format!("{} {}: {}", item["count"], state(text(item, "state"), language), text(item, "meaning"));
        let next = format!("jembatan queue list --state {}", text(item, "state"));
        findings.push(Finding::warn("entries", whose, detail, next));
    }
    findings
}
