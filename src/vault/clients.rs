//! Who may talk to the bridge: SIM clients, gateway clients, operators.
//!
//! Job: the list beside the vault (`<vault>.clients`), tokens `jbt_<id>_<secret>_<crc>`, and the answer to "who is this
//! bearer". Invariants: only SHA-256 of a token is kept (256 random bits need no slow hash); comparison takes the same
//! time for a known and an unknown id; a revocation counts from the next question on, because the file's stamp is
//! looked at each time. Neighbours: `http` authenticates, `cli::client` writes. What it does not do: sessions of the
//! status page, signatures of the gateway (`protocol`).

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::disk::{self, Lock, Stamp};
use super::error::VaultError;
use super::gateway::GatewayCredentials;
use super::password::{PasswordHash, Remembered};
use super::seal::random;
use super::{Vault, check_facility};

/// How long a password lives that only `revoke` ends.
const FOREVER_DAYS: i64 = 36_500;

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The facility's information system: hands entries in, reads its own.
    Sim,
    /// A clinic of the network: hands entries in, the puskesmas approves them.
    Network,
    /// A person who moves deliveries on: retry, hold, resolve, pause.
    Operator,
    /// A person or program that only looks.
    Viewer,
    /// Mobile JKN: logs in at the Antrean listener by name and password; has no bearer token and no other rights.
    #[serde(rename = "mobile-jkn")]
    MobileJkn,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sim => "sim",
            Self::Network => "network",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
            Self::MobileJkn => "mobile-jkn",
        })
    }
}

/// What a clinic of the network is: the agreement lets only some kinds claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A midwife.
    Bidan,
    /// A pharmacy.
    Apotek,
    /// A clinic.
    Klinik,
    /// A laboratory.
    Laboratorium,
    /// Anything else.
    Lain,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bidan => "bidan",
            Self::Apotek => "apotek",
            Self::Klinik => "klinik",
            Self::Laboratorium => "laboratorium",
            Self::Lain => "lain",
        })
    }
}

/// A client that has proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its stable id: eight hexadecimal digits.
    pub id: String,
    /// The name its owner gave it.
    pub name: String,
    /// The facilities it may speak for.
    pub facilities: Vec<String>,
    /// What it may do.
    pub role: Role,
}

impl Client {
    /// Whether the client may speak for this facility.
    #[must_use]
    pub fn may_use(&self, facility: &str) -> bool {
        self.facilities.iter().any(|own| own == facility)
    }
}

/// Why a bearer is not let in. To the outside all three must look the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No such token.
    #[error("unknown token")]
    Unknown,
    /// It was revoked.
    #[error("revoked token")]
    Revoked,
    /// Its time is over.
    #[error("expired token")]
    Expired,
}

/// One client as kept and as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    id: String,
    name: String,
    facilities: Vec<String>,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    gateway: bool,
    /// SHA-256 of the token, hexadecimal; empty for Mobile JKN, which fits no token.
    hash: String,
    /// Mobile JKN's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<PasswordHash>,
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

/// One line of `client list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientInfo {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its facilities.
    pub facilities: Vec<String>,
    /// Its role.
    pub role: Role,
    /// What it is, if it is of the network and that was said.
    pub kind: Option<Kind>,
    /// Whether it has local gateway credentials.
    pub gateway: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When its token ends.
    pub expires_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    jembatan_clients: u8,
    clients: Vec<Stored>,
}

/// What a new client is to be.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Unique among those not revoked.
    pub name: String,
    /// At least one.
    pub facilities: Vec<String>,
    /// What it may do.
    pub role: Role,
    /// What it is; only of the network.
    pub kind: Option<Kind>,
    /// How many days its token lives, at most 365.
    pub days: u16,
}

/// What a new client gets, once.
#[derive(Debug)]
pub struct Grant {
    /// Who it is now.
    pub client: Client,
    /// The bearer token, or Mobile JKN's password: shown once, kept nowhere.
    pub token: crate::secret::Private<Zeroizing<String>>,
    /// With `--gateway`: its local credentials.
    pub gateway: Option<GatewayCredentials>,
}

