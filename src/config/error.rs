//! What is wrong with a configuration, and how to put it right.
//!
//! Job: one [`Problem`] per mistake, in Indonesian for the person who installs and in English. Invariants: a value is
//! shown only where it cannot be a secret. Neighbours: `read` and `value` find the problems. What it does not do: exit codes.

use std::fmt;
use std::path::PathBuf;

/// All mistakes of one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file that was read.
    pub path: PathBuf,
    /// In the order of the file's sections; never empty.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Problem::english)
    }
}

impl ConfigErrors {
    /// The same report in Indonesian, one line per problem.
    #[must_use]
    pub fn indonesian(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _infallible = self.write(&mut text, Problem::indonesian);
        text
    }

    fn write(&self, to: &mut impl fmt::Write, say: impl Fn(&Problem) -> String) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            match problem.place {
                Place::Line(line) => write!(to, "{newline}{}:{line}: ", self.path.display())?,
                Place::Environment => write!(to, "{newline}{}: ", environment_name(&problem.key))?,
                Place::Nowhere => write!(to, "{newline}{}: ", self.path.display())?,
            }
            to.write_str(&say(problem))?;
        }
        Ok(())
    }
}

fn environment_name(key: &str) -> String {
    format!("JEMBATAN__{}", key.to_uppercase().replace('.', "__"))
}

/// Where a value was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the file, counted from 1.
    Line(usize),
    /// In an environment variable.
    Environment,
    /// Nowhere: it is missing.
    Nowhere,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted, such as `facility[0].pcare.base_url`; empty for the file as a whole.
    pub key: String,
    /// As given, if it cannot be a secret.
    pub value: Option<String>,
    /// Where it was given.
    pub place: Place,
    /// What is wrong.
    pub fault: Fault,
}

/// Kinds of mistakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The file cannot be read.
    Unreadable(std::io::ErrorKind),
    /// Not TOML; the parser's words.
    Syntax(String),
    /// No such key; the keys that exist there.
    Unknown(String),
    /// A secret in the configuration.
    Secret,
    /// A key that must be given.
    Missing,
    /// Not a table where one belongs.
    Table,
    /// Not an array of tables (`[[facility]]`).
    Tables,
    /// Not a text.
    Text,
    /// Neither true nor false.
    Boolean,
    /// Not a duration.
    Duration,
    /// Not an amount of bytes.
    Size,
    /// Not a number from .0 to .1.
    Number(u64, u64),
    /// Not a rate.
    Rate,
    /// Not an address with a port.
    Listen,
    /// Reachable from outside without TLS.
    ListenNeedsTls,
    /// Mobile JKN is listened to from outside without TLS.
    InboundNeedsTls,
    /// Not a prefix of a path.
    BasePath,
    /// Not a lifetime of a token.
    TokenLifetime,
    /// Not a name of a node.
    NodeName,
    /// Not a term of a node.
    NodeTerm,
    /// None of these words.
    OneOf(&'static str),
    /// Neither `sqlite:` nor `postgres://`.
    StoreUrl,
    /// Not a key source.
    VaultKey,
    /// Not a place where the password of a database can be.
    StorePassword,
    /// A file that is not there.
    FileAbsent,
    /// Not an absolute http(s) address without credentials, query and fragment.
    BaseUrl,
    /// Plain HTTP.
    BaseUrlPlain,
    /// A loopback or private address.
    BaseUrlLocal,
    /// No such time zone.
    TimeZone,
    /// Not a time of day.
    TimeOfDay,
    /// Not a facility code.
    FacilityCode,
    /// The same facility twice.
    FacilityTwice,
    /// Not an application code.
    AppCode,
}

impl Problem {
    fn subject(&self) -> String {
        match (&self.value, self.key.is_empty()) {
            (_, true) => String::new(),
            (None, false) => format!("{}: ", self.key),
            (Some(value), false) => format!("{} = {value}: ", self.key),
        }
    }

