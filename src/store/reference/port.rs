//! The port: each method of the trait is one function of the state.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::watch;

use super::ReferenceStore;
use crate::audit::Entry;
use crate::contract;
use crate::queue::{Delivery, DeliveryId, Mark, State as Stand, SubmissionId};
use crate::secret::Private;
use crate::store::antrean::*;
use crate::store::*;

#[async_trait]
impl Store for ReferenceStore {
    async fn accept(&self, submission: NewSubmission) -> Result<Acceptance, StoreError> {
        self.write(|state| state.accept(&submission))
    }

    async fn find_entry(
        &self,
        client: &str,
        facility: &str,
        reference: &str,
        entry_ref: &str,
    ) -> Result<Option<Prerequisite>, StoreError> {
        self.ask(|state| state.find_entry([client, facility, reference, entry_ref]))
    }

    async fn standing(&self, ask: StandingAsk) -> Result<Standing, StoreError> {
        self.ask(|state| state.standing(&ask))
    }

    async fn provisional_ids(
        &self,
        client: &str,
        delivery: DeliveryId,
        wanted: Vec<(String, NumberForm)>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.write(|state| state.provisional_ids(client, delivery, &wanted))
    }

    async fn provisional(
        &self,
        client: &str,
        facility: &str,
        value: &str,
    ) -> Result<Option<ProvisionalId>, StoreError> {
        self.ask(|state| state.provisional(client, facility, value))
    }

    async fn claim(&self, ask: ClaimAsk) -> Result<Vec<Claimed>, StoreError> {
        self.write_if(|state| state.claim(&ask), |claimed| !claimed.is_empty())
    }

    async fn record(&self, recorded: Recorded) -> Result<Option<Delivery>, StoreError> {
        self.write(|state| state.record(&recorded))
    }

    async fn owners(
        &self,
        facility: &str,
        operation: &str,
        scope: &[String],
        ids: &[String],
    ) -> Result<Vec<Option<DeliveryId>>, StoreError> {
        self.ask(|state| ids.iter().map(|id| state.owner(facility, operation, scope, id)).collect())
    }

    async fn next_due(&self, facility: &str, service: &str) -> Result<Option<Timestamp>, StoreError> {
        self.ask(|state| state.next_due(facility, service))
    }

    async fn act(&self, act: Act) -> Result<Acted, StoreError> {
        self.write(|state| state.act(&act))
    }

    async fn reclaim(&self, now: Timestamp, all: bool, base: Base) -> Result<usize, StoreError> {
        self.write_if(|state| state.reclaim(now, all, &base), |moved| *moved > 0)
    }

    async fn blame(&self, now: Timestamp, base: Base) -> Result<Blamed, StoreError> {
        self.write_if(|state| state.blame(now, &base), |blamed| blamed.suspects > 0)
    }

    async fn blame_opened(&self, ids: Vec<DeliveryId>, now: Timestamp, base: Base) -> Result<Blamed, StoreError> {
        self.write_if(|state| state.blame_opened(&ids, now, &base), |blamed| blamed.suspects > 0)
    }

    async fn expire(&self, now: Timestamp, limit: usize, base: Base) -> Result<usize, StoreError> {
        self.write_if(|state| state.expire(now, limit, &base), |moved| *moved > 0)
    }

    async fn redate(&self, now: Timestamp, redate: Redate) -> Result<usize, StoreError> {
        self.write_if(|state| Ok(state.redate(now, &redate)), |moved| *moved > 0)
    }

    async fn distrust(&self, now: Timestamp, base: Base) -> Result<usize, StoreError> {
        self.write_if(|state| state.distrust(now, &base), |moved| *moved > 0)
    }

    async fn retire(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.write_if(|state| Ok(state.retire(before, limit)), |moved| *moved > 0)
    }

    async fn set_pause(&self, facility: &str, pause: Option<PauseRow>, audit: AuditEntry) -> Result<(), StoreError> {
        self.does(|state| state.set_pause(facility, pause, &audit))
    }

    async fn pauses(&self) -> Result<Vec<PauseRow>, StoreError> {
        self.ask(|state| state.pauses.values().cloned().collect())
    }

