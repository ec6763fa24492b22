//! Defects in what is kept and who may do what: secrets, keys, replay without SQL, midnight.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jembatan::catalogue::Catalogue;
use jembatan::clock::Clock;
use jembatan::config::Config;
use jembatan::secret::{ConsId, Password, SecretKey, UserKey, Username};
use jembatan::simulator::faults::{Fault, Kind};
use jembatan::store::sqlite::{self, SqliteStore};
use jembatan::store::{Sealer, SealingError, StoreError};
use jembatan::vault::{KeyAccess, KeySource, Vault, VaultError};
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

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
    for bridge in [&one, &two] {
        for place in ["state/vault", "jembatan.toml"] {
            let bytes = fs::read(bridge.home().join(place)).unwrap();
            let found = secrets.iter().any(|secret| holds(&bytes, secret.as_bytes()));
            assert!(!found, "a secret in the clear in {place}");
        }
    }
    // The same values under the same names in two vaults: nothing that is sealed is alike, initial vectors included.
    let (first, second) = (sealed(&one), sealed(&two));
    assert!(first.len() > 5 && first.is_disjoint(&second), "{:?}", first.intersection(&second).collect::<Vec<_>>());
    // And once more in one of them, which keeps the version before: neither vector nor ciphertext comes again.
    one.put("pcare.password", &secrets[2]);
    let mut twice = records(&one);
    twice.retain(|record| record.get("name") == Some(&json!("pcare.password")));
    assert_eq!(twice.len(), 2, "{twice:?}");
    assert!(twice[0]["nonce"] != twice[1]["nonce"] && twice[0]["ct"] != twice[1]["ct"], "{twice:?}");
}

/// The program has no credential of its own, and the configuration has no place for one.
#[test]
fn defect_16_no_credential_can_stand_in_the_sources_or_in_the_configuration() {
    // The simulator's are invented, worthless elsewhere, and in the program because it ships the simulator: only there.
    let (at_home, elsewhere): (Vec<_>, Vec<_>) =
        written_credentials().into_iter().partition(|line| line.starts_with("src/simulator/credentials.rs"));
    assert!(at_home.len() >= 8, "the search finds those that are there: {at_home:?}");
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    // A private key in the program would stand there as it does in its file.
    let program = fs::read(env!("CARGO_BIN_EXE_jembatan")).unwrap();
    let lines: Vec<&[u8]> = program.split(|byte| *byte == b'\n').collect();
    let key = lines.windows(2).any(|two| two[0].ends_with(b"PRIVATE KEY-----") && two[1].starts_with(b"MI"));
    assert!(!key, "a private key is built in");
    let bridge = Bridge::stopped(&Setup::default());
    let config = fs::read_to_string(bridge.config()).unwrap();
    let loads = || Config::load(&bridge.config(), std::iter::empty()).is_ok();
    assert!(loads(), "as it is");
    for name in ["cons_id", "secret_key", "user_key", "username", "password"] {
        // The last section is [facility.pcare]: where who writes credentials into a file would write them.
        fs::write(bridge.config(), format!("{config}{name} = \"rahasia\"\n")).unwrap();
        assert!(!loads(), "{name} was taken from the configuration");
    }
}

/// A key that the program brings along, or makes of something known, would be the same wherever that is the same.
#[test]
fn defect_16_every_vault_has_keys_of_its_own_and_they_stand_nowhere_but_in_their_file() {
    let mut one = Bridge::stopped(&Setup { log: "trace", ..Setup::default() });
    let two = Bridge::stopped(&Setup::default());
    let mut drawn = vec![keys(&one), keys(&two)];
    // Once more at the same place, on the same machine, under the same configuration.
    for name in ["kek", "state/vault"] {
        fs::remove_file(two.home().join(name)).unwrap();
    }
    two.cli(&["vault", "init"], "");
    drawn.push(keys(&two));
    assert!(drawn.iter().flatten().all(|key| key.len() == 32));
    let distinct: BTreeSet<&Vec<u8>> = drawn.iter().flatten().collect();
    assert_eq!(distinct.len(), 9, "a key came again");
    // In use, at the loudest log level, while the log beside the database is full, and after the end.
    one.start();
    let id = one.submit(&submission("a", &[daftar(&card(1), yesterday())]));
    assert_eq!(one.finished(&id)["daftar"]["state"], "delivered");
    let mut found = places_of_keys(&one, &drawn[0]);
    one.terminate();
    found.extend(places_of_keys(&one, &drawn[0]));
    assert!(found.is_empty(), "a key stands in {found:?}");
    assert!(one.logs().contains("the bridge is up"), "there was something to search");
    let [kek, ..] = &drawn[0];
    assert!(holds(&fs::read(one.home().join("kek")).unwrap(), &spelled(kek)[0]), "the search finds it where it is");
}

