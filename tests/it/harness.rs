//! A puskesmas for tests: a temporary home, the simulator and the daemon as child processes of the built binary, the
//! commands run as a person runs them. Children end when it is dropped.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside a test function")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The facility of every test.
pub(crate) const FACILITY: &str = "0114A026";
/// Starting may take this long on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The home.
pub(crate) struct Home {
    folder: TempDir,
    port: u16,
    simulator: (Child, String),
    daemon: Option<Child>,
    token: String,
    secrets: Vec<String>,
    said: Mutex<String>,
}

impl Drop for Home {
    fn drop(&mut self) {
        for child in self.daemon.iter_mut().chain([&mut self.simulator.0]) {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Home {
    /// A home with simulator, configuration, vault and a SIM client; the daemon is not running yet.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut child = binary()
            .args(["simulate", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = lines(child.stdout.take().unwrap());
        let first = lines.recv_timeout(PATIENCE).unwrap();
        let simulator = first.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
        let port = free_port();
        let mut home = Self {
            folder,
            port,
            simulator: (child, format!("http://{simulator}")),
            daemon: None,
            token: String::new(),
            secrets: Vec::new(),
            said: Mutex::new(String::new()),
        };
        home.write_config();
        assert_eq!(home.run(&["vault", "init"]).code, 0);
        home.put_credentials();
        let added = home.command(&["client", "add", "sim-uji", "--facility", FACILITY, "--json"], None);
        home.token = added.json()["token"].as_str().unwrap().to_owned();
        home.secrets.push(home.token.clone());
        home
    }

    fn write_config(&self) {
        std::fs::write(self.path("perjanjian.toml"), jembatan::contract::BONTANG).unwrap();
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:{}\"\n[store]\nurl = \"sqlite:jembatan.db\"\nmin_free = \"1 MiB\"\n\
             [vault]\npath = \"vault\"\nkey = \"file:kek\"\n[contract]\nprofile = \"perjanjian.toml\"\n\
             [remote]\nallow_local = true\nsettle = \"1s\"\nrate_per_second = 0\nprobe_interval = \"1s\"\ncircuit_retry_max = \"1s\"\n\
             [[facility]]\ncode = \"{FACILITY}\"\nname = \"PKM Contoh\"\ntimezone = \"Asia/Makassar\"\n\
             [facility.pcare]\nbase_url = \"{}/pcare-rest\"\n",
            self.port, self.simulator.1
        );
        std::fs::write(self.config(), text).unwrap();
    }

    fn put_credentials(&mut self) {
        let shown = binary().args(["simulate", "--credentials"]).output().unwrap();
        let theirs: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let values = [
            ("cons_id", &theirs["cons_id"]),
            ("secret_key", &theirs["secret_key"]),
            ("pcare.user_key", &theirs["user_key"]["pcare"]),
            ("pcare.username", &theirs["username"]),
            ("pcare.password", &theirs["password"]),
        ];
        for (name, value) in values {
            let value = value.as_str().unwrap();
            assert_eq!(self.put(name, value).code, 0, "{name}");
            // The username is the facility's public code, and the consumer id is short enough to turn up by chance.
            if !matches!(name, "pcare.username" | "cons_id") {
                self.secrets.push(value.to_owned());
            }
        }
    }

    /// Puts a credential in through the command line.
    pub(crate) fn put(&self, name: &str, value: &str) -> Said {
        self.run_with(&["vault", "put", "--facility", FACILITY, name], &format!("{value}\n"))
    }

    /// A file of the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("jembatan.toml")
    }

    /// Starts the daemon and waits until it says that it is up.
    pub(crate) fn serve(&mut self) {
        let config = self.config();
        let mut child = binary().args(["serve", "--config"]).arg(config).stderr(Stdio::piped()).spawn().unwrap();
        let lines = lines(child.stderr.take().unwrap());
        self.daemon = Some(child);
        let mut log = String::new();
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            if line.contains("the bridge is up") {
                return;
            }
            log.push_str(&line);
        }
        panic!("the daemon did not start: {log}");
    }

    /// Ends the daemon as a service manager does.
    pub(crate) fn stop(&mut self) {
        let mut child = self.daemon.take().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// What `ps` shows of the daemon.
    pub(crate) fn daemon_command_line(&self) -> String {
        let id = self.daemon.as_ref().unwrap().id();
        std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap()
    }

    /// Runs a command with nothing on standard input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, "")
    }

    /// Runs a command with this on standard input; what it says is kept for [`Home::assert_no_secret`].
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Said {
        let said = self.command(arguments, Some(input));
        let mut all = self.said.lock().unwrap();
        all.push_str(&said.out);
        all.push_str(&said.err);
        said
    }

    /// Runs a command as the owner of a token in a file.
    pub(crate) fn run_as(&self, token_file: &Path, arguments: &[&str]) -> Said {
        let mut command = binary();
        command.env("JEMBATAN_TOKEN_FILE", token_file);
        self.finish(command, arguments, None)
    }

    fn command(&self, arguments: &[&str], input: Option<&str>) -> Said {
        self.finish(binary(), arguments, input)
    }

    fn finish(&self, mut command: Command, arguments: &[&str], input: Option<&str>) -> Said {
        command.args(arguments).arg("--config").arg(self.config());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Commands that read nothing may have closed it already.
        drop(child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes()));
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Nothing that was said so far has a secret in it.
    pub(crate) fn assert_no_secret(&self) {
        let said = self.said.lock().unwrap();
        for secret in &self.secrets {
            assert!(!said.contains(secret.as_str()), "a secret of {} letters was printed", secret.len());
        }
        if let Some(daemon) = &self.daemon {
            assert!(daemon.id() > 0);
            let shown = self.daemon_command_line();
            assert!(!self.secrets.iter().any(|secret| shown.contains(secret.as_str())));
        }
    }

    /// Calls the daemon's API as the SIM.
    pub(crate) fn api(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        call(method, &format!("http://127.0.0.1:{}{path}", self.port), Some(&self.token), body)
    }

    /// Calls the simulator's control plane.
    pub(crate) fn simulator(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, value) = call(method, &format!("{}{path}", self.simulator.1), None, Some(body));
        assert!(status < 300, "{path}: {status} {value}");
        value
    }

