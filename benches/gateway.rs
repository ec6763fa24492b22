//! What the gateway costs: `cargo bench --bench gateway`.
//!
//! Everything in one process over loopback: the simulator, the bridge, a plain reverse proxy in front of the simulator, and
//! one client that signs every call and opens every answer. Prints the median time of a read taken in turns directly and
//! through the gateway (goal: less than 1 ms more), and the reads a second through the gateway and through the proxy
//! (goal: at least half).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jembatan::clock::Clock;
use jembatan::config::{Config, Facility, HttpLimits, RemoteConfig, ServiceConfig, StoreUrl};
use jembatan::daemon::{self, Parts};
use jembatan::protocol::json::Limits;
use jembatan::protocol::seal;
use jembatan::protocol::sign::{Stamp, signature};
use jembatan::secret::{ConsId, SecretKey};
use jembatan::simulator::{self, FACILITY, Settings, Simulator};
use jembatan::vault::{Clients, CredentialName, KeyAccess, KeySource, NewClient, Role, Vault};
use tokio::net::TcpListener;

/// Gateway clients, because each may call 50 times a second in the long run and 200 times at once.
const CLIENTS: usize = 48;
/// Reads of each kind in the comparison of times.
const TURNS: usize = 1500;
/// Calls at once in the comparison of throughput.
const HANDS_AT_ONCE: usize = 8;
/// How many calls in all, per round.
const CALLS: usize = 1500;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A client as every SIM has one.
#[derive(Clone)]
struct Sim {
    base: String,
    cons_id: ConsId,
    secret_key: SecretKey,
    user_key: String,
    login: String,
}

impl Sim {
    async fn read(&self, http: &reqwest::Client, path: &str) -> Result<usize, Failed> {
        let stamp = Stamp::at(Clock::system().now());
        let request = http
            .get(format!("{}/{path}", self.base))
            .header("X-cons-id", self.cons_id.expose())
            .header("X-timestamp", stamp.to_string())
            .header("X-signature", signature(&self.cons_id, &self.secret_key, stamp))
            .header("X-authorization", format!("Basic {}", STANDARD.encode(&self.login)))
            .header("user_key", &self.user_key);
        let answer = request.send().await?;
        let text = answer.text().await?;
        let envelope: serde_json::Value = serde_json::from_str(&text)?;
        let sealed = envelope["response"].as_str().ok_or_else(|| format!("not sealed: {text}"))?;
        let opened = seal::open(&self.cons_id, &self.secret_key, stamp, sealed, &Limits::default())?;
        Ok(opened.to_string().len())
    }
}

fn main() -> Result<(), Failed> {
    let _already = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<(), Failed> {
    let home = tempfile::tempdir()?;
    let simulator = Simulator::new(Settings::default());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let upstream = listener.local_addr()?;
    let serving = simulator.clone();
    tokio::spawn(async move { drop(simulator::serve(listener, serving, std::future::pending()).await) });
    let config = config(home.path(), upstream)?;
    let (direct, mut sims) = secrets(&config, &simulator, upstream)?;
    let running = daemon::start(config, Parts::default()).await?;
    for sim in &mut sims {
        sim.base = format!("http://{}/ws/pcare", running.address);
    }
    let proxied = Sim { base: format!("http://{}/pcare-rest", proxy(upstream).await?), ..direct.clone() };
    let http = reqwest::Client::builder().no_proxy().build()?;
    println!("{:<22} {:>8} {:>12} {:>12} {:>12}", "read", "bytes", "direct", "gateway", "overhead");
    for path in ["peserta/0009900000001", "dokter/0/100"] {
        let (bytes, direct, gateway) = in_turns(&http, &direct, &sims, path).await?;
        let over = gateway.saturating_sub(direct);
        println!(
            "{:<22} {bytes:>8} {direct:>12.2?} {gateway:>12.2?} {over:>12.2?}",
            path.split('/').next().unwrap_or(path)
        );
    }
    println!("\n{:<22} {:>12} {:>12} {:>8}", "read", "proxy/s", "gateway/s", "ratio");
    for path in ["peserta/0009900000001", "dokter/0/100"] {
        // In turns as well, so that what the machine does besides strikes both.
        let (mut proxy, mut gateway) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            proxy.push(rate(&http, std::slice::from_ref(&proxied), path).await?);
            gateway.push(rate(&http, &sims, path).await?);
        }
        let (proxy, gateway) = (middle(proxy), middle(gateway));
        println!(
            "{:<22} {proxy:>12.0} {gateway:>12.0} {:>8.2}",
            path.split('/').next().unwrap_or(path),
            gateway / proxy
        );
    }
    running.stop().await;
    Ok(())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Medians of a read directly and through the gateway, one after the other.
async fn in_turns(
    http: &reqwest::Client,
    direct: &Sim,
    sims: &[Sim],
    path: &str,
) -> Result<(usize, Duration, Duration), Failed> {
    let (mut there, mut through, mut bytes) = (Vec::new(), Vec::new(), 0);
    for turn in 0..TURNS {
        let began = Instant::now();
        bytes = direct.read(http, path).await?;
        there.push(began.elapsed());
        let began = Instant::now();
        sims[turn % sims.len()].read(http, path).await?;
        through.push(began.elapsed());
    }
    there.sort_unstable();
    through.sort_unstable();
    Ok((bytes, there[TURNS / 2], through[TURNS / 2]))
}

/// Calls a second with eight at once.
async fn rate(http: &reqwest::Client, sims: &[Sim], path: &'static str) -> Result<f64, Failed> {
    let next = Arc::new(AtomicUsize::new(0));
    let sims: Arc<[Sim]> = sims.into();
    let began = Instant::now();
    let hands: Vec<_> = (0..HANDS_AT_ONCE)
        .map(|_| {
            let (next, sims, http) = (Arc::clone(&next), Arc::clone(&sims), http.clone());
            tokio::spawn(async move {
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= CALLS {
                        return Ok::<(), Failed>(());
                    }
                    sims[turn % sims.len()].read(&http, path).await?;
                }
            })
        })
        .collect();
    for hand in hands {
        hand.await??;
    }
    Ok(CALLS as f64 / began.elapsed().as_secs_f64())
}

