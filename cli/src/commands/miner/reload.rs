//! SIGHUP: the configuration and the models are read again, and exchanged while requests go on.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Notify;
use weighhouse_miner::config::Config;
use weighhouse_miner::{Catalogue, Live, metrics};
use weighhouse_seams::{Clock, CpuPool};

use super::{load_models, read_config};
use crate::failure::{Context as _, Exit, Failure};
use crate::{notices, supervisor};

/// Its name where people are told of it.
const STATE: &str = "configuration";

/// What a reload reads, and where it puts it.
pub(super) struct Reload {
    pub(super) path: PathBuf,
    /// The configuration that is in force.
    pub(super) running: Config,
    pub(super) live: Arc<Live>,
    pub(super) cpu: CpuPool,
    pub(super) clock: Arc<dyn Clock>,
    /// The models that are in force, as the log has them.
    pub(super) listed: String,
}

impl Reload {
    /// Reloads whenever told, for ever.
    pub(super) async fn follow(mut self, told: &Notify) -> Infallible {
        metrics::reloaded(true, self.clock.now());
        loop {
            told.notified().await;
            supervisor::reloads();
            let outcome = self.reload().await;
            metrics::reloaded(outcome.is_ok(), self.clock.now());
            if let Err(error) = outcome {
                tracing::error!(state = STATE, turned = "bad", %error, "nothing was reloaded: what was served before is served on");
            }
            supervisor::reloaded();
        }
    }

    async fn reload(&mut self) -> Result<(), Failure> {
        let read = read_config(&self.path)?;
        // Not exchanged, and the next start would fail by it.
        notices::hook(&read.notify, "miner")?;
        let later = self.running.needs_restart(&read);
        // The models are read with the bounds that are in force.
        let mut config = self.running.clone();
        (config.models, config.admission) = (read.models, read.admission);
        // Weights take a while to read, which other work mustn't wait for.
        let models = tokio::task::block_in_place(|| load_models(&config, &self.cpu, &self.clock))?;
        models.prepare().await.exit(Exit::Config, "model")?;
        let listed = listed(&models);
        let models_of = |config: &Config| format!("{:?}", config.models);
        let same = listed == self.listed
            && config.admission == self.running.admission
            && models_of(&config) == models_of(&self.running);
        let what = if same {
            "read again: models and admission are the same"
        } else {
            "reloaded: models and admission"
        };
        tracing::info!(state = STATE, turned = "good", models = listed, "{what}");
        self.listed = listed;
        self.live.exchange(models, config.admission.clone());
        self.running = config;
        if !later.is_empty() {
            tracing::warn!(sections = later.join(", "), "changes in these sections need a restart");
        }
        Ok(())
    }
}

/// The models, each with the start of its digest.
pub(super) fn listed(models: &Catalogue) -> String {
    let one = |engine: &Arc<dyn weighhouse_miner::Engine>| {
        let model = engine.model();
        format!("{} {:.8}", model.name.name, model.digest.to_string())
    };
    models.engines().iter().map(one).collect::<Vec<_>>().join(", ")
}
