//! Miners on real sockets, whose models do what their prompts say.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use weighhouse_ask::Target;
use weighhouse_chain::testing::{FakeChain, neuron};
use weighhouse_miner::backend::BackendError;
use weighhouse_miner::engine::AnswerStream;
use weighhouse_miner::{Catalogue, Config, Engine, EngineError, Live, ModelName, Parts, ServedModel, run};
use weighhouse_proto::ModelKind;
use weighhouse_seams::{Clock, CpuPool, DirStorage, Entropy, Listener as _, SystemClock, TcpBound};
use weighhouse_types::text::{
    Finish, GREEDY, Prompt, TextAnswer, TextLimits, TextRequest, TextsAnswer, TextsLimits, TextsRequest,
};
use weighhouse_types::{Digest, InferAnswer, InferRequest};

use super::key;

/// Gives a prompt's words back, one by one, and behind `late` its end by itself. `busy` refuses, `!` breaks off after a word.
#[derive(Debug)]
struct Words {
    model: ServedModel,
    busy: bool,
}

/// A row for each text: its length, and one.
#[derive(Debug)]
struct Lengths(ServedModel);

/// Texts of one request to [`Lengths`].
const TEXTS_MAX: u32 = 2;

fn model(name: &str, kind: ModelKind, samplers: &[&str]) -> ServedModel {
    ServedModel {
        name: ModelName::new(name, "1"),
        digest: Digest::of(name.as_bytes()),
        kind: Some(kind),
        inputs: Vec::new(),
        outputs: Vec::new(),
        samplers: samplers.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[async_trait]
impl Engine for Words {
    fn model(&self) -> &ServedModel {
        &self.model
    }

    fn items_max(&self) -> u32 {
        1
    }

    async fn infer(&self, _: &InferRequest) -> Result<InferAnswer, EngineError> {
        unreachable!("texts are asked for as streams")
    }

    async fn stream(&self, request: &InferRequest) -> Result<AnswerStream, EngineError> {
        let limits = TextLimits { prompt_bytes: 1 << 20, prompt_tokens: 64, max_tokens: 1_024 };
        let asked = TextRequest::from_infer(request, &limits)?;
        if self.busy {
            return Err(EngineError::Busy);
        }
        let prompt = match &asked.prompt {
            Prompt::Text(text) => text.clone(),
            Prompt::Ids(ids) => ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
        };
        let words: Vec<&str> = prompt.split_whitespace().collect();
        let count = words.len().min(asked.max_tokens as usize);
        let piece = |(at, word): (usize, &&str)| {
            if *word == "!" {
                return Err(EngineError::Backend(BackendError::Disconnected));
            }
            let token = word.len() as u32;
            let last = if count < words.len() { Finish::Length } else { Finish::End };
            Ok(TextAnswer {
                text: format!(" {word}"),
                tokens: vec![token],
                log_probs: if asked.log_probs { vec![-0.5] } else { Vec::new() },
                top: if asked.top_log_probs > 0 { vec![vec![(token, -0.5), (99, -2.0)]] } else { Vec::new() },
                finish: (at + 1 == count).then_some(last),
                prompt_tokens: words.len() as u32,
            })
        };
        let mut pieces: Vec<_> = words.iter().take(count).enumerate().map(piece).collect();
        if words.first() == Some(&"late")
            && let Some(Ok(last)) = pieces.last_mut()
        {
            let end = TextAnswer { finish: last.finish.take(), ..TextAnswer::default() };
            pieces.push(Ok(end));
        }
        let name = self.model.name.clone();
        let written = move |piece: Result<TextAnswer, EngineError>| Ok(piece?.to_infer(&name.name, "1", "")?);
        Ok(Box::pin(stream::iter(pieces.into_iter().map(written))))
    }
}

#[async_trait]
impl Engine for Lengths {
    fn model(&self) -> &ServedModel {
        &self.0
    }

    fn items_max(&self) -> u32 {
        TEXTS_MAX
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let limits = TextsLimits { texts: TEXTS_MAX as usize, bytes: 1 << 20, dimensions: 2 };
        let TextsRequest { texts } = TextsRequest::from_infer(request, &limits)?;
        let numbers = texts.iter().flat_map(|text| [text.len() as f32, 1.0]).collect();
        let rows = ndarray::Array2::from_shape_vec((texts.len(), 2), numbers).expect("two for each");
        Ok(TextsAnswer { rows }.to_infer(&self.0.name.name, "1", "")?)
    }
}

/// A running miner.
pub(super) struct Miner {
    pub(super) target: Target,
    _running: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl Miner {
    /// Serves `tale` greedily, and `vectors`.
    pub(super) async fn start(name: &str) -> Self {
        Self::serve(name, "tale", false).await
    }

    /// A miner that refuses whatever it is asked.
    pub(super) async fn busy(name: &str) -> Self {
        Self::serve(name, "tale", true).await
    }

    pub(super) async fn serve(name: &str, text: &str, busy: bool) -> Self {
        let words = Words { model: model(text, ModelKind::Text, &[GREEDY]), busy };
        let lengths = Lengths(model("vectors", ModelKind::Embedding, &[]));
        let config = "wallet = { name = 'w', hotkey = 'h' }\nchain = { netuid = 1 }\n\
                      model = [{ name = 'digits', builtin = 'digits-weak' }]";
        let keypair = key(name);
        let us = keypair.hotkey();
        let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let target = Target { address: listener.local_addr(), hotkey: us, pin: None };
        let dir = tempfile::tempdir().expect("a folder");
        let (ready, mut is_ready) = watch::channel(false);
        let config = Config::parse(config).expect("a configuration");
        let models = Catalogue::new(vec![Arc::new(words), Arc::new(lengths)]).expect("two names");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let parts = Parts {
            live: Live::new(models, &config, &clock),
            config,
            keypair,
            chain: FakeChain::new(vec![
                neuron(0, key("//Alice").hotkey(), 1_000, true),
                neuron(1, us, 0, false),
            ]),
            listener: Box::new(listener),
            clock,
            storage: Arc::new(DirStorage::open(dir.path()).expect("a folder")),
            entropy: Entropy::system(),
            cpu: CpuPool::new(1, 16),
            ready,
            shutdown: Default::default(),
        };
        let mut running = JoinSet::new();
        running.spawn(async move { run(parts).await.expect("a clean end") });
        is_ready.wait_for(|ready| *ready).await.expect("serves");
        Self { target, _running: running, _dir: dir }
    }
}