/// A reverse proxy that does nothing but pass on.
async fn proxy(upstream: SocketAddr) -> Result<SocketAddr, Failed> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new().fallback(pass).with_state((http, upstream));
    let limits = HttpLimits { connections: 512, connections_per_peer: 512, ..HttpLimits::default() };
    tokio::spawn(async move {
        drop(
            jembatan::http::serve(listener, None, app, &limits, &|| {}, tokio_util::sync::CancellationToken::new())
                .await,
        );
    });
    Ok(address)
}

async fn pass(State((http, upstream)): State<(reqwest::Client, SocketAddr)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let mut sent = http.request(parts.method, format!("http://{upstream}{}", parts.uri)).body(body);
    for (name, value) in &parts.headers {
        if name != "host" {
            sent = sent.header(name, value);
        }
    }
    let Ok(answer) = sent.send().await else { return Response::new(Body::empty()) };
    let status = answer.status();
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap_or_default()));
    *response.status_mut() = status;
    response
}

fn config(home: &Path, simulator: SocketAddr) -> Result<Config, Failed> {
    let facility = Facility {
        code: FACILITY.to_owned(),
        name: "PKM Contoh".to_owned(),
        timezone: jiff::tz::TimeZone::get("Asia/Makassar")?,
        pcare: Some(ServiceConfig { base_url: format!("http://{simulator}/pcare-rest"), app_code: None }),
        vclaim: None,
        antrean_fktp: None,
        icare: None,
        party: Default::default(),
    };
    let mut config = Config::default();
    config.http.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.http.limits.connections_per_peer = 256;
    config.store.url = StoreUrl::Sqlite(home.join("jembatan.db"));
    config.store.min_free = 0;
    config.vault.path = home.join("vault");
    config.vault.key = KeySource::File(home.join("kek"));
    // The profile that the binary carries.
    config.contract.profile = home.join("bontang-2024.toml");
    config.remote = RemoteConfig { allow_local: true, rate_per_second: None, ..config.remote };
    config.reconcile = jembatan::config::ReconcileConfig { daily: None, after_outage: false };
    config.facilities = vec![facility];
    Ok(config)
}

/// The real credentials in the vault, and local ones for every gateway client.
fn secrets(config: &Config, simulator: &Simulator, upstream: SocketAddr) -> Result<(Sim, Vec<Sim>), Failed> {
    let now = Clock::system().now();
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
    let direct = Sim {
        base: format!("http://{upstream}/pcare-rest"),
        cons_id: theirs.cons_id.clone(),
        secret_key: theirs.secret_key.clone(),
        user_key: theirs.pcare.expose().to_owned(),
        login: format!("{}:{}:095", theirs.username.expose(), theirs.password.expose()),
    };
    let clients = Clients::open(&config.vault.path)?;
    let mut sims = Vec::new();
    for n in 0..CLIENTS {
        let facilities = vec![FACILITY.to_owned()];
        let new = NewClient { name: format!("sim-{n}"), facilities, role: Role::Sim, kind: None, days: 1 };
        let local = clients.add(&new, Some(&vault), now)?.gateway.ok_or("no local credentials")?;
        sims.push(Sim {
            base: String::new(),
            cons_id: local.cons_id,
            secret_key: local.secret_key,
            user_key: local.user_key.expose().to_owned(),
            login: format!("{}:{}:095", local.username.expose(), local.password.expose()),
        });
    }
    Ok((direct, sims))
}
