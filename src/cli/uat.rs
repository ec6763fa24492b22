//! `jembatan uat`: the acceptance test and its minutes (Lampiran X angka 3 huruf b butir 1, angka 4 huruf b butir 2).
//!
//! Job: run the checklist against a simulator of its own or BPJS's development host, and write what happened as a document
//! to sign. Invariants: the daemon under test is a real one in a home of its own, so the queue in production is never
//! touched; a production host is refused before anything is sent; without `--write` only harmless reads go out; the exit
//! code is 0 only if every mandatory case passed. Neighbours: `list` is the checklist, `cases` tries it, `report::uat` is
//! the document. What it does not do: judge BPJS's own duties.

mod cases;
mod host;
mod list;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum as _};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::json;
use zeroize::Zeroizing;

use self::cases::{Stand, State};
use self::list::{Case, Flow, Place};
use super::Language;
use super::bench::{self, Bench, Mirror};
use super::report::{Form, write_out};
use super::root::CliError;
use crate::catalogue::{Catalogue, Service};
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors, Facility, RemoteConfig};
use crate::daemon::{self, Parts};
use crate::remote::Remote;
use crate::report::frame::{Frame, Parties};
use crate::report::render;
use crate::report::uat::{Row, Run, Verdict, minutes};
use crate::simulator::faults::Script;
use crate::simulator::{FACILITY, Settings};
use crate::telemetry;
use crate::vault::CredentialName;

/// Longest wait for one thing with the simulator, which shows everything at once.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait at BPJS: two look-ups at three times settle, and room.
const PATIENCE_AT_BPJS: Duration = Duration::from_mins(10);
/// Our assumption of how long BPJS may take to show what it has processed; the simulator shows it at once.
const SETTLE: Duration = Duration::from_millis(500);
/// Answers that the simulator loses are waited for this long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Arguments of `jembatan uat`.
#[derive(Debug, Args)]
pub struct UatArgs {
    /// Terhadap server pengembangan BPJS menurut konfigurasi; tanpa ini terhadap simulator sendiri (BPJS's development host)
    #[arg(long, requires = "facility")]
    pub development: bool,
    /// Kode faskes yang diuji dan disebut pada berita acara (facility)
    #[arg(long, value_name = "KODE")]
    pub facility: Option<String>,
    /// Di server pengembangan juga menulis, dengan kartu uji (also write, with a test card)
    #[arg(long, requires = "development", requires = "card")]
    pub write: bool,
    /// Nomor kartu uji dari BPJS, bukan kartu peserta (test card given by BPJS)
    #[arg(long, value_name = "NOMOR", requires = "write")]
    pub card: Option<String>,
    /// Entri uji pengganti, JSON dengan «add» dan «undo» (other entries to write)
    #[arg(long, value_name = "BERKAS")]
    pub entries: Option<PathBuf>,
    /// Gangguan tambahan bagi simulator, TOML atau JSON (further faults to play)
    #[arg(long, value_name = "BERKAS", conflicts_with = "development")]
    pub faults: Option<PathBuf>,
    /// Bentuk berita acara; boleh berulang; tanpa ini menurut nama berkas, atau semuanya (formats)
    #[arg(long, value_enum, value_name = "BENTUK", value_delimiter = ',', requires = "out")]
    pub format: Vec<Form>,
    /// Berkas, atau direktori untuk beberapa bentuk (file, or folder)
    #[arg(long, value_name = "BERKAS|DIREKTORI")]
    pub out: Option<PathBuf>,
    /// Sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

impl UatArgs {
    const fn place(&self) -> Place {
        match (self.development, self.write) {
            (false, _) => Place::Simulator,
            (true, false) => Place::Development,
            (true, true) => Place::DevelopmentWrite,
        }
    }
}

/// Runs the checklist and writes its minutes.
///
/// # Errors
/// It could not be run; [`CliError::NeedsPerson`] if a mandatory case did not pass.
pub fn run(
    args: &UatArgs,
    path: &Path,
    load: impl FnOnce() -> Result<Config, ConfigErrors>,
    language: Language,
) -> Result<(), CliError> {
    // Without a configuration the simulator will do; one that is there must be right.
    let config = if path.exists() || args.development || args.facility.is_some() { Some(load()?) } else { None };
    let named = named(config.as_ref(), args.facility.as_deref())?;
    let targets = targets(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("tokio")?;
    let (run, checkpoint) = runtime.block_on(async {
        let mut stand = set(args, path, config.as_ref(), named).await?;
        let run = play(&mut stand, args, config.as_ref(), language).await;
        let checkpoint = stand.state.checkpoint.take();
        stand.bench.strike().await;
        anyhow::Ok((run?, checkpoint))
    })?;
    let frame = frame(config.as_ref(), named, checkpoint);
    let paper = minutes(&frame, &run);
    for (file, form) in targets {
        let form = form.to_possible_value().and_then(|value| render::Form::of_word(value.get_name()));
        let bytes = form.unwrap_or(render::Form::Html).render(&paper).map_err(|error| anyhow!(error))?;
        write_out(Some(&file), &bytes)?;
    }
    tell(&run, args.json, language);
    if run.is_accepted() {
        return Ok(());
    }
    let words = language.pick("ada kasus wajib yang belum lulus", "a mandatory case has not passed");
    Err(CliError::NeedsPerson(words.to_owned()))
}

/// The facility that the document names.
fn named<'a>(config: Option<&'a Config>, code: Option<&str>) -> anyhow::Result<Option<&'a Facility>> {
    match (config, code) {
        (Some(config), Some(code)) => {
            Ok(Some(config.facility(code).ok_or_else(|| anyhow!("--facility {code}: tidak ada di konfigurasi"))?))
        }
        (Some(config), None) => Ok(config.facilities.first()),
        (None, _) => Ok(None),
    }
}

