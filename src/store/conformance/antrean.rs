//! The facility's queue: numbers, sessions, patients, the feed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Time, date};
use serde_json::json;

use super::desk::{CARD, DAFTAR, Desk, FACILITY, accepted, at, day};
use crate::secret::Private;
use crate::store::antrean::*;

const POLI: &str = "001";
const DOCTOR: i64 = 12345;

fn card(n: u64) -> Private<String> {
    Private::new(format!("00099{n:08}"))
}

fn session(doctor: i64, hours: &str, quota: i64) -> Session {
    Session {
        facility: FACILITY.to_owned(),
        day: day(23),
        poli: POLI.to_owned(),
        poli_name: "Poli Umum".to_owned(),
        doctor,
        doctor_name: format!("dr. {doctor}"),
        hours: hours.to_owned(),
        quota,
        opens: Some(Time::constant(7, 0, 0, 0)),
        closes: Time::constant(11, 0, 0, 0),
        prefix: "A".to_owned(),
        remark: String::new(),
    }
}

async fn open(desk: &Desk, sessions: Vec<Session>) -> i64 {
    desk.store.set_sessions(FACILITY, vec![day(23)], sessions).await.unwrap()
}

fn ask(desk: &Desk, n: u64) -> BookAsk {
    BookAsk {
        id: antrean_id(at(0), &desk.chance.ten()),
        facility: FACILITY.to_owned(),
        day: day(23),
        poli: POLI.to_owned(),
        doctor: Some(DOCTOR),
        hours: Some("08:00-12:00".to_owned()),
        card: Some(card(n)),
        reference: None,
        origin: Origin::MobileJkn,
        person: Private::new(json!({ "nomorkartu": card(n).expose() })),
        known_only: false,
        now: at(0),
        local: date(2026, 11, 21).at(9, 0, 0, 0),
    }
}

async fn book(desk: &Desk, ask: BookAsk) -> Place {
    match desk.store.book(ask).await.unwrap() {
        Booked::New(place) => *place,
        other @ (Booked::Repeat(_) | Booked::Refused(_)) => panic!("{other:?}"),
    }
}

async fn why(desk: &Desk, ask: BookAsk) -> NoNumber {
    match desk.store.book(ask).await.unwrap() {
        Booked::Refused(why) => why,
        other @ (Booked::Repeat(_) | Booked::New(_)) => panic!("{other:?}"),
    }
}

async fn withdraw(desk: &Desk, n: u64) -> Withdrawn {
    let reason = Some(Private::new("berhalangan".to_owned()));
    desk.store.withdraw(FACILITY, card(n), POLI, day(23), reason, at(5)).await.unwrap()
}

pub(crate) async fn a_number_is_given_once_and_a_card_has_one_per_poli_and_day(desk: &Desk) {
    open(desk, vec![session(DOCTOR, "08:00-12:00", 10)]).await;
    let first = book(desk, ask(desk, 1)).await;
    assert_eq!((first.booking.number, first.booking.label.as_str(), first.ahead), (1, "A1", 0));
    let second = book(desk, ask(desk, 2)).await;
    assert_eq!((second.booking.label.as_str(), second.ahead), ("A2", 1));
    // A repeat after the caller's own timeout: another id, the same booking.
    let again = desk.store.book(ask(desk, 1)).await.unwrap();
    assert!(matches!(&again, Booked::Repeat(place) if place.booking.id == first.booking.id), "{again:?}");
    // Cancelled, the number stays given; the next booking of the card has a new one.
    assert!(matches!(withdraw(desk, 1).await, Withdrawn::Done(_)));
    assert_eq!(withdraw(desk, 1).await, Withdrawn::Already);
    assert_eq!(withdraw(desk, 9).await, Withdrawn::None);
    let rebooked = book(desk, ask(desk, 1)).await;
    assert_eq!((rebooked.booking.label.as_str(), rebooked.ahead), ("A3", 1));
    let place = desk.store.place(FACILITY, card(1), POLI, day(23)).await.unwrap().unwrap();
    assert_eq!(place.booking.id, rebooked.booking.id);
    // Without a card the SIM's reference tells a repeat.
    let counter = || BookAsk { card: None, reference: Some("loket-1".to_owned()), origin: Origin::Sim, ..ask(desk, 0) };
    let walked_in = book(desk, counter()).await;
    assert_eq!(walked_in.booking.label, "A4");
    assert!(matches!(desk.store.book(counter()).await.unwrap(), Booked::Repeat(_)));
    let kept = desk.store.booking(&rebooked.booking.id).await.unwrap().unwrap();
    assert_eq!(kept.person.unwrap().expose()["nomorkartu"], *card(1).expose());
}

