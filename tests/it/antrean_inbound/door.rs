//! Who gets in, and what the hostile get.

use std::time::Duration;

use super::*;

const EXPIRED: (i64, &str) = (201, "Token Expired");
const WRONG: (i64, &str) = (201, "Username atau Password Tidak Sesuai");

#[tokio::test]
async fn a_token_is_of_one_name_and_one_time() {
    let settings = AntreanInboundConfig { token_lifetime: Duration::from_secs(60), ..Default::default() };
    let house = House::with(settings).await;
    let login = house.caller().await;
    let other = house.add("mjkn-lain", OTHER);
    let other = house.log_in(other).await;
    house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-12:00", 30)]).await;
    let path = "/antrean/status/001/2026-11-23";
    assert_eq!(house.call(&login, "GET", path, None).await.code(), 200);
    assert_eq!(house.call(&other, "GET", path, None).await.refusal(), (201, "Poli Tidak Ditemukan"), "another house");
    let crossed = Login { token: other.token.clone(), ..login.clone() };
    assert_eq!(house.call(&crossed, "GET", path, None).await.refusal(), EXPIRED);
    let bare = house.send("GET", path, &[("x-username", "mjkn")], None).await;
    assert_eq!((bare.status, bare.refusal()), (200, EXPIRED));
    for token in ["", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", &"x".repeat(5000)] {
        let forged = Login { token: token.to_owned(), ..login.clone() };
        assert_eq!(house.call(&forged, "GET", path, None).await.refusal(), EXPIRED);
    }
    let doubled = [("x-token", login.token.as_str()), ("x-token", "b"), ("x-username", "mjkn")];
    assert_eq!(house.send("GET", path, &doubled, None).await.refusal(), EXPIRED);
    house.at("2026-11-21T01:00:59Z");
    assert_eq!(house.call(&login, "GET", path, None).await.code(), 200);
    house.at("2026-11-21T01:01:00Z");
    assert_eq!(house.call(&login, "GET", path, None).await.refusal(), EXPIRED);
    let login = house.log_in(login).await;
    assert_eq!(house.call(&login, "GET", path, None).await.code(), 200);
    house.clients.revoke("mjkn", house.clock.now()).unwrap();
    assert_eq!(house.call(&login, "GET", path, None).await.refusal(), EXPIRED, "revoked at once");
    assert_eq!(house.auth(&login.name, &login.password).await.refusal(), WRONG);
    house.add("mjkn", FACILITY);
    assert_eq!(house.call(&login, "GET", path, None).await.refusal(), EXPIRED, "a new client of the old name");
}

#[tokio::test]
async fn guessing_is_held_up_and_holds_nobody_up_who_was_in_before() {
    let settings = AntreanInboundConfig { failed_logins_per_minute: 3, ..Default::default() };
    let house = House::with(settings).await;
    let login = house.caller().await;
    let late = house.add("mjkn-baru", FACILITY);
    for _ in 0..3 {
        assert_eq!(house.auth("mjkn", "tebakan").await.refusal(), WRONG);
    }
    let held = "Terlalu banyak percobaan masuk yang gagal, silakan coba beberapa saat lagi";
    assert_eq!(house.auth("mjkn", "tebakan").await.refusal(), (201, held));
    assert_eq!(house.auth("siapa", "tebakan").await.refusal(), (201, held), "by address, not by name");
    house.log_in(login).await;
    assert_eq!(house.auth(&late.name, &late.password).await.refusal(), (201, held));
    house.at("2026-11-21T01:00:20Z");
    house.log_in(late).await;
    assert_eq!(house.auth("mjkn", "tebakan").await.refusal(), WRONG, "a right password does not use the bucket up");
}

#[tokio::test]
async fn bodies_and_rates_have_limits() {
    let settings = AntreanInboundConfig { rate_per_second: Some(2.0), ..Default::default() };
    let house = House::with(settings).await;
    let login = house.caller().await;
    let headers = [("x-token", login.token.as_str()), ("x-username", login.name.as_str())];
    let deep = "[".repeat(100_000);
    let many = format!("{{{}\"z\":1}}", (0..60).map(|n| format!("\"k{n}\":1,")).collect::<String>());
    for (body, status, words) in [
        ("", 200, "Format JSON Tidak Sesuai"),
        ("bukan json", 200, "Format JSON Tidak Sesuai"),
        ("[]", 200, "Format JSON Tidak Sesuai"),
        (r#"{"nomorkartu":"1","nomorkartu":"2"}"#, 200, "Format JSON Tidak Sesuai"),
        (r#"{"nomorkartu":{"$ne":""}}"#, 200, "Format JSON Tidak Sesuai"),
        (many.as_str(), 200, "Format JSON Tidak Sesuai"),
        (deep.as_str(), 413, "Isian terlalu panjang atau tidak sesuai format"),
    ] {
        let got = house.send("POST", "/antrean", &headers, Some(body.to_owned())).await;
        assert_eq!((got.status, got.refusal()), (status, (201, words)), "{}", &body[..body.len().min(40)]);
    }
    let mut tired = 0;
    for _ in 0..10 {
        let got = house.call(&login, "GET", "/antrean/status/001/2026-11-23", None).await;
        tired += usize::from(got.status == 429);
    }
    assert!(tired >= 7, "{tired}: ten at once were used up before");
    for (method, path, status) in
        [("DELETE", "/antrean", 405), ("GET", "/../etc/passwd", 404), ("GET", "/v1/status", 404)]
    {
        let got = house.send(method, path, &[], None).await;
        assert_eq!((got.status, got.code()), (status, 201), "{path}");
    }
}

#[tokio::test]
async fn with_a_full_disk_nothing_new_is_taken_and_cancelling_goes_on() {
    let house = House::open().await;
    let login = house.caller().await;
    house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-12:00", 30)]).await;
    house.know(FACILITY, &[1, 2]).await;
    assert_eq!(house.call(&login, "POST", "/antrean", Some(&v2(1))).await.code(), 200);
    house.room.store(false, Ordering::SeqCst);
    assert_eq!(house.call(&login, "POST", "/antrean", Some(&v2(2))).await.status, 503);
    assert_eq!(house.call(&login, "POST", "/peserta", Some(&peserta(3))).await.status, 503);
    assert_eq!(house.call(&login, "PUT", "/antrean/batal", Some(&batal(1))).await.code(), 200);
}

#[tokio::test]
async fn a_call_that_panics_is_answered_in_the_envelope_and_costs_nobody_else() {
    let house = House::open().await;
    let login = house.caller().await;
    house.schedule(FACILITY, monday(), &[(DOCTOR, "08:00-12:00", 30)]).await;
    house.know(FACILITY, &[1]).await;
    house.ill.store(true, Ordering::SeqCst);
    let got = house.call(&login, "POST", "/antrean", Some(&v2(1))).await;
    assert_eq!((got.status, got.code()), (503, 201), "{got:?}");
    house.ill.store(false, Ordering::SeqCst);
    assert_eq!(house.call(&login, "POST", "/antrean", Some(&v2(1))).await.code(), 200);
}
