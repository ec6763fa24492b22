//! The calendar of obligations: every dated duty of the agreement, with its state.
//!
//! Job: from rules, events and marks to dated duties. Pure. Invariants: ids are stable (rule, occurrence, place), so that
//! a mark and a calendar entry find them again; a duty whose event was not recorded has no date and is `open`; of two
//! clauses on one duty both are shown and the stricter reminds. Neighbours: the store keeps events and marks. What it does
//! not do: send reminders, decide that something is done.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::agreements::Contracts;
use super::calendar::{day_of_month, end_of_day, months_earlier, months_later, start_of_day};
use super::known::Certificate;
use super::profile::{Each, Profile, Rule, RuleKind, Trigger, Unit};
use crate::words::words;

/// Duties whose date passed longer ago are no longer listed.
const BACK: i32 = 31;
/// Monthly duties are listed so many days ahead.
const AHEAD: i32 = 62;
/// Events are listed for so long.
const EVENTS: i32 = 400;
/// In place of a facility: the agreement as a whole.
const ALL: &str = "*";

words! {
    /// What a duty needs now.
    ObligationState {
        /// Marked as done.
        Done = "done",
        /// Its reminder has begun.
        Remind = "remind",
        /// Not yet.
        Open = "open",
        /// Its date has passed and nobody has marked it.
        Overdue = "overdue",
    }
}

/// An event that a person recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: i64,
    /// What happened or is planned.
    pub kind: Trigger,
    /// kdProvider, or `*` for the agreement.
    pub facility: String,
    /// When.
    pub at: Timestamp,
    /// When it ended, if it lasts.
    pub until: Option<Timestamp>,
    /// Why, in the person's words.
    pub remark: String,
    /// Who recorded it.
    pub actor: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// A mark that a duty is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Done {
    /// The duty.
    pub id: String,
    /// When it was marked.
    pub at: Timestamp,
    /// By whom.
    pub actor: String,
    /// In the person's words.
    pub remark: String,
}

/// One duty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Obligation {
    /// Stable: rule, occurrence, and place where it is a facility's.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// kdProvider, or `*`.
    pub facility: String,
    /// What must be done, in Indonesian.
    pub title: String,
    /// Where the agreement says so.
    pub clause: String,
    /// The profile it comes from.
    pub profile: String,
    /// Its last instant; `None`: it waits for an event.
    pub due: Option<Timestamp>,
    /// The day of `due` at the facility.
    pub day: Option<Date>,
    /// From when it is reminded of.
    pub remind_from: Option<Timestamp>,
    /// What moved it, or what it waits for, in Indonesian.
    pub note: Option<String>,
    /// Holidays that its date rests on and that nobody compared with the decree.
    pub uncertain: Vec<Date>,
    /// The stricter duty on the same matter, if this is not it.
    pub stricter: Option<String>,
    /// The mark.
    pub done: Option<Done>,
    /// What it needs now.
    pub state: ObligationState,
}

/// A facility with its zone and what the bridge knows of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// kdProvider.
    pub code: String,
    /// Its zone.
    pub zone: TimeZone,
    /// When its P-Care password was put into the vault.
    pub password_set: Option<Timestamp>,
}

/// What the calendar is made from.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The agreements.
    pub contracts: &'a Contracts,
    /// The facilities.
    pub places: &'a [Place],
    /// Recorded events.
    pub events: &'a [Event],
    /// Marks.
    pub done: &'a [Done],
    /// Certificates in use.
    pub certificates: &'a [Certificate],
    /// The present.
    pub now: Timestamp,
}

