//! Referrals, control letters, PRB, claim forms and references of V-Claim; every one of its operations once.

use super::sep::sep;
use super::*;

fn service() -> Client {
    client().to(Service::Vclaim)
}

impl Client {
    /// A write whose object stands in `request`, bare or under a name.
    async fn order(&self, method: &str, path: &str, name: &str, inner: Value) -> Got {
        let request = if name.is_empty() { inner } else { json!({ name: inner }) };
        self.call(method, path, Some(json!({ "request": request }))).await
    }
}

#[tokio::test]
async fn a_referral_made_in_pcare_is_read_and_used_in_vclaim() {
    let client = client();
    let number = client.visited().await;
    let client = client.to(Service::Vclaim);
    let got = client.get(&format!("Rujukan/{number}")).await;
    let referral = &got.response["rujukan"];
    assert_eq!((&got.code, &referral["noKunjungan"]), (&json!("200"), &json!(number)));
    assert_eq!(referral["poliRujukan"], json!({ "kode": "INT", "nama": "PENYAKIT DALAM" }));
    assert_eq!(referral["provPerujuk"]["kode"], FACILITY);
    assert_eq!(referral["diagnosa"]["kode"], "A01.1");
    assert_eq!(referral["peserta"]["noKartu"], CARD);
    let list = client.get(&format!("Rujukan/List/Peserta/{CARD}")).await;
    assert_eq!(list.response["rujukan"][0]["noKunjungan"], number);
    assert_eq!(client.get(&format!("Rujukan/Peserta/{CARD}")).await.response["rujukan"]["noKunjungan"], number);
    let none = client.get(&format!("Rujukan/RS/{number}")).await;
    assert_eq!((&none.code, none.message.as_str()), (&json!("201"), "Data Rujukan Tidak Ditemukan."));
    client.control("POST", "/_sim/rules", json!({ "vclaim": { "known_referrals_only": true } })).await;
    assert_eq!(client.insert(sep()).await.message, "Data Rujukan Tidak Ditemukan.", "a number nobody gave");
    let mut known = sep();
    known["rujukan"]["noRujukan"] = json!(number);
    client.inserted(known).await;
}

#[tokio::test]
async fn another_facilitys_referral_can_be_laid_down() {
    let client = service();
    let order = json!({ "noKartu": CARD, "tglRujukan": "2026-11-20", "ppkPerujuk": "0114R049", "asalRujukan": "2",
        "poliRujukan": "MAT", "diagRujukan": "H10.9", "catatan": "mata merah" });
    let (status, made) = client.control("POST", "/_sim/rujukan", order).await;
    assert_eq!(status, 200);
    let number = made["response"]["noRujukan"].as_str().unwrap().to_owned();
    assert_eq!(number, "0114R0491126B000001");
    let got = client.get(&format!("Rujukan/RS/{number}")).await;
    assert_eq!(got.response["rujukan"]["provPerujuk"]["nama"], "RSUD CONTOH");
    assert_eq!(
        client.get(&format!("Rujukan/RS/List/Peserta/{CARD}")).await.response["rujukan"][0]["noKunjungan"],
        number
    );
    assert_eq!(client.get(&format!("Rujukan/{number}")).await.code, "201", "not from primary care");
}

