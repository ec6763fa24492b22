//! Every backend is a store: each method is one job in one transaction, and says what it touches.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::watch;

use super::move_on::Walk;
use super::{Backend, Scope};
use crate::contract::{Done, Event};
use crate::queue::{Delivery, DeliveryId, Mark, State, SubmissionId};
use crate::secret::Private;
use crate::store::antrean::{
    AntreanStore, BookAsk, Booked, Booking, BookingCount, BookingFilter, CallAsk, CallDone, FeedKinds, FeedRow,
    KnownPatient, MoveAsk, Moved, NewRegistration, Place, Queue, Registered, Registration, RegistrationState, Session,
    Withdrawn,
};
use crate::store::{
    Acceptance, Act, Acted, AttemptRecord, AuditEntry, Base, Blamed, Change, CircuitRow, ClaimAsk, Claimed,
    ClientCount, DayChange, DayRow, DeliveryFilter, EntryBody, JournalRow, KeepLimits, KeptList, KeptMember,
    KeptTotals, LaneLoad, LaneStop, ListName, ListSummary, MemberName, NewRows, NewSubmission, NodeTurn, Nodes,
    NumberForm, OutageChange, OutageEffect, OutagePlan, OutageRow, OwnerChange, Page, PauseRow, Prerequisite,
    ProvisionalId, ReconciliationRow, Recorded, Redate, Settlement, Standing, StandingAsk, Store, StoreError,
    SubmissionRow, Tell, Totals, Trail,
};

fn scope_of_outage(change: &OutageChange) -> Scope {
    match change {
        OutageChange::Open { facility, .. } => Scope::Facility(facility.clone()),
        OutageChange::Evidence { id, .. } | OutageChange::Close { id, .. } | OutageChange::Classify { id, .. } => {
            Scope::Outage(*id)
        }
    }
}

fn scope_of_days(change: &DayChange) -> Scope {
    match change {
        DayChange::Want { facility, .. } | DayChange::Done { facility, .. } | DayChange::Forget { facility, .. } => {
            Scope::Facility(facility.clone())
        }
    }
}

#[async_trait]
impl<B: Backend> Store for B {
    async fn accept(&self, submission: NewSubmission) -> Result<Acceptance, StoreError> {
        let scope = Scope::Facility(submission.facility.clone());
        self.write(scope, move |tx| tx.accept(&submission)).await
    }

    async fn find_entry(
        &self,
        client: &str,
        facility: &str,
        reference: &str,
        entry_ref: &str,
    ) -> Result<Option<Prerequisite>, StoreError> {
        let key = [client, facility, reference, entry_ref].map(str::to_owned);
        self.read(move |tx| tx.find_entry(&key)).await
    }

    async fn standing(&self, ask: StandingAsk) -> Result<Standing, StoreError> {
        self.read(move |tx| tx.standing(&ask)).await
    }

    async fn provisional_ids(
        &self,
        client: &str,
        delivery: DeliveryId,
        wanted: Vec<(String, NumberForm)>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let client = client.to_owned();
        let scope = Scope::Delivery(delivery);
        self.write(scope, move |tx| tx.provisional_ids(&client, delivery, &wanted)).await
    }

    async fn provisional(
        &self,
        client: &str,
        facility: &str,
        value: &str,
    ) -> Result<Option<ProvisionalId>, StoreError> {
        let key = [client, facility, value].map(str::to_owned);
        self.read(move |tx| tx.provisional(&key)).await
    }

    async fn claim(&self, ask: ClaimAsk) -> Result<Vec<Claimed>, StoreError> {
        let scope = Scope::Facility(ask.facility.clone());
        match self.me() {
            None => self.write(scope, move |tx| tx.claim(&ask)).await,
            Some(me) => self.write(scope, move |tx| tx.claim_as(&me, ask)).await,
        }
    }

    async fn record(&self, recorded: Recorded) -> Result<Option<Delivery>, StoreError> {
        let scope = Scope::Delivery(recorded.id);
        self.write(scope, move |tx| tx.record(&recorded)).await
    }

