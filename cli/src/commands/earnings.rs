//! What a miner would earn, as `miner earnings` and `chain register` tell it.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use weighhouse_chain::earnings::{Competition, Earnings, Place, Terms, earnings};
use weighhouse_chain::{Chain, ChainError};
use weighhouse_scoring::forecast::{epochs_to_full_pay, forecast};
use weighhouse_scoring::policy::PolicyFile;
use weighhouse_tasks::sequential::Stakes;
use weighhouse_tasks::{OnRecord, Task};
use weighhouse_types::{Hotkey, Hyperparameters, Netuid, Rao, tao};
use weighhouse_validator::config::Rounds;

use super::policy::files::read_policy;
use super::validator::task_text;
use super::{chain_failure, read_text};
use crate::failure::{Context, Exit, Failure};

const FULL_MARKS: f64 = 1.0;

/// What the estimate rests on, besides the chain.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Assumed {
    /// Marks that the answers get, as a share of full marks [default: 1]
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "score")]
    marks: Option<f64>,
    /// What `weighhouse miner score --json` wrote, for its marks
    #[arg(long, value_name = "FILE")]
    score: Option<PathBuf>,
    /// The policy file that the subnet's validators weigh by; `default` is the shipped one
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The subnet's task file, or a built-in task, for the checks that a newcomer waits for
    #[arg(long, value_name = "FILE")]
    task: Option<String>,
}

/// The estimate, with the marks that it is of.
#[derive(Debug, Serialize)]
pub(crate) struct Estimate {
    marks: f64,
    score: f64,
    #[serde(flatten)]
    earnings: Earnings,
}

#[derive(Deserialize)]
struct Scored {
    marks: f64,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("marks are a share of full marks, from 0 to 1, such as 0.93".to_owned()),
    }
}

impl Assumed {
    fn marks(&self) -> Result<Option<f64>, Failure> {
        let Some(path) = &self.score else { return Ok(self.marks) };
        let scored: Scored = serde_json::from_str(&read_text(path)?)
            .exit(Exit::Config, format!("{}: no score of `weighhouse miner score --json`", path.display()))?;
        let marks = share(&scored.marks.to_string());
        marks.map(Some).map_err(|why| Failure::config(format!("{}: {why}", path.display())))
    }

    /// Epochs until a newcomer is paid in full.
    fn wait(&self, policy: Option<&PolicyFile>, rules: &Hyperparameters) -> Result<u64, Failure> {
        let reveal = if rules.commit_reveal_weights_enabled { rules.reveal_period_epochs } else { 0 };
        // Without a policy: one epoch of answers, and one to be paid.
        let judged =
            policy.map_or(reveal + 2, |file| epochs_to_full_pay(file.policy(), Rounds::PER_EPOCH, reveal));
        let Some(task) = &self.task else { return Ok(judged) };
        let loaded = Task::load(task_text(task)?.as_bytes(), &OnRecord).exit(Exit::Config, task)?;
        let policy = policy.map(PolicyFile::policy);
        let rounds = policy.and_then(|policy| policy.rounds()).unwrap_or(Rounds::PER_EPOCH);
        let spot_rounds = policy.map_or(0, |policy| policy.spot_rounds().0);
        let stakes = loaded.budget().and_then(|budget| Stakes::new(budget, rounds, spot_rounds));
        let probation = stakes.map_or(0, |stakes| u64::from(stakes.wait) + reveal + 1);
        Ok(judged.max(probation))
    }

    /// Reads the chain and works the estimate out; `hotkey` is the miner's, where it has one already.
    pub(crate) async fn estimate(
        &self,
        chain: &dyn Chain,
        netuid: Netuid,
        hotkey: Option<Hotkey>,
    ) -> Result<Estimate, Failure> {
        let given = self.marks()?;
        let file = self.policy.as_deref().map(read_policy).transpose()?;
        let policy = file.as_ref().map(|file| &**file.policy());
        let state = chain.subnet(netuid).await.map_err(chain_failure)?;
        let burn = policy.and_then(|policy| policy.burn()).map(|(_, hotkey)| hotkey);
        let competition = Competition::new(&state, hotkey.as_ref(), burn.as_ref());
        let marks = given.unwrap_or(FULL_MARKS);
        let forecast = forecast(policy, marks, &competition.incentives);
        let terms = Terms {
            share: forecast.share,
            price: chain.burn(netuid).await.map_err(chain_failure)?,
            alpha_price: alpha_price(chain, netuid).await?,
            block_time: chain.block_time(),
            wait_epochs: self.wait(file.as_ref(), &state.hyperparameters)?,
        };
        let mut earnings = earnings(&competition, &terms);
        if given.is_none() {
            let said =
                "every answer gets full marks: `weighhouse miner score` measures them (--marks, --score)";
            earnings.assumptions.insert(0, said.to_owned());
        }
        earnings.assumptions.extend(forecast.assumptions);
        Ok(Estimate { marks, score: forecast.score, earnings })
    }
}

