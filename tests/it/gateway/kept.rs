//! Reads while BPJS is away: from what was kept, marked as such.

use std::collections::BTreeMap;

use jembatan::simulator::DownMode;
use serde_json::{Value, json};

use super::client::{Local, Told, up, with};
use crate::bridge::{Bridge, FACILITY, PATIENCE, Setup, card, daftar, yesterday};

/// BPJS is gone, and the bridge has noticed.
fn outage(bridge: &Bridge, local: &Local) {
    bridge.simulator.down(DownMode::Refuse, None);
    bridge.until("the bridge knows", PATIENCE, || {
        (local.get(bridge, "pcare/kelompok/peserta/1").code == 503).then_some(())
    });
}

/// Reads, and waits until as many lists and standings are kept as there were before and these.
fn seen(bridge: &Bridge, local: &Local, path: &str) -> Told {
    let told = local.get(bridge, path);
    assert_eq!((told.status, told.headers["x-jembatan-source"].as_str()), (200, "bpjs"), "{told:?}");
    told
}

fn kept(bridge: &Bridge) -> (u64, u64) {
    let listing = bridge.get("/v1/kept");
    let sum = |list: &str, field: &str| {
        listing[list].as_array().unwrap().iter().map(|one| one[field].as_u64().unwrap()).sum::<u64>()
    };
    (sum("items", "rows"), sum("eligibility", "members"))
}

fn until_kept(bridge: &Bridge, rows: u64, members: u64) {
    bridge.until("it is kept", PATIENCE, || {
        let now = kept(bridge);
        (now.0 >= rows && now.1 >= members).then_some(())
    });
}

fn is_marked(told: &Told) {
    assert_eq!(told.headers["x-jembatan-source"], "cache", "{told:?}");
    let as_of: jiff::Timestamp = told.headers["x-jembatan-as-of"].parse().expect("an instant");
    assert!(as_of <= jembatan::clock::Clock::system().now());
    assert!(told.headers["x-jembatan-as-of"].ends_with("+08:00"), "the facility's own time");
    assert!(told.message.starts_with("OK") && told.message.contains("data simpanan jembatan per"), "{told:?}");
}

fn rows(told: &Told) -> usize {
    told.response["list"].as_array().expect("a list").len()
}

#[test]
fn what_was_seen_before_is_given_in_an_outage_and_writes_get_a_receipt() {
    let (bridge, local) = up();
    let member = seen(&bridge, &local, &format!("pcare/peserta/{}", card(1)));
    let pneumonia = seen(&bridge, &local, "pcare/diagnosa/J/0/100");
    let drugs = seen(&bridge, &local, "pcare/obat/dpho/tab/0/100");
    until_kept(&bridge, (rows(&pneumonia) + rows(&drugs)) as u64, 1);
    outage(&bridge, &local);
    let before = bridge.requests("pcare.diagnosa.cari");

    let told = local.get(&bridge, &format!("pcare/peserta/{}", card(1)));
    is_marked(&told);
    assert_eq!((told.status, told.sealed, &told.response), (200, true, &member.response), "not a field altered");
    assert!(!told.headers.contains_key("x-jembatan-notice"), "{told:?}");
    let told = local.get(&bridge, "pcare/diagnosa/J/0/100");
    is_marked(&told);
    let codes = |told: &Told| {
        let mut codes: Vec<_> =
            told.response["list"].as_array().unwrap().iter().map(|row| row["kdDiag"].to_string()).collect();
        codes.sort();
        codes
    };
    assert_eq!((codes(&told), &told.response["count"]), (codes(&pneumonia), &pneumonia.response["count"]));
    let page = local.get(&bridge, "PCARE/Diagnosa/j/1/2/");
    assert_eq!((rows(&page), &page.response["count"]), (2, &pneumonia.response["count"]), "paged, count is of all");
    let longer = local.get(&bridge, "pcare/diagnosa/J06.9/0/10");
    assert_eq!((rows(&longer), longer.headers.contains_key("x-jembatan-notice")), (1, false), "{longer:?}");
    is_marked(&local.get(&bridge, "pcare/obat/dpho/tab/0/100"));

    let headers = [("Authorization".to_owned(), format!("Bearer {}", bridge.sim))];
    let (status, marks, text) = bridge.send("GET", "/ws/pcare/diagnosa/J/0/100", &headers, None);
    let plain: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, marks["x-jembatan-source"].as_str()), (200, "cache"));
    assert_eq!(plain["response"]["count"], pneumonia.response["count"], "in the clear for a bearer: {text}");

    let written = local.post(&bridge, "pcare/pendaftaran", &daftar(&card(1), yesterday())["payload"]);
    assert_eq!(written.code, 202, "{written:?}");
    assert_eq!(bridge.requests("pcare.diagnosa.cari"), before, "BPJS was not asked");
    bridge.simulator.up();
    bridge.until("it is at BPJS", PATIENCE, || {
        bridge.deliveries().iter().all(|one| one["state"] == "delivered").then_some(())
    });
    assert_eq!(bridge.ledger("pendaftaran").len(), 1);
    let fresh = local.get(&bridge, &format!("pcare/peserta/{}", card(1)));
    assert_eq!((fresh.headers["x-jembatan-source"].as_str(), fresh.message.as_str()), ("bpjs", "OK"));
}

