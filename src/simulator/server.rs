//! Connections: an accept loop that can cut any of them.
//!
//! Job: HTTP/1.1 over plain TCP with a kill switch per connection, so that resets are real. Invariants: a killed
//! connection ends with RST; the control plane is reachable in every outage. Neighbours: `face` pulls the switch.
//! What it does not do: TLS, HTTP/2.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{DownMode, Simulator};

/// How long a new connection may stay silent: headers, or in an outage its first bytes.
const SILENCE: Duration = Duration::from_secs(30);

/// The kill switch of one connection, found in the extensions of its requests.
#[derive(Debug, Default)]
pub(super) struct Connection {
    killed: CancellationToken,
    control: AtomicBool,
}

impl Connection {
    /// Resets the connection; the request on it gets no answer.
    pub(super) fn kill(&self) {
        self.killed.cancel();
    }

    /// Spares the connection when an outage begins: it serves the control plane.
    pub(super) fn is_control(&self) {
        self.control.store(true, Ordering::Relaxed);
    }
}

/// Serves the simulator on `listener` until `shutdown` is ready; open connections end then.
///
/// # Errors
/// None at present: a failed accept is logged and the loop goes on. The type leaves room.
pub async fn serve(listener: TcpListener, simulator: Simulator, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let router = simulator.router();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, simulator.clone(), router.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "the simulator cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
}

/// Drops the connection so that the other side sees a reset.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "no linger to set on a connection that is gone");
    }
}

async fn connection(stream: TcpStream, simulator: Simulator, router: Router) {
    let _unneeded = stream.set_nodelay(true);
    let refusing = simulator.is_down(None).is_some_and(|down| down.mode == DownMode::Refuse);
    if refusing && !asks_for_control(&stream).await {
        return reset(&stream);
    }
    let outage = simulator.outage();
    let switch = Arc::new(Connection::default());
    let seen = Arc::clone(&switch);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&seen));
        answer(router.clone(), request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(SILENCE);
    let mut serving = http.serve_connection(TokioIo::new(stream), service);
    let mut spared = false;
    loop {
        tokio::select! {
            biased;
            () = switch.killed.cancelled() => break,
            () = outage.cancelled(), if !spared => {
                spared = switch.control.load(Ordering::Relaxed);
                if !spared { break; }
            }
            _ended = Pin::new(&mut serving) => return,
        }
    }
    reset(serving.into_parts().io.inner());
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    router.oneshot(request.map(Body::new)).await
}

/// In an outage only the control plane is let in: looks at the request line without taking it.
async fn asks_for_control(stream: &TcpStream) -> bool {
    let mut first = [0_u8; 64];
    match tokio::time::timeout(SILENCE, stream.peek(&mut first)).await {
        Ok(Ok(length)) => {
            String::from_utf8_lossy(&first[..length]).split(' ').nth(1).is_some_and(|path| path.starts_with("/_sim"))
        }
        Ok(Err(_)) | Err(_) => false,
    }
}
