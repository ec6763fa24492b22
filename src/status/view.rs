//! What the status page and `jembatan status` show: one struct for both.
//!
//! Job: put facts, judgement and the queue's totals on one screen, within the facilities that the reader may see.
//! Invariants: no personal data and no BPJS words (they may name a patient): only codes, counts, meanings and next steps
//! of the catalogue, and long numbers are blotted out even there. What it does not do: layout.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::advice::{self, Headline};
use super::gather::{self, Rows};
use super::judge::{self, Facts, Report};
use super::live::Live;
use super::nodes::{self, NodeView};
use super::text;
use crate::config::Facility;
use crate::contract::{Calendar, Obligation, ObligationState, uncertain_words};
use crate::queue::{Delivery, State};
use crate::store::{DeliveryFilter, Store, StoreError, Verdict};

/// Rows read per question of the store.
const PAGE: usize = 1000;
/// Rows looked at per state before the view says "at least".
const MOST: usize = 5000;
/// Ended outages shown.
const LAST_OUTAGES: usize = 5;

/// One screen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusView {
    /// When it was gathered.
    pub at: Timestamp,
    /// The traffic light in words.
    pub headline: Headline,
    /// The judgement with its checks.
    pub report: Report,
    /// How long have I got.
    pub time: TimeView,
    /// What must I do.
    pub attention: Vec<AttentionView>,
    /// Counts by facility, service and state.
    pub counts: Vec<CountView>,
    /// Open outages and the last ones.
    pub outages: Vec<OutageView>,
    /// What is paused.
    pub pauses: Vec<PauseView>,
    /// Credentials and circuit of every lane.
    pub lanes: Vec<LaneView>,
    /// The nodes that share the database; empty where the process is alone.
    #[serde(default)]
    pub nodes: Vec<NodeView>,
    /// Duties whose date is near or has passed, by date.
    pub duties: Vec<DutyView>,
    /// Whether there were more rows than were looked at: counts of `time` and `attention` are then "at least".
    pub capped: bool,
}

/// How long have I got.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeView {
    /// Nearest late date of an unfinished entry that has not passed.
    pub nearest: Option<Timestamp>,
    /// Unfinished entries whose late date is less than half an hour away.
    pub at_risk: usize,
    /// Unfinished entries past their late date.
    pub late: usize,
    /// Unfinished entries that will miss their late date at the present rate.
    pub foreseen: i64,
    /// The nearest date that will be missed.
    pub foreseen_first: Option<Timestamp>,
    /// Acceptance of the oldest unfinished entry.
    pub oldest_unfinished: Option<Timestamp>,
}

/// Entries that need a person, by the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionView {
    /// `refused`, `held` or `expired`.
    pub state: State,
    /// `why.code`.
    pub code: String,
    /// How many.
    pub count: usize,
    /// Where.
    pub facilities: Vec<String>,
    /// What it means, in Indonesian.
    pub meaning: String,
    /// Who must act.
    pub who: Option<crate::catalogue::Who>,
    /// What to do next, in Indonesian.
    pub next: String,
}

/// A count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountView {
    /// kdProvider.
    pub facility: String,
    /// Name for people.
    pub name: String,
    /// Service word.
    pub service: String,
    /// How many in each state that has any.
    pub states: BTreeMap<State, i64>,
}

/// An outage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutageView {
    /// Its number.
    pub id: i64,
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// First evidence.
    pub opened_at: Timestamp,
    /// Evidence of its end.
    pub closed_at: Option<Timestamp>,
    /// The layer that failed.
    pub cause: String,
    /// Whose fault.
    pub verdict: Verdict,
    /// Entries accepted, unfinished and late because of it.
    pub accepted: i64,
    /// Entries unfinished while it lasted.
    pub affected: i64,
    /// Entries that became late because of it.
    pub late: i64,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    /// kdProvider, or `*`.
    pub facility: String,
    /// Why, long numbers blotted out.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Since when.
    pub since: Timestamp,
}

/// A lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneView {
    /// kdProvider.
    pub facility: String,
    /// Service word.
    pub service: String,
    /// Since when BPJS refuses the credentials.
    pub credentials_refused_since: Option<Timestamp>,
    /// Since when the circuit is open.
    pub circuit_open_since: Option<Timestamp>,
}

/// A duty of the agreement that somebody must see to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyView {
    /// Its id.
    pub id: String,
    /// kdProvider, or `*`.
    pub facility: String,
    /// What must be done, in Indonesian.
    pub title: String,
    /// Where the agreement says so.
    pub clause: String,
    /// Its last instant; none: it could not be dated, and the title says why.
    pub due: Option<Timestamp>,
    /// Whether its date has passed.
    pub overdue: bool,
    /// What dates or moves it, long numbers blotted out.
    pub note: Option<String>,
    /// On which unconfirmed holidays its date rests, in words.
    pub uncertain: Option<String>,
}

/// What the reader may see and what the configuration names.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Every facility served.
    pub configured: &'a [Facility],
    /// Only these; empty: all.
    pub only: &'a [String],
}