#[tokio::test]
async fn a_hospitals_referral_goes_through_its_life() {
    let client = service();
    let sep = client.inserted(sep()).await;
    let order = json!({ "noSep": sep, "tglRujukan": "2026-11-21", "tglRencanaKunjungan": "2026-11-24",
        "ppkDirujuk": "0114R052", "jnsPelayanan": "2", "catatan": "uji", "diagRujukan": "E11.9", "tipeRujukan": "0",
        "poliRujukan": "JAN", "user": "uji" });
    let mut back = order.clone();
    back["tipeRujukan"] = json!("2");
    let refused = client.order("POST", "Rujukan/2.0/insert", "t_rujukan", back).await;
    assert!(refused.message.ends_with("poliRujukan"), "a way back names no clinic: {}", refused.message);
    let got = client.order("POST", "Rujukan/2.0/insert", "t_rujukan", order.clone()).await;
    let made = &got.response["rujukan"];
    assert_eq!(made["noRujukan"], "0114A0261126B000001");
    assert!(made.get("AsalRujukan").is_some(), "with a capital, as printed");
    assert_eq!(made["tglBerlakuKunjungan"], "2027-02-19");
    let number = made["noRujukan"].as_str().unwrap().to_owned();
    let mut change = order;
    change["noRujukan"] = json!(number);
    change["catatan"] = json!("diubah");
    assert_eq!(client.order("PUT", "Rujukan/2.0/Update", "t_rujukan", change).await.response, json!(number));
    let one = client.get(&format!("Rujukan/Keluar/{number}")).await;
    assert_eq!(one.response["rujukan"]["catatan"], "diubah");
    assert_eq!(one.response["rujukan"]["namaTipeRujukan"], "Rujukan Penuh");
    let list = client.get("Rujukan/Keluar/List/tglMulai/2026-11-01/tglAkhir/2026-11-30").await;
    assert_eq!(list.response["list"][0]["namaPpkDirujuk"], "RS BHAKTI CONTOH");
    let special = json!({ "noRujukan": number, "diagnosa": [{ "kode": "P;N18" }, { "kode": "S;N18.1" }],
        "procedure": [{ "kode": "39.95" }], "user": "uji" });
    let got = client.call("POST", "Rujukan/Khusus/insert", Some(special)).await;
    let id = got.response["rujukan"]["idrujukan"].clone();
    let list = client.get("Rujukan/Khusus/List/Bulan/11/Tahun/2026").await;
    assert_eq!(
        (&list.response["rujukan"][0]["diagppk"], &list.response["rujukan"][0]["nokapst"]),
        (&json!("N18"), &json!(CARD))
    );
    let gone = json!({ "idRujukan": id, "noRujukan": number, "user": "uji" });
    for code in ["200", "201"] {
        assert_eq!(client.order("POST", "Rujukan/Khusus/delete", "t_rujukan", gone.clone()).await.code, code);
    }
    let gone = json!({ "noRujukan": number, "user": "uji" });
    for code in ["200", "201"] {
        assert_eq!(client.order("DELETE", "Rujukan/delete", "t_rujukan", gone.clone()).await.code, code);
    }
}

#[tokio::test]
async fn a_control_letter_goes_through_its_life_and_a_second_one_is_not_refused() {
    let client = service();
    let sep_number = client.inserted(sep()).await;
    let order = json!({ "noSEP": sep_number, "kodeDokter": "31574", "poliKontrol": "INT",
        "tglRencanaKontrol": "2026-12-05", "user": "uji" });
    let got = client.order("POST", "RencanaKontrol/insert", "", order.clone()).await;
    let number = got.response["noSuratKontrol"].as_str().unwrap().to_owned();
    assert_eq!(number, "0114A0261126K000001");
    assert_eq!(client.order("POST", "RencanaKontrol/insert", "", order.clone()).await.code, "200", "no uniqueness");
    let month = format!("RencanaKontrol/ListRencanaKontrol/Bulan/12/Tahun/2026/Nokartu/{CARD}/filter/2");
    let list = client.get(&month).await;
    let row = &list.response["list"][0];
    assert_eq!((&row["noSepAsalKontrol"], &row["terbitSEP"]), (&json!(sep_number), &json!("Belum")));
    assert_eq!(list.response["list"].as_array().unwrap().len(), 2);
    let entered = format!("RencanaKontrol/ListRencanaKontrol/Bulan/12/Tahun/2026/Nokartu/{CARD}/filter/1");
    assert_eq!(client.get(&entered).await.code, "201", "entered in November");
    let days = client.get("RencanaKontrol/ListRencanaKontrol/tglAwal/2026-11-21/tglAkhir/2026-11-21/filter/1").await;
    assert!(days.response["list"][0].get("terbitSEP").is_none(), "as printed");
    let mut change = order;
    change["noSuratKontrol"] = json!(number);
    change["poliKontrol"] = json!("MAT");
    assert_eq!(client.order("PUT", "RencanaKontrol/Update", "", change).await.code, "200");
    let one = client.get(&format!("RencanaKontrol/noSuratKontrol/{number}")).await;
    assert_eq!((&one.response["poliTujuan"], &one.response["jnsKontrol"]), (&json!("MAT"), &json!("2")));
    assert_eq!(one.response["sep"]["noSep"], sep_number);
    assert_eq!(one.response["formPRB"]["data"].as_object().unwrap().len(), 36);
    let mut used = sep();
    used["tglSep"] = json!("2026-11-20");
    used["skdp"]["noSurat"] = json!(number);
    client.inserted(used).await;
    assert_eq!(client.get(&month).await.response["list"][0]["terbitSEP"], "Sudah");
    let gone = json!({ "noSuratKontrol": number, "user": "uji" });
    let got = client.order("DELETE", "RencanaKontrol/Delete", "t_suratkontrol", gone.clone()).await;
    assert_eq!((got.code, got.response), (json!("200"), Value::Null));
    assert_eq!(client.order("DELETE", "RencanaKontrol/Delete", "t_suratkontrol", gone).await.code, "201");
}

