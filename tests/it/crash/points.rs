//! The binary dies at every durable step: each failpoint of `jembatan::failpoint::STEPS` is walked, and one that is
//! never reached fails the walk.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use jembatan::failpoint::{LOOPS, STEPS};
use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use jiff::ToSpan as _;
use serde_json::{Value, json};

use super::kills::Field;
use crate::bridge::{Bridge, FACILITY, card, daftar, is_final, submission, wire, yesterday};
use crate::gateway::client::Local;

/// A point must be reached within this time.
const REACHED: Duration = Duration::from_secs(60);

/// A field that is walked from point to point.
struct Walk {
    field: Field,
    met: BTreeSet<&'static str>,
    /// Cards that the SIM's own numbers never reach.
    cards: u32,
    /// Gateway calls that were not answered to the end yet.
    open_calls: Vec<Value>,
    local: Option<Local>,
    /// Deliveries that a person held.
    held: Vec<String>,
}

impl Walk {
    fn begin(seed: u64) -> Self {
        let field = Field::fresh(seed, false);
        // An agreement in which an outage moves dates, so that there is something to reckon anew.
        let clause = "id = \"entry.immediate\"\nkind = \"entry\"\n";
        let moved = format!("{clause}moves = [{{ by = \"force_majeure\", clause = \"uji\" }}]\n");
        let agreement = jembatan::contract::BONTANG.replace(clause, &moved);
        assert_ne!(agreement, jembatan::contract::BONTANG);
        fs::write(field.bridge.home().join("bontang-2024.toml"), agreement).unwrap();
        Self { field, met: BTreeSet::new(), cards: 100_000, open_calls: Vec::new(), local: None, held: Vec::new() }
    }

    fn own_card(&mut self) -> String {
        self.cards += 1;
        card(self.cards)
    }

    /// What BPJS must have besides what the SIM handed in.
    fn want(&self, key: String) {
        *self.field.sim.desk.ledger.lock().unwrap().wanted.entry(key).or_default() += 1;
    }

