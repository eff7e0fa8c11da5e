//! Options that the simulating commands share: the subnet, the attacks, and where results go.

use std::path::{Path, PathBuf};

use clap::Args;
use weighhouse_lab::attack::{Attack, CATALOGUE};
use weighhouse_lab::report::{self, Data};
use weighhouse_lab::sim::Scenario;
use weighhouse_lab::sim::error::SEEDS_MAX;
use weighhouse_lab::world::Assumptions;
use weighhouse_types::profile::Profile;

use super::files::{profile, read_any};
use crate::commands::ReservedFile;
use crate::failure::{Context, Exit, Failure};
use crate::output;

/// The columns that a terminal gives a report; files and pipes get as many.
const WIDTH: usize = 110;

/// What a simulated world takes for granted; the same for `attack`, `redteam` and `simulate`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Economy {
    /// The cost of honest work over what it earns
    #[arg(long, default_value_t = 0.5, value_name = "SHARE")]
    cost_share: f64,
    /// Requests that nobody judges, per judged one, which miners answer at their expense
    #[arg(long, default_value_t = 0.0, value_name = "N")]
    unjudged: f64,
    /// Honest miners that were pruned stay away instead of registering again
    #[arg(long)]
    pruned_stay_away: bool,
}

impl Economy {
    pub(super) fn assumptions(self) -> Result<Assumptions, Failure> {
        let Self { cost_share, unjudged, pruned_stay_away } = self;
        let assumptions = Assumptions { cost_share, unjudged, pruned_return: !pruned_stay_away };
        assumptions.check().exit(Exit::Config, "the world")?;
        Ok(assumptions)
    }
}

/// The subnet that attacks are tried in.
#[derive(Args, Clone, Debug)]
pub(crate) struct World {
    /// The task's measured figures: a profile that ships, or a file of `weighhouse task measure`
    #[arg(long, default_value = "digits-conformance-private", value_name = "NAME|FILE")]
    profile: String,
    /// Miners' uids
    #[arg(long, default_value_t = 32, value_name = "N")]
    miners: u16,
    /// Honest validators with equal stake
    #[arg(long, default_value_t = 8, value_name = "N")]
    validators: u16,
    #[arg(long, default_value_t = 100, value_name = "N")]
    epochs: u32,
    /// Challenges to each miner by each validator in an epoch
    #[arg(long, default_value_t = 32, value_name = "N")]
    challenges: u32,
    #[command(flatten)]
    economy: Economy,
    /// Number of random worlds
    #[arg(long, default_value_t = 8, value_name = "N")]
    seeds: u64,
    /// The first world's seed
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

impl World {
    pub(super) fn scenario(&self) -> Result<Scenario, Failure> {
        let mut scenario =
            Scenario::honest(profile(&self.profile)?, self.miners, self.validators, self.epochs);
        scenario.judging.challenges = self.challenges;
        self.economy.assumptions()?.apply(&mut scenario);
        Ok(scenario)
    }

    /// The worlds' seeds, at least `least` of them.
    pub(super) fn seeds(&self, least: u64) -> Result<Vec<u64>, Failure> {
        if !(least..=SEEDS_MAX as u64).contains(&self.seeds) {
            let why = if least > 1 { ": the ratio of a single world has no interval" } else { "" };
            let message =
                format!("--seeds {}: from {least} to {SEEDS_MAX} worlds can be run{why}", self.seeds);
            return Err(Failure::config(message));
        }
        Ok((self.seed..self.seed.saturating_add(self.seeds)).collect())
    }
}

/// Forms in which results are shown.
#[derive(Args, Clone, Debug)]
pub(crate) struct OutputForm {
    /// Also write a page that a browser shows without a network
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Draw with letters instead of blocks
    #[arg(long)]
    ascii: bool,
    #[arg(long)]
    pub(super) json: bool,
}

impl OutputForm {
    /// Opens the page's file, before anything is run for it.
    pub(super) fn reserve(&self) -> Result<Option<ReservedFile>, Failure> {
        self.report.as_deref().map(ReservedFile::open).transpose()
    }

    /// Writes the page and shows the result: neither is lost where the other can't be had, a reader that stops early included.
    pub(super) fn print(&self, data: &Data, page: Option<ReservedFile>) -> Result<(), Failure> {
        let written = match (page, &self.report) {
            (Some(file), Some(path)) => file
                .write(report::html(data).as_bytes())
                .inspect(|()| output::note(format!("report written to {}", path.display()))),
            _ => Ok(()),
        };
        self.show(data)?;
        written
    }

    fn show(&self, data: &Data) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let color = std::io::IsTerminal::is_terminal(&std::io::stdout());
        let text = if self.ascii { report::ascii(data, WIDTH) } else { report::text(data, WIDTH, color) };
        Ok(output::line(text.trim_end())?)
    }
}

/// An attack of the catalogue, a persona that the profile has figures for, or a strategy of the user's own.
pub(super) fn named_attack(name: &str, profile: &Profile) -> Result<Attack, Failure> {
    if let Some(attack) = Attack::named(name).or_else(|| Attack::answering(profile, name)) {
        return Ok(attack);
    }
    let path = Path::new(name);
    if !path.exists() {
        let mut known: Vec<_> = CATALOGUE.iter().map(|(known, _)| *known).collect();
        let personas = profile.personas.iter().map(|persona| persona.name.as_str());
        known.extend(personas.filter(|persona| CATALOGUE.iter().all(|(listed, _)| listed != persona)));
        let message =
            format!("no attack and no file {name:?}; attacks are {}, and sybil-N", known.join(", "));
        return Err(Failure::new(Exit::Missing, message));
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Attack::by(read_any(path)?, &stem))
}
