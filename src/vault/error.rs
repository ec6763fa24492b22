//! What can go wrong with the vault, in words that name the remedy and never a value.
//!
//! Job: one error type for the vault, its key and its clients. Invariants: no variant can hold a secret (a name that was
//! mistyped might be one, so it is not repeated); `Display` is English for logs, [`VaultError::indonesian`] is for people.
//! Neighbours: everything in `vault`; `cli` prints it. What it does not do: decide exit codes.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the vault, its key or its client list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The vault file is not there.
    #[error("the vault {path} does not exist: run `jembatan vault init`")]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// `vault init` or `seal-backup` would have overwritten a file.
    #[error("{path} exists already and is not overwritten")]
    AlreadyThere {
        /// The file in the way.
        path: PathBuf,
    },
    /// Others than the owner may read or write a file that holds secrets.
    #[error("{path} may be read or written by others (mode {mode:04o}): run `chmod 600 {path}`")]
    LoosePermissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// `vault.key` is none of `credential:NAME`, `file:/path`, `prompt`.
    #[error("vault.key must be `credential:NAME`, `file:/path` or `prompt`")]
    KeySource,
    /// The key file or systemd credential is not there.
    #[error("the vault's key is not at {place}")]
    KeyAbsent {
        /// The file.
        place: PathBuf,
    },
    /// A key must have exactly 32 raw bytes.
    #[error("the key at {place} has {found} bytes instead of 32 raw bytes: it was cut or written as text")]
    KeyLength {
        /// The file.
        place: PathBuf,
        /// How many bytes it has.
        found: usize,
    },
    /// A systemd credential is configured, but this process was not started with one.
    #[error(
        "the key is the systemd credential {name}, but $CREDENTIALS_DIRECTORY is not set: start the command with \
         `systemd-run --pty --wait -p User=jembatan -p LoadCredentialEncrypted={name} jembatan vault …`"
    )]
    NoCredentialsDirectory {
        /// The credential's name.
        name: String,
    },
    /// The key at hand is not the one that sealed this vault.
    #[error("the key at {place} is not the one that sealed the vault (wanted key id {wanted}): restore the right key")]
    WrongKey {
        /// Where the key came from.
        place: String,
        /// The public id of the key that is wanted.
        wanted: String,
    },
    /// The passphrase changed under a running process, which must not ask for it.
    #[error("the vault's passphrase was changed: restart and enter the new one")]
    PassphraseChanged,
    /// A passphrase could not be read.
    #[error("no passphrase could be read ({kind}): use a terminal, or a key file")]
    Passphrase {
        /// Why.
        kind: io::ErrorKind,
    },
    /// A new passphrase is too short, or was not repeated exactly.
    #[error("the passphrase needs at least 12 characters, entered twice the same")]
    PassphraseRefused,
    /// The systemd credential cannot be replaced from inside.
    #[error(
        "a systemd credential cannot be rotated from here: make the new key first and name it with --new-key file:/path"
    )]
    RotateNeedsKey,
    /// Bytes that this program did not write, or not in this order.
    #[error("{path} is damaged or was tampered with at line {line}: {what}; restore it from a sealed backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What does not fit.
        what: &'static str,
    },
    /// A newer program wrote this file.
    #[error("{path} was written by a newer jembatan: upgrade this program")]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// Credentials that a service needs have not been put in.
    #[error("facility {facility} lacks {}: run `jembatan vault put --facility {facility} NAME`", names.join(", "))]
    Missing {
        /// The facility's code.
        facility: String,
        /// The vault names that are missing.
        names: Vec<&'static str>,
    },
    /// A name that the vault does not know; it is not repeated, because it may be a value typed in the wrong place.
    #[error("unknown credential name; known: {known}")]
    UnknownName {
        /// All names, for the remedy.
        known: String,
    },
    /// A facility code is eight digits and capital letters.
    #[error("a facility code has exactly 8 characters 0-9 A-Z, such as 0114A026")]
    FacilityCode,
    /// Mobile JKN calls the facility, never the gateway.
    #[error("a client of Mobile JKN cannot also be a client of the gateway: leave --gateway out")]
    MobileJknAlone,
    /// Mobile JKN's user name tells the facility, so it stands for exactly one.
    #[error("a client of Mobile JKN belongs to exactly one facility: add one for each")]
    OneFacility,
    /// A value that cannot be a credential.
    #[error("the value for {name} was refused: {why}")]
    Value {
        /// The vault name.
        name: &'static str,
        /// Why, without the value.
        why: ValueFault,
    },
    /// An import that is no known format.
    #[error("the import is neither a sealed backup nor a JSON object of vault names and texts")]
    ImportFormat,
    /// Plain secrets on disk are refused.
    #[error(
        "{path} holds secrets in plain text: pipe them in (`… | jembatan vault import --facility F -`) and destroy the file"
    )]
    ImportPlainFile {
        /// The file.
        path: PathBuf,
    },
    /// A sealed backup did not open.
    #[error("the backup does not open: wrong passphrase, or the file was changed")]
    BackupRefused,
    /// The backup holds nothing for this facility.
    #[error("the import holds nothing for facility {facility}")]
    ImportEmpty {
        /// The facility's code.
        facility: String,
    },
    /// A client of this name exists and is not revoked.
    #[error("client {name} exists already: revoke it first, or choose another name")]
    ClientExists {
        /// Its name.
        name: String,
    },
    /// No such client.
    #[error("no active client is called {name}")]
    ClientUnknown {
        /// The name asked for.
        name: String,
    },
    /// A client's name has letters, digits, `.`, `-`, `_`.
    #[error("a client's name has 1 to 64 characters of a-z A-Z 0-9 . _ -")]
    ClientName,
    /// A kind for a client that is not of the network.
    #[error("only a client of the network (--role network) has a kind")]
    ClientKind,
    /// The operating system refused.
    #[error("{doing} {path}: {kind}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// How it failed.
        kind: io::ErrorKind,
    },
    /// The output or input stream broke.
    #[error("standard input or output: {kind}")]
    Stream {
        /// How it failed.
        kind: io::ErrorKind,
    },
    /// The cryptographic library refused: no random numbers, or parameters out of range.
    #[error("cryptography failed: {what}")]
    Crypto {
        /// Which step.
        what: &'static str,
    },
}

