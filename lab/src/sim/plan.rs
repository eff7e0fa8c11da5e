//! A scenario made ready to run: names resolved, mixes of answers turned into means, deviations and costs.
//!
//! A plan is made once and shared by the runs from every seed. Nothing in it is random, and a run never changes it.

use super::error::ScenarioError;
use super::likeness::{self, Chances, Rounds, Shares};
use super::scenario::{Scenario, ScenarioValidator};
use super::strategy::{CACHED, COPY, MIRROR, Mix, NOISE, SILENT, Strategy};
use std::sync::Arc;
use weighhouse_scoring::policy::{ClusterPay, Policy};
use weighhouse_types::profile::{HONEST, Paid, PersonaFigures, Profile, Scope};
use weighhouse_yuma::{Hyperparameters, Rules};

/// Better work than the reference's: welcome where quality is paid, a substitution where fidelity is.
const BETTER: &str = "better";

/// Moments of the marks of an identity in one of its states: figures of a single mark.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Effort {
    /// The mean mark is `quality * gain + loss`: luck and skill scale, damage does not.
    gain: f64,
    loss: f64,
    /// The second moment is `spread + quality^2 * gain_square + loss_square`.
    spread: f64,
    gain_square: f64,
    loss_square: f64,
    /// Shares of challenges.
    pub(super) answered: f64,
    pub(super) in_time: f64,
    /// Computation per challenge, by honest answers.
    pub(super) load: f64,
    /// Factor loading of its marks on the difficulty that all miners share: the root of two such miners' correlation.
    pub(super) loading: f64,
    /// Nothing but honest answers in time.
    pub(super) good: bool,
}

impl Effort {
    pub(super) fn mean(&self, quality: f64) -> f64 {
        quality * self.gain + self.loss
    }

    /// Standard deviation of a mark.
    pub(super) fn deviation(&self, quality: f64) -> f64 {
        let mean = self.mean(quality);
        let second = self.spread + quality * quality * self.gain_square + self.loss_square;
        libm::sqrt((second - mean * mean).max(0.0))
    }
}

/// Figures that all identities of a group have in common.
#[derive(Clone, Debug)]
pub(super) struct GroupPlan {
    pub(super) strategy: Strategy,
    pub(super) attacker: bool,
    pub(super) operators: u32,
    pub(super) start: u32,
    pub(super) arrivals: f64,
    pub(super) quality: [f64; 2],
    pub(super) cost: [f64; 2],
    /// By state (at work, at rest), for identities of even and odd number.
    efforts: [[Effort; 2]; 2],
    /// Computing power held, per answering identity.
    pub(super) backend: f64,
    /// Computation per unjudged request, by state.
    unjudged_load: [f64; 2],
    /// Chances that two of an operator's identities are taken for one over an epoch.
    pub(super) alike: Chances,
}

impl GroupPlan {
    /// The effort of identity number `identity`; decoys do nothing.
    pub(super) fn effort(&self, identity: u16, rests: bool) -> Effort {
        if identity >= self.strategy.answering() {
            return Effort::default();
        }
        self.efforts[usize::from(rests)][usize::from(identity % 2)]
    }

    /// Honest answers' worth of computation for one unjudged request to identity number `identity`.
    pub(super) fn unjudged_load(&self, identity: u16, rests: bool) -> f64 {
        if identity < self.strategy.answering() { self.unjudged_load[usize::from(rests)] } else { 0.0 }
    }
}

/// One validator.
#[derive(Clone, Debug)]
pub(super) struct ValidatorPlan {
    pub(super) group: usize,
    pub(super) persona: ScenarioValidator,
    pub(super) stake_rao: u64,
    pub(super) delay_epochs: u32,
    /// The share of stake that validators of more stake hold.
    pub(super) stake_above: f64,
    /// The miner group that it favours.
    pub(super) favours: Option<usize>,
}

/// A checked scenario, ready to run from any seed; runs share it behind an [`Arc`].
#[derive(Clone, Debug)]
pub struct SimulationPlan {
    pub(super) scenario: Scenario,
    pub(super) policy: Arc<Policy>,
    pub(super) groups: Vec<GroupPlan>,
    pub(super) validators: Vec<ValidatorPlan>,
    pub(super) rules: Rules,
    pub(super) hyper: Hyperparameters,
    pub(super) miner_slots: usize,
    /// CPU-seconds that a rao is worth.
    pub(super) rao_value: f64,
    /// The chance that two miners who have nothing in common are taken for one over an epoch.
    pub(super) strangers: f64,
}

