//! Until when our TLS certificates are valid: the one of the local API, and the extra roots in `certs/`.
//!
//! Job: read the files and say the earliest end of each. Invariant: the certificate that is *served* counts, not the
//! file: a file that was replaced is not in use before the next start, and the calendar says so. Neighbours: `contract`
//! makes duties of the dates, `jembatan check` findings. What it does not do: verify chains, renew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::config::Config;
use crate::contract::{Certificate, Certificates};

/// A file of certificates is never larger, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Name of the local API's own certificate.
const SERVED: &str = "http.tls";

/// The certificates to look at.
#[derive(Debug, Clone)]
pub struct Watched {
    served: Option<(PathBuf, Result<Timestamp, String>)>,
    folder: Option<PathBuf>,
}

impl Watched {
    /// Reads what is being served now; `folder` holds extra roots (`certs/`).
    #[must_use]
    pub fn new(config: &Config, folder: Option<PathBuf>) -> Self {
        let served = config.http.tls.as_ref().map(|tls| (tls.certificate.clone(), until(&tls.certificate)));
        Self { served, folder }
    }

    /// What the files say now.
    #[must_use]
    pub fn now(&self) -> Certificates {
        let mut seen = Certificates::default();
        if let Some((path, served)) = &self.served {
            own(path, served, &mut seen);
        }
        for path in self.extra() {
            let name = format!("certs/{}", path.file_name().unwrap_or_default().to_string_lossy());
            match until(&path) {
                Ok(not_after) => seen.found.push(Certificate { name, not_after, note: String::new() }),
                Err(why) => seen.unreadable.push(format!("sertifikat {name}: {why}")),
            }
        }
        seen
    }

    /// Every PEM file of the folder that is no key's partner, except the one that is served.
    fn extra(&self) -> BTreeSet<PathBuf> {
        let entries = self.folder.as_ref().and_then(|folder| std::fs::read_dir(folder).ok());
        let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        let served = self.served.as_ref().and_then(|(path, _)| path.canonicalize().ok());
        let is_root = |path: &PathBuf| {
            path.extension().is_some_and(|kind| kind == "pem")
                && !path.with_extension("key").exists()
                && (served.is_none() || path.canonicalize().ok() != served)
        };
        paths.filter(is_root).collect()
    }
}

fn own(path: &Path, served: &Result<Timestamp, String>, seen: &mut Certificates) {
    let now = until(path);
    let name = SERVED.to_owned();
    match (served, &now) {
        (Ok(not_after), Ok(new)) if not_after != new => {
            let note = format!("; berkasnya sudah diganti (sampai {new}): mulai ulang layanan agar dipakai");
            seen.found.push(Certificate { name, not_after: *not_after, note });
        }
        (Ok(not_after), _) => seen.found.push(Certificate { name, not_after: *not_after, note: String::new() }),
        (Err(_), Ok(not_after)) => {
            seen.found.push(Certificate { name, not_after: *not_after, note: String::new() });
        }
        (Err(_), Err(_)) => {}
    }
    if let Err(why) = now {
        seen.unreadable.push(format!("sertifikat {SERVED}: {why}"));
    }
}

/// The earliest end of the certificates in a PEM file: with it the whole chain stops being good.
///
/// # Errors
/// Why it cannot be told, in Indonesian.
pub fn until(path: &Path) -> Result<Timestamp, String> {
    let unread = |error: &dyn std::fmt::Display| format!("{} tidak terbaca ({error})", path.display());
    let size = std::fs::metadata(path).map_err(|error| unread(&error.kind()))?.len();
    if size > FILE_MAX {
        return Err(format!("{} terlalu besar", path.display()));
    }
    let chain = CertificateDer::pem_file_iter(path).map_err(|error| unread(&error))?;
    let mut earliest: Option<Timestamp> = None;
    for der in chain {
        let der = der.map_err(|error| unread(&error))?;
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|_| format!("{} memuat yang bukan sertifikat", path.display()))?;
        let end = Timestamp::from_second(parsed.validity().not_after.timestamp())
            .map_err(|_| format!("{}: akhir masa berlakunya di luar penanggalan", path.display()))?;
        earliest = Some(earliest.map_or(end, |known| known.min(end)));
    }
    earliest.ok_or_else(|| format!("{} tidak memuat sertifikat", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TlsConfig;

    /// A certificate made here that ends on the first of a month.
    fn pem(year: i32, month: u8) -> String {
        let mut wanted = rcgen::CertificateParams::new(vec!["jembatan.test".to_owned()]).unwrap();
        wanted.not_after = rcgen::date_time_ymd(year, month, 1);
        wanted.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn served(path: &Path) -> Config {
        let mut config = Config::default();
        config.http.tls = Some(TlsConfig { certificate: path.to_owned(), key: path.with_extension("key") });
        config
    }

    #[test]
    fn a_chain_ends_with_its_earliest_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        std::fs::write(&path, pem(2027, 5) + &pem(2026, 12)).unwrap();
        assert_eq!(until(&path).unwrap(), at("2026-12-01T00:00:00Z"));
        std::fs::write(&path, pem(2026, 11) + &pem(2026, 12)).unwrap();
        assert_eq!(until(&path).unwrap(), at("2026-11-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_certificate_is_named_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        assert!(until(&path).unwrap_err().contains("tidak terbaca"));
        std::fs::write(&path, "").unwrap();
        assert!(until(&path).unwrap_err().contains("tidak memuat sertifikat"));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(until(&path).unwrap_err().contains("bukan sertifikat"));
    }

    #[test]
    fn the_served_certificate_counts_until_the_restart_and_extra_roots_are_watched_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("local.pem"), pem(2026, 12)).unwrap();
        std::fs::write(file("local.key"), "").unwrap();
        std::fs::write(file("akar.pem"), pem(2028, 1)).unwrap();
        std::fs::write(file("rusak.pem"), "").unwrap();
        std::fs::write(file("catatan.txt"), "").unwrap();
        let watched = Watched::new(&served(&file("local.pem")), Some(folder.path().to_owned()));
        let seen = watched.now();
        let names: Vec<(&str, Timestamp)> = seen.found.iter().map(|one| (one.name.as_str(), one.not_after)).collect();
        let (own, root) = (at("2026-12-01T00:00:00Z"), at("2028-01-01T00:00:00Z"));
        assert_eq!(names, [("http.tls", own), ("certs/akar.pem", root)]);
        assert!(seen.unreadable.len() == 1 && seen.unreadable[0].contains("certs/rusak.pem"), "{seen:?}");
        std::fs::write(file("local.pem"), pem(2027, 12)).unwrap();
        let seen = watched.now();
        assert_eq!(seen.found[0].not_after, own, "the old one is still served");
        assert!(seen.found[0].note.contains("mulai ulang"), "{seen:?}");
        std::fs::remove_file(file("local.pem")).unwrap();
        let seen = watched.now();
        assert_eq!((seen.found[0].not_after, seen.unreadable.len()), (own, 2));
    }

    #[test]
    fn the_one_that_is_served_is_not_watched_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("satu.pem");
        std::fs::write(&path, pem(2026, 12)).unwrap();
        let watched = Watched::new(&served(&path), Some(folder.path().to_owned()));
        assert_eq!(watched.now().found.len(), 1);
        assert_eq!(Watched::new(&Config::default(), None).now(), Certificates::default());
    }
}
