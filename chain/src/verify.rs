//! An epoch recomputed: what the chain read goes through our own Yuma, and every figure is compared with what the
//! chain stored. Emissions in rao are not compared: what an epoch distributes is known to the block alone.

use serde::{Deserialize, Serialize};
use weighhouse_types::{Block, Netuid, Neuron, Uid};
use weighhouse_yuma::{self as yuma, EpochInput, EpochOutput, Rules};

use crate::ChainError;

/// Rows of (uid, figure), one per uid.
pub type EpochRows = Vec<Vec<(u16, u16)>>;

/// All that is needed to recompute one epoch of a subnet's first mechanism, and what the chain made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochSnapshot {
    pub netuid: Netuid,
    pub rules: Rules,
    /// From the state of the block before.
    pub input: EpochInput,
    /// From the epoch's own block; position = uid.
    pub neurons: Vec<Neuron>,
    pub bonds: EpochRows,
}

/// One figure that came out otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub figure: &'static str,
    pub uid: Uid,
    pub stored: u64,
    pub computed: u64,
}

/// A recomputed epoch beside the stored one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EpochCheck {
    pub netuid: Netuid,
    pub block: Block,
    pub neurons: usize,
    /// Number of figures that were compared.
    pub compared: usize,
    pub differences: Vec<Difference>,
}

impl EpochSnapshot {
    /// Computes the epoch again.
    pub fn check(&self) -> Result<EpochCheck, ChainError> {
        let neurons = self.input.stake.len();
        // The stored rows come from a later block, which may have more neurons and never fewer.
        if self.neurons.len() < neurons || self.bonds.len() < neurons {
            return Err(ChainError::Undecodable(format!(
                "a snapshot of {neurons} neurons lacks some of them"
            )));
        }
        let output = yuma::epoch(self.rules, &self.input)
            .map_err(|error| ChainError::Undecodable(format!("the epoch's input: {error}")))?;
        let (netuid, block) = (self.netuid, Block(self.input.block));
        let mut check = EpochCheck { netuid, block, neurons, compared: 0, differences: Vec::new() };
        check.compare(&self.neurons, &self.bonds, &output);
        Ok(check)
    }
}

impl EpochCheck {
    fn compare(&mut self, stored: &[Neuron], bonds: &EpochRows, output: &EpochOutput) {
        for (index, neuron) in stored.iter().enumerate().take(self.neurons) {
            let figures = [
                ("consensus", u64::from(neuron.consensus), u64::from(output.consensus[index])),
                ("incentive", u64::from(neuron.incentive), u64::from(output.incentive[index])),
                ("dividends", u64::from(neuron.dividends), u64::from(output.dividends[index])),
                (
                    "validator_trust",
                    u64::from(neuron.validator_trust),
                    u64::from(output.validator_trust[index]),
                ),
                (
                    "validator_permit",
                    u64::from(neuron.validator_permit),
                    u64::from(output.new_permits[index]),
                ),
                ("active", u64::from(neuron.active), u64::from(output.active[index])),
            ];
            for (figure, stored, computed) in figures {
                self.note(figure, neuron.uid, stored, computed);
            }
            self.compare_bonds(neuron.uid, &bonds[index], &output.new_bonds[index]);
        }
    }

    fn compare_bonds(&mut self, uid: Uid, stored: &[(u16, u16)], computed: &[(u16, u16)]) {
        // A missing bond would otherwise pass unseen: zip ends with the shorter row.
        self.note("bonds' count", uid, stored.len() as u64, computed.len() as u64);
        for (stored, computed) in stored.iter().zip(computed) {
            let number = |(uid, bond): &(u16, u16)| u64::from(*uid) << 16 | u64::from(*bond);
            self.note("bond (uid and figure)", uid, number(stored), number(computed));
        }
    }

    fn note(&mut self, figure: &'static str, uid: Uid, stored: u64, computed: u64) {
        self.compared += 1;
        if stored != computed {
            self.differences.push(Difference { figure, uid, stored, computed });
        }
    }
}
