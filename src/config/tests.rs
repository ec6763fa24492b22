//! The example file is the code's twin, and every mistake is found at once.

use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;

use super::*;

const EXAMPLE: &str = include_str!("../../config/jembatan.example.toml");

const FACILITY: &str = r#"
[[facility]]
code = "0114A026"
timezone = "Asia/Makassar"
[facility.pcare]
base_url = "https://apijkn.bpjs-kesehatan.go.id/pcare-rest/"
"#;

/// A directory with a profile in it, and the configuration `text`.
fn place(text: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("contracts")).unwrap();
    fs::write(directory.path().join("contracts/bontang-2024.toml"), "").unwrap();
    let path = directory.path().join("jembatan.toml");
    fs::write(&path, text).unwrap();
    (directory, path)
}

fn load(text: &str) -> Result<Config, ConfigErrors> {
    load_with(text, &[])
}

fn load_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let (_directory, path) = place(text);
    Config::load(&path, environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn faults(text: &str) -> Vec<(String, Fault)> {
    load(text).unwrap_err().problems.into_iter().map(|problem| (problem.key, problem.fault)).collect()
}

/// The example with every commented key and table switched on.
fn everything_on() -> String {
    let on = |line: &str| {
        let rest = line.strip_prefix("# ")?;
        let key = rest.split_once(" = ").map(|(key, _)| key);
        let is_key = key.is_some_and(|key| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        (is_key || rest.starts_with('[')).then(|| rest.to_owned())
    };
    EXAMPLE.lines().map(|line| on(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

fn keys(prefix: &str, value: &toml::Value, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, inner) in table {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                found.insert(path.clone());
                keys(&path, inner, found);
            }
        }
        toml::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                keys(&format!("{prefix}[{index}]"), item, found);
            }
        }
        _scalar => {}
    }
}

#[test]
fn the_example_has_exactly_the_keys_that_the_code_reads() {
    let text = everything_on();
    let (_config, reader) = read::parse(&text, []).unwrap();
    assert_eq!(reader.problems, []);
    let mut written = BTreeSet::new();
    keys("", &toml::from_str(&text).unwrap(), &mut written);
    assert_eq!(written, reader.known);
}

#[test]
fn every_default_written_in_the_example_is_the_default_of_the_code() {
    let (directory, path) = place(EXAMPLE);
    let mut config = Config::load(&path, []).unwrap();
    let facilities = std::mem::take(&mut config.facilities);
    let mut default = Config::default();
    default.resolve(directory.path());
    assert_eq!(config, default);
    assert_eq!(facilities[0].pcare.as_ref().unwrap().app_code.as_deref(), Some(PCARE_APP_CODE));
}

