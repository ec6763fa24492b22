use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use jiff::Timestamp;

use super::*;

fn beats(of: &[(&str, u64)]) -> BTreeMap<String, Beat> {
    of.iter().map(|(task, count)| ((*task).to_owned(), Beat { at: Timestamp::UNIX_EPOCH, count: *count })).collect()
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_task_that_stands_still_for_longer_than_the_limit_has_stalled_and_only_it() {
    let mut watch = Watch::new(None);
    watch.look(&beats(&[("push", 1), ("writer", 1)]), s(0));
    assert_eq!(watch.look(&beats(&[("push", 1), ("writer", 2)]), s(45)).stalled, []);
    let seen = watch.look(&beats(&[("push", 1), ("writer", 3)]), s(46));
    assert_eq!(seen.stalled.iter().map(|stalled| stalled.task.as_str()).collect::<Vec<_>>(), ["push"]);
    assert!(seen.changed);
    assert!(!watch.look(&beats(&[("push", 1), ("writer", 4)]), s(47)).changed, "told once per episode");
    let seen = watch.look(&beats(&[("push", 2), ("writer", 5)]), s(48));
    assert!(seen.stalled.is_empty() && seen.changed, "and once when it is over");
}

#[test]
fn a_task_that_ended_on_purpose_is_forgotten() {
    let mut watch = Watch::new(None);
    watch.look(&beats(&[("probe", 1)]), s(0));
    assert_eq!(watch.look(&beats(&[]), s(100)).stalled, []);
    assert_eq!(watch.look(&beats(&[("probe", 1)]), s(200)).stalled, [], "it begins anew");
}

#[test]
fn systemd_is_fed_at_the_interval_and_never_during_a_stall() {
    let mut watch = Watch::new(Some(s(15)));
    let mut feed = |count, at| watch.look(&beats(&[("push", count)]), s(at)).feed;
    assert!(feed(1, 0));
    assert!(!feed(2, 14));
    assert!(feed(3, 15));
    assert!(feed(3, 30));
    assert!(!feed(3, 61), "stalled since 15");
    assert!(feed(4, 62));
}

#[test]
fn nobody_is_fed_who_does_not_ask() {
    assert!(!Watch::new(None).look(&beats(&[]), s(1000)).feed);
}

#[test]
fn the_thread_looks_without_a_runtime_and_ends_when_dropped() {
    let live = Arc::new(Live::new(Timestamp::UNIX_EPOCH, 0));
    let (tell, told) = mpsc::channel();
    live.beat("push", Timestamp::UNIX_EPOCH);
    let watchdog =
        spawn(Arc::clone(&live), Duration::from_millis(1), move |stalled| _ = tell.send(stalled.len())).unwrap();
    drop(watchdog);
    assert!(told.recv().is_err(), "nothing stalled, and the thread is gone");
}

/// Runs this test binary again as `test` with the service manager's environment: setting variables in a process with
/// threads is not safe.
fn child(test: &str, socket: &std::path::Path, watchdog_usec: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("status::watchdog::tests::{test}"), "--test-threads=1"]);
    command.env("NOTIFY_SOCKET", socket).env("JEMBATAN_TEST_CHILD", test).env_remove("WATCHDOG_PID");
    if let Some(usec) = watchdog_usec {
        command.env("WATCHDOG_USEC", usec);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

fn is_child(test: &str) -> bool {
    std::env::var("JEMBATAN_TEST_CHILD").as_deref() == Ok(test)
}

fn listen(folder: &std::path::Path) -> (UnixDatagram, std::path::PathBuf) {
    let path = folder.join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(s(20))).unwrap();
    (socket, path)
}

fn word(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn says_ready_and_stopping_to_the_service_manager() {
    let name = "says_ready_and_stopping_to_the_service_manager";
    if is_child(name) {
        systemd::ready().unwrap();
        systemd::stopping(s(30)).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = listen(folder.path());
    let mut child = child(name, &path, None);
    assert_eq!(word(&socket), "READY=1\n");
    assert_eq!(word(&socket), "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn feeds_the_service_managers_watchdog_while_tasks_beat() {
    let name = "feeds_the_service_managers_watchdog_while_tasks_beat";
    if is_child(name) {
        assert_eq!(systemd::feeding_interval(), Some(Duration::from_millis(10)));
        let live = Arc::new(Live::new(Timestamp::UNIX_EPOCH, 0));
        live.beat("push", Timestamp::UNIX_EPOCH);
        let _watchdog = spawn(live, Duration::from_millis(1), |_| ()).unwrap();
        // The parent closes our standard input when it has seen enough.
        io::read_to_string(io::stdin()).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = listen(folder.path());
    let mut child = child(name, &path, Some("20000"));
    assert_eq!(word(&socket), "WATCHDOG=1\n");
    assert_eq!(word(&socket), "WATCHDOG=1\n");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
