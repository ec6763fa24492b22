//! The built binary on a full, a failing and a read-only disk: small ext4 or tmpfs mounts where this machine allows them,
//! and the preloaded library in any case.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jembatan::simulator::DownMode;
use serde_json::Value;

use super::check::{self, unfinished};
use super::kills::Field;
use super::preload;
use crate::bridge::{PATIENCE, card, whole_visit, yesterday};

/// A small file system under the database; gone when dropped.
struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

fn succeeds(command: &str, arguments: &[&str]) -> bool {
    Command::new(command).args(arguments).output().is_ok_and(|output| output.status.success())
}

impl Mount {
    /// Puts `mib` MiB under the state of this field: ext4 in a file, else tmpfs; none where nothing may be mounted (or
    /// `JEMBATAN_NO_MOUNT` is set): the test then goes on with the preloaded library.
    fn under(field: &Field, mib: u32) -> Option<Self> {
        if std::env::var_os("JEMBATAN_NO_MOUNT").is_some() {
            return None;
        }
        let (state, home) = (field.bridge.state(), field.bridge.home().to_owned());
        let (kept, image) = (home.join("kept"), home.join("disk.ext4"));
        fs::rename(&state, &kept).unwrap();
        fs::create_dir(&state).unwrap();
        fs::File::create(&image).unwrap().set_len(u64::from(mib) << 20).unwrap();
        let (at, file) = (state.display().to_string(), image.display().to_string());
        let ext4 = succeeds("mkfs.ext4", &["-q", "-F", &file]) && succeeds("mount", &["-o", "loop", &file, &at]);
        let size = format!("size={mib}m");
        let mounted = ext4 || succeeds("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", &at]);
        println!(
            "{}",
            if ext4 {
                "ext4"
            } else if mounted {
                "tmpfs"
            } else {
                "no mount is allowed here"
            }
        );
        if !mounted {
            fs::remove_dir(&state).unwrap();
            fs::rename(&kept, &state).unwrap();
            return None;
        }
        assert!(succeeds("cp", &["-a", &format!("{}/.", kept.display()), &at]));
        Some(Self(state))
    }

    fn again(&self, how: &str) -> bool {
        succeeds("mount", &["-o", &format!("remount,{how}"), &self.0.display().to_string()])
    }
}

/// Somebody else's file on the same disk.
fn ballast(state: &Path) -> PathBuf {
    state.join("berkas-orang-lain")
}

/// Fills the disk to the last block, or so that `leave` bytes stay free.
fn fill(state: &Path, leave: u64) {
    use std::io::Write as _;
    let mut file = fs::File::options().create(true).append(true).open(ballast(state)).unwrap();
    let block = [0_u8; 4096];
    while jembatan::daemon::free_bytes(&state.join("x")).unwrap() > leave && file.write_all(&block).is_ok() {}
}

fn wait_acknowledged(field: &Field, at_least: u64) {
    field.bridge.until("the SIM was answered", PATIENCE, || {
        (field.sim.desk.acknowledged.load(Ordering::SeqCst) >= at_least).then_some(())
    });
}

fn disk_check(field: &Field) -> Value {
    let health = field.bridge.health();
    health["checks"].as_array().into_iter().flatten().find(|one| one["name"] == "disk").cloned().unwrap_or_default()
}

/// A full disk in front of a bridge at work: it refuses with the remedy, sends nothing that it could not record, does not
/// die, and goes on by itself when there is room.
fn filled_and_freed(mut field: Field, env: Vec<(String, String)>, fill: impl Fn(&Field), free: impl Fn(&Field)) {
    field.spawn(env);
    field.sim.allow(8);
    wait_acknowledged(&field, 8);
    fill(&field);
    field.sim.allow(8);
    let answer = field.bridge.until("a refusal", PATIENCE, || {
        let answer = field.bridge.try_submit(&whole_visit("penuh", &card(90_000), yesterday()))?;
        (answer.status == 503).then_some(answer)
    });
    assert!(answer.body["detail"].to_string().contains("Kosongkan disk"), "{answer:?}");
    assert!(answer.retry_after.is_some(), "{answer:?}");
    let writes = field.bridge.writes();
    std::thread::sleep(Duration::from_secs(2));
    assert!(field.bridge.ended().is_none(), "a full disk is no reason to die: {}", field.bridge.logs());
    let unrecorded = field.bridge.writes() - writes;
    assert!(unrecorded <= 16, "{unrecorded} were sent while nothing can be recorded");
    free(&field);
    field.sim.close();
    field
        .bridge
        .until("everything is final without a start", PATIENCE, || (unfinished(&field.bridge) == 0).then_some(()));
    assert!(field.bridge.ended().is_none());
    field.bridge.kill_9();
    field.withdraw("penuh", &card(90_000));
    let done = field.judged();
    println!("{done:?}");
    assert!(done.problems.is_empty(), "{:#?}", done.problems);
}

