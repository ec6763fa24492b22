//! What statements did, for the tests that hold them to their indexes. Only in tests.
//!
//! Every statement is kept with the types of its parameters, whatever database it ran on; a store that was told to count
//! explains each one before it runs (and takes that back), and adds up the pages it touched.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

/// Every statement that ran in this process.
static STATEMENTS: Mutex<BTreeMap<String, Vec<Type>>> = Mutex::new(BTreeMap::new());

/// The pages that one store's statements touched; `None` while nobody counts.
#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<Option<u64>>);

impl Pages {
    /// Those since the last call; from the first call on they are counted.
    pub(super) fn take(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(0).unwrap_or(0)
    }

    pub(super) fn are_counted(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn add(&self, more: u64) {
        if let Some(pages) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *pages += more;
        }
    }
}

pub(super) fn note(text: &str, types: &[Type]) {
    let mut all = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if !all.contains_key(text) {
        all.insert(text.to_owned(), types.to_vec());
    }
}

pub(super) fn statements() -> BTreeMap<String, Vec<Type>> {
    STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Runs a statement for its costs and takes back what it did; the pages it touched.
pub(super) async fn pages(
    client: &Client,
    text: &str,
    types: &[Type],
    values: &[&(dyn ToSql + Sync)],
) -> Result<u64, Error> {
    let asks = ["SELECT", "WITH"].iter().any(|word| text.trim_start().starts_with(word));
    let reads = asks && !text.contains("FOR UPDATE");
    if !reads {
        client.batch_execute("SAVEPOINT seen").await?;
    }
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, COSTS OFF) {text}");
    let statement = client.prepare_typed(&explain, types).await?;
    let lines: Vec<String> =
        client.query(&statement, values).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if !reads {
        client.batch_execute("ROLLBACK TO SAVEPOINT seen").await?;
    }
    Ok(touched(&lines))
}

/// The first line about pages is that of the whole statement; those of its planning come last.
fn touched(lines: &[String]) -> u64 {
    let running = lines.iter().map(|line| line.trim()).take_while(|line| !line.starts_with("Planning"));
    let found = running.into_iter().find_map(|line| line.strip_prefix("Buffers: shared "));
    let words = found.unwrap_or_default().split_whitespace();
    words.filter_map(|word| word.strip_prefix("hit=").or_else(|| word.strip_prefix("read="))?.parse::<u64>().ok()).sum()
}
