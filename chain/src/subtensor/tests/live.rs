//! The real runtime under chopsticks, at the address in `WEIGHHOUSE_SUBTENSOR_URL`: from registration to an epoch, with
//! figures that were computed by the runtime. It starts from the development chain's genesis, in manual mode.

use std::time::{Duration, Instant};

use subxt::dynamic::Value;
use subxt::rpcs::client::rpc_params;
use weighhouse_types::{Axon, Block, Hotkey, MechId, Netuid, Rao, SubnetState, Uid};
use weighhouse_wallet::keypair::Keypair;

use super::metadata::skipped;
use super::suite;
use crate::conformance::{Actor, Actors};
use crate::subtensor::calls::{self, Payload, number};
use crate::subtensor::{Network, Subtensor, sign};
use crate::{Call, Chain, ChainError, Event, Outcome, Refusal, SetWeights, Signed, preflight};

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

/// The chain, and what only a development node can do.
struct Bench {
    chain: Subtensor,
    netuid: Netuid,
}

impl Bench {
    async fn block(&self) {
        let made: Result<String, _> = self.chain.0.endpoints.ask("dev_newBlock", &rpc_params![]).await;
        made.expect("a block");
    }

    async fn blocks(&self, count: usize) {
        for _ in 0..count {
            self.block().await;
        }
    }

    /// Signs root's calls with nonces in a row, puts all into one block and returns each outcome.
    async fn together(&self, signer: &Keypair, payloads: &[Payload]) -> Vec<Outcome> {
        let (head, runtime) = self.chain.now().await.expect("a head");
        let first = self.chain.next_nonce(&signer.public()).await.expect("a nonce");
        let sign = |(nonce, payload)| sign::sign(&runtime, signer, payload, nonce, head).expect("signed");
        let signed: Vec<Signed> = (first..).zip(payloads).map(sign).collect();
        self.include(&signed).await
    }

    async fn include(&self, signed: &[Signed]) -> Vec<Outcome> {
        for signed in signed {
            self.chain.submit(signed).await.expect("taken");
        }
        self.block().await;
        let mut outcomes = Vec::new();
        for signed in signed {
            outcomes.push(self.chain.outcome(signed).await.expect("an outcome"));
        }
        outcomes
    }

    async fn all(&self, calls: Vec<(&Keypair, Call)>) -> Vec<Outcome> {
        let mut signed = Vec::new();
        for (signer, call) in calls {
            signed.push(self.chain.sign(signer, call).await.expect("signed"));
        }
        self.include(&signed).await
    }

    async fn state(&self) -> SubnetState {
        self.chain.subnet(self.netuid).await.expect("the subnet")
    }
}

fn sudo(name: &str, arguments: Vec<(&str, Value)>) -> Payload {
    let call = Value::unnamed_variant("AdminUtils", [Value::named_variant(name, arguments)]);
    calls::raw("Sudo", "sudo", vec![("call", call)])
}

/// Everybody's balance, and root's key.
async fn endow(bench: &Bench, alice: &Keypair, neurons: &[Neuron]) {
    let address = |pair: &Keypair| pair.coldkey().to_string();
    let rich = serde_json::json!({ "providers": 1, "data": { "free": "1000000000000000" } });
    let newcomer = neuron(NEWCOMER, 0);
    let everyone = neurons.iter().chain([&newcomer]);
    let keys = everyone.flat_map(|neuron| [&neuron.cold, &neuron.hot]).chain([alice]);
    let accounts: Vec<_> = keys.map(|key| serde_json::json!([[address(key)], rich])).collect();
    let storage = serde_json::json!({ "Sudo": { "Key": address(alice) }, "System": { "Account": accounts } });
    let set: Result<serde_json::Value, _> =
        bench.chain.0.endpoints.ask("dev_setStorage", &rpc_params![storage]).await;
    set.expect("balances");
}

