//! Mobile JKN as a caller: works through a facility's inbound queue service and says what it answered.
//!
//! Job: play `vclaim-antrean` facts §4b from BPJS's side: auth, status, ambil, (202: peserta, ambil), sisa, batal, with
//! bodies of v1 and v2, header names in several cases, repeated and simultaneous POSTs, an alphanumeric `kodekel`, an
//! 11-digit card, wrong password, forged and expired token. Invariants: what is booked is cancelled again; a check says
//! what was asked, what was expected and what came, never a token, a password or a card. Neighbours: `wire` sends, `scenes`
//! has the play, the command `simulate mobile-jkn` and tests call [`drive`]. What it does not do: know how the service
//! is configured beyond its [`Plan`].

mod scenes;
mod wire;

use std::time::Duration;

use jiff::civil::Date;
use rustls::pki_types::CertificateDer;
use serde::Serialize;

use crate::clock::Clock;
use crate::secret::Password;

/// Whom to call.
#[derive(Clone, Debug)]
pub struct Target {
    /// Base URL of the service, e.g. `https://antrean.puskesmas.example`.
    pub url: String,
    /// `x-username`: says which facility is meant.
    pub username: String,
    /// `x-password`.
    pub password: Password,
    /// Certificates to trust besides the system's, e.g. a self-signed one.
    pub trusted: Vec<CertificateDer<'static>>,
}

/// What to play.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Clinic that is open on `day` (P-Care code).
    pub clinic: String,
    /// Day with a schedule, today or later.
    pub day: Date,
    /// Doctor and hours for bodies of v2; none: taken from the answer of `status` where it names them.
    pub doctor: Option<(u64, String)>,
    /// Which bodies are sent: 1, 2 or both.
    pub versions: Vec<u8>,
    /// Decides the cards; the same seed books for the same people.
    pub seed: u64,
    /// How long a token lives, where the play shall wait for its end; none: that check is left out.
    pub token_life: Option<Duration>,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The scene: `auth`, `status`, `v1`, `v2`, `masukan`.
    pub scene: &'static str,
    /// What was asked, in Indonesian.
    pub step: String,
    /// What was expected, in Indonesian.
    pub expected: String,
    /// `metadata.code`, or the HTTP status or the network's fault where there was no envelope.
    pub got: String,
    /// `metadata.message`.
    pub message: String,
    /// Whether it was as expected.
    pub passed: bool,
}

/// Plays the plan against the target; the checks in the order they were made.
///
/// # Errors
/// A sentence: the URL cannot be read or TLS cannot be set up. What the service does wrong is no error but a check.
pub async fn drive(target: &Target, plan: &Plan, clock: &Clock) -> Result<Vec<Check>, String> {
    let wire = wire::Wire::new(&target.url, target.trusted.clone())?;
    Ok(scenes::Play::new(wire, target, plan, clock).run().await)
}

#[cfg(test)]
mod tests;
