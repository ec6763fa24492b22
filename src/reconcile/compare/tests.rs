use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::contract::Deadline;
use crate::queue::{Doubt, How, Progress, SubmissionId};
use crate::secret::Private;

const FACILITY: &str = "0114A026";
const DAFTAR: &str = "pcare.pendaftaran.add";
const KUNJUNGAN: &str = "pcare.kunjungan.add";
const OBAT: &str = "pcare.obat.add";
const TINDAKAN: &str = "pcare.tindakan.add";
const DAY: &str = "21-11-2026";

fn id(n: u32) -> DeliveryId {
    let mut bytes = [0; 10];
    bytes[6..].copy_from_slice(&n.to_be_bytes());
    DeliveryId::new(jiff::Timestamp::UNIX_EPOCH, &bytes)
}

fn entry(n: u32, operation: &str, state: State, scope: &[&str], payload: Value) -> Entry {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let mut progress = Progress::accepted(at, at, None);
    progress.state = state;
    progress.how = (state == State::Delivered).then_some(How::Accepted);
    let delivery = Delivery {
        id: id(n),
        seq: i64::from(n),
        submission: SubmissionId::new(at, &[0; 10]),
        entry_ref: format!("e{n}"),
        facility: FACILITY.to_owned(),
        operation: operation.to_owned(),
        lane: Private::new(String::new()),
        occurred_at: None,
        service_date: None,
        mark: None,
        accepted_at: at,
        turn: crate::queue::Turn::taken(at, at, &[], None),
        deadline: Deadline::default(),
        progress,
    };
    let scope = Some(scope.iter().map(|&part| part.to_owned()).collect());
    Entry { delivery, payload, scope, reference: format!("r/e{n}"), released: false }
}

fn remote(mut entry: Entry, name: &str, id: &str) -> Entry {
    let ids = RemoteIds::from([(name.to_owned(), id.to_owned())]);
    entry.delivery.progress.remote = Private::new(ids);
    entry
}

fn row(operation: &str, scope: &[&str], id: &str, value: Value, owner: Option<DeliveryId>) -> Row {
    let scope = scope.iter().map(|&part| part.to_owned()).collect();
    Row { key: (operation.to_owned(), scope, id.to_owned()), value, owner }
}

fn card(n: u32) -> String {
    format!("{:013}", 9_900_000_000_u64 + u64::from(n))
}

fn daftar(n: u32, patient: u32, state: State) -> Entry {
    let payload = json!({ "noKartu": card(patient), "kdPoli": "001", "tglDaftar": DAY, "keluhan": "batuk", "kdTkp": "10",
        "kunjSakit": true });
    entry(n, DAFTAR, state, &[DAY], payload)
}

fn daftar_row(patient: u32, no: &str, owner: Option<DeliveryId>) -> Row {
    let value = json!({ "noUrut": no, "tgldaftar": DAY, "peserta": { "noKartu": card(patient) }, "poli": { "kdPoli": "001" },
        "keluhan": "batuk", "tkp": { "kdTkp": "10" }, "kunjSakit": true });
    row(DAFTAR, &[DAY], no, value, owner)
}

fn obat(n: u32, visit: &str, state: State) -> Entry {
    let payload = json!({ "noKunjungan": visit, "obatDPHO": true, "kdObat": "130103595", "signa1": 3, "signa2": 1,
        "jmlObat": 10, "jmlPermintaan": 10 });
    entry(n, OBAT, state, &[visit], payload)
}

fn obat_row(visit: &str, no: &str, amount: u32, owner: Option<DeliveryId>) -> Row {
    let value = json!({ "kdObatSK": no, "kdRacikan": "", "obat": { "kdObat": "130103595" }, "signa1": 3, "signa2": 1,
        "jmlObat": amount, "jmlPermintaan": amount });
    row(OBAT, &[visit], no, value, owner)
}

fn run(entries: &[Entry], rows: &[Row]) -> Compared {
    let catalogue = Catalogue::shipped().unwrap();
    compare(&catalogue, entries, rows, |delivery| delivery.progress.state == State::Sending, |_| false)
}

fn classes(compared: &Compared) -> Vec<Class> {
    compared.items.iter().map(|item| item.class).collect()
}

