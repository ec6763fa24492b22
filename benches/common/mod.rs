//! What the measurements of the built program share: a home with the real binary in it, a slower disk, plain HTTP, and
//! figures. Nothing here uses the library: what is measured is what is shipped.
#![expect(dead_code, reason = "each measurement uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The facility of every measurement.
pub(crate) const FACILITY: &str = "0114A026";
/// Clients, because each may call 50 times a second in the long run and 200 times at once.
pub(crate) const CLIENTS: usize = 160;

/// The binary: `JEMBATAN_BIN`, else the one that cargo built for this run.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("JEMBATAN_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_jembatan")), PathBuf::from)
}

/// A library that makes the disk slower and counts its syncs.
pub(crate) struct SlowDisk {
    library: PathBuf,
    folder: TempDir,
}

impl SlowDisk {
    pub(crate) fn build() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let library = folder.path().join("libdisk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/preload/disk.c");
        let flags = ["-O2", "-shared", "-fPIC", "-pthread", "-o"];
        let done = Command::new("cc").args(flags).arg(&library).arg(source).arg("-ldl").status()?;
        if done.success() { Ok(Self { library, folder }) } else { Err("cc failed".into()) }
    }

    /// Runs `command` on a disk whose every sync below `place` takes so much longer; they are counted under `name`.
    pub(crate) fn under<'c>(
        &self,
        command: &'c mut Command,
        place: &Path,
        wait: Duration,
        name: &str,
    ) -> &'c mut Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("DISK_PATH", place)
            .env("DISK_SYNC_DELAY_US", wait.as_micros().to_string())
            .env("DISK_STATS", self.counter(name))
    }

    pub(crate) fn syncs(&self, name: &str) -> u64 {
        // The third of the numbers in the file.
        let mut bytes = [0; 24];
        let read = std::fs::File::open(self.counter(name)).and_then(|mut file| file.read_exact(&mut bytes));
        read.ok().and_then(|()| bytes.last_chunk().copied()).map_or(0, u64::from_le_bytes)
    }

    fn counter(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What the disk gives at most: writes of 4 KiB in place, each followed by fdatasync. Runs in a process of its own, so
/// that a slow disk slows it too; see [`raw_child`].
pub(crate) struct Raw {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
}

/// The child's side: `<program> --raw FILE MILLISECONDS`. Returns whether this process was one.
pub(crate) fn raw_child() -> Result<bool, Failed> {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(at) = arguments.iter().position(|one| one == "--raw") else { return Ok(false) };
    let (path, limit) = (&arguments[at + 1], Duration::from_millis(arguments[at + 2].parse()?));
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    let block = [0x5a_u8; 4096];
    (0..256).try_for_each(|n| file.write_all_at(&block, n * 4096))?;
    file.sync_all()?;
    let (began, mut took) = (Instant::now(), Vec::new());
    while began.elapsed() < limit {
        let one = Instant::now();
        file.write_all_at(&block, (took.len() as u64 % 256) * 4096)?;
        file.sync_data()?;
        took.push(one.elapsed());
    }
    let per_second = took.len() as f64 / began.elapsed().as_secs_f64();
    took.sort_unstable();
    println!("{per_second} {}", took[took.len() / 2].as_nanos());
    Ok(true)
}

/// Measures the limit beside the database, under the same disk.
pub(crate) fn raw(folder: &Path, disk: &SlowDisk, wait: Duration, length: Duration) -> Result<Raw, Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    disk.under(&mut command, folder, wait, "raw")
        .arg("--raw")
        .arg(folder.join("raw.bin"))
        .arg(length.as_millis().to_string());
    let output = command.output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut words = text.split_whitespace();
    let mut next = || words.next().ok_or("the raw loop said nothing");
    Ok(Raw { per_second: next()?.parse()?, p50: Duration::from_nanos(next()?.parse()?) })
}

/// A puskesmas on disk: configuration, vault, clients. The daemon is started with [`Home::serve`].
pub(crate) struct Home {
    folder: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) tokens: Vec<String>,
}

