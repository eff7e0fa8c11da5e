//! A world to simulate, as data: the task, the policy, the subnet, who mines and who validates.
//!
//! A scenario is checked once, when a [`super::Simulator`] is made of it.

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::error::{ScenarioError, within};
use super::strategy::Strategy;
use weighhouse_scoring::policy::PolicyFile;
use weighhouse_types::profile::Profile;

mod check;

/// Most epochs of one run.
pub const EPOCHS_MAX: u32 = 100_000;
/// Most uids of one simulated subnet.
pub const UIDS_MAX: u16 = 4096;
/// Most registrations in one run, the first ones included.
pub const REGISTRATIONS_MAX: u32 = 1_000_000;

/// One world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The measured task: a shipped profile's name, or a whole profile.
    #[serde(deserialize_with = "named_or_whole")]
    pub profile: Profile,
    /// The policy file, written as its text; shared by all honest validators.
    #[serde(default)]
    pub policy: PolicyFile,
    #[serde(default)]
    pub subnet: ScenarioSubnet,
    #[serde(default)]
    pub economy: Economy,
    #[serde(default)]
    pub judging: Judging,
    pub epochs: u32,
    /// First epochs that figures of agreement (vtrust, rank correlation) leave out.
    #[serde(default)]
    pub warmup_epochs: u32,
    pub miners: Vec<MinerGroup>,
    pub validators: Vec<ValidatorGroup>,
}

/// The chain's settings; defaults are the chain's own, and the rules are those of [`weighhouse_yuma`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScenarioSubnet {
    pub tempo_blocks: u64,
    /// Uids, validators included.
    pub max_uids: u16,
    pub kappa: u16,
    pub bonds_penalty: u16,
    pub bonds_moving_average: u64,
    pub alpha_low: u16,
    pub alpha_high: u16,
    pub alpha_sigmoid_steepness: i16,
    pub max_allowed_validators: u16,
    pub liquid_alpha: bool,
    pub yuma3: bool,
    /// The rules of spec 377 instead of 425.
    pub spec377: bool,
    pub commit_reveal: bool,
    /// Epochs between a commit and its reveal.
    pub reveal_period_epochs: u32,
    pub activity_cutoff_blocks: u64,
    pub immunity_blocks: u64,
    pub stake_threshold_rao: u64,
    pub min_allowed_weights: u16,
    pub max_weights_limit: u16,
    /// Pruning spares immune uids while at least this many others exist.
    pub min_non_immune_uids: u16,
    /// Emission to miners and validators each epoch, in rao.
    pub emission_rao: u64,
    pub registration: Registration,
}

impl Default for ScenarioSubnet {
    fn default() -> Self {
        Self {
            tempo_blocks: 360,
            max_uids: 256,
            // Half of the stake.
            kappa: 32_767,
            bonds_penalty: 65_535,
            // In millionths.
            bonds_moving_average: 900_000,
            // 0.7 and 0.9 of 65535.
            alpha_low: 45_875,
            alpha_high: 58_982,
            alpha_sigmoid_steepness: 1000,
            max_allowed_validators: 128,
            liquid_alpha: false,
            yuma3: false,
            spec377: false,
            commit_reveal: true,
            reveal_period_epochs: 1,
            activity_cutoff_blocks: 5000,
            immunity_blocks: 4096,
            stake_threshold_rao: 0,
            min_allowed_weights: 0,
            max_weights_limit: u16::MAX,
            min_non_immune_uids: 10,
            // 360 blocks of 1 TAO each, less the owner's 18 %.
            emission_rao: 295_200_000_000,
            registration: Registration::default(),
        }
    }
}

/// The price of a uid, in rao of what the subnet emits. It halves with time and rises with each registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registration {
    /// The price at the start, which the miners of the first epoch pay alike.
    pub initial_rao: u64,
    pub least_rao: u64,
    pub most_rao: u64,
    pub half_life_blocks: u64,
    pub factor: f64,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            // 0.1, 0.0005 and 100 TAO.
            initial_rao: 100_000_000,
            least_rao: 500_000,
            most_rao: 100_000_000_000,
            half_life_blocks: 360,
            // About the cube root of 2: three registrations double the price.
            factor: 1.26,
        }
    }
}

