//! What a miner would earn in a subnet as it is, and whether that earns the price of its registration back before
//! somebody else takes its uid.
//!
//! Pure: the caller brings the metagraph, the prices, and the share among miners that marks are worth. What can't be known
//! from outside is assumed, and every assumption is named beside the figures.

mod competition;

use std::time::Duration;

use serde::Serialize;
use weighhouse_types::{Block, Netuid, Neuron, Rao, SubnetState, Uid};

use crate::rules::pruning::{Candidate, neuron_to_prune};
use competition::candidate;

pub use competition::{Competition, Place};

#[cfg(test)]
mod tests;

const DAY_SECONDS: f64 = 86_400.0;

/// What else decides.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The miner's share of what all miners get.
    pub share: f64,
    /// Of a registration.
    pub price: Rao,
    /// Of one of the subnet's tokens, where the chain shows it.
    pub alpha_price: Option<Rao>,
    pub block_time: Option<Duration>,
    /// Epochs that pass before the first pay in full.
    pub wait_epochs: u64,
}

/// Figures in the subnet's own token unless they say TAO.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Earnings {
    pub netuid: Netuid,
    pub block: Block,
    #[serde(flatten)]
    pub place: Place,
    /// 1 for the best paid, among so many miners.
    pub rank: usize,
    pub miners: usize,
    /// Of 1.
    pub incentive: f64,
    pub epoch_alpha_rao: Rao,
    pub day_alpha_rao: Option<Rao>,
    pub price_tao_rao: Rao,
    pub alpha_price_tao_rao: Option<Rao>,
    pub wait_epochs: u64,
    /// Epochs until the price is earned back, the wait included; `None` where it never is.
    pub break_even_epochs: Option<u64>,
    pub break_even_days: Option<f64>,
    pub immunity_blocks: u64,
    pub immunity_epochs: u64,
    /// Neurons that would lose their uid before it.
    pub pruned_before: usize,
    /// It would be the next to lose its uid when its immunity ends.
    pub pruned_after_immunity: bool,
    pub assumptions: Vec<String>,
}

/// Estimates a miner's earnings.
pub fn earnings(competition: &Competition<'_>, terms: &Terms) -> Earnings {
    let Competition { state, own, place, incentives, set_apart } = competition;
    let tempo = u64::from(state.schedule.tempo);
    let incentive = terms.share * (1.0 - set_apart);
    let pool = miners_pool(state);
    let pay = Rao((incentive * pool.0 as f64) as u64);
    let others: f64 = incentives.iter().sum();
    // As the others make room in proportion, each keeps this much of its share.
    let left = if others > 0.0 { (1.0 - terms.share) / others } else { 0.0 };
    let ahead = incentives.iter().filter(|other| **other * left > terms.share).count();
    let break_even_epochs = break_even(pay, terms);
    let epochs_per_day = terms
        .block_time
        .map(|time| DAY_SECONDS / (time.as_secs_f64() * tempo as f64))
        .filter(|epochs| epochs.is_finite());
    let registered_at = own.map_or(Block(state.head.number.0.saturating_add(1)), |own| own.registered_at);
    let rank = |neuron: &Neuron| (neuron.emission, neuron.registered_at) < (pay, registered_at);
    let owner = state.metagraph.owner;
    let before = competition.others().filter(|other| Some(other.uid) != owner && rank(other));
    let immunity = u64::from(state.hyperparameters.immunity_period);
    let age = state.head.number.saturating_since(registered_at);
    let immunity_blocks = immunity.saturating_sub(age);
    Earnings {
        netuid: state.metagraph.netuid,
        block: state.head.number,
        place: *place,
        rank: ahead + 1,
        miners: incentives.len() + 1,
        incentive,
        epoch_alpha_rao: pay,
        day_alpha_rao: epochs_per_day.map(|epochs| Rao((pay.0 as f64 * epochs) as u64)),
        price_tao_rao: terms.price,
        alpha_price_tao_rao: terms.alpha_price,
        wait_epochs: terms.wait_epochs,
        break_even_epochs,
        break_even_days: break_even_epochs.zip(epochs_per_day).map(|(epochs, day)| epochs as f64 / day),
        immunity_blocks,
        immunity_epochs: immunity_blocks.checked_div(tempo).unwrap_or(0),
        pruned_before: before.count(),
        pruned_after_immunity: is_pruned(competition, pay, registered_at),
        assumptions: assumptions(competition, terms, pool),
    }
}

/// Asks the chain's own rule, in the block in which immunity is over.
fn is_pruned(competition: &Competition<'_>, pay: Rao, registered_at: Block) -> bool {
    let (state, rules) = (competition.state, &competition.state.hyperparameters);
    let uid = match competition.place {
        Place::Registered { uid } | Place::Replaces { uid } => uid,
        Place::Free | Place::None | Place::Closed => Uid(u16::MAX),
    };
    let mut candidates: Vec<Candidate> =
        competition.others().map(|neuron| candidate(state, neuron)).collect();
    candidates.push(Candidate { uid, emission: pay, registered_at, immortal: false });
    let ended = Block(registered_at.0.saturating_add(u64::from(rules.immunity_period)));
    let is_full = candidates.len() >= usize::from(rules.max_allowed_uids);
    is_full && neuron_to_prune(&candidates, ended.max(state.head.number), rules) == Some(uid)
}

/// Pay of all miners in the last epoch: half of what Yuma distributed, or all of it where no validator was paid.
fn miners_pool(state: &SubnetState) -> Rao {
    let neurons = &state.metagraph.neurons;
    let all = neurons.iter().fold(0_u64, |sum, neuron| sum.saturating_add(neuron.emission.0));
    let validators_are_paid = neurons.iter().any(|neuron| neuron.dividends > 0);
    Rao(if validators_are_paid { all / 2 } else { all })
}

fn break_even(pay: Rao, terms: &Terms) -> Option<u64> {
    let price = terms.alpha_price.unwrap_or(Rao(Rao::PER_TAO));
    let value = u128::from(pay.0) * u128::from(price.0);
    if value == 0 {
        return None;
    }
    let epochs = (u128::from(terms.price.0) * u128::from(Rao::PER_TAO)).div_ceil(value);
    Some(u64::try_from(epochs).unwrap_or(u64::MAX).saturating_add(terms.wait_epochs))
}

fn assumptions(competition: &Competition<'_>, terms: &Terms, pool: Rao) -> Vec<String> {
    let tao = weighhouse_types::tao::format;
    let mut all = vec![
        "the others keep their marks, and make room in proportion to their incentives".to_owned(),
        match pool {
            Rao(0) => "nothing was paid in the last epoch, and nothing will be".to_owned(),
            pool => format!("each epoch pays the miners {} alpha, as the last one did", tao(pool)),
        },
        "nobody else registers before immunity ends; each that does takes one of those before it".to_owned(),
    ];
    if competition.set_apart > 0.0 {
        let percent = competition.set_apart * 100.0;
        all.push(format!("{percent:.1} % of the incentive stay burned or with the subnet's owner"));
    }
    match terms.alpha_price {
        Some(price) if price != Rao(Rao::PER_TAO) => {
            all.push(format!("alpha sells at its pool's price now, {} TAO, whatever is sold", tao(price)));
        }
        Some(_) => {}
        None => all.push("the chain shows no price of alpha: 1 alpha is counted as 1 TAO".to_owned()),
    }
    match terms.block_time {
        Some(time) => all.push(format!("a block takes {} s", time.as_secs_f64())),
        None => all.push("blocks come on demand: nothing can be said of days".to_owned()),
    }
    all
}
