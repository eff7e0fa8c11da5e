//! `weighhouse chain`: serve the ledger, take part in it, look at it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use weighhouse_chain::ledger::{
    AccountEntry, BlockTime, Genesis, GenesisFile, Ledger, ServeLimits, SubnetEntry, serve,
};
use weighhouse_chain::{Call, Event};
use weighhouse_seams::{Clock, OsEntropy, SystemClock};
use weighhouse_types::{Coldkey, Digest, Hotkey, Hyperparameters, Netuid, Rao};

use super::keys::{WalletArgs, wallet_failure};
use super::{bind, chain_failure, connect, open_dir, read_text};
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table, tao};

/// Serve the embedded ledger, or take part in a chain that is served.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  weighhouse chain genesis --owner-wallet owner --fund 5Grw...=1000 > genesis.toml
  weighhouse chain serve --genesis genesis.toml --dir ./chain
  weighhouse chain register --wallet miner --limit 1
  weighhouse chain stake --wallet validator --amount 500
  weighhouse chain metagraph --json")]
pub(crate) enum Chain {
    /// Write a genesis file for a new chain to standard output
    Genesis(MakeGenesis),
    /// Run the ledger and serve it to roles on this and other hosts
    Serve(Serve),
    /// Pay the burn price for a uid (signed by the coldkey)
    Register(Register),
    /// Move free balance to a hotkey's stake (signed by the coldkey)
    Stake(Stake),
    /// Move stake back to free balance (signed by the coldkey)
    Unstake(Stake),
    /// Give free balance to another coldkey (signed by the coldkey)
    Transfer(super::transfer::Transfer),
    /// Recompute an epoch of a subtensor network and compare every figure
    #[cfg(feature = "subtensor")]
    VerifyEpoch(super::verify_epoch::VerifyEpoch),
    /// Show who is in a subnet and how they fare
    Metagraph(Subnet),
    /// Show a subnet's hyperparameters, or set some as its owner
    Hyperparameters(SetHyperparameters),
    /// Show a coldkey's free balance
    Balance(Balance),
    /// Say what stands between a hotkey and its weights, and what to do about it
    Explain(super::explain::Explain),
}

#[derive(Args, Debug)]
pub(crate) struct MakeGenesis {
    /// Wallet whose coldkey owns the subnet
    #[arg(long, value_name = "NAME", default_value = "owner")]
    owner_wallet: String,
    #[command(flatten)]
    at: super::keys::WalletsDir,
    /// Give a coldkey, or a wallet's coldkey, a balance in TAO; repeat for more
    #[arg(long, value_name = "SS58|WALLET=TAO")]
    fund: Vec<String>,
    /// Time between blocks, such as 12s or 250ms
    #[arg(long, default_value = "12s")]
    block_time: String,
    /// Blocks per epoch
    #[arg(long, default_value_t = 360)]
    tempo: u16,
    #[arg(long, default_value = "weighhouse")]
    name: String,
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// The chain's genesis file
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Folder of the chain's state
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Address to serve on; whoever reaches it can read the chain and hand in signed calls
    #[arg(long, default_value = "127.0.0.1:9944")]
    listen: SocketAddr,
}

/// Which chain.
#[derive(Args, Clone, Debug)]
pub(crate) struct Endpoint {
    /// Chain: http:// of a served ledger; finney, test, local or ws:// addresses of a subtensor network
    #[arg(
        long = "chain",
        visible_alias = "network",
        default_value = "http://127.0.0.1:9944",
        value_name = "URL",
        env = "WEIGHHOUSE_CHAIN"
    )]
    pub(super) url: String,
    /// Genesis hash to insist on
    #[arg(long, value_name = "HEX")]
    pub(super) genesis_hash: Option<Digest>,
}

