//! `weighhouse chain serve` and `weighhouse init genesis`: the embedded ledger.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weighhouse_chain::ledger::{
    AccountEntry, BlockTime, Genesis, GenesisFile, Ledger, LedgerLimits, SubnetEntry, serve,
};
use weighhouse_seams::{Clock, Entropy, SystemClock};
use weighhouse_types::{Hyperparameters, Netuid, Rao, address, tao};

use super::head;
use crate::commands::admin::Told;
use crate::commands::keys::{WalletsDir, wallet_failure};
use crate::commands::{admin, bind, chain_failure, open_dir, read_text, refuse_existing, write_file};
use crate::failure::{Context, Exit, Failure};
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct MakeGenesis {
    /// Wallet whose coldkey owns the subnet
    #[arg(long, value_name = "NAME", default_value = "owner")]
    owner_wallet: String,
    #[command(flatten)]
    at: WalletsDir,
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
pub(crate) struct InitGenesis {
    #[command(flatten)]
    genesis: MakeGenesis,
    /// The file to write; one that is there already is left alone
    #[arg(long, value_name = "FILE", default_value = "genesis.toml")]
    out: PathBuf,
    #[arg(long)]
    json: bool,
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
    #[arg(long, default_value = "127.0.0.1:9944", value_parser = address::parse)]
    listen: SocketAddr,
    /// Serve Prometheus metrics, /livez and /readyz at this address
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    metrics: Option<SocketAddr>,
}

/// Writes the genesis file.
pub(crate) fn init_genesis(args: &InitGenesis) -> Result<(), Failure> {
    refuse_existing(&args.out)?;
    let genesis = genesis(&args.genesis)?;
    write_file(&args.out, toml(&genesis)?.as_bytes())?;
    if args.json {
        let written = serde_json::json!({ "written": args.out, "genesis": genesis.hash() });
        return Ok(output::json(&written)?);
    }
    let out = args.out.display();
    Ok(output::line(format!(
        "{out} written; `weighhouse chain serve --genesis {out} --dir ./chain` serves it"
    ))?)
}

/// The old spelling, to standard output.
pub(super) fn make_genesis(args: &MakeGenesis) -> Result<(), Failure> {
    Ok(output::line(toml(&genesis(args)?)?.trim_end())?)
}

fn toml(genesis: &Genesis) -> Result<String, Failure> {
    toml::to_string(genesis.file()).exit(Exit::Internal, "writing genesis.toml")
}

fn genesis(args: &MakeGenesis) -> Result<Genesis, Failure> {
    let owner = args.at.folder(&args.owner_wallet)?;
    let block_time: BlockTime =
        serde_json::from_value(args.block_time.clone().into()).exit(Exit::Config, "--block-time")?;
    let mut accounts = BTreeMap::new();
    for entry in &args.fund {
        let (who, amount) = entry.split_once('=').ok_or_else(|| {
            Failure::config(format!("--fund {entry}: write it as ADDRESS=TAO or WALLET=TAO"))
        })?;
        let balance = tao::parse(amount).exit(Exit::Config, format!("--fund {entry}"))?;
        let coldkey = match who.parse() {
            Ok(coldkey) => coldkey,
            Err(_) => args.at.folder(who)?.coldkey().map_err(wallet_failure)?,
        };
        accounts.insert(coldkey, balance);
    }
    Genesis::new(GenesisFile {
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
    .map_err(Failure::config)
}

pub(super) async fn run_ledger(args: &Serve, shutdown: CancellationToken) -> Result<(), Failure> {
    let text = read_text(&args.genesis)?;
    let genesis = Genesis::parse(&text).exit(Exit::Config, args.genesis.display())?;
    let listener = bind(args.listen, "--listen").await?;
    // Kept for its lock: two processes must not produce one chain's blocks.
    let _dir = open_dir(&args.dir, "--dir")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let path = args.dir.join("chain.redb");
    let ledger = Ledger::open(&path, &genesis, clock, &mut Entropy::system()).map_err(chain_failure)?;
    let ready = watch::Sender::new(true);
    let told =
        Told { listen: (args.metrics, "--metrics"), ready: ready.subscribe(), state: Some(args.dir.clone()) };
    admin::serve(told).await?;
    head::describe();
    tokio::spawn(head::follow(ledger.clone(), shutdown.clone()));
    tracing::info!(listen = %args.listen, genesis = %genesis.hash(), "chain ready");
    let producing = ledger.run(shutdown.clone().cancelled_owned());
    let serving = serve(
        ledger.clone(),
        Box::new(listener),
        LedgerLimits::default(),
        shutdown.clone().cancelled_owned(),
    );
    // Whichever ends first cancels the other: a chain that isn't served, or stands still, is of no use.
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
