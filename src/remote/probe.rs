//! Whose fault it is: the layers from the name up to one harmless read.
//!
//! Job: try dns, tcp, tls, http and business in this order, say which fails first and who must act. Invariants: bounded
//! by four seconds in all, so that an outage shows within ten; nothing is changed at BPJS. Neighbours: `reconcile` and
//! `push` call it and feed [`super::circuit`] and the outages; `status` shows what the store keeps of it. What it does not
//! do: remember, decide whether an outage begins. i-Care has no read that harms nobody: there any HTTP answer to a
//! question without credentials counts.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::client::{Call, Evidence, Exchange, Remote, Unready, rendered};
use super::read::ReadFailure;
use super::transport::{Layer, REFUSED, Request, TIMED_OUT, TransportError};
use crate::catalogue::{Method, Operation, Service, Who};
use crate::protocol::sign::Stamp;
use crate::queue::{Outcome, Suspicion};
use crate::secret::Private;
use crate::words::words;

/// For all layers together.
const LIMIT: Duration = Duration::from_secs(4);

/// A clock that is further off than this explains a refusal (promise 7).
const MAX_SKEW_SECONDS: i64 = 60;

words! {
    /// One step of a probe, in order.
    Step {
        /// The name resolves to an address that may be called.
        Dns = "dns",
        /// A TCP connection opens.
        Tcp = "tcp",
        /// The TLS session and its certificate are good.
        Tls = "tls",
        /// An HTTP answer comes from the service, not from something before it.
        Http = "http",
        /// The harmless read succeeds.
        Business = "business",
    }
}

words! {
    /// How a step went.
    Status {
        /// Works.
        Ok = "ok",
        /// Does not.
        Fail = "fail",
        /// Not tried: an earlier step failed, or there is no such layer here.
        Skipped = "skipped",
    }
}

words! {
    /// Whose fault it is. The same words as the store's.
    Verdict {
        /// Nobody's.
        None = "none",
        /// Ours: this server, its clock, its credentials, its configuration.
        Us = "us",
        /// The network between.
        Network = "network",
        /// BPJS.
        Bpjs = "bpjs",
    }
}

/// One step's result.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Check {
    /// Which.
    pub step: Step,
    /// How it went.
    pub status: Status,
    /// Why it failed, in a few words without content.
    pub detail: Option<String>,
    /// Milliseconds it took; 0 if skipped.
    pub ms: u64,
}

/// What a probe found.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct ProbeReport {
    /// When it began.
    pub at: Timestamp,
    /// dns, tcp, tls, http, business.
    pub checks: Vec<Check>,
    /// This machine's clock minus BPJS's `Date`, seconds; positive: ours is ahead.
    pub skew_seconds: Option<i64>,
    /// Version of the credentials used; 0 if they are missing.
    pub credential_version: u64,
    /// `metaData.code` of the harmless read.
    pub code: Option<i64>,
    cause: Option<&'static str>,
    verdict: Verdict,
}

impl ProbeReport {
    /// Whether nothing failed.
    #[must_use]
    pub const fn passes(&self) -> bool {
        self.cause.is_none()
    }

    /// The first failing layer: `dns`, `tcp`, `tls`, `http`, `business`, `credentials` or `clock`; also `config` if the
    /// facility has no such service.
    #[must_use]
    pub const fn cause(&self) -> Option<&'static str> {
        self.cause
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Whether nothing speaks against BPJS's service, even if it does not let us in: for the circuit. Credentials and the
    /// clock stop the lane instead.
    #[must_use]
    pub fn service_works(&self) -> bool {
        matches!(self.cause, None | Some("credentials" | "clock"))
    }
}

/// The harmless read of a service, with its arguments, on BPJS's day: a short list of a reference (interface:
/// `GET dokter/0/1`). *No data* is an answer too: on a Sunday Antrean has no clinic (wire facts of V-Claim and Antrean,
/// §4a). i-Care has none: each of its calls is about a patient.
fn harmless(service: Service, today: Date) -> Option<(&'static str, Vec<(String, String)>)> {
    let arg = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    match service {
        Service::Pcare => Some(("pcare.dokter.list", vec![arg("start", "0"), arg("limit", "1")])),
        Service::Vclaim => Some(("vclaim.referensi.poli", vec![arg("kataKunci", "INT")])),
        Service::AntreanFktp => Some(("antrean_fktp.ref.poli", vec![arg("tanggal", &today.to_string())])),
        Service::Icare => None,
    }
}

