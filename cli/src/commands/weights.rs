//! `weighhouse weights`: the rows of weights that a chain holds, their differences, and weights of other software.

mod diff;
mod put;
mod show;
mod side;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use weighhouse_chain::votes::Votes;
use weighhouse_types::{MechId, Netuid, Uid};
use weighhouse_validator::put::Whose;

use super::chain::Endpoint;
use crate::failure::{Exit, Failure};

/// Show and compare validators' weights, or publish those of your own code.
#[derive(Subcommand, Debug)]
pub(crate) enum WeightsCommand {
    /// Show the weights that each validator has on the chain, and how old they are
    Show(show::Show),
    /// Compare two validators' weights, or a file's or a journal's with the chain's
    Diff(diff::Diff),
    /// Publish weights that other software made, and follow them until the chain shows them
    Put(put::PutArgs),
}

/// The options that name a subnet's mechanism.
#[derive(Args, Debug)]
struct Mechanism {
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// The mechanism within the subnet
    #[arg(long, default_value_t = MechId(0), value_name = "ID")]
    mechanism: MechId,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: WeightsCommand, shutdown: CancellationToken) -> Result<(), Failure> {
    match command {
        WeightsCommand::Show(args) => show::run(&args).await,
        WeightsCommand::Diff(args) => diff::run(&args).await,
        WeightsCommand::Put(args) => put::run(args, shutdown).await,
    }
}

/// The uid that somebody has in the subnet.
fn uid_of(whose: Whose, votes: &Votes) -> Result<Uid, Failure> {
    let metagraph = &votes.state.metagraph;
    let neuron = match whose {
        Whose::Uid(uid) => metagraph.neuron(uid),
        Whose::Hotkey(hotkey) => metagraph.by_hotkey(&hotkey),
    };
    let netuid = metagraph.netuid;
    neuron.map(|neuron| neuron.uid).ok_or_else(|| {
        let fix = "`weighhouse chain metagraph` lists who is";
        Failure::new(Exit::Missing, format!("{whose} is not registered in subnet {netuid}; {fix}"))
    })
}

fn percent(share: f64) -> String {
    format!("{:.3}", share * 100.0)
}

/// A figure of 65535.
fn fraction(figure: u16) -> String {
    format!("{:.4}", f64::from(figure) / f64::from(u16::MAX))
}
