use std::future::{Ready, ready};
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, request};
use http_body_util::combinators::{UnsyncBoxBody, WithTrailers};
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Body as _, Frame};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse, ModelStreamInferResponse};
use weighhouse_proto::method::MODEL_INFER;
use weighhouse_seams::{BoxIo, Clock, Dialer, SystemClock, TcpBound};
use weighhouse_types::Hotkey;
use weighhouse_wallet::btauth::Signer;
use weighhouse_wallet::keypair::Keypair;

use super::*;
use crate::{frame, unframe};

type Sent = Result<Frame<Bytes>, Infallible>;

/// A miner behind pipes: what it does with a request stands in the request's model name.
#[derive(Debug, Default)]
struct Miner {
    connections: Mutex<JoinSet<()>>,
}

#[async_trait]
impl Dialer for Miner {
    async fn dial(&self, _: SocketAddr) -> io::Result<BoxIo> {
        let (near, far) = tokio::io::duplex(64 << 10);
        let serve = async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
            let _ =
                http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(far), service).await;
        };
        self.connections.lock().expect("not poisoned").spawn(serve);
        Ok(Box::new(near))
    }
}

/// Headers that end the response, or a message and its trailers.
type MinerBody =
    Either<Empty<Bytes>, WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>>;

async fn answer(request: Request<Incoming>) -> Response<MinerBody> {
    assert!(request.headers().contains_key("x-bittensor-signature"), "{:?}", request.headers());
    let body = request.into_body().collect().await.expect("whole").to_bytes();
    let asked: ModelInferRequest = unframe(&body).expect("one message");
    let response = ModelInferResponse { id: asked.id, ..Default::default() };
    let piece = frame(&ModelStreamInferResponse { infer_response: Some(response), ..Default::default() });
    let (data, code) = match asked.model_name.as_str() {
        // Two messages in one piece of data.
        "good" => (Bytes::from([&piece[..], &piece[..]].concat()), "0"),
        "refused" | "headers, then trailers" => (Bytes::new(), "3"),
        "midway" => (piece, "14"),
        "cut" => (piece.slice(..piece.len() - 1), "0"),
        "large" => (Bytes::from(vec![0xff; 8 << 10]), "0"),
        "html" => {
            let mut response = Response::new(Either::Left(Empty::new()));
            *response.status_mut() = http::StatusCode::BAD_GATEWAY;
            return response;
        }
        other => panic!("{other}"),
    };
    let mut status = HeaderMap::new();
    status.insert("grpc-status", HeaderValue::from_static(code));
    status.insert("grpc-message", HeaderValue::from_static("no%20such%20luck"));
    let mut response = Response::new(Either::Left(Empty::new()));
    if asked.model_name == "refused" {
        *response.headers_mut() = status;
    } else {
        *response.body_mut() = Either::Right(Full::new(data).with_trailers(ready(Some(Ok(status)))));
    }
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

type SentBody = UnsyncBoxBody<Bytes, Infallible>;

/// A connection to a proxy of its own.
struct Connected {
    sender: hyper::client::conn::http2::SendRequest<SentBody>,
    _work: JoinSet<()>,
}

impl Connected {
    async fn new() -> Self {
        let to = Target { address: ([127, 0, 0, 1], 1).into(), hotkey: Hotkey([7; 32]), pin: None };
        Self::with([to].into()).await
    }

    async fn with(miners: Arc<[Target]>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let key = Keypair::from_uri("//Alice").expect("a key");
        let signer = Arc::new(Signer::new(Arc::new(key), clock.clone()));
        let asker = Asker { signer, dialer: Arc::new(Miner::default()), clock };
        let limits = ProxyLimits { deadline: Duration::from_secs(30), body_bytes_max: 4 << 10 };
        let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = listener.local_addr();
        let mut work = JoinSet::new();
        work.spawn(async move {
            let (_miners, miners) = watch::channel(miners);
            run(asker, miners, limits, Box::new(listener), CancellationToken::new()).await.expect("runs");
        });
        let io = tokio::net::TcpStream::connect(address).await.expect("listens");
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.expect("h2");
        work.spawn(async move { connection.await.expect("a clean end") });
        Self { sender, _work: work }
    }

    async fn send(&mut self, request: Request<SentBody>) -> Response<Incoming> {
        self.sender.send_request(request).await.expect("begun")
    }

    /// A call that doesn't stream, of a request of this many bytes at least.
    async fn call(&mut self, model: &str, bytes: usize) -> Response<Incoming> {
        let message =
            ModelInferRequest { model_name: model.into(), id: "x".repeat(bytes), ..Default::default() };
        let body = Full::new(frame(&message)).boxed_unsync();
        self.send(Request::post(format!("http://proxy{MODEL_INFER}")).body(body).expect("a request")).await
    }
}

/// A stream that its client keeps open.
struct Client {
    requests: mpsc::Sender<Sent>,
    answers: Incoming,
    read: Vec<u8>,
    _connected: Connected,
}

impl Client {
    async fn open() -> Self {
        Self::open_with(|request| request).await
    }

    async fn open_with(change: impl FnOnce(request::Builder) -> request::Builder) -> Self {
        let mut connected = Connected::new().await;
        let (requests, sent) = mpsc::channel::<Sent>(8);
        let sent = futures::stream::unfold(sent, |mut sent| async { Some((sent.recv().await?, sent)) });
        let request = change(Request::post(format!("http://proxy{MODEL_STREAM_INFER}")));
        let body = StreamBody::new(sent).boxed_unsync();
        let response = connected.send(request.body(body).expect("a request")).await;
        Self { requests, answers: response.into_body(), read: Vec::new(), _connected: connected }
    }

    async fn ask(&self, model: &str, id: &str) {
        let message =
            ModelInferRequest { model_name: model.into(), id: id.into(), ..ModelInferRequest::default() };
        self.requests.send(Ok(Frame::data(frame(&message)))).await.expect("open");
    }

    /// The next answer's id and error message.
    async fn next(&mut self) -> (String, String) {
        loop {
            if let Some(length) = self.read.get(1..5) {
                let length = 5 + u32::from_be_bytes(length.try_into().expect("four")) as usize;
                if self.read.len() >= length {
                    let framed: Vec<u8> = self.read.drain(..length).collect();
                    let message: ModelStreamInferResponse = unframe(&framed).expect("a message");
                    return (message.infer_response.expect("about a request").id, message.error_message);
                }
            }
            let frame = self.answers.frame().await.expect("open").expect("good");
            self.read.extend_from_slice(&frame.into_data().expect("no end yet"));
        }
    }

    /// Ends the client's side and reads the status.
    async fn end(self) -> (HeaderValue, Option<HeaderValue>) {
        let Self { requests, answers, _connected, .. } = self;
        drop(requests);
        status_of(answers).await
    }
}

/// The status behind a body's messages.
async fn status_of(body: Incoming) -> (HeaderValue, Option<HeaderValue>) {
    let trailers = body.collect().await.expect("good").trailers().cloned().expect("a status");
    (trailers["grpc-status"].clone(), trailers.get("grpc-message").cloned())
}

fn text(status: (HeaderValue, Option<HeaderValue>)) -> (String, String) {
    let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
    (text(&status.0), status.1.as_ref().map(text).unwrap_or_default())
}

#[tokio::test]
async fn a_refusal_of_a_call_is_headers_that_end_the_stream() {
    let mut client = Connected::new().await;
    let cases = [
        ("refused", 0, "3", "no%20such%20luck"),
        ("headers, then trailers", 0, "3", "no%20such%20luck"),
        ("large", 0, "8", "the%20message%20is%20over%20the%20proxy's%20cap"),
        ("good", 5 << 10, "8", "the%20message%20is%20over%20the%20proxy's%20cap"),
        ("html", 0, "14", "the%20miner's%20address%20answers%20with%20HTTP%20status%20502%20Bad%20Gateway"),
    ];
    for (model, bytes, status, message) in cases {
        let response = client.call(model, bytes).await;
        // Without a data frame behind the headers: clients of grpc-core would read one as a broken stream.
        assert!(response.body().is_end_stream(), "{model}");
        assert_eq!(response.headers()["grpc-status"], status, "{model}");
        let said = response.headers()["grpc-message"].to_str().expect("text");
        assert!(said.starts_with(message), "{model}: {said}");
        assert_eq!(response.headers()["content-type"], "application/grpc");
    }
}

#[tokio::test]
async fn a_call_while_no_miner_is_known_is_refused() {
    let response = Connected::with([].into()).await.call("good", 0).await;
    assert!(response.body().is_end_stream());
    assert_eq!(response.headers()["grpc-status"], "14");
}

#[tokio::test]
async fn an_answer_and_a_failure_behind_one_have_their_status_in_the_trailers() {
    let mut client = Connected::new().await;
    for (model, expected) in [("good", "0"), ("midway", "14")] {
        let response = client.call(model, 0).await;
        assert!(!response.headers().contains_key("grpc-status"), "{model}");
        let status = text(status_of(response.into_body()).await);
        assert_eq!(status, (expected.to_owned(), "no%20such%20luck".to_owned()));
    }
}

#[tokio::test]
async fn a_failed_request_ends_the_stream_of_a_client_that_asks_for_it() {
    let client = Client::open_with(|request| request.header("triton_grpc_error", "true")).await;
    client.ask("refused", "a").await;
    // The client keeps its side open; the status comes all the same.
    let Client { requests, answers, _connected, .. } = client;
    assert_eq!(text(status_of(answers).await), ("3".to_owned(), "no such luck".replace(' ', "%20")));
    drop(requests);
}

#[tokio::test]
async fn each_message_of_a_stream_is_asked_by_itself_and_the_stream_goes_on() {
    let mut client = Client::open().await;
    let good = |id: &str| (id.to_owned(), String::new());
    client.ask("good", "a").await;
    assert_eq!([client.next().await, client.next().await], [good("a"), good("a")]);
    let cases = [
        ("refused", 0, "the miner answered with status 3: no such luck"),
        ("midway", 1, "the miner answered with status 14: no such luck"),
        ("large", 0, "the message is over the proxy's cap"),
    ];
    for (model, before, expected) in cases {
        client.ask(model, model).await;
        for _ in 0..before {
            assert_eq!(client.next().await, good(model));
        }
        assert_eq!(client.next().await, (model.to_owned(), expected.to_owned()));
    }
    for id in ["b", "c", "d"] {
        client.ask("good", id).await;
    }
    let mut found = Vec::new();
    for _ in 0..6 {
        found.push(client.next().await);
    }
    found.sort();
    assert_eq!(found, ["b", "b", "c", "c", "d", "d"].map(good));
    assert_eq!(text(client.end().await).0, "0");
}

#[tokio::test]
async fn a_message_that_is_cut_short_is_never_passed_on() {
    let mut client = Client::open().await;
    client.ask("cut", "a").await;
    assert_eq!(client.next().await, ("a".into(), "the miner's answer broke off".into()));
    assert_eq!(text(client.end().await).0, "0");
}

#[tokio::test]
async fn a_request_over_the_cap_ends_the_stream() {
    let client = Client::open().await;
    client
        .requests
        .send(Ok(Frame::data(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff]))))
        .await
        .expect("open");
    let expected = ("8".to_owned(), "the%20message%20is%20over%20the%20proxy's%20cap".to_owned());
    assert_eq!(text(client.end().await), expected);
}
