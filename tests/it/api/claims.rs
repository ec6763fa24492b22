//! The claims of a month that is over, as they stand today.

use super::*;

fn procedure(name: &str, cost: i64) -> Value {
    json!({ "ref": name, "operation": "pcare.tindakan.add", "after": ["kunjungan"],
        "payload": { "kdTindakanSK": 0, "noKunjungan": null, "kdTindakan": "01006", "biaya": cost } })
}

/// October's registration, visit and two procedures.
fn october() -> Value {
    let mut body = day("okt-1");
    for place in [0, 1] {
        body["entries"][place]["payload"]["tglDaftar"] = json!("31-10-2026");
    }
    body["entries"][0]["occurred_at"] = json!("2026-10-31T08:00:00+08:00");
    body["entries"][1]["payload"]["tglPulang"] = json!("31-10-2026");
    body["entries"][2] = procedure("t-1", 20_000);
    body["entries"].as_array_mut().unwrap().push(procedure("t-2", 15_000));
    body
}

async fn list(bridge: &Bridge, query: &str) -> Answer {
    bridge.get(&format!("/v1/claims?facility={FACILITY}&{query}"), &bridge.operator).await
}

#[tokio::test]
async fn what_is_changed_or_deleted_after_the_month_counts_in_the_months_claims() {
    let bridge = Bridge::start().await;
    let taken = bridge.submit(&october()).await;
    assert_eq!(bridge.deliver_all().await, 4, "{taken:?}");
    let before = list(&bridge, "month=2026-10").await;
    let costs = |answer: &Answer| -> Vec<i64> {
        answer.body["items"].as_array().unwrap().iter().map(|item| item["cost"].as_i64().unwrap()).collect()
    };
    assert_eq!(costs(&before), [20_000, 15_000], "{before:?}");
    let first = &before.body["items"][0];
    assert_eq!(
        (&first["date"], &first["last"]),
        (&json!("2026-10-31"), &json!("2027-04-30")),
        "six months, month's end"
    );
    assert_eq!(first["submit_by"], "2026-11-10");
    let number = |item: &Value| -> String {
        let id = item["delivery"].as_str().unwrap();
        let own = taken.body["deliveries"].as_array().unwrap().iter().position(|delivery| delivery["id"] == id);
        format!("N{}", own.unwrap() + 1)
    };
    let (one, two) = (number(first), number(&before.body["items"][1]));
    // Handed in on 21 November without a word of when: dated that day.
    let later = json!({ "facility": FACILITY, "ref": "nov-1", "entries": [
        { "ref": "ubah", "operation": "pcare.tindakan.edit",
          "payload": { "kdTindakanSK": one, "noKunjungan": "N2", "kdTindakan": "01006", "biaya": 25_000 } },
        { "ref": "hapus", "operation": "pcare.tindakan.delete", "payload": { "kdTindakanSK": two, "noKunjungan": "N2" } } ] });
    let changed = bridge.submit(&later).await;
    assert_eq!(bridge.deliver_all().await, 2, "{changed:?}");
    let after = list(&bridge, "month=2026-10").await;
    assert_eq!(costs(&after), [25_000], "{after:?}");
    assert_eq!(costs(&list(&bridge, "month=2026-11").await), [0_i64; 0], "nothing of November");
    let path = format!("/v1/reports/claims?facility={FACILITY}&month=2026-10&format=json");
    let paper = bridge.get(&path, &bridge.operator).await;
    let facts = paper.body["facts"].as_array().unwrap_or_else(|| panic!("{paper:?}"));
    assert!(facts.contains(&json!({ "name": "Jumlah biaya menurut entri", "value": 25_000 })), "{facts:?}");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_and_the_sim_does_not_see_the_book() {
    let bridge = Bridge::start().await;
    for (query, name) in [
        ("month=2026-13", "month"),
        ("month=2026-10&section=lain", "section"),
        ("month=2026-10&part=bidan", "part"),
        ("month=2026-10&part=network&client=bidan-sari", "client"),
    ] {
        let answer = list(&bridge, query).await;
        assert!(answer.status == 400 && answer.text.contains(name), "{query}: {answer:?}");
    }
    let path = format!("/v1/claims?facility={FACILITY}&month=2026-10");
    assert_eq!(bridge.get(&path, &bridge.sim).await.status, 403);
    let elsewhere = bridge.client("lain", Role::Operator, &[OTHER]);
    assert_eq!(bridge.get(&path, &elsewhere).await.status, 403);
    let old = format!("/v1/reports/claims?facility={FACILITY}&month=2026-10&holidays=2026-12-25");
    assert_eq!(bridge.get(&old, &bridge.operator).await.status, 400, "holidays are data of the agreement");
}
