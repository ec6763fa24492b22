//! What the rows of a look-up say, given who owns them.

use serde_json::{Value, json};

use super::judge;
use crate::catalogue::{Catalogue, candidates};
use crate::queue::{DeliveryId, Finding};

fn id(n: u8) -> DeliveryId {
    DeliveryId::new(jiff::Timestamp::UNIX_EPOCH, &[n; 10])
}

/// Looks `payload` up among `rows`; `owners` are the rows' owners, in order.
fn find(operation: &str, payload: &Value, rows: &[Value], owners: &[Option<DeliveryId>]) -> Finding {
    let catalogue = Catalogue::shipped().unwrap();
    let operation = catalogue.operation(operation).unwrap();
    let found = candidates(operation, payload, "0114A026", rows);
    assert_eq!(found.len(), owners.len(), "every row of these tests has the entry's key");
    judge(operation, id(1), &found, owners, true)
}

fn drug(sk: i64, signa1: i64) -> Value {
    json!({ "kdObatSK": sk, "kdRacikan": "N", "obat": { "kdObat": "130103595" }, "signa1": signa1, "signa2": 1,
            "jmlObat": 10, "jmlPermintaan": 10 })
}

fn our_drug() -> Value {
    json!({ "noKunjungan": "0114A0261126Y000001", "obatDPHO": true, "kdObat": "130103595", "signa1": 3, "signa2": 1,
            "jmlObat": 10, "jmlPermintaan": 10 })
}

fn visit(diagnosis: &str) -> Value {
    json!({ "noKunjungan": "0114A0261126Y000001", "tglKunjungan": "21-11-2026", "peserta": { "noKartu": "0009900000000" },
            "poli": { "kdPoli": "001" }, "providerPelayanan": { "kdProvider": "0114a026" },
            "diagnosa1": { "kdDiag": diagnosis }, "dokter": { "kdDokter": "001" },
            "statusPulang": { "kdStatusPulang": "3" } })
}

fn our_visit() -> Value {
    json!({ "noKartu": "0009900000000", "tglDaftar": "21-11-2026", "kdPoli": "001", "kdDiag1": "J06.9",
            "kdDokter": "001", "kdStatusPulang": "3" })
}

#[test]
fn nothing_there_is_absent() {
    assert_eq!(find("pcare.obat.add", &our_drug(), &[], &[]), Finding::Absent);
}

#[test]
fn copies_are_counted_by_the_ids_that_nobody_owns() {
    let rows = [drug(37, 3), drug(38, 3)];
    let found = find("pcare.obat.add", &our_drug(), &rows, &[Some(id(2)), None]);
    let Finding::Found { ids, .. } = found else { panic!("{found:?}") };
    assert_eq!(ids.expose()["kdObatSK"], "38");
    let all_owned = find("pcare.obat.add", &our_drug(), &rows, &[Some(id(2)), Some(id(3))]);
    assert_eq!(all_owned, Finding::Absent, "the same drug twice in one visit is lawful");
}

#[test]
fn a_row_that_is_already_ours_is_found_again() {
    assert!(matches!(find("pcare.obat.add", &our_drug(), &[drug(37, 3)], &[Some(id(1))]), Finding::Found { .. }));
}

#[test]
fn the_same_key_with_other_content_is_for_a_person() {
    let other_dose = find("pcare.obat.add", &our_drug(), &[drug(37, 1)], &[None]);
    let Finding::Ambiguous { detail } = other_dose else { panic!("{other_dose:?}") };
    assert!(detail.contains("signa1") && !detail.contains("130103595"), "{detail}");
    assert!(matches!(find("pcare.kunjungan.add", &our_visit(), &[visit("K297")], &[None]), Finding::Ambiguous { .. }));
}

#[test]
fn where_bpjs_keeps_it_unique_an_owned_row_names_its_owner() {
    let owned = find("pcare.kunjungan.add", &our_visit(), &[visit("J069")], &[Some(id(2))]);
    assert_eq!(owned, Finding::Owned { owner: id(2) });
    assert!(matches!(find("pcare.kunjungan.add", &our_visit(), &[visit("J069")], &[None]), Finding::Found { .. }));
}

#[test]
fn a_list_cut_short_never_shows_absence() {
    let catalogue = Catalogue::shipped().unwrap();
    let operation = catalogue.operation("pcare.obat.add").unwrap();
    let found = candidates(operation, &our_drug(), "0114A026", &[drug(37, 3)]);
    for (found, owners) in [(&found[..], vec![Some(id(2))]), (&found[..0], Vec::new())] {
        assert!(matches!(judge(operation, id(1), found, &owners, false), Finding::Failed { .. }));
        assert_eq!(judge(operation, id(1), found, &owners, true), Finding::Absent);
    }
}

mod late {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use jiff::Timestamp;
    use serde_json::json;

    use super::super::{LEASE_SPARE, Push};
    use crate::catalogue::{Catalogue, Service};
    use crate::chance::Chance;
    use crate::clock::Clock;
    use crate::config::{Facility, Party, RemoteConfig, ServiceConfig};
    use crate::contract::Deadline;
    use crate::queue::{BootId, DeliveryId, State, SubmissionId};
    use crate::remote::{Lane, Remote, Reply, Request, Transport, TransportError};
    use crate::secret::Private;
    use crate::store::sqlite::{Settings, SqliteStore};
    use crate::store::{NewEntry, NewSubmission, Sealer, SharedStore};
    use crate::vault::{CredentialName, KeyAccess, KeySource, Vault};

