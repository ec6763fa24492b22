//! The vault file: JSON lines, sealed.
//!
//! ```text
//! {"jembatan_vault":1,"key_id":"…","kdf":null}                                        which key
//! {"v":1,"alg":1,"key_id":"…","purpose":"credential","facility":"0114A026","name":"pcare.password","version":7,…}
//! {"records":9,"mac":"…"}                                                             HMAC of all lines before
//! ```
//!
//! Job: lay [`Content`] out and read it back. Invariants: every line is in the one form this module writes, so no byte can
//! change unnoticed; labels are bound to ciphertexts (a moved ciphertext does not open) and the last line binds the
//! order and number of records (a dropped or older record is noticed). Neighbours: `seal`, `key`, `disk`.
//! What it does not do: notice that the whole file was replaced by an older whole file.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::content::{Content, Entry};
use super::error::VaultError;
use super::key::{Kdf, Kek};
use super::seal::{self, AES_256_GCM, FORMAT, Label, Purpose};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    jembatan_vault: u8,
    pub(super) key_id: String,
    pub(super) kdf: Option<Kdf>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    v: u8,
    alg: u8,
    key_id: String,
    purpose: Purpose,
    facility: String,
    name: String,
    version: u64,
    set_at: i64,
    nonce: String,
    ct: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    records: usize,
    mac: String,
}

/// Lays `content` out, sealed under `kek`.
pub(super) fn encode(content: &Content, kek: &Kek) -> Result<Vec<u8>, VaultError> {
    let key = kek.records()?;
    let mut text = line(&Header { jembatan_vault: FORMAT, key_id: kek.id.clone(), kdf: kek.kdf.clone() })?;
    for entry in &content.entries {
        text.push_str(&line(&seal_record(entry, kek, &key)?)?);
    }
    let mac = STANDARD.encode(mac(kek, text.as_bytes())?.finalize().into_bytes());
    text.push_str(&line(&Trailer { records: content.entries.len(), mac })?);
    Ok(text.into_bytes())
}

fn line(value: &impl Serialize) -> Result<String, VaultError> {
    let mut text = serde_json::to_string(value).map_err(|_| VaultError::Crypto { what: "serialisation" })?;
    text.push('\n');
    Ok(text)
}

fn mac(kek: &Kek, bytes: &[u8]) -> Result<Hmac<Sha256>, VaultError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(kek.whole_file()?.as_slice())
        .map_err(|_| VaultError::Crypto { what: "HMAC key" })?;
    mac.update(bytes);
    Ok(mac)
}

fn seal_record(entry: &Entry, kek: &Kek, key: &[u8; 32]) -> Result<Record, VaultError> {
    let (nonce, ct) = seal::seal(key, &kek.id, &entry.label, &entry.value)?;
    let Label { purpose, facility, name, version, set_at } = entry.label.clone();
    Ok(Record {
        v: FORMAT,
        alg: AES_256_GCM,
        key_id: kek.id.clone(),
        purpose,
        facility,
        name,
        version,
        set_at,
        nonce: STANDARD.encode(nonce),
        ct: STANDARD.encode(ct),
    })
}

/// Reads a vault; `find` gives the key that the header names.
pub(super) fn decode(
    path: &Path,
    bytes: &[u8],
    find: impl FnOnce(&Header) -> Result<Kek, VaultError>,
) -> Result<(Kek, Content), VaultError> {
    let damaged = |line, what| VaultError::Damaged { path: path.to_owned(), line, what };
    let text = std::str::from_utf8(bytes).map_err(|_| damaged(1, "not text"))?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let [first, records @ .., last] = lines.as_slice() else { return Err(damaged(1, "cut off")) };
    let header: Header = parse(first).ok_or_else(|| damaged(1, "no vault header"))?;
    if header.jembatan_vault != FORMAT {
        return Err(VaultError::Newer { path: path.to_owned() });
    }
    let kek = find(&header)?;
    check_trailer(&kek, &text[..text.len() - last.len()], last, records.len())?
        .ok_or_else(|| damaged(lines.len(), "the seal of the whole file does not fit"))?;
    let key = kek.records()?;
    let mut entries = Vec::with_capacity(records.len());
    for (index, text) in records.iter().enumerate() {
        let number = index + 2;
        let record: Record = parse(text).ok_or_else(|| damaged(number, "not a record"))?;
        entries.push(open_record(record, &kek, &key).ok_or_else(|| damaged(number, "the seal does not fit"))?);
    }
    let content = Content { entries };
    if content.root().is_none() {
        return Err(damaged(2, "the root record is missing"));
    }
    Ok((kek, content))
}

/// Parses a line that is byte for byte what this program would have written.
fn parse<T: Serialize + DeserializeOwned>(text: &str) -> Option<T> {
    let value: T = serde_json::from_str(text).ok()?;
    (line(&value).ok()? == text).then_some(value)
}

fn check_trailer(kek: &Kek, before: &str, last: &str, records: usize) -> Result<Option<()>, VaultError> {
    let Some(trailer) = parse::<Trailer>(last).filter(|trailer| trailer.records == records) else { return Ok(None) };
    let Ok(expected) = STANDARD.decode(&trailer.mac) else { return Ok(None) };
    Ok(mac(kek, before.as_bytes())?.verify_slice(&expected).ok())
}

fn open_record(record: Record, kek: &Kek, key: &[u8; 32]) -> Option<Entry> {
    if record.v != FORMAT || record.alg != AES_256_GCM || record.key_id != kek.id {
        return None;
    }
    let (nonce, ct) = (STANDARD.decode(&record.nonce).ok()?, STANDARD.decode(&record.ct).ok()?);
    let Record { purpose, facility, name, version, set_at, .. } = record;
    let label = Label { purpose, facility, name, version, set_at };
    let value: Zeroizing<Vec<u8>> = seal::open(key, &kek.id, &label, &nonce, &ct)?;
    Some(Entry { label, value })
}
