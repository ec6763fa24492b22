//! Everything both stores hold, by every question there is.

use serde_json::Value;

use super::shown::sorted;
use super::world::{CARDS, CLIENTS, Difference, FACILITIES, World};
use crate::audit;
use crate::queue::{Mark, State, SubmissionId};
use crate::secret::Private;
use crate::store::antrean::{BookingFilter, FeedKinds};
use crate::store::conformance::desk::{at, day};
use crate::store::*;

type Done = Result<(), Difference>;

const ALL: usize = 100_000;

pub(super) async fn dump(world: &mut World) -> Done {
    deliveries(world).await?;
    lists(world).await?;
    books(world).await?;
    totals(world).await?;
    small(world).await?;
    kept(world).await?;
    antrean(world).await
}

async fn deliveries(world: &mut World) -> Done {
    let every = DeliveryFilter { limit: ALL, ..DeliveryFilter::default() };
    let [rows, _] = world.both("deliveries", async |store, _| store.deliveries(every.clone()).await).await?;
    let rows = rows.expect("a list").items;
    for delivery in &rows {
        let progress = &delivery.progress;
        world.seen.insert(format!("state: {}", progress.state));
        world.seen.extend(progress.how.map(|how| format!("how: {how}")));
        world.seen.extend(progress.why.as_ref().map(|why| format!("why: {}", why.code)));
        world.seen.extend(progress.blocked.map(|blocked| format!("blocked: {}", blocked.kind)));
        world.seen.extend(progress.doubt.question.map(|question| format!("question: {question}")));
        let (id, facility) = (delivery.id, delivery.facility.clone());
        world.same(&format!("attempts: {id}"), async |store, _| store.attempts(id).await).await?;
        world.same(&format!("body: {id}"), async |store, _| store.entry_body(id).await).await?;
        let row = world.submissions.iter().find(|row| row.id == delivery.submission);
        let key = row.map(|row| [row.client.clone(), row.reference.clone(), delivery.entry_ref.clone()]);
        if let Some([client, reference, name]) = key.filter(|[_, reference, _]| !reference.starts_with("ws-")) {
            world
                .same("find_entry", async |store, _| store.find_entry(&client, &facility, &reference, &name).await)
                .await?;
        }
    }
    let state = world.some(State::ALL);
    let now = world.now();
    for filter in [
        DeliveryFilter { state, limit: 3, ..DeliveryFilter::default() },
        DeliveryFilter { facilities: vec![world.facility()], late: Some((true, now)), limit: 5, ..Default::default() },
        DeliveryFilter {
            late: Some((false, now)),
            operation: Some("pcare.obat.add".into()),
            limit: 5,
            ..Default::default()
        },
        DeliveryFilter { why: Some("prerequisite".to_owned()), limit: 5, ..DeliveryFilter::default() },
    ] {
        pages(world, filter).await?;
    }
    for &(id, _) in &world.deliveries.clone()[..world.deliveries.len().min(2)] {
        world.same("delivery", async |store, _| store.delivery(id).await).await?;
    }
    Ok(())
}

/// Two pages, the second from where each store says.
async fn pages(world: &mut World, filter: DeliveryFilter) -> Done {
    let what = format!("page: {filter:?}");
    let first = world.both(&what, async |store, _| store.deliveries(filter.clone()).await).await?;
    let after = first.map(|page| page.expect("a page").next);
    let next = after.map(|after| DeliveryFilter { after, ..filter.clone() });
    world.same(&what, async |store, side| store.deliveries(next[side].clone()).await).await?;
    Ok(())
}

