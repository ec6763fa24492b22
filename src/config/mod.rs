//! The configuration: one TOML file, environment over it, every mistake reported at once.
//!
//! Job: turn `jembatan.toml` and `JEMBATAN__SECTION__KEY` into checked, typed values. Invariants: unknown keys are errors;
//! no secret stands in a configuration and none is echoed; paths are relative to the file; every default is here, in
//! `Default`, and a test holds `config/jembatan.example.toml` to it. Neighbours: `daemon` and `cli` load it, every stage
//! gets its section. What it does not do: connect, or open the files it names (it only looks whether they are there).

mod error;
mod read;
#[cfg(test)]
mod tests;
mod value;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;

pub use error::{ConfigErrors, Fault, Place, Problem};

use crate::secret::Private;
use crate::vault::KeySource;
use crate::words::words;

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The local HTTP face.
    pub http: HttpConfig,
    /// The database.
    pub store: StoreConfig,
    /// The secrets.
    pub vault: VaultConfig,
    /// The agreement with BPJS.
    pub contract: ContractConfig,
    /// The way out.
    pub remote: RemoteConfig,
    /// The gateway for a SIM that speaks BPJS already.
    pub gateway: GatewayConfig,
    /// What is kept of reads for outages.
    pub keep: KeepConfig,
    /// The tables of the remote services.
    pub catalogue: CatalogueConfig,
    /// What Mobile JKN calls at the facility.
    pub antrean_inbound: AntreanInboundConfig,
    /// Reconciliations by themselves.
    pub reconcile: ReconcileConfig,
    /// This process among those that share the database.
    pub node: NodeConfig,
    /// How long things are remembered.
    pub retention: RetentionConfig,
    /// The puskesmas and clinics served, in the order of the file.
    pub facilities: Vec<Facility>,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where the API listens; anything but loopback needs TLS.
    pub listen: SocketAddr,
    /// Names besides `localhost` and addresses under which clients call it (`Host`); others are refused.
    pub hosts: Vec<String>,
    /// `[http.tls]`, off unless given.
    pub tls: Option<TlsConfig>,
    /// `[http.limits]`
    pub limits: HttpLimits,
}

/// `[http.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// PEM chain.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

/// `[http.limits]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// The largest request body, in bytes.
    pub body: u64,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_peer: usize,
    /// How long a client may take to send its headers.
    pub header_timeout: Duration,
    /// How long a client may take to send a whole request.
    pub read_timeout: Duration,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Which database.
    pub url: StoreUrl,
    /// Where the password of PostgreSQL is, kept apart from the URL.
    pub password: Option<KeySource>,
    /// Free disk space in bytes below which new entries are answered with 503.
    pub min_free: u64,
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:/path`
    Sqlite(PathBuf),
    /// `postgres://…`; not printable, because it may carry a password.
    Postgres(Private<String>),
}

impl StoreUrl {
    /// Reads an address; `None` if it is neither `sqlite:` nor `postgres://`.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Some(Self::Postgres(Private::new(text.to_owned())));
        }
        let path = text.strip_prefix("sqlite:").filter(|path| !path.is_empty())?;
        Some(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
    }
}

/// `[vault]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultConfig {
    /// The sealed file; the clients are in `<path>.clients`.
    pub path: PathBuf,
    /// Where its key comes from.
    pub key: KeySource,
}

/// `[contract]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractConfig {
    /// The profile of the agreement in force.
    pub profile: PathBuf,
    /// Its successor, in force from its own first day on.
    pub next: Option<PathBuf>,
    /// `[contract.bpjs]`: PIHAK KESATU.
    pub bpjs: Party,
    /// `[contract.dinkes]`: the health office.
    pub dinkes: Party,
}

/// One side of the agreement, as papers name it. Names and numbers of staff are personal data: they are printed on papers
/// and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// What it is called, e.g. the branch office.
    pub name: Option<String>,
    /// Where it is.
    pub address: Option<String>,
    /// Who signs for it.
    pub head: Option<Private<String>>,
    /// What the head is, e.g. Kepala Cabang.
    pub head_position: Option<String>,
    /// NIP or NPP of the head, with its kind.
    pub head_number: Option<Private<String>>,
    /// PIC of the integration (Lampiran X angka 4).
    pub pic: Option<Private<String>>,
    /// What the PIC is.
    pub pic_position: Option<String>,
    /// How the PIC is reached.
    pub pic_phone: Option<Private<String>>,
    /// The treasurer; of a facility only.
    pub treasurer: Option<Private<String>>,
    /// NIP of the treasurer, with its kind.
    pub treasurer_number: Option<Private<String>>,
}

