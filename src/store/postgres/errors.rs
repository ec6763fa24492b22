//! What the server says, as the store says it: what is over soon, what is full, what is wrong.
//!
//! Invariant: neither parameters nor the server's details (which quote keys) nor the URL stand in an error.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use crate::store::StoreError;

/// Codes after which the same may work in a moment: another server is taking over, a lock or a connection was not to be
/// had, two transactions stood in each other's way.
const SOON: &[SqlState] = &[
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::T_R_DEADLOCK_DETECTED,
    SqlState::LOCK_NOT_AVAILABLE,
    SqlState::QUERY_CANCELED,
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::TOO_MANY_CONNECTIONS,
    SqlState::READ_ONLY_SQL_TRANSACTION,
    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
];

/// An error of the server or of the way to it. Said before a COMMIT was sent, all of them mean that nothing was written.
pub(super) fn of(error: &Error) -> StoreError {
    let Some(said) = error.as_db_error() else {
        return if error.is_closed() || is_io(error) {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            StoreError::Unavailable(format!("connection lost{cause}"))
        } else {
            // The driver's own words: a value it cannot carry, an answer it does not understand.
            StoreError::Database(error.to_string())
        };
    };
    let constraint = said.constraint().map(|name| format!(" ({name})")).unwrap_or_default();
    let text = format!("{} {}{constraint}", said.code().code(), said.message());
    match said.code() {
        code if *code == SqlState::DISK_FULL => StoreError::Full(text),
        code if SOON.contains(code) => StoreError::Unavailable(text),
        _ => StoreError::Database(text),
    }
}

/// Whether the server itself refused, as an error that ends the transaction and not the connection: then nothing of it
/// was written, even if it was the COMMIT.
pub(super) fn is_refusal(error: &Error) -> bool {
    error.as_db_error().is_some_and(|said| said.parsed_severity() == Some(Severity::Error))
}

fn is_io(error: &Error) -> bool {
    error.source().is_some_and(|source| source.is::<std::io::Error>())
}

/// Why there is no connection to be had.
pub(super) fn of_pool(error: deadpool_postgres::PoolError) -> StoreError {
    use deadpool_postgres::{HookError, PoolError};
    match error {
        PoolError::Timeout(_) => StoreError::Unavailable("no connection within the time allowed".to_owned()),
        PoolError::Backend(error) => connecting(&error),
        PoolError::PostCreateHook(HookError::Backend(error)) => connecting(&error),
        PoolError::PostCreateHook(HookError::Message(why)) => StoreError::Unavailable(why.into_owned()),
        PoolError::Closed | PoolError::NoRuntimeSpecified => StoreError::Closed,
    }
}

/// While connecting the driver has more kinds of failures, none of which has written anything.
pub(super) fn connecting(error: &Error) -> StoreError {
    match of(error) {
        // An operator has closed the database for a while (ALLOW_CONNECTIONS false).
        StoreError::Database(said) if error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => {
            StoreError::Unavailable(said)
        }
        StoreError::Database(said) if error.as_db_error().is_none() => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            StoreError::Unavailable(format!("{said}{cause}"))
        }
        said => said,
    }
}
