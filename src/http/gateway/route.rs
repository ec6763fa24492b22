//! Which operation a call means: service, method and path against the catalogue.

use percent_encoding::percent_decode_str;

use crate::catalogue::{Catalogue, Method, Operation, Service};

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

pub(super) fn method(method: &axum::http::Method) -> Option<Method> {
    [Method::Get, Method::Post, Method::Put, Method::Delete].into_iter().find(|own| own.word() == method.as_str())
}

pub(super) fn find<'c>(
    catalogue: &'c Catalogue,
    service: Service,
    method: Method,
    path: &str,
) -> Option<(&'c Operation, Vec<(String, String)>)> {
    let path = path.trim_matches('/');
    let fitting = catalogue.operations().filter(|operation| operation.service == service && operation.method == method);
    let fits = fitting.filter_map(|operation| Some((shape(&operation.path), operation, captures(&operation.path, path)?)));
    fits.max_by(|(a, ..), (b, ..)| a.cmp(b)).map(|(_, operation, params)| (operation, params))
}

fn shape(template: &str) -> Vec<bool> {
    template.trim_matches('/').split('/').map(|segment| !segment.starts_with('{')).collect()
}

fn captures(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (mut wanted, mut there) = (template.trim_matches('/').split('/'), path.split('/'));
    let mut found = Vec::new();
    loop {
        match (wanted.next(), there.next()) {
            (None, None) => return Some(found),
            (Some(segment), Some(value)) => {
                match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) if !value.is_empty() => {
                        let value = percent_decode_str(value).decode_utf8().ok()?;
                        found.push((name.to_owned(), value.into_owned()));
                    }
                    None if segment.eq_ignore_ascii_case(value) => {}
                    Some(_) | None => return None,
                }
            }
            (None, Some(_)) | (Some(_), None) => return None,
        }
    }
}
