//! Every rule of P-Care's answer table, every shape of envelope, and no input that panics.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::protocol::envelope::Dialect as Writing;
use crate::remote::testing::{cons, plain, reply, sealed, secret, start};
use crate::remote::transport::Layer;

const STAMP: i64 = 1_795_222_923;

fn catalogue() -> &'static Catalogue {
    static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::shipped().unwrap());
    &SHIPPED
}

fn hear_pcare(reply: &Reply) -> Heard {
    let opener = Opener { cons_id: &cons(), secret_key: &secret(), stamp: Stamp::from_seconds(STAMP) };
    hear(catalogue().dialect(Service::Pcare).unwrap(), reply, opener, &Limits::default(), start())
}

fn judge(operation: &str, reply: &Reply) -> Outcome {
    let catalogue = catalogue();
    let operation = catalogue.operation(operation).unwrap();
    outcome(catalogue, operation, &Ok(hear_pcare(reply)), Duration::from_millis(7))
}

/// The outcome in a word and the rule that made it.
fn in_short(outcome: &Outcome) -> (String, String) {
    let rule = match outcome {
        Outcome::AlreadyThere(no) | Outcome::NotFound(no) | Outcome::Refused(no) | Outcome::Fault(no) => &no.rule,
        Outcome::NotAuthorised(no, suspicion) => return (format!("{suspicion:?}"), no.rule.clone()),
        Outcome::RateLimited { .. }
        | Outcome::Accepted(_)
        | Outcome::Unavailable { .. }
        | Outcome::NotSent { .. }
        | Outcome::NoAnswer { .. }
        | Outcome::AcceptedUnread { .. }
        | Outcome::Unreadable { .. } => "",
    };
    (outcome.word().to_owned(), rule.to_owned())
}

/// What P-Care may say, with HTTP status and code alike, and what it means for an operation.
const SAYINGS: &[(&str, u16, &str, &str, &str)] = &[
    (
        "pcare.pendaftaran.add",
        401,
        "Peserta sudah di-entri di poli yang sama pada hari yang sama.",
        "already_there",
        "duplicate",
    ),
    ("pcare.kunjungan.add", 412, "Peserta SUDAH di-entri di poli yang SAMA", "already_there", "duplicate"),
    ("pcare.pendaftaran.delete", 401, "sudah di-entri yang sama", "Unknown", "unknown_401"),
    ("pcare.pendaftaran.add", 401, "Anda belum melakukan skrining kesehatan. Mohon …", "refused", "skrining"),
    ("pcare.obat.add", 401, "Service Expired", "Clock", "service_expired"),
    ("pcare.obat.add", 400, "StartIndex cannot be less than zero.", "Credentials", "authorization_prefix"),
    ("pcare.obat.add", 404, "Unauthorized! You are not registered for this service!", "Credentials", "not_registered"),
    ("pcare.obat.add", 401, "Username atau Password tidak sesuai", "Credentials", "login"),
    ("pcare.kunjungan.edit", 412, "Transaksi dikunci karena sudah ditagihkan", "refused", "locked"),
    ("pcare.kunjungan.add", 412, "Belum melakukan pendaftaran pada poli tersebut.", "refused", "no_registration"),
    ("pcare.pendaftaran.add", 500, "peserta terdaftar di faskes lain", "refused", "member_elsewhere"),
    ("pcare.obat.delete", 412, "Data tidak ditemukan", "not_found", "gone"),
    ("pcare.obat.add", 500, "kdObat Tidak sesuai dengan referensi sistem", "refused", "reference"),
    ("pcare.pendaftaran.add", 412, "noKartu peserta tidak ditemukan", "refused", "member_unknown"),
    ("pcare.kunjungan.add", 500, "Cannot access child value on Newtonsoft.Json.Linq.JValue.", "refused", "client_body"),
    ("pcare.kunjungan.add", 424, "FAILED_DEPENDENCY", "refused", "master_data"),
    ("pcare.kunjungan.add", 412, "PRECONDITION_FAILED", "refused", "precondition"),
    ("pcare.kunjungan.add", 415, "UNSUPPORTED_MEDIA_TYPE", "refused", "bad_request"),
    ("pcare.kunjungan.add", 429, "TOO_MANY", "rate_limited", ""),
    ("pcare.kunjungan.add", 408, "REQUEST_TIMEOUT", "fault", "upstream_timeout"),
    ("pcare.kunjungan.add", 401, "Tidak boleh", "Unknown", "unknown_401"),
    ("pcare.kunjungan.add", 404, "Resource", "refused", "not_found"),
    ("pcare.pendaftaran.add", 204, "NO_CONTENT", "refused", "no_content"),
    ("pcare.kunjungan.add", 500, "Object reference not set to an instance of an object", "fault", "server_fault"),
    // A number inside a text is no code.
    ("pcare.kunjungan.add", 412, "500 401 429 kesalahan", "refused", "precondition"),
];

