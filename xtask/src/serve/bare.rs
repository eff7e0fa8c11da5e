//! What somebody writes who needs signed requests and answers, and nothing else: tonic, with a verification before each
//! call and a signature behind it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::Connected;
use tower::{Layer, Service};
use weighhouse_proto::inference::model_infer_response::InferOutputTensor;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse};
use weighhouse_proto::testing::{FakeInference, service};
use weighhouse_seams::{BoxIo, Plaintext, TlsAcceptor, TlsKey};
use weighhouse_types::Digest;
use weighhouse_wallet::answer::{AnswerSignature, answer_digest, trailer};
use weighhouse_wallet::btauth::Claims;
use weighhouse_wallet::keypair::Keypair;

use crate::loopback::incoming;

pub(super) async fn start(
    serving: &mut JoinSet<anyhow::Result<()>>,
    keypair: Arc<Keypair>,
    tls: Option<&TlsKey>,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tonic::transport::Server::builder().layer(Signing(keypair)).add_service(service(Echo));
    let Some(key) = tls else {
        serving.spawn(async move { Ok(server.serve_with_incoming(incoming(listener)).await?) });
        return Ok(address);
    };
    let acceptor = TlsAcceptor::new(std::slice::from_ref(key), Plaintext::Refused);
    let secured =
        incoming(listener).map(move |io| Ok::<_, io::Error>(Secured(acceptor.accept(Box::new(io?)))));
    serving.spawn(async move { Ok(server.serve_with_incoming(secured).await?) });
    Ok(address)
}

/// A connection as tonic takes it.
struct Secured(BoxIo);

impl Connected for Secured {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

struct Echo;

#[tonic::async_trait]
impl FakeInference for Echo {
    async fn infer(&self, request: ModelInferRequest) -> Result<ModelInferResponse, Status> {
        let output =
            |input: weighhouse_proto::inference::model_infer_request::InferInputTensor| InferOutputTensor {
                name: input.name,
                datatype: input.datatype,
                shape: input.shape,
                ..InferOutputTensor::default()
            };
        Ok(ModelInferResponse {
            model_name: request.model_name,
            id: request.id,
            outputs: request.inputs.into_iter().map(output).collect(),
            raw_output_contents: request.raw_input_contents,
            ..ModelInferResponse::default()
        })
    }
}

#[derive(Clone)]
struct Signing(Arc<Keypair>);

impl<S> Layer<S> for Signing {
    type Service = Signed<S>;

    fn layer(&self, inner: S) -> Signed<S> {
        Signed { inner, keypair: self.0.clone() }
    }
}

#[derive(Clone)]
struct Signed<S> {
    inner: S,
    keypair: Arc<Keypair>,
}

impl<S> Service<Request<Body>> for Signed<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fresh = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, fresh);
        let keypair = self.keypair.clone();
        Box::pin(async move {
            Ok(answer(inner, &keypair, request).await.unwrap_or_else(|status| status.into_http()))
        })
    }
}

async fn answer<S>(mut inner: S, keypair: &Keypair, request: Request<Body>) -> Result<Response<Body>, Status>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let asked = Digest::of(&body);
    let claims = Claims::parse(&head.headers).map_err(|error| Status::unauthenticated(error.to_string()))?;
    let verified = claims.check_signature(head.method.as_str(), head.uri.path(), asked);
    verified.map_err(|error| Status::unauthenticated(error.to_string()))?;
    let answered = inner.call(Request::from_parts(head, Body::new(Full::new(body)))).await;
    let Ok(response) = answered;
    let (head, body) = response.into_parts();
    let collected = body.collect().await?;
    let mut trailers = collected.trailers().cloned().unwrap_or_default();
    let bytes: Bytes = collected.to_bytes();
    let model = Digest::of(b"echo");
    let signature = AnswerSignature::single(keypair, &answer_digest(&asked, &Digest::of(&bytes), &model));
    for (name, text) in
        [(trailer::SIGNATURE, const_hex::encode(signature.encode())), (trailer::MODEL, model.to_string())]
    {
        trailers
            .insert(name, HeaderValue::try_from(text).map_err(|error| Status::internal(error.to_string()))?);
    }
    let body = Full::new(bytes).with_trailers(std::future::ready(Some(Ok(trailers))));
    Ok(Response::from_parts(head, Body::new(body)))
}