/// Worth of money in work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Economy {
    /// The cost of honest work over what it earns, in a world whose first miners all work honestly: sets the value of a
    /// rao in CPU-seconds.
    pub cost_share: f64,
    /// The cost per epoch of holding an honest miner's computing power ready, over that of its answers.
    pub standing: f64,
    /// Requests to each miner that nobody judges, per judged one.
    pub unjudged: f64,
    /// CPU-seconds that a rao is worth, instead of what follows from `cost_share`: for worlds to compare.
    pub rao_value: Option<f64>,
}

impl Default for Economy {
    fn default() -> Self {
        Self { cost_share: 0.5, standing: 1.0, unjudged: 0.0, rao_value: None }
    }
}

/// Validators' way of asking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Judging {
    /// Challenges to each miner by each validator in an epoch.
    pub challenges: u32,
    /// The share of these that all validators have in common, from the epoch's beacon.
    pub common: f64,
    /// Standard deviation that differing hardware and networks add to each mark.
    pub noise: f64,
    /// Standard deviation of the change of an honest miner's quality from one epoch to the next.
    pub drift: f64,
    /// True if all identities are challenged at once, so that a backend must have power for all.
    pub barrier: bool,
    /// True if answers to shared challenges are committed before any is shown.
    pub sealed: bool,
    /// The correlation of honest miners' answers; not set: the profile's of their marks. From 0.999 on likeness means
    /// nothing, as all honest answers are alike.
    pub honest_likeness: Option<f64>,
}

impl Default for Judging {
    fn default() -> Self {
        Self {
            challenges: 32,
            common: 0.5,
            noise: 0.0,
            drift: 0.0,
            barrier: true,
            sealed: true,
            honest_likeness: None,
        }
    }
}

/// Operators who do the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinerGroup {
    pub name: String,
    /// Counts as an attacker in figures about honest miners. Unlike a judge, the world never looks at it.
    #[serde(default)]
    pub attacker: bool,
    /// A preset's name, or a whole strategy.
    #[serde(deserialize_with = "preset_or_whole", default)]
    pub strategy: Strategy,
    /// Operators at the start, each with the strategy's identities.
    pub operators: u16,
    /// The epoch in which they register.
    #[serde(default)]
    pub start: u32,
    /// Operators that register per epoch, on average, besides these: the churn.
    #[serde(default)]
    pub arrivals: f64,
    /// Between these two the quality of each operator's work lies, evenly: a factor of its mean mark.
    #[serde(default = "exactly_one")]
    pub quality: [f64; 2],
    /// Between these two the cost of each operator's work lies, evenly: a factor of the measured one.
    #[serde(default = "exactly_one")]
    pub cost: [f64; 2],
}

/// Validators who do the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorGroup {
    pub name: String,
    pub persona: ScenarioValidator,
    pub count: u16,
    /// Each one's stake.
    pub stake_rao: u64,
    /// Epochs by which its vectors are late.
    #[serde(default)]
    pub delay_epochs: u32,
}

/// Source of the weights that a validator publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScenarioValidator {
    /// Its own challenges, judged, folded and weighed by the policy.
    Honest,
    /// The same, but asks about other things than the rest: each miner's mean mark differs by a lasting deviation, and
    /// nothing is in common.
    Differing { deviation: f64 },
    /// Judges nobody: publishes the mean, by stake, of the weights that the chain shows.
    Copier,
    /// Judges once in `period_epochs` epochs and publishes nothing in between.
    Lazy { period_epochs: u32 },
    /// Honest, but adds this share of its whole weight on the group's miners, evenly.
    Bribed { group: String, share: f64 },
    /// All weight on the group's miners, evenly.
    Cartel { group: String },
}

impl ScenarioValidator {
    /// True if it asks miners at all.
    pub fn judges(&self) -> bool {
        !matches!(self, Self::Copier | Self::Cartel { .. })
    }
}