#[test]
fn every_rule_of_the_answer_table_gives_its_outcome() {
    let mut used: BTreeSet<String> = BTreeSet::from(["too_many".to_owned()]);
    for &(operation, code, text, word, rule) in SAYINGS {
        let found = in_short(&judge(operation, &reply(code, plain(i64::from(code), text, Value::Null))));
        assert_eq!(found, (word.to_owned(), rule.to_owned()), "{operation} {code} {text}");
        used.insert(rule.to_owned());
    }
    let all: BTreeSet<String> = catalogue().answers(Service::Pcare).map(|answer| answer.name.clone()).collect();
    assert!(all.is_subset(&used), "rules without a case: {:?}", all.difference(&used).collect::<Vec<_>>());
}

#[test]
fn a_refusal_inside_http_200_means_the_same_as_under_its_own_status() {
    for &(operation, code, text, word, rule) in SAYINGS {
        let found = in_short(&judge(operation, &reply(200, plain(i64::from(code), text, Value::Null))));
        assert_eq!(found, (word.to_owned(), rule.to_owned()), "{operation} {code} {text}");
    }
}

#[test]
fn a_code_of_its_own_is_judged_by_the_status_if_the_table_does_not_know_it() {
    let found = |status, code, text| in_short(&judge("pcare.obat.add", &reply(status, plain(code, text, Value::Null))));
    assert_eq!(found(400, 50_000, "StartIndex cannot be less than zero").1, "authorization_prefix");
    assert_eq!(found(500, 50_000, "lain").0, "fault");
    assert_eq!(found(200, 999, "lain"), ("refused".to_owned(), "unknown".to_owned()));
    assert_eq!(found(200, 599, "lain"), ("fault".to_owned(), "unknown".to_owned()));
}

#[test]
fn ids_are_taken_from_an_object_or_a_list_as_text_or_number() {
    let table = [
        ("pcare.pendaftaran.add", json!({"field": "noUrut", "message": "A1"}), "noUrut=A1"),
        (
            "pcare.kunjungan.add",
            json!([{"field": "noKunjungan", "message": "0114A0261126Y000001"}]),
            "noKunjungan=0114A0261126Y000001",
        ),
        ("pcare.kunjungan.add", json!({"field": "NOKUNJUNGAN", "message": " Y1 "}), "noKunjungan=Y1"),
        ("pcare.tindakan.add", json!({"field": "kdTindakanSK", "message": 218}), "kdTindakanSK=218"),
        (
            "pcare.obat.add",
            json!([{"field": "kdObatSK", "message": "37"}, {"field": "kdRacikan", "message": "R.12"}]),
            "kdObatSK=37 kdRacikan=R.12",
        ),
        (
            "pcare.obat.add",
            json!([{"field": "kdObatSK", "message": "37"}, {"field": "lain", "message": "x"}]),
            "kdObatSK=37",
        ),
    ];
    for (operation, response, expected) in table {
        for body in [sealed(201, "CREATED", STAMP, &response), plain(201, "CREATED", response.clone())] {
            let Outcome::Accepted(ids) = judge(operation, &reply(201, body)) else { panic!("{operation} {response}") };
            let found: Vec<String> = ids.expose().iter().map(|(name, id)| format!("{name}={id}")).collect();
            assert_eq!(found.join(" "), expected);
        }
    }
}

#[test]
fn an_add_whose_id_cannot_be_read_is_accepted_all_the_same() {
    let id = json!({"field": "noUrut", "message": "A1"});
    let wrong_second = sealed(201, "CREATED", STAMP + 1, &id);
    for body in [
        plain(201, "CREATED", Value::Null),
        plain(201, "CREATED", json!("")),
        plain(201, "CREATED", json!("bukan base64 yang benar")),
        sealed(201, "CREATED", STAMP, &json!({"field": "lain", "message": "A1"})),
        sealed(201, "CREATED", STAMP, &json!({"field": "noUrut", "message": ""})),
        sealed(201, "CREATED", STAMP, &json!([])),
        wrong_second,
    ] {
        assert_eq!(judge("pcare.pendaftaran.add", &reply(201, body)).word(), "accepted_unread");
    }
}

