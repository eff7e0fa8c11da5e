//! What a localnet's epochs paid, turn by turn of a strategy.

use anyhow::Context;
use serde_json::Value;

/// The honest miner that others are measured by.
const HONEST: &str = "honest-1";

/// One strategy; amounts are in units of an honest miner's pay for one answer.
pub(super) struct Played {
    pub(super) name: String,
    /// Epochs of each sort.
    pub(super) honest: u64,
    pub(super) pretending: u64,
    /// What an answer of its pretending saves. At its dearest an honest answer costs all of its pay.
    pub(super) saves: f64,
    /// The worth of a turn by the exact chain, and its standard deviation.
    pub(super) stretch: f64,
    pub(super) spread: f64,
}

/// The epochs of a localnet, as it printed them.
pub(super) struct Epochs(Vec<Value>);

impl Epochs {
    pub(super) fn new(epochs: Vec<Value>) -> Self {
        Self(epochs)
    }

    /// The net worth of each whole turn of a strategy, beside honest work in its place.
    pub(super) fn turns(&self, played: &Played, rounds: u64) -> anyhow::Result<Vec<f64>> {
        let paid = self.paid(&played.name)?;
        let period = (played.honest + played.pretending) as usize;
        let whole = paid[played.honest as usize..].chunks_exact(period);
        let net = |turn: &[f64]| {
            let lost: f64 = turn.iter().map(|paid| 1.0 - paid).sum();
            rounds as f64 * (played.pretending as f64 * played.saves - lost)
        };
        Ok(whole.map(net).collect())
    }

    /// The most that one of these miners was paid over all epochs, over an honest miner's pay.
    pub(super) fn paid_most(&self, personas: &[&str]) -> anyhow::Result<f64> {
        let means = personas.iter().map(|persona| Ok(mean(&self.paid(persona)?)));
        means.collect::<anyhow::Result<Vec<_>>>().map(|means| means.into_iter().fold(0.0, f64::max))
    }

    /// The least mean vtrust of these validators.
    pub(super) fn vtrust_least(&self, validators: &[&str]) -> anyhow::Result<f64> {
        let means = validators.iter().map(|validator| Ok(mean(&self.figures(validator, "vtrust")?)));
        means.collect::<anyhow::Result<Vec<_>>>().map(|means| means.into_iter().fold(1.0, f64::min))
    }

    /// A miner's pay in each epoch, over an honest one's in the same.
    fn paid(&self, persona: &str) -> anyhow::Result<Vec<f64>> {
        let (own, honest) = (self.figures(persona, "incentive")?, self.figures(HONEST, "incentive")?);
        let paid = own.into_iter().zip(honest).map(|(own, honest)| {
            // An epoch without pay for honest work would make everything else of it look like none.
            (honest > 0.0).then(|| own / honest).context("an honest miner was not paid")
        });
        paid.collect()
    }

    fn figures(&self, persona: &str, figure: &str) -> anyhow::Result<Vec<f64>> {
        let of = |epoch: &Value| {
            let neurons = epoch["neurons"].as_array()?;
            neurons.iter().find(|neuron| neuron["persona"] == *persona)?[figure].as_f64()
        };
        self.0.iter().map(|epoch| of(epoch).with_context(|| format!("no {figure} of {persona}"))).collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