    async fn set_lane_stop(&self, facility: &str, service: &str, stop: Option<LaneStop>) -> Result<(), StoreError> {
        self.does(|state| state.set_lane_stop(facility, service, stop))
    }

    async fn lane_stops(&self) -> Result<Vec<LaneStop>, StoreError> {
        self.ask(|state| state.stops.values().cloned().collect())
    }

    async fn set_circuit(&self, row: CircuitRow) -> Result<(), StoreError> {
        self.does(|state| state.circuits.put((row.facility.clone(), row.service.clone()), row))
    }

    async fn circuits(&self) -> Result<Vec<CircuitRow>, StoreError> {
        self.ask(|state| state.circuits.values().cloned().collect())
    }

    async fn change_outage(&self, change: OutageChange) -> Result<OutageRow, StoreError> {
        self.write(|state| state.change_outage(&change))
    }

    async fn outage_spans(&self, limit: usize) -> Result<Vec<OutageRow>, StoreError> {
        self.ask(|state| state.outages(limit, OutageRow::bare))
    }

    async fn outages(&self, limit: usize) -> Result<Vec<OutageRow>, StoreError> {
        self.ask(|state| state.outages(limit, OutageRow::clone))
    }

    async fn plan_outage(&self, plan: OutagePlan, audit: AuditEntry) -> Result<OutagePlan, StoreError> {
        self.write(|state| state.plan_outage(&plan, &audit))
    }

    async fn withdraw_plan(&self, id: i64, audit: AuditEntry) -> Result<Option<OutagePlan>, StoreError> {
        self.write(|state| Ok(state.withdraw_plan(id, &audit)))
    }

    async fn outage_plans(&self, since: Timestamp) -> Result<Vec<OutagePlan>, StoreError> {
        self.ask(|state| state.outage_plans(since))
    }

    async fn outage_effect(&self, id: i64, now: Timestamp) -> Result<Option<OutageEffect>, StoreError> {
        self.ask(|state| state.outage_effect(id, now))
    }

    async fn later_edits(&self, facility: &str, after: Date) -> Result<Vec<JournalRow>, StoreError> {
        self.ask(|state| state.later_edits(facility, after))
    }

    async fn settle(&self, row: Settlement) -> Result<(), StoreError> {
        self.write(|state| state.settle(&row))
    }

    async fn settlements(&self, reconciliation: &str) -> Result<Vec<Settlement>, StoreError> {
        self.ask(|state| {
            state.settlements.values().filter(|row| row.reconciliation == reconciliation).cloned().collect()
        })
    }

    async fn change_days(&self, change: DayChange) -> Result<(), StoreError> {
        self.does(|state| state.change_days(&change))
    }

    async fn days(&self, run: &str) -> Result<Vec<DayRow>, StoreError> {
        self.ask(|state| state.days(run))
    }

    async fn journal(&self, facility: &str, from: Date, to: Date) -> Result<Vec<JournalRow>, StoreError> {
        self.ask(|state| state.journal(facility, from, to))
    }

    async fn journal_of(
        &self,
        facility: &str,
        from: Date,
        to: Date,
        operations: &[&str],
    ) -> Result<Vec<JournalRow>, StoreError> {
        self.ask(|state| state.journal_of(facility, from, to, operations))
    }

    async fn journal_of_patient(
        &self,
        facility: &str,
        card: &Private<String>,
        from: Date,
        to: Date,
        operations: &[&str],
    ) -> Result<Vec<JournalRow>, StoreError> {
        self.ask(|state| state.journal_of_patient(facility, card.expose(), [from, to], operations))
    }

    async fn put_reconciliation(&self, row: ReconciliationRow) -> Result<(), StoreError> {
        self.write(|state| state.put_reconciliation(&row))
    }