#[test]
fn an_absent_section_is_its_defaults_and_paths_start_at_the_file() {
    let (directory, path) = place(FACILITY);
    let config = Config::load(&path, []).unwrap();
    assert_eq!(config.remote, RemoteConfig::default());
    assert_eq!(config.contract.profile, directory.path().join("contracts/bontang-2024.toml"));
    assert_eq!(config.vault.path, PathBuf::from("/var/lib/jembatan/vault"));
    let facility = config.facility("0114A026").unwrap();
    assert_eq!((facility.name.as_str(), facility.timezone.iana_name()), ("0114A026", Some("Asia/Makassar")));
    let pcare = facility.pcare.as_ref().unwrap();
    assert_eq!(pcare.base_url, "https://apijkn.bpjs-kesehatan.go.id/pcare-rest");
    assert_eq!((pcare.app_code.as_deref(), &facility.vclaim), (Some("095"), &None));
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = format!("[remote]\nconcurrency = 2\n{FACILITY}");
    let config = load_with(
        &text,
        &[
            ("JEMBATAN__REMOTE__CONCURRENCY", "7"),
            ("JEMBATAN__REMOTE__SETTLE", "1s"),
            ("JEMBATAN__REMOTE__ALLOW_LOCAL", "true"),
            ("JEMBATAN__REMOTE__RATE_PER_SECOND", "0"),
            ("JEMBATAN__STORE__MIN_FREE", "1 MiB"),
            ("JEMBATAN__VAULT__KEY", "prompt"),
            ("JEMBATAN__HTTP__LIMITS__BODY", "1024"),
            ("JEMBATAN_LOG", "debug"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    let remote = &config.remote;
    assert_eq!((remote.concurrency, remote.settle), (7, Some(Duration::from_secs(1))));
    assert_eq!((remote.allow_local, remote.rate_per_second), (true, None));
    assert_eq!((config.store.min_free, config.http.limits.body), (1 << 20, 1024));
    assert_eq!(config.vault.key, KeySource::Prompt);
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_lines() {
    let text = r#"[http]
listen = "0.0.0.0:8077"
colour = "red"
[remote]
settle = "60x"
concurrency = 0
[contract]
profile = "nowhere.toml"
[vault]
key = "hunter2"
[[facility]]
code = "0114a026"
timezone = "Asia/Bontang"
[facility.pcare]
base_url = "http://apijkn.bpjs-kesehatan.go.id"
password = "rahasia-sekali"
[[facility]]
name = "tanpa kode"
[sotre]
url = "x"
"#;
    let errors = load(text).unwrap_err();
    let found: Vec<(&str, Place)> =
        errors.problems.iter().map(|problem| (problem.key.as_str(), problem.place)).collect();
    assert_eq!(
        found,
        [
            ("remote.settle", Place::Line(5)),
            ("remote.concurrency", Place::Line(6)),
            ("http.listen", Place::Line(2)),
            ("http.colour", Place::Line(3)),
            ("vault.key", Place::Line(10)),
            ("facility[0].code", Place::Line(12)),
            ("facility[0].timezone", Place::Line(13)),
            ("facility[0].pcare.base_url", Place::Line(15)),
            ("facility[0].pcare.password", Place::Line(16)),
            ("facility[1].code", Place::Line(17)),
            ("facility[1].timezone", Place::Line(17)),
            ("sotre", Place::Line(19)),
            ("contract.profile", Place::Line(8)),
        ]
    );
    for text in [errors.to_string(), errors.indonesian()] {
        assert_eq!(text.lines().count(), 13);
        assert!(text.contains("remote.settle = \"60x\""), "{text}");
        assert!(!text.contains("rahasia-sekali") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    let environment = [("JEMBATAN__REMOTE__CONECT_TIMEOUT", "5s"), ("JEMBATAN__GATEWAY__WAIT", "soon")];
    let text = load_with(FACILITY, &environment).unwrap_err().to_string();
    assert!(text.contains("JEMBATAN__REMOTE__CONECT_TIMEOUT: ") && text.contains("connect_timeout"), "{text}");
    assert!(text.contains("JEMBATAN__GATEWAY__WAIT: gateway.wait = \"soon\""), "{text}");
}

#[test]
fn text_that_is_not_toml_is_reported_with_its_line() {
    let problem = &load("[http]\nlisten = \n").unwrap_err().problems[0];
    assert_eq!(problem.place, Place::Line(2));
    assert!(matches!(problem.fault, Fault::Syntax(_)));
    let absent = Config::load(Path::new("/nonexistent/jembatan.toml"), []).unwrap_err();
    assert_eq!(absent.problems[0].fault, Fault::Unreadable(std::io::ErrorKind::NotFound));
}

#[test]
fn a_listener_beyond_loopback_needs_tls_with_existing_files() {
    let listen = "[http]\nlisten = \"192.168.1.5:8077\"\n";
    assert_eq!(faults(listen), [("http.listen".to_owned(), Fault::ListenNeedsTls)]);
    let tls = format!("{listen}[http.tls]\ncertificate = \"certs/a.pem\"\nkey = \"certs/a.key\"\n");
    let absent = ["http.tls.certificate", "http.tls.key"].map(|key| (key.to_owned(), Fault::FileAbsent));
    assert_eq!(faults(&tls), absent);
    let half = faults(&format!("{listen}[http.tls]\ncertificate = \"contracts/bontang-2024.toml\"\n"));
    assert!(half.contains(&("http.tls.key".to_owned(), Fault::Missing)), "{half:?}");
    for loopback in ["127.0.0.1:0", "127.8.8.8:80", "[::1]:8077"] {
        load(&format!("[http]\nlisten = \"{loopback}\"\n")).unwrap();
    }
}

fn base_url(url: &str, allow_local: bool) -> Result<String, Fault> {
    value::base_url(&::config::Value::from(url), allow_local)
}

#[test]
fn local_and_plain_addresses_are_for_development_only() {
    for local in [
        "https://127.0.0.1/x",
        "https://127.1.2.3:8443",
        "https://10.0.0.1",
        "https://192.168.1.1",
        "https://172.16.0.1",
        "https://169.254.169.254",
        "https://100.64.0.1",
        "https://0.0.0.0",
        "https://[::1]",
        "https://[fd00::1]",
        "https://[fe80::1]",
        "https://[::ffff:127.0.0.1]",
        "https://localhost",
        "https://LOCALHOST.",
        "https://sim.localhost",
        "https://2130706433",
        "https://0x7f.1",
    ] {
        assert_eq!(base_url(local, false), Err(Fault::BaseUrlLocal), "{local}");
        base_url(local, true).unwrap();
    }
    assert_eq!(base_url("http://apijkn.bpjs-kesehatan.go.id", false), Err(Fault::BaseUrlPlain));
    base_url("http://127.0.0.1:8090/pcare-rest", true).unwrap();
    base_url("https://172.32.0.1", false).unwrap();
}

#[test]
fn an_address_with_credentials_query_or_nothing_is_refused_and_not_repeated() {
    for bad in
        ["https://u:rahasia@host/x", "https://host/x?y", "https://host/x#y", "ftp://host", "host", "/x", "https://"]
    {
        assert_eq!(base_url(bad, true), Err(Fault::BaseUrl), "{bad}");
    }
    let text = FACILITY.replace("https://apijkn", "https://u:rahasia@apijkn");
    let errors = load(&text).unwrap_err();
    assert!(!errors.to_string().contains("rahasia"));
    let store = load("[store]\nurl = \"mysql://u:rahasia@host\"\n").unwrap_err();
    assert!(!store.to_string().contains("rahasia"));
    let postgres = load("[store]\nurl = \"postgres://u:rahasia@host/db\"\n").unwrap();
    assert!(!format!("{postgres:?}").contains("rahasia"));
}

#[test]
fn a_facility_listed_twice_is_refused() {
    let twice = faults(&format!("{FACILITY}{FACILITY}"));
    assert_eq!(twice, [("facility[1].code".to_owned(), Fault::FacilityTwice)]);
}

#[test]
fn durations_sizes_and_rates_are_read_with_their_units_only() {
    let duration = |text: &str| value::duration(&::config::Value::from(text));
    let good = [("500ms", 500), ("60s", 60_000), ("15m", 900_000), ("2h", 7_200_000), ("1d", 86_400_000), ("0s", 0)];
    for (text, milliseconds) in good {
        assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)));
    }
    for text in ["", "60", "s", "-1s", "1.5s", "60 s", "1s2s", "99999999999999999999s", "999999999999999999h"] {
        assert_eq!(duration(text), Err(Fault::Duration), "{text}");
    }
    assert_eq!(value::timeout(&::config::Value::from("0s")), Err(Fault::Duration));
    for (text, bytes) in [("200 MiB", 209_715_200), ("1GiB", 1 << 30), ("7", 7)] {
        assert_eq!(value::size(&::config::Value::from(text)), Ok(bytes));
    }
    for text in ["", "MiB", "1 MB", "-1 KiB", "1.5 GiB"] {
        assert_eq!(value::size(&::config::Value::from(text)), Err(Fault::Size), "{text}");
    }
    assert_eq!(value::rate(&::config::Value::from(2.5)), Ok(Some(2.5)));
    assert_eq!(value::rate(&::config::Value::from(f64::NAN)), Err(Fault::Rate));
    assert_eq!(value::rate(&::config::Value::from(-1)), Err(Fault::Rate));
}

#[test]
fn parties_are_optional_and_what_concerns_a_person_is_neither_echoed_nor_printed() {
    let (config, _) = read::parse(&everything_on(), []).unwrap();
    let head = config.facilities[0].party.head.as_ref().unwrap();
    assert_eq!(head.expose(), "dr. EKA CONTOH");
    assert_eq!(config.contract.bpjs.name.as_deref(), Some("BPJS Kesehatan Cabang Contoh"));
    assert_eq!(config.contract.dinkes.pic_phone.as_ref().unwrap().expose(), "0800-0000-0001");
    let shown = format!("{config:?}");
    for word in ["EKA", "BUDI", "0800-0000", "NIP 0"] {
        assert!(!shown.contains(word), "{word}");
    }
    assert_eq!(load(FACILITY).unwrap().contract.bpjs, Party::default());
    let long = "SITI ".repeat(60);
    let wrong = format!("[contract.bpjs]\nhead = \"{long}\"\npic = \"ANI\\nCONTOH\"\ntreasurer = \"x\"\n{FACILITY}");
    let errors = load(&wrong).unwrap_err();
    let keys: Vec<&str> = errors.problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["contract.bpjs.head", "contract.bpjs.pic", "contract.bpjs.treasurer"]);
    let said = errors.to_string() + &errors.indonesian();
    assert!(!said.contains("SITI") && !said.contains("ANI"), "{said}");
}
