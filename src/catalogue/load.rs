//! Putting the catalogue together: the tables shipped inside the binary, then those of a directory over them.
//!
//! Job: read every table, lay overrides over, and hold the whole to its own references. Invariants: a catalogue that
//! loads is whole (every name it mentions exists, every field it names is there); an error names file and line; limits on
//! what is read. Neighbours: `daemon` and `cli` load it. What it does not do: watch the directory.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::Catalogue;
use super::dialect::DialectPatch;
use super::operation::{Operation, Service};
use super::table::{self, Fault, Table};

/// The tables of this program: name and text, one or more per service.
const SHIPPED: &[(&str, &str)] = &[
    ("pcare.toml", include_str!("pcare.toml")),
    ("pcare-reads.toml", include_str!("pcare-reads.toml")),
    ("pcare-answers.toml", include_str!("pcare-answers.toml")),
    ("vclaim.toml", include_str!("vclaim.toml")),
    ("vclaim-reads.toml", include_str!("vclaim-reads.toml")),
    ("vclaim-answers.toml", include_str!("vclaim-answers.toml")),
    ("antrean-fktp.toml", include_str!("antrean-fktp.toml")),
    ("antrean-fktp-answers.toml", include_str!("antrean-fktp-answers.toml")),
    ("icare.toml", include_str!("icare.toml")),
    ("icare-answers.toml", include_str!("icare-answers.toml")),
];

/// Largest table of a directory, bytes.
const TABLE_MAX: u64 = 1024 * 1024;
/// Most tables of a directory.
const TABLES_MAX: usize = 100;

/// A table that cannot be used: which, where, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTable {
    /// File of the table.
    pub table: String,
    /// Line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for BadTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "catalogue {}:{line}: {}", self.table, self.what),
            None => write!(f, "catalogue {}: {}", self.table, self.what),
        }
    }
}

impl std::error::Error for BadTable {}

/// What a table of the override directory did to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It was not known before.
    Added,
    /// It stands in place of the shipped one.
    Replaced,
    /// It is not offered any more.
    Retired,
}

impl Changed {
    /// The word in JSON and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Replaced => "replaced",
            Self::Retired => "retired",
        }
    }
}

/// One change by the override directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The operation.
    pub operation: String,
    /// What became of it.
    pub how: Changed,
    /// The file.
    pub table: String,
    /// The line of its name.
    pub line: usize,
}

impl Catalogue {
    /// The catalogue shipped inside the binary.
    ///
    /// # Errors
    /// [`BadTable`] if a shipped table is malformed: a defect that the tests of this module exclude.
    pub fn shipped() -> Result<Self, BadTable> {
        let mut loading = Loading::default();
        for (name, text) in SHIPPED {
            loading.take(name, text, false)?;
        }
        loading.finish()
    }

    /// The shipped catalogue with the tables of a directory over it: every `*.toml` there, by name.
    ///
    /// # Errors
    /// [`BadTable`] naming the file and line that cannot be used, or the directory.
    pub fn with_overrides(directory: Option<&Path>) -> Result<Self, BadTable> {
        let Some(directory) = directory else { return Self::shipped() };
        let mut loading = Loading::default();
        for (name, text) in SHIPPED {
            loading.take(name, text, false)?;
        }
        for (name, text) in tables_in(directory)? {
            loading.take(&name, &text, true)?;
        }
        loading.finish()
    }

    /// A catalogue of given tables over the shipped ones (for tests and tools).
    ///
    /// # Errors
    /// As [`Self::with_overrides`].
    pub fn with_tables(tables: &[(&str, &str)]) -> Result<Self, BadTable> {
        let mut loading = Loading::default();
        for (name, text) in SHIPPED {
            loading.take(name, text, false)?;
        }
        for (name, text) in tables {
            loading.take(name, text, true)?;
        }
        loading.finish()
    }
}

/// The `*.toml` of a directory, by name.
fn tables_in(directory: &Path) -> Result<Vec<(String, String)>, BadTable> {
    let shown = directory.display().to_string();
    let bad = |table: &str, what: String| BadTable { table: table.to_owned(), line: None, what };
    let entries = std::fs::read_dir(directory).map_err(|error| bad(&shown, error.to_string()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| bad(&shown, error.to_string()))?.path();
        if path.extension().is_some_and(|kind| kind == "toml") {
            paths.push(path);
        }
    }
    if paths.len() > TABLES_MAX {
        return Err(bad(&shown, format!("more than {TABLES_MAX} tables")));
    }
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.display().to_string();
        let size = std::fs::metadata(&path).map_err(|error| bad(&name, error.to_string()))?.len();
        if size > TABLE_MAX {
            return Err(bad(&name, format!("larger than {TABLE_MAX} bytes")));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| bad(&name, error.to_string()))?;
        Ok((name, text))
    };
    paths.into_iter().map(read).collect()
}

/// A catalogue that is being put together.
#[derive(Default)]
struct Loading {
    patches: BTreeMap<Service, DialectPatch>,
    tables: Vec<(String, String, Table, bool)>,
}

impl Loading {
    /// Takes a table; its dialect counts for every table of its service.
    fn take(&mut self, name: &str, text: &str, over: bool) -> Result<(), BadTable> {
        let mut table = table::read(text).map_err(|fault| bad(name, fault))?;
        let earlier = self.patches.remove(&table.service).unwrap_or_default();
        self.patches.insert(table.service, std::mem::take(&mut table.dialect).over(earlier));
        self.tables.push((name.to_owned(), text.to_owned(), table, over));
        Ok(())
    }

