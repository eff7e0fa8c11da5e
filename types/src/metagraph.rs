//! A subnet as the chain shows it at one block.

use std::net::SocketAddr;

use parity_scale_codec::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Block, Coldkey, Digest, Epoch, Hotkey, Netuid, Rao, RegistrationId, Uid};

/// A finalised block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Head {
    pub number: Block,
    pub hash: Digest,
}

/// Randomness that nobody could choose and that is fixed with its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Beacon {
    pub block: Block,
    pub value: Digest,
}

/// Address at which a neuron serves, as it published it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Axon {
    /// The address in its IPv6 form; IPv4 is mapped (`::ffff:a.b.c.d`).
    pub ip: u128,
    pub port: u16,
    pub version: u32,
    /// The block of the publication.
    pub block: Block,
}

impl Axon {
    pub fn new(address: SocketAddr, version: u32, block: Block) -> Self {
        let ip = match address.ip() {
            std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            std::net::IpAddr::V6(v6) => v6,
        };
        Self { ip: ip.to_bits(), port: address.port(), version, block }
    }

    pub fn address(&self) -> SocketAddr {
        let ip = std::net::Ipv6Addr::from_bits(self.ip);
        let ip = ip.to_ipv4_mapped().map_or(std::net::IpAddr::V6(ip), std::net::IpAddr::V4);
        SocketAddr::new(ip, self.port)
    }
}

/// A neuron certificate: an algorithm byte and a public key of at most 64 bytes; no X.509.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Certificate {
    pub algorithm: u8,
    pub public_key: Vec<u8>,
}

/// One uid's row of the metagraph. The u16 figures are fractions of 65535.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Neuron {
    pub uid: Uid,
    pub hotkey: Hotkey,
    pub coldkey: Coldkey,
    pub registered_at: Block,
    pub stake: Rao,
    pub validator_permit: bool,
    pub active: bool,
    /// The block of the last accepted weights (or registration).
    pub last_update: Block,
    pub axon: Option<Axon>,
    pub incentive: u16,
    pub dividends: u16,
    pub consensus: u16,
    pub validator_trust: u16,
    /// Pay of the last epoch, incentive and dividends together.
    pub emission: Rao,
}

impl Neuron {
    pub fn registration(&self) -> RegistrationId {
        RegistrationId { hotkey: self.hotkey, registered_at: self.registered_at }
    }
}

/// A subnet's neurons, indexed by uid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Metagraph {
    pub netuid: Netuid,
    pub block: Block,
    pub owner: Option<Uid>,
    /// Position = uid.
    pub neurons: Vec<Neuron>,
}

impl Metagraph {
    pub fn neuron(&self, uid: Uid) -> Option<&Neuron> {
        self.neurons.get(uid.index())
    }

    pub fn by_hotkey(&self, hotkey: &Hotkey) -> Option<&Neuron> {
        self.neurons.iter().find(|neuron| neuron.hotkey == *hotkey)
    }
}

/// A subnet's hyperparameters, with the chain's names and units. u16 fractions are of 65535.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hyperparameters {
    /// Blocks per epoch.
    pub tempo: u16,
    pub kappa: u16,
    pub max_allowed_uids: u16,
    pub max_allowed_validators: u16,
    pub min_allowed_weights: u16,
    /// The largest share of one weight, as a fraction of 65535.
    pub max_weights_limit: u16,
    /// Blocks between two weight settings of one validator.
    pub weights_set_rate_limit: u64,
    pub weights_version_key: u64,
    /// Blocks for which a new registration can't be pruned.
    pub immunity_period: u16,
    pub min_non_immune_uids: u16,
    /// Milli-epochs: the activity cutoff is `factor * tempo / 1000` blocks.
    pub activity_cutoff_factor_milli: u32,
    pub bonds_moving_average: u64,
    pub bonds_penalty: u16,
    pub liquid_alpha_enabled: bool,
    pub alpha_low: u16,
    pub alpha_high: u16,
    pub alpha_sigmoid_steepness: i16,
    pub yuma3_enabled: bool,
    pub commit_reveal_weights_enabled: bool,
    pub reveal_period_epochs: u64,
    /// Blocks between two axon publications of one hotkey.
    pub serving_rate_limit: u64,
    /// Least stake of a validator that sets weights.
    pub stake_threshold: Rao,
    pub min_burn: Rao,
    pub max_burn: Rao,
    pub burn_half_life: u16,
    /// Each registration multiplies the burn price by this many hundredths.
    pub burn_increase_percent: u32,
    pub max_registrations_per_block: u16,
    pub registration_allowed: bool,
}

