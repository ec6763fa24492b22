//! Secrets and personal data as types that cannot be printed.
//!
//! Job: one newtype per credential of a facility, so that a userKey can never stand where a secretKey belongs
//! (Pasal 16; a peer mixed them up), and one wrapper for personal data. Invariants: no `Display`, no `Serialize`,
//! `Debug` shows the kind only, memory is wiped on drop. Neighbours: `vault` fills them, `protocol` and `remote` read
//! them. What it does not do: encryption at rest (`vault`, `store`).

use std::fmt;

use zeroize::Zeroizing;

macro_rules! credential {
    ($(#[$doc:meta] $name:ident, $key:literal;)*) => {$(
        #[$doc]
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// The name this credential has in the vault, without a service prefix.
            pub const KEY: &'static str = $key;

            /// Wraps a value read from the vault, a prompt or a test.
            #[must_use]
            pub fn new(value: impl Into<String>) -> Self {
                Self(Zeroizing::new(value.into()))
            }

            /// The value itself: call this only where bytes are signed, sealed or sent.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

credential! {
    /// Consumer ID of the facility or its vendor: decimal digits as text (`X-cons-id`).
    ConsId, "cons_id";
    /// Consumer secret: key of the signature and part of the decryption key. Never leaves the process.
    SecretKey, "secret_key";
    /// User key of one service (`user_key` header); each service has its own.
    UserKey, "user_key";
    /// P-Care web login (`X-authorization`, first part).
    Username, "username";
    /// P-Care web password (`X-authorization`, second part); changes every two months.
    Password, "password";
}

/// Personal data (a payload, an answer, a name, a card number): usable, never printable.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Private<T>(T);

impl<T> Private<T> {
    /// Wraps a value that concerns a person.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the code that sends, compares or stores it sealed.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Gives the value up.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_value() {
        let shown = format!("{:?} {:?}", SecretKey::new("s3cr3t"), Private::new("SITI"));
        assert_eq!(shown, "SecretKey(…) Private(…)");
    }
}
