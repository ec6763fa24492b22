//! The name of this node: one process a name.
//!
//! Job: hold a lock of the session on the name for as long as the process lives. Invariants: whoever gets the lock may
//! enter a new start under the name ([`Tx::enter`](crate::store::sql::Tx)): the last process of it is dead, or was cut off
//! and finds at its next turn that it was replaced; a lock that was lost with its connection is taken again, unless
//! somebody else has it. What it does not do: stop a process that was replaced (`Store::stand` does).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Config};

use super::tls::Tls;
use super::{Shared, errors};
use crate::store::StoreError;

/// Tells names apart from other locks of two numbers.
const NAMES: i32 = 0x6a62;
/// A predecessor that was killed may take a moment to be gone.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(250);
/// A machine that is gone must let go of its name soon: the server asks it.
const SESSION: &str = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3";

/// The connection that holds the name.
pub(super) struct Held {
    client: Client,
    lost: tokio::task::JoinHandle<()>,
}

async fn connect(config: &Config, tls: &Tls) -> Result<Held, StoreError> {
    let mut config = config.clone();
    let options = config.get_options().map(|own| format!("{own} ")).unwrap_or_default();
    config.options(format!("{options}{SESSION}"));
    let (client, connection) = config.connect(tls.clone()).await.map_err(|error| errors::connecting(&error))?;
    let lost = tokio::spawn(async move { drop(connection.await) });
    Ok(Held { client, lost })
}

async fn try_lock(held: &Held, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT pg_try_advisory_lock($1, hashtext($2))";
    let row = held.client.query_one(sql, &[&NAMES, &name]).await;
    row.and_then(|row| row.try_get(0)).map_err(|error| errors::of(&error))
}

/// Takes the name.
///
/// # Errors
/// [`StoreError::Busy`] if another process has it.
pub(super) async fn take(config: &Config, tls: &Tls, name: &str) -> Result<Held, StoreError> {
    let held = connect(config, tls).await?;
    let began = Instant::now();
    while !try_lock(&held, name).await? {
        if began.elapsed() >= PATIENCE {
            return Err(StoreError::Busy(format!("node.name \"{name}\": a process of this name runs; names differ")));
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok(held)
}

/// Keeps the name until the store is closed.
pub(super) async fn keep(shared: Arc<Shared>, config: Config, tls: Tls, name: String, mut held: Held) {
    loop {
        tokio::select! {
            () = shared.closed.cancelled() => return,
            _ = &mut held.lost => {}
        }
        // Lost with its connection: again, as soon as the server can be reached.
        held = loop {
            tokio::select! {
                () = shared.closed.cancelled() => return,
                () = tokio::time::sleep(AGAIN * 4) => {}
            }
            match connect(&config, &tls).await {
                Ok(held) => {
                    if !matches!(try_lock(&held, &name).await, Ok(true)) {
                        continue;
                    }
                    break held;
                }
                Err(error) => tracing::warn!(%error, "the lock on this node's name is lost for now"),
            }
        };
    }
}
