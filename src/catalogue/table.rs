//! From the text of a table to its operations, answers and dialect.
//!
//! Job: read one TOML file of the catalogue. Invariants: unknown keys are errors; what is wrong is told with the line.
//! Neighbours: the parent puts tables together. What it does not do: references between operations (the parent, once all
//! are there).

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::answers::Answer;
use super::dialect::DialectPatch;
use super::fields::Field;
use super::look_up::LookUp;
use super::operation::{Keep, Kind, Method, Need, Operation, Search, Service};
use super::rules::Rule;

/// One file of the catalogue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) service: Service,
    #[serde(default)]
    pub(super) dialect: DialectPatch,
    #[serde(default, rename = "operation")]
    pub(super) operations: Vec<Row>,
    #[serde(default, rename = "answer")]
    pub(super) answers: Vec<Answer>,
    #[serde(default)]
    fields: BTreeMap<String, toml::Table>,
}

/// One operation as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) name: Spanned<String>,
    title: Option<String>,
    kind: Option<Kind>,
    method: Option<Method>,
    path: Option<String>,
    source: Option<String>,
    #[serde(default)]
    pub(super) retired: bool,
    #[serde(default)]
    also: Vec<String>,
    content_type: Option<String>,
    body: Option<bool>,
    wrap: Option<String>,
    dialect: Option<DialectPatch>,
    sealed: Option<bool>,
    #[serde(default)]
    fields: toml::Table,
    fields_of: Option<Shared>,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    omit_null: Vec<String>,
    #[serde(default)]
    needs: Vec<Need>,
    #[serde(default)]
    gives: Vec<String>,
    #[serde(default)]
    gives_also: Vec<String>,
    #[serde(default)]
    ids_at: BTreeMap<String, String>,
    own_id: Option<String>,
    #[serde(default)]
    natural_key: Vec<String>,
    #[serde(default)]
    id_scope: Vec<String>,
    releases: Option<String>,
    date_field: Option<String>,
    patient_field: Option<String>,
    #[serde(default)]
    deadline: String,
    look_up: Option<LookUp>,
    #[serde(default)]
    repeat_safe: bool,
    page: Option<u32>,
    rows: Option<String>,
    keep: Option<Keep>,
    search: Option<Search>,
    #[serde(default)]
    prefetch: Vec<BTreeMap<String, String>>,
    #[serde(default)]
    never_kept: bool,
}

/// One shared list of fields, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Shared {
    One(String),
    Several(Vec<String>),
}

impl Shared {
    fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// A fault of a table: the line, counted from 1, where it is known apart from the words.
pub(super) struct Fault {
    pub(super) line: Option<usize>,
    pub(super) what: String,
}

/// Reads a table.
///
/// # Errors
/// What is wrong, with the line.
pub(super) fn read(text: &str) -> Result<Table, Fault> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| line_of(text, span.start));
        Fault { line, what: error.message().to_owned() }
    })
}

/// The line, counted from 1, of a place in a text.
pub(super) fn line_of(text: &str, place: usize) -> usize {
    text.bytes().take(place).filter(|byte| *byte == b'\n').count() + 1
}

impl Row {
    /// The operation it describes, in the dialect of its service.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub(super) fn operation(
        self,
        table: (Service, &BTreeMap<String, toml::Table>),
        dialect: &DialectPatch,
    ) -> Result<Operation, String> {
        let (service, shared) = table;
        let missing = |key: &str| format!("lacks {key}");
        let mut patch = self.dialect.unwrap_or_default();
        if let Some(sealed) = self.sealed {
            patch.seal(sealed);
        }
        let dialect = patch.over(dialect.clone()).whole()?;
        let method = self.method.ok_or_else(|| missing("method"))?;
        let has_body = self.body.unwrap_or(matches!(method, Method::Post | Method::Put));
        let content_type = self.content_type.or_else(|| dialect.body_types.first().filter(|_| has_body).cloned());
        Ok(Operation {
            service,
            fields: fields(self.fields_of.as_ref().map_or(&[], Shared::names), &self.fields, shared)?,
            name: self.name.into_inner(),
            title: self.title.ok_or_else(|| missing("title"))?,
            kind: self.kind.ok_or_else(|| missing("kind"))?,
            method,
            path: self.path.ok_or_else(|| missing("path"))?,
            also: self.also,
            content_type,
            wrap: self.wrap.map(|wrap| wrap.split('.').map(str::to_owned).collect()).unwrap_or_default(),
            rules: self.rules,
            omit_null: self.omit_null,
            needs: self.needs,
            gives: self.gives,
            gives_also: self.gives_also,
            ids_at: self.ids_at,
            own_id: self.own_id,
            natural_key: self.natural_key,
            id_scope: self.id_scope,
            releases: self.releases,
            date_field: self.date_field,
            patient_field: self.patient_field,
            deadline: self.deadline,
            look_up: self.look_up,
            repeat_safe: self.repeat_safe,
            page: self.page,
            rows: self.rows,
            keep: self.keep,
            search: self.search,
            prefetch: self.prefetch,
            never_kept: self.never_kept,
            retired: self.retired,
            source: self.source.ok_or_else(|| missing("source"))?,
            dialect,
        })
    }
}

/// The rows of the shared lists, then the operation's own; one of the same name stands in its place.
fn fields(
    names: &[String],
    own: &toml::Table,
    shared: &BTreeMap<String, toml::Table>,
) -> Result<Vec<(String, Field)>, String> {
    let mut fields: Vec<(String, Field)> = Vec::new();
    let lists = names.iter().map(|name| shared.get(name).ok_or_else(|| format!("no shared fields {name}")));
    let lists = lists.collect::<Result<Vec<_>, _>>()?;
    for (name, spec) in lists.into_iter().flatten().chain(own) {
        let field: Field = spec.clone().try_into().map_err(|e| format!("field {name}: {e}"))?;
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = field,
            None => fields.push((name.clone(), field)),
        }
    }
    Ok(fields)
}

impl Table {
    /// Every operation of the table, with the line of its name, or what is wrong with it.
    pub(super) fn into_parts(self, text: &str, dialect: &DialectPatch) -> Parts {
        let (service, shared) = (self.service, self.fields);
        let operations = self.operations.into_iter().map(|row| {
            let (name, line) = (row.name.get_ref().clone(), line_of(text, row.name.span().start));
            let retires = row.retired && row.title.is_none();
            let read = if retires { Ok(None) } else { row.operation((service, &shared), dialect).map(Some) };
            (name, line, read)
        });
        Parts { operations: operations.collect(), answers: self.answers }
    }
}

/// What a table holds.
pub(super) struct Parts {
    /// Name, line, and the operation; none where the row only retires it.
    pub(super) operations: Vec<(String, usize, Result<Option<Operation>, String>)>,
    pub(super) answers: Vec<Answer>,
}
