//! What every request passes: host, request id, time, headers of the answer; then the table's roles.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;

use super::App;
use super::auth::authenticate;
use super::problem::{Kind, Problem};
use super::routes::{Access, rule};

/// How long a request of another face may take: the gateway waits for BPJS.
const PATIENCE: Duration = Duration::from_secs(60);
/// The header that names a request in answers and logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer: nothing leaves without it. Time is measured further in, where the route is known.
pub(super) async fn wrap(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = format!("{:016x}", app.chance.bits());
    let response = match check_host(&app, request.headers()).and_then(|()| check_address(request.uri())) {
        Err(problem) => problem.into_response(),
        // One request that panics costs that request alone; the panic hook has logged where.
        Ok(()) => match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(_panic) => panicked().into_response(),
        },
    };
    finish(response, &id)
}

/// The request did not arrive, or was not done, in time.
pub(super) fn too_slow() -> Problem {
    Problem::new(Kind::TooSlow, "Permintaan tidak selesai pada waktunya. Kirim ulang permintaan yang sama.")
}

/// Nothing is known of how far it came: the same body again is the same submission.
fn panicked() -> Problem {
    let detail = "Jembatan gagal mengolah permintaan ini; tidak ada yang dapat dipastikan telah disimpan. Kirim ulang isi \
                  yang sama sekali lagi; bila gagal lagi, jangan diulang: laporkan kepada pembuat program beserta log.";
    Problem::new(Kind::Internal, detail)
}

fn finish(response: Response, id: &str) -> Response {
    let mut response = match response.extensions().get::<Problem>() {
        Some(problem) => problem.render(Some(id)),
        None => response,
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Against DNS rebinding: a web page can make a browser call this machine under the page's own name, never under an
/// address or a name of ours.
fn check_host(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let (Some(host), None) = (host, hosts.next()) else {
        return Err(Problem::new(Kind::BadRequest, "Header Host harus ada, tepat satu."));
    };
    if host_allowed(host, &app.hosts) {
        Ok(())
    } else {
        Err(Problem::new(
            Kind::WrongHost,
            "Alamat ini bukan nama jembatan. Panggil dengan alamat IP, localhost, atau nama pada [http] hosts.",
        ))
    }
}

/// No name of ours has NUL in it, and not every database could be asked for one that has.
fn check_address(uri: &Uri) -> Result<(), Problem> {
    let parts = [Some(uri.path()), uri.query()];
    if parts.into_iter().flatten().any(|part| part.contains("%00")) {
        return Err(Problem::new(Kind::BadRequest, "Alamat mengandung karakter NUL (%00); hapus."));
    }
    Ok(())
}

fn host_allowed(host: &str, own: &[String]) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let bare = without_port.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok()
        || own.iter().any(|name| name.eq_ignore_ascii_case(bare))
}

/// The table's layer: who may use the route that matched.
pub(super) async fn admit(
    State(app): State<Arc<App>>,
    matched: MatchedPath,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(rule) = rule(request.method().as_str(), matched.as_str()) else {
        return Err(method_not_allowed());
    };
    let roles = match rule.access {
        Access::Anybody => return Ok(next.run(request).await),
        Access::Roles(roles) => roles,
    };
    let now = app.clock.now();
    // The route, never the URL: ids and references may lead to a person.
    let refused = |why: &str| tracing::warn!(route = rule.path, method = rule.method, "{why}");
    let caller = authenticate(&app, request.headers(), now).inspect_err(|_| refused("token refused"))?;
    app.rates.take(&caller.name, now).inspect_err(|_| refused("too many requests"))?;
    if !roles.contains(&caller.role) {
        refused("role refused");
        let detail = format!("Peran {} tidak boleh melakukan ini; mintalah petugas (operator).", caller.role);
        return Err(Problem::forbidden(detail));
    }
    request.extensions_mut().insert(caller);
    in_time(rule.patience, request, next).await
}

/// The layer of the faces mounted beside.
pub(super) async fn beside(request: Request, next: Next) -> Result<Response, Problem> {
    in_time(PATIENCE, request, next).await
}

async fn in_time(patience: Duration, request: Request, next: Next) -> Result<Response, Problem> {
    tokio::time::timeout(patience, next.run(request)).await.map_err(|_| too_slow())
}

fn method_not_allowed() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "Alamat ini tidak mengenal metode itu; lihat /openapi.json.")
}

pub(super) async fn no_method(_method: Method) -> Problem {
    method_not_allowed()
}

pub(super) async fn no_route() -> Problem {
    Problem::new(Kind::NotFound, "Alamat ini tidak ada; lihat /openapi.json.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_and_addresses_are_hosts() {
        let own = vec!["jembatan.puskesmas.lan".to_owned()];
        for host in
            ["localhost", "LOCALHOST:8077", "127.0.0.1:8077", "[::1]:8077", "10.0.0.5", "jembatan.puskesmas.lan:1"]
        {
            assert!(host_allowed(host, &own), "{host}");
        }
        for host in ["jahat.example", "jahat.example:8077", "localhost.jahat.example", "127.0.0.1.jahat.example", ""] {
            assert!(!host_allowed(host, &own), "{host}");
        }
    }
}
