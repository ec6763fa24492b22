//! All dates of one entry with the clauses they come from.
//!
//! Job: target, warning, late, last, the monthly date that counts it, and what moved them. Pure. Invariants: a date is
//! moved only by a clause of the profile, and the clause is in the result; a monthly date moves off holidays only where
//! its rule says so. What it does not do: decide whether there is force majeure (a person declares it).

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::agreements::Contracts;
use super::calendar::{day_of_month, months_later};
use super::profile::{Moves, Profile, RuleKind, Shift, Trigger};
use super::{Deadline, ServiceTime};

/// Something declared that may move dates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Circumstance {
    /// [`Trigger::ForceMajeure`] or [`Trigger::Maintenance`].
    pub kind: Trigger,
    /// Since when.
    pub from: Timestamp,
    /// Until when; absent: it goes on.
    pub to: Option<Timestamp>,
}

/// Every date of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dated {
    /// Target, late and last, as moved.
    pub deadline: Deadline,
    /// When somebody is warned.
    pub warn: Option<Timestamp>,
    /// The profile it is dated by.
    pub profile: String,
    /// The rule's clause; empty if the profile has no such rule.
    pub clause: String,
    /// By when what was entered is counted or filed.
    pub month: Option<MonthlyDate>,
    /// What moved `late` and `last`.
    pub moved: Vec<Moved>,
}

/// A day of a monthly rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MonthlyDate {
    /// The rule.
    pub rule: String,
    /// Its clause.
    pub clause: String,
    /// The day after every shift.
    pub due: Date,
    /// The day as the rule names it, and why that is free, if it was shifted.
    pub shifted: Option<(Date, String)>,
    /// Holidays on the way that nobody compared with the decree: without them `due` would be earlier.
    pub uncertain: Vec<Date>,
}

/// A move of the dates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// By what.
    pub by: Trigger,
    /// The clause that says so.
    pub clause: String,
    /// By how much.
    pub span: SignedDuration,
}

impl Contracts {
    /// Every date of an entry; `declared` moves them only where a clause of the profile says so.
    #[must_use]
    pub fn explain(&self, rule: &str, service: &ServiceTime, declared: &[Circumstance], now: Timestamp) -> Dated {
        let profile = self.of(service.service_date);
        let mut dated = Dated {
            deadline: profile.deadline(rule, service),
            warn: None,
            profile: profile.id.clone(),
            clause: String::new(),
            month: None,
            moved: Vec::new(),
        };
        let Some(rule) = profile.rule(rule) else { return dated };
        dated.clause.clone_from(&rule.clause);
        let RuleKind::Entry { warn, month, moves, .. } = &rule.kind else { return dated };
        let mut spans: Vec<Span<'_>> = declared.iter().filter_map(|one| Span::of(one, moves, now)).collect();
        spans.sort_by_key(|span| (span.from, span.to));
        dated.shift(&spans, service);
        let before = |late: Timestamp| late.checked_sub(SignedDuration::try_from((*warn)?).ok()?).ok();
        dated.warn = dated.deadline.late.and_then(before);
        dated.month = month.as_deref().and_then(|rule| self.monthly(profile, rule, service.service_date));
        dated
    }

    /// The date of a monthly rule for the month of `day`.
    #[must_use]
    pub fn monthly(&self, profile: &Profile, rule: &str, day: Date) -> Option<MonthlyDate> {
        let rule = profile.rule(rule)?;
        let RuleKind::Monthly { day: wanted, months_after, shift } = &rule.kind else { return None };
        // From the first, so that the 31st does not fall into a shorter month.
        let month = months_later(day.first_of_month(), u16::from(*months_after))?;
        let named = day_of_month(month, *wanted)?;
        let (due, shifted, uncertain) = match shift {
            Shift::None => (named, None, Vec::new()),
            Shift::NextWorkingDay => {
                let due = profile.working.on_or_after(named, self.holidays());
                let why = profile.working.free(named, self.holidays());
                let uncertain = profile.working.uncertain(named, due, self.holidays());
                (due, why.map(|why| (named, why.to_owned())), uncertain)
            }
        };
        Some(MonthlyDate { rule: rule.id.clone(), clause: rule.clause.clone(), due, shifted, uncertain })
    }
}

/// A circumstance that a clause lets move dates.
struct Span<'a> {
    from: Timestamp,
    to: Timestamp,
    clause: &'a Moves,
}

impl<'a> Span<'a> {
    /// `None` unless a clause names it.
    fn of(declared: &Circumstance, moves: &'a [Moves], now: Timestamp) -> Option<Self> {
        let clause = moves.iter().find(|clause| clause.by == declared.kind)?;
        Some(Self { from: declared.from, to: declared.to.unwrap_or(now), clause })
    }
}

impl Dated {
    /// The clock of the dates stands still while a circumstance lasts that begins before the date and ends after the
    /// service; what two declarations have in common counts once. `spans` in order of their beginning.
    fn shift(&mut self, spans: &[Span<'_>], service: &ServiceTime) {
        let begun = service.occurred_at.unwrap_or(service.accepted_at);
        let mut stood: Vec<Moved> = Vec::new();
        for date in [&mut self.deadline.late, &mut self.deadline.last].into_iter().flatten() {
            let mut counted = begun;
            let mut own: Vec<Moved> = Vec::new();
            for span in spans {
                let from = span.from.max(counted);
                if span.to <= from || from >= *date {
                    continue;
                }
                let length = span.to.duration_since(from);
                *date = date.checked_add(length).unwrap_or(*date);
                counted = span.to;
                match own.iter_mut().find(|moved| moved.by == span.clause.by) {
                    Some(moved) => moved.span = moved.span.saturating_add(length),
                    None => own.push(Moved { by: span.clause.by, clause: span.clause.clause.clone(), span: length }),
                }
            }
            for moved in own {
                match stood.iter_mut().find(|known| known.by == moved.by) {
                    Some(known) => known.span = known.span.max(moved.span),
                    None => stood.push(moved),
                }
            }
        }
        self.moved = stood;
    }
}