#[test]
fn a_disk_that_refuses_writes_for_a_while_loses_nothing_and_is_no_crash() {
    let field = Field::fresh(31, false);
    let env = preload::disk(&field.bridge, "");
    filled_and_freed(
        field,
        env,
        |field| preload::now(&field.bridge, "write:*:ENOSPC"),
        |field| preload::now(&field.bridge, ""),
    );
}

#[test]
fn a_real_disk_filled_by_somebody_else_turns_health_red_and_loses_nothing() {
    let field = Field::fresh(32, false);
    let Some(mount) = Mount::under(&field, 24) else {
        // Health measures the room past the library: what is refused and recorded is tested all the same.
        let env = preload::disk(&field.bridge, "");
        let full = |field: &Field| preload::now(&field.bridge, "write:4-:ENOSPC,truncate:*:ENOSPC");
        return filled_and_freed(field, env, full, |field| preload::now(&field.bridge, ""));
    };
    let state = mount.0.clone();
    filled_and_freed(
        field,
        Vec::new(),
        |field| {
            fill(&state, 0);
            let seen = field.bridge.until("health is red", PATIENCE, || {
                let seen = disk_check(field);
                (seen["status"] == "down").then_some(seen)
            });
            assert!(seen["detail"].to_string().contains("Kosongkan disk"), "{seen}");
            let answer = field.bridge.raw("GET", "/health", "", None).unwrap();
            assert_eq!((answer.status, &answer.body["verdict"]), (503, &Value::from("us")));
        },
        |_| fs::remove_file(ballast(&state)).unwrap(),
    );
}

/// The room that is kept free is for outcomes: what was accepted before still gets to BPJS and onto the disk.
#[test]
fn a_real_disk_that_fills_while_accepting_still_records_every_outcome() {
    let mut field = Field::fresh(33, false);
    let Some(mount) = Mount::under(&field, 40) else { return fills_in_the_library(field) };
    field.bridge.env.push(("JEMBATAN__STORE__MIN_FREE".to_owned(), "8 MiB".to_owned()));
    field.start();
    field.bridge.simulator.down(DownMode::Refuse, None);
    // Ninety kilobytes more than what is kept free: the SIM itself uses them up.
    fill(&mount.0, (8 << 20) + 90_000);
    field.sim.allow(120);
    println!("{:?} free", jembatan::daemon::free_bytes(&mount.0.join("x")));
    let refused = field.bridge.until("the SIM has filled it", PATIENCE, || {
        let answer = field.bridge.try_submit(&whole_visit("penuh", &card(90_000), yesterday()))?;
        (answer.status == 503).then_some(answer)
    });
    assert!(refused.body["detail"].to_string().contains("Kosongkan disk"), "{refused:?}");
    field.bridge.until("health says so", PATIENCE, || (disk_check(&field)["status"] == "degraded").then_some(()));
    let accepted = check::count(&check::database(&field.bridge), "SELECT count(*) FROM submission");
    assert!(accepted > 0);
    println!("{accepted} accepted");
    field.bridge.simulator.up();
    // The drain's own log grows meanwhile; it may use up what is free, but not stay in the way.
    field.bridge.until("what was accepted is delivered", PATIENCE, || (unfinished(&field.bridge) == 0).then_some(()));
    fs::remove_file(ballast(&mount.0)).unwrap();
    field.bridge.until("the log gives its room back", PATIENCE, || {
        let log = fs::metadata(mount.0.join("jembatan.db-wal")).map_or(0, |log| log.len());
        (log <= 16 << 20 && disk_check(&field)["status"] == "ok").then_some(())
    });
    judged(field, accepted);
}

/// The SIM gives up its last submission, and the day is judged.
fn judged(mut field: Field, accepted: i64) {
    field.sim.close();
    field.bridge.kill_9();
    field.withdraw("penuh", &card(90_000));
    let done = field.judged();
    println!("accepted before it was full: {accepted}; {done:?}");
    assert!(done.problems.is_empty(), "{:#?}", done.problems);
}

