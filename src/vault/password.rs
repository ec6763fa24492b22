//! Passwords that somebody else keeps and types: Mobile JKN's.
//!
//! Job: hash them with Argon2id (the same parameters as a passphrase), compare in constant time, and remember in memory
//! which were right, so that a caller who logs in again and again costs a keyed hash and not 64 MiB each time.
//! Invariants: nothing here is printed; what is remembered dies with the process and with the stored hash it belongs to.
//! Neighbours: `clients`. What it does not do: limit attempts (`inbound`).

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::error::VaultError;
use super::key::Kdf;
use super::seal::random;

/// A password as kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordHash {
    kdf: Kdf,
    /// Hexadecimal.
    hash: String,
}

impl PasswordHash {
    pub(super) fn of(password: &str) -> Result<Self, VaultError> {
        let kdf = Kdf::fresh()?;
        let hash = super::hex(kdf.derive(password)?.as_slice());
        Ok(Self { kdf, hash })
    }

    /// What an unknown name is compared with, so that it takes as long as a known one.
    pub(super) fn nobody() -> &'static Self {
        static NOBODY: LazyLock<PasswordHash> = LazyLock::new(|| PasswordHash {
            kdf: Kdf::of_salt("00000000000000000000000000000000"),
            hash: String::new(),
        });
        &NOBODY
    }

    pub(super) fn fits(&self, password: &str) -> bool {
        let Ok(derived) = self.kdf.derive(password) else { return false };
        bool::from(super::hex(derived.as_slice()).as_bytes().ct_eq(self.hash.as_bytes()))
    }
}

/// Which passwords were right, as keyed hashes under a key that only this process has.
pub(super) struct Remembered {
    key: Zeroizing<[u8; 32]>,
    right: Mutex<HashMap<String, [u8; 32]>>,
}

impl Remembered {
    pub(super) fn new() -> Result<Self, VaultError> {
        Ok(Self { key: random::<32>()?, right: Mutex::default() })
    }

    pub(super) fn knows(&self, client: &str, kept: &PasswordHash, password: &str) -> bool {
        let given = self.digest(kept, password);
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.get(client).zip(given).is_some_and(|(right, given)| bool::from(right.ct_eq(&given)))
    }

    pub(super) fn remember(&self, client: &str, kept: &PasswordHash, password: &str) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.extend(self.digest(kept, password).map(|digest| (client.to_owned(), digest)));
    }

    /// Of the stored hash too: another password of the same client is another digest.
    fn digest(&self, kept: &PasswordHash, password: &str) -> Option<[u8; 32]> {
        let mut mac = <Hmac<Sha256>>::new_from_slice(self.key.as_slice()).ok()?;
        mac.update(kept.hash.as_bytes());
        mac.update(b"|");
        mac.update(password.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }
}