    async fn reconciliations(
        &self,
        facility: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ReconciliationRow>, StoreError> {
        self.ask(|state| state.reconciliations(facility, limit))
    }

    async fn reconciliation(&self, id: &str) -> Result<Option<ReconciliationRow>, StoreError> {
        self.ask(|state| state.reconciliations.get(&id.to_owned()).cloned())
    }

    async fn keep_rows(&self, rows: NewRows) -> Result<(), StoreError> {
        self.write(|state| state.keep_rows(&rows))
    }

    async fn kept_list(&self, list: &ListName) -> Result<Option<KeptList>, StoreError> {
        self.ask(|state| state.kept_list(list))
    }

    async fn kept_lists(&self, facility: Option<&str>) -> Result<Vec<ListSummary>, StoreError> {
        self.ask(|state| state.kept_lists(facility))
    }

    async fn keep_member(&self, member: MemberName, kept: Option<KeptMember>) -> Result<(), StoreError> {
        self.write(|state| state.keep_member(&member, kept))
    }

    async fn kept_member(&self, member: &MemberName) -> Result<Option<KeptMember>, StoreError> {
        self.ask(|state| state.kept_member(member))
    }

    async fn kept_totals(&self) -> Result<Vec<KeptTotals>, StoreError> {
        self.ask(|state| state.kept_totals())
    }

    async fn prune_kept(&self, limits: KeepLimits) -> Result<u64, StoreError> {
        self.write(|state| Ok(state.prune_kept(&limits)))
    }

    async fn clear_kept(&self, facility: &str, audit: AuditEntry) -> Result<u64, StoreError> {
        self.write(|state| Ok(state.clear_kept(facility, &audit)))
    }

    async fn record_event(&self, event: contract::Event) -> Result<contract::Event, StoreError> {
        self.write(|state| state.record_event(&event))
    }

    async fn events(&self) -> Result<Vec<contract::Event>, StoreError> {
        self.ask(|state| state.events.values().cloned().collect())
    }

    async fn mark_done(&self, done: contract::Done) -> Result<contract::Done, StoreError> {
        self.write(|state| Ok(state.mark_done(&done)))
    }

    async fn marks(&self) -> Result<Vec<contract::Done>, StoreError> {
        self.ask(|state| state.marks.values().cloned().collect())
    }

    async fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionRow>, StoreError> {
        self.ask(|state| state.submission(id))
    }

    async fn submissions(
        &self,
        facilities: &[String],
        reference: Option<&str>,
        state_of: Option<Stand>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page<SubmissionRow>, StoreError> {
        self.ask(|state| state.submissions(facilities, reference, state_of, after, limit))
    }

    async fn deliveries_of(&self, id: SubmissionId) -> Result<Vec<Delivery>, StoreError> {
        self.ask(|state| state.deliveries_of(id))
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.ask(|state| state.entry(id).map(|entry| entry.delivery.clone()))
    }

    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Page<Delivery>, StoreError> {
        self.ask(|state| state.deliveries(&filter))
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
        self.ask(|state| state.attempts(id))
    }

    async fn entry_body(&self, id: DeliveryId) -> Result<Option<EntryBody>, StoreError> {
        self.ask(|state| state.entry_body(id))
    }

    async fn changes(&self, facilities: &[String], cursor: i64, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.ask(|state| state.changes(facilities, cursor, limit))
    }

    async fn marked(&self, facility: &str, mark: Mark, from: Date, to: Date) -> Result<Vec<JournalRow>, StoreError> {
        self.ask(|state| state.marked(facility, mark, from, to))
    }

    async fn client_counts(&self, facility: &str, from: Date, to: Date) -> Result<Vec<ClientCount>, StoreError> {
        self.ask(|state| state.client_counts(facility, from, to))
    }

    async fn totals(&self, now: Timestamp) -> Result<Totals, StoreError> {
        self.ask(|state| state.totals(now))
    }

    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<LaneLoad>, StoreError> {
        self.ask(|state| state.load(since, limit))
    }

    async fn audit(&self, after: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.ask(|state| state.log.values().filter(|entry| entry.seq > after).take(limit).cloned().collect())
    }

    async fn audit_head(&self) -> Result<Option<Entry>, StoreError> {
        self.ask(|state| state.log.values().next_back().cloned())
    }

    async fn log(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.does(|state| state.add_log(&entry))
    }

    fn wake_ups(&self) -> watch::Receiver<u64> {
        self.wake.listen()
    }

    fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.fatal.subscribe()
    }

    fn concerns(&self) -> Vec<String> {
        Vec::new()
    }

    /// There is nobody that could stall.
    fn on_turn(&self, tell: Tell) {
        drop(tell);
    }

    /// A claim in memory does not outlive its process.
    fn leave_trail(&self, trail: Arc<dyn Trail>) {
        drop(trail);
    }

    /// There is no writer that could be stopped.
    fn close(&self) {}
}

#[async_trait]
impl AntreanStore for ReferenceStore {
    async fn set_sessions(&self, facility: &str, days: Vec<Date>, sessions: Vec<Session>) -> Result<i64, StoreError> {
        self.write(|state| state.set_sessions(facility, &days, &sessions))
    }

