//! What one validator's judgements of an epoch came to for one miner: every verdict, the weight, and what each check cost.

mod sentence;

use serde::{Deserialize, Serialize};

use crate::{
    Block, Digest, Epoch, Hotkey, Mark, MechId, Metagraph, Netuid, Rao, Reason, RegistrationId, Uid,
};

/// One miner's statement of an epoch. Amounts without a unit are billionths, and shares are of all of the validator's weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayStatement {
    pub genesis: Digest,
    pub netuid: Netuid,
    pub mechanism: MechId,
    pub epoch: Epoch,
    /// Whose judgements these are.
    pub validator: Hotkey,
    pub uid: Uid,
    pub who: RegistrationId,
    /// The kind of task that the epoch asked.
    pub task: String,
    /// The block at which the chain showed the epoch's weights; `None` where it hasn't yet.
    pub published: Option<Block>,
    /// Number of verdicts.
    pub answers: u32,
    /// Worth of an answer that was accepted: the mean of those that were, else 1.
    pub accepted_worth: Mark,
    /// The average that was carried in, if any.
    pub carried: Option<i64>,
    /// The signed average at the epoch's end, and the score that the policy makes of it.
    pub average: i64,
    pub score: u64,
    /// Whether and why the score counts: `scored`, `on_probation`.
    pub rating: String,
    /// What the records say of the miner, in words.
    pub reasons: String,
    /// The weight in the validator's vector; `None` where there is none.
    pub weight: Option<u16>,
    /// Why there is no vector.
    pub abstains: Option<String>,
    pub share: u64,
    /// The share, had no check cost anything.
    pub share_without: u64,
    /// The costliest first. Together they are [`PayStatement::share_without`] less [`PayStatement::share`].
    pub losses: Vec<Loss>,
    /// What the chain paid the subnet's miners, where that is known.
    pub pay: Option<SubnetPay>,
    /// The verdicts, in the order of their rounds.
    pub verdicts: Vec<JudgedAnswer>,
    /// Verdicts that are left out of the list, on answers that lost nothing first.
    pub omitted: u32,
}

/// One check's cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The check: [`Reason::code`], or `late`, `unchecked`, `alike`.
    pub check: String,
    /// The same in words.
    pub phrase: String,
    pub answers: u32,
    /// Marks that an answer's worth would have added, all answers together.
    pub marks: i64,
    /// Its part of the share that was lost: what undoing it adds once the losses before it in the list are undone.
    pub lost: i64,
    /// The share, had this check alone cost nothing.
    pub share_without: u64,
    pub example: Option<LossExample>,
}

/// The first answer that a check cost something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossExample {
    pub asked_in: Epoch,
    pub round: u32,
    pub text: String,
}

/// One verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedAnswer {
    /// The epoch that asked: an earlier one where the truth came later.
    pub asked_in: Epoch,
    pub round: u32,
    pub challenge: Digest,
    pub mark: Mark,
    /// False where it was taken without a check.
    pub checked: bool,
    pub reasons: Vec<ToldReason>,
    /// `None` where nothing judgeable came back.
    pub latency_us: Option<u64>,
}

/// A reason by its name and in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldReason {
    /// [`Reason::code`].
    pub code: String,
    pub text: String,
}

impl From<&Reason> for ToldReason {
    fn from(reason: &Reason) -> Self {
        Self { code: reason.code(), text: reason.to_string() }
    }
}

/// What the chain paid for an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetPay {
    /// The epoch whose first block showed it.
    pub shown_in: Epoch,
    /// To all miners together, in the subnet's own token.
    pub miners: Rao,
    /// To this miner.
    pub own: Rao,
}

impl SubnetPay {
    /// Reads a metagraph: its emissions are those of the epoch that ended last. A neuron's emission is not told apart into
    /// incentive and dividends, so what miners got in all is scaled up from those who get no dividends; `None` where there
    /// are none with an incentive.
    pub fn of(shown_in: Epoch, metagraph: &Metagraph, who: &RegistrationId) -> Option<Self> {
        let incentive = |all: bool| {
            let counted = metagraph.neurons.iter().filter(|neuron| all || neuron.dividends == 0);
            counted.map(|neuron| u128::from(neuron.incentive)).sum::<u128>()
        };
        let paid = metagraph.neurons.iter().filter(|neuron| neuron.dividends == 0 && neuron.incentive > 0);
        let paid: u128 = paid.map(|neuron| u128::from(neuron.emission.0)).sum();
        let miners = (paid * incentive(true)).checked_div(incentive(false))?;
        let own = metagraph.by_hotkey(&who.hotkey).filter(|neuron| neuron.registration() == *who);
        let own = own.map_or(Rao(0), |neuron| neuron.emission);
        Some(Self { shown_in, miners: Rao(u64::try_from(miners).ok()?), own })
    }

    /// The part of the miners' pay that a share in billionths is.
    fn part(&self, share: u64) -> Rao {
        let part = u128::from(self.miners.0) * u128::from(share) / 1_000_000_000;
        Rao(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;
