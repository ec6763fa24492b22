//! What BPJS's Mobile JKN calls at the facility: the queue of patients (Antrean FKTP, inbound).
//!
//! Job: six fixed paths with the two generations of bodies, their tokens and their words, in front of the numbers that
//! the store gives. Invariants: whoever calls is a stranger until name and password (Argon2id) or a signed token of ours
//! proved otherwise; every size, count and rate has a limit; business answers are HTTP 200 with the code in lower-case
//! `metadata` and `response` before it, as the catalogue prints them; a call is logged by route and code only.
//! Neighbours: `daemon` gives it a listener of its own, `store` numbers in one transaction, `http` is the SIM's side of
//! the same rows. What it does not do: accept connections, decide who gets a number (`store::antrean::choose`), talk to
//! BPJS.
//!
//! Sources: BPJS's catalogue of the FKTP queue service ("diakses oleh Mobile JKN") and the acceptance checklist; where
//! implementations differ see docs/decisions.

mod answer;
mod booking;
mod door;
mod fields;
mod limits;
mod look;
mod people;
mod token;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use futures_util::FutureExt as _;
use jiff::civil::{Date, DateTime};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{AntreanInboundConfig, Facility};
use crate::observe::{Observe, Seen};
use crate::store::SharedStore;
use crate::vault::Clients;

use answer::Answer;
use door::Door;
pub use token::Signer;

/// How long one call may take in all.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the daemon gives.
#[derive(Clone)]
pub struct Parts {
    /// Rows.
    pub store: SharedStore,
    /// Names and passwords.
    pub clients: Clients,
    /// The facilities served.
    pub facilities: Arc<Vec<Facility>>,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub chance: Chance,
    /// `[antrean_inbound]`
    pub settings: AntreanInboundConfig,
    /// Signs tokens.
    pub signer: Signer,
    /// Whether the disk has room for another booking.
    pub has_room: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Health and metrics.
    pub observe: Observe,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("settings", &self.settings).finish_non_exhaustive()
    }
}

struct App {
    parts: Parts,
    door: Door,
}

/// Who calls: Mobile JKN for one facility.
struct Caller<'a> {
    facility: &'a Facility,
}

impl App {
    /// The present at a facility.
    fn local(&self, facility: &Facility) -> DateTime {
        self.parts.clock.now().to_zoned(facility.timezone.clone()).datetime()
    }

    fn today(&self, facility: &Facility) -> Date {
        self.local(facility).date()
    }
}

/// The six paths, by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route<'p> {
    Auth,
    Status { poli: &'p str, day: &'p str },
    Book,
    Rest { card: &'p str, poli: &'p str, day: &'p str },
    Register,
    Cancel,
}

impl Route<'_> {
    /// For logs and metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Status { .. } => "status",
            Self::Book => "antrean",
            Self::Rest { .. } => "sisapeserta",
            Self::Register => "peserta",
            Self::Cancel => "batal",
        }
    }
}

/// What a path names: the route, whether it stands under `/v2`; or that only the method is wrong.
#[derive(Debug, PartialEq, Eq)]
enum Found<'p> {
    Route(Route<'p>, bool),
    OtherMethod,
    Nothing,
}

/// All routes; everything that is not one of the six is answered in the same envelope.
pub fn router(parts: Parts) -> Router {
    let door = Door::new(&parts);
    Router::new().fallback(serve).with_state(Arc::new(App { parts, door }))
}

async fn serve(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let (route, v2) = match find(request.method(), &path, &app.parts.settings.base_path) {
        Found::Route(route, v2) => (route, v2),
        Found::OtherMethod => return told(&app, "other", "", Answer::method_not_allowed()),
        Found::Nothing => return told(&app, "other", "", Answer::no_path()),
    };
    let mut facility = String::new();
    // One call that panics costs that call alone; the panic hook has logged where.
    let work = AssertUnwindSafe(perform(&app, route, v2, request, &mut facility)).catch_unwind();
    let answer = match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(Ok(answer) | Err(answer))) => answer,
        Ok(Err(_panic)) => Answer::unavailable(),
        Err(_elapsed) => Answer::unavailable(),
    };
    told(&app, route.name(), &facility, answer)
}

