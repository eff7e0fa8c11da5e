//! Miners from Python files: each is served by a program of its own, with a pass-through miner in front of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weighhouse_miner::engine::{Engine, ModelName, Paces, PassthroughEngine, Upstream};
use weighhouse_seams::Clock;
use weighhouse_types::Digest;

use crate::program::{Program, ProgramError};

/// Personas of single files, in order: there are no more.
const PERSONAS: [&str; 8] = ["you", "you-2", "you-3", "you-4", "you-5", "you-6", "you-7", "you-8"];
const SERVE: &str = "weighhouse.serve";
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
    #[error("{file}: there is another miner called {name}; give this model another name")]
    Name { file: String, name: String },
}

/// A miner of the user's.
#[derive(Debug)]
struct Guest {
    persona: String,
    program: Arc<Program>,
    /// The model's name at the program.
    model: String,
    /// Digest of the file, which answers are signed with.
    digest: Digest,
}

/// The users' miners of a run; dropping them ends their programs.
#[derive(Debug, Default)]
pub struct Guests {
    all: Vec<Guest>,
    /// The files whose one model plays a persona of [`PERSONAS`].
    files: Vec<PathBuf>,
}

impl Guests {
    /// Starts a program for each file, which serves one model. Blocks until all listen.
    ///
    /// # Errors
    /// A Python without the package, and a file that can't be served.
    pub fn start(python: &Path, files: &[PathBuf]) -> Result<Self, GuestError> {
        if files.len() > PERSONAS.len() {
            return Err(GuestError::TooMany);
        }
        let mut guests = Self { all: Vec::new(), files: files.to_vec() };
        for (file, persona) in files.iter().zip(PERSONAS) {
            let (program, models, digest) = serve(python, file)?;
            let Ok([model]) = <[String; 1]>::try_from(models.clone()) else {
                return Err(GuestError::Models {
                    file: file.display().to_string(),
                    models: models.join(", "),
                });
            };
            guests.all.push(Guest { persona: persona.to_owned(), program, model, digest });
        }
        Ok(guests)
    }

    /// Starts a program for a file, each of whose models is a miner by its own name. Blocks until it listens.
    ///
    /// # Errors
    /// As [`Guests::start`], and a name that another miner has.
    pub fn join_all_of(&mut self, python: &Path, file: &Path) -> Result<(), GuestError> {
        let (program, models, digest) = serve(python, file)?;
        for model in models {
            if self.personas().any(|persona| persona == model) {
                return Err(GuestError::Name { file: file.display().to_string(), name: model });
            }
            let program = Arc::clone(&program);
            self.all.push(Guest { persona: model.clone(), program, model, digest });
        }
        Ok(())
    }

    pub(crate) fn personas(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|guest| guest.persona.as_str())
    }

    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The engine in front of a guest, under the task's name for its model.
    pub(crate) fn engine(
        &self,
        guest: usize,
        name: &str,
        deadline: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Option<Arc<dyn Engine>> {
        let Guest { program, model, digest, .. } = self.all.get(guest)?;
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

/// Starts a file's program; with the models that it serves and the file's digest.
fn serve(python: &Path, file: &Path) -> Result<(Arc<Program>, Vec<String>, Digest), GuestError> {
    let bytes = std::fs::read(file)
        .map_err(|source| GuestError::File { file: file.display().to_string(), source })?;
    let program = Program::python(python, SERVE, &[], file)?;
    let models = program.told["models"].as_array().into_iter().flatten();
    let models = models.filter_map(|model| model.as_str()).map(ToOwned::to_owned).collect();
    Ok((Arc::new(program), models, Digest::of(&bytes)))
}