#[test]
fn a_delivered_entry_and_its_row_are_equal() {
    let compared = run(&[daftar(1, 1, State::Delivered)], &[daftar_row(1, "A1", Some(id(1)))]);
    assert_eq!(classes(&compared), [Class::Equal], "{compared:?}");
}

#[test]
fn a_row_changed_by_hand_differs_and_names_the_field() {
    let mut row = daftar_row(1, "A1", Some(id(1)));
    row.value["keluhan"] = json!("demam");
    let compared = run(&[daftar(1, 1, State::Delivered)], &[row]);
    assert_eq!(classes(&compared), [Class::Differs]);
    assert_eq!(compared.items[0].fields, ["keluhan"]);
}

#[test]
fn a_delivered_entry_without_its_row_is_only_here_and_a_row_without_entry_only_at_bpjs() {
    let compared = run(&[daftar(1, 1, State::Delivered)], &[daftar_row(2, "A2", None)]);
    assert_eq!(classes(&compared), [Class::OnlyHere, Class::OnlyBpjs]);
    assert!(compared.items[0].near.is_empty(), "another patient's row is not near");
}

#[test]
fn what_staff_typed_in_is_adopted_whatever_state_the_entry_waits_in() {
    for state in [State::Waiting, State::Unanswered, State::Refused, State::Held, State::Expired] {
        let compared = run(&[daftar(1, 1, state)], &[daftar_row(1, "A1", None)]);
        assert_eq!((compared.adoptable.len(), compared.items.len()), (1, 0), "{state}");
        assert_eq!(compared.adoptable[0].ids["noUrut"], "A1");
    }
}

#[test]
fn an_entry_of_unknown_outcome_that_is_absent_is_unanswered() {
    assert_eq!(classes(&run(&[daftar(1, 1, State::Unanswered)], &[])), [Class::Unanswered]);
}

#[test]
fn a_row_about_the_same_thing_with_other_content_is_not_adopted_but_shown_beside_the_entry() {
    let compared = run(&[obat(1, "V1", State::Held)], &[obat_row("V1", "7", 20, None)]);
    assert_eq!(classes(&compared), [Class::OnlyHere, Class::OnlyBpjs]);
    assert_eq!(compared.items[0].near, [(OBAT.to_owned(), vec!["V1".to_owned()], "7".to_owned())]);
}

#[test]
fn the_same_drug_twice_takes_two_rows_and_the_third_stays() {
    let entries = [obat(1, "V1", State::Delivered), obat(2, "V1", State::Unanswered), obat(3, "V1", State::Waiting)];
    let rows = [obat_row("V1", "7", 10, None), obat_row("V1", "8", 10, Some(id(1)))];
    let compared = run(&entries, &rows);
    assert_eq!(classes(&compared), [Class::Equal, Class::OnlyHere]);
    assert_eq!((compared.adoptable.len(), compared.adoptable[0].entry), (1, 1));
}

#[test]
fn an_entry_that_may_have_landed_takes_the_row_before_one_that_was_never_sent() {
    let mut doubtful = obat(2, "V1", State::Unanswered);
    doubtful.delivery.progress.doubt = Doubt { marked: true, ..Doubt::default() };
    let compared = run(&[obat(1, "V1", State::Waiting), doubtful], &[obat_row("V1", "7", 10, None)]);
    assert_eq!(compared.adoptable[0].entry, 1);
    assert_eq!((classes(&compared), compared.items[0].entry), (vec![Class::OnlyHere], Some(0)));
}

#[test]
fn an_earlier_twin_does_not_take_the_row_of_one_that_is_being_sent() {
    let entries = [obat(1, "V1", State::Waiting), obat(2, "V1", State::Sending)];
    let compared = run(&entries, &[obat_row("V1", "7", 10, None)]);
    assert!(compared.adoptable.is_empty(), "{compared:?}");
    assert_eq!((compared.moving, compared.moving_rows, classes(&compared)), (1, 1, vec![Class::OnlyHere]));
}

#[test]
fn an_entry_delivered_between_the_two_looks_is_moving_and_its_row_nobody_elses() {
    let compared = run(&[daftar(1, 1, State::Waiting)], &[daftar_row(1, "A1", Some(id(1)))]);
    assert_eq!((compared.moving, compared.elsewhere, compared.items.len()), (1, 0, 0));
}

