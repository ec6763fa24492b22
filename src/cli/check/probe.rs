//! The way to BPJS, layer by layer, for every facility and service; one harmless read where there is one.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::Value;

use super::{Finding, Whose, local};
use crate::catalogue::{Catalogue, Service};
use crate::cli::Language;
use crate::cli::root::CliError;
use crate::cli::words::text;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{self, Parts};
use crate::remote::{ProbeReport, Remote, Status, Step, Verdict};
use crate::vault::Vault;

/// A clock that is further off is refused by BPJS sooner or later.
const MAX_SKEW_SECONDS: u64 = 60;

/// Probes everything that is configured, but a lane whose credentials are known to be refused.
pub(super) fn all(
    path: &Path,
    config: &Config,
    vault: &Vault,
    screen: Option<&Value>,
    language: Language,
) -> Result<Vec<Finding>, CliError> {
    let parts = Parts { certs: path.parent().map(|folder| folder.join("certs")), ..Parts::default() };
    let transport = daemon::transport(config, &parts).context("TLS")?;
    let catalogue = Arc::new(Catalogue::with_overrides(config.catalogue.dir.as_deref()).context("catalogue")?);
    let remote = Remote::new(&config.remote, &config.facilities, catalogue, vault.clone(), Clock::system(), transport);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("tokio")?;
    let mut findings = Vec::new();
    for facility in &config.facilities {
        for service in local::services(facility) {
            let code = &facility.code;
            let found = match refused_since(screen, code, service) {
                Some(since) => vec![refused(&since, code, service, language)],
                None => {
                    let mut found = unknown_past(screen, service, language);
                    found.extend(judged(&runtime.block_on(remote.probe(code, service)), code, service, language));
                    found
                }
            };
            findings.extend(found.into_iter().map(|finding| finding.of(code, Some(service.word()))));
        }
    }
    Ok(findings)
}

/// Since when the daemon knows that BPJS refuses the credentials.
fn refused_since(screen: Option<&Value>, facility: &str, service: Service) -> Option<String> {
    let ours = |lane: &&Value| text(lane, "facility") == facility && text(lane, "service") == service.word();
    let lane = screen?["lanes"].as_array()?.iter().find(ours)?;
    lane["credentials_refused_since"].as_str().map(str::to_owned)
}

fn refused(since: &str, facility: &str, service: Service, language: Language) -> Finding {
    let words = language.pick(
        "BPJS menolaknya; tidak dicoba lagi supaya akun tidak terkunci. Sejak",
        "refused by BPJS; not tried again, so that the account is not locked. Since",
    );
    Finding::fail("credentials", Whose::Us, format!("{words} {since}"), put(facility, service, language))
}

/// Without the daemon nobody remembers whether these credentials were refused already.
fn unknown_past(screen: Option<&Value>, service: Service, language: Language) -> Vec<Finding> {
    // i-Care is asked without credentials.
    if screen.is_some() || service == Service::Icare {
        return Vec::new();
    }
    let detail = language.pick(
        "layanan mati, jadi tidak diketahui apakah pernah ditolak; dicoba satu kali",
        "the daemon is down, so it is unknown whether they were refused before; tried once",
    );
    let next =
        language.pick("jangan ulangi check berkali-kali bila ditolak", "do not repeat check if they are refused");
    vec![Finding::warn("credentials", Whose::Us, detail, next)]
}

/// What to put in anew: P-Care's password ages, the others have nothing but their user key.
fn put(facility: &str, service: Service, language: Language) -> String {
    let name = match service {
        Service::Pcare => "pcare.password",
        Service::Vclaim => "vclaim.user_key",
        Service::AntreanFktp => "antrean_fktp.user_key",
        Service::Icare => "icare.user_key",
    };
    let words =
        language.pick("perbarui, lalu pengiriman lanjut sendiri", "put the new one in; sending goes on by itself");
    format!("{words}: jembatan vault put --facility {facility} {name}")
}

fn judged(report: &ProbeReport, facility: &str, service: Service, language: Language) -> Vec<Finding> {
    let whose = match report.verdict() {
        Verdict::None => Whose::None,
        Verdict::Us => Whose::Us,
        Verdict::Network => Whose::Network,
        Verdict::Bpjs => Whose::Bpjs,
    };
    let mut findings: Vec<Finding> = Vec::new();
    for check in &report.checks {
        let name = match check.step {
            Step::Dns => "dns",
            Step::Tcp => "tcp",
            Step::Tls => "tls",
            Step::Http => "http",
            Step::Business => "credentials",
        };
        match check.status {
            Status::Ok => {
                let words = if check.step == Step::Business {
                    language.pick("diterima BPJS, ", "accepted by BPJS, ")
                } else {
                    ""
                };
                findings.push(Finding::ok(name, format!("{words}{} ms", check.ms)));
            }
            Status::Skipped => {}
            Status::Fail => {
                let detail = check.detail.clone().unwrap_or_default();
                let next = next(report.cause().unwrap_or_default(), whose, (facility, service), language);
                findings.push(Finding::fail(name, whose, detail, next));
            }
        }
    }
    if findings.iter().all(|finding| finding.next.is_none())
        && let Some(cause) = report.cause()
    {
        findings.push(Finding::fail("bpjs", whose, cause, next(cause, whose, (facility, service), language)));
    }
    findings.extend(report.skew_seconds.map(|skew| clock(skew, language)));
    findings
}

fn clock(skew: i64, language: Language) -> Finding {
    let words = language.pick("selisih dengan BPJS (detik):", "difference from BPJS (seconds):");
    let detail = format!("{words} {skew}");
    if skew.unsigned_abs() <= MAX_SKEW_SECONDS {
        return Finding::ok("clock", detail);
    }
    let next = language
        .pick("samakan jam server ini: timedatectl set-ntp true", "set this server's clock: timedatectl set-ntp true");
    Finding::fail("clock", Whose::Us, detail, next)
}

/// What to do about the first layer that fails.
fn next(cause: &str, whose: Whose, lane: (&str, Service), language: Language) -> String {
    let (indonesian, english) = match (cause, whose) {
        ("dns", _) => (
            "periksa internet dan DNS server ini, lalu hubungi penyedia internet",
            "check this server's internet and DNS, then call the provider",
        ),
        ("tcp", Whose::Network) => (
            "periksa modem, kabel, dan firewall keluar (port 443), lalu hubungi penyedia internet",
            "check modem, cable and the outgoing firewall (port 443), then call the provider",
        ),
        ("tls", Whose::Us) | ("clock", _) => {
            ("samakan jam server ini: timedatectl set-ntp true", "set this server's clock: timedatectl set-ntp true")
        }
        ("tls", _) => (
            "lapor ke BPJS; bila hanya sertifikat antara yang kurang, taruh PEM-nya di certs/ di samping konfigurasi",
            "report to BPJS; if only an intermediate is missing, put its PEM into certs/ beside the configuration",
        ),
        ("credentials", _) => return put(lane.0, lane.1, language),
        ("config", _) | ("http", Whose::Us) => {
            ("periksa base_url pada konfigurasi", "check base_url in the configuration")
        }
        (_, _) => (
            "tunggu: entri tetap diterima dan dikirim sendiri begitu BPJS pulih; bila lama, lapor ke BPJS",
            "wait: entries are accepted and sent once BPJS is back; if it takes long, report to BPJS",
        ),
    };
    language.pick(indonesian, english).to_owned()
}
