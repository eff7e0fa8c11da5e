//! `weighhouse proxy`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weighhouse_ask::proxy::{self, ProxyError};
use weighhouse_ask::{Asker, Miners, ProxyLimits, Target};
use weighhouse_chain::{SharedChain, certificate};
use weighhouse_gateway::{ApiKey, ChatTemplate, subnet};
use weighhouse_seams::{Clock, DialMap, Dialer, Entropy, PublicDialer, SystemClock, TcpBound, TcpDialer};
use weighhouse_types::{Hotkey, Netuid, Uid, address};
use weighhouse_wallet::btauth::Signer;

use super::admin::Told;
use super::keys::WalletArgs;
use super::{admin, bind, chain_failure, connect, expand};
use crate::failure::{Context, Exit, Failure};

/// Sign for clients that can't: gRPC or OpenAI's HTTP API in, signed gRPC to miners.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse proxy --wallet validator --uid 4
  weighhouse proxy --wallet validator --address 127.0.0.1:8091 --receiver 5Grw...
Then point tritonclient or any other gRPC client at 127.0.0.1:8001.
  weighhouse proxy --wallet validator --http 127.0.0.1:8080 --folder tale=models/tale
Then point OpenAI's clients at http://127.0.0.1:8080/v1; miners are asked by weight. To try it:
  curl http://127.0.0.1:8080/v1/models
  curl --json '{\"model\": \"tale\", \"prompt\": \"Once\"}' http://127.0.0.1:8080/v1/completions")]
pub(crate) struct Proxy {
    #[command(flatten)]
    wallet: WalletArgs,
    /// Loopback address to listen on
    #[arg(long, default_value = "127.0.0.1:8001", value_parser = address::parse)]
    listen: SocketAddr,
    /// Look the miner up on the chain by its uid
    #[arg(long, conflicts_with_all = ["address", "receiver"], required_unless_present_any = ["address", "http"])]
    uid: Option<Uid>,
    /// The miner's address
    #[arg(long, value_name = "HOST:PORT", requires = "receiver", value_parser = super::resolved)]
    address: Option<SocketAddr>,
    /// The miner's hotkey
    #[arg(long, value_name = "SS58", requires = "address")]
    receiver: Option<Hotkey>,
    /// Chain address, where the miner isn't named by its address
    #[arg(long, default_value = "http://127.0.0.1:9944", value_name = "URL", env = "WEIGHHOUSE_CHAIN")]
    chain: weighhouse_chain::address::ChainAddress,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// Ask miners of a subtensor network at loopback, private and own addresses too, which are left alone otherwise
    #[arg(long)]
    dial_private: bool,
    /// Longest wait for an answer, or for each message of one that streams, in seconds
    #[arg(long, default_value_t = 30, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    deadline: u64,
    /// Largest request and answer, in bytes
    #[arg(long, default_value_t = 4 << 20, value_name = "BYTES")]
    body_bytes_max: usize,
    /// Serve OpenAI's HTTP API at this address too; where no miner is named, all are asked, by weight
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    http: Option<SocketAddr>,
    /// File with the key that HTTP clients must send as a bearer token
    #[arg(long, value_name = "FILE", requires = "http")]
    http_key_file: Option<PathBuf>,
    /// Folder with a model's chat template, for /v1/chat/completions; may be repeated
    #[arg(long, value_name = "MODEL=FOLDER", requires = "http", value_parser = model_folder)]
    folder: Vec<(String, PathBuf)>,
    /// Serve Prometheus metrics at this address
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    metrics: Option<SocketAddr>,
}

fn model_folder(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((model, folder)) if !model.is_empty() && !folder.is_empty() => {
            Ok((model.to_owned(), folder.into()))
        }
        _ => Err("write the model's name as miners serve it, `=`, and its folder".to_owned()),
    }
}

