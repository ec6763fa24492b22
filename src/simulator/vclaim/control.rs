//! What the control plane lays down in V-Claim past the web service.
//!
//! Job: SEPs of other hospitals, referrals of other facilities, internal referrals, fingerprints. Invariant: the two
//! rules of SEP hold here too. Neighbours: `simulator::control` calls. What it does not do: check signatures.

use serde_json::{Value, json};

use super::{at, day_of, next_number, no, people, record, required, wrong};
use crate::simulator::routes::Call;
use crate::simulator::texts;
use crate::simulator::world::{Done, Outcome, World};

/// A referral of another facility: `noKartu`, `tglRujukan`, `ppkPerujuk`, `poliRujukan`, `diagRujukan`, `asalRujukan`
/// (1 primary care, 2 hospital); `noRujukan` is made up unless given.
pub(crate) fn referral(world: &mut World, call: &Call<'_>) -> Outcome {
    let body = call.body;
    people::known(world, &required(body, "noKartu")?)?;
    let day = day_of(body, "tglRujukan")?;
    let ppk = required(body, "ppkPerujuk")?;
    let letter = if at(body, "asalRujukan").as_deref() == Some("2") { 'B' } else { 'P' };
    let number = at(body, "noRujukan").unwrap_or_else(|| next_number(world, &ppk, day, letter));
    let made = record(world, &call.at, day, body);
    world.vclaim.incoming.insert(number.clone(), made);
    Ok(Done::Created(json!({ "noRujukan": number })))
}

/// An internal referral of a SEP: `noSep`, `tglRujukanInternal`, `kdPoliTuj`, `kdDokter`; `noSurat` is made up.
pub(crate) fn internal(world: &mut World, call: &Call<'_>) -> Outcome {
    let body = call.body;
    let number = required(body, "noSep")?;
    let sep = world.vclaim.seps.get(&number).ok_or_else(|| no(texts::NO_DATA))?;
    let ppk = sep.ppk.clone();
    let day = day_of(body, "tglRujukanInternal")?;
    let letter = next_number(world, &ppk, day, 'N');
    let mut made = record(world, &call.at, day, body);
    made.content["noSurat"] = Value::String(letter.clone());
    world.vclaim.internal.push(made);
    Ok(Done::Created(json!({ "noSurat": letter })))
}

/// A verified fingerprint: `noKartu`, `tanggal`.
pub(crate) fn finger(world: &mut World, call: &Call<'_>) -> Outcome {
    let card = required(call.body, "noKartu")?;
    people::known(world, &card)?;
    let day = day_of(call.body, "tanggal").map_err(|_| wrong("tanggal"))?;
    world.vclaim.fingers.insert((day, card));
    Ok(Done::Created(Value::Null))
}
