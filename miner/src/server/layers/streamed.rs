//! A streamed answer's place among the requests in flight, held until its body has ended or was given up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use weighhouse_seams::Clock;

use super::InFlight;
use crate::metrics;

pub(super) struct HeldPlace {
    inner: Body,
    method: &'static str,
    begun: Duration,
    clock: Arc<dyn Clock>,
    /// Status that it ended with; a body that is dropped before was given up by its caller.
    code: Code,
    _place: InFlight,
}

impl HeldPlace {
    pub(super) fn hold(
        answer: Response<Body>,
        method: &'static str,
        begun: Duration,
        clock: Arc<dyn Clock>,
        place: InFlight,
    ) -> Response<Body> {
        answer.map(|inner| {
            Body::new(Self { inner, method, begun, clock, code: Code::Cancelled, _place: place })
        })
    }
}

impl HttpBody for HeldPlace {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.code = code_of(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn code_of(trailers: &HeaderMap) -> Code {
    Status::from_header_map(trailers).map_or(Code::Unknown, |status| status.code())
}

impl Drop for HeldPlace {
    fn drop(&mut self) {
        metrics::request(self.method, self.code, self.clock.monotonic().saturating_sub(self.begun));
    }
}
