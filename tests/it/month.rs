//! A month of the shipped day: twenty-six working days with three outages, a dozen visits typed into P-Care by staff, and
//! entries that were refused and amended; then the month's reconciliation and every document in every form, whose figures
//! must be BPJS's ledger's, read back by programs that are not ours (`tests/clients/read_month.py`).
//!
//! The daemon runs in this process on a clock that is set forward from hour to hour; SIM, staff, BPJS and the command line
//! talk to it over HTTP as ever. Continuous integration takes a part of the day each day; the whole month, 18 902 entries, is
//!
//! ```sh
//! JEMBATAN_MONTH=full JEMBATAN_MONTH_OUT=/tmp/bulan cargo test --release --locked --test it month:: -- --nocapture
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use jembatan::clock::Clock;
use jembatan::simulator::DownMode;
use jiff::civil::{Date, Time, Weekday, date, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::bridge::{Bridge, FACILITY, PATIENCE, Setup, card, daftar, is_final, kunjungan, shipped_day};
use crate::day::LISTS;

const MONTH: &str = "2024-10";
const FIRST: Date = date(2024, 10, 1);
const WORKING_DAYS: usize = 26;
/// When the bridge reconciles the day by itself.
const DAILY: Time = time(20, 30, 0, 0);
/// The working days, counted from 0, on which BPJS goes away, and how.
const OUTAGES: [(usize, DownMode); 3] = [(4, DownMode::Refuse), (12, DownMode::Http503), (19, DownMode::Refuse)];
/// The outage that lasts until the next morning.
const OVERNIGHT: usize = 19;
/// Working days on which a visit names a doctor whom BPJS does not know; on the last of them nobody amends it.
const REFUSED: [usize; 3] = [2, 9, 16];
/// Visits of strangers typed in per outage; one more is of a patient whose entries wait.
const STRANGERS: u32 = 3;
const FORMS: [&str; 5] = ["json", "xlsx", "csv", "pdf", "html"];

fn zone() -> TimeZone {
    TimeZone::get("Asia/Makassar").unwrap()
}

fn instant(day: Date, at: Time) -> Timestamp {
    day.to_datetime(at).to_zoned(zone()).unwrap().timestamp()
}

fn working_days() -> Vec<Date> {
    let days = FIRST.series(1.day()).filter(|day| day.weekday() != Weekday::Sunday);
    days.take(WORKING_DAYS).collect()
}

/// The month as it happens.
struct Month {
    bridge: Bridge,
    /// Whole days, or a part of each.
    full: bool,
    /// What the SIM handed in and what staff typed, for whoever reckons the figures.
    handed: Vec<Value>,
    outages: Vec<Value>,
    typed: u32,
}

impl Month {
    fn begin(full: bool) -> Self {
        let clock = Clock::starting(instant(FIRST, time(6, 30, 0, 0)));
        let mut bridge = Bridge::stopped(&Setup { clock, settle_ms: 300, timeout_ms: 5_000, ..Setup::default() });
        bridge.env.push(("JEMBATAN__RECONCILE__DAILY".to_owned(), DAILY.strftime("%H:%M").to_string()));
        bridge.env.push(("JEMBATAN__RECONCILE__AFTER_OUTAGE".to_owned(), "true".to_owned()));
        bridge.start_inside();
        Self { bridge, full, handed: Vec::new(), outages: Vec::new(), typed: 0 }
    }

    /// Sets the clock forward to this instant of the facility.
    fn at(&self, day: Date, at: Time) {
        let ahead = instant(day, at).duration_since(self.bridge.clock.now());
        // Behind already: the day took longer than planned.
        self.bridge.clock.advance(Duration::try_from(ahead).unwrap_or_default());
    }

    /// What the SIM hands in on the n-th working day.
    fn of_day(&self, n: usize, day: Date) -> Vec<Value> {
        let whole = shipped_day(day);
        // A part, so that all parts together make the day.
        let part = |at: &usize| self.full || at % WORKING_DAYS == n;
        let mut day: Vec<Value> =
            whole.into_iter().enumerate().filter(|(at, _)| part(at)).map(|(_, one)| one).collect();
        if REFUSED.contains(&n) {
            let visit = day.iter_mut().find_map(|one| with_children(one)).unwrap();
            visit["payload"]["kdDokter"] = json!("999999");
        }
        day
    }

    fn hand_in(&mut self, part: &[Value]) -> Vec<Value> {
        let answers = self.bridge.submit_all(part, 4);
        let accepted = |answer: Option<crate::bridge::Answer>| {
            let answer = answer.expect("an answer");
            assert!(matches!(answer.status, 200 | 202), "{answer:?}");
            answer.body
        };
        self.handed.extend_from_slice(part);
        answers.into_iter().map(accepted).collect()
    }

    /// Waits until nothing is on its way.
    fn quiet(&self) {
        self.bridge.until("nothing is on its way", PATIENCE * 3, || {
            let none = |state: &str| {
                let page = self.bridge.get(&format!("/v1/deliveries?limit=1&state={state}"));
                page["items"].as_array().is_some_and(Vec::is_empty)
            };
            ["waiting", "sending", "unanswered"].into_iter().all(none).then_some(())
        });
    }

    fn work(&mut self, n: usize, day: Date) {
        let body = self.of_day(n, day);
        let (morning, noon) = body.split_at(body.len() / 2);
        self.at(day, time(11, 5, 0, 0));
        let answers = self.hand_in(morning);
        self.quiet();
        self.at(day, time(15, 0, 0, 0));
        match OUTAGES.iter().find(|(on, _)| *on == n) {
            Some((_, mode)) => self.through_an_outage(n, day, noon, *mode),
            None => drop(self.hand_in(noon)),
        }
        self.quiet();
        if REFUSED.contains(&n) && Some(&n) != REFUSED.last() {
            self.amend(&answers);
        }
        if n == OVERNIGHT {
            return;
        }
        self.at(day, time(20, 31, 0, 0));
        self.reconciled_by_itself(day, &["jembatan: daily"]);
    }

    /// BPJS is gone while the afternoon is handed in and staff types on.
    fn through_an_outage(&mut self, n: usize, day: Date, part: &[Value], mode: DownMode) {
        let known = self.closed_outages();
        self.bridge.simulator.down(mode, None);
        let open = self.bridge.until("the outage is seen", PATIENCE, || {
            let list = self.bridge.get("/v1/outages");
            list["items"].as_array()?.iter().find(|one| one["closed_at"].is_null()).map(|one| one["id"].clone())
        });
        self.hand_in(part);
        self.staff_types(day, part);
        // Some time later BPJS is still away: what the probes see is on record.
        let probes = || {
            let list = self.bridge.get("/v1/outages");
            list["items"].as_array().unwrap().iter().find(|one| one["id"] == open).unwrap()["evidence"]
                .as_array()
                .unwrap()
                .len()
        };
        let before = probes();
        self.at(day, time(15, 50, 0, 0));
        self.bridge.until("another probe has failed", PATIENCE, || (probes() > before).then_some(()));
        let (until, at) =
            if n == OVERNIGHT { (day.tomorrow().unwrap(), time(6, 40, 0, 0)) } else { (day, time(16, 35, 0, 0)) };
        self.at(until, at);
        self.bridge.simulator.up();
        self.bridge.until("the outage is over", PATIENCE, || (self.closed_outages() > known).then_some(()));
        let entries: usize = part.iter().filter_map(|one| one["entries"].as_array().map(Vec::len)).sum();
        self.outages.push(json!({ "id": open, "accepted": entries, "overnight": n == OVERNIGHT }));
        self.quiet();
        let shown = self.bridge.get(&format!("/v1/outages/{open}"));
        let told = &shown["evaluation"]["entries"];
        assert_eq!((&told["accepted"], &told["delayed"]), (&json!(entries), &json!(entries)), "{shown:#}");
        // In the morning the day is due both for the outage and for the evening that was missed: one of them makes it.
        let either: &[&str] = &["jembatan: outage", "jembatan: daily"];
        self.reconciled_by_itself(day, &either[..if n == OVERNIGHT { 2 } else { 1 }]);
    }

    fn closed_outages(&self) -> usize {
        let list = self.bridge.get("/v1/outages");
        list["items"].as_array().unwrap().iter().filter(|one| !one["closed_at"].is_null()).count()
    }

    /// Whole visits typed into P-Care: of strangers, and of one patient whose entries wait here.
    fn staff_types(&mut self, day: Date, part: &[Value]) {
        let bridge = &self.bridge;
        let staff =
            |path: &str, body: &Value| bridge.staff("staff", &json!({ "method": "POST", "path": path, "body": body }));
        for _ in 0..STRANGERS {
            self.typed += 1;
            let own = card(self.typed);
            staff("pendaftaran", &daftar(&own, day)["payload"]);
            staff("kunjungan/v1", &kunjungan(&own, day)["payload"]);
        }
        let waiting = part.iter().find(|one| one["entries"][1]["operation"] == "pcare.kunjungan.add").unwrap();
        staff("pendaftaran", &waiting["entries"][0]["payload"]);
        staff("kunjungan/v1", &waiting["entries"][1]["payload"]);
    }

    /// The doctor's code is put right; the drugs that waited for the visit follow.
    fn amend(&mut self, answers: &[Value]) {
        let is_refused = |id: &&str| self.bridge.entries(id).values().any(|one| one["state"] == "refused");
        let mut ids = answers.iter().filter_map(|one| one["id"].as_str());
        let id = ids.find(is_refused).unwrap().to_owned();
        let handed = self.handed.iter_mut().find_map(|one| with_doctor(one, "999999")).unwrap();
        handed["payload"]["kdDokter"] = json!("001");
        let payload = handed["payload"].clone();
        let visit = self.bridge.entries(&id)["kunjungan"].clone();
        assert_eq!(self.bridge.act(&visit, "amend", &json!({ "payload": payload })).status, 200);
        let through = self.bridge.finished(&id);
        assert!(through.values().all(|one| one["state"] == "delivered"), "{through:#?}");
    }

    /// A reconciliation that could not read everything is made again ten minutes later: on a busy machine they pass here.
    fn reconciled_by_itself(&self, day: Date, actors: &[&str]) {
        let (day, mut incomplete) = (day.to_string(), 0);
        self.bridge.until(&format!("{actors:?} has reconciled {day}"), PATIENCE * 5, || {
            let list = self.bridge.get(&format!("/v1/reconciliations?facility={FACILITY}&limit=50"));
            let own = list["items"].as_array()?.iter().filter(|one| one["from"] == day && one["to"] == day);
            let ids: Vec<&str> = own.filter_map(|one| one["id"].as_str()).collect();
            let reports = ids.iter().map(|id| self.bridge.get(&format!("/v1/reconciliations/{id}")));
            let mine: Vec<Value> =
                reports.filter(|report| actors.iter().any(|actor| report["actor"] == *actor)).collect();
            if mine.len() > incomplete && mine.iter().all(|report| report["complete"] == false) {
                incomplete = mine.len();
                self.bridge.clock.advance(Duration::from_mins(10));
            }
            mine.iter().any(|report| report["complete"] == true).then_some(())
        });
    }
}

/// The visit of a submission that has children.
fn with_children(submission: &mut Value) -> Option<&mut Value> {
    let entries = submission["entries"].as_array_mut()?;
    let has = entries.iter().any(|entry| entry["operation"] == "pcare.obat.add");
    entries.iter_mut().find(|entry| has && entry["operation"] == "pcare.kunjungan.add")
}

fn with_doctor<'s>(submission: &'s mut Value, doctor: &str) -> Option<&'s mut Value> {
    let entries = submission["entries"].as_array_mut()?;
    entries.iter_mut().find(|entry| entry["payload"]["kdDokter"] == doctor)
}

