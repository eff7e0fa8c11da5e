//! Work in units that anybody may do: what `attack`, `redteam` and `tune` ask for, who answers, and answers from elsewhere.
//!
//! A unit's answer is a function of the work and the unit alone, so that a result doesn't depend on who answered which
//! unit, when, or how often. [`Local`] answers on this process's threads; [`Carried`] has units carried elsewhere as JSON.

use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Something that falls into units.
pub trait Work: Sync {
    type Unit: Serialize + DeserializeOwned + Send + Sync;
    type Answer: Serialize + DeserializeOwned + Send;
    type Error: std::fmt::Display + Send;

    /// Answers one unit.
    ///
    /// # Errors
    /// What makes the unit impossible.
    fn answer(&self, unit: &Self::Unit) -> Result<Self::Answer, Self::Error>;
}

/// An answer for each unit, in their order.
pub type Answers<W> = Vec<Result<<W as Work>::Answer, <W as Work>::Error>>;

/// Whoever gets units answered.
pub trait Hands {
    /// Answers all units, in their order.
    ///
    /// # Errors
    /// [`Stopped`] where nobody waits for the answers any more.
    fn all<W: Work>(&self, work: &W, units: &[W::Unit]) -> Result<Answers<W>, Stopped>;
}

/// The work was called off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped before the end")]
pub struct Stopped;

/// All threads of the current rayon pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

impl Hands for Local {
    fn all<W: Work>(&self, work: &W, units: &[W::Unit]) -> Result<Answers<W>, Stopped> {
        Ok(units.par_iter().map(|unit| work.answer(unit)).collect())
    }
}

/// A unit's answer as it travels.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Reply<T> {
    Answer(T),
    Refused(String),
}

/// Answers a unit in its JSON form with a reply in its JSON form.
///
/// # Errors
/// A text that is no unit of this work.
pub fn reply<W: Work>(work: &W, unit: &str) -> Result<String, serde_json::Error> {
    let unit: W::Unit = serde_json::from_str(unit)?;
    let reply = match work.answer(&unit) {
        Ok(answer) => Reply::Answer(answer),
        Err(error) => Reply::Refused(error.to_string()),
    };
    serde_json::to_string(&reply)
}

/// Units carried elsewhere: the closure takes their JSON forms and gives the replies in the same order.
#[derive(Clone, Copy, Debug)]
pub struct Carried<F>(pub F);

impl<F: Fn(Vec<String>) -> Result<Vec<String>, Stopped>> Hands for Carried<F> {
    fn all<W: Work>(&self, work: &W, units: &[W::Unit]) -> Result<Answers<W>, Stopped> {
        let sent = units.iter().map(|unit| serde_json::to_string(unit).expect("a unit has a JSON form"));
        let replies = (self.0)(sent.collect())?;
        if replies.len() != units.len() {
            return Err(Stopped);
        }
        let read = |(unit, reply): (&W::Unit, String)| match serde_json::from_str(&reply) {
            Ok(Reply::Answer(answer)) => Ok(answer),
            // Worked out here once more: the refusal has its type again, and a figure that JSON can't hold its value.
            Ok(Reply::Refused(_)) | Err(_) => work.answer(unit),
        };
        Ok(units.iter().zip(replies).map(read).collect())
    }
}
