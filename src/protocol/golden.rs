//! Vectors that this code did not make, each with its source.
//!
//! "BPJS" marks what BPJS's help pages publish. "node" marks vectors made with Node's crypto and the original JavaScript
//! lz-string under invented credentials; those of P-Care were read back with PHP (openssl, nullpunkt/lz-string-php) and
//! Python, those of V-Claim with Python (cryptography and a decoder of its own).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::lz;
use super::seal::{Limits, Unreadable, open};
use super::sign::{KD_APLIKASI, Stamp, authorization, read_authorization, signature, signature_is_valid};
use crate::secret::{ConsId, Password, SecretKey, Username};

/// (source, consId, secret, stamp, `X-signature`)
const SIGNATURES: &[(&str, &str, &str, i64, &str)] = &[
    ("BPJS: sample input; node: result", "1234", "pwd", 433_223_232, "eXMtvX2r7e7CLCIu3kpEpCrvciZgK8FuOhKv06NDAHk="),
    ("node, V-Claim", "1234", "pwd", 1_700_000_000, "QbAKTP54Su+BEvo9Ks0zhW27zsJAjQNNXGMcns5eMz0="),
    ("node, P-Care", "12345", "s3cr3tKEYx", 1_736_400_000, "B6TEDUN7mJFW1LohuvndToQzdTq3IvBaYjxbtpTjCck="),
];

/// (source, message, key, base64): not of the form `consId&stamp`, so checked against the bare HMAC.
const HMACS: &[(&str, &str, &str, &str)] = &[
    ("BPJS: made by its own server", "aaa", "bbb", "20BKS3PWnD3XU4JbSSZvVlGi2WWnDa8Sv9uHJ+wsELA="),
    ("node, V-Claim", "testtesttest", "secretkey", "JTMRzVfaBYSxZnaWBy5sa8yKsspBi4EeU2q4WaEwICg="),
    ("node: inputs of a Java sample", "0123456789", "secretKey", "5v9CUnAGsvsBGwTqoYPQxGwn/u70GOKurN+2tvvSfNo="),
];

/// One sealed response; `lz` is `None` where the source prints the wire only.
struct Sealed {
    source: &'static str,
    cons: &'static str,
    secret: &'static str,
    stamp: i64,
    json: &'static str,
    lz: Option<&'static str>,
    wire: &'static str,
}

const fn pcare(source: &'static str, json: &'static str, lz: &'static str, wire: &'static str) -> Sealed {
    Sealed { source, cons: "12345", secret: "s3cr3tKEYx", stamp: 1_736_400_000, json, lz: Some(lz), wire }
}

const fn vclaim(source: &'static str, json: &'static str, lz: Option<&'static str>, wire: &'static str) -> Sealed {
    Sealed { source, cons: "1234", secret: "pwd", stamp: 433_223_232, json, lz, wire }
}

const SEALED: &[Sealed] = &[
    pcare(
        "node, P-Care V1, pendaftaran created",
        r#"{"field":"noUrut","message":"A1"}"#,
        "N4IgZglgpgNgJiAXCAdgewKoCcCuAXEAGhAFsoBncgQwHMokQBBARhAF8g",
        "ggII1jv0JTRgygZLYUQPg60Fwtvpy5mDxZMxo+GK/xA0UgLAabzwjSrdD/eji24iXmY+LpCnMimUSBIyooDFog==",
    ),
    pcare(
        "node, P-Care V2, kunjungan created",
        r#"[{"field":"noKunjungan","message":"9999X0010125Y000001"}]"#,
        "NobwRAZglgpgNgEzALjAOwPYGkCuaBWeA5gIZpgA0YAtjAM50lEwpgCcHbAGgAw8CMAgEwBWAJp9J-MAF8AukA",
        concat!(
            "YpqcQIQQR3TNUQSHTVvDaUBvD5upMUCD33ByQuNWitE1/FS3UGHFMYiDKl4pLEo0qCHuZBk+01nKaiq3F37CICGZNXNNZnTqQ0UIBfMV8RB2",
            "ZKK7FXN2wl+FrlSuMGYa"
        ),
    ),
    pcare("node, P-Care V5, null", "null", "HYVwNmQ", "UCioCzAPP/dh+dC6QqSQ4Q=="),
    pcare("node, P-Care V5, empty text", "", "Q", "rAtZUkm/TStavUQhKFlqjw=="),
    vclaim(
        "node, V-Claim: empty list",
        r#"{"list":[]}"#,
        Some("N4IgNglgzgLiBcBtAugXyA"),
        "BrIc3POWIpoZX21f0INPccc9Qk8TneHxWsjSn+S/QGo=",
    ),
    vclaim(
        "node, V-Claim: a bare string",
        r#""0301R0011017V000007""#,
        Some("EQBgzCCMBKJZUDsA1ObHCA"),
        "vrkHA01Sls2I0fgtXdGY8OdVQLKD1M7G0gJ1DDgAFK4=",
    ),
    vclaim(
        "node, V-Claim: finger print",
        r#"{"kode":"1","status":"Peserta telah melakukan validasi finger print pada tanggal 2020-01-21"}"#,
        None,
        concat!(
            "OCNnb4n+NOFlUWS//AkNMJANiXgi61NNGN9ronNSKi2w53r616y16CnDwlWeayljkxmS6/atev1iQodLcxjUznsdII+L+x4qDcEDVSQkLV70",
            "gX91aIy01aRCHxEH5ViMorVpXhz1QfKzTC0Gc9ad4s92lEFwVzUNn1k9beWbEYs="
        ),
    ),
];

