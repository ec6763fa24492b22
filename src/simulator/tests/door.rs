//! The checks at the door, in their order, and the body's.

use super::*;

async fn refused(change: impl FnOnce(&mut HeaderMap)) -> (u16, Value, String) {
    let client = client();
    let mut request = client.request("GET", "dokter/0/1", None);
    change(request.headers_mut());
    let got = client.send(request).await;
    assert_eq!(got.response, Value::Null);
    (got.status, got.code, got.message)
}

#[tokio::test]
async fn a_proper_request_passes_whatever_the_case_of_its_path() {
    let client = client();
    for path in ["dokter/0/1", "DOKTER/0/1"] {
        let got = client.get(path).await;
        assert_eq!((got.status, got.code, got.message.as_str()), (200, json!(200), "OK"));
        assert_eq!(got.response["list"][0]["kdDokter"], "001");
        assert_eq!(got.headers["content-type"], "application/json; charset=utf-8");
    }
    let mut request = client.request("GET", "dokter/0/1", None);
    *request.uri_mut() = "/PCare-Rest/dokter/0/1".parse().unwrap();
    assert_eq!(client.send(request).await.status, 200);
}

#[tokio::test]
async fn each_missing_header_is_named() {
    for name in ["x-cons-id", "x-timestamp", "x-signature", "x-authorization", "user_key"] {
        let (status, code, message) = refused(|headers| drop(headers.remove(name))).await;
        assert_eq!((status, code), (401, json!(401)), "{name}");
        assert!(message.to_lowercase().ends_with(name), "{message} names {name}");
    }
}

#[tokio::test]
async fn a_login_without_basic_is_the_dotnet_error() {
    let bare = |headers: &mut HeaderMap| {
        let value = headers["x-authorization"].to_str().unwrap().trim_start_matches("Basic ").parse().unwrap();
        headers.insert("x-authorization", value);
    };
    let (status, code, message) = refused(bare).await;
    assert_eq!((status, code), (400, json!(50000)));
    assert!(message.starts_with("StartIndex cannot be less than zero."), "{message}");
}

#[tokio::test]
async fn every_other_wrong_header_has_its_own_answer() {
    let set = |name: &'static str, value: &'static str| {
        move |headers: &mut HeaderMap| drop(headers.insert(name, value.parse().unwrap()))
    };
    assert_eq!(refused(set("x-cons-id", "999")).await, (401, json!(401), texts::UNKNOWN_CONSUMER.to_owned()));
    assert_eq!(refused(set("x-signature", "AAAA")).await, (401, json!(401), texts::BAD_SIGNATURE.to_owned()));
    assert_eq!(refused(set("x-timestamp", "soon")).await, (401, json!(401), texts::BAD_SIGNATURE.to_owned()));
    let vclaim = "0000000000000000000000000vclaim1";
    let not_registered = "Unauthorized! You are not registered for this service!".to_owned();
    assert_eq!(refused(set("user_key", vclaim)).await, (404, json!(404), not_registered));
    assert_eq!(
        refused(set("x-authorization", "Basic b3JhbmcgbGFpbg==")).await,
        (401, json!(401), texts::BAD_LOGIN.to_owned())
    );
}

#[tokio::test]
async fn a_timestamp_five_minutes_off_passes_and_one_second_more_does_not() {
    for (skew, status) in [(300, 200), (-300, 200), (301, 401), (-301, 401)] {
        let client = client();
        client.simulator.set_skew(skew);
        let got = client.get("dokter/0/1").await;
        assert_eq!(got.status, status, "skew {skew}");
        if status == 401 {
            assert_eq!(got.message, "Service Expired");
        }
    }
}

#[tokio::test]
async fn the_date_header_shows_the_services_clock() {
    let client = client();
    assert_eq!(client.get("dokter/0/1").await.headers["date"], "Sat, 21 Nov 2026 03:00:00 GMT");
    client.simulator.set_skew(600);
    let got = client.get("dokter/0/1").await;
    assert_eq!((got.status, &got.headers["date"]), (401, &"Sat, 21 Nov 2026 03:10:00 GMT".parse().unwrap()));
}

#[tokio::test]
async fn today_is_the_day_in_jakarta() {
    let client = client();
    client.clock.advance(Duration::from_secs(14 * 3600 - 1));
    let tomorrow = json!({ "tglDaftar": "22-11-2026" });
    let mut body = registration();
    body["tglDaftar"] = tomorrow["tglDaftar"].clone();
    assert_eq!(client.call("POST", "pendaftaran", Some(body.clone())).await.status, 412, "23.59.59 WIB");
    client.clock.advance(Duration::from_secs(1));
    assert_eq!(client.call("POST", "pendaftaran", Some(body)).await.status, 201, "00.00 WIB");
}

#[tokio::test]
async fn bodies_that_are_no_object_break_as_bpjs_breaks() {
    let client = client();
    let mut request = client.request("POST", "pendaftaran", None);
    *request.body_mut() = Body::from("{not json");
    let got = client.send(request).await;
    assert_eq!(got.status, 400);
    assert!(String::from_utf8_lossy(&got.raw).contains("Request Error"));
    let got = client.call("POST", "pendaftaran", Some(json!("{}"))).await;
    assert_eq!((got.status, got.message.as_str()), (500, "Cannot access child value on Newtonsoft.Json.Linq.JValue."));
}

#[tokio::test]
async fn json_as_content_type_breaks_only_in_strict_mode() {
    let strict = Rules { strict_content_type: true, ..Rules::default() };
    for (rules, status) in [(Rules::default(), 201), (strict, 500)] {
        let mut client = scripted(Script { rules, ..Script::default() });
        client.content_type = "application/json; charset=utf-8";
        assert_eq!(client.call("POST", "pendaftaran", Some(registration())).await.status, status);
        assert_eq!(client.get("kesadaran").await.status, 200, "reads may say json");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_a_web_servers_404() {
    let client = client();
    for (method, path) in
        [("GET", "tidak/ada"), ("PATCH", "kunjungan/v1"), ("GET", "peserta/"), ("PUT", "obat/kunjungan")]
    {
        let got = client.call(method, path, None).await;
        assert_eq!(got.status, 404, "{method} {path}");
        assert!(String::from_utf8_lossy(&got.raw).starts_with("<!DOCTYPE html>"));
    }
}

#[tokio::test]
async fn a_changed_password_and_a_wrong_user_key_type_are_told_apart() {
    let mut client = client();
    client.simulator.set_password(Password::new("Baru#2027"));
    assert_eq!(client.get("dokter/0/1").await.message, texts::BAD_LOGIN);
    client.credentials.password = Password::new("Baru#2027");
    assert_eq!(client.get("dokter/0/1").await.status, 200);
    client.credentials.pcare = UserKey::new("rahasia-simulator-2026");
    assert_eq!(client.get("dokter/0/1").await.status, 404);
}
