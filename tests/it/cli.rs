//! The command line as a person uses it: the built binary, a daemon and a simulator beside it.
#![expect(clippy::unwrap_used, reason = "helpers of tests, outside a test function")]

use clap::CommandFactory as _;
use jembatan::cli::root::Cli;
use serde_json::{Value, json};

use crate::harness::{FACILITY, Home, bare, project, yesterday};

const CARD: &str = "0009900000000";
const OTHER_CARD: &str = "0009900000011";

/// Every command with its subcommands, as words.
fn commands(command: &clap::Command, before: &[String], all: &mut Vec<Vec<String>>) {
    all.push(before.to_vec());
    for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
        let mut words = before.to_vec();
        words.push(one.get_name().to_owned());
        commands(one, &words, all);
    }
}

#[test]
fn the_help_of_every_command_is_the_page_kept() {
    let mut all = Vec::new();
    commands(&Cli::command(), &[], &mut all);
    let mut page = String::new();
    for words in all {
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.push("--help");
        let said = bare(&arguments);
        assert_eq!(said.code, 0, "{arguments:?}");
        page.push_str(&format!("$ jembatan {}\n{}\n", arguments.join(" "), said.out));
    }
    let path = project("tests/golden/help.txt");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let line = page.lines().zip(kept.lines()).position(|(now, kept)| now != kept);
    assert!(page == kept, "differs at line {line:?}: UPDATE_DOCS=1 cargo test --test it cli::");
}

#[test]
fn every_command_stands_in_the_written_contract() {
    let mut all = Vec::new();
    commands(&Cli::command(), &[], &mut all);
    let contract = std::fs::read_to_string(project("docs/cli.md")).unwrap();
    for words in all.iter().filter(|words| !words.is_empty()) {
        let name = words.join(" ");
        assert!(contract.contains(&format!("`{name}")), "docs/cli.md does not know `{name}`");
    }
}

