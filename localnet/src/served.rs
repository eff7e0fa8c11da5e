//! The task that a localnet's validators judge by, and the engines that its miners serve.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use weighhouse_miner::config::Config;
use weighhouse_miner::engine::{Engine, ModelName, ServedModel};
use weighhouse_seams::{Clock, CpuPool};
use weighhouse_tasks::{Persona, PersonaSetup, Task, TaskLoader, with_reference_at_hand};
use weighhouse_types::Digest;

use crate::economy::Service;
use crate::error::LocalnetError;
use crate::options::{Options, builtin_task};
use crate::personas::PersonaEngine;

/// The configuration that all miners share. It has to name a model; what is served is the persona's.
const MINER_CONFIG: &str = "wallet = { name = \"localnet\", hotkey = \"default\" }\n\
    chain = { netuid = 1 }\nserve = { listen = \"127.0.0.1:0\" }\n\
    [[model]]\nname = \"digits\"\nbuiltin = \"digits-reference\"\n";

/// The task and the models behind it.
pub(crate) struct Served {
    pub(crate) task_file: String,
    pub(crate) task: Arc<Task>,
    loader: Arc<dyn TaskLoader>,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("task", &self.task).finish_non_exhaustive()
    }
}

impl Served {
    pub(crate) fn load(options: &Options, loader: Arc<dyn TaskLoader>) -> Result<Self, LocalnetError> {
        let is_builtin = builtin_task(&options.task, None).is_some();
        let file = match is_builtin {
            true => with_reference_at_hand(&options.task_file, &*loader)?,
            false => options.task_file.clone(),
        };
        // A strategy is worth what the task's own share of checks makes it worth.
        let task_file = if options.pretending.is_empty() { all_checked(&file) } else { file };
        Self::of_file(task_file, loader)
    }

    /// A task by its file.
    pub(crate) fn of(file: &str, loader: Arc<dyn TaskLoader>) -> Result<Self, LocalnetError> {
        Self::of_file(all_checked(file), loader)
    }

    fn of_file(task_file: String, loader: Arc<dyn TaskLoader>) -> Result<Self, LocalnetError> {
        let task = Task::load(task_file.as_bytes(), &*loader)?;
        Ok(Self { task_file, task: Arc::new(task), loader })
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.task.deadline()
    }

    /// The configuration of every miner.
    pub(crate) fn config() -> Result<Config, LocalnetError> {
        Config::parse(MINER_CONFIG).map_err(|error| LocalnetError::BuiltIn(error.to_string()))
    }

    /// The engine of one miner; `guesses` seeds what its persona draws.
    pub(crate) fn engine(
        &self,
        persona: &Persona,
        service: Service,
        guesses: Digest,
        clock: &Arc<dyn Clock>,
        cpu: &CpuPool,
    ) -> Result<Arc<dyn Engine>, LocalnetError> {
        let setup = PersonaSetup {
            references: self.loader.references(),
            rng: ChaCha20Rng::from_seed(guesses.0),
            earlier: None,
            own: None,
        };
        let served = ServedModel {
            name: ModelName::new(self.task.file().model.clone(), "1"),
            digest: self.task.file().reference.unwrap_or_default(),
            kind: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            samplers: Vec::new(),
        };
        let late = self.deadline() * 2;
        let engine = PersonaEngine {
            served,
            answerer: Arc::new(tokio::sync::Mutex::new(persona.open(setup)?)),
            cpu: cpu.clone(),
            clock: clock.clone(),
            delay: (service == Service::Late).then_some(late),
            silence: late,
        };
        Ok(Arc::new(engine))
    }
}

/// Of a localnet's few answers each is looked at: whoever is honest once and fakes then would be drawn too seldom.
fn all_checked(file: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        // A few epochs are too short for a sequential test, so the localnet checks every answer.
        Some((key, _)) if key.trim() == "drawn" => "drawn = 1.0\n".to_owned(),
        _ => format!("{line}\n"),
    };
    file.lines().map(line).collect()
}