#[test]
fn an_edit_a_delete_and_an_add_without_ids_are_accepted_with_null_or_nothing() {
    let nothing = Outcome::Accepted(Private::new(RemoteIds::new()));
    for operation in ["pcare.kunjungan.edit", "pcare.pendaftaran.delete", "pcare.kelompok.peserta.add"] {
        for response in [Value::Null, json!(""), json!("  ")] {
            let accepted = judge(operation, &reply(200, plain(200, "OK", response)));
            assert_eq!(accepted, nothing, "{operation}");
        }
        let garbage = judge(operation, &reply(200, plain(200, "OK", json!("AAAA"))));
        assert_eq!(garbage, nothing, "{operation}: the code says that it is done, and no id is wanted");
    }
}

#[test]
fn the_code_may_be_text_and_metadata_in_any_case() {
    let body = br#"{"metadata":{"Code":"201","message":"CREATED"},"response":{"field":"noUrut","message":"A1"}}"#;
    assert_eq!(judge("pcare.pendaftaran.add", &reply(201, *body)).word(), "accepted");
}

#[test]
fn a_success_code_under_a_failing_status_is_unreadable() {
    let id = json!({"field": "noUrut", "message": "A1"});
    for status in [302, 400, 500] {
        let body = sealed(201, "CREATED", STAMP, &id);
        assert_eq!(judge("pcare.pendaftaran.add", &reply(status, body)).word(), "unreadable", "{status}");
    }
}

#[test]
fn field_errors_become_one_text_and_are_judged_together() {
    let response = json!([
        {"field": "noKartu", "message": "Belum melakukan pendaftaran pada poli tersebut."},
        {"field": "kdDiag1", "message": 5}
    ]);
    for body in
        [plain(412, "PRECONDITION_FAILED", response.clone()), sealed(412, "PRECONDITION_FAILED", STAMP, &response)]
    {
        let Outcome::Refused(no) = judge("pcare.kunjungan.add", &reply(412, body)) else { panic!("refused") };
        assert_eq!((no.code, no.rule.as_str()), (412, "no_registration"));
        let text = "PRECONDITION_FAILED; noKartu: Belum melakukan pendaftaran pada poli tersebut.; kdDiag1: 5";
        assert_eq!(no.message.expose(), text);
    }
    let words = plain(412, "PRECONDITION_FAILED", json!("Data sudah dilayani di RS"));
    assert_eq!(in_short(&judge("pcare.kunjungan.add", &reply(412, words))).1, "locked");
    let object = plain(412, "PRECONDITION_FAILED", json!({"message": "Data sudah dilayani di RS"}));
    assert_eq!(in_short(&judge("pcare.kunjungan.add", &reply(412, object))).1, "locked");
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let body = plain(412, &"é".repeat(MAX_TEXT), Value::Null);
    let Outcome::Refused(no) = judge("pcare.kunjungan.add", &reply(412, body)) else { panic!("refused") };
    assert!(no.message.expose().len() <= MAX_TEXT && no.message.expose().ends_with('é'));
}

proptest! {
    /// Defect 20 of other bridges: the status was looked for in the text, so that a number in it changed what happened.
    #[test]
    fn defect_20_numbers_in_the_text_change_nothing(
        number in prop_oneof![Just(200_u16), Just(201), Just(204), Just(401), Just(404), Just(408), Just(500), 100_u16..600],
        status in prop_oneof![Just(412_u16), Just(400), Just(424), Just(500)],
    ) {
        let said = |words: &str| {
            let body = json!({ "metaData": { "message": words, "code": status }, "response": null });
            in_short(&judge("pcare.kunjungan.add", &reply(status, body.to_string())))
        };
        let bare = said("keluhan pasien tidak lengkap");
        for words in [
            format!("keluhan {number} pasien tidak lengkap"),
            format!("{number}"),
            format!("keluhan pasien tidak lengkap HTTP/1.1 {number} java.net.UnknownHostException"),
        ] {
            prop_assert_eq!(&said(&words), &bare, "{}", words);
        }
    }

    /// Defect 24 of other bridges: a 4xx was taken for a success.
    #[test]
    fn defect_24_nothing_but_success_is_taken_for_success(
        status in 300_u16..600,
        code in 300_i64..600,
        operation in prop_oneof![Just("pcare.kunjungan.add"), Just("pcare.obat.delete"), Just("pcare.kunjungan.edit")],
        response in prop_oneof![Just(json!(null)), Just(json!({ "field": "noKunjungan", "message": "0114A0261126Y000001" }))],
    ) {
        for body in [
            json!({ "metaData": { "message": "CREATED", "code": code }, "response": response }).to_string(),
            "OK".to_owned(),
            String::new(),
        ] {
            let outcome = judge(operation, &reply(status, body));
            prop_assert!(!matches!(outcome, Outcome::Accepted(_) | Outcome::AcceptedUnread { .. }), "{outcome:?}");
            prop_assert!(!outcome.word().is_empty());
        }
    }
}

