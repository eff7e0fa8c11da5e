//! `weighhouse localnet`: the whole economy in one process, over real sockets, in lockstep with its blocks.
//!
//! A block is produced once every validator has worked through the one before, so that the same seed gives the same
//! weights however fast the machine is. State lies in `--dir`; a killed run goes on from there.

mod copier;
mod economy;
mod personas;
mod report;
mod run;
mod served;
mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

pub(crate) use run::run;

/// Run ledger, validators and miners in one process and print each epoch's outcome.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  weighhouse localnet                                  until Ctrl-C
  weighhouse localnet --epochs 5 --mode quality        a better model earns most
  weighhouse localnet --epochs 3 --json | tail -n 1    who earned what, for machines
  weighhouse localnet --commit-reveal --epochs 5       as on Bittensor: weights stay hidden for an epoch
  weighhouse localnet --task generate                  completions by a language model, honest and faked
  weighhouse localnet --task generate --model ./model  by a model of yours
  weighhouse localnet --task embed --model ./encoder   embeddings
  weighhouse localnet --dir ./net                      keep the state; run again to resume")]
pub(crate) struct Localnet {
    /// What miners do: read digits, complete texts, or embed them
    #[arg(long, value_enum, default_value_t = Work::Digits)]
    task: Work,
    /// The agreed model: a folder or OWNER/NAME of the Hugging Face hub. --task generate has one built in, --task embed
    /// needs one
    #[arg(long, value_name = "MODEL", required_if_eq("task", "embed"))]
    model: Option<String>,
    /// A weaker model for the weak miner of --task generate; else it serves the --model rounded to 8 bits
    #[arg(long, value_name = "MODEL", requires = "model")]
    weak: Option<String>,
    /// What is paid: fidelity to the reference model, or, of digits, quality against the truth
    #[arg(long, value_enum, default_value_t = Mode::Conformance)]
    mode: Mode,
    /// Weights are committed under a timelock, and the chain opens them in the epoch after: nobody copies them in time
    #[arg(long)]
    commit_reveal: bool,
    /// End after so many epochs of this run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// Keys, beacon and challenges follow from it; a kept state has its own
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Keep the state here and resume from it; a temporary folder otherwise
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// One JSON object per epoch, and a last one with everybody's earnings
    #[arg(long)]
    json: bool,
}

/// What miners do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    #[default]
    Digits,
    Generate,
    Embed,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Generate => "generate",
            Self::Embed => "embed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Conformance,
    Quality,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Conformance => "conformance",
            Self::Quality => "quality",
        }
    }
}