#[tokio::test]
async fn an_admission_order_hangs_on_a_member_and_is_no_control_letter() {
    let client = service();
    let order = json!({ "noKartu": CARD, "kodeDokter": "31348", "poliKontrol": "BED",
        "tglRencanaKontrol": "2026-11-23", "user": "uji" });
    let got = client.order("POST", "RencanaKontrol/InsertSPRI", "", order).await;
    let number = got.response["noSPRI"].as_str().unwrap().to_owned();
    let change = |id: &str| {
        json!({ id: number, "kodeDokter": "31348", "poliKontrol": "ANA",
        "tglRencanaKontrol": "2026-11-24", "user": "uji" })
    };
    assert_eq!(client.order("PUT", "RencanaKontrol/Update", "", change("noSuratKontrol")).await.code, "201");
    let got = client.order("PUT", "RencanaKontrol/UpdateSPRI", "", change("noSPRI")).await;
    assert_eq!(got.response["tglRencanaKontrol"], "2026-11-24");
    let one = client.get(&format!("RencanaKontrol/noSuratKontrol/{number}")).await;
    assert_eq!((&one.response["jnsKontrol"], &one.response["sep"]), (&json!("1"), &Value::Null));
}

#[tokio::test]
async fn the_form_of_2025_keeps_each_figure_to_its_disease_and_bounds() {
    let client = service();
    let sep_number = client.inserted(sep()).await;
    let order = |data: Value| {
        json!({ "noSEP": sep_number, "kodeDokter": "31574", "poliKontrol": "INT", "tglRencanaKontrol": "2026-12-05",
            "user": "uji", "formPRB": { "kdStatusPRB": "07", "data": data } })
    };
    for (data, refused) in [
        (json!({ "GDP": 78, "AsamUrat": 0.1, "HBA1C": null }), None),
        (json!({ "GDP": 500 }), None),
        (json!({ "GDP": 500.5 }), Some("GDP")),
        (json!({ "GDP": 9.9 }), Some("GDP")),
        (json!({ "HBA1C": 7 }), Some("HBA1C")),
        (json!({ "LDL": "20" }), Some("LDL")),
        (json!({ "Tensi": 1 }), Some("Tensi")),
    ] {
        let got = client.order("POST", "RencanaKontrol/v2/Insert", "", order(data.clone())).await;
        match refused {
            None => assert_eq!(got.response["formPRB"]["data"]["GDP"], data["GDP"]),
            Some(field) => assert!(got.code == "201" && got.message.ends_with(field), "{field}: {}", got.message),
        }
    }
    let mut bare = order(json!({}));
    bare.as_object_mut().unwrap().shift_remove("formPRB");
    assert!(client.order("POST", "RencanaKontrol/v2/Insert", "", bare).await.message.ends_with("formPRB"));
    let mut change = order(json!({ "LDL": 100 }));
    change["noSuratKontrol"] = json!("0114A0261126K000001");
    let got = client.order("PUT", "RencanaKontrol/v2/Update", "", change).await;
    assert_eq!(got.response["formPRB"]["data"]["LDL"], 100);
}

