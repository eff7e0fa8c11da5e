//! Whole answers, in the two forms that gRPC has for them: a message with the status behind it, or a status alone.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming};
use tonic::Status;
use weighhouse_types::Failure;

use crate::asker::{Asker, Target};
use crate::call::CallError;

/// Headers that belong to a status, wherever it stands.
const STATUS_HEADERS: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];
/// Headers that change how a message is framed or how long it may take; all others of a client stay here.
const REQUEST_HEADERS: [&str; 3] = ["grpc-timeout", "grpc-encoding", "grpc-accept-encoding"];

/// Signs a client's request, sends it, and gives the miner's answer back.
pub(super) async fn relay(
    asker: &Asker,
    to: Target,
    cap: usize,
    request: Request<Incoming>,
) -> Result<Response<UnaryBody>, CallError> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let body = Limited::new(body, cap).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Failure::Oversized } else { Failure::Unreachable }
    })?;
    let mut extra = HeaderMap::new();
    for name in REQUEST_HEADERS {
        if let Some(value) = head.headers.get(name) {
            extra.insert(name, value.clone());
        }
    }
    let response = asker.send(to, &path, extra, body.to_bytes(), cap).await?;
    let (parts, framed, trailers) = response.collect(cap).await?;
    CallError::check_head(parts.status, &parts.headers)?;
    answer(parts.headers, framed, trailers)
}

/// Puts an answer into gRPC's form, whichever its miner chose: clients of grpc-core take a status among the headers only
/// where the headers end the stream.
pub(super) fn answer(
    mut headers: HeaderMap,
    framed: Bytes,
    mut trailers: HeaderMap,
) -> Result<Response<UnaryBody>, CallError> {
    // The length is the body's own.
    headers.remove(http::header::CONTENT_LENGTH);
    for name in STATUS_HEADERS {
        if let Some(value) = headers.remove(name)
            && !trailers.contains_key(name)
        {
            trailers.insert(name, value);
        }
    }
    if !trailers.contains_key("grpc-status") {
        return Err(CallError::BrokenOff);
    }
    let body = if framed.is_empty() {
        headers.extend(trailers);
        UnaryBody::default()
    } else {
        UnaryBody { data: Some(framed), trailers: Some(trailers) }
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    Ok(response)
}

/// A status without a message.
pub(super) fn refusal(status: Status) -> Response<UnaryBody> {
    status.into_http()
}

/// One data frame and the trailers after it, or neither: then the headers end the stream.
#[derive(Debug, Default)]
pub(super) struct UnaryBody {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for UnaryBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).parse().expect("a name"), value.parse().expect("a value")))
            .collect()
    }

    const KIND: (&str, &str) = ("content-type", "application/grpc");
    const REFUSED: [(&str, &str); 2] = [("grpc-status", "5"), ("grpc-message", "no%20model")];

    #[tokio::test]
    async fn a_status_without_a_message_ends_the_stream_with_the_headers() {
        let trailers_only = (headers(&[KIND, REFUSED[0], REFUSED[1]]), HeaderMap::new());
        let behind_headers = (headers(&[KIND, ("content-length", "0")]), headers(&REFUSED));
        for (head, trailers) in [trailers_only, behind_headers] {
            let response = answer(head, Bytes::new(), trailers).expect("a status");
            assert!(response.body().is_end_stream());
            assert_eq!(*response.headers(), headers(&[KIND, REFUSED[0], REFUSED[1]]));
        }
        let response = refusal(CallError::Late.status());
        assert!(response.body().is_end_stream());
        assert_eq!(response.headers()["grpc-status"], "4");
        assert_eq!(response.headers()["grpc-message"], "the%20miner%20did%20not%20answer%20in%20time");
    }

    #[tokio::test]
    async fn a_message_comes_before_its_status() {
        let good = ("grpc-status", "0");
        for (head, trailers) in [
            (headers(&[KIND]), headers(&[good, ("weighhouse-model", "00")])),
            (headers(&[KIND, good]), headers(&[("weighhouse-model", "00")])),
        ] {
            let response = answer(head, Bytes::from_static(b"framed"), trailers).expect("a status");
            assert_eq!(*response.headers(), headers(&[KIND]));
            let mut body = response.into_body();
            assert!(!body.is_end_stream());
            let data = body.frame().await.expect("data").expect("infallible").into_data().expect("data");
            assert_eq!(data, "framed");
            assert!(!body.is_end_stream(), "the trailers would not be sent");
            let frame = body.frame().await.expect("trailers").expect("infallible");
            assert_eq!(
                frame.into_trailers().expect("trailers"),
                headers(&[good, ("weighhouse-model", "00")])
            );
            assert!(body.is_end_stream() && body.frame().await.is_none());
        }
    }

    #[test]
    fn an_answer_without_a_status_is_a_broken_one() {
        let broken = answer(headers(&[KIND]), Bytes::from_static(b"framed"), HeaderMap::new());
        assert!(matches!(broken, Err(CallError::BrokenOff)));
    }
}
