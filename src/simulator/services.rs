//! The services that are played: where each stands, how it spells its envelope, which of its operations exist.
//!
//! Job: the differences between the services in one place, as `vclaim-antrean` facts have them: base path, user key,
//! envelope, success codes, login, content type. Invariant: 201 is success in P-Care and a refusal everywhere else.
//! Neighbours: `face` and `gate` ask; the tables of operations stand in each service's folder. What it does not do:
//! keep anything.

use std::sync::Arc;

use super::credentials::Credentials;
use super::generic::Generic;
use super::routes::{Call, PCARE, Route, captures};
use super::world::{Done, Outcome, World};
use super::{antrean, icare, texts, vclaim};
use crate::catalogue::Service;
use crate::protocol::envelope::Dialect;
use crate::secret::UserKey;

/// Base paths, in any case of letters; the sources spell i-Care's in two ways.
const BASES: &[(&str, Service)] = &[
    ("/pcare-rest", Service::Pcare),
    ("/vclaim-rest", Service::Vclaim),
    ("/antreanfktp", Service::AntreanFktp),
    ("/wsihs", Service::Icare),
    ("/ihs", Service::Icare),
];

/// The service of a path, and the path below it.
pub(crate) fn below(path: &str) -> Option<(Service, &str)> {
    BASES.iter().find_map(|(base, service)| {
        let (head, rest) = path.split_at_checked(base.len())?;
        (head.eq_ignore_ascii_case(base) && rest.starts_with('/')).then_some((*service, rest))
    })
}

/// How a service writes its envelope.
pub(crate) const fn dialect(service: Service) -> Dialect {
    match service {
        Service::Pcare | Service::Icare => Dialect::PCARE,
        Service::Vclaim => Dialect::VCLAIM,
        Service::AntreanFktp => Dialect::ANTREAN,
    }
}

/// The user key that opens a service.
pub(crate) const fn user_key(credentials: &Credentials, service: Service) -> &UserKey {
    match service {
        Service::Pcare => &credentials.pcare,
        Service::Vclaim => &credentials.vclaim,
        Service::AntreanFktp => &credentials.antrean_fktp,
        Service::Icare => &credentials.icare,
    }
}

/// Whether `kind` is the content type that the catalogue prints for a body of this service.
pub(crate) fn takes(service: Service, kind: &str) -> bool {
    let kind = kind.trim().to_ascii_lowercase();
    match service {
        Service::Pcare => !kind.starts_with("application/json"),
        Service::Vclaim => kind.starts_with("application/x-www-form-urlencoded"),
        Service::Icare => kind.starts_with("application/json"),
        Service::AntreanFktp => true,
    }
}

/// Every operation of a service.
pub(crate) const fn table(service: Service) -> &'static [Route] {
    match service {
        Service::Pcare => PCARE,
        Service::Vclaim => vclaim::routes::VCLAIM,
        Service::AntreanFktp => antrean::ANTREAN,
        Service::Icare => icare::ICARE,
    }
}

/// Every operation of every service.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    Service::ALL.iter().flat_map(|service| table(*service))
}

/// What does an operation.
#[derive(Clone)]
enum Does {
    Played(&'static Route),
    Generic(Arc<Generic>),
}

/// The operation behind a request.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) service: Service,
    pub(crate) params: Vec<String>,
    does: Does,
}

/// The operation behind a method and a path below a service: the one with the more specific path, and of two alike the
/// one that is played before that of the override directory.
pub(crate) fn find(service: Service, method: &str, path: &str, extra: &[Arc<Generic>]) -> Option<Found> {
    let path = path.trim_matches('/');
    let played = table(service).iter().filter(|route| route.method == method);
    let played = played.map(|route| (route.path, Does::Played(route)));
    let generic = extra.iter().filter(|one| one.service() == service && one.method() == method);
    let generic = generic.flat_map(|one| one.templates().map(move |path| (path, Does::Generic(Arc::clone(one)))));
    let fitting = played.chain(generic).filter_map(|(template, does)| {
        let params = captures(template, path)?;
        Some((specificity(template), Found { service, params, does }))
    });
    // `max_by` takes the last of equals; the first is meant.
    let first = fitting.fold(None, |best: Option<(Vec<bool>, Found)>, one| match best {
        Some(best) if best.0 >= one.0 => Some(best),
        Some(_) | None => Some(one),
    });
    first.map(|(_, found)| found)
}

/// Which segments are literal; the greater is the more specific.
fn specificity(template: &str) -> Vec<bool> {
    template.split('/').map(|segment| segment != "{}").collect()
}

impl Found {
    /// Its name in the catalogue.
    pub(crate) fn name(&self) -> &str {
        match &self.does {
            Does::Played(route) => route.name,
            Does::Generic(one) => one.name(),
        }
    }

    /// Whether it changes something; i-Care reads by POST.
    pub(crate) fn is_write(&self) -> bool {
        match &self.does {
            Does::Played(route) => route.method != "GET" && self.service != Service::Icare,
            Does::Generic(one) => one.is_write(),
        }
    }

    /// Whether the request carries a body.
    pub(crate) fn has_body(&self) -> bool {
        match &self.does {
            Does::Played(route) => match route.method {
                "POST" | "PUT" => true,
                "DELETE" => self.service != Service::Pcare,
                _ => false,
            },
            Does::Generic(one) => one.has_body(),
        }
    }

    /// Whether the P-Care web login must come with it.
    pub(crate) fn needs_login(&self) -> bool {
        match (&self.does, self.service) {
            (Does::Generic(one), _) => one.needs_login(),
            (Does::Played(_), Service::Pcare) => true,
            (Does::Played(route), Service::Icare) => route.name == icare::FKTP,
            (Does::Played(_), Service::Vclaim | Service::AntreanFktp) => false,
        }
    }

    /// Does it.
    pub(crate) fn perform(&self, world: &mut World, call: &Call<'_>) -> Outcome {
        match &self.does {
            Does::Played(route) => (route.handler)(world, call),
            Does::Generic(one) => one.perform(world, call),
        }
    }

    /// Code, message, and what stands in `response`: nothing at all, plain, or data to seal.
    pub(crate) fn success(&self, done: Done) -> Success {
        let (code, message) = match (self.service, &done) {
            (Service::Pcare, Done::Created(_)) => (201, texts::CREATED),
            (Service::Pcare | Service::Icare, _) => (200, texts::OK),
            (Service::Vclaim, Done::Found(_)) => (200, texts::OK),
            (Service::Vclaim, _) => (200, texts::SUKSES),
            (Service::AntreanFktp, Done::Found(_)) => (1, texts::OK),
            (Service::AntreanFktp, _) => (200, texts::ANTREAN_OK),
        };
        let (response, sealed) = match done {
            Done::Found(value) | Done::Created(value) | Done::Changed(value) => (Some(value), true),
            Done::Plain(value) => (Some(value), false),
            Done::Silent => (None, false),
        };
        Success { code, message, response, sealed }
    }
}

/// A success, in the service's spelling.
pub(crate) struct Success {
    pub(crate) code: i64,
    pub(crate) message: &'static str,
    pub(crate) response: Option<serde_json::Value>,
    pub(crate) sealed: bool,
}
