//! The harness: the built binary as a child process, the simulator in this process, and a client that knows only the
//! API. Every wait is for a condition and has an end; a dropped [`Bridge`] kills its daemon.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use jembatan::clock::Clock;
use jembatan::config::Config;
use jembatan::daemon::{Parts, Running};
use jembatan::secret::{ConsId, Username};
use jembatan::simulator::credentials::Credentials;
use jembatan::simulator::faults::Fault;
use jembatan::simulator::{self, Simulator};
use jembatan::vault::{KeyAccess, KeySource, Vault};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub(crate) use crate::bodies::{
    card, daftar, drug, fault_of_card, kunjungan, obat, shipped_day, submission, visit, whole_visit, wire, yesterday,
};

/// The facility of every test.
pub(crate) const FACILITY: &str = "0114A026";
/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a bridge is set up with.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) settle_ms: u64,
    pub(crate) timeout_ms: u64,
    pub(crate) seed: u64,
    pub(crate) min_free: &'static str,
    pub(crate) log: &'static str,
    /// The time of the simulator, and of a daemon that is started inside.
    pub(crate) clock: Clock,
}

impl Default for Setup {
    fn default() -> Self {
        let clock = Clock::system();
        Self { settle_ms: 400, timeout_ms: 1_000, seed: 1, min_free: "1 MiB", log: "info", clock }
    }
}

/// An answer of the bridge.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<String>,
}

/// A daemon, its home and its BPJS.
pub(crate) struct Bridge {
    home: tempfile::TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
    inside: Option<Running>,
    pub(crate) clock: Clock,
    starts: u32,
    pub(crate) env: Vec<(String, String)>,
    log: &'static str,
    pub(crate) simulator: Simulator,
    pub(crate) simulator_at: SocketAddr,
    runtime: Runtime,
    http: reqwest::Client,
    pub(crate) sim: String,
    pub(crate) operator: String,
    pub(crate) viewer: String,
}

impl Bridge {
    /// A bridge that runs.
    pub(crate) fn up() -> Self {
        Self::with(&Setup::default())
    }

    /// A bridge that runs, set up so.
    pub(crate) fn with(setup: &Setup) -> Self {
        let mut bridge = Self::stopped(setup);
        bridge.start();
        bridge
    }