impl SimulationPlan {
    /// Checks a scenario and resolves its names.
    ///
    /// # Errors
    /// Names the key that is out of range, or the kind of answer that was not measured.
    pub fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        scenario.check()?;
        let policy = scenario.policy.policy().clone();
        let compared = compared(scenario, &policy);
        let groups: Vec<_> = (0..scenario.miners.len())
            .map(|group| group_plan(scenario, compared, group))
            .collect::<Result<_, _>>()?;
        let likeness = scenario.profile.likeness;
        let strangers = compared
            .zip(likeness)
            .map_or(0.0, |(rounds, likeness)| rounds.chance(likeness.strangers_at_most()));
        Ok(Self {
            strangers,
            policy,
            groups,
            validators: validator_plans(scenario),
            rules: if scenario.subnet.spec377 { Rules::Spec377 } else { Rules::Spec425 },
            hyper: hyperparameters(scenario),
            miner_slots: usize::from(scenario.subnet.max_uids) - scenario.validator_uids() as usize,
            rao_value: scenario.economy.rao_value.unwrap_or_else(|| scenario.honest_rao_value()),
            scenario: scenario.clone(),
        })
    }
}

impl SimulationPlan {
    /// True if anybody can be taken for somebody else.
    pub(super) fn has_likeness(&self) -> bool {
        let some = |group: &GroupPlan| group.alike.iter().flatten().any(|chance| *chance > 0.0);
        self.strangers > 0.0 || self.groups.iter().any(some)
    }
}

fn hyperparameters(scenario: &Scenario) -> Hyperparameters {
    let subnet = &scenario.subnet;
    Hyperparameters {
        kappa: subnet.kappa,
        bonds_penalty: subnet.bonds_penalty,
        bonds_moving_average: subnet.bonds_moving_average,
        alpha_low: subnet.alpha_low,
        alpha_high: subnet.alpha_high,
        alpha_sigmoid_steepness: subnet.alpha_sigmoid_steepness,
        max_allowed_validators: subnet.max_allowed_validators,
        activity_cutoff: subnet.activity_cutoff_blocks,
        stake_threshold: subnet.stake_threshold_rao,
        liquid_alpha: subnet.liquid_alpha,
        yuma3: subnet.yuma3,
        commit_reveal: subnet.commit_reveal,
    }
}

fn validator_plans(scenario: &Scenario) -> Vec<ValidatorPlan> {
    let total: f64 =
        scenario.validators.iter().map(|group| group.stake_rao as f64 * f64::from(group.count)).sum();
    let mut plans = Vec::new();
    for (group, validators) in scenario.validators.iter().enumerate() {
        let favours = match &validators.persona {
            ScenarioValidator::Bribed { group, .. } | ScenarioValidator::Cartel { group } => {
                scenario.miners.iter().position(|miners| miners.name == *group)
            }
            _ => None,
        };
        for _ in 0..validators.count {
            plans.push(ValidatorPlan {
                group,
                persona: validators.persona.clone(),
                stake_rao: validators.stake_rao,
                delay_epochs: validators.delay_epochs,
                stake_above: 0.0,
                favours,
            });
        }
    }
    let mut by_stake: Vec<usize> = (0..plans.len()).collect();
    by_stake.sort_by_key(|&at| (std::cmp::Reverse(plans[at].stake_rao), at));
    let mut above = 0.0;
    for at in by_stake {
        plans[at].stake_above = above;
        above += plans[at].stake_rao as f64 / total.max(1.0);
    }
    plans
}

/// The rounds of an epoch in which miners are compared, where likeness says something and changes pay: not between private challenges,
/// nor where all honest answers are alike.
fn compared(scenario: &Scenario, policy: &Policy) -> Option<Rounds> {
    const ALIKE_MOST: f64 = 0.999;
    let profile = &scenario.profile;
    let says_nothing = profile.scope == Scope::Private
        || profile.paid == Paid::Conformance
        || scenario.judging.honest_likeness.unwrap_or(profile.honest().correlation) >= ALIKE_MOST
        || policy.cluster_pay() == ClusterPay::Each;
    let rounds = policy.rounds().unwrap_or(scenario.judging.challenges);
    (!says_nothing).then(|| Rounds::new(rounds, policy.cluster_agreement()))
}

