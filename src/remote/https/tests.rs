//! How far a request got, shown on sockets that misbehave on purpose.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::remote::testing::local;

/// What a test server does with a connection.
#[derive(Clone, Copy)]
enum Manner {
    /// Closes at once, without reading.
    Close,
    /// Says this without reading, closes.
    Blurt(&'static str),
    /// Reads the request and says nothing.
    Silence,
    /// Reads the request, says this, closes.
    Say(&'static str),
    /// Reads the request, says this, keeps the connection open.
    SayAndHold(&'static str),
    /// Answers every request of the connection.
    Serve(&'static str),
}

struct Server {
    at: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

async fn server(manner: Manner) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&connections), Arc::clone(&requests));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counters.0.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(behave(stream, manner, Arc::clone(&counters.1)));
        }
    });
    Server { at, connections, requests }
}

async fn behave(mut stream: impl AsyncRead + AsyncWrite + Unpin, manner: Manner, requests: Arc<AtomicUsize>) {
    match manner {
        Manner::Close => return,
        Manner::Blurt(text) => stream.write_all(text.as_bytes()).await.unwrap(),
        Manner::Silence => {
            read_head(&mut stream, &requests).await;
            Notify::new().notified().await;
        }
        Manner::Say(text) => {
            read_head(&mut stream, &requests).await;
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        Manner::SayAndHold(text) => {
            read_head(&mut stream, &requests).await;
            stream.write_all(text.as_bytes()).await.unwrap();
            Notify::new().notified().await;
        }
        Manner::Serve(text) => {
            while read_head(&mut stream, &requests).await {
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        }
    }
    let _gone = stream.shutdown().await;
}

/// Reads to the end of the headers (and of the tests' body `{}` after them); false at the end of the stream.
async fn read_head(stream: &mut (impl AsyncRead + Unpin), requests: &AtomicUsize) -> bool {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return false;
        }
        seen.push(byte[0]);
    }
    if seen.starts_with(b"POST") {
        let mut body = [0; 2];
        stream.read_exact(&mut body).await.unwrap();
    }
    requests.fetch_add(1, Ordering::SeqCst);
    true
}

/// A CA of the tests, so that no test needs the system's roots.
struct Authority {
    pem: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    // Each has its own name: two of the same name and different keys would be a forged signature, not a stranger.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    let name = format!("CA uji {}", NUMBER.fetch_add(1, Ordering::SeqCst));
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem().into_bytes();
    Authority { pem, issuer: Issuer::new(params, key) }
}

async fn tls_server(authority: &Authority, name: &str) -> Server {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority.issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&connections), Arc::clone(&requests));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counters.0.fetch_add(1, Ordering::SeqCst);
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(behave(stream, Manner::Serve(OK), Arc::clone(&counters.1)));
            }
        }
    });
    Server { at, connections, requests }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}";

fn transport() -> HttpsTransport {
    HttpsTransport::new(&local(), &[authority().pem]).unwrap()
}

fn request(method: Method, url: String) -> Request {
    let body = (method == Method::Post).then(|| Private::new("{}".to_owned()));
    let headers = vec![("user_key", Private::new("kunci".to_owned()))];
    Request { method, url: Private::new(url), headers, body, timeout: Duration::from_secs(20) }
}

fn post(server: &Server) -> Request {
    request(Method::Post, format!("http://{}/pcare-rest/pendaftaran?kartu=0009900000000", server.at))
}

/// A name that fails without asking any server: it has an empty label.
fn unknown_name() -> String {
    "http://tidak..ada/".to_owned()
}

fn broken(result: &Result<Reply, TransportError>) -> bool {
    matches!(result, Err(TransportError::Broken { .. }))
}

#[tokio::test]
async fn a_refused_port_and_an_unknown_name_are_not_sent() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = transport().send(request(Method::Post, format!("http://{free}/"))).await;
    assert_eq!(refused.unwrap_err(), not_sent(Layer::Tcp, REFUSED));
    let unknown = transport().send(request(Method::Post, unknown_name())).await;
    assert_eq!(unknown.unwrap_err(), not_sent(Layer::Dns, "name not resolved"));
}

