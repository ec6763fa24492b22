//! The built binary on PostgreSQL.

#[expect(dead_code, unreachable_pub, reason = "shared with the store's own tests")]
#[path = "../postgres/server.rs"]
mod server;

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::bridge::{Bridge, Setup, shipped_day, yesterday};

/// A bridge on a database of its own; nothing is written beside it.
fn on_postgres(url: String) -> Bridge {
    let mut bridge = Bridge::stopped(&Setup::default());
    bridge.env.push(("JEMBATAN__STORE__URL".to_owned(), url));
    bridge.start();
    bridge
}

fn feed(bridge: &Bridge) -> Vec<(i64, String)> {
    let page = bridge.get("/v1/changes?after=0&limit=200");
    let cursor = |one: &Value| one["cursor"].as_str().and_then(|cursor| cursor.parse().ok()).expect("a cursor");
    let of = |one: &Value| (cursor(one), one["delivery"]["id"].to_string());
    page["items"].as_array().expect("changes").iter().map(of).collect()
}

#[test]
fn on_postgresql_what_is_submitted_is_delivered_once_and_is_there_after_a_restart() {
    let database = server::database();
    let mut bridge = on_postgres(database.url());
    let day = shipped_day(yesterday());
    let bodies = day.get(..6).expect("six submissions");
    let submitted: Vec<String> = bodies.iter().map(|body| bridge.submit(body)).collect();
    let finished: Vec<_> = submitted.iter().map(|id| bridge.finished(id)).collect();
    for entries in &finished {
        assert!(!entries.is_empty() && entries.values().all(|one| one["state"] == "delivered"), "{entries:#?}");
    }
    let before = feed(&bridge);
    assert_eq!(before.len(), finished.iter().map(std::collections::BTreeMap::len).sum::<usize>());
    assert!(before.windows(2).all(|pair| pair[0].0 < pair[1].0), "{before:?}");
    assert!(!bridge.state().join("jembatan.db").exists());
    bridge.kill_9();
    let written = bridge.writes();
    bridge.start();
    assert_eq!(feed(&bridge), before);
    for (body, id) in bodies.iter().zip(&submitted) {
        assert_eq!(&bridge.submit(body), id, "the same reference is the same submission");
    }
    assert_eq!(bridge.writes(), written, "nothing is sent twice");
    assert!(bridge.logs().contains("fsync=off"), "a server that forgets is told of, loudly");
}

/// PostgreSQL cannot keep a NUL in a text, SQLite could: at the door it makes no difference which of them is behind.
#[test]
fn a_nul_in_a_name_is_refused_at_the_door_alike_on_both_databases() {
    let database = server::database();
    let told = [Bridge::up(), on_postgres(database.url())].map(|bridge| {
        let mut body = shipped_day(yesterday())[0].clone();
        body["ref"] = json!("r\0x");
        let mut entry = shipped_day(yesterday())[0].clone();
        entry["entries"][0]["ref"] = json!("a\0");
        let bodies = [body, entry].map(|body| bridge.try_submit(&body).expect("an answer"));
        let paths = [
            "/v1/submissions?ref=a%00b",
            "/v1/submissions/%00",
            "/v1/deliveries?operation=pcare%00",
            "/v1/deliveries?why=%00",
            "/v1/deliveries?facility=%00",
            "/v1/reconciliations/a%00",
            "/v1/antrean/%00",
            "/v1/audit?after=%00",
            "/ws/pcare-rest/peserta/%00",
        ];
        let paths = paths.map(|path| bridge.call("GET", path, None));
        assert!(paths.iter().all(|answer| answer.status == 400), "{paths:?}");
        assert!(bodies.iter().all(|answer| answer.status == 422), "{bodies:?}");
        let told = |answer: &crate::bridge::Answer| (answer.status, answer.body.clone());
        let mut all: Vec<(u16, Value)> = bodies.iter().chain(&paths).map(told).collect();
        assert!(all.iter().all(|(_, body)| body.to_string().contains("NUL")), "{all:?}");
        // Only the number of the request differs.
        all.iter_mut().for_each(|(_, body)| drop(body.as_object_mut().and_then(|body| body.remove("instance"))));
        all
    });
    assert_eq!(told[0], told[1]);
}

#[test]
fn the_password_comes_from_a_file_that_only_its_owner_may_read() {
    let rules = "local all postgres trust\nlocal all all scram-sha-256\n";
    let server = server::Server::start_with(&[("pg_hba.conf", rules)], &[]);
    let role = "CREATE ROLE jembatan LOGIN PASSWORD 'sandi-uji'";
    server::run(&server.url("postgres"), &[role, "CREATE DATABASE jembatan OWNER jembatan"]);
    let mut bridge = Bridge::stopped(&Setup::default());
    let file = bridge.home().join("sandi");
    let set = |text: &str, mode: u32| {
        std::fs::write(&file, text).expect("a file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("its mode");
    };
    let url = server.url("jembatan").replace("postgres@", "jembatan@");
    bridge.env.push(("JEMBATAN__STORE__URL".to_owned(), url));
    bridge.env.push(("JEMBATAN__STORE__PASSWORD".to_owned(), format!("file:{}", file.display())));
    set("sandi-uji\n", 0o644);
    let (code, _, said) = bridge.serve_says();
    assert!(code != Some(0) && said.contains("chmod 600"), "{said}");
    set("sandi-lain\n", 0o600);
    let (code, _, said) = bridge.serve_says();
    assert!(code != Some(0) && said.contains("28P01") && !said.contains("sandi-lain"), "{said}");
    set("sandi-uji\n", 0o600);
    bridge.start();
    let id = bridge.submit(&shipped_day(yesterday())[0]);
    assert!(bridge.finished(&id).values().all(|one| one["state"] == "delivered"));
}
