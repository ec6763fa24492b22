//! The remote services as data: one table for client, validation, simulator and documentation.
//!
//! Job: say for every operation how it is called, what its payload looks like, which ids it needs and gives, what makes
//! an entry the same entry, how to look it up again, and what an answer means. Invariants: nothing here is decided in
//! code that the tables could say; every row names its source (clause, catalogue line or client). Neighbours: `intake`
//! checks payloads, `push` fills and sends them, `reconcile` looks up, `remote` classifies, `simulator` routes.
//! What it does not do: network, SQL, dates of the contract (`contract`).

mod answers;
mod fields;
mod look_up;
mod operation;
mod payload;

use std::collections::BTreeMap;

pub use answers::{Answer, AnswerClass, Refusal, RemoteIds, Who};
pub(crate) use fields::read_date;
pub use fields::{Field, FieldType, Problem};
pub use look_up::{Candidate, LookUp, candidates, differing};
pub use operation::{Kind, Method, Need, Operation, Service};
pub use payload::{Filled, NotFilled, fill, is_unset, render_path};

/// The operations and answer tables this program knows.
#[derive(Debug)]
pub struct Catalogue {
    operations: BTreeMap<String, Operation>,
    answers: BTreeMap<Service, Vec<Answer>>,
}

/// A table that cannot be used, with its name and what is wrong.
#[derive(Debug, thiserror::Error)]
#[error("catalogue {table}: {what}")]
pub struct BadTable {
    /// File of the table.
    pub table: String,
    /// What is wrong, with line and column where TOML gives them.
    pub what: String,
}

impl Catalogue {
    /// The catalogue shipped inside the binary.
    ///
    /// # Errors
    /// [`BadTable`] if a shipped table is malformed: a defect that the tests of this module exclude.
    pub fn shipped() -> Result<Self, BadTable> {
        let mut catalogue = Self { operations: BTreeMap::new(), answers: BTreeMap::new() };
        catalogue.add_operations("pcare.toml", include_str!("pcare.toml"))?;
        catalogue.add_answers(Service::Pcare, "pcare-answers.toml", include_str!("pcare-answers.toml"))?;
        catalogue.check_references()?;
        Ok(catalogue)
    }

    /// The operation of that name, e.g. `pcare.obat.add`.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// Every operation, by name.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    /// The first rule that fits an answer of `service` to an operation of `kind`.
    #[must_use]
    pub fn answer(&self, service: Service, kind: Kind, code: i64, text: &str) -> Option<&Answer> {
        self.answers.get(&service)?.iter().find(|answer| answer.fits(kind, code, text))
    }

    /// Every answer rule of a service, in order.
    pub fn answers(&self, service: Service) -> impl Iterator<Item = &Answer> {
        self.answers.get(&service).into_iter().flatten()
    }

    fn add_operations(&mut self, table: &str, text: &str) -> Result<(), BadTable> {
        let bad = |what: String| BadTable { table: table.to_owned(), what };
        for operation in operation::read_table(text).map_err(bad)? {
            if let Some(twice) = self.operations.insert(operation.name.clone(), operation) {
                return Err(bad(format!("operation {} stands twice", twice.name)));
            }
        }
        Ok(())
    }

    fn add_answers(&mut self, service: Service, table: &str, text: &str) -> Result<(), BadTable> {
        let rules = answers::read_table(text).map_err(|what| BadTable { table: table.to_owned(), what })?;
        self.answers.insert(service, rules);
        Ok(())
    }

    /// Every name an operation mentions must exist.
    fn check_references(&self) -> Result<(), BadTable> {
        for operation in self.operations.values() {
            for name in operation.mentions() {
                if !self.operations.contains_key(name) {
                    let what = format!("{} mentions the unknown operation {name}", operation.name);
                    return Err(BadTable { table: operation.service.word().to_owned(), what });
                }
            }
            operation.check().map_err(|what| BadTable { table: operation.service.word().to_owned(), what })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
