//! `jembatan simulate`: the BPJS simulator as a program of its own, and Mobile JKN as a caller.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use zeroize::Zeroizing;

use super::root::{CliError, log_with};
use super::words::table;
use super::{Console, Language};
use crate::catalogue::{Catalogue, Operation};
use crate::clock::Clock;
use crate::secret::Password;
use crate::simulator::credentials::Credentials;
use crate::simulator::faults::Script;
use crate::simulator::mobile_jkn::{self, Check, Plan, Target};
use crate::simulator::{self, FACILITY, Settings, Simulator};
use crate::telemetry::Format;

/// Arguments of `jembatan simulate`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct SimulateArgs {
    /// Yang memanggil, bukan yang dipanggil (a caller instead of the services)
    #[command(subcommand)]
    pub caller: Option<Caller>,
    /// Alamat, misalnya 127.0.0.1:8078 (where to listen)
    #[arg(long, value_name = "ALAMAT", default_value = "127.0.0.1:8078")]
    pub listen: SocketAddr,
    /// Gangguan yang dimainkan, TOML atau JSON (faults to play)
    #[arg(long, value_name = "BERKAS")]
    pub faults: Option<PathBuf>,
    /// Benih: benih yang sama, hari yang sama (seed)
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Kode faskes yang dilayani (facility served)
    #[arg(long, value_name = "KODE", default_value = FACILITY)]
    pub facility: String,
    /// Direktori katalog yang menambah atau mengganti operasi (override directory of the catalogue)
    #[arg(long, value_name = "DIREKTORI")]
    pub catalogue: Option<PathBuf>,
    /// Cetak kredensial ujinya sebagai JSON, lalu selesai (print the test credentials as JSON and end)
    #[arg(long)]
    pub credentials: bool,
}

/// Who can be played besides the services.
#[derive(Debug, Subcommand)]
pub enum Caller {
    /// Mobile JKN: memanggil layanan antrean faskes dan memeriksa jawabannya (calls a facility's queue service)
    MobileJkn(MobileJknArgs),
}

/// Arguments of `jembatan simulate mobile-jkn`. The password is asked for, or is the first line of standard input.
#[derive(Debug, Args)]
pub struct MobileJknArgs {
    /// The base URL (its help is an attribute: documentation would take the address in it for a link).
    #[arg(
        help = "Alamat dasar layanan, misalnya https://antrean.puskesmas.example (base URL)",
        long,
        value_name = "URL"
    )]
    pub url: String,
    /// Nama pengguna faskes, x-username (whose service)
    #[arg(long, value_name = "NAMA")]
    pub username: String,
    /// Kode poli yang buka (an open clinic)
    #[arg(long, value_name = "KODE", default_value = "001")]
    pub poli: String,
    /// Tanggal periksa YYYY-MM-DD; hari ini (UTC+7) bila kosong (day of service)
    #[arg(long, value_name = "TANGGAL")]
    pub date: Option<jiff::civil::Date>,
    /// Kode dokter untuk badan v2; dari jawaban status bila kosong (doctor of v2 bodies)
    #[arg(long, value_name = "KODE", requires = "hours")]
    pub doctor: Option<u64>,
    /// Jam praktik untuk badan v2, misalnya 08:00-12:00 (hours of v2 bodies)
    #[arg(long, value_name = "JAM", requires = "doctor")]
    pub hours: Option<String>,
    /// Versi badan yang dikirim (versions of bodies)
    #[arg(long = "versions", value_name = "1,2", value_delimiter = ',', default_values_t = [1, 2],
        value_parser = clap::value_parser!(u8).range(1..=2))]
    pub versions: Vec<u8>,
    /// Benih nomor kartu; dari jam bila kosong (seed of the cards)
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Umur token dalam detik: tunggu sampai habis dan periksa (wait for the token to expire)
    #[arg(long, value_name = "DETIK")]
    pub token_life: Option<u64>,
    /// Sertifikat tambahan yang dipercaya, PEM (a certificate to trust)
    #[arg(long, value_name = "BERKAS")]
    pub trust: Option<PathBuf>,
    /// Hasil sebagai JSON (as JSON)
    #[arg(long)]
    pub json: bool,
}

