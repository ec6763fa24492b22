//! Every rule is reached by a message the sources report (wire facts §6), and the order of the rules is pinned.

use super::*;

const SAME: &str = "Peserta sudah di-entri di poli yang sama pada hari yang sama.";
const SKRINING: &str = "Anda belum melakukan skrining kesehatan. Mohon untuk melakukan skrining kesehatan terlebih dahulu \
                        pada menu Skrining Kesehatan.";
const LOCKED: &str = "Transaksi dikunci karena sudah ditagihkan atau data > 3 bulan atau sudah dilayani RS";

/// Kind, code, BPJS's words → the rule that must recognise them.
const REPORTED: &[(Kind, i64, &str, &str)] = &[
    (Kind::Add, 401, SAME, "duplicate"),
    (Kind::Add, 428, SAME, "duplicate"),
    (Kind::Add, 412, "noKartu: PESERTA SUDAH DI-ENTRI DI POLI YANG SAMA", "duplicate"),
    (Kind::Edit, 412, SAME, "precondition"),
    (Kind::Add, 401, SKRINING, "skrining"),
    (Kind::Add, 401, "Service Expired", "service_expired"),
    (Kind::Read, 401, "Timestamp is not valid", "service_expired"),
    (Kind::Read, 400, "StartIndex cannot be less than zero.", "authorization_prefix"),
    (Kind::Read, 50_000, "StartIndex cannot be less than zero.", "authorization_prefix"),
    (Kind::Add, 404, "Unauthorized! You are not registered for this service!", "not_registered"),
    (Kind::Add, 401, "User Id atau Password Salah", "login"),
    (Kind::Add, 401, "Password anda sudah expired, silakan ganti password", "login"),
    (Kind::Add, 403, "Invalid Signature", "login"),
    (Kind::Edit, 412, LOCKED, "locked"),
    (Kind::Delete, 428, "Data Rujukan sudah dilayani di RS", "locked"),
    (Kind::Add, 412, "noKartu: Belum melakukan pendaftaran pada poli tersebut.", "no_registration"),
    (Kind::Add, 500, "Peserta tidak ditemukan atau peserta terdaftar di faskes lain", "member_elsewhere"),
    (Kind::Delete, 412, "Data tidak ditemukan", "gone"),
    (Kind::Edit, 404, "Kunjungan not found", "gone"),
    (Kind::Delete, 204, "NO_CONTENT", "gone"),
    (Kind::Add, 412, "kdPoli: Tidak sesuai dengan referensi sistem.", "reference"),
    (Kind::Add, 500, "kdPoli Tidak sesuai dengan referensi sistem", "reference"),
    (Kind::Add, 412, "noKartu peserta tidak ditemukan", "member_unknown"),
    (Kind::Add, 500, "Cannot access child value on Newtonsoft.Json.Linq.JValue.", "client_body"),
    (Kind::Add, 424, "FAILED_DEPENDENCY", "master_data"),
    (Kind::Add, 412, "PRECONDITION_FAILED", "precondition"),
    (Kind::Add, 412, "kode poli harus diisi", "precondition"),
    (Kind::Add, 400, "Request Error", "bad_request"),
    (Kind::Add, 429, "Too Many Requests", "too_many"),
    (Kind::Add, 408, "The operation has timed out", "upstream_timeout"),
    (Kind::Add, 401, "Akses ditolak", "unknown_401"),
    (Kind::Add, 403, "", "unknown_401"),
    (Kind::Add, 404, "", "not_found"),
    (Kind::Read, 204, "NO_CONTENT", "no_content"),
    (Kind::Add, 500, "Object reference not set to an instance of an object", "server_fault"),
    (Kind::Add, 503, "", "server_fault"),
];

#[test]
fn every_reported_message_reaches_its_rule() {
    let catalogue = shipped();
    for (kind, code, words, rule) in REPORTED {
        let answer = catalogue.answer(Service::Pcare, *kind, *code, words);
        assert_eq!(answer.map(|answer| answer.name.as_str()), Some(*rule), "{code} {words}");
    }
}

#[test]
fn every_rule_is_reached_by_a_reported_message() {
    for rule in shipped().answers(Service::Pcare) {
        assert!(REPORTED.iter().any(|(.., name)| *name == rule.name), "{} is never reached", rule.name);
    }
}

#[test]
fn rules_have_names_of_their_own_words_in_lower_case_meanings_and_sources() {
    let catalogue = shipped();
    let mut names: Vec<_> = catalogue.answers(Service::Pcare).map(|rule| rule.name.clone()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    for rule in catalogue.answers(Service::Pcare) {
        assert!(!rule.code.is_empty() && !rule.meaning.is_empty() && !rule.next.is_empty(), "{}", rule.name);
        assert!(rule.source.len() > 5, "{}", rule.name);
        for word in rule.words.iter().chain(&rule.any) {
            assert_eq!(*word, word.to_lowercase(), "{}: would never be found", rule.name);
        }
    }
}

#[test]
fn the_classes_that_decide_are_what_the_promises_need() {
    let catalogue = shipped();
    let class = |kind, code, text| catalogue.answer(Service::Pcare, kind, code, text).map(|answer| answer.class);
    assert_eq!(class(Kind::Add, 401, SAME), Some(AnswerClass::AlreadyThere));
    assert_eq!(class(Kind::Add, 401, "?"), Some(AnswerClass::Unknown401));
    assert_eq!(class(Kind::Add, 401, "Service Expired"), Some(AnswerClass::Clock));
    assert_eq!(class(Kind::Add, 401, "Password expired"), Some(AnswerClass::Credentials));
    assert_eq!(class(Kind::Delete, 412, "Data tidak ditemukan"), Some(AnswerClass::NotFound));
    assert_eq!(class(Kind::Add, 500, "?"), Some(AnswerClass::Fault));
    assert_eq!(class(Kind::Add, 429, "?"), Some(AnswerClass::RateLimited));
    assert_eq!(class(Kind::Add, 299, "?"), None);
    let elsewhere = catalogue.answer(Service::Vclaim, Kind::Add, 401, SAME).map(|answer| answer.class);
    assert_eq!(elsewhere, Some(AnswerClass::Unknown401), "P-Care's words decide nothing at V-Claim");
}

#[test]
fn a_number_in_the_text_never_decides() {
    let catalogue = shipped();
    let name = |code, text: &str| catalogue.answer(Service::Pcare, Kind::Add, code, text).map(|rule| rule.name.clone());
    for code in [400, 401, 404, 412, 424, 428, 429, 500] {
        for number in ["500", "401 404", "timeout 408", "no 412", "429"] {
            assert_eq!(name(code, number), name(code, ""), "{code} {number}");
        }
    }
}

#[test]
fn a_refusal_keeps_bpjs_words_and_adds_ours() {
    let catalogue = shipped();
    let rule = catalogue.answer(Service::Pcare, Kind::Edit, 412, LOCKED).unwrap();
    let refusal = rule.refusal(412, LOCKED.to_owned());
    assert_eq!((refusal.code, refusal.message.expose().as_str(), refusal.rule.as_str()), (412, LOCKED, "locked"));
    assert!(!format!("{refusal:?}").contains("ditagihkan atau data"), "BPJS's words may name a patient");
}
