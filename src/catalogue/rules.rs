//! Rules across fields, as the tables state them.
//!
//! Job: judge what one field demands of another. Invariants: a rule has a source in its table; it only refuses what BPJS
//! is known to refuse or what the official catalogue forbids. Neighbours: `check`. What it does not do: one field by
//! itself (`fields`).

use serde::Deserialize;
use serde_json::Value;

use super::check::Problem;
use super::operation::Operation;
use super::paths::at;
use super::payload::is_unset;

/// A rule across fields.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
pub enum Rule {
    /// One that needs words of its own.
    Named(Named),
    /// *When this field has one of these values, that field must …*
    When(When),
}

/// Rules with words of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// `kdStatusPulang` 4 needs `rujukLanjut.kdppk`: BPJS answers 500 without it (wire facts §5.3).
    ReferralNeedsTarget,
}

/// `{ when = "tujuanKunj", is = ["0"], empty = ["flagProcedure"] }`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The deciding field, dotted.
    pub when: String,
    /// The rule holds when its text is one of these.
    #[serde(default)]
    pub is: Vec<String>,
    /// Or when it is none of these.
    #[serde(default)]
    pub is_not: Vec<String>,
    /// These must be empty then.
    #[serde(default)]
    pub empty: Vec<String>,
    /// These must be given then.
    #[serde(default)]
    pub given: Vec<String>,
}

impl Rule {
    pub(super) fn faults(&self, operation: &Operation, payload: &Value) -> Vec<Problem> {
        match self {
            Self::Named(Named::ReferralNeedsTarget) => referral(payload).into_iter().collect(),
            Self::When(when) => when.faults(operation, payload),
        }
    }

    /// The fields it names.
    pub(super) fn fields(&self) -> Vec<&String> {
        match self {
            Self::Named(_) => Vec::new(),
            Self::When(rule) => std::iter::once(&rule.when).chain(&rule.empty).chain(&rule.given).collect(),
        }
    }

    /// In English, for the documentation.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Named(Named::ReferralNeedsTarget) => "`kdStatusPulang` 4 needs `rujukLanjut.kdppk`".to_owned(),
            Self::When(rule) => {
                let (verb, values) = if rule.is_not.is_empty() { ("is", &rule.is) } else { ("is not", &rule.is_not) };
                let list = |names: &[String]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
                let quoted = values.iter().map(|v| format!("\"{v}\"")).collect::<Vec<_>>().join(" or ");
                let mut text = format!("when `{}` {verb} {quoted}", rule.when);
                if !rule.empty.is_empty() {
                    text.push_str(&format!(", {} must be empty", list(&rule.empty)));
                }
                if !rule.given.is_empty() {
                    text.push_str(&format!(", {} must be given", list(&rule.given)));
                }
                text
            }
        }
    }
}

impl When {
    fn faults(&self, operation: &Operation, payload: &Value) -> Vec<Problem> {
        let deciding = match at(payload, &self.when) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => String::new(),
        };
        let holds = if self.is_not.is_empty() { self.is.contains(&deciding) } else { !self.is_not.contains(&deciding) };
        if !holds {
            return Vec::new();
        }
        let is_blank = |name: &String| match at(payload, name) {
            None => true,
            Some(Value::String(text)) => text.trim().is_empty(),
            Some(value) => value.is_null(),
        };
        let title = operation.field(&self.when).map_or(self.when.as_str(), |field| field.title.as_str());
        let when = if self.is_not.is_empty() {
            format!("bila {} = {}", self.when, self.is.join(" atau "))
        } else {
            format!("bila {} bukan {}", self.when, self.is_not.join(" atau "))
        };
        let full = self.empty.iter().filter(|name| !is_blank(name));
        let open = self.given.iter().filter(|name| is_blank(name));
        full.map(|name| Problem::new(name, format!("harus kosong {when} ({title})")))
            .chain(open.map(|name| Problem::new(name, format!("wajib diisi {when} ({title})"))))
            .collect()
    }
}

fn referral(payload: &Value) -> Option<Problem> {
    let refers = payload.get("kdStatusPulang").and_then(Value::as_str) == Some("4");
    let target = payload.pointer("/rujukLanjut/kdppk").is_some_and(|v| !is_unset(v));
    (refers && !target).then(|| {
        Problem::new("rujukLanjut", "status pulang 4 (rujuk lanjut) memerlukan rujukLanjut dengan kdppk tujuan")
    })
}
