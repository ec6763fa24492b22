//! A bench: a temporary home with a vault, a store and a daemon of its own, and a client that knows only its API.
//!
//! Job: what `demo` and `uat` stand on. Invariants: nothing of the machine's configuration or data is touched; the home is
//! readable by its owner only and goes with [`Bench::strike`]. Neighbours: `demo::stage` and `uat` put a BPJS in front of
//! it. What it does not do: play, judge.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::{Config, Facility, Party, ServiceConfig, StoreUrl};
use crate::daemon::{self, Parts, Running};
use crate::secret::Private;
use crate::simulator::credentials::Credentials;
use crate::simulator::{self, FACILITY, Settings, Simulator};
use crate::vault::{Clients, CredentialName, KeyAccess, KeySource, NewClient, Role, Vault};

/// The ledger's lists and the operations that fill them.
pub(super) const LISTS: &[(&str, &str)] = &[
    ("pendaftaran", "pcare.pendaftaran.add"),
    ("kunjungan", "pcare.kunjungan.add"),
    ("tindakan", "pcare.tindakan.add"),
    ("obat", "pcare.obat.add"),
    ("mcu", "pcare.mcu.add"),
    ("kegiatan", "pcare.kelompok.kegiatan.add"),
    ("peserta_kegiatan", "pcare.kelompok.peserta.add"),
];

/// What a daemon signs in with.
pub(super) type Secrets = Vec<(CredentialName, Zeroizing<String>)>;

/// A simulator in this process.
pub(super) struct Mirror {
    /// Its handle.
    pub(super) simulator: Simulator,
    address: SocketAddr,
    http: reqwest::Client,
    stop: CancellationToken,
}

impl Mirror {
    /// Starts one on a free port; it ends when it is dropped.
    pub(super) async fn start(settings: Settings) -> anyhow::Result<Self> {
        let simulator = Simulator::new(settings);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("simulator")?;
        let address = listener.local_addr().context("simulator")?;
        let stop = CancellationToken::new();
        let (serving, stopping) = (simulator.clone(), stop.clone());
        tokio::spawn(async move {
            // It ends with the command; a listener that fails shows as an outage.
            drop(simulator::serve(listener, serving, stopping.cancelled_owned()).await);
        });
        let http = reqwest::Client::builder().no_proxy().build().context("client")?;
        Ok(Self { simulator, address, http, stop })
    }

    /// An address of it.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A document of its control plane.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(self.url(path)).send().await.with_context(|| path.to_owned())?;
        serde_json::from_str(&answer.text().await.context("simulator")?).with_context(|| path.to_owned())
    }

    /// An order to its control plane.
    pub(super) async fn order(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let answer =
            self.http.post(self.url(path)).body(body.to_string()).send().await.with_context(|| path.to_owned())?;
        anyhow::ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        Ok(())
    }

    /// The facility it serves, as a configuration names it.
    pub(super) fn facility(&self, timezone: jiff::tz::TimeZone) -> Facility {
        Facility {
            code: FACILITY.to_owned(),
            name: "PKM Contoh".to_owned(),
            timezone,
            pcare: Some(ServiceConfig { base_url: self.url("/pcare-rest"), app_code: None }),
            vclaim: None,
            antrean_fktp: None,
            icare: None,
            party: Party::default(),
        }
    }

    /// What to sign in with.
    pub(super) fn secrets(&self) -> Secrets {
        let Credentials { cons_id, secret_key, username, password, pcare, .. } = self.simulator.credentials();
        let own = |value: &str| Zeroizing::new(value.to_owned());
        vec![
            (CredentialName::ConsId, own(cons_id.expose())),
            (CredentialName::SecretKey, own(secret_key.expose())),
            (CredentialName::PcareUserKey, own(pcare.expose())),
            (CredentialName::PcareUsername, own(username.expose())),
            (CredentialName::PcarePassword, own(password.expose())),
        ]
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A daemon with its home and its clients.
pub(super) struct Bench {
    /// The vault it signs in with.
    pub(super) vault: Vault,
    /// A SIM's token.
    pub(super) sim: Private<String>,
    /// A viewer's token.
    pub(super) viewer: Private<String>,
    home: PathBuf,
    keep: bool,
    running: Running,
    http: reqwest::Client,
}

/// A new folder for one run that only its owner reads.
///
/// # Errors
/// It cannot be made.
pub(super) fn home(command: &str, clock: &Clock) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let name = format!("jembatan-{command}-{}-{}", std::process::id(), clock.now().as_millisecond());
    let home = std::env::temp_dir().join(name);
    std::fs::DirBuilder::new().mode(0o700).create(&home).with_context(|| home.display().to_string())?;
    Ok(home)
}

