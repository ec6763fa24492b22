//! The status page: from [`StatusView`] to HTML that works without JavaScript.
//!
//! Job: words and rows for the template, nothing else. Without a visitor only the traffic light is rendered: the rest is
//! not even gathered. What it does not do: decide, query.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::advice::Headline;
use super::judge::Level;
use super::text;
use super::view::StatusView;
use crate::queue::State;

/// What the template shows.
#[derive(Template)]
#[template(path = "status.html", config = "src/status/askama.toml")]
struct Page {
    level: &'static str,
    headline: Headline,
    since: String,
    at: String,
    version: &'static str,
    wrong_token: bool,
    inside: Option<Inside>,
}

/// Behind the login.
struct Inside {
    visitor: String,
    time: Vec<Figure>,
    at_least: bool,
    attention: Vec<Attention>,
    counts: Vec<Row>,
    outages: Vec<Outage>,
    duties: Vec<Duty>,
    pauses: Vec<String>,
    lanes: Vec<LaneRow>,
    nodes: Vec<String>,
    checks: Vec<CheckRow>,
}

struct Figure {
    label: &'static str,
    value: String,
    note: String,
    level: &'static str,
}

struct Attention {
    count: usize,
    state: &'static str,
    code: String,
    meaning: String,
    who: &'static str,
    next: String,
    facilities: String,
}

