//! What the vault promises, tried on real files.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

const FACILITY: &str = "0114A026";
const OTHER: &str = "0114A027";
const VALUES: [&str; 8] =
    ["11223", "kunci-rahasia", "ukey-pcare", "pengguna", "sandi-lama", "ukey-vc", "ukey-an", "ukey-ic"];

fn now() -> Timestamp {
    "2026-11-21T01:00:00Z".parse().unwrap()
}

/// A way in that fails the test's operation if anybody asks for a passphrase.
fn silent() -> KeyAccess {
    KeyAccess::new(None, |_| Err(io::Error::from(io::ErrorKind::Unsupported)))
}

fn typing(passphrase: &'static str) -> KeyAccess {
    KeyAccess::new(None, move |_| Ok(Zeroizing::new(passphrase.to_owned())))
}

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("vault")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("kek")
    }

    fn source(&self) -> KeySource {
        KeySource::File(self.key())
    }

    fn create(&self) -> Vault {
        Vault::create(&self.path(), &self.source(), silent(), now()).unwrap()
    }

    fn open(&self) -> Result<Vault, VaultError> {
        Vault::open(&self.path(), &self.source(), silent())
    }

    fn filled(&self) -> Vault {
        let vault = self.create();
        for (name, value) in CredentialName::ALL.into_iter().zip(VALUES) {
            vault.put(FACILITY, name, value, now()).unwrap();
        }
        vault
    }
}

#[test]
fn what_was_put_in_comes_out_typed_after_reopening() {
    let place = Place::new();
    place.filled();
    let vault = place.open().unwrap();
    let set = vault.pcare(FACILITY).unwrap();
    let others = [vault.vclaim(FACILITY), vault.antrean_fktp(FACILITY), vault.icare(FACILITY)].map(Result::unwrap);
    let own = [set.cons_id.expose(), set.secret_key.expose(), set.user_key.expose(), set.username.expose()];
    let more = [set.password.expose()].into_iter().chain(others.iter().map(|other| other.user_key.expose()));
    assert_eq!(own.into_iter().chain(more).collect::<Vec<_>>(), VALUES);
    assert!(others.iter().all(|other| (&other.cons_id, &other.secret_key) == (&set.cons_id, &set.secret_key)));
    assert_eq!(set.version, 5);
}

#[test]
fn an_incomplete_set_names_everything_that_is_missing() {
    let place = Place::new();
    let vault = place.create();
    vault.put(FACILITY, CredentialName::ConsId, "11223", now()).unwrap();
    vault.put(OTHER, CredentialName::SecretKey, "x", now()).unwrap();
    let names = vec!["secret_key", "pcare.user_key", "pcare.username", "pcare.password"];
    assert_eq!(vault.pcare(FACILITY), Err(VaultError::Missing { facility: FACILITY.to_owned(), names }));
}

#[test]
fn a_new_value_raises_the_version_and_the_one_before_stays_for_late_answers() {
    let place = Place::new();
    let vault = place.filled();
    let before = vault.pcare(FACILITY).unwrap();
    vault.put(FACILITY, CredentialName::SecretKey, "kunci-baru", now()).unwrap();
    let after = vault.pcare(FACILITY).unwrap();
    assert!(after.version > before.version);
    assert_eq!(after.secret_key, SecretKey::new("kunci-baru"));
    assert_eq!(vault.pcare_at(FACILITY, before.version).unwrap(), before);
    vault.put(FACILITY, CredentialName::SecretKey, "kunci-ketiga", now()).unwrap();
    assert!(matches!(vault.pcare_at(FACILITY, before.version), Err(VaultError::Missing { .. })), "only one is kept");
}

#[test]
fn any_changed_byte_is_refused() {
    let place = Place::new();
    place.filled();
    let original = fs::read(place.path()).unwrap();
    for index in 0..original.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut bytes = original.clone();
            bytes[index] ^= flip;
            fs::write(place.path(), &bytes).unwrap();
            assert!(place.open().is_err(), "byte {index} ^ {flip:02x}");
        }
    }
    fs::write(place.path(), &original).unwrap();
    place.open().unwrap();
}

