//! What the contract wants kept: plans, effects, settlements, days, books.

use serde_json::json;

use super::desk::*;
use crate::contract::Deadline;
use crate::queue::Mark;
use crate::secret::Private;
use crate::store::*;

fn opened(seconds: i64) -> OutageChange {
    OutageChange::Open {
        facility: FACILITY.to_owned(),
        service: "pcare".to_owned(),
        cause: "tcp".to_owned(),
        verdict: Verdict::Bpjs,
        evidence: json!([]),
        at: at(seconds),
        actor: "jembatan".to_owned(),
    }
}

pub(crate) async fn announced_maintenance_is_kept_until_it_is_over(desk: &Desk) {
    let plan = OutagePlan {
        id: 0,
        facility: FACILITY.to_owned(),
        from: at(100),
        to: at(200),
        verdict: Verdict::Bpjs,
        reason: "pengumuman 12".to_owned(),
        actor: "petugas".to_owned(),
        announced_at: at(0),
    };
    let audit = AuditEntry {
        at: at(0),
        actor: "petugas".to_owned(),
        action: "outage.plan".to_owned(),
        object: String::new(),
        detail: "pengumuman 12".to_owned(),
    };
    let kept = desk.store.plan_outage(plan.clone(), audit).await.unwrap();
    assert_eq!(kept, OutagePlan { id: kept.id, ..plan });
    assert_eq!(desk.store.outage_plans(at(200)).await.unwrap(), std::slice::from_ref(&kept));
    assert!(desk.store.outage_plans(at(201)).await.unwrap().is_empty(), "over");
    assert!(kept.covers(FACILITY, at(100)) && !kept.covers(FACILITY, at(99)) && !kept.covers("X", at(150)));
    let log = desk.store.audit(0, 10).await.unwrap();
    assert_eq!((log[0].action.as_str(), log[0].object.clone()), ("outage.plan", kept.id.to_string()));
}

pub(crate) async fn announced_maintenance_is_withdrawn_once(desk: &Desk) {
    let plan = OutagePlan {
        id: 0,
        facility: FACILITY.to_owned(),
        from: at(100),
        to: at(200),
        verdict: Verdict::Bpjs,
        reason: "pengumuman 13".to_owned(),
        actor: "petugas".to_owned(),
        announced_at: at(0),
    };
    let audit = |action: &str, object: &str| AuditEntry {
        at: at(5),
        actor: "petugas".to_owned(),
        action: action.to_owned(),
        object: object.to_owned(),
        detail: "pengumuman 13".to_owned(),
    };
    let kept = desk.store.plan_outage(plan, audit("outage.plan", "")).await.unwrap();
    let other = desk.store.plan_outage(kept.clone(), audit("outage.plan", "")).await.unwrap();
    let withdraw = || desk.store.withdraw_plan(kept.id, audit("outage.withdraw", "7"));
    assert_eq!(withdraw().await.unwrap(), Some(kept.clone()));
    assert_eq!(withdraw().await.unwrap(), None, "no longer there");
    assert_eq!(desk.store.outage_plans(at(0)).await.unwrap(), [other]);
    let log = desk.store.audit(0, 10).await.unwrap();
    assert_eq!(log.iter().filter(|entry| entry.action == "outage.withdraw").count(), 1);
}

pub(crate) async fn an_outage_is_classified_and_its_effect_is_told(desk: &Desk) {
    let row = desk.store.change_outage(opened(10)).await.unwrap();
    assert_eq!(row.class, None);
    let late = Deadline { late: Some(at(50)), ..Deadline::default() };
    let entry = NewEntry { deadline: late, ..desk.entry("a", DAFTAR) };
    let id = entry.id;
    desk.store.accept(NewSubmission { accepted_at: at(20), ..desk.submission("r", vec![entry]) }).await.unwrap();
    let during = desk.store.outage_effect(row.id, at(30)).await.unwrap().unwrap();
    assert_eq!((during.accepted, during.delayed, during.unfinished, during.drained_at), (1, 0, 1, None));
    desk.store.change_outage(OutageChange::Close { id: row.id, at: at(100), actor: "x".into() }).await.unwrap();
    let claimed = desk.claim_only(id, 110).await;
    desk.end(&claimed, accepted("noUrut", "A1"), 120).await;
    let after = desk.store.outage_effect(row.id, at(500)).await.unwrap().unwrap();
    assert_eq!((after.accepted, after.delayed, after.late, after.unfinished), (1, 1, 1, 0));
    assert_eq!(after.drained_at, Some(at(120)));
    assert_eq!(desk.store.outage_effect(99, at(0)).await.unwrap(), None);
    let actor = "petugas: banjir, surat 7".to_owned();
    let change = OutageChange::Classify { id: row.id, class: OutageClass::ForceMajeure, actor: actor.clone() };
    assert_eq!(desk.store.change_outage(change).await.unwrap().class, Some((OutageClass::ForceMajeure, actor)));
}

