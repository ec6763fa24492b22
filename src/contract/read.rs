//! From a profile's file to [`Profile`], collecting every mistake on the way.
//!
//! Job: walk the TOML tables, taking out key by key; what is left over is a mistake. Invariant: no mistake hides another.
//! Neighbours: `profile` has the types. What it does not do: reckon dates.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::{Date, Time};
use toml::{Table, Value};

use super::area::OutOfArea;
use super::calendar::WorkingDays;
use super::claiming::{Claims, Coded, Expected};
use super::money::{Capitation, Kbk, Money, Penalty, Tariff};
use super::profile::{Day, Each, Moves, Offset, Profile, Rule, RuleKind, ServiceHours, Shift, Trigger, Unit};

/// All mistakes of one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileError {
    /// The file that was read.
    pub path: PathBuf,
    /// In the order of the file; never empty.
    pub problems: Vec<ProfileProblem>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileProblem {
    /// Where, e.g. `rule[entry.immediate].target`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub fault: ProfileFault,
}

/// Kinds of mistakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileFault {
    /// The file cannot be read.
    Unreadable(std::io::ErrorKind),
    /// Not TOML; the parser's words.
    Syntax(String),
    /// No such key here.
    Unknown,
    /// Must be given.
    Missing,
    /// Must be a text that is not empty.
    Text,
    /// Must be a whole number from .0 to .1.
    Number(u16, u16),
    /// Must be a day, `2024-12-31`.
    Date,
    /// Must be a time, `07:30`.
    Time,
    /// Must be one of these words.
    Word(String),
    /// Must be an offset from the service.
    Offset,
    /// Must be an array of tables.
    Tables,
    /// The end lies before the beginning.
    Backwards,
    /// The same rule twice.
    Twice,
    /// A table does not have the keys it should; the parser's words.
    Table(String),
    /// `based_on` names a profile that is itself based on another.
    Nested,
    /// Names a rule that does not exist, or is of another kind.
    NoSuchRule,
    /// Names a tariff that does not exist.
    NoSuchTariff,
    /// Must be a span like `30m`, `2h` or `1d`.
    Span,
    /// The successor begins no later than the profile that it follows.
    Successor,
}

impl std::error::Error for ProfileError {}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines(|fault| fault.text().0))
    }
}

impl ProfileError {
    /// The same report in Indonesian, one line per mistake.
    #[must_use]
    pub fn indonesian(&self) -> String {
        self.lines(|fault| fault.text().1)
    }

