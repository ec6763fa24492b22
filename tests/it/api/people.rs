//! Roles, and what people do to deliveries.

use jembatan::http::{Access, RULES};

use super::*;

/// Nothing has this id.
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

#[tokio::test]
async fn every_route_is_open_to_exactly_the_roles_in_the_table() {
    let bridge = Bridge::start().await;
    for role in [Role::Sim, Role::Network, Role::Operator, Role::Viewer] {
        // The security log is about the whole bridge, so the role is tried with every facility.
        let token = bridge.client(&format!("uji-{role}"), role, &[FACILITY, OTHER]);
        for rule in RULES {
            let path = rule.path.replace("{id}", NOBODY);
            let body = if rule.method == "GET" { None } else { Some("{}") };
            let answer = bridge.ask(rule.method, &path, &token, "", body).await;
            let may = match rule.access {
                Access::Anybody => true,
                Access::Roles(roles) => roles.contains(&role),
            };
            let what = format!("{role} {} {path}: {}", rule.method, answer.status);
            assert_eq!(answer.status == 403, !may, "{what}");
            assert!(matches!(answer.status, 200 | 400 | 403 | 404 | 422), "{what}");
        }
    }
}

#[tokio::test]
async fn without_a_token_only_the_document_is_open() {
    let bridge = Bridge::start().await;
    for rule in RULES {
        let path = rule.path.replace("{id}", NOBODY);
        let request = format!("{} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", rule.method);
        let answer = bridge.raw(request.as_bytes()).await;
        let expected = if rule.access == Access::Anybody { 200 } else { 401 };
        assert_eq!(answer.status, expected, "{} {path}", rule.method);
    }
    let document = bridge.get("/openapi.json", "").await;
    assert_eq!(document.body["openapi"], "3.1.0");
    assert!(document.body["paths"]["/v1/submissions"]["post"].is_object());
}

#[tokio::test]
async fn a_client_sees_only_what_it_handed_in() {
    let bridge = Bridge::start().await;
    let taken = bridge.submit(&day("reg-1")).await;
    let (submission, delivery) =
        (taken.body["id"].as_str().unwrap(), taken.body["deliveries"][0]["id"].as_str().unwrap());
    let stranger = bridge.client("sim-2", Role::Sim, &[FACILITY]);
    let elsewhere = bridge.client("petugas-2", Role::Operator, &[OTHER]);
    let viewer = bridge.client("dinas", Role::Viewer, &[FACILITY]);
    for (token, sees) in
        [(&stranger, false), (&elsewhere, false), (&viewer, true), (&bridge.sim, true), (&bridge.operator, true)]
    {
        let status = if sees { 200 } else { 404 };
        assert_eq!(bridge.get(&format!("/v1/submissions/{submission}"), token).await.status, status);
        assert_eq!(bridge.get(&format!("/v1/deliveries/{delivery}"), token).await.status, status);
        for (path, count) in [("/v1/submissions", 1), ("/v1/deliveries", 3)] {
            let items = bridge.get(path, token).await.body["items"].as_array().unwrap().len();
            assert_eq!(items, if sees { count } else { 0 }, "{path}");
        }
    }
    let act = bridge.post(&format!("/v1/deliveries/{delivery}/hold"), &elsewhere, &reason()).await;
    assert_eq!(act.status, 404);
}