/// Collects the checks in order.
struct Probing {
    at: Timestamp,
    checks: Vec<Check>,
    skew_seconds: Option<i64>,
    credential_version: u64,
    code: Option<i64>,
}

impl Probing {
    fn new(at: Timestamp) -> Self {
        let checks = Step::ALL.iter().map(|&step| Check { step, status: Status::Skipped, detail: None, ms: 0 });
        Self { at, checks: checks.collect(), skew_seconds: None, credential_version: 0, code: None }
    }

    fn note(&mut self, step: Step, fault: Option<String>, took: Duration) {
        if let Some(check) = self.checks.iter_mut().find(|check| check.step == step) {
            check.status = if fault.is_some() { Status::Fail } else { Status::Ok };
            check.detail = fault;
            check.ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        }
    }

    fn ends(self, failure: Option<(&'static str, Verdict)>) -> ProbeReport {
        let (cause, verdict) = failure.map_or((None, Verdict::None), |(cause, verdict)| (Some(cause), verdict));
        ProbeReport {
            at: self.at,
            checks: self.checks,
            skew_seconds: self.skew_seconds,
            credential_version: self.credential_version,
            code: self.code,
            cause,
            verdict,
        }
    }
}

impl Remote {
    /// Probes one service of one facility. It takes a call from the rate, but does not wait for it.
    pub async fn probe(&self, facility: &str, service: Service) -> ProbeReport {
        let mut probing = Probing::new(self.0.clock.now());
        let Some(base_url) = self.0.base_url(facility, service) else {
            return probing.ends(Some(("config", Verdict::Us)));
        };
        let limit = LIMIT.min(self.0.timeout);
        let mut left = limit;
        for found in self.0.transport.layers(&Private::new(base_url.to_owned()), limit).await {
            left = left.saturating_sub(found.took);
            probing.note(step_of(found.layer), found.fault.clone(), found.took);
            if let Some(fault) = found.fault {
                return probing.ends(Some(self.of_layer(found.layer, &fault)));
            }
        }
        self.0.with_bucket(facility, service, super::limits::Bucket::force);
        let read = harmless(service, self.bpjs_day());
        match read.and_then(|(name, args)| Some((self.0.catalogue.operation(name)?, args))) {
            Some((operation, args)) => self.probe_business(facility, operation, &args, left, probing).await,
            None => self.probe_door(base_url, left, probing).await,
        }
    }

    /// Knocks at the service without credentials: whoever answers lives, unless it is what stands before a dead one.
    async fn probe_door(&self, base_url: &str, timeout: Duration, mut probing: Probing) -> ProbeReport {
        let url = Private::new(format!("{base_url}/"));
        let headers = vec![("Accept", Private::new("application/json".to_owned()))];
        let (begun, request) = (self.0.clock.now(), Request { method: Method::Get, url, headers, body: None, timeout });
        let reply = self.0.transport.send(request).await;
        let ended = self.0.clock.now();
        let took = Duration::try_from(ended.duration_since(begun)).unwrap_or_default();
        match reply {
            Ok(reply) => {
                probing.skew_seconds = self.0.note_skew(&reply, begun, ended);
                let dead = matches!(reply.status, 502..=504);
                probing.note(Step::Http, dead.then(|| format!("HTTP {}", reply.status)), took);
                probing.ends(dead.then_some(("http", Verdict::Bpjs)))
            }
            Err(TransportError::NotSent { layer, detail }) => {
                probing.note(step_of(layer), Some(detail.clone()), took);
                let failed = self.of_layer(layer, &detail);
                probing.ends(Some(failed))
            }
            Err(error) => {
                probing.note(Step::Http, Some(error.to_string()), took);
                probing.ends(Some(("http", Verdict::Bpjs)))
            }
        }
    }

