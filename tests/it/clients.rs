//! Clients of BPJS that nobody here wrote, through the gateway and straight at the simulator, and what they really send.
//!
//! They come from their registries by name and version and are not changed: they get a base URL and credentials. A
//! recorder stands before the simulator, so that a test sees the request as it arrived there.

mod crate_client;
mod guide;
mod outage;
mod overrides;
mod pypi;
mod recorder;
mod tools;
mod walk;
