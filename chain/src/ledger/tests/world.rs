//! A small chain: an owner, validators with permits and stake, miners, and keys for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weighhouse_seams::{Entropy, SystemClock, UnixNanos};

use super::super::*;
use crate::SetWeights;
use crate::timelock::LocalBeacon;
use weighhouse_types::Hyperparameters;

pub(super) const NETUID: Netuid = Netuid(1);
pub(super) const TEMPO: u16 = 5;
pub(super) const EMISSION: Rao = Rao(1_000_000_007);
pub(super) const VALIDATORS: u8 = 2;
pub(super) const MINERS: u8 = 3;

/// Hotkeys are seeded 1, 2, ...; the coldkeys of validators and miners 101, 102, ...; the owner's keys 200 and 201.
pub(super) fn key(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

pub(super) fn hotkey(uid: u8) -> Hotkey {
    key(1 + uid).hotkey()
}

pub(super) fn coldkey(uid: u8) -> Keypair {
    key(101 + uid)
}

pub(super) fn owner() -> Keypair {
    key(200)
}

pub(super) fn owner_hotkey() -> Hotkey {
    key(201).hotkey()
}

pub(super) fn rules() -> Hyperparameters {
    Hyperparameters {
        tempo: TEMPO,
        min_allowed_weights: 1,
        weights_set_rate_limit: 2,
        serving_rate_limit: 3,
        immunity_period: 4,
        min_non_immune_uids: 1,
        max_allowed_uids: 6,
        max_allowed_validators: u16::from(VALIDATORS),
        min_burn: Rao(1_000),
        ..Hyperparameters::default()
    }
}

pub(super) fn file() -> GenesisFile {
    let neuron = |uid: u8| NeuronEntry {
        hotkey: hotkey(uid),
        coldkey: coldkey(uid).coldkey(),
        stake: Rao(if uid < VALIDATORS { 1_000_000_000_000 + u64::from(uid) } else { 0 }),
        validator_permit: uid < VALIDATORS,
    };
    let account = |coldkey| AccountEntry { coldkey, balance: Rao(50_000_000_000) };
    let coldkeys = (0..VALIDATORS + MINERS).map(|uid| coldkey(uid).coldkey());
    GenesisFile {
        name: "test".to_owned(),
        block_time: BlockTime::OnDemand,
        beacon_seed: Some(Digest([7; 32])),
        accounts: coldkeys.chain([owner().coldkey()]).map(account).collect(),
        subnets: vec![SubnetEntry {
            netuid: NETUID,
            owner_coldkey: owner().coldkey(),
            owner_hotkey: owner_hotkey(),
            emission_per_block: EMISSION,
            registration_price: Rao(100_000_000),
            hyperparameters: rules(),
            neurons: (0..VALIDATORS + MINERS).map(neuron).collect(),
        }],
    }
}

pub(super) fn genesis() -> Genesis {
    Genesis::new(file()).expect("a valid genesis")
}

pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

pub(super) fn entropy() -> Entropy {
    Entropy::seeded([9; 32])
}

pub(super) fn ledger() -> Ledger {
    Ledger::in_memory(&genesis(), clock(), &mut entropy()).expect("opens")
}

/// The key that the genesis' seed gives.
pub(super) fn beacon() -> LocalBeacon {
    LocalBeacon::from_seed(&Digest([7; 32]))
}

pub(super) fn state() -> State {
    State::genesis(genesis().file())
}

/// An unsigned extrinsic, for tests of the state alone.
pub(super) fn unsigned(state: &State, signer: Account, call: Call) -> Extrinsic {
    let (nonce, expires) = (state.nonce(&signer), Block(u64::MAX));
    Extrinsic { call, signer, nonce, expires, signature: [0; 64] }
}

/// Applies a block of one call and gives back what became of the call.
pub(super) fn apply(state: &mut State, signer: Account, call: Call) -> Result<Vec<Event>, crate::Refusal> {
    let extrinsic = unsigned(state, signer, call);
    let mut outcome = state.apply_block(&[extrinsic], &beacon()).expect("the books balance");
    outcome.calls.pop().expect("one call, one result")
}

pub(super) fn empty_blocks(state: &mut State, count: u64) {
    for _ in 0..count {
        state.apply_block(&[], &beacon()).expect("the books balance");
    }
}

pub(super) fn weights(values: &[(u16, u16)]) -> Call {
    Call::SetWeights(SetWeights {
        netuid: NETUID,
        mechanism: MechId(0),
        uids: values.iter().map(|(uid, _)| Uid(*uid)).collect(),
        values: values.iter().map(|(_, value)| *value).collect(),
        version_key: 0,
    })
}

/// Signs, submits, makes a block, and asks what became of it.
pub(super) async fn execute(ledger: &Ledger, signer: &Keypair, call: Call) -> CallOutcome {
    let signed = ledger.sign(signer, call).await.expect("signs");
    ledger.submit(&signed).await.expect("is taken");
    ledger.produce_block().await.expect("a block");
    ledger.outcome(&signed).await.expect("an outcome")
}

/// Time that passes only while somebody sleeps, a millisecond each time the sleeper is looked at: hours go by in
/// moments, and in the right order.
#[derive(Debug, Default)]
pub(super) struct TestClock(AtomicU64);

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> UnixNanos {
        UnixNanos::default().saturating_add(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        let due = self.monotonic() + duration;
        while self.monotonic() < due {
            tokio::task::yield_now().await;
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}
