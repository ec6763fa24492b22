//! The accept loop: slow clients, crowds, foreign hosts, and the end.

use std::time::Instant;

use super::*;

/// Sends the beginning of a request, then nothing, and waits for the server to close.
async fn stall(bridge: &Bridge, beginning: &str) -> (Answer, Duration) {
    let mut stream = TcpStream::connect(bridge.address).await.unwrap();
    stream.write_all(beginning.as_bytes()).await.unwrap();
    let begun = Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(20), read_answer(&mut stream)).await.unwrap();
    (answer, begun.elapsed())
}

#[tokio::test]
async fn silent_and_slow_clients_are_shown_out() {
    let bridge = Bridge::with(quick_limits()).await;
    let half_body = format!(
        "POST /v1/submissions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{",
        bridge.sim
    );
    for (beginning, status) in [("", 0), ("GET /v1/deliveries HTTP/1.1\r\nHost: loc", 0), (half_body.as_str(), 408)] {
        let (answer, took) = stall(&bridge, beginning).await;
        // hyper may say 408 itself before it closes on half a header.
        assert!(answer.status == status || (status == 0 && answer.status == 408), "{beginning:?}: {answer:?}");
        assert!(took < Duration::from_secs(10), "{beginning:?} held the door for {took:?}");
    }
    assert_eq!(bridge.stored().await, (0, 0));
}

#[tokio::test]
async fn one_peer_cannot_take_every_place() {
    let bridge = Bridge::with(HttpLimits { connections_per_peer: 3, ..HttpLimits::default() }).await;
    let mut inside = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(bridge.address).await.unwrap();
        // An answered request proves that the server has let the connection in.
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        assert!(stream.read_u8().await.is_ok());
        inside.push(stream);
    }
    let fourth = bridge.raw(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!(fourth.status, 0, "closed without a word");
}

#[tokio::test]
async fn a_request_for_another_host_is_not_answered() {
    let bridge = Bridge::start().await;
    let ask = async |host: &str| {
        let request = format!("GET /health/live HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        bridge.raw(request.as_bytes()).await.status
    };
    assert_eq!(ask("Host: localhost:8077\r\n").await, 200);
    assert_eq!(ask("Host: jembatan.lan\r\n").await, 200);
    assert_eq!(ask("Host: jahat.example\r\n").await, 421);
    assert_eq!(ask("").await, 400);
    assert_eq!(ask("Host: localhost\r\nHost: jahat.example\r\n").await, 400);
}

#[tokio::test]
async fn no_answer_may_be_kept_or_guessed_at() {
    let bridge = Bridge::start().await;
    for path in ["/v1/deliveries", "/v1/antah", "/openapi.json", "/health/live"] {
        let answer = bridge.get(path, &bridge.sim).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(answer.header("server").is_none(), "{path}");
    }
}

#[tokio::test]
async fn headers_have_a_limit() {
    let bridge = Bridge::start().await;
    let request = format!("GET /v1/deliveries HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(40 * 1024));
    let status = bridge.raw(request.as_bytes()).await.status;
    assert!(matches!(status, 431 | 0), "{status}");
}

#[tokio::test]
async fn too_many_requests_of_one_client_are_put_off() {
    let bridge = Bridge::start().await;
    // The clock stands still: nothing flows back into the bucket.
    let mut statuses = Vec::new();
    for _ in 0..201 {
        statuses.push(bridge.get("/v1/outages", &bridge.sim).await.status);
    }
    assert!(statuses[..200].iter().all(|status| *status == 200));
    assert_eq!(statuses[200], 429);
    assert_eq!(bridge.get("/v1/outages", &bridge.operator).await.status, 200, "others are not concerned");
}

#[tokio::test]
async fn the_end_answers_those_who_wait_and_then_closes() {
    let bridge = Arc::new(Bridge::start().await);
    let waiting = tokio::spawn({
        let (bridge, body) = (Arc::clone(&bridge), single("reg-1", CARD).to_string());
        async move { bridge.ask("POST", "/v1/submissions", &bridge.sim, "Prefer: wait=60\r\n", Some(&body)).await }
    });
    bridge.something_stored().await;
    bridge.stop.cancel();
    let answer = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
    assert_eq!((answer.status, &answer.body["deliveries"][0]["state"]), (202, &json!("waiting")));
    let ended = async {
        while !bridge.served.is_finished() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap();
    assert!(TcpStream::connect(bridge.address).await.is_err(), "the door is closed");
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_what_it_began() {
    let bridge = Bridge::start().await;
    let body = single("reg-1", CARD).to_string();
    let mut stream = TcpStream::connect(bridge.address).await.unwrap();
    let request = format!(
        "POST /v1/submissions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nPrefer: wait=60\r\nContent-Length: {}\r\n\r\n{body}",
        bridge.sim,
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    drop(stream);
    // Whether or not the first one got far enough, the repetition is the same submission.
    assert_eq!(bridge.submit(&single("reg-1", CARD)).await.status, 202);
    assert_eq!(bridge.stored().await, (1, 1));
}

#[tokio::test]
async fn over_tls_the_same_api_answers_and_plain_http_does_not() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let server = server.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let bridge = Bridge::behind(quick_limits(), Some(Arc::new(server))).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let stream = TcpStream::connect(bridge.address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 200);
    let plain = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut stream = TcpStream::connect(bridge.address).await.unwrap();
    stream.write_all(plain).await.unwrap();
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "no plain answer");
    let (_, took) = stall(&bridge, "").await;
    assert!(took < Duration::from_secs(10), "a handshake that never comes is not waited for: {took:?}");
}