    async fn owners(
        &self,
        facility: &str,
        operation: &str,
        scope: &[String],
        ids: &[String],
    ) -> Result<Vec<Option<DeliveryId>>, StoreError> {
        let (facility, operation) = (facility.to_owned(), operation.to_owned());
        let (scope, ids) = (scope.to_vec(), ids.to_vec());
        self.read(move |tx| ids.iter().map(|id| tx.owner(&facility, &operation, &scope, id)).collect()).await
    }

    async fn next_due(&self, facility: &str, service: &str) -> Result<Option<Timestamp>, StoreError> {
        let (facility, service) = (facility.to_owned(), service.to_owned());
        self.glance(move |tx| tx.next_due(&facility, &service)).await
    }

    async fn act(&self, act: Act) -> Result<Acted, StoreError> {
        let scope = Scope::Delivery(act.id);
        self.write(scope, move |tx| tx.act(&act)).await
    }

    async fn reclaim(&self, now: Timestamp, all: bool, base: Base) -> Result<usize, StoreError> {
        let Some(me) = self.me() else {
            // Where several write at once this one stops them all: only if there is a reason.
            if !self.read(move |tx| tx.is_any_lost(now, all)).await? {
                return Ok(0);
            }
            return self.write(Scope::Everything, move |tx| tx.reclaim(now, all, &base)).await;
        };
        let asks = me.clone();
        let facilities = self.read(move |tx| tx.lost_facilities(&asks, all)).await?;
        let mut lost = 0;
        for facility in facilities {
            let me = me.clone();
            let scope = Scope::Facility(facility.clone());
            lost += self.write(scope, move |tx| tx.reclaim_as(&me, &facility, now, all, &base)).await?;
        }
        Ok(lost)
    }

    async fn blame(&self, now: Timestamp, base: Base) -> Result<Blamed, StoreError> {
        if !self.read(move |tx| tx.is_any_lost(now, true)).await? {
            return Ok(Blamed::default());
        }
        let Some(me) = self.me() else {
            return self.write(Scope::Everything, move |tx| tx.blame(now, &base)).await;
        };
        let asks = me.clone();
        let mut blamed = Blamed::default();
        for facility in self.read(move |tx| tx.own_facilities(&asks)).await? {
            let (me, scope) = (me.clone(), Scope::Facility(facility.clone()));
            blamed.add(self.write(scope, move |tx| tx.blame_as(&me, &facility, now, &base)).await?);
        }
        Ok(blamed)
    }

    async fn blame_opened(&self, ids: Vec<DeliveryId>, now: Timestamp, base: Base) -> Result<Blamed, StoreError> {
        let mut blamed = Blamed::default();
        for id in ids {
            blamed.add(self.write(Scope::Delivery(id), move |tx| tx.blame_opened(id, now, &base)).await?);
        }
        Ok(blamed)
    }

    async fn expire(&self, now: Timestamp, limit: usize, base: Base) -> Result<usize, StoreError> {
        if !self.read(move |tx| tx.is_any_overdue(now)).await? {
            return Ok(0);
        }
        let scope = Scope::Everything;
        self.write(scope, move |tx| tx.expire(now, limit, &base)).await
    }

    async fn redate(&self, now: Timestamp, redate: Redate) -> Result<usize, StoreError> {
        let scope = Scope::Everything;
        self.write(scope, move |tx| tx.redate(now, &redate)).await
    }

    async fn distrust(&self, now: Timestamp, base: Base) -> Result<usize, StoreError> {
        // Some at a time, each in a transaction: the store may be large, and until the last it says that it is not trusted.
        let (mut moved, mut place) = (0, Some(Walk::default()));
        while let Some(from) = place {
            let (some, next) = self.write(Scope::Everything, move |tx| tx.distrust(from, now, &base)).await?;
            moved += some;
            place = next;
        }
        Ok(moved)
    }

    async fn retire(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let scope = Scope::Everything;
        self.write(scope, move |tx| tx.retire(before, limit)).await
    }

    async fn set_pause(&self, facility: &str, pause: Option<PauseRow>, audit: AuditEntry) -> Result<(), StoreError> {
        let facility = facility.to_owned();
        let scope = Scope::of(&facility);
        self.write(scope, move |tx| tx.set_pause(&facility, pause.as_ref(), &audit)).await
    }