fn prb(sep: &str) -> Value {
    json!({ "noSep": sep, "noKartu": CARD, "alamat": "Jl. Contoh 1", "email": "uji@example.org", "programPRB": "01",
        "kodeDPJP": "31574", "keterangan": "kontrol", "saran": "olahraga", "user": "123456",
        "obat": [{ "kdObat": "00196120124", "signa1": "1", "signa2": "1", "jmlObat": "11" }] })
}

#[tokio::test]
async fn prb_goes_through_its_life() {
    let client = service();
    let sep_number = client.inserted(sep()).await;
    let mut word = prb(&sep_number);
    word["user"] = json!("uji");
    assert!(client.order("POST", "PRB/insert", "t_prb", word).await.message.ends_with("user"), "digits only");
    let got = client.order("POST", "PRB/insert", "t_prb", prb(&sep_number)).await;
    assert_eq!(got.response["obat"]["list"][0]["signa"], "1 x 1");
    let number = got.response["noSRB"].as_str().unwrap().to_owned();
    let one = client.get(&format!("prb/{number}/nosep/{sep_number}")).await;
    assert_eq!(one.response["prb"]["programPRB"], json!({ "kode": "01 ", "nama": "Diabetes Mellitus" }));
    let mut change = prb(&sep_number);
    change["noSrb"] = json!(number);
    change["saran"] = json!("istirahat");
    assert_eq!(client.order("PUT", "PRB/Update", "t_prb", change).await.response["saran"], "istirahat");
    let list = client.get("prb/tglMulai/2026-11-21/tglAkhir/2026-11-21").await;
    assert_eq!(list.response["prb"]["list"][0]["noSRB"], number);
    let potential = client.get("prbpotensi/tahun/2026/bulan/11").await;
    assert_eq!(potential.response["list"][0]["NOSEP"], sep_number);
    let gone = json!({ "noSrb": number, "noSep": sep_number, "user": "123456" });
    for code in ["200", "201"] {
        assert_eq!(client.order("DELETE", "PRB/Delete", "t_prb", gone.clone()).await.code, code);
    }
}

#[tokio::test]
async fn a_claim_form_is_one_per_sep_and_shows_as_a_claim() {
    let client = service();
    let sep_number = client.inserted(sep()).await;
    let form = json!({ "noSep": sep_number, "tglMasuk": "2026-11-21", "tglKeluar": "2026-11-21", "jaminan": "1",
        "poli": { "poli": "INT" },
        "perawatan": { "ruangRawat": "1", "kelasRawat": "5", "spesialistik": "1", "caraKeluar": "1",
            "kondisiPulang": "1" },
        "diagnosa": [{ "kode": "E11.9", "level": "1" }], "procedure": [{ "kode": "87.44" }],
        "rencanaTL": { "tindakLanjut": "1", "dirujukKe": { "kodePPK": "" },
            "kontrolKembali": { "tglKontrol": "", "poli": "" } },
        "DPJP": "31574", "user": "uji" });
    let claims = "Monitoring/Klaim/Tanggal/2026-11-21/JnsPelayanan/2/Status/1";
    assert_eq!(client.get(claims).await.code, "201");
    assert_eq!(client.order("POST", "LPK/insert", "t_lpk", form.clone()).await.response, json!(sep_number));
    assert_eq!(client.order("POST", "LPK/insert", "t_lpk", form.clone()).await.code, "201");
    let list = client.get("LPK/TglMasuk/2026-11-21/JnsPelayanan/2").await;
    let row = &list.response["lpk"]["list"][0];
    assert_eq!(row["perawatan"]["kelasRawat"], json!({ "kode": "5", "nama": "Kelas 3" }));
    assert_eq!(row["procedure"]["list"][0]["list"]["nama"], "Routine chest x-ray");
    assert_eq!(client.get(claims).await.response["klaim"][0]["noSEP"], sep_number);
    let mut change = form;
    change["tglKeluar"] = json!("2026-11-20");
    assert!(client.order("PUT", "LPK/update", "t_lpk", change.clone()).await.message.ends_with("tglKeluar"));
    change["tglKeluar"] = json!("2026-11-22");
    assert_eq!(client.order("PUT", "LPK/update", "t_lpk", change).await.code, "200");
    let gone = json!({ "noSep": sep_number });
    for code in ["200", "201"] {
        assert_eq!(client.order("DELETE", "LPK/delete", "t_lpk", gone.clone()).await.code, code);
    }
}

