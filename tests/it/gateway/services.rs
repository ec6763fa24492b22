//! V-Claim, Antrean FKTP and i-Care through the gateway, each in its own dialect.

use std::fs::OpenOptions;
use std::io::Write as _;

use jembatan::simulator::DownMode;
use jembatan::simulator::faults::{Fault, Kind};
use serde_json::{Value, json};

use super::client::Local;
use crate::bridge::{Bridge, FACILITY, PATIENCE, Setup, card, yesterday};

/// A bridge for all four services.
fn up(wait: &str) -> (Bridge, Local) {
    let mut bridge = Bridge::stopped(&Setup::default());
    let at = bridge.simulator_at;
    let text = format!(
        "[facility.vclaim]\nbase_url = \"http://{at}/vclaim-rest\"\n[facility.antrean_fktp]\n\
         base_url = \"http://{at}/antreanfktp\"\n[facility.icare]\nbase_url = \"http://{at}/wsihs\"\n"
    );
    let mut config = OpenOptions::new().append(true).open(bridge.config()).unwrap();
    config.write_all(text.as_bytes()).unwrap();
    let theirs = bridge.simulator.credentials();
    bridge.put("vclaim.user_key", theirs.vclaim.expose());
    bridge.put("antrean_fktp.user_key", theirs.antrean_fktp.expose());
    bridge.put("icare.user_key", theirs.icare.expose());
    bridge.env.push(("JEMBATAN__GATEWAY__WAIT".to_owned(), wait.to_owned()));
    bridge.start();
    let local = Local::added(&bridge, "sim-lama");
    (bridge, local)
}

/// The body of an insert for the nth card.
pub(crate) fn sep(n: u32) -> Value {
    json!({ "request": { "t_sep": { "noKartu": card(n), "tglSep": yesterday().to_string(), "ppkPelayanan": FACILITY,
        "jnsPelayanan": "2",
        "klsRawat": { "klsRawatHak": "3", "klsRawatNaik": "", "pembiayaan": "", "penanggungJawab": "" },
        "noMR": "MR0001",
        "rujukan": { "asalRujukan": "1", "tglRujukan": yesterday().to_string(), "noRujukan": "01140U161126P000001",
            "ppkRujukan": "0114U163" },
        "catatan": "", "diagAwal": "E11.9", "poli": { "tujuan": "INT", "eksekutif": "0" }, "cob": { "cob": "0" },
        "katarak": { "katarak": "0" },
        "jaminan": { "lakaLantas": "0", "noLP": "", "penjamin": { "tglKejadian": "", "keterangan": "",
            "suplesi": { "suplesi": "0", "noSepSuplesi": "",
                "lokasiLaka": { "kdPropinsi": "", "kdKabupaten": "", "kdKecamatan": "" } } } },
        "tujuanKunj": "0", "flagProcedure": "", "kdPenunjang": "", "assesmentPel": "",
        "skdp": { "noSurat": "", "kodeDPJP": "" }, "dpjpLayan": "31574", "noTelp": "081200000000", "user": "uji" } } })
}

#[test]
fn a_sep_is_inserted_once_and_the_whole_answer_comes_back_every_time() {
    let (bridge, local) = up("5s");
    let made = local.post(&bridge, "vclaim/SEP/2.0/insert", &sep(1));
    assert_eq!((made.status, &made.code, made.message.as_str()), (200, &json!("200"), "Sukses"), "{made:?}");
    assert!(made.sealed);
    assert_eq!(made.response["sep"]["peserta"]["noKartu"], card(1), "all that BPJS said, not only the number");
    let again = local.post(&bridge, "vclaim/sep/2.0/insert", &sep(1));
    assert_eq!(again.response, made.response);
    assert_eq!(bridge.requests("vclaim.sep.add"), 1);
    let number = made.response["sep"]["noSep"].as_str().unwrap();
    let read = local.get(&bridge, &format!("vclaim/SEP/{number}"));
    assert_eq!((&read.code, &read.response["noSep"]), (&json!("200"), &json!(number)), "{read:?}");
    let delete = json!({ "request": { "t_sep": { "noSep": number, "user": "uji" } } });
    let gone = local.call(&bridge, "DELETE", "vclaim/SEP/2.0/delete", Some(&delete));
    assert_eq!((&gone.code, gone.sealed), (&json!("200"), false), "a body on DELETE, an answer in the clear: {gone:?}");
    let anew = local.post(&bridge, "vclaim/SEP/2.0/insert", &sep(1));
    assert_eq!(anew.code, "200", "{anew:?}");
    assert_ne!(anew.response["sep"]["noSep"], json!(number), "the delete began a new generation");
}

#[test]
fn a_sep_whose_answer_was_lost_is_adopted_and_the_repeat_gets_its_number() {
    let (bridge, local) = up("300ms");
    bridge.fault(Fault::new("vclaim.sep.add", Kind::LandThenTimeout).lasting(60_000).times(1));
    let told = local.post(&bridge, "vclaim/SEP/2.0/insert", &sep(1));
    assert_eq!(told.code, "202", "{told:?}");
    let provisional = told.response["sep"]["noSep"].as_str().unwrap();
    assert!(provisional.starts_with("SEMENTARA-") && provisional.len() == 19, "{provisional}");
    assert_eq!(told.response["jembatan"]["operasi"], "vclaim.sep.add");
    let found = bridge.until("it is adopted", PATIENCE, || {
        let told = local.post(&bridge, "vclaim/SEP/2.0/insert", &sep(1));
        (told.code != "202").then_some(told)
    });
    let there = bridge.ledger("sep");
    assert_eq!((found.code, there.len()), (json!("200"), 1), "one at BPJS");
    assert_eq!(found.response, json!({ "sep": { "noSep": there[0]["noSep"] } }));
    assert_eq!(bridge.requests("vclaim.sep.add"), 1);
}

