//! The seam to the network: one request out, one reply back, nothing hidden.
//!
//! Job: the types that cross the seam, and the trait behind which the network or the deterministic simulation stands.
//! Invariants: `Debug` of nothing here shows a URL, a header value or a body; [`TransportError`] tells apart what is
//! certain (no byte of the request left) from what is not. Neighbours: [`super::client`] calls, [`super::https`] and the
//! simulation implement. What it does not do: signing, judging.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::catalogue::Method;
use crate::secret::Private;
use crate::words::words;

/// One HTTP request, complete.
pub struct Request {
    /// The method; anything but GET gets a connection of its own.
    pub method: Method,
    /// The whole address. Personal data: P-Care's paths hold card numbers.
    pub url: Private<String>,
    /// Headers in the order they are sent; names as BPJS spells them.
    pub headers: Vec<(&'static str, Private<String>)>,
    /// The body; without one no `Content-Length` is sent.
    pub body: Option<Private<String>>,
    /// For everything: name, connection, request, whole answer.
    pub timeout: Duration,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

/// One HTTP answer, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The `Date` header: BPJS's clock, whole seconds.
    pub date: Option<Timestamp>,
    /// The `Retry-After` header, as a wait from the moment of the answer.
    pub retry_after: Option<Duration>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// The body.
    pub body: Private<Vec<u8>>,
}

words! {
    /// Where a connection failed before the request could be sent.
    Layer {
        /// The name was not resolved, or to an address that may not be called.
        Dns = "dns",
        /// No TCP connection.
        Tcp = "tcp",
        /// No TLS session: certificate, version or handshake.
        Tls = "tls",
        /// This program could not even begin (address, header, file descriptors).
        Local = "local",
    }
}

/// `detail` of a TCP failure that the other side answered: its machine is there, its service is not.
pub const REFUSED: &str = "refused";
/// `detail` of a failure by waiting.
pub const TIMED_OUT: &str = "timed out";
/// `detail` of a name whose addresses may not be called.
pub const FORBIDDEN: &str = "forbidden address";

/// How a request ended without an answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransportError {
    /// Certain: no byte of the request left.
    #[error("{layer}: {detail}")]
    NotSent {
        /// Where it failed.
        layer: Layer,
        /// Why, in a few English words without address or content.
        detail: String,
    },
    /// The time ran out when the request was, or may have been, on its way.
    #[error("no answer after {after:?}")]
    NoAnswer {
        /// How long was waited.
        after: Duration,
    },
    /// The connection was lost when the request was, or may have been, on its way.
    #[error("connection lost: {detail}")]
    Broken {
        /// Why, without address or content.
        detail: String,
    },
    /// An answer came and was larger than is read.
    #[error("the answer is larger than allowed")]
    TooLarge,
}

/// What was found on one layer below HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LayerCheck {
    /// The layer.
    pub layer: Layer,
    /// Why it failed, in a few English words; `None` if it works.
    pub fault: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Something that carries requests to BPJS: the network, or a simulation of it.
#[async_trait::async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request once and waits for the whole answer.
    ///
    /// # Errors
    /// [`TransportError`]; whoever cannot tell whether bytes left must not say [`TransportError::NotSent`].
    async fn send(&self, request: Request) -> Result<Reply, TransportError>;

    /// Tries name, TCP and TLS of `url` one by one within `limit`, stopping at the first that fails. A transport without
    /// such layers finds nothing.
    async fn layers(&self, _url: &Private<String>, _limit: Duration) -> Vec<LayerCheck> {
        Vec::new()
    }
}
