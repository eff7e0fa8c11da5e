//! `weighhouse proxy`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weighhouse_ask::proxy::{self, ProxyError};
use weighhouse_ask::{Asker, ProxyLimits, Target};
use weighhouse_seams::{SystemClock, TcpDialer};
use weighhouse_types::{Hotkey, Netuid, Uid, address};
use weighhouse_wallet::btauth::Signer;

use super::keys::WalletArgs;
use super::{bind, chain_failure, connect};
use crate::failure::{Exit, Failure};

/// Sign for clients that can't: plain gRPC in on the loopback, signed gRPC out to one miner.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse proxy --wallet validator --uid 4
  weighhouse proxy --wallet validator --address 127.0.0.1:8091 --receiver 5Grw...
Then point tritonclient or any other gRPC client at 127.0.0.1:8001.")]
pub(crate) struct Proxy {
    #[command(flatten)]
    wallet: WalletArgs,
    /// Loopback address to listen on
    #[arg(long, default_value = "127.0.0.1:8001", value_parser = address::parse)]
    listen: SocketAddr,
    /// Look the miner up on the chain by its uid
    #[arg(long, conflicts_with_all = ["address", "receiver"], required_unless_present = "address")]
    uid: Option<Uid>,
    /// The miner's address
    #[arg(long, value_name = "HOST:PORT", requires = "receiver", value_parser = super::resolved)]
    address: Option<SocketAddr>,
    /// The miner's hotkey
    #[arg(long, value_name = "SS58", requires = "address")]
    receiver: Option<Hotkey>,
    /// Chain address, with --uid
    #[arg(long, default_value = "http://127.0.0.1:9944", value_name = "URL", env = "WEIGHHOUSE_CHAIN")]
    chain: weighhouse_chain::address::ChainAddress,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// Longest wait for an answer, or for each message of one that streams, in seconds
    #[arg(long, default_value_t = 30, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    deadline: u64,
    /// Largest request and answer, in bytes
    #[arg(long, default_value_t = 4 << 20, value_name = "BYTES")]
    body_bytes_max: usize,
}

pub(crate) async fn run(args: Proxy, shutdown: CancellationToken) -> Result<(), Failure> {
    let keypair = args.wallet.open_hotkey()?;
    let target = match (args.uid, args.address, args.receiver) {
        (_, Some(address), Some(hotkey)) => Target { address, hotkey },
        (Some(uid), ..) => look_up(&args, uid).await?,
        _ => return Err(Failure::config("name the miner: --uid, or --address with --receiver")),
    };
    let clock = Arc::new(SystemClock::new());
    let asker = Asker {
        signer: Arc::new(Signer::new(Arc::new(keypair), clock.clone())),
        dialer: Arc::new(TcpDialer),
        clock,
    };
    let limits =
        ProxyLimits { deadline: Duration::from_secs(args.deadline), body_bytes_max: args.body_bytes_max };
    let listener = Box::new(bind(args.listen, "--listen").await?);
    let (_fixed, miners) = watch::channel([target].into());
    proxy::run(asker, miners, limits, listener, shutdown).await.map_err(|error| match error {
        ProxyError::NotLoopback(_) => Failure::new(Exit::Config, error),
    })
}

async fn look_up(args: &Proxy, uid: Uid) -> Result<Target, Failure> {
    let chain = connect(&args.chain, None).await?;
    let state = chain.subnet(args.netuid).await.map_err(chain_failure)?;
    let neuron =
        state.metagraph.neuron(uid).ok_or_else(|| Failure::config(format!("there is no uid {uid}")))?;
    let axon =
        neuron.axon.ok_or_else(|| Failure::new(Exit::Unavailable, format!("uid {uid} published no axon")))?;
    Ok(Target { address: axon.address(), hotkey: neuron.hotkey })
}
