//! Every transition of the circuit, as a table.

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn circuit(state: State, heard: Option<Timestamp>) -> Circuit {
    Circuit { state, heard, retry_max: Duration::from_secs(15), probe_interval: Duration::from_secs(5) }
}

fn open(since: u64, next: u64, wait: u64) -> State {
    State::Open { since: at(since), next_probe: at(next), wait: Duration::from_secs(wait) }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Failure,
    Passes,
    Fails,
    Success,
}

#[test]
fn every_event_in_every_state_leads_where_the_table_says() {
    use Event::{Fails, Failure, Passes, Success};
    let suspect = State::Suspect { since: at(1) };
    let opened = open(1, 4, 2);
    let table = [
        (State::Closed, Failure, State::Suspect { since: at(10) }),
        (State::Closed, Passes, State::Closed),
        (State::Closed, Fails, open(10, 11, 1)),
        (State::Closed, Success, State::Closed),
        (suspect, Failure, suspect),
        (suspect, Passes, State::Closed),
        (suspect, Fails, open(1, 11, 1)),
        (suspect, Success, State::Closed),
        (opened, Failure, opened),
        (opened, Passes, State::Closed),
        (opened, Fails, open(1, 14, 4)),
        (opened, Success, State::Closed),
    ];
    for (from, event, to) in table {
        let mut circuit = circuit(from, None);
        match event {
            Failure => circuit.on_failure(at(10)),
            Passes => circuit.on_probe(at(10), true),
            Fails => circuit.on_probe(at(10), false),
            Success => circuit.on_success(at(10)),
        }
        assert_eq!(circuit.state(), to, "{from:?} {event:?}");
        assert_eq!(circuit.allows_sending(at(10)), to == State::Closed, "{from:?} {event:?}");
    }
}

#[test]
fn waits_double_up_to_the_most_and_begin_again_after_a_success() {
    let mut circuit = Circuit::closed(Duration::from_secs(15), Duration::from_secs(5));
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..7 {
        circuit.on_probe(now, false);
        let State::Open { next_probe, wait, since } = circuit.state() else { panic!("open") };
        assert_eq!((since, next_probe), (at(0), now + wait));
        waits.push(wait.as_secs());
        now = next_probe;
    }
    assert_eq!(waits, [1, 2, 4, 8, 15, 15, 15]);
    circuit.on_success(now);
    circuit.on_probe(now, false);
    assert_eq!(circuit.state(), State::Open { since: now, next_probe: now + FIRST_WAIT, wait: FIRST_WAIT });
}

#[test]
fn a_probe_is_wanted_when_the_table_says() {
    let suspect = State::Suspect { since: at(9) };
    let table = [
        ("closed, nothing heard yet", State::Closed, None, true),
        ("closed, heard just now", State::Closed, Some(at(10)), false),
        ("closed, heard 4 s ago", State::Closed, Some(at(6)), false),
        ("closed, heard 5 s ago", State::Closed, Some(at(5)), true),
        ("closed, clock set back since", State::Closed, Some(at(3600)), true),
        ("suspect", suspect, Some(at(9)), true),
        ("open, before the wait is over", open(1, 11, 8), None, false),
        ("open, when the wait is over", open(1, 10, 8), None, true),
        ("open, clock set back since", open(1, 3600, 8), None, true),
    ];
    for (case, state, heard, wanted) in table {
        assert_eq!(circuit(state, heard).wants_probe(at(10)), wanted, "{case}");
    }
}

#[test]
fn where_another_node_probes_its_record_goes_before_what_was_seen_here() {
    let suspect = State::Suspect { since: at(9) };
    for (before, open, allows) in [
        (State::Closed, false, true),
        (State::Closed, true, false),
        (suspect, false, true),
        (suspect, true, false),
        (open_state(), false, true),
        (open_state(), true, false),
    ] {
        let mut circuit = circuit(before, None);
        circuit.follow(at(10), open);
        assert_eq!(circuit.allows_sending(at(10)), allows, "{before:?} {open}");
    }
}

fn open_state() -> State {
    open(1, 11, 8)
}
