//! Faults, sorted in one place by whose they are and what follows. A peer's fault is no error: it is a judgement.

use weighhouse_chain::ChainError;
use weighhouse_seams::PoolError;
use weighhouse_tasks::TaskError;
use weighhouse_tasks::witness::WitnessError;
use weighhouse_types::VoidCause;

use crate::error::ValidatorError;

/// Whose an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The chain's, which passes: the whole step is tried again.
    Passing,
    /// Our own trouble with a round: what was asked is held back and tried again at each block, and void at the epoch's last
    /// chance.
    Ours(VoidCause),
    /// One question's, whoever looks at the answer and whenever: void for whoever was asked it, and for nobody else.
    Question(VoidCause),
    /// Of our state or configuration: the role ends, for a person to look.
    Fatal,
}

impl ValidatorError {
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Chain(ChainError::WrongGenesis { .. } | ChainError::State { .. }) => Fault::Fatal,
            Self::Chain(_) => Fault::Passing,
            Self::Pool(PoolError::Full) => Fault::Ours(VoidCause::Capacity),
            Self::Pool(PoolError::Panicked) => Fault::Fatal,
            Self::Task(error) => of_task(error),
            Self::Unheard { .. } | Self::CutOff { .. } => Fault::Ours(VoidCause::Network),
            Self::Canary { .. } => Fault::Ours(VoidCause::Canary),
            Self::NotRegistered { .. }
            | Self::Journal(_)
            | Self::Moved(_)
            | Self::Start(_)
            | Self::ScoredElsewhere { .. }
            | Self::LogKey { .. }
            | Self::Weigh(_)
            | Self::Policy(_) => Fault::Fatal,
        }
    }

    /// Tells whether the whole step is tried again.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.fault(), Fault::Passing | Fault::Ours(VoidCause::Capacity))
    }
}

/// Tells whether trouble of ours has nothing to do with what was asked, so that asking anything else meets it too.
pub(crate) fn is_away(error: &ValidatorError) -> bool {
    match error {
        ValidatorError::Task(error) => matches!(error, TaskError::Witness(WitnessError::Away(_))),
        ValidatorError::Pool(error) => *error == PoolError::Full,
        _ => false,
    }
}

/// No wildcard: whoever adds an error has to say whose it is.
pub(crate) fn of_task(error: &TaskError) -> Fault {
    match error {
        TaskError::File(_)
        | TaskError::WrongReference { .. }
        | TaskError::WrongLanguage { .. }
        | TaskError::JudgeVersion { .. }
        | TaskError::Request(_) => Fault::Fatal,
        TaskError::Witness(WitnessError::Context { .. } | WitnessError::Answer(_)) => {
            Fault::Question(VoidCause::Reference)
        }
        TaskError::Witness(
            WitnessError::Away(_)
            | WitnessError::Refused(_)
            | WitnessError::Model(_)
            | WitnessError::GreedyOnly,
        )
        | TaskError::Model(_)
        | TaskError::Reference(_)
        | TaskError::NoReference => Fault::Ours(VoidCause::Reference),
        TaskError::Judge(_)
        | TaskError::NoJudge
        | TaskError::Count { .. }
        | TaskError::Mismatch { .. }
        | TaskError::Rows { .. }
        | TaskError::Tokens { .. }
        | TaskError::NotAlone { .. }
        | TaskError::NoTestimony => Fault::Ours(VoidCause::Judge),
    }
}
