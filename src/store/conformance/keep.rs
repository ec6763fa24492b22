//! What is kept for outages: lists with their rows, standings, letting go.

use serde_json::json;

use super::desk::*;
use crate::secret::Private;
use crate::store::*;

const DIAGNOSA: &str = "pcare.diagnosa.cari";
const NIK: &str = "6474010101900001";

fn list(facility: &str, operation: &str, scope: &str) -> ListName {
    let (facility, operation) = (facility.to_owned(), operation.to_owned());
    ListName { facility, operation, scope: Private::new(scope.to_owned()) }
}

fn term(words: &str, upto: u64, count: Option<u64>, seconds: i64) -> TermRow {
    let complete = count.is_none_or(|count| upto >= count);
    let words = Private::new(words.to_owned());
    TermRow { words, upto, count, complete, begun_at: at(seconds), as_of: at(seconds) }
}

fn row(key: &str, place: u64) -> NewRow {
    NewRow { key: Private::new(key.to_owned()), place, body: Private::new(json!({ "kdDiag": key }).to_string()) }
}

fn rows(list: ListName, words: &str, rows: Vec<NewRow>, seconds: i64) -> NewRows {
    let count = rows.len() as u64;
    NewRows {
        list,
        service: "pcare".to_owned(),
        frame: Private::new(json!({ "list": [] })),
        term: term(words, count, Some(count), seconds),
        rows,
        beyond: None,
        at: at(seconds),
    }
}

fn limits() -> KeepLimits {
    KeepLimits { references_before: at(-1), members_before: at(-1), rows: 1000, members: 1000, bytes: 1 << 30 }
}

fn member(card: Option<&str>, nik: Option<&str>) -> MemberName {
    let private = |text: &str| Private::new(text.to_owned());
    MemberName {
        facility: FACILITY.to_owned(),
        family: "pcare:".to_owned(),
        card: card.map(private),
        nik: nik.map(private),
    }
}

fn standing(word: &str, seconds: i64) -> KeptMember {
    KeptMember { body: Private::new(json!({ "ketAktif": word })), as_of: at(seconds) }
}

fn audit() -> AuditEntry {
    let word = |text: &str| text.to_owned();
    AuditEntry {
        at: at(0),
        actor: word("operator"),
        action: word("keep.clear"),
        object: word(FACILITY),
        detail: word("uji"),
    }
}

async fn bodies(desk: &Desk, name: &ListName) -> Vec<(u64, String, i64)> {
    let kept = desk.store.kept_list(name).await.unwrap().expect("a list");
    let second = |row: &KeptRow| row.as_of.duration_since(at(0)).as_secs();
    let mut rows: Vec<_> = kept.rows.iter().map(|row| (row.place, row.body.expose().clone(), second(row))).collect();
    rows.sort();
    rows
}

pub(crate) async fn rows_of_several_words_are_kept_once(desk: &Desk) {
    let name = list(FACILITY, DIAGNOSA, "");
    assert!(desk.store.kept_list(&name).await.unwrap().is_none());
    desk.store.keep_rows(rows(name.clone(), "a", vec![row("A01", 0), row("A02", 0)], 0)).await.unwrap();
    desk.store.keep_rows(rows(name.clone(), "b", vec![row("A02", 0), row("B01", 0)], 5)).await.unwrap();
    let body = |code: &str| json!({ "kdDiag": code }).to_string();
    assert_eq!(bodies(desk, &name).await, [(0, body("A01"), 0), (0, body("A02"), 5), (0, body("B01"), 5)]);
    let kept = desk.store.kept_list(&name).await.unwrap().unwrap();
    let mut words: Vec<_> = kept.terms.iter().map(|term| (term.words.expose().as_str(), term.complete)).collect();
    words.sort_unstable();
    assert_eq!(words, [("a", true), ("b", true)]);
    assert_eq!(kept.frame.expose(), &json!({ "list": [] }));
}

