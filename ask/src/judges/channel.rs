//! The channel to one judge: dialled through the caller's dialer, kept alive, made anew when it breaks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint, Uri};
use weighhouse_seams::{BoxIo, Clock, ClockExt as _, Dialer, TlsTrust};

use super::address::JudgeAddress;

const DIAL_DEADLINE: Duration = Duration::from_secs(5);
// Pings go out while a call is open: a host that vanished is noticed in 15 s, whatever the task's deadline.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings that every judge is dialled with.
#[derive(Clone, Debug)]
pub struct JudgeDialing {
    pub dialer: Arc<dyn Dialer>,
    pub clock: Arc<dyn Clock>,
    /// For addresses that begin with `https://`.
    pub trust: Option<TlsTrust>,
}

/// Dials when first used, and anew whenever the connection is gone.
pub(super) fn channel(address: &JudgeAddress, dialing: &JudgeDialing) -> Channel {
    let (address, dialing) = (address.clone(), dialing.clone());
    let authority = match &address {
        // `http` under TLS too: the connector below makes the handshake,
        // and tonic must not start one of its own.
        JudgeAddress::Tls { host, port } => format!("http://{host}:{port}"),
        JudgeAddress::Loopback(_) | JudgeAddress::Unix(_) => "http://localhost".to_owned(),
    };
    // An IPv6 host makes no URI without its brackets;
    // the name is only a header, the connector has the address.
    let uri = Uri::try_from(authority).unwrap_or_else(|_| Uri::from_static("http://localhost"));
    let connector = tower::service_fn(move |_: Uri| {
        let (address, dialing) = (address.clone(), dialing.clone());
        async move {
            let dialled = dialing.clock.timeout(DIAL_DEADLINE, dial(&address, &dialing)).await;
            dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(TokioIo::new)
        }
    });
    Endpoint::from(uri)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .connect_with_connector_lazy(connector)
}

async fn dial(address: &JudgeAddress, dialing: &JudgeDialing) -> io::Result<BoxIo> {
    match address {
        JudgeAddress::Loopback(address) => dialing.dialer.dial(*address).await,
        JudgeAddress::Unix(path) => dialing.dialer.dial_unix(path).await,
        JudgeAddress::Tls { host, port } => {
            let trust = dialing.trust.as_ref().ok_or_else(|| io::Error::other("no authority is trusted"))?;
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), *port)).await?.collect();
            let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
            for address in addresses {
                match dialing.dialer.dial(address).await {
                    Ok(io) => return trust.secure(host, io).await,
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}
