use super::*;

const STAMP: Stamp = Stamp::from_seconds(1_736_400_000);

fn consumer() -> (ConsId, SecretKey) {
    (ConsId::new("12345"), SecretKey::new("s3cr3tKEYx"))
}

#[test]
fn a_stamp_changes_exactly_at_the_second() {
    let last = "2025-01-09T05:20:00.999999999Z".parse().unwrap();
    let next = "2025-01-09T05:20:01Z".parse().unwrap();
    assert_eq!(Stamp::at(last), STAMP);
    assert_eq!(Stamp::at(next), Stamp::from_seconds(1_736_400_001));
    assert_eq!(STAMP.to_string(), "1736400000");
}

#[test]
fn a_signature_is_valid_for_its_own_second_consumer_and_secret_only() {
    let (cons, secret) = consumer();
    let made = signature(&cons, &secret, STAMP);
    assert_eq!(made.len(), 44);
    assert!(signature_is_valid(&cons, &secret, STAMP, &made));
    for second in [STAMP.seconds() - 1, STAMP.seconds() + 1] {
        assert!(!signature_is_valid(&cons, &secret, Stamp::from_seconds(second), &made));
    }
    assert!(!signature_is_valid(&ConsId::new("12346"), &secret, STAMP, &made));
    assert!(!signature_is_valid(&cons, &SecretKey::new("s3cr3tKEYX"), STAMP, &made));
}

#[test]
fn a_damaged_or_shortened_signature_is_not_valid() {
    let (cons, secret) = consumer();
    let made = signature(&cons, &secret, STAMP);
    let short = STANDARD.encode(&STANDARD.decode(&made).unwrap()[..16]);
    for claimed in ["", "=", &made[..43], &made.to_lowercase(), &short, "not base64 at all!"] {
        assert!(!signature_is_valid(&cons, &secret, STAMP, claimed), "{claimed}");
    }
}

/// RFC 4231, cases 2 (short key) and 6 (key of 131 bytes), and keys around one block against the crate's own keying.
#[test]
fn keys_of_every_length_are_keyed_as_rfc_2104_says() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let tag = |key: &[u8], message: &[u8]| hex(&mac(key, message).finalize().into_bytes());
    assert_eq!(
        tag(b"Jefe", b"what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert_eq!(
        tag(&[0xAA; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    );
    for length in [0, 1, 63, 64, 65, 200] {
        let key = vec![0x5A; length];
        let crates_own = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(b"pesan").finalize();
        assert_eq!(tag(&key, b"pesan"), hex(&crates_own.into_bytes()), "{length}");
    }
}

#[test]
fn an_authorization_is_read_back_even_with_colons_in_the_password() {
    for password in ["Rahasia1!", "a:b", ":", "", "::095:", "sandi é"] {
        let header = authorization(&Username::new("0114A026"), &Password::new(password), KD_APLIKASI);
        let (username, read, app_code) = read_authorization(&header).unwrap();
        assert_eq!((username.expose(), read.expose(), app_code.as_str()), ("0114A026", password, "095"));
    }
}

#[test]
fn every_broken_authorization_is_named() {
    let coded = |plain: &[u8]| format!("Basic {}", STANDARD.encode(plain));
    for (header, expected) in [
        (String::new(), AuthorizationError::NoScheme),
        (STANDARD.encode("u:p:095"), AuthorizationError::NoScheme),
        (format!("Bearer {}", STANDARD.encode("u:p:095")), AuthorizationError::NoScheme),
        ("Basic %%%".to_owned(), AuthorizationError::NotText),
        (coded(&[0xFF, b':', b':']), AuthorizationError::NotText),
        (coded(b"cobappk"), AuthorizationError::NotThreeParts),
        (coded(b"cobappk:spptisppti"), AuthorizationError::NotThreeParts),
    ] {
        assert_eq!(read_authorization(&header).err(), Some(expected), "{header}");
    }
}

#[test]
fn nothing_secret_appears_when_printed() {
    let shown = format!("{:?}", read_authorization("Basic MDAwMFRFU1Q6UmFoYXNpYTEhOjA5NQ=="));
    assert!(!shown.contains("Rahasia") && !shown.contains("0000TEST"), "{shown}");
}