/// With one key for all, whoever has the program reads what any of its users sealed.
#[test]
fn defect_16_what_one_installation_sealed_does_not_open_with_the_keys_of_another() {
    let mut both = [Bridge::up(), Bridge::up()];
    for bridge in &mut both {
        for n in 1..=2 {
            bridge.submit(&submission(&format!("s{n}"), &[daftar(&card(n), yesterday())]));
        }
        bridge.terminate();
    }
    let catalogue = Arc::new(Catalogue::shipped().unwrap());
    let mut vectors = BTreeSet::new();
    for (own, other) in [(&both[0], &both[1]), (&both[1], &both[0])] {
        let rows = rows(own);
        assert_eq!(rows.len(), 2);
        for (id, facility, record) in &rows {
            let open = |bridge: &Bridge| sealer(bridge).open::<Value>(facility, "original", id, record);
            assert!(open(own).unwrap()["noKartu"].is_string(), "it opens with its own key");
            assert_eq!(open(other), Err(SealingError::Unopenable));
            // Twelve bytes, after the version and the algorithm (`store::sealing`).
            vectors.insert(record[2..14].to_vec());
        }
        let path = own.state().join("jembatan.db");
        let settings = sqlite::Settings { path, sealer: sealer(other), catalogue: Arc::clone(&catalogue) };
        let store = SqliteStore::open(settings);
        assert!(matches!(store, Err(StoreError::Unreadable(_))), "{store:?}");
        let key = KeySource::File(other.home().join("kek"));
        let vault = Vault::open(&own.state().join("vault"), &key, KeyAccess::of_process());
        assert!(matches!(vault, Err(VaultError::WrongKey { .. })), "{vault:?}");
    }
    assert_eq!(vectors.len(), 4, "an initial vector came again");
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}

/// The lines of a vault.
fn records(bridge: &Bridge) -> Vec<Map<String, Value>> {
    let vault = fs::read_to_string(bridge.state().join("vault")).unwrap();
    vault.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every text of a vault that is long enough to be a ciphertext, a nonce, a digest or the name of a key.
fn sealed(bridge: &Bridge) -> BTreeSet<String> {
    let values = records(bridge).into_iter().flat_map(|record| record.into_iter().map(|(_, value)| value));
    let texts = values.filter_map(|value| value.as_str().map(str::to_owned));
    texts.filter(|text| text.len() >= 16 && text.parse::<jiff::Timestamp>().is_err()).collect()
}

fn vault(bridge: &Bridge) -> Vault {
    let key = KeySource::File(bridge.home().join("kek"));
    Vault::open(&bridge.state().join("vault"), &key, KeyAccess::of_process()).unwrap()
}

/// The vault's key, the key of rows and the key of look-ups.
fn keys(bridge: &Bridge) -> [Vec<u8>; 3] {
    let vault = vault(bridge);
    let (rows, look_ups) = (vault.store_key().unwrap(), vault.index_key().unwrap());
    [fs::read(bridge.home().join("kek")).unwrap(), rows.expose().to_vec(), look_ups.expose().to_vec()]
}

fn sealer(bridge: &Bridge) -> Sealer {
    let vault = vault(bridge);
    Sealer::new(vault.store_key().unwrap().expose(), vault.index_key().unwrap().expose())
}

/// What was handed in, as it lies in the database: id, facility and the sealed payload.
fn rows(bridge: &Bridge) -> Vec<(String, String, Vec<u8>)> {
    let connection = rusqlite::Connection::open(bridge.state().join("jembatan.db")).unwrap();
    let sql = "SELECT d.id, d.facility, b.original FROM entry_body b JOIN delivery d ON d.id = b.delivery";
    let mut statement = connection.prepare(sql).unwrap();
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    found.map(Result::unwrap).collect()
}

/// How a key may be written down: as it is, in hexadecimal digits, in both alphabets of Base64 (without what fills the
/// last group up), and as a list of numbers, as `Debug` and JSON print it.
fn spelled(key: &[u8]) -> Vec<Vec<u8>> {
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = [STANDARD_NO_PAD.encode(key), URL_SAFE_NO_PAD.encode(key)];
    let lists = [format!("{key:?}"), format!("{key:?}").replace(' ', "")];
    let texts = [digits.to_uppercase(), digits].into_iter().chain(base64).chain(lists);
    std::iter::once(key.to_vec()).chain(texts.map(String::into_bytes)).collect()
}

/// The files of an installation in which one of these keys stands, that of the vault's key itself left out.
fn places_of_keys(bridge: &Bridge, keys: &[Vec<u8>; 3]) -> Vec<String> {
    let spelled: Vec<Vec<u8>> = keys.iter().flat_map(|key| spelled(key)).collect();
    let mut found = Vec::new();
    for folder in [bridge.home().to_owned(), bridge.state()] {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| !path.ends_with("kek")) {
            // Folders, and what the daemon has just put away, have nothing to read.
            let bytes = fs::read(&path).unwrap_or_default();
            if spelled.iter().any(|word| holds(&bytes, word)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// Lines of the program's own sources, tests aside, that make a credential of a text in quotes.
fn written_credentials() -> Vec<String> {
    let kinds = ["ConsId", "SecretKey", "UserKey", "Username", "Password"].map(|kind| format!("{kind}::new(\""));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut found) = (vec![root.join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let is_test = name.contains("/tests") || name.ends_with("testing.rs") || name.ends_with("golden.rs");
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !is_test {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let lines = code.lines().filter(|line| kinds.iter().any(|kind| line.contains(kind)));
                found.extend(lines.map(|line| format!("{name}: {}", line.trim())));
            }
        }
    }
    found
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
