//! This machine, before there is a configuration.

pub(in crate::commands) mod clock;
mod disk;
mod limits;

use weighhouse_miner::config::MinerLimits;
use weighhouse_models::device::{Device, Place};
use weighhouse_seams::{ClockExt as _, SystemClock, TlsTrust};
use weighhouse_wallet::folder::Folder;

use super::Check;
use crate::commands::checks::Checks;
use crate::commands::{connect, miner};
use crate::failure::{Context as _, Exit, Failure};

/// Time for the chain to answer.
const CHAIN_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// Fewer cores share signatures, model and network among each other.
const CORES_MIN: usize = 2;
/// Below it the smallest language models don't load.
const MEMORY_MIN: u64 = 2 << 30;

pub(super) async fn run(args: &Check) -> Result<(), Failure> {
    let mut checks = Checks::new(args.json);
    processor(&mut checks)?;
    memory(&mut checks)?;
    gpu(&mut checks)?;
    let files = miner::descriptors::raise(&MinerLimits::default(), 1);
    checks.note("files", files.map(|held| ((), format!("{held} file descriptors"))))?;
    clock::check(&mut checks).await?;
    disk::check(&mut checks, &args.dir)?;
    let roots = TlsTrust::of_platform().exit(Exit::Missing, "TLS");
    checks.note("tls", roots.map(|_| ((), "certificates of authorities are installed".to_owned())))?;
    wallets(&mut checks, args)?;
    chain(&mut checks, args).await?;
    checks.finish()
}

/// Cores that this process may use, and the instructions that the models' loops have versions for.
fn processor(checks: &mut Checks) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let machine = limits::cores().unwrap_or(cores);
    let shared = if cores < machine { ": fewer by a quota or an affinity" } else { "" };
    let detail = format!("{cores} of {machine} cores{shared}");
    if cores < CORES_MIN {
        checks.warn("cores", format!("{detail}; give it {CORES_MIN} or more (CPUQuota=, --cpus)"))?;
    } else {
        checks.note("cores", Ok(((), detail)))?;
    }
    match instructions() {
        Ok(detail) => checks.note("cpu", Ok(((), detail.to_owned()))).map(drop),
        Err(why) => checks.warn("cpu", why.to_owned()),
    }
}

#[cfg(target_arch = "x86_64")]
fn instructions() -> Result<&'static str, &'static str> {
    if std::arch::is_x86_feature_detected!("avx512f") {
        return Ok("AVX-512");
    }
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        return Ok("AVX2 and FMA");
    }
    Err(
        "no AVX2 or FMA: models run several times slower; in a virtual machine pass the host's processor through",
    )
}

#[cfg(not(target_arch = "x86_64"))]
fn instructions() -> Result<&'static str, &'static str> {
    Ok(std::env::consts::ARCH)
}

fn memory(checks: &mut Checks) -> Result<(), Failure> {
    let Some(memory) = limits::memory() else {
        return checks.unsure("memory", "this system doesn't tell".to_owned());
    };
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let limit = if memory.is_limited { ", by the limit of its control group" } else { "" };
    let detail = format!("{:.1} of {:.1} GiB are free{limit}", gib(memory.free), gib(memory.all));
    if memory.free < MEMORY_MIN {
        return checks.warn("memory", format!("{detail}; language models want more (MemoryMax=, --memory)"));
    }
    checks.note("memory", Ok(((), detail))).map(drop)
}

/// The accelerators that this build reaches, and those that it doesn't.
fn gpu(checks: &mut Checks) -> Result<(), Failure> {
    let built = [("cuda", cfg!(feature = "cuda")), ("wgpu", cfg!(feature = "wgpu"))];
    let built: Vec<_> = built.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect();
    let is_there = std::path::Path::new("/proc/driver/nvidia/version").exists();
    if built.is_empty() {
        return match is_there {
            true => checks.warn(
                "gpu",
                "an NVIDIA GPU that this build can't use: build it with --features full,cuda".to_owned(),
            ),
            false => checks.note("gpu", Ok(((), "none; models run on the processor".to_owned()))).map(drop),
        };
    }
    let found = Place::find(Device::Auto).exit(Exit::Unavailable, "gpu")?;
    let detail = format!(
        "built with {}; a model with device = \"auto\" runs on {}",
        built.join(" and "),
        found.name()
    );
    if is_there && found.name() == Device::Cpu.to_string() {
        return checks.warn("gpu", format!("{detail}, though there is a GPU: is CUDA's NVRTC installed, and /dev/nvidia* open to this user?"));
    }
    checks.note("gpu", Ok(((), detail))).map(drop)
}

fn wallets(checks: &mut Checks, args: &Check) -> Result<(), Failure> {
    let base = args.at.base();
    match Folder::wallets(&base) {
        Ok(names) if names.is_empty() => checks
            .warn("wallets", format!("none in {}: `weighhouse wallet create` makes one", base.display())),
        Ok(names) => {
            let detail = format!("{} in {}", names.len(), base.display());
            checks.note("wallets", Ok(((), detail))).map(drop)
        }
        Err(error) => checks.warn("wallets", format!("{}: {error}", base.display())),
    }
}

async fn chain(checks: &mut Checks, args: &Check) -> Result<(), Failure> {
    let asked = SystemClock::new().timeout(CHAIN_PATIENCE, connect(&args.chain, None)).await;
    match asked {
        Ok(Ok(_)) => checks.note("chain", Ok(((), args.chain.to_string()))).map(drop),
        // A machine may be made ready before its chain is chosen.
        Ok(Err(error)) => checks.warn("chain", format!("{error}; name yours with --chain")),
        Err(late) => checks.warn("chain", format!("{}: {late}; name yours with --chain", args.chain)),
    }
}
