//! Lists are read to their end, or they are a failure.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::catalogue::Service;
use crate::config::RemoteConfig;
use crate::remote::testing::{Bench, FACILITY, Fake, bench, bench_at, plain, reply, sealed, stamp_of, start};
use crate::remote::transport::{Layer, TransportError};

const DAY: &str = "pcare.pendaftaran.list";

fn row(number: usize) -> Value {
    json!({"noUrut": format!("A{number}")})
}

/// `{start}` and `{limit}` of a list's path.
fn window(request: &crate::remote::Request) -> (usize, usize) {
    let mut parts = request.url.expose().rsplit('/').map(|part| part.parse::<usize>().unwrap());
    let limit = parts.next().unwrap();
    (parts.next().unwrap(), limit)
}

/// A day with `total` rows, of which at most `most` come at once, counted from `base`.
fn day(total: usize, most: usize, base: usize, count: Option<usize>) -> std::sync::Arc<Fake> {
    Fake::new(move |request| {
        let (start, limit) = window(request);
        let first = start.saturating_sub(base);
        let rows: Vec<Value> = (first..total.min(first + limit.min(most))).map(row).collect();
        let list = match count {
            Some(count) => json!({"count": count, "list": rows}),
            None => json!({"list": rows}),
        };
        Ok(reply(200, sealed(200, "OK", stamp_of(request), &list)))
    })
}

async fn read_day(bench: &Bench) -> Result<Rows, ReadFailure> {
    let args = [("tglDaftar".to_owned(), "21-11-2026".to_owned())];
    bench.remote.read(FACILITY, DAY, &args, Stamp::at(bench.clock.now())).await
}

fn unlimited() -> RemoteConfig {
    RemoteConfig { rate_per_second: None, ..RemoteConfig::default() }
}

fn on(fake: &std::sync::Arc<Fake>) -> Bench {
    bench_at(fake.clone(), "https://bpjs.example/pcare-rest", &unlimited())
}

#[tokio::test]
async fn a_list_is_read_page_by_page_until_its_count_is_there() {
    let fake = day(450, 1000, 0, Some(450));
    let rows = read_day(&on(&fake)).await.unwrap();
    assert_eq!((rows.rows.len(), rows.count, rows.is_complete()), (450, Some(450), true));
    assert_eq!((&rows.rows[0], &rows.rows[449]), (&row(0), &row(449)));
    let path = |start| format!("pendaftaran/tglDaftar/21-11-2026/{start}/200");
    assert_eq!(fake.paths(), [path(0), path(200), path(400)]);
}

#[tokio::test]
async fn pages_smaller_than_asked_and_counting_from_one_lose_no_row() {
    for (most, base) in [(50, 0), (50, 1), (200, 1)] {
        let rows = read_day(&on(&day(330, most, base, Some(330)))).await.unwrap();
        let expected: Vec<Value> = (0..330).map(row).collect();
        assert!(rows.rows == expected, "{most} {base}");
    }
}

#[tokio::test]
async fn a_list_without_a_count_ends_with_the_page_that_brings_nothing_new() {
    let fake = day(250, 100, 0, None);
    let rows = read_day(&on(&fake)).await.unwrap();
    assert_eq!((rows.rows.len(), rows.count, rows.is_complete()), (250, None, true));
    // A server that ignores where to start repeats itself.
    let stubborn =
        Fake::new(|request| Ok(reply(200, sealed(200, "OK", stamp_of(request), &json!({"list": [row(1), row(2)]})))));
    assert_eq!(read_day(&on(&stubborn)).await.unwrap().rows, [row(1), row(2)]);
}

#[tokio::test]
async fn a_paged_list_that_stays_short_is_a_failure() {
    let failure = read_day(&on(&day(120, 100, 0, Some(121)))).await.unwrap_err();
    assert_eq!((failure.why.as_str(), failure.alive), ("unreadable: list incomplete: 120 of 121", true));
    let endless = read_day(&on(&day(1_000_000, 1, 0, None))).await.unwrap_err();
    assert!(endless.why.contains("incomplete"), "{endless:?}");
}

