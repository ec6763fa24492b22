//! Several nodes on one database, as the store sees them: who may claim, whose lease is whose, which schema may change.

use std::time::Duration;

use jiff::SignedDuration;

use super::super::migrate::{MIGRATIONS, migrate};
use super::super::open::connect;
use super::{PostgresStore, Settings, server, settings};
use crate::store::conformance::desk::{DAFTAR, Desk, FACILITY};
use crate::store::{NodeTurn, OwnerChange, StoreError};

const TERM: NodeTurn = NodeTurn { term: Duration::from_secs(600), skew: SignedDuration::ZERO };

fn of_node(url: &str, name: &str) -> Settings {
    Settings { node: Some(name.to_owned()), ..settings(url) }
}

async fn node(url: &str, name: &str) -> Desk {
    Desk::new(std::sync::Arc::new(PostgresStore::open(of_node(url, name)).await.unwrap().0))
}

fn take() -> OwnerChange {
    OwnerChange::Take { facility: FACILITY.to_owned() }
}

async fn change(desk: &Desk, change: OwnerChange) -> bool {
    desk.store.change_owner(change, TERM).await.unwrap()
}

/// Two nodes, of which the first has one entry in flight.
async fn one_in_flight(url: &str) -> (Desk, Desk) {
    let (a, b) = (node(url, "a").await, node(url, "b").await);
    a.accept_one("r-1", DAFTAR, "0009900000001").await;
    a.store.stand(TERM).await.unwrap();
    assert!(change(&a, take()).await);
    assert_eq!(a.claim(0).await.len(), 1);
    (a, b)
}

#[tokio::test]
async fn only_the_owner_claims_and_gives_up_only_what_is_not_in_flight() {
    let database = server::database();
    let (a, b) = (node(&database.url(), "a").await, node(&database.url(), "b").await);
    a.accept_one("r-1", DAFTAR, "0009900000001").await;
    a.accept_one("r-2", DAFTAR, "0009900000002").await;
    assert!(a.claim(0).await.is_empty(), "nobody owns it yet");
    a.store.stand(TERM).await.unwrap();
    assert!(change(&a, take()).await && !change(&b, take()).await, "one holder");
    assert!(b.claim(0).await.is_empty());
    let ask = |desk: &Desk| crate::store::ClaimAsk { limit: 1, ..desk.ask(0) };
    let first = a.store.claim(ask(&a)).await.unwrap();
    assert_eq!(first.len(), 1);
    let (give_up, free) =
        (OwnerChange::GiveUp { facility: FACILITY.to_owned() }, OwnerChange::Free { facility: FACILITY.to_owned() });
    assert!(!change(&b, give_up.clone()).await, "not another's to give up");
    assert!(change(&a, give_up).await);
    assert!(a.claim(0).await.is_empty(), "nothing more is claimed");
    assert!(!change(&a, free.clone()).await, "an attempt is in flight");
    let view = b.store.stand(TERM).await.unwrap();
    assert!(view.owners[0].leaving && view.owners[0].busy && view.owners[0].node.as_deref() == Some("a"));
    assert_eq!(a.store.reclaim(crate::store::conformance::desk::at(1), true, a.base()).await.unwrap(), 1);
    assert!(change(&a, free).await && change(&b, take()).await);
    let view = b.store.stand(TERM).await.unwrap();
    assert!(view.is_mine(&view.owners[0]) && view.owners[0].token > 1, "{view:?}");
    assert_eq!(b.store.claim(ask(&b)).await.unwrap().len(), 1);
    assert!(a.claim(0).await.is_empty());
}

