//! The only holder of secrets.
//!
//! Job: keep the credentials of facilities and gateway clients sealed on disk, hand them out as typed sets, and derive
//! the keys under which the store seals its rows. Invariants: nothing leaves but through a getter; errors, `Debug` and
//! listings carry no value; the file is replaced whole or not at all; a change on disk is seen at the next question.
//! Neighbours: `remote` and `http::gateway` ask, `store` takes its keys, `cli` writes. What it does not do: network,
//! wall clock (time is an argument), the database.
//!
//! Keys: KEK → (HKDF) record key and file seal. A random *root*, itself a record, → (HKDF) the store's row key, its index
//! key and the fingerprints. So a new KEK re-seals this small file and leaves the store readable.

pub mod backup;
mod clients;
mod content;
mod disk;
mod error;
mod file;
mod gateway;
mod key;
mod password;
mod rotate;
mod seal;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use zeroize::Zeroizing;

pub use clients::{Client, ClientInfo, Clients, Grant, Kind, NewClient, Role, TokenError};
pub use content::{CredentialName, check_facility};
pub use error::{MAX_VALUE, ValueFault, VaultError};
pub use gateway::GatewayCredentials;
pub use key::{KeyAccess, KeySource};
pub use rotate::Rotated;

use crate::secret::{ConsId, Password, SecretKey, UserKey, Username};
use content::Content;
use disk::{Lock, Stamp};
use key::Kek;

/// A cheap handle on the open vault; all clones see the same content.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    path: PathBuf,
    source: KeySource,
    access: KeyAccess,
    state: RwLock<State>,
}

struct State {
    stamp: Option<Stamp>,
    kek: Kek,
    content: Arc<Content>,
    /// Why the file as it is now could not be read; the content is the last good one.
    fault: Option<VaultError>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("path", &self.0.path).finish_non_exhaustive()
    }
}

/// A key of the store: 32 bytes, wiped on drop, with an id to write beside what it seals.
#[derive(Clone)]
pub struct StoreKey {
    id: u32,
    bytes: Zeroizing<[u8; 32]>,
}

impl StoreKey {
    /// Which root it was derived from: 1 until roots can be replaced.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The bytes: only for sealing and keyed hashes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({}, …)", self.id)
    }
}

/// Everything a P-Care call is signed and authorised with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcareCredentials {
    /// `X-cons-id`.
    pub cons_id: ConsId,
    /// Key of the signature and of the answer.
    pub secret_key: SecretKey,
    /// `user_key` of P-Care.
    pub user_key: UserKey,
    /// Web login.
    pub username: Username,
    /// Web password.
    pub password: Password,
    /// Rises whenever any member changes.
    pub version: u64,
}

/// Everything a call to V-Claim, Antrean FKTP or i-Care is signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCredentials {
    /// `X-cons-id`.
    pub cons_id: ConsId,
    /// Key of the signature and of the answer.
    pub secret_key: SecretKey,
    /// `user_key` of this service.
    pub user_key: UserKey,
    /// Rises whenever any member changes.
    pub version: u64,
}

/// What every call is signed with, whatever the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// `X-cons-id`.
    pub cons_id: ConsId,
    /// Key of the signature and of the answer.
    pub secret_key: SecretKey,
    /// Rises whenever either changes.
    pub version: u64,
}

/// One line of `vault list`: never a value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// The facility's code.
    pub facility: String,
    /// The vault name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// When it was put in.
    pub set_at: Timestamp,
    /// Eight hexadecimal digits, keyed: equal values have equal fingerprints in this vault only.
    pub fingerprint: String,
}

impl Vault {
    /// Makes a new vault with a fresh root; with `file:` a missing key file is made too.
    ///
    /// # Errors
    /// [`VaultError::AlreadyThere`] if there is a vault; otherwise key and file errors.
    pub fn create(path: &Path, source: &KeySource, access: KeyAccess, now: Timestamp) -> Result<Self, VaultError> {
        Self::create_with(path, source, access, Content::fresh(now.as_millisecond())?)
    }

    fn create_with(path: &Path, source: &KeySource, access: KeyAccess, content: Content) -> Result<Self, VaultError> {
        let _lock = Lock::take(path)?;
        if Stamp::of(path).is_some() {
            return Err(VaultError::AlreadyThere { path: path.to_owned() });
        }
        let kek = source.establish(&access)?;
        disk::write_atomic(path, &file::encode(&content, &kek)?)?;
        Ok(Self::assemble(
            path,
            source,
            access,
            State { stamp: Stamp::of(path), kek, content: Arc::new(content), fault: None },
        ))
    }

    /// Opens a vault.
    ///
    /// # Errors
    /// Absent, readable by others, key missing or wrong, damaged: each with its remedy.
    pub fn open(path: &Path, source: &KeySource, access: KeyAccess) -> Result<Self, VaultError> {
        let (bytes, stamp) = disk::read_private(path)?;
        let (kek, content) =
            file::decode(path, &bytes, |header| source.find(&header.key_id, header.kdf.as_ref(), &access))?;
        let state = State { stamp: Some(stamp), kek, content: Arc::new(content), fault: None };
        Ok(Self::assemble(path, source, access, state))
    }