pub(crate) async fn bookings_that_arrive_together_share_no_number(desk: &Desk) {
    open(desk, vec![session(DOCTOR, "08:00-12:00", 40), session(2, "08:00-12:00", 20)]).await;
    // Every card asks twice, as Mobile JKN does when it loses patience; more cards than places.
    let asks = (0..160_u64).map(|n| {
        let doctor = if n % 3 == 0 { 2 } else { DOCTOR };
        desk.store.book(BookAsk { doctor: Some(doctor), ..ask(desk, n / 2) })
    });
    let answers = futures_util::future::join_all(asks).await;
    let (mut labels, mut cards, mut full) = (BTreeSet::new(), BTreeSet::new(), 0);
    for answer in answers {
        match answer.unwrap() {
            Booked::New(place) => {
                assert!(labels.insert(place.booking.label.clone()), "{} twice", place.booking.label);
                let person = place.booking.person.unwrap();
                assert!(cards.insert(person.expose()["nomorkartu"].to_string()), "a card has two");
            }
            Booked::Repeat(_) => {}
            Booked::Refused(why) => {
                assert_eq!(why, NoNumber::Full);
                full += 1;
            }
        }
    }
    assert_eq!(labels.len(), 60, "both quotas are used up and no more");
    assert!(full > 0);
}

/// A model beside the store: random booking, cancelling, calling and new schedules.
pub(crate) async fn whatever_is_booked_and_cancelled_numbers_and_quotas_hold(desk: &Desk) {
    let mut quota = 12;
    open(desk, vec![session(DOCTOR, "08:00-12:00", quota)]).await;
    let mut active: BTreeMap<u64, (String, BookingState)> = BTreeMap::new();
    let mut given: BTreeSet<i64> = BTreeSet::new();
    for step in 0..600 {
        let n = desk.chance.bits() % 20;
        match desk.chance.bits() % 10 {
            0..5 => match desk.store.book(ask(desk, n)).await.unwrap() {
                Booked::New(place) => {
                    assert!(i64::try_from(active.len()).unwrap() < quota, "step {step}: over the quota");
                    assert!(given.insert(place.booking.number), "step {step}: number {} twice", place.booking.number);
                    assert_eq!(place.booking.number, i64::try_from(given.len()).unwrap(), "step {step}: a gap");
                    let before = active.values().filter(|(_, state)| *state == BookingState::Booked).count();
                    assert_eq!(place.ahead, i64::try_from(before).unwrap(), "step {step}");
                    assert!(active.insert(n, (place.booking.id, BookingState::Booked)).is_none(), "step {step}");
                }
                Booked::Repeat(place) => assert_eq!(active[&n].0, place.booking.id, "step {step}"),
                Booked::Refused(why) => {
                    assert_eq!(why, NoNumber::Full);
                    assert!(!active.contains_key(&n) && i64::try_from(active.len()).unwrap() >= quota);
                }
            },
            5..8 => {
                let wanted = active.get(&n).map(|(_, state)| *state);
                let done = withdraw(desk, n).await;
                match wanted {
                    Some(BookingState::Booked) => {
                        assert!(matches!(done, Withdrawn::Done(_)), "step {step}: {done:?}");
                        active.remove(&n);
                    }
                    Some(state) => assert_eq!(done, Withdrawn::Not(state), "step {step}"),
                    None => assert!(matches!(done, Withdrawn::None | Withdrawn::Already), "step {step}: {done:?}"),
                }
            }
            8 => {
                if let Some((id, state)) = active.get_mut(&n)
                    && *state == BookingState::Booked
                    // Served patients fill the quota for good: few, so that the walk goes on.
                    && step % 20 == 0
                {
                    let to = BookingState::Served;
                    desk.store.move_booking(MoveAsk { id: id.clone(), to, reason: None, now: at(9) }).await.unwrap();
                    *state = to;
                }
            }
            _ => {
                quota = i64::try_from(desk.chance.bits() % 18).unwrap();
                assert_eq!(open(desk, vec![session(DOCTOR, "08:00-12:00", quota)]).await, 0);
            }
        }
    }
    assert!(given.len() > 60, "{} numbers: the walk shows nothing", given.len());
    let queue = &desk.store.queues(FACILITY, Some(POLI), day(23), day(23)).await.unwrap()[0];
    let waiting = active.values().filter(|(_, state)| *state == BookingState::Booked).count();
    assert_eq!((queue.total, queue.waiting), (active.len().try_into().unwrap(), waiting.try_into().unwrap()));
}

