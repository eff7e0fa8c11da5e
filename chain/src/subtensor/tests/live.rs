//! The real runtime under chopsticks, at the address in `WEIGHHOUSE_SUBTENSOR_URL`: from registration to an epoch, with
//! figures that were computed by the runtime. It starts from the development chain's genesis, in manual mode.

use std::time::{Duration, Instant};

use weighhouse_types::{Axon, Block, Hotkey, MechId, Netuid, Rao, SubnetState, Uid};
use weighhouse_wallet::keypair::Keypair;

use super::metadata::skipped;
use super::suite;
use crate::conformance::{Actor, Actors};
use crate::subtensor::{Development, Network, Subtensor};
use crate::{Call, CallOutcome, Chain, ChainError, Event, Refusal, SetWeights, SignedCall, preflight};

const URL: &str = "WEIGHHOUSE_SUBTENSOR_URL";
const NEWCOMER: &str = "New";
const TAO: u64 = 1_000_000_000;

struct Neuron {
    cold: Keypair,
    hot: Keypair,
}

fn pair(uri: &str) -> Keypair {
    Keypair::from_uri(uri).expect("a development key")
}

fn neuron(kind: &str, index: usize) -> Neuron {
    Neuron { cold: pair(&format!("//{kind}Cold{index}")), hot: pair(&format!("//{kind}Hot{index}")) }
}

struct Bench {
    development: Development,
    chain: Subtensor,
    netuid: Netuid,
}

impl Bench {
    async fn block(&self) {
        self.development.block().await.expect("a block");
    }

    async fn blocks(&self, count: usize) {
        self.development.blocks(count).await.expect("blocks");
    }

    async fn include(&self, signed: &[SignedCall]) -> Vec<CallOutcome> {
        self.development.include(signed).await.expect("outcomes")
    }

    async fn all(&self, calls: Vec<(&Keypair, Call)>) -> Vec<CallOutcome> {
        self.development.all(calls).await.expect("outcomes")
    }

    async fn state(&self) -> SubnetState {
        self.chain.subnet(self.netuid).await.expect("the subnet")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_lives_on_the_real_runtime() {
    let Ok(url) = std::env::var(URL) else { return skipped(&format!("{URL} is not set")) };
    let network: Network = url.parse().expect("an address");
    let alice = pair("//Alice");
    let validators: Vec<Neuron> = (0..3).map(|index| neuron("Val", index)).collect();
    let miners: Vec<Neuron> = (0..4).map(|index| neuron("Min", index)).collect();
    let neurons: Vec<Neuron> =
        (0..3).map(|index| neuron("Val", index)).chain((0..4).map(|index| neuron("Min", index))).collect();
    let development = Development::connect(&network, pair("//Alice")).await.expect("connected");
    let chain = development.chain.clone();
    assert_eq!(chain.spec_version().await.expect("a version"), 293);
    let newcomer = neuron(NEWCOMER, 0);
    let keys = neurons.iter().chain([&newcomer]).flat_map(|neuron| [&neuron.cold, &neuron.hot]);
    let accounts: Vec<_> = keys.map(|key| key.coldkey()).collect();
    development.endow(&accounts).await.expect("balances");
    let netuid = development.make_subnet(10).await.expect("a subnet");
    let bench = Bench { development, chain, netuid };

    registrations(&bench, &neurons).await;
    stakes_and_axons(&bench, &validators, &miners).await;
    too_early(&bench, &validators[0]).await;
    bench.blocks(11).await;
    weights_and_epoch(&bench, &validators, &miners).await;
    other_calls(&bench, &validators[0], &miners[0]).await;

    let actor = |neuron: Neuron| Actor { hotkey: neuron.hot, coldkey: neuron.cold };
    let actors = Actors {
        netuid: bench.netuid,
        owner: Some(alice),
        validators: validators.into_iter().map(actor).collect(),
        miners: miners.into_iter().map(actor).collect(),
        newcomer: Some(actor(neuron(NEWCOMER, 0))),
    };
    suite::passes(&bench.chain, network, &actors).await;
}

async fn registrations(bench: &Bench, neurons: &[Neuron]) {
    let burn = bench.chain.burn(bench.netuid).await.expect("a price");
    let dear =
        Call::Register { netuid: bench.netuid, hotkey: neurons[0].hot.hotkey(), limit: Rao(burn.0 - 1) };
    let refused = bench.chain.sign(&neurons[0].cold, dear).await;
    assert!(
        matches!(refused, Err(ChainError::Refused(Refusal::RegistrationPriceLimitExceeded { burn: now })) if now == burn)
    );
    let register = |neuron: &Neuron| Call::Register {
        netuid: Netuid(2),
        hotkey: neuron.hot.hotkey(),
        limit: Rao(burn.0 * 10),
    };
    let calls = neurons.iter().map(|neuron| (&neuron.cold, register(neuron))).collect();
    let outcomes = bench.all(calls).await;
    for (outcome, neuron) in outcomes.iter().zip(neurons) {
        let CallOutcome::Included { events, .. } = outcome else { panic!("{outcome:?}") };
        let registered = events.iter().any(
            |event| matches!(event, Event::NeuronRegistered { hotkey, .. } if *hotkey == neuron.hot.hotkey()),
        );
        assert!(registered, "{events:?}");
    }
    let state = bench.state().await;
    let order: Vec<Hotkey> = state.metagraph.neurons.iter().skip(1).map(|neuron| neuron.hotkey).collect();
    assert_eq!(order.len(), neurons.len());
    for neuron in neurons {
        let row = state.metagraph.by_hotkey(&neuron.hot.hotkey()).expect("registered");
        assert_eq!((row.coldkey, row.registered_at), (neuron.cold.coldkey(), state.head.number));
    }
}

async fn stakes_and_axons(bench: &Bench, validators: &[Neuron], miners: &[Neuron]) {
    let calls = validators.iter().zip([100, 60, 30]).map(|(validator, tao)| {
        let hotkey = validator.hot.hotkey();
        (&validator.cold, Call::AddStake { netuid: bench.netuid, hotkey, amount: Rao(tao * TAO) })
    });
    let outcomes = bench.all(calls.collect()).await;
    for outcome in &outcomes {
        let CallOutcome::Included { events, .. } = outcome else { panic!("{outcome:?}") };
        assert!(events.iter().any(|event| matches!(event, Event::StakeAdded { .. })), "{events:?}");
    }
    let axon = |index: u16| Axon::new(([10, 0, 0, 7], 9000 + index).into(), 1, Block(0));
    let calls = miners
        .iter()
        .zip(0..)
        .map(|(miner, index)| (&miner.hot, Call::ServeAxon { netuid: bench.netuid, axon: axon(index) }));
    let outcomes = bench.all(calls.collect()).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, CallOutcome::Included { .. })), "{outcomes:?}");
    let state = bench.state().await;
    for (miner, index) in miners.iter().zip(0..) {
        let served =
            state.metagraph.by_hotkey(&miner.hot.hotkey()).and_then(|row| row.axon).expect("an axon");
        assert_eq!(served.address(), axon(index).address());
        assert_eq!(served.block, state.head.number);
    }
}

