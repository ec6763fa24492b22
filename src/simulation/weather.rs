//! What goes wrong by itself: outages, partitions, refused passwords, steps of the clock, deaths of the process.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::dice::Dice;
use super::network::Weather;
use super::run::Bench;
use super::store::Moment;
use crate::simulator::DownMode;
use crate::simulator::faults::{Fault, Kind};

/// Moods of BPJS that strike single writes, each with this many thousandths of the run's chance.
const MOODS: [Kind; 14] = [
    Kind::Html500,
    Kind::Html503,
    Kind::Html200,
    Kind::EmptyBody,
    Kind::TruncatedBase64,
    Kind::WrongTimestampSeal,
    Kind::UnauthorizedDuplicate,
    Kind::NullReference500,
    Kind::DoubleEncoded,
    Kind::CrlfNames,
    Kind::ObjectForArray,
    Kind::CodeAsText,
    Kind::FailedDependency424,
    Kind::NoContent204Empty,
];

/// Gives every facility's BPJS its moods for the first part of the run.
pub(super) fn moods(bench: &Bench) {
    let options = &bench.hub.options;
    let share = |thousandths: u64, count: u64| {
        let per_mille = u32::try_from(thousandths).unwrap_or(0);
        f64::from(per_mille) / 1000.0 / f64::from(u32::try_from(count).unwrap_or(1))
    };
    let mut faults = Vec::new();
    if options.mood > 0 {
        let chance = share(options.mood, MOODS.len() as u64);
        faults.extend(MOODS.map(|kind| Fault { probability: Some(chance), ..Fault::new("write", kind) }));
        let slow = Fault::new("*", Kind::Slow).lasting(options.latency * 2);
        faults.push(Fault { probability: Some(chance), ..slow });
    }
    if options.hidden > 0 {
        let most = u64::try_from(options.hidden_most().as_millis()).unwrap_or(0);
        for part in [most, most / 2, most / 8] {
            let hidden = Fault::new("write", Kind::DelayedVisibility).lasting(part.max(1));
            faults.push(Fault { probability: Some(share(options.hidden, 3)), ..hidden });
        }
    }
    for simulator in &bench.hub.bpjs {
        simulator.add_faults(faults.clone()).expect("faults that exist");
    }
}

/// One episode after another, each over a facility or all.
pub(super) async fn episodes(bench: Arc<Bench>, number: u64) {
    let (hub, dice) = (&bench.hub, bench.hub.dice(&format!("episode {number}")));
    let span = u64::try_from(hub.options.span.as_millis()).unwrap_or(0);
    tokio::time::sleep(dice.millis(0, span)).await;
    let lasts = dice.spread(Duration::from_secs(1), hub.options.longest);
    let site = dice.place(hub.sites.len());
    bench.long_wait(lasts);
    match dice.below(8) {
        0 => sky(&bench, site, Weather::NoName, lasts).await,
        1 => sky(&bench, site, Weather::NoWay, lasts).await,
        2 => sky(&bench, site, Weather::Hole, lasts).await,
        3 => sky(&bench, site, Weather::TooMany, lasts.min(Duration::from_mins(5))).await,
        4 => down(&bench, site, DownMode::Http503, lasts).await,
        5 => down(&bench, site, DownMode::Hang, lasts).await,
        _ => password(&bench, site, number, lasts).await,
    }
    bench.wait_over();
}

async fn sky(bench: &Bench, site: usize, weather: Weather, lasts: Duration) {
    let what = match weather {
        Weather::Fair => "weather: fair",
        Weather::NoName => "weather: no names",
        Weather::NoWay => "weather: no way",
        Weather::Hole => "weather: everything vanishes",
        Weather::TooMany => "weather: too many requests",
    };
    bench.hub.event(what, site, lasts.as_secs());
    let set = |to: Weather| bench.machine.skies.lock().unwrap_or_else(PoisonError::into_inner)[site] = to;
    set(weather);
    tokio::time::sleep(lasts).await;
    set(Weather::Fair);
    bench.hub.event("weather: fair", site, 0);
}

async fn down(bench: &Bench, site: usize, mode: DownMode, lasts: Duration) {
    bench.hub.event("BPJS down", site, lasts.as_secs());
    bench.hub.bpjs[site].down(mode, None);
    tokio::time::sleep(lasts).await;
    bench.hub.bpjs[site].up();
    bench.hub.event("BPJS up", site, 0);
}

async fn password(bench: &Bench, site: usize, number: u64, lasts: Duration) {
    let new = format!("Simulasi#{number}");
    bench.hub.event("password changed", site, lasts.as_secs());
    bench.machine.change_password(site, &new);
    tokio::time::sleep(lasts).await;
    bench.machine.learn_password(site);
    bench.hub.event("password in the vault", site, 0);
}

/// Steps of the wall clock, there and back.
pub(super) async fn clock_steps(bench: Arc<Bench>) {
    let (hub, dice) = (&bench.hub, bench.hub.dice("clock"));
    let span = u64::try_from(hub.options.span.as_millis()).unwrap_or(0);
    for _ in 0..hub.options.steps {
        tokio::time::sleep(dice.millis(0, span / (hub.options.steps + 1))).await;
        let most = i64::try_from(hub.options.step_most.as_millis()).unwrap_or(0);
        let far = i64::try_from(dice.below(u64::try_from(2 * most + 1).unwrap_or(1))).unwrap_or(0) - most;
        hub.step_clock(far);
        let what = if far > 0 { "clock ahead" } else { "clock behind" };
        hub.event(what, 0, far.unsigned_abs());
        tokio::time::sleep(dice.spread(Duration::from_secs(1), Duration::from_mins(10))).await;
        hub.step_clock(0);
        hub.event("clock right", 0, 0);
    }
}

/// When the next death comes: at a time, or at a step of the process.
pub(super) async fn deaths(bench: Arc<Bench>) {
    let (hub, dice) = (&bench.hub, bench.hub.dice("deaths"));
    let span = u64::try_from(hub.options.span.as_millis()).unwrap_or(0);
    for _ in 0..hub.options.kills {
        tokio::time::sleep(dice.millis(0, 2 * span / (hub.options.kills + 1))).await;
        bench.back_up();
        tokio::time::sleep(dice.millis(0, span / 2)).await;
        let Some(process) = bench.ready() else { continue };
        match dice.below(8) {
            0 | 1 => {
                hub.event("killed at a time", 0, 0);
                process.life.end();
            }
            2 => process.life.await_moment(Moment::Absent),
            3 => process.life.await_moment(Moment::Claimed),
            _ => process.life.doom(doom(&dice), dice.strikes(500)),
        }
    }
}

fn doom(dice: &Dice) -> i64 {
    dice.pick(&[0, 1, 2, 3, 5, 8, 13, 30])
}