pub(crate) async fn settlements_are_kept_in_order_with_their_rows_in_the_log(desk: &Desk) {
    let report = ReconciliationRow {
        id: "a".to_owned(),
        facility: FACILITY.to_owned(),
        from: day(20),
        to: day(20),
        started_at: at(0),
        finished_at: at(1),
        counts: std::collections::BTreeMap::new(),
        report: Some(Private::new(json!({}))),
    };
    desk.store.put_reconciliation(report).await.unwrap();
    let row = |item, how, seconds| Settlement {
        reconciliation: "a".to_owned(),
        item,
        how,
        reason: Private::new("SITI CONTOH datang lagi".to_owned()),
        actor: "petugas".to_owned(),
        at: at(seconds),
    };
    let rows = [row(2, Settled::Other, 5), row(2, Settled::Entered, 6), row(1, Settled::Accepted, 7)];
    for row in &rows {
        desk.store.settle(row.clone()).await.unwrap();
    }
    assert_eq!(desk.store.settlements("a").await.unwrap(), rows);
    assert!(desk.store.settlements("b").await.unwrap().is_empty());
    let nowhere = Settlement { reconciliation: "b".to_owned(), ..row(1, Settled::Other, 8) };
    desk.store.settle(nowhere).await.unwrap_err();
    let log = desk.store.audit(0, 10).await.unwrap();
    let told: Vec<_> = log.iter().map(|line| (line.object.as_str(), line.detail.as_str())).collect();
    assert_eq!(told, [("a/2", "other"), ("a/2", "entered"), ("a/1", "accepted")], "no patient's name in the log");
}

pub(crate) async fn days_are_wanted_done_wanted_again_and_forgotten(desk: &Desk) {
    let want = |run: &str, seconds| DayChange::Want {
        facility: FACILITY.to_owned(),
        run: run.to_owned(),
        days: vec![day(20), day(21)],
        cause: "outage".to_owned(),
        at: at(seconds),
    };
    let done = |run: &str, report| DayChange::Done {
        facility: FACILITY.to_owned(),
        run: run.to_owned(),
        day: day(20),
        at: at(20),
        id: "r".to_owned(),
        report,
    };
    let open = async |run: &str| {
        let rows = desk.store.days(run).await.unwrap();
        rows.into_iter().filter(|row| row.done.is_none()).map(|row| row.day).collect::<Vec<_>>()
    };
    desk.store.change_days(want("", 10)).await.unwrap();
    desk.store.change_days(done("", None)).await.unwrap();
    assert_eq!(open("").await, [day(21)]);
    desk.store.change_days(want("", 10)).await.unwrap();
    assert_eq!(open("").await, [day(21)], "the same wish again changes nothing");
    desk.store.change_days(want("", 30)).await.unwrap();
    assert_eq!(open("").await, [day(20), day(21)], "a later one does");
    desk.store.change_days(want("p", 30)).await.unwrap();
    let report = Some(Private::new(json!({ "items": [CARD] })));
    desk.store.change_days(done("p", report.clone())).await.unwrap();
    assert_eq!(desk.store.days("p").await.unwrap()[0].report, report);
    let forget = DayChange::Forget { facility: FACILITY.to_owned(), run: "p".to_owned() };
    desk.store.change_days(forget).await.unwrap();
    assert!(desk.store.days("p").await.unwrap().is_empty());
    assert_eq!(desk.store.days("").await.unwrap().len(), 2, "another run is not touched");
}

pub(crate) async fn the_books_have_the_month_the_mark_and_the_client(desk: &Desk) {
    let marked = NewEntry { mark: Some(Mark::Telekonsultasi), ..desk.entry("a", DAFTAR) };
    let plain = NewEntry { service_date: Some(day(22)), ..desk.entry("b", DAFTAR) };
    desk.accept("r", vec![marked, plain]).await;
    let network = NewSubmission {
        client: "bidan".to_owned(),
        approval: true,
        ..desk.submission("r", vec![desk.entry("a", DAFTAR)])
    };
    desk.store.accept(network).await.unwrap();
    let rows = desk.store.marked(FACILITY, Mark::Telekonsultasi, day(1), day(30)).await.unwrap();
    let names: Vec<_> = rows.iter().map(|row| (row.reference.as_str(), row.delivery.mark)).collect();
    assert_eq!(names, [("r", Some(Mark::Telekonsultasi))]);
    assert!(desk.store.marked(FACILITY, Mark::Telekonsultasi, day(22), day(30)).await.unwrap().is_empty());
    let counts = desk.store.client_counts(FACILITY, day(1), day(30)).await.unwrap();
    let told: Vec<_> = counts.iter().map(|row| (row.client.as_str(), row.why.as_deref(), row.count)).collect();
    assert_eq!(told, [("bidan", Some("approval"), 1), ("sim", None, 2)]);
    let why = DeliveryFilter { why: Some("approval".to_owned()), limit: 10, ..Default::default() };
    assert_eq!(desk.store.deliveries(why).await.unwrap().items.len(), 1);
}

