//! What the gateway asks of the store: where a write stands, and the numbers that stand for BPJS's.
//!
//! Job: the types of [`super::Store::standing`], [`super::Store::provisional_ids`] and [`super::Store::provisional`].
//! Neighbours: `http::gateway` asks, `sqlite::gateway` answers. What it does not do: decide what a repeat is.

use crate::queue::Delivery;
use crate::secret::Private;

/// Which write is asked about.
#[derive(Debug, Clone)]
pub struct StandingAsk {
    /// The client.
    pub client: String,
    /// kdProvider.
    pub facility: String,
    /// Catalogue operation.
    pub operation: String,
    /// What makes two calls the same call: the values of the natural key, or the body.
    pub key: Private<Vec<String>>,
    /// The operation's natural key as entries have it, where all of it is known: finds what came in another way.
    pub natural: Option<Private<Vec<String>>>,
}

/// Where it stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The key as a name for submissions, without its generation. A keyed hash: it says nothing of a patient.
    pub reference: String,
    /// The highest generation so far; 0: none.
    pub generation: u32,
    /// The newest entry of the key.
    pub latest: Option<Delivery>,
    /// Whether a delivered delete or cancel took it away at BPJS again.
    pub released: bool,
    /// Whether something accepted later made a repeat another entry: for an edit another edit of the same operation in
    /// the same lane, for a delete another add of what it deletes.
    pub superseded: bool,
}

/// How a provisional number looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberForm {
    /// How it begins.
    pub prefix: &'static str,
    /// How many letters and digits follow, at most 16.
    pub tail: usize,
}

/// What a provisional number stands for.
#[derive(Debug, Clone)]
pub struct ProvisionalId {
    /// Name of the id, as the catalogue spells it.
    pub name: String,
    /// The entry that gets it from BPJS.
    pub delivery: Delivery,
    /// `"<submission ref>/<entry ref>"`, for `after`.
    pub reference: String,
}
