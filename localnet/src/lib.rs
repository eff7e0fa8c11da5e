//! A localnet: ledger, validators and miners of a whole economy in one process, over real sockets, in lockstep with its
//! blocks.
//!
//! A block is produced once every validator has worked through the one before, so that the same seed gives the same
//! weights however fast the machine is. Keys, beacon and challenges follow from the seed; state lies in a folder, and a
//! killed run goes on from there. Printing is the caller's: a run tells an [`Observer`] what happens and ends with an
//! [`Account`].

mod account;
mod economy;
mod error;
mod facts;
mod guests;
mod net;
mod options;
mod pretending;
mod program;
mod report;
mod rounds;
mod state;
mod troubles;

mod copier;
mod personas;
mod served;
mod subnet;
mod trial;

pub use account::{Account, MinerTotal, Totals, ValidatorTotal};
pub use economy::Participant;
pub use error::LocalnetError;
pub use facts::{Facts, VoidRounds};
pub use guests::{GuestError, Guests};
pub use net::{Localnet, Observer};
pub use options::{DIGITS, Options, builtin_task};
pub use pretending::{PretendingMiner, StrategyError};
pub use program::ProgramError;
pub use report::{EpochReport, EpochRow};
pub use rounds::Rounds;
pub use subnet::{SavedJudge, Subnet, SubnetError, SubnetFolder, judge_of};
pub use trial::{Trial, TrialError};
pub use troubles::JudgeFault;

#[cfg(test)]
mod tests;
