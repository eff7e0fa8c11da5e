//! The chain service's messages to and from the vocabulary.

use weighhouse_types::{
    Axon, Block, Certificate, Coldkey, Digest, Epoch, Head, Hotkey, Hyperparameters, Metagraph, Netuid,
    Neuron, Rao, Schedule, SubnetState, Uid,
};

use crate::v1;

mod commits;
mod hyperparameters;

/// A field of a message that no honest chain sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct ChainMessageError {
    pub field: &'static str,
    pub why: &'static str,
}

const fn wrong(field: &'static str, why: &'static str) -> ChainMessageError {
    ChainMessageError { field, why }
}

/// A key or hash.
pub fn bytes32(field: &'static str, bytes: &[u8]) -> Result<[u8; 32], ChainMessageError> {
    bytes.try_into().map_err(|_| wrong(field, "doesn't have 32 bytes"))
}

/// A number of 16 bits, which the wire carries in 32.
pub fn narrow<T: TryFrom<u32>>(field: &'static str, value: u32) -> Result<T, ChainMessageError> {
    T::try_from(value).map_err(|_| wrong(field, "is too large"))
}

impl TryFrom<v1::HeadResponse> for Head {
    type Error = ChainMessageError;

    fn try_from(message: v1::HeadResponse) -> Result<Self, ChainMessageError> {
        Ok(Self { number: Block(message.number), hash: Digest(bytes32("hash", &message.hash)?) })
    }
}

impl From<SubnetState> for v1::SubnetResponse {
    fn from(state: SubnetState) -> Self {
        let SubnetState { head, metagraph, hyperparameters, schedule } = state;
        Self {
            block: head.number.0,
            block_hash: head.hash.0.to_vec(),
            netuid: metagraph.netuid.0.into(),
            owner: metagraph.owner.map(|uid| uid.0.into()),
            neurons: metagraph.neurons.into_iter().map(v1::Neuron::from).collect(),
            hyperparameters: Some(hyperparameters.into()),
            schedule: Some(schedule.into()),
        }
    }
}

impl TryFrom<v1::SubnetResponse> for SubnetState {
    type Error = ChainMessageError;

    fn try_from(message: v1::SubnetResponse) -> Result<Self, ChainMessageError> {
        let head =
            Head { number: Block(message.block), hash: Digest(bytes32("block_hash", &message.block_hash)?) };
        let mut neurons = Vec::with_capacity(message.neurons.len());
        // A uid isn't on the wire: it is the neuron's place in the list.
        for (position, neuron) in (0..).zip(message.neurons) {
            neurons.push(neuron_from(Uid(narrow("neurons", position)?), neuron)?);
        }
        let owner = message.owner.map(|uid| narrow("owner", uid)).transpose()?.map(Uid);
        if owner.is_some_and(|owner| owner.index() >= neurons.len()) {
            return Err(wrong("owner", "is no neuron"));
        }
        let netuid = Netuid(narrow("netuid", message.netuid)?);
        let metagraph = Metagraph { netuid, block: head.number, owner, neurons };
        let hyperparameters = message.hyperparameters.ok_or(wrong("hyperparameters", "are missing"))?;
        let schedule = message.schedule.ok_or(wrong("schedule", "is missing"))?;
        Ok(Self {
            head,
            metagraph,
            hyperparameters: Hyperparameters::try_from(hyperparameters)?,
            schedule: Schedule::try_from(schedule)?,
        })
    }
}

impl From<Neuron> for v1::Neuron {
    fn from(neuron: Neuron) -> Self {
        Self {
            hotkey: neuron.hotkey.0.to_vec(),
            coldkey: neuron.coldkey.0.to_vec(),
            registered_at: neuron.registered_at.0,
            stake: neuron.stake.0,
            validator_permit: neuron.validator_permit,
            active: neuron.active,
            last_update: neuron.last_update.0,
            axon: neuron.axon.map(v1::Axon::from),
            incentive: neuron.incentive.into(),
            dividends: neuron.dividends.into(),
            consensus: neuron.consensus.into(),
            validator_trust: neuron.validator_trust.into(),
            emission: neuron.emission.0,
        }
    }
}