async fn make_subnet(bench: &mut Bench, alice: &Keypair) {
    let included = |outcomes: &[Outcome]| outcomes.iter().all(|one| matches!(one, Outcome::Included { .. }));
    let free = sudo("sudo_set_network_rate_limit", vec![("rate_limit", number(0_u8))]);
    assert!(included(&bench.together(alice, &[free]).await));
    bench.blocks(2).await;
    let register = calls::raw(
        "SubtensorModule",
        "register_network",
        vec![("hotkey", Value::from_bytes(alice.public()))],
    );
    assert!(included(&bench.together(alice, &[register]).await));
    bench.netuid = Netuid(2);
    let netuid = || ("netuid", number(2_u16));
    let figures: [(&str, &str, u64); 11] = [
        ("sudo_set_serving_rate_limit", "serving_rate_limit", 0),
        ("sudo_set_tempo", "tempo", 10),
        ("sudo_set_weights_set_rate_limit", "weights_set_rate_limit", 0),
        ("sudo_set_min_allowed_weights", "min_allowed_weights", 1),
        ("sudo_set_max_weight_limit", "max_weight_limit", 65_535),
        ("sudo_set_max_registrations_per_block", "max_registrations_per_block", 100),
        ("sudo_set_target_registrations_per_interval", "target_registrations_per_interval", 100),
        ("sudo_set_immunity_period", "immunity_period", 1),
        ("sudo_set_max_allowed_validators", "max_allowed_validators", 8),
        ("sudo_set_kappa", "kappa", 32_767),
        ("sudo_set_activity_cutoff", "activity_cutoff", 5000),
    ];
    let mut payloads: Vec<Payload> = figures
        .iter()
        .map(|(name, argument, value)| sudo(name, vec![netuid(), (argument, number(*value))]))
        .collect();
    payloads.insert(7, sudo("sudo_set_stake_threshold", vec![("min_stake", number(0_u8))]));
    let flag =
        |name: &str, argument: &'static str, on| sudo(name, vec![netuid(), (argument, Value::bool(on))]);
    payloads.insert(8, flag("sudo_set_subtoken_enabled", "subtoken_enabled", true));
    payloads.insert(9, flag("sudo_set_network_registration_allowed", "registration_allowed", true));
    payloads.insert(10, flag("sudo_set_commit_reveal_weights_enabled", "enabled", false));
    assert!(included(&bench.together(alice, &payloads).await));
    bench.blocks(10).await;
    let start = calls::raw("SubtensorModule", "start_call", vec![netuid()]);
    assert!(included(&bench.together(alice, &[start]).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_lives_on_the_real_runtime() {
    let Ok(url) = std::env::var(URL) else { return skipped(&format!("{URL} is not set")) };
    let network: Network = url.parse().expect("an address");
    let chain = Subtensor::connect(&network).await.expect("connected");
    let alice = pair("//Alice");
    let validators: Vec<Neuron> = (0..3).map(|index| neuron("Val", index)).collect();
    let miners: Vec<Neuron> = (0..4).map(|index| neuron("Min", index)).collect();
    let neurons: Vec<Neuron> =
        (0..3).map(|index| neuron("Val", index)).chain((0..4).map(|index| neuron("Min", index))).collect();
    let mut bench = Bench { chain, netuid: Netuid(2) };
    assert_eq!(bench.chain.spec_version().await.expect("a version"), 293);
    endow(&bench, &alice, &neurons).await;
    make_subnet(&mut bench, &alice).await;

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
        let Outcome::Included { events, .. } = outcome else { panic!("{outcome:?}") };
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
        let Outcome::Included { events, .. } = outcome else { panic!("{outcome:?}") };
        assert!(events.iter().any(|event| matches!(event, Event::StakeAdded { .. })), "{events:?}");
    }
    let axon = |index: u16| Axon::new(([10, 0, 0, 7], 9000 + index).into(), 1, Block(0));
    let calls = miners
        .iter()
        .zip(0..)
        .map(|(miner, index)| (&miner.hot, Call::ServeAxon { netuid: bench.netuid, axon: axon(index) }));
    let outcomes = bench.all(calls.collect()).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Included { .. })), "{outcomes:?}");
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
    let [Outcome::Refused { refusal, .. }] = &outcomes[..] else { panic!("{outcomes:?}") };
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
        let Outcome::Included { events, .. } = outcome else { panic!("{outcome:?}") };
        assert!(events.iter().any(|event| matches!(event, Event::WeightsSet { .. })), "{events:?}");
    }
    let stored = bench.chain.weights(bench.netuid, MechId(0), Uid(1)).await.expect("weights");
    let expected = weighhouse_scoring::conform::max_upscale(&vectors[0]);
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
    assert!(matches!(outcomes[..], [Outcome::Included { .. }]), "{outcomes:?}");
    assert_eq!(bench.chain.commitment(netuid, hotkey).await.expect("read").expect("one").data, data);

    let endpoint = Axon::new(([10, 0, 0, 8], 9100).into(), 1, Block(0));
    let outcomes = bench.all(vec![(&miner.hot, Call::ServePrometheus { netuid, endpoint })]).await;
    assert!(matches!(outcomes[..], [Outcome::Included { .. }]), "{outcomes:?}");
    let served = bench.chain.prometheus(netuid, hotkey).await.expect("read").expect("one");
    assert_eq!(served.address(), endpoint.address());

    let (to, amount) = (miner.cold.coldkey(), Rao(3 * TAO));
    let before = bench.chain.balance(to).await.expect("a balance");
    let outcomes = bench.all(vec![(&validator.cold, Call::Transfer { to, amount })]).await;
    assert!(matches!(outcomes[..], [Outcome::Included { .. }]), "{outcomes:?}");
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
