//! The way to the server: TLS with its own authority, passwords, and servers that are too old.

use tokio_postgres::config::SslMode;

use super::super::open::address;
use super::*;

/// An authority, and a server's certificate of it for one address.
struct Papers {
    root: String,
    certificate: String,
    key: String,
}

fn papers(address: &str) -> Papers {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![address.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Papers { root: root.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

/// Two addresses of this machine that no other test process uses.
fn addresses() -> [String; 2] {
    let process = std::process::id();
    let [low, high] = [process % 250, process / 250 % 250].map(|part| part + 1);
    [80, 81].map(|second| format!("127.{second}.{high}.{low}"))
}

const ENTRY: &str = "local all postgres trust\nhostssl all all 127.0.0.0/8 scram-sha-256\n";
const PASSWORD: &str = "sandi-uji";

/// A server that is reached by its certified address and by another, over TLS with a password.
struct Reached {
    server: server::Server,
    addresses: [String; 2],
    roots: tempfile::TempDir,
}

impl Reached {
    fn start() -> Self {
        let addresses = addresses();
        let (right, other) = (papers(&addresses[0]), papers(&addresses[0]));
        let files = [
            ("pg_hba.conf", ENTRY),
            ("server.crt", &right.certificate),
            ("server.key", &right.key),
            ("postgresql.auto.conf", "ssl = on\n"),
        ];
        let listen = format!("listen_addresses={}", addresses.join(","));
        let server = server::Server::start_with(&files, &[&listen]);
        let role = format!("CREATE ROLE jembatan LOGIN PASSWORD '{PASSWORD}'");
        server::run(&server.url("postgres"), &[&role, "CREATE DATABASE jembatan OWNER jembatan"]);
        let roots = tempfile::tempdir().unwrap();
        std::fs::write(roots.path().join("right.pem"), &right.root).unwrap();
        std::fs::write(roots.path().join("other.pem"), &other.root).unwrap();
        Self { server, addresses, roots }
    }

    fn settings(&self, address: usize, roots: &str, password: &str) -> Settings {
        let root = self.roots.path().join(roots).display().to_string();
        let host = &self.addresses[address];
        let url = format!("postgres://jembatan@{host}/jembatan?sslmode=verify-full&sslrootcert={root}");
        Settings { password: Some(Private::new(password.to_owned())), ..settings(&url) }
    }

    async fn refused(&self, settings: Settings) -> String {
        let refused = PostgresStore::open(settings).await.expect_err("it must not be let in");
        let told = refused.to_string();
        assert!(!told.contains("sandi") && !told.contains("postgres://"), "{told}");
        told
    }
}

#[tokio::test]
async fn over_tls_only_the_server_that_the_root_vouches_for_is_spoken_to() {
    let reached = Reached::start();
    let (store, opened) = PostgresStore::open(reached.settings(0, "right.pem", PASSWORD)).await.unwrap();
    assert!(opened.fresh);
    let client = store.client().await.unwrap();
    let sealed = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert!(client.query_one(sealed, &[]).await.unwrap().get::<_, bool>(0));
    drop((client, store));
    let stranger = reached.refused(reached.settings(0, "other.pem", PASSWORD)).await;
    assert!(stranger.contains("certificate"), "another authority's server: {stranger}");
    let misnamed = reached.refused(reached.settings(1, "right.pem", PASSWORD)).await;
    assert!(misnamed.contains("certificate"), "a certificate for another address: {misnamed}");
    let unknown = reached.refused(reached.settings(0, "right.pem", "sandi-lain")).await;
    assert!(unknown.contains("28P01"), "another password: {unknown}");
    let nothing = reached.refused(reached.settings(0, "tidak-ada.pem", PASSWORD)).await;
    assert!(nothing.contains("sslrootcert"), "{nothing}");
    // A server that does not offer TLS is not spoken to in the clear.
    let plain = ["ALTER SYSTEM SET ssl = off", "SELECT pg_reload_conf()"];
    server::run(&reached.server.url("postgres"), &plain);
    let began = std::time::Instant::now();
    loop {
        let told = reached.refused(reached.settings(0, "right.pem", PASSWORD)).await;
        if told.contains("TLS") {
            break;
        }
        assert!(began.elapsed().as_secs() < 30, "{told}");
    }
}

#[test]
fn tls_is_required_unless_the_server_is_on_this_machine_or_the_url_says_otherwise() {
    for (url, mode) in [
        ("postgres://u@db.contoh.go.id/j", SslMode::Require),
        ("postgres://u@10.1.2.3/j", SslMode::Require),
        ("postgres://u@localhost,db.contoh.go.id/j", SslMode::Require),
        ("postgres://u@db.contoh.go.id/j?sslmode=verify-full", SslMode::Require),
        ("postgres://u@db.contoh.go.id/j?sslmode=verify-ca", SslMode::Require),
        ("postgres://u@localhost/j", SslMode::Disable),
        ("postgres://u@127.0.0.1/j", SslMode::Disable),
        ("postgres://u@%2Frun%2Fpostgresql/j", SslMode::Disable),
        ("postgres://u@localhost/j?sslmode=require", SslMode::Require),
        ("postgres://u@db.contoh.go.id/j?sslmode=disable", SslMode::Disable),
    ] {
        let (config, _) = address(&Private::new(url.to_owned()), None, None).unwrap();
        assert_eq!(config.get_ssl_mode(), mode, "{url}");
    }
}

/// No server so old is at hand, so this one says that it is: what it answers to the question for its version is replaced.
#[tokio::test]
async fn a_server_older_than_13_is_refused_by_name_before_anything_is_written() {
    let database = server::database();
    database.run(&[
        "CREATE FUNCTION current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT CASE $1 \
         WHEN 'server_version_num' THEN '120022' ELSE pg_catalog.current_setting($1) END $$",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$",
    ]);
    let refused = PostgresStore::open(settings(&database.url())).await.expect_err("too old");
    assert_eq!(refused.to_string(), "database: PostgreSQL 12 is too old: 13 or newer is needed");
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(client.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 0);
}