    /// Starts the daemon so that it dies at the n-th pass of the point, and does `work` until it has.
    fn die_at(&mut self, point: &'static str, n: u64, mut work: impl FnMut(&mut Self)) {
        assert!(STEPS.contains(&point), "{point}");
        let kills = self.field.kills;
        self.field.spawn(vec![("JEMBATAN_FAILPOINT".to_owned(), format!("{point}:{n}:kill"))]);
        let began = Instant::now();
        while !self.field.ended() {
            assert!(began.elapsed() < REACHED, "{point} was not passed {n} times");
            if self.field.answers() {
                work(self);
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        assert_eq!(self.field.kills, kills + 1);
        let faults = self.field.sim.desk.ledger.lock().unwrap().faults.clone();
        assert!(faults.is_empty(), "{point}, pass {n}: {faults:#?}");
        self.met.insert(point);
    }

    fn raw(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let operator = &self.field.bridge.operator;
        let told = self.field.bridge.raw(method, path, operator, Some(body))?;
        (told.status == 200).then_some(told.body)
    }

    // ---- what makes a point be passed -----------------------------------------------------------------------------

    fn patients(&mut self) {
        self.field.sim.allow(1);
    }

    fn outage(&mut self) {
        self.field.sim.allow(1);
        self.field.bridge.simulator.down(DownMode::Refuse, Some(Duration::from_millis(400)));
        std::thread::sleep(Duration::from_millis(800));
    }

    /// Pauses, hands in, holds what was handed in.
    fn hold(&mut self) {
        let place = json!({ "facility": FACILITY, "reason": "uji" });
        self.raw("POST", "/v1/pauses", &place);
        let card = self.own_card();
        let body = submission(&format!("tahan-{card}"), &[daftar(&card, yesterday())]);
        // Not acknowledged: nobody has promised anything, and nobody hands it in again. It counts all the same if kept.
        let Some(told) = self.field.bridge.try_submit(&body).filter(|told| told.status == 202) else { return };
        self.want(format!("pendaftaran/{card}"));
        let id = told.body["deliveries"][0]["id"].as_str().unwrap().to_owned();
        self.held.push(id.clone());
        self.raw("POST", &format!("/v1/deliveries/{id}/hold"), &json!({ "reason": "uji" }));
    }

    /// Compares two days, as a person does.
    fn compare(&mut self) {
        let from = yesterday().checked_sub(1.day()).unwrap();
        let body = json!({ "facility": FACILITY, "from": from.to_string(), "to": yesterday().to_string() });
        self.raw("POST", "/v1/reconciliations", &body);
    }

    /// Staff typed something in; the difference is settled.
    fn settle(&mut self) {
        let body = json!({ "facility": FACILITY, "date": yesterday().to_string() });
        let Some(report) = self.raw("POST", "/v1/reconciliations", &body) else { return };
        let settle = json!({ "how": "other", "reason": "diketik petugas" });
        let id = report["id"].as_str().unwrap().to_owned();
        for item in report["items"].as_array().into_iter().flatten() {
            self.raw("POST", &format!("/v1/reconciliations/{id}/items/{}/settle", item["n"]), &settle);
        }
    }

    /// A SIM that speaks BPJS registers somebody, and repeats what was not answered.
    fn through_the_gateway(&mut self) {
        if self.open_calls.is_empty() {
            let card = self.own_card();
            self.want(format!("pendaftaran/{card}"));
            let body = json!({ "kdProviderPeserta": FACILITY, "tglDaftar": wire(yesterday()), "noKartu": card,
                "kdPoli": "001", "keluhan": "demam", "kunjSakit": true, "kdTkp": "10" });
            self.open_calls.push(body);
        }
        let (body, local) = (self.open_calls[0].clone(), self.local.as_ref().unwrap());
        let mut headers = local.headers();
        headers.push(("Content-Type".to_owned(), "text/plain".to_owned()));
        let told = self.field.bridge.try_send("POST", "/ws/pcare/pendaftaran", &headers, Some(body.to_string()));
        if told.is_some_and(|(status, ..)| status == 201) {
            self.open_calls.clear();
        }
    }

    fn terminate_when_busy(&mut self) {
        self.field.sim.allow(1);
        std::thread::sleep(Duration::from_millis(150));
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.field.bridge.pid()).unwrap()).unwrap();
        // It may have died already.
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap_or_default();
        std::thread::sleep(Duration::from_millis(300));
    }

    // ---- the walk -------------------------------------------------------------------------------------------------

    /// The first start of all, and starts after deaths.
    fn starts(&mut self) {
        for point in ["open.created", "migrate.written", "migrate.applied"] {
            self.die_at(point, 1, |_| {});
        }
        self.starts_again();
    }

    fn starts_again(&mut self) {
        for point in ["start.beside", "start.named", "reclaim.committed"] {
            self.die_at(point, 1, |_| {});
        }
    }

    /// Dates that a declared disaster moves, payloads whose time has passed: both are written only where there are any.
    fn old_and_moved(&mut self) {
        self.die_at("redate.written", 1, Self::disaster);
        // Declared, and not yet reckoned: the next start does it, and dies of it.
        self.die_at("redate.written", 1, |_| {});
        let aged = {
            let kept = rusqlite::Connection::open(self.field.bridge.state().join("jembatan.db")).unwrap();
            let long_ago = "UPDATE delivery SET updated_at = updated_at - 40000000000 WHERE id IN \
                            (SELECT id FROM delivery WHERE state = 'delivered' AND retired = 0 ORDER BY seq LIMIT 3)";
            kept.execute(long_ago, []).unwrap()
        };
        assert!(aged > 1, "{aged}");
        self.die_at("retire.written", 1, |_| {});
        self.die_at("retire.written", 2, |_| {});
        let kept = super::check::database(&self.field.bridge);
        assert_eq!(super::check::count(&kept, "SELECT count(*) FROM delivery WHERE retired = 1"), 0, "not committed");
    }

