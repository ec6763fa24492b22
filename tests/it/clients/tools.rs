//! What the clients run on: packages by name and version from their registries, installed once below the target
//! directory, and a program that answers a line with a line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use serde_json::{Value, json};

use super::recorder::Recorder;
use crate::bridge::{Bridge, Setup, yesterday};
use crate::gateway::client::Local;

/// What is installed for the clients from PyPI. The two clients are pinned; so is what decides what goes on the wire.
const PYPI: [&str; 5] =
    ["bpjs-bridging==0.1.0", "pythonbpjs==0.0.5", "pycryptodome==4.4.0", "lzstring==1.0.4", "requests==2.34.2"];

/// A folder below the target directory, and the lock that one test at a time holds while it fills it.
fn kept(name: &str) -> (PathBuf, File) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    (folder, lock)
}

/// A working day of Antrean: it has no clinic on Sundays.
pub(crate) fn working_day() -> Date {
    let day = yesterday();
    if day.weekday() == Weekday::Sunday { day.checked_sub(1.day()).unwrap() } else { day }
}

/// Runs a command to its end; it must succeed.
pub(crate) fn must(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The Python that has the clients.
pub(crate) fn python() -> PathBuf {
    let (folder, _lock) = kept("clients-pypi");
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    let done = folder.join("installed");
    if std::fs::read_to_string(&done).is_ok_and(|there| there == PYPI.join(" ")) {
        return python;
    }
    must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    must(Command::new(&python).args(["-m", "pip", "install", "-q", "--disable-pip-version-check"]).args(PYPI));
    std::fs::write(done, PYPI.join(" ")).unwrap();
    python
}

/// The program around the client from crates.io.
pub(crate) fn crate_client() -> PathBuf {
    let (folder, _lock) = kept("clients-crate");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/jkn-rust/Cargo.toml");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir"]).arg(&folder);
    // Its OpenSSL is the system's: the package would otherwise compile its own.
    must(build.env("OPENSSL_NO_VENDOR", "1").env_remove("CARGO_TARGET_DIR"));
    folder.join("debug/jkn-rust-client")
}

/// A program that answers each line of JSON with one.
pub(crate) struct Driver {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Driver {
    /// Starts it and tells it where the services are and as whom to call.
    pub(crate) fn start(program: &Path, arguments: &[&str], door: &Door) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let mut driver = Self { child, to, from };
        driver.write(&json!({ "hosts": door.hosts, "credentials": door.credentials }));
        driver
    }

    /// The clients from PyPI.
    pub(crate) fn pypi(door: &Door) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/real_clients.py");
        Self::start(&python(), &[script], door)
    }

    fn write(&mut self, line: &Value) {
        writeln!(self.to, "{line}").unwrap();
        self.to.flush().unwrap();
    }

    /// One step and its answer.
    pub(crate) fn ask(&mut self, step: &Value) -> Value {
        self.write(step);
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} to {step}"))
    }
}

/// Where the services are, and as whom to call.
pub(crate) struct Door {
    pub(crate) hosts: Value,
    pub(crate) credentials: Value,
}

/// A bridge for all four services with a gateway client, and the recorder between it and BPJS.
pub(crate) struct Site {
    pub(crate) bridge: Bridge,
    pub(crate) recorder: Recorder,
    pub(crate) local: Local,
}

/// The paths of the four services at BPJS.
pub(crate) const AT_BPJS: [(&str, &str); 4] =
    [("pcare", "pcare-rest"), ("vclaim", "vclaim-rest"), ("antrean_fktp", "antreanfktp"), ("icare", "wsihs")];

impl Site {
    pub(crate) fn up() -> Self {
        Self::with(|_| ())
    }

    /// A site whose bridge is made ready by `prepare` before it starts.
    pub(crate) fn with(prepare: impl FnOnce(&mut Bridge)) -> Self {
        let mut bridge = Bridge::stopped(&Setup { timeout_ms: 5_000, ..Setup::default() });
        let recorder = Recorder::before(bridge.simulator_at);
        let own = std::fs::read_to_string(bridge.config()).unwrap();
        let mut text = own.replace(&bridge.simulator_at.to_string(), &recorder.at.to_string());
        for (service, path) in &AT_BPJS[1..] {
            text += &format!("[facility.{service}]\nbase_url = \"http://{}/{path}\"\n", recorder.at);
        }
        std::fs::write(bridge.config(), text).unwrap();
        let theirs = bridge.simulator.credentials();
        bridge.put("vclaim.user_key", theirs.vclaim.expose());
        bridge.put("antrean_fktp.user_key", theirs.antrean_fktp.expose());
        bridge.put("icare.user_key", theirs.icare.expose());
        bridge.env.push(("JEMBATAN__GATEWAY__WAIT".to_owned(), "20s".to_owned()));
        prepare(&mut bridge);
        bridge.start();
        let local = Local::added(&bridge, "sim-lama");
        Self { bridge, recorder, local }
    }

    /// The way through the gateway, with local credentials: one user key for every service.
    pub(crate) fn gateway(&self) -> Door {
        let base = format!("http://127.0.0.1:{}/ws", self.bridge.port);
        let key = self.local.text("user_key");
        let own = |name: &str| self.local.text(name).to_owned();
        Door {
            hosts: json!({ "pcare": format!("{base}/pcare"), "vclaim": format!("{base}/vclaim"),
                "antrean_fktp": format!("{base}/antreanfktp"), "icare": format!("{base}/icare") }),
            credentials: json!({ "cons_id": own("cons_id"), "secret_key": own("secret_key"),
                "username": own("username"), "password": own("password"),
                "user_key": { "pcare": key, "vclaim": key, "antrean_fktp": key, "icare": key } }),
        }
    }

    /// The way to BPJS itself, past the bridge, with the real credentials.
    pub(crate) fn direct(&self) -> Door {
        let base = format!("http://{}", self.recorder.at);
        let hosts: serde_json::Map<String, Value> =
            AT_BPJS.iter().map(|(service, path)| ((*service).to_owned(), json!(format!("{base}/{path}")))).collect();
        Door { hosts: Value::Object(hosts), credentials: self.bridge.simulator.credentials().to_json() }
    }

    /// The last request of this method and path that reached BPJS.
    pub(crate) fn arrived(&self, method: &str, path: &str) -> super::recorder::Seen {
        let seen = self.recorder.take();
        let fits = |one: &&super::recorder::Seen| one.method == method && one.path == path;
        let found = seen.iter().rfind(fits).cloned();
        found.unwrap_or_else(|| {
            let there: Vec<String> = seen.iter().map(|one| format!("{} {}", one.method, one.path)).collect();
            panic!("{method} {path} did not arrive at BPJS, but {there:#?}")
        })
    }
}
