//! The simulator's own credentials: invented, fixed, worthless elsewhere.
//!
//! Job: what a client must sign and log in with, and the JSON form `jembatan simulate --credentials` prints. Invariant:
//! one user key per service, all different, so that a client that mixes them up is told so. Neighbours: `gate` checks
//! requests against them, `control` shows them. What it does not do: keep anybody's real credentials (`vault`).

use serde_json::{Value, json};

use crate::secret::{ConsId, Password, SecretKey, UserKey, Username};

/// What a consumer of the simulated services holds.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Consumer ID (`X-cons-id`).
    pub cons_id: ConsId,
    /// Consumer secret: signs requests and opens answers.
    pub secret_key: SecretKey,
    /// P-Care web login, first part of `X-authorization`.
    pub username: Username,
    /// P-Care web password, second part of `X-authorization`; `/_sim/password` changes it.
    pub password: Password,
    /// `user_key` of P-Care.
    pub pcare: UserKey,
    /// `user_key` of V-Claim.
    pub vclaim: UserKey,
    /// `user_key` of Antrean FKTP.
    pub antrean_fktp: UserKey,
    /// `user_key` of i-Care.
    pub icare: UserKey,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            cons_id: ConsId::new("10026"),
            secret_key: SecretKey::new("rahasia-simulator-2026"),
            username: Username::new("0114A026"),
            password: Password::new("Simulasi#2026"),
            pcare: UserKey::new("00000000000000000000000000pcare1"),
            vclaim: UserKey::new("0000000000000000000000000vclaim1"),
            antrean_fktp: UserKey::new("00000000000000000000000antrean01"),
            icare: UserKey::new("00000000000000000000000000icare1"),
        }
    }
}

impl Credentials {
    /// The credentials in the open, for whoever must use the simulator.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "cons_id": self.cons_id.expose(),
            "secret_key": self.secret_key.expose(),
            "username": self.username.expose(),
            "password": self.password.expose(),
            "user_key": {
                "pcare": self.pcare.expose(),
                "vclaim": self.vclaim.expose(),
                "antrean_fktp": self.antrean_fktp.expose(),
                "icare": self.icare.expose(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_a_user_key_of_its_own() {
        let shown = Credentials::default().to_json();
        let keys = shown["user_key"].as_object().unwrap();
        let distinct: std::collections::BTreeSet<&str> = keys.values().map(|key| key.as_str().unwrap()).collect();
        assert_eq!((keys.len(), distinct.len()), (4, 4));
    }
}
