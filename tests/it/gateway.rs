//! The gateway over real HTTP, with a client that signs and opens by itself, against the daemon and the simulator.

pub(crate) mod client;
mod door;
mod kept;
mod outage;
mod python;
mod reads;
mod secrets;
pub(crate) mod services;
mod writes;
