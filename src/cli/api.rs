//! A small client of the daemon's own API, for the commands that need it.
//!
//! Job: one call, one answer as JSON. Invariants: the token is computed from the vault (or read from the file that
//! [`TOKEN_FILE`] names), never an argument and never printed; only the configured address is called, and over TLS only
//! the configured certificate is accepted. Neighbours: every command that talks to the daemon. What it does not do:
//! retry, layout.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use zeroize::Zeroizing;

use super::Language;
use super::root::CliError;
use crate::config::{Config, TlsConfig};
use crate::http::local_operator_token;
use crate::secret::Private;
use crate::vault::{KeyAccess, Vault};

/// A file with the token of an operator (`client add --role operator`), for people who may not read the vault's key.
pub const TOKEN_FILE: &str = "JEMBATAN_TOKEN_FILE";
/// How long a connection to the own machine may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an ordinary call may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// A reconciliation of a month reads thousands of lists at BPJS.
const LONG: Duration = Duration::from_mins(16);
/// What may stand in a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A way to the daemon.
pub struct Api {
    base: String,
    token: Private<Zeroizing<String>>,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    language: Language,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A path with its query.
fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, PLAIN))).collect();
    let mark = if pairs.is_empty() { "" } else { "?" };
    format!("{path}{mark}{}", pairs.join("&"))
}

impl Api {
    /// Prepares to call the daemon that this configuration is for; nothing is called yet.
    ///
    /// # Errors
    /// The vault does not open, or the certificate of `[http.tls]` cannot be read.
    pub fn of(config: &Config, access: KeyAccess, language: Language) -> Result<Self, CliError> {
        Self::with(config, token(config, access)?, language)
    }

    /// The same with a token that is known already.
    ///
    /// # Errors
    /// The certificate of `[http.tls]` cannot be read.
    pub fn with(config: &Config, token: Private<Zeroizing<String>>, language: Language) -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("tokio")?;
        let scheme = if config.http.tls.is_some() { "https" } else { "http" };
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(PATIENCE);
        if let Some(tls) = &config.http.tls {
            builder = builder.tls_backend_preconfigured(pinned(tls)?);
        }
        let http = builder.build().context("HTTP")?;
        let base = format!("{scheme}://{}", reachable(config.http.listen));
        Ok(Self { base, token, http, runtime, language })
    }

    /// Where the daemon is called.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A question.
    ///
    /// # Errors
    /// The daemon does not answer, or answers with a problem.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, CliError> {
        self.call(Method::GET, &with_query(path, query), None, PATIENCE)
    }

    /// A question that is answered with text.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn text(&self, path: &str, query: &[(&str, &str)]) -> Result<String, CliError> {
        let bytes = self.call_raw(Method::GET, &with_query(path, query), None, PATIENCE)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn file(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, CliError> {
        self.call_raw(Method::GET, &with_query(path, query), None, LONG)
    }

    /// An order.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.call(Method::POST, path, Some(body), PATIENCE)
    }

    /// An order that takes minutes.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn post_patiently(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.call(Method::POST, path, Some(body), LONG)
    }

    /// Takes something back.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn delete(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.call(Method::DELETE, path, Some(body), PATIENCE)
    }

    /// Every item of a listing, page by page, at most `most`; and whether there are more.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn all(
        &self,
        path: &str,
        query: &[(&str, &str)],
        most: usize,
    ) -> Result<(Vec<Value>, Option<String>), CliError> {
        let (mut items, mut next): (Vec<Value>, Option<String>) = (Vec::new(), None);
        while items.len() < most {
            let limit = (most - items.len()).min(1000).to_string();
            let mut asked = query.to_vec();
            asked.push(("limit", &limit));
            if let Some(cursor) = next.as_deref() {
                asked.push(("after", cursor));
            }
            let page = self.get(path, &asked)?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            next = page["next"].as_str().map(str::to_owned);
            if next.is_none() {
                break;
            }
        }
        Ok((items, next))
    }

    fn call(&self, method: Method, path: &str, body: Option<&Value>, patience: Duration) -> Result<Value, CliError> {
        let bytes = self.call_raw(method, path, body, patience)?;
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    fn call_raw(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Vec<u8>, CliError> {
        self.runtime.block_on(async {
            let mut request = self.http.request(method, format!("{}{path}", self.base)).timeout(patience);
            request = request.bearer_auth(self.token.expose().as_str());
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body.to_string());
            }
            let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
            let status = answer.status();
            let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
            if status.is_success() {
                Ok(bytes.to_vec())
            } else {
                let value = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
                Err(CliError::Other(anyhow!(problem(status.as_u16(), &value))))
            }
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> CliError {
        if error.is_timeout() && !error.is_connect() {
            let text = match self.language {
                Language::Indonesian => format!(
                    "jembatan di {} belum menjawab; perintahnya mungkin masih dikerjakan: lihat «jembatan status».",
                    self.base
                ),
                Language::English => {
                    format!(
                        "jembatan at {} has not answered; it may still be at work: see `jembatan status`.",
                        self.base
                    )
                }
            };
            return CliError::Unreachable(text);
        }
        CliError::Unreachable(match self.language {
            Language::Indonesian => format!(
                "jembatan tidak menjawab di {}. Jalankan: systemctl start jembatan (atau jembatan serve --config …); \
                 bila tidak mau menyala: jembatan check",
                self.base
            ),
            Language::English => format!(
                "jembatan does not answer at {}. Start it: systemctl start jembatan (or jembatan serve --config …); \
                 if it does not start: jembatan check",
                self.base
            ),
        })
    }
}

/// A path with its query.
/// A token file wins; otherwise who can open the vault is the local operator.
fn token(config: &Config, access: KeyAccess) -> Result<Private<Zeroizing<String>>, CliError> {
    if let Some(path) = std::env::var_os(TOKEN_FILE) {
        let text =
            Zeroizing::new(std::fs::read_to_string(&path).with_context(|| format!("{TOKEN_FILE} {}", path.display()))?);
        return Ok(Private::new(Zeroizing::new(text.trim().to_owned())));
    }
    let vault = Vault::open(&config.vault.path, &config.vault.key, access)?;
    Ok(Private::new(local_operator_token(vault.index_key()?.expose())))
}

/// Where a listener on every address is reached from this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, listen.port())),
        IpAddr::V4(_) | IpAddr::V6(_) => listen,
    }
}

