//! Looks at the servers behind, for as long as the miner serves.

use std::time::Duration;

use futures::future::join_all;
use weighhouse_seams::ClockExt as _;

use super::{Upstream, Upstreams};
use crate::backend::BackendError;
use crate::engine::{Catalogue, Engine, EngineError};

/// Time between one look and the next.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Looks at all of them, for ever. One that leaves a look unanswered for `silence` and is otherwise not heard of either
/// hangs; a busy one is slow at most.
pub(crate) async fn watch(models: Catalogue, upstreams: Upstreams, silence: Duration) {
    let each = models.engines().iter().filter_map(|engine| {
        let upstream = upstreams.behind(&**engine)?;
        Some(watch_one(&**engine, upstream, silence))
    });
    join_all(each).await;
    // Models without a server behind need no watch.
    std::future::pending::<()>().await;
}

async fn watch_one(engine: &dyn Engine, upstream: &Upstream, silence: Duration) {
    loop {
        let begun = upstream.clock.monotonic();
        let trouble = match upstream.clock.timeout(silence, engine.look()).await {
            Ok(None) => return,
            Ok(Some(Ok(()))) => None,
            Ok(Some(Err(EngineError::Backend(error)))) => Some(error),
            Ok(Some(Err(error))) => Some(BackendError::Failed(error.to_string())),
            Err(_) if upstream.heard_since(begun) => None,
            Err(_) => Some(BackendError::Silent),
        };
        if upstream.note(trouble.as_ref()) {
            // A server that was away may have come back as another one.
            if let Err(error) = engine.prepare().await {
                tracing::warn!(model = upstream.model, %error, "the backend came back and can't be used");
            }
        }
        upstream.clock.sleep(LOOK_INTERVAL).await;
    }
}