pub(crate) async fn a_list_belongs_to_one_facility_operation_and_scope(desk: &Desk) {
    let name = list(FACILITY, DIAGNOSA, "kdTkp=10");
    desk.store.keep_rows(rows(name.clone(), "", vec![row("A01", 0)], 0)).await.unwrap();
    for other in [
        list("0114A027", DIAGNOSA, "kdTkp=10"),
        list(FACILITY, "pcare.obat.dpho", "kdTkp=10"),
        list(FACILITY, DIAGNOSA, ""),
    ] {
        assert!(desk.store.kept_list(&other).await.unwrap().is_none());
        desk.store.keep_rows(rows(other.clone(), "", vec![row("A01", 0), row("A02", 1)], 0)).await.unwrap();
    }
    assert_eq!(bodies(desk, &name).await.len(), 1);
    let all = desk.store.kept_lists(None).await.unwrap();
    assert_eq!(all.iter().map(|one| one.rows).sum::<u64>(), 7);
    let own = desk.store.kept_lists(Some(FACILITY)).await.unwrap();
    assert_eq!(own.len(), 3);
    assert!(own.iter().any(|one| one.list == name && one.rows == 1 && one.terms == [term("", 1, Some(1), 0)]));
}

pub(crate) async fn a_list_that_became_shorter_loses_its_end(desk: &Desk) {
    let name = list(FACILITY, "pcare.dokter.list", "");
    let long = (0..5).map(|place| row(&format!("{place:012}"), place)).collect();
    desk.store.keep_rows(rows(name.clone(), "", long, 0)).await.unwrap();
    let short = NewRows { beyond: Some(2), ..rows(name.clone(), "", vec![row("000000000000", 0)], 9) };
    desk.store.keep_rows(short).await.unwrap();
    let places: Vec<_> = bodies(desk, &name).await.into_iter().map(|(place, _, second)| (place, second)).collect();
    assert_eq!(places, [(0, 9), (1, 0)]);
}

pub(crate) async fn a_standing_is_found_by_card_and_by_nik_and_the_last_word_counts(desk: &Desk) {
    let whole = member(Some(CARD), Some(NIK));
    desk.store.keep_member(whole.clone(), Some(standing("AKTIF", 0))).await.unwrap();
    for asked in [member(Some(CARD), None), member(None, Some(NIK)), whole.clone()] {
        assert_eq!(desk.store.kept_member(&asked).await.unwrap(), Some(standing("AKTIF", 0)));
    }
    desk.store.keep_member(member(Some(CARD), None), Some(standing("NONAKTIF", 7))).await.unwrap();
    assert_eq!(desk.store.kept_member(&member(Some(CARD), None)).await.unwrap(), Some(standing("NONAKTIF", 7)));
    assert_eq!(desk.store.kept_member(&member(None, Some(NIK))).await.unwrap(), None, "not an older word by the NIK");
    let elsewhere = MemberName { facility: "0114A027".to_owned(), ..whole.clone() };
    let other = MemberName { family: "vclaim:peserta".to_owned(), ..whole };
    for nobody in [elsewhere, other, member(Some("0009900000001"), None)] {
        assert_eq!(desk.store.kept_member(&nobody).await.unwrap(), None);
    }
    desk.store.keep_member(member(Some(CARD), None), None).await.unwrap();
    assert_eq!(desk.store.kept_member(&member(Some(CARD), None)).await.unwrap(), None, "forgotten");
}

