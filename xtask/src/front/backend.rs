//! Servers that stream tokens at a fixed pace, by the wall's clock: a token is never late because the one before was.

use std::net::SocketAddr;

use anyhow::Context as _;
use futures::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::{Status, Streaming};
use weighhouse_proto::inference::{ModelInferRequest, ModelStreamInferResponse};
use weighhouse_proto::testing::{FakeInference, InferStream, service};
use weighhouse_types::text::{Finish, TextAnswer};

use super::{PACE, TOKENS};
use crate::loopback::incoming;

/// Longest request that is read.
const REQUEST_BYTES_MAX: usize = 64 << 10;

async fn bind() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

pub(super) async fn openai(serving: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<SocketAddr> {
    let (listener, address) = bind().await?;
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (io, _) = listener.accept().await?;
            while connections.try_join_next().is_some() {}
            connections.spawn(complete(io));
        }
    });
    Ok(address)
}

/// One request, one answer.
async fn complete(mut io: TcpStream) -> anyhow::Result<()> {
    io.set_nodelay(true)?;
    let mut read = Vec::new();
    loop {
        anyhow::ensure!(io.read_buf(&mut read).await? > 0 && read.len() < REQUEST_BYTES_MAX, "no request");
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        // The miner looks whether the server is there.
        if head.starts_with("GET ") {
            let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            return io.write_all(answer).await.context("the caller hung up before it was answered");
        }
        if serde_json::from_str::<serde_json::Value>(body).is_ok() {
            break;
        }
    }
    let begun = Instant::now();
    io.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n").await?;
    for at in 1..=TOKENS {
        tokio::time::sleep_until(begun + PACE * at).await;
        let finish = if at == TOKENS { "\"length\"" } else { "null" };
        let event = format!(
            "data: {{\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\",\"choices\":[{{\
             \"index\":0,\"text\":\" token\",\"logprobs\":null,\"finish_reason\":{finish},\"stop_reason\":null}}]}}\n\n"
        );
        io.write_all(event.as_bytes()).await?;
    }
    io.write_all(b"data: [DONE]\n\n").await.context("the caller hung up behind the last token")
}

pub(super) async fn oip(serving: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<SocketAddr> {
    let (listener, address) = bind().await?;
    let server = tonic::transport::Server::builder().add_service(service(PacedServer));
    serving.spawn(async move { Ok(server.serve_with_incoming(incoming(listener)).await?) });
    Ok(address)
}

#[derive(Clone, Copy)]
struct PacedServer;

fn message(at: u32) -> Result<ModelStreamInferResponse, Status> {
    let piece = TextAnswer {
        text: " token".into(),
        tokens: vec![at],
        finish: (at == TOKENS).then_some(Finish::Length),
        ..TextAnswer::default()
    };
    let answer = piece.to_infer("m", "1", "").map_err(|error| Status::internal(error.to_string()))?;
    ModelStreamInferResponse::try_from(answer).map_err(|error| Status::internal(error.to_string()))
}

#[tonic::async_trait]
impl FakeInference for PacedServer {
    async fn stream(&self, mut requests: Streaming<ModelInferRequest>) -> Result<InferStream, Status> {
        requests.message().await?.ok_or_else(|| Status::invalid_argument("no request"))?;
        let begun = Instant::now();
        Ok(Box::pin(stream::unfold(1, move |at| async move {
            if at > TOKENS {
                return None;
            }
            tokio::time::sleep_until(begun + PACE * at).await;
            Some((message(at), at + 1))
        })))
    }
}
