//! Handing in: once, whole, and what is seen of it afterwards.

use super::*;

#[tokio::test]
async fn a_submission_is_taken_whole_and_shown_as_written_down() {
    let bridge = Bridge::start().await;
    let taken = bridge.submit(&day("reg-1")).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    let body = &taken.body;
    assert_eq!((&body["ref"], &body["facility"], &body["warnings"]), (&json!("reg-1"), &json!(FACILITY), &json!([])));
    assert_eq!(body["accepted_at"], "2026-11-21T11:00:00+08:00", "the facility's offset");
    let refs: Vec<&str> = body["deliveries"].as_array().unwrap().iter().map(|d| d["ref"].as_str().unwrap()).collect();
    assert_eq!(refs, ["daftar", "kunjungan", "obat-1"]);
    let drug = &body["deliveries"][2];
    assert_eq!(drug["state"], "waiting");
    let visit = body["deliveries"][1]["id"].clone();
    assert_eq!(drug["blocked_by"], json!({ "kind": "prerequisite", "id": visit, "detail": null }));
    for null in ["how", "remote", "why"] {
        assert_eq!(drug[null], Value::Null, "{null}");
    }
    let deadline = json!({ "rule": "entry.immediate", "target": "2026-11-21T12:00:00+08:00",
        "late": "2026-11-21T13:00:00+08:00", "last": null });
    assert_eq!((&drug["deadline"], &drug["late"], &drug["attempts"]), (&deadline, &json!(false), &json!(0)));
    let id = body["id"].as_str().unwrap();
    assert_eq!(bridge.get(&format!("/v1/submissions/{id}"), &bridge.sim).await.body, *body);
    let listed = bridge.get("/v1/submissions?facility=0114A026&ref=reg-1&state=waiting", &bridge.sim).await;
    assert_eq!(listed.body, json!({ "items": [body], "next": null }));
}

#[tokio::test]
async fn the_same_body_again_is_the_same_submission_and_another_body_a_conflict() {
    let bridge = Bridge::start().await;
    let mut body = single("reg-1", CARD);
    body["entries"][0]["payload"]["sistole"] = json!(120);
    let first = bridge.submit(&body).await;
    body["entries"][0]["payload"]["sistole"] = json!(120.0);
    let again = bridge.submit(&body).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.body, again.body);
    body["entries"][0]["payload"]["sistole"] = json!(121);
    let other = bridge.submit(&body).await;
    assert_eq!((other.status, other.body["type"].as_str()), (409, Some("/masalah/ref-sudah-dipakai")));
    assert_eq!(other.pointers(), ["/ref"]);
    assert_eq!(other.body["submission"], first.body["id"]);
    assert_eq!(bridge.deliver_all().await, 1);
    body["entries"][0]["payload"]["sistole"] = json!(120);
    let finished = bridge.submit(&body).await;
    assert_eq!((finished.status, &finished.body["deliveries"][0]["state"]), (200, &json!("delivered")));
    assert_eq!(bridge.stored().await, (1, 1));
}

#[tokio::test]
async fn the_key_belongs_to_the_client_and_the_facility() {
    let bridge = Bridge::start().await;
    let both = bridge.client("sim-2", Role::Sim, &[FACILITY, OTHER]);
    assert_eq!(bridge.submit(&single("reg-1", CARD)).await.status, 202);
    assert_eq!(bridge.post("/v1/submissions", &both, &single("reg-1", "0009900000001")).await.status, 202);
    let mut elsewhere = single("reg-1", "0009900000002");
    elsewhere["facility"] = json!(OTHER);
    assert_eq!(bridge.post("/v1/submissions", &both, &elsewhere).await.status, 202);
    assert_eq!(bridge.stored().await, (3, 3));
}