    async fn queues(&self, facility: &str, poli: Option<&str>, from: Date, to: Date) -> Result<Vec<Queue>, StoreError> {
        self.ask(|state| state.queues(facility, poli, from, to))
    }

    async fn poli_known(&self, facility: &str, poli: &str) -> Result<bool, StoreError> {
        self.ask(|state| state.poli_known(facility, poli))
    }

    async fn book(&self, ask: BookAsk) -> Result<Booked, StoreError> {
        self.write(|state| state.book(&ask))
    }

    async fn place(
        &self,
        facility: &str,
        card: Private<String>,
        poli: &str,
        day: Date,
    ) -> Result<Option<Place>, StoreError> {
        self.ask(|state| state.place(facility, card.expose(), poli, day))
    }

    async fn withdraw(
        &self,
        facility: &str,
        card: Private<String>,
        poli: &str,
        day: Date,
        reason: Option<Private<String>>,
        now: Timestamp,
    ) -> Result<Withdrawn, StoreError> {
        self.write(|state| Ok(state.withdraw(facility, card.expose(), poli, day, reason.as_ref(), now)))
    }

    async fn move_booking(&self, ask: MoveAsk) -> Result<Moved, StoreError> {
        self.write(|state| Ok(state.move_booking(&ask)))
    }

    async fn call_number(&self, ask: CallAsk) -> Result<CallDone, StoreError> {
        self.write(|state| Ok(state.call_number(&ask)))
    }

    async fn booking(&self, id: &str) -> Result<Option<Booking>, StoreError> {
        self.ask(|state| state.booking(id))
    }

    async fn bookings(&self, filter: BookingFilter) -> Result<Page<Booking>, StoreError> {
        self.ask(|state| state.bookings(&filter))
    }

    async fn put_patients(&self, facility: &str, patients: Vec<KnownPatient>) -> Result<(), StoreError> {
        self.does(|state| state.put_patients(facility, &patients))
    }

    async fn register(&self, new: NewRegistration) -> Result<Registered, StoreError> {
        self.write(|state| state.register(&new))
    }

    async fn answer_registration(
        &self,
        id: &str,
        answer: Result<Private<String>, Private<String>>,
        now: Timestamp,
    ) -> Result<Option<Registration>, StoreError> {
        self.write(|state| Ok(state.answer_registration(id, &answer, now)))
    }

    async fn registration(&self, id: &str) -> Result<Option<Registration>, StoreError> {
        self.ask(|state| state.registration(id))
    }

    async fn registrations(
        &self,
        facilities: &[String],
        wanted: Option<RegistrationState>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page<Registration>, StoreError> {
        self.ask(|state| state.registrations(facilities, wanted, after, limit))
    }

    async fn feed(
        &self,
        facilities: &[String],
        kinds: FeedKinds,
        cursor: i64,
        limit: usize,
    ) -> Result<Vec<FeedRow>, StoreError> {
        self.ask(|state| state.feed(facilities, kinds, cursor, limit))
    }

    async fn booking_counts(&self, days: Vec<(String, Date)>) -> Result<Vec<BookingCount>, StoreError> {
        self.ask(|state| state.booking_counts(&days))
    }

    async fn retire_antrean(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.write_if(|state| Ok(state.retire_antrean(before, limit)), |moved| *moved > 0)
    }
}