/// A cheap handle on the client list; all clones see the same list.
#[derive(Clone)]
pub struct Clients(Arc<Inner>);

struct Inner {
    path: PathBuf,
    state: RwLock<State>,
    remembered: Remembered,
}

struct State {
    stamp: Option<Stamp>,
    clients: Arc<Vec<Stored>>,
    fault: Option<VaultError>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl Clients {
    /// Opens the list beside this vault; a list that does not exist yet is empty.
    ///
    /// # Errors
    /// Readable by others, or not a client list.
    pub fn open(vault: &Path) -> Result<Self, VaultError> {
        let path = disk::beside(vault, ".clients");
        let (clients, stamp) = read(&path)?;
        let state = RwLock::new(State { stamp, clients: Arc::new(clients), fault: None });
        Ok(Self(Arc::new(Inner { path, state, remembered: Remembered::new()? })))
    }

    /// Reads the list again if the file changed.
    ///
    /// # Errors
    /// Why it cannot be read; the last good list stays in use.
    pub fn reload_if_changed(&self) -> Result<bool, VaultError> {
        let current = Stamp::of(&self.0.path);
        {
            let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
            if state.fault.is_none() && state.stamp == current {
                return Ok(false);
            }
        }
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        match read(&self.0.path) {
            Ok((clients, stamp)) => {
                *state = State { stamp, clients: Arc::new(clients), fault: None };
                Ok(true)
            }
            Err(error) => {
                state.stamp = current;
                state.fault = Some(error.clone());
                Err(error)
            }
        }
    }

    fn current(&self) -> Arc<Vec<Stored>> {
        let _shown_on_the_health_page = self.reload_if_changed();
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner).clients)
    }

    /// Who bears this token (the part after `Bearer `).
    ///
    /// # Errors
    /// Unknown, revoked or expired: answer all three alike.
    pub fn authenticate(&self, bearer: &str, now: Timestamp) -> Result<Client, TokenError> {
        let id = token_id(bearer).ok_or(TokenError::Unknown)?;
        let clients = self.current();
        let stored = clients.iter().find(|client| client.id == id);
        let given = super::hex(&Sha256::digest(bearer.as_bytes()));
        // An unknown id is compared too, so that it takes as long as a known one.
        let nobody = "0".repeat(given.len());
        let expected = stored.map_or(nobody.as_str(), |client| client.hash.as_str());
        let same = bool::from(given.as_bytes().ct_eq(expected.as_bytes()));
        match stored {
            Some(client) if same => client.admit(now),
            Some(_) | None => Err(TokenError::Unknown),
        }
    }

    /// Mobile JKN's client with this name and password, if this process has seen the two together before. Quick.
    #[must_use]
    pub fn login_remembered(&self, name: &str, password: &str, now: Timestamp) -> Option<Client> {
        let clients = self.current();
        let stored = mobile(&clients, name)?;
        let kept = stored.password.as_ref()?;
        if self.0.remembered.knows(&stored.id, kept, password) { stored.admit(now).ok() } else { None }
    }

    /// Mobile JKN's client with this name and password. Slow on purpose (Argon2id, 64 MiB), for an unknown name too.
    ///
    /// # Errors
    /// Unknown, revoked or expired: answer all three alike.
    pub fn login(&self, name: &str, password: &str, now: Timestamp) -> Result<Client, TokenError> {
        let clients = self.current();
        let stored = mobile(&clients, name);
        let kept = stored.and_then(|client| client.password.as_ref());
        let fits = kept.unwrap_or(PasswordHash::nobody()).fits(password);
        match (stored, kept) {
            (Some(client), Some(kept)) if fits => {
                let admitted = client.admit(now)?;
                self.0.remembered.remember(&client.id, kept, password);
                Ok(admitted)
            }
            (Some(_) | None, Some(_) | None) => Err(TokenError::Unknown),
        }
    }

    /// Mobile JKN's client with this id, while it may still come in.
    ///
    /// # Errors
    /// Unknown, revoked or expired.
    pub fn mobile_jkn(&self, id: &str, now: Timestamp) -> Result<Client, TokenError> {
        let clients = self.current();
        let stored = clients.iter().find(|client| client.id == id && client.role == Role::MobileJkn);
        stored.ok_or(TokenError::Unknown)?.admit(now)
    }

    /// The gateway client with this local `cons_id` and the credentials its signature must fit.
    ///
    /// # Errors
    /// Unknown, revoked or expired: answer all three alike.
    pub fn gateway(
        &self,
        vault: &Vault,
        cons_id: &str,
        now: Timestamp,
    ) -> Result<(Client, GatewayCredentials), TokenError> {
        let (id, credentials) = vault.gateway_by_cons_id(cons_id).ok_or(TokenError::Unknown)?;
        let clients = self.current();
        let stored = clients.iter().find(|client| client.id == id && client.gateway).ok_or(TokenError::Unknown)?;
        Ok((stored.admit(now)?, credentials))
    }

    /// Adds a client; with `vault`, also local gateway credentials, sealed there first.
    ///
    /// # Errors
    /// A bad name or facility, a name in use, or a file that cannot be written.
    pub fn add(&self, new: &NewClient, vault: Option<&Vault>, now: Timestamp) -> Result<Grant, VaultError> {
        check_name(&new.name)?;
        new.facilities.iter().try_for_each(|facility| check_facility(facility))?;
        if new.facilities.is_empty() {
            return Err(VaultError::FacilityCode);
        }
        if new.kind.is_some() && new.role != Role::Network {
            return Err(VaultError::ClientKind);
        }
        let _lock = Lock::take(&self.0.path)?;
        let (mut clients, _) = read(&self.0.path)?;
        if clients.iter().any(|client| client.name == new.name && client.revoked_at.is_none()) {
            return Err(VaultError::ClientExists { name: new.name.clone() });
        }
        let id = fresh_id(&clients)?;
        let (token, hash, password) = match new.role {
            Role::MobileJkn => {
                // The user name is all that tells the facility.
                if new.facilities.len() != 1 {
                    return Err(VaultError::OneFacility);
                }
                let password = Zeroizing::new(super::hex(random::<16>()?.as_slice()));
                let kept = PasswordHash::of(&password)?;
                (password, String::new(), Some(kept))
            }
            Role::Sim | Role::Network | Role::Operator | Role::Viewer => {
                let token = make_token(&id, &*random::<32>()?);
                let hash = super::hex(&Sha256::digest(token.as_bytes()));
                (token, hash, None)
            }
        };
        let gateway = vault.map(|vault| vault.add_gateway(&id, now)).transpose()?;
        // BPJS cannot be told in time that a password ends: it ends by `revoke` only.
        let days = if new.role == Role::MobileJkn { FOREVER_DAYS } else { i64::from(new.days.min(365)) };
        let days = SignedDuration::from_hours(24 * days);
        let stored = Stored {
            id,
            name: new.name.clone(),
            facilities: new.facilities.clone(),
            role: new.role,
            kind: new.kind,
            gateway: gateway.is_some(),
            hash,
            password,
            created_at: now,
            expires_at: now.saturating_add(days).map_err(|_| VaultError::Crypto { what: "date out of range" })?,
            revoked_at: None,
        };
        let client = stored.client();
        clients.push(stored);
        self.write(clients)?;
        Ok(Grant { client, token: crate::secret::Private::new(token), gateway })
    }

    /// Takes a client's right away, from its next request on.
    ///
    /// # Errors
    /// [`VaultError::ClientUnknown`] if no active client has this name.
    pub fn revoke(&self, name: &str, now: Timestamp) -> Result<(), VaultError> {
        let _lock = Lock::take(&self.0.path)?;
        let (mut clients, _) = read(&self.0.path)?;
        let client = clients
            .iter_mut()
            .find(|client| client.name == name && client.revoked_at.is_none())
            .ok_or_else(|| VaultError::ClientUnknown { name: name.to_owned() })?;
        client.revoked_at = Some(now);
        self.write(clients)
    }

    /// All clients ever added, in order of their adding.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn list(&self) -> Result<Vec<ClientInfo>, VaultError> {
        self.reload_if_changed()?;
        Ok(self.current().iter().map(Stored::info).collect())
    }

    fn write(&self, clients: Vec<Stored>) -> Result<(), VaultError> {
        let mut text = serde_json::to_vec_pretty(&File { jembatan_clients: 1, clients })
            .map_err(|_| VaultError::Crypto { what: "serialisation" })?;
        text.push(b'\n');
        disk::write_atomic(&self.0.path, &text)
    }
}

