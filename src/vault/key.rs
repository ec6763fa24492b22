//! Where the vault's key comes from, and the keys derived from it.
//!
//! Job: find the key-encryption key (KEK) of a given id at its source, make new ones, and derive one sub key per purpose
//! with HKDF-SHA-256. Invariants: exactly 32 raw bytes or Argon2id of a passphrase, never an environment variable; the
//! key is chosen by its id, never by trial decryption; bytes are wiped on drop and never printed. Beside `KEY` a file
//! `KEY.new` is looked at too: that is how a rotation survives a crash between its two renames.
//! Neighbours: `file` asks for the key of its header, `rotate` makes the next one. What it does not do: seal.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::disk;
use super::error::VaultError;
use super::seal::random;

/// Where the key is kept, as written in `vault.key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// `credential:NAME`: a file in `$CREDENTIALS_DIRECTORY`, put there by systemd.
    Credential(String),
    /// `file:/path`: exactly 32 raw bytes, readable by the owner only.
    File(PathBuf),
    /// `prompt`: a passphrase, stretched by Argon2id.
    Prompt,
}

impl FromStr for KeySource {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self, VaultError> {
        match text.split_once(':') {
            None if text == "prompt" => Ok(Self::Prompt),
            Some(("credential", name)) if !name.is_empty() && !name.contains(['/', '\0']) && !name.starts_with('.') => {
                Ok(Self::Credential(name.to_owned()))
            }
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            Some(_) | None => Err(VaultError::KeySource),
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(name) => write!(f, "credential:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Prompt => f.write_str("prompt"),
        }
    }
}

type Ask = dyn Fn(&str) -> io::Result<Zeroizing<String>> + Send + Sync;

/// How this process reaches keys: the directory of systemd credentials, and a way to ask for a passphrase.
#[derive(Clone)]
pub struct KeyAccess {
    credentials: Option<PathBuf>,
    ask: Arc<Ask>,
}

impl fmt::Debug for KeyAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyAccess").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

impl KeyAccess {
    /// The process's own: `$CREDENTIALS_DIRECTORY`, and hidden prompts on the terminal.
    #[must_use]
    pub fn of_process() -> Self {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self::new(credentials, |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new))
    }

    /// Made to measure: for tests, and for commands that read a passphrase elsewhere.
    pub fn new(
        credentials: Option<PathBuf>,
        ask: impl Fn(&str) -> io::Result<Zeroizing<String>> + Send + Sync + 'static,
    ) -> Self {
        Self { credentials, ask: Arc::new(ask) }
    }

    /// Asks for an existing passphrase.
    pub(super) fn passphrase(&self, prompt: &str) -> Result<Zeroizing<String>, VaultError> {
        (self.ask)(prompt).map_err(|error| VaultError::Passphrase { kind: error.kind() })
    }

    /// Asks for a new passphrase, twice.
    pub(super) fn new_passphrase(&self) -> Result<Zeroizing<String>, VaultError> {
        let first = self.passphrase("Frasa sandi baru (minimal 12 karakter): ")?;
        let second = self.passphrase("Ulangi frasa sandi baru: ")?;
        if first != second {
            return Err(VaultError::PassphraseRefused);
        }
        check_passphrase(first)
    }
}

/// Refuses a passphrase that is too short to withstand guessing.
pub(super) fn check_passphrase(passphrase: Zeroizing<String>) -> Result<Zeroizing<String>, VaultError> {
    if passphrase.chars().count() < 12 { Err(VaultError::PassphraseRefused) } else { Ok(passphrase) }
}

/// The parameters of Argon2id, stored beside what they protect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kdf {
    alg: KdfAlgorithm,
    /// Memory in KiB.
    m: u32,
    /// Passes.
    t: u32,
    /// Lanes.
    p: u32,
    /// Hexadecimal, 16 bytes.
    salt: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KdfAlgorithm {
    Argon2id,
}

