//! A word of warning when a participant registered elsewhere comes more often than the agreement says (Pasal 4 ayat 4 huruf
//! f). The entry is accepted all the same: the patient has been served.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::Value;

use super::{Intake, SubmissionBody, card_of, payload_date};
use crate::catalogue::Operation;
use crate::contract::AreaLimit;
use crate::queue::State;
use crate::secret::Private;
use crate::store::{JournalRow, StoreError};

/// The limit that holds on a day.
pub type Area = Arc<dyn Fn(Date) -> Option<AreaLimit> + Send + Sync>;

/// What makes a visit.
const VISIT: &str = "pcare.pendaftaran.add";
/// What takes it back.
const WITHDRAWAL: &str = "pcare.pendaftaran.delete";

impl Intake {
    /// A warning for every registration of the body that is beyond the limit.
    pub(super) async fn beyond_the_area(
        &self,
        body: &SubmissionBody,
        operations: &[&Operation],
    ) -> Result<Vec<String>, StoreError> {
        let mut warnings = Vec::new();
        // Of this body, counted so far: card and day.
        let mut own: Vec<(&str, Date)> = Vec::new();
        for (i, (entry, operation)) in body.entries.iter().zip(operations).enumerate() {
            let payload = entry.payload.expose();
            let (Some(day), Some(card)) = (payload_date(operation, payload), card_of(operation, payload)) else {
                continue;
            };
            let Some(limit) = (self.area)(day).filter(|_| operation.name == VISIT) else { continue };
            if !limit.is_elsewhere(&body.facility, provider(payload)) {
                continue;
            }
            let key = Private::new(card.to_owned());
            let rows =
                self.store.journal_of_patient(&body.facility, &key, limit.from, limit.to, &[VISIT, WITHDRAWAL]).await?;
            let here = own.iter().filter(|(of, on)| *of == card && limit.from <= *on && *on <= limit.to).count();
            let number = visits(&rows, &limit, &body.facility) + here + 1;
            own.push((card, day));
            if number > usize::from(limit.count) {
                warnings.push(format!(
                    "/entries/{i}/payload/kdProviderPeserta: kunjungan ke-{number} dalam sebulan bagi peserta terdaftar di \
                     faskes lain; paling banyak {} ({}). Entri tetap diterima",
                    limit.count, limit.clause
                ));
            }
        }
        Ok(warnings)
    }
}

fn provider(payload: &Value) -> &str {
    payload["kdProviderPeserta"].as_str().unwrap_or_default()
}

/// Whether an entry counts: neither withdrawn here nor refused by BPJS.
const fn stands(state: State) -> bool {
    match state {
        State::Waiting | State::Sending | State::Delivered | State::Unanswered | State::Held | State::Expired => true,
        State::Refused | State::Cancelled => false,
    }
}

/// How many visits of a patient from elsewhere the rows have.
fn visits(rows: &[JournalRow], limit: &AreaLimit, facility: &str) -> usize {
    let standing = || rows.iter().filter(|row| stands(row.delivery.progress.state));
    // A registration is one a day and clinic; one that was deleted and made again counts once.
    let mut there = BTreeSet::new();
    for row in standing() {
        let payload = row.payload.expose();
        let key = ["tglDaftar", "kdPoli"].map(|name| payload[name].as_str().unwrap_or_default());
        if row.delivery.operation == WITHDRAWAL {
            there.remove(&key);
        } else if limit.is_elsewhere(facility, provider(payload)) {
            there.insert(key);
        }
    }
    there.len()
}
