//! The range of each hyperparameter: the chain's own, except that a tempo may be as short as two blocks here.

use std::ops::RangeInclusive;

use weighhouse_types::Hyperparameters;

use crate::Refusal;
use crate::rules::schedule::TEMPO_MAX;

/// The chain's own least tempo is 360; a localnet wants an epoch within seconds.
pub(crate) const TEMPO_MIN: u16 = 2;
pub(crate) const UIDS_MAX: u16 = 256;
pub(crate) const ACTIVITY_CUTOFF_FACTOR_MILLI: RangeInclusive<u32> = 1_000..=50_000;
/// A rate limit beyond the longest tempo would shut validators out.
const RATE_LIMIT_MAX: u64 = TEMPO_MAX as u64;
const BURN_HALF_LIFE_MAX: u16 = 36_100;
const BURN_INCREASE_PERCENT_MAX: u32 = 300;
const BONDS_MOVING_AVERAGE_MAX: u64 = 975_000;
const ALPHA_MIN: u16 = 1_638;
/// The chain's longest reveal period.
pub(crate) const REVEAL_PERIOD_MAX: u64 = 100;

/// Checks every field; `neurons` is how many are registered.
pub(crate) fn check(rules: &Hyperparameters, neurons: usize) -> Result<(), Refusal> {
    within("tempo", rules.tempo, TEMPO_MIN..=TEMPO_MAX)?;
    within("max_allowed_uids", rules.max_allowed_uids, 1..=UIDS_MAX)?;
    if usize::from(rules.max_allowed_uids) < neurons {
        return Err(invalid("max_allowed_uids", format!("can't be below the {neurons} registered neurons")));
    }
    within("max_allowed_validators", rules.max_allowed_validators, 1..=UIDS_MAX)?;
    within("max_weights_limit", rules.max_weights_limit, 1..=u16::MAX)?;
    within("weights_set_rate_limit", rules.weights_set_rate_limit, 0..=RATE_LIMIT_MAX)?;
    within("min_non_immune_uids", rules.min_non_immune_uids, 0..=UIDS_MAX)?;
    within("activity_cutoff_factor_milli", rules.activity_cutoff_factor_milli, ACTIVITY_CUTOFF_FACTOR_MILLI)?;
    within("bonds_moving_average", rules.bonds_moving_average, 0..=BONDS_MOVING_AVERAGE_MAX)?;
    within("alpha_high", rules.alpha_high, ALPHA_MIN..=u16::MAX)?;
    within("alpha_low", rules.alpha_low, ALPHA_MIN..=rules.alpha_high)?;
    within("alpha_sigmoid_steepness", rules.alpha_sigmoid_steepness, 0..=i16::MAX)?;
    within("reveal_period_epochs", rules.reveal_period_epochs, 1..=REVEAL_PERIOD_MAX)?;
    within("serving_rate_limit", rules.serving_rate_limit, 0..=RATE_LIMIT_MAX)?;
    within("max_burn", rules.max_burn.0, 1..=u64::MAX)?;
    within("min_burn", rules.min_burn.0, 0..=rules.max_burn.0)?;
    within("burn_half_life", rules.burn_half_life, 1..=BURN_HALF_LIFE_MAX)?;
    within("burn_increase_percent", rules.burn_increase_percent, 100..=BURN_INCREASE_PERCENT_MAX)?;
    within("max_registrations_per_block", rules.max_registrations_per_block, 1..=UIDS_MAX)
}

fn within<T: PartialOrd + std::fmt::Display>(
    name: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), Refusal> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(invalid(name, format!("is {value}, outside {} to {}", range.start(), range.end())))
}

fn invalid(name: &str, why: String) -> Refusal {
    Refusal::InvalidHyperparameter { name: name.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_types::Rao;

    type Change = fn(&mut Hyperparameters);

    #[test]
    fn the_chains_defaults_are_in_range() {
        assert_eq!(check(&Hyperparameters::default(), 256), Ok(()));
    }

    #[test]
    fn a_value_out_of_range_is_refused_by_its_name() {
        let changes: [(&str, Change); 19] = [
            ("tempo", |rules| rules.tempo = 1),
            ("tempo", |rules| rules.tempo = TEMPO_MAX + 1),
            ("max_allowed_uids", |rules| rules.max_allowed_uids = 257),
            ("max_allowed_uids", |rules| rules.max_allowed_uids = 2),
            ("max_allowed_validators", |rules| rules.max_allowed_validators = 0),
            ("max_weights_limit", |rules| rules.max_weights_limit = 0),
            ("weights_set_rate_limit", |rules| rules.weights_set_rate_limit = 50_401),
            ("min_non_immune_uids", |rules| rules.min_non_immune_uids = 257),
            ("activity_cutoff_factor_milli", |rules| rules.activity_cutoff_factor_milli = 999),
            ("bonds_moving_average", |rules| rules.bonds_moving_average = 975_001),
            ("alpha_high", |rules| rules.alpha_high = 1_637),
            ("alpha_low", |rules| rules.alpha_low = rules.alpha_high + 1),
            ("alpha_sigmoid_steepness", |rules| rules.alpha_sigmoid_steepness = -1),
            ("reveal_period_epochs", |rules| rules.reveal_period_epochs = 0),
            ("serving_rate_limit", |rules| rules.serving_rate_limit = u64::MAX),
            ("min_burn", |rules| rules.min_burn = Rao(rules.max_burn.0 + 1)),
            ("burn_half_life", |rules| rules.burn_half_life = 0),
            ("burn_increase_percent", |rules| rules.burn_increase_percent = 99),
            ("max_registrations_per_block", |rules| rules.max_registrations_per_block = 0),
        ];
        for (expected, change) in changes {
            let mut rules = Hyperparameters::default();
            change(&mut rules);
            match check(&rules, 3) {
                Err(Refusal::InvalidHyperparameter { name, .. }) => assert_eq!(name, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