impl Sealed {
    fn open_at(&self, stamp: i64) -> Result<Value, Unreadable> {
        let (cons, secret) = (ConsId::new(self.cons), SecretKey::new(self.secret));
        open(&cons, &secret, Stamp::from_seconds(stamp), self.wire, &Limits::default())
    }
}

#[test]
fn every_published_and_foreign_signature_is_reproduced() {
    for &(source, cons, secret, stamp, expected) in SIGNATURES {
        let (cons, secret, stamp) = (ConsId::new(cons), SecretKey::new(secret), Stamp::from_seconds(stamp));
        assert_eq!(signature(&cons, &secret, stamp), expected, "{source}");
        assert!(signature_is_valid(&cons, &secret, stamp, expected), "{source}");
    }
}

#[test]
fn every_bare_hmac_is_reproduced() {
    for &(source, message, key, expected) in HMACS {
        assert_eq!(super::sign::hmac_base64(key.as_bytes(), message.as_bytes()), expected, "{source}");
    }
}

#[test]
fn the_signature_in_the_official_header_table_has_the_form_of_ours() {
    let published = STANDARD.decode("DogC5UiQurNcigrBdQ3QN5oYvXeUF5E82I/LHUcI9v0=").unwrap();
    assert_eq!(published.len(), 32, "BPJS: secret not published, so only the form can be compared");
}

#[test]
fn the_authorization_of_pcare_is_reproduced() {
    let header = authorization(&Username::new("0000TEST"), &Password::new("Rahasia1!"), KD_APLIKASI);
    assert_eq!(header.as_str(), "Basic MDAwMFRFU1Q6UmFoYXNpYTEhOjA5NQ==", "node, P-Care");
}

#[test]
fn the_official_authorization_sample_ends_in_095() {
    // BPJS: the header table leaves `Basic ` out, every working client sends it.
    let (username, _password, app_code) = read_authorization("Basic MDkwMzA0MDI6UXdlcnR5MSE6MDk1").unwrap();
    assert_eq!((username.expose(), app_code.as_str()), ("09030402", KD_APLIKASI));
}

#[test]
fn every_foreign_sealed_response_opens() {
    for vector in SEALED {
        let expected = if vector.json.is_empty() { Value::Null } else { serde_json::from_str(vector.json).unwrap() };
        assert_eq!(vector.open_at(vector.stamp), Ok(expected), "{}", vector.source);
    }
}

#[test]
fn every_foreign_compressed_text_is_read_and_written() {
    for vector in SEALED {
        let Some(packed) = vector.lz else { continue };
        assert_eq!(lz::decompress(packed.as_bytes(), 1 << 20).as_deref(), Ok(vector.json), "{}", vector.source);
        assert_eq!(lz::compress(vector.json), packed, "{}", vector.source);
    }
}

#[test]
fn sealing_gives_the_bytes_of_every_foreign_vector() {
    for vector in SEALED {
        let (cons, secret) = (ConsId::new(vector.cons), SecretKey::new(vector.secret));
        let wire = super::seal::seal(&cons, &secret, Stamp::from_seconds(vector.stamp), vector.json);
        assert_eq!(wire, vector.wire, "{}", vector.source);
    }
}

#[test]
fn v6_the_following_second_does_not_open_the_response() {
    assert_eq!(SEALED[0].open_at(1_736_400_001), Err(Unreadable::Sealed));
    assert_eq!(SEALED[0].open_at(1_736_400_000), Ok(json!({"field": "noUrut", "message": "A1"})));
}

/// What the original JavaScript library made of varied texts; the file's `made_with` says how to make it again.
mod javascript {
    use super::*;

    const FILE: &str = include_str!("../../tests/golden/lz-javascript.json");

    fn pairs() -> Vec<(String, String)> {
        let file: Value = serde_json::from_str(FILE).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        file["vectors"].as_array().unwrap().iter().map(|pair| (text(&pair["text"]), text(&pair["packed"]))).collect()
    }

    #[test]
    fn whatever_javascript_packs_is_unpacked() {
        assert!(pairs().len() >= 60);
        for (text, packed) in pairs() {
            assert_eq!(lz::decompress(packed.as_bytes(), 1 << 20), Ok(text));
        }
    }

    #[test]
    fn what_is_packed_here_is_what_javascript_packs() {
        for (text, packed) in pairs() {
            assert_eq!(lz::compress(&text), packed);
        }
    }
}
