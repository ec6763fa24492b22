//! Several writers, several nodes, connections that are cut, and who may open a database.

use std::time::Duration;

use super::*;
use crate::queue::DeliveryId;
use crate::store::conformance::damaged::{self, Ruin, for_every_damage};
use crate::store::conformance::desk::{CARD, DAFTAR, at};
use crate::store::{AuditEntry, PauseRow, Store};

fn line(object: &str) -> AuditEntry {
    let word = |text: &str| text.to_owned();
    AuditEntry { at: at(0), actor: word("operator"), action: word("pause"), object: word(object), detail: word("uji") }
}

fn pause(facility: &str) -> Option<PauseRow> {
    let word = |text: &str| text.to_owned();
    Some(PauseRow { facility: word(facility), reason: word("uji"), actor: word("operator"), since: at(0) })
}

/// A connection of the test's own.
async fn raw(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn number(client: &tokio_postgres::Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_row_that_commits_late_is_not_skipped_by_the_feed() {
    let database = server::database();
    let (store, _) = open(&database.url()).await;
    let desk = Desk::new(Arc::new(store));
    let made = desk.accept_one("r", DAFTAR, CARD).await;
    let (early, late) = (raw(&database.url()).await, raw(&database.url()).await);
    let insert = format!("INSERT INTO change (delivery, facility, at) VALUES ('{made}', 'F', 1)");
    // The first to take a number is the last to commit.
    late.batch_execute(&format!("BEGIN; {insert}")).await.unwrap();
    early.batch_execute(&insert).await.unwrap();
    let before = desk.store.changes(&[], 0, 10).await.unwrap();
    assert_eq!(before.len(), 1);
    late.batch_execute("COMMIT").await.unwrap();
    let after = desk.store.changes(&[], before[0].cursor, 10).await.unwrap();
    assert_eq!(after.len(), 1, "the late one comes behind");
    let all: Vec<i64> = desk.store.changes(&[], 0, 10).await.unwrap().iter().map(|one| one.cursor).collect();
    assert_eq!(all, [before[0].cursor, after[0].cursor], "and stays there");
}

#[tokio::test]
async fn what_one_node_commits_is_told_to_the_others() {
    let database = server::database();
    let (store, _) = open(&database.url()).await;
    let (client, mut connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            if let tokio_postgres::AsyncMessage::Notification(said) = message {
                drop(told.send((said.channel().to_owned(), said.payload().to_owned())));
            }
        }
    });
    client.batch_execute("LISTEN jembatan").await.unwrap();
    store.set_pause("F", pause("F"), line("F")).await.unwrap();
    let (channel, name) = heard.recv().await.unwrap();
    assert_eq!((channel.as_str(), &name), ("jembatan", &store.shared.name));
}

/// A wake-up that comes sooner than this after another one is no look-around: those come two seconds after it
/// (`listen::LOOK_AROUND`).
const TOLD: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_one_node_commits_wakes_another_before_that_one_would_look_by_itself() {
    let database = server::database();
    let (one, _) = open(&database.url()).await;
    let (other, _) = open(&database.url()).await;
    let (desk, mut wakes) = (Desk::new(Arc::new(one)), other.wake_ups());
    // It listens by then: that, too, wakes.
    wakes.changed().await.unwrap();
    let mut told = 0;
    for round in 0..5 {
        // The last wake-up was just now, so the next look-around lies beyond the bound.
        desk.accept_one(&format!("r-{round}"), DAFTAR, CARD).await;
        if let Ok(woken) = tokio::time::timeout(TOLD, wakes.changed()).await {
            woken.unwrap();
            told += 1;
        } else {
            wakes.changed().await.unwrap();
        }
    }
    assert!(told >= 4, "{told} of 5 commits were told to the other node");
}

#[tokio::test]
async fn writers_of_one_facility_wait_for_each_other_and_not_for_the_others() {
    let database = server::database();
    let (store, _) = open(&database.url()).await;
    let store = Arc::new(store);
    let holder = raw(&database.url()).await;
    let lock = "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('F', 1785032034))";
    assert_eq!(1_785_032_034, 0x6a65_6d62, "the seed of connection.rs");
    holder.batch_execute(lock).await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.set_pause("F", pause("F"), line("F")).await }
    });
    let client = raw(&database.url()).await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while number(&client, waits).await == 0 {
        tokio::task::yield_now().await;
    }
    store.set_pause("G", pause("G"), line("G")).await.unwrap();
    assert!(!waiting.is_finished());
    holder.batch_execute("COMMIT").await.unwrap();
    waiting.await.unwrap().unwrap();
    let log = store.audit(0, 10).await.unwrap();
    assert_eq!(log.iter().map(|row| row.object.as_str()).collect::<Vec<_>>(), ["G", "F"]);
}

