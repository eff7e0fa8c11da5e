//! Miners from Python files: each is served by a program of its own, with a pass-through miner in front of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weighhouse_miner::engine::{Engine, ModelName, Paces, PassthroughEngine, Upstream};
use weighhouse_seams::Clock;
use weighhouse_types::Digest;

use crate::program::{Module, Program, ProgramError};

/// Personas of guests, in order: there are no more.
pub(crate) const PERSONAS: [&str; 8] = ["you", "you-2", "you-3", "you-4", "you-5", "you-6", "you-7", "you-8"];
const SERVE: Module = Module { name: "weighhouse.serve", args: &[] };
/// The time for a connection to a program on the same machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Items of one request, far above what a task asks.
const ITEMS_MAX: u32 = 1 << 16;

/// A failure to bring in a guest.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    #[error("at most {} files can join", PERSONAS.len())]
    TooMany,
    #[error("{file}: {source}")]
    File { file: String, source: std::io::Error },
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("{file} has several models ({models}); leave one")]
    Models { file: String, models: String },
}

/// A miner of the user's.
#[derive(Debug)]
struct Guest {
    file: PathBuf,
    program: Program,
    /// The model's name at the program.
    model: String,
    /// Digest of the file, which answers are signed with.
    digest: Digest,
}

/// The users' miners of a run; dropping them ends their programs.
#[derive(Debug, Default)]
pub struct Guests(Vec<Guest>);

impl Guests {
    /// Starts a program for each file. Blocks until all listen.
    ///
    /// # Errors
    /// A Python without the package, and a file that can't be served.
    pub fn start(python: &Path, files: &[PathBuf]) -> Result<Self, GuestError> {
        if files.len() > PERSONAS.len() {
            return Err(GuestError::TooMany);
        }
        files.iter().map(|file| Guest::start(python, file)).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.0.iter().map(|guest| guest.file.clone()).collect()
    }

    /// The engine in front of a guest, under the task's name for its model.
    pub(crate) fn engine(
        &self,
        guest: usize,
        name: &str,
        deadline: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Option<Arc<dyn Engine>> {
        let Guest { program, model, digest, .. } = self.0.get(guest)?;
        let upstream = Upstream {
            url: format!("http://{}", program.address()).parse().ok()?,
            model: model.clone(),
            connect_timeout: CONNECT_TIMEOUT,
            answer_timeout: deadline,
            paces: Paces { first: deadline, next: deadline, whole: deadline },
        };
        let name = ModelName::new(name, "1");
        Some(Arc::new(PassthroughEngine::new((name, *digest), upstream, ITEMS_MAX, clock.clone())))
    }
}

impl Guest {
    fn start(python: &Path, file: &Path) -> Result<Self, GuestError> {
        let shown = || file.display().to_string();
        let bytes = std::fs::read(file).map_err(|source| GuestError::File { file: shown(), source })?;
        let program = Program::start(python, SERVE, file)?;
        let models = program.told["models"].as_array();
        let models: Vec<&str> = models.into_iter().flatten().filter_map(|model| model.as_str()).collect();
        let &[model] = &models[..] else {
            return Err(GuestError::Models { file: shown(), models: models.join(", ") });
        };
        Ok(Self { file: file.to_owned(), model: model.to_owned(), digest: Digest::of(&bytes), program })
    }
}
