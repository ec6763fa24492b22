//! From a body to rows: check everything, then hand it to the store whole or not at all.
//!
//! Job: read a submission's shape, check it against catalogue and configuration, find what each entry comes after, date
//! it, and accept it in one transaction. Invariants: nothing is stored unless everything fits; every fault is named at
//! once, with a JSON Pointer and a remedy in Indonesian, without the value; payloads go in as handed in. Neighbours:
//! `http` calls [`Intake::submit`], `catalogue` checks payloads, `contract` dates (through [`Dates`]), `store` keeps.
//! What it does not do: authenticate, send, decide about deliveries that exist.

mod after;
mod area;
mod body;
mod dates;
mod entry;
pub mod json;
mod needs;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::catalogue::{Catalogue, Operation};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::Facility;
use crate::contract::{Deadline, ServiceTime};
use crate::queue::{BootId, Delivery, SubmissionId};
use crate::store::{Acceptance, NewSubmission, SharedStore, StoreError, SubmissionRow};

pub use after::Before;
pub use area::Area;
pub use body::{AFTER_MAX, ENTRIES_MAX, Entry, REF_MAX, SubmissionBody, read};
pub use dates::{AHEAD_MAX, Ahead, ahead, due_at, payload_date};
pub use entry::{about, scope_values};
pub(crate) use entry::{card_of, natural_key, payload_faults, text_of};

/// Dates an entry by a rule of the contract profile in force.
pub type Dates = Arc<dyn Fn(&str, &ServiceTime) -> Deadline + Send + Sync>;

/// Something wrong with a request, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer into the body; empty for the whole.
    pub pointer: String,
    /// In Indonesian, without the value.
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    #[must_use]
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// Why a submission was not accepted. In every case but `Store` nothing was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IntakeError {
    /// Something is wrong with it.
    #[error("{} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// The key is taken by another body: the submission that has it.
    #[error("another body under the same reference")]
    Conflict(Box<SubmissionRow>),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An accepted submission.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The submission.
    pub submission: SubmissionRow,
    /// Its deliveries, in the order of the entries.
    pub deliveries: Vec<Delivery>,
    /// Whether it is new; otherwise the same body was accepted before.
    pub fresh: bool,
}

/// Who hands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The puskesmas's own information system.
    Own,
    /// A clinic of its network: its entries wait until the puskesmas lets them go.
    Network,
}

/// What intake needs to know besides the catalogue.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The facilities served.
    pub facilities: Vec<Facility>,
    /// The zone of BPJS's day (Asia/Jakarta unless configured).
    pub bpjs_zone: TimeZone,
    /// This run of the process.
    pub boot: BootId,
}

impl Settings {
    fn facility(&self, code: &str) -> Option<&Facility> {
        self.facilities.iter().find(|facility| facility.code == code)
    }
}

/// The stage that accepts submissions.
#[derive(Clone)]
pub struct Intake {
    /// Where they go.
    pub store: SharedStore,
    /// What may be handed in.
    pub catalogue: Arc<Catalogue>,
    /// Dates from the contract.
    pub dates: Dates,
    /// The limit of visits from elsewhere.
    pub area: Area,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub chance: Chance,
    /// The rest.
    pub settings: Settings,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A submission that fits together: its operations, what each entry comes after, and the order of acceptance.
struct Checked<'c> {
    facility: &'c Facility,
    operations: Vec<&'c Operation>,
    before: Vec<Vec<Before>>,
    order: Vec<usize>,
    warnings: Vec<String>,
}

impl Intake {
    /// Accepts a submission of `client`, whole or not at all. When this returns `Ok`, it is on disk.
    ///
    /// # Errors
    /// [`IntakeError`]; with [`StoreError::Unknown`] inside, whether it is on disk is not known: the same body again
    /// finds out.
    pub async fn submit(
        &self,
        client: &str,
        origin: Origin,
        mut body: SubmissionBody,
    ) -> Result<Accepted, IntakeError> {
        let now = self.clock.now();
        entry::unwrap_payloads(&self.catalogue, &mut body);
        let checked = self.check(client, &body, now).await?;
        let new = self.rows(client, origin, &body, &checked, now);
        let (submission, fresh) = match self.store.accept(new).await? {
            Acceptance::New(row) => (row, true),
            Acceptance::Same(row) => (row, false),
            Acceptance::Conflict(row) => return Err(IntakeError::Conflict(Box::new(row))),
        };
        failpoint!(await "accept.committed");
        let deliveries = self.store.deliveries_of(submission.id).await?;
        Ok(Accepted { submission, deliveries, fresh })
    }

