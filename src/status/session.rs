//! Who is logged in to the status page.
//!
//! Job: exchange a token for a random session id that lives in memory for eight hours. Invariants: only a hash of the id
//! is kept; at most [`MOST`] sessions; failed log-ins are throttled; a revoked token ends its sessions at once, because
//! the token behind a session is asked about again with every request. What it does not do: check tokens
//! ([`Authenticate`]).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::Private;

/// Somebody who may look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The token's name.
    pub name: String,
    /// The facilities shown; empty: all.
    pub facilities: Vec<String>,
}

/// From a token to a visitor; `None` if the token is none of an operator's or viewer's.
pub type Authenticate = Arc<dyn Fn(&str) -> Option<Visitor> + Send + Sync>;

/// How long a session lives.
pub(super) const LIFE: Duration = Duration::from_hours(8);
/// Sessions at once; the oldest goes first.
const MOST: usize = 64;
/// Failed log-ins per minute before the door closes for the rest of it.
const FAILURES: u32 = 10;

#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    open: BTreeMap<[u8; 32], Session>,
    failures: u32,
    minute: i64,
}

#[derive(Debug)]
struct Session {
    token: Private<Zeroizing<String>>,
    until: Timestamp,
}

impl Sessions {
    /// Whether another log-in may be tried now.
    pub(super) fn may_try(&self, now: Timestamp) -> bool {
        let mut book = self.book();
        let minute = now.as_second() / 60;
        if book.minute != minute {
            (book.minute, book.failures) = (minute, 0);
        }
        book.failures < FAILURES
    }

    pub(super) fn failed(&self) {
        self.book().failures += 1;
    }

    /// Opens a session and returns its id; `None` if the system has no chance to give.
    pub(super) fn open(&self, token: &str, now: Timestamp) -> Option<String> {
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret).ok()?;
        let id = secret.iter().fold(String::with_capacity(64), |mut id, byte| {
            // Writing to a String cannot fail.
            let _infallible = write!(id, "{byte:02x}");
            id
        });
        let mut book = self.book();
        book.open.retain(|_, session| session.until > now);
        while book.open.len() >= MOST {
            let oldest = book.open.iter().min_by_key(|(_, session)| session.until).map(|(hash, _)| *hash)?;
            book.open.remove(&oldest);
        }
        let token = Private::new(Zeroizing::new(token.to_owned()));
        book.open.insert(hash(&id), Session { token, until: now + LIFE });
        Some(id)
    }

    /// The visitor of a session id, as its token stands now.
    pub(super) fn visitor(&self, id: &str, now: Timestamp, authenticate: &Authenticate) -> Option<Visitor> {
        let token = {
            let book = self.book();
            book.open.get(&hash(id)).filter(|session| session.until > now)?.token.clone()
        };
        authenticate(token.expose())
    }

    pub(super) fn close(&self, id: &str) {
        self.book().open.remove(&hash(id));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looking up a hash tells an attacker nothing through its timing.
fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}
