//! Texts and numbers of the configuration as typed values.
//!
//! Job: parse one value, or say what is wrong with it. Pure. Neighbours: `read` calls these. What it does not do: keys,
//! defaults, files.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use config::{Value, ValueKind};
use hyper::Uri;
use jiff::tz::TimeZone;

use super::StoreUrl;
use super::error::Fault;
use crate::vault::KeySource;

/// A non-empty text; numbers are not texts, so that codes keep their leading zeros.
pub(super) fn text(value: &Value) -> Result<String, Fault> {
    match &value.kind {
        ValueKind::String(text) if !text.is_empty() => Ok(text.clone()),
        _not_text => Err(Fault::Text),
    }
}

/// A text of one line for papers, at most 200 characters.
pub(super) fn line(value: &Value) -> Result<String, Fault> {
    let given = text(value)?.trim().to_owned();
    let fits = (1..=200).contains(&given.chars().count()) && !given.chars().any(char::is_control);
    if fits { Ok(given) } else { Err(Fault::Text) }
}

/// True or false; the environment knows only texts.
pub(super) fn boolean(value: &Value) -> Result<bool, Fault> {
    match &value.kind {
        ValueKind::Boolean(given) => Ok(*given),
        ValueKind::String(text) => text.parse().map_err(|_| Fault::Boolean),
        _neither => Err(Fault::Boolean),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn number(value: &Value, least: u64, most: u64) -> Result<u64, Fault> {
    let given = match &value.kind {
        ValueKind::I64(number) => u64::try_from(*number).ok(),
        ValueKind::U64(number) => Some(*number),
        ValueKind::String(text) => text.parse().ok(),
        _no_number => None,
    };
    given.filter(|number| (least..=most).contains(number)).ok_or(Fault::Number(least, most))
}

/// Calls per second; 0 is no limit.
pub(super) fn rate(value: &Value) -> Result<Option<f64>, Fault> {
    let given = match &value.kind {
        ValueKind::I64(number) => u32::try_from(*number).ok().map(f64::from),
        ValueKind::Float(number) => Some(*number),
        ValueKind::String(text) => text.parse::<f64>().ok(),
        _no_number => None,
    };
    let rate = given.filter(|rate| rate.is_finite() && *rate >= 0.0).ok_or(Fault::Rate)?;
    Ok((rate > 0.0).then_some(rate))
}

/// `500ms`, `60s`, `15m`, `2h`, `1d`.
pub(super) fn duration(value: &Value) -> Result<Duration, Fault> {
    let text = text(value).map_err(|_| Fault::Duration)?;
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(Fault::Duration)?;
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _unknown => return Err(Fault::Duration),
    };
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds));
    total.map(Duration::from_millis).ok_or(Fault::Duration)
}

/// A duration that is not zero.
pub(super) fn timeout(value: &Value) -> Result<Duration, Fault> {
    duration(value).and_then(|given| if given.is_zero() { Err(Fault::Duration) } else { Ok(given) })
}

/// `256 KiB`, `200 MiB`, `1 GiB`, or a number of bytes.
pub(super) fn size(value: &Value) -> Result<u64, Fault> {
    if let Ok(bytes) = number(value, 1, u64::MAX) {
        return Ok(bytes);
    }
    let text = text(value).map_err(|_| Fault::Size)?;
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(Fault::Size)?;
    let (number, unit) = text.split_at(digits);
    let bytes: u64 = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _unknown => return Err(Fault::Size),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(bytes)).ok_or(Fault::Size)
}

/// A path.
pub(super) fn path(value: &Value) -> Result<PathBuf, Fault> {
    text(value).map(PathBuf::from)
}

/// An address with a port.
pub(super) fn listen(value: &Value) -> Result<SocketAddr, Fault> {
    text(value)?.parse().map_err(|_| Fault::Listen)
}

/// `20:30`; empty is never.
pub(super) fn time_of_day(value: &Value) -> Result<Option<jiff::civil::Time>, Fault> {
    if matches!(&value.kind, ValueKind::String(text) if text.is_empty()) {
        return Ok(None);
    }
    let text = text(value).map_err(|_| Fault::TimeOfDay)?;
    let (hour, minute) = text.split_once(':').ok_or(Fault::TimeOfDay)?;
    let number = |text: &str| text.parse::<i8>().map_err(|_| Fault::TimeOfDay);
    jiff::civil::Time::new(number(hour)?, number(minute)?, 0, 0).map(Some).map_err(|_| Fault::TimeOfDay)
}