#[test]
fn http_204_without_a_body_is_code_204() {
    assert_eq!(in_short(&judge("pcare.pendaftaran.add", &reply(204, *b""))).1, "no_content");
    assert_eq!(in_short(&judge("pcare.obat.delete", &reply(204, *b""))), ("not_found".to_owned(), "gone".to_owned()));
}

#[test]
fn what_is_no_envelope_is_an_outage_or_unreadable() {
    let html = b"<!DOCTYPE html><html><title>Runtime Error</title>".to_vec();
    let unavailable = |status| Outcome::Unavailable { status };
    for body in [html.clone(), b"upstream down".to_vec(), Vec::new(), b"{\"a\":1}".to_vec()] {
        for status in [500, 502, 503, 504, 599] {
            assert_eq!(judge("pcare.obat.add", &reply(status, body.clone())), unavailable(status));
        }
        for status in [200, 201, 302, 400, 404] {
            assert_eq!(judge("pcare.obat.add", &reply(status, body.clone())).word(), "unreadable", "{status} {body:?}");
        }
        assert_eq!(judge("pcare.obat.add", &reply(429, body)).word(), "rate_limited");
    }
    assert_eq!(judge("pcare.obat.add", &reply(403, html)).word(), "unreadable");
    let gateway = br#"{"message":"Unauthorized"}"#;
    assert_eq!(in_short(&judge("pcare.obat.add", &reply(401, *gateway))).0, "Unknown");
}

#[test]
fn patience_is_asked_for_until_the_time_bpjs_said() {
    let mut asked = reply(429, plain(429, "TOO_MANY", Value::Null));
    assert_eq!(judge("pcare.obat.add", &asked), Outcome::RateLimited { until: None });
    asked.retry_after = Some(Duration::from_secs(30));
    let until = Some(start() + Duration::from_secs(30));
    assert_eq!(judge("pcare.obat.add", &asked), Outcome::RateLimited { until });
    asked.body = Private::new(b"<html>".to_vec());
    assert_eq!(judge("pcare.obat.add", &asked), Outcome::RateLimited { until });
}

#[test]
fn created_is_success_in_pcare_only() {
    let table = [
        (Service::Pcare, [true, true, false]),
        (Service::Vclaim, [true, false, false]),
        (Service::AntreanFktp, [true, false, true]),
        (Service::Icare, [true, false, false]),
    ];
    for (service, expected) in table {
        assert_eq!(
            [200, 201, 1].map(|code| catalogue().dialect(service).unwrap().is_success(code)),
            expected,
            "{service:?}"
        );
    }
    let body = envelope::write(&Writing::VCLAIM, 201, "Data tidak ditemukan", Value::Null);
    let opener = Opener { cons_id: &cons(), secret_key: &secret(), stamp: Stamp::from_seconds(STAMP) };
    let heard =
        hear(catalogue().dialect(Service::Vclaim).unwrap(), &reply(200, body), opener, &Limits::default(), start());
    assert!(matches!(heard, Heard::Envelope(said) if !said.success && said.code == 201));
}

#[test]
fn an_end_without_an_answer_is_not_sent_only_when_that_is_certain() {
    let catalogue = catalogue();
    let operation = catalogue.operation("pcare.obat.add").unwrap();
    let took = Duration::from_millis(7);
    let end = |error| outcome(catalogue, operation, &Err(error), took);
    for layer in Layer::ALL {
        let error = TransportError::NotSent { layer: *layer, detail: "x".to_owned() };
        assert_eq!(end(error), Outcome::NotSent { why: layer.word().to_owned() });
    }
    let after = Duration::from_secs(30);
    assert_eq!(end(TransportError::NoAnswer { after }), Outcome::NoAnswer { after });
    assert_eq!(end(TransportError::Broken { detail: "reset".to_owned() }), Outcome::NoAnswer { after: took });
    assert_eq!(end(TransportError::TooLarge).word(), "unreadable");
}

