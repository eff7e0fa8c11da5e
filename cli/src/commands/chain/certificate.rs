//! `weighhouse chain certificate`: what a client that believes certificates needs to call a neuron.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use weighhouse_chain::certificate::to_pin;
use weighhouse_seams::{ClockExt as _, Dialer as _, SystemClock, TcpDialer};
use weighhouse_types::{Netuid, Uid, address};

use super::Endpoint;
use crate::commands::{chain_failure, connect};
use crate::failure::{Context as _, Exit, Failure};
use crate::output;

/// For the connection and its handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fetch a neuron's certificate of TLS, checked against the key that it has published
///
/// The chain holds a key alone. Clients that believe certificates, such as those of grpc-core, take this one as their root
/// and its server name in place of the address's.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse chain certificate --uid 17 > axon.pem
  weighhouse chain certificate --uid 17 --json
  # Python: grpc.secure_channel(address, grpc.ssl_channel_credentials(pem),
  #             options=[(\"grpc.ssl_target_name_override\", server_name)])")]
pub(crate) struct Certificate {
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// The neuron
    #[arg(long)]
    uid: Uid,
    /// Dial this address in place of the axon's
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    address: Option<SocketAddr>,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Certificate) -> Result<(), Failure> {
    let chain = connect(&args.endpoint.address, args.endpoint.genesis_hash).await?;
    let state = chain.subnet(args.netuid).await.map_err(chain_failure)?;
    let missing = |what: &str| Failure::new(Exit::Missing, format!("uid {} {what}", args.uid));
    let neuron = state.metagraph.neuron(args.uid).ok_or_else(|| missing("isn't registered"))?;
    let published = chain.certificate(args.netuid, neuron.hotkey).await.map_err(chain_failure)?;
    let pin = published.as_ref().and_then(to_pin).ok_or_else(|| missing("has published no key of TLS"))?;
    let axon = neuron.axon.map(|axon| axon.address());
    let address = args.address.or(axon).ok_or_else(|| missing("has published no axon"))?;
    let fetching = async { pin.certificate(TcpDialer.dial(address).await?).await };
    let fetched = SystemClock::new().timeout(PATIENCE, fetching).await;
    let certificate = fetched
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        .exit(Exit::Unavailable, format!("{address} shows no certificate of the published key"))?;
    let name = pin.server_name();
    if args.json {
        let told = serde_json::json!({
            "hotkey": neuron.hotkey, "address": address, "server_name": name, "certificate": certificate,
        });
        return Ok(output::json(&told)?);
    }
    output::note(format!("server name {name}, address {address}"));
    Ok(output::line(certificate.trim_end())?)
}