impl Default for Hyperparameters {
    /// The chain's defaults (spec 425), except that commit-reveal is off.
    fn default() -> Self {
        Self {
            tempo: 360,
            // Half of the stake.
            kappa: 32_767,
            max_allowed_uids: 256,
            max_allowed_validators: 128,
            min_allowed_weights: 1024,
            max_weights_limit: u16::MAX,
            weights_set_rate_limit: 100,
            weights_version_key: 0,
            immunity_period: 4096,
            min_non_immune_uids: 10,
            // 5,000 blocks at this tempo.
            activity_cutoff_factor_milli: 13_889,
            // In millionths.
            bonds_moving_average: 900_000,
            bonds_penalty: u16::MAX,
            liquid_alpha_enabled: false,
            // 0.7 and 0.9 of 65535, and a slope of 10 in hundredths.
            alpha_low: 45_875,
            alpha_high: 58_982,
            alpha_sigmoid_steepness: 1000,
            yuma3_enabled: false,
            commit_reveal_weights_enabled: false,
            reveal_period_epochs: 1,
            serving_rate_limit: 50,
            stake_threshold: Rao(0),
            // 0.0005 TAO and 100 TAO.
            min_burn: Rao(500_000),
            max_burn: Rao(100_000_000_000),
            burn_half_life: 360,
            burn_increase_percent: 126,
            max_registrations_per_block: 1,
            registration_allowed: true,
        }
    }
}

impl Hyperparameters {
    /// Blocks without an update after which a validator counts as inactive.
    pub fn activity_cutoff(&self) -> u64 {
        u64::from(self.activity_cutoff_factor_milli) * u64::from(self.tempo) / 1000
    }
}

/// Position of a subnet in its epoch cycle (the chain's dynamic schedule).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Schedule {
    /// Epochs run so far; the running epoch has this number.
    pub epoch: Epoch,
    /// The block of the last epoch's computation: the running epoch starts after it.
    pub last_epoch_block: Block,
    pub tempo: u16,
    /// An epoch triggered ahead of time, if any.
    pub pending_epoch_at: Option<Block>,
    pub blocks_since_last_step: u64,
}

impl Schedule {
    /// The block that begins with the running epoch's computation: weights in it count for the next one. `None` when the subnet doesn't run (tempo 0).
    pub fn next_epoch_block(&self) -> Option<Block> {
        if self.tempo == 0 {
            return None;
        }
        let regular = Block(self.last_epoch_block.0.saturating_add(u64::from(self.tempo)));
        // An epoch may be triggered ahead of its time, and is never put off.
        Some(self.pending_epoch_at.map_or(regular, |pending| pending.min(regular)))
    }
}

/// Everything a role needs of a subnet, read at one finalised block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SubnetState {
    pub head: Head,
    pub metagraph: Metagraph,
    pub hyperparameters: Hyperparameters,
    pub schedule: Schedule,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axon_addresses_round_trip() {
        for text in ["127.0.0.1:8091", "[2001:db8::1]:443"] {
            let address: SocketAddr = text.parse().expect("an address");
            assert_eq!(Axon::new(address, 1, Block(0)).address(), address);
        }
    }

    #[test]
    fn a_pending_epoch_comes_before_the_regular_one() {
        let schedule = Schedule {
            epoch: Epoch(1),
            last_epoch_block: Block(100),
            tempo: 10,
            pending_epoch_at: None,
            blocks_since_last_step: 0,
        };
        assert_eq!(schedule.next_epoch_block(), Some(Block(110)));
        assert_eq!(
            Schedule { pending_epoch_at: Some(Block(103)), ..schedule }.next_epoch_block(),
            Some(Block(103))
        );
        assert_eq!(Schedule { tempo: 0, ..schedule }.next_epoch_block(), None);
    }

    #[test]
    fn default_activity_cutoff_is_the_chains() {
        assert_eq!(Hyperparameters::default().activity_cutoff(), 5000);
    }
}