#[test]
fn cut_swapped_dropped_or_moved_records_are_refused() {
    let place = Place::new();
    place.filled();
    let text = fs::read_to_string(place.path()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let mut dropped = lines.clone();
    dropped.remove(4);
    let mut doubled = lines.clone();
    doubled.insert(4, lines[4]);
    let spaced = text.replace(r#","mac":"#, r#", "mac":"#);
    for bad in [spaced, swapped.concat(), dropped.concat(), doubled.concat(), lines[..5].concat(), String::new()] {
        fs::write(place.path(), bad).unwrap();
        assert!(matches!(place.open(), Err(VaultError::Damaged { .. })));
    }
}

#[test]
fn a_ciphertext_opens_under_its_own_label_only() {
    let key = [7; 32];
    let label = seal::Label {
        purpose: seal::Purpose::Credential,
        facility: FACILITY.into(),
        name: "secret_key".into(),
        version: 3,
        set_at: 5,
    };
    let (nonce, sealed) = seal::seal(&key, "k1", &label, b"v").unwrap();
    assert_eq!(seal::open(&key, "k1", &label, &nonce, &sealed).unwrap().as_slice(), b"v");
    let others = [
        seal::Label { purpose: seal::Purpose::Gateway, ..label.clone() },
        seal::Label { facility: OTHER.into(), ..label.clone() },
        seal::Label { name: "cons_id".into(), ..label.clone() },
        seal::Label { version: 4, ..label.clone() },
        seal::Label { set_at: 6, ..label.clone() },
        // The same bytes run together, cut elsewhere.
        seal::Label { facility: "0114A026s".into(), name: "ecret_key".into(), ..label.clone() },
    ];
    assert!(others.iter().all(|other| seal::open(&key, "k1", other, &nonce, &sealed).is_none()));
    assert!(seal::open(&key, "k2", &label, &nonce, &sealed).is_none());
    assert!(seal::open(&[8; 32], "k1", &label, &nonce, &sealed).is_none());
}

#[test]
fn another_key_is_named_as_wrong_and_a_short_one_as_short() {
    let place = Place::new();
    place.filled();
    fs::write(place.key(), [9; 32]).unwrap();
    assert!(matches!(place.open(), Err(VaultError::WrongKey { .. })));
    fs::write(place.key(), [9; 31]).unwrap();
    assert_eq!(place.open().unwrap_err(), VaultError::KeyLength { place: place.key(), found: 31 });
    fs::remove_file(place.key()).unwrap();
    assert_eq!(place.open().unwrap_err(), VaultError::KeyAbsent { place: place.key() });
}

#[test]
fn files_that_others_may_read_are_refused() {
    let place = Place::new();
    place.filled();
    for path in [place.path(), place.key()] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(place.open().unwrap_err(), VaultError::LoosePermissions { path: path.clone(), mode });
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        place.open().unwrap();
    }
}

#[test]
fn a_vault_is_never_overwritten_by_another_init() {
    let place = Place::new();
    place.filled();
    let again = Vault::create(&place.path(), &place.source(), silent(), now());
    assert_eq!(again.unwrap_err(), VaultError::AlreadyThere { path: place.path() });
    place.open().unwrap().pcare(FACILITY).unwrap();
}

#[test]
fn a_running_handle_sees_what_another_process_puts_in() {
    let place = Place::new();
    let running = place.filled();
    let other = place.open().unwrap();
    other.put(FACILITY, CredentialName::PcarePassword, "sandi-baru", now()).unwrap();
    assert_eq!(running.pcare(FACILITY).unwrap().password, Password::new("sandi-baru"));
    other.rotate(None).unwrap();
    other.put(FACILITY, CredentialName::PcarePassword, "sandi-lagi", now()).unwrap();
    assert_eq!(running.pcare(FACILITY).unwrap().password, Password::new("sandi-lagi"));
    running.check().unwrap();
}

#[test]
fn a_file_spoilt_under_a_running_daemon_is_reported_and_the_last_good_content_stays() {
    let place = Place::new();
    let running = place.filled();
    let good = fs::read(place.path()).unwrap();
    fs::write(place.path(), b"rubbish\n").unwrap();
    assert!(matches!(running.check(), Err(VaultError::Damaged { .. })));
    running.pcare(FACILITY).unwrap();
    assert!(running.put(FACILITY, CredentialName::ConsId, "1", now()).is_err(), "nothing is written over the damage");
    fs::write(place.path(), good).unwrap();
    running.check().unwrap();
}

#[test]
fn two_writers_lose_nothing() {
    let place = Place::new();
    place.create();
    std::thread::scope(|scope| {
        for (facility, handle) in [(FACILITY, place.open().unwrap()), (OTHER, place.open().unwrap())] {
            scope.spawn(move || {
                for (name, value) in CredentialName::ALL.into_iter().zip(VALUES) {
                    handle.put(facility, name, value, now()).unwrap();
                }
            });
        }
    });
    let vault = place.open().unwrap();
    assert_eq!(vault.list().unwrap().len(), 16);
    let versions: std::collections::BTreeSet<u64> = vault.list().unwrap().iter().map(|line| line.version).collect();
    assert_eq!(versions.len(), 16, "every version is unique");
}

#[test]
fn rotation_survives_a_crash_after_every_step() {
    let place = Place::new();
    let vault = place.filled();
    let (old_key, store_key) = (fs::read(place.key()).unwrap(), *vault.store_key().unwrap().expose());
    let intact = |step: &str| {
        let vault = place.open().unwrap_or_else(|error| panic!("{step}: {error}"));
        assert_eq!(vault.pcare(FACILITY).unwrap().password, Password::new("sandi-lama"), "{step}");
        assert_eq!(*vault.store_key().unwrap().expose(), store_key, "{step}: the store stays readable");
    };
    fs::write(disk::beside(&place.key(), ".new"), [1, 2, 3]).unwrap();
    intact("half a successor");
    let kek = rotate::stage(&place.key()).unwrap();
    intact("the successor is written");
    fs::write(disk::beside(&place.path(), ".tmp"), b"half a vault").unwrap();
    intact("half the new vault is written");
    vault.reseal(kek).unwrap();
    assert_eq!(fs::read(place.key()).unwrap(), old_key, "the old key is still there");
    intact("the vault is replaced, the key not yet");
    place.open().unwrap().put(FACILITY, CredentialName::IcareUserKey, "x", now()).unwrap();
    place.open().unwrap().settle(&place.key()).unwrap();
    rotate::stage(&place.key()).unwrap();
    intact("the next rotation crashed too, after it had settled the first");
    place.open().unwrap().rotate(None).unwrap();
    intact("the next rotation finished the crashed one and did its own");
    assert_ne!(fs::read(place.key()).unwrap(), old_key);
    assert!(!disk::beside(&place.key(), ".new").exists());
}

#[test]
fn a_rotation_never_throws_away_the_only_key_in_use() {
    let place = Place::new();
    let vault = place.filled();
    vault.reseal(rotate::stage(&place.key()).unwrap()).unwrap();
    let next = disk::beside(&place.key(), ".new");
    let in_use = fs::read(&next).unwrap();
    vault.rotate(None).unwrap();
    assert_ne!(fs::read(place.key()).unwrap(), in_use);

    vault.reseal(rotate::stage(&place.key()).unwrap()).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o644)).unwrap();
    let in_use = fs::read(&next).unwrap();
    assert!(matches!(vault.rotate(None), Err(VaultError::WrongKey { .. })));
    assert_eq!(fs::read(&next).unwrap(), in_use, "a key that cannot be judged is left alone");
}

