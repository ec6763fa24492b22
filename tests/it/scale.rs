//! Thirty days of six puskesmas wait out an outage, then drain: at the limit that BPJS sets and never above it, in the order
//! of their dates, and today's entries before all of them.
//!
//! Intake, store and limiter are the real ones; the clock is moved from one admitted call to the next, so that the figures
//! are exact. In continuous integration the days and the patients are fewer; `JEMBATAN_SCALE=full` takes all of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jembatan::catalogue::{Catalogue, RemoteIds};
use jembatan::chance::Chance;
use jembatan::clock::Clock;
use jembatan::config::{Config, Facility, ServiceConfig};
use jembatan::contract::Contracts;
use jembatan::intake::{Intake, Origin, Settings, read};
use jembatan::queue::transition::Event;
use jembatan::queue::{BootId, Outcome};
use jembatan::remote::Bucket;
use jembatan::secret::Private;
use jembatan::store::sqlite::{self, SqliteStore};
use jembatan::store::{AttemptEnd, Base, ClaimAsk, Recorded, Sealer, SharedStore};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::Value;

use crate::bridge::shipped_day;

const FACILITIES: [&str; 6] = ["0114A021", "0114A022", "0114A023", "0114A024", "0114A025", "0114A026"];
const RATE: u32 = 10;
const ZONE: &str = "Asia/Makassar";
/// The outage ends here, in the morning after the last day.
const LAST_DAY: Date = date(2026, 11, 20);

/// How much of it is done.
struct Size {
    days: i32,
    /// Every so many patients of a day.
    every: usize,
}

impl Size {
    fn asked_for() -> Self {
        let full = std::env::var("JEMBATAN_SCALE").is_ok_and(|size| size == "full");
        if full { Self { days: 30, every: 1 } } else { Self { days: 4, every: 12 } }
    }
}

struct Kota {
    store: SharedStore,
    intake: Intake,
    clock: Clock,
    boot: BootId,
}

fn at(day: Date, hour: i8) -> Timestamp {
    day.at(hour, 0, 0, 0).in_tz(ZONE).unwrap().timestamp()
}

impl Kota {
    fn open(folder: &Path) -> Self {
        let catalogue = Arc::new(Catalogue::shipped().unwrap());
        let sealer = Sealer::new(&[7; 32], &[8; 32]);
        let settings = sqlite::Settings { path: folder.join("jembatan.db"), sealer, catalogue: Arc::clone(&catalogue) };
        let store: SharedStore = Arc::new(SqliteStore::open(settings).unwrap().0);
        let profile = folder.join("bontang-2024.toml");
        std::fs::write(&profile, jembatan::contract::BONTANG).unwrap();
        let contracts = Arc::new(Contracts::load(&profile, None).unwrap());
        let agreements = Arc::clone(&contracts);
        let clock = Clock::manual(at(LAST_DAY - 60.days(), 0));
        let boot = BootId::new(clock.now(), &[1; 10]);
        let facility = |code: &&str| Facility {
            code: (*code).to_owned(),
            name: (*code).to_owned(),
            timezone: TimeZone::get(ZONE).unwrap(),
            pcare: Some(ServiceConfig { base_url: "http://127.0.0.1:9/pcare-rest".to_owned(), app_code: None }),
            vclaim: None,
            antrean_fktp: None,
            icare: None,
            party: Default::default(),
        };
        let facilities = FACILITIES.iter().map(facility).collect();
        let intake = Intake {
            store: Arc::clone(&store),
            catalogue,
            dates: Arc::new(move |rule, time| contracts.deadline(rule, time)),
            area: Arc::new(move |day| agreements.of(day).area_limit(day)),
            clock: clock.clone(),
            chance: Chance::seeded(5),
            settings: Settings { facilities, bpjs_zone: Config::default().remote.timezone, boot },
        };
        Self { store, intake, clock, boot }
    }

    fn set(&self, now: Timestamp) {
        let ahead = now.duration_since(self.clock.now());
        self.clock.advance(Duration::try_from(ahead).unwrap_or_default());
    }

    /// Hands in one puskesmas's day; how many entries.
    async fn hand_in(&self, place: usize, day: Date, every: usize) -> usize {
        let mut entries = 0;
        for submission in shipped_day(day).into_iter().step_by(every) {
            let accepted = self.intake.submit("sim", Origin::Own, read(&own(&submission, place, day)).unwrap()).await;
            entries += accepted.unwrap().deliveries.len();
        }
        entries
    }

    fn base(&self) -> Base {
        Base { boot: self.boot, settle: None, chance: 0.5, others_pass: true }
    }
}

