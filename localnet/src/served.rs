//! The task that a localnet's validators judge by, and the engines that its miners serve.

use std::sync::Arc;
use std::time::Duration;

use weighhouse_miner::backend::Decoder;
use weighhouse_miner::config::Config;
use weighhouse_miner::engine::{
    ClassifierEngine, EmbedEngine, Engine, EngineLimits, ModelName, Paces, TextEngine,
};
use weighhouse_models::encoder::Embedder;
use weighhouse_models::language::{DecoderLimits, LanguageModel};
use weighhouse_models::{Builtin, Classifier};
use weighhouse_seams::{Clock, CpuPool, Entropy};
use weighhouse_tasks::witness::{Encoder, TeacherForced, Witness};
use weighhouse_tasks::{DIGITS_CONFORMANCE, DIGITS_QUALITY, EMBED, GENERATE, Task, with_reference};
use weighhouse_types::Digest;
use weighhouse_types::text::TextLimits;

use crate::disguise::Disguised;
use crate::economy::Role;
use crate::error::LocalnetError;
use crate::models::LocalnetModels;
use crate::options::{Mode, Work};
use crate::personas::{Lazy, Nan, Slow};
use crate::text::{Fake, Faked, FakedRows, Rows};

/// The time for an answer: many times what an honest miner needs on a busy machine.
const DEADLINE: Duration = Duration::from_secs(2);
/// The same for a completion, while all other miners make theirs on the same processor.
const TEXT_DEADLINE: Duration = Duration::from_secs(60);
/// The part of a configuration that all miners share; the model's weights are added.
const MINER_CONFIG: &str = "wallet = { name = \"localnet\", hotkey = \"default\" }\n\
    chain = { netuid = 1 }\nserve = { listen = \"127.0.0.1:0\" }\n[[model]]\nname = \"digits\"\n";

/// The task and the models behind it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) task_file: String,
    pub(crate) task: Arc<Task>,
    models: LocalnetModels,
}

impl Served {
    pub(crate) fn load(mode: Mode, models: LocalnetModels) -> Result<Self, LocalnetError> {
        if mode == Mode::Quality && models.work() != Work::Digits {
            return Err(LocalnetError::NoQuality);
        }
        let (task_file, task) = match &models {
            LocalnetModels::Digits => {
                let file = if mode == Mode::Quality { DIGITS_QUALITY } else { DIGITS_CONFORMANCE };
                (file.to_owned(), Task::load(file.as_bytes(), &Builtin::Reference.bytes()))
            }
            LocalnetModels::Language { reference, .. } => {
                let file = all_checked(&with_reference(GENERATE, reference.digest()));
                let model = LanguageModel::clone(reference);
                let witness: Arc<dyn Witness> = Arc::new(TeacherForced(model));
                let task = Task::load(file.as_bytes(), &witness);
                (file, task)
            }
            LocalnetModels::Encoder(encoder) => {
                let file = with_reference(EMBED, encoder.digest());
                let encoder: Arc<dyn Encoder> = Arc::new(Embedder::clone(encoder));
                let task = Task::load(file.as_bytes(), &encoder);
                (file, task)
            }
        };
        Ok(Self { task_file, task: Arc::new(task?), models })
    }

    pub(crate) fn deadline(&self) -> Duration {
        match self.models {
            LocalnetModels::Digits => DEADLINE,
            LocalnetModels::Language { .. } | LocalnetModels::Encoder(_) => TEXT_DEADLINE,
        }
    }

    /// The configuration of one miner.
    pub(crate) fn config(&self, role: Role) -> Result<Config, LocalnetError> {
        Config::parse(&format!("{MINER_CONFIG}builtin = \"digits-{}\"\n", weights(role)))
            .map_err(|error| LocalnetError::BuiltIn(error.to_string()))
    }

