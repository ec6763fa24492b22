//! How well a backlog drains: `cargo bench --bench drain`.
//!
//! Registrations with their visits queue up while sending is paused; then they drain to the simulator, which answers each
//! after 300 ms. Once at the limit BPJS sets (`rate_per_second = 10`, enough hands), once at what four hands can do
//! (4 ÷ 300 ms). Goals: at least 0.95 of that limit, and in no second more calls than the rate. `-- 5000` for as many
//! chains; 250 unless told, because ten a second is slow by definition.

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::*;

const ANSWER_MS: u64 = 300;
/// Left out at the beginning: the first second of a full bucket is allowed to be quick.
const HEAD: usize = 20;

/// The simulator as a child, answering slowly.
struct Bpjs {
    running: Running,
    address: SocketAddr,
    seen: usize,
    arrivals: Vec<jiff::Timestamp>,
}

impl Bpjs {
    fn start() -> Result<Self, Failed> {
        let mut child = Command::new(binary())
            .args(["simulate", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let first = lines.next().ok_or("the simulator said nothing")??;
        let address = first.split("http://").nth(1).and_then(|rest| rest.split('/').next()).ok_or("no address")?;
        let bpjs = Self { running: Running(child), address: address.parse()?, seen: 0, arrivals: Vec::new() };
        bpjs.ask("POST", "/_sim/faults", &json!({ "on": "write", "kind": "slow", "ms": ANSWER_MS }).to_string())?;
        Ok(bpjs)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<Value, Failed> {
        let mut stream = TcpStream::connect(self.address)?;
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n{body}", self.address)?;
        let (status, body) = answer(&mut stream, &mut Vec::new())?;
        if status >= 300 {
            return Err(format!("{path}: {status} {body}").into());
        }
        Ok(serde_json::from_str(&body).unwrap_or_default())
    }

    /// Notes the arrivals since the last look; the simulator remembers two hundred.
    fn look(&mut self) -> Result<(), Failed> {
        let told = self.ask("GET", "/_sim/requests", "")?;
        let count = |row: &Value| row["count"].as_u64().unwrap_or(0);
        let all: u64 = told["counts"].as_array().map_or(0, |rows| rows.iter().map(count).sum());
        let last = told["last"].as_array().cloned().unwrap_or_default();
        let fresh = usize::try_from(all)? - self.seen;
        if fresh > last.len() {
            return Err("looked too late".into());
        }
        for row in &last[last.len() - fresh..] {
            if row["operation"].as_str().is_some_and(|name| name.ends_with(".add")) {
                self.arrivals.push(row["at"].as_str().ok_or("no time")?.parse()?);
            }
        }
        self.seen += fresh;
        Ok(())
    }
}

fn chain(home: &Home, n: usize, day: &str) -> String {
    let card = format!("00099{:08}", 60_000_000 + n);
    let daftar = json!({ "ref": "daftar", "operation": "pcare.pendaftaran.add", "payload": {
        "kdProviderPeserta": FACILITY, "tglDaftar": day, "noKartu": card, "kdPoli": "001", "keluhan": "demam",
        "kunjSakit": true, "kdTkp": "10" } });
    let visit = json!({ "ref": "kunjungan", "operation": "pcare.kunjungan.add", "after": ["daftar"], "payload": {
        "noKunjungan": null, "noKartu": card, "tglDaftar": day, "kdPoli": "001", "keluhan": "demam", "kdSadar": "01",
        "sistole": 120, "diastole": 80, "beratBadan": 60, "tinggiBadan": 160, "respRate": 18, "heartRate": 80,
        "lingkarPerut": 80, "kdStatusPulang": "3", "tglPulang": day, "kdDokter": "001", "kdDiag1": "J06.9",
        "kdDiag2": null, "kdDiag3": null, "kdPoliRujukInternal": null, "kdTacc": -1, "alasanTacc": null,
        "anamnesa": "demam", "alergiMakan": "00", "alergiUdara": "00", "alergiObat": "00", "kdPrognosa": "01",
        "terapiObat": "resep", "terapiNonObat": "istirahat", "bmhp": "-", "suhu": "37,2" } });
    let body = json!({ "facility": FACILITY, "ref": format!("hari-{n}"), "entries": [daftar, visit] }).to_string();
    let token = &home.tokens[n % home.tokens.len()];
    format!(
        "POST /v1/submissions HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        home.address,
        body.len()
    )
}

/// Drains `chains` and prints what was reached of `limit` calls a second.
fn drain(name: &str, remote: &str, limit: f64, cap: Option<usize>, chains: usize) -> Result<(), Failed> {
    let mut bpjs = Bpjs::start()?;
    let home = Home::new(remote, &format!("http://{}", bpjs.address), 16)?;
    let (_running, _) = home.serve(home.daemon())?;
    home.run(&["pause", "--reason", "pengukuran"], "")?;
    let (mut stream, mut buffer, day) = (TcpStream::connect(home.address)?, Vec::new(), today());
    for n in 0..chains {
        stream.write_all(chain(&home, n, &day).as_bytes())?;
        let (status, body) = answer(&mut stream, &mut buffer)?;
        if status != 202 {
            return Err(format!("{status}: {body}").into());
        }
    }
    home.run(&["resume", "--reason", "pengukuran"], "")?;
    let began = Instant::now();
    while bpjs.arrivals.len() < 2 * chains {
        bpjs.look()?;
        let patience = Duration::from_secs_f64(60.0 + 2.0 * 2.0 * chains as f64 / limit);
        if began.elapsed() > patience {
            return Err(format!("{} of {} arrived", bpjs.arrivals.len(), 2 * chains).into());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let mut arrivals = std::mem::take(&mut bpjs.arrivals);
    arrivals.sort_unstable();
    let steady = &arrivals[HEAD.min(arrivals.len() / 2)..];
    let (first, last) = (steady[0], steady[steady.len() - 1]);
    let rate = (steady.len() - 1) as f64 / last.duration_since(first).as_secs_f64();
    let second = jiff::SignedDuration::from_secs(1);
    let within =
        |place: usize| arrivals[place..].iter().take_while(|at| at.duration_since(arrivals[place]) < second).count();
    let most = (0..arrivals.len()).map(within).max().unwrap_or(0);
    let said = cap.map_or_else(String::new, |cap| format!(" (allowed {cap})"));
    println!(
        "{name}: {} entries, {rate:.2} a second, {:.3} of {limit:.2}; at most {most} calls in any second{said}",
        arrivals.len(),
        rate / limit
    );
    drop(bpjs.running);
    Ok(())
}

fn main() -> Result<(), Failed> {
    let chains = std::env::args().find_map(|one| one.parse().ok()).unwrap_or(250);
    println!("{}; binary {}", machine(), binary().display());
    let hands = 4.0 / (ANSWER_MS as f64 / 1000.0);
    drain("rate_per_second = 10, concurrency 8", "rate_per_second = 10\nconcurrency = 8", 10.0, Some(10), chains)?;
    drain("no rate, concurrency 4", "rate_per_second = 0\nconcurrency = 4", hands, None, chains)
}
