//! Lint: wrong or doubtful things in a valid policy: keys that do nothing, branches that nobody takes, caps that can't
//! be met, and, with a task's measured figures and a subnet's settings, whether honest validators will agree and newcomers
//! have time.

use serde::Serialize;

use crate::sim::{Scenario, ScenarioError, run_all};
use weighhouse_scoring::policy::{
    AverageKind, ClusterPay, File, Fraction, Policy, PolicyFile, Shape, ShapeKind,
};
use weighhouse_types::profile::{Paid, Profile, Scope};

mod expression;
mod live;
#[cfg(test)]
mod tests;

pub use live::Live;

/// Honest validators whose mean vtrust is expected below this lose dividends for nothing: a policy is refused.
pub const VTRUST_LEAST: f64 = 0.97;

/// Miners and validators of the subnet in which vtrust is measured, and for how long.
const MINERS: u16 = 32;
const VALIDATORS: u16 = 8;
const EPOCHS: u32 = 40;
const SEEDS: u64 = 4;
/// The range of true quality among its honest miners.
const QUALITY: [f64; 2] = [0.5, 1.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not meant.
    Warning,
    /// Refused unless forced.
    Error,
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// The dotted key it is about.
    pub key: &'static str,
    pub message: String,
}

/// Speed and cost of telling a kind of miner from honest ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detection {
    pub kind: String,
    /// The share of its answers with a mark of 0 or less.
    pub rejected: f64,
    /// Challenges after which its score is expected below the floor at a chance of 99 %; `None` where it never is.
    pub challenges: Option<u32>,
    /// CPU-seconds of reference and judging for these.
    pub seconds: Option<f64>,
}

/// Everything found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// Lowest and mean vtrust of honest validators, simulated from the measured noise.
    pub vtrust: Option<[f64; 2]>,
    pub detection: Vec<Detection>,
}