impl Kdf {
    /// Fresh salt, 64 MiB, three passes: above OWASP's minimum, well inside the unit's 512 MiB.
    pub(super) fn fresh() -> Result<Self, VaultError> {
        Ok(Self::of_salt(&super::hex(random::<16>()?.as_slice())))
    }

    /// The same cost with a given salt (hexadecimal).
    pub(super) fn of_salt(salt: &str) -> Self {
        Self { alg: KdfAlgorithm::Argon2id, m: 64 * 1024, t: 3, p: 1, salt: salt.to_owned() }
    }

    /// The bytes that bind these parameters as associated data.
    pub(super) fn binding(&self) -> String {
        format!("argon2id|{}|{}|{}|{}", self.m, self.t, self.p, self.salt)
    }

    /// Stretches a passphrase. A file may not demand more than 1 GiB, 16 passes and 8 lanes.
    pub(super) fn derive(&self, passphrase: &str) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        const REFUSED: VaultError = VaultError::Crypto { what: "Argon2id parameters out of range" };
        if self.m > 1024 * 1024 || self.t > 16 || self.p > 8 || self.salt.len() < 16 || self.salt.len() > 128 {
            return Err(REFUSED);
        }
        let params = Params::new(self.m, self.t, self.p, Some(32)).map_err(|_| REFUSED)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), self.salt.as_bytes(), key.as_mut_slice())
            .map_err(|_| REFUSED)?;
        Ok(key)
    }
}

/// The key-encryption key with its public id.
#[derive(Clone)]
pub(super) struct Kek {
    bytes: Zeroizing<[u8; 32]>,
    /// 16 hexadecimal digits derived from the key; says which key, nothing about its bytes.
    pub(super) id: String,
    /// How it was derived, if from a passphrase.
    pub(super) kdf: Option<Kdf>,
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kek").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Kek {
    pub(super) fn new(bytes: Zeroizing<[u8; 32]>, kdf: Option<Kdf>) -> Result<Self, VaultError> {
        let id = super::hex(&derive(&bytes, "jembatan/vault/v1/key-id")?[..8]);
        Ok(Self { bytes, id, kdf })
    }

    /// A random one.
    pub(super) fn generate() -> Result<Self, VaultError> {
        Self::new(random::<32>()?, None)
    }

    fn from_passphrase(passphrase: &str, kdf: Kdf) -> Result<Self, VaultError> {
        Self::new(kdf.derive(passphrase)?, Some(kdf))
    }

    /// The sub key that seals records.
    pub(super) fn records(&self) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        derive(&self.bytes, "jembatan/vault/v1/records")
    }

    /// The sub key that authenticates the file as a whole.
    pub(super) fn whole_file(&self) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        derive(&self.bytes, "jembatan/vault/v1/file")
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

/// One sub key of `root` for one purpose: HKDF-SHA-256, RFC 5869.
pub(super) fn derive(root: &[u8; 32], purpose: &str) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, root)
        .expand(purpose.as_bytes(), key.as_mut_slice())
        .map_err(|_| VaultError::Crypto { what: "HKDF" })?;
    Ok(key)
}

impl KeySource {
    /// The file of the key, and the file of a key that a rotation has just made.
    fn candidates(&self, access: &KeyAccess) -> Result<Option<[PathBuf; 2]>, VaultError> {
        let path = match self {
            Self::Prompt => return Ok(None),
            Self::File(path) => path.clone(),
            Self::Credential(name) => access
                .credentials
                .as_ref()
                .ok_or_else(|| VaultError::NoCredentialsDirectory { name: name.clone() })?
                .join(name),
        };
        let next = disk::beside(&path, ".new");
        Ok(Some([path, next]))
    }

