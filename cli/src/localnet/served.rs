//! What a localnet's miners serve and its validators judge by.

use std::sync::Arc;
use std::time::Duration;

use weighhouse_miner::backend::Decoder;
use weighhouse_miner::config::Config;
use weighhouse_miner::engine::{
    ClassifierEngine, EmbedEngine, Engine, EngineLimits, Paces, TextEngine, TextModel, load_models,
};
use weighhouse_models::Builtin;
use weighhouse_models::encoder::Embedder;
use weighhouse_models::language::{BuiltinLanguage, DecoderLimits, LanguageModel};
use weighhouse_models::precision::Precision;
use weighhouse_seams::{Clock, CpuPool, Entropy};
use weighhouse_tasks::witness::TeacherForced;
use weighhouse_tasks::{DIGITS_CONFORMANCE, DIGITS_QUALITY, EMBED, GENERATE, Task, with_reference};
use weighhouse_types::Digest;
use weighhouse_types::text::TextLimits;

use super::economy::Role;
use super::personas::{Lazy, Nan, Slow};
use super::text::{Fake, Faked, FakedRows, Rows};
use super::{Localnet, Mode, Work};
use crate::failure::{Context, Exit, Failure};
use crate::models;

/// What an honest miner has, on a busy machine, many times what it needs.
const DEADLINE: Duration = Duration::from_secs(2);
/// The same for a completion, while all other miners make theirs on the same processor.
const TEXT_DEADLINE: Duration = Duration::from_secs(60);
/// What every miner of a localnet has in common; the model's weights are added.
const MINER_CONFIG: &str = "wallet = { name = \"localnet\", hotkey = \"default\" }\n\
    chain = { netuid = 1 }\nserve = { listen = \"127.0.0.1:0\" }\n[[model]]\nname = \"digits\"\n";

/// The task and the models behind it.
pub(super) struct Served {
    pub(super) task_file: String,
    pub(super) task: Arc<Task>,
    models: Models,
}

enum Models {
    Digits,
    Language(Box<Languages>),
    Encoder(Box<Embedder>),
}

struct Languages {
    reference: LanguageModel,
    weak: LanguageModel,
    int4: LanguageModel,
}

impl Served {
    pub(super) fn load(work: Work, mode: Mode, args: &Localnet) -> Result<Self, Failure> {
        if work != Work::Digits && mode == Mode::Quality {
            return Err(Failure::config("only --task digits has --mode quality"));
        }
        let (task_file, task, models) = match work {
            Work::Digits => {
                let file = if mode == Mode::Quality { DIGITS_QUALITY } else { DIGITS_CONFORMANCE };
                (file.to_owned(), Task::load(file.as_bytes(), Builtin::Reference.bytes()), Models::Digits)
            }
            Work::Generate => {
                let languages = Languages::load(args)?;
                let file = with_reference(GENERATE, languages.reference.digest());
                let file = all_checked(&file);
                let witness = Arc::new(TeacherForced(languages.reference.clone()));
                let task = Task::with_witness(file.as_bytes(), witness);
                (file, task, Models::Language(Box::new(languages)))
            }
            Work::Embed => {
                let missing = || Failure::config("--task embed needs --model MODEL");
                let encoder = models::encoder(args.model.as_deref().ok_or_else(missing)?)?;
                let file = with_reference(EMBED, encoder.digest());
                let task = Task::with_encoder(file.as_bytes(), Arc::new(encoder.clone()));
                (file, task, Models::Encoder(Box::new(encoder)))
            }
        };
        Ok(Self { task_file, task: Arc::new(task.exit(Exit::Internal, "task")?), models })
    }

    pub(super) fn deadline(&self) -> Duration {
        match self.models {
            Models::Digits => DEADLINE,
            Models::Language(_) | Models::Encoder(_) => TEXT_DEADLINE,
        }
    }