    /// Key, value, fault and remedy in English.
    #[must_use]
    pub fn english(&self) -> String {
        format!("{}{}", self.subject(), self.fault.text().0)
    }

    /// Key, value, fault and remedy in Indonesian.
    #[must_use]
    pub fn indonesian(&self) -> String {
        format!("{}{}", self.subject(), self.fault.text().1)
    }
}

/// What has no words of its own.
const INVALID: (&str, &str) = ("invalid", "tidak sah");

impl Fault {
    /// English and Indonesian.
    fn text(&self) -> (String, String) {
        let (english, indonesian) = match self {
            Self::Unreadable(kind) => {
                return (
                    format!("cannot be read ({kind}): give --config FILE, see config/jembatan.example.toml"),
                    format!("tidak terbaca ({kind}): beri --config BERKAS, lihat config/jembatan.example.toml"),
                );
            }
            Self::Syntax(words) => return (format!("not TOML: {words}"), format!("bukan TOML: {words}")),
            Self::Unknown(known) => {
                return (format!("unknown key; here belong: {known}"), format!("kunci tak dikenal; di sini: {known}"));
            }
            Self::Number(least, most) => {
                return (
                    format!("must be a whole number from {least} to {most}"),
                    format!("harus bilangan bulat {least} sampai {most}"),
                );
            }
            Self::OneOf(known) => return (format!("must be one of {known}"), format!("harus salah satu dari {known}")),
            Self::Secret => (
                "secrets do not belong here: remove it and use `jembatan vault put`",
                "rahasia tidak boleh di sini: hapus lalu pakai `jembatan vault put`",
            ),
            Self::Missing => ("is missing: add it", "belum ada: tambahkan"),
            Self::Table => ("must be a table: [section]", "harus tabel: [bagian]"),
            Self::Tables => (
                "must be an array of tables: [[facility]], in the file and not in the environment",
                "harus larik tabel: [[facility]], di berkas dan bukan di lingkungan",
            ),
            Self::Text => ("must be text in quotes", "harus teks dalam tanda kutip"),
            Self::Boolean => ("must be true or false", "harus true atau false"),
            Self::Duration => (
                "not a duration: write it like \"500ms\", \"60s\", \"15m\", \"2h\", \"1d\"",
                "bukan lama waktu: tulis seperti \"500ms\", \"60s\", \"15m\", \"2h\", \"1d\"",
            ),
            Self::Size => (
                "not an amount of bytes: write it like \"256 KiB\", \"200 MiB\", \"1 GiB\"",
                "bukan ukuran: tulis seperti \"256 KiB\", \"200 MiB\", \"1 GiB\"",
            ),
            Self::Rate => (
                "must be a number of calls per second, 0 for no limit",
                "harus jumlah panggilan per detik, 0 berarti tanpa batas",
            ),
            Self::InboundNeedsTls | Self::BasePath | Self::TokenLifetime => self.inbound_text(),
            other => other.address_text(),
        };
        (english.to_owned(), indonesian.to_owned())
    }

    /// Of `[antrean_inbound]`.
    const fn inbound_text(&self) -> (&'static str, &'static str) {
        match self {
            Self::InboundNeedsTls => (
                "others can reach this address: add [antrean_inbound.tls] certificate and key, or listen on 127.0.0.1",
                "alamat ini terjangkau komputer lain: tambahkan [antrean_inbound.tls] certificate dan key, atau pakai 127.0.0.1",
            ),
            Self::BasePath => (
                "must be \"\" or like \"/antrean\": letters, digits, - _ . and no slash at the end",
                "harus \"\" atau seperti \"/antrean\": huruf, angka, - _ . tanpa garis miring di akhir",
            ),
            _token_lifetime => ("must be from \"60s\" to \"24h\"", "harus dari \"60s\" sampai \"24h\""),
        }
    }

