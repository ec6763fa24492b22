//! `jembatan check`: the doctor. Works without the daemon.
//!
//! Job: look at everything that must be right, from the configuration up to one harmless read at BPJS, and say of every
//! finding whose it is and what to do next. Invariants: nothing is changed, here or there; a lane whose credentials BPJS
//! refuses is not tried again, because that locks the account. Neighbours: `local` looks at this machine, `probe` at
//! the way to BPJS. What it does not do: repair.

mod local;
mod probe;

use std::path::Path;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::Language;
use super::api::Api;
use super::root::CliError;
use super::words::{service, side};
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors};
use crate::http::local_operator_token;
use crate::secret::Private;
use crate::vault::{KeyAccess, Vault};
use crate::words::words;

/// Arguments of `jembatan check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Tanpa bertanya ke BPJS: hanya mesin ini (do not call BPJS)
    #[arg(long)]
    pub offline: bool,
    /// Sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

words! {
    /// How a finding is meant.
    Mark {
        /// As it should be.
        Ok = "ok",
        /// Goes on, but somebody should look.
        Warn = "warn",
        /// Does not work.
        Fail = "fail",
        /// Not looked at.
        Skipped = "skipped",
    }
}

words! {
    /// Whose it is.
    Whose {
        /// Nobody's.
        None = "none",
        /// Ours: this server, its configuration, its credentials.
        Us = "us",
        /// The network between.
        Network = "network",
        /// BPJS.
        Bpjs = "bpjs",
        /// The SIM: what it hands in, and whether it may.
        Sim = "sim",
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    name: &'static str,
    status: Mark,
    whose: Whose,
    facility: Option<String>,
    service: Option<String>,
    detail: String,
    next: Option<String>,
}

impl Finding {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        let (facility, service, next) = (None, None, None);
        Self { name, status: Mark::Ok, whose: Whose::None, facility, service, detail: detail.into(), next }
    }

    fn skipped(name: &'static str, detail: impl Into<String>) -> Self {
        Self { status: Mark::Skipped, ..Self::ok(name, detail) }
    }

    fn warn(name: &'static str, whose: Whose, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { status: Mark::Warn, whose, next: Some(next.into()), ..Self::ok(name, detail) }
    }

    fn fail(name: &'static str, whose: Whose, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { status: Mark::Fail, ..Self::warn(name, whose, detail, next) }
    }

    fn of(mut self, facility: &str, service: Option<&str>) -> Self {
        self.facility = Some(facility.to_owned());
        self.service = service.map(str::to_owned);
        self
    }
}

/// Checks everything and says what it found.
///
/// # Errors
/// [`CliError::NeedsPerson`] if something does not work.
pub fn run(
    args: &CheckArgs,
    path: &Path,
    config: Result<Config, ConfigErrors>,
    language: Language,
) -> Result<(), CliError> {
    let findings = match config {
        Ok(config) => everything(args, path, &config, language)?,
        Err(errors) => of_config(&errors, language),
    };
    let failed = findings.iter().filter(|finding| finding.status == Mark::Fail).count();
    if args.json {
        say!("{}", serde_json::json!({ "ok": failed == 0, "findings": findings }));
    } else {
        say!("{}", render(&findings, language));
    }
    if failed == 0 {
        return Ok(());
    }
    Err(CliError::NeedsPerson(match language {
        Language::Indonesian => format!("{failed} hal harus diperbaiki"),
        Language::English => format!("{failed} things must be put right"),
    }))
}

fn of_config(errors: &ConfigErrors, language: Language) -> Vec<Finding> {
    let text = match language {
        Language::Indonesian => errors.indonesian(),
        Language::English => errors.to_string(),
    };
    let next = language.pick(
        "perbaiki berkas konfigurasi; contoh: config/jembatan.example.toml",
        "mend the configuration; see config/jembatan.example.toml",
    );
    text.lines().map(|line| Finding::fail("config", Whose::Us, line, next)).collect()
}

fn everything(args: &CheckArgs, path: &Path, config: &Config, language: Language) -> Result<Vec<Finding>, CliError> {
    let now = Clock::system().now();
    let mut findings = vec![Finding::ok("config", path.display().to_string())];
    let vault = match Vault::open(&config.vault.path, &config.vault.key, KeyAccess::of_process()) {
        Ok(vault) => {
            findings.push(Finding::ok("vault", vault.path().display().to_string()));
            Some(vault)
        }
        Err(error) => {
            findings.push(local::vault_fault(&error, language));
            None
        }
    };
    findings.extend(vault.iter().flat_map(|vault| local::credentials(config, vault, language)));
    findings.extend(local::clients(config, now, language));
    findings.push(local::profile(config, now, language));
    findings.extend(local::holidays(config, now, language));
    findings.extend(local::certificates(config, path, now, language));
    let (catalogue, usable) = local::catalogue(config, language);
    findings.push(catalogue);
    findings.push(local::disk(config, language));
    let (database, in_use) = local::database(config, language);
    findings.push(database);
    let Some(vault) = vault else {
        findings.push(Finding::skipped(
            "bpjs",
            language.pick("tanpa brankas tidak dapat bertanya", "cannot ask without the vault"),
        ));
        return Ok(findings);
    };
    let screen = ask_daemon(config, &vault, language)?;
    findings.extend(local::daemon(screen.as_ref(), in_use, language));
    if args.offline {
        findings.push(Finding::skipped("bpjs", "--offline"));
    } else if usable {
        findings.extend(probe::all(path, config, &vault, screen.as_ref(), language)?);
    }
    Ok(findings)
}

/// The daemon's own view, if it answers.
fn ask_daemon(config: &Config, vault: &Vault, language: Language) -> Result<Option<Value>, CliError> {
    let token = Private::new(local_operator_token(vault.index_key()?.expose()));
    let api = Api::with(config, token, language)?;
    Ok(api.get("/v1/status", &[]).ok())
}

fn render(findings: &[Finding], language: Language) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let mark = match finding.status {
            Mark::Ok => "✓",
            Mark::Warn => "!",
            Mark::Fail => "✗",
            Mark::Skipped => "-",
        };
        let place = [finding.facility.as_deref(), finding.service.as_deref().map(service)];
        let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let whose = match finding.whose {
            Whose::None => String::new(),
            other => format!("[{}] ", side(other.word(), language)),
        };
        let space = if place.is_empty() { "" } else { " · " };
        lines.push(format!("{mark} {:<12} {place}{space}{whose}{}", title(finding.name, language), finding.detail));
        lines.extend(finding.next.iter().map(|next| format!("{:15}→ {next}", "")));
    }
    lines.join("\n")
}

fn title(name: &str, language: Language) -> &str {
    let indonesian = match name {
        "config" => "konfigurasi",
        "vault" => "brankas",
        "credentials" => "kredensial",
        "clients" => "klien",
        "profile" => "perjanjian",
        "catalogue" => "katalog",
        "database" => "basis data",
        "daemon" => "layanan",
        "entries" => "entri",
        "clock" => "jam",
        "dns" => "DNS",
        "tcp" => "TCP",
        "tls" => "TLS",
        "holidays" => "hari libur",
        "certificates" => "sertifikat",
        "http" => "HTTP",
        "bpjs" => "BPJS",
        other => other,
    };
    match language {
        Language::Indonesian => indonesian,
        Language::English => name,
    }
}