    /// Each step names all its faults; a step whose ground is missing is not tried.
    async fn check(&self, client: &str, body: &SubmissionBody, now: Timestamp) -> Result<Checked<'_>, IntakeError> {
        let Some(facility) = self.settings.facility(&body.facility) else {
            let detail = "faskes ini tidak dikonfigurasi pada jembatan; periksa kodenya atau tambahkan [[facility]]";
            return Err(IntakeError::Invalid(vec![Fault::new("/facility", detail)]));
        };
        let mut faults = Vec::new();
        let operations = entry::operations(&self.catalogue, facility, body, &mut faults);
        entry::check_payloads(body, &operations, &mut faults);
        let mut warnings = entry::check_instants(body, &operations, now, &self.settings.bpjs_zone, &mut faults);
        let before = self.resolve(client, body, &mut faults).await?;
        let order = after::order(body, &before).unwrap_or_else(|cycle| {
            faults.extend(cycle);
            Vec::new()
        });
        let operations: Vec<&Operation> = operations.into_iter().flatten().collect();
        let mut completed = before.clone();
        if operations.len() == body.entries.len() {
            match needs::complete(body, &operations, &before) {
                Ok(more) => completed = more,
                Err(open) => faults.extend(open),
            }
        }
        if faults.is_empty() {
            warnings.extend(self.beyond_the_area(body, &operations).await?);
            Ok(Checked { facility, operations, before: completed, order, warnings })
        } else {
            Err(IntakeError::Invalid(faults))
        }
    }

    async fn resolve(
        &self,
        client: &str,
        body: &SubmissionBody,
        faults: &mut Vec<Fault>,
    ) -> Result<Vec<Vec<Before>>, StoreError> {
        // One question per name, however many entries come after it.
        let mut known: HashMap<&str, Option<Before>> = HashMap::new();
        let mut before = Vec::with_capacity(body.entries.len());
        for (i, entry) in body.entries.iter().enumerate() {
            let mut list = Vec::with_capacity(entry.after.len());
            for (k, name) in entry.after.iter().enumerate() {
                if !known.contains_key(name.as_str()) {
                    known.insert(name, self.find(client, body, name).await?);
                }
                match known.get(name.as_str()).and_then(Option::as_ref) {
                    Some(found) => list.push(found.clone()),
                    None => faults.push(after::unknown(i, k)),
                }
            }
            before.push(list);
        }
        Ok(before)
    }

    async fn find(&self, client: &str, body: &SubmissionBody, name: &str) -> Result<Option<Before>, StoreError> {
        Ok(match after::meaning(body, name) {
            after::Name::Own(place) => Some(Before::Own(place)),
            after::Name::Earlier(reference, entry_ref) => {
                let earlier = self.store.find_entry(client, &body.facility, &reference, &entry_ref).await?;
                earlier.map(Before::Earlier)
            }
            after::Name::Unknown => None,
        })
    }

    fn rows(
        &self,
        client: &str,
        origin: Origin,
        body: &SubmissionBody,
        checked: &Checked<'_>,
        now: Timestamp,
    ) -> NewSubmission {
        NewSubmission {
            id: SubmissionId::new(now, &self.chance.ten()),
            client: client.to_owned(),
            facility: body.facility.clone(),
            reference: body.reference.clone(),
            canonical: body.canonical.clone(),
            patient: body.patient.clone(),
            accepted_at: now,
            warnings: checked.warnings.clone(),
            approval: origin == Origin::Network,
            entries: entry::rows(body, checked, now, self),
        }
    }
}