fn vector(bench: &Bench, values: [u16; 4]) -> SetWeights {
    let uids = (4..8).map(Uid).collect();
    SetWeights { netuid: bench.netuid, mechanism: MechId(0), uids, values: values.to_vec(), version_key: 0 }
}

/// Before the first epoch nobody has a permit: the local check and the runtime say so alike.
async fn too_early(bench: &Bench, validator: &Neuron) {
    let call = vector(bench, [1, 1, 1, 1]);
    let state = bench.state().await;
    assert_eq!(preflight(&state, &validator.hot.hotkey(), &call), Err(Refusal::NeuronNoValidatorPermit));
    let outcomes = bench.all(vec![(&validator.hot, Call::SetWeights(call))]).await;
    let [CallOutcome::Refused { refusal, .. }] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(*refusal, Refusal::NeuronNoValidatorPermit);
}

async fn weights_and_epoch(bench: &Bench, validators: &[Neuron], miners: &[Neuron]) {
    let state = bench.state().await;
    let uids: Vec<Uid> = miners
        .iter()
        .map(|miner| state.metagraph.by_hotkey(&miner.hot.hotkey()).expect("a uid").uid)
        .collect();
    assert_eq!(uids, (4..8).map(Uid).collect::<Vec<_>>());
    let vectors = [[40_000, 20_000, 10_000, 0], [38_000, 22_000, 9_000, 500], [1_000, 1_000, 1_000, 65_000]];
    let mut calls = Vec::new();
    for (validator, values) in validators.iter().zip(vectors) {
        let call = vector(bench, values);
        assert_eq!(preflight(&state, &validator.hot.hotkey(), &call), Ok(()));
        calls.push((&validator.hot, Call::SetWeights(call)));
    }
    let outcomes = bench.all(calls).await;
    for outcome in &outcomes {
        let CallOutcome::Included { events, .. } = outcome else { panic!("{outcome:?}") };
        assert!(events.iter().any(|event| matches!(event, Event::WeightsSet { .. })), "{events:?}");
    }
    let stored = bench.chain.weights(bench.netuid, MechId(0), Uid(1)).await.expect("weights");
    let expected = weighhouse_yuma::max_upscale(&vectors[0]);
    assert_eq!(stored, uids.iter().copied().zip(expected).collect::<Vec<_>>());

    let next = bench.state().await.schedule.next_epoch_block().expect("an epoch");
    bench.blocks(24).await;
    let check = bench.chain.verify_epoch(bench.netuid, next).await.expect("an epoch");
    assert_eq!(check.differences, []);
    assert!(check.neurons == 8 && check.compared > 56, "{check:?}");
    let second = bench.state().await.schedule.last_epoch_block;
    assert_eq!(bench.chain.verify_epoch(bench.netuid, second).await.expect("an epoch").differences, []);
    let none = bench.chain.verify_epoch(bench.netuid, Block(next.0 + 1)).await;
    assert!(matches!(none, Err(ChainError::NoEpoch { .. })), "{none:?}");
    let state = bench.state().await;
    assert!(state.head.number > next);
    assert!(state.schedule.last_epoch_block >= next);
    let column = |from: usize, pick: fn(&weighhouse_types::Neuron) -> u16| -> Vec<u16> {
        state.metagraph.neurons.iter().skip(from).map(pick).collect()
    };
    assert_eq!(column(4, |row| row.consensus), [37_448, 18_724, 9_362, 0]);
    assert_eq!(column(4, |row| row.incentive), [37_276, 18_989, 9_268, 0]);
    assert_eq!(column(1, |row| row.dividends)[..3], [43_450, 21_627, 456]);
    assert_eq!(column(1, |row| row.validator_trust)[..3], [65_534, 63_042, 2_890]);
    assert!(!bench.chain.bonds(bench.netuid, MechId(0), Uid(1)).await.expect("bonds").is_empty());
}

