use std::io;
use std::sync::Mutex;

use async_trait::async_trait;
use http_body_util::StreamBody;
use tokio::sync::mpsc;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse, ModelStreamInferResponse};
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

async fn answer(request: Request<Incoming>) -> Response<AnswerBody> {
    assert_eq!(request.uri().path(), MODEL_STREAM_INFER);
    assert!(request.headers().contains_key("x-bittensor-signature"), "{:?}", request.headers());
    let body = request.into_body().collect().await.expect("whole").to_bytes();
    let asked: ModelInferRequest = unframe(&body).expect("one message");
    let response = ModelInferResponse { id: asked.id, ..Default::default() };
    let piece = frame(&ModelStreamInferResponse { infer_response: Some(response), ..Default::default() });
    let status = |code: &'static str| {
        let mut map = HeaderMap::new();
        map.insert("grpc-status", HeaderValue::from_static(code));
        map.insert("grpc-message", HeaderValue::from_static("no%20such%20luck"));
        map
    };
    let (data, trailers) = match asked.model_name.as_str() {
        // Two messages in one piece of data.
        "good" => (Some(Bytes::from([&piece[..], &piece[..]].concat())), status("0")),
        "refused" => (None, status("3")),
        "midway" => (Some(piece), status("14")),
        "cut" => (Some(piece.slice(..piece.len() - 1)), status("0")),
        "large" => (Some(Bytes::from(vec![0xff; 8 << 10])), status("0")),
        other => panic!("{other}"),
    };
    Response::new(Either::Left(UnaryBody { data, trailers: Some(trailers) }))
}

struct Client {
    requests: mpsc::Sender<Sent>,
    answers: Incoming,
    read: Vec<u8>,
    _work: JoinSet<()>,
}

impl Client {
    /// A stream through a proxy of its own, which the client keeps open.
    async fn open() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let key = Keypair::from_uri("//Alice").expect("a key");
        let signer = Arc::new(Signer::new(Arc::new(key), clock.clone()));
        let asker = Asker { signer, dialer: Arc::new(Miner::default()), clock };
        let to = Target { address: ([127, 0, 0, 1], 1).into(), hotkey: Hotkey([7; 32]) };
        let limits = ProxyLimits { deadline: Duration::from_secs(30), body_bytes_max: 4 << 10 };
        let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = listener.local_addr();
        let mut work = JoinSet::new();
        work.spawn(async move {
            run(asker, to, limits, Box::new(listener), CancellationToken::new()).await.expect("runs");
        });
        let io = tokio::net::TcpStream::connect(address).await.expect("listens");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.expect("h2");
        work.spawn(async move { connection.await.expect("a clean end") });
        let (requests, sent) = mpsc::channel::<Sent>(8);
        let sent = futures::stream::unfold(sent, |mut sent| async { Some((sent.recv().await?, sent)) });
        let url = format!("http://{address}{MODEL_STREAM_INFER}");
        let request = Request::post(url).body(StreamBody::new(Box::pin(sent))).expect("a request");
        let response = sender.send_request(request).await.expect("begun");
        Self { requests, answers: response.into_body(), read: Vec::new(), _work: work }
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
    async fn end(self) -> HeaderValue {
        let Self { requests, mut answers, _work, .. } = self;
        drop(requests);
        loop {
            let frame = answers.frame().await.expect("a status").expect("good");
            if let Ok(trailers) = frame.into_trailers() {
                return trailers["grpc-status"].clone();
            }
        }
    }
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
        ("large", 0, "the answer is over the proxy's cap"),
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
    assert_eq!(client.end().await, "0");
}

#[tokio::test]
async fn a_message_that_is_cut_short_is_never_passed_on() {
    let mut client = Client::open().await;
    client.ask("cut", "a").await;
    assert_eq!(client.next().await, ("a".into(), "the miner's answer broke off".into()));
    assert_eq!(client.end().await, "0");
}

#[tokio::test]
async fn a_request_over_the_cap_ends_the_stream() {
    let client = Client::open().await;
    client
        .requests
        .send(Ok(Frame::data(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff]))))
        .await
        .expect("open");
    assert_eq!(client.end().await, "8");
}
