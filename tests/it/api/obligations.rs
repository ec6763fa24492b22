//! The calendar of obligations over the API, and its iCalendar text read by a parser that nobody here wrote.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

const CLAIM: &str = "claim.submit~2026-10~0114A026";

fn duty<'a>(page: &'a Answer, id: &str) -> &'a Value {
    let items = page.body["items"].as_array().unwrap_or_else(|| panic!("{page:?}"));
    items.iter().find(|duty| duty["id"] == id).unwrap_or_else(|| panic!("{id}: {items:?}"))
}

#[tokio::test]
async fn a_duty_is_listed_with_its_clause_and_marked_done_once_with_who_and_why() {
    let bridge = Bridge::start().await;
    let page = bridge.get("/v1/obligations", &bridge.sim).await;
    assert_eq!(duty(&page, CLAIM)["state"], "overdue", "10 November 2026 has passed");
    assert_eq!(duty(&page, CLAIM)["due"], "2026-11-10T23:59:59.999+08:00");
    assert!(page.body["warnings"][0].as_str().unwrap().contains("bontang-2024"));
    let certificate = duty(&page, "tls.certificate~http.tls-1796904000");
    assert_eq!(
        (certificate["state"].clone(), certificate["due"].clone()),
        ("remind".into(), "2026-12-09T23:59:59.999+08:00".into())
    );
    let warnings = page.body["warnings"].to_string();
    assert!(warnings.contains("certs/rusak.pem"), "what cannot be read is said: {warnings}");
    assert!(!page.body.to_string().contains(OTHER), "another facility's duties are not shown");
    let path = format!("/v1/obligations/{CLAIM}/done");
    let done = bridge.post(&path, &bridge.operator, &reason()).await;
    assert_eq!((done.status, done.body["state"].clone()), (200, "done".into()));
    assert_eq!(done.body["done"]["reason"], "atas permintaan loket");
    let again = bridge.post(&path, &bridge.operator, &json!({ "reason": "lain" })).await;
    assert_eq!(again.body["done"], done.body["done"], "the first mark stays");
    let logged: Vec<String> = bridge.store.audit(0, 10).await.unwrap().into_iter().map(|line| line.action).collect();
    assert_eq!(logged, ["obligation.done"]);
}

#[tokio::test]
async fn marks_are_for_whom_the_duty_concerns() {
    let bridge = Bridge::start().await;
    let bound = bridge.client("petugas", Role::Operator, &[FACILITY]);
    let both = bridge.client("dinas", Role::Operator, &[FACILITY, OTHER]);
    let mark = async |token: &str, id: &str| bridge.post(&format!("/v1/obligations/{id}/done"), token, &reason()).await;
    assert_eq!(mark(&bound, "claim.submit~2026-10~0114A027").await.status, 403);
    assert_eq!(mark(&bound, "contract.term~2024-12-31").await.status, 403, "the agreement is everybody's");
    assert_eq!(mark(&both, "contract.term~2024-12-31").await.status, 200);
    assert_eq!(mark(&bound, CLAIM).await.status, 200);
    assert_eq!(mark(&both, "no.such~1").await.status, 404);
    assert_eq!(mark(&both, "fm.notice~peristiwa").await.status, 409, "nothing happened yet");
}

