//! Looks at the servers behind, for as long as the miner serves.

use std::time::Duration;

use futures::future::join_all;
use weighhouse_seams::ClockExt as _;

use super::{Upstream, Upstreams};
use crate::backend::BackendError;
use crate::engine::{Catalogue, Engine, EngineError};

/// Time between one look and the next.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// The longest that a server is given which was busy before.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Looks at all of them, for ever. One that leaves a look unanswered for `silence` and is otherwise not heard of either
/// hangs; a busy one is slow at most. One that comes back by itself was busy with an answer, as servers are that compute on
/// the thread that listens: it is given twice the time from then on.
pub(crate) async fn watch(models: Catalogue, upstreams: Upstreams, silence: Duration) {
    let each = models.engines().iter().filter_map(|engine| {
        let upstream = upstreams.behind(&**engine)?;
        Some(watch_one(&**engine, upstream, silence))
    });
    join_all(each).await;
    // Models without a server behind need no watch.
    std::future::pending::<()>().await;
}

async fn watch_one(engine: &dyn Engine, upstream: &Upstream, configured: Duration) {
    let mut silence = configured;
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
        if matches!(trouble, Some(BackendError::Unreachable(_))) {
            // It is started anew, perhaps as another one.
            silence = configured;
        }
        let was_silent = upstream.is_silent();
        if upstream.note(trouble.as_ref()) {
            if was_silent && silence < SILENCE_MAX {
                silence = (silence * 2).min(SILENCE_MAX);
                tracing::info!(
                    model = upstream.model,
                    "the backend was busy: only when it is silent for {} s is it taken for stopped from now on; \
                     text.silence_timeout sets this at the start",
                    silence.as_secs_f32()
                );
            }
            // A server that was away may have come back as another one.
            if let Err(error) = engine.prepare().await {
                tracing::warn!(model = upstream.model, %error, "the backend came back and can't be used");
            }
        }
        upstream.clock.sleep(LOOK_INTERVAL).await;
    }
}
