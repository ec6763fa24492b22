//! The second step of a look-up: read by itself what a list shows or a duplicate's words name, and compare that.
//!
//! A list of visits shows too little to tell one SEP from another; the SEP itself shows whose it is, of which day, for
//! which clinic and by which referral (wire facts of V-Claim and Antrean, §7).

use serde_json::{Value, json};

use super::Push;
use super::look_up::Stopped;
use crate::catalogue::{Candidate, Catalogue, Confirm, Named, Operation, Refusal, Who, at, unequal};
use crate::queue::{Delivery, DeliveryId, Finding, Outcome};
use crate::remote::{Lane, ReadFailure};
use crate::secret::Private;

/// So many rows of one list are read one by one; more are for a person.
const CONFIRMED_MOST: usize = 10;

/// What is asked about, and for whom.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) lane: &'a Lane,
    pub(super) operation: &'a Operation,
    pub(super) payload: &'a Value,
    pub(super) delivery: &'a Delivery,
}

/// A row of a list, and who owns it.
pub(super) type Owned = (Candidate, Option<DeliveryId>);

/// What a thing at BPJS is to the entry.
enum Is {
    /// The entry.
    Same,
    /// Another entry for certain; the fields that say so.
    Other(Vec<String>),
    /// In the entry's place, with other deciding content.
    InItsPlace(Vec<String>),
    /// It cannot be told by these fields.
    Unsure(Vec<String>),
    /// BPJS does not show it.
    NotShown,
}

/// The number that BPJS's words about a duplicate end with. They stand, sealed, with the delivery, so that the number
/// survives a restart.
pub(super) fn hint(catalogue: &Catalogue, operation: &Operation, delivery: &Delivery) -> Option<(String, String)> {
    let words = delivery.progress.why.as_ref()?.message.expose();
    let says =
        |code: &i64, answer: &crate::catalogue::Answer| answer.fits(&operation.name, operation.kind, *code, words);
    let answers = catalogue.answers(operation.service);
    let mut named = answers.filter(|answer| answer.code.iter().any(|code| says(code, answer)));
    let (id, number) = named.find_map(|answer| answer.id_in(words))?;
    Some((id.to_owned(), number))
}

impl Push {
    /// Looks at the one that BPJS's words name. `None` if BPJS does not show it: then the list decides.
    pub(super) async fn by_number(
        &self,
        about: About<'_>,
        confirm: &Confirm,
        number: &str,
    ) -> Result<Option<Finding>, Stopped> {
        let unique = about.operation.is_unique();
        let elsewhere = by_its_number(about, confirm, number);
        if !elsewhere.is_empty() {
            return Ok(Some(Finding::Foreign(foreign(about.delivery, number, &elsewhere))));
        }
        Ok(match self.is(about, confirm, number).await? {
            Is::Same => {
                let ids = [(confirm.id.clone(), number.to_owned())].into();
                Some(Finding::Found { ids: Private::new(ids), differs: Vec::new() })
            }
            Is::Other(fields) => Some(Finding::Foreign(foreign(about.delivery, number, &fields))),
            Is::InItsPlace(fields) if unique => Some(Finding::Foreign(foreign(about.delivery, number, &fields))),
            Is::InItsPlace(fields) | Is::Unsure(fields) => Some(cannot_tell(&fields)),
            Is::NotShown => None,
        })
    }

    /// Of the rows of a list, with their owners, those that are the entry or stand in its place; or what is certain
    /// already.
    pub(super) async fn confirmed(
        &self,
        about: About<'_>,
        confirm: &Confirm,
        found: Vec<Owned>,
    ) -> Result<Result<Vec<Owned>, Finding>, Stopped> {
        if found.len() > CONFIRMED_MOST {
            return Ok(Err(Finding::Ambiguous { detail: format!("{} calon di BPJS", found.len()) }));
        }
        let (mut left, mut instead) = (Vec::new(), None);
        for (candidate, owner) in found {
            let Some(number) = candidate.ids.get(&confirm.id).cloned() else { continue };
            let free = owner.is_none_or(|owner| owner == about.delivery.id);
            match self.is(about, confirm, &number).await? {
                Is::Same => left.push((Candidate { same: true, ..candidate }, owner)),
                Is::Other(_) => {}
                Is::InItsPlace(differs) if free && about.operation.is_unique() => {
                    instead = Some(Finding::Foreign(foreign(about.delivery, &number, &differs)));
                }
                Is::InItsPlace(differs) => left.push((Candidate { same: false, differs, ..candidate }, owner)),
                Is::Unsure(fields) => instead = Some(cannot_tell(&fields)),
                // The list shows it, so it is there: nothing can be concluded from this silence.
                Is::NotShown => return Err(Stopped::Shown("listed, not shown")),
            }
        }
        Ok(match instead {
            Some(finding) if left.is_empty() => Err(finding),
            Some(_) | None => Ok(left),
        })
    }