    async fn pauses(&self) -> Result<Vec<PauseRow>, StoreError> {
        self.glance(|tx| tx.pauses()).await
    }

    async fn set_lane_stop(&self, facility: &str, service: &str, stop: Option<LaneStop>) -> Result<(), StoreError> {
        let (facility, service) = (facility.to_owned(), service.to_owned());
        let scope = Scope::Facility(facility.clone());
        self.write(scope, move |tx| tx.set_lane_stop(&facility, &service, stop.as_ref())).await
    }

    async fn lane_stops(&self) -> Result<Vec<LaneStop>, StoreError> {
        self.glance(|tx| tx.lane_stops()).await
    }

    async fn set_circuit(&self, row: CircuitRow) -> Result<(), StoreError> {
        let scope = Scope::Facility(row.facility.clone());
        self.write(scope, move |tx| tx.set_circuit(&row)).await
    }

    async fn circuits(&self) -> Result<Vec<CircuitRow>, StoreError> {
        self.glance(|tx| tx.circuits()).await
    }

    async fn change_outage(&self, change: OutageChange) -> Result<OutageRow, StoreError> {
        if matches!(change, OutageChange::Close { .. }) {
            // What ended meanwhile is counted from the feed.
            self.number_feed().await?;
        }
        let scope = scope_of_outage(&change);
        self.write(scope, move |tx| tx.change_outage(&change)).await
    }

    async fn outages(&self, limit: usize) -> Result<Vec<OutageRow>, StoreError> {
        self.read(move |tx| tx.outages(limit)).await
    }

    async fn outage_spans(&self, limit: usize) -> Result<Vec<OutageRow>, StoreError> {
        self.read(move |tx| tx.outage_spans(limit)).await
    }

    async fn plan_outage(&self, plan: OutagePlan, audit: AuditEntry) -> Result<OutagePlan, StoreError> {
        let scope = Scope::of(&plan.facility);
        self.write(scope, move |tx| tx.plan_outage(&plan, &audit)).await
    }

    async fn withdraw_plan(&self, id: i64, audit: AuditEntry) -> Result<Option<OutagePlan>, StoreError> {
        let scope = Scope::Log;
        self.write(scope, move |tx| tx.withdraw_plan(id, &audit)).await
    }

    async fn outage_plans(&self, since: Timestamp) -> Result<Vec<OutagePlan>, StoreError> {
        self.read(move |tx| tx.outage_plans(since)).await
    }

    async fn outage_effect(&self, id: i64, now: Timestamp) -> Result<Option<OutageEffect>, StoreError> {
        self.read(move |tx| tx.outage_effect(id, now)).await
    }

    async fn later_edits(&self, facility: &str, after: Date) -> Result<Vec<JournalRow>, StoreError> {
        let facility = facility.to_owned();
        self.read(move |tx| tx.later_edits(&facility, after)).await
    }

    async fn settle(&self, row: Settlement) -> Result<(), StoreError> {
        let scope = Scope::Log;
        self.write(scope, move |tx| tx.settle(&row)).await
    }

    async fn settlements(&self, reconciliation: &str) -> Result<Vec<Settlement>, StoreError> {
        let id = reconciliation.to_owned();
        self.read(move |tx| tx.settlements(&id)).await
    }

    async fn change_days(&self, change: DayChange) -> Result<(), StoreError> {
        let scope = scope_of_days(&change);
        self.write(scope, move |tx| tx.change_days(&change)).await
    }

    async fn days(&self, run: &str) -> Result<Vec<DayRow>, StoreError> {
        let run = run.to_owned();
        self.read(move |tx| tx.days(&run)).await
    }

    async fn marked(&self, facility: &str, mark: Mark, from: Date, to: Date) -> Result<Vec<JournalRow>, StoreError> {
        let facility = facility.to_owned();
        self.read(move |tx| tx.marked(&facility, mark, from, to)).await
    }