/// Why a value cannot be a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueFault {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// A line break, a tab or an escape inside.
    #[error("it has control characters (more than one line?)")]
    Control,
    /// More than [`MAX_VALUE`] bytes.
    #[error("it is longer than 1024 bytes")]
    TooLong,
    /// Bytes that are not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// `X-authorization` separates user and password by a colon, so a user name cannot have one.
    #[error("a user name cannot have a colon")]
    Colon,
}

/// The longest credential accepted, in bytes.
pub const MAX_VALUE: usize = 1024;

impl ValueFault {
    const fn indonesian(self) -> &'static str {
        match self {
            Self::Empty => "kosong",
            Self::Control => "ada karakter kendali (lebih dari satu baris?)",
            Self::TooLong => "lebih dari 1024 bita",
            Self::NotText => "bukan teks UTF-8",
            Self::Colon => "nama pengguna tidak boleh memuat titik dua",
        }
    }
}

impl VaultError {
    /// Wraps a file system error without its text.
    pub(super) fn io(path: &Path, doing: &'static str, error: &io::Error) -> Self {
        Self::Io { path: path.to_owned(), doing, kind: error.kind() }
    }

    /// Wraps a broken standard stream.
    #[must_use]
    pub fn stream(error: &io::Error) -> Self {
        Self::Stream { kind: error.kind() }
    }

