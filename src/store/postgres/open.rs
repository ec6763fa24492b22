//! Opening: the address, the pool, what the server must be, the schema, and what a restore or a take-over looks like.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_util::sync::CancellationToken;

use super::connection::Texts;
use super::migrate::{MIGRATIONS, migrate};
use super::tls::Tls;
use super::{PostgresStore, Shared, errors, listen, name};
use crate::catalogue::Catalogue;
use crate::chance::Chance;
use crate::secret::Private;
use crate::store::sql::{self, LOOK_FIRST};
use crate::store::{Opened, Sealer, StoreError};

/// Connections at most.
const CONNECTIONS: usize = 16;
/// Of these, for questions alone: whoever waits for a lock must not keep the others from reading.
const FOR_QUESTIONS: usize = 4;
/// To reach the server, and to get a connection that is free.
const CONNECT: Duration = Duration::from_secs(10);
/// The oldest server: its transaction snapshots and its identity are as this program knows them.
const OLDEST_SERVER: i32 = 130_000;
/// What every session asks of the server. Nothing hangs for ever: neither a statement, nor a wait for a lock, nor a
/// transaction whose node was stopped in the middle.
const SESSION: &str = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=20s \
    -c default_transaction_isolation=read\\ committed -c client_min_messages=warning -c timezone=UTC";
/// Row of `meta` that names the server and the database the rows were written in.
const HOME: &str = "home";
const RESTORED: &str = "restored";
/// The server and its line of history; another one after a restore, a take-over by a standby, a move.
const IDENTITY: &str = "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || \
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";

/// How to open a store.
#[derive(Debug)]
pub struct Settings {
    /// `postgres://user@host:port/database?sslmode=…&sslrootcert=…`; never printed.
    pub url: Private<String>,
    /// The password, kept apart from the URL.
    pub password: Option<Private<String>>,
    /// This node's name where several share the database; `None`: the process is alone and owns everything.
    pub node: Option<String>,
    /// Seals its rows.
    pub sealer: Sealer,
    /// For the policies of transitions.
    pub catalogue: Arc<Catalogue>,
}

impl PostgresStore {
    /// Connects, checks the server, brings the schema up and starts listening. Needs a runtime of tokio.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached, [`StoreError::Newer`] if a newer program took away what
    /// this one needs, [`StoreError::Unreadable`] if the vault's key is another one, [`StoreError::Database`] if the
    /// address, the certificate or the server's version will not do.
    pub async fn open(settings: Settings) -> Result<(Self, Opened), StoreError> {
        let Settings { url, password, node, sealer, catalogue } = settings;
        let (config, tls) = address(&url, password.as_ref(), node.as_deref())?;
        let held = match &node {
            Some(name) => Some(name::take(&config, &tls, name).await?),
            None => None,
        };
        let (line, broken) = (Arc::new(OnceLock::new()), watch::Sender::new(None));
        let pool = pool(config.clone(), tls.clone(), &line, &broken)?;
        let mut client = pool.get().await.map_err(errors::of_pool)?;
        let concerns = server(&client).await?;
        let migrated = migrate(&mut client, MIGRATIONS).await?;
        let restored = home(&client, &sealer, migrated.fresh).await?;
        drop(client);
        let shared = Arc::new(Shared {
            common: sql::Shared::new(sealer, catalogue),
            texts: Arc::new(Texts::default()),
            pool,
            writes: Semaphore::new(CONNECTIONS - FOR_QUESTIONS),
            wake: watch::Sender::new(0),
            tell: Notify::new(),
            broken,
            closed: CancellationToken::new(),
            turn: OnceLock::new(),
            name: format!("{:016x}", Chance::system().bits()),
            node: node.as_ref().map(|name| sql::Node {
                name: name.clone(),
                boot: format!("{:016x}", Chance::system().bits()),
                schema: i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX),
                program: env!("CARGO_PKG_VERSION").to_owned(),
            }),
        });
        let store = Self { shared: Arc::clone(&shared), concerns };
        if let (Some(name), Some(held)) = (node, held) {
            tokio::spawn(name::keep(Arc::clone(&shared), config.clone(), tls.clone(), name, held));
            store.enter().await?;
            // Whoever contracts the schema from now on sees this node; what was contracted in between is seen here.
            migrate(&mut *store.client().await?, MIGRATIONS).await?;
        }
        tokio::spawn(listen::run(shared, config, tls));
        Ok((store, Opened { fresh: migrated.fresh, upgraded: false, restored }))
    }
}

fn wrong(what: &str) -> StoreError {
    StoreError::Database(format!("store.url: {what}"))
}

/// The address as the driver takes it: what it does not know is taken out, what is missing is made safe.
pub(super) fn address(
    url: &Private<String>,
    password: Option<&Private<String>>,
    node: Option<&str>,
) -> Result<(Config, Tls), StoreError> {
    let (url, roots) = without(url.expose(), "sslrootcert");
    // Certificates are always checked: "require" means as much as "verify-full" does elsewhere.
    let url = url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    let mut config: Config = url.parse().map_err(|_| wrong("not an address of PostgreSQL"))?;
    if let Some(password) = password {
        config.password(password.expose());
    }
    let near = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
    };
    if !url.contains("sslmode=") {
        let near = config.get_hosts().iter().all(near);
        config.ssl_mode(if near { SslMode::Disable } else { SslMode::Require });
    }
    let roots = roots.map(|path| std::fs::read(&path).map_err(|error| wrong(&format!("sslrootcert {path}: {error}"))));
    let options = config.get_options().map(|own| format!("{own} ")).unwrap_or_default();
    config
        .options(format!(
            "{options}{SESSION}{}",
            node.map(|name| format!(" -c jembatan.node={name}")).unwrap_or_default()
        ))
        .application_name("jembatan")
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .connect_timeout(CONNECT)
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(30));
    Ok((config, Tls::new(roots.transpose()?.as_deref())?))
}

