//! Steps of the small tables: pauses, lanes, outages, plans, reconciliations, duties, kept reads.

use serde_json::json;

use super::world::{CARDS, Difference, World};
use crate::contract::{Done as DutyDone, Event, Trigger};
use crate::secret::Private;
use crate::store::*;

type Done = Result<(), Difference>;

fn service(world: &World) -> String {
    world.one_of(&["pcare", "vclaim"]).to_owned()
}

pub(super) async fn lanes(world: &mut World) -> Done {
    let (facility, service, since) = (world.facility(), service(world), world.now());
    match world.below(5) {
        0 | 1 => {
            let place = if world.once_in(4) { "*".to_owned() } else { facility };
            // Mostly resumed, so that the queue goes on.
            let pause = world.once_in(3).then(|| PauseRow {
                facility: place.clone(),
                reason: format!("alasan {}", world.step),
                actor: "petugas".to_owned(),
                since,
            });
            let audit = world.audit(if pause.is_some() { "pause" } else { "resume" }, place.clone());
            world.tell(format!("pause {place} {}", pause.is_some()));
            world.same("pause", async |store, _| store.set_pause(&place, pause.clone(), audit.clone()).await).await?;
        }
        2 | 3 => {
            let stop = world.once_in(2).then(|| LaneStop {
                facility: facility.clone(),
                service: service.clone(),
                message: Private::new(format!("password salah {}", world.step)),
                since,
                credential_version: 1 + i64::try_from(world.below(3)).unwrap(),
            });
            world.tell(format!("stop {facility} {service} {}", stop.is_some()));
            world.same("stop", async |store, _| store.set_lane_stop(&facility, &service, stop.clone()).await).await?;
        }
        _ => {
            let row = CircuitRow { facility, service, open: world.once_in(2), since };
            world.tell("circuit".to_owned());
            world.same("circuit", async |store, _| store.set_circuit(row.clone()).await).await?;
        }
    }
    Ok(())
}

pub(super) async fn outages(world: &mut World) -> Done {
    let (at, actor) = (world.now(), "petugas".to_owned());
    let id = world.some(&world.outages).unwrap_or([99, 99]);
    let step = world.step;
    let change = match world.below(6) {
        0 | 1 => {
            let (facility, service, cause) = (world.facility(), service(world), "tcp".to_owned());
            let (verdict, evidence) = (Verdict::Bpjs, json!([step]));
            [0, 0].map(|_| OutageChange::Open {
                facility: facility.clone(),
                service: service.clone(),
                cause: cause.clone(),
                verdict,
                evidence: evidence.clone(),
                at,
                actor: actor.clone(),
            })
        }
        2 => id.map(|id| OutageChange::Evidence { id, evidence: json!({ "n": step }) }),
        3 | 4 => id.map(|id| OutageChange::Close { id, at, actor: actor.clone() }),
        _ => id.map(|id| OutageChange::Classify { id, class: OutageClass::ForceMajeure, actor: actor.clone() }),
    };
    world.tell(format!("outage {:?}", change[0]));
    let rows = world.both("outage", async |store, side| store.change_outage(change[side].clone()).await).await?;
    if let [Ok(left), Ok(right)] = &rows
        && !world.outages.contains(&[left.id, right.id])
    {
        world.outages.push([left.id, right.id]);
    }
    Ok(())
}

pub(super) async fn plans(world: &mut World) -> Done {
    if world.once_in(3) {
        let id = world.some(&world.plans).unwrap_or([99, 99]);
        let audits = id.map(|id| world.audit("outage.withdraw", id.to_string()));
        world.tell("withdraw plan".to_owned());
        world.same("withdraw", async |store, side| store.withdraw_plan(id[side], audits[side].clone()).await).await?;
        return Ok(());
    }
    let plan = OutagePlan {
        id: 0,
        facility: if world.once_in(3) { "*".to_owned() } else { world.facility() },
        from: world.around(7200),
        to: world.around(7200),
        verdict: Verdict::Bpjs,
        reason: format!("pengumuman {}", world.step),
        actor: "petugas".to_owned(),
        announced_at: world.now(),
    };
    let audit = world.audit("outage.plan", String::new());
    world.tell("plan".to_owned());
    let rows = world.both("plan", async |store, _| store.plan_outage(plan.clone(), audit.clone()).await).await?;
    if let [Ok(left), Ok(right)] = &rows {
        world.plans.push([left.id, right.id]);
    }
    Ok(())
}