#[test]
fn lists_come_as_list_bare_list_object_or_nothing() {
    let table = [
        (json!({"count": 3, "list": [1, 2]}), vec![json!(1), json!(2)], Some(3)),
        (json!({"count": "3", "list": []}), vec![], Some(3)),
        (json!({"list": null}), vec![], None),
        (json!([1]), vec![json!(1)], None),
        (json!({"noKartu": "0009900000000"}), vec![json!({"noKartu": "0009900000000"})], None),
        (Value::Null, vec![], None),
    ];
    for (value, rows, count) in table {
        assert_eq!(page(None, &value), Some(Page { rows: Private::new(rows), count }), "{value}");
    }
}

#[test]
fn a_list_under_its_own_name_comes_whole_alone_or_bare_and_its_absence_is_no_empty_list() {
    let rows = |value: Value| page(Some("sep"), &value).map(|page| page.rows.into_inner());
    assert_eq!(rows(json!({"sep": [1, 2]})), Some(vec![json!(1), json!(2)]));
    assert_eq!(rows(json!([1])), Some(vec![json!(1)]), "Antrean's references come bare too");
    assert_eq!(rows(json!({"sep": {"noSep": "x"}})), Some(vec![json!({"noSep": "x"})]));
    assert_eq!(rows(json!({"sep": null})), Some(vec![]));
    assert_eq!(rows(Value::Null), Some(vec![]));
    for unknown in [json!({}), json!({"list": []}), json!("x"), json!({"sep": "x"})] {
        assert_eq!(rows(unknown.clone()), None, "{unknown}");
    }
}

const WORDS: &[&str] =
    &["field", "message", "noUrut", "list", "count", "metaData", "code", "sudah entri sama", "A1", "<x>"];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(WORDS), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![Just(200_i64), Just(201), Just(204), 400_i64..520, any::<i64>()];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        any_json().prop_map(|value| value.to_string().into_bytes()),
        (code.clone(), ".{0,20}", any_json()).prop_map(|(code, text, value)| plain(code, &text, value)),
        (code, any_json()).prop_map(|(code, value)| sealed(code, "OK", STAMP, &value)),
    ]
}

proptest! {
    #[test]
    fn no_answer_panics_or_passes_for_not_sent(status in 100_u16..=999, body in any_body(), pick in 0_usize..1000) {
        let catalogue = catalogue();
        let operations: Vec<&Operation> = catalogue.operations().collect();
        let operation = operations[pick % operations.len()];
        let heard = hear_pcare(&reply(status, body));
        if let Heard::Envelope(said) = &heard && let Ok(value) = said.response.expose() {
            let _rows = (page(None, value), page(Some("list"), value));
        }
        let outcome = outcome(catalogue, operation, &Ok(heard), Duration::ZERO);
        let ended_without = matches!(outcome, Outcome::NotSent { .. } | Outcome::NoAnswer { .. });
        prop_assert!(!ended_without);
        if let Outcome::Accepted(ids) = &outcome {
            prop_assert!((200..300).contains(&status));
            prop_assert!(operation.gives.first().is_none_or(|id| ids.expose().contains_key(id)));
        }
    }

    #[test]
    fn an_ambiguous_end_of_a_write_leaves_doubt(pick in 0_usize..1000, which in 0_u8..3, ms in 0_u64..60_000) {
        let catalogue = catalogue();
        let writes: Vec<&Operation> = catalogue.operations().filter(|operation| operation.is_write()).collect();
        let error = match which {
            0 => TransportError::NoAnswer { after: Duration::from_millis(ms) },
            1 => TransportError::Broken { detail: "reset".to_owned() },
            _ => TransportError::TooLarge,
        };
        let outcome = outcome(catalogue, writes[pick % writes.len()], &Err(error), Duration::from_millis(ms));
        let doubt = matches!(outcome, Outcome::NoAnswer { .. } | Outcome::Unreadable { .. });
        prop_assert!(doubt);
    }
}

