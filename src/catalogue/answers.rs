//! What BPJS's answers mean, as data with a source.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::operation::Kind;
use crate::secret::Private;
use crate::words::words;

/// Ids that BPJS assigned (`noUrut`, `noKunjungan`, `kdObatSK`…), by name.
pub type RemoteIds = BTreeMap<String, String>;

words! {
    /// Who can do something about a failure.
    Who {
        /// Registration desk.
        Registration = "registration",
        /// The doctor or clinic.
        Doctor = "doctor",
        /// IT or the SIM vendor.
        It = "it",
        /// BPJS Kesehatan.
        Bpjs = "bpjs",
    }
}

/// BPJS's no, with what the catalogue knows about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// `metaData.code`, or the HTTP status where there was none.
    pub code: i64,
    /// BPJS's words (`metaData.message` and the `{field,message}` list).
    pub message: Private<String>,
    /// Name of the catalogue rule that recognised it.
    pub rule: String,
    /// Its meaning in Indonesian.
    pub meaning: String,
    /// Who must act.
    pub who: Who,
    /// What to do next, in Indonesian.
    pub next: String,
}

/// What an answer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerClass {
    /// BPJS has it already.
    AlreadyThere,
    /// BPJS does not know what was to be changed or deleted.
    NotFound,
    /// No, for good.
    Refused,
    /// The login or its activation is refused.
    Credentials,
    /// The timestamp is refused.
    Clock,
    /// A refusal of access with an unknown text: the probe decides.
    #[serde(rename = "unknown_401")]
    Unknown401,
    /// Come back later.
    RateLimited,
    /// An error of BPJS's program: it may have landed.
    Fault,
}

/// One rule of an answer table.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Stable name; `why.code` of a delivery.
    pub name: String,
    /// Codes it is about.
    pub code: Vec<i64>,
    /// All of these stand in the text.
    #[serde(default)]
    pub words: Vec<String>,
    /// One of these stands in the text.
    #[serde(default)]
    pub any: Vec<String>,
    /// Only for these kinds of operation.
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// What it is.
    pub class: AnswerClass,
    /// Its meaning, in Indonesian.
    pub meaning: String,
    /// Who must act.
    pub who: Who,
    /// What to do next, in Indonesian.
    pub next: String,
    /// Where this is known from.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    answer: Vec<Answer>,
}

pub(super) fn read_table(text: &str) -> Result<Vec<Answer>, String> {
    toml::from_str::<Table>(text).map(|table| table.answer).map_err(|e| e.to_string())
}

impl Answer {
    /// Whether this rule is about an answer.
    #[must_use]
    pub fn fits(&self, kind: Kind, code: i64, text: &str) -> bool {
        let text = text.to_lowercase();
        self.code.contains(&code)
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self.words.iter().all(|word| text.contains(word.as_str()))
            && (self.any.is_empty() || self.any.iter().any(|word| text.contains(word.as_str())))
    }

    /// The refusal it makes of BPJS's code and words.
    #[must_use]
    pub fn refusal(&self, code: i64, message: String) -> Refusal {
        Refusal {
            code,
            message: Private::new(message),
            rule: self.name.clone(),
            meaning: self.meaning.clone(),
            who: self.who,
            next: self.next.clone(),
        }
    }
}