#[test]
fn withdrawn_and_cancelled_entries_are_counted_and_not_expected_at_bpjs() {
    let mut gone = daftar(1, 1, State::Delivered);
    gone.released = true;
    let compared = run(&[gone, daftar(2, 2, State::Cancelled)], &[]);
    assert_eq!((compared.withdrawn, compared.cancelled, compared.items.len()), (1, 1, 0));
}

#[test]
fn an_entry_whose_list_was_not_read_is_in_no_class() {
    let catalogue = Catalogue::shipped().unwrap();
    let entries = [daftar(1, 1, State::Delivered), daftar(2, 2, State::Waiting)];
    let compared = compare(&catalogue, &entries, &[], |_| false, |_| true);
    assert_eq!((compared.unread, compared.items.len()), (2, 0));
}

#[test]
fn rows_of_entries_of_other_days_are_counted_elsewhere() {
    let compared = run(&[], &[daftar_row(1, "A1", Some(id(9)))]);
    assert_eq!((compared.elsewhere, compared.items.len()), (1, 0));
}

#[test]
fn the_same_number_in_another_visit_is_another_row() {
    let compared = run(&[obat(1, "V1", State::Held)], &[obat_row("V2", "7", 10, None)]);
    assert_eq!((compared.adoptable.len(), classes(&compared)), (0, vec![Class::OnlyHere, Class::OnlyBpjs]));
}

#[test]
fn a_visit_made_at_another_place_is_not_taken_for_ours() {
    let payload = json!({ "noKartu": card(1), "tglDaftar": DAY, "kdPoli": "001", "kdDiag1": "J06.9", "kdDokter": "001",
        "kdStatusPulang": "3" });
    let visit = |place: &str| {
        json!({ "noKunjungan": "V1", "peserta": { "noKartu": card(1) }, "tglKunjungan": DAY, "poli": { "kdPoli": "001" },
            "providerPelayanan": { "kdProvider": place }, "diagnosa1": { "kdDiag": "J069" },
            "dokter": { "kdDokter": "001" }, "statusPulang": { "kdStatusPulang": "3" } })
    };
    let entries = [entry(1, KUNJUNGAN, State::Waiting, &[], payload)];
    let foreign = run(&entries, &[row(KUNJUNGAN, &[], "V1", visit("0114A099"), None)]);
    assert_eq!((foreign.adoptable.len(), foreign.items[0].near.len()), (0, 0));
    let own = run(&entries, &[row(KUNJUNGAN, &[], "V1", visit("0114a026"), None)]);
    assert_eq!(own.adoptable.len(), 1, "the case of the code does not matter");
}

#[test]
fn delivered_edits_lie_over_their_own_add_in_order_and_over_no_other_visits() {
    let catalogue = Catalogue::shipped().unwrap();
    let add = |n, visit: &str| {
        let payload = json!({ "noKunjungan": visit, "kdTindakan": "01001", "biaya": 1, "keterangan": "asli" });
        remote(entry(n, TINDAKAN, State::Delivered, &[visit], payload), "kdTindakanSK", "5")
    };
    let edit = |n, state, words: &str| {
        let payload = json!({ "noKunjungan": "V1", "kdTindakanSK": "5", "keterangan": words });
        entry(n, "pcare.tindakan.edit", state, &["V1"], payload)
    };
    let mut entries = vec![
        add(1, "V1"),
        add(2, "V2"),
        edit(3, State::Delivered, "pertama"),
        edit(4, State::Delivered, "kedua"),
        edit(5, State::Waiting, "belum"),
    ];
    lay_edits_over(&catalogue, &mut entries);
    let words = |n: usize| entries[n].payload["keterangan"].as_str().unwrap().to_owned();
    assert_eq!((words(0), words(1)), ("kedua".to_owned(), "asli".to_owned()));
}

const STATES: [State; 8] = [
    State::Waiting,
    State::Sending,
    State::Delivered,
    State::Unanswered,
    State::Refused,
    State::Held,
    State::Expired,
    State::Cancelled,
];

