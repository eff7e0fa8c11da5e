//! Hyperparameters and the epoch schedule, out of a batch of storage items.

use weighhouse_types::{Block, Epoch, Hyperparameters, Netuid, Rao, Schedule};

use super::fetch::{StorageBatch, StorageSlot, Values};
use super::items::{self, Key};
use super::schedule;
use crate::ChainError;

/// Places of the hyperparameters in a batch.
#[derive(Debug)]
pub(super) struct RuleSlots {
    small: [StorageSlot<u16>; 6],
    large: [StorageSlot<u64>; 8],
    flags: [StorageSlot<bool>; 3],
    alpha: StorageSlot<(u16, u16)>,
    max_weights_limit: Option<StorageSlot<u16>>,
    min_non_immune_uids: Option<StorageSlot<u16>>,
    activity_cutoff: Option<StorageSlot<u16>>,
    activity_cutoff_factor: Option<StorageSlot<u32>>,
    bonds_penalty: Option<StorageSlot<u16>>,
    steepness: Option<StorageSlot<i16>>,
    yuma3: Option<StorageSlot<bool>>,
    burn_half_life: Option<StorageSlot<u16>>,
    burn_increase: Option<StorageSlot<u128>>,
    max_registrations_per_block: StorageSlot<u16>,
}

impl RuleSlots {
    pub(super) fn add(batch: &mut StorageBatch<'_>, netuid: Netuid) -> Result<Self, ChainError> {
        let own = &[Key::Small(netuid.0)];
        Ok(Self {
            small: [
                batch.add(items::TEMPO, own)?,
                batch.add(items::KAPPA, own)?,
                batch.add(items::MAX_ALLOWED_UIDS, own)?,
                batch.add(items::MAX_ALLOWED_VALIDATORS, own)?,
                batch.add(items::MIN_ALLOWED_WEIGHTS, own)?,
                batch.add(items::IMMUNITY_PERIOD, own)?,
            ],
            large: [
                batch.add(items::WEIGHTS_SET_RATE_LIMIT, own)?,
                batch.add(items::WEIGHTS_VERSION_KEY, own)?,
                batch.add(items::BONDS_MOVING_AVERAGE, own)?,
                batch.add(items::REVEAL_PERIOD_EPOCHS, own)?,
                batch.add(items::SERVING_RATE_LIMIT, own)?,
                batch.add(items::STAKE_THRESHOLD, &[])?,
                batch.add(items::MIN_BURN, own)?,
                batch.add(items::MAX_BURN, own)?,
            ],
            flags: [
                batch.add(items::LIQUID_ALPHA_ON, own)?,
                batch.add(items::COMMIT_REVEAL_ENABLED, own)?,
                batch.add(items::REGISTRATION_ALLOWED, own)?,
            ],
            alpha: batch.add(items::ALPHA_VALUES, own)?,
            max_weights_limit: batch.add_optional(items::MAX_WEIGHTS_LIMIT, own)?,
            min_non_immune_uids: batch.add_optional(items::MIN_NON_IMMUNE_UIDS, own)?,
            activity_cutoff: batch.add_optional(items::ACTIVITY_CUTOFF, own)?,
            activity_cutoff_factor: batch.add_optional(items::ACTIVITY_CUTOFF_FACTOR, own)?,
            bonds_penalty: batch.add_optional(items::BONDS_PENALTY, own)?,
            steepness: batch.add_optional(items::ALPHA_SIGMOID_STEEPNESS, own)?,
            yuma3: batch.add_optional(items::YUMA3_ON, own)?,
            burn_half_life: batch.add_optional(items::BURN_HALF_LIFE, own)?,
            burn_increase: batch.add_optional(items::BURN_INCREASE, own)?,
            max_registrations_per_block: batch.add(items::MAX_REGISTRATIONS_PER_BLOCK, own)?,
        })
    }

