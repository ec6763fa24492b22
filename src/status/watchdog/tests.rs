use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use jiff::Timestamp;

use super::*;

fn beats(of: &[(&str, u64)]) -> BTreeMap<String, Beat> {
    of.iter().map(|(task, count)| ((*task).to_owned(), beat(*count, 45))).collect()
}

const fn beat(count: u64, limit: u64) -> Beat {
    Beat { at: Timestamp::UNIX_EPOCH, count, limit: s(limit), gone: false }
}

fn names(seen: &Look) -> Vec<&str> {
    seen.stalled.iter().map(|stalled| stalled.task.as_str()).collect()
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_task_that_stands_still_for_longer_than_the_limit_has_stalled_and_only_it() {
    let mut watch = Watch::new(None, patience(0));
    watch.look(&beats(&[("push", 1), ("writer", 1)]), s(0));
    assert_eq!(watch.look(&beats(&[("push", 1), ("writer", 2)]), s(45)).stalled, []);
    let seen = watch.look(&beats(&[("push", 1), ("writer", 3)]), s(46));
    assert_eq!(names(&seen), ["push"]);
    assert!(seen.changed);
    assert!(!watch.look(&beats(&[("push", 1), ("writer", 4)]), s(47)).changed, "told once per episode");
    let seen = watch.look(&beats(&[("push", 2), ("writer", 5)]), s(48));
    assert!(seen.stalled.is_empty() && seen.changed, "and once when it is over");
}

#[test]
fn a_task_that_ended_on_purpose_is_forgotten() {
    let mut watch = Watch::new(None, patience(0));
    watch.look(&beats(&[("probe", 1)]), s(0));
    assert_eq!(watch.look(&beats(&[]), s(100)).stalled, []);
    assert_eq!(watch.look(&beats(&[("probe", 1)]), s(200)).stalled, [], "it begins anew");
}

#[test]
fn systemd_is_fed_at_the_interval_and_never_during_a_stall() {
    let mut watch = Watch::new(Some(s(15)), patience(0));
    let mut feed = |count, at| watch.look(&beats(&[("push", count)]), s(at)).feed;
    assert!(feed(1, 0));
    assert!(!feed(2, 14));
    assert!(feed(3, 15));
    assert!(feed(3, 30));
    assert!(!feed(3, 61), "stalled since 15");
    assert!(feed(4, 62));
}

#[test]
fn each_task_has_its_own_limit_and_one_that_never_beats_is_seen() {
    let mut watch = Watch::new(None, patience(0));
    let registered: BTreeMap<String, Beat> =
        [("slow".to_owned(), beat(0, 120)), ("quick".to_owned(), beat(0, 45))].into();
    watch.look(&registered, s(0));
    assert_eq!(names(&watch.look(&registered, s(46))), ["quick"]);
    assert_eq!(names(&watch.look(&registered, s(121))), ["quick", "slow"]);
}

#[test]
fn a_task_that_is_gone_is_told_at_once_and_does_not_vanish() {
    let mut watch = Watch::new(None, patience(0));
    let mut all = beats(&[("leases", 1), ("push", 1)]);
    watch.look(&all, s(0));
    all.get_mut("leases").unwrap().gone = true;
    let seen = watch.look(&all, s(1));
    assert!(seen.changed && seen.stalled[0].gone);
    assert_eq!(names(&seen), ["leases"]);
}

#[test]
fn what_does_not_recover_ends_the_process_once_and_what_does_recover_does_not() {
    let mut watch = Watch::new(None, patience(0));
    let mut look = |count, at| watch.look(&beats(&[("push", count)]), s(at)).give_up;
    assert!(!look(1, 0) && !look(1, 46), "the alarm");
    assert!(!look(1, 65) && !look(2, 66), "recovered within the patience");
    assert!(!look(2, 112) && !look(2, 131), "another alarm: the patience begins anew");
    assert!(look(2, 132), "twenty seconds after the alarm");
    assert!(!look(2, 133), "said once");
}

#[test]
fn a_stall_that_restarts_do_not_cure_ends_the_process_ever_more_rarely() {
    let all: Vec<Duration> = (0..5).map(patience).collect();
    assert!(all.is_sorted() && all[0] < all[1] && all[3] == all[4] && all[4] <= s(3600), "{all:?}");
    // Meanwhile the service manager is fed, or it would end the process sooner.
    let mut watch = Watch::new(Some(s(15)), patience(1));
    let mut look = |at| watch.look(&beats(&[("push", 1)]), s(at));
    look(0);
    assert!(look(60).feed && look(75).feed && !look(75).give_up);
    let over = look(60 + 300);
    assert!(over.give_up && !over.feed);
}

#[test]
fn nobody_is_fed_who_does_not_ask() {
    assert!(!Watch::new(None, patience(0)).look(&beats(&[]), s(1000)).feed);
}

#[test]
fn the_thread_looks_without_a_runtime_and_ends_when_dropped() {
    let live = Arc::new(Live::new(Timestamp::UNIX_EPOCH, 0));
    let (tell, told) = mpsc::channel();
    live.beat("push", Timestamp::UNIX_EPOCH);
    let watchdog = spawn(Arc::clone(&live), Duration::from_millis(1), patience(0), move |stalled: &[Stalled]| {
        _ = tell.send(stalled.len())
    })
    .unwrap();
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
        let _watchdog = spawn(live, Duration::from_millis(1), patience(0), |_: &[Stalled]| ()).unwrap();
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
