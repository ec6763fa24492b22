//! Keeping and giving again, over a real store.

use std::path::Path;

use serde_json::json;

use super::prefetch::{Task, is_due, tasks};
use super::*;
use crate::catalogue::Service;
use crate::remote::{Evidence, Passed};
use crate::store::Sealer;
use crate::store::sqlite::{Settings, SqliteStore};

const FACILITY: &str = "0114A026";
const CARD: &str = "0009900000001";
const NIK: &str = "9999990101800001";

struct Desk {
    keep: Keep,
    catalogue: Arc<Catalogue>,
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-11-21T05:00:00Z")
}

fn desk(folder: &Path) -> Desk {
    let catalogue = Arc::new(Catalogue::shipped().unwrap());
    let sealer = Sealer::new(&[7; 32], &[8; 32]);
    let settings = Settings { path: folder.join("jembatan.db"), sealer, catalogue: Arc::clone(&catalogue) };
    let store = Arc::new(SqliteStore::open(settings).unwrap().0);
    let keep = Keep::new(store, Arc::clone(&catalogue), KeepConfig::default(), zone("Asia/Jakarta"));
    Desk { keep, catalogue }
}

fn passed(code: i64, value: Value) -> Passed {
    Passed {
        packed: None,
        status: 200,
        code,
        message: Private::new("OK".to_owned()),
        success: code == 200,
        response: Private::new(remote::Answer::Sealed(value)),
        not_authorised: None,
        evidence: Evidence::Alive,
        credential_version: 1,
        skew_seconds: None,
        took: Duration::ZERO,
    }
}

fn diagnoses(codes: &[&str], count: u64) -> Value {
    let row = |code: &&str| json!({ "kdDiag": code, "nmDiag": format!("Penyakit {code} Akut"), "nonSpesialis": true });
    json!({ "count": count, "list": codes.iter().map(row).collect::<Vec<_>>() })
}

fn doctors(numbers: std::ops::Range<u32>, count: u64) -> Value {
    json!({ "count": count, "list": numbers.map(|n| json!({ "kdDokter": n.to_string() })).collect::<Vec<_>>() })
}

impl Desk {
    fn ask<'a>(&'a self, operation: &str, params: &'a [(String, String)]) -> Ask<'a> {
        Ask { facility: FACILITY, operation: self.catalogue.operation(operation).unwrap(), params }
    }

    async fn hear(&self, operation: &str, args: &[(&str, &str)], answer: Passed, now: Timestamp) -> bool {
        let params = owned(args);
        self.keep.heard(self.ask(operation, &params), &answer, now).await.unwrap()
    }

    async fn get(&self, operation: &str, args: &[(&str, &str)], now: Timestamp) -> Option<Served> {
        let params = owned(args);
        self.keep.served(self.ask(operation, &params), &zone("Asia/Makassar"), now).await.unwrap()
    }

    async fn search(&self, words: &str, start: &str, limit: &str) -> Option<(Vec<String>, u64, Option<Caution>)> {
        let found = self.get("pcare.diagnosa.cari", &paged(words, start, limit), noon()).await?;
        let value = found.answer.value.expose();
        let rows = value["list"].as_array().unwrap().iter();
        let codes = rows.map(|row| row["kdDiag"].as_str().unwrap().to_owned()).collect();
        Some((codes, value["count"].as_u64().unwrap(), found.caution))
    }
}

fn owned(args: &[(&str, &str)]) -> Vec<(String, String)> {
    args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn paged<'a>(words: &'a str, start: &'a str, limit: &'a str) -> [(&'static str, &'a str); 3] {
    [("kataKunci", words), ("start", start), ("limit", limit)]
}