/// Every duty that matters now, by date; those without a date last.
#[must_use]
pub fn obligations(asked: Asked<'_>) -> Vec<Obligation> {
    let mut found = Vec::new();
    let zone = asked.places.first().map_or(TimeZone::UTC, |place| place.zone.clone());
    let whole = Place { code: ALL.to_owned(), zone, password_set: None };
    let today = asked.now.to_zoned(whole.zone.clone()).date();
    let profile = asked.contracts.of(today);
    for profile in asked.contracts.profiles() {
        for rule in profile.rules.iter().filter(|rule| rule.remind.is_some()) {
            match rule.each {
                Each::Contract => collect(asked, profile, rule, &whole, &mut found),
                Each::Facility => {
                    asked.places.iter().for_each(|place| collect(asked, profile, rule, place, &mut found));
                }
            }
        }
    }
    found.retain(|duty| duty.due.is_some() || duty.profile == profile.id);
    strictest(profile, &mut found);
    for duty in &mut found {
        duty.done = asked.done.iter().find(|done| done.id == duty.id).cloned();
        duty.state = state(duty, asked.now);
    }
    found.sort_by(|a, b| (a.due.is_none(), a.due, &a.id).cmp(&(b.due.is_none(), b.due, &b.id)));
    found
}

fn state(duty: &Obligation, now: Timestamp) -> ObligationState {
    if duty.done.is_some() {
        ObligationState::Done
    } else if duty.due.is_some_and(|due| now > due) {
        ObligationState::Overdue
    } else if duty.remind_from.is_some_and(|from| now >= from) {
        ObligationState::Remind
    } else {
        ObligationState::Open
    }
}

/// One occurrence of a rule at a place.
struct Occurrence {
    name: String,
    due: Timestamp,
    day: Date,
    note: Option<String>,
    uncertain: Vec<Date>,
}

fn collect(asked: Asked<'_>, profile: &Profile, rule: &Rule, place: &Place, found: &mut Vec<Obligation>) {
    let occurrences = match &rule.kind {
        RuleKind::Monthly { .. } => months(asked, profile, rule, place),
        RuleKind::Yearly { month, day } => years(asked, profile, (*month, *day), place),
        RuleKind::Within { trigger: Some(trigger), .. } => {
            let dated = spans(asked, profile, rule, *trigger, place);
            if dated.is_empty() && trigger.is_recorded() {
                found.push(waiting(profile, rule, place));
            }
            dated
        }
        RuleKind::Within { trigger: None, .. } | RuleKind::Entry { .. } | RuleKind::Limit { .. } | RuleKind::Duty => {
            Vec::new()
        }
    };
    found.extend(occurrences.into_iter().map(|occurrence| duty(profile, rule, place, occurrence)));
}

fn duty(profile: &Profile, rule: &Rule, place: &Place, occurrence: Occurrence) -> Obligation {
    let days = i32::from(rule.remind.unwrap_or(0));
    let first = occurrence.day.checked_sub(days.days()).unwrap_or(occurrence.day);
    Obligation {
        id: name(rule, place, &occurrence.name),
        due: Some(occurrence.due),
        day: Some(occurrence.day),
        remind_from: start_of_day(first, &place.zone),
        note: occurrence.note,
        uncertain: occurrence.uncertain,
        ..waiting(profile, rule, place)
    }
}

/// A duty whose event nobody has recorded.
fn waiting(profile: &Profile, rule: &Rule, place: &Place) -> Obligation {
    let note = match &rule.kind {
        RuleKind::Within { after, before: true, .. } => Some(format!("tanpa tanggal; dihitung mundur dari: {after}")),
        RuleKind::Within { after, before: false, .. } => Some(format!("tanpa tanggal; dihitung sejak: {after}")),
        RuleKind::Entry { .. }
        | RuleKind::Monthly { .. }
        | RuleKind::Yearly { .. }
        | RuleKind::Limit { .. }
        | RuleKind::Duty => None,
    };
    Obligation {
        id: name(rule, place, "peristiwa"),
        rule: rule.id.clone(),
        facility: place.code.clone(),
        title: rule.text.clone(),
        clause: rule.clause.clone(),
        profile: profile.id.clone(),
        due: None,
        day: None,
        remind_from: None,
        note,
        uncertain: Vec::new(),
        stricter: None,
        done: None,
        state: ObligationState::Open,
    }
}

fn name(rule: &Rule, place: &Place, occurrence: &str) -> String {
    match rule.each {
        Each::Contract => format!("{}~{occurrence}", rule.id),
        Each::Facility => format!("{}~{occurrence}~{}", rule.id, place.code),
    }
}

