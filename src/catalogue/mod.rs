//! The remote services as data: one table for client, validation, simulator and documentation.
//!
//! Job: say for every operation how it is called, what its payload looks like, which ids it needs and gives, what makes
//! an entry the same entry, how to look it up again, and what an answer means. Invariants: nothing here is decided in
//! code that the tables could say; every row names its source (clause, catalogue line or client). Neighbours: `intake`
//! checks payloads, `push` fills and sends them, `reconcile` looks up, `remote` classifies, `simulator` routes.
//! What it does not do: network, SQL, dates of the contract (`contract`).

mod answers;
mod check;
mod dialect;
mod fields;
mod load;
mod look_up;
mod operation;
mod paths;
mod payload;
mod route;
mod rules;
mod schema;
mod table;

use std::collections::BTreeMap;

pub use answers::{Answer, AnswerClass, IdInMessage, Refusal, RemoteIds, Who};
pub use check::Problem;
pub use dialect::{CodeType, Dialect, EnvelopeKey};
pub(crate) use fields::read_date;
pub use fields::{Field, FieldType};
pub use load::{BadTable, Change, Changed};
pub use look_up::{Arg, Candidate, Confirm, LookUp, Named, candidates, differing, unequal};
pub use operation::{Keep, Kind, Method, Need, Operation, Search, Service};
pub use paths::at;
pub use payload::{Filled, NotFilled, fill, is_unset, render_path};
pub use route::PathParams;
pub use rules::Rule;

/// The operations and answer tables this program knows.
#[derive(Debug)]
pub struct Catalogue {
    operations: BTreeMap<String, Operation>,
    answers: BTreeMap<Service, Vec<Answer>>,
    dialects: BTreeMap<Service, Dialect>,
    changes: Vec<Change>,
}

impl Catalogue {
    /// The operation of that name, e.g. `pcare.obat.add`; also one that was retired, for the entries that exist.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// Every operation that is offered, by name.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values().filter(|operation| !operation.retired)
    }

    /// How a service speaks where its operations do not say otherwise.
    #[must_use]
    pub fn dialect(&self, service: Service) -> Option<&Dialect> {
        self.dialects.get(&service)
    }

    /// The first rule that fits an answer of `service` to an operation of `kind`, of whatever name.
    #[must_use]
    pub fn answer(&self, service: Service, kind: Kind, code: i64, text: &str) -> Option<&Answer> {
        self.answer_to(service, kind, "", code, text)
    }

    /// The first rule that fits an answer to the operation of that name (`""`: to none of the catalogue).
    #[must_use]
    pub fn answer_to(&self, service: Service, kind: Kind, operation: &str, code: i64, text: &str) -> Option<&Answer> {
        self.answers(service).find(|answer| answer.fits(operation, kind, code, text))
    }

    /// Every answer rule of a service, in order.
    pub fn answers(&self, service: Service) -> impl Iterator<Item = &Answer> {
        self.answers.get(&service).into_iter().flatten()
    }

    /// What the override directory changed, in the order of its files.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}

#[cfg(test)]
mod tests;
