//! Checks of a scenario before it is simulated: the range of each number, and names that exist.

use super::{
    EPOCHS_MAX, MinerGroup, REGISTRATIONS_MAX, Scenario, ScenarioValidator, UIDS_MAX, ValidatorGroup,
};
use crate::sim::error::{GROUPS_MAX, ScenarioError, within};

impl Scenario {
    /// Refuses what cannot be simulated; see [`ScenarioError`].
    pub(in crate::sim) fn check(&self) -> Result<(), ScenarioError> {
        self.profile.check()?;
        self.check_numbers()?;
        let found = self.miners.len().max(self.validators.len());
        if found > GROUPS_MAX {
            return Err(ScenarioError::TooManyGroups { found });
        }
        let mut needed = self.validator_uids();
        for (at, group) in self.miners.iter().enumerate() {
            group.check()?;
            if self.miners[..at].iter().any(|other| other.name == group.name) {
                return Err(ScenarioError::GroupTwice { name: group.name.clone() });
            }
            if group.start == 0 {
                needed += u64::from(group.operators) * u64::from(group.strategy.identities);
            }
        }
        let most = self.subnet.max_uids;
        if needed > u64::from(most) {
            return Err(ScenarioError::Full { needed, most });
        }
        if self.miners.iter().all(|group| group.attacker) {
            return Err(ScenarioError::NoHonestMiners);
        }
        self.validators.iter().try_for_each(|group| self.check_validators(group))
    }

    fn check_numbers(&self) -> Result<(), ScenarioError> {
        let Self { subnet, economy, judging, .. } = self;
        within("epochs", f64::from(self.epochs), 1.0, f64::from(EPOCHS_MAX))?;
        within("subnet.max_uids", f64::from(subnet.max_uids), 2.0, f64::from(UIDS_MAX))?;
        // Registrations and publications have blocks of their own within an epoch.
        within("subnet.tempo_blocks", subnet.tempo_blocks as f64, 20.0, 1e6)?;
        within("subnet.reveal_period_epochs", f64::from(subnet.reveal_period_epochs), 1.0, 100.0)?;
        within("subnet.bonds_moving_average", subnet.bonds_moving_average as f64, 0.0, 1e6)?;
        within("subnet.registration.factor", subnet.registration.factor, 1.0, 100.0)?;
        within(
            "subnet.registration.half_life_blocks",
            subnet.registration.half_life_blocks as f64,
            1.0,
            1e9,
        )?;
        within("subnet.emission_rao", subnet.emission_rao as f64, 1.0, 1e15)?;
        within("economy.cost_share", economy.cost_share, 1e-6, 1e3)?;
        within("economy.standing", economy.standing, 0.0, 1e3)?;
        within("economy.unjudged", economy.unjudged, 0.0, 1e6)?;
        within("economy.rao_value", economy.rao_value.unwrap_or(0.0), 0.0, 1e12)?;
        within("judging.challenges", f64::from(judging.challenges), 1.0, 1e6)?;
        within("judging.common", judging.common, 0.0, 1.0)?;
        within("judging.noise", judging.noise, 0.0, 1.0)?;
        within("judging.drift", judging.drift, 0.0, 1.0)?;
        within("judging.honest_likeness", judging.honest_likeness.unwrap_or(0.0), -1.0, 1.0)?;
        within("validators", self.validator_uids() as f64, 1.0, f64::from(UIDS_MAX))?;
        let arrivals: f64 = self.miners.iter().map(|group| group.arrivals).sum();
        within("arrivals", arrivals * f64::from(self.epochs), 0.0, f64::from(REGISTRATIONS_MAX) / 8.0)
    }

    fn check_validators(&self, group: &ValidatorGroup) -> Result<(), ScenarioError> {
        within("stake_rao", group.stake_rao as f64, 0.0, 1e16)?;
        within("delay_epochs", f64::from(group.delay_epochs), 0.0, 100.0)?;
        match &group.persona {
            ScenarioValidator::Differing { deviation } => within("deviation", *deviation, 0.0, 2.0)?,
            ScenarioValidator::Bribed { share, .. } => within("share", *share, 0.0, 1.0)?,
            ScenarioValidator::Lazy { period_epochs } => {
                within("period_epochs", f64::from(*period_epochs), 1.0, 1e6)?
            }
            ScenarioValidator::Honest | ScenarioValidator::Copier | ScenarioValidator::Cartel { .. } => {}
        }
        match &group.persona {
            ScenarioValidator::Bribed { group: paid, .. } | ScenarioValidator::Cartel { group: paid }
                if self.miners.iter().all(|miners| miners.name != *paid) =>
            {
                Err(ScenarioError::UnknownGroup { name: group.name.clone(), group: paid.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl MinerGroup {
    fn check(&self) -> Result<(), ScenarioError> {
        self.strategy.check()?;
        within("arrivals", self.arrivals, 0.0, 1e3)?;
        within("quality", self.quality[0], 0.0, 1.0)?;
        within("quality", self.quality[1], self.quality[0], 1.0)?;
        within("cost", self.cost[0], 0.0, 1e3)?;
        within("cost", self.cost[1], self.cost[0], 1e3)
    }
}