async fn lists(world: &mut World) -> Done {
    let (facilities, state) = (vec![world.facility()], world.some(State::ALL));
    world.same("submissions", async |store, _| store.submissions(&[], None, None, None, ALL).await).await?;
    world.same("submissions", async |store, _| store.submissions(&facilities, None, state, None, 3).await).await?;
    let submission: Option<NewSubmission> = world.some(&world.submissions);
    let reference = submission.as_ref().map(|row| row.reference.clone()).filter(|name| !name.starts_with("ws-"));
    world
        .same("submissions", async |store, _| store.submissions(&[], reference.as_deref(), None, None, 3).await)
        .await?;
    let id = submission.map_or_else(|| SubmissionId::new(at(0), &[0; 10]), |row| row.id);
    world.same("submission", async |store, _| store.submission(id).await).await?;
    world.same("deliveries_of", async |store, _| store.deliveries_of(id).await).await?;
    let feed = world.both("changes", async |store, _| store.changes(&[], 0, ALL).await).await?;
    let middle = feed.map(|rows| rows.map_or(0, |rows| rows.get(rows.len() / 2).map_or(0, |row| row.cursor)));
    world.same("changes", async |store, side| store.changes(&facilities, middle[side], 3).await).await?;
    for (deliveries, antrean) in [(true, true), (true, false), (false, true), (false, false)] {
        let kinds = FeedKinds { deliveries, antrean };
        world.same("feed", async |store, side| store.feed(&facilities, kinds, middle[side], ALL).await).await?;
    }
    Ok(())
}

async fn books(world: &mut World) -> Done {
    let (facility, from, to) = (FACILITIES[0], world.day(), day(23));
    let patterns = [["*"].as_slice(), &["pcare.*.add", "*.edit"], &["pcare.obat.add"], &[]];
    world.same("journal", async |store, _| store.journal(facility, from, to).await).await?;
    for patterns in patterns {
        let what = format!("journal_of: {patterns:?}");
        world.same(&what, async |store, _| store.journal_of(facility, from, to, patterns).await).await?;
        let card = Private::new(world.one_of(&CARDS).to_owned());
        let what = format!("journal_of_patient: {patterns:?}");
        world.same(&what, async |store, _| store.journal_of_patient(facility, &card, from, to, patterns).await).await?;
    }
    world.same("later_edits", async |store, _| store.later_edits(facility, from).await).await?;
    world.same("marked", async |store, _| store.marked(facility, Mark::Telekonsultasi, from, to).await).await?;
    world.same_as("client_counts", sorted, async |store, _| store.client_counts(facility, from, to).await).await?;
    for operation in ["pcare.pendaftaran.add", "pcare.obat.add"] {
        let ids: Vec<String> = (0..6).map(|number| format!("A{number}")).collect();
        for scope in [vec![], vec!["21-11-2026".to_owned()]] {
            world.same("owners", async |store, _| store.owners(facility, operation, &scope, &ids).await).await?;
        }
    }
    for client in CLIENTS {
        for number in 0..4 {
            let ask = StandingAsk {
                client: client.to_owned(),
                facility: facility.to_owned(),
                operation: "pcare.pendaftaran.add".to_owned(),
                key: Private::new(vec![format!("kunci {number}")]),
                natural: (number == 0)
                    .then(|| Private::new([CARDS[0], "001", "21-11-2026"].map(str::to_owned).to_vec())),
            };
            world.same("standing", async |store, _| store.standing(ask.clone()).await).await?;
        }
    }
    Ok(())
}

fn counts_sorted(mut totals: Value) -> Value {
    if let Some(counts) = totals.get_mut("counts") {
        *counts = sorted(counts.take());
    }
    totals
}

async fn totals(world: &mut World) -> Done {
    let (now, since, limit) = (world.now(), world.around(7200), if world.once_in(2) { 3 } else { ALL });
    world.same_as("totals", counts_sorted, async |store, _| store.totals(now).await).await?;
    world.same("load", async |store, _| store.load(since, limit).await).await?;
    for facility in FACILITIES {
        for service in ["pcare", "vclaim"] {
            world.same("next_due", async |store, _| store.next_due(facility, service).await).await?;
        }
    }
    Ok(())
}

