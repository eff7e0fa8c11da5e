//! Models, tasks and the program under test, and the checks that are made with them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use weighhouse_types::Mark;

use super::recipes::{Recipe, Serving, odd, vllm};
use super::record::Recorder;
use crate::say;
use crate::suite::earning::{Subnet, Terms, builtin, digest};
use crate::suite::{root, weighhouse};

/// Judged answers that tell whether a miner is paid in full, and whether it isn't.
const HONEST: usize = 200;
const WEAK: usize = 40;
/// Those after which a miner that can't earn would have.
const TOLD: usize = 3;
/// The least that honest work gets of full marks.
const SHARE_MIN: f64 = 0.99;
/// For the answers of one miner, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1_800);
const ROUNDS: u32 = 20;

pub(super) struct Site {
    binary: PathBuf,
    strong: Model,
    weak: PathBuf,
    record: bool,
    dir: tempfile::TempDir,
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
    pub(super) fn new(record: bool) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let (strong, weak) = (dir.path().join("strong"), dir.path().join("weak"));
        builtin("reference", &strong)?;
        builtin("weak", &weak)?;
        let binary = weighhouse()?;
        let strong = Model { digest: digest(&binary, &strong)?, folder: strong };
        Ok(Self { binary, strong, weak, record, dir })
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
        self.paid(&vllm(), &model, if name == "ends" { ENDING } else { BUILTIN })
    }

    fn paid(&self, recipe: &Recipe, model: &Model, variant: Variant) -> anyhow::Result<()> {
        let scratch = tempfile::tempdir()?;
        let mut serving = recipe.start(&model.folder, scratch.path())?;
        let recorded = self.record && recipe.backend == "openai" && model.folder == self.strong.folder;
        let recorder = recorded.then(|| Recorder::before(&serving.url)).transpose()?;
        if let Some(recorder) = &recorder {
            serving.url.clone_from(&recorder.url);
        }
        let subnet = self.subnet(recipe, &serving, model, variant)?;
        let verdicts = subnet.verdicts(HONEST, PATIENCE)?;
        if let Some(recorder) = recorder {
            recorder.save(&root().join("miner/testdata/servers").join(recipe.name))?;
        }
        let full: i64 = verdicts.iter().map(|verdict| verdict.judgement.mark.billionths()).sum();
        let share = full as f64 / (Mark::MAX.billionths() as f64 * verdicts.len() as f64);
        say(&format!("        {share:.4} of full marks over {} completions", verdicts.len()));
        let odd = verdicts.iter().find(|verdict| verdict.judgement.mark < Mark::MAX);
        let odd = odd.map_or_else(String::new, |verdict| format!("{:?}", verdict.judgement.reasons));
        ensure!(share >= SHARE_MIN, "{share:.4} of full marks: {odd}");
        subnet.earns()
    }

    pub(super) fn weak(&self, recipe: &Recipe) -> anyhow::Result<()> {
        let scratch = tempfile::tempdir()?;
        let serving = recipe.start(&self.weak, scratch.path())?;
        let subnet = self.subnet(recipe, &serving, &self.strong, BUILTIN)?;
        let verdicts = subnet.verdicts(WEAK, PATIENCE)?;
        let paid = verdicts.iter().filter(|verdict| verdict.judgement.mark > Mark::ZERO).count();
        ensure!(paid == 0, "{paid} of {} completions were paid", verdicts.len());
        ensure!(subnet.incentive()? == 0, "it has an incentive");
        Ok(())
    }

    pub(super) fn told(&self, recipe: &Recipe) -> anyhow::Result<()> {
        let scratch = tempfile::tempdir()?;
        let serving = recipe.start(&self.strong.folder, scratch.path())?;
        let subnet = self.subnet(recipe, &serving, &self.strong, BUILTIN)?;
        let verdicts = subnet.verdicts(TOLD, PATIENCE)?;
        let paid = verdicts.iter().any(|verdict| verdict.judgement.mark > Mark::ZERO);
        ensure!(!paid, "it earns, though it tells no token ids");
        let log = subnet.log("miner");
        let said = log.lines().find(|line| line.contains("can't earn"));
        say(&format!("        {}", said.context("the miner said nothing")?));
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

    /// The built-in task of greedy completions for a model, without its budget, which spares most answers a check.
    fn task(&self, model: &Model, variant: Variant) -> anyhow::Result<PathBuf> {
        let text = std::fs::read_to_string(root().join("tasks/files/generate-greedy.toml"))?;
        let (text, _) = text.split_once("[budget]").context("a budget")?;
        let text =
            text.replace(&self.strong.digest, &model.digest).replace(BUILTIN.going_on, variant.going_on);
        let file = self.dir.path().join(format!("{}-{}.toml", variant.name, name_of(&model.folder)));
        std::fs::write(&file, text)?;
        Ok(file)
    }
}

fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
