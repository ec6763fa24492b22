//! The network behind the seam: reqwest on rustls and ring, HTTP/1.1.
//!
//! Job: carry one request and one reply, and say exactly how far a failed one got. Invariants: no redirect is followed
//! (signatures must not travel to another host), nothing is repeated, no proxy is taken from the environment, nothing is
//! decompressed, a body is read up to a cap. Neighbours: [`super::transport`] is what it implements, [`super::target`]
//! resolves, `tls` has the roots. What it does not do: signing, judging.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method as HttpMethod, Response, Url};
use tokio::time::Instant;

use super::layers;
use super::target::{self, ResolveError, Resolver};
use super::tls;
use super::transport::{FORBIDDEN, Layer, LayerCheck, REFUSED, Reply, Request, TIMED_OUT, Transport, TransportError};
use crate::catalogue::Method;
use crate::config::RemoteConfig;
use crate::secret::Private;

/// The largest body that is read: BPJS's largest reference lists are a few megabytes.
pub const MAX_BODY: usize = 16 << 20;

/// How long an idle connection is kept for the next read.
const IDLE: Duration = Duration::from_secs(15);

/// Why the network cannot be set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SetupError {
    /// Neither the system nor the operator has root certificates.
    #[error("no root certificates: install ca-certificates, or put a PEM file into certs/")]
    NoRoots,
    /// An extra root is no PEM certificate.
    #[error("extra root certificate {index} (from 0) is not a PEM certificate")]
    BadRoot {
        /// Its place in the list.
        index: usize,
    },
    /// rustls refused its own defaults.
    #[error("TLS cannot be set up")]
    Tls,
    /// reqwest could not be set up.
    #[error("the HTTP client cannot be set up")]
    Client,
}

/// The network.
#[derive(Clone)]
pub struct HttpsTransport {
    /// Keeps connections between calls.
    reads: Client,
    /// Never reuses a connection. A request on a kept connection that BPJS is just closing dies in a way that looks like
    /// any other loss: for a read that is a nuisance, for a write a doubt that costs a look-up. A fresh connection also
    /// makes "failed to connect" the proof that no byte of the request left. TLS sessions are resumed, so the price is
    /// one round trip or two.
    writes: Client,
    tls: rustls::ClientConfig,
    resolver: Resolver,
    connect_timeout: Duration,
    max_body: usize,
}

impl fmt::Debug for HttpsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsTransport").field("allow_local", &self.resolver.allow_local).finish_non_exhaustive()
    }
}

