//! The folder that `weighhouse init subnet` writes: it runs as it is, in Python and in Rust, and its journals are audited.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::Judge;
use crate::say;
use crate::suite::{Running, Tally, root, target, weighhouse};

const EPOCHS: &str = "2";
const CHEATS: [&str; 3] = ["mean", "echo", "notanumber"];
/// An exit code: nothing is wrong, but the judge was not at hand.
const NOT_REDERIVED: i32 = 69;

/// Runs the checks.
pub(super) fn checks(tally: &mut Tally, python: &Path) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let subnet = |language| Subnet::init(python, scratch.path(), language);
    tally.check("a new folder's judge passes its own tests", || subnet("python")?.tests_pass());
    tally.check("it pays work and refuses cheats, from an empty folder to emissions", || {
        let begun = Instant::now();
        let subnet = subnet("python")?;
        subnet.pays()?;
        say(&format!("        {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(())
    });
    tally.check("its journal is audited with the judge, and says so without", || {
        subnet("python")?.is_audited()
    });
    tally.check("a saved judge is taken up by the next epoch, a broken one is not", || {
        subnet("python")?.takes_up_what_is_saved()
    });
    tally.check("a judge that fails costs no miner anything, and the account says why", || {
        subnet("python")?.is_not_the_miners_fault()
    });
    tally.check("the kind that docs/new-task.md writes runs as it stands there", || {
        let subnet = subnet("python")?;
        subnet.write_the_page()?;
        subnet.tests_pass()?;
        let (_, account) = subnet.localnet()?;
        let (honest, cheat) = (earned(&account, "honest")?, earned(&account, "echo")?);
        ensure!(honest > 0 && cheat == 0 && earned(&account, "reversed")? == 0, "{account}");
        Ok(())
    });
    tally.check("the same with a judge in Rust", || {
        let begun = Instant::now();
        let subnet = subnet("rust")?;
        subnet.pays()?;
        say(&format!("        {:.1} s, the judge's build included", begun.elapsed().as_secs_f64()));
        Ok(())
    });
    Ok(())
}

struct Subnet<'a> {
    python: &'a Path,
    binary: PathBuf,
    folder: PathBuf,
}

impl<'a> Subnet<'a> {
    fn init(python: &'a Path, scratch: &Path, language: &str) -> anyhow::Result<Self> {
        let binary = weighhouse()?;
        let folder = tempfile::Builder::new().prefix(language).tempdir_in(scratch)?.keep().join("weather");
        let mut init = Command::new(&binary);
        init.args(["init", "subnet", "weather", "--judge", language, "--out"]).arg(&folder);
        done(init.args(["--checkout"]).arg(root()).output()?)?;
        Ok(Self { python, binary, folder })
    }

    fn python(&self) -> Command {
        let mut command = Command::new(self.python);
        command.env("PYTHONPATH", root().join("python/python")).env("PYTHONDONTWRITEBYTECODE", "1");
        command.current_dir(&self.folder);
        command
    }

