use proptest::prelude::*;

use super::*;

const STAMP: Stamp = Stamp::from_seconds(1_736_400_000);

fn consumer() -> (ConsId, SecretKey) {
    (ConsId::new("12345"), SecretKey::new("s3cr3tKEYx"))
}

fn read_text(body: &str) -> Result<Envelope, NotAnEnvelope> {
    read(200, body.as_bytes(), &Limits::default())
}

fn opened(envelope: &Envelope) -> Result<Value, Unreadable> {
    let (cons, secret) = consumer();
    envelope.open_response(&cons, &secret, STAMP, &Limits::default())
}

#[test]
fn every_spelling_of_the_envelope_is_read_alike() {
    for (body, code_is_text) in [
        (r#"{"response":null,"metaData":{"message":"OK","code":200}}"#, false),
        (r#"{"metaData":{"code":"200","message":"OK"},"response":null}"#, true),
        (r#"{"metadata":{"message":"OK","code":200},"response":null}"#, false),
        (r#"{"metadata":{"message":"OK","code":" 200 "},"response":null}"#, true),
        (r#"{"MetaData":{"Code":200,"Message":"OK"},"Response":null}"#, false),
        ("\u{FEFF}\r\n{\"METADATA\":{\"CODE\":\"200\",\"MESSAGE\":\"OK\"},\"RESPONSE\":null}\n", true),
    ] {
        let expected = Envelope { code: 200, code_is_text, message: "OK".to_owned(), response: Body::Null };
        assert_eq!(read_text(body), Ok(expected), "{body}");
    }
}

#[test]
fn every_kind_of_response_is_told_apart() {
    let body = |response: &str| {
        read_text(&format!(r#"{{{response}"metaData":{{"code":200,"message":"OK"}}}}"#)).unwrap().response
    };
    assert_eq!(body(""), Body::Absent);
    assert_eq!(body(r#""response":null,"#), Body::Null);
    assert_eq!(body(r#""response":"","#), Body::Empty);
    assert_eq!(body(r#""response":" ","#), Body::Empty);
    assert_eq!(body(r#""response":"abc=","#), Body::Sealed("abc=".to_owned()));
    assert_eq!(body(r#""response":[{"field":"noKartu"}],"#), Body::Plain(json!([{"field": "noKartu"}])));
    assert_eq!(body(r#""response":{},"#), Body::Plain(json!({})));
    assert_eq!(body(r#""response":7,"#), Body::Plain(json!(7)));
}

#[test]
fn what_is_not_an_envelope_is_named() {
    for (body, expected) in [
        ("", NotAnEnvelope::Empty),
        (" \r\n", NotAnEnvelope::Empty),
        ("<!DOCTYPE html><html><body>Runtime Error</body></html>", NotAnEnvelope::Html),
        ("\n<?xml version=\"1.0\"?>", NotAnEnvelope::Html),
        ("\u{FEFF}<html>", NotAnEnvelope::Html),
        ("Service Unavailable", NotAnEnvelope::NotJson),
        (r#"{"metaData":{"code":200,"mess"#, NotAnEnvelope::NotJson),
        ("[]", NotAnEnvelope::NoMetaData),
        ("{}", NotAnEnvelope::NoMetaData),
        (r#"{"metaData":null}"#, NotAnEnvelope::NoMetaData),
        (r#"{"metaData":{"message":"OK"}}"#, NotAnEnvelope::NoMetaData),
        (r#"{"metaData":{"code":"dua ratus"}}"#, NotAnEnvelope::CodeNotNumeric),
        (r#"{"metaData":{"code":null}}"#, NotAnEnvelope::CodeNotNumeric),
        (r#"{"metaData":{"code":200.5}}"#, NotAnEnvelope::CodeNotNumeric),
    ] {
        assert_eq!(read_text(body), Err(expected), "{body}");
    }
}

#[test]
fn limits_hold_for_the_envelope_itself() {
    let limits = Limits { max_output: 100, max_depth: 3 };
    let deep = br#"{"response":[[[0]]],"metaData":{"code":200}}"#;
    assert_eq!(read(200, deep, &limits), Err(NotAnEnvelope::TooDeep));
    let long = format!(r#"{{"response":"{}","metaData":{{"code":200}}}}"#, "a".repeat(100));
    assert_eq!(read(200, long.as_bytes(), &limits), Err(NotAnEnvelope::TooLarge));
}

#[test]
fn http_204_without_a_body_stands_for_an_envelope_and_200_does_not() {
    let envelope = read(204, b"", &Limits::default()).unwrap();
    assert_eq!((envelope.code, envelope.response), (204, Body::Absent));
    assert_eq!(read(200, b"", &Limits::default()), Err(NotAnEnvelope::Empty));
    assert_eq!(read(204, b"<html>", &Limits::default()), Err(NotAnEnvelope::Html));
}

#[test]
fn a_missing_message_is_empty_and_an_odd_one_is_kept() {
    assert_eq!(read_text(r#"{"metaData":{"code":401}}"#).unwrap().message, "");
    assert_eq!(read_text(r#"{"metaData":{"code":401,"message":null}}"#).unwrap().message, "");
    assert_eq!(read_text(r#"{"metaData":{"code":401,"message":5}}"#).unwrap().message, "5");
}

#[test]
fn each_dialect_writes_the_bytes_of_the_samples() {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert_eq!(
        text(write(&Dialect::PCARE, 201, "CREATED", json!("abc="))),
        r#"{"response":"abc=","metaData":{"message":"CREATED","code":201}}"#
    );
    assert_eq!(
        text(write(&Dialect::VCLAIM, 200, "Sukses", Value::Null)),
        r#"{"response":null,"metaData":{"message":"Sukses","code":"200"}}"#
    );
    assert_eq!(
        text(write(&Dialect::ANTREAN, 1, "Ok", json!({"list": []}))),
        r#"{"response":{"list":[]},"metadata":{"message":"Ok","code":1}}"#
    );
    assert_eq!(
        text(write_without_response(&Dialect::ANTREAN, 200, "Ok")),
        r#"{"metadata":{"message":"Ok","code":200}}"#
    );
}

#[test]
fn a_sealed_response_opens_and_nothing_is_null() {
    let (cons, secret) = consumer();
    let wire = seal::seal(&cons, &secret, STAMP, r#"{"field":"noUrut","message":"A1"}"#);
    let envelope = read(201, &write(&Dialect::PCARE, 201, "CREATED", Value::String(wire)), &Limits::default()).unwrap();
    assert_eq!(opened(&envelope), Ok(json!({"field": "noUrut", "message": "A1"})));
    for response in [Body::Absent, Body::Null, Body::Empty] {
        assert_eq!(opened(&Envelope { response, ..envelope.clone() }), Ok(Value::Null));
    }
    let plain = json!([{"field": "noKartu", "message": "wajib"}]);
    assert_eq!(opened(&Envelope { response: Body::Plain(plain.clone()), ..envelope }), Ok(plain));
}

#[test]
fn plain_words_are_an_error_unless_the_caller_expects_them() {
    let (cons, secret) = consumer();
    let words = "Peserta belum skrining kesehatan";
    let envelope = read(401, &write(&Dialect::PCARE, 401, "UNAUTHORIZED", json!(words)), &Limits::default()).unwrap();
    assert_eq!(opened(&envelope), Err(Unreadable::Sealed));
    let limits = Limits::default();
    assert_eq!(envelope.response_or_text(&cons, &secret, STAMP, &limits), Ok(json!(words)));
    let sealed = Body::Sealed(seal::seal(&cons, &secret, STAMP, "[1]"));
    let envelope = Envelope { response: sealed, ..envelope };
    assert_eq!(envelope.response_or_text(&cons, &secret, STAMP, &limits), Ok(json!([1])));
    let tight = Limits { max_output: 2, ..limits };
    assert_eq!(envelope.response_or_text(&cons, &secret, STAMP, &tight), Err(Unreadable::TooLarge));
}

#[test]
fn debug_shows_no_personal_data() {
    let body = r#"{"response":{"nama":"SITI CONTOH"},"metaData":{"code":200,"message":"SITI CONTOH"}}"#;
    let shown = format!("{:?}", read_text(body));
    assert_eq!(shown, "Ok(Envelope { code: 200, response: Plain(…), .. })");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(status in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = read(status, &body, &Limits::default());
    }

    #[test]
    fn whatever_is_written_is_read_back(
        camel in any::<bool>(), code_as_text in any::<bool>(), code in any::<i64>(), message in any::<String>(), response in "\\PC{1,20}",
    ) {
        let dialect = Dialect { key: if camel { MetaKey::Camel } else { MetaKey::Lower }, code_as_text };
        let envelope = read(200, &write(&dialect, code, &message, json!([response])), &Limits::default());
        let expected = Envelope { code, code_is_text: code_as_text, message, response: Body::Plain(json!([response])) };
        prop_assert_eq!(envelope, Ok(expected));
    }
}
