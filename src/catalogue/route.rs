//! Which operation a method and a path mean (for the gateway and the simulator).
//!
//! Job: match a path below a service's base URL against the templates. Invariants: literal segments are compared without
//! regard to case (wire facts §2.6), a slash at the end is tolerated, a literal goes before a placeholder in the same
//! place. Neighbours: `http::gateway`, `simulator`. What it does not do: look at a query or a body.

use percent_encoding::percent_decode_str;

use super::operation::{Operation, Service};
use super::{Catalogue, Method};

/// Values of a path's placeholders, decoded, in the order of the path.
pub type PathParams = Vec<(String, String)>;

impl Catalogue {
    /// The operation of `service` behind `method` and `path` (below the base URL, percent-encoded, a query is left
    /// aside), and what the path names.
    #[must_use]
    pub fn route(&self, service: Service, method: Method, path: &str) -> Option<(&Operation, PathParams)> {
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        let fitting = |operation: &&Operation| operation.service == service && operation.method == method;
        let templates = self.operations().filter(fitting).flat_map(|operation| {
            std::iter::once(&operation.path).chain(&operation.also).map(move |template| (operation, template))
        });
        let fits = templates.filter_map(|(operation, template)| {
            let params = captures(template, path)?;
            Some((shape(template), operation, params))
        });
        fits.max_by(|(a, ..), (b, ..)| a.cmp(b)).map(|(_, operation, params)| (operation, params))
    }
}

/// Which segments are literal: of two templates that fit, the greater one is the more specific.
fn shape(template: &str) -> Vec<bool> {
    template.trim_matches('/').split('/').map(|segment| !segment.starts_with('{')).collect()
}

/// The placeholders' values where `path` fits `template`.
fn captures(template: &str, path: &str) -> Option<PathParams> {
    let (mut wanted, mut there) = (template.trim_matches('/').split('/'), path.split('/'));
    let mut found = PathParams::new();
    loop {
        match (wanted.next(), there.next()) {
            (None, None) => return Some(found),
            (Some(segment), Some(value)) => match placeholder(segment) {
                Some(name) if !value.is_empty() => {
                    let value = percent_decode_str(value).decode_utf8().ok()?;
                    found.push((name.to_owned(), value.into_owned()));
                }
                None if segment.eq_ignore_ascii_case(value) => {}
                Some(_) | None => return None,
            },
            (None, Some(_)) | (Some(_), None) => return None,
        }
    }
}

fn placeholder(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The names of a template's placeholders.
pub(super) fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template.split('/').filter_map(placeholder)
}