    const FACILITY: &str = "0114A026";

    fn start() -> Timestamp {
        "2026-11-21T01:02:03Z".parse().unwrap()
    }

    /// Counts what would have left the machine.
    struct Counting(AtomicUsize);

    #[async_trait::async_trait]
    impl Transport for Counting {
        async fn send(&self, _request: Request) -> Result<Reply, TransportError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Err(TransportError::NoAnswer { after: Duration::from_secs(30) })
        }
    }

    fn remote(clock: &Clock, catalogue: &Arc<Catalogue>, transport: Arc<Counting>, folder: &std::path::Path) -> Remote {
        let source = KeySource::File(folder.join("kek"));
        let vault = Vault::create(&folder.join("vault"), &source, KeyAccess::of_process(), start()).unwrap();
        for (name, value) in [
            (CredentialName::ConsId, "12345"),
            (CredentialName::SecretKey, "rahasia-uji"),
            (CredentialName::PcareUserKey, "kunci"),
            (CredentialName::PcareUsername, "contoh"),
            (CredentialName::PcarePassword, "sandi"),
        ] {
            vault.put(FACILITY, name, value, start()).unwrap();
        }
        let facility = Facility {
            code: FACILITY.to_owned(),
            name: "PKM Contoh".to_owned(),
            timezone: jiff::tz::TimeZone::UTC,
            pcare: Some(ServiceConfig { base_url: "https://bpjs.example/pcare-rest".to_owned(), app_code: None }),
            vclaim: None,
            antrean_fktp: None,
            icare: None,
            party: Party::default(),
        };
        Remote::new(&RemoteConfig::default(), &[facility], Arc::clone(catalogue), vault, clock.clone(), transport)
    }

    fn registration(id: DeliveryId) -> NewSubmission {
        let entry = NewEntry {
            id,
            position: 0,
            entry_ref: "daftar".to_owned(),
            operation: "pcare.pendaftaran.add".to_owned(),
            service: "pcare".to_owned(),
            payload: Private::new(json!({ "noKartu": "0009900000001", "tglDaftar": "21-11-2026" })),
            occurred_at: None,
            service_date: None,
            deadline: Deadline { rule: "entry.immediate".to_owned(), ..Deadline::default() },
            due_at: start(),
            no_kartu: None,
            about: None,
            natural_key: None,
            mark: None,
            after: Vec::new(),
        };
        NewSubmission {
            id: SubmissionId::new(start(), &[1; 10]),
            client: "sim".to_owned(),
            facility: FACILITY.to_owned(),
            reference: "r-1".to_owned(),
            canonical: Private::new("{}".to_owned()),
            patient: None,
            accepted_at: start(),
            warnings: Vec::new(),
            approval: false,
            entries: vec![entry],
        }
    }

    /// One claim whose process stands still for `pause` before it goes on: what left the machine, and how the entry stands.
    async fn paused(pause: Duration) -> (usize, State, bool) {
        let folder = tempfile::tempdir().unwrap();
        let (clock, catalogue) = (Clock::manual(start()), Arc::new(Catalogue::shipped().unwrap()));
        let transport = Arc::new(Counting(AtomicUsize::new(0)));
        let settings = Settings {
            path: folder.path().join("uji.db"),
            sealer: Sealer::new(&[7; 32], &[8; 32]),
            catalogue: Arc::clone(&catalogue),
        };
        let store: SharedStore = Arc::new(SqliteStore::open(settings).unwrap().0);
        let id = DeliveryId::new(start(), &[2; 10]);
        store.accept(registration(id)).await.unwrap();
        let config = RemoteConfig::default();
        let lane = Lane::new(FACILITY, Service::Pcare, &config);
        let push = Push {
            store: Arc::clone(&store),
            remote: remote(&clock, &catalogue, Arc::clone(&transport), folder.path()),
            catalogue,
            clock: clock.clone(),
            chance: Chance::seeded(1),
            boot: BootId::new(start(), &[3; 10]),
            bpjs_zone: jiff::tz::TimeZone::UTC,
            settle: None,
            concurrency: 1,
            attempt_timeout: config.connect_timeout + config.request_timeout,
            observe: Arc::new(|_| {}),
        };
        let claimed = store.claim(push.ask(&lane, 1, start())).await.unwrap().remove(0);
        clock.advance(pause);
        push.attempt(&lane, claimed, start() + LEASE_SPARE).await;
        let progress = store.delivery(id).await.unwrap().unwrap().progress;
        (transport.0.load(Ordering::SeqCst), progress.state, progress.doubt.marked)
    }

    #[tokio::test]
    async fn a_process_that_stood_still_between_claim_and_send_sends_nothing_and_gives_the_entry_back() {
        assert_eq!(paused(LEASE_SPARE + Duration::from_millis(1)).await, (0, State::Waiting, false));
        assert_eq!(paused(Duration::from_secs(1)).await, (1, State::Unanswered, true));
    }
}
