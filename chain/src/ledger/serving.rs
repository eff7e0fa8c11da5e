//! Calls about the addresses that neurons serve at, and the owner's settings.

use std::net::IpAddr;

use weighhouse_types::{Axon, Block, Certificate, Coldkey, Commitment, Hotkey, Hyperparameters, Netuid};

use super::state::State;
use crate::rules::{hyperparameters, mechanisms};
use crate::{Event, Refusal};

const CERTIFICATE_KEY_BYTES_MAX: usize = 64;
const COMMITMENT_BYTES_MAX: usize = 128;

impl State {
    /// Checks an axon as the runtime does, except that loopback addresses are taken: a localnet serves on them.
    pub(super) fn serve_axon(
        &mut self,
        hotkey: Hotkey,
        netuid: Netuid,
        axon: Axon,
        certificate: Option<&Certificate>,
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        let subnet = self.subnet_mut(netuid)?;
        let uid = subnet.uid_of(&hotkey).ok_or(Refusal::HotKeyNotRegisteredInSubNet)?;
        let limit = subnet.rules.serving_rate_limit;
        let slot = subnet.neurons.get_mut(uid.index()).ok_or(Refusal::HotKeyNotRegisteredInSubNet)?;
        check_address(&axon)?;
        if let Some(before) = slot.axon {
            check_rate(before.block, block, limit)?;
        }
        // Behind the rate limit, as in the runtime: the order decides which refusal is told.
        if axon.port == 0 {
            return Err(Refusal::InvalidPort);
        }
        if let Some(certificate) = certificate {
            if !(1..=CERTIFICATE_KEY_BYTES_MAX).contains(&certificate.public_key.len()) {
                return Err(Refusal::InvalidCertificate);
            }
            slot.certificate = Some(certificate.clone());
        }
        slot.axon = Some(Axon { block, ..axon });
        Ok(vec![Event::AxonServed { netuid, hotkey }])
    }

    pub(super) fn serve_prometheus(
        &mut self,
        hotkey: Hotkey,
        netuid: Netuid,
        endpoint: Axon,
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        let subnet = self.subnet_mut(netuid)?;
        subnet.uid_of(&hotkey).ok_or(Refusal::HotKeyNotRegisteredInSubNet)?;
        check_address(&endpoint)?;
        if let Some(before) = subnet.prometheus.get(&hotkey) {
            check_rate(before.block, block, subnet.rules.serving_rate_limit)?;
        }
        if endpoint.port == 0 {
            return Err(Refusal::InvalidPort);
        }
        subnet.prometheus.insert(hotkey, Axon { block, ..endpoint });
        Ok(vec![Event::PrometheusServed { netuid, hotkey }])
    }

    /// Bytes for anyone to read; the last ones stay.
    pub(super) fn set_commitment(
        &mut self,
        hotkey: Hotkey,
        netuid: Netuid,
        data: &[u8],
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        let subnet = self.subnet_mut(netuid)?;
        subnet.uid_of(&hotkey).ok_or(Refusal::HotKeyNotRegisteredInSubNet)?;
        if data.len() > COMMITMENT_BYTES_MAX {
            let bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
            return Err(Refusal::SpaceLimitExceeded { bytes, maximum: 128 });
        }
        subnet.commitments.insert(hotkey, Commitment { block, data: data.to_vec() });
        Ok(vec![Event::CommitmentSet { netuid, hotkey }])
    }

    /// All at once, by the owner's coldkey. A new tempo starts the epoch's cycle anew.
    pub(super) fn set_hyperparameters(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
        rules: &Hyperparameters,
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        let subnet = self.owned_subnet(coldkey, netuid)?;
        hyperparameters::check(rules, subnet.neurons.len())?;
        mechanisms::check(&subnet.mechanisms, rules.max_allowed_uids)?;
        if subnet.rules.tempo != rules.tempo {
            subnet.schedule.tempo = rules.tempo;
            subnet.schedule.last_epoch_block = block;
        }
        subnet.rules = rules.clone();
        Ok(vec![Event::HyperparametersSet { netuid }])
    }
}

fn check_address(axon: &Axon) -> Result<(), Refusal> {
    let ip = axon.address().ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast()) || axon.ip == u128::MAX;
    if broadcast || ip.is_unspecified() || ip.is_multicast() {
        return Err(Refusal::InvalidIpAddress);
    }
    Ok(())
}

fn check_rate(before: Block, block: Block, limit: u64) -> Result<(), Refusal> {
    let since = block.saturating_since(before);
    if since >= limit {
        return Ok(());
    }
    Err(Refusal::ServingRateLimitExceeded { blocks: limit - since })
}
