//! Bodies held whole: collected within a cap, a byte budget and a deadline; and gRPC's message frames.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Bytes before a gRPC message: a compression flag and a big-endian length.
pub const FRAME_PREFIX_BYTES: usize = 5;

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
pub(crate) struct Collected {
    pub(crate) bytes: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) held: Option<OwnedSemaphorePermit>,
}

/// Reads a body to its end, or until it exceeds `max` or the budget (a permit per byte).
pub(crate) async fn collect<B>(
    body: B,
    max: usize,
    budget: Option<Arc<Semaphore>>,
) -> Result<Collected, BodyError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
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
                if let Some(budget) = &budget {
                    let count = u32::try_from(data.len()).map_err(|_| BodyError::TooLarge { max })?;
                    let permit =
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
    Ok(Collected { bytes: gathered.freeze(), trailers, held })
}

/// An uncompressed gRPC message as it goes over the wire. This is what a caller signs and hashes.
///
/// # Panics
///
/// On a message of 4 GiB or more, which gRPC cannot carry.
pub fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("a gRPC message is below 4 GiB");
    let mut framed = BytesMut::with_capacity(FRAME_PREFIX_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(message);
    framed.freeze()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("no whole gRPC message prefix")]
    Short,
    #[error("compressed messages are not accepted")]
    Compressed,
    #[error("the prefix promises {promised} bytes, {actual} follow")]
    Length { promised: u32, actual: usize },
}

/// The message in a body that holds exactly one uncompressed frame.
pub fn unframe(body: &Bytes) -> Result<Bytes, FrameError> {
    let (prefix, message) = body.split_first_chunk::<FRAME_PREFIX_BYTES>().ok_or(FrameError::Short)?;
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err(FrameError::Compressed);
    }
    let promised = u32::from_be_bytes(length);
    if usize::try_from(promised) != Ok(message.len()) {
        return Err(FrameError::Length { promised, actual: message.len() });
    }
    Ok(body.slice(FRAME_PREFIX_BYTES..))
}
