//! The sealed backup: a copy of the vault that opens with a passphrase, away from the machine and its key.
//!
//! Job: write it, restore a whole vault from it, and read one facility's credentials from it or from plain JSON on a pipe.
//! Format, one JSON object: `{"jembatan_backup":1,"kdf":{"alg":"argon2id","m","t","p","salt"},"nonce","ct"}`; `ct` is
//! AES-256-GCM (key: Argon2id of the passphrase, associated data: `jembatan-backup|1|argon2id|m|t|p|salt`) over
//! `{"entries":[{"purpose","facility","name","version","set_at","value"}]}` with base64 values. Plain JSON on a pipe is
//! `{"cons_id":"…","pcare.password":"…"}`. Invariants: the backup has the root, so a backup of the store can be read.
//! Neighbours: `cli::vault`. What it does not do: ask for passphrases.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::content::{Content, CredentialName, Entry};
use super::error::VaultError;
use super::key::{Kdf, KeyAccess, KeySource, check_passphrase};
use super::seal::{self, Label, Purpose};
use super::{Vault, check_facility, disk};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backup {
    jembatan_backup: u8,
    kdf: Kdf,
    nonce: String,
    ct: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    entries: Vec<PlainEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainEntry {
    purpose: Purpose,
    facility: String,
    name: String,
    version: u64,
    set_at: i64,
    value: String,
}

impl Drop for PlainEntry {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// Credentials of one facility, as read from an import.
pub type Imported = Vec<(CredentialName, Zeroizing<String>)>;

fn binding(kdf: &Kdf) -> String {
    format!("jembatan-backup|1|{}", kdf.binding())
}

impl Vault {
    /// Writes a copy sealed by `passphrase` (at least 12 characters) to a file that must not exist.
    ///
    /// # Errors
    /// [`VaultError::AlreadyThere`], [`VaultError::PassphraseRefused`], or the file cannot be written.
    pub fn seal_backup(&self, out: &Path, passphrase: Zeroizing<String>) -> Result<(), VaultError> {
        self.check()?;
        let (passphrase, kdf) = (check_passphrase(passphrase)?, Kdf::fresh()?);
        let plain = to_json(&self.content())?;
        let key = kdf.derive(&passphrase)?;
        let (nonce, ct) = seal::seal_bytes(&key, binding(&kdf).as_bytes(), &plain)?;
        let backup = Backup { jembatan_backup: 1, kdf, nonce: STANDARD.encode(nonce), ct: STANDARD.encode(ct) };
        let mut text = serde_json::to_vec(&backup).map_err(|_| VaultError::Crypto { what: "serialisation" })?;
        text.push(b'\n');
        disk::write_new(out, &text)
    }

    /// Makes a new vault from a sealed backup, under the key at `source`.
    ///
    /// # Errors
    /// [`VaultError::BackupRefused`], and everything [`Vault::create`] may answer.
    pub fn restore(
        path: &Path,
        source: &KeySource,
        access: KeyAccess,
        backup: &[u8],
        passphrase: &str,
    ) -> Result<Self, VaultError> {
        let content = unseal(backup, passphrase)?;
        if content.root().is_none() {
            return Err(VaultError::BackupRefused);
        }
        Self::create_with(path, source, access, content)
    }
}

fn to_json(content: &Content) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let entries = content.entries.iter().map(|Entry { label, value }| PlainEntry {
        purpose: label.purpose,
        facility: label.facility.clone(),
        name: label.name.clone(),
        version: label.version,
        set_at: label.set_at,
        value: STANDARD.encode(value.as_slice()),
    });
    serde_json::to_vec(&Plain { entries: entries.collect() })
        .map(Zeroizing::new)
        .map_err(|_| VaultError::Crypto { what: "serialisation" })
}

fn unseal(backup: &[u8], passphrase: &str) -> Result<Content, VaultError> {
    let backup: Backup = serde_json::from_slice(backup).map_err(|_| VaultError::BackupRefused)?;
    let key = backup.kdf.derive(passphrase)?;
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| VaultError::BackupRefused);
    let plain = seal::open_bytes(&key, binding(&backup.kdf).as_bytes(), &decode(&backup.nonce)?, &decode(&backup.ct)?)
        .ok_or(VaultError::BackupRefused)?;
    let plain: Plain = serde_json::from_slice(&plain).map_err(|_| VaultError::BackupRefused)?;
    let entries = plain.entries.iter().map(|entry| {
        let label = Label {
            purpose: entry.purpose,
            facility: entry.facility.clone(),
            name: entry.name.clone(),
            version: entry.version,
            set_at: entry.set_at,
        };
        Ok(Entry { label, value: Zeroizing::new(decode(&entry.value)?) })
    });
    Ok(Content { entries: entries.collect::<Result<_, _>>()? })
}

/// Reads a sealed backup; being sealed, it may be readable by anybody.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    disk::read_any(path)
}

/// Whether these bytes are a sealed backup (so that a passphrase is needed).
#[must_use]
pub fn is_sealed(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Backup>(bytes).is_ok()
}

/// One facility's credentials from a sealed backup.
///
/// # Errors
/// [`VaultError::BackupRefused`], [`VaultError::ImportEmpty`].
pub fn import_sealed(bytes: &[u8], passphrase: &str, facility: &str) -> Result<Imported, VaultError> {
    check_facility(facility)?;
    let content = unseal(bytes, passphrase)?;
    let found: Imported = CredentialName::ALL
        .into_iter()
        .filter_map(|name| {
            let (value, _) = content.credential(facility, name, u64::MAX)?;
            Some((name, Zeroizing::new(value.to_owned())))
        })
        .collect();
    if found.is_empty() { Err(VaultError::ImportEmpty { facility: facility.to_owned() }) } else { Ok(found) }
}

/// Credentials from plain JSON, as a pipe from `gpg` or `age` gives it.
///
/// # Errors
/// [`VaultError::ImportFormat`], [`VaultError::UnknownName`].
pub fn import_plain(bytes: &[u8]) -> Result<Imported, VaultError> {
    let values: BTreeMap<String, String> = serde_json::from_slice(bytes).map_err(|_| VaultError::ImportFormat)?;
    let values: Vec<(String, Zeroizing<String>)> =
        values.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect();
    if values.is_empty() {
        return Err(VaultError::ImportFormat);
    }
    values.into_iter().map(|(name, value)| Ok((name.parse()?, value))).collect()
}
