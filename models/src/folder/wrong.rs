//! Folders that are well known to be no model as it is served, recognised by the files that they have.

use std::path::Path;

use super::error::FolderError;

const ADAPTER: &str = "adapter_config.json";
/// Endings of files that can run code when they are read.
const PICKLES: [&str; 6] = ["bin", "pt", "pth", "pkl", "pickle", "ckpt"];
/// Endings of files that a download has not finished.
const PARTS: [&str; 6] = ["incomplete", "part", "partial", "crdownload", "download", "aria2"];
const MAKERS_FORM: &str = "belongs to the weights in their maker's own form: get those for transformers";
/// Files of tokenizers in Python, from which `tokenizer.json` is made.
const SLOW: [&str; 5] = ["tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tekken.json"];
/// Endings of other forms of weights, and what they are.
const OTHERS: [(&str, &str); 5] = [
    ("gguf", "is a GGUF file, which llama.cpp reads"),
    ("onnx", "is an ONNX model"),
    ("h5", "has TensorFlow's weights"),
    ("msgpack", "has Flax's weights"),
    ("npz", "has NumPy's arrays"),
];

/// The names in a folder, sorted.
struct Names(Vec<String>);

impl Names {
    fn of(root: &Path) -> Self {
        let entries = std::fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        Self(names)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|found| found == name)
    }

    fn ending(&self, endings: &[&str]) -> Option<&String> {
        let ends = |name: &&String| {
            Path::new(name).extension().is_some_and(|end| endings.iter().any(|known| end == *known))
        };
        self.0.iter().find(ends)
    }
}

/// The reason for which a folder lacks one of a model's files, if the others tell.
pub(super) fn lacking(root: &Path, missing: FolderError) -> FolderError {
    let FolderError::Missing { path } = &missing else { return missing };
    if root.is_file() {
        return wrong(root, "is a file: name the folder with config.json, tokenizer.json and safetensors");
    }
    if !root.is_dir() {
        return wrong(root, "is no folder");
    }
    let names = Names::of(root);
    if names.has(ADAPTER) {
        return adapter(root);
    }
    if names.has("snapshots") && names.has("refs") {
        return wrong(root, "is a folder of the hub's cache: name a commit's folder in its snapshots");
    }
    if let Some(part) = names.ending(&PARTS) {
        return wrong(
            &root.join(part),
            "is a part of a download that isn't finished: download the folder again",
        );
    }
    match path.file_name().and_then(|name| name.to_str()) {
        Some(super::TOKENIZER) => slow_tokenizer(root, &names).unwrap_or(missing),
        Some(super::CONFIG) if names.has("params.json") => wrong(&root.join("params.json"), MAKERS_FORM),
        Some(super::CONFIG) if names.has("model_index.json") => wrong(root, "is a pipeline of diffusers"),
        _ => other_weights(root, &names).unwrap_or(missing),
    }
}

fn adapter(root: &Path) -> FolderError {
    let base = std::fs::read(root.join(ADAPTER)).ok();
    let base = base.and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok());
    let base = base.as_ref().and_then(|json| json.get("base_model_name_or_path")?.as_str());
    let of = base.map_or_else(String::new, |base| format!(" of {base:?}"));
    let what = "is an adapter (LoRA)";
    wrong(
        root,
        &format!("{what}{of}: merge it into its model (peft: merge_and_unload) and serve what comes out"),
    )
}

fn slow_tokenizer(root: &Path, names: &Names) -> Option<FolderError> {
    let found = SLOW.iter().find(|name| names.has(name)).map(|name| (*name).to_owned());
    let found = found.or_else(|| names.ending(&["tiktoken"]).cloned())?;
    let what = format!(
        "has {found} but no tokenizer.json: `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)` of \
         transformers writes one"
    );
    Some(wrong(root, &what))
}

/// What stands where `config.json` or `model.safetensors` should.
fn other_weights(root: &Path, names: &Names) -> Option<FolderError> {
    if let Some(found) = names.ending(&["safetensors"]).filter(|_| names.has(super::CONFIG)) {
        let what = match (found.contains("-of-"), found.starts_with("consolidated")) {
            (_, true) => MAKERS_FORM,
            (true, _) => {
                "is a shard, and model.safetensors.index.json, which names all of them, is missing: download it too"
            }
            _ => "is neither model.safetensors nor a shard that an index names: rename it if it is the model",
        };
        return Some(wrong(&root.join(found), what));
    }
    if let Some(found) = names.ending(&PICKLES) {
        return Some(FolderError::Pickle { path: root.join(found) });
    }
    let other = |(ending, what): &(&str, &'static str)| {
        names.ending(&[*ending]).map(|found| (root.join(found), *what))
    };
    let onnx = root.join("onnx");
    let (path, what) =
        OTHERS.iter().find_map(other).or_else(|| onnx.is_dir().then_some((onnx, "has an ONNX model")))?;
    Some(wrong(
        &path,
        &format!("{what}: only safetensors are read, with their config.json and tokenizer.json"),
    ))
}

fn wrong(path: &Path, what: &str) -> FolderError {
    FolderError::Wrong { path: path.to_owned(), what: what.to_owned() }
}

/// Refuses a `config.json` that describes quantised weights.
pub(super) fn quantised(root: &Path, config: &[u8]) -> Result<(), FolderError> {
    let json: serde_json::Value = serde_json::from_slice(config).unwrap_or_default();
    let keys = ["quantization_config", "compression_config", "quantization"];
    let Some(found) = keys.iter().find_map(|key| json.get(key).filter(|value| !value.is_null())) else {
        return Ok(());
    };
    let method = ["quant_method", "quant_algo", "bits"].iter().find_map(|key| found.get(key));
    let method =
        method.map_or_else(String::new, |method| format!(" ({})", method.to_string().replace('"', "")));
    let what = format!("is of quantised weights{method}: serve the model that they were made from");
    Err(wrong(&root.join(super::CONFIG), &what))
}

/// Tensors by which methods of quantising are known.
pub(super) fn is_quantised(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    ["qweight", "qzeros", "weight_packed", "weight_scale", "weight_scale_inv", "absmax", "SCB", "quant_map"]
        .contains(&last)
}
