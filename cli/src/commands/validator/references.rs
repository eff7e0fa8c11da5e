//! The reference and the judges that a validator's file names.

use std::sync::{Arc, OnceLock};

use weighhouse_ask::completions::CompletionServer;
use weighhouse_models::device::Place;
use weighhouse_tasks::judge::JudgeClient;
use weighhouse_tasks::witness::{Encoder, TeacherForced, Witness};
use weighhouse_tasks::{References, TaskError};
use weighhouse_types::{Digest, JudgeTerms};
use weighhouse_validator::config;
use weighhouse_validator::remote::RemoteReference;

use crate::commands::{expand, judges, read_text};
use crate::failure::{Exit, Failure};
use crate::models;

/// The reference that a validator's file names.
pub(super) struct ConfiguredReferences<'a> {
    asked: &'a config::TaskSection,
    /// The newest digest of a language model.
    pub(super) newest: OnceLock<Digest>,
    /// The exit code of a reference that isn't to be had: a model that is missing is no wrong configuration, and one that
    /// can't be fetched now may be there later.
    pub(super) failed: OnceLock<Exit>,
}

impl<'a> ConfiguredReferences<'a> {
    pub(super) fn new(asked: &'a config::TaskSection) -> Self {
        Self { asked, newest: OnceLock::new(), failed: OnceLock::new() }
    }

    fn unavailable(&self, failure: Failure) -> TaskError {
        self.failed.get_or_init(|| failure.exit);
        TaskError::Reference(failure.to_string())
    }

    fn place(&self) -> Result<Place, TaskError> {
        let place = self.asked.device.parse().map_err(|error| format!("task.device: {error}"));
        let place =
            place.and_then(|device| Place::find(device).map_err(|error| format!("task.device: {error}")));
        place.map_err(TaskError::Reference)
    }

    fn note(&self, digest: Digest, warning: Option<&str>) {
        self.newest.get_or_init(|| digest);
        if let Some(warning) = warning {
            tracing::warn!(reference = %self.asked.reference, "{warning}");
        }
    }

    fn not_elsewhere(&self) -> Result<(), TaskError> {
        let what = "task.server: only a task of completions has a reference elsewhere";
        if self.asked.server.is_some() { Err(TaskError::Reference(what.to_owned())) } else { Ok(()) }
    }

    /// A server that runs the model, its tokens and digest from the model's folder here.
    fn server(&self, server: &config::Server) -> Result<Arc<dyn Witness>, Failure> {
        let tokens = models::tokens(&self.asked.reference)?;
        self.note(tokens.digest(), tokens.warning());
        let url = server.uri().ok_or_else(|| Failure::config("task.server.url must be http://HOST:PORT"))?;
        let key = server.key_file.as_deref().map(|file| read_text(&expand(file))).transpose()?;
        let (model, deadline) = (server.model.clone(), server.deadline);
        // Editors end a file with a newline, which no header may hold.
        let key = key.map(|key| key.trim().to_owned());
        let server = CompletionServer { url, model, key, connect_timeout: deadline };
        Ok(Arc::new(RemoteReference::new(tokens, server, deadline, tokio::runtime::Handle::current())))
    }
}

impl References for ConfiguredReferences<'_> {
    fn weights(&self) -> Result<Option<Vec<u8>>, TaskError> {
        self.not_elsewhere()?;
        if self.asked.device != "cpu" {
            let what = "task.device: only a text reference of the validator's own has a device";
            return Err(TaskError::Reference(what.to_owned()));
        }
        models::weights(&self.asked.reference).map(Some).map_err(|failure| self.unavailable(failure))
    }

    fn language(&self) -> Result<Option<Arc<dyn Witness>>, TaskError> {
        if let Some(server) = &self.asked.server {
            if self.asked.device != "cpu" {
                let what = "task.device: only a text reference of the validator's own has a device";
                return Err(TaskError::Reference(what.to_owned()));
            }
            return self.server(server).map(Some).map_err(|failure| self.unavailable(failure));
        }
        let model = models::language_on(&self.place()?, &self.asked.reference);
        let model = model.map_err(|failure| self.unavailable(failure))?;
        self.note(model.digest(), model.tokens().warning());
        Ok(Some(Arc::new(TeacherForced(model))))
    }

    fn encoder(&self) -> Result<Option<Arc<dyn Encoder>>, TaskError> {
        self.not_elsewhere()?;
        let model = models::encoder_on(&self.place()?, &self.asked.reference);
        Ok(Some(Arc::new(model.map_err(|failure| self.unavailable(failure))?)))
    }

    fn judge(&self, terms: &JudgeTerms) -> Result<Option<Arc<dyn JudgeClient>>, TaskError> {
        self.not_elsewhere()?;
        if self.asked.judges.is_empty() {
            let what = "task.judges is empty: name where judges listen that run the pinned files";
            return Err(self.unavailable(Failure::config(what)));
        }
        Ok(Some(Arc::new(judges::client(&self.asked.judges, terms)?)))
    }
}