pub(super) async fn reconciliations(world: &mut World) -> Done {
    let (at, facility) = (world.now(), world.facility());
    let known = world.some(&world.reconciliations);
    match world.below(6) {
        0 | 1 => {
            let id = known.filter(|_| world.once_in(6)).unwrap_or_else(|| format!("rekonsiliasi {}", world.step));
            let row = ReconciliationRow {
                id: id.clone(),
                facility,
                from: world.day(),
                to: world.day(),
                // Two may begin together.
                started_at: if world.once_in(2) { conformance::desk::at(0) } else { at },
                finished_at: at,
                counts: [("equal".to_owned(), 3), ("late".to_owned(), 1)].into(),
                report: world.once_in(2).then(|| Private::new(json!({ "n": world.step }))),
            };
            world.tell(format!("reconciliation {id}"));
            world.same("reconcile", async |store, _| store.put_reconciliation(row.clone()).await).await?;
            world.reconciliations.push(id);
        }
        2 => {
            let row = Settlement {
                reconciliation: known.filter(|_| !world.once_in(5)).unwrap_or_else(|| "tidak ada".to_owned()),
                item: i64::try_from(world.below(3)).unwrap(),
                how: Settled::ALL[world.below(Settled::ALL.len())],
                reason: Private::new(format!("alasan {}", world.step)),
                actor: "petugas".to_owned(),
                at,
            };
            world.tell("settle".to_owned());
            world.same("settle", async |store, _| store.settle(row.clone()).await).await?;
        }
        _ => {
            let (run, day) = (world.one_of(&["", "p"]).to_owned(), world.day());
            let change = match world.below(8) {
                0..4 => {
                    let days = vec![day, world.day()];
                    let at = if world.once_in(2) { world.around(3600) } else { at };
                    DayChange::Want { facility, run, days, cause: format!("sebab {}", world.step), at }
                }
                4..7 => {
                    let report = world.once_in(2).then(|| Private::new(json!({ "n": world.step })));
                    DayChange::Done { facility, run, day, at, id: format!("l{}", world.step), report }
                }
                _ => DayChange::Forget { facility, run },
            };
            world.tell(format!("days {change:?}"));
            world.same("change days", async |store, _| store.change_days(change.clone()).await).await?;
        }
    }
    Ok(())
}

pub(super) async fn duties(world: &mut World) -> Done {
    let at = world.now();
    match world.below(3) {
        0 => {
            let kinds = [Trigger::ForceMajeure, Trigger::Maintenance, Trigger::VendorChange];
            let begun = if world.once_in(2) { conformance::desk::at(0) } else { world.around(3600) };
            let event = Event {
                id: 0,
                kind: kinds[world.below(3)],
                facility: if world.once_in(3) { "*".to_owned() } else { world.facility() },
                at: begun,
                until: world.once_in(2).then(|| world.around(3600)),
                remark: "banjir".to_owned(),
                actor: "kepala".to_owned(),
                recorded_at: at,
            };
            world.tell("event".to_owned());
            world.same("event", async |store, _| store.record_event(event.clone()).await).await?;
        }
        1 => {
            let id = format!("claim.submit~2026-1{}", world.below(3));
            let done = DutyDone { id, at, actor: "petugas".to_owned(), remark: format!("selesai {}", world.step) };
            world.tell("mark done".to_owned());
            world.same("mark done", async |store, _| store.mark_done(done.clone()).await).await?;
        }
        _ => {
            let line = world.audit("vault.put", "rahasia".to_owned());
            world.tell("log".to_owned());
            world.same("log", async |store, _| store.log(line.clone()).await).await?;
        }
    }
    Ok(())
}