/// `[remote]`
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteConfig {
    /// Development only: plain HTTP and loopback or private addresses as `base_url`.
    pub allow_local: bool,
    /// Replaces every catalogue value of settle, if set.
    pub settle: Option<Duration>,
    /// Calls at once, per facility and service.
    pub concurrency: usize,
    /// Calls per second, per facility and service; `None` (written 0) is no limit.
    pub rate_per_second: Option<f64>,
    /// For TCP and TLS together.
    pub connect_timeout: Duration,
    /// For one whole call.
    pub request_timeout: Duration,
    /// The longest wait between probes of a dead service.
    pub circuit_retry_max: Duration,
    /// The zone of BPJS's day: an entry dated ahead of it waits.
    pub timezone: TimeZone,
    /// How often an idle service is probed, so that an outage shows within 10 s.
    pub probe_interval: Duration,
}

/// `[gateway]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Whether `/ws` answers at all.
    pub enabled: bool,
    /// How long a gateway write waits for BPJS before it is answered with a receipt.
    pub wait: Duration,
    /// How long the same body of an operation without natural key counts as a repeat.
    pub repeat_window: Duration,
    /// How far a client's `X-timestamp` may be from this machine's clock, either way.
    pub timestamp_window: Duration,
}

/// `[keep]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepConfig {
    /// Whether reads of the gateway are kept and given again while BPJS is away.
    pub enabled: bool,
    /// How old a reference may be before it is fetched anew; zero fetches nothing ahead.
    pub refresh: Duration,
    /// Pause after each request of fetching ahead, per facility and service.
    pub pause: Duration,
    /// Words fetched ahead besides the catalogue's, in every reference that is searched by words.
    pub keywords: Vec<String>,
    /// Days after which a reference that was not read again goes.
    pub reference_days: u32,
    /// Days after which a member's standing goes.
    pub eligibility_days: u32,
    /// Rows of references in all.
    pub max_rows: u64,
    /// Members' standings in all.
    pub max_members: u64,
    /// Bytes of both in the database.
    pub max_bytes: u64,
}

/// `[catalogue]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogueConfig {
    /// Directory whose `*.toml` replace, add or retire operations; `None` is none.
    pub dir: Option<PathBuf>,
}

/// `[antrean_inbound]`
#[derive(Debug, Clone, PartialEq)]
pub struct AntreanInboundConfig {
    /// Where Mobile JKN is listened to; off unless given, and anything but loopback needs TLS.
    pub listen: Option<SocketAddr>,
    /// What stands before the fixed paths: empty, or `/…` without a slash at the end.
    pub base_path: String,
    /// `[antrean_inbound.tls]`
    pub tls: Option<TlsConfig>,
    /// `[antrean_inbound.limits]`
    pub limits: HttpLimits,
    /// How long a token lives.
    pub token_lifetime: Duration,
    /// Calls per second of one user name; `None` (written 0) is no limit.
    pub rate_per_second: Option<f64>,
    /// Failed logins per minute of one address.
    pub failed_logins_per_minute: u32,
    /// Which form `GET /antrean/status` has on the plain path.
    pub status_form: StatusForm,
    /// What a status without any booking says.
    pub empty_status: EmptyStatus,
    /// What a card that the SIM does not know is told.
    pub unknown_patient: UnknownPatient,
}

words! {
    /// The catalogue has two forms of the status on one path.
    StatusForm {
        /// One object for the whole poli, numbers as texts.
        V1 = "v1",
        /// A list with one object per doctor.
        V2 = "v2",
    }
}

words! {
    /// Implementations differ in what a day without bookings says.
    EmptyStatus {
        /// The status with zeros.
        Zeros = "zeros",
        /// Code 200 with a sentence.
        Success = "200",
        /// Code 201 with a sentence.
        Failure = "201",
    }
}

words! {
    /// Implementations differ in what a patient without a record is told.
    UnknownPatient {
        /// Code 202: Mobile JKN then sends the registration.
        New = "new",
        /// Code 201: go to the counter.
        Refuse = "refuse",
        /// A number all the same.
        Accept = "accept",
    }
}

/// `[reconcile]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileConfig {
    /// Time of day at the facility; `None` (written `""`) is never.
    pub daily: Option<jiff::civil::Time>,
    /// Whether the days of an outage are reconciled once it is over.
    pub after_outage: bool,
}

/// `[node]`; only with PostgreSQL, where several processes may share the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its name, one process a name; the machine's name unless given.
    pub name: Option<String>,
    /// How long the others wait for a node that is silent before they take its facilities over.
    pub term: Duration,
}

/// `[retention]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Days after which the payload of a delivered entry is destroyed; the monthly papers need it until then.
    pub payload_days: u32,
}

