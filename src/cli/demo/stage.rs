//! The demo's stage: a temporary home, the simulator, the daemon, and a client that knows only the API.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::Language;
use crate::clock::Clock;
use crate::config::{Config, Facility, RemoteConfig, ServiceConfig, StoreUrl};
use crate::daemon::{self, Parts, Running};
use crate::queue::State;
use crate::simulator::faults::{Fault, Kind};
use crate::simulator::{self, DownMode, FACILITY, Settings, Simulator};
use crate::vault::{Clients, CredentialName, KeyAccess, KeySource, NewClient, Role, Vault};

/// Our assumption of how long BPJS may take to show what it has processed; the simulator shows it at once.
const SETTLE: Duration = Duration::from_secs(1);
/// The part of writes whose answer is lost after they landed.
const LOST: f64 = 0.05;
/// Answers that are lost are waited for this long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Everything the demo stands on.
pub(super) struct Stage {
    /// The service day: nothing is dated ahead of BPJS's day.
    pub(super) yesterday: Date,
    home: PathBuf,
    keep: bool,
    simulator: Simulator,
    simulator_at: SocketAddr,
    stop_simulator: CancellationToken,
    running: Running,
    token: String,
    viewer: String,
    http: reqwest::Client,
    second: AtomicU64,
}

impl Stage {
    /// Sets the stage.
    pub(super) async fn set(keep: bool) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let zone = TimeZone::get("Asia/Makassar").context("Asia/Makassar")?;
        let today = clock.now().to_zoned(TimeZone::get("Asia/Jakarta").context("Asia/Jakarta")?).date();
        let yesterday = today.checked_sub(1.day()).context("yesterday")?;
        let home = home(&clock)?;
        let (simulator, simulator_at, stop_simulator) = simulator().await?;
        let config = config(&home, simulator_at, zone)?;
        let (token, viewer) = secrets(&config, &simulator, &clock)?;
        let running = daemon::start(config, Parts::default()).await.context("jembatan")?;
        let http = reqwest::Client::builder().no_proxy().build().context("client")?;
        let second = AtomicU64::new(0);
        Ok(Self {
            yesterday,
            home,
            keep,
            simulator,
            simulator_at,
            stop_simulator,
            running,
            token,
            viewer,
            http,
            second,
        })
    }

    /// Takes everything down again.
    pub(super) async fn strike(self) {
        self.running.stop().await;
        self.stop_simulator.cancel();
        if self.keep {
            println!("direktori: {}", self.home.display());
        } else {
            drop(std::fs::remove_dir_all(&self.home));
        }
    }

    /// An address of the bridge.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    /// An address of the simulator.
    pub(super) fn simulator_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.simulator_at)
    }

    /// Lets somebody look at the status page.
    pub(super) fn viewer_token(&self) -> &str {
        &self.viewer
    }

    /// Whether another second began since the last question.
    pub(super) fn is_new_second(&self, elapsed: Duration) -> bool {
        self.second.fetch_max(elapsed.as_secs() + 1, Ordering::Relaxed) < elapsed.as_secs() + 1
    }

    /// Hands one submission in.
    pub(super) async fn submit(&self, body: Value) -> anyhow::Result<()> {
        let sent = self.http.post(self.url("/v1/submissions")).bearer_auth(&self.token);
        let sent = sent.header("content-type", "application/json").body(body.to_string()).send().await;
        let answer = sent.context("POST /v1/submissions")?;
        let status = answer.status();
        if status == reqwest::StatusCode::ACCEPTED || status == reqwest::StatusCode::OK {
            return Ok(());
        }
        let text = answer.text().await.unwrap_or_default();
        Err(anyhow!("kiriman tidak diterima: {status} {text}"))
    }

    /// BPJS answers nothing for a while.
    pub(super) fn outage(&self, duration: Duration) {
        self.simulator.down(DownMode::Refuse, Some(duration));
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(self.url(path)).bearer_auth(&self.viewer).send().await.context("GET")?;
        let text = answer.text().await.context("GET")?;
        serde_json::from_str(&text).with_context(|| path.to_owned())
    }

    /// Deliveries by state, from the metrics: what anybody can see.
    pub(super) async fn counts(&self) -> anyhow::Result<BTreeMap<State, i64>> {
        let answer = self.http.get(self.url("/metrics")).send().await.context("GET /metrics")?;
        Ok(states(&answer.text().await.context("GET /metrics")?))
    }

    /// Look-ups that ended, from the metrics.
    pub(super) async fn look_ups(&self) -> anyhow::Result<i64> {
        let answer = self.http.get(self.url("/metrics")).send().await.context("GET /metrics")?;
        let text = answer.text().await.context("GET /metrics")?;
        let ended = ["found", "absent", "owned", "ambiguous", "failed"].map(|word| format!("outcome=\"{word}\""));
        let of = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<i64>().ok());
        let lines = text.lines().filter(|line| line.starts_with("jembatan_attempts_total{"));
        Ok(lines.filter(|line| ended.iter().any(|word| line.contains(word))).filter_map(of).sum())
    }

    /// The traffic light in a word.
    pub(super) async fn light(&self, language: Language) -> &'static str {
        let health = self.get("/health").await.unwrap_or(Value::Null);
        match health["verdict"].as_str() {
            Some("bpjs") => language.pick("BPJS putus", "BPJS gone"),
            Some("network") => language.pick("jaringan", "network"),
            Some("us") => language.pick("kita", "us"),
            Some(_) | None => language.pick("berjalan", "running"),
        }
    }

    /// All deliveries.
    pub(super) async fn deliveries(&self) -> anyhow::Result<Vec<Value>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/v1/deliveries?limit=1000{cursor}")).await?;
            all.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&after={next}"),
                None => return Ok(all),
            }
        }
    }

    /// The outages on record.
    pub(super) async fn outages(&self) -> anyhow::Result<Vec<Value>> {
        Ok(self.get("/v1/outages").await?["items"].as_array().cloned().unwrap_or_default())
    }

    /// Reconciles the day, as an operator.
    pub(super) async fn reconcile(&self) -> anyhow::Result<Value> {
        let body =
            json!({ "facility": FACILITY, "from": self.yesterday.to_string(), "to": self.yesterday.to_string() });
        let operator = self.running.operator_token.expose().to_string();
        let sent = self.http.post(self.url("/v1/reconciliations")).bearer_auth(operator);
        let sent = sent.header("content-type", "application/json").body(body.to_string()).send().await;
        let text = sent.context("POST /v1/reconciliations")?.text().await.context("POST /v1/reconciliations")?;
        serde_json::from_str(&text).context("POST /v1/reconciliations")
    }

    /// What landed at the simulator, asked over its control plane.
    pub(super) async fn ledger(&self) -> anyhow::Result<Value> {
        let answer = self.http.get(self.simulator_url("/_sim/ledger")).send().await.context("GET /_sim/ledger")?;
        serde_json::from_str(&answer.text().await.context("GET /_sim/ledger")?).context("GET /_sim/ledger")
    }
}

