//! `GET /metrics`: the same facts for Prometheus, OpenMetrics text, prefix `jembatan_`.
//!
//! Job: build the registry anew for every scrape from facts, so that nothing goes stale and nothing grows. Invariant:
//! labels are codes and words of ours, never free text. What it does not do: keep history.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::gather::Rows;
use super::judge::{Facts, Level, Report};
use super::live::Live;

/// `Content-Type` of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabels {
    facility: String,
    service: String,
    state: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LaneLabels {
    facility: String,
    service: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FacilityLabels {
    facility: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct NodeLabels {
    node: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OwnerLabels {
    facility: String,
    node: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CheckLabels {
    name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AttemptLabels {
    operation: String,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    route: String,
    code: i64,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BookingLabels {
    facility: String,
    state: String,
}

/// The text of one scrape.
#[must_use]
pub(super) fn encode(facts: &Facts, rows: &Rows, report: &Report, live: &Live, now: Timestamp) -> String {
    let mut registry = Registry::with_prefix("jembatan");
    let version = vec![("version", env!("CARGO_PKG_VERSION"))];
    registry.register("build", "The program's version", Info::new(version));
    checks(&mut registry, report);
    if facts.store_fault.is_none() {
        deliveries(&mut registry, rows);
        instants(&mut registry, rows, now);
        lanes(&mut registry, facts);
        let at_risk: i64 = facts.outlook.iter().map(|lane| lane.at_risk).sum();
        gauge(&mut registry, "at_risk", "Unfinished deliveries that miss their late date at the present rate", at_risk);
        let first = facts.outlook.iter().filter_map(|lane| lane.first).min();
        let left = first.map(|at| at.duration_since(now).as_secs());
        let help = "Time left until the nearest date that will be missed at the present rate";
        seconds(&mut registry, "nearest_at_risk", help, left);
    }
    machine(&mut registry, facts);
    kept(&mut registry, facts, now);
    nodes(&mut registry, facts);
    attempts(&mut registry, live);
    inbound(&mut registry, facts, rows, now);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _infallible = text::encode(&mut text, &registry);
    text
}

fn checks(registry: &mut Registry, report: &Report) {
    let family = Family::<CheckLabels, Gauge>::default();
    for check in &report.checks {
        family.get_or_create(&CheckLabels { name: check.name.clone() }).set(level(check.status));
    }
    registry.register("check", "What /health says: 0 ok, 1 degraded, 2 down", family);
    let overall: Gauge = Gauge::default();
    overall.set(level(report.status));
    registry.register("status", "The worst check: 0 ok, 1 degraded, 2 down", overall);
}

const fn level(level: Level) -> i64 {
    match level {
        Level::Ok => 0,
        Level::Degraded => 1,
        Level::Down => 2,
    }
}

fn deliveries(registry: &mut Registry, rows: &Rows) {
    let family = Family::<StateLabels, Gauge>::default();
    for row in &rows.totals.counts {
        let labels = StateLabels {
            facility: row.facility.clone(),
            service: row.service.clone(),
            state: row.state.word().to_owned(),
        };
        family.get_or_create(&labels).inc_by(row.count);
    }
    registry.register("deliveries", "Deliveries by state", family);
    gauge(registry, "late", "Unfinished deliveries past their late date", rows.totals.late);
    gauge(registry, "store_bytes", "Size of the database files", signed(rows.totals.bytes));
}

/// An instant that does not exist has no sample: 0 would read as "just now".
fn instants(registry: &mut Registry, rows: &Rows, now: Timestamp) {
    let age = |at: Timestamp| now.duration_since(at).as_secs();
    let totals = &rows.totals;
    seconds(registry, "oldest_unfinished", "Age of the oldest unfinished delivery", totals.oldest_unfinished.map(age));
    let due = totals.oldest_due.map(|at| age(at).max(0));
    seconds(registry, "oldest_due", "How long something has been due and was not taken", due);
    let left = totals.nearest_deadline.map(|at| -age(at));
    seconds(registry, "nearest_deadline", "Time left until the nearest date", left);
}

fn lanes(registry: &mut Registry, facts: &Facts) {
    let open = Family::<LaneLabels, Gauge>::default();
    let refused = Family::<LaneLabels, Gauge>::default();
    let outage = Family::<LaneLabels, Gauge>::default();
    let paused = Family::<LaneLabels, Gauge>::default();
    for lane in &facts.lanes {
        let labels = LaneLabels { facility: lane.facility.clone(), service: lane.service.clone() };
        let down = facts.outages.iter().any(|o| o.facility == lane.facility && o.service == lane.service);
        open.get_or_create(&labels).set(i64::from(lane.open_since.is_some()));
        refused.get_or_create(&labels).set(i64::from(lane.refused_since.is_some()));
        paused.get_or_create(&labels).set(i64::from(lane.paused));
        outage.get_or_create(&labels).set(i64::from(down));
    }
    registry.register("circuit_open", "1 while the circuit is open", open);
    registry.register("credentials_refused", "1 while BPJS refuses the credentials", refused);
    registry.register("outage_open", "1 while an outage is open", outage);
    registry.register("paused", "1 while sending is paused", paused);
}

/// Nothing where the process is alone on its database.
fn nodes(registry: &mut Registry, facts: &Facts) {
    let Some(all) = &facts.live.nodes else { return };
    let (up, skew) = (Family::<NodeLabels, Gauge>::default(), Family::<NodeLabels, Gauge>::default());
    for node in &all.nodes {
        let labels = NodeLabels { node: node.name.clone() };
        up.get_or_create(&labels).set(i64::from(all.is_live(node)));
        skew.get_or_create(&labels).set(node.skew.as_secs());
    }
    let owners = Family::<OwnerLabels, Gauge>::default();
    for row in all.owners.iter().filter(|row| all.holds(row)) {
        let node = row.node.clone().unwrap_or_default();
        owners.get_or_create(&OwnerLabels { facility: row.facility.clone(), node }).set(1);
    }
    registry.register("node_up", "1 while the node lives", up);
    registry.register_with_unit("node_clock_skew", "The node's clock minus the database's", Unit::Seconds, skew);
    registry.register("facility_owner", "1 for the node that sends for the facility", owners);
}

fn machine(registry: &mut Registry, facts: &Facts) {
    let skew = Family::<FacilityLabels, Gauge>::default();
    for reading in &facts.live.clocks {
        skew.get_or_create(&FacilityLabels { facility: reading.facility.clone() }).set(reading.skew);
    }
    registry.register_with_unit("clock_skew", "Our clock minus BPJS's", Unit::Seconds, skew);
    if let Some(free) = facts.live.disk_free {
        gauge(registry, "disk_free_bytes", "Free bytes on the store's disk", signed(free));
    }
}

fn kept(registry: &mut Registry, facts: &Facts, now: Timestamp) {
    let [rows, members, age] = [(); 3].map(|()| Family::<LaneLabels, Gauge>::default());
    for one in &facts.live.kept {
        let labels = LaneLabels { facility: one.facility.clone(), service: one.service.clone() };
        rows.get_or_create(&labels).set(signed(one.rows));
        members.get_or_create(&labels).set(signed(one.members));
        if let Some(oldest) = one.oldest {
            age.get_or_create(&labels).set(now.duration_since(oldest).as_secs().max(0));
        }
    }
    registry.register("kept_rows", "Rows of references kept for outages", rows);
    registry.register("kept_members", "Members whose standing is kept for outages", members);
    registry.register_with_unit("kept_age", "Age of the oldest reference that was read to its end", Unit::Seconds, age);
}

fn attempts(registry: &mut Registry, live: &Live) {
    let family = Family::<AttemptLabels, Counter<u64, AtomicU64>>::default();
    for ((operation, outcome), count) in live.attempts() {
        family.get_or_create(&AttemptLabels { operation, outcome }).inc_by(count);
    }
    registry.register("attempts", "Ended attempts since the process began", family);
}

/// Only where Mobile JKN is listened to.
fn inbound(registry: &mut Registry, facts: &Facts, rows: &Rows, now: Timestamp) {
    let Some(seen) = &facts.live.inbound else { return };
    gauge(
        registry,
        "inbound_listening",
        "1 while Mobile JKN is listened to",
        i64::from(seen.listening.fault.is_none()),
    );
    let calls = Family::<CallLabels, Counter<u64, AtomicU64>>::default();
    for ((route, code), count) in &seen.calls {
        calls.get_or_create(&CallLabels { route: route.clone(), code: *code }).inc_by(*count);
    }
    registry.register("inbound_calls", "Answers to Mobile JKN since the process began", calls);
    let age = seen.last.values().max().map(|last| now.duration_since(*last).as_secs());
    seconds(registry, "inbound_last_call_age", "Since Mobile JKN called last", age);
    if facts.store_fault.is_none() {
        let bookings = Family::<BookingLabels, Gauge>::default();
        for row in &rows.bookings {
            let labels = BookingLabels { facility: row.facility.clone(), state: row.state.word().to_owned() };
            bookings.get_or_create(&labels).set(row.count);
        }
        registry.register("antrean_bookings_today", "Bookings for today by state", bookings);
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: i64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn seconds(registry: &mut Registry, name: &str, help: &str, value: Option<i64>) {
    if let Some(value) = value {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register_with_unit(name, help, Unit::Seconds, gauge);
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
