//! The SQLite backend: the common suite, and what only a file can get wrong.

mod crash;
mod faults;
mod files;
mod full;
mod inline;
pub(crate) mod on_disk;
mod plans;
mod power;
mod scale;
mod schema;

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::catalogue::Catalogue;
use crate::store::conformance::{self, desk::Desk, for_every_case};
use crate::store::sql::keep;
use crate::store::{AuditEntry, DeliveryFilter, LaneStop, Sealer, Store};

fn sealer(key: u8) -> Sealer {
    Sealer::new(&[key; 32], &[key.wrapping_add(1); 32])
}

fn settings(path: &Path) -> Settings {
    Settings { path: path.to_owned(), sealer: sealer(7), catalogue: Arc::new(Catalogue::shipped().unwrap()) }
}

fn open(path: &Path) -> (SqliteStore, Opened) {
    open_with(|| settings(path)).unwrap()
}

/// Opens once nobody holds the lock. Between fork and exec a child that another test starts holds every open file of
/// this process, a lock released meanwhile included.
fn open_with(settings: impl Fn() -> Settings) -> Result<(SqliteStore, Opened), StoreError> {
    let began = std::time::Instant::now();
    loop {
        match SqliteStore::open(settings()) {
            Err(StoreError::Busy(_)) if began.elapsed().as_secs() < 10 => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

/// A desk on a new database in `folder`.
fn desk_in(folder: &Path) -> Desk {
    Desk::new(Arc::new(open(&folder.join("jembatan.db")).0))
}

macro_rules! on_sqlite {
    ($($module:ident::$case:ident,)*) => {$(
        #[tokio::test]
        async fn $case() {
            let folder = tempfile::tempdir().unwrap();
            conformance::$module::$case(&desk_in(folder.path())).await;
        }
    )*};
}
for_every_case!(on_sqlite);

#[tokio::test]
async fn a_panicking_job_is_told_and_the_next_ones_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder.path().join("jembatan.db"));
    let answer = store.write(|_| -> Result<(), StoreError> { panic!("a job of the test") }).await;
    assert!(matches!(answer, Err(StoreError::Database(_))), "{answer:?}");
    assert!(store.fatal().borrow().is_none());
    let desk = Desk::new(Arc::new(store));
    desk.accept("after", vec![desk.entry("a", conformance::desk::DAFTAR)]).await;
}

#[tokio::test]
async fn a_closed_store_says_so_and_still_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder.path().join("jembatan.db"));
    store.close();
    let refused = store.set_pause("*", None, audit_line()).await;
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    assert!(store.pauses().await.unwrap().is_empty());
}

fn audit_line() -> AuditEntry {
    let at = conformance::desk::at(0);
    let word = |text: &str| text.to_owned();
    AuditEntry { at, actor: word("operator"), action: word("resume"), object: word("*"), detail: word("uji") }
}