    async fn client_counts(&self, facility: &str, from: Date, to: Date) -> Result<Vec<ClientCount>, StoreError> {
        let facility = facility.to_owned();
        self.read(move |tx| tx.client_counts(&facility, from, to)).await
    }

    async fn journal_of(
        &self,
        facility: &str,
        from: Date,
        to: Date,
        operations: &[&str],
    ) -> Result<Vec<JournalRow>, StoreError> {
        let (facility, operations) = (facility.to_owned(), operations.iter().map(|&own| own.to_owned()).collect());
        let operations: Vec<String> = operations;
        self.read(move |tx| tx.journal_of(&facility, from, to, &operations)).await
    }

    async fn journal_of_patient(
        &self,
        facility: &str,
        card: &Private<String>,
        from: Date,
        to: Date,
        operations: &[&str],
    ) -> Result<Vec<JournalRow>, StoreError> {
        let (facility, card) = (facility.to_owned(), card.clone());
        let operations: Vec<String> = operations.iter().map(|&own| own.to_owned()).collect();
        self.read(move |tx| tx.journal_of_patient(&facility, card.expose(), [from, to], &operations)).await
    }

    async fn journal(&self, facility: &str, from: Date, to: Date) -> Result<Vec<JournalRow>, StoreError> {
        let facility = facility.to_owned();
        self.read(move |tx| tx.journal(&facility, from, to)).await
    }

    async fn put_reconciliation(&self, row: ReconciliationRow) -> Result<(), StoreError> {
        let scope = Scope::Facility(row.facility.clone());
        self.write(scope, move |tx| tx.put_reconciliation(&row)).await
    }

