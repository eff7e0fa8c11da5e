//! `weighhouse weights show`: validators' rows of weights.

use clap::Args;
use serde::Serialize;
use weighhouse_chain::votes::{Vote, Votes, shares};
use weighhouse_types::{Block, Epoch, Hotkey, MechId, Netuid, Uid, tao};
use weighhouse_validator::put::Whose;

use super::{Mechanism, fraction, percent, uid_of};
use crate::commands::chain_failure;
use crate::failure::Failure;
use crate::output::{self, Table};

/// Uids that a line of the overview names.
const NAMED_MAX: usize = 4;

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// One validator's whole row; an overview of all if not given
    #[arg(long, value_name = "HOTKEY|UID", value_parser = Whose::parse)]
    validator: Option<Whose>,
    #[command(flatten)]
    of: Mechanism,
}

#[derive(Serialize)]
struct Shown<'a> {
    netuid: Netuid,
    mechanism: MechId,
    block: Block,
    epoch: Epoch,
    validators: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    vote: &'a Vote,
    shares: Vec<Share>,
}

#[derive(Serialize)]
struct Share {
    uid: Uid,
    hotkey: Option<Hotkey>,
    /// Of 1.
    share: f64,
}

pub(super) async fn run(args: &Show) -> Result<(), Failure> {
    let Mechanism { endpoint, netuid, mechanism, json } = &args.of;
    let chain = endpoint.connect().await?;
    let read = async |whose: Option<&[Uid]>| {
        Votes::read(&*chain, *netuid, *mechanism, whose).await.map_err(chain_failure)
    };
    let votes = match args.validator {
        None => read(None).await?,
        Some(whose) => {
            let nobody = read(Some(&[])).await?;
            read(Some(&[uid_of(whose, &nobody)?])).await?
        }
    };
    if *json {
        let validators = votes.votes.iter().map(|vote| Row { vote, shares: named(&votes, vote) }).collect();
        let (block, epoch) = (votes.state.head.number, votes.state.schedule.epoch);
        return Ok(output::json(&Shown {
            netuid: *netuid,
            mechanism: *mechanism,
            block,
            epoch,
            validators,
        })?);
    }
    output::line(format!(
        "subnet {netuid}, mechanism {mechanism}, at block {}, epoch {}",
        votes.state.head.number, votes.state.schedule.epoch
    ))?;
    match (args.validator, &votes.votes[..]) {
        (Some(_), [vote]) => print_one(&votes, vote),
        _ => print_all(&votes),
    }
}

fn named(votes: &Votes, vote: &Vote) -> Vec<Share> {
    let hotkey = |uid: Uid| votes.state.metagraph.neuron(uid).map(|neuron| neuron.hotkey);
    shares(&vote.weights).into_iter().map(|(uid, share)| Share { uid, hotkey: hotkey(uid), share }).collect()
}

fn print_one(votes: &Votes, vote: &Vote) -> Result<(), Failure> {
    let permit = if vote.validator_permit { "a permit" } else { "no permit: its weights don't count" };
    output::line(format!(
        "validator {}, uid {}, {} TAO of stake, {permit}, vtrust {}",
        vote.hotkey,
        vote.uid,
        tao::format(vote.stake),
        fraction(vote.validator_trust)
    ))?;
    if vote.weights.is_empty() {
        return Ok(output::line("it has no weights on the chain")?);
    }
    output::line(format!("last update at block {}, {} blocks ago", vote.last_update, vote.age_blocks))?;
    let mut table = Table::new(&["uid", "<hotkey", "stored", "share %"]);
    let mut row = named(votes, vote);
    row.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.uid.cmp(&b.uid)));
    for Share { uid, hotkey, share } in row {
        let stored = vote.weights.iter().find(|(other, _)| *other == uid).map_or(0, |(_, weight)| *weight);
        let hotkey = hotkey.map_or_else(|| "-".to_owned(), |hotkey| hotkey.to_string());
        table.row(vec![uid.to_string(), hotkey, stored.to_string(), percent(share)]);
    }
    Ok(table.print()?)
}

fn print_all(votes: &Votes) -> Result<(), Failure> {
    if votes.votes.is_empty() {
        return Ok(output::line("no validator has a permit")?);
    }
    let headings =
        ["uid", "<hotkey", "stake (TAO)", "vtrust", "updated", "blocks ago", "uids", "<largest, in %"];
    let mut table = Table::new(&headings);
    for vote in &votes.votes {
        let mut largest: Vec<(Uid, f64)> = shares(&vote.weights).into_iter().collect();
        largest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let count = largest.len();
        let named: Vec<String> = largest
            .iter()
            .take(NAMED_MAX)
            .map(|(uid, share)| format!("{uid}: {:.1}", share * 100.0))
            .collect();
        let more = if count > NAMED_MAX { ", ..." } else { "" };
        table.row(vec![
            vote.uid.to_string(),
            vote.hotkey.to_string(),
            output::tao(vote.stake.0),
            fraction(vote.validator_trust),
            vote.last_update.to_string(),
            vote.age_blocks.to_string(),
            count.to_string(),
            format!("{}{more}", named.join(", ")),
        ]);
    }
    Ok(table.print()?)
}
