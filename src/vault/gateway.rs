//! Local credentials of gateway clients: worthless anywhere else, sealed all the same.
//!
//! Job: invent a set for a new client and find the set of a request. The bridge must check signatures as BPJS does, so the
//! secret itself is kept, not a hash. Invariants: a `cons_id` is unique in the vault. Neighbours: `clients` says whether
//! the client may come in at all. What it does not do: signatures (`protocol`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Vault;
use super::error::VaultError;
use super::seal::random;
use crate::secret::{ConsId, Password, SecretKey, UserKey, Username};

/// What a gateway client signs with instead of BPJS's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayCredentials {
    /// Local `X-cons-id`.
    pub cons_id: ConsId,
    /// Local signature and answer key.
    pub secret_key: SecretKey,
    /// Local `user_key`, the same for every service.
    pub user_key: UserKey,
    /// Local P-Care user.
    pub username: Username,
    /// Local P-Care password.
    pub password: Password,
}

/// The sealed form.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Stored {
    cons_id: String,
    secret_key: String,
    user_key: String,
    username: String,
    password: String,
}

impl Stored {
    fn credentials(&self) -> GatewayCredentials {
        GatewayCredentials {
            cons_id: ConsId::new(self.cons_id.clone()),
            secret_key: SecretKey::new(self.secret_key.clone()),
            user_key: UserKey::new(self.user_key.clone()),
            username: Username::new(self.username.clone()),
            password: Password::new(self.password.clone()),
        }
    }
}

impl Vault {
    /// Invents and seals local credentials for a gateway client.
    ///
    /// # Errors
    /// The file cannot be written, or no random numbers.
    pub fn add_gateway(&self, client: &str, now: Timestamp) -> Result<GatewayCredentials, VaultError> {
        self.change(|content| {
            let taken: Vec<GatewayCredentials> = content.gateways().filter_map(|(_, json)| parse(json)).collect();
            let stored = loop {
                let stored = invent()?;
                if taken.iter().all(|other| other.cons_id.expose() != stored.cons_id) {
                    break stored;
                }
            };
            let json = serde_json::to_vec(&stored).map_err(|_| VaultError::Crypto { what: "serialisation" })?;
            content.put_gateway(client, Zeroizing::new(json), now.as_millisecond());
            Ok(stored.credentials())
        })
    }

    /// The client with this local `cons_id` and its credentials. Ask [`super::Clients::gateway`], which also checks that
    /// the client may still come in.
    #[must_use]
    pub fn gateway_by_cons_id(&self, cons_id: &str) -> Option<(String, GatewayCredentials)> {
        let content = self.content();
        content
            .gateways()
            .filter_map(|(client, json)| Some((client.to_owned(), parse(json)?)))
            .find(|(_, credentials)| credentials.cons_id.expose() == cons_id)
    }
}

fn parse(json: &[u8]) -> Option<GatewayCredentials> {
    serde_json::from_slice::<Stored>(json).ok().as_ref().map(Stored::credentials)
}

fn invent() -> Result<Stored, VaultError> {
    let number = u64::from_be_bytes(*random::<8>()?);
    Ok(Stored {
        // Nine digits that start with 9: a consumer id by its looks, and none that BPJS is known to give out.
        cons_id: format!("9{:08}", number % 100_000_000),
        secret_key: super::hex(random::<16>()?.as_slice()),
        user_key: super::hex(random::<16>()?.as_slice()),
        username: format!("jbt-{}", super::hex(random::<4>()?.as_slice())),
        password: super::hex(random::<12>()?.as_slice()),
    })
}
