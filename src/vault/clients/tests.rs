//! The life of a token, and of a gateway client.

use std::io;

use tempfile::TempDir;

use super::*;
use crate::vault::{KeyAccess, KeySource};

const FACILITY: &str = "0114A026";

fn now() -> Timestamp {
    "2026-11-21T01:00:00Z".parse().unwrap()
}

fn days(n: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * n)
}

fn new(name: &str) -> NewClient {
    NewClient { name: name.into(), facilities: vec![FACILITY.into()], role: Role::Sim, kind: None, days: 365 }
}

fn list() -> (TempDir, Clients) {
    let directory = TempDir::new().unwrap();
    let clients = Clients::open(&directory.path().join("vault")).unwrap();
    (directory, clients)
}

fn vault(directory: &TempDir) -> Vault {
    let source = KeySource::File(directory.path().join("kek"));
    let access = KeyAccess::new(None, |_| Err(io::Error::from(io::ErrorKind::Unsupported)));
    Vault::create(&directory.path().join("vault"), &source, access, now()).unwrap()
}

#[test]
fn the_bearer_of_a_token_is_recognised_until_it_expires() {
    let (_directory, clients) = list();
    let grant = clients.add(&NewClient { days: 30, ..new("sim") }, None, now()).unwrap();
    let token = grant.token.expose().as_str();
    assert_eq!(clients.authenticate(token, now()), Ok(grant.client.clone()));
    assert_eq!(clients.authenticate(token, now() + days(30) - SignedDuration::from_secs(1)), Ok(grant.client));
    assert_eq!(clients.authenticate(token, now() + days(30)), Err(TokenError::Expired));
}

#[test]
fn a_token_has_the_documented_shape_and_its_hash_alone_is_kept() {
    let (directory, clients) = list();
    let grant = clients.add(&new("sim"), None, now()).unwrap();
    let token = grant.token.expose().as_str();
    assert!(token.starts_with(&format!("jbt_{}_", grant.client.id)));
    assert_eq!(token.len(), "jbt_".len() + 8 + 1 + 43 + 1 + 8);
    let kept = std::fs::read_to_string(directory.path().join("vault.clients")).unwrap();
    assert!(!kept.contains(&token[13..56]), "the secret part is not in the file");
    assert!(!format!("{grant:?} {clients:?}").contains(&token[13..56]));
}

#[test]
fn every_changed_character_makes_a_token_unknown() {
    let (_directory, clients) = list();
    let grant = clients.add(&new("sim"), None, now()).unwrap();
    let token = grant.token.expose().as_str();
    for index in 0..token.len() {
        let mut other = token.to_owned();
        let replacement = if &token[index..=index] == "a" { "b" } else { "a" };
        other.replace_range(index..=index, replacement);
        assert_eq!(clients.authenticate(&other, now()), Err(TokenError::Unknown), "{index}");
    }
    for other in ["", "jbt_", "jbt___", "Bearer x", "jbt_0_0_00000000", "é_é"] {
        assert_eq!(clients.authenticate(other, now()), Err(TokenError::Unknown));
    }
}

#[test]
fn a_forged_secret_with_a_right_checksum_is_unknown() {
    let (_directory, clients) = list();
    let grant = clients.add(&new("sim"), None, now()).unwrap();
    let forged = make_token(&grant.client.id, &[1; 32]);
    assert_eq!(clients.authenticate(&forged, now()), Err(TokenError::Unknown));
    assert_eq!(clients.authenticate(&make_token("00000000", &[1; 32]), now()), Err(TokenError::Unknown));
}

#[test]
fn another_process_adds_and_revokes_and_a_running_one_knows_at_its_next_question() {
    let (directory, running) = list();
    let other = Clients::open(&directory.path().join("vault")).unwrap();
    let grant = other.add(&new("sim"), None, now()).unwrap();
    let token = grant.token.expose().as_str();
    assert!(running.authenticate(token, now()).is_ok());
    other.revoke("sim", now()).unwrap();
    assert_eq!(running.authenticate(token, now()), Err(TokenError::Revoked));
    assert_eq!(other.revoke("sim", now()), Err(VaultError::ClientUnknown { name: "sim".into() }));
}

#[test]
fn a_name_is_free_again_after_revocation_and_the_old_token_stays_dead() {
    let (_directory, clients) = list();
    let first = clients.add(&new("sim"), None, now()).unwrap();
    assert_eq!(clients.add(&new("sim"), None, now()).unwrap_err(), VaultError::ClientExists { name: "sim".into() });
    clients.revoke("sim", now()).unwrap();
    let second = clients.add(&new("sim"), None, now()).unwrap();
    assert_eq!(clients.authenticate(first.token.expose(), now()), Err(TokenError::Revoked));
    assert!(clients.authenticate(second.token.expose(), now()).is_ok());
    assert_eq!(clients.list().unwrap().len(), 2);
}

