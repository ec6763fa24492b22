//! What may be called, and what may not.

use super::*;

#[test]
fn only_https_to_public_addresses_unless_local_is_allowed() {
    use Forbidden::{Address, NotAnAddress, Scheme};
    let table = [
        ("https://apijkn.bpjs-kesehatan.go.id/pcare-rest", None, None),
        ("https://8.8.8.8/x", None, None),
        ("http://apijkn.bpjs-kesehatan.go.id/pcare-rest", Some(Scheme), None),
        ("ftp://8.8.8.8/", Some(Scheme), Some(Scheme)),
        ("https://127.0.0.1/x", Some(Address), None),
        ("https://2130706433/x", Some(Address), None),
        ("https://0x7f.1/x", Some(Address), None),
        ("https://[::1]/x", Some(Address), None),
        ("https://[::ffff:10.0.0.1]/x", Some(Address), None),
        ("https://169.254.169.254/latest", Some(Address), None),
        ("https:///x", None, None),
        ("pcare-rest", Some(NotAnAddress), Some(NotAnAddress)),
    ];
    for (url, strict, local) in table {
        assert_eq!(check(url, false).err(), strict, "{url}");
        assert_eq!(check(url, true).err(), local, "{url} locally");
    }
}

#[test]
fn addresses_inside_the_house_are_not_public() {
    let inside = [
        "127.0.0.1",
        "127.255.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.0.8",
        "198.18.0.1",
        "192.0.2.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "::7f00:1",
    ];
    for address in inside {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
    for address in ["8.8.8.8", "103.83.120.1", "172.32.0.1", "100.128.0.1", "2001:4860:4860::8888", "64:ff9b::808:808"]
    {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[tokio::test]
async fn a_name_that_points_inside_is_not_resolved_unless_local_is_allowed() {
    let strict = Resolver { allow_local: false }.addresses("localhost", 443).await;
    assert!(matches!(strict, Err(ResolveError::Forbidden)), "{strict:?}");
    let local = Resolver { allow_local: true }.addresses("localhost", 443).await.unwrap();
    assert!(local.iter().all(|at| at.ip().is_loopback() && at.port() == 443));
}
