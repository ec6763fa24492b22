//! The checklist and the entries it writes, as data.

use anyhow::{Context as _, anyhow};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use crate::catalogue::Service;

/// The checklist that is shipped.
const CHECKLIST: &str = include_str!("checklist.toml");
/// What is written to each service. A service that is added gets its file here and its rows in the checklist.
pub(super) const FLOWS: &[(Service, &str)] = &[(Service::Pcare, include_str!("pcare.json"))];

/// Where a checklist is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// A simulator of this process.
    Simulator,
    /// BPJS's development host, reads only.
    Development,
    /// BPJS's development host with a test card.
    DevelopmentWrite,
}

/// How a case is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Run {
    /// One probe of every layer.
    Signature,
    /// One list is opened.
    Decrypt,
    /// BPJS's `Date` is compared.
    Clock,
    /// The case's operations all reached BPJS.
    Write,
    /// The same submission again.
    SameSubmission,
    /// BPJS has it already.
    AlreadyThere,
    /// BPJS says no.
    Refusal,
    /// BPJS does it and its answer is lost.
    LostAnswer,
    /// BPJS is gone for a while.
    Outage,
    /// BPJS refuses the login for a while.
    Credentials,
    /// BPJS's clock is off for a while.
    Skew,
    /// Sending is paused for a while.
    Pause,
    /// The day is compared.
    Reconciliation,
    /// The chain is verified.
    SecurityLog,
    /// Logs and files are searched.
    Secrets,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) title: String,
    pub(super) expected: String,
    pub(super) mandatory: bool,
    pub(super) run: Run,
    pub(super) operations: Vec<String>,
    pub(super) places: Vec<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checklist {
    case: Vec<Case>,
}

/// The shipped rows in their order.
///
/// # Errors
/// The shipped text cannot be read: a defect.
pub(super) fn cases() -> anyhow::Result<Vec<Case>> {
    Ok(toml::from_str::<Checklist>(CHECKLIST).context("checklist.toml")?.case)
}

/// What is written, with places for card, day, facility and doctor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flow(String);

/// What fills the places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filling<'a> {
    pub(super) reference: &'a str,
    pub(super) facility: &'a str,
    pub(super) card: &'a str,
    pub(super) doctor: &'a str,
    pub(super) day: Date,
}

impl Flow {
    /// A flow: `{ "add": [entries], "undo": [entries] }`.
    ///
    /// # Errors
    /// It is not JSON of that shape.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        for part in ["add", "undo"] {
            anyhow::ensure!(value[part].is_array(), "«{part}» bukan daftar entri");
        }
        Ok(Self(text.to_owned()))
    }

    /// The shipped flow of a service.
    pub(super) fn shipped(service: Service) -> anyhow::Result<Self> {
        let found = FLOWS.iter().find(|(of, _)| *of == service);
        Self::read(found.ok_or_else(|| anyhow!("{}: belum ada entri uji", service.word()))?.1)
    }

    /// Its entries, filled in.
    fn entries(&self, part: &str, filling: &Filling<'_>) -> anyhow::Result<Vec<Value>> {
        let day = filling.day;
        let wire = format!("{:02}-{:02}-{:04}", day.day(), day.month(), day.year());
        let places = [
            ("{ref}", filling.reference),
            ("{faskes}", filling.facility),
            ("{card}", filling.card),
            ("{dokter}", filling.doctor),
            ("{tgl}", wire.as_str()),
        ];
        let text = places.iter().fold(self.0.clone(), |text, (place, value)| text.replace(place, value));
        let value: Value = serde_json::from_str(&text).context("entri uji")?;
        Ok(value[part].as_array().cloned().unwrap_or_default())
    }

    /// Everything that is added and changed.
    pub(super) fn additions(&self, filling: &Filling<'_>) -> anyhow::Result<Vec<Value>> {
        self.entries("add", filling)
    }

    /// Everything that takes it back.
    pub(super) fn undoing(&self, filling: &Filling<'_>) -> anyhow::Result<Vec<Value>> {
        self.entries("undo", filling)
    }

    /// The entry of one operation with what it comes after.
    pub(super) fn chain(&self, operation: &str, filling: &Filling<'_>) -> anyhow::Result<Vec<Value>> {
        let all = self.additions(filling)?;
        let target = all.iter().find(|entry| entry["operation"] == operation);
        let mut wanted = vec![target.ok_or_else(|| anyhow!("{operation}: tidak ada di entri uji"))?["ref"].clone()];
        let mut at = 0;
        while let Some(name) = wanted.get(at).cloned() {
            let before = all.iter().find(|entry| entry["ref"] == name).and_then(|entry| entry["after"].as_array());
            for one in before.into_iter().flatten() {
                if !wanted.contains(one) {
                    wanted.push(one.clone());
                }
            }
            at += 1;
        }
        Ok(all.into_iter().filter(|entry| wanted.contains(&entry["ref"])).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalogue::Catalogue;

    fn filling() -> Filling<'static> {
        Filling {
            reference: "uat",
            facility: "0114A026",
            card: "0009990000001",
            doctor: "001",
            day: Date::constant(2026, 11, 20),
        }
    }

    #[test]
    fn every_row_names_operations_there_are_and_numbers_are_used_once() {
        let (cases, catalogue) = (cases().unwrap(), Catalogue::shipped().unwrap());
        let ids: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids.len(), cases.len());
        for case in &cases {
            assert!(!case.source.is_empty() && !case.expected.is_empty() && !case.places.is_empty(), "{}", case.id);
            for name in &case.operations {
                assert!(catalogue.operation(name).is_some(), "{}: {name}", case.id);
            }
        }
    }

    #[test]
    fn every_write_of_a_service_under_test_stands_in_a_row_and_in_its_entries() {
        let (cases, catalogue) = (cases().unwrap(), Catalogue::shipped().unwrap());
        for (service, _) in FLOWS {
            let flow = Flow::shipped(*service).unwrap();
            let entries = [flow.additions(&filling()).unwrap(), flow.undoing(&filling()).unwrap()].concat();
            for one in catalogue.operations().filter(|one| one.service == *service && one.is_write()) {
                let row = cases.iter().any(|case| case.run == Run::Write && case.operations.contains(&one.name));
                assert!(row, "{} stands in no case of the checklist", one.name);
                assert!(entries.iter().any(|entry| entry["operation"] == one.name), "{} is not written", one.name);
            }
        }
    }

    #[test]
    fn a_chain_has_what_an_entry_comes_after_and_nothing_else() {
        let flow = Flow::shipped(Service::Pcare).unwrap();
        let chain = flow.chain("pcare.tindakan.add", &filling()).unwrap();
        let names: Vec<&str> = chain.iter().filter_map(|entry| entry["ref"].as_str()).collect();
        assert_eq!(names, ["daftar", "kunjungan", "tindakan"]);
        assert_eq!(chain[0]["payload"]["tglDaftar"], "20-11-2026");
        assert!(flow.chain("pcare.tidak.ada", &filling()).is_err());
    }
}
