//! What lies on the disk: whose it is, who may read it, what can be read from it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::queue::transition::Event;
use crate::queue::{DeliveryId, State};
use crate::secret::Private;
use crate::store::conformance::damaged::{self, Ruin, for_every_damage};
use crate::store::conformance::desk::{
    self, CARD, DAFTAR, FACILITY, KUNJUNGAN, OBAT, accepted, at, no_answer, refused,
};
use crate::store::{NewEntry, ReconciliationRow};

fn start_and_stop(path: &Path) -> Opened {
    let (store, opened) = open(path);
    drop(store);
    opened
}

#[tokio::test]
async fn another_key_is_refused_at_once_and_the_right_one_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jembatan.db");
    start_and_stop(&path);
    let refused = open_with(|| Settings { sealer: sealer(9), ..settings(&path) });
    assert!(matches!(refused, Err(StoreError::Unreadable(_))), "{refused:?}");
    let opened = start_and_stop(&path);
    assert_eq!(opened, Opened { fresh: false, upgraded: false, restored: false });
}

#[tokio::test]
async fn promise_13_an_older_program_refuses_a_newer_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jembatan.db");
    start_and_stop(&path);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version=99").unwrap();
    let refused = open_with(|| settings(&path));
    assert!(matches!(refused, Err(StoreError::Newer { found: 99, known: 1 })), "{refused:?}");
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version=1").unwrap();
    assert!(!start_and_stop(&path).restored, "a refused start leaves no trace");
}

#[tokio::test]
async fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jembatan.db");
    let (first, _) = open(&path);
    let second = SqliteStore::open(settings(&path));
    assert!(matches!(second, Err(StoreError::Busy(_))), "{second:?}");
    drop(first);
    open(&path);
}

#[tokio::test]
async fn promise_13_a_restored_copy_is_noticed_until_it_has_been_distrusted() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("jembatan.db"), folder.path().join("salinan.db"));
    start_and_stop(&path);
    std::fs::copy(&path, &copy).unwrap();
    for _ in 0..3 {
        assert!(!start_and_stop(&path).restored);
    }
    std::fs::copy(&copy, &path).unwrap();
    assert!(start_and_stop(&path).restored);
    assert!(start_and_stop(&path).restored, "a crash before the distrust does not lose it");
    let (store, opened) = open(&path);
    assert!(opened.restored);
    let desk = Desk::new(Arc::new(store));
    desk.store.distrust(at(0), desk.base()).await.unwrap();
    drop(desk);
    assert!(!start_and_stop(&path).restored);
}

#[tokio::test]
async fn promise_13_a_database_from_another_machine_is_noticed_however_often_it_was_started() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [here, there] = [0, 1].map(|number: usize| folders[number].path().join("jembatan.db"));
    start_and_stop(&here);
    for _ in 0..5 {
        start_and_stop(&there);
    }
    std::fs::copy(&there, &here).unwrap();
    assert!(start_and_stop(&here).restored);
    std::fs::remove_file(folders[1].path().join("jembatan.db.starts")).unwrap();
    assert!(start_and_stop(&there).restored, "without its memory a machine cannot vouch for it");
}

#[tokio::test]
async fn promise_13_a_crash_while_starting_is_no_restore() {
    let folder = tempfile::tempdir().unwrap();
    let (path, starts) = (folder.path().join("jembatan.db"), folder.path().join("jembatan.db.starts"));
    start_and_stop(&path);
    let kept = std::fs::read_to_string(&starts).unwrap();
    let last = kept.lines().last().unwrap();
    // The file beside is written first: died before the database was.
    std::fs::write(&starts, format!("{last}\nffff000011112222\n")).unwrap();
    assert!(!start_and_stop(&path).restored);
}

#[tokio::test]
async fn a_crash_while_creating_leaves_a_store_that_opens_as_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jembatan.db");
    std::fs::write(&path, b"").unwrap();
    assert_eq!(start_and_stop(&path), Opened { fresh: true, upgraded: false, restored: false });
    // In WAL mode already, without a table yet.
    let half = folder.path().join("half.db");
    Connection::open(&half)
        .unwrap()
        .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (x); DROP TABLE t")
        .unwrap();
    assert_eq!(start_and_stop(&half), Opened { fresh: true, upgraded: false, restored: false });
}

