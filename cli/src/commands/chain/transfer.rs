//! `weighhouse chain transfer`: free balance to another coldkey, after a look at what it does.

use clap::Args;
use weighhouse_chain::Call;
use weighhouse_types::{Coldkey, Rao};

use super::Endpoint;
use crate::commands::keys::{WalletArgs, wallet_failure};
use crate::commands::{chain_failure, confirm, connect};
use crate::failure::{Exit, Failure};
use crate::output::{self, tao};

#[derive(Args, Debug)]
pub(crate) struct Transfer {
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    endpoint: Endpoint,
    /// The coldkey that gets it
    #[arg(long, value_name = "SS58")]
    to: Coldkey,
    /// Amount in TAO
    #[arg(long, value_name = "TAO", value_parser = weighhouse_types::tao::parse)]
    amount: Rao,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &Transfer) -> Result<(), Failure> {
    let from = args.wallet.folder()?.coldkey().map_err(wallet_failure)?;
    let chain = connect(&args.endpoint.address, args.endpoint.genesis_hash).await?;
    let free = chain.balance(from).await.map_err(chain_failure)?;
    output::note(format!(
        "{} TAO from {from} (it has {} free) to {}; the fee comes on top",
        tao(args.amount.0),
        tao(free.0),
        args.to
    ));
    // The fee isn't known here; where only that is missing, the chain refuses.
    if args.amount > free {
        return Err(Failure::new(Exit::Denied, format!("{} TAO are missing", tao(args.amount.0 - free.0))));
    }
    if args.dry_run {
        return result(args, from, None);
    }
    if !args.yes && !confirm::can_ask() {
        return Err(Failure::config("nobody is there to confirm: give --yes, or --dry-run to look"));
    }
    if !args.yes {
        confirm::ask()?;
    }
    let coldkey = args.wallet.open_coldkey()?;
    let call = Call::Transfer { to: args.to, amount: args.amount };
    output::note("waiting for the transfer to be final ...");
    let (block, _) = chain.execute(&coldkey, call).await.map_err(chain_failure)?;
    result(args, from, Some(block.0))
}

fn result(args: &Transfer, from: Coldkey, block: Option<u64>) -> Result<(), Failure> {
    if args.json {
        let object = serde_json::json!({
            // Amounts as text: readers that take JSON's numbers for doubles lose digits above 2^53 rao.
            "from": from, "to": args.to, "amount_rao": args.amount.0.to_string(), "block": block,
        });
        return Ok(output::json(&object)?);
    }
    let text = match block {
        Some(block) => format!("{} TAO went to {} at block {block}", tao(args.amount.0), args.to),
        None => "a dry run: nothing was done".to_owned(),
    };
    Ok(output::line(text)?)
}
