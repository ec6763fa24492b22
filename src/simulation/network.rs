//! The network between the bridge and BPJS: it loses, delays, cuts, and delivers late.
//!
//! A request that left flies on its own: it may land after its sender gave up or died, but not later than the stated
//! assumption allows (landing late and being shown late together stay below settle); what is shown later, BPJS decides.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::dice::Dice;
use super::hub::Hub;
use super::store::Life;
use super::workload::mark_of;
use crate::catalogue::Method;
use crate::remote::{Layer, Reply, Request, Transport, TransportError};
use crate::secret::Private;

const HTML: &str = "<html><body><h1>502 Bad Gateway</h1></body></html>";

/// What lies over the way to one facility's service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    Fair,
    /// The name is not resolved.
    NoName,
    /// No connection.
    NoWay,
    /// What leaves is never heard of again.
    Hole,
    /// BPJS asks for patience.
    TooMany,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Arrives,
    NotSent(Layer, &'static str),
    Lost,
    ResetBefore,
    ResetAfter,
    AnswerLost,
    Late,
    Cut,
    Html { lands: bool },
    Stale { lands: bool },
    Twice,
    TooMany,
}

pub(super) struct Network {
    hub: Arc<Hub>,
    life: Arc<Life>,
    dice: Dice,
    skies: Arc<Mutex<Vec<Weather>>>,
    /// The last answer of each facility.
    stale: Mutex<Vec<Option<Reply>>>,
}

/// When the sender gave up: set when it stops waiting, whatever made it stop.
#[derive(Clone, Default)]
struct GaveUp(Arc<Mutex<Option<Instant>>>);

struct Patience(GaveUp);

impl Drop for Patience {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Notes when a write ended for its sender: answered, given up or dropped. Another attempt may be under way by then.
struct Sending<'a> {
    hub: &'a Hub,
    place: Option<usize>,
    attempt: Option<i64>,
}

impl<'a> Sending<'a> {
    fn of(hub: &'a Hub, place: Option<usize>) -> Self {
        let attempt = place.and_then(|place| hub.model().entries[place].sending);
        Self { hub, place, attempt }
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let (now, mut model) = (self.hub.millis(), self.hub.model());
        let entry = &mut model.entries[place];
        if entry.sending.is_none() || entry.sending == self.attempt {
            entry.ended = Some(now);
        }
    }
}

/// A request on its way.
struct Flight {
    hub: Arc<Hub>,
    site: usize,
    place: Option<usize>,
    request: axum::http::Request<Body>,
    out: Duration,
    gave_up: GaveUp,
}

impl Network {
    pub(super) fn new(hub: &Arc<Hub>, life: &Arc<Life>, skies: &Arc<Mutex<Vec<Weather>>>, number: u64) -> Arc<Self> {
        let stale = Mutex::new(vec![None; hub.sites.len()]);
        let (dice, skies) = (hub.dice(&format!("network {number}")), Arc::clone(skies));
        Arc::new(Self { hub: Arc::clone(hub), life: Arc::clone(life), dice, skies, stale })
    }

    fn fate(&self, site: usize, write: bool) -> Fate {
        if !self.hub.faulty() {
            return Fate::Arrives;
        }
        let sky = self.skies.lock().unwrap_or_else(PoisonError::into_inner)[site];
        match sky {
            Weather::NoName => return Fate::NotSent(Layer::Dns, "not found"),
            Weather::NoWay => return Fate::NotSent(Layer::Tcp, "timed out"),
            Weather::Hole => return Fate::Lost,
            Weather::TooMany => return Fate::TooMany,
            Weather::Fair => {}
        }
        let chance = self.hub.options.network;
        if !self.dice.strikes(if write { chance } else { chance / 4 }) {
            return Fate::Arrives;
        }
        let lands = self.dice.strikes(500);
        self.dice.pick(&[
            Fate::NotSent(Layer::Dns, "not found"),
            Fate::NotSent(Layer::Tcp, "refused"),
            Fate::NotSent(Layer::Tls, "handshake failed"),
            Fate::Lost,
            Fate::Lost,
            Fate::ResetBefore,
            Fate::ResetAfter,
            Fate::ResetAfter,
            Fate::AnswerLost,
            Fate::AnswerLost,
            Fate::AnswerLost,
            Fate::Late,
            Fate::Late,
            Fate::Cut,
            Fate::Html { lands },
            Fate::Stale { lands },
            Fate::Twice,
            Fate::TooMany,
        ])
    }

