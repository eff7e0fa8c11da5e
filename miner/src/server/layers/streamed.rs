//! A streamed answer's place among the requests in flight, held until its body has ended or was given up, or its time is over.
//! What ends the body before is told with a status.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::{Code, Status};

use super::InFlight;

/// Gives the status of what ends a body from without.
pub(super) type Ending = Pin<Box<dyn Future<Output = Status> + Send>>;

pub(super) struct HeldPlace {
    inner: Body,
    in_flight: InFlight,
    ending: Ending,
    is_cut: bool,
    /// Ends with the body. Nothing polls a body whose caller takes nothing, so that it can't watch the time itself.
    _watch: JoinSet<()>,
}

impl HeldPlace {
    pub(super) fn hold(
        answer: Response<Body>,
        in_flight: InFlight,
        longest: Duration,
        ending: Ending,
    ) -> Response<Body> {
        let (place, clock) = (in_flight.place.clone(), in_flight.clock.clone());
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            clock.sleep(longest).await;
            place.give_back();
        });
        answer.map(|inner| Body::new(Self { inner, in_flight, ending, is_cut: false, _watch: watch }))
    }
}

impl HttpBody for HeldPlace {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_cut {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) else {
            let status = ready!(self.ending.as_mut().poll(context));
            self.is_cut = true;
            self.in_flight.code = status.code();
            let mut trailers = HeaderMap::new();
            let told = status.add_header(&mut trailers);
            return Poll::Ready(Some(told.map(|()| Frame::trailers(trailers))));
        };
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.in_flight.code = code_of(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_cut || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn code_of(trailers: &HeaderMap) -> Code {
    Status::from_header_map(trailers).map_or(Code::Unknown, |status| status.code())
}