    /// Pauses, hands in, and declares that nothing could be sent yesterday from nine to twelve.
    fn disaster(&mut self) {
        self.raw("POST", "/v1/pauses", &json!({ "facility": FACILITY, "reason": "uji" }));
        let (card, day) = (self.own_card(), yesterday());
        let mut entry = daftar(&card, day);
        entry["occurred_at"] = json!(format!("{day}T08:00:00+08:00"));
        let body = submission(&format!("tahan-{card}"), &[entry]);
        if self.field.bridge.try_submit(&body).is_some_and(|told| told.status == 202) {
            self.want(format!("pendaftaran/{card}"));
        }
        let event = json!({ "kind": "force_majeure", "facility": FACILITY, "reason": "banjir (uji)",
            "at": format!("{day}T09:00:00+08:00"), "until": format!("{day}T12:00:00+08:00") });
        self.raw("POST", "/v1/obligations/events", &event);
    }

    /// The way of an entry, at its n-th pass.
    fn entries(&mut self, n: u64) {
        let way = [
            "accept.written",
            "accept.committed",
            "accept.answer",
            "claim.written",
            "claim.committed",
            "send.before",
            "send.answered",
            "record.written",
            "record.committed",
            "commit.before",
            "commit.after",
        ];
        for point in way {
            self.die_at(point, n, Self::patients);
        }
        self.field.bridge.fault(Fault::new("write", Kind::Slow).lasting(120));
        self.die_at("send.waiting", n, Self::patients);
        // As after a power cut: without this file nobody is suspected, and what was in flight is reclaimed.
        fs::remove_file(self.field.bridge.home().join("state/jembatan.db.run")).unwrap();
        self.die_at("reclaim.written", 1, |_| {});
        self.field.bridge.simulator.clear_faults();
        self.field.bridge.fault(Fault::new("write", Kind::LandThenReset).times(20 * n));
        for point in ["lookup.before", "lookup.answered"] {
            self.die_at(point, n, Self::patients);
        }
        self.field.bridge.simulator.clear_faults();
    }

    /// What people and the day bring.
    fn around(&mut self) {
        self.die_at("outage.written", 1, Self::outage);
        self.die_at("outage.written", 2, Self::outage);
        self.field.bridge.simulator.up();
        self.die_at("audit.written", 1, Self::hold);
        self.die_at("act.written", 1, Self::hold);
        self.die_at("days.written", 2, Self::compare);
        let typed = self.own_card();
        self.field.bridge.staff("pendaftaran", &daftar(&typed, yesterday())["payload"]);
        self.want(format!("pendaftaran/{typed}"));
        for point in ["reconciliation.before", "reconciliation.written"] {
            self.die_at(point, 1, Self::compare);
        }
        self.die_at("settle.written", 1, Self::settle);
        self.resume();
        self.local = Some(Local::added(&self.field.bridge, "sim-lama"));
        for point in ["gateway.accepted", "gateway.answer"] {
            self.die_at(point, 1, Self::through_the_gateway);
        }
        for point in ["checkpoint.before", "checkpoint.after"] {
            self.die_at(point, 1, Self::terminate_when_busy);
        }
    }

    /// The daemon runs, and nothing that a person stopped stands still.
    fn resume(&mut self) {
        self.field.start();
        for facility in [FACILITY, "*"] {
            let told = self.raw("DELETE", "/v1/pauses", &json!({ "facility": facility, "reason": "uji" }));
            assert!(told.is_some(), "not resumed");
        }
        for id in std::mem::take(&mut self.held) {
            let entry = self.field.bridge.get(&format!("/v1/deliveries/{id}"));
            if entry["state"] == "held" {
                assert_eq!(self.field.bridge.act(&entry, "release", &json!({})).status, 200);
            }
        }
        self.field.bridge.kill_9();
    }

