//! The simulator on a real socket: outages and cuts as a client meets them, and a client that nobody here wrote.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside a test function")]

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use jembatan::clock::Clock;
use jembatan::simulator::faults::{Fault, Kind};
use jembatan::simulator::{DownMode, Settings, Simulator, serve};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A simulator on a port of its own, stopped when dropped.
struct Running {
    simulator: Simulator,
    clock: Clock,
    address: std::net::SocketAddr,
    _stop: oneshot::Sender<()>,
}

async fn running(clock: Clock) -> Running {
    let simulator = Simulator::new(Settings { clock: clock.clone(), ..Settings::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = simulator.clone();
    tokio::spawn(serve(listener, served, async { drop(stopped.await) }));
    Running { simulator, clock, address, _stop: stop }
}

async fn standing() -> Running {
    running(Clock::manual("2026-11-21T03:00:00Z".parse::<Timestamp>().unwrap())).await
}

/// A registration by the book, signed for the standing clock.
fn registration(simulator: &Simulator) -> String {
    use jembatan::protocol::sign::{KD_APLIKASI, Stamp, authorization, signature};
    let credentials = simulator.credentials();
    let stamp = Stamp::at("2026-11-21T03:00:00Z".parse().unwrap());
    let body = json!({ "kdProviderPeserta": "0114A026", "tglDaftar": "21-11-2026", "noKartu": "0009900000000",
    "kdPoli": "001",
        "kunjSakit": true, "kdTkp": "10" })
    .to_string();
    format!(
        "POST /pcare-rest/pendaftaran HTTP/1.1\r\nHost: sim\r\nX-cons-id: {}\r\nX-timestamp: {stamp}\r\n\
         X-signature: {}\r\nX-authorization: {}\r\nuser_key: {}\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        credentials.cons_id.expose(),
        signature(&credentials.cons_id, &credentials.secret_key, stamp),
        *authorization(&credentials.username, &credentials.password, KD_APLIKASI),
        credentials.pcare.expose(),
        body.len(),
    )
}

impl Running {
    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // In an outage the reset may come first; the read that follows says so.
        let _sent = stream.write_all(request.as_bytes()).await;
        stream
    }

    async fn control(&self, request_line: &str, body: &str) -> String {
        let length = body.len();
        let head =
            format!("{request_line} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nContent-Type: application/json\r\n");
        let mut stream = self.send(&format!("{head}Content-Length: {length}\r\n\r\n{body}")).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn landed(&self) -> usize {
        self.simulator.ledger()["pendaftaran"].as_array().unwrap().len()
    }

    /// Waits until the simulator has counted a request with this outcome.
    async fn counted(&self, outcome: &str) {
        while !self.simulator.requests()["counts"].as_array().unwrap().iter().any(|count| count["outcome"] == outcome) {
            tokio::task::yield_now().await;
        }
    }
}

/// The first bytes of the answer, or how the connection ended.
async fn read(stream: &mut TcpStream) -> Result<String, ErrorKind> {
    let mut bytes = vec![0; 4096];
    match tokio::time::timeout(Duration::from_secs(20), stream.read(&mut bytes)).await {
        Ok(Ok(length)) => Ok(String::from_utf8_lossy(&bytes[..length]).into_owned()),
        Ok(Err(error)) => Err(error.kind()),
        Err(_) => panic!("neither an answer nor an end within 20 s"),
    }
}

#[tokio::test]
async fn a_proper_request_is_answered_over_tcp() {
    let sim = standing().await;
    let answer = read(&mut sim.send(&registration(&sim.simulator)).await).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert_eq!(answer.to_lowercase().matches("\r\ndate: ").count(), 1);
    assert!(answer.contains("Sat, 21 Nov 2026 03:00:00 GMT"), "the simulator's own date: {answer}");
}

#[tokio::test]
async fn resets_come_before_or_after_the_work() {
    for (kind, landed) in [(Kind::Reset, 0), (Kind::LandThenReset, 1)] {
        let sim = standing().await;
        sim.simulator.add_faults(vec![Fault::new("write", kind)]).unwrap();
        let end = read(&mut sim.send(&registration(&sim.simulator)).await).await;
        assert_eq!((end, sim.landed()), (Err(ErrorKind::ConnectionReset), landed), "{kind:?}");
    }
}

#[tokio::test]
async fn held_requests_get_no_answer_and_are_cut_when_their_time_is_over() {
    for (kind, landed) in [(Kind::TimeoutBeforeLand, 0), (Kind::LandThenTimeout, 1)] {
        let sim = standing().await;
        sim.simulator.add_faults(vec![Fault::new("write", kind).lasting(5_000)]).unwrap();
        let mut stream = sim.send(&registration(&sim.simulator)).await;
        sim.counted("held").await;
        assert_eq!(sim.landed(), landed, "{kind:?}");
        // The handler may not have begun its wait: move time until the cut comes.
        let cut = async {
            loop {
                sim.clock.advance(Duration::from_secs(5));
                tokio::task::yield_now().await;
            }
        };
        let end = tokio::select! { end = read(&mut stream) => end, () = cut => unreachable!() };
        assert_eq!(end, Err(ErrorKind::ConnectionReset), "{kind:?}");
    }
}

#[tokio::test]
async fn a_client_that_gives_up_changes_nothing() {
    let sim = standing().await;
    sim.simulator.add_faults(vec![Fault::new("write", Kind::LandThenTimeout).times(1)]).unwrap();
    let stream = sim.send(&registration(&sim.simulator)).await;
    sim.counted("held").await;
    drop(stream);
    let answer = read(&mut sim.send(&registration(&sim.simulator)).await).await.unwrap();
    assert!(answer.contains("Peserta sudah di-entri di poli yang sama pada hari yang sama."), "{answer}");
    assert_eq!(sim.landed(), 1);
}

#[tokio::test]
async fn an_outage_resets_every_connection_and_spares_the_control_plane() {
    let sim = standing().await;
    let mut idle = sim.send(&registration(&sim.simulator)).await;
    assert!(read(&mut idle).await.unwrap().starts_with("HTTP/1.1 201"));
    let answer = sim.control("POST /_sim/down", r#"{"mode":"refuse"}"#).await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(read(&mut idle).await, Err(ErrorKind::ConnectionReset), "idle connections end at once");
    let end = read(&mut sim.send(&registration(&sim.simulator)).await).await;
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
    assert!(sim.control("GET /_sim/ledger", "").await.contains("0009900000000"));
    sim.control("POST /_sim/up", "").await;
    let answer = read(&mut sim.send(&registration(&sim.simulator)).await).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn a_hanging_service_cuts_its_requests_when_it_is_up_again() {
    let sim = standing().await;
    sim.simulator.down(DownMode::Hang, None);
    let mut stream = sim.send(&registration(&sim.simulator)).await;
    sim.counted("down").await;
    sim.simulator.up();
    assert_eq!(read(&mut stream).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(sim.landed(), 0);
}

/// Runs a program on a thread of its own and answers its output; what it complains about fails the test.
async fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (program, input) = (program.to_owned(), input.to_owned());
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A Python of its own below `home`, with packages from the registry.
async fn python(home: &std::path::Path, packages: &[&str]) -> String {
    let venv = home.join("venv");
    run("python3", &["-m", "venv", venv.to_str().unwrap()], "").await;
    let python = venv.join("bin/python").to_str().unwrap().to_owned();
    run(&python, &[&["-m", "pip", "install", "-q", "--disable-pip-version-check"][..], packages].concat(), "").await;
    python
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_from_pypi_registers_visits_and_reads_back() {
    let home = tempfile::tempdir().unwrap();
    let python = python(home.path(), &["bpjs-bridging==0.1.0", "pycryptodome", "lzstring", "requests"]).await;

    let sim = running(Clock::system()).await;
    let input = json!({ "url": format!("http://{}/pcare-rest", sim.address),
    "credentials": sim.simulator.credentials().to_json() });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/pcare_client.py");
    let out: Value = serde_json::from_str(&run(&python, &[script], &input.to_string()).await).unwrap();

    assert_eq!(out["doctors"]["response"]["list"][0]["kdDokter"], "001");
    assert_eq!(out["member"]["response"]["noKartu"], "0009900000000");
    assert_eq!(out["registered"]["metaData"], json!({ "code": 201, "message": "CREATED" }));
    assert_eq!(out["registered"]["response"], json!({ "field": "noUrut", "message": "A1" }));
    let duplicate = json!({ "code": 401, "message": "Peserta sudah di-entri di poli yang sama pada hari yang sama." });
    assert_eq!(out["again"], json!({ "metaData": duplicate, "response": null }));
    assert_eq!(out["list"]["response"]["list"][0]["keluhan"], "demam 🤒");
    assert_eq!(out["drug_list"]["response"]["count"], 2, "BPJS takes the same drug twice");
    let number = &out["visited"]["response"][0]["message"];
    assert_eq!(out["history"]["response"]["list"][0]["noKunjungan"], *number);
    assert_eq!(sim.simulator.ledger()["kunjungan"][0]["noKunjungan"], *number);
}

/// Signs, seals and reads by code that shares nothing with ours: V-Claim, Antrean FKTP and i-Care.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_written_apart_uses_the_other_services() {
    let home = tempfile::tempdir().unwrap();
    let python = python(home.path(), &["pycryptodome", "lzstring"]).await;
    let sim = running(Clock::system()).await;
    let input =
        json!({ "url": format!("http://{}", sim.address), "credentials": sim.simulator.credentials().to_json() });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/services_client.py");
    let out: Value = serde_json::from_str(&run(&python, &[script], &input.to_string()).await).unwrap();

    let envelope = |step: &str, key: &str| out[step]["envelope"][key].clone();
    assert_eq!(envelope("member", "metaData"), json!({ "code": "200", "message": "OK" }), "V-Claim's code is text");
    assert_eq!(out["member"]["opened"]["peserta"]["noKartu"], "0009900000000");
    let number = out["made"]["opened"]["sep"]["noSep"].as_str().unwrap();
    assert_eq!(number.len(), 19);
    let refused = out["again"]["envelope"]["metaData"]["message"].as_str().unwrap();
    assert_eq!(refused.rsplit(' ').next(), Some(number), "{refused}");
    assert_eq!(out["again"]["envelope"]["response"], Value::Null);
    assert_eq!(out["read"]["opened"]["noSep"], number);
    assert_eq!(out["changed"]["opened"], number, "a sealed bare string");
    assert_eq!(out["deleted"]["envelope"]["response"], number, "a plain bare string, by DELETE with a body");
    assert_eq!(sim.simulator.ledger()["sep"], json!([]));
    assert_eq!(envelope("clinics", "metadata"), json!({ "code": 1, "message": "OK" }), "in small letters");
    assert_eq!(out["clinics"]["opened"]["list"][0]["kodepoli"], "001");
    assert_eq!(out["queued"]["envelope"], json!({ "metadata": { "code": 200, "message": "Ok" } }), "no response");
    assert_eq!(out["queued_again"]["envelope"]["metadata"]["code"], 201);
    assert!(out["link"]["opened"]["url"].as_str().unwrap().contains("token="));
    assert_eq!(out["wrong_key"]["status"], 404);
    assert_eq!(out["wrong_signature"]["envelope"]["metaData"]["message"], "Signature tidak sesuai");
}