fn judge_body(operation: &str, status: u16, body: &[u8]) -> Outcome {
    let catalogue = catalogue();
    let operation = catalogue.operation(operation).unwrap();
    let opener = Opener { cons_id: &cons(), secret_key: &secret(), stamp: Stamp::from_seconds(STAMP) };
    let heard = hear(operation.dialect(), &reply(status, body), opener, &Limits::default(), start());
    outcome(catalogue, operation, &Ok(heard), Duration::from_millis(7))
}

#[test]
fn outside_p_care_201_is_a_no_and_the_words_say_which() {
    let vclaim = |words: &str| format!(r#"{{"metaData":{{"code":"201","message":"{words}"}},"response":null}}"#);
    let antrean = |words: &str| format!(r#"{{"metadata":{{"code":201,"message":"{words}"}}}}"#);
    let table = [
        ("vclaim.sep.add", vclaim("Peserta Belum Melakukan Enrollment"), "refused"),
        (
            "vclaim.sep.add",
            vclaim("1.Peserta NoKa 1 telah mendapat Pelayanan R.Jalan Dgn No.SEP 0301R0010323V000039"),
            "already_there",
        ),
        ("vclaim.sep.delete", vclaim("Data Tidak Ditemukan"), "not_found"),
        ("vclaim.sep.add", vclaim("Signature tidak sesuai"), "not_authorised"),
        ("vclaim.sep.add", vclaim("sesuatu yang lain"), "refused"),
        ("antrean_fktp.antrean.add", antrean("Terdapat duplikasi"), "already_there"),
        ("antrean_fktp.antrean.add", antrean("Kuota penuh"), "refused"),
        ("antrean_fktp.antrean.batal", antrean("Antrean Tidak Ditemukan !"), "not_found"),
        ("antrean_fktp.antrean.add", antrean("user_key tidak sesuai"), "not_authorised"),
    ];
    for (operation, body, word) in table {
        assert_eq!(judge_body(operation, 200, body.as_bytes()).word(), word, "{operation} {body}");
    }
    let accepted = judge_body("antrean_fktp.antrean.add", 200, br#"{"metadata":{"message":"Ok","code":200}}"#);
    assert_eq!(accepted.word(), "accepted", "without response, as the catalogue prints it");
}

#[test]
fn outside_p_care_pages_and_silence_are_told_apart() {
    for operation in ["vclaim.sep.add", "antrean_fktp.antrean.add"] {
        let lost = judge_body(operation, 404, b"<html>404");
        assert!(
            matches!(&lost, Outcome::NotAuthorised(no, Suspicion::Unknown) if no.rule == UNKNOWN_ADDRESS),
            "{lost:?}"
        );
        assert_eq!(judge_body(operation, 500, b"<html>Runtime Error").word(), "unavailable");
        assert_eq!(judge_body(operation, 200, b"").word(), "unreadable");
        assert_eq!(judge_body(operation, 200, b"<html>").word(), "unreadable");
    }
}

#[test]
fn a_sep_in_the_clear_and_one_that_does_not_open() {
    let sealed_by = |stamp: i64, value: Value| {
        let text = seal::seal(&cons(), &secret(), Stamp::from_seconds(stamp), &value.to_string());
        envelope::write(&Writing::VCLAIM, 200, "Sukses", Value::String(text))
    };
    let made = json!({"sep": {"noSep": "0114A0261126V000001"}});
    let Outcome::Accepted(ids) = judge_body("vclaim.sep.add", 200, &sealed_by(STAMP, made.clone())) else { panic!() };
    assert_eq!(ids.expose()["noSep"], "0114A0261126V000001");
    for body in [
        sealed_by(STAMP + 1, made),
        sealed_by(STAMP, json!({"sep": {}})),
        sealed_by(STAMP, json!("0114A0261126V000001")),
    ] {
        assert_eq!(judge_body("vclaim.sep.add", 200, &body).word(), "accepted_unread");
    }
    // An operation whose answers come in the clear (§2.4), and an edit that answers with a bare sealed text.
    let bare = envelope::write(&Writing::VCLAIM, 200, "OK", json!("0114A0261126V000001"));
    assert_eq!(judge_body("vclaim.sep.delete", 200, &bare).word(), "accepted");
    assert_eq!(judge_body("vclaim.sep.edit", 200, &sealed_by(STAMP, json!("0114A0261126V000001"))).word(), "accepted");
}