pub(super) fn list_name(world: &World) -> ListName {
    let operation = world.one_of(&["pcare.diagnosa.cari", "pcare.dokter.list"]).to_owned();
    let scope = Private::new(world.one_of(&["", "kdTkp=10"]).to_owned());
    ListName { facility: world.facility(), operation, scope }
}

pub(super) fn member_name(world: &World) -> MemberName {
    let number = world.below(3);
    MemberName {
        facility: world.facility(),
        family: world.one_of(&["pcare:", "vclaim:peserta"]).to_owned(),
        card: (!world.once_in(3)).then(|| Private::new(CARDS[number].to_owned())),
        nik: (!world.once_in(3)).then(|| Private::new(format!("647401010190000{}", world.below(3)))),
    }
}

async fn keep_rows(world: &mut World) -> Done {
    let at = world.now();
    let count = if world.once_in(2) { 1 } else { world.below(4) };
    world.ties |= count > 1;
    let rows = (0..count).map(|_| NewRow {
        key: Private::new(format!("K{}", world.below(6))),
        place: u64::try_from(world.below(5)).unwrap(),
        body: Private::new(format!("{{\"n\":{}}}", world.step)),
    });
    let rows: Vec<NewRow> = rows.collect();
    let (upto, count) =
        (u64::try_from(world.below(5)).unwrap(), world.once_in(2).then(|| u64::try_from(world.below(5)).unwrap()));
    let complete = if world.once_in(12) { true } else { count.is_none_or(|count| upto >= count) };
    let new = NewRows {
        list: list_name(world),
        service: "pcare".to_owned(),
        frame: Private::new(json!({ "n": world.step })),
        term: TermRow {
            words: Private::new(world.one_of(&["", "ba"]).to_owned()),
            upto,
            count,
            complete,
            begun_at: at - std::time::Duration::from_secs(u64::try_from(world.below(50)).unwrap()),
            as_of: at,
        },
        rows,
        beyond: world.once_in(4).then(|| u64::try_from(world.below(5)).unwrap()),
        at,
    };
    world.tell(format!("keep {:?} {:?}", new.list, new.term));
    world.same("keep rows", async |store, _| store.keep_rows(new.clone()).await).await?;
    Ok(())
}

pub(super) async fn keep(world: &mut World) -> Done {
    let at = world.now();
    match world.below(10) {
        0..5 => keep_rows(world).await?,
        5..8 => {
            let name = member_name(world);
            let body = Private::new(json!({ "ketAktif": world.step }));
            let kept = (!world.once_in(4)).then(|| KeptMember { body, as_of: at });
            world.tell(format!("keep member {name:?} {}", kept.is_some()));
            world.same("keep member", async |store, _| store.keep_member(name.clone(), kept.clone()).await).await?;
            world.same("kept member", async |store, _| store.kept_member(&name).await).await?;
        }
        8 => {
            let before = at - std::time::Duration::from_secs(3600);
            // Which of several that are of one age go first is each store's own.
            let rows = if world.ties { 1000 } else { u64::try_from(world.below(6)).unwrap() };
            let limits = KeepLimits {
                references_before: before,
                members_before: before,
                rows,
                members: u64::try_from(1 + world.below(3)).unwrap(),
                bytes: if world.once_in(6) { 0 } else { 1 << 30 },
            };
            world.tell(format!("prune {limits:?}"));
            world.same("prune", async |store, _| store.prune_kept(limits).await).await?;
        }
        _ => {
            let (facility, audit) = (world.facility(), world.audit("keep.clear", String::new()));
            world.tell(format!("clear {facility}"));
            world.same("clear", async |store, _| store.clear_kept(&facility, audit.clone()).await).await?;
        }
    }
    Ok(())
}