    fn tests_pass(&self) -> anyhow::Result<()> {
        done(self.python().args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).output()?).map(drop)
    }

    /// The folder as a localnet without an end.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(["localnet", "--seed", "7", "--subnet"])
            .arg(&self.folder)
            .arg("--python")
            .arg(self.python);
        // A Rust judge's dependencies are built once for all runs of the suite.
        command.env("CARGO_TARGET_DIR", target().join("xtask/judge-crate"));
        command.env("PYTHONPATH", root().join("python/python")).stdin(Stdio::null());
        command
    }

    fn command_of(&self, epochs: &str) -> Command {
        let mut command = self.command();
        command.args(["--epochs", epochs]);
        command
    }

    /// Runs the folder as a localnet, and returns the folder of its state.
    fn localnet(&self) -> anyhow::Result<(PathBuf, Value)> {
        let state = self.folder.with_extension("state");
        let told = done(self.command_of(EPOCHS).arg("--json").arg("--dir").arg(&state).output()?)?;
        let last = told.lines().last().context("an account")?;
        Ok((state, serde_json::from_str(last)?))
    }

    fn pays(&self) -> anyhow::Result<()> {
        let (_, account) = self.localnet()?;
        let (honest, straight) = (earned(&account, "honest")?, earned(&account, "straight")?);
        ensure!(honest > 0 && honest >= straight, "honest {honest}, straight {straight}");
        for cheat in CHEATS {
            ensure!(earned(&account, cheat)? == 0, "{cheat} earns");
        }
        Ok(())
    }

    /// Writes the files that the page shows, each under its first line.
    fn write_the_page(&self) -> anyhow::Result<()> {
        let page = std::fs::read_to_string(root().join("docs/new-task.md"))?;
        let mut written = 0;
        for block in page.split("```python\n# sorting/").skip(1) {
            let (name, rest) = block.split_once('\n').context("a name")?;
            let (text, _) = rest.split_once("```").context("an end")?;
            std::fs::write(self.folder.join(name), text)?;
            written += 1;
        }
        ensure!(written == 4, "the page has {written} files");
        Ok(())
    }

    /// Runs the folder without an end, saves the judge in other ways, and ends the run.
    fn takes_up_what_is_saved(&self) -> anyhow::Result<()> {
        let mut command = self.command();
        let mut net = Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?);
        let told = BufReader::new(net.0.stderr.take().context("piped")?).lines().map_while(Result::ok);
        let mut judgings = told.filter(|line| line.starts_with("epoch "));
        let file = self.folder.join("judge.py");
        let judge = std::fs::read_to_string(&file)?;
        std::fs::write(&file, judge.replace("SEEN = 64", "SEEN = 48"))?;
        let taken = judgings.next().context("no word of the saved judge")?;
        ensure!(taken.contains("by the saved judge, sha256:"), "{taken}");
        std::fs::write(&file, judge.replace("class Curve", "clas Curve"))?;
        let refused = judgings.next().context("no word of the broken judge")?;
        ensure!(refused.contains("stays with the judge from before"), "{refused}");
        let ended = Command::new("kill").args(["-INT", &net.0.id().to_string()]).status()?;
        ensure!(ended.success() && net.0.wait()?.success(), "the localnet didn't end as told");
        Ok(())
    }

    fn is_not_the_miners_fault(&self) -> anyhow::Result<()> {
        let file = self.folder.join("judge.py");
        let judge = std::fs::read_to_string(&file)?;
        std::fs::write(&file, judge.replace("mean = fsum(truth)", "mean = fsum(nothing)"))?;
        let told = done(self.command_of(EPOCHS).output()?)?;
        let why = "which is no miner's fault";
        ensure!(told.contains(why) && told.contains("NameError") && told.contains("never judged"), "{told}");
        Ok(())
    }

    fn is_audited(&self) -> anyhow::Result<()> {
        let (state, _) = self.localnet()?;
        let file = state.join("validators/honest-a/epoch-00000000000000000000.wj");
        let audit = |judge: Option<&str>| {
            let mut command = Command::new(&self.binary);
            command.args(["audit", "--json"]).arg(&file);
            if let Some(judge) = judge {
                command.args(["--judge", judge]);
            }
            command.output()
        };
        let judge = Judge::start(self.python, &self.folder.join("judge.py"), "Curve", "127.0.0.1:0")?;
        let told: Value = serde_json::from_str(&done(audit(Some(&judge.address))?)?)?;
        let is_none = told["problems"].as_array().is_some_and(Vec::is_empty);
        ensure!(is_none && told["not_rederived"].is_null(), "with the judge: {told}");
        let without = audit(None)?;
        let told: Value = serde_json::from_slice(&without.stdout)?;
        let is_counted = told["not_rederived"].as_u64().is_some_and(|verdicts| verdicts > 0);
        ensure!(without.status.code() == Some(NOT_REDERIVED) && is_counted, "without the judge: {told}");
        Ok(())
    }
}

fn earned(account: &Value, persona: &str) -> anyhow::Result<u64> {
    let miners = account["miners"].as_array().into_iter().flatten();
    let row = miners.into_iter().find(|row| row["persona"] == persona);
    let rao = row.and_then(|row| row["emission_rao"].as_str()?.parse().ok());
    rao.with_context(|| format!("no row of {persona} in {account}"))
}

fn done(output: Output) -> anyhow::Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}