pub(crate) async fn a_schedule_is_replaced_and_what_it_leaves_behind_is_counted(desk: &Desk) {
    assert_eq!(why(desk, ask(desk, 1)).await, NoNumber::PoliUnknown);
    open(desk, vec![session(DOCTOR, "08:00-12:00", 1), session(2, "13:00-15:00", 5)]).await;
    assert_eq!(why(desk, BookAsk { doctor: Some(7), ..ask(desk, 1) }).await, NoNumber::DoctorUnknown);
    assert_eq!(why(desk, BookAsk { hours: Some("13:00-15:00".into()), ..ask(desk, 1) }).await, NoNumber::HoursUnknown);
    assert_eq!(why(desk, BookAsk { day: day(24), ..ask(desk, 1) }).await, NoNumber::Closed);
    assert_eq!(why(desk, BookAsk { day: day(20), ..ask(desk, 1) }).await, NoNumber::Past);
    let early = BookAsk { local: date(2026, 11, 23).at(6, 59, 0, 0), ..ask(desk, 1) };
    assert_eq!(why(desk, early).await, NoNumber::Closed);
    let late = || BookAsk { local: date(2026, 11, 23).at(11, 0, 1, 0), ..ask(desk, 1) };
    assert_eq!(why(desk, late()).await, NoNumber::ClosedAt("Poli Umum".into(), Time::constant(11, 0, 0, 0)));
    book(desk, BookAsk { origin: Origin::Sim, ..late() }).await;
    assert_eq!(why(desk, ask(desk, 2)).await, NoNumber::Full);
    // Who names no doctor gets the first that still gives numbers.
    let any = book(desk, BookAsk { doctor: None, hours: None, ..ask(desk, 2) }).await;
    assert_eq!((any.booking.doctor, any.booking.label.as_str(), any.ahead), (2, "A2", 0));
    let call = CallAsk {
        facility: FACILITY.into(),
        day: day(23),
        poli: POLI.into(),
        doctor: None,
        hours: None,
        label: "A2".into(),
        now: at(8),
    };
    desk.store.call_number(call).await.unwrap();
    assert_eq!(open(desk, vec![session(2, "13:00-15:00", 6)]).await, 1, "the first doctor's patient has no session");
    let queues = desk.store.queues(FACILITY, None, day(1), day(30)).await.unwrap();
    assert_eq!(queues.iter().map(|q| (q.session.quota, q.called.as_deref())).collect::<Vec<_>>(), [(6, Some("A2"))]);
    assert!(desk.store.poli_known(FACILITY, POLI).await.unwrap());
    assert!(!desk.store.poli_known("0114A027", POLI).await.unwrap());
}

