//! A judge of these tests, served for real.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, async_trait};
use weighhouse_proto::inference::ModelInferRequest;
use weighhouse_proto::v1;
use weighhouse_proto::v1::judge_service_server::{JudgeService, JudgeServiceServer};
use weighhouse_types::Digest;

use super::super::JudgeAddress;

pub(super) const PINNED: Digest = Digest([9; 32]);

/// Behaviour of a judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Runs other files.
    Other,
    /// Never answers.
    Asleep,
    /// Ends a judgement with an exception.
    Failing,
    /// Leaves a verdict out.
    Counting,
    /// Gives a mark to what it finds wrong.
    Praising,
    /// Gives a mark above the full one.
    Excessive,
    /// Gives no outcome.
    Silent,
}

pub(super) struct Served {
    pub(super) address: JudgeAddress,
    pub(super) draws: Arc<AtomicUsize>,
    /// Questions in the largest call so far.
    pub(super) largest: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    /// Holds a socket.
    _folder: Option<TempDir>,
}

impl Served {
    pub(super) async fn tcp(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = JudgeAddress::Loopback(listener.local_addr().expect("bound"));
        Self::serve(mood, address, None, TcpListenerStream::new(listener))
    }

    pub(super) async fn unix(mood: Mood) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("judge.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        Self::serve(mood, JudgeAddress::Unix(path), Some(folder), UnixListenerStream::new(listener))
    }

    /// A balancer that ends TLS in front of a judge.
    pub(super) async fn tls(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let chain = CertificateDer::pem_slice_iter(include_bytes!("../../../testdata/tls/server.pem"));
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../../testdata/tls/server.key"));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain.collect::<Result<_, _>>().expect("a chain"), key.expect("a key"))
            .expect("a pair");
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let behind = Self::tcp(mood).await;
        let JudgeAddress::Loopback(plain) = behind.address else { unreachable!("served over TCP") };
        tokio::spawn(async move {
            while let Ok((io, _)) = listener.accept().await {
                // A client that hangs up during the handshake is not this server's end.
                let Ok(mut io) = acceptor.accept(io).await else { continue };
                let mut judge = TcpStream::connect(plain).await.expect("a judge");
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut io, &mut judge).await });
            }
        });
        Self { address: JudgeAddress::Tls { host: "localhost".into(), port }, ..behind }
    }

    fn serve<S, I>(mood: Mood, address: JudgeAddress, folder: Option<TempDir>, incoming: S) -> Self
    where
        S: futures::Stream<Item = std::io::Result<I>> + Send + 'static,
        I: tokio::io::AsyncRead
            + tokio::io::AsyncWrite
            + tonic::transport::server::Connected
            + Unpin
            + Send
            + 'static,
    {
        let (draws, largest) = (Arc::default(), Arc::default());
        let judge = Judge { mood, draws: Arc::clone(&draws), largest: Arc::clone(&largest) };
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let server = Server::builder().add_service(JudgeServiceServer::new(judge));
            let ended = async move { drop(stopped.await) };
            server.serve_with_incoming_shutdown(incoming, ended).await.expect("served");
        });
        Self { address, draws, largest, serving, stop, _folder: folder }
    }

    pub(super) async fn stop(self) {
        drop(self.stop);
        self.serving.await.expect("no panic");
    }
}

struct Judge {
    mood: Mood,
    draws: Arc<AtomicUsize>,
    largest: Arc<AtomicUsize>,
}

impl Judge {
    fn verdict(&self, attempt: &v1::Attempt) -> v1::Verdict {
        let mark = i32::from(attempt.testimony.first().copied().unwrap_or_default());
        let (mark_billionths, outcome) = match self.mood {
            Mood::Praising => (1, v1::Outcome::Wrong),
            Mood::Excessive => (1_000_000_001, v1::Outcome::Accepted),
            Mood::Silent => (0, v1::Outcome::Unspecified),
            _ => (mark, v1::Outcome::Accepted),
        };
        v1::Verdict { mark_billionths, outcome: outcome.into(), text: String::new() }
    }
}

