//! The outside of a gateway address: which service, which method, and what is left for the catalogue.

use crate::catalogue::{Method, Service};

/// The service of a path segment.
pub(super) fn service(segment: &str) -> Option<Service> {
    let known = [
        ("pcare", Service::Pcare),
        ("vclaim", Service::Vclaim),
        ("antreanfktp", Service::AntreanFktp),
        ("icare", Service::Icare),
    ];
    known.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(segment)).map(|(_, service)| service)
}

/// The service and what follows it in `/ws/{service}/{path}`.
pub(super) fn place(path: &str) -> Option<(Service, &str)> {
    let (head, rest) = path.strip_prefix("/ws/")?.split_once('/')?;
    Some((service(head)?, rest))
}

/// The method, if it is one that BPJS's services know.
pub(super) fn method(method: &axum::http::Method) -> Option<Method> {
    [Method::Get, Method::Post, Method::Put, Method::Delete].into_iter().find(|own| own.word() == method.as_str())
}
