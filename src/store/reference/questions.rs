//! Questions about the queue: listings, feeds, journals, counts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::queue::{rank, turn};
use super::state::{Changed, Entry, State};
use crate::queue::{Delivery, DeliveryId, Mark, State as Stand, SubmissionId};
use crate::secret::Private;
use crate::store::antrean::{FeedItem, FeedKinds, FeedRow};
use crate::store::{
    AttemptRecord, Change, ClientCount, Counts, DeliveryFilter, EntryBody, JournalRow, LaneLoad, Page, Prerequisite,
    QueuedRow, SubmissionRow, Totals,
};

/// The first `limit` rows behind `after`, and where to go on if there are more.
pub(super) fn page<T>(rows: impl Iterator<Item = T>, seq: fn(&T) -> i64, after: Option<i64>, limit: usize) -> Page<T> {
    let mut rows = rows.filter(|row| after.is_none_or(|after| seq(row) > after));
    let items: Vec<T> = rows.by_ref().take(limit).collect();
    let more = rows.next().is_some();
    let next = items.last().map(seq).filter(|_| more);
    Page { items, next }
}

/// Whether a place is among those asked for; none asked for: all are.
pub(super) fn among(asked: &[String], place: &str) -> bool {
    asked.is_empty() || asked.iter().any(|one| one == place)
}

/// Whether a text fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            let starts = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
            starts.filter_map(|at| tail.get(at..)).any(|tail| fits(rest, tail))
        }),
    }
}

impl State {
    fn deliveries_where(&self, fits: impl Fn(&Delivery) -> bool) -> impl Iterator<Item = &Delivery> {
        self.entries.values().map(|entry| &entry.delivery).filter(move |delivery| fits(delivery))
    }

    pub(super) fn submission(&self, id: SubmissionId) -> Option<SubmissionRow> {
        self.submissions.values().find(|kept| kept.row.id == id).map(|kept| kept.row.clone())
    }

    pub(super) fn submissions(
        &self,
        facilities: &[String],
        reference: Option<&str>,
        state: Option<Stand>,
        after: Option<i64>,
        limit: usize,
    ) -> Page<SubmissionRow> {
        let has = |id: SubmissionId, state| {
            self.deliveries_where(|delivery| delivery.submission == id && delivery.progress.state == state)
                .next()
                .is_some()
        };
        let wanted = self.submissions.values().map(|kept| &kept.row).filter(|row| {
            among(facilities, &row.facility)
                && reference.is_none_or(|reference| row.reference == reference)
                && state.is_none_or(|state| has(row.id, state))
        });
        page(wanted.cloned(), |row| row.seq, after, limit)
    }

    pub(super) fn deliveries_of(&self, id: SubmissionId) -> Vec<Delivery> {
        let mut own: Vec<&Entry> = self.entries.values().filter(|entry| entry.delivery.submission == id).collect();
        own.sort_by_key(|entry| entry.position);
        own.into_iter().map(|entry| entry.delivery.clone()).collect()
    }

    pub(super) fn find_entry(&self, [client, facility, reference, name]: [&str; 4]) -> Option<Prerequisite> {
        let is_it =
            |row: &&SubmissionRow| row.client == client && row.facility == facility && row.reference == reference;
        let submission = self.submissions.values().map(|kept| &kept.row).find(is_it)?;
        let own = |delivery: &Delivery| delivery.submission == submission.id && delivery.entry_ref == name;
        let found = self.deliveries_where(own).next()?;
        Some(Prerequisite { id: found.id, operation: found.operation.clone(), service_date: found.service_date })
    }

    pub(super) fn deliveries(&self, asked: &DeliveryFilter) -> Page<Delivery> {
        let wanted = self.deliveries_where(|delivery| {
            let progress = &delivery.progress;
            let why = progress.why.as_ref().map(|why| &why.code);
            among(&asked.facilities, &delivery.facility)
                && asked.state.is_none_or(|state| progress.state == state)
                && asked.operation.as_ref().is_none_or(|operation| delivery.operation == *operation)
                && asked.why.as_ref().is_none_or(|code| why == Some(code))
                && asked.late.is_none_or(|(late, now)| delivery.is_late(now) == late)
        });
        page(wanted.cloned(), |delivery| delivery.seq, asked.after, asked.limit)
    }

    pub(super) fn attempts(&self, id: DeliveryId) -> Vec<AttemptRecord> {
        let own = self.entry(id).map(|entry| entry.attempts.iter()).into_iter().flatten();
        let told = (1..).zip(own).map(|(number, attempt)| AttemptRecord {
            number,
            purpose: attempt.purpose,
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            credential_version: attempt.credential_version,
            end: attempt.end.clone(),
        });
        told.collect()
    }

