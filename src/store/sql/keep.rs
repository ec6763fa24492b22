//! What is kept for outages: reference lists with their rows, members' standing, and letting go of both.

use serde_json::Value;

use std::collections::BTreeMap;

use super::Tx;
use super::db::{OptionalExtension, Row, params};
use super::rows::{Millis, millis};
use crate::secret::Private;
use crate::store::{
    AuditEntry, KeepLimits, KeptList, KeptMember, KeptRow, KeptTotals, ListName, ListSummary, MemberName, NewRows,
    StoreError, TermRow,
};

/// Most rows that go in one round of [`Tx::prune_kept`].
const ROUND: i64 = 1000;
/// Rounds of one pruning at most, so that the writer is not held for long.
const ROUNDS: u32 = 50;

pub(in crate::store) const LIST: &str =
    "SELECT id, frame FROM kept_list WHERE facility = ?1 AND operation = ?2 AND scope = ?3";
pub(in crate::store) const ROWS: &str = "SELECT key, place, body, as_of FROM kept_row WHERE list = ?1";
pub(in crate::store) const BY_CARD: &str = "SELECT id, body, as_of FROM kept_member \
     WHERE facility = ?1 AND family = ?2 AND card = ?3 ORDER BY as_of DESC LIMIT 1";
pub(in crate::store) const BY_NIK: &str = "SELECT id, body, as_of FROM kept_member \
     WHERE facility = ?1 AND family = ?2 AND nik = ?3 ORDER BY as_of DESC LIMIT 1";