#[tokio::test]
async fn copies_sent_at_once_become_one_submission() {
    let bridge = Arc::new(Bridge::start().await);
    let copies = (0..20).map(|_| {
        let bridge = Arc::clone(&bridge);
        tokio::spawn(async move { bridge.submit(&day("reg-1")).await })
    });
    let mut ids = Vec::new();
    for copy in copies.collect::<Vec<_>>() {
        let answer = copy.await.unwrap();
        assert_eq!(answer.status, 202, "{answer:?}");
        ids.push(answer.body["id"].clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(bridge.stored().await, (1, 3));
}

#[tokio::test]
async fn an_entry_may_come_after_one_of_an_earlier_submission() {
    let bridge = Bridge::start().await;
    assert_eq!(bridge.submit(&day("reg/1")).await.status, 202);
    let later = json!({ "facility": FACILITY, "ref": "reg-2", "entries": [
        { "ref": "obat-2", "operation": "pcare.obat.add", "after": ["reg/1/kunjungan"], "payload": drug() } ] });
    let taken = bridge.submit(&later).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    assert_eq!(taken.body["deliveries"][0]["blocked_by"]["kind"], "prerequisite");
    let foreign = bridge.client("sim-2", Role::Sim, &[FACILITY]);
    let refused = bridge.post("/v1/submissions", &foreign, &later).await;
    assert_eq!(
        (refused.status, refused.pointers()),
        (422, vec!["/entries/0/after/0", "/entries/0/payload/noKunjungan"])
    );
    assert_eq!(bridge.deliver_all().await, 4);
    let id = taken.body["deliveries"][0]["id"].as_str().unwrap();
    let delivered = bridge.get(&format!("/v1/deliveries/{id}"), &bridge.sim).await.body;
    assert_eq!((&delivered["state"], &delivered["how"]), (&json!("delivered"), &json!("accepted")));
}

#[tokio::test]
async fn a_client_may_wait_for_the_outcome() {
    let bridge = Arc::new(Bridge::start().await);
    let waiting = tokio::spawn({
        let (bridge, body) = (Arc::clone(&bridge), single("reg-1", CARD).to_string());
        async move { bridge.ask("POST", "/v1/submissions", &bridge.sim, "Prefer: wait=60\r\n", Some(&body)).await }
    });
    bridge.something_stored().await;
    let body = single("reg-2", "0009900000001").to_string();
    let hasty = bridge.ask("POST", "/v1/submissions", &bridge.sim, "Prefer: wait=0\r\n", Some(&body)).await;
    assert_eq!((hasty.status, hasty.header("preference-applied")), (202, Some("wait=0")));
    assert_eq!(bridge.deliver_all().await, 2);
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, &answer.body["deliveries"][0]["state"]), (200, &json!("delivered")));
    assert_eq!(answer.header("preference-applied"), Some("wait=60"));
}

#[tokio::test]
async fn a_time_ahead_is_taken_with_a_warning_and_a_day_ahead_waits() {
    let bridge = Bridge::start().await;
    let mut body = single("reg-1", CARD);
    body["entries"][0]["occurred_at"] = json!("2026-11-21T20:00:00+08:00");
    body["entries"][0]["payload"]["tglDaftar"] = json!("23-11-2026");
    let taken = bridge.submit(&body).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    for (i, place) in ["/entries/0/payload/tglDaftar", "/entries/0/occurred_at"].iter().enumerate() {
        assert!(taken.body["warnings"][i].as_str().unwrap().contains(place), "{taken:?}");
    }
    let blocked = &taken.body["deliveries"][0]["blocked_by"];
    assert_eq!(*blocked, json!({ "kind": "time", "id": null, "detail": "2026-11-23T01:00:00+08:00" }));
    assert_eq!(bridge.deliver_all().await, 0);
}