    /// The entry that a write carries; a write that no record announced breaks a promise.
    fn recognise(&self, site: usize, request: &Request) -> Option<usize> {
        if request.method == Method::Get {
            return None;
        }
        let body: Option<Value> = request.body.as_ref().and_then(|body| serde_json::from_str(body.expose()).ok());
        let url = request.url.expose();
        let model = self.hub.model();
        let found = match body.as_ref().and_then(mark_of) {
            Some(mark) => {
                let sending = |place: &&usize| model.entries[**place].sending.is_some();
                model.with_mark(&mark).iter().find(sending).copied()
            }
            None => (0..model.entries.len()).find(|&place| {
                let planned = &model.plan.entries[place];
                let named = || {
                    let target = planned.after.first().copied().unwrap_or(place);
                    let ids = model.entries[target].last.as_ref().map(|last| last.progress.remote.clone());
                    ids.is_some_and(|ids| ids.expose().values().any(|id| url.contains(id.as_str())))
                };
                planned.facility == site
                    && planned.operation.ends_with(".delete")
                    && model.entries[place].sending.is_some()
                    && named()
            }),
        };
        let wrong = found.zip(body.as_ref()).and_then(|(place, body)| wrong_parent(&model, place, body));
        drop(model);
        if let Some((wanted, has)) = wrong {
            self.hub.broken("ids right", format!("entry {found:?} goes to visit {has:?}, its parent is {wanted:?}"));
        }
        if found.is_none() {
            let what = body.as_ref().and_then(mark_of);
            self.hub.broken("no attempt without a record", format!("a write left unannounced: mark {what:?}"));
        }
        if let Some(place) = found {
            self.hub.model().entries[place].sent += 1;
        }
        found
    }

    /// One way; there and back stays within the timeout, unless something goes wrong.
    fn latency(&self) -> Duration {
        let most = millis(self.hub.options.request_timeout / 4).min(self.hub.options.latency);
        self.dice.millis(1, most)
    }

