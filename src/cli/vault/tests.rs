//! The vault and client commands, from arguments to words.

use std::fs;
use std::io;

use clap::Parser;
use tempfile::TempDir;

use super::*;
use crate::cli::client::{self, ClientArgs};
use crate::vault::{Clients, TokenError};

#[derive(Debug, Parser)]
struct VaultLine {
    #[command(flatten)]
    args: VaultArgs,
}

#[derive(Debug, Parser)]
struct ClientLine {
    #[command(flatten)]
    args: ClientArgs,
}

/// What a command printed.
#[derive(Debug)]
struct Said {
    output: String,
    errors: String,
}

struct Desk {
    directory: TempDir,
    place: VaultConfig,
}

fn now() -> Timestamp {
    "2026-11-21T01:00:00Z".parse().unwrap()
}

fn access() -> KeyAccess {
    KeyAccess::new(None, |_| Err(io::Error::from(io::ErrorKind::Unsupported)))
}

impl Desk {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let key = KeySource::File(directory.path().join("kek"));
        let place = VaultConfig { path: directory.path().join("vault"), key };
        Self { directory, place }
    }

    fn with_vault() -> Self {
        let desk = Self::new();
        desk.vault("init", b"").unwrap();
        desk
    }

    fn run(input: &[u8], command: impl FnOnce(&mut Console<'_>) -> Result<(), VaultError>) -> Result<Said, VaultError> {
        let (mut input, mut output, mut errors) = (input, Vec::new(), Vec::new());
        let mut console = Console {
            input: &mut input,
            input_is_terminal: false,
            output: &mut output,
            errors: &mut errors,
            language: Language::Indonesian,
        };
        command(&mut console)?;
        Ok(Said { output: String::from_utf8(output).unwrap(), errors: String::from_utf8(errors).unwrap() })
    }

    fn vault(&self, line: &str, input: &[u8]) -> Result<Said, VaultError> {
        let args = VaultLine::try_parse_from(format!("vault {line}").split_whitespace()).unwrap().args;
        Self::run(input, |console| run(&args, &self.place, access(), now(), console))
    }

    fn client(&self, line: &str) -> Result<Said, VaultError> {
        let args = ClientLine::try_parse_from(format!("client {line}").split_whitespace()).unwrap().args;
        Self::run(b"", |console| client::run(&args, &self.place, access(), now(), console))
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn open(&self) -> Vault {
        Vault::open(&self.place.path, &self.place.key, access()).unwrap()
    }
}

#[test]
fn init_says_in_one_line_what_protects_the_key_and_never_overwrites() {
    let desk = Desk::new();
    let said = desk.vault("init", b"").unwrap();
    assert_eq!(said.output.lines().count(), 2);
    assert!(said.output.contains("TIDAK aman dari disk curian"), "{}", said.output);
    assert_eq!(fs::read(desk.file("kek")).unwrap().len(), 32);
    assert!(matches!(desk.vault("init", b""), Err(VaultError::AlreadyThere { .. })));
}

#[test]
fn put_takes_standard_input_without_its_one_newline_and_prints_no_value() {
    for input in [&b"rahasia-sekali"[..], b"rahasia-sekali\n", b"rahasia-sekali\r\n"] {
        let desk = Desk::with_vault();
        let said = desk.vault("put --facility 0114A026 secret_key", input).unwrap();
        assert_eq!(said.output, "0114A026 secret_key: disimpan, versi 1\n");
        desk.vault("put --facility 0114A026 cons_id", b"1").unwrap();
        desk.vault("put --facility 0114A026 vclaim.user_key", b"u").unwrap();
        assert_eq!(desk.open().vclaim("0114A026").unwrap().secret_key.expose(), "rahasia-sekali");
    }
}

#[test]
fn put_refuses_what_cannot_be_a_credential() {
    let desk = Desk::with_vault();
    let cases: [(&str, &[u8], ValueFault); 6] = [
        ("secret_key", b"", ValueFault::Empty),
        ("secret_key", b"\n", ValueFault::Empty),
        ("secret_key", b"a\n\n", ValueFault::Control),
        ("secret_key", b"a\x1b[2J", ValueFault::Control),
        ("secret_key", b"\xff\xfe", ValueFault::NotText),
        ("pcare.username", b"a:b", ValueFault::Colon),
    ];
    for (name, input, fault) in cases {
        let refused = desk.vault(&format!("put --facility 0114A026 {name}"), input).unwrap_err();
        assert!(matches!(refused, VaultError::Value { why, .. } if why == fault), "{refused}");
    }
    assert!(matches!(desk.vault("put --facility 0114A026 sandi", b"x"), Err(VaultError::UnknownName { .. })));
    assert_eq!(desk.vault("put --facility 114A026 cons_id", b"x").unwrap_err(), VaultError::FacilityCode);
    assert_eq!(desk.open().list().unwrap(), []);
}

#[test]
fn a_colon_in_the_password_is_kept_with_a_warning() {
    let desk = Desk::with_vault();
    let said = desk.vault("put --facility 0114A026 pcare.password", b"rahasia:sekali").unwrap();
    assert!(said.errors.contains("titik dua") && !said.errors.contains("rahasia"), "{}", said.errors);
}

#[test]
fn list_shows_names_versions_and_fingerprints_only() {
    let desk = Desk::with_vault();
    desk.vault("put --facility 0114A026 pcare.password", b"rahasia-sekali").unwrap();
    desk.vault("put --facility 0114A026 pcare.password", b"rahasia-kedua").unwrap();
    let json: serde_json::Value = serde_json::from_str(&desk.vault("list --json", b"").unwrap().output).unwrap();
    let item = &json["items"][0];
    assert_eq!((&item["name"], &item["version"]), (&"pcare.password".into(), &2.into()));
    assert_eq!(item["set_at"], "2026-11-21T01:00:00Z");
    let text = desk.vault("list", b"").unwrap().output;
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains(item["fingerprint"].as_str().unwrap()) && !text.contains("rahasia"), "{text}");
}