/// Calls that change nothing the figures depend on.
async fn other_calls(bench: &Bench, validator: &Neuron, miner: &Neuron) {
    let (netuid, hotkey) = (bench.netuid, miner.hot.hotkey());
    let data = b"weighhouse".to_vec();
    let outcomes = bench.all(vec![(&miner.hot, Call::SetCommitment { netuid, data: data.clone() })]).await;
    assert!(matches!(outcomes[..], [CallOutcome::Included { .. }]), "{outcomes:?}");
    assert_eq!(bench.chain.commitment(netuid, hotkey).await.expect("read").expect("one").data, data);

    let endpoint = Axon::new(([10, 0, 0, 8], 9100).into(), 1, Block(0));
    let outcomes = bench.all(vec![(&miner.hot, Call::ServePrometheus { netuid, endpoint })]).await;
    assert!(matches!(outcomes[..], [CallOutcome::Included { .. }]), "{outcomes:?}");
    let served = bench.chain.prometheus(netuid, hotkey).await.expect("read").expect("one");
    assert_eq!(served.address(), endpoint.address());

    let (to, amount) = (miner.cold.coldkey(), Rao(3 * TAO));
    let before = bench.chain.balance(to).await.expect("a balance");
    let outcomes = bench.all(vec![(&validator.cold, Call::Transfer { to, amount })]).await;
    assert!(matches!(outcomes[..], [CallOutcome::Included { .. }]), "{outcomes:?}");
    assert_eq!(bench.chain.balance(to).await.expect("a balance"), Rao(before.0 + amount.0));

    // The same bytes again: one effect, and no error.
    let again =
        bench.chain.sign(&validator.cold, Call::Transfer { to, amount: Rao(1) }).await.expect("signed");
    bench.include(std::slice::from_ref(&again)).await;
    bench.chain.submit(&again).await.expect("it is in a block already");
    bench.block().await;
    assert_eq!(bench.chain.balance(to).await.expect("a balance"), Rao(before.0 + amount.0 + 1));

    let delegation = bench.chain.delegation(netuid, hotkey).await.expect("read").expect("registered");
    assert_eq!(delegation.coldkey, miner.cold.coldkey());
    assert_eq!(bench.chain.delegation(netuid, Hotkey([9; 32])).await.expect("read"), None);
    assert!(matches!(bench.chain.subnet(Netuid(99)).await, Err(ChainError::NoSubnet(Netuid(99)))));
    time_reads(bench).await;
}

/// By storage alone the metagraph is the same, apart from stake that is lent.
async fn time_reads(bench: &Bench) {
    let begun = Instant::now();
    let state = bench.state().await;
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(20), "{taken:?}");
    let (head, runtime) = bench.chain.now().await.expect("a head");
    let columns =
        crate::subtensor::rows::columns(&runtime, &bench.chain.0.endpoints, head.hash, bench.netuid);
    let columns = columns.await.expect("columns");
    let trust: Vec<u16> = state.metagraph.neurons.iter().map(|row| row.validator_trust).collect();
    let by_storage = crate::subtensor::read::metagraph(bench.netuid, head.number, &columns, &trust);
    assert_eq!(by_storage.expect("a metagraph"), state.metagraph);
}
