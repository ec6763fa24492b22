//! Drives `jkn_rust` from crates.io, a client nobody here wrote, step by step: reads lines of JSON from standard input
//! (first the base URLs and the credentials, then one step a line) and answers each with what the package returned.
//!
//! The package is used as it is, by its own methods. Its Antrean FKTP goes to the base URL and with the user key of
//! P-Care, so a second instance is told that P-Care is there.

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};

use jkn_rust::config::ServiceBaseUrls;
use jkn_rust::{Config, Jkn, JknClient, JknResponse, Mode, Result, ServiceType};
use serde_json::{Value, json};

/// An instance whose P-Care is the service named.
fn instance(given: &Value, pcare: &str) -> Jkn {
    let held = &given["credentials"];
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let key = |service: &str| text(&held["user_key"][service]);
    let urls = |service: &str| {
        let url = text(&given["hosts"][service]);
        ServiceBaseUrls { development: url.clone(), production: url }
    };
    let config = Config {
        ppk_code: String::new(),
        cons_id: text(&held["cons_id"]),
        cons_secret: text(&held["secret_key"]),
        aplicares_user_key: None,
        vclaim_user_key: key("vclaim"),
        antrean_user_key: key("antrean_fktp"),
        apotek_user_key: None,
        pcare_user_key: key(pcare),
        pcare_user_pass: format!("{}:{}", text(&held["username"]), text(&held["password"])),
        icare_user_key: Some(key("icare")),
        rekam_medis_user_key: None,
        mode: Mode::Production,
        base_urls: HashMap::from([
            (ServiceType::Pcare, urls(pcare)),
            (ServiceType::Vclaim, urls("vclaim")),
            (ServiceType::Icare, urls("icare")),
        ]),
    };
    Jkn::new(JknClient::new(config).expect("a configuration"))
}

async fn take(jkn: &Jkn, antrean: &Jkn, step: &Value) -> Result<JknResponse> {
    let body = step["body"].clone();
    let of = |name: &str| step[name].as_str().unwrap_or_default();
    match step["call"].as_str().unwrap_or_default() {
        "vclaim.peserta" => jkn.vclaim().peserta().nomor_kartu(of("card"), of("day")).await,
        "vclaim.diagnosa" => jkn.vclaim().referensi().diagnosa(of("word")).await,
        "vclaim.sep.insert" => jkn.vclaim().sep().insert_v2(body).await,
        "vclaim.sep.read" => jkn.vclaim().sep().cari(of("number")).await,
        "vclaim.sep.update" => jkn.vclaim().sep().update_v2(body).await,
        "vclaim.sep.delete" => jkn.vclaim().sep().delete_v2(body).await,
        "vclaim.kontrol.insert" => jkn.vclaim().rencana_kontrol().insert(body).await,
        "vclaim.kontrol.delete" => jkn.vclaim().rencana_kontrol().delete(of("number"), "uji").await,
        "icare.fktp" => jkn.icare().fktp(body).await,
        "icare.fkrtl" => jkn.icare().fkrtl(body).await,
        "pcare.dokter" => jkn.pcare().referensi().dokter(0, 10).await,
        "pcare.peserta" => jkn.pcare().peserta().nomor_kartu(of("card")).await,
        "pcare.daftar" => jkn.pcare().pendadtaran().insert(body).await,
        "pcare.daftar.read" => jkn.pcare().pendadtaran().get(of("number"), of("day")).await,
        "pcare.kunjungan" => jkn.pcare().kunjungan().insert(body).await,
        "pcare.riwayat" => jkn.pcare().kunjungan().riwayat(of("card")).await,
        "pcare.kunjungan.delete" => jkn.pcare().kunjungan().delete(of("number")).await,
        "antrean.poli" => antrean.antrean_fktp().ref_poli(of("day")).await,
        "antrean.add" => antrean.antrean_fktp().tambah(body).await,
        "antrean.panggil" => antrean.antrean_fktp().update_status(body).await,
        "antrean.batal" => antrean.antrean_fktp().batal(body).await,
        other => panic!("no such step: {other}"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut lines = std::io::stdin().lock().lines();
    let mut next = || lines.next().map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("JSON"));
    let given = next().expect("where and as whom");
    let (jkn, antrean) = (instance(&given, "pcare"), instance(&given, "antrean_fktp"));
    while let Some(step) = next() {
        let told = match take(&jkn, &antrean, &step).await {
            Ok(answer) => serde_json::to_value(answer).expect("JSON"),
            Err(error) => json!({ "error": error.to_string() }),
        };
        println!("{told}");
        std::io::stdout().flush().expect("an open output");
    }
}
