//! What is kept for outages: reference lists with their rows, members' standing, and letting go of both.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::state::{List, Member, State};
use crate::secret::Private;
use crate::store::{
    AuditEntry, KeepLimits, KeptList, KeptMember, KeptRow, KeptTotals, ListName, ListSummary, MemberName, NewRows,
    StoreError,
};

/// What sealing adds to a record.
const SEAL: u64 = 30;
/// Rows and standings that go at once where there are too many bytes.
const ROUND: usize = 1000;
/// Rounds of one pruning at most.
const ROUNDS: u32 = 50;

type Key = (String, String, String);

fn key(name: &ListName) -> Key {
    (name.facility.clone(), name.operation.clone(), name.scope.expose().clone())
}

fn size(text: &impl serde::Serialize) -> u64 {
    serde_json::to_vec(text).map_or(0, |bytes| bytes.len() as u64 + SEAL)
}

impl State {
    pub(super) fn keep_rows(&mut self, new: &NewRows) -> Result<(), StoreError> {
        if new.term.complete && new.term.count.is_some_and(|count| new.term.upto < count) {
            return Err(StoreError::Database("complete and not whole".to_owned()));
        }
        let key = key(&new.list);
        let number = self.lists.values().map(|list| list.number).max().unwrap_or(0) + 1;
        let fresh = List {
            number,
            service: new.service.clone(),
            frame: new.frame.expose().clone(),
            as_of: new.at,
            terms: BTreeMap::new(),
            rows: BTreeMap::new(),
        };
        let mut list = self.lists.get(&key).cloned().unwrap_or(fresh);
        (list.frame, list.as_of) = (new.frame.expose().clone(), new.at);
        for row in &new.rows {
            let kept = KeptRow { place: row.place, body: row.body.clone(), as_of: new.at };
            list.rows.insert(row.key.expose().clone(), kept);
        }
        list.rows.retain(|_, row| new.beyond.is_none_or(|beyond| row.place < beyond));
        list.terms.insert(new.term.words.expose().clone(), new.term.clone());
        self.lists.put(key, list);
        Ok(())
    }

    pub(super) fn kept_list(&self, name: &ListName) -> Option<KeptList> {
        let list = self.lists.get(&key(name))?;
        let (terms, rows) = (list.terms.values().cloned().collect(), list.rows.values().cloned().collect());
        Some(KeptList { frame: Private::new(list.frame.clone()), terms, rows })
    }

    pub(super) fn kept_lists(&self, facility: Option<&str>) -> Vec<ListSummary> {
        let here = self.lists.iter().filter(|((place, _, _), _)| facility.is_none_or(|facility| place == facility));
        let mut lists: Vec<(&Key, &List)> = here.collect();
        lists.sort_by_key(|((facility, operation, _), list)| (facility, operation, list.number));
        let told = lists.into_iter().map(|((facility, operation, scope), list)| ListSummary {
            list: ListName {
                facility: facility.clone(),
                operation: operation.clone(),
                scope: Private::new(scope.clone()),
            },
            service: list.service.clone(),
            rows: list.rows.len() as u64,
            terms: list.terms.values().cloned().collect(),
        });
        told.collect()
    }

    pub(super) fn keep_member(&mut self, name: &MemberName, kept: Option<KeptMember>) -> Result<(), StoreError> {
        self.members.retain(|_, there| !is_same(&there.name, name));
        let Some(kept) = kept else { return Ok(()) };
        if name.card.is_none() && name.nik.is_none() {
            return Err(StoreError::Database("a standing of nobody".to_owned()));
        }
        self.members.add(Member { name: name.clone(), kept });
        Ok(())
    }

    pub(super) fn kept_member(&self, name: &MemberName) -> Option<KeptMember> {
        let own = self.members.values().filter(|there| is_same(&there.name, name));
        own.map(|there| &there.kept).max_by_key(|kept| kept.as_of).cloned()
    }

