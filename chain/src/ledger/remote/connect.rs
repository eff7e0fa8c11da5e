//! The channel below a [`Remote`](super::Remote): names resolved, dialled through the caller's dialer, kept alive.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint, Uri};
use weighhouse_seams::{BoxIo, Clock, ClockExt as _, Dialer};

use crate::ChainError;

const DIAL_DEADLINE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const REQUESTS_AT_ONCE: usize = 32;
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// Dials when first used, and anew whenever the connection is gone.
pub(super) fn channel(
    url: &str,
    dialer: Arc<dyn Dialer>,
    clock: Arc<dyn Clock>,
) -> Result<Channel, ChainError> {
    let unusable = |why: &str| ChainError::Unreachable { endpoint: url.to_owned(), why: why.to_owned() };
    let uri: Uri = url.parse().map_err(|_| unusable("the address is no URL like http://host:port"))?;
    if uri.scheme_str() != Some("http") {
        return Err(unusable("the address doesn't start with http://"));
    }
    let (Some(host), Some(port)) = (uri.host(), uri.port_u16()) else {
        return Err(unusable("the address lacks a host or a port"));
    };
    // `Uri` keeps the brackets of an IPv6 address, which `IpAddr` doesn't parse.
    let host: Arc<str> = host.trim_start_matches('[').trim_end_matches(']').into();
    let connector = tower::service_fn(move |_: Uri| {
        let (host, dialer, clock) = (Arc::clone(&host), Arc::clone(&dialer), Arc::clone(&clock));
        async move {
            let dialled = clock.timeout(DIAL_DEADLINE, dial(&host, port, &*dialer)).await;
            dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(TokioIo::new)
        }
    });
    let endpoint = Endpoint::from(uri)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        // A connection that died in silence is noticed before the next request waits on it.
        .keep_alive_while_idle(true)
        .concurrency_limit(REQUESTS_AT_ONCE)
        .http2_max_header_list_size(HEADER_BYTES_MAX);
    Ok(endpoint.connect_with_connector_lazy(connector))
}

/// Tries a name's addresses in turn.
async fn dial(host: &str, port: u16, dialer: &dyn Dialer) -> io::Result<BoxIo> {
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => tokio::net::lookup_host((host, port)).await?.collect(),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in addresses {
        match dialer.dial(address).await {
            Ok(io) => return Ok(io),
            Err(error) => last = error,
        }
    }
    Err(last)
}
