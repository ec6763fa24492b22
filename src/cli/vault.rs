//! `jembatan vault`: secrets in, never out.
//!
//! Job: the command functions of `vault init · put · import · list · rotate · seal-backup`. Invariants: values come from
//! standard input, a hidden prompt or an encrypted file, never from arguments; no value is printed. Neighbours:
//! [`crate::vault`] does the work. What it does not do: need the daemon, or know exit codes.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Console, Language};
use crate::config::VaultConfig;
use crate::vault::{CredentialName, KeyAccess, KeySource, Listed, Rotated, ValueFault, Vault, VaultError, backup};

/// Arguments of `jembatan vault`.
#[derive(Debug, Args)]
pub struct VaultArgs {
    /// Apa yang dikerjakan.
    #[command(subcommand)]
    pub command: VaultCommand,
}

/// Brankas rahasia faskes (the facility's secrets).
#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Membuat brankas baru, dan berkas kuncinya bila vault.key = "file:…" (make a new vault)
    Init {
        /// Pulihkan isi dari cadangan tersegel (restore from a sealed backup)
        #[arg(long, value_name = "BERKAS")]
        restore: Option<PathBuf>,
    },
    /// Menyimpan satu kredensial; nilainya dari masukan baku atau ditanyakan tanpa terlihat (put one credential in)
    Put {
        /// Kode faskes, misalnya 0114A026 (facility code)
        #[arg(long, value_name = "KODE")]
        facility: String,
        /// Nama kredensial, misalnya pcare.password (vault name)
        #[arg(value_name = "NAMA")]
        name: String,
    },
    /// Mengimpor kredensial dari cadangan tersegel, atau JSON dari pipa dengan "-" (import several)
    Import {
        /// Kode faskes (facility code)
        #[arg(long, value_name = "KODE")]
        facility: String,
        /// Berkas tersegel, atau - untuk masukan baku (sealed file, or - for standard input)
        #[arg(value_name = "BERKAS")]
        file: PathBuf,
    },
    /// Daftar nama, versi, tanggal, dan sidik; tidak pernah nilainya (list, never values)
    List {
        /// Sebagai JSON (as JSON)
        #[arg(long)]
        json: bool,
    },
    /// Mengganti kunci brankas dan menyegel ulang semuanya (replace the key)
    Rotate {
        /// Kunci baru yang sudah ada, misalnya file:/jalur; wajib bila kuncinya kredensial systemd (the new key)
        #[arg(long, value_name = "SUMBER")]
        new_key: Option<String>,
    },
    /// Menulis salinan yang disegel frasa sandi, untuk disimpan di luar mesin ini (sealed copy)
    SealBackup {
        /// Berkas tujuan; tidak boleh sudah ada (must not exist)
        #[arg(long, value_name = "BERKAS")]
        out: PathBuf,
    },
}

/// Runs one vault command.
///
/// # Errors
/// Whatever the vault answers; print [`VaultError::indonesian`] or `Display`.
pub fn run(
    args: &VaultArgs,
    place: &VaultConfig,
    access: KeyAccess,
    now: Timestamp,
    console: &mut Console<'_>,
) -> Result<(), VaultError> {
    let open = |access| Vault::open(&place.path, &place.key, access);
    match &args.command {
        VaultCommand::Init { restore } => init(place, access, restore.as_deref(), now, console),
        VaultCommand::Put { facility, name } => put(&open(access)?, facility, name.parse()?, now, console),
        VaultCommand::Import { facility, file } => import(&open(access)?, facility, file, now, console),
        VaultCommand::List { json } => list(&open(access)?, *json, console),
        VaultCommand::Rotate { new_key } => rotate(&open(access)?, new_key.as_deref(), console),
        VaultCommand::SealBackup { out } => seal_backup(&open(access)?, out, console),
    }
}

fn init(
    place: &VaultConfig,
    access: KeyAccess,
    restore: Option<&Path>,
    now: Timestamp,
    console: &mut Console<'_>,
) -> Result<(), VaultError> {
    match restore {
        None => Vault::create(&place.path, &place.key, access, now)?,
        Some(file) => {
            let bytes = backup::read(file)?;
            let passphrase = console.passphrase("Frasa sandi cadangan: ", "Passphrase of the backup: ")?;
            Vault::restore(&place.path, &place.key, access, &bytes, &passphrase)?
        }
    };
    let made = console.language.pick("Brankas dibuat", "Vault made");
    console.say(&format!("{made}: {}", place.path.display()))?;
    let english = console.language == Language::English;
    console.say(&place.key.protection(english))
}

fn put(
    vault: &Vault,
    facility: &str,
    name: CredentialName,
    now: Timestamp,
    console: &mut Console<'_>,
) -> Result<(), VaultError> {
    let value = read_value(name, console)?;
    let version = vault.put(facility, name, &value, now)?;
    warn_about_colon(name, &value, console)?;
    let put = console.language.pick("disimpan, versi", "kept, version");
    console.say(&format!("{facility} {name}: {put} {version}"))
}