#[tokio::test]
async fn each_page_is_signed_anew_and_taken_from_the_rate() {
    let fake = day(450, 1000, 0, Some(450));
    let config = RemoteConfig { rate_per_second: Some(1.0), concurrency: 1, ..RemoteConfig::default() };
    let bench = bench_at(fake.clone(), "https://bpjs.example/pcare-rest", &config);
    bench.remote.try_admit(FACILITY, Service::Pcare).unwrap();
    let reading = tokio::spawn({
        let remote = bench.remote.clone();
        let args = [("tglDaftar".to_owned(), "21-11-2026".to_owned())];
        async move { remote.read(FACILITY, DAY, &args, Stamp::at(start())).await }
    });
    while !reading.is_finished() {
        bench.clock.advance(Duration::from_millis(250));
        tokio::task::yield_now().await;
    }
    assert_eq!(reading.await.unwrap().unwrap().rows.len(), 450);
    let stamps: Vec<i64> = fake.seen.lock().unwrap().iter().map(stamp_of).collect();
    assert!(stamps[0] < stamps[1] && stamps[1] < stamps[2], "{stamps:?}");
}

#[tokio::test]
async fn no_content_is_no_rows_in_both_of_its_shapes() {
    for no_content in [reply(200, plain(204, "NO_CONTENT", Value::Null)), reply(204, Vec::new())] {
        let bench = bench(Fake::new(move |_| Ok(no_content.clone())));
        assert!(read_day(&bench).await.unwrap().rows.is_empty());
    }
}

#[tokio::test]
async fn a_single_object_is_one_row_and_an_unpaged_short_list_is_not_complete() {
    let bench = bench(Fake::new(|request| {
        let response = if request.url.expose().contains("peserta/0009900000000") {
            json!({"count": 3, "list": [row(1), row(2)]})
        } else {
            json!({"noKartu": "0009900000001"})
        };
        Ok(reply(200, sealed(200, "OK", stamp_of(request), &response)))
    }));
    let read = async |operation: &str, card: &str| {
        let args = [("noKartu".to_owned(), card.to_owned())];
        bench.remote.read(FACILITY, operation, &args, Stamp::at(start())).await.unwrap()
    };
    let one = read("pcare.peserta.get", "0009900000001").await;
    assert_eq!((one.rows.len(), one.count, one.is_complete()), (1, None, true));
    let short = read("pcare.kunjungan.riwayat", "0009900000000").await;
    assert_eq!((short.rows.len(), short.count, short.is_complete()), (2, Some(3), false));
    assert_eq!(format!("{short:?}"), "Rows { rows: 2, count: Some(3) }");
}

#[tokio::test]
async fn a_failed_read_says_why_and_whether_bpjs_lives() {
    type Ending = (Result<crate::remote::Reply, TransportError>, &'static str, bool, Option<Suspicion>);
    let table: Vec<Ending> = vec![
        (Ok(reply(503, *b"<html>")), "unavailable: HTTP 503", false, None),
        (Ok(reply(200, *b"<html>")), "unreadable: HTTP 200: the body is HTML or XML", false, None),
        (Ok(reply(200, plain(200, "OK", json!("xxxx")))), "unreadable: the response does not open", false, None),
        (
            Ok(reply(401, plain(401, "Password salah", Value::Null))),
            "not_authorised: login 401",
            true,
            Some(Suspicion::Credentials),
        ),
        (Ok(reply(500, plain(500, "galat", Value::Null))), "fault: server_fault 500", true, None),
        (Ok(reply(412, plain(412, "salah", Value::Null))), "refused: precondition 412", true, None),
        (Err(TransportError::NotSent { layer: Layer::Dns, detail: "x".to_owned() }), "not_sent: dns", false, None),
        (Err(TransportError::NoAnswer { after: Duration::from_millis(9) }), "no_answer: 9 ms", false, None),
    ];
    for (ending, why, alive, not_authorised) in table {
        let bench = bench(Fake::new(move |_| ending.clone()));
        let failure = read_day(&bench).await.unwrap_err();
        assert_eq!((failure.why.as_str(), failure.alive, failure.not_authorised), (why, alive, not_authorised));
        assert_eq!(failure.evidence, if alive { Evidence::Alive } else { Evidence::Failing }, "{why}");
    }
    let bench = bench(Fake::new(|_| panic!("nothing is sent")));
    let unknown = bench.remote.read(FACILITY, "pcare.tidak.ada", &[], Stamp::at(start())).await.unwrap_err();
    assert_eq!((unknown.why.as_str(), unknown.evidence), ("argument: operation", Evidence::Nothing));
    let open = bench.remote.read(FACILITY, DAY, &[], Stamp::at(start())).await.unwrap_err();
    assert_eq!(open.why, "argument: tglDaftar");
}
