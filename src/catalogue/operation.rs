//! One remote operation as the tables describe it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::answers::RemoteIds;
use super::check::Problem;
use super::dialect::Dialect;
use super::fields::Field;
use super::look_up::LookUp;
use super::rules::Rule;
use super::{paths, route};

/// A web service of BPJS Kesehatan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// P-Care REST.
    Pcare,
    /// V-Claim REST.
    Vclaim,
    /// Antrean FKTP, outbound.
    AntreanFktp,
    /// i-Care.
    Icare,
}

impl Service {
    /// Every service.
    pub const ALL: &'static [Self] = &[Self::Pcare, Self::Vclaim, Self::AntreanFktp, Self::Icare];

    /// The word in configuration, SQL and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pcare => "pcare",
            Self::Vclaim => "vclaim",
            Self::AntreanFktp => "antrean_fktp",
            Self::Icare => "icare",
        }
    }

    /// The service of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|service| service.word() == word)
    }
}

/// What an operation does at BPJS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Creates something.
    Add,
    /// Changes something.
    Edit,
    /// Removes something.
    Delete,
    /// Reads.
    Read,
}

/// HTTP method.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

impl Method {
    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A field that a prerequisite's answer fills when the payload leaves it open.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Payload field.
    pub field: String,
    /// Name of the id in the prerequisite's `remote`.
    pub id: String,
    /// Operations that give it, the nearest first.
    pub from: Vec<String>,
    /// `integer` if the wire wants a number.
    #[serde(default, rename = "as")]
    pub as_type: Option<String>,
    /// Whether the operation also works without it.
    #[serde(default)]
    pub optional: bool,
}

/// As what a read's answer is kept for outages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// A list of codes: the same for everybody, not personal.
    Reference,
    /// A member's standing: personal, and of a month (BPJS decides anew on the 1st).
    Eligibility,
}

/// How kept rows are searched and paged, as the service would have done it.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The argument with the words searched for.
    pub term: Option<String>,
    /// Fields of a row (dotted) in which they may stand, regardless of case.
    #[serde(default)]
    pub fields: Vec<String>,
    /// The argument with the first row's number.
    pub start: Option<String>,
    /// The argument with the number of rows.
    pub limit: Option<String>,
}

/// One operation of a remote service.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Name in the API, e.g. `pcare.obat.add`.
    pub name: String,
    /// The service it belongs to.
    pub service: Service,
    /// Indonesian name for people.
    pub title: String,
    /// What it does.
    pub kind: Kind,
    /// HTTP method.
    pub method: Method,
    /// Path below the base URL, with `{field}` placeholders.
    pub path: String,
    /// Other templates that mean the same (earlier years, an optional last segment).
    pub also: Vec<String>,
    /// `Content-Type` of the body; without one the operation has no body.
    pub content_type: Option<String>,
    /// The objects around the payload on the wire, the outermost first; see [`Operation::wire`].
    pub wrap: Vec<String>,
    /// Payload fields by their dotted names, in the order of the table; of a read, its arguments.
    pub fields: Vec<(String, Field)>,
    /// Rules across fields.
    pub rules: Vec<Rule>,
    /// Fields that are left out when null (a declared normalisation).
    pub omit_null: Vec<String>,
    /// Ids that prerequisites give.
    pub needs: Vec<Need>,
    /// Ids that BPJS assigns; without the first of them an answer is unreadable.
    pub gives: Vec<String>,
    /// Ids that BPJS may also assign.
    pub gives_also: Vec<String>,
    /// Where the ids stand in the answer: id ← dotted path (`.` is the answer itself). Without it, as `{field, message}`.
    pub ids_at: BTreeMap<String, String>,
    /// The payload field that is its own id at BPJS, where BPJS assigns none.
    pub own_id: Option<String>,
    /// What makes two entries the same entry.
    pub natural_key: Vec<String>,
    /// Within which fields an assigned id is unique.
    pub id_scope: Vec<String>,
    /// A delete frees the id that this add owns.
    pub releases: Option<String>,
    /// Field with the day of service.
    pub date_field: Option<String>,
    /// Field with the patient's card.
    pub patient_field: Option<String>,
    /// Rule of the contract profile that dates it.
    pub deadline: String,
    /// How to look it up; without one a write is repeat-safe.
    pub look_up: Option<LookUp>,
    /// An add that may be repeated although nothing can look it up: BPJS refuses the second (a duplicate is success).
    pub repeat_safe: bool,
    /// Rows per page of a paged read.
    pub page: Option<u32>,
    /// Where the rows stand in a read's answer (dotted); without it in `list`, or the answer is the one row.
    pub rows: Option<String>,
    /// Whether what a read brings is kept for outages, and as what.
    pub keep: Option<Keep>,
    /// How kept rows are searched and paged.
    pub search: Option<Search>,
    /// Arguments with which a kept reference is fetched ahead; `@facility` and `@today` stand for themselves.
    pub prefetch: Vec<BTreeMap<String, String>>,
    /// Whether its answer must never be kept or logged, not even as a whole (i-Care's login links).
    pub never_kept: bool,
    /// BPJS has withdrawn it: known for the entries that exist, not offered any more.
    pub retired: bool,
    pub(super) dialect: Dialect,
    /// Where all this is known from.
    pub source: String,
}