    /// Put back from a copy that is as new as the database itself, so that nothing may be missing.
    fn restored(&mut self) {
        let bridge = &mut self.field.bridge;
        let database = bridge.state().join("jembatan.db");
        let copy = bridge.home().join("salinan.db");
        bridge.start();
        assert!(bridge.terminate().0.success());
        fs::copy(&database, &copy).unwrap();
        // Two starts: the last two names are known, so that a crash between the writes is no alarm.
        for _ in 0..2 {
            bridge.start();
            assert!(bridge.terminate().0.success());
        }
        for suffix in ["-wal", "-shm"] {
            drop(fs::remove_file(format!("{}{suffix}", database.display())));
        }
        fs::copy(&copy, &database).unwrap();
        for point in ["distrust.paused", "distrust.written"] {
            self.die_at(point, 1, |_| {});
        }
        self.resume();
    }

    fn end(mut self) -> BTreeSet<&'static str> {
        self.resume();
        if let (Some(local), Some(body)) = (&self.local, self.open_calls.first()) {
            self.field.start();
            local.until_done(&self.field.bridge, "POST", "pcare/pendaftaran", Some(body));
            self.field.bridge.kill_9();
        }
        // Handed in but never acknowledged, and kept all the same: that is no copy.
        let kept = super::check::database(&self.field.bridge);
        let mut statement = kept.prepare("SELECT ref FROM submission WHERE ref LIKE 'tahan-%'").unwrap();
        let refs: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for reference in refs {
            let card = reference.trim_start_matches("tahan-").to_owned();
            self.field.sim.desk.ledger.lock().unwrap().wanted.entry(format!("pendaftaran/{card}")).or_insert(1);
        }
        drop(statement);
        drop(kept);
        let done = self.field.judged();
        println!("{done:?}");
        assert!(done.problems.is_empty(), "{:#?}", done.problems);
        self.met
    }
}

/// `JEMBATAN_WALK=1,2,3,5,8` walks the way of an entry at these passes.
#[test]
fn killed_at_every_durable_step_nothing_is_lost_and_nothing_is_twice() {
    let passes = std::env::var("JEMBATAN_WALK").unwrap_or_else(|_| "1,3".to_owned());
    let mut walk = Walk::begin(11);
    walk.starts();
    for n in passes.split(',') {
        walk.entries(n.parse().expect("JEMBATAN_WALK: numbers"));
        walk.starts_again();
    }
    walk.around();
    walk.old_and_moved();
    walk.restored();
    let mut met = walk.end();
    // The rule that expires entries looks every twenty seconds: a test of its own.
    met.insert("expire.written");
    let never: Vec<_> = STEPS.iter().filter(|point| !met.contains(**point)).collect();
    assert!(never.is_empty(), "no walk goes there: {never:?}");
}

#[test]
fn killed_while_entries_expire_each_is_expired_or_delivered_and_none_is_gone() {
    let mut walk = Walk::begin(12);
    walk.field.start();
    let old = yesterday().checked_sub(8.months()).unwrap();
    let activity = json!({ "ref": "kegiatan", "operation": "pcare.kelompok.kegiatan.add", "payload": {
        "eduId": null, "clubId": 36, "tglPelayanan": wire(old), "kdKegiatan": "01", "kdKelompok": "01",
        "materi": "diet", "pembicara": "Instruktur", "lokasi": "Halaman", "keterangan": "", "biaya": 1000 } });
    walk.raw("POST", "/v1/pauses", &json!({ "facility": FACILITY, "reason": "uji" })).unwrap();
    let id = walk.field.bridge.submit(&submission("lama", &[activity]));
    walk.field.bridge.kill_9();
    walk.die_at("expire.written", 1, |_| {});
    walk.field.start();
    assert_eq!(walk.field.bridge.entries(&id)["kegiatan"]["state"], "waiting", "the step was not committed");
    let entry = walk.field.bridge.entry_when(&id, "kegiatan", is_final);
    assert_eq!(entry["state"], "expired", "{entry:#}");
    assert!(walk.field.bridge.ledger("kegiatan").is_empty());
}

