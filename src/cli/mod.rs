//! The commands: one file each, taking parsed arguments and a console.
//!
//! Job: turn arguments into calls and results into words. Invariants: what a command says goes through [`Console`], so
//! that tests can listen; a secret is printed by `client add` only, once. Neighbours: `main` parses and maps errors to
//! exit codes. What it does not do: business rules.

/// Prints a line of results; a reader that has gone away (`| head`) is no error.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        drop(writeln!(std::io::stdout().lock(), $($text)*));
    }};
}

pub mod api;
pub mod audit;
mod bench;
pub mod books;
pub mod catalogue;
pub mod check;
pub mod client;
pub mod demo;
pub mod keep;
pub mod obligations;
pub mod outage;
pub mod pause;
pub mod queue;
pub mod reconcile;
pub mod report;
pub mod root;
pub mod serve;
pub mod simulate;
pub mod status;
pub mod store;
pub mod uat;
pub mod vault;
mod words;

use std::io::{BufRead, BufReader, Read, Write};

use zeroize::Zeroizing;

use crate::vault::VaultError;

/// The language of texts for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Bahasa Indonesia.
    #[default]
    Indonesian,
    /// English.
    English,
}

impl Language {
    /// Picks one of two texts.
    #[must_use]
    pub const fn pick<'a>(self, indonesian: &'a str, english: &'a str) -> &'a str {
        match self {
            Self::Indonesian => indonesian,
            Self::English => english,
        }
    }
}

/// Where a command reads and writes.
pub struct Console<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Whether a person sits at standard input; then secrets are asked for without echo.
    pub input_is_terminal: bool,
    /// Results.
    pub output: &'a mut dyn Write,
    /// Remarks and warnings.
    pub errors: &'a mut dyn Write,
    /// The language of both.
    pub language: Language,
}

impl std::fmt::Debug for Console<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("language", &self.language).finish_non_exhaustive()
    }
}

impl Console<'_> {
    /// A line of results.
    ///
    /// # Errors
    /// The stream is broken.
    pub fn say(&mut self, text: &str) -> Result<(), VaultError> {
        writeln!(self.output, "{text}").map_err(|error| VaultError::stream(&error))
    }

    /// A line of remarks, off the results.
    ///
    /// # Errors
    /// The stream is broken.
    pub fn remark(&mut self, indonesian: &str, english: &str) -> Result<(), VaultError> {
        let text = self.language.pick(indonesian, english);
        writeln!(self.errors, "{text}").map_err(|error| VaultError::stream(&error))
    }

    /// A result as JSON on one line.
    ///
    /// # Errors
    /// The stream is broken.
    pub fn json(&mut self, value: &serde_json::Value) -> Result<(), VaultError> {
        self.say(&value.to_string())
    }

    /// All of standard input, at most 1 MiB.
    ///
    /// # Errors
    /// The stream is broken.
    pub fn read_all(&mut self) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        // Room from the start: a growing buffer leaves copies of secrets behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
        let mut limited = (&mut *self.input).take(1024 * 1024);
        limited.read_to_end(&mut bytes).map_err(|error| VaultError::stream(&error))?;
        Ok(bytes)
    }

    /// A passphrase: hidden from the terminal, or the first line of standard input.
    ///
    /// # Errors
    /// Nothing could be read.
    pub fn passphrase(&mut self, indonesian: &str, english: &str) -> Result<Zeroizing<String>, VaultError> {
        if self.input_is_terminal {
            return hidden(self.language.pick(indonesian, english));
        }
        let mut line = Zeroizing::new(String::with_capacity(1024));
        let mut limited = BufReader::with_capacity(1024, (&mut *self.input).take(1024));
        limited.read_line(&mut line).map_err(|error| VaultError::Passphrase { kind: error.kind() })?;
        let end = line.trim_end_matches(['\r', '\n']).len();
        line.truncate(end);
        Ok(line)
    }
}

/// Asks on the terminal without echo.
fn hidden(prompt: &str) -> Result<Zeroizing<String>, VaultError> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| VaultError::Passphrase { kind: error.kind() })
}