#[test]
fn what_is_partly_kept_says_so_and_what_is_not_kept_is_an_error() {
    let (bridge, local) = up();
    let page = seen(&bridge, &local, "pcare/diagnosa/J/0/2");
    assert!(page.response["count"].as_u64().unwrap() > 2, "{page:?}");
    until_kept(&bridge, 2, 0);
    outage(&bridge, &local);
    let told = local.get(&bridge, "pcare/diagnosa/J/0/100");
    is_marked(&told);
    assert_eq!(
        (rows(&told), told.response["count"].as_u64()),
        (2, Some(2)),
        "no client waits for rows that do not come"
    );
    assert!(
        told.message.contains("mungkin tidak lengkap") && told.headers["x-jembatan-notice"].contains("tidak lengkap")
    );
    for path in ["pcare/diagnosa/asma/0/100", "pcare/poli/fktp/0/100", &format!("pcare/peserta/{}", card(2))] {
        let miss = local.get(&bridge, path);
        assert_eq!(
            (miss.status, &miss.code, miss.headers["x-jembatan-source"].as_str()),
            (503, &json!(503), "jembatan")
        );
        assert!(
            miss.message.contains("tidak menyimpan jawaban") && miss.headers.contains_key("retry-after"),
            "{miss:?}"
        );
    }
    let never = local.get(&bridge, &format!("pcare/kunjungan/peserta/{}", card(1)));
    assert!(never.code == 503 && !never.message.contains("menyimpan"), "what is never kept is not promised: {never:?}");
}

#[test]
fn across_the_first_of_a_month_a_standing_says_that_it_was_not_checked() {
    let (mut bridge, local) = up();
    let member = seen(&bridge, &local, &format!("pcare/peserta/{}", card(1)));
    until_kept(&bridge, 0, 1);
    bridge.kill_9();
    // 31 days ago is always another month.
    let connection = rusqlite::Connection::open(bridge.state().join("jembatan.db")).unwrap();
    assert_eq!(connection.execute("UPDATE kept_member SET as_of = as_of - 31 * 86400000", []).unwrap(), 1);
    drop(connection);
    bridge.simulator.down(DownMode::Refuse, None);
    bridge.start();
    outage(&bridge, &local);
    let told = local.get(&bridge, &format!("pcare/peserta/{}", card(1)));
    is_marked(&told);
    assert!(told.message.contains("BELUM diperiksa"), "{told:?}");
    assert_eq!(told.headers["x-jembatan-notice"], "status kepesertaan bulan ini belum diperiksa ke BPJS");
    assert_eq!(told.response, member.response, "said beside it, not in it");
}

