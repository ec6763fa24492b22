//! The desk the cases work at: short words for accepting, claiming, ending and acting.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use crate::catalogue::{Refusal, RemoteIds, Who};
use crate::chance::Chance;
use crate::contract::Deadline;
use crate::queue::transition::Event;
use crate::queue::{BootId, Delivery, DeliveryId, Finding, Outcome, State, SubmissionId};
use crate::secret::Private;
use crate::store::*;

pub(crate) const FACILITY: &str = "0114A026";
pub(crate) const CARD: &str = "0009900000000";
pub(crate) const DAFTAR: &str = "pcare.pendaftaran.add";
pub(crate) const KUNJUNGAN: &str = "pcare.kunjungan.add";
pub(crate) const OBAT: &str = "pcare.obat.add";
pub(crate) const EDIT: &str = "pcare.kunjungan.edit";

pub(crate) type Key = (String, Vec<String>, String);

/// `seconds` after the beginning of every case.
pub(crate) fn at(seconds: i64) -> Timestamp {
    "2026-11-21T01:00:00Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(seconds)
}

pub(crate) fn day(number: i8) -> Date {
    jiff::civil::date(2026, 11, number)
}

/// A store under test, with its chance and its present.
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) chance: Chance,
    pub(crate) boot: u8,
}

impl Desk {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, chance: Chance::seeded(7), boot: 1 }
    }

    pub(crate) fn base(&self) -> Base {
        let boot = BootId::new(at(0), &[self.boot; 10]);
        Base { boot, settle: Some(Duration::from_secs(60)), chance: 1.0, others_pass: true }
    }

    pub(crate) fn id(&self) -> DeliveryId {
        DeliveryId::new(at(0), &self.chance.ten())
    }

    /// An entry of the patient [`CARD`], due and dated today.
    pub(crate) fn entry(&self, name: &str, operation: &str) -> NewEntry {
        NewEntry {
            id: self.id(),
            position: 0,
            entry_ref: name.to_owned(),
            operation: operation.to_owned(),
            service: "pcare".to_owned(),
            payload: Private::new(json!({ "noKartu": CARD, "keluhan": "batuk SITI CONTOH", "noKunjungan": null })),
            occurred_at: None,
            service_date: Some(day(21)),
            deadline: Deadline { rule: "entry.immediate".to_owned(), ..Deadline::default() },
            due_at: at(0),
            no_kartu: Some(Private::new(CARD.to_owned())),
            about: None,
            natural_key: None,
            mark: None,
            after: Vec::new(),
        }
    }

    pub(crate) fn submission(&self, reference: &str, entries: Vec<NewEntry>) -> NewSubmission {
        NewSubmission {
            id: SubmissionId::new(at(0), &self.chance.ten()),
            client: "sim".to_owned(),
            facility: FACILITY.to_owned(),
            reference: reference.to_owned(),
            canonical: Private::new(format!("{{\"ref\":\"{reference}\"}}")),
            patient: Some(Private::new(json!({ "noKartu": CARD, "nama": "SITI CONTOH" }))),
            accepted_at: at(0),
            warnings: vec!["jam di depan".to_owned()],
            approval: false,
            entries: entries.into_iter().enumerate().map(|(position, entry)| NewEntry { position, ..entry }).collect(),
        }
    }

    /// Accepts entries that must be new; their ids in order.
    pub(crate) async fn accept(&self, reference: &str, entries: Vec<NewEntry>) -> Vec<DeliveryId> {
        let ids = entries.iter().map(|entry| entry.id).collect();
        let accepted = self.store.accept(self.submission(reference, entries)).await.unwrap();
        assert!(matches!(accepted, Acceptance::New(_)), "{accepted:?}");
        ids
    }

    /// One entry of a patient of its own.
    pub(crate) async fn accept_one(&self, reference: &str, operation: &str, card: &str) -> DeliveryId {
        let entry = NewEntry { no_kartu: Some(Private::new(card.to_owned())), ..self.entry("a", operation) };
        self.accept(reference, vec![entry]).await[0]
    }

    pub(crate) fn ask(&self, now: i64) -> ClaimAsk {
        ClaimAsk {
            facility: FACILITY.to_owned(),
            service: "pcare".to_owned(),
            limit: 1000,
            now: at(now),
            lease_until: at(now + 60),
            credential_version: 3,
            base: self.base(),
        }
    }

    pub(crate) async fn claim(&self, now: i64) -> Vec<Claimed> {
        self.store.claim(self.ask(now)).await.unwrap()
    }

    /// Claims, and expects exactly this one.
    pub(crate) async fn claim_only(&self, id: DeliveryId, now: i64) -> Claimed {
        let mut claimed = self.claim(now).await;
        let ids: Vec<DeliveryId> = claimed.iter().map(|claimed| claimed.delivery.id).collect();
        assert_eq!(ids, [id]);
        claimed.remove(0)
    }

    pub(crate) fn recorded(&self, claimed: &Claimed, event: Event, now: i64) -> Recorded {
        let end = AttemptEnd { outcome: "tested".to_owned(), ..AttemptEnd::default() };
        let (id, token, attempt) = (claimed.delivery.id, claimed.token, claimed.attempt);
        Recorded { id, token, attempt, event, now: at(now), base: self.base(), end }
    }

    pub(crate) async fn end(&self, claimed: &Claimed, outcome: Outcome, now: i64) -> Delivery {
        self.store.record(self.recorded(claimed, Event::Ended(outcome), now)).await.unwrap().expect("lease held")
    }

    pub(crate) async fn look(&self, claimed: &Claimed, finding: Finding, now: i64) -> Delivery {
        let event = Event::Looked { finding, begun: at(now) };
        self.store.record(self.recorded(claimed, event, now)).await.unwrap().expect("lease held")
    }

    /// Claims the one that is due and ends it so.
    pub(crate) async fn send_only(&self, id: DeliveryId, outcome: Outcome, now: i64) -> Delivery {
        let claimed = self.claim_only(id, now).await;
        self.end(&claimed, outcome, now).await
    }

    pub(crate) fn doing(&self, id: DeliveryId, event: Event, now: i64) -> Act {
        let audit = AuditEntry {
            at: at(now),
            actor: "operator".to_owned(),
            action: "delivery.act".to_owned(),
            object: id.to_string(),
            detail: "alasan".to_owned(),
        };
        Act { id, event, payload: None, owns: None, now: at(now), base: self.base(), audit }
    }

    pub(crate) async fn act(&self, id: DeliveryId, event: Event, now: i64) -> Delivery {
        match self.store.act(self.doing(id, event, now)).await.unwrap() {
            Acted::Done(delivery) => *delivery,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn get(&self, id: DeliveryId) -> Delivery {
        self.store.delivery(id).await.unwrap().expect("it is there")
    }

    pub(crate) async fn state(&self, id: DeliveryId) -> State {
        self.get(id).await.progress.state
    }

    /// State and `why.code`.
    pub(crate) async fn stand(&self, id: DeliveryId) -> (State, String) {
        let progress = self.get(id).await.progress;
        (progress.state, progress.why.map(|why| why.code).unwrap_or_default())
    }

    /// What it waits for.
    pub(crate) async fn blocked(&self, id: DeliveryId) -> Option<(&'static str, DeliveryId)> {
        self.get(id).await.progress.blocked.map(|blocked| (blocked.kind.word(), blocked.id))
    }

    /// Counts agree with the rows themselves, by state and how.
    pub(crate) async fn check_tally(&self) {
        let all = DeliveryFilter { limit: 100_000, ..DeliveryFilter::default() };
        let rows = self.store.deliveries(all).await.unwrap().items;
        let totals = self.store.totals(at(0)).await.unwrap();
        let sum: i64 = totals.counts.iter().map(|counts| counts.count).sum();
        assert_eq!(usize::try_from(sum).unwrap(), rows.len());
        for counts in totals.counts {
            let same = |d: &&Delivery| {
                d.facility == counts.facility && d.progress.state == counts.state && d.progress.how == counts.how
            };
            let counted = rows.iter().filter(same).count();
            assert_eq!(usize::try_from(counts.count).unwrap(), counted, "{} {:?}", counts.state, counts.how);
        }
    }
}

pub(crate) fn ids(name: &str, id: &str) -> Private<RemoteIds> {
    Private::new(RemoteIds::from([(name.to_owned(), id.to_owned())]))
}

pub(crate) fn accepted(name: &str, id: &str) -> Outcome {
    Outcome::Accepted(ids(name, id))
}

pub(crate) fn refusal(rule: &str) -> Refusal {
    Refusal {
        code: 412,
        message: Private::new("noKartu SITI CONTOH".to_owned()),
        rule: rule.to_owned(),
        meaning: "artinya".to_owned(),
        who: Who::Registration,
        next: "lalu".to_owned(),
    }
}

pub(crate) fn refused() -> Outcome {
    Outcome::Refused(refusal("precondition"))
}

pub(crate) fn no_answer() -> Outcome {
    Outcome::NoAnswer { after: Duration::from_secs(30) }
}

pub(crate) fn cancel() -> Event {
    Event::Cancel { reason: "batal".to_owned() }
}

pub(crate) fn hold() -> Event {
    Event::Hold { reason: "tunggu".to_owned() }
}
