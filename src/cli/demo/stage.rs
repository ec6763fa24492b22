//! The demo's stage: the simulator and a bench with a daemon in front of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::cli::Language;
use crate::cli::bench::{self, Bench, Mirror};
use crate::clock::Clock;
use crate::config::{Config, RemoteConfig};
use crate::daemon::Parts;
use crate::queue::State;
use crate::simulator::faults::{Fault, Kind};
use crate::simulator::{DownMode, FACILITY, Settings};

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
    mirror: Mirror,
    bench: Bench,
    second: AtomicU64,
}

impl Stage {
    /// Sets the stage.
    pub(super) async fn set(keep: bool) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let zone = TimeZone::get("Asia/Makassar").context("Asia/Makassar")?;
        let today = clock.now().to_zoned(TimeZone::get("Asia/Jakarta").context("Asia/Jakarta")?).date();
        let yesterday = today.checked_sub(1.day()).context("yesterday")?;
        let home = bench::home("demo", &clock)?;
        let mirror = Mirror::start(Settings::default()).await?;
        let lost = Fault { probability: Some(LOST), ..Fault::new("write", Kind::LandThenTimeout) };
        mirror.simulator.add_faults(vec![lost]).map_err(|fault| anyhow!(fault))?;
        let config = config(bench::config(Config::default(), &home, mirror.facility(zone)), &home);
        let bench = Bench::set(config, &mirror.secrets(), home, keep, Parts::default()).await?;
        Ok(Self { yesterday, mirror, bench, second: AtomicU64::new(0) })
    }

    /// Takes everything down again.
    pub(super) async fn strike(self) {
        self.bench.strike().await;
    }

    /// An address of the bridge.
    pub(super) fn url(&self, path: &str) -> String {
        self.bench.url(path)
    }

    /// An address of the simulator.
    pub(super) fn simulator_url(&self, path: &str) -> String {
        self.mirror.url(path)
    }

    /// Lets somebody look at the status page.
    pub(super) fn viewer_token(&self) -> &str {
        self.bench.viewer.expose()
    }

    /// Whether another second began since the last question.
    pub(super) fn is_new_second(&self, elapsed: Duration) -> bool {
        self.second.fetch_max(elapsed.as_secs() + 1, Ordering::Relaxed) < elapsed.as_secs() + 1
    }

    /// Hands one submission in.
    pub(super) async fn submit(&self, body: Value) -> anyhow::Result<()> {
        self.bench.submit(&body).await.map(drop)
    }

    /// BPJS answers nothing for a while.
    pub(super) fn outage(&self, duration: Duration) {
        self.mirror.simulator.down(DownMode::Refuse, Some(duration));
    }

    /// Deliveries by state, from the metrics: what anybody can see.
    pub(super) async fn counts(&self) -> anyhow::Result<BTreeMap<State, i64>> {
        Ok(states(&self.bench.metrics().await?))
    }

    /// Look-ups that ended, from the metrics.
    pub(super) async fn look_ups(&self) -> anyhow::Result<i64> {
        let text = self.bench.metrics().await?;
        let ended = ["found", "absent", "owned", "ambiguous", "failed"].map(|word| format!("outcome=\"{word}\""));
        let of = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<i64>().ok());
        let lines = text.lines().filter(|line| line.starts_with("jembatan_attempts_total{"));
        Ok(lines.filter(|line| ended.iter().any(|word| line.contains(word))).filter_map(of).sum())
    }

    /// The traffic light in a word.
    pub(super) async fn light(&self, language: Language) -> &'static str {
        let health = self.bench.get("/health").await.unwrap_or(Value::Null);
        match health["verdict"].as_str() {
            Some("bpjs") => language.pick("BPJS putus", "BPJS gone"),
            Some("network") => language.pick("jaringan", "network"),
            Some("us") => language.pick("kita", "us"),
            Some(_) | None => language.pick("berjalan", "running"),
        }
    }

    /// All deliveries.
    pub(super) async fn deliveries(&self) -> anyhow::Result<Vec<Value>> {
        self.bench.deliveries().await
    }

    /// The outages on record.
    pub(super) async fn outages(&self) -> anyhow::Result<Vec<Value>> {
        self.bench.outages().await
    }

    /// Reconciles the day, as an operator.
    pub(super) async fn reconcile(&self) -> anyhow::Result<Value> {
        self.bench.reconcile(FACILITY, self.yesterday).await
    }

    /// What landed at the simulator, asked over its control plane.
    pub(super) async fn ledger(&self) -> anyhow::Result<Value> {
        self.mirror.get("/_sim/ledger").await
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

fn config(base: Config, home: &std::path::Path) -> Config {
    let mut config = base;
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
    config
}
