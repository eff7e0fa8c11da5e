//! Models, tasks and the program under test, and the checks that are made with them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use weighhouse_types::{Mark, Outcome, Reason, VerdictRecord};

use super::process::Serving;
use super::recipes::{ON_VLLM, Recipe, odd};
use super::record::Recorder;
use crate::say;
use crate::suite::earning::{Subnet, Terms, builtin, digest};
use crate::suite::{root, weighhouse};

/// Judged answers that tell whether a miner isn't paid.
const WEAK: usize = 40;
/// Those after which a miner that can't earn would have.
const TOLD: usize = 3;
/// The least that honest work gets of full marks.
const SHARE_MIN: f64 = 0.99;
/// For the answers of one miner, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1_800);
const ROUNDS: u32 = 60;

pub(super) struct Site {
    binary: PathBuf,
    strong: Model,
    weak: PathBuf,
    options: Options,
    dir: tempfile::TempDir,
}

/// How thorough the checks are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Judged answers that tell whether a miner is paid in full.
    pub(crate) completions: usize,
    /// Whether what goes over the wire is kept for the miner's tests.
    pub(crate) record: bool,
}

/// A folder that a task names.
struct Model {
    folder: PathBuf,
    digest: String,
}

/// A changed line of the built-in task, and whether the miner is to find ids by the folder's tokenizer.
#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    going_on: &'static str,
    tokenizer: bool,
}

const BUILTIN: Variant = Variant { name: "task", going_on: "ignore_end = true", tokenizer: false };
/// Completions that end where the model does.
const ENDING: Variant = Variant { name: "ending", going_on: "ignore_end = false", tokenizer: false };
/// Completions that servers of text alone can earn: what follows an end isn't in their text.
const TEXTS: Variant =
    Variant { name: "texts", going_on: "ignore_end = false\nlog_probs = false", tokenizer: true };