/// Runs the simulator until Ctrl-C, prints its credentials, or plays a caller.
///
/// # Errors
/// The fault file or the catalogue is wrong, the address cannot be had, or a check of the caller failed.
pub fn run(args: &SimulateArgs, language: Language) -> Result<(), CliError> {
    if let Some(Caller::MobileJkn(args)) = &args.caller {
        return call(args, language);
    }
    if args.credentials {
        println!("{:#}", Credentials::default().to_json());
        return Ok(());
    }
    log_with(Format::Auto);
    let operations = operations(args.catalogue.as_deref())?;
    let script = match &args.faults {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let extra: Vec<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
            Script::read_with(&text, &extra).map_err(|fault| anyhow::anyhow!("{}: {fault}", path.display()))?
        }
        None => Script::default(),
    };
    let facility = args.facility.clone();
    let settings = Settings { seed: args.seed, facility, script, operations, ..Settings::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("tokio")?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen).await.with_context(|| args.listen.to_string())?;
        let address = listener.local_addr().context("--listen")?;
        println!("simulator BPJS: http://{address}/pcare-rest (kendali: http://{address}/_sim)");
        println!("               juga /vclaim-rest, /antreanfktp, /wsihs");
        let stop = async { drop(tokio::signal::ctrl_c().await) };
        simulator::serve(listener, Simulator::new(settings), stop).await.context("simulator")?;
        Ok(())
    })
}

/// The operations that the override directory adds or replaces.
fn operations(directory: Option<&Path>) -> Result<Vec<Operation>, CliError> {
    let Some(directory) = directory else { return Ok(Vec::new()) };
    let catalogue = Catalogue::with_overrides(Some(directory)).context("--catalogue")?;
    let changed: BTreeSet<&str> = catalogue.changes().iter().map(|change| change.operation.as_str()).collect();
    Ok(catalogue.operations().filter(|operation| changed.contains(operation.name.as_str())).cloned().collect())
}

/// The password, hidden from the terminal or from the first line of standard input.
fn password(language: Language) -> Result<Zeroizing<String>, CliError> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let input_is_terminal = stdin.is_terminal();
    let mut console = Console {
        input: &mut stdin.lock(),
        input_is_terminal,
        output: &mut stdout.lock(),
        errors: &mut stderr.lock(),
        language,
    };
    Ok(console.passphrase("Kata sandi (x-password): ", "Password (x-password): ")?)
}

/// Plays Mobile JKN and shows what it found.
fn call(args: &MobileJknArgs, language: Language) -> Result<(), CliError> {
    let clock = Clock::system();
    let trusted = match &args.trust {
        None => Vec::new(),
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .with_context(|| path.display().to_string())?,
    };
    let password = password(language)?;
    let target = Target {
        url: args.url.clone(),
        username: args.username.clone(),
        password: Password::new(password.as_str()),
        trusted,
    };
    let western = jiff::tz::TimeZone::fixed(jiff::tz::offset(7));
    let plan = Plan {
        clinic: args.poli.clone(),
        day: args.date.unwrap_or_else(|| clock.now().to_zoned(western).date()),
        doctor: args.doctor.zip(args.hours.clone()),
        versions: args.versions.clone(),
        seed: args.seed.unwrap_or_else(|| clock.now().as_second().unsigned_abs()),
        token_life: args.token_life.map(Duration::from_secs),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("tokio")?;
    let checks = runtime.block_on(mobile_jkn::drive(&target, &plan, &clock)).map_err(|what| anyhow::anyhow!(what))?;
    show(&checks, args.json, language)
}

fn show(checks: &[Check], as_json: bool, language: Language) -> Result<(), CliError> {
    let failed = checks.iter().filter(|check| !check.passed).count();
    if as_json {
        say!("{}", json!({ "items": checks, "counts": { "checks": checks.len(), "failed": failed } }));
    } else {
        let head = match language {
            Language::Indonesian => ["adegan", "yang diminta", "diharapkan", "datang", "hasil", "pesan"],
            Language::English => ["scene", "asked", "expected", "got", "result", "message"],
        };
        let rows = checks.iter().map(|check| {
            let result = match (check.passed, language) {
                (true, _) => "ok",
                (false, Language::Indonesian) => "SALAH",
                (false, Language::English) => "WRONG",
            };
            let Check { scene, step, expected, got, message, .. } = check;
            vec![(*scene).to_owned(), step.clone(), expected.clone(), got.clone(), result.to_owned(), message.clone()]
        });
        say!("{}", table(&head, &rows.collect::<Vec<_>>()));
    }
    if failed == 0 {
        return Ok(());
    }
    Err(CliError::NeedsPerson(match language {
        Language::Indonesian => format!("{failed} dari {} pemeriksaan tidak sesuai", checks.len()),
        Language::English => format!("{failed} of {} checks failed", checks.len()),
    }))
}
