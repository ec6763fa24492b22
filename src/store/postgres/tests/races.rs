//! Two nodes on one lane, as rivals: nobody gets the same row, and of two ends one counts.
//!
//! The stores here belong to no named node, so that nothing but the database keeps them apart: neither the owner of the
//! facility nor, in one of the tests, the facility's lock.

use std::collections::BTreeMap;

use super::super::connection::Session;
use super::*;
use crate::queue::DeliveryId;
use crate::queue::transition::Event;
use crate::store::conformance::desk::{DAFTAR, FACILITY, accepted, at, refused};
use crate::store::{ClaimAsk, Claimed, Store};

const ENTRIES: usize = 160;
const RIVALS: usize = 8;

/// Two stores and a lane full of patients.
async fn rivals(database: &server::Database) -> [Arc<PostgresStore>; 2] {
    let stores = [Arc::new(open(&database.url()).await.0), Arc::new(open(&database.url()).await.0)];
    let desk = Desk::new(Arc::clone(&stores[0]) as Arc<dyn Store>);
    for n in 0..ENTRIES {
        desk.accept_one(&format!("r-{n}"), DAFTAR, &format!("00099{n:08}")).await;
    }
    stores
}

fn ask(store: &Arc<PostgresStore>) -> ClaimAsk {
    ClaimAsk { limit: 3, ..Desk::new(Arc::clone(store) as Arc<dyn Store>).ask(1) }
}

/// Every entry was claimed, once, under a token of its own.
fn each_once(claimed: &[Claimed]) {
    let mut holders: BTreeMap<DeliveryId, Vec<i64>> = BTreeMap::new();
    for one in claimed {
        holders.entry(one.delivery.id).or_default().push(one.token);
    }
    let twice: Vec<_> = holders.iter().filter(|(_, tokens)| tokens.len() > 1).collect();
    assert!(twice.is_empty(), "claimed twice: {twice:?}");
    assert_eq!(holders.len(), ENTRIES);
    let tokens: std::collections::BTreeSet<i64> = holders.into_values().flatten().collect();
    assert_eq!(tokens.len(), ENTRIES);
}

/// Claims until nothing is left; a suspicion of others' rows (nothing now, something later) is not an end.
async fn all_of(store: Arc<PostgresStore>) -> Vec<Claimed> {
    let (mut mine, mut idle) = (Vec::new(), 0);
    while idle < 3 {
        let more = store.claim(ask(&store)).await.unwrap();
        idle = if more.is_empty() { idle + 1 } else { 0 };
        mine.extend(more);
    }
    mine
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rivals_for_one_lane_never_get_the_same_entry_and_of_two_ends_one_counts() {
    let database = server::database();
    let stores = rivals(&database).await;
    let tasks: Vec<_> = (0..RIVALS).map(|n| tokio::spawn(all_of(Arc::clone(&stores[n % 2])))).collect();
    let (mut claimed, mut winners) = (Vec::new(), 0);
    for task in tasks {
        let mine = task.await.unwrap();
        winners += usize::from(!mine.is_empty());
        claimed.extend(mine);
    }
    each_once(&claimed);
    assert!(winners > 1, "they did compete");
    // Both nodes tell of the same attempt at once: what one of them says counts, the other is told that it came late.
    let desks = stores.clone().map(|store| Desk::new(store as Arc<dyn Store>));
    for one in &claimed {
        let id = one.delivery.id.to_string();
        let ends = [accepted("noUrut", &id), refused()].map(Event::Ended);
        let told = desks.iter().zip(ends).map(|(desk, end)| desk.store.record(desk.recorded(one, end, 2)));
        let told: Vec<_> = futures_util::future::join_all(told).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(told.iter().flatten().count(), 1, "{told:?}");
        let kept = desks[0].get(one.delivery.id).await;
        assert_eq!(Some(&kept), told.iter().flatten().next(), "and stays as it is");
    }
}

#[tokio::test]
async fn the_token_of_a_lease_that_was_taken_over_is_refused() {
    let database = server::database();
    let [one, other] = rivals(&database).await.map(|store| Desk::new(store as Arc<dyn Store>));
    let lost = one.store.claim(ClaimAsk { limit: 1, ..one.ask(1) }).await.unwrap().remove(0);
    assert_eq!(other.store.reclaim(at(1), true, other.base()).await.unwrap(), 1);
    let look = other.claim(200).await.into_iter().find(|claimed| claimed.delivery.id == lost.delivery.id).unwrap();
    assert!(look.token > lost.token);
    let late = one.recorded(&lost, Event::Ended(accepted("noUrut", "A1")), 201);
    assert!(one.store.record(late).await.unwrap().is_none());
    assert_eq!(one.get(lost.delivery.id).await, look.delivery, "the late end changed nothing");
}

/// Claims in a transaction that holds no lock of the facility.
async fn unlocked(store: &Arc<PostgresStore>) -> Vec<Claimed> {
    let (client, ask) = (store.client().await.unwrap(), ask(store));
    let claim = move |session: &Session, shared: &Shared| {
        session.begin(&Locks::Nothing)?;
        session.end(Tx { connection: session, shared: &shared.common }.claim(&ask))
    };
    store.blocking(client, claim).await.unwrap()
}

/// The facility's lock keeps rivals apart; without it their rows still do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_that_a_rival_holds_are_skipped_even_without_the_facilitys_lock() {
    let database = server::database();
    let stores = rivals(&database).await;
    let tasks: Vec<_> = (0..RIVALS)
        .map(|n| {
            let store = Arc::clone(&stores[n % 2]);
            tokio::spawn(async move {
                let (mut mine, mut idle) = (Vec::new(), 0);
                while idle < 50 {
                    let more = unlocked(&store).await;
                    idle = if more.is_empty() { idle + 1 } else { 0 };
                    mine.extend(more);
                }
                mine
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for task in tasks {
        claimed.extend(task.await.unwrap());
    }
    each_once(&claimed);
}

#[tokio::test]
async fn a_claim_does_not_wait_for_a_row_that_somebody_holds() {
    let database = server::database();
    let [store, _] = rivals(&database).await;
    let desk = Desk::new(Arc::clone(&store) as Arc<dyn Store>);
    let (holder, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    holder.batch_execute("BEGIN").await.unwrap();
    let hold = format!("SELECT id FROM delivery WHERE facility = '{FACILITY}' ORDER BY seq LIMIT 5 FOR UPDATE");
    let held: Vec<String> = holder.query(&hold, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    // Waiting would end in an error: the holder lets nobody in before this one has answered.
    let claimed: Vec<String> = desk.claim(1).await.iter().map(|one| one.delivery.id.to_string()).collect();
    assert_eq!((held.len(), claimed.len()), (5, ENTRIES - 5));
    assert!(held.iter().all(|id| !claimed.contains(id)));
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(desk.claim(2).await.len(), 5);
}
