//! Miners that are honest for some epochs and pretend for others: strategies, before the real judge.

use std::fmt;
use std::str::FromStr;

use weighhouse_tasks::{Conduct, Persona, Task};

use crate::error::LocalnetError;

/// Epochs of one sort at most.
const EPOCHS_MAX: u32 = 1_000;

/// One such miner: `PERSONA:HONEST+PRETENDING`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PretendingMiner {
    /// How it pretends, by its name in the catalogue of the task's kind.
    pub persona: String,
    /// Epochs of each sort, one after the other, again and again.
    pub honest: u32,
    pub pretending: u32,
}

/// Why a strategy is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no PERSONA:HONEST+PRETENDING, of 1 to {EPOCHS_MAX} epochs each: garbage:11+1")]
pub struct StrategyError(String);

impl FromStr for PretendingMiner {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<Self, StrategyError> {
        let epochs = |text: &str| text.parse().ok().filter(|epochs| (1..=EPOCHS_MAX).contains(epochs));
        let parsed = text.split_once(':').and_then(|(persona, epochs_of)| {
            let (honest, pretending) = epochs_of.split_once('+')?;
            Some(Self {
                persona: persona.to_owned(),
                honest: epochs(honest)?,
                pretending: epochs(pretending)?,
            })
        });
        parsed.ok_or_else(|| StrategyError(text.to_owned()))
    }
}

/// As it is read, which is its name among the participants.
impl fmt::Display for PretendingMiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}+{}", self.persona, self.honest, self.pretending)
    }
}

impl PretendingMiner {
    /// Its persona, where it is asked so many times an epoch.
    pub(crate) fn persona(&self, task: &Task, asked: u32) -> Result<Persona, LocalnetError> {
        let personas = task.personas();
        let cheats = personas.iter().filter(|persona| persona.conduct == Conduct::Cheat);
        let pretends = cheats.clone().find(|persona| persona.name == self.persona).ok_or_else(|| {
            let known = cheats.map(|persona| persona.name).collect::<Vec<_>>().join(", ");
            LocalnetError::NoPretence { name: self.persona.clone(), known }
        })?;
        let honest = personas.iter().find(|persona| persona.conduct == Conduct::Honest);
        let honest =
            honest.ok_or_else(|| LocalnetError::BuiltIn("a kind without an honest persona".to_owned()))?;
        let answers = |epochs: u32| epochs.saturating_mul(asked);
        Ok(Persona::alternating((honest, answers(self.honest)), (pretends, answers(self.pretending))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_is_read_as_it_is_named() {
        let miner: PretendingMiner = "garbage:11+1".parse().expect("a strategy");
        assert_eq!(miner.to_string(), "garbage:11+1");
        for text in ["garbage", "garbage:11", "garbage:0+1", "garbage:1+1001", "garbage:a+b"] {
            assert!(text.parse::<PretendingMiner>().is_err(), "{text}");
        }
    }
}
