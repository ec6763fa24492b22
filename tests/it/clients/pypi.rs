//! `bpjs-bridging` and `pythonbpjs` from PyPI, as they are: first at BPJS itself, then through the gateway with another
//! base URL and other credentials.

use jembatan::simulator::DownMode;
use jiff::ToSpan as _;
use serde_json::{Value, json};

use super::tools::{Driver, Site, working_day};
use crate::bridge::{PATIENCE, card, yesterday};
use crate::gateway::services::sep;

/// The two packages.
const CLIENTS: [&str; 2] = ["bpjs-bridging", "pythonbpjs"];
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// One package at one door.
struct At<'a> {
    driver: &'a mut Driver,
    client: &'a str,
}

impl At<'_> {
    fn ask(&mut self, service: &str, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { Value::Null } else { body.clone() };
        let mut step = json!({ "client": self.client, "service": service, "method": method, "path": path });
        step["body"] = body;
        self.driver.ask(&step)
    }
}

fn code(told: &Value) -> String {
    let code = &told["metaData"]["code"];
    code.as_str().map_or_else(|| code.to_string(), str::to_owned)
}

fn place(card: &str) -> Value {
    json!({ "nomorkartu": card, "nik": "6470009900000000", "nohp": "081200000000", "kodepoli": "001",
        "namapoli": "POLI UMUM", "norm": "000001", "tanggalperiksa": working_day().to_string(), "kodedokter": 1,
        "namadokter": "dr. Contoh Satu", "jampraktek": "08:00-12:00", "nomorantrean": "A-12", "angkaantrean": 12,
        "keterangan": "" })
}

