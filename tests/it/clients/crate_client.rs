//! `jkn_rust` from crates.io, as it is: at BPJS itself, then through the gateway.

use serde_json::{Value, json};

use super::tools::{Driver, Site, crate_client, working_day};
use crate::bridge::{card, daftar, visit, wire, yesterday};
use crate::gateway::services::sep;

/// The number at BPJS of one step is needed by the next.
fn work(driver: &mut Driver, n: u32) -> Vec<(&'static str, Value)> {
    let (card, day) = (card(n), yesterday());
    let inner = |body: Value| body["request"]["t_sep"].clone();
    let mut told: Vec<(&'static str, Value)> = Vec::new();
    let mut ask = |name: &'static str, step: Value| {
        let mut step = step;
        step["call"] = json!(name);
        let answer = driver.ask(&step);
        told.push((name, answer.clone()));
        answer
    };
    ask("vclaim.peserta", json!({ "card": card, "day": day.to_string() }));
    ask("vclaim.diagnosa", json!({ "word": "E11" }));
    let made = ask("vclaim.sep.insert", json!({ "body": inner(sep(n)) }));
    let number = made["response"]["sep"]["noSep"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    ask("vclaim.sep.read", json!({ "number": number }));
    let change = json!({ "noSep": number, "klsRawat": { "klsRawatHak": "3", "klsRawatNaik": "", "pembiayaan": "",
        "penanggungJawab": "" }, "noMR": "MR0001", "catatan": "diubah", "diagAwal": "E11.9",
        "poli": { "tujuan": "INT", "eksekutif": "0" }, "cob": { "cob": "0" }, "katarak": { "katarak": "0" },
        "jaminan": { "lakaLantas": "0", "noLP": "", "penjamin": { "tglKejadian": "", "keterangan": "",
            "suplesi": { "suplesi": "0", "noSepSuplesi": "",
                "lokasiLaka": { "kdPropinsi": "", "kdKabupaten": "", "kdKecamatan": "" } } } },
        "dpjpLayan": "31574", "noTelp": "081200000000", "user": "uji" });
    ask("vclaim.sep.update", json!({ "body": change }));
    let later = day.checked_add(jiff::Span::new().days(14)).unwrap().to_string();
    let letter = json!({ "noSEP": number, "kodeDokter": "31574", "poliKontrol": "INT", "tglRencanaKontrol": later,
        "user": "uji" });
    let written = ask("vclaim.kontrol.insert", json!({ "body": letter }));
    ask("vclaim.kontrol.delete", json!({ "number": written["response"]["noSuratKontrol"] }));
    ask("vclaim.sep.delete", json!({ "body": { "noSep": number, "user": "uji" } }));
    ask("icare.fktp", json!({ "body": { "param": card } }));
    ask("icare.fkrtl", json!({ "body": { "param": card, "kodedokter": 123_456 } }));
    ask("pcare.dokter", json!({}));
    ask("pcare.peserta", json!({ "card": card }));
    let registered = ask("pcare.daftar", json!({ "body": daftar(&card, day)["payload"] }));
    ask("pcare.daftar.read", json!({ "number": registered["response"]["message"], "day": wire(day) }));
    let visited = ask("pcare.kunjungan", json!({ "body": visit(&card, day) }));
    ask("pcare.riwayat", json!({ "card": card }));
    ask("pcare.kunjungan.delete", json!({ "number": visited["response"][0]["message"] }));
    let day = working_day().to_string();
    ask("antrean.poli", json!({ "day": day }));
    let place = json!({ "nomorkartu": card, "nik": "6470009900000000", "nohp": "081200000000", "kodepoli": "001",
        "namapoli": "POLI UMUM", "norm": "000001", "tanggalperiksa": day, "kodedokter": 1,
        "namadokter": "dr. Contoh Satu", "jampraktek": "08:00-12:00", "nomorantrean": "A-12", "angkaantrean": 12,
        "keterangan": "" });
    ask("antrean.add", json!({ "body": place }));
    ask(
        "antrean.panggil",
        json!({ "body": { "tanggalperiksa": day, "kodepoli": "001", "nomorkartu": card,
        "status": 1, "waktu": 1_795_219_200_000_i64 } }),
    );
    ask(
        "antrean.batal",
        json!({ "body": { "tanggalperiksa": day, "kodepoli": "001", "nomorkartu": card,
        "alasan": "uji" } }),
    );
    told
}

#[test]
fn the_client_from_crates_io_works_at_bpjs_and_through_the_gateway() {
    let site = Site::up();
    let program = crate_client();
    for (n, (door, name)) in (1..).zip([(site.direct(), "direct"), (site.gateway(), "gateway")]) {
        let mut driver = Driver::start(&program, &[], &door);
        site.recorder.take();
        let told = work(&mut driver, n);
        for (step, answer) in &told {
            let meta = if answer["metaData"].is_null() { &answer["metadata"] } else { &answer["metaData"] };
            let expected = match *step {
                "antrean.poli" => json!(1),
                "pcare.daftar" | "pcare.kunjungan" => json!(201),
                vclaim if vclaim.starts_with("vclaim.") => json!("200"),
                _ => json!(200),
            };
            assert_eq!(meta["code"], expected, "{name} {step}: {answer}");
        }
        let of = |step: &str| &told.iter().find(|(called, _)| *called == step).unwrap().1["response"];
        let number = &of("vclaim.sep.insert")["sep"]["noSep"];
        assert_eq!(of("vclaim.peserta")["peserta"]["noKartu"], card(n), "{name}");
        assert_eq!(&of("vclaim.sep.read")["noSep"], number, "{name}");
        assert_eq!((of("vclaim.sep.update"), of("vclaim.sep.delete")), (number, number), "{name}: sealed, and not");
        assert!(of("icare.fktp")["url"].as_str().unwrap().contains("token="), "{name}");
        assert_eq!(of("pcare.peserta")["noKartu"], card(n), "{name}");
        assert_eq!(of("pcare.daftar.read")["noUrut"], of("pcare.daftar")["message"], "{name}");
        assert_eq!(of("pcare.riwayat")["list"][0]["noKunjungan"], of("pcare.kunjungan")[0]["message"], "{name}");
        let seen = site.recorder.take();
        let visits: Vec<&str> = seen.iter().filter(|one| one.method == "POST").map(|one| one.path.as_str()).collect();
        let (old, new) = ("/pcare-rest/kunjungan", "/pcare-rest/kunjungan/v1");
        let (wanted, other) = if name == "direct" { (old, new) } else { (new, old) };
        assert!(visits.contains(&wanted) && !visits.contains(&other), "{name}: the bridge sends the form of today");
    }
}