#[test]
fn a_day_at_the_counter_from_pause_to_berita_acara() {
    let (mut home, day) = (Home::new(), yesterday());
    home.serve();
    let status = home.run(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.out.contains("Keadaan") && status.out.contains("P-Care"), "{}", status.out);
    pauses(&home);
    let id = home.register("r1", CARD, &day);
    the_queue(&home, &id);
    assert_eq!(home.run(&["resume", "--reason", "uji selesai"]).code, 0);
    // Being held and let go again stands in the feed of final entries already: wait for the state itself.
    home.wait_state(&id, "delivered");
    let shown = home.run(&["queue", "show", &id]);
    assert!(shown.out.contains("diterima BPJS") && shown.out.contains("sampai"), "{}", shown.out);
    outages(&home);
    let number = reconciled(&home, &day);
    documents(&home, &number, &day);
    the_log(&home);
    let check = home.run(&["check", "--json"]);
    assert_eq!(check.code, 0, "{}", check.out);
    let findings = check.json();
    let names: Vec<&str> =
        findings["findings"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    for wanted in [
        "config",
        "vault",
        "credentials",
        "clients",
        "profile",
        "disk",
        "database",
        "daemon",
        "dns",
        "tcp",
        "http",
        "clock",
    ] {
        assert!(names.contains(&wanted), "{wanted}: {names:?}");
    }
    home.assert_no_secret();
    home.stop();
}

fn pauses(home: &Home) {
    let paused = home.run(&["pause", "--reason", "uji", "--json"]);
    assert_eq!((paused.code, paused.json()["items"][0]["facility"].clone()), (0, "*".into()));
    let status = home.run(&["status", "--json"]).json();
    assert_eq!(status["pauses"][0]["reason"], "uji");
    assert!(home.run(&["status"]).out.contains("Dijeda"));
    let english = home.run(&["status", "--lang", "en"]);
    assert!(english.out.contains("Paused"), "{}", english.out);
}

#[test]
fn duties_are_listed_marked_and_exported() {
    let mut home = Home::new();
    home.serve();
    let list = home.run(&["obligations", "list"]);
    assert!(list.code == 0 && list.out.contains("TENGGAT") && list.out.contains("hfis.change~"), "{list:?}");
    let event = ["obligations", "event", "vendor_change", "--at", &yesterday_iso(), "--reason", "uji", "--json"];
    let event = home.run(&event);
    assert_eq!(event.code, 0, "{event:?}");
    let id = format!("vendor.notice.7~{}", event.json()["id"]);
    let done = home.run(&["obligations", "done", &id, "--reason", "surat 1"]);
    assert!(done.code == 0 && done.out.contains("selesai"), "{done:?}");
    assert_eq!(home.run(&["obligations", "done", "tidak.ada", "--reason", "x"]).code, 1);
    let ics = home.run(&["obligations", "export"]);
    assert!(ics.out.starts_with("BEGIN:VCALENDAR\r\n") && ics.out.contains("SUMMARY:Selesai: "), "{ics:?}");
    let csv = home.run(&["obligations", "export", "--format", "csv"]);
    assert!(csv.out.lines().any(|line| line.starts_with(&id) && line.contains(";done;")), "{csv:?}");
    let list = home.run(&["obligations", "export", "--format", "json"]).json();
    assert!(list.as_array().unwrap().iter().any(|duty| duty["id"] == id.as_str() && duty["state"] == "done"));
    home.assert_no_secret();
    home.stop();
}

/// Yesterday as the API wants it.
fn yesterday_iso() -> String {
    let day = jiff::Zoned::now().date().yesterday().unwrap();
    day.to_string()
}

#[test]
fn resume_without_a_facility_lets_everything_go_on() {
    let mut home = Home::new();
    home.serve();
    for arguments in [&["pause", "--reason", "a"][..], &["pause", "--facility", FACILITY, "--reason", "b"]] {
        assert_eq!(home.run(arguments).code, 0);
    }
    let one = home.run(&["resume", "--facility", FACILITY, "--reason", "c", "--json"]).json();
    assert_eq!((one["items"].as_array().unwrap().len(), one["items"][0]["facility"].clone()), (1, "*".into()));
    assert_eq!(home.run(&["pause", "--facility", FACILITY, "--reason", "b"]).code, 0);
    assert_eq!(home.run(&["resume", "--reason", "d", "--json"]).json()["items"], json!([]));
}

#[test]
fn over_tls_only_the_configured_certificate_is_trusted() {
    let mut home = Home::new();
    let certificate = || rcgen::generate_simple_self_signed(["jembatan.puskesmas.example".to_owned()]).unwrap();
    let own = certificate();
    std::fs::write(home.path("local.pem"), own.cert.pem()).unwrap();
    std::fs::write(home.path("local.key"), own.signing_key.serialize_pem()).unwrap();
    let text = std::fs::read_to_string(home.config()).unwrap();
    let tls = "[http.tls]\ncertificate = \"local.pem\"\nkey = \"local.key\"\n[store]";
    std::fs::write(home.config(), text.replace("[store]", tls)).unwrap();
    home.serve();
    assert_eq!(home.run(&["status"]).code, 0);
    std::fs::write(home.path("local.pem"), certificate().cert.pem()).unwrap();
    assert_eq!(home.run(&["status"]).code, 3, "another certificate");
}

#[test]
fn a_token_file_stands_in_for_the_vault_within_its_role() {
    let mut home = Home::new();
    home.serve();
    let added = home.run(&["client", "add", "kepala", "--facility", FACILITY, "--role", "viewer", "--json"]).json();
    let file = home.path("token");
    std::fs::write(&file, format!("{}\n", added["token"].as_str().unwrap())).unwrap();
    let run = |arguments: &[&str]| home.run_as(&file, arguments);
    assert_eq!(run(&["status"]).code, 0);
    let paused = run(&["pause", "--reason", "x"]);
    assert!(paused.code == 1 && paused.err.contains("viewer"), "{paused:?}");
    assert_eq!(run(&["audit", "verify"]).code, 1);
}

fn the_queue(home: &Home, id: &str) {
    let list = home.run(&["queue", "list", "--state", "waiting", "--json"]).json();
    assert_eq!((list["items"][0]["id"].clone(), list["next"].clone()), (id.into(), Value::Null));
    let list = home.run(&["queue", "list"]);
    assert!(list.out.starts_with("ID") && list.out.contains("menunggu") && list.out.contains("uji"), "{}", list.out);
    assert!(home.run(&["queue", "show", id]).out.contains("Belum pernah dicoba"));
    let payload = home.run(&["queue", "show", id, "--payload"]).json();
    assert_eq!(payload["noKartu"], CARD);
    let dry = home.run(&["queue", "hold", "--state", "waiting", "--reason", "uji", "--dry-run", "--json"]);
    assert_eq!((dry.code, dry.json()["matched"].clone(), dry.json()["dry_run"].clone()), (0, 1.into(), true.into()));
    let held = home.run(&["queue", "hold", id, "--reason", "uji"]);
    assert!(held.code == 0 && held.out.contains("ditahan"), "{held:?}");
    assert_eq!(home.run(&["queue", "release", id, "--reason", "uji"]).code, 0);
    let refused = home.run(&["queue", "release", id, "--reason", "uji"]);
    assert!(refused.code == 4 && refused.err.contains("hold"), "{refused:?}");
    let mended = json!({ "noKartu": "bukan" }).to_string();
    let amended = home.run_with(&["queue", "amend", id, "--payload", "-", "--reason", "uji"], &mended);
    assert!(amended.code == 1 && amended.err.contains("/payload/noKartu"), "{amended:?}");
    let resolved = home.run(&["queue", "resolve", id, "--verdict", "adopt", "--reason", "uji"]);
    assert!(resolved.code == 1 && resolved.err.contains("/remote/noUrut"), "{resolved:?}");
    assert_eq!(home.run(&["queue", "cancel", "--reason", "uji"]).code, 2, "a bulk act without a filter");
    assert_eq!(home.run(&["queue", "show", "../../x"]).code, 1);
}

fn outages(home: &Home) {
    let opened =
        home.run(&["outage", "open", "--facility", FACILITY, "--verdict", "us", "--reason", "listrik padam", "--json"]);
    let number = opened.json()["id"].to_string();
    assert!(home.run(&["outage", "list"]).out.contains("dicatat petugas"));
    assert!(home.run(&["outage", "show", &number]).out.contains("listrik padam"));
    assert!(home.run(&["status"]).out.contains("Gangguan terbuka"));
    let closed = home.run(&["outage", "close", &number, "--reason", "listrik menyala", "--json"]).json();
    assert!(closed["closed_at"].is_string());
    let csv = home.run(&["outage", "export"]).out;
    assert!(csv.starts_with("\u{feff}id;facility;service;") && csv.contains(";manual;"), "{csv}");
    assert_eq!(home.run(&["outage", "export", "--format", "json"]).json()["items"][0]["verdict"], "us");
}

fn reconciled(home: &Home, day: &str) -> String {
    let said = home.run(&["reconcile", "--facility", FACILITY, "--date", day, "--json"]);
    let report = said.json();
    assert_eq!((said.code, report["counts"]["equal"].clone()), (0, 1.into()), "{said:?}");
    for name in ["equal", "differs", "only_sim", "only_here", "only_bpjs", "unanswered", "late"] {
        assert!(report["counts"][name].is_i64(), "{name}");
    }
    assert!(report["items"].is_array());
    report["id"].as_str().unwrap().to_owned()
}

fn documents(home: &Home, number: &str, day: &str) {
    let html = home.run(&["report", "reconciliation", "--id", number]);
    assert!(html.code == 0 && html.out.contains("PIHAK KESATU") && html.out.contains("PKM Contoh"), "{html:?}");
    assert!(html.out.contains("dicatat petugas") || html.out.contains("Tidak ada gangguan"));
    let file = home.path("ba.csv");
    let days = ["--facility", FACILITY, "--from", day, "--to", day];
    let mut arguments = vec!["report", "reconciliation", "--format", "csv", "--out", file.to_str().unwrap()];
    arguments.extend(days);
    assert_eq!(home.run(&arguments).code, 0);
    assert!(std::fs::read(&file).unwrap().starts_with("\u{feff}Berita Acara Rekonsiliasi".as_bytes()));
    let json = home.run(&["report", "reconciliation", "--id", number, "--format", "json"]).json();
    assert_eq!(json["kind"], "reconciliation");
    assert!(json["footer"][0].as_str().unwrap().contains(number), "{json}");
    let month = &day[..7];
    for kind in ["rjtp", "ritp", "deadlines", "claims", "kbk", "prolanis"] {
        for format in ["pdf", "xlsx", "csv", "html", "json"] {
            let out = home.path("dokumen");
            let arguments = ["report", kind, "--facility", FACILITY, "--month", month, "--format", format, "--out"];
            let said = home.run(&[&arguments[..], &[out.to_str().unwrap()]].concat());
            assert_eq!(said.code, 0, "{kind} {format} {said:?}");
            assert!(std::fs::read(&out).unwrap().len() > 300, "{kind} {format}");
        }
    }
    let kbk = home.run(&["report", "kbk", "--facility", FACILITY, "--month", month, "--registered", "8"]);
    assert!(kbk.out.contains("1 peserta terdaftar yang kontak ÷ 8"), "{kbk:?}");
    let outage = home.run(&["report", "outage", "--id", "1"]);
    assert!(outage.out.contains("listrik padam") && outage.out.contains("Lampiran X"), "{outage:?}");
    let wrong = home.run(&["report", "rjtp", "--facility", FACILITY, "--month", "2026-13"]);
    assert!(wrong.code == 1 && wrong.err.contains("month"), "{wrong:?}");
    let absent =
        home.run(&["report", "reconciliation", "--facility", FACILITY, "--from", "2026-01-01", "--to", "2026-01-01"]);
    assert!(absent.code == 1 && absent.err.contains("jembatan reconcile"), "{absent:?}");
}

fn the_log(home: &Home) {
    let verified = home.run(&["audit", "verify", "--json"]);
    let shown = verified.json();
    assert_eq!((verified.code, shown["ok"].clone(), shown["first_broken"].clone()), (0, true.into(), Value::Null));
    let entries = home.run(&["audit", "export"]).json();
    let actions: Vec<&str> =
        entries["items"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert!(
        ["pause", "resume", "delivery.hold", "outage.open"].iter().all(|action| actions.contains(action)),
        "{actions:?}"
    );
    let hash = shown["checkpoint"]["hash"].as_str().unwrap();
    let printed = format!("{}:{}", shown["checkpoint"]["seq"], &hash[..16]);
    assert_eq!(home.run(&["audit", "verify", "--checkpoint", &printed]).code, 0);
    assert_eq!(home.run(&["audit", "verify", "--checkpoint", "1:00000000"]).code, 4);
}

#[test]
fn differences_need_a_person_and_say_where_they_are() {
    let (mut home, day) = (Home::new(), yesterday());
    home.serve();
    home.register("r1", CARD, &day);
    home.wait_final(1);
    let wire: Vec<&str> = day.split('-').rev().collect();
    home.simulator(
        "POST",
        "/_sim/staff",
        &json!({ "method": "POST", "path": "pendaftaran", "body": {
            "kdProviderPeserta": FACILITY, "tglDaftar": wire.join("-"), "noKartu": OTHER_CARD, "kdPoli": "001",
            "keluhan": "pusing", "kunjSakit": true, "kdTkp": "10"
        } }),
    );
    let list = home.path("sim.txt");
    std::fs::write(&list, "r1\nhilang-7\n").unwrap();
    let arguments = ["reconcile", "--facility", FACILITY, "--date", &day, "--sim", list.to_str().unwrap()];
    let said = home.run(&arguments);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.out.contains("hilang-7") && said.out.contains("hanya di BPJS"), "{}", said.out);
    assert!(said.err.contains("2 perbedaan"), "{}", said.err);
    let mut csv = vec!["report", "reconciliation", "--format", "csv"];
    csv.extend(["--facility", FACILITY, "--from", &day, "--to", &day]);
    let csv = home.run(&csv).out;
    assert!(csv.contains("Hanya pada SIM") && csv.contains("Hanya pada BPJS Kesehatan"), "{csv}");
    home.assert_no_secret();
}

#[test]
fn without_the_daemon_commands_say_how_to_start_it_and_check_still_works() {
    let home = Home::new();
    for arguments in [
        &["status"][..],
        &["queue", "list"],
        &["pause", "--reason", "x"],
        &["outage", "list"],
        &["reconcile", "--facility", FACILITY, "--date", "2026-11-20"],
        &["report", "reconciliation", "--id", "x"],
        &["audit", "verify"],
    ] {
        let said = home.run(arguments);
        assert_eq!(said.code, 3, "{arguments:?} {said:?}");
        assert!(said.err.contains("systemctl start jembatan"), "{}", said.err);
    }
    let check = home.run(&["check"]);
    assert_eq!(check.code, 0, "{check:?}");
    assert!(check.out.contains("tidak menyala") && check.out.contains("diterima BPJS"), "{}", check.out);
    let offline = home.run(&["check", "--offline", "--lang", "en"]);
    assert!(
        offline.code == 0 && offline.out.contains("not running") && !offline.out.contains("TCP"),
        "{}",
        offline.out
    );
    home.assert_no_secret();
}

#[test]
fn check_names_what_is_wrong_whose_it_is_and_the_next_step() {
    let home = Home::new();
    let text = std::fs::read_to_string(home.config()).unwrap();
    let of = |said: &Value, name: &str| -> Value {
        let all = said["findings"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["name"] == name && one["status"] == "fail").unwrap_or_default()
    };
    std::fs::write(home.config(), text.replace("settle = \"1s\"", "setle = \"1s\"\nconcurrency = 0")).unwrap();
    let broken = home.run(&["check", "--json"]);
    assert_eq!((broken.code, broken.json()["findings"].as_array().unwrap().len()), (4, 2), "{broken:?}");
    assert_eq!(of(&broken.json(), "config")["whose"], "us");
    assert_eq!(home.run(&["status"]).code, 1);
    // Nobody listens there: the machine that refuses is BPJS's.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = text.lines().map(|line| {
        if line.starts_with("base_url") {
            format!("base_url = \"http://127.0.0.1:{port}/pcare-rest\"")
        } else {
            line.to_owned()
        }
    });
    std::fs::write(home.config(), away.collect::<Vec<_>>().join("\n")).unwrap();
    let refused = home.run(&["check", "--json"]);
    assert_eq!((refused.code, of(&refused.json(), "tcp")["whose"].clone()), (4, "bpjs".into()), "{refused:?}");
    // A secret that is missing, by its name.
    std::fs::write(home.config(), text.replace(FACILITY, "0114A027")).unwrap();
    let missing = home.run(&["check", "--json"]).json();
    let next = of(&missing, "credentials")["next"].as_str().unwrap().to_owned();
    assert!(next.contains("jembatan vault put --facility 0114A027 pcare.password"), "{next}");
    home.assert_no_secret();
}