/// `jembatan_deliveries{…state="delivered"…} 12` → sums by state.
fn states(metrics: &str) -> BTreeMap<State, i64> {
    let mut counts = BTreeMap::new();
    for line in metrics.lines().filter(|line| line.starts_with("jembatan_deliveries{")) {
        let state = line.split("state=\"").nth(1).and_then(|rest| rest.split('"').next()).and_then(State::of_word);
        let count = line.rsplit(' ').next().and_then(|number| number.parse::<i64>().ok());
        if let (Some(state), Some(count)) = (state, count) {
            *counts.entry(state).or_default() += count;
        }
    }
    counts
}

fn home(clock: &Clock) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let name = format!("jembatan-demo-{}-{}", std::process::id(), clock.now().as_millisecond());
    let home = std::env::temp_dir().join(name);
    std::fs::DirBuilder::new().mode(0o700).create(&home).with_context(|| home.display().to_string())?;
    Ok(home)
}

async fn simulator() -> anyhow::Result<(Simulator, SocketAddr, CancellationToken)> {
    let simulator = Simulator::new(Settings::default());
    let lost = Fault { probability: Some(LOST), ..Fault::new("write", Kind::LandThenTimeout) };
    simulator.add_faults(vec![lost]).map_err(|fault| anyhow!(fault))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("simulator")?;
    let address = listener.local_addr().context("simulator")?;
    let stop = CancellationToken::new();
    let (serving, stopping) = (simulator.clone(), stop.clone());
    tokio::spawn(async move {
        // It ends with the demo; a listener that fails shows as an outage on the screen.
        drop(simulator::serve(listener, serving, stopping.cancelled_owned()).await);
    });
    Ok((simulator, address, stop))
}

fn config(home: &Path, simulator: SocketAddr, zone: TimeZone) -> anyhow::Result<Config> {
    let facility = Facility {
        code: FACILITY.to_owned(),
        name: "PKM Contoh".to_owned(),
        timezone: zone,
        pcare: Some(ServiceConfig { base_url: format!("http://{simulator}/pcare-rest"), app_code: None }),
        vclaim: None,
        antrean_fktp: None,
        icare: None,
        party: crate::config::Party::default(),
    };
    let mut config = Config::default();
    config.http.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.store.url = StoreUrl::Sqlite(home.join("jembatan.db"));
    config.vault.path = home.join("vault");
    config.vault.key = KeySource::File(home.join("kek"));
    // The profile that the binary carries.
    config.contract.profile = home.join("bontang-2024.toml");
    config.remote = RemoteConfig {
        allow_local: true,
        settle: Some(SETTLE),
        rate_per_second: None,
        request_timeout: REQUEST_TIMEOUT,
        concurrency: 8,
        circuit_retry_max: Duration::from_secs(2),
        ..config.remote
    };
    // Its counts of requests are of the day it plays.
    config.keep.refresh = Duration::ZERO;
    // The demo makes its reconciliation itself, at its end.
    config.reconcile = crate::config::ReconcileConfig { daily: None, after_outage: false };
    config.facilities = vec![facility];
    Ok(config)
}

/// The vault with the simulator's credentials, a SIM's token and a viewer's.
fn secrets(config: &Config, simulator: &Simulator, clock: &Clock) -> anyhow::Result<(String, String)> {
    let now = clock.now();
    let vault = Vault::create(&config.vault.path, &config.vault.key, KeyAccess::of_process(), now)?;
    let theirs = simulator.credentials();
    let values = [
        (CredentialName::ConsId, theirs.cons_id.expose()),
        (CredentialName::SecretKey, theirs.secret_key.expose()),
        (CredentialName::PcareUserKey, theirs.pcare.expose()),
        (CredentialName::PcareUsername, theirs.username.expose()),
        (CredentialName::PcarePassword, theirs.password.expose()),
    ];
    for (name, value) in values {
        vault.put(FACILITY, name, value, now)?;
    }
    let clients = Clients::open(&config.vault.path)?;
    let token = |name: &str, role| -> anyhow::Result<String> {
        let new = NewClient { name: name.to_owned(), facilities: vec![FACILITY.to_owned()], role, kind: None, days: 1 };
        Ok(clients.add(&new, Some(&vault), now)?.token.expose().to_string())
    };
    Ok((token("sim-demo", Role::Sim)?, token("pic-demo", Role::Viewer)?))
}