/// A month belongs to the profile of its last day: what was served in December is filed under December's agreement.
fn months(asked: Asked<'_>, profile: &Profile, rule: &Rule, place: &Place) -> Vec<Occurrence> {
    let today = asked.now.to_zoned(place.zone.clone()).date();
    let first = months_earlier(today.first_of_month(), 14).unwrap_or(today);
    let subjects = (0..18).filter_map(|month| months_later(first, month));
    let own = subjects.filter(|month| asked.contracts.of(month.last_of_month()).id == profile.id);
    let dated = own.filter_map(|month| {
        let date = asked.contracts.monthly(profile, &rule.id, month)?;
        let moved = |(named, why): (Date, String)| format!("{named} {why}: menjadi {}", date.due);
        let name = format!("{:04}-{:02}", month.year(), month.month());
        let (due, note) = (end_of_day(date.due, &place.zone)?, date.shifted.clone().map(moved));
        Some(Occurrence { name, due, day: date.due, note, uncertain: date.uncertain })
    });
    dated.filter(|occurrence| within(occurrence.day, today, AHEAD)).collect()
}

fn years(asked: Asked<'_>, profile: &Profile, (month, day): (u8, u8), place: &Place) -> Vec<Occurrence> {
    let today = asked.now.to_zoned(place.zone.clone()).date();
    let dated = (-1..=1).filter_map(|later: i16| {
        let month = Date::new(today.year() + later, i8::try_from(month).ok()?, 1).ok()?;
        let day = day_of_month(month, day)?;
        let due = end_of_day(day, &place.zone)?;
        (asked.contracts.of(day).id == profile.id).then(|| Occurrence {
            name: day.year().to_string(),
            due,
            day,
            note: None,
            uncertain: Vec::new(),
        })
    });
    dated.filter(|occurrence| within(occurrence.day, today, 365)).collect()
}

fn within(day: Date, today: Date, ahead: i32) -> bool {
    let (first, last) = (today.checked_sub(BACK.days()), today.checked_add(ahead.days()));
    first.is_ok_and(|first| day >= first) && last.is_ok_and(|last| day <= last)
}

fn spans(asked: Asked<'_>, profile: &Profile, rule: &Rule, trigger: Trigger, place: &Place) -> Vec<Occurrence> {
    let today = asked.now.to_zoned(place.zone.clone()).date();
    match trigger {
        Trigger::ContractEnd => {
            let end = end_of_day(profile.to, &place.zone).filter(|_| asked.contracts.of(today).id == profile.id);
            let one = end.and_then(|at| span(asked, profile, rule, at, place));
            one.map(|dated| Occurrence { name: profile.to.to_string(), ..dated }).into_iter().collect()
        }
        Trigger::PcarePassword => {
            let set = place.password_set.filter(|_| asked.contracts.of(today).id == profile.id);
            let one = set.and_then(|at| Some((at, span(asked, profile, rule, at, place)?)));
            let named = one.map(|(at, dated)| Occurrence { name: at.as_second().to_string(), ..dated });
            named.into_iter().collect()
        }
        Trigger::TlsCertificate => {
            let ends = asked.certificates.iter().filter(|_| asked.contracts.of(today).id == profile.id);
            let dated = ends.filter_map(|one| {
                let (at, name) = (one.not_after, format!("{}-{}", slug(&one.name), one.not_after.as_second()));
                let note = format!("{}: berlaku sampai {}{}", one.name, shown(at, &place.zone), one.note);
                Some(Occurrence { name, note: Some(note), ..span(asked, profile, rule, at, place)? })
            });
            dated.collect()
        }
        Trigger::Commitment
        | Trigger::VendorChange
        | Trigger::SystemChange
        | Trigger::PicLeave
        | Trigger::PicTransfer
        | Trigger::Leaver
        | Trigger::ForceMajeure
        | Trigger::Maintenance
        | Trigger::Feedback
        | Trigger::ClaimComplete
        | Trigger::ProlanisActivity
        | Trigger::Warning
        | Trigger::NoticeSent
        | Trigger::Handover => recorded(asked, profile, rule, trigger, place),
    }
}