#[test]
fn references_are_fetched_ahead_and_what_nobody_asked_for_is_there() {
    let mut bridge = Bridge::stopped(&Setup::default());
    for (key, value) in [("REFRESH", "1d"), ("PAUSE", "0s"), ("KEYWORDS", "para, 13")] {
        bridge.env.push((format!("JEMBATAN__KEEP__{key}"), value.to_owned()));
    }
    bridge.start();
    let local = Local::added(&bridge, "sim-lama");
    let complete = |operation: &str| -> BTreeMap<String, (u64, u64)> {
        let listing = bridge.get("/v1/kept");
        let own = listing["items"].as_array().unwrap().iter().filter(|one| one["operation"] == operation);
        own.map(|one| {
            let counts = (one["complete"].as_u64().unwrap(), one["rows"].as_u64().unwrap());
            (one["arguments"].as_str().unwrap().to_owned(), counts)
        })
        .collect()
    };
    bridge.until("the last one is there", PATIENCE, || {
        let whole = complete("pcare.tindakan.cari").len() == 3 && complete("pcare.statuspulang.list").len() == 2;
        let searched = |operation: &str| complete(operation).values().map(|(searches, _)| *searches).sum::<u64>();
        (whole && searched("pcare.diagnosa.cari") >= 26 && searched("pcare.obat.dpho") >= 28).then_some(())
    });
    assert!(bridge.get("/v1/kept")["eligibility"].as_array().unwrap().is_empty(), "no member whom nobody asked for");
    let asked = bridge.requests("pcare.kesadaran.list");
    outage(&bridge, &local);
    for path in [
        "pcare/diagnosa/pneu/0/10",
        "pcare/obat/dpho/para/0/10",
        "pcare/obat/dpho/1301/0/10",
        "pcare/dokter/0/100",
        "pcare/poli/fktp/0/2",
        "pcare/kesadaran",
        "pcare/spesialis/sarana",
        "pcare/tindakan/kdTkp/20/0/10",
        "pcare/statuspulang/rawatInap/false",
        "pcare/alergi/jenis/03",
        "pcare/provider/0/50",
        "pcare/kelompok/club/01",
    ] {
        let told = local.get(&bridge, path);
        is_marked(&told);
        assert!(rows(&told) > 0 && !told.headers.contains_key("x-jembatan-notice"), "{path}: {told:?}");
    }
    bridge.simulator.up();
    bridge.until("BPJS is back", PATIENCE, || {
        (local.get(&bridge, "pcare/poli/fktp/0/1").headers["x-jembatan-source"] == "bpjs").then_some(())
    });
    assert_eq!(bridge.requests("pcare.kesadaran.list"), asked, "once a day is enough");
    let told = bridge.cli(&["keep", "refresh", "--facility", FACILITY, "--reason", "uji"], "");
    assert!(told.contains("diambil ulang"), "{told}");
    bridge.until("it is fetched anew", PATIENCE, || (bridge.requests("pcare.kesadaran.list") > asked).then_some(()));
}

#[test]
fn kept_reads_are_listed_and_wiped_and_stand_nowhere_in_clear() {
    let (bridge, local) = with(&Setup { log: "trace", ..Setup::default() }, "5s");
    let member = seen(&bridge, &local, &format!("pcare/peserta/{}", card(1)));
    seen(&bridge, &local, "pcare/kelompok/club/01");
    seen(&bridge, &local, "pcare/diagnosa/pneumo/0/10");
    until_kept(&bridge, 2, 1);
    let shown = bridge.cli(&["keep", "list"], "");
    assert!(
        shown.contains("pcare.kelompok.club") && shown.contains("kdProgram=01") && shown.contains("1 orang"),
        "{shown}"
    );
    let forbidden =
        [card(1), member.response["nama"].as_str().unwrap().to_owned(), "KETUA CONTOH".to_owned(), "pneumo".to_owned()];
    for file in std::fs::read_dir(bridge.state()).unwrap() {
        let path = file.unwrap().path();
        let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        for word in &forbidden {
            assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word} in {}", path.display());
        }
    }
    let (logs, listing) = (bridge.logs(), shown + &bridge.get("/v1/kept").to_string());
    assert!(forbidden.iter().all(|word| !logs.contains(word.as_str()) && !listing.contains(word.as_str())));
    let gone = bridge.cli(&["keep", "clear", "--facility", FACILITY, "--reason", "uji", "--json"], "");
    assert_eq!(serde_json::from_str::<Value>(&gone).unwrap()["gone"], 3);
    assert_eq!(kept(&bridge), (0, 0));
    outage(&bridge, &local);
    assert_eq!(local.get(&bridge, &format!("pcare/peserta/{}", card(1))).code, 503);
    let audit = bridge.get("/v1/audit");
    let cleared = audit["items"].as_array().unwrap().iter().filter(|row| row["action"] == "keep.clear");
    assert_eq!(cleared.count(), 1);
}
