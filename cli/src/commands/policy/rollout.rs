//! `weighhouse policy rollout`: the owner's word on which policy is live from which block on.

use std::path::PathBuf;

use clap::Args;
use weighhouse_lab::lint::lint;
use weighhouse_types::{Block, Netuid};
use weighhouse_validator::config::Rounds;
use weighhouse_validator::rollout::{POLICY_FILE, ROLLOUT_FILE, Rollout as Signed};

use super::check;
use super::files::read_policy;
use crate::commands::keys::WalletArgs;
use crate::commands::{chain_failure, connect};
use crate::failure::{Context, Exit, Failure};
use crate::output;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy rollout --policy new.toml --block 7200 --netuid 1 --out staged --wallet owner

The policy is checked against the subnet first, as `policy check --endpoint --netuid` does: one under which validators
would abstain or pay nobody is not signed, unless --force.

Writes policy.toml and rollout.toml into the folder. A validator whose configuration names such a folder as
`policy.staged` runs the new policy in the shadow of the live one, logs what it would change, and switches with the first
epoch that begins at or after the block. The wallet's hotkey must be the subnet owner's.")]
pub(crate) struct Rollout {
    /// The new policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// From the first epoch that begins at or after this block
    #[arg(long)]
    block: u64,
    /// The chain's address
    #[arg(long, default_value = "http://127.0.0.1:9944", value_name = "URL")]
    endpoint: weighhouse_chain::address::ChainAddress,
    #[arg(long)]
    netuid: u16,
    /// The folder to write both files into; made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Sign a policy that has errors
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    wallet: WalletArgs,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &Rollout) -> Result<(), Failure> {
    let policy = read_policy(&args.policy)?;
    let chain = connect(&args.endpoint, None).await?;
    let state = chain.subnet(Netuid(args.netuid)).await.map_err(chain_failure)?;
    let head = state.head.number;
    if head.0 >= args.block {
        let message = format!("block {} is past: the chain is at block {head}; name a later one", args.block);
        return Err(Failure::config(message));
    }
    let live = check::live(policy.policy(), &state);
    let report =
        lint(&policy, None, Some(&live), Rounds::PER_EPOCH).exit(Exit::Config, args.policy.display())?;
    report.findings.iter().for_each(|finding| output::note(check::in_words(finding)));
    check::refuse_errors(&report, &args.policy, args.force)?;
    let owner = args.wallet.open_hotkey()?;
    let rollout =
        Signed::sign(&owner, chain.genesis(), Netuid(args.netuid), policy.hash(), Block(args.block));
    let metagraph = &state.metagraph;
    let expected = metagraph.owner.and_then(|uid| metagraph.neuron(uid)).map(|neuron| neuron.hotkey);
    let Some(expected) = expected else {
        return Err(Failure::new(
            Exit::Denied,
            format!(
                "the subnet's owner has no uid: register the owner's hotkey first (`weighhouse chain register --netuid {}` with its \
                 wallet)",
                args.netuid
            ),
        ));
    };
    rollout
        // Checked as every validator will, before there is a file to hand out.
        .verify(chain.genesis(), Netuid(args.netuid), expected)
        .exit(Exit::Denied, "validators would refuse it")?;
    let out = crate::commands::open_dir(&crate::commands::expand(&args.out), "--out")?;
    let write = |name: &str, bytes: &[u8]| {
        weighhouse_seams::Storage::write_atomic(&out, name, bytes).exit(Exit::Unavailable, args.out.display())
    };
    // Between the writes a validator finds one file missing, or a digest that doesn't fit, and refuses both.
    write(POLICY_FILE, policy.text().as_bytes())?;
    write(ROLLOUT_FILE, rollout.to_toml().as_bytes())?;
    if args.json {
        return Ok(output::json(&rollout)?);
    }
    output::line(format!(
        "policy {} is live from the first epoch at or after block {}, {} blocks from now",
        rollout.policy,
        rollout.activation_block,
        args.block - head.0
    ))?;
    Ok(output::line(format!("hand {} to every validator", args.out.display()))?)
}
