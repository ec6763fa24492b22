//! Reading lists and single objects, page by page.
//!
//! Job: GET an operation with its arguments, follow `{start}/{limit}` until all rows are there, give them in the clear.
//! Invariants: a paged list is complete or it is a failure: *absent* concluded from half a list would send twice; each
//! page has a stamp of its own. Neighbours: `reconcile` looks up with it, [`super::probe`] asks the harmless read.
//! What it does not do: decide which row is the entry (`catalogue::candidates`).

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use super::classify::{self, Heard, Page};
use super::client::{Call, Evidence, Exchange, Remote, Unready, rendered};
use crate::catalogue::Operation;
use crate::protocol::sign::Stamp;
use crate::queue::{Outcome, Suspicion};

/// Pages read at most for one question.
const MAX_PAGES: u64 = 200;

/// Rows per page where the catalogue does not say.
const PAGE: u32 = 100;

/// What a read brought; personal, so `Debug` shows only how much.
#[derive(Clone, PartialEq)]
pub struct Rows {
    /// The items of the list, or the single object.
    pub rows: Vec<Value>,
    /// How many BPJS says there are.
    pub count: Option<u64>,
}

impl Rows {
    /// Whether all rows that BPJS counts are here. Lists without a count are taken as complete; a list that is not paged
    /// and comes short cannot show that something is absent.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.count.is_none_or(|count| self.rows.len() as u64 >= count)
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("rows", &self.rows.len()).field("count", &self.count).finish()
    }
}

/// Why a read brought nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadFailure {
    /// The word of the outcome and what is known, without content: `not_sent: dns`, `refused: 412`.
    pub why: String,
    /// Whether BPJS's service answered.
    pub alive: bool,
    /// What it says about the service, for the circuit.
    pub evidence: Evidence,
    /// What a refusal of access is about.
    pub not_authorised: Option<Suspicion>,
    /// Not before then, if BPJS asked for patience and said so.
    pub until: Option<Timestamp>,
    /// The whole outcome, with BPJS's words.
    pub outcome: Box<Outcome>,
}

impl ReadFailure {
    pub(super) fn of(outcome: Outcome) -> Self {
        let word = outcome.word();
        let (why, not_authorised, until) = match &outcome {
            Outcome::Accepted(_) => (word.to_owned(), None, None),
            Outcome::AlreadyThere(no) | Outcome::NotFound(no) | Outcome::Refused(no) | Outcome::Fault(no) => {
                (format!("{word}: {} {}", no.rule, no.code), None, None)
            }
            Outcome::NotAuthorised(no, suspicion) => {
                (format!("{word}: {} {}", no.rule, no.code), Some(*suspicion), None)
            }
            Outcome::RateLimited { until } => (word.to_owned(), None, *until),
            Outcome::Unavailable { status } => (format!("{word}: HTTP {status}"), None, None),
            Outcome::NotSent { why } | Outcome::AcceptedUnread { why } | Outcome::Unreadable { why } => {
                (format!("{word}: {why}"), None, None)
            }
            Outcome::NoAnswer { after } => (format!("{word}: {} ms", after.as_millis()), None, None),
        };
        Self {
            why,
            alive: outcome.shows_service_alive(),
            evidence: Evidence::of(&outcome),
            not_authorised,
            until,
            outcome: Box::new(outcome),
        }
    }

    pub(super) fn unready(unready: &Unready) -> Self {
        let (why, not_authorised) = match unready {
            Unready::NotConfigured => ("config".to_owned(), None),
            Unready::NoCredentials(names) => (format!("vault: {names}"), Some(Suspicion::Credentials)),
            Unready::Path(field) => (format!("argument: {field}"), None),
        };
        Self {
            why: why.clone(),
            alive: false,
            evidence: Evidence::Nothing,
            not_authorised,
            until: None,
            outcome: Box::new(Outcome::NotSent { why }),
        }
    }

    fn incomplete(rows: usize, count: u64) -> Self {
        let why = format!("list incomplete: {rows} of {count}");
        Self { alive: true, evidence: Evidence::Alive, ..Self::of(Outcome::Unreadable { why }) }
    }
}