/// `None` where the chain has no such price.
pub(crate) async fn alpha_price(chain: &dyn Chain, netuid: Netuid) -> Result<Option<Rao>, Failure> {
    match chain.alpha_price(netuid).await {
        Ok(price) => Ok(Some(price)),
        Err(ChainError::Unsupported { .. }) => Ok(None),
        Err(error) => Err(chain_failure(error)),
    }
}

impl Estimate {
    /// Rank and pay, what the registration costs, and how long the uid is safe.
    pub(crate) fn summary(&self) -> [String; 3] {
        let Earnings { rank, miners, incentive, epoch_alpha_rao, day_alpha_rao, .. } = &self.earnings;
        let epoch = tao::format(*epoch_alpha_rao);
        let day = day_alpha_rao.map_or(String::new(), |day| format!(", {} a day", tao::format(day)));
        [
            format!(
                "earns     {epoch} alpha an epoch{day}: rank {rank} of {miners} miners, incentive {incentive:.4}"
            ),
            format!("costs     {}", self.cost()),
            format!("immunity  {}", self.immunity()),
        ]
    }

    fn cost(&self) -> String {
        let Earnings { price_tao_rao, break_even_epochs, break_even_days, wait_epochs, .. } = &self.earnings;
        let price = tao::format(*price_tao_rao);
        let Some(epochs) = break_even_epochs else {
            return format!("{price} TAO a registration, which is never earned back");
        };
        let days = break_even_days.map_or(String::new(), |days| format!(" ({days:.1} days)"));
        format!(
            "{price} TAO a registration, earned back after {epochs} epochs{days}, {wait_epochs} of them until full pay"
        )
    }

    fn immunity(&self) -> String {
        let earnings = &self.earnings;
        let (blocks, epochs) = (earnings.immunity_blocks, earnings.immunity_epochs);
        let after = match (earnings.pruned_after_immunity, earnings.pruned_before) {
            (true, _) => "then it is the next to lose its uid".to_owned(),
            (false, 1) => "1 neuron loses its uid before it".to_owned(),
            (false, before) => format!("{before} neurons lose their uid before it"),
        };
        format!("{blocks} blocks ({epochs} epochs); {after}")
    }

    fn place(&self) -> String {
        match self.earnings.place {
            Place::Registered { uid } => format!("registered as uid {uid}"),
            Place::Free => "a uid is free".to_owned(),
            Place::Replaces { uid } => format!("the subnet is full, uid {uid} makes room"),
            Place::None => "the subnet is full, and nobody can make room now".to_owned(),
            Place::Closed => "the subnet takes no registrations".to_owned(),
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let Earnings { netuid, block, assumptions, .. } = &self.earnings;
        let mut lines = vec![
            format!("subnet    {netuid} at block {block}: {}", self.place()),
            format!("marks     {:.3} of full marks, a score of {:.3}", self.marks, self.score),
        ];
        lines.extend(self.summary());
        lines.extend(assumptions.iter().map(|said| format!("assumed   {said}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_from_a_flag_or_from_a_scores_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("score.json");
        let read = |text: &str| {
            super::super::write_file(&file, text.as_bytes()).expect("written");
            Assumed { score: Some(file.clone()), ..Assumed::default() }.marks()
        };
        assert_eq!(read("{\"marks\": 0.93, \"answers\": 40}").expect("marks"), Some(0.93));
        for wrong in ["{\"marks\": 1.5}", "{}", "93"] {
            let error = read(wrong).expect_err(wrong).to_string();
            assert!(error.contains("score.json"), "{error}");
        }
        assert_eq!(Assumed { marks: Some(0.5), ..Assumed::default() }.marks().expect("marks"), Some(0.5));
        assert_eq!(Assumed::default().marks().expect("none"), None);
        assert!(share("-0.1").is_err() && share("nan").is_err() && share("0.93") == Ok(0.93));
    }

    #[test]
    fn newcomers_wait_for_verdicts_for_a_reveal_and_for_the_tasks_checks() {
        let rules = Hyperparameters::default();
        let hidden =
            Hyperparameters { commit_reveal_weights_enabled: true, reveal_period_epochs: 3, ..rules.clone() };
        let policy = PolicyFile::shipped();
        let wait = |assumed: &Assumed, rules| assumed.wait(Some(&policy), rules).expect("a wait");
        assert_eq!((wait(&Assumed::default(), &rules), wait(&Assumed::default(), &hidden)), (2, 5));
        let task = Assumed { task: Some("generate-greedy".to_owned()), ..Assumed::default() };
        assert!(wait(&task, &rules) > 2, "its newcomers are checked first");
    }
}