#[tokio::test]
async fn accidents_internal_referrals_and_the_grouper_read_what_the_seps_say() {
    let client = service();
    let accident = |day: &str, poli: &str, first: &str| {
        let mut sep = sep();
        sep["tglSep"] = json!(day);
        sep["poli"]["tujuan"] = json!(poli);
        sep["jaminan"] = json!({ "lakaLantas": "1", "noLP": "LP/1", "penjamin": { "tglKejadian": "2026-11-18",
            "keterangan": "jatuh", "suplesi": { "suplesi": "0", "noSepSuplesi": first,
                "lokasiLaka": { "kdPropinsi": "14", "kdKabupaten": "0114", "kdKecamatan": "6122" } } } });
        sep
    };
    let first = client.inserted(accident("2026-11-18", "BED", "")).await;
    let second = client.inserted(accident("2026-11-20", "BED", &first)).await;
    let parents = client.get(&format!("sep/KllInduk/List/{CARD}")).await;
    assert_eq!(parents.response["list"].as_array().unwrap().len(), 1);
    assert_eq!(parents.response["list"][0]["noSEPSuplesi"], second);
    let money = client.get(&format!("sep/JasaRaharja/Suplesi/{CARD}/tglPelayanan/2026-11-21")).await;
    assert_eq!(money.response["jaminan"][1]["noSepAwal"], first);
    let claims = client.get("monitoring/JasaRaharja/JnsPelayanan/2/tglMulai/2026-11-01/tglAkhir/2026-11-30").await;
    assert_eq!(claims.response["jaminan"].as_array().unwrap().len(), 2);
    let grouped = client.get(&format!("sep/cbg/{first}")).await;
    assert_eq!(grouped.response["pesertasep"]["noKartuBpjs"], CARD);
    assert!(String::from_utf8_lossy(&grouped.raw).contains("pesertasep"), "never sealed");
    let order = json!({ "noSep": first, "tglRujukanInternal": "2026-11-19", "kdPoliTuj": "SAR", "kdDokter": "31479" });
    let (_, made) = client.control("POST", "/_sim/rujukan-internal", order).await;
    let letter = made["response"]["noSurat"].as_str().unwrap();
    assert_eq!(&letter[12..13], "N");
    let internal = client.get(&format!("SEP/Internal/{first}")).await;
    assert_eq!((&internal.response["count"], &internal.response["list"][0]["kdpolituj"]), (&json!("1"), &json!("SAR")));
    let gone = json!({ "noSep": first, "noSurat": letter, "tglRujukanInternal": "2026-11-19", "kdPoliTuj": "SAR",
        "user": "uji" });
    for code in ["200", "201"] {
        assert_eq!(client.order("DELETE", "SEP/Internal/delete", "t_sep", gone.clone()).await.code, code);
    }
    let finger = json!({ "noKartu": CARD, "tanggal": "2026-11-18" });
    assert_eq!(client.control("POST", "/_sim/sidik-jari", finger).await.0, 200);
    let seen = client.get("SEP/FingerPrint/List/Peserta/TglPelayanan/2026-11-18").await;
    assert_eq!(seen.response["list"][0], json!({ "noKartu": CARD, "noSEP": first }));
}