impl Stored {
    fn client(&self) -> Client {
        let Self { id, name, facilities, role, .. } = self.clone();
        Client { id, name, facilities, role }
    }

    fn info(&self) -> ClientInfo {
        let Self { id, name, facilities, role, kind, gateway, created_at, expires_at, revoked_at, .. } = self.clone();
        ClientInfo { id, name, facilities, role, kind, gateway, created_at, expires_at, revoked_at }
    }

    fn admit(&self, now: Timestamp) -> Result<Client, TokenError> {
        if self.revoked_at.is_some() {
            Err(TokenError::Revoked)
        } else if now >= self.expires_at {
            Err(TokenError::Expired)
        } else {
            Ok(self.client())
        }
    }
}

/// The one of this name that is not revoked.
fn mobile<'c>(clients: &'c [Stored], name: &str) -> Option<&'c Stored> {
    clients.iter().find(|client| client.role == Role::MobileJkn && client.revoked_at.is_none() && client.name == name)
}

fn read(path: &Path) -> Result<(Vec<Stored>, Option<Stamp>), VaultError> {
    let (bytes, stamp) = match disk::read_private(path) {
        Ok(read) => read,
        Err(VaultError::Absent { .. }) => return Ok((Vec::new(), None)),
        Err(error) => return Err(error),
    };
    let file: File = serde_json::from_slice(&bytes).map_err(|error| VaultError::Damaged {
        path: path.to_owned(),
        line: error.line(),
        what: "not a list of clients",
    })?;
    if file.jembatan_clients != 1 {
        return Err(VaultError::Newer { path: path.to_owned() });
    }
    Ok((file.clients, Some(stamp)))
}