/// A claim's life, a queue's and a link, by one package; answers what it was told, step by step.
fn work(at: &mut At<'_>, n: u32) -> Vec<(&'static str, Value)> {
    let (card, day) = (card(n), working_day());
    let mut told = Vec::new();
    let member = format!("Peserta/nokartu/{card}/tglSEP/{}", yesterday());
    told.push(("member", at.ask("vclaim", "GET", &member, &Value::Null)));
    let made = at.ask("vclaim", "POST", "SEP/2.0/insert", &sep(n));
    let number = made["response"]["sep"]["noSep"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    told.push(("made", made));
    told.push(("read", at.ask("vclaim", "GET", &format!("SEP/{number}"), &Value::Null)));
    let letter = json!({ "request": { "noSEP": number, "kodeDokter": "31574", "poliKontrol": "INT",
        "tglRencanaKontrol": yesterday().checked_add(14.days()).unwrap().to_string(), "user": "uji" } });
    told.push(("letter", at.ask("vclaim", "POST", "RencanaKontrol/insert", &letter)));
    let change = sep(n)["request"]["t_sep"].clone();
    let mut change: Value = change.as_object().unwrap().clone().into();
    for gone in [
        "noKartu",
        "tglSep",
        "ppkPelayanan",
        "jnsPelayanan",
        "rujukan",
        "tujuanKunj",
        "flagProcedure",
        "kdPenunjang",
        "assesmentPel",
        "skdp",
    ] {
        change.as_object_mut().unwrap().remove(gone);
    }
    (change["noSep"], change["catatan"]) = (json!(number), json!("diubah"));
    let change = json!({ "request": { "t_sep": change } });
    told.push(("changed", at.ask("vclaim", "PUT", "SEP/2.0/update", &change)));
    let delete = json!({ "request": { "t_sep": { "noSep": number, "user": "uji" } } });
    told.push(("deleted", at.ask("vclaim", "DELETE", "SEP/2.0/delete", &delete)));
    told.push(("clinics", at.ask("antrean_fktp", "GET", &format!("ref/poli/tanggal/{day}"), &Value::Null)));
    told.push(("queued", at.ask("antrean_fktp", "POST", "antrean/add", &place(&card))));
    let called = json!({ "tanggalperiksa": day.to_string(), "kodepoli": "001", "nomorkartu": card, "status": 1,
        "waktu": 1_795_219_200_000_i64 });
    told.push(("called", at.ask("antrean_fktp", "POST", "antrean/panggil", &called)));
    let gone = json!({ "tanggalperiksa": day.to_string(), "kodepoli": "001", "nomorkartu": card, "alasan": "uji" });
    told.push(("cancelled", at.ask("antrean_fktp", "POST", "antrean/batal", &gone)));
    let who = json!({ "param": card, "kodedokter": 123_456 });
    told.push(("link", at.ask("icare", "POST", "api/rs/validate", &who)));
    told
}

/// What both packages must have been told, at either door.
fn check(told: &[(&'static str, Value)], who: &str, n: u32) {
    let of = |step: &str| &told.iter().find(|(name, _)| *name == step).unwrap().1;
    for (step, answer) in told {
        let expected = if *step == "clinics" { "1" } else { "200" };
        assert_eq!(code(answer), expected, "{who} {step}: {answer}");
    }
    assert_eq!(of("member")["response"]["peserta"]["noKartu"], card(n), "{who}");
    let number = &of("made")["response"]["sep"]["noSep"];
    assert_eq!(&of("read")["response"]["noSep"], number, "{who}");
    assert!(of("letter")["response"]["noSuratKontrol"].is_string(), "{who}: {}", of("letter"));
    assert_eq!(&of("deleted")["response"], number, "{who}: in the clear");
    assert_eq!(of("clinics")["response"]["list"][0]["kodepoli"], "001", "{who}");
    assert_eq!(of("queued")["response"], Value::Null, "{who}: no response at all");
    assert!(of("link")["response"]["url"].as_str().unwrap().contains("token="), "{who}");
    // Both take this answer for one in the clear and hand its ciphertext on (docs/decisions).
    let sealed = of("changed")["response"].as_str().unwrap();
    assert!(sealed.len() > 19 && Some(sealed) != number.as_str(), "{who}: {sealed}");
}

#[test]
fn both_clients_from_pypi_work_at_bpjs_and_through_the_gateway() {
    let site = Site::up();
    let mut n = 0;
    for (door, name) in [(site.direct(), "direct"), (site.gateway(), "gateway")] {
        let mut driver = Driver::pypi(&door);
        for client in CLIENTS {
            n += 1;
            let who = format!("{client}, {name}");
            site.recorder.take();
            let told = work(&mut At { driver: &mut driver, client }, n);
            check(&told, &who, n);
            let seen = site.recorder.take();
            let arrived = |method: &str, end: &str| {
                let fits = |one: &&super::recorder::Seen| one.method == method && one.path.ends_with(end);
                seen.iter().find(fits).unwrap_or_else(|| panic!("{who}: {method} {end} did not arrive"))
            };
            assert_eq!(arrived("POST", "/vclaim-rest/SEP/2.0/insert").json(), sep(n), "{who}");
            assert_eq!(arrived("DELETE", "/vclaim-rest/SEP/2.0/delete").json()["request"]["t_sep"]["user"], "uji");
            assert_eq!(arrived("POST", "/antreanfktp/antrean/add").json(), place(&card(n)), "{who}");
            let kinds = ["/vclaim-rest/SEP/2.0/insert", "/antreanfktp/antrean/add", "/wsihs/api/rs/validate"]
                .map(|path| arrived("POST", path).header("content-type").to_ascii_lowercase());
            let own = match (name, client) {
                // One content type for everything.
                ("direct", "pythonbpjs") => [FORM, FORM, FORM],
                // The package's and the catalogue's are the same.
                _ => [FORM, JSON, JSON],
            };
            assert_eq!(kinds, own, "{who}");
            // `pythonbpjs` sends a body with its reads; the bridge does not pass it on.
            let read = arrived("GET", &format!("/tglSEP/{}", yesterday()));
            let body = if (name, client) == ("direct", "pythonbpjs") { "{}" } else { "" };
            assert_eq!(read.body, body, "{who}");
        }
    }
}

#[test]
fn both_clients_open_the_receipt_of_an_outage_and_later_the_answer() {
    let site = Site::up();
    let mut driver = Driver::pypi(&site.gateway());
    site.bridge.simulator.down(DownMode::Refuse, None);
    for (n, client) in (1..).zip(CLIENTS) {
        let mut at = At { driver: &mut driver, client };
        let told = site.bridge.until("a receipt", PATIENCE, || {
            let told = at.ask("vclaim", "POST", "SEP/2.0/insert", &sep(n));
            (code(&told) == "202").then_some(told)
        });
        let number = told["response"]["sep"]["noSep"].as_str().unwrap_or_else(|| panic!("{client}: {told}"));
        assert!(number.starts_with("SEMENTARA-"), "{client}: {told}");
    }
    site.bridge.simulator.up();
    for (n, client) in (1..).zip(CLIENTS) {
        let mut at = At { driver: &mut driver, client };
        let told = site.bridge.until("the answer", PATIENCE, || {
            let told = at.ask("vclaim", "POST", "SEP/2.0/insert", &sep(n));
            (code(&told) == "200").then_some(told)
        });
        assert_eq!(told["response"]["sep"]["noSep"].as_str().map(str::len), Some(19), "{client}: {told}");
    }
    assert_eq!(site.bridge.ledger("sep").len(), CLIENTS.len(), "each of them once");
}