    fn address_text(&self) -> (&'static str, &'static str) {
        match self {
            Self::NodeName => (
                "must be 1 to 63 characters a-z 0-9 - _ . such as \"pkm-a\"",
                "harus 1 sampai 63 karakter a-z 0-9 - _ . misalnya \"pkm-a\"",
            ),
            Self::NodeTerm => ("must be from \"3s\" to \"5m\"", "harus dari \"3s\" sampai \"5m\""),
            Self::Listen => (
                "not an address with a port: write it like \"127.0.0.1:8077\"",
                "bukan alamat dengan porta: tulis seperti \"127.0.0.1:8077\"",
            ),
            Self::ListenNeedsTls => (
                "others can reach this address: add [http.tls] certificate and key, or listen on 127.0.0.1",
                "alamat ini terjangkau komputer lain: tambahkan [http.tls] certificate dan key, atau pakai 127.0.0.1",
            ),
            Self::StoreUrl => {
                ("must be \"sqlite:/path\" or \"postgres://…\"", "harus \"sqlite:/jalur\" atau \"postgres://…\"")
            }
            Self::VaultKey => (
                "must be \"credential:NAME\", \"file:/path\" or \"prompt\"",
                "harus \"credential:NAMA\", \"file:/jalur\", atau \"prompt\"",
            ),
            Self::StorePassword => {
                ("must be \"credential:NAME\" or \"file:/path\"", "harus \"credential:NAMA\" atau \"file:/jalur\"")
            }
            Self::FileAbsent => (
                "there is no such file; relative paths start at the configuration file's directory",
                "berkas tidak ada; jalur relatif dihitung dari folder berkas konfigurasi",
            ),
            Self::BaseUrl => (
                "must be \"https://host/path\" without user, password, query or fragment",
                "harus \"https://host/jalur\" tanpa pengguna, sandi, kueri, atau fragmen",
            ),
            Self::BaseUrlPlain => (
                "must be https; plain http only for development with remote.allow_local = true",
                "harus https; http biasa hanya untuk pengembangan dengan remote.allow_local = true",
            ),
            Self::BaseUrlLocal => (
                "a loopback or private address; only for development with remote.allow_local = true",
                "alamat lokal atau privat; hanya untuk pengembangan dengan remote.allow_local = true",
            ),
            Self::TimeOfDay | Self::TimeZone | Self::FacilityCode | Self::FacilityTwice | Self::AppCode => {
                self.place_text()
            }
            Self::Unreadable(_)
            | Self::Syntax(_)
            | Self::Unknown(_)
            | Self::Secret
            | Self::OneOf(_)
            | Self::InboundNeedsTls
            | Self::BasePath
            | Self::TokenLifetime
            | Self::Missing
            | Self::Table
            | Self::Tables
            | Self::Text
            | Self::Boolean
            | Self::Duration
            | Self::Size
            | Self::Number(..)
            | Self::Rate => INVALID,
        }
    }

    fn place_text(&self) -> (&'static str, &'static str) {
        match self {
            Self::TimeOfDay => (
                "expected a time of day such as \"20:30\", or \"\" for never",
                "bukan jam; tulis misalnya \"20:30\", atau \"\" agar tidak pernah",
            ),
            Self::TimeZone => (
                "unknown time zone: use Asia/Jakarta (WIB), Asia/Makassar (WITA) or Asia/Jayapura (WIT)",
                "zona waktu tak dikenal: pakai Asia/Jakarta (WIB), Asia/Makassar (WITA), atau Asia/Jayapura (WIT)",
            ),
            Self::FacilityCode => (
                "not a facility code: exactly 8 characters 0-9 A-Z, such as 0114A026",
                "bukan kode faskes: tepat 8 karakter 0-9 A-Z, misalnya 0114A026",
            ),
            Self::FacilityTwice => {
                ("this facility is listed twice: remove one", "faskes ini tercantum dua kali: hapus satu")
            }
            Self::AppCode => ("must be 1 to 8 digits, such as \"095\"", "harus 1 sampai 8 angka, misalnya \"095\""),
            _elsewhere => INVALID,
        }
    }
}
