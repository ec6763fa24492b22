//! The house rules that a machine can hold: who may use whom, what stands where, how long things may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules a module may use, tests aside. `daemon` and `cli` put things together and may use all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("bell", &[]),
    ("failpoint", &[]),
    ("words", &[]),
    ("secret", &[]),
    ("clock", &[]),
    ("chance", &[]),
    ("observe", &[]),
    ("telemetry", &[]),
    ("audit", &[]),
    ("protocol", &["secret"]),
    ("vault", &["secret"]),
    ("config", &["secret", "vault", "words"]),
    ("contract", &["words"]),
    ("catalogue", &["contract", "secret", "words"]),
    ("queue", &["catalogue", "contract", "secret", "words"]),
    ("store", &["audit", "bell", "catalogue", "chance", "contract", "failpoint", "queue", "secret", "words"]),
    ("remote", &["bell", "catalogue", "clock", "config", "protocol", "queue", "secret", "vault", "words"]),
    ("intake", &["catalogue", "chance", "clock", "config", "contract", "failpoint", "queue", "secret", "store"]),
    (
        "push",
        &["catalogue", "chance", "clock", "failpoint", "observe", "protocol", "queue", "remote", "secret", "store"],
    ),
    (
        "reconcile",
        &["catalogue", "chance", "clock", "observe", "protocol", "queue", "remote", "secret", "store", "words"],
    ),
    ("report", &["config", "contract", "queue", "secret", "store", "words"]),
    ("status", &["catalogue", "chance", "clock", "config", "contract", "queue", "secret", "store", "words"]),
    (
        "http",
        &[
            "audit",
            "catalogue",
            "chance",
            "clock",
            "config",
            "contract",
            "intake",
            "keep",
            "protocol",
            "queue",
            "remote",
            "report",
            "secret",
            "store",
            "vault",
            "words",
        ],
    ),
    ("nodes", &["store"]),
    ("keep", &["catalogue", "clock", "config", "observe", "protocol", "remote", "secret", "store"]),
    ("inbound", &["chance", "clock", "config", "intake", "observe", "secret", "store", "vault"]),
    ("simulator", &["catalogue", "clock", "protocol", "secret"]),
    // Tests that stand around the whole bridge, as `daemon` does.
    (
        "simulation",
        &[
            "audit",
            "catalogue",
            "chance",
            "clock",
            "config",
            "contract",
            "intake",
            "observe",
            "push",
            "queue",
            "reconcile",
            "remote",
            "secret",
            "simulator",
            "status",
            "store",
            "vault",
        ],
    ),
];

/// Words that have one home.
const HOMES: &[(&str, &[&str])] = &[
    ("rusqlite", &["src/store/sqlite"]),
    ("reqwest::", &["src/remote", "src/cli"]),
    ("Timestamp::now", &["src/clock.rs"]),
    // PostgreSQL's listener lives as long as its store.
    ("tokio::spawn", &["src/daemon", "src/http", "src/cli", "src/simulator", "src/simulation", "src/store/postgres"]),
    ("tokio_postgres", &["src/store/postgres"]),
    ("danger_accept", &[]),
    // The command line trusts exactly the configured certificate of the local API, whatever name it bears.
    ("danger::", &["src/cli/api.rs"]),
    ("todo!(", &[]),
    ("unimplemented!(", &[]),
    ("dbg!(", &[]),
];

const FILE_MAX: usize = 700;
const FUNCTION_MAX: usize = 70;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

/// Path below the root, whole text, and the text without tests.
fn files() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    sources(&root().join("src"), &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let is_test = name.contains("/tests")
            || name.contains("conformance")
            || name.ends_with("testing.rs")
            || name.ends_with("golden.rs");
        let code = if is_test { "" } else { text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default() };
        let code: String =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
        (name, text, code)
    };
    found.into_iter().map(read).collect()
}

fn module_of(name: &str) -> String {
    let inside = name.trim_start_matches("src/");
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs").to_owned()
}