impl Scope<'_> {
    fn allows(&self, facility: &str) -> bool {
        self.only.is_empty() || facility == "*" || self.only.iter().any(|own| own == facility)
    }

    fn name(&self, code: &str) -> String {
        let known = self.configured.iter().find(|facility| facility.code == code);
        known.map_or_else(|| code.to_owned(), |facility| facility.name.clone())
    }
}

impl StatusView {
    /// Gathers the screen. A store that fails gives a red screen, not an error.
    pub async fn gather(store: &dyn Store, live: &Live, scope: Scope<'_>, calendar: &Calendar, now: Timestamp) -> Self {
        let lanes = gather::lanes_of(scope.configured);
        let (mut facts, rows) = gather::gather(store, live, &lanes, now).await;
        let mut capped = false;
        let (mut time, mut attention, mut duties) = (TimeView::default(), Vec::new(), Vec::new());
        if facts.store_fault.is_none() {
            match scan(store, scope, now).await {
                Ok(found) => (time, attention, capped) = found,
                Err(_unreadable) => facts.store_fault = Some("unreadable".to_owned()),
            }
            match pressing(store, scope, calendar, now).await {
                Ok(found) => duties = found,
                Err(_unreadable) => facts.store_fault = Some("unreadable".to_owned()),
            }
        }
        restrict(&mut facts, scope, &time);
        time.foreseen = facts.outlook.iter().map(|lane| lane.at_risk).sum();
        time.foreseen_first = facts.outlook.iter().filter_map(|lane| lane.first).min();
        let report = judge::judge(&facts, now);
        let paused = rows.pauses.iter().filter(|pause| scope.allows(&pause.facility)).map(|pause| pause.since).min();
        Self {
            at: now,
            headline: advice::headline(&report, paused, facts.live.started),
            report,
            time,
            attention,
            counts: counts(&rows, scope),
            outages: outages(&rows, scope),
            pauses: pauses(&rows, scope),
            lanes: lanes_view(&facts),
            nodes: nodes::views(facts.live.nodes.as_ref()),
            duties,
            capped,
        }
    }
}

impl StatusView {
    /// The traffic light alone, for those who are not logged in: no rows, no facility, no count.
    pub async fn light(store: &dyn Store, live: &Live, configured: &[Facility], now: Timestamp) -> Self {
        let lanes = gather::lanes_of(configured);
        let (facts, rows) = gather::gather(store, live, &lanes, now).await;
        let mut report = judge::judge(&facts, now);
        let paused = rows.pauses.iter().map(|pause| pause.since).min();
        let headline = advice::headline(&report, paused, facts.live.started);
        report.checks.clear();
        Self {
            at: now,
            headline,
            report,
            time: TimeView::default(),
            attention: Vec::new(),
            counts: Vec::new(),
            outages: Vec::new(),
            pauses: Vec::new(),
            lanes: Vec::new(),
            nodes: Vec::new(),
            duties: Vec::new(),
            capped: false,
        }
    }
}

/// Duties that are due soon or overdue, and what could not be dated.
async fn pressing(
    store: &dyn Store,
    scope: Scope<'_>,
    calendar: &Calendar,
    now: Timestamp,
) -> Result<Vec<DutyView>, StoreError> {
    let (duties, undated) = calendar.duties(&store.events().await?, &store.marks().await?, now);
    let pressing = |duty: &Obligation| match duty.state {
        ObligationState::Remind | ObligationState::Overdue => scope.allows(&duty.facility),
        ObligationState::Open | ObligationState::Done => false,
    };
    let view = |duty: Obligation| DutyView {
        overdue: duty.state == ObligationState::Overdue,
        note: duty.note.as_deref().map(text::without_numbers),
        uncertain: uncertain_words(&duty.uncertain),
        due: duty.due,
        id: duty.id,
        facility: duty.facility,
        title: duty.title,
        clause: duty.clause,
    };
    let unread = |title: String| DutyView {
        id: String::new(),
        facility: "*".to_owned(),
        title,
        clause: String::new(),
        due: None,
        overdue: true,
        note: None,
        uncertain: None,
    };
    Ok(undated.into_iter().map(unread).chain(duties.into_iter().filter(pressing).map(view)).collect())
}

/// A reader bound to a facility is shown that facility's light.
fn restrict(facts: &mut Facts, scope: Scope<'_>, time: &TimeView) {
    facts.lanes.retain(|lane| scope.allows(&lane.facility));
    facts.outages.retain(|outage| scope.allows(&outage.facility));
    facts.outlook.retain(|lane| scope.allows(&lane.facility));
    facts.live.clocks.retain(|reading| scope.allows(&reading.facility));
    if let Some(nodes) = &mut facts.live.nodes {
        nodes.owners.retain(|row| scope.allows(&row.facility));
    }
    if !scope.only.is_empty() {
        facts.late = i64::try_from(time.late).unwrap_or(i64::MAX);
        facts.nearest_late = time.nearest;
    }
}