fn check_name(name: &str) -> Result<(), VaultError> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if fits { Ok(()) } else { Err(VaultError::ClientName) }
}

fn fresh_id(clients: &[Stored]) -> Result<String, VaultError> {
    loop {
        let id = super::hex(random::<4>()?.as_slice());
        if clients.iter().all(|client| client.id != id) {
            return Ok(id);
        }
    }
}

/// `jbt_<id>_<43 characters>_<8 hexadecimal digits>`: a shape that secret scanners find, with a checksum against typos.
fn make_token(id: &str, secret: &[u8; 32]) -> Zeroizing<String> {
    let body = Zeroizing::new(format!("jbt_{id}_{}", URL_SAFE_NO_PAD.encode(secret)));
    Zeroizing::new(format!("{}_{:08x}", body.as_str(), crc32(body.as_bytes())))
}

/// The id in a token whose checksum fits. The secret part may itself contain `_`.
fn token_id(token: &str) -> Option<&str> {
    let (body, crc) = token.rsplit_once('_')?;
    if crc.len() != 8 || u32::from_str_radix(crc, 16).ok()? != crc32(body.as_bytes()) {
        return None;
    }
    Some(body.strip_prefix("jbt_")?.split_once('_')?.0)
}

/// CRC-32 (IEEE 802.3, reflected), bit by bit: tokens are short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}