/// Which files in which forms.
fn targets(args: &UatArgs) -> anyhow::Result<Vec<(PathBuf, Form)>> {
    let Some(out) = &args.out else { return Ok(Vec::new()) };
    let word = |form: Form| form.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    if out.is_dir() {
        let forms = if args.format.is_empty() { Form::value_variants() } else { &args.format };
        return Ok(forms.iter().map(|form| (out.join(format!("uat.{}", word(*form))), *form)).collect());
    }
    match args.format.as_slice() {
        [form] => Ok(vec![(out.clone(), *form)]),
        [] => {
            let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let form = Form::from_str(ending, true);
            let form = form.map_err(|_| anyhow!("{}: sebut bentuknya dengan --format", out.display()))?;
            Ok(vec![(out.clone(), form)])
        }
        [_, ..] => Err(anyhow!("{}: beberapa bentuk memerlukan direktori yang sudah ada", out.display())),
    }
}

// ---- the stand ----------------------------------------------------------------------------------------------------

async fn set(args: &UatArgs, path: &Path, config: Option<&Config>, named: Option<&Facility>) -> anyhow::Result<Stand> {
    let clock = Clock::system();
    let flow = match &args.entries {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            Flow::read(&text).with_context(|| file.display().to_string())?
        }
        None => Flow::shipped(Service::Pcare)?,
    };
    // Refused before a home is made or anything is sent.
    let (facility, secrets) = match (config, named) {
        (Some(config), Some(facility)) if args.development => {
            let base_url = facility.pcare.as_ref().map(|service| service.base_url.as_str()).unwrap_or_default();
            host::for_tests_only(base_url, config.remote.allow_local)?;
            (Some(facility.clone()), host::credentials(config, facility)?)
        }
        _ => (None, Vec::new()),
    };
    let home = bench::home("uat", &clock)?;
    let log = home.join("uat.log");
    let file = std::fs::File::create(&log).with_context(|| log.display().to_string())?;
    telemetry::init_into("debug", Mutex::new(file)).context("log")?;
    let today = clock.now().to_zoned(TimeZone::get("Asia/Jakarta").context("Asia/Jakarta")?).date();
    let (mirror, facility, secrets, base, day) = match (facility, config) {
        (Some(facility), Some(config)) => (None, facility, secrets, config.clone(), today),
        _ => {
            let mirror = Mirror::start(settings(args)?).await?;
            let zone = TimeZone::get("Asia/Makassar").context("Asia/Makassar")?;
            let (facility, secrets) = (mirror.facility(zone), mirror.secrets());
            (Some(mirror), facility, secrets, for_simulator(&home), today.checked_sub(1.day()).context("yesterday")?)
        }
    };
    let code = facility.code.clone();
    let config = bench::config(base, &home, facility);
    let certs = if args.development { path.parent().map(|folder| folder.join("certs")) } else { None };
    let parts = || Parts { certs: certs.clone(), ..Parts::default() };
    let bench = Bench::set(config.clone(), &secrets, home, false, parts()).await?;
    let transport = daemon::transport(&config, &parts()).context("TLS")?;
    let catalogue = Arc::new(Catalogue::shipped().context("catalogue")?);
    let remote =
        Remote::new(&config.remote, &config.facilities, catalogue, bench.vault.clone(), clock.clone(), transport);
    Ok(Stand {
        bench,
        patience: if mirror.is_some() { PATIENCE } else { PATIENCE_AT_BPJS },
        mirror,
        remote,
        reference: format!("uat-{}", clock.now().as_second()),
        clock,
        facility: code,
        day,
        card: args.card.clone(),
        flow,
        secrets: searched(secrets),
        log,
        state: State::default(),
    })
}

