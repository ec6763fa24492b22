//! i-Care: a link to a member's history, for one use.
//!
//! Job: `api/rs/validate` and `api/pcare/validate`, both reads by POST. Invariants: every answer carries a token that no
//! other has; nothing is kept of it but a count. Neighbours: the members are those of the P-Care world. What it does not
//! do: serve the page behind the link.

use serde_json::{Value, json};

use super::routes::{Call, Route, route};
use super::vclaim::{no, people, wrong};
use super::world::people::mix;
use super::world::{Done, Outcome, World, text};

/// The operation of primary care, which alone asks for the web login.
pub(crate) const FKTP: &str = "icare.fktp.validate";

/// Every i-Care operation.
pub(crate) const ICARE: &[Route] = &[
    route("POST", "api/pcare/validate", FKTP, validate),
    route("POST", "api/rs/validate", "icare.rs.validate", |world, call| {
        if call.body.get("kodedokter").and_then(Value::as_i64).is_none() {
            return Err(wrong("kodedokter"));
        }
        validate(world, call)
    }),
];

fn validate(world: &mut World, call: &Call<'_>) -> Outcome {
    let card = text(call.body, "param").ok_or_else(|| wrong("param"))?;
    people::known(world, &card).map_err(|refusal| no(&refusal.message))?;
    let draw = world.next("icare");
    let (first, second) = (mix(world.seed() ^ draw), mix(mix(draw)));
    let token = format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        first >> 32,
        (first >> 16) & 0xffff,
        first & 0xfff,
        (second >> 48) & 0xfff,
        second & 0xffff_ffff_ffff
    );
    Ok(Done::Found(json!({ "url": format!("https://icare.invalid/ihs/history?token={token}") })))
}
