//! Which entries will miss which date, over the API: every lane, every entry once over the pages, within one's own.

use super::*;

fn refs(answer: &Answer) -> Vec<String> {
    let items = answer.body["items"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    items.iter().map(|item| item["ref"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_will_be_late_is_listed_in_lane_order_over_pages_that_neither_repeat_nor_lose() {
    let bridge = Bridge::start().await;
    let empty = bridge.get("/v1/forecast", &bridge.operator).await;
    assert_eq!((empty.status, empty.body["items"].clone(), empty.body["lanes"].clone()), (200, json!([]), json!([])));
    assert_eq!(bridge.submit(&day("reg-1")).await.status, 202);
    let whole = bridge.get("/v1/forecast", &bridge.operator).await;
    let lane = &whole.body["lanes"][0];
    assert_eq!((lane["facility"].clone(), lane["service"].clone()), (FACILITY.into(), "pcare".into()));
    let count = bridge.get("/v1/deliveries", &bridge.operator).await.body["items"].as_array().unwrap().len();
    assert_eq!(
        (lane["unfinished"].clone(), lane["at_risk"].clone()),
        (json!(count), json!(count)),
        "nothing was sent yet"
    );
    assert_eq!(lane["first_at_risk"], "2026-11-21T13:00:00+08:00");
    assert_eq!((lane["stopped_since"].clone(), lane["empty_at"].clone()), (Value::Null, Value::Null));
    assert_eq!(whole.body["items"][0]["forecast"]["misses"], "2026-11-21T13:00:00+08:00");
    assert_eq!((whole.body["next"].clone(), whole.body["capped"].clone()), (Value::Null, json!(false)));
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = bridge.get(&format!("/v1/forecast?limit=2{after}"), &bridge.operator).await;
        assert!(refs(&page).len() <= 2);
        paged.extend(refs(&page));
        let Some(next) = page.body["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(paged, refs(&whole));
    assert_eq!(paged.len(), count);
    assert_eq!(bridge.get("/v1/forecast?after=x", &bridge.operator).await.status, 400);
}

#[tokio::test]
async fn a_pause_stops_the_lane_and_counts_stand_beside_the_late_ones() {
    let bridge = Bridge::start().await;
    bridge.submit(&day("reg-1")).await;
    let paused = bridge.post("/v1/pauses", &bridge.operator, &json!({ "facility": FACILITY, "reason": "uji" })).await;
    assert!(paused.status < 300, "{paused:?}");
    let lane = bridge.get("/v1/forecast", &bridge.operator).await.body["lanes"][0].clone();
    assert_eq!(lane["stopped_since"], "2026-11-21T11:00:00+08:00");
    let late = bridge.get("/v1/deliveries?late=true", &bridge.sim).await;
    assert_eq!(late.body["forecast"]["at_risk"], lane["at_risk"]);
    assert_eq!(late.body["forecast"]["nearest"], "2026-11-21T13:00:00+08:00");
    assert_eq!(late.body["forecast"]["first_at_risk"], "2026-11-21T13:00:00+08:00");
    let elsewhere = bridge.client("sana", Role::Viewer, &[OTHER]);
    let theirs = bridge.get("/v1/deliveries?late=true", &elsewhere).await;
    assert_eq!(
        (theirs.body["forecast"]["at_risk"].clone(), theirs.body["forecast"]["nearest"].clone()),
        (json!(0), Value::Null)
    );
    assert_eq!(bridge.get("/v1/forecast", &elsewhere).await.body["items"], json!([]));
    assert!(bridge.get("/v1/deliveries", &bridge.sim).await.body.get("forecast").is_none());
}

#[tokio::test]
async fn another_clients_entries_are_counted_but_not_shown() {
    let bridge = Bridge::start().await;
    bridge.submit(&day("reg-1")).await;
    let other = bridge.client("sim-lain", Role::Sim, &[FACILITY]);
    let seen = bridge.get("/v1/forecast", &other).await;
    assert_eq!(seen.body["items"], json!([]));
    assert!(seen.body["lanes"][0]["at_risk"].as_u64().unwrap() > 0);
    assert!(!refs(&bridge.get("/v1/forecast", &bridge.sim).await).is_empty());
}