fn neuron_from(uid: Uid, message: v1::Neuron) -> Result<Neuron, ChainMessageError> {
    Ok(Neuron {
        uid,
        hotkey: Hotkey(bytes32("hotkey", &message.hotkey)?),
        coldkey: Coldkey(bytes32("coldkey", &message.coldkey)?),
        registered_at: Block(message.registered_at),
        stake: Rao(message.stake),
        validator_permit: message.validator_permit,
        active: message.active,
        last_update: Block(message.last_update),
        axon: message.axon.map(Axon::try_from).transpose()?,
        incentive: narrow("incentive", message.incentive)?,
        dividends: narrow("dividends", message.dividends)?,
        consensus: narrow("consensus", message.consensus)?,
        validator_trust: narrow("validator_trust", message.validator_trust)?,
        emission: Rao(message.emission),
    })
}

impl From<Axon> for v1::Axon {
    fn from(axon: Axon) -> Self {
        let ip = axon.ip.to_be_bytes().to_vec();
        Self { ip, port: axon.port.into(), version: axon.version, block: axon.block.0 }
    }
}

impl TryFrom<v1::Axon> for Axon {
    type Error = ChainMessageError;

    fn try_from(message: v1::Axon) -> Result<Self, ChainMessageError> {
        let ip =
            <[u8; 16]>::try_from(message.ip.as_slice()).map_err(|_| wrong("ip", "doesn't have 16 bytes"))?;
        Ok(Self {
            ip: u128::from_be_bytes(ip),
            port: narrow("port", message.port)?,
            version: message.version,
            block: Block(message.block),
        })
    }
}

impl From<Schedule> for v1::Schedule {
    fn from(schedule: Schedule) -> Self {
        Self {
            epoch: schedule.epoch.0,
            last_epoch_block: schedule.last_epoch_block.0,
            tempo: schedule.tempo.into(),
            pending_epoch_at: schedule.pending_epoch_at.map(|block| block.0),
            blocks_since_last_step: schedule.blocks_since_last_step,
        }
    }
}

impl TryFrom<v1::Schedule> for Schedule {
    type Error = ChainMessageError;

    fn try_from(message: v1::Schedule) -> Result<Self, ChainMessageError> {
        Ok(Self {
            epoch: Epoch(message.epoch),
            last_epoch_block: Block(message.last_epoch_block),
            tempo: narrow("tempo", message.tempo)?,
            pending_epoch_at: message.pending_epoch_at.map(Block),
            blocks_since_last_step: message.blocks_since_last_step,
        })
    }
}

impl From<Certificate> for v1::NeuronCertificateKey {
    fn from(certificate: Certificate) -> Self {
        Self { algorithm: certificate.algorithm.into(), public_key: certificate.public_key }
    }
}

impl TryFrom<v1::NeuronCertificateKey> for Certificate {
    type Error = ChainMessageError;

    fn try_from(message: v1::NeuronCertificateKey) -> Result<Self, ChainMessageError> {
        Ok(Self { algorithm: narrow("algorithm", message.algorithm)?, public_key: message.public_key })
    }
}

impl From<Vec<(Uid, u16)>> for v1::RowResponse {
    fn from(row: Vec<(Uid, u16)>) -> Self {
        let entry = |(uid, value): (Uid, u16)| v1::RowEntry { uid: uid.0.into(), value: value.into() };
        Self { entries: row.into_iter().map(entry).collect() }
    }
}

impl TryFrom<v1::RowResponse> for Vec<(Uid, u16)> {
    type Error = ChainMessageError;

    fn try_from(message: v1::RowResponse) -> Result<Self, ChainMessageError> {
        let entry = |entry: v1::RowEntry| Ok((Uid(narrow("uid", entry.uid)?), narrow("value", entry.value)?));
        message.entries.into_iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests;