/// An address without one of its parameters, and that parameter's value.
fn without(url: &str, name: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut found = None;
    let mut rest = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((key, value)) if key == name => {
                found = Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned());
            }
            Some(_) | None => rest.push(pair),
        }
    }
    let base = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (base, found)
}

/// One connection apart from the pool, for work of its own kind.
///
/// # Errors
/// As [`PostgresStore::open`].
pub(super) async fn connect(settings: &Settings) -> Result<tokio_postgres::Client, StoreError> {
    let (config, tls) = address(&settings.url, settings.password.as_ref(), settings.node.as_deref())?;
    let (client, connection) = config.connect(tls).await.map_err(|error| errors::connecting(&error))?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// Connections are made when needed. One to another line of history than the first is refused, and the process stops:
/// what a standby that took over does not have must be looked up before anything is sent (promise 13).
fn pool(
    config: Config,
    tls: Tls,
    line: &Arc<OnceLock<String>>,
    broken: &watch::Sender<Option<String>>,
) -> Result<Pool, StoreError> {
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, tls, manager);
    let (line, broken) = (Arc::clone(line), broken.clone());
    let same = Hook::async_fn(move |client, _metrics| {
        let (line, broken) = (Arc::clone(&line), broken.clone());
        Box::pin(async move {
            let client: &mut deadpool_postgres::ClientWrapper = client;
            // Where the server was told not to wait for its disk, this session tells it to.
            let wait = "SELECT set_config('synchronous_commit', 'on', false) \
                        WHERE current_setting('synchronous_commit') = 'off'";
            client.batch_execute(wait).await.map_err(HookError::Backend)?;
            let row = client.query_one(IDENTITY, &[]).await.map_err(HookError::Backend)?;
            let here: String = row.try_get(0).map_err(HookError::Backend)?;
            if line.get_or_init(|| here.clone()) == &here {
                return Ok(());
            }
            broken.send_replace(Some("another server, or another line of its history, took over".to_owned()));
            Err(HookError::message("another server took over"))
        })
    });
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(CONNECT))
        .create_timeout(Some(CONNECT))
        .recycle_timeout(Some(CONNECT))
        .post_create(same)
        .build()
        .map_err(|error| StoreError::Database(error.to_string()))
}

/// The server's version must do; what makes it forget commits is told.
async fn server(client: &tokio_postgres::Client) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT current_setting('server_version_num')::int, current_setting('fsync'), \
               current_setting('full_page_writes'), (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit')";
    let row = client.query_one(sql, &[]).await.map_err(|error| errors::of(&error))?;
    let unread = |error: tokio_postgres::Error| errors::of(&error);
    let version: i32 = row.try_get(0).map_err(unread)?;
    if version < OLDEST_SERVER {
        return Err(StoreError::Database(format!("PostgreSQL {} is too old: 13 or newer is needed", version / 10_000)));
    }
    let mut concerns = Vec::new();
    for (column, name) in [(1, "fsync"), (2, "full_page_writes"), (3, "synchronous_commit")] {
        if row.try_get::<_, &str>(column).map_err(unread)? == "off" {
            tracing::error!("PostgreSQL runs with {name}=off: a power cut may lose what was accepted and sent");
            concerns.push(format!("PostgreSQL: {name}=off"));
        }
    }
    Ok(concerns)
}

/// Checks the vault's key and names the rows' home. Whether they were written elsewhere, or before a take-over: then
/// something may be missing that was sent.
async fn home(client: &tokio_postgres::Client, sealer: &Sealer, fresh: bool) -> Result<bool, StoreError> {
    let failed = |error: tokio_postgres::Error| errors::of(&error);
    let key = sealer.index("key_check", &[]);
    let put = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    client.execute(put, &[&"key_check", &key]).await.map_err(failed)?;
    let get = "SELECT value FROM meta WHERE key = $1";
    let kept: String = client.query_one(get, &[&"key_check"]).await.and_then(|row| row.try_get(0)).map_err(failed)?;
    if kept != key {
        return Err(StoreError::Unreadable(
            "the database was written under another vault key: restore that key, or use another database".to_owned(),
        ));
    }
    // The table's own number tells a copy by pg_dump from the original.
    let sql = format!("{IDENTITY} || '/' || 'meta'::regclass::oid::text");
    let here: String = client.query_one(&sql, &[]).await.and_then(|row| row.try_get(0)).map_err(failed)?;
    client.execute(put, &[&HOME, &here]).await.map_err(failed)?;
    // Said in the same statement as the new home, so that a crash between the two does not lose it.
    let moved = "WITH moved AS (UPDATE meta SET value = $2 WHERE key = $1 AND value <> $2 RETURNING 1) \
                 INSERT INTO meta (key, value) SELECT $3, $4 FROM moved ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    if !fresh {
        client.execute(moved, &[&HOME, &here, &LOOK_FIRST, &RESTORED]).await.map_err(failed)?;
    }
    let found = client.query_opt(get, &[&LOOK_FIRST]).await.map_err(failed)?;
    let said: Option<String> = found.map(|row| row.try_get(0)).transpose().map_err(failed)?;
    Ok(said.as_deref() == Some(RESTORED))
}

/// What is listened to may not be printed with the URL in it.
impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresStore(…)")
    }
}