#[tokio::test]
async fn the_logs_chain_holds_when_many_facilities_write_at_once() {
    let database = server::database();
    let (one, _) = open(&database.url()).await;
    let (other, _) = open(&database.url()).await;
    let stores = [Arc::new(one), Arc::new(other)];
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let (store, facility) =
                (Arc::clone(&stores[n % 2]), if n % 10 == 0 { "*".to_owned() } else { format!("F{}", n % 7) });
            tokio::spawn(async move { store.set_pause(&facility, pause(&facility), line(&facility)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let log = stores[0].audit(0, 100).await.unwrap();
    assert_eq!(log.len(), 40);
    let mut previous = crate::audit::genesis();
    for (n, row) in log.iter().enumerate() {
        assert_eq!(row.seq, i64::try_from(n + 1).unwrap());
        assert_eq!(row.hash, crate::audit::link(&previous, row));
        previous = row.hash.clone();
    }
}

/// Kills every connection of the store whose state the condition names.
async fn cut(client: &tokio_postgres::Client, condition: &str) -> i64 {
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
    );
    number(client, &sql).await
}

#[tokio::test]
async fn connections_that_are_cut_cost_an_answer_and_nothing_else() {
    let database = server::database();
    let (store, _) = open(&database.url()).await;
    let client = raw(&database.url()).await;
    store.set_pause("F", pause("F"), line("F")).await.unwrap();
    assert!(cut(&client, "application_name = 'jembatan'").await > 0);
    // Those in the pool are dead; each try throws one away.
    let mut tries = 0;
    while let Err(error) = store.set_pause("G", pause("G"), line("G")).await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        tries += 1;
        assert!(tries < 20);
    }
    assert_eq!(store.audit(0, 10).await.unwrap().len(), 2, "what failed wrote nothing");
    assert!(store.fatal().borrow().is_none());
}

#[tokio::test]
async fn a_connection_cut_while_committing_is_unknown_and_the_store_goes_on() {
    let database = server::database();
    let (store, _) = open(&database.url()).await;
    let store = Arc::new(store);
    database.run(&[
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(25); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON pause DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()",
    ]);
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.set_pause("F", pause("F"), line("F")).await }
    });
    let client = raw(&database.url()).await;
    while cut(&client, "wait_event = 'PgSleep'").await == 0 {
        tokio::task::yield_now().await;
    }
    let answer = waiting.await.unwrap();
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    assert!(store.fatal().borrow().is_none());
    database.run(&["DROP TRIGGER slow ON pause"]);
    store.set_pause("G", pause("G"), line("G")).await.unwrap();
    assert_eq!(store.pauses().await.unwrap().len(), 1);
}

const HALF: &str = "INSERT INTO meta (key, value) VALUES ('half', 'x')";

#[tokio::test]
async fn a_job_that_panics_leaves_nothing_behind() {
    let database = server::database();
    let (store, _) = open(&database.url()).await;
    let answer = store
        .write(Scope::Log, |tx| -> Result<(), StoreError> {
            tx.connection.execute(HALF, &[])?;
            panic!("a job of the test")
        })
        .await;
    assert!(matches!(answer, Err(StoreError::Database(_))), "{answer:?}");
    store.log(line("whole")).await.unwrap();
    let client = raw(&database.url()).await;
    assert_eq!(number(&client, "SELECT count(*) FROM meta WHERE key = 'half'").await, 0);
}

#[tokio::test]
async fn a_failed_statement_is_never_committed_whatever_the_job_says() {
    let database = server::database();
    let (store, _) = open(&database.url()).await;
    let answer = store
        .write(Scope::Log, |tx| {
            tx.connection.execute(HALF, &[])?;
            drop(tx.connection.execute("INSERT INTO pause (facility) VALUES ('F')", &[]));
            Ok(())
        })
        .await;
    assert!(matches!(answer, Err(StoreError::Database(_))), "{answer:?}");
    let client = raw(&database.url()).await;
    assert_eq!(number(&client, "SELECT count(*) FROM meta WHERE key = 'half'").await, 0);
}

#[tokio::test]
async fn nodes_that_start_at_once_make_one_schema() {
    let database = server::database();
    let url = database.url();
    let starts = futures_util::future::join_all((0..4).map(|_| open(&url))).await;
    let fresh = starts.iter().filter(|(_, opened)| opened.fresh).count();
    assert_eq!(fresh, 1);
    assert!(starts.iter().all(|(_, opened)| !opened.restored && !opened.upgraded));
}

#[tokio::test]
async fn another_key_and_a_contraction_this_program_does_not_know_are_refused() {
    let database = server::database();
    drop(open(&database.url()).await);
    let other = Settings { sealer: sealer(9), ..settings(&database.url()) };
    let refused = PostgresStore::open(other).await;
    assert!(matches!(refused, Err(StoreError::Unreadable(_))), "{refused:?}");
    // What a newer program added is no hindrance, what it took away is.
    database.run(&["INSERT INTO migration (version, contracts) VALUES (98, 0)"]);
    drop(open(&database.url()).await);
    database.run(&["INSERT INTO migration (version, contracts) VALUES (99, 1)"]);
    let refused = PostgresStore::open(settings(&database.url())).await;
    assert!(matches!(refused, Err(StoreError::Newer { found: 99, known: 1 })), "{refused:?}");
}

