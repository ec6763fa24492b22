//! The door of a service: headers, signature, clock, user key, web login, in this order.
//!
//! Job: let a request in with the timestamp that seals its answer, or refuse it as that service does. Invariant: nothing of a
//! header is ever logged or quoted. Neighbours: `face` asks, `protocol::sign` checks. What it does not do: faults.

use axum::http::HeaderMap;
use jiff::Timestamp;

use super::credentials::Credentials;
use super::rules::Rules;
use super::world::Refusal;
use super::{services, texts};
use crate::catalogue::Service;
use crate::protocol::sign::{AuthorizationError, Stamp, read_authorization, signature_is_valid};
use crate::secret::{Password, Username};

/// The headers that sign.
const SIGNED: [&str; 3] = ["X-cons-id", "X-timestamp", "X-signature"];

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
}

/// How a service words what it does not let in.
struct Words {
    service: Service,
    /// HTTP 200 with code 201 instead of HTTP 401.
    mild: bool,
}

impl Words {
    fn refuse(&self, ours: &str, mild: &str) -> Refusal {
        match (self.service, self.mild) {
            (Service::Pcare, _) => Refusal::plain(401, ours),
            (_, true) => Refusal::plain(201, mild),
            (_, false) => Refusal::plain(401, texts::UNAUTHORIZED),
        }
    }
}

/// Checks a request of a service; answers its timestamp. `login` says whether the P-Care web login must come with it;
/// where it need not, a header that is there all the same is passed over, as clients of Antrean send it.
pub(crate) fn enter(
    (credentials, rules): (&Credentials, &Rules),
    (service, needs_login): (Service, bool),
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Stamp, Refusal> {
    let words = Words { service, mild: rules.refuse_with_words };
    let need = |name: &str| {
        let missing = format!("{}{name}", texts::HEADER_MISSING);
        header(headers, name).ok_or_else(|| words.refuse(&missing, &missing))
    };
    let mut values = [""; 3];
    for (place, name) in values.iter_mut().zip(SIGNED) {
        *place = need(name)?;
    }
    let [cons_id, timestamp, signature] = values;
    let login = if needs_login { Some(read_login(need("X-authorization")?)?) } else { None };
    let user_key = need("user_key")?;
    if cons_id != credentials.cons_id.expose() {
        return Err(words.refuse(texts::UNKNOWN_CONSUMER, texts::UNKNOWN_CONSUMER));
    }
    let bad_signature = || words.refuse(texts::BAD_SIGNATURE, texts::SIGNATURE);
    let seconds: i64 = timestamp.parse().map_err(|_| bad_signature())?;
    let stamp = Stamp::from_seconds(seconds);
    if !signature_is_valid(&credentials.cons_id, &credentials.secret_key, stamp, signature) {
        return Err(bad_signature());
    }
    if now.as_second().abs_diff(seconds) > u64::from(rules.max_skew_seconds) {
        return Err(Refusal::plain(401, texts::EXPIRED));
    }
    if user_key != services::user_key(credentials, service).expose() {
        return Err(Refusal::plain(404, texts::NOT_REGISTERED));
    }
    let known = |login: &Option<(Username, Password, String)>| {
        login.as_ref().is_some_and(|(username, password, app)| {
            *username == credentials.username
                && *password == credentials.password
                && app == crate::protocol::sign::KD_APLIKASI
        })
    };
    if login.as_ref().is_none_or(known) { Ok(stamp) } else { Err(Refusal::plain(401, texts::BAD_LOGIN)) }
}

/// The web login, none where it cannot be read; without `Basic ` the service meets .NET's own error.
fn read_login(authorization: &str) -> Result<Option<(Username, Password, String)>, Refusal> {
    match read_authorization(authorization) {
        Err(AuthorizationError::NoScheme) => Err(Refusal::plain(50_000, texts::START_INDEX)),
        Err(AuthorizationError::NotText | AuthorizationError::NotThreeParts) => Ok(None),
        Ok(login) => Ok(Some(login)),
    }
}