impl Site {
    pub(super) fn new(options: Options) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let (strong, weak) = (dir.path().join("strong"), dir.path().join("weak"));
        builtin("reference", &strong)?;
        builtin("weak", &weak)?;
        let binary = weighhouse()?;
        let strong = Model { digest: digest(&binary, &strong)?, folder: strong };
        Ok(Self { binary, strong, weak, options, dir })
    }

    pub(super) fn honest(&self, recipe: &Recipe) -> anyhow::Result<()> {
        self.paid(recipe, &self.strong, BUILTIN)
    }

    pub(super) fn honest_in_text(&self, recipe: &Recipe) -> anyhow::Result<()> {
        self.paid(recipe, &self.strong, TEXTS)
    }

    /// vLLM with one of the odd models, which the validator has too.
    pub(super) fn odd(&self, name: &str) -> anyhow::Result<()> {
        let folder = odd(&self.strong.folder, &self.dir.path().join("odd"))?.join(name);
        let model = Model { digest: digest(&self.binary, &folder)?, folder };
        self.paid(&ON_VLLM, &model, if name == "ends" { ENDING } else { BUILTIN })
    }

    fn paid(&self, recipe: &Recipe, model: &Model, variant: Variant) -> anyhow::Result<()> {
        let scratch = tempfile::tempdir()?;
        let mut serving = recipe.start(&model.folder, scratch.path())?;
        let recorded =
            self.options.record && recipe.backend == "openai" && model.folder == self.strong.folder;
        let recorder = recorded.then(|| Recorder::before(&serving.url)).transpose()?;
        if let Some(recorder) = &recorder {
            serving.url.clone_from(&recorder.url);
        }
        let mut subnet = self.subnet(recipe, &serving, model, variant)?;
        let verdicts = subnet.verdicts(self.options.completions, PATIENCE)?;
        if let Some(recorder) = recorder {
            recorder.save(&root().join("miner/testdata/servers").join(recipe.name), self.dir.path())?;
        }
        told(&subnet)?;
        paid_in_full(&verdicts).with_context(|| serving.last_lines())?;
        subnet.earns()
    }

    pub(super) fn weak(&self, recipe: &Recipe) -> anyhow::Result<()> {
        let scratch = tempfile::tempdir()?;
        let serving = recipe.start(&self.weak, scratch.path())?;
        let mut subnet = self.subnet(recipe, &serving, &self.strong, BUILTIN)?;
        let verdicts = subnet.verdicts(WEAK, PATIENCE)?;
        // A server that fails earns nothing either.
        let for_tokens = |verdict: &&VerdictRecord| {
            let reasons = &verdict.judgement.reasons;
            let told = |reason: &Reason| matches!(reason.outcome(), Outcome::Wrong | Outcome::Convicted);
            verdict.judgement.mark <= Mark::ZERO && reasons.iter().any(told)
        };
        let odd = verdicts.iter().find(|verdict| !for_tokens(verdict));
        ensure!(odd.is_none(), "not refused for its tokens: {}", odd.map_or_else(String::new, why));
        ensure!(subnet.incentive()? == 0, "it has an incentive");
        Ok(())
    }

    pub(super) fn told(&self, recipe: &Recipe) -> anyhow::Result<()> {
        let scratch = tempfile::tempdir()?;
        let serving = recipe.start(&self.strong.folder, scratch.path())?;
        let mut subnet = self.subnet(recipe, &serving, &self.strong, BUILTIN)?;
        let verdicts = subnet.verdicts(TOLD, PATIENCE)?;
        let paid = verdicts.iter().any(|verdict| verdict.judgement.mark > Mark::ZERO);
        ensure!(!paid, "it earns, though it tells no token ids");
        told(&subnet)?;
        ensure!(subnet.log("miner").contains("can't earn"), "the miner doesn't say that it can't earn");
        Ok(())
    }

    fn subnet(
        &self,
        recipe: &Recipe,
        serving: &Serving,
        model: &Model,
        variant: Variant,
    ) -> anyhow::Result<Subnet> {
        let mut served = format!(
            "backend = \"{}\"\nurl = \"{}\"\nmodel = \"{}\"\ndigest = \"{}\"\n",
            recipe.backend, serving.url, serving.model, model.digest
        );
        if variant.tokenizer {
            writeln!(served, "path = {:?}", model.folder)?;
        }
        let task = self.task(model, variant)?;
        let task = format!("file = {task:?}\nreference = {:?}\n", model.folder);
        Subnet::start(&self.binary, &Terms { model: &served, task: &task, rounds: ROUNDS })
    }

    /// The built-in task of greedy completions for a model, with a check of every answer.
    fn task(&self, model: &Model, variant: Variant) -> anyhow::Result<PathBuf> {
        let text = std::fs::read_to_string(root().join("tasks/files/generate-greedy.toml"))?;
        let drawn = text.lines().find(|line| line.starts_with("drawn = ")).context("a share of checks")?;
        let text = text
            .replace(drawn, "drawn = 1.0")
            .replace(&self.strong.digest, &model.digest)
            .replace(BUILTIN.going_on, variant.going_on);
        let file = self.dir.path().join(format!("{}-{}.toml", variant.name, name_of(&model.folder)));
        std::fs::write(&file, text)?;
        Ok(file)
    }
}

/// Shows how often answers were refused, and fails where that costs more than a hundredth of the pay.
fn paid_in_full(verdicts: &[VerdictRecord]) -> anyhow::Result<()> {
    let full: i64 = verdicts.iter().map(|verdict| verdict.judgement.mark.billionths()).sum();
    let share = full as f64 / (Mark::MAX.billionths() as f64 * verdicts.len() as f64);
    let count = |outcome: Outcome| {
        let is_such = |verdict: &&VerdictRecord| {
            verdict.judgement.reasons.iter().any(|reason| reason.outcome() == outcome)
        };
        verdicts.iter().filter(is_such).count()
    };
    let (checked, convicted) = (count(Outcome::Accepted) + count(Outcome::Wrong), count(Outcome::Convicted));
    say(&format!(
        "        {share:.4} of full marks over {} completions; of {checked} checks {} refused an answer, {convicted} convicted",
        verdicts.len(),
        count(Outcome::Wrong)
    ));
    let odd = verdicts.iter().find(|verdict| verdict.judgement.mark < Mark::MAX);
    ensure!(share >= SHARE_MIN, "{share:.4} of full marks: {}", odd.map_or_else(String::new, why));
    ensure!(count(Outcome::Unchecked) == 0, "some answers were paid unchecked");
    Ok(())
}

/// Shows what the miner found out at its start.
fn told(subnet: &Subnet) -> anyhow::Result<()> {
    let log = subnet.log("miner");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("backend")).collect();
    ensure!(!lines.is_empty(), "the miner said nothing of its backend");
    lines.iter().for_each(|line| say(&format!("        {line}")));
    Ok(())
}

fn why(verdict: &VerdictRecord) -> String {
    let reasons: Vec<String> = verdict.judgement.reasons.iter().map(ToString::to_string).collect();
    reasons.join("; ")
}

fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