    /// What one miner runs; `guesses` seeds those who guess.
    pub(super) fn engine(
        &self,
        role: Role,
        guesses: Digest,
        clock: &Arc<dyn Clock>,
        cpu: &CpuPool,
    ) -> Result<(Config, Arc<dyn Engine>), Failure> {
        let weights = match role {
            Role::Better => Builtin::Better,
            Role::Weak => Builtin::Weak,
            _ => Builtin::Reference,
        };
        let config = Config::parse(&format!("{MINER_CONFIG}builtin = \"digits-{weights}\"\n"))
            .exit(Exit::Internal, "config")?;
        let engine: Arc<dyn Engine> = match &self.models {
            Models::Digits => digits(&config, role, guesses, clock, cpu)?,
            Models::Language(languages) => languages.engine(&config, &self.task, role, clock, cpu)?,
            Models::Encoder(encoder) => {
                let name = self.task.file().model.clone();
                let (items_max, bytes_max) = (config.limits.items_max, config.text.prompt_bytes_max);
                let models = vec![(name, "1".to_owned(), Embedder::clone(encoder))];
                let honest = Arc::new(EmbedEngine::new(models, items_max, bytes_max, cpu));
                let how = match role {
                    Role::Lazy => Some(Rows::Guessed),
                    Role::Cached => Some(Rows::Repeated),
                    Role::Nan => Some(Rows::Nan),
                    _ => None,
                };
                match how {
                    Some(how) => Arc::new(FakedRows::new(honest, how, guesses)),
                    None => honest,
                }
            }
        };
        Ok((config, engine))
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

impl Languages {
    fn load(args: &Localnet) -> Result<Self, Failure> {
        let name = args.model.as_deref().unwrap_or(BuiltinLanguage::Reference.name());
        let weak = match (&args.model, &args.weak) {
            (_, Some(weak)) => models::language(weak)?,
            (Some(model), None) => models::language_rounded(model, Precision::Int8)?,
            (None, None) => models::language(BuiltinLanguage::Weak.name())?,
        };
        let int4 = models::language_rounded(name, Precision::Int4)?;
        Ok(Self { reference: models::language(name)?, weak, int4 })
    }

    fn engine(
        &self,
        config: &Config,
        task: &Task,
        role: Role,
        clock: &Arc<dyn Clock>,
        cpu: &CpuPool,
    ) -> Result<Arc<dyn Engine>, Failure> {
        let model = match role {
            Role::Weak => &self.weak,
            Role::Int4 => &self.int4,
            _ => &self.reference,
        };
        let limits = DecoderLimits {
            sequences_max: config.text.sequences_max,
            cache_tokens_max: config.text.cache_tokens_max,
        };
        let decoder = Decoder::start(model.clone(), limits, config.limits.queue_max, cpu);
        let generator = Arc::new(decoder.exit(Exit::Internal, "a thread")?);
        let models = vec![TextModel { name: task.file().model.clone(), version: "1".to_owned(), generator }];
        let paces = Paces { first: TEXT_DEADLINE, next: TEXT_DEADLINE, whole: TEXT_DEADLINE };
        let honest = Arc::new(TextEngine::new(models, TextLimits::from(&config.text), paces, clock.clone()));
        let fake = match role {
            Role::Cached => Fake::Repeats,
            Role::Truncating => Fake::Truncates,
            Role::Editing => Fake::Edits,
            Role::Reseeding => Fake::Reseeds,
            Role::Hot => Fake::Heats,
            Role::Ignoring => Fake::Ignores,
            _ => return Ok(honest),
        };
        Ok(Arc::new(Faked::new(honest, fake, self.reference.clone())))
    }
}

fn digits(
    config: &Config,
    role: Role,
    guesses: Digest,
    clock: &Arc<dyn Clock>,
    cpu: &CpuPool,
) -> Result<Arc<dyn Engine>, Failure> {
    let models =
        load_models(&config.models, |path| std::fs::read(path)).exit(Exit::Internal, "built-in weights")?;
    let honest = Arc::new(ClassifierEngine::new(models, EngineLimits::from(&config.limits), cpu));
    Ok(match role {
        Role::Lazy => Arc::new(Lazy { honest, entropy: Entropy::seeded(guesses.0) }),
        Role::Nan => Arc::new(Nan { honest, asked: 0.into() }),
        Role::Slow => Arc::new(Slow { honest, clock: clock.clone(), delay: DEADLINE * 2 }),
        _ => honest,
    })
}
