//! What must be true: the run's own memory of entries, rows at BPJS and attempts, against which every step is held.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::workload::{Plan, mark_of};
use crate::contract::Deadline;
use crate::queue::{Delivery, DeliveryId, How, State, SubmissionId};
use crate::simulator::Simulator;
use crate::simulator::world::Origin;

/// What is known of one entry of the plan.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub(super) id: Option<DeliveryId>,
    /// The SIM was answered 202.
    pub(super) promised: bool,
    pub(super) last: Option<Delivery>,
    /// Claimed to be sent, and not ended yet: the number of the attempt.
    pub(super) sending: Option<i64>,
    /// Requests of it that reached the network.
    pub(super) sent: u64,
    /// When the outcome of the last attempt became unknown, virtual milliseconds.
    pub(super) doubt: Option<u64>,
    /// Look-ups since then that found nothing, late enough to be believed.
    pub(super) absent: u8,
    /// Set aside: a backup from before its acceptance was put back.
    pub(super) forgotten: bool,
    /// Times a person set it going again.
    pub(super) tries: u8,
    /// A person declared it absent.
    pub(super) declared: bool,
    /// It was taken after a backup was put back: what BPJS has of it from before, nobody here knows.
    pub(super) after_restore: bool,
    /// When its last look-up was claimed, virtual milliseconds.
    pub(super) look_begun: u64,
    /// The answer under way arrives twice.
    pub(super) twice: bool,
    /// When its last request ended for its sender, answered or not, virtual milliseconds: settle counts from there, however
    /// late it is recorded.
    pub(super) ended: Option<u64>,
    /// BPJS said that it knows nothing of its row, which is there: no delete of it can be believed.
    pub(super) denied: bool,
}

/// Where BPJS's days begin.
static BPJS_ZONE: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::get("Asia/Jakarta").expect("a zone"));

/// A row at BPJS by facility, family and id.
pub(super) type RowName = (usize, &'static str, String);

/// A broken promise: the checker and what it saw.
pub(super) type Broken = (&'static str, String);

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) plan: Plan,
    pub(super) entries: Vec<Entry>,
    pub(super) by_id: BTreeMap<DeliveryId, usize>,
    by_mark: BTreeMap<String, Vec<usize>>,
    /// Everything that ever landed.
    pub(super) rows: BTreeMap<RowName, String>,
    /// How many adds landed by mark.
    pub(super) landed: BTreeMap<String, usize>,
    /// Copies that a broken assumption made.
    pub(super) copies: BTreeSet<RowName>,
    /// A backup was put back.
    pub(super) restored: bool,
    /// The security log as far as it was verified: number and hash.
    pub(super) audit: (i64, String),
    /// Submissions that the store has.
    pub(super) submissions: BTreeMap<usize, SubmissionId>,
}

