//! A task's models by the names of a command's arguments: for the judge, and for the personas that answer it.

use std::sync::{Arc, Mutex, PoisonError};

use weighhouse_models::Builtin;
use weighhouse_models::encoder::Embedder;
use weighhouse_models::language::{BuiltinLanguage, LanguageModel};
use weighhouse_models::precision::Precision;
use weighhouse_tasks::witness::{Encoder, TeacherForced, Witness};
use weighhouse_tasks::{Grade, References, TaskError};

use crate::failure::Failure;

/// Loads each model when it is first asked for. Without a name the built-in one is meant, where there is one.
#[derive(Debug)]
pub(crate) struct NamedModels {
    reference: Option<String>,
    weak: Option<String>,
    languages: Mutex<Vec<(Grade, LanguageModel)>>,
    encoders: Mutex<Vec<(Grade, Embedder)>>,
}

impl NamedModels {
    pub(crate) fn new(reference: Option<String>, weak: Option<String>) -> Self {
        Self { reference, weak, languages: Mutex::default(), encoders: Mutex::default() }
    }

    fn load_language(&self, grade: Grade) -> Result<LanguageModel, Failure> {
        let name = self.reference.as_deref().unwrap_or(BuiltinLanguage::Reference.name());
        match (grade, &self.weak, &self.reference) {
            (Grade::Agreed, ..) => super::language(name),
            (Grade::Rounded(precision), ..) => super::language_rounded(name, precision),
            (Grade::Weak, Some(weak), _) => super::language(weak),
            (Grade::Weak, None, Some(_)) => super::language_rounded(name, Precision::Int8),
            (Grade::Weak, None, None) => super::language(BuiltinLanguage::Weak.name()),
        }
    }

    fn load_encoder(&self, grade: Grade) -> Result<Embedder, Failure> {
        let missing = || Failure::config("no encoder is built in: name a folder or OWNER/NAME");
        let name = self.reference.as_deref().ok_or_else(missing)?;
        match (grade, &self.weak) {
            (Grade::Agreed, _) => super::encoder(name),
            (Grade::Rounded(precision), _) => super::encoder_rounded(name, precision),
            (Grade::Weak, Some(weak)) => super::encoder(weak),
            (Grade::Weak, None) => super::encoder_rounded(name, Precision::Int4),
        }
    }
}

impl References for NamedModels {
    fn weights(&self) -> Result<Option<Vec<u8>>, TaskError> {
        match &self.reference {
            None => Ok(Some(Builtin::Reference.bytes().to_vec())),
            Some(name) => super::weights(name).map(Some).map_err(unavailable),
        }
    }

    fn language(&self) -> Result<Option<Arc<dyn Witness>>, TaskError> {
        Ok(Some(Arc::new(TeacherForced(self.served_language(Grade::Agreed)?))))
    }

    fn encoder(&self) -> Result<Option<Arc<dyn Encoder>>, TaskError> {
        self.served_encoder(Grade::Agreed).map(Some)
    }

    fn served_language(&self, grade: Grade) -> Result<LanguageModel, TaskError> {
        kept(&self.languages, grade, || self.load_language(grade))
    }

    fn served_encoder(&self, grade: Grade) -> Result<Arc<dyn Encoder>, TaskError> {
        Ok(Arc::new(kept(&self.encoders, grade, || self.load_encoder(grade))?))
    }
}

/// The model that was loaded before, or one that is loaded now. Models share their weights with their clones.
fn kept<M: Clone>(
    models: &Mutex<Vec<(Grade, M)>>,
    grade: Grade,
    load: impl FnOnce() -> Result<M, Failure>,
) -> Result<M, TaskError> {
    // Held while a model is loaded: whoever asks for the same one meanwhile must not load it again.
    let mut models = models.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, model)) = models.iter().find(|(kept, _)| *kept == grade) {
        return Ok(model.clone());
    }
    let model = load().map_err(unavailable)?;
    models.push((grade, model.clone()));
    Ok(model)
}

fn unavailable(failure: Failure) -> TaskError {
    TaskError::Reference(failure.to_string())
}