#[tokio::test]
async fn kept_rows_are_searched_and_paged_as_bpjs_does() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let rows = diagnoses(&["J02.9", "J00", "J069", "J01"], 4);
    assert!(desk.hear("pcare.diagnosa.cari", &paged("j0", "0", "100"), passed(200, rows), noon()).await);
    let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
    assert_eq!(desk.search("J0", "0", "100").await, Some((codes(&["J00", "J01", "J02.9", "J069"]), 4, None)));
    assert_eq!(desk.search("J0", "1", "2").await, Some((codes(&["J01", "J02.9"]), 4, None)), "count is of all");
    assert_eq!(desk.search("J0", "4", "2").await, Some((Vec::new(), 4, None)));
    assert_eq!(
        desk.search("j06", "0", "10").await,
        Some((codes(&["J069"]), 1, None)),
        "longer words are in the shorter"
    );
    assert_eq!(desk.search("J029", "0", "10").await, Some((codes(&["J02.9"]), 1, None)), "with the dot or without");
    assert_eq!(desk.search("J06.9", "0", "10").await.unwrap().0, ["J069"]);
    assert_eq!(desk.search("J09", "0", "10").await, Some((Vec::new(), 0, None)), "all of J0 is known: there is none");
    let akut = desk.search("akut", "0", "2").await;
    assert_eq!(akut, Some((codes(&["J00", "J01"]), 4, Some(Caution::Incomplete))), "others may be acute too");
    assert_eq!(desk.search("kronik", "0", "10").await, None, "nothing is known of these words");
    assert_eq!(desk.search("J0", "x", "10").await, None);
    // The same from disk.
    desk.keep.shelf.forget_all();
    assert_eq!(desk.search("J0", "1", "2").await, Some((codes(&["J01", "J02.9"]), 4, None)));
}

#[tokio::test]
async fn a_part_of_a_list_is_told_from_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let read = async |start: &str, rows| {
        desk.hear("pcare.dokter.list", &[("start", start), ("limit", "10")], passed(200, rows), noon()).await
    };
    let get = async |start: &str, limit: &str| {
        let found = desk.get("pcare.dokter.list", &[("start", start), ("limit", limit)], noon()).await?;
        let value = found.answer.value.expose().clone();
        Some((value["list"].as_array().unwrap().len(), value["count"].as_u64().unwrap(), found.caution))
    };
    read("0", doctors(0..10, 25)).await;
    assert_eq!(get("0", "10").await, Some((10, 25, None)), "this page is known whole");
    assert_eq!(get("5", "10").await, Some((5, 25, Some(Caution::Incomplete))));
    assert_eq!(get("10", "10").await, None);
    read("20", doctors(20..25, 25)).await;
    assert_eq!(get("0", "100").await, Some((15, 25, Some(Caution::Incomplete))), "a gap in the middle");
    read("10", doctors(10..20, 25)).await;
    read("20", doctors(20..25, 25)).await;
    assert_eq!(get("0", "100").await, Some((25, 25, None)));
    read("0", doctors(0..3, 3)).await;
    assert_eq!(get("0", "100").await, Some((3, 3, None)), "the list became shorter");
    assert!(!read("0", Value::String("rusak".to_owned())).await, "no list");
    let mut none = passed(204, Value::Null);
    none.message = Private::new("NO_CONTENT".to_owned());
    assert!(!desk.hear("pcare.dokter.list", &[("start", "0"), ("limit", "10")], none, noon()).await);
    assert_eq!(get("0", "100").await, Some((3, 3, None)), "one answer does not empty a list that everybody needs");
}

#[tokio::test]
async fn without_a_count_only_the_very_words_are_known_whole() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let rows = json!({ "diagnosa": [{ "kode": "A04", "nama": "A04 - Cholera" }, { "kode": "A041", "nama": "A041 - E. coli" }] });
    desk.hear("vclaim.referensi.diagnosa", &[("kataKunci", "A04")], passed(200, rows.clone()), noon()).await;
    let same = desk.get("vclaim.referensi.diagnosa", &[("kataKunci", "a04")], noon()).await.unwrap();
    assert_eq!((same.answer.value.expose(), same.caution), (&rows, None), "in BPJS's own frame");
    let longer = desk.get("vclaim.referensi.diagnosa", &[("kataKunci", "A041")], noon()).await.unwrap();
    assert_eq!(longer.caution, Some(Caution::Incomplete), "whether BPJS cuts long lists is not known");
}

#[tokio::test]
async fn words_that_bpjs_has_nothing_for_are_known_too() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    desk.hear("pcare.diagnosa.cari", &paged("xyz", "0", "10"), passed(204, Value::Null), noon()).await;
    let found = desk.get("pcare.diagnosa.cari", &paged("XYZ", "0", "10"), noon()).await.unwrap();
    assert_eq!((found.answer.status, found.answer.code, found.caution), (200, 200, None));
    assert_eq!(found.answer.value.expose()["list"], json!([]));
}