impl Model {
    pub(super) fn new(plan: Plan) -> Self {
        let mut by_mark: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, entry) in plan.entries.iter().enumerate() {
            if let Some(mark) = &entry.mark {
                by_mark.entry(mark.clone()).or_default().push(place);
            }
        }
        let entries = plan.entries.iter().map(|_| Entry::default()).collect();
        Self { plan, entries, by_mark, audit: (0, crate::audit::genesis()), ..Self::default() }
    }

    pub(super) fn with_mark(&self, mark: &str) -> &[usize] {
        self.by_mark.get(mark).map_or(&[], Vec::as_slice)
    }

    pub(super) fn place(&self, id: DeliveryId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn state(&self, place: usize) -> Option<State> {
        self.entries[place].last.as_ref().map(|last| last.progress.state)
    }

    pub(super) fn remote(&self, place: usize, name: &str) -> Option<String> {
        self.entries[place].last.as_ref()?.progress.remote.expose().get(name).cloned()
    }

    /// A delivery as the store has it now: every move is held against the one before.
    pub(super) fn see(&mut self, place: usize, now: &Delivery, sites: &[Simulator]) -> Result<Option<State>, Broken> {
        let now = &in_millis(now);
        let entry = &self.entries[place];
        let Some(before) = &entry.last else {
            self.entries[place].after_restore |= self.restored && self.entries[place].id != Some(now.id);
            self.entries[place].last = Some(now.clone());
            self.by_id.insert(now.id, place);
            self.entries[place].id = Some(now.id);
            return Ok(Some(now.progress.state));
        };
        if before.id != now.id {
            return Err(("202 is kept", format!("entry {place} has another delivery than it was promised")));
        }
        if before.progress == now.progress {
            if before.deadline != now.deadline {
                dates_hold(place, before, now)?;
                self.entries[place].last = Some(now.clone());
            }
            return Ok(None);
        }
        legal(place, before, now)?;
        let newly = before.progress.state != now.progress.state;
        let delivered = newly && now.progress.state == State::Delivered;
        self.entries[place].last = Some(now.clone());
        if delivered {
            self.right_row(place, sites)?;
        }
        Ok(newly.then_some(now.progress.state))
    }

    /// A delivered add names a row that is the entry's own.
    fn right_row(&self, place: usize, sites: &[Simulator]) -> Result<(), Broken> {
        let planned = &self.plan.entries[place];
        let Some((family, id)) = self.row_id(place) else { return Ok(()) };
        let name = (planned.facility, family, id);
        let kept = self.rows.get(&name);
        let ours = kept.is_some() && kept == planned.mark.as_ref();
        // Where BPJS keeps it once, what staff typed in its place is the entry itself.
        let once = matches!(family, "pendaftaran" | "kunjungan" | "peserta");
        if ours || (once && is_staffs(&sites[planned.facility], &name)) {
            return Ok(());
        }
        Err(("ids right", format!("entry {place} ({}) owns {name:?}, whose mark is {kept:?}", planned.operation)))
    }

    /// The row that a delivered add says it has.
    pub(super) fn row_id(&self, place: usize) -> Option<(&'static str, String)> {
        let planned = &self.plan.entries[place];
        Some(match planned.operation {
            "pcare.pendaftaran.add" => {
                let payload = self.payload(place)?;
                let text = |field: &str| payload.get(field).and_then(|value| value.as_str()).unwrap_or_default();
                let key = format!("{} {} {}", text("tglDaftar"), text("kdPoli"), text("noKartu"));
                ("pendaftaran", format!("{key} {}", self.remote(place, "noUrut")?))
            }
            "pcare.kunjungan.add" => ("kunjungan", self.remote(place, "noKunjungan")?),
            "pcare.tindakan.add" => ("tindakan", self.remote(place, "kdTindakanSK")?),
            "pcare.obat.add" => ("obat", self.remote(place, "kdObatSK")?),
            "pcare.mcu.add" => ("mcu", self.remote(place, "kdMCU")?),
            "pcare.kelompok.kegiatan.add" => ("kegiatan", self.remote(place, "eduId")?),
            "pcare.kelompok.peserta.add" => {
                let card = planned.mark.clone()?;
                ("peserta", format!("{} {card}", self.remote(place, "eduId")?))
            }
            _ => return None,
        })
    }

    fn payload(&self, place: usize) -> Option<&serde_json::Value> {
        Some(&self.plan.entries.get(place)?.payload)
    }

    /// Takes note of everything new at BPJS; says how many rows there were.
    pub(super) fn absorb(&mut self, site: usize, simulator: &Simulator, allowed: bool) -> Result<usize, Broken> {
        let fresh = simulator.look(|world| {
            rows_of(world)
                .filter(|(family, id, _, _)| !self.rows.contains_key(&(site, *family, id.clone())))
                .collect::<Vec<_>>()
        });
        let count = fresh.len();
        for (family, id, mark, origin) in fresh {
            let name = (site, family, id);
            let mark = mark.unwrap_or_default();
            self.rows.insert(name.clone(), mark.clone());
            if origin != Origin::WebService {
                continue;
            }
            let landed = self.landed.entry(mark.clone()).or_default();
            *landed += 1;
            let (landed, most) = (*landed, self.with_mark(&mark).len());
            if landed > most {
                self.copies.insert(name.clone());
                let unknown = self.with_mark(&mark).iter().any(|&place| self.entries[place].after_restore);
                if !allowed && !unknown {
                    return Err(("never twice", format!("{name:?} is number {landed} of mark {mark}, wanted {most}")));
                }
            }
        }
        Ok(count)
    }

    /// BPJS answered the delete of `place` by "nothing there": whether the row is there all the same.
    pub(super) fn denies(&mut self, place: usize, simulator: &Simulator) -> bool {
        let Some(&target) = self.plan.entries[place].after.last() else { return false };
        let Some((family, id)) = self.row_id(target) else { return false };
        let there = simulator.look(|world| rows_of(world).any(|(own, found, ..)| own == family && found == id));
        self.entries[target].denied |= there;
        there
    }

    /// The delete of `place` is tried again.
    pub(super) fn forget_denial(&mut self, place: usize) {
        let planned = &self.plan.entries[place];
        if let Some(&target) = planned.after.last().filter(|_| planned.operation.ends_with(".delete")) {
            self.entries[target].denied = false;
        }
    }

    /// Whether BPJS denied this row to a delete: it stays, and nobody can know but by the reconciliation.
    pub(super) fn is_denied(&self, (site, family, id): &RowName) -> bool {
        self.entries.iter().enumerate().any(|(place, entry)| {
            entry.denied
                && self.plan.entries[place].facility == *site
                && self.row_id(place).is_some_and(|(of, own)| of == *family && own == *id)
        })
    }

    /// A backup was put back: what is known from now on is what it holds.
    pub(super) fn forget(&mut self) {
        self.restored = true;
        for entry in &mut self.entries {
            entry.last = None;
            entry.sending = None;
        }
    }

    /// A backup was put back and not noticed: what came after it is in nobody's memory, and copies may be made.
    pub(super) fn believe(&mut self) {
        for entry in &mut self.entries {
            (entry.doubt, entry.absent, entry.declared) = (None, 0, false);
        }
    }

    /// A submission that the backup does not hold: it and what comes after it in its chain are nobody's promise any more,
    /// until the SIM hands them in again.
    pub(super) fn set_aside(&mut self, number: usize) {
        self.submissions.remove(&number);
        for place in self.plan.submissions[number].entries.clone() {
            let entry = &mut self.entries[place];
            if let Some(id) = entry.id.take() {
                self.by_id.remove(&id);
            }
            (entry.forgotten, entry.last, entry.doubt) = (entry.promised, None, None);
        }
    }

    /// Another entry of the patient that is in hand.
    pub(super) fn in_hand(&self, place: usize) -> Option<usize> {
        let (planned, own) = (&self.plan.entries[place], self.entries[place].last.as_ref()?);
        self.plan.entries.iter().zip(&self.entries).position(|(other, entry)| {
            let Some(last) = entry.last.as_ref().filter(|_| !entry.forgotten) else { return false };
            let same = other.facility == planned.facility && last.lane == own.lane && last.id != own.id;
            same && last.progress.lease.is_some()
        })
    }

    /// What stands in the way of sending this entry now, if anything does: an earlier unfinished entry of the patient, or
    /// any of the patient's that is under way. Only what was dated ahead of BPJS's day when it was accepted is passed, and
    /// only by what was accepted before that day began.
    pub(super) fn out_of_turn(&self, place: usize) -> Option<usize> {
        let (planned, own) = (&self.plan.entries[place], self.entries[place].last.as_ref()?);
        self.plan.entries.iter().zip(&self.entries).position(|(other, entry)| {
            let Some(last) = entry.last.as_ref().filter(|_| !entry.forgotten) else { return false };
            other.facility == planned.facility
                && last.lane == own.lane
                && other.card == planned.card
                && last.id != own.id
                && !last.progress.state.is_final()
                && (is_under_way(last) || (last.seq < own.seq && !may_be_passed(last, own)))
        })
    }
}

