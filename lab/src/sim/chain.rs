//! The chain's side of an epoch: vectors until they are in force, the vectors of copiers and cartels, and consensus.
//!
//! In the order of an epoch: validators that judge submit; those that don't make theirs of what the chain shows; vectors whose
//! delay is over come into force; uids that changed hands lose their weight; then the chain's own Yuma runs.

use weighhouse_types::Uid;

use super::plan::SimulationPlan;
use super::registry::{Registry, refill};
use super::scenario::ScenarioValidator;
use weighhouse_yuma::{EpochInput, EpochOutput, Workspace};

/// A row of (uid, weight).
type BondsRow = Vec<(u16, u16)>;

/// Blocks before the end of an epoch at which validators publish.
const WINDOW_BLOCKS: u64 = 10;

/// One validator's vectors between their making and the epoch that they are in force in: a ring over epochs.
#[derive(Debug, Default)]
struct PendingWeights {
    rows: Vec<BondsRow>,
    /// The epoch that each was made in.
    made: Vec<Option<u32>>,
    /// The epoch that the row in force was made in.
    in_force: Option<u32>,
}

#[derive(Debug)]
pub(super) struct SimulatedChain {
    input: EpochInput,
    engine: Workspace,
    pending: Vec<PendingWeights>,
    /// By uid, the mean weight on the chain: what a copier publishes.
    mean: Vec<f64>,
    row: BondsRow,
}

impl SimulatedChain {
    pub(super) fn new(plan: &SimulationPlan) -> Self {
        let uids = plan.validators.len() + plan.miner_slots;
        // Burned weight goes to uid 0, as the owner's: what that earns as a miner is burned.
        let owner_uid = plan.policy.burn().map(|_| 0);
        let input = EpochInput {
            block: 0,
            stake: vec![0; uids],
            last_update: vec![0; uids],
            block_at_registration: vec![0; uids],
            validator_permit: vec![false; uids],
            weights: vec![Vec::new(); uids],
            bonds: vec![Vec::new(); uids],
            hyperparameters: plan.hyper,
            earliest_commit_block: vec![None; uids],
            last_step_boundary_block: 0,
            owner_uid,
            emission_rao: plan.scenario.subnet.emission_rao,
        };
        Self { input, engine: Workspace::default(), pending: Vec::new(), mean: Vec::new(), row: Vec::new() }
    }

    pub(super) fn reset(&mut self, plan: &SimulationPlan) {
        let input = &mut self.input;
        input.last_update.fill(0);
        input.block_at_registration.fill(0);
        input.earliest_commit_block.fill(None);
        input.weights.iter_mut().chain(&mut input.bonds).for_each(Vec::clear);
        self.pending.resize_with(plan.validators.len(), PendingWeights::default);
        for (uid, (validator, pending)) in plan.validators.iter().zip(&mut self.pending).enumerate() {
            input.stake[uid] = validator.stake_rao;
            // For the first epoch; the chain grants the later ones.
            input.validator_permit[uid] = validator.stake_rao > 0;
            let epochs = lag(plan, uid) as usize + 1;
            pending.rows.resize_with(epochs, BondsRow::default);
            pending.rows.iter_mut().for_each(Vec::clear);
            refill(&mut pending.made, epochs, None);
            pending.in_force = None;
        }
    }

    /// Takes what a validator made in `epoch`.
    pub(super) fn submit(&mut self, validator: usize, epoch: u32, row: impl Iterator<Item = (u16, u16)>) {
        let pending = &mut self.pending[validator];
        let at = epoch as usize % pending.made.len();
        pending.made[at] = Some(epoch);
        pending.rows[at].clear();
        pending.rows[at].extend(row);
    }