    /// Finds the key with this id.
    pub(super) fn find(&self, id: &str, kdf: Option<&Kdf>, access: &KeyAccess) -> Result<Kek, VaultError> {
        let wrong = || VaultError::WrongKey { place: self.to_string(), wanted: id.to_owned() };
        let Some(candidates) = self.candidates(access)? else {
            let kdf = kdf.ok_or_else(wrong)?;
            let passphrase = access.passphrase("Frasa sandi brankas: ")?;
            let kek = Kek::from_passphrase(&passphrase, kdf.clone())?;
            return if kek.id == id { Ok(kek) } else { Err(wrong()) };
        };
        let mut found = None;
        for path in &candidates {
            match self.read(path) {
                Ok(kek) if kek.id == id => return Ok(kek),
                Ok(_) => found = Some(wrong()),
                Err(VaultError::KeyAbsent { .. }) => {}
                Err(error) => found = found.or(Some(error)),
            }
        }
        let [place, _next] = candidates;
        Err(found.unwrap_or(VaultError::KeyAbsent { place }))
    }

    fn read(&self, path: &Path) -> Result<Kek, VaultError> {
        let bytes = match self {
            // systemd guards the directory; the file's group bits may be the mask of an ACL.
            Self::Credential(_) => disk::read_any(path),
            Self::File(_) | Self::Prompt => disk::read_private(path).map(|(bytes, _)| bytes),
        };
        let bytes = bytes.map_err(|error| match error {
            VaultError::Absent { .. } | VaultError::Io { kind: io::ErrorKind::NotFound, .. } => {
                VaultError::KeyAbsent { place: path.to_owned() }
            }
            other => other,
        })?;
        let length = VaultError::KeyLength { place: path.to_owned(), found: bytes.len() };
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| length)?;
        Kek::new(Zeroizing::new(key), None)
    }

    /// The key that is at the source now, whatever its id; for a passphrase, a new one.
    pub(super) fn existing(&self, access: &KeyAccess) -> Result<Kek, VaultError> {
        match self.candidates(access)? {
            Some([path, _next]) => self.read(&path),
            None => self.establish(access),
        }
    }

    /// The key for a new vault: what is at the source, or a fresh one if the source is a file that does not exist.
    pub(super) fn establish(&self, access: &KeyAccess) -> Result<Kek, VaultError> {
        let Some([path, _next]) = self.candidates(access)? else {
            return Kek::from_passphrase(&access.new_passphrase()?, Kdf::fresh()?);
        };
        match (self, self.read(&path)) {
            (Self::File(_), Err(VaultError::KeyAbsent { .. })) => {
                let kek = Kek::generate()?;
                disk::write_new(&path, kek.expose())?;
                Ok(kek)
            }
            (Self::File(_) | Self::Credential(_) | Self::Prompt, result) => result,
        }
    }

    /// What protects the key, in one line for the person who installs (`english` or Indonesian).
    #[must_use]
    pub fn protection(&self, english: bool) -> String {
        match (self, english) {
            (Self::Credential(name), false) => format!(
                "Kunci dilindungi kredensial systemd {name}: aman dari disk curian hanya bila disegel dengan TPM2 \
                 (`systemd-creds encrypt --with-key=host+tpm2`) atau diska terenkripsi (LUKS)."
            ),
            (Self::Credential(name), true) => format!(
                "The key is the systemd credential {name}: safe from a stolen disk only if sealed with TPM2 \
                 (`systemd-creds encrypt --with-key=host+tpm2`) or on an encrypted disk (LUKS)."
            ),
            (Self::File(path), false) => format!(
                "Kunci ada di {} (hanya pemilik boleh membaca): TIDAK aman dari disk curian kecuali diska terenkripsi \
                 (LUKS).",
                path.display()
            ),
            (Self::File(path), true) => format!(
                "The key is in {} (owner only): NOT safe from a stolen disk unless the disk is encrypted (LUKS).",
                path.display()
            ),
            (Self::Prompt, false) => {
                "Kunci diturunkan dari frasa sandi (Argon2id) dan tidak disimpan: harus dimasukkan setiap kali mulai."
                    .to_owned()
            }
            (Self::Prompt, true) => {
                "The key is derived from a passphrase (Argon2id) and stored nowhere: it is asked for at every start."
                    .to_owned()
            }
        }
    }
}