async fn one_delivery(bridge: &Bridge) -> String {
    let taken = bridge.submit(&single("reg-1", CARD)).await;
    taken.body["deliveries"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_operator_holds_releases_and_cancels_with_a_reason_in_the_log() {
    let bridge = Bridge::start().await;
    let id = one_delivery(&bridge).await;
    let act = async |word: &str| bridge.post(&format!("/v1/deliveries/{id}/{word}"), &bridge.operator, &reason()).await;
    let silent = bridge.post(&format!("/v1/deliveries/{id}/hold"), &bridge.operator, &json!({})).await;
    assert_eq!((silent.status, silent.pointers()), (422, vec!["/reason"]));
    let held = act("hold").await;
    assert_eq!((&held.body["state"], &held.body["why"]["code"]), (&json!("held"), &json!("operator")));
    assert_eq!(held.body["why"]["message"], "atas permintaan loket");
    assert_eq!(act("release").await.body["state"], "waiting");
    let twice = act("release").await;
    assert_eq!((twice.status, &twice.body["state"]), (409, &json!("waiting")));
    assert!(twice.body["detail"].as_str().unwrap().contains("hold"), "the remedy: {twice:?}");
    assert_eq!(act("cancel").await.body["state"], "cancelled");
    assert_eq!(act("retry").await.status, 409);
    let log = bridge.store.audit(0, 100).await.unwrap();
    let lines: Vec<(&str, &str)> =
        log.iter().filter(|line| line.object == id).map(|line| (line.actor.as_str(), line.action.as_str())).collect();
    assert_eq!(
        lines,
        [("operator", "delivery.hold"), ("operator", "delivery.release"), ("operator", "delivery.cancel")]
    );
}

#[tokio::test]
async fn the_sim_mends_what_bpjs_refused_and_nothing_else() {
    let bridge = Bridge::start().await;
    let id = one_delivery(&bridge).await;
    let path = |word: &str| format!("/v1/deliveries/{id}/{word}");
    let mut payload = registration(CARD);
    payload["keluhan"] = json!("demam");
    let amend = json!({ "payload": payload, "reason": "salah ketik" });
    let early = bridge.post(&path("amend"), &bridge.sim, &amend).await;
    assert_eq!((early.status, &early.body["state"]), (403, &json!("waiting")));
    bridge.refuse_all().await;
    let mut bad = amend.clone();
    bad["payload"]["kdTkp"] = json!("99");
    let bad = bridge.post(&path("amend"), &bridge.sim, &bad).await;
    assert_eq!((bad.status, bad.pointers()), (422, vec!["/payload/kdTkp"]));
    let mut other = amend.clone();
    other["payload"]["noKartu"] = json!("0009900000001");
    let other = bridge.post(&path("amend"), &bridge.sim, &other).await;
    assert_eq!((other.status, other.pointers()), (422, vec!["/payload/noKartu"]));
    let mut later = amend.clone();
    later["payload"]["tglDaftar"] = json!("01-01-2027");
    let later = bridge.post(&path("amend"), &bridge.sim, &later).await;
    assert_eq!((later.status, &later.body["errors"][0]["pointer"]), (422, &json!("/payload/tglDaftar")), "{later:?}");
    let amended = bridge.post(&path("amend"), &bridge.sim, &amend).await;
    assert_eq!((amended.status, &amended.body["state"]), (200, &json!("waiting")), "{amended:?}");
    let shown = bridge.get(&format!("/v1/deliveries/{id}"), &bridge.sim).await.body;
    assert_eq!((&shown["payload"]["keluhan"], &shown["original"]["keluhan"]), (&json!("demam"), &json!("batuk")));
    let again = bridge.submit(&single("reg-1", CARD)).await;
    assert_eq!(again.status, 202, "the key remembers the original body");
    bridge.refuse_all().await;
    assert_eq!(bridge.post(&path("cancel"), &bridge.sim, &reason()).await.body["state"], "cancelled");
}

#[tokio::test]
async fn what_may_be_at_bpjs_is_resolved_not_cancelled() {
    let bridge = Bridge::start().await;
    let id = one_delivery(&bridge).await;
    let claimed = bridge.claim().await;
    bridge.end(&claimed[0], Outcome::NoAnswer { after: Duration::from_secs(30) }).await;
    let path = |word: &str| format!("/v1/deliveries/{id}/{word}");
    let cancel = bridge.post(&path("cancel"), &bridge.operator, &reason()).await;
    assert_eq!((cancel.status, &cancel.body["state"]), (409, &json!("unanswered")));
    assert!(cancel.body["detail"].as_str().unwrap().contains("resolve"), "{cancel:?}");
    let resolve = async |body: Value| bridge.post(&path("resolve"), &bridge.operator, &body).await;
    let empty = resolve(json!({ "verdict": "adopt", "reason": "ada" })).await;
    assert_eq!((empty.status, empty.pointers()), (422, vec!["/remote/noUrut"]));
    let strange = resolve(json!({ "verdict": "adopt", "remote": { "noUrut": "A1", "x": 1 }, "reason": "ada" })).await;
    assert_eq!((strange.status, strange.pointers()), (422, vec!["/remote/x"]));
    let unsure = resolve(json!({ "verdict": "mungkin", "reason": "ada" })).await;
    assert_eq!((unsure.status, unsure.pointers()), (422, vec!["/verdict"]));
    let adopted = resolve(json!({ "verdict": "adopt", "remote": { "noUrut": "A1" }, "reason": "ada di P-Care" })).await;
    assert_eq!((&adopted.body["state"], &adopted.body["how"]), (&json!("delivered"), &json!("adopted")), "{adopted:?}");
    assert_eq!(adopted.body["remote"]["noUrut"], "A1");
    let taken = bridge.submit(&single("reg-2", CARD)).await;
    let second = taken.body["deliveries"][0]["id"].as_str().unwrap();
    let body = json!({ "verdict": "adopt", "remote": { "noUrut": "A1" }, "reason": "ada" });
    let owned = bridge.post(&format!("/v1/deliveries/{second}/resolve"), &bridge.operator, &body).await;
    assert_eq!((owned.status, owned.body["owner"].as_str()), (409, Some(id.as_str())), "one id, one owner");
}

#[tokio::test]
async fn many_are_moved_by_a_filter_after_a_rehearsal() {
    let bridge = Bridge::start().await;
    for i in 0..3 {
        bridge.submit(&single(&format!("reg-{i}"), &format!("000990000000{i}"))).await;
    }
    let bulk = async |body: Value| bridge.post("/v1/deliveries/actions", &bridge.operator, &body).await;
    let everything = bulk(json!({ "action": "hold", "filter": {}, "reason": "uji" })).await;
    assert_eq!((everything.status, everything.pointers()), (422, vec!["/filter"]));
    let wrong = bulk(json!({ "action": "resolve", "filter": { "state": "waiting" }, "reason": "uji" })).await;
    assert_eq!(wrong.status, 422);
    let filter = json!({ "state": "waiting", "facility": FACILITY });
    let rehearsal = bulk(json!({ "action": "hold", "filter": filter, "reason": "uji", "dry_run": true })).await;
    assert_eq!((&rehearsal.body["matched"], &rehearsal.body["items"][0]["state"]), (&json!(3), &json!("waiting")));
    let done = bulk(json!({ "action": "hold", "filter": filter, "reason": "uji" })).await;
    assert_eq!((&done.body["matched"], &done.body["items"][2]["state"]), (&json!(3), &json!("held")), "{done:?}");
    let id = done.body["items"][0]["id"].clone();
    let one = bulk(json!({ "action": "cancel", "filter": { "ids": [id] }, "reason": "uji" })).await;
    assert_eq!((&one.body["matched"], &one.body["refused"]), (&json!(1), &json!([])));
    let again = bulk(json!({ "action": "cancel", "filter": { "ids": [id] }, "reason": "uji" })).await;
    assert_eq!((&again.body["items"], &again.body["refused"][0]["id"]), (&json!([]), &id));
}

#[tokio::test]
async fn a_pause_stops_sending_while_accepting_goes_on() {
    let bridge = Bridge::start().await;
    let local = bridge.client("petugas", Role::Operator, &[FACILITY]);
    let all = bridge.post("/v1/pauses", &local, &json!({ "facility": "*", "reason": "uji" })).await;
    assert_eq!(all.status, 403, "only who speaks for all facilities stops all");
    let pause = json!({ "facility": FACILITY, "reason": "pemeliharaan" });
    let paused = bridge.post("/v1/pauses", &local, &pause).await;
    assert_eq!((paused.status, &paused.body["items"][0]["reason"]), (200, &json!("pemeliharaan")), "{paused:?}");
    let taken = bridge.submit(&single("reg-1", CARD)).await;
    let blocked = json!({ "kind": "lane", "id": null, "detail": "pemeliharaan" });
    assert_eq!((taken.status, &taken.body["deliveries"][0]["blocked_by"]), (202, &blocked));
    assert_eq!(bridge.deliver_all().await, 0);
    let resumed = bridge.ask("DELETE", "/v1/pauses", &local, "", Some(&pause.to_string())).await;
    assert_eq!((resumed.status, &resumed.body["items"]), (200, &json!([])));
    assert_eq!(bridge.deliver_all().await, 1);
}

#[tokio::test]
async fn an_outage_is_opened_and_closed_by_hand() {
    let bridge = Bridge::start().await;
    let body = json!({ "facility": FACILITY, "service": "pcare", "verdict": "network", "reason": "kabel putus" });
    let opened = bridge.post("/v1/outages", &bridge.operator, &body).await;
    assert_eq!(
        (opened.status, &opened.body["cause"], &opened.body["closed_at"]),
        (200, &json!("manual"), &Value::Null)
    );
    let id = opened.body["id"].as_i64().unwrap();
    let closed = bridge.post(&format!("/v1/outages/{id}/close"), &bridge.operator, &reason()).await;
    assert_eq!(closed.body["closed_at"], "2026-11-21T11:00:00+08:00", "{closed:?}");
    let listed = bridge.get("/v1/outages", &bridge.sim).await;
    assert_eq!(listed.body["items"][0]["id"], id);
    let elsewhere = bridge.client("sim-2", Role::Sim, &[OTHER]);
    assert_eq!(bridge.get("/v1/outages", &elsewhere).await.body["items"], json!([]));
    assert_eq!(bridge.get(&format!("/v1/outages/{id}"), &elsewhere).await.status, 404);
}

#[tokio::test]
async fn a_reconciliation_is_handed_on_with_its_days() {
    let bridge = Bridge::start().await;
    let ask = async |body: Value| bridge.post("/v1/reconciliations", &bridge.operator, &body).await;
    let done = ask(json!({ "facility": FACILITY, "date": "2026-11-20" })).await;
    assert_eq!((done.status, &done.body["counts"]["equal"]), (200, &json!(3)));
    assert_eq!(ask(json!({ "facility": FACILITY, "from": "2026-11-01", "to": "2026-11-20" })).await.status, 200);
    for bad in [
        json!({ "facility": FACILITY }),
        json!({ "facility": FACILITY, "from": "2026-11-20", "to": "2026-11-01" }),
        json!({ "facility": FACILITY, "from": "2026-01-01", "to": "2026-11-01" }),
        json!({ "facility": FACILITY, "date": "20-11-2026" }),
        json!({ "facility": "0114A099", "date": "2026-11-20" }),
    ] {
        assert_eq!(ask(bad.clone()).await.status, 422, "{bad}");
    }
    let asked = bridge.asked.lock().unwrap().clone();
    let days: Vec<String> = asked.iter().map(|request| format!("{}..{}", request.from, request.to)).collect();
    assert_eq!(days, ["2026-11-20..2026-11-20", "2026-11-01..2026-11-20"]);
    assert_eq!(asked[0].actor, "operator");
}

#[tokio::test]
async fn what_a_lane_waits_for_is_said_at_each_of_its_deliveries() {
    use jembatan::store::{CircuitRow, LaneStop};
    let bridge = Bridge::start().await;
    let id = one_delivery(&bridge).await;
    let blocked = async || bridge.get(&format!("/v1/deliveries/{id}"), &bridge.sim).await.body["blocked_by"].clone();
    assert_eq!(blocked().await, Value::Null, "nothing is in the way");
    let (facility, service, since) = (FACILITY.to_owned(), "pcare".to_owned(), bridge.clock.now());
    let circuit = CircuitRow { facility: facility.clone(), service: service.clone(), open: true, since };
    bridge.store.set_circuit(circuit).await.unwrap();
    assert_eq!(blocked().await["kind"], "circuit");
    let message = Private::new("Username atau password salah".to_owned());
    let stop = LaneStop { facility, service, message, since, credential_version: 1 };
    bridge.store.set_lane_stop(FACILITY, "pcare", Some(stop)).await.unwrap();
    assert_eq!(blocked().await["kind"], "credentials", "goes before the circuit");
    bridge.store.set_lane_stop(FACILITY, "vclaim", None).await.unwrap();
    bridge.post("/v1/pauses", &bridge.operator, &json!({ "facility": "*", "reason": "uji" })).await;
    let pause = json!({ "kind": "lane", "id": null, "detail": "uji" });
    assert_eq!(blocked().await, pause, "a pause goes before both");
}