    /// The same message for people in Indonesian, with the remedy.
    #[must_use]
    pub fn indonesian(&self) -> String {
        match self {
            Self::Absent { path } => format!("brankas {} belum ada: jalankan `jembatan vault init`", path.display()),
            Self::AlreadyThere { path } => format!("{} sudah ada dan tidak ditimpa", path.display()),
            Self::LoosePermissions { path, mode } => {
                let path = path.display();
                format!("{path} dapat dibaca atau diubah orang lain (mode {mode:04o}): jalankan `chmod 600 {path}`")
            }
            Self::KeySource => "vault.key harus `credential:NAMA`, `file:/jalur`, atau `prompt`".to_owned(),
            Self::KeyAbsent { place } => format!("kunci brankas tidak ada di {}", place.display()),
            Self::KeyLength { place, found } => format!(
                "kunci di {} panjangnya {found} bita, seharusnya 32 bita mentah: terpotong atau ditulis sebagai teks",
                place.display()
            ),
            Self::NoCredentialsDirectory { name } => format!(
                "kuncinya kredensial systemd {name}, tetapi $CREDENTIALS_DIRECTORY kosong: jalankan lewat `systemd-run \
                 --pty --wait -p User=jembatan -p LoadCredentialEncrypted={name} jembatan vault …`"
            ),
            Self::WrongKey { place, wanted } => {
                format!(
                    "kunci dari {place} bukan kunci brankas ini (perlu kunci {wanted}): kembalikan kunci yang benar"
                )
            }
            Self::PassphraseChanged => {
                "frasa sandi brankas telah diganti: mulai ulang dan masukkan yang baru".to_owned()
            }
            Self::Passphrase { kind } => {
                format!("frasa sandi tidak terbaca ({kind}): pakai terminal, atau berkas kunci")
            }
            Self::PassphraseRefused => "frasa sandi minimal 12 karakter dan harus sama dua kali".to_owned(),
            Self::RotateNeedsKey => "kredensial systemd tidak dapat diganti dari sini: buat kunci baru lalu sebutkan \
                                     dengan --new-key file:/jalur"
                .to_owned(),
            other => other.indonesian_content(),
        }
    }

    fn indonesian_content(&self) -> String {
        match self {
            Self::Damaged { path, line, what } => format!(
                "{} rusak atau diutak-atik di baris {line} ({what}): pulihkan dari cadangan tersegel",
                path.display()
            ),
            Self::Newer { path } => {
                format!("{} ditulis jembatan yang lebih baru: perbarui program ini", path.display())
            }
            Self::Missing { facility, names } => format!(
                "faskes {facility} belum punya {}: jalankan `jembatan vault put --facility {facility} NAMA`",
                names.join(", ")
            ),
            Self::UnknownName { known } => format!("nama kredensial tidak dikenal; yang dikenal: {known}"),
            Self::MobileJknAlone => "klien Mobile JKN tidak dapat sekaligus klien gateway: tanpa --gateway".to_owned(),
            Self::OneFacility => {
                "klien Mobile JKN milik tepat satu faskes: tambahkan satu untuk tiap faskes".to_owned()
            }
            Self::FacilityCode => "kode faskes tepat 8 karakter 0-9 A-Z, misalnya 0114A026".to_owned(),
            Self::Value { name, why } => format!("nilai {name} ditolak: {}", why.indonesian()),
            Self::ImportFormat => "isi impor bukan cadangan tersegel dan bukan objek JSON nama brankas".to_owned(),
            Self::ImportPlainFile { path } => format!(
                "{} berisi rahasia terbuka: alirkan lewat pipa (`… | jembatan vault import --facility F -`) lalu \
                 musnahkan berkasnya",
                path.display()
            ),
            Self::BackupRefused => "cadangan tidak terbuka: frasa sandi salah, atau berkasnya berubah".to_owned(),
            Self::ImportEmpty { facility } => format!("impor tidak memuat apa pun untuk faskes {facility}"),
            Self::ClientExists { name } => format!("klien {name} sudah ada: cabut dulu, atau pilih nama lain"),
            Self::ClientUnknown { name } => format!("tidak ada klien aktif bernama {name}"),
            Self::ClientKind => "hanya klien jejaring (--role network) yang mempunyai --kind".to_owned(),
            Self::ClientName => "nama klien 1 sampai 64 karakter a-z A-Z 0-9 . _ -".to_owned(),
            Self::Io { path, doing, kind } => format!("berkas {}: {kind} ({doing})", path.display()),
            Self::Stream { kind } => format!("masukan atau keluaran baku: {kind}"),
            Self::Crypto { what } => format!("kriptografi gagal: {what}"),
            // Said by the caller.
            Self::Absent { .. }
            | Self::AlreadyThere { .. }
            | Self::LoosePermissions { .. }
            | Self::KeySource
            | Self::KeyAbsent { .. }
            | Self::KeyLength { .. }
            | Self::NoCredentialsDirectory { .. }
            | Self::WrongKey { .. }
            | Self::PassphraseChanged
            | Self::Passphrase { .. }
            | Self::PassphraseRefused
            | Self::RotateNeedsKey => self.to_string(),
        }
    }
}