/// The shipped day's submission as another puskesmas and other patients have it.
fn own(submission: &Value, place: usize, day: Date) -> Value {
    let back = day.until(LAST_DAY + 1.day()).unwrap().get_days();
    let text = submission.to_string().replace("0114A026", FACILITIES[place]);
    // Every card of the shipped day begins with these digits, after its quotation mark.
    serde_json::from_str(&text.replace("\"000990", &format!("\"0{back:02}990"))).unwrap()
}

/// A call of a lane: when, and what it carried.
struct Call {
    at: Timestamp,
    late: Option<Timestamp>,
    handed_in_today: bool,
}

/// Drains one puskesmas's P-Care lane as the push loop does, with answers that come at once, until nothing is due.
async fn drain(kota: &Kota, place: usize, from: Timestamp, until: Option<Timestamp>) -> Vec<Call> {
    let (mut bucket, mut now, mut calls) = (Bucket::new(f64::from(RATE), 4), from, Vec::new());
    while until.is_none_or(|until| now < until) {
        if let Err(free_at) = bucket.take(now) {
            now = free_at;
            continue;
        }
        let ask = ClaimAsk {
            facility: FACILITIES[place].to_owned(),
            service: "pcare".to_owned(),
            limit: 1,
            now,
            lease_until: now + SignedDuration::from_secs(60),
            credential_version: 1,
            base: kota.base(),
        };
        let mut claimed = kota.store.claim(ask).await.unwrap();
        let Some(claimed) = claimed.pop() else { break };
        let (id, token, attempt) = (claimed.delivery.id, claimed.token, claimed.attempt);
        let event = Event::Ended(Outcome::Accepted(Private::new(RemoteIds::new())));
        let end = AttemptEnd { outcome: "accepted".to_owned(), ..AttemptEnd::default() };
        let recorded = Recorded { id, token, attempt, event, now, base: kota.base(), end };
        kota.store.record(recorded).await.unwrap().unwrap();
        let today = claimed.delivery.service_date == Some(LAST_DAY + 1.day());
        calls.push(Call { at: now, late: claimed.delivery.deadline.late, handed_in_today: today });
    }
    calls
}

fn never_above_the_limit(calls: &[Call]) {
    let second = SignedDuration::from_secs(1);
    for (place, first) in calls.iter().enumerate() {
        let within = calls[place..].iter().take_while(|call| call.at.duration_since(first.at) <= second).count();
        assert!(within <= RATE as usize, "{within} calls within a second of {}", first.at);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_drains_at_the_limit_in_the_order_of_its_dates_and_todays_entries_go_first() {
    let (folder, size) = (tempfile::tempdir().unwrap(), Size::asked_for());
    let kota = Kota::open(folder.path());
    let mut waiting = BTreeMap::new();
    // The newest day first: the order of acceptance is not the order of dates.
    for back in 0..size.days {
        let day = LAST_DAY - back.days();
        kota.set(at(LAST_DAY, 20) + SignedDuration::from_mins(i64::from(back)));
        for place in 0..FACILITIES.len() {
            *waiting.entry(place).or_insert(0) += kota.hand_in(place, day, size.every).await;
        }
    }
    let over = at(LAST_DAY + 1.day(), 8);
    kota.set(over);
    for place in 0..FACILITIES.len() {
        let half_way = over + SignedDuration::from_secs(waiting[&place] as i64 / i64::from(RATE) / 2);
        let first = drain(&kota, place, over, Some(half_way)).await;
        kota.set(half_way);
        let today = kota.hand_in(place, LAST_DAY + 1.day(), size.every).await;
        let rest = drain(&kota, place, half_way, None).await;
        assert_eq!(first.len() + rest.len(), waiting[&place] + today, "everything drains");
        let (urgent, backlog) = rest.split_at(today);
        assert!(first.iter().all(|call| !call.handed_in_today) && first.len() > 20);
        assert!(urgent.iter().all(|call| call.handed_in_today), "today's entries overtake the backlog");
        let dates: Vec<_> = first.iter().chain(backlog).map(|call| call.late).collect();
        assert!(dates.is_sorted(), "the backlog goes in the order of its dates");
        for part in [&first, &rest] {
            never_above_the_limit(part);
        }
        let took = rest[rest.len() - 1].at.duration_since(rest[0].at).as_secs_f64();
        let reached = (rest.len() - 1) as f64 / took / f64::from(RATE);
        assert!(reached >= 0.95, "{reached:.3} of the limit");
        println!(
            "{}: {} entries waited, {today} came meanwhile, {reached:.3} of the limit",
            FACILITIES[place], waiting[&place]
        );
    }
}
