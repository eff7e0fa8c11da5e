//! The choices of a kept state, written once beside it.

use std::path::PathBuf;

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use weighhouse_seams::{DirStorage, Entropy, Storage};
use weighhouse_types::profile::Paid;

use crate::error::LocalnetError;
use crate::guests::Guests;
use crate::options::{DIGITS, Options};

/// The file's name in the state's folder.
const NAME: &str = "localnet.json";

/// The choices that a state was made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptState {
    pub(crate) seed: u64,
    pub(crate) mode: Paid,
    #[serde(default = "digits")]
    pub(crate) task: String,
    #[serde(default)]
    pub(crate) commit_reveal: bool,
    /// Files of the user's own miners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) with: Vec<PathBuf>,
    /// Miners of the user's own, where there are others than the files' names say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cast: Vec<String>,
}

fn digits() -> String {
    DIGITS.to_owned()
}

impl KeptState {
    /// Reads the choices of a kept state, which must be those that are asked for; a new state keeps them.
    pub(crate) fn settle(
        root: &DirStorage,
        options: &Options,
        mode: Paid,
        guests: &Guests,
    ) -> Result<Self, LocalnetError> {
        let (with, personas) = (guests.files().to_vec(), guests.personas().skip(guests.files().len()));
        let cast: Vec<String> = personas.map(ToOwned::to_owned).collect();
        let path = root.describe(NAME);
        if let Some(bytes) = root.read(NAME)? {
            let kept: Self = serde_json::from_slice(&bytes)
                .map_err(|source| LocalnetError::DamagedState { path: path.clone(), source })?;
            // Another seed or mode would go on with keys and weights that were never its own.
            return if kept.is_for(options, mode) && (&kept.with, &kept.cast) == (&with, &cast) {
                Ok(kept)
            } else {
                Err(LocalnetError::OtherState { path, made_with: kept.flags() })
            };
        }
        let seed = options.seed.unwrap_or_else(|| Entropy::system().next_u32().into());
        let (task, commit_reveal) = (options.task.clone(), options.commit_reveal);
        let kept = Self { seed, mode, task, commit_reveal, with, cast };
        let bytes = serde_json::to_vec(&kept).expect("numbers, names and a switch are JSON");
        root.write_atomic(NAME, &bytes)?;
        Ok(kept)
    }

    fn is_for(&self, options: &Options, mode: Paid) -> bool {
        options.seed.is_none_or(|seed| seed == self.seed)
            && (self.mode, &self.task, self.commit_reveal) == (mode, &options.task, options.commit_reveal)
    }

    /// The command line that makes such a state.
    fn flags(&self) -> String {
        let hidden = if self.commit_reveal { " --commit-reveal" } else { "" };
        let with: String = self.with.iter().map(|file| format!(" --with {}", file.display())).collect();
        let Self { seed, mode, task, cast, .. } = self;
        if cast.is_empty() {
            return format!("--seed {seed} --mode {} --task {task}{hidden}{with}", mode.name());
        }
        format!("--seed {seed} --subnet {task}{hidden}{with} and the miners {}", cast.join(", "))
    }
}