async fn small(world: &mut World) -> Done {
    let (now, since) = (world.now(), world.around(7200));
    world.same("pauses", async |store, _| store.pauses().await).await?;
    world.same("stops", async |store, _| store.lane_stops().await).await?;
    world.same("circuits", async |store, _| store.circuits().await).await?;
    world.same("outages", async |store, _| store.outages(4).await).await?;
    world.same("outage spans", async |store, _| store.outage_spans(4).await).await?;
    world.same("plans", async |store, _| store.outage_plans(since).await).await?;
    for id in world.outages.clone() {
        world.same("effect", async |store, side| store.outage_effect(id[side], now).await).await?;
    }
    for facility in [None, Some(FACILITIES[0])] {
        world.same("reconciliations", async |store, _| store.reconciliations(facility, 3).await).await?;
    }
    for id in world.reconciliations.clone() {
        world.same("reconciliation", async |store, _| store.reconciliation(&id).await).await?;
        world.same("settlements", async |store, _| store.settlements(&id).await).await?;
    }
    for run in ["", "p"] {
        world.same("days", async |store, _| store.days(run).await).await?;
    }
    world.same("events", async |store, _| store.events().await).await?;
    world.same("marks", async |store, _| store.marks().await).await?;
    let after = i64::try_from(world.below(5)).unwrap();
    world.same("audit", async |store, _| store.audit(after, 3).await).await?;
    world.same("audit_head", async |store, _| store.audit_head().await).await?;
    let logs = world.both("audit", async |store, _| store.audit(0, ALL).await).await?;
    for log in logs {
        audit::verify(&audit::genesis(), 1, &log.expect("a log")).expect("a chain that holds");
    }
    Ok(())
}

async fn kept(world: &mut World) -> Done {
    for facility in [None, Some(FACILITIES[1])] {
        world.same("kept_lists", async |store, _| store.kept_lists(facility).await).await?;
    }
    for _ in 0..3 {
        let name = super::small_steps::list_name(world);
        world.same("kept_list", async |store, _| store.kept_list(&name).await).await?;
        let name = super::small_steps::member_name(world);
        world.same("kept_member", async |store, _| store.kept_member(&name).await).await?;
    }
    world.same("kept_totals", async |store, _| store.kept_totals().await).await?;
    Ok(())
}

async fn antrean(world: &mut World) -> Done {
    let (facility, on) = (world.facility(), world.day());
    world.same("queues", async |store, _| store.queues(&facility, None, day(19), on).await).await?;
    for poli in ["001", "002", "003"] {
        world.same("poli_known", async |store, _| store.poli_known(&facility, poli).await).await?;
        let card = Private::new(world.one_of(&CARDS).to_owned());
        world.same("place", async |store, _| store.place(&facility, card.clone(), poli, on).await).await?;
    }
    let every = BookingFilter { limit: ALL, ..BookingFilter::default() };
    world.same("bookings", async |store, _| store.bookings(every.clone()).await).await?;
    let some = BookingFilter {
        facilities: vec![facility.clone()],
        days: Some((day(20), on)),
        poli: Some("001".to_owned()),
        limit: 2,
        ..BookingFilter::default()
    };
    let first = world.both("bookings", async |store, _| store.bookings(some.clone()).await).await?;
    let after = first.map(|page| page.expect("a page").next);
    let next = after.map(|after| BookingFilter { after, ..some.clone() });
    world.same("bookings", async |store, side| store.bookings(next[side].clone()).await).await?;
    for id in world.bookings.iter().rev().take(3).cloned().collect::<Vec<_>>() {
        world.same("booking", async |store, _| store.booking(&id).await).await?;
    }
    for id in world.registrations.iter().rev().take(3).cloned().collect::<Vec<_>>() {
        world.same("registration", async |store, _| store.registration(&id).await).await?;
    }
    world.same("registrations", async |store, _| store.registrations(&[], None, None, ALL).await).await?;
    let days: Vec<_> = FACILITIES.iter().flat_map(|place| [(*place).to_owned()].map(|place| (place, on))).collect();
    world.same("booking_counts", async |store, _| store.booking_counts(days.clone()).await).await?;
    Ok(())
}
