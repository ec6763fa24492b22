//! SEP: the two rules, what stands in the way by number, and everything that changes one.

use super::*;

const NEXT: &str = "0009900000001";

pub(super) fn sep() -> Value {
    json!({ "noKartu": CARD, "tglSep": "2026-11-21", "ppkPelayanan": FACILITY, "jnsPelayanan": "2",
        "klsRawat": { "klsRawatHak": "3", "klsRawatNaik": "", "pembiayaan": "", "penanggungJawab": "" },
        "noMR": "MR0001",
        "rujukan": { "asalRujukan": "1", "tglRujukan": "2026-11-20", "noRujukan": "01140U161126P000001",
            "ppkRujukan": "0114U163" },
        "catatan": "", "diagAwal": "E11.9", "poli": { "tujuan": "INT", "eksekutif": "0" }, "cob": { "cob": "0" },
        "katarak": { "katarak": "0" },
        "jaminan": { "lakaLantas": "0", "noLP": "", "penjamin": { "tglKejadian": "", "keterangan": "",
            "suplesi": { "suplesi": "0", "noSepSuplesi": "",
                "lokasiLaka": { "kdPropinsi": "", "kdKabupaten": "", "kdKecamatan": "" } } } },
        "tujuanKunj": "0", "flagProcedure": "", "kdPenunjang": "", "assesmentPel": "",
        "skdp": { "noSurat": "", "kodeDPJP": "" }, "dpjpLayan": "31574", "noTelp": "081200000000", "user": "uji" })
}

fn with(change: Value) -> Value {
    let mut sep = sep();
    for (field, value) in change.as_object().unwrap() {
        sep[field] = value.clone();
    }
    sep
}

impl Client {
    async fn write(&self, method: &str, path: &str, name: &str, inner: Value) -> Got {
        self.call(method, path, Some(json!({ "request": { name: inner } }))).await
    }

    pub(super) async fn insert(&self, sep: Value) -> Got {
        self.write("POST", "SEP/2.0/insert", "t_sep", sep).await
    }

    pub(super) async fn inserted(&self, sep: Value) -> String {
        let got = self.insert(sep).await;
        assert_eq!(got.code, "200", "{got:?}");
        got.response["sep"]["noSep"].as_str().unwrap().to_owned()
    }
}

fn vclaim() -> Client {
    client().to(Service::Vclaim)
}

#[tokio::test]
async fn a_sep_is_numbered_by_facility_month_and_letter_and_can_be_read_back() {
    let client = vclaim();
    let got = client.insert(sep()).await;
    assert_eq!((got.status, &got.code, got.message.as_str()), (200, &json!("200"), "Sukses"));
    let made = &got.response["sep"];
    assert_eq!(made["noSep"], "0114A0261126V000001");
    assert_eq!((&made["kdPoli"], &made["poli"]), (&json!("INT"), &json!("PENYAKIT DALAM")));
    assert_eq!(made["peserta"]["noKartu"], CARD);
    assert!(made.get("assestmenPel").is_some() && made.get("assesmentPel").is_none(), "misspelt, as printed");
    let detail = client.get("sep/0114a0261126v000001").await;
    assert_eq!(detail.code, "200");
    assert_eq!(detail.response["noRujukan"], "01140U161126P000001");
    assert_eq!(detail.response["tujuanKunj"], json!({ "kode": "0", "nama": "Normal" }));
    assert_eq!(detail.response["dpjp"]["kdDPJP"], "31574");
    let history = client
        .get(&format!("monitoring/HistoriPelayanan/NoKartu/{CARD}/tglMulai/2026-11-01/tglAkhir/2026-11-30"))
        .await;
    assert_eq!(history.response["histori"][0]["noSep"], "0114A0261126V000001");
    let visits = client.get("Monitoring/Kunjungan/Tanggal/2026-11-21/JnsPelayanan/2").await;
    assert_eq!(visits.response["sep"][0]["poli"], "INT");
    assert_eq!(client.get("Monitoring/Kunjungan/Tanggal/2026-11-21/JnsPelayanan/1").await.code, "201");
    let count = client.get("Rujukan/JumlahSEP/1/01140U161126P000001").await;
    assert_eq!(count.response, json!({ "jumlahSEP": "1" }));
    let last = client.get("Rujukan/lastsep/norujukan/01140U161126P000001").await;
    assert_eq!(last.response["noSep"], "0114A0261126V000001");
}

#[tokio::test]
async fn one_outpatient_sep_per_card_day_and_clinic_and_the_refusal_ends_in_its_number() {
    let client = vclaim();
    let number = client.inserted(sep()).await;
    let again = client.insert(sep()).await;
    assert_eq!((again.status, &again.code, &again.response), (200, &json!("201"), &Value::Null));
    let words = format!(
        "1.Peserta NoKa {CARD} telah mendapat Pelayanan R.Jalan di Poli INT pada hari yg sama di PKM CONTOH \
         Dgn No.SEP {number}"
    );
    assert_eq!(again.message, words);
    assert_eq!(again.message[again.message.len() - 19..], number);
    client.inserted(with(json!({ "poli": { "tujuan": "MAT" } }))).await;
    client.inserted(with(json!({ "tglSep": "2026-11-20" }))).await;
    client.inserted(with(json!({ "noKartu": NEXT }))).await;
    assert_eq!(client.landed("sep"), 4);
}

