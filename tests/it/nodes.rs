//! Several nodes on one PostgreSQL: built binaries, a real server, the simulator as BPJS.

mod away;
mod chaos;
mod cluster;
mod death;
mod failover;
mod moved;
mod rate;
mod server;
mod together;
