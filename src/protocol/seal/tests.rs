use proptest::prelude::*;
use serde_json::json;

use super::*;

const STAMP: Stamp = Stamp::from_seconds(1_736_400_000);

fn consumer() -> (ConsId, SecretKey) {
    (ConsId::new("12345"), SecretKey::new("s3cr3tKEYx"))
}

fn sealed(text: &str) -> String {
    let (cons, secret) = consumer();
    seal(&cons, &secret, STAMP, text)
}

fn opened(wire: &str, limits: &Limits) -> Result<Value, Unreadable> {
    let (cons, secret) = consumer();
    open(&cons, &secret, STAMP, wire, limits)
}

/// What `plain` becomes when only the outer two layers are applied.
fn encrypted(plain: &[u8]) -> String {
    let (cons, secret) = consumer();
    STANDARD.encode(Key::derive(&cons, &secret, STAMP).encrypt(plain))
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["😀\u{1F602}", "\"", "\\", "\r\n", " ", "é", "\u{0}", "A1"]).prop_map(Value::from),
    ];
    let nested = leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    });
    // A bare string that looks like JSON is parsed again on purpose, so it is no round trip.
    nested.prop_filter("looks like JSON", |value| {
        !value.as_str().is_some_and(|text| text.trim_start().starts_with(['{', '[']))
    })
}

#[test]
fn a_response_opens_at_its_own_second_only() {
    let (cons, secret) = consumer();
    let wire = sealed(r#"{"field":"noUrut","message":"A1"}"#);
    assert!(opened(&wire, &Limits::default()).is_ok());
    for second in [STAMP.seconds() - 1, STAMP.seconds() + 1] {
        let other = Stamp::from_seconds(second);
        assert_eq!(open(&cons, &secret, other, &wire, &Limits::default()), Err(Unreadable::Sealed));
    }
}

#[test]
fn a_response_does_not_open_for_another_consumer_or_secret() {
    let (cons, secret) = consumer();
    let wire = sealed("[1,2,3]");
    let limits = Limits::default();
    assert_eq!(open(&ConsId::new("12346"), &secret, STAMP, &wire, &limits), Err(Unreadable::Sealed));
    assert_eq!(open(&cons, &SecretKey::new("s3cr3tKEYX"), STAMP, &wire, &limits), Err(Unreadable::Sealed));
}

#[test]
fn every_layer_fails_with_the_same_error() {
    let good = sealed("null");
    for (layer, wire) in [
        ("base64", "%%%".to_owned()),
        ("base64, url alphabet", good.replace('/', "_")),
        ("no block", String::new()),
        ("half a block", STANDARD.encode([0; 8])),
        ("padding", STANDARD.encode([0; 16])),
        ("alphabet", encrypted(b"a\nb")),
        ("truncated", encrypted(b"HYVw")),
        ("code", encrypted(b"wA")),
        ("JSON", sealed("{\"a\":")),
        ("JSON, words", sealed("tidak ada data")),
    ] {
        assert_eq!(opened(&wire, &Limits::default()), Err(Unreadable::Sealed), "{layer}");
    }
}

#[test]
fn json_written_twice_is_read_twice_but_not_thrice() {
    let once = json!({"noSEP": "0301R0011017V000007", "nama": "SITI \"CONTOH\""});
    let twice = Value::String(once.to_string());
    let thrice = Value::String(twice.to_string());
    assert_eq!(opened(&sealed(&twice.to_string()), &Limits::default()), Ok(once));
    assert_eq!(opened(&sealed(&thrice.to_string()), &Limits::default()), Ok(Value::from(twice.to_string())));
}

#[test]
fn a_text_that_only_looks_like_json_stays_a_text() {
    for text in ["[belum ada", "{}}", "0301R0011017V000007", ""] {
        let value = Value::from(text);
        assert_eq!(opened(&sealed(&value.to_string()), &Limits::default()), Ok(value));
    }
}

#[test]
fn a_sealed_empty_text_is_null_in_both_forms() {
    assert_eq!(opened(&encrypted(b"Q"), &Limits::default()), Ok(Value::Null));
    assert_eq!(opened(&encrypted(b""), &Limits::default()), Ok(Value::Null));
}

#[test]
fn blanks_around_the_wire_are_ignored() {
    assert_eq!(opened(&format!(" {}\r\n", sealed("[1]")), &Limits::default()), Ok(json!([1])));
}

#[test]
fn a_bomb_is_refused_as_too_large() {
    let wire = sealed(&format!("\"{}\"", "a".repeat(300_000)));
    assert!(wire.len() < 3000);
    let limits = Limits { max_output: 100_000, ..Limits::default() };
    assert_eq!(opened(&wire, &limits), Err(Unreadable::TooLarge));
    assert!(opened(&wire, &Limits::default()).is_ok());
}

#[test]
fn deep_nesting_is_refused_even_inside_a_text() {
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    assert_eq!(opened(&sealed(&deep), &Limits::default()), Err(Unreadable::TooDeep));
    let within = Value::String(deep).to_string();
    assert_eq!(opened(&sealed(&within), &Limits::default()), Err(Unreadable::TooDeep));
    let allowed = format!("{}{}", "[".repeat(64), "]".repeat(64));
    assert!(opened(&sealed(&allowed), &Limits::default()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_sealed_opens_to_the_same(value in any_json()) {
        prop_assert_eq!(opened(&sealed(&value.to_string()), &Limits::default()), Ok(value));
    }

    #[test]
    fn a_flipped_bit_never_panics_and_never_opens_to_more_than_allowed(value in any_json(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut bytes = STANDARD.decode(sealed(&value.to_string())).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let limits = Limits { max_output: 4096, max_depth: 8 };
        if let Ok(value) = opened(&STANDARD.encode(bytes), &limits) {
            prop_assert!(value.to_string().len() <= 6 * limits.max_output);
        }
    }

    #[test]
    fn arbitrary_plaintext_under_the_right_key_never_panics(plain in prop::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = opened(&encrypted(&plain), &Limits { max_output: 4096, max_depth: 8 });
    }

    #[test]
    fn arbitrary_text_never_panics(wire in any::<String>()) {
        let _outcome = opened(&wire, &Limits { max_output: 4096, max_depth: 8 });
    }
}

#[test]
fn what_is_packed_is_sealed_for_another_without_packing_anew() {
    let (theirs, ours) = ((ConsId::new("1234"), SecretKey::new("pwd")), (ConsId::new("lokal"), SecretKey::new("lain")));
    for json in [r#"{"list":[]}"#, r#""0301R0011017V000007""#, r#"{"nama":"SITI Ñ 漢字"}"#] {
        let (then, now) = (STAMP, Stamp::from_seconds(1_700_000_000));
        let wire = seal(&theirs.0, &theirs.1, then, json);
        let packed = packed(&theirs.0, &theirs.1, then, &wire).unwrap();
        let again = seal_packed(&ours.0, &ours.1, now, &packed);
        assert_eq!(again, seal(&ours.0, &ours.1, now, json), "as if it had been packed here");
        assert!(open(&theirs.0, &theirs.1, then, &again, &Limits::default()).is_err(), "for nobody else");
        assert_eq!(format!("{packed:?}"), "Packed(…)");
        assert_eq!(super::packed(&ours.0, &ours.1, then, &wire), None, "not with another's key");
    }
}