    async fn reconciliations(
        &self,
        facility: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ReconciliationRow>, StoreError> {
        let facility = facility.map(str::to_owned);
        self.read(move |tx| tx.reconciliations(facility.as_deref(), limit)).await
    }

    async fn reconciliation(&self, id: &str) -> Result<Option<ReconciliationRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| tx.reconciliation(&id)).await
    }

    async fn keep_rows(&self, rows: NewRows) -> Result<(), StoreError> {
        let scope = Scope::Facility(rows.list.facility.clone());
        self.write(scope, move |tx| tx.keep_rows(&rows)).await
    }

    async fn kept_list(&self, list: &ListName) -> Result<Option<KeptList>, StoreError> {
        let list = list.clone();
        self.read(move |tx| tx.kept_list(&list)).await
    }

    async fn kept_lists(&self, facility: Option<&str>) -> Result<Vec<ListSummary>, StoreError> {
        let facility = facility.map(str::to_owned);
        self.read(move |tx| tx.kept_lists(facility.as_deref())).await
    }

    async fn keep_member(&self, member: MemberName, kept: Option<KeptMember>) -> Result<(), StoreError> {
        let scope = Scope::Facility(member.facility.clone());
        self.write(scope, move |tx| tx.keep_member(&member, kept.as_ref())).await
    }

    async fn kept_member(&self, member: &MemberName) -> Result<Option<KeptMember>, StoreError> {
        let member = member.clone();
        self.read(move |tx| tx.kept_member(&member)).await
    }

    async fn kept_totals(&self) -> Result<Vec<KeptTotals>, StoreError> {
        self.read(|tx| tx.kept_totals()).await
    }

    async fn prune_kept(&self, limits: KeepLimits) -> Result<u64, StoreError> {
        let scope = Scope::Everything;
        self.write(scope, move |tx| tx.prune_kept(&limits)).await
    }

    async fn clear_kept(&self, facility: &str, audit: AuditEntry) -> Result<u64, StoreError> {
        let facility = facility.to_owned();
        let scope = Scope::Facility(facility.clone());
        self.write(scope, move |tx| tx.clear_kept(&facility, &audit)).await
    }

    async fn record_event(&self, event: Event) -> Result<Event, StoreError> {
        let scope = Scope::of(&event.facility);
        self.write(scope, move |tx| tx.record_event(&event)).await
    }

    async fn events(&self) -> Result<Vec<Event>, StoreError> {
        self.read(|tx| tx.events()).await
    }

    async fn mark_done(&self, done: Done) -> Result<Done, StoreError> {
        let scope = Scope::Log;
        self.write(scope, move |tx| tx.mark_done(&done)).await
    }

    async fn marks(&self) -> Result<Vec<Done>, StoreError> {
        self.read(|tx| tx.marks()).await
    }

    async fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionRow>, StoreError> {
        self.read(move |tx| tx.submission(id)).await
    }

    async fn submissions(
        &self,
        facilities: &[String],
        reference: Option<&str>,
        state: Option<State>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page<SubmissionRow>, StoreError> {
        let (facilities, reference) = (facilities.to_vec(), reference.map(str::to_owned));
        self.read(move |tx| tx.submissions(&facilities, reference.as_deref(), state, after, limit)).await
    }

    async fn deliveries_of(&self, id: SubmissionId) -> Result<Vec<Delivery>, StoreError> {
        self.glance(move |tx| tx.deliveries_of(id)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.read(move |tx| tx.delivery(id)).await
    }

    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Page<Delivery>, StoreError> {
        self.read(move |tx| tx.deliveries(&filter)).await
    }

    async fn attempts(&self, id: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
        self.read(move |tx| tx.attempts(id)).await
    }

    async fn entry_body(&self, id: DeliveryId) -> Result<Option<EntryBody>, StoreError> {
        self.read(move |tx| tx.entry_body(id)).await
    }

    async fn changes(&self, facilities: &[String], cursor: i64, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.number_feed().await?;
        let facilities = facilities.to_vec();
        self.read(move |tx| tx.changes(&facilities, cursor, limit)).await
    }

    async fn totals(&self, now: Timestamp) -> Result<Totals, StoreError> {
        let totals = self.read(move |tx| tx.totals(now)).await?;
        Ok(Totals { bytes: self.bytes().await?, ..totals })
    }

    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<LaneLoad>, StoreError> {
        self.number_feed().await?;
        self.read(move |tx| tx.load(since, limit)).await
    }

    async fn audit(&self, after: i64, limit: usize) -> Result<Vec<crate::audit::Entry>, StoreError> {
        self.read(move |tx| tx.audit_rows(after, limit)).await
    }

    async fn audit_head(&self) -> Result<Option<crate::audit::Entry>, StoreError> {
        self.read(|tx| tx.audit_head()).await
    }

    async fn log(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let scope = Scope::Log;
        self.write(scope, move |tx| tx.log(&entry)).await
    }

    fn node(&self) -> Option<String> {
        self.me().map(|me| me.name)
    }

    async fn stand(&self, turn: NodeTurn) -> Result<Nodes, StoreError> {
        let me = self.me().ok_or(StoreError::Closed)?;
        self.write(Scope::Nodes, move |tx| tx.stand(&me, &turn)).await
    }

    async fn change_owner(&self, change: OwnerChange, turn: NodeTurn) -> Result<bool, StoreError> {
        let me = self.me().ok_or(StoreError::Closed)?;
        let scope = Scope::Facility(change.facility().to_owned());
        self.write(scope, move |tx| tx.change_owner(&me, &change, &turn)).await
    }

    async fn leave(&self) -> Result<(), StoreError> {
        match self.me() {
            None => Ok(()),
            Some(me) => self.write(Scope::Nodes, move |tx| tx.leave(&me)).await,
        }
    }

    fn wake_ups(&self) -> watch::Receiver<u64> {
        self.woken()
    }

    fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.broken()
    }

    fn concerns(&self) -> Vec<String> {
        self.worries()
    }

    fn on_turn(&self, tell: Tell) {
        self.tell_turns(tell);
    }

    fn leave_trail(&self, trail: Arc<dyn Trail>) {
        self.mark_trail(trail);
    }

    fn close(&self) {
        self.shut();
    }
}

#[async_trait]
impl<B: Backend> AntreanStore for B {
    async fn set_sessions(&self, facility: &str, days: Vec<Date>, sessions: Vec<Session>) -> Result<i64, StoreError> {
        let facility = facility.to_owned();
        let scope = Scope::Facility(facility.clone());
        self.write(scope, move |tx| tx.set_sessions(&facility, &days, &sessions)).await
    }

