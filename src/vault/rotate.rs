//! A new key for the vault, safe against a crash at every step.
//!
//! Job: replace the KEK and re-seal everything. With `file:KEY` the steps are: write `KEY.new` and make it durable;
//! replace the vault by one sealed under it; rename `KEY.new` to `KEY`. Whoever opens the vault between the steps finds
//! the right one of the two keys by its id. Invariants: the old key goes only when the new vault file is durable.
//! Neighbours: `key` looks at both files, `disk` makes each step durable. What it does not do: re-encrypt the store (its
//! keys come from the root, which stays).

use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::content::Content;
use super::disk::{self, Lock, Stamp};
use super::error::VaultError;
use super::key::{Kek, KeySource};
use super::{Vault, file};

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// The key file was replaced; nothing else to do.
    KeyReplaced,
    /// A new passphrase seals the vault; a running daemon must be restarted with it.
    PassphraseReplaced,
    /// The vault is sealed under the key named by `--new-key`: put that key where `vault.key` says, then destroy the old.
    PlaceNewKey,
}

impl Vault {
    /// Replaces the key. `new` names a key that exists already; without it a key file gets a successor and a passphrase
    /// is asked for anew. Older versions of credentials are forgotten.
    ///
    /// # Errors
    /// [`VaultError::RotateNeedsKey`] for a systemd credential without `new`; otherwise file and key errors. After any
    /// error the vault opens as before, or with the new key already in place.
    pub fn rotate(&self, new: Option<&KeySource>) -> Result<Rotated, VaultError> {
        let _lock = Lock::take(&self.0.path)?;
        self.reload_if_changed()?;
        match (new, &self.0.source) {
            (Some(source), _) => {
                let kek = source.existing(&self.0.access)?;
                self.reseal(kek)?;
                Ok(Rotated::PlaceNewKey)
            }
            (None, KeySource::File(path)) => {
                let path = path.clone();
                self.settle(&path)?;
                let kek = stage(&path)?;
                self.reseal(kek)?;
                promote(&path)?;
                Ok(Rotated::KeyReplaced)
            }
            (None, KeySource::Prompt) => {
                let kek = self.0.source.establish(&self.0.access)?;
                self.reseal(kek)?;
                Ok(Rotated::PassphraseReplaced)
            }
            (None, KeySource::Credential(_)) => Err(VaultError::RotateNeedsKey),
        }
    }

    /// Finishes a rotation that crashed after the vault was replaced, so that `KEY` holds the key in use. Without that
    /// certainty nothing goes on: the next step removes whatever is at `KEY.new`.
    pub(super) fn settle(&self, path: &Path) -> Result<(), VaultError> {
        let id = self.0.state.read().unwrap_or_else(PoisonError::into_inner).kek.id.clone();
        let holds = |path: &Path| KeySource::File(path.to_owned()).existing(&self.0.access).map(|kek| kek.id == id);
        if holds(&disk::beside(path, ".new")) == Ok(true) {
            return promote(path);
        }
        if holds(path)? { Ok(()) } else { Err(VaultError::WrongKey { place: self.0.source.to_string(), wanted: id }) }
    }

    /// Replaces the vault file by one sealed under `kek`.
    pub(super) fn reseal(&self, kek: Kek) -> Result<(), VaultError> {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut content = Content::clone(&state.content);
        content.forget_older();
        disk::write_atomic(&self.0.path, &file::encode(&content, &kek)?)?;
        state.stamp = Stamp::of(&self.0.path);
        state.kek = kek;
        state.content = Arc::new(content);
        Ok(())
    }
}

/// Makes the successor of the key at `path`, durable beside it.
pub(super) fn stage(path: &Path) -> Result<Kek, VaultError> {
    let kek = Kek::generate()?;
    disk::write_new_or_leftover(&disk::beside(path, ".new"), kek.expose())?;
    Ok(kek)
}

/// Puts the successor in the place of the key.
pub(super) fn promote(path: &Path) -> Result<(), VaultError> {
    let next = disk::beside(path, ".new");
    if fs::exists(&next).map_err(|error| VaultError::io(&next, "look at", &error))? {
        disk::rename(&next, path)?;
    }
    Ok(())
}