#[tokio::test]
async fn a_nearly_full_disk_refuses_the_new_and_records_the_old() {
    let bridge = Bridge::start().await;
    assert_eq!(bridge.submit(&single("reg-1", CARD)).await.status, 202);
    bridge.free.store(999, Ordering::SeqCst);
    let refused = bridge.submit(&single("reg-2", "0009900000001")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("60")), "{refused:?}");
    assert_eq!(bridge.deliver_all().await, 1, "outcomes are still recorded");
    assert_eq!(bridge.stored().await, (1, 1));
    bridge.free.store(1000, Ordering::SeqCst);
    assert_eq!(bridge.submit(&single("reg-2", "0009900000001")).await.status, 202);
}

#[tokio::test]
async fn the_timeline_shows_every_attempt_with_bpjs_words() {
    let bridge = Bridge::start().await;
    let taken = bridge.submit(&single("reg-1", CARD)).await;
    bridge.refuse_all().await;
    let id = taken.body["deliveries"][0]["id"].as_str().unwrap();
    let shown = bridge.get(&format!("/v1/deliveries/{id}"), &bridge.sim).await.body;
    let why = json!({ "code": "inactive", "message": "Peserta TIDAK AKTIF", "meaning": "Kepesertaan tidak aktif.",
        "who": "registration", "next": "Periksa kepesertaan." });
    assert_eq!((&shown["state"], &shown["why"], &shown["attempts"]), (&json!("refused"), &why, &json!(1)));
    let attempt = json!({ "n": 1, "purpose": "send", "started_at": "2026-11-21T11:00:00+08:00",
        "ended_at": "2026-11-21T11:00:00+08:00", "outcome": "refused", "status": 201, "code": 201,
        "detail": "kata BPJS", "credential_version": 4, "stamp": 1_795_230_000 });
    assert_eq!(shown["timeline"], json!([attempt]));
    assert_eq!((&shown["payload"], &shown["original"]), (&registration(CARD), &Value::Null));
}

#[tokio::test]
async fn the_changes_feed_wakes_and_can_be_replayed_from_zero() {
    let bridge = Arc::new(Bridge::start().await);
    let empty = bridge.get("/v1/changes", &bridge.sim).await;
    assert_eq!(empty.body, json!({ "items": [], "next": "0" }));
    bridge.submit(&day("reg-1")).await;
    let listening = tokio::spawn({
        let bridge = Arc::clone(&bridge);
        async move { bridge.get("/v1/changes?after=0&wait=60", &bridge.sim).await }
    });
    assert_eq!(bridge.deliver_all().await, 3);
    let heard = listening.await.unwrap();
    assert_eq!(heard.body["items"][0]["delivery"]["ref"], "daftar");
    let (mut cursor, mut seen) = ("0".to_owned(), Vec::new());
    loop {
        let page = bridge.get(&format!("/v1/changes?after={cursor}&limit=2"), &bridge.sim).await.body;
        let items = page["items"].as_array().unwrap().clone();
        if items.is_empty() {
            assert_eq!(page["next"], cursor, "an empty page keeps the place");
            break;
        }
        seen.extend(items.iter().map(|item| item["delivery"]["ref"].as_str().unwrap().to_owned()));
        cursor = page["next"].as_str().unwrap().to_owned();
    }
    assert_eq!(seen, ["daftar", "kunjungan", "obat-1"]);
    let stranger = bridge.client("sim-2", Role::Sim, &[FACILITY]);
    assert_eq!(bridge.get("/v1/changes?after=0", &stranger).await.body["items"], json!([]));
}