fn is_under_way(delivery: &Delivery) -> bool {
    delivery.progress.lease.is_some() || matches!(delivery.progress.state, State::Sending | State::Unanswered)
}

/// Whether `other` was dated ahead of its day, as BPJS counts days, and `own` accepted before that day.
fn may_be_passed(other: &Delivery, own: &Delivery) -> bool {
    let day_at_bpjs = |delivery: &Delivery| delivery.accepted_at.to_zoned(BPJS_ZONE.clone()).date();
    other.service_date.is_some_and(|day| day > day_at_bpjs(other) && day > day_at_bpjs(own))
}

/// As the store keeps it: a backoff is reckoned more finely than rows are.
fn in_millis(now: &Delivery) -> Delivery {
    let mut now = now.clone();
    let due = now.progress.due_at;
    now.progress.due_at = Timestamp::from_millisecond(due.as_millisecond()).unwrap_or(due);
    now
}

/// Only moves that a promise allows.
fn legal(place: usize, before: &Delivery, now: &Delivery) -> Result<(), Broken> {
    let (old, new) = (&before.progress, &now.progress);
    if old.state == State::Delivered {
        return Err(("delivered stays", format!("entry {place} was delivered and is now {}", new.state)));
    }
    if new.revision <= old.revision {
        return Err(("moves forward", format!("entry {place}: revision {} after {}", new.revision, old.revision)));
    }
    if before.seq != now.seq || before.accepted_at != now.accepted_at {
        return Err(("moves forward", format!("entry {place}: acceptance changed")));
    }
    dates_hold(place, before, now)?;
    if old.doubt.marked && !new.doubt.marked && !cleared(old.state, new.state, new.how) {
        return Err(("mark stays", format!("entry {place}: the mark of an unknown outcome is gone in {}", new.state)));
    }
    Ok(())
}

