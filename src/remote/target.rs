//! Which addresses may be called.
//!
//! Job: the allow rule, on the URL as written and on every address its name resolves to. Invariants: unless local
//! targets are allowed (development), only HTTPS and only public addresses: no loopback, private, link-local (cloud
//! metadata), shared, multicast or unspecified one, also in their IPv6 disguises. Neighbours: [`super::https`] asks before
//! every request and resolves names through [`Resolver`]; `config` checks literals once more, at start. What it does not
//! do: a list of BPJS's hosts (the operator names them in the configuration).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Why a URL may not be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Forbidden {
    /// Not a URL with a host.
    #[error("not an address")]
    NotAnAddress,
    /// Neither HTTPS nor (where allowed) HTTP.
    #[error("not HTTPS")]
    Scheme,
    /// An address inside this machine or network.
    #[error("forbidden address")]
    Address,
}

/// Reads and checks a URL; names are checked again when they are resolved.
///
/// # Errors
/// [`Forbidden`].
pub fn check(url: &str, allow_local: bool) -> Result<Url, Forbidden> {
    let url = Url::parse(url).map_err(|_| Forbidden::NotAnAddress)?;
    match url.scheme() {
        "https" => {}
        "http" if allow_local => {}
        _neither => return Err(Forbidden::Scheme),
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Forbidden::NotAnAddress)?;
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match literal {
        Ok(address) if !allow_local && !is_public(address) => Err(Forbidden::Address),
        Ok(_) | Err(_) => Ok(url),
    }
}

/// Whether an address belongs to the public Internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

const fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let shared = a == 100 && b >= 64 && b <= 127;
    let protocol = a == 192 && b == 0 && c == 0;
    let benchmark = a == 198 && (b == 18 || b == 19);
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        || shared
        || protocol
        || benchmark)
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let segments = v6.segments();
    let [s0, s1, ..] = segments;
    // NAT64 and 6to4 carry an IPv4 address; it must be public too.
    let carried = match (s0, s1) {
        (0x64, 0xff9b) => Some((segments[6], segments[7])),
        (0x2002, high) => Some((high, segments[2])),
        _none => None,
    };
    let global = s0 & 0xe000 == 0x2000 || (s0 == 0x64 && s1 == 0xff9b);
    let documentation = s0 == 0x2001 && s1 == 0xdb8;
    global
        && !documentation
        && carried.is_none_or(|(high, low)| is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))))
}

/// Why a name gave no usable address.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("name not resolved")]
    NotFound(#[source] io::Error),
    #[error("forbidden address")]
    Forbidden,
}

/// The system's resolver, minus the addresses that may not be called: what is checked is what is connected to, so a
/// name that changes its address between check and use gains nothing.
#[derive(Clone, Copy, Debug)]
pub struct Resolver {
    /// Whether local addresses are allowed.
    pub allow_local: bool,
}

impl Resolver {
    /// Addresses of `host` with `port`.
    pub(super) async fn addresses(self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((bare, port)).await.map_err(ResolveError::NotFound)?;
        let found: Vec<SocketAddr> = found.collect();
        if found.is_empty() {
            return Err(ResolveError::NotFound(io::Error::from(io::ErrorKind::NotFound)));
        }
        let usable: Vec<SocketAddr> = found.into_iter().filter(|at| self.allow_local || is_public(at.ip())).collect();
        if usable.is_empty() { Err(ResolveError::Forbidden) } else { Ok(usable) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = *self;
        Box::pin(async move {
            let found = resolver.addresses(name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