#[test]
fn modules_use_only_whom_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, _, code) in files() {
        let module = module_of(&name);
        if matches!(module.as_str(), "daemon" | "cli" | "lib" | "main") {
            continue;
        }
        let Some(allowed) = allowed.get(module.as_str()) else {
            wrong.push(format!("{name}: module {module} stands in no line of the table"));
            continue;
        };
        for part in code.split("crate::").skip(1) {
            let used: String = part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if !used.is_empty() && used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn http_touches_the_vault_only_to_authenticate() {
    let offenders = files().into_iter().filter(|(name, _, code)| {
        name.starts_with("src/http")
            && code.contains("crate::vault")
            // The gateway checks local signatures and seals with local keys.
            && !["auth.rs", "mod.rs", "gateway/door.rs", "gateway/answer.rs"].iter().any(|own| name.ends_with(own))
            && code
                .split("crate::vault::")
                .skip(1)
                .any(|rest| !rest.starts_with("Role") && !rest.starts_with("Clients"))
    });
    assert_eq!(offenders.map(|(name, _, _)| name).collect::<Vec<_>>(), Vec::<String>::new());
}

/// The other routes answer from rows: only the gateway passes something on, and it seals for its clients.
#[test]
fn http_calls_bpjs_and_seals_only_in_the_gateway() {
    let offenders = files().into_iter().filter(|(name, _, code)| {
        name.starts_with("src/http/")
            && !name.starts_with("src/http/gateway/")
            && (code.contains("crate::remote") || code.contains("crate::protocol"))
    });
    assert_eq!(offenders.map(|(name, _, _)| name).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn words_stay_at_home() {
    let mut wrong = Vec::new();
    for (name, _, code) in files() {
        for (word, homes) in HOMES {
            if code.contains(word) && !homes.iter().any(|home| name.starts_with(home)) {
                wrong.push(format!("{name}: {word}"));
            }
        }
    }
    // The store turns its driver's errors into its own.
    wrong.retain(|line| line != "src/store/mod.rs: rusqlite");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_its_contract_and_fits() {
    let mut wrong = Vec::new();
    for (name, text, _) in files() {
        // A module's tests are covered by the module's own header.
        if !text.starts_with("//!") && !name.contains("tests") {
            wrong.push(format!("{name}: no header"));
        }
        if text.lines().count() > FILE_MAX {
            wrong.push(format!("{name}: {} lines", text.lines().count()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Modules of several files open with job, invariants and neighbours.
#[test]
fn every_module_says_its_job_and_its_neighbours() {
    let mut wrong = Vec::new();
    for (name, text, _) in files() {
        let is_root = name.ends_with("/mod.rs") && name.matches('/').count() == 2;
        let header: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        if is_root && !(header.contains("Job:") && header.contains("eighbours")) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn functions_fit_a_screen() {
    let mut wrong = Vec::new();
    for (name, _, code) in files() {
        let lines: Vec<&str> = code.lines().collect();
        let is_fn = |line: &str| {
            let line = line.trim_start();
            let line =
                line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
            line.starts_with("fn ") || line.starts_with("async fn ") || line.starts_with("const fn ")
        };
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_fn(line)) {
            let indent = line.len() - line.trim_start().len();
            // A declaration has no body.
            let opens = lines.iter().skip(at).find(|line| line.ends_with('{') || line.ends_with(';'));
            if opens.is_some_and(|line| line.ends_with(';')) {
                continue;
            }
            let close = format!("{}}}", " ".repeat(indent));
            let end = lines.iter().skip(at).position(|line| line.starts_with(&close));
            if let Some(length) = end.filter(|length| *length > FUNCTION_MAX) {
                wrong.push(format!("{name}: {} ({length} lines)", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn state_changes_have_one_update() {
    let mut updates = Vec::new();
    for (name, _, code) in files() {
        if code.contains("UPDATE delivery SET") {
            updates.push(name);
        }
    }
    assert_eq!(updates, ["src/store/sql/rows.rs"]);
}

#[test]
fn unsafe_code_and_verification_switches_are_absent() {
    for (name, _, code) in files() {
        assert!(!code.contains("unsafe "), "{name}");
        assert!(!code.contains("accept_invalid"), "{name}");
    }
}

/// The names of `failpoint!(…)` in the sources and those of the table are the same, each at one place only.
#[test]
fn every_failpoint_stands_in_the_table_and_in_one_place() {
    let table = fs::read_to_string(root().join("src/failpoint.rs")).unwrap();
    let mut known: Vec<String> = ["STEPS", "LOOPS", "BREAKS"]
        .iter()
        .flat_map(|list| {
            let rest = table.split(&format!("pub const {list}: &[&str] = &[")).nth(1).unwrap();
            rest.split(']').next().unwrap().split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let mut used = Vec::new();
    for (_, _, code) in files().into_iter().filter(|(name, ..)| name != "src/failpoint.rs") {
        let calls = code.split("failpoint!(").skip(1);
        used.extend(calls.filter_map(|rest| Some(rest.split('"').nth(1)?.to_owned())));
    }
    known.sort();
    used.sort();
    assert!(known.len() > 40, "{known:?}");
    assert_eq!(used, known);
}

/// Every task that lives as long as the process has a heart: `daemon/tasks.rs` registers it with the watchdog before it
/// runs. Whoever spawns elsewhere must end by itself, and stands here with the reason.
#[test]
fn every_long_lived_task_has_a_heart_and_everybody_else_who_spawns_is_known() {
    const SPAWNS: &[(&str, usize, &str)] = &[
        ("src/daemon/tasks.rs", 1, "registers each task and tells when one is gone"),
        ("src/push/mod.rs", 1, "attempts: their lane's heart stands still when one outlives its lease"),
        ("src/http/serve.rs", 1, "a connection, which its peer ends, or the time limits of its requests"),
        ("src/http/submissions.rs", 1, "a hand-in that outlives its client"),
        ("src/http/gateway/write.rs", 2, "a hand-in that outlives its client"),
        ("src/http/gateway/kept.rs", 1, "one answer to keep"),
        ("src/http/actions.rs", 1, "a person's act that outlives its client"),
        ("src/http/reconciliations.rs", 1, "a reconciliation that outlives its client"),
        ("src/status/watchdog.rs", 1, "the watchdog itself: the service manager watches it"),
        ("src/store/sqlite/writer.rs", 1, "the writing thread: its turns are its heart, store.writer"),
        (
            "src/store/postgres/open.rs",
            3,
            "what listens: its turns are its heart, store.writer; connections, which end by themselves",
        ),
        (
            "src/store/postgres/name.rs",
            1,
            "the connection that holds the node's name: `nodes` has a heart and sees it go",
        ),
    ];
    let mut found = BTreeMap::new();
    for (name, _, code) in files() {
        let ours =
            !["src/cli", "src/simulator", "src/simulation", "src/clock.rs"].iter().any(|other| name.starts_with(other));
        let spawns = code.matches("spawn(").count() - code.matches("fn spawn(").count();
        // A call of the daemon's own, which registers: `tasks.spawn(name, …)`.
        let ours_to_watch = code.matches("tasks.spawn(").count();
        let watched = if name.starts_with("src/daemon") { ours_to_watch } else { 0 };
        let watchdog = code.matches("watchdog::spawn(").count();
        if ours && spawns > watched + watchdog {
            found.insert(name, spawns - watched - watchdog);
        }
    }
    let known: BTreeMap<String, usize> = SPAWNS.iter().map(|(name, count, _)| ((*name).to_owned(), *count)).collect();
    assert_eq!(found, known, "a new task: give it a heart (daemon/tasks.rs), or say here why it ends by itself");
}

#[test]
fn failpoints_are_no_default() {
    let cargo = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let features: Vec<&str> = cargo.split("[features]").nth(1).unwrap().split("\n[").next().unwrap().lines().collect();
    assert!(features.contains(&"failpoints = []") && !features.iter().any(|line| line.starts_with("default")));
    let service = fs::read_to_string(root().join("systemd/jembatan.service")).unwrap();
    assert!(!service.contains("FAILPOINT"));
}

#[test]
fn dependencies_are_plain_releases_without_banned_ones() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for banned in ["openssl-sys", "aws-lc-sys", "rustls-pemfile", "serde_yaml", "native-tls", "sqlx"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"")), "{banned} is in the lock file");
    }
    let foreign: Vec<&str> =
        lock.lines().filter(|line| line.starts_with("source = ") && !line.contains("registry+")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}