fn settings(args: &UatArgs) -> anyhow::Result<Settings> {
    let script = match &args.faults {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            Script::read(&text).map_err(|fault| anyhow!("{}: {fault}", path.display()))?
        }
        None => Script::default(),
    };
    Ok(Settings { script, ..Settings::default() })
}

fn for_simulator(home: &Path) -> Config {
    let mut config = Config::default();
    // The profile that the binary carries.
    config.contract.profile = home.join("bontang-2024.toml");
    config.remote = RemoteConfig {
        allow_local: true,
        settle: Some(SETTLE),
        rate_per_second: None,
        request_timeout: REQUEST_TIMEOUT,
        circuit_retry_max: Duration::from_secs(1),
        probe_interval: Duration::from_secs(1),
        ..config.remote
    };
    config
}

/// Credentials that must be found nowhere. The login is the facility's public code, and the consumer id is short enough
/// to turn up by chance.
fn searched(secrets: bench::Secrets) -> Vec<Zeroizing<String>> {
    let hidden = |name: &CredentialName| !matches!(name, CredentialName::PcareUsername | CredentialName::ConsId);
    secrets.into_iter().filter(|(name, _)| hidden(name)).map(|(_, value)| value).collect()
}

// ---- the run ------------------------------------------------------------------------------------------------------

async fn play(stand: &mut Stand, args: &UatArgs, config: Option<&Config>, language: Language) -> anyhow::Result<Run> {
    let began = stand.clock.now();
    let mut rows = Vec::new();
    for case in list::cases()? {
        let row = match not_here(&case, args.place()) {
            Some(why) => row(&case, Verdict::NotRun, None, why.to_owned(), Vec::new()),
            None => tried(stand, &case).await,
        };
        // An untried case of the simulator is not missing from a run elsewhere.
        let mandatory = row.mandatory && (row.verdict != Verdict::NotRun || case.places.len() > 1);
        let row = Row { mandatory, ..row };
        if !args.json {
            say!("{}", line(&row, language));
        }
        rows.push(row);
    }
    let target = match (&stand.mirror, config.and_then(|config| config.facility(&stand.facility))) {
        (Some(_), _) | (None, None) => "simulator BPJS bawaan jembatan".to_owned(),
        (None, Some(facility)) => {
            let address = facility.pcare.as_ref().map(|service| service.base_url.clone()).unwrap_or_default();
            let how = if args.write { "baca dan tulis dengan kartu uji" } else { "hanya baca" };
            format!("server pengembangan {address} ({how})")
        }
    };
    let program = format!("jembatan {}", env!("CARGO_PKG_VERSION"));
    Ok(Run { target, program, span: (began, stand.clock.now()), rows })
}