pub(crate) async fn who_is_unknown_gets_no_number_until_the_sim_knows_or_the_registration_waits(desk: &Desk) {
    open(desk, vec![session(DOCTOR, "08:00-12:00", 10)]).await;
    let known_only = |n| BookAsk { known_only: true, ..ask(desk, n) };
    assert_eq!(why(desk, known_only(1)).await, NoNumber::PatientUnknown);
    let new = || NewRegistration {
        id: antrean_id(at(1), &desk.chance.ten()),
        facility: FACILITY.to_owned(),
        card: card(1),
        body: Private::new(json!({ "nama": "SITI CONTOH" })),
        now: at(1),
    };
    assert_eq!(desk.store.register(new()).await.unwrap(), Registered::New);
    assert_eq!(desk.store.register(new()).await.unwrap(), Registered::Again);
    let waiting = desk.store.registrations(&[], Some(RegistrationState::Waiting), None, 10).await.unwrap().items;
    assert_eq!(waiting.len(), 1, "the repeat is no second one");
    assert_eq!(book(desk, known_only(1)).await.booking.label, "A1", "the SIM gets both");
    let id = &waiting[0].id;
    let no = Private::new("NIK tidak cocok".to_owned());
    let refused = desk.store.answer_registration(id, Err(no.clone()), at(3)).await.unwrap().unwrap();
    assert_eq!((refused.state, refused.answer), (RegistrationState::Refused, Some(no.clone())));
    withdraw(desk, 1).await;
    assert_eq!(why(desk, known_only(1)).await, NoNumber::PatientRefused(no));
    let norm = Private::new("RM-77".to_owned());
    let told = desk.store.answer_registration(id, Ok(norm.clone()), at(4)).await.unwrap().unwrap();
    assert_eq!(desk.store.registration(id).await.unwrap().unwrap(), told);
    let booking = book(desk, known_only(1)).await.booking;
    assert_eq!(booking.person.unwrap().expose()["norm"], "RM-77");
    assert_eq!(desk.store.register(new()).await.unwrap(), Registered::Known);
    desk.store.put_patients(FACILITY, vec![(card(1), None), (card(2), Some(norm))]).await.unwrap();
    assert_eq!(desk.store.register(new()).await.unwrap(), Registered::New, "forgotten");
    assert_eq!(book(desk, known_only(2)).await.booking.label, "A3");
    assert_eq!(desk.store.answer_registration("nobody", Err(card(1)), at(5)).await.unwrap(), None);
}