/// Names separated by commas.
pub(super) fn names(value: &Value) -> Result<Vec<String>, Fault> {
    let text = text(value)?;
    Ok(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// What stands before the fixed paths of a listener.
pub(super) fn base_path(value: &Value) -> Result<String, Fault> {
    if matches!(&value.kind, ValueKind::String(text) if text.is_empty()) {
        return Ok(String::new());
    }
    let text = text(value).map_err(|_| Fault::BasePath)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    let fits = text.starts_with('/') && !text.ends_with('/') && text.chars().all(plain) && !text.contains("//");
    if fits { Ok(text) } else { Err(Fault::BasePath) }
}

/// How long a token of Mobile JKN may live: a minute to a day.
pub(super) fn token_lifetime(value: &Value) -> Result<Duration, Fault> {
    let day = Duration::from_hours(24);
    let given = duration(value)?;
    if (Duration::from_secs(60)..=day).contains(&given) { Ok(given) } else { Err(Fault::TokenLifetime) }
}

/// The name of a node: what may stand in logs, labels and SQL without a second thought.
pub(super) fn node_name(value: &Value) -> Result<String, Fault> {
    let text = text(value).map_err(|_| Fault::NodeName)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if text.len() <= 63 && text.chars().all(plain) { Ok(text) } else { Err(Fault::NodeName) }
}

/// How long a silent node is waited for.
pub(super) fn node_term(value: &Value) -> Result<Duration, Fault> {
    let (least, most) = (Duration::from_secs(3), Duration::from_mins(5));
    let given = duration(value)?;
    if (least..=most).contains(&given) { Ok(given) } else { Err(Fault::NodeTerm) }
}

/// One of a few words.
pub(super) fn word<T>(
    of_word: impl Fn(&str) -> Option<T>,
    known: &'static str,
) -> impl FnOnce(&Value) -> Result<T, Fault> {
    move |value| text(value).ok().and_then(|text| of_word(&text)).ok_or(Fault::OneOf(known))
}

/// The database.
pub(super) fn store_url(value: &Value) -> Result<StoreUrl, Fault> {
    text(value).ok().and_then(|text| StoreUrl::of(&text)).ok_or(Fault::StoreUrl)
}

/// Where the vault's key comes from.
pub(super) fn key_source(value: &Value) -> Result<KeySource, Fault> {
    text(value)?.parse().map_err(|_| Fault::VaultKey)
}

/// Where the password of the database is: a file, whoever puts it there.
pub(super) fn password_source(value: &Value) -> Result<KeySource, Fault> {
    match text(value)?.parse().map_err(|_| Fault::StorePassword)? {
        KeySource::Prompt => Err(Fault::StorePassword),
        source @ (KeySource::Credential(_) | KeySource::File(_)) => Ok(source),
    }
}

/// A zone of the IANA database.
pub(super) fn time_zone(value: &Value) -> Result<TimeZone, Fault> {
    TimeZone::get(&text(value)?).map_err(|_| Fault::TimeZone)
}

/// A facility's code.
pub(super) fn facility_code(value: &Value) -> Result<String, Fault> {
    let code = text(value).map_err(|_| Fault::FacilityCode)?;
    crate::vault::check_facility(&code).map(|()| code).map_err(|_| Fault::FacilityCode)
}

/// P-Care's application code.
pub(super) fn app_code(value: &Value) -> Result<String, Fault> {
    let fits = |code: &String| code.len() <= 8 && code.bytes().all(|byte| byte.is_ascii_digit());
    text(value).ok().filter(fits).ok_or(Fault::AppCode)
}

/// The address of a service, without a slash at the end.
pub(super) fn base_url(value: &Value, allow_local: bool) -> Result<String, Fault> {
    let text = text(value).map_err(|_| Fault::BaseUrl)?;
    let url: Uri = text.parse().map_err(|_| Fault::BaseUrl)?;
    let authority = url.authority().ok_or(Fault::BaseUrl)?;
    if authority.as_str().contains('@') || url.query().is_some() || text.contains('#') || authority.host().is_empty() {
        return Err(Fault::BaseUrl);
    }
    match url.scheme_str() {
        Some("https") => {}
        Some("http") if allow_local => {}
        Some("http") => return Err(Fault::BaseUrlPlain),
        Some(_) | None => return Err(Fault::BaseUrl),
    }
    if !allow_local && is_local(authority.host()) {
        return Err(Fault::BaseUrlLocal);
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether a host names this machine or a private network.
fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(v4)) => {
            let shared = matches!(v4.octets(), [100, 64..=127, ..]);
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || shared
        }
        Ok(IpAddr::V6(v6)) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
        // `0x7f.1`, `2130706433`: old spellings of addresses that resolvers still accept; no real host ends in a number.
        Err(_) => {
            let last = host.rsplit('.').next().unwrap_or_default();
            host == "localhost"
                || host.ends_with(".localhost")
                || last.starts_with("0x")
                || last.bytes().all(|byte| byte.is_ascii_digit())
        }
    }
}