impl HttpsTransport {
    /// Sets the network up. `extra_roots` are PEM texts (the files of `certs/`), in addition to the system's roots:
    /// government hosts often leave intermediates out of their chain.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(config: &RemoteConfig, extra_roots: &[Vec<u8>]) -> Result<Self, SetupError> {
        let tls = tls::config(extra_roots)?;
        let resolver = Resolver { allow_local: config.allow_local };
        let client = |idle: usize| {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .user_agent(concat!("jembatan/", env!("CARGO_PKG_VERSION")))
                .referer(false)
                .http1_only()
                .https_only(!config.allow_local)
                .connect_timeout(config.connect_timeout)
                .pool_max_idle_per_host(idle)
                .pool_idle_timeout(IDLE)
                .tcp_nodelay(true)
                .dns_resolver(resolver)
                .build()
                .map_err(|_| SetupError::Client)
        };
        Ok(Self {
            reads: client(config.concurrency)?,
            writes: client(0)?,
            tls,
            resolver,
            connect_timeout: config.connect_timeout,
            max_body: MAX_BODY,
        })
    }

    /// The same with another cap on bodies, in bytes.
    #[must_use]
    pub const fn with_max_body(mut self, max_body: usize) -> Self {
        self.max_body = max_body;
        self
    }

    async fn exchange(&self, request: Request, begun: Instant) -> Result<Reply, TransportError> {
        let url = target::check(request.url.expose(), self.resolver.allow_local)
            .map_err(|forbidden| not_sent(Layer::Local, &forbidden.to_string()))?;
        let client = match request.method {
            Method::Get => &self.reads,
            Method::Post | Method::Put | Method::Delete => &self.writes,
        };
        let prepared = prepare(client, url, request)?;
        let answer = client.execute(prepared);
        failpoint!(during "send.waiting", answer);
        let response = answer.await.map_err(|error| lost(&error, begun))?;
        self.read(response, begun).await
    }

    async fn read(&self, mut response: Response, begun: Instant) -> Result<Reply, TransportError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| lost_reading(&error, begun))? {
            if body.len() + chunk.len() > self.max_body {
                return Err(TransportError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let headers = response.headers();
        let date = text(headers, &DATE).and_then(http_date);
        Ok(Reply {
            status: response.status().as_u16(),
            date,
            retry_after: text(headers, &RETRY_AFTER).and_then(|value| retry_after(value, date)),
            content_type: text(headers, &CONTENT_TYPE).map(str::to_owned),
            body: Private::new(body),
        })
    }
}

#[async_trait::async_trait]
impl Transport for HttpsTransport {
    async fn send(&self, request: Request) -> Result<Reply, TransportError> {
        self.exchange(request, Instant::now()).await
    }

    async fn layers(&self, url: &Private<String>, limit: Duration) -> Vec<LayerCheck> {
        let limit = limit.min(self.connect_timeout);
        layers::check(url.expose(), self.resolver, &self.tls, limit).await
    }
}

fn not_sent(layer: Layer, detail: &str) -> TransportError {
    TransportError::NotSent { layer, detail: detail.to_owned() }
}

fn prepare(client: &Client, url: Url, request: Request) -> Result<reqwest::Request, TransportError> {
    let method = match request.method {
        Method::Get => HttpMethod::GET,
        Method::Post => HttpMethod::POST,
        Method::Put => HttpMethod::PUT,
        Method::Delete => HttpMethod::DELETE,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::try_from(*name).map_err(|_| not_sent(Layer::Local, "header name"))?;
        let mut value =
            HeaderValue::try_from(value.expose().as_str()).map_err(|_| not_sent(Layer::Local, "header value"))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    let mut builder = client.request(method, url).headers(headers).timeout(request.timeout);
    if let Some(body) = request.body {
        builder = builder.body(body.into_inner());
    }
    builder.build().map_err(|_| not_sent(Layer::Local, "request"))
}

/// Tells how far a request got that failed before an answer began. Only what failed inside the connector is certain:
/// there the request has not been handed to the connection yet.
fn lost(error: &reqwest::Error, begun: Instant) -> TransportError {
    if error.is_builder() {
        return not_sent(Layer::Local, "request");
    }
    if error.is_connect() {
        return of_connect(error);
    }
    lost_reading(error, begun)
}

/// Tells what was lost once the request was on its way.
fn lost_reading(error: &reqwest::Error, begun: Instant) -> TransportError {
    if error.is_timeout() {
        return TransportError::NoAnswer { after: begun.elapsed() };
    }
    let detail = cause(error).map_or("closed before the answer was complete", io_word);
    TransportError::Broken { detail: detail.to_owned() }
}

fn of_connect(error: &reqwest::Error) -> TransportError {
    if let Some(resolve) = find::<ResolveError>(error) {
        return match resolve {
            ResolveError::NotFound(_) => not_sent(Layer::Dns, "name not resolved"),
            ResolveError::Forbidden => not_sent(Layer::Dns, FORBIDDEN),
        };
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return not_sent(Layer::Tls, layers::tls_word(tls));
    }
    // The connector's own timer covers name, TCP and TLS; which one was slow is not told. TCP is by far the likeliest,
    // and the probe looks at each.
    if error.is_timeout() {
        return not_sent(Layer::Tcp, TIMED_OUT);
    }
    match cause(error) {
        // `connect` itself never ends so: the peer took the connection and dropped it during the handshake.
        Some(kind) if is_dropped(kind) => not_sent(Layer::Tls, io_word(kind)),
        Some(kind) => not_sent(Layer::Tcp, io_word(kind)),
        None => not_sent(Layer::Local, "no connection"),
    }
}

const fn is_dropped(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
    )
}

/// The first error of type `E` in the chain.
fn find<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    chain(error).find_map(|current| current.downcast_ref::<E>())
}

/// The kind of the innermost error of the system: the outer ones only wrap it.
fn cause(error: &reqwest::Error) -> Option<io::ErrorKind> {
    chain(error).filter_map(|current| current.downcast_ref::<io::Error>()).last().map(io::Error::kind)
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |current| inner(*current))
}

/// The next error in the chain. rustls' hides inside an `io::Error`, which does not name it as its source.
fn inner<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// A few words for an error of the system.
pub(super) const fn io_word(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => REFUSED,
        io::ErrorKind::TimedOut => TIMED_OUT,
        io::ErrorKind::ConnectionReset => "reset",
        io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => "closed",
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkDown => {
            "unreachable"
        }
        _other => "connection failed",
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`; the two obsolete spellings of HTTP dates are not read.
fn http_date(value: &str) -> Option<Timestamp> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(value).ok()
}

/// Seconds, or a date that is measured by the server's own clock.
fn retry_after(value: &str, date: Option<Timestamp>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    Duration::try_from(http_date(value)?.duration_since(date?)).ok()
}

#[cfg(test)]
mod tests;