#[tokio::test]
async fn another_hospitals_sep_stands_in_the_way_by_its_own_number() {
    let client = vclaim();
    let theirs = with(json!({ "ppkPelayanan": "0114R049" }));
    let (status, made) = client.control("POST", "/_sim/sep", theirs).await;
    assert_eq!(status, 200);
    let number = made["response"]["sep"]["noSep"].as_str().unwrap();
    assert!(number.starts_with("0114R049"));
    let refused = client.insert(sep()).await;
    assert!(refused.message.contains("di RSUD CONTOH Dgn No.SEP 0114R049"), "{}", refused.message);
    assert!(refused.message.ends_with(number));
}

#[tokio::test]
async fn no_sep_while_an_admission_is_open() {
    let client = vclaim();
    let stay = with(json!({ "jnsPelayanan": "1", "tglSep": "2026-11-19", "poli": { "tujuan": "" }, "dpjpLayan": "" }));
    let number = client.inserted(stay).await;
    let refused = client.insert(sep()).await;
    let words = format!(
        "3.1.Peserta NoKa {CARD} telah mendapat Pelayanan R.Inap pada tgl. 19/11/2026 dan belum dipulangkan \
         di PKM CONTOH Dgn No.SEP {number}"
    );
    assert_eq!((&refused.code, refused.message.as_str()), (&json!("201"), words.as_str()));
    let leave = json!({ "noSep": number, "statusPulang": "1", "noSuratMeninggal": "", "tglMeninggal": "",
        "tglPulang": "2026-11-20", "noLPManual": "", "user": "uji" });
    let got = client.write("PUT", "SEP/2.0/updtglplg", "t_sep", leave).await;
    assert_eq!((&got.code, &got.response), (&json!("200"), &json!(number)));
    client.inserted(sep()).await;
    let left = client.get("Sep/updtglplg/list/bulan/11/tahun/2026/").await;
    assert_eq!(left.response["list"][0]["tglPulang"], "2026-11-20");
}

#[tokio::test]
async fn a_death_needs_its_letter_and_nothing_else_has_one() {
    let client = vclaim();
    let number = client.inserted(with(json!({ "jnsPelayanan": "1", "poli": { "tujuan": "" } }))).await;
    let leave = |status: &str, letter: &str, day: &str| {
        json!({ "noSep": number, "statusPulang": status, "noSuratMeninggal": letter, "tglMeninggal": day,
            "tglPulang": "2026-11-21", "noLPManual": "", "user": "uji" })
    };
    for (status, letter, day, code) in [
        ("4", "", "", "201"),
        ("1", "12", "2026-11-21", "201"),
        ("2", "", "", "201"),
        ("4", "12/KET/2026", "2026-11-21", "200"),
    ] {
        let got = client.write("PUT", "SEP/2.0/updtglplg", "t_sep", leave(status, letter, day)).await;
        assert_eq!(got.code, code, "{status} {letter}");
    }
}

#[tokio::test]
async fn an_update_shows_and_a_delete_answers_in_the_open_and_makes_room() {
    let client = vclaim();
    let number = client.inserted(sep()).await;
    let change = json!({ "noSep": number, "catatan": "diubah", "poli": { "tujuan": "BED", "eksekutif": "0" } });
    let got = client.write("PUT", "SEP/2.0/update", "t_sep", change).await;
    assert_eq!(got.response, json!(number), "a bare string");
    assert!(!String::from_utf8_lossy(&got.raw).contains(&number), "but a sealed one");
    let detail = client.get(&format!("SEP/{number}")).await;
    assert_eq!((&detail.response["catatan"], &detail.response["poli"]), (&json!("diubah"), &json!("BEDAH")));
    let gone = client.write("DELETE", "SEP/2.0/delete", "t_sep", json!({ "noSep": number, "user": "uji" })).await;
    assert_eq!((&gone.code, &gone.response), (&json!("200"), &json!(number)));
    assert!(String::from_utf8_lossy(&gone.raw).contains(&number), "never sealed");
    let twice = client.write("DELETE", "SEP/2.0/delete", "t_sep", json!({ "noSep": number, "user": "uji" })).await;
    assert_eq!((&twice.code, twice.message.as_str()), (&json!("201"), "Data Tidak Ditemukan"));
    let anew = client.inserted(sep()).await;
    assert_ne!(anew, number, "no number is given twice");
}