    pub(super) fn kept_totals(&self) -> Vec<KeptTotals> {
        let mut totals: BTreeMap<(String, String), KeptTotals> = BTreeMap::new();
        let mut of = |facility: &str, service: &str, add: &dyn Fn(&mut KeptTotals)| {
            let (facility, service) = (facility.to_owned(), service.to_owned());
            let total = totals.entry((facility.clone(), service.clone())).or_insert(KeptTotals {
                facility,
                service,
                lists: 0,
                rows: 0,
                oldest: None,
                newest: None,
                members: 0,
            });
            add(total);
        };
        for ((facility, _, _), list) in self.lists.iter() {
            of(facility, &list.service, &|total| {
                let read = list.terms.values().filter(|term| term.complete).map(|term| term.begun_at);
                total.lists += 1;
                total.rows += list.rows.len() as u64;
                total.oldest = total.oldest.into_iter().chain(read).min();
                total.newest = total.newest.max(Some(list.as_of));
            });
        }
        for member in self.members.values() {
            // The family of a standing begins with its service.
            let service = member.name.family.split_once(':').map_or("", |(service, _)| service);
            of(&member.name.facility, service, &|total| total.members += 1);
        }
        totals.into_values().collect()
    }

    pub(super) fn prune_kept(&mut self, limits: &KeepLimits) -> u64 {
        let before = self.kept_count();
        let keys: Vec<Key> = self.lists.iter().map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.lists.change(key, |list| {
                list.terms.retain(|_, term| term.begun_at >= limits.references_before);
                list.rows.retain(|_, row| row.as_of >= limits.references_before);
            });
        }
        self.members.retain(|_, member| member.kept.as_of >= limits.members_before);
        for _ in 0..ROUNDS {
            let (rows, members, bytes) = self.kept_size();
            let over = |have: u64, may: u64| usize::try_from(have.saturating_sub(may)).unwrap_or(usize::MAX).min(ROUND);
            let (rows, members) = (over(rows, limits.rows), over(members, limits.members));
            let heavy = bytes > limits.bytes;
            if !heavy && rows == 0 && members == 0 {
                break;
            }
            self.drop_rows(if heavy { ROUND } else { rows });
            self.drop_members(if heavy { ROUND } else { members });
        }
        self.lists.retain(|_, list| list.as_of >= limits.references_before || !list.rows.is_empty());
        before - self.kept_count()
    }

    fn kept_size(&self) -> (u64, u64, u64) {
        let rows = self.lists.values().flat_map(|list| list.rows.values());
        let (mut count, mut bytes) = (0, 0);
        for row in rows {
            (count, bytes) = (count + 1, bytes + size(row.body.expose()));
        }
        let members = self.members.values();
        let (members, standing) =
            members.fold((0, 0), |(count, sum), member| (count + 1, sum + size(member.kept.body.expose())));
        (count, members, bytes + standing)
    }

    /// Rows and standings.
    fn kept_count(&self) -> u64 {
        let (rows, members, _) = self.kept_size();
        rows + members
    }

    /// The oldest rows go; what they belonged to is whole no longer.
    fn drop_rows(&mut self, most: usize) {
        let mut rows: Vec<(Timestamp, Key, String)> = Vec::new();
        for (key, list) in self.lists.iter() {
            rows.extend(list.rows.iter().map(|(own, row)| (row.as_of, key.clone(), own.clone())));
        }
        rows.sort();
        for (_, key, own) in rows.into_iter().take(most) {
            self.lists.change(&key, |list| {
                list.rows.remove(&own);
                for term in list.terms.values_mut() {
                    (term.complete, term.upto) = (false, 0);
                }
            });
        }
    }

    fn drop_members(&mut self, most: usize) {
        let mut oldest: Vec<_> = self.members.iter().map(|(id, member)| (member.kept.as_of, *id)).collect();
        oldest.sort_unstable();
        for (_, id) in oldest.into_iter().take(most) {
            self.members.remove(&id);
        }
    }

    pub(super) fn clear_kept(&mut self, facility: &str, audit: &AuditEntry) -> u64 {
        let before = self.kept_count();
        self.lists.retain(|(place, _, _), _| place != facility);
        self.members.retain(|_, member| member.name.facility != facility);
        self.add_log(audit);
        before - self.kept_count()
    }
}

/// The same card or the same NIK of the same family and facility.
fn is_same(one: &MemberName, other: &MemberName) -> bool {
    let same = |a: &Option<Private<String>>, b: &Option<Private<String>>| a.is_some() && a == b;
    one.facility == other.facility
        && one.family == other.family
        && (same(&one.card, &other.card) || same(&one.nik, &other.nik))
}