    async fn queues(&self, facility: &str, poli: Option<&str>, from: Date, to: Date) -> Result<Vec<Queue>, StoreError> {
        let (facility, poli) = (facility.to_owned(), poli.map(str::to_owned));
        self.read(move |tx| tx.queues(&facility, poli.as_deref(), from, to)).await
    }

    async fn poli_known(&self, facility: &str, poli: &str) -> Result<bool, StoreError> {
        let (facility, poli) = (facility.to_owned(), poli.to_owned());
        self.read(move |tx| tx.poli_known(&facility, &poli)).await
    }

    async fn book(&self, ask: BookAsk) -> Result<Booked, StoreError> {
        let scope = Scope::Facility(ask.facility.clone());
        self.write(scope, move |tx| tx.book(&ask)).await
    }

    async fn place(
        &self,
        facility: &str,
        card: Private<String>,
        poli: &str,
        day: Date,
    ) -> Result<Option<Place>, StoreError> {
        let (facility, poli) = (facility.to_owned(), poli.to_owned());
        self.read(move |tx| tx.place(&facility, &card, &poli, day)).await
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
        let (facility, poli) = (facility.to_owned(), poli.to_owned());
        let scope = Scope::Facility(facility.clone());
        self.write(scope, move |tx| tx.withdraw(&facility, &card, &poli, day, reason.as_ref(), now)).await
    }

    async fn move_booking(&self, ask: MoveAsk) -> Result<Moved, StoreError> {
        let scope = Scope::Booking(ask.id.clone());
        self.write(scope, move |tx| tx.move_booking(&ask)).await
    }

    async fn call_number(&self, ask: CallAsk) -> Result<CallDone, StoreError> {
        let scope = Scope::Facility(ask.facility.clone());
        self.write(scope, move |tx| tx.call_number(&ask)).await
    }

    async fn booking(&self, id: &str) -> Result<Option<Booking>, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| tx.booking(&id)).await
    }

    async fn bookings(&self, filter: BookingFilter) -> Result<Page<Booking>, StoreError> {
        self.read(move |tx| tx.bookings(&filter)).await
    }

    async fn put_patients(&self, facility: &str, patients: Vec<KnownPatient>) -> Result<(), StoreError> {
        let facility = facility.to_owned();
        let scope = Scope::Facility(facility.clone());
        self.write(scope, move |tx| tx.put_patients(&facility, &patients)).await
    }

    async fn register(&self, new: NewRegistration) -> Result<Registered, StoreError> {
        let scope = Scope::Facility(new.facility.clone());
        self.write(scope, move |tx| tx.register(&new)).await
    }

    async fn answer_registration(
        &self,
        id: &str,
        answer: Result<Private<String>, Private<String>>,
        now: Timestamp,
    ) -> Result<Option<Registration>, StoreError> {
        let id = id.to_owned();
        let scope = Scope::Registration(id.clone());
        self.write(scope, move |tx| tx.answer_registration(&id, &answer, now)).await
    }

    async fn registration(&self, id: &str) -> Result<Option<Registration>, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| tx.registration(&id)).await
    }

    async fn registrations(
        &self,
        facilities: &[String],
        state: Option<RegistrationState>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Page<Registration>, StoreError> {
        let facilities = facilities.to_vec();
        self.read(move |tx| tx.registrations(&facilities, state, after, limit)).await
    }

    async fn feed(
        &self,
        facilities: &[String],
        kinds: FeedKinds,
        cursor: i64,
        limit: usize,
    ) -> Result<Vec<FeedRow>, StoreError> {
        self.number_feed().await?;
        let facilities = facilities.to_vec();
        self.read(move |tx| tx.feed(&facilities, kinds, cursor, limit)).await
    }

    async fn booking_counts(&self, days: Vec<(String, Date)>) -> Result<Vec<BookingCount>, StoreError> {
        self.read(move |tx| tx.booking_counts(&days)).await
    }

    async fn retire_antrean(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let scope = Scope::Everything;
        self.write(scope, move |tx| tx.retire_antrean(before, limit)).await
    }
}

impl std::fmt::Debug for dyn Store + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}