pub(crate) async fn delivered_edits_of_later_days_are_found(desk: &Desk) {
    let edit = NewEntry { service_date: Some(day(23)), ..desk.entry("ubah", EDIT) };
    let id = edit.id;
    desk.accept("r", vec![edit]).await;
    assert!(desk.store.later_edits(FACILITY, day(21)).await.unwrap().is_empty(), "not delivered yet");
    let claimed = desk.claim_only(id, 10).await;
    desk.end(&claimed, accepted("noKunjungan", "V1"), 11).await;
    assert_eq!(desk.store.later_edits(FACILITY, day(21)).await.unwrap().len(), 1);
    assert!(desk.store.later_edits(FACILITY, day(23)).await.unwrap().is_empty());
}

pub(crate) async fn the_journal_is_read_by_operation_with_the_client_that_handed_in(desk: &Desk) {
    let edit = NewEntry { service_date: Some(day(23)), ..desk.entry("ubah", EDIT) };
    desk.accept("r", vec![desk.entry("a", DAFTAR), edit]).await;
    let bidan = NewSubmission { client: "bidan".to_owned(), ..desk.submission("b", vec![desk.entry("a", DAFTAR)]) };
    desk.store.accept(bidan).await.unwrap();
    let of = async |from: i8, to: i8, patterns: &[&str]| {
        let rows = desk.store.journal_of(FACILITY, day(from), day(to), patterns).await.unwrap();
        rows.into_iter().map(|row| (row.client, row.delivery.operation)).collect::<Vec<_>>()
    };
    let row = |client: &str, operation: &str| (client.to_owned(), operation.to_owned());
    assert_eq!(of(1, 30, &["*.edit"]).await, [row("sim", EDIT)]);
    assert_eq!(of(1, 30, &[DAFTAR]).await, [row("sim", DAFTAR), row("bidan", DAFTAR)]);
    let all = of(1, 30, &["*.edit", "pcare.*", DAFTAR]).await;
    assert_eq!(all, [row("sim", DAFTAR), row("sim", EDIT), row("bidan", DAFTAR)], "each once, in order of acceptance");
    assert!(of(22, 30, &[DAFTAR]).await.is_empty(), "other days");
    assert!(of(1, 30, &[]).await.is_empty());
}

pub(crate) async fn a_patients_journal_has_that_patients_entries_of_the_days_only(desk: &Desk) {
    let other = NewEntry { no_kartu: Some(Private::new("0009900000011".to_owned())), ..desk.entry("b", DAFTAR) };
    let later = NewEntry { service_date: Some(day(23)), ..desk.entry("c", DAFTAR) };
    desk.accept("r", vec![desk.entry("a", DAFTAR), other, later, desk.entry("d", OBAT)]).await;
    let of = async |facility: &str, card: &str, to: i8, operations: &[&str]| {
        let card = Private::new(card.to_owned());
        let rows = desk.store.journal_of_patient(facility, &card, day(20), day(to), operations).await.unwrap();
        rows.into_iter().map(|row| row.delivery.entry_ref).collect::<Vec<_>>()
    };
    assert_eq!(of(FACILITY, CARD, 22, &[DAFTAR]).await, ["a"]);
    assert_eq!(of(FACILITY, CARD, 23, &[DAFTAR, OBAT]).await, ["a", "c", "d"], "in order of acceptance");
    assert_eq!(of(FACILITY, "0009900000011", 23, &[DAFTAR]).await, ["b"]);
    assert!(of("0114A027", CARD, 23, &[DAFTAR]).await.is_empty(), "another facility's key is another");
}

