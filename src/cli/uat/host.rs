//! Which hosts an acceptance test may touch.

use anyhow::anyhow;

use crate::cli::bench::Secrets;
use crate::config::{Config, Facility};
use crate::vault::{CredentialName, KeyAccess, Vault};

/// BPJS's development hosts (copies of BPJS's documentation name both).
const DEVELOPMENT: [&str; 2] = ["apijkn-dev.bpjs-kesehatan.go.id", "dvlp.bpjs-kesehatan.go.id"];

/// Refuses every address that is not known to be for tests.
///
/// # Errors
/// A production host, or one nobody knows.
pub(super) fn for_tests_only(base_url: &str, allow_local: bool) -> anyhow::Result<()> {
    let url = reqwest::Url::parse(base_url).map_err(|_| anyhow!("base_url: bukan alamat"))?;
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let local = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if DEVELOPMENT.contains(&host.as_str()) || (local && allow_local) {
        return Ok(());
    }
    Err(anyhow!(
        "{host} bukan server pengembangan BPJS ({}): uji penerimaan tidak pernah menyentuh server produksi.",
        DEVELOPMENT.join(", ")
    ))
}

/// A copy of the facility's P-Care credentials for the daemon of the test.
///
/// # Errors
/// The vault does not open, or something is missing.
pub(super) fn credentials(config: &Config, facility: &Facility) -> anyhow::Result<Secrets> {
    anyhow::ensure!(facility.pcare.is_some(), "{}: P-Care belum dikonfigurasi", facility.code);
    let vault = Vault::open(&config.vault.path, &config.vault.key, KeyAccess::of_process())?;
    let set = vault.pcare(&facility.code)?;
    let own = |value: &str| zeroize::Zeroizing::new(value.to_owned());
    Ok(vec![
        (CredentialName::ConsId, own(set.cons_id.expose())),
        (CredentialName::SecretKey, own(set.secret_key.expose())),
        (CredentialName::PcareUserKey, own(set.user_key.expose())),
        (CredentialName::PcareUsername, own(set.username.expose())),
        (CredentialName::PcarePassword, own(set.password.expose())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_development_hosts_and_where_allowed_this_machine_are_touched() {
        let good = "https://apijkn-dev.bpjs-kesehatan.go.id/pcare-rest-dev";
        assert!(for_tests_only(good, false).is_ok());
        assert!(for_tests_only("http://127.0.0.1:8078/pcare-rest", true).is_ok());
        for bad in [
            "https://apijkn.bpjs-kesehatan.go.id/pcare-rest",
            "https://APIJKN.bpjs-kesehatan.go.id/pcare-rest",
            "https://apijkn-dev.bpjs-kesehatan.go.id.contoh.invalid/pcare-rest",
            "https://contoh.invalid/pcare-rest",
        ] {
            assert!(for_tests_only(bad, true).is_err(), "{bad}");
        }
        assert!(for_tests_only("http://127.0.0.1:8078/pcare-rest", false).is_err());
    }
}