    fn assemble(path: &Path, source: &KeySource, access: KeyAccess, state: State) -> Self {
        let state = RwLock::new(state);
        Self(Arc::new(Inner { path: path.to_owned(), source: source.clone(), access, state }))
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Looks at the file and reads it again if it changed; true if new content was taken over. Every getter does this
    /// by itself: one `stat` per question, cheaper than any cache that could be stale.
    ///
    /// # Errors
    /// Why the present file cannot be read. The last good content stays in use.
    pub fn reload_if_changed(&self) -> Result<bool, VaultError> {
        let current = Stamp::of(&self.0.path);
        {
            let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
            if state.fault.is_none() && state.stamp == current {
                return Ok(false);
            }
        }
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        match self.read_again(&state.kek) {
            Ok(fresh) => {
                *state = fresh;
                Ok(true)
            }
            Err(error) => {
                state.stamp = current;
                state.fault = Some(error.clone());
                Err(error)
            }
        }
    }

    fn read_again(&self, known: &Kek) -> Result<State, VaultError> {
        let Inner { path, source, access, .. } = &*self.0;
        let (bytes, stamp) = disk::read_private(path)?;
        let (kek, content) = file::decode(path, &bytes, |header| {
            if header.key_id == known.id {
                return Ok(known.clone());
            }
            match source {
                KeySource::Prompt => Err(VaultError::PassphraseChanged),
                KeySource::Credential(_) | KeySource::File(_) => source.find(&header.key_id, None, access),
            }
        })?;
        Ok(State { stamp: Some(stamp), kek, content: Arc::new(content), fault: None })
    }

    /// For the health page: an error if the file on disk cannot be read as it is now.
    ///
    /// # Errors
    /// What is wrong with the file or its key.
    pub fn check(&self) -> Result<(), VaultError> {
        self.reload_if_changed().map(drop)
    }

    fn content(&self) -> Arc<Content> {
        // A fault is shown by `check`; the last good credentials keep the queue moving meanwhile.
        let _shown_by_check = self.reload_if_changed();
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner).content)
    }

    /// Changes the content on disk and in memory, keeping other writers out.
    fn change<T>(&self, edit: impl FnOnce(&mut Content) -> Result<T, VaultError>) -> Result<T, VaultError> {
        let _lock = Lock::take(&self.0.path)?;
        self.reload_if_changed()?;
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut content = Content::clone(&state.content);
        let result = edit(&mut content)?;
        disk::write_atomic(&self.0.path, &file::encode(&content, &state.kek)?)?;
        state.stamp = Stamp::of(&self.0.path);
        state.content = Arc::new(content);
        Ok(result)
    }

    /// The credentials of P-Care, newest version.
    ///
    /// # Errors
    /// [`VaultError::Missing`] names what has not been put in.
    pub fn pcare(&self, facility: &str) -> Result<PcareCredentials, VaultError> {
        self.pcare_at(facility, u64::MAX)
    }

    /// The credentials of P-Care as they were at `version`: a late answer opens only with the key of its request. The
    /// version before the newest is kept until the vault is rotated.
    ///
    /// # Errors
    /// [`VaultError::Missing`] if a member is not there, or no longer.
    pub fn pcare_at(&self, facility: &str, version: u64) -> Result<PcareCredentials, VaultError> {
        let content = self.content();
        let mut set = Set::new(&content, facility, version);
        let cons_id = set.take(CredentialName::ConsId);
        let secret_key = set.take(CredentialName::SecretKey);
        let user_key = set.take(CredentialName::PcareUserKey);
        let username = set.take(CredentialName::PcareUsername);
        let password = set.take(CredentialName::PcarePassword);
        let version = set.finish()?;
        Ok(PcareCredentials {
            cons_id: ConsId::new(cons_id),
            secret_key: SecretKey::new(secret_key),
            user_key: UserKey::new(user_key),
            username: Username::new(username),
            password: Password::new(password),
            version,
        })
    }

    /// The credentials of V-Claim.
    ///
    /// # Errors
    /// [`VaultError::Missing`].
    pub fn vclaim(&self, facility: &str) -> Result<ServiceCredentials, VaultError> {
        self.service(facility, CredentialName::VclaimUserKey)
    }

    /// The credentials of Antrean FKTP.
    ///
    /// # Errors
    /// [`VaultError::Missing`].
    pub fn antrean_fktp(&self, facility: &str) -> Result<ServiceCredentials, VaultError> {
        self.service(facility, CredentialName::AntreanFktpUserKey)
    }

    /// The credentials of i-Care.
    ///
    /// # Errors
    /// [`VaultError::Missing`].
    pub fn icare(&self, facility: &str) -> Result<ServiceCredentials, VaultError> {
        self.service(facility, CredentialName::IcareUserKey)
    }

    /// The credentials of an operation that takes no user key.
    ///
    /// # Errors
    /// [`VaultError::Missing`].
    pub fn signing(&self, facility: &str) -> Result<Signing, VaultError> {
        let content = self.content();
        let mut set = Set::new(&content, facility, u64::MAX);
        let cons_id = set.take(CredentialName::ConsId);
        let secret_key = set.take(CredentialName::SecretKey);
        let version = set.finish()?;
        Ok(Signing { cons_id: ConsId::new(cons_id), secret_key: SecretKey::new(secret_key), version })
    }

    fn service(&self, facility: &str, user_key: CredentialName) -> Result<ServiceCredentials, VaultError> {
        let content = self.content();
        let mut set = Set::new(&content, facility, u64::MAX);
        let cons_id = set.take(CredentialName::ConsId);
        let secret_key = set.take(CredentialName::SecretKey);
        let user_key = set.take(user_key);
        let version = set.finish()?;
        Ok(ServiceCredentials {
            cons_id: ConsId::new(cons_id),
            secret_key: SecretKey::new(secret_key),
            user_key: UserKey::new(user_key),
            version,
        })
    }

    /// The key under which the store seals rows.
    ///
    /// # Errors
    /// Only if the vault has no root, which opening excludes.
    pub fn store_key(&self) -> Result<StoreKey, VaultError> {
        self.of_root("jembatan/store/v1/rows")
    }

    /// The key of the store's keyed hashes (card numbers, natural keys).
    ///
    /// # Errors
    /// As [`Vault::store_key`].
    pub fn index_key(&self) -> Result<StoreKey, VaultError> {
        self.of_root("jembatan/store/v1/index")
    }

    fn of_root(&self, purpose: &str) -> Result<StoreKey, VaultError> {
        let root = self.content().root().map(Zeroizing::new).ok_or(VaultError::Crypto { what: "no root" })?;
        Ok(StoreKey { id: 1, bytes: key::derive(&root, purpose)? })
    }

    /// Puts a credential in; gives its version.
    ///
    /// # Errors
    /// A bad facility code or value, or the file cannot be written.
    pub fn put(&self, facility: &str, name: CredentialName, value: &str, now: Timestamp) -> Result<u64, VaultError> {
        check_facility(facility)?;
        name.check(value)?;
        self.change(|content| Ok(content.put(facility, name, value, now.as_millisecond())))
    }

    /// Puts several credentials in, all or none.
    ///
    /// # Errors
    /// As [`Vault::put`].
    pub fn put_all(
        &self,
        facility: &str,
        values: &[(CredentialName, Zeroizing<String>)],
        now: Timestamp,
    ) -> Result<(), VaultError> {
        check_facility(facility)?;
        for (name, value) in values {
            name.check(value)?;
        }
        self.change(|content| {
            for (name, value) in values {
                content.put(facility, *name, value, now.as_millisecond());
            }
            Ok(())
        })
    }

    /// Names, versions, dates and fingerprints, by facility and name.
    ///
    /// # Errors
    /// If the file on disk cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, VaultError> {
        self.check()?;
        let key = self.of_root("jembatan/vault/v1/fingerprint")?;
        let content = self.content();
        content
            .newest()
            .into_values()
            .map(|entry| {
                let label = &entry.label;
                Ok(Listed {
                    facility: label.facility.clone(),
                    name: label.name.clone(),
                    version: label.version,
                    set_at: Timestamp::from_millisecond(label.set_at)
                        .map_err(|_| VaultError::Crypto { what: "date out of range" })?,
                    fingerprint: fingerprint(&key, &label.name, &entry.value)?,
                })
            })
            .collect()
    }
}