    /// A bridge that is ready to start.
    pub(crate) fn stopped(setup: &Setup) -> Self {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let simulator = Simulator::new(simulator::Settings {
            seed: setup.seed,
            credentials: credentials(),
            clock: setup.clock.clone(),
            ..simulator::Settings::default()
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let simulator_at = listener.local_addr().unwrap();
        let served = simulator.clone();
        runtime.spawn(async move { drop(simulator::serve(listener, served, std::future::pending()).await) });
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(130)).build().unwrap();
        let mut bridge = Self {
            home: tempfile::tempdir().unwrap(),
            port: own_port(),
            child: None,
            inside: None,
            clock: setup.clock.clone(),
            starts: 0,
            // Counts of requests are of what the tests ask for.
            env: vec![("JEMBATAN__KEEP__REFRESH".to_owned(), "0s".to_owned())],
            log: setup.log,
            simulator,
            simulator_at,
            runtime,
            http,
            sim: String::new(),
            operator: String::new(),
            viewer: String::new(),
        };
        bridge.write_config(setup);
        bridge.fill_vault();
        bridge
    }

    /// Writes the configuration anew; a running daemon does not see it.
    pub(crate) fn write_config(&self, setup: &Setup) {
        let home = self.home.path();
        fs::write(home.join("bontang-2024.toml"), jembatan::contract::BONTANG).unwrap();
        let text = format!(
            r#"
[http]
listen = "127.0.0.1:{port}"
[http.limits]
connections_per_peer = 128
[store]
url = "sqlite:{home}/state/jembatan.db"
min_free = "{min_free}"
[vault]
path = "{home}/state/vault"
key = "file:{home}/kek"
[contract]
profile = "bontang-2024.toml"
[reconcile]
daily = ""
after_outage = false
[remote]
allow_local = true
settle = "{settle}ms"
concurrency = 8
rate_per_second = 0
connect_timeout = "1s"
request_timeout = "{timeout}ms"
circuit_retry_max = "1s"
probe_interval = "2s"
[[facility]]
code = "{FACILITY}"
name = "PKM Contoh"
timezone = "Asia/Makassar"
[facility.pcare]
base_url = "http://{simulator}/pcare-rest"
"#,
            port = self.port,
            home = home.display(),
            min_free = setup.min_free,
            settle = setup.settle_ms,
            timeout = setup.timeout_ms,
            simulator = self.simulator_at,
        );
        fs::create_dir_all(self.state()).unwrap();
        fs::write(self.config(), text).unwrap();
    }

    fn fill_vault(&mut self) {
        self.cli(&["vault", "init"], "");
        let theirs = self.simulator.credentials();
        let values = [
            ("cons_id", theirs.cons_id.expose()),
            ("secret_key", theirs.secret_key.expose()),
            ("pcare.user_key", theirs.pcare.expose()),
            ("pcare.username", theirs.username.expose()),
            ("pcare.password", theirs.password.expose()),
        ];
        for (name, value) in values {
            self.put(name, value);
        }
        let token = |name: &str, role: &str| {
            let out = self.cli(&["client", "add", name, "--facility", FACILITY, "--role", role, "--json"], "");
            let grant: Value = serde_json::from_str(&out).unwrap();
            grant["token"].as_str().unwrap().to_owned()
        };
        let (sim, viewer) = (token("sim-uji", "sim"), token("pengamat", "viewer"));
        (self.sim, self.viewer) = (sim, viewer);
        // Who holds the vault's key is the operator of all facilities; the command line does the same.
        let key = KeySource::File(self.home.path().join("kek"));
        let vault = Vault::open(&self.state().join("vault"), &key, KeyAccess::of_process()).unwrap();
        self.operator = jembatan::http::local_operator_token(vault.index_key().unwrap().expose()).to_string();
    }

    /// Puts a credential in, through the command line.
    pub(crate) fn put(&self, name: &str, value: &str) {
        self.cli(&["vault", "put", "--facility", FACILITY, name], &format!("{value}\n"));
    }

    /// Runs a command; it must succeed.
    pub(crate) fn cli(&self, arguments: &[&str], input: &str) -> String {
        let (code, out, err) = self.cli_says(arguments, input);
        assert_eq!(code, Some(0), "{arguments:?}: {err}");
        out
    }

    /// Runs a command: its exit code, standard output and standard error.
    pub(crate) fn cli_says(&self, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jembatan"));
        command.args(arguments).arg("--config").arg(self.config());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.home.path().join("jembatan.toml")
    }

    // ---- the process ---------------------------------------------------------------------------------------------

    /// Starts the daemon and waits until its API answers.
    pub(crate) fn start(&mut self) {
        self.spawn();
        self.until("the API answers", PATIENCE, || {
            (self.raw("GET", "/health/live", "", None).is_some_and(|answer| answer.status == 200)).then_some(())
        });
    }

    /// Starts the daemon without waiting for it.
    pub(crate) fn spawn(&mut self) {
        assert!(self.child.is_none(), "already started");
        self.starts += 1;
        let log = |kind: &str| File::create(self.home.path().join(format!("log-{}.{kind}", self.starts))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_jembatan"));
        command.arg("serve").arg("--config").arg(self.config()).env("JEMBATAN_LOG", self.log);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log("out")).stderr(log("err"));
        self.child = Some(command.spawn().unwrap());
    }

    /// Starts the daemon in this process, on the clock of the setup: a month then takes minutes. The command line talks
    /// to it as to any other.
    pub(crate) fn start_inside(&mut self) {
        assert!(self.child.is_none() && self.inside.is_none(), "already started");
        let config = Config::load(&self.config(), self.env.iter().cloned()).unwrap();
        let parts = Parts { clock: self.clock.clone(), ..Parts::default() };
        self.inside = Some(self.runtime.block_on(jembatan::daemon::start(config, parts)).unwrap());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// `kill -9`: no farewell of any kind.
    pub(crate) fn kill_9(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            child.wait().unwrap();
        }
        if let Some(running) = self.inside.take() {
            self.runtime.block_on(running.stop());
        }
    }

    /// Runs the daemon in the foreground until it ends by itself: its exit code and its two streams.
    pub(crate) fn serve_says(&self) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jembatan"));
        command.arg("serve").arg("--config").arg(self.config());
        let output = command.envs(self.env.iter().cloned()).stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// How the daemon ended by itself, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().unwrap()?;
        self.child = None;
        Some(status)
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        let mut child = self.child.take().unwrap();
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return (status, began.elapsed());
            }
            if began.elapsed() > PATIENCE {
                drop(child.kill());
                panic!("not ended {PATIENCE:?} after SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything the daemon said on its two streams, all starts.
    pub(crate) fn logs(&self) -> String {
        let mut all = String::new();
        for n in 1..=self.starts {
            for kind in ["out", "err"] {
                all += &fs::read_to_string(self.home.path().join(format!("log-{n}.{kind}"))).unwrap_or_default();
            }
        }
        all
    }

    // ---- the API -------------------------------------------------------------------------------------------------

    /// Waits until `look` says so.
    pub(crate) fn until<T>(&self, what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            if began.elapsed() > patience {
                let logs = self.logs();
                let lines: Vec<&str> = logs.lines().collect();
                let tail = lines[lines.len().saturating_sub(30)..].join("\n");
                panic!("not within {patience:?}: {what}\n{tail}");
            }
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    async fn ask(
        http: reqwest::Client,
        method: reqwest::Method,
        url: String,
        token: String,
        body: Option<String>,
    ) -> Option<Answer> {
        let mut request = http.request(method, url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let retry_after = header("retry-after");
        let text = answer.text().await.ok()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Some(Answer { status, body, retry_after })
    }

    /// One request with these headers and no others of ours; what came back as it is.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<String>,
    ) -> (u16, BTreeMap<String, String>, String) {
        self.try_send(method, path, headers, body).unwrap()
    }

    /// The same, where nobody may answer.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<String>,
    ) -> Option<(u16, BTreeMap<String, String>, String)> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = self.http.request(method.parse().unwrap(), url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.ok()?;
            let status = answer.status().as_u16();
            let shown = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
                (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned())
            };
            let headers = answer.headers().iter().map(shown).collect();
            Some((status, headers, answer.text().await.ok()?))
        })
    }

    /// One request as whoever has the token; nothing where nobody answered.
    pub(crate) fn raw(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Option<Answer> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let method = method.parse().unwrap();
        let body = body.map(Value::to_string);
        self.runtime.block_on(Self::ask(self.http.clone(), method, url, token.to_owned(), body))
    }

    /// One request as the operator.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let operator = self.operator.clone();
        self.raw(method, path, &operator, body).unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    /// One request as the bearer of this token.
    pub(crate) fn call_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.raw(method, path, token, body).unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, None);
        assert!(matches!(answer.status, 200 | 503), "GET {path}: {answer:?}");
        answer.body
    }

    /// A file, as the operator.
    pub(crate) fn file(&self, path: &str) -> Vec<u8> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let request = self.http.get(url).bearer_auth(&self.operator);
        self.runtime.block_on(async { request.send().await?.error_for_status()?.bytes().await }).unwrap().to_vec()
    }

    /// Hands a submission in, or says that nobody answered.
    pub(crate) fn try_submit(&self, body: &Value) -> Option<Answer> {
        let token = self.sim.clone();
        self.raw("POST", "/v1/submissions", &token, Some(body))
    }

    /// Hands a submission in; it must be accepted. Returns its id.
    pub(crate) fn submit(&self, body: &Value) -> String {
        let answer = self.try_submit(body).unwrap();
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// Hands several in, `hands` at once.
    pub(crate) fn submit_all(&self, bodies: &[Value], hands: usize) -> Vec<Option<Answer>> {
        let url = format!("http://127.0.0.1:{}/v1/submissions", self.port);
        let one = |body: &Value| {
            let (http, url, token, body) = (self.http.clone(), url.clone(), self.sim.clone(), body.to_string());
            async move {
                // The bucket of one client allows 50 a second in the long run.
                for _ in 0..100 {
                    let asked = (http.clone(), url.clone(), token.clone(), body.clone());
                    match Self::ask(asked.0, reqwest::Method::POST, asked.1, asked.2, Some(asked.3)).await {
                        Some(answer) if answer.status == 429 => tokio::time::sleep(Duration::from_millis(100)).await,
                        other => return other,
                    }
                }
                None
            }
        };
        let asked: Vec<_> = bodies.iter().map(one).collect();
        self.runtime.block_on(futures_util::stream::iter(asked).buffered(hands).collect())
    }

    /// The deliveries of a submission by their refs.
    pub(crate) fn entries(&self, submission: &str) -> BTreeMap<String, Value> {
        let found = self.get(&format!("/v1/submissions/{submission}"));
        let list = found["deliveries"].as_array().unwrap().clone();
        list.into_iter().map(|one| (one["ref"].as_str().unwrap().to_owned(), one)).collect()
    }

    /// Waits until everything of a submission is final.
    pub(crate) fn finished(&self, submission: &str) -> BTreeMap<String, Value> {
        self.until(&format!("submission {submission} is final"), PATIENCE, || {
            let entries = self.entries(submission);
            entries.values().all(is_final).then_some(entries)
        })
    }

    /// Waits until one entry stands so.
    pub(crate) fn entry_when(&self, submission: &str, entry: &str, what: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            last = self.entries(submission)[entry].clone();
            if what(&last) {
                return last;
            }
            std::thread::sleep(Duration::from_millis(40));
        }
        panic!("{entry} never got there: {last:#}\n{:#}", Value::from(self.attempts(&last)));
    }

    /// Waits until one entry is in this state.
    pub(crate) fn entry_in(&self, submission: &str, entry: &str, state: &str) -> Value {
        self.entry_when(submission, entry, |one| one["state"] == state)
    }

    /// The attempts of a delivery.
    pub(crate) fn attempts(&self, delivery: &Value) -> Vec<Value> {
        let id = delivery["id"].as_str().unwrap_or_default();
        let shown = self.get(&format!("/v1/deliveries/{id}"));
        shown["timeline"].as_array().cloned().unwrap_or_default()
    }

    /// Every delivery.
    pub(crate) fn deliveries(&self) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/v1/deliveries?limit=1000{cursor}"));
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&after={next}"),
                None => return all,
            }
        }
    }

    /// Does something to a delivery, as the operator.
    pub(crate) fn act(&self, delivery: &Value, action: &str, body: &Value) -> Answer {
        let id = delivery["id"].as_str().unwrap();
        let mut body = body.clone();
        body["reason"] = json!("uji");
        self.call("POST", &format!("/v1/deliveries/{id}/{action}"), Some(&body))
    }

    pub(crate) fn pause(&self, facility: &str, on: bool) {
        let body = json!({ "facility": facility, "reason": "uji" });
        let answer = self.call(if on { "POST" } else { "DELETE" }, "/v1/pauses", Some(&body));
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    pub(crate) fn reconcile(&self, day: Date) -> Value {
        let body = json!({ "facility": FACILITY, "date": day.to_string() });
        let answer = self.call("POST", "/v1/reconciliations", Some(&body));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// The health, whatever its status.
    pub(crate) fn health(&self) -> Value {
        self.raw("GET", "/health", "", None).map_or(Value::Null, |answer| answer.body)
    }

    pub(crate) fn text(&self, path: &str) -> String {
        let answer = self.raw("GET", path, "", None).unwrap();
        answer.body.as_str().map_or_else(|| answer.body.to_string(), str::to_owned)
    }

    // ---- BPJS ----------------------------------------------------------------------------------------------------

    pub(crate) fn fault(&self, fault: Fault) {
        self.simulator.add_faults(vec![fault]).unwrap();
    }

    /// What landed in one list of the ledger.
    pub(crate) fn ledger(&self, list: &str) -> Vec<Value> {
        self.simulator.ledger()[list].as_array().unwrap().clone()
    }

    /// Requests that the simulator counted, of operations with this beginning.
    pub(crate) fn requests(&self, operation: &str) -> u64 {
        let counts = self.simulator.requests();
        let counts = counts["counts"].as_array().unwrap().clone();
        let ours = counts.iter().filter(|count| count["operation"].as_str().unwrap().starts_with(operation));
        ours.map(|count| count["count"].as_u64().unwrap()).sum()
    }

    /// Writing requests that the simulator counted.
    pub(crate) fn writes(&self) -> u64 {
        let counts = self.simulator.requests();
        let counts = counts["counts"].as_array().unwrap().clone();
        let is_write = |name: &str| [".add", ".edit", ".delete"].iter().any(|end| name.ends_with(end));
        let ours = counts.iter().filter(|count| is_write(count["operation"].as_str().unwrap()));
        ours.map(|count| count["count"].as_u64().unwrap()).sum()
    }

    /// Turns switches of the simulator.
    pub(crate) fn rules(&self, change: &Value) {
        let url = format!("http://{}/_sim/rules", self.simulator_at);
        let asked = Self::ask(self.http.clone(), reqwest::Method::POST, url, String::new(), Some(change.to_string()));
        let answer = self.runtime.block_on(asked).unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Staff types something into P-Care.
    pub(crate) fn staff(&self, what: &str, body: &Value) -> Value {
        let url = format!("http://{}/_sim/{what}", self.simulator_at);
        let asked = Self::ask(self.http.clone(), reqwest::Method::POST, url, String::new(), Some(body.to_string()));
        let answer = self.runtime.block_on(asked).unwrap();
        assert!(answer.status < 300, "{what}: {answer:?}");
        answer.body["response"].clone()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.kill_9();
    }
}

/// A port that nobody listens on, below those the system gives to outgoing connections: a daemon that was killed finds it
/// free again.
pub(crate) fn own_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).unwrap() * 60;
    (0..500)
        .map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// Credentials that nothing else looks like, so that a file can be searched for them.
fn credentials() -> Credentials {
    Credentials {
        cons_id: ConsId::new("7700910026771"),
        username: Username::new("akun-pcare-uji"),
        ..Credentials::default()
    }
}

/// Whether a delivery is final.
pub(crate) fn is_final(delivery: &Value) -> bool {
    !matches!(delivery["state"].as_str(), Some("waiting" | "sending" | "unanswered"))
}

/// Numbers that look random and are the same every time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// An instant of the API.
pub(crate) fn instant(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}