#[tokio::test]
async fn a_node_puts_its_own_leases_into_doubt_and_never_anothers() {
    let database = server::database();
    let (a, b) = one_in_flight(&database.url()).await;
    let now = crate::store::conformance::desk::at(1);
    assert_eq!(b.store.reclaim(now, true, b.base()).await.unwrap(), 0, "another's lease");
    // By this node's clock everything ran out long ago; the database's decides.
    let later = crate::store::conformance::desk::at(1_000_000);
    assert_eq!(b.store.reclaim(later, false, b.base()).await.unwrap(), 0);
    a.store.close();
    let again = node(&database.url(), "a").await;
    assert_eq!(again.store.reclaim(now, true, again.base()).await.unwrap(), 1, "its own");
    assert_eq!(again.store.reclaim(now, true, again.base()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_crash_is_counted_against_what_this_node_had_in_flight_and_never_anothers() {
    let database = server::database();
    let (a, b) = one_in_flight(&database.url()).await;
    let now = crate::store::conformance::desk::at(1);
    assert_eq!(
        b.store.blame(now, b.base()).await.unwrap().suspects,
        0,
        "what another has in flight did not kill this one"
    );
    a.store.close();
    let again = node(&database.url(), "a").await;
    assert_eq!(again.store.blame(now, again.base()).await.unwrap().suspects, 1, "its own");
}

#[tokio::test]
async fn a_process_that_was_replaced_under_its_name_is_told_and_claims_nothing() {
    let database = server::database();
    let a = node(&database.url(), "a").await;
    a.accept_one("r-1", DAFTAR, "0009900000001").await;
    a.store.stand(TERM).await.unwrap();
    assert!(change(&a, take()).await);
    // Its connections were cut, and another process of its name has entered and taken its facilities.
    server::run(&database.url(), &["UPDATE node SET boot = 'another'", "UPDATE facility_owner SET boot = 'another'"]);
    assert!(a.claim(0).await.is_empty());
    assert!(matches!(a.store.stand(TERM).await, Err(StoreError::Replaced(_))));
    assert!(!change(&a, take()).await, "who was replaced takes nothing");
}

#[tokio::test]
async fn a_node_that_ends_leaves_nothing_behind() {
    let database = server::database();
    let (a, b) = (node(&database.url(), "a").await, node(&database.url(), "b").await);
    a.store.stand(TERM).await.unwrap();
    assert!(change(&a, take()).await);
    a.store.leave().await.unwrap();
    let view = b.store.stand(TERM).await.unwrap();
    assert_eq!(view.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["b"]);
    assert!(change(&b, take()).await);
}

#[tokio::test]
async fn a_schema_is_not_contracted_while_an_older_node_lives() {
    let database = server::database();
    let old = node(&database.url(), "lama").await;
    old.store.stand(TERM).await.unwrap();
    // A program that knows two steps more: one that adds, one that takes away.
    let expand = "-- expand\nALTER TABLE pause ADD COLUMN remark TEXT COLLATE \"C\";";
    let contract = "-- contract\nALTER TABLE pause DROP COLUMN remark;";
    let steps: Vec<&str> = MIGRATIONS.iter().copied().chain([expand, contract]).collect();
    let known = i64::try_from(MIGRATIONS.len()).unwrap();
    let mut client = connect(&settings(&database.url())).await.unwrap();
    assert_eq!(migrate(&mut client, &steps).await.unwrap().version, known + 1, "added, not taken away");
    old.accept_one("r-1", DAFTAR, "0009900000001").await;
    assert!(change(&old, take()).await && old.claim(0).await.len() == 1, "the older node goes on");
    // A program two versions on needs what comes behind the contraction: it says so instead of running without.
    let further = "-- expand\nALTER TABLE pause ADD COLUMN note TEXT COLLATE \"C\";";
    let all: Vec<&str> = steps.iter().copied().chain([further]).collect();
    let refused = migrate(&mut client, &all).await.unwrap_err().to_string();
    assert!(refused.contains("stop it, and start again"), "{refused}");
    old.store.leave().await.unwrap();
    assert_eq!(migrate(&mut client, &steps).await.unwrap().version, known + 2);
    let refused = PostgresStore::open(of_node(&database.url(), "lain")).await;
    assert!(matches!(refused, Err(StoreError::Newer { .. })), "{refused:?}");
}