#[test]
fn refusals_faults_and_the_door_speak_v_claim() {
    let (bridge, local) = up("5s");
    let mut wrong = sep(1);
    wrong["request"]["t_sep"]["jnsPelayanan"] = json!("9");
    let told = local.post(&bridge, "vclaim/SEP/2.0/insert", &wrong);
    assert_eq!((told.status, &told.code), (200, &json!("201")), "{told:?}");
    assert!(told.message.contains("jnsPelayanan"), "{}", told.message);
    assert_eq!(bridge.requests("vclaim.sep.add"), 0);
    let none = local.get(&bridge, "vclaim/SEP/0114A0261126V999999");
    assert_eq!((none.status, &none.code), (200, &json!("201")), "no data is a no of BPJS's own: {none:?}");
    assert_eq!(none.headers["x-jembatan-source"], "bpjs");
    let mut headers = local.headers();
    headers.retain(|(name, _)| name != "X-authorization");
    let (status, _, text) = bridge.send("GET", "/ws/vclaim/referensi/poli/INT", &headers, None);
    assert_eq!(status, 200, "V-Claim wants no login: {text}");
    headers.retain(|(name, _)| name != "user_key");
    let (status, _, text) = bridge.send("GET", "/ws/vclaim/referensi/poli/INT", &headers, None);
    let refused: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &refused["metaData"]["code"]), (401, &json!("401")), "{text}");
}

#[test]
fn antrean_answers_its_writes_in_lower_case_and_without_a_response() {
    let (bridge, local) = up("5s");
    let day = yesterday().to_string();
    let place = json!({ "nomorkartu": card(1), "nik": "6470009900000000", "nohp": "081200000000", "kodepoli": "001",
        "namapoli": "POLI UMUM", "norm": "000001", "tanggalperiksa": day, "kodedokter": 1,
        "namadokter": "dr. Contoh Satu", "jampraktek": "08:00-12:00", "nomorantrean": "A-12", "angkaantrean": 12,
        "keterangan": "" });
    let send = |path: &str, body: &Value| {
        let mut headers = local.headers();
        headers.retain(|(name, _)| name != "X-authorization");
        let (status, _, text) =
            bridge.send("POST", &format!("/ws/antreanfktp/{path}"), &headers, Some(body.to_string()));
        (status, text)
    };
    let added = send("antrean/add", &place);
    assert_eq!(added, (200, r#"{"metadata":{"message":"Ok","code":200}}"#.to_owned()));
    assert_eq!(send("antrean/add", &place), added, "a repeat");
    let cancel = json!({ "nomorkartu": card(1), "kodepoli": "001", "tanggalperiksa": day, "alasan": "berhalangan" });
    assert_eq!(send("antrean/batal", &cancel).0, 200);
    assert_eq!(send("antrean/batal", &cancel).0, 200, "a repeat");
    assert_eq!((bridge.requests("antrean_fktp.antrean.add"), bridge.requests("antrean_fktp.antrean.batal")), (1, 1));
    assert_eq!(send("antrean/add", &place), added, "after the cancel another one");
    assert_eq!(bridge.requests("antrean_fktp.antrean.add"), 2, "a new generation");
    let poli = local.get(&bridge, &format!("antreanfktp/ref/poli/tanggal/{day}"));
    assert!(poli.code == 1 || poli.code == 201, "code 1 is success on references, 201 no clinic that day: {poli:?}");
    bridge.simulator.down(DownMode::Refuse, None);
    // It is kept beside the answer, so perhaps a moment later.
    bridge.until("what was read before is given", PATIENCE, || {
        let kept = local.get(&bridge, &format!("antreanfktp/ref/poli/tanggal/{day}"));
        (kept.code == poli.code).then_some(())
    });
    bridge.until("the bridge knows", PATIENCE, || {
        let never_read = format!("antreanfktp/ref/dokter/kodepoli/001/tanggal/{day}");
        (local.get(&bridge, &never_read).code == 503).then_some(())
    });
    let mut other = place;
    other["nomorkartu"] = json!(card(2));
    let told = local.post(&bridge, "antreanfktp/antrean/add", &other);
    assert_eq!((told.status, &told.code), (200, &json!(202)), "{told:?}");
}

#[test]
fn an_i_care_link_passes_and_leaves_no_trace() {
    let (bridge, local) = up("5s");
    let told = local.post(&bridge, "icare/api/pcare/validate", &json!({ "param": card(1) }));
    assert_eq!((told.status, &told.code), (200, &json!(200)), "{told:?}");
    let url = told.response["url"].as_str().unwrap();
    assert!(url.starts_with("https://icare.invalid/"), "{url}");
    let token = url.rsplit('=').next().unwrap();
    assert!(!bridge.logs().contains(token), "never logged");
    assert!(bridge.deliveries().is_empty(), "a read, although it is a POST");
}
