//! Defects in what is kept and who may do what: secrets, keys, replay without SQL, midnight.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use jembatan::clock::Clock;
use jembatan::secret::{ConsId, Password, SecretKey, UserKey, Username};
use jembatan::simulator::faults::{Fault, Kind};
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::bridge::{Bridge, FACILITY, Setup, card, daftar, submission, yesterday};

fn id_of(entry: &Value) -> String {
    entry["id"].as_str().unwrap_or_default().to_owned()
}

/// An entry that stood wrong could be set right only with SQL.
#[test]
fn defect_14_every_state_is_left_by_command_and_the_log_names_who_did_it() {
    let bridge = Bridge::with(&Setup { settle_ms: 60_000, ..Setup::default() });
    let day = yesterday();
    let mut done = BTreeSet::new();
    let mut act = |command: &[&str]| {
        let mut all = vec!["queue"];
        all.extend_from_slice(command);
        all.extend_from_slice(&["--reason", "uji"]);
        bridge.cli(&all, "");
        done.insert(format!("delivery.{}", command[0]));
    };
    bridge.pause(FACILITY, true);
    let waiting = bridge.submit(&submission("a", &[daftar(&card(1), day)]));
    let id = id_of(&bridge.entries(&waiting)["daftar"]);
    act(&["hold", &id]);
    assert_eq!(bridge.entries(&waiting)["daftar"]["state"], "held");
    act(&["release", &id]);
    act(&["cancel", &id]);
    assert_eq!(bridge.entries(&waiting)["daftar"]["state"], "cancelled");
    bridge.pause(FACILITY, false);

    let mut wrong = daftar(&card(2), day);
    wrong["payload"]["kdPoli"] = json!("999");
    let refused = bridge.submit(&submission("b", &[wrong]));
    let id = id_of(&bridge.entry_in(&refused, "daftar", "refused"));
    act(&["retry", &id]);
    bridge.entry_in(&refused, "daftar", "refused");
    let mended = bridge.home().join("isi.json");
    fs::write(&mended, daftar(&card(2), day)["payload"].to_string()).unwrap();
    act(&["amend", &id, "--payload", mended.to_str().unwrap()]);
    assert_eq!(bridge.entry_in(&refused, "daftar", "delivered")["how"], "accepted");

    bridge.fault(Fault::new("pcare.pendaftaran.add", Kind::LandThenReset).times(1));
    let unknown = bridge.submit(&submission("c", &[daftar(&card(3), day)]));
    let id = id_of(&bridge.entry_in(&unknown, "daftar", "unanswered"));
    act(&["resolve", &id, "--verdict", "adopt", "--id", "noUrut=A9"]);
    assert_eq!(bridge.entries(&unknown)["daftar"]["how"], "adopted");

    let log = bridge.get("/v1/audit?limit=1000");
    for action in done {
        let line = log["items"].as_array().unwrap().iter().find(|line| line["action"] == json!(action));
        let line = line.unwrap_or_else(|| panic!("{action} is not in the log: {log:#}"));
        assert!(line["actor"].as_str().is_some_and(|actor| !actor.is_empty()), "{line:#}");
    }
    let (code, out, err) = bridge.cli_says(&["audit", "verify"], "");
    assert_eq!(code, Some(0), "{out}{err}");
}

/// A key and an initial vector written into the program.
#[test]
fn defect_16_no_secret_stands_in_program_or_configuration_and_no_two_vaults_are_sealed_alike() {
    let (one, two) = (Bridge::stopped(&Setup::default()), Bridge::stopped(&Setup::default()));
    let theirs = one.simulator.credentials();
    let secrets = [theirs.secret_key.expose(), theirs.pcare.expose(), theirs.password.expose()].map(str::to_owned);
    let read = |bridge: &Bridge, name: &str| fs::read(bridge.home().join(name)).unwrap();
    let holds = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    let program = fs::read(env!("CARGO_BIN_EXE_jembatan")).unwrap();
    let key = read(&one, "kek");
    assert!(key.len() == 32 && !holds(&program, &key), "the vault's key is in the program");
    for bridge in [&one, &two] {
        let (vault, config) = (read(bridge, "state/vault"), read(bridge, "jembatan.toml"));
        for secret in &secrets {
            for (place, bytes) in [("vault", &vault), ("configuration", &config)] {
                assert!(!holds(bytes, secret.as_bytes()), "a secret in the clear in the {place}");
            }
        }
    }
    // The same values under the same names in two vaults, and once more in one of them: nothing that is sealed is alike.
    let (first, second) = (sealed(&one), sealed(&two));
    assert!(first.len() > 5 && first.is_disjoint(&second), "{:?}", first.intersection(&second).collect::<Vec<_>>());
    one.put("pcare.password", &secrets[2]);
    let fresh = sealed(&one).difference(&first).count();
    assert!(fresh >= 2, "the same value under the same key: {fresh} new texts");
}