#[test]
fn a_gateway_client_is_found_by_its_local_cons_id_until_revoked() {
    let (directory, clients) = list();
    let vault = vault(&directory);
    let grant = clients.add(&new("sim-lama"), Some(&vault), now()).unwrap();
    let local = grant.gateway.clone().unwrap();
    let found = clients.gateway(&vault, local.cons_id.expose(), now()).unwrap();
    assert_eq!(found, (grant.client, local.clone()));
    assert!(local.cons_id.expose().bytes().all(|byte| byte.is_ascii_digit()));
    assert!(!local.username.expose().contains(':') && !local.password.expose().contains(':'));
    let on_disk = std::fs::read_to_string(directory.path().join("vault")).unwrap();
    assert!(!on_disk.contains(local.secret_key.expose()));
    assert_eq!(clients.gateway(&vault, "1", now()).unwrap_err(), TokenError::Unknown);
    assert_eq!(clients.gateway(&vault, local.cons_id.expose(), now() + days(365)).unwrap_err(), TokenError::Expired);
    clients.revoke("sim-lama", now()).unwrap();
    assert_eq!(clients.gateway(&vault, local.cons_id.expose(), now()).unwrap_err(), TokenError::Revoked);
}

#[test]
fn facilities_bind_a_client_and_bad_names_are_refused() {
    let (_directory, clients) = list();
    let both = NewClient { facilities: vec![FACILITY.into(), "0114A027".into()], ..new("vendor") };
    let client = clients.add(&both, None, now()).unwrap().client;
    assert!(client.may_use(FACILITY) && client.may_use("0114A027") && !client.may_use("0114A028"));
    assert_eq!(clients.add(&new("a b"), None, now()).unwrap_err(), VaultError::ClientName);
    for facilities in [vec![], vec!["0114a026".to_owned()]] {
        let bad = NewClient { facilities, ..new("x") };
        assert_eq!(clients.add(&bad, None, now()).unwrap_err(), VaultError::FacilityCode);
    }
}

#[test]
fn a_spoilt_list_is_reported_and_the_last_good_one_stays() {
    let (directory, clients) = list();
    let grant = clients.add(&new("sim"), None, now()).unwrap();
    assert!(clients.authenticate(grant.token.expose(), now()).is_ok());
    std::fs::write(directory.path().join("vault.clients"), b"{").unwrap();
    assert!(matches!(clients.reload_if_changed(), Err(VaultError::Damaged { .. })));
    assert!(clients.authenticate(grant.token.expose(), now()).is_ok());
}

#[test]
fn the_checksum_is_the_common_crc32() {
    // The check value of CRC-32/ISO-HDLC in the catalogue of CRC algorithms.
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn only_a_client_of_the_network_has_a_kind_and_it_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let clients = Clients::open(&folder.path().join("vault")).unwrap();
    let midwife = NewClient { role: Role::Network, kind: Some(Kind::Bidan), ..new("bidan-sari") };
    clients.add(&midwife, None, now()).unwrap();
    clients.add(&new("sim"), None, now()).unwrap();
    let wrong = NewClient { kind: Some(Kind::Bidan), ..new("sim-2") };
    assert_eq!(clients.add(&wrong, None, now()).unwrap_err(), VaultError::ClientKind);
    let kinds: Vec<Option<Kind>> = clients.list().unwrap().into_iter().map(|client| client.kind).collect();
    assert_eq!(kinds, [Some(Kind::Bidan), None]);
}

fn mobile(name: &str) -> NewClient {
    NewClient { role: Role::MobileJkn, ..new(name) }
}

#[test]
fn mobile_jkn_logs_in_with_name_and_password_until_revoked_and_has_no_token() {
    let (directory, clients) = list();
    let grant = clients.add(&mobile("mjkn"), None, now()).unwrap();
    let password = grant.token.expose().as_str();
    assert_eq!(clients.login_remembered("mjkn", password, now()), None, "never seen together");
    assert_eq!(clients.login("mjkn", password, now()).unwrap(), grant.client);
    assert_eq!(clients.login_remembered("mjkn", password, now()), Some(grant.client.clone()));
    for (name, given) in [("mjkn", "salah"), ("mjkn", ""), ("lain", password), ("MJKN", password)] {
        assert_eq!(clients.login(name, given, now()), Err(TokenError::Unknown), "{name}");
        assert_eq!(clients.login_remembered(name, given, now()), None, "{name}");
    }
    assert_eq!(clients.authenticate(password, now()), Err(TokenError::Unknown), "no bearer token");
    assert!(clients.login("mjkn", password, now() + days(4000)).is_ok(), "BPJS cannot be told that it ended");
    let file = std::fs::read_to_string(directory.path().join("vault.clients")).unwrap();
    assert!(file.contains("argon2id") && !file.contains(password));

    // Another process revokes; this one notices at the next question.
    Clients::open(&directory.path().join("vault")).unwrap().revoke("mjkn", now()).unwrap();
    assert_eq!(clients.login("mjkn", password, now()), Err(TokenError::Unknown));
    assert_eq!(clients.login_remembered("mjkn", password, now()), None);
    assert_eq!(clients.mobile_jkn(&grant.client.id, now()), Err(TokenError::Revoked));
    let again = clients.add(&mobile("mjkn"), None, now()).unwrap();
    assert_eq!(clients.login_remembered("mjkn", password, now()), None, "the old password of the same name");
    assert!(clients.mobile_jkn(&again.client.id, now()).is_ok());
}

#[test]
fn a_user_name_of_mobile_jkn_is_one_facilitys() {
    let (_directory, clients) = list();
    let two = NewClient { facilities: vec![FACILITY.into(), "0114A027".into()], ..mobile("mjkn") };
    assert_eq!(clients.add(&two, None, now()).unwrap_err(), VaultError::OneFacility);
    let sim = clients.add(&new("sim"), None, now()).unwrap();
    assert_eq!(clients.mobile_jkn(&sim.client.id, now()), Err(TokenError::Unknown), "a SIM is not Mobile JKN");
}
