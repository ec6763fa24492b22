//! The claims of a period as a book: every non-capitation entry with its tariff, claimant and dates, and what is missing.
//!
//! Job: from the journal to lines that the document and the listing both show. Pure. Invariants: every entry stands in it
//! once; a code that the agreement's file does not know has no tariff; dates come from the agreement of the day of
//! service. Neighbours: `claims` prints it, `http` lists it. What it does not do: query, print.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::contract::{Contracts, Expected, MonthlyDate, Profile, RuleKind, Seen, ServiceTime, Tariff, Times};
use crate::queue::State;
use crate::report::frame::{Frame, Period};
use crate::report::journal::{self, Entry, Journal, Visit};
use crate::words::words;

/// The rule by which the catalogue dates procedures.
const PROCEDURE: &str = "claim.entry";

/// Clients of the network with what they are, if that was said.
pub type Network = BTreeMap<String, Option<String>>;

/// What a book is made from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Facility, zone, present.
    pub frame: &'a Frame,
    /// Which days.
    pub period: Period,
    /// The agreements.
    pub contracts: &'a Contracts,
    /// Who is of the network.
    pub network: &'a Network,
    /// Months (`2026-10`) whose claims were marked as filed.
    pub filed: &'a BTreeSet<String>,
    /// Whose claims.
    pub share: &'a Share,
}

/// Whose claims a book holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Share {
    /// Everybody's.
    #[default]
    All,
    /// The facility's own.
    Facility,
    /// Those of the network that claim themselves.
    Network,
    /// Those of one client of the network.
    Client(String),
}

/// Who claims.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claimant {
    /// The facility.
    Facility,
    /// A client of the network that claims itself, by name.
    Network(String),
}

words! {
    /// What kind of service.
    What {
        /// `kdTindakan`.
        Procedure = "tindakan",
        /// `kdKegiatan`.
        Activity = "kegiatan",
    }
}

words! {
    /// Lists of the book. A line stands in one of the first three, and in each of the others that fits.
    Shelf {
        /// BPJS has it.
        Entered = "entered",
        /// On its way.
        Open = "open",
        /// Refused, held or expired: a person must act.
        Stopped = "stopped",
        /// Near or past its last date.
        Near = "near",
        /// Its code has no tariff in the agreement's file.
        Untariffed = "untariffed",
        /// A visit that should have a procedure and has none.
        Missing = "missing",
    }
}

/// What an entry earns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earned<'a> {
    /// The agreement's file does not know its code.
    Unknown,
    /// Earned by the day, and the days of stay are not known.
    NoStay(&'a Tariff),
    /// So often this tariff.
    Known {
        /// The tariff.
        tariff: &'a Tariff,
        /// How often.
        times: i64,
    },
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// The entry as it stands.
    pub entry: Entry<'a>,
    /// Of what kind.
    pub what: What,
    /// Its code; empty if its content is gone.
    pub code: String,
    /// Day of service.
    pub day: Option<Date>,
    /// The agreement of that day.
    pub profile: &'a Profile,
    /// Who claims it.
    pub claimant: Claimant,
    /// What it earns.
    pub earned: Earned<'a>,
    /// After this day it can never be filed.
    pub last: Option<Date>,
    /// By when it is filed.
    pub due: Option<MonthlyDate>,
    /// Whether its month was marked as filed.
    pub filed: bool,
    /// In which lists it stands.
    pub shelves: Vec<Shelf>,
    /// Whether its day lies in the period (else it is of another day and pointed out).
    pub within: bool,
}

/// A visit that should have a procedure.
#[derive(Debug, Clone)]
pub struct Missing<'a> {
    /// The visit.
    pub visit: Visit<'a>,
    /// Why one is expected.
    pub why: &'a Expected,
    /// Who would claim it.
    pub claimant: Claimant,
    /// After this day it can never be filed.
    pub last: Option<Date>,
}

/// The book.
#[derive(Debug, Clone, Default)]
pub struct Book<'a> {
    /// Entries of the period in order of acceptance, then others that are pointed out.
    pub lines: Vec<Line<'a>>,
    /// Visits of the period that should have a procedure.
    pub missing: Vec<Missing<'a>>,
    /// Clients of the network whose entries count as the facility's, because their kind does not claim or is not known.
    pub counted_here: BTreeSet<String>,
}

