//! The calendar with everything that the bridge knows by itself.
//!
//! Job: join the agreements with what only the running bridge can tell (when passwords were set, when certificates run
//! out), so that every face shows the same duties. What it does not do: read files, ask the store.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::agreements::Contracts;
use super::obligation::{Asked, Done, Event, Obligation, Place, obligations};

/// A TLS certificate that runs out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// What it is for: the key of the configuration, or its file.
    pub name: String,
    /// Its last instant.
    pub not_after: Timestamp,
    /// What else is to be said, in Indonesian; begins with a separator, or is empty.
    pub note: String,
}

/// What the files of certificates say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Certificates {
    /// Those that can be read.
    pub found: Vec<Certificate>,
    /// Files that cannot, with the reason, in Indonesian.
    pub unreadable: Vec<String>,
}

/// The facilities as they are now.
pub type Places = Arc<dyn Fn() -> Vec<Place> + Send + Sync>;
/// The certificates as they are now.
pub type CertificatesNow = Arc<dyn Fn() -> Certificates + Send + Sync>;

/// Makes the list of duties for every face.
#[derive(Clone)]
pub struct Calendar {
    /// The agreements.
    pub contracts: Arc<Contracts>,
    /// Facilities, with the age of their passwords.
    pub places: Places,
    /// Certificates.
    pub certificates: CertificatesNow,
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calendar").finish_non_exhaustive()
    }
}

impl Calendar {
    /// Every duty, by date; and what could not be dated, in Indonesian.
    #[must_use]
    pub fn duties(&self, events: &[Event], done: &[Done], now: Timestamp) -> (Vec<Obligation>, Vec<String>) {
        let (places, seen) = ((self.places)(), (self.certificates)());
        let contracts = &*self.contracts;
        let asked = Asked { contracts, places: &places, events, done, certificates: &seen.found, now };
        (obligations(asked), seen.unreadable)
    }
}