    fn lines(&self, say: impl Fn(&ProfileFault) -> String) -> String {
        let line = |problem: &ProfileProblem| {
            let colon = if problem.key.is_empty() { "" } else { ": " };
            format!("{}: {}{colon}{}", self.path.display(), problem.key, say(&problem.fault))
        };
        self.problems.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl ProfileFault {
    /// English and Indonesian.
    fn text(&self) -> (String, String) {
        let (english, indonesian) = match self {
            Self::Unreadable(kind) => return (format!("cannot be read ({kind})"), format!("tidak terbaca ({kind})")),
            Self::Syntax(words) => return (format!("not TOML: {words}"), format!("bukan TOML: {words}")),
            Self::Table(words) => return (words.clone(), words.clone()),
            Self::Number(least, most) => {
                return (
                    format!("must be a whole number from {least} to {most}"),
                    format!("harus bilangan bulat {least} sampai {most}"),
                );
            }
            Self::Word(known) => {
                return (format!("must be one of: {known}"), format!("harus salah satu dari: {known}"));
            }
            Self::Unknown => ("unknown key: remove it or correct its name", "kunci tak dikenal: hapus atau perbaiki"),
            Self::Missing => ("is missing: add it", "belum ada: tambahkan"),
            Self::Text => ("must be text in quotes, not empty", "harus teks dalam tanda kutip, tidak kosong"),
            Self::Date => ("must be a day like \"2024-12-31\"", "harus tanggal seperti \"2024-12-31\""),
            Self::Time => ("must be a time like \"07:30\"", "harus jam seperti \"07:30\""),
            Self::Offset => (
                "must be like \"15m after service\", \"end of service day\" or \"6 months after service day\"",
                "harus seperti \"15m after service\", \"end of service day\", atau \"6 months after service day\"",
            ),
            Self::Tables => ("must be an array of tables: [[…]]", "harus larik tabel: [[…]]"),
            Self::Backwards => ("ends before it begins", "berakhir sebelum mulai"),
            Self::Nested => ("is itself based on another profile", "berkas dasarnya sendiri punya dasar lain"),
            Self::NoSuchRule => ("names no rule of the right kind", "tidak menunjuk aturan yang sesuai"),
            Self::NoSuchTariff => ("names no [[tariff]] of the file", "tidak menunjuk [[tariff]] yang ada"),
            Self::Span => ("must be like \"30m\", \"2h\" or \"1d\"", "harus seperti \"30m\", \"2h\", atau \"1d\""),
            Self::Successor => {
                ("must begin after the profile that it follows", "harus mulai sesudah perjanjian yang digantikannya")
            }
            Self::Twice => ("this rule stands twice: remove one", "aturan ini tercantum dua kali: hapus satu"),
        };
        (english.to_owned(), indonesian.to_owned())
    }
}

pub(super) fn load(path: &Path) -> Result<Profile, ProfileError> {
    let text = read_text(path)?;
    parse(path, &text)
}

/// As [`load`], with the copies inside the binary standing in for shipped files that are not on disk.
pub(super) fn load_or_shipped(path: &Path) -> Result<Profile, ProfileError> {
    let text = text_or_shipped(path)?;
    parse(path, &text)
}

/// The text of a file, or of the shipped one of its name.
pub(super) fn text_or_shipped(path: &Path) -> Result<String, ProfileError> {
    match super::shipped(path) {
        Some(text) if !path.exists() => Ok(text.to_owned()),
        Some(_) | None => read_text(path),
    }
}

pub(super) fn read_text(path: &Path) -> Result<String, ProfileError> {
    std::fs::read_to_string(path).map_err(|error| single(path, "", ProfileFault::Unreadable(error.kind())))
}

pub(super) fn single(path: &Path, key: &str, fault: ProfileFault) -> ProfileError {
    ProfileError { path: path.to_owned(), problems: vec![ProfileProblem { key: key.to_owned(), fault }] }
}

pub(super) fn table(path: &Path, text: &str) -> Result<Table, ProfileError> {
    text.parse().map_err(|error: toml::de::Error| single(path, "", ProfileFault::Syntax(error.to_string())))
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Profile, ProfileError> {
    let own = table(path, text)?;
    let whole = super::based::on_its_base(path, own)?;
    let mut reader = Reader::default();
    match reader.profile(whole) {
        Some(profile) if reader.problems.is_empty() => Ok(profile),
        Some(_) | None => Err(ProfileError { path: path.to_owned(), problems: reader.problems }),
    }
}

/// One table that is being emptied key by key.
struct Section {
    path: String,
    values: Table,
}

impl Section {
    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

#[derive(Default)]
struct Reader {
    problems: Vec<ProfileProblem>,
}

impl Reader {
    /// `None` only where a problem was noted: the walk goes on, so that all are found.
    fn profile(&mut self, values: Table) -> Option<Profile> {
        let mut root = Section { path: String::new(), values };
        let id = self.text(&mut root, "id");
        let title = self.text(&mut root, "title");
        let number = self.text(&mut root, "number");
        let from = self.date(&mut root, "from");
        let to = self.date(&mut root, "to");
        if from.zip(to).is_some_and(|(from, to)| to < from) {
            self.fault::<()>("to".to_owned(), ProfileFault::Backwards);
        }
        let hours = self.tables(&mut root, "service_hours");
        let hours = hours.into_iter().filter_map(|section| self.hours(section)).collect();
        let working = self.working(&mut root);
        let rules = self.rules(&mut root);
        self.references(&rules);
        let money = self.money(&mut root);
        let area = root.values.remove("out_of_area");
        let area = area.and_then(|value| self.typed::<OutOfArea>("out_of_area".to_owned(), value));
        self.finish(&root);
        let (id, title, number) = (id?, title?, number?);
        Some(Profile { id, title, number, from: from?, to: to?, hours, working: working?, rules, money, area })
    }

    fn working(&mut self, root: &mut Section) -> Option<WorkingDays> {
        let Some(Value::Table(values)) = root.values.remove("working_days") else {
            return self.fault("working_days".to_owned(), ProfileFault::Missing);
        };
        let mut section = Section { path: "working_days".to_owned(), values };
        let days = self.days(&mut section);
        let joint_leave = self.flag(&mut section, "joint_leave");
        let clause = self.text(&mut section, "clause");
        self.finish(&section);
        Some(WorkingDays { days: days?, joint_leave: joint_leave?, clause: clause? })
    }

    /// Figures in rupiah; what an agreement does not have, its file leaves out.
    fn money(&mut self, root: &mut Section) -> Money {
        let tariffs: Vec<Tariff> = self.named(root, "tariff", |tariff: &Tariff| &tariff.id);
        let procedures: Vec<Coded> = self.named(root, "procedure", |row: &Coded| &row.id);
        let activities: Vec<Coded> = self.named(root, "activity", |row: &Coded| &row.id);
        let expected: Vec<Expected> = self.named(root, "expect", |row: &Expected| &row.id);
        for (name, rows) in [("procedure", &procedures), ("activity", &activities)] {
            for row in rows.iter().filter(|row| tariffs.iter().all(|tariff| tariff.id != row.tariff)) {
                self.fault::<()>(format!("{name}[{}].tariff", row.id), ProfileFault::NoSuchTariff);
            }
        }
        let mut one = |name: &str| root.values.remove(name).map(|value| (name.to_owned(), value));
        let (kbk, capitation, penalty, claims) = (one("kbk"), one("capitation"), one("penalty"), one("claims"));
        Money {
            tariffs,
            kbk: kbk.and_then(|(name, value)| self.typed::<Kbk>(name, value)),
            capitation: capitation.and_then(|(name, value)| self.typed::<Capitation>(name, value)),
            penalty: penalty.and_then(|(name, value)| self.typed::<Penalty>(name, value)),
            claims: claims.and_then(|(name, value)| self.typed::<Claims>(name, value)),
            procedures,
            activities,
            expected,
        }
    }

    /// An array of tables that each have an `id` of their own; absent: empty.
    fn named<T: serde::de::DeserializeOwned>(
        &mut self,
        root: &mut Section,
        name: &str,
        id: impl Fn(&T) -> &String,
    ) -> Vec<T> {
        let mut rows: Vec<T> = Vec::new();
        if !root.values.contains_key(name) {
            return rows;
        }
        for section in self.tables(root, name) {
            let own = section.values.get("id").and_then(Value::as_str).map(|id| format!("{name}[{id}]"));
            let path = own.unwrap_or(section.path);
            let Some(row) = self.typed::<T>(path.clone(), Value::Table(section.values)) else { continue };
            if rows.iter().any(|other| id(other) == id(&row)) {
                self.fault::<()>(path, ProfileFault::Twice);
            }
            rows.push(row);
        }
        rows
    }

    fn typed<T: serde::de::DeserializeOwned>(&mut self, key: String, value: Value) -> Option<T> {
        match value.try_into() {
            Ok(value) => Some(value),
            Err(error) => self.fault(key, ProfileFault::Table(error.to_string().trim().to_owned())),
        }
    }

    /// A monthly rule that an entry names must be there.
    fn references(&mut self, rules: &[Rule]) {
        for rule in rules {
            let RuleKind::Entry { month: Some(named), .. } = &rule.kind else { continue };
            let found = rules.iter().find(|other| other.id == *named);
            if !found.is_some_and(|other| matches!(other.kind, RuleKind::Monthly { .. })) {
                self.fault::<()>(format!("rule[{}].month", rule.id), ProfileFault::NoSuchRule);
            }
        }
    }

    fn hours(&mut self, mut section: Section) -> Option<ServiceHours> {
        let days = self.days(&mut section);
        let from = self.time(&mut section, "from");
        let to = self.time(&mut section, "to");
        let clause = self.text(&mut section, "clause");
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            self.fault::<()>(section.key("to"), ProfileFault::Backwards);
        }
        self.finish(&section);
        Some(ServiceHours { days: days?, from: from?, to: to?, clause: clause? })
    }

    fn days(&mut self, section: &mut Section) -> Option<Vec<Day>> {
        let known = || ProfileFault::Word(Day::ALL.iter().map(|day| day.word()).collect::<Vec<_>>().join(", "));
        let key = section.key("days");
        let Some(value) = section.values.remove("days") else { return self.fault(key, ProfileFault::Missing) };
        let words = value.as_array().filter(|items| !items.is_empty());
        let days = words.and_then(|items| items.iter().map(|item| Day::of_word(item.as_str()?)).collect());
        days.or_else(|| self.fault(key, known()))
    }

    fn rules(&mut self, root: &mut Section) -> Vec<Rule> {
        let mut seen = BTreeSet::new();
        let mut rules = Vec::new();
        for mut section in self.tables(root, "rule") {
            let Some(id) = self.text(&mut section, "id") else { continue };
            section.path = format!("rule[{id}]");
            if !seen.insert(id.clone()) {
                self.fault::<()>(section.path.clone(), ProfileFault::Twice);
            }
            let clause = self.text(&mut section, "clause");
            let text = self.text(&mut section, "text");
            let kind = self.kind(&mut section);
            let remind = Self::optional(&section, "remind").then(|| self.number(&mut section, "remind", 0, 366));
            let each = Self::optional(&section, "each")
                .then(|| self.word(&mut section, "each", Each::of_word, words(Each::ALL, Each::word)));
            let group = Self::optional(&section, "group").then(|| self.text(&mut section, "group"));
            self.finish(&section);
            if let (Some(clause), Some(text), Some(kind)) = (clause, text, kind) {
                let each = each.flatten().unwrap_or(Each::Contract);
                rules.push(Rule { id, clause, text, kind, remind: remind.flatten(), each, group: group.flatten() });
            }
        }
        rules
    }

    fn kind(&mut self, section: &mut Section) -> Option<RuleKind> {
        match self.text(section, "kind")?.as_str() {
            "entry" => Some(RuleKind::Entry {
                warn: self.span(section, "warn"),
                month: Self::optional(section, "month").then(|| self.text(section, "month")).flatten(),
                moves: self.moves(section),
                target: self.offset(section, "target"),
                late: self.offset(section, "late"),
                last: self.offset(section, "last"),
            }),
            "monthly" => {
                let day = self.number(section, "day", 1, 31);
                let months_after = self.number(section, "months_after", 0, 12);
                let shift = self.word(section, "shift", Shift::of_word, Shift::ALL.iter().map(|shift| shift.word()));
                let small = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
                Some(RuleKind::Monthly { day: small(day?), months_after: small(months_after?), shift: shift? })
            }
            "within" => {
                let count = self.number(section, "count", 1, 9999);
                let unit = self.word(section, "unit", Unit::of_word, Unit::ALL.iter().map(|unit| unit.word()));
                let after = self.text(section, "after");
                let trigger = Self::optional(section, "trigger")
                    .then(|| self.word(section, "trigger", Trigger::of_word, words(Trigger::ALL, Trigger::word)));
                let before = Self::optional(section, "before").then(|| self.flag(section, "before"));
                let before = before.flatten().unwrap_or(false);
                Some(RuleKind::Within { count: count?, unit: unit?, after: after?, trigger: trigger.flatten(), before })
            }
            "yearly" => {
                let small = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
                let month = self.number(section, "month", 1, 12);
                let day = self.number(section, "day", 1, 31);
                Some(RuleKind::Yearly { month: small(month?), day: small(day?) })
            }
            "limit" => {
                let count = self.number(section, "count", 1, 9999);
                let per = self.word(section, "per", Unit::of_word, Unit::ALL.iter().map(|unit| unit.word()));
                Some(RuleKind::Limit { count: count?, per: per? })
            }
            "duty" => Some(RuleKind::Duty),
            _other => {
                let known = "entry, monthly, within, yearly, limit, duty".to_owned();
                self.fault(section.key("kind"), ProfileFault::Word(known))
            }
        }
    }

    fn tables(&mut self, root: &mut Section, name: &str) -> Vec<Section> {
        let Some(value) = root.values.remove(name) else {
            self.fault::<()>(root.key(name), ProfileFault::Missing);
            return Vec::new();
        };
        let Value::Array(items) = value else {
            self.fault::<()>(root.key(name), ProfileFault::Tables);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{name}[{index}]");
            match item {
                Value::Table(values) => sections.push(Section { path, values }),
                _scalar => _ = self.fault::<()>(path, ProfileFault::Tables),
            }
        }
        sections
    }

    fn optional(section: &Section, name: &str) -> bool {
        section.values.contains_key(name)
    }

    fn flag(&mut self, section: &mut Section, name: &str) -> Option<bool> {
        self.read(section, name, ProfileFault::Word("true, false".to_owned()), Value::as_bool)
    }

    fn span(&mut self, section: &mut Section, name: &str) -> Option<Duration> {
        let value = section.values.remove(name)?;
        value.as_str().and_then(span).or_else(|| self.fault(section.key(name), ProfileFault::Span))
    }

    fn moves(&mut self, section: &mut Section) -> Vec<Moves> {
        if !section.values.contains_key("moves") {
            return Vec::new();
        }
        let mut moves = Vec::new();
        for mut inner in self.tables(section, "moves") {
            inner.path = section.key(&inner.path);
            let by = self.word(&mut inner, "by", Trigger::of_word, words(Trigger::ALL, Trigger::word));
            let clause = self.text(&mut inner, "clause");
            self.finish(&inner);
            moves.extend(by.zip(clause).map(|(by, clause)| Moves { by, clause }));
        }
        moves
    }

    /// An offset may be absent: the agreement says nothing then.
    fn offset(&mut self, section: &mut Section, name: &str) -> Option<Offset> {
        let value = section.values.remove(name)?;
        value.as_str().and_then(offset).or_else(|| self.fault(section.key(name), ProfileFault::Offset))
    }

    fn text(&mut self, section: &mut Section, name: &str) -> Option<String> {
        self.read(section, name, ProfileFault::Text, |value| {
            value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
        })
    }

    fn date(&mut self, section: &mut Section, name: &str) -> Option<Date> {
        self.read(section, name, ProfileFault::Date, |value| value.as_str()?.parse().ok())
    }

    fn time(&mut self, section: &mut Section, name: &str) -> Option<Time> {
        self.read(section, name, ProfileFault::Time, |value| Time::strptime("%H:%M", value.as_str()?).ok())
    }

    fn number(&mut self, section: &mut Section, name: &str, least: u16, most: u16) -> Option<u16> {
        self.read(section, name, ProfileFault::Number(least, most), |value| {
            u16::try_from(value.as_integer()?).ok().filter(|number| (least..=most).contains(number))
        })
    }

    fn word<T>(
        &mut self,
        section: &mut Section,
        name: &str,
        of_word: impl Fn(&str) -> Option<T>,
        known: impl Iterator<Item = &'static str>,
    ) -> Option<T> {
        let known = known.collect::<Vec<_>>().join(", ");
        self.read(section, name, ProfileFault::Word(known), |value| of_word(value.as_str()?))
    }

    fn read<T>(
        &mut self,
        section: &mut Section,
        name: &str,
        fault: ProfileFault,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        match section.values.remove(name) {
            None => self.fault(section.key(name), ProfileFault::Missing),
            Some(value) => parse(&value).or_else(|| self.fault(section.key(name), fault)),
        }
    }

    fn finish(&mut self, section: &Section) {
        for name in section.values.keys() {
            self.fault::<()>(section.key(name), ProfileFault::Unknown);
        }
    }

    /// Notes a mistake; always `None`, so that it can stand where a value was expected.
    fn fault<T>(&mut self, key: String, fault: ProfileFault) -> Option<T> {
        self.problems.push(ProfileProblem { key, fault });
        None
    }
}

fn offset(text: &str) -> Option<Offset> {
    if text == "end of service day" {
        return Some(Offset::EndOfDay);
    }
    if let Some(months) = text.strip_suffix(" months after service day") {
        return months.parse().ok().filter(|months| (1..=120).contains(months)).map(Offset::Months);
    }
    text.strip_suffix(" after service").and_then(span).map(Offset::After)
}

fn span(text: &str) -> Option<Duration> {
    let unit = |suffix: &str, seconds: u32| {
        let count: u32 = text.strip_suffix(suffix)?.parse().ok().filter(|count| (1..=10_000).contains(count))?;
        Some(Duration::from_secs(u64::from(count) * u64::from(seconds)))
    };
    unit("m", 60).or_else(|| unit("h", 3600)).or_else(|| unit("d", 86_400))
}

fn words<T: Copy>(all: &'static [T], word: fn(T) -> &'static str) -> impl Iterator<Item = &'static str> {
    all.iter().map(move |value| word(*value))
}