    /// As [`SimulatedChain::submit`], with all the bribed validator's favours added.
    pub(super) fn submit_bribed(
        &mut self,
        plan: &SimulationPlan,
        registry: &Registry,
        validator: usize,
        epoch: u32,
        vector: &[(Uid, u16)],
    ) {
        let ScenarioValidator::Bribed { share, .. } = plan.validators[validator].persona else { return };
        let uids = self.input.stake.len();
        refill(&mut self.mean, uids, 0.0);
        let mut total = 0.0;
        for (uid, weight) in vector {
            self.mean[uid.index()] = f64::from(*weight);
            total += f64::from(*weight);
        }
        let paid = favoured(plan, registry, validator).count();
        for uid in favoured(plan, registry, validator) {
            self.mean[uid] += share * total / paid as f64;
        }
        self.submit_mean(validator, epoch);
    }

    /// Lets validators that judge nobody publish, and brings into force what is due in `epoch`.
    pub(super) fn advance(&mut self, plan: &SimulationPlan, registry: &Registry, epoch: u32) {
        for validator in 0..plan.validators.len() {
            if matches!(plan.validators[validator].persona, ScenarioValidator::Cartel { .. }) {
                self.row.clear();
                self.row.extend(favoured(plan, registry, validator).map(|uid| (uid as u16, u16::MAX)));
                let row = std::mem::take(&mut self.row);
                if !row.is_empty() {
                    self.submit(validator, epoch, row.iter().copied());
                }
                self.row = row;
            }
            if !matches!(plan.validators[validator].persona, ScenarioValidator::Copier) {
                self.bring_into_force(plan, registry, validator, epoch);
            }
        }
        // Copiers come last, because they publish what has come into force by now.
        let copies =
            |validator: &usize| matches!(plan.validators[*validator].persona, ScenarioValidator::Copier);
        if (0..plan.validators.len()).any(|validator| copies(&validator)) {
            self.average_in_force(plan);
            // Until something is in force, the mean is all zeros and scaling it would divide by 0.
            let seen = self.mean.iter().any(|weight| *weight > 0.0);
            for validator in (0..plan.validators.len()).filter(copies) {
                if seen {
                    self.submit_mean(validator, epoch);
                }
                self.bring_into_force(plan, registry, validator, epoch);
            }
        }
    }

    /// Clears a uid that changed hands, as the chain does: everybody's weight on it becomes 0. Registrations come after the epoch's
    /// reveals, so what was revealed before goes too.
    pub(super) fn clear_changed(&mut self, plan: &SimulationPlan, registry: &Registry, epoch: u32) {
        let first = plan.validators.len();
        for (row, pending) in self.input.weights.iter_mut().zip(&self.pending) {
            if !registry.changed.is_empty() && pending.in_force.is_some_and(|made| made < epoch) {
                let is_changed = |uid: u16| {
                    let slot = usize::from(uid).checked_sub(first);
                    slot.is_some_and(|slot| registry.registered_epoch[slot] == epoch)
                };
                row.iter_mut().filter(|(uid, _)| is_changed(*uid)).for_each(|(_, weight)| *weight = 0);
            }
        }
    }

