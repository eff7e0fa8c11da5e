//! Server-sent events: a page is told that something is new, and asks for what it shows.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, header};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use weighhouse_seams::{Clock, ClockExt as _};
use weighhouse_types::{Block, Epoch};

use crate::chain::ChainView;
use crate::economy::Economy;
use crate::folder::Folder;
use crate::limits::{HEARTBEAT, LOOK};

/// What a page would show, by what changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Turn {
    block: Option<Block>,
    epoch: Option<Epoch>,
    /// The newest file's epoch and size.
    journal: Option<(Epoch, u64)>,
    files: usize,
    /// Counts what a running economy told.
    economy: u64,
}

/// Looks at the folder and the chain again and again, and tells what changed.
pub(crate) async fn look(
    folder: Arc<Folder>,
    view: Option<watch::Receiver<ChainView>>,
    economy: Option<Economy>,
    clock: Arc<dyn Clock>,
    turns: watch::Sender<Turn>,
) {
    loop {
        // One receiver is the console's own: where no page follows, nobody is told.
        if turns.receiver_count() < 2 {
            clock.sleep(LOOK).await;
            continue;
        }
        let listing = folder.clone();
        let files = tokio::task::spawn_blocking(move || listing.list()).await;
        let files = files.ok().and_then(Result::ok).unwrap_or_default();
        let state = view.as_ref().and_then(|view| view.borrow().state.clone());
        let turn = Turn {
            block: state.as_ref().map(|state| state.head.number),
            epoch: state.as_ref().map(|state| state.schedule.epoch),
            journal: files.last().map(|file| (file.epoch, file.stamp.bytes)),
            files: files.len(),
            economy: economy.as_ref().map_or(0, |economy| economy.told().turn),
        };
        turns.send_if_modified(|told| std::mem::replace(told, turn) != turn);
        clock.sleep(LOOK).await;
    }
}

struct Stream {
    turns: watch::Receiver<Turn>,
    clock: Arc<dyn Clock>,
    _place: OwnedSemaphorePermit,
}

/// Events until the client goes, or its connection is too old.
pub(crate) fn stream_of(
    turns: watch::Receiver<Turn>,
    clock: Arc<dyn Clock>,
    place: OwnedSemaphorePermit,
    retry: Duration,
) -> Response {
    let mut stream = Stream { turns, clock, _place: place };
    // The state there is comes first.
    stream.turns.mark_changed();
    let first = format!("retry: {}\n\n", retry.as_millis());
    let events = stream::unfold((stream, Some(first)), |(mut stream, first)| async move {
        let text = match first {
            Some(first) => first,
            None => stream.next().await?,
        };
        Some((Ok::<_, Infallible>(Bytes::from(text)), (stream, None)))
    });
    let mut response = Response::new(Body::from_stream(events));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

impl Stream {
    async fn next(&mut self) -> Option<String> {
        match self.clock.timeout(HEARTBEAT, self.turns.changed()).await {
            // A comment: it shows that the other end is still there.
            Err(_) => Some(":\n\n".to_owned()),
            Ok(Err(_)) => None,
            Ok(Ok(())) => {
                let turn = *self.turns.borrow_and_update();
                let data = serde_json::to_string(&turn).unwrap_or_default();
                Some(format!("event: turn\ndata: {data}\n\n"))
            }
        }
    }
}