proptest! {
    #[test]
    fn every_add_and_every_row_is_counted_exactly_once(
        adds in proptest::collection::vec((0_u32..4, 0_usize..8, any::<bool>(), any::<bool>()), 0..24),
        rows in proptest::collection::vec((0_u32..4, proptest::option::of(0_u32..30), any::<bool>()), 0..24),
        unreadable in any::<bool>(),
    ) {
        let catalogue = Catalogue::shipped().unwrap();
        let entries: Vec<Entry> = adds.iter().enumerate().map(|(n, (thing, state, drug, released))| {
            let n = u32::try_from(n).unwrap();
            let state = STATES[*state];
            let mut entry = if *drug { obat(n, &format!("V{thing}"), state) } else { daftar(n, *thing, state) };
            entry.released = *released && state == State::Delivered;
            entry
        }).collect();
        let rows: Vec<Row> = rows.iter().enumerate().map(|(n, (thing, owner, drug))| {
            let (no, owner) = (n.to_string(), owner.map(id));
            if *drug { obat_row(&format!("V{thing}"), &no, 10, owner) } else { daftar_row(*thing, &no, owner) }
        }).collect();
        let compared = compare(&catalogue, &entries, &rows, |d| d.progress.state == State::Sending, |_| unreadable);
        let with_entry = compared.items.iter().filter(|item| item.entry.is_some()).count();
        let apart = compared.moving + compared.withdrawn + compared.cancelled + compared.unread;
        prop_assert_eq!(entries.len(), with_entry + compared.adoptable.len() + apart);
        let of_items = compared.items.iter().filter(|item| item.key.is_some()).count();
        // A second row with one owner cannot be in a store; here it can, and is then counted elsewhere.
        prop_assert_eq!(rows.len(), of_items + compared.adoptable.len() + compared.moving_rows + compared.elsewhere);
        let mut seen = BTreeSet::new();
        let used = compared.items.iter().filter_map(|item| item.key.as_ref());
        for key in used.chain(compared.adoptable.iter().map(|adoptable| &adoptable.key)) {
            prop_assert!(seen.insert(key), "{:?} twice", key);
        }
        let owned: BTreeSet<_> = rows.iter().filter(|row| row.owner.is_some()).map(|row| &row.key).collect();
        prop_assert!(compared.adoptable.iter().all(|adoptable| !owned.contains(&adoptable.key)));
    }
}

#[test]
fn what_has_no_list_is_counted_and_what_needs_confirmation_is_not_adopted() {
    let catalogue = Catalogue::shipped().unwrap();
    let sep = json!({ "noKartu": card(1), "tglSep": "2026-11-21", "ppkPelayanan": FACILITY });
    let entries = [
        entry(
            1,
            "antrean_fktp.antrean.add",
            State::Delivered,
            &["001", "2026-11-21"],
            json!({ "nomorkartu": card(1) }),
        ),
        entry(
            2,
            "antrean_fktp.antrean.add",
            State::Cancelled,
            &["001", "2026-11-21"],
            json!({ "nomorkartu": card(2) }),
        ),
        entry(3, "vclaim.sep.add", State::Waiting, &[], sep),
        remote(entry(4, "vclaim.sep.v1.add", State::Delivered, &[], json!({})), "noSep", "0114A0261126V000009"),
    ];
    let shown = json!({ "noSep": "0114A0261126V000001", "noKartu": card(1), "tglSep": "2026-11-21" });
    let of_v1 = json!({ "noSep": "0114A0261126V000009", "noKartu": card(3), "tglSep": "2026-11-21" });
    let rows = [
        row("vclaim.sep.add", &[], "0114A0261126V000001", shown, None),
        row("vclaim.sep.add", &[], "0114A0261126V000009", of_v1, Some(id(4))),
    ];
    let compared = compare(&catalogue, &entries, &rows, |_| false, |_| false);
    assert_eq!(compared.incomparable, BTreeMap::from([("antrean_fktp.antrean.add".to_owned(), 1)]));
    assert!(compared.adoptable.is_empty(), "the queue's own look-up reads it by its number first");
    let classes: Vec<_> = compared.items.iter().map(|item| (item.entry, item.class)).collect();
    assert!(classes.contains(&(Some(2), Class::OnlyHere)), "{classes:?}");
    assert_eq!(compared.items[0].near.len(), 1, "a person sees what it may be");
    assert!(!classes.iter().any(|(entry, class)| *entry == Some(3) && *class == Class::OnlyHere), "one row of numbers");
}
