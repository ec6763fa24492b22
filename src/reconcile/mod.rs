//! Reconcile: tasks that bring both sides together again, whatever happened.
//!
//! Job: put lost leases into doubt ([`leases`]), expire what is overdue ([`overdue`]), open and close outages by
//! evidence ([`outages`]), compare days with BPJS and the SIM and
//! adopt what is certain ([`day`], [`compare`], [`period`], [`sim`]) when asked and by itself ([`schedule`]). Invariants: every task is
//! idempotent, takes no input but the rows and the time, and may run at any moment; adoption goes through the same
//! conditional transition as everything else. Neighbours: `store`, `remote`, `queue`. What it does not do: send
//! (`push`), write papers (`report`).

pub mod compare;
pub mod day;
pub mod leases;
pub mod outages;
pub mod overdue;
pub mod period;
pub mod schedule;
pub mod sim;
mod theirs;
