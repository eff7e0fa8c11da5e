use std::path::Path;
use std::sync::Arc;

use weighhouse_miner::engine::{ClassifierEngine, EngineLimits, ModelName};
use weighhouse_models::{Builtin, Classifier};
use weighhouse_seams::CpuPool;
use weighhouse_tasks::DIGITS_CONFORMANCE;

use super::*;
use crate::served::Served;

fn trial(dir: &Path, model: Builtin, name: &str) -> Trial {
    let config = Served::config().expect("built in");
    let loaded = Classifier::load(model.bytes()).expect("built in");
    let limits = EngineLimits::from(&config.limits);
    let engine = ClassifierEngine::new(ModelName::new(name, "1"), loaded, limits, &CpuPool::new(1, 8));
    Trial {
        config,
        models: Catalogue::of(Arc::new(engine)),
        task_file: DIGITS_CONFORMANCE.to_owned(),
        task: Task::load(DIGITS_CONFORMANCE.as_bytes(), &Builtin::Reference.bytes()).expect("built in"),
        rounds: 6,
        deadline: Duration::from_secs(10),
        seed: 1,
        dir: dir.to_owned(),
    }
}

async fn judged(model: Builtin, name: &str) -> PayStatement {
    let dir = tempfile::tempdir().expect("a folder");
    let trial = trial(dir.path(), model, name);
    let mut told = (0, 0);
    let judged = trial.run(&CancellationToken::new(), |done, of| told = (done, of)).await.expect("judged");
    assert_eq!(told.0, told.1, "all blocks are done");
    judged
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agreed_model_gets_full_marks_and_another_is_told_why_not() {
    let model = Task::load(DIGITS_CONFORMANCE.as_bytes(), &Builtin::Reference.bytes()).expect("built in");
    let name = model.file().model.clone();
    let honest = judged(Builtin::Reference, &name).await;
    assert_eq!((honest.answers, honest.losses.len()), (6, 0), "{honest:?}");
    let weak = judged(Builtin::Weak, &name).await;
    assert_eq!(weak.losses[0].check, "deviates", "{weak:?}");
    let unknown = judged(Builtin::Reference, "another").await;
    assert_eq!(unknown.losses[0].check, "grpc_status_5", "{unknown:?}");
    assert_eq!(unknown.losses[0].answers, 6);
}