    /// Hands a registration in and returns its delivery's id.
    pub(crate) fn register(&self, reference: &str, card: &str, day: &str) -> String {
        let (_, value) = self.api("POST", "/v1/submissions", Some(&registration(reference, card, day)));
        value["deliveries"][0]["id"].as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
    }

    /// Waits until a delivery has reached a state, at most twenty seconds.
    pub(crate) fn wait_state(&self, id: &str, state: &str) {
        let mut last = Value::Null;
        for _ in 0..200 {
            (_, last) = self.api("GET", &format!("/v1/deliveries/{id}"), None);
            if last["state"] == state {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("not {state}: {last}");
    }

    /// Waits until the feed has shown `count` entries that became final; a held one counts too.
    pub(crate) fn wait_final(&self, count: usize) {
        let mut seen = 0;
        let mut cursor = String::new();
        for _ in 0..10 {
            let (_, page) = self.api("GET", &format!("/v1/changes?wait=20&limit=1000{cursor}"), None);
            seen += page["items"].as_array().unwrap_or_else(|| panic!("{page}")).len();
            if seen >= count {
                return;
            }
            cursor = format!("&after={}", page["cursor"].as_str().or(page["next"].as_str()).unwrap_or("0"));
        }
        panic!("{seen} of {count} final");
    }
}

/// A submission with one registration.
pub(crate) fn registration(reference: &str, card: &str, day: &str) -> Value {
    let wire: Vec<&str> = day.split('-').rev().collect();
    json!({ "facility": FACILITY, "ref": reference, "entries": [{
        "ref": "daftar", "operation": "pcare.pendaftaran.add", "occurred_at": format!("{day}T09:00:00+08:00"),
        "payload": {
            "kdProviderPeserta": FACILITY, "tglDaftar": wire.join("-"), "noKartu": card, "kdPoli": "001",
            "keluhan": "batuk", "kunjSakit": true, "kdTkp": "10"
        }
    }] })
}

/// Yesterday where BPJS is: nothing is dated ahead of its day.
pub(crate) fn yesterday() -> String {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::get("Asia/Jakarta").unwrap()).date();
    today.yesterday().unwrap().to_string()
}

/// A port below those that the system gives to outgoing connections, so that nobody takes it before the daemon does.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 6_000).unwrap();
    let ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed)).take(5_000);
    ports.into_iter().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jembatan"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("JEMBATAN") {
            command.env_remove(name);
        }
    }
    command.env("LANG", "C.UTF-8").env("COLUMNS", "100");
    command
}

/// Runs the binary without a home.
pub(crate) fn bare(arguments: &[&str]) -> Said {
    let output = binary().args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

/// A child's lines as they come; reading goes on to the end, so that the child is never stopped by a full pipe.
fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            drop(send.send(line));
        }
    });
    lines
}

fn call(method: &str, url: &str, token: Option<&str>, body: Option<&Value>) -> (u16, Value) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.request(method.parse().unwrap(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default())
    })
}

/// A file of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
