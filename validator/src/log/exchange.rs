//! Comparing what witnesses have signed: a log that shows two records to two witnesses is found out by the first that hears of both.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tracing::debug;
use weighhouse_ask::witness::newest;
use weighhouse_ask::{Asker, ProxyLimits};
use weighhouse_seams::CpuPool;
use weighhouse_types::LogPlace;

use super::book::WitnessBook;
use super::gather::Peer;
use super::service::NEWEST_LOGS_MAX;

const AT_ONCE: usize = 32;
const LIMITS: ProxyLimits = ProxyLimits { deadline: Duration::from_secs(3), body_bytes_max: 4 << 20 };

/// Asks every peer for the newest checkpoints that it has signed, and compares them with ours; gives the number of forks.
pub(crate) async fn exchange(
    asker: &Asker,
    book: &Arc<WitnessBook>,
    cpu: &CpuPool,
    place: LogPlace,
    peers: Vec<Peer>,
) -> usize {
    let asking = stream::iter(peers).map(|peer| {
        let asker = asker.clone();
        async move { newest(&asker, peer.target, (place.netuid, place.mechanism), LIMITS).await }
    });
    let told: Vec<_> = asking.buffer_unordered(AT_ONCE).collect().await;
    let mut forks = 0;
    for reply in told {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                debug!(%error, "a witness doesn't say what it has signed");
                continue;
            }
        };
        let book = book.clone();
        let comparing = cpu.run(move || {
            let logs = reply.logs.iter().take(NEWEST_LOGS_MAX);
            let compared = logs.map(|(key, note)| book.compare(&reply.witness, (key, note)));
            // What can't be read proves nothing about anybody.
            compared.filter(|found| matches!(found, Ok(true))).count()
        });
        forks += comparing.await.unwrap_or_default();
    }
    forks
}