    async fn probe_business(
        &self,
        facility: &str,
        operation: &Operation,
        args: &[(String, String)],
        timeout: Duration,
        mut probing: Probing,
    ) -> ProbeReport {
        let value_of = |name: &str| args.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        let exchange = match rendered(operation, value_of) {
            Ok(path) => {
                let stamp = Stamp::at(self.0.clock.now());
                self.0.call(Call { facility, operation, path: &path, body: None, stamp, timeout }).await
            }
            Err(unready) => Err(unready),
        };
        match exchange {
            Err(unready) => {
                let cause = if matches!(unready, Unready::NoCredentials(_)) { "credentials" } else { "config" };
                probing.note(Step::Business, Some(ReadFailure::unready(&unready).why), Duration::ZERO);
                probing.ends(Some((cause, Verdict::Us)))
            }
            Ok(exchange) => self.of_exchange(operation, &exchange, probing),
        }
    }

    fn of_exchange(&self, operation: &Operation, exchange: &Exchange, mut probing: Probing) -> ProbeReport {
        probing.skew_seconds = exchange.skew_seconds;
        probing.credential_version = exchange.version;
        probing.code = exchange.code();
        let took = exchange.took;
        let Err(failure) = self.page_of(operation, exchange) else {
            probing.note(Step::Http, None, took);
            probing.note(Step::Business, None, took);
            return probing.ends(None);
        };
        if let Err(TransportError::NotSent { layer, detail }) = &exchange.heard {
            probing.note(step_of(*layer), Some(detail.clone()), took);
            let failed = self.of_layer(*layer, detail);
            return probing.ends(Some(failed));
        }
        if exchange.code().is_none() && failure.evidence == Evidence::Failing {
            probing.note(Step::Http, Some(failure.why), took);
            // Where nobody knows the path, the base URL is wrong: nothing that BPJS could mend.
            let whose = if exchange.status() == Some(404) { Verdict::Us } else { Verdict::Bpjs };
            return probing.ends(Some(("http", whose)));
        }
        probing.note(Step::Http, None, took);
        probing.note(Step::Business, Some(failure.why.clone()), took);
        let failed = of_business(&failure.outcome, exchange.skew_seconds);
        probing.ends(Some(failed))
    }

    /// Below HTTP: no name and no way are the network's; a machine that refuses, or whose certificate is bad, is BPJS's,
    /// unless our clock is known to be wrong (a certificate is judged by it).
    fn of_layer(&self, layer: Layer, fault: &str) -> (&'static str, Verdict) {
        match layer {
            Layer::Dns => ("dns", Verdict::Network),
            Layer::Tcp if fault == REFUSED => ("tcp", Verdict::Bpjs),
            Layer::Tcp => ("tcp", Verdict::Network),
            Layer::Tls if fault != TIMED_OUT && self.last_skew_seconds().is_some_and(is_off) => ("tls", Verdict::Us),
            Layer::Tls => ("tls", Verdict::Bpjs),
            Layer::Local => ("config", Verdict::Us),
        }
    }
}

const fn step_of(layer: Layer) -> Step {
    match layer {
        Layer::Dns | Layer::Local => Step::Dns,
        Layer::Tcp => Step::Tcp,
        Layer::Tls => Step::Tls,
    }
}

const fn is_off(skew: i64) -> bool {
    skew.abs() > MAX_SKEW_SECONDS
}

/// The service spoke and said no to a harmless question.
fn of_business(outcome: &Outcome, skew: Option<i64>) -> (&'static str, Verdict) {
    match outcome {
        Outcome::NotAuthorised(_, suspicion) => {
            // BPJS may be stricter than we are: if it names the time, the time it is.
            let clock = *suspicion == Suspicion::Clock || skew.is_some_and(is_off);
            (if clock { "clock" } else { "credentials" }, Verdict::Us)
        }
        Outcome::Refused(no) if no.who == Who::It => ("business", Verdict::Us),
        Outcome::Accepted(_)
        | Outcome::AcceptedUnread { .. }
        | Outcome::AlreadyThere(_)
        | Outcome::NotFound(_)
        | Outcome::Refused(_)
        | Outcome::RateLimited { .. }
        | Outcome::Fault(_)
        | Outcome::Unavailable { .. }
        | Outcome::NotSent { .. }
        | Outcome::NoAnswer { .. }
        | Outcome::Unreadable { .. } => ("business", Verdict::Bpjs),
    }
}

#[cfg(test)]
mod tests;