#[test]
fn after_a_rotation_the_old_key_opens_nothing_and_older_versions_are_gone() {
    let place = Place::new();
    let vault = place.filled();
    let before = vault.pcare(FACILITY).unwrap().version;
    vault.put(FACILITY, CredentialName::PcarePassword, "sandi-baru", now()).unwrap();
    let old_key = fs::read(place.key()).unwrap();
    assert_eq!(vault.rotate(None).unwrap(), Rotated::KeyReplaced);
    assert!(vault.pcare_at(FACILITY, before).is_err());
    assert_eq!(vault.pcare(FACILITY).unwrap().password, Password::new("sandi-baru"));
    fs::write(place.key(), old_key).unwrap();
    assert!(matches!(place.open(), Err(VaultError::WrongKey { .. })));
}

#[test]
fn a_systemd_credential_is_read_from_its_directory_and_rotates_to_a_named_key() {
    let place = Place::new();
    let directory = place.directory.path().join("credentials");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("jembatan.kek"), [3; 32]).unwrap();
    let source: KeySource = "credential:jembatan.kek".parse().unwrap();
    let access = KeyAccess::new(Some(directory.clone()), |_| Err(io::Error::from(io::ErrorKind::Unsupported)));
    let vault = Vault::create(&place.path(), &source, access.clone(), now()).unwrap();
    assert_eq!(vault.rotate(None), Err(VaultError::RotateNeedsKey));
    let none = Vault::open(&place.path(), &source, silent());
    assert_eq!(none.unwrap_err(), VaultError::NoCredentialsDirectory { name: "jembatan.kek".into() });
    fs::write(place.key(), [4; 32]).unwrap();
    fs::set_permissions(place.key(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(vault.rotate(Some(&place.source())).unwrap(), Rotated::PlaceNewKey);
    assert!(matches!(Vault::open(&place.path(), &source, access.clone()), Err(VaultError::WrongKey { .. })));
    fs::write(directory.join("jembatan.kek"), [4; 32]).unwrap();
    Vault::open(&place.path(), &source, access).unwrap();
}

#[test]
fn a_passphrase_opens_the_vault_and_another_does_not() {
    let place = Place::new();
    let source = KeySource::Prompt;
    let vault = Vault::create(&place.path(), &source, typing("kuda baterai staples"), now()).unwrap();
    vault.put(FACILITY, CredentialName::ConsId, "11223", now()).unwrap();
    Vault::open(&place.path(), &source, typing("kuda baterai staples")).unwrap();
    let wrong = Vault::open(&place.path(), &source, typing("kuda baterai staple"));
    assert!(matches!(wrong, Err(VaultError::WrongKey { .. })));
    assert_eq!(
        Vault::create(&place.directory.path().join("v2"), &source, typing("pendek"), now()).unwrap_err(),
        VaultError::PassphraseRefused
    );
}

#[test]
fn a_sealed_backup_restores_everything_elsewhere_and_opens_with_its_passphrase_only() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let vault = place.filled();
    let out = place.directory.path().join("backup");
    vault.seal_backup(&out, Zeroizing::new("kuda baterai staples".into())).unwrap();
    let bytes = fs::read(&out).unwrap();
    let again = vault.seal_backup(&out, Zeroizing::new("kuda baterai staples".into()));
    assert_eq!(again, Err(VaultError::AlreadyThere { path: out }));
    let wrong = Vault::restore(&elsewhere.path(), &elsewhere.source(), silent(), &bytes, "kuda baterai");
    assert_eq!(wrong.unwrap_err(), VaultError::BackupRefused);
    let restored =
        Vault::restore(&elsewhere.path(), &elsewhere.source(), silent(), &bytes, "kuda baterai staples").unwrap();
    assert_eq!(restored.pcare(FACILITY).unwrap(), vault.pcare(FACILITY).unwrap());
    assert_eq!(restored.store_key().unwrap().expose(), vault.store_key().unwrap().expose());
    assert_eq!(
        backup::import_sealed(&bytes, "kuda baterai staples", OTHER),
        Err(VaultError::ImportEmpty { facility: OTHER.into() })
    );
}

