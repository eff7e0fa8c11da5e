//! The models of a miner: a request is looked up here once, and goes on with the engine that it found.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::EngineError;
use super::served::Engine;

/// Engines by the names of their models; no two have the same.
#[derive(Clone, Debug)]
pub struct Catalogue(Arc<[Arc<dyn Engine>]>);

/// A name that two models were given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model {0:?} is served twice")]
pub struct TwiceServed(String);

impl Catalogue {
    pub fn new(engines: Vec<Arc<dyn Engine>>) -> Result<Self, TwiceServed> {
        let mut names = HashSet::new();
        let twice = engines.iter().map(|engine| &engine.model().name.name).find(|name| !names.insert(*name));
        match twice {
            Some(name) => Err(TwiceServed(name.clone())),
            None => Ok(Self(engines.into())),
        }
    }

    /// Serves one model.
    pub fn of(engine: Arc<dyn Engine>) -> Self {
        Self(Arc::new([engine]))
    }

    pub fn engines(&self) -> &[Arc<dyn Engine>] {
        &self.0
    }

    /// The engine whose model is meant; an empty version is the server's choice.
    pub fn find(&self, name: &str, version: &str) -> Result<&dyn Engine, EngineError> {
        let meant = self.0.iter().find(|engine| engine.model().name.is(name, version));
        let unknown = || EngineError::NoModel { name: name.to_owned(), version: version.to_owned() };
        meant.map(|engine| &**engine).ok_or_else(unknown)
    }

    /// The most items in the first dimension of one request's input, over all models.
    pub fn items_max(&self) -> u32 {
        self.0.iter().map(|engine| engine.items_max()).max().unwrap_or(0)
    }

    /// Prepares every engine, before serving.
    pub async fn prepare(&self) -> Result<(), EngineError> {
        for engine in &*self.0 {
            engine.prepare().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use weighhouse_models::{Builtin, Classifier};
    use weighhouse_seams::CpuPool;

    use super::*;
    use crate::engine::{ClassifierEngine, EngineLimits, ModelName};

    fn digits(version: &str) -> Arc<dyn Engine> {
        let limits = EngineLimits { items_max: 8, queue_max: 2, batch_items_max: 16 };
        let model = Classifier::load(Builtin::Weak.bytes()).expect("built in");
        Arc::new(ClassifierEngine::new(ModelName::new("digits", version), model, limits, &CpuPool::new(1, 8)))
    }

    #[test]
    fn a_request_finds_the_model_that_it_names_and_no_other() {
        let catalogue = Catalogue::of(digits("1"));
        for version in ["", "1"] {
            assert_eq!(catalogue.find("digits", version).expect("served").model().name.version, "1");
        }
        for (name, version) in [("cats", ""), ("digits", "2")] {
            let unknown = EngineError::NoModel { name: name.into(), version: version.into() };
            assert_eq!(catalogue.find(name, version).expect_err("unknown"), unknown);
        }
    }

    #[test]
    fn two_models_of_one_name_are_refused() {
        let twice = Catalogue::new(vec![digits("1"), digits("2")]).expect_err("one name");
        assert_eq!(twice, TwiceServed("digits".into()));
    }
}