pub(in crate::store) const OLDEST_ROWS: &str = "SELECT list, key FROM kept_row ORDER BY as_of LIMIT ?1";
pub(in crate::store) const OLDEST_MEMBERS: &str = "SELECT id FROM kept_member ORDER BY as_of LIMIT ?1";

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl Tx<'_> {
    pub(super) fn keep_rows(self, new: &NewRows) -> Result<(), StoreError> {
        let list = self.put_list(new)?;
        let facility = &new.list.facility;
        for row in &new.rows {
            let key = self.row_key(list, row.key.expose());
            let body =
                self.shared.sealer.seal(facility, "kept_row.body", &format!("{list}/{key}"), row.body.expose())?;
            self.connection
                .prepare_cached(
                    "INSERT INTO kept_row (list, key, place, body, as_of) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT \
                     (list, key) DO UPDATE SET place = excluded.place, body = excluded.body, as_of = excluded.as_of",
                )?
                .execute(params![list, key, signed(row.place), body, millis(new.at)])?;
        }
        if let Some(beyond) = new.beyond {
            let sql = "DELETE FROM kept_row WHERE list = ?1 AND place >= ?2";
            self.connection.prepare_cached(sql)?.execute(params![list, signed(beyond)])?;
        }
        self.put_term(list, facility, &new.term)
    }

    fn put_list(self, new: &NewRows) -> Result<i64, StoreError> {
        let ListName { facility, operation, scope } = &new.list;
        let hash = self.scope_of(&new.list);
        let place = format!("{operation}/{hash}");
        let arguments = self.shared.sealer.seal(facility, "kept_list.arguments", &place, scope.expose())?;
        let frame = self.shared.sealer.seal(facility, "kept_list.frame", &place, new.frame.expose())?;
        let id = self
            .connection
            .prepare_cached(
                "INSERT INTO kept_list (facility, operation, service, scope, arguments, frame, as_of) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (facility, operation, scope) \
                 DO UPDATE SET frame = excluded.frame, as_of = excluded.as_of RETURNING id",
            )?
            .query_row(params![facility, operation, new.service, hash, arguments, frame, millis(new.at)], |row| {
                row.get(0)
            })?;
        Ok(id)
    }

    fn put_term(self, list: i64, facility: &str, term: &TermRow) -> Result<(), StoreError> {
        let hash = self.shared.sealer.index("kept_term", &[facility, term.words.expose()]);
        let place = format!("{list}/{hash}");
        let words = self.shared.sealer.seal(facility, "kept_term.words", &place, term.words.expose())?;
        self.connection
            .prepare_cached(
                "INSERT INTO kept_term (list, term, words, upto, count, complete, begun_at, as_of) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (list, term) \
                 DO UPDATE SET upto = excluded.upto, count = excluded.count, complete = excluded.complete, \
                 begun_at = excluded.begun_at, as_of = excluded.as_of",
            )?
            .execute(params![
                list,
                hash,
                words,
                signed(term.upto),
                term.count.map(signed),
                term.complete,
                millis(term.begun_at),
                millis(term.as_of),
            ])?;
        Ok(())
    }

    fn scope_of(self, list: &ListName) -> String {
        self.shared.sealer.index("kept_scope", &[&list.facility, &list.operation, list.scope.expose()])
    }

    fn row_key(self, list: i64, key: &str) -> String {
        self.shared.sealer.index("kept_row", &[&list.to_string(), key])
    }

    pub(super) fn kept_list(self, name: &ListName) -> Result<Option<KeptList>, StoreError> {
        let ListName { facility, operation, .. } = name;
        let hash = self.scope_of(name);
        let found = self
            .connection
            .prepare_cached(LIST)?
            .query_row(params![facility, operation, hash], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .optional()?;
        let Some((list, frame)) = found else { return Ok(None) };
        let frame: Value =
            self.shared.sealer.open(facility, "kept_list.frame", &format!("{operation}/{hash}"), &frame)?;
        let mut statement = self.connection.prepare_cached(ROWS)?;
        let kept = statement.query_map([list], |row| {
            let (key, sealed): (String, _) = (row.get(0)?, row.get_ref(2)?.as_blob()?);
            let body = self.shared.sealer.open(facility, "kept_row.body", &format!("{list}/{key}"), sealed)?;
            let Millis(as_of) = row.get(3)?;
            Ok(KeptRow { place: unsigned(row.get(1)?), body: Private::new(body), as_of })
        })?;
        let rows = kept.collect::<Result<_, _>>()?;
        Ok(Some(KeptList { frame: Private::new(frame), terms: self.terms(list, facility)?, rows }))
    }

    fn terms(self, list: i64, facility: &str) -> Result<Vec<TermRow>, StoreError> {
        let sql = "SELECT term, words, upto, count, complete, begun_at, as_of FROM kept_term WHERE list = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let terms = statement.query_map([list], |row| {
            let (hash, sealed): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let words = self.shared.sealer.open(facility, "kept_term.words", &format!("{list}/{hash}"), &sealed)?;
            let (Millis(begun_at), Millis(as_of)) = (row.get(5)?, row.get(6)?);
            Ok(TermRow {
                words: Private::new(words),
                upto: unsigned(row.get(2)?),
                count: row.get::<_, Option<i64>>(3)?.map(unsigned),
                complete: row.get(4)?,
                begun_at,
                as_of,
            })
        })?;
        terms.collect()
    }

    pub(super) fn kept_lists(self, facility: Option<&str>) -> Result<Vec<ListSummary>, StoreError> {
        let sql = "SELECT id, facility, operation, service, scope, arguments, \
                   (SELECT COUNT(*) FROM kept_row WHERE list = kept_list.id) FROM kept_list \
                   WHERE facility = ?1 OR ?1 IS NULL ORDER BY facility, operation, id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let lists = statement.query_map([facility], |row| {
            let (id, facility, operation): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (hash, sealed): (String, Vec<u8>) = (row.get(4)?, row.get(5)?);
            let place = format!("{operation}/{hash}");
            let scope = self.shared.sealer.open(&facility, "kept_list.arguments", &place, &sealed)?;
            let list = ListName { facility, operation, scope: Private::new(scope) };
            Ok((id, ListSummary { list, service: row.get(3)?, rows: unsigned(row.get(6)?), terms: Vec::new() }))
        })?;
        let mut summaries = Vec::new();
        for found in lists {
            let (id, list) = found?;
            summaries.push(ListSummary { terms: self.terms(id, &list.list.facility)?, ..list });
        }
        Ok(summaries)
    }

    fn hashes(self, member: &MemberName) -> [Option<String>; 2] {
        let hash = |kind: &str, number: &Option<Private<String>>| {
            number.as_ref().map(|number| self.shared.sealer.index(kind, &[&member.facility, number.expose()]))
        };
        [hash("kept_card", &member.card), hash("kept_nik", &member.nik)]
    }

    pub(super) fn keep_member(self, member: &MemberName, kept: Option<&KeptMember>) -> Result<(), StoreError> {
        let MemberName { facility, family, .. } = member;
        let [card, nik] = self.hashes(member);
        for (column, hash) in [("card", &card), ("nik", &nik)] {
            let sql = format!("DELETE FROM kept_member WHERE facility = ?1 AND family = ?2 AND {column} = ?3");
            self.connection.prepare_cached(&sql)?.execute(params![facility, family, hash])?;
        }
        let Some(kept) = kept else { return Ok(()) };
        let id: i64 = self
            .connection
            .prepare_cached(
                "INSERT INTO kept_member (facility, family, card, nik, body, as_of) \
                 VALUES (?1, ?2, ?3, ?4, ?6, ?5) RETURNING id",
            )?
            .query_row(params![facility, family, card, nik, millis(kept.as_of), Vec::new()], |row| row.get(0))?;
        let body = self.shared.sealer.seal(facility, "kept_member.body", &id.to_string(), kept.body.expose())?;
        let sql = "UPDATE kept_member SET body = ?2 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![id, body])?;
        Ok(())
    }

    pub(super) fn kept_member(self, member: &MemberName) -> Result<Option<KeptMember>, StoreError> {
        let MemberName { facility, family, .. } = member;
        let mut newest: Option<KeptMember> = None;
        for (sql, hash) in [BY_CARD, BY_NIK].into_iter().zip(self.hashes(member)) {
            let Some(hash) = hash else { continue };
            let read =
                |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Millis>(2)?.0));
            let found = self.connection.prepare_cached(sql)?.query_row(params![facility, family, hash], read);
            let Some((id, sealed, as_of)) = found.optional()? else { continue };
            if newest.as_ref().is_none_or(|newest| newest.as_of < as_of) {
                let body = self.shared.sealer.open(facility, "kept_member.body", &id.to_string(), &sealed)?;
                newest = Some(KeptMember { body: Private::new(body), as_of });
            }
        }
        Ok(newest)
    }

    pub(super) fn kept_totals(self) -> Result<Vec<KeptTotals>, StoreError> {
        let mut totals = BTreeMap::new();
        for lists in self.kept_list_totals()? {
            totals.insert((lists.facility.clone(), lists.service.clone()), lists);
        }
        let sql = "SELECT facility, family, COUNT(*) FROM kept_member GROUP BY facility, family";
        let mut statement = self.connection.prepare_cached(sql)?;
        let members = statement.query_map(params![], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, unsigned(row.get(2)?)))
        })?;
        for found in members {
            let (facility, family, members) = found?;
            // The family of a standing begins with its service.
            let service = family.split(':').next().unwrap_or_default().to_owned();
            let here = totals.entry((facility.clone(), service.clone())).or_insert_with(|| KeptTotals {
                facility,
                service,
                lists: 0,
                rows: 0,
                oldest: None,
                newest: None,
                members: 0,
            });
            here.members += members;
        }
        Ok(totals.into_values().collect())
    }

    fn kept_list_totals(self) -> Result<Vec<KeptTotals>, StoreError> {
        let sql = "SELECT facility, service, COUNT(*), CAST(SUM(held) AS BIGINT), MIN(oldest), MAX(as_of) FROM (\
              SELECT facility, service, (SELECT COUNT(*) FROM kept_row WHERE list = kept_list.id) AS held, \
                (SELECT MIN(begun_at) FROM kept_term WHERE list = kept_list.id AND complete = 1) AS oldest, as_of \
              FROM kept_list) AS lists \
            GROUP BY facility, service";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![], |row| {
            Ok(KeptTotals {
                facility: row.get(0)?,
                service: row.get(1)?,
                lists: unsigned(row.get(2)?),
                rows: unsigned(row.get(3)?),
                oldest: row.get::<_, Option<Millis>>(4)?.map(|at| at.0),
                newest: row.get::<_, Option<Millis>>(5)?.map(|at| at.0),
                members: 0,
            })
        })?;
        rows.collect()
    }

    pub(super) fn prune_kept(self, limits: &KeepLimits) -> Result<u64, StoreError> {
        let (references, members) = (millis(limits.references_before), millis(limits.members_before));
        // What was read goes before the rows it brought: nothing is called complete that is not.
        self.connection.prepare_cached("DELETE FROM kept_term WHERE begun_at < ?1")?.execute([references])?;
        let mut gone =
            self.connection.prepare_cached("DELETE FROM kept_row WHERE as_of < ?1")?.execute([references])?;
        gone += self.connection.prepare_cached("DELETE FROM kept_member WHERE as_of < ?1")?.execute([members])?;
        for _ in 0..ROUNDS {
            let (rows, members, bytes) = self.kept_size()?;
            let heavy = bytes > signed(limits.bytes);
            let (rows_over, members_over) = (rows - signed(limits.rows), members - signed(limits.members));
            if !heavy && rows_over <= 0 && members_over <= 0 {
                break;
            }
            let share = |over: i64| if heavy { ROUND } else { over.clamp(0, ROUND) };
            gone += self.drop_rows(share(rows_over))? + self.drop_members(share(members_over))?;
        }
        let sql = "DELETE FROM kept_list WHERE as_of < ?1 AND NOT EXISTS (SELECT 1 FROM kept_row WHERE list = id)";
        self.connection.prepare_cached(sql)?.execute([references])?;
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }

    /// Rows, standings, and bytes of both.
    fn kept_size(self) -> Result<(i64, i64, i64), StoreError> {
        let sql = "SELECT (SELECT COUNT(*) FROM kept_row), (SELECT COUNT(*) FROM kept_member), \
                   (SELECT CAST(COALESCE(SUM(LENGTH(body)), 0) AS BIGINT) FROM kept_row) \
                   + (SELECT CAST(COALESCE(SUM(LENGTH(body)), 0) AS BIGINT) FROM kept_member)";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
    }

    /// The oldest rows go; what they belonged to is whole no longer.
    fn drop_rows(self, most: i64) -> Result<usize, StoreError> {
        let sql = format!(
            "UPDATE kept_term SET complete = 0, upto = 0 WHERE list IN (SELECT DISTINCT list FROM ({OLDEST_ROWS}) AS oldest)"
        );
        self.connection.prepare_cached(&sql)?.execute([most])?;
        let sql = format!("DELETE FROM kept_row WHERE (list, key) IN ({OLDEST_ROWS})");
        self.connection.prepare_cached(&sql)?.execute([most])
    }

    fn drop_members(self, most: i64) -> Result<usize, StoreError> {
        let sql = format!("DELETE FROM kept_member WHERE id IN ({OLDEST_MEMBERS})");
        self.connection.prepare_cached(&sql)?.execute([most])
    }

    pub(super) fn clear_kept(self, facility: &str, audit: &AuditEntry) -> Result<u64, StoreError> {
        let lists = "SELECT id FROM kept_list WHERE facility = ?1";
        let mut gone = 0;
        for sql in [
            format!("DELETE FROM kept_row WHERE list IN ({lists})"),
            "DELETE FROM kept_member WHERE facility = ?1".to_owned(),
        ] {
            gone += self.connection.prepare_cached(&sql)?.execute([facility])?;
        }
        let sql = format!("DELETE FROM kept_term WHERE list IN ({lists})");
        self.connection.prepare_cached(&sql)?.execute([facility])?;
        self.connection.prepare_cached("DELETE FROM kept_list WHERE facility = ?1")?.execute([facility])?;
        self.log(audit)?;
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }
}