/// Every text of a vault that is long enough to be a ciphertext, a nonce, a digest or the name of a key.
fn sealed(bridge: &Bridge) -> BTreeSet<String> {
    let vault = fs::read_to_string(bridge.state().join("vault")).unwrap();
    let lines = vault.lines().map(|line| serde_json::from_str::<serde_json::Map<String, Value>>(line).unwrap());
    let texts = lines.flat_map(|line| line.into_iter().filter_map(|(_, value)| value.as_str().map(str::to_owned)));
    texts.filter(|text| text.len() >= 16 && text.parse::<jiff::Timestamp>().is_err()).collect()
}

/// The user key was the secret key.
#[test]
fn defect_18_user_key_secret_key_and_password_are_different_things() {
    fn kind<T: 'static>(_: fn(&'static str) -> T) -> std::any::TypeId {
        std::any::TypeId::of::<T>()
    }
    let kinds = [kind(UserKey::new), kind(SecretKey::new), kind(ConsId::new), kind(Username::new), kind(Password::new)];
    assert_eq!(kinds.iter().collect::<std::collections::HashSet<_>>().len(), kinds.len(), "types of their own");
    // And a bridge that was given the secret key as user key is told so, not served.
    let bridge = Bridge::stopped(&Setup::default());
    let secret = bridge.simulator.credentials().secret_key.expose().to_owned();
    bridge.put("pcare.user_key", &secret);
    let mut bridge = bridge;
    bridge.start();
    let id = bridge.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    let waits = bridge.entry_when(&id, "daftar", |one| one["blocked_by"]["kind"] == "credentials");
    assert_eq!(waits["state"], "waiting", "{waits:#}");
    let user_key = bridge.simulator.credentials().pcare.expose().to_owned();
    bridge.put("pcare.user_key", &user_key);
    assert_eq!(bridge.finished(&id)["daftar"]["state"], "delivered");
}

/// Over midnight the same thing was one class or the other, by chance.
#[test]
fn defect_21_an_entry_of_the_last_minute_stays_an_entry_of_its_day() {
    let zone = TimeZone::get("Asia/Makassar").unwrap();
    let day = date(2026, 3, 2);
    let start = day.at(23, 59, 50, 0).to_zoned(zone).unwrap();
    let mut bridge = Bridge::stopped(&Setup { clock: Clock::starting(start.timestamp()), ..Setup::default() });
    bridge.start_inside();
    bridge.pause(FACILITY, true);
    let mut before = daftar(&card(1), day);
    before["occurred_at"] = json!("2026-03-02T23:59:30+08:00");
    let early = bridge.submit(&submission("sebelum", &[before.clone()]));
    let dated = bridge.entries(&early)["daftar"].clone();
    assert_eq!((&dated["late"], &dated["deadline"]["late"]), (&json!(false), &json!("2026-03-02T23:59:59.999+08:00")));
    bridge.clock.advance(Duration::from_secs(30));
    // Handed in again after midnight it is the same entry, with the same dates; the day is what is over.
    let again = bridge.submit(&submission("sebelum", &[before]));
    assert_eq!(again, early);
    let after = bridge.entries(&early)["daftar"].clone();
    assert_eq!(after["deadline"], dated["deadline"]);
    assert_eq!(after["late"], true, "its day is over: {after:#}");
    let mut next = daftar(&card(2), day.tomorrow().unwrap());
    next["occurred_at"] = json!("2026-03-03T00:00:05+08:00");
    let late = bridge.submit(&submission("sesudah", &[next]));
    let tomorrow = bridge.entries(&late)["daftar"].clone();
    assert_eq!(tomorrow["deadline"]["late"], "2026-03-03T23:59:59.999+08:00");
    bridge.pause(FACILITY, false);
    assert_eq!(bridge.finished(&early)["daftar"]["state"], "delivered");
    let dates = |list: &[Value]| list.iter().map(|one| one["content"]["tglDaftar"].clone()).collect::<Vec<_>>();
    assert!(dates(&bridge.ledger("pendaftaran")).contains(&json!("02-03-2026")), "{:#?}", bridge.ledger("pendaftaran"));
}