/// `[[facility]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facility {
    /// `kdProvider`: 8 characters 0-9 A-Z.
    pub code: String,
    /// For people; the code unless given.
    pub name: String,
    /// Its own zone: Asia/Jakarta (WIB), Asia/Makassar (WITA), Asia/Jayapura (WIT).
    pub timezone: TimeZone,
    /// `[facility.party]`: PIHAK KEDUA's puskesmas on papers.
    pub party: Party,
    /// `[facility.pcare]`
    pub pcare: Option<ServiceConfig>,
    /// `[facility.vclaim]`
    pub vclaim: Option<ServiceConfig>,
    /// `[facility.antrean_fktp]`
    pub antrean_fktp: Option<ServiceConfig>,
    /// `[facility.icare]`
    pub icare: Option<ServiceConfig>,
}

/// One remote service of a facility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Checked: http(s), a host, no credentials, no query, no slash at the end.
    pub base_url: String,
    /// P-Care only: the application code in `X-authorization` (`kdAplikasi`), `095` unless given.
    pub app_code: Option<String>,
}

/// The application code of P-Care unless configured.
pub const PCARE_APP_CODE: &str = "095";

impl Default for HttpConfig {
    fn default() -> Self {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8077);
        Self { listen, hosts: Vec::new(), tls: None, limits: HttpLimits::default() }
    }
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            body: 256 * 1024,
            connections: 256,
            connections_per_peer: 32,
            header_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(8),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        let url = StoreUrl::Sqlite(PathBuf::from("/var/lib/jembatan/jembatan.db"));
        Self { url, password: None, min_free: 200 * 1024 * 1024 }
    }
}

impl Default for VaultConfig {
    fn default() -> Self {
        let key = KeySource::Credential("jembatan.kek".to_owned());
        Self { path: PathBuf::from("/var/lib/jembatan/vault"), key }
    }
}

impl Default for ContractConfig {
    fn default() -> Self {
        let (bpjs, dinkes) = (Party::default(), Party::default());
        Self { profile: PathBuf::from("contracts/bontang-2024.toml"), next: None, bpjs, dinkes }
    }
}

impl Default for RemoteConfig {
    fn default() -> Self {
        Self {
            allow_local: false,
            settle: None,
            concurrency: 4,
            rate_per_second: Some(10.0),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            circuit_retry_max: Duration::from_secs(15),
            timezone: TimeZone::get("Asia/Jakarta").unwrap_or(TimeZone::UTC),
            probe_interval: Duration::from_secs(5),
        }
    }
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            wait: Duration::from_secs(10),
            repeat_window: Duration::from_mins(15),
            timestamp_window: Duration::from_mins(5),
        }
    }
}

impl Default for KeepConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            refresh: Duration::from_hours(24),
            pause: Duration::from_secs(2),
            keywords: Vec::new(),
            reference_days: 90,
            eligibility_days: 35,
            max_rows: 1_000_000,
            max_members: 50_000,
            max_bytes: 512 * 1024 * 1024,
        }
    }
}

impl Default for AntreanInboundConfig {
    fn default() -> Self {
        Self {
            listen: None,
            base_path: String::new(),
            tls: None,
            limits: HttpLimits { body: 16 * 1024, ..HttpLimits::default() },
            token_lifetime: Duration::from_hours(1),
            rate_per_second: Some(20.0),
            failed_logins_per_minute: 10,
            status_form: StatusForm::V2,
            empty_status: EmptyStatus::Zeros,
            unknown_patient: UnknownPatient::New,
        }
    }
}

impl Default for ReconcileConfig {
    fn default() -> Self {
        Self { daily: Some(jiff::civil::Time::constant(20, 30, 0, 0)), after_outage: true }
    }
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self { name: None, term: Duration::from_secs(15) }
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { payload_days: 395 }
    }
}

impl Config {
    /// Reads `path`, lays `environment` over it (names like `JEMBATAN__REMOTE__SETTLE`; others are ignored) and checks
    /// everything.
    ///
    /// # Errors
    /// All mistakes together, each with key, place, value (never a secret) and remedy.
    pub fn load(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigErrors> {
        read::load(path, environment)
    }

    /// The facility with this code.
    #[must_use]
    pub fn facility(&self, code: &str) -> Option<&Facility> {
        self.facilities.iter().find(|facility| facility.code == code)
    }

    /// Makes relative paths relative to `directory`, where the configuration file is.
    fn resolve(&mut self, directory: &Path) {
        let under = |path: &mut PathBuf| *path = directory.join(&*path);
        under(&mut self.contract.profile);
        if let Some(next) = &mut self.contract.next {
            under(next);
        }
        under(&mut self.vault.path);
        if let Some(tables) = &mut self.catalogue.dir {
            under(tables);
        }
        if let KeySource::File(path) = &mut self.vault.key {
            under(path);
        }
        if let StoreUrl::Sqlite(path) = &mut self.store.url {
            under(path);
        }
        if let Some(KeySource::File(path)) = &mut self.store.password {
            under(path);
        }
        for tls in [&mut self.http.tls, &mut self.antrean_inbound.tls].into_iter().flatten() {
            under(&mut tls.certificate);
            under(&mut tls.key);
        }
    }
}