#[tokio::test]
async fn listings_go_on_where_they_stopped() {
    let bridge = Bridge::start().await;
    for i in 0..5 {
        assert_eq!(bridge.submit(&single(&format!("reg-{i}"), &format!("000990000000{i}"))).await.status, 202);
    }
    let (mut after, mut ids) = (String::new(), Vec::new());
    loop {
        let page =
            bridge.get(&format!("/v1/deliveries?limit=2&operation=pcare.pendaftaran.add{after}"), &bridge.sim).await;
        ids.extend(page.body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
        match page.body["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(ids.len(), 5);
    ids.dedup();
    assert_eq!(ids.len(), 5);
    assert_eq!(bridge.get("/v1/deliveries?limit=5000&late=false", &bridge.sim).await.status, 200, "clamped");
    assert_eq!(bridge.get("/v1/deliveries?late=true", &bridge.sim).await.body["items"], json!([]));
    bridge.clock.advance(Duration::from_secs(7201));
    assert_eq!(bridge.get("/v1/deliveries?late=true", &bridge.sim).await.body["items"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn what_the_network_hands_in_waits_for_the_puskesmas() {
    let bridge = Bridge::start().await;
    let clinic = bridge.client("klinik", Role::Network, &[FACILITY]);
    let taken = bridge.post("/v1/submissions", &clinic, &single("reg-1", CARD)).await;
    assert_eq!(taken.body["deliveries"][0]["state"], "held", "{taken:?}");
    assert_eq!(taken.body["deliveries"][0]["why"]["code"], "approval", "{taken:?}");
    assert_eq!(bridge.deliver_all().await, 0);
    let id = taken.body["deliveries"][0]["id"].as_str().unwrap();
    let released = bridge.post(&format!("/v1/deliveries/{id}/release"), &bridge.operator, &reason()).await;
    assert_eq!((released.status, &released.body["state"]), (200, &json!("waiting")));
    let again = bridge.post("/v1/submissions", &clinic, &single("reg-1", CARD)).await;
    assert_eq!(again.body["deliveries"][0]["state"], "waiting", "a repetition does not hold it again");
    assert_eq!(bridge.deliver_all().await, 1);
}

/// A registration of somebody registered at `provider`, on a day written dd-mm-yyyy.
fn from(reference: &str, provider: &str, day: &str, poli: &str) -> Value {
    let mut body = single(reference, CARD);
    let payload = &mut body["entries"][0]["payload"];
    (payload["kdProviderPeserta"], payload["tglDaftar"], payload["kdPoli"]) =
        (json!(provider), json!(day), json!(poli));
    body
}

#[tokio::test]
async fn the_fourth_visit_of_a_month_from_elsewhere_is_accepted_with_a_warning() {
    let bridge = Bridge::start().await;
    let warned = async |body: Value| {
        let taken = bridge.submit(&body).await;
        assert_eq!(taken.status, 202, "{taken:?}");
        taken.body["warnings"].as_array().unwrap().iter().map(Value::to_string).collect::<String>()
    };
    let elsewhere = "0114A999";
    for (n, day) in ["01-10-2026", "15-10-2026"].iter().enumerate() {
        assert_eq!(warned(from(&format!("o{n}"), elsewhere, day, "001")).await, "", "{day}");
    }
    let withdrawn = bridge.submit(&from("batal", elsewhere, "16-10-2026", "001")).await;
    let id = withdrawn.body["deliveries"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(bridge.post(&format!("/v1/deliveries/{id}/cancel"), &bridge.operator, &reason()).await.status, 200);
    assert_eq!(warned(from("o3", elsewhere, "31-10-2026", "001")).await, "", "a cancelled one is no visit");
    assert_eq!(warned(from("n1", elsewhere, "01-11-2026", "001")).await, "", "another month");
    let fourth = warned(from("o4", elsewhere, "31-10-2026", "002")).await;
    assert!(fourth.contains("kunjungan ke-4") && fourth.contains("Pasal 4 ayat 4 huruf f"), "{fourth}");
    assert!(!fourth.contains(CARD), "{fourth}");
    assert_eq!(warned(from("own", FACILITY, "31-10-2026", "003")).await, "", "one of the facility's own");
    let again = bridge.submit(&from("o4", elsewhere, "31-10-2026", "002")).await;
    assert_eq!(again.body["warnings"].as_array().map(Vec::len), Some(1), "the same body, the same answer");
}