    /// When and whether it arrives.
    fn out(&self, fate: Fate, timeout: Duration) -> Duration {
        match fate {
            Fate::Late => timeout + self.dice.millis(1, millis(self.hub.options.late_most())),
            Fate::AnswerLost if self.dice.strikes(300) => self.dice.millis(1, millis(timeout)),
            _other => self.latency(),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// A child that goes to another visit than its parent's.
fn wrong_parent(model: &super::model::Model, place: usize, body: &Value) -> Option<(Option<String>, Option<String>)> {
    let planned = &model.plan.entries[place];
    let field = if planned.operation.starts_with("pcare.kelompok.peserta") { "eduId" } else { "noKunjungan" };
    let parent = planned.after.first().copied()?;
    let gives = model.plan.entries[parent].operation;
    if planned.operation == "pcare.kunjungan.add"
        || !matches!(gives, "pcare.kunjungan.add" | "pcare.kelompok.kegiatan.add")
    {
        return None;
    }
    let wanted = model.remote(parent, field);
    let has = body.get(field).and_then(Value::as_str).map(str::to_owned);
    (wanted != has || wanted.is_none()).then_some((wanted, has))
}

impl Flight {
    /// Lands it, if it may still land; the answer as BPJS gave it.
    async fn land(self) -> Option<Reply> {
        tokio::time::sleep(self.out).await;
        let gave_up = *self.gave_up.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (hub, place) = (&self.hub, self.place.unwrap_or(0));
        if let Some(then) = gave_up {
            if Instant::now() > then + hub.options.late_most() {
                hub.event("request lost after giving up", place, 0);
                return None;
            }
            hub.event("landed after giving up", place, 0);
        }
        let router = hub.routers[self.site].clone();
        let response = router.oneshot(self.request).await.ok()?;
        if self.place.is_some() {
            let fresh = hub.absorb(self.site);
            let made = u64::try_from(fresh).unwrap_or(0);
            hub.event("at BPJS", place, u64::from(response.status().as_u16()) * 10 + made);
            let deletes = hub.model().plan.entries[place].operation.ends_with(".delete");
            if deletes && response.status() == 204 && hub.model().denies(place, &hub.bpjs[self.site]) {
                hub.event("BPJS knows nothing of a row it has", place, 0);
            }
        }
        let (parts, body) = response.into_parts();
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let date = header("date").and_then(|text| DateTimeParser::new().parse_timestamp(text).ok());
        let content_type = header("content-type").map(str::to_owned);
        let body = to_bytes(body, 1 << 24).await.ok()?.to_vec();
        let status = parts.status.as_u16();
        Some(Reply { status, date, retry_after: None, content_type, body: Private::new(body) })
    }
}

fn html(status: u16) -> Reply {
    Reply {
        status,
        date: None,
        retry_after: None,
        content_type: Some("text/html".to_owned()),
        body: Private::new(HTML.as_bytes().to_vec()),
    }
}

fn to_http(request: &Request) -> axum::http::Request<Body> {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    let url = request.url.expose();
    let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or("/");
    let mut builder = axum::http::Request::builder().method(method).uri(path);
    for (name, value) in &request.headers {
        builder = builder.header(*name, value.expose());
    }
    let body = request.body.as_ref().map_or_else(Body::empty, |body| Body::from(body.expose().clone()));
    builder.body(body).expect("a request that a client could send")
}

#[async_trait::async_trait]
impl Transport for Network {
    async fn send(&self, request: Request) -> Result<Reply, TransportError> {
        let url = request.url.expose();
        let site = self.hub.sites.iter().position(|site| url.contains(&site.code.to_lowercase())).unwrap_or(0);
        let place = self.recognise(site, &request);
        let _sending = Sending::of(&self.hub, place);
        let (before, after) = if place.is_some() { self.life.step() } else { (false, false) };
        if before {
            self.hub.event("killed before sending", 0, 0);
            self.life.end();
            std::future::pending::<()>().await;
        }
        let (fate, timeout) = (self.fate(site, place.is_some()), request.timeout);
        self.tell(fate, place);
        if let (Fate::Twice, Some(place)) = (fate, place) {
            self.hub.model().entries[place].twice = true;
        }
        match fate {
            Fate::NotSent(layer, detail) => {
                let wait = if detail == "timed out" { timeout.min(Duration::from_secs(5)) } else { self.latency() };
                tokio::time::sleep(wait).await;
                return Err(TransportError::NotSent { layer, detail: detail.to_owned() });
            }
            Fate::Lost => {
                tokio::time::sleep(timeout).await;
                return Err(TransportError::NoAnswer { after: timeout });
            }
            Fate::ResetBefore => {
                tokio::time::sleep(self.latency()).await;
                return Err(TransportError::Broken { detail: "connection reset".to_owned() });
            }
            Fate::TooMany => {
                tokio::time::sleep(self.latency()).await;
                let retry_after = self.dice.strikes(500).then(|| self.dice.millis(1000, 20_000));
                return Ok(Reply { retry_after, ..html(429) });
            }
            Fate::Html { lands: false } | Fate::Stale { lands: false } => {
                tokio::time::sleep(self.latency()).await;
                return Ok(self.other_answer(site, fate));
            }
            Fate::Arrives | Fate::ResetAfter | Fate::AnswerLost | Fate::Late | Fate::Cut | Fate::Twice => {}
            Fate::Html { lands: true } | Fate::Stale { lands: true } => {}
        }
        let answer = self.fly(site, place, fate, &request, after);
        let answer = tokio::time::timeout(timeout, answer).await;
        let Ok(answer) = answer else { return Err(TransportError::NoAnswer { after: timeout }) };
        match answer? {
            reply if matches!(fate, Fate::Html { .. } | Fate::Stale { .. }) => {
                drop(reply);
                Ok(self.other_answer(site, fate))
            }
            reply => {
                let mut kept = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
                kept[site] = Some(reply.clone());
                Ok(reply)
            }
        }
    }
}

impl Network {
    fn tell(&self, fate: Fate, place: Option<usize>) {
        let what = match fate {
            Fate::Arrives => return,
            Fate::NotSent(Layer::Dns, _) => "net: no name",
            Fate::NotSent(..) => "net: no connection",
            Fate::Lost => "net: request lost",
            Fate::ResetBefore => "net: reset before landing",
            Fate::ResetAfter => "net: reset after landing",
            Fate::AnswerLost => "net: answer lost",
            Fate::Late => "net: delayed beyond the timeout",
            Fate::Cut => "net: answer cut short",
            Fate::Html { .. } => "net: HTML",
            Fate::Stale { .. } => "net: garbled answer",
            Fate::Twice => "net: answer delivered twice",
            Fate::TooMany => "net: too many requests",
        };
        self.hub.event(what, place.unwrap_or(0), u64::from(place.is_some()));
    }

    /// What comes instead of the answer: a page of a proxy, or the last answer to somebody else.
    fn other_answer(&self, site: usize, fate: Fate) -> Reply {
        let kept = self.stale.lock().unwrap_or_else(PoisonError::into_inner)[site].clone();
        match (fate, kept) {
            (Fate::Stale { .. }, Some(reply)) => Reply { body: Private::new(cut(reply.body.expose())), ..reply },
            _other => html(self.dice.pick(&[502, 503, 500, 200])),
        }
    }

    async fn fly(
        &self,
        site: usize,
        place: Option<usize>,
        fate: Fate,
        request: &Request,
        dies: bool,
    ) -> Result<Reply, TransportError> {
        let gave_up = GaveUp::default();
        let patience = Patience(gave_up.clone());
        let hub = Arc::clone(&self.hub);
        let out = self.out(fate, request.timeout);
        let flight = Flight { hub, site, place, request: to_http(request), out, gave_up };
        let (back, timeout) = (self.latency(), request.timeout);
        let (tell, told) = oneshot::channel();
        let hub = Arc::clone(&self.hub);
        tokio::spawn(async move {
            let Some(reply) = flight.land().await else { return };
            match fate {
                Fate::AnswerLost | Fate::Late => tokio::time::sleep(timeout * 2).await,
                _other => tokio::time::sleep(back).await,
            }
            let answer = match fate {
                Fate::ResetAfter => Err(TransportError::Broken { detail: "connection reset".to_owned() }),
                Fate::Cut => Ok(Reply { body: Private::new(cut(reply.body.expose())), ..reply }),
                _other => Ok(reply),
            };
            if tell.send(answer).is_err() {
                hub.event("answer came too late", place.unwrap_or(0), 0);
            }
        });
        if dies {
            tokio::task::yield_now().await;
            self.hub.event("killed after sending", place.unwrap_or(0), 0);
            self.life.end();
            std::future::pending::<()>().await;
        }
        let lost = || TransportError::Broken { detail: "connection lost".to_owned() };
        let told = told.await.map_err(|_| lost());
        drop(patience);
        told?
    }
}

/// The first half of a body.
fn cut(body: &[u8]) -> Vec<u8> {
    body.iter().copied().take(body.len() / 2).collect()
}