async fn perform(
    app: &App,
    route: Route<'_>,
    v2: bool,
    request: Request,
    facility: &mut String,
) -> Result<Answer, Answer> {
    let headers = request.headers().clone();
    if route == Route::Auth {
        let peer = door::peer(&request);
        return app.door.log_in(app, &headers, peer, facility).await;
    }
    let caller = app.door.admit(app, &headers)?;
    caller.facility.code.clone_into(facility);
    match route {
        Route::Auth => Err(Answer::no_path()),
        Route::Status { poli, day } => look::status(app, &caller, poli, day, v2).await,
        Route::Rest { card, poli, day } => look::rest(app, &caller, card, poli, day).await,
        Route::Book => booking::book(app, &caller, &fields::body(app, request).await?, v2).await,
        Route::Cancel => booking::cancel(app, &caller, &fields::body(app, request).await?).await,
        Route::Register => people::register(app, &caller, &fields::body(app, request).await?).await,
    }
}

/// Tells whoever watches, then answers.
fn told(app: &App, route: &'static str, facility: &str, answer: Answer) -> Response {
    (app.parts.observe)(Seen::Inbound { route, facility, code: answer.code() });
    tracing::info!(route, facility, code = answer.code(), "Mobile JKN was answered");
    answer.render()
}

/// From method and path to a route: literals in any case, a slash at the end or doubled ignored.
fn find<'p>(method: &Method, path: &'p str, base: &str) -> Found<'p> {
    let own = path.get(..base.len()).filter(|start| start.eq_ignore_ascii_case(base));
    let Some(rest) = own.and(path.get(base.len()..)) else { return Found::Nothing };
    let mut parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let v2 = parts.first().is_some_and(|first| first.eq_ignore_ascii_case("v2"));
    if v2 {
        parts.remove(0);
    }
    let is = |at: usize, word: &str| parts.get(at).is_some_and(|part| part.eq_ignore_ascii_case(word));
    let (route, wanted) = match parts.as_slice() {
        [_] if is(0, "auth") => (Route::Auth, Method::GET),
        [_] if is(0, "antrean") => (Route::Book, Method::POST),
        [_] if is(0, "peserta") => (Route::Register, Method::POST),
        [_, _] if is(0, "antrean") && is(1, "batal") => (Route::Cancel, Method::PUT),
        [_, _, poli, day] if is(0, "antrean") && is(1, "status") => (Route::Status { poli, day }, Method::GET),
        [_, _, card, poli, day] if is(0, "antrean") && is(1, "sisapeserta") => {
            (Route::Rest { card, poli, day }, Method::GET)
        }
        _other => return Found::Nothing,
    };
    if *method == wanted { Found::Route(route, v2) } else { Found::OtherMethod }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_in_any_case_with_a_slash_more_and_under_their_prefix() {
        let status = Route::Status { poli: "001", day: "2026-11-23" };
        for (base, path, v2) in [
            ("", "/antrean/status/001/2026-11-23", false),
            ("", "/Antrean/STATUS/001/2026-11-23/", false),
            ("", "/v2/antrean/status/001/2026-11-23", true),
            ("/bpjs", "/bpjs/antrean//status/001/2026-11-23", false),
        ] {
            assert_eq!(find(&Method::GET, path, base), Found::Route(status, v2), "{path}");
        }
        assert_eq!(find(&Method::PUT, "/antrean/batal", ""), Found::Route(Route::Cancel, false));
        assert_eq!(find(&Method::GET, "/antrean/batal", ""), Found::OtherMethod);
        for path in ["/", "/antrean/status/001", "/bpjs", "/x/auth", "/auth/x", "/antrean/status/é"] {
            assert_eq!(find(&Method::GET, path, ""), Found::Nothing, "{path}");
        }
        assert_eq!(find(&Method::GET, "/auth", "/bpjs"), Found::Nothing);
    }
}
