//! The common suite on a store that its callers run, on a disk in memory; and what only that can get wrong.

use crashfs::{Disk, Order, Survival};

use super::on_disk::inline_on;
use super::*;
use crate::store::conformance::desk::{DAFTAR, at};

fn open_inline(disk: &Disk) -> (SqliteStore, Opened) {
    SqliteStore::open_on(settings(&disk.root().join("jembatan.db")), inline_on(disk)).unwrap()
}

macro_rules! on_an_inline_store {
    ($($module:ident::$case:ident,)*) => {$(
        #[tokio::test]
        async fn $case() {
            let disk = Disk::new(Order::Strict, 1);
            conformance::$module::$case(&Desk::new(Arc::new(open_inline(&disk).0))).await;
        }
    )*};
}
for_every_case!(on_an_inline_store);

#[tokio::test]
async fn writes_of_one_turn_share_one_commit() {
    let disk = Disk::new(Order::Strict, 1);
    let desk = Desk::new(Arc::new(open_inline(&disk).0));
    desk.accept_one("r", DAFTAR, "0009900000001").await;
    let before = disk.counts().syncs;
    let ask = |name: String| {
        let submission = desk.submission(&name, vec![desk.entry("a", DAFTAR)]);
        async { desk.store.accept(submission).await.unwrap() }
    };
    futures_util::future::join_all((0..7).map(|number| ask(format!("s{number}")))).await;
    assert_eq!(disk.counts().syncs, before + 1, "seven at once");
    for number in 0..7 {
        ask(format!("t{number}")).await;
    }
    assert_eq!(disk.counts().syncs, before + 8, "seven one after the other");
}

#[tokio::test]
async fn what_was_accepted_is_there_after_the_power_was_cut() {
    let disk = Disk::new(Order::Strict, 1);
    let desk = Desk::new(Arc::new(open_inline(&disk).0));
    let id = desk.accept_one("r", DAFTAR, "0009900000001").await;
    disk.crash(Survival::Nothing);
    drop(desk);
    let (store, opened) = open_inline(&disk);
    assert_eq!(opened, Opened { fresh: false, upgraded: false, restored: false });
    let desk = Desk::new(Arc::new(store));
    assert_eq!(desk.claim_only(id, 1).await.delivery.accepted_at, at(0));
}

#[tokio::test]
async fn promise_13_a_copy_made_and_put_back_within_one_start_is_noticed_after_a_power_cut_too() {
    for order in [Order::Strict, Order::Journaled] {
        let disk = Disk::new(order, 1);
        let files = ["jembatan.db", "jembatan.db-wal"].map(|name| disk.root().join(name));
        let store = Arc::new(open_inline(&disk).0);
        let desk = Desk::new(store.clone());
        desk.accept_one("r1", DAFTAR, "0009900000001").await;
        let copy = files.each_ref().map(|path| disk.content(path));
        desk.accept_one("r2", DAFTAR, "0009900000001").await;
        // Once nothing waited for a moment, power and database are lost, and last night's copy comes back.
        store.rest();
        disk.crash(Survival::Nothing);
        drop((desk, store));
        for (path, bytes) in files.iter().zip(&copy) {
            disk.put(path, bytes.as_deref());
        }
        assert!(open_inline(&disk).1.restored, "{order:?}");
    }
}

#[tokio::test]
async fn a_store_that_rests_flushes_only_what_is_new() {
    let disk = Disk::new(Order::Strict, 1);
    let store = Arc::new(open_inline(&disk).0);
    let desk = Desk::new(store.clone());
    desk.accept_one("r1", DAFTAR, "0009900000001").await;
    store.rest();
    let before = disk.counts().syncs;
    (0..5).for_each(|_| store.rest());
    assert_eq!(disk.counts().syncs, before);
}

#[tokio::test]
async fn a_resting_inline_store_moves_its_log_into_the_database() {
    let disk = Disk::new(Order::Strict, 1);
    let path = disk.root().join("jembatan.db");
    let store = Arc::new(open_inline(&disk).0);
    let desk = Desk::new(store.clone());
    for number in 0..20 {
        desk.accept_one(&format!("r{number}"), DAFTAR, "0009900000001").await;
    }
    let before = disk.content(&path).unwrap();
    store.rest();
    assert_ne!(disk.content(&path).unwrap(), before);
}

#[tokio::test]
async fn two_stores_on_one_disk_keep_each_other_out() {
    let disk = Disk::new(Order::Strict, 1);
    let first = open_inline(&disk);
    let second = SqliteStore::open_on(settings(&disk.root().join("jembatan.db")), inline_on(&disk));
    assert!(matches!(second, Err(StoreError::Busy(_))), "{second:?}");
    drop(first);
    open_inline(&disk);
}
