//! Signed requests of 2 KiB that are given back, 64 in flight, client included: a miner with all its checks and its receipts,
//! against bare tonic that verifies each request and signs each answer; by turns.

mod bare;
mod client;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use weighhouse_miner::Config;
use weighhouse_miner::engine::{Catalogue, Engine, EngineError, ModelName, ServedModel, TensorSpec};
use weighhouse_miner::server::Keys;
use weighhouse_seams::{Clock, CpuPool, DirStorage, SystemClock, TlsKey};
use weighhouse_types::{Datatype, Digest, InferAnswer, InferRequest, Tensor};

use crate::loopback::{self, key};
use crate::median::median;
use crate::{result, say};
use client::{Client, Server};

const BYTES: usize = 2 << 10;
const TURNS: usize = 7;
const TURN: Duration = Duration::from_secs(2);

/// What requests travel in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Plain,
    /// With pinned keys, for the miner and for bare tonic.
    Tls,
}

impl Wire {
    /// The bench's name, and the share of bare tonic's requests a second that is wanted.
    fn about(self) -> (&'static str, f64) {
        match self {
            Self::Plain => ("serve", 0.8),
            Self::Tls => ("tls", 0.7),
        }
    }
}

pub(crate) fn run(wire: Wire) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(wire))
}

async fn measure(wire: Wire) -> anyhow::Result<()> {
    let (name, goal) = wire.about();
    let mut serving = JoinSet::new();
    let (keypair, sender) = (key("//Bob")?, key("//Alice")?);
    let scratch = tempfile::tempdir()?;
    // Made before the miner starts, which reads it from its folder.
    let miners_pin = Keys::open(&DirStorage::open(scratch.path())?)?.pin();
    let echo = |_: &Config, _: &CpuPool, _: &Arc<dyn Clock>| Ok(Catalogue::of(Arc::new(Echo::new())));
    // The configuration has to name a model; what is served is the echo.
    let tables = "[[model]]\nname = 'echo'\nbuiltin = 'digits-weak'\n";
    let miner = loopback::miner(&mut serving, scratch.path(), keypair.clone(), &sender, tables, echo).await?;
    let peers_key = (wire == Wire::Tls).then(TlsKey::generate).transpose()?;
    let bare = Server {
        address: bare::start(&mut serving, keypair.clone(), peers_key.as_ref()).await?,
        pin: peers_key.as_ref().map(TlsKey::pin),
    };
    let miner = Server { address: miner, pin: peers_key.and(Some(miners_pin)) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let tensor = Tensor::new("bytes".into(), Datatype::Uint8, vec![BYTES as u64], vec![7; BYTES])?;
    let asked = InferRequest { model: "echo".into(), ..InferRequest::asking(vec![tensor], &[]) };
    let client = Client::new(sender, keypair.hotkey(), clock, asked)?;
    // The first turn warms both up and isn't counted.
    client.ask(miner, TURN / 4).await?;
    client.ask(bare, TURN / 4).await?;
    let (mut ours, mut peers, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let (peer, own) = (client.ask(bare, TURN).await?, client.ask(miner, TURN).await?);
        say(&format!(
            "bare tonic {:.0}/s, miner {:.0}/s, {:.1} answers a signature",
            peer.rate, own.rate, own.batch
        ));
        ratios.push(own.rate / peer.rate);
        ours.push(own.rate);
        peers.push(peer.rate);
    }
    let ratio = median(ratios);
    result(&serde_json::json!({
        "name": name, "ours": median(ours), "peer": median(peers), "ratio": ratio, "goal": goal, "met": ratio >= goal,
        "unit": "requests of 2 KiB a second, each signed and its answer verified by the client, 64 in flight",
    }));
    Ok(())
}

/// Gives its input back.
#[derive(Debug)]
struct Echo(ServedModel);

impl Echo {
    fn new() -> Self {
        let spec = || vec![TensorSpec { name: "bytes".into(), datatype: Datatype::Uint8, shape: vec![None] }];
        Self(ServedModel {
            name: ModelName { name: "echo".into(), version: "1".into() },
            digest: Digest::of(b"echo"),
            kind: None,
            inputs: spec(),
            outputs: spec(),
            samplers: Vec::new(),
        })
    }
}

#[async_trait::async_trait]
impl Engine for Echo {
    fn model(&self) -> &ServedModel {
        &self.0
    }

    fn items_max(&self) -> u32 {
        u32::MAX
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let InferRequest { model, version, id, inputs, .. } = request.clone();
        Ok(InferAnswer { model, version, id, outputs: inputs })
    }
}