fn cleared(_old: State, new: State, how: Option<How>) -> bool {
    (new == State::Delivered && how.is_some()) || new == State::Cancelled
}

/// No date becomes earlier.
fn dates_hold(place: usize, before: &Delivery, now: &Delivery) -> Result<(), Broken> {
    let (before, now) = (&before.deadline, &now.deadline);
    if is_no_earlier(before, now) {
        return Ok(());
    }
    Err(("deadlines monotone", format!("entry {place}: {before:?} became {now:?}")))
}

fn is_no_earlier(before: &Deadline, now: &Deadline) -> bool {
    let later = |before: Option<Timestamp>, now: Option<Timestamp>| match (before, now) {
        (Some(before), Some(now)) => now >= before,
        (None, None) | (Some(_), None) => true,
        (None, Some(_)) => false,
    };
    before.target == now.target && later(before.late, now.late) && later(before.last, now.last)
}

type Row = (&'static str, String, Option<String>, Origin);

/// Every row of a world: family, id, mark, who made it.
pub(super) fn rows_of(world: &crate::simulator::world::World) -> impl Iterator<Item = Row> {
    use crate::simulator::world::{ChildKind, dmy};
    let registrations = world.registrations.iter().map(|((day, poli, card), row)| {
        let name = format!("{} {poli} {card} {}", dmy(*day), row.no_urut);
        ("pendaftaran", name, mark_of(&row.content), row.origin)
    });
    let visits =
        world.visits.iter().map(|(id, visit)| ("kunjungan", id.clone(), mark_of(&visit.content), visit.origin));
    let children = world.visits.values().flat_map(|visit| &visit.children).map(|child| {
        let family = match child.kind {
            ChildKind::Treatment => "tindakan",
            ChildKind::Drug => "obat",
            ChildKind::Examination => "mcu",
        };
        (family, child.id.to_string(), mark_of(&child.sent), child.origin)
    });
    let activities = world.activities.iter();
    let activities =
        activities.map(|(id, activity)| ("kegiatan", id.clone(), mark_of(&activity.content), activity.origin));
    let participants = world.activities.iter().flat_map(|(id, activity)| {
        let rows = activity.participants.iter();
        rows.map(move |there| {
            ("peserta", format!("{id} {}", there.no_kartu), Some(there.no_kartu.clone()), there.origin)
        })
    });
    registrations.chain(visits).chain(children).chain(activities).chain(participants)
}

fn is_staffs(simulator: &Simulator, name: &RowName) -> bool {
    let (_, family, id) = name;
    simulator.look(|world| {
        rows_of(world).any(|(own, found, _, origin)| own == *family && found == *id && origin == Origin::Staff)
    })
}