pub(crate) async fn the_queue_moves_as_the_sim_says_and_no_further(desk: &Desk) {
    open(desk, vec![session(DOCTOR, "08:00-12:00", 10)]).await;
    let id = book(desk, ask(desk, 1)).await.booking.id;
    let to = |to| MoveAsk { id: id.clone(), to, reason: None, now: at(6) };
    let moved = desk.store.move_booking(to(BookingState::Called)).await.unwrap();
    assert!(matches!(&moved, Moved::Done(one) if one.state == BookingState::Called));
    assert_eq!(withdraw(desk, 1).await, Withdrawn::Not(BookingState::Called));
    desk.store.move_booking(to(BookingState::Served)).await.unwrap();
    assert_eq!(desk.store.move_booking(to(BookingState::Cancelled)).await.unwrap(), Moved::Not(BookingState::Served));
    assert_eq!(withdraw(desk, 1).await, Withdrawn::Not(BookingState::Served));
    let nobody = MoveAsk { id: "nobody".to_owned(), ..to(BookingState::Called) };
    assert_eq!(desk.store.move_booking(nobody).await.unwrap(), Moved::None);
    let other = book(desk, ask(desk, 2)).await.booking.id;
    let reason = Some(Private::new("dokter berhalangan".to_owned()));
    let cancel = MoveAsk { id: other.clone(), to: BookingState::Cancelled, reason: reason.clone(), now: at(7) };
    desk.store.move_booking(cancel).await.unwrap();
    assert_eq!(desk.store.booking(&other).await.unwrap().unwrap().reason, reason);
    let count = desk.store.booking_counts(vec![(FACILITY.to_owned(), day(23))]).await.unwrap();
    let told: Vec<_> = count.iter().map(|row| (row.state, row.count)).collect();
    assert_eq!(told, [(BookingState::Cancelled, 1), (BookingState::Served, 1)]);
    let filter = BookingFilter { state: Some(BookingState::Served), limit: 10, ..BookingFilter::default() };
    let served = desk.store.bookings(filter).await.unwrap().items;
    assert_eq!(served.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
}

pub(crate) async fn a_number_is_called_whether_we_gave_it_or_not(desk: &Desk) {
    open(desk, vec![session(DOCTOR, "08:00-12:00", 10), session(2, "13:00-15:00", 10)]).await;
    book(desk, ask(desk, 1)).await;
    book(desk, ask(desk, 2)).await;
    let call = |label: &str, doctor| CallAsk {
        facility: FACILITY.to_owned(),
        day: day(23),
        poli: POLI.to_owned(),
        doctor,
        hours: None,
        label: label.to_owned(),
        now: at(8),
    };
    assert!(matches!(desk.store.call_number(call("A1", None)).await.unwrap(), CallDone::Done(Some(_))));
    let place = desk.store.place(FACILITY, card(2), POLI, day(23)).await.unwrap().unwrap();
    assert_eq!((place.ahead, place.called.as_deref()), (0, Some("A1")));
    assert_eq!(desk.store.call_number(call("K7", None)).await.unwrap(), CallDone::NoQueue);
    assert_eq!(desk.store.call_number(call("K7", Some(DOCTOR))).await.unwrap(), CallDone::Done(None));
    let queue = &desk.store.queues(FACILITY, Some(POLI), day(23), day(23)).await.unwrap()[0];
    assert_eq!((queue.total, queue.waiting, queue.called.as_deref()), (2, 1, Some("K7")));
    withdraw(desk, 2).await;
    let refused = desk.store.call_number(call("A2", None)).await.unwrap();
    assert_eq!(refused, CallDone::Not(BookingState::Cancelled));
}

pub(crate) async fn the_feed_has_all_kinds_in_one_order_and_can_be_replayed(desk: &Desk) {
    open(desk, vec![session(DOCTOR, "08:00-12:00", 10)]).await;
    book(desk, ask(desk, 1)).await;
    let id = desk.accept_one("r", DAFTAR, CARD).await;
    let claimed = desk.claim_only(id, 10).await;
    desk.end(&claimed, accepted("noUrut", "A1"), 11).await;
    withdraw(desk, 1).await;
    let kinds = |deliveries, antrean| FeedKinds { deliveries, antrean };
    let feed = async |kinds, cursor| {
        let rows = desk.store.feed(&[FACILITY.to_owned()], kinds, cursor, 10).await.unwrap();
        let word = |what: &FeedItem| match what {
            FeedItem::Delivery(_) => "delivery".to_owned(),
            FeedItem::Booking(one) => one.state.word().to_owned(),
            FeedItem::Registration(_) => "registration".to_owned(),
        };
        rows.iter().map(|row| (row.cursor, word(&row.what))).collect::<Vec<_>>()
    };
    let all = feed(kinds(true, true), 0).await;
    let words: Vec<&str> = all.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, ["cancelled", "delivery", "cancelled"], "as it stands now");
    assert_eq!(feed(kinds(true, true), all[0].0).await, all[1..]);
    assert_eq!(feed(kinds(false, true), 0).await.len(), 2);
    assert_eq!(feed(kinds(true, false), 0).await, all[1..2]);
    let old = desk.store.changes(&[], 0, 10).await.unwrap();
    assert_eq!(old.iter().map(|row| row.cursor).collect::<Vec<_>>(), [all[1].0], "who knows only deliveries");
    assert!(desk.store.feed(&["X".to_owned()], kinds(true, true), 0, 10).await.unwrap().is_empty());
}

pub(crate) async fn persons_are_forgotten_after_their_time_and_numbers_are_not(desk: &Desk) {
    open(desk, vec![session(DOCTOR, "08:00-12:00", 10)]).await;
    let id = book(desk, ask(desk, 1)).await.booking.id;
    let month = 40 * 86_400;
    assert_eq!(desk.store.retire_antrean(at(0), 10).await.unwrap(), 0, "its day has not come");
    assert_eq!(desk.store.retire_antrean(at(month), 10).await.unwrap(), 1);
    let kept = desk.store.booking(&id).await.unwrap().unwrap();
    assert_eq!((kept.person, kept.label.as_str()), (None, "A1"));
    assert_eq!(desk.store.place(FACILITY, card(1), POLI, day(23)).await.unwrap(), None, "the card is forgotten");
    assert_eq!(book(desk, ask(desk, 2)).await.booking.label, "A2", "the number is not given again");
}