#[tokio::test]
async fn a_contraction_waits_until_no_older_node_is_alive() {
    let database = server::database();
    drop(open(&database.url()).await);
    let mut client = raw(&database.url()).await;
    let steps: Vec<&str> = migrate::MIGRATIONS
        .iter()
        .copied()
        .chain(["-- expand\nCREATE TABLE wide (x BIGINT)", "-- contract\nDROP TABLE wide"])
        .collect();
    let now = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    client.batch_execute(&format!("INSERT INTO node (name, version, program, boot, seen_at, until_at, skew) VALUES ('old', 1, 'p', 'a', {now}, {now}, 0), ('new', 3, 'p', 'b', {now}, {now}, 0)")).await.unwrap();
    let migrated = migrate::migrate(&mut client, &steps).await.unwrap();
    assert_eq!((migrated.fresh, migrated.version), (false, 2));
    client.batch_execute(&format!("UPDATE node SET seen_at = {now} - 60001 WHERE name = 'old'")).await.unwrap();
    assert_eq!(migrate::migrate(&mut client, &steps).await.unwrap().version, 3);
    assert_eq!(number(&client, "SELECT count(*) FROM pg_class WHERE relname = 'wide'").await, 0);
}

#[tokio::test]
async fn promise_13_rows_from_another_database_are_noticed_until_they_are_distrusted() {
    let database = server::database();
    assert!(!open(&database.url()).await.1.restored);
    assert!(!open(&database.url()).await.1.restored);
    // What pg_dump and a restore do: the same rows in a new table.
    database.run(&[
        "CREATE TABLE copy (LIKE meta INCLUDING ALL)",
        "INSERT INTO copy SELECT * FROM meta",
        "DROP TABLE meta",
        "ALTER TABLE copy RENAME TO meta",
    ]);
    assert!(open(&database.url()).await.1.restored);
    let (store, opened) = open(&database.url()).await;
    assert!(opened.restored, "a crash before the distrust does not lose it");
    let desk = Desk::new(Arc::new(store));
    desk.store.distrust(at(0), desk.base()).await.unwrap();
    drop(desk);
    assert!(!open(&database.url()).await.1.restored);
}

#[tokio::test]
async fn a_server_that_forgets_is_told_of_and_no_url_is_printed() {
    let database = server::database();
    let (store, _) = open(&database.url()).await;
    assert!(store.concerns().iter().any(|concern| concern.contains("fsync=off")), "{:?}", store.concerns());
    assert!(!format!("{store:?}").contains("postgres@"));
    let nowhere = PostgresStore::open(settings("postgres://u:rahasia@127.0.0.1:1/db")).await.expect_err("nobody there");
    assert!(matches!(nowhere, StoreError::Unavailable(_)), "{nowhere:?}");
    assert!(!nowhere.to_string().contains("rahasia"));
    assert!(!format!("{:?}", settings("postgres://u:rahasia@h/db")).contains("rahasia"));
}

#[tokio::test]
async fn a_server_that_goes_away_and_comes_back_is_served_on() {
    let mut server = server::Server::start();
    let database = server.database();
    let (store, _) = open(&database.url()).await;
    store.set_pause("F", pause("F"), line("F")).await.unwrap();
    server.kill();
    let gone = store.set_pause("G", pause("G"), line("G")).await;
    assert!(matches!(gone, Err(StoreError::Unavailable(_))), "{gone:?}");
    server.again();
    let mut tries = 0;
    while store.set_pause("H", pause("H"), line("H")).await.is_err() {
        tries += 1;
        assert!(tries < 100);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(store.pauses().await.unwrap().len(), 2);
    assert!(store.fatal().borrow().is_none());
}

/// A second program that damages rows of the database.
struct Hand(String);

impl Ruin for Hand {
    async fn ruin(&self, column: &str, id: DeliveryId, text: Option<&str>) {
        let (table, column) = column.split_once('.').unwrap();
        let key = if table == "delivery" { "id" } else { "delivery" };
        let value = text.map_or_else(|| "'\\x0101'::bytea".to_owned(), |text| format!("'{text}'"));
        let sql = format!("UPDATE {table} SET {column} = {value} WHERE {key} = '{id}'");
        assert_eq!(raw(&self.0).await.execute(&sql, &[]).await.unwrap(), 1);
    }
}

macro_rules! damage {
    ($($case:ident,)*) => {$(
        #[tokio::test]
        async fn $case() {
            let database = server::database();
            let desk = Desk::new(Arc::new(open(&database.url()).await.0));
            damaged::$case(&desk, &Hand(database.url())).await;
        }
    )*};
}
for_every_damage!(damage);
