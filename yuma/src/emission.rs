//! Emission: miners are paid by incentive, validators by dividends, out of one sum.

use super::EpochOutput;
use super::exact::{Bits, Divisor};

/// Incentive and dividends over the sum of both. Where nobody earned either, validators share by active stake, or by all
/// stake if none is active.
pub(super) fn pay(
    output: &mut EpochOutput,
    emission_rao: u64,
    incentive: &[Bits],
    dividends: &[Bits],
    stake: &[Bits],
    active_stake: &[Bits],
) {
    let EpochOutput { server_emission, validator_emission, combined_emission, .. } = output;
    let sum = incentive.iter().sum::<Bits>() + dividends.iter().sum::<Bits>();
    server_emission.clear();
    validator_emission.clear();
    combined_emission.clear();
    if sum == 0 {
        let none_active = active_stake.iter().all(|&share| share == 0);
        let shares = if none_active { stake } else { active_stake };
        server_emission.resize(stake.len(), 0);
        validator_emission.extend(shares.iter().map(|&share| to_rao(share, emission_rao)));
        combined_emission.clone_from(validator_emission);
        return;
    }
    let divisor = Divisor::new(sum);
    let rao = |earned: Bits| if earned == 0 { 0 } else { to_rao(divisor.share(earned), emission_rao) };
    server_emission.extend(incentive.iter().map(|&earned| rao(earned)));
    validator_emission.extend(dividends.iter().map(|&earned| rao(earned)));
    // Both together may exceed the 1 that a divisor takes.
    let both = |(&server, &validator): (&Bits, &Bits)| match (server, validator) {
        (earned, 0) | (0, earned) => rao(earned),
        _ => {
            let share = (u128::from(server + validator) << 32) / u128::from(sum);
            to_rao(share as Bits, emission_rao)
        }
    };
    combined_emission.extend(incentive.iter().zip(dividends).map(both));
}

/// floor(share x `emission_rao`), for a share of at most 1.
fn to_rao(share: Bits, emission_rao: u64) -> u64 {
    ((u128::from(share) * u128::from(emission_rao)) >> 32) as u64
}
