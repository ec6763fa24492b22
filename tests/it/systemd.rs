//! What the service manager hears, and how the daemon ends when it is told to.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use jembatan::simulator::faults::{Fault, Kind};

use crate::bridge::{Bridge, Setup, card, daftar, submission, yesterday};

/// The manager's end of `NOTIFY_SOCKET`.
struct Manager(UnixDatagram);

impl Manager {
    fn listen(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        Self(socket)
    }

    /// Whether the word comes within the time.
    fn hears(&self, word: &str, patience: Duration) -> bool {
        let (began, mut bytes) = (Instant::now(), [0; 4096]);
        while began.elapsed() < patience {
            if let Ok(length) = self.0.recv(&mut bytes)
                && String::from_utf8_lossy(&bytes[..length]).lines().any(|line| line == word)
            {
                return true;
            }
        }
        false
    }
}

#[test]
fn the_service_manager_hears_ready_alive_and_stopping() {
    let mut bridge = Bridge::stopped(&Setup::default());
    let path = bridge.home().join("notify");
    let manager = Manager::listen(&path);
    bridge.env.push(("NOTIFY_SOCKET".to_owned(), path.display().to_string()));
    bridge.env.push(("WATCHDOG_USEC".to_owned(), "2000000".to_owned()));
    bridge.spawn();
    assert!(manager.hears("READY=1", Duration::from_secs(30)), "{}", bridge.logs());
    assert_eq!(bridge.health()["verdict"], "none", "the API answers when it says so");
    assert!(manager.hears("WATCHDOG=1", Duration::from_secs(5)));
    assert!(manager.hears("WATCHDOG=1", Duration::from_secs(5)), "again and again");
    let (status, took) = bridge.terminate();
    assert!(manager.hears("STOPPING=1", Duration::from_secs(1)));
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
}

#[test]
fn told_to_stop_it_records_what_is_in_flight_and_ends_within_seconds() {
    let mut bridge = Bridge::with(&Setup { timeout_ms: 2_000, ..Setup::default() });
    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::Slow).lasting(1_000).times(1));
    let id = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    bridge.until("BPJS has it", Duration::from_secs(5), || (bridge.ledger("pendaftaran").len() == 1).then_some(()));
    let (status, took) = bridge.terminate();
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
    bridge.start();
    let entry = bridge.entries(&id)["daftar"].clone();
    assert_eq!(entry["state"], "delivered", "{entry:#}");
    let attempts = bridge.attempts(&entry);
    assert_eq!(attempts.len(), 1, "{attempts:#?}");
    assert_eq!(attempts[0]["outcome"], "accepted");
}

/// Defect 11 of other bridges: a silent stall. Whatever stops the whole process also stops its feeding of the manager's
/// watchdog; a single task that stands still is told by the watchdog's own thread (`status::watchdog`).
#[test]
fn defect_11_a_process_that_stands_still_is_not_called_alive() {
    let mut bridge = Bridge::stopped(&Setup::default());
    let path = bridge.home().join("notify");
    let manager = Manager::listen(&path);
    bridge.env.push(("NOTIFY_SOCKET".to_owned(), path.display().to_string()));
    bridge.env.push(("WATCHDOG_USEC".to_owned(), "2000000".to_owned()));
    bridge.spawn();
    assert!(manager.hears("WATCHDOG=1", Duration::from_secs(30)), "{}", bridge.logs());
    let signal = |name: &str| {
        let id = bridge.pid().to_string();
        assert!(std::process::Command::new("kill").args([name, &id]).status().is_ok_and(|status| status.success()));
    };
    signal("-STOP");
    // What was on its way may still arrive.
    manager.hears("nothing", Duration::from_millis(300));
    assert!(!manager.hears("WATCHDOG=1", Duration::from_secs(3)));
    signal("-CONT");
    assert!(manager.hears("WATCHDOG=1", Duration::from_secs(5)));
}
