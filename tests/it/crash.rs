//! Real crashes of the built binary on a real file system: SIGKILL at random, at every durable step and at every sync,
//! a full, failing and read-only disk, each with the simulator as BPJS and a SIM that keeps a ledger of what was
//! acknowledged. `docs/proof.md` says what each shows; a longer run: `JEMBATAN_KILLS=10000 cargo nextest run … crash::kills`.

mod check;
mod controls;
mod disk;
mod door;
mod kills;
#[cfg(feature = "failpoints")]
mod points;
mod preload;
mod sim;
