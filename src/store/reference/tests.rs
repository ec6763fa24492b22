//! The common suite on the store in memory.

use std::sync::Arc;

use super::*;
use crate::store::conformance::desk::*;
use crate::store::conformance::{self, for_every_case};
use crate::store::{Store, StoreError};

fn store() -> ReferenceStore {
    ReferenceStore::new(Arc::new(Catalogue::shipped().unwrap()))
}

macro_rules! on_reference {
    ($($module:ident::$case:ident,)*) => {$(
        #[tokio::test]
        async fn $case() {
            conformance::$module::$case(&Desk::new(Arc::new(store()))).await;
        }
    )*};
}
for_every_case!(on_reference);

#[tokio::test]
async fn a_loss_of_power_loses_callers_and_nothing_else() {
    let before = Arc::new(store());
    let desk = Desk::new(before.clone());
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    let claimed = desk.claim_only(id, 1).await;
    let kept = before.lose_power().unwrap();
    let late = desk.recorded(&claimed, crate::queue::transition::Event::Ended(refused()), 2);
    assert!(matches!(before.record(late).await, Err(StoreError::Closed)));
    assert!(matches!(before.delivery(id).await, Err(StoreError::Closed)));
    let after = Desk::new(Arc::new(ReferenceStore::from_snapshot(kept)));
    assert_eq!(after.get(id).await, claimed.delivery);
    assert_eq!(after.store.reclaim(at(3), true, after.base()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_backup_is_not_touched_by_what_comes_after_it() {
    let one = Arc::new(store());
    let desk = Desk::new(one.clone());
    let first = desk.accept_one("r", DAFTAR, CARD).await;
    let backup = one.snapshot().unwrap();
    let second = desk.accept_one("s", DAFTAR, CARD).await;
    desk.send_only(first, accepted("noUrut", "A1"), 1).await;
    let restored = Desk::new(Arc::new(ReferenceStore::from_snapshot(backup)));
    assert_eq!(restored.state(first).await, crate::queue::State::Waiting);
    assert!(restored.store.delivery(second).await.unwrap().is_none());
}
