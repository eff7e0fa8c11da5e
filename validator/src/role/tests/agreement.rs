//! Honest validators agree, whatever each of them has seen before.

use std::path::Path;
use std::sync::Arc;

use weighhouse_chain::Chain as _;
use weighhouse_seams::CpuPool;
use weighhouse_types::{MechId, Uid};

use crate::parts::Parts;
use crate::role::Validator;
use crate::testing::{Behaviour, NETUID, World, validators};

const VALIDATORS: usize = 3;
/// 0.97 of all.
const VTRUST_MIN: u16 = 63_569;

fn parts(world: &World, dir: &Path, at: usize) -> Parts {
    let keypair = validators(VALIDATORS).swap_remove(at);
    let cpu = CpuPool::new(1 << at, 64);
    Parts { keypair: Arc::new(keypair), cpu, ..world.parts(&dir.join(at.to_string())) }
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_validators_of_other_histories_starts_and_threads_trust_each_other() {
    use Behaviour::{Forger, Gone, Honest, Reforms};
    // Of the fourth miner, the first validator alone has seen wrong answers.
    let behaviours = [Honest, Gone, Honest, Reforms(6), Forger, Honest];
    let world = World::with_validators(VALIDATORS, &behaviours).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut opened = Vec::new();
    // One after the other, each alone, from another block of its epoch on.
    for (at, blocks) in [26, 31, 20].into_iter().enumerate() {
        let mut validator = Validator::open(parts(&world, dir.path(), at)).await.expect("opened");
        for _ in 0..blocks {
            validator.step().await.expect("a step");
            world.ledger.produce_block().await.expect("a block");
        }
        opened.push(validator);
    }
    let weight = world.ledger.weights(NETUID, MechId(0), Uid(0)).await.expect("weights");
    assert!(weight.iter().all(|(uid, _)| *uid != Uid(4)), "{weight:?}");
    // Then together: the first of these epochs is half over.
    for _ in 0..26 {
        for validator in &mut opened {
            validator.step().await.expect("a step");
        }
        world.ledger.produce_block().await.expect("a block");
    }
    let state = world.ledger.subnet(NETUID).await.expect("the subnet");
    for validator in validators(VALIDATORS) {
        let neuron = state.metagraph.by_hotkey(&validator.hotkey()).expect("registered");
        assert!(neuron.validator_trust >= VTRUST_MIN, "{}: {}", neuron.uid, neuron.validator_trust);
    }
}
