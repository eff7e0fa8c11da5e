//! Conversion of hyperparameters, field by field; each is narrowed to the type that the chain gives it.

use weighhouse_types::{Hyperparameters, Rao};

use super::{ChainMessageError, narrow, wrong};
use crate::v1;

impl From<Hyperparameters> for v1::Hyperparameters {
    fn from(rules: Hyperparameters) -> Self {
        Self {
            tempo: rules.tempo.into(),
            kappa: rules.kappa.into(),
            max_allowed_uids: rules.max_allowed_uids.into(),
            max_allowed_validators: rules.max_allowed_validators.into(),
            min_allowed_weights: rules.min_allowed_weights.into(),
            max_weights_limit: rules.max_weights_limit.into(),
            weights_set_rate_limit: rules.weights_set_rate_limit,
            weights_version_key: rules.weights_version_key,
            immunity_period: rules.immunity_period.into(),
            min_non_immune_uids: rules.min_non_immune_uids.into(),
            activity_cutoff_factor_milli: rules.activity_cutoff_factor_milli,
            bonds_moving_average: rules.bonds_moving_average,
            bonds_penalty: rules.bonds_penalty.into(),
            liquid_alpha_enabled: rules.liquid_alpha_enabled,
            alpha_low: rules.alpha_low.into(),
            alpha_high: rules.alpha_high.into(),
            alpha_sigmoid_steepness: rules.alpha_sigmoid_steepness.into(),
            yuma3_enabled: rules.yuma3_enabled,
            commit_reveal_weights_enabled: rules.commit_reveal_weights_enabled,
            reveal_period_epochs: rules.reveal_period_epochs,
            serving_rate_limit: rules.serving_rate_limit,
            stake_threshold: rules.stake_threshold.0,
            min_burn: rules.min_burn.0,
            max_burn: rules.max_burn.0,
            burn_half_life: rules.burn_half_life.into(),
            burn_increase_percent: rules.burn_increase_percent,
            max_registrations_per_block: rules.max_registrations_per_block.into(),
            registration_allowed: rules.registration_allowed,
        }
    }
}

impl TryFrom<v1::Hyperparameters> for Hyperparameters {
    type Error = ChainMessageError;

    fn try_from(rules: v1::Hyperparameters) -> Result<Self, ChainMessageError> {
        let steepness = i16::try_from(rules.alpha_sigmoid_steepness);
        Ok(Self {
            tempo: narrow("tempo", rules.tempo)?,
            kappa: narrow("kappa", rules.kappa)?,
            max_allowed_uids: narrow("max_allowed_uids", rules.max_allowed_uids)?,
            max_allowed_validators: narrow("max_allowed_validators", rules.max_allowed_validators)?,
            min_allowed_weights: narrow("min_allowed_weights", rules.min_allowed_weights)?,
            max_weights_limit: narrow("max_weights_limit", rules.max_weights_limit)?,
            weights_set_rate_limit: rules.weights_set_rate_limit,
            weights_version_key: rules.weights_version_key,
            immunity_period: narrow("immunity_period", rules.immunity_period)?,
            min_non_immune_uids: narrow("min_non_immune_uids", rules.min_non_immune_uids)?,
            activity_cutoff_factor_milli: rules.activity_cutoff_factor_milli,
            bonds_moving_average: rules.bonds_moving_average,
            bonds_penalty: narrow("bonds_penalty", rules.bonds_penalty)?,
            liquid_alpha_enabled: rules.liquid_alpha_enabled,
            alpha_low: narrow("alpha_low", rules.alpha_low)?,
            alpha_high: narrow("alpha_high", rules.alpha_high)?,
            alpha_sigmoid_steepness: steepness
                .map_err(|_| wrong("alpha_sigmoid_steepness", "is too large"))?,
            yuma3_enabled: rules.yuma3_enabled,
            commit_reveal_weights_enabled: rules.commit_reveal_weights_enabled,
            reveal_period_epochs: rules.reveal_period_epochs,
            serving_rate_limit: rules.serving_rate_limit,
            stake_threshold: Rao(rules.stake_threshold),
            min_burn: Rao(rules.min_burn),
            max_burn: Rao(rules.max_burn),
            burn_half_life: narrow("burn_half_life", rules.burn_half_life)?,
            burn_increase_percent: rules.burn_increase_percent,
            max_registrations_per_block: narrow(
                "max_registrations_per_block",
                rules.max_registrations_per_block,
            )?,
            registration_allowed: rules.registration_allowed,
        })
    }
}