#[tokio::test]
async fn an_event_dates_its_duties_and_an_outage_can_be_declared_force_majeure() {
    let bridge = Bridge::start().await;
    let open = json!({ "facility": FACILITY, "service": "pcare", "reason": "banjir" });
    let outage = bridge.post("/v1/outages", &bridge.operator, &open).await.body["id"].clone();
    let declared = json!({ "kind": "force_majeure", "outage": outage, "reason": "banjir, surat 12/2026" });
    let event = bridge.post("/v1/obligations/events", &bridge.operator, &declared).await;
    assert_eq!((event.status, event.body["at"].clone()), (200, "2026-11-21T11:00:00+08:00".into()));
    let vendor = json!({ "kind": "vendor_change", "at": "2026-12-31", "reason": "vendor baru" });
    let vendor = bridge.post("/v1/obligations/events", &bridge.operator, &vendor).await.body["id"].clone();
    let page = bridge.get("/v1/obligations", &bridge.sim).await;
    let due = |id: &str| duty(&page, id)["due"].as_str().unwrap().get(..10).unwrap().to_owned();
    let id = &event.body["id"];
    assert_eq!(
        (due(&format!("fm.notice~{id}")), due(&format!("fm.review~{id}"))),
        ("2026-12-05".into(), "2026-12-21".into())
    );
    assert_eq!(due(&format!("vendor.notice.30~{vendor}")), "2026-12-01");
    assert_eq!(duty(&page, &format!("vendor.notice.7~{vendor}"))["stricter"], format!("vendor.notice.30~{vendor}"));
    let events = bridge.get("/v1/obligations/events", &bridge.sim).await;
    assert_eq!(events.body["items"].as_array().unwrap().len(), 2);
    for (wrong, at) in [
        (json!({ "kind": "contract_end", "at": "2026-12-31", "reason": "x" }), "/kind"),
        (json!({ "kind": "leaver", "reason": "x" }), "/at"),
        (json!({ "kind": "leaver", "at": "kemarin", "reason": "x" }), "/at"),
        (json!({ "kind": "maintenance", "at": "2026-12-02", "until": "2026-12-01", "reason": "x" }), "/until"),
    ] {
        let answer = bridge.post("/v1/obligations/events", &bridge.operator, &wrong).await;
        assert!(answer.status == 422 && answer.pointers().contains(&at), "{wrong}: {answer:?}");
    }
    let missing = json!({ "kind": "force_majeure", "outage": 99, "reason": "x" });
    assert_eq!(bridge.post("/v1/obligations/events", &bridge.operator, &missing).await.status, 404);
}

#[tokio::test]
async fn a_delivery_shows_every_date_with_its_clause() {
    let bridge = Bridge::start().await;
    let taken = bridge.submit(&day("reg-1")).await;
    let id = taken.body["deliveries"][0]["id"].as_str().unwrap();
    let dates = bridge.get(&format!("/v1/deliveries/{id}"), &bridge.sim).await.body["dates"].clone();
    assert_eq!(
        (dates["profile"].clone(), dates["late"].clone()),
        ("bontang-2024".into(), "2026-11-21T23:59:59.999+08:00".into())
    );
    assert_eq!(dates["month"]["due"], "2026-12-03");
    assert!(dates["clause"].as_str().unwrap().contains("Pasal 4 ayat 4 huruf n"));
}

/// An agreement in which a clause lets force majeure and announced maintenance move dates.
fn moving() -> Contracts {
    let folder = tempfile::tempdir().unwrap();
    let clauses = "moves = [{ by = \"force_majeure\", clause = \"Pasal uji 1\" }, \
                   { by = \"maintenance\", clause = \"Pasal uji 2\" }]\nmonth = \"kbk.month\"";
    let path = folder.path().join("uji.toml");
    std::fs::write(&path, jembatan::contract::BONTANG.replace("month = \"kbk.month\"", clauses)).unwrap();
    Contracts::load(&path, None).unwrap()
}

#[tokio::test]
async fn what_is_declared_moves_stored_dates_where_a_clause_says_so_and_the_clause_is_shown() {
    for (contracts, moves) in [(moving(), true), (Contracts::load("bontang-2024.toml".as_ref(), None).unwrap(), false)]
    {
        let bridge = Bridge::changed(HttpLimits::default(), None, |app| app.contracts = Arc::new(contracts)).await;
        let taken = bridge.submit(&day("reg-1")).await;
        let id = taken.body["deliveries"][0]["id"].as_str().unwrap().to_owned();
        let before = taken.body["deliveries"][0]["deadline"]["late"].clone();
        let flood = json!({ "kind": "force_majeure", "at": "2026-11-21T09:00:00+08:00",
                            "until": "2026-11-21T10:00:00+08:00", "reason": "banjir" });
        assert_eq!(bridge.post("/v1/obligations/events", &bridge.operator, &flood).await.status, 200);
        let shown = bridge.get(&format!("/v1/deliveries/{id}"), &bridge.sim).await.body;
        let plan = json!({ "facility": FACILITY, "from": "2026-11-21T20:00:00+08:00", "to": "2026-11-21T22:00:00+08:00",
                           "reason": "pemeliharaan yang diumumkan" });
        if !moves {
            assert_eq!((shown["deadline"]["late"].clone(), shown["dates"]["moved"].clone()), (before, json!([])));
            assert_eq!(bridge.post("/v1/outages/plans", &bridge.operator, &plan).await.status, 200);
            continue;
        }
        assert_eq!(shown["deadline"]["late"], "2026-11-22T00:59:59.999+08:00");
        assert_eq!(
            shown["dates"]["moved"],
            json!([{ "by": "force_majeure", "clause": "Pasal uji 1", "seconds": 3600 }])
        );
        assert_eq!(bridge.post("/v1/outages/plans", &bridge.operator, &plan).await.status, 200);
        let shown = bridge.get(&format!("/v1/deliveries/{id}"), &bridge.sim).await.body;
        assert_eq!(shown["deadline"]["late"], "2026-11-22T02:59:59.999+08:00");
        assert_eq!(
            shown["dates"]["moved"][1],
            json!({ "by": "maintenance", "clause": "Pasal uji 2", "seconds": 7200 })
        );
        assert_eq!(shown["dates"]["late"], shown["deadline"]["late"], "stored and explained agree");
    }
}

fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Reads a calendar and says as JSON what it understood.
const READER: &str = r#"
import json, sys
from icalendar import Calendar
calendar = Calendar.from_ical(sys.stdin.buffer.read())
events = []
for event in calendar.walk("VEVENT"):
    assert not event.errors, event.errors
    alarms = [str(alarm["ACTION"]) + " " + alarm.decoded("TRIGGER").isoformat() for alarm in event.walk("VALARM")]
    events.append({"uid": str(event["UID"]), "start": event.decoded("DTSTART").isoformat(),
                   "end": event.decoded("DTEND").isoformat(), "stamp": event.decoded("DTSTAMP").isoformat(),
                   "summary": str(event["SUMMARY"]), "description": str(event["DESCRIPTION"]), "alarms": alarms})
print(json.dumps({"version": str(calendar["VERSION"]), "product": str(calendar["PRODID"]), "events": events}))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_icalendar_is_understood_by_an_independent_parser() {
    let bridge = Bridge::start().await;
    let remark = "vendor baru; kota, desa \\ dan \"kutip\" é";
    let vendor = json!({ "kind": "vendor_change", "at": "2026-12-31", "reason": remark });
    let vendor = bridge.post("/v1/obligations/events", &bridge.operator, &vendor).await.body["id"].clone();
    let answer = bridge.get("/v1/obligations.ics", &bridge.operator).await;
    assert_eq!(answer.header("content-type"), Some("text/calendar; charset=utf-8"));
    let read = tokio::task::spawn_blocking(move || {
        let home = tempfile::tempdir().unwrap();
        let venv = home.path().join("venv");
        run("python3", &["-m", "venv", venv.to_str().unwrap()], "");
        let python = venv.join("bin/python");
        let python = python.to_str().unwrap();
        run(python, &["-m", "pip", "install", "-q", "--disable-pip-version-check", "icalendar"], "");
        run(python, &["-c", READER], &answer.text)
    });
    let read: Value = serde_json::from_str(&read.await.unwrap()).unwrap();
    let events = read["events"].as_array().unwrap();
    let page = bridge.get("/v1/obligations", &bridge.operator).await;
    let dated = page.body["items"].as_array().unwrap().iter().filter(|duty| !duty["due"].is_null());
    let wanted: Vec<String> = dated.clone().map(|duty| format!("{}@jembatan", duty["id"].as_str().unwrap())).collect();
    let found: Vec<&str> = events.iter().map(|event| event["uid"].as_str().unwrap()).collect();
    assert_eq!(found, wanted);
    for (event, duty) in events.iter().zip(dated) {
        assert_eq!(event["start"].as_str(), duty["due"].as_str().unwrap().get(..10), "{event}");
        assert!(event["summary"].as_str().unwrap().contains(duty["title"].as_str().unwrap()), "{event}");
        assert!(event["description"].as_str().unwrap().contains(duty["clause"].as_str().unwrap()), "{event}");
        assert_eq!(event["alarms"].as_array().unwrap().len(), 1, "{event}");
        assert_eq!(event["stamp"], "2026-11-21T03:00:00+00:00");
    }
    let change = events.iter().find(|event| event["uid"] == format!("vendor.notice.30~{vendor}@jembatan")).unwrap();
    assert!(change["description"].as_str().unwrap().contains(remark), "{change}");
    assert_eq!(change["alarms"][0], "DISPLAY 2026-11-16T16:00:00+00:00");
}