pub(crate) async fn run(args: Proxy, shutdown: CancellationToken) -> Result<(), Failure> {
    let keypair = args.wallet.open_hotkey()?;
    let us = keypair.hotkey();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let asker = Asker {
        signer: Arc::new(Signer::new(Arc::new(keypair), clock.clone())),
        dialer: miner_dialer(&args),
        clock: clock.clone(),
    };
    let limits =
        ProxyLimits { deadline: Duration::from_secs(args.deadline), body_bytes_max: args.body_bytes_max };
    let (chain, first) = choose(&args, us).await?;
    let (sender, miners) = watch::channel(first);
    let gateway = gateway(&args, &asker, &miners, limits).await?;
    let (_ready, is_ready) = watch::channel(true);
    admin::serve(Told { listen: (args.metrics, "--metrics"), ready: is_ready, state: None }).await?;
    weighhouse_gateway::metrics::describe();
    let listener = Box::new(bind(args.listen, "--listen").await?);
    let proxying = async {
        let ended = proxy::run(asker, miners, limits, listener, shutdown.clone()).await;
        ended.map_err(|error| match error {
            ProxyError::NotLoopback(_) => Failure::new(Exit::Config, error),
        })
    };
    let serving = async {
        if let Some((parts, listener)) = gateway {
            weighhouse_gateway::run(parts, Box::new(listener), shutdown.clone()).await;
        }
        Ok(())
    };
    let following = async {
        match chain {
            Some(chain) => subnet::follow(chain, args.netuid, us, clock, sender).await,
            // A miner that was named stays the one.
            None => sender.closed().await,
        }
        Ok(())
    };
    tokio::try_join!(proxying, serving, following).map(|_| ())
}

/// The miners to begin with, and the chain that they follow where none was named.
async fn choose(args: &Proxy, us: Hotkey) -> Result<(Option<SharedChain>, Arc<[Target]>), Failure> {
    match (args.uid, args.address, args.receiver) {
        (_, Some(address), Some(hotkey)) => Ok((None, [Target { address, hotkey, pin: None }].into())),
        (Some(uid), ..) => Ok((None, [look_up(args, uid).await?].into())),
        _ => {
            let chain = connect(&args.chain, None).await?;
            let miners = subnet::read(&*chain, args.netuid, &us).await.map_err(chain_failure)?;
            Ok((Some(chain), miners))
        }
    }
}

/// Axons are what strangers wrote on the chain; an address that was given is the caller's own word, and a ledger its own network.
fn miner_dialer(args: &Proxy) -> Arc<dyn Dialer> {
    if args.address.is_some() || args.dial_private || !args.chain.is_subtensor() {
        return Arc::new(TcpDialer);
    }
    Arc::new(PublicDialer::new(DialMap::default(), Arc::new(TcpDialer)))
}

/// The gateway's parts and its port, where one is asked for.
async fn gateway(
    args: &Proxy,
    asker: &Asker,
    miners: &Miners,
    limits: ProxyLimits,
) -> Result<Option<(weighhouse_gateway::Parts, TcpBound)>, Failure> {
    let Some(address) = args.http else { return Ok(None) };
    let key = args.http_key_file.as_deref().map(|path| ApiKey::read(&expand(path)));
    let mut templates = HashMap::new();
    for (model, folder) in &args.folder {
        let template = ChatTemplate::read(&expand(folder));
        templates.insert(model.clone(), template.exit(Exit::Config, format!("--folder {model}"))?);
    }
    let parts = weighhouse_gateway::Parts {
        asker: asker.clone(),
        miners: miners.clone(),
        templates,
        key: key.transpose().exit(Exit::Config, "--http-key-file")?,
        limits,
        entropy: Entropy::system(),
    };
    Ok(Some((parts, bind(address, "--http").await?)))
}

async fn look_up(args: &Proxy, uid: Uid) -> Result<Target, Failure> {
    let chain = connect(&args.chain, None).await?;
    let state = chain.subnet(args.netuid).await.map_err(chain_failure)?;
    let neuron =
        state.metagraph.neuron(uid).ok_or_else(|| Failure::config(format!("there is no uid {uid}")))?;
    let axon =
        neuron.axon.ok_or_else(|| Failure::new(Exit::Unavailable, format!("uid {uid} published no axon")))?;
    let hotkey = neuron.hotkey;
    let certificate = chain.certificate(args.netuid, hotkey).await.map_err(chain_failure)?;
    Ok(Target { address: axon.address(), hotkey, pin: certificate.as_ref().and_then(certificate::to_pin) })
}