impl Remote {
    /// Reads `operation` (a GET of the catalogue) with the placeholders' values in `args`. If its path has `{start}` and
    /// `{limit}` and `args` does not give them, every page is read; `stamp` signs the first, later pages (each taken from
    /// the rate) have fresh ones. Code 204 is no rows.
    ///
    /// # Errors
    /// [`ReadFailure`], also for a paged list that stays shorter than its count.
    pub async fn read(
        &self,
        facility: &str,
        operation: &str,
        args: &[(String, String)],
        stamp: Stamp,
    ) -> Result<Rows, ReadFailure> {
        let Some(operation) = self.0.catalogue.operation(operation) else {
            return Err(ReadFailure::unready(&Unready::Path("operation".to_owned())));
        };
        let paged = operation.path.contains("{start}") && !args.iter().any(|(name, _)| name == "start");
        if paged {
            return self.read_pages(facility, operation, args, stamp).await;
        }
        let page = self.read_page(facility, operation, args, stamp).await?;
        Ok(Rows { rows: page.rows.into_inner(), count: page.count })
    }

    /// Whether `{start}` counts from 0 or from 1 is written nowhere (wire facts §4.2). Counting from 0 is right or shows
    /// one row twice, which is dropped; counting from 1 could lose the first.
    async fn read_pages(
        &self,
        facility: &str,
        operation: &Operation,
        args: &[(String, String)],
        mut stamp: Stamp,
    ) -> Result<Rows, ReadFailure> {
        let limit = operation.page.unwrap_or(PAGE);
        let mut all = Rows { rows: Vec::new(), count: None };
        for index in 0..MAX_PAGES {
            if index > 0 {
                self.admit(facility, operation.service).await;
                stamp = Stamp::at(self.0.clock.now());
            }
            let mut args = args.to_vec();
            args.push(("start".to_owned(), all.rows.len().to_string()));
            args.push(("limit".to_owned(), limit.to_string()));
            let page = self.read_page(facility, operation, &args, stamp).await?;
            all.count = page.count.or(all.count);
            let before = all.rows.len();
            let shared = before.saturating_sub(limit as usize);
            for row in page.rows.into_inner() {
                if !all.rows[shared..before].contains(&row) {
                    all.rows.push(row);
                }
            }
            let counted = all.count.is_some() && all.is_complete();
            // Without a count only a page that brings nothing new shows the end.
            if counted || all.rows.len() == before {
                return match all.count {
                    Some(count) if !counted => Err(ReadFailure::incomplete(all.rows.len(), count)),
                    Some(_) | None => Ok(all),
                };
            }
        }
        Err(ReadFailure::incomplete(all.rows.len(), all.count.unwrap_or_default()))
    }

    async fn read_page(
        &self,
        facility: &str,
        operation: &Operation,
        args: &[(String, String)],
        stamp: Stamp,
    ) -> Result<Page, ReadFailure> {
        let value_of = |name: &str| args.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        let path = rendered(operation, value_of).map_err(|unready| ReadFailure::unready(&unready))?;
        let call = Call { facility, operation, path: &path, body: None, stamp, timeout: self.0.timeout };
        let exchange = self.0.call(call).await.map_err(|unready| ReadFailure::unready(&unready))?;
        self.page_of(operation, &exchange)
    }

    pub(super) fn page_of(&self, operation: &Operation, exchange: &Exchange) -> Result<Page, ReadFailure> {
        match &exchange.heard {
            Ok(Heard::Envelope(said)) if classify::says_no_rows(&self.0.catalogue, operation, said) => {
                Ok(Page::empty())
            }
            Ok(Heard::Envelope(said)) if said.success => match said.response.expose() {
                Ok(value) => classify::page(operation.rows.as_deref(), value).ok_or_else(|| {
                    let why = format!("no {} in the answer", operation.rows.as_deref().unwrap_or("list"));
                    ReadFailure {
                        alive: true,
                        evidence: Evidence::Alive,
                        ..ReadFailure::of(Outcome::Unreadable { why })
                    }
                }),
                Err(_) => Err(self.failure(operation, exchange)),
            },
            Ok(Heard::Envelope(_) | Heard::Other { .. }) | Err(_) => Err(self.failure(operation, exchange)),
        }
    }

    fn failure(&self, operation: &Operation, exchange: &Exchange) -> ReadFailure {
        ReadFailure::of(classify::outcome(&self.0.catalogue, operation, &exchange.heard, exchange.took))
    }
}

#[cfg(test)]
mod tests;
