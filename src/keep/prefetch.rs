//! Fetching references ahead, so that they are there when BPJS is not.
//!
//! Job: what is to be fetched and when ([`tasks`], [`is_due`]: pure), and one gentle loop per lane ([`Prefetch::run`]).
//! Invariants: one request at a time and lane, a pause after each, within the lane's rate; only while the circuit is
//! closed, the credentials are not refused and no entry of the lane is due; a list is kept whole once all its pages were
//! read, so that what is kept is not half a list while a new reading is under way; what failed is left alone for a while.
//! Neighbours: `daemon` spawns it. What it does not do: members' standing (nobody asked for it), writes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Answer, Ask, Keep, list};
use crate::catalogue::{Catalogue, Keep as Kind, Method, Operation, Service, render_path};
use crate::clock::Clock;
use crate::observe::{Observe, Seen};
use crate::protocol::sign::Stamp;
use crate::remote::{Lane, Passed, Remote, circuit};
use crate::store::{ListSummary, SharedStore, StoreError};

/// Looks around at least this often, so that the watchdog knows that it lives.
const LOOK_AROUND: Duration = Duration::from_secs(20);
/// Longest one request may take, the wait for the rate included.
const PATIENCE: Duration = Duration::from_secs(40);
/// An entry due within this time goes first.
const SLACK: Duration = Duration::from_secs(5);
/// What failed is tried again after this long.
const AGAIN: Duration = Duration::from_mins(15);
/// Rows per page where the catalogue does not say.
const PAGE: u64 = 500;
/// Pages of one list at most.
const MAX_PAGES: usize = 200;

/// The loop of one lane.
pub struct Prefetch {
    /// What is kept.
    pub keep: Arc<Keep>,
    /// Whether entries are due.
    pub store: SharedStore,
    /// The way out.
    pub remote: Remote,
    /// The operations.
    pub catalogue: Arc<Catalogue>,
    /// Time.
    pub clock: Clock,
    /// Health.
    pub observe: Observe,
}

/// One list (or one word of a list) to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    /// Catalogue operation.
    pub operation: String,
    /// Its arguments without paging.
    pub args: Vec<(String, String)>,
}

