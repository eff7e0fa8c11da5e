//! One line with the cause and the fix, and an exit code that a supervisor can act on.

use std::fmt;
use std::process::ExitCode;

/// Exit codes, after `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A check that was asked for ran, and its answer is no.
    Above = 1,
    /// Wrong command line or configuration.
    Config = 64,
    /// A journal, ledger or keyfile that can't be read as what it should be. Don't restart: look at it.
    Data = 65,
    /// A wallet or file that isn't there.
    Missing = 66,
    /// The chain, a port, a miner, a judge or a reference isn't available. Restarting later may help.
    Unavailable = 69,
    /// A bug or an operating-system failure.
    Internal = 70,
    /// A wrong password, or the chain refused.
    Denied = 77,
}

/// Why a command ended without having done what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    pub(crate) fn config(message: impl fmt::Display) -> Self {
        Self::new(Exit::Config, message)
    }

    pub(crate) fn internal(message: impl fmt::Display) -> Self {
        Self::new(Exit::Internal, message)
    }

    /// The same once more, for the end of a command that went on.
    pub(crate) fn again(&self) -> Self {
        Self { exit: self.exit, message: self.message.clone() }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line: what libraries break over several is joined.
        let mut lines = self.message.lines().map(str::trim).filter(|line| !line.is_empty());
        f.write_str(lines.next().unwrap_or("failed"))?;
        lines.try_for_each(|line| write!(f, "; {line}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::internal(error)
    }
}

/// Adds what was being done to an error, and the exit code it deserves.
pub(crate) trait Context<T> {
    fn exit(self, exit: Exit, doing: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn exit(self, exit: Exit, doing: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, format!("{doing}: {error}")))
    }
}