impl Report {
    /// The gravest finding.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// Examines a policy file; `profile` and `live` add what can only be said of a task and of a subnet. `rounds` are the
/// challenges per miner and epoch of a validator whose policy doesn't set them.
///
/// # Errors
/// A profile that can't be simulated.
pub fn lint(
    file: &PolicyFile,
    profile: Option<&Profile>,
    live: Option<&Live>,
    rounds: u32,
) -> Result<Report, ScenarioError> {
    let policy = file.policy();
    let mut report = Report { findings: Vec::new(), vtrust: None, detection: Vec::new() };
    let mut say = |severity, key, message: String| report.findings.push(Finding { severity, key, message });
    match file.keys() {
        None => say(Severity::Note, "version", "version 1 still works; version 2 can say more".to_owned()),
        Some(keys) => idle_keys(keys, &mut say),
    }
    expression::examine(policy, &mut say);
    values(policy, &mut say);
    match live {
        Some(live) => live::examine(policy, live, rounds, &mut say),
        None => burned_away(policy, &mut say),
    }
    if let Some(profile) = profile {
        let vtrust = vtrust(file, profile, policy.rounds().unwrap_or(rounds))?;
        if vtrust[1] < VTRUST_LEAST {
            let message = format!(
                "honest validators are expected to reach a vtrust of {:.4} on {}, less than {VTRUST_LEAST}: a gentler shape or more rounds would let them agree",
                vtrust[1], profile.task
            );
            say(Severity::Error, "shape.kind", message);
        }
        if profile.scope == Scope::Shared && profile.paid == Paid::Conformance {
            let message = format!(
                "can't tell one miner with many uids from many miners on {}: honest answers to a shared challenge are all alike; give the task private scope, where every uid needs computing power of its own",
                profile.task
            );
            report.findings.push(Finding { severity: Severity::Warning, key: "cluster.pay", message });
        }
        report.vtrust = Some(vtrust);
        report.detection = detection(policy, profile);
    }
    report.findings.sort_by(|one, other| other.severity.cmp(&one.severity).then(one.key.cmp(other.key)));
    Ok(report)
}

/// Keys that are set but read by nothing under the other keys' values.
fn idle_keys(file: &File, say: &mut impl FnMut(Severity, &'static str, String)) {
    let usual = File::default();
    let mut idle = |is_idle: bool, key, why: &str| {
        if is_idle {
            say(Severity::Warning, key, format!("does nothing: {why}"));
        }
    };
    let (shape, average) = (&file.shape, &file.average);
    let kind = shape.kind;
    idle(
        shape.exponent != usual.shape.exponent && kind != ShapeKind::Power,
        "shape.exponent",
        "the shape is not \"power\"",
    );
    idle(
        shape.temperature != usual.shape.temperature && kind != ShapeKind::Softmax,
        "shape.temperature",
        "the shape is not \"softmax\"",
    );
    idle(
        shape.ratio != usual.shape.ratio && kind != ShapeKind::Rank,
        "shape.ratio",
        "the shape is not \"rank\"",
    );
    idle(
        shape.keep != usual.shape.keep && kind != ShapeKind::TopK,
        "shape.keep",
        "the shape is not \"top_k\"",
    );
    let holds = matches!(kind, ShapeKind::Rank | ShapeKind::WinnerTakesAll);
    idle(
        shape.hysteresis != 0.0 && !holds,
        "shape.hysteresis",
        "only \"rank\" and \"winner_takes_all\" have places to hold",
    );
    let is_ema = average.kind == AverageKind::Ema;
    idle(average.half_life != 0.0 && !is_ema, "average.half_life", "the average is not \"ema\"");
    idle(average.fall_half_life.is_some() && !is_ema, "average.fall_half_life", "the average is not \"ema\"");
    idle(average.epochs != usual.average.epochs && is_ema, "average.epochs", "an \"ema\" has no window");
    idle(
        average.trim != 0.0 && average.kind != AverageKind::Trimmed,
        "average.trim",
        "the average is not \"trimmed\"",
    );
    idle(
        file.audit.spot_share != 0.0 && file.audit.spot_rounds == 0,
        "audit.spot_share",
        "there are no spot rounds",
    );
    let clusters = file.cluster.pay != ClusterPay::Each;
    idle(
        file.cluster.agreement != usual.cluster.agreement && !clusters,
        "cluster.agreement",
        "likeness does not change pay",
    );
    idle(file.burn.hotkey.is_some() && file.burn.share == 0.0, "burn.hotkey", "nothing is burned");
}

fn values(policy: &Policy, say: &mut impl FnMut(Severity, &'static str, String)) {
    if let Some((share, _)) = policy.burn() {
        let message = format!(
            "must not mine: the pay for its answers would come on top of the {share} that is burned to it"
        );
        say(Severity::Note, "burn.hotkey", message);
    }
    let (_, answered) = policy.mix();
    if answered > Fraction::ZERO {
        let message = format!(
            "pays {answered} of everything for answering at all, whatever the answer: a lazy miner earns it"
        );
        say(Severity::Warning, "metrics.answered", message);
    }
    if let Shape::TopK { keep } = policy.shape() {
        let share = policy.cap().to_f64();
        if share * (keep as f64) < 1.0 {
            let message = format!(
                "can't be met: {keep} paid miners with at most {share} each leave some over; all get the same"
            );
            say(Severity::Error, "caps.share", message);
        }
    }
    if matches!(policy.shape(), Shape::WinnerTakesAll { .. }) && policy.cap() < Fraction::ONE {
        say(Severity::Error, "caps.share", "can't be met: one miner takes all".to_owned());
    }
    if policy.floor() == Fraction::ONE {
        say(Severity::Warning, "shape.floor", "pays only whoever never makes a mistake".to_owned());
    }
    if policy.min_attempts() == 0 && policy.standard_errors() == 0.0 {
        say(Severity::Warning, "newcomer.min_attempts", "pays on a single lucky answer".to_owned());
    }
    if policy.min_coverage() == Fraction::ZERO {
        say(
            Severity::Warning,
            "guards.min_coverage",
            "publishes even if nobody was judged this epoch".to_owned(),
        );
    }
}

/// True if a burn of that share leaves each of so many equal miners less than half of the chain's unit.
fn rounds_away(burned: f64, miners: u16) -> bool {
    (1.0 - burned) / f64::from(miners) / burned * 65535.0 < 0.5
}

fn burned_away(policy: &Policy, say: &mut impl FnMut(Severity, &'static str, String)) {
    if let Some((share, _)) = policy.burn()
        && rounds_away(share.to_f64(), 1)
    {
        let message = "leaves a single miner less than half a unit of weight: nobody is paid".to_owned();
        say(Severity::Error, "burn.share", message);
    }
}

fn vtrust(file: &PolicyFile, profile: &Profile, rounds: u32) -> Result<[f64; 2], ScenarioError> {
    let mut scenario = Scenario::honest(profile.clone(), MINERS, VALIDATORS, EPOCHS);
    scenario.policy.clone_from(file);
    scenario.judging.challenges = rounds.max(1);
    scenario.miners[0].quality = QUALITY;
    let seeds: Vec<u64> = (1..=SEEDS).collect();
    let runs: Vec<_> = run_all(&[scenario], &seeds)?.into_iter().flatten().collect();
    let least = runs.iter().fold(1.0, |least: f64, run| least.min(run.vtrust_least));
    let mean = runs.iter().map(|run| run.vtrust_mean).sum::<f64>() / runs.len().max(1) as f64;
    Ok([least, mean])
}

/// After `n` challenges a kind's mean mark is about normal with its measured deviation over the square root of `n`; it is
/// caught once the mean plus 2.326 standard errors (the 99 % point) is below the floor.
fn detection(policy: &Policy, profile: &Profile) -> Vec<Detection> {
    // Without a floor a kind is caught where its mean mark is not above 0.
    let floor = policy.floor().to_f64().max(1e-9);
    let one = |kind: &weighhouse_types::profile::PersonaFigures| {
        let gap = floor - kind.mean;
        let needed = if gap > 0.0 {
            libm::ceil(libm::pow(2.326 * kind.deviation / gap, 2.0)).max(1.0)
        } else {
            f64::NAN
        };
        let challenges = (needed.is_finite() && needed < 1e6).then_some(needed as u32);
        let cost = profile.cost.reference + profile.cost.judge;
        Detection {
            kind: kind.name.clone(),
            rejected: kind.rejected,
            challenges,
            seconds: challenges.map(|challenges| f64::from(challenges) * cost),
        }
    };
    profile.personas.iter().map(one).collect()
}
