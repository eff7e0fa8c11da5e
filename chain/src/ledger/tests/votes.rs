//! Rows of weights as they are read, and the next epoch as it is foretold from them, on the ledger.

use super::super::*;
use super::world::*;
use crate::votes::{Replaced, Votes};
use weighhouse_yuma::max_upscale;

async fn voted(weights_of: &[(u8, &[(u16, u16)])]) -> Ledger {
    let genesis = Genesis::new(file()).expect("valid");
    let ledger = Ledger::in_memory(&genesis, clock(), &mut entropy()).expect("opens");
    for (signer, row) in weights_of {
        let outcome = execute(&ledger, &key(1 + signer), weights(row)).await;
        assert!(matches!(outcome, CallOutcome::Included { .. }), "{outcome:?}");
    }
    ledger
}

#[tokio::test]
async fn what_is_foretold_is_what_the_epoch_computes() {
    let ledger = voted(&[(0, &[(2, 30), (3, 70)]), (1, &[(2, 60), (4, 40)])]).await;
    let votes = Votes::read_all(&ledger, NETUID, MechId(0)).await.expect("read");
    let foretold = votes.expected(None).expect("an epoch").expect("it runs");
    while ledger.head().await.expect("a head").number < foretold.block {
        ledger.produce_block().await.expect("a block");
    }
    let state = ledger.subnet(NETUID).await.expect("a subnet");
    let neurons = &state.metagraph.neurons;
    let shown = |read: fn(&weighhouse_types::Neuron) -> u16| neurons.iter().map(read).collect::<Vec<_>>();
    assert_eq!(state.schedule.last_epoch_block, foretold.block);
    assert_eq!(foretold.validator_trust, shown(|neuron| neuron.validator_trust));
    assert_eq!(foretold.incentive, shown(|neuron| neuron.incentive));
    assert_eq!(foretold.consensus, shown(|neuron| neuron.consensus));
    assert_eq!(foretold.dividends, shown(|neuron| neuron.dividends));
    assert!(foretold.validator_trust[0] < u16::MAX, "they differ, so that somebody is above consensus");
}

#[tokio::test]
async fn a_row_in_anothers_place_is_what_would_be_if_it_were_set() {
    let ledger = voted(&[(0, &[(2, 30), (3, 70)]), (1, &[(2, 60), (4, 40)])]).await;
    let votes = Votes::read_all(&ledger, NETUID, MechId(0)).await.expect("read");
    let agreeing = &votes.of(Uid(1)).expect("a validator").weights;
    let replaced = Replaced { uid: Uid(0), weights: agreeing };
    let foretold = votes.expected(Some(replaced)).expect("an epoch").expect("it runs");
    let trust = &foretold.validator_trust;
    assert!(trust[0] > 65_000 && trust[0] == trust[1], "two equal rows are consensus: {trust:?}");
    let as_it_is = votes.expected(None).expect("an epoch").expect("it runs");
    assert_ne!(foretold.incentive, as_it_is.incentive);
    assert_eq!(foretold.incentive[3], 0, "nobody votes for it any more");
}

#[tokio::test]
async fn rows_are_those_of_validators_or_of_whoever_is_asked_for() {
    let ledger = voted(&[(0, &[(2, 30), (3, 60)])]).await;
    let all = Votes::read(&ledger, NETUID, MechId(0), None).await.expect("read");
    let uids: Vec<u16> = all.votes.iter().map(|vote| vote.uid.0).collect();
    assert_eq!(uids, [0, 1]);
    let (set, unset) = (&all.votes[0], &all.votes[1]);
    let stored: Vec<_> = [Uid(2), Uid(3)].into_iter().zip(max_upscale(&[30, 60])).collect();
    assert_eq!((&set.weights, unset.weights.len()), (&stored, 0));
    assert_eq!(set.age_blocks, all.state.head.number.0 - set.last_update.0);
    let asked = Votes::read(&ledger, NETUID, MechId(0), Some(&[Uid(3)])).await.expect("read");
    assert_eq!((asked.votes.len(), asked.votes[0].validator_permit), (1, false));
}