/// The value from standard input without its one trailing newline, or from a hidden prompt.
fn read_value(name: CredentialName, console: &mut Console<'_>) -> Result<Zeroizing<String>, VaultError> {
    if console.input_is_terminal {
        let prompt = console.language.pick("Nilai (tidak terlihat)", "Value (hidden)");
        return super::hidden(&format!("{name} – {prompt}: "));
    }
    let bytes = console.read_all()?;
    let line = bytes.strip_suffix(b"\n").map_or(bytes.as_slice(), |line| line.strip_suffix(b"\r").unwrap_or(line));
    std::str::from_utf8(line)
        .map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| VaultError::Value { name: name.as_str(), why: ValueFault::NotText })
}

/// P-Care's `X-authorization` is `user:password:app`; BPJS itself may accept such a password, so it is only a warning.
fn warn_about_colon(name: CredentialName, value: &str, console: &mut Console<'_>) -> Result<(), VaultError> {
    if name == CredentialName::PcarePassword && value.contains(':') {
        return console.remark(
            "Peringatan: sandi memuat titik dua, pemisah di X-authorization. Bila P-Care menolaknya, ganti sandinya.",
            "Warning: the password has a colon, the separator in X-authorization. If P-Care refuses it, change it.",
        );
    }
    Ok(())
}

fn import(
    vault: &Vault,
    facility: &str,
    file: &Path,
    now: Timestamp,
    console: &mut Console<'_>,
) -> Result<(), VaultError> {
    let piped = file == Path::new("-");
    let bytes = if piped { console.read_all()? } else { backup::read(file)? };
    let values = if backup::is_sealed(&bytes) {
        let (id, en) = ("Frasa sandi cadangan: ", "Passphrase of the backup: ");
        // Standard input is used up by the file itself, so the passphrase can only come from the terminal.
        let passphrase =
            if piped { super::hidden(console.language.pick(id, en))? } else { console.passphrase(id, en)? };
        backup::import_sealed(&bytes, &passphrase, facility)?
    } else if piped {
        backup::import_plain(&bytes)?
    } else {
        return Err(VaultError::ImportPlainFile { path: file.to_owned() });
    };
    vault.put_all(facility, &values, now)?;
    for (name, value) in &values {
        warn_about_colon(*name, value, console)?;
        let put = console.language.pick("disimpan", "kept");
        console.say(&format!("{facility} {name}: {put}"))?;
    }
    console.remark(
        "Musnahkan sekarang surel dan berkas asal kredensial ini (Pasal 16).",
        "Now destroy the e-mail and the file these credentials came in (Pasal 16).",
    )
}

fn list(vault: &Vault, json: bool, console: &mut Console<'_>) -> Result<(), VaultError> {
    let items = vault.list()?;
    if json {
        return console.json(&json!({ "items": items }));
    }
    if items.is_empty() {
        return console.remark("Brankas masih kosong.", "The vault is empty.");
    }
    for Listed { facility, name, version, set_at, fingerprint } in items {
        console.say(&format!("{facility}  {name:<22} v{version:<4} {set_at:.0}  {fingerprint}"))?;
    }
    Ok(())
}

fn rotate(vault: &Vault, new_key: Option<&str>, console: &mut Console<'_>) -> Result<(), VaultError> {
    let new_key = new_key.map(str::parse::<KeySource>).transpose()?;
    let (indonesian, english) = match vault.rotate(new_key.as_ref())? {
        Rotated::KeyReplaced => (
            "Kunci diganti dan semuanya disegel ulang; daemon yang berjalan mengikuti sendiri.",
            "The key was replaced and everything re-sealed; a running daemon follows by itself.",
        ),
        Rotated::PassphraseReplaced => (
            "Frasa sandi diganti; mulai ulang daemon dengan frasa sandi yang baru.",
            "The passphrase was replaced; restart the daemon with the new one.",
        ),
        Rotated::PlaceNewKey => (
            "Disegel ulang dengan kunci baru: taruh kunci itu di tempat vault.key, mulai ulang, lalu musnahkan yang lama.",
            "Re-sealed under the new key: put it where vault.key says, restart, then destroy the old one.",
        ),
    };
    let text = console.language.pick(indonesian, english).to_owned();
    console.say(&text)
}

fn seal_backup(vault: &Vault, out: &Path, console: &mut Console<'_>) -> Result<(), VaultError> {
    let (id, en) =
        ("Frasa sandi cadangan (minimal 12 karakter): ", "Passphrase for the backup (at least 12 characters): ");
    let passphrase = console.passphrase(id, en)?;
    if console.input_is_terminal && console.passphrase("Ulangi: ", "Again: ")? != passphrase {
        return Err(VaultError::PassphraseRefused);
    }
    vault.seal_backup(out, passphrase)?;
    let sealed = console.language.pick("Cadangan tersegel", "Sealed backup");
    console.say(&format!("{sealed}: {}", out.display()))
}