pub(crate) async fn what_is_kept_goes_by_its_age(desk: &Desk) {
    let name = list(FACILITY, DIAGNOSA, "");
    desk.store.keep_rows(rows(name.clone(), "a", vec![row("A01", 0), row("A02", 0)], 0)).await.unwrap();
    desk.store.keep_rows(rows(name.clone(), "b", vec![row("B01", 0)], 100)).await.unwrap();
    desk.store.keep_member(member(Some(CARD), None), Some(standing("AKTIF", 0))).await.unwrap();
    assert_eq!(desk.store.prune_kept(limits()).await.unwrap(), 0);
    let late = KeepLimits { references_before: at(50), members_before: at(50), ..limits() };
    assert_eq!(desk.store.prune_kept(late).await.unwrap(), 3);
    let kept = desk.store.kept_list(&name).await.unwrap().unwrap();
    assert_eq!((kept.rows.len(), kept.terms.len()), (1, 1), "what was read goes with the rows it brought");
    assert_eq!(kept.terms[0].words.expose(), "b");
    assert_eq!(desk.store.kept_member(&member(Some(CARD), None)).await.unwrap(), None);
    let all = KeepLimits { references_before: at(200), ..limits() };
    desk.store.prune_kept(all).await.unwrap();
    assert!(desk.store.kept_lists(None).await.unwrap().is_empty(), "an empty list goes too");
}

pub(crate) async fn of_too_much_the_oldest_goes_and_is_whole_no_longer(desk: &Desk) {
    let (old, new) = (list(FACILITY, DIAGNOSA, ""), list(FACILITY, "pcare.obat.dpho", ""));
    let many = |from: usize| (from..from + 30).map(|n| row(&format!("{n:05}"), 0)).collect();
    desk.store.keep_rows(rows(old.clone(), "a", many(0), 0)).await.unwrap();
    desk.store.keep_rows(rows(new.clone(), "a", many(0), 9)).await.unwrap();
    for (n, card) in ["0009900000001", "0009900000002", "0009900000003"].into_iter().enumerate() {
        let second = i64::try_from(n).unwrap();
        desk.store.keep_member(member(Some(card), None), Some(standing("AKTIF", second))).await.unwrap();
    }
    let tight = KeepLimits { rows: 50, members: 1, ..limits() };
    assert_eq!(desk.store.prune_kept(tight).await.unwrap(), 12);
    let complete = async |name| desk.store.kept_list(name).await.unwrap().unwrap().terms[0].complete;
    assert_eq!((bodies(desk, &old).await.len(), bodies(desk, &new).await.len()), (20, 30));
    assert_eq!((complete(&old).await, complete(&new).await), (false, true));
    assert!(desk.store.kept_member(&member(Some("0009900000003"), None)).await.unwrap().is_some());
    assert!(desk.store.kept_member(&member(Some("0009900000002"), None)).await.unwrap().is_none());
    desk.store.prune_kept(KeepLimits { bytes: 1, ..limits() }).await.unwrap();
    assert_eq!(bodies(desk, &new).await.len(), 0, "bytes are limited too");
}

pub(crate) async fn a_facilitys_kept_reads_are_cleared_with_a_row_in_the_log(desk: &Desk) {
    let elsewhere = list("0114A027", DIAGNOSA, "");
    for name in [list(FACILITY, DIAGNOSA, ""), elsewhere.clone()] {
        desk.store.keep_rows(rows(name, "a", vec![row("A01", 0)], 0)).await.unwrap();
    }
    desk.store.keep_member(member(Some(CARD), None), Some(standing("AKTIF", 3))).await.unwrap();
    let totals = desk.store.kept_totals().await.unwrap();
    let own = totals.iter().find(|one| one.facility == FACILITY).unwrap();
    assert_eq!((own.service.as_str(), own.lists, own.rows, own.members), ("pcare", 1, 1, 1));
    assert_eq!((own.oldest, own.newest), (Some(at(0)), Some(at(0))));
    let before = desk.store.audit(0, 100).await.unwrap().len();
    assert_eq!(desk.store.clear_kept(FACILITY, audit()).await.unwrap(), 2);
    let left = desk.store.kept_totals().await.unwrap();
    assert_eq!(left.iter().map(|one| one.facility.as_str()).collect::<Vec<_>>(), ["0114A027"]);
    assert_eq!(bodies(desk, &elsewhere).await.len(), 1);
    let log = desk.store.audit(0, 100).await.unwrap();
    assert_eq!((log.len(), log.last().unwrap().action.as_str()), (before + 1, "keep.clear"));
}
