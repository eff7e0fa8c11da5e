//! `weighhouse weights diff`: two rows of weights beside each other, and what consensus makes of each.

use clap::Args;
use serde::Serialize;
use weighhouse_chain::votes::{Agreement, Expected, Replaced, Votes};
use weighhouse_types::{Block, Epoch, MechId, Netuid, Uid};
use weighhouse_validator::put::Whose;

use super::side::{Named, Side};
use super::{Mechanism, fraction, percent, uid_of};
use crate::commands::chain_failure;
use crate::failure::Failure;
use crate::output::{self, Table};

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// A validator's uid or hotkey, its journal (the folder or an epoch's file), or a file of weights (CSV, JSON or Parquet)
    #[arg(value_name = "A", value_parser = Named::parse)]
    first: Named,
    /// The same, to compare with
    #[arg(value_name = "B", value_parser = Named::parse)]
    second: Named,
    /// The validator whose weights a file's would be; the other side's if not given
    #[arg(long = "as", value_name = "HOTKEY|UID", value_parser = Whose::parse)]
    validator: Option<Whose>,
    #[command(flatten)]
    of: Mechanism,
}

#[derive(Serialize)]
struct Compared {
    netuid: Netuid,
    mechanism: MechId,
    block: Block,
    epoch: Epoch,
    #[serde(flatten)]
    agreement: Agreement,
    first: Foretold,
    second: Foretold,
}

/// One side at the next epoch.
#[derive(Serialize)]
struct Foretold {
    side: String,
    /// The validator whose weights it is taken for.
    validator: Option<Uid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Vtrust>,
    #[serde(skip)]
    consensus: Vec<u16>,
}

/// A validator's place in the next epoch. Figures are of 1.
#[derive(Serialize)]
struct Vtrust {
    block: Block,
    vtrust: f64,
    dividends: f64,
    /// Of the last epoch.
    vtrust_before: f64,
}

pub(super) async fn run(args: &Diff) -> Result<(), Failure> {
    let Mechanism { endpoint, netuid, mechanism, json } = &args.of;
    let chain = endpoint.connect().await?;
    let votes = Votes::read_all(&*chain, *netuid, *mechanism).await.map_err(chain_failure)?;
    let named = args.validator.map(|whose| uid_of(whose, &votes)).transpose()?;
    let mut sides = [Side::read(&args.first, &votes)?, Side::read(&args.second, &votes)?];
    let of_other = [sides[1].validator, sides[0].validator];
    for (side, other) in sides.iter_mut().zip(of_other) {
        if side.replaces {
            side.validator = named.or(side.validator).or(other);
        }
    }
    let [first, second] = sides;
    let compared = Compared {
        netuid: *netuid,
        mechanism: *mechanism,
        block: votes.state.head.number,
        epoch: votes.state.schedule.epoch,
        agreement: Agreement::of(&first.weights, &second.weights),
        first: foretell(&first, &votes)?,
        second: foretell(&second, &votes)?,
    };
    if *json { Ok(output::json(&compared)?) } else { print(&compared) }
}

fn foretell(side: &Side, votes: &Votes) -> Result<Foretold, Failure> {
    let Side { label, validator, replaces, weights } = side;
    let mut foretold =
        Foretold { side: label.clone(), validator: *validator, expected: None, consensus: Vec::new() };
    let Some(uid) = *validator else { return Ok(foretold) };
    let replaced = replaces.then_some(Replaced { uid, weights });
    let Some(expected) = votes.expected(replaced).map_err(chain_failure)? else { return Ok(foretold) };
    let Expected { block, validator_trust, dividends, consensus, .. } = expected;
    let of_one =
        |figures: &[u16]| f64::from(figures.get(uid.index()).copied().unwrap_or(0)) / f64::from(u16::MAX);
    let before = votes.state.metagraph.neuron(uid).map_or(0, |neuron| neuron.validator_trust);
    foretold.expected = Some(Vtrust {
        block,
        vtrust: of_one(&validator_trust),
        dividends: of_one(&dividends),
        vtrust_before: f64::from(before) / f64::from(u16::MAX),
    });
    foretold.consensus = consensus;
    Ok(foretold)
}

fn print(compared: &Compared) -> Result<(), Failure> {
    let Compared { netuid, mechanism, block, epoch, agreement, first, second } = compared;
    output::line(format!("subnet {netuid}, mechanism {mechanism}, at block {block}, epoch {epoch}"))?;
    output::line(format!("A  {}", first.side))?;
    output::line(format!("B  {}", second.side))?;
    if agreement.differences.is_empty() {
        output::line("both give everybody the same share")?;
    } else {
        let mut table = Table::new(&["uid", "A %", "B %", "B - A %", "consensus"]);
        for difference in &agreement.differences {
            let consensus =
                first.consensus.get(difference.uid.index()).or(second.consensus.get(difference.uid.index()));
            table.row(vec![
                difference.uid.to_string(),
                percent(difference.first),
                percent(difference.second),
                format!("{:+.3}", difference.gain() * 100.0),
                consensus.map_or_else(|| "-".to_owned(), |figure| fraction(*figure)),
            ]);
        }
        table.print()?;
    }
    output::line(format!(
        "L1 distance {:.4} of 2; {} % of the weight goes to the same uids",
        agreement.l1,
        percent(agreement.agreement)
    ))?;
    print_foretold('A', first)?;
    print_foretold('B', second)
}

fn print_foretold(name: char, foretold: &Foretold) -> Result<(), Failure> {
    let text = match (&foretold.expected, foretold.validator) {
        (Some(Vtrust { block, vtrust, dividends, vtrust_before }), Some(uid)) => format!(
            "{name}  uid {uid}: expected vtrust {vtrust:.4} at the epoch of block {block} (last {vtrust_before:.4}), dividends {dividends:.4}"
        ),
        (None, Some(uid)) => format!("{name}  uid {uid}: the subnet runs no epochs, so nothing is expected"),
        (_, None) => format!(
            "{name}  no validator is known for these weights; name one with --as for the expected vtrust"
        ),
    };
    Ok(output::line(text)?)
}