#[tokio::test]
async fn a_fingerprint_may_be_asked_for_and_is_stood_in_for_by_an_approval_or_an_answer() {
    let client = vclaim();
    let ask = |how: &str| json!({ "vclaim": { "fingerprint": how } });
    client.control("POST", "/_sim/rules", ask("enrollment")).await;
    assert_eq!(client.insert(sep()).await.message, "Peserta Belum Melakukan Enrollment");
    client.control("POST", "/_sim/rules", ask("verification")).await;
    assert_eq!(client.insert(sep()).await.message, "Peserta Belum Melakukan Verifikasi Sidik Jari");
    let status = format!("SEP/FingerPrint/Peserta/{CARD}/TglPelayanan/2026-11-21");
    assert_eq!(client.get(&status).await.response["kode"], "0");
    let request = json!({ "noKartu": CARD, "tglSep": "2026-11-21", "jnsPelayanan": "2", "jnsPengajuan": "2",
        "keterangan": "alat rusak", "user": "uji" });
    assert_eq!(
        client.write("POST", "Sep/aprovalSEP", "t_sep", request.clone()).await.code,
        "201",
        "nothing to approve"
    );
    let asked = client.write("POST", "Sep/pengajuanSEP", "t_sep", request.clone()).await;
    assert_eq!(asked.response, json!(CARD));
    assert_eq!(client.insert(sep()).await.code, "201", "asked is not approved");
    assert_eq!(client.write("POST", "Sep/aprovalSEP", "t_sep", request).await.code, "200");
    client.inserted(sep()).await;
    let list = client.get("Sep/persetujuanSEP/list/bulan/11/tahun/2026").await;
    assert_eq!(list.response["list"][0]["status"], "Finger Print");

    let other = with(json!({ "noKartu": NEXT }));
    assert_eq!(client.insert(other.clone()).await.code, "201");
    let member = client.get(&format!("Peserta/nokartu/{NEXT}/tglSEP/2026-11-21")).await.response;
    let mut answer = json!({ "noKartu": NEXT, "tglSep": "2026-11-21", "jenPel": "2", "ppkPelSep": FACILITY,
        "tglLahir": "1900-01-01", "ppkPst": FACILITY, "user": "uji" });
    let path = "SEP/FingerPrint/randomanswer";
    assert_eq!(client.write("POST", path, "t_sep", answer.clone()).await.response, json!("False"));
    answer["tglLahir"] = member["peserta"]["tglLahir"].clone();
    // "True" is JSON text; it opens to the word.
    assert_eq!(client.write("POST", path, "t_sep", answer).await.response, json!("True"));
    client.inserted(other).await;
}

#[tokio::test]
async fn backdating_is_refused_only_where_the_switch_says_and_an_approval_opens_it() {
    let client = vclaim();
    let late = with(json!({ "tglSep": "2026-11-18" }));
    client.control("POST", "/_sim/rules", json!({ "vclaim": { "backdate_days": 0 } })).await;
    assert_eq!(client.insert(late.clone()).await.message, texts::SEP_BACKDATE);
    // Without jnsPengajuan it is for a backdated SEP.
    let request = json!({ "noKartu": CARD, "tglSep": "2026-11-18", "jnsPelayanan": "2", "keterangan": "libur",
        "user": "uji" });
    client.write("POST", "Sep/pengajuanSEP", "t_sep", request.clone()).await;
    client.write("POST", "Sep/aprovalSEP", "t_sep", request).await;
    client.inserted(late).await;
    assert_eq!(client.insert(with(json!({ "tglSep": "2026-11-22" }))).await.message, texts::SEP_FUTURE);
}

#[tokio::test]
async fn each_malformed_field_is_named_and_an_unwrapped_body_meets_the_null() {
    let client = vclaim();
    for (change, field) in [
        (json!({ "jnsPelayanan": "3" }), "jnsPelayanan"),
        (json!({ "tglSep": "21-11-2026" }), "tglSep"),
        (json!({ "noKartu": "123" }), "noKartu"),
        (json!({ "diagAwal": "bukan" }), "diagAwal"),
        (json!({ "poli": { "tujuan": "" } }), "poli.tujuan"),
        (json!({ "flagProcedure": "0" }), "flagProcedure"),
        (json!({ "kdPenunjang": "1" }), "kdPenunjang"),
    ] {
        let got = client.insert(with(change)).await;
        assert!(got.message.ends_with(field), "{field}: {}", got.message);
        assert_eq!(got.code, "201");
    }
    let got = client.call("POST", "SEP/2.0/insert", Some(sep())).await;
    assert_eq!((got.status, got.code), (500, json!("500")));
    assert_eq!(client.landed("sep"), 0);
}

#[tokio::test]
async fn the_same_member_is_seen_through_both_services() {
    let client = client();
    let there = client.get(&format!("peserta/{CARD}")).await.response;
    let client = client.to(Service::Vclaim);
    let here =
        client.get(&format!("Peserta/nik/{}/tglSEP/2026-11-21", there["noKTP"].as_str().unwrap())).await.response;
    assert_eq!((&here["peserta"]["nama"], &here["peserta"]["noKartu"]), (&there["nama"], &there["noKartu"]));
    assert_eq!(here["peserta"]["statusPeserta"], json!({ "keterangan": "AKTIF", "kode": "0" }));
    let nobody = client.get("Peserta/nokartu/9999999999999/tglSEP/2026-11-21").await;
    assert_eq!((&nobody.code, nobody.message.as_str()), (&json!("201"), texts::MEMBER_UNKNOWN));
}