/// A panic inside one job of the writer is rolled back with that job; the writer and the process go on.
#[test]
fn a_job_of_the_store_that_panics_costs_itself_alone() {
    let mut field = Field::fresh(15, false);
    field.sim.allow(10);
    field.spawn(vec![("JEMBATAN_FAILPOINT".to_owned(), "claim.written:3:panic".to_owned())]);
    field.bridge.until("the panic", REACHED, || field.bridge.logs().contains("panicked").then_some(()));
    field.bridge.until("everything is answered and final", REACHED, || {
        let acknowledged = field.sim.desk.acknowledged.load(std::sync::atomic::Ordering::SeqCst);
        (acknowledged >= 10 && super::check::unfinished(&field.bridge) == 0).then_some(())
    });
    assert!(field.bridge.ended().is_none(), "it lives");
    field.bridge.kill_9();
    let done = field.judged();
    assert!(done.problems.is_empty(), "{:#?}", done.problems);
}

/// An armed name that does not exist must not pass for a point that was never met.
#[test]
fn a_misspelled_failpoint_is_no_start() {
    let mut walk = Walk::begin(13);
    for wrong in ["claim.comitted:1:kill", "claim.committed:one:kill", "claim.committed:1:kil"] {
        walk.field.bridge.env.push(("JEMBATAN_FAILPOINT".to_owned(), wrong.to_owned()));
        let (code, _, err) = walk.field.bridge.serve_says();
        walk.field.bridge.env.pop();
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(wrong), "{err}");
    }
}

/// Every loop passes its point: what stops one of them can be tested.
#[test]
fn every_loop_passes_its_failpoint() {
    let mut bridge = Bridge::stopped(&crate::bridge::Setup::default());
    let trace = bridge.home().join("trace");
    bridge.env.clear();
    for (name, value) in [
        ("JEMBATAN_FAILPOINT_TRACE", trace.display().to_string()),
        ("JEMBATAN__RECONCILE__AFTER_OUTAGE", "true".to_owned()),
        ("JEMBATAN__KEEP__REFRESH", "1h".to_owned()),
    ] {
        bridge.env.push((name.to_owned(), value));
    }
    bridge.start();
    bridge.until("every loop has passed", Duration::from_secs(20), || {
        let text = fs::read_to_string(&trace).unwrap_or_default();
        let passed: BTreeSet<&str> = text.lines().collect();
        LOOPS.iter().all(|point| passed.contains(point)).then_some(())
    });
}

/// A commit that fails is unknown, and a writer that panics is gone: the process ends by itself, names the reason, and
/// the next start goes on.
#[test]
fn a_failed_commit_or_a_dead_writer_ends_the_process_and_the_next_start_goes_on() {
    for (spec, word) in [("commit.before:8:error", "its outcome is unknown"), ("commit.after:8:panic", "panicked")] {
        let mut field = Field::fresh(14, false);
        field.sim.allow(10);
        field.spawn(vec![("JEMBATAN_FAILPOINT".to_owned(), spec.to_owned())]);
        let began = Instant::now();
        let status = loop {
            if let Some(status) = field.bridge.ended() {
                println!("{spec}: ended after {:?}", began.elapsed());
                break status;
            }
            assert!(began.elapsed() < REACHED, "{spec}: did not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.code().is_some_and(|code| code != 0), "{spec}: {status:?}");
        let logs = field.bridge.logs();
        println!("{logs}");
        assert!(logs.contains(word), "{spec}: {logs}");
        let done = field.judged();
        assert!(done.problems.is_empty(), "{spec}: {:#?}", done.problems);
    }
}