/// A problem document in words: what it says, then every field at fault.
fn problem(status: u16, value: &Value) -> String {
    let mut text = value["detail"].as_str().map_or_else(|| format!("HTTP {status}"), str::to_owned);
    for error in value["errors"].as_array().into_iter().flatten() {
        let (at, detail) =
            (error["pointer"].as_str().unwrap_or_default(), error["detail"].as_str().unwrap_or_default());
        text.push_str(&format!("\n  {at}: {detail}"));
    }
    text
}

/// TLS that accepts the configured certificate and no other, under whatever name it was issued.
fn pinned(tls: &TlsConfig) -> Result<rustls::ClientConfig, CliError> {
    let own = CertificateDer::from_pem_file(&tls.certificate)
        .map_err(|error| anyhow!("{}: {error}", tls.certificate.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .context("TLS")?;
    let verifier = Arc::new(Own { certificate: own, provider });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Verifies that the other side is the one whose certificate lies on this machine.
#[derive(Debug)]
struct Own {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Own {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if end_entity.as_ref() == self.certificate.as_ref() {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General("not the certificate of [http.tls]".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_listener_on_every_address_is_called_on_this_machine() {
        assert_eq!(reachable("0.0.0.0:8077".parse().unwrap()).to_string(), "127.0.0.1:8077");
        assert_eq!(reachable("[::]:8077".parse().unwrap()).to_string(), "[::1]:8077");
        assert_eq!(reachable("10.0.0.5:8077".parse().unwrap()).to_string(), "10.0.0.5:8077");
    }

    #[test]
    fn a_problem_is_told_with_every_field_at_fault() {
        let value = json!({ "detail": "2 isian", "errors": [{ "pointer": "/a", "detail": "wajib" }, { "pointer": "/b", "detail": "teks" }] });
        assert_eq!(problem(422, &value), "2 isian\n  /a: wajib\n  /b: teks");
        assert_eq!(problem(502, &Value::Null), "HTTP 502");
    }
}