    pub(super) fn read(&self, values: &Values<'_>) -> Result<Hyperparameters, ChainError> {
        let standard = Hyperparameters::default();
        let [tempo, kappa, max_uids, max_validators, min_weights, immunity] = &self.small;
        let [rate_limit, version_key, bonds_average, reveal_period, serving, threshold, min_burn, max_burn] =
            &self.large;
        let [liquid_alpha, commit_reveal, registration] = &self.flags;
        let (alpha_low, alpha_high) = values.need(&self.alpha)?;
        let tempo = values.need(tempo)?;
        Ok(Hyperparameters {
            tempo,
            kappa: values.need(kappa)?,
            max_allowed_uids: values.need(max_uids)?,
            max_allowed_validators: values.need(max_validators)?,
            min_allowed_weights: values.need(min_weights)?,
            max_weights_limit: values.get_or(&self.max_weights_limit, standard.max_weights_limit)?,
            weights_set_rate_limit: values.need(rate_limit)?,
            weights_version_key: values.need(version_key)?,
            immunity_period: values.need(immunity)?,
            min_non_immune_uids: values.get_or(&self.min_non_immune_uids, 0)?,
            activity_cutoff_factor_milli: self.cutoff_factor(values, tempo)?,
            bonds_moving_average: values.need(bonds_average)?,
            bonds_penalty: values.get_or(&self.bonds_penalty, standard.bonds_penalty)?,
            liquid_alpha_enabled: values.need(liquid_alpha)?,
            alpha_low,
            alpha_high,
            alpha_sigmoid_steepness: values.get_or(&self.steepness, standard.alpha_sigmoid_steepness)?,
            yuma3_enabled: values.get_or(&self.yuma3, false)?,
            commit_reveal_weights_enabled: values.need(commit_reveal)?,
            reveal_period_epochs: values.need(reveal_period)?,
            serving_rate_limit: values.need(serving)?,
            stake_threshold: Rao(values.need(threshold)?),
            min_burn: Rao(values.need(min_burn)?),
            max_burn: Rao(values.need(max_burn)?),
            burn_half_life: values.get_or(&self.burn_half_life, standard.burn_half_life)?,
            burn_increase_percent: match &self.burn_increase {
                Some(slot) => hundredths(values.need(slot)?),
                None => standard.burn_increase_percent,
            },
            max_registrations_per_block: values.need(&self.max_registrations_per_block)?,
            registration_allowed: values.need(registration)?,
        })
    }

    /// Runtimes that store the cutoff in blocks get the least factor that amounts to as many.
    fn cutoff_factor(&self, values: &Values<'_>, tempo: u16) -> Result<u32, ChainError> {
        if let Some(slot) = &self.activity_cutoff_factor {
            return values.need(slot);
        }
        let blocks = values.get_or(&self.activity_cutoff, 5000)?;
        Ok((u32::from(blocks) * 1000).div_ceil(u32::from(tempo.max(1))))
    }
}

/// A number with 64 fractional bits, in hundredths.
fn hundredths(bits: u128) -> u32 {
    // Half a unit more, so that the shift rounds to the nearest.
    let rounded = (bits.saturating_mul(100).saturating_add(1 << 63)) >> 64;
    u32::try_from(rounded).unwrap_or(u32::MAX)
}

/// Places of the schedule in a batch.
#[derive(Debug)]
pub(super) struct TimeSlots {
    since: StorageSlot<u64>,
    stateful: Option<[StorageSlot<u64>; 3]>,
}

impl TimeSlots {
    pub(super) fn add(batch: &mut StorageBatch<'_>, netuid: Netuid) -> Result<Self, ChainError> {
        let own = &[Key::Small(netuid.0)];
        let stateful = [
            batch.add_optional(items::LAST_EPOCH_BLOCK, own)?,
            batch.add_optional(items::PENDING_EPOCH_AT, own)?,
            batch.add_optional(items::SUBNET_EPOCH_INDEX, own)?,
        ];
        // Older runtimes have none of the three: their epochs follow from the block's number.
        let stateful = match stateful {
            [Some(last), Some(pending), Some(index)] => Some([last, pending, index]),
            _ => None,
        };
        Ok(Self { since: batch.add(items::BLOCKS_SINCE_LAST_STEP, own)?, stateful })
    }

    pub(super) fn read(
        &self,
        values: &Values<'_>,
        netuid: Netuid,
        head: Block,
        tempo: u16,
    ) -> Result<Schedule, ChainError> {
        let blocks_since_last_step = values.need(&self.since)?;
        let Some([last, pending, index]) = &self.stateful else {
            return Ok(schedule::modulo(netuid, tempo, head, blocks_since_last_step));
        };
        let pending = values.need(pending)?;
        Ok(Schedule {
            epoch: Epoch(values.need(index)?),
            last_epoch_block: Block(values.need(last)?),
            tempo,
            // The chain stores 0 where none is pending.
            pending_epoch_at: (pending > 0).then_some(Block(pending)),
            blocks_since_last_step,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cutoff_in_blocks_comes_back_as_it_was() {
        for (blocks, tempo) in [(5000_u32, 360_u16), (5000, 99), (360, 10), (1, 999)] {
            let factor = (blocks * 1000).div_ceil(u32::from(tempo));
            let rules =
                Hyperparameters { tempo, activity_cutoff_factor_milli: factor, ..Hyperparameters::default() };
            assert_eq!(rules.activity_cutoff(), u64::from(blocks));
        }
        assert_eq!(hundredths(23_242_897_532_874_035_200), 126);
    }
}
