//! The one TLS configuration of the way out.
//!
//! Job: roots (the system's, plus PEM files of the operator), TLS 1.2 and 1.3 on ring. Invariants: there is no code here
//! or elsewhere that accepts a certificate which does not check. Neighbours: [`super::https`] and [`super::layers`] use
//! the same configuration. What it does not do: pinning (off by decision), client certificates, revocation lists.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::https::SetupError;

/// The configuration with the system's roots and those in `extra` (PEM, one or more certificates each). With extra roots
/// a system without any is fine.
pub(super) fn config(extra: &[Vec<u8>]) -> Result<ClientConfig, SetupError> {
    let mut roots = RootCertStore::empty();
    // What cannot be loaded is left out: one broken file of the system must not stop the bridge.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for (index, pem) in extra.iter().enumerate() {
        add(&mut roots, pem).ok_or(SetupError::BadRoot { index })?;
    }
    if roots.is_empty() {
        return Err(SetupError::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| SetupError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// Adds every certificate of a PEM text; `None` if there is none or one is not a certificate.
fn add(roots: &mut RootCertStore, pem: &[u8]) -> Option<()> {
    let mut found = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.ok()?).ok()?;
        found += 1;
    }
    (found > 0).then_some(())
}