    /// Runs consensus at the end of `epoch`.
    pub(super) fn consent(
        &mut self,
        plan: &SimulationPlan,
        registry: &Registry,
        epoch: u32,
    ) -> EpochResult<'_> {
        let tempo = plan.scenario.subnet.tempo_blocks;
        let input = &mut self.input;
        input.block = u64::from(epoch + 1) * tempo;
        // The block after the last step; in the first epoch there was none.
        input.last_step_boundary_block = u64::from(epoch) * tempo + u64::from(epoch > 0);
        let first = plan.validators.len();
        input.block_at_registration[first..].copy_from_slice(&registry.registered_block);
        let output = self
            .engine
            .epoch(plan.rules, input)
            .expect("the simulator keeps every vector as long as the uids");
        input.bonds.iter_mut().zip(&output.new_bonds).for_each(|(row, new)| row.clone_from(new));
        input.validator_permit.clone_from(&output.new_permits);
        EpochResult { output, pending: &self.pending }
    }

    fn submit_mean(&mut self, validator: usize, epoch: u32) {
        let top = self.mean.iter().copied().fold(0.0, f64::max);
        let mean = std::mem::take(&mut self.mean);
        let scaled = |weight: f64| (weight / top * f64::from(u16::MAX) + 0.5) as u16;
        let row = mean.iter().enumerate().map(|(uid, weight)| (uid as u16, scaled(*weight)));
        self.submit(validator, epoch, row.filter(|(_, weight)| *weight > 0));
        self.mean = mean;
    }

    /// The mean of the rows in force by stake, those of copiers aside.
    fn average_in_force(&mut self, plan: &SimulationPlan) {
        refill(&mut self.mean, self.input.stake.len(), 0.0);
        for (validator, planned) in plan.validators.iter().enumerate() {
            if matches!(planned.persona, ScenarioValidator::Copier) {
                continue;
            }
            let row = &self.input.weights[validator];
            let sum: f64 = row.iter().map(|(_, weight)| f64::from(*weight)).sum();
            if sum > 0.0 {
                let scale = planned.stake_rao as f64 / sum;
                row.iter()
                    .for_each(|(uid, weight)| self.mean[usize::from(*uid)] += scale * f64::from(*weight));
            }
        }
    }

    fn bring_into_force(&mut self, plan: &SimulationPlan, registry: &Registry, validator: usize, epoch: u32) {
        let tempo = plan.scenario.subnet.tempo_blocks;
        let delay = plan.validators[validator].delay_epochs;
        let pending = &mut self.pending[validator];
        let published = |made: u32| u64::from(made + delay + 1) * tempo - WINDOW_BLOCKS;
        let conceals = plan.scenario.subnet.commit_reveal;
        let due = epoch.checked_sub(lag(plan, validator));
        let sent = epoch.checked_sub(delay);
        let slot = |made: u32| made as usize % pending.made.len();
        if let Some(made) = sent.filter(|made| pending.made[slot(*made)] == Some(*made)) {
            // A commit counts as an update before it is revealed.
            self.input.last_update[validator] = published(made);
        }
        if let Some(made) = due.filter(|made| pending.made[slot(*made)] == Some(*made)) {
            let at = slot(made);
            let row = &mut self.input.weights[validator];
            // Swapped and not moved, so that both rows keep their memory.
            std::mem::swap(row, &mut pending.rows[at]);
            pending.made[at] = None;
            pending.in_force = Some(made);
            if delay > 0 {
                // An honest keeper drops who registered between making a vector and sending it.
                let first = plan.validators.len();
                let is_changed = |uid: u16| {
                    let epoch =
                        usize::from(uid).checked_sub(first).map_or(0, |slot| registry.registered_epoch[slot]);
                    epoch > made && epoch <= made + delay
                };
                row.retain(|(uid, _)| !is_changed(*uid));
            }
        }
        let committed = pending.made.iter().flatten().filter(|made| **made + delay <= epoch).min();
        self.input.earliest_commit_block[validator] =
            committed.filter(|_| conceals).map(|made| published(*made));
    }
}

/// Result of an epoch's consensus.
pub(super) struct EpochResult<'a> {
    pub(super) output: &'a EpochOutput,
    pending: &'a [PendingWeights],
}

impl EpochResult<'_> {
    /// True if every row in force was made before an epoch.
    pub(super) fn predates(&self, epoch: u32) -> bool {
        let made = self.pending.iter().filter_map(|pending| pending.in_force);
        made.max().is_some_and(|newest| newest < epoch)
    }
}

/// Epochs from a vector's making to the first epoch that it is in force in.
fn lag(plan: &SimulationPlan, validator: usize) -> u32 {
    let subnet = &plan.scenario.subnet;
    let concealed = if subnet.commit_reveal { subnet.reveal_period_epochs } else { 0 };
    concealed + plan.validators[validator].delay_epochs
}

/// Uids of the miners that a validator is paid to favour.
fn favoured<'a>(
    plan: &'a SimulationPlan,
    registry: &'a Registry,
    validator: usize,
) -> impl Iterator<Item = usize> + 'a {
    let group = plan.validators[validator].favours;
    let first = plan.validators.len();
    (0..plan.miner_slots)
        .filter(move |&slot| {
            registry.registration(slot).is_some_and(|place| Some(usize::from(place.group)) == group)
        })
        .map(move |slot| first + slot)
}