    async fn is(&self, about: About<'_>, confirm: &Confirm, number: &str) -> Result<Is, Stopped> {
        let About { operation, payload, delivery, .. } = about;
        let args = [(confirm.arg.clone(), number.to_owned())];
        let rows = match self.read_one(about.lane, &confirm.read, &args).await {
            Ok(rows) => rows,
            Err(failure) if says_no(&failure) => return Ok(Is::NotShown),
            Err(failure) => return Err(Stopped::Read(Box::new(failure))),
        };
        let Some(row) = rows.first() else { return Ok(Is::NotShown) };
        let differs = unequal(operation, payload, &delivery.facility, row, &confirm.key);
        if !differs.is_empty() {
            return Ok(Is::Other(differs));
        }
        let (mut others, mut unsure) = (Vec::new(), Vec::new());
        for named in &confirm.named {
            match self.has_name(about, named, row).await? {
                Some(true) => {}
                Some(false) => others.push(named.field.clone()),
                None => unsure.push(named.field.clone()),
            }
        }
        let differs = unequal(operation, payload, &delivery.facility, row, &confirm.same);
        Ok(match (others.is_empty(), unsure.is_empty(), differs.is_empty()) {
            (false, _, _) => Is::Other(others),
            (true, false, _) => Is::Unsure(unsure),
            (true, true, false) => Is::InItsPlace(differs),
            (true, true, true) => Is::Same,
        })
    }

    /// Whether the name in `row` is that of the payload's code; `None` if the reference does not tell. The name is asked
    /// for first: only a code that is found for it shows that it is another's.
    async fn has_name(&self, about: About<'_>, named: &Named, row: &Value) -> Result<Option<bool>, Stopped> {
        let theirs = words(at(row, &named.path));
        let ours = words(at(about.payload, &named.field));
        if theirs.is_empty() || ours.is_empty() {
            return Ok(if theirs == ours { Some(true) } else { None });
        }
        if theirs == ours {
            return Ok(Some(true));
        }
        for asked in [&theirs, &ours] {
            let args = [(named.arg.clone(), asked.clone())];
            let rows = match self.read_one(about.lane, &named.read, &args).await {
                Ok(rows) => rows,
                Err(failure) if says_no(&failure) => continue,
                Err(failure) => return Err(Stopped::Read(Box::new(failure))),
            };
            let same_name: Vec<&Value> = rows.iter().filter(|entry| words(at(entry, &named.name)) == theirs).collect();
            if same_name.iter().any(|entry| words(at(entry, &named.code)) == ours) {
                return Ok(Some(true));
            }
            if !same_name.is_empty() {
                return Ok(Some(false));
            }
        }
        Ok(None)
    }

    /// One more read of this look-up, from the lane's rate.
    async fn read_one(&self, lane: &Lane, read: &str, args: &[(String, String)]) -> Result<Vec<Value>, ReadFailure> {
        self.remote.admit(&lane.facility, lane.service).await;
        Ok(self.remote.read(&lane.facility, read, args, self.stamp()).await?.rows)
    }
}

/// What the number alone says: its first characters are the facility that made it (§3.8).
fn by_its_number(about: About<'_>, confirm: &Confirm, number: &str) -> Vec<String> {
    let of_number = |path: &&String| path.split_once('[').is_some_and(|(path, _)| path == confirm.id);
    let key = confirm.key.iter().filter(|(path, _)| of_number(path));
    let key = key.map(|(path, field)| (path.clone(), field.clone())).collect();
    let row = json!({ confirm.id.as_str(): number });
    unequal(about.operation, about.payload, &about.delivery.facility, &row, &key)
}

/// BPJS answered, and shows nothing.
fn says_no(failure: &ReadFailure) -> bool {
    matches!(*failure.outcome, Outcome::Refused(_) | Outcome::NotFound(_))
}

/// A code or a name, as far as it matters; a lone hyphen stands for none.
fn words(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    if text == "-" { String::new() } else { text }
}

fn cannot_tell(fields: &[String]) -> Finding {
    Finding::Ambiguous {
        detail: format!("BPJS memiliki entri yang tidak dapat dibandingkan pada: {}", fields.join(", ")),
    }
}

/// What stands in the entry's place, by its number; BPJS's own words before it.
fn foreign(delivery: &Delivery, number: &str, fields: &[String]) -> Refusal {
    let said = delivery.progress.why.as_ref().map(|why| why.message.expose().clone()).unwrap_or_default();
    let message = if said.contains(number) { said } else { format!("{said} {number}").trim().to_owned() };
    Refusal {
        code: 0,
        message: Private::new(message),
        rule: "foreign".to_owned(),
        meaning: format!("BPJS sudah memiliki entri lain di tempat ini; yang berbeda: {}.", fields.join(", ")),
        who: Who::Registration,
        next:
            "Periksa nomor itu di aplikasi BPJS; 'amend' bila isi di sini keliru, 'retry' setelah yang lain dibatalkan."
                .to_owned(),
    }
}
