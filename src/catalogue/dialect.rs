//! How a service speaks: the envelope, its codes, its headers (wire facts of V-Claim and Antrean, §2.5).
//!
//! Job: hold what differs between the services as data, per service and overridable per operation. Invariants: a
//! dialect is complete; nothing about one service is derived from another. Neighbours: `remote` signs and classifies by
//! it, `simulator` answers by it. What it does not do: read envelopes or headers.

use serde::Deserialize;

use super::operation::Service;

/// How the envelope's head is spelt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum EnvelopeKey {
    /// `metaData`: P-Care, V-Claim, i-Care.
    #[serde(rename = "metaData")]
    MetaData,
    /// `metadata`: Antrean.
    #[serde(rename = "metadata")]
    Metadata,
}

impl EnvelopeKey {
    /// The key on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::MetaData => "metaData",
            Self::Metadata => "metadata",
        }
    }
}

/// The JSON type of the envelope's code. Both are read everywhere; this is what the service writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeType {
    /// `200`
    Number,
    /// `"200"`
    String,
}

/// How a service, or one operation of it, speaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dialect {
    /// Spelling of the envelope's head.
    pub envelope: EnvelopeKey,
    /// Type of its code.
    pub code: CodeType,
    /// Codes that mean success. 201 is one in P-Care only.
    pub success: Vec<i64>,
    /// Codes that mean *no such data* whatever the text says; where the text decides, the answer table has the class
    /// [`NoData`](super::AnswerClass::NoData).
    pub no_data: Vec<i64>,
    /// Whether `X-authorization` (the P-Care login) goes along.
    pub authorization: bool,
    /// Whose user key goes along; none for a service that takes none.
    pub user_key: Option<Service>,
    /// Whether `response` comes compressed and encrypted.
    pub sealed: bool,
    /// `Content-Type` of a request without a body.
    pub bare_type: String,
    /// `Content-Type` of a body: the first is sent, the others are known to be taken too.
    pub body_types: Vec<String>,
}

impl Dialect {
    /// Whether the envelope's code says success.
    #[must_use]
    pub fn is_success(&self, code: i64) -> bool {
        self.success.contains(&code)
    }

    /// Whether the code alone says that there is no such data.
    #[must_use]
    pub fn says_no_data(&self, code: i64) -> bool {
        self.no_data.contains(&code)
    }
}

/// What a table says of a dialect; the rest stays as it was.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DialectPatch {
    envelope: Option<EnvelopeKey>,
    code: Option<CodeType>,
    success: Option<Vec<i64>>,
    no_data: Option<Vec<i64>>,
    authorization: Option<bool>,
    user_key: Option<UserKey>,
    sealed: Option<bool>,
    bare_type: Option<String>,
    body_types: Option<Vec<String>>,
}

/// `user_key = "vclaim"` names the service whose key is sent; `user_key = false` sends none.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum UserKey {
    Of(Service),
    Sent(bool),
}

impl DialectPatch {
    pub(super) fn seal(&mut self, sealed: bool) {
        self.sealed = Some(sealed);
    }

    /// This patch over an earlier one.
    pub(super) fn over(self, earlier: Self) -> Self {
        Self {
            envelope: self.envelope.or(earlier.envelope),
            code: self.code.or(earlier.code),
            success: self.success.or(earlier.success),
            no_data: self.no_data.or(earlier.no_data),
            authorization: self.authorization.or(earlier.authorization),
            user_key: self.user_key.or(earlier.user_key),
            sealed: self.sealed.or(earlier.sealed),
            bare_type: self.bare_type.or(earlier.bare_type),
            body_types: self.body_types.or(earlier.body_types),
        }
    }

    /// The dialect, if nothing is missing.
    ///
    /// # Errors
    /// The first key that no table gives.
    pub(super) fn whole(self) -> Result<Dialect, String> {
        let missing = |key: &str| format!("[dialect] lacks {key}");
        let user_key = match self.user_key.ok_or_else(|| missing("user_key"))? {
            UserKey::Of(service) => Some(service),
            UserKey::Sent(false) => None,
            UserKey::Sent(true) => return Err("[dialect] user_key names a service, or is false".to_owned()),
        };
        Ok(Dialect {
            envelope: self.envelope.ok_or_else(|| missing("envelope"))?,
            code: self.code.ok_or_else(|| missing("code"))?,
            success: self.success.filter(|codes| !codes.is_empty()).ok_or_else(|| missing("success"))?,
            no_data: self.no_data.unwrap_or_default(),
            authorization: self.authorization.ok_or_else(|| missing("authorization"))?,
            user_key,
            sealed: self.sealed.unwrap_or(true),
            bare_type: self.bare_type.ok_or_else(|| missing("bare_type"))?,
            body_types: self.body_types.filter(|types| !types.is_empty()).ok_or_else(|| missing("body_types"))?,
        })
    }
}
