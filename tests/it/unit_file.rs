//! The systemd unit is understood by systemd and stays hardened.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/jembatan.service");

/// Exposure times ten that `systemd-analyze security` may find: 1.2, "OK".
const THRESHOLD: &str = "--threshold=12";

/// Whether the tool is here. In CI its absence is a failure: otherwise nobody would notice that nothing was checked.
fn analyzer() -> bool {
    let found = Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success());
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(found || !ci, "systemd-analyze is missing: apt-get install -y --no-install-recommends systemd");
    found
}

fn analyze(arguments: &[&str], unit: &Path) -> io::Result<(bool, String)> {
    let output = Command::new("systemd-analyze").args(arguments).arg(unit).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// What a section of the unit gives to a name, line by line.
fn values<'u>(unit: &'u str, section: &str, name: &str) -> Vec<&'u str> {
    let (mut here, mut found) = ("", Vec::new());
    for line in unit.lines() {
        if line.starts_with('[') {
            here = line;
        } else if here == section
            && let Some((_, value)) = line.split_once('=').filter(|(left, _)| *left == name)
        {
            found.push(value);
        }
    }
    found
}

#[test]
fn systemd_understands_every_line_of_the_unit() {
    if !analyzer() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("jembatan.service");
    // The program is not installed here; verify would complain about that and nothing else matters.
    let unit = fs::read_to_string(UNIT).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/jembatan serve --config /etc/jembatan/jembatan.toml\n"));
    fs::write(&copy, unit.replace("ExecStart=/usr/bin/jembatan", "ExecStart=/bin/true")).unwrap();
    let (good, text) = analyze(&["verify"], &copy).unwrap();
    assert!(good && !text.contains("jembatan.service"), "{text}");
}

#[test]
fn the_unit_exposes_little() {
    if !analyzer() {
        return;
    }
    let (good, text) = analyze(&["security", "--offline=true", "--no-pager", THRESHOLD], Path::new(UNIT)).unwrap();
    assert!(good, "{text}");
}

#[test]
fn systemd_brings_the_process_back_whatever_ended_it_and_however_often() {
    let unit = fs::read_to_string(UNIT).unwrap();
    let one = |section: &str, name: &str| values(&unit, section, name);
    // The daemon's own watchdog ends a process in which a task stands still, a failed commit ends it too, and either
    // may come with any exit code: whatever it was, the process must come back by itself.
    assert_eq!(one("[Service]", "Restart"), ["always"]);
    // At once would be a loop that takes the processor from whatever has to recover; much later would be an outage of
    // our own making. Three seconds are neither.
    assert_eq!(one("[Service]", "RestartSec"), ["3"]);
    // The last one to notice: the watchdog's thread feeds systemd only while every task beats (`status::watchdog`), so
    // a process that hangs whole, that thread included, is killed here. The daemon feeds twice as often as this asks.
    assert_eq!(one("[Service]", "WatchdogSec"), ["30"]);
    // Feeding goes over the socket of `Type=notify`, and is believed of the main process alone.
    assert_eq!(one("[Service]", "Type"), ["notify"]);
    assert_eq!(one("[Service]", "NotifyAccess"), ["main"]);
    // A limit of starts would leave the bridge down for good after a night with a full disk, a database that is away or
    // a stall that comes again: a watchdog that gives up ends the process, and systemd brings it back however often.
    // Without this line systemd has a limit of its own, and it looks for the line in [Unit] only.
    assert_eq!(one("[Unit]", "StartLimitIntervalSec"), ["0"]);
    // Nothing takes back what the above says: no exit code is exempt, and the machine is left alone.
    assert!(one("[Service]", "RestartPreventExitStatus").is_empty());
    assert!(one("[Unit]", "FailureAction").is_empty() && one("[Unit]", "SuccessAction").is_empty());
}

#[test]
fn the_unit_gives_the_key_and_the_port_that_the_defaults_expect() {
    let unit = fs::read_to_string(UNIT).unwrap();
    let config = jembatan::config::Config::default();
    assert!(unit.contains(&format!("SocketBindAllow=tcp:{}\n", config.http.listen.port())));
    let key = config.vault.key.to_string();
    let name = key.strip_prefix("credential:").unwrap();
    assert!(unit.contains(&format!("LoadCredentialEncrypted={name}:")));
    assert!(config.vault.path.starts_with("/var/lib/jembatan") && unit.contains("StateDirectory=jembatan\n"));
}
