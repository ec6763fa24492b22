//! What the vault holds once it is open.
//!
//! Job: names, versions and values in memory, and the questions asked of them. Invariants: values are wiped on drop and
//! have no `Debug`; one counter gives every credential its version, so the version of a set (its newest member's) rises
//! whenever any member changes. Neighbours: `file` reads and writes it, `Vault` hands out typed sets.
//! What it does not do: files, keys.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::error::{MAX_VALUE, ValueFault, VaultError};
use super::seal::{Label, Purpose, random};

/// The credentials a facility may have, as named in the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialName {
    /// `cons_id`
    ConsId,
    /// `secret_key`
    SecretKey,
    /// `pcare.user_key`
    PcareUserKey,
    /// `pcare.username`
    PcareUsername,
    /// `pcare.password`
    PcarePassword,
    /// `vclaim.user_key`
    VclaimUserKey,
    /// `antrean_fktp.user_key`
    AntreanFktpUserKey,
    /// `icare.user_key`
    IcareUserKey,
}

impl CredentialName {
    /// Every name, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::ConsId,
        Self::SecretKey,
        Self::PcareUserKey,
        Self::PcareUsername,
        Self::PcarePassword,
        Self::VclaimUserKey,
        Self::AntreanFktpUserKey,
        Self::IcareUserKey,
    ];

    /// The name as written on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsId => "cons_id",
            Self::SecretKey => "secret_key",
            Self::PcareUserKey => "pcare.user_key",
            Self::PcareUsername => "pcare.username",
            Self::PcarePassword => "pcare.password",
            Self::VclaimUserKey => "vclaim.user_key",
            Self::AntreanFktpUserKey => "antrean_fktp.user_key",
            Self::IcareUserKey => "icare.user_key",
        }
    }

    /// Refuses values that cannot be this credential.
    ///
    /// # Errors
    /// [`VaultError::Value`] with the reason, never the value.
    pub fn check(self, value: &str) -> Result<(), VaultError> {
        let why = if value.is_empty() {
            ValueFault::Empty
        } else if value.chars().any(char::is_control) {
            ValueFault::Control
        } else if value.len() > MAX_VALUE {
            ValueFault::TooLong
        } else if self == Self::PcareUsername && value.contains(':') {
            ValueFault::Colon
        } else {
            return Ok(());
        };
        Err(VaultError::Value { name: self.as_str(), why })
    }
}

impl FromStr for CredentialName {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self, VaultError> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| VaultError::UnknownName { known: Self::ALL.map(Self::as_str).join(", ") })
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Checks a facility code: eight digits and capital letters (`kdProvider`).
///
/// # Errors
/// [`VaultError::FacilityCode`].
pub fn check_facility(code: &str) -> Result<(), VaultError> {
    let fits = code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if fits { Ok(()) } else { Err(VaultError::FacilityCode) }
}

/// One record, open.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) label: Label,
    pub(super) value: Zeroizing<Vec<u8>>,
}

/// All records, open.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) entries: Vec<Entry>,
}

impl Content {
    /// An empty vault with a fresh root.
    pub(super) fn fresh(now_ms: i64) -> Result<Self, VaultError> {
        let root = Zeroizing::new(random::<32>()?.to_vec());
        let label =
            Label { purpose: Purpose::Root, facility: String::new(), name: "store".into(), version: 1, set_at: now_ms };
        Ok(Self { entries: vec![Entry { label, value: root }] })
    }

    /// The root of the store's keys; `None` in a file that lacks it.
    pub(super) fn root(&self) -> Option<[u8; 32]> {
        self.of(Purpose::Root).next().and_then(|entry| entry.value.as_slice().try_into().ok())
    }

    fn of(&self, purpose: Purpose) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.label.purpose == purpose)
    }

    /// The newest value of a credential that is not newer than `at`, with its version.
    pub(super) fn credential(&self, facility: &str, name: CredentialName, at: u64) -> Option<(&str, u64)> {
        self.of(Purpose::Credential)
            .filter(|entry| entry.label.facility == facility && entry.label.name == name.as_str())
            .filter(|entry| entry.label.version <= at)
            .max_by_key(|entry| entry.label.version)
            .and_then(|entry| Some((std::str::from_utf8(&entry.value).ok()?, entry.label.version)))
    }

    /// The newest record of every credential, by facility and name.
    pub(super) fn newest(&self) -> BTreeMap<(&str, &str), &Entry> {
        let mut newest: BTreeMap<(&str, &str), &Entry> = BTreeMap::new();
        for entry in self.of(Purpose::Credential) {
            let place = newest.entry((&entry.label.facility, &entry.label.name)).or_insert(entry);
            if entry.label.version > place.label.version {
                *place = entry;
            }
        }
        newest
    }

    /// Adds a new version of a credential and keeps the one before it, for answers still under way.
    pub(super) fn put(&mut self, facility: &str, name: CredentialName, value: &str, now_ms: i64) -> u64 {
        let version = self.of(Purpose::Credential).map(|entry| entry.label.version).max().unwrap_or(0) + 1;
        let before = self.credential(facility, name, u64::MAX).map(|(_, version)| version);
        self.entries.retain(|entry| {
            let label = &entry.label;
            let same =
                label.purpose == Purpose::Credential && label.facility == facility && label.name == name.as_str();
            !same || Some(label.version) == before
        });
        let label = Label {
            purpose: Purpose::Credential,
            facility: facility.to_owned(),
            name: name.as_str().to_owned(),
            version,
            set_at: now_ms,
        };
        self.entries.push(Entry { label, value: Zeroizing::new(value.as_bytes().to_vec()) });
        version
    }

    /// Forgets every version of a credential but the newest.
    pub(super) fn forget_older(&mut self) {
        let newest: Vec<u64> = self.newest().values().map(|entry| entry.label.version).collect();
        self.entries
            .retain(|entry| entry.label.purpose != Purpose::Credential || newest.contains(&entry.label.version));
    }

    /// Stores a gateway client's local credentials, as JSON.
    pub(super) fn put_gateway(&mut self, client: &str, json: Zeroizing<Vec<u8>>, now_ms: i64) {
        let label = Label {
            purpose: Purpose::Gateway,
            facility: client.to_owned(),
            name: "local".to_owned(),
            version: 1,
            set_at: now_ms,
        };
        self.entries.push(Entry { label, value: json });
    }

    /// Every gateway client's id and JSON.
    pub(super) fn gateways(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.of(Purpose::Gateway).map(|entry| (entry.label.facility.as_str(), entry.value.as_slice()))
    }
}