    pub(super) fn entry_body(&self, id: DeliveryId) -> Option<EntryBody> {
        let entry = self.entry(id)?;
        let (original, current) = (entry.original.clone()?, entry.payload().cloned()?);
        Some(EntryBody { original: Private::new(original), current: Private::new(current) })
    }

    pub(super) fn changes(&self, facilities: &[String], cursor: i64, limit: usize) -> Vec<Change> {
        let kinds = FeedKinds { deliveries: true, antrean: false };
        let told = self.feed(facilities, kinds, cursor, limit).into_iter().filter_map(|row| match row.what {
            FeedItem::Delivery(delivery) => Some(Change { cursor: row.cursor, at: row.at, delivery: *delivery }),
            FeedItem::Booking(_) | FeedItem::Registration(_) => None,
        });
        told.collect()
    }

    pub(super) fn feed(&self, facilities: &[String], kinds: FeedKinds, cursor: i64, limit: usize) -> Vec<FeedRow> {
        let wanted = self.changes.iter().filter(|(own, row)| {
            let kind = match row.what {
                Changed::Delivery(_) => kinds.deliveries,
                Changed::Booking(_) | Changed::Registration(_) => kinds.antrean,
            };
            kind && **own > cursor && among(facilities, &row.facility)
        });
        let told = wanted.filter_map(|(cursor, row)| {
            let what = match row.what {
                Changed::Delivery(number) => FeedItem::Delivery(Box::new(self.entries.get(&number)?.delivery.clone())),
                Changed::Booking(number) => FeedItem::Booking(Box::new(self.bookings.get(&number)?.0.clone())),
                Changed::Registration(number) => {
                    FeedItem::Registration(Box::new(self.registrations.get(&number)?.0.clone()))
                }
            };
            Some(FeedRow { cursor: *cursor, at: row.at, what })
        });
        told.take(limit).collect()
    }

    // ---- journals -----------------------------------------------------------------------------------------------

    fn journal_where(&self, wanted: impl Fn(&Delivery) -> bool) -> Vec<JournalRow> {
        let rows = self.entries.values().filter(|entry| wanted(&entry.delivery));
        rows.map(|entry| self.journal_row(entry)).collect()
    }

    fn journal_row(&self, entry: &Entry) -> JournalRow {
        let of = self.submissions.values().find(|kept| kept.row.id == entry.delivery.submission);
        let row = of.map(|kept| kept.row.clone());
        let (reference, client) = row.map(|row| (row.reference, row.client)).unwrap_or_default();
        JournalRow {
            delivery: entry.delivery.clone(),
            payload: Private::new(entry.payload().cloned().unwrap_or_default()),
            reference,
            client,
            patient: of.and_then(|kept| kept.patient.clone()).map(Private::new),
            given: self.given(entry),
        }
    }

    pub(super) fn journal(&self, facility: &str, from: Date, to: Date) -> Vec<JournalRow> {
        self.journal_where(|delivery| is_of(delivery, facility, from, to))
    }

    pub(super) fn journal_of(&self, facility: &str, from: Date, to: Date, operations: &[&str]) -> Vec<JournalRow> {
        self.journal_where(|delivery| {
            is_of(delivery, facility, from, to) && operations.iter().any(|one| fits(one, &delivery.operation))
        })
    }

    pub(super) fn journal_of_patient(
        &self,
        facility: &str,
        card: &str,
        [from, to]: [Date; 2],
        operations: &[&str],
    ) -> Vec<JournalRow> {
        let lane = format!("{facility} noKartu {card}");
        self.journal_where(|delivery| {
            is_of(delivery, facility, from, to)
                && *delivery.lane.expose() == lane
                && operations.iter().any(|one| fits(one, &delivery.operation))
        })
    }

    pub(super) fn later_edits(&self, facility: &str, after: Date) -> Vec<JournalRow> {
        self.journal_where(|delivery| {
            delivery.facility == facility
                && delivery.service_date.is_some_and(|day| day > after)
                && delivery.progress.state == Stand::Delivered
                && delivery.operation.ends_with(".edit")
        })
    }

    pub(super) fn marked(&self, facility: &str, mark: Mark, from: Date, to: Date) -> Vec<JournalRow> {
        let mut rows =
            self.journal_where(|delivery| is_of(delivery, facility, from, to) && delivery.mark == Some(mark));
        rows.sort_by_key(|row| (row.delivery.service_date, row.delivery.seq));
        rows
    }

