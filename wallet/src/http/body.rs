//! Bodies held whole: collected within a cap, a byte budget and a deadline.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body exceeds {max} bytes")]
    TooLarge { max: usize },
    #[error("all bodies together exceed their budget")]
    Budget,
    #[error("the body did not arrive within {0:?}")]
    Deadline(Duration),
    #[error("the body broke off: {0}")]
    Broken(BoxError),
}

/// A body's bytes, and the share of the budget that they hold while this lives.
#[derive(Debug)]
pub(crate) struct CollectedBody {
    pub(crate) bytes: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) held: Option<OwnedSemaphorePermit>,
}

/// Reads a body to its end, or until it exceeds `max` or the budget (a permit per byte); tells of bytes as they come.
pub(crate) async fn collect<B>(
    body: B,
    max: usize,
    budget: Option<Arc<Semaphore>>,
    reads: impl Fn(usize),
) -> Result<CollectedBody, BodyError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    // A length that is announced is refused before the first byte is read.
    if body.size_hint().lower() > max as u64 {
        return Err(BodyError::TooLarge { max });
    }
    let mut body = pin!(body);
    let mut gathered = BytesMut::new();
    let mut trailers = None;
    let mut held: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| BodyError::Broken(error.into()))?.into_data() {
            Ok(data) => {
                if data.len() > max - gathered.len() {
                    return Err(BodyError::TooLarge { max });
                }
                reads(data.len());
                if let Some(budget) = &budget {
                    let count = u32::try_from(data.len()).map_err(|_| BodyError::TooLarge { max })?;
                    let permit =
                        // Refused and not awaited: many bodies half read would otherwise wait for one another.
                        budget.clone().try_acquire_many_owned(count).map_err(|_| BodyError::Budget)?;
                    match &mut held {
                        Some(held) => held.merge(permit),
                        None => held = Some(permit),
                    }
                }
                gathered.extend_from_slice(&data);
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok(CollectedBody { bytes: gathered.freeze(), trailers, held })
}
