//! A map that is cheap to copy whole, so that a write can work on a copy and throw it away.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows by key, in the order of their keys. A copy shares every row until one of the two changes it.
#[derive(Debug)]
pub(super) struct Table<K, V>(Arc<BTreeMap<K, Arc<V>>>);

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Arc::new(BTreeMap::new()))
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|row| &**row)
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, row)| (key, &**row))
    }

    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.values().map(|row| &**row)
    }

    /// Puts a row in place of whatever was there.
    pub(super) fn put(&mut self, key: K, row: V) {
        Arc::make_mut(&mut self.0).insert(key, Arc::new(row));
    }

    /// Changes a row in place; whether there is one.
    pub(super) fn change(&mut self, key: &K, change: impl FnOnce(&mut V)) -> bool {
        match Arc::make_mut(&mut self.0).get_mut(key) {
            Some(row) => {
                change(Arc::make_mut(row));
                true
            }
            None => false,
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> bool {
        Arc::make_mut(&mut self.0).remove(key).is_some()
    }

    /// Lets go the rows that do not fit; how many.
    pub(super) fn retain(&mut self, mut fits: impl FnMut(&K, &V) -> bool) -> usize {
        let before = self.0.len();
        Arc::make_mut(&mut self.0).retain(|key, row| fits(key, row));
        before - self.0.len()
    }
}

impl<V: Clone> Table<i64, V> {
    /// The number of the next row; 1 for the first.
    pub(super) fn next(&self) -> i64 {
        self.0.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    /// Adds a row under the next number.
    pub(super) fn add(&mut self, row: V) -> i64 {
        let number = self.next();
        self.put(number, row);
        number
    }
}
