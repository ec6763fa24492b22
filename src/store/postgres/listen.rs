//! Wake-ups between nodes: one connection that listens, and tells the others what this node committed.
//!
//! Telling is not part of the write's transaction: PostgreSQL lets transactions that notify commit only one after the
//! other. So a commit raises a flag, and many of them are told as one. A wake-up that is lost costs the two seconds after which
//! every loop looks by itself.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Config};

use super::tls::Tls;
use super::{Shared, errors};
use crate::store::StoreError;

/// The channel.
const CHANNEL: &str = "jembatan";
/// Between two tries to connect.
const AGAIN: Duration = Duration::from_secs(1);
/// Without another reason everybody is woken so often: a notification may have been lost.
const LOOK_AROUND: Duration = Duration::from_secs(2);

/// Listens and tells until the store is closed; connects again whenever the connection is lost.
pub(super) async fn run(shared: Arc<Shared>, config: Config, tls: Tls) {
    loop {
        tokio::select! {
            () = shared.closed.cancelled() => return,
            told = listen(&shared, &config, &tls) => {
                if let Err(error) = told {
                    tracing::warn!(%error, "the connection that listens is lost: looking every two seconds instead");
                }
            }
        }
        shared.woke();
        shared.turn();
        tokio::select! {
            () = shared.closed.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

async fn listen(shared: &Shared, config: &Config, tls: &Tls) -> Result<(), StoreError> {
    let (client, mut connection) = config.connect(tls.clone()).await.map_err(|error| errors::connecting(&error))?;
    let (heard, mut news) = mpsc::channel(1);
    let own = shared.name.clone();
    let carry = async move {
        loop {
            match poll_fn(|cx| connection.poll_message(cx)).await {
                // One wake-up that waits is as good as many.
                Some(Ok(AsyncMessage::Notification(said))) if said.payload() != own => drop(heard.try_send(())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(errors::of(&error)),
                None => return Err(StoreError::Unavailable("connection closed".to_owned())),
            }
        }
    };
    let talk = async {
        let failed = |error: tokio_postgres::Error| errors::of(&error);
        client.batch_execute(&format!("LISTEN {CHANNEL}")).await.map_err(failed)?;
        // What was committed before is not told any more.
        shared.woke();
        loop {
            shared.turn();
            tokio::select! {
                () = shared.tell.notified() => {
                    client.batch_execute(&format!("NOTIFY {CHANNEL}, '{}'", shared.name)).await.map_err(failed)?;
                }
                Some(()) = news.recv() => shared.woke(),
                () = tokio::time::sleep(LOOK_AROUND) => shared.woke(),
            }
        }
    };
    tokio::select! {
        lost = carry => lost,
        lost = talk => lost,
    }
}
