//! `weighhouse policy schema`, `hash` and `check`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use weighhouse_lab::lint::{Finding, Live, Report, Severity, lint as examine};
use weighhouse_scoring::Policy;
use weighhouse_tasks::sequential::Examination;
use weighhouse_types::{Netuid, Neuron, SubnetState};
use weighhouse_validator::config::Rounds;

use super::files::{profile, read_policy};
use super::pretence;
use crate::commands::{chain_failure, connect};
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy hash policy.toml
  weighhouse policy hash default")]
pub(crate) struct Hash {
    policy: PathBuf,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy check policy.toml
  weighhouse policy check policy.toml --profile digits-quality-private     expected vtrust, detection per CPU-second
  weighhouse policy check policy.toml --task generate --rounds 12     what pretending is worth, and every strategy of it
  weighhouse policy check policy.toml --endpoint http://127.0.0.1:9944 --netuid 1     against the subnet's settings

Exit code 64 when an error is found, unless --force.")]
pub(crate) struct Lint {
    policy: PathBuf,
    /// The task's measured figures: a profile that ships, or a file of `weighhouse task measure`
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// The task, a name or a file: whether pretending pays under its budget
    #[arg(long, value_name = "NAME|FILE")]
    task: Option<String>,
    /// The chain's address, to check against a subnet's live settings
    #[arg(long, value_name = "URL", requires = "netuid")]
    endpoint: Option<weighhouse_chain::address::ChainAddress>,
    #[arg(long, requires = "endpoint")]
    netuid: Option<u16>,
    /// Challenges per miner and epoch, where the policy leaves it to the validator
    #[arg(long, default_value_t = Rounds::PER_EPOCH, value_name = "N")]
    rounds: u32,
    /// Report errors, but end as if there were none
    #[arg(long)]
    force: bool,
    #[arg(long)]
    json: bool,
}

/// A policy's report, and what pretending is worth where a task is named.
#[derive(Serialize)]
struct Checked<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    pretending: Option<&'a Examination>,
}

pub(crate) fn schema() -> Result<(), Failure> {
    let schema = weighhouse_scoring::policy::schema();
    Ok(output::line(serde_json::to_string_pretty(&schema).exit(Exit::Internal, "the schema")?)?)
}

pub(crate) fn hash(args: &Hash) -> Result<(), Failure> {
    let file = read_policy(&args.policy)?;
    let hash = file.hash();
    if args.json {
        return Ok(output::json(&serde_json::json!({ "hash": hash, "version": file.policy().version() }))?);
    }
    Ok(output::line(hash)?)
}

pub(crate) async fn lint(args: &Lint) -> Result<(), Failure> {
    let file = read_policy(&args.policy)?;
    let profile = args.profile.as_deref().map(profile).transpose()?;
    let live = match (&args.endpoint, args.netuid) {
        (Some(endpoint), Some(netuid)) => {
            let chain = connect(endpoint, None).await?;
            Some(live(file.policy(), &chain.subnet(Netuid(netuid)).await.map_err(chain_failure)?))
        }
        _ => None,
    };
    if profile.is_some() {
        output::live("simulating honest validators");
    }
    let report = examine(&file, profile.as_ref(), live.as_ref(), args.rounds)
        .exit(Exit::Config, args.policy.display());
    output::live("");
    let mut report = report?;
    let examined = match &args.task {
        Some(task) => pretence::examine(task, file.policy(), args.rounds, live.as_ref(), &mut report)?,
        None => None,
    };
    if args.json {
        output::json(&Checked { report: &report, pretending: examined.as_ref() })?
    } else {
        print(&report)?;
        examined.as_ref().map(pretence::print).transpose()?;
    }
    refuse_errors(&report, &args.policy, args.force)
}

/// Ends a command whose policy has errors, unless they are waved through.
pub(super) fn refuse_errors(report: &Report, policy: &Path, force: bool) -> Result<(), Failure> {
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if errors > 0 && !force {
        let message = format!("{}: {errors} errors; mend them, or use --force", policy.display());
        return Err(Failure::config(message));
    }
    Ok(())
}

/// The subnet that a policy would go live on.
pub(super) fn live(policy: &Policy, state: &SubnetState) -> Live {
    let hyperparameters = &state.hyperparameters;
    let burn = policy.burn().map(|(_, hotkey)| hotkey);
    let neurons = &state.metagraph.neurons;
    // Who gets the burn must not mine.
    let mines = |neuron: &&Neuron| !neuron.validator_permit && Some(neuron.hotkey) != burn;
    let miners = neurons.iter().filter(mines).count();
    Live {
        hotkeys: neurons.iter().map(|neuron| neuron.hotkey).collect(),
        owner: state.metagraph.owner,
        tempo_blocks: u64::from(state.schedule.tempo).saturating_add(1),
        immunity_blocks: u64::from(hyperparameters.immunity_period),
        miners: u16::try_from(miners).unwrap_or(u16::MAX),
        max_weights_limit: hyperparameters.max_weights_limit,
        reveal_epochs: if hyperparameters.commit_reveal_weights_enabled {
            hyperparameters.reveal_period_epochs
        } else {
            0
        },
    }
}

/// A finding as a line.
pub(super) fn in_words(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    format!("{severity}: `{}` {}", finding.key, finding.message)
}

fn print(report: &Report) -> Result<(), Failure> {
    for finding in &report.findings {
        output::line(in_words(finding))?;
    }
    if report.findings.is_empty() {
        output::line("nothing found")?;
    }
    if let Some([least, mean]) = report.vtrust {
        output::line(format!(
            "honest validators' vtrust: {mean:.4} on average, {least:.4} at least (simulated)"
        ))?;
    }
    if !report.detection.is_empty() {
        let mut table = Table::new(&["<answers", "rejected %", "challenges to be sure", "judge's CPU s"]);
        for detection in &report.detection {
            table.row(vec![
                detection.kind.clone(),
                format!("{:.2}", detection.rejected * 100.0),
                detection.challenges.map_or("never".to_owned(), |challenges| challenges.to_string()),
                detection.seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.5}")),
            ]);
        }
        table.print()?;
    }
    Ok(())
}
