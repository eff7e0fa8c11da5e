//! A miner's pay at the next epoch, as consensus would make it of everybody's weights as they are now.

use std::fmt;

use serde::Serialize;
use weighhouse_chain::address::ChainAddress;
use weighhouse_chain::votes::{Replaced, Votes, shares, stored};
use weighhouse_types::{Block, Digest, PayStatement, Record, Uid};

use crate::commands::{chain_failure, connect};
use crate::failure::{Exit, Failure};

/// Figures are of 1.
#[derive(Debug, Serialize)]
pub(super) struct ExpectedPay {
    /// The epoch's block.
    block: Block,
    incentive: f64,
    /// Of the last epoch.
    incentive_before: f64,
    consensus: f64,
    /// The share of this validator's weights that was reckoned with.
    share: f64,
    /// The validator's expected agreement with consensus.
    vtrust: f64,
    /// The journal's vector is not on the chain yet, and was put in its place.
    vector_to_come: bool,
}

/// Asks the chain for everybody's weights.
pub(super) async fn ask(
    address: &ChainAddress,
    genesis: Option<Digest>,
    statement: &PayStatement,
    records: &[Record],
) -> Result<ExpectedPay, Failure> {
    let chain = connect(address, genesis.or(Some(statement.genesis))).await?;
    let votes =
        Votes::read_all(&*chain, statement.netuid, statement.mechanism).await.map_err(chain_failure)?;
    let missing = |why: String| Failure::new(Exit::Missing, why);
    let metagraph = &votes.state.metagraph;
    let neuron = metagraph.by_hotkey(&statement.who.hotkey);
    let neuron = neuron.filter(|neuron| neuron.registration() == statement.who);
    let neuron = neuron.ok_or_else(|| missing("it has left the subnet since".to_owned()))?;
    let validator = metagraph.by_hotkey(&statement.validator);
    let validator = validator.ok_or_else(|| missing("the validator has left the subnet since".to_owned()))?;
    let vector = weighhouse_journal::publications(records).remove(&statement.epoch);
    let vector = vector.map(|publication| stored(&publication.intent.weights));
    let on_chain = votes.of(validator.uid).map(|vote| vote.weights.clone()).unwrap_or_default();
    let to_come = vector.filter(|vector| *vector != on_chain && statement.published.is_none());
    let replaced = to_come.as_ref().map(|weights| Replaced { uid: validator.uid, weights });
    let expected = votes.expected(replaced).map_err(chain_failure)?;
    let expected = expected.ok_or_else(|| missing("the subnet runs no epochs".to_owned()))?;
    let of = |figures: &[u16], uid: Uid| unit(figures.get(uid.index()).copied().unwrap_or(0));
    let row = to_come.as_ref().unwrap_or(&on_chain);
    Ok(ExpectedPay {
        block: expected.block,
        incentive: of(&expected.incentive, neuron.uid),
        incentive_before: unit(neuron.incentive),
        consensus: of(&expected.consensus, neuron.uid),
        share: shares(row).get(&neuron.uid).copied().unwrap_or(0.0),
        vtrust: of(&expected.validator_trust, validator.uid),
        vector_to_come: to_come.is_some(),
    })
}

fn unit(figure: u16) -> f64 {
    f64::from(figure) / f64::from(u16::MAX)
}

impl fmt::Display for ExpectedPay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { block, incentive, incentive_before, consensus, share, vtrust, vector_to_come } = self;
        write!(
            f,
            "incentive {incentive:.4} at the epoch of block {block} (last {incentive_before:.4}), consensus {consensus:.4}; this \
             validator gives {:.3} % with vtrust {vtrust:.4}",
            share * 100.0
        )?;
        if *vector_to_come {
            f.write_str(", by this epoch's vector, which is yet to be shown")?;
        }
        Ok(())
    }
}