struct Row {
    title: String,
    facility: String,
    service: String,
    cells: Vec<(&'static str, i64)>,
}

struct Outage {
    open: bool,
    title: String,
    cause: &'static str,
    side: &'static str,
    when: String,
    touched: String,
}

struct Duty {
    overdue: bool,
    title: String,
    when: String,
    hints: Vec<String>,
}

struct LaneRow {
    facility: String,
    service: String,
    credentials: String,
    circuit: String,
    wrong: bool,
}

struct CheckRow {
    name: String,
    level: &'static str,
    word: &'static str,
    detail: String,
}

/// The page for everybody: the traffic light and the door.
pub(super) fn public(view: &StatusView, zone: &TimeZone, wrong_token: bool) -> Result<String, askama::Error> {
    page(view, zone, wrong_token, None).render()
}

/// The page for somebody who logged in.
pub(super) fn inside(view: &StatusView, zone: &TimeZone, visitor: &str) -> Result<String, askama::Error> {
    let inside = Inside {
        visitor: visitor.to_owned(),
        time: time(view, zone),
        at_least: view.capped,
        attention: attention(view),
        counts: counts(view),
        outages: outages(view, zone),
        duties: duties(view, zone),
        pauses: pauses(view, zone),
        lanes: lanes(view, zone),
        nodes: nodes(view, zone),
        checks: checks(view),
    };
    page(view, zone, false, Some(inside)).render()
}

fn page(view: &StatusView, zone: &TimeZone, wrong_token: bool, inside: Option<Inside>) -> Page {
    let since = text::instant(view.headline.since, zone);
    Page {
        level: view.report.status.word(),
        headline: view.headline.clone(),
        since: format!("{since} ({})", text::span(view.at.duration_since(view.headline.since))),
        at: text::instant(view.at, zone),
        version: env!("CARGO_PKG_VERSION"),
        wrong_token,
        inside,
    }
}

fn time(view: &StatusView, zone: &TimeZone) -> Vec<Figure> {
    let time = &view.time;
    let at = |instant: Option<Timestamp>| instant.map(|at| text::instant(at, zone)).unwrap_or_default();
    let left = time.nearest.map(|late| text::span(late.duration_since(view.at)));
    let age = time.oldest_unfinished.map(|oldest| text::span(view.at.duration_since(oldest)));
    let some = |count: usize| if count > 0 { "degraded" } else { "ok" };
    vec![
        Figure {
            label: "Batas terdekat",
            value: left.unwrap_or_else(|| "—".to_owned()),
            note: at(time.nearest),
            level: some(time.at_risk),
        },
        Figure {
            label: "Hampir terlambat",
            value: time.at_risk.to_string(),
            note: "kurang dari 30 menit lagi".to_owned(),
            level: some(time.at_risk),
        },
        Figure {
            label: "Terlambat",
            value: time.late.to_string(),
            note: "belum sampai, batas lewat".to_owned(),
            level: some(time.late),
        },
        Figure {
            label: "Akan terlambat menurut laju sekarang",
            value: time.foreseen.to_string(),
            note: at(time.foreseen_first),
            level: if time.foreseen > 0 { "degraded" } else { "ok" },
        },
        Figure {
            label: "Entri tertua yang belum selesai",
            value: age.unwrap_or_else(|| "—".to_owned()),
            note: at(time.oldest_unfinished),
            level: "ok",
        },
    ]
}

fn attention(view: &StatusView) -> Vec<Attention> {
    let items = view.attention.iter();
    items
        .map(|item| Attention {
            count: item.count,
            state: text::state(item.state),
            code: item.code.clone(),
            meaning: item.meaning.clone(),
            who: item.who.map_or("petugas", text::who),
            next: item.next.clone(),
            facilities: item.facilities.join(", "),
        })
        .collect()
}

fn counts(view: &StatusView) -> Vec<Row> {
    let cells = |states: &std::collections::BTreeMap<State, i64>| {
        State::ALL.iter().map(|state| (text::state(*state), states.get(state).copied().unwrap_or(0))).collect()
    };
    let row = |count: &super::view::CountView| Row {
        title: count.name.clone(),
        facility: count.facility.clone(),
        service: text::service(&count.service).to_owned(),
        cells: cells(&count.states),
    };
    view.counts.iter().map(row).collect()
}

fn outages(view: &StatusView, zone: &TimeZone) -> Vec<Outage> {
    let outage = |row: &super::view::OutageView| {
        let opened = text::instant(row.opened_at, zone);
        let lasted = text::span(row.closed_at.unwrap_or(view.at).duration_since(row.opened_at));
        let when = match row.closed_at {
            Some(closed) => format!("{opened} – {} ({lasted})", text::instant(closed, zone)),
            None => format!("sejak {opened} ({lasted})"),
        };
        Outage {
            open: row.closed_at.is_none(),
            title: format!("{} · {}", text::service(&row.service), row.facility),
            cause: text::cause(&row.cause),
            side: text::side(row.verdict),
            when,
            touched: format!("{} diterima, {} tertahan, {} terlambat", row.accepted, row.affected, row.late),
        }
    };
    view.outages.iter().map(outage).collect()
}

fn duties(view: &StatusView, zone: &TimeZone) -> Vec<Duty> {
    let duty = |row: &super::view::DutyView| {
        let place = if row.facility == "*" { String::new() } else { format!(" · {}", row.facility) };
        let when = row.due.map(|due| {
            let word = if row.overdue { "lewat sejak" } else { "paling lambat" };
            format!("{word} {}{place}", text::instant(due, zone))
        });
        let clause = (!row.clause.is_empty()).then(|| format!("Dasar: {}", row.clause));
        let hints = [clause, row.note.clone(), row.uncertain.clone()].into_iter().flatten().collect();
        Duty { overdue: row.overdue, title: row.title.clone(), when: when.unwrap_or_default(), hints }
    };
    view.duties.iter().map(duty).collect()
}

fn pauses(view: &StatusView, zone: &TimeZone) -> Vec<String> {
    let pause = |row: &super::view::PauseView| {
        let what = if row.facility == "*" { "Semua pengiriman" } else { row.facility.as_str() };
        format!("{what} dijeda sejak {} oleh {}: {}", text::instant(row.since, zone), row.actor, row.reason)
    };
    view.pauses.iter().map(pause).collect()
}

fn lanes(view: &StatusView, zone: &TimeZone) -> Vec<LaneRow> {
    let since = |at: Option<Timestamp>, wrong: &str, right: &str| match at {
        Some(at) => format!("{wrong} sejak {}", text::instant(at, zone)),
        None => right.to_owned(),
    };
    let lane = |row: &super::view::LaneView| LaneRow {
        facility: row.facility.clone(),
        service: text::service(&row.service).to_owned(),
        credentials: since(row.credentials_refused_since, "ditolak", "tidak ditolak"),
        circuit: since(row.circuit_open_since, "terputus", "terhubung"),
        wrong: row.credentials_refused_since.is_some() || row.circuit_open_since.is_some(),
    };
    view.lanes.iter().map(lane).collect()
}

fn nodes(view: &StatusView, zone: &TimeZone) -> Vec<String> {
    let node = |row: &super::nodes::NodeView| {
        let seen = text::instant(row.seen_at, zone);
        let how = if row.live { "hidup".to_owned() } else { format!("tidak terlihat sejak {seen}") };
        let sends = if row.facilities.is_empty() { "tidak mengirim".to_owned() } else { row.facilities.join(", ") };
        let answers = if row.answers { ", menampilkan halaman ini" } else { "" };
        format!("{} ({how}{answers}, versi {}): {sends}", row.name, row.program)
    };
    view.nodes.iter().map(node).collect()
}

fn checks(view: &StatusView) -> Vec<CheckRow> {
    let word = |level| match level {
        Level::Ok => "baik",
        Level::Degraded => "terganggu",
        Level::Down => "berhenti",
    };
    let row = |check: &super::judge::Check| CheckRow {
        name: check.name.clone(),
        level: check.status.word(),
        word: word(check.status),
        detail: check.detail.clone(),
    };
    view.report.checks.iter().map(row).collect()
}