/// Collects the members of a credential set, and the names of those that are missing.
struct Set<'a> {
    content: &'a Content,
    facility: &'a str,
    at: u64,
    version: u64,
    missing: Vec<&'static str>,
}

impl<'a> Set<'a> {
    const fn new(content: &'a Content, facility: &'a str, at: u64) -> Self {
        Self { content, facility, at, version: 0, missing: Vec::new() }
    }

    fn take(&mut self, name: CredentialName) -> &'a str {
        match self.content.credential(self.facility, name, self.at) {
            Some((value, version)) => {
                self.version = self.version.max(version);
                value
            }
            None => {
                self.missing.push(name.as_str());
                ""
            }
        }
    }

    fn finish(self) -> Result<u64, VaultError> {
        if self.missing.is_empty() {
            Ok(self.version)
        } else {
            Err(VaultError::Missing { facility: self.facility.to_owned(), names: self.missing })
        }
    }
}

/// Keyed, because BPJS's secrets are short enough to be guessed from a bare hash.
fn fingerprint(key: &StoreKey, name: &str, value: &[u8]) -> Result<String, VaultError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).map_err(|_| VaultError::Crypto { what: "HMAC key" })?;
    mac.update(name.as_bytes());
    mac.update(&[0]);
    mac.update(value);
    Ok(hex(&mac.finalize().into_bytes()[..4]))
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