#[tokio::test]
async fn a_standing_is_given_unaltered_and_never_silently_across_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let member = json!({ "noKartu": CARD, "noKTP": NIK, "nama": "BUDI CONTOH", "aktif": true, "ketAktif": "AKTIF" });
    let seen = at("2026-11-30T02:00:00Z");
    assert!(desk.hear("pcare.peserta.get", &[("noKartu", CARD)], passed(200, member.clone()), seen).await);
    let get = async |now: &str| desk.get("pcare.peserta.get", &[("noKartu", CARD)], at(now)).await.unwrap();
    let today = get("2026-11-30T09:00:00Z").await;
    assert_eq!((today.answer.value.expose(), today.as_of, today.caution), (&member, seen, None));
    // Midnight in Makassar is an hour before midnight at BPJS: from the earlier one on.
    assert_eq!(get("2026-11-30T15:59:59Z").await.caution, None);
    let over = get("2026-11-30T16:00:00Z").await;
    assert_eq!((over.answer.value.expose(), over.caution), (&member, Some(Caution::MonthNotChecked)));
    assert_eq!(
        get("2027-11-30T02:00:00Z").await.caution,
        Some(Caution::MonthNotChecked),
        "the same month of another year"
    );
    let by_nik = desk.get("pcare.peserta.nik", &[("nik", NIK)], seen).await.unwrap();
    assert_eq!(by_nik.answer.value.expose(), &member);
    assert!(desk.get("pcare.peserta.get", &[("noKartu", "0009900000002")], seen).await.is_none());
}

#[tokio::test]
async fn a_day_of_service_in_another_month_counts_as_not_checked() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let args = |day: &'static str| [("noKartu", CARD), ("tglSEP", day)];
    let answer = json!({ "peserta": { "noKartu": CARD, "nik": NIK, "statusPeserta": { "keterangan": "AKTIF" } } });
    desk.hear("vclaim.peserta.kartu", &args("2026-11-21"), passed(200, answer), noon()).await;
    let same = desk.get("vclaim.peserta.kartu", &args("2026-11-22"), noon()).await.unwrap();
    assert_eq!(same.caution, None, "another day of the same month");
    let next = desk.get("vclaim.peserta.kartu", &args("2026-12-01"), noon()).await.unwrap();
    assert_eq!(next.caution, Some(Caution::MonthNotChecked));
    assert!(desk.get("pcare.peserta.get", &[("noKartu", CARD)], noon()).await.is_none(), "P-Care answers otherwise");
}

#[tokio::test]
async fn a_member_whom_bpjs_no_longer_knows_is_forgotten_and_a_wrong_one_never_kept() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let args = [("noKartu", CARD)];
    let other = json!({ "noKartu": "0009900000009", "nama": "LAIN" });
    assert!(!desk.hear("pcare.peserta.get", &args, passed(200, other), noon()).await);
    assert!(!desk.hear("pcare.peserta.get", &args, passed(200, Value::Null), noon()).await);
    desk.hear("pcare.peserta.get", &args, passed(200, json!({ "noKartu": CARD })), noon()).await;
    assert!(desk.get("pcare.peserta.get", &args, noon()).await.is_some());
    desk.hear("pcare.peserta.get", &args, passed(204, Value::Null), noon()).await;
    assert!(desk.get("pcare.peserta.get", &args, noon()).await.is_none());
}

#[tokio::test]
async fn only_what_the_catalogue_names_is_kept_and_login_links_never() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let link = json!({ "url": "https://icare.example/tiket" });
    assert!(!desk.hear("icare.fktp.validate", &[("param", CARD)], passed(200, link), noon()).await);
    let visits = json!({ "count": 1, "list": [{ "noKunjungan": "X" }] });
    assert!(!desk.hear("pcare.kunjungan.riwayat", &[("noKartu", CARD)], passed(200, visits), noon()).await);
    assert!(
        !desk.hear("pcare.peserta.get", &[("noKartu", CARD)], passed(500, json!({ "noKartu": CARD })), noon()).await
    );
    assert!(desk.keep.store.kept_totals().await.unwrap().is_empty());
    let mut never = desk.catalogue.operation("pcare.peserta.get").unwrap().clone();
    never.never_kept = true;
    assert!(!desk.keep.keeps(&never));
}

