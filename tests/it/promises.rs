//! The promises of the public face that need the whole bridge, one by one.

mod look_first;
mod people;
mod stopping;
mod truth;
