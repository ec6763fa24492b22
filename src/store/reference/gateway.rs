//! The gateway's keys: generations, what was released, provisional numbers.

use sha2::{Digest, Sha256};

use super::state::{Entry, State};
use crate::catalogue::Kind;
use crate::queue::DeliveryId;
use crate::store::{NumberForm, ProvisionalId, Standing, StandingAsk, StoreError};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TRIES: u32 = 50;

/// A digest from which nothing can be read, for numbers and names that go outside.
fn digest(parts: &[&str]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().to_vec()
}

impl State {
    fn client_of(&self, entry: &Entry) -> Option<&str> {
        let of = self.submissions.values().find(|kept| kept.row.id == entry.delivery.submission);
        of.map(|kept| kept.row.client.as_str())
    }

    pub(super) fn standing(&self, ask: &StandingAsk) -> Standing {
        let mut parts = vec![ask.client.as_str(), &ask.facility, &ask.operation];
        parts.extend(ask.key.expose().iter().map(String::as_str));
        let name: String = digest(&parts).iter().map(|byte| format!("{byte:02x}")).collect();
        let reference = format!("ws-{name}");
        let own = self.submissions.values().rev().find_map(|kept| {
            let generation = kept.row.reference.strip_prefix(&reference)?.strip_prefix('-')?.parse().ok();
            let same = kept.row.client == ask.client && kept.row.facility == ask.facility;
            same.then_some((kept.row.id, generation.unwrap_or(1)))
        });
        let generation = own.map_or(0, |(_, generation)| generation);
        let by_key = own.and_then(|(id, _)| self.entries.values().find(|entry| entry.delivery.submission == id));
        let by_nature = ask.natural.as_ref().and_then(|natural| {
            self.entries.values().rfind(|entry| {
                entry.natural_key.as_ref() == Some(natural.expose())
                    && entry.delivery.facility == ask.facility
                    && entry.delivery.operation == ask.operation
                    && self.client_of(entry) == Some(&ask.client)
            })
        });
        let latest = by_key.into_iter().chain(by_nature).max_by_key(|entry| entry.delivery.seq);
        Standing {
            reference,
            generation,
            latest: latest.map(|entry| entry.delivery.clone()),
            released: latest.is_some_and(|entry| entry.released),
            superseded: latest.is_some_and(|entry| self.is_superseded(&ask.client, entry)),
        }
    }

    /// Whether a later edit of the same lane, or a later add of what a delete deletes, came from the same client.
    fn is_superseded(&self, client: &str, latest: &Entry) -> bool {
        let operation = self.catalogue.operation(&latest.delivery.operation);
        let by = operation.and_then(|operation| match operation.kind {
            Kind::Edit => Some(operation.name.clone()),
            Kind::Delete => operation.releases.clone(),
            Kind::Add | Kind::Read => None,
        });
        self.entries.values().any(|other| {
            other.delivery.lane == latest.delivery.lane
                && other.delivery.seq > latest.delivery.seq
                && by.as_ref() == Some(&other.delivery.operation)
                && self.client_of(other) == Some(client)
        })
    }

    pub(super) fn provisional_ids(
        &mut self,
        client: &str,
        delivery: DeliveryId,
        wanted: &[(String, NumberForm)],
    ) -> Result<Vec<(String, String)>, StoreError> {
        let Some(entry) = self.entry(delivery) else { return Ok(Vec::new()) };
        let facility = entry.delivery.facility.clone();
        let mut numbers = Vec::new();
        for (name, form) in wanted {
            let same = (delivery, name.clone());
            let there = self.provisional.iter().find(|(_, stands_for)| **stands_for == same);
            let there = there.map(|((_, _, value), _)| value.clone());
            let value = match there {
                Some(value) => value,
                None => self.new_number(client, &facility, same, *form)?,
            };
            numbers.push((name.clone(), value));
        }
        Ok(numbers)
    }

    fn new_number(
        &mut self,
        client: &str,
        facility: &str,
        stands_for: (DeliveryId, String),
        form: NumberForm,
    ) -> Result<String, StoreError> {
        for attempt in 0..TRIES {
            let chance = digest(&[&stands_for.0.to_string(), &stands_for.1, &attempt.to_string()]);
            let letters = chance.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
            let tail: String = letters.take(form.tail).map(|letter| char::from(*letter)).collect();
            let value = format!("{}{tail}", form.prefix);
            let key = (client.to_owned(), facility.to_owned(), value.clone());
            if !self.provisional.has(&key) {
                self.provisional.put(key, stands_for);
                return Ok(value);
            }
        }
        Err(StoreError::Database(format!("no free provisional number for {}", stands_for.1)))
    }

    pub(super) fn provisional(&self, client: &str, facility: &str, value: &str) -> Option<ProvisionalId> {
        let key = (client.to_owned(), facility.to_owned(), value.to_owned());
        let (delivery, name) = self.provisional.get(&key)?.clone();
        let delivery = self.entry(delivery)?.delivery.clone();
        let submission = self.submission(delivery.submission)?;
        let reference = format!("{}/{}", submission.reference, delivery.entry_ref);
        Some(ProvisionalId { name, delivery, reference })
    }
}