async fn scan(
    store: &dyn Store,
    scope: Scope<'_>,
    now: Timestamp,
) -> Result<(TimeView, Vec<AttentionView>, bool), StoreError> {
    let mut capped = false;
    let mut time = TimeView::default();
    let mut groups = BTreeMap::new();
    for state in [State::Waiting, State::Sending, State::Unanswered] {
        capped |= each(store, scope, state, |delivery| time.add(delivery, now)).await?;
    }
    for state in [State::Refused, State::Held, State::Expired] {
        capped |= each(store, scope, state, |delivery| group(&mut groups, delivery)).await?;
    }
    let mut attention: Vec<AttentionView> = groups.into_values().collect();
    attention.sort_by_key(|item| std::cmp::Reverse(item.count));
    Ok((time, attention, capped))
}

/// Calls `see` for each delivery of a state; whether there were more than [`MOST`].
async fn each(
    store: &dyn Store,
    scope: Scope<'_>,
    state: State,
    mut see: impl FnMut(&Delivery),
) -> Result<bool, StoreError> {
    let mut after = None;
    for _page in 0..MOST / PAGE {
        let filter = DeliveryFilter {
            facilities: scope.only.to_vec(),
            state: Some(state),
            after,
            limit: PAGE,
            ..DeliveryFilter::default()
        };
        let page = store.deliveries(filter).await?;
        page.items.iter().for_each(&mut see);
        after = page.next;
        if after.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

impl TimeView {
    fn add(&mut self, delivery: &Delivery, now: Timestamp) {
        let oldest = self.oldest_unfinished.map_or(delivery.accepted_at, |oldest| oldest.min(delivery.accepted_at));
        self.oldest_unfinished = Some(oldest);
        let Some(late) = delivery.deadline.late else { return };
        if now > late {
            self.late += 1;
            return;
        }
        self.nearest = Some(self.nearest.map_or(late, |nearest| nearest.min(late)));
        if late < now + judge::DEADLINE_NEAR {
            self.at_risk += 1;
        }
    }
}

type Groups = BTreeMap<(State, String), AttentionView>;

fn group(groups: &mut Groups, delivery: &Delivery) {
    let state = delivery.progress.state;
    let why = delivery.progress.why.as_ref();
    let code = why.map_or_else(|| state.word().to_owned(), |why| why.code.clone());
    let item = groups.entry((state, code.clone())).or_insert_with(|| AttentionView {
        state,
        code,
        count: 0,
        facilities: Vec::new(),
        meaning: why.map_or_else(|| advice::meaning(state), |why| text::without_numbers(&why.meaning)),
        who: why.map(|why| why.who),
        next: why.map_or_else(|| advice::next(state), |why| text::without_numbers(&why.next)),
    });
    item.count += 1;
    // A step that names one delivery would mislead about the others.
    if why.is_some_and(|why| text::without_numbers(&why.next) != item.next) {
        item.next = advice::next(state);
    }
    if !item.facilities.contains(&delivery.facility) {
        item.facilities.push(delivery.facility.clone());
    }
}

fn counts(rows: &Rows, scope: Scope<'_>) -> Vec<CountView> {
    let mut views: BTreeMap<(String, String), BTreeMap<State, i64>> = BTreeMap::new();
    let lanes = gather::lanes_of(scope.configured);
    for lane in lanes.into_iter().filter(|(facility, _)| scope.allows(facility)) {
        views.entry(lane).or_default();
    }
    for row in rows.totals.counts.iter().filter(|row| scope.allows(&row.facility)) {
        let states = views.entry((row.facility.clone(), row.service.clone())).or_default();
        *states.entry(row.state).or_insert(0) += row.count;
    }
    views
        .into_iter()
        .map(|((facility, service), states)| CountView { name: scope.name(&facility), facility, service, states })
        .collect()
}

fn outages(rows: &Rows, scope: Scope<'_>) -> Vec<OutageView> {
    let (open, ended): (Vec<_>, Vec<_>) =
        rows.outages.iter().filter(|row| scope.allows(&row.facility)).partition(|row| row.closed_at.is_none());
    let shown = open.into_iter().chain(ended.into_iter().take(LAST_OUTAGES));
    shown
        .map(|row| OutageView {
            id: row.id,
            facility: row.facility.clone(),
            service: row.service.clone(),
            opened_at: row.opened_at,
            closed_at: row.closed_at,
            cause: row.cause.clone(),
            verdict: row.verdict,
            accepted: row.accepted,
            affected: row.affected,
            late: row.late,
        })
        .collect()
}

fn pauses(rows: &Rows, scope: Scope<'_>) -> Vec<PauseView> {
    let shown = rows.pauses.iter().filter(|row| scope.allows(&row.facility));
    shown
        .map(|row| PauseView {
            facility: row.facility.clone(),
            reason: text::without_numbers(&row.reason),
            actor: row.actor.clone(),
            since: row.since,
        })
        .collect()
}

fn lanes_view(facts: &Facts) -> Vec<LaneView> {
    facts
        .lanes
        .iter()
        .map(|lane| LaneView {
            facility: lane.facility.clone(),
            service: lane.service.clone(),
            credentials_refused_since: lane.refused_since,
            circuit_open_since: lane.open_since,
        })
        .collect()
}
