//! The question before money moves.

use std::io::{IsTerminal as _, Write as _};

use crate::failure::{Context, Exit, Failure};

/// True where somebody is there to answer.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal()
}

/// Goes on only after a yes.
pub(crate) fn ask() -> Result<(), Failure> {
    let ask = || {
        let mut err = std::io::stderr().lock();
        write!(err, "go on? (yes/no) ")?;
        err.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        // The whole word: a single key hit by accident must not move money.
        Ok::<_, std::io::Error>(answer.trim() == "yes")
    };
    match ask().exit(Exit::Unavailable, "can't ask")? {
        true => Ok(()),
        false => Err(Failure::new(Exit::Denied, "nothing was done")),
    }
}