pub(crate) async fn dates_move_in_one_go_for_what_was_declared_and_what_is_expired_stays(desk: &Desk) {
    let dated = |name: &str, last: i64| {
        let deadline = Deadline { late: Some(at(50)), last: Some(at(last)), ..Deadline::default() };
        NewEntry { deadline, no_kartu: Some(Private::new(format!("00099000000{name}"))), ..desk.entry(name, DAFTAR) }
    };
    let entries = vec![dated("01", 1000), dated("02", 1000), dated("03", 60)];
    let (first, second, gone) = (entries[0].id, entries[1].id, entries[2].id);
    desk.accept("r", entries).await;
    let base = desk.base();
    assert_eq!(desk.store.expire(at(100), 10, base).await.unwrap(), 1);
    let by_hours: Redate = Arc::new(|delivery, declared, now| {
        let one = declared.first()?;
        let length = one.to.unwrap_or(now).duration_since(one.from);
        let late = at(50).checked_add(length).ok();
        (delivery.deadline.late != late).then(|| Deadline { late, ..delivery.deadline.clone() })
    });
    assert_eq!(desk.store.redate(at(200), by_hours.clone()).await.unwrap(), 0, "nothing was declared");
    let flood = |until: Option<i64>| contract::Event {
        id: 0,
        kind: contract::Trigger::ForceMajeure,
        facility: FACILITY.to_owned(),
        at: at(100),
        until: until.map(at),
        remark: "banjir".to_owned(),
        actor: "kepala".to_owned(),
        recorded_at: at(200),
    };
    desk.store.record_event(flood(None)).await.unwrap();
    let late = async |id| desk.store.delivery(id).await.unwrap().unwrap().deadline.late;
    assert_eq!(desk.store.redate(at(200), by_hours.clone()).await.unwrap(), 2);
    assert_eq!((late(first).await, late(second).await, late(gone).await), (Some(at(150)), Some(at(150)), Some(at(50))));
    assert_eq!(desk.store.redate(at(200), by_hours.clone()).await.unwrap(), 0, "once is enough");
    desk.store.record_event(flood(Some(130))).await.unwrap();
    assert_eq!(desk.store.redate(at(300), by_hours).await.unwrap(), 2, "recorded again, it has an end");
    assert_eq!(late(first).await, Some(at(80)));
    let expired = desk.store.delivery(gone).await.unwrap().unwrap();
    assert_eq!(expired.progress.state, crate::queue::State::Expired, "it comes back only by a person");
    let claimed = desk.claim(400).await;
    assert_eq!(claimed.len(), 2, "what was redated can be claimed");
}

/// Where a clause moves dates, and what moved them ends earlier than was thought or is taken back.
pub(crate) async fn a_date_that_a_clause_moved_never_becomes_earlier_again(desk: &Desk) {
    let shipped = contract::Contracts::load(std::path::Path::new("config/contracts/bontang-2024.toml"), None).unwrap();
    let contracts = Arc::new(shipped.moving());
    let zones = [(FACILITY.to_owned(), jiff::tz::TimeZone::get("Asia/Makassar").unwrap())];
    let redate = redating(&contracts, zones.into()).unwrap();
    let service = contract::ServiceTime {
        occurred_at: None,
        service_date: day(21),
        accepted_at: at(0),
        zone: jiff::tz::TimeZone::get("Asia/Makassar").unwrap(),
    };
    let deadline = contracts.deadline("entry.immediate", &service);
    let as_agreed = deadline.late.unwrap();
    let entry = NewEntry { deadline, ..desk.entry("a", DAFTAR) };
    let id = entry.id;
    desk.accept("r", vec![entry]).await;
    let late = async || desk.store.delivery(id).await.unwrap().unwrap().deadline.late.unwrap();
    let hours = |count: i64| jiff::SignedDuration::from_hours(count);
    let audit = |action: &str| AuditEntry {
        at: at(5),
        actor: "petugas".to_owned(),
        action: action.to_owned(),
        object: String::new(),
        detail: "uji".to_owned(),
    };
    let plan = |until: i64| OutagePlan {
        id: 0,
        facility: FACILITY.to_owned(),
        from: at(0),
        to: at(0) + hours(until),
        verdict: Verdict::Bpjs,
        reason: "pemeliharaan".to_owned(),
        actor: "petugas".to_owned(),
        announced_at: at(0),
    };
    let announced = desk.store.plan_outage(plan(3), audit("outage.plan")).await.unwrap();
    desk.store.plan_outage(plan(1), audit("outage.plan")).await.unwrap();
    assert_eq!(desk.store.redate(at(10), redate.clone()).await.unwrap(), 1);
    assert_eq!(late().await, as_agreed + hours(3));
    desk.store.withdraw_plan(announced.id, audit("outage.withdraw")).await.unwrap();
    assert_eq!(desk.store.redate(at(20), redate.clone()).await.unwrap(), 0, "one hour would be earlier");
    assert_eq!(late().await, as_agreed + hours(3));
    desk.store.plan_outage(plan(5), audit("outage.plan")).await.unwrap();
    assert_eq!(desk.store.redate(at(30), redate).await.unwrap(), 1);
    assert_eq!(late().await, as_agreed + hours(5));
}
