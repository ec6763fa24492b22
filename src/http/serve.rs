//! The accept loop: bounded in connections, time and header size.
//!
//! `axum::serve` has no header timeout at all and hyper's own is inert without a timer (docs/security.md), so that a
//! handful of silent connections would shut the door. Here every connection has a timer, a peer has a share, and a stop
//! lets running requests end.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::config::HttpLimits;

/// Largest header block, in bytes.
const HEADERS_MAX: usize = 16 * 1024;
/// Most headers in one request.
const HEADER_COUNT_MAX: usize = 64;
/// How long running requests may take to end after the stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often a loop that nobody calls shows that it is awake.
const AWAKE: Duration = Duration::from_secs(1);
/// The pause after a failed accept (no file descriptors left), so that the loop does not spin.
const BREATH: Duration = Duration::from_millis(50);

/// Serves `app` on `listener` until `shutdown`, then waits for running requests, at most ten seconds. `beat` is called
/// whenever the loop took a connection, or waited for one for a while; not while it can take none.
///
/// # Errors
/// If the listener is not usable.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    app: Router,
    limits: &HttpLimits,
    beat: &(dyn Fn() + Send + Sync),
    shutdown: CancellationToken,
) -> io::Result<()> {
    listener.local_addr()?;
    let tls = tls.map(TlsAcceptor::from);
    let (doors, tasks) = (Doors::new(limits), TaskTracker::new());
    loop {
        failpoint!(await "loop.api");
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
            () = tokio::time::sleep(AWAKE) => {
                beat();
                continue;
            }
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        beat();
        // Over the limit the connection is closed at once: waiting would only move the queue into the kernel.
        let Some(place) = doors.enter(peer.ip()) else { continue };
        let (app, tls, shutdown, patience) = (app.clone(), tls.clone(), shutdown.clone(), limits.header_timeout);
        tasks.spawn(async move {
            let _place = place;
            greet(stream, peer, tls, app, patience, shutdown).await;
        });
    }
    drop(listener);
    tasks.close();
    let _all_gone = tokio::time::timeout(FAREWELL, tasks.wait()).await;
    Ok(())
}

async fn greet(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    app: Router,
    patience: Duration,
    shutdown: CancellationToken,
) {
    let _without_it_answers_are_only_slower = stream.set_nodelay(true);
    match tls {
        None => converse(stream, peer, app, patience, shutdown).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(patience, tls.accept(stream)).await {
                converse(stream, peer, app, patience, shutdown).await;
            }
        }
    }
}

async fn converse<S>(stream: S, peer: SocketAddr, app: Router, patience: Duration, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let app = app.map_request(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEADERS_MAX)
        .max_headers(HEADER_COUNT_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    tokio::pin!(connection);
    tokio::select! {
        _broken_connections_are_the_peers_affair = connection.as_mut() => return,
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}

/// Counts who is inside.
#[derive(Clone)]
struct Doors {
    inside: Arc<Mutex<HashMap<IpAddr, usize>>>,
    all: usize,
    per_peer: usize,
}

struct Place {
    doors: Doors,
    peer: IpAddr,
}

impl Doors {
    fn new(limits: &HttpLimits) -> Self {
        Self { inside: Arc::default(), all: limits.connections, per_peer: limits.connections_per_peer }
    }

    fn enter(&self, peer: IpAddr) -> Option<Place> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let own = inside.get(&peer).copied().unwrap_or(0);
        if own >= self.per_peer || inside.values().sum::<usize>() >= self.all {
            return None;
        }
        inside.insert(peer, own + 1);
        Some(Place { doors: self.clone(), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.doors.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let left = inside.get(&self.peer).map_or(0, |own| own.saturating_sub(1));
        if left == 0 {
            inside.remove(&self.peer);
        } else {
            inside.insert(self.peer, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_a_share_and_leaving_gives_it_back() {
        let doors = Doors::new(&HttpLimits { connections: 3, connections_per_peer: 2, ..HttpLimits::default() });
        let (one, two) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let (first, _second) = (doors.enter(one).unwrap(), doors.enter(one).unwrap());
        assert!(doors.enter(one).is_none(), "its share is used up");
        let _third = doors.enter(two).unwrap();
        assert!(doors.enter(two).is_none(), "the house is full");
        drop(first);
        assert!(doors.enter(two).is_some());
    }
}
