//! Steps of the facility's queue of patients.

use jiff::civil::Time;
use serde_json::json;

use super::world::{CARDS, Difference, World};
use crate::secret::Private;
use crate::store::antrean::*;

type Done = Result<(), Difference>;

const POLIS: [&str; 2] = ["001", "002"];
const HOURS: [&str; 2] = ["08:00-12:00", "13:00-15:00"];

fn card(world: &World) -> Private<String> {
    Private::new(world.one_of(&CARDS).to_owned())
}

fn poli(world: &World) -> String {
    world.one_of(&POLIS).to_owned()
}

/// Two days are enough to meet again.
fn on(world: &World) -> jiff::civil::Date {
    jiff::civil::date(2026, 11, i8::try_from(20 + world.below(2)).unwrap())
}

fn id(world: &World) -> String {
    antrean_id(world.now(), &world.chance.ten())
}

async fn sessions(world: &mut World) -> Done {
    let facility = world.facility();
    let days = vec![on(world), on(world)];
    let mut sessions: Vec<Session> = Vec::new();
    for poli in POLIS {
        for hours in HOURS {
            for doctor in [1, 2] {
                if world.once_in(2) {
                    continue;
                }
                sessions.push(Session {
                    facility: facility.clone(),
                    day: days[world.below(2)],
                    poli: poli.to_owned(),
                    poli_name: format!("Poli {poli}"),
                    doctor,
                    doctor_name: format!("dr. {doctor}"),
                    hours: hours.to_owned(),
                    quota: i64::try_from(world.below(4)).unwrap(),
                    opens: world.once_in(2).then(|| Time::constant(7, 0, 0, 0)),
                    closes: Time::constant(11, 0, 0, 0),
                    prefix: world.one_of(&["A", "B"]).to_owned(),
                    remark: format!("catatan {}", world.step),
                });
            }
        }
    }
    if world.once_in(10) {
        sessions.extend(sessions.first().cloned());
    }
    world.tell(format!("sessions {facility} {days:?} {}", sessions.len()));
    world
        .same("sessions", async |store, _| store.set_sessions(&facility, days.clone(), sessions.clone()).await)
        .await?;
    Ok(())
}

async fn book(world: &mut World) -> Done {
    let (facility, day, poli) = (world.facility(), on(world), poli(world));
    let card = (!world.once_in(5)).then(|| card(world));
    let ask = BookAsk {
        id: world.some(&world.bookings).filter(|_| world.once_in(8)).unwrap_or_else(|| id(world)),
        facility,
        day,
        poli,
        doctor: world.once_in(3).then(|| 1 + i64::try_from(world.below(3)).unwrap()),
        hours: world.once_in(3).then(|| world.one_of(&HOURS).to_owned()),
        person: Private::new(json!({ "nomorkartu": card.as_ref().map(|card| card.expose().clone()) })),
        card,
        reference: world.once_in(4).then(|| format!("loket {}", world.below(4))),
        origin: if world.once_in(2) { Origin::MobileJkn } else { Origin::Sim },
        known_only: world.once_in(3),
        now: world.now(),
        local: jiff::civil::date(2026, 11, 20).at(i8::try_from(6 + world.below(6)).unwrap(), 30, 0, 0),
    };
    world.tell(format!("book {} {} {} {:?} {:?}", ask.facility, ask.day, ask.poli, ask.doctor, ask.hours));
    let answers = world.both("book", async |store, _| store.book(ask.clone()).await).await?;
    if let Ok(Booked::New(_)) = &answers[0] {
        world.bookings.push(ask.id.clone());
    }
    Ok(())
}

async fn move_on(world: &mut World) -> Done {
    let (now, reason) = (world.now(), world.once_in(2).then(|| Private::new(format!("sebab {}", world.step))));
    match world.below(4) {
        0 => {
            let (facility, card, poli, day) = (world.facility(), card(world), poli(world), on(world));
            world.tell(format!("withdraw {facility} {poli} {day}"));
            world
                .same("withdraw booking", async |store, _| {
                    store.withdraw(&facility, card.clone(), &poli, day, reason.clone(), now).await
                })
                .await?;
        }
        1 | 2 => {
            let id = world.some(&world.bookings).unwrap_or_else(|| "tidak ada".to_owned());
            let ask = MoveAsk { id, to: BookingState::ALL[world.below(BookingState::ALL.len())], reason, now };
            world.tell(format!("move {} to {}", ask.id, ask.to));
            world.same("move booking", async |store, _| store.move_booking(ask.clone()).await).await?;
        }
        _ => {
            let ask = CallAsk {
                facility: world.facility(),
                day: on(world),
                poli: poli(world),
                doctor: world.once_in(2).then(|| 1 + i64::try_from(world.below(2)).unwrap()),
                hours: world.once_in(2).then(|| world.one_of(&HOURS).to_owned()),
                label: format!("{}{}", world.one_of(&["A", "B", "K"]), 1 + world.below(4)),
                now,
            };
            world.tell(format!("call {ask:?}"));
            world.same("call", async |store, _| store.call_number(ask.clone()).await).await?;
        }
    }
    Ok(())
}

async fn patients(world: &mut World) -> Done {
    let (facility, now) = (world.facility(), world.now());
    match world.below(6) {
        0 => {
            let norm = |world: &World| world.once_in(2).then(|| Private::new(format!("RM-{}", world.step)));
            let known = vec![(card(world), norm(world)), (card(world), norm(world))];
            world.tell(format!("patients {facility}"));
            world.same("patients", async |store, _| store.put_patients(&facility, known.clone()).await).await?;
        }
        1..4 => {
            let new = NewRegistration {
                id: world.some(&world.registrations).filter(|_| world.once_in(20)).unwrap_or_else(|| id(world)),
                facility,
                card: card(world),
                body: Private::new(json!({ "nama": format!("SITI CONTOH {}", world.below(2)) })),
                now,
            };
            world.tell(format!("register {}", new.id));
            world.registrations.push(new.id.clone());
            world.same("register", async |store, _| store.register(new.clone()).await).await?;
        }
        _ => {
            let id = world.some(&world.registrations).unwrap_or_else(|| "tidak ada".to_owned());
            let text = Private::new(format!("jawaban {}", world.step));
            let answer = if world.once_in(2) { Ok(text) } else { Err(text) };
            world.tell(format!("answer {id} {}", answer.is_ok()));
            world
                .same("answer registration", async |store, _| store.answer_registration(&id, answer.clone(), now).await)
                .await?;
        }
    }
    Ok(())
}

pub(super) async fn antrean(world: &mut World) -> Done {
    match world.below(20) {
        0..4 => sessions(world).await,
        4..10 => book(world).await,
        10..15 => move_on(world).await,
        15..19 => patients(world).await,
        _ => {
            let before = world.now() - std::time::Duration::from_secs(3600);
            world.tell(format!("retire antrean before {before}"));
            world.same("retire antrean", async |store, _| store.retire_antrean(before, 1000).await).await?;
            Ok(())
        }
    }
}
