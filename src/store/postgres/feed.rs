//! The changes feed: rows are numbered after their commit, so that no reader goes past one that commits late.
//!
//! A sequence gives numbers before the commit, and the one with the smaller number may commit last. So rows come in
//! without a cursor, and whoever reads the feed first numbers, under a lock, those that are committed. Numbers neither
//! depend on transaction ids (which start anew after a restore into another cluster) nor wait for transactions of others.

use super::connection::{FEED, Locks, Session};
use crate::store::StoreError;
use crate::store::sql::db::{Db, ValueRef};

/// Rows numbered in one transaction.
const ROUND: usize = 10_000;

const NUMBER: &str = "UPDATE change SET cursor = fresh.cursor FROM (SELECT seq, \
    (SELECT coalesce(max(cursor), 0) FROM change) + row_number() OVER (ORDER BY seq) AS cursor FROM \
    (SELECT seq FROM change WHERE cursor IS NULL ORDER BY seq LIMIT 10000) AS waiting) AS fresh \
    WHERE change.seq = fresh.seq";

/// Numbers what is committed and has no number yet.
pub(super) fn number(session: &Session) -> Result<(), StoreError> {
    loop {
        let mut waiting = false;
        session.query("SELECT EXISTS (SELECT 1 FROM change WHERE cursor IS NULL)", &[], &mut |row| {
            waiting = row.get_ref(0)? == ValueRef::Integer(1);
            Ok(std::ops::ControlFlow::Break(()))
        })?;
        if !waiting {
            return Ok(());
        }
        session.begin(&Locks::Of(FEED))?;
        let numbered = session.execute(NUMBER, &[]);
        if session.end(numbered)? < ROUND {
            return Ok(());
        }
    }
}