#[derive(Args, Debug)]
pub(crate) struct Register {
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// Most that may be paid, in TAO; the present price plus a tenth when absent
    #[arg(long, value_name = "TAO", value_parser = parse_tao)]
    limit: Option<Rao>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Stake {
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// Amount in TAO
    #[arg(long, value_name = "TAO", value_parser = parse_tao)]
    amount: Rao,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Subnet {
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SetHyperparameters {
    #[command(flatten)]
    subnet: Subnet,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Set one, signed by the owner's coldkey; repeat for more
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Balance {
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    endpoint: Endpoint,
    /// This address instead of the wallet's
    #[arg(long, value_name = "SS58")]
    coldkey: Option<Coldkey>,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Chain, shutdown: CancellationToken) -> Result<(), Failure> {
    match command {
        Chain::Genesis(args) => make_genesis(&args),
        Chain::Serve(args) => run_ledger(&args, shutdown).await,
        Chain::Register(args) => register(&args).await,
        Chain::Stake(args) => stake(&args, true).await,
        Chain::Unstake(args) => stake(&args, false).await,
        Chain::Transfer(args) => super::transfer::run(&args).await,
        #[cfg(feature = "subtensor")]
        Chain::VerifyEpoch(args) => super::verify_epoch::run(&args).await,
        Chain::Metagraph(args) => metagraph(&args).await,
        Chain::Hyperparameters(args) => hyperparameters(&args).await,
        Chain::Balance(args) => balance(&args).await,
        Chain::Explain(args) => super::explain::run(&args).await,
    }
}

/// An amount in TAO with up to nine decimals, exactly.
pub(super) fn parse_tao(text: &str) -> Result<Rao, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.chars().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return Err("an amount is digits with at most nine decimals, such as 1.5".into());
    }
    let rao = format!("{whole}{fraction:0<9}").parse().map_err(|_| "that is more than exists".to_owned())?;
    Ok(Rao(rao))
}

fn make_genesis(args: &MakeGenesis) -> Result<(), Failure> {
    let owner = args.at.folder(&args.owner_wallet)?;
    let block_time: BlockTime =
        serde_json::from_value(args.block_time.clone().into()).exit(Exit::Config, "--block-time")?;
    let mut accounts = BTreeMap::new();
    for entry in &args.fund {
        let (who, amount) = entry.split_once('=').ok_or_else(|| {
            Failure::config(format!("--fund {entry}: write it as ADDRESS=TAO or WALLET=TAO"))
        })?;
        let balance = parse_tao(amount).exit(Exit::Config, format!("--fund {entry}"))?;
        let coldkey = match who.parse() {
            Ok(coldkey) => coldkey,
            Err(_) => args.at.folder(who)?.coldkey().map_err(wallet_failure)?,
        };
        accounts.insert(coldkey, balance);
    }
    let genesis = Genesis::new(GenesisFile {
        name: args.name.clone(),
        block_time,
        beacon_seed: None,
        accounts: accounts.into_iter().map(|(coldkey, balance)| AccountEntry { coldkey, balance }).collect(),
        subnets: vec![SubnetEntry {
            netuid: Netuid(1),
            owner_coldkey: owner.coldkey().map_err(wallet_failure)?,
            owner_hotkey: owner.hotkey("default").map_err(wallet_failure)?,
            emission_per_block: Rao(1_000_000_000),
            registration_price: Rao(100_000_000),
            hyperparameters: Hyperparameters {
                tempo: args.tempo,
                min_allowed_weights: 1,
                weights_set_rate_limit: u64::from(args.tempo / 4),
                serving_rate_limit: 5,
                ..Hyperparameters::default()
            },
            neurons: Vec::new(),
        }],
    })
    .map_err(Failure::config)?;
    let text = toml::to_string(genesis.file()).exit(Exit::Internal, "writing genesis.toml")?;
    Ok(output::line(text.trim_end())?)
}

/// Opens or makes the ledger in a file.
pub(crate) async fn open_ledger(
    path: &Path,
    genesis: &Genesis,
    clock: Arc<dyn Clock>,
) -> Result<Ledger, Failure> {
    Ledger::open(path, genesis, clock, &OsEntropy).map_err(chain_failure)
}

async fn run_ledger(args: &Serve, shutdown: CancellationToken) -> Result<(), Failure> {
    let text = read_text(&args.genesis)?;
    let genesis = Genesis::parse(&text).exit(Exit::Config, args.genesis.display())?;
    let listener = bind(args.listen, "--listen").await?;
    let _dir = open_dir(&args.dir)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ledger = open_ledger(&args.dir.join("chain.redb"), &genesis, clock).await?;
    tracing::info!(listen = %args.listen, genesis = %genesis.hash(), "chain ready");
    let producing = ledger.run(shutdown.clone().cancelled_owned());
    let serving =
        serve(ledger.clone(), Box::new(listener), ServeLimits::default(), shutdown.clone().cancelled_owned());
    let (produced, served) = tokio::join!(
        async {
            let ended = producing.await;
            shutdown.cancel();
            ended
        },
        async {
            let ended = serving.await;
            shutdown.cancel();
            ended
        },
    );
    produced.map_err(chain_failure)?;
    served.exit(Exit::Internal, "serving the chain")
}

async fn register(args: &Register) -> Result<(), Failure> {
    let hotkey = args.wallet.folder()?.hotkey(&args.wallet.hotkey).map_err(wallet_failure)?;
    let chain = connect(&args.endpoint.url, args.endpoint.genesis_hash).await?;
    let price = chain.burn(args.netuid).await.map_err(chain_failure)?;
    let limit = args.limit.unwrap_or(Rao(price.0.saturating_add(price.0 / 10)));
    if args.dry_run {
        let (price, most) = (tao(price.0), tao(limit.0));
        let subnet = args.netuid;
        return would(
            args.json,
            format!("register {hotkey} in subnet {subnet} for {price} TAO, at most {most}"),
        );
    }
    let coldkey = args.wallet.open_coldkey()?;
    let call = Call::Register { netuid: args.netuid, hotkey, limit };
    output::note("waiting for the registration to be final ...");
    let (block, events) = chain.execute(&coldkey, call).await.map_err(chain_failure)?;
    let registered = events.iter().find_map(|event| match event {
        Event::NeuronRegistered { uid, burned, .. } => Some((*uid, *burned)),
        _ => None,
    });
    let (uid, burned) = registered.ok_or_else(|| Failure::internal("the chain reported no uid"))?;
    if args.json {
        let object = serde_json::json!({ "uid": uid, "hotkey": hotkey, "burned_rao": burned.0.to_string(), "block": block });
        return Ok(output::json(&object)?);
    }
    Ok(output::line(format!("{hotkey} is uid {uid} since block {block}; burned {} TAO", tao(burned.0)))?)
}

/// A dry run's only word.
fn would(json: bool, what: String) -> Result<(), Failure> {
    if json {
        return Ok(output::json(&serde_json::json!({ "dry_run": true, "would": what }))?);
    }
    Ok(output::line(format!("a dry run: would {what}"))?)
}

async fn stake(args: &Stake, add: bool) -> Result<(), Failure> {
    let hotkey: Hotkey = args.wallet.folder()?.hotkey(&args.wallet.hotkey).map_err(wallet_failure)?;
    let chain = connect(&args.endpoint.url, args.endpoint.genesis_hash).await?;
    let (netuid, amount) = (args.netuid, args.amount);
    if args.dry_run {
        let verb = if add { "stake" } else { "take back" };
        let amount = tao(amount.0);
        return would(args.json, format!("{verb} {amount} TAO, of {hotkey} in subnet {netuid}"));
    }
    let coldkey = args.wallet.open_coldkey()?;
    let call = if add {
        Call::AddStake { netuid, hotkey, amount }
    } else {
        Call::RemoveStake { netuid, hotkey, amount }
    };
    output::note("waiting for the call to be final ...");
    let (block, _) = chain.execute(&coldkey, call).await.map_err(chain_failure)?;
    if args.json {
        let object =
            serde_json::json!({ "hotkey": hotkey, "amount_rao": amount.0.to_string(), "block": block });
        return Ok(output::json(&object)?);
    }
    let verb = if add { "staked on" } else { "taken from" };
    Ok(output::line(format!("{} TAO {verb} {hotkey} at block {block}", tao(amount.0)))?)
}

async fn metagraph(args: &Subnet) -> Result<(), Failure> {
    let chain = connect(&args.endpoint.url, args.endpoint.genesis_hash).await?;
    let state = chain.subnet(args.netuid).await.map_err(chain_failure)?;
    if args.json {
        return Ok(output::json(&state)?);
    }
    let next =
        state.schedule.next_epoch_block().map_or_else(|| "never".to_owned(), |block| block.to_string());
    output::line(format!(
        "subnet {} at block {}, epoch {}, next epoch at block {next}",
        args.netuid, state.head.number, state.schedule.epoch
    ))?;
    let mut table = Table::new(&[
        "uid",
        "<hotkey",
        "stake (TAO)",
        "<permit",
        "incentive",
        "dividends",
        "vtrust",
        "emission",
        "updated",
        "<axon",
    ]);
    let fraction = |value: u16| format!("{:.4}", f64::from(value) / f64::from(u16::MAX));
    for neuron in &state.metagraph.neurons {
        table.row(vec![
            neuron.uid.to_string(),
            neuron.hotkey.to_string(),
            tao(neuron.stake.0),
            if neuron.validator_permit { "yes".into() } else { String::new() },
            fraction(neuron.incentive),
            fraction(neuron.dividends),
            fraction(neuron.validator_trust),
            tao(neuron.emission.0),
            neuron.last_update.to_string(),
            neuron.axon.map_or_else(String::new, |axon| axon.address().to_string()),
        ]);
    }
    Ok(table.print()?)
}

async fn hyperparameters(args: &SetHyperparameters) -> Result<(), Failure> {
    let chain = connect(&args.subnet.endpoint.url, args.subnet.endpoint.genesis_hash).await?;
    let netuid = args.subnet.netuid;
    let mut present = chain.subnet(netuid).await.map_err(chain_failure)?.hyperparameters;
    if !args.set.is_empty() {
        present = changed(&present, &args.set)?;
        let coldkey = args.wallet.open_coldkey()?;
        let call = Call::SetHyperparameters { netuid, hyperparameters: Box::new(present.clone()) };
        output::note("waiting for the call to be final ...");
        chain.execute(&coldkey, call).await.map_err(chain_failure)?;
    }
    if args.subnet.json {
        return Ok(output::json(&present)?);
    }
    let text = toml::to_string(&present).exit(Exit::Internal, "hyperparameters")?;
    Ok(output::line(text.trim_end())?)
}

/// Applies NAME=VALUE pairs by way of TOML, so that names and types are checked like a file's.
fn changed(present: &Hyperparameters, pairs: &[String]) -> Result<Hyperparameters, Failure> {
    let mut table = toml::Table::try_from(present).exit(Exit::Internal, "hyperparameters")?;
    for pair in pairs {
        let one: toml::Table =
            toml::from_str(pair).exit(Exit::Config, format!("--set {pair}: write it as NAME=VALUE"))?;
        table.extend(one);
    }
    weighhouse_types::config::parse(&table.to_string()).exit(Exit::Config, "--set")
}

async fn balance(args: &Balance) -> Result<(), Failure> {
    let coldkey = match args.coldkey {
        Some(coldkey) => coldkey,
        None => args.wallet.folder()?.coldkey().map_err(wallet_failure)?,
    };
    let chain = connect(&args.endpoint.url, args.endpoint.genesis_hash).await?;
    let free = chain.balance(coldkey).await.map_err(chain_failure)?;
    if args.json {
        return Ok(output::json(&serde_json::json!({ "coldkey": coldkey, "free_rao": free.0.to_string() }))?);
    }
    Ok(output::line(format!("{} TAO free on {coldkey}", tao(free.0)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_parse_exactly_or_not_at_all() {
        assert_eq!(parse_tao("1.5"), Ok(Rao(1_500_000_000)));
        assert_eq!(parse_tao("0.000000001"), Ok(Rao(1)));
        for bad in ["", ".5", "-1", "1e3", "1.0000000001", "99999999999999999999"] {
            assert!(parse_tao(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_misspelt_hyperparameter_is_refused_with_the_nearest() {
        let error =
            changed(&Hyperparameters::default(), &["tempoo=10".into()]).expect_err("unknown").to_string();
        assert!(error.contains("did you mean `tempo`?"), "{error}");
        let set = changed(&Hyperparameters::default(), &["tempo=10".into()]).expect("known");
        assert_eq!(set.tempo, 10);
    }
}