/// Why a case is not tried at this place.
fn not_here(case: &Case, place: Place) -> Option<&'static str> {
    if case.places.contains(&place) {
        None
    } else if case.places.contains(&Place::DevelopmentWrite) {
        Some("perlu --write dan --card: menulis ke server pengembangan")
    } else {
        Some("hanya dengan simulator: lihat berita acara uji dengan simulator")
    }
}

async fn tried(stand: &mut Stand, case: &Case) -> Row {
    let result = stand.try_case(case).await;
    let at = Some(stand.clock.now());
    match result {
        Ok(seen) => row(case, Verdict::Passed, at, seen.text, seen.evidence),
        Err(error) => row(case, Verdict::Failed, at, format!("{error:#}"), Vec::new()),
    }
}

fn row(case: &Case, verdict: Verdict, at: Option<Timestamp>, seen: String, evidence: Vec<String>) -> Row {
    Row {
        id: case.id.clone(),
        source: case.source.clone(),
        title: case.title.clone(),
        expected: case.expected.clone(),
        mandatory: case.mandatory,
        verdict,
        at,
        seen,
        evidence,
    }
}

fn line(row: &Row, language: Language) -> String {
    let verdict = match row.verdict {
        Verdict::Passed => language.pick("✓ lulus", "✓ passed"),
        Verdict::Failed => language.pick("✗ GAGAL", "✗ FAILED"),
        Verdict::NotRun => language.pick("- belum diuji", "- not run"),
    };
    format!("{:<14} {} {}: {}", verdict, row.id, row.title, row.seen)
}

fn tell(run: &Run, as_json: bool, language: Language) {
    let count = |verdict| run.rows.iter().filter(|row| row.verdict == verdict).count();
    let (passed, failed, untried) = (count(Verdict::Passed), count(Verdict::Failed), count(Verdict::NotRun));
    if as_json {
        let cases = run.rows.iter().map(|row| {
            json!({ "id": row.id, "source": row.source, "title": row.title, "expected": row.expected,
                "mandatory": row.mandatory, "result": row.verdict.word(), "at": row.at.map(|at| at.to_string()),
                "seen": row.seen, "evidence": row.evidence })
        });
        let counts = json!({ "passed": passed, "failed": failed, "not_run": untried });
        say!(
            "{}",
            json!({ "ok": run.is_accepted(), "target": run.target, "counts": counts, "cases": cases.collect::<Vec<_>>() })
        );
        return;
    }
    let words = language.pick("lulus, gagal, belum diuji:", "passed, failed, not run:");
    say!("\n{words} {passed}, {failed}, {untried}");
}

fn frame(config: Option<&Config>, named: Option<&Facility>, checkpoint: Option<(i64, String)>) -> Frame {
    let zone = || TimeZone::get("Asia/Makassar").unwrap_or(TimeZone::UTC);
    let parties = Parties {
        bpjs: config.map(|config| config.contract.bpjs.clone()).unwrap_or_default(),
        dinkes: config.map(|config| config.contract.dinkes.clone()).unwrap_or_default(),
        own: named.map(|facility| facility.party.clone()).unwrap_or_default(),
    };
    Frame {
        facility: named.map_or_else(|| FACILITY.to_owned(), |facility| facility.code.clone()),
        facility_name: named.map_or_else(|| "PKM Contoh".to_owned(), |facility| facility.name.clone()),
        zone: named.map_or_else(zone, |facility| facility.timezone.clone()),
        now: Clock::system().now(),
        actor: "jembatan uat".to_owned(),
        checkpoint,
        parties,
    }
}