impl<'a> Input<'a> {
    fn claimant(&self, profile: &Profile, client: &str) -> Claimant {
        let claims = |kind: &String| profile.money.claims.as_ref().is_some_and(|own| own.claimants.contains(kind));
        match self.network.get(client) {
            Some(Some(kind)) if claims(kind) => Claimant::Network(client.to_owned()),
            Some(_) | None => Claimant::Facility,
        }
    }

    fn wants(&self, claimant: &Claimant) -> bool {
        match (self.share, claimant) {
            (Share::All, _) | (Share::Facility, Claimant::Facility) | (Share::Network, Claimant::Network(_)) => true,
            (Share::Client(wanted), Claimant::Network(client)) => wanted == client,
            (Share::Facility, Claimant::Network(_)) | (Share::Network | Share::Client(_), Claimant::Facility) => false,
        }
    }

    /// Days left from the present to `last`, negative when it has passed.
    #[must_use]
    pub fn left(&self, last: Option<Date>) -> Option<i64> {
        Some(i64::from(last?.since(self.frame.date(self.frame.now)).ok()?.get_days()))
    }

    /// The last day of an entry under the rule of its day's agreement.
    fn last(&self, rule: &str, day: Option<Date>, entry: &Entry<'_>) -> Option<Date> {
        let delivery = &entry.row.delivery;
        let reckoned = day.and_then(|service_date| {
            let service = ServiceTime {
                occurred_at: delivery.occurred_at,
                service_date,
                accepted_at: delivery.accepted_at,
                zone: self.frame.zone.clone(),
            };
            self.contracts.deadline(rule, &service).last
        });
        reckoned.or(delivery.deadline.last).map(|at| self.frame.date(at))
    }

    fn line(&self, what: What, entry: Entry<'a>, stays: &BTreeMap<String, Option<i64>>) -> Line<'a> {
        let code = match what {
            What::Procedure => entry.text("kdTindakan"),
            What::Activity => entry.text("kdKegiatan"),
        };
        let code = code.unwrap_or_default();
        let day = entry.day().or_else(|| entry.text("tglPelayanan").as_deref().and_then(journal::day));
        let profile = self.contracts.of(day.unwrap_or(self.period.from));
        let coded = match what {
            What::Procedure => profile.money.of_procedure(&code),
            What::Activity => profile.money.of_activity(&code),
        };
        let stay = || entry.text("noKunjungan").and_then(|id| stays.get(&id).copied().flatten());
        let earned = match coded {
            None => Earned::Unknown,
            Some((tariff, Times::Once)) => Earned::Known { tariff, times: 1 },
            Some((tariff, Times::Stay)) => {
                stay().map_or(Earned::NoStay(tariff), |times| Earned::Known { tariff, times })
            }
        };
        let rule = &entry.row.delivery.deadline.rule;
        let last = self.last(rule, day, &entry);
        let month = profile.rule(rule).and_then(|rule| match &rule.kind {
            RuleKind::Entry { month, .. } => month.as_deref(),
            RuleKind::Monthly { .. }
            | RuleKind::Within { .. }
            | RuleKind::Yearly { .. }
            | RuleKind::Limit { .. }
            | RuleKind::Duty => None,
        });
        let due = month.zip(day).and_then(|(rule, day)| self.contracts.monthly(profile, rule, day));
        let filed = day.is_some_and(|day| self.filed.contains(&month_of(day)));
        let claimant = self.claimant(profile, &entry.row.client);
        let within = day.is_none_or(|day| self.period.has(day));
        let mut line =
            Line { entry, what, code, day, profile, claimant, earned, last, due, filed, shelves: Vec::new(), within };
        line.shelves = self.shelves(&line);
        line
    }

    fn shelves(&self, line: &Line<'_>) -> Vec<Shelf> {
        let state = line.entry.row.delivery.progress.state;
        let mut shelves = vec![match state {
            State::Delivered => Shelf::Entered,
            State::Waiting | State::Sending | State::Unanswered => Shelf::Open,
            State::Refused | State::Held | State::Expired | State::Cancelled => Shelf::Stopped,
        }];
        let near = line.profile.money.claims.as_ref().map_or(0, |claims| i64::from(claims.near_days));
        let settled = state == State::Delivered && line.filed;
        shelves.extend((!settled && self.left(line.last).is_some_and(|left| left <= near)).then_some(Shelf::Near));
        shelves.extend((line.earned == Earned::Unknown).then_some(Shelf::Untariffed));
        shelves
    }
}

impl<'a> Book<'a> {
    /// The book of a period; of `older`, entries of other days, only what is near its last date is kept.
    #[must_use]
    pub fn new(input: &Input<'a>, journal: &Journal<'a>, older: &Journal<'a>) -> Self {
        let visits = journal.visits();
        let mut book = Self::default();
        let stay = |visit: &Visit<'_>| Some((visit.entry.text("noKunjungan")?, visit.stay()));
        let stays: BTreeMap<String, Option<i64>> = visits.iter().filter_map(stay).collect();
        for source in [journal, older] {
            for what in [What::Procedure, What::Activity] {
                let stem = match what {
                    What::Procedure => "pcare.tindakan",
                    What::Activity => "pcare.kelompok.kegiatan",
                };
                let lines = source.entries(stem).into_iter().map(|entry| input.line(what, entry, &stays));
                let wanted = |line: &Line<'_>| {
                    let own = std::ptr::eq(source, journal);
                    line.within == own && (own || line.shelves.contains(&Shelf::Near)) && input.wants(&line.claimant)
                };
                book.lines.extend(lines.filter(wanted));
            }
        }
        let here = |line: &&Line<'_>| {
            line.claimant == Claimant::Facility && input.network.contains_key(&line.entry.row.client)
        };
        book.counted_here = book.lines.iter().filter(here).map(|line| line.entry.row.client.clone()).collect();
        book.missing = missing(input, journal, visits);
        book
    }

    /// The lines of a list, within the period and (for [`Shelf::Near`]) outside it.
    pub fn of(&self, shelf: Shelf) -> impl Iterator<Item = &Line<'a>> {
        self.lines.iter().filter(move |line| line.shelves.contains(&shelf) && (line.within || shelf == Shelf::Near))
    }
}

