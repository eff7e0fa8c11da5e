//! The hyperparameters of a subnet that an epoch reads.

use serde::{Deserialize, Serialize};

/// The subnet's settings that an epoch reads. A proportion in a `u16` is out of 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// The majority that consensus needs.
    pub kappa: u16,
    /// Share of the weight above consensus that is cut before it earns bonds: 0 not at all, 65535 fully.
    pub bonds_penalty: u16,
    /// The share of the old bonds that an epoch keeps, in millionths.
    pub bonds_moving_average: u64,
    pub alpha_low: u16,
    pub alpha_high: u16,
    /// The slope of liquid alpha's sigmoid, in hundredths.
    pub alpha_sigmoid_steepness: i16,
    pub max_allowed_validators: u16,
    /// Blocks without new weights after which a validator counts as inactive.
    pub activity_cutoff: u64,
    /// Stake in rao below which a uid counts as having none.
    pub stake_threshold: u64,
    /// Acts only together with `yuma3`.
    pub liquid_alpha: bool,
    pub yuma3: bool,
    pub commit_reveal: bool,
}

impl From<&weighhouse_types::Hyperparameters> for Hyperparameters {
    fn from(subnet: &weighhouse_types::Hyperparameters) -> Self {
        Self {
            kappa: subnet.kappa,
            bonds_penalty: subnet.bonds_penalty,
            bonds_moving_average: subnet.bonds_moving_average,
            alpha_low: subnet.alpha_low,
            alpha_high: subnet.alpha_high,
            alpha_sigmoid_steepness: subnet.alpha_sigmoid_steepness,
            max_allowed_validators: subnet.max_allowed_validators,
            activity_cutoff: subnet.activity_cutoff(),
            stake_threshold: subnet.stake_threshold.0,
            liquid_alpha: subnet.liquid_alpha_enabled,
            yuma3: subnet.yuma3_enabled,
            commit_reveal: subnet.commit_reveal_weights_enabled,
        }
    }
}
