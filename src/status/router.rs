//! The routes of health, metrics and the status page.
//!
//! Job: gather, judge, render, with the headers that keep a page to itself. Invariants: nothing but the traffic light
//! leaves without a login; the only things that change anything are two POSTs about the session itself. Neighbours:
//! `daemon` builds [`StatusState`] and mounts [`router`]. What it does not do: TLS, limits per connection (`http`).

use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use jiff::tz::TimeZone;

use super::gather::{gather, lanes_of};
use super::judge::{self, Level};
use super::live::Live;
use super::session::{Authenticate, LIFE, Sessions, Visitor};
use super::view::{Scope, StatusView};
use super::{metrics, page};
use crate::clock::Clock;
use crate::config::Facility;
use crate::contract::Calendar;
use crate::store::SharedStore;

const COOKIE: &str = "jembatan_sesi";
const CSS: &str = include_str!("templates/status.css");
/// A token is short; nothing else is posted here.
const BODY_MAX: usize = 4096;

/// What the routes need.
#[derive(Clone)]
pub struct StatusState {
    /// The queue.
    pub store: SharedStore,
    /// The board.
    pub live: Arc<Live>,
    /// The present.
    pub clock: Clock,
    /// The facilities served.
    pub facilities: Arc<[Facility]>,
    /// The duties of the agreement.
    pub calendar: Calendar,
    /// From a token to a visitor.
    pub authenticate: Authenticate,
    /// Whether the API is served over TLS: the cookie is `Secure` then.
    pub secure: bool,
}

impl fmt::Debug for StatusState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusState").field("facilities", &self.facilities.len()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct App {
    state: StatusState,
    sessions: Arc<Sessions>,
}

/// `/`, `/masuk`, `/keluar`, `/status.css`, `/health`, `/health/live`, `/metrics`.
pub fn router(state: StatusState) -> Router {
    let app = App { state, sessions: Arc::default() };
    Router::new()
        .route("/", get(show))
        .route("/masuk", post(enter))
        .route("/keluar", post(leave))
        .route("/status.css", get(css))
        .route("/health", get(health))
        .route("/health/live", get(alive))
        .route("/metrics", get(scrape))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::map_response(harden))
        .with_state(app)
}

/// No scripts, no frames, no foreign forms, nothing kept in caches.
async fn harden(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn alive() -> &'static str {
    "ok"
}

async fn css() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], CSS)
}

/// 503 only when nothing goes on any more: a degraded bridge still takes entries.
async fn health(State(app): State<App>) -> Response {
    let lanes = lanes_of(&app.state.facilities);
    let now = app.state.clock.now();
    let (facts, _rows) = gather(app.state.store.as_ref(), &app.state.live, &lanes, now).await;
    let report = judge::judge(&facts, now);
    let status = match report.status {
        Level::Ok | Level::Degraded => StatusCode::OK,
        Level::Down => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(report)).into_response()
}

async fn scrape(State(app): State<App>) -> Response {
    let lanes = lanes_of(&app.state.facilities);
    let now = app.state.clock.now();
    let (facts, rows) = gather(app.state.store.as_ref(), &app.state.live, &lanes, now).await;
    let report = judge::judge(&facts, now);
    let text = metrics::encode(&facts, &rows, &report, &app.state.live, now);
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}

async fn show(State(app): State<App>, headers: HeaderMap) -> Response {
    let now = app.state.clock.now();
    let visitor = session_id(&headers).and_then(|id| app.sessions.visitor(id, now, &app.state.authenticate));
    match visitor {
        Some(visitor) => inside(&app, &visitor).await,
        None => outside(&app, StatusCode::OK, false).await,
    }
}

async fn inside(app: &App, visitor: &Visitor) -> Response {
    let scope = Scope { configured: &app.state.facilities, only: &visitor.facilities };
    let state = &app.state;
    let now = state.clock.now();
    let view = StatusView::gather(state.store.as_ref(), &state.live, scope, &state.calendar, now).await;
    html(StatusCode::OK, page::inside(&view, &zone(app, &visitor.facilities), &visitor.name))
}

/// Everybody's page is made from a view without rows: what is not gathered cannot leak.
async fn outside(app: &App, status: StatusCode, wrong_token: bool) -> Response {
    let view =
        StatusView::light(app.state.store.as_ref(), &app.state.live, &app.state.facilities, app.state.clock.now())
            .await;
    html(status, page::public(&view, &zone(app, &[]), wrong_token))
}

fn html(status: StatusCode, page: Result<String, askama::Error>) -> Response {
    match page {
        Ok(page) => (status, Html(page)).into_response(),
        Err(_error) => (StatusCode::INTERNAL_SERVER_ERROR, "halaman gagal dibuat").into_response(),
    }
}

/// The zone of the first facility shown.
fn zone(app: &App, only: &[String]) -> TimeZone {
    let shown = app.state.facilities.iter().find(|facility| only.is_empty() || only.contains(&facility.code));
    shown.map_or(TimeZone::UTC, |facility| facility.timezone.clone())
}

async fn enter(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let now = app.state.clock.now();
    if !same_origin(&headers) {
        return outside(&app, StatusCode::FORBIDDEN, false).await;
    }
    if !app.sessions.may_try(now) {
        let wait = [(header::RETRY_AFTER, "60")];
        return (StatusCode::TOO_MANY_REQUESTS, wait, "Terlalu banyak percobaan: tunggu satu menit.").into_response();
    }
    let Some(token) = form_field(&body, "token").filter(|token| (app.state.authenticate)(token).is_some()) else {
        app.sessions.failed();
        return outside(&app, StatusCode::UNAUTHORIZED, true).await;
    };
    match app.sessions.open(&token, now) {
        Some(id) => home(&cookie(&id, LIFE.as_secs(), app.state.secure)),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "sesi gagal dibuka").into_response(),
    }
}

async fn leave(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(id) = session_id(&headers).filter(|_| same_origin(&headers)) {
        app.sessions.close(id);
    }
    home(&cookie("", 0, app.state.secure))
}

fn home(cookie: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/"), (header::SET_COOKIE, cookie)]).into_response()
}

fn cookie(id: &str, seconds: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Browsers say where a request comes from; who says nothing is no browser and has no cookie to abuse.
fn same_origin(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}

/// One field of an `application/x-www-form-urlencoded` body.
fn form_field(body: &[u8], name: &str) -> Option<zeroize::Zeroizing<String>> {
    let text = std::str::from_utf8(body).ok()?;
    let value = text.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let decoded = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
    Some(zeroize::Zeroizing::new(decoded.trim().to_owned()))
}

#[cfg(test)]
mod tests;