/// What a facility's service is to be asked ahead: the arguments of the catalogue, and `keywords` for every list that is
/// searched by words only. `@facility` and `@today` in the table stand for themselves.
#[must_use]
pub fn tasks(catalogue: &Catalogue, service: Service, facility: &str, today: Date, keywords: &[String]) -> Vec<Task> {
    let mut tasks = Vec::new();
    let kept = |operation: &&Operation| {
        operation.service == service && operation.keep == Some(Kind::Reference) && operation.method == Method::Get
    };
    for operation in catalogue.operations().filter(kept) {
        let own = |args: Vec<(String, String)>| Task { operation: operation.name.clone(), args };
        for args in &operation.prefetch {
            let filled = args.iter().map(|(name, value)| {
                let value = match value.as_str() {
                    "@facility" => facility.to_owned(),
                    "@today" => operation.field(name).map_or_else(
                        || today.to_string(),
                        |field| {
                            // The day as the field spells it: the ISO form unless it wants day first.
                            let iso = today.to_string();
                            if field.kind.day(&iso).is_some() { iso } else { today.strftime("%d-%m-%Y").to_string() }
                        },
                    ),
                    other => other.to_owned(),
                };
                (name.clone(), value)
            });
            tasks.push(own(filled.collect()));
        }
        let search = operation.search.clone().unwrap_or_default();
        let Some(term) = search.term else { continue };
        let paging = [search.start, search.limit];
        let only_words = operation
            .placeholders()
            .all(|name| name == term || paging.iter().any(|paging| paging.as_deref() == Some(name)));
        if only_words {
            tasks.extend(keywords.iter().map(|word| own(vec![(term.clone(), word.clone())])));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    tasks.retain(|task| seen.insert(task.clone()));
    tasks
}

/// Whether a task is to be done: its list was never read to the end, or is older than `refresh`, or than `wanted`.
#[must_use]
pub fn is_due(
    ask: Ask<'_>,
    lists: &[ListSummary],
    refresh: Duration,
    wanted: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let Some(place) = list::Place::of(ask) else { return false };
    let kept = lists.iter().find(|list| list.list == place.list);
    let term = kept.and_then(|list| list.terms.iter().find(|term| term.words == place.words));
    term.filter(|term| term.complete)
        .is_none_or(|term| now >= term.begun_at + refresh || wanted.is_some_and(|wanted| term.begun_at < wanted))
}

impl Prefetch {
    /// Runs until the shutdown.
    pub async fn run(self, lane: Arc<Lane>, stop: CancellationToken) {
        let (refresh, pause) = (self.keep.config.refresh, self.keep.config.pause);
        if refresh.is_zero() {
            return;
        }
        let mut later: HashMap<Task, Timestamp> = HashMap::new();
        while !stop.is_cancelled() {
            (self.observe)(Seen::Beat(&heart(&lane)));
            failpoint!(await "loop.prefetch");
            let next = match self.next(&lane, &later, refresh).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, facility = lane.facility, "kept references not looked at");
                    None
                }
            };
            let Some(task) = next else {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.clock.sleep(LOOK_AROUND.min(refresh)) => {}
                    () = self.keep.wake.notified() => later.clear(),
                }
                continue;
            };
            let now = self.clock.now();
            let (operation, facility) = (task.operation.clone(), lane.facility.as_str());
            match self.fetch(&lane, &task, pause, &stop).await {
                Ok(rows) => {
                    later.insert(task, now + AGAIN);
                    tracing::debug!(operation, facility, rows, "reference fetched ahead");
                }
                Err(why) => {
                    later.insert(task, now + AGAIN);
                    tracing::debug!(operation, facility, why, "reference not fetched");
                }
            }
            self.wait(pause, &stop).await;
        }
    }

    async fn wait(&self, pause: Duration, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.clock.sleep(pause) => {}
        }
    }

    /// The first task that is due, if the lane has room for it.
    async fn next(
        &self,
        lane: &Lane,
        later: &HashMap<Task, Timestamp>,
        refresh: Duration,
    ) -> Result<Option<Task>, StoreError> {
        let now = self.clock.now();
        if !self.has_room(lane).await? {
            return Ok(None);
        }
        let facility = lane.facility.as_str();
        let (today, words) = (self.remote.bpjs_day(), &self.keep.config.keywords);
        let lists = self.keep.lists(Some(facility)).await?;
        let wanted = self.keep.wanted_since(facility);
        let due = |task: &Task| {
            let Some(operation) = self.catalogue.operation(&task.operation) else { return false };
            let ask = Ask { facility, operation, params: &task.args };
            later.get(task).is_none_or(|until| now >= *until) && is_due(ask, &lists, refresh, wanted, now)
        };
        Ok(tasks(&self.catalogue, lane.service, facility, today, words).into_iter().find(due))
    }

    /// Whether nothing of the queue's own work waits for this lane, and BPJS is there.
    async fn has_room(&self, lane: &Lane) -> Result<bool, StoreError> {
        if !lane.is_ours() || lane.circuit() != circuit::State::Closed {
            return Ok(false);
        }
        let stops = self.store.lane_stops().await?;
        if stops.iter().any(|stop| stop.facility == lane.facility && stop.service == lane.service.word()) {
            return Ok(false);
        }
        let due = self.store.next_due(&lane.facility, lane.service.word()).await?;
        Ok(due.is_none_or(|due| due > self.clock.now() + SLACK))
    }

    /// Reads all pages of one list and keeps it; how many rows. The error says why in a word of ours.
    async fn fetch(
        &self,
        lane: &Lane,
        task: &Task,
        pause: Duration,
        stop: &CancellationToken,
    ) -> Result<usize, String> {
        let operation = self.catalogue.operation(&task.operation).ok_or("retired")?;
        let ask = Ask { facility: &lane.facility, operation, params: &task.args };
        let began = self.clock.now();
        let limit = operation.page.map_or(PAGE, u64::from);
        let paged = operation.search.as_ref().is_some_and(|search| search.start.is_some());
        let mut all: Option<list::Read> = None;
        for page in 0..MAX_PAGES {
            if page > 0 {
                self.wait(pause, stop).await;
                (self.observe)(Seen::Beat(&heart(lane)));
                if stop.is_cancelled() || !self.has_room(lane).await.map_err(|error| error.to_string())? {
                    return Err("no room".to_owned());
                }
            }
            let start = all.as_ref().map_or(0, |all| all.rows.len());
            let passed = self.page(lane, ask, start as u64, limit).await?;
            let nothing = self.keep.says_no_data(operation, &passed);
            if !(passed.success || nothing) {
                return Err(format!("code {}", passed.code));
            }
            let answer = Answer::of(&passed).ok_or("not opened")?;
            let read = if nothing {
                list::Read::nothing(operation, &answer)
            } else {
                list::read(operation, &answer).ok_or("no list in the answer")?
            };
            let brought = join(&mut all, read, limit);
            let Some(joined) = &all else { break };
            let enough = joined.count.is_some_and(|count| joined.rows.len() as u64 >= count);
            if !paged || enough || brought == 0 {
                break;
            }
        }
        let all = all.ok_or("nothing read")?;
        let (rows, now) = (all.rows.len(), self.clock.now());
        let complete = all.count.is_none_or(|count| rows as u64 >= count);
        if rows == 0 && !is_worded(ask) {
            return Err("an empty list".to_owned());
        }
        self.keep.whole(ask, all, complete, began, now).await.map_err(|error| error.to_string())?;
        if complete { Ok(rows) } else { Err("fewer rows than counted".to_owned()) }
    }

    async fn page(&self, lane: &Lane, ask: Ask<'_>, start: u64, limit: u64) -> Result<Passed, String> {
        let Ask { facility, operation, params } = ask;
        let search = operation.search.clone().unwrap_or_default();
        let value = |name: &str| {
            let given = params.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
            let paging = |own: &Option<String>, number: u64| (own.as_deref() == Some(name)).then(|| number.to_string());
            given.or_else(|| paging(&search.start, start)).or_else(|| paging(&search.limit, limit))
        };
        let path = render_path(&operation.path, value).map_err(|_| "an argument is missing".to_owned())?;
        let passed = async {
            self.remote.admit(facility, operation.service).await;
            let stamp = Stamp::at(self.clock.now());
            self.remote.pass(facility, operation, &path, None, stamp).await
        };
        let passed = tokio::time::timeout(PATIENCE, passed).await.map_err(|_| "too slow".to_owned())?;
        let evidence = passed.as_ref().map_or_else(|failure| failure.evidence, |passed| passed.evidence);
        lane.heard(evidence, self.clock.now());
        passed.map_err(|failure| failure.why)
    }
}

/// Its name for the watchdog: each lane has its own, so that one that stands still is not covered by another.
fn heart(lane: &Lane) -> String {
    format!("prefetch.{}.{}", lane.facility, lane.service.word())
}

fn is_worded(ask: Ask<'_>) -> bool {
    list::Place::of(ask).is_some_and(|place| place.is_searched())
}

/// Puts a page behind what was read; how many rows of it are new. Whether BPJS counts from 0 or from 1 is written nowhere
/// (wire facts §4.2): a row that stood at the end of the page before is not taken twice.
fn join(all: &mut Option<list::Read>, page: list::Read, limit: u64) -> usize {
    let Some(all) = all else {
        let brought = page.rows.len();
        *all = Some(page);
        return brought;
    };
    all.count = page.count.or(all.count);
    let before = all.rows.len();
    let shared = before.saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    let new: Vec<Value> =
        page.rows.into_iter().filter(|row| !all.rows.get(shared..before).unwrap_or_default().contains(row)).collect();
    let brought = new.len();
    all.rows.extend(new);
    brought
}