impl Operation {
    /// Whether it changes something at BPJS.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.kind != Kind::Read
    }

    /// Its name without a generation (`vclaim.sep.v1.add` → `vclaim.sep.add`): what its generations make at BPJS is of
    /// one kind with one row of numbers, so that one number has one owner whichever of them made it.
    #[must_use]
    pub fn family(&self) -> String {
        let is_generation = |part: &&str| {
            part.strip_prefix('v')
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        self.name.split('.').filter(|part| !is_generation(part)).collect::<Vec<_>>().join(".")
    }

    /// Whether a list of BPJS shows what it makes, by its id.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        let id = self.gives.first().or(self.own_id.as_ref());
        id.zip(self.look_up.as_ref()).is_some_and(|(id, plan)| plan.ids.contains_key(id))
    }

    /// Whether BPJS itself refuses a second copy.
    #[must_use]
    pub fn is_unique(&self) -> bool {
        self.look_up.as_ref().is_none_or(|plan| plan.unique)
    }

    /// How long after an attempt ended *absent* may be believed.
    #[must_use]
    pub fn settle(&self) -> Duration {
        self.look_up.as_ref().map_or(Duration::from_secs(60), LookUp::settle)
    }

    /// The field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, field)| field)
    }

    /// Every fault of a payload: unknown, missing and malformed fields, and rules across fields. Fields that a
    /// prerequisite will fill may be open.
    #[must_use]
    pub fn check_payload(&self, payload: &Value) -> Vec<Problem> {
        super::check::check(self, payload)
    }

    /// The payload's JSON Schema (draft 2020-12), for the OpenAPI file and the documentation.
    #[must_use]
    pub fn schema(&self) -> Value {
        super::schema::of(self)
    }

    /// How its service speaks to it.
    #[must_use]
    pub const fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The payload as it goes on the wire: inside the objects of `wrap` (a declared normalisation).
    #[must_use]
    pub fn wire(&self, payload: Value) -> Value {
        paths::wrap(&self.wrap, payload)
    }

    /// The inner payload of a body, which may be in either form. What is wrapped otherwise stays as it is: the check
    /// names what is wrong with it.
    #[must_use]
    pub fn unwrap_body(&self, body: Value) -> Value {
        match paths::unwrap(&self.wrap, &body) {
            Some(inner) => inner.clone(),
            None => body,
        }
    }

    /// The ids of `ids_at` in an opened answer, under their names here.
    #[must_use]
    pub fn ids_in(&self, answer: &Value) -> RemoteIds {
        let found = self.ids_at.iter().filter_map(|(id, path)| {
            let value = if path == "." { Some(answer) } else { paths::at(answer, path) };
            Some((id.clone(), super::look_up::id_text(value?)?))
        });
        found.collect()
    }

    /// The day in a payload's field of this dotted name.
    #[must_use]
    pub fn day_in(&self, payload: &Value, field: &str) -> Option<jiff::civil::Date> {
        self.field(field)?.kind.day(paths::at(payload, field)?.as_str()?)
    }

    /// The names of the path's placeholders.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        route::placeholders(&self.path)
    }

    /// The members that the table names directly below a dotted name (`""` for the payload itself, `diagnosa[]` for the
    /// items of a list), in the order of the table; without a field where only members of it have rows.
    pub(super) fn members(&self, prefix: &str) -> Vec<(&str, Option<&Field>)> {
        let mut found: Vec<(&str, Option<&Field>)> = Vec::new();
        for (path, field) in &self.fields {
            let Some(below) = below(path, prefix) else { continue };
            let name = below.split(['.', '[']).next().unwrap_or(below);
            let own = (name == below).then_some(field);
            match found.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = known.or(own),
                None => found.push((name, own)),
            }
        }
        found
    }

    pub(super) fn has_members(&self, path: &str) -> bool {
        self.fields.iter().any(|(own, _)| below(own, path).is_some())
    }

    /// Whether an object without a row of its own must be there: one of its members must.
    pub(super) fn needs_inside(&self, path: &str) -> bool {
        self.members(path).into_iter().any(|(name, field)| {
            field.map_or_else(|| self.needs_inside(&format!("{path}.{name}")), |field| field.required)
        })
    }

    pub(super) fn mentions(&self) -> impl Iterator<Item = &String> {
        let needs = self.needs.iter().flat_map(|need| need.from.iter());
        needs.chain(self.look_up.iter().flat_map(LookUp::reads)).chain(self.releases.iter())
    }

    /// What must hold within one row of the table.
    ///
    /// # Errors
    /// The first thing that does not.
    pub(super) fn check(&self) -> Result<(), String> {
        let known = |name: &String| self.field(name).is_some();
        let named = self
            .natural_key
            .iter()
            .chain(&self.id_scope)
            .chain(&self.omit_null)
            .chain(self.needs.iter().map(|need| &need.field))
            .chain(self.date_field.iter())
            .chain(self.patient_field.iter())
            .chain(self.own_id.iter())
            .chain(self.rules.iter().flat_map(Rule::fields))
            .chain(self.look_up.iter().flat_map(LookUp::fields));
        for name in named {
            if !known(name) {
                return Err(format!("no field {name}"));
            }
        }
        let templates = std::iter::once(&self.path).chain(&self.also);
        for name in templates.flat_map(|template| route::placeholders(template)) {
            if self.field(name).is_none() {
                return Err(format!("no field for the placeholder {{{name}}}"));
            }
        }
        if self.kind == Kind::Add && self.look_up.is_none() != self.repeat_safe {
            return Err("an add needs a look-up plan, or repeat_safe = true".to_owned());
        }
        if self.is_write() && self.deadline.is_empty() {
            return Err("a write needs a deadline rule".to_owned());
        }
        if self.never_kept && self.keep.is_some() {
            return Err("never_kept and keep exclude one another".to_owned());
        }
        Ok(())
    }
}

/// What of a dotted name stands below `prefix`.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    if prefix.is_empty() { Some(path) } else { path.strip_prefix(prefix)?.strip_prefix('.') }
}
