//! Requests for a SEP that the rules forbid: backdated, or without a fingerprint.
//!
//! Job: `pengajuanSEP`, `aprovalSEP` and their list. Invariant: an approval without a request is refused; one without
//! `jnsPengajuan` is for a backdated SEP. Neighbours: `sep` asks whether something is approved. What it does not do: the
//! fingerprint itself (`finger`).

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Book, Record, at, day_of, inside, listed, no, people, record, required, wrong};
use crate::simulator::routes::Call;
use crate::simulator::texts;
use crate::simulator::world::{Done, Outcome, Refusal, World};

/// A request, and whether somebody has approved it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) record: Record,
    pub(crate) approved: bool,
}

type Key = (String, Date, String, String);

fn key(world: &World, order: &Value) -> Result<Key, Refusal> {
    let card = required(order, "noKartu")?;
    people::known(world, &card)?;
    let care = required(order, "jnsPelayanan")?;
    let kind = at(order, "jnsPengajuan").unwrap_or_else(|| "1".to_owned());
    if !matches!(kind.as_str(), "1" | "2") {
        return Err(wrong("jnsPengajuan"));
    }
    Ok((card, day_of(order, "tglSep")?, care, kind))
}

/// `POST Sep/pengajuanSEP`: answers the bare card number.
pub(crate) fn ask(world: &mut World, call: &Call<'_>) -> Outcome {
    let order = inside(call.body, "t_sep")?;
    let key = key(world, order)?;
    let (card, day) = (key.0.clone(), key.1);
    let record = record(world, &call.at, day, order);
    world.vclaim.requests.entry(key).or_insert(Request { record, approved: false });
    Ok(Done::Created(Value::String(card)))
}

/// `POST Sep/aprovalSEP`: answers the bare card number.
pub(crate) fn approve(world: &mut World, call: &Call<'_>) -> Outcome {
    let key = key(world, inside(call.body, "t_sep")?)?;
    let asked = world.vclaim.requests.get_mut(&key).ok_or_else(|| no(texts::NO_REQUEST))?;
    asked.approved = true;
    Ok(Done::Changed(Value::String(key.0)))
}

/// `GET Sep/persetujuanSEP/list/bulan/{bulan}/tahun/{tahun}`.
pub(crate) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let (month, year) = (call.p(0).parse::<i8>().ok(), call.p(1).parse::<i16>().ok());
    let asked = world.vclaim.requests.iter().filter(|(_, asked)| asked.record.shows(&call.at));
    let of_month = asked.filter(|((_, day, ..), _)| Some(day.month()) == month && Some(day.year()) == year);
    let rows = of_month.map(|((card, day, care, kind), asked)| {
        json!({ "noKartu": card, "nama": people::person(world, card).map(|person| person.name),
            "tglsep": day.to_string(), "jnspelayanan": if care == "1" { "RI" } else { "RJ" },
            "persetujuan": if asked.approved { "Disetujui" } else { "Pengajuan" },
            "status": if kind == "1" { "Tgl.SEP Backdate" } else { "Finger Print" } })
    });
    listed("list", rows.collect())
}

impl Book {
    /// Whether a request of that kind (1 backdated, 2 fingerprint) was approved.
    pub(crate) fn approved(&self, card: &str, day: Date, care: &str, kind: &str) -> bool {
        let key = (card.to_owned(), day, care.to_owned(), kind.to_owned());
        self.requests.get(&key).is_some_and(|asked| asked.approved)
    }
}