    fn finish(self) -> Result<Catalogue, BadTable> {
        let mut dialects = BTreeMap::new();
        for (service, patch) in &self.patches {
            let whole = patch.clone().whole();
            let whole = whole.map_err(|what| bad(service.word(), Fault { line: None, what }))?;
            dialects.insert(*service, whole);
        }
        let mut catalogue =
            Catalogue { operations: BTreeMap::new(), answers: BTreeMap::new(), dialects, changes: Vec::new() };
        let mut places = BTreeMap::new();
        for (name, text, table, over) in self.tables {
            let service = table.service;
            let patch = self.patches.get(&service).cloned().unwrap_or_default();
            let parts = table.into_parts(&text, &patch);
            catalogue.add_answers(service, parts.answers, over);
            let mut own = BTreeMap::new();
            for (operation, line, read) in parts.operations {
                let fault = |what: String| bad(&name, Fault { line: Some(line), what: format!("{operation}: {what}") });
                if own.insert(operation.clone(), ()).is_some() {
                    return Err(fault("stands twice".to_owned()));
                }
                let read = read.map_err(fault)?;
                catalogue.add(service, &operation, read, over, (&name, line)).map_err(fault)?;
                places.insert(operation, (name.clone(), line));
            }
        }
        catalogue.check(&places)?;
        Ok(catalogue)
    }
}

fn bad(table: &str, fault: Fault) -> BadTable {
    BadTable { table: table.to_owned(), line: fault.line, what: fault.what }
}

impl Catalogue {
    /// Adds, replaces or retires one operation.
    fn add(
        &mut self,
        service: Service,
        name: &str,
        read: Option<Operation>,
        over: bool,
        (table, line): (&str, usize),
    ) -> Result<(), String> {
        if name.split('.').next() != Some(service.word()) {
            return Err(format!("the name of an operation of {0} begins with {0}.", service.word()));
        }
        let known = self.operations.contains_key(name);
        let how = match (&read, known, over) {
            (_, true, false) => return Err("stands twice".to_owned()),
            (None, false, _) => return Err("retired, but not known".to_owned()),
            (None, true, true) => Changed::Retired,
            (Some(operation), ..) if operation.retired => Changed::Retired,
            (Some(_), true, true) => Changed::Replaced,
            (Some(_), false, _) => Changed::Added,
        };
        match read {
            Some(operation) => {
                self.operations.insert(name.to_owned(), operation);
            }
            None => {
                if let Some(operation) = self.operations.get_mut(name) {
                    operation.retired = true;
                }
            }
        }
        if over {
            self.changes.push(Change { operation: name.to_owned(), how, table: table.to_owned(), line });
        }
        Ok(())
    }

    /// Answers of an override go before the shipped ones, and in place of one of the same name.
    fn add_answers(&mut self, service: Service, answers: Vec<super::Answer>, over: bool) {
        let rules = self.answers.entry(service).or_default();
        if over {
            rules.retain(|rule| !answers.iter().any(|new| new.name == rule.name));
            rules.splice(0..0, answers);
        } else {
            rules.extend(answers);
        }
    }

    /// Every name an operation mentions must exist, and every row must hold by itself.
    fn check(&self, places: &BTreeMap<String, (String, usize)>) -> Result<(), BadTable> {
        for operation in self.operations.values() {
            let fault = |what: String| {
                let (table, line) = places.get(&operation.name).cloned().unwrap_or_default();
                bad(&table, Fault { line: Some(line), what: format!("{}: {what}", operation.name) })
            };
            for name in operation.mentions() {
                if !self.operations.contains_key(name) {
                    return Err(fault(format!("mentions the unknown operation {name}")));
                }
            }
            operation.check().map_err(fault)?;
            self.check_look_up(operation).map_err(fault)?;
        }
        Ok(())
    }

    /// A look-up gives its read every argument, and looks for the ids that count.
    fn check_look_up(&self, operation: &Operation) -> Result<(), String> {
        let Some(plan) = &operation.look_up else { return Ok(()) };
        let Some(read) = self.operations.get(&plan.read) else { return Ok(()) };
        let paged = ["start", "limit"];
        for name in read.fields.iter().filter(|(_, field)| field.required).map(|(name, _)| name.as_str()) {
            if !plan.args.contains_key(name) && !paged.contains(&name) {
                return Err(format!("the look-up gives {} no {name}", read.name));
            }
        }
        if let Some(name) = plan.args.keys().find(|name| read.field(name).is_none()) {
            return Err(format!("{} takes no {name}", read.name));
        }
        let primary = operation.gives.first().or(operation.own_id.as_ref());
        if let Some(id) = primary.filter(|id| !plan.ids.contains_key(*id)) {
            return Err(format!("the look-up does not find {id}"));
        }
        let Some(confirm) = &plan.confirm else { return Ok(()) };
        if !plan.ids.contains_key(&confirm.id) {
            return Err(format!("confirm names {}, which the look-up does not find", confirm.id));
        }
        let reads = std::iter::once((&confirm.read, &confirm.arg));
        for (read, arg) in reads.chain(confirm.named.iter().map(|named| (&named.read, &named.arg))) {
            if self.operations.get(read).is_some_and(|read| read.field(arg).is_none()) {
                return Err(format!("{read} takes no {arg}"));
            }
        }
        Ok(())
    }
}