    pub(super) fn client_counts(&self, facility: &str, from: Date, to: Date) -> Vec<ClientCount> {
        let mut counts = BTreeMap::new();
        for row in self.journal(facility, from, to) {
            let progress = row.delivery.progress;
            let why = progress.why.map(|why| why.code);
            let key = (row.client, row.delivery.operation, progress.state.word(), why);
            counts.entry(key).or_insert((progress.state, 0_i64)).1 += 1;
        }
        let told = counts.into_iter().map(|((client, operation, _, why), (state, count))| ClientCount {
            client,
            operation,
            state,
            why,
            count,
        });
        told.collect()
    }

    // ---- counts -------------------------------------------------------------------------------------------------

    fn unfinished(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| !entry.delivery.progress.state.is_final())
    }

    /// When something nobody holds and nothing blocks becomes due.
    fn dues(&self) -> impl Iterator<Item = (&Entry, Timestamp)> {
        let free = self.unfinished().filter(|entry| {
            let progress = &entry.delivery.progress;
            progress.state != Stand::Sending && progress.blocked.is_none() && progress.lease.is_none()
        });
        free.map(|entry| (entry, entry.delivery.progress.due_at))
    }

    pub(super) fn next_due(&self, facility: &str, service: &str) -> Option<Timestamp> {
        let here = self.dues().filter(|(entry, _)| entry.delivery.facility == facility && entry.service == service);
        here.map(|(_, due)| due).min()
    }

    pub(super) fn totals(&self, now: Timestamp) -> Totals {
        let mut counts = BTreeMap::new();
        for entry in self.entries.values() {
            let (facility, progress) = (entry.delivery.facility.clone(), &entry.delivery.progress);
            let how = progress.how.map(|how| how.word());
            let key = (facility, entry.service.clone(), progress.state.word(), how);
            counts.entry(key).or_insert((progress.state, progress.how, 0_i64)).2 += 1;
        }
        let counted = counts.into_iter().map(|((facility, service, _, _), (state, how, count))| Counts {
            facility,
            service,
            state,
            how,
            count,
        });
        let dates = || self.unfinished().filter_map(|entry| entry.delivery.deadline.late);
        Totals {
            counts: counted.collect(),
            oldest_unfinished: [Stand::Waiting, Stand::Sending, Stand::Unanswered]
                .into_iter()
                .filter_map(|state| {
                    let of = self.unfinished().filter(|entry| entry.delivery.progress.state == state);
                    of.min_by_key(|entry| entry.delivery.seq).map(|entry| entry.delivery.accepted_at)
                })
                .min(),
            oldest_due: self.dues().map(|(_, due)| due).filter(|due| *due <= now).min(),
            nearest_deadline: dates().filter(|late| *late >= now).min(),
            late: i64::try_from(dates().filter(|late| *late < now).count()).unwrap_or(i64::MAX),
            // Nothing is sealed here, so nothing can be damaged.
            unreadable: 0,
            bytes: 0,
        }
    }

    pub(super) fn load(&self, since: Timestamp, limit: usize) -> Vec<LaneLoad> {
        let mut queue: Vec<&Entry> = self.unfinished().collect();
        queue.sort_by_key(|entry| (turn(&entry.delivery, since), entry.delivery.seq));
        let mut lanes: BTreeMap<(String, String), LaneLoad> = BTreeMap::new();
        for entry in queue.into_iter().take(limit) {
            let (facility, service) = (entry.delivery.facility.clone(), entry.service.clone());
            let lane = lanes.entry((facility.clone(), service.clone()));
            let lane = lane.or_insert_with(|| LaneLoad { facility, service, ..LaneLoad::default() });
            let Delivery { id, seq, deadline, progress, .. } = &entry.delivery;
            let rank = rank(&entry.delivery);
            lane.queue.push(QueuedRow { id: *id, seq: *seq, rank, late: deadline.late, due_at: progress.due_at });
        }
        for entry in self.entries.values() {
            let (delivery, key) = (&entry.delivery, (entry.delivery.facility.clone(), entry.service.clone()));
            if delivery.progress.state == Stand::Delivered
                && delivery.progress.updated_at >= since
                && let Some(lane) = lanes.get_mut(&key)
            {
                lane.delivered += 1;
            }
        }
        lanes.into_values().collect()
    }
}

fn is_of(delivery: &Delivery, facility: &str, from: Date, to: Date) -> bool {
    delivery.facility == facility && delivery.service_date.is_some_and(|day| from <= day && day <= to)
}