impl Scenario {
    /// A subnet of honest miners and validators with equal stake, to start from.
    pub fn honest(profile: Profile, miners: u16, validators: u16, epochs: u32) -> Self {
        Self {
            profile,
            policy: PolicyFile::shipped(),
            subnet: ScenarioSubnet {
                max_uids: miners.saturating_add(validators),
                ..ScenarioSubnet::default()
            },
            economy: Economy::default(),
            judging: Judging::default(),
            epochs,
            warmup_epochs: 8.min(epochs / 2),
            miners: vec![MinerGroup::honest(miners)],
            validators: vec![ValidatorGroup::honest(validators)],
        }
    }

    /// Uids that validators hold.
    pub fn validator_uids(&self) -> u64 {
        self.validators.iter().map(|group| u64::from(group.count)).sum()
    }

    /// CPU-seconds of an honest miner of this profile per epoch, its computing power held ready included.
    pub fn honest_cost(&self) -> f64 {
        let judges: u32 = self
            .validators
            .iter()
            .filter(|group| group.persona.judges())
            .map(|group| u32::from(group.count))
            .sum();
        let challenges = f64::from(judges) * f64::from(self.judging.challenges);
        challenges * self.profile.cost.answer * (1.0 + self.economy.unjudged + self.economy.standing)
    }

    /// CPU-seconds that a rao is worth if the first miners' uids, all at honest work, spend the `cost_share` of what
    /// they earn.
    pub fn honest_rao_value(&self) -> f64 {
        let uids: u32 = self
            .miners
            .iter()
            .filter(|group| group.start == 0)
            .map(|group| u32::from(group.operators) * u32::from(group.strategy.identities))
            .sum();
        // Miners and validators share the emission half and half.
        let earned = 0.5 * self.subnet.emission_rao as f64 / f64::from(uids.max(1));
        self.honest_cost() / (self.economy.cost_share * earned)
    }

    /// Gives a share of the first group's uids to attackers: at least one operator.
    ///
    /// # Errors
    /// [`ScenarioError::Range`] where the share isn't in [0, 1], [`ScenarioError::NoHonestMiners`] where there is no group.
    pub fn attacked(&mut self, strategy: &Strategy, fraction: f64) -> Result<(), ScenarioError> {
        within("fraction", fraction, 0.0, 1.0)?;
        let honest = self.miners.first_mut().ok_or(ScenarioError::NoHonestMiners)?;
        let uids = libm::round(f64::from(honest.operators) * fraction) as u16;
        let operators = (uids / strategy.identities.max(1)).max(1);
        honest.operators = honest.operators.saturating_sub(operators.saturating_mul(strategy.identities));
        self.miners.push(MinerGroup::attackers(strategy.clone(), operators));
        Ok(())
    }
}

impl MinerGroup {
    /// Honest operators of full quality.
    pub fn honest(operators: u16) -> Self {
        Self {
            name: weighhouse_types::profile::HONEST.to_owned(),
            attacker: false,
            strategy: Strategy::default(),
            operators,
            start: 0,
            arrivals: 0.0,
            quality: exactly_one(),
            cost: exactly_one(),
        }
    }

    /// Attackers from the start, of full quality where they work.
    pub fn attackers(strategy: Strategy, operators: u16) -> Self {
        Self { name: strategy.name.clone(), attacker: true, strategy, ..Self::honest(operators) }
    }
}

impl ValidatorGroup {
    /// Honest validators of 100,000 units of stake each.
    pub fn honest(count: u16) -> Self {
        Self {
            name: weighhouse_types::profile::HONEST.to_owned(),
            persona: ScenarioValidator::Honest,
            count,
            stake_rao: 100_000_000_000_000,
            delay_epochs: 0,
        }
    }
}

fn exactly_one() -> [f64; 2] {
    [1.0, 1.0]
}

/// A name, or the thing itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum NameOr<T> {
    Name(String),
    Whole(T),
}

fn named_or_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Profile, D::Error> {
    match NameOr::<Profile>::deserialize(deserializer)? {
        NameOr::Whole(profile) => Ok(profile),
        NameOr::Name(name) => crate::profiles::shipped(&name).map_err(Error::custom),
    }
}

fn preset_or_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Strategy, D::Error> {
    match NameOr::<Strategy>::deserialize(deserializer)? {
        NameOr::Whole(strategy) => Ok(strategy),
        NameOr::Name(name) => {
            Strategy::persona(&name).ok_or_else(|| Error::custom(format!("no strategy is called {name:?}")))
        }
    }
}