#[test]
fn keys_differ_by_purpose_and_by_vault() {
    let (one, two) = (Place::new().create(), Place::new().create());
    let keys = [&one, &two].map(|vault| (vault.store_key().unwrap(), vault.index_key().unwrap()));
    assert_ne!(keys[0].0.expose(), keys[0].1.expose());
    assert_ne!(keys[0].0.expose(), keys[1].0.expose());
}

#[test]
fn nothing_shows_a_secret() {
    let place = Place::new();
    let vault = place.filled();
    let mut shown = format!("{vault:?} {:?} {:?}", vault.pcare(FACILITY).unwrap(), vault.store_key().unwrap());
    shown += &serde_json::to_string(&vault.list().unwrap()).unwrap();
    shown += &fs::read_to_string(place.path()).unwrap();
    fs::write(place.path(), b"{}").unwrap();
    let faults = [
        vault.check().unwrap_err(),
        vault.put("sandi-lama", CredentialName::ConsId, "1", now()).unwrap_err(),
        vault.put(FACILITY, CredentialName::PcarePassword, "sandi-lama\u{1b}", now()).unwrap_err(),
        "sandi-lama".parse::<CredentialName>().unwrap_err(),
        "sandi-lama".parse::<KeySource>().unwrap_err(),
    ];
    for fault in faults {
        shown += &format!("{fault} {fault:?} {}", fault.indonesian());
    }
    for value in VALUES {
        assert!(!shown.contains(value), "{value} in {shown}");
    }
}

#[test]
fn fingerprints_tell_equal_values_apart_from_others_without_a_bare_hash() {
    let place = Place::new();
    let vault = place.create();
    for facility in [FACILITY, OTHER] {
        vault.put(facility, CredentialName::SecretKey, "sama", now()).unwrap();
    }
    let list = vault.list().unwrap();
    assert_eq!(list[0].fingerprint, list[1].fingerprint);
    assert_eq!(list[0].fingerprint.len(), 8);
    assert!(!hex(&<Sha256 as sha2::Digest>::digest(b"sama")).starts_with(&list[0].fingerprint));
}
