//! Stands between a caller and the simulator, passes every request on and keeps it as it arrived: method, path, headers,
//! body. The simulator's own log has no paths and no bodies.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Headers of one connection, not of the request.
const OF_THE_CONNECTION: [&str; 4] = ["host", "connection", "content-length", "transfer-encoding"];

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With the query, as on the wire.
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON, null without one.
    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

#[derive(Clone)]
struct Shared {
    to: SocketAddr,
    http: reqwest::Client,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// The recorder; it ends when dropped.
pub(crate) struct Recorder {
    pub(crate) at: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _runtime: Runtime,
}

impl Recorder {
    /// A recorder before the server at `to`.
    pub(crate) fn before(to: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let at = listener.local_addr().unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().fallback(pass).with_state(Shared { to, http, seen: Arc::clone(&seen) });
        runtime.spawn(async move { drop(axum::serve(listener, router).await) });
        Self { at, seen, _runtime: runtime }
    }

    /// What arrived since the last time.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn pass(State(shared): State<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let mut headers = BTreeMap::new();
    let mut onward = shared.http.request(parts.method.clone(), format!("http://{}{path}", shared.to));
    for (name, value) in &parts.headers {
        if !OF_THE_CONNECTION.contains(&name.as_str()) {
            onward = onward.header(name, value);
        }
        headers.insert(name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned());
    }
    let arrived =
        Seen { method: parts.method.to_string(), path, headers, body: String::from_utf8_lossy(&body).into_owned() };
    shared.seen.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
    let nothing = || Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::empty()).unwrap();
    let Ok(answer) = onward.body(body).send().await else { return nothing() };
    let mut back = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !OF_THE_CONNECTION.contains(&name.as_str()) {
            back = back.header(name, value);
        }
    }
    answer.bytes().await.map_or_else(|_| nothing(), |bytes| back.body(Body::from(bytes)).unwrap())
}