/// `base` with everything that a daemon keeps put under `home`, on a free port, for one facility.
pub(super) fn config(base: Config, home: &Path, facility: Facility) -> Config {
    let mut config = base;
    config.http = crate::config::HttpConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        ..crate::config::HttpConfig::default()
    };
    config.store.url = StoreUrl::Sqlite(home.join("jembatan.db"));
    config.vault.path = home.join("vault");
    config.vault.key = KeySource::File(home.join("kek"));
    // Its counts of requests are of what it plays: nothing is read ahead, and it is reconciled on purpose only.
    config.keep.refresh = std::time::Duration::ZERO;
    config.reconcile = crate::config::ReconcileConfig { daily: None, after_outage: false };
    config.facilities = vec![facility];
    config
}

impl Bench {
    /// Fills the vault and starts the daemon. `parts` says where extra root certificates are.
    pub(super) async fn set(
        config: Config,
        secrets: &Secrets,
        home: PathBuf,
        keep: bool,
        parts: Parts,
    ) -> anyhow::Result<Self> {
        let now = parts.clock.now();
        let vault = Vault::create(&config.vault.path, &config.vault.key, KeyAccess::of_process(), now)?;
        let facility = config.facilities.first().map(|facility| facility.code.clone()).unwrap_or_default();
        for (name, value) in secrets {
            vault.put(&facility, *name, value, now)?;
        }
        let clients = Clients::open(&config.vault.path)?;
        let token = |name: &str, role| -> anyhow::Result<Private<String>> {
            let facilities = vec![facility.clone()];
            let new = NewClient { name: name.to_owned(), facilities, role, kind: None, days: 1 };
            Ok(Private::new(clients.add(&new, Some(&vault), now)?.token.expose().to_string()))
        };
        let (sim, viewer) = (token("sim-demo", Role::Sim)?, token("pic-demo", Role::Viewer)?);
        let running = daemon::start(config, parts).await.context("jembatan")?;
        let http = reqwest::Client::builder().no_proxy().build().context("client")?;
        Ok(Self { vault, sim, viewer, home, keep, running, http })
    }

    /// Takes everything down again.
    pub(super) async fn strike(self) {
        self.running.stop().await;
        if self.keep {
            say!("direktori: {}", self.home.display());
        } else {
            drop(std::fs::remove_dir_all(&self.home));
        }
    }

    /// An address of the bridge.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    /// Its folder.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// The local operator's token.
    pub(super) fn operator(&self) -> String {
        self.running.operator_token.expose().to_string()
    }

    /// Hands one submission in and gives back what is answered.
    pub(super) async fn submit(&self, body: &Value) -> anyhow::Result<Value> {
        let sent = self.http.post(self.url("/v1/submissions")).bearer_auth(self.sim.expose());
        let sent = sent.header("content-type", "application/json").body(body.to_string()).send().await;
        let answer = sent.context("POST /v1/submissions")?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        if status == reqwest::StatusCode::ACCEPTED || status == reqwest::StatusCode::OK {
            return serde_json::from_str(&text).context("POST /v1/submissions");
        }
        Err(anyhow!("kiriman tidak diterima: {status} {text}"))
    }

    /// A question, as the viewer.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(path, self.viewer.expose().clone()).await
    }

    /// A question that only operators may ask.
    pub(super) async fn get_as_operator(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(path, self.operator()).await
    }

    async fn ask(&self, path: &str, token: String) -> anyhow::Result<Value> {
        let answer = self.http.get(self.url(path)).bearer_auth(token).send().await.context("GET")?;
        let text = answer.text().await.context("GET")?;
        serde_json::from_str(&text).with_context(|| path.to_owned())
    }

    /// The metrics: what anybody can see.
    pub(super) async fn metrics(&self) -> anyhow::Result<String> {
        let answer = self.http.get(self.url("/metrics")).send().await.context("GET /metrics")?;
        answer.text().await.context("GET /metrics")
    }

    /// An order, as the operator.
    pub(super) async fn order(&self, method: reqwest::Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let sent = self.http.request(method, self.url(path)).bearer_auth(self.operator());
        let sent = sent.header("content-type", "application/json").body(body.to_string()).send().await;
        let answer = sent.with_context(|| path.to_owned())?;
        let status = answer.status();
        let text = answer.text().await.with_context(|| path.to_owned())?;
        anyhow::ensure!(status.is_success(), "{path}: {status}");
        serde_json::from_str(&text).with_context(|| path.to_owned())
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

    /// Compares a day with BPJS, as an operator.
    pub(super) async fn reconcile(&self, facility: &str, day: jiff::civil::Date) -> anyhow::Result<Value> {
        let body = json!({ "facility": facility, "from": day.to_string(), "to": day.to_string() });
        self.order(reqwest::Method::POST, "/v1/reconciliations", &body).await
    }
}