#[tokio::test]
async fn addresses_that_may_not_be_called_are_not_sent() {
    let strict = HttpsTransport::new(&RemoteConfig::default(), &[authority().pem]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let table = [
        (format!("http://127.0.0.1:{port}/"), not_sent(Layer::Local, "not HTTPS")),
        (format!("https://127.0.0.1:{port}/"), not_sent(Layer::Local, FORBIDDEN)),
        (format!("https://localhost:{port}/"), not_sent(Layer::Dns, FORBIDDEN)),
        ("apa saja".to_owned(), not_sent(Layer::Local, "not an address")),
    ];
    for (url, expected) in table {
        assert_eq!(strict.send(request(Method::Get, url.clone())).await.unwrap_err(), expected, "{url}");
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_not_sent() {
    let server = server(Manner::Serve(OK)).await;
    let mut request = post(&server);
    request.headers.push(("X-signature", Private::new("a\nb".to_owned())));
    assert_eq!(transport().send(request).await.unwrap_err(), not_sent(Layer::Local, "header value"));
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_connection_closed_after_it_was_opened_is_ambiguous() {
    let server = server(Manner::Close).await;
    let lost = transport().send(post(&server)).await;
    assert!(broken(&lost), "{lost:?}");
}

#[tokio::test]
async fn silence_is_no_answer_after_the_timeout() {
    let server = server(Manner::Silence).await;
    let mut request = post(&server);
    request.timeout = Duration::from_millis(200);
    let Err(TransportError::NoAnswer { after }) = transport().send(request).await else { panic!("no answer") };
    assert!(after >= Duration::from_millis(190), "{after:?}");
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn half_an_answer_is_broken_and_a_hanging_one_no_answer() {
    const HALF: &str = "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"response\":";
    for half in [HALF, "HTTP/1.1 201 Cre", "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a"] {
        let lost = transport().send(post(&server(Manner::Say(half)).await)).await;
        assert!(broken(&lost), "{half}: {lost:?}");
    }
    let mut request = post(&server(Manner::SayAndHold(HALF)).await);
    request.timeout = Duration::from_millis(200);
    let hanging = transport().send(request).await;
    assert!(matches!(hanging, Err(TransportError::NoAnswer { .. })), "{hanging:?}");
}

#[tokio::test]
async fn what_is_not_http_is_broken() {
    let lost = transport().send(post(&server(Manner::Say("SSH-2.0-OpenSSH_9.2\r\n\r\n")).await)).await;
    assert!(broken(&lost), "{lost:?}");
}

#[tokio::test]
async fn a_body_over_the_cap_is_too_large_with_or_without_its_length() {
    const COUNTED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n012345678901";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nc\r\n012345678901\r\n0\r\n\r\n";
    for text in [COUNTED, CHUNKED] {
        let server = server(Manner::Say(text)).await;
        let small = transport().with_max_body(11).send(post(&server)).await;
        assert_eq!(small.unwrap_err(), TransportError::TooLarge);
        let fitting = transport().with_max_body(12).send(post(&server)).await.unwrap();
        assert_eq!(fitting.body.expose(), b"012345678901");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let server = server(Manner::Serve("HTTP/1.1 302 Found\r\nlocation: /lain\r\ncontent-length: 0\r\n\r\n")).await;
    for method in [Method::Get, Method::Post] {
        let url = format!("http://{}/", server.at);
        assert_eq!(transport().send(request(method, url)).await.unwrap().status, 302);
    }
    assert_eq!(server.requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn status_headers_and_html_come_back_as_they_are() {
    const PAGE: &str = "HTTP/1.1 503 Busy\r\ndate: Sat, 21 Nov 2026 01:02:03 GMT\r\nretry-after: 7\r\n\
                        content-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
    let reply = transport().send(post(&server(Manner::Say(PAGE)).await)).await.unwrap();
    assert_eq!((reply.status, reply.body.expose().as_slice()), (503, b"<html>".as_slice()));
    assert_eq!(reply.date, Some("2026-11-21T01:02:03Z".parse().unwrap()));
    assert_eq!((reply.retry_after, reply.content_type.as_deref()), (Some(Duration::from_secs(7)), Some("text/html")));
    let shown = format!("{reply:?}");
    assert!(!shown.contains("html>"), "{shown}");
}

#[test]
fn retry_after_is_seconds_or_a_date_by_the_servers_clock() {
    let date = http_date("Sat, 21 Nov 2026 01:00:00 GMT");
    let seconds = |s| Some(Duration::from_secs(s));
    assert_eq!(retry_after("120", date), seconds(120));
    assert_eq!(retry_after("Sat, 21 Nov 2026 01:01:00 GMT", date), seconds(60));
    assert_eq!(retry_after("Sat, 21 Nov 2026 00:59:00 GMT", date), None);
    assert_eq!(retry_after("Sat, 21 Nov 2026 01:01:00 GMT", None), None);
    assert_eq!(retry_after("nanti", date), None);
}

#[tokio::test]
async fn reads_share_a_connection_and_every_write_has_its_own() {
    let server = server(Manner::Serve(OK)).await;
    let transport = transport();
    for _ in 0..20 {
        transport.send(request(Method::Get, format!("http://{}/", server.at))).await.unwrap();
    }
    // A connection goes back to the pool a moment after the answer was read, so not every read finds it.
    let before = server.connections.load(Ordering::SeqCst);
    assert!(before < 20, "{before}");
    for _ in 0..3 {
        transport.send(post(&server)).await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), before + 3);
}

/// Defect 15 of other bridges: the check of certificates was switched off.
#[tokio::test]
async fn defect_15_a_good_certificate_is_accepted_and_bad_ones_get_no_request() {
    let (ours, other) = (authority(), authority());
    let transport = HttpsTransport::new(&local(), std::slice::from_ref(&ours.pem)).unwrap();
    let to = |server: &Server| request(Method::Post, format!("https://localhost:{}/", server.at.port()));

    let good = tls_server(&ours, "localhost").await;
    assert_eq!(transport.send(to(&good)).await.unwrap().status, 200);
    assert_eq!(good.requests.load(Ordering::SeqCst), 1);

    let wrong_host = tls_server(&ours, "bpjs.example").await;
    let refused = transport.send(to(&wrong_host)).await.unwrap_err();
    assert_eq!(refused, not_sent(Layer::Tls, "certificate for another name"));

    let unknown = tls_server(&other, "localhost").await;
    let refused = transport.send(to(&unknown)).await.unwrap_err();
    assert_eq!(refused, not_sent(Layer::Tls, "certificate of an unknown issuer"));
    for server in [wrong_host, unknown] {
        assert_eq!(server.requests.load(Ordering::SeqCst), 0);
    }

    for manner in [Manner::Blurt("HTTP/1.1 400 Bad Request\r\n\r\n"), Manner::Close] {
        let refused = transport.send(to(&server(manner).await)).await.unwrap_err();
        assert!(matches!(refused, TransportError::NotSent { layer: Layer::Tls, .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn a_server_that_never_finishes_the_handshake_is_not_sent() {
    let silent = server(Manner::Silence).await;
    let config = RemoteConfig { connect_timeout: Duration::from_millis(200), ..local() };
    let transport = HttpsTransport::new(&config, &[authority().pem]).unwrap();
    let late = transport.send(request(Method::Post, format!("https://localhost:{}/", silent.at.port()))).await;
    assert_eq!(late.unwrap_err(), not_sent(Layer::Tcp, TIMED_OUT));
}

#[tokio::test]
async fn the_layers_are_tried_in_order_until_one_fails() {
    let ours = authority();
    let transport = HttpsTransport::new(&local(), std::slice::from_ref(&ours.pem)).unwrap();
    let layers_within = async |ms: u64, url: String| {
        let found = transport.layers(&Private::new(url), Duration::from_millis(ms)).await;
        let shown = found.iter().map(|check| format!("{} {}", check.layer, check.fault.as_deref().unwrap_or("ok")));
        shown.collect::<Vec<_>>().join(", ")
    };
    let layers = async |url: String| layers_within(60_000, url).await;
    let good = tls_server(&ours, "localhost").await;
    let port = good.at.port();
    assert_eq!(layers(format!("https://localhost:{port}/x")).await, "dns ok, tcp ok, tls ok");
    assert_eq!(layers(format!("http://localhost:{port}/x")).await, "dns ok, tcp ok");
    let wrong = layers(format!("https://127.0.0.1:{port}/x")).await;
    assert_eq!(wrong, "dns ok, tcp ok, tls certificate for another name");
    let silent = server(Manner::Silence).await.at.port();
    assert_eq!(layers_within(300, format!("https://localhost:{silent}/")).await, "dns ok, tcp ok, tls timed out");
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(layers(format!("https://localhost:{free}/")).await, "dns ok, tcp refused");
    assert_eq!(layers(unknown_name()).await, "dns name not resolved");
    assert_eq!(layers("ftp://x/".to_owned()).await, "local not HTTPS");
}

#[test]
fn roots_that_are_no_certificates_are_refused_by_place() {
    let extra = [authority().pem, b"bukan sertifikat".to_vec()];
    assert_eq!(HttpsTransport::new(&local(), &extra).unwrap_err(), SetupError::BadRoot { index: 1 });
}

#[test]
fn nothing_of_a_request_or_an_error_shows_its_address_or_content() {
    let request = request(Method::Post, "https://bpjs.example/peserta/0009900000000".to_owned());
    assert_eq!(format!("{request:?}"), "Request { method: Post, .. }");
}
