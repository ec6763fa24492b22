//! Logs: what happened, never to whom.
//!
//! Job: install the one subscriber of the process and a panic hook. Invariants: events of dependencies are capped at
//! *warn* whatever is asked for, because the HTTP libraries log URLs, and URLs carry card numbers; a panic is logged by
//! place and thread, never by its message. JSON lines on standard error unless a person is looking. Neighbours: `main`
//! calls it once. What it does not do: metrics, the security log.

use std::panic::{self, PanicHookInfo};
use std::thread;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

/// The variable that sets the level of jembatan's own events: `off`, `error`, `warn`, `info`, `debug`, `trace`.
pub const LEVEL_VARIABLE: &str = "JEMBATAN_LOG";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// JSON unless standard error is a terminal.
    #[default]
    Auto,
    /// One JSON object per line.
    Json,
    /// For people.
    Plain,
}

/// Installs subscriber and panic hook. `level` is the value of [`LEVEL_VARIABLE`], info unless it is a level.
///
/// # Errors
/// A subscriber is installed already.
pub fn init(
    format: Format,
    level: Option<&str>,
    stderr_is_terminal: bool,
) -> Result<(), tracing::subscriber::SetGlobalDefaultError> {
    let json = match format {
        Format::Auto => !stderr_is_terminal,
        Format::Json => true,
        Format::Plain => false,
    };
    tracing::subscriber::set_global_default(subscriber(json, level, std::io::stderr))?;
    panic::set_hook(Box::new(report_panic));
    if level.is_some_and(|level| level.parse::<LevelFilter>().is_err()) {
        tracing::warn!("{LEVEL_VARIABLE} is not a level (off, error, warn, info, debug, trace): info is used");
    }
    Ok(())
}

/// Installs the subscriber with `writer` instead of standard error: JSON lines, to be looked at afterwards.
///
/// # Errors
/// A subscriber is installed already.
pub fn init_into<W>(level: &str, writer: W) -> Result<(), tracing::subscriber::SetGlobalDefaultError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing::subscriber::set_global_default(subscriber(true, Some(level), writer))?;
    panic::set_hook(Box::new(report_panic));
    Ok(())
}

fn subscriber<W>(json: bool, level: Option<&str>, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter(level);
    if json {
        let layer = fmt::layer().json().flatten_event(true).with_writer(writer).with_filter(filter);
        Box::new(Registry::default().with(layer))
    } else {
        let layer = fmt::layer().with_target(false).with_ansi(false).with_writer(writer).with_filter(filter);
        Box::new(Registry::default().with(layer))
    }
}

fn filter(level: Option<&str>) -> Targets {
    let own = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    Targets::new().with_target("jembatan", own).with_default(own.min(LevelFilter::WARN))
}

/// The message of a panic may quote what was being worked on, so only its place is told.
fn report_panic(info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let (file, line) = info.location().map_or(("?", 0), |place| (place.file(), place.line()));
    tracing::error!(target: "jembatan::panic", file, line, thread = thread.name().unwrap_or("?"), "panicked");
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(json: bool, level: Option<&str>, work: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        tracing::subscriber::with_default(subscriber(json, level, move || writer.clone()), work);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn everybody_talks() {
        tracing::trace!(target: "hyper::client", "https://host/peserta/0009900000000");
        tracing::debug!(target: "reqwest::connect", "https://host/peserta/0009900000000");
        tracing::info!(target: "hyper_util", "0009900000000");
        tracing::warn!(target: "rustls", "certificate soon over");
        tracing::debug!(target: "jembatan::push", "detail");
        tracing::info!(target: "jembatan::push", "delivered");
    }

    #[test]
    fn dependencies_are_capped_at_warn_whatever_is_asked_for() {
        let text = logged(true, Some("trace"), everybody_talks);
        assert!(!text.contains("0009900000000"), "{text}");
        assert!(text.contains("certificate soon over") && text.contains("detail"), "{text}");
    }

    #[test]
    fn the_default_level_is_info_and_a_wrong_one_too() {
        for level in [None, Some("hyper=trace")] {
            let text = logged(false, level, everybody_talks);
            assert!(text.contains("delivered") && !text.contains("detail"), "{text}");
        }
    }

    #[test]
    fn json_lines_are_json() {
        let text = logged(true, None, everybody_talks);
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(value["level"].is_string() && value["message"].is_string(), "{line}");
        }
    }

    #[test]
    fn a_panic_is_reported_by_place_and_not_by_message() {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(report_panic));
        let text = logged(true, None, || {
            let _caught = panic::catch_unwind(|| panic!("noKartu 0009900000000"));
        });
        panic::set_hook(previous);
        assert!(text.contains("telemetry.rs") && text.contains("panicked"), "{text}");
        assert!(!text.contains("0009900000000"), "{text}");
    }
}