fn group_plan(
    scenario: &Scenario,
    compared: Option<Rounds>,
    group: usize,
) -> Result<GroupPlan, ScenarioError> {
    let miners = &scenario.miners[group];
    let strategy = &miners.strategy;
    let barrier = scenario.judging.barrier;
    let rest = strategy.rest.as_ref().unwrap_or(&strategy.work);
    // A strategy without sight can't tell requests apart and works on all of them alike.
    let sight = strategy.sight.unwrap_or(1.0);
    let states = [blend(&strategy.work, rest, sight), rest.clone()];
    let mut efforts = [[Effort::default(); 2]; 2];
    let mut shares: [Shares<'_>; 4] = Default::default();
    let mut needed: f64 = 0.0;
    for (state, mix) in states.iter().enumerate() {
        for (odd, effort) in efforts[state].iter_mut().enumerate() {
            let parts = parts(scenario, strategy, mix, strategy.mirrored && odd == 1)?;
            let load = operator_load(&scenario.profile, strategy, &parts);
            needed = needed.max(load);
            let power = match strategy.backend {
                Some(backend) if barrier && load > 0.0 => (backend / load).min(1.0),
                _ => 1.0,
            };
            *effort = effort_of(scenario, strategy, &parts, power, load);
            shares[usize::from(likeness::habit(state == 1, odd as u16))] =
                parts.iter().map(|part| (part.share, part.kind)).collect();
        }
    }
    let answering = f64::from(strategy.answering().max(1));
    let unseen = match strategy.sight {
        None => strategy.work.clone(),
        Some(sight) => blend(&strategy.work, rest, 1.0 - sight),
    };
    let unjudged = |mix: &Mix| -> Result<f64, ScenarioError> {
        let parts = parts(scenario, strategy, mix, false)?;
        Ok(operator_load(&scenario.profile, strategy, &parts) / answering)
    };
    let mut alike = Chances::default();
    if let Some(rounds) = compared.filter(|_| strategy.identities > 1) {
        for (chances, one) in alike.iter_mut().zip(&shares) {
            for (chance, other) in chances.iter_mut().zip(&shares) {
                *chance = rounds.chance(likeness::share(&scenario.profile, one, other));
            }
        }
    }
    Ok(GroupPlan {
        alike,
        unjudged_load: [unjudged(&unseen)?, unjudged(rest)?],
        strategy: strategy.clone(),
        attacker: miners.attacker,
        operators: u32::from(miners.operators),
        start: miners.start,
        arrivals: miners.arrivals,
        quality: miners.quality,
        cost: miners.cost,
        backend: strategy.backend.unwrap_or(needed) / answering,
        efforts,
    })
}

/// `share` of the first mix, the rest of the second.
fn blend(first: &Mix, second: &Mix, share: f64) -> Mix {
    let mut mix = Mix::default();
    for (source, weight) in [(first, share), (second, 1.0 - share)] {
        for kind in source.0.keys() {
            *mix.0.entry(kind.clone()).or_default() += weight * source.share(kind);
        }
    }
    mix
}

/// One kind's part in a mix.
struct Part<'a> {
    share: f64,
    kind: &'a PersonaFigures,
    /// A copy is computed by whom it was copied from.
    cost: f64,
}

fn parts<'a>(
    scenario: &'a Scenario,
    strategy: &Strategy,
    mix: &Mix,
    mirror: bool,
) -> Result<Vec<Part<'a>>, ScenarioError> {
    let profile = &scenario.profile;
    let mut parts = Vec::with_capacity(mix.0.len());
    for name in mix.0.keys() {
        let share = mix.share(name);
        if share <= 0.0 {
            continue;
        }
        let measured = match name.as_str() {
            COPY if copies_in_time(scenario, strategy) => HONEST,
            COPY => CACHED,
            NOISE if mirror => MIRROR,
            name => name,
        };
        let kind = profile.persona(measured)?;
        parts.push(Part { share, kind, cost: if name == COPY { 0.0 } else { kind.cost } });
    }
    Ok(parts)
}

/// True if a copied answer can still be handed in for the challenge that it answers.
fn copies_in_time(scenario: &Scenario, strategy: &Strategy) -> bool {
    scenario.profile.scope == Scope::Shared && !scenario.judging.sealed && strategy.copy_delay == 0
}

/// Honest answers' worth of computation for one challenge to each identity of an operator.
fn operator_load(profile: &Profile, strategy: &Strategy, parts: &[Part<'_>]) -> f64 {
    let answering = f64::from(strategy.answering());
    let computed = |part: &Part<'_>| match profile.scope {
        Scope::Private => answering * part.share,
        // Identities that are asked the same share one computation of a kind, if any of them wants it.
        Scope::Shared => 1.0 - libm::pow(1.0 - part.share, answering),
    };
    parts.iter().map(|part| computed(part) * part.cost).sum()
}

fn effort_of(scenario: &Scenario, strategy: &Strategy, parts: &[Part<'_>], power: f64, load: f64) -> Effort {
    let profile = &scenario.profile;
    let own = 1.0 - strategy.late;
    let mut effort = Effort { good: power >= 1.0 && strategy.late == 0.0, ..Effort::default() };
    let mut correlation = 0.0;
    for Part { share, kind, cost } in parts {
        // What takes no computing is in time, however small the backend.
        let in_time = share * own * if *cost > 0.0 { power } else { 1.0 };
        let answered = if kind.name == SILENT { 0.0 } else { *share };
        effort.answered += answered;
        effort.in_time += if answered > 0.0 { in_time } else { 0.0 };
        effort.spread += in_time * kind.deviation * kind.deviation;
        let square = in_time * kind.mean * kind.mean;
        if kind.mean > 0.0 {
            effort.gain += in_time * kind.mean;
            effort.gain_square += square;
        } else {
            effort.loss += in_time * kind.mean;
            effort.loss_square += square;
        }
        correlation += share * kind.correlation;
        effort.good &= kind.name == HONEST || (kind.name == BETTER && profile.paid == Paid::Quality);
    }
    let noise = scenario.judging.noise;
    effort.spread += noise * noise;
    effort.load = power * load / f64::from(strategy.answering().max(1));
    if profile.scope == Scope::Shared {
        effort.loading = correlation.clamp(0.0, 1.0).sqrt();
    }
    effort
}
