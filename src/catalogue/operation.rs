//! One remote operation as the tables describe it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::fields::{Field, Problem, Rule};
use super::look_up::LookUp;

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
    /// `Content-Type` of the body; without one the operation has no body.
    pub content_type: Option<String>,
    /// Payload fields, in the order of the table.
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
    /// Rows per page of a paged read.
    pub page: Option<u32>,
    /// Where all this is known from.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    service: Service,
    operation: Vec<Row>,
    #[serde(default)]
    fields: BTreeMap<String, toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    title: String,
    kind: Kind,
    method: Method,
    path: String,
    content_type: Option<String>,
    #[serde(default)]
    fields: toml::Table,
    fields_of: Option<String>,
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
    page: Option<u32>,
    source: String,
}

/// Reads the operations of one service's table.
pub(super) fn read_table(text: &str) -> Result<Vec<Operation>, String> {
    let table: Table = toml::from_str(text).map_err(|e| e.to_string())?;
    table.operation.into_iter().map(|row| operation(table.service, row, &table.fields)).collect()
}

fn operation(service: Service, row: Row, shared: &BTreeMap<String, toml::Table>) -> Result<Operation, String> {
    let own = match &row.fields_of {
        Some(name) => shared.get(name).ok_or_else(|| format!("{}: no shared fields {name}", row.name))?,
        None => &row.fields,
    };
    let mut fields = Vec::new();
    for (name, spec) in own {
        let field: Field = spec.clone().try_into().map_err(|e| format!("{}.{name}: {e}", row.name))?;
        fields.push((name.clone(), field));
    }
    Ok(Operation {
        service,
        fields,
        name: row.name,
        title: row.title,
        kind: row.kind,
        method: row.method,
        path: row.path,
        content_type: row.content_type,
        rules: row.rules,
        omit_null: row.omit_null,
        needs: row.needs,
        gives: row.gives,
        gives_also: row.gives_also,
        own_id: row.own_id,
        natural_key: row.natural_key,
        id_scope: row.id_scope,
        releases: row.releases,
        date_field: row.date_field,
        patient_field: row.patient_field,
        deadline: row.deadline,
        look_up: row.look_up,
        page: row.page,
        source: row.source,
    })
}

impl Operation {
    /// Whether it changes something at BPJS.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.kind != Kind::Read
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
        super::fields::check(self, payload)
    }

    /// The payload's JSON Schema (draft 2020-12), for the OpenAPI file and the documentation.
    #[must_use]
    pub fn schema(&self) -> Value {
        let properties: serde_json::Map<String, Value> =
            self.fields.iter().map(|(name, field)| (name.clone(), field.schema())).collect();
        let required: Vec<&String> =
            self.fields.iter().filter(|(_, field)| field.required).map(|(name, _)| name).collect();
        json!({
            "type": "object",
            "title": self.title,
            "description": format!("{} {} — {}", self.method.word(), self.path, self.source),
            "properties": properties,
            "required": required,
            "additionalProperties": false
        })
    }

    pub(super) fn mentions(&self) -> impl Iterator<Item = &String> {
        let needs = self.needs.iter().flat_map(|need| need.from.iter());
        needs.chain(self.look_up.iter().map(|plan| &plan.read)).chain(self.releases.iter())
    }

    /// What must hold within one row of the table.
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
            .chain(self.own_id.iter());
        for name in named {
            if !known(name) {
                return Err(format!("{}: no field {name}", self.name));
            }
        }
        if self.kind == Kind::Add && self.look_up.is_none() {
            return Err(format!("{}: an add needs a look-up plan", self.name));
        }
        if self.is_write() && self.deadline.is_empty() {
            return Err(format!("{}: a write needs a deadline rule", self.name));
        }
        Ok(())
    }
}
