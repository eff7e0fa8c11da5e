//! Serves a model as a miner on a subnet in memory, and asks it one signed question as that subnet's validator.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use weighhouse_ask::{AskLimits, Asker, Target, frame};
use weighhouse_chain::ledger::{Genesis, Ledger};
use weighhouse_miner::{Catalogue, ClassifierEngine, Config, Live, ModelName, Parts, run};
use weighhouse_models::{Builtin, Classifier};
use weighhouse_proto::inference::ModelInferRequest;
use weighhouse_seams::{Clock, CpuPool, DirStorage, Entropy, Listener, SystemClock, TcpBound, TcpDialer};
use weighhouse_tasks::{DIGITS_CONFORMANCE, Task};
use weighhouse_wallet::answer::verify_answer;
use weighhouse_wallet::btauth::Signer;
use weighhouse_wallet::keypair::Keypair;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (miner, validator) = (Keypair::from_uri("//Bob")?, Keypair::from_uri("//Alice")?);
    let genesis = Genesis::new(serde_json::from_str(include_str!("subnet.json"))?)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ledger = Ledger::in_memory(&genesis, clock.clone(), &mut Entropy::system())?;
    ledger.produce_block().await?;

    let config = Config::parse(include_str!("miner.toml"))?;
    let (cpu, state) = (CpuPool::new(2, 64), tempfile::tempdir()?);
    let (name, model) = (ModelName::new("digits", "1"), Classifier::load(Builtin::Reference.bytes())?);
    let engine = Arc::new(ClassifierEngine::new(name, model, (&config.limits).into(), &cpu));
    let listener = TcpBound::bind(config.serve.listen).await?;
    let (address, hotkey) = (listener.local_addr(), miner.hotkey());
    let (ready, mut is_ready) = tokio::sync::watch::channel(false);
    let parts = Parts {
        live: Live::new(Catalogue::of(engine), &config, &clock),
        config,
        keypair: Arc::new(miner),
        chain: Arc::new(ledger),
        listener: Box::new(listener),
        clock: clock.clone(),
        storage: Arc::new(DirStorage::open(state.path())?),
        entropy: Entropy::system(),
        cpu,
        ready,
        shutdown: Default::default(),
    };
    let serving = tokio::spawn(run(parts));
    is_ready.wait_for(|ready| *ready).await?;
    let task = Task::load(DIGITS_CONFORMANCE.as_bytes(), &weighhouse_tasks::OnRecord)?;
    let question =
        ModelInferRequest::try_from(task.request(&task.challenge(&[7; 32])?, "example".to_owned()))?;
    let signer = Arc::new(Signer::new(Arc::new(validator), clock.clone()));
    let (asker, framed) = (Asker { signer, dialer: Arc::new(TcpDialer), clock }, frame(&question));
    let limits = AskLimits { deadline: Duration::from_secs(10), answer_bytes_max: 1 << 20 };
    let answer = asker.ask(Target { address, hotkey, pin: None }, framed.clone(), limits).await;
    let answer = answer.map_err(|failure| anyhow::anyhow!("no answer: {failure:?}"))?;
    verify_answer(&hotkey, &framed, &answer.framed, &answer.trailers)?;
    writeln!(std::io::stdout(), "{} bytes signed by {hotkey} in {:?}", answer.framed.len(), answer.latency)?;
    serving.abort();
    Ok(())
}