/// A running child, killed when dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Home {
    /// `remote` are lines of `[remote]`, `upstream` the base of BPJS.
    pub(crate) fn new(remote: &str, upstream: &str, clients: usize) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let profile = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/contracts/bontang-2024.toml");
        std::fs::copy(profile, folder.path().join("bontang-2024.toml"))?;
        let text = format!(
            "[http]\nlisten = \"{address}\"\n[http.limits]\nconnections = 1024\nconnections_per_peer = 1024\n\
             [store]\nurl = \"sqlite:jembatan.db\"\nmin_free = \"1 MiB\"\n[vault]\npath = \"vault\"\nkey = \"file:kek\"\n\
             [contract]\nprofile = \"bontang-2024.toml\"\n[remote]\nallow_local = true\n{remote}\n\
             [[facility]]\ncode = \"{FACILITY}\"\nname = \"PKM Contoh\"\ntimezone = \"Asia/Makassar\"\n\
             [facility.pcare]\nbase_url = \"{upstream}/pcare-rest\"\n"
        );
        std::fs::write(folder.path().join("jembatan.toml"), text)?;
        let mut home = Self { folder, address, tokens: Vec::new() };
        home.run(&["vault", "init"], "")?;
        let theirs: Value = serde_json::from_str(&home.run(&["simulate", "--credentials"], "")?)?;
        for (name, value) in [
            ("cons_id", &theirs["cons_id"]),
            ("secret_key", &theirs["secret_key"]),
            ("pcare.user_key", &theirs["user_key"]["pcare"]),
            ("pcare.username", &theirs["username"]),
            ("pcare.password", &theirs["password"]),
        ] {
            home.run(&["vault", "put", "--facility", FACILITY, name], value.as_str().unwrap_or_default())?;
        }
        for n in 0..clients {
            let said = home.run(&["client", "add", &format!("sim-{n}"), "--facility", FACILITY, "--json"], "")?;
            let said: Value = serde_json::from_str(&said)?;
            home.tokens.push(said["token"].as_str().ok_or("no token")?.to_owned());
        }
        Ok(home)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command of the program to its end.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Result<String, Failed> {
        let mut command = Command::new(binary());
        if arguments != ["simulate", "--credentials"] {
            command.arg("--config").arg(self.path().join("jembatan.toml"));
        }
        let mut child =
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            drop(pipe.write_all(input.as_bytes()));
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The daemon's command, to be put on a slow disk before it is started.
    pub(crate) fn daemon(&self) -> Command {
        let mut command = Command::new(binary());
        let log = std::fs::File::create(self.path().join("log")).map_or_else(|_| Stdio::null(), Stdio::from);
        command.args(["serve", "--config"]).arg(self.path().join("jembatan.toml")).stdout(Stdio::null()).stderr(log);
        command
    }

    /// Starts the daemon; with the time from exec to the first 200.
    pub(crate) fn serve(&self, mut command: Command) -> Result<(Running, Duration), Failed> {
        let began = Instant::now();
        let mut child = Running(command.spawn()?);
        loop {
            if let Ok((200, _)) = self.get("/health/live") {
                return Ok((child, began.elapsed()));
            }
            if let Some(status) = child.0.try_wait()? {
                let log = std::fs::read_to_string(self.path().join("log")).unwrap_or_default();
                return Err(format!("the daemon ended: {status}\n{log}").into());
            }
            if began.elapsed() > Duration::from_secs(120) {
                return Err("the daemon does not answer".into());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// One GET on a connection of its own, as the first client.
    pub(crate) fn get(&self, path: &str) -> Result<(u16, String), Failed> {
        let mut stream = TcpStream::connect(self.address)?;
        let token = self.tokens.first().map_or("", String::as_str);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n", self.address)?;
        answer(&mut stream, &mut Vec::new())
    }
}

/// A registration of one entry each, with the head that a keep-alive client sends.
pub(crate) fn registration(address: SocketAddr, token: &str, reference: &str, cards: &[u64], day: &str) -> String {
    let entries: Vec<String> = cards.iter().map(|card| entry(*card, day)).collect();
    let body = format!(r#"{{"facility":"{FACILITY}","ref":"{reference}","entries":[{}]}}"#, entries.join(","));
    format!(
        "POST /v1/submissions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn entry(card: u64, day: &str) -> String {
    format!(
        r#"{{"ref":"d{card}","operation":"pcare.pendaftaran.add","payload":{{"kdProviderPeserta":"{FACILITY}","tglDaftar":"{day}","noKartu":"00099{card:08}","kdPoli":"001","keluhan":"demam sejak tiga hari, batuk, pilek, nyeri telan","kunjSakit":true,"sistole":120,"diastole":80,"beratBadan":60,"tinggiBadan":160,"respRate":18,"lingkarPerut":80,"heartRate":80,"rujukBalik":0,"kdTkp":"10"}}}}"#
    )
}

/// Today as P-Care writes it, at the facility.
pub(crate) fn today() -> String {
    let zone = jiff::tz::TimeZone::get("Asia/Makassar").unwrap_or(jiff::tz::TimeZone::UTC);
    jiff::Timestamp::now().to_zoned(zone).strftime("%d-%m-%Y").to_string()
}

/// Reads one answer: status and body.
pub(crate) fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(u16, String), Failed> {
    buffer.clear();
    let mut chunk = [0; 16384];
    loop {
        if let Some(whole) = complete(buffer)? {
            let body = String::from_utf8_lossy(&buffer[whole.body..whole.end]).into_owned();
            return Ok((whole.status, body));
        }
        match stream.read(&mut chunk)? {
            0 => return Err("the connection was cut".into()),
            read => buffer.extend_from_slice(&chunk[..read]),
        }
    }
}

pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) body: usize,
    pub(crate) end: usize,
}

/// Whether the bytes hold a whole answer.
pub(crate) fn complete(bytes: &[u8]) -> Result<Option<Whole>, Failed> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..head])?;
    let status = text.get(9..12).ok_or("no status")?.parse()?;
    let lower = text.to_ascii_lowercase();
    let length =
        lower.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(Ok(0), |n| n.trim().parse())?;
    let end = head + 4 + length;
    Ok((bytes.len() >= end).then_some(Whole { status, body: head + 4, end }))
}

/// Resident and anonymous memory of a process, in KiB.
pub(crate) fn memory(pid: u32) -> Result<(u64, u64), Failed> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|word| word.parse().ok()).unwrap_or(0)
    };
    Ok((field("Rss:"), field("Anonymous:")))
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What this was measured on, and how busy the machine was besides.
pub(crate) fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("").trim_start_matches([' ', '\t', ':']);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{cores} cores {model}, kernel {}, load {}, {}",
        kernel.trim(),
        load.split_whitespace().next().unwrap_or("?"),
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC")
    )
}
