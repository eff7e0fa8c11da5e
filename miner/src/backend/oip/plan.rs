//! How a server's model is asked for a completion: with the inputs that it has, in its datatypes and shapes.

use weighhouse_proto::inference::ModelInferRequest;
use weighhouse_types::text::{Prompt, TextRequest};
use weighhouse_types::{Datatype, InferRequest};

use super::setting::Setting;
use crate::backend::error::BackendError;
use crate::engine::TensorSpec;
use crate::remote::Configuration;
use crate::remote::signature::Signature;

/// The inputs of one model that a completion has something for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    model: String,
    /// Empty where the server doesn't list its inputs: it then gets ours.
    inputs: Vec<PlannedInput>,
    /// Whether it answers in pieces; `None` where it doesn't tell.
    pub(super) decoupled: Option<bool>,
}

#[derive(Clone, Debug, PartialEq)]
struct PlannedInput {
    spec: TensorSpec,
    setting: Setting,
    required: bool,
}

impl Plan {
    /// Fails where the model can't be asked for a completion, and says why.
    pub(super) fn of(
        model: &str,
        signature: Option<&Signature>,
        configuration: Option<&Configuration>,
    ) -> Result<Self, BackendError> {
        let specs = signature.map_or(&[][..], |signature| &signature.inputs);
        let text = text_input(specs);
        if text.is_none() && !specs.is_empty() {
            let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
            let why = "a model of other tensors is served with `kind = \"any\"`";
            return Err(wrong(model, format!("takes no text, only {}; {why}", names.join(", "))));
        }
        let mut inputs = Vec::new();
        for spec in specs {
            // Without a configuration nobody knows what is required; the first question will tell.
            let required = configuration.is_some_and(|known| !known.optional.contains(&spec.name));
            let setting =
                if Some(&spec.name) == text { Some(Setting::Text) } else { Setting::named(&spec.name) };
            match setting.filter(|setting| fits(*setting, spec)) {
                Some(setting) => inputs.push(PlannedInput { spec: spec.clone(), setting, required }),
                None if required => {
                    let (name, datatype) = (&spec.name, spec.datatype.name());
                    let why = "and a completion has nothing to put there";
                    return Err(wrong(model, format!("requires the input {name:?} ({datatype}), {why}")));
                }
                None => {}
            }
        }
        let decoupled = configuration.map(|known| known.decoupled);
        Ok(Self { model: model.to_owned(), inputs, decoupled })
    }

    /// The question as this model takes it.
    pub(super) fn question(
        &self,
        request: &TextRequest,
        streamed: bool,
    ) -> Result<ModelInferRequest, BackendError> {
        let question = if self.inputs.is_empty() {
            request.to_infer(&self.model, "").map_err(|error| BackendError::Refused(error.to_string()))?
        } else {
            self.planned(request, streamed)?
        };
        question
            .try_into()
            .map_err(|error: weighhouse_types::TensorError| BackendError::Refused(error.to_string()))
    }

    fn planned(&self, request: &TextRequest, streamed: bool) -> Result<InferRequest, BackendError> {
        let refuse = |why: &str| Err(BackendError::Unsuited(format!("its model takes no {why}")));
        if matches!(request.prompt, Prompt::Ids(_)) && !self.has(Setting::Ids) {
            return refuse("token ids as a prompt");
        }
        if !request.stop.is_empty() && !self.has(Setting::StopWords) && !self.has(Setting::VllmParameters) {
            return refuse("stop words");
        }
        let has_top_k = self.has(Setting::TopK);
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for PlannedInput { spec, setting, required } in &self.inputs {
            // The likeliest token is the same at any temperature; without such a limit, only 0 is greedy.
            let required = *required || (*setting == Setting::Temperature && !has_top_k);
            let Some(value) = setting.value(request, streamed, required) else { continue };
            let tensor = value.tensor(spec);
            inputs
                .push(tensor.map_err(|why| BackendError::Misconfigured(format!("{:?}: {why}", self.model)))?);
        }
        // An empty version leaves the choice to the server, by the protocol.
        let (model, version, id, outputs) = (self.model.clone(), String::new(), String::new(), Vec::new());
        Ok(InferRequest { model, version, id, inputs, outputs })
    }

    /// Whether a request can have it go on after an end token.
    pub(super) fn goes_on(&self) -> bool {
        self.inputs.is_empty()
            || [Setting::IgnoreEnd, Setting::EndId, Setting::VllmParameters]
                .iter()
                .any(|setting| self.has(*setting))
    }

    /// Names of the inputs that questions are made of, for people.
    pub(super) fn names(&self) -> String {
        if self.inputs.is_empty() {
            return "inputs that it doesn't list".to_owned();
        }
        self.inputs.iter().map(|input| input.spec.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn has(&self, setting: Setting) -> bool {
        self.inputs.iter().any(|input| input.setting == setting)
    }
}

/// The input for the prompt: one of a name that stands for it, or else the only text that no name is known for.
fn text_input(specs: &[TensorSpec]) -> Option<&String> {
    let texts = || specs.iter().filter(|spec| spec.datatype == Datatype::Bytes);
    let named = texts().find(|spec| Setting::named(&spec.name) == Some(Setting::Text));
    let unnamed: Vec<_> = texts().filter(|spec| Setting::named(&spec.name).is_none()).collect();
    let only = || if let [only] = unnamed[..] { Some(only) } else { None };
    named.or_else(only).map(|spec| &spec.name)
}

fn fits(setting: Setting, spec: &TensorSpec) -> bool {
    let signed = matches!(spec.datatype, Datatype::Int32 | Datatype::Int64);
    match setting {
        // -1 isn't among the ids of an unsigned input.
        Setting::EndId => signed,
        _ => true,
    }
}

fn wrong(model: &str, why: String) -> BackendError {
    BackendError::Misconfigured(format!("the server's model {model:?} {why}"))
}