#[test]
fn import_reads_plain_json_from_a_pipe_and_not_from_a_file() {
    let desk = Desk::with_vault();
    let plain = br#"{"cons_id":"11223","secret_key":"rahasia-sekali","icare.user_key":"u"}"#;
    let said = desk.vault("import --facility 0114A026 -", plain).unwrap();
    assert_eq!(said.output.lines().count(), 3);
    assert!(!said.output.contains("rahasia") && said.errors.contains("Musnahkan"), "{said:?}");
    assert_eq!(desk.open().icare("0114A026").unwrap().secret_key.expose(), "rahasia-sekali");
    fs::write(desk.file("plain.json"), plain).unwrap();
    let refused = desk.vault(&format!("import --facility 0114A026 {}", desk.file("plain.json")), b"");
    assert!(matches!(refused, Err(VaultError::ImportPlainFile { .. })));
}

#[test]
fn an_import_with_one_bad_member_changes_nothing() {
    let desk = Desk::with_vault();
    let bad: [&[u8]; 5] = [br#"{"cons_id":"1","sandi":"x"}"#, br#"{"cons_id":"1","secret_key":""}"#, b"{}", b"[]", b""];
    for input in bad {
        assert!(desk.vault("import --facility 0114A026 -", input).is_err());
    }
    assert_eq!(desk.open().list().unwrap(), []);
}

#[test]
fn a_sealed_backup_is_imported_and_restored_with_the_passphrase_from_a_pipe() {
    let desk = Desk::with_vault();
    desk.vault("put --facility 0114A026 cons_id", b"11223").unwrap();
    let file = desk.file("backup");
    let short = desk.vault(&format!("seal-backup --out {file}"), b"pendek\n");
    assert_eq!(short.unwrap_err(), VaultError::PassphraseRefused);
    desk.vault(&format!("seal-backup --out {file}"), b"kuda baterai staples\n").unwrap();

    let other = Desk::with_vault();
    let import = format!("import --facility 0114A026 {file}");
    assert_eq!(other.vault(&import, b"kuda baterai\n").unwrap_err(), VaultError::BackupRefused);
    other.vault(&import, b"kuda baterai staples\n").unwrap();
    assert_eq!(other.open().list().unwrap()[0].name, "cons_id");

    let third = Desk::new();
    third.vault(&format!("init --restore {file}"), b"kuda baterai staples\n").unwrap();
    assert_eq!(third.open().store_key().unwrap().expose(), desk.open().store_key().unwrap().expose());
}

#[test]
fn rotate_replaces_the_key_file_and_keeps_the_values() {
    let desk = Desk::with_vault();
    desk.vault("put --facility 0114A026 cons_id", b"11223").unwrap();
    let before = (fs::read(desk.file("kek")).unwrap(), desk.vault("list", b"").unwrap().output);
    desk.vault("rotate", b"").unwrap();
    assert_ne!(fs::read(desk.file("kek")).unwrap(), before.0);
    assert_eq!(desk.vault("list", b"").unwrap().output, before.1);
    assert_eq!(desk.vault("rotate --new-key sandi", b"").unwrap_err(), VaultError::KeySource);
}

#[test]
fn client_add_prints_a_token_once_that_works_until_revoked() {
    let desk = Desk::new();
    let said = desk.client("add sim --facility 0114A026 --facility 0114A027 --json").unwrap();
    let json: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["name", "token"]);
    let clients = Clients::open(&desk.place.path).unwrap();
    let token = json["token"].as_str().unwrap();
    let client = clients.authenticate(token, now()).unwrap();
    assert_eq!((client.name.as_str(), client.facilities.len()), ("sim", 2));
    let listed = desk.client("list").unwrap().output + &desk.client("list --json").unwrap().output;
    assert!(listed.contains(&client.id) && !listed.contains(token) && !listed.contains("hash"), "{listed}");
    desk.client("revoke sim").unwrap();
    assert_eq!(clients.authenticate(token, now()), Err(TokenError::Revoked));
    assert!(desk.client("list").unwrap().output.contains("dicabut"));
}

#[test]
fn a_gateway_client_gets_local_credentials_in_the_documented_json() {
    let desk = Desk::with_vault();
    let said = desk.client("add lama --facility 0114A026 --gateway --json").unwrap();
    let json: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["name", "token", "cons_id", "secret_key", "user_key", "username", "password"]);
    let clients = Clients::open(&desk.place.path).unwrap();
    let (client, local) = clients.gateway(&desk.open(), json["cons_id"].as_str().unwrap(), now()).unwrap();
    assert_eq!((client.name.as_str(), local.secret_key.expose()), ("lama", json["secret_key"].as_str().unwrap()));
}

#[test]
fn a_role_and_a_life_beyond_the_rules_are_refused_by_the_parser() {
    for line in ["add x --facility 0114A026 --days 366", "add x --facility 0114A026 --role root", "add x"] {
        assert!(ClientLine::try_parse_from(format!("client {line}").split_whitespace()).is_err(), "{line}");
    }
    let desk = Desk::new();
    let said = desk.client("add awas --facility 0114A026 --role viewer --days 0 --json").unwrap();
    let json: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    let clients = Clients::open(&desk.place.path).unwrap();
    assert_eq!(clients.authenticate(json["token"].as_str().unwrap(), now()), Err(TokenError::Expired));
}
