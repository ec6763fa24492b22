//! Crashes: suspects are tried alone, the guilty one is held, everybody else goes on.

use super::desk::*;
use crate::queue::transition::Event;
use crate::queue::{DeliveryId, Finding, Outcome, State};
use crate::store::Claimed;

async fn three(desk: &Desk) -> [DeliveryId; 3] {
    let mut all = Vec::new();
    for number in 0..3 {
        all.push(desk.accept_one(&format!("r{number}"), EDIT, &format!("000990000000{number}")).await);
    }
    [all[0], all[1], all[2]]
}

fn names(claimed: &[Claimed]) -> Vec<DeliveryId> {
    claimed.iter().map(|claimed| claimed.delivery.id).collect()
}

async fn crashes(desk: &Desk, id: DeliveryId) -> u8 {
    desk.get(id).await.progress.crashes
}

pub(crate) async fn who_was_in_flight_three_times_is_held_and_the_others_go_on(desk: &Desk) {
    let [first, poison, last] = three(desk).await;
    assert_eq!(desk.claim(100).await.len(), 3);
    let blamed = desk.store.blame(at(101), desk.base()).await.unwrap();
    assert_eq!((blamed.suspects, blamed.held), (3, vec![]));
    assert_eq!(desk.store.reclaim(at(101), true, desk.base()).await.unwrap(), 0, "nobody is left to reclaim");
    assert_eq!(desk.store.attempts(poison).await.unwrap()[0].end.outcome, "crashed");
    // Alone, the innocent come through and the poison kills again.
    let mut now = 200;
    for _ in 0..2 {
        loop {
            let claimed = desk.claim(now).await;
            assert_eq!(claimed.len(), 1, "suspects go one at a time");
            if claimed[0].delivery.id == poison {
                break;
            }
            desk.end(&claimed[0], accepted("noKunjungan", "V1"), now).await;
        }
        desk.store.blame(at(now), desk.base()).await.unwrap();
        now += 1000;
    }
    assert_eq!((desk.state(first).await, desk.state(last).await), (State::Delivered, State::Delivered));
    assert_eq!(desk.stand(poison).await, (State::Held, "crashed".to_owned()));
    assert!(desk.claim(now).await.is_empty());
    let other = desk.accept_one("s", EDIT, "0009900000009").await;
    desk.send_only(other, accepted("noKunjungan", "V2"), now).await;
    desk.check_tally().await;
}

pub(crate) async fn a_recorded_end_clears_a_suspect_and_a_look_up_does_not(desk: &Desk) {
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    desk.claim_only(id, 10).await;
    desk.store.blame(at(11), desk.base()).await.unwrap();
    let looking = desk.claim_only(id, 100).await;
    desk.look(&looking, Finding::Absent, 100).await;
    assert_eq!(crashes(desk, id).await, 1);
    desk.send_only(id, Outcome::NotSent { why: "tcp".into() }, 101).await;
    assert_eq!((desk.state(id).await, crashes(desk, id).await), (State::Waiting, 0));
}

pub(crate) async fn suspects_are_tried_one_at_a_time_and_not_in_the_first_seconds_of_a_run(desk: &Desk) {
    let [first, second, third] = three(desk).await;
    let mut ask = desk.ask(0);
    ask.limit = 2;
    let flying = names(&desk.store.claim(ask).await.unwrap());
    assert_eq!(flying, [first, second]);
    // The desk's run began at 0 s.
    desk.store.blame(at(0), desk.base()).await.unwrap();
    let unsuspected = desk.claim(2).await;
    assert_eq!(names(&unsuspected), [third], "who was not there goes on at once");
    let alone = desk.claim(60).await;
    assert_eq!(names(&alone), [first], "one, while another that nobody suspects is in flight");
    assert!(desk.claim(60).await.is_empty(), "the second waits for the first");
    desk.end(&alone[0], refused(), 61).await;
    desk.claim_only(second, 61).await;
    assert_eq!(crashes(desk, third).await, 0);
}

pub(crate) async fn a_persons_retry_begins_the_count_anew(desk: &Desk) {
    let id = desk.accept_one("r", EDIT, CARD).await;
    for round in 0..3 {
        desk.claim_only(id, 1000 * (round + 1)).await;
        desk.store.blame(at(1000 * (round + 1)), desk.base()).await.unwrap();
    }
    assert_eq!(desk.stand(id).await, (State::Held, "crashed".to_owned()));
    let again = desk.act(id, Event::Retry, 5000).await;
    assert_eq!((again.progress.state, again.progress.crashes), (State::Waiting, 0));
    desk.send_only(id, accepted("noKunjungan", "V1"), 5001).await;
}

pub(crate) async fn a_panicked_attempt_counts_as_a_crash(desk: &Desk) {
    let id = desk.accept_one("r", EDIT, CARD).await;
    for round in 1..=3 {
        let claimed = desk.claim_only(id, 1000 * round).await;
        desk.store.record(desk.recorded(&claimed, Event::Crashed, 1000 * round)).await.unwrap().unwrap();
        assert_eq!(i64::from(crashes(desk, id).await), round);
    }
    assert_eq!(desk.stand(id).await, (State::Held, "crashed".to_owned()));
}

pub(crate) async fn who_kills_the_claim_three_times_is_held_without_being_opened(desk: &Desk) {
    let [first, poison, child] = {
        let [first, poison, _] = three(desk).await;
        let behind = desk.accept_one("later", EDIT, "0009900000001").await;
        [first, poison, behind]
    };
    for round in 1..=3 {
        let blamed = desk.store.blame_opened(vec![poison], at(10 * round), desk.base()).await.unwrap();
        let held = if round == 3 { vec![poison] } else { vec![] };
        assert_eq!((blamed.suspects, blamed.held), (1, held), "crash {round}");
    }
    assert_eq!(desk.stand(poison).await, (State::Held, "crashed".to_owned()));
    assert!(desk.store.attempts(poison).await.unwrap().is_empty(), "nothing was sent");
    let others = names(&desk.claim(100).await);
    assert!(others.contains(&first) && others.contains(&child) && !others.contains(&poison), "{others:?}");
    assert_eq!(crashes(desk, first).await, 0);
    let again = desk.act(poison, Event::Retry, 5000).await;
    assert_eq!((again.progress.state, again.progress.crashes), (State::Waiting, 0));
    desk.check_tally().await;
}

pub(crate) async fn who_is_unknown_held_by_somebody_or_final_is_not_blamed_for_a_claim(desk: &Desk) {
    let [sent, flying, _] = three(desk).await;
    let claimed = desk.claim(10).await;
    desk.end(&claimed[0], refused(), 11).await;
    let unknown = desk.id();
    let blamed = desk.store.blame_opened(vec![sent, flying, unknown], at(12), desk.base()).await.unwrap();
    assert_eq!((blamed.suspects, blamed.held), (0, vec![]));
    assert_eq!((crashes(desk, sent).await, crashes(desk, flying).await), (0, 0));
}
