//! One HTTP/1.1 exchange written by hand, so that header names go out in the case they were given.
//!
//! Job: send one request on a connection of its own, read the whole answer. Invariants: bounded in size and time; over
//! TLS the certificate is verified against the system's roots and those that are given. Neighbours: `scenes` calls. What
//! it does not do: redirects, keep-alive, retries.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The largest answer read, in bytes.
const LARGEST: u64 = 1 << 20;

/// The service that is called.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    host: String,
    port: u16,
    base: String,
    tls: Option<Arc<ClientConfig>>,
}

/// One request. `Debug` is not given: headers carry passwords and tokens.
pub(crate) struct Ask<'a> {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, &'a str)>,
    pub(crate) body: Option<Value>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    /// The body as JSON; null where it is none.
    pub(crate) json: Value,
}

impl Wire {
    /// Prepares to call the service below `url` (`http://…` or `https://…`).
    ///
    /// # Errors
    /// A sentence: the address is none, or TLS cannot be set up.
    pub(crate) fn new(url: &str, trusted: Vec<CertificateDer<'static>>) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "the URL cannot be read".to_owned())?;
        let host = uri.host().ok_or("the URL names no host")?.to_owned();
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("the URL must begin with http:// or https://".to_owned()),
        };
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let base = uri.path().trim_end_matches('/').to_owned();
        let tls = if secure { Some(Arc::new(tls(trusted)?)) } else { None };
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, base, tls })
    }

    /// One exchange.
    ///
    /// # Errors
    /// Whatever the network says, or what came is no HTTP answer.
    pub(crate) async fn call(&self, ask: &Ask<'_>) -> Result<Got, Error> {
        let exchange = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            let head = self.head(ask);
            match &self.tls {
                None => exchange(stream, &head).await,
                Some(config) => {
                    let name = ServerName::try_from(self.host.clone()).map_err(Error::other)?;
                    let stream = tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
                    exchange(stream, &head).await
                }
            }
        };
        tokio::time::timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    fn head(&self, ask: &Ask<'_>) -> String {
        let body = ask.body.as_ref().map(Value::to_string).unwrap_or_default();
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let mut head = format!("{} {}{} HTTP/1.1\r\nHost: {host}:{}\r\n", ask.method, self.base, ask.path, self.port);
        for (name, value) in &ask.headers {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        if ask.body.is_some() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head + "Connection: close\r\n\r\n" + &body
    }
}

fn tls(trusted: Vec<CertificateDer<'static>>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in trusted {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Result<Got, Error> {
    stream.write_all(request.as_bytes()).await?;
    let mut raw = Vec::new();
    let read = stream.take(LARGEST).read_to_end(&mut raw).await;
    // A server that does not say goodbye in TLS has still answered.
    if let Err(error) = read
        && (raw.is_empty() || error.kind() != ErrorKind::UnexpectedEof)
    {
        return Err(error);
    }
    answer(&raw).ok_or_else(|| Error::new(ErrorKind::InvalidData, "no HTTP answer"))
}

fn answer(raw: &[u8]) -> Option<Got> {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = raw.split_at_checked(end + 4)?;
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.lines().any(|line| line.starts_with("transfer-encoding:") && line.contains("chunked"));
    let body = if chunked { unchunked(body)? } else { body.to_vec() };
    Some(Got { status, json: serde_json::from_slice(&body).unwrap_or_default() })
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..line)?).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = rest.get(line + 2..)?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size.checked_add(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whole_or_in_chunks_and_nothing_else_is_one() {
        let whole = answer(b"HTTP/1.1 201 X\r\nContent-Length: 8\r\n\r\n{\"a\": 1}").unwrap();
        assert_eq!((whole.status, &whole.json["a"]), (201, &serde_json::json!(1)));
        let pieces = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n4;x=y\r\n: 1}\r\n0\r\n\r\n";
        assert_eq!(answer(pieces).unwrap().json["a"], 1);
        assert!(answer(b"HTTP/1.1 200 OK\r\n").is_none());
        assert!(answer(b"bukan http\r\n\r\n").is_none());
        let cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}";
        assert!(answer(cut).is_none(), "cut in a chunk");
    }

    #[test]
    fn header_names_go_out_as_they_were_given() {
        let wire = Wire::new("http://127.0.0.1:81/antrean/", Vec::new()).unwrap();
        let ask = Ask { method: "GET", path: "/auth".to_owned(), headers: vec![("X-USERNAME", "a")], body: None };
        assert_eq!(
            wire.head(&ask),
            "GET /antrean/auth HTTP/1.1\r\nHost: 127.0.0.1:81\r\nX-USERNAME: a\r\nConnection: close\r\n\r\n"
        );
        assert!(Wire::new("ftp://x/", Vec::new()).is_err());
    }
}