    /// The configuration and engine of one miner; `guesses` seeds those that guess.
    pub(crate) fn engine(
        &self,
        role: Role,
        guesses: Digest,
        clock: &Arc<dyn Clock>,
        cpu: &CpuPool,
    ) -> Result<(Config, Arc<dyn Engine>), LocalnetError> {
        let (config, weights) = (self.config(role)?, weights(role));
        let engine: Arc<dyn Engine> = match &self.models {
            LocalnetModels::Digits => {
                let honest = classifier(&config, weights, cpu)?;
                disguised(honest, role, guesses, clock)
            }
            LocalnetModels::Language { reference, weak, int4 } => {
                let model = match role {
                    Role::Weak => weak,
                    Role::Int4 => int4,
                    _ => reference,
                };
                completions(&config, &self.task, role, (reference, model), clock, cpu)?
            }
            LocalnetModels::Encoder(encoder) => {
                let name = ModelName::new(&self.task.file().model, "1");
                let bounds = (config.limits.items_max, config.text.prompt_bytes_max);
                let model = Arc::new(Embedder::clone(encoder));
                let honest = Arc::new(EmbedEngine::new(name, model, bounds, cpu));
                let how = match role {
                    Role::Lazy => Some(Rows::Guessed),
                    Role::Cached => Some(Rows::Repeated),
                    Role::Nan => Some(Rows::Nan),
                    _ => None,
                };
                match how {
                    Some(how) => Disguised::engine(honest, FakedRows::new(how, guesses)),
                    None => honest,
                }
            }
        };
        Ok((config, engine))
    }
}

/// The classifier that a miner of digits serves.
fn weights(role: Role) -> Builtin {
    match role {
        Role::Better => Builtin::Better,
        Role::Weak => Builtin::Weak,
        _ => Builtin::Reference,
    }
}

/// Of a localnet's few answers each is looked at: whoever is honest once and fakes then would be drawn too seldom.
fn all_checked(file: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((key, _)) if key.trim() == "drawn" => "drawn = 1.0\n".to_owned(),
        _ => format!("{line}\n"),
    };
    file.lines().map(line).collect()
}

fn completions(
    config: &Config,
    task: &Task,
    role: Role,
    (reference, model): (&LanguageModel, &LanguageModel),
    clock: &Arc<dyn Clock>,
    cpu: &CpuPool,
) -> Result<Arc<dyn Engine>, LocalnetError> {
    let limits = DecoderLimits {
        sequences_max: config.text.sequences_max,
        cache_tokens_max: config.text.cache_tokens_max,
    };
    let decoder = Decoder::start(model.clone(), limits, config.limits.queue_max, cpu);
    let name = ModelName::new(&task.file().model, "1");
    let paces = Paces { first: TEXT_DEADLINE, next: TEXT_DEADLINE, whole: TEXT_DEADLINE };
    let bounds = (TextLimits::from(&config.text), paces);
    let honest = Arc::new(TextEngine::new(name, Arc::new(decoder?), bounds, clock.clone()));
    let fake = match role {
        Role::Cached => Fake::Repeats,
        Role::Truncating => Fake::Truncates,
        Role::Editing => Fake::Edits,
        Role::Reseeding => Fake::Reseeds,
        Role::Hot => Fake::Heats,
        Role::Ignoring => Fake::Ignores,
        _ => return Ok(honest),
    };
    Ok(Disguised::engine(honest, Faked::new(fake, reference.clone())))
}

fn classifier(config: &Config, weights: Builtin, cpu: &CpuPool) -> Result<Arc<dyn Engine>, LocalnetError> {
    let loaded = Classifier::load(weights.bytes());
    let model = loaded.map_err(|error| LocalnetError::BuiltIn(error.to_string()))?;
    let (name, limits) = (ModelName::new("digits", "1"), EngineLimits::from(&config.limits));
    Ok(Arc::new(ClassifierEngine::new(name, model, limits, cpu)))
}

fn disguised(
    honest: Arc<dyn Engine>,
    role: Role,
    guesses: Digest,
    clock: &Arc<dyn Clock>,
) -> Arc<dyn Engine> {
    match role {
        Role::Lazy => Disguised::engine(honest, Lazy { entropy: Entropy::seeded(guesses.0) }),
        Role::Nan => Disguised::engine(honest, Nan { asked: 0.into() }),
        Role::Slow => Disguised::engine(honest, Slow { clock: clock.clone(), delay: DEADLINE * 2 }),
        _ => honest,
    }
}