#[test]
fn refused_credentials_are_not_tried_again_by_check() {
    let (mut home, day) = (Home::new(), yesterday());
    assert_eq!(home.put("pcare.password", "sandi-yang-lama").code, 0);
    home.serve();
    home.register("r1", CARD, &day);
    let stopped = || {
        let lanes = home.run(&["status", "--json"]).json()["lanes"].clone();
        lanes.as_array().unwrap().iter().any(|lane| lane["credentials_refused_since"].is_string())
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !stopped() {
        assert!(std::time::Instant::now() < deadline, "the lane goes on");
    }
    let asked = || home.simulator("GET", "/_sim/requests", &json!({})).to_string();
    let before = asked();
    let check = home.run(&["check"]);
    assert_eq!(check.code, 4, "{check:?}");
    assert!(check.out.contains("[kita]") && check.out.contains("tidak dicoba lagi"), "{}", check.out);
    assert_eq!(asked(), before, "check asked BPJS although the credentials are known to be refused");
    assert!(home.run(&["status"]).out.contains("ditolak BPJS sejak"));
    home.assert_no_secret();
}

#[test]
fn an_altered_log_is_named_by_its_first_broken_entry() {
    let mut home = Home::new();
    home.serve();
    for reason in ["satu", "dua", "tiga"] {
        assert_eq!(home.run(&["pause", "--reason", reason]).code, 0);
    }
    home.stop();
    let database = rusqlite::Connection::open(home.path("jembatan.db")).unwrap();
    assert_eq!(database.execute("UPDATE audit SET detail = 'lain' WHERE seq = 2", []).unwrap(), 1);
    drop(database);
    home.serve();
    let verified = home.run(&["audit", "verify", "--json"]);
    assert_eq!((verified.code, verified.json()["first_broken"].clone()), (4, 2.into()), "{verified:?}");
    assert!(verified.err.contains("catatan 2"), "{}", verified.err);
}
