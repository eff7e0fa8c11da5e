//! What benches of serving share: development keys, a miner on loopback with a chain in memory, and a listener for bare tonic.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use futures::stream::{self, Stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_chain::testing::{FakeChain, neuron};
use weighhouse_miner::engine::Catalogue;
use weighhouse_miner::server::{self, Parts};
use weighhouse_miner::{Config, Live, MinerError};
use weighhouse_seams::{Clock, CpuPool, DirStorage, Entropy, Listener as _, SystemClock, TcpBound};
use weighhouse_wallet::keypair::Keypair;

pub(crate) fn key(uri: &str) -> anyhow::Result<Arc<Keypair>> {
    Ok(Arc::new(Keypair::from_uri(uri).context("a development key")?))
}

/// Connections to a listener, as tonic takes them.
pub(crate) fn incoming(listener: TcpListener) -> impl Stream<Item = std::io::Result<TcpStream>> {
    stream::unfold(listener, |listener| async {
        let accepted = async {
            let (io, _) = listener.accept().await?;
            io.set_nodelay(true)?;
            std::io::Result::Ok(io)
        };
        Some((accepted.await, listener))
    })
}

/// Starts a miner that admits `caller` as often as it asks, and waits until it is ready. `tables` are those of its
/// configuration besides, models among them.
pub(crate) async fn miner(
    serving: &mut JoinSet<anyhow::Result<()>>,
    dir: &Path,
    keypair: Arc<Keypair>,
    caller: &Keypair,
    tables: &str,
    models: impl FnOnce(&Config, &CpuPool, &Arc<dyn Clock>) -> anyhow::Result<Catalogue>,
) -> anyhow::Result<SocketAddr> {
    let config = Config::parse(&format!(
        "wallet = {{ name = 'w', hotkey = 'h' }}\nchain = {{ netuid = 1 }}\n\
         [admission]\nallow = ['{}']\nrequests_per_second = 100000\nburst = 100000\n{tables}",
        caller.hotkey()
    ))?;
    let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await?;
    let address = listener.local_addr();
    let waiting = config.limits.unproven_max + config.limits.in_flight_max;
    let (clock, cpu): (Arc<dyn Clock>, _) = (Arc::new(SystemClock::new()), CpuPool::new(2, waiting));
    let models = models(&config, &cpu, &clock)?;
    let ready = watch::Sender::new(false);
    let mut is_ready = ready.subscribe();
    let parts = Parts {
        live: Live::new(models, &config, &clock),
        config,
        chain: FakeChain::new(vec![neuron(0, keypair.hotkey(), 0, false)]),
        keypair,
        listener: Box::new(listener),
        clock,
        storage: Arc::new(DirStorage::open(dir)?),
        entropy: Entropy::system(),
        cpu,
        ready,
        shutdown: CancellationToken::new(),
    };
    serving.spawn(async move { server::run(parts).await.map_err(|error: MinerError| error.into()) });
    is_ready.wait_for(|ready| *ready).await?;
    Ok(address)
}