/// A day's work with every kind of column in it, card numbers, names, visit numbers and BPJS's words included.
async fn work(desk: &Desk) {
    let visit = desk.entry("kunjungan", KUNJUNGAN);
    let natural = Some(Private::new(vec![CARD.to_owned(), "001".to_owned()]));
    let visit = NewEntry { natural_key: natural, ..visit };
    let drug = NewEntry { no_kartu: None, after: vec![visit.id], ..desk.entry("obat", OBAT) };
    let made = desk.accept("r", vec![visit, drug]).await;
    let claimed = desk.claim_only(made[0], 1).await;
    let mut recorded = desk.recorded(&claimed, Event::Ended(accepted("noKunjungan", "0114A0261126Y000001")), 1);
    recorded.end.owns = Some((KUNJUNGAN.to_owned(), vec![CARD.to_owned()], "0114A0261126Y000001".to_owned()));
    recorded.end.detail = Private::new("SITI CONTOH 0009900000000".to_owned());
    desk.store.record(recorded).await.unwrap().unwrap();
    desk.send_only(made[1], refused(), 2).await;
    let mut amend = desk.doing(made[1], Event::Amend, 3);
    amend.payload =
        Some(Private::new(serde_json::json!({ "noKunjungan": "0114A0261126Y000001", "nama": "SITI CONTOH" })));
    desk.store.act(amend).await.unwrap();
    desk.send_only(made[1], no_answer(), 4).await;
    let about = (KUNJUNGAN.to_owned(), vec![], "0114A0261126Y000001".to_owned());
    let edit = NewEntry { no_kartu: None, about: Some(about), ..desk.entry("ubah", desk::EDIT) };
    desk.accept("s", vec![edit]).await;
    let report = Some(Private::new(serde_json::json!({ "items": ["SITI CONTOH", CARD] })));
    let row = ReconciliationRow {
        id: "1".to_owned(),
        facility: FACILITY.to_owned(),
        from: desk::day(21),
        to: desk::day(21),
        started_at: at(5),
        finished_at: at(6),
        counts: [("equal".to_owned(), 1)].into(),
        report,
    };
    desk.store.put_reconciliation(row).await.unwrap();
    let stop = LaneStop {
        facility: FACILITY.to_owned(),
        service: "pcare".to_owned(),
        message: Private::new("Password SITI CONTOH salah".to_owned()),
        since: at(7),
        credential_version: 1,
    };
    desk.store.set_lane_stop(FACILITY, "pcare", Some(stop)).await.unwrap();
}

#[tokio::test]
async fn no_card_name_or_visit_number_stands_in_clear_in_any_file_and_only_the_owner_may_read_them() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk_in(folder.path());
    work(&desk).await;
    let mut seen = Vec::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        let bytes = std::fs::read(file.path()).unwrap();
        for secret in [CARD, "SITI CONTOH", "CONTOH", "0114A0261126Y000001", "Y000001", "batuk", "Password"] {
            let shows = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!shows, "{secret} in {name}");
        }
        seen.push(name);
    }
    assert!(seen.iter().any(|name| name.ends_with("-wal")) && seen.len() >= 4, "{seen:?}");
    let wal = std::fs::metadata(folder.path().join("jembatan.db-wal")).unwrap().len();
    assert!(wal > 50_000, "the scan saw the work: {wal}");
}

#[tokio::test]
async fn promise_11_everything_is_there_after_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jembatan.db");
    let desk = desk_in(folder.path());
    work(&desk).await;
    let everything = async |desk: &Desk| {
        let filter = DeliveryFilter { limit: 100, ..DeliveryFilter::default() };
        let deliveries = desk.store.deliveries(filter).await.unwrap().items;
        let feed = desk.store.changes(&[], 0, 100).await.unwrap().len();
        (deliveries, feed, desk.store.audit(0, 100).await.unwrap(), desk.store.lane_stops().await.unwrap())
    };
    let before = everything(&desk).await;
    assert_eq!((before.0.len(), before.1), (3, 2));
    drop(desk);
    let desk = Desk::new(Arc::new(open(&path).0));
    assert_eq!(everything(&desk).await, before);
    desk.check_tally().await;
}

/// A second program that damages rows of the file.
struct Hand(PathBuf);

impl Ruin for Hand {
    async fn ruin(&self, column: &str, id: DeliveryId, text: Option<&str>) {
        let (table, column) = column.split_once('.').unwrap();
        let key = if table == "delivery" { "id" } else { "delivery" };
        let value = text.map_or_else(|| "x'0101'".to_owned(), |text| format!("'{text}'"));
        let sql = format!("UPDATE {table} SET {column} = {value} WHERE {key} = ?1");
        assert_eq!(Connection::open(&self.0).unwrap().execute(&sql, [id.to_string()]).unwrap(), 1);
    }
}

macro_rules! damage {
    ($($case:ident,)*) => {$(
        #[tokio::test]
        async fn $case() {
            let folder = tempfile::tempdir().unwrap();
            damaged::$case(&desk_in(folder.path()), &Hand(folder.path().join("jembatan.db"))).await;
        }
    )*};
}
for_every_damage!(damage);

#[tokio::test]
async fn an_entry_whose_payload_cannot_be_opened_is_held_for_a_person_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jembatan.db");
    let desk = desk_in(folder.path());
    let spoilt = desk.accept_one("r", DAFTAR, CARD).await;
    let whole = desk.accept_one("s", DAFTAR, "0009900000001").await;
    let other = Connection::open(&path).unwrap();
    let spoil = "UPDATE entry_body SET original = x'00', current = NULL WHERE delivery = ?1";
    assert_eq!(other.execute(spoil, [spoilt.to_string()]).unwrap(), 1);
    desk.send_only(whole, accepted("noUrut", "A1"), 10).await;
    assert_eq!(desk.stand(spoilt).await, (State::Held, "unreadable".to_owned()));
    assert!(desk.claim(20).await.is_empty());
    desk.check_tally().await;
}