#[tokio::test]
async fn references_are_answered_under_the_keys_of_the_catalogue() {
    let client = service();
    for (path, key) in [
        ("referensi/diagnosa/E11", "diagnosa"),
        ("referensi/poli/dalam", "poli"),
        ("referensi/faskes/contoh/1", "faskes"),
        ("referensi/faskes/rs/2", "faskes"),
        ("referensi/dokter/pelayanan/2/tglPelayanan/2026-11-21/Spesialis/INT", "list"),
        ("referensi/propinsi", "list"),
        ("referensi/kabupaten/propinsi/14", "list"),
        ("referensi/kecamatan/kabupaten/0114", "list"),
        ("referensi/diagnosaprb", "list"),
        ("referensi/obatprb/insulin", "list"),
        ("referensi/procedure/39", "procedure"),
        ("referensi/kelasrawat", "list"),
        ("referensi/dokter/contoh", "list"),
        ("referensi/spesialistik", "list"),
        ("referensi/ruangrawat", "list"),
        ("referensi/carakeluar", "list"),
        ("referensi/pascapulang", "list"),
        ("Rujukan/ListSpesialistik/PPKRujukan/0114R049/TglRujukan/2026-11-21", "list"),
        ("Rujukan/ListSarana/PPKRujukan/0114R049", "list"),
        (&format!("RencanaKontrol/ListSpesialistik/JnsKontrol/1/nomor/{CARD}/TglRencanaKontrol/2026-12-01"), "list"),
        ("RencanaKontrol/JadwalPraktekDokter/JnsKontrol/2/KdPoli/INT/TglRencanaKontrol/2026-12-01", "list"),
        (&format!("SEP/FingerPrint/randomquestion/faskesterdaftar/nokapst/{CARD}/tglsep/2026-11-21"), "faskes"),
    ] {
        let got = client.get(path).await;
        assert_eq!(got.code, "200", "{path}");
        assert!(got.response[key].as_array().is_some_and(|rows| !rows.is_empty()), "{path}");
    }
    let codes = client.get("referensi/diagnosaprb").await;
    assert_eq!(codes.response["list"][0]["kode"], "01 ", "with its blank");
    assert_eq!(client.get("referensi/poli/tidakada").await.code, "201");
    let ours = client.get("Rujukan/ListSpesialistik/PPKRujukan/0114R049/TglRujukan/2026-11-21").await;
    assert_eq!(ours.response["list"][0]["persentase"], "0,00", "a comma here");
}

#[tokio::test]
async fn ranges_have_an_order_and_may_have_a_limit() {
    let client = service();
    let range =
        |from: &str, to: &str| format!("monitoring/HistoriPelayanan/NoKartu/{CARD}/tglMulai/{from}/tglAkhir/{to}");
    client.inserted(sep()).await;
    assert_eq!(client.get(&range("2026-01-01", "2026-12-31")).await.code, "200");
    assert_eq!(client.get(&range("2026-12-31", "2026-01-01")).await.code, "201");
    client.control("POST", "/_sim/rules", json!({ "vclaim": { "longest_range_days": 90 } })).await;
    assert_eq!(client.get(&range("2026-08-23", "2026-11-21")).await.code, "200");
    let got = client.get(&range("2026-08-22", "2026-11-21")).await;
    assert!(got.code == "201" && got.message.ends_with("rentang tanggal"), "{}", got.message);
}

#[tokio::test]
async fn faults_strike_vclaim_as_they_strike_pcare_and_speak_its_envelope() {
    let client = scripted(Script {
        fault: vec![
            Fault::new("vclaim.sep.add", Kind::LandThenReset).times(1),
            Fault::new("vclaim.referensi", Kind::Locked428).times(1),
        ],
        ..Script::default()
    })
    .to(Service::Vclaim);
    // Without connections of its own the router answers 502 where one would be cut.
    assert_eq!(client.insert(sep()).await.status, 502);
    assert_eq!(client.landed("sep"), 1, "landed");
    let again = client.insert(sep()).await;
    assert!(again.message.ends_with("0114A0261126V000001"), "{}", again.message);
    let got = client.get("referensi/propinsi").await;
    assert_eq!((got.status, got.code), (428, json!("428")), "the code is text here");
    assert!(Fault::new("vclaim.sep.ad", Kind::Reset).check().is_err(), "a misspelt fault would never strike");
}
