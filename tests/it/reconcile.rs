//! Three sides after an outage: what staff typed in, what the SIM believes, what the bridge has; and each difference
//! settled by name.

use std::time::Duration;

use jembatan::simulator::DownMode;
use serde_json::{Value, json};

use crate::bridge::{
    Bridge, FACILITY, PATIENCE, Setup, card, daftar, kunjungan, obat, submission, whole_visit, wire, yesterday,
};

fn items<'r>(report: &'r Value, class: &str) -> Vec<&'r Value> {
    report["items"].as_array().unwrap().iter().filter(|item| item["class"] == class).collect()
}

fn with_sim(bridge: &Bridge, sim: &Value) -> Value {
    let body = json!({ "facility": FACILITY, "date": yesterday().to_string(), "sim": sim });
    let answer = bridge.call("POST", "/v1/reconciliations", Some(&body));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[test]
fn after_an_outage_three_sides_are_brought_together_and_every_difference_is_settled_by_name() {
    let mut bridge = Bridge::stopped(&Setup::default());
    bridge.env.push(("JEMBATAN__RECONCILE__AFTER_OUTAGE".to_owned(), "true".to_owned()));
    bridge.start();
    let day = yesterday();
    let first = bridge.submit(&whole_visit("r1", &card(1), day));
    bridge.finished(&first);

    bridge.simulator.down(DownMode::Refuse, Some(Duration::from_secs(5)));
    bridge.until("the outage is seen", PATIENCE, || {
        let open = bridge.get("/v1/outages");
        open["items"].as_array()?.first().map(|_| ())
    });
    let second = bridge.submit(&whole_visit("r2", &card(2), day));
    let fourth = bridge.submit(&submission("r4", &[daftar(&card(4), day)]));
    // Staff types the second patient's registration in, and a stranger's.
    bridge.staff("pendaftaran", &daftar(&card(2), day)["payload"]);
    bridge.staff("pendaftaran", &daftar(&card(9), day)["payload"]);
    bridge.finished(&second);
    bridge.finished(&fourth);
    let by_itself = bridge.until("the outage is followed by a reconciliation", PATIENCE, || {
        let list = bridge.get("/v1/reconciliations");
        let id = list["items"].as_array()?.first()?["id"].as_str()?.to_owned();
        Some(bridge.get(&format!("/v1/reconciliations/{id}")))
    });
    assert_eq!((&by_itself["actor"], &by_itself["complete"]), (&json!("jembatan: outage"), &json!(true)));
    the_outage_is_evaluated(&bridge);

    let list = format!(
        "ref;entry;operation;noKartu;tglDaftar\nr1;;;;\nr2;daftar;;;\nlain-4;;;{};{}\nhilang-9;;;{};{}\n",
        card(4),
        wire(day),
        card(9),
        day
    );
    let report = with_sim(&bridge, &json!(list));
    assert_eq!((&report["counts"]["only_sim"], &report["counts"]["only_bpjs"]), (&json!(1), &json!(1)), "{report:#}");
    let by: Vec<&Value> = report["sim"]["matched"].as_array().unwrap().iter().map(|line| &line["by"]).collect();
    assert_eq!(by, ["ref", "ref", "key"]);
    assert_eq!(report["sim"]["not_in_sim"], 2, "the visit and the drug of r2");
    let (lost, stranger) = (items(&report, "only_sim")[0], items(&report, "only_bpjs")[0]);
    assert_eq!((&lost["ref"], &lost["id"]), (&json!("hilang-9"), &stranger["id"]), "BPJS has it all the same");

    settled_by_name(&bridge, &report, stranger);
    let bad = json!({ "facility": FACILITY, "date": day.to_string(), "sim": [{ "tglDaftar": "besok" }] });
    assert_eq!(bridge.call("POST", "/v1/reconciliations", Some(&bad)).status, 422);
}

fn the_outage_is_evaluated(bridge: &Bridge) {
    let id = bridge.get("/v1/outages")["items"][0]["id"].as_i64().unwrap();
    let shown = bridge.get(&format!("/v1/outages/{id}"));
    let evaluation = &shown["evaluation"];
    assert!(evaluation["entries"]["accepted"].as_i64().unwrap() >= 4, "{shown:#}");
    let failed = |layer: &Value| layer["failed"].as_i64() > Some(0);
    assert!(evaluation["layers"].as_array().unwrap().iter().any(failed), "{shown:#}");
    assert!(evaluation["contingency"].to_string().contains("tetap diterima"), "{shown:#}");
    let body = json!({ "class": "force_majeure", "reason": "banjir, surat camat 7" });
    let classed = bridge.call("POST", &format!("/v1/outages/{id}/classify"), Some(&body));
    assert_eq!((classed.status, &classed.body["class"]), (200, &json!("force_majeure")), "{classed:?}");
    let log = bridge.get("/v1/audit?limit=1000");
    assert!(log["items"].as_array().unwrap().iter().any(|line| line["action"] == "outage.classify"));
}

fn settled_by_name(bridge: &Bridge, report: &Value, item: &Value) {
    let (id, n) = (report["id"].as_str().unwrap(), item["n"].as_i64().unwrap());
    let path = format!("/v1/reconciliations/{id}/items/{n}/settle");
    let refused = bridge.call("POST", &path, Some(&json!({ "how": "begitu saja", "reason": "x" })));
    assert_eq!(refused.status, 422);
    let body = json!({ "how": "accepted", "reason": "pasien tamu, dientri di P-Care" });
    let settled = bridge.call("POST", &path, Some(&body));
    assert_eq!((settled.status, &settled.body["settlement"]["how"]), (200, &json!("accepted")), "{settled:?}");
    let out = bridge.cli(&["reconcile", "settle", id, &n.to_string(), "--how", "other", "--reason", "dua kali"], "");
    assert!(out.contains("dua kali"), "{out}");
    let shown = bridge.get(&format!("/v1/reconciliations/{id}"));
    let again = shown["items"].as_array().unwrap().iter().find(|own| own["n"] == n).unwrap();
    assert_eq!((&again["settlement"]["how"], &again["settlement"]["reason"]), (&json!("other"), &json!("dua kali")));
    assert_eq!(shown["open"], 1, "the SIM's line is still open: {shown:#}");
}

#[test]
fn what_is_not_certain_is_adopted_with_a_persons_consent() {
    let bridge = Bridge::up();
    let day = yesterday();
    let sent = bridge.submit(&submission("r1", &[daftar(&card(1), day), kunjungan(&card(1), day)]));
    let visit = bridge.finished(&sent)["kunjungan"]["remote"]["noKunjungan"].as_str().unwrap().to_owned();
    bridge.pause(FACILITY, true);
    let mut drug = obat("obat", "130103595", 10);
    drug["after"] = json!(["r1/kunjungan"]);
    let asked = bridge.submit(&submission("r2", &[drug.clone()]));
    // Staff types the drug in with another amount.
    let mut typed = drug["payload"].clone();
    typed["noKunjungan"] = json!(visit);
    typed["jmlObat"] = json!(12);
    bridge.staff("obat", &typed);
    let held = bridge.entries(&asked)["obat"].clone();
    assert_eq!(bridge.act(&held, "hold", &json!({})).status, 200);
    let report = bridge.reconcile(day);
    let item = items(&report, "only_here")[0];
    let near = item["near"][0]["id"].as_str().unwrap_or_else(|| panic!("{report:#}"));
    let path = format!("/v1/reconciliations/{}/items/{}/settle", report["id"].as_str().unwrap(), item["n"]);
    let body = json!({ "how": "adopted", "reason": "jumlahnya memang 12" });
    assert_eq!(bridge.call("POST", &path, Some(&body)).status, 422, "which id?");
    let body = json!({ "how": "adopted", "reason": "jumlahnya memang 12", "remote": { "kdObatSK": near } });
    let settled = bridge.call("POST", &path, Some(&body));
    assert_eq!(settled.status, 200, "{settled:?}");
    let drug = bridge.entries(&asked)["obat"].clone();
    assert_eq!((&drug["state"], &drug["how"]), (&json!("delivered"), &json!("adopted")));
    let again = bridge.reconcile(day);
    assert_eq!((&again["counts"]["differs"], &again["counts"]["only_bpjs"]), (&json!(1), &json!(0)), "{again:#}");
}

#[test]
fn a_period_is_the_sum_of_its_days_and_an_edit_of_a_later_day_is_no_difference() {
    let bridge = Bridge::up();
    let day = yesterday();
    let before = day.yesterday().unwrap();
    for (name, n, day) in [("a", 1, before), ("b", 2, day), ("c", 3, day)] {
        let sent = bridge.submit(&submission(name, &[daftar(&card(n), day)]));
        bridge.finished(&sent);
    }
    bridge.staff("pendaftaran", &daftar(&card(7), before)["payload"]);
    bridge.staff("pendaftaran", &daftar(&card(8), day)["payload"]);
    let body = json!({ "facility": FACILITY, "from": before.to_string(), "to": day.to_string() });
    let report = bridge.call("POST", "/v1/reconciliations", Some(&body)).body;
    assert_eq!((&report["counts"]["equal"], &report["counts"]["only_bpjs"]), (&json!(3), &json!(2)), "{report:#}");
    let days: Vec<&Value> = report["items"].as_array().unwrap().iter().map(|item| &item["day"]).collect();
    assert_eq!(days, [&json!(before.to_string()), &json!(day.to_string())]);
    let kept = bridge.get(&format!("/v1/reconciliations/{}", report["id"].as_str().unwrap()));
    assert_eq!((&kept["days"][1]["counts"]["equal"], &kept["complete"]), (&json!(2), &json!(true)));
    assert_eq!(bridge.get("/v1/reconciliations")["items"].as_array().unwrap().len(), 1, "one report, not one a day");
}

#[test]
fn telekonsultasi_is_marked_and_stands_in_its_log_book() {
    let bridge = Bridge::up();
    let day = yesterday();
    let mut entry = daftar(&card(1), day);
    entry["mark"] = json!("telekonsultasi");
    let sent = bridge.submit(&submission("tele-1", &[entry.clone()]));
    assert_eq!(bridge.finished(&sent)["daftar"]["mark"], "telekonsultasi");
    let month = day.to_string()[..7].to_owned();
    let book = bridge.get(&format!("/v1/telekonsultasi?facility={FACILITY}&month={month}"));
    assert_eq!((book["items"].as_array().unwrap().len(), &book["items"][0]["ref"]), (1, &json!("tele-1/daftar")));
    let csv = bridge.get(&format!("/v1/telekonsultasi?facility={FACILITY}&month={month}&format=csv"));
    assert!(csv.as_str().unwrap().contains(&card(1)), "{csv}");
    entry["mark"] = json!("broadcast");
    let refused = bridge.try_submit(&submission("tele-2", &[entry])).unwrap();
    assert_eq!((refused.status, &refused.body["errors"][0]["pointer"]), (422, &json!("/entries/0/mark")));
}