/// As below the mount, with a disk that is full from some write of the SIM's own on.
fn fills_in_the_library(mut field: Field) {
    field.spawn(preload::disk(&field.bridge, ""));
    field.sim.allow(6);
    wait_acknowledged(&field, 6);
    field.bridge.simulator.down(DownMode::Refuse, None);
    preload::now(&field.bridge, "write:40-:ENOSPC");
    field.sim.allow(120);
    let refused = field.bridge.until("the SIM has filled it", PATIENCE, || {
        let answer = field.bridge.try_submit(&whole_visit("penuh", &card(90_000), yesterday()))?;
        (answer.status == 503).then_some(answer)
    });
    assert!(refused.body["detail"].to_string().contains("Kosongkan disk"), "{refused:?}");
    let accepted = check::count(&check::database(&field.bridge), "SELECT count(*) FROM submission");
    assert!(accepted >= 6, "{accepted}");
    field.bridge.simulator.up();
    preload::now(&field.bridge, "");
    field.bridge.until("what was accepted is delivered", PATIENCE, || (unfinished(&field.bridge) == 0).then_some(()));
    assert!(field.bridge.ended().is_none(), "a full disk is no reason to die");
    judged(field, accepted);
}

/// The sync inside COMMIT fails: the outcome is unknown. The process names it and ends; after the supervisor's start
/// the commit turns out to be there or not, and the SIM's repeat finds out.
#[test]
fn a_sync_that_fails_ends_the_process_and_a_ghost_commit_is_found_by_its_reference() {
    let mut ghosts = 0;
    for (seed, n) in [(34, 9), (35, 12), (36, 16), (37, 21)] {
        let mut field = Field::fresh(seed, false);
        // The database is there: what is synced from now on are commits.
        field.start();
        field.bridge.kill_9();
        field.sim.allow(12);
        field.spawn(preload::disk(&field.bridge, &format!("sync:{n}:EIO")));
        let said = ended_saying(&mut field);
        assert!(said.contains("disk I/O error") && said.contains("periksa (dmesg"), "{said}");
        // On disk, and nobody was told: the ghosts.
        let kept = check::database(&field.bridge);
        let acknowledged = field.sim.desk.ledger.lock().unwrap().accepted.clone();
        let mut statement = kept.prepare("SELECT ref FROM submission").unwrap();
        let refs: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        ghosts += refs.iter().filter(|reference| !acknowledged.contains_key(*reference)).count();
        drop(statement);
        drop(kept);
        let done = field.judged();
        println!("sync {n}: {done:?}");
        assert!(done.problems.is_empty(), "{n}: {:#?}", done.problems);
    }
    assert!(ghosts > 0, "no commit that failed was there afterwards: the test shows nothing");
}

/// Waits until the daemon has ended by itself and not by a signal; what it said.
fn ended_saying(field: &mut Field) -> String {
    let began = Instant::now();
    loop {
        if let Some(status) = field.bridge.ended() {
            assert!(status.code().is_some_and(|code| code != 0), "{status:?}");
            return field.bridge.logs();
        }
        assert!(began.elapsed() < PATIENCE, "it did not end: {}", field.bridge.logs());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_disk_that_turns_read_only_ends_the_process_with_the_remedy_until_it_is_writable_again() {
    let mut field = Field::fresh(38, false);
    let disk = preload::disk(&field.bridge, "");
    field.spawn(disk.clone());
    field.sim.allow(6);
    wait_acknowledged(&field, 4);
    preload::now(&field.bridge, "write:*:EROFS,sync:*:EROFS,open:*:EROFS,truncate:*:EROFS,rename:*:EROFS");
    field.sim.allow(6);
    ended_saying(&mut field);
    // The supervisor's starts, while it lasts.
    for _ in 0..3 {
        field.spawn(disk.clone());
        let said = ended_saying(&mut field);
        assert!(said.contains("hanya dapat dibaca"), "{said}");
    }
    preload::now(&field.bridge, "");
    let done = field.judged();
    println!("{done:?}");
    assert!(done.problems.is_empty(), "{:#?}", done.problems);
}

#[test]
fn a_real_read_only_disk_at_the_start_is_named_with_its_remedy() {
    let mut field = Field::fresh(39, false);
    let mount = Mount::under(&field, 24);
    field.start();
    field.sim.allow(4);
    wait_acknowledged(&field, 4);
    field.bridge.kill_9();
    // A mount that cannot be made read-only is none.
    let mount = mount.filter(|mount| mount.again("ro"));
    let env = match mount {
        Some(_) => Vec::new(),
        None => preload::disk(&field.bridge, "write:*:EROFS,sync:*:EROFS,open:*:EROFS,truncate:*:EROFS,rename:*:EROFS"),
    };
    field.spawn(env);
    let said = ended_saying(&mut field);
    assert!(said.contains("hanya dapat dibaca") && said.contains("mulai lagi dengan sendirinya"), "{said}");
    assert!(mount.as_ref().is_none_or(|mount| mount.again("rw")));
    let done = field.judged();
    assert!(done.problems.is_empty(), "{:#?}", done.problems);
}
