//! Name, TCP and TLS, tried one by one.
//!
//! Job: short connections of their own, so that a probe can say which layer failed. Invariants: one deadline for all
//! layers together; no byte of HTTP is sent. Neighbours: [`super::https`] offers it to [`super::probe`]. What it does not
//! do: judge whose fault it is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::https::io_word;
use super::target::{self, ResolveError, Resolver};
use super::transport::{FORBIDDEN, Layer, LayerCheck, TIMED_OUT};

/// Tries the layers of `url` until one fails or `limit` has passed.
pub(super) async fn check(url: &str, resolver: Resolver, tls: &ClientConfig, limit: Duration) -> Vec<LayerCheck> {
    let deadline = Instant::now() + limit;
    let url = match target::check(url, resolver.allow_local) {
        Ok(url) => url,
        Err(forbidden) => {
            return vec![LayerCheck { layer: Layer::Local, fault: Some(forbidden.to_string()), took: Duration::ZERO }];
        }
    };
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
    let mut checks = Vec::with_capacity(3);
    let mut begun = Instant::now();
    let found = timeout_at(deadline, resolver.addresses(host, port)).await;
    let found = found.map_or_else(|_| Err(TIMED_OUT), |found| found.map_err(|error| dns_word(&error)));
    let Some(addresses) = note(&mut checks, Layer::Dns, begun, found) else { return checks };
    begun = Instant::now();
    let stream = timeout_at(deadline, connect(&addresses)).await;
    let stream = stream.map_or_else(|_| Err(TIMED_OUT), |stream| stream.map_err(|error| io_word(error.kind())));
    let Some(stream) = note(&mut checks, Layer::Tcp, begun, stream) else { return checks };
    if url.scheme() == "https" {
        begun = Instant::now();
        let session = timeout_at(deadline, handshake(host, stream, tls)).await;
        let _session = note(&mut checks, Layer::Tls, begun, session.unwrap_or(Err(TIMED_OUT)));
    }
    checks
}

fn note<T>(checks: &mut Vec<LayerCheck>, layer: Layer, begun: Instant, result: Result<T, &str>) -> Option<T> {
    let took = begun.elapsed();
    match result {
        Ok(value) => {
            checks.push(LayerCheck { layer, fault: None, took });
            Some(value)
        }
        Err(fault) => {
            checks.push(LayerCheck { layer, fault: Some(fault.to_owned()), took });
            None
        }
    }
}

const fn dns_word(error: &ResolveError) -> &'static str {
    match error {
        ResolveError::NotFound(_) => "name not resolved",
        ResolveError::Forbidden => FORBIDDEN,
    }
}

/// The first address that answers; the last error if none does.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn handshake(host: &str, stream: TcpStream, tls: &ClientConfig) -> Result<(), &'static str> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| "host name")?;
    let connector = TlsConnector::from(Arc::new(tls.clone()));
    match connector.connect(name, stream).await {
        Ok(_session) => Ok(()),
        Err(error) => Err(match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => tls_word(tls),
            None => io_word(error.kind()),
        }),
    }
}

/// A few words for an error of TLS; certificates are named because somebody must act on them.
pub(super) const fn tls_word(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(fault) => match fault {
            rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. } => {
                "certificate expired"
            }
            rustls::CertificateError::NotValidYet | rustls::CertificateError::NotValidYetContext { .. } => {
                "certificate not valid yet"
            }
            rustls::CertificateError::NotValidForName | rustls::CertificateError::NotValidForNameContext { .. } => {
                "certificate for another name"
            }
            rustls::CertificateError::UnknownIssuer => "certificate of an unknown issuer",
            rustls::CertificateError::Revoked => "certificate revoked",
            _other => "certificate not valid",
        },
        rustls::Error::AlertReceived(_) => "refused by the server",
        _other => "handshake failed",
    }
}