/// Where the documents go; kept where somebody wants to look at them.
enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn new() -> Self {
        match std::env::var_os("JEMBATAN_MONTH_OUT") {
            Some(path) => {
                fs::create_dir_all(&path).unwrap();
                Self::Kept(path.into())
            }
            None => Self::Temporary(tempfile::tempdir().unwrap()),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// A document, the stem of its files, and what is asked with it.
struct Wanted {
    name: String,
    kind: String,
    asked: Vec<(&'static str, String)>,
}

/// Every document of the month in every form: JSON by the command line, the others over HTTP.
fn documents(month: &Month, folder: &Path) -> usize {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut of_month = |kind: &str, more: &[(&'static str, &str)]| {
        let own = [("facility", FACILITY), ("month", MONTH)];
        let asked = own.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect();
        wanted.push(Wanted { name: kind.to_owned(), kind: kind.to_owned(), asked });
    };
    for kind in ["reconciliation", "rjtp", "ritp", "deadlines", "prolanis"] {
        of_month(kind, &[]);
    }
    of_month("claims", &[("claimed", "2024-11-01")]);
    let counts = [("registered", "400"), ("dm", "100"), ("dm-controlled", "6"), ("ht", "150"), ("ht-controlled", "9")];
    of_month("kbk", &[counts.as_slice(), &[("nonspecialist", "K29.7,J06.9,I10,J45.9")]].concat());
    for one in &month.outages {
        let id = one["id"].to_string();
        wanted.push(Wanted { name: format!("outage-{id}"), kind: "outage".to_owned(), asked: vec![("id", id)] });
    }
    for Wanted { name, kind, asked } in &wanted {
        for form in FORMS {
            let out = folder.join(format!("{name}.{form}"));
            if form == "json" {
                let asked = asked.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()]);
                let all: Vec<String> = ["report".to_owned(), kind.clone()].into_iter().chain(asked).collect();
                let mut all: Vec<&str> = all.iter().map(String::as_str).collect();
                all.extend(["--format", form, "--out", out.to_str().unwrap()]);
                month.bridge.cli(&all, "");
            } else {
                let asked: Vec<String> =
                    asked.iter().map(|(name, value)| format!("{}={value}", name.replace('-', "_"))).collect();
                let path = format!("/v1/reports/{kind}?format={form}&{}", asked.join("&"));
                fs::write(out, month.bridge.file(&path)).unwrap();
            }
        }
    }
    let calendar = folder.join("kewajiban.ics");
    month.bridge.cli(&["obligations", "export", "--format", "ics", "--out", calendar.to_str().unwrap()], "");
    wanted.len()
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// What independent programs read, against what they reckon from the ledger.
fn read_back(folder: &Path) -> Value {
    let venv = tempfile::tempdir().unwrap();
    run("python3", &["-m", "venv", venv.path().to_str().unwrap()]);
    let python = venv.path().join("bin/python").to_str().unwrap().to_owned();
    run(&python, &["-m", "pip", "install", "-q", "--disable-pip-version-check", "openpyxl", "icalendar"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/read_month.py");
    serde_json::from_str(&run(&python, &[script, folder.to_str().unwrap()])).unwrap()
}

/// The month's reconciliation by the command line; every difference but one is settled there.
fn reconcile(month: &Month) -> Value {
    let (code, out, err) =
        month.bridge.cli_says(&["reconcile", "--facility", FACILITY, "--month", MONTH, "--json"], "");
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
    assert_eq!(code, Some(4), "differences need a person: {err}");
    assert_eq!(
        (&report["complete"], &report["from"], &report["to"]),
        (&json!(true), &json!("2024-10-01"), &json!("2024-10-31"))
    );
    let strangers = report["items"].as_array().unwrap().iter().filter(|item| item["class"] == "only_bpjs");
    let id = report["id"].as_str().unwrap();
    for item in strangers {
        let how = ["--how", "accepted", "--reason", "pasien tamu, dientri di P-Care"];
        let n = item["n"].to_string();
        month.bridge.cli(&[&["reconcile", "settle", id, &n], how.as_slice()].concat(), "");
    }
    report
}

#[test]
fn a_month_with_outages_and_typed_in_visits_yields_documents_that_equal_bpjss_ledger() {
    let full = std::env::var("JEMBATAN_MONTH").is_ok_and(|how| how == "full");
    let began = Instant::now();
    let mut month = Month::begin(full);
    for (n, day) in working_days().into_iter().enumerate() {
        month.work(n, day);
        println!("{day}: {:.0?}", began.elapsed());
    }
    month.at(date(2024, 11, 1), time(9, 0, 0, 0));
    let entries: usize = month.handed.iter().filter_map(|one| one["entries"].as_array().map(Vec::len)).sum();
    let all = month.bridge.deliveries();
    assert_eq!((all.len(), all.iter().all(is_final)), (entries, true), "nothing is lost");
    let carried = began.elapsed();
    let report = reconcile(&month);
    let compared = began.elapsed() - carried;

    let ledger = month.bridge.simulator.ledger();
    let rows: usize = LISTS.iter().map(|(list, _)| ledger[*list].as_array().unwrap().len()).sum();
    let strangers = usize::try_from(month.typed).unwrap() * 2;
    let count = |class: &str| usize::try_from(report["counts"][class].as_i64().unwrap()).unwrap();
    assert_eq!((count("equal"), count("only_bpjs")), (rows - strangers, strangers), "{:#}", report["counts"]);
    assert_eq!((count("only_here"), count("differs"), count("unanswered")), (entries - (rows - strangers), 0, 0));

    let folder = Folder::new();
    let write = |name: &str, value: &Value| fs::write(folder.path().join(name), value.to_string()).unwrap();
    write("ledger.json", &ledger);
    write("handed.json", &json!(month.handed));
    write("outages.json", &json!(month.outages));
    let made = Instant::now();
    let count = documents(&month, folder.path());
    let printed = made.elapsed();
    let read = read_back(folder.path());
    println!("{read:#}");
    println!(
        "{entries} entries, {rows} rows at BPJS: carried in {carried:.1?}, month compared in {compared:.1?}, {count} documents in five forms in {printed:.1?}"
    );
    assert_eq!(read["differences"], json!([]), "{read:#}");
    assert!(read["figures"].as_object().unwrap().len() >= 30, "{read:#}");
}