#[tokio::test]
async fn what_was_just_written_is_not_written_again_until_it_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let read = async |now| {
        desk.hear("pcare.kesadaran.list", &[], passed(200, json!({ "list": [{ "kdSadar": "01" }] })), now).await
    };
    assert!(read(noon()).await);
    assert!(!read(noon() + Duration::from_mins(59)).await);
    assert!(read(noon() + Duration::from_mins(61)).await);
    let word = |text: &str| text.to_owned();
    let audit =
        AuditEntry { at: noon(), actor: word("o"), action: word("keep.clear"), object: word("f"), detail: word("uji") };
    assert_eq!(desk.keep.clear(FACILITY, audit).await.unwrap(), 1);
    assert!(desk.get("pcare.kesadaran.list", &[], noon()).await.is_none());
    assert!(read(noon() + Duration::from_mins(62)).await);
}

#[tokio::test]
async fn nothing_of_a_member_or_a_list_stands_in_the_file_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let member = json!({ "noKartu": CARD, "noKTP": NIK, "nama": "BUDI CONTOH SEKALI" });
    desk.hear("pcare.peserta.get", &[("noKartu", CARD)], passed(200, member), noon()).await;
    let club = json!({ "count": 1, "list": [{ "clubId": 36, "ketua_nama": "KETUA CONTOH SEKALI" }] });
    desk.hear("pcare.kelompok.club", &[("kdProgram", "01")], passed(200, club), noon()).await;
    desk.hear(
        "pcare.diagnosa.cari",
        &paged("kata-yang-dicari", "0", "10"),
        passed(200, diagnoses(&["J06"], 1)),
        noon(),
    )
    .await;
    assert_eq!(desk.keep.store.kept_totals().await.unwrap()[0].lists, 2);
    drop(desk);
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    assert!(bytes.windows(10).any(|window| window == b"kept_membe"), "the file was read");
    for word in [CARD, NIK, "CONTOH SEKALI", "kata-yang-dicari", "Penyakit J06"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
}

#[tokio::test]
async fn what_is_fetched_ahead_is_due_when_it_is_missing_old_or_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let today = jiff::civil::date(2026, 11, 21);
    let words = ["para".to_owned()];
    let all = tasks(&desk.catalogue, Service::Pcare, FACILITY, today, &words);
    let has = |operation: &str, args: &[(&str, &str)]| {
        all.contains(&Task { operation: operation.to_owned(), args: owned(args) })
    };
    assert!(has("pcare.diagnosa.cari", &[("kataKunci", "A")]) && has("pcare.dokter.list", &[]));
    assert!(has("pcare.obat.dpho", &[("kataKunci", "para")]) && has("pcare.alergi.list", &[("jenis", "02")]));
    assert!(!all.iter().any(|task| task.operation.starts_with("pcare.peserta")), "nobody asked for a member");
    let queue = tasks(&desk.catalogue, Service::AntreanFktp, FACILITY, today, &words);
    assert!(
        queue.contains(&Task {
            operation: "antrean_fktp.ref.poli".to_owned(),
            args: owned(&[("tanggal", "2026-11-21")])
        })
    );
    assert!(tasks(&desk.catalogue, Service::Icare, FACILITY, today, &words).is_empty());

    let day = Duration::from_hours(24);
    let params = owned(&[("kataKunci", "A")]);
    let ask = desk.ask("pcare.diagnosa.cari", &params);
    let due = async |wanted, now| is_due(ask, &desk.keep.lists(Some(FACILITY)).await.unwrap(), day, wanted, now);
    assert!(due(None, noon()).await, "missing");
    desk.hear("pcare.diagnosa.cari", &paged("A", "0", "2"), passed(200, diagnoses(&["A01", "A02"], 3)), noon()).await;
    assert!(due(None, noon()).await, "a part of it");
    desk.hear("pcare.diagnosa.cari", &paged("A", "2", "2"), passed(200, diagnoses(&["A03"], 3)), noon()).await;
    assert!(!due(None, noon() + Duration::from_hours(23)).await);
    assert!(due(None, noon() + day).await, "old");
    assert!(due(Some(noon() + Duration::from_secs(1)), noon() + Duration::from_mins(1)).await, "wanted");
}
