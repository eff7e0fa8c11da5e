//! Small made-up values for tests and benchmarks: a subnet in which nothing has happened yet, and one verdict in it.
//!
//! Callers change the fields that their case is about and take the rest with `..`. The module is always compiled: behind a
//! feature, the tests would build every crate a second time, and the linker leaves it out of the programs anyway.

use crate::{
    Axon, Beacon, Block, Coldkey, Digest, Epoch, EpochContext, Fields, Hasher, Head, Hotkey, Hyperparameters,
    Judgement, Mark, MechId, Metagraph, Netuid, Neuron, Rao, Reason, RegistrationId, Schedule, SubnetState,
    Uid, VerdictRecord,
};

/// The registration of a uid: its number in every byte of the hotkey.
pub fn registration(uid: u16) -> RegistrationId {
    RegistrationId { hotkey: Hotkey([uid.to_le_bytes()[0]; 32]), registered_at: Block(10) }
}

/// A neuron that has earned nothing. Uid 0 has the permit of a validator, the others an axon.
pub fn neuron(uid: u16) -> Neuron {
    let RegistrationId { hotkey, registered_at } = registration(uid);
    Neuron {
        uid: Uid(uid),
        hotkey,
        coldkey: Coldkey([9; 32]),
        registered_at,
        stake: Rao(0),
        validator_permit: uid == 0,
        active: true,
        last_update: Block(0),
        axon: (uid != 0)
            .then(|| Axon::new(([127, 0, 0, 1], 9000_u16.saturating_add(uid)).into(), 1, Block(20))),
        incentive: 0,
        dividends: 0,
        consensus: 0,
        validator_trust: 0,
        emission: Rao(0),
    }
}

/// A subnet at the first block of an epoch.
pub fn subnet(epoch: Epoch, block: Block, neurons: Vec<Neuron>) -> SubnetState {
    SubnetState {
        head: Head { number: block, hash: Digest::of(b"head") },
        metagraph: Metagraph { netuid: Netuid(1), block, owner: None, neurons },
        hyperparameters: Hyperparameters::default(),
        schedule: Schedule {
            epoch,
            last_epoch_block: block,
            tempo: 10,
            pending_epoch_at: None,
            blocks_since_last_step: 0,
        },
    }
}

/// The context that uid 0 records when it opens the epoch that a subnet is in; policy and task are empty.
pub fn context(state: SubnetState) -> EpochContext {
    EpochContext {
        epoch: state.schedule.epoch,
        netuid: state.metagraph.netuid,
        mechanism: MechId(0),
        genesis: Digest::of(b"genesis"),
        validator: registration(0).hotkey,
        beacon: Beacon { block: state.head.number, value: Digest::of(b"beacon") },
        policy: Vec::new(),
        task: Vec::new(),
        carried: Vec::new(),
        software: "sample".to_owned(),
        judge: None,
        fields: Fields::default(),
        state,
    }
}

/// A verdict on a miner in a round, for one reason and without the exchange that it is about.
pub fn judged(epoch: Epoch, round: u32, uid: u16, mark: Mark, reason: Reason) -> VerdictRecord {
    VerdictRecord {
        challenge: Hasher::new("sample").part(&round.to_le_bytes()).part(&uid.to_le_bytes()).finish(),
        epoch,
        round,
        uid: Uid(uid),
        who: registration(uid),
        exchange: None,
        judgement: Judgement { mark, reasons: vec![reason] },
        asked_in: epoch,
        stage: 0,
        fields: Fields::default(),
    }
}