/// One occurrence for every recorded event of a kind.
fn recorded(asked: Asked<'_>, profile: &Profile, rule: &Rule, trigger: Trigger, place: &Place) -> Vec<Occurrence> {
    let span_of_events = SignedDuration::from_hours(24 * i64::from(EVENTS));
    let oldest = asked.now.checked_sub(span_of_events).unwrap_or(Timestamp::MIN);
    let in_force = |at: Timestamp| asked.contracts.of(at.to_zoned(place.zone.clone()).date()).id == profile.id;
    let own = asked.events.iter().filter(|event| {
        let here = match rule.each {
            Each::Contract => true,
            Each::Facility => event.facility == place.code || event.facility == ALL,
        };
        event.kind == trigger && here && event.at >= oldest && in_force(event.at)
    });
    let dated = own.filter_map(|event| {
        let dated = span(asked, profile, rule, event.at, place)?;
        Some(Occurrence { name: event.id.to_string(), note: Some(event.remark.clone()), ..dated })
    });
    dated.collect()
}

/// The date of a `within` rule whose event is at `at`.
fn span(asked: Asked<'_>, profile: &Profile, rule: &Rule, at: Timestamp, place: &Place) -> Option<Occurrence> {
    let RuleKind::Within { count, unit, before, .. } = &rule.kind else { return None };
    let began = at.to_zoned(place.zone.clone()).date();
    let days = |days: i32| if *before { began.checked_sub(days.days()) } else { began.checked_add(days.days()) }.ok();
    let months = |months: u16| if *before { months_earlier(began, months) } else { months_later(began, months) };
    let day = match unit {
        Unit::Hour => {
            let hours = SignedDuration::from_hours(i64::from(*count));
            let due = if *before { at.checked_sub(hours) } else { at.checked_add(hours) }.ok()?;
            let day = due.to_zoned(place.zone.clone()).date();
            return Some(Occurrence { name: String::new(), due, day, note: None, uncertain: Vec::new() });
        }
        Unit::Day => days(i32::from(*count)),
        Unit::WorkingDay => Some(profile.working.after(began, *count, asked.contracts.holidays())).filter(|_| !before),
        Unit::Month => months(*count),
        Unit::Year => months(count.saturating_mul(12)),
    }?;
    let uncertain = match unit {
        Unit::WorkingDay => profile.working.uncertain(began.tomorrow().ok()?, day, asked.contracts.holidays()),
        Unit::Hour | Unit::Day | Unit::Month | Unit::Year => Vec::new(),
    };
    Some(Occurrence { name: String::new(), due: end_of_day(day, &place.zone)?, day, note: None, uncertain })
}

/// What may stand in an id, and in the path of a request.
fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' }).collect()
}

fn shown(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Of the duties of one group and event the one with the earliest date reminds for all.
fn strictest(profile: &Profile, found: &mut [Obligation]) {
    let group_of = |duty: &Obligation| {
        let group = profile.rule(&duty.rule)?.group.clone()?;
        let occurrence = duty.id.split_once('~').map(|(_, occurrence)| occurrence.to_owned())?;
        duty.due.map(|_| (group, occurrence))
    };
    let mut first: BTreeMap<(String, String), (Timestamp, Option<Timestamp>, String)> = BTreeMap::new();
    for duty in found.iter() {
        let (Some(key), Some(due)) = (group_of(duty), duty.due) else { continue };
        let strict = first.entry(key).or_insert_with(|| (due, duty.remind_from, duty.id.clone()));
        if due < strict.0 {
            *strict = (due, duty.remind_from, duty.id.clone());
        }
    }
    for duty in found.iter_mut() {
        let Some((_, remind_from, id)) = group_of(duty).and_then(|key| first.get(&key)) else { continue };
        if *id != duty.id {
            duty.stricter = Some(id.clone());
            duty.remind_from = duty.remind_from.min(*remind_from);
        }
    }
}