impl Line<'_> {
    /// Rupiah by the tariff, if that is known.
    #[must_use]
    pub fn amount(&self) -> Option<i64> {
        match self.earned {
            Earned::Unknown | Earned::NoStay(_) => None,
            Earned::Known { tariff, times } => Some(i64::from(tariff.amount).saturating_mul(times)),
        }
    }
}

/// `2026-10`.
fn month_of(day: Date) -> String {
    format!("{:04}-{:02}", day.year(), day.month())
}

/// Visits that the agreement's file expects a procedure of, and that have none that stands.
fn missing<'a>(input: &Input<'a>, journal: &Journal<'a>, visits: Vec<Visit<'a>>) -> Vec<Missing<'a>> {
    let by = |stem: &str| {
        let entries = journal.entries(stem);
        // An entry whose visit has no number yet came with it in one submission.
        let (numbers, others): (Vec<_>, Vec<_>) =
            entries.iter().map(|entry| (entry.text("noKunjungan"), entry)).partition(|(number, _)| number.is_some());
        let numbers: BTreeSet<String> = numbers.into_iter().filter_map(|(number, _)| number).collect();
        let together: BTreeSet<_> = others.into_iter().map(|(_, entry)| entry.row.delivery.submission).collect();
        move |visit: &Visit<'_>| match visit.entry.text("noKunjungan") {
            Some(number) if numbers.contains(&number) => true,
            Some(_) | None => together.contains(&visit.entry.row.delivery.submission),
        }
    };
    let has_procedure = by("pcare.tindakan");
    let rules = input.contracts.profiles().flat_map(|profile| &profile.money.expected);
    let stems: BTreeSet<&str> = rules.filter_map(|rule| rule.with.as_deref()).collect();
    let with: Vec<(&str, _)> = stems.into_iter().map(|stem| (stem, by(stem))).collect();
    let one = |visit: Visit<'a>| {
        let day = visit.day();
        if visit.entry.retired() || has_procedure(&visit) || day.is_some_and(|day| !input.period.has(day)) {
            return None;
        }
        let profile = input.contracts.of(day.unwrap_or(input.period.from));
        let diagnoses = ["kdDiag1", "kdDiag2", "kdDiag3"].iter().filter_map(|name| visit.entry.text(name)).collect();
        let seen = Seen {
            care: visit.care(),
            poli: visit.entry.text("kdPoli"),
            diagnoses,
            with: with.iter().filter(|(_, has)| has(&visit)).map(|(stem, _)| (*stem).to_owned()).collect(),
        };
        let why = profile.money.expected.iter().find(|rule| rule.fits(&seen))?;
        let claimant = input.claimant(profile, &visit.entry.row.client);
        let last = input.last(PROCEDURE, day, &visit.entry);
        input.wants(&claimant).then_some(Missing { visit, why, claimant, last })
    };
    visits.into_iter().filter_map(one).collect()
}