#[async_trait]
impl JudgeService for Judge {
    async fn describe(
        &self,
        _: Request<v1::JudgeServiceDescribeRequest>,
    ) -> Result<Response<v1::JudgeServiceDescribeResponse>, Status> {
        if self.mood == Mood::Asleep {
            std::future::pending::<()>().await;
        }
        let digest = if self.mood == Mood::Other { [8; 32] } else { PINNED.0 };
        Ok(Response::new(v1::JudgeServiceDescribeResponse {
            protocol: 1,
            version: 2,
            digest: digest.to_vec(),
            exchanges: 1,
            limits: Some(v1::JudgeLimits {
                challenges_max: 3,
                attempts_max: 3,
                together_max: 5,
                message_bytes_max: 1 << 20,
            }),
            ..Default::default()
        }))
    }

    async fn draw(&self, request: Request<v1::DrawRequest>) -> Result<Response<v1::DrawResponse>, Status> {
        let v1::DrawRequest { items, seeds, .. } = request.into_inner();
        self.draws.fetch_add(1, Ordering::Relaxed);
        self.largest.fetch_max(seeds.len(), Ordering::Relaxed);
        let draw = |seed: v1::Seed| {
            let question = Some(ModelInferRequest::default());
            v1::Challenge { question, secret: seed.seed, items }
        };
        Ok(Response::new(v1::DrawResponse { challenges: seeds.into_iter().map(draw).collect() }))
    }

    async fn testify(
        &self,
        request: Request<v1::TestifyRequest>,
    ) -> Result<Response<v1::TestifyResponse>, Status> {
        let testimonies = request.into_inner().attempts.into_iter().map(|it| it.testimony).collect();
        Ok(Response::new(v1::TestifyResponse { testimonies }))
    }

    async fn resolve(
        &self,
        request: Request<v1::ResolveRequest>,
    ) -> Result<Response<v1::ResolveResponse>, Status> {
        let v1::ResolveRequest { challenges, epochs, seeds, .. } = request.into_inner();
        let resolve = |(challenge, seed): (v1::Challenge, Vec<u8>)| {
            assert_eq!(challenge.secret.first(), seed.first(), "each challenge with its own seed");
            let is_known = challenge.secret.first() == Some(&0);
            v1::Resolution { truth: is_known.then(|| vec![epochs as u8, seed[31]]) }
        };
        let resolutions = challenges.into_iter().zip(seeds).map(resolve).collect();
        Ok(Response::new(v1::ResolveResponse { resolutions }))
    }

    async fn judge(&self, request: Request<v1::JudgeRequest>) -> Result<Response<v1::JudgeResponse>, Status> {
        if self.mood == Mood::Failing {
            return Err(Status::internal("ZeroDivisionError: division by zero"));
        }
        let attempts = request.into_inner().attempts;
        self.largest.fetch_max(attempts.len(), Ordering::Relaxed);
        let mut verdicts: Vec<_> = attempts.iter().map(|attempt| self.verdict(attempt)).collect();
        if self.mood == Mood::Counting {
            verdicts.pop();
        }
        Ok(Response::new(v1::JudgeResponse { verdicts }))
    }

    async fn judge_together(
        &self,
        request: Request<v1::JudgeTogetherRequest>,
    ) -> Result<Response<v1::JudgeTogetherResponse>, Status> {
        let attempts = request.into_inner().attempts;
        let verdicts: Vec<_> = attempts.iter().map(|attempt| self.verdict(attempt)).collect();
        let last = verdicts.len() as u32 - 1;
        let alike = vec![v1::AlikeAttempts { attempts: vec![0, last] }];
        Ok(Response::new(v1::JudgeTogetherResponse { verdicts, alike }))
    }
}
