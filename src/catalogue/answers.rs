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
    /// Reads only: there is no such data, which is an answer and not a failure.
    NoData,
}

/// The id that BPJS's own words carry: `Dgn No.SEP {19}`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdInMessage {
    /// Name of the id, as in an operation's `gives`.
    pub id: String,
    /// It is the last so many characters (white space and a full stop at the end aside).
    pub last: usize,
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
    /// Only for these operations; for all where none is named.
    #[serde(default)]
    pub operations: Vec<String>,
    /// The id that the words end with: it is read back and compared before it is adopted.
    pub id_from_message: Option<IdInMessage>,
    /// Where this is known from.
    pub source: String,
}

impl Answer {
    /// Whether this rule is about an answer to the operation of that name.
    #[must_use]
    pub fn fits(&self, operation: &str, kind: Kind, code: i64, text: &str) -> bool {
        let text = text.to_lowercase();
        self.code.contains(&code)
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.operations.is_empty() || self.operations.iter().any(|name| name == operation))
            && self.words.iter().all(|word| text.contains(word.as_str()))
            && (self.any.is_empty() || self.any.iter().any(|word| text.contains(word.as_str())))
    }

    /// The id that BPJS's words end with, if this rule says that they do and they do.
    #[must_use]
    pub fn id_in(&self, text: &str) -> Option<(&str, String)> {
        let IdInMessage { id, last } = self.id_from_message.as_ref()?;
        let text = text.trim_end_matches(|c: char| c.is_whitespace() || c == '.');
        let start = text.char_indices().rev().nth(last.checked_sub(1)?)?.0;
        let (before, found) = text.split_at_checked(start)?;
        // A longer word that merely ends so is something else.
        let apart = !before.ends_with(|c: char| c.is_alphanumeric());
        (apart && found.chars().all(|c| c.is_ascii_alphanumeric())).then(|| (id.as_str(), found.to_owned()))
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
